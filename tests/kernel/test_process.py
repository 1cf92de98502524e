"""Processes: ordinary functions that block in virtual time."""

import contextvars
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import weakref
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.kernel import Kernel, RealTimeExceeded, Signal, Stuck, interrupt
from lablib.kernel.names import Names


@pytest.fixture
def kernel():
    k = Kernel()
    yield k
    k.close()


def test_processes_take_turns_in_virtual_time(kernel):
    seen = []

    def ticker(name, period):
        while True:
            kernel.sleep(period)
            seen.append((kernel.now, name))

    kernel.spawn(ticker, "a", 2)
    kernel.spawn(ticker, "b", 3)
    kernel.advance(6)
    assert seen == [(2, "a"), (3, "b"), (4, "a"), (6, "b"), (6, "a")]  # b asked for 6 s before a did


def test_a_blocking_call_on_the_main_line_drives_the_others(kernel):
    process = kernel.spawn(lambda: kernel.sleep(3) or "done")
    assert kernel.wait(process.done, timeout=10) is True
    assert (process.result, process.alive, kernel.now) == ("done", False, 3)


def test_wait_says_whether_the_signal_came_or_the_time_was_up(kernel):
    bell = Signal(kernel)
    kernel.after(2, bell.fire)
    assert kernel.wait(bell, timeout=5) is True and kernel.now == 2
    assert kernel.wait(bell, timeout=5) is False and kernel.now == 7


def test_a_signal_wakes_one_or_all_in_the_order_of_their_coming(kernel):
    bell, seen = Signal(kernel), []
    for name in "abcd":
        kernel.spawn(lambda name=name: kernel.wait(bell) and seen.append(name))
    kernel.advance(1)
    assert len(bell) == 4
    assert bell.fire_one()
    kernel.advance(1)
    assert seen == ["a"]
    bell.fire()
    kernel.advance(1)
    assert seen == ["a", "b", "c", "d"]
    assert not bell.fire_one()


def test_a_timeout_at_the_very_instant_of_the_signal_loses_no_wake_up(kernel):
    bell = Signal(kernel)
    kernel.at(5, bell.fire)
    waiter = kernel.spawn(lambda: kernel.wait(bell, timeout=5))
    kernel.run(until=5)
    kernel.advance(1)
    assert waiter.alive is False
    assert len(bell) == 0


def test_an_exception_reaches_the_learner_with_the_learners_line(kernel):
    def consumer():
        kernel.sleep(1)
        raise LookupError("boom")  # the learner's line

    process = kernel.spawn(consumer)
    with pytest.raises(LookupError, match="boom") as caught:
        kernel.advance(5)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].line.endswith("# the learner's line")
    assert kernel.now == 1
    assert process.exception is caught.value and not process.alive


