"""Event time: windows, watermarks, late records, idle shards. Source: Flink's documentation where it says "guide"."""

import json
from contextlib import suppress

import pytest
from aws_errors import guide, ours, reported
from hypothesis import given, settings
from hypothesis import strategies as st
from kinesisanalyticsv2.conftest import START, Lab

HALF = 2**127


def timed(env, out_of_order=0.0, **more):
    rides = env.from_stream("rides").event_time(lambda ride: ride["time"], out_of_order, **more)
    return rides.key_by(lambda ride: ride["lift"])


@guide
def test_a_tumbling_window_gives_its_result_when_the_watermark_passes_its_end(lab):
    lab.start(lambda env: timed(env, 5).tumbling(60).count().to(lab.out.append))
    lab.ride(100, 119, 90)
    lab.ride(124.9)
    lab.cloud.advance(600)
    assert lab.results() == [], "no clock closes a window, only a newer event does"
    lab.ride(125)
    lab.cloud.advance(1)
    assert lab.results() == [("north", 60, 120, 3, 1)]


@guide
def test_keys_have_windows_of_their_own_but_one_watermark(lab):
    lab.start(lambda env: timed(env).tumbling(60).count().to(lab.out.append))
    lab.ride(100, 101, lift="a")
    lab.ride(102, lift="b")
    lab.ride(180, lift="c")
    lab.cloud.advance(1)
    assert lab.results() == [("a", 60, 120, 2, 1), ("b", 60, 120, 1, 1)]


@guide
def test_out_of_order_is_right_as_long_as_it_is_bounded(lab):
    late = []

    def job(env):
        windows = timed(env, 30).tumbling(60)
        windows.count().to(lab.out.append)
        windows.late.to(late.append)

    lab.start(job)
    for time in (110, 140, 115, 149, 119.9, 150, 118):
        lab.ride(time)
        lab.cloud.advance(1)
    assert lab.results() == [("north", 60, 120, 3, 1)], "119.9 came after 149, within the 30 seconds"
    assert [ride["time"] - START for ride in late] == [118]
    (row,) = lab.cloud.trace.where(kind="LateRecord")
    assert row.detail == ["north", START + 118]


@guide
def test_allowed_lateness_corrects_a_result(lab):
    late = []

    def job(env):
        windows = timed(env).tumbling(60, lateness=60)
        windows.count().to(lab.out.append)
        windows.late.to(late.append)

    lab.start(job)
    for time in (100, 120, 101, 179, 102, 180, 103):
        lab.ride(time)
        lab.cloud.advance(1)
    assert lab.results() == [
        ("north", 60, 120, 1, 1), ("north", 60, 120, 2, 2), ("north", 60, 120, 3, 3), ("north", 120, 180, 2, 1),
    ]  # fmt: skip
    assert [ride["time"] - START for ride in late] == [103]


@guide
def test_a_value_is_in_several_sliding_windows(lab):
    lab.start(lambda env: timed(env).sliding(60, 20).count().to(lab.out.append))
    lab.ride(100, 119)
    lab.ride(121)
    lab.ride(1000)
    lab.cloud.advance(1)
    assert [(start, end, n) for _, start, end, n, _ in lab.results()] == [
        (60, 120, 2), (80, 140, 3), (100, 160, 3), (120, 180, 1),
    ]  # fmt: skip


@guide
def test_a_session_lasts_until_nothing_comes_for_the_gap(lab):
    lab.start(lambda env: timed(env, 50).session(30).count().to(lab.out.append))
    lab.ride(100, 150, 125)  # 125 joins the other two
    lab.ride(200, 300)
    lab.cloud.advance(1)
    assert lab.results() == [("north", 100, 180, 3, 1), ("north", 200, 230, 1, 1)]


@guide
def test_windows_of_windows(lab):
    def job(env):
        minutes = timed(env).tumbling(60).count()
        minutes.key_by(lambda result: result["key"]).tumbling(300).apply(
            lambda results: [result["value"] for result in results]
        ).to(lab.out.append)

    lab.start(job)
    lab.ride(0, 1, 299)
    lab.ride(300)
    lab.cloud.advance(1)
    assert lab.results() == [("north", 0, 300, [2, 1], 1)]


