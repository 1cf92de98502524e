"""Hands: many short jobs at the same time, without a process for each."""

import pytest

from lablib.actors.producers import Hands
from lablib.kernel import Kernel


def play(do):
    """Start a job at 0, 1, 2, ... seconds; job n takes `lengths[n]` seconds. Who did what, from when to when."""
    kernel, seen = Kernel(), []
    lengths = [2.5, 0.0, 3.0, 1.0, 1.0, 0.5]

    def job(n):
        def work():
            began = kernel.now
            kernel.sleep(lengths[n])
            seen.append((n, kernel.current_name("main line"), began, kernel.now))

        return work

    start = do(kernel)
    for n in range(len(lengths)):
        kernel.at(float(n), start, job(n))
    kernel.run(20.0)
    spawned = len(kernel.processes)
    kernel.close()
    return seen, spawned


def test_jobs_run_as_if_each_had_a_process_of_its_own():
    alone, _ = play(lambda kernel: lambda job: kernel.spawn(job, name="hand"))
    pooled, processes = play(lambda kernel: Hands(kernel, "hand").do)
    assert pooled == alone
    assert processes == 3  # never more than three jobs at a time


def test_an_exception_in_a_job_reaches_the_main_line_and_the_others_go_on():
    kernel = Kernel()
    hands, done = Hands(kernel, "hand"), []
    hands.do(lambda: 1 / 0)
    hands.do(lambda: done.append(kernel.now))
    with pytest.raises(ZeroDivisionError):
        kernel.run(1.0)
    kernel.run(1.0)
    hands.do(lambda: done.append(kernel.now))
    kernel.run(2.0)
    assert done == [0.0, 1.0]
    kernel.close()
