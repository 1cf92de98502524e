"""The clocks of `time` and `datetime`: virtual inside a process, real everywhere else.

`datetime.now` and `datetime.utcnow` are replaced in the dictionary of the C type, so that they are virtual however they
were imported, and in subclasses (pandas.Timestamp). `date.today` and `datetime.today` ask `time.time` by themselves.
Local time inside a process is UTC. `numpy.datetime64("now")` asks the C library, and stays real.
"""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections.abc import Callable
from functools import wraps
from types import MethodType, ModuleType
from typing import Any

from lablib.kernel.process import Kernel, Process
from lablib.kernel.stacks import current_process
from lablib.kernel.stdlib.patching import replace, virtualize
from lablib.kernel.waits import look

real_sleep = time.sleep
real_perf_counter = time.perf_counter
_real_gmtime, _real_strftime, _real_asctime = time.gmtime, time.strftime, time.asctime

_VIRTUAL: dict[str, Callable[[Kernel], float]] = {
    "time": lambda k: k.epoch + k.now,
    "time_ns": lambda k: round((k.epoch + k.now) * 1_000_000) * 1_000,
    "monotonic": lambda k: k.now,
    "monotonic_ns": lambda k: round(k.now * 1_000_000) * 1_000,
    "perf_counter": lambda k: k.now,
    "perf_counter_ns": lambda k: round(k.now * 1_000_000) * 1_000,
    "process_time": lambda k: k.now,  # as though a program worked all the time
    "process_time_ns": lambda k: round(k.now * 1_000_000) * 1_000,
    "thread_time": lambda k: k.now,
    "thread_time_ns": lambda k: round(k.now * 1_000_000) * 1_000,
}
_LONG = 2.0  # real seconds after which a learner wonders what is going on
_HINT = "time.sleep({0:g}) at the top of a cell takes {0:g} real seconds; cloud.advance({0:g}) lets virtual time pass"


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


def _clock(real: Callable[[], float], virtual: Callable[[Kernel], float]) -> Callable[[], float]:
    """As `dispatch`, without arguments: clocks are asked often."""

    def clock(_: object) -> float:
        process = current_process()
        if process is None:
            return real()
        look(process)
        return virtual(process.kernel)

    clock.__name__, clock.__doc__ = real.__name__, real.__doc__
    return MethodType(clock, real)


def _broken_down(process: Process, seconds: float | None = None) -> time.struct_time:
    look(process)
    return _real_gmtime(process.kernel.epoch + process.kernel.now if seconds is None else seconds)


def _by_id(process: Process, id: int) -> float:
    """The clock of the operating system with that number: the time of day, or one that began with the run."""
    look(process)
    return _VIRTUAL["time" if id == getattr(time, "CLOCK_REALTIME", None) else "monotonic"](process.kernel)


def patch_time() -> None:
    """The module `time`."""
    replace(time, "sleep", _sleep)
    for name, virtual in _VIRTUAL.items():
        if hasattr(time, name):  # thread_time: not everywhere
            replace(time, name, _clock(getattr(time, name), virtual))
    virtualize(
        time,
        {
            "clock_gettime": _by_id,
            "clock_gettime_ns": lambda process, id: round(_by_id(process, id) * 1_000_000) * 1_000,
            "gmtime": _broken_down,
            "localtime": _broken_down,
            "ctime": lambda process, *seconds: _real_asctime(_broken_down(process, *seconds)),
            "asctime": lambda process, *tuple_: _real_asctime(*(tuple_ or (_broken_down(process),))),
            "strftime": lambda process, form, *tuple_: _real_strftime(form, *(tuple_ or (_broken_down(process),))),
        },
    )


def patch_logging(logging: Any) -> None:
    """The module `logging`: a class attribute, which no scan finds, and the time since logging was imported."""
    logging.Formatter.converter = time.localtime
    real = logging.LogRecord.__init__

    @wraps(real)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        process = current_process()
        if process is not None:
            self.relativeCreated = process.kernel.now * 1000

    logging.LogRecord.__init__ = __init__


def patch_urllib3(connection: Any) -> None:
    """The module `urllib3.connection`, which warns when today is before a date of its own; our today is in 2023."""
    import datetime

    connection.RECENT_DATE = datetime.date(2023, 1, 1)


# ---- datetime ------------------------------------------------------------------------------------------------------


def patch_datetime(module: ModuleType) -> None:
    """The module `datetime`. On an interpreter where the C type's dictionary is out of reach, it stays real, and a
    warning says so. time-machine does the same in another way, and the two crash the interpreter: refused."""
    if "_time_machine" in sys.modules:
        raise ImportError("time-machine and lablib both replace datetime.now: use freezegun, or neither")
    kind: Any = module.datetime
    utc, start, step = module.timezone.utc, module.datetime(1970, 1, 1, tzinfo=module.timezone.utc), module.timedelta

    def virtual_now(process: Process, cls: Any, tz: Any = None) -> Any:
        look(process)
        moment = start + step(microseconds=round((process.kernel.epoch + process.kernel.now) * 1_000_000))
        moment = moment.astimezone(tz) if tz is not None else moment.replace(tzinfo=None)
        if cls is kind:
            return moment
        clock = moment.hour, moment.minute, moment.second, moment.microsecond
        return cls(moment.year, moment.month, moment.day, *clock, moment.tzinfo, fold=moment.fold)

    try:
        import ctypes

        space = gc.get_referents(kind.__dict__)[0]  # the read-only view refers to the real dictionary
        real = {name: space[name] for name in ("now", "utcnow")}

        def now(cls: Any, tz: Any = None) -> Any:
            process = current_process()
            if process is None:
                return real["now"].__get__(None, cls)(tz)
            return virtual_now(process, cls, tz)

        def utcnow(cls: Any) -> Any:
            process = current_process()
            return real["utcnow"].__get__(None, cls)() if process is None else virtual_now(process, cls)

        for name, function in {"now": now, "utcnow": utcnow}.items():
            function.__doc__ = real[name].__doc__
            space[name] = classmethod(function)
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))  # forget what was looked up there
        works = kind.now.__func__ is now and abs(kind.now(utc).timestamp() - time.time()) < 60
    except Exception:
        works = False
    if not works:
        warnings.warn("datetime.now() stays real on this Python; use time.time() inside processes", stacklevel=2)