@guide
def test_each_source_has_a_watermark_of_its_own(lab):
    lab.stream("silent")

    def job(env):
        env.from_stream("silent").event_time(lambda ride: ride["time"]).to(lab.out.append)
        timed(env).tumbling(60).count().to(lab.out.append)

    lab.start(job)
    lab.ride(0, 60)
    lab.cloud.advance(1)
    assert lab.results() == [("north", 0, 60, 1, 1)]


@guide
def test_aggregates(lab):
    def job(env):
        windows = timed(env).tumbling(60)
        windows.aggregate(lambda total, ride: total + ride["riders"], start=0).to(lab.out.append)
        windows.apply(lambda rides: max(ride["riders"] for ride in rides)).to(lab.out.append)

    lab.start(job)
    lab.ride(60, 61, riders=4)
    lab.ride(62, riders=2)
    lab.ride(120, riders=0)
    lab.cloud.advance(1)
    assert [result["value"] for result in lab.out] == [10, 4]


@reported
@pytest.mark.parametrize("idle_after", [30, None])
def test_a_silent_shard_stops_all_windows_until_it_is_idle(idle_after):
    """apache/beam#31085, apache/flink#6980: the watermark is the smallest of all inputs."""
    lab = Lab(shards=2)
    more = {"idle_after": idle_after} if idle_after else {}
    lab.start(lambda env: timed(env, **more).tumbling(60).count().to(lab.out.append))
    lab.ride(100, 130, hash_key=0)
    lab.cloud.advance(5)
    assert lab.results() == []
    lab.cloud.advance(40)
    lab.ride(190, hash_key=0)
    lab.cloud.advance(1)
    assert [each[1] for each in lab.results()] == ([60, 120] if idle_after else [])


@reported
def test_children_are_read_after_their_parents():
    """apache/flink-connector-aws#145: then the order of a key is that in which it was put."""
    lab = Lab(shards=2)
    seen = []
    numbers = iter(range(10_000))

    def put(count):
        for _ in range(count):
            lab.ride(0, lift="north", n=next(numbers))

    put(20)
    first, second = "shardId-000000000000", "shardId-000000000001"
    lab.kinesis.merge_shards(StreamName="rides", ShardToMerge=first, AdjacentShardToMerge=second)
    put(20)
    lab.cloud.advance(60)
    put(20)
    lab.kinesis.split_shard(StreamName="rides", ShardToSplit="shardId-000000000002", NewStartingHashKey=str(HALF))
    lab.cloud.advance(60)
    put(20)
    several = {"ConfigurationType": "CUSTOM", "Parallelism": 3, "AutoScalingEnabled": False}
    job = lambda env: env.from_stream("rides", "TRIM_HORIZON").to(lambda ride: seen.append(ride["n"]))  # noqa: E731
    lab.start(job, ParallelismConfiguration=several)
    lab.cloud.advance(30)
    assert seen == list(range(80))


@guide
def test_keyed_state_map_filter_and_sinks(lab):
    lab.stream("out")

    def each_tenth(ride, state):
        state["n"] = state.get("n", 0) + ride["riders"]
        return [{"key": ride["lift"], "total": state["n"]}] if state["n"] % 10 == 0 else []

    def job(env):
        rides = env.from_stream("rides").filter(lambda ride: ride["riders"] > 0)
        rides.key_by(lambda ride: ride["lift"]).process(each_tenth).to_stream("out")
        rides.flat_map(lambda ride: [ride["riders"]] * 2).map(lambda n: n + 1).to(lab.out.append)

    lab.start(job)
    for lift in "ab":
        lab.ride(*range(4), lift=lift, riders=5)
    lab.ride(9, riders=0)
    lab.cloud.advance(5)
    assert lab.read("out") == [{"key": lift, "total": n} for lift in "ab" for n in (10, 20)]
    assert lab.out == [6] * 16


@guide
def test_it_is_an_ordinary_reader_of_its_shard(lab):
    """With reads every 0.2 s it takes all five calls a second of the shard: another reader is refused."""
    lab.start(lambda env: env.from_stream("rides").to(lab.out.append))
    iterator = lab.kinesis.get_shard_iterator(
        StreamName="rides", ShardId="shardId-000000000000", ShardIteratorType="LATEST"
    )["ShardIterator"]
    for _ in range(6):
        with suppress(lab.kinesis.exceptions.ProvisionedThroughputExceededException):
            lab.kinesis.get_records(ShardIterator=iterator)
    lab.ride(*range(20))
    lab.cloud.advance(10)
    assert lab.cloud.trace.where(kind="ReadThrottled")
    assert len(lab.out) == 20, "a read that was refused is only later"


