"""Queues, topics and consumers of an ActiveMQ broker, in the memory of the program that serves.

The model, after ActiveMQ's regions. A queue hands each message to one consumer that has room: up to `prefetch` messages
may be with a consumer unacknowledged. Consumers take turns. What a consumer had when it leaves goes back to the front,
in order, marked as redelivered. A topic hands a copy to every subscriber; only a durable subscription keeps copies
while its client is away. A message that cannot be worked on, or is too old, goes to ActiveMQ.DLQ if it is persistent,
and is dropped if not (SharedDeadLetterStrategy's defaults).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lablib.services.mq.activemq.store import Change, DurableKey, DurableRecord, Write

if TYPE_CHECKING:
    from lablib.services.mq.activemq.broker import Serving

DLQ = "ActiveMQ.DLQ"
HEADERS = 1024  # bytes that ActiveMQ counts for the headers of a message (Message.getSize)


@dataclass(eq=False, slots=True)
class Message:
    """A message as a broker has it, or one subscriber's copy of it. `expires`: milliseconds since 1970, 0 for never.

    `write`: its way to the disk, while it is under way; `stored`: it is there. `row`: the row that brought it here.
    """

    id: str
    destination: str  # "queue/orders", "topic/prices"
    body: bytes
    properties: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)  # of STOMP: correlation-id, reply-to, type
    persistent: bool = False
    priority: int = 4
    timestamp: int = 0
    expires: int = 0
    has_length: bool = False  # it came with a content-length: it is bytes, not text
    sender: str = ""
    original_destination: str = ""
    redelivered: bool = False
    delivery: int = 0
    row: int = -1
    write: Write | None = None
    stored: bool = False

    @property
    def size(self) -> int:
        """Bytes that it takes in a broker's memory or on its disk."""
        return len(self.body) + HEADERS

    def copy(self, id: str) -> Message:
        """Another one of the same contents, for one subscriber of a topic."""
        return Message(
            id, self.destination, self.body, self.properties, self.headers, self.persistent, self.priority,
            self.timestamp, self.expires, self.has_length, self.sender, self.original_destination,
        )  # fmt: skip


class Consumer:
    """A subscription of a connected client. `send(consumer, message)` writes a message to it; `clogged()`: does its
    client read nothing at the moment?"""

    def __init__(
        self,
        name: str,
        peer: str,
        prefetch: int,
        send: Callable[[Consumer, Message], None],
        clogged: Callable[[], bool],
        *,
        auto: bool = False,
        selector: Callable[[Message], bool] | None = None,
        exclusive: bool = False,
        priority: int = 0,
    ) -> None:
        self.name, self.peer, self.prefetch, self.auto = name, peer, prefetch, auto
        self.send, self.clogged, self.selector = send, clogged, selector
        self.exclusive, self.priority = exclusive, priority
        self.dispatched: dict[str, Message] = {}  # by the id, in the order of dispatch; not yet acknowledged
        self.source: Source | None = None  # where its messages come from

    def has_room(self) -> bool:
        """May it be sent one more?"""
        return len(self.dispatched) < self.prefetch and not self.clogged()

    def wants(self, message: Message) -> bool:
        """Does its selector let the message through?"""
        return self.selector is None or self.selector(message)


