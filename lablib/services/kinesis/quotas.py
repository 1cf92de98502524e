"""Quotas and prices of Kinesis Data Streams, and what the model of a stream assumes."""

from __future__ import annotations

from lablib.aws.quotas import Quota, assumed, quota

MIB = 1 << 20
_GUIDE = "guide: quotas and limits"
_REGION = "guide: quotas and limits (us-east-1; other Regions less)"
_FANOUT = "API: SubscribeToShard"
_ON_DEMAND = "guide: how do I size a stream"
_PRICE = "price list: Kinesis Data Streams, us-east-1"

QUOTAS: tuple[Quota, ...] = (
    quota("kinesis.shard_write", MIB, MIB, "bytes/s per shard", "course of 2023; API: PutRecords"),
    quota("kinesis.shard_records", 1000, 1000, "records/s per shard", "course of 2023; API: PutRecords"),
    quota("kinesis.shard_read", 2 * MIB, 2 * MIB, "bytes/s per shard", "course of 2023; API: GetRecords"),
    quota("kinesis.shard_calls", 5, 5, "GetRecords/s per shard", "API: GetRecords"),
    quota("kinesis.iterator_calls", 5, 5, "GetShardIterator/s per shard", "API: GetShardIterator"),
    quota("kinesis.read_records", 10_000, 10_000, "records", "API: GetRecords (Limit)"),
    quota("kinesis.read_size", 10 * MIB, 10 * MIB, "bytes", "API: GetRecords"),
    quota("kinesis.record_size", MIB, MIB, "bytes", "course of 2023; API: PutRecord (the default of a stream)"),
    quota("kinesis.record_size_max", MIB, 10 * MIB, "bytes", "API: UpdateMaxRecordSize, since late 2025"),
    quota("kinesis.put_records", 500, 500, "records", "API: PutRecords"),
    quota("kinesis.put_size", 5 * MIB, 10 * MIB, "bytes", "API: PutRecords (data and keys)"),
    quota("kinesis.retention", 24, 24, "hours", "course of 2023; API: IncreaseStreamRetentionPeriod"),
    quota("kinesis.retention_max", 8760, 8760, "hours", "course of 2023; API: IncreaseStreamRetentionPeriod"),
    quota("kinesis.iterator", 300, 300, "s", "API: GetShardIterator"),
    quota("kinesis.token", 300, 300, "s", "API: ListShards (NextToken)"),
    quota("kinesis.shards", 500, 20_000, "shards", _REGION),
    quota("kinesis.creating", 5, 5, "streams", "API: CreateStream"),
    quota("kinesis.count_changes", 10, 10, "a day per stream", "API: UpdateShardCount"),
    quota("kinesis.update_shards_max", 10_000, 10_000, "shards", "API: UpdateShardCount"),
    quota("kinesis.key_changes", 25, 25, "a day per stream", "API: StartStreamEncryption"),
    assumed("kinesis.data_key_reuse", 300, "s", "how long a data key is reused, as by SQS and SNS", 1, 86_400),
    quota("kinesis.tags", 50, 50, "tags", "API: AddTagsToStream"),
    quota("kinesis.fan_out_read", 2 * MIB, 2 * MIB, "bytes/s per consumer and shard", _FANOUT),
    quota("kinesis.consumers", 20, 20, "consumers", "API: RegisterStreamConsumer (50 with on-demand advantage)"),
    quota("kinesis.consumers_creating", 5, 5, "consumers", "API: RegisterStreamConsumer"),
    quota("kinesis.subscription", 300, 300, "s", _FANOUT),
    quota("kinesis.subscription_guard", 5, 5, "s", _FANOUT + ": until another call may take over"),
    quota("kinesis.on_demand_shards", 4, 4, "shards", _ON_DEMAND + " (4 MB/s at the start)"),
    quota("kinesis.on_demand_streams", 50, 50, "streams", "API: DescribeLimits"),
    quota("kinesis.on_demand_busy", 500_000, 500_000, "bytes/s per shard", _ON_DEMAND),
    quota("kinesis.on_demand_write_max", 200 * MIB, 10_240 * MIB, "bytes/s", _ON_DEMAND + "; " + _REGION),
    quota("kinesis.mode_changes", 2, 2, "a day per stream", _ON_DEMAND),
    assumed("kinesis.on_demand_window", 60, "s", "time over which an on-demand shard's load is averaged", 1, 900),
    assumed(
        "kinesis.on_demand_reaction", 600, "s", "until a busy on-demand shard is split; AWS: within 15 minutes", 0, 900
    ),
    assumed(
        "kinesis.read_delay", 0.06, "s", "until a record can be polled; guide: about 200 ms with one consumer", 0, 60
    ),
    assumed(
        "kinesis.empty_reads", 0, "share", "of reads that bring nothing though records follow; API: GetRecords", 0, 0.9
    ),
    assumed(
        "kinesis.clock_error",
        0,
        "s",
        "by which an arrival time is too early, at most; API: GetRecords: no order",
        0,
        60,
    ),
    assumed("kinesis.push_delay", 0.06, "s", "until a record is pushed; guide: about 70 ms with fan-out", 0, 60),
    assumed("kinesis.push_idle", 5, "s", "between two events of a subscription to which nothing comes", 0.1, 300),
    assumed("kinesis.create_time", 15, "s", "CREATING", 0, 3600),
    assumed("kinesis.delete_time", 15, "s", "DELETING", 0, 3600),
    assumed("kinesis.update_time", 5, "s", "UPDATING, for anything but shards", 0, 3600),
    assumed("kinesis.reshard_time", 30, "s", "UPDATING, for a split or merge; reported: up to a minute", 0, 3600),
    assumed("kinesis.register_time", 3, "s", "CREATING and DELETING of a consumer", 0, 3600),
    quota("kinesis.price_shard_hour", 0.015, 0.015, "$", _PRICE),
    quota("kinesis.price_put", 0.014, 0.014, "$ a million units", _PRICE),
    quota(
        "kinesis.price_unit", 25 * 1024, 25 * 1024, "bytes", _PRICE + ": a record is a PUT payload unit for each 25 KB"
    ),
    quota("kinesis.price_extended_hour", 0.020, 0.020, "$ a shard", _PRICE + ": retention of up to 7 days"),
    quota("kinesis.price_kept", 0.023, 0.023, "$ a GB and month", _PRICE + ": kept for more than 7 days"),
    quota("kinesis.price_fan_out_hour", 0.015, 0.015, "$ a consumer and shard", _PRICE),
    quota("kinesis.price_fan_out", 0.013, 0.013, "$ a GB", _PRICE),
    quota("kinesis.price_on_demand_hour", 0.04, 0.04, "$ a stream", _PRICE),
    quota("kinesis.price_on_demand_in", 0.08, 0.08, "$ a GB", _PRICE),
    quota("kinesis.price_on_demand_out", 0.04, 0.04, "$ a GB", _PRICE),
    quota("kinesis.price_on_demand_fan_out", 0.05, 0.05, "$ a GB", _PRICE),
)
