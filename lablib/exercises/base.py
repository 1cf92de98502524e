"""Exercises: what a learner's function is to do, and the engine that checks it.

An exercise is a class: it says what it asks for, what may go wrong (its `knobs`), how one try goes (`play`), and the
faults to look for afterwards, in the order in which a learner should read them. The engine does the rest. It tries the
plain case first, so that simple mistakes get their simple message. Then it searches the cases for one that breaks the
function, makes it small, and tells from its trace what happened. Its prose is in the texts of the lab.
"""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from lablib import texts
from lablib.exercises import learner, progress, solutions
from lablib.exercises.case import Case
from lablib.exercises.faults import Fault
from lablib.exercises.progress import Record, State
from lablib.exercises.search import smallest_failing
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.verdict import Replay, Verdict, failure_text, make_replay, passed_with
from lablib.kernel import RealTimeExceeded

_GUARD = 20.0  # real seconds: code that has not returned to the lab by then has a loop that never ends
_ADVICE = {
    "KeyError: 'Messages'": "An answer without messages has no 'Messages' at all: answer.get('Messages', []).",
    "KeyError: 'Successful'": "When no entry succeeded, there is no 'Successful': answer.get('Successful', []).",
    "KeyError: 'Failed'": "When no entry failed, there is no 'Failed': answer.get('Failed', []).",
    "KeyError: 'Attributes'": "A receive brings the attributes that it asks for: MessageSystemAttributeNames=['All'].",
    "KeyError: 'MessageAttributes'": "A receive brings the attributes that it asks for: MessageAttributeNames=['All'].",
}


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
    """What came of one try: what it reached and its score, or a problem to look back at."""

    score: float | None = None
    reached: Mapping[str, float] | None = None
    replay: Replay | None = None


