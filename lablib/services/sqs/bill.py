"""What queues cost: requests, by the 64 KB that they carry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lablib.aws.quotas import MILLION
from lablib.aws.service import Service, pascal
from lablib.kernel import Trace


class Billed(Service):
    """The part of SQS that knows its prices."""

    @classmethod
    def requests(cls, trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any]) -> int:
        """Requests as SQS bills them: each 64 KB of what a call carries is one (SQS pricing page)."""
        chunk, details = quotas["sqs.price_chunk"], trace.details
        cause, subject = trace.column("cause"), trace.column("subject")
        sizes = {subject[row]: details[row] for row in rows.get("Sent", ())}
        carried: dict[int, int] = {}
        for kind in ("Sent", "Received"):
            for row in rows.get(kind, ()):
                carried[cause[row]] = carried.get(cause[row], 0) + sizes.get(subject[row], 0)
        calls = [row for name in cls.coverage() for row in rows.get(pascal(name), ())]
        return sum(max(1, math.ceil(carried.get(row, 0) / chunk)) for row in calls)

    @classmethod
    def bill(
        cls, trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any], until: float
    ) -> dict[str, float]:
        return {"requests": cls.requests(trace, rows, quotas) * float(quotas["sqs.price_per_million"]) / MILLION}
