"""`os.environ` in a program is its own: it begins with the variables of this machine, or with those that it was given,
and what it changes is changed for itself alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

from lablib.kernel.process import Process
from lablib.kernel.programs import Program, program_of
from lablib.kernel.stacks import current_process
from lablib.kernel.stdlib.patching import virtualize

_given: WeakKeyDictionary[Process, Callable[[], Mapping[str, str]]] = WeakKeyDictionary()


def give_variables(process: Process, make: Callable[[], Mapping[str, str]]) -> None:
    """The program whose main thread this is begins with what `make` returns, called at the first look."""
    _given[process] = make


def _variables(program: Program, real: dict[Any, Any]) -> dict[Any, Any]:
    if program.variables is None:
        given, environ = _given.get(program.main), cast(Any, os.environ)
        program.variables = (
            dict(real) if given is None else {environ.encodekey(k): environ.encodevalue(v) for k, v in given().items()}
        )
    return program.variables


def _data(self: Any) -> dict[Any, Any]:
    """What os.environ and os.environb look into."""
    process, real = current_process(), self.__dict__["_data"]
    return real if process is None else _variables(program_of(process), real)


def _nothing(process: Process, *args: Any) -> None:
    """What the operating system would remember for processes to come."""


def patch_environ() -> None:
    kind: Any = type(os.environ)
    kind._data = property(_data, lambda self, data: self.__dict__.update(_data=data))
    virtualize(os, {"putenv": _nothing, "unsetenv": _nothing})
