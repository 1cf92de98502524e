"""What is worth looking at in a run: events of interest, in plain words. What is one is declared by the events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lablib.aws.event import Event
from lablib.kernel import Trace

_QUIET = 30.0  # seconds without another one that end a series, or a hundredth of the run


class Notable(NamedTuple):
    """An event of interest: when, its row in the trace, its kind in words ("duplicate", "crash"), and one sentence; and
    when the last of its series was, for the first of a series."""

    time: float
    row: int
    kind: str
    text: str
    last: float = 0.0


def notable(trace: Trace, until: float = 0.0) -> list[Notable]:
    """The events of interest of a trace in the order of time. Of a series of the same, only the first is listed.

    `until`: how long the run is, in seconds. What comes every few minutes is a series in a run of a day.
    """
    found = [*_series(trace, max(_QUIET, until / 100)), *_again(trace), *_empty_polls(trace)]
    return sorted(found, key=lambda event: (event.time, event.row))


def _series(trace: Trace, quiet: float) -> Iterator[Notable]:
    """What happened and what was refused: of each series the first. So many quiet seconds end a series."""
    last: dict[object, float] = {}
    first: dict[object, int] = {}  # of each series: the row that is listed
    found: dict[int, tuple[float, float, int]] = {}  # by that row: when it was, when the last was, how many there are
    actors = trace.column("actor")
    for index, time, event in _listed(trace):
        series = (event.kind, actors[index]) if event.series == "actor" else event.kind
        before = last.get(series)
        last[series] = time
        if not event.series or before is None or time - before > quiet:
            first[series] = index
        begin, _, count = found.get(first[series], (time, time, 0))
        found[first[series]] = begin, time, count + 1
    for index, (time, end, count) in found.items():
        row = trace[index]
        event = trace.events[row.detail if trace.is_api(index) else row.kind]
        text = event.sentence(row)
        yield Notable(time, index, event.label, f"{text[:-1]} ({count} in all)." if count > 1 else text, end)


def _listed(trace: Trace) -> Iterator[tuple[int, float, Event]]:
    """The rows that are events of interest by themselves: their numbers, when each was, and what is declared of it."""
    wanted = {trace.code(kind): e for kind, e in trace.events.items() if e.notable and not e.polls and not e.again}
    times, ends, details = trace.column("time"), trace.column("until"), trace.details
    for index, kind in enumerate(trace.column("kind")):
        if kind in trace.api_kinds:
            event = trace.events.get(detail) if isinstance(detail := details[index], str) else None
            if event and event.notable:
                yield index, ends[index], event
        elif kind in wanted:
            yield index, times[index], wanted[kind]


def _again(trace: Trace) -> Iterator[Notable]:
    """Deliveries of what was delivered before."""
    kinds, subjects, actors = (trace.column(name) for name in ("kind", "subject", "actor"))
    wanted = {trace.code(kind): event for kind, event in trace.events.items() if event.again}
    first: dict[int, int] = {}
    for index, kind in enumerate(kinds):
        if kind not in wanted or (before := first.setdefault(subjects[index], index)) == index:
            continue
        who = "it again" if actors[before] == actors[index] else f"it after {trace.name(actors[before])}"
        row = trace[index]
        text = f"A message is delivered again: {row.actor} receives {who}."
        yield Notable(row.time, index, wanted[kind].label, text)


def _empty_polls(trace: Trace) -> Iterator[Notable]:
    """Of each caller's polls that brought nothing, the first of a series."""
    kinds, actors, details = trace.column("kind"), trace.column("actor"), trace.details
    polls: dict[int, Event] = {trace.code(kind): event for kind, event in trace.events.items() if event.polls}
    hungry = set[int]()
    for index, (kind, detail) in enumerate(zip(kinds, details)):
        if kind not in polls or kind not in trace.api_kinds or detail is None or isinstance(detail, str):
            continue
        actor = actors[index]
        if detail:
            hungry.discard(actor)
        elif actor not in hungry:
            hungry.add(actor)
            row = trace[index]
            yield Notable(row.until, index, polls[kind].label, polls[kind].sentence(row))
