"""Lab 01's scenarios: the stories they tell, and the cases that are hard to get right."""

import pytest

from lablib.scenarios import Action
from lablib.scenarios.lab01 import Fleet, Promises, VideoQueue
from lablib.scenarios.run import check, simulate

CALM = VideoQueue(arrivals="steady", rate=0.5, consumers=2, work=1.0, spread=1.0, outages=0.0, visibility_timeout=20)


def fresh(scenario, seed=0, actions=(), until=None):
    return simulate(*check(scenario, seed, tuple(actions), until, "2023"))


def kinds(run, subject):
    return [row.kind for row in run.trace.where(subject=subject)]


# ---- the stories ---------------------------------------------------------------------------------------------------

GOLDEN = {
    VideoQueue(): "1c108930c4ec3aca",
    VideoQueue(mode="direct"): "36ce11fbb08b1d65",
    Promises(): "b6589a499a288e98",
    Fleet(): "d96d18dc390ca4fe",
}


@pytest.mark.parametrize("scenario", GOLDEN, ids=repr)
def test_the_default_run_is_the_same_everywhere(scenario):
    """A change here means: every seed in the notebooks now gives another run. Say so when you change it."""
    assert fresh(scenario, 1).digest == GOLDEN[scenario]


@pytest.mark.parametrize("seed", range(5))
def test_a_spike_fills_the_queue_and_drains_and_nobody_is_lost(seed):
    measures = fresh(VideoQueue(), seed).measures
    assert 500 <= measures.sent <= 1000
    assert 90 <= measures.depth().max <= 200
    assert measures.depth().at([55, 290]).max() <= 15
    assert measures.lost == 0
    assert measures.done >= 0.98 * measures.sent


@pytest.mark.parametrize("seed", range(5))
def test_the_same_spike_without_a_queue_loses_callers(seed):
    run = fresh(VideoQueue(mode="direct"), seed)
    first = min(row.time for row in run.trace.where(("Refused", "TimedOut")))
    assert 60 <= first <= 90
    assert 0.2 <= run.measures.lost / run.measures.sent <= 0.5
    assert len(run.trace.where("Refused")) > 30
    assert len(run.trace.where("TimedOut")) > 30
    assert run.measures.depth().max == 40
    assert run.measures.at(299)["requests waiting"] <= 15


@pytest.mark.parametrize("seed", range(5))
def test_promises_shows_expiry_duplicates_and_disorder(seed):
    run = fresh(Promises(), seed)
    expired = run.trace.where("Expired")
    assert len(expired) >= 10
    for row in expired:
        assert row.time == pytest.approx(run.trace.where("Sent", subject=row.subject)[0].time + 4 * 86_400)
    assert run.measures.duplicates() >= 1
    assert run.measures.order_violations() >= 20
    assert not fresh(Promises(retention=14.0, outages=0.0), seed).measures.lost


def test_a_fleet_grows_until_the_arrivals_or_the_database_are_the_limit():
    def throughput(consumers, **more):
        return fresh(Fleet(consumers=consumers, **more), 1).measures.throughput

    one, four, eight, sixteen = (throughput(n) for n in (1, 4, 8, 16))
    assert four == pytest.approx(4 * one, rel=0.05)
    assert eight == pytest.approx(sixteen, rel=0.03)
    assert sixteen == pytest.approx(8.0, rel=0.05)
    shared = throughput(8, connections=1)
    assert shared == pytest.approx(throughput(16, connections=1), rel=0.02)
    assert shared == pytest.approx(1 / 0.2, rel=0.03)


def test_consumers_of_one_queue_get_different_messages():
    trace = fresh(Fleet(consumers=6), until=60).trace
    received = trace.where("Received")
    assert len({row.subject for row in received}) == len(received)
    assert len({row.actor for row in received}) == 6


