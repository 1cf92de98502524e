"""Random numbers and identifiers: inside a process from its program's own stream, so that the same seed gives the same
run, whatever else the notebook did. numpy's generators stay the learner's to seed.

What a module draws when it is imported comes from elsewhere: it is drawn in the first run of an interpreter only, and
must not shift the program's stream.
"""

from __future__ import annotations

import os
import random
from random import Random
from typing import Any

from lablib.kernel.process import Process
from lablib.kernel.programs import program_of
from lablib.kernel.stacks import current_process, unsimulated
from lablib.kernel.stdlib.patching import replace, virtualize

_real_seed = Random.seed


def _random(process: Process) -> Random:
    return program_of(process).random if not process.importing else _at_import(process)


def entropy(process: Process) -> Random:
    return program_of(process).entropy if not process.importing else _at_import(process)


def _at_import(process: Process) -> Random:
    return Random(process.kernel.chance.stream("imports").random())


def _seed(self: Random, a: Any = None, version: int = 2) -> None:
    process = current_process() if a is None else None
    _real_seed(self, a if process is None else entropy(process).getrandbits(128), version)


def patch_random() -> None:
    """The modules `random` and `os`. `SystemRandom` and `secrets` ask os.urandom."""
    replace(Random, "seed", _seed)
    inst = random._inst
    drawn = [name for name in random.__all__ if getattr(getattr(random, name), "__self__", None) is inst]
    virtualize(random, {name: _drawing(name) for name in drawn})

    def urandom(process: Process, size: int) -> bytes:
        return entropy(process).randbytes(size)

    virtualize(os, {"urandom": urandom, "getrandom": lambda process, size, flags=0: urandom(process, size)})


def _drawing(name: str) -> Any:
    return lambda process, *args, **kwargs: getattr(_random(process), name)(*args, **kwargs)


def patch_uuid(uuid: Any) -> None:
    """The module `uuid`. uuid1 remembers its last time stamp in a global variable; each program has its own."""
    real = uuid.uuid1

    def uuid1(process: Process, node: int | None = None, clock_seq: int | None = None) -> Any:
        program = program_of(process)
        others, uuid._last_timestamp = uuid._last_timestamp, program.last_uuid1
        try:
            sequence = entropy(process).getrandbits(14) if clock_seq is None else clock_seq
            return real(uuid.getnode() if node is None else node, sequence)
        finally:
            program.last_uuid1, uuid._last_timestamp = uuid._last_timestamp, others

    def getnode(process: Process) -> int:
        return program_of(process).node

    virtualize(uuid, {"uuid1": uuid1, "getnode": getnode})


def patch_tempfile(tempfile: Any) -> None:
    """The module `tempfile`: the names of files. The files are real. It looks for their folder once in an interpreter,
    with names that are not the program's."""
    real = tempfile._get_default_tempdir

    def folder(process: Process, *args: Any) -> Any:
        with unsimulated():
            return real(*args)

    def names(process: Process) -> Any:
        program = program_of(process)
        if program.file_names is None:
            program.file_names = tempfile._RandomNameSequence()
        return program.file_names

    virtualize(tempfile, {"_get_candidate_names": names, "_get_default_tempdir": folder})
