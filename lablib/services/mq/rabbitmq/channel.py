"""A channel: what a client asks for, and what it is answered. The texts of refusals are those of rabbit_channel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from lablib.kernel.loop import Timer
from lablib.services.mq.rabbitmq.codec import CODES, AmqpError, read_properties, write_method
from lablib.services.mq.rabbitmq.messages import Entry, Message, counted, read_message
from lablib.services.mq.rabbitmq.queues import Consumer, Queue
from lablib.services.mq.rabbitmq.vhost import called, place_of

if TYPE_CHECKING:
    from lablib.services.mq.rabbitmq.connection import Connection

_LOOK = 60.0  # seconds between two looks at what is not acknowledged (rabbit_channel: about a minute)


class _Held(NamedTuple):
    """A delivery that the client has not answered yet."""

    queue: Queue
    entry: Entry
    since: float


class Channel:
    """One channel of a connection. `held`: how many messages it has without acknowledgement, as the queues count."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection, self.number = connection, number
        self.broker, self.node, self.peer = connection.broker, connection.node, connection.peer
        self.vhost = self.broker.vhost
        self.open = True
        self.held = 0
        self.consumers: dict[str, Consumer] = {}
        self._unacked: dict[int, _Held] = {}
        self._used: dict[Queue, None] = {}  # all from which it ever took something
        self._confirms = False
        self._transaction: list[Callable[[Callable[[bool], None]], None]] | None = None
        self._in_transaction: dict[int, _Held] = {}
        self._published = self._tag = 0
        self._prefetch = self._limit = 0
        self._last_queue = ""
        self._watch: Timer | None = None

    def say(self, name: str, **args: Any) -> None:
        """Send a command."""
        if self.open:
            self.connection.say(self.number, name, **args)

    def handle(self, name: str, args: dict[str, Any]) -> None:
        """Do what the client asks. Raises AmqpError."""
        handler = getattr(self, "_" + name.replace(".", "_").replace("-", "_"), None)
        if handler is None:
            raise AmqpError(503, "unimplemented method")
        handler(**args)

    # ---- exchanges and queues ---------------------------------------------------------------------------------------

    def _ok(self, name: str, nowait: bool, **args: Any) -> None:
        if not nowait:
            self.say(name, **args)

    def _channel_flow(self, active: bool) -> None:
        if not active:
            raise AmqpError(540, "active=false")
        self.say("channel.flow-ok", active=True)

    def _exchange_declare(self, exchange: str, type: str, passive: bool, nowait: bool, **settings: Any) -> None:
        if passive:
            self.vhost.refuse_default(exchange)
            self.vhost.exchange(exchange)
        else:
            self.vhost.declare_exchange(exchange, type, **settings)
        self._ok("exchange.declare-ok", nowait)

    def _exchange_delete(self, exchange: str, if_unused: bool, nowait: bool) -> None:
        self.vhost.delete_exchange(exchange, if_unused)
        self._ok("exchange.delete-ok", nowait)

    def _exchange_bind(
        self, destination: str, source: str, routing_key: str, nowait: bool, arguments: dict[str, Any], add: bool = True
    ) -> None:
        self.vhost.bind("exchange", destination, source, routing_key, arguments, add)
        self._ok("exchange.bind-ok" if add else "exchange.unbind-ok", nowait)

    def _exchange_unbind(self, **args: Any) -> None:
        self._exchange_bind(**args, add=False)

    def _queue_declare(
        self,
        queue: str,
        passive: bool,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
        nowait: bool,
        arguments: dict[str, Any],
    ) -> None:
        by = self.connection
        if passive:
            found = self.vhost.queue(self._named(queue), by)
        elif not queue and arguments.get("x-queue-type") == "quorum":
            raise AmqpError(406, "Cannot declare a server-named queue for type rabbit_quorum_queue")
        else:
            name = queue.replace("\n", "").replace("\r", "")
            owner = by if exclusive else None
            if not name:
                name = self.broker.new_name("amq.gen")
                found = self.vhost.add_queue(name, durable and not exclusive, auto_delete, owner, arguments, self.node)
            else:
                found = self.vhost.declare_queue(name, durable, auto_delete, owner, arguments, self.node, by)
        self._last_queue = found.name
        if not nowait:
            self.say(
                "queue.declare-ok", queue=found.name, message_count=len(found), consumer_count=len(found.consumers)
            )

    def _named(self, queue: str) -> str:
        if not queue and not self._last_queue:
            raise AmqpError(404, "no previously declared queue")
        return queue or self._last_queue

    def _queue_bind(self, queue: str, exchange: str, routing_key: str, nowait: bool, arguments: dict[str, Any]) -> None:
        name = self._named(queue)
        self.vhost.refuse_default(exchange)
        self.vhost.exchange(exchange)  # of two that are missing, RabbitMQ names the exchange
        self.vhost.queue(name, self.connection, even_down=True)
        self.vhost.bind("queue", name, exchange, routing_key or ("" if queue else name), arguments)
        self._ok("queue.bind-ok", nowait)

    def _queue_unbind(self, queue: str, exchange: str, routing_key: str, arguments: dict[str, Any]) -> None:
        name = self._named(queue)
        if name in self.vhost.queues and exchange in self.vhost.exchanges:
            self.vhost.queue(name, self.connection, even_down=True)
            self.vhost.bind("queue", name, exchange, routing_key, arguments, add=False)
        self.say("queue.unbind-ok")

    def _queue_purge(self, queue: str, nowait: bool) -> None:
        found = self.vhost.queue(self._named(queue), self.connection)
        self._ok("queue.purge-ok", nowait, message_count=found.purge())

    def _queue_delete(self, queue: str, if_unused: bool, if_empty: bool, nowait: bool) -> None:
        name, count = self._named(queue), 0
        if name in self.vhost.queues:
            found = self.vhost.queue(name, self.connection, even_down=True)
            count = self.vhost.delete_queue(found, f"{self.peer} asked for it", if_unused, if_empty)
        self._ok("queue.delete-ok", nowait, message_count=count)

    # ---- publishing -------------------------------------------------------------------------------------------------

    def _confirm_select(self, nowait: bool) -> None:
        if self._transaction is not None:
            raise AmqpError(406, "cannot switch from tx to confirm mode")
        self._confirms = True
        self._ok("confirm.select-ok", nowait)

    def publish(
        self, exchange: str, routing_key: str, mandatory: bool, immediate: bool, properties: bytes, body: bytes
    ) -> None:
        """A message has come, with all of its body. Raises AmqpError."""
        if immediate:
            raise AmqpError(540, "immediate=true")
        most = int(self.broker.quota("message_size"))
        if len(body) > most:
            raise AmqpError(406, f"message size {len(body)} is larger than configured max size {most}")
        to = self.vhost.exchange(exchange)
        if to.internal:
            raise AmqpError(403, f"cannot publish to internal {called('exchange', exchange)}")
        found = read_properties(properties)
        user = found.get("user_id", self.connection.user)
        if user != self.connection.user:
            raise AmqpError(
                406, f"user_id property set to '{user}' but authenticated user was '{self.connection.user}'"
            )
        if str(found.get("reply_to", "")).startswith("amq.rabbitmq.reply-to"):
            raise AmqpError(540, "direct reply-to is not simulated in this lab")
        subject = self.broker.new_subject(found.get("message_id"))
        message = read_message(subject, exchange, routing_key, properties, body)
        if self._transaction is not None:
            self._transaction.append(lambda done: self._route(message, mandatory, done))
        elif self._confirms:
            self._published += 1
            number = self._published
            self._route(message, mandatory, lambda ok: self._confirm(message, number, ok))
        else:
            self._route(message, mandatory, _ignore)

    def _route(self, message: Message, mandatory: bool, done: Callable[[bool], None]) -> None:
        queues = self.vhost.route(self.vhost.exchange(message.exchange), message)
        if mandatory and not queues:
            place = place_of(message.exchange)
            self.broker.emit("GivenBack", place, message.subject, self.peer, message.cause, message.routing_key)
            method = write_method(
                "basic.return", reply_code=312, reply_text=CODES[312], exchange=message.exchange,
                routing_key=message.routing_key,
            )  # fmt: skip
            self.connection.send_content(self.number, method, message.properties, message.body)
            return done(True)
        self.vhost.deliver(message, queues, self.node, self.peer, done)

    def _confirm(self, message: Message, number: int, ok: bool) -> None:
        if not self.open:
            return
        self.broker.emit("Confirmed" if ok else "NotConfirmed", place_of(message.exchange), message.subject,
                         self.peer)  # fmt: skip
        self.say("basic.ack" if ok else "basic.nack", delivery_tag=number)

    # ---- transactions -----------------------------------------------------------------------------------------------

    def _tx_select(self) -> None:
        if self._confirms:
            raise AmqpError(406, "cannot switch from confirm to tx mode")
        if self._transaction is None:
            self._transaction = []
        self.say("tx.select-ok")

    def _tx_commit(self) -> None:
        if self._transaction is None:
            raise AmqpError(406, "channel is not transactional")
        steps, self._transaction, self._in_transaction = self._transaction, [], {}
        left, failed = [len(steps)], [False]

        def done(ok: bool) -> None:
            left[0] -= 1
            failed[0] |= not ok
            if left[0] <= 0:
                if failed[0]:
                    self.connection.fail(self, AmqpError(406, "partial tx completion"), "tx.commit")
                else:
                    self.say("tx.commit-ok")

        if not steps:
            return self.say("tx.commit-ok")
        for step in steps:
            step(done)

    def _tx_rollback(self) -> None:
        if self._transaction is None:
            raise AmqpError(406, "channel is not transactional")
        self._transaction = []
        self._unacked = dict(sorted({**self._unacked, **self._in_transaction}.items()))
        self._in_transaction = {}
        self.say("tx.rollback-ok")

    # ---- consuming --------------------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """May its consumers have one more, all together?"""
        return self.open and (not self._limit or self.held < self._limit)

    def made_room(self) -> None:
        """It has answered: with a limit for all its consumers, the other queues may go on."""
        if self._limit:
            for queue in {consumer.queue: None for consumer in self.consumers.values()}:
                queue.ask(self.node, queue.pump)

    def _basic_qos(self, prefetch_size: int, prefetch_count: int, global_: bool) -> None:
        if prefetch_size:
            raise AmqpError(540, f"prefetch_size!=0 ({prefetch_size})")
        if global_:
            self._limit = prefetch_count
            self.made_room()
        else:
            self._prefetch = prefetch_count
        self.say("basic.qos-ok")

    def _basic_consume(
        self,
        queue: str,
        consumer_tag: str,
        no_local: bool,
        no_ack: bool,
        exclusive: bool,
        nowait: bool,
        arguments: dict[str, Any],
    ) -> None:
        name = self._named(queue)
        if consumer_tag in self.consumers:
            raise AmqpError(530, f"attempt to reuse consumer tag '{consumer_tag}'")
        if name.startswith("amq.rabbitmq.reply-to"):
            raise AmqpError(540, "direct reply-to is not simulated in this lab")
        if "x-priority" in arguments:
            raise AmqpError(540, "priorities of consumers are not simulated in this lab")
        found = self.vhost.queue(name, self.connection)
        if any(c.exclusive for c in found.consumers) or (exclusive and found.consumers):
            raise AmqpError(403, f"{called('queue', name)} in exclusive use")
        tag = consumer_tag or self.broker.new_name("amq.ctag")
        consumer = self.consumers[tag] = Consumer(self, tag, found, no_ack, exclusive, self._prefetch)
        self._used[found] = None
        found.ask(self.node, found.consume, consumer, lambda: self._ok("basic.consume-ok", nowait, consumer_tag=tag))

    def _basic_cancel(self, consumer_tag: str, nowait: bool) -> None:
        consumer = self.consumers.pop(consumer_tag, None)

        def ok() -> None:
            self._ok("basic.cancel-ok", nowait, consumer_tag=consumer_tag)

        if consumer is None or consumer.queue.deleted:
            ok()
        else:
            consumer.queue.ask(self.node, consumer.queue.cancel, consumer, ok, otherwise=ok)

    def _basic_cancel_ok(self, consumer_tag: str) -> None:
        """The client's answer to ours."""

    def cancelled(self, consumer: Consumer) -> None:
        """Its queue is gone: the client is told, if it understands."""
        if self.consumers.pop(consumer.tag, None) is not None and self.connection.can("consumer_cancel_notify"):
            self.say("basic.cancel", consumer_tag=consumer.tag, nowait=True)

    def _basic_get(self, queue: str, no_ack: bool) -> None:
        found = self.vhost.queue(self._named(queue), self.connection)
        if found.settings.single_active:
            raise AmqpError(
                405,
                f"cannot obtain access to locked {called('queue', found.name)}. basic.get operations are not supported "
                f"by {'quorum' if found.quorum else 'classic'} queues with single active consumer",
            )
        self._used[found] = None
        found.ask(self.node, found.get, self, no_ack)

    def deliver(
        self, queue: Queue, entry: Entry, consumer: Consumer | None, no_ack: bool, delivery: int, redelivered: bool,
        failures: int, left: int,
    ) -> None:  # fmt: skip
        """A message comes from a queue, for a consumer or as the answer to basic.get, as its delivery number
        `delivery`. One that the queue has taken back meanwhile is dropped."""
        if not self.open or delivery != entry.deliveries:
            return
        self._tag += 1
        message, entry.arrived = entry.message, delivery
        if not (no_ack or (consumer is not None and consumer.no_ack)):
            self._unacked[self._tag] = _Held(queue, entry, self.broker.now)
            self._watch_unacked()
        args = {
            "delivery_tag": self._tag, "redelivered": redelivered, "exchange": message.exchange,
            "routing_key": message.routing_key,
        }  # fmt: skip
        if consumer is not None:
            method = write_method("basic.deliver", consumer_tag=consumer.tag, **args)
        else:
            method = write_method("basic.get-ok", message_count=left, **args)
        properties = counted(message, failures) if queue.quorum and failures else message.properties
        self.connection.send_content(self.number, method, properties, message.body)

    def _basic_ack(self, delivery_tag: int, multiple: bool) -> None:
        self._answer(delivery_tag, multiple, "ack")

    def _basic_nack(self, delivery_tag: int, multiple: bool, requeue: bool) -> None:
        self._answer(delivery_tag, multiple, "requeue" if requeue else "reject")

    def _basic_reject(self, delivery_tag: int, requeue: bool) -> None:
        self._answer(delivery_tag, False, "requeue" if requeue else "reject")

    def _answer(self, tag: int, multiple: bool, how: str) -> None:
        if tag not in self._unacked and not (multiple and tag == 0):
            raise AmqpError(406, f"unknown delivery tag {tag}")
        tags = [t for t in self._unacked if not tag or t <= tag] if multiple else [tag]
        for one in tags if how != "requeue" else reversed(tags):
            held = self._unacked.pop(one)
            if self._transaction is not None:
                self._in_transaction[one] = held
                self._transaction.append(partial(self._settle_then, held, how))
            else:
                self._settle(held, how)

    def _settle_then(self, held: _Held, how: str, done: Callable[[bool], None]) -> None:
        self._settle(held, how)
        done(True)

    def _settle(self, held: _Held, how: str) -> None:
        held.queue.ask(self.node, held.queue.settle, held.entry, self, how)

    def _basic_recover_async(self, requeue: bool) -> None:
        if not requeue:
            raise AmqpError(540, "requeue=false")
        self._answer(0, True, "requeue")

    def _basic_recover(self, requeue: bool) -> None:
        self._basic_recover_async(requeue)
        self.say("basic.recover-ok")

    def _watch_unacked(self) -> None:
        if self._watch is None:
            self._watch = self.node.after(_LOOK, self._look)

    def _look(self) -> None:
        """Has the client kept a message too long?"""
        self._watch = None
        if not self.open or not self._unacked:
            return
        limit = self.broker.quota("ack_time")
        if self.broker.now - next(iter(self._unacked.values())).since > limit:
            text = (
                f"delivery acknowledgement on channel {self.number} timed out. Timeout value used: "
                f"{round(limit * 1000)} ms. This timeout value can be configured, see consumers doc guide to learn more"
            )
            self.connection.fail(self, AmqpError(406, text), "")
        else:
            self._watch_unacked()

    # ---- the end ----------------------------------------------------------------------------------------------------

    def close(self, why: str) -> None:
        """It is over: its consumers are gone, and what it has goes back to the queues."""
        self.open = False
        if self._watch is not None:
            self._watch.cancel()
        for queue in self._used:
            queue.ask(self.node, queue.release, self, why)
        self.consumers.clear()
        self._unacked.clear()


def _ignore(ok: bool) -> None: ...
