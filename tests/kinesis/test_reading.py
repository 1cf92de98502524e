"""Kinesis Data Streams, reading: records stay, readers have positions; iterators, limits, retention."""

from datetime import timedelta

import pytest
from aws_errors import code_and_message
from botocore.exceptions import ClientError
from kinesis.conftest import ACCOUNT, Lab

THROTTLED = "ProvisionedThroughputExceededException"
MIB = 1 << 20
HOUR = 3600


# ---- positions -------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_a_record_stays_for_every_reader(lab):
    lab.put(b"a", b"b")
    assert lab.bodies() == [b"a", b"b"]
    assert lab.bodies() == [b"a", b"b"], "reading takes nothing away"


@pytest.mark.reported
def test_latest_is_fixed_when_the_iterator_is_made(lab):
    """Case: a record written after GetShardIterator is returned, one written before is not. floci-io/floci#1900."""
    lab.put(b"before")
    iterator = lab.iterator(kind="LATEST")
    lab.put(b"after")
    lab.cloud.advance(30)
    assert [record["Data"] for record in lab.get(iterator)["Records"]] == [b"after"]


@pytest.mark.reported
def test_an_iterator_is_not_used_up_and_the_next_one_is_past_what_was_read(lab):
    """Case: the same iterator gives the same records twice. etspaceman/kinesis-mock#1186."""
    iterator = lab.iterator()
    lab.put(b"x")
    first, again = lab.get(iterator), lab.get(iterator)
    assert [record["Data"] for record in first["Records"] + again["Records"]] == [b"x", b"x"]
    assert lab.get(first["NextShardIterator"])["Records"] == []


