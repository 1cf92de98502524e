"""The second scenario of lab 07: a RabbitMQ cluster of three nodes, and a queue of which a majority decides."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from lablib.actors.amqp_clients import QUEUE, Shops
from lablib.aws.event import Event
from lablib.cloud import Cloud
from lablib.kernel import Row
from lablib.kernel.network import network_of
from lablib.scenarios.actions import Targets, action
from lablib.scenarios.param import choice, duration_of, number, seconds, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import Stage
from lablib.scenarios.topology import ROLES, Role

BROKER = "warehouse"
NODES = tuple(f"{BROKER}-{n}" for n in (1, 2, 3))
_PLACE = f"{BROKER}/queue/{QUEUE}"
ROLES["broker"] = Role(20, weight=2.0)


# ---- what a run tells ------------------------------------------------------------------------------------------------


def leads(run: Run) -> list[tuple[float, float, str]]:
    """Which node led the queue, and could decide: (from, to, node). A classic queue is led where it was declared, also
    when that node comes back, and again when its mirrors are synchronised.
    """
    found: list[tuple[float, float, str]] = []
    home, classic = "", run.scenario.values()["queue"] == "classic"
    kinds = ("LeaderElected", "QueueStopped", "NodeGone", "QueueDeclared", "NodeServing", "MirrorSynchronised")
    for row in run.trace.where(kinds):
        leads_now = bool(found) and found[-1][1] > row.time
        if row.kind in ("LeaderElected", "QueueDeclared"):
            home = row.actor
        begins = row.kind == "LeaderElected" or (
            classic
            and not leads_now
            and (
                row.kind in ("QueueDeclared", "MirrorSynchronised") or (row.kind == "NodeServing" and row.actor == home)
            )
        )
        stops = row.kind == "QueueStopped" or (row.kind == "NodeGone" and leads_now and row.actor == found[-1][2])
        if leads_now and (begins or stops):
            found[-1] = (found[-1][0], row.time, found[-1][2])
        if begins:
            found.append((row.time, run.until, home))
    return found


def lasting(spans: Iterable[Iterable[Any]], until: float) -> list[tuple[Any, ...]]:
    """Spans for a painter, for which one ends before its end: what there is at the end of the run goes on after it."""
    return [(begin, end + (end == until), *more) for begin, end, *more in spans]


def stopped(run: Run) -> float | None:
    """When no node could decide for the first time; None: never."""
    return next((row.time for row in run.trace.where("QueueStopped")), None)


def unconfirmed(run: Run) -> list[tuple[float, float | None, str]]:
    """Each order: when it was made, when it was confirmed (None: not), and by which shop."""
    confirmed = {row.subject: row.time for row in run.trace.where("OrderConfirmed")}
    found = [(row.detail, confirmed.get(row.subject), row.actor) for row in run.trace.where("OrderMade")]
    every = run.scenario.values()["every"]
    for shop in {who: None for *_, who in found}:  # what is made while it waits is sent later, or never
        first = min(made for made, _, who in found if who == shop)
        sent = sum(who == shop for *_, who in found)
        found += [(first + n * every, None, shop) for n in range(sent, int((run.until - first) / every) + 1)]
    return found


@lru_cache(maxsize=8)
def copies(run: Run) -> dict[str, list[tuple[float, int]]]:
    """How many messages each node has on its disk: (from, how many)."""
    found: dict[str, list[tuple[float, int]]] = {name: [(0.0, 0)] for name in NODES}
    home, one = "", run.scenario.values()["queue"] == "classic"
    kinds = ("QueueDeclared", "LeaderElected", "Replicated", "MirrorSynchronised", "Enqueued")
    for row in run.trace.where(kinds):
        if row.kind in ("QueueDeclared", "LeaderElected"):
            home = row.actor
        elif row.kind == "MirrorSynchronised":  # it was sent all that its leader had, also what that was still writing
            found[row.actor].append((row.time, row.detail))
        elif row.kind == "Replicated" or one:
            node = row.actor if row.kind == "Replicated" else home
            found[node].append((row.time, found[node][-1][1] + 1))
    return found


def _waits(run: Run, name: str) -> list[tuple[float, float]]:
    return [(row.time, row.until) for row in run.trace.where("ConnectFailed", actor=name)]


class Cluster(Scenario):
    """Three nodes, one queue: who leads, what is confirmed, and who stands still?

    Shops send orders to a queue of RabbitMQ, and wait for the confirm of each. They know the name of a load balancer.
    A quorum queue has a copy on each node; a classic one is on one node, or mirrored. Nobody receives.
    """

    duration = 120.0
    services = ("mq",)

    queue: str = choice("quorum", "classic").says(
        "type of queue", "Quorum: on three nodes. Classic: on one; in 2023 Amazon MQ mirrors it on the others."
    )
    senders: int = whole(3, 1, 6, "shops", help="Programs that send orders.")
    every: float = seconds(1.0, 0.2, 10.0, step=0.1).says("an order every", "How often each shop sends an order.")
    repair: float = seconds(40.0, 10.0, 600.0, step=5.0).says(
        "repair takes", "Until a machine without power is there again. Assumed: AWS gives no number."
    )
    memory: float = number(400.0, 0.02, 400.0, "MB", log=True, step=None).says(
        "memory watermark",
        "With more messages in a node's memory RabbitMQ raises an alarm. An order takes 0.7 kB.",
    )

    def lens(self, run: Run) -> dict[str, Any]:
        """Nodes, the leader, what each node has, and what each shop waits for."""
        rows = run.trace.where(("NodeServing", "NodeGone"))
        orders = unconfirmed(run)
        shops = sorted({row.actor for row in run.trace.where(("OrderMade", "ConnectFailed"))})
        return {
            "painter": "cluster",
            "nodes": list(NODES),
            "up": {name: lasting(_spans(rows, name, run.until), run.until) for name in NODES},
            "paused": [(row.time, row.actor) for row in run.trace.where("NodePaused")],
            "cuts": [(row.time, row.actor, row.detail) for row in run.trace.where(("CutOff", "Rejoined"))],
            "leads": lasting(leads(run), run.until),
            "copies": copies(run),
            "quorum": self.queue == "quorum",
            "mirrored": self.queue == "classic" and bool(run.trace.where("Replicated")),
            "shops": [
                {
                    "name": name,
                    "orders": [(made, done) for made, done, who in orders if who == name],
                    "up": lasting(_connected(run, name), run.until),
                    "waits": _waits(run, name),
                }
                for name in shops
            ],
        }

    def results(self, run: Run) -> dict[str, int]:
        """What was confirmed, and what was not."""
        orders = unconfirmed(run)
        return {
            "orders confirmed": sum(done is not None for _, done, _ in orders),
            "longest wait for a confirm, s": round(
                max(((run.until if done is None else done) - made for made, done, _ in orders), default=0.0)
            ),
        }

    def assume(self) -> dict[str, float]:
        return {"mq.replace_time": self.repair, "mq.rabbitmq_memory": self.memory * 1e6}

    def build(self, cloud: Cloud) -> Stage:
        return _ClusterStage(cloud, self)


def _spans(rows: list[Row], name: str, until: float) -> list[list[float]]:
    found: list[list[float]] = []
    for row in rows:
        if row.actor == name and row.kind == "NodeServing":
            found.append([row.time, until])
        elif row.actor == name and found:
            found[-1][1] = row.time
    return found


def _connected(run: Run, name: str) -> list[tuple[float, float, str]]:
    """A shop's connections: (from, to, node). Until it notices, a shop believes in a connection whose end is gone."""
    found: list[tuple[float, float, str]] = []
    for row in run.trace.where(("ClientConnected", "ConnectionLost"), actor=name):
        if row.kind == "ClientConnected":
            found.append((row.time, run.until, row.detail.rpartition(" ")[2]))
        elif found:
            found[-1] = (found[-1][0], row.time, found[-1][2])
    return found


