"""The measures of one run: folds over its trace; nothing is stored anywhere else.

The model. Each row about a message leaves it in a state: visible, in flight, delayed, gone. Sorted by message, a
row's former state is that of the row before; the differences, back in the order of time and added up, are the series.
A direct call is the same thing: accepted requests wait (visible), a worker works on them (in flight).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from lablib.aws.event import RETRYING
from lablib.aws.event import WAITING as WAITS
from lablib.gateway import pascal
from lablib.kernel import Trace
from lablib.measures import results
from lablib.measures.fanout import FanOut
from lablib.measures.series import Array, Number, Series, ages, steps
from lablib.measures.tokens import Tokens, fold
from lablib.services import quota_values
from lablib.services.sqs import Sqs

if TYPE_CHECKING:
    from lablib.scenarios import Run

GONE, VISIBLE, IN_FLIGHT, DELAYED = range(4)
_STATES = {
    "Sent": VISIBLE,
    "Received": IN_FLIGHT,
    "VisibilityChanged": IN_FLIGHT,
    "BecameVisible": VISIBLE,
    "MovedToBack": VISIBLE,
    "CopyReturned": VISIBLE,
    "Deleted": GONE,
    "Expired": GONE,
    "Redriven": GONE,
    "MovedToDeadLetterQueue": GONE,
    "Accepted": VISIBLE,
    "WorkStarted": IN_FLIGHT,
    "WorkEnded": GONE,
}
_EMPTIES = ("QueuePurged", "QueueDeleted")
_RATES = {
    "sent": ("Sent", "Requested"),
    "received": ("Received", "Accepted"),
    "deleted": ("Deleted", "Answered"),
    "worked": ("WorkEnded",),
    "refused": ("Refused",),
    "timed out": ("TimedOut",),
    "expired": ("Expired",),
}
_DIRECT_COUNTS = {"requests": "sent", "answered": "deleted", "refused": "refused", "timed out": "timed out"}
_QUEUE_COUNTS = {"sent": "sent", "received": "received", "deleted": "deleted", "expired": "expired"}
RATES = (*_RATES, "empty receives")
_BINS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400)


class _Entries(NamedTuple):
    """Rows that leave a message in a state, in the order of time; `before` is the state that it left."""

    row: Array
    time: Array
    resource: Array
    subject: Array
    state: Array
    before: Array


class Work(NamedTuple):
    """A piece of work: who, on what, the row of its start, and the row of its end or of the crash that cut it off
    (-1: none).
    """

    actor: str
    subject: str
    start: int
    end: int
    cut: int


class Measures:
    """Measures of a run, or of a trace up to `until` (default: its last row). Each is computed when it is first asked
    for.

    `resource` is the name of a queue (or of the place of a direct call); None means all of them together, without the
    dead-letter queues: nothing waits there. `quotas`
    are those of an edition, for the price list.
    """

    def __init__(self, run: Run | Trace, until: float | None = None, quotas: dict[str, Any] | None = None) -> None:
        self.trace: Trace = run if isinstance(run, Trace) else run.trace
        self.run = given = None if isinstance(run, Trace) else run
        self._t = np.array(self.trace.column("time"))  # a copy: a trace that is looked at could not grow
        last = float(self._t[-1]) if len(self._t) else 0.0
        self.until = until if until is not None else given.until if given else last
        self.quotas = quotas or (given.quotas if given else quota_values())
        self._codes = {n: self._column(n) for n in ("kind", "resource", "subject", "actor", "cause")}
        self._memo: dict[Any, Any] = {}
        self._unseen: dict[str, int] = {}

    def _happened(self, what: str) -> Array:
        """Which rows a rate or a count is made of."""
        rows: Array = self._is(*_RATES[what])
        if what == "sent" and (failed := self.trace.code("DeliveryFailed")) >= 0:
            cause, kind = self._codes["cause"], self._codes["kind"]
            call = np.where(cause >= 0, cause[cause], -1)  # of what a call did: what the call was made for
            rows &= (call < 0) | (kind[call] != failed)
        return rows

    def _column(self, name: str) -> Array:
        return np.array(self.trace.column(name))

    def _is(self, *kinds: str) -> Array:
        """Which rows are of these kinds (never API rows: those have names of operations)."""
        codes = [code for kind in kinds if (code := self.trace.code(kind)) >= 0]
        kind = self._codes["kind"]
        if len(codes) == 1:
            return kind == codes[0]
        return np.isin(kind, codes)

    def _rows(self, *kinds: str) -> Array:
        return np.flatnonzero(self._is(*kinds))

    def _subjects(self, *kinds: str) -> Array:
        return self._codes["subject"][self._is(*kinds)]

    def _resource(self, name: str) -> int:
        """The number that stands for a resource; one of its own for a dead-letter queue that has no row yet."""
        code = self.trace.code(name)
        return code if code >= 0 else self._unseen.setdefault(name, -1 - len(self._unseen))

    @cached_property
    def is_direct(self) -> bool:
        """Are there direct calls in this run, instead of a queue?"""
        return self.trace.code("Requested") >= 0

    # ---- states ------------------------------------------------------------------------------------------------------

    @cached_property
    def _entries(self) -> _Entries:
        kind, resource, subject = (self._codes[n] for n in ("kind", "resource", "subject"))
        table = np.full(len(self.trace.names) + 1, -1)
        for name, value in _STATES.items():
            table[self.trace.code(name)] = value
        table[-1] = -1
        state: Array = table[kind]
        doors = np.unique(resource[self._is("Accepted")])
        state[self._is("WorkStarted", "WorkEnded") & ~np.isin(resource, doors)] = -1
        rows = np.flatnonzero(state >= 0)
        sent = rows[kind[rows] == self.trace.code("Sent")]
        state[sent[np.array(self.trace.column("until"))[sent] > self._t[sent]]] = DELAYED
        parts = [(rows, resource[rows], subject[rows], state[rows]), *self._unwritten(doors)]
        row, res, sub, now = (np.concatenate(columns) for columns in zip(*parts))
        order = np.lexsort((row, sub, res))
        row, res, sub, now = row[order], res[order], sub[order], now[order]
        before = np.zeros_like(now)
        same = (res[1:] == res[:-1]) & (sub[1:] == sub[:-1])
        before[1:][same] = now[:-1][same]
        back = np.argsort(row, kind="stable")
        return _Entries(row[back], self._t[row[back]], res[back], sub[back], now[back], before[back])

    def _unwritten(self, doors: Array) -> Iterable[tuple[Array, Array, Array, Array]]:
        """What follows from a row without having one of its own: arrival in a dead-letter queue, the end of all
        messages of a queue, the end of a request whose worker crashed.
        """
        resource, subject = self._codes["resource"], self._codes["subject"]
        for row in self._rows("MovedToDeadLetterQueue").tolist():
            target = self._resource(self.trace.details[row])
            yield np.array([row]), np.array([target]), subject[[row]], np.array([VISIBLE])
        for row in self._rows(*_EMPTIES).tolist():
            held = np.unique(subject[:row][resource[:row] == resource[row]])
            held = held[held > 0]
            yield np.full(len(held), row), np.full(len(held), resource[row]), held, np.zeros(len(held), int)
        cut = [work for work in self.work if work.cut >= 0] if len(doors) else []
        starts = np.array([work.start for work in cut], int)
        yield np.array([work.cut for work in cut], int), resource[starts], subject[starts], np.zeros(len(cut), int)

    def _count(self, state: int, resource: str | None, name: str, label: str) -> Series:
        key = (state, resource)
        if key not in self._memo:
            e = self._entries
            change = (e.state == state).astype(int) - (e.before == state)
            used = change != 0
            used &= self._of(resource, e.resource)
            self._memo[key] = Series(name, label, "messages", *steps(e.time[used], change[used], self.until))
        found: Series = self._memo[key]
        return found

    def _of(self, resource: str | None, column: Array) -> Array:
        """Which entries are of this queue; for None, of any that is no dead-letter queue."""
        return ~np.isin(column, self._graves) if resource is None else column == self._resource(resource)

    @cached_property
    def _graves(self) -> list[int]:
        """The dead-letter queues that got a message."""
        rows = self._rows("MovedToDeadLetterQueue", "SentToDeadLetterQueue").tolist()
        return list(dict.fromkeys(self._resource(self.trace.details[row]) for row in rows))

    def depth(self, resource: str | None = None) -> Series:
        """Messages that can be received (ApproximateNumberOfMessages), or requests that wait for a worker."""
        return self._count(VISIBLE, resource, "depth", "requests waiting" if self.is_direct else "messages waiting")

    def in_flight(self, resource: str | None = None) -> Series:
        """Messages that were received and are hidden (ApproximateNumberOfMessagesNotVisible), or requests being
        worked on.
        """
        return self._count(IN_FLIGHT, resource, "in_flight", "being worked on" if self.is_direct else "in flight")

    def delayed(self, resource: str | None = None) -> Series:
        """Messages whose delay is not over (ApproximateNumberOfMessagesDelayed)."""
        return self._count(DELAYED, resource, "delayed", "delayed")

    def age_of_oldest(self, resource: str | None = None) -> Series:
        """How long the oldest message has been there (ApproximateAgeOfOldestMessage), or the longest wait of a caller
        now.

        A message that was moved to the back after three receives does not count, as in CloudWatch (SQS developer guide,
        "Available CloudWatch metrics for Amazon SQS"). In a dead-letter queue it counts from the move.
        """
        key = ("age", resource)
        if key not in self._memo:
            label = "longest wait" if self.is_direct else "age of oldest"
            events = self._callers(resource) if self.is_direct else self._stays(resource)
            self._memo[key] = Series("age_of_oldest", label, "s", *ages(events, self.until), "line")
        found: Series = self._memo[key]
        return found

    def _stays(self, resource: str | None) -> Iterable[tuple[float, Any, bool]]:
        """When a message comes and goes, as far as its age counts: time, message, is it there now?"""
        e = self._entries
        used = (e.state > 0) != (e.before > 0)
        moved = self.trace.code("MovedToBack")
        if moved >= 0:
            used |= self._codes["kind"][e.row] == moved
        used &= self._of(resource, e.resource)
        names = zip(e.resource[used].tolist(), e.subject[used].tolist())
        there = ((e.state > 0) & (self._codes["kind"][e.row] != moved))[used]
        return zip(e.time[used].tolist(), names, there.tolist())

    def _callers(self, resource: str | None) -> Iterable[tuple[float, Any, bool]]:
        used = self._is("Requested", "Answered", "TimedOut", "Refused")
        if resource is not None:
            used &= self._codes["resource"] == self.trace.code(resource)
        begin = self._is("Requested")[used]
        return zip(self._t[used].tolist(), self._codes["subject"][used].tolist(), begin.tolist())

    # ---- rates, counts, latencies ------------------------------------------------------------------------------------

    def rate(self, what: str, bin: float | None = None) -> Series:
        """Events a second, averaged over `bin` seconds (default: about 60 bins): "sent", "received", "deleted",
        "worked", "refused", "timed out", "expired", "empty receives". Raises ValueError for another name, or for a
        bin that is not above 0.
        """
        if what not in RATES:
            raise ValueError(f"rate {what!r}: must be one of {', '.join(map(repr, RATES))}")
        width = next((b for b in _BINS if b * 75 >= self.until), _BINS[-1]) if bin is None else bin
        if not 0 < width < math.inf:
            raise ValueError(f"bin={bin!r}: must be a number of seconds above 0")
        times = self._empty_receives if what == "empty receives" else self._t[self._happened(what)]
        edges = np.arange(max(1, math.ceil(self.until / width - 1e-9))) * width
        ends = np.minimum(edges + width, self.until)
        counts = np.bincount(np.minimum((times / width + 1e-9).astype(int), len(edges) - 1), minlength=len(edges))
        values = np.divide(counts, ends - edges, out=np.zeros(len(edges)), where=ends > edges)
        y = np.append(values, values[-1])
        return Series(
            what, f"{what}", "messages/s" if what != "empty receives" else "calls/s", np.append(edges, self.until), y
        )

    @cached_property
    def _empty_receives(self) -> Array:
        until, details = self.trace.column("until"), self.trace.details
        return np.array([until[i] for i in self._rows("ReceiveMessage") if details[i] == 0], float)

    @cached_property
    def receives(self) -> Counter[int]:
        """How often each message was received, by the code of its MessageId."""
        return Counter(self._subjects("Received").tolist())

    @property
    def sent(self) -> int:
        """Messages sent, or requests made. What SNS puts into a dead-letter queue is not sent once more."""
        return int(self._happened("sent").sum())

    @property
    def done(self) -> int:
        """Messages deleted after they were received, or requests answered in time."""
        return len(np.unique(self._subjects("Deleted", "Answered")))

    @property
    def waiting(self) -> int:
        """Messages that are still in a queue at the end, in whatever state; or callers that still wait. What lies in a
        dead-letter queue does not wait for anybody: see `dead`.
        """
        if self.is_direct:
            return self.sent - len(self._rows("Answered", "TimedOut", "Refused"))
        return self._left(None)

    @property
    def dead(self) -> int:
        """Messages that are in a dead-letter queue at the end, in whatever state."""
        rows = self._rows("MovedToDeadLetterQueue", "SentToDeadLetterQueue").tolist()
        queues = dict.fromkeys(self.trace.details[row] for row in rows)
        return sum(self._left(queue) for queue in queues)

    def _left(self, resource: str | None) -> int:
        return int(sum(series(resource).last for series in (self.depth, self.in_flight, self.delayed)))

    @property
    def lost(self) -> int:
        """Messages that expired, copies that a topic could not deliver, or requests that were refused or timed out."""
        return len(self._rows("Expired", "Refused", "TimedOut", "DeliveryDropped"))

    @cached_property
    def fanout(self) -> FanOut:
        """What topics did, subscription by subscription."""
        return FanOut(self.trace, self.quotas)

    def reached(self, subjects: Iterable[str]) -> dict[str, dict[str, float]]:
        """Of each subject: the queues and the endpoints outside that got something which was made of it, and when."""
        found: dict[str, dict[str, float]] = {subject: {} for subject in subjects}
        tokens, actors = self.tokens, self.trace.column("actor")
        for token in tokens.tokens:
            lies = token.state == WAITS
            if lies or token.because == "delivered":
                place, time = (token.resource, token.start) if lies else (actors[token.last_row], token.end or 0.0)
                for origin in self.trace.ancestors(tokens.name(token.subject)):
                    if origin in found:
                        found[origin].setdefault(tokens.name(place), time)
        return found

    @cached_property
    def on_their_way(self) -> set[str]:
        """The subjects of which something waits for its next attempt at the end."""
        trying = [t for t in self.tokens.tokens if t.state == RETRYING and t.end is None]
        return {origin for t in trying for origin in self.trace.ancestors(self.tokens.name(t.subject))}

    @cached_property
    def tokens(self) -> Tokens:
        """Who has what, where, from when to when."""
        return self.run.tokens if self.run else fold(self.trace)

    @property
    def redeliveries(self) -> int:
        """Deliveries beyond the first of each message."""
        return sum(self.receives.values()) - len(self.receives)

    def duplicates(self) -> int:
        """Messages that were delivered more than once."""
        return sum(n > 1 for n in self.receives.values())

    def order_violations(self) -> int:
        """Messages that were delivered, for the first time, after one that had been sent later to the same queue; in
        a FIFO queue, to the same message group.
        """
        resource, subject, trace = self._codes["resource"], self._codes["subject"], self.trace
        place = {key: i for i, key in enumerate(zip(*(c[self._is("Sent")].tolist() for c in (resource, subject))))}
        joined = self._rows("JoinedGroup").tolist()
        group = {(int(resource[row]), int(subject[row])): trace.details[row] for row in joined}
        newest: dict[tuple[int, str], int] = {}
        seen, count = set(), 0
        for key in zip(*(c[self._is("Received")].tolist() for c in (resource, subject))):
            if key in seen or key not in place:
                continue
            seen.add(key)
            line = (key[0], group.get(key, ""))
            count += place[key] < newest.get(line, -1)
            newest[line] = max(place[key], newest.get(line, -1))
        return count

    def latency(self) -> Array:
        """Seconds from Sent to the (first) Deleted of each message, or from Requested to Answered, in the order of
        the ends.
        """
        if "latency" not in self._memo:
            begin = dict(
                zip(self._subjects("Sent", "Requested").tolist(), self._t[self._is("Sent", "Requested")].tolist())
            )
            end: dict[int, float] = {}
            used = self._is("Deleted", "Answered")
            for subject, time in zip(self._codes["subject"][used].tolist(), self._t[used].tolist()):
                end.setdefault(subject, time)
            self._memo["latency"] = np.array([time - begin[s] for s, time in end.items() if s in begin], float)
        found: Array = self._memo["latency"]
        return found

    def p(self, percent: float) -> float:
        """The latency that `percent` % of the messages did not exceed; nan when none is done."""
        values = self.latency()
        return float(np.percentile(values, percent)) if len(values) else math.nan

    @cached_property
    def work(self) -> list[Work]:
        """Who worked on what, in the order of the starts."""
        actor, subject, cause = self._codes["actor"], self._codes["subject"], self._codes["cause"]
        kind, crashed, started = self._codes["kind"], self.trace.code("Crashed"), self.trace.code("WorkStarted")
        open_: dict[int, int] = {}  # what an actor has in hand: the row WorkStarted
        ends: dict[int, tuple[int, int]] = {}
        for row in self._rows("WorkStarted", "WorkEnded", "Crashed").tolist():
            if kind[row] == started:
                open_[int(actor[row])] = row
                ends[row] = (-1, -1)
            elif kind[row] != crashed:
                ends[int(cause[row])] = (row, -1)
                open_.pop(int(actor[row]), None)
            elif (start := open_.pop(int(actor[row]), -1)) >= 0:
                ends[start] = (-1, row)
        name = self.trace.name
        return [Work(name(actor[s]), name(subject[s]), s, end, cut) for s, (end, cut) in ends.items()]

    def busy(self, actor: str) -> float:
        """The share of the run, 0 to 1, during which this actor worked."""
        mine = [work for work in self.work if work.actor == actor]
        ends = [max(work.end, work.cut) for work in mine]
        spans = [(self._t[end] if end >= 0 else self.until) - self._t[work.start] for work, end in zip(mine, ends)]
        return float(sum(spans)) / self.until if self.until else 0.0

    @property
    def throughput(self) -> float:
        """Messages done a second, over the whole run."""
        return self.done / self.until if self.until else 0.0

    # ---- what it costs -----------------------------------------------------------------------------------------------

    def calls(self) -> dict[str, int]:
        """API calls by operation, those that failed too."""
        names = sorted(self.trace.name(code) for code in self.trace.api_kinds)
        return {name: len(self._rows(name)) for name in names}

    def requests(self) -> int:
        """Requests as SQS bills them: each 64 KB of what a call carries is one (SQS pricing page)."""
        chunk = self.quotas["sqs.price_chunk"]
        calls = self._is(*(pascal(name) for name in Sqs.coverage()))
        cause, subject = self._codes["cause"], self._codes["subject"]
        sizes, sent = np.zeros(len(self.trace.names)), self._rows("Sent")
        sizes[subject[sent]] = [self.trace.details[row] for row in sent.tolist()]
        moved = self._rows("Sent", "Received")
        moved = moved[cause[moved] >= 0]
        carried = np.bincount(cause[moved], sizes[subject[moved]], minlength=len(calls))
        return int(np.maximum(1, np.ceil(carried[calls] / chunk)).sum())

    def cost(self) -> float:
        """Dollars for SQS and SNS, by the price list. The free first million a month is not taken off."""
        return self.requests() * float(self.quotas["sqs.price_per_million"]) / 1e6 + self.fanout.cost

    # ---- all together ------------------------------------------------------------------------------------------------

    def series(self, name: str) -> Series:
        """A series by its name: "depth", "in_flight", "delayed", "age_of_oldest", or one of the rates."""
        if name in ("depth", "in_flight", "delayed", "age_of_oldest"):
            found: Series = getattr(self, name)()
            return found
        return self.rate(name)

    def plotted(self) -> list[Series]:
        """The series that the standard figure shows."""
        rates = (
            ("sent", "deleted", "refused", "timed out")
            if self.is_direct
            else ("sent", "received", "deleted", "empty receives")
        )
        return [self.series(name) for name in ("depth", "in_flight", "age_of_oldest", *rates)]

    def table(self, points: int = 61) -> pd.DataFrame:
        """The plotted series on a regular grid of times, as a data table."""
        grid = np.linspace(0.0, self.until, points)
        columns = {f"{s.label} ({s.unit})": np.round(s.at(grid), 3) for s in self.plotted()}
        return pd.DataFrame(columns, index=pd.Index(np.round(grid, 3), name="time (s)"))

    def at(self, t: float) -> dict[str, float]:
        """The numbers of one instant: what is the case at `t`, and what has happened until then."""
        now = {s.label: float(s.at(t)) for s in (self.depth(), self.in_flight(), self.age_of_oldest())}
        if not self.is_direct:
            now["delayed"] = float(self.delayed().at(t))
        counts = _DIRECT_COUNTS if self.is_direct else _QUEUE_COUNTS
        times = {label: self._t[self._happened(what)] for label, what in counts.items()}
        return now | {label: float(np.searchsorted(seen, t, "right")) for label, seen in times.items()}

    def summary(self) -> list[Number]:
        """The results of the run, the most important first."""
        return results.summary(self)

    def line(self) -> str:
        """The result in one line."""
        return results.line(self)
