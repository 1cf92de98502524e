"""The picture: what Python packs, and in Node what the page draws of it, against a count from the trace alone."""

import json
import os
import random
import re
import shutil
import subprocess
from array import array
from pathlib import Path

import numpy as np
import pytest
from workbench.count import drawn
from workbench.fanout_scene import HOOK, FanoutForTests
from workbench.pipeline_scene import PipelineForTests

from lablib.scenarios import Action
from lablib.scenarios.lab01 import SCENARIOS, Fleet, Promises, VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.scenarios.lab02b import QueueToFunction
from lablib.scenarios.lab03 import Trucks
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.lab04b import Uploads
from lablib.scenarios.lab05 import TruckStream
from lablib.scenarios.lab06 import LongOutage, SkiLift
from lablib.scenarios.lab07 import Warehouse
from lablib.scenarios.lab07_cluster import Cluster
from lablib.views import life
from lablib.workbench import bundle, document

TESTS = [Path(__file__).with_name(name) for name in ("flow_test.mjs", "cards_test.mjs")]
NODE = shutil.which("node")
CRASHES = (Action("crash", 65.0, "consumer-1"), Action("freeze", 80.0, "consumer-2", 50.0))
RUNS = {
    "queue": lambda: VideoQueue().run(seed=7),
    "trouble": lambda: VideoQueue(outages=100, visibility_timeout=5).run(3, CRASHES),
    "four": lambda: Visibility(visibility_timeout=8, rate=0.1).run(seed=5),
    "crash": lambda: Visibility(visibility_timeout=45).run(7, (Action("crash", 38.0, "consumer-1"),)),
    "frozen": lambda: Visibility(visibility_timeout=60).run(5, (Action("freeze", 50.0, "consumer-4", 30.0),)),
    "heartbeat": lambda: Visibility(heartbeat=8.0, visibility_timeout=20).run(seed=2),
    "promises": lambda: Promises().run(seed=1),
    "fleet": lambda: Fleet().run(seed=2),
    "groups": lambda: Trucks().run(seed=2),
    "standard": lambda: Trucks(queue_type="standard").run(seed=7),
}
CROWDS = {
    "crowd": lambda: VideoQueue(rate=20).run(seed=7),
    "one group for all": lambda: Trucks(group="one", trucks=60, consumers=40).run(seed=7),
}
# Runs whose places are not only queues and hands: these must be painted, but are counted in tests of their own.
OTHERS = {
    "direct": lambda: VideoQueue(mode="direct").run(seed=7),
    "poison": lambda: Visibility(poison=0.3, max_receives=2, visibility_timeout=25).run(seed=2),
    "fanout": lambda: FanoutForTests(grave=True).run(seed=3),
    "orders": lambda: FanOut(shop_crashes=0.15).run(seed=7),
    "one by one": lambda: FanOut(way="one by one", outage=60.0).run(seed=7),
    "function": lambda: QueueToFunction(bad=0.05, failures="reports", max_receives=3).run(seed=7),
    "outlasts": lambda: QueueToFunction(batch_size=100, window=42, failures="reports").run(seed=7),
    "expires": lambda: QueueToFunction(batch_size=20, rate=1, reserved=1, work=4.0, timeout=60).run(seed=7),
    "not asked": lambda: QueueToFunction(bad=0.05, failures="reports, not asked").run(seed=7),
    "tried again": lambda: Uploads(catalogue=True).run(7, (Action("catalogue_away", 60.0, value=200.0),)),
    "stream": lambda: TruckStream(dashboards=2).run(7, (Action("split", 20.0, "shard-1"),), 60.0),
    "stream with a hot shard": lambda: TruckStream(hot=100.0, every=1.0).run(seed=7, until=40.0),
    "pipeline": lambda: PipelineForTests().run(seed=3),
    "buffer": lambda: SkiLift().run(seed=7),
    "buffer behind a stream": lambda: SkiLift(way="both", backup=True).run(seed=7, until=100.0),
    "buffer in an outage": lambda: SkiLift(outage=60.0, rate=1.0, rush=1.0).run(seed=7),
    "buffer with a crowd": lambda: SkiLift(outage=100.0).run(seed=7),
    "buffer for a day": lambda: LongOutage().run(seed=7),
    "failover": lambda: Warehouse(prefetch=1, persistent="yes").run(7, (Action("crash_broker", 20.0),)),
    "failover of a crowd": lambda: Warehouse(senders=10, consumers=20, work=20.0).run(
        7, (Action("crash_broker", 20.0),)
    ),
    "failover of a full broker": lambda: Warehouse(memory=0.03, consumers=1).run(7, (Action("crash_broker", 40.0),)),
    "cluster": lambda: Cluster().run(
        7, (Action("power_off", 20.0, "warehouse-2"), Action("power_off", 30.0, "warehouse-3")), limits="today"
    ),
    "thirty at work": lambda: Trucks(consumers=30, queue_type="standard").run(seed=7, until=30.0),
    "a hundred at work": lambda: Trucks(trucks=100, consumers=100).run(seed=2, until=20.0),
    "many groups": lambda: Trucks(trucks=30).run(seed=2, until=20.0),
}