class Source:
    """What waits for consumers at one place: a queue, a durable subscription, or a topic's subscriber."""

    def __init__(self, serving: Serving, name: str) -> None:
        self.serving, self.name = serving, name
        self.waiting: deque[Message] = deque()
        self.consumers: list[Consumer] = []
        self.groups: dict[str, Consumer] = {}
        self.counts = {"EnqueueCount": 0, "DequeueCount": 0, "DispatchCount": 0, "ExpiredCount": 0}
        self._dispatching = False

    @property
    def place(self) -> str:
        return self.name

    def add(self, message: Message) -> None:
        """A message has come, and is dispatched as soon as somebody has room."""
        self.counts["EnqueueCount"] += 1
        self.serving.took(message)
        self.waiting.append(message)
        self.dispatch()

    def attach(self, consumer: Consumer) -> None:
        """A consumer subscribes."""
        consumer.source = self
        self.consumers.append(consumer)
        self.consumers.sort(key=lambda c: -c.priority)
        self.serving.broker.emit("ConsumerAdded", self.place, actor=consumer.peer, detail=consumer.name)
        self.dispatch()

    def detach(self, consumer: Consumer, why: str) -> None:
        """A consumer has gone: what it had goes back to the front, in order, and is marked."""
        self.consumers.remove(consumer)
        self.groups = {group: c for group, c in self.groups.items() if c is not consumer}
        emit = self.serving.broker.emit
        emit("ConsumerRemoved", self.place, actor=consumer.peer, detail=why)
        for message in consumer.dispatched.values():
            message.redelivered = True
            emit("Returned", self.place, message.id, consumer.peer, message.row, why)
        self.waiting.extendleft(reversed(consumer.dispatched.values()))
        consumer.dispatched = {}
        self.dispatch()

    # ---- dispatch ----------------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Hand out what can be handed out."""
        if self._dispatching or not self.waiting:  # a consumer that acknowledges at once makes room meanwhile
            return
        self._dispatching = True
        try:
            skipped: list[Message] = []
            now = self.serving.now_ms
            while self.waiting and any(c.has_room() for c in self.consumers):
                message = self.waiting.popleft()
                if message.expires and message.expires <= now:
                    self.expire(message)
                    continue
                consumer = self._consumer_for(message)
                if consumer is None:
                    skipped.append(message)
                else:
                    self._hand_out(message, consumer)
            self.waiting.extendleft(reversed(skipped))
        finally:
            self._dispatching = False

    def _consumer_for(self, message: Message) -> Consumer | None:
        """Who gets it: consumers take turns, those of a higher priority first."""
        candidates: Iterable[Consumer] = self.consumers
        if any(c.exclusive for c in self.consumers):
            candidates = [next(c for c in self.consumers if c.exclusive)]
        group = message.properties.get("JMSXGroupID")
        if group in self.groups:
            candidates = [self.groups[group]]
        for consumer in candidates:
            if consumer.has_room() and consumer.wants(message):
                if group:
                    self.groups[group] = consumer
                    if message.properties.get("JMSXGroupSeq") == "-1":
                        del self.groups[group]
                return consumer
        return None

    def _hand_out(self, message: Message, consumer: Consumer) -> None:
        consumer.dispatched[message.id] = message
        if len(self.consumers) > 1 and not consumer.exclusive:  # its turn is over, among those of its priority
            self.consumers.remove(consumer)
            self.consumers.append(consumer)
            self.consumers.sort(key=lambda c: -c.priority)
        message.delivery += 1
        self.counts["DispatchCount"] += 1
        detail = "redelivered" if message.redelivered else None
        message.row = self.serving.broker.emit("Dispatched", self.place, message.id, consumer.peer, message.row, detail)
        if consumer.auto:
            self.acknowledge(consumer, [message])
        consumer.send(consumer, message)

    # ---- the end of a message ----------------------------------------------------------------------------------------

    def acknowledge(self, consumer: Consumer, messages: list[Message], done: Callable[[], None] | None = None) -> None:
        """These are worked on. `done` is called when the disk knows it."""
        self.serving.write(self.settle(consumer, messages), done)
        self.dispatch()

    def settle(self, consumer: Consumer, messages: list[Message]) -> list[Change]:
        """These are worked on: what that changes on the disk."""
        changes = []
        for message in messages:
            consumer.dispatched.pop(message.id, None)
            self.serving.broker.emit("Acknowledged", self.place, message.id, consumer.peer, message.row)
            changes += self.forget(message)
        self.counts["DequeueCount"] += len(messages)
        return changes

    def poison(self, consumer: Consumer, message: Message, why: str, done: Callable[[], None] | None = None) -> None:
        """A consumer cannot work on it, and it is not tried again."""
        consumer.dispatched.pop(message.id, None)
        why_back = "not acknowledged (NACK)"
        self.serving.broker.emit("Returned", self.place, message.id, consumer.peer, message.row, why_back)
        self.to_dead_letters(message, why, done)
        self.counts["DequeueCount"] += 1
        self.dispatch()

    def expire(self, message: Message) -> None:
        """Its time to live is over."""
        self.counts["ExpiredCount"] += 1
        if not message.persistent or self.name == f"queue/{DLQ}":
            self.serving.broker.emit("TimeToLiveOver", self.place, message.id, self.serving.node.name, message.row)
            self.serving.write(self.forget(message))
        else:
            message.properties = {**message.properties, "originalExpiration": str(message.expires)}
            self.to_dead_letters(message, "it has expired")

    def to_dead_letters(self, message: Message, why: str, done: Callable[[], None] | None = None) -> None:
        """Move it to ActiveMQ.DLQ, or drop it when it is not persistent."""
        serving, changes = self.serving, self.forget(message)
        if not message.persistent:
            detail = f"{why}, and what is not persistent does not go to {DLQ}"
            serving.broker.emit("Discarded", self.place, message.id, serving.node.name, message.row, detail)
            serving.write(changes, done)
            return
        queue = serving.queue(DLQ)
        message.properties = {**message.properties, "dlqDeliveryFailureCause": f"java.lang.Throwable: {why}"}
        message.original_destination, message.destination = message.destination, queue.name
        message.expires, message.redelivered, message.write, message.stored = 0, False, None, False
        there = serving.broker.place(queue.place)
        message.row = serving.broker.emit("DeadLettered", self.place, message.id, serving.node.name, message.row, there)
        serving.write([*changes, ("add", queue.name, message)], done, [message])
        queue.add(message)

    def forget(self, message: Message) -> list[Change]:
        """It leaves this place. What is to be changed on the disk for that."""
        self.serving.gave(message)
        write, message.write = message.write, None
        if message.stored or (write is not None and not self.serving.store.cancel(write)):
            return [self.removal(message)]
        return []

    def removal(self, message: Message) -> Change:
        """The change that takes a message from the disk."""
        return "remove", self.name, message


