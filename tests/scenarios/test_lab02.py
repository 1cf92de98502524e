"""Lab 02's scenarios: the stories they tell, and the cases that are hard to get right."""

from itertools import pairwise

import pytest

from lablib.scenarios import Action, Run
from lablib.scenarios.lab02 import MONTH, SCENARIOS, Polling, Visibility
from lablib.scenarios.run import check, simulate


def fresh(scenario, seed=0, actions=(), until=None):
    return simulate(*check(scenario, seed, tuple(actions), until, "2023"))


def done_in_vain(run):
    return len(run.trace.where("DeleteIgnored"))


GOLDEN = {
    Visibility(): "7501914b10b76797",
    Visibility(crashes=0.1, heartbeat=10.0): "e5e2ca063c2e0c82",
    Visibility(poison=0.1, max_receives=3): "1b89dbcc3dad4096",
    Polling(): "07e525d52f327f4d",
    Polling(wait_time=0): "314317131682985a",
}


@pytest.mark.parametrize("scenario", GOLDEN, ids=repr)
def test_the_run_is_the_same_everywhere(scenario):
    """A change here means: every seed in the notebook now gives another run. Say so when you change it."""
    assert fresh(scenario, 1).digest == GOLDEN[scenario]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_can_be_shared(name):
    run = SCENARIOS[name](consumers=3).run(seed=4, actions=[Action("crash", 20.0, "consumer-2")])
    assert Run.from_text(run.share()).digest == run.digest


# ---- visibility ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_same_jobs_whatever_the_timeout(seed):
    short, long = (fresh(Visibility(visibility_timeout=t), seed).trace for t in (10, 240))
    for kind in ("Sent", "WorkStarted"):
        assert {row.subject for row in long.where(kind)} <= {row.subject for row in short.where("Sent")}
    assert [row.time for row in short.where("Sent")] == [row.time for row in long.where("Sent")]


@pytest.mark.parametrize("seed", range(5))
def test_too_short_is_done_twice_and_long_enough_is_not(seed):
    assert done_in_vain(fresh(Visibility(visibility_timeout=10), seed)) >= 5
    assert fresh(Visibility(visibility_timeout=240), seed).measures.duplicates() == 0


def test_work_that_always_takes_longer_never_ends():
    stuck = fresh(Visibility(visibility_timeout=5, spread=1.0, consumers=20, rate=0.02))
    assert stuck.measures.done == 0
    assert len(stuck.trace.where("WorkEnded")) > 10


@pytest.mark.parametrize("seed", range(5))
def test_a_heartbeat_lets_no_message_go_while_its_worker_lives(seed):
    run = fresh(Visibility(crashes=0.1, heartbeat=10.0), seed)
    assert done_in_vain(run) == 0
    cut = {work.subject for work in run.measures.work if work.cut >= 0}
    assert {row.subject for row in run.trace.where("Received") if row.detail > 1} <= cut
    assert run.trace.where("VisibilityChanged")


def test_the_heart_of_a_crashed_worker_stops():
    run = fresh(Visibility(crashes=1.0, heartbeat=1.0, consumers=1, restart=0.0))
    (crash,) = run.trace.where("Crashed")
    beats = run.trace.where("VisibilityChanged")
    assert beats
    assert all(row.time <= crash.time + 0.1 for row in beats)  # one may be on its way
    shown = run.trace.where("BecameVisible")[0]
    assert crash.time + 28 <= shown.time <= crash.time + 31


def test_the_heart_of_a_frozen_worker_stops():
    calm = Visibility(heartbeat=5.0, consumers=2, spread=1.0)
    first = fresh(calm).trace.where("WorkStarted")[0]
    run = fresh(calm, actions=[Action("freeze", first.time + 7, first.actor, 100.0)])
    beats = [row.time for row in run.trace.where("VisibilityChanged", subject=first.subject)][:1]
    assert beats == [pytest.approx(first.time + 5, abs=0.1)]
    assert run.trace.where("BecameVisible", subject=first.subject)[0].time == pytest.approx(beats[0] + 30)
    assert run.trace.where("VisibilityChanged", actor=f"heartbeat of {first.actor}")


