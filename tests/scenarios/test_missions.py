"""Missions: each has a run that meets it, and runs that come near and do not. The run alone decides."""

import dataclasses
import math

import pytest
from scenarios import learner

from lablib import texts
from lablib.scenarios import Action
from lablib.scenarios.lab01 import VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.scenarios.lab02b import QueueToFunction
from lablib.scenarios.lab03 import Trucks, held_up, in_step
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.lab04b import Uploads
from lablib.scenarios.lab05 import TruckStream
from lablib.scenarios.lab06 import SkiLift
from lablib.scenarios.lab07 import Warehouse
from lablib.scenarios.missions import Curve, changed, works

LABS = (VideoQueue, Visibility, QueueToFunction, Trucks, FanOut, Uploads, TruckStream, SkiLift)


def busy(scenario, seed, after):
    """A worker, and an instant after `after` at which it works: half a second after it began."""
    run = scenario.run(seed)
    work = next(w for w in works(run) if w.what == "works" and w.time > after)
    return work.worker, work.time + 0.5


def crash(scenario, seed, after):
    worker, at = busy(scenario, seed, after)
    return scenario, seed, [Action("crash", at, worker)]


CHANGE = Action("set", 100.0, "rate", 0.2)
# key -> a run that meets the mission, and runs that do not: (scenario, seed, actions, until) of each.
CASES = {
    "01.lossless": [
        (VideoQueue(consumers=4), 7),
        (VideoQueue(consumers=4, mode="direct"), 7),  # turned away
        (VideoQueue(consumers=3), 7),
        (VideoQueue(consumers=4, rate=0.5), 7),  # less to do
        (VideoQueue(consumers=4), 7, [Action("set", 10.0, "rate", 0.5)]),
        (VideoQueue(consumers=4), 7, [], 60.0),  # before the spike
    ],
    "01.enough": [
        (VideoQueue(mode="direct", consumers=8), 7),
        (VideoQueue(mode="direct", consumers=5), 7),
        (VideoQueue(consumers=8), 7),
        (VideoQueue(mode="direct", consumers=4, backlog=1000, timeout=120.0), 7),
    ],
    "01.crash": [
        crash(VideoQueue(), 7, 70.0),
        crash(VideoQueue(), 7, 5.0),  # long before the spike
        crash(VideoQueue(mode="direct"), 7, 70.0),
        (VideoQueue(), 7),
    ],
    "01.together": [
        (VideoQueue(visibility_timeout=1), 7),
        (VideoQueue(visibility_timeout=600), 7),
        (VideoQueue(mode="direct"), 7),
    ],
    "02.often": [
        (Visibility(visibility_timeout=10), 5),
        (Visibility(crashes=0.1), 5),  # three times
    ],
    "02.crowd": [
        (Visibility(visibility_timeout=8), 5),
        (Visibility(visibility_timeout=10), 5),  # two at a time
        (Visibility(), 5),
    ],
    "02.heartbeat": [
        (Visibility(visibility_timeout=10, heartbeat=5.0), 5),
        (Visibility(visibility_timeout=10), 5),
        (Visibility(heartbeat=5.0), 5),  # long enough without it
        (Visibility(visibility_timeout=10, heartbeat=5.0, rate=0.01), 5),
        (Visibility(visibility_timeout=10, heartbeat=5.0), 5, [], 100.0),
    ],
    "02.costly": [
        crash(Visibility(visibility_timeout=200), 5, 20.0),
        crash(Visibility(visibility_timeout=60), 5, 20.0),
        crash(Visibility(visibility_timeout=600), 5, 20.0),  # it does not begin again in this run
        (Visibility(visibility_timeout=200), 5),
    ],
    "02.poison": [
        (Visibility(poison=0.2, max_receives=3, heartbeat=10.0), 5),
        (Visibility(poison=0.1, heartbeat=10.0), 5),
        (Visibility(poison=0.1, max_receives=5, heartbeat=10.0), 5),
        (Visibility(visibility_timeout=8, max_receives=1), 5),  # good jobs go there
        (Visibility(poison=1.0, max_receives=3, heartbeat=10.0), 5),  # all jobs fail, not a tenth
    ],
    "02b.company": [
        (QueueToFunction(bad=0.05), 7),
        (QueueToFunction(), 7),
        (QueueToFunction(bad=0.05, failures="reports"), 7),
        (QueueToFunction(bad=0.05, batch_size=1), 7),
    ],
    "02b.forgotten": [
        (QueueToFunction(bad=0.05, failures="reports, not asked"), 7),
        (QueueToFunction(bad=0.05, failures="reports"), 7),
        (QueueToFunction(failures="reports, not asked"), 7),
    ],
    "02b.sorted": [
        (QueueToFunction(bad=0.05, failures="reports", max_receives=3), 7),
        (QueueToFunction(bad=0.05, max_receives=3), 7),  # good ones go there, too
        (QueueToFunction(bad=0.05, failures="reports"), 7),
        (QueueToFunction(max_receives=3, failures="reports"), 7),
        (QueueToFunction(bad=0.05, failures="reports", max_receives=3), 7, [], 200.0),
    ],
    "02b.unseen": [
        (QueueToFunction(reserved=1, max_receives=3), 7),
        (QueueToFunction(reserved=1, max_receives=10), 7),
        (QueueToFunction(reserved=1, max_receives=3, bad=0.05), 7),  # and bad ones
        (QueueToFunction(max_receives=3), 7),
    ],
    "02b.calls": [
        (QueueToFunction(batch_size=100, window=30), 7),
        (QueueToFunction(batch_size=100, window=5), 7),
        (QueueToFunction(), 7),
        (QueueToFunction(batch_size=100, window=30, rate=0.5), 7),  # too few orders
        (QueueToFunction(batch_size=50, window=30, reserved=1, max_receives=3), 7),  # as the mission before leaves it
    ],
    "03.order": [
        (Trucks(), 7),
        (Trucks(queue_type="standard"), 7),
        (Trucks(group="one"), 7),  # in order, and one at work
        (Trucks(trucks=1), 7),
        (Trucks(), 7, [], 20.0),
    ],
    "03.jump": [
        (Trucks(group="random"), 7),
        (Trucks(), 7),
        (Trucks(queue_type="standard"), 7),  # no FIFO queue
    ],
    "03.still": [
        crash(Trucks(), 7, 10.0),
        crash(Trucks(visibility_timeout=5), 7, 10.0),
        crash(Trucks(group="one"), 7, 10.0),  # all stand still
        crash(Trucks(queue_type="standard"), 7, 10.0),
        crash(Trucks(), 7, 43.0),  # too near the end
        (Trucks(), 7),
    ],
    "03.step": [
        (Trucks(group="one"), 7),
        (Trucks(), 7),
        (Trucks(group="one", trucks=1), 7),
    ],
    "03.twenty": [
        (Trucks(trucks=40, consumers=40, every=1.0), 7),
        (Trucks(consumers=40), 7),  # twelve groups keep twelve at work
        (Trucks(trucks=40, consumers=40, every=1.0, queue_type="standard"), 7),
    ],
    "04.half": [
        (FanOut(shop_crashes=0.2), 7),
        (FanOut(way="one by one", shop_crashes=0.2), 7),
        (FanOut(way="one by one"), 7),  # it does not crash
        (FanOut(shop_crashes=0.1), 7),  # not often enough
    ],
    "04.away": [
        (FanOut(outage=120.0, partner="queue"), 7),
        (FanOut(outage=120.0), 7),
        (FanOut(), 7),
    ],
    "04.policy": [
        (FanOut(dead_letters=True), 7, [Action("remove_policy", 60.0, "mail", 60.0)]),
        (FanOut(), 7, [Action("remove_policy", 60.0, "mail", 60.0)]),  # lost
        (FanOut(dead_letters=True, outage=60.0, retries=0), 7),  # not for want of a policy
    ],
    "04.twice": [
        (FanOut(), 7, [Action("partner_slow", 60.0, value=60.0)]),
        (FanOut(outage=60.0), 7),  # tried again, but it had not taken it
        (FanOut(partner="queue"), 7, [Action("partner_slow", 60.0, value=60.0)]),
        (FanOut(), 7),
    ],
    "04.late": [
        (FanOut(late=True, filter=False), 7, [Action("add_analytics", 100.0)]),
        (FanOut(late=True), 7),
        (FanOut(filter=False), 7),  # there from the start
        (FanOut(late=True, filter=False, way="one by one"), 7, [Action("add_analytics", 100.0)]),  # a new shop
    ],
    "04b.each": [
        (Uploads(), 7),
        (Uploads(way="one queue"), 7),
        (Uploads(rate=0.05), 7),  # less to do
    ],
    "04b.loop": [
        (Uploads(stored="photos/"), 7),
        (Uploads(), 7),
    ],
    "04b.gone": [
        (Uploads(catalogue=True), 7, [Action("catalogue_away", 20.0, value=240.0)]),
        (Uploads(catalogue=True), 7, [Action("catalogue_away", 20.0, value=60.0)]),  # the second try succeeds
        (Uploads(catalogue=True), 7),
        (Uploads(), 7),
    ],
    "05.six": [
        (TruckStream(shards=8, consumers=8), 7),
        (TruckStream(consumers=20), 7),
        (TruckStream(shards=20), 7),
    ],
    "05.hot": [
        (TruckStream(hot=100.0, every=1.0), 7),
        (TruckStream(hot=100.0), 7),  # the shard takes it
        (TruckStream(hot=100.0, every=1.0, key="random"), 7),
    ],
    "05.cure": [
        (TruckStream(hot=100.0, every=1.0, key="random"), 7),
        (TruckStream(hot=100.0, every=1.0), 7),
        (TruckStream(key="random"), 7),  # nothing to cure
        (TruckStream(hot=100.0, every=1.0, key="random"), 7, [], 30.0),
    ],
    "05.again": [
        (TruckStream(checkpoint=1000), 7, [Action("crash", 60.0, "worker-5")]),
        (TruckStream(checkpoint=1), 7, [Action("crash", 60.0, "worker-5")]),
        (TruckStream(checkpoint=1000), 7),
        (TruckStream(), 7, [Action("replay", 35.0)]),
    ],
    "05.replay": [
        (TruckStream(), 7, [Action("replay", 35.0)]),
        (TruckStream(), 7, [Action("replay", 85.0)]),  # too late
        (TruckStream(), 7),
    ],
    "06.full": [
        (SkiLift(rate=8.0), 7),
        (SkiLift(), 7),  # in the quiet time it is the time
        (SkiLift(rate=8.0), 7, [], 100.0),
        (SkiLift(rate=8.0, way="stream"), 7),
    ],
    "06.goal": [
        (SkiLift(buffer_time=100), 7),
        (SkiLift(), 7),
        (SkiLift(buffer_size=2, buffer_time=180), 7),  # old
        (SkiLift(buffer_time=100, rate=8.0), 7),  # other riders
        (SkiLift(buffer_time=100, way="stream"), 7),
    ],
    "06.outage": [
        (SkiLift(outage=100.0), 7),
        (SkiLift(outage=20.0), 7),
        (SkiLift(rate=8.0), 7),  # large, and nothing was away
        (SkiLift(outage=60.0), 7),  # larger than the buffer, and not twice as large
        (SkiLift(outage=200.0), 7),  # the next try is after the end
        (SkiLift(outage=100.0), 7, [], 150.0),  # it is still away
    ],
    "06.poison": [
        (SkiLift(transform=True, poison=0.1), 7),
        (SkiLift(poison=0.1), 7),  # without a transform nobody notices
        (SkiLift(transform=True), 7),
        (SkiLift(transform=True, poison=0.1), 7, [], 100.0),
    ],
    "06.replay": [
        (SkiLift(way="both"), 7, [Action("replay", 150.0)]),
        (SkiLift(way="stream"), 7, [Action("replay", 150.0)]),
        (SkiLift(way="both"), 7, [Action("replay", 20.0)]),  # not yet a hundred
        (SkiLift(way="both", transform=True), 7, [Action("replay", 70.0)], 100.0),  # S3 has none of them yet
        (SkiLift(way="both"), 7),
    ],
}
ALL = [(scenario, mission) for scenario in LABS for mission in scenario.missions]


