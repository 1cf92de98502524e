"""What a topic costs: by published message, and by delivery where the protocol has a price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lablib.aws.quotas import MILLION
from lablib.kernel import Trace

_PRICES = {"http": "http", "https": "http", "email": "email", "email-json": "email", "application": "push"}


def bill(trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any], until: float) -> dict[str, float]:
    """Dollars for publishing and for deliveries by protocol, by the price list.

    Deliveries to queues and functions cost nothing here: the queue's own requests and the function's runs do. Each
    64 KB of a published message is one request. Requests to confirm a subscription do not count.
    """
    chunk, subjects, names, details = quotas["sns.price_chunk"], trace.column("subject"), trace.names, trace.details
    published = {names[subjects[row]]: details[row] for row in rows.get("Published", ())}
    if not published:
        return {}
    requests = sum(max(1, -(-size // chunk)) for size in published.values())
    costs = {"publish": requests * quotas["sns.price_publish"] / MILLION}
    for row in rows.get("Delivered", ()):
        protocol = details[row]["protocol"]
        if names[trace.origin(row)] not in published:
            continue
        if protocol in _PRICES:
            price = quotas[f"sns.price_{_PRICES[protocol]}"] / MILLION
        elif protocol == "sms":
            price = quotas["sns.sms_price"]
        else:
            continue
        costs[protocol] = costs.get(protocol, 0.0) + price
    return costs