def test_short_polls_pause_and_cost_more_than_long_ones():
    short, long = (fresh(CALM.replace(wait_time=w)).measures for w in (0, 20))
    assert short.calls()["ReceiveMessage"] > 2 * long.calls()["ReceiveMessage"]
    assert short.bill()["sqs"]["requests"] > long.bill()["sqs"]["requests"]
    assert short.done == pytest.approx(long.done, abs=2)


# ---- crashes -------------------------------------------------------------------------------------------------------


def test_a_crash_between_work_and_delete_brings_the_message_back():
    base = fresh(CALM)
    ended = base.trace.where("WorkEnded")[5]
    crash = Action("crash", ended.time + 0.0005, ended.actor)  # the delete is on its way
    run = fresh(CALM, actions=[crash])
    row = next(r for r in run.trace.where("WorkEnded") if r.time == ended.time)
    first = run.trace.where("Received", subject=row.subject)[0]
    assert kinds(run, row.subject) == [
        "Sent", "Received", "WorkStarted", "WorkEnded", "BecameVisible",
        "Received", "WorkStarted", "WorkEnded", "Deleted",
    ]  # fmt: skip
    visible = run.trace.where("BecameVisible", subject=row.subject)[0]
    assert (visible.time, visible.cause) == (first.time + 20, first.index)
    assert run.measures.duplicates() == 1
    call = run.trace.where("DeleteMessage", actor=row.actor)
    assert "CallerGone" in [c.detail for c in call]


def test_a_crashed_consumer_comes_back_under_its_name():
    run = fresh(CALM.replace(restart=15.0), actions=[Action("crash", 50.0, "consumer-1")])
    crashed, restarted = run.trace.where(("Crashed", "Restarted"))
    assert (crashed.time, restarted.time, restarted.cause) == (50.0, 65.0, crashed.index)
    calls = [row.time for row in run.trace.where("ReceiveMessage", actor="consumer-1")]
    assert any(time < 50 for time in calls)
    assert min(time for time in calls if time > 50) == 65.0


def test_crash_and_crash_again_while_down():
    acts = [Action("crash", at, "consumer-1") for at in (50.0, 50.0, 55.0, 70.0)]
    run = fresh(CALM.replace(restart=15.0), actions=acts)
    assert [(r.kind, r.time) for r in run.trace.where(("Crashed", "Restarted"))] == [
        ("Crashed", 50.0), ("Restarted", 65.0), ("Crashed", 70.0), ("Restarted", 85.0),
    ]  # fmt: skip


def test_crash_everybody_at_the_start_and_nothing_is_lost():
    acts = [Action("crash", 0.0, f"consumer-{n}") for n in (1, 2)]
    run = fresh(CALM.replace(restart=0.0), actions=acts)
    assert not run.trace.where("Received")
    assert run.measures.waiting == run.measures.sent


# ---- freezes, long work --------------------------------------------------------------------------------------------


def test_a_frozen_consumer_loses_its_message_and_deletes_too_late():
    base = fresh(CALM)
    begun = base.trace.where("WorkStarted")[5]
    run = fresh(CALM, actions=[Action("freeze", begun.time + 0.1, begun.actor, 60.0)])
    subject = base.trace[begun.cause].subject
    other = ({"consumer-1", "consumer-2"} - {begun.actor}).pop()
    assert [row.actor for row in run.trace.where("Received", subject=subject)] == [begun.actor, other]
    ended = run.trace.where("WorkEnded", subject=subject, actor=begun.actor)[0]
    assert ended.time == pytest.approx(begun.time + 1.0 + 60.0)
    assert [row.actor for row in run.trace.where("DeleteIgnored", subject=subject)] == [begun.actor]
    assert [row.actor for row in run.trace.where("Deleted", subject=subject)] == [other]
    assert [row.kind for row in run.trace.where(("Frozen", "Unfrozen"))] == ["Frozen", "Unfrozen"]