def play(scenario, seed, actions=(), until=None):
    return scenario.run(seed, actions, until)


@pytest.mark.parametrize(("scenario", "mission"), ALL, ids=lambda x: getattr(x, "key", ""))
def test_a_run_meets_it_and_others_that_come_near_do_not(scenario, mission):
    good, *others = CASES[mission.key]
    run = play(*good)
    assert isinstance(run.scenario, scenario)
    assert mission.at(run) is not None
    assert 0 < mission.at(run) <= run.until
    for other in others:
        assert mission.at(play(*other)) is None, other


@pytest.mark.parametrize(("scenario", "mission"), ALL, ids=lambda x: getattr(x, "key", ""))
def test_a_run_that_does_not_meet_it_says_how_near_it_came(scenario, mission):
    """In a clause behind "Not yet:", which has room for 70 letters."""
    good, *others = CASES[mission.key]
    assert mission.document(play(*good))["why"] == ""
    for other in others:
        run = play(*other)
        why = mission.document(run)["why"]
        assert len(why) <= 70
        assert not why.endswith(".")
        if run.until == scenario.duration:
            assert why, other


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("01.lossless", ["151 videos lost", "3 workers instead of four", "it counts with 'arrival rate' as given"]),
        ("02.often", ["most deliveries of one job: 3"]),
        ("02.costly", ["it began again after 59 s", "it did not begin again", "no worker crashed in its work"]),
        ("02b.sorted", ["11 good orders in the dead-letter queue", "nothing is in the dead-letter queue"]),
        ("02b.calls", ["136 calls for 961 orders", "34 calls for 540 orders; reserved concurrency is 1"]),
        ("03.order", ["11 jumps back", "1 consumer at work"]),
        ("03.still", ["one truck alone stood for 17 s at most"]),  # and still does at the end
        ("03.twenty", ["at most 10 consumers busy at once"]),
        ("04.half", ["the shop crashes at 10 % of the orders"]),
        ("04.away", ["18 orders did not reach the partner", "the partner is away for 0 s"]),
        ("04.twice", ["it is not SNS that calls the partner's web server", "the partner answered no order too late"]),
        ("04b.gone", ["the function failed at most 1 time for a photo", "no function is told of a photo"]),
        ("05.again", ["1 position drawn twice; crash a worker in the middle of a read", "no worker crashed"]),
        ("05.hot", ["no shard refused a record, the busiest took 29 % of what it could"]),
        ("05.replay", ["106 of the 599 positions were drawn a second time; do it earlier"]),
        ("05.cure", ["3941 records refused", "truck-1 sends 0.23 % of what a shard takes"]),
        ("06.goal", ["the smallest object has 0.68 MiB", "a record waited for 133 s"]),
        ("06.replay", ["your code got 39 of them twice, and S3 has 100 once"]),
    ],
)
def test_what_it_says_is_what_the_run_shows(key, said):
    mission = next(mission for _, mission in ALL if mission.key == key)
    found = [mission.document(play(*case))["why"] for case in CASES[key][1:]]
    assert [why for why in said if why not in found] == []


