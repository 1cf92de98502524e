"""What AWS was recorded to do with streams. See `recordings.py`."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from botocore.config import Config
from knowledge.recordings import ACCOUNT, REGION, Lab, Suite, refused

KINESIS = Suite("Kinesis")
ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"
HELLO = [f"Hello world_{n}".encode() for n in range(5)]

KINESIS.apart(
    "the binary form CBOR, which boto3 does not speak",
    "subscribe_to_shard_with_at_timestamp_cbor",
    "cbor_blob_handling",
    "cbor_exceptions",
)
KINESIS.apart("functions in Java", "subscribe_to_shard_with_java_sdk_v2_lambda")


def _stream(lab: Lab, shards: int | None = 1) -> list[dict[str, Any]]:
    """Make a stream, and give its shards when it is active."""
    lab.kinesis.create_stream(StreamName="s", **({"ShardCount": shards} if shards else {}))
    lab.kinesis.get_waiter("stream_exists").wait(StreamName="s")
    found: list[dict[str, Any]] = lab.kinesis.describe_stream(StreamName="s")["StreamDescription"]["Shards"]
    return found


def _consumer(lab: Lab) -> str:
    """Register a consumer, and give its ARN when it is active."""
    arn: str = lab.kinesis.register_stream_consumer(StreamARN=ARN, ConsumerName="consumer")["Consumer"]["ConsumerARN"]
    lab.wait(60)
    return arn


def _put(lab: Lab, *data: bytes) -> None:
    lab.kinesis.put_records(StreamName="s", Records=[{"Data": each, "PartitionKey": "1"} for each in data])


def _iterator(lab: Lab, kind: str = "TRIM_HORIZON") -> str:
    given = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": kind}
    found: str = lab.kinesis.get_shard_iterator(**given)["ShardIterator"]
    return found


def _records(stream: Iterable[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """So many records of a subscription."""
    found: list[dict[str, Any]] = []
    for entry in stream:
        event = entry["SubscribeToShardEvent"]
        assert set(event) >= {"Records", "ContinuationSequenceNumber", "MillisBehindLatest"}
        found += event["Records"]
        if len(found) >= count:
            break
    return found


@KINESIS.same("create_stream_without_stream_name_raises")
def _(lab: Lab) -> None:
    client = lab.cloud.client("kinesis", config=Config(parameter_validation=False))
    assert refused(client.create_stream)["status"] == 400


@KINESIS.same("create_stream_without_shard_count")
def _(lab: Lab) -> None:
    shards = _stream(lab, None)
    assert len(shards) == 4 and len({shard["ShardId"] for shard in shards}) == 4
    for shard in shards:
        assert set(shard) == {"ShardId", "HashKeyRange", "SequenceNumberRange"}
        assert set(shard["SequenceNumberRange"]) == {"StartingSequenceNumber"}


@KINESIS.same("stream_consumers")
def _(lab: Lab) -> None:
    _stream(lab)
    assert lab.kinesis.list_stream_consumers(StreamARN=ARN)["Consumers"] == []
    arn = _consumer(lab)
    (entry,) = lab.kinesis.list_stream_consumers(StreamARN=ARN)["Consumers"]
    found = lab.kinesis.describe_stream_consumer(StreamARN=ARN, ConsumerARN=arn)["ConsumerDescription"]
    assert found == {**entry, "StreamARN": ARN} and arn.startswith(ARN + "/consumer/consumer")
    assert set(entry) == {"ConsumerName", "ConsumerARN", "ConsumerStatus", "ConsumerCreationTimestamp"}
    assert (entry["ConsumerName"], entry["ConsumerARN"], entry["ConsumerStatus"]) == ("consumer", arn, "ACTIVE")


@KINESIS.same(
    "subscribe_to_shard",
    "subscribe_to_shard_with_at_timestamp",
    "subscribe_to_shard_with_sequence_number_as_iterator",
)
def _(lab: Lab) -> None:
    (shard,) = _stream(lab)
    first = shard["SequenceNumberRange"]["StartingSequenceNumber"]
    for position in (
        {"Type": "TRIM_HORIZON"},
        {"Type": "AT_TIMESTAMP", "Timestamp": datetime(2015, 1, 1)},
        {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": first},
    ):
        arn = _consumer(lab)
        given = {"ConsumerARN": arn, "ShardId": shard["ShardId"], "StartingPosition": position}
        events = lab.kinesis.subscribe_to_shard(**given)["EventStream"]
        if position["Type"] == "TRIM_HORIZON":
            _put(lab, *HELLO)
        found = _records(events, 5)
        assert [record["Data"] for record in found] == HELLO
        assert all(record["PartitionKey"] == "1" for record in found)
        assert sorted(int(record["SequenceNumber"]) for record in found) == [int(r["SequenceNumber"]) for r in found]
        assert set(found[0]) - {"EncryptionType"} == {
            "SequenceNumber",
            "ApproximateArrivalTimestamp",
            "Data",
            "PartitionKey",
        }
        lab.kinesis.deregister_stream_consumer(ConsumerARN=arn)
        lab.wait(60)


@KINESIS.same("subscribe_to_shard_timeout")
def _(lab: Lab) -> None:
    (shard,) = _stream(lab)
    given = {"ConsumerARN": _consumer(lab), "ShardId": shard["ShardId"], "StartingPosition": {"Type": "TRIM_HORIZON"}}
    events = lab.kinesis.subscribe_to_shard(**given)["EventStream"]
    lab.wait(305)
    _put(lab, b"too late")
    assert [record for entry in events for record in entry["SubscribeToShardEvent"]["Records"]] == []


@KINESIS.same("get_records", "get_records_empty_stream", "get_records_shard_iterator_with_surrounding_quotes")
def _(lab: Lab) -> None:
    _stream(lab)
    assert lab.kinesis.get_records(ShardIterator=_iterator(lab))["Records"] == []
    _put(lab, b"Hello world")
    lab.wait(1)
    (record,) = lab.kinesis.get_records(ShardIterator=_iterator(lab))["Records"]
    assert record["Data"] == b"Hello world"
    assert lab.kinesis.get_records(ShardIterator=f'"{_iterator(lab)}"')["Records"] == [record]


@KINESIS.same("record_lifecycle_data_integrity")
def _(lab: Lab) -> None:
    _stream(lab)
    iterator = _iterator(lab)
    data = ["test", "ünicödé 统一码 💣💻🔥", "a" * 1000, ""]
    for text in data:
        lab.kinesis.put_record(StreamName="s", Data=text, PartitionKey="1")
    lab.wait(1)
    found = lab.kinesis.get_records(ShardIterator=iterator)["Records"]
    assert [record["Data"].decode() for record in found] == data


@KINESIS.same("add_tags_to_stream")
def _(lab: Lab) -> None:
    _stream(lab)
    lab.kinesis.add_tags_to_stream(StreamName="s", Tags={"foo": "bar"})
    found = lab.kinesis.list_tags_for_stream(StreamName="s")
    assert found["Tags"] == [{"Key": "foo", "Value": "bar"}] and found["HasMoreTags"] is False


@KINESIS.same("get_records_next_shard_iterator")
def _(lab: Lab) -> None:
    _stream(lab)
    iterators = [_iterator(lab, "LATEST")]
    for _ in range(2):
        iterators.append(lab.kinesis.get_records(ShardIterator=iterators[-1])["NextShardIterator"])
    assert len(set(iterators)) == 3, iterators


@KINESIS.retold("resource_policy_crud")
def _(lab: Lab) -> None:
    _stream(lab)
    assert json.loads(lab.kinesis.get_resource_policy(ResourceARN=ARN)["Policy"]) == {}
    statement = {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kinesis:PutRecord",
        "Resource": ARN,
    }
    for action in ("kinesis:PutRecord", ["kinesis:PutRecord", "kinesis:GetRecords"]):
        policy = {"Version": "2012-10-17", "Statement": [{**statement, "Action": action}]}
        lab.kinesis.put_resource_policy(ResourceARN=ARN, Policy=json.dumps(policy))
        assert json.loads(lab.kinesis.get_resource_policy(ResourceARN=ARN)["Policy"]) == policy
    lab.kinesis.delete_resource_policy(ResourceARN=ARN)
    assert json.loads(lab.kinesis.get_resource_policy(ResourceARN=ARN)["Policy"]) == {}
    assert refused(lab.kinesis.delete_resource_policy, ResourceARN=ARN)["Code"] == "ResourceNotFoundException"
    unknown = ARN.removesuffix("s") + "unknown"
    error = refused(
        lab.kinesis.put_resource_policy, ResourceARN=unknown, Policy=json.dumps(policy).replace(ARN, unknown)
    )
    assert error["Code"] == "ResourceNotFoundException"
