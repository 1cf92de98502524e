"""A shard: a range of the hash space, the records that fell into it, and what it takes and gives a second.

The model. A record's partition key is hashed with MD5 to a number of 128 bits; the open shard whose range holds it
takes the record and puts it at the end. Records stay: readers have positions, the numbers of records since the shard
began. What is older than the retention period is dropped from the front. A shard that was split or merged is closed: it
takes nothing more, and can be read as long as its records last. (Kinesis Data Streams API reference, PutRecord,
GetRecords, SplitShard, MergeShards; developer guide, "Resharding".)
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any, NamedTuple, Protocol

from lablib.aws.digests import md5
from lablib.aws.service import TokenBucket

HASHES = 1 << 128
_TRIM = 1000  # so many dropped records are cleared away at a time
_KIB = 1024


def hash_of(key: str) -> int:
    """Where a partition key lies in the hash space: its MD5 as a number from 0 to 2^128 - 1."""
    return int.from_bytes(md5(key.encode(), usedforsecurity=False).digest())


class Record(NamedTuple):
    """A record in a shard. `time` is when it arrived, in virtual seconds; `encrypted`: was it, with a KMS key?"""

    sequence_number: str
    time: float
    data: bytes
    key: str
    encrypted: bool


# A record as shards keep and give it: a million plain tuples of plain values cost the garbage collector nothing.
Kept = tuple[str, float, bytes, str, bool]


def size_of(records: list[Kept]) -> int:
    """Bytes of the data and of the partition keys, as limits count them."""
    return sum(len(data) + len(key.encode()) for _, _, data, key, _ in records)


class Listener(Protocol):
    """Who is told when a shard has a new record, or is closed."""

    def arrived(self) -> None:
        """There is something to read, or the end was reached."""


class Shard:
    """A shard. `number` is its place in the order of making, `low` and `high` the ends of its hash range, `parents` the
    ids of those it came from (none, one after a split, two after a merge), `begin` when it opened.
    """

    def __init__(
        self, number: int, low: int, high: int, begin: float, parents: tuple[str, ...], quotas: Limits
    ) -> None:
        self.number = number
        self.id = f"shardId-{number:012d}"
        self.low = low
        self.high = high
        self.begin = begin
        self.parents = parents
        self.children: tuple[str, ...] = ()
        self.end: float | None = None
        self.sequence_base = 0  # what all its sequence numbers have in common
        self.last_sequence: str | None = None  # known when it is closed
        self._kept: list[Kept] = []
        self.first = 0  # the number of the first one that is kept
        self.listeners: list[Listener] = []
        self._dropped = 0  # records at the front of the list that are gone
        self._taken = TokenBucket(quotas.records, quotas.records, begin)
        self._written = Budget(quotas.write, max(quotas.write, quotas.largest), begin)
        self._calls = TokenBucket(quotas.calls, quotas.calls, begin)
        self._iterators = TokenBucket(quotas.iterators, quotas.iterators, begin)
        self._read = ReadBudget(quotas.read, begin)

    # ---- writing -----------------------------------------------------------------------------------------------------

    def admits(self, size: int, now: float) -> bool:
        """May a record of so many bytes be written now? If so, it is counted."""
        if not self._taken.ready(now) or not self._written.take(size, now):
            return False
        self._taken.take()
        return True

    def round_up(self, size: int) -> None:
        """A call is counted in whole kilobytes: `size` bytes of it were counted already (developer guide,
        "Troubleshooting producers": PutRecord rounds the record, PutRecords the sum)."""
        self._written.give(size - math.ceil(size / _KIB) * _KIB)

    def allow_bursts_of(self, size: int) -> None:
        """Records may be so large from now on."""
        self._written.size = max(self._written.rate, float(size))

    def append(self, record: Kept) -> None:
        """Put a record at the end."""
        self._kept.append(record)

    # ---- reading -----------------------------------------------------------------------------------------------------

    @property
    def records(self) -> list[Record]:
        """All that are kept."""
        return list(map(Record._make, self._kept))

    @property
    def oldest(self) -> int:
        """The number of the oldest record that is still there (or of the next to come)."""
        return self.first + self._dropped

    @property
    def next(self) -> int:
        """The number that the next record will have."""
        return self.first + len(self._kept)

    def begins_before(self, time: float) -> bool:
        """Did the first record that is kept arrive before that instant?"""
        return self._kept[0][1] < time

    def drop_before(self, time: float) -> list[Kept]:
        """Drop the records that arrived before that instant, and return those that were still there."""
        records, at = self._kept, self._dropped
        while at < len(records) and records[at][1] < time:
            at += 1
        gone, self._dropped = records[self._dropped : at], at
        if at > _TRIM:
            del records[:at]
            self.first, self._dropped = self.first + at, 0
        return gone

    def time_of(self, number: int) -> float | None:
        """When the record of that number arrived; None for one that is still to come."""
        at = number - self.first
        return self._kept[at][1] if at < len(self._kept) else None

    def since(self, time: float) -> int:
        """The number of the first record that arrived at `time` or later."""
        return max(self.oldest, self.first + bisect_left(self._kept, time, key=lambda record: record[1]))

    def find(self, sequence_number: str) -> int:
        """The number of the record with that sequence number, or of the first one after it."""
        wanted = (len(sequence_number), sequence_number)
        return max(
            self.oldest, self.first + bisect_left(self._kept, wanted, key=lambda record: (len(record[0]), record[0]))
        )

    def holds(self, number: int, sequence_number: str) -> bool:
        """Has the record of that number that sequence number?"""
        return number < self.next and self._kept[number - self.first][0] == sequence_number

    def slice(self, number: int, most: int, most_bytes: float, until: float) -> list[Kept]:
        """The records from `number` on that arrived before `until`: at most `most`, and as many as fit into
        `most_bytes`, but always one."""
        size, found, at = 0.0, list[Kept](), max(number, self.oldest) - self.first
        for record in self._kept[at : max(at, number - self.first + most)]:
            size += len(record[2])
            if record[1] > until or (size > most_bytes and found):
                break
            found.append(record)
        return found

    def may_be_called(self, now: float) -> bool:
        """Is a GetRecords call within the calls and the bytes that the shard gives? If so, the call is counted."""
        if not self._read.ready(now) or not self._calls.ready(now):
            return False
        self._calls.take()
        return True

    def gives(self, size: int, now: float) -> None:
        """An answer of so many bytes leaves the shard."""
        self._read.take(size, now)

    def may_give_iterator(self, now: float) -> bool:
        """Is a GetShardIterator call within its limit? If so, it is counted."""
        ready = self._iterators.ready(now)
        if ready:
            self._iterators.take()
        return ready

    # ---- as a document -----------------------------------------------------------------------------------------------

    def describe(self, starting: str) -> dict[str, Any]:
        """The shard as ListShards shows it; `starting` is its first sequence number."""
        numbers = {"StartingSequenceNumber": starting}
        if self.last_sequence:
            numbers["EndingSequenceNumber"] = self.last_sequence
        parents = dict(zip(("ParentShardId", "AdjacentParentShardId"), self.parents))
        return {"ShardId": self.id, **parents, "HashKeyRange": self.hash_range, "SequenceNumberRange": numbers}

    @property
    def hash_range(self) -> dict[str, str]:
        """Its range as AWS writes it."""
        return {"StartingHashKey": str(self.low), "EndingHashKey": str(self.high)}

    def as_child(self) -> dict[str, Any]:
        """The shard as the last answer of a parent names it."""
        return {"ShardId": self.id, "ParentShards": list(self.parents), "HashKeyRange": self.hash_range}


class Limits(NamedTuple):
    """What one shard takes and gives a second: records and bytes written, GetRecords calls and bytes read,
    GetShardIterator calls; and the largest record, in bytes."""

    records: float
    write: float
    calls: float
    read: float
    iterators: float
    largest: float


class Budget:
    """Bytes that may be written: `rate` a second flow in, at most `size` are kept. It starts with a second's worth.

    A stream whose records may be large keeps up to its largest record (developer guide, "Handling large records"): the
    average stays at `rate`.
    """

    __slots__ = ("_at", "_left", "rate", "size")

    def __init__(self, rate: float, size: float, now: float) -> None:
        self.rate = rate
        self.size = size
        self._left = size
        self._at = now

    def take(self, size: float, now: float) -> bool:
        """Take so many bytes, if they are there."""
        left = min(self.size, self._left + (now - self._at) * self.rate)
        self._at = now
        fits = size <= left + 1e-6
        self._left = left - size if fits else left
        return fits

    def give(self, size: float) -> None:
        """Put bytes back; with a negative `size`, take more: what is missing is taken from the next second."""
        self._left = min(self.size, self._left + size)


class ReadBudget:
    """Bytes that may be read: `rate` a second. An answer is never cut short: what it takes too much is waited for.

    After an answer of 10 MiB calls are refused for five seconds (API reference, GetRecords).
    """

    __slots__ = ("_at", "_blocked", "_left", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._left = rate
        self._at = now
        self._blocked = now

    def ready(self, now: float) -> bool:
        """May anything be read now?"""
        return now >= self._blocked

    def take(self, size: float, now: float) -> None:
        """An answer of so many bytes leaves."""
        left = min(self.rate, self._left + (now - self._at) * self.rate)
        self._at = now
        if size <= left:
            self._left = left - size
        else:
            self._left, self._blocked = 0.0, now + size / self.rate
            self._at = self._blocked