@pytest.mark.parametrize(("scenario", "mission"), ALL, ids=lambda x: getattr(x, "key", ""))
def test_it_is_met_at_an_instant_that_the_future_cannot_change(scenario, mission):
    good = CASES[mission.key][0]
    at = mission.at(play(*good))
    if at == play(*good).until:
        return  # it takes the whole run
    again = play(*good[:2], *(good[2:3] or [()]), at + 0.001)
    assert mission.at(again) == at


def test_each_mission_has_its_cases_and_each_lab_three_to_five_of_them():
    assert sorted(CASES) == sorted(mission.key for _, mission in ALL)
    assert all(3 <= len(scenario.missions) <= 5 for scenario in LABS)


@pytest.mark.parametrize(("scenario", "mission"), ALL, ids=lambda x: getattr(x, "key", ""))
def test_each_mission_has_words_and_controls_that_exist(scenario, mission):
    assert mission.sentence.endswith(".")
    assert mission.reply.endswith(".")
    assert "\n" not in mission.sentence + mission.reply
    assert 1 <= len(mission.controls) <= 3
    good = CASES[mission.key][0]
    kinds = {spec.kind for spec in good[0].actions()}
    assert set(mission.controls) <= scenario.params().keys() | kinds


# The two runs side by side with which the workbench of a lab begins, by the class of their scenario.
LANES = {
    VideoQueue: (VideoQueue(mode="direct"), {"mode": "queue"}),
    Visibility: (Visibility(crashes=0.1), {"visibility_timeout": 240}),
    QueueToFunction: (QueueToFunction(bad=0.05), {"bad": 0.0}),
    Trucks: (Trucks(queue_type="standard"), {"queue_type": "fifo"}),
    FanOut: (FanOut(way="one by one", shop_crashes=0.2), {"way": "by topic"}),
    Uploads: (Uploads(way="one queue"), {"way": "a topic"}),
    TruckStream: (TruckStream(), {"key": "constant"}),
    SkiLift: (SkiLift(), {"way": "stream"}),
}


