"""A plain face on the front door for the lab's own actors: boto3's spelling, no validation, no retries, a third of the
cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lablib.aws.service import Principal, Service, pascal
from lablib.gateway import FLAT, Gateway, duplicate


def snake(name: str) -> str:
    """`QueueUrl` -> `queue_url`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


class _Snake(dict[str, str]):
    def __missing__(self, name: str) -> str:
        self[name] = snake(name)
        return self[name]


_SNAKE = _Snake()


class DirectClient:
    """`direct.send_message(QueueUrl=..., MessageBody=...)`: as boto3's client, but errors are ServiceError and nothing
    is retried. `caller` tells who calls: a function without arguments."""

    def __init__(
        self, gateway: Gateway, service: Service, caller: Callable[[], str], principal: Principal | None = None
    ) -> None:
        self._gateway = gateway
        self._principal = principal
        self._service = service
        self._caller = caller

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        if name.startswith("_"):
            raise AttributeError(name)
        door, service, caller, operation = self._gateway.call, self._service, self._caller, pascal(name)

        principal, spelling, flat = self._principal, _SNAKE, FLAT

        def call(**params: Any) -> dict[str, Any]:
            given = {}
            for key, value in params.items():  # faster than a comprehension
                given[spelling[key]] = value if value.__class__ in flat else duplicate(value)
            return door(caller(), service, name, given, operation, 60.0, principal)

        setattr(self, name, call)
        return call
