"""A stream as the event source of a function: batches in order, retries, halving, giving up, parallel batches.

Lambda developer guide, "Using Lambda with Amazon Kinesis Data Streams" and the pages under it, unless a test says
otherwise. "recorded": answers recorded on AWS in 2025.
"""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib import Cloud
from lablib.aws.service import NotSimulated

pytestmark = pytest.mark.guide  # where a test names no other source

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"
SETTLE = 40  # seconds until a new or resharded stream is ACTIVE


def data_of(event):
    return [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]


class Line:
    """A stream, a function that remembers its batches, and the mapping between them."""

    def __init__(self, shards=1, seed=1, timeout=30, handler=None, **mapping):
        self.cloud = Cloud(seed=seed)
        self.kinesis = self.cloud.client("kinesis")
        self.functions = self.cloud.client("lambda")
        self.kinesis.create_stream(StreamName="trucks", ShardCount=shards)
        self.cloud.advance(SETTLE)
        self.batches, self.events = [], []
        self.handler = handler or (lambda data: None)
        self.cloud.deploy("draw", self._handle, timeout=timeout)
        how = {"StartingPosition": "TRIM_HORIZON", **mapping}
        self.made = self.functions.create_event_source_mapping(EventSourceArn=ARN, FunctionName="draw", **how)
        self.cloud.advance(5)

    def _handle(self, event, context):
        data = data_of(event)
        self.events.append(event)
        self.batches.append((self.cloud.now, data))
        return self.handler(data)

    def put(self, *data, key="truck"):
        for one in data:
            self.kinesis.put_record(StreamName="trucks", Data=one.encode(), PartitionKey=key)

    def data(self):
        return [data for _, data in self.batches]

    def kinds(self, kind):
        return self.cloud.trace.where(kind)


def poison(*bad):
    def handler(data):
        if set(data) & set(bad):
            raise ValueError("poison")

    return handler


def test_records_come_in_order_in_batches():
    line = Line(BatchSize=3)
    line.put(*"abcdefg")
    line.cloud.advance(10)
    assert [one for data in line.data() for one in data] == list("abcdefg")
    assert max(map(len, line.data())) == 3


def test_the_event_is_as_the_guide_shows_it():
    line = Line()
    line.put("hello")
    line.cloud.advance(3)
    (record,) = line.events[0]["Records"]
    inner = record["kinesis"]
    assert (inner["partitionKey"], inner["kinesisSchemaVersion"]) == ("truck", "1.0")
    assert base64.b64decode(inner["data"]) == b"hello"
    assert record["eventID"] == f"shardId-000000000000:{inner['sequenceNumber']}"
    assert (record["eventSource"], record["eventName"], record["awsRegion"]) == (
        "aws:kinesis",
        "aws:kinesis:record",
        "us-east-1",
    )
    assert record["eventSourceARN"] == ARN


def test_a_shard_is_read_once_a_second_and_not_faster():
    line = Line()
    line.cloud.advance(60)
    assert 55 <= len(line.kinds("GetRecords")) <= 66


def test_latest_begins_with_what_comes_after_the_mapping():
    line = Line(StartingPosition="LATEST", Enabled=False)
    line.put("old")
    line.functions.update_event_source_mapping(UUID=line.made["UUID"], Enabled=True)
    line.cloud.advance(10)
    line.put("new")
    line.cloud.advance(5)
    assert line.data() == [["new"]]


def test_a_window_gathers():
    line = Line(BatchSize=100, MaximumBatchingWindowInSeconds=20)
    for one in "abcd":
        line.put(one)
        line.cloud.advance(4)
    line.cloud.advance(30)
    assert line.data() == [list("abcd")]


def test_a_failing_batch_holds_up_its_shard_until_the_record_expires():
    """The default: try again until the record is no longer in the stream."""
    line = Line(handler=poison("bad"), BatchSize=1)
    line.put("bad", "good")
    line.cloud.advance(3600)
    assert {tuple(data) for data in line.data()} == {("bad",)}
    assert line.functions.get_event_source_mapping(UUID=line.made["UUID"])["LastProcessingResult"].startswith("PROBLEM")
    line.cloud.advance(24 * 3600)
    assert [row.detail for row in line.kinds("RecordGivenUp")] == ["they expired in the stream"] * 2  # both are as old


