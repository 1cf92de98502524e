"""The replays of lab 04's failed checks: all queues are drawn, whatever came to them, and no box lies on another."""

import json
import os
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from lablib.exercises import exercise
from lablib.workbench import document
from lablib.workbench.failing import session_of

TEST = Path(__file__).with_name("boxes_test.mjs")
NODE = shutil.which("node")
ANSWERS = Path(__file__).parents[1].joinpath("exercises").glob("lab04*_answers.py")
WRONG = [wrong for path in sorted(ANSWERS) for wrong in import_module(f"exercises.{path.stem}").WRONG]


@pytest.mark.skipif(NODE is None, reason="no Node on this machine")
def test_what_is_replayed_has_all_its_queues_and_each_box_a_place_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(tmp_path))
    files = []
    for id, fn, _ in WRONG:
        if id not in ("04.filters", "04.flaky"):
            continue
        case = exercise(id).check(fn).replay()
        run = session_of(case).setup.run()
        made = {row.resource for row in case.trace.where("QueueCreated")}
        assert made <= {place.id for place in run.topology.places}, fn.__name__
        files.append(tmp_path / f"{id}-{len(files)}")
        files[-1].write_bytes(document.pack(document.describe(run)))
    listed = tmp_path / "runs.json"
    listed.write_text(json.dumps([str(file) for file in files]), encoding="utf-8")
    done = subprocess.run(
        [NODE, "--test", str(TEST)], env={**os.environ, "RUNS": str(listed)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:]