def test_after_an_exception_the_others_go_on(kernel):
    ticks = []

    def ticker():
        while True:
            kernel.sleep(1)
            ticks.append(kernel.now)

    kernel.spawn(ticker)
    kernel.spawn(lambda: kernel.sleep(1.5) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        kernel.advance(4)
    kernel.run(until=4)
    assert ticks == [1, 2, 3, 4]


def test_kill_runs_finally_and_ends_further_waits_at_once(kernel):
    seen = []

    def worker():
        try:
            kernel.sleep(100)
        finally:
            seen.append("finally")
            kernel.sleep(100)
            seen.append("never")

    process = kernel.spawn(worker)
    kernel.advance(1)
    kernel.kill(process)
    kernel.kill(process)
    assert seen == ["finally"] and not process.alive and kernel.now == 1
    kernel.advance(500)
    assert seen == ["finally"]


def test_kill_before_the_first_step_never_runs_the_function(kernel):
    seen = []
    process = kernel.spawn(seen.append, 1)
    kernel.kill(process)
    kernel.advance(1)
    assert seen == [] and not process.alive


def test_a_process_may_kill_another_and_itself(kernel):
    seen = []

    def victim():
        try:
            kernel.sleep(100)
        finally:
            seen.append("victim")

    def killer(target):
        kernel.sleep(1)
        kernel.kill(target)
        seen.append("killer")
        kernel.kill(kernel.current)
        seen.append("never")

    kernel.spawn(killer, kernel.spawn(victim))
    kernel.advance(5)
    assert seen == ["victim", "killer"]
    assert kernel.now == 5


def test_a_callback_may_kill_the_very_process_that_drives_it(kernel):
    seen = []

    def worker():
        try:
            kernel.sleep(10)  # alone, so it drives the loop itself
        finally:
            seen.append(("ended", kernel.now))

    process = kernel.spawn(worker)

    def crash():
        kernel.kill(process)
        seen.append(("the callback went on", kernel.now))

    kernel.at(3, crash)
    kernel.advance(20)
    assert seen == [("the callback went on", 3), ("ended", 3)]
    assert not process.alive and kernel.now == 20


def test_two_processes_may_kill_each_other(kernel):
    """The killed one ends first; its killer ends after it, though it stands in `kill`."""
    seen = []

    def worker(me, other):
        try:
            kernel.sleep(1)
            kernel.kill(processes[other])
            seen.append(f"{me} goes on")
        finally:
            kernel.kill(processes[other])
            seen.append(f"{me} ends")

    processes = [kernel.spawn(worker, 0, 1), kernel.spawn(worker, 1, 0)]
    kernel.advance(5)
    assert seen == ["1 ends", "0 ends"] and kernel.now == 5
    assert not any(process.alive for process in processes)


def test_what_a_callback_kills_may_kill_the_process_that_drives(kernel):
    """The callback goes on, then the process that drove it ends."""
    seen = []

    def driver():
        try:
            kernel.sleep(10)
        finally:
            seen.append(("driver ends", kernel.now))

    def victim():
        try:
            kernel.wait(Signal(kernel))
        finally:
            kernel.kill(processes[1])
            seen.append(("victim ends", kernel.now))

    def crash():
        kernel.kill(processes[0])
        seen.append(("the callback goes on", kernel.now))

    processes = [kernel.spawn(victim), kernel.spawn(driver)]
    kernel.at(3, crash)
    kernel.advance(20)
    assert seen == [("victim ends", 3), ("the callback goes on", 3), ("driver ends", 3)]


@pytest.mark.parametrize("killer", ["process", "callback", "cell"])
def test_an_error_at_the_end_of_a_killed_process_reaches_the_cell_and_its_killer_goes_on(kernel, killer):
    seen = []

    def victim():
        try:
            kernel.sleep(100)
        finally:
            raise ValueError("while it cleaned up")

    def kill():
        kernel.sleep(2)
        kernel.kill(process)
        seen.append(kernel.now)
        kernel.sleep(1)
        seen.append(kernel.now)

    process = kernel.spawn(victim)
    if killer == "process":
        kernel.spawn(kill)
    elif killer == "callback":
        kernel.spawn(lambda: (kernel.sleep(3), seen.append(kernel.now)))  # drives it
        kernel.at(2, lambda: (kernel.kill(process), seen.append(kernel.now)))
    with pytest.raises(ValueError, match="while it cleaned up"):
        kill() if killer == "cell" else kernel.advance(10)
    kernel.run(until=10)
    assert seen == ([] if killer == "cell" else [2, 3])
    assert not process.alive


def test_a_process_of_another_kernel_moves_nothing(kernel):
    other, told = Kernel(), []

    def stranger():
        words = "this call goes to another kernel, but stranger runs in another kernel"
        changes = (lambda: kernel.kill(process), lambda: kernel.spawn(print), lambda: kernel.advance(1))
        for call in (*changes, kernel.step, kernel.close):
            with pytest.raises(RuntimeError, match=words):
                call()
            told.append((process.alive, kernel.closed, list(kernel.processes), kernel.now))

    process = kernel.spawn(kernel.sleep, 5)
    other.spawn(stranger)
    other.advance(1)
    assert told == [(True, False, ["sleep"], 0)] * 5


@pytest.mark.parametrize("seed", range(40))
def test_whoever_kills_whom_nobody_is_lost(seed):
    """Processes and callbacks kill, spawn and ring at random, in their `finally` blocks, too, and some of those fail.
    In the end each process has ended or waits for something; and it is the same story again."""

    def story():
        kernel, dice, processes, rows = Kernel(), Random(seed), [], []
        bells = [Signal(kernel) for _ in range(2)]

        def act():
            chance = dice.random()
            if chance < 0.3 and processes:
                kernel.kill(dice.choice(processes))
            elif chance < 0.45 and len(processes) < 40:
                processes.append(kernel.spawn(body, name=f"p{len(processes)}"))
            elif chance < 0.6:
                kernel.after(dice.choice([0, 0.1, 0.5]), act)
            else:
                dice.choice(bells).fire()

        def body():
            try:
                for _ in range(dice.randrange(1, 6)):
                    act()
                    if dice.random() < 0.5:
                        kernel.sleep(dice.choice([0, 0.1, 1]))
                    else:
                        kernel.wait(dice.choice(bells), dice.choice([0, 0.5, None]))
            finally:
                rows.append((kernel.now, kernel.current.name))
                if dice.random() < 0.2:
                    raise KeyError
                act()

        processes.extend(kernel.spawn(body, name=f"p{n}") for n in range(3))
        while True:
            try:
                kernel.run(until=10)
                break
            except KeyError:
                rows.append((kernel.now, "failed"))
        waiting = {line for bell in bells for line in bell._waiting}
        assert all(process in waiting for process in processes if process.alive)
        kernel.close()
        assert not any(process.alive for process in processes)
        return rows

    assert story() == story()


def test_a_killed_waiter_leaves_the_signal(kernel):
    bell = Signal(kernel)
    process = kernel.spawn(kernel.wait, bell)
    kernel.advance(1)
    kernel.kill(process)
    assert len(bell) == 0


def test_a_process_that_swallows_its_end_cannot_hold_the_run(kernel):
    def stubborn():
        while True:
            try:
                kernel.sleep(1)
            except:  # noqa: E722  the learner's mistake, on purpose
                pass

    process = kernel.spawn(stubborn)
    kernel.advance(3)
    kernel.close()
    assert not process.alive
    gc.collect()


def test_a_process_that_swallows_an_end_of_its_own_making_cannot_either(kernel):
    def stubborn():
        while True:
            try:
                kernel.kill(kernel.current)
            except:  # noqa: E722  the learner's mistake, on purpose
                pass
            try:
                kernel.sleep(1)
            except:  # noqa: E722
                pass

    process = kernel.spawn(stubborn)
    kernel.advance(3)
    assert not process.alive and kernel.now == 3


def test_close_ends_suspended_processes_and_the_kernel(kernel):
    ended = []

    def worker(i):
        try:
            kernel.sleep(1e6)
        finally:
            ended.append(i)

    for i in range(5):
        kernel.spawn(worker, i)
    kernel.advance(1)
    kernel.close()
    assert ended == [0, 1, 2, 3, 4]
    for call in (lambda: kernel.advance(1), lambda: kernel.spawn(print)):
        with pytest.raises(RuntimeError, match="this cloud is closed: make a new Cloud"):
            call()


def test_waiting_for_what_can_never_come_says_who_waits(kernel):
    bell = Signal(kernel)
    kernel.spawn(kernel.wait, bell, name="consumer-1")
    with pytest.raises(Stuck, match="nothing is left to happen after 0 s, and consumer-1 waits for ever"):
        kernel.wait(bell)


def test_a_thousand_processes_started_from_one_another(kernel):
    """Each begins from the main line's stack: begun from one another they would exhaust it."""
    count = []

    def worker(n):
        count.append(n)
        if n < 3000:
            kernel.spawn(worker, n + 1)
        kernel.sleep(1)

    kernel.spawn(worker, 1)
    kernel.advance(5)
    assert len(count) == 3000
    assert not any(p.alive for p in kernel.processes.values())


def test_names_are_unique_among_the_living_and_free_again_after_death(kernel):
    first = kernel.spawn(kernel.sleep, 5, name="consumer")
    second = kernel.spawn(kernel.sleep, 50, name="consumer")
    assert (first.name, second.name) == ("consumer", "consumer-2")
    kernel.advance(10)
    assert kernel.spawn(print, name="consumer").name == "consumer"


@pytest.mark.parametrize("seed", range(20))
def test_a_name_gets_the_lowest_number_that_no_running_process_has(kernel, seed):
    random, alive = Random(seed), {}
    for _ in range(400):
        if alive and random.random() < 0.45:
            kernel.kill(alive.pop(random.choice(sorted(alive))))
            continue
        base = random.choice(["a", "a", "a", "a-2", "a-3", "a-2-2", "a-02", "b"])
        expected = base if base not in alive else next(n for i in count(2) if (n := f"{base}-{i}") not in alive)
        process = kernel.spawn(kernel.sleep, 5, name=base)
        assert process.name == expected
        alive[expected] = process


def test_many_processes_of_one_name_cost_what_as_many_names_cost(kernel):
    """Counted in looks at a name, so that the speed of the machine does not matter."""
    looks, look = [], kernel._is_taken
    kernel._names = Names(lambda name: looks.append(name) or look(name))
    processes = [kernel.spawn(kernel.sleep, 5, name="visitor") for _ in range(3000)]
    for process in processes[::3]:
        kernel.kill(process)
    assert [kernel.spawn(kernel.sleep, 5, name="visitor").name for _ in range(3)] == [
        "visitor",
        "visitor-4",
        "visitor-7",
    ]
    assert len(looks) < 2.1 * 3000


def test_spawning_the_result_of_a_call_is_explained(kernel):
    with pytest.raises(TypeError, match="fn=None: must be a function; pass the function itself, without calling it"):
        kernel.spawn(print("called too early"))


def test_context_variables_are_copied_at_spawn(kernel):
    where = contextvars.ContextVar("where", default="nowhere")
    seen = []

    def worker():
        kernel.sleep(1)
        seen.append(where.get())
        where.set("changed inside")

    where.set("cell 1")
    kernel.spawn(worker)
    where.set("cell 2")
    kernel.advance(2)
    assert seen == ["cell 1"] and where.get() == "cell 2"


def test_processes_one_after_the_other_run_on_one_stack_and_share_nothing_on_it(kernel):
    where, seen, stacks = contextvars.ContextVar("where", default="nowhere"), [], set()

    def worker(number):
        stacks.add(kernel.current.greenlet)
        seen.append((where.get(), sys.exc_info()[0]))
        where.set("inside")
        try:
            raise ValueError(number)
        except ValueError:
            kernel.sleep(0.5)
            assert number % 4

    for number in range(1, 10):
        where.set(number)
        kernel.spawn(worker, number)
        if number % 4:
            kernel.advance(1)
        else:
            with pytest.raises(AssertionError):
                kernel.advance(1)
    assert seen == [(number, None) for number in range(1, 10)] and len(stacks) == 1


def test_a_process_has_no_dictionary_that_python_makes_when_an_attribute_is_set(kernel):
    """CPython 3.11 collects garbage in the middle of that. A finalizer that takes a lock sets an attribute of the same
    process then, the process gets two dictionaries, and memory is freed twice (seen as a segmentation fault)."""
    process = kernel.spawn(threading.Lock)
    assert not hasattr(process, "__dict__")
    with pytest.raises(AttributeError):
        process.anything_else = 1


def test_whoever_drops_a_kernel_whose_processes_have_ended_drops_all_of_it():
    kernel = Kernel()
    for _ in range(3):
        kernel.spawn(lambda k=kernel: k.spawn(k.sleep, 1))
    kernel.advance(2)
    gone = weakref.ref(kernel)
    del kernel
    gc.collect()
    assert gone() is None


def test_two_kernels_live_side_by_side_and_inside_one_another(kernel):
    def outer():
        inner = Kernel()
        inner.spawn(inner.sleep, 7)
        inner.advance(10)
        kernel.sleep(1)
        inner.advance(10)
        inner.close()
        return inner.now

    process = kernel.spawn(outer)
    kernel.advance(5)
    assert process.result == 20 and kernel.now == 5


def test_a_kernel_belongs_to_its_thread(kernel):
    problems = []

    def elsewhere():
        try:
            kernel.advance(1)
        except RuntimeError as error:
            problems.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert problems == ["this cloud belongs to another thread: make a Cloud in the thread that uses it"]


def test_step_runs_a_process_to_its_next_wait(kernel):
    seen = []

    def worker():
        seen.append("begin")
        kernel.sleep(1)
        seen.append("end")

    kernel.spawn(worker)
    kernel.spawn(lambda: kernel.step(), name="forbidden")
    kernel.step()
    assert seen == ["begin"]
    with pytest.raises(RuntimeError, match="step"):
        kernel.step()
    kernel.step()
    assert seen == ["begin", "end"] and not kernel.step()


def test_patience_ends_code_that_never_waits():
    def hang():
        while True:
            pass

    kernel = Kernel()
    kernel.spawn(hang)
    with pytest.raises(RealTimeExceeded), kernel.real_time_limit(0.2):
        kernel.advance(1)
    kernel.close()
    with kernel.real_time_limit(5):
        pass
    time.sleep(0)  # nothing is thrown afterwards


def test_patience_ends_code_that_swallows_everything():
    def hang():
        while True:
            try:
                sum(range(100))
            except:  # noqa: E722
                pass

    kernel = Kernel()
    kernel.spawn(hang)
    with pytest.raises(RealTimeExceeded), kernel.real_time_limit(0.1):
        kernel.advance(1)
    kernel.close()


@given(st.data())
def test_any_mix_of_sleeps_ends_when_it_should(data):
    plans = data.draw(st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=8))
    kernel, ends = Kernel(), {}

    def worker(i, plan):
        for pause in plan:
            kernel.sleep(pause)
        ends[i] = kernel.now

    for i, plan in enumerate(plans):
        kernel.spawn(worker, i, plan)
    kernel.advance(100)
    assert ends == {i: sum(plan) for i, plan in enumerate(plans)}
    kernel.close()


