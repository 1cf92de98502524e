"""Exercises: what a learner's function is to do, and the engine that checks it.

An exercise is a class: it says what it asks for, what may go wrong (the dials of its `Case`), and how one try goes
(`trial`): set the stage, run the function, judge the trace. The engine does the rest. It tries the plain case first, so
that simple mistakes get their simple message. Then it searches the cases for one that breaks the function, makes it
small, and tells from its trace what happened.
"""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from lablib import texts
from lablib.exercises import learner, progress
from lablib.exercises.case import Case
from lablib.exercises.progress import Record, State
from lablib.exercises.search import smallest_failing
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.verdict import Replay, Verdict, conclude, look_back
from lablib.kernel import RealTimeExceeded


class Text(str):
    """Text that a notebook shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class _Nowhere(io.TextIOBase):
    """Takes what is printed during the search."""

    def write(self, text: str) -> int:
        return len(text)


@dataclass(frozen=True)
class _Outcome:
    """What came of one try: a score, or a problem to look back at."""

    score: float | None = None
    replay: Replay | None = None


class Exercise:
    """One exercise. Derive from it; the docstring's first line is its title.

    `signature`: how the learner's function is written. `plain`: the case
    in which nothing goes wrong; its class says what the search may vary. `covered`: what a function that passed has
    stood, in words. `target`, `par`: of a challenge, what the score (in `unit`, less is better) may be, and about what
    our own solution gets.
    """

    id: ClassVar[str]
    signature: ClassVar[str]
    covered: ClassVar[str]
    plain: ClassVar[Case]
    examples: ClassVar[int] = 60
    most_rows: ClassVar[int] = 6_000
    target: ClassVar[float | None] = None
    par: ClassVar[float | None] = None
    unit: ClassVar[str] = ""

    seconds: float = 15.0  # real seconds after which the search ends
    patience: float = 4.0  # real seconds that one try may take

    def __init__(self) -> None:
        self._last: Verdict | None = None
        self._rung = 0

    def trial(self, stage: Stage, fn: Callable[..., Any], case: Any) -> float | None:
        """One try of `fn`: run it on `stage`, then judge. Returns a score, if there is one. Raises Problem."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What it is about, in one line."""
        return (self.__doc__ or "").strip().splitlines()[0].rstrip(".")

    @property
    def hints(self) -> tuple[str, ...]:
        """The hints, gentle first: sections "ID hint 1", ... of the lab's texts."""
        return texts.numbered(f"{self.id} hint")

    @property
    def name(self) -> str:
        """The name of the function that the learner writes."""
        return self.signature.partition("(")[0]

    @property
    def state(self) -> State:
        """ "not attempted", "failed" or "passed": as the latest check of a function that was written found it."""
        return progress.record(self.id).state

    # ---- checking ----------------------------------------------------------------------------------------------------

    def check(self, fn: Callable[..., Any]) -> Verdict:
        """Try the function in many cases, and say whether it holds in all of them."""
        if callable(fn) and learner.is_placeholder(fn):
            text = f"{self.id}: not attempted. Write {self.signature}, then run this cell again."
            self._last = Verdict(self.id, "not attempted", text)
            return self._last
        why = learner.why_not_callable(fn, self.signature)
        verdict = Verdict(self.id, "failed", f"{self.id}: failed. {why}") if why else self._examine(fn)
        progress.update(self.id, lambda record: _noted(record, verdict))
        self._last = verdict
        return verdict

    def _examine(self, fn: Callable[..., Any]) -> Verdict:
        memory = learner.Memory(fn)
        outcomes: dict[Case, _Outcome] = {self.plain: self._try(fn, self.plain, memory)}
        if outcomes[self.plain].replay:
            return self._failed(fn, self.plain, outcomes[self.plain], memory)

        def fails(case: Case) -> bool:
            if case not in outcomes:
                outcomes[case] = self._try(fn, case, memory)
            return outcomes[case].replay is not None

        with contextlib.redirect_stdout(_Nowhere()), contextlib.redirect_stderr(_Nowhere()):
            worst, complete = smallest_failing(type(self.plain), fails, self.examples, self.seconds)
        if worst is not None:
            return self._failed(fn, worst, outcomes[worst], memory)
        scores = [outcome.score for outcome in outcomes.values() if outcome.score is not None]
        return self._passed(max(scores, default=None), complete)

    def _try(self, fn: Callable[..., Any], case: Case, memory: learner.Memory) -> _Outcome:
        stage = Stage(fn, case, memory, self.most_rows)
        try:
            with stage.cloud.kernel.real_time_limit(self.patience), stage.cloud:
                try:
                    return _Outcome(self.trial(stage, fn, case))
                finally:
                    stage.cloud.trace.freeze()  # what closing does to processes is no part of the story
        except Problem as found:
            problem = found
        except RealTimeExceeded as error:
            line = learner.learner_line(error.__traceback__, fn)
            text = (
                f"Your function ran {self.patience:g} real seconds without waiting or calling AWS. "
                "Does a loop never end? Does an `except:` hide an error?"
            )
            problem = Problem(f"{text}\n  {line}" if line else text)
        except (Exception, SystemExit) as error:
            problem = Problem(learner.describe_error(error, fn))
        finally:
            memory.forget()
        return _Outcome(replay=look_back(stage, self.id, problem))

    def _failed(self, fn: Callable[..., Any], case: Case, outcome: _Outcome, memory: learner.Memory) -> Verdict:
        assert outcome.replay is not None
        text = conclude(outcome.replay, self.id)
        if memory.changed:
            names = ", ".join(f"`{name}`" for name in memory.changed)
            text += (
                f"\nNote: your function keeps something in {names}. A program "
                "that crashes loses it, and no other one sees it."
            )

        def again() -> Replay:
            with contextlib.redirect_stdout(_Nowhere()):
                replay = self._try(fn, case, learner.Memory(fn)).replay
            return replay or outcome.replay  # type: ignore[return-value]

        return Verdict(self.id, "failed", text, case, None, again)

    def _passed(self, score: float | None, complete: bool) -> Verdict:
        text = f"{self.id}: passed. It held with {self.covered}."
        if score is not None:
            text = f"{self.id}: passed with {score:,.0f} {self.unit}. Target {self.target:,.0f}, par {self.par:,.0f}."
            text += " At par or better: well done!" if self.par and score <= self.par else ""
        if not complete:
            text += f" (The search stopped early, after {self.seconds:g} real seconds.)"
        return Verdict(self.id, "passed", text, score=score)

    def replay(self) -> Replay:
        """The smallest failing case of the latest check, run once more. Raises ValueError when no check has failed."""
        if self._last is None:
            raise ValueError(f'{self.id}: nothing to replay yet; first run exercise("{self.id}").check({self.name})')
        return self._last.replay()

    # ---- helping -----------------------------------------------------------------------------------------------------

    def hint(self, number: int | None = None) -> Text:
        """The next hint, or the one with that number (1 is the first)."""
        last = len(self.hints)
        if number is not None and not (isinstance(number, int) and 1 <= number <= last):
            raise ValueError(f"number={number!r}: must be from 1 to {last}")
        self._rung = min(self._rung + 1, last) if number is None else number
        progress.update(self.id, lambda record: replace(record, hints=max(record.hints, self._rung)))
        end = "" if self._rung < last else f'\nThis was the last one. The solution: exercise("{self.id}").solution()'
        return Text(f"Hint {self._rung} of {last}: {self.hints[self._rung - 1]}{end}")

    def solution(self, sure: bool = False) -> Text:
        """The source of our solution. Asks first: it is shown with `sure=True` only. Raises FileNotFoundError without
        its file.
        """
        if not sure:
            seen = progress.record(self.id).hints
            return Text(
                f"You have seen {seen} of {len(self.hints)} hints. You learn most from your own try. "
                f'If you want the solution now: exercise("{self.id}").solution(sure=True)'
            )
        source = solution_source(self.id)
        progress.update(self.id, lambda record: replace(record, solution_seen=True))
        return Text(source)

    def __repr__(self) -> str:
        return f"{self.id} {self.title}: {self.signature}, {self.state}"


