"""Missions in the workbench: the run says when one is met, it counts when that was shown, and it stays met."""

import asyncio
import json

import pytest

from lablib.scenarios import Action
from lablib.scenarios.lab01 import VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.scenarios.lab03 import Trucks
from lablib.workbench import progress, workbench
from lablib.workbench.question import drawing


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(tmp_path))
    return tmp_path


def missions(bench):
    return {one["key"]: one for one in bench._state["missions"]}


def test_a_mission_says_what_to_do_and_with_which_controls():
    bench = workbench(VideoQueue, seed=7)
    first = bench._state["missions"][0]
    assert (first["key"], first["text"], first["controls"]) == (
        "01.lossless",
        "Four workers, and no video lost.",
        ["consumers", "mode"],
    )
    assert (first["met"], first["at"], first["kept"]) == (False, None, False)


def test_the_run_that_is_changed_says_what_is_met_and_when():
    bench = workbench(VideoQueue, seed=7, mode="direct", compare={"mode": "queue"})
    bench.consumers = 4
    assert not missions(bench)["01.lossless"]["met"], "the kept run does not count"
    bench.mode = "queue"
    assert missions(bench)["01.lossless"] | {"said": ""} == {
        "key": "01.lossless", "text": "Four workers, and no video lost.", "said": "", "met": True, "at": 300.0,
        "controls": ["consumers", "mode"], "kept": False, "why": "",
    }  # fmt: skip
    bench.consumers = 3
    assert not missions(bench)["01.lossless"]["met"]
    assert missions(bench)["01.lossless"]["why"] == "3 workers instead of four"


def test_a_mission_counts_when_the_instant_was_shown_and_then_stays_met(home):
    bench = workbench(Visibility, seed=5, visibility_timeout=10)
    at = missions(bench)["02.often"]["at"]
    bench.seek(at - 1)
    assert not (home / "missions.json").exists()
    bench.seek(at + 1)
    kept = json.loads((home / "missions.json").read_text())
    assert list(kept) == ["02.often"]
    assert workbench(kept["02.often"]).visibility_timeout == 10, "the run that met it can be seen again"
    bench.visibility_timeout = 60
    again = missions(bench)["02.often"]
    assert (again["met"], again["kept"]) == (False, True)
    assert missions(workbench(Visibility, seed=6))["02.often"]["kept"]


def test_a_mission_that_the_page_shows_as_met_is_kept_wherever_its_instant_is(home):
    """Show all shows the whole run, and the instant stays where it is."""
    bench = workbench(Visibility, seed=5, visibility_timeout=10)
    assert missions(bench)["02.often"]["at"] > bench.cursor
    bench._do("met", {"key": "02.often"})
    assert list(json.loads((home / "missions.json").read_text())) == ["02.often"]
    bench._do("met", {"key": "02.crowd"})
    assert list(json.loads((home / "missions.json").read_text())) == ["02.often"], "only what a run has met"


def test_what_the_page_showed_as_met_is_kept_though_the_run_is_another_by_now(home):
    bench = workbench(Visibility, seed=5, visibility_timeout=10)
    bench.visibility_timeout = 60
    assert not missions(bench)["02.often"]["met"]
    bench._do("met", {"key": "02.often"})
    kept = json.loads((home / "missions.json").read_text())
    assert workbench(kept["02.often"]).visibility_timeout == 10
    assert missions(bench)["02.often"]["kept"]


def test_what_happened_before_the_instant_shown_is_met_at_once():
    bench = workbench(Visibility, seed=5)
    bench.seek(299)
    bench.visibility_timeout = 10
    assert missions(bench)["02.often"]["kept"]


def test_a_later_mission_is_not_kept_before_the_page_asks_for_it(home):
    """Else its task and its words are gone before anybody saw them."""
    bench = workbench(Trucks, seed=7, group="one")
    bench.seek(60.0)
    assert [key for key, one in missions(bench).items() if one["met"]] == ["03.step"]
    assert not (home / "missions.json").exists()
    bench.group = "truck"
    assert [key for key, one in missions(bench).items() if one["kept"]] == ["03.order"]


def test_in_a_notebook_a_slider_that_moves_is_not_held_up(monkeypatch):
    looked = []
    found = VideoQueue.missions[0].document
    monkeypatch.setattr(
        type(VideoQueue.missions[0]), "document", lambda self, run: looked.append(run.scenario.rate) or found(run)
    )

    async def a_kernel():
        bench = workbench(VideoQueue, seed=7, until=30.0)
        for rate in (2.0, 2.5, 3.0):
            bench.rate = rate
            await asyncio.sleep(0)
        assert looked == []
        assert [one["met"] for one in bench._state["missions"]] == [False] * len(VideoQueue.missions)
        while not looked:
            await asyncio.sleep(0.01)
        bench.close()

    asyncio.run(a_kernel())
    assert set(looked) == {3.0}


def test_nothing_is_looked_at_after_the_workbench_is_closed(monkeypatch):
    monkeypatch.setattr(progress, "PAUSE", 0.01)
    bench = None

    async def a_kernel():
        nonlocal bench
        bench = workbench(VideoQueue, seed=7, until=30.0)
        bench.close()
        before = list(bench._progress.document)
        await asyncio.sleep(0.05)
        assert bench._progress.document == before

    asyncio.run(a_kernel())


def test_an_action_can_meet_a_mission():
    crash = Action("crash", 70.0, "consumer-2")
    bench = workbench(VideoQueue, seed=7)
    assert not missions(bench)["01.crash"]["met"]
    bench.act(crash.kind, crash.target, at=crash.at)
    assert missions(bench)["01.crash"]["at"] > 70.0
    bench.take_back()
    assert not missions(bench)["01.crash"]["met"]


# ---- drawing the curve before it is played ---------------------------------------------------------------------------


def test_the_scenarios_own_guess_is_a_curve_to_draw():
    bench = workbench(VideoQueue, seed=7, predict=True)
    asked = bench._state["question"]
    assert (asked["kind"], asked["state"], asked["label"]) == ("curve", "open", "messages waiting")
    assert asked["text"].startswith("From 60 to 90 s")
    guess = [0.0] * len(asked["xs"])
    bench.answer(guess)
    assert workbench(VideoQueue, seed=7, predict=True).guess == guess
    assert workbench(VideoQueue, seed=7)._state["question"] is None


@pytest.mark.parametrize("seed", range(5))
def test_the_axis_to_draw_on_has_room_and_does_not_tell_the_most(seed):
    run = VideoQueue().run(seed=seed)
    high = drawing(run, None).high
    assert high >= run.measures.depth().max
    assert str(high).strip("0.")[0] in "125"
    assert len(str(high).strip("0.")) == 1


def test_a_scenario_without_a_guess_says_what_to_give():
    with pytest.raises(ValueError, match="predict=True: Trucks has no guess; give the key of a question"):
        workbench(Trucks, predict=True)
