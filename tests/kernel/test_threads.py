"""threading, queue, sched and ThreadPoolExecutor inside a process: Python's own behaviour, in virtual time.

What a test expects of a primitive is what the Python documentation says of it; that is not repeated here.
"""

import atexit
import gc
import logging
import os
import queue
import random
import sched
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor, as_completed, wait

import pytest

import lablib  # noqa: F401  before the locks of these tests are made
from lablib.kernel import Chance, Kernel, RealTimeExceeded, Stuck
from lablib.kernel.stdlib.clocks import real_perf_counter


def run(kernel, fn, *args, seconds=1000.0, name="program"):
    """Run fn as a program, and return what it returned."""
    process = kernel.spawn(fn, *args, name=name)
    kernel.advance(seconds)
    assert not process.alive
    return process.result


# ---- threads ---------------------------------------------------------------------------------------------------------


def test_a_thread_is_a_process_of_its_own_named_after_it(kernel):
    seen = []

    def worker(n):
        time.sleep(n)
        seen.append((time.monotonic(), kernel.current.name, threading.current_thread().name, n))

    def program():
        threads = [threading.Thread(target=worker, args=(n,), name=f"worker-{n}") for n in (3, 1)]
        for thread in threads:
            thread.start()
        alive = [t.name for t in threading.enumerate()], threading.active_count()
        for thread in threads:
            thread.join()
        return alive, [t.is_alive() for t in threads], time.monotonic()

    assert run(kernel, program) == ((["program", "worker-3", "worker-1"], 3), [False, False], 3.0)
    assert seen == [(1.0, "program/worker-1", "worker-1", 1), (3.0, "program/worker-3", "worker-3", 3)]


def test_who_one_is(kernel):
    def program():
        main = threading.current_thread()
        inside = []
        thread = threading.Thread(
            target=lambda: inside.extend([threading.current_thread(), threading.main_thread(), threading.get_ident()])
        )
        thread.start()
        thread.join()
        assert inside == [thread, main, thread.ident]
        assert main is threading.main_thread()
        assert main.ident == threading.get_ident() != thread.ident
        return main.name, thread.name

    outside = threading.current_thread(), threading.get_ident(), threading.active_count()
    name, thread = run(kernel, program)
    assert name == "program"
    assert thread == "Thread-1 (<lambda>)"
    assert (threading.current_thread(), threading.get_ident(), threading.active_count()) == outside


def test_numbers_in_names_count_within_the_program(kernel):
    """Global counters would differ between two runs in one interpreter, and names are actors of the trace."""

    def program():
        threads = [threading.Thread(target=time.sleep, args=(1,)) for _ in range(2)]
        with ThreadPoolExecutor(1) as pool:
            worker = pool.submit(lambda: threading.current_thread().name).result()
        return [t.name for t in threads] + [worker]

    expected = ["Thread-1 (sleep)", "Thread-2 (sleep)", "ThreadPoolExecutor-0_0"]
    assert run(kernel, program) == run(kernel, program, name="other") == expected


def test_a_program_ends_when_its_threads_have_ended_that_are_no_daemons(kernel):
    log = []

    def daemon():
        try:
            time.sleep(100)
        finally:
            log.append((kernel.now, "daemon ends"))

    def worker():
        time.sleep(5)
        log.append((kernel.now, "worker ends"))

    def program():
        threading.Thread(target=daemon, daemon=True).start()
        threading.Thread(target=worker).start()

    process = kernel.spawn(program)
    kernel.advance(4)
    assert process.alive
    kernel.advance(100)
    assert log == [(5.0, "worker ends"), (5.0, "daemon ends")]
    assert not any(p.alive for p in kernel.processes.values())


def test_killing_a_program_kills_its_threads_in_the_order_in_which_they_began(kernel):
    ended = []

    def sleeper(name):
        try:
            time.sleep(100)
        finally:
            ended.append(name)

    def program():
        for name in ("b", "a"):
            threading.Thread(target=sleeper, args=(name,)).start()
        sleeper("main")

    process = kernel.spawn(program)
    kernel.advance(1)
    kernel.kill(process)
    assert ended == ["main", "b", "a"]
    assert not kernel.step(), "nothing is left to happen"


