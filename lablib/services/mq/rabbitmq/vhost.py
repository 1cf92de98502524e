"""The virtual host "/": which exchanges, queues, bindings and policies there are, and RabbitMQ's refusals about them.

All nodes of a cluster know the same of it. The texts are those of rabbit_channel, rabbit_amqqueue, rabbit_exchange and
rabbit_misc (rabbitmq-server).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lablib.services.mq.engine import Node
from lablib.services.mq.rabbitmq.codec import AmqpError
from lablib.services.mq.rabbitmq.exchanges import PREDECLARED, TYPES, Binding, Exchange, route
from lablib.services.mq.rabbitmq.messages import Entry, Message
from lablib.services.mq.rabbitmq.queues import Done, Queue
from lablib.services.mq.rabbitmq.settings import (
    COMPARED,
    Policy,
    Settings,
    check_arguments,
    letters,
    settings_of,
    type_name,
)

if TYPE_CHECKING:
    from lablib.services.mq.rabbitmq import RabbitMq

NAME = "/"


def place_of(exchange: str) -> str:
    """An exchange's name in the trace, within the broker."""
    return f"exchange/{exchange or 'default'}"


def called(kind: str, name: str) -> str:
    """A resource as RabbitMQ calls it in a text."""
    return f"{kind} '{name}' in vhost '{NAME}'"


def _word(value: Any) -> str:
    return f"'{str(value).lower()}'" if isinstance(value, bool) else f"'{value}'"


