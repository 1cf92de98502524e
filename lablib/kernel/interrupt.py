"""Stopping code that does not stop by itself: Ctrl-C, and a limit in real time; and saying that it does not stop."""

from __future__ import annotations

import ctypes
import signal as signals
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

_INSIST = 0.5  # seconds after which a run that was asked to stop is stopped where it stands
_AGAIN = 0.5  # seconds after which code that swallowed RealTimeExceeded is left behind
_ENGINE = ("lablib.kernel", "lablib.services", "lablib.gateway", "lablib.clients")


class _Watch:
    """A thread that looks from time to time whether real time passes and virtual time does not, and says so once."""

    def __init__(self) -> None:
        self.driving: dict[int, Interrupts] = {}  # by real thread
        self._started = False
        self._told: set[tuple[int, ...]] = set()

    def begin(self, outside: Callable[[], AbstractContextManager[None]]) -> None:
        """Look from now on."""
        if not self._started:
            self._started = True
            with outside():
                threading.Thread(target=self._run, name="lablib-watch", daemon=True).start()

    def _run(self) -> None:
        never = threading.Event()
        before: dict[int, tuple[int, int, float]] = {}
        while not never.wait(LOOK):
            now = {thread: (id(line), line.drives, line.now()) for thread, line in list(self.driving.items())}
            for thread, (line, drives, at) in now.items():
                if before.get(thread) == (line, drives, at) and (line, drives) not in self._told:
                    self._told.add((line, drives))
                    text = f"lablib: real time passes, and it is still {at:g} s in the cloud"
                    end = "never waits. Ctrl-C, or the stop button of the notebook, ends it."
                    print(f"{text}: {_who_runs(thread)} {end}", file=sys.stderr, flush=True)
            before = now


LOOK = 10.0  # real seconds
_watch = _Watch()


def _who_runs(thread: int) -> str:
    """The process that runs in that thread, by its name."""
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code.co_name != "_body":
        frame = frame.f_back
    process = frame and frame.f_locals.get("self")
    return getattr(process, "name", "what runs")


class Interrupts:
    """While the main line drives, Ctrl-C stops the run between two events and leaves the state whole.

    The first Ctrl-C asks: `ask` returns what the run is to raise at its next event, and `pending` holds it. When the
    run has not stopped half a second later (a loop in the learner's code that never waits), or at a second Ctrl-C, it
    is stopped where it stands; when that is the middle of an operation, `spoil` is told that the state can no longer be
    trusted. A signal arrives on top of whatever runs, so the handler does its work `outside` the simulation.
    """

    def __init__(
        self,
        ask: Callable[[], KeyboardInterrupt],
        spoil: Callable[[], None],
        outside: Callable[[], AbstractContextManager[None]],
        now: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._spoil = spoil
        self._outside = outside
        self._listening = False
        self.pending: KeyboardInterrupt | None = None
        self.now = now
        self.drives = 0
        with outside():
            self._thread = threading.get_ident()
        self._above: Interrupts | None = None  # who drives a cloud in whose process this one is driven

    def __enter__(self) -> None:
        self._above = _watch.driving.get(self._thread)
        _watch.driving[self._thread] = self
        self.drives += 1
        _watch.begin(self._outside)
        # A host with a handler of its own (pytest, an IDE) keeps it, and only the main thread may set one.
        if _on_main_thread() and signals.getsignal(signals.SIGINT) is signals.default_int_handler:
            signals.signal(signals.SIGINT, self._on_sigint)
            self._listening = True

    def __exit__(self, *_: object) -> None:
        if self._above is None:
            _watch.driving.pop(self._thread, None)
        else:
            _watch.driving[self._thread], self._above = self._above, None
        if self._listening:
            signals.signal(signals.SIGINT, signals.default_int_handler)
            self._listening = False
        self.pending = None

    def _on_sigint(self, number: int, frame: FrameType | None) -> None:
        if self.pending is None:
            self.pending = self._ask()
            with self._outside():
                insist = threading.Timer(_INSIST, self._insist, (self.pending,))
                insist.daemon = True
                insist.start()
        elif _in_engine(frame):
            self._spoil()
            raise KeyboardInterrupt("stopped in the middle of an operation: this cloud is not whole, make a new Cloud")
        else:
            raise KeyboardInterrupt

    def _insist(self, interrupt: KeyboardInterrupt) -> None:
        while self.pending is interrupt:  # Python prints what is raised in a `__del__` or a callback, and goes on
            signals.raise_signal(signals.SIGINT)
            time.sleep(_INSIST)


@contextmanager
def call_after(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call this from another thread when the block is not over after `seconds` of real time."""
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _in_engine(frame: FrameType | None) -> bool:
    """Is the engine at work in this frame, so that stopping here could leave something half done?"""
    while frame is not None and frame.f_code.co_name != "_body":  # the learner's function starts in Process._body
        if frame.f_globals.get("__name__", "").startswith(_ENGINE):
            return True
        frame = frame.f_back
    return False


class RealTimeExceeded(BaseException):
    """Code ran for too many real seconds without waiting. Raised inside that code by `real_time_limit`.

    Not an Exception, so that the `except Exception` of the code in question does not swallow it.
    """


@contextmanager
def real_time_limit(seconds: float, leave_behind: Callable[[], None]) -> Iterator[None]:
    """Raise RealTimeExceeded in this thread when the block is not over after `seconds` of real time.

    Code that swallows it (`except:` in an endless loop) is met by a signal half a second later, in which `leave_behind`
    is called; that needs POSIX and the main thread, elsewhere RealTimeExceeded is raised again and again.
    """
    over, lock = threading.Event(), threading.Lock()
    me = threading.get_ident()
    throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
    alarm = getattr(signals, "SIGALRM", None) if _on_main_thread() else None
    old = signals.signal(alarm, lambda number, frame: leave_behind()) if alarm else None

    def watch() -> None:
        pause = seconds
        while not over.wait(pause):
            with lock:
                if over.is_set():
                    return
                if alarm and pause < seconds:
                    signals.pthread_kill(me, alarm)
                else:
                    throw(ctypes.c_ulong(me), ctypes.py_object(RealTimeExceeded))
            pause = min(seconds / 2, _AGAIN)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        while watcher.is_alive():
            try:
                with lock:
                    over.set()
                    throw(ctypes.c_ulong(me), None)  # what was thrown and has not arrived yet
                watcher.join()
            except RealTimeExceeded:
                continue
        if alarm:
            signals.signal(alarm, old)