def test_an_error_in_a_thread_is_printed_and_the_others_go_on(kernel, monkeypatch):
    told, failures = [], []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append((args.exc_type, args.thread.name)))
    kernel.on_event = lambda kind, actor, other, detail: failures.append((kind, actor, detail))

    def program():
        threading.Thread(target=lambda: 1 / 0, name="faulty").start()
        threading.Thread(target=sys.exit, name="quiet").start()
        time.sleep(1)
        return "went on"

    assert run(kernel, program) == "went on"
    assert told == [(ZeroDivisionError, "faulty")]
    assert failures == [("ThreadFailed", "program/faulty", "ZeroDivisionError: division by zero")]


def test_an_error_in_the_main_thread_ends_its_threads_and_reaches_the_cell(kernel):
    def program():
        threading.Thread(target=time.sleep, args=(100,)).start()
        time.sleep(1)
        raise LookupError("lost")

    kernel.spawn(program)
    with pytest.raises(LookupError, match="lost"):
        kernel.advance(10)
    assert not any(p.alive for p in kernel.processes.values())


def test_a_program_that_asks_to_exit_waits_for_its_threads(kernel):
    """As Python does: `sys.exit(main())` is how programs end."""
    log = []

    def worker():
        time.sleep(5)
        log.append((time.monotonic(), "worker ends"))

    def program():
        threading.Thread(target=worker).start()
        sys.exit(0)

    kernel.spawn(program)
    with pytest.raises(SystemExit):
        kernel.advance(10)
    assert log == [(5.0, "worker ends")]


@pytest.mark.parametrize("how", ["returns", "exits"])
def test_what_is_registered_for_the_end_is_called_after_the_threads(kernel, capsys, how):
    log = []

    def note(*words):
        time.sleep(1)
        log.append((time.monotonic(), *words))

    def program():
        threading.Thread(target=note, args=("thread",)).start()
        atexit.register(note, "first")
        atexit.register(note, "third")
        atexit.register(lambda: 1 / 0)
        atexit.register(note, "second", "word")
        atexit.register(note, "last")
        atexit.register(print)
        atexit.unregister(print)
        if how == "exits":
            sys.exit()

    def other():
        pass

    kernel.spawn(other)
    kernel.spawn(program)
    if how == "exits":
        with pytest.raises(SystemExit):
            kernel.advance(100)
    else:
        kernel.advance(100)
    assert log[0] == (1.0, "thread") and log[2] == (3.0, "second", "word") and len(log) == 5
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_what_a_killed_program_registered_is_not_called(kernel):
    log = []

    def program():
        atexit.register(log.append, "called")
        time.sleep(100)

    process = kernel.spawn(program)
    kernel.advance(1)
    kernel.kill(process)
    assert log == []


def test_what_the_standard_library_registers_stays_with_the_interpreter(kernel):
    """A temporary folder's finalizer registers itself: of all folders, the notebook's as well."""
    outside = tempfile.TemporaryDirectory()
    kernel.spawn(lambda: tempfile.TemporaryDirectory().name)
    kernel.advance(1)
    assert os.path.isdir(outside.name)
    outside.cleanup()


def test_the_rules_of_start_and_join(kernel):
    def program():
        thread = threading.Thread(target=time.sleep, args=(5,))
        with pytest.raises(RuntimeError, match="cannot join thread before it is started"):
            thread.join()
        thread.start()
        with pytest.raises(RuntimeError, match="threads can only be started once"):
            thread.start()
        with pytest.raises(RuntimeError, match="cannot join current thread"):
            threading.current_thread().join()
        thread.join(1)
        return thread.is_alive(), time.monotonic()

    alive, now = run(kernel, program)
    assert alive
    assert now == pytest.approx(1, abs=1e-3)


def test_a_cell_may_join_a_thread_of_a_program(kernel):
    threads = []

    def program():
        threads.append(threading.Thread(target=time.sleep, args=(7,)))
        threads[0].start()

    kernel.spawn(program)
    kernel.advance(0)
    threads[0].join()
    assert kernel.now == 7


