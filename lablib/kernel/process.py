"""Processes: plain functions that block in virtual time.

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
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from lablib.kernel.chance import Chance
from lablib.kernel.event_loops import switch
from lablib.kernel.home import Home
from lablib.kernel.interrupt import Interrupts, RealTimeExceeded, real_time_limit
from lablib.kernel.loop import Loop, Signal, Timer, check_duration, why_stuck
from lablib.kernel.names import Names, check_program
from lablib.kernel.stacks import (
    GreenletExit,
    MainLine,
    Stack,
    current_process,
    getcurrent,
    is_or_awaits,
    running,
    unsimulated,
)

if TYPE_CHECKING:
    import threading
    from weakref import WeakKeyDictionary

    from lablib.kernel.programs import Program

EPOCH = 1_680_307_200.0  # time 0 of every run: 2023-04-01 00:00:00 UTC, the month of the course notes
_LAST = 1 << 62  # added to the serial of an entry that is to come after all others of its instant
_REFUSALS = 100  # how often a killed process may swallow its end before it is left behind
_IDLE = 100  # so many stacks may wait for another process
_FIRST_IDENT = 1 << 48  # _thread.get_ident() inside processes; no real thread has such a number
_abandoned: list[Process] = []  # left behind for good; dropping the last reference would throw into them again


class Stuck(RuntimeError):
    """The main line waits for something, and nothing is left that could happen."""


class Process:
    """A running function. Made by `Kernel.spawn`; its attributes are for reading.

    `name`; `alive`; `result` (what the function returned); `exception` (what it raised); `done` (a Signal: its end).
    """

    # A process that has no dictionary cannot get two of them: Python 3.11 corrupts its memory when it collects garbage
    # while it makes one, and a finalizer sets an attribute of the same object, as one does that takes a lock.
    __slots__ = (
        "__weakref__", "_call", "acts_as", "alive", "context", "done", "exception", "fired", "greenlet", "ident",
        "importing", "kernel", "killed", "killer_waits", "locals", "looked_at", "looks", "name", "program",
        "refusals_to_end", "result", "thread", "trace_header", "unsimulated", "wake",
    )  # fmt: skip

    def __init__(self, kernel: Kernel, fn: Callable[..., Any], args: tuple[Any, ...], name: str) -> None:
        self.kernel = kernel
        self.name = name
        self.alive = True
        self.result: Any = None
        self.exception: BaseException | None = None
        self.done = Signal(kernel)
        self._call = (fn, args)
        self.context = contextvars.copy_context()  # so that print() reaches the cell that spawned it
        self.greenlet: Any = None  # the stack on which it runs; None before it begins
        self.wake = -1
        self.fired = self.killed = self.killer_waits = False
        self.refusals_to_end = 0
        self.trace_header = ""  # what its requests have with them, as little looked at by the kernel
        self.acts_as: Any = None  # in whose name it calls the world outside of the kernel, which does not look at it
        # What the standard library keeps here when the process uses it (lablib.kernel.stdlib).
        self.program: Program | None = None  # its threads and what else it holds
        self.thread: threading.Thread | None = None  # the object that threading.current_thread() gives
        self.ident = 0
        self.locals: WeakKeyDictionary[Any, Any] | None = None  # what it has in place of each threading.local
        self.unsimulated = 0  # more than 0: what runs now is no part of the simulation
        self.importing = 0  # more than 0: the code of a module runs for the first time
        self.looks = 0  # how often it looked at the clock, a lock, a socket at the instant `looked_at`
        self.looked_at = -1.0

    def _body(self) -> bool:
        """Run the function. Returns whether its stack is to wait for another process."""
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
        return self.kernel._ended(self)

    def __repr__(self) -> str:
        state = "killed" if self.killed else "running" if self.alive else "failed" if self.exception else "ended"
        return f"<Process {self.name}: {state}>"


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
        self.processes: dict[str, Process] = {}
        self._names = Names(self._is_taken)
        self.closed = False
        self._main = MainLine()
        self._thrown: BaseException | None = None  # what the main line is to raise when it goes on
        self._steps = -1  # how many entries may still be taken; -1: any number
        self._passed: Any = None  # who goes on when the main line is switched to
        self._idle: list[Stack] = []  # stacks whose processes have ended
        self._interrupts = Interrupts(self._stop_soon, self._spoil, unsimulated, lambda: self.now)
        self._calling_back = False
        self._check_first = False  # look at _steps and _interrupts before the next entry
        self.undisturbed_line: Process | None = None  # who runs, unless it is being ended or `_check_first`

    # ---- processes --------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Process | None:
        """The process of this kernel that is running; None on the main line."""
        line = running()
        return line if line is not None and line.kernel is self else None

    def current_name(self, outside: str) -> str:
        """The name of the process that is running, or `outside` on the main line. Raises RuntimeError as `wait` does
        for a process of another kernel."""
        stack: Any = getcurrent()
        line = stack.process if stack.__class__ is Stack else None
        if line is None:
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
        line = running()
        self.current_name("")
        direct = line is not None and not line.killed and not self._calling_back
        process.killed = True
        if is_or_awaits(process):
            if self._calling_back:
                process.wake = self._push(self.now, process)  # it only drives; it ends when the callback is over
            elif process is line:
                raise GreenletExit
            return
        process.killer_waits = True
        process.wake = -1
        undisturbed, self.undisturbed_line = self.undisturbed_line, None
        if process.greenlet is not None:
            process.greenlet.parent = getcurrent()
            switch(process.greenlet.throw, GreenletExit)
        else:
            self._ended(process)  # it never began
        if process.alive:
            self._abandon(process)
        if process.exception is not None and line is None and not self.closed:
            raise process.exception
        if direct and line is not None and line.killed:  # by a `finally` block of the other
            raise GreenletExit
        self.undisturbed_line = None if self._check_first else undisturbed

    def _ended(self, process: Process) -> bool:
        """Book-keeping at the end of a process. Returns whether its stack is to wait for another one."""
        process.alive = False
        self._names.give_back(process.name)
        process.done.fire()
        error, (stack, process.greenlet) = process.exception, (process.greenlet, None)
        if isinstance(error, KeyboardInterrupt):
            error.add_note(f"Interrupted at {self.now:g} s in {process.name}, which has ended; the others can go on.")
        if process.killer_waits:  # a stack that ends goes on with its parent
            if error is not None and stack.parent.__class__ is Stack:
                self.fail(error)
            return False
        next_line = self._next() if error is None else self._to_main(error)
        if process.killed or len(self._idle) == _IDLE or self._main.greenlet.parent is not None:
            stack.parent = self._target(next_line)
            return False
        stack.process, self._passed = None, None if next_line is self._main else next_line
        self._idle.append(stack)
        return True

    # ---- waiting ----------------------------------------------------------------------------------------------------

    def wait(self, signal: Signal | None = None, timeout: float | None = None) -> bool:
        """Block until `signal` fires (True) or `timeout` seconds have passed (False). All that blocks, blocks here.

        Raises ValueError for a negative timeout, Stuck on the main line when nothing is left that could end the wait.
        """
        stack: Any = getcurrent()
        line: Any = stack.process if stack.__class__ is Stack else None
        outside = line is None or line.kernel is not self
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
        if line is None or line.greenlet is not getcurrent():
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
        self._idle.clear()

    # ---- driving ----------------------------------------------------------------------------------------------------

    def _drive(self, line: Process) -> None:
        """Make things happen until the process `line` may go on."""
        next_line = self._next()
        if next_line is not line:
            switch(self._target(next_line).switch)  # comes back when somebody has taken our wake-up, or to end us
        self.undisturbed_line = None if line.killed or self._check_first else line

    def _target(self, next_line: Any) -> Any:
        """Where to switch so that `next_line` goes on. A new stack begins from the main line: begun from another one,
        it would stand on that, and a thousand of them would exhaust it."""
        if next_line.greenlet is None:
            if not self._idle:
                if getcurrent() is not self._main.greenlet:
                    self._passed = next_line
                    return self._main.greenlet
                self._idle.append(Stack())
            next_line.greenlet = stack = self._idle.pop()
            stack.process, stack.gr_context = next_line, next_line.context
        return next_line.greenlet

    def _next(self) -> Process | MainLine:
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

    def _to_main(self, error: BaseException) -> MainLine:
        self._thrown = error
        return self._main

    def _enter(self) -> MainLine:
        self._check_usable()
        self.home.check(None)
        self._main.greenlet = getcurrent()
        self._main.wake = -1
        return self._main

    def _check_usable(self) -> None:
        if self.closed:
            raise RuntimeError("this cloud is closed: make a new Cloud")
        self.current_name("")

    def _drive_outside(self, line: MainLine) -> None:
        """Drive from the main line: take care of Ctrl-C, and raise what went wrong meanwhile."""
        with self._interrupts:
            next_line = self._next()
            while next_line is not line:
                switch(self._target(next_line).switch)
                next_line, self._passed = self._passed or line, None
            line.wake = -1
            error, self._thrown = self._thrown, None
        self._check_first, self.undisturbed_line = False, None
        if error is not None:
            raise error

    def _end_again(self, process: Process) -> None:
        process.refusals_to_end += 1
        if process.refusals_to_end > _REFUSALS:  # `while True: try: ... except: pass` would hold us for ever
            if process.killer_waits and process.greenlet.parent:
                process.greenlet.parent.switch()
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