BENCHES = learner.benches()
GOOD = {key: cases[0] for key, cases in CASES.items()}


@pytest.mark.parametrize(("scenario", "mission"), ALL, ids=lambda x: getattr(x, "key", ""))
def test_its_controls_are_all_that_it_needs_in_the_workbench_of_the_lab(scenario, mission):
    """In the run that changes: the kept run above meets no mission."""
    bench, (good, _, *more) = BENCHES[scenario], GOOD[mission.key]
    changed = bench.scenario.replace(**{n: v for n, v in good.values().items() if n in mission.controls})
    actions = more[0] if more else ()
    assert {action.kind for action in actions} <= set(mission.controls)
    assert {action.kind for action in actions} <= {spec.kind for spec in changed.actions()}
    assert mission.at(changed.run(bench.seed, actions)) is not None


@pytest.mark.parametrize("scenario", LABS)
def test_what_one_mission_leaves_behind_spoils_no_other(scenario):
    """A learner does one after the other, and puts nothing back that a mission does not show."""
    bench = BENCHES[scenario]
    for step in learner.steps(bench, GOOD):
        run = step.scenario.run(bench.seed, step.all_actions)
        assert step.mission.at(run) is not None, f"{step.mission.key} in {step.scenario}, {step.all_actions}"


def test_a_truck_that_still_stands_when_the_run_ends_has_stood():
    """Its position comes back after the end. Who watches sees it stand for 29 s while all others drive."""
    run = play(*crash(Trucks(), 7, 32.0))
    assert 55 < held_up.at(run) < 60


