"""A Kinesis stream as the source."""

import pytest
from firehose.conftest import Lab


@pytest.fixture
def lab():
    lab = Lab()
    lab.kinesis = lab.cloud.client("kinesis")
    lab.kinesis.create_stream(StreamName="trucks", ShardCount=2)
    lab.cloud.advance(20)
    return lab


def put(lab, *bodies):
    put_one = lab.kinesis.put_record
    return [put_one(StreamName="trucks", Data=b, PartitionKey=b.decode())["SequenceNumber"] for b in bodies]


def delivered(lab):
    return sorted(b"".join(lab.bodies()).decode())


@pytest.mark.guide
def test_it_begins_with_the_latest(lab):
    put(lab, b"a")
    lab.create_from("trucks")
    put(lab, b"b", b"c")
    lab.cloud.advance(90)
    assert delivered(lab) == ["b", "c"]


@pytest.mark.guide
def test_each_shard_is_read_once_a_second(lab):
    lab.create_from("trucks")
    before = len(lab.rows("GetRecords"))
    lab.cloud.advance(60)
    assert len(lab.rows("GetRecords")) - before == 2 * 60


@pytest.mark.guide
def test_the_record_is_the_same_subject_all_the_way(lab):
    lab.create_from("trucks")
    (record,) = put(lab, b"a")
    lab.cloud.advance(90)
    story = lab.cloud.explain(record)
    assert "put into trucks/shardId" in story and "read from its stream" in story and "delivered" in story


@pytest.mark.guide
def test_a_reshard_loses_nothing(lab):
    lab.create_from("trucks")
    for n in range(12):
        put(lab, b"%d" % n)
        if n == 3:
            half = {"StreamName": "trucks", "ScalingType": "UNIFORM_SCALING"}
            lab.kinesis.update_shard_count(TargetShardCount=4, **half)
        if n == 8:
            lab.kinesis.update_shard_count(TargetShardCount=2, **half)
        lab.cloud.advance(20)
    lab.cloud.advance(120)
    assert delivered(lab) == sorted("".join(str(n) for n in range(12)))


@pytest.mark.guide
def test_while_delivery_fails_the_data_waits_in_the_stream(lab):
    """Guide: with a stream as source, data is kept as long as the stream keeps it."""
    lab.kinesis.increase_stream_retention_period(StreamName="trucks", RetentionPeriodHours=72)
    lab.create_from("trucks")
    lab.fail("PutObject", seconds=30 * 3600)
    put(lab, b"a")
    lab.cloud.advance(120)
    before = len(lab.rows("GetRecords"))
    put(lab, b"b")
    lab.cloud.advance(29 * 3600)
    assert len(lab.rows("GetRecords")) == before
    lab.cloud.advance(2 * 3600)
    assert delivered(lab) == ["a", "b"] and lab.rows("RecordLost") == []


@pytest.mark.reported
def test_nobody_else_may_put(lab):
    lab.create_from("trucks")
    with pytest.raises(lab.firehose.exceptions.InvalidArgumentException) as caught:
        lab.put(b"x")
    text = "This operation is not permitted on KinesisStreamAsSource delivery stream type."
    assert caught.value.response["Error"]["Message"] == text


@pytest.mark.guide
def test_several_streams_read_the_same_one(lab):
    for name in ("one", "two"):
        lab.create_from("trucks", name)
    put(lab, b"a")
    lab.cloud.advance(90)
    assert delivered(lab) == ["a", "a"]


@pytest.mark.guide
def test_it_is_described_with_its_source(lab):
    lab.create_from("trucks")
    described = lab.describe()
    assert described["DeliveryStreamType"] == "KinesisStreamAsSource"
    source = described["Source"]["KinesisStreamSourceDescription"]
    assert source["KinesisStreamARN"].endswith(":stream/trucks")
    assert source["DeliveryStartTimestamp"] > described["CreateTimestamp"]
