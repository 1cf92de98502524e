"""The scenario of lab 07: a warehouse whose programs speak STOMP to a pair of brokers, of which one can die."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import Any

from lablib.actors.stomp_clients import PORT, QUEUE, RECONNECTED, Clients
from lablib.aws.event import Event
from lablib.aws.service import Request
from lablib.cloud import Cloud
from lablib.kernel import Row, Trace
from lablib.scenarios.actions import action
from lablib.scenarios.lab07_cluster import Cluster, lasting
from lablib.scenarios.missions import Met, met_unless, mission
from lablib.scenarios.param import choice, number, seconds, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import Stage
from lablib.scenarios.stages import CONSUMERS, RESTART, SPREAD, WORK
from lablib.scenarios.topology import ROLES, Role
from lablib.services.mq.activemq.destinations import HEADERS
from lablib.texts import counted

BROKER = "warehouse"
LATE = 10.0  # orders of the last seconds of a run may still be on their way
MB = 1 << 20  # as ActiveMQ's configuration has it
ROLES["store"] = Role(35, weight=2.0)

# ---- what a run tells ------------------------------------------------------------------------------------------------


@dataclass
class Order:
    """What became of one order: when it was made, handed to the library, confirmed; the messages that it became;
    the rows of its arrivals at packers, and when its work was done."""

    name: str
    made: float
    handed: list[float] = field(default_factory=list)
    confirmed: float | None = None
    messages: list[str] = field(default_factory=list)
    here: list[Row] = field(default_factory=list)
    done: list[float] = field(default_factory=list)


_ROWS = ("OrderHanded", "OrderConfirmed", "OrderHere", "OrderDone", "Enqueued", "ClientConnected")


@lru_cache(maxsize=8)
def orders(run: Run) -> dict[str, Order]:
    """All orders of a run. The broker gets what a connection brings in the order in which it was handed over, so the
    n-th message of a connection is the n-th order that went into it."""
    found: dict[str, Order] = {}
    pending: dict[str, list[str]] = defaultdict(list)  # handed to a connection, and not seen at the broker yet
    for row in run.trace.where(_ROWS):
        if row.kind == "OrderHanded":
            order = found.setdefault(row.subject, Order(row.subject, row.detail))
            order.handed.append(row.time)
            pending[row.actor].append(row.subject)
        elif row.kind == "OrderConfirmed":
            found[row.subject].confirmed = row.time
        elif row.kind == "OrderHere":
            found[row.subject].here.append(row)
        elif row.kind == "OrderDone":
            found[row.subject].done.append(row.time)
        elif row.kind == "ClientConnected":
            pending[row.actor].clear()
        elif pending[row.actor]:
            found[pending[row.actor].pop(0)].messages.append(row.subject)
    return found


def lost(run: Run) -> list[Order]:
    """The orders that nobody has done and nobody will: they are with no broker and with no client."""
    alive = {run.tokens.name(t.subject) for t in run.tokens.tokens if t.end is None and t.state != "lost"}
    crashes = [(row.actor, row.time) for row in run.trace.where("Crashed")]
    auto, sure = run.scenario.values()["ack"] == "auto", run.scenario.values()["receipts"] == "yes"
    waits = {order.name for order, _, end in kept_back(run) if end is None}

    def kept(order: Order) -> bool:
        """Does a packer have it still? With auto, what the broker has given out is only there."""
        return auto and any(not any(who == row.actor and at > row.time for who, at in crashes) for row in order.here)

    return [
        order
        for order in orders(run).values()
        if not order.done
        and not (sure and order.confirmed is None)  # the shop keeps it, and sends it again
        and not alive & set(order.messages)
        and order.name not in waits
        and not kept(order)
        and order.handed[-1] < run.until - LATE
    ]


def twice(run: Run) -> list[Order]:
    """The orders whose work was done more than once."""
    return [order for order in orders(run).values() if len(order.done) > 1]


@lru_cache(maxsize=8)
def connections(run: Run) -> dict[str, list[tuple[float, float, str]]]:
    """Each client's connections: (from, to, the node that it was connected to)."""
    found: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    node, up = "", {}
    for row in run.trace.where(("NodeServing", "NodeGone", "ClientConnected", "ClientGone", "Crashed")):
        if row.kind == "NodeServing":
            node = row.actor
        elif row.kind == "ClientConnected":
            up[row.actor] = row.time
        else:
            gone = list(up) if row.kind == "NodeGone" else [row.actor]
            for client in gone:
                if client in up:
                    found[client].append((up.pop(client), row.time, node))
    for client, begin in up.items():
        found[client].append((begin, run.until, node))
    return dict(found)