class Queue(Source):
    """A queue: "queue/orders"."""


class Durable(Source):
    """A durable subscription to a topic: it keeps copies while its client is away."""

    def __init__(self, serving: Serving, key: DurableKey, record: DurableRecord, selector: Any = None) -> None:
        super().__init__(serving, f"topic/{record.topic}>{key[0]}.{key[1]}")
        self.key, self.topic, self.record, self.selector = key, record.topic, record, selector

    def removal(self, message: Message) -> Change:
        return "remove from subscription", self.key, message


class Subscriber(Source):
    """A topic's subscriber that is there now: what it does not take in time is discarded, the oldest first."""

    def __init__(self, serving: Serving, topic: str, limit: int) -> None:
        super().__init__(serving, f"topic/{topic}")
        self.topic, self.limit = topic, limit

    def add(self, message: Message) -> None:
        super().add(message)
        while len(self.waiting) > self.limit:
            oldest = self.waiting.popleft()
            self.serving.gave(oldest)
            detail = f"its subscriber is slow, and more than {self.limit} wait for it"
            self.serving.broker.emit("Discarded", self.place, oldest.id, self.serving.node.name, oldest.row, detail)


def matches(pattern: str, name: str) -> bool:
    """Does a topic's name fit a pattern of a subscription? "*" stands for one part, ">" for all that follow."""
    if "*" not in pattern and ">" not in pattern:
        return pattern == name
    wanted, parts = pattern.split("."), name.split(".")
    for place, part in enumerate(wanted):
        if part == ">":
            return True
        if place >= len(parts) or part not in ("*", parts[place]):
            return False
    return len(wanted) == len(parts)