INTERRUPTED = """
import os, signal, threading, time
import lablib
from lablib.kernel import Kernel, stdlib
kernel = Kernel()
def consumer():
    while True:
        {body}
kernel.spawn(consumer, name="consumer-1")
ticks = []
def ticker():
    while True:
        kernel.sleep(1); ticks.append(kernel.now)
kernel.spawn(ticker)
threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    kernel.advance(1e12)
    print("not interrupted")
except KeyboardInterrupt as error:
    print(str(error)[:14], getattr(error, "__notes__", ""))
before = kernel.now
kernel.advance(5)
print(kernel.now - before, len(ticks) >= 5, kernel.processes["consumer-1"].alive)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def run_python(code):
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_interrupting_a_run_that_never_ends_leaves_the_cloud_whole():
    out = run_python(INTERRUPTED.format(body="kernel.sleep(0.5)"))
    assert out.splitlines() == ["stopped at " + out[11:14] + " ", "5.0 True True"]


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_interrupting_a_process_that_never_waits_ends_it_and_says_so():
    body = "x = 0\n        while kernel.now == 0: x += 1\n        kernel.sleep(1)"
    out = run_python(INTERRUPTED.format(body=body))
    assert "Interrupted at 0 s in consumer-1, which has ended; the others can go on." in out
    assert out.splitlines()[-1] == "5.0 True False"


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_one_interrupt_ends_a_process_also_when_python_ignores_the_exception_where_it_arrives():
    """Python prints what a `__del__` raises, and goes on: the stop must come again."""
    kind = """
