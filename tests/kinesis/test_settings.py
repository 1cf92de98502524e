"""A stream's settings: encryption, enhanced monitoring, tags, and which shards ListShards lists."""

import pytest
from aws_errors import code
from kinesis.conftest import ARN, FIRST

SECOND, THIRD = "shardId-000000000001", "shardId-000000000002"


def summary(lab):
    return lab.kinesis.describe_stream_summary(StreamName="trucks")["StreamDescriptionSummary"]


@pytest.mark.guide
def test_encryption_begins_and_ends_in_a_while_and_records_stay_readable(lab):
    key = lab.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    lab.put(b"before")
    lab.kinesis.start_stream_encryption(StreamName="trucks", EncryptionType="KMS", KeyId=key)
    assert summary(lab)["StreamStatus"] == "UPDATING"
    stop = {"StreamName": "trucks", "EncryptionType": "KMS", "KeyId": key}
    assert code(lab.kinesis.stop_stream_encryption, **stop) == "ResourceInUseException"
    lab.until_active()
    assert (summary(lab)["EncryptionType"], summary(lab)["KeyId"]) == ("KMS", key)
    lab.put(b"after")
    assert lab.bodies() == [b"before", b"after"]
    lab.kinesis.stop_stream_encryption(**stop)
    lab.until_active()
    assert summary(lab)["EncryptionType"] == "NONE"
    assert "KeyId" not in summary(lab)


@pytest.mark.guide
def test_enhanced_monitoring_tells_what_it_was_and_what_it_is(lab):
    on = lab.kinesis.enable_enhanced_monitoring(
        StreamName="trucks", ShardLevelMetrics=["IncomingBytes", "IncomingRecords"]
    )
    assert on["CurrentShardLevelMetrics"] == []
    assert sorted(on["DesiredShardLevelMetrics"]) == ["IncomingBytes", "IncomingRecords"]
    off = lab.kinesis.disable_enhanced_monitoring(StreamName="trucks", ShardLevelMetrics=["IncomingBytes"])
    assert off["DesiredShardLevelMetrics"] == ["IncomingRecords"]
    assert summary(lab)["EnhancedMonitoring"] == [{"ShardLevelMetrics": ["IncomingRecords"]}]
    every = lab.kinesis.enable_enhanced_monitoring(StreamName="trucks", ShardLevelMetrics=["ALL"])
    assert len(every["DesiredShardLevelMetrics"]) == 7
    assert (
        lab.kinesis.disable_enhanced_monitoring(StreamName="trucks", ShardLevelMetrics=["ALL"])[
            "DesiredShardLevelMetrics"
        ]
        == []
    )


@pytest.mark.guide
def test_tags_are_listed_page_by_page_under_both_of_their_calls(lab):
    lab.kinesis.add_tags_to_stream(StreamName="trucks", Tags={"b": "2", "a": "1"})
    lab.kinesis.tag_resource(ResourceARN=ARN, Tags={"c": "3"})
    page = lab.kinesis.list_tags_for_stream(StreamName="trucks", Limit=2)
    assert ([tag["Key"] for tag in page["Tags"]], page["HasMoreTags"]) == (["a", "b"], True)
    page = lab.kinesis.list_tags_for_stream(StreamName="trucks", ExclusiveStartTagKey="b")
    assert ([tag["Key"] for tag in page["Tags"]], page["HasMoreTags"]) == (["c"], False)
    lab.kinesis.remove_tags_from_stream(StreamName="trucks", TagKeys=["a"])
    lab.kinesis.untag_resource(ResourceARN=ARN, TagKeys=["b"])
    assert lab.kinesis.list_tags_for_resource(ResourceARN=ARN)["Tags"] == [{"Key": "c", "Value": "3"}]


def listed(lab, **wanted):
    return [shard["ShardId"] for shard in lab.shards(ShardFilter=wanted)]


@pytest.mark.guide
def test_the_shards_of_a_time_are_those_that_were_open_then(lab):
    lab.cloud.advance(100)
    lab.split()
    assert listed(lab, Type="AT_LATEST") == [SECOND, THIRD]
    assert listed(lab, Type="AT_TRIM_HORIZON") == [FIRST]
    assert listed(lab, Type="FROM_TRIM_HORIZON") == [FIRST, SECOND, THIRD]
    assert listed(lab, Type="AFTER_SHARD_ID", ShardId=SECOND) == [THIRD]
    now = summary(lab)["StreamCreationTimestamp"].timestamp() + lab.cloud.now
    assert listed(lab, Type="FROM_TIMESTAMP", Timestamp=now) == [SECOND, THIRD]
    assert listed(lab, Type="AT_TIMESTAMP", Timestamp=now - 90) == [FIRST]
    assert listed(lab, Type="FROM_TIMESTAMP", Timestamp=now - 90) == [FIRST, SECOND, THIRD]
