"""The end of a function's log, as Invoke with LogType=Tail gives it: what the handler printed, also to the standard
error, and Lambda's own lines.

(Lambda API reference, Invoke: "the last 4 KB of the execution log"; Lambda developer guide, "Working with Lambda
function logs". The memory that a function used is not simulated, and the line says 0 MB.)
"""

from __future__ import annotations

import sys
from base64 import b64encode
from typing import Any, Self

from lablib.kernel import Kernel
from lablib.services.lambda_.functions import Function
from lablib.services.lambda_.invocations import Invocation

_MOST = 4096  # bytes


_STREAMS = ("stdout", "stderr")


class Tail:
    """Listens to what one invocation prints, beside the standard output and the standard error: a context manager."""

    def __init__(self, function: Function, kernel: Kernel) -> None:
        self._function = function
        self._kernel = kernel
        self._began = kernel.now
        self._process: Any = None
        self._printed: list[str] = []
        self._ears: dict[str, _Ear] = {}

    def follow(self, invocation: Invocation) -> None:
        """This is the invocation."""
        self._process = invocation.process

    def __enter__(self) -> Self:
        for name in _STREAMS:
            self._ears[name] = _Ear(self, getattr(sys, name))
            setattr(sys, name, self._ears[name])
        return self

    def __exit__(self, *_: object) -> None:
        for name, ear in self._ears.items():
            if getattr(sys, name) is ear:
                setattr(sys, name, ear.beneath)

    def hear(self, text: str) -> None:
        """Somebody prints. Other programs do so too, while the function waits."""
        process = self._kernel.current
        main = process.program.main if process and process.program else process
        if main is not None and main is self._process:
            self._printed.append(text)

    def text(self, invocation: Invocation) -> str:
        """The last 4 KB of the log, in base64."""
        id, seconds = invocation.request_id, self._kernel.now - self._began
        lines = [f"START RequestId: {id} Version: $LATEST\n", *self._printed]
        if invocation.reason:
            lines.append(f"[ERROR] {invocation.reason}\n")
        report = f"Duration: {seconds * 1000:.2f} ms\tBilled Duration: {-int(-seconds * 1000 // 1)} ms"
        memory = f"Memory Size: {self._function.memory} MB\tMax Memory Used: 0 MB"
        lines.append(f"END RequestId: {id}\nREPORT RequestId: {id}\t{report}\t{memory}\t\n")
        return b64encode("".join(lines).encode()[-_MOST:]).decode()


class _Ear:
    """A text file that lets a tail hear what is written to the one beneath."""

    def __init__(self, tail: Tail, beneath: Any) -> None:
        self._tail = tail
        self.beneath = beneath

    def write(self, text: str) -> int:
        self._tail.hear(text)
        return int(self.beneath.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)