def instants(runs, chance, count=24):
    """Random instants at which nothing happens in any of the runs: the page's times are rounded."""
    times = np.unique([time for run in runs for row in run.trace for time in (row.time, row.until)])
    found = []
    while len(found) < count:
        t = chance.uniform(0, min(run.until for run in runs))
        if np.abs(times - t).min() > 2e-4:
            found.append(round(t, 6))
    return found


def brokers(run, t):
    """Who serves, how many clients have no connection after their first one, how many messages lie on the disk, and
    which shops are blocked."""
    rows = [row for row in run.trace if row.time <= t]
    on, known, serves = set(), set(), ""
    stored, there, blocked = set(), set(), set()
    for row in rows:
        if row.kind == "NodeServing":
            serves = row.actor
        elif row.kind == "NodeGone":
            serves, on = "", set()
        elif row.kind == "ClientConnected":
            on.add(row.actor)
            known.add(row.actor)
        elif row.kind in ("ClientGone", "Crashed"):
            on.discard(row.actor)
        elif row.kind == "Enqueued":
            there.add(row.subject)
            stored |= {row.subject} if row.detail["persistent"] else set()
        elif row.kind == "ProducerBlocked":
            blocked.add(row.actor)
        elif row.kind == "ProducerUnblocked":
            blocked.remove(row.actor)
        elif row.kind in ("Acknowledged", "MemoryLost", "Forgotten"):
            there.discard(row.subject)
    return {
        "t": t,
        "serves": serves,
        "dark": len(known - on),
        "stored": len(stored & there),
        "blocked": sorted(blocked),
    }


def cluster(run, t):
    """Which nodes are there, how many messages each has on its disk, and how many orders are confirmed."""
    there, disks, done = set(), {f"warehouse-{n}": 0 for n in (1, 2, 3)}, 0
    for row in run.trace:
        if row.time > t:
            break
        if row.kind == "NodeServing":
            there.add(row.actor)
        elif row.kind == "NodeGone":
            there.discard(row.actor)
        elif row.kind == "Replicated":
            disks[row.actor] += 1
        elif row.kind == "MirrorSynchronised":
            disks[row.actor] = row.detail
        done += row.kind == "OrderConfirmed"
    return {"t": t, "there": sorted(there), "disks": list(disks.values()), "confirmed": done}


