"""Lab 06's scenario: a stream that is read against a buffer that is delivered, as the lab tells them."""

import re
from statistics import median

import pytest

from lablib.scenarios import Action
from lablib.scenarios.lab06 import LongOutage, SkiLift
from lablib.scenarios.lab06_told import DELIVERY, MIB, delivery_waits, objects, picture, stream_waits
from lablib.scenarios.run import check, simulate

GOLDEN = {
    SkiLift(): "e712118c2ea6f881",
    SkiLift(way="stream"): "7f6091ad32e5682c",
    SkiLift(way="both", backup=True): "7bf0804192f0190a",
    LongOutage(): "bb8b7fa6d38fbf1e",
}


def fresh(scenario, seed=0, actions=(), until=None, limits="2023"):
    return simulate(*check(scenario, seed, tuple(actions), until, limits))


@pytest.mark.parametrize("scenario", GOLDEN, ids=repr)
def test_the_default_run_is_the_same_everywhere(scenario):
    """A change here means: every seed in the notebook now gives another run. Say so when you change it."""
    assert fresh(scenario, 1).digest == GOLDEN[scenario]


def test_a_stream_is_read_in_a_fraction_of_a_second_and_a_buffer_takes_up_to_a_minute():
    """The table of the course: real time (about 200 ms) against near real time (at least 60 s)."""
    read = [wait for _, wait in stream_waits(fresh(SkiLift(way="stream"), 7))]
    delivered = [wait for _, wait, _ in delivery_waits(fresh(SkiLift(rush=1.0), 7))]
    assert 0.1 <= median(read) <= 0.3
    assert 20 <= median(delivered) <= 40
    assert 59 <= max(delivered) <= 61


def test_the_buffer_closes_by_time_while_it_is_quiet_and_by_size_in_the_rush():
    found = [(row.time, why) for row, why in objects(fresh(SkiLift(), 7))]
    assert {why for time, why in found if time < 122} == {"time"}
    assert {why for time, why in found if 125 < time < 200} == {"size"}


def test_all_that_was_accepted_is_delivered_or_still_collected_and_never_twice():
    for more in ({}, {"outage": 100.0}, {"way": "both"}, {"backup": True}):
        run = fresh(SkiLift(**more), 7)
        come = [row.subject for row in run.trace.where(("RecordAccepted", "RecordTaken"), resource=DELIVERY)]
        gone = [row.subject for row in run.trace.where("RecordDelivered", resource=DELIVERY)]
        assert len(gone) == len(set(gone))
        assert set(gone) < set(come)
        newest = max(row.time for row, _ in objects(run))
        assert {row.subject for row in run.trace.where("RecordAccepted") if row.time < newest - 61} <= set(gone)


@pytest.mark.parametrize(("hours", "ends"), [(1.0, 1.9), (25.0, 25.9)])
def test_events_of_interest_tell_of_an_outage_to_its_end(hours, ends):
    """Attempts come every five minutes: they are one series, in the first hours of the run as in the last."""
    run = fresh(LongOutage(outage=hours), 7)
    (failed,) = (event for event in run.notable() if event.kind == "failed delivery")
    attempts = run.trace.where("BatchFailed")
    assert (failed.time, failed.last) == (attempts[0].time, attempts[-1].time)
    assert failed.last / 3600 == pytest.approx(ends, abs=0.1)
    assert f"({len(attempts)} in all)" in failed.text
    (refused,) = (event for event in run.notable() if event.kind == "throttle")
    assert (refused.time, refused.last) == (attempts[0].time, attempts[-1].time)


def test_one_record_is_one_record():
    run = fresh(LongOutage(outage=1.0), 7)
    words = [event.text for event in run.notable()]
    words += [run.trace.describe(row) for row in run.trace if run.trace.says(row)]
    assert any("1 record leaves" in text for text in words)
    assert not [text for text in words if re.search(r"\b1 (records|others)\b", text)]


def test_the_picture_has_the_level_that_the_objects_had_when_they_left():
    run = fresh(SkiLift(), 7)
    told = picture(run)
    level = dict(zip(told["buffer"]["level"]["t"], told["buffer"]["level"]["y"]))
    for row in run.trace.where("BufferClosed", resource=DELIVERY):
        assert level[row.time] == 0, "what closed is empty"
        before = max(time for time in level if time < row.time)
        assert level[before] <= row.detail["bytes"] <= level[before] + 6000
    assert told["buffer"]["limits"] == [MIB, 60]
    stored = sum(n for _, n, _, _ in told["objects"]["bucket"])
    assert stored == len(told["waits"]["t"]) == sum(row.detail["records"] for row, _ in objects(run))


def test_while_s3_is_away_the_buffer_grows_and_nothing_is_lost():
    run = fresh(SkiLift(outage=100.0), 7)
    assert [row.detail["attempt"] for row in run.trace.where("BatchFailed")] == [1, 2, 3]
    assert max(row.detail["bytes"] for row, _ in objects(run)) > 3 * MIB
    assert SkiLift().results(run)["records lost"] == 0
    again = fresh(SkiLift(), 7, [Action("s3_away", 90.0, value=100.0)])
    assert [row.time for row, _ in objects(again)] == [row.time for row, _ in objects(run)]


def test_when_s3_is_away_for_longer_than_a_day_the_oldest_records_are_lost():
    """Developer guide, "Data delivery failure handling", S3: retried for up to 24 hours, then the data is lost."""
    day = 24 * 3600
    for hours in (1.0, 23.5, 25.0):
        run = fresh(LongOutage(outage=hours), 7)
        come = {row.subject: row.time for row in run.trace.where("RecordAccepted", resource=DELIVERY)}
        lost = {row.subject: row.time for row in run.trace.where("RecordLost", resource=DELIVERY)}
        gone = {row.subject for row in run.trace.where("RecordDelivered", resource=DELIVERY)}
        assert bool(lost) == (hours > 24) == bool(run.scenario.results(run)["records lost"])
        assert all(time - come[subject] >= day for subject, time in lost.items())
        assert not gone & set(lost)
        assert {s for s, time in come.items() if time < run.until - 600} <= gone | set(lost)


def test_a_backup_is_a_second_copy_of_all():
    run = fresh(SkiLift(backup=True), 7)
    assert sum(row.detail["records"] for row, _ in objects(run, "backup")) >= 1000
    found, without = (
        {n.label: n.text for n in one.measures.summary() if n.label not in ("API calls", "cost")}
        for one in (run, fresh(SkiLift(), 7))
    )
    assert found == without, "a copy is no other record"
    assert run.measures.sent == run.measures.done + run.measures.waiting


def test_firehose_behind_a_stream_leaves_the_records_to_other_readers():
    run = fresh(SkiLift(way="both"), 7)
    assert len(stream_waits(run)) > 1000 and len(delivery_waits(run)) > 1000
    assert {row.resource for row in run.trace.where("RecordsRead")} == {"riders/shardId-000000000000"}


def test_the_rate_can_be_changed_while_it_runs():
    run = fresh(SkiLift(rush=1.0), 7, [Action("set", 150.0, "rate", 20.0)])
    times = [row.time for row in run.trace.where("RecordAccepted")]
    assert sum(time > 150 for time in times) > 6 * sum(time < 150 for time in times)


def test_only_what_is_there_can_be_done():
    kinds = {way: {spec.kind for spec in SkiLift(way=way).actions()} for way in ("firehose", "stream", "both")}
    assert "replay" not in kinds["firehose"] and "s3_away" not in kinds["stream"]
    assert {"replay", "s3_away", "crash"} <= kinds["both"]
