"""Shard iterators: a position in a shard, as an opaque text that is good for five minutes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import NamedTuple

_HEAD = "AAAAAAAAAA"  # how AWS's begin


class Iterator(NamedTuple):
    """Where a reader stands: a stream (`serial` tells it from a former one of that name), a shard, the number of the
    next record there, and when this was written down. No two have the same `mark`, so no two texts are the same."""

    stream: str
    serial: int
    shard: str
    position: int
    time: float
    mark: int

    def text(self) -> str:
        """As the caller gets it."""
        parts = f"{self.stream} {self.serial} {self.shard} {self.position} {self.time!r} {self.mark}"
        return _HEAD + b64encode(parts.encode()).decode()


def parse(text: str) -> Iterator | None:
    """The iterator behind a text; None when it is none of ours."""
    text = text[1:-1] if text.startswith('"') and text.endswith('"') else text  # recorded: quotes around it do no harm
    if not text.startswith(_HEAD):
        return None
    try:
        code = b64decode(text.removeprefix(_HEAD), validate=True)
        stream, serial, shard, position, time, mark = code.decode().split(" ")
        return Iterator(stream, int(serial), shard, int(position), float(time), int(mark))
    except ValueError:
        return None
