"""Putting records: what is taken, what is refused in place, and what a stream takes a second."""

import pytest
from aws_errors import code_and_message
from firehose.conftest import s3

from lablib.gateway import Fault

SLOW = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}


@pytest.mark.guide
def test_each_record_gets_an_id_of_its_own(lab):
    lab.create()
    ids = [*lab.put(b"a", b"b"), *(r["RecordId"] for r in lab.put_batch(b"c", b"d")["RequestResponses"])]
    assert len(set(ids)) == 4


@pytest.mark.reported
def test_over_the_rate_single_records_of_a_batch_fail_in_a_normal_answer(lab):
    lab.create()
    answers = [lab.put_batch(*[b"x"] * 500) for _ in range(12)]
    assert [answer["FailedPutCount"] for answer in answers] == [0] * 10 + [500] * 2
    assert answers[-1]["RequestResponses"] == [SLOW] * 500
    lab.cloud.advance(1)
    assert lab.put_batch(*[b"x"] * 500)["FailedPutCount"] == 0, "the next second it goes on"


@pytest.mark.guide
def test_the_bytes_of_a_second_are_limited_too(lab):
    lab.create()
    megabyte = bytes(2**20 - 2**16)
    failed = [lab.put_batch(*[megabyte] * 4)["FailedPutCount"] for _ in range(2)]
    assert failed == [0, 3], "5 MiB a second: five of these"
    assert lab.put_batch(b"small")["FailedPutCount"] == 0, "what is small still fits"


@pytest.mark.reported
def test_one_record_over_the_rate_is_an_error(lab):
    lab.create()
    for _ in range(10):
        lab.put_batch(*[b"x"] * 500)
    expected = ("ServiceUnavailableException", "Slow down.")
    put = lab.firehose.put_record
    assert code_and_message(put, DeliveryStreamName="clicks", Record={"Data": b"x"}) == expected
    assert len(lab.rows("PutThrottled")) == 1


@pytest.mark.guide
def test_calls_are_limited_whatever_is_in_them(lab):
    lab.create()
    with pytest.raises(lab.firehose.exceptions.ServiceUnavailableException):
        lab.put(*[b"x"] * 2100)
    assert 2000 <= len(lab.rows("RecordAccepted")) < 2020
    with pytest.raises(lab.firehose.exceptions.ServiceUnavailableException):
        lab.put_batch(b"x")


@pytest.mark.guide
def test_a_partial_failure_is_found_by_its_place(lab):
    lab.create()
    lab.cloud.faults.add(Fault("partial", ("PutRecordBatch",), probability=0.5))
    bodies = [b"%d;" % n for n in range(40)]
    answer = lab.put_batch(*bodies)
    failed = [n for n, result in enumerate(answer["RequestResponses"]) if "ErrorCode" in result]
    assert 0 < len(failed) == answer["FailedPutCount"] < 40
    lab.cloud.advance(70)
    assert lab.bodies() == [b"".join(body for n, body in enumerate(bodies) if n not in failed)]


@pytest.mark.guide
def test_the_rates_of_a_stream_from_kinesis_are_those_of_its_shards(lab):
    """The limits on putting do not apply: nothing is put."""
    kinesis = lab.cloud.client("kinesis")
    kinesis.create_stream(StreamName="trucks", ShardCount=16)
    lab.cloud.advance(20)
    lab.create_from("trucks", ExtendedS3DestinationConfiguration=s3())
    for _ in range(14):
        kinesis.put_records(StreamName="trucks", Records=[{"Data": b"x", "PartitionKey": str(n)} for n in range(500)])
    lab.cloud.advance(90)
    assert sum(map(len, lab.bodies())) == 7000
