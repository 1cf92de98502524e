"""What a delivery stream costs: by the bytes that go in, each record rounded up, and more for work on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lablib.aws.quotas import GIB
from lablib.kernel import Trace


class Work(NamedTuple):
    """What a stream does to each record, from a time on (s)."""

    since: float
    stream: str
    converts: bool
    partitions: bool


def bill(
    works: Iterable[Work], trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any], until: float
) -> dict[str, float]:
    """Dollars for what was taken in, by the price list, whose example has 1,048,576 KB in a GB; format conversion and
    dynamic partitioning are paid by the same bytes. `works` in the order of time; the last one before a record counts.
    """
    unit, details, of_stream = quotas["firehose.price_unit"], trace.details, dict[int, list[Work]]()
    for work in works:
        of_stream.setdefault(trace.code(work.stream), []).append(work)
    taken = converted = partitioned = 0
    times, streams = trace.column("time"), trace.column("resource")
    for kind in ("RecordAccepted", "RecordTaken"):
        for row in rows.get(kind, ()):
            size = max(1, math.ceil(details[row] / unit)) * unit
            taken += size
            last = next((w for w in reversed(of_stream.get(streams[row], ())) if w.since <= times[row]), None)
            if last is not None:
                converted += last.converts * size
                partitioned += last.partitions * size
    sizes = {"records taken": taken, "format conversion": converted, "dynamic partitioning": partitioned}
    prices = quotas["firehose.price_gb"], quotas["firehose.price_conversion"], quotas["firehose.price_partitioning"]
    return {what: size / GIB * price for (what, size), price in zip(sizes.items(), prices) if size}
