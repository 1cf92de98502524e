"""A consumer of streams, in plain Python over boto3: what the Kinesis Client Library (KCL) does for Java programs.

It is a program like any other, made to be read: it calls boto3, and has a thread for each shard. Use it inside
processes.

An application is some workers and a table. The table has a *lease* for each shard: who reads it, and up to which
record that is noted (the *checkpoint*). A worker renews its leases three times in the failover time; a lease that
nobody renewed for that long is taken by another worker, which goes on behind the checkpoint: what was done since comes
again. The lease of a child shard is made when its parent was read to the end, and begins at its oldest record.

Sources: amazon-kinesis-client, kcl-configurations.md (the defaults here), lease-lifecycle.md; developer guide,
"Handling duplicate records" and "Troubleshooting consumers" (what the processor raises is written to the log, and the
batch does not come again). The KCL keeps its table in DynamoDB; here it is an object in memory.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from lablib.aws.aggregation import UserRecord, split

TRIM_HORIZON, LATEST, SHARD_END = "TRIM_HORIZON", "LATEST", "SHARD_END"
_log = logging.getLogger("kcl")


class LeaseLost(Exception):
    """Another worker has the lease: what this one did is not noted, and will be done again."""


@dataclass
class Lease:
    """A row of the table. `counter` grows with each renewal; `sub_sequence` is the place of the last record that is
    noted among those that came in one record of the stream; `turn`: how often it was given to a worker."""

    shard_id: str
    checkpoint: str
    sub_sequence: int = 0
    owner: str = ""
    counter: int = 0
    turn: int = 0


@dataclass
class LeaseTable:
    """The table of an application, shared by its workers."""

    leases: dict[str, Lease] = field(default_factory=dict)

    def add(self, lease: Lease) -> None:
        """Add a lease that is not there yet."""
        self.leases.setdefault(lease.shard_id, lease)

    def take(self, lease: Lease, counter: int, owner: str) -> bool:
        """Give a lease to an owner, unless somebody changed it since its counter was read."""
        if lease.counter != counter:
            return False
        lease.owner, lease.counter, lease.turn = owner, counter + 1, lease.turn + 1
        return True


class Record(NamedTuple):
    """A record as a processor gets it. `sub_sequence` is its place where several came in one record of the stream."""

    data: bytes
    partition_key: str
    sequence_number: str
    sub_sequence: int
    arrival: datetime


class Processor(Protocol):
    """What a program brings: one for each shard."""

    def process_records(self, records: list[Record], checkpoint: Callable[..., None]) -> None:
        """Work on records. `checkpoint()` notes that all of them are done, `checkpoint(record)` those up to this
        one."""


class Worker:
    """A worker of an application.

    `kinesis` is a boto3 client, `table` the application's table, `processor(shard_id)` makes the processor of a shard,
    `name` must be another for each worker. `failover_time`: seconds without a renewal after which a lease is free (10).
    `idle`: seconds between two reads of a shard (1). `max_records`: records asked for at a time, 1 to 10,000.
    `initial_position`: where to begin in a stream that the table does not know: "LATEST" (the KCL's own default) or
    "TRIM_HORIZON".
    """

    def __init__(
        self, kinesis: Any, stream: str, table: LeaseTable, processor: Callable[[str], Processor], name: str, *,
        failover_time: float = 10.0, idle: float = 1.0, max_records: int = 10_000, initial_position: str = LATEST,
    ) -> None:  # fmt: skip
        if initial_position not in (LATEST, TRIM_HORIZON):
            raise ValueError(f"initial_position={initial_position!r}: must be {LATEST!r} or {TRIM_HORIZON!r}")
        for parameter, seconds in (("failover_time", failover_time), ("idle", idle)):
            if not seconds > 0:
                raise ValueError(f"{parameter}={seconds!r}: must be above 0, in seconds")
        self.name, self.table = name, table
        self._kinesis, self._stream, self._processor = kinesis, stream, processor
        self._failover, self._idle, self._max_records = failover_time, idle, max_records
        self._initial = initial_position
        self._seen: dict[str, tuple[int, float]] = {}  # the counter of each lease, and when it became that
        self._readers: dict[tuple[str, int], threading.Thread] = {}  # by shard and turn
        self._stopping = False

    def run(self) -> None:
        """Read shards until `stop()` is called from elsewhere. It blocks."""
        self._find_shards()
        while not self._stopping:
            self._renew()
            self._take()
            for lease in self._mine():
                reader = self._readers.get((lease.shard_id, lease.turn))
                if reader is None or not reader.is_alive():
                    made = threading.Thread(target=self._read, args=(lease,), name=lease.shard_id, daemon=True)
                    self._readers[lease.shard_id, lease.turn] = made
                    made.start()
            time.sleep(self._failover / 3)
        for reader in self._readers.values():
            reader.join()
        for lease in self._mine():
            lease.owner = ""

    def stop(self) -> None:
        """End after the batches that are being worked on, and give the leases back."""
        self._stopping = True

    # ---- leases ------------------------------------------------------------------------------------------------------

    def _mine(self) -> list[Lease]:
        leases = self.table.leases.values()
        return [lease for lease in leases if lease.owner == self.name and lease.checkpoint != SHARD_END]

    def _find_shards(self) -> None:
        """Leases for a stream that the table does not know: of its open shards, or of its oldest ones."""
        if self.table.leases:
            return
        pages = self._kinesis.get_paginator("list_shards").paginate(StreamName=self._stream)
        shards = {shard["ShardId"]: shard for page in pages for shard in page["Shards"]}
        for shard_id, shard in shards.items():
            is_open = "EndingSequenceNumber" not in shard["SequenceNumberRange"]
            is_oldest = not {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} & shards.keys()
            if is_open if self._initial == LATEST else is_oldest:
                self.table.add(Lease(shard_id, self._initial))

    def _renew(self) -> None:
        for lease in self._mine():
            lease.counter += 1

    def _take(self) -> None:
        """Take what is free, up to a fair share. Where nothing is free: one lease of the worker that has the most."""
        now, owned, free = time.monotonic(), Counter({self.name: 0}), []
        for lease in self.table.leases.values():
            if lease.checkpoint == SHARD_END:
                continue
            counter, since = self._seen.get(lease.shard_id, (-1, now))
            if counter != lease.counter:
                self._seen[lease.shard_id] = lease.counter, now
            if lease.owner and (counter != lease.counter or now - since < self._failover):
                owned[lease.owner] += 1
            else:
                free.append(lease)
        fair = -(-(owned.total() + len(free)) // len(owned))
        wanted = fair - owned[self.name]
        if wanted > 0 and not free:
            name, most = owned.most_common(1)[0]
            free = [lease for lease in self.table.leases.values() if lease.owner == name and most > fair][:1]
            free = [lease for lease in free if lease.checkpoint != SHARD_END]
        for lease in free[: max(0, wanted)]:
            self.table.take(lease, lease.counter, self.name)

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _read(self, lease: Lease) -> None:
        """Read a shard for as long as this worker has its lease."""
        turn, processor, (low, high) = lease.turn, self._processor(lease.shard_id), self._range(lease.shard_id)
        position, sub = lease.checkpoint, lease.sub_sequence  # what was read last
        iterator = ""
        while lease.owner == self.name and lease.turn == turn and not self._stopping:
            try:
                iterator = iterator or self._iterator(lease.shard_id, position)
                answer = self._kinesis.get_records(ShardIterator=iterator, Limit=self._max_records)
            except Exception as error:  # throttled, expired, or away for a moment
                _log.info("%s: %s", lease.shard_id, error)
                iterator = ""
                time.sleep(self._idle)
                continue
            found = [one for record in answer["Records"] for one in _unpacked(record, low, high)]
            records = [one for one in found if one.sequence_number != position or one.sub_sequence > sub]
            if answer["Records"]:
                position, sub = answer["Records"][-1]["SequenceNumber"], sys.maxsize
            if records:
                self._process(processor, lease, turn, records)
            if "NextShardIterator" not in answer:
                self._at_the_end(processor, lease, turn, answer["ChildShards"])
                return
            iterator = answer["NextShardIterator"]
            time.sleep(self._idle)

    def _process(self, processor: Processor, lease: Lease, turn: int, records: list[Record]) -> None:
        def checkpoint(record: Record = records[-1]) -> None:
            if lease.owner != self.name or lease.turn != turn:
                raise LeaseLost(f"{self.name} has no lease for {lease.shard_id} any more: {lease.owner} has it")
            lease.checkpoint, lease.sub_sequence = record.sequence_number, record.sub_sequence

        try:
            processor.process_records(records, checkpoint)
        except Exception as error:
            _log.error("%s: process_records raised %r; %d records are skipped", lease.shard_id, error, len(records))
            _log.debug("where it was raised", exc_info=True)

    def _at_the_end(self, processor: Processor, lease: Lease, turn: int, children: list[dict[str, Any]]) -> None:
        """The shard is closed and read: its children may be read when their other parent is, too."""
        if lease.owner != self.name or lease.turn != turn:
            return
        ended = getattr(processor, "shard_ended", None)
        if ended:
            ended()
        lease.checkpoint, lease.owner = SHARD_END, ""
        for child in children:
            parents = [self.table.leases[one] for one in child["ParentShards"] if one in self.table.leases]
            if all(parent.checkpoint == SHARD_END for parent in parents):
                self.table.add(Lease(child["ShardId"], TRIM_HORIZON))

    def _range(self, shard_id: str) -> tuple[int, int]:
        pages = self._kinesis.get_paginator("list_shards").paginate(StreamName=self._stream)
        span = next(s["HashKeyRange"] for page in pages for s in page["Shards"] if s["ShardId"] == shard_id)
        return int(span["StartingHashKey"]), int(span["EndingHashKey"])

    def _iterator(self, shard_id: str, position: str) -> str:
        """An iterator at a position: at the record that was read last, since others may have come in the same one."""
        how = {"ShardIteratorType": position}
        if position not in (TRIM_HORIZON, LATEST):
            how = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
        answer = self._kinesis.get_shard_iterator(StreamName=self._stream, ShardId=shard_id, **how)
        iterator: str = answer["ShardIterator"]
        return iterator


def _unpacked(record: dict[str, Any], low: int, high: int) -> list[Record]:
    """The records in a record of the stream. One that does not belong into this shard is dropped, and nobody is told
    (reported, awslabs/kinesis-aggregation#11)."""
    data, key = record["Data"], record["PartitionKey"]
    joined = split(data)
    found = [UserRecord(data, key)] if joined is None else joined
    return [
        Record(one.data, one.partition_key, record["SequenceNumber"], number, record["ApproximateArrivalTimestamp"])
        for number, one in enumerate(found)
        if joined is None or low <= one.hash <= high
    ]