@pytest.mark.recorded
def test_retries_end_when_there_is_a_limit_and_the_destination_gets_no_data():
    """recorded: condition, count of invocations, and where the batch lies; not what was in it."""
    line = Line(
        handler=poison("bad"),
        BatchSize=2,
        MaximumBatchingWindowInSeconds=1,
        MaximumRetryAttempts=2,
    )
    url = line.cloud.client("sqs").create_queue(QueueName="failed")["QueueUrl"]
    target = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:failed"}}
    line.functions.update_event_source_mapping(UUID=line.made["UUID"], DestinationConfig=target)
    line.cloud.advance(5)
    line.put("bad", "good", "fine")
    line.cloud.advance(120)
    assert line.data() == [["bad", "good"]] * 3 + [["fine"]]
    (message,) = line.cloud.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    document = json.loads(message["Body"])
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 3
    info = document["KinesisBatchInfo"]
    assert (info["batchSize"], info["shardId"], info["streamArn"]) == (2, "shardId-000000000000", ARN)
    numbers = [record["kinesis"]["sequenceNumber"] for record in line.events[0]["Records"]]
    assert [info["startSequenceNumber"], info["endSequenceNumber"]] == numbers
    assert "bad" not in message["Body"]


def test_old_records_are_given_up_when_there_is_a_limit():
    line = Line(handler=poison("bad"), MaximumRecordAgeInSeconds=60)
    line.put("bad")
    line.cloud.advance(200)
    (row,) = line.kinds("RecordGivenUp")
    assert row.detail == "RecordAgeExceeded"
    assert 60 <= row.time - line.kinds("RecordPut")[0].time <= 130


@pytest.mark.recorded
def test_halving_finds_the_poison_and_uses_up_no_retries():
    """recorded: a split batch does not use up retries."""
    line = Line(
        handler=poison("d"),
        BatchSize=8,
        MaximumBatchingWindowInSeconds=2,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
    )
    line.put(*"abcdefgh")
    line.cloud.advance(60)
    expected = ["abcdefgh", "abcd", "ab", "cd", "c", "d", "d", "efgh"]
    assert ["".join(data) for data in line.data()] == expected
    assert len(line.kinds("RecordGivenUp")) == 1


