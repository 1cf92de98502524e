"""Names of processes: a name that a running process has gets the lowest free number."""

from __future__ import annotations

import heapq
import inspect
from collections.abc import Callable
from typing import Any

_YIELDS = inspect.CO_GENERATOR | inspect.CO_COROUTINE


class Names:
    """Finds free names. `is_taken(name)` tells whether a running process has a name."""

    def __init__(self, is_taken: Callable[[str], bool]) -> None:
        self._is_taken = is_taken
        # For a name that several have at once: the number to try next, and those below it that became free.
        self._numbers: dict[str, tuple[int, list[int]]] = {}

    def find(self, base: str) -> str:
        """`base`, or with the lowest number, from 2, that no running process has."""
        if not self._is_taken(base):
            return base
        number, freed = self._numbers.get(base, (2, []))
        while freed:
            if not self._is_taken(name := f"{base}-{heapq.heappop(freed)}"):  # it may have been asked for by name
                return name
        while self._is_taken(name := f"{base}-{number}"):
            number += 1
        self._numbers[base] = (number + 1, freed)
        return name

    def give_back(self, name: str) -> None:
        """The process with this name has ended."""
        base, _, digits = name.rpartition("-")
        if base in self._numbers and digits.isdecimal() and int(digits) < self._numbers[base][0]:
            heapq.heappush(self._numbers[base][1], int(digits))


def check_program(fn: Any, name: str | None) -> None:
    """Raise TypeError for what cannot run as a process, ValueError for a name that cannot be printed."""
    if not callable(fn):
        raise TypeError(f"fn={fn!r}: must be a function; pass the function itself, without calling it")
    code = getattr(fn, "__code__", None)
    plain = code is not None and not code.co_flags & _YIELDS and not fn.__dict__  # nearly always
    for is_one, kind, way in (
        (inspect.iscoroutinefunction, "an async function", "asyncio.run"),
        (inspect.isgeneratorfunction, "a generator", "list"),
    ):
        if not plain and is_one(fn):
            text = f"is {kind}, of which nothing would run; spawn a function that calls {way}(...)"
            raise TypeError(f"fn={getattr(fn, '__name__', fn)}: {text}")
    if name and not name.isprintable():
        raise ValueError(f"name={name!r}: must be text that can be printed")
