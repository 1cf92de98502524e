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
def test_the_order_of_hashes_does_not_show_and_no_program_opens_a_real_socket(hash_seed):
    """The creation of sockets is forbidden by an audit hook (PEP 578); the last line shows that it works."""
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "programs.at_work"],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=300,
    )
    *runs, asked, control = out.stdout.splitlines()
    assert runs == SEEN, out.stderr
    assert asked == "asked of the real network: []"
    assert control == "socket.__new__: a program reached for the real network"
