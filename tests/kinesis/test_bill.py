"""What a stream costs. Prices: the price list of Kinesis Data Streams for us-east-1, as `quotas.py` names it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib import Cloud
from lablib.measures import Measures

HOUR = 3600
SETTLE = 40  # seconds until a new stream, or one that was resharded, is ACTIVE


def stream(cloud, **how):
    kinesis = cloud.client("kinesis")
    kinesis.create_stream(StreamName="trucks", **(how or {"ShardCount": 2}))
    cloud.advance(SETTLE)
    return kinesis


def bill(cloud):
    return Measures(cloud.trace, cloud.now).bill()["kinesis"]


def test_open_shards_are_billed_by_the_hour_and_closed_ones_are_not():
    with Cloud(seed=1) as cloud:
        kinesis = stream(cloud)
        kinesis.update_shard_count(StreamName="trucks", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
        split = cloud.now
        cloud.advance(HOUR)
        reshard = cloud.trace.where("ShardSplit")[0].time
        hours = (reshard * 2 + (cloud.now - reshard) * 4) / HOUR
        assert split <= reshard
        assert bill(cloud) == {"shard hours": pytest.approx(hours * 0.015, rel=1e-3)}


def test_a_deleted_stream_costs_nothing_more():
    with Cloud(seed=1) as cloud:
        stream(cloud).delete_stream(StreamName="trucks")
        cloud.advance(SETTLE)
        before = bill(cloud)
        cloud.advance(HOUR)
        assert bill(cloud) == before


def test_each_25_kb_of_a_record_is_a_unit():
    with Cloud(seed=1) as cloud:
        kinesis = stream(cloud)
        for size in (1, 25 * 1024 - 1, 25 * 1024, 60 * 1024):  # with a key of one byte
            kinesis.put_record(StreamName="trucks", Data=b"x" * size, PartitionKey="k")
        assert bill(cloud)["PUT units"] == pytest.approx((1 + 1 + 2 + 3) * 0.014 / 1e6)


def test_a_stream_on_demand_is_billed_by_what_goes_through_it():
    with Cloud(seed=1) as cloud:
        kinesis = stream(cloud, StreamModeDetails={"StreamMode": "ON_DEMAND"})
        kinesis.put_record(StreamName="trucks", Data=b"x" * 99_999, PartitionKey="k")
        cloud.advance(1)
        for shard in kinesis.list_shards(StreamName="trucks")["Shards"]:
            start = {"ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = kinesis.get_shard_iterator(StreamName="trucks", **start)["ShardIterator"]
            kinesis.get_records(ShardIterator=iterator)
        cloud.advance(HOUR)
        found = bill(cloud)
        assert found["on-demand hours"] == pytest.approx(cloud.now / HOUR * 0.04, rel=1e-3)
        assert found["on-demand in"] == pytest.approx(100_000 / (1 << 30) * 0.08)
        assert found["on-demand out"] == pytest.approx(100_000 / (1 << 30) * 0.04)
        assert set(found) == {"on-demand hours", "on-demand in", "on-demand out"}


def test_a_registered_consumer_costs_by_the_hour_for_each_shard():
    with Cloud(seed=1) as cloud:
        kinesis = stream(cloud)
        arn = kinesis.describe_stream(StreamName="trucks")["StreamDescription"]["StreamARN"]
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="map")
        registered = cloud.now
        cloud.advance(HOUR)
        expected = (cloud.now - registered) * 2 / HOUR * 0.015
        assert bill(cloud)["enhanced fan-out hours"] == pytest.approx(expected, rel=1e-3)


def test_a_longer_retention_costs_for_each_shard_and_beyond_a_week_for_each_byte():
    with Cloud(seed=1) as cloud:
        kinesis = stream(cloud)
        kinesis.put_record(StreamName="trucks", Data=b"x" * 999_999, PartitionKey="k")
        kinesis.increase_stream_retention_period(StreamName="trucks", RetentionPeriodHours=24 * 30)
        cloud.advance(8 * 24 * HOUR)
        found = bill(cloud)
        assert found["extended retention"] == pytest.approx(2 * 8 * 24 * 0.020, rel=1e-2)
        assert found["long-term retention"] == pytest.approx(1_000_000 / (1 << 30) * 24 / 730 * 0.023, rel=1e-2)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(0, 20), st.integers(1, 50_000))
def test_more_records_shards_or_time_never_cost_less(shards, records, size):
    def cost(shards, records, size, hours):
        with Cloud(seed=1) as cloud:
            kinesis = stream(cloud, ShardCount=shards)
            for n in range(records):
                kinesis.put_record(StreamName="trucks", Data=b"x" * size, PartitionKey=str(n))
            cloud.advance(hours * HOUR)
            return Measures(cloud.trace, cloud.now).cost()

    least = cost(shards, records, size, 1)
    for more in ((shards + 1, records, size, 1), (shards, records + 1, size, 1), (shards, records, size, 2)):
        assert cost(*more) >= least
