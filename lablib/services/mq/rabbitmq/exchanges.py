"""Exchanges and bindings: which queues a message goes to.

Sources: the specification (amqp0-9-1, 3.1.3), and RabbitMQ's pages on exchanges, alternate exchanges and exchange to
exchange bindings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TYPES = ("direct", "fanout", "topic", "headers")
PREDECLARED = {
    "": "direct", "amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic", "amq.headers": "headers",
    "amq.match": "headers", "amq.rabbitmq.trace": "topic",
}  # fmt: skip


class Binding(NamedTuple):
    """From an exchange to a queue or another exchange (`kind`), by a routing key and arguments."""

    kind: str
    destination: str
    routing_key: str
    arguments: tuple[tuple[str, Any], ...]


@dataclass(eq=False)
class Exchange:
    """An exchange. `internal`: only other exchanges may send to it."""

    name: str
    type: str
    durable: bool
    auto_delete: bool = False
    internal: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    bindings: dict[Binding, None] = field(default_factory=dict)  # in the order in which they were made

    @property
    def alternate(self) -> str | None:
        """The exchange that gets what this one can give to nobody."""
        return self.arguments.get("alternate-exchange")

    def matches(self, routing_key: str, headers: Mapping[str, Any]) -> Iterator[Binding]:
        """The bindings that a message fits."""
        for binding in self.bindings:
            if self._fits(binding, routing_key, headers):
                yield binding

    def _fits(self, binding: Binding, routing_key: str, headers: Mapping[str, Any]) -> bool:
        match self.type:
            case "direct":
                return binding.routing_key == routing_key
            case "topic":
                return topic_matches(_words(binding.routing_key), _words(routing_key))
            case "headers":
                return headers_match(dict(binding.arguments), headers)
        return True


def _words(key: str) -> list[str]:
    return key.split(".") if key else []


def topic_matches(pattern: list[str], words: list[str]) -> bool:
    """Does a routing key fit the pattern? `*` is one word, `#` any number of them."""
    reach = {0}  # so many words may have been used up
    for part in pattern:
        if part == "#":
            reach = set(range(min(reach), len(words) + 1))
        else:
            reach = {at + 1 for at in reach if at < len(words) and part in ("*", words[at])}
        if not reach:
            return False
    return len(words) in reach


def headers_match(wanted: Mapping[str, Any], headers: Mapping[str, Any]) -> bool:
    """Do a message's headers fit the arguments of a binding? `x-match`: all (the default), any, all-with-x, any-with-x.
    A wanted value of None asks only that the header is there."""
    how = wanted.get("x-match", "all")
    keep_x = how.endswith("-with-x")
    tests = [
        name in headers and (value is None or (headers[name] == value and type(headers[name]) is type(value)))
        for name, value in wanted.items()
        if name != "x-match" and (keep_x or not name.startswith("x-"))
    ]
    return any(tests) if how.startswith("any") else all(tests)


def route(exchanges: Mapping[str, Exchange], first: Exchange, keys: list[str], headers: Mapping[str, Any]) -> list[str]:
    """The names of all queues that a message for the exchange goes to, each once, in a fixed order."""
    if first.name == "":
        return list(dict.fromkeys(keys))
    found: dict[str, None] = {}
    seen, todo = {first.name}, [first]
    while todo:
        exchange = todo.pop(0)
        matched = list(dict.fromkeys(b for key in keys for b in exchange.matches(key, headers)))
        following = [b.destination for b in matched if b.kind == "exchange"]
        found.update((b.destination, None) for b in matched if b.kind == "queue")
        if not matched and exchange.alternate is not None:
            if exchange.alternate == "":
                found.update((key, None) for key in keys)
            following.append(exchange.alternate)
        for name in following:
            if name in exchanges and name not in seen:
                seen.add(name)
                todo.append(exchanges[name])
    return list(found)
