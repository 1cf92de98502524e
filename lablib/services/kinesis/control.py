"""The operations on streams themselves: make, describe, change, reshard, register consumers, grant access."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lablib.aws.service import Request, ServiceError
from lablib.services.kinesis.base import Document
from lablib.services.kinesis.checks import argument, in_use, not_found, too_much
from lablib.services.kinesis.fanout import Consumer
from lablib.services.kinesis.settings import Settings
from lablib.services.kinesis.shards import Shard
from lablib.services.kinesis.stream import HOUR, MIB, Stream

_ON_DEMAND = "ON_DEMAND"


class Control(Settings):
    """The control plane."""

    absent = {  # AWS has had these since 2026
        "create_queue": "an on-demand stream can be read like a queue of SQS (receive, acknowledge, "
        "visibility timeout). Use an SQS queue here",
        "create_channel": "a channel copies an on-demand stream to S3 without Firehose. Use Firehose here",
        "update_stream_record_distribution_strategy": "with AUTO an on-demand stream spreads records over its shards "
        "whatever their partition keys are, so no order is kept for a key",
        "update_stream_warm_throughput": "with on-demand advantage (an agreement on a least bill for the account) a "
        "stream can be warmed up before a peak",
    }

    # ---- streams -----------------------------------------------------------------------------------------------------

    def create_stream(
        self,
        request: Request,
        *,
        stream_name: str,
        shard_count: int | None = None,
        stream_mode_details: Document | None = None,
        tags: dict[str, str] | None = None,
        max_record_size_in_ki_b: int | None = None,
    ) -> Document:
        mode = (stream_mode_details or {}).get("StreamMode")
        on_demand = mode == _ON_DEMAND or (mode is None and shard_count is None)  # recorded: a name is enough
        if stream_name in self.streams:
            raise in_use(f"Stream {stream_name} under account {self.world.account} already exists.")
        quotas, account = self.world.quotas, self.world.account
        if on_demand and shard_count is not None:
            raise _validation("Request is invalid. ShardCount must not be specified for a stream in On-Demand mode.")
        if not on_demand and shard_count is None:
            raise _validation("ShardCount is required when creating a stream in Provisioned mode.")
        if sum(stream.status == "CREATING" for stream in self.streams.values()) >= quotas["kinesis.creating"]:
            raise too_much(f"This request would exceed the number of streams in CREATING for account {account}.")
        if on_demand and self._count(on_demand=True) >= quotas["kinesis.on_demand_streams"]:
            most = quotas["kinesis.on_demand_streams"]
            raise too_much(f"This request would exceed the on-demand stream limit {most} for account {account}.")
        shards = shard_count or quotas["kinesis.on_demand_shards"]
        if not on_demand:
            self._check_shard_limit(shards)
        self._serial += 1
        stream = Stream(self.world, stream_name, self.arn(f"stream/{stream_name}"), shards, on_demand, self._serial)
        if max_record_size_in_ki_b:
            self._set_largest(stream, max_record_size_in_ki_b)
        self.streams[stream_name] = stream
        self._tag(stream.arn, tags)
        names = [stream.place(shard) for shard in stream.open_shards]
        self.world.trace.add("StreamCreated", stream_name, "", request.caller, request.row, names)
        if on_demand:
            self._changed(stream, request, "mode", "on demand")
        self.world.kernel.after(quotas["kinesis.create_time"], self._created, stream, request.row)
        return {}

    def _created(self, stream: Stream, row: int) -> None:
        if stream.status == "CREATING":
            stream.status = "ACTIVE"
            self.world.trace.add("StreamActive", stream.name, "", "", row)

    def delete_stream(
        self,
        request: Request,
        *,
        stream: Stream,
        enforce_consumer_deletion: bool = False,
    ) -> Document:
        if stream.consumers and not enforce_consumer_deletion:
            where = f"Stream {stream.name} under account {self.world.account}"
            raise in_use(f"{where} can't be deleted because it has registered consumers.")
        stream.status = "DELETING"
        self.world.trace.add("StreamDeleting", stream.name, "", request.caller, request.row)
        self.world.kernel.after(self.world.quotas["kinesis.delete_time"], self._deleted, stream, request.row)
        return {}

    def _deleted(self, stream: Stream, row: int) -> None:
        if self.streams.get(stream.name) is not stream:
            return
        stream.gone = True
        for consumer in tuple(stream.consumers.values()):
            self._forget(consumer, f"Stream {stream.name} under account {self.world.account} not found.")
        del self.streams[stream.name]
        self._tags.pop(stream.arn, None)
        self.world.trace.add("StreamDeleted", stream.name, "", "", row)

    def list_streams(
        self,
        request: Request,
        *,
        limit: int = 100,
        exclusive_start_stream_name: str | None = None,
        next_token: str | None = None,
    ) -> Document:
        after = self._token(next_token) if next_token else exclusive_start_stream_name
        names, more = self._page_of(self.streams, after, limit)
        summaries = [
            {
                "StreamName": stream.name,
                "StreamARN": stream.arn,
                "StreamStatus": stream.status,
                "StreamModeDetails": stream.summary()["StreamModeDetails"],
                "StreamCreationTimestamp": self._date(stream.created),
            }
            for stream in map(self.stream, names)
        ]
        return {"StreamNames": names, "HasMoreStreams": bool(more), "StreamSummaries": summaries, **more}

    def describe_stream_summary(
        self,
        request: Request,
        *,
        stream: Stream,
    ) -> Document:
        counts = {"OpenShardCount": len(stream.open_shards), "ConsumerCount": len(stream.consumers)}
        largest = self.world.quotas["kinesis.record_size_max"]
        today = {"MaxRecordSizeInKiB": stream.largest // 1024} if largest > MIB else {}
        return {"StreamDescriptionSummary": stream.summary() | self._made(stream) | counts | today}

    def describe_stream(
        self,
        request: Request,
        *,
        stream: Stream,
        limit: int = 100,
        exclusive_start_shard_id: str | None = None,
    ) -> Document:
        shards, marker = self._page(stream.listed_shards(), exclusive_start_shard_id, min(limit, 100), stream)
        return {
            "StreamDescription": stream.summary()
            | self._made(stream)
            | {"Shards": shards, "HasMoreShards": marker is not None}
        }

    def _made(self, stream: Stream) -> Document:
        return {"StreamCreationTimestamp": self._date(stream.created)}

    def list_shards(
        self,
        request: Request,
        *,
        stream_name: str | None = None,
        stream_arn: str | None = None,
        next_token: str | None = None,
        exclusive_start_shard_id: str | None = None,
        max_results: int = 1000,
        stream_creation_timestamp: datetime | None = None,
        shard_filter: Document | None = None,
    ) -> Document:
        if next_token:
            given = {"StreamName": stream_name, "StreamARN": stream_arn, "ShardFilter": shard_filter}
            given["ExclusiveStartShardId"] = exclusive_start_shard_id
            for name, value in given.items():
                if value is not None:
                    raise argument(f"NextToken and {name} cannot be provided together.")
            stream_name, exclusive_start_shard_id, type = self._token(next_token).split(" ")
            shard_filter = json.loads(type) if type else None
        stream = self._stream(stream_name, stream_arn)
        found = self._filtered(stream, shard_filter or {"Type": "FROM_TRIM_HORIZON"})
        shards, marker = self._page(found, exclusive_start_shard_id, max_results, stream)
        text = f"{stream.name} {marker} {json.dumps(shard_filter, default=str) if shard_filter else ''}"
        return {"Shards": shards} | ({"NextToken": self._new_token(text)} if marker else {})

    def _page(
        self, shards: list[Shard], after: str | None, most: int, stream: Stream
    ) -> tuple[list[Document], str | None]:
        """The shards behind that id, as documents, and the id with which the list goes on."""
        left = [shard for shard in shards if after is None or shard.id > after]
        page = [shard.describe(stream.first_sequence_number(shard)) for shard in left[:most]]
        return page, left[most - 1].id if len(left) > most else None

    def _filtered(self, stream: Stream, wanted: Document) -> list[Shard]:
        """The shards that a ShardFilter lets through (API reference, ShardFilter)."""
        kind, shards = wanted["Type"], stream.listed_shards()
        if kind == "AFTER_SHARD_ID":
            if "ShardId" not in wanted:
                raise argument("ShardFilter: ShardId is required for type AFTER_SHARD_ID.")
            return [shard for shard in shards if shard.id > wanted["ShardId"]]
        if kind in ("AT_LATEST", "FROM_TRIM_HORIZON"):
            return [shard for shard in shards if kind != "AT_LATEST" or shard.end is None]
        if kind in ("AT_TIMESTAMP", "FROM_TIMESTAMP") and "Timestamp" not in wanted:
            raise argument(f"ShardFilter: Timestamp is required for type {kind}.")
        horizon = self.now - stream.retention * HOUR
        time = max(stream.created, horizon if kind == "AT_TRIM_HORIZON" else self._virtual(wanted["Timestamp"]))
        open_then = [shard for shard in shards if shard.end is None or shard.end > time]
        return [shard for shard in open_then if kind == "FROM_TIMESTAMP" or shard.begin <= time]

    def describe_limits(self, request: Request) -> Document:
        return {
            "ShardLimit": self.world.quotas["kinesis.shards"],
            "OpenShardCount": self._open_shards(),
            "OnDemandStreamCount": self._count(on_demand=True),
            "OnDemandStreamCountLimit": self.world.quotas["kinesis.on_demand_streams"],
        }

    def _count(self, on_demand: bool) -> int:
        return sum(stream.on_demand == on_demand for stream in self.streams.values())

    def _open_shards(self) -> int:
        return sum(len(stream.open_shards) for stream in self.streams.values() if not stream.on_demand)

    def _check_shard_limit(self, more: int) -> None:
        most, account = self.world.quotas["kinesis.shards"], self.world.account
        if (open := self._open_shards()) + more > most:
            raise too_much(
                f"This request would exceed the shard limit for the account {account} in {self.world.region}. Current "
                f"shard count for the account: {open}. Limit: {most}. Number of additional shards that would have "
                f"resulted from this request: {more}. Refer to the AWS Service Limits page "
                "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to "
                "request higher limits."
            )

    # ---- resharding --------------------------------------------------------------------------------------------------

    def split_shard(
        self,
        request: Request,
        *,
        stream: Stream,
        shard_to_split: str,
        new_starting_hash_key: str,
    ) -> Document:
        self._check_reshardable(stream)
        shard, at = self._open_shard(stream, shard_to_split), int(new_starting_hash_key)
        if not shard.low + 1 < at < shard.high:
            raise argument(
                f"NewStartingHashKey {at} used in SplitShard() on shard {shard.id} in stream {stream.name} under "
                f"account {self.world.account} is not both greater than one plus the shard's StartingHashKey "
                f"{shard.low} and less than the shard's EndingHashKey {shard.high}."
            )
        self._check_shard_limit(1)
        self._reshard(stream, request, 1, lambda: stream.split(shard, at, request.row))
        return {}

    def merge_shards(
        self,
        request: Request,
        *,
        stream: Stream,
        shard_to_merge: str,
        adjacent_shard_to_merge: str,
    ) -> Document:
        self._check_reshardable(stream)
        one, two = (self._open_shard(stream, id) for id in (shard_to_merge, adjacent_shard_to_merge))
        if one.high + 1 != two.low and two.high + 1 != one.low:
            raise argument(
                f"Shards {one.id} and {two.id} in stream {stream.name} under account {self.world.account} are not an "
                "adjacent pair of shards eligible for merging"
            )
        self._reshard(stream, request, 1, lambda: stream.merge(one, two, request.row))
        return {}

    def update_shard_count(
        self,
        request: Request,
        *,
        stream: Stream,
        target_shard_count: int,
        scaling_type: str,
    ) -> Document:
        self._check_reshardable(stream)
        open, target = len(stream.open_shards), target_shard_count
        counts = f"Current open shard count: {open} Target shard count: {target}"
        if target > 2 * open:
            raise too_much(f"UpdateShardCount cannot scale up over double your current open shard count. {counts}")
        if 2 * target < open:
            raise too_much(f"UpdateShardCount cannot scale down below half your current open shard count. {counts}")
        if target > (most := self.world.quotas["kinesis.update_shards_max"]):
            raise too_much(f"UpdateShardCount cannot scale up to more than {most} shards. {counts}")
        self._check_shard_limit(target - open)
        self._at_most(stream.count_changes, "kinesis.count_changes", stream, "UpdateShardCount")
        if target != open:
            steps = 1 if target in (2 * open, open / 2) else 2
            self._reshard(stream, request, steps, lambda: stream.reshape(target, request.row))
        return {
            "StreamName": stream.name,
            "StreamARN": stream.arn,
            "CurrentShardCount": open,
            "TargetShardCount": target,
        }

    def _check_reshardable(self, stream: Stream) -> None:
        if stream.on_demand:  # text: emulator
            where = f"Stream {stream.name} under account {self.world.account}"
            raise _validation(f"Request is invalid. {where} is in On-Demand mode.")
        self._check_active(stream)

    def _open_shard(self, stream: Stream, id: str) -> Shard:
        shard = stream.shards.get(id)
        where = f"in stream {stream.name} under account {self.world.account}"
        if shard is None:  # recorded in 2020
            raise not_found(f"Could not find shard {id} {where}.")
        if shard.end is not None:
            raise argument(f"Shard {id} {where} is closed: only open shards can be split or merged.")
        return shard

    def _reshard(self, stream: Stream, request: Request, steps: int, change: Callable[[], Any]) -> None:
        stream.update(request.row, steps * self.world.quotas["kinesis.reshard_time"], change)

    # ---- consumers with a pipe of their own --------------------------------------------------------------------------

    def register_stream_consumer(
        self, request: Request, *, stream: Stream, consumer_name: str, tags: dict[str, str] | None = None
    ) -> Document:
        quotas = self.world.quotas
        if stream.status not in ("ACTIVE", "UPDATING"):
            self._check_active(stream)
        if consumer_name in stream.consumers:
            raise in_use(
                f"Consumer {consumer_name} under stream {stream.name} already exists for account {self.world.account}."
            )
        creating = sum(consumer.status == "CREATING" for consumer in stream.consumers.values())
        if len(stream.consumers) >= quotas["kinesis.consumers"] or creating >= quotas["kinesis.consumers_creating"]:
            where = f"stream {stream.name} under account {self.world.account}"
            raise too_much(f"This request would exceed the limit on consumers of {where}.")
        stamp = int(self.world.kernel.epoch + self.now)
        consumer = Consumer(consumer_name, f"{stream.arn}/consumer/{consumer_name}:{stamp}", stream, self.now)
        stream.consumers[consumer_name] = consumer
        self._tag(consumer.arn, tags)
        self.world.trace.add("ConsumerRegistered", stream.name, "", request.caller, request.row, consumer_name)
        self.world.kernel.after(quotas["kinesis.register_time"], self._registered, consumer)
        return {"Consumer": self._shown(consumer)}

    def _registered(self, consumer: Consumer) -> None:
        if consumer.status == "CREATING":
            consumer.status = "ACTIVE"

    def deregister_stream_consumer(
        self,
        request: Request,
        *,
        stream_arn: str | None = None,
        consumer_name: str | None = None,
        consumer_arn: str | None = None,
    ) -> Document:
        consumer = self._consumer(consumer_arn, stream_arn, consumer_name)
        consumer.status = "DELETING"
        self.world.trace.add(
            "ConsumerDeregistered", consumer.stream.name, "", request.caller, request.row, consumer.name
        )
        text = f"Consumer {consumer.name}, account {self.world.account} not found."
        self.world.kernel.after(self.world.quotas["kinesis.register_time"], self._forget, consumer, text)
        return {}

    def _forget(self, consumer: Consumer, why: str) -> None:
        for pipe in tuple(consumer.pipes.values()):
            pipe.end(not_found(why))
        if consumer.stream.consumers.get(consumer.name) is consumer:
            del consumer.stream.consumers[consumer.name]
        self._tags.pop(consumer.arn, None)

    def describe_stream_consumer(
        self,
        request: Request,
        *,
        stream_arn: str | None = None,
        consumer_name: str | None = None,
        consumer_arn: str | None = None,
    ) -> Document:
        consumer = self._consumer(consumer_arn, stream_arn, consumer_name)
        return {"ConsumerDescription": self._shown(consumer) | {"StreamARN": consumer.stream.arn}}

    def list_stream_consumers(
        self, request: Request, *, stream: Stream, next_token: str | None = None, max_results: int = 100
    ) -> Document:
        after = self._token(next_token) if next_token else None
        names, more = self._page_of(stream.consumers, after, max_results)
        return {"Consumers": [self._shown(stream.consumers[name]) for name in names]} | more

    def _shown(self, consumer: Consumer) -> Document:
        return consumer.describe() | {"ConsumerCreationTimestamp": self._date(consumer.created)}


def _validation(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
