"""Runs: values; the same question, the same answer; the past stays when the future forks."""

import gc
import json
import os
import re
import subprocess
import sys
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib import Cloud
from lablib.measures import first_difference
from lablib.scenarios import Action, Run
from lablib.scenarios.lab01 import Fleet, Promises, VideoQueue
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.lab05 import TruckStream
from lablib.scenarios.lab06 import LongOutage, SkiLift
from lablib.scenarios.run import check, simulate
from lablib.scenarios.share import encode

SMALL = VideoQueue(rate=3.0, spike_start=10.0, spike_length=5.0, visibility_timeout=5, restart=4.0, outages=120.0)
UNTIL = 30.0


def fresh(scenario, seed=0, actions=(), until=None, limits="2023"):
    return simulate(*check(scenario, seed, tuple(actions), until, limits))


def past(trace, time):
    """All that a trace says of what was before `time`: how a call ends that goes on, it cannot know."""
    rows = []
    for row in trace:
        if row.time >= time:
            break
        ended = not trace.is_api(row.index) or 0 < row.until < time
        rows.append(row if ended else row._replace(until=None, detail=None))
    return rows


@st.composite
def actions(draw, scenario=SMALL, until=UNTIL):
    spec = draw(st.sampled_from(scenario.actions()))
    target = draw(st.sampled_from(spec.targets or ("",)))
    at = draw(st.floats(0, until) | st.sampled_from([0.0, until]))
    if spec.kind == "set":
        values = {"rate": 9.0, "consumers": 6, "work": 0.2, "batch_size": 7, "wait_time": 0, "visibility_timeout": 1}
        return Action("set", at, target, values[target])
    value = {"freeze": 7.5, "burst": 40, "server_down": 12.0}.get(spec.kind)
    return Action(spec.kind, at, target, value)


