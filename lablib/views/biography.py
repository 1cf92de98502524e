"""One message's life: every transition in words, the API call that did it, and a sentence that sums it up."""

from __future__ import annotations

import itertools
from collections import Counter
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


class Kin(NamedTuple):
    """Another message that this one comes from, or that comes from it: its id, and in words what it is."""

    subject: str
    words: str


class Life(NamedTuple):
    """A message's life: its id, what happened, and one sentence that says how it went and why.

    `again`: when it was delivered again, and why. `group`: its message group, "" for none. `kin`: its original and its
    copies, where a topic or a bucket made several of one.
    """

    subject: str
    clauses: list[Clause]
    sentence: str
    again: list[tuple[float, str]] = []
    group: str = ""
    kin: list[Kin] = []


def life(run: Run, subject: str) -> Life:
    """The life of one message or request. Raises KeyError when the run knows no such subject."""
    rows = run.trace.where(subject=subject) if subject else []
    if not rows:
        raise KeyError(f"nothing in this run is about {subject!r}: pass a MessageId from its trace")
    return _life(run, subject, rows, _family(run.trace))


def lives(run: Run) -> list[Life]:
    """The lives of all messages, in the order of their appearance."""
    found: dict[str, list[Row]] = {}
    for row in run.trace:
        if row.subject:
            found.setdefault(row.subject, []).append(row)
    family = _family(run.trace)
    return [_life(run, subject, rows, family) for subject, rows in found.items()]


def _life(run: Run, subject: str, rows: list[Row], family: Family) -> Life:
    trace = run.trace
    if rows[0].kind == "Ordered":  # what the program that tells of it did belongs to its life
        rows = sorted([*rows, *family.deeds.get(rows[0].actor, [])], key=lambda row: row.index)
    clauses = [Clause(row.time, trace.describe(row), _api(trace, row)) for row in rows]
    received = [row for row in rows if row.kind == "Received"]
    again = [(row.time, _again(trace, rows, before, row)) for before, row in itertools.pairwise(received)]
    group = next((str(row.detail) for row in rows if row.kind == "JoinedGroup"), "")
    sentence = " ".join(_sentences(run, rows, [words for _, words in again]))
    return Life(subject, clauses, sentence, again, group, _kin(trace, rows, family))


_MAKERS = ("Published", "ObjectCreated")  # what they tell of becomes other messages
_MADE = ("Sent", "InvocationStarted", *_MAKERS)


class Family(NamedTuple):
    """Of a whole trace: what was made of each original, by its id; and of orders the row, and what the program that
    tells of it did, both by that program's name.
    """

    children: dict[str, list[Kin]]
    orders: dict[str, Row]
    deeds: dict[str, list[Row]]


def _family(trace: Trace) -> Family:
    """The copies in queues, invocations, what a shop did for an order, and from an object a message at a topic."""
    found = Family({}, {row.actor: row for row in trace.where("Ordered")}, {})
    if not any(trace.code(kind) >= 0 for kind in (*_MAKERS, "Ordered")):
        return found
    for row in trace.where(kind=(*_MADE, "Crashed")):
        if row.actor in found.orders:
            found.deeds.setdefault(row.actor, []).append(row)
        origin = _origin(trace, row, found.orders) if row.subject else None
        if origin:
            words = f"the copy in {row.resource}" if row.kind == "Sent" else f"what came of it in {row.resource}"
            found.children.setdefault(origin.subject, []).append(Kin(row.subject, words))
    return found


def _origin(trace: Trace, row: Row, orders: dict[str, Row]) -> Row | None:
    """What a row's subject was made of: the next original up the chain of causes, or the order that a program tells
    of.
    """
    subject = row.subject
    while row.cause >= 0:
        row = trace[row.cause]
        if row.kind in _MAKERS and row.subject != subject:
            return row
    order = orders.get(row.actor)
    return order if order and order.subject != subject else None


def _kin(trace: Trace, rows: list[Row], family: Family) -> list[Kin]:
    origin = _origin(trace, rows[0], family.orders)
    kin = list(dict.fromkeys(family.children.get(rows[0].subject, [])))
    if origin:
        verb = "published to" if origin.kind == "Published" else "stored in"
        words = f"what {origin.actor} {verb} {origin.resource}"
        kin.insert(0, Kin(origin.subject, "the order itself" if origin.kind == "Ordered" else words))
    return kin


