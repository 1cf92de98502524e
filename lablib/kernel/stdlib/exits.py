"""`atexit` in a process: what a program registers is called when the program ends, in virtual time.

What the standard library and installed packages register as they are first used belongs to the interpreter, whose
modules outlive a program, and stays with it.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any

from lablib.kernel.process import Process
from lablib.kernel.programs import program_of
from lablib.kernel.stdlib.patching import virtualize

_INTERPRETER = (os.path.dirname(os.__file__), "<frozen")
_register, _unregister = atexit.register, atexit.unregister


def patch_atexit() -> None:
    """The module `atexit`."""
    virtualize(atexit, {"register": _virtual_register, "unregister": _virtual_unregister})


def _virtual_register(process: Process, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    file = sys._getframe(2).f_code.co_filename
    if file.startswith(_INTERPRETER) or "-packages" in file:
        return _register(function, *args, **kwargs)
    if not callable(function):
        raise TypeError("the first argument must be callable")
    program_of(process).at_exit.append((function, args, kwargs))
    return function


def _virtual_unregister(process: Process, function: Callable[..., Any], /) -> None:
    program = program_of(process)
    program.at_exit = [entry for entry in program.at_exit if entry[0] != function]
    _unregister(function)