@given(before=st.lists(actions(), max_size=2), extra=actions(), seed=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_forking_keeps_the_past(before, extra, seed):
    one = fresh(SMALL, seed, before, UNTIL)
    other = fresh(SMALL, seed, [*before, extra], UNTIL)
    assert past(one.trace, extra.at) == past(other.trace, extra.at)
    index = first_difference(one.trace, other.trace)
    assert index is None or other.trace[min(index, len(other.trace) - 1)].time >= extra.at


@given(before=st.lists(actions(SMALL.replace(mode="direct")), max_size=2), extra=actions(SMALL.replace(mode="direct")))
@settings(max_examples=30, deadline=None)
def test_forking_keeps_the_past_of_direct_calls(before, extra):
    scenario = SMALL.replace(mode="direct")
    one, other = fresh(scenario, 1, before, UNTIL), fresh(scenario, 1, [*before, extra], UNTIL)
    assert past(one.trace, extra.at) == past(other.trace, extra.at)


@given(acts=st.lists(actions(), max_size=5), seed=st.integers())
@settings(max_examples=25, deadline=None)
def test_the_same_arguments_give_the_same_run(acts, seed):
    assert fresh(SMALL, seed, acts, UNTIL).digest == fresh(SMALL, seed, acts, UNTIL).digest


def test_an_instant_has_an_order_of_actions():
    grow, shrink = Action("set", 5.0, "consumers", 6), Action("set", 5.0, "consumers", 1)
    assert len(fresh(SMALL, 0, [grow, shrink], UNTIL).trace.where("ParameterSet")) == 2
    last = [fresh(SMALL, 0, acts, UNTIL).trace.where("WorkStarted")[-1] for acts in ([grow, shrink], [shrink, grow])]
    assert last[0].actor == "consumer-1"
    assert SMALL.run(0, [grow, shrink], UNTIL) != SMALL.run(0, [shrink, grow], UNTIL)


def test_actions_may_be_given_in_any_order():
    early, late = Action("burst", 3.0, value=5), Action("crash", 9.0, "consumer-1")
    assert SMALL.run(0, [late, early], UNTIL) is SMALL.run(0, [early, late], UNTIL)


def test_an_action_at_the_start_comes_before_everything_and_one_at_the_end_after_it():
    run = fresh(SMALL, 0, [Action("set", 0.0, "consumers", 0), Action("burst", UNTIL, value=3)], UNTIL)
    assert not run.trace.where("ReceiveMessage")
    assert run.trace[len(run.trace) - 1].kind == "Burst"


@pytest.mark.parametrize("scenario", [VideoQueue(), VideoQueue(mode="direct"), Promises(), Fleet()], ids=repr)
def test_a_run_ends_when_it_ends(scenario):
    run = scenario.run(until=scenario.duration / 10)
    trace = run.trace
    assert max(trace.column("time")) <= run.until
    assert not trace.where(kind="CallerGone")
    assert "CallerGone" not in trace.details
    size = len(trace)
    trace.add("Sent", "videos")
    assert len(trace) == size


def test_the_load_does_not_change_with_the_consumers():
    def sent(scenario):
        return [row.time for row in fresh(scenario, 5).trace.where("SendMessage")]

    base = sent(VideoQueue())
    for changes in (
        {"consumers": 1},
        {"consumers": 20},
        {"work": 3.0},
        {"batch_size": 10},
        {"wait_time": 0},
        {"outages": 60.0},
    ):
        assert sent(VideoQueue(**changes)) == base, changes
    direct = fresh(VideoQueue(mode="direct"), 5).trace.where("Requested")
    assert [row.time for row in direct] == base


def test_a_video_takes_as_long_whoever_works_on_it():
    def seconds(scenario):
        trace = fresh(scenario, 5, until=60).trace
        video = {
            row.subject: n
            for n, row in enumerate(sorted(trace.where(("Sent", "Requested")), key=lambda r: trace[r.cause].time))
        }
        return {video[row.subject]: row.time - trace[row.cause].time for row in trace.where("WorkEnded")}

    one, other = seconds(VideoQueue(consumers=2)), seconds(VideoQueue(consumers=7, mode="direct"))
    both = one.keys() & other.keys()
    assert len(both) > 20
    assert {n: round(one[n], 5) for n in both} == {n: round(other[n], 5) for n in both}


def test_hash_order_does_not_matter():
    code = (
        "from lablib.scenarios.lab01 import *\n"
        "all = VideoQueue(outages=60.0), VideoQueue(mode='direct'), Promises(), Fleet()\n"
        "print([scenario.run(3, until=scenario.duration / 4).digest for scenario in all])"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("0", "1", "4711")
    }
    assert len(seen) == 1


@pytest.mark.parametrize("scenario", [VideoQueue(), FanOut(), TruckStream(), SkiLift()], ids=lambda s: type(s).__name__)
def test_a_run_that_is_kept_keeps_no_cloud(scenario, monkeypatch):
    """A stream of 10 kB records is 50 MB, and 32 runs are kept."""
    clouds = []

    def remembered(*args, **kwargs):
        cloud = Cloud(*args, **kwargs)
        clouds.append(weakref.ref(cloud))
        return cloud

    monkeypatch.setattr("lablib.scenarios.run.Cloud", remembered)
    run = fresh(scenario, until=10)
    gc.collect()
    assert [cloud() for cloud in clouds] == [None]
    assert len(run.trace) > 10


def test_runs_are_kept_and_compared_by_what_was_asked():
    run = VideoQueue().run(until=10)
    assert VideoQueue().run(until=10) is run
    assert run == fresh(VideoQueue(), until=10)
    assert run != VideoQueue().run(1, until=10)
    assert len({run, fresh(VideoQueue(), until=10)}) == 1
    assert repr(run).startswith("VideoQueue seed 0, 10 s: ")
    assert "\n" not in repr(run)


def test_the_editions_differ():
    assert fresh(SMALL, until=10).digest != fresh(SMALL, until=10, limits="today").digest


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"seed": "7"}, TypeError, "seed='7': must be a whole number"),
        ({"seed": True}, TypeError, "seed=True: must be a whole number"),
        ({"until": 0}, ValueError, "until=0: must be more than 0 and at most 3000 seconds"),
        ({"until": -1}, ValueError, "until=-1: must be more than 0 and at most 3000 seconds"),
        ({"until": float("inf")}, ValueError, "until=inf: must be more than 0 and at most 3000 seconds"),
        ({"until": "300"}, ValueError, "until='300': must be more than 0 and at most 3000 seconds"),
        ({"limits": "2024"}, ValueError, "limits='2024': must be one of '2023', 'today'; did you mean '2023'?"),
        ({"actions": [Action("burst", 1.0)] * 201}, ValueError, "actions: 201 of them; at most 200 are allowed"),
    ],
)
def test_a_bad_argument_is_answered_in_one_line(arguments, error, text):
    with pytest.raises(error) as caught:
        VideoQueue().run(**arguments)
    assert str(caught.value) == text


