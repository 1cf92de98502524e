"""Lab 05's scenario: shards and keys, workers and leases, checkpoints, dashboards, as the lab tells them."""

from collections import Counter, defaultdict

import pytest

from lablib.measures.document import describe
from lablib.scenarios import Action
from lablib.scenarios.lab05 import TruckStream, delays, jumps_back, shares, twice
from lablib.scenarios.run import check, simulate

GOLDEN = {
    TruckStream(): "0af2142e2992085d",
    TruckStream(key="random", consumers=3): "b714908731dec340",
    TruckStream(dashboards=2, pipes="own"): "7a754e8d612e0e2b",
}


def fresh(scenario, seed=0, actions=(), until=None, limits="2023"):
    return simulate(*check(scenario, seed, tuple(actions), until, limits))


@pytest.mark.parametrize("scenario", GOLDEN, ids=repr)
def test_the_default_run_is_the_same_everywhere(scenario):
    """A change here means: every seed in the notebook now gives another run. Say so when you change it."""
    assert fresh(scenario, 1).digest == GOLDEN[scenario]


def test_a_truck_stays_in_one_shard_and_shards_are_uneven():
    run = fresh(TruckStream())
    places = defaultdict(set)
    for row in run.trace.where("RecordPut"):
        places[row.actor].add(row.resource)
    assert len(places) == 100
    assert {len(shards) for shards in places.values()} == {1}
    assert len(shares(run)) == 5
    assert max(shares(run).values()) > 0.22


@pytest.mark.parametrize("more", [{}, {"crashes": 0.02}, {"consumers": 2}, {"shards": 9, "consumers": 9}], ids=repr)
def test_every_truck_is_drawn_in_order_the_first_time(more):
    run = fresh(TruckStream(**more), 3)
    put = {row.subject: row for row in run.trace.where("RecordPut")}
    newest, seen = defaultdict(lambda: -1), set()
    for row in run.trace.where("WorkEnded"):
        if row.subject not in seen:
            assert put[row.subject].index > newest[put[row.subject].actor]
            newest[put[row.subject].actor] = put[row.subject].index
        seen.add(row.subject)
    assert len(seen) > 500


def test_random_keys_let_trucks_jump_back():
    assert len(jumps_back(fresh(TruckStream(key="random", every=1.0), 3))) > 20


@pytest.mark.parametrize(("shards", "consumers", "most"), [(5, 10, 5), (5, 3, 3), (8, 8, 8)])
def test_a_shard_has_one_worker_at_a_time(shards, consumers, most):
    run = fresh(TruckStream(shards=shards, consumers=consumers), 3)
    assert TruckStream().results(run)["most workers at work"] == most


def test_after_a_crash_another_worker_goes_on_behind_the_checkpoint():
    scenario = TruckStream(checkpoint=1000)
    run = fresh(scenario, 7, [Action("crash", 60.0, "worker-5")])
    taken = [row for row in run.trace.where("LeaseTaken") if row.time > 60]
    assert taken
    assert taken[0].actor != "worker-5"
    assert 65 <= taken[0].time <= 75, "ten seconds without a sign of life"
    assert 0 < twice(run) < 100
    assert twice(fresh(scenario, 7)) == 0


def test_a_worker_that_was_frozen_cannot_move_the_checkpoint_of_another():
    run = fresh(TruckStream(), 7, [Action("freeze", 30.0, "worker-2", 40.0)])
    drawn = Counter(row.subject for row in run.trace.where("WorkEnded"))
    put = {row.subject for row in run.trace.where("RecordPut") if row.time < 60}
    assert put <= set(drawn)


def test_a_split_shard_has_two_children_with_workers_of_their_own():
    run = fresh(TruckStream(), 7, [Action("split", 10.0, "shard-3")])
    split = run.trace.where("ShardSplit")[0]
    assert 39 <= split.time <= 41
    late = {row.resource for row in run.trace.where("RecordPut") if row.time > split.time}
    assert split.resource not in late
    assert set(split.detail) <= late
    places = {place.id: place for place in run.topology.places}
    assert places[split.detail[0]].t_from == split.time
    assert jumps_back(run) == []


def test_replay_draws_everything_again():
    run = fresh(TruckStream(), 7, [Action("replay", 40.0)])
    again = Counter(row.subject for row in run.trace.where("WorkEnded"))
    assert all(again[row.subject] == 2 for row in run.trace.where("RecordPut") if row.time < 20)


def test_six_dashboards_register_as_aws_lets_them():
    """Five calls a second, and five consumers in CREATING (API: RegisterStreamConsumer): the sixth comes later, and
    gets all from the start.
    """
    run = fresh(TruckStream(dashboards=6, pipes="own"), 7)
    read = {n: delays(run, f"dashboard-{n}") for n in (1, 6)}
    assert len(read[6]) == len(read[1]) > 100


def test_pollers_share_a_shard_and_fan_out_does_not():
    shared = fresh(TruckStream(dashboards=5, polls=2.0), 7)
    own = fresh(TruckStream(dashboards=5, pipes="own"), 7)
    assert len(shared.trace.where("ReadThrottled")) > 1000
    assert len(own.trace.where("ReadThrottled")) == 0
    waits = sorted(delays(own, "dashboard-1"))
    assert 0.05 < waits[len(waits) // 2] < 0.08
    assert sorted(delays(shared, "dashboard-1"))[-1] > 1


def test_a_worker_for_whom_there_is_no_shard_is_there_all_the_same():
    run = TruckStream(consumers=8).run(seed=7, until=30.0)
    assert {row.actor for row in run.trace} & {"worker-6", "worker-7", "worker-8"} == set()
    workers = [actor for actor in describe(run)["actors"] if actor["name"].startswith("worker-")]
    assert [actor["name"] for actor in workers] == [f"worker-{n}" for n in range(1, 9)]
    assert all(actor["spans"] == [(0.0, None, "up")] for actor in workers)
    assert len({actor["place"] for actor in workers}) == 1
