"""Signals that a program sends to itself (library reference, `signal`: "Execution of Python signal handlers")."""

import _thread
import os
import signal
import sys
import threading
import time

import pytest


def term(seconds, number=signal.SIGTERM):
    """What a platform does at the end of a program, done by one of its own threads."""
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()


def result(kernel, program):
    process = kernel.spawn(program, name="program")
    kernel.advance(100)
    return process.result


def test_a_programs_signal_handlers_are_its_own(kernel):
    before = signal.getsignal(signal.SIGTERM)

    def program():
        first = signal.signal(signal.SIGTERM, handler)
        return first, signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def handler(number, frame): ...

    assert result(kernel, program) == (signal.SIG_DFL, handler, signal.default_int_handler)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("send", [signal.raise_signal, lambda number: os.kill(os.getpid(), number)])
def test_the_main_thread_handles_its_own_signal_at_once(kernel, send):
    heard = []

    def program():
        signal.signal(signal.SIGTERM, lambda number, frame: heard.append((number, frame is not None)))
        send(signal.SIGTERM)
        return list(heard)

    assert result(kernel, program) == [(signal.SIGTERM, True)]


def test_a_handler_runs_in_the_main_thread_which_goes_on_sleeping(kernel):
    """PEP 475: a sleep that a signal interrupts lasts as long as it was to last. A handler may replace itself."""
    heard = []

    def handler(number, frame):
        heard.append((time.monotonic(), threading.current_thread() is threading.main_thread()))
        signal.signal(number, signal.SIG_IGN)

    def program():
        signal.signal(signal.SIGTERM, handler)
        term(2)
        term(3)
        time.sleep(5)
        return time.monotonic()

    assert result(kernel, program) == pytest.approx(5, abs=1e-3)
    assert heard == [(pytest.approx(2, abs=1e-3), True)]


def test_what_a_handler_raises_the_main_thread_gets(kernel):
    def leave(number, frame):
        sys.exit(3)

    def program():
        signal.signal(signal.SIGTERM, leave)
        term(2)
        try:
            time.sleep(50)
        finally:
            ended.append(time.monotonic())

    ended = []
    process = kernel.spawn(program)
    with pytest.raises(SystemExit):  # as at every exit with an error
        kernel.advance(100)
    assert (process.exception.code, ended) == (3, [pytest.approx(2, abs=1e-3)])
    assert not process.alive


@pytest.mark.parametrize("interrupt", [_thread.interrupt_main, lambda: os.kill(os.getpid(), signal.SIGINT)])
def test_an_interrupt_ends_a_wait_for_a_lock_and_leaves_the_lock_whole(kernel, interrupt):
    def program():
        done = threading.Event()
        threading.Timer(2, interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            done.wait()
        threading.Timer(1, done.set).start()
        return done.wait(10), time.monotonic()

    assert result(kernel, program) == (True, pytest.approx(3, abs=1e-3))


def test_a_signal_without_a_handler_ends_the_program_and_its_threads(kernel):
    ticks = []

    def tick():
        while True:
            time.sleep(1)
            ticks.append(time.monotonic())

    def program():
        threading.Thread(target=tick, daemon=True).start()
        term(2.5)
        time.sleep(50)

    process = kernel.spawn(program)
    kernel.advance(100)
    assert (process.alive, process.killed, len(ticks)) == (False, True, 2)


def test_a_program_may_wait_for_a_signal(kernel):
    def program():
        signal.signal(signal.SIGTERM, lambda number, frame: None)
        term(4)
        signal.pause()
        return time.monotonic()

    assert result(kernel, program) == pytest.approx(4, abs=1e-3)


def test_only_the_main_thread_sets_handlers_and_no_other_process_is_there(kernel):
    def other():
        with pytest.raises(ValueError, match="signal only works in main thread of the main interpreter"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with pytest.raises(ValueError, match="set_wakeup_fd only works in main thread"):
            signal.set_wakeup_fd(-1)
        seen.append("refused")

    def program():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        os.kill(os.getpid(), 0)
        with pytest.raises(ProcessLookupError):
            os.kill(4711, 0)
        with pytest.raises(OSError, match="Invalid argument"):
            signal.signal(signal.SIGKILL, signal.SIG_IGN)
        with pytest.raises(TypeError, match="signal handler must be"):
            signal.signal(signal.SIGTERM, "stop")

    seen = []
    result(kernel, program)
    assert seen == ["refused"]
