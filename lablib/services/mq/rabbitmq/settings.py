"""What a queue is declared with: which arguments it takes, and RabbitMQ's words for what it does not take.

A policy (`Policy`) says the same without the x-, for all queues whose name fits. Where both say something, the lower
number counts, and else the argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from lablib.services.mq.rabbitmq.codec import AmqpError
from lablib.services.mq.rabbitmq.patterns import Pattern, Unfit, found

OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx")
# What is compared when a queue is declared again (rabbit_amqqueue, check_declare_arguments).
COMPARED = (
    "x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length",
    "x-max-length-bytes", "x-overflow", "x-queue-type", "x-queue-mode", "x-single-active-consumer", "x-delivery-limit",
)  # fmt: skip
_TYPES = {
    "x-expires": int, "x-message-ttl": int, "x-max-length": int, "x-max-length-bytes": int, "x-delivery-limit": int,
    "x-dead-letter-routing-key": str, "x-overflow": str, "x-queue-type": str, "x-queue-mode": str,
    "x-single-active-consumer": bool,
}  # fmt: skip


_APPLY_TO = ("all", "queues", "classic_queues", "quorum_queues", "streams", "exchanges")


@dataclass(frozen=True)
class Policy:
    """Settings for the queues whose names fit `pattern`, a regular expression; the highest `priority` alone counts.
    `definition` has the keys of RabbitMQ's policies: max-length, ha-mode, ..."""

    name: str
    pattern: str
    definition: Mapping[str, Any]
    priority: int = 0
    apply_to: str = "all"

    def wrong(self) -> str:
        """What RabbitMQ does not take of it, "" when it takes all."""
        if not isinstance(self.definition, dict) or not self.definition or not isinstance(self.pattern, str):
            return "a policy has a pattern and a definition"
        if self.apply_to not in _APPLY_TO:
            return f"apply-to must be one of {', '.join(_APPLY_TO)}"
        if type(self.priority) is not int:
            return f"priority should be a number, actually was {self.priority!r}"
        arguments = {f"x-{name}": value for name, value in self.definition.items()}
        try:
            Pattern(self.pattern)
            check_arguments({"x-queue-type": "quorum", **arguments}, f"policy '{self.name}'")
        except (Unfit, AmqpError) as error:
            return str(error)
        return ""

    def fits(self, queue: str, quorum: bool) -> bool:
        """Is it for that queue?"""
        if self.apply_to not in ("all", "queues", "quorum_queues" if quorum else "classic_queues"):
            return False
        return found(self.pattern, queue)


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


def type_name(value: Any) -> str:
    """The type of a field as RabbitMQ calls it."""
    if type(value) is int:
        return "signedint" if abs(value) < 2**31 else "long"
    names = {bool: "bool", float: "double", str: "longstr", bytes: "binary", dict: "table", list: "array"}
    return "void" if value is None else names.get(type(value), "timestamp")


def letters(value: Any) -> str:
    """A value as RabbitMQ says it in a refusal."""
    if value is None:
        return "none"
    text = str(value).lower() if isinstance(value, bool) else value
    return f"the value '{text}' of type '{type_name(value)}'"


def check_arguments(arguments: Mapping[str, Any], what: str) -> None:
    """Raise PRECONDITION_FAILED, in the words of RabbitMQ 3.10.8, for an argument that it does not take. `what`: "queue
    'q' in vhost '/'"."""

    def refuse(name: str, why: str) -> None:
        raise AmqpError(406, f"invalid arg '{name}' for {what}: {why}")

    kind = arguments.get("x-queue-type", "classic")
    exchange = arguments.get("x-dead-letter-exchange", "")
    if not isinstance(exchange, str):
        raise AmqpError(406, f"invalid type '{type_name(exchange)}' for arg 'x-dead-letter-exchange' in {what}")
    if "x-delivery-limit" in arguments and kind == "classic":
        raise AmqpError(406, f"invalid arg 'x-delivery-limit' for {what} of queue type rabbit_classic_queue")
    for name, known in _TYPES.items():
        value = arguments.get(name)
        if name not in arguments or type(value) is known:
            continue
        if known is int:
            refuse(name, f'"expected integer, got {type_name(value)}"')
        refuse(name, f"{{unacceptable_type,{type_name(value)}}}")
    for name in (name for name, known in _TYPES.items() if known is int and name in arguments):
        if arguments[name] < 0 and name != "x-delivery-limit":
            refuse(name, f"{{value_negative,{arguments[name]}}}")
        if arguments[name] == 0 and name == "x-expires":
            refuse(name, "{value_zero,0}")
    if arguments.get("x-overflow", "drop-head") not in OVERFLOWS:
        refuse("x-overflow", "invalid_overflow")
    if (mode := arguments.get("x-queue-mode", "default")) not in ("default", "lazy"):
        refuse("x-queue-mode", f"\"unsupported queue mode '{mode}'\"")
    if "x-dead-letter-routing-key" in arguments and "x-dead-letter-exchange" not in arguments:
        refuse("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined")
    if kind not in ("classic", "quorum", "stream"):
        refuse("x-queue-type", f"\"unsupported queue type '{kind}'\"")
    if kind == "stream":
        raise AmqpError(540, "streams are not simulated in this lab")
    if "x-max-priority" in arguments:
        raise AmqpError(540, "priorities of queues are not simulated in this lab")


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
