"""Kinesis Data Streams, resharding: parents close, children open, and order is kept by whoever reads parents first."""

import pytest
from aws_errors import code_and_message
from kinesis.conftest import ACCOUNT, ARN, FIRST, Lab

SECOND, THIRD = "shardId-000000000001", "shardId-000000000002"
LAST_HASH = 2**128 - 1


def ranges(lab):
    return {
        shard["ShardId"]: tuple(map(int, shard["HashKeyRange"].values()))
        for shard in lab.shards(ShardFilter={"Type": "AT_LATEST"})
    }


@pytest.mark.guide
def test_a_split_shard_becomes_two_that_share_its_range(lab):
    lab.split(at=100)
    assert ranges(lab) == {SECOND: (0, 99), THIRD: (100, LAST_HASH)}
    parents = {shard["ShardId"]: shard.get("ParentShardId") for shard in lab.shards()}
    assert parents == {FIRST: None, SECOND: FIRST, THIRD: FIRST}


@pytest.mark.guide
def test_merged_shards_become_one_with_two_parents():
    lab = Lab(shards=2)
    lab.merge(SECOND, FIRST)
    (child,) = lab.shards(ShardFilter={"Type": "AT_LATEST"})
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (SECOND, FIRST)
    assert ranges(lab) == {THIRD: (0, LAST_HASH)}


@pytest.mark.guide
def test_records_are_written_and_read_while_a_stream_is_updating(lab):
    lab.kinesis.split_shard(StreamName="trucks", ShardToSplit=FIRST, NewStartingHashKey=str(2**127))
    status = lab.kinesis.describe_stream_summary(StreamName="trucks")["StreamDescriptionSummary"]["StreamStatus"]
    assert status == "UPDATING"
    assert lab.put(b"x")["ShardId"] == FIRST
    assert lab.bodies() == [b"x"]


@pytest.mark.reported
def test_a_closed_shard_can_still_be_opened_and_then_ends(lab):
    """Case: the null is in GetRecords only, with the children. mhart/kinesalite#20, mapbox/kine#44."""
    lab.put(b"a", b"b", b"c")
    lab.split()
    answer = lab.get(lab.iterator(FIRST), Limit=2)
    assert answer["NextShardIterator"]
    answer = lab.get(answer["NextShardIterator"])
    assert [record["Data"] for record in answer["Records"]] == [b"c"]
    assert "NextShardIterator" not in answer
    assert [child["ShardId"] for child in answer["ChildShards"]] == [SECOND, THIRD]
    assert answer["ChildShards"][0]["ParentShards"] == [FIRST]


@pytest.mark.reported
def test_children_are_read_from_their_beginning(lab):
    """Case: opened with LATEST, they lose what came before. awslabs/amazon-kinesis-client#751."""
    lab.split()
    lab.put(*[b"x"] * 10, ExplicitHashKey="0")
    lab.cloud.advance(30)
    assert len(lab.bodies(SECOND, "TRIM_HORIZON")) == 10
    assert lab.bodies(SECOND, "LATEST") == []


@pytest.mark.guide
def test_a_closed_shard_is_gone_when_the_retention_period_is_over(lab):
    lab.split()
    lab.cloud.advance(25 * 3600)
    assert [shard["ShardId"] for shard in lab.shards()] == [SECOND, THIRD]
    code, _ = code_and_message(lab.iterator, FIRST)
    assert code == "ResourceNotFoundException"


@pytest.mark.guide
@pytest.mark.parametrize(("before", "after"), [(2, 4), (4, 2), (2, 3), (3, 5), (5, 3), (4, 7)])
def test_update_shard_count_makes_shards_of_equal_size(before, after):
    lab = Lab(shards=before)
    answer = lab.kinesis.update_shard_count(StreamName="trucks", TargetShardCount=after, ScalingType="UNIFORM_SCALING")
    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (before, after)
    lab.cloud.advance(120)
    found = sorted(ranges(lab).values())
    assert len(found) == after
    assert found[0][0] == 0
    assert found[-1][1] == LAST_HASH
    sizes = [high - low for low, high in found]
    assert max(sizes) - min(sizes) <= after


@pytest.mark.guide
def test_a_key_stays_in_order_for_who_reads_parents_first():
    lab = Lab(shards=2)
    count = 0
    for _ in range(3):
        for _ in range(4):
            lab.put(str(count).encode(), key="truck-7")
            count += 1
        lab.kinesis.update_shard_count(StreamName="trucks", TargetShardCount=4, ScalingType="UNIFORM_SCALING")
        lab.cloud.advance(100)
        lab.kinesis.update_shard_count(StreamName="trucks", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
        lab.cloud.advance(100)
    read, done, left = [], set(), [shard["ShardId"] for shard in lab.shards() if "ParentShardId" not in shard]
    while left:
        shard = left.pop(0)
        iterator = lab.iterator(shard)
        while iterator:
            answer = lab.get(iterator)
            read += [int(record["Data"]) for record in answer["Records"]]
            iterator = answer.get("NextShardIterator") if answer["Records"] or "ChildShards" in answer else None
        done.add(shard)
        for child in answer.get("ChildShards", ()):
            if set(child["ParentShards"]) <= done and child["ShardId"] not in left:
                left.append(child["ShardId"])
    assert read == list(range(count))


# ---- on demand -------------------------------------------------------------------------------------------------------


def on_demand():
    lab = Lab()
    mode = {"StreamMode": "ON_DEMAND"}
    lab.kinesis.create_stream(StreamName="events", StreamModeDetails=mode)
    lab.kinesis.get_waiter("stream_exists").wait(StreamName="events")
    return lab


@pytest.mark.recorded
def test_an_on_demand_stream_begins_with_four_shards():
    lab = on_demand()
    assert len(lab.kinesis.list_shards(StreamName="events")["Shards"]) == 4


@pytest.mark.guide
def test_an_on_demand_stream_cannot_be_resharded_by_hand():
    lab = on_demand()
    refusal = code_and_message(
        lab.kinesis.update_shard_count, StreamName="events", TargetShardCount=8, ScalingType="UNIFORM_SCALING"
    )
    text = f"Request is invalid. Stream events under account {ACCOUNT} is in On-Demand mode."
    assert refusal == ("ValidationException", text)


@pytest.mark.guide
def test_a_busy_shard_of_an_on_demand_stream_is_split_within_fifteen_minutes_and_a_hot_key_stays_hot():
    lab = on_demand()
    batch = [{"Data": bytes(100_000), "PartitionKey": "hot"}] * 7
    for _ in range(16 * 60):
        lab.kinesis.put_records(StreamName="events", Records=batch)
        lab.cloud.advance(1)
    shards = lab.kinesis.list_shards(StreamName="events", ShardFilter={"Type": "AT_LATEST"})["Shards"]
    assert len(shards) == 5
    refused = 0
    for _ in range(10):
        refused += lab.kinesis.put_records(StreamName="events", Records=batch * 3)["FailedRecordCount"]
        lab.cloud.advance(1)
    assert refused > 80, "one key still has one shard"


@pytest.mark.guide
def test_the_mode_can_be_changed_twice_a_day():
    lab = Lab()

    def switch(mode):
        lab.kinesis.update_stream_mode(StreamARN=ARN, StreamModeDetails={"StreamMode": mode})
        lab.cloud.advance(30)

    switch("ON_DEMAND")
    switch("PROVISIONED")
    with pytest.raises(lab.kinesis.exceptions.LimitExceededException):
        switch("ON_DEMAND")
    lab.cloud.advance(86_400)
    switch("ON_DEMAND")
