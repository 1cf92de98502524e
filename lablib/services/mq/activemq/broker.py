"""The program of an ActiveMQ broker while it serves: its destinations, its clients, its memory, its processor.

All of it is gone when the program ends; what comes back stands in the `Store`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lablib.services.mq.activemq.destinations import Consumer, Durable, Message, Queue, Source, Subscriber, matches
from lablib.services.mq.activemq.store import Change, DurableKey, DurableRecord
from lablib.services.mq.engine import Node

if TYPE_CHECKING:
    from lablib.services.mq.activemq import ActiveMq
    from lablib.services.mq.activemq.session import AnySession


class Refused(Exception):
    """What a client asks for cannot be: the text is for the client. `java`: the exception's name in ActiveMQ."""

    def __init__(self, text: str, java: str = "javax.jms.JMSException") -> None:
        super().__init__(text)
        self.java = java


class Serving:
    """A node that serves: it has the lock, and its ports are open."""

    def __init__(self, engine: ActiveMq, node: Node) -> None:
        self.engine, self.node = engine, node
        self.broker, self.store, self.world = engine.broker, engine.store, engine.broker.world
        self.queues: dict[str, Queue] = {}
        self.durables: dict[DurableKey, Durable] = {}
        self.subscribers: list[Subscriber] = []
        self.sessions: list[AnySession] = []
        self.blocked: list[AnySession] = []  # producers that wait for memory
        self.retained: dict[str, Message] = {}  # MQTT: the last value of a topic; ActiveMQ keeps it in memory
        self.connections = 0  # how many there ever were
        self.used = 0  # bytes of memory that messages take
        self.born_ms = self.now_ms
        self.memory, self._per_message = engine.memory, 1 / engine.rate
        self._free_at = 0.0  # when the processor has done what it has to do
        self._recover()

    # ---- time, memory ------------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int((self.world.kernel.epoch + self.world.kernel.now) * 1000)

    def work(self) -> float:
        """The processor takes on one more message; the seconds until it can begin with it."""
        now = self.world.kernel.now
        wait = max(0.0, self._free_at - now)
        self._free_at = now + wait + self._per_message
        return wait

    def took(self, message: Message) -> None:
        """A message takes memory. Persistent ones are swapped out to the disk."""
        if not message.persistent:
            self.used += message.size

    def gave(self, message: Message) -> None:
        """A message has left: its memory is free again, and whoever waited for it goes on."""
        if not message.persistent:
            self.used -= message.size
            if self.used + message.size >= self.memory > self.used:
                for session in self.blocked:  # in the order in which they were stopped; who finds no room waits on
                    self.node.after(0, self._try_again, session)

    def is_full(self) -> bool:
        """Is the memory for messages used up?"""
        return self.used >= self.memory

    def block(self, session: AnySession, place: str) -> None:
        """Producer flow control: read nothing more of this client until there is memory."""
        if session not in self.blocked:
            self.blocked.append(session)
            self.broker.emit("ProducerBlocked", place, actor=session.peer, detail="the broker's memory is full")

    def _try_again(self, session: AnySession) -> None:
        if session in self.blocked:
            session.unblock()

    def let_on(self, session: AnySession) -> None:
        """There is memory for what a client sends, or the client is gone: it is blocked no longer."""
        self.blocked.remove(session)
        self.broker.emit("ProducerUnblocked", actor=session.peer)

    # ---- destinations ------------------------------------------------------------------------------------------------

    def queue(self, name: str) -> Queue:
        """The queue of that name, which is made when it is first used."""
        if name not in self.queues:
            self.queues[name] = Queue(self, f"queue/{name}")
        return self.queues[name]

    def sources(self) -> list[Source]:
        """All places where messages wait."""
        return [*self.queues.values(), *self.durables.values(), *self.subscribers]

    def send(self, message: Message, sender: str, done: Callable[[], None] | None = None) -> None:
        """A message arrives. `done` is called when it is safe: on the disk, when it is persistent and anybody is to
        get it."""
        self.deliver(message, sender, self.changes_of(message), done)

    def changes_of(self, message: Message) -> list[Change]:
        """What a message means for the disk."""
        if not message.persistent:
            return []
        kind, _, name = message.destination.partition("/")
        if kind == "queue":
            return [("add", message.destination, message)]
        receivers = [(key, d) for key, d in self.durables.items() if self._goes(message, name, d)]
        return [("add to subscription", key, self._copy(message, durable)) for key, durable in receivers]

    def deliver(
        self,
        message: Message,
        sender: str,
        changes: list[Change],
        done: Callable[[], None] | None = None,
        *,
        stored: bool = False,
    ) -> None:
        """Put a message where it is waited for. `changes` are those of the disk; `stored`: they are made already."""
        kind, _, name = message.destination.partition("/")
        known = {"persistent": message.persistent, "bytes": len(message.body)}
        copies = {key: copy for what, key, copy in changes if what == "add to subscription"}
        written = [message] if kind == "queue" else list(copies.values())
        if kind == "queue":
            message.row = self.broker.emit("Enqueued", message.destination, message.id, sender, detail=known)
            receivers: list[tuple[Source, Message]] = [(self.queue(name), message)]
        else:
            sources: list[Source] = [
                s for s in (*self.durables.values(), *self.subscribers) if self._goes(message, name, s)
            ]
            receivers = [(s, copies.get(getattr(s, "key", None)) or self._copy(message, s)) for s in sources]
            row = self.broker.emit("Routed", message.destination, message.id, sender, detail=len(receivers))
            for source, copy in receivers:
                copy.row = self.broker.emit("CopyEnqueued", source.place, copy.id, source.place, row)
        if stored:
            for each in written:
                each.stored = True
        else:
            self.write(changes, done, written)
        for source, copy in receivers:
            source.add(copy)

    def _copy(self, message: Message, source: Source) -> Message:
        who = source.consumers[0].name if isinstance(source, Subscriber) else source.name.partition(">")[2]
        copy = message.copy(f"{message.id}>{who}")
        if isinstance(source, Subscriber):
            copy.persistent = False  # nobody keeps it
        return copy

    def _goes(self, message: Message, topic: str, source: Source) -> bool:
        if isinstance(source, Durable):
            return matches(source.topic, topic) and (source.selector is None or source.selector(message))
        return (
            isinstance(source, Subscriber)
            and matches(source.topic, topic)
            and any(c.wants(message) for c in source.consumers)
        )

    def write(
        self, changes: list[Change], done: Callable[[], None] | None = None, messages: list[Message] | None = None
    ) -> None:
        """Write changes to the disk. `messages` are those that are new on it. Without changes, it is done at once."""
        if not changes:
            if done is not None:
                done()
            return

        def finish() -> None:
            for message in messages or ():
                if message.write is write:
                    message.write, message.stored = None, True
                    self.broker.emit("Stored", message.destination, message.id, self.node.name, message.row)
            if done is not None:
                done()

        write = self.store.write(self.node, changes, finish)
        for message in messages or ():
            message.write = write

    # ---- consumers ---------------------------------------------------------------------------------------------------

    def subscribe_to_queue(self, name: str, consumer: Consumer) -> Source:
        """A consumer of a queue."""
        queue = self.queue(name)
        queue.attach(consumer)
        return queue

    def subscribe_to_topic(self, topic: str, consumer: Consumer) -> Source:
        """A subscriber of a topic, for as long as it is there."""
        source = Subscriber(self, topic, int(self.world.quotas["mq.pending_limit"]))
        self.subscribers.append(source)
        source.attach(consumer)
        return source

    def subscribe_durably(self, key: DurableKey, topic: str, selector: str, test: object, consumer: Consumer,
                          done: Callable[[], None] | None = None) -> Source:  # fmt: skip
        """A durable subscription: made when it is new, changed when its topic or selector is another, else gone on
        with.

        Raises Refused when another client uses it now.
        """
        durable = self.durables.get(key)
        if durable is not None and durable.consumers:
            raise Refused(f"Durable consumer is in use for client: {key[0]} and subscriptionName: {key[1]}")
        if durable is None or (durable.topic, durable.record.selector) != (topic, selector):
            record = DurableRecord(topic, selector)
            durable = self.durables[key] = Durable(self, key, record, test)
            self.write([("subscribe", key, record)], done)
        elif done is not None:
            done()
        durable.attach(consumer)
        return durable

    def unsubscribe_durably(self, key: DurableKey, done: Callable[[], None] | None = None) -> None:
        """Remove a durable subscription, with all that waits in it. Raises Refused."""
        durable = self.durables.get(key)
        if durable is None:
            text = f"No durable subscription exists for clientID: {key[0]} and subscriptionName: {key[1]}"
            raise Refused(text, "javax.jms.InvalidDestinationException")
        if durable.consumers:
            raise Refused(f"Durable consumer is in use for client: {key[0]} and subscriptionName: {key[1]}")
        del self.durables[key]
        for message in durable.waiting:
            self._discard(durable, message, "its subscription is removed")
        self.write([("unsubscribe", key, None)], done)

    def leave(self, consumer: Consumer, why: str) -> None:
        """A consumer goes."""
        source = consumer.source
        if source is None:
            return
        if isinstance(source, Subscriber):
            self.subscribers.remove(source)
            for message in [*consumer.dispatched.values(), *source.waiting]:
                self._discard(source, message, "its subscriber left")
            consumer.dispatched = {}
            source.waiting.clear()
        source.detach(consumer, why)
        consumer.source = None

    def _discard(self, source: Source, message: Message, why: str) -> None:
        self.broker.emit("Discarded", source.place, message.id, self.node.name, message.row, why)
        self.gave(message)

    # ---- the beginning and the end -----------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Read the store: what was there is there again, in order; no word of who had it before
        (persistJMSRedelivered)."""
        for name, messages in self.store.queues.items():
            source: Source = self.queue(name.partition("/")[2])
            self._found(source, list(messages.values()))
        for key, record in self.store.durables.items():
            test = self.engine.selector(record.selector)
            source = self.durables[key] = Durable(self, key, record, test)
            self._found(source, list(record.messages.values()))

    def _found(self, source: Source, messages: list[Message]) -> None:
        for message in messages:
            message.redelivered, message.delivery, message.write, message.stored = False, 0, None, True
            message.row = self.broker.emit("Recovered", source.place, message.id, self.node.name, message.row)
        source.waiting.extend(messages)

    def look_for_expired(self) -> None:
        """Every half a minute (expireMessagesPeriod)."""
        now = self.now_ms
        for source in self.sources():
            for message in [m for m in source.waiting if m.expires and m.expires <= now]:
                source.waiting.remove(message)
                source.expire(message)
        self.node.after(self.world.quotas["mq.expire_period"], self.look_for_expired)

    def end(self) -> None:
        """The program is over: say what that means for each client that it had stopped, and for each message."""
        for session in self.blocked.copy():
            self.let_on(session)
        kept = {id(m) for messages in self.store.queues.values() for m in messages.values()}
        kept |= {id(m) for record in self.store.durables.values() for m in record.messages.values()}
        for source in self.sources():
            for consumer in source.consumers:
                for message in consumer.dispatched.values():
                    self.broker.emit("DeliveryCut", source.place, message.id, consumer.peer, message.row)
                    if id(message) not in kept:
                        self.broker.emit("Forgotten", source.place, message.id, self.node.name, message.row)
            for message in source.waiting:
                if id(message) not in kept:
                    self.broker.emit("MemoryLost", source.place, message.id, self.node.name, message.row)