def test_a_function_may_say_from_which_record_on_it_failed():
    seen = []

    def handler(data):
        seen.append(list(data))
        if "c" in data and len(seen) < 3:
            number = line.events[-1]["Records"][data.index("c")]["kinesis"]["sequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": number}]}

    line = Line(
        handler=handler,
        BatchSize=5,
        MaximumBatchingWindowInSeconds=2,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    line.put(*"abcde")
    line.cloud.advance(60)
    assert line.data() == [list("abcde"), list("cde"), list("cde")]


def test_parallel_batches_keep_the_order_of_each_key():
    def slow(data):
        line.cloud.kernel.wait(None, 2)

    line = Line(handler=slow, BatchSize=1, ParallelizationFactor=10)
    for number in range(5):
        for key in "pqrst":
            line.put(f"{key}{number}", key=key)
    line.cloud.advance(40)
    handled = [one for data in line.data() for one in data]
    for key in "pqrst":
        assert [one for one in handled if one[0] == key] == [f"{key}{number}" for number in range(5)]
    assert line.batches[-1][0] - line.batches[0][0] < 25  # one after the other: 50 s


def test_a_filter_lets_through_what_matches():
    pattern = {"data": {"speed": [{"numeric": [">", 80]}]}}
    line = Line(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    line.put('{"speed": 50}', '{"speed": 90}', "no json")
    line.cloud.advance(5)
    assert line.data() == [['{"speed": 90}']]
    assert len(line.kinds("RecordSkipped")) == 2


def test_children_are_read_after_their_parent():
    line = Line(BatchSize=2)
    line.put(*"abcde")
    half = str(2**127)
    line.kinesis.split_shard(StreamName="trucks", ShardToSplit="shardId-000000000000", NewStartingHashKey=half)
    line.cloud.advance(SETTLE)
    line.put(*"fghij")
    line.cloud.advance(30)
    assert [one for data in line.data() for one in data] == list("abcdefghij")


def test_a_mapping_that_was_disabled_goes_on_where_it_stopped():
    line = Line()
    line.put("a")
    line.cloud.advance(5)
    line.functions.update_event_source_mapping(UUID=line.made["UUID"], Enabled=False)
    line.cloud.advance(10)
    line.put("b")
    line.cloud.advance(10)
    assert line.data() == [["a"]]
    line.functions.update_event_source_mapping(UUID=line.made["UUID"], Enabled=True)
    line.cloud.advance(10)
    assert line.data() == [["a"], ["b"]]


def test_a_change_in_the_middle_of_a_batch_waits_for_its_end():
    line = Line(handler=lambda data: line.cloud.kernel.wait(None, 20), BatchSize=1)
    line.put(*"ab")
    line.cloud.advance(5)
    line.functions.update_event_source_mapping(UUID=line.made["UUID"], BatchSize=5)
    line.cloud.advance(10)
    assert line.functions.get_event_source_mapping(UUID=line.made["UUID"])["State"] == "Updating"
    line.cloud.advance(60)
    assert line.functions.get_event_source_mapping(UUID=line.made["UUID"])["State"] == "Enabled"
    assert line.data() == [["a"], ["b"]]


def test_the_iterator_age_is_told_of_each_batch():
    line = Line(handler=lambda data: line.cloud.kernel.wait(None, 10), BatchSize=1)
    line.put(*"abc")
    line.cloud.advance(60)
    ages = [row.detail["age"] for row in line.kinds("BatchTaken")]
    assert ages[0] < 3
    assert ages == sorted(ages)
    assert ages[-1] > 18


def test_a_throttled_function_gets_its_batch_later():
    line = Line()
    line.functions.put_function_concurrency(FunctionName="draw", ReservedConcurrentExecutions=0)
    line.put("a")
    line.cloud.advance(60)
    assert line.data() == []
    line.functions.delete_function_concurrency(FunctionName="draw")
    line.cloud.advance(400)
    assert line.data() == [["a"]]


def test_windows_of_state_are_not_simulated():
    line = Line()
    with pytest.raises(NotSimulated, match="tumbling_window"):
        line.functions.update_event_source_mapping(UUID=line.made["UUID"], TumblingWindowInSeconds=60)


@settings(max_examples=25, deadline=None)
@given(
    records=st.lists(st.sampled_from("pqr"), min_size=1, max_size=20),
    bad=st.sets(st.integers(0, 19), max_size=3),
    size=st.integers(1, 7),
    parallel=st.integers(1, 3),
    bisect=st.booleans(),
    split=st.booleans(),
)
def test_every_record_is_handled_or_given_up_and_each_key_stays_in_order(records, bad, size, parallel, bisect, split):
    names = [f"{key}{number}" for number, key in enumerate(records)]
    line = Line(
        handler=poison(*(names[n] for n in bad if n < len(names))),
        BatchSize=size,
        ParallelizationFactor=parallel,
        BisectBatchOnFunctionError=bisect,
        MaximumRetryAttempts=1,
    )
    for number, name in enumerate(names):
        line.put(name, key=name[0])
        if split and number == len(names) // 2:
            half = str(2**127)
            line.kinesis.split_shard(StreamName="trucks", ShardToSplit="shardId-000000000000", NewStartingHashKey=half)
            line.cloud.advance(SETTLE)
    line.cloud.advance(300)
    put = {row.subject: name for row, name in zip(line.kinds("RecordPut"), names)}
    done = [put[row.subject] for row in line.kinds("WorkEnded") if row.detail is None]
    given_up = [put[row.subject] for row in line.kinds("RecordGivenUp")]
    assert sorted(done + given_up) == sorted(names)
    for key in "pqr":
        mine = [name for name in done if name[0] == key]
        assert mine == [name for name in names if name in mine]
    line.cloud.close()
