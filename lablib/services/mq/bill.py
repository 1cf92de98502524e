"""What brokers cost: by the hour and instance, whether they work or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lablib.aws.quotas import HOUR
from lablib.kernel import Trace


def bill(
    prices: Iterable[tuple[float, str, float]],
    trace: Trace,
    rows: Mapping[str, list[int]],
    quotas: Mapping[str, Any],
    until: float,
) -> dict[str, float]:
    """Dollars by the price list, from a broker's creation to its end. `prices`: from when on (s) a broker costs how
    much an hour, in the order of time; nan: that is not known, and neither is the bill. Storage is not in it.
    """
    running: dict[str, tuple[float, float]] = {}  # since when, and $ an hour
    dollars = 0.0
    for time, broker, price in prices:
        since, before = running.get(broker, (time, 0.0))
        dollars += (time - since) / HOUR * before
        running[broker] = (time, price)
    dollars += sum((until - since) / HOUR * price for since, price in running.values() if until > since)
    return {"broker hours": dollars} if dollars else {}