@lru_cache(maxsize=8)
def kept_back(run: Run) -> list[tuple[Order, float, float | None]]:
    """The orders that waited in a connection while their shop was blocked: (order, when it was handed over, when it was
    read or the connection ended; None: neither)."""
    arrived = {row.subject: row.time for row in run.trace.where("Enqueued")}
    stops, found = blocked(run), []
    for order in orders(run).values() if stops else ():
        handed, shop = order.handed[-1], order.name.partition(":")[0]
        read = arrived[order.messages[-1]] if order.messages else -1.0
        if read < handed:
            read = next((end for begin, end, _ in connections(run).get(shop, ()) if begin <= handed < end), handed)
        spans = stops.get(shop, [])
        next_stop = bisect_right(spans, handed, key=itemgetter(1))  # the first that ends later
        if next_stop < len(spans) and spans[next_stop][0] < read:
            found.append((order, handed, read if read < run.until else None))
    return found


def memory(trace: Trace) -> list[tuple[float, int]]:
    """How many bytes of its memory the broker has used: (from, bytes). What is persistent does not count."""
    sizes: dict[str, int] = {}
    found = [(0.0, 0)]
    for row in trace.where(("Enqueued", "Acknowledged", "Forgotten", "MemoryLost")):
        if row.kind != "Enqueued":
            by = -sizes.pop(row.subject, 0)
        else:
            by = 0 if row.detail["persistent"] else row.detail["bytes"] + HEADERS
            sizes[row.subject] = by
        if by:
            found.append((row.time, found[-1][1] + by))
    return found


def all_blocked(run: Run) -> float | None:
    """When the broker read of no shop at all for the first time; None: never."""
    changes = sorted((at, by) for spans in blocked(run).values() for span in spans for at, by in zip(span, (1, -1)))
    now = 0
    for at, by in changes:
        now += by
        if now == run.scenario.values()["senders"]:
            return at
    return None


def blocked(run: Run) -> dict[str, list[tuple[float, float]]]:
    """When the broker read nothing of a shop, because its memory was full: each shop's (from, to)."""
    return run.tokens.blocked(run.until)


def dark(run: Run) -> dict[str, float]:
    """The longest time that each client had no connection after its first one, in seconds."""
    found = {}
    for client, spans in connections(run).items():
        ends = [(0.0, spans[0][0]), *((a[1], b[0]) for a, b in pairwise(spans))]
        last = [(spans[-1][1], run.until)] if spans[-1][1] < run.until else []
        found[client] = max(end - begin for begin, end in [*ends[1:], *last, (0.0, 0.0)])
    return found


def served(run: Run) -> list[tuple[float, float, str]]:
    """When a broker served, and which: (from, to, node)."""
    found: list[tuple[float, float, str]] = []
    for row in run.trace.where(("NodeServing", "NodeGone")):
        if row.kind == "NodeServing":
            found.append((row.time, run.until, row.actor))
        elif found:
            found[-1] = (found[-1][0], row.time, found[-1][2])
    return found


def failed_over(run: Run) -> float | None:
    """When another node began to serve for the first time; None: never."""
    return served(run)[1][0] if len(served(run)) > 1 else None


# ---- missions --------------------------------------------------------------------------------------------------------


@mission("07.lost", "crash_broker", "persistent")
def messages_lost(run: Run) -> Met:
    """After a failover at least ten orders are lost, and all clients are connected again."""
    return _once_back(run, _no_failover(run) | {_lost(run): len(lost(run)) < 10, _NOT_BACK: not _all_back(run)})


@mission("07.lossless", "crash_broker", "persistent", "receipts")
def nothing_lost(run: Run) -> Met:
    """A broker crashes in the middle of it, and no order is lost."""
    over = failed_over(run)
    values = run.scenario.values()
    idle = values["senders"] * (run.until - LATE) / values["every"] < 100
    early, late = over is not None and over <= 10, over is not None and over >= run.until - 20
    near = {"the crash came too early": early, "the crash came too late": late, "too few orders are sent": idle}
    return met_unless(run, _no_failover(run) | near | {_lost(run): lost(run)})


@mission("07.twice", "crash_broker", "ack")
def done_again(run: Run) -> Met:
    """An order was done twice because of a failover."""
    over = failed_over(run)
    times = [order.done[1] for order in twice(run)]
    again = [time for time in times if over is not None and time > over]
    return min(again) if again else met_unless(run, _no_failover(run) | {"no order was done twice after it": True})


