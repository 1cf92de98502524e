"""What queues cost: requests, by the 64 KB that they carry."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from lablib.kernel import Trace


def billed(trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any], operations: Collection[str]) -> int:
    """The requests that SQS bills: each 64 KB of what a call of one of `operations` carries is one."""
    chunk, details = quotas["sqs.price_chunk"], trace.details
    cause, subject = trace.column("cause"), trace.column("subject")
    sizes = {subject[row]: details[row] for row in rows.get("Sent", ())}
    carried: dict[int, int] = {}
    for kind in ("Sent", "Received"):
        for row in rows.get(kind, ()):
            carried[cause[row]] = carried.get(cause[row], 0) + sizes.get(subject[row], 0)
    calls = [row for name in operations for row in rows.get(name, ())]
    return sum(max(1, math.ceil(carried.get(row, 0) / chunk)) for row in calls)
