"""Virtual time: a heap of things to come, and signals, which lines of execution wait for.

The model: `now` is float seconds since the run began. It moves only when an entry is taken off the heap, and then it
jumps. An entry is `(time, serial, item)`; the serial makes ties first in, first out, and no two entries ever compare
equal. An item is a `Timer` (a callback) or a line of execution that wants to go on (`process.py`).
"""

from __future__ import annotations

import heapq
import math
import numbers
from collections import deque
from collections.abc import Callable
from typing import Any


def check_duration(name: str, value: float) -> float:
    """Return `value` when it is a duration: a finite number of seconds, zero or more. Else raise ValueError."""
    if isinstance(value, numbers.Real) and 0 <= value < math.inf:
        return value if isinstance(value, (int, float)) else float(value)  # a number of numpy's
    raise ValueError(f"{name}={value!r}: must be a number of seconds, zero or more")


def why_stuck(now: float, waiting: list[str]) -> str:
    """The words for a run in which nothing is left to happen; `waiting` are the names of its processes."""
    verb = "waits" if len(waiting) == 1 else "wait"
    who = f"{', '.join(waiting)} {verb} for ever" if waiting else "no process is running"
    return f"nothing is left to happen after {now:g} s, and {who}"


def _raise(error: BaseException) -> None:
    raise error


class Timer:
    """A callback that waits for its time. `cancel()` makes it do nothing; the heap forgets it when its time comes."""

    __slots__ = ("args", "fn", "time")

    def __init__(self, time: float, fn: Callable[..., Any] | None, args: tuple[Any, ...]) -> None:
        self.time = time
        self.fn = fn
        self.args = args

    def cancel(self) -> None:
        """Never call back. Cancelling twice, or after the call, does no harm."""
        self.fn = None
        self.args = ()


class Loop:
    """The clock and its heap. `Kernel` adds processes to it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Any]] = []
        self._serial = 0

    def at(self, time: float, fn: Callable[..., Any], *args: Any) -> Timer:
        """Call `fn(*args)` at `time`, in seconds since the run began, not before now. Callbacks must not block."""
        if not time >= self.now or time == math.inf:
            raise ValueError(f"time={time!r}: must be a finite number, not before now ({self.now})")
        timer = Timer(time, fn, args)
        self._push(time, timer)
        return timer

    def after(self, delay: float, fn: Callable[..., Any], *args: Any) -> Timer:
        """Call `fn(*args)` when `delay` seconds have passed."""
        return self.at(self.now + check_duration("delay", delay), fn, *args)

    def fail(self, error: BaseException) -> None:
        """Raise `error` on the main line, at the next event."""
        self.after(0, _raise, error)

    def _push(self, time: float, item: Any) -> int:
        serial = self._serial = self._serial + 1
        heapq.heappush(self._heap, (time, serial, item))
        return serial


class Signal:
    """Something that lines wait for. `fire` wakes all that wait now, `fire_one` the one that waits longest."""

    __slots__ = ("_waiting", "kernel")

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self._waiting: deque[Any] = deque()

    def fire(self) -> None:
        """Wake every line that waits for this signal, in the order in which they came."""
        while self._waiting:
            self.fire_one()

    def fire_one(self) -> bool:
        """Wake the line that has waited longest. False when nobody waits."""
        if not self._waiting:
            return False
        line = self._waiting.popleft()
        line.fired = True
        kernel = self.kernel
        line.wake = kernel._push(kernel.now, line)
        return True

    def __len__(self) -> int:
        return len(self._waiting)
