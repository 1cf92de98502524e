"""Kinesis Data Streams, writing: which shard takes a record, what a shard takes, and what becomes of the rest."""

from collections import Counter
from hashlib import md5
from itertools import pairwise

import pytest
from aws_errors import code_and_message
from botocore.exceptions import ClientError
from kinesis.conftest import ARN, FIRST, Lab

THROTTLED = "ProvisionedThroughputExceededException"
RATE = f"Rate exceeded for shard {FIRST} in stream trucks under account 123456789012."
KIB = 1024


def entries(count, size=10, key="k{}"):
    return [{"Data": bytes(size), "PartitionKey": key.format(n)} for n in range(count)]


def put_records(lab, records):
    return lab.kinesis.put_records(StreamName="trucks", Records=records)


def accepts(lab, data):
    """Does the stream take a record with that data now?"""
    try:
        lab.put(data)
    except lab.kinesis.exceptions.ProvisionedThroughputExceededException:
        return False
    return True


# ---- routing ---------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_a_record_goes_to_the_shard_whose_range_holds_the_md5_of_its_key():
    lab = Lab(shards=5)
    ranges = {
        s["ShardId"]: [int(s["HashKeyRange"][f"{e}HashKey"]) for e in ("Starting", "Ending")] for s in lab.shards()
    }
    for n in range(40):
        shard = lab.put(b"x", key=f"truck-{n}")["ShardId"]
        low, high = ranges[shard]
        assert low <= int(md5(f"truck-{n}".encode()).hexdigest(), 16) <= high


@pytest.mark.guide
def test_the_shards_cover_the_hash_space_without_a_gap():
    ranges = sorted(
        (int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"]))
        for shard in Lab(shards=7).shards()
    )
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 2**128 - 1
    assert all(before[1] + 1 == after[0] for before, after in pairwise(ranges))


@pytest.mark.guide
def test_the_same_key_always_goes_to_the_same_shard_and_a_constant_key_to_one():
    lab = Lab(shards=4)
    assert len({lab.put(b"x", key="hot")["ShardId"] for _ in range(10)}) == 1


@pytest.mark.guide
def test_an_explicit_hash_key_replaces_the_hash():
    lab = Lab(shards=2)
    assert lab.put(b"x", key="k", ExplicitHashKey="0")["ShardId"] == "shardId-000000000000"
    assert lab.put(b"x", key="k", ExplicitHashKey=str(2**128 - 1))["ShardId"] == "shardId-000000000001"


@pytest.mark.guide
def test_sequence_numbers_grow_within_a_shard(lab):
    numbers = [int(lab.put(b"x")["SequenceNumber"]) for _ in range(5)]
    assert numbers == sorted(set(numbers))


# ---- what a shard takes ----------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_a_shard_takes_a_thousand_records_a_second(lab):
    answers = [put_records(lab, entries(500)) for _ in range(3)]
    refused = sum(answer["FailedRecordCount"] for answer in answers)
    assert 480 <= refused <= 500, "what flowed in while the calls travelled was let through"
    lab.cloud.advance(1)
    assert put_records(lab, entries(500))["FailedRecordCount"] == 0


@pytest.mark.guide
def test_a_shard_takes_a_mebibyte_a_second(lab):
    answer = put_records(lab, entries(11, size=100 * KIB - 2, key="k{}"))
    assert answer["FailedRecordCount"] == 1
    assert answer["Records"][-1] == {"ErrorCode": THROTTLED, "ErrorMessage": RATE}


@pytest.mark.guide
def test_put_record_counts_whole_kilobytes_of_the_record_and_put_records_of_the_sum():
    """Developer guide, "Troubleshooting producers"."""
    alone, together = Lab(), Lab()
    taken = 0
    while accepts(alone, bytes(KIB)):  # 1,025 bytes with the key: two kilobytes each
        taken += 1
    assert 510 <= taken <= 514
    sizes = 0
    while put_records(together, entries(5, size=KIB, key="k"))["FailedRecordCount"] == 0:  # 5,125 bytes: six kilobytes
        sizes += 5
    assert 850 <= sizes <= 855


@pytest.mark.reported
def test_only_what_failed_is_resent_found_by_its_place(lab):
    """Case: answers stand in the order of the request. aws/aws-sdk-java#2480."""
    records = [*entries(500, key="a{}"), *entries(500, key="b{}"), *entries(500, key="c{}")]
    left, rounds = records, 0
    while left:
        rounds += 1
        answers = []
        for start in range(0, len(left), 500):
            answers += put_records(lab, left[start : start + 500])["Records"]
        assert len(answers) == len(left)
        left = [record for record, answer in zip(left, answers) if "ErrorCode" in answer]
        lab.cloud.advance(1)
    assert rounds == 2
    stored = Counter(record.key for record in lab.cloud.service("kinesis").stream("trucks").shards[FIRST].records)
    assert stored == Counter(record["PartitionKey"] for record in records), "each once"


@pytest.mark.guide
def test_a_call_whose_records_are_partly_refused_succeeds(lab):
    put_records(lab, entries(500))
    put_records(lab, entries(450))
    answer = put_records(lab, entries(100))
    kinds = Counter("ErrorCode" in result for result in answer["Records"])
    assert answer["FailedRecordCount"] == kinds[True] > 0
    assert kinds[False] > 0
    assert all(
        set(result) == {"SequenceNumber", "ShardId"} for result in answer["Records"] if "ErrorCode" not in result
    )


@pytest.mark.guide
def test_a_hot_key_does_not_slow_the_other_shards():
    lab = Lab(shards=2)
    hot = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": "0"}] * 500
    cold = [{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(2**128 - 1)}] * 500
    assert sum(put_records(lab, hot)["FailedRecordCount"] for _ in range(3)) > 400
    assert put_records(lab, cold)["FailedRecordCount"] == 0


@pytest.mark.guide
def test_put_record_raises_when_the_shard_is_full(lab):
    for _ in range(3):
        put_records(lab, entries(500))
    assert code_and_message(lab.put, b"x") == (THROTTLED, RATE)


# ---- today: large records --------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_a_stream_takes_larger_records_only_when_it_is_told_so():
    lab = Lab(limits="today")
    with pytest.raises(ClientError, match="less than or equal to 1048576"):
        lab.put(bytes(2 * KIB * KIB))
    lab.kinesis.update_max_record_size(StreamARN=ARN, MaxRecordSizeInKiB=10_240)
    lab.cloud.advance(20)
    lab.put(bytes(9 * KIB * KIB))
    with pytest.raises(ClientError, match=THROTTLED):
        lab.put(bytes(9 * KIB * KIB))  # the shard takes a mebibyte a second on average
    lab.cloud.advance(10)
    lab.put(bytes(9 * KIB * KIB))


# ---- whole calls that are refused ------------------------------------------------------------------------------------


@pytest.mark.reported
def test_the_size_of_a_request_counts_data_and_keys():
    """Case: exactly five mebibytes are accepted in 2023, one byte more is not. getmoto/moto#6231."""
    lab = Lab(shards=100)
    records = [{"Data": bytes(KIB * KIB - 10), "PartitionKey": f"key-{n:06d}"} for n in range(5)]
    put_records(lab, records)
    one_more = [*records[:4], {"Data": bytes(KIB * KIB - 9), "PartitionKey": "key-000004"}]
    refusal = code_and_message(lab.kinesis.put_records, StreamName="trucks", Records=one_more)
    assert refusal == ("InvalidArgumentException", "Records size exceeds 5 MB limit")
