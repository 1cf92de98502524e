"""The learner's own files: changed by one kernel at a time, replaced as a whole, read whatever is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from lablib.aws.documents import read_json

try:
    import fcntl
except ImportError:  # Windows: two kernels that save at the same instant may lose one of the two updates
    fcntl = None  # type: ignore[assignment]

HOME = "MESSAGING_LAB_HOME"  # the variable that names the folder


def home() -> Path:
    """The learner's folder for what the lab remembers: of that variable, else `.messaging-lab` in the current one."""
    return Path(os.environ.get(HOME) or ".messaging-lab").absolute()


def read(path: Path) -> Any:
    """The JSON in a file. Raises OSError, and ValueError for what is none."""
    return read_json(path.read_text(encoding="utf-8"))


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other kernels of the learner from changing that file meanwhile. Without a lock, go on all the same."""
    with ExitStack() as stack:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(path.with_suffix(".lock").open("a"))
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        yield


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A path to write to; what is there at the end becomes `target` at once.

    An interruption or a full disk leaves the old file or the new one, never half of one, and nothing beside it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
