"""The `time` module: virtual inside a process, real everywhere else."""

import subprocess
import sys
import threading
import time

import pytest

from lablib.kernel import Kernel, stdlib


@pytest.fixture
def kernel():
    k = Kernel()
    yield k
    k.close()


def test_inside_a_process_the_clocks_are_virtual(kernel):
    seen = {}

    def process():
        began = time.time(), time.monotonic(), time.perf_counter(), time.time_ns(), time.monotonic_ns()
        time.sleep(86400.5)
        ended = time.time(), time.monotonic(), time.perf_counter(), time.time_ns(), time.monotonic_ns()
        seen["passed"] = [b - a for a, b in zip(began, ended, strict=True)]
        seen["began"] = began[0]

    real = stdlib.clocks.real_perf_counter()
    kernel.run_process = kernel.spawn(process)
    kernel.advance(100_000)
    assert stdlib.clocks.real_perf_counter() - real < 5
    assert seen["passed"] == [86400.5, 86400.5, 86400.5, 86_400_500_000_000, 86_400_500_000_000]
    assert time.gmtime(seen["began"])[:3] == (2023, 4, 1)


def test_a_name_imported_from_time_works_too(kernel):
    from time import sleep

    kernel.spawn(sleep, 30)
    kernel.advance(60)
    assert kernel.now == 60


def test_outside_a_process_time_is_real(kernel):
    kernel.advance(1000)
    began = time.perf_counter()
    time.sleep(0.02)
    assert 0.015 < time.perf_counter() - began < 5
    assert abs(time.time() - time.time_ns() / 1e9) < 5


def test_background_threads_keep_real_time_while_a_run_lasts(kernel):
    slept = []

    def background():
        began = stdlib.clocks.real_perf_counter()
        time.sleep(0.05)
        slept.append(stdlib.clocks.real_perf_counter() - began)

    thread = threading.Thread(target=background)

    def process():
        time.sleep(1e6)

    kernel.spawn(process)
    thread.start()
    kernel.advance(2e6)
    thread.join()
    assert 0.04 < slept[0] < 5


def test_a_long_sleep_at_the_top_of_a_cell_says_what_to_use_instead():
    code = "import lablib, time; time.sleep(0.01); time.sleep(2)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stderr.count("cloud.advance(2) lets virtual time pass") == 1
    assert "0.01" not in out.stderr


def test_negative_sleep_is_the_standard_error(kernel):
    kernel.spawn(time.sleep, -1)
    with pytest.raises(ValueError, match="sleep length must be non-negative"):
        kernel.advance(1)


def test_installing_twice_changes_nothing():
    before = time.sleep, time.time
    stdlib.install()
    assert (time.sleep, time.time) == before