BURSTS = [Action("burst", float(n), value=1000) for n in range(9)]


@pytest.mark.parametrize(
    ("scenario", "actions", "until", "text"),
    [
        (
            TruckStream(trucks=200, every=1.0, size=100_000), [], None,
            "trucks=200, every=1, size=100000, hot=1: the records of 90 s would take 1,800 MB; this lab keeps at most"
            " 500 MB. Make them smaller or fewer, or the run shorter",
        ),
        (TruckStream(size=100_000), [Action("set", 1.0, "every", 1.0)], None, "every=1, size=100000, hot=1: "),
        (TruckStream(size=100_000), BURSTS, None, "would take 1,080 MB"),
        (SkiLift(rate=40.0, size=200_000), [], None, "the records of 300 s would take 1,573 MB"),
        (SkiLift(way="both", rate=40.0, size=200_000), [], 3000.0, "would take 3,146 MB"),
        (LongOutage(rate=0.1, size=200_000), [], None, "would take 2,160 MB"),
    ],
)  # fmt: skip
def test_a_run_that_would_fill_the_memory_is_refused(scenario, actions, until, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        scenario.run(1, actions, until)


def test_a_text_that_asks_for_too_much_is_refused_while_it_runs(monkeypatch):
    """Ours: the highest settings for ten times as long took half a minute and 400 MB. 150,000 events are the most."""
    monkeypatch.setattr("lablib.scenarios.run._MOST_EVENTS", 3_000)
    text = encode("FanOut", {}, 901, (), 10 * FanOut().duration, "2023", None)
    said = r"until=\d+: this run has 3,\d\d\d events in its first \d+ s; at most 3,000 are kept\. Make it shorter, or"
    with pytest.raises(ValueError, match=said):
        Run.from_text(text)


@pytest.mark.parametrize("scenario", [TruckStream(), SkiLift(), LongOutage()])
def test_every_default_may_run_ten_times_as_long(scenario):
    check(scenario, 1, (), 10 * scenario.duration, "2023")


# ---- share ---------------------------------------------------------------------------------------------------------

SHARED = [
    VideoQueue().run(until=5),
    VideoQueue(rate=4.5, consumers=7, visibility_timeout=4, mode="queue").run(
        123456789,
        [Action("crash", 12.25, "consumer-1"), Action("set", 3.0, "consumers", 9), Action("burst", 2.0, value=12)],
        until=20,
        limits="today",
    ),
    Promises(retention=2.5).run(-3, until=1000),
]


@pytest.mark.parametrize("run", SHARED, ids=repr)
@pytest.mark.parametrize("cursor", [None, 3.25])
def test_a_shared_run_comes_back(run, cursor):
    text = run.share(cursor)
    again = Run.from_text(f"  {text}\n")
    assert again == run.at_cursor(cursor)
    assert again.cursor == cursor
    assert again.digest == run.digest
    assert again.share() == text
    assert len(text) <= 200
    assert text.startswith("ml1-")
    assert text.isprintable()


@given(acts=st.lists(actions(), max_size=6), seed=st.integers(-(10**12), 10**12))
@settings(max_examples=30, deadline=None)
def test_any_run_can_be_shared(acts, seed):
    run = SMALL.run(seed, acts, UNTIL)
    assert Run.from_text(run.share()) == run


LONG_AGO = "ml1-_11I-EMThfrURM8U2VVW5jpYw8WkVsfQyNjE1MzcwlInGs2HRiDDsfjQEiQO9YihkZ6RKYpHgZ4xMoB7xRgoHQsA"


def test_a_text_from_long_ago_still_works():
    assert Run.from_text(LONG_AGO) == SHARED[1].at_cursor(3.25)


def test_a_text_with_a_kind_of_action_that_has_another_name_now_still_works():
    """Freezing a consumer was called "stall" when this text was made."""
    run = Run.from_text("ml1-eD8a8EMTRfaiSa2OuU403EHGKJaCHRQL9EcsAA")
    assert run == VideoQueue(consumers=4).run(7, [Action("freeze", 3.0, "consumer-2", 5.5)], until=10)


NOT_ONE = "this is not a run's text: copy all of it, from 'ml1-' to the end"


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_text_is_refused(data):
    text = SHARED[1].share()
    place = data.draw(st.integers(4, len(text) - 1))
    other = data.draw(st.sampled_from([c for c in "ABYZabyz0189-_=é*" if c != text[place]]))
    damaged = data.draw(
        st.sampled_from([text[:place], text[:place] + other + text[place + 1 :], text[:place] + text[place + 1 :]])
    )
    with pytest.raises(ValueError, match=r"^this is not a run's text") as caught:
        Run.from_text(damaged)
    assert str(caught.value) == NOT_ONE


@given(st.text() | st.text().map("ml1-".__add__) | st.none() | st.integers())
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"^this is not a run's text"):
        Run.from_text(text)


