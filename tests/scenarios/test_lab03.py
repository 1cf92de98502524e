"""Lab 03's scenario: order, groups and parallelism, as the lab tells them."""

from collections import Counter

import pytest

from lablib.scenarios import Action
from lablib.scenarios.lab03 import Trucks, at_work, jumps_back
from lablib.scenarios.run import check, simulate

EVEN = Trucks(work=0.5, spread=1.0, outages=0.0, trucks=4, consumers=4)
GOLDEN = {
    Trucks(): "c8a012646a77c37c",
    Trucks(queue_type="standard"): "f73c3c32d508e589",
    Trucks(group="one"): "3121ee3568082117",
}


def fresh(scenario, seed=0, actions=(), until=None, limits="2023"):
    return simulate(*check(scenario, seed, tuple(actions), until, limits))


def truck_of(run, subject):
    return run.trace.where("Sent", subject=subject)[0].actor


@pytest.mark.parametrize("scenario", GOLDEN, ids=repr)
def test_the_default_run_is_the_same_everywhere(scenario):
    """A change here means: every seed in the notebook now gives another run. Say so when you change it."""
    assert fresh(scenario, 1).digest == GOLDEN[scenario]


# ---- order ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("more", [{}, {"crashes": 0.05}, {"batch_size": 10}, {"consumers": 3}], ids=repr)
def test_one_group_a_truck_keeps_every_truck_in_order(seed, more):
    run = fresh(Trucks(**more), seed)
    assert jumps_back(run) == []
    assert run.measures.order_violations() == 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("more", [{"queue_type": "standard"}, {"group": "random"}], ids=repr)
def test_a_standard_queue_and_random_groups_let_trucks_jump_back(seed, more):
    run = fresh(Trucks(**more), seed)
    assert len(jumps_back(run)) >= 3


def test_a_jump_is_a_position_drawn_after_a_newer_one_of_the_same_truck():
    run = fresh(Trucks(queue_type="standard"), 7)
    ended = run.trace.where("WorkEnded")
    for back in jumps_back(run):
        mine = run.trace.where("Sent", subject=back.subject)[0]
        before = [run.trace.where("Sent", subject=row.subject)[0] for row in ended if row.index < back.index]
        assert any(sent.actor == mine.actor and sent.index > mine.index for sent in before)


def test_a_standard_queue_delivers_twice_where_fifo_does_not():
    assert fresh(Trucks(queue_type="standard"), 7).measures.duplicates() > 0
    assert fresh(Trucks(), 7).measures.duplicates() == 0


# ---- groups and parallelism ----------------------------------------------------------------------------------------


def test_one_group_for_all_keeps_one_consumer_at_work():
    run = fresh(Trucks(group="one"), 7)
    assert at_work(run) == 1
    assert jumps_back(run) == []
    assert run.measures.done < 70
    assert run.measures.waiting > 280


@pytest.mark.parametrize("group", ["truck", "random"])
def test_many_groups_keep_all_consumers_at_work(group):
    run = fresh(Trucks(group=group), 7)
    assert at_work(run) == 8
    assert run.measures.done > 340


def test_at_work_forgets_who_crashed():
    acts = [Action("crash", at, f"consumer-{n}") for n, at in ((1, 10.3), (2, 10.3), (3, 10.3))]
    run = fresh(EVEN.replace(consumers=1, restart=0.0), actions=acts[:1])
    assert at_work(run) == 1
    assert at_work(fresh(EVEN.replace(group="one", visibility_timeout=5), actions=acts)) == 1


def test_a_hundred_trucks_and_a_hundred_consumers_and_more_consumers_than_trucks_wait():
    busy = fresh(Trucks(trucks=100, consumers=100), 1, until=20)
    assert jumps_back(busy) == []
    assert at_work(busy) > 40
    crowd = fresh(EVEN.replace(trucks=3, work=5.0, consumers=20))
    assert at_work(crowd) == 3