class Exercise:
    """One exercise. Derive from it; the docstring's first line is its title.

    `signature`: how the learner's function is written. `knobs`: the cases. `harmless`: the first case, in which nothing
    goes wrong; `also`: cases at the edges, tried in any case; the other knobs are at their lowest. `examples`: how many
    cases the search draws. `events`: how many rows a try may have. `faults` are looked for after each try, `causes`
    before them, and also when the function raised: they say more than the error. `advice`: a line for an error whose
    type and text contain the key. `target`, `par`: of a challenge, what the score (in `unit`, less is better) may be,
    and about what our own solution gets. Texts: "ID hint N", "ID passed", "ID idea", "ID question".
    """

    id: ClassVar[str]
    signature: ClassVar[str]
    knobs: ClassVar[type[Case]]
    harmless: ClassVar[dict[str, int]] = {}
    also: ClassVar[tuple[dict[str, int], ...]] = ()
    examples: ClassVar[int] = 60
    events: ClassVar[int] = 6_000
    causes: ClassVar[tuple[Fault, ...]] = ()
    faults: ClassVar[tuple[Fault, ...]] = ()
    advice: ClassVar[Mapping[str, str | Callable[[Stage], str]]] = {}
    target: ClassVar[float | None] = None
    par: ClassVar[float | None] = None
    unit: ClassVar[str] = ""

    def __init__(self) -> None:
        self._last: Verdict | None = None
        self._hints_shown = 0

    def play(self, stage: Stage, case: Any) -> float | None:
        """One try: set the stage and run the learner's function. Returns a score, if there is one. Raises Problem."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What it is about, in one line."""
        return (self.__doc__ or "").strip().splitlines()[0].rstrip(".")

    @property
    def hints(self) -> tuple[str, ...]:
        """The hints, gentle first."""
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

    def check(self, fn: Callable[..., Any], keep: bool = True) -> Verdict:
        """Try the function in many cases, and say whether it holds in all of them. `keep`: False for a function that is
        none of the learner's own, to see how it fails: it is no attempt.
        """
        if callable(fn) and learner.is_placeholder(fn):
            text = f"{self.id}: not attempted. Write {self.signature}, run its cell, then check it again."
            self._last = Verdict(self.id, "not attempted", text)
            return self._last
        why = learner.why_not_callable(fn, self.signature)
        try:
            verdict = Verdict(self.id, "failed", f"{self.id}: failed. {why}") if why else self._examine(fn)
        except Endless as endless:
            verdict = Verdict(self.id, "no verdict", f"{self.id}: no verdict. {endless}")
        else:
            code = learner.fingerprint(fn)
            if keep:
                progress.update(self.id, lambda record: _noted(record, verdict, code))
        self._last = verdict
        return verdict

    def first_failing(self, fn: Callable[..., Any]) -> Case | None:
        """The first case that breaks the function, as it is found and not made smaller; None when all hold."""
        found = self._search(fn, learner.Memory(fn), small=False)
        return next((case for case, outcome in found.items() if outcome.replay), None)

    def _search(self, fn: Callable[..., Any], memory: learner.Memory, small: bool = True) -> dict[Case, _Outcome]:
        """Try cases until one fails, and then smaller ones. Returns what came of each."""
        first, *edges = (self.knobs(**values) for values in (self.harmless, *self.also))
        outcomes = {first: self._try(fn, first, memory)}

        stopped: list[Endless] = []

        def fails(case: Case) -> bool:
            found = stopped or (not small and any(o.replay for o in outcomes.values()))
            if case not in outcomes and not found:
                try:
                    outcomes[case] = self._try(fn, case, memory)
                except Endless as endless:
                    stopped.append(endless)
            return case in outcomes and outcomes[case].replay is not None

        with contextlib.redirect_stdout(_Nowhere()), contextlib.redirect_stderr(_Nowhere()):
            if not fails(first) and smallest_failing(self.knobs, fails, self.examples) is None:
                edge = next((case for case in edges if fails(case)), None)
                if edge and small:
                    smallest_failing(self.knobs, fails, self.examples, within=edge)
        if stopped and not any(outcome.replay for outcome in outcomes.values()):
            raise stopped[0]
        return outcomes

    def _examine(self, fn: Callable[..., Any]) -> Verdict:
        memory = learner.Memory(fn)
        outcomes = self._search(fn, memory)
        worst = min((case for case, outcome in outcomes.items() if outcome.replay), default=None)  # type: ignore[type-var]
        if worst is not None:
            return self._failed(fn, worst, outcomes[worst], memory, searched=len(outcomes) > 1)
        return self._passed(outcomes)

    def _try(self, fn: Callable[..., Any], case: Case, memory: learner.Memory) -> _Outcome:
        stage = Stage(fn, case, memory, self.events)
        try:
            with stage.cloud.kernel.real_time_limit(_GUARD), stage.cloud:
                problem, score, faults = None, None, (*self.causes, *self.faults)
                try:
                    score = self.play(stage, case)
                except Exception as error:
                    problem, faults = self._problem(stage, error, fn), self.causes
                stage.cloud.trace.freeze()  # what judging and closing do is no part of the story
                try:
                    problem = next((found for fault in faults for found in fault(stage)), problem)
                except Problem as found:
                    problem = found
        except RealTimeExceeded as error:
            line = learner.learner_line(error.__traceback__, fn)
            raise Endless(f"{_ENDLESS}\n  {line}" if line else _ENDLESS) from None
        except SystemExit as error:
            problem = Problem(learner.describe_error(error, fn))
        finally:
            memory.forget()
        if problem is None:
            return _Outcome(score, case.values() | stage.reached)
        return _Outcome(replay=make_replay(stage, self.id, problem))

    def _problem(self, stage: Stage, error: Exception, fn: Callable[..., Any]) -> Problem:
        if isinstance(error, Problem):
            return error
        text, raised = learner.describe_error(error, fn), f"{type(error).__name__}: {error}"
        lines = (line for key, line in {**_ADVICE, **self.advice}.items() if key in raised)
        advice = next((line(stage) if callable(line) else line for line in lines), "")
        return Problem(f"{text}\n{advice}".rstrip())

    def _failed(
        self, fn: Callable[..., Any], case: Case, outcome: _Outcome, memory: learner.Memory, searched: bool
    ) -> Verdict:
        first = outcome.replay
        assert first is not None
        text = failure_text(first, self.id, searched)
        if memory.changed:
            names = ", ".join(f"`{name}`" for name in memory.changed)
            text += (
                f"\nNote: your function keeps something in {names}. That is the memory of one program: "
                "a crash empties it, and no other program sees it."
            )

        def again() -> Replay:
            with contextlib.redirect_stdout(_Nowhere()):
                replay = self._try(fn, case, learner.Memory(fn)).replay
            return replay or first

        return Verdict(self.id, "failed", text, case, None, again)

    def _passed(self, outcomes: Mapping[Case, _Outcome]) -> Verdict:
        score = max((o.score for o in outcomes.values() if o.score is not None), default=None)
        held = passed_with(self.id, [o.reached for o in outcomes.values() if o.reached])
        if score is None:
            text = f"{self.id}: passed. {held}"
        else:
            text = f"{self.id}: passed with {score:,.0f} {self.unit}. Target {self.target:,.0f}, par {self.par:,.0f}."
            text += " At par or better: well done!" if self.par and score <= self.par else ""
        for key, head in (("idea", "Another good way"), ("question", "To think about")):
            prose = texts.text(f"{self.id} {key}", "")
            text += f"\n{head}: {prose}" if prose else ""
        return Verdict(self.id, "passed", text, score=score)

    def replay(self) -> Replay:
        """The smallest failing case of the latest check, run once more. Raises ValueError when no check has failed."""
        if self._last is None:
            raise ValueError(f'{self.id}: nothing to replay yet; first run exercise("{self.id}").check({self.name})')
        return self._last.replay()

    # ---- helping -----------------------------------------------------------------------------------------------------

    def hint(self, number: int | None = None) -> None:
        """Print the next hint, or the one with that number (1 is the first)."""
        lines = self.hint_text(number).splitlines()
        print("\n".join(textwrap.fill(x, 88, break_long_words=False, break_on_hyphens=False) for x in lines))

    def hint_text(self, number: int | None = None) -> str:
        """The next hint, or the one with that number. Raises ValueError for a number that there is not."""
        last = len(self.hints)
        if number is not None and not (isinstance(number, int) and 1 <= number <= last):
            raise ValueError(f"number={number!r}: must be from 1 to {last}")
        self._hints_shown = min(self._hints_shown + 1, last) if number is None else number
        progress.update(self.id, lambda record: replace(record, hints=max(record.hints, self._hints_shown)))
        is_last = self._hints_shown == last
        end = f'\nThis was the last one. The solution: exercise("{self.id}").solution()' if is_last else ""
        return f"Hint {self._hints_shown} of {last}: {self.hints[self._hints_shown - 1]}{end}"

    def solution(self, sure: bool = False) -> Text:
        """The source of our solution. Before a pass it asks first, and is shown with `sure=True` only. Raises
        FileNotFoundError without its file.
        """
        if not sure and self.state != "passed":
            return Text(f'{self.before_the_solution}\nexercise("{self.id}").solution(sure=True)')
        source = solutions.source_of(self.id)
        progress.update(self.id, lambda record: replace(record, solution_seen=True))
        return Text(source)

    @property
    def before_the_solution(self) -> str:
        """What is said to those who ask for it before they have passed; how to get it follows."""
        seen = f"You have seen {progress.record(self.id).hints} of {len(self.hints)} hints."
        return f"{seen} You learn most from your own try.\nIf you want the solution now:"

    def __repr__(self) -> str:
        return f"{self.id} {self.title}: {self.signature}, {self.state}"


class Endless(Exception):
    """The function did not come back to the lab."""


_ENDLESS = (
    f"Your function ran {_GUARD:g} real seconds without waiting or calling AWS, and was stopped. Does a loop never "
    "end? Does an `except:` hide an error? (Nothing else is said about it: on a slow machine, run the check again.)"
)


def _noted(record: Record, verdict: Verdict, code: str) -> Record:
    if verdict.state == "no verdict":
        return record
    scores = [s for s in (record.best, verdict.score) if s is not None]
    again = code != "" and code == record.code
    attempts = record.attempts + (not again)
    return replace(record, state=verdict.state, attempts=attempts, best=min(scores, default=None), code=code)
