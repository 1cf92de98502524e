"""Two things that real time does by itself and virtual time must do on purpose, or programs would never end.

A timed wait ends a little late. Programs wait until their deadline and then ask `now > deadline`; woken exactly at it,
they would find `now == deadline` for ever (stomp.py's heartbeat does). `time.sleep` keeps exact times.

Looking takes time. `while time.time() < end: pass` never blocks; after ten thousand looks at one instant (at the clock,
a lock, a socket) a process is in a busy wait, and each further look takes a tenth of a millisecond.
"""

from __future__ import annotations

from lablib.kernel.process import Process

SLACK = 50e-6  # seconds; the default timer slack of Linux (prctl(2), PR_SET_TIMERSLACK)
_BUSY = 10_000  # looks at one instant
_LOOK = 100e-6  # seconds that a further look takes


def look(process: Process) -> None:
    """A process looks at something without waiting for it."""
    kernel = process.kernel
    if process.looked_at != kernel.now:
        process.looked_at = kernel.now
        process.looks = 0
    process.looks += 1
    if process.looks > _BUSY:
        spend(process, _LOOK)
        process.looked_at = kernel.now


def spend(process: Process, seconds: float) -> None:
    """A process is busy for so long, if it may wait at all."""
    if not process.killed and not process.kernel._calling_back:
        process.kernel.wait(None, seconds)


def late(timeout: float | None) -> float | None:
    """The timeout of a wait that may end late; None and a negative number mean for ever."""
    return None if timeout is None or timeout < 0 else timeout + SLACK
