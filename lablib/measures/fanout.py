"""What a topic did, subscription by subscription: a fold over the trace of one run."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from lablib.aws.event import DEAD_LETTER, RETRYING
from lablib.kernel import Row, Trace
from lablib.measures.series import percentile

if TYPE_CHECKING:
    import pandas as pd

_ENDS = ("delivered", "filtered out", "dropped", DEAD_LETTER)  # of the way of a message to one subscriber


class Branch(NamedTuple):
    """One subscription: the endpoint's name, its protocol ("" when nothing was tried), how many messages it got, how
    many its filter policy kept out, the attempts that failed, the messages that went to its dead-letter queue, those
    that were lost, those that SNS still tries to deliver, and the median seconds from Published to Delivered (nan).
    """

    endpoint: str
    protocol: str
    delivered: int
    filtered: int
    failed_attempts: int
    dead_letters: int
    dropped: int
    on_the_way: int
    median_latency: float


class FanOut:
    """The messages that were published to topics in a run, and what became of their copies. The requests to confirm a
    subscription do not count.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    @cached_property
    def published(self) -> dict[str, Row]:
        """The rows of the publications by MessageId."""
        kinds = self._trace.kinds(lambda event: event.counts == "published")
        return {row.subject: row for row in self._trace.where(kinds)}

    @cached_property
    def branches(self) -> list[Branch]:
        """Each subscription that a message was meant for, in the order of appearance."""
        rows: dict[tuple[str, str], list[Row]] = {}
        for row in self._trace.where(self._trace.kinds(lambda e: e.ends in _ENDS or e.state == RETRYING)):
            if self._message(row) in self.published:
                rows.setdefault((row.resource, row.actor), []).append(row)
        return [self._branch(endpoint, mine) for (_, endpoint), mine in rows.items()]

    def _message(self, row: Row) -> str:
        """The message whose delivery a row is about."""
        return self._trace.names[self._trace.origin(row.index)]

    def _branch(self, endpoint: str, rows: list[Row]) -> Branch:
        count: Counter[str] = Counter()
        trying: set[str] = set()
        protocol, delays = "", []
        for row in rows:
            event = self._trace.events[row.kind]
            what = event.state if event.state == RETRYING else event.ends
            count[what] += 1
            trying.discard(row.subject)
            if what == RETRYING and row.until:
                trying.add(row.subject)
            if what == "delivered":
                delays.append(row.time - self.published[self._message(row)].time)
            if what in ("delivered", RETRYING):
                protocol = row.detail["protocol"]
        delivered, filtered, dropped, dead = (count[end] for end in _ENDS)
        median = percentile(delays, 50)
        return Branch(endpoint, protocol, delivered, filtered, count[RETRYING], dead, dropped, len(trying), median)

    @property
    def filtered(self) -> int:
        """Copies that a filter policy kept out."""
        return sum(branch.filtered for branch in self.branches)

    @property
    def dropped(self) -> int:
        """Copies that are lost: not delivered, and in no dead-letter queue."""
        return sum(branch.dropped for branch in self.branches)

    def table(self) -> pd.DataFrame:
        """The branches as a table: what each subscriber got, and what it did not get."""
        import pandas as pd

        columns = [name.replace("_", " ") for name in Branch._fields]
        columns[-1] += " (s)"
        frame = pd.DataFrame(self.branches, columns=columns).set_index("endpoint")
        return frame.round({columns[-1]: 3})
