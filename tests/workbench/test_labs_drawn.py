"""Truth is a test: at random instants of labs 02b, 05, 06 and 07, alone and in two lanes, with the defaults and with
odd settings, what their painters paint is what a count from the trace alone says."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from workbench.counts import brokered, called, clustered, collected, streamed, subscribed, told
from workbench.test_flow import instants

from lablib.scenarios import Action
from lablib.scenarios.lab02b import QueueToFunction
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.lab04b import Uploads
from lablib.scenarios.lab05 import TruckStream
from lablib.scenarios.lab06 import LongOutage, SkiLift
from lablib.scenarios.lab07 import Warehouse
from lablib.scenarios.lab07_cluster import Cluster
from lablib.workbench import document

TEST = Path(__file__).with_name("labs_test.mjs")
NODE = shutil.which("node")
OFF = (Action("power_off", 10.0, "warehouse-2"),)
DARK = (Action("power_off", 20.0, "warehouse-2"), Action("power_off", 30.0, "warehouse-3"))
CUT = (Action("cut_off", 25.0, "warehouse-1", 20.0), Action("power_off", 80.0, "warehouse-2"))
CRASH = (Action("crash_broker", 20.4752),)  # no number of single precision
LATER = (("web server", 100.0), ("queue", 150.0))  # how the partner is told, and when analytics is added
# name -> how to count it, and its lanes.
SCENES = {
    "a function": (called, lambda: [QueueToFunction().run(seed=7)]),
    "a function and bad orders": (
        called,
        lambda: [QueueToFunction(bad=0.05).run(seed=7), QueueToFunction().run(seed=7)],
    ),
    "a function that reports": (
        called,
        lambda: [QueueToFunction(bad=0.1, failures="reports", max_receives=2, visibility_timeout=30).run(seed=3)],
    ),
    "a function that nobody listens to": (
        called,
        lambda: [QueueToFunction(bad=0.1, failures="reports, not asked").run(seed=7)],
    ),
    "a function without room": (called, lambda: [QueueToFunction(reserved=1, max_receives=3).run(seed=7)]),
    "a function and groups": (called, lambda: [QueueToFunction(groups=5, bad=0.05).run(seed=2)]),
    "large batches": (called, lambda: [QueueToFunction(batch_size=100, window=30).run(seed=7)]),
    "a function that gathers many": (
        called,
        lambda: [
            QueueToFunction(batch_size=100, window=60, rate=8, reserved=1, work=1.0, visibility_timeout=900).run(
                seed=7
            ),
            QueueToFunction().run(seed=7),
        ],
    ),
    "a function with many large batches": (
        called,
        lambda: [QueueToFunction(batch_size=30, window=15, rate=12.0, visibility_timeout=900).run(seed=7)],
    ),
    "a message in a call and in the next batch": (
        called,
        lambda: [QueueToFunction(batch_size=100, window=60, rate=8, reserved=1, work=1.0, timeout=120).run(seed=7)],
    ),
    "one who subscribes later": (
        subscribed,
        lambda: [FanOut(late=True, partner=kind).run(7, [Action("add_analytics", at)]) for kind, at in LATER],
    ),
    "a stream": (streamed, lambda: [TruckStream().run(seed=7)]),
    "two streams": (streamed, lambda: [TruckStream(key="random").run(seed=7), TruckStream(shards=8).run(seed=7)]),
    "more workers than shards": (streamed, lambda: [TruckStream(consumers=8).run(seed=7)]),
    "a stream in trouble": (
        streamed,
        lambda: [
            TruckStream(hot=60.0, every=2.0, crashes=0.02, dashboards=2).run(
                3, (Action("split", 20.0, "shard-3"), Action("crash", 30.0, "worker-2"), Action("replay", 50.0))
            )
        ],
    ),
    "a full shard": (
        streamed,
        lambda: [TruckStream(hot=100.0, every=1.0).run(7, [Action("split", 20.0, "shard-3")], until=60.0)],
    ),
    "a stream with pipes of their own": (streamed, lambda: [TruckStream(dashboards=2, pipes="own").run(seed=7)]),
    "a buffer": (collected, lambda: [SkiLift().run(seed=7)]),
    "two ways": (collected, lambda: [SkiLift().run(seed=7), SkiLift(way="stream").run(seed=7)]),
    "a buffer behind a stream": (collected, lambda: [SkiLift(way="both", backup=True).run(seed=7, until=150.0)]),
    "a buffer with a transform": (collected, lambda: [SkiLift(transform=True, poison=0.1, outage=60.0).run(seed=7)]),
    "a busy buffer": (collected, lambda: [SkiLift(rate=8.0, buffer_time=100).run(seed=5)]),
    "a buffer in a long outage": (collected, lambda: [LongOutage().run(seed=7), LongOutage(outage=3.0).run(seed=7)]),
    "uploads": (told, lambda: [Uploads().run(seed=7), Uploads(way="one queue").run(seed=7)]),
    "uploads and a catalogue": (
        told,
        lambda: [Uploads(catalogue=True, rate=0.8, stored="photos/").run(3, (Action("catalogue_away", 30.0),), 120.0)],
    ),
    "uploads and a crash": (
        told,
        lambda: [Uploads(way="one queue", rate=1.0, consumers=1).run(5, (Action("crash", 40.0, "resize-1"),))],
    ),
    "a cluster": (clustered, lambda: [Cluster().run(7, DARK, limits="today"), Cluster(queue="classic").run(7, DARK)]),
    "a cluster whose memory is full": (clustered, lambda: [Cluster(memory=0.1).run(7, OFF)]),
    "a mirrored queue": (clustered, lambda: [Cluster(queue="classic", repair=70.0).run(7, OFF)]),
    "a cluster of 2023": (clustered, lambda: [Cluster(senders=6, every=0.5).run(3, CUT)]),
    "brokers": (brokered, lambda: [Warehouse().run(7, CRASH)]),
    "two pairs": (
        brokered,
        lambda: [Warehouse(persistent="yes", receipts="yes").run(7, CRASH), Warehouse(broker="single").run(7, CRASH)],
    ),
    "brokers and packers that crash": (
        brokered,
        lambda: [Warehouse(prefetch=5, persistent="yes").run(3, (*CRASH, Action("crash", 40.0, "packer-1")))],
    ),
    "a broker that is full": (brokered, lambda: [Warehouse(memory=0.03, consumers=1).run(seed=7)]),
    "two brokers that are full": (
        brokered,
        lambda: [
            Warehouse(memory=0.03, receipts="yes", consumers=1).run(7, CRASH),
            Warehouse(memory=0.03, senders=5, ack="auto", work=4.0).run(7, CRASH),
        ],
    ),
    "brokers that acknowledge at once": (
        brokered,
        lambda: [Warehouse(ack="auto").run(5, (Action("crash", 15.0, "packer-1"), *CRASH))],
    ),
}


@pytest.mark.skipif(NODE is None, reason="no Node on this machine")
def test_what_the_painters_of_the_labs_paint(tmp_path):
    scenes = []
    for name, (count, make) in SCENES.items():
        files, runs = [], make()
        for i, run in enumerate(runs):
            files.append(tmp_path / f"{len(scenes)}-{i}")
            files[-1].write_bytes(document.pack(document.describe(run)))
        numbers = [{subject: i + 1 for i, subject in enumerate(document.subjects(run))} for run in runs]
        just_after = {action.at + by for run in runs for action in run.actions for by in (0, 0.2113)}
        if count is collected:  # when a buffer is empty again
            just_after |= {row.time + 0.5 for run in runs for row in run.trace.where(kind="BufferClosed")[:4]}
        times = [*instants(runs, random.Random(name), 10), *sorted(just_after)]  # then not all have noticed it
        checks = [[count(run, t, mine) for run, mine in zip(runs, numbers, strict=True)] for t in times]
        scenes.append({"name": name, "kind": count.__name__, "files": [str(f) for f in files], "checks": checks})
    listed = tmp_path / "runs.json"
    listed.write_text(json.dumps(scenes), encoding="utf-8")
    command = [NODE, "--test", "--test-reporter=spec", str(TEST)]
    done = subprocess.run(command, env={**os.environ, "RUNS": str(listed)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-9000:] + done.stderr[-2000:]
    brokers = sum(2 + len(scene["files"]) for scene in scenes if scene["kind"] == "brokered")
    functions = 4 * sum(scene["kind"] == "called" for scene in scenes)
    written = f"pass {1 + len(SCENES) + brokers + functions}\n"
    assert written in done.stdout, "every scene was compared, brokers and functions in all sizes"
