"""What Kinesis Data Streams refuses, and in which words. `source`: from where the text is known."""

import pytest
from aws_errors import broken, case, code_and_message, guide, ours, recorded, reported
from kinesis.conftest import ACCOUNT, ARN, FIRST, Lab

UNDER = f"in stream trucks under account {ACCOUNT}"
CONSTRAINT = "failed to satisfy constraint: Member must"
NAME = "[a-zA-Z0-9_.-]+"
ENTRY = {"Data": b"x", "PartitionKey": "k"}
SECOND = "shardId-000000000001"
UNKNOWN = "shardId-000000000005"
ITERATOR = {"StreamName": "trucks", "ShardId": FIRST}
COUNT = {"StreamName": "trucks", "ScalingType": "UNIFORM_SCALING"}
EITHER = (
    "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) "
    "TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified "
)


CASES = [
    # ---- not there
    case(recorded, "describe_stream", {"StreamName": "none"}, "ResourceNotFoundException",
         f"Stream none under account {ACCOUNT} not found."),
    case(recorded, "get_shard_iterator", {**ITERATOR, "ShardId": UNKNOWN, "ShardIteratorType": "LATEST"},
         "ResourceNotFoundException", f"Shard {UNKNOWN} {UNDER} does not exist"),
    case(recorded, "get_shard_iterator", {**ITERATOR, "ShardId": "shard", "ShardIteratorType": "LATEST"},
         "ResourceNotFoundException", f"Could not find shard shard {UNDER}."),
    case(recorded, "split_shard", {"StreamName": "trucks", "ShardToSplit": UNKNOWN, "NewStartingHashKey": "9"},
         "ResourceNotFoundException", f"Could not find shard {UNKNOWN} {UNDER}."),
    case(reported, "describe_stream_consumer", {"StreamARN": ARN, "ConsumerName": "c"}, "ResourceNotFoundException",
         f"Consumer c, account {ACCOUNT} not found."),
    # ---- constraints of the API
    case(recorded, "create_stream", {"StreamName": "a b", "ShardCount": 1}, "ValidationException",
         broken("'a b' at 'streamName'", f"satisfy regular expression pattern: {NAME}")),
    case(recorded, "create_stream", {"StreamName": "a" * 129, "ShardCount": 1}, "ValidationException",
         broken(f"'{'a' * 129}' at 'streamName'", "have length less than or equal to 128")),
    case(recorded, "create_stream", {"StreamName": "ä" * 129, "ShardCount": 1}, "ValidationException",
         f"2 validation errors detected: Value '{'ä' * 129}' at 'streamName' {CONSTRAINT} satisfy regular expression "
         f"pattern: {NAME}; Value '{'ä' * 129}' at 'streamName' {CONSTRAINT} have length less than or equal to 128"),
    case(recorded, "put_record", {"StreamName": "trucks", "Data": b"x", "PartitionKey": "k" * 257},
         "ValidationException", broken(f"'{'k' * 257}' at 'partitionKey'", "have length less than or equal to 256")),
    case(reported, "put_record", {"StreamName": "trucks", "Data": bytes(2**20 + 1), "PartitionKey": "k"},
         "ValidationException", broken("at 'data'", "have length less than or equal to 1048576")),
    case(reported, "put_records", {"StreamName": "trucks", "Records": [{"Data": b"", "PartitionKey": "k"}] * 501},
         "ValidationException", broken("at 'records'", "have length less than or equal to 500")),
    case(recorded, "get_shard_iterator", {**ITERATOR, "ShardIteratorType": "FIRST"}, "ValidationException",
         broken("'FIRST' at 'shardIteratorType'", "satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, "
                "AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]")),
    # ---- one invalid entry refuses the whole call: partial success is for throttling and internal failures
    *(case(reported, "put_records", {"StreamName": "trucks", "Records": [ENTRY, ENTRY | bad, ENTRY]}, code, text)
      for bad, code, text in (
          ({"PartitionKey": "k" * 257}, "ValidationException",
           broken("... at 'records.2.member.partitionKey'", "have ...")),
          ({"ExplicitHashKey": str(2**128)}, "InvalidArgumentException",
           "Invalid ExplicitHashKey. ExplicitHashKey must be in the range..."),
          ({"Data": bytes(2**20 + 1)}, "ValidationException", broken("at 'records.2.member.data'", "...")))),
    # ---- iterators
    case(recorded, "get_records", {"ShardIterator": "AAAA"}, "InvalidArgumentException", "Invalid ShardIterator."),
    case(recorded, "get_shard_iterator", {**ITERATOR, "ShardIteratorType": "AT_SEQUENCE_NUMBER"},
         "InvalidArgumentException", f"{EITHER}AT_SEQUENCE_NUMBER and no StartingSequenceNumber."),
    case(recorded, "get_shard_iterator",
         {**ITERATOR, "ShardIteratorType": "LATEST", "StartingSequenceNumber": "1"},
         "InvalidArgumentException", f"{EITHER}LATEST and StartingSequenceNumber."),
    case(recorded, "get_shard_iterator", {**ITERATOR, "ShardIteratorType": "AT_TIMESTAMP"}, "InvalidArgumentException",
         "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp "
         "parameter."),
    # ---- retention
    case(reported, "increase_stream_retention_period", {"StreamName": "trucks", "RetentionPeriodHours": 23},
         "InvalidArgumentException",
         "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short."),
    case(reported, "increase_stream_retention_period", {"StreamName": "trucks", "RetentionPeriodHours": 8761},
         "InvalidArgumentException",
         "Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long."),
    case(reported, "decrease_stream_retention_period", {"StreamName": "trucks", "RetentionPeriodHours": 48},
         "InvalidArgumentException", "Requested retention period (48 hours) for stream trucks can not be longer than "
         "existing retention period (24 hours). Use IncreaseRetentionPeriod API."),
    # ---- resharding
    case(recorded, "split_shard", {"StreamName": "trucks", "ShardToSplit": FIRST, "NewStartingHashKey": "1"},
         "InvalidArgumentException",
         f"NewStartingHashKey 1 used in SplitShard() on shard {FIRST} {UNDER} is not both greater than one plus the "
         f"shard's StartingHashKey 0 and less than the shard's EndingHashKey {2**128 // 3 - 1}."),
    case(recorded, "merge_shards",
         {"StreamName": "trucks", "ShardToMerge": FIRST, "AdjacentShardToMerge": "shardId-000000000002"},
         "InvalidArgumentException", f"Shards {FIRST} and shardId-000000000002 {UNDER} are not an adjacent pair of "
         "shards eligible for merging"),
    case(reported, "update_shard_count", {**COUNT, "TargetShardCount": 7}, "LimitExceededException",
         "UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: 3 "
         "Target shard count: 7"),
    case(ours, "update_shard_count", {**COUNT, "TargetShardCount": 1}, "LimitExceededException",
         "UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: 3 "
         "Target shard count: 1"),
    case(guide, "create_stream", {"StreamName": "huge", "ShardCount": 501}, "LimitExceededException",
         "This request would exceed the shard limit for the account..."),
    # ---- encryption
    *(case(guide, f"{way}_stream_encryption",
           {"StreamName": "trucks", "EncryptionType": "NONE", "KeyId": "alias/aws/kinesis"}, "InvalidArgumentException",
           "EncryptionType NONE is not valid for...")
      for way in ("start", "stop")),
    # ---- lists
    *(case(guide, "list_shards", {"StreamName": "trucks", "ShardFilter": {"Type": kind}}, "InvalidArgumentException",
           f"ShardFilter: {lacks} is required for type {kind}.")
      for kind, lacks in (("AFTER_SHARD_ID", "ShardId"), ("AT_TIMESTAMP", "Timestamp"),
                          ("FROM_TIMESTAMP", "Timestamp"))),
    case(reported, "list_shards", {"StreamName": "trucks", "NextToken": "AAAA"}, "InvalidArgumentException",
         "NextToken and StreamName cannot be provided together."),
    case(ours, "list_streams", {"NextToken": "nonsense"}, "InvalidArgumentException", "NextToken nonsense is invalid."),
    # ---- what must be given
    case(ours, "describe_stream", {}, "InvalidArgumentException", "Either StreamName or StreamARN must be provided."),
    case(recorded, "create_stream", {"StreamName": "trucks", "ShardCount": 1}, "ResourceInUseException",
         f"Stream trucks under account {ACCOUNT} already exists."),
]  # fmt: skip