def test_a_slow_truck_holds_up_only_itself():
    run = fresh(Trucks(slow=8.0), 7)
    done = Counter(truck_of(run, row.subject) for row in run.trace.where("Deleted"))
    assert done["truck-1"] < 15
    assert min(count for name, count in done.items() if name != "truck-1") >= 27


def test_the_same_load_arrives_whatever_the_queue_is():
    def load(run):
        bodies = [(row.actor, round(row.time, 0)) for row in run.trace.where("Sent")]
        return sorted(bodies)[:300]

    assert load(fresh(Trucks(), 3)) == load(fresh(Trucks(queue_type="standard"), 3))


# ---- crashes, bursts, live parameters ------------------------------------------------------------------------------


def test_a_crash_blocks_the_group_until_the_message_is_visible_again_and_no_other_group():
    base = fresh(EVEN)
    begun = base.trace.where("WorkStarted")[8]
    truck = truck_of(base, base.trace[begun.index].subject)
    run = fresh(EVEN.replace(visibility_timeout=20), actions=[Action("crash", begun.time + 0.2, begun.actor)])
    received = run.trace.where("Received", subject=begun.subject)
    assert len(received) == 2
    assert received[1].time == pytest.approx(received[0].time + 20, abs=0.1)
    between = [r for r in run.trace.where("Received") if received[0].index < r.index < received[1].index]
    assert between
    assert truck not in {truck_of(run, row.subject) for row in between}
    assert jumps_back(run) == []


def test_crashes_happen_about_as_often_as_they_should_and_each_delivery_has_its_own_luck():
    run = fresh(Trucks(crashes=0.1, visibility_timeout=5), 1)
    started = len(run.trace.where("WorkStarted"))
    assert 0.04 * started < len(run.trace.where("Crashed")) < 0.18 * started
    assert any(row.detail == 2 for row in run.trace.where("Received"))
    assert run.measures.done > 100
    assert not fresh(Trucks(crashes=0.0), 1).trace.where("Crashed")


@pytest.mark.parametrize("queue_type", ["fifo", "standard"])
def test_a_burst_comes_from_the_trucks_in_order_and_changes_nothing_else(queue_type):
    scenario = EVEN.replace(queue_type=queue_type)
    run = fresh(scenario, actions=[Action("burst", 20.0, value=10)])
    extra = run.measures.sent - fresh(scenario).measures.sent
    assert extra == 10
    assert run.trace.where("Burst")[0].detail == 10
    if queue_type == "fifo":
        assert jumps_back(run) == []


def test_more_positions_from_now_on():
    run = fresh(EVEN, actions=[Action("set", 30.0, "every", 1.0)])
    times = [row.time for row in run.trace.where("Sent")]
    before, after = sum(t < 30 for t in times), sum(t >= 30 for t in times)
    assert after == pytest.approx(2 * before, abs=3)


def test_only_a_standard_queue_has_servers_that_can_be_down():
    assert "server_down" not in {spec.kind for spec in Trucks().actions()}
    standard = Trucks(queue_type="standard")
    assert "server_down" in {spec.kind for spec in standard.actions()}
    queue = {place.id: place for place in standard.topology().places}["queue"]
    assert (queue.match, queue.parts) == ("positions", 8)
    queue = {place.id: place for place in Trucks().topology().places}["queue"]
    assert (queue.match, queue.parts) == ("positions.fifo", 0)
    assert fresh(standard, actions=[Action("server_down", 5.0, "server-1", 10.0)]).trace.where("ServerUnavailable")


def test_every_message_is_in_the_group_that_was_chosen():
    for group, count in (("truck", 4), ("one", 1)):
        details = {row.detail for row in fresh(EVEN.replace(group=group)).trace.where("JoinedGroup")}
        assert len(details) == count
    run = fresh(EVEN.replace(group="random"))
    assert len({row.detail for row in run.trace.where("JoinedGroup")}) == run.measures.sent


def test_with_the_quotas_of_today_the_story_is_the_same():
    today, standard = (fresh(Trucks(queue_type=t), 7, limits="today") for t in ("fifo", "standard"))
    assert jumps_back(today) == []
    assert today.measures.done > 340
    assert len(jumps_back(standard)) >= 3