class _ClusterStage(Stage):
    layout = "cluster"
    events = (
        Event("OrderMade", "{actor} sends it"),
        Event("OrderConfirmed", "{actor} has the confirm", counts="orders confirmed"),
        Event("ConnectionLost", "{actor} sees that its connection is gone"),
        Event("ConnectFailed", "{actor} finds no node, and tries again at {until:.1f} s"),
        Event("CutOff", "{actor} is cut off", label="cut off", notable="{actor} is cut off.", big=True),
        Event("Rejoined", "{actor} is reached by the other nodes again"),
    )

    def __init__(self, cloud: Cloud, scenario: Cluster) -> None:
        super().__init__(cloud, scenario)
        size = "mq.m7g.large" if cloud.quotas["mq.rabbitmq_version"] >= 4 else "mq.m5.large"
        made = self.ask(
            "mq", "create_broker", broker_name=BROKER, engine_type="RABBITMQ", host_instance_type=size,
            deployment_mode="CLUSTER_MULTI_AZ", publicly_accessible=False,
            users=[{"Username": "shop", "Password": "warehouse-42"}],
        )  # fmt: skip
        mq = cloud.service("mq")
        mq.establish(made["BrokerId"])
        broker = mq.brokers[made["BrokerId"]]
        self.network = network_of(cloud.kernel)
        shops = Shops(cloud.kernel, cloud.trace, broker.dns(), scenario.queue)
        self.place("shops", "Shops", "producer", "shop-*")
        for n, host in enumerate(broker.hosts, 1):
            self.place(f"node-{n}", host.name, "broker", host.name)
            self.link("shops", f"node-{n}")
        self.place("orders", "Queue orders", "queue", _PLACE)
        for n in range(1, len(broker.hosts) + 1):
            self.link(f"node-{n}", "orders")
        for n in range(1, scenario.senders + 1):
            cloud.spawn(shops.send_orders, f"shop-{n}", 0.3 * n, scenario.every, name=f"shop-{n}")

    def nodes(self) -> list[str]:
        """The names of the nodes."""
        return list(NODES)

    @action("Power off a node", "Its machine tells nobody. It is repaired after a while.", targets=Targets(nodes))
    def power_off(self, node: str) -> None:
        """A machine loses its power."""
        self.network.power_off(node)

    @action(
        "Cut a node off",
        "The other two do not reach it, nor it them; the shops reach all.",
        duration_of(30.0),
        targets=Targets(nodes),
    )
    def cut_off(self, node: str, seconds: float) -> None:
        """A partition between one node and the two others."""
        others = [other for other in NODES if other != node]
        self.cloud.trace.add("CutOff", actor=node, detail="cut")
        for other in others:
            self.network.partition(node, other)
        self.cloud.kernel.after(seconds, self._rejoin, node, others)

    def _rejoin(self, node: str, others: list[str]) -> None:
        for other in others:
            self.network.heal(node, other)
        self.cloud.trace.add("Rejoined", actor=node, detail="back")
