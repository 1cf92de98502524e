"""Processes: plain functions that block in virtual time. The only file that knows greenlets.

The model. A *line* is something that can block: each `Process`, and the main line (a notebook cell, a test). There is
one way to block, `Kernel.wait`. Whoever blocks drives the loop: it takes entries off the heap, runs callbacks, and when
the entry is another line's wake-up it switches straight to it; when the entry is its own wake-up it goes on. So no
scheduler sits in the middle, a call at the top of a cell works like one in a process, and a process that is alone never
switches at all.

A wake-up is valid while its serial is the line's `wake`; leaving `wait` for any reason makes it stale, and stale
entries are skipped. Whatever goes wrong while driving (a process that raises, a callback that raises, an interrupt,
nothing left to happen) is handed to the main line, which raises it: the process that happened to drive is not to blame.

Rejected: generators (no boto3), threads (14 to 28 times slower, cannot be killed), a hub greenlet.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent
from greenlet import greenlet as Greenlet

from lablib.kernel.chance import Chance
from lablib.kernel.event_loops import switch
from lablib.kernel.home import Home
from lablib.kernel.interrupt import Interrupts, RealTimeExceeded, real_time_limit
from lablib.kernel.loop import Loop, Signal, Timer, check_duration, why_stuck
from lablib.kernel.names import Names, Processes, check_program

if TYPE_CHECKING:
    import threading
    from weakref import WeakKeyDictionary

    from lablib.kernel.programs import Program

EPOCH = 1_680_307_200.0  # time 0 of every run: 2023-04-01 00:00:00 UTC, the month of the course notes
_LAST = 1 << 62  # added to the serial of an entry that is to come after all others of its instant
_REFUSALS = 100  # how often a killed process may swallow its end before it is left behind
_FIRST_IDENT = 1 << 48  # _thread.get_ident() inside processes; no real thread has such a number
_abandoned: list[Process] = []  # left behind for good; dropping the last reference would throw into them again


class Stuck(RuntimeError):
    """The main line waits for something, and nothing is left that could happen."""


class _MainLine:
    """Whoever drives from outside the processes: a notebook cell, a test, or a process of another kernel."""

    __slots__ = ("fired", "greenlet", "killed", "wake")

    def __init__(self) -> None:
        self.greenlet: Greenlet = getcurrent()
        self.wake = -1
        self.fired = False
        self.killed = False


class Process(Greenlet):
    """A running function. Made by `Kernel.spawn`; its attributes are for reading.

    `name`; `alive`; `result` (what the function returned); `exception` (what it raised); `done` (a Signal: its end).
    """

    trace_header = ""  # what its requests have with them, as little looked at by the kernel
    acts_as: Any = None  # in whose name it calls the world outside of the kernel, which does not look at it
    # What the standard library keeps here when the process uses it (lablib.kernel.stdlib).
    program: Program | None = None  # its threads and what else it holds
    thread: threading.Thread | None = None  # the object that threading.current_thread() gives
    ident = 0
    locals: WeakKeyDictionary[Any, Any] | None = None  # what it has in place of each threading.local
    unsimulated = 0  # more than 0: what runs now is no part of the simulation
    importing = 0  # more than 0: the code of a module runs for the first time
    looks = 0  # how often it looked at the clock, a lock, a socket at the instant `looked_at`
    looked_at = -1.0

    def __init__(self, kernel: Kernel, fn: Callable[..., Any], args: tuple[Any, ...], name: str) -> None:
        super().__init__(self._body, _root())
        self.gr_context = contextvars.copy_context()  # so that print() reaches the cell that spawned it
        self.kernel = kernel
        self.name = name
        self.alive = True
        self.result: Any = None
        self.exception: BaseException | None = None
        self.done = Signal(kernel)
        self.wake = -1
        self.fired = False
        self.killed = False
        self.killer_waits = False
        self.refusals_to_end = 0
        self._call = (fn, args)

    @property
    def greenlet(self) -> Greenlet:
        return self

    def _body(self) -> None:
        fn, args = self._call
        self.kernel.undisturbed_line = None if self.kernel._check_first else self
        try:
            if not self.killed:
                try:
                    self.result = fn(*args)
                except SystemExit as asked:
                    self.exception = asked
                if self.program is not None:
                    self.program.returned(self)
        except GreenletExit:
            self.killed, self.exception = True, None
        except BaseException as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # begin with the learner's frame
            self.exception = error
        if self.program is not None:
            self.program.ended(self)
        next_line = self.kernel._ended(self)
        if next_line is not None:
            self.parent = self.kernel._target(next_line)  # a finished greenlet goes on in its parent

    def __repr__(self) -> str:
        state = "killed" if self.killed else "running" if self.alive else "failed" if self.exception else "ended"
        return f"<Process {self.name}: {state}>"


def _root() -> Greenlet:
    line = getcurrent()
    while line.parent is not None:
        line = line.parent
    return line


def current_process() -> Process | None:
    """The process that asks, of whatever kernel; None outside of processes and in what is `unsimulated`.

    Everything of the standard library that is virtual inside processes asks this, and nothing else.
    """
    try:
        line = getcurrent()
    except RuntimeError:  # the interpreter is shutting down, and greenlet is gone
        return None
    return line if line.__class__ is Process and not line.unsimulated else None


def _is_or_awaits(process: Process, line: Greenlet | None) -> bool:
    """Is `process` the line, or does it wait for the end of the line, in `kill`?"""
    while line is not None and line is not process:
        line = line.parent
    return line is process


@contextmanager
def unsimulated() -> Iterator[None]:
    """For code of the host that a process happens to run (a notebook's stdout, a signal handler): it sees the real
    standard library, and may wait for real threads."""
    line = getcurrent()
    if line.__class__ is not Process:
        yield
        return
    line.unsimulated += 1
    try:
        yield
    finally:
        line.unsimulated -= 1


class Kernel(Loop):
    """Virtual time with processes in it. One kernel belongs to one thread."""

    epoch = EPOCH

    def __init__(self, chance: Chance | None = None, title: str = "another kernel") -> None:
        super().__init__()
        self.home = Home(title, current_process())
        self.chance = chance or Chance(0)
        self.idents = itertools.count(_FIRST_IDENT)
        self.network: Any = None  # made when first needed (lablib.kernel.network)
        self.make_client: Callable[..., Any] | None = None  # what boto3.client(...) is inside a process
        self.on_event: Callable[[str, str, str, str], None] | None = None  # kind, actor, other host, detail
        self.processes: Processes[Process] = Processes()
        self._names = Names(self._is_taken)
        self.closed = False
        self._main = _MainLine()
        self._thrown: BaseException | None = None  # what the main line is to raise when it goes on
        self._steps = -1  # how many entries may still be taken; -1: any number
        self._begin: Process | None = None  # the process that the main line is asked to begin
        self._interrupts = Interrupts(self._stop_soon, self._spoil, unsimulated, lambda: self.now)
        self._calling_back = False
        self._check_first = False  # look at _steps and _interrupts before the next entry
        self.undisturbed_line: Process | None = None  # who runs, unless it is being ended or `_check_first`

    # ---- processes --------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Process | None:
        """The process of this kernel that is running; None on the main line."""
        line = getcurrent()
        return line if line.__class__ is Process and line.kernel is self else None

    def current_name(self, outside: str) -> str:
        """The name of the process that is running, or `outside` on the main line. Raises RuntimeError as `wait` does
        for a process of another kernel."""
        line = getcurrent()
        if line.__class__ is not Process:
            return outside
        if line.kernel is self:
            return line.name
        self.home.check(line)
        return outside

    def spawn(self, fn: Callable[..., Any], *args: Any, name: str | None = None) -> Process:
        """Start `fn(*args)` as a process at the present instant. It runs when somebody next blocks.

        `name` is how it appears in the trace: the default is the function's name; a name that a running process has
        gets a number. Raises what `check_program` raises.
        """
        self._check_usable()
        check_program(fn, name)
        base = name or str(getattr(fn, "__name__", type(fn).__name__))
        process = Process(self, fn, args, self._names.find(base))
        self.processes[process.name] = process
        process.wake = self._push(self.now, process)
        return process

    def _is_taken(self, name: str) -> bool:
        return name in self.processes and self.processes[name].alive

    def kill(self, process: Process) -> None:
        """End a process where it stands: its `finally` blocks run, and it can wait for nothing any more. One that is
        about to end another ends after it. Raises RuntimeError in a process of another kernel."""
        if not process.alive or process.killed:
            return
        line: Any = getcurrent()
        self.current_name("")
        direct = line.__class__ is Process and not line.killed and not self._calling_back
        process.killed = True
        if _is_or_awaits(process, line):
            if self._calling_back:
                process.wake = self._push(self.now, process)  # it only drives; it ends when the callback is over
            elif process is line:
                raise GreenletExit
            return
        process.killer_waits = True
        process.parent = line
        process.wake = -1
        undisturbed, self.undisturbed_line = self.undisturbed_line, None
        if process:
            switch(process.throw, GreenletExit)
        else:
            self._ended(process)  # it never began
        if process.alive:
            self._abandon(process)
        if process.exception is not None and line.__class__ is not Process and not self.closed:
            raise process.exception
        if direct and line.killed:  # by a `finally` block of the other
            raise GreenletExit
        self.undisturbed_line = None if self._check_first else undisturbed

    def _ended(self, process: Process) -> Process | _MainLine | None:
        """Book-keeping at the end of a process. Returns who goes on; None: whoever killed it."""
        process.alive = False
        self._names.give_back(process.name)
        process.done.fire()
        error = process.exception
        if isinstance(error, KeyboardInterrupt):
            error.add_note(f"Interrupted at {self.now:g} s in {process.name}, which has ended; the others can go on.")
        if not process.killer_waits:
            return self._next() if error is None else self._to_main(error)
        if error is not None and process.parent.__class__ is Process:
            self.fail(error)
        return None

    # ---- waiting ----------------------------------------------------------------------------------------------------

    def wait(self, signal: Signal | None = None, timeout: float | None = None) -> bool:
        """Block until `signal` fires (True) or `timeout` seconds have passed (False). All that blocks, blocks here.

        Raises ValueError for a negative timeout, Stuck on the main line when nothing is left that could end the wait.
        """
        line: Any = getcurrent()
        outside = line.__class__ is not Process or line.kernel is not self
        if outside:
            line = self._enter()
        elif line.killed:
            self._end_again(line)
        if timeout is not None:
            until = self.now + timeout
            if not 0 <= timeout < 1e15:
                check_duration("timeout", timeout)
            if signal is None and not self._check_first and (not self._heap or until < self._heap[0][0]):
                self.now = until  # nothing else happens meanwhile
                return False
            line.wake = self._push(until, line)
        drive = self._drive_outside if outside else self._drive
        if signal is None:
            drive(line)
            if line.killed:
                self._end_again(line)
            return False
        line.fired = False
        signal._waiting.append(line)
        try:
            drive(line)
        finally:
            if not line.fired:
                signal._waiting.remove(line)
        if line.killed:
            self._end_again(line)
        return bool(line.fired)

    def pass_time(self, seconds: float) -> None:
        """As `wait(None, seconds)`, for what every call does several times: the common case at a third of the cost."""
        line, heap, until = self.undisturbed_line, self._heap, self.now + seconds
        if line is None or line is not getcurrent():
            self.wait(None, seconds)
            return
        if not heap or until < heap[0][0]:
            self.now = until  # nothing else happens meanwhile
            return
        line.wake = self._serial = self._serial + 1
        time, serial, item = heapq.heappushpop(heap, (until, line.wake, line))
        while item.__class__ is not Process or item.wake != serial:
            if item.__class__ is not Process and (item.__class__ is not Timer or item.fn is not None):
                heapq.heappush(heap, (time, serial, item))
                self._drive(line)
                break
            time, serial, item = heapq.heappop(heap)  # the one before was cancelled, or is out of date
        else:
            self.now = time
            if item is line:
                return
            switch(self._target(item).switch)
            self.undisturbed_line = None if line.killed or self._check_first else line
        if line.killed:
            self._end_again(line)

    def sleep(self, seconds: float) -> None:
        """Block for `seconds` of virtual time."""
        self.wait(None, check_duration("seconds", seconds))

    def advance(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass."""
        self.run(self.now + check_duration("seconds", seconds))

    def run(self, until: float) -> None:
        """Let virtual time pass up to `until`, in seconds since the run began; all that is due by then happens, so two
        short runs are the same as one long run. A time in the past is an error."""
        if not self.now <= until < float("inf"):
            raise ValueError(f"until={until!r}: must not be before now ({self.now:g} s)")
        if self.current:
            return self.sleep(until - self.now)
        line = self._enter()
        self._serial += 1
        line.wake = self._serial + _LAST
        heapq.heappush(self._heap, (until, line.wake, line))
        self._drive_outside(line)

    def step(self) -> bool:
        """Let the next thing happen, and nothing more. False when nothing is left."""
        if self.current:
            raise RuntimeError("step() is for the main line, not for a process")
        line = self._enter()
        self._steps, self._check_first = 1, True
        try:
            self._drive_outside(line)
        except Stuck:
            return False
        finally:
            self._steps = -1
        return True

    def close(self) -> None:
        """End every process, so that their `finally` blocks run. The kernel cannot be used after it."""
        if self.closed:
            return
        self._check_usable()
        self.closed = True
        for process in list(self.processes.values()):
            self.kill(process)
        self._heap.clear()

    # ---- driving ----------------------------------------------------------------------------------------------------

    def _drive(self, line: Process) -> None:
        """Make things happen until the process `line` may go on."""
        next_line = self._next()
        if next_line is not line:
            switch(self._target(next_line).switch)  # comes back when somebody has taken our wake-up, or to end us
        self.undisturbed_line = None if line.killed or self._check_first else line

    def _target(self, next_line: Process | _MainLine) -> Greenlet:
        """Where to switch so that `next_line` goes on. A new process begins from the main line: begun from another
        process, it would stand on that one's stack, and a thousand of them would exhaust it."""
        if next_line.__class__ is not Process or next_line:
            return next_line.greenlet
        self._begin = next_line
        return self._main.greenlet

    def _next(self) -> Process | _MainLine:
        """Take entries off the heap until a line may go on. Exceptions are left for the main line."""
        heap = self._heap
        pop = heapq.heappop
        while heap:
            if self._check_first:
                if self._interrupts.pending:
                    return self._to_main(self._interrupts.pending)
                if self._steps == 0:
                    return self._main
            time, serial, item = pop(heap)
            if item.__class__ is Timer:
                if item.fn is None:
                    continue
                self.now = time
                self._steps -= 1
                self._calling_back = True
                try:
                    item.fn(*item.args)
                except BaseException as error:
                    return self._to_main(error)
                finally:
                    self._calling_back = False
            elif item.wake == serial:
                self.now = time
                self._steps -= 1
                return item
        if self._steps == 0:
            return self._main
        return self._to_main(Stuck(why_stuck(self.now, [p.name for p in self.processes.values() if p.alive])))

    def _to_main(self, error: BaseException) -> _MainLine:
        self._thrown = error
        return self._main

    def _enter(self) -> _MainLine:
        self._check_usable()
        self.home.check(None)
        self._main.greenlet = getcurrent()
        self._main.wake = -1
        return self._main

    def _check_usable(self) -> None:
        if self.closed:
            raise RuntimeError("this cloud is closed: make a new Cloud")
        self.current_name("")

    def _drive_outside(self, line: _MainLine) -> None:
        """Drive from the main line: take care of Ctrl-C, and raise what went wrong meanwhile."""
        with self._interrupts:
            next_line = self._next()
            while next_line is not line:
                switch(next_line.greenlet.switch)
                next_line, self._begin = line if self._begin is None else self._begin, None
            line.wake = -1
            error, self._thrown = self._thrown, None
        self._check_first, self.undisturbed_line = False, None
        if error is not None:
            raise error

    def _end_again(self, process: Process) -> None:
        process.refusals_to_end += 1
        if process.refusals_to_end > _REFUSALS:  # `while True: try: ... except: pass` would hold us for ever
            if process.killer_waits and process.parent:
                process.parent.switch()
            self._abandon(process)
            self._target(self._next()).switch()
        raise GreenletExit

    def _abandon(self, process: Process) -> None:
        """Leave a process behind that swallows its end: suspended for good, it counts as ended."""
        process.alive = False
        self._names.give_back(process.name)
        process.done.fire()
        _abandoned.append(process)

    # ---- interrupts -------------------------------------------------------------------------------------------------

    def _stop_soon(self) -> KeyboardInterrupt:
        self._check_first, self.undisturbed_line = True, None
        return KeyboardInterrupt(f"stopped at {self.now:g} s; the cloud is whole, cloud.advance() goes on")

    def _spoil(self) -> None:
        self.closed = True

    def real_time_limit(self, seconds: float) -> AbstractContextManager[None]:
        """Raise RealTimeExceeded in this thread when the block is not over after `seconds` of real time.

        A process that swallows it is left behind for good the next moment. The cloud is not whole after that.
        """
        return real_time_limit(seconds, self._leave_behind)

    def _leave_behind(self) -> None:
        """Go on with the main line, and never again with the process that swallows what ends it."""
        process = self.current
        if process is None:
            raise RealTimeExceeded
        self._abandon(process)
        self._to_main(RealTimeExceeded()).greenlet.switch()