@mission("07.five", "crash_broker", "lock_poll", "longest")
def five_seconds(run: Run) -> Met:
    """A broker crashes, and no client is without a connection for more than five seconds."""
    longest = max(dark(run).values(), default=0.0)
    long = {f"a client was without a broker for {longest:.1f} s": longest > 5}
    return _once_back(run, _no_failover(run) | {_NOT_BACK: not _all_back(run)} | long)


@mission("07.alone", "hosts", "crash_broker")
def nobody_comes_back(run: Run) -> Met:
    """A broker has served for 20 seconds after a failover, and no client is there."""
    over = failed_over(run)
    if over is None or over + 20 > run.until:
        return met_unless(run, _no_failover(run) | {"the standby served for less than 20 s": True})
    back = [begin for spans in connections(run).values() for begin, *_ in spans if begin > over]
    return over + 20 if connections(run) and (not back or min(back) > over + 20) else "a client came back"


@mission("07.full", "memory", "consumers", "persistent")
def nobody_can_send(run: Run) -> Met:
    """The broker's memory is full, and it reads nothing from any shop."""
    found = all_blocked(run)
    most = max(used for _, used in memory(run.trace)) / (run.scenario.values()["memory"] * MB)
    return found or ("it stopped some of the shops" if blocked(run) else f"its memory was at most {most:.0%} full")


def _once_back(run: Run, near: dict[str, object]) -> Met:
    """Like `met_unless`, from the instant on at which the last client was connected again."""
    found = met_unless(run, near)
    return max(spans[-1][0] for spans in connections(run).values()) if found is True else found


_NOT_BACK = "not every client came back"


def _no_failover(run: Run) -> dict[str, object]:
    return {"no other broker took over": failed_over(run) is None}


def _lost(run: Run) -> str:
    return counted(len(lost(run)), "order") + " lost"


def _all_back(run: Run) -> bool:
    return bool(connections(run)) and all(spans[-1][1] == run.until for spans in connections(run).values())


# ---- the scenario ----------------------------------------------------------------------------------------------------