def packed(parts):
    import zlib
    from base64 import urlsafe_b64encode

    from lablib.scenarios.share import _LIKELY

    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_LIKELY)
    raw = packer.compress(parts if isinstance(parts, bytes) else json.dumps(parts).encode()) + packer.flush()
    return "ml1-" + urlsafe_b64encode(zlib.crc32(raw).to_bytes(4, "big") + raw).decode()


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["VideoQueu"], "there is no scenario 'VideoQueu'"),
        (["VideoQueue", {"rate": 1e9}], "rate=1000000000.0: must be a number from 0.1 to 20 messages/s"),
        (["VideoQueue", {"speed": 1}], "VideoQueue has no parameter 'speed'"),
        (["VideoQueue", {"rate": float("nan")}], "rate=nan: must be"),
        (["VideoQueue", {}, "7"], "seed='7': must be a whole number"),
        (["VideoQueue", {}, 7, [["dance", 1]]], "kind='dance'"),
        (["VideoQueue", {}, 7, [["crash", 1, ["x"]]]], "crash: target=['x']"),
        (["VideoQueue", {}, 7, [[["crash"], 1]]], "kind=['crash']"),
        (["VideoQueue", {}, 7, [], 1e12], "until=1000000000000.0: must be"),
        (["VideoQueue", {}, 7, [], None, "1999"], "limits='1999': must be"),
        (["VideoQueue", {}, 7, [], 9, "2023", 10], "cursor=10: must be a number of seconds from 0 to 9"),
        (["VideoQueue", {}, 7, [], 9, "2023", "1"], "cursor='1': must be"),
        (["VideoQueue", {}, 7, [], 9, "2023", 1, 1], NOT_ONE),
        ([7], NOT_ONE),
        ({}, NOT_ONE),
        (["VideoQueue", {}, 7, [["crash"]]], NOT_ONE),
        (b"[" * 7000, NOT_ONE),
        (b" " * 1_000_000, NOT_ONE),
        (b"\xff", NOT_ONE),
    ],
)
def test_a_made_up_text_is_refused_in_one_line(parts, text):
    with pytest.raises(ValueError, match=r".") as caught:
        Run.from_text(packed(parts))
    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)