def test_a_heartbeat_helps_only_the_message_in_work():
    run = fresh(Visibility(batch_size=10, consumers=1, rate=0.5, heartbeat=5.0), until=200)
    received = {row.subject: row.time for row in reversed(run.trace.where("Received"))}
    late = [row for row in run.trace.where("BecameVisible") if row.subject in received]
    assert late
    assert all(row.time == pytest.approx(received[row.subject] + 30) for row in late[:3])


def test_a_crash_has_its_own_luck_with_each_delivery_and_is_never_the_last_word():
    run = fresh(Visibility(crashes=0.4, visibility_timeout=60, consumers=8), 3, until=900)
    again = [row for row in run.trace.where("Received") if row.detail > 1]
    assert again
    deleted = {row.subject for row in run.trace.where("Deleted")}
    assert {row.subject for row in again if row.time < 600} & deleted


def test_a_worker_that_is_taken_out_of_the_fleet_does_not_crash_the_run():
    run = fresh(Visibility(crashes=1.0, work=60.0), 3, [Action("set", 20.0, "consumers", 1)])
    assert {row.actor for row in run.trace.where("Crashed") if row.time > 20} <= {"consumer-1"}


def test_poison_goes_to_the_dead_letter_queue_and_nothing_else_does():
    scenario = Visibility(poison=0.15, max_receives=3, heartbeat=10.0, consumers=8)
    run = fresh(scenario, 2, until=900)
    moved = {row.subject for row in run.trace.where("MovedToDeadLetterQueue")}
    failed = {row.subject for row in run.trace.where("WorkEnded") if row.detail == "failed"}
    assert moved
    assert moved <= failed
    assert not failed & {row.subject for row in run.trace.where("Deleted")}
    assert all(len(run.trace.where("Received", subject=subject)) == 3 for subject in moved)
    assert "could not do the work" in run.explain(min(moved))
    assert scenario.topology()["dead"].role == "dead-letter"
    assert "dead" not in [place.id for place in Visibility().topology().places]


def test_without_a_dead_letter_queue_poison_hides_from_the_age_of_the_oldest():
    run = fresh(Visibility(poison=0.1, heartbeat=10.0, consumers=8), 5, until=1200)
    deleted = {row.subject for row in run.trace.where("Deleted")}
    oldest = min(row.time for row in run.trace.where("Sent") if row.subject not in deleted)
    assert run.measures.age_of_oldest().last < (run.until - oldest) / 2


# ---- polling -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consumers", [1, 10, 100])
def test_long_polls_of_a_quiet_queue_cost_a_twentieth_and_find_sooner(consumers):
    short, long = (fresh(Polling(rate=0.02, consumers=consumers, wait_time=w), 7).measures for w in (0, 20))
    assert short.sent == long.sent == long.done > 0
    calls = short.calls()["ReceiveMessage"], long.calls()["ReceiveMessage"]
    assert calls[0] > 8 * calls[1]
    assert long.p(95) <= short.p(50)
    assert calls[0] == pytest.approx(300 * consumers, rel=0.05)
    assert short.cost() * MONTH / 300 == pytest.approx(1.037 * consumers, rel=0.1)


def test_short_polls_of_many_do_not_come_in_step():
    trace = fresh(Polling(wait_time=0, consumers=20), until=5).trace
    begins = sorted(row.time % 1 for row in trace.where("ReceiveMessage"))
    assert all(b - a < 0.4 for a, b in pairwise(begins))


def test_a_busy_queue_costs_what_its_messages_cost():
    m = fresh(Polling(rate=5.0), 7).measures
    assert m.calls()["ReceiveMessage"] < 1.1 * m.sent
    assert len(m.empty_receives) < 0.01 * m.sent
