"""Messages that become several: what a topic, a bucket or a function does, told as moves of single marks.

A published message stays at its topic until each endpoint was tried once. A copy in a queue is a message of its own,
with the `Sent` row as its beginning. What has no row of its own in a queue (a delivery that waits for its next attempt,
one to an endpoint outside, a copy that a filter drops) becomes a mark too: its subject is the original's and the
endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from lablib.kernel import Trace

PASSED_ON = "PassedOn"  # the topic has tried each endpoint once
GIVEN_UP = "SentToDeadLetterQueue"  # the message is in the subscription's dead-letter queue now
AT_LAST = "DeliveredAtLast"  # an attempt succeeded after others; the copy has a row of its own
BASE = 1 << 32  # a subject's code, and above it what tells its deliveries apart
_DELIVERIES = ("FilteredOut", "Delivered", "DeliveryFailed", "DeliveryDropped", GIVEN_UP)
_EVENTS = ("EventDelivered", "EventDropped")
_INVOCATIONS = ("InvocationStarted", "InvocationEnded", "InvocationFailed", "InvocationThrottled")


@dataclass(frozen=True)
class Told:
    """Rows about messages as parallel arrays: the row of the trace, the move's number in `payload.NAMES`, and columns.
    `subject` tells deliveries apart (see BASE); `by` is the actor of the row's cause.
    """

    row: np.ndarray
    move: np.ndarray
    time: np.ndarray
    until: np.ndarray
    subject: np.ndarray
    resource: np.ndarray
    actor: np.ndarray
    by: np.ndarray

    def keep(self, wanted: np.ndarray) -> Told:
        """Those of them."""
        return replace(self, **{f.name: getattr(self, f.name)[wanted] for f in fields(self)})


def add(trace: Trace, columns: dict[str, np.ndarray]) -> Told:
    """The rows that move messages; where messages become several, with what the rows leave unsaid."""
    from lablib.workbench.payload import NAMES

    kinds = columns["kind"]
    lookup = np.full(int(kinds.max(initial=0)) + 1, -1)
    for i, name in enumerate(NAMES):
        if 0 <= (code := trace.code(name)) < len(lookup):
            lookup[code] = i
    rows = np.flatnonzero(lookup[kinds] >= 0)
    told = _told(columns, rows, lookup[kinds[rows]])
    for i in np.flatnonzero(np.isin(told.move, [NAMES.index(name) for name in _EVENTS])).tolist():
        told.subject[i] = trace.origin(int(told.row[i]))
    if trace.code("Published") >= 0:
        told = _deliveries(trace, columns, told, NAMES)
    if trace.code("InvocationStarted") >= 0:
        told = told.keep(~_for_a_queue(trace, columns, told, NAMES))
    return told


def _told(columns: dict[str, np.ndarray], rows: np.ndarray, move: np.ndarray) -> Told:
    cause = columns["cause"][rows]
    by = np.where(cause >= 0, columns["actor"][cause], 0)
    subject = columns["subject"][rows].astype(np.int64)
    return Told(rows, move, columns["time"][rows], columns["until"][rows], subject, columns["resource"][rows],
                columns["actor"][rows], by)  # fmt: skip


def _deliveries(trace: Trace, columns: dict[str, np.ndarray], told: Told, names: list[str]) -> Told:
    """Gives each delivery a subject of its own, and ends the stay of an original at its topic."""
    number = {name: names.index(name) for name in (*_DELIVERIES, AT_LAST)}
    failed = trace.code("DeliveryFailed")
    subject, move, wanted = told.subject.copy(), told.move.copy(), np.ones(len(told.row), dtype=bool)
    published = told.row[move == names.index("Published")]
    originals = set(columns["subject"][published].tolist())
    first_tries: dict[int, int] = {}  # original -> the row of the last endpoint's first attempt
    for i in np.flatnonzero(np.isin(move, [number[name] for name in _DELIVERIES])).tolist():
        row, name = int(told.row[i]), names[move[i]]
        again = columns["kind"][columns["cause"][row]] == failed
        detail, original = trace.details[row], trace.origin(row)
        wanted[i] = original in originals  # an invitation to confirm a subscription is no message
        if name in ("Delivered", "DeliveryFailed") and detail["attempt"] == 1:
            first_tries[original] = row
        if name == "Delivered" and ("as" in detail or detail["protocol"] == "lambda"):
            move[i], wanted[i] = number[AT_LAST], wanted[i] and again
        subject[i] = original + BASE * (1 + int(told.actor[i]))
    ends = [first_tries.get(int(columns["subject"][row]), int(row)) for row in published.tolist()]
    passed = _told(columns, published, np.full(len(published), names.index(PASSED_ON)))
    passed = replace(passed, row=np.array(ends, dtype=int), time=columns["time"][ends])
    both = [replace(told, subject=subject, move=move).keep(wanted), passed]
    merged = Told(*(np.concatenate([getattr(part, f.name) for part in both]) for f in fields(Told)))
    return merged.keep(np.argsort(merged.row, kind="stable"))


def _for_a_queue(trace: Trace, columns: dict[str, np.ndarray], told: Told, names: list[str]) -> np.ndarray:
    """Which rows are of an invocation that works for a queue: there the messages themselves are seen."""
    started = told.move == names.index("InvocationStarted")
    cause = columns["cause"][told.row]
    polls = [trace.code(name) for name in ("Received", "ReceiveMessage")]
    of_queue = started & (cause >= 0) & np.isin(columns["kind"][cause], polls)
    invocation = np.isin(told.move, [names.index(name) for name in _INVOCATIONS])
    found: np.ndarray = invocation & np.isin(told.subject, told.subject[of_queue])
    return found