def test_a_frozen_consumer_is_handed_a_message_while_it_polls_and_does_nothing_with_it():
    run = fresh(CALM.replace(consumers=1, rate=0.1), actions=[Action("freeze", 1.0, "consumer-1", 30.0)], until=60)
    received, started = run.trace.where("Received")[0], run.trace.where("WorkStarted")[0]
    assert received.time < 15
    assert started.time == 31.0


def test_a_batch_that_takes_longer_than_the_visibility_timeout_is_worked_on_twice():
    slow = CALM.replace(batch_size=10, work=4.0, visibility_timeout=15, rate=0.4)
    acts = [Action("burst", 1.0, value=60)]
    run = fresh(slow, actions=acts)
    assert run.measures.duplicates() >= 5
    assert run.trace.where("DeleteIgnored")
    assert len(run.trace.where("WorkEnded")) > run.measures.done
    calm = fresh(slow.replace(visibility_timeout=120), actions=acts)
    assert calm.measures.duplicates() == 0


def test_visibility_timeout_0_hides_nothing():
    run = fresh(CALM.replace(visibility_timeout=0, consumers=4), until=30)
    assert run.measures.duplicates() > 5


# ---- servers, bursts, live parameters ------------------------------------------------------------------------------


def test_a_server_that_is_away_brings_deleted_messages_back():
    burst = Action("burst", 15.0, value=40)  # only what was sent before the outage has copies on those servers
    acts = [burst, *(Action("server_down", 20.0, f"server-{n}", 60.0) for n in (1, 2, 3))]
    run = fresh(CALM, actions=acts)
    assert fresh(CALM.replace(visibility_timeout=20), actions=[burst]).measures.duplicates() == 0
    assert run.measures.duplicates() > 0
    for row in run.trace.where("CopyReturned"):
        assert row.time == 80.0
        assert run.trace[row.cause].kind == "Deleted"
    assert run.measures.duplicates() == len({row.subject for row in run.trace.where("CopyReturned")})


def test_all_servers_away_stops_the_queue_and_the_front_end_insists():
    acts = [Action("server_down", 20.0, f"server-{n}", 1.5) for n in range(1, 9)]
    run = fresh(CALM.replace(rate=2.0), actions=acts, until=60)
    failed = [row for row in run.trace.where("SendMessage") if row.detail == "ServiceUnavailable"]
    assert failed
    assert all(20 <= row.time <= 21.5 for row in failed)
    assert run.measures.sent == len([row for row in run.trace.where("SendMessage") if row.detail == 1])


@pytest.mark.parametrize("mode", ["queue", "direct"])
def test_a_burst_arrives_at_once(mode):
    run = fresh(CALM.replace(mode=mode, backlog=1000), actions=[Action("burst", 30.0, value=25)], until=40)
    came = [
        row.time
        for row in run.trace.where(("Sent", "Requested"), actor=("front-end-burst", "front-end"))
        if 30 <= row.time < 31
    ]
    assert len(came) in (25, 26)
    assert run.trace.where("Burst")[0].detail == 25
    calls = [row.time for row in run.trace.where(("SendMessage", "Requested")) if row.time != 30.0]
    base = [row.time for row in fresh(CALM.replace(mode=mode), until=40).trace.where(("SendMessage", "Requested"))]
    assert calls == [time for time in base if time != 30.0]


@pytest.mark.parametrize("mode", ["queue", "direct"])
def test_the_number_of_consumers_goes_up_and_down(mode):
    busy = VideoQueue(
        mode=mode,
        arrivals="steady",
        rate=10.0,
        consumers=2,
        work=2.0,
        spread=1.0,
        outages=0.0,
        timeout=120.0,
        backlog=1000,
    )
    acts = [
        Action("set", 20.0, "consumers", 6),
        Action("set", 41.0, "consumers", 1),
        Action("set", 80.0, "consumers", 3),
    ]
    run = fresh(busy, actions=acts, until=100)

    def at_work(time):
        return {
            w.actor
            for w in run.measures.work
            if run.trace[w.start].time <= time and (w.end < 0 or run.trace[w.end].time > time)
        }

    def first(n):
        return {f"consumer-{i}" for i in range(1, n + 1)}

    assert [at_work(t) for t in (19.5, 39.5, 60.5, 99.0)] == [first(2), first(6), first(1), first(3)]
    assert not [w for w in run.measures.work if w.cut >= 0]  # each finished what it had in hand
    assert run.measures.duplicates() == 0


