"""What buckets cost: by request, and by the bytes that lie there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lablib.aws.quotas import GIB, HOUR, MILLION
from lablib.kernel import Trace

_MONTH = 730  # hours
_FREE = ("Delete", "Abort")  # how the operations begin that cost nothing
_WRITES = ("Put", "Copy", "Create", "Complete", "Upload", "List")  # and those of the dearer kind


def bill(
    operations: Iterable[str],
    trace: Trace,
    rows: Mapping[str, list[int]],
    quotas: Mapping[str, Any],
    until: float,
) -> dict[str, float]:
    """Dollars by the price list, for S3 Standard. PUT, COPY, POST and LIST have one price, deleting none, all else
    another; an object is billed for the time that it lies there. Transfer out of AWS is not simulated.
    """
    calls = {name: len(rows.get(name, ())) for name in operations if not name.startswith(_FREE)}
    writes = sum(count for name, count in calls.items() if name.startswith(_WRITES))
    costs = {
        "PUT, LIST requests": writes * float(quotas["s3.price_put"]) / MILLION,
        "GET requests": (sum(calls.values()) - writes) * float(quotas["s3.price_get"]) / MILLION,
        "storage": _kept(trace, rows, until) / GIB / HOUR / _MONTH * float(quotas["s3.price_storage"]),
    }
    return {what: dollars for what, dollars in costs.items() if dollars}


def _kept(trace: Trace, rows: Mapping[str, list[int]], until: float) -> float:
    """Bytes times the seconds that they were kept."""
    times, resources, subjects = (trace.column(name) for name in ("time", "resource", "subject"))
    objects: dict[tuple[int, int], tuple[float, int]] = {}  # when each came, and its size
    total = 0.0
    created = rows.get("ObjectCreated", [])
    sizes = {row: trace.details[row] for row in created}
    for row in sorted([*created, *rows.get("ObjectRemoved", ())]):
        key = (resources[row], subjects[row])
        came, size = objects.pop(key, (0.0, 0))
        total += size * (times[row] - came)
        if row in sizes:
            objects[key] = (times[row], sizes[row])
    return total + sum(size * (until - came) for came, size in objects.values())