def _noted(record: Record, verdict: Verdict) -> Record:
    scores = [s for s in (record.best, verdict.score) if s is not None]
    return replace(record, state=verdict.state, attempts=record.attempts + 1, best=min(scores, default=None))


def solution_source(id: str) -> str:
    """The solution of an exercise, from the source of its lab: the function that is checked there, without the markers.

    Raises FileNotFoundError when the folder `solutions/` is not beside the package, LookupError when it has no such
    check.
    """
    folder = Path(__file__).resolve().parents[2] / "solutions"
    files = sorted(folder.glob(f"{id.partition('.')[0]}-*.py"))
    if not files:
        raise FileNotFoundError(
            f"the solutions are in the folder solutions/ of the project, and {folder} has none of this lab"
        )
    return find_solution(files[0].read_text(encoding="utf-8"), id)


def find_solution(source: str, id: str) -> str:
    """The region between the solution markers that stands last before the check of `id`, in its whole cell."""
    check = re.search(rf"""^.*exercise\(\s*["']{re.escape(id)}["']\s*\)\s*\.check\(\s*(\w+)""", source, re.MULTILINE)
    before = source[: check.start()] if check else ""
    starts = [m.start() for m in re.finditer(rf"^def {check[1]}\(", before, re.MULTILINE)] if check else []
    if not starts:
        raise LookupError(f"the source has no solution of {id}")
    cell = re.split(r"^# ?%%", before[starts[-1] :], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in cell.splitlines() if not re.match(r"\s*### (BEGIN|END) SOLUTION\s*$", line)]
    return textwrap.dedent("\n".join(lines)).rstrip() + "\n"