@ours
@pytest.mark.parametrize(
    ("job", "text"),
    [
        (lambda env: None, "the job has no source"),
        (lambda env: env.from_stream("rides", start="NOW"), 'start=\'NOW\': must be "LATEST" or "TRIM_HORIZON"'),
        (lambda env: env.from_stream("rides").key_by(len).tumbling(60), "windows need event times"),
        (lambda env: timed(env).tumbling(0), "size=0: must be more than zero seconds"),
        (lambda env: timed(env).sliding(60, -1), "slide=-1: must be more than zero seconds"),
        (lambda env: timed(env, -1), "out_of_order=-1: must be zero or more seconds"),
        (lambda env: timed(env, float("nan")), "out_of_order=nan: must be zero or more seconds"),
        (lambda env: timed(env).tumbling(float("nan")), "size=nan: must be more than zero seconds"),
        (lambda env: timed(env).tumbling(1e300), "size=1e[+]300: must be from 0.001 to 1e[+]10 seconds"),
        (lambda env: timed(env).tumbling(1e-300), "size=1e-300: must be from 0.001 to 1e[+]10 seconds"),
        (lambda env: timed(env).session(float("inf")), "gap=inf: must be from 0.001 to 1e[+]10 seconds"),
        (lambda env: timed(env).sliding(86_400, 0.001), "a value would be in more than 10,000 windows"),
    ],
)
def test_a_job_that_makes_no_sense_is_told_where_time_passes(lab, job, text):
    lab.create(job)
    lab.analytics.start_application(ApplicationName="counts")
    with pytest.raises(ValueError, match=text):
        lab.cloud.advance(100)
    assert lab.status() == "READY"


RIDES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 300), st.integers(0, 2**128 - 1)), max_size=40)


@ours
@settings(max_examples=25)
@given(RIDES, st.sampled_from([0, 20, 60]), st.sampled_from([0, 30]), st.integers(1, 3))
def test_what_windows_counted_last_and_what_was_late_is_all_there_was(rides, out_of_order, lateness, parallelism):
    lab = Lab(shards=3)
    late = []

    def job(env):
        windows = timed(env, out_of_order, idle_after=5).tumbling(60, lateness=lateness)
        windows.count().to(lab.out.append)
        windows.late.to(late.append)

    settings = {"ConfigurationType": "CUSTOM", "Parallelism": parallelism, "AutoScalingEnabled": False}
    lab.start(job, ParallelismConfiguration=settings)
    for number, (lift, time, hash_key) in enumerate(rides):
        lab.ride(time, lift=lift, hash_key=hash_key)
        if number % 5 == 4:
            lab.cloud.advance(1)
    lab.cloud.advance(10)
    lab.ride(10_000, lift="end")
    lab.cloud.advance(10)
    last = {(key, start): value for key, start, _, value, _ in lab.results()}
    assert sum(last.values()) + len(late) == len(rides)
    for (key, start), value in last.items():
        mine = sum(lift == key and start <= time < start + 60 for lift, time, _ in rides)
        missed = sum(r["lift"] == key and start <= r["time"] - START < start + 60 for r in late)
        assert value == mine - missed
    if out_of_order >= 300:
        assert not late
    json.dumps(lab.out)


@ours
@pytest.mark.parametrize("time", ["NaN", "Infinity", "-1e300", "1e15", '"nan"', "true", "null", "[]", '"9999-99-99"'])
def test_an_event_time_that_is_none_fails_the_job_and_moves_no_watermark(lab, time):
    """As in Flink: an exception in a job's function restarts it from its checkpoint, and it reads the record again."""
    lab.start(lambda env: timed(env).tumbling(60).count().to(lab.out.append))
    lab.kinesis.put_record(StreamName="rides", Data=f'{{"time": {time}, "lift": "a"}}', PartitionKey="a")
    lab.cloud.advance(30)
    failed = lab.cloud.trace.where(kind="JobFailed")
    assert 1 < len(failed) < 5
    assert all("time" in row.detail or "isoformat" in row.detail or "month" in row.detail for row in failed)
    assert lab.out == [] and lab.status() == "RUNNING"
