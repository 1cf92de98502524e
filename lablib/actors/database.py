"""A shared resource with limited capacity: a database with so many connections."""

from __future__ import annotations

from collections.abc import Callable

from lablib.actors.fleet import Worker
from lablib.kernel import Kernel, Signal


class Database:
    """At most `connections()` may use it at the same time; the others wait in line. 0: no limit."""

    def __init__(self, kernel: Kernel, connections: Callable[[], int]) -> None:
        self._connections = connections
        self._kernel = kernel
        self._used = 0
        self._line: list[Signal] = []

    def use(self, worker: Worker, seconds: float) -> None:
        """Get a connection, keep it for `seconds` (longer when the worker freezes), and give it back, also when it
        crashes.
        """
        turn = Signal(self._kernel)
        self._line.append(turn)
        try:
            while self._line[0] is not turn or self._full():
                self._kernel.wait(turn)
        finally:
            self._line.remove(turn)
            self.wake()
        self._used += 1
        try:
            worker.hold(seconds)
        finally:
            self._used -= 1
            self.wake()

    def _full(self) -> bool:
        return 0 < self._connections() <= self._used

    def wake(self) -> None:
        """Let the first in line look whether it may go on."""
        if self._line and not self._full():
            self._line[0].fire()
