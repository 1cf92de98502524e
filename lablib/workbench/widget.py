"""The workbench: a run that is watched, stopped, changed, compared. Python computes runs; the browser plays them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import traitlets

from lablib.aws.quotas import Edition
from lablib.measures import Band, bands
from lablib.scenarios import Action, Run, Scenario
from lablib.views.biography import Life, life
from lablib.views.panels import overview, time_unit
from lablib.views.theme import plotly_js
from lablib.workbench import bundle, payload
from lablib.workbench.page import Page, only_one
from lablib.workbench.question import Asking, Question
from lablib.workbench.session import (
    Setup,
    Versus,
    action_document,
    comparison,
    form_document,
    lowered,
    words,
)  # fmt: skip

SEEDS = 30
_MESSAGE = re.compile(r"\bmessage ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


class Workbench(Page):
    """A scenario to play with. Make one with `workbench(Scenario)`; `run` is the present run, `cursor` the instant
    shown.

    All that the page can do can be done in code: `set`, `act`, `take_back`, `seek`, `compare`, `keep`, `many`,
    `restore`.
    """

    _esm = bundle.script()
    _css = bundle.style()
    _run = traitlets.Bytes(b"").tag(sync=True)
    _other = traitlets.Bytes(b"").tag(sync=True)
    _figure = traitlets.Bytes(b"").tag(sync=True)
    _form = traitlets.Dict().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)
    cursor = traitlets.Float(0.0).tag(sync=True)

    def __init__(
        self, setup: Setup, versus: Versus | None = None, asking: Asking | None = None, lanes: bool = False
    ) -> None:
        self._setup, self._versus, self._asking = setup, versus, asking
        self._alarm = ""
        self._many: dict[str, Any] = {"on": False, "part": 0.0, "text": ""}
        self._band: Band | None = None
        self._task: asyncio.Task[None] | None = None
        self._seeks, self._focus = 0, ""
        self.run = setup.run()
        self.other = versus.setup(setup).run() if versus else None
        form = {**form_document(setup.scenario), "lanes": lanes}
        super().__init__(_form=form, _state=self._document(), **self._drawn())
        if self.run.cursor:
            self.seek(self.run.cursor)

    # ---- what can be done ------------------------------------------------------------------------------------------

    def set(self, **values: Any) -> None:
        """Change parameters. The run is computed again from the same seed; the instant shown stays."""
        self._go(self._setup.set(**values))

    def act(self, kind: str, target: str = "", value: Any = None, at: float | None = None) -> None:
        """Do something to the run at an instant (default: the one shown). The past stays, the future forks."""
        self._go(self._setup.act(Action(kind, self.cursor if at is None else at, target, value)))

    def take_back(self, index: int = -1) -> None:
        """Take back an action, by its number in `run.actions`; by default the last."""
        self._go(self._setup.take_back(index + len(self._setup.actions) if index < 0 else index))

    def reseed(self, seed: int) -> None:
        """Another throw of the dice."""
        self._go(Setup(self._setup.scenario, seed, self._setup.actions, self._setup.until, self._setup.limits))

    def choose_limits(self, limits: Edition) -> None:
        """The quotas of the course ("2023") or AWS's present ones ("today")."""
        self._go(Setup(self._setup.scenario, self._setup.seed, self._setup.actions, self._setup.until, limits))

    def seek(self, time: float) -> None:
        """Show an instant, in seconds of the run."""
        self.cursor = min(max(0.0, float(time)), self.run.until)
        self._seeks += 1
        self._publish()

    def compare(self, **changes: Any) -> None:
        """Show a second lane: the same seed and load with these parameters changed."""
        self._go(self._setup, Versus(changes))

    def keep(self) -> None:
        """Keep the present run as the second lane; what is changed from now on is compared with it."""
        self._go(self._setup, Versus(kept=self._setup))

    def stop_comparing(self) -> None:
        """One lane again."""
        self._go(self._setup, None)

    def many(self, on: bool = True) -> None:
        """Draw the band over many seeds behind the single run, or take it away.

        In a notebook the runs are made one by one while the kernel goes on to answer; a change calls the rest off.
        """
        self._call_off()
        self._band, self._many = None, {"on": on, "part": 0.0, "text": ""}
        if not on:
            return self._redraw()
        setup = self._setup
        slices = bands(setup.scenario, SEEDS, "depth", setup.actions, setup.until, setup.limits)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # nobody waits for the kernel: all at once
            for done, found in enumerate(slices, 1):
                self._one_more(done, found)
        else:
            self._publish()
            self._task = loop.create_task(self._in_slices(slices))

    async def _in_slices(self, slices: Any) -> None:
        try:
            while True:
                await asyncio.sleep(0.02)  # whatever the page has asked meanwhile is answered here
                done = round(self._many["part"] * SEEDS) + 1
                self._one_more(done, next(slices))
                if done == SEEDS:
                    return
        except Exception as error:  # as when the page asks: the learner must see it
            self._many = {"on": False, "part": 0.0, "text": ""}
            self._failed(error)

    def _one_more(self, done: int, found: Callable[[], Band]) -> None:
        self._many = {"on": True, "part": done / SEEDS, "text": f"{done} of {SEEDS} runs"}
        if done < SEEDS:
            return self._publish()
        self._band, self._many["text"] = found(), f"The band is drawn: {SEEDS} seeds."
        self._redraw()

    def _call_off(self) -> None:
        if self._task:
            self._task.cancel()
        self._task = None

    def close(self) -> None:
        """Take it off the page and free it; runs under way are called off."""
        self._call_off()
        super().close()

    def restore(self, text: str) -> None:
        """Show the run that a shared text stands for. Raises ValueError for any other text; nothing changes."""
        run = Run.from_text(text)
        if type(run.scenario) is not type(self._setup.scenario):
            name = type(run.scenario).__name__
            raise ValueError(f"this text is of {name}; write workbench(Run.from_text(...)) in a cell to see it")
        self._go(Setup.of(run), None)
        self.seek(run.cursor or 0.0)

    def share(self) -> str:
        """A short text that holds this very picture."""
        return self.run.share(round(self.cursor, 3))

    # ---- keeping the page in step ----------------------------------------------------------------------------------

    def _go(self, setup: Setup, versus: Versus | str | None = "as before") -> None:
        """Run, and only when that went well, show it."""
        against = self._versus if isinstance(versus, str) else versus
        run = setup.run()
        other = against.setup(setup).run() if against else None
        self._setup, self._versus, self.run, self.other, self._alarm = setup, against, run, other, ""
        if self._many["on"]:
            self._call_off()
            self._band, self._many = None, {"on": False, "part": 0.0, "text": "Something changed: switch it on again."}
        self._redraw()

    def _drawn(self) -> dict[str, bytes]:
        return {f"_{name}": data for name, data in drawn(self.run, self.other, self._band).items()}

    def _redraw(self) -> None:
        with self.hold_sync():
            for name, data in self._drawn().items():
                setattr(self, name, data)
            self._publish()

    def _publish(self) -> None:
        self._state = self._document()

    def _document(self) -> dict[str, Any]:
        """All that the page shows besides the animation and the figure."""
        veiled = {"headline": ""} if self._asking is not None and self._asking.state == "open" else {}
        return (
            state_document(self.run, self.other)
            | veiled
            | {
                "many": self._many,
                "alarm": self._alarm,
                "question": self._asking.show(self.run) if self._asking else None,
                "seek": {"t": getattr(self, "cursor", 0.0), "n": self._seeks},
                "focus": self._focus,
            }
        )

    def _failed(self, error: Exception) -> None:
        self._alarm = (
            str(error) if isinstance(error, (ValueError, TypeError, KeyError)) else f"{type(error).__name__}: {error}"
        )
        self._publish()

    # ---- what the page asks ----------------------------------------------------------------------------------------

    def _heard(self, content: dict[str, Any], buffers: Any = None) -> None:
        at = content.pop("cursor", None)
        if at is not None:
            self.cursor = min(max(0.0, float(at)), self.run.until)
        super()._heard(content, buffers)

    def _on_set(self, name: str, value: Any) -> None:
        _given(name.replace("_", " "), value)
        self.set(**{name: value})

    def _on_act(self, kind: str, target: str = "", value: Any = None) -> None:
        self.act(kind, target, value)

    def _on_takeBack(self, index: int) -> None:
        self.take_back(index)

    def _on_seed(self, value: int) -> None:
        _given("seed", value)
        self.reseed(value)

    def _on_limits(self, value: Edition) -> None:
        self.choose_limits(value)

    def _on_compare(self, name: str, value: Any) -> None:
        self._focus = "compare"
        self.compare(**{name: value})

    def _on_keep(self) -> None:
        self.keep()

    def _on_stopComparing(self) -> None:
        self.stop_comparing()

    def _on_many(self, on: bool) -> None:
        self.many(on)

    def _on_restore(self, text: str) -> None:
        self.restore(text)

    def _on_share(self) -> dict[str, Any]:
        return {"text": self.share()}

    def _on_why(self, message: int, lane: int = 0) -> dict[str, Any]:
        run = self.other if lane and self.other else self.run
        subjects = payload.subjects(run)
        if not 0 <= message < len(subjects):
            raise ValueError(f"message {message + 1}: this run has {len(subjects)} messages")
        return life_document(life(run, subjects[message]), subjects)

    def _on_numbers(self) -> dict[str, Any]:
        return {"summary": summary_document(self.run)}

    def _on_table(self) -> dict[str, Any]:
        return table_document(self.run)

    def _on_plotly(self) -> bytes:
        return plotly_js().encode()

    def _on_answer(self, value: Any) -> None:
        self._ask("answer", value)

    def _on_skip(self) -> None:
        self._ask("skip")

    def _on_closeQuestion(self) -> None:
        self._ask("skip")

    def _on_askAgain(self) -> None:
        self._ask("again")

    def _ask(self, what: str, *arguments: Any) -> None:
        if self._asking:
            getattr(self._asking, what)(*arguments)
            self._alarm = ""
            self._publish()

    def __repr__(self) -> str:
        return repr(self.run) if self.other is None else f"{self.run!r} | B: {self.other!r}"