@pytest.mark.skipif(NODE is None, reason="no Node on this machine")
def test_the_page_in_node(tmp_path):
    """Truth is a test: at random instants of each run, marks by place, hand and shape, and the counters."""
    files, chance = [], random.Random(11)
    for name, make in {**RUNS, **CROWDS, **OTHERS}.items():
        run = make()
        file = tmp_path / name.replace(" ", "-")
        file.write_bytes(document.pack(document.describe(run)))
        numbers = {subject: i + 1 for i, subject in enumerate(document.subjects(run))}
        times = instants([run], chance, 8 if name in CROWDS else 24)
        if name == "four":
            times.insert(0, 26.0)
        count = brokers if name.startswith("failover") else cluster if name == "cluster" else None
        checks = [count(run, t) if count else {"t": t} if name in OTHERS else drawn(run, t, numbers) for t in times]
        files.append(
            {
                "name": name,
                "file": str(file),
                "checks": checks,
                "crowded": name in CROWDS,
                "counted": name not in OTHERS,
            }
        )
    command = [NODE, "--test", "--test-reporter=spec", *map(str, TESTS)]
    listed = tmp_path / "runs.json"
    listed.write_text(json.dumps(files), encoding="utf-8")
    done = subprocess.run(command, env={**os.environ, "RUNS": str(listed)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-9000:] + done.stderr[-2000:]
    assert "skipped 0" in done.stdout
    written = sum(test.read_text(encoding="utf-8").count("\ntest(") for test in TESTS)
    assert f"pass {written + 2 * len(files) + len(RUNS) + len(CROWDS)}\n" in done.stdout, "every test was run"


@pytest.mark.skipif(NODE is None, reason="no Node on this machine")
@pytest.mark.parametrize(
    ("only", "start"),
    [
        ("", "mount(el, liveStore(await arrived(model)))"),
        ("prediction", "mountPrediction(el, liveStore(await arrived(model)))"),
        ("part", "mount(el, await partStore(model))"),
    ],
)
def test_the_joined_script_is_a_module_without_imports(tmp_path, only, start):
    script = bundle.script(only)
    assert "\nimport " not in script
    assert "//" in script
    for network in ("https://", "cdn"):
        assert network not in script
    file = tmp_path / "joined.mjs"
    file.write_text(script, encoding="utf-8")
    assert subprocess.run([NODE, "--check", str(file)], capture_output=True, text=True).stderr == ""
    assert script.endswith(f"({{ model, el }}) => {start} }});\n")


@pytest.mark.parametrize(
    ("end", "left"),
    [("export{a,b as c,make as default};", "export{a,b as c,};"), ("export{make as default};", "export{};")],
)
def test_another_widgets_module_keeps_its_other_exports(end, left):
    patient = bundle.patient(f"let text = 'export{{x as default}}', a, b, make;{end}")
    assert f"'export{{x as default}}', a, b, make;{left}" in patient
    assert re.search(r"\.heard\(\S+\.fitted\(make\(\)\), true\);\n$", patient)


def test_and_stays_as_it_is_when_it_exports_in_another_way():
    assert bundle.patient("export default {};") == "export default {};"


def test_every_module_is_joined():
    joined = set(re.findall(r"^const \$(\w+) = ", bundle.script(), re.MULTILINE))
    files = {path.relative_to(bundle.HERE).with_suffix("").as_posix() for path in bundle.HERE.rglob("*.js")}
    assert joined == {re.sub(r"\W", "_", name) for name in files}


def test_pack_aligns_arrays_and_keeps_their_types():
    packed = document.pack({"a": np.array([1.5, 2.5]), "deep": [{"b": array("B", [1, 2, 3])}], "c": "é"})
    size = int.from_bytes(packed[:4], "little")
    head = json.loads(packed[4 : 4 + size])
    start = -(-(4 + size) // 8) * 8
    assert head["doc"] == {"a": {"$": 0}, "deep": [{"b": {"$": 1}}], "c": "é"}
    assert head["arrays"] == [["f8", 0, 2], ["u1", 16, 3]]
    assert np.frombuffer(packed, "<f8", 2, start).tolist() == [1.5, 2.5]
    assert len(packed) % 8 == 0


def test_pack_refuses_what_it_cannot_send():
    with pytest.raises(TypeError, match="cannot pack set"):
        document.pack({"a": {1, 2}})


@pytest.mark.parametrize(
    ("values", "kind"), [([0, 255], "B"), ([-1, 127], "b"), ([0, 40_000], "H"), ([-1, 128], "h"), ([0, 70_000], "i")]
)
def test_numbers_travel_in_the_narrowest_type(values, kind):
    made = document.small(array("i", values))
    assert (made.typecode, made.tolist()) == (kind, values)


@pytest.mark.parametrize("name", SCENARIOS)
def test_messages_are_numbered_as_they_appear(name):
    run = SCENARIOS[name]().run(seed=5)
    packed, subjects = document.describe(run), document.subjects(run)
    first = list(dict.fromkeys(packed["tokens"]["message"]))
    assert first == sorted(first) == list(range(len(first)))
    assert packed["messages"] == len(subjects) == len(first)
    assert {row.subject for row in run.trace.where(kind="Sent")} <= set(subjects)


def test_a_run_in_which_nothing_happens_can_be_drawn():
    packed = document.describe(VideoQueue(consumers=0, rate=0.1).run(seed=1, until=0.001))
    assert len(packed["tokens"]["t0"]) == 0
    assert document.pack(packed)


def stays(run, *states):
    """The stays in one of these states: (begin, end, subject, place's id)."""
    found, subjects, places = document.describe(run), document.subjects(run), run.topology.places
    tokens, names = found["tokens"], found["states"]
    return [
        (tokens["t0"][i], tokens["t1"][i], subjects[tokens["message"][i]], places[tokens["place"][i]].id)
        for i in range(len(tokens["t0"]))
        if names[tokens["state"][i]] in states and tokens["place"][i] >= 0
    ]


def test_a_delivery_is_a_message_of_its_own_and_knows_its_original():
    run = FanoutForTests(grave=True).run(seed=3)
    found, subjects = document.describe(run), document.subjects(run)
    parents = {subjects[i]: subjects[p] for i, p in enumerate(found["parent"]) if p >= 0}
    published = {row.subject for row in run.trace.where(kind="Published")}
    copies = {row.subject for row in run.trace.where(kind="Sent")} - published
    assert copies and copies <= set(parents)
    for copy in copies:  # the copy of a delivery of the original
        while copy in parents:
            copy = parents[copy]
        assert copy in published
    failed = {row.actor for row in run.trace.where(kind="DeliveryFailed")}
    assert HOOK in failed
    assert stays(run, "retrying"), "what waits for its next attempt is drawn"


def test_an_original_and_its_copies_know_each_other():
    fanout = FanoutForTests(grave=True).run(seed=3)
    original = fanout.trace.where(kind="Published")[8].subject
    told = life(fanout, original)
    assert "delivered to" in told.sentence
    assert {words for _, words in told.related} >= {"the copy in billing", "the copy in audit"}
    for subject, _ in told.related:
        assert life(fanout, subject).related == [(original, "the original at orders")]


def test_groups_are_those_that_the_messages_joined():
    run = Trucks(trucks=30).run(seed=2, until=20.0)
    groups, subjects = document.describe(run)["groups"], document.subjects(run)
    joined = {row.subject: row.detail for row in run.trace.where(kind="JoinedGroup")}
    assert groups["count"] == len(set(joined.values())) == 30
    assert len(groups["names"]) == document.GROUPS_NAMED
    for subject, group in zip(subjects, groups["of"].tolist(), strict=True):
        assert group >= document.GROUPS_NAMED or groups["names"][group] == joined[subject]
    assert document.describe(VideoQueue().run(seed=7))["groups"] is None


def test_hues_are_those_of_the_senders():
    run = Trucks(queue_type="standard").run(seed=2)
    hues, subjects = document.describe(run)["hues"], document.subjects(run)
    sender = {row.subject: row.actor for row in run.trace.where(kind="Sent")}
    assert all(hues["names"][hue] == sender[subject] for subject, hue in zip(subjects, hues["of"], strict=True))


def test_a_truck_that_sends_again_before_it_is_done_is_one_truck():
    run = TruckStream(hot=100.0, every=1.0).run(seed=7, until=40.0)
    hues = document.describe(run)["hues"]
    assert any(row.actor == "truck-1-2" for row in run.trace.where(kind="RecordPut"))
    assert set(hues["names"]) == {f"truck-{n}" for n in range(1, 101)} and hues["count"] == 100


def test_bytes_of_a_step_of_a_slider_with_two_lanes():
    """The budget of the table in DESIGN.md: 150 kB."""
    lanes = [VideoQueue(mode=mode, rate=1.6).run(seed=7) for mode in ("queue", "direct")]
    assert sum(len(document.pack(document.describe(run))) for run in lanes) < 150_000
