"""select, poll and epoll on virtual sockets. selectors and asyncio are the standard library's own code over them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from lablib.kernel.loop import Signal
from lablib.kernel.network import FIRST_FD, network_of
from lablib.kernel.process import Process
from lablib.kernel.stacks import current_process
from lablib.kernel.stdlib.patching import dispatch, replace, virtualize
from lablib.kernel.tcp import ERR, HUP, IN, OUT, Endpoint, failure
from lablib.kernel.waits import SLACK, look


def _number(file: Any) -> int:
    return file if isinstance(file, int) else int(file.fileno())


def _find(process: Process, fd: int) -> Endpoint:
    end = network_of(process.kernel).fds.get(fd)
    if end is None and 0 <= fd < FIRST_FD:
        raise NotImplementedError(
            f"{process.name} waits for the real file {fd}; in virtual time that would be for ever"
        )
    if end is None:
        raise failure(errno.EBADF)
    return end


def _wait(process: Process, wanted: dict[int, int], timeout: float | None, changed: Signal) -> list[tuple[int, int]]:
    """Wait for events of several sockets. `wanted`: fd -> events; it may change meanwhile, then `changed` fires."""
    fds, kernel = network_of(process.kernel).fds, process.kernel
    if timeout == 0:
        look(process)
    until = None if timeout is None or timeout < 0 else kernel.now + timeout + (SLACK if timeout else 0.0)
    while True:
        ends, found = [], []
        for fd, mask in wanted.items():
            end = fds.get(fd)
            if end is not None:
                ends.append(end)
                if got := end.events() & (mask | ERR | HUP):
                    found.append((fd, got))
        if found:
            return found
        left = None if until is None else until - kernel.now
        if left is not None and left <= 0:
            return found
        for end in ends:
            end.watchers.append(changed)
        try:
            kernel.wait(changed, left)
        finally:
            for end in ends:
                end.watchers.remove(changed)


def _select(process: Process, r: Any, w: Any, x: Any, timeout: float | None = None) -> tuple[list[Any], ...]:
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    r, w, wanted = list(r), list(w), dict[int, int]()
    for files, mask in ((r, IN), (w, OUT), (x, 0)):
        for file in files:
            fd = _number(file)
            if fd < 0:
                raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
            _find(process, fd)
            wanted[fd] = wanted.get(fd, 0) | mask
    found = dict(_wait(process, wanted, timeout, Signal(process.kernel)))
    readable = [file for file in r if found.get(_number(file), 0) & (IN | HUP | ERR)]
    return readable, [file for file in w if found.get(_number(file), 0) & (OUT | ERR)], []


class Poll:
    """`select.poll`, in milliseconds, and `select.epoll`, in seconds."""

    def __init__(self, process: Process, unit: float) -> None:
        self.closed = False
        self._process, self._unit = process, unit
        self._wanted: dict[int, int] = {}
        self._changed = Signal(process.kernel)

    def register(self, file: Any, events: int = IN | OUT) -> None:
        """Watch a socket."""
        fd = _number(file)
        _find(self._process, fd)
        if fd in self._wanted and self._unit == 1:
            raise failure(errno.EEXIST)
        self._wanted[fd] = events
        self._changed.fire()

    def modify(self, file: Any, events: int) -> None:
        """Watch it for other events."""
        fd = _number(file)
        if fd not in self._wanted:
            raise failure(errno.ENOENT)
        self._wanted[fd] = events
        self._changed.fire()

    def unregister(self, file: Any) -> None:
        """Watch it no more."""
        fd = _number(file)
        if fd not in self._wanted:
            raise failure(errno.ENOENT) if self._unit == 1 else KeyError(fd)
        del self._wanted[fd]

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Wait for an event: [(fd, events)], in the order of registration."""
        seconds = None if timeout is None or timeout < 0 else timeout * self._unit
        return _wait(current_process() or self._process, self._wanted, seconds, self._changed)

    def close(self) -> None:
        """End it."""
        self.closed = True
        self._wanted.clear()

    def __enter__(self) -> Poll:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Refused."""
        raise NotImplementedError("an epoll inside an epoll is not simulated")


def patch_select(select: Any) -> None:
    """The module `select`."""
    virtualize(select, {"select": _select, "poll": _maker(0.001), "epoll": _maker(1)})


def _maker(unit: float) -> Callable[..., Any]:
    return lambda process, *args, **kwargs: Poll(process, unit)


def patch_selectors(selectors: Any) -> None:
    """The module `selectors`, whose classes keep what they took from `select`."""
    import select

    kept = {"PollSelector": ("_selector_cls", "poll"), "EpollSelector": ("_selector_cls", "epoll")}
    if os.name != "nt":  # there SelectSelector looks it up at each call
        kept["SelectSelector"] = ("_select", "select")
    for kind, (attribute, name) in kept.items():
        if hasattr(selectors, kind):
            setattr(getattr(selectors, kind), attribute, getattr(select, name))


def patch_fcntl(fcntl: Any) -> None:
    """The module `fcntl`: flags of virtual sockets (close-on-exec) mean nothing."""
    real = fcntl.fcntl

    def virtual(process: Process, file: Any, *args: Any) -> Any:
        return 0 if _number(file) >= FIRST_FD else real(file, *args)

    replace(fcntl, "fcntl", dispatch(real, virtual))
