"""A producer for streams, in plain Python over boto3: what the Kinesis Producer Library (KPL) does for Java programs.

It is a program like any other, made to be read: it calls boto3, and has a thread. Use it inside a process.

Records wait for a moment, so that many go out at once. Those that belong to the same shard are packed into one record
of the stream (*aggregation*), and the records of all shards travel in one PutRecords (*collection*). What a shard
refuses is sent again, until it is too old. Who reads such a stream must unpack it: `lablib.actors.kcl` and Firehose
do.

Sources: KPL, default_config.properties (the defaults here) and retrier.cc (what is sent again); developer guide,
"KPL retries and rate limiting". A model in one thread: the KPL has one request on its way for each of 24 connections.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lablib.aws.aggregation import UserRecord, join

_RECORDS, _BYTES = 1000, 2**20  # what a shard takes in a second
_AT_ONCE = 1e-6  # seconds; to wait for less would not move a clock
_LARGEST = 2**20  # bytes of a user record
_JOINED_KEY = "a"  # the partition key of a record that holds others; where it goes, its explicit hash key says


class Put(NamedTuple):
    """What became of a record: its shard, the sequence number of the stream's record that it is in, and how often it
    was sent."""

    shard_id: str
    sequence_number: str
    attempts: int


class PutFailed(Exception):
    """A record was given up. `attempts`: the error code and message of each time that it was sent."""

    def __init__(self, attempts: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{code}: {message}" for code, message in attempts[-2:]))
        self.attempts = attempts


@dataclass(eq=False)
class _Waiting:
    record: UserRecord
    deadline: float
    expires: float
    outcome: Future[Put] = field(default_factory=Future)
    attempts: list[tuple[str, str]] = field(default_factory=list)

    def size(self) -> int:
        return len(self.record.data) + len(self.record.partition_key.encode())


class _Shard:
    """An open shard as the producer knows it: its range of hashes, and what it may still be given in this second."""

    def __init__(self, document: dict[str, Any], percent: float) -> None:
        self.id: str = document["ShardId"]
        span = document["HashKeyRange"]
        self.low, self.high = int(span["StartingHashKey"]), int(span["EndingHashKey"])
        self._most = _RECORDS * percent / 100, _BYTES * percent / 100
        self._left, self._at = self._most, time.monotonic()

    def wait(self, size: int) -> float:
        """Seconds until it may be given one more record of that size; 0 takes the room."""
        now = time.monotonic()
        passed, self._at = now - self._at, now
        left = [min(most, left + most * passed) for most, left in zip(self._most, self._left)]
        # What is more than a second's room goes out when there is all of it, and leaves a debt.
        pause = max((min(want, most) - have) / most for want, have, most in zip((1, size), left, self._most))
        if pause > _AT_ONCE:
            self._left = left[0], left[1]
            return pause
        self._left = left[0] - 1, left[1] - size
        return 0.0


class Producer:
    """A producer for one stream.

    `kinesis` is a boto3 client. `record_max_buffered_time`: seconds that a record waits for company (0.1);
    `record_ttl`: seconds after which it is given up (30). `aggregation`: pack records of the same shard into one, of at
    most `aggregation_max_size` bytes (51,200) and `aggregation_max_count` records. A PutRecords has at most
    `collection_max_count` records (500) and `collection_max_size` bytes (5 MiB). `rate_limit`: the share of a shard's
    limit that this producer uses, in percent (150: it cannot know of the others). `fail_if_throttled`: give up what a
    shard refuses, at once.
    """

    def __init__(
        self, kinesis: Any, stream: str, *, aggregation: bool = True, record_max_buffered_time: float = 0.1,
        record_ttl: float = 30.0, aggregation_max_size: int = 51_200, aggregation_max_count: int = 4_294_967_295,
        collection_max_count: int = 500, collection_max_size: int = 5 * 2**20, rate_limit: float = 150.0,
        fail_if_throttled: bool = False,
    ) -> None:  # fmt: skip
        if not rate_limit > 0:
            raise ValueError(f"rate_limit={rate_limit!r}: must be above 0, in percent of a shard's limit")
        self._kinesis, self._stream = kinesis, stream
        self._aggregation, self._fail_if_throttled = aggregation, fail_if_throttled
        self._patience, self._ttl, self._rate_limit = record_max_buffered_time, record_ttl, rate_limit
        self._most_in_one = aggregation_max_count if aggregation else 1, aggregation_max_size
        self._most_in_call = min(collection_max_count, 500), collection_max_size
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._unfinished = 0
        self._shards: list[_Shard] = []
        self._flushing = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="kpl", daemon=True)
        self._thread.start()

    def put(self, data: bytes, partition_key: str, explicit_hash_key: str | None = None) -> Future[Put]:
        """Give a record to the producer. The result comes later: `.result()` waits for it, and raises PutFailed.

        Raises ValueError for data of more than 1 MiB or a key of no or more than 256 characters, RuntimeError when the
        producer is closed.
        """
        if len(data) > _LARGEST:
            raise ValueError(f"data: {len(data):,} bytes; a record has at most {_LARGEST:,}")
        if not 1 <= len(partition_key) <= 256:
            raise ValueError(f"partition_key: {len(partition_key)} characters; it has 1 to 256")
        now = time.monotonic()
        one = _Waiting(UserRecord(data, partition_key, explicit_hash_key), now + self._patience, now + self._ttl)
        with self._changed:
            if self._closed:
                raise RuntimeError("put: the producer is closed")
            self._unfinished += 1
            self._wait_again(one)
        return one.outcome

    def flush(self) -> None:
        """Send all that waits, now, and wait until each has its result."""
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._unfinished == 0)
            self._flushing = False

    def close(self) -> None:
        """Flush, and take nothing any more."""
        self.flush()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _wait_again(self, one: _Waiting) -> None:
        self._waiting.append(one)
        self._waiting_bytes += one.size()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while (pause := self._pause()) > 0 and not (self._closed and not self._waiting):
                    self._changed.wait(None if not self._waiting else pause)
                if self._closed and not self._waiting:
                    return
                batch, self._waiting, self._waiting_bytes = list(self._waiting), deque(), 0
            self._send([one for one in batch if not self._expired(one)])

    def _pause(self) -> float:
        """Seconds until something must be sent."""
        if not self._waiting:
            return 1.0
        if self._flushing or self._waiting_bytes >= self._most_in_call[1] or len(self._waiting) >= self._full():
            return 0.0
        return min(one.deadline for one in self._waiting) - time.monotonic()

    def _full(self) -> int:
        """So many waiting records fill a call, whatever they are."""
        return self._most_in_call[0] * (100 if self._aggregation else 1)

    def _send(self, batch: list[_Waiting]) -> None:
        """Send these records; what is refused waits again."""
        try:
            packed = self._packed(batch)
        except Exception as error:
            self._not_sent(batch, error)
            return
        for entries in self._calls(packed):
            try:
                self._call(entries)
            except Exception as error:
                self._not_sent([one for _, together in entries for one in together if not one.outcome.done()], error)

    def _not_sent(self, batch: list[_Waiting], error: Exception) -> None:
        """No connection, no such stream, no access: the KPL tries until the records are too old."""
        found = (getattr(error, "response", None) or {}).get("Error", {})  # botocore's own errors have None
        for one in batch:
            self._failed(one, found.get("Code", type(error).__name__), found.get("Message", str(error)))

    def _packed(self, batch: list[_Waiting]) -> list[tuple[_Shard, list[_Waiting]]]:
        """Records of the stream, each with its shard: what belongs to the same shard is packed, in its order."""
        if batch and not self._shards:
            self._shards = self._open_shards()
        most, largest = self._most_in_one
        packed: list[tuple[_Shard, list[_Waiting]]] = []
        last: dict[str, tuple[list[_Waiting], int]] = {}
        for one in batch:
            shard = next(shard for shard in self._shards if shard.low <= one.record.hash <= shard.high)
            together, size = last.get(shard.id, ([], 0))
            if not together or len(together) >= most or size + one.size() > largest:
                together, size = [], 0
                packed.append((shard, together))
            together.append(one)
            last[shard.id] = together, size + one.size()
        return packed

    def _open_shards(self) -> list[_Shard]:
        pages = self._kinesis.get_paginator("list_shards").paginate(StreamName=self._stream)
        found = [shard for page in pages for shard in page["Shards"]]
        known = {shard.id: shard for shard in self._shards}
        open_ = [one for one in found if "EndingSequenceNumber" not in one["SequenceNumberRange"]]
        return [known.get(one["ShardId"]) or _Shard(one, self._rate_limit) for one in open_]

    def _calls(self, packed: list[tuple[_Shard, list[_Waiting]]]) -> list[list[tuple[_Shard, list[_Waiting]]]]:
        calls: list[list[tuple[_Shard, list[_Waiting]]]] = []
        most, largest = self._most_in_call
        size = 0
        for shard, together in packed:
            own = sum(one.size() + 8 for one in together)
            if not calls or len(calls[-1]) >= most or size + own > largest:
                calls.append([])
                size = 0
            calls[-1].append((shard, together))
            size += own
        return calls

    def _call(self, entries: list[tuple[_Shard, list[_Waiting]]]) -> None:
        """One PutRecords, when the shards have room by the producer's own count."""
        records = [self._entry(together) for _, together in entries]
        for (shard, _), record in zip(entries, records):
            while (pause := shard.wait(len(record["Data"]))) > 0:
                time.sleep(pause)
        answer = self._kinesis.put_records(StreamName=self._stream, Records=records)
        for (shard, together), found in zip(entries, answer["Records"]):
            for one in together:
                if "ErrorCode" in found:
                    self._failed(one, found["ErrorCode"], found.get("ErrorMessage", ""))
                else:
                    self._arrived(one, shard, found, len(together) > 1)

    def _entry(self, together: list[_Waiting]) -> dict[str, Any]:
        first = together[0].record
        if len(together) > 1:
            data = join(one.record for one in together)
            return {"Data": data, "PartitionKey": _JOINED_KEY, "ExplicitHashKey": str(first.hash)}
        own = {} if first.explicit_hash_key is None else {"ExplicitHashKey": first.explicit_hash_key}
        return {"Data": first.data, "PartitionKey": first.partition_key, **own}

    def _arrived(self, one: _Waiting, shard: _Shard, found: dict[str, Any], joined: bool) -> None:
        """It is in a shard. Where that is another than expected, the stream was resharded: a reader drops what is in
        the wrong shard, so a record that does not belong there is sent again."""
        if found["ShardId"] != shard.id:
            self._shards = self._open_shards()
            now = next((known for known in self._shards if known.id == found["ShardId"]), None)
            if joined and (now is None or not now.low <= one.record.hash <= now.high):
                self._failed(one, "Wrong Shard", "The record did not end up in the expected shard.")
                return
        one.outcome.set_result(Put(found["ShardId"], found["SequenceNumber"], len(one.attempts) + 1))
        self._finish()

    def _failed(self, one: _Waiting, code: str, message: str) -> None:
        """Sent, and not taken: it waits again, for half the usual time."""
        one.attempts.append((code, message))
        if self._fail_if_throttled and code == "ProvisionedThroughputExceededException":
            self._give_up(one)
        elif not self._expired(one):
            one.deadline = min(time.monotonic() + self._patience / 2, one.expires)
            with self._changed:
                self._wait_again(one)

    def _expired(self, one: _Waiting) -> bool:
        """Is it too old? Then it is given up."""
        if time.monotonic() < one.expires:
            return False
        one.attempts.append(("Expired", f"The record is older than {self._ttl:g} s."))
        self._give_up(one)
        return True

    def _give_up(self, one: _Waiting) -> None:
        one.outcome.set_exception(PutFailed(one.attempts))
        self._finish()

    def _finish(self) -> None:
        with self._changed:
            self._unfinished -= 1
            self._changed.notify_all()