def test_threading_local_is_each_threads_own(kernel):
    mine = threading.local()  # made outside

    def worker(n):
        mine.n = n
        time.sleep(1)
        return mine.n

    def program():
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(worker, range(3)))
        return found, hasattr(mine, "n")

    assert run(kernel, program) == ([0, 1, 2], False)
    assert not hasattr(mine, "n")


def test_a_subclass_of_local_is_initialized_in_each_thread(kernel):
    class Mine(threading.local):
        def __init__(self, start):
            self.n = start

        def up(self):
            self.n += 1
            return self.n

    mine = Mine(5)
    mine.up()

    def worker():
        mine.up()
        time.sleep(1)
        return mine.up()

    def program():
        with ThreadPoolExecutor(2) as pool:
            return [f.result() for f in [pool.submit(worker) for _ in range(2)]]

    assert run(kernel, program) == [7, 7]
    assert mine.n == 6
    with pytest.raises(TypeError, match="Initialization arguments are not supported"):
        threading.local(1)


def test_a_timer_runs_after_its_interval_or_never(kernel):
    called = []

    def program():
        timers = [threading.Timer(n, lambda n=n: called.append((n, kernel.now))) for n in (5, 6)]
        for timer in timers:
            timer.start()
        timers[1].cancel()

    run(kernel, program)
    assert [n for n, _ in called] == [5]
    assert called[0][1] == pytest.approx(5, abs=1e-3)


# ---- locks -----------------------------------------------------------------------------------------------------------


def test_a_lock_goes_to_whoever_has_waited_longest(kernel):
    lock, order = threading.Lock(), []  # made outside, used inside

    def worker(n):
        time.sleep(n / 10)
        with lock:
            order.append((n, kernel.now))
            time.sleep(1)

    for n in (2, 0, 1):
        kernel.spawn(worker, n)
    kernel.advance(10)
    assert order == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert not lock.locked()


def test_an_rlock_excludes_others_and_not_its_owner(kernel):
    lock, order = threading.RLock(), []

    def worker(n):
        with lock, lock:
            time.sleep(1)
            order.append((n, kernel.now))

    kernel.spawn(worker, 1)
    kernel.spawn(worker, 2)
    kernel.advance(10)
    assert order == [(1, 1.0), (2, 2.0)]
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        lock.release()


def test_a_lock_waits_so_long_and_no_longer(kernel):
    lock = threading.Lock()

    def program():
        with lock:
            thread = threading.Thread(target=lambda: found.extend([lock.acquire(False), lock.acquire(timeout=2)]))
            thread.start()
            thread.join()
            return time.monotonic()

    found = []
    assert run(kernel, program) == pytest.approx(2, abs=1e-3)
    assert found == [False, False]


@pytest.mark.parametrize("victim", ["holder", "waiter", "next"])
def test_whoever_is_killed_a_lock_goes_on(kernel, victim):
    lock, order = threading.Lock(), []

    def worker(name):
        with lock:
            order.append(name)
            time.sleep(1)

    for name in ("holder", "next", "waiter", "last"):
        kernel.spawn(worker, name, name=name)
    kernel.advance(0.5)
    kernel.kill(kernel.processes[victim])
    kernel.advance(10)
    assert order == [n for n in ("holder", "next", "waiter", "last") if n != victim or n == "holder"]
    assert not lock.locked()


def test_one_killed_when_it_was_just_handed_the_lock_passes_it_on(kernel):
    lock, order = threading.Lock(), []

    def holder():
        lock.acquire()
        time.sleep(1)
        lock.release()  # hands it to "next", which has not gone on yet
        kernel.kill(kernel.processes["next"])

    def waiter(name):
        with lock:
            order.append(name)

    kernel.spawn(holder)
    kernel.spawn(waiter, "next", name="next")
    kernel.spawn(waiter, "last", name="last")
    kernel.advance(10)
    assert order == ["last"]
    assert not lock.locked()


def test_a_timeout_at_the_instant_of_the_release_gets_the_lock(kernel):
    lock = threading.Lock()

    def holder():
        with lock:
            time.sleep(1)

    def waiter():
        return lock.acquire(timeout=1)

    kernel.spawn(holder)
    assert run(kernel, waiter)


