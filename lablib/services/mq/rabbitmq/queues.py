"""A queue: messages in order, consumers who take turns, and everything that ends a message's stay.

A queue lives on a node, its *home*. What others ask of it travels there, and what it says travels back (`Broker.hop`).
How many nodes keep its messages is the matter of its `copies`: one (a classic queue), or several (`replicas.py`).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from lablib.kernel.loop import Timer
from lablib.services.mq.engine import Node
from lablib.services.mq.rabbitmq.messages import Entry, dead_letter, in_a_circle
from lablib.services.mq.rabbitmq.settings import Settings

if TYPE_CHECKING:
    from lablib.services.mq.rabbitmq.channel import Channel
    from lablib.services.mq.rabbitmq.vhost import VirtualHost


def _nothing() -> None: ...


Done = Callable[[bool], None]  # called with: was it taken, and is it safe?


class Consumer:
    """Who takes messages from a queue. `prefetch`: how many it may have without acknowledgement, 0 for any number."""

    def __init__(self, channel: Channel, tag: str, queue: Queue, no_ack: bool, exclusive: bool, prefetch: int) -> None:
        self.channel, self.tag, self.queue = channel, tag, queue
        self.no_ack, self.exclusive, self.prefetch = no_ack, exclusive, prefetch
        self.held = 0

    @property
    def has_room(self) -> bool:
        """May it get one more?"""
        if self.no_ack:
            return True
        return (not self.prefetch or self.held < self.prefetch) and self.channel.has_room


class Copies(Protocol):
    """Where the messages of a queue are kept."""

    @property
    def nodes(self) -> tuple[int, ...]:
        """The numbers of these nodes."""

    def store(self, entry: Entry, origin: Node, ready: Callable[[], None], safe: Callable[[], None]) -> None:
        """Keep a new message: `ready()` when consumers may have it, `safe()` when its publisher may be told so."""

    def forget(self, entry: Entry, origin: Node | None = None) -> None:
        """It is over for good."""

    def when_decided(self, fn: Callable[[], None]) -> None:
        """Call `fn()` when all that came before is decided."""


class OneCopy:
    """The messages of a classic queue, on its home's disk when queue and message are made to last."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue

    @property
    def nodes(self) -> tuple[int, ...]:
        """One."""
        return (self.queue.home,)

    def store(self, entry: Entry, origin: Node, ready: Callable[[], None], safe: Callable[[], None]) -> None:
        """At once; to the disk it takes a moment."""
        ready()
        if not (self.queue.durable and entry.message.persistent):
            return safe()
        node = self.queue.node
        if node is not None:
            node.after(self.queue.vhost.broker.quota("sync"), self._synced, entry, safe)

    def _synced(self, entry: Entry, safe: Callable[[], None]) -> None:
        entry.safe = True
        safe()

    def forget(self, entry: Entry, origin: Node | None = None) -> None:
        """Nothing is left to do."""

    def when_decided(self, fn: Callable[[], None]) -> None:
        """Now."""
        fn()


