"""Lab 07's cluster: a majority decides, a minority confirms nothing, and what was confirmed is there."""

import pytest

from lablib.scenarios import Action
from lablib.scenarios.lab07_cluster import NODES, Cluster, copies, leads, stopped, unconfirmed
from lablib.workbench import document

LEADER = "warehouse-2"  # of seed 7
OFF = Action("power_off", 20.0, LEADER)
TWO_OFF = (OFF, Action("power_off", 30.0, "warehouse-3"))


def fresh(*actions, **settings):
    return Cluster(**settings).run(seed=7, actions=actions, limits="today")


def had(run, node, t):
    return [count for at, count in copies(run)[node] if at <= t][-1]


@pytest.mark.parametrize(
    "actions", [(), (OFF,), TWO_OFF, (Action("cut_off", 20.0, LEADER, 30.0),)], ids=["calm", "one", "two", "cut off"]
)
def test_a_confirm_means_that_two_nodes_have_it(actions):
    run = fresh(*actions)
    confirmed = run.trace.where("OrderConfirmed")
    assert len(confirmed) > 300
    for n, row in enumerate(confirmed, 1):
        assert sorted(had(run, node, row.time) for node in NODES)[1] >= n, f"at {row.time} s"


def test_the_picture_has_the_names_that_sentences_and_things_to_do_have():
    places = fresh(OFF).topology.places
    assert tuple(place.label for place in places if place.role == "broker") == NODES


def test_two_of_three_elect_a_leader_and_go_on():
    run = fresh(OFF)
    first, second = leads(run)[:2]
    assert (first[1], first[2]) == (20.0, LEADER)
    assert second[2] != LEADER
    assert 5 < second[0] - 20 < 6, "the silence after which followers miss their leader (Ra), and an election"
    assert stopped(run) is None


def test_one_of_three_confirms_nothing_until_another_is_back():
    run = fresh(*TWO_OFF)
    end, back = stopped(run), leads(run)[-1][0]
    assert 30 < end < 36
    assert 60 <= back < 61, "the first machine is repaired 40 s after it lost its power"
    assert not [row for row in run.trace.where("OrderConfirmed") if 30.1 < row.time < back]
    assert all(done is not None for made, done, _ in unconfirmed(run) if made < run.until - 10)


def test_a_lone_node_lets_everybody_in_and_confirms_nothing():
    run = fresh(*TWO_OFF, repair=100.0)
    assert not run.trace.where("NodePaused"), "RabbitMQ 4.2 has Khepri: no node pauses"
    document.pack(document.describe(run))  # a page can show it
    waits = [made for made, done, _ in unconfirmed(run) if done is None]
    assert len(waits) > 200, "also what was made and could not be sent"


def test_in_2023_a_lone_node_pauses_when_it_has_missed_the_others_for_a_minute():
    run = Cluster(queue="classic", repair=100.0).run(seed=7, actions=TWO_OFF)
    (paused,) = run.trace.where("NodePaused")
    assert paused.actor == "warehouse-1"
    assert 80 <= paused.time <= 90, "net_ticktime, 60 s, after the two were gone (RabbitMQ: pause_minority)"
    document.pack(document.describe(run))


def test_a_leader_that_is_cut_off_leads_no_longer_and_has_all_again_when_it_is_back():
    run = fresh(Action("cut_off", 20.0, LEADER, 30.0))
    assert leads(run)[-1][2] != LEADER
    assert had(run, LEADER, 49.9) < had(run, "warehouse-1", 49.9)
    assert {had(run, node, run.until) for node in NODES} == {360}


def test_in_the_end_every_node_has_every_message():
    run = fresh(*TWO_OFF)
    assert {row.actor for row in run.trace.where("MirrorSynchronised")} >= {LEADER}
    (count,) = {had(run, node, run.until) for node in NODES}
    assert count >= len(run.trace.where("OrderConfirmed")), "what was sent again may be there twice"


def test_a_classic_queue_is_on_one_node():
    run = fresh(queue="classic")
    assert sum(counts[-1][1] > 0 for counts in copies(run).values()) == 1


def test_at_the_end_of_the_run_there_is_what_there_was_just_before():
    """A painter takes the end of a span for the end of what it shows."""
    run = fresh()
    lens = run.scenario.lens(run)
    assert lens["leads"][-1][1] > run.until
    assert all(spans[-1][1] > run.until for spans in [*lens["up"].values(), *(shop["up"] for shop in lens["shops"])])


def test_what_the_picture_gets_is_small():
    lens = Cluster().lens(fresh(*TWO_OFF))
    assert [shop["name"] for shop in lens["shops"]] == ["shop-1", "shop-2", "shop-3"]
    assert set(lens["up"]) == set(lens["copies"]) == set(NODES)


def test_a_full_memory_blocks_every_shop_and_a_large_one_nobody():
    """The alarm is of the whole cluster, and nobody receives: it stays."""
    run = fresh(memory=0.1)
    (alarm,) = run.trace.where("AlarmRaised")
    blocked = run.tokens.blocked(run.until)
    assert alarm.detail == "memory" and set(blocked) == {"shop-1", "shop-2", "shop-3"}
    assert all(
        alarm.time <= spans[0][0] <= alarm.time + 1.1 and spans[-1][1] == run.until for spans in blocked.values()
    )
    stored = sum(row.detail["bytes"] + 700 for row in run.trace.where("Enqueued") if row.time < alarm.time)
    assert 0.097e6 < stored < 0.103e6
    assert not fresh().tokens.blocked(120.0)
