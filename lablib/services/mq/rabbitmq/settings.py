"""What a queue is declared with: which arguments it takes, and RabbitMQ's words for what it does not take.

A policy (`Policy`) says the same without the x-, for all queues whose name fits. Where both say something, the lower
number counts, and else the argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from lablib.services.mq.rabbitmq.codec import AmqpError

OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx")
# What is compared when a queue is declared again (rabbit_amqqueue, check_declare_arguments).
COMPARED = (
    "x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length",
    "x-max-length-bytes", "x-overflow", "x-queue-type", "x-queue-mode", "x-single-active-consumer", "x-delivery-limit",
)  # fmt: skip
_NUMBERS = ("x-expires", "x-message-ttl", "x-max-length", "x-max-length-bytes", "x-delivery-limit")
_TEXTS = ("x-dead-letter-exchange", "x-dead-letter-routing-key", "x-overflow", "x-queue-type", "x-queue-mode")


@dataclass(frozen=True)
class Policy:
    """Settings for the queues whose names fit `pattern`, a regular expression; the highest `priority` alone counts.
    `definition` has the keys of RabbitMQ's policies: max-length, ha-mode, ..."""

    name: str
    pattern: str
    definition: Mapping[str, Any]
    priority: int = 0
    apply_to: str = "all"

    def fits(self, queue: str, quorum: bool) -> bool:
        """Is it for that queue?"""
        if self.apply_to not in ("all", "queues", "quorum_queues" if quorum else "classic_queues"):
            return False
        return re.search(self.pattern, queue) is not None


@dataclass
class Settings:
    """How a queue behaves. Times in seconds, sizes in messages and bytes; inf: no limit."""

    ttl: float = inf
    expires: float = inf
    max_length: float = inf
    max_bytes: float = inf
    overflow: str = "drop-head"
    dead_letter_exchange: str | None = None
    dead_letter_key: str | None = None
    single_active: bool = False
    delivery_limit: float = inf
    mirrored: bool = False
    synchronise: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)


def letters(value: Any) -> str:
    """A value as RabbitMQ says it in a refusal."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"the value '{str(value).lower()}' of type 'bool'"
    if isinstance(value, int):
        return f"the value '{value}' of type '{'signedint' if abs(value) < 2**31 else 'long'}'"
    return f"the value '{value}' of type '{_type(value)}'"


def _type(value: Any) -> str:
    names = {bool: "bool", int: "long", float: "double", str: "longstr", bytes: "binary", dict: "table", list: "array"}
    return "void" if value is None else names.get(type(value), "timestamp")


def check_arguments(arguments: Mapping[str, Any], what: str) -> None:
    """Raise PRECONDITION_FAILED for an argument that RabbitMQ does not take. `what`: "queue 'q' in vhost '/'"."""

    def refuse(name: str, why: str) -> None:
        raise AmqpError(406, f"invalid arg '{name}' for {what}: {why}")

    for name in _NUMBERS:
        if name not in arguments:
            continue
        value = arguments[name]
        if type(value) is not int:
            refuse(name, f"{{unacceptable_type,{_type(value)}}}")
        elif value < 0 and name != "x-delivery-limit":
            refuse(name, f"{{value_negative,{value}}}")
        elif value == 0 and name == "x-expires":
            refuse(name, "{value_zero,0}")
    for name in _TEXTS:
        if name in arguments and not isinstance(arguments[name], str):
            refuse(name, f"{{unacceptable_type,{_type(arguments[name])}}}")
    if (overflow := arguments.get("x-overflow", "drop-head")) not in OVERFLOWS:
        refuse("x-overflow", f'{{invalid_overflow,<<"{overflow}">>}}')
    if "x-dead-letter-routing-key" in arguments and "x-dead-letter-exchange" not in arguments:
        refuse("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined")
    if (kind := arguments.get("x-queue-type", "classic")) not in ("classic", "quorum", "stream"):
        refuse("x-queue-type", f"unsupported queue type '{kind}'")
    for name, known in (("x-max-priority", "priorities of queues"), ("x-queue-type", "streams")):
        if name in arguments and (name != "x-queue-type" or kind == "stream"):
            raise AmqpError(540, f"{known} are not simulated in this lab")


def settings_of(
    arguments: Mapping[str, Any], policy: Mapping[str, Any], quorum: bool, default_delivery_limit: float
) -> Settings:
    """What arguments and the policy make of a queue."""

    def least(name: str) -> float:
        values = [source[key] for source, key in ((arguments, f"x-{name}"), (policy, name)) if key in source]
        return min(values) if values else inf

    def first(name: str, default: Any = None) -> Any:
        return arguments.get(f"x-{name}", policy.get(name, default))

    limit = least("delivery-limit")
    return Settings(
        ttl=least("message-ttl") / 1000,
        expires=least("expires") / 1000,
        max_length=least("max-length"),
        max_bytes=least("max-length-bytes"),
        overflow=first("overflow", "drop-head"),
        dead_letter_exchange=first("dead-letter-exchange"),
        dead_letter_key=first("dead-letter-routing-key"),
        single_active=bool(first("single-active-consumer", False)),
        delivery_limit=(default_delivery_limit if limit == inf else inf if limit < 0 else limit) if quorum else inf,
        mirrored=not quorum and policy.get("ha-mode") in ("all", "exactly", "nodes"),
        synchronise=policy.get("ha-sync-mode", "manual") == "automatic",
        arguments=arguments,
    )
