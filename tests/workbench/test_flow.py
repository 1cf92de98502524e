"""The flow animation: what Python packs, and its pure half in Node against the measures of the same runs."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lablib.scenarios import Action, Run
from lablib.scenarios.lab01 import SCENARIOS, Fleet, Promises, VideoQueue
from lablib.workbench import bundle, payload

TEST = Path(__file__).with_name("flow_test.mjs")
NODE = shutil.which("node")
CRASHES = (Action("crash", 65.0, "consumer-1"), Action("stall", 80.0, "consumer-2", 50.0))
RUNS = {
    "queue": lambda: VideoQueue().run(seed=7),
    "trouble": lambda: VideoQueue(outages=100, visibility_timeout=5).run(3, CRASHES),
    "direct": lambda: VideoQueue(mode="direct").run(seed=7),
    "promises": lambda: Promises().run(seed=1),
    "fleet": lambda: Fleet().run(seed=2),
}


def counts(run: Run, t: float) -> dict[str, float]:
    """The counters at t, as the measures have them."""
    m = run.measures
    before = {row.subject for row in run.trace.where(kind="Received") if row.time <= t}
    again = [r.subject for r in run.trace.where(kind="Received") if r.time <= t]
    lost = [r for r in run.trace.where(kind=("Expired", "Refused", "TimedOut")) if r.time <= t]
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
    modules = {f"flow_{name}.js" if name else "flow.js" for name in bundle.MODULES}
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