def _api(trace: Trace, row: Row) -> str:
    """The operation that did it: its direct cause, when that is an API call."""
    return trace[row.cause].kind if row.cause >= 0 and trace.is_api(row.cause) else ""


def _sentences(run: Run, rows: list[Row], again: list[str]) -> Iterable[str]:
    first, last = rows[0], rows[-1]
    if first.kind in _MAKERS:
        yield _passed_on(run, rows)
        return
    if first.kind == "Ordered":
        yield from _told(rows)
        return
    received = [row for row in rows if row.kind == "Received"]
    failure = _failure(run.trace, first)
    begin = "Asked for" if first.kind == "Requested" else "Sent"
    begin = f"Put into the dead-letter queue {first.resource}" if failure else begin
    handed = ""
    if received:
        who = _names(row.actor for row in received)
        handed = f", received {_TIMES.get(len(received), f'{len(received)} times')} ({who})"
    yield f"{begin} at {first.time:.3f} s{handed}, {_end(run, rows, last)}."
    if failure:
        tries = failure.detail["attempt"]
        many = f"all {tries} attempts failed, the last with" if tries > 1 else "the only attempt failed with"
        yield f"SNS could not deliver it to {failure.actor}: {many} {failure.detail['reason']}."
    yield from again
    late = next((row for row in rows if row.kind == "DeleteIgnored"), None)
    if late:
        who = late.actor or "Somebody"
        yield f"{who} deleted it at {late.time:.3f} s with an outdated receipt handle: that deletes nothing."
    gone = next((row for row in rows if row.kind == "TimedOut"), None)
    if gone and any(row.kind == "WorkEnded" and row.time > gone.time for row in rows):
        yield "The worker did the work all the same: nobody was waiting for it any more."


def _failure(trace: Trace, row: Row) -> Row | None:
    """The failed delivery because of which a topic sent this to a dead-letter queue."""
    while row.cause >= 0 and row.kind != "DeliveryFailed":
        row = trace[row.cause]
    return row if row.kind == "DeliveryFailed" else None


def _told(rows: list[Row]) -> Iterable[str]:
    """Whom the shop told of an order, and what kept it from telling the others."""
    told = [
        f"{row.actor if row.kind == 'Delivered' else row.resource} at {row.time:.3f} s"
        for row in rows
        if row.kind in ("Sent", "Published", "Delivered")
    ]
    yield f"Ordered at {rows[0].time:.3f} s; the shop told {', '.join(told) or 'nobody'}."
    tried = next((row for row in reversed(rows) if row.kind in ("Delivered", "DeliveryFailed")), None)
    if tried and tried.kind == "DeliveryFailed":
        times = f"{tried.detail['attempt']} attempt{'s' * (tried.detail['attempt'] > 1)}"
        yield f"{tried.actor} did not take it in {times}, the last at {tried.time:.3f} s: {tried.detail['reason']}."
    lost = next((row for row in rows if row.kind == "DeliveryDropped"), None)
    if lost:
        yield f"It is lost for {lost.actor}: {lost.detail}."
    crash = next((row for row in rows if row.kind == "Crashed"), None)
    if crash:
        yield f"The shop's program crashed at {crash.time:.3f} s, and told nobody after that."


def _passed_on(run: Run, rows: list[Row]) -> str:
    """What a topic or a bucket did with it."""
    first, ends = rows[0], Counter(row.kind for row in rows)
    failed = ends["DeliveryFailed"] - ends["MovedToDeadLetterQueue"] - ends["DeliveryDropped"]
    told = [
        (ends["Delivered"] + ends["EventDelivered"], "delivered to {}"),
        (
            ends["FilteredOut"],
            "kept out by {} filter policies" if ends["FilteredOut"] > 1 else "kept out by {} filter policy",
        ),
        (
            max(0, failed),
            "{} attempts failed and were repeated" if failed > 1 else "{} attempt failed and was repeated",
        ),
        (ends["MovedToDeadLetterQueue"], "{} in a dead-letter queue"),
        (ends["DeliveryDropped"] + ends["EventDropped"], "lost for {}"),
    ]
    said = ", ".join(words.format(count) for count, words in told if count) or "nobody has got it yet"
    verb = "Published to" if first.kind == "Published" else "Stored in"
    return f"{verb} {first.resource} at {first.time:.3f} s: {said}; the last at {rows[-1].time:.3f} s."


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
