"""The workbench: a run that is watched, stopped, changed, compared. Python computes runs; the browser plays them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import traitlets

from lablib.aws.quotas import Edition
from lablib.scenarios import Action, ParamSpec, Run, Scenario
from lablib.scenarios.param import near, one_of
from lablib.views.history import life
from lablib.views.theme import plotly_js
from lablib.workbench import bundle, controls, document
from lablib.workbench.cell_widget import CellWidget, close_belongings, only_one
from lablib.workbench.failing import Case, instant, session_of
from lablib.workbench.many import ManyRuns
from lablib.workbench.page_state import (
    comparison,
    differences,
    drawn,
    figure_document,
    form_document,
    life_document,
    state_document,
    summary_document,
    table_document,
)
from lablib.workbench.poster import poster
from lablib.workbench.progress import Progress
from lablib.workbench.question import Asking, Question
from lablib.workbench.setup import Session, Setup

_watched: set[str] = set()  # the runs that were watched to their end in this kernel, as texts


class Setting(traitlets.TraitType[Any, Any]):
    """A setting of the run as a trait. To assign it is to run again; a value that is not allowed raises, one line."""

    def __init__(self, spec: ParamSpec | None = None, default: Any = None) -> None:
        super().__init__(default_value=spec.default if spec else default, help=spec.help if spec else "")

    def set(self, obj: Any, value: Any) -> None:
        """Run with this value."""
        assert self.name
        if value != self.get(obj):
            obj.set(**{self.name: value})

    def store(self, obj: Any, value: Any) -> None:
        """Keep the value that the run has."""
        super().set(obj, value)


def _verb(change: Callable[..., Session]) -> Any:
    """A verb of the session as a method of the workbench: run what comes of it, and when that went well, show it."""

    @functools.wraps(change)
    def verb(self: Workbench, *args: Any, **kwargs: Any) -> None:
        self._show(change(self._session, *args, **kwargs))

    return verb


class Workbench(CellWidget):
    """A scenario to play with. Make one with `workbench(Scenario)`.

    Its traits can be observed and linked: every parameter of the scenario, `seed` and `limits` (to assign one runs
    again), `cursor` (the instant shown, in seconds), `selected` (the MessageId of the message in view, "" for none),
    and, to read only, `run`, `kept` (the run in the second lane, or None). With two lanes the settings are those of
    `run`.

    All that the page can do can be done in code: `set`, `act`, `move`, `take_back`, `seek`, `compare`, `keep`,
    `stop_comparing`, `many`, `restore`, `begin_again`.
    """

    _esm = bundle.script()
    _css = bundle.style()
    _run = traitlets.Bytes(b"").tag(sync=True)
    _other = traitlets.Bytes(b"").tag(sync=True)
    _form = traitlets.Dict().tag(sync=True)
    _selected = traitlets.Int(-1).tag(sync=True, echo_update=False)  # the message's number on the page
    cursor = traitlets.Float(0.0).tag(sync=True, echo_update=False)
    selected = traitlets.Unicode("")
    run = traitlets.Instance(Run, read_only=True)
    kept = traitlets.Instance(Run, allow_none=True, read_only=True)
    seed = Setting(default=0)
    limits = Setting(default="2023")

    def __init__(self, session: Session, asking: Asking | None = None, lanes: bool = False) -> None:
        self._parts: dict[str, Any] = {}
        self._first = self._session = session
        self._focus = ""
        self._seen = session.share() in _watched
        self._many = ManyRuns(self._band_changed, self._failed)
        self._progress = Progress(self._publish)
        run, kept = session.runs()
        self._remember(run, kept)
        form = {**form_document(run.scenario), "lanes": lanes}
        super().__init__(asking, _form=form, **self._drawn())
        self._publish()
        self._progress.look(run)

    @traitlets.default("run")
    def _run_again(self) -> Run:
        return self._session.runs()[0]

    @traitlets.default("kept")
    def _kept_again(self) -> Run | None:
        return self._session.runs()[1]

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name.startswith("_") or hasattr(type(self), name) or name in self.__dict__):
            known = [*self.run.scenario.params(), "seed", "limits", "cursor", "selected"]
            raise AttributeError(f"{name}={value!r}: the workbench has {one_of(known)}{near(name, known)}")
        super().__setattr__(name, value)

    # ---- what can be done ------------------------------------------------------------------------------------------

    set = _verb(Session.set)
    move = _verb(Session.move)
    take_back = _verb(Session.take_back)
    compare = _verb(Session.compare)
    keep = _verb(Session.keep)
    stop_comparing = _verb(Session.stop_comparing)

    def act(
        self, kind: str, target: str = "", value: Any = None, at: float | None = None, lane: int | None = None
    ) -> None:
        """Do something to the run at an instant (default: the one shown). The past stays, the future forks."""
        self._show(self._session.act(kind, target, value, self.cursor if at is None else at, lane))

    def seek(self, time: float) -> None:
        """Show an instant, in seconds of the run."""
        self.cursor = time

    def many(self, on: bool = True) -> None:
        """Draw the band over many seeds behind the single run, or take it away.

        In a notebook the runs are made one by one while the kernel goes on to answer; a change calls the rest off.
        """
        if on:
            self._many.start(self._session.setup)
        else:
            self._many.stop()
            self._redraw()

    def restore(self, text: str) -> None:
        """Show what a shared text stands for. Raises ValueError for any other text; nothing changes."""
        session, cursor = Session.of_text(text)
        if type(session.setup.scenario) is not type(self.run.scenario):
            name = type(session.setup.scenario).__name__
            raise ValueError(f"this text is of {name}; write workbench(text) in a cell to see it")
        self._show(session)
        self.seek(cursor or 0.0)

    def begin_again(self) -> None:
        """Show the first instant of the run that it was made with: its settings, seed, actions and lanes."""
        self._show(self._first)
        self.seek(0.0)

    def share(self) -> str:
        """A short text that holds this very picture: both lanes, and the instant shown."""
        return self._session.share(round(self.cursor, 3))

    def to_html(self, path: str | Path) -> Path:
        """Write what is shown, both lanes, as one page that needs no kernel and no network. Returns the path."""
        from lablib.workbench.export import to_html

        return to_html(self.run.at_cursor(round(self.cursor, 3)), path, self.kept)

    def close(self) -> None:
        """Take it off the page and free it and its parts; runs under way are called off. A notebook's history holds it
        for ever: its runs go, and who asks for one later gets it anew.
        """
        self._many.stop()
        self._progress.stop()
        self.unobserve_all()
        for part in self._parts.values():
            close_belongings(part)
            part.close()
        self._parts.clear()
        super().close()
        for name in ("run", "kept", "_run", "_other", "_state"):
            self._trait_values.pop(name, None)

    # ---- parts for a page of one's own -----------------------------------------------------------------------------

    def control(self, name: str, **options: Any) -> Any:
        """A slider, menu or box (an ipywidget) for a parameter, `seed`, `limits` or `cursor`, linked both ways. There
        is one for each name; `options` are set on it, such as `description="..."`.
        """
        made = self._part(name, lambda: controls.control(self, name))
        for option, value in options.items():
            setattr(made, option, value)
        return made

    @property
    def stage(self) -> controls.Part:
        """The picture alone: a second view, which goes along with the others."""
        return self._part(".stage", lambda: controls.Part(bench=self))

    @property
    def figure(self) -> Any:
        """The curves as plotly's FigureWidget, with a line at the instant shown. A click on a curve goes there."""
        return self._part(".figure", self._live_figure)

    def _live_figure(self) -> Any:
        from lablib.views import live  # with plotly, which takes a while to import

        made = live.live(self.run, self.kept, self.cursor, self.seek, module=bundle.patient)
        self.observe(lambda _: live.show(made, self.run, self.kept, self.seek), ["run", "kept"])
        self.observe(lambda change: live.show_cursor(made, self.run, change["new"]), "cursor")
        return made

    def _part(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._parts:
            self._parts[name] = make()
        return self._parts[name]

    def complain(self, error: Exception) -> None:
        """Show on the page what went wrong."""
        self._failed(error)

    # ---- what the page asks for ------------------------------------------------------------------------------------

    def _all_seen(self) -> None:
        """The page shows the whole run, and each later one. The same cell may run again: then nothing is new."""
        self._seen = True
        _watched.add(self._session.share())
        self._publish()

    def _why(self, message: int, lane: int = 0) -> dict[str, Any]:
        run = self.kept if lane and self.kept else self.run
        subjects = document.subjects(run)
        if not 0 <= message < len(subjects):
            raise ValueError(f"message {message + 1}: this run has {len(subjects)} messages")
        if run is self.run:
            self._selected = message
        return life_document(life(run, subjects[message]), subjects)

    verbs = CellWidget.verbs | {
        "set": set, "act": act, "move": move, "take_back": take_back, "compare": compare, "keep": keep,
        "stop_comparing": stop_comparing, "seek": seek, "many": many, "restore": restore, "why": _why,
        "begin_again": begin_again, "seen": _all_seen, "met": lambda self, key: self._progress.met(key),
        "share": lambda self: {"text": self.share()},
        "numbers": lambda self: {"summary": summary_document(self.run)},
        "comparison": lambda self: comparison(self.kept, self.run) if self.kept else {},
        "table": lambda self: table_document(self.run),
        "figure": lambda self: figure_document(self.run, self.kept, self._many.band),
        "plotly": lambda self: plotly_js().encode(),
    }  # fmt: skip

    def _do(self, verb: str, arguments: dict[str, Any]) -> Any:
        at = arguments.pop("cursor", None)
        if at is not None:
            self.set_state({"cursor": at})  # and not sent back: the page may be further by now
        self._focus = "compare" if verb == "compare" else self._focus
        return super()._do(verb, arguments)

    # ---- keeping the page and the traits in step -------------------------------------------------------------------

    def _show(self, session: Session) -> None:
        """Run, and only when that went well, show it."""
        run, kept = session.runs()
        self._session, self._alarm = session, ""
        if self._seen:
            _watched.add(session.share())
        if self._many.document["on"]:
            self._many.stop("Something changed: switch it on again.")
        with self.hold_sync(), self.hold_trait_notifications():
            self._remember(run, kept)
            if self.selected and self.selected not in document.subjects(run):
                self.selected = ""
            self._redraw()
        self._progress.look(run)

    def _remember(self, run: Run, kept: Run | None) -> None:
        settings = {**run.scenario.values(), "seed": run.seed, "limits": run.limits}
        self.set_trait("run", run)
        self.set_trait("kept", kept)
        for name, value in settings.items():
            getattr(type(self), name).store(self, value)

    def _drawn(self) -> dict[str, bytes]:
        return {f"_{name}": data for name, data in drawn(self.run, self.kept).items()}

    @traitlets.validate("cursor")
    def _in_the_run(self, proposal: Any) -> float:
        return min(max(0.0, float(proposal["value"])), self.run.until)

    @traitlets.observe("cursor")
    def _cursor_moved(self, _change: Any) -> None:
        self._progress.shown(self.cursor)

    @traitlets.validate("selected")
    def _in_the_page(self, proposal: Any) -> str:
        if proposal["value"] and proposal["value"] not in document.subjects(self.run):
            raise ValueError(f"selected={proposal['value']!r}: must be the MessageId of a message of this run, or ''")
        return str(proposal["value"])

    @traitlets.observe("selected")
    def _selected_here(self, _change: Any) -> None:
        self._selected = document.subjects(self.run).index(self.selected) if self.selected else -1

    @traitlets.observe("_selected")
    def _selected_there(self, _change: Any) -> None:
        subjects = document.subjects(self.run)
        self.selected = subjects[self._selected] if 0 <= self._selected < len(subjects) else ""

    def _redraw(self) -> None:
        with self.hold_sync():
            for name, data in self._drawn().items():
                setattr(self, name, data)
            self._publish()

    def _band_changed(self, _is_drawn: bool) -> None:
        self._publish()

    def _document(self) -> dict[str, Any]:
        """All that the page shows besides the animation and the figure."""
        return {
            **state_document(self.run, self.kept, self._session.share()),
            "many": self._many.document,
            "missions": self._progress.document,
            "alarm": self._alarm,
            "question": self._asking.document(self.run) if self._asking else None,
            "focus": self._focus,
            "seen": self._seen,
        }

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live view; where there is none (a file that nobody runs), the poster and the result in one line."""
        live = super()._repr_mimebundle_(**kwargs)
        return live and ({**live[0], "image/svg+xml": self._poster()}, live[1])

    def _poster(self) -> str:
        runs = [run for run in (self.kept, self.run) if run]
        names = differences(*map(Setup.of, runs)) if self.kept else ("",)
        lanes = [(f"{'AB'[i]}: {name}" if name else "", runs[i].topology) for i, name in enumerate(names)]
        return poster(self.run.title, lanes)

    def __repr__(self) -> str:
        return repr(self.run) if self.kept is None else f"A: {self.kept!r} | B: {self.run!r}"


# ---- making one ------------------------------------------------------------------------------------------------------


_classes: WeakKeyDictionary[type[Scenario], type[Workbench]] = WeakKeyDictionary()


def _class_of(scenario: type[Scenario]) -> type[Workbench]:
    """The workbench's class for a scenario: its parameters are traits."""
    if scenario in _classes:
        return _classes[scenario]
    name, specs = scenario.__name__, scenario.params()
    taken = next((spec for spec in specs if hasattr(Workbench, spec)), None)
    if taken:
        raise ValueError(f"{name}: {taken!r} is a name that the workbench needs; give the parameter another one")
    traits = {spec.name: Setting(spec) for spec in specs.values()}
    made = type(f"{name}Workbench", (Workbench,), {**traits, "__module__": __name__, "__doc__": Workbench.__doc__})
    return _classes.setdefault(scenario, made)


def workbench(
    what: type[Scenario] | Scenario | Run | Case | str | Path,
    *,
    seed: int = 0,
    actions: tuple[Action, ...] | list[Action] = (),
    until: float | None = None,
    limits: Edition = "2023",
    compare: Mapping[str, Any] | Run | None = None,
    predict: Question | str | bool = False,
    at: float | None = None,
    lanes: bool = False,
    **values: Any,
) -> Workbench:
    """A workbench for a scenario: `workbench(VideoQueue, seed=7, rate=5)`.

    `what`: a scenario class or object, a run, a text that `share()` gave, or a failing case of an exercise (what
    `verdict.replay()` gives), which can be looked at and not changed. `values`: parameters of the scenario.
    `compare`: settings that are different in a second lane, such as `{"mode": "direct"}`, or a run to keep there.
    `predict`: a question to ask before the run is shown, or its key in the lab's texts; True: draw the scenario's
    curve. `at`: the instant to show first, in seconds. `lanes`: begin with the lanes open, in which each message is
    followed by itself. Raises ValueError or TypeError, one line.
    """
    if isinstance(what, (str, Path)):
        session, at = Session.of_text(str(what))
    elif isinstance(what, Run):
        session, at = Session(Setup.of(what)), what.cursor if at is None else at
    elif isinstance(what, Scenario) or (isinstance(what, type) and issubclass(what, Scenario)):
        scenario = what(**values) if isinstance(what, type) else what.replace(**values)
        session, values = Session(Setup(scenario, seed, tuple(actions), until, limits)), {}
    elif isinstance(what, Case):
        session, at, lanes = session_of(what), instant(what) if at is None else at, True
    else:
        raise TypeError(f"workbench({what!r}): give a scenario, a run, a failing case, or a text of share()")
    session = session.set(**values) if values else session
    if isinstance(compare, Run):
        session = Session(session.setup, Setup.of(compare))
    elif compare:
        session = session.compare(**compare)
    session = session.in_lanes()
    asking = Asking.of(predict, *session.runs()) if predict else None

    def make() -> Workbench:
        made = _class_of(type(session.setup.scenario))(session, asking, lanes)
        if at is not None:
            made.seek(at)
        return made

    return only_one(make)
