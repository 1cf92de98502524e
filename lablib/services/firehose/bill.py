"""What a delivery stream costs: by the bytes that go in, each record rounded up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lablib.aws.quotas import GIB
from lablib.kernel import Trace


def bill(trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any], until: float) -> dict[str, float]:
    """Dollars for what was taken in, by the price list, whose example has 1,048,576 KB in a GB. Format conversion and
    dynamic partitioning are not in it.
    """
    unit, details = quotas["firehose.price_unit"], trace.details
    taken = [details[row] for kind in ("RecordAccepted", "RecordTaken") for row in rows.get(kind, ())]
    if not taken:
        return {}
    size = sum(max(1, math.ceil(size / unit)) * unit for size in taken)
    return {"records taken": size / GIB * quotas["firehose.price_gb"]}
