"""The scenario of lab 04: a shop tells several receivers about each order, by a topic or one after the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from lablib.cloud import Cloud
from lablib.kernel import Row
from lablib.scenarios.param import Param, ParamSpec
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Action, ActionSpec, Place, Scenario, Topology
from lablib.scenarios.scenes import DONE, LOST, SPREAD, VISIBILITY_TIMEOUT, fleet_actions
from lablib.scenarios.shop import DEAD, PARTNER, QUEUES, TOPIC, FanOutScene

_LABELS = {"mail": "E-mail", "stock": "Stock", "partner": "Partner", "analytics": "Analytics"}
_SHOP = Place("shop", "Shop", "producer", "shop*")


class FanOut(Scenario):
    """A shop tells several receivers about each order.

    The mail program, the stock program and a partner must know every order; the analytics program wants the big ones.
    `way` decides who spreads the news: a topic, or the shop itself, one receiver after the other. The same seed brings
    the same orders, the same work and the same crashes of the shop.
    """

    duration = 240.0
    services = ("sns", "sqs")

    way: str = Param(
        "by topic", choices=("by topic", "one by one"), label="receivers are told", aws="Publish",
        help="The shop publishes once, to a topic; or it tells each receiver itself, one after the other.",
    )  # fmt: skip
    rate: float = Param(
        0.3, low=0.01, high=5.0, step=0.05, unit="orders/s", label="order rate", live=True, log=True,
        help="Orders that arrive a second, at random.",
    )  # fmt: skip
    shop_crashes: float = Param(
        0.0, low=0.0, high=1.0, step=0.05, label="shop crashes", live=True,
        help="The chance that the shop's program crashes while it tells of an order: before, between or after its "
        "calls. 0.1: one order in ten.",
    )  # fmt: skip
    partner: str = Param(
        "web server", choices=("web server", "queue"), label="partner gets it by", aws="Protocol",
        help="The topic calls the partner's web server; or a queue lies between, and a program takes it from there.",
    )  # fmt: skip
    outage: float = Param(
        0.0, low=0.0, high=3600.0, step=10.0, unit="s", label="partner is away for",
        help="From 60 s on, the partner's web server answers 500 for so long. 0: it always answers 200.",
    )  # fmt: skip
    retries: int = Param(
        3, low=0, high=100, step=1, unit="retries", label="retries", aws="numRetries", quota="sns.http_retries_max",
        help="How often SNS tries the web server again, 20 s after the attempt before. AWS allows an hour in all. "
        "For a topic only: a shop that tells the partner itself tries three times.",
    )  # fmt: skip
    dead_letters: bool = Param(
        False, label="dead-letter queue", aws="RedrivePolicy",
        help="What could not be delivered to a subscriber goes to a queue. Without it, it is lost. "
        "For a topic only: a shop that tells each receiver itself has none.",
    )  # fmt: skip
    filter: bool = Param(
        True, label="filter", aws="FilterPolicy",
        help="Analytics gets the big orders only: 100 dollars or more. Else it gets all.",
    )  # fmt: skip
    big: float = Param(
        0.25, low=0.0, high=1.0, step=0.05, label="big orders",
        help="The share of orders of 100 dollars or more.",
    )  # fmt: skip
    late: bool = Param(
        False, label="analytics comes later", aws="Subscribe",
        help="Analytics is no subscriber at the start. Add it during the run.",
    )  # fmt: skip
    consumers: int = Param(2, low=0, high=10, step=1, unit="a queue", live=True, help="Consumers that poll each queue.")
    work: float = Param(
        2.0, low=0.01, high=60.0, step=0.1, unit="s", label="work time", live=True, log=True,
        help="Half of the orders take less than this, half take more.",
    )  # fmt: skip
    spread: float = SPREAD
    restart: float = Param(
        20.0, low=0.0, high=600.0, step=1.0, unit="s", label="restart after",
        help="When a crashed consumer starts again. 0: never.",
    )  # fmt: skip
    visibility_timeout: int = replace(VISIBILITY_TIMEOUT, live=False)

    def build(self, cloud: Cloud) -> FanOutScene:
        return FanOutScene(cloud, self)

    def assume(self) -> dict[str, float]:
        return {"sqs.outages_per_hour": 0.0}

    def results(self, run: Run) -> dict[str, int]:
        """How many orders are known to whom. Analytics need not know."""
        count = told(run)
        on_its_way = {"orders on their way": count["on its way"]} if count["on its way"] else {}
        return {"orders told to all": count["all"], "orders told to some": count["some"],
                "orders told to nobody": count["nobody"], **on_its_way}  # fmt: skip

    def queues(self) -> tuple[str, ...]:
        """The queues of the receivers. A partner with a web server has none."""
        return tuple(name for name in QUEUES if name != "partner" or self.partner == "queue")

    def actions(self) -> tuple[ActionSpec, ...]:
        names = tuple(f"{queue}-{n}" for queue in self.queues() for n in range(1, self.consumers + 1))
        own = [
            ActionSpec(
                "crash_shop", "Crash the shop", (), None, "Its program dies while it tells of the next order: half way."
            ),
            ActionSpec(
                "partner_fails", "Partner answers 500", (), _for(60.0), "The partner's web server fails for a while."
            ),
            ActionSpec(
                "partner_slow", "Partner is slow", (), _for(60.0),
                "For a while, the partner answers after 20 s. SNS waits for 15 s.",
            ),
        ]  # fmt: skip
        if self.way == "by topic":
            text = "The queue's access policy is gone for a while: the topic may not send to it."
            own.append(ActionSpec("remove_policy", "Take a queue's policy away", self.queues(), _for(60.0), text))
        if self.late:
            own.append(ActionSpec("subscribe", "Add analytics", (), None, "Analytics gets all orders from now on."))
        return (*own, *fleet_actions(names), *super().actions())

    def check_target(self, spec: ActionSpec, action: Action) -> None:
        """Consumers may come during the run: any that could exist is allowed here, and the run looks again."""
        most = int(self.params()["consumers"].high or 0)
        possible = {f"{queue}-{n}" for queue in self.queues() for n in range(1, most + 1)}
        if spec.kind not in ("crash", "freeze") or action.target not in possible:
            super().check_target(spec, action)

    def topology(self) -> Topology:
        topic = self.way == "by topic"
        source = "topic" if topic else "shop"
        middle = [Place("topic", f"Topic {TOPIC}", "topic", f"{TOPIC} sns/{TOPIC}")] if topic else []
        queues = [Place(name, f"Queue {name}", "queue", name) for name in self.queues()]
        fleets = [Place(f"{name}-program", _LABELS[name], "consumer", f"{name}-*") for name in self.queues()]
        web = [Place("web", "Partner's web server", "endpoint", PARTNER)] if self.partner == "web server" else []
        grave = [Place("dead", "Dead letters", "dead-letter", DEAD)] if topic and self.dead_letters else []
        links = [("shop", "topic")] if topic else []
        links += [(source, place.id) for place in (*queues, *web)]
        for queue, fleet in zip(queues, fleets):
            links += [(queue.id, fleet.id), (fleet.id, queue.id), (fleet.id, "done")]
        links += [(source, place.id) for place in (*grave, LOST)]
        return Topology((_SHOP, *middle, *queues, *web, *fleets, *grave, DONE, LOST), tuple(links))


def _for(seconds: float) -> ParamSpec:
    return ParamSpec(seconds, 0.1, 86_400.0, unit="s", label="for", name="value")


# ---- who knows of an order -----------------------------------------------------------------------------------------

_MUST_KNOW = ("mail", "stock", "partner")


def known(run: Run) -> dict[str, set[str]]:
    """Which receivers have each order, in their queue or on their web server, by the end of the run."""
    found: dict[str, set[str]] = {row.subject: set() for row in run.trace.where("Ordered")}
    published = {row.subject: _order(row) for row in run.trace.where("Published")}
    for row in run.trace.where(("Sent", "Delivered")):
        order = published.get(row.subject) if row.kind == "Delivered" else _order(row)
        if row.kind == "Delivered" and not published:
            order = row.subject
        if order in found:
            found[order].add("partner" if row.actor == PARTNER else row.resource if row.kind == "Sent" else row.actor)
    return found


def _order(row: Row) -> str:
    return row.actor.removeprefix("shop/")


def told(run: Run) -> Counter[str]:
    """How many orders all, some or none of the receivers that must know every order have: "all", "some", "nobody".

    An order that SNS still tries to deliver at the end counts as "on its way".
    """
    trying: set[tuple[str, str]] = set()
    for row in run.trace.where(("DeliveryFailed", "Delivered", "DeliveryDropped", "MovedToDeadLetterQueue")):
        (trying.add if row.kind == "DeliveryFailed" and row.until else trying.discard)((row.subject, row.actor))
    orders = {row.subject: _order(row) for row in run.trace.where("Published")}
    open_ = {orders.get(subject, subject) for subject, _ in trying}
    counts = Counter({"all": 0, "some": 0, "nobody": 0, "on its way": 0})
    for order, who in known(run).items():
        have = sum(name in who for name in _MUST_KNOW)
        state = "all" if have == len(_MUST_KNOW) else "on its way" if order in open_ else "some" if have else "nobody"
        counts[state] += 1
    return counts


SCENARIOS: dict[str, type[Scenario]] = {"FanOut": FanOut}
