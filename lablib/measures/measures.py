"""The measures of one run: read from its tokens and its rows; nothing is stored anywhere else.

The model. A series counts the tokens that are in a state: +1 where one begins, -1 where it ends. What a row counts as
("sent", "deleted") is declared by its event. A direct call is the same thing: accepted requests wait, a worker that has
one works on it, and the caller asks until there is an answer. No numpy here: the way to the workbench is light.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from lablib.aws.event import ASKING, DELAYED, HELD, HIDDEN, KEPT, RETRYING, WAITING, Event
from lablib.kernel import Trace
from lablib.measures import results
from lablib.measures.fanout import FanOut
from lablib.measures.records import Records
from lablib.measures.series import Number, Series, ages, late, percentile, steps
from lablib.measures.tokens import Token, Tokens, fold
from lablib.services import quota_values

if TYPE_CHECKING:
    import pandas as pd

    from lablib.scenarios import Run

_LIES = (WAITING, DELAYED, HIDDEN)
_DIRECT_COUNTS = {"requests": "sent", "answered": "deleted", "refused": "refused", "timed out": "timed out"}
_QUEUE_COUNTS = {"sent": "sent", "received": "received", "deleted": "deleted", "expired": "expired"}
_STREAM_COUNTS = {"sent": "sent", "worked on": "worked", "refused": "refused", "expired": "expired"}
_EMPTY = "empty receives"
RATES = ("sent", "received", "deleted", "worked", "refused", "timed out", "expired", _EMPTY)  # more: what events count
_BINS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400)


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
    dead-letter queues: nothing waits there. `quotas` are those of an edition, for the price list.
    """

    def __init__(self, run: Run | Trace, until: float | None = None, quotas: dict[str, Any] | None = None) -> None:
        self.trace: Trace = run if isinstance(run, Trace) else run.trace
        self.run = given = None if isinstance(run, Trace) else run
        self._times = self.trace.column("time")
        last = self._times[-1] if len(self._times) else 0.0
        self.until = until if until is not None else given.until if given else last
        self.quotas = quotas or (given.quotas if given else quota_values())
        self.unit = given.scenario.unit if given else "message"
        self._memo: dict[Any, Any] = {}

    @cached_property
    def tokens(self) -> Tokens:
        """Who has what, where, from when to when."""
        return self.run.tokens if self.run else fold(self.trace)

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        """The numbers of the rows of each kind that has an event, and of each operation."""
        trace, found = self.trace, defaultdict[int, list[int]](list)
        for index, kind in enumerate(trace.column("kind")):
            found[kind].append(index)
        return {trace.name(kind): rows for kind, rows in found.items()}

    def where(self, wanted: Callable[[Event], object]) -> list[int]:
        """The numbers of the rows whose events are such, in order."""
        kinds = [kind for kind, event in self.trace.events.items() if kind in self._rows and wanted(event)]
        if len(kinds) == 1:
            return self._rows[kinds[0]]
        return sorted(row for kind in kinds for row in self._rows[kind])

    def counted(self, what: str) -> list[int]:
        """The numbers of the rows that count as `what`: "sent", "deleted", "published"... What a service puts into a
        dead-letter queue is not sent once more.
        """
        rows = self.where(lambda event: event.counts == what)
        if what != "sent" or not self.tokens.dead:
            return rows
        resources, trace = self.trace.column("resource"), self.trace
        return [row for row in rows if resources[row] not in self.tokens.dead or not trace.origin(row)]

    @cached_property
    def is_direct(self) -> bool:
        """Are there direct calls in this run, instead of a queue?"""
        return bool(self.where(lambda event: event.caller == "asks"))

    @cached_property
    def is_stream(self) -> bool:
        """Are there records in this run, which stay when they are read?"""
        return bool(self.where(lambda event: event.state == KEPT))

    def without_records(self) -> Measures:
        """The same run, measured by what lay in queues."""
        found = Measures(self.run or self.trace, self.until, self.quotas)
        found.is_stream = False
        return found

    @cached_property
    def records(self) -> Records:
        """What became of the records of a stream."""
        return Records(self)

    @cached_property
    def _handled(self) -> list[int]:
        """The rows by which something was dealt with: it was deleted, answered, worked on, delivered."""
        if self.is_stream:
            return self.records.handled
        subjects, begun = self.trace.column("subject"), self._begun
        delivered = [row for row in self.counted("delivered") if subjects[row] in begun]
        failed = set(results.undone(self))
        deleted = [row for row in self.counted("deleted") if row not in failed]
        return sorted([*deleted, *delivered]) if delivered else deleted

    @cached_property
    def _begun(self) -> dict[int, float]:
        """When each message was sent, or taken out of a stream by who delivers it."""
        subjects = self.trace.column("subject")
        return {subjects[row]: self._times[row] for what in ("taken", "sent") for row in self.counted(what)}

    @property
    def ending(self) -> str:
        """What is counted of those that were dealt with: "deleted", "worked" or "delivered"."""
        if self.is_stream:
            return "worked"
        return "delivered" if self._handled and not self.counted("deleted") else "deleted"

    # ---- states ------------------------------------------------------------------------------------------------------

    def _of(self, resource: str | None) -> Callable[[Token], bool]:
        """Which tokens are of this queue; for None, of any that is no dead-letter queue and holds no mere copies."""
        if resource is None:
            others = self.tokens.dead | self.tokens.copies
            return lambda token: token.resource not in others
        code = self.tokens.code(resource)
        return lambda token: token.resource == code

    def _count(self, state: str, resource: str | None, name: str, label: str) -> Series:
        key = (state, resource)
        if key not in self._memo:
            mine = self._of(resource)
            taken = state == HELD  # from a backlog: what was received is still in its queue
            changes: list[tuple[float, int]] = []
            for token in self.tokens.tokens:
                if token.state == state and mine(token) and not (taken and token.delivery):
                    changes.append((token.start, 1))
                    if token.end is not None:
                        changes.append((token.end, -1))
            changes.sort()
            self._memo[key] = Series(name, label, f"{self.unit}s", *steps(changes, self.until))
        found: Series = self._memo[key]
        return found

    def depth(self, resource: str | None = None) -> Series:
        """Messages that can be received (ApproximateNumberOfMessages), requests that wait for a worker, or records that
        nobody has dealt with.
        """
        if self.is_stream:
            changes = [(time, 1 if comes else -1) for time, _, comes in self.records.unhandled(resource)]
            return Series("depth", "not yet handled", f"{self.unit}s", *steps(changes, self.until))
        return self._count(WAITING, resource, "depth", "requests waiting" if self.is_direct else "messages waiting")

    def in_flight(self, resource: str | None = None) -> Series:
        """Messages that were received and are hidden (ApproximateNumberOfMessagesNotVisible), or requests and records
        being worked on.
        """
        if self.is_direct or self.is_stream:
            return self._count(HELD, resource, "in_flight", "being worked on")
        return self._count(HIDDEN, resource, "in_flight", "in flight")

    def delayed(self, resource: str | None = None) -> Series:
        """Messages whose delay is not over (ApproximateNumberOfMessagesDelayed)."""
        return self._count(DELAYED, resource, "delayed", "delayed")

    def age_of_oldest(self, resource: str | None = None) -> Series:
        """How long the oldest message has been there (ApproximateAgeOfOldestMessage), or the longest wait of a caller
        now.

        A message that was moved to the back after three receives does not count, as in CloudWatch (SQS developer guide,
        "Available CloudWatch metrics for Amazon SQS"). In a dead-letter queue it counts from the move. At one resource,
        what waits for another attempt counts too (DeliveryToS3.DataFreshness of Firehose).
        """
        key = ("age", resource)
        if key not in self._memo:
            label = "longest wait" if self.is_direct else "age of oldest"
            stays = self.records.unhandled(resource) if self.is_stream else self._stays(resource)
            self._memo[key] = Series("age_of_oldest", label, "s", *ages(stays, self.until), "line")
        found: Series = self._memo[key]
        return found

    def success(self, resource: str, period: float = 60.0) -> Series:
        """The share of the attempts to deliver from there that succeeded (0 to 1), in each `period` of seconds in which
        there was one: CloudWatch's DeliveryToS3.Success.
        """
        events, kinds = self.trace.events, self.trace.kinds(lambda event: event.attempt is not None)
        tried: dict[int, list[bool]] = {}
        for row in self.trace.where(kinds, resource):
            tried.setdefault(int(row.time / period), []).append(bool(events[row.kind].attempt))
        shares = {number * period: sum(found) / len(found) for number, found in tried.items()}
        last = list(shares.values())[-1] if shares else 0.0
        t, y = array("d", [*shares, self.until]), array("d", [*shares.values(), last])
        return Series("success", "successful attempts", "", t, y)

    def _stays(self, resource: str | None) -> list[tuple[float, Any, bool]]:
        """When a message comes and goes, as far as its age counts: time, message, is it there now?"""
        mine, states = self._of(resource), (ASKING,) if self.is_direct else _LIES
        if resource is not None:
            states = (*states, RETRYING)
        stays: dict[tuple[int, int], Token] = {}  # the latest token of each message at a place
        found: list[tuple[int, float, Any, bool]] = []
        for token in self.tokens.tokens:
            if token.state not in states or not mine(token):
                continue
            key = (token.resource, token.subject)
            before = stays.get(key)
            goes_on = before is not None and before.last_row == token.row
            counts = token.since != math.inf
            if before is not None and not goes_on and before.since != math.inf:
                found.append((before.last_row, before.end or 0.0, key, False))
            if counts and not goes_on:
                found.append((token.row, token.start, key, True))
            elif goes_on and not counts and before is not None and before.since != math.inf:
                found.append((token.row, token.start, key, False))
            stays[key] = token
        for key, token in stays.items():
            if token.end is not None and token.since != math.inf:
                found.append((token.last_row, token.end, key, False))
        return [(time, key, comes) for _, time, key, comes in sorted(found, key=lambda stay: stay[0])]

    # ---- rates, counts, latencies ------------------------------------------------------------------------------------

    def rate(self, what: str, bin: float | None = None) -> Series:
        """Events a second, averaged over `bin` seconds (default: about 60 bins): "sent", "received", "deleted",
        "worked", "refused", "timed out", "expired", "empty receives", and what else the events of the run count.
        Raises ValueError for another name, or for a bin that is not above 0.
        """
        known = dict.fromkeys([*RATES, *(event.counts for event in self.trace.events.values() if event.counts)])
        if what not in known:
            raise ValueError(f"rate {what!r}: must be one of {', '.join(map(repr, known))}")
        width = next((b for b in _BINS if b * 75 >= self.until), _BINS[-1]) if bin is None else bin
        if not 0 < width < math.inf:
            raise ValueError(f"bin={bin!r}: must be a number of seconds above 0")
        times = self.empty_receives if what == _EMPTY else [self._times[row] for row in self.counted(what)]
        bins = max(1, math.ceil(self.until / width - 1e-9))
        counts = [0] * bins
        for time in times:
            counts[min(int(time / width + 1e-9), bins - 1)] += 1
        edges = [n * width for n in range(bins)]
        y = [n / span if (span := min(edge + width, self.until) - edge) > 0 else 0.0 for n, edge in zip(counts, edges)]
        unit = f"{self.unit}s/s" if what != _EMPTY else "calls/s"
        return Series(what, what, unit, array("d", [*edges, self.until]), array("d", [*y, y[-1]]))

    @cached_property
    def empty_receives(self) -> list[float]:
        """When a call for messages brought nothing: the times of the answers."""
        until, details = self.trace.column("until"), self.trace.details
        return [until[row] for row in self.where(lambda event: event.polls) if details[row] == 0]

    @cached_property
    def receives(self) -> Counter[int]:
        """How often each message was received, by the code of its MessageId."""
        subjects = self.trace.column("subject")
        return Counter(subjects[row] for row in self.where(lambda event: event.again))

    @property
    def sent(self) -> int:
        """Messages sent, or requests made. What SNS puts into a dead-letter queue is not sent once more."""
        return len(self.counted("sent"))

    @property
    def done(self) -> int:
        """Messages deleted after they were received and not undone, requests answered, or records worked on."""
        subjects = self.trace.column("subject")
        return len({subjects[row] for row in self._handled})

    @property
    def waiting(self) -> int:
        """Messages that are still in a queue at the end, in whatever state; callers that still wait; or records that
        nobody has dealt with. What lies in a dead-letter queue does not wait for anybody: see `dead`.
        """
        if self.is_stream:
            return sum(1 if comes else -1 for _, _, comes in self.records.unhandled(None))
        states, mine = (ASKING,) if self.is_direct else _LIES, self._of(None)
        return sum(t.end is None and t.state in states and mine(t) for t in self.tokens.tokens)

    @property
    def dead(self) -> int:
        """Messages that are in a dead-letter queue at the end, in whatever state."""
        dead = self.tokens.dead
        return sum(t.end is None and t.state in _LIES and t.resource in dead for t in self.tokens.tokens)

    @property
    def lost(self) -> int:
        """Messages that expired, or were deleted undone; copies without a delivery; requests refused or timed out."""
        return len(self.where(lambda event: event.lost)) + len(results.undone(self))

    @cached_property
    def fanout(self) -> FanOut:
        """What topics did, subscription by subscription."""
        return FanOut(self.trace)

    def reached(self, subjects: Iterable[str]) -> dict[str, dict[str, float]]:
        """Of each subject: the queues and the endpoints outside that got something which was made of it, and when."""
        found: dict[str, dict[str, float]] = {subject: {} for subject in subjects}
        tokens, actors = self.tokens, self.trace.column("actor")
        for token in tokens.tokens:
            lies = token.state == WAITING
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

    def duplicates(self) -> int:
        """Messages that were delivered, or records that were worked on, more than once."""
        if self.is_stream:
            return self.records.duplicates()
        return sum(n > 1 for n in self.receives.values())

    def order_violations(self) -> int:
        """Messages that were delivered, for the first time, after one that had been sent later to the same queue; in
        a FIFO queue, to the same message group. In a stream: records that were worked on, for the first time, after a
        later one of their shard.
        """
        resource, subject, groups = self.trace.column("resource"), self.trace.column("subject"), self.tokens.groups
        if self.is_stream:
            put = self.records.put
            return len(late((row, put[subject[row]], resource[put[subject[row]]]) for row in self.records.handled))
        sent = {(resource[row], subject[row]): row for row in self.counted("sent")}
        first: dict[tuple[int, int], int] = {}
        for row in self.where(lambda event: event.again):
            first.setdefault((resource[row], subject[row]), row)
        known = ((row, key) for key, row in first.items() if key in sent)  # not out of a dead-letter queue
        return len(late((row, sent[key], (key[0], groups.get(key[1], ""))) for row, key in known))

    def jumps_back(self, key: Callable[[int], Any]) -> list[int]:
        """Disorder: the numbers of the rows in which the work on a message ended after that on a later one of the same
        key. `key(row)` gives the key of a message, from the number of the row in which it was sent. A message that is
        handled twice is out of order only when a later one came between.
        """
        subjects = self.trace.column("subject")
        sent = {subjects[row]: row for row in self.counted("sent")}
        known = ((row, sent[subjects[row]]) for row in self.counted("worked") if subjects[row] in sent)
        return late((row, origin, key(origin)) for row, origin in known)

    def latency(self) -> Any:
        """Seconds from Sent to the (first) Deleted of each message, or from Requested to Answered, in the order of
        the ends, as a numpy array.
        """
        import numpy as np

        return np.array(self._latency, float)

    @cached_property
    def _latency(self) -> list[float]:
        subjects, times = self.trace.column("subject"), self._times
        begin = self._begun
        end: dict[int, float] = {}
        for row in self._handled:
            end.setdefault(subjects[row], times[row])
        return [time - begin[subject] for subject, time in end.items() if subject in begin]

    def p(self, percent: float) -> float:
        """The latency that `percent` % of the messages did not exceed; nan when none is done."""
        return percentile(self._latency, percent)

    @cached_property
    def work(self) -> list[Work]:
        """Who worked on what, in the order of the starts."""
        trace, inside = self.trace, self.tokens.inside
        actor, subject, cause, kinds = (trace.column(n) for n in ("actor", "subject", "cause", "kind"))
        open_: dict[int, int] = {}  # what an actor works on: the row of the start
        ends: dict[int, tuple[int, int]] = {}
        for row in self.where(lambda event: event.holder in ("works", "worked") or event.is_now == "down"):
            event = trace.events[trace.name(kinds[row])]
            if subject[row] in inside:
                continue
            if event.holder == "works":
                open_[actor[row]] = row
                ends[row] = (-1, -1)
            elif event.holder:
                ends[cause[row]] = (row, -1)
                open_.pop(actor[row], None)
            elif (start := open_.pop(actor[row], -1)) >= 0:
                ends[start] = (-1, row)
        name = trace.name
        return [Work(name(actor[s]), name(subject[s]), s, end, cut) for s, (end, cut) in ends.items()]

    def most_at_work(self) -> int:
        """The greatest number of actors that worked at the same time."""
        begins = [(self._times[work.start], work.start, 1) for work in self.work]
        ends = [(self._times[end], end, -1) for work in self.work if (end := max(work.end, work.cut)) >= 0]
        now = most = 0
        for *_, by in sorted([*begins, *ends], key=lambda change: change[1]):
            now += by
            most = max(most, now)
        return most

    def busy(self, actor: str) -> float:
        """The share of the run, 0 to 1, during which this actor worked."""
        mine = [work for work in self.work if work.actor == actor]
        ends = [max(work.end, work.cut) for work in mine]
        spans = [
            (self._times[end] if end >= 0 else self.until) - self._times[work.start] for work, end in zip(mine, ends)
        ]
        return float(sum(spans)) / self.until if self.until else 0.0

    @property
    def throughput(self) -> float:
        """Messages done a second, over the whole run."""
        return self.done / self.until if self.until else 0.0

    # ---- what it costs -----------------------------------------------------------------------------------------------

    def calls(self) -> dict[str, int]:
        """API calls by operation, those that failed too."""
        names = sorted(self.trace.name(code) for code in self.trace.api_kinds)
        return {name: len(self._rows.get(name, ())) for name in names}

    def bill(self) -> dict[str, dict[str, float]]:
        """Dollars by service and by what they are for, by the price list. A free tier is not taken off, and what AWS
        bills by the hour is counted to the second.
        """
        bills = {name: of(self.trace, self._rows, self.quotas, self.until) for name, of in self.trace.bills.items()}
        return {name: costs for name, costs in bills.items() if costs}

    def cost(self) -> float:
        """Dollars for all services of the run: the sum of the `bill`."""
        return sum(sum(costs.values()) for costs in self.bill().values())

    # ---- all together ------------------------------------------------------------------------------------------------

    def series(self, name: str) -> Series:
        """A series by its name: "depth", "in_flight", "delayed", "age_of_oldest", or one of the rates."""
        if name in ("depth", "in_flight", "delayed", "age_of_oldest"):
            found: Series = getattr(self, name)()
            return found
        return self.rate(name)

    def plotted(self) -> list[Series]:
        """The series that the standard figure shows."""
        rates: tuple[str, ...] = ("sent", "received", "deleted", "empty receives")
        if self.is_direct:
            rates = ("sent", "deleted", "refused", "timed out")
        elif self.ending != "deleted":
            rates = ("sent", self.ending, "refused")
        return [self.series(name) for name in ("depth", "in_flight", "age_of_oldest", *rates)]

    def table(self, points: int = 61) -> pd.DataFrame:
        """The plotted series on a regular grid of times, as a data table."""
        import numpy as np
        import pandas as pd

        grid = np.linspace(0.0, self.until, points)
        columns = {f"{s.label} ({s.unit})": np.round(s.at(grid), 3) for s in self.plotted()}
        return pd.DataFrame(columns, index=pd.Index(np.round(grid, 3), name="time (s)"))

    def at(self, t: float) -> dict[str, float]:
        """The numbers of one instant: what is the case at `t`, and what has happened until then."""
        shown = [self.depth(), self.in_flight(), self.age_of_oldest()]
        now = {series.label: series.value(t) for series in shown}
        if not self.is_direct and not self.is_stream:
            now["delayed"] = self.delayed().value(t)
        counts = _DIRECT_COUNTS if self.is_direct else _STREAM_COUNTS if self.is_stream else _QUEUE_COUNTS
        rows = {label: self.counted(what) for label, what in counts.items()}
        return now | {label: float(bisect_right(seen, t, key=self._times.__getitem__)) for label, seen in rows.items()}

    def summary(self) -> list[Number]:
        """The results of the run, the most important first."""
        return results.summary(self)

    def line(self) -> str:
        """The result in one line."""
        return results.line(self)
