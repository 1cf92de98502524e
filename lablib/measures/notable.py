"""What is worth looking at in a run: events of interest, in plain words. What is one is declared by the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from lablib.aws.event import Event
from lablib.kernel import Trace

_QUIET = 30.0  # seconds without another one that end a series, or a hundredth of the run so far


class Notable(NamedTuple):
    """An event of interest: when, its row in the trace, its kind in words ("duplicate", "crash"), and one sentence."""

    time: float
    row: int
    kind: str
    text: str


def notable(trace: Trace) -> list[Notable]:
    """The events of interest of a trace in the order of time. Of a series of the same, only the first is listed."""
    found = [*_transitions(trace), *_again(trace), *_calls(trace)]
    return sorted(found, key=lambda event: (event.time, event.row))


def _transitions(trace: Trace) -> Iterator[Notable]:
    last: dict[object, float] = {}
    first: dict[object, int] = {}  # of each series: the row that is listed
    many: Counter[int] = Counter()  # how many a series has, by that row
    wanted = {trace.code(kind): e for kind, e in trace.events.items() if e.notable and not e.polls and not e.again}
    actors, times = trace.column("actor"), trace.column("time")
    for index, kind in enumerate(trace.column("kind")):
        if kind not in wanted:
            continue
        event, time = wanted[kind], times[index]
        series = (kind, actors[index]) if event.series == "actor" else kind
        before = last.get(series)
        last[series] = time
        if not event.series or before is None or time - before > max(_QUIET, time / 100):
            first[series] = index
        many[first[series]] += 1
    for index, count in many.items():
        row = trace[index]
        event = trace.events[row.kind]
        text = event.sentence(row)
        yield Notable(row.time, index, event.label, f"{text[:-1]} ({count} in all)." if count > 1 else text)


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


def _calls(trace: Trace) -> Iterator[Notable]:
    """Calls that failed in a way that is worth knowing, and of each caller's empty polls the first of a series."""
    kinds, actors, details = trace.column("kind"), trace.column("actor"), trace.details
    polls: dict[int, Event] = {trace.code(kind): event for kind, event in trace.events.items() if event.polls}
    hungry = set[int]()
    for index, (kind, detail) in enumerate(zip(kinds, details)):
        if kind not in trace.api_kinds:
            continue
        if isinstance(detail, str):
            event = trace.events.get(detail)
            if event and event.notable:
                row = trace[index]
                yield Notable(row.until, index, event.label, event.sentence(row))
        elif kind in polls and detail is not None:
            actor = actors[index]
            if detail:
                hungry.discard(actor)
            elif actor not in hungry:
                hungry.add(actor)
                row = trace[index]
                yield Notable(row.until, index, polls[kind].label, polls[kind].sentence(row))