# ---- documents for the page ------------------------------------------------------------------------------------------


def drawn(run: Run, other: Run | None = None, many: Band | None = None) -> dict[str, bytes]:
    """What the page plays and plots, packed: "run", "other" (empty without one) and "figure"."""
    figure = overview(run, other, many)
    scale, unit = time_unit(run.until)
    ages = [one.measures.age_of_oldest() for one in (run, other) if one]
    shown = [{"label": s.label, "unit": unit, "t": s.t, "y": s.y * scale, "shape": s.shape} for s in ages]
    series = [{**shown[0], "other": shown[-1] if other else None}]
    for trace in figure["data"]:  # a picture needs no more digits
        trace |= {"x": trace["x"].astype("f4"), "y": trace["y"].astype("f4")}
    packed = {
        "run": payload.pack(payload.describe(run)),
        "figure": payload.pack({**figure, "scale": scale, "series": series}),
    }
    return packed | {"other": payload.pack(payload.describe(other)) if other else b""}


def state_document(run: Run, other: Run | None = None) -> dict[str, Any]:
    """What the page shows of a run besides the animation and the figure."""
    return {
        "values": run.scenario.values(),
        "seed": run.seed,
        "limits": run.limits,
        "canDo": [action_document(spec) for spec in run.scenario.actions()],
        "actions": [words(action, run.scenario) for action in run.actions],
        "headline": lowered(run),
        "comparison": comparison(run, other) if other else None,
        "share": run.share(),
    }


