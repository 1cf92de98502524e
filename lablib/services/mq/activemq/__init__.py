"""ActiveMQ as Amazon MQ runs it: one broker, or two of which one serves, over one store.

The model. The programs of a pair share a store (EFS) and compete for its lock. Who has it opens its ports; the other
looks for the lock every `mq.lock_poll` seconds. When the serving program ends, its connections break, the lock becomes
free (at once, or when its lease is over), and the other one reads the store and opens its ports. Amazon does not say
how long that takes.

Protocols: STOMP and MQTT over TLS. The ports of OpenWire, AMQP 1.0 and WSS are there, and say that they are not
simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from lablib.kernel.servers import Connection
from lablib.services.mq.activemq.broker import Serving
from lablib.services.mq.activemq.mqtt_session import MqttSession
from lablib.services.mq.activemq.selectors import parse
from lablib.services.mq.activemq.session import AnySession
from lablib.services.mq.activemq.stomp_session import StompSession
from lablib.services.mq.activemq.store import Store
from lablib.services.mq.engine import Broker, Document, Engine, Node

if TYPE_CHECKING:
    from lablib.services.mq.activemq.destinations import Message

_PORTS = {"ssl": 61617, "amqp+ssl": 5671, "stomp+ssl": 61614, "mqtt+ssl": 8883, "wss": 61619}
_NAMES = {"ssl": "OpenWire", "amqp+ssl": "AMQP 1.0", "wss": "STOMP and MQTT over WebSocket"}
_SPOKEN: dict[str, type[AnySession]] = {"stomp+ssl": StompSession, "mqtt+ssl": MqttSession}
_SMALL = ("mq.t2.micro", "mq.t3.micro")


class ActiveMq(Engine):
    """The software of an ActiveMQ broker, and its store."""

    modes = ("SINGLE_INSTANCE", "ACTIVE_STANDBY_MULTI_AZ")
    versions = ("5.18", "5.17.6", "5.16.7", "5.15.16")
    hosts: ClassVar[dict[str, int]] = {"SINGLE_INSTANCE": 1, "ACTIVE_STANDBY_MULTI_AZ": 2}

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.store = Store(broker)
        self.serving: Serving | None = None
        self._chance = broker.world.chance.stream(f"mq {broker.id}")
        self._cut_since: float | None = None  # since when the serving node has not reached the store

    def _of_size(self, name: str) -> float:
        """A quota of this size of instance."""
        quotas = self.broker.world.quotas
        return float(quotas[f"{name}_micro" if self.broker.size in _SMALL else name])

    @property
    def rate(self) -> float:
        """Messages that it handles in a second."""
        return self._of_size("mq.broker_rate")

    @property
    def memory(self) -> float:
        """Bytes for messages."""
        return self._of_size("mq.memory")

    @property
    def most_connections(self) -> int:
        """How many clients there may be at once."""
        return int(self._of_size("mq.connections"))

    def instances(self) -> list[Document]:
        return [
            {
                "ConsoleURL": f"https://{self.broker.dns(number)}:8162",
                "Endpoints": [f"{scheme}://{self.broker.dns(number)}:{port}" for scheme, port in _PORTS.items()],
                "IpAddress": host.address,
            }
            for number, host in enumerate(self.broker.hosts, 1)
        ]

    # ---- who serves --------------------------------------------------------------------------------------------------

    @property
    def active(self) -> Node | None:
        """The node that has the lock."""
        return self.store.owner

    def started(self, node: Node) -> None:
        if self.broker.established and self.store.owner is None:
            self.store.lock(node)
            self._serve(node)
            return
        first = self.broker.world.quotas["mq.start_time"] * (0.5 + self._chance.random())
        node.after(first, self._look_for_lock, node)

    def _look_for_lock(self, node: Node) -> None:
        if self.store.lock(node):
            quotas = self.broker.world.quotas
            kept = sum(len(messages) for messages in self.store.queues.values())
            self.broker.emit("LockTaken", actor=node.name)
            node.after(quotas["mq.recovery_time"] + kept * quotas["mq.recovery_message"], self._serve, node)
        else:
            node.after(self.broker.world.quotas["mq.lock_poll"], self._look_for_lock, node)

    def _serve(self, node: Node) -> None:
        self.serving = Serving(self, node)
        for scheme, port in _PORTS.items():
            node.listen(port, partial(self._client, _SPOKEN[scheme]) if scheme in _SPOKEN else self._not_simulated)
        self.broker.emit("NodeServing", actor=node.name, detail=node.name)
        self._cut_since = None
        self.serving.look_for_expired()
        self.broker.established = False
        node.after(1.0, self._keep_lock, node)

    def _keep_lock(self, node: Node) -> None:
        """A node that does not reach the store for as long as the lease holds has lost the lock, and ends."""
        now = self.broker.world.kernel.now
        if self.store.reached_from(node):
            self._cut_since = None
        elif self._cut_since is None:
            self._cut_since = now
        elif now - self._cut_since >= self.broker.world.quotas["mq.lock_lease"]:
            self.broker.emit("LockLost", actor=node.name)
            node.fail()
            return
        node.after(1.0, self._keep_lock, node)

    def ended(self, node: Node) -> None:
        if self.store.owner is not node:
            return
        expired = self._cut_since is not None and not node.stopping
        self.store.release(node)
        if expired:
            self.store.lease_until = self.broker.world.kernel.now
        if self.serving is not None:
            self.broker.emit("NodeGone", actor=node.name, detail=node.name)
            self.serving.end()
            self.serving = None

    def reboot(self) -> None:
        """The node that serves is restarted; the other one, if there is one, takes over."""
        node = self.active or next((n for n in self.broker.nodes if n is not None), None)
        if node is not None:
            node.stop()

    def maintain(self) -> None:
        """The standby first, then the one that serves: one failover in all."""
        standby = next((n for n in self.broker.nodes if n is not None and n is not self.active), None)
        if standby is None:
            self.reboot()
            return
        standby.stop()
        quotas = self.broker.world.quotas
        wait = quotas["mq.restart_time"] + 2 * quotas["mq.start_time"] + 1.0
        self.broker.world.kernel.after(wait, self.reboot)

    # ---- clients -----------------------------------------------------------------------------------------------------

    def _client(self, kind: type[AnySession], connection: Connection) -> None:
        if self.serving is None or len(self.serving.sessions) >= self.most_connections:
            connection.close()
            if self.serving is not None:
                text = f"Exceeded the maximum number of allowed client connections: {self.most_connections}"
                self.broker.emit("ClientRefused", actor=connection.peer, detail=text)
            return
        kind(self.serving, connection)

    def _not_simulated(self, connection: Connection) -> None:
        scheme = next(scheme for scheme, port in _PORTS.items() if port == connection.port)
        name = _NAMES.get(scheme, scheme)
        use = f"use STOMP (port {_PORTS['stomp+ssl']}) or MQTT (port {_PORTS['mqtt+ssl']})"
        text = f"This lab does not simulate {name}: {use}"
        self.broker.emit("ClientRefused", actor=connection.peer, detail=text)
        connection.send(f"{text}\r\n".encode())
        connection.close()

    def login_refused(self, name: str | None, password: str | None) -> str:
        """Why a login is refused, in the words of ActiveMQ's simple authentication; "" when it is right."""
        user = self.broker.users.get(name or "")
        if user is None or user.password != password:
            return f"User name [{name or 'null'}] or password is invalid."
        return ""

    def selector(self, text: str) -> Callable[[Message], bool] | None:
        """The test of a selector; None when there is none. Raises SelectorError."""
        return parse(text) if text.strip() else None

    # ---- numbers -----------------------------------------------------------------------------------------------------

    def metrics(self) -> dict[str, float]:
        serving = self.serving
        if serving is None:
            return {}
        numbers: dict[str, float] = {
            "CurrentConnectionsCount": len(serving.sessions),
            "TotalConsumerCount": sum(len(source.consumers) for source in serving.sources()),
            "MemoryUsage": 100 * serving.used / self.memory,
            "StorePercentUsage": 100 * self.store.bytes / self.broker.world.quotas["mq.storage"],
        }
        total = 0
        for queue in serving.queues.values():
            name = queue.name.partition("/")[2]
            flying = sum(len(consumer.dispatched) for consumer in queue.consumers)
            numbers[f"QueueSize/{name}"] = len(queue.waiting) + flying
            numbers[f"InFlightCount/{name}"] = flying
            numbers[f"ConsumerCount/{name}"] = len(queue.consumers)
            numbers |= {f"{count}/{name}": value for count, value in queue.counts.items()}
            total += len(queue.waiting) + flying
        numbers["TotalMessageCount"] = total
        return numbers
