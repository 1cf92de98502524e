"""A verdict: what came of a check, in words, and the smallest failing case to look at again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from lablib import texts
from lablib.exercises.case import Case, counted
from lablib.exercises.stage import REFUSALS, Problem, Stage
from lablib.kernel import Row, Trace
from lablib.scenarios import Topology, topology_of

if TYPE_CHECKING:
    from lablib.measures import Measures

_HEAD, _TAIL = 7, 8  # lines of a story that are told when it is too long
_MESSAGE = re.compile(  # the words before its id, the id, and the end of it, which tells it apart
    r"(, where it is )?(message )?\b([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{4}([0-9a-f]{8}))\b"
)
# Answers to calls that the case made go wrong, or that are part of a crash: no mistake of the learner's.
_OURS = ("CallerGone", "RequestLost", "AnswerLost", *REFUSALS)


@dataclass(frozen=True, repr=False)
class Verdict:
    """The answer of a check; true when passed. "no verdict": the function had to be stopped.

    `case` is the smallest failing case, `score` what a challenge counted (None elsewhere).
    """

    id: str
    state: Literal["not attempted", "failed", "passed", "no verdict"]
    text: str
    case: Case | None = None
    score: float | None = None
    _replay: Callable[[], Replay] | None = field(default=None, compare=False)

    def replay(self) -> Replay:
        """Run the smallest failing case once more, to look at its trace. Raises ValueError when there is none."""
        if self._replay is None:
            raise ValueError(f"{self.id}: there is no failing case to replay")
        return self._replay()

    def __bool__(self) -> bool:
        return self.state == "passed"

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """In a notebook a failed check has buttons: its case in the workbench, a hint, our solution."""
        from lablib.workbench.verdict import show_verdict, text_html

        if self._replay is None:
            return {"text/plain": self.text, "text/html": text_html(self.text)}
        return {**show_verdict(self)._repr_mimebundle_(), "text/plain": self.text}


@dataclass(frozen=True, repr=False)
class Replay:
    """A failing case, run to the end of its story. It offers what a `Run` offers to be looked at: `.trace` holds all
    that happened, up to `.until` seconds, `.topology` the places, `.measures` the numbers.
    """

    title: str
    case: Case
    problem: str
    trace: Trace
    until: float
    subjects: tuple[str, ...] = ()
    calls: tuple[int, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    learners: tuple[str, ...] = ()
    unit: str = "message"  # what calls handle

    @property
    def seed(self) -> int:
        """The seed of the case."""
        return self.case.seed

    @cached_property
    def measures(self) -> Measures:
        """Series and numbers of this run."""
        from lablib.measures import Measures

        found = Measures(self.trace, until=self.until)
        found.unit = self.unit
        return found

    @cached_property
    def topology(self) -> Topology:
        """The places of this run and the links between them."""
        return topology_of(self.trace)

    @property
    def story(self) -> str:
        """What happened to the messages and orders in question, a line for each event."""
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        rows = _story(self)
        names = [self._name(row) for row in rows]
        width = max(map(len, names), default=0)
        return [
            f"{row.time:9.3f} s  {f'{name:{width}}  ' if width else ''}{self._words(row)}"
            for row, name in zip(rows, names, strict=True)
        ]

    def _name(self, row: Row) -> str:
        """What the verdict calls the subject of a row; empty when it has no name for it."""
        own = self.labels.get(row.subject, "")
        return own or (self.labels.get(self.trace.parent(row.subject), "") if row.subject else "")

    def _words(self, row: Row) -> str:
        """What happened, with the names that the verdict has for messages."""
        if not self.trace.is_api(row.index):
            return _MESSAGE.sub(self._called, self.trace.describe(row))
        answer = counted(row.detail, self.unit) if isinstance(row.detail, int) else row.detail
        if answer == "CallerGone":
            answer = "gone before the answer came"
        return f"{row.actor} calls {row.kind}: {answer}"

    def _called(self, found: re.Match[str]) -> str:
        """A message in the words of a row. Where a delivery has a name, that stands before its other rows."""
        where, noun, id, end = found.groups(default="")
        return ("" if where else self.labels[id]) if id in self.labels else f"{where}{noun}...{end}"

    def explain(self, subject: str) -> str:
        """The life of one message (MessageId) or order in words."""
        return self.trace.explain(subject)

    def swallowed(self) -> list[Row]:
        """Calls of the learner's function that AWS refused, and that it went on after."""
        rows = (self.trace[i] for i in range(len(self.trace)) if self.trace.is_api(i))
        return [
            r
            for r in rows
            if r.actor.partition("/")[0] in self.learners and isinstance(r.detail, str) and r.detail not in _OURS
        ]

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """In a notebook the case opens in the workbench, to look at."""
        from lablib.workbench import workbench

        live, metadata = workbench(self)._repr_mimebundle_()
        return {**live, "text/plain": repr(self)}, metadata

    def __repr__(self) -> str:
        return (
            f"{self.title}: {self.problem.splitlines()[0]} Case: {self.case}. "
            f"{self.until:.1f} s, {len(self.trace)} rows in .trace"
        )


