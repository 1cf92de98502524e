"""What processes run on: greenlets. Only this file imports them.

A new greenlet costs more than a call of AWS, nearly all of it for memory that the operating system gives and takes. So
a stack is no part of its process: when that has ended, the stack waits for the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent
from greenlet import greenlet as Greenlet

if TYPE_CHECKING:
    from lablib.kernel.process import Process

__all__ = [
    "GreenletExit",
    "MainLine",
    "Stack",
    "current_process",
    "getcurrent",
    "is_or_awaits",
    "running",
    "unsimulated",
]


class Stack(Greenlet):
    """Runs a process, then waits for the next one.

    While it waits nothing on it refers to itself or to a kernel: the garbage collector does not see what it holds.
    """

    __slots__ = ("process",)
    process: Process | None

    def __init__(self) -> None:
        super().__init__(_run_processes, _root())


def _run_processes() -> None:
    while getcurrent().process._body():  # type: ignore[attr-defined]
        _root().switch()


def _root() -> Greenlet:
    line = getcurrent()
    while line.parent is not None:
        line = line.parent
    return line


class MainLine:
    """Whoever drives from outside the processes: a notebook cell, a test, or a process of another kernel."""

    __slots__ = ("fired", "greenlet", "killed", "wake")

    def __init__(self) -> None:
        self.greenlet: Any = getcurrent()
        self.wake = -1
        self.fired = False
        self.killed = False


def running() -> Process | None:
    """The process that runs, of whatever kernel."""
    stack: Any = getcurrent()
    return stack.process if stack.__class__ is Stack else None


def current_process() -> Process | None:
    """The process that asks, of whatever kernel; None outside of processes and in what is `unsimulated`.

    Everything of the standard library that is virtual inside processes asks this, and nothing else.
    """
    try:
        stack: Any = getcurrent()
    except RuntimeError:  # the interpreter is shutting down, and greenlet is gone
        return None
    process = stack.process if stack.__class__ is Stack else None
    return None if process is None or process.unsimulated else process


def is_or_awaits(process: Process) -> bool:
    """Is `process` the one that runs, or does it wait for the end of that one, in `Kernel.kill`?"""
    stack: Any = getcurrent()
    while stack is not None and (stack.__class__ is not Stack or stack.process is not process):
        stack = stack.parent
    return stack is not None


@contextmanager
def unsimulated() -> Iterator[None]:
    """For code of the host that a process happens to run (a notebook's stdout, a signal handler): it sees the real
    standard library, and may wait for real threads."""
    process = running()
    if process is None:
        yield
        return
    process.unsimulated += 1
    try:
        yield
    finally:
        process.unsimulated -= 1