@pytest.mark.guide
def test_a_reader_can_begin_at_or_after_a_record_or_at_a_time(lab):
    numbers = []
    for body in (b"a", b"b", b"c"):
        numbers.append(lab.put(body)["SequenceNumber"])
        lab.cloud.advance(10)
    at = {"kind": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": numbers[1]}
    after = {"kind": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": numbers[1]}
    assert lab.bodies(**at) == [b"b", b"c"]
    assert lab.bodies(**after) == [b"c"]
    records = lab.get(lab.iterator())["Records"]
    between = records[0]["ApproximateArrivalTimestamp"] + timedelta(seconds=5)
    assert lab.bodies(kind="AT_TIMESTAMP", Timestamp=between) == [b"b", b"c"]


@pytest.mark.guide
def test_empty_answers_are_normal_and_at_the_tip_nothing_is_behind(lab):
    answer = lab.get(lab.iterator())
    assert (answer["Records"], answer["MillisBehindLatest"]) == ([], 0)


@pytest.mark.guide
def test_millis_behind_latest_tells_how_old_the_next_record_is(lab):
    lab.put(b"a", b"b")
    lab.cloud.advance(10)
    answer = lab.get(lab.iterator(), Limit=1)
    assert 10_900 <= answer["MillisBehindLatest"] <= 11_100


@pytest.mark.ours
def test_a_record_can_be_read_a_moment_after_it_was_put(lab):
    """Assumed: 60 ms, so that one poller at five calls a second sees about 200 ms, as the guide says."""
    iterator = lab.iterator()
    lab.put(b"x")
    assert lab.kinesis.get_records(ShardIterator=iterator)["Records"] == []
    lab.cloud.advance(0.2)
    assert len(lab.kinesis.get_records(ShardIterator=iterator)["Records"]) == 1


@pytest.mark.guide
def test_an_answer_can_be_empty_though_records_follow():
    """API reference, GetRecords: "It might take multiple calls to get to a portion of the shard that contains
    records". How often is assumed; nothing is lost, nothing comes twice, and MillisBehindLatest tells.
    """
    lab = Lab(empty_reads=0.5, read_delay=0)
    lab.put(*(b"%d" % n for n in range(12)))
    lab.split()
    answers, iterator = [], lab.iterator()
    while iterator:
        answers.append(lab.get(iterator, Limit=2))
        iterator = answers[-1].get("NextShardIterator")
    found = [record["Data"] for answer in answers for record in answer["Records"]]
    assert found == [b"%d" % n for n in range(12)]
    empty = [answer for answer in answers if not answer["Records"]]
    assert 2 <= len(empty) < len(answers)
    assert all(answer["MillisBehindLatest"] > 0 and "ChildShards" not in answer for answer in empty)
    told = lab.rows("ReadBroughtNothing")
    assert len(told) == len(empty)
    assert "though this one follows, 6" in lab.cloud.trace.explain(told[0].subject)


@pytest.mark.ours
def test_an_empty_answer_at_once_behind_a_record_says_so_too():
    lab = Lab(empty_reads=0.9, read_delay=0)
    iterator = lab.iterator()
    lab.put(b"x")
    answer = lab.kinesis.get_records(ShardIterator=iterator)
    assert not answer["Records"] and answer["MillisBehindLatest"] > 0


@pytest.mark.guide
def test_arrival_times_can_be_out_of_order_in_a_shard():
    """API reference, GetRecords: no guarantees that the time stamp is accurate or always increasing; "records in a
    shard or across a stream might have time stamps that are out of order". By how much is assumed.
    """
    lab = Lab(clock_error=2.0, read_delay=0)
    for n in range(12):
        lab.put(b"%d" % n)
        lab.cloud.advance(0.5)
    records = lab.get(lab.iterator())["Records"]
    assert [record["Data"] for record in records] == [b"%d" % n for n in range(12)]
    times = [record["ApproximateArrivalTimestamp"] for record in records]
    assert times != sorted(times)
    assert times == [record["ApproximateArrivalTimestamp"] for record in lab.get(lab.iterator())["Records"]]
    for row, told in zip(lab.rows("RecordPut"), times, strict=True):
        early = lab.cloud.kernel.epoch + row.time - told.timestamp()
        assert 0 <= early <= 2.001


@pytest.mark.ours
def test_no_answer_is_empty_in_vain_unless_it_is_assumed(lab):
    lab.put(*[b"x"] * 40)
    iterator = lab.iterator()
    for _ in range(40):
        answer = lab.get(iterator, Limit=1)
        assert len(answer["Records"]) == 1
        iterator = answer["NextShardIterator"]


# ---- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_all_readers_of_a_shard_share_five_calls_a_second(lab):
    iterator = lab.iterator()
    for _ in range(5):
        lab.kinesis.get_records(ShardIterator=iterator)
    with pytest.raises(ClientError, match=THROTTLED):
        lab.kinesis.get_records(ShardIterator=iterator)
    lab.cloud.advance(0.2)
    lab.kinesis.get_records(ShardIterator=iterator)


@pytest.mark.guide
def test_after_an_answer_of_ten_mebibytes_calls_are_refused_for_five_seconds(lab):
    for n in range(11):
        lab.put(bytes(MIB - 10), key=f"key-{n}")
        lab.cloud.advance(1.1)
    iterator = lab.iterator()
    answer = lab.get(iterator)
    assert len(answer["Records"]) == 10, "an answer has at most 10 MiB"
    for wait, refused in ((4.9, True), (0.2, False)):
        lab.cloud.advance(wait)
        try:
            lab.kinesis.get_records(ShardIterator=iterator, Limit=1)
            assert not refused
        except lab.kinesis.exceptions.ProvisionedThroughputExceededException:
            assert refused


@pytest.mark.guide
def test_an_answer_has_at_most_the_records_that_were_asked_for(lab):
    lab.put(*[b"x"] * 7)
    answer = lab.get(lab.iterator(), Limit=5)
    assert len(answer["Records"]) == 5
    assert len(lab.get(answer["NextShardIterator"])["Records"]) == 2


# ---- an iterator's life ----------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_an_iterator_is_good_for_five_minutes(lab):
    """Case: text recorded from AWS until 2020 (mhart/kinesalite)."""
    iterator = lab.iterator()
    lab.cloud.advance(299)
    lab.kinesis.get_records(ShardIterator=iterator)
    lab.cloud.advance(2)
    code, message = code_and_message(lab.kinesis.get_records, ShardIterator=iterator)
    assert code == "ExpiredIteratorException"
    assert message.startswith("Iterator expired. The iterator was created at time ")
    assert message.endswith("which is further in the future than the tolerated delay of 300000 milliseconds.")


@pytest.mark.recorded
def test_an_iterator_of_a_stream_that_was_made_again_finds_nothing(lab):
    iterator = lab.iterator()
    lab.kinesis.delete_stream(StreamName="trucks")
    lab.cloud.advance(60)
    lab.kinesis.create_stream(StreamName="trucks", ShardCount=1)
    lab.until_active()
    assert code_and_message(lab.kinesis.get_records, ShardIterator=iterator) == (
        "ResourceNotFoundException",
        f"Stream trucks under account {ACCOUNT} not found.",
    )


# ---- retention -------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_records_are_kept_for_a_day_and_then_gone():
    lab = Lab()
    lab.put(b"old")
    lab.cloud.advance(23 * HOUR)
    lab.put(b"new")
    assert lab.bodies() == [b"old", b"new"]
    lab.cloud.advance(HOUR)
    assert lab.bodies() == [b"new"]


@pytest.mark.guide
def test_raising_the_retention_period_does_not_revive_what_is_gone(lab):
    lab.put(b"old")
    lab.cloud.advance(25 * HOUR)
    lab.kinesis.increase_stream_retention_period(StreamName="trucks", RetentionPeriodHours=48)
    assert lab.bodies() == []


@pytest.mark.guide
def test_lowering_it_drops_records_at_once(lab):
    lab.kinesis.increase_stream_retention_period(StreamName="trucks", RetentionPeriodHours=48)
    lab.put(b"old")
    lab.cloud.advance(25 * HOUR)
    assert lab.bodies() == [b"old"]
    lab.kinesis.decrease_stream_retention_period(StreamName="trucks", RetentionPeriodHours=24)
    assert lab.bodies() == []


@pytest.mark.guide
def test_nothing_deletes_a_single_record(lab):
    operations = {name for name in lab.cloud.service("kinesis").coverage() if "delete" in name or "remove" in name}
    assert operations == {"delete_stream", "delete_resource_policy", "remove_tags_from_stream"}