def test_the_rules_of_locks_are_pythons(kernel):
    import copy
    import pickle

    def program():
        lock = threading.Lock()
        for broken in (
            lambda: lock.acquire(False, 1),
            lambda: lock.acquire(True, -2),
        ):
            lock.acquire()
            with pytest.raises(ValueError, match="timeout"):
                broken()
            lock.release()
        with pytest.raises(RuntimeError, match="release unlocked lock"):
            lock.release()
        for broken in (pickle.dumps, copy.copy):
            with pytest.raises(TypeError, match=r"cannot pickle '_thread.lock' object"):
                broken(lock)

    run(kernel, program)
    program()


def test_a_cell_that_waits_for_a_process_lets_it_go_on(kernel):
    lock = threading.Lock()

    def holder():
        with lock:
            time.sleep(5)

    kernel.spawn(holder)
    kernel.advance(1)
    with lock:
        assert kernel.now == 5


def test_two_clouds_do_not_wait_for_one_lock(kernel):
    other, lock = Kernel(), threading.Lock()

    def holder():
        with lock:
            time.sleep(5)

    def waiter():
        with lock:
            pass

    kernel.spawn(holder)
    kernel.spawn(waiter)
    kernel.advance(1)
    other.spawn(waiter)
    with pytest.raises(RuntimeError, match="processes of two clouds wait for the same lock"):
        other.advance(1)
    other.close()


def test_a_real_thread_and_a_process_share_a_lock_that_the_thread_holds(kernel):
    lock, taken, release = threading.Lock(), threading.Event(), threading.Event()

    def background():
        with lock:
            taken.set()
            release.wait()

    thread = threading.Thread(target=background)
    thread.start()
    taken.wait()
    threading.Timer(0.05, release.set).start()

    def program():
        with lock:
            return time.monotonic()

    assert run(kernel, program) == 0.0
    thread.join()


