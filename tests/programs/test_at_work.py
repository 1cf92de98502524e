"""Programs as people have them at work run unmodified, and every run is the same.

`at_work_seen.txt` has the expected runs, a line each: program, digest of its trace, what it said.
"""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from programs.at_work import PROGRAMS, outcome

HERE = Path(__file__).parent
SEEN = (HERE / "at_work_seen.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_as_expected_every_time(name):
    (expected,) = [line for line in SEEN if line.startswith(f"{name} |")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # powertools: the time left is known in a Lambda function only
        assert [outcome(name) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("hash_seed", ["0", "1", "2"])
def test_the_order_of_hashes_does_not_show(hash_seed):
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "programs.at_work"],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert out.stdout.splitlines() == SEEN, out.stderr
