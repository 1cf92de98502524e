"""Amazon Kinesis Data Streams: streams of shards, records, readers with positions, enhanced fan-out.

Operations, parameters and constraints: API reference (2013-12-02) as shipped in botocore. The shards are in `shards`, a
stream and its resharding in `stream`, registered consumers in `fanout`, the operations on streams in `control`; here is
what writes and reads records. Assumed, because AWS gives no number: how long it takes to create and to reshard a
stream, and until a record can be read; how often a read brings nothing though records follow, by default never (API
reference, GetRecords: "It might take multiple calls to get to a portion of the shard that contains records"); and by
how much an arrival time is too early, by default by nothing (same page: "records in a shard or across a stream might
have time stamps that are out of order"). Texts of errors: recorded from AWS where `checks` and the tests say so.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime

from lablib.aws.constraints import Rule, invalid, violations
from lablib.aws.service import Request, ServiceError
from lablib.services.kinesis.base import Document
from lablib.services.kinesis.bill import bill
from lablib.services.kinesis.checks import argument, in_use, not_found
from lablib.services.kinesis.control import Control
from lablib.services.kinesis.events import EVENTS
from lablib.services.kinesis.fanout import Subscription
from lablib.services.kinesis.iterators import Iterator, parse
from lablib.services.kinesis.quotas import QUOTAS
from lablib.services.kinesis.shards import HASHES, Kept, Shard, hash_of, size_of
from lablib.services.kinesis.stream import MIB, Stream, shard_number_in

_THROTTLED = "ProvisionedThroughputExceededException"


class Kinesis(Control):
    """Kinesis Data Streams in one region of one account."""

    events = EVENTS
    quotas = QUOTAS

    bill = staticmethod(bill)

    # ---- writing -----------------------------------------------------------------------------------------------------

    def put_record(
        self,
        request: Request,
        *,
        stream: Stream,
        data: bytes,
        partition_key: str | None = None,
        explicit_hash_key: str | None = None,
        sequence_number_for_ordering: str | None = None,
    ) -> Document:
        if partition_key is None:
            raise invalid("Value null at 'partitionKey' failed to satisfy constraint: Member must not be null")
        if len(data) > stream.largest:
            raise invalid(*violations("data", data, Rule(high=stream.largest)))
        shard = stream.shard_of(_hash(partition_key, explicit_hash_key))
        if stream.key_id:
            self._encrypt(stream, request)
        size = len(data) + len(partition_key.encode())
        if not shard.admits(size, self.now):
            self._throttled(stream, shard, request)
            raise ServiceError(_THROTTLED, self._exceeded(stream, shard))
        shard.round_up(size)
        number = self._put(stream, shard, data, partition_key, size, request)
        answer = {"ShardId": shard.id, "SequenceNumber": number}
        return answer | ({"EncryptionType": "KMS"} if stream.key_id else {})

    def put_records(
        self,
        request: Request,
        *,
        stream: Stream,
        records: list[Document],
    ) -> Document:
        most = self.world.quotas["kinesis.put_records"]
        if len(records) > most:
            raise invalid(*violations("records", records, Rule(1, most)))
        sizes, shards = self._check_entries(stream, records)
        if stream.key_id:
            self._encrypt(stream, request)
        now, answers, failed = self.now, [], 0
        taken: Counter[Shard] = Counter()
        refused: Counter[Shard] = Counter()
        for entry, size, shard in zip(records, sizes, shards):
            if request.partial and request.entry_fails():
                failed += 1
                answers.append({"ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure."})
            elif shard.admits(size, now):
                taken[shard] += size
                number = self._put(stream, shard, entry["Data"], entry["PartitionKey"], size, request)
                answers.append({"SequenceNumber": number, "ShardId": shard.id})
            else:
                failed += 1
                refused[shard] += 1
                answers.append({"ErrorCode": _THROTTLED, "ErrorMessage": self._exceeded(stream, shard)})
        for shard, size in taken.items():
            shard.round_up(size)
        for shard, count in refused.items():
            self._throttled(stream, shard, request, count)
        answer = {"FailedRecordCount": failed, "Records": answers}
        return answer | ({"EncryptionType": "KMS"} if stream.key_id else {})

    def _check_entries(self, stream: Stream, records: list[Document]) -> tuple[list[int], list[Shard]]:
        """The size and the shard of each entry. One that breaks the rules makes the whole call fail (reported)."""
        sizes, shards = [], []
        long: list[str] = []
        for number, entry in enumerate(records, 1):
            key, data = entry["PartitionKey"], entry["Data"]
            if len(data) > stream.largest:
                long += violations(f"records.{number}.member.data", data, Rule(high=stream.largest))
            sizes.append(len(data) + len(key.encode()))
            shards.append(stream.shard_of(_hash(key, entry.get("ExplicitHashKey"))))
        if long:
            raise invalid(*long)
        most = self.world.quotas["kinesis.put_size"]
        if sum(sizes) > most:
            raise argument(f"Records size exceeds {most // MIB} MB limit")
        return sizes, shards

    def _put(self, stream: Stream, shard: Shard, data: bytes, key: str, size: int, request: Request) -> str:
        number = stream.put(shard, data, key, size)
        detail = (shard.next - 1, size, key)  # a tuple of plain values costs the garbage collector nothing
        self.world.trace.add("RecordPut", stream.place(shard), number, request.caller, request.row, detail)
        return number

    def _throttled(self, stream: Stream, shard: Shard, request: Request, count: int = 1) -> None:
        self.world.trace.add("WriteThrottled", stream.place(shard), "", request.caller, request.row, count)

    def _exceeded(self, stream: Stream, shard: Shard) -> str:
        """Recorded (API reference, PutRecords, example)."""
        return f"Rate exceeded for shard {shard.id} in stream {stream.name} under account {self.world.account}."

    def _encrypt(self, stream: Stream, request: Request) -> None:
        self._data_keys.encrypt(request, stream.arn, stream.key_id, self.world.quotas["kinesis.data_key_reuse"])

    def _decrypt(self, stream: Stream, request: Request) -> None:
        self._data_keys.decrypt(request, stream.arn, stream.arn, self.world.quotas["kinesis.data_key_reuse"])

    # ---- reading -----------------------------------------------------------------------------------------------------

    def get_shard_iterator(
        self,
        request: Request,
        *,
        stream: Stream,
        shard_id: str,
        shard_iterator_type: str,
        starting_sequence_number: str | None = None,
        timestamp: datetime | None = None,
    ) -> Document:
        shard = self._readable(stream, shard_id)
        position = self._position(stream, shard, shard_iterator_type, starting_sequence_number, timestamp)
        if not shard.may_give_iterator(self.now):
            raise ServiceError(_THROTTLED, self._exceeded(stream, shard))
        return {"ShardIterator": self._iterator(stream, shard, position)}

    def _iterator(self, stream: Stream, shard: Shard, position: int) -> str:
        self._iterators += 1
        return Iterator(stream.name, stream.serial, shard.id, position, self.now, self._iterators).text()

    def get_records(
        self, request: Request, *, shard_iterator: str, limit: int | None = None, stream_arn: str | None = None
    ) -> Document:
        stream, shard, iterator = self._opened(shard_iterator)
        now = self.now
        if not shard.may_be_called(now):
            self.world.trace.add("ReadThrottled", stream.place(shard), "", request.caller, request.row)
            raise ServiceError(_THROTTLED, self._exceeded(stream, shard))
        stream.trim(shard)
        position = max(iterator.position, shard.oldest)
        quotas = self.world.quotas
        until, most = now - quotas["kinesis.read_delay"], quotas["kinesis.read_records"]
        records = shard.slice(position, min(limit or most, most), quotas["kinesis.read_size"], until)
        share = quotas["kinesis.empty_reads"]
        kept_back = records[0] if records and share and request.chance.coin(share) else None
        if kept_back:
            records = []
        if any(encrypted for _, _, _, _, encrypted in records):
            self._decrypt(stream, request)
        size = size_of(records)
        shard.gives(size, now)
        after = position + len(records)
        behind = shard.time_of(after)
        at_end = shard.end is not None and behind is None
        answer: Document = {
            "Records": [self._document(record) for record in records],
            "MillisBehindLatest": 0 if behind is None else max(bool(kept_back), round((now - behind) * 1000)),
        }
        if at_end:
            answer["ChildShards"] = [stream.shards[id].as_child() for id in shard.children]
        else:
            answer["NextShardIterator"] = self._iterator(stream, shard, after)
        if records:
            detail = [position, len(records), answer["MillisBehindLatest"], size]
            last = records[-1][0]
            self.world.trace.add("RecordsRead", stream.place(shard), last, request.caller, request.row, detail)
        elif kept_back:
            told = stream.place(shard), kept_back[0], request.caller, request.row
            self.world.trace.add("ReadBroughtNothing", *told, answer["MillisBehindLatest"])
        return answer

    def subscribe_to_shard(
        self, request: Request, *, consumer_arn: str, shard_id: str, starting_position: Document
    ) -> Document:
        consumer = self._consumer(consumer_arn)
        stream = consumer.stream
        if consumer.status != "ACTIVE":
            raise in_use(f"Consumer {consumer.arn} is not ACTIVE, instead in state {consumer.status}")
        shard = self._readable(stream, shard_id)
        start = starting_position
        position = self._position(stream, shard, start["Type"], start.get("SequenceNumber"), start.get("Timestamp"))
        old = consumer.pipes.get(shard.id)
        if old:
            whose = f"{self.world.account}:{stream.name}:{shard.id}:{consumer.name}"
            text = f"Another active subscription exists for this consumer: {whose}"
            if self.now - old.begun < self.world.quotas["kinesis.subscription_guard"]:
                raise in_use(text)
            old.end(in_use(text))
        if stream.key_id:
            self._decrypt(stream, request)
        consumer.pipes[shard.id] = pipe = Subscription(
            self.world, consumer, shard, position, request.row, request.caller, self._document
        )
        self.world.trace.add("SubscribedToShard", stream.place(shard), "", request.caller, request.row, consumer.name)
        return {"EventStream": pipe}

    def _opened(self, text: str) -> tuple[Stream, Shard, Iterator]:
        """What an iterator stands for. Raises InvalidArgumentException, ExpiredIteratorException (recorded in 2020),
        ResourceNotFoundException."""
        iterator = parse(text)
        if iterator is None:
            raise argument("Invalid ShardIterator.")
        stream = self.streams.get(iterator.stream)
        if stream is None or stream.serial != iterator.serial:
            raise not_found(f"Stream {iterator.stream} under account {self.world.account} not found.")
        life = self.world.quotas["kinesis.iterator"]
        if self.now - iterator.time > life:
            made, now = (self._date(time).strftime("%a %b %d %H:%M:%S UTC %Y") for time in (iterator.time, self.now))
            raise ServiceError(
                "ExpiredIteratorException",
                f"Iterator expired. The iterator was created at time {made} while right now it is {now} which is "
                f"further in the future than the tolerated delay of {round(life * 1000)} milliseconds.",
            )
        return stream, self._readable(stream, iterator.shard), iterator

    def _readable(self, stream: Stream, shard_id: str) -> Shard:
        """A shard whose records can be read. The two texts were recorded in 2020."""
        shard = stream.shards.get(shard_id)
        if shard and shard in stream.listed_shards():
            return shard
        account = self.world.account
        if shard_id.removeprefix("shardId-").isdecimal():
            raise not_found(f"Shard {shard_id} in stream {stream.name} under account {account} does not exist")
        raise not_found(f"Could not find shard {shard_id} in stream {stream.name} under account {account}.")

    def _position(
        self, stream: Stream, shard: Shard, kind: str, sequence: str | None, timestamp: datetime | float | None
    ) -> int:
        """The number of the record at which a reader begins. Raises InvalidArgumentException (recorded in 2020)."""
        by_sequence = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
        if by_sequence != (sequence is not None) and kind != "AT_TIMESTAMP":
            given = "StartingSequenceNumber" if sequence is not None else "no StartingSequenceNumber"
            raise argument(
                "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
                f"(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {kind} and {given}."
            )
        stream.trim(shard)
        if kind == "TRIM_HORIZON":
            return shard.oldest
        if kind == "LATEST":
            return shard.next
        if kind == "AT_TIMESTAMP":
            return shard.since(self._checked_time(timestamp))
        assert sequence is not None
        number = shard_number_in(sequence)
        if number is None:
            raise argument(f"Invalid StartingSequenceNumber {sequence}.")
        if number != shard.number:
            raise argument(
                f"Invalid StartingSequenceNumber. It encodes shardId-{number:012d}, while it was used in a call to a "
                f"shard with {shard.id}"
            )
        found = shard.find(sequence)
        return found + 1 if kind == "AFTER_SEQUENCE_NUMBER" and shard.holds(found, sequence) else found

    def _checked_time(self, timestamp: datetime | float | None) -> float:
        if timestamp is None:
            raise argument(
                "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no "
                "timestamp parameter."
            )
        time = self._virtual(timestamp)
        if time > self.now:
            millis, now = (round((self.world.kernel.epoch + t) * 1000) for t in (time, self.now))
            raise argument(
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                f"timestampInMillis: {millis}, currentTimestampInMillis: {now}"
            )
        return time

    def arrival(self, number: str, time: float) -> datetime:
        """The ApproximateArrivalTimestamp, to the millisecond, of the record with that sequence number that came at
        `time`. Records come in batches: the latest date is kept.
        """
        if error := self.world.quotas["kinesis.clock_error"]:
            time -= error * self.world.chance.keyed("arrival times", number)
        if time != self._dated[0]:
            self._dated = time, self._date(math.floor(time * 1000) / 1000)
        return self._dated[1]

    def _document(self, record: Kept) -> Document:
        number, time, data, key, encrypted = record
        document = {
            "SequenceNumber": number,
            "ApproximateArrivalTimestamp": self.arrival(number, time),
            "Data": data,
            "PartitionKey": key,
        }
        if encrypted:
            document["EncryptionType"] = "KMS"
        return document


def _hash(key: str, explicit: str | None) -> int:
    """Where a record lies: the hash of its key, or the one that its producer gives."""
    if explicit is None:
        return hash_of(key)
    hash = int(explicit)
    if hash >= HASHES:
        raise argument(
            f"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {hash}"
        )
    return hash
