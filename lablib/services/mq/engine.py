"""What a broker's software (ActiveMQ, RabbitMQ) is given, and what it must offer: the seam between control and engines.

A `Broker` is what the control plane keeps of one broker; it has one or more hosts on the virtual network. On a host
runs a `Node`, the broker's program from one start to its end: its ports, its connections and its timers end with it.
The `Engine` is the software. There is one engine object for a broker, as long as the broker exists: what it keeps for a
node is that program's memory, what it keeps for a host is a disk, what it keeps in itself is shared storage.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lablib.aws.lists import Tags
from lablib.aws.service import World
from lablib.kernel import Process, Signal
from lablib.kernel.loop import Timer
from lablib.kernel.network import Host, network_of
from lablib.kernel.servers import Connection, Server

Document = dict[str, Any]


@dataclass
class User:
    """A user of a broker. `password` is what clients must give; `groups` are ActiveMQ's."""

    name: str
    password: str
    console: bool = False
    groups: tuple[str, ...] = ()


@dataclass(eq=False)
class Broker:
    """One broker, as the control plane keeps it and as engines see it.

    `mode`: SINGLE_INSTANCE, ACTIVE_STANDBY_MULTI_AZ, CLUSTER_MULTI_AZ. `storage`: EBS or EFS. `size`: its instance
    type. `hosts`: its machines, in order; `nodes`: the program that runs on each of them now, None where there is none.
    `state` is that of the API (RUNNING, ...).
    """

    world: World
    id: str
    name: str
    arn: str
    engine_type: str
    version: str
    mode: str
    size: str
    storage: str
    users: dict[str, User]
    created: float
    settings: Document = field(default_factory=dict)  # what DescribeBroker only hands back
    tags: Tags = field(default_factory=Tags)
    state: str = "CREATION_IN_PROGRESS"
    hosts: tuple[Host, ...] = ()
    nodes: list[Node | None] = field(default_factory=list)
    planned: Document = field(default_factory=dict)  # what changes at the next reboot or maintenance window
    planned_users: dict[str, User | None] = field(default_factory=dict)  # None: to be deleted
    established: bool = False  # it begins as if it had been there for long: engines start without taking time

    def pending_change(self, name: str) -> str:
        """CREATE, UPDATE or DELETE: what waits for a user, or ""."""
        if name not in self.planned_users:
            return ""
        return "DELETE" if self.planned_users[name] is None else "UPDATE" if name in self.users else "CREATE"

    def user_summaries(self) -> list[Document]:
        """Its users as DescribeBroker and ListUsers show them."""
        names = sorted({**self.users, **self.planned_users})
        changes = {name: self.pending_change(name) for name in names}
        return [{"Username": n} | ({"PendingChange": changes[n]} if changes[n] else {}) for n in names]

    def dns(self, number: int | None = None) -> str:
        """Its name on the network as AWS writes it: of its host `number` (from 1), or of all of it (the load
        balancer's)."""
        which = f"-{number}" if number is not None else ""
        return f"{self.id}{which}.mq.{self.world.region}.amazonaws.com"

    def place(self, name: str = "") -> str:
        """The name of a destination in the trace: "broker/queue/orders"; without `name`, that of the broker."""
        return f"{self.name}/{name}" if name else self.name

    def emit(
        self,
        kind: str,
        place: str = "",
        subject: str = "",
        actor: str = "",
        cause: int = -1,
        detail: Any = None,
        until: float = 0.0,
    ) -> int:
        """Write a row into the trace, and return its number. `place` as for `place()`; `actor`: the client's host
        (`Connection.peer`), or the node's. The kinds of rows are in `events`."""
        return self.world.trace.add(kind, self.place(place), subject, actor or self.name, cause, detail, until)


class Node:
    """A broker's program on one host, from its start to its end. `number`: its host's place in the broker, from 1.

    `started` and `ended` of the engine are called at its start and its end. `alive` is False from its end on.
    """

    def __init__(self, broker: Broker, engine: Engine, number: int, on_end: Callable[[Node], None]) -> None:
        self.broker, self.number, self.engine = broker, number, engine
        self.host = broker.hosts[number - 1]
        self.kernel = broker.world.kernel
        self.alive = True
        self.stopping = False
        self._on_end = on_end
        self._end = Signal(self.kernel)
        self.process: Process = network_of(self.kernel).spawn(self.host.name, self._live)

    def _live(self) -> None:
        try:
            self.engine.started(self)
            while not self.stopping:
                self.kernel.wait(self._end)
        finally:
            self.alive = False
            self.engine.ended(self)
            self._on_end(self)

    @property
    def name(self) -> str:
        """The host's name: who acts, in the trace."""
        return self.host.name

    def after(self, delay: float, fn: Callable[..., Any], *args: Any) -> Timer:
        """Call `fn(*args)` when `delay` seconds have passed, unless the program has ended by then."""
        return self.kernel.after(delay, self._run, fn, args)

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if self.alive:
            fn(*args)

    def listen(self, port: int, on_connect: Callable[[Connection], None], *, tls: bool = True) -> Server:
        """Open a port of the host. Only while `started` runs or later, and not after the end."""
        return Server(self.process, port, on_connect, tls=tls)

    def fail(self) -> None:
        """End the program as a crash does."""
        self.after(0, self.kernel.kill, self.process)

    def stop(self) -> None:
        """End the program as an orderly shutdown does: `engine.ended` sees `stopping`, clients see their connections
        closed."""
        self.stopping = True
        self._end.fire()


class Engine(ABC):
    """The software of a broker. Callbacks of the network and of timers run it; it must never block.

    Chance comes from `broker.world.chance.stream(...)`, numbers from `broker.world.quotas`. To close connections is not
    its business when a node ends: they end with the node's process.
    """

    modes: ClassVar[tuple[str, ...]]  # the deployment modes that it can run in
    versions: ClassVar[tuple[str, ...]]  # the newest first
    hosts: ClassVar[dict[str, int]]  # how many machines each mode has

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    @classmethod
    def default_version(cls, world: World) -> str:
        """Which version a broker has that is made without one."""
        return cls.versions[0]

    @abstractmethod
    def instances(self) -> list[Document]:
        """BrokerInstances of DescribeBroker: `ConsoleURL`, `Endpoints`, `IpAddress`, as AWS writes them."""

    @abstractmethod
    def started(self, node: Node) -> None:
        """The program begins on a host: open ports (`node.listen`), or wait for one's turn (`node.after`)."""

    @abstractmethod
    def ended(self, node: Node) -> None:
        """The program is over: in order when `node.stopping`, else it crashed or its host lost its power. What was only
        in the node's memory is gone; rows tell what that means for messages."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """The broker's CloudWatch metrics, now, by name; those of a destination as "QueueSize/orders"."""

    def reboot(self) -> None:
        """Restart the program: on all hosts at once. An engine that keeps serving meanwhile does it one by one; a node
        that has stopped is started again by the control plane after `mq.restart_time`."""
        for node in list(self.broker.nodes):
            if node is not None:
                node.stop()

    def maintain(self) -> None:
        """As `reboot`, in the maintenance window: where there is a choice, in the order that disturbs least."""
        self.reboot()

    def users_changed(self) -> None:
        """`broker.users` has changed, and is to act from now on."""
        return

    def reboot_refused(self) -> str:
        """Why the broker cannot be rebooted now (RabbitMQ in a memory alarm), or ""."""
        return ""