def test_a_crash_that_another_mission_left_behind_does_not_hide_that_all_is_in_order():
    """It holds the only group for half of the run; what is drawn is drawn in order all the same."""
    values = {"group": "one", "trucks": 30, "consumers": 30}
    for at in (2.0, 20.0, 29.0):
        assert in_step.at(play(*crash(Trucks(**values), 7, at))) is not None, at


@pytest.mark.parametrize("scenario", [*LABS, Warehouse], ids=lambda s: s.__name__)
def test_what_is_said_of_a_mission_that_is_met_fits_two_lines_beside_an_open_drawer(scenario):
    """The page has room for two lines of 75 letters there, and may say at what time it was met."""
    assert {m.key: len(m.reply) for m in scenario.missions if len(m.reply) > 130} == {}


def test_the_document_for_the_page():
    mission = VideoQueue.missions[0]
    found = mission.document(VideoQueue(consumers=4).run(7))
    assert found == {
        "key": "01.lossless", "text": mission.sentence, "said": mission.reply, "controls": ["consumers", "mode"],
        "met": True, "at": 300.0, "why": "",
    }  # fmt: skip
    assert mission.document(VideoQueue(mode="direct").run(7))["at"] is None


def test_what_was_changed_is_known():
    assert changed(VideoQueue().run(until=5), "rate", "work") == ""
    assert "'arrival rate'" in changed(VideoQueue(rate=2.0).run(until=5), "rate", "work")
    assert "'work time'" in changed(
        VideoQueue().run(actions=[Action("set", 1.0, "work", 2.0)], until=5), "rate", "work"
    )


