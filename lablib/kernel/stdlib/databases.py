"""sqlite3 inside a process: what SQL calls "now", and what it draws at random, is the program's own. Files are real.

In each connection that a process opens, functions of ours stand in for SQLite's own of the same names, which it allows
(sqlite.org/c3ref/create_function.html). They serve `DEFAULT CURRENT_TIMESTAMP` and `ORDER BY random()`, too. They ask
at each call who runs, so a connection that outlives its process has real time again. A machine is in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from lablib.kernel.process import Process
from lablib.kernel.stacks import current_process
from lablib.kernel.stdlib.patching import virtualize
from lablib.kernel.stdlib.randomness import entropy

_NOW = {"current_timestamp": "datetime", "current_date": "date", "current_time": "time"}
_OF_A_TIME = {"date": 0, "time": 0, "datetime": 0, "julianday": 0, "unixepoch": 0, "strftime": 1}  # where it stands


def patch_sqlite(sqlite3: Any) -> None:
    """The module `sqlite3`, whose `connect` is also `sqlite3.dbapi2`'s."""
    real = sqlite3.connect
    plain = real(":memory:", check_same_thread=False)  # SQLite itself, to compute with
    known = {name for (name,) in plain.execute("SELECT name FROM pragma_function_list")}
    functions: list[tuple[str, int, Callable[..., Any], bool]] = [
        *((name, 0, partial(_time, plain, function), False) for name, function in _NOW.items()),
        *((name, -1, partial(_time, plain, name), True) for name in _OF_A_TIME if name in known),
        ("random", 0, partial(_drawn, plain, "random"), False),
        ("randomblob", 1, partial(_drawn, plain, "randomblob"), False),
    ]

    def connect(process: Process, *args: Any, **kwargs: Any) -> Any:
        made = real(*args, **kwargs)
        with suppress(sqlite3.ProgrammingError, TypeError):  # a factory's object that cannot be used as a connection
            for name, count, function, steady in functions:
                sqlite3.Connection.create_function(made, name, count, function, deterministic=steady)
        return made

    virtualize(sqlite3, {"connect": connect})
    virtualize(sqlite3.dbapi2, {"connect": connect})


def _computed(plain: Any, name: str, arguments: list[Any]) -> Any:
    return plain.execute(f"SELECT {name}({', '.join('?' * len(arguments))})", arguments).fetchone()[0]


def _time(plain: Any, name: str, *given: Any) -> Any:
    """A date or time, as SQLite computes it from the instant that the program's clock shows."""
    at = _OF_A_TIME[name]
    moment, changes = (given[at], list(given[at + 1 :])) if len(given) > at else ("now", [])
    if (process := current_process()) is not None:
        changes = [each for each in changes if str(each).lower() not in ("localtime", "utc")]
        if isinstance(moment, str) and moment.lower() == "now":
            moment, changes = round(process.kernel.epoch + process.kernel.now, 3), ["unixepoch", *changes]
    return _computed(plain, name, [*given[:at], moment, *changes])


def _drawn(plain: Any, name: str, *given: Any) -> Any:
    """64 bits with a sign, or so many bytes (one at least): from the program's own stream."""
    process = current_process()
    if process is None:
        return _computed(plain, name, list(given))
    if name == "random":
        return entropy(process).getrandbits(64) - 2**63
    return entropy(process).randbytes(max(1, int(given[0] or 0)))