class Warehouse(Scenario):
    """The active broker dies: what survives, and how long is it dark?

    Shops send orders over STOMP, and packers receive them. Two brokers share one store, and the lock of the store says
    which of them serves. The same seed brings the same orders and the same work.
    """

    duration = 90.0
    services = ("mq",)
    missions = (messages_lost, nothing_lost, done_again, five_seconds, nobody_comes_back, nobody_can_send)

    broker: str = choice("pair", "single").says("deployment", "Pair: active and standby. Single: one broker alone.")
    lock_poll: float = seconds(10.0, 0.5, 30.0, step=0.5).says(
        "lock is tried every", "How often the standby tries to get the lock. Assumed: AWS gives no number."
    )
    repair: float = seconds(45.0, 5.0, 600.0, step=5.0).says(
        "repair takes", "Until a broken broker is there again. Assumed: AWS gives no number."
    )
    memory: float = number(1024.0, 0.02, 1024.0, "MB", log=True, step=None).says(
        "memory for messages", "The broker's limit. An order that is not persistent takes 1 kB of it until it is done."
    )
    senders: int = whole(3, 1, 10, "shops", help="Programs that send orders.")
    every: float = seconds(1.0, 0.2, 10.0, step=0.1).says("an order every", "How often each shop sends an order.")
    persistent: str = choice("no", "yes").says(
        "persistent", "Do the shops ask the broker to write an order to the store? Over STOMP the default is no."
    )
    receipts: str = choice("no", "yes").says(
        "receipts", "Does a shop wait for a receipt of each order, and send it again when none comes?"
    )
    consumers: int = CONSUMERS.but(default=3, high=20, live=False, help="Programs that receive orders.")
    ack: str = choice("client-individual", "auto").says(
        "acknowledgement", "After the work, each message by itself; or auto: at once, by the broker."
    )
    prefetch: int = whole(1000, 1, 1000, "messages", log=True, step=None).says(
        "prefetch", "How many messages a packer may have that it has not acknowledged."
    )
    work: float = WORK.but(default=1.2, high=20.0)
    spread: float = SPREAD.but(default=2.0)
    restart: float = RESTART.but(default=5.0)
    hosts: str = choice("both", "first").says("clients know", "Both brokers' host names, or the first one's only.")
    wait: str = choice("doubling", "jitter", "fixed").says(
        "between two tries", "Twice as long each time; the same with chance; or one second."
    )
    longest: float = seconds(30.0, 0.5, 60.0, step=0.5, log=True).says(
        "longest wait", "A client waits at most so long between two tries to connect."
    )

    def lens(self, run: Run) -> dict[str, Any]:
        """Brokers, the lock, connections, and what the store does not have."""
        stored = {row.subject for row in run.trace.where("Enqueued") if row.detail["persistent"]}
        numbers, gone = run.tokens.subjects, lost(run)
        dropped = {o.name: end for o in gone for end in _dropped(run, o)}
        cut = {order.name: end for order, _, end in kept_back(run) if end is not None and not order.messages}
        senders = {
            str(numbers[run.trace.code(subject)]): order.name.partition(":")[0]
            for order in orders(run).values()
            for subject in order.messages
        }
        return {
            "painter": "brokers",
            "nodes": [f"{BROKER}-{n}" for n in (1, 2)] if self.broker == "pair" else [BROKER],
            "serves": lasting(served(run), run.until),
            "reads": [(row.time, row.actor) for row in run.trace.where("LockTaken")],
            "starts": [(row.time, row.actor) for row in run.trace.where("NodeStarted")],
            "stored": sorted(numbers[code] for code in map(run.trace.code, stored) if code in numbers),
            "clients": [self._client(run, name) for name in clients(run)],
            "lost": [(cut.get(o.name, o.handed[-1]), o.name.partition(":")[0]) for o in gone if not o.messages],
            "gone": [_end_after(run, o) for o in gone if o.messages and o.name not in dropped],
            "dropped": list(dropped.values()),
            "polls": {row.actor: (row.time, self.lock_poll) for row in reversed(run.trace.where("LockTaken"))},
            "from": senders,
            "room": self._room(run),
            "held": {
                str(numbers[run.trace.code(order.messages[-1])]): handed
                for order, handed, end in kept_back(run)
                if end is not None and order.messages
            },
        }

    def _room(self, run: Run) -> dict[str, Any]:
        """The broker's memory for messages, and how much of it is used."""
        used = memory(run.trace)
        return {"limit": self.memory * MB, "t": [at for at, _ in used], "y": [bytes for _, bytes in used]}

    def _client(self, run: Run, name: str) -> dict[str, Any]:
        mine = [order for order in orders(run).values() if order.name.startswith(f"{name}:")]
        handed = [(o.made, o.confirmed if self.receipts == "yes" else o.handed[-1]) for o in mine]
        if mine:  # what is made while the program waits for its broker is handed over later, or never
            made = range(len(mine), int((run.until - mine[0].made) / self.every) + 1)
            handed += [(mine[0].made + n * self.every, None) for n in made]
        return {
            "name": name,
            "sends": name.startswith("shop"),
            "up": lasting(connections(run).get(name, []), run.until),
            "tries": [(row.time, row.until, row.detail) for row in run.trace.where("ReconnectWaits", actor=name)],
            "orders": handed,
            "held": [
                (begin, run.until + 1 if end is None else end)
                for order, begin, end in kept_back(run)
                if order.name.startswith(f"{name}:")
            ],
            "done": [row.time for row in run.trace.where("OrderDone", actor=name)],
        }

    def results(self, run: Run) -> dict[str, int]:
        """What became of the orders, and how long clients had no broker."""
        longest = max(dark(run).values(), default=0.0)
        stopped = sum(end - begin for spans in blocked(run).values() for begin, end in spans)
        return {
            "orders done": sum(bool(order.done) for order in orders(run).values()),
            "orders lost": len(lost(run)),
            "orders done twice": len(twice(run)),
            "longest time without a broker, s": round(longest),
            **({"time blocked, all shops, s": round(stopped)} if stopped else {}),
        }

    def assume(self) -> dict[str, float]:
        repair = {"mq.replace_time": self.repair, "mq.restart_time": self.repair}
        return {"mq.lock_poll": self.lock_poll, "mq.memory": self.memory * MB, **repair}

    def build(self, cloud: Cloud) -> Stage:
        return _WarehouseStage(cloud, self)


def _end_after(run: Run, order: Order) -> tuple[float, str]:
    """The end of the broker's program with which a lost order went, and its node."""
    ends = [(end, node) for _, end, node in served(run) if end > order.handed[0]]
    return ends[0] if ends else (order.handed[-1], BROKER)


def _dropped(run: Run, order: Order) -> list[tuple[float, str]]:
    """The crash of a packer in which a lost order was in hand, which the broker had forgotten (auto), and its name."""
    ends = run.trace.where("Crashed") if run.scenario.values()["ack"] == "auto" else []
    return [(e.time, e.actor) for row in order.here for e in ends if e.actor == row.actor and e.time > row.time][:1]


