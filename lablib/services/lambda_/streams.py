"""Event source mappings from a stream: a reader for each shard hands batches to a function, in order, and goes on only
when a batch is dealt with.

Sources: Lambda developer guide, "Using Lambda with Amazon Kinesis Data Streams" (polling and batching, processing
records, handling errors, filtering), and answers recorded on AWS (the document for a failed batch; that a split batch
uses up no retries). How long Lambda waits before it tries a batch again is assumed.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lablib.aws.access.decide import administrator
from lablib.aws.arn import Arn
from lablib.aws.dates import iso, moment
from lablib.aws.digests import md5
from lablib.aws.event import is_given
from lablib.aws.service import AnswerLost, ServiceError, World
from lablib.aws.targets import hand_over, reason
from lablib.kernel import Process, Signal
from lablib.services.lambda_.filters import Criteria
from lablib.services.lambda_.functions import Document, Function
from lablib.services.lambda_.invocations import Invocation, Runner

_POLL = 1.0  # seconds between two reads of a shard (guide: "at a base rate of once per second")
_LOOK = 60.0  # seconds until a reader looks again for shards, or for room, when nobody told it
_BATCH_BYTES = 6 << 20  # of a payload (guide)
_DAY = 86_400  # no stream keeps a record for less
_EXPIRED = "they expired in the stream"


@dataclass(eq=False)
class StreamMapping:
    """An event source mapping from a stream to a function. Ages and retries of -1 mean: as long as the record lives."""

    uuid: str
    function: str
    source: Arn
    enabled: bool
    state: str
    modified: float
    start: str = "LATEST"
    start_time: datetime | None = None
    batch_size: int = 100
    window: int = 0
    parallel: int = 1
    bisect: bool = False
    retries: int = -1
    age: int = -1
    on_failure: str = ""
    partial: bool = False
    criteria: Criteria = Criteria()
    result: str = "No records processed"
    done: dict[str, dict[int, str]] = field(default_factory=dict)  # by shard and lane: the last record dealt with
    closed: set[str] = field(default_factory=set)  # shards that were read to their end
    readers: dict[str, Process] = field(default_factory=dict)
    news: Signal | None = None  # a shard has ended, or the mapping is changed

    def describe(self, function_arn: str, epoch: float) -> Document:
        """Its EventSourceMappingConfiguration."""
        document: Document = {
            "UUID": self.uuid,
            "BatchSize": self.batch_size,
            "MaximumBatchingWindowInSeconds": self.window,
            "ParallelizationFactor": self.parallel,
            "EventSourceArn": str(self.source),
            "FunctionArn": function_arn,
            "LastModified": moment(epoch + self.modified),
            "LastProcessingResult": self.result,
            "State": self.state,
            "StateTransitionReason": "User action",
            "StartingPosition": self.start,
            "BisectBatchOnFunctionError": self.bisect,
            "MaximumRetryAttempts": self.retries,
            "MaximumRecordAgeInSeconds": self.age,
            "TumblingWindowInSeconds": 0,
            "DestinationConfig": {"OnFailure": {"Destination": self.on_failure} if self.on_failure else {}},
            "FunctionResponseTypes": ["ReportBatchItemFailures"] if self.partial else [],
        }
        if self.start_time:
            document["StartingPositionTimestamp"] = self.start_time
        return document | self.criteria.describe()


@dataclass(eq=False, slots=True)
class _Lane:
    """What a reader has read for one of the parallel batches of its shard."""

    shard: str
    number: int
    arrived: Signal
    taken: Signal
    records: list[Document] = field(default_factory=list)
    ended: bool = False


class Readers:
    """Runs the readers of mappings. `find` gives a function by its name."""

    def __init__(self, world: World, runner: Runner, find: Callable[[str], Function | None]) -> None:
        self._world = world
        self._runner = runner
        self._find = find

    def change(self, mapping: StreamMapping, state: str) -> None:
        """Enable or disable a mapping after a delay; until then its state is `state`."""
        mapping.state, mapping.modified = state, self._world.kernel.now
        if mapping.news:
            mapping.news.fire()
        self._world.kernel.after(self._world.quotas["lambda.mapping_delay"], self._changed, mapping)

    def _changed(self, mapping: StreamMapping) -> None:
        if mapping.state == "Deleting":
            return
        if any(process.alive for process in mapping.readers.values()):  # in the middle of a batch
            self._world.kernel.after(_POLL, self._changed, mapping)
            return
        mapping.state = "Enabled" if mapping.enabled else "Disabled"
        if mapping.enabled:
            name = f"reader of lambda/{mapping.function}"
            mapping.readers = {"": self._world.kernel.spawn(self._lead, mapping, name=name)}

    def call(
        self, mapping: StreamMapping, function: Function, name: str, params: Document, cause: int = -1
    ) -> Document:
        """Ask the stream, as the function. Raises ServiceError, and AnswerLost."""
        who = function.principal or administrator(self._world.account, self._world.region)
        deliver = self._world.gateway.call_service
        return deliver(mapping.source, name, params, principal=who, caller=function.actor, cause=cause)

    # ---- shards ------------------------------------------------------------------------------------------------------

    def _lead(self, mapping: StreamMapping) -> None:
        """Start a reader for each shard whose parents are done with, as long as the mapping is enabled."""
        first = not mapping.done and not mapping.closed
        mapping.news = Signal(self._world.kernel)
        while mapping.state == "Enabled":
            function = self._find(mapping.function)
            shards = self._shards(mapping, function) if function else None
            if shards is None:
                mapping.result = "PROBLEM: the stream or the function cannot be used."
            for shard in shards or ():
                name = shard["ShardId"]
                parents = [shard.get("ParentShardId"), shard.get("AdjacentParentShardId")]
                if first and mapping.start == "LATEST" and "EndingSequenceNumber" in shard["SequenceNumberRange"]:
                    mapping.closed.add(name)  # nothing new comes into it
                known = {one["ShardId"] for one in shards or ()}
                if name in mapping.closed or any(p in known and p not in mapping.closed for p in parents):
                    continue
                if name not in mapping.readers or not mapping.readers[name].alive:
                    start = mapping.start if first else "TRIM_HORIZON"
                    title = f"reader of lambda/{mapping.function}, {name}"
                    reader = self._world.kernel.spawn(self._read, mapping, name, start, name=title)
                    mapping.readers[name] = reader
            first = first and shards is None
            self._world.kernel.wait(mapping.news, _POLL if shards is None else _LOOK)

    def _shards(self, mapping: StreamMapping, function: Function) -> list[Document] | None:
        found: list[Document] = []
        params: Document = {"stream_arn": str(mapping.source)}
        try:
            while True:
                answer = self.call(mapping, function, "list_shards", params)
                found += answer["Shards"]
                if "NextToken" not in answer:
                    return found
                params = {"next_token": answer["NextToken"]}
        except (ServiceError, AnswerLost):
            return None

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _read(self, mapping: StreamMapping, shard: str, start: str) -> None:
        """Read one shard, once a second, and hand what comes to its lanes; each lane is a process."""
        kernel = self._world.kernel
        taken = Signal(kernel)
        lanes = [_Lane(shard, number, Signal(kernel), taken) for number in range(mapping.parallel)]
        workers = [
            kernel.spawn(
                self._work, mapping, lane, name=f"lane {lane.number + 1} of lambda/{mapping.function}, {shard}"
            )
            for lane in lanes
        ]
        done = mapping.done.setdefault(shard, {})
        after = min(done.values(), key=int) if len(done) == len(lanes) else ""
        iterator: str | None = ""
        while mapping.state == "Enabled" and iterator is not None:
            if any(len(lane.records) >= mapping.batch_size for lane in lanes):
                kernel.wait(taken, _LOOK)
                continue
            function = self._find(mapping.function)
            answer = self._ask(mapping, function, shard, iterator, start, after) if function else None
            if answer is None:
                iterator = ""  # one that is valid, from where it stopped
            else:
                trace = self._world.trace
                rows = trace.latest(trace.kinds(is_given), function.actor, 1) if function else []
                for record in answer["Records"]:
                    after = record["SequenceNumber"]
                    number = int(md5(record["PartitionKey"].encode()).hexdigest(), 16) % len(lanes)
                    lanes[number].records.append(record | {"row": rows[0] if rows else -1})
                iterator = answer.get("NextShardIterator")
                for lane in lanes:
                    lane.ended = iterator is None
                    lane.arrived.fire()
            if iterator is not None:
                kernel.wait(None, _POLL)
        for lane in lanes:
            lane.arrived.fire()
        while any(worker.alive for worker in workers):
            kernel.wait(None, _POLL)
        if iterator is None and not any(lane.records for lane in lanes):
            mapping.closed.add(shard)
            if mapping.news:
                mapping.news.fire()

    def _ask(
        self, mapping: StreamMapping, function: Function, shard: str, iterator: str, start: str, after: str
    ) -> Document | None:
        try:
            if not iterator:
                where: Document = {"shard_iterator_type": start}
                if after:
                    where = {"shard_iterator_type": "AFTER_SEQUENCE_NUMBER", "starting_sequence_number": after}
                elif start == "AT_TIMESTAMP":
                    where["timestamp"] = mapping.start_time
                params = {"stream_arn": str(mapping.source), "shard_id": shard, **where}
                iterator = self.call(mapping, function, "get_shard_iterator", params)["ShardIterator"]
            return self.call(mapping, function, "get_records", {"shard_iterator": iterator, "limit": 10_000})
        except (ServiceError, AnswerLost):
            return None

    # ---- handling ----------------------------------------------------------------------------------------------------

    def _work(self, mapping: StreamMapping, lane: _Lane) -> None:
        """Batch after batch of one lane, each until it is dealt with."""
        kernel = self._world.kernel
        while mapping.state == "Enabled":
            if not lane.records:
                if lane.ended:
                    return
                kernel.wait(lane.arrived, _LOOK)
                continue
            until = kernel.now + mapping.window
            while len(lane.records) < mapping.batch_size and kernel.now < until and not lane.ended:
                kernel.wait(lane.arrived, until - kernel.now)
            function = self._find(mapping.function)
            if function is None:
                kernel.wait(None, _POLL)
                continue
            batch = lane.records[: self._fitting(mapping, lane.records)]
            wanted = [one for one in batch if self._is_wanted(mapping, function, lane.shard, one)]
            if not wanted or self._handle(mapping, lane.shard, wanted, 0):
                del lane.records[: len(batch)]
                mapping.done[lane.shard][lane.number] = batch[-1]["SequenceNumber"]
            lane.taken.fire()

    @staticmethod
    def _fitting(mapping: StreamMapping, records: list[Document]) -> int:
        """How many records make a batch: the batch size, or what a payload may hold."""
        size = 0
        for number, record in enumerate(records[: mapping.batch_size]):
            size += len(record["Data"]) * 4 // 3 + 500
            if size > _BATCH_BYTES and number:
                return number
        return min(len(records), mapping.batch_size)

    def _is_wanted(self, mapping: StreamMapping, function: Function, shard: str, record: Document) -> bool:
        asked = event_record(mapping, function, shard, record)["kinesis"]
        why = mapping.criteria.refusal(asked | {"data": record["Data"].decode(errors="replace")}, "data")
        if why:
            about = (function.name, record["SequenceNumber"], function.actor, record["row"])
            self._world.trace.add("RecordSkipped", *about, why)
        return not why

    def _handle(self, mapping: StreamMapping, shard: str, records: list[Document], tries: int) -> bool:
        """Give the batch to the function until it is dealt with; False when the mapping was stopped before."""
        kernel, trace, pause, throttles = self._world.kernel, self._world.trace, self._pause(), 0
        while mapping.state == "Enabled":
            function = self._find(mapping.function)
            records = self._young(mapping, function, shard, records, tries)
            if not records:
                return True
            invocation = self._start(mapping, function, shard, records) if function else None
            if invocation is None:
                mapping.result = "PROBLEM: Function call failed: throttled"
                throttles += 1
                kernel.wait(None, min(2.0 ** (throttles - 1), self._world.quotas["lambda.throttle_backoff_max"]))
                continue
            actor = invocation.function.actor
            started = [trace.add("WorkStarted", actor, r["SequenceNumber"], actor, r["row"]) for r in records]
            if not invocation.over:
                kernel.wait(invocation.done)
            good = _done(invocation, mapping, [record["SequenceNumber"] for record in records])
            for number, (record, row) in enumerate(zip(records, started)):
                trace.add("WorkEnded", actor, record["SequenceNumber"], actor, row, None if number < good else "failed")
            if good == len(records):
                mapping.result = "OK"
                return True
            mapping.result = f"PROBLEM: Function call failed: {invocation.reason or 'partial'}"
            split, records = mapping.bisect and len(records) > 1, records[good:]
            if split:
                half = (len(records) + 1) // 2 if not good else len(records)
                parts = [part for part in (records[:half], records[half:]) if part]
                return all(self._handle(mapping, shard, part, tries) for part in parts)
            tries += 1
            if 0 <= mapping.retries < tries:
                self._give_up(mapping, invocation.function, shard, records, "RetryAttemptsExhausted", tries)
                return True
            kernel.wait(None, next(pause))
        return False

    def _pause(self) -> Iterator[float]:
        """How long to wait before a batch is tried again: longer each time."""
        pause: float = self._world.quotas["lambda.batch_pause"]
        while True:
            yield pause
            pause = min(2 * pause, self._world.quotas["lambda.batch_pause_max"])

    def _start(self, mapping: StreamMapping, function: Function, shard: str, records: list[Document]) -> Any:
        kernel = self._world.kernel
        events = [event_record(mapping, function, shard, record) for record in records]
        payload, last = json.dumps({"Records": events}, ensure_ascii=False).encode(), records[-1]
        age = kernel.epoch + kernel.now - last["ApproximateArrivalTimestamp"].timestamp()
        about = (function.actor, last["SequenceNumber"], function.actor, last["row"])
        row = self._world.trace.add("BatchTaken", *about, {"records": len(records), "shard": shard, "age": age})
        try:
            return self._runner.start(function, payload, row)
        except ServiceError:
            return None

    def _young(
        self, mapping: StreamMapping, function: Function | None, shard: str, records: list[Document], tries: int
    ) -> list[Document]:
        """The records that are not too old: for the mapping, which then gives them up, or for the stream itself."""
        now, age = self._world.kernel.epoch + self._world.kernel.now, mapping.age
        came = [record["ApproximateArrivalTimestamp"].timestamp() for record in records]
        if function is None or (age < 0 and now - came[0] < _DAY):
            return records
        if age < 0:
            try:
                answer = self.call(mapping, function, "describe_stream_summary", {"stream_arn": str(mapping.source)})
            except (ServiceError, AnswerLost):
                return records
            age = answer["StreamDescriptionSummary"]["RetentionPeriodHours"] * 3600
        old = [record for record, time in zip(records, came) if time < now - age]
        if old:
            self._give_up(mapping, function, shard, old, "RecordAgeExceeded" if mapping.age >= 0 else _EXPIRED, tries)
        return records[len(old) :]

    def _give_up(
        self, mapping: StreamMapping, function: Function, shard: str, records: list[Document], why: str, tries: int
    ) -> None:
        """Go on without these records; where they lie in the stream is told to the destination, if there is one."""
        trace, first, last = self._world.trace, records[0], records[-1]
        for record in records:
            about = (function.name, record["SequenceNumber"], function.actor, record["row"])
            trace.add("RecordGivenUp", *about, why)
        to = Arn.parse(mapping.on_failure) if mapping.on_failure and why != _EXPIRED else None
        if to is None:
            return
        now = self._world.kernel.epoch + self._world.kernel.now
        context = {
            "requestId": self._world.chance.uuid("lambda/requests"),
            "functionArn": function.arn,
            "condition": why,
            "approximateInvokeCount": tries,
        }
        info = {
            "shardId": shard,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": iso(first["ApproximateArrivalTimestamp"].timestamp()),
            "approximateArrivalOfLastRecord": iso(last["ApproximateArrivalTimestamp"].timestamp()),
            "batchSize": len(records),
            "streamArn": str(mapping.source),
        }
        answer = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
        document: Document = (
            {"requestContext": context, "responseContext": answer} if tries else {"requestContext": context}
        )
        document |= {"version": "1.0", "timestamp": iso(now), "KinesisBatchInfo": info}
        who = function.principal or administrator(self._world.account, self._world.region)
        name, row = to.resource.rpartition(":")[2], last["row"]
        try:
            hand_over(self._world, to, json.dumps(document), principal=who, caller=function.actor, cause=row)
        except (ServiceError, AnswerLost) as error:
            name += f", which refused it: {reason(error)}"
        trace.add("FailureReported", function.name, last["SequenceNumber"], function.actor, row, name)


def event_record(mapping: StreamMapping, function: Function, shard: str, record: Document) -> Document:
    """A record as a function gets it."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": function.role,
        "awsRegion": mapping.source.region,
        "eventSourceARN": str(mapping.source),
    }


def _done(invocation: Invocation, mapping: StreamMapping, numbers: list[str]) -> int:
    """How many records of the batch, from its beginning, are dealt with: all, none, or those before the first that the
    function reports. An answer that is not understood, or names an unknown record, fails the whole batch (guide).
    """
    if invocation.error:
        return 0
    answer = json.loads(invocation.payload)
    if not mapping.partial or answer is None:
        return len(numbers)
    items = answer.get("batchItemFailures") if isinstance(answer, dict) else "not understood"
    if not items:
        return len(numbers)
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in items]
    return min(numbers.index(str(name)) for name in named) if set(named) <= set(numbers) else 0
