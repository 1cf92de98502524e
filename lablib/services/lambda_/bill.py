"""What functions cost: by invocation, and by the memory that they have while they run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lablib.aws.quotas import MILLION
from lablib.kernel import Trace


def bill(
    sizes: Mapping[int, int], trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any], until: float
) -> dict[str, float]:
    """Dollars by the price list. `sizes`: the memory (MB) of the function at each start, by its row.

    A run is billed from its start to its end, in whole milliseconds; making its environment is billed too since August
    2025. What still runs at `until` is counted to there. Ephemeral storage beyond 512 MB is not simulated.
    """
    starts = [row for row in rows.get("InvocationStarted", ()) if row in sizes]
    if not starts:
        return {}
    times, causes = trace.column("time"), trace.column("cause")
    ends = {causes[row]: times[row] for kind in ("InvocationEnded", "InvocationFailed") for row in rows.get(kind, ())}
    begins = {row: times[row] for row in starts}
    if not quotas["lambda.bills_init"]:
        begins |= {causes[row]: trace.column("until")[row] for row in rows.get("EnvironmentStarted", ())}
    seconds = 0.0  # of one GB
    for row in starts:
        lasted = max(0.0, ends.get(row, until) - begins[row])
        seconds += math.ceil(round(lasted * 1000, 6)) / 1000 * sizes[row] / 1024
    return {
        "requests": len(starts) * float(quotas["lambda.price_requests"]) / MILLION,
        "duration": seconds * float(quotas["lambda.price_gb_second"]),
    }
