"""From where a kernel may be driven: from the thread that made it, and never from a program of another kernel.

A program that makes a kernel of its own is the exception: for that kernel, it is the main line.
"""

from __future__ import annotations

import _thread
from typing import Any


class Home:
    """Where a kernel was made. `title` is how errors call it; `process`: that which made it, None outside of them."""

    def __init__(self, title: str, process: Any) -> None:
        self.title = title
        self.thread = _thread.get_ident()
        self._program = _main_process(process)

    def check(self, process: Any) -> None:
        """Raise RuntimeError when the caller (a process of another kernel, or None) may not drive this one."""
        if _thread.get_ident() != self.thread:
            raise RuntimeError("this cloud belongs to another thread: make a Cloud in the thread that uses it")
        if process is not None and _main_process(process) is not self._program:
            where = f"this call goes to {self.title}, but {process.name} runs in {process.kernel.home.title}"
            raise RuntimeError(f"{where}: use a client of the cloud that runs it, or make a Cloud inside of it")


def _main_process(process: Any) -> Any:
    """The main thread of the program to which a process belongs."""
    return process.program.main if process is not None and process.program else process
