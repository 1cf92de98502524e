"""The flow animation: what Python packs, and its pure half in Node against the measures of the same runs."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from workbench.fanout_scene import HOOK, QUEUES, FanoutForTests
from workbench.pipeline_scene import PipelineForTests

from lablib.scenarios import Action, Run
from lablib.scenarios.lab01 import SCENARIOS, Fleet, Promises, VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.scenarios.lab03 import Trucks
from lablib.views import life
from lablib.workbench import bundle, payload

TEST = Path(__file__).with_name("flow_test.mjs")
NODE = shutil.which("node")
CRASHES = (Action("crash", 65.0, "consumer-1"), Action("freeze", 80.0, "consumer-2", 50.0))
RUNS = {
    "queue": lambda: VideoQueue().run(seed=7),
    "trouble": lambda: VideoQueue(outages=100, visibility_timeout=5).run(3, CRASHES),
    "direct": lambda: VideoQueue(mode="direct").run(seed=7),
    "promises": lambda: Promises().run(seed=1),
    "fleet": lambda: Fleet().run(seed=2),
    "poison": lambda: Visibility(poison=0.3, max_receives=2, visibility_timeout=25).run(seed=2),
    "groups": lambda: Trucks(trucks=30).run(seed=2, until=20.0),
    "fanout": lambda: FanoutForTests().run(seed=3),
    "grave": lambda: FanoutForTests(grave=True).run(seed=3),
}


def counts(run: Run, t: float) -> dict[str, float]:
    """The counters at t, as the measures have them."""
    m = run.measures
    before = {row.subject for row in run.trace.where(kind="Received") if row.time <= t}
    again = [r.subject for r in run.trace.where(kind="Received") if r.time <= t]
    losses = ("Expired", "Refused", "TimedOut", "DeliveryDropped")
    lost = [r for r in run.trace.where(kind=losses) if r.time <= t]
    found = {
        "sent": len([r for r in run.trace.where(kind=("Sent", "Requested")) if r.time <= t]),
        "lost": len(lost),
        "duplicates": sum(again.count(s) > 1 for s in before) if len(again) > len(before) else 0,
    }
    if not m.is_direct:
        found |= {
            "waiting": float(m.depth().at(t)),
            "flight": float(m.in_flight().at(t)),
            "delayed": float(m.delayed().at(t)),
        }
    return found


@pytest.mark.skipif(NODE is None, reason="no Node on this machine")
def test_the_pure_half_in_node(tmp_path):
    files = []
    for name, make in RUNS.items():
        run = make()
        file = tmp_path / name
        file.write_bytes(payload.pack(payload.describe(run)))
        instants = np.linspace(0, run.until, 9).tolist()
        files.append({"file": str(file), "checks": [[t, counts(run, t)] for t in instants]})
    command = [NODE, "--test", "--test-reporter=spec", str(TEST)]
    done = subprocess.run(command, env={**os.environ, "RUNS": json.dumps(files)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    written = TEST.read_text(encoding="utf-8")
    assert f"pass {written.count(chr(10) + 'test(') + 2 * len(RUNS)}\n" in done.stdout, "every test was run"


@pytest.mark.skipif(NODE is None, reason="no Node on this machine")
@pytest.mark.parametrize("prediction", [False, True])
def test_the_joined_script_is_a_module_without_imports(tmp_path, prediction):
    script = bundle.script(prediction)
    assert "\nimport " not in script
    assert "//" in script
    for network in ("https://", "cdn"):
        assert network not in script
    file = tmp_path / "joined.mjs"
    file.write_text(script, encoding="utf-8")
    assert subprocess.run([NODE, "--check", str(file)], capture_output=True, text=True).stderr == ""


def test_every_module_is_joined():
    modules = {f"{name}.js" for name in bundle.MODULES}
    assert modules == {path.name for path in bundle.HERE.glob("*.js")}


def test_no_name_is_declared_twice_in_the_joined_script():
    names = re.findall(r"^(?:async )?(?:function|const|class|let) ([\w$]+)", bundle.script(), re.MULTILINE)
    assert sorted(names) == sorted(set(names))


def test_pack_aligns_arrays_and_keeps_their_types():
    packed = payload.pack({"a": np.array([1.5, 2.5]), "deep": [{"b": np.array([1, 2, 3], dtype=np.uint8)}], "c": "é"})
    size = int.from_bytes(packed[:4], "little")
    head = json.loads(packed[4 : 4 + size])
    start = -(-(4 + size) // 8) * 8
    assert head["doc"] == {"a": {"$": 0}, "deep": [{"b": {"$": 1}}], "c": "é"}
    assert head["arrays"] == [["f8", 0, 2], ["u1", 16, 3]]
    assert np.frombuffer(packed, "<f8", 2, start).tolist() == [1.5, 2.5]
    assert len(packed) % 8 == 0


def test_pack_refuses_what_it_cannot_send():
    with pytest.raises(TypeError, match="cannot pack set"):
        payload.pack({"a": {1, 2}})


@pytest.mark.parametrize("name", SCENARIOS)
def test_moves_are_in_order_and_begin_with_a_message_not_seen_before(name):
    moves = payload.describe(SCENARIOS[name]().run(seed=5))["moves"]
    assert (np.diff(moves["t"]) >= 0).all()
    first = np.unique(moves["m"], return_index=True)[1]
    assert (np.sort(first) == first).all(), "messages are numbered as they appear"


def test_a_run_in_which_nothing_happens_can_be_drawn():
    run = VideoQueue(consumers=0, rate=0.1).run(seed=1, until=0.001)
    packed = payload.describe(run)
    assert len(packed["moves"]["t"]) == 0
    assert payload.pack(packed)


@pytest.fixture(scope="module")
def fanout():
    return FanoutForTests(grave=True).run(seed=3)


def statuses(run, *wanted):
    """The moves with one of these statuses: (time, subject, place's id or "")."""
    moves, subjects, places = payload.describe(run)["moves"], payload.subjects(run), run.topology.places
    chosen = np.flatnonzero(np.isin(moves["s"], wanted)).tolist()
    return [
        (moves["t"][i], subjects[moves["m"][i]], places[moves["p"][i]].id if moves["p"][i] >= 0 else "") for i in chosen
    ]


def test_each_message_has_its_number_on_the_page(fanout):
    for run in (fanout, VideoQueue().run(seed=7)):
        described, subjects = payload.describe(run), payload.subjects(run)
        assert described["messages"] == len(subjects) == described["moves"]["m"].max() + 1
        sent = run.trace.where(kind="Sent")
        assert {row.subject for row in sent} <= set(subjects)


def test_a_published_message_stays_at_its_topic_until_each_endpoint_was_tried(fanout):
    here = statuses(fanout, payload.HERE)
    passed = {subject: t for t, subject, place in statuses(fanout, payload.PASSED) if place == "topic"}
    assert {place for *_, place in here} == {"topic"}
    assert len(here) == len(fanout.trace.where(kind="Published"))
    for t, subject, _ in here[:40]:
        deliveries = tuple(fanout.trace.children(subject))
        tries = [row.time for row in fanout.trace.where(kind=("Delivered", "DeliveryFailed"), subject=deliveries)
                 if row.detail["attempt"] == 1]  # fmt: skip
        assert passed[subject] == max(tries) > t


def test_copies_deliveries_and_what_becomes_of_them(fanout):
    moves, places = payload.describe(fanout)["moves"], fanout.topology.places
    topic = next(i for i, place in enumerate(places) if place.id == "topic")
    copies = moves["k"] == payload.NAMES.index("Sent")
    assert (moves["o"][copies] == topic).all(), "copies come from the topic"
    rows = {kind: fanout.trace.where(kind=kind) for kind in ("FilteredOut", "DeliveryFailed", "Delivered")}
    assert len(statuses(fanout, payload.FILTERED)) == len(rows["FilteredOut"]) > 0
    assert len(statuses(fanout, payload.RETRY)) == len(rows["DeliveryFailed"]) > 0
    published = {row.subject for row in fanout.trace.where(kind="Published")}
    outside = [row for row in rows["Delivered"] if row.actor == HOOK and fanout.trace.parent(row.subject) in published]
    assert len(statuses(fanout, payload.DELIVERED)) == len(outside) > 0
    in_grave = [subject for _, subject, place in statuses(fanout, payload.DEAD) if place == "grave"]
    assert len(in_grave) == len(fanout.trace.where(kind="SentToDeadLetterQueue")) == fanout.measures.dead > 0
    assert fanout.measures.waiting == sum(
        fanout.measures.depth(q).last + fanout.measures.in_flight(q).last for q in QUEUES
    )


def test_a_photo_goes_through_bucket_topic_queue_and_functions():
    run = PipelineForTests().run(seed=3)
    stored = {row.subject for row in run.trace.where("ObjectCreated")}
    assert len(stored) == 19
    assert {(subject, place) for _, subject, place in statuses(run, payload.HERE)} >= {(s, "bucket") for s in stored}
    assert {subject for _, subject, place in statuses(run, payload.PASSED) if place == "bucket"} == stored
    assert sum(place == "topic" for *_, place in statuses(run, payload.HERE)) == len(run.trace.where("Published"))
    working = [place for *_, place in statuses(run, payload.WORKING)]
    assert working.count("shrink") == len(run.trace.where("WorkStarted"))  # it works for its queue
    assert working.count("faces") == len(run.trace.where("InvocationStarted", actor="lambda/faces")) == 20
    assert len(statuses(run, payload.DONE)) == 40  # each of two programs, each photo, and S3's test event
    moves, places = payload.describe(run)["moves"], [place.id for place in run.topology.places]
    came = {kind: {places[o] for o in moves["o"][moves["k"] == payload.NAMES.index(kind)].tolist()}
            for kind in ("ObjectCreated", "Published", "Sent", "InvocationStarted")}  # fmt: skip
    assert came == {
        "ObjectCreated": {"camera"}, "Published": {"bucket"}, "Sent": {"topic"}, "InvocationStarted": {"topic"},
    }  # fmt: skip


def test_an_original_and_its_copies_know_each_other(fanout):
    original = fanout.trace.where(kind="Published")[8].subject
    told = life(fanout, original)
    assert "delivered to" in told.sentence
    assert {words for _, words in told.related} >= {"the copy in billing", "the copy in audit"}
    for subject, _ in told.related:
        assert life(fanout, subject).related == [(original, "the original at orders")]


def test_groups_are_those_that_the_messages_joined():
    run = Trucks(trucks=30).run(seed=2, until=20.0)
    groups, subjects = payload.describe(run)["groups"], payload.subjects(run)
    joined = {row.subject: row.detail for row in run.trace.where(kind="JoinedGroup")}
    assert groups["count"] == len(set(joined.values())) == 30
    assert len(groups["names"]) == payload.GROUPS_NAMED
    for subject, group in zip(subjects, groups["of"].tolist(), strict=True):
        assert group >= payload.GROUPS_NAMED or groups["names"][group] == joined[subject]
    assert life(run, subjects[0]).group == joined[subjects[0]]
    assert payload.describe(VideoQueue().run(seed=7))["groups"] is None


def test_what_hides_a_message_is_sent_with_its_end():
    run = Visibility(heartbeat=8.0, visibility_timeout=20).run(seed=2)
    holds, subjects = payload.describe(run)["holds"], payload.subjects(run)
    rows = run.trace.where(kind=("Received", "VisibilityChanged"))
    assert [subjects[m] for m in holds["m"].tolist()] == [row.subject for row in rows]
    assert holds["u"] == pytest.approx([row.until for row in rows])


@pytest.mark.parametrize(
    ("values", "kind"), [([0, 255], "u1"), ([-1, 127], "i1"), ([-1, 128], "i2"), ([0, 40_000], "i4")]
)
def test_numbers_travel_in_the_narrowest_type(values, kind):
    made = payload.small(np.array(values))
    assert (made.dtype, made.tolist()) == (np.dtype(kind), values)
