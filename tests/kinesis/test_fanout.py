"""Kinesis Data Streams, enhanced fan-out: registered consumers, each with a pipe of its own."""

from itertools import islice

import pytest
from botocore.exceptions import ClientError
from kinesis.conftest import ARN, FIRST

MIB = 1 << 20


def first(stream, count=1):
    return [event["SubscribeToShardEvent"] for event in islice(stream, count)]


@pytest.mark.guide
def test_records_are_pushed_to_a_subscriber(lab):
    lab.put(b"before")
    stream = lab.subscribe(lab.consumer("a"))
    (event,) = first(stream)
    assert [record["Data"] for record in event["Records"]] == [b"before"]
    sent = lab.cloud.now
    lab.put(b"after")
    (event,) = first(stream)
    assert [record["Data"] for record in event["Records"]] == [b"after"]
    assert lab.cloud.now - sent < 0.1, "about 70 ms"


@pytest.mark.guide
def test_a_subscription_ends_after_five_minutes_and_goes_on_from_where_it_was(lab):
    consumer = lab.consumer("a")
    began = lab.cloud.now
    lab.put(b"one")
    events = first(lab.subscribe(consumer), 1000)
    assert 299 < lab.cloud.now - began < 301
    lab.put(b"two")
    answer = lab.kinesis.subscribe_to_shard(
        ConsumerARN=consumer,
        ShardId=FIRST,
        StartingPosition={
            "Type": "AFTER_SEQUENCE_NUMBER",
            "SequenceNumber": events[-1]["ContinuationSequenceNumber"],
        },
    )
    lab.cloud.advance(1)
    got = [record["Data"] for event in first(answer["EventStream"], 2) for record in event["Records"]]
    assert got == [b"two"]


@pytest.mark.reported
def test_one_registered_consumer_is_one_reader_of_a_shard(lab):
    """Case: refused in the first five seconds, taken over after that. lifion/lifion-kinesis#153; API reference."""
    consumer, other = lab.consumer("a"), lab.consumer("b")
    old = lab.subscribe(consumer)
    lab.cloud.advance(2)
    with pytest.raises(ClientError, match="ResourceInUseException"):
        lab.subscribe(consumer)
    lab.cloud.advance(8)
    new = lab.subscribe(consumer)
    apart = lab.subscribe(other)
    lab.put(b"x")
    lab.cloud.advance(1)
    for stream in (new, apart):
        assert b"x" in [record["Data"] for event in first(stream, 2) for record in event["Records"]]
    with pytest.raises(ClientError, match="ResourceInUseException"):
        list(old)


@pytest.mark.guide
def test_a_pipe_carries_two_mebibytes_a_second_whoever_else_reads(lab):
    for n in range(8):
        lab.put(bytes(MIB - 10), key=f"key-{n}")
        lab.cloud.advance(1.1)
    streams = [lab.subscribe(lab.consumer(name)) for name in "ab"]
    began, read = lab.cloud.now, 0
    for stream in streams:
        size = 0
        for event in stream:
            size += sum(len(record["Data"]) for record in event["SubscribeToShardEvent"]["Records"])
            if size > 7 * MIB:
                break
        read += size
    assert read > 14 * MIB
    assert 3 < lab.cloud.now - began < 4.5, "both pipes were full at the same time"


@pytest.mark.guide
def test_the_last_event_of_a_closed_shard_names_its_children(lab):
    stream = lab.subscribe(lab.consumer("a"))
    lab.split()
    last = first(stream, 1000)[-1]
    assert [child["ShardId"] for child in last["ChildShards"]] == ["shardId-000000000001", "shardId-000000000002"]


@pytest.mark.guide
def test_a_stream_that_is_closed_gives_nothing_more(lab):
    stream = lab.subscribe(lab.consumer("a"))
    stream.close()
    assert list(stream) == []


@pytest.mark.guide
def test_an_error_inside_the_stream_is_raised_where_the_next_event_is_taken(lab):
    from botocore.exceptions import EventStreamError

    consumer = lab.consumer("a")
    stream = lab.subscribe(consumer)
    first(stream)
    lab.kinesis.deregister_stream_consumer(ConsumerARN=consumer)
    with pytest.raises(EventStreamError, match="ResourceNotFoundException"):
        list(stream)


@pytest.mark.guide
def test_a_consumer_that_is_not_active_cannot_read(lab):
    made = lab.kinesis.register_stream_consumer(StreamARN=ARN, ConsumerName="a")["Consumer"]
    assert made["ConsumerStatus"] == "CREATING"
    with pytest.raises(ClientError, match="ResourceInUseException"):
        lab.subscribe(made["ConsumerARN"])


@pytest.mark.guide
def test_a_consumer_that_is_made_again_has_another_arn(lab):
    consumer = lab.consumer("a")
    lab.kinesis.deregister_stream_consumer(ConsumerARN=consumer)
    lab.cloud.advance(30)
    assert lab.consumer("a") != consumer


@pytest.mark.guide
def test_a_stream_has_at_most_twenty_consumers_and_five_in_the_making(lab):
    for n in range(5):
        lab.kinesis.register_stream_consumer(StreamARN=ARN, ConsumerName=f"c{n}")
    with pytest.raises(lab.kinesis.exceptions.LimitExceededException):
        lab.kinesis.register_stream_consumer(StreamARN=ARN, ConsumerName="c5")
    for n in range(5, 20):
        lab.cloud.advance(10)
        lab.kinesis.register_stream_consumer(StreamARN=ARN, ConsumerName=f"c{n}")
    lab.cloud.advance(10)
    with pytest.raises(lab.kinesis.exceptions.LimitExceededException):
        lab.kinesis.register_stream_consumer(StreamARN=ARN, ConsumerName="c20")


@pytest.mark.guide
def test_a_stream_with_consumers_is_deleted_only_with_them(lab):
    stream = lab.subscribe(lab.consumer("a"))
    with pytest.raises(ClientError, match="ResourceInUseException"):
        lab.kinesis.delete_stream(StreamName="trucks")
    lab.kinesis.delete_stream(StreamName="trucks", EnforceConsumerDeletion=True)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        list(stream)
