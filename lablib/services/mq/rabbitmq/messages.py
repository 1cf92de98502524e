"""Messages, and the header x-death of those that a queue has given up (RabbitMQ's page on dead letter exchanges)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from lablib.services.mq.rabbitmq.codec import AmqpError, read_properties, write_properties
from lablib.services.mq.rabbitmq.settings import type_name


@dataclass(eq=False, slots=True)
class Message:
    """What somebody published. `properties` are as they came; `headers` and `ttl` (seconds) are read from them."""

    subject: str  # its name in the trace
    exchange: str
    routing_key: str
    properties: bytes
    body: bytes
    headers: Mapping[str, Any]
    persistent: bool = False
    ttl: float = inf
    cause: int = -1  # the row of the trace that led to it

    @property
    def size(self) -> int:
        """Bytes of body and properties."""
        return len(self.body) + len(self.properties)

    @property
    def keys(self) -> list[str]:
        """By which keys it is routed: its own, and those of the headers CC and BCC."""
        more = [key for name in ("CC", "BCC") for key in self.headers.get(name, ())]
        return [self.routing_key, *more]


@dataclass(eq=False, slots=True)
class Entry:
    """A message in one queue. `position`: its place; `failures`: how often it came back (x-delivery-count of quorum
    queues); `deliveries`: how often it went out; `arrived`: the last of them that came to its channel; `safe`: no crash
    that the queue is made for can lose it; `row`: its last row in the trace."""

    subject: str
    message: Message
    position: int = 0
    expires: float = inf
    redelivered: bool = False
    failures: int = 0
    deliveries: int = 0
    arrived: int = 0
    safe: bool = False
    row: int = -1


def read_message(subject: str, exchange: str, routing_key: str, properties: bytes, body: bytes) -> Message:
    """The message that a client published. Raises SYNTAX_ERROR or PRECONDITION_FAILED for properties that are none."""
    found = read_properties(properties)
    headers = found.get("headers", {})
    for name in ("CC", "BCC"):
        if name in headers and not _is_list_of_texts(headers[name]):
            kind = type_name(headers[name])
            raise AmqpError(406, f'invalid message: {{unacceptable_type_in_header,"{name}",{kind}}}')
    if "BCC" in headers:  # nobody is to see it
        hidden = {name: value for name, value in headers.items() if name != "BCC"}
        properties = write_properties({**found, "headers": hidden})
    expiration = found.get("expiration")
    if expiration is not None and not (expiration.isascii() and expiration.isdigit()):
        raise AmqpError(406, f"invalid expiration '{expiration}': {_why_no_number(expiration)}")
    ttl = int(expiration) / 1000 if expiration is not None else inf
    return Message(subject, exchange, routing_key, properties, body, headers, found.get("delivery_mode") == 2, ttl)


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _why_no_number(text: str) -> str:
    number = re.match(r"-?[0-9]+", text)
    if number is None:
        return "no_integer"
    rest = text[number.end() :]
    return f'{{leftover_string,"{rest}"}}' if rest else f"{{value_negative,{text}}}"


def counted(message: Message, failures: int) -> bytes:
    """Its properties with the header x-delivery-count, which quorum queues add when it comes again."""
    found = read_properties(message.properties)
    return write_properties({**found, "headers": {**message.headers, "x-delivery-count": failures}})


def dead_letter(message: Message, queue: str, reason: str, when: datetime, exchange: str, key: str | None) -> Message:
    """The message as it goes to a dead-letter exchange: with one more entry in x-death, or the entry of this queue and
    reason counted up and put first. It does not expire again."""
    found = read_properties(message.properties)
    headers = dict(message.headers)
    deaths = [death for death in headers.get("x-death", ()) if isinstance(death, dict)]
    entry = next((d for d in deaths if (d.get("queue"), d.get("reason")) == (queue, reason)), None)
    if entry is None:
        entry = {
            "count": 0, "reason": reason, "queue": queue, "time": when, "exchange": message.exchange,
            "routing-keys": message.keys,
        }  # fmt: skip
        if "expiration" in found:
            entry["original-expiration"] = found["expiration"]
    others = [d for d in deaths if d is not entry]
    headers["x-death"] = [{**entry, "count": entry["count"] + 1}, *others]
    for name, value in (("queue", queue), ("reason", reason), ("exchange", message.exchange)):
        headers.setdefault(f"x-first-death-{name}", value)
        headers[f"x-last-death-{name}"] = value
    if key is not None:
        headers.pop("CC", None)
    properties = {name: value for name, value in found.items() if name != "expiration"}
    written = write_properties({**properties, "headers": headers})
    return Message(
        message.subject, exchange, message.routing_key if key is None else key, written, message.body, headers,
        message.persistent,
    )  # fmt: skip


def in_a_circle(message: Message, queue: str) -> bool:
    """Has it been in that queue before, and was rejected nowhere on its way? Then RabbitMQ drops it."""
    deaths = message.headers.get("x-death", ())
    been = [at for at, death in enumerate(deaths) if death.get("queue") == queue]
    return bool(been) and all(death.get("reason") != "rejected" for death in deaths[: been[0] + 1])