def clients(run: Run) -> list[str]:
    """The names of all clients, senders first."""
    found = {row.actor for row in run.trace.where(("ReconnectWaits", "ClientConnected"))}
    return sorted(found, key=lambda name: (not name.startswith("shop"), len(name), name))


class _WarehouseStage(Stage):
    layout = "brokers"
    events = (
        Event("OrderHanded", "{actor} handed it to its connection", counts="handed over"),
        Event("OrderConfirmed", "confirmed to {actor}"),
        Event("OrderHere", "{actor} has it"),
        Event("OrderDone", "done by {actor}", counts="orders done"),
        Event("ReconnectWaits", "{actor} has no connection, and waits until {until:.1f} s"),
        RECONNECTED,
    )

    def __init__(self, cloud: Cloud, scenario: Warehouse) -> None:
        super().__init__(cloud, scenario)
        pair = scenario.broker == "pair"
        made = self.ask(
            "mq", "create_broker", broker_name=BROKER, engine_type="ACTIVEMQ", host_instance_type="mq.m5.large",
            deployment_mode="ACTIVE_STANDBY_MULTI_AZ" if pair else "SINGLE_INSTANCE", publicly_accessible=False,
            users=[{"Username": "shop", "Password": "warehouse-42"}],
        )  # fmt: skip
        self.mq = cloud.service("mq")
        self.mq.establish(made["BrokerId"])
        self.node_of = self.mq.brokers[made["BrokerId"]]
        self.engine = self.mq.engines[made["BrokerId"]]
        hosts = [host.name for host in self.node_of.hosts]
        known = [self.node_of.dns(n) for n in range(1, len(hosts) + 1)]
        self.clients = Clients(
            cloud.kernel, cloud.trace, cloud.chance, self.values, known if scenario.hosts == "both" else known[:1]
        )
        self.place("shops", "Shops", "producer", "shop-*")
        for n, host in enumerate(hosts, 1):
            self.place(f"broker-{n}", host, "broker", host)
            self.link("shops", f"broker-{n}")
        self.place("orders", "Queue orders", "queue", f"{BROKER}/{QUEUE.strip('/')}")
        for n in range(1, len(hosts) + 1):
            self.link(f"broker-{n}", "orders")
        for n in range(1, scenario.senders + 1):
            cloud.spawn(self.clients.send_orders, f"shop-{n}", 0.3 * n, name=f"shop-{n}")
        self.fleet("packer", "Packers", self._serve, on="orders", id="packers")
        self.link("orders", "lost")

    def _serve(self, worker: Any) -> None:
        self.clients.receive_orders(worker, self.work_seconds)

    @action(
        "Crash the active broker", "Its program ends at once, as in a power cut. The lock becomes free.", at="broker"
    )
    def crash_broker(self) -> None:
        """End the program that serves."""
        if self.engine.active is not None:
            self.engine.active.fail()

    @action("Reboot the broker", "The active program stops in order, as in a maintenance window.", at="broker")
    def reboot_broker(self) -> None:
        """RebootBroker, as the maintenance window does it."""
        if self.node_of.state == "RUNNING" and self.engine.active is not None:
            self.ask("mq", "reboot_broker", broker_id=self.node_of.id)


def ready_broker(cloud: Cloud, mode: str = "SINGLE_INSTANCE", engine: str = "ACTIVEMQ") -> list[tuple[str, int]]:
    """A broker called "warehouse" that has been there for long, for a section that is not about making one.

    User "shop", password "warehouse-42". Returns (host name, port) of each of its machines, for STOMP or AMQP 0-9-1.
    """
    mq = cloud.service("mq")
    request = Request("you", -1, cloud.chance.stream("scene"))
    made = mq.operation("create_broker")(
        request, broker_name=BROKER, engine_type=engine, deployment_mode=mode, publicly_accessible=False,
        host_instance_type="mq.m5.large", users=[{"Username": "shop", "Password": "warehouse-42"}],
    )  # fmt: skip
    mq.establish(made["BrokerId"])
    broker = mq.brokers[made["BrokerId"]]
    cloud.advance(1)
    if engine == "RABBITMQ":
        return [(broker.dns(), 5671)]
    return [(broker.dns(n), PORT) for n in range(1, len(broker.hosts) + 1)]


SCENARIOS: dict[str, type[Scenario]] = {"Warehouse": Warehouse, "Cluster": Cluster}
