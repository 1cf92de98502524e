"""How long a caller of SQS may have to wait."""

from __future__ import annotations

from typing import Any

from lablib.aws.service import Service


class LongPolling(Service):
    """The part of SQS that knows how long a receive can take. `_by_url`: its queues."""

    slow = frozenset(("ReceiveMessage",))
    _by_url: dict[str, Any]

    def longest(self, operation: str, params: dict[str, Any]) -> float:
        """A long poll (API: ReceiveMessage, "ensure that the HTTP response timeout ... is longer")."""
        queue, wait = self._by_url.get(params.get("queue_url", "")), params.get("wait_time_seconds")
        return float(wait if wait is not None else queue.wait if queue else 0)
