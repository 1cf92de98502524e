"""The tracing header (X-Amzn-Trace-Id) that goes with requests from function to function, and by which Lambda notices a
loop: it counts, in the header, how often a function stands in a chain of requests.

(X-Ray developer guide, "Tracing header"; Lambda developer guide, "Use Lambda recursive loop detection to prevent
infinite loops"; SQS API reference, AWSTraceHeader. The form of the part Lineage is not published: it is ours.)
"""

from __future__ import annotations

import re
from zlib import crc32

_LINEAGE = re.compile(r"Lineage=([^;]*)")


def rounds(header: str, function: str) -> int:
    """How often the function with that ARN ran in the chain of requests that this header tells of."""
    return _counts(header).get(_short(function), 0)


def onward(header: str, function: str, time: float, id: str) -> str:
    """The header of the requests that a function makes; `header` came with its own, empty for none. `time` in seconds
    since 1970, `id` a fresh uuid."""
    counts = _counts(header)
    counts[_short(function)] = counts.get(_short(function), 0) + 1
    hexadecimal = id.replace("-", "")
    root = header.partition(";")[0] if header.startswith("Root=") else f"Root=1-{int(time):08x}-{hexadecimal[:24]}"
    lineage = "|".join(f"1:{name}:{count}" for name, count in counts.items())
    return f"{root};Parent={hexadecimal[-16:]};Sampled=0;Lineage={lineage}"


def _counts(header: str) -> dict[str, int]:
    found = _LINEAGE.search(header)
    parts = [part.split(":") for part in found[1].split("|")] if found else []
    return {part[1]: int(part[2]) for part in parts if len(part) == 3 and re.fullmatch("[0-9]{1,18}", part[2])}


def _short(function: str) -> str:
    return f"{crc32(function.encode()):08x}"
