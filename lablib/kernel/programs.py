"""A process that somebody spawned is a program: what an operating system keeps of it, and does when it ends.

Its threads are processes of the same kernel. The program ends when its function has returned and its threads have
ended that are no daemons, and what it registered with `atexit` was called; then its daemon threads are killed and its
sockets are closed. When it is killed or fails, all of it ends at once: the main thread, then its threads in the order
in which they began, then the sockets.
"""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from random import Random
from typing import Any

from lablib.kernel.loop import Signal
from lablib.kernel.process import Process
from lablib.kernel.stacks import current_process


class Program:
    """What belongs to a program. Made by `program_of` when first needed."""

    def __init__(self, main: Process) -> None:
        self.main = main
        self.name = main.name
        self.kernel = main.kernel
        self.threads: list[Process] = []  # started and not ended, in the order in which they began
        self.pool_queues: dict[Process, Any] = {}  # of workers of ThreadPoolExecutors: None in it ends an idle one
        self.closers: dict[Any, Callable[[], None]] = {}  # by what it is: what the operating system cleans up
        self.ending = False
        self.counts: Counter[str] = Counter()  # names with numbers count within the program
        self.signal_handlers: dict[int, Any] = {}
        self.signalled: Signal | None = None  # fires after a handler, for signal.pause()
        self.wakeup_fd = -1  # signal.set_wakeup_fd's
        self.at_exit: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self.file_names: Any = None  # tempfile's
        self.last_uuid1: int | None = None
        self.host: str | None = None
        self.variables: dict[Any, Any] | None = None  # what os.environ looks into, once it was looked at

    @cached_property
    def random(self) -> Random:
        """What the functions of the module `random` draw from."""
        return self._generator("random")

    @cached_property
    def entropy(self) -> Random:
        """What os.urandom, uuid4 and secrets draw from: `random.seed()` does not reach it."""
        return self._generator("entropy")

    @cached_property
    def node(self) -> int:
        """uuid.getnode(): a locally administered address."""
        return 0x02 << 40 | self.entropy.getrandbits(40)

    def _generator(self, what: str) -> Random:
        # A program that starts again goes on in its stream: its identifiers are never those of its former life.
        return Random(self.kernel.chance.stream(f"{what} {self.name}").random())

    def count(self, what: str) -> int:
        """1, 2, 3, ... for each `what`."""
        self.counts[what] += 1
        return self.counts[what]

    def returned(self, process: Process) -> None:
        """The function of `process` has returned, or asked to exit. A main thread waits for the others, as Python does
        at its end, and then calls what was registered for it."""
        if process is not self.main:
            return
        self.ending = True
        for work in list(self.pool_queues.values()):
            work.put(None)
        while waiting := [t for t in self.threads if t.thread is None or not t.thread.daemon]:
            self.kernel.wait(waiting[0].done)
        while self.at_exit:
            function, args, kwargs = self.at_exit.pop()
            try:
                function(*args, **kwargs)
            except Exception:  # as Python does: it is told, and the others are called
                traceback.print_exc()

    def ended(self, process: Process) -> None:
        """`process` is over, for whatever reason."""
        process.locals = None
        if process is not self.main:  # a thread that has ended is gone; a program may start thousands
            process.thread = None
            self.threads.remove(process)
            self.pool_queues.pop(process, None)
            if self.kernel.processes.get(process.name) is process:
                del self.kernel.processes[process.name]
            return
        for thread in list(self.threads):
            self.kernel.kill(thread)
        for close in list(self.closers.values()):
            close()


def steady_hash(self: Any) -> int:
    """A `__hash__` for things that the standard library keeps in sets: their order must not be that of addresses."""
    number: int | None = getattr(self, "_lab_hash", None)
    if number is None:
        process = current_process()
        number = object.__hash__(self) if process is None else program_of(process).count("hash")
        self._lab_hash = number
    return number


def program_of(process: Process) -> Program:
    """The program that a process belongs to."""
    if process.program is None:
        process.program = Program(process)
    return process.program


def current_thread(process: Process) -> threading.Thread:
    """The Thread object of a process. One that is nobody's thread is the main thread of its program."""
    if process.thread is None:
        process.thread = MainThread(process)
    return process.thread


class MainThread(threading.Thread):
    """What `threading.current_thread()` is in the main thread of a program."""

    def __init__(self, process: Process) -> None:
        super().__init__(name=process.name, daemon=False)
        self._ident = self._native_id = ident_of(process)
        self._lab_process = process
        self._started.set()  # type: ignore[attr-defined]


def ident_of(process: Process) -> int:
    """`threading.get_ident()` of a process; different from that of every real thread."""
    process.ident = process.ident or next(process.kernel.idents)
    return process.ident