from lablib.kernel.stdlib.clocks import real_perf_counter
class Thing:
    busy_until = None
    def __del__(self):
        Thing.busy_until = Thing.busy_until or real_perf_counter() + 1.5
        while real_perf_counter() < Thing.busy_until: pass
"""
    out = run_python(INTERRUPTED.format(body="Thing()").replace("def consumer", kind + "def consumer"))
    assert out.splitlines()[-1] == "5.0 True False"


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
@pytest.mark.parametrize("body", ["time.sleep(0)", "kernel.now", "open('/dev/null').close()"])
def test_it_is_said_once_that_a_process_never_waits_and_how_to_end_it(body):
    code = INTERRUPTED.format(body=body).replace("kernel = Kernel()", "kernel = Kernel()\nimport sys\n" + UNTIL_TOLD)
    code = code.replace("threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()", "")
    code = code[: code.index("before = ")]
    out = run_python(code)
    told = "lablib: real time passes, and it is still 0 s in the cloud: consumer-1 never waits."
    assert out.splitlines()[0].startswith(told) and "Ctrl-C" in out.splitlines()[0]
    assert out.count("lablib: ") == 1 and "not interrupted" not in out


UNTIL_TOLD = """
from lablib.kernel import interrupt
interrupt.LOOK = 0.1
class Told:
    said = False
    def write(self, text):
        os.write(1, text.encode())
        if not self.said and "Ctrl-C" in text:
            self.said = True
            threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    def flush(self): pass
sys.stderr = Told()
"""


def test_nobody_is_watched_between_two_drives_and_a_kernel_in_a_kernel_gives_back_the_place(kernel):
    driving = interrupt._watch.driving
    seen = []

    def inside():
        other = Kernel()
        other.spawn(lambda: seen.append(len(driving)))
        other.advance(1)
        seen.append(list(driving.values()))

    kernel.spawn(inside)
    assert driving == {}
    kernel.advance(1)
    assert seen[0] == 1 and [line.now() for line in seen[1]] == [kernel.now]
    assert driving == {}


def test_the_real_signal_handler_is_back_after_every_wait(kernel):
    before = signal.getsignal(signal.SIGINT)
    kernel.advance(1)
    assert signal.getsignal(signal.SIGINT) is before