def test_scaling_in_finishes_the_batch():
    busy = CALM.replace(rate=5.0, batch_size=10, consumers=2, visibility_timeout=100)
    run = fresh(busy, actions=[Action("set", 40.0, "consumers", 1)], until=120)
    mine = run.trace.where("Received", actor="consumer-2")
    assert max(row.time for row in mine) < 41
    assert {row.subject for row in mine} == {row.subject for row in run.trace.where("Deleted", actor="consumer-2")}


def test_a_parameter_changes_from_then_on():
    acts = [
        Action("set", 50.0, "rate", 4.0),
        Action("set", 50.0, "visibility_timeout", 7),
        Action("set", 50.0, "batch_size", 3),
    ]
    run = fresh(CALM.replace(consumers=8), actions=acts, until=100)
    sent = [row.time for row in run.trace.where("Sent")]
    assert sum(t < 50 for t in sent) == 24
    assert sum(50 <= t < 100 for t in sent) == pytest.approx(200, abs=2)
    lengths = {(row.time > 71, round(row.until - row.time, 6)) for row in run.trace.where("Received")}
    assert lengths <= {(False, 20.0), (False, 7.0), (True, 7.0)}
    assert (True, 7.0) in lengths
    changed = run.trace.where("ParameterSet")
    assert changed[0].detail == {"name": "rate", "value": 4.0}


# ---- events of interest --------------------------------------------------------------------------------------------


def test_what_is_notable_is_told_in_order_and_in_words():
    acts = [
        Action("crash", 50.5, "consumer-1"), Action("freeze", 60.0, "consumer-2", 40.0),
        Action("burst", 10.0, value=40),
        Action("server_down", 12.0, "server-1", 20.0), Action("server_down", 12.0, "server-2", 20.0),
        Action("set", 75.0, "rate", 0.1),
    ]  # fmt: skip
    run = fresh(CALM.replace(wait_time=2), actions=acts)
    events = run.notable()
    assert [event.time for event in events] == sorted(event.time for event in events)
    told = {event.kind for event in events}
    assert told >= {
        "crash",
        "restart",
        "freeze",
        "burst",
        "server down",
        "copy returned",
        "duplicate",
        "change",
        "empty poll",
    }
    assert all(event.text.endswith(".") and "\n" not in event.text for event in events)
    assert next(e.text for e in events if e.kind == "freeze") == "consumer-2 freezes for 40 s."
    duplicate = next(e for e in events if e.kind == "duplicate")
    assert run.trace[duplicate.row].kind == "Received"
    assert run.trace[duplicate.row].detail > 1


def test_a_series_is_told_once():
    direct = fresh(VideoQueue(mode="direct"), 1).notable()
    assert [event.kind for event in direct] == ["refused", "caller timed out"]
    hungry = fresh(CALM.replace(rate=0.1, wait_time=0), until=30).notable()
    polls = [event for event in hungry if event.kind == "empty poll"]
    assert 2 <= len(polls) <= 6


def test_every_row_of_the_trace_has_words():
    acts = [
        Action("crash", 50.5, "consumer-1"),
        Action("freeze", 60.0, "consumer-2", 40.0),
        Action("burst", 70.0, value=9),
    ]
    for scenario in (CALM, CALM.replace(mode="direct", backlog=0, timeout=1.0, rate=5.0)):
        trace = fresh(scenario, actions=acts).trace
        for row in trace:
            assert trace.is_api(row.index) or row.kind in trace.events, row
            assert row.kind not in trace.describe(row).split() or trace.is_api(row.index), row
