"""What cannot be virtual is refused in one clear line, at the call, and stays as it is outside."""

import concurrent.futures
import multiprocessing
import multiprocessing.dummy
import multiprocessing.shared_memory
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: subprocess.run(["true"]), "subprocess cannot work in virtual time (in learner): start a process of"),
        (lambda: subprocess.check_output(["true"]), "subprocess cannot work in virtual time"),
        (lambda: multiprocessing.Process(target=print), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.Pool(2), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.Queue(), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.SimpleQueue(), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.Pipe(), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.Lock(), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.Event(), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.Value("i"), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.Manager(), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.get_context("spawn").Queue(), "multiprocessing cannot work in virtual time"),
        (lambda: multiprocessing.shared_memory.SharedMemory(create=True, size=8), "multiprocessing cannot work in"),
        (
            lambda: multiprocessing.dummy.Pool(2),
            "multiprocessing.pool.ThreadPool cannot work in virtual time (in learner): use concurrent.futures.Thread",
        ),
        (lambda: concurrent.futures.ProcessPoolExecutor(), "ProcessPoolExecutor cannot work in virtual time"),
        (lambda: os.fork(), "os.fork cannot work in virtual time"),
        (lambda: os.system("true"), "os.system cannot work in virtual time"),
        (lambda: os.killpg(1, signal.SIGTERM), "os.killpg cannot work in virtual time"),
        (lambda: signal.alarm(1), "signal.alarm cannot work in virtual time (in learner): use threading.Timer"),
        (lambda: signal.setitimer(signal.ITIMER_REAL, 1), "signal.setitimer cannot work in virtual time"),
        (lambda: signal.sigwait([signal.SIGTERM]), "signal.sigwait cannot work in virtual time"),
    ],
)
def test_one_clear_line(kernel, capsys, call, message):
    kernel.spawn(call, name="learner")
    with pytest.raises(NotImplementedError) as refused:
        kernel.advance(1)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert capsys.readouterr().err == ""


def test_outside_they_work():
    assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout.strip() == b"1"
    assert signal.alarm(0) == 0
    assert os.getpid() != 1
    with multiprocessing.dummy.Pool(2) as pool:
        assert pool.map(abs, [-1]) == [1]


ASKS = """
import ctypes.util, platform, sys
sys.path[:0] = [{root!r}]
import lablib
from lablib.kernel import Kernel
kernel = Kernel()
process = kernel.spawn(lambda: (platform.platform(), platform.uname().processor, ctypes.util.find_library("c")))
kernel.advance(1)
assert process.result == (platform.platform(), platform.uname().processor, ctypes.util.find_library("c"))
"""


def test_what_the_standard_library_asks_the_machine_is_answered():
    """`platform` and `ctypes.util` run programs for it; libraries ask as they start. In a fresh interpreter: cached."""
    root = str(Path(__file__).parents[2])
    out = subprocess.run([sys.executable, "-c", ASKS.format(root=root)], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr


def test_a_program_is_alone_on_its_machine(kernel):
    here = platform.node(), os.uname().nodename
    process = kernel.spawn(lambda: (os.getpid(), os.getppid(), os.cpu_count()))
    names = kernel.spawn(lambda: (platform.node(), platform.uname().node, os.uname().nodename), name="worker")
    kernel.advance(1)
    assert process.result == (1, 0, 4)
    assert names.result == ("worker",) * 3
    assert (platform.node(), os.uname().nodename) == here