def test_who_crashes_in_its_work_no_longer_works():
    run = play(*crash(VideoQueue(), 7, 70.0))
    cut = next(work for work in works(run) if work.what == "down")
    assert cut.subject
    begun = [w for w in works(run) if w.subject == cut.subject and w.what == "works"]
    assert begun[0].worker == cut.worker
    assert len(begun) == 2
    end = next(w for w in works(run) if w.what == "worked" and w.subject == cut.subject)
    assert cut.time < end.time


# ---- what else the picture is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", LABS)
def test_a_scenario_names_its_lens_and_curve(scenario):
    run = scenario().run(3, until=60)
    assert run.scenario.lens(run)["painter"] in {"waits", "work", "map", "board", "clouds"}
    assert isinstance(scenario.curve, Curve)
    if scenario.guess:
        assert texts.text(scenario.guess).endswith(".")


def test_the_board_shows_who_knew_which_order_when():
    run = FanOut(way="one by one", shop_crashes=0.3).run(5)
    board = run.scenario.lens(run)
    assert [receiver["label"] for receiver in board["receivers"]] == ["E-mail", "Stock", "Partner", "Analytics"]
    assert [receiver["must"] for receiver in board["receivers"]] == [True, True, True, False]
    ordered = run.trace.where("Ordered")
    assert len(board["orders"]) == len(ordered)
    for order, row in zip(board["orders"], ordered, strict=True):
        assert order["t"] == row.time
        assert order["wanted"] == [True, True, True, row.detail >= 100]
        times = [time for time in order["told"] if time is not None]
        assert times == sorted(times)
        if order["ended"] is None and row.time < 230:
            assert all(time is not None for time, wanted in zip(order["told"], order["wanted"]) if wanted)
    half = [o for o in board["orders"] if o["ended"] and 0 < sum(t is not None for t in o["told"][:3]) < 3]
    assert half


@pytest.mark.parametrize("lane", [0, 1])
@pytest.mark.parametrize("scenario", LABS)
def test_the_runs_with_which_a_workbench_begins_show_something_at_most_instants(scenario, lane):
    """A message that waits, is kept or is in a hand. In every second picture nothing would be too little to look at."""
    first, other = LANES[scenario]
    run = (first, first.replace(**other))[lane].run(5 if scenario is Visibility else 7)
    there = [k for k in run.tokens.tokens if k.state in ("waiting", "hidden", "held", "asking", "retrying", "kept")]
    instants = [(n + 0.5) * run.until / 80 for n in range(80)]
    shown = [any(k.start <= t < (math.inf if k.end is None else k.end) for k in there) for t in instants]
    assert sum(shown) / 80 >= 0.8


def test_missions_are_values():
    mission = VideoQueue.missions[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        mission.key = "other"
