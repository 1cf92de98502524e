"""RabbitMQ on Amazon MQ: one node, or a cluster of three behind a load balancer, for clients of AMQP 0-9-1.

`codec` reads and writes the protocol, `connection` and `channel` answer clients, `vhost` knows what is declared,
`queues` keep and give out messages, `replicas` is how several nodes keep a queue, `management` is the HTTP API. Here:
the nodes, what they know of each other, and what happens when one is lost.

Sources: the pages of RabbitMQ on clustering, partitions and alarms; Amazon MQ's guide on its architecture for RabbitMQ.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import Any

from lablib.aws.service import World
from lablib.kernel import servers
from lablib.kernel.loop import Timer
from lablib.kernel.network import Host, network_of
from lablib.services.mq.engine import Broker, Document, Engine, Node
from lablib.services.mq.rabbitmq.codec import AmqpError
from lablib.services.mq.rabbitmq.connection import Connection
from lablib.services.mq.rabbitmq.management import Page
from lablib.services.mq.rabbitmq.queues import Queue
from lablib.services.mq.rabbitmq.replicas import Mirrors, Quorum
from lablib.services.mq.rabbitmq.settings import Policy
from lablib.services.mq.rabbitmq.vhost import VirtualHost

AMQPS, HTTPS = 5671, 443
_LOOK = 1.0  # seconds between two looks at memory and disk (RabbitMQ: 1 to 2.5 s)
_HELD = 1.0  # seconds; what is longer under way was held up by the network
_BETWEEN = 10.0  # seconds between two nodes of a rolling restart (ours)
_SHUTDOWN = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
_NO_QUORUM = "RABBITMQ_QUORUM_QUEUES_NOT_SUPPORTED_ON_CURRENT_VERSION"
_MIRRORING = Policy(  # Amazon MQ's guide, RabbitMQ defaults (2023)
    "ha-all-AWS-OWNED-DO-NOT-DELETE",
    ".*",
    {"ha-mode": "all", "ha-sync-mode": "automatic", "max-length": 8_000_000, "overflow": "reject-publish"},
    apply_to="classic_queues",
)


class RabbitMq(Engine):
    """A RabbitMQ broker. `nodes`: those that are part of the cluster now, by their numbers; `alarm`: of what it has too
    little ("memory", "disk"), or ""."""

    modes = ("SINGLE_INSTANCE", "CLUSTER_MULTI_AZ")
    versions = ("4.2", "3.13", "3.12.13", "3.11.28", "3.11.20", "3.10.25", "3.10.20", "3.9.27", "3.8.34")
    hosts = {"SINGLE_INSTANCE": 1, "CLUSTER_MULTI_AZ": 3}

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.world, self.kernel = broker.world, broker.world.kernel
        self.network = network_of(self.kernel)
        self.nodes: dict[int, Node] = {}
        self.connections: dict[Connection, None] = {}
        self.vhost = VirtualHost(self)
        self.alarm = ""
        self.emit = broker.emit
        version = tuple(int(part) for part in broker.version.split("."))
        self.delivery_limit = 20.0 if version >= (4,) else inf
        self.has_quorum_queues = version >= (3, 13)
        # Khepri keeps what is declared from 4.2 on, and knows no strategy for partitions (rabbitmq.com: "How to enable
        # Khepri"; release notes of 4.3.0). Which strategy Amazon MQ has before, its guide does not say.
        self._pauses_minority = version < (4, 2)
        self._listeners: dict[int, list[servers.Server]] = {}
        self._healthy: dict[int, None] = {}
        self._unnoticed: dict[int, tuple[Node, bool]] = {}  # nodes that are gone, and whether in order
        self._turn = self._subjects = 0
        self._known: set[str] = set()
        self._restarting: list[int] = []
        self.ha_policy: Document = {}  # what Amazon MQ adds to every policy of a cluster
        self._memory_timer: Timer | None = None
        if broker.mode == "CLUSTER_MULTI_AZ":
            self.network.watchers.append(self._network_changed)
            if self.delivery_limit == inf:
                self.vhost.policies[_MIRRORING.name] = _MIRRORING
                self.ha_policy = {name: _MIRRORING.definition[name] for name in ("ha-mode", "ha-sync-mode")}

    # ---- what everybody here asks -----------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds since the run began."""
        return self.kernel.now

    @property
    def date(self) -> datetime:
        """Now, as a moment."""
        return datetime.fromtimestamp(int(self.kernel.epoch + self.now), UTC)

    def quota(self, name: str) -> float:
        """One of RabbitMQ's numbers."""
        return float(self.world.quotas[f"mq.rabbitmq_{name}"])

    def node_name(self, number: int) -> str:
        """A node as RabbitMQ calls it."""
        return f"rabbit@{self.broker.hosts[number - 1].name}"

    def new_name(self, prefix: str) -> str:
        """A name that the server makes, as for a queue without one."""
        return f"{prefix}-{self.world.chance.uuid('rabbitmq').replace('-', '')[:22]}"

    def new_subject(self, message_id: Any) -> str:
        """What a message is called in the trace: its message_id, if no other has that, else a number."""
        self._subjects += 1
        known = isinstance(message_id, str) and message_id and message_id not in self._known
        subject = message_id if known else f"{self.broker.name}-{self._subjects}"
        self._known.add(subject)
        return str(subject)

    def hop(self, source: Node, target: Node, fn: Callable[..., None], *args: Any) -> None:
        """Have `fn(*args)` done on another node; on the same one it is done at once."""
        if source is target:
            if source.alive:
                fn(*args)
        else:
            self.network.carry(source.host, target.host, None, self._arrive, source, self.now, target, fn, args)

    def _arrive(self, source: Node, sent: float, target: Node, fn: Callable[..., None], args: tuple[Any, ...]) -> None:
        lost = not source.alive and self.now > sent + _HELD  # a partition held it, and its sender is no more
        if target.alive and self.nodes.get(target.number) is target and not lost:
            fn(*args)

    def reaches(self, a: Node, b: Node) -> bool:
        """Does what one node sends arrive at the other?"""
        return self.network.reaches(a.host.name, b.host.name)

    def place_copies(self, queue: Queue) -> None:
        """Decide which nodes keep a queue."""
        if queue.quorum:
            if not isinstance(queue.copies, Quorum):
                queue.copies = Quorum(queue, tuple(range(1, len(self.broker.hosts) + 1)))
        elif queue.settings.mirrored and queue.owner is None and len(self.broker.hosts) > 1 and not queue.replicated:
            queue.copies = Mirrors(queue)

    def check_quorum_queues(self) -> None:
        """Before RabbitMQ 3.13 Amazon MQ does not support them: a broker that has one needs help (its guide)."""
        if self.has_quorum_queues:
            return
        wrong = any(queue.quorum for queue in self.vhost.queues.values())
        if wrong and self.broker.state == "RUNNING":
            self.broker.state = "CRITICAL_ACTION_REQUIRED"
            self.broker.settings["ActionsRequired"] = [{"ActionRequiredCode": _NO_QUORUM}]
        elif not wrong and self.broker.state == "CRITICAL_ACTION_REQUIRED":
            self.broker.state = "RUNNING"
            del self.broker.settings["ActionsRequired"]

    # ---- nodes come and go ------------------------------------------------------------------------------------------

    def started(self, node: Node) -> None:
        """A node begins, with what is on its disk."""
        if self.broker.mode == "CLUSTER_MULTI_AZ":
            self.network.balance(self.broker.dns(), self._balance)
        self._join(node)
        if self._restarting[:1] == [node.number]:
            self._restarting.pop(0)
            node.after(_BETWEEN, self._restart_next)

    def _join(self, node: Node) -> None:
        if node.number in self._unnoticed:  # the others see by its new connections that the old ones are dead
            self._notice(*self._unnoticed[node.number])
        first = node.number not in self._healthy and len(self._healthy) == len(self.nodes)
        self.nodes[node.number] = node
        self._listeners[node.number] = [
            node.listen(AMQPS, partial(self._connected, node)),
            node.listen(HTTPS, partial(self._opened, node)),
        ]
        self.emit("NodeServing", detail=node.name, actor=node.name)
        for queue in list(self.vhost.queues.values()):
            if isinstance(queue.copies, Mirrors) and queue.home != node.number:
                if queue.node is not None:
                    queue.copies.join(node.number)
            elif queue.home == node.number and not queue.quorum:
                queue.come_up(node)
        self.kernel.after(0 if first else self.quota("health"), self._check_health)
        self.kernel.after(0.01, self._look_around)
        self.kernel.after(self.quota("election"), self._review)

    def _connected(self, node: Node, wire: servers.Connection) -> None:
        self.connections[Connection(self, node, wire)] = None

    def _opened(self, node: Node, wire: servers.Connection) -> None:
        Page(self, node, wire)

    def disconnected(self, connection: Connection) -> None:
        """A connection is over."""
        self.connections.pop(connection, None)

    def delete_exclusive(self, connection: Connection) -> None:
        """The queues of a connection go with it."""
        for queue in [q for q in self.vhost.queues.values() if q.owner is connection]:
            self.vhost.delete_queue(queue, f"{connection.peer} has gone, who alone might use it")

    def ended(self, node: Node) -> None:
        """A node is over."""
        if self.nodes.get(node.number) is node:
            self._leave(node, node.stopping, node.stopping or node.host.up)

    def _leave(self, node: Node, in_order: bool, told: bool) -> None:
        """It is no part of the cluster any more. `told`: the others see it at once, for its connections are closed."""
        del self.nodes[node.number]
        for connection in [c for c in self.connections if c.node is node]:
            if in_order and connection.state == "running":
                connection.say(0, "connection.close", reply_code=320, reply_text=_SHUTDOWN)
            connection.vanish()
            del self.connections[connection]
        self.emit("NodeGone", detail=node.name, actor=node.name)
        for queue in list(self.vhost.queues.values()):
            if not queue.replicated and queue.home == node.number:
                queue.go_down(node, in_order)
        if not self.nodes:
            for exchange in [x for x in self.vhost.exchanges.values() if not x.durable]:
                self.vhost.delete_exchange(exchange.name)
        self.kernel.after(self.quota("health"), self._check_health)
        self.kernel.after(self.quota("election") + (0 if told else self.quota("silence")), self._review)
        self._unnoticed[node.number] = node, in_order
        self.kernel.after(0 if told else self.quota("net_tick"), self._missed, node, in_order)

    def _missed(self, node: Node, in_order: bool) -> None:
        self._notice(node, in_order)
        self._look_around()

    def _notice(self, node: Node, in_order: bool) -> None:
        """The others know that a node is gone: its clients hold nothing any more, others lead what it led."""
        if self._unnoticed.get(node.number, (None,))[0] is not node:
            return  # it was known before
        del self._unnoticed[node.number]
        for queue in list(self.vhost.queues.values()):
            if isinstance(queue.copies, Mirrors) and self.nodes.get(node.number) is None:
                if not queue.copies.leave(node, in_order):
                    queue.go_down(node, in_order)
            elif not queue.replicated and queue.home == node.number and queue.node is None:
                for consumer in list(queue.consumers):
                    if consumer.channel.node.alive:
                        consumer.channel.cancelled(consumer)
                queue.consumers.clear()
            self._release(queue, node)

    def _release(self, queue: Queue, node: Node) -> None:
        channels = [c.channel for c in queue.consumers] + [holder[0] for holder in queue.unacked.values()]
        for channel in {c: None for c in channels if c.node is node}:
            queue.release(channel, "is gone with its node")

    def _review(self) -> None:
        for queue in list(self.vhost.queues.values()):
            if isinstance(queue.copies, Quorum):
                queue.copies.review()

    # ---- the network ------------------------------------------------------------------------------------------------

    def _network_changed(self, kind: str, a: str, b: str) -> None:
        names = [host.name for host in self.broker.hosts]
        if kind not in ("Partitioned", "Healed") or a not in names or b not in names:
            return
        if kind == "Partitioned":
            self.kernel.after(self.quota("silence") + self.quota("election"), self._review)
            self.kernel.after(self.quota("net_tick"), self._look_around)
        else:
            self.kernel.after(0.01, self._look_around)
            self.kernel.after(self.quota("election"), self._review)

    def _sees(self, node: Node) -> int:
        running = [n for n in self.broker.nodes if n is not None and n.alive]
        return sum(self.reaches(node, other) for other in running)

    def _look_around(self) -> None:
        """Before 4.2, a node that sees a minority, for others are cut off or down, pauses until it sees more
        (cluster_partition_handling = pause_minority). Later it goes on, keeps its clients, and confirms nothing."""
        if self.broker.mode != "CLUSTER_MULTI_AZ" or not self._pauses_minority:
            return
        for node in [n for n in self.broker.nodes if n is not None and n.alive]:
            few = 2 * self._sees(node) <= len(self.broker.hosts)
            if few and node.number in self.nodes:
                self.emit("NodePaused", detail=node.name, actor=node.name)
                for listener in self._listeners.pop(node.number):
                    listener.close()
                wires = [c.wire for c in self.connections if c.node is node]
                self._leave(node, True, True)
                for wire in wires:
                    wire.close()
            elif not few and node.number not in self.nodes:
                self._join(node)

    def _balance(self) -> Host | None:
        """The load balancer gives new connections to the nodes in turns, as far as it knows which are there."""
        able = sorted(self._healthy) or list(range(1, len(self.broker.hosts) + 1))
        self._turn += 1
        return self.broker.hosts[able[self._turn % len(able)] - 1]

    def _check_health(self) -> None:
        self._healthy = dict.fromkeys(sorted(self.nodes))

    # ---- control ----------------------------------------------------------------------------------------------------

    @classmethod
    def default_version(cls, world: World) -> str:
        """In 2023 one of RabbitMQ 3."""
        wanted = str(world.quotas["mq.rabbitmq_version"])
        return next(version for version in cls.versions if version == wanted or version.startswith(f"{wanted}."))

    def instances(self) -> list[Document]:
        """One, whatever the number of nodes: clients know the load balancer alone."""
        name = self.broker.dns()
        return [{"ConsoleURL": f"https://{name}", "Endpoints": [f"amqps://{name}:{AMQPS}"]}]

    def reboot(self) -> None:
        """Node by node, so that a cluster goes on."""
        self._restarting = [node.number for node in self.broker.nodes if node is not None]
        self._restart_next()

    def _restart_next(self) -> None:
        node = self.nodes.get(self._restarting[0]) if self._restarting else None
        if node is not None:
            node.stop()

    def reboot_refused(self) -> str:
        """While an alarm is on, there is no reboot."""
        return f"Broker [{self.broker.id}] cannot be rebooted: it is low on {self.alarm}." if self.alarm else ""

    def users_changed(self) -> None:
        """Who is gone, or has another password, is cut off when it connects anew; who is gone, at once."""
        for connection in [c for c in self.connections if c.user and c.user not in self.broker.users]:
            connection.close(AmqpError(320, f"user '{connection.user}' was deleted"), "")

    # ---- memory and disk --------------------------------------------------------------------------------------------

    def used(self) -> dict[int, dict[str, float]]:
        """Bytes of memory and disk that the messages of each node take."""
        used = {number: {"memory": 0.0, "disk": 0.0} for number in range(1, len(self.broker.hosts) + 1)}
        each = self.quota("message_overhead")
        for queue in self.vhost.queues.values():
            messages = [entry.message for _, entry in queue.ready] + [entry.message for entry in queue.unacked]
            memory = sum(message.size + each for message in messages)
            disk = sum(m.size for m in messages if queue.quorum or (queue.durable and m.persistent))
            for number in queue.copies.nodes:
                used[number]["memory"] += memory
                used[number]["disk"] += disk
        return used

    def watch_memory(self) -> None:
        """A message has come: soon, look how much there is."""
        if self._memory_timer is None:
            self._memory_timer = self.kernel.after(_LOOK, self._look_at_memory)

    def _look_at_memory(self) -> None:
        self._memory_timer = None
        used = [bytes for number, bytes in self.used().items() if number in self.nodes]
        short = next((what for what in ("memory", "disk") if any(u[what] > self.quota(what) for u in used)), "")
        if short != self.alarm:
            self.emit("AlarmRaised" if short else "AlarmCleared", detail=short or self.alarm)
            self.alarm = short
            for connection in list(self.connections):
                if not short:
                    connection.unblock()
        if short:
            self.watch_memory()

    def metrics(self) -> dict[str, float]:
        """CloudWatch's metrics of RabbitMQ brokers (Amazon MQ's guide)."""
        queues = list(self.vhost.queues.values())
        infos = {queue.name: queue.info() for queue in queues}
        found: dict[str, float] = {
            "QueueCount": len(queues), "ExchangeCount": len(self.vhost.exchanges),
            "ConnectionCount": len(self.connections),
            "ChannelCount": sum(len(c.channels) for c in self.connections),
            "ConsumerCount": sum(len(queue.consumers) for queue in queues),
            "RabbitMQMemUsed": max((used["memory"] for used in self.used().values()), default=0.0),
            "RabbitMQMemLimit": self.quota("memory"),
        }  # fmt: skip
        for metric, key in (("MessageCount", "messages"), ("MessageReadyCount", "messages_ready"),
                            ("MessageUnacknowledgedCount", "messages_unacknowledged")):  # fmt: skip
            found[metric] = sum(info[key] for info in infos.values())
            found |= {f"{metric}/{name}": info[key] for name, info in infos.items()}
        return found
