"""The session behind a workbench: two setups, and verbs that give the next session. No widget is needed for it."""

import pytest

from lablib.scenarios import Action
from lablib.scenarios.lab01 import VideoQueue
from lablib.workbench import workbench
from lablib.workbench.page_state import differences
from lablib.workbench.setup import Session, Setup

CRASH, LATER = Action("crash", 20.0, "consumer-1"), Action("crash", 40.0, "consumer-2")


@pytest.fixture
def one():
    return Session(Setup(VideoQueue(), 7))


def test_a_verb_gives_another_session_and_leaves_this_one(one):
    assert one.set(rate=3.0).setup.scenario == VideoQueue(rate=3.0)
    assert one == Session(Setup(VideoQueue(), 7))


def test_an_action_reaches_both_lanes_as_long_as_the_kept_one_follows(one):
    two = one.compare(batch_size=10).act("crash", "consumer-1", at=20.0)
    assert two.setup.actions == two.kept.actions == (CRASH,)
    kept = one.keep().act("crash", "consumer-1", at=20.0)
    assert (kept.setup.actions, kept.kept.actions) == ((CRASH,), ())


def test_an_action_can_be_for_one_lane(one):
    two = one.compare(batch_size=10).act("crash", "consumer-1", at=20.0, lane=1)
    assert (two.setup.actions, two.kept.actions) == ((), (CRASH,))
    with pytest.raises(ValueError, match="lane=1: must be 0: there is one lane"):
        one.act("crash", "consumer-1", at=20.0, lane=1)


def test_actions_are_moved_and_taken_back_in_every_lane_that_shares_them(one):
    two = one.compare(batch_size=10).act("crash", "consumer-1", at=20.0).act("crash", "consumer-2", at=40.0)
    moved = two.move(0, 50.0)
    assert moved.setup.actions == moved.kept.actions == (LATER, Action("crash", 50.0, "consumer-1"))
    assert moved.take_back().kept.actions == (LATER,)
    own = two.act("crash", "consumer-3", at=30.0, lane=0).take_back(1)
    assert (own.setup.actions, own.kept.actions) == ((CRASH, LATER), (CRASH, LATER))
    with pytest.raises(ValueError, match="index=2: there are 2 actions"):
        two.take_back(2)


def test_settings_reach_the_kept_run_but_for_what_makes_the_difference(one):
    two = one.compare(batch_size=10).set(rate=3.0, seed=8)
    assert (two.kept.scenario, two.kept.seed) == (VideoQueue(rate=3.0, batch_size=10), 8)
    assert two.set(batch_size=5).kept.scenario.batch_size == 10


def test_a_text_holds_both_lanes(one):
    two = one.compare(batch_size=10).act("crash", "consumer-1", at=20.0, lane=1)
    text = two.share(33.0)
    assert len(text) < 200
    found, cursor = Session.of_text(text)
    assert (found.runs(), cursor) == (two.runs(), 33.0)
    with pytest.raises(ValueError, match="not a run's text"):
        Session.of_text(text + ".and-more")


def test_actions_of_a_lab_can_name_their_lane():
    actions = [Action("crash", 20.0, "consumer-1", lane="A"), LATER]
    bench = workbench(VideoQueue, seed=7, actions=actions, compare={"batch_size": 10})
    assert (bench.run.actions, bench.kept.actions) == ((LATER,), (CRASH, LATER))
    with pytest.raises(ValueError, match="a run has no lanes"):
        workbench(VideoQueue, seed=7, actions=actions)


def test_what_the_share_tab_prints_runs_as_it_is_printed(one):
    bench = workbench(VideoQueue, seed=7, compare={"mode": "direct"})
    bench.seek(61.0)
    again = eval(f"workbench({bench.share()!r})", {"workbench": workbench})
    assert (again.run, again.kept, again.cursor) == (bench.run, bench.kept, 61.0)


def test_a_run_that_lacks_one_action_of_two_is_not_said_to_have_none():
    one, two = (Action("crash", 75.0, f"consumer-{n}") for n in (1, 2))
    mine, without = Setup(VideoQueue(), actions=(one, two)), Setup(VideoQueue(), actions=(one,))
    assert differences(without, mine) == ("without that", "75.0 s: Crash a consumer: consumer-2")
    assert differences(Setup(VideoQueue()), without)[0] == "no action"
