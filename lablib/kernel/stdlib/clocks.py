"""The standard library's clock, virtual inside a process and real everywhere else.

`install` replaces the functions of the `time` module once, when lablib is imported, by ones that ask who is calling. A
swap while a run lasts would be wrong: background threads (the Jupyter kernel has several) must keep their real time.
`datetime.now()` cannot be replaced this way and stays real: lessons use `time.time()`.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from lablib.kernel.process import Kernel, current_process

real_sleep = time.sleep
real_perf_counter = time.perf_counter

_VIRTUAL: dict[str, Callable[[Kernel], float | int]] = {
    "time": lambda k: k.epoch + k.now,
    "time_ns": lambda k: round((k.epoch + k.now) * 1_000_000) * 1_000,
    "monotonic": lambda k: k.now,
    "monotonic_ns": lambda k: round(k.now * 1_000_000) * 1_000,
    "perf_counter": lambda k: k.now,
    "perf_counter_ns": lambda k: round(k.now * 1_000_000) * 1_000,
}
_installed = False
_LONG = 2.0  # real seconds after which a learner wonders what is going on
_HINT = "time.sleep({0:g}) at the top of a cell takes {0:g} real seconds; cloud.advance({0:g}) lets virtual time pass"


def install() -> None:
    """Make `time.sleep`, `time.time`, `time.monotonic` and their kin virtual inside processes. Doing it twice does no
    harm."""
    global _installed
    if _installed:
        return
    _installed = True
    setattr(time, "sleep", _sleep)  # noqa: B010  assigning it is an error to mypy
    for name, virtual in _VIRTUAL.items():
        setattr(time, name, _dispatch(getattr(time, name), virtual))


def _sleep(seconds: float, /) -> None:
    process = current_process()
    if process is None:
        if seconds >= _LONG and sys._getframe(1).f_globals.get("__name__") == "__main__":
            warnings.warn(_HINT.format(seconds), stacklevel=2)
        real_sleep(seconds)
    elif seconds < 0:
        raise ValueError("sleep length must be non-negative")
    else:
        process.kernel.wait(None, seconds)


_sleep.__doc__, _sleep.__name__ = real_sleep.__doc__, "sleep"


def _dispatch(real: Callable[[], Any], virtual: Callable[[Kernel], Any]) -> Callable[[], Any]:
    def clock() -> Any:
        try:
            process = current_process()
        except RuntimeError:  # the interpreter is shutting down, and greenlet is gone
            process = None
        return real() if process is None else virtual(process.kernel)

    clock.__doc__, clock.__name__ = real.__doc__, real.__name__
    return clock
