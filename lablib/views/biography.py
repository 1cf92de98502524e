"""One message's life: every transition in words, the API call that did it, and a sentence that sums it up."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from lablib.kernel import Row, Trace
from lablib.scenarios import Run

_TIMES = {1: "once", 2: "twice"}


class Clause(NamedTuple):
    """One thing that happened: when (s), in words, and the API call that did it ("" for none)."""

    time: float
    text: str
    api: str


class Life(NamedTuple):
    """A message's life: its id, what happened, and one sentence that says how it went and why."""

    subject: str
    clauses: list[Clause]
    sentence: str


def life(run: Run, subject: str) -> Life:
    """The life of one message or request. Raises KeyError when the run knows no such subject."""
    rows = run.trace.where(subject=subject) if subject else []
    if not rows:
        raise KeyError(f"nothing in this run is about {subject!r}: pass a MessageId from its trace")
    return _life(run, subject, rows)


def lives(run: Run) -> list[Life]:
    """The lives of all messages, in the order of their appearance."""
    found: dict[str, list[Row]] = {}
    for row in run.trace:
        if row.subject:
            found.setdefault(row.subject, []).append(row)
    return [_life(run, subject, rows) for subject, rows in found.items()]


def _life(run: Run, subject: str, rows: list[Row]) -> Life:
    trace = run.trace
    clauses = [Clause(row.time, trace.describe(row), _api(trace, row)) for row in rows]
    return Life(subject, clauses, " ".join(_sentences(run, rows)))


def _api(trace: Trace, row: Row) -> str:
    """The operation that did it: its direct cause, when that is an API call."""
    return trace[row.cause].kind if row.cause >= 0 and trace.is_api(row.cause) else ""


def _sentences(run: Run, rows: list[Row]) -> Iterable[str]:
    first, last = rows[0], rows[-1]
    received = [row for row in rows if row.kind == "Received"]
    begin = "Asked for" if first.kind == "Requested" else "Sent"
    handed = ""
    if received:
        who = _names(row.actor for row in received)
        handed = f", received {_TIMES.get(len(received), f'{len(received)} times')} ({who})"
    yield f"{begin} at {first.time:.3f} s{handed}, {_end(run, rows, last)}."
    for before, row in itertools.pairwise(received):
        yield _again(run.trace, rows, before, row)
    late = next((row for row in rows if row.kind == "DeleteIgnored"), None)
    if late:
        who = late.actor or "Somebody"
        yield f"{who} deleted it at {late.time:.3f} s with an outdated receipt handle: that deletes nothing."
    gone = next((row for row in rows if row.kind == "TimedOut"), None)
    if gone and any(row.kind == "WorkEnded" and row.time > gone.time for row in rows):
        yield "The worker did the work all the same: nobody was waiting for it any more."


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(name or "somebody" for name in names))


def _end(run: Run, rows: list[Row], last: Row) -> str:
    """How it ended, from the last row that decides it."""
    ends = {
        "Deleted": "and deleted",
        "Expired": "and lost when its retention period ended",
        "MovedToDeadLetterQueue": "and moved to the dead-letter queue",
        "Answered": "and answered",
        "TimedOut": "and given up by its caller",
        "Refused": "and refused",
    }
    reborn = max((r.index for r in rows if r.kind in ("CopyReturned", "Redriven")), default=-1)
    end = next((r for r in rows if r.kind in ends and r.index > reborn), None)
    if end is None:
        state = "in flight" if last.kind in ("Received", "WorkStarted", "WorkEnded", "VisibilityChanged") else "waiting"
        return f"and still {state} at the end of the run, {run.until - rows[0].time:.1f} s later"
    return f"{ends[end.kind]} at {end.time:.3f} s, {end.time - rows[0].time:.3f} s later"


def _again(trace: Trace, rows: list[Row], before: Row, row: Row) -> str:
    """Why it was received again after `before`."""
    between = [r for r in rows if before.index < r.index < row.index]
    copy = next((r for r in between if r.kind == "CopyReturned"), None)
    when = f"It was received again at {row.time:.3f} s because"
    if copy:
        return (
            f"{when} a copy came back at {copy.time:.3f} s from a server that had been unavailable when it was deleted."
        )
    shown = next((r for r in between if r.kind == "BecameVisible"), None)
    if shown is None:
        return f"{when} it was delivered at least once, as the queue promises, and not exactly once."
    crashed = next(
        (r for r in trace.where(kind="Crashed", actor=before.actor) if before.time <= r.time <= shown.time), None
    )
    hidden = f"its visibility timeout of {shown.time - before.time:.1f} s ended at {shown.time:.3f} s"
    if crashed:
        return f"{when} {before.actor} crashed at {crashed.time:.3f} s before it deleted it, and {hidden}."
    work = next(
        (r for r in rows if r.kind == "WorkStarted" and r.actor == before.actor and r.index > before.index), None
    )
    done = next(
        (r for r in rows if work and r.kind == "WorkEnded" and r.actor == before.actor and r.index > work.index), None
    )
    if work is None or work.time > shown.time:
        return f"{when} {hidden}, before {before.actor} began to work on it."
    if done is None or done.time > shown.time:
        until = f" until {done.time:.3f} s" if done else ""
        return f"{when} {hidden}, while {before.actor} was still working on it{until}."
    return f"{when} {hidden}, before {before.actor} deleted it."