class Queue:
    """A queue of a virtual host.

    `home`: the number of the node where it lives. `owner`: the connection that alone may use it, for an exclusive one.
    `unacked`: who has which message.
    """

    def __init__(
        self,
        vhost: VirtualHost,
        name: str,
        home: int,
        durable: bool,
        auto_delete: bool,
        owner: Any,
        quorum: bool,
        settings: Settings,
    ) -> None:
        self.vhost, self.name, self.home = vhost, name, home
        self.durable, self.auto_delete, self.owner, self.quorum = durable, auto_delete, owner, quorum
        self.settings = settings
        self.ready: list[tuple[int, Entry]] = []  # a heap
        self.bytes = 0  # of those that are ready
        self.unacked: dict[Entry, tuple[Channel, Consumer | None]] = {}
        self.consumers: deque[Consumer] = deque()
        self.copies: Copies = OneCopy(self)
        self.kept: list[Entry] = []  # on the disk of its home, while that is down
        self.deleted = self.stopped = False
        self.asked: dict[int, tuple[Node, Callable[..., None], tuple[Any, ...]]] = {}  # what has not arrived yet
        self._tickets = self._next = 0
        self._had_consumers = False
        self._timer: Timer | None = None
        self._unused: Timer | None = None
        self.touch()

    @property
    def place(self) -> str:
        """Its name in the trace, within the broker."""
        return f"queue/{self.name}"

    @property
    def node(self) -> Node | None:
        """The program at its home, while it runs."""
        return self.vhost.broker.nodes.get(self.home)

    @property
    def replicated(self) -> bool:
        """Do several nodes keep it?"""
        return not isinstance(self.copies, OneCopy)

    @property
    def available(self) -> bool:
        """Can it answer?"""
        return self.node is not None and not self.stopped

    def __len__(self) -> int:
        return len(self.ready)

    def emit(self, kind: str, entry: Entry, actor: str = "", detail: Any = None) -> int:
        """A row of the trace about one of its messages."""
        entry.row = self.vhost.broker.emit(kind, self.place, entry.subject, actor, entry.row, detail)
        return entry.row

    # ---- asking it --------------------------------------------------------------------------------------------------

    def ask(self, origin: Node, fn: Callable[..., None], *args: Any, otherwise: Callable[[], None] = _nothing) -> None:
        """Have `fn(*args)` done at its home, as somebody on node `origin` wants. `otherwise` is called when the home of
        a classic queue is down. What a queue of several nodes is asked while it has no leader, waits for one."""
        if self.replicated:
            self._tickets += 1
            self.asked[self._tickets] = origin, fn, args
            self._send(self._tickets)
        elif self.available and self.node is not None:
            self.vhost.broker.hop(origin, self.node, fn, *args)
        else:
            otherwise()

    def _send(self, ticket: int) -> None:
        if self.available and self.node is not None:
            self.vhost.broker.hop(self.asked[ticket][0], self.node, self._arrived, ticket, self.node)

    def _arrived(self, ticket: int, at: Node) -> None:
        if ticket in self.asked and at is self.node and self.available:
            _, fn, args = self.asked.pop(ticket)
            fn(*args)

    def send_again(self) -> None:
        """What the old leader did not get is sent to this one, by whoever still lives."""
        for ticket, (origin, _, _) in list(self.asked.items()):
            if origin.alive:
                self._send(ticket)
            else:
                del self.asked[ticket]

    def led_anew(self) -> None:
        """It has another leader, or goes on after a stop. What did not arrive at a consumer comes again, what did stays
        with it (rabbit_fifo_client numbers them), and what was asked of it meanwhile is asked again."""
        for entry, (channel, _) in list(self.unacked.items()):
            if entry.arrived != entry.deliveries:
                self._released(entry, channel)
                self.emit("Returned", entry, detail="it was on its way when another node began to lead")
                self.add(entry)
        self.send_again()
        self.touch()
        self.expire()
        self.pump()

    # ---- messages come ----------------------------------------------------------------------------------------------

    def publish(self, entry: Entry, origin: Node, done: Done, announce: Callable[[], int]) -> None:
        """Take a message; `announce()` writes its row. `origin`: the node of whoever published it."""
        rules = self.settings
        if self.deleted:
            return done(True)  # RabbitMQ confirms what a deleted queue has got
        coming = None if self.quorum else entry  # a quorum queue learns late that it is full: it takes one more
        if rules.overflow != "drop-head" and self._is_full(coming):
            announce()
            self._drop(entry, "maxlen" if rules.overflow == "reject-publish-dlx" else "", "the queue is full")
            return done(False)
        entry.position, self._next = self._next, self._next + 1
        entry.row = announce()
        self.copies.store(entry, origin, lambda: self._is_ready(entry), lambda: done(True))

    def _is_full(self, entry: Entry | None = None) -> bool:
        more, size = (1, entry.message.size) if entry else (0, 0)
        return len(self.ready) + more > self.settings.max_length or self.bytes + size > self.settings.max_bytes

    def _is_ready(self, entry: Entry) -> None:
        if self.deleted:
            return
        now = self.vhost.broker.now
        entry.expires = now + min(self.settings.ttl, entry.message.ttl)
        self.add(entry)
        self.pump()
        while self.settings.overflow == "drop-head" and self.ready and self._is_full():
            self._drop(self.take(), "maxlen", "the queue was full")
        self.expire()

    def add(self, entry: Entry) -> None:
        """Put it where its position is."""
        heapq.heappush(self.ready, (entry.position, entry))
        self.bytes += entry.message.size

    def take(self) -> Entry:
        """The next message."""
        entry = heapq.heappop(self.ready)[1]
        self.bytes -= entry.message.size
        return entry

    # ---- messages go ------------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Give what is ready to consumers who have room, in turns."""
        if not self.available:
            return
        now = self.vhost.broker.now
        while self.ready and (consumer := self._whose_turn()) is not None:
            if self.ready[0][1].expires <= now:
                self._drop(self.take(), "expired", "")
                continue
            self._give(self.take(), consumer.channel, consumer)

    def _whose_turn(self) -> Consumer | None:
        if self.settings.single_active:
            return self.consumers[0] if self.consumers and self.consumers[0].has_room else None
        for _ in range(len(self.consumers)):
            self.consumers.rotate(-1)
            if self.consumers[-1].has_room:
                return self.consumers[-1]
        return None

    def _give(self, entry: Entry, channel: Channel, consumer: Consumer | None, no_ack: bool = False) -> None:
        self.emit("Dispatched", entry, channel.peer, "redelivered" if entry.redelivered else None)
        if no_ack or (consumer is not None and consumer.no_ack):
            self.emit("Acknowledged", entry, channel.peer)
            self.copies.forget(entry)
            self.unused_if_auto()
        else:
            self.unacked[entry] = channel, consumer
            channel.held += 1
            if consumer is not None:
                consumer.held += 1
        entry.deliveries += 1
        args = entry.deliveries, entry.redelivered, entry.failures, len(self.ready)
        self.answer(channel, channel.deliver, self, entry, consumer, no_ack, *args)

    def answer(self, channel: Channel, say: Callable[..., None], *args: Any) -> None:
        """Say something to a channel, which may be on another node."""
        if self.node is not None:
            self.vhost.broker.hop(self.node, channel.node, say, *args)

    def get(self, channel: Channel, no_ack: bool) -> None:
        """basic.get: the next message, or the word that there is none."""
        self.touch()
        self.copies.when_decided(lambda: self._get(channel, no_ack))

    def _get(self, channel: Channel, no_ack: bool) -> None:
        self.expire()
        if self.ready and self.available:
            self._give(self.take(), channel, None, no_ack)
        else:
            self.answer(channel, channel.say, "basic.get-empty")

    def consume(self, consumer: Consumer, ok: Callable[[], None]) -> None:
        """Somebody takes messages from now on."""
        self.consumers.append(consumer)
        self._had_consumers = True
        self.touch()
        self.vhost.broker.emit("ConsumerAdded", self.place, actor=consumer.channel.peer, detail=consumer.tag)
        self.answer(consumer.channel, ok)
        self.pump()

    def cancel(self, consumer: Consumer, ok: Callable[[], None] | None = None) -> None:
        """A consumer takes nothing more; what it has stays with it."""
        if consumer in self.consumers:
            self.consumers.remove(consumer)
            self.vhost.broker.emit("ConsumerRemoved", self.place, actor=consumer.channel.peer, detail=consumer.tag)
        if ok is not None:
            self.answer(consumer.channel, ok)
        self.touch()
        self.unused_if_auto()
        self.pump()

    # ---- messages are over, or come back ----------------------------------------------------------------------------

    def settle(self, entry: Entry, channel: Channel, how: str) -> None:
        """The answer of whoever has it. `how`: ack, requeue, reject."""
        if not self._released(entry, channel):
            return
        if how == "ack":
            self.emit("Acknowledged", entry, channel.peer)
            self.copies.forget(entry, channel.node)
        elif how == "reject":
            self.emit("LetGo", entry, channel.peer, "rejected")
            self._drop(entry, "rejected", f"{channel.peer} rejected it")
        else:
            self.emit("LetGo", entry, channel.peer, "given back")
            if self.quorum and self.settings.delivery_limit == inf:  # then it goes to the end (Amazon MQ's guide)
                entry.position, self._next = self._next, self._next + 1
            self.requeue(entry, f"{channel.peer} gave it back")
        self.pump()
        channel.made_room()

    def _released(self, entry: Entry, channel: Channel) -> bool:
        holder = self.unacked.get(entry)
        if holder is None or holder[0] is not channel:  # the queue has taken it back meanwhile
            return False
        del self.unacked[entry]
        channel.held -= 1
        if holder[1] is not None:
            holder[1].held -= 1
        return True

    def requeue(self, entry: Entry, why: str, failed: bool = True) -> None:
        """It goes back to its place, marked as redelivered."""
        entry.redelivered = True
        entry.failures += failed
        if entry.failures > self.settings.delivery_limit:
            return self._drop(entry, "delivery_limit", "it came back too often")
        self.emit("Returned", entry, detail=why)
        self.add(entry)

    def release(self, channel: Channel, why: str) -> None:
        """A channel is gone: its consumers too, and what it had comes back."""
        for consumer in [c for c in self.consumers if c.channel is channel]:
            self.consumers.remove(consumer)
            self.vhost.broker.emit("ConsumerRemoved", self.place, actor=channel.peer, detail=consumer.tag)
        for entry in [e for e, holder in self.unacked.items() if holder[0] is channel]:
            self._released(entry, channel)
            self.emit("LetGo", entry, channel.peer, why)
            self.requeue(entry, f"{channel.peer} {why}")
        self.touch()
        self.unused_if_auto()
        self.pump()

    def expire(self) -> None:
        """Drop from the head what is older than its time to live, and look again in time."""
        now = self.vhost.broker.now
        while self.ready and self.ready[0][1].expires <= now:
            self._drop(self.take(), "expired", "")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.ready and self.ready[0][1].expires < inf and self.node is not None:
            self._timer = self.node.after(self.ready[0][1].expires - now, self.expire)

    def _drop(self, entry: Entry, reason: str, why: str) -> None:
        """It is over here. With a `reason`, and if there is a dead-letter exchange, it goes there."""
        exchange = self.settings.dead_letter_exchange
        self.copies.forget(entry)
        if reason and exchange is not None and not (reason != "rejected" and in_a_circle(entry.message, self.name)):
            broker = self.vhost.broker
            message = dead_letter(
                entry.message, self.name, reason, broker.date, exchange, self.settings.dead_letter_key
            )
            if self.vhost.publish_dead_letter(self, entry, message):
                return
            why = why or f"{reason}, and its dead-letter exchange gives it to nobody"
        if reason == "expired":
            self.emit("TimeToLiveOver", entry)
        else:
            self.emit("Discarded", entry, detail=why or reason)

    def purge(self) -> int:
        """Drop all that is ready; how many."""
        count = len(self.ready)
        while self.ready:
            entry = self.take()
            self.copies.forget(entry)
            self.emit("Discarded", entry, detail="the queue was purged")
        self.touch()
        return count

    # ---- the queue itself -------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """It is used: its time to expire begins anew."""
        if self._unused is not None:
            self._unused.cancel()
            self._unused = None
        if self.settings.expires < inf and not self.consumers and self.node is not None:
            self._unused = self.node.after(self.settings.expires, self._expires)

    def _expires(self) -> None:
        if not self.consumers:
            self.vhost.delete_queue(self, "nobody used it")

    def unused_if_auto(self) -> None:
        """An auto-delete queue goes with its last consumer."""
        if self.auto_delete and self._had_consumers and not self.consumers:
            self.vhost.delete_queue(self, "its last consumer has gone")

    def entries(self) -> list[Entry]:
        """All its messages in their order, with those that somebody has."""
        return sorted([*(entry for _, entry in self.ready), *self.unacked], key=lambda entry: entry.position)

    def take_back(self) -> list[Entry]:
        """Everything, from consumers too, in order; the queue is empty then."""
        found = self.entries()
        for entry, (channel, _) in list(self.unacked.items()):
            self._released(entry, channel)
            self.emit("LetGo", entry, channel.peer, "the queue took it back")
            entry.redelivered = True
        self.ready, self.bytes = [], 0
        return found

    def go_down(self, node: Node, in_order: bool) -> None:
        """Its one node is gone. What is made to last is on the disk, if it got there; `in_order`: it did, with the
        word of what was given out. After a crash nobody knows that, and everything is marked as redelivered."""
        found = self.take_back()
        lasting = self.durable and self.owner is None
        self.kept = [e for e in found if lasting and e.message.persistent and (e.safe or in_order)]
        for entry in found:
            entry.redelivered |= not in_order
            if entry not in self.kept:
                self.lose(entry, node.name)
        if not lasting:
            self.vhost.delete_queue(self, f"it lived on {node.name}, and was not durable")

    def come_up(self, node: Node) -> None:
        """Its node is back, with its disk."""
        for entry in self.kept:
            self.emit("Recovered", entry, node.name)
            self.add(entry)
        self.kept = []
        self.led_anew()

    def lose(self, entry: Entry, node: str) -> None:
        """It was in the memory of a node that is gone."""
        self.emit("MemoryLost", entry, node)

    def info(self) -> dict[str, Any]:
        """Its numbers, as the management API has them."""
        return {
            "messages_ready": len(self.ready),
            "messages_unacknowledged": len(self.unacked),
            "messages": len(self.ready) + len(self.unacked),
            "message_bytes": sum(entry.message.size for entry in self.entries()),
            "consumers": len(self.consumers),
        }
