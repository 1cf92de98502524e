"""What a kept page has of its run, as its script reads it."""

import base64
import json
import re
import zlib
from typing import Any


def saved_in(text: str) -> dict[str, Any]:
    """The document that a page of `to_html` inflates."""
    packed = re.search(r'const saved = await inflated\(bytes\("([^"]+)"\)\)', text)
    assert packed
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed[1])))
    return found