class VirtualHost:
    """Everything that is declared on a broker."""

    def __init__(self, broker: RabbitMq) -> None:
        self.broker = broker
        self.exchanges = {name: Exchange(name, kind, durable=True) for name, kind in PREDECLARED.items()}
        self.exchanges["amq.rabbitmq.trace"].internal = True
        self.queues: dict[str, Queue] = {}
        self.policies: dict[str, Policy] = {}

    # ---- exchanges --------------------------------------------------------------------------------------------------

    def exchange(self, name: str) -> Exchange:
        """The exchange of that name. Raises NOT_FOUND."""
        if name not in self.exchanges:
            raise AmqpError(404, f"no {called('exchange', name)}")
        return self.exchanges[name]

    def declare_exchange(
        self, name: str, kind: str, durable: bool, auto_delete: bool, internal: bool, arguments: Mapping[str, Any]
    ) -> None:
        """Make it, or find it as it was made."""
        if kind not in TYPES:
            raise AmqpError(503, f"unknown exchange type '{kind}'")
        self.refuse_default(name)
        found = self.exchanges.get(name)
        if found is None:
            self._check_name("exchange", name)
            alternate = arguments.get("alternate-exchange", "")
            if not isinstance(alternate, str):
                wrong = f"invalid type '{type_name(alternate)}' for arg 'alternate-exchange'"
                raise AmqpError(406, f"{wrong} in {called('exchange', name)}")
            self.exchanges[name] = Exchange(name, kind, durable, auto_delete, internal, arguments)
            return
        what = called("exchange", name)
        mine = (found.type, found.durable, found.auto_delete, found.internal)
        theirs = (kind, durable, auto_delete, internal)
        for word, has, wants in zip(("type", "durable", "auto_delete", "internal"), mine, theirs, strict=True):
            if has != wants:
                raise AmqpError(
                    406, f"inequivalent arg '{word}' for {what}: received {_word(wants)} but current is {_word(has)}"
                )
        self._compare(what, ("alternate-exchange",), found.arguments, arguments)

    def refuse_default(self, name: str) -> None:
        """The default exchange is for publishing alone."""
        if name == "":
            raise AmqpError(403, "operation not permitted on the default exchange")

    def delete_exchange(self, name: str, if_unused: bool = False) -> None:
        """Take it away, with all bindings from and to it. One that is not there is no error."""
        self.refuse_default(name)
        if name.startswith("amq."):
            raise AmqpError(403, f"deletion of system {called('exchange', name)} not allowed")
        found = self.exchanges.get(name)
        if found is None:
            return
        if if_unused and found.bindings:
            raise AmqpError(406, f"{called('exchange', name)} in use")
        del self.exchanges[name]
        self._unbind_all("exchange", name)

    def _check_name(self, kind: str, name: str) -> None:
        if name.startswith("amq."):
            raise AmqpError(403, f"{kind} name '{name}' contains reserved prefix 'amq.*'")

    def _compare(self, what: str, names: tuple[str, ...], has: Mapping[str, Any], wants: Mapping[str, Any]) -> None:
        for name in names:
            mine, theirs = has.get(name), wants.get(name)
            if name == "x-queue-type":  # an explicit classic is the same as none
                mine, theirs = (None if value == "classic" else value for value in (mine, theirs))
            if mine != theirs:
                raise AmqpError(
                    406,
                    f"inequivalent arg '{name}' for {what}: received {letters(theirs)} but current is {letters(mine)}",
                )

    # ---- bindings ---------------------------------------------------------------------------------------------------

    def bind(self, kind: str, name: str, source: str, key: str, arguments: Mapping[str, Any], add: bool = True) -> None:
        """Bind a queue or an exchange to the exchange `source`, or, with `add=False`, no longer."""
        self.refuse_default(source)
        if kind == "exchange":
            self.refuse_default(name)
            self.exchange(name)
        exchange = self.exchange(source)
        how = arguments.get("x-match", "all")
        if exchange.type == "headers" and not isinstance(how, str):
            raise AmqpError(406, f"Invalid x-match field type {type_name(how)} (value {how}); expected longstr")
        if exchange.type == "headers" and how not in ("all", "any", "all-with-x", "any-with-x"):
            raise AmqpError(
                406, f'Invalid x-match field value <<"{how}">>; expected all, any, all-with-x, or any-with-x'
            )
        binding = Binding(kind, name, key, tuple(sorted(arguments.items())))
        if add:
            exchange.bindings[binding] = None
        elif binding in exchange.bindings:
            self._unbind(exchange, binding)

    def _unbind(self, exchange: Exchange, binding: Binding) -> None:
        del exchange.bindings[binding]
        if exchange.auto_delete and not exchange.bindings and exchange.name in self.exchanges:
            self.delete_exchange(exchange.name)

    def _unbind_all(self, kind: str, name: str) -> None:
        for exchange in list(self.exchanges.values()):
            for binding in [b for b in exchange.bindings if (b.kind, b.destination) == (kind, name)]:
                self._unbind(exchange, binding)

    # ---- queues -----------------------------------------------------------------------------------------------------

    def queue(self, name: str, connection: Any, even_down: bool = False) -> Queue:
        """The queue of that name. Raises NOT_FOUND, also while its home is down, and RESOURCE_LOCKED."""
        queue = self.queues.get(name)
        if queue is None:
            raise AmqpError(404, f"no {called('queue', name)}")
        if not (even_down or queue.replicated or queue.available):
            home = self.broker.node_name(queue.home)
            raise AmqpError(404, f"home node '{home}' of durable {called('queue', name)} is down or inaccessible")
        self._check_owner(queue, connection)
        return queue

    def _check_owner(self, queue: Queue, connection: Any) -> None:
        if queue.owner is not None and queue.owner is not connection:
            raise AmqpError(
                405,
                f"cannot obtain exclusive access to locked {called('queue', queue.name)}. It could be originally "
                "declared on another connection or the exclusive property value does not match that of the original "
                "declaration.",
            )

    def declare_queue(
        self, name: str, durable: bool, auto_delete: bool, owner: Any, arguments: Mapping[str, Any], node: Node, by: Any
    ) -> Queue:
        """Make it, or find it as it was made. `owner`: the connection of an exclusive one; `by`: who asks."""
        durable = durable and owner is None
        what = called("queue", name)
        found = self.queues.get(name)
        if found is not None:
            found = self.queue(name, by)
            self._equal(found, what, durable, auto_delete, owner, arguments)
            found.touch()
            return found
        self._check_name("queue", name)
        return self.add_queue(name, durable, auto_delete, owner, arguments, node)

    def _equal(
        self, queue: Queue, what: str, durable: bool, auto_delete: bool, owner: Any, arguments: Mapping[str, Any]
    ) -> None:
        for word, has, wants in (("durable", queue.durable, durable), ("auto_delete", queue.auto_delete, auto_delete)):
            if has != wants:
                raise AmqpError(
                    406, f"inequivalent arg '{word}' for {what}: received {_word(wants)} but current is {_word(has)}"
                )
        if owner is not queue.owner:
            raise AmqpError(405, f"cannot obtain exclusive access to locked {what}. It could be originally "
                            "declared on another connection or the exclusive property value does not match that of the "
                            "original declaration.")  # fmt: skip
        self._compare(what, COMPARED, queue.settings.arguments, arguments)

    def add_queue(
        self, name: str, durable: bool, auto_delete: bool, owner: Any, arguments: Mapping[str, Any], node: Node
    ) -> Queue:
        """A new queue, which lives on that node. Raises PRECONDITION_FAILED."""
        what = called("queue", name)
        check_arguments(arguments, what)
        quorum = arguments.get("x-queue-type", "classic") == "quorum"
        if quorum:
            for word, wrong in (("auto-delete", auto_delete), ("exclusive-owner", owner), ("non-durable", not durable)):
                if wrong:
                    raise AmqpError(406, f"invalid property '{word}' for {what}")
        settings = self.settings(name, quorum, arguments)
        queue = Queue(self, name, node.number, durable, auto_delete, owner, quorum, settings)
        self.queues[name] = queue
        self.broker.place_copies(queue)
        self.broker.check_quorum_queues()
        self.broker.emit("QueueDeclared", queue.place, actor=node.name, detail="quorum" if quorum else "classic")
        return queue

    def settings(self, name: str, quorum: bool, arguments: Mapping[str, Any]) -> Settings:
        """What the arguments of a queue and the policy for it make of it."""
        fitting = [policy for policy in self.policies.values() if policy.fits(name, quorum)]
        policy = max(fitting, key=lambda policy: policy.priority).definition if fitting else {}
        policy = {**policy, **self.broker.ha_policy}
        return settings_of(arguments, policy, quorum, self.broker.delivery_limit)

    def policies_changed(self) -> None:
        """Every queue gets its settings anew."""
        for queue in list(self.queues.values()):
            queue.settings = self.settings(queue.name, queue.quorum, queue.settings.arguments)
            self.broker.place_copies(queue)

    def delete_queue(self, queue: Queue, why: str, if_unused: bool = False, if_empty: bool = False) -> int:
        """Take it away with its messages, and tell its consumers; how many messages there were."""
        if if_unused and queue.consumers:
            raise AmqpError(406, f"{called('queue', queue.name)} in use")
        if if_empty and queue.ready:
            raise AmqpError(406, f"{called('queue', queue.name)} not empty")
        if queue.deleted:
            return 0
        queue.deleted = True
        del self.queues[queue.name]
        self._unbind_all("queue", queue.name)
        count = len(queue)
        for entry in queue.take_back():
            queue.emit("Discarded", entry, detail=f"the queue is deleted: {why}")
        for consumer in list(queue.consumers):
            queue.answer(consumer.channel, consumer.channel.cancelled, consumer)
        queue.consumers.clear()
        self.broker.check_quorum_queues()
        self.broker.emit("QueueRemoved", queue.place, detail=why)
        return count

    # ---- messages ---------------------------------------------------------------------------------------------------

    def route(self, exchange: Exchange, message: Message) -> list[Queue]:
        """The queues that get a message."""
        names = route(self.exchanges, exchange, message.keys, message.headers)
        return [self.queues[name] for name in names if name in self.queues]

    def deliver(self, message: Message, queues: list[Queue], origin: Node, actor: str, done: Done) -> None:
        """Hand a message to its queues. `done` is called once, when all have answered: True if each has taken it."""
        broker = self.broker
        broker.watch_memory()
        if not queues:
            broker.emit("Unroutable", place_of(message.exchange), message.subject, actor, message.cause,
                        message.routing_key)  # fmt: skip
            return done(True)
        alone = len(queues) == 1
        if not alone:
            place = place_of(message.exchange)
            message.cause = broker.emit("Routed", place, message.subject, actor, message.cause, len(queues))
        waiting, taken = {queue.name for queue in queues}, [True]

        def answered(name: str, ok: bool) -> None:
            waiting.discard(name)
            taken[0] &= ok
            if not waiting:
                done(taken[0])

        for queue in queues:
            subject = message.subject if alone else f"{message.subject}/{queue.name}"
            entry = Entry(subject, message, row=message.cause)
            self.send(queue, entry, origin, lambda ok, name=queue.name: answered(name, ok),  # type: ignore[misc]
                      self._announcer(queue, entry, actor if alone else ""))  # fmt: skip

    def _announcer(self, queue: Queue, entry: Entry, actor: str) -> Callable[[], int]:
        kept = queue.quorum or (queue.durable and entry.message.persistent)
        detail = {"persistent": kept, "bytes": len(entry.message.body)}

        def announce() -> int:
            return queue.emit("Enqueued" if actor else "CopyEnqueued", entry, actor, detail)

        return announce

    def send(self, queue: Queue, entry: Entry, origin: Node, done: Done, announce: Callable[[], int]) -> None:
        """Have a queue take a message; its answer comes back to the node `origin`."""

        def answer(ok: bool) -> None:
            node = queue.node
            if node is not None:
                self.broker.hop(node, origin, done, ok)

        queue.ask(origin, queue.publish, entry, origin, answer, announce, otherwise=lambda: done(False))

    def publish_dead_letter(self, queue: Queue, entry: Entry, message: Message) -> bool:
        """A queue gives a message to its dead-letter exchange; False when no queue gets it there."""
        exchange, node = self.exchanges.get(message.exchange), queue.node
        targets = self.route(exchange, message) if exchange is not None else []
        if not targets or node is None:
            return False
        message.cause = entry.row
        if len(targets) > 1:
            message.subject = f"{entry.subject}/dead"
            queue.emit("Rerouted", entry, detail=message.exchange)
            self.deliver(message, targets, node, node.name, _ignore)
            return True
        target = targets[0]
        moved = Entry(entry.subject, message, row=entry.row)
        place = self.broker.broker.place(target.place)

        def announce() -> int:
            moved.row = queue.emit("DeadLettered", entry, detail=place)
            return moved.row

        self.send(target, moved, node, _ignore, announce)
        return True


def _ignore(ok: bool) -> None: ...