@pytest.fixture(scope="module")
def lab():
    return Lab(shards=3)


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_in_the_words_of_aws(lab, case):
    lab.cloud.advance(1)
    stream = lab.cloud.service("kinesis").stream("trucks")
    case.check(lab.kinesis, left=lambda: (stream.summary(), lab.rows("RecordPut")))


@pytest.mark.recorded
def test_a_sequence_number_of_another_shard(lab):
    number = lab.put(b"x", ExplicitHashKey=str(2**128 - 1))["SequenceNumber"]
    refusal = code_and_message(lab.iterator, FIRST, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=number)
    assert refusal == (
        "InvalidArgumentException",
        "Invalid StartingSequenceNumber. It encodes shardId-000000000002, while it was used in a call to a shard with "
        + FIRST,
    )


@pytest.mark.recorded
def test_a_stream_that_is_updating_cannot_be_resharded():
    lab = Lab(shards=2)
    lab.kinesis.split_shard(StreamName="trucks", ShardToSplit=FIRST, NewStartingHashKey="100")
    refusal = code_and_message(
        lab.kinesis.merge_shards, StreamName="trucks", ShardToMerge=FIRST, AdjacentShardToMerge=SECOND
    )
    text = f"Stream trucks under account {ACCOUNT} not ACTIVE, instead in state UPDATING"
    assert refusal == ("ResourceInUseException", text)


@pytest.mark.reported
def test_a_token_is_good_for_five_minutes():
    lab = Lab(shards=3)
    token = lab.kinesis.list_shards(StreamName="trucks", MaxResults=1)["NextToken"]
    page = lab.kinesis.list_shards(NextToken=token, MaxResults=1)
    assert [shard["ShardId"] for shard in page["Shards"]] == [SECOND]
    lab.cloud.advance(301)
    with pytest.raises(lab.kinesis.exceptions.ExpiredNextTokenException):
        lab.kinesis.list_shards(NextToken=token)


@pytest.mark.ours
@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("create_queue", {"QueueName": "q", "StreamConfigurationList": [{"StreamARN": ARN}]}),
        ("update_stream_record_distribution_strategy", {"StreamARN": ARN, "RecordDistributionStrategy": "AUTO"}),
        ("update_stream_warm_throughput", {"StreamARN": ARN, "WarmThroughputMiBps": 10}),
    ],
)
def test_what_aws_has_today_and_the_lab_has_not_is_said_in_one_line(lab, operation, params):
    from lablib.aws.service import NotSimulated

    with pytest.raises(NotSimulated, match=f"kinesis.{operation} is not simulated: ") as caught:
        getattr(lab.kinesis, operation)(**params)
    assert "\n" not in str(caught.value)
    assert operation not in lab.cloud.service("kinesis").coverage()
