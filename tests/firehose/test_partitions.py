"""Dynamic partitioning: a buffer for each prefix; what has no key goes to the error prefix."""

import json

import pytest
from firehose.conftest import processor, s3

HOME = {
    "Prefix": "page=!{partitionKeyFromQuery:page}/",
    "ErrorOutputPrefix": "bad/",
    "DynamicPartitioningConfiguration": {"Enabled": True},
}


def create(lab, query="{page: .page}", **more):
    processing = processor("MetadataExtraction", MetadataExtractionQuery=query, JsonParsingEngine="JQ-1.6")
    lab.create(ExtendedS3DestinationConfiguration=s3(size=64, ProcessingConfiguration=processing, **{**HOME, **more}))


def put(lab, *documents):
    return lab.put(*[json.dumps(document).encode() for document in documents])


@pytest.mark.guide
def test_each_partition_has_objects_of_its_own(lab):
    create(lab)
    put(lab, {"page": "a"}, {"page": "b"}, {"page": "a"})
    lab.cloud.advance(90)
    assert lab.bodies(prefix="page=a/") == [b'{"page": "a"}{"page": "a"}']
    assert lab.bodies(prefix="page=b/") == [b'{"page": "b"}']


@pytest.mark.guide
def test_keys_lie_at_the_end_of_a_path(lab):
    create(lab, "{page: .view.pages[1], n: .n}", Prefix="!{partitionKeyFromQuery:page}/!{partitionKeyFromQuery:n}/")
    put(lab, {"view": {"pages": ["x", "y"]}, "n": 7})
    lab.cloud.advance(90)
    assert lab.objects()[0].startswith("y/7/clicks-1-")


@pytest.mark.ours
def test_half_a_character_is_replaced_in_a_key(lab):
    """As jq 1.6 does with a lone surrogate."""
    create(lab)
    lab.put(b'{"page": "a\\ud800b"}')
    lab.cloud.advance(90)
    assert lab.objects()[0].startswith("page=a\ufffd")


@pytest.mark.guide
@pytest.mark.parametrize("body", [b"no json", b"{}", b'{"page": ""}', b'{"page": null}', b"[]", b"7", b"[" * 100_000])
def test_a_record_without_its_key_goes_to_the_error_prefix(lab, body):
    create(lab)
    lab.put(body)
    lab.cloud.advance(90)
    (error,) = lab.errors(prefix="bad/processing-failed/")
    assert error["errorCode"] == "DynamicPartitioning.MetadataExtractionFailed"


@pytest.mark.guide
def test_keys_can_come_from_the_transform(lab):
    def partition(event, context):
        keys = {"metadata": {"partitionKeys": {"half": "first"}}}
        return {
            "records": [
                {**keys, "recordId": r["recordId"], "result": "Ok", "data": r["data"]} for r in event["records"]
            ]
        }

    processing = lab.transform(partition, BufferIntervalInSeconds="0")
    prefix = {"Prefix": "!{partitionKeyFromLambda:half}/"}
    config = s3(size=64, ProcessingConfiguration=processing, **{**HOME, **prefix})
    lab.create(ExtendedS3DestinationConfiguration=config)
    lab.put(b"a")
    lab.cloud.advance(90)
    assert lab.bodies(prefix="first/") == [b"a"]


@pytest.mark.guide
def test_more_than_500_active_partitions_is_too_many(lab):
    create(lab)
    put(lab, *({"page": n} for n in range(501)))
    lab.cloud.advance(90)
    (error,) = lab.errors(prefix="bad/")
    assert error["errorCode"] == "DynamicPartitioning.ActivePartitionLimitExceeded"
    assert len(lab.objects(prefix="page=")) == 500
    put(lab, {"page": "later"})
    lab.cloud.advance(90)
    assert len(lab.objects(prefix="page=later/")) == 1, "what was delivered is active no more"