def _story(replay: Replay) -> list[Row]:
    """The rows about the subjects, the crashes between them, what caused them, and the calls in question."""
    trace, rows = replay.trace, set(replay.calls)
    known = [subject for subject in replay.subjects if trace.code(subject) in trace.first_rows()]
    found = {row.index for subject in known for row in trace.about(subject) if trace.says(row)}
    about = [trace[index] for index in sorted(found)]
    if about:
        rows |= {row.index for row in about}
        rows |= {r.index for row in about for r in trace.chain(row.index) if not (trace.is_api(r.index) or r.subject)}
        actors = {row.actor for row in about}
        crashes = [row for row in trace.where(("Crashed", "Restarted")) if row.actor in actors]
        rows |= {row.index for row in crashes if row.index > about[0].index}
    return [trace[i] for i in sorted(rows)]


def failure_text(replay: Replay, id: str, searched: bool) -> str:
    """The text of a failed check. Only a case that was searched for is the smallest."""
    story = replay._lines()
    if len(story) > _HEAD + _TAIL + 1:
        story[_HEAD:-_TAIL] = [f"{'':9}    ... {len(story) - _HEAD - _TAIL} more lines in replay().story"]
    parts = [f"{id}: failed.", replay.problem, f"{'Smallest case found' if searched else 'The case'}: {replay.case}."]
    parts += ["What happened in it:", *story] if story else []
    if (refused := replay.swallowed()) and "Your function raised" not in replay.problem:
        first, more = refused[0], len(refused) - 1
        told = f"{first.kind} of {first.actor} at {first.time:.2f} s: {first.detail}{f', and {more} more' * bool(more)}"
        parts.append(f"Note: AWS refused a call, and your function went on. {told}.")
    return "\n".join([*parts, f'Replay it: exercise("{id}").replay()'])


def make_replay(stage: Stage, id: str, problem: Problem) -> Replay:
    """What is kept of a stage on which something went wrong."""
    until = stage.trace[-1].time if len(stage.trace) else 0.0
    calls = (*problem.calls, *(row.index for row in stage.crash_rows))
    told = problem.what, stage.trace, until, problem.subjects, calls
    return Replay(id, stage.case, *told, stage.labels, tuple(stage.learners), stage.unit)


def passed_with(id: str, reached: Sequence[Mapping[str, float]]) -> str:
    """What a function has held with, from the cases that ran: those entries of "ID passed" of which anything happened.

    In an entry, {} is the range of its knob, or of what was reached, and {most} the greatest.
    """
    parts = []
    for key, words in texts.entries(f"{id} passed").items() if reached else ():
        values = [case[key] for case in reached]
        low, most = min(values), max(values)
        if most > 0:
            parts.append(words.format(f"{low:g} to {most:g}" if low < most else f"{most:g}", most=f"{most:g}"))
    if not parts:
        return f"It held in {counted(len(reached), 'case')}."
    *first, last = parts
    return f"It held with {', '.join(first)}{' and ' * bool(first)}{last}."
