"""JSON and GZIP that others wrote."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from typing import Any

DEEPEST = 200  # levels; ours: Python's own limit depends on its version and on who calls
LARGEST = 100_000_000  # bytes of what was compressed; ours: a few kilobytes can hold gigabytes
_SKIP = re.compile(r'"(?:[^"\\]|\\.)*"?|[^]["{}]+')


class TooDeep(ValueError):
    """A document that is nested too deeply."""


def read_json(text: str | bytes, **options: Any) -> Any:
    """`json.loads`, for what may be anything. Raises ValueError for what is no JSON, and for more than 200 levels
    TooDeep, which is a ValueError, too."""
    check_depth(text)
    return json.loads(text, **options)


def check_depth(text: str | bytes, deepest: int = DEEPEST) -> None:
    """Raise TooDeep for JSON of more levels. Bytes that are no text are somebody else's business."""
    opened = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if opened <= deepest:
        return
    level = 0
    for bracket in _SKIP.sub("", text if isinstance(text, str) else text.decode("utf-8", "replace")):
        level += 1 if bracket in "[{" else -1
        if level > deepest:
            raise TooDeep(f"it is nested more than {deepest} levels deep")


def read_gzip(data: bytes) -> bytes:
    """The content of all members of GZIP data. Raises ValueError for data that are none, and for more than 100 MB."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as members:
            content = members.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from None
    if len(content) > LARGEST:
        raise ValueError(f"they hold more than {LARGEST:,} bytes")
    return content