def test_condition_event_semaphore_and_barrier(kernel):
    log = []

    def program():
        barrier, two, done = threading.Barrier(3), threading.BoundedSemaphore(2), threading.Event()

        def worker(n):
            time.sleep(n)
            barrier.wait()
            with two:
                time.sleep(1)
                log.append((n, kernel.now))
            done.wait()

        threads = [threading.Thread(target=worker, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        timed_out = done.wait(1)
        time.sleep(9)
        done.set()
        for thread in threads:
            thread.join()
        return timed_out

    assert run(kernel, program) is False
    assert [t for _, t in log] == [3.0, 3.0, 4.0]
    assert not any(p.alive for p in kernel.processes.values())


# ---- queues ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [queue.Queue, queue.LifoQueue, queue.PriorityQueue, queue.SimpleQueue])
def test_a_queue_made_in_a_cell_is_used_by_processes_and_read_in_the_cell(kernel, make):
    work, results = make(), make()

    def consumer():
        while (item := work.get()) is not None and item >= 0:
            time.sleep(1)
            results.put((kernel.now, item))

    kernel.spawn(consumer)
    kernel.advance(1)
    work.put(7)
    kernel.advance(5)
    assert results.get() == (2.0, 7)
    assert results.empty()


@pytest.mark.parametrize("make", [queue.Queue, queue.SimpleQueue])
def test_a_queue_waits_so_long_and_no_longer(kernel, make):
    def program():
        q = make()
        with pytest.raises(queue.Empty):
            q.get_nowait()
        with pytest.raises(queue.Empty):
            q.get(timeout=2)
        with pytest.raises(ValueError, match="timeout"):
            q.get(timeout=-1)
        return time.monotonic()

    assert run(kernel, program) == pytest.approx(2, abs=1e-3)


def test_a_full_queue_holds_the_producer_back(kernel):
    def program():
        q, sent = queue.Queue(maxsize=2), []

        def consumer():
            for _ in range(4):
                time.sleep(1)
                q.get()
                q.task_done()

        threading.Thread(target=consumer).start()
        for i in range(4):
            q.put(i)
            sent.append(time.monotonic())
        q.join()
        return sent, time.monotonic()

    assert run(kernel, program) == ([0.0, 0.0, 1.0, 2.0], 4.0)


# ---- pools -----------------------------------------------------------------------------------------------------------


def test_a_pool_works_side_by_side(kernel):
    def program():
        with ThreadPoolExecutor(4, thread_name_prefix="worker") as pool:
            futures = [pool.submit(lambda n: time.sleep(n) or n, n) for n in (3, 1, 2)]
            done = [f.result() for f in as_completed(futures)]
            finished, pending = wait([pool.submit(time.sleep, 5)], timeout=1)
        return done, len(finished), len(pending), time.monotonic()

    assert run(kernel, program) == ([1, 2, 3], 0, 1, 8.0)
    assert list(kernel.processes) == ["program"]


def test_sets_of_futures_have_the_same_order_in_every_run():
    """`wait` returns sets, `as_completed` keeps them; in the order of addresses no two runs would be alike."""

    def program():
        with ThreadPoolExecutor(8) as pool:
            futures = {}
            for n in range(40):
                litter.append(bytearray(random.randrange(3000)))  # another address for the next future
                futures[pool.submit(time.sleep, 1)] = n
            time.sleep(100)
            return [futures[f] for f in as_completed(futures)], [futures[f] for f in wait(futures).done]

    litter = []
    results = [run(Kernel(Chance(seed)), program) for seed in (1, 2, 3)]
    assert results[0] == results[1] == results[2]
    assert sorted(results[0][0]) == list(range(40))


def test_a_set_of_threads_has_the_same_order_in_every_run(kernel):
    def program():
        threads = {threading.Thread(target=time.sleep, args=(1,), name=str(n)) for n in range(40)}
        return [thread.name for thread in threads]

    assert run(kernel, program) == run(Kernel(), program)
    assert len({threading.Thread(), threading.current_thread()}) == 2  # and outside


def test_an_error_in_a_pool_reaches_whoever_asks_for_the_result(kernel):
    def program():
        with ThreadPoolExecutor(1) as pool:
            return type(pool.submit(lambda: 1 / 0).exception())

    assert run(kernel, program) is ZeroDivisionError


def test_a_program_ends_though_nobody_shuts_its_pool_down(kernel, caplog):
    def program():
        pool = ThreadPoolExecutor(2)
        pool.submit(time.sleep, 3)
        kept.append(pool)

    kept = []
    run(kernel, program)
    assert not any(p.alive for p in kernel.processes.values())
    with pytest.raises(RuntimeError, match="make another one outside of processes"):
        kept[0].submit(print)
    assert caplog.records == []


def test_killed_workers_of_a_pool_leave_nothing_in_the_log(kernel, caplog):
    def program():
        with ThreadPoolExecutor(2) as pool:
            pool.submit(time.sleep, 100)
            pool.submit(time.sleep, 100)

    process = kernel.spawn(program)
    with caplog.at_level(logging.DEBUG):
        kernel.advance(1)
        kernel.kill(process)
    assert caplog.records == []


def test_a_pool_is_of_one_kind(kernel):
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(threading.current_thread).result() is not threading.current_thread()
        kernel.spawn(pool.submit, print)
        with pytest.raises(RuntimeError, match=r"are real: make another one inside the process"):
            kernel.advance(1)


def test_sched(kernel):
    def program():
        log, s = [], sched.scheduler()
        s.enter(10, 1, lambda: log.append(time.monotonic()))
        s.enter(5, 1, lambda: log.append(time.monotonic()))
        s.run()
        return log

    assert run(kernel, program) == [5.0, 10.0]


# ---- what would never end --------------------------------------------------------------------------------------------


def test_a_timed_wait_is_over_when_its_deadline_has_passed(kernel):
    """stomp.py's heartbeat waits until its deadline and then asks `now > deadline`; woken exactly at it, for ever."""

    def program():
        condition, deadline, rounds = threading.Condition(), time.monotonic() + 3, 0
        with condition:
            while not time.monotonic() > deadline:
                condition.wait(deadline - time.monotonic())
                rounds += 1
        return rounds

    assert run(kernel, program) < 5


@pytest.mark.parametrize("look", ["clock", "get_nowait", "acquire", "is_set", "is_alive", "done"])
def test_a_busy_wait_ends(kernel, look):
    q, lock, event = queue.Queue(), threading.Lock(), threading.Event()

    def program():
        thread = threading.Thread(target=time.sleep, args=(1,))
        thread.start()
        pool = ThreadPoolExecutor(1)
        future = pool.submit(time.sleep, 1)

        def hold():
            with lock:
                time.sleep(1)

        timers = [threading.Timer(1, q.put, (1,)), threading.Timer(1, event.set)]
        for timer in timers:
            timer.start()
        threading.Thread(target=hold).start()
        time.sleep(0.5)
        while not {
            "clock": lambda: time.time() % 10 >= 1,
            "get_nowait": lambda: not q.empty() and q.get_nowait(),
            "acquire": lambda: lock.acquire(False),
            "is_set": event.is_set,
            "is_alive": lambda: not thread.is_alive(),
            "done": future.done,
        }[look]():
            pass
        return time.monotonic()

    assert 1 <= run(kernel, program) < 1.01


def test_a_loop_that_looks_at_nothing_is_ended_by_patience(kernel):
    def program():
        while True:
            pass

    kernel.spawn(program)
    with pytest.raises(RealTimeExceeded), kernel.real_time_limit(0.2):
        kernel.advance(1)


def test_waiting_for_what_cannot_happen_is_said(kernel):
    kernel.spawn(threading.Event().wait, name="waiter")
    kernel.spawn(threading.Lock().acquire)
    with pytest.raises(Stuck, match="waiter waits for ever"):
        kernel.wait()


# ---- the real world --------------------------------------------------------------------------------------------------


def test_threads_that_are_started_outside_are_real(kernel):
    began, seen = real_perf_counter(), []

    def background():
        time.sleep(0.02)
        seen.append(threading.current_thread().name)

    thread = threading.Thread(target=background, name="real")
    thread.start()
    thread.join()
    assert seen == ["real"]
    assert real_perf_counter() - began > 0.015
    assert isinstance(threading.Thread(target=print), threading.Thread)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda x: x * x, range(4))) == [0, 1, 4, 9]