def _given(name: str, value: Any) -> None:
    """Raise ValueError for an empty field."""
    if value is None:
        raise ValueError(f"{name}: the field is empty; write a number")


def life_document(one: Life, subjects: list[str]) -> dict[str, Any]:
    """A life for the page, which knows messages by their numbers."""

    def numbered(found: re.Match[str]) -> str:
        return f"message {subjects.index(found[1]) + 1}" if found[1] in subjects else found[0]

    kin = [[subjects.index(k.subject), k.words] for k in one.kin if k.subject in subjects]
    clauses = [[time, _MESSAGE.sub(numbered, text), api] for time, text, api in one.clauses]
    return {**one._asdict(), "clauses": clauses, "kin": kin}


def summary_document(run: Run) -> list[list[str]]:
    """The results of the whole run for the page."""
    return [[n.label, n.text] for n in run.measures.summary()]


def table_document(run: Run) -> dict[str, Any]:
    """What is plotted, as a table for the page."""
    frame = run.measures.table()
    rows = [[f"{t:g}", *(f"{x:g}" for x in row)] for t, row in zip(frame.index, frame.to_numpy(), strict=True)]
    return {
        "caption": "What is plotted, at equal steps of time",
        "heads": [frame.index.name, *frame.columns],
        "rows": rows,
    }


# ---- making one ------------------------------------------------------------------------------------------------------


def workbench(
    what: type[Scenario] | Scenario | Run | str | Path,
    *,
    seed: int = 0,
    actions: tuple[Action, ...] | list[Action] = (),
    until: float | None = None,
    limits: Edition = "2023",
    compare: Mapping[str, Any] | None = None,
    predict: Question | None = None,
    at: float | None = None,
    lanes: bool = False,
    **values: Any,
) -> Workbench:
    """A workbench for a scenario: `workbench(VideoQueue, seed=7, rate=5)`.

    `what`: a scenario class or object, a run, or a text of `run.share()`. `values`: parameters of the scenario.
    `compare`: parameters that are different in a second lane, such as `{"mode": "direct"}`. `predict`: a question
    (Choice, Number, Curve) to ask before the run is shown. `at`: the instant to show first, in seconds. `lanes`: begin
    with the lanes open, in which each message is followed by itself. Raises ValueError or TypeError, one line.
    """
    if isinstance(what, (str, Path)):
        what = Run.from_text(str(what))
    if isinstance(what, type) and issubclass(what, Scenario):
        what = what(**values)
        values = {}
    if isinstance(what, Run):
        setup, at = Setup.of(what), what.cursor if at is None else at
    elif isinstance(what, Scenario):
        setup = Setup(what, seed, tuple(actions), until, limits)
    else:
        raise TypeError(f"workbench({what!r}): give a scenario, a run, or a text of run.share()")
    if values:
        setup = setup.set(**values)
    key = f"{type(setup.scenario).__name__}: {predict.text}" if predict else ""

    def make() -> Workbench:
        asking = Asking(predict, key) if predict else None
        made = Workbench(setup, Versus(dict(compare)) if compare else None, asking, lanes)
        if at is not None:
            made.seek(at)
        return made

    made = only_one(make)
    assert isinstance(made, Workbench)
    return made
