"""JSON that others wrote."""

from __future__ import annotations

import json
import re
from typing import Any

DEEPEST = 200  # levels; ours: Python's own limit depends on its version and on who calls
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