def python(code):
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    return out.stdout + out.stderr


def test_the_interpreter_ends_with_threads_and_pools_unfinished():
    """Python waits at its end for threads that are no daemons and for workers of pools; not for those of processes."""
    code = """
import threading, time, lablib
from concurrent.futures import ThreadPoolExecutor
from lablib import Cloud
cloud = Cloud()
def program():
    threading.Thread(target=time.sleep, args=(1e6,)).start()
    ThreadPoolExecutor(2).submit(time.sleep, 1e6).result()
cloud.spawn(program)
cloud.advance(1)
real = ThreadPoolExecutor(1).submit(time.sleep, 0.01)
print("last line")
"""
    assert python(code) == "last line\n"


def test_the_order_of_imports_does_not_matter():
    code = """
import sys
import tempfile
from time import sleep, monotonic
from queue import SimpleQueue, Queue
from threading import Lock, Thread, current_thread, get_ident
import lablib
from lablib.kernel import Chance, Kernel
k = Kernel()
def program():
    q = Queue()
    t = Thread(target=lambda: (sleep(5), q.put(1)))
    t.start()
    print(current_thread().name, q.get(timeout=10), monotonic(), type(SimpleQueue()).__module__.split(".")[0])
k.spawn(program)
k.advance(10)
"""
    assert python(code) == "program 1 5.0 lablib\n"


def test_nothing_is_imported_to_be_patched():
    heavy = ("asyncio", "concurrent.futures", "datetime", "logging", "queue", "select", "socket", "ssl", "uuid")
    code = f"import sys, lablib; print([m for m in {heavy!r} if m in sys.modules])"
    assert python(code) == "[]\n"


def test_a_lock_that_outlives_a_kernel_holds_nothing_of_it():
    """A lock of a module, or of functools.cached_property in Python 3.11, is there for ever."""
    lock, kernel = threading.Lock(), Kernel()

    def worker():
        with lock:
            time.sleep(1)

    for name in ("a", "b"):
        kernel.spawn(worker, name=name)
    kernel.advance(5)
    kernel.close()
    gone = weakref.ref(kernel)
    del kernel, worker
    gc.collect()
    assert gone() is None
    assert not lock.locked()
