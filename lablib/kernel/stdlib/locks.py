"""Locks, the C queue, thread-local data: what the rest of threading, queue and concurrent.futures is made of.

Nobody knows, when a lock is made, who will use it: `queue.Queue()` at the top of a cell is read in processes. So a lock
belongs to nobody, and who waits decides how. Outside of processes it is the real lock in it. A process that finds it
taken waits in virtual time, and `release` hands it over to the one that waits longest, without freeing it.
"""

from __future__ import annotations

import _queue
import _thread
from _thread import allocate_lock as _real_lock
from collections.abc import Callable
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from lablib.kernel.process import Process, Signal
from lablib.kernel.stacks import current_process
from lablib.kernel.waits import SLACK, late, look

_home = _thread.get_ident()  # the thread of the cells


class Lock:
    """`threading.Lock` for everybody: virtual for processes, real for everything else."""

    __slots__ = ("__weakref__", "_lock", "_owner", "_signal")

    def __init__(self) -> None:
        self._lock = _real_lock()
        self._owner: Process | int | None = None  # who has it, if it is taken: a process or a real thread
        self._signal: Signal | None = None  # made when a process first waits

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.Lock.acquire`. Raises RuntimeError when processes of two clouds wait for one lock."""
        if timeout != -1 and (not blocking or not 0 <= timeout <= _thread.TIMEOUT_MAX):
            return self._lock.acquire(blocking, timeout)  # raises what Python raises
        process = current_process()
        if process is not None:
            if process.looked_at != process.kernel.now:  # as `look`, which is called so often that it shows
                process.looked_at, process.looks = process.kernel.now, 1
            else:
                look(process)
        if self._lock.acquire(False):
            self._owner = _thread.get_ident() if process is None else process
            return True
        if not blocking or timeout == 0:
            return False
        owner, me = self._owner, _thread.get_ident()
        if (
            process is None
            and isinstance(owner, Process)
            and owner.kernel.home.thread == me
            and not owner.kernel.closed
        ):
            kernel = owner.kernel  # at the top of a cell, waiting for a process: let it go on
        elif process is None or (isinstance(owner, int) and owner != me):  # a real thread has it, and will give it back
            if not self._lock.acquire(True, timeout):
                return False
            self._owner = me if process is None else process
            return True
        else:
            kernel = process.kernel
        signal = self._signal
        if signal is None or (signal.kernel is not kernel and not signal):
            signal = self._signal = Signal(kernel)
        elif signal.kernel is not kernel:
            raise RuntimeError("processes of two clouds wait for the same lock: give each cloud its own")
        try:
            handed_over = kernel.wait(signal, late(timeout))
        except BaseException:  # killed, perhaps between being handed the lock and going on
            if process is not None and process.fired:
                self.release()
            raise
        if handed_over:
            self._owner = me if process is None else process
        return handed_over

    def release(self) -> None:
        """As `threading.Lock.release`: whoever has waited longest has the lock now, without its having been free."""
        signal = self._signal
        if signal and self._lock.locked():
            if signal.kernel.home.thread != _thread.get_ident():
                raise RuntimeError(
                    "a real thread releases a lock that a process waits for: start the thread inside the process"
                )
            signal.fire_one()
            return
        if signal is not None and signal.kernel.home.thread == _thread.get_ident():
            self._signal = None  # a lock of a module outlives clouds, and holds none of them
        self._owner = None
        self._lock.release()

    def locked(self) -> bool:
        """Has anybody got it?"""
        return self._lock.locked()

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self.__init__()  # type: ignore[misc]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("cannot pickle '_thread.lock' object")

    def __repr__(self) -> str:
        return f"<{'locked' if self._lock.locked() else 'unlocked'} lablib.Lock object at {id(self):#x}>"


class SimpleQueue(_queue.SimpleQueue):
    """`queue.SimpleQueue`, whose C code would wait in real time. `put` never blocks: callbacks of the garbage collector
    call it, on any line."""

    _signal: Signal | None = None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Append an item."""
        super().put(item)
        if self._signal:
            self._signal.fire_one()

    def put_nowait(self, item: Any) -> None:
        """Append an item."""
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The oldest item. Raises queue.Empty."""
        process = current_process()
        if process is None:
            return super().get(block, timeout)
        look(process)
        kernel, until = process.kernel, None
        if timeout is not None:
            if timeout < 0:
                return super().get(block, timeout)  # raises what Python raises
            until = kernel.now + timeout + SLACK
        while True:
            try:
                return super().get(False)
            except _queue.Empty:
                left = None if until is None else until - kernel.now
                if not block or (left is not None and left <= 0):
                    raise
                if self._signal is None or self._signal.kernel is not kernel:
                    self._signal = Signal(kernel)
                kernel.wait(self._signal, left)

    def get_nowait(self) -> Any:
        """The oldest item. Raises queue.Empty."""
        return self.get(False)


_get, _set, _delete = _thread._local.__getattribute__, _thread._local.__setattr__, _thread._local.__delattr__
_arguments: WeakKeyDictionary[Local, tuple[Any, Any]] = WeakKeyDictionary()


class Local(_thread._local):
    """`threading.local`. All processes live in one real thread, so each has a local of its own instead."""

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Local:
        self = super().__new__(cls, *args, **kwargs)
        if args or kwargs:
            _arguments[self] = args, kwargs
        return self

    def __getattribute__(self, name: str) -> Any:
        process = current_process()
        return _get(self if process is None else _own(self, process), name)

    def __setattr__(self, name: str, value: Any) -> None:
        process = current_process()
        _set(self if process is None else _own(self, process), name, value)

    def __delattr__(self, name: str) -> None:
        process = current_process()
        _delete(self if process is None else _own(self, process), name)


def _own(local: Local, process: Process) -> Local:
    locals_ = process.locals
    if locals_ is None:
        locals_ = process.locals = WeakKeyDictionary()
    own = locals_.get(local)
    if own is None:
        args, kwargs = _arguments.get(local, ((), {}))
        own = _thread._local.__new__(type(local), *args, **kwargs)
        locals_[local] = locals_[own] = own
        type(own).__init__(own, *args, **kwargs)
    return own


def at_home(virtual: Callable[..., Any], real: Callable[..., Any]) -> Callable[..., Any]:
    """A constructor for both kinds: the host's own threads get the real thing, untouched."""

    def make(*args: Any, **kwargs: Any) -> Any:
        here = _thread.get_ident() == _home or current_process() is not None
        return (virtual if here else real)(*args, **kwargs)

    return make
