"""Records of a stream: they stay when they are read, so dealt with is what somebody has worked on."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lablib.aws.event import KEPT

if TYPE_CHECKING:
    from lablib.measures.measures import Measures


class Records:
    """The records of one run. A record is handled at the end of the first work on it that succeeded."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures
        self._details = measures.trace.details
        self._subjects = measures.trace.column("subject")
        self._resources = measures.trace.column("resource")
        self._times = measures.trace.column("time")

    @cached_property
    def put(self) -> dict[int, int]:
        """The row in which each record was put, by the record's code."""
        return {self._subjects[row]: row for row in self._measures.where(lambda event: event.state == KEPT)}

    @cached_property
    def worked(self) -> list[int]:
        """The rows in which work on a record ended well."""
        ended = self._measures.where(lambda event: event.holder == "worked")
        return [row for row in ended if self._details[row] is None and self._subjects[row] in self.put]

    @cached_property
    def handled(self) -> list[int]:
        """The first such row of each record, in order."""
        first: dict[int, int] = {}
        for row in self.worked:
            first.setdefault(self._subjects[row], row)
        return list(first.values())

    def read(self) -> tuple[int, int]:
        """How many records were read, and how often records were, all readers together."""
        found: set[tuple[int, int]] = set()
        times = 0
        for row in self._measures.where(lambda event: event.holder == "reads"):
            first, count, *_ = self._details[row]
            found.update((self._resources[row], first + n) for n in range(count))
            times += count
        return len(found), times

    def unhandled(self, resource: str | None) -> list[tuple[float, Any, bool]]:
        """When a record begins and ends to be something that nobody has dealt with: time, record, is it now?
        `resource`: only the records of that shard."""
        wanted = None if resource is None else self._measures.tokens.code(resource)
        mine = {s for s, row in self.put.items() if wanted is None or self._resources[row] == wanted}
        ends: dict[int, int] = {}
        for row in sorted([*self.handled, *self._measures.where(lambda event: event.counts == "expired")]):
            if self._subjects[row] in mine:
                ends.setdefault(self._subjects[row], row)
        rows = sorted([*((self.put[s], s, True) for s in mine), *((row, s, False) for s, row in ends.items())])
        return [(self._times[row], subject, comes) for row, subject, comes in rows]

    def duplicates(self) -> int:
        """Records that were worked on more than once."""
        return sum(n > 1 for n in Counter(self._subjects[row] for row in self.worked).values())
