"""Unmodified clients of other systems, on the virtual network: what each notices in a bad minute, and when.

`clients_seen.txt` has the expected minutes, a line each: client, accident, digest, what the program noticed. The times
follow from the clients' own settings (`clients.py`) and from TCP: for example, pika gives a silent peer up after two
heartbeat intervals and a half-open connection shows nothing else; py-amqp sets TCP_USER_TIMEOUT to one second; redis
repeats a command after a reset.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from programs.clients import ACCIDENTS, CLIENTS, minute

from lablib.kernel.stdlib.clocks import real_perf_counter

HERE = Path(__file__).parent
SEEN = (HERE / "clients_seen.txt").read_text(encoding="utf-8")


def expected(name, accident):
    (line,) = [line for line in SEEN.splitlines() if line.startswith(f"{name} | {accident} |")]
    return line


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_lives_through_a_bad_minute_as_expected_every_time(name, accident):
    assert [minute(name, accident) for _ in range(2)] == [expected(name, accident)] * 2


@pytest.mark.parametrize("name", CLIENTS)
def test_a_virtual_minute_is_short(name):
    """Well under a second where a real minute would be sixty; the limit only tells one from the other."""
    began = real_perf_counter()
    minute(name, "reset")
    assert real_perf_counter() - began < 20


@pytest.mark.parametrize(("hash_seed", "order"), [("0", []), ("1", ["--clients-first"]), ("2", [])])
def test_neither_hashes_nor_the_order_of_imports_show_and_nothing_reaches_the_real_network(hash_seed, order):
    """The interpreter's audit hooks (PEP 578) hear of every real socket, connection and name look-up."""
    out = subprocess.run(
        [sys.executable, "-m", "programs.clients", *order],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=300,
    )
    *runs, asked, control = out.stdout.splitlines()
    assert runs == SEEN.splitlines(), out.stderr
    assert asked == "asked of the real network: []"
    assert "socket.__new__" in control
