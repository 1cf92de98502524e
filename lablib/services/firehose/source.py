"""A Kinesis stream as the source: each shard is read from LATEST, once a second.

Source: developer guide, "Writing to Firehose using Kinesis Data Streams"; "Quotas". These reads count against the
shards. While delivery fails, nothing more is read: data waits in the stream, as long as that keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lablib.aws.arn import Arn
from lablib.aws.service import AnswerLost, ServiceError, World
from lablib.services.firehose.checks import Document
from lablib.services.firehose.records import Record, call

if TYPE_CHECKING:
    from lablib.services.firehose.stream import DeliveryStream

_HOUR = 3600.0


class Reader:
    """Reads the stream of a KinesisStreamSourceConfiguration for a delivery stream."""

    def __init__(self, world: World, target: DeliveryStream, source: Document) -> None:
        self._world = world
        self._target = target
        self.arn: str = source["KinesisStreamARN"]
        self.role: str = source["RoleARN"]
        self.begun = world.kernel.now
        self._iterators: dict[str, str] = {}
        self._last: dict[str, str] = {}  # the last sequence number of each shard
        self._to_open: dict[str, str] = {}  # shards without an iterator, and of which type they get one
        self._known: set[str] = set()
        self._kept = 24 * _HOUR
        self._stopped = False

    def look_up(self) -> list[str]:
        """The stream's shards. Raises ServiceError and AnswerLost."""
        found = self._call("describe_stream", {"stream_arn": self.arn})["StreamDescription"]
        self._kept = found["RetentionPeriodHours"] * _HOUR
        return [
            shard["ShardId"] for shard in found["Shards"] if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]

    def _call(self, operation: str, params: Document) -> Document:
        actor = f"firehose/{self._target.name}"
        return call(self._world, actor, self.role, Arn.parse(self.arn), operation, params, -1)

    def start(self) -> None:
        """Begin to read."""
        self.begun = self._world.kernel.now
        try:
            self._add(self.look_up(), "LATEST")
        except (ServiceError, AnswerLost):
            self._world.kernel.after(1.0, self.start)
        else:
            self._poll()

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True

    def _add(self, shards: list[str], kind: str) -> None:
        new = [shard for shard in shards if shard not in self._known]
        self._known.update(new)
        self._to_open.update(dict.fromkeys(new, kind))

    def _poll(self) -> None:
        if self._stopped:
            return
        if not self._target.behind:
            for act, shards in ((self._open, list(self._to_open)), (self._read, list(self._iterators))):
                for shard in shards:
                    try:
                        act(shard)
                    except ServiceError as error:
                        if error.shape == "ExpiredIteratorException":
                            del self._iterators[shard]
                            self._to_open[shard] = "AFTER" if shard in self._last else "AT_TIMESTAMP"
                    except AnswerLost:
                        pass  # at the next turn again: an iterator is still good
        self._world.kernel.after(1.0 / self._world.quotas["firehose.read_calls"], self._poll)

    def _open(self, shard: str) -> None:
        kind = self._to_open[shard]
        if kind == "LATEST":  # if that fails, the next attempt must not pass over what comes meanwhile
            self._to_open[shard] = "AT_TIMESTAMP"
        ask: Document = {"stream_arn": self.arn, "shard_id": shard, "shard_iterator_type": kind}
        if kind == "AFTER":
            ask |= {"shard_iterator_type": "AFTER_SEQUENCE_NUMBER", "starting_sequence_number": self._last[shard]}
        elif kind == "AT_TIMESTAMP":
            ask["timestamp"] = self._world.kernel.epoch + self.begun
        self._iterators[shard] = self._call("get_shard_iterator", ask)["ShardIterator"]
        del self._to_open[shard]

    def _read(self, shard: str) -> None:
        answer = self._call("get_records", {"shard_iterator": self._iterators[shard]})
        for document in answer["Records"]:
            self._take(shard, document)
        if "NextShardIterator" in answer:
            self._iterators[shard] = answer["NextShardIterator"]
        else:
            del self._iterators[shard]
            self._add([child["ShardId"] for child in answer.get("ChildShards", ())], "TRIM_HORIZON")

    def _take(self, shard: str, document: Any) -> None:
        sequence = document["SequenceNumber"]
        arrival = document["ApproximateArrivalTimestamp"].timestamp() - self._world.kernel.epoch
        about = {"sequenceNumber": sequence, "partitionKey": document["PartitionKey"], "shardId": shard}
        about["approximateArrivalTimestamp"] = round(document["ApproximateArrivalTimestamp"].timestamp() * 1000)
        record = Record(sequence, document["Data"], arrival, arrival + self._kept, about=about)
        self._last[shard] = sequence
        trace, name = self._world.trace, self._target.name
        row = trace.add("RecordTaken", name, sequence, f"firehose/{name}", -1, len(record.data))
        self._target.take(record, row)
