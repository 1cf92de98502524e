"""The scenario of lab 04: a shop tells several receivers about each order, by a topic or one after the other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lablib.actors.fleet import Worker
from lablib.actors.producers import call_with_retries
from lablib.aws.event import Event
from lablib.cloud import Cloud
from lablib.kernel import Row, Trace
from lablib.scenarios.actions import Targets, action
from lablib.scenarios.missions import Met, changed, met_unless, mission
from lablib.scenarios.param import choice, duration_of, seconds, share, switch, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import Stage, always
from lablib.scenarios.stages import RATE, RESTART, SPREAD, VISIBILITY_TIMEOUT, WORK
from lablib.texts import counted

TOPIC = "orders"
QUEUES = {"mail": "E-mail", "stock": "Stock", "partner": "Partner", "analytics": "Analytics"}
PARTNER = "https://partner.example/orders"
DEAD = "orders-dlq"
_BIG = 100  # dollars
_OUTAGE_BEGINS = 60.0
_SLOW = 20.0  # seconds that a slow partner takes for an answer
_TIMEOUT = 15.0  # seconds that the shop's and our own programs wait for it, as SNS does
_NO_POLICY = "The queue's access policy is gone for a while: the topic may not send to it."
_IS_SLOW = "For a while, the partner answers after 20 s. SNS waits for 15 s."
_FILTER = {"total": [{"numeric": [">=", _BIG]}]}


# ---- missions --------------------------------------------------------------------------------------------------------


@mission("04.half", "way")
def nothing_half_known(run: Run) -> Met:
    """The shop crashes at one order in five, and none is known to some only."""
    some, crashes = told(run)["some"], run.scenario.values()["shop_crashes"]
    near = {
        f"{counted(some, 'order')} known to some receivers only": some,
        f"the shop crashes at {100 * crashes:g} % of the orders": crashes < 0.2,
    }
    return changed(run, "rate") or met_unless(run, near)


@mission("04.away", "outage", "partner", "retries")
def partner_away(run: Run) -> Met:
    """The partner is away for two minutes, and gets every order all the same, but for those that the shop forgets."""
    away = run.scenario.values()["outage"]
    forgotten = {row.actor for row in run.trace.where("Crashed")}
    late = run.until - 30  # what is ordered just before the end may be on its way
    have = news(run)
    wanted = [row.subject for row in run.trace.where("Ordered") if row.time < late and row.actor not in forgotten]
    missed = sum("partner" not in have[order] for order in wanted)
    near = {
        f"the partner is away for {away:g} s": away < 120,
        f"{counted(missed, 'order')} did not reach the partner": missed,
    }
    return changed(run, "rate") or met_unless(run, near)


@mission("04.policy", "way", "remove_policy", "dead_letters")
def kept_for_later(run: Run) -> Met:
    """A queue's policy is gone, and what could not be delivered is kept in the dead-letter queue."""
    failed = run.trace.where("DeliveryFailed")
    refused = {row.subject for row in failed if row.actor in QUEUES}
    moved = (row.time for row in run.trace.where("SentToDeadLetterQueue") if row.subject in refused)
    near = f"{counted(len(refused), 'refused order')}, and none kept" if refused else "no queue refused a delivery"
    return next(moved, near)


@mission("04.twice", "partner_slow", "way", "partner")
def twice(run: Run) -> Met:
    """The partner gets an order that it had already: it took it, but answered too late."""
    late = {row.subject for row in run.trace.where("DeliveryFailed") if row.detail["reason"] == "Timeout"}
    again = (row.time for row in run.trace.where("Delivered") if row.actor == PARTNER and row.subject in late)
    near = "the partner has no order twice" if late else "the partner answered no order too late"
    values = run.scenario.values()
    if values["way"] != "by topic" or values["partner"] != "web server":
        near = "it is not SNS that calls the partner's web server"
    return next(again, near)


@mission("04.late", "late", "add_analytics", "way")
def late_receiver(run: Run) -> Met:
    """A receiver is added during the run, and the shop's program stays as it is."""
    values = run.scenario.values()
    if not values["late"] or values["way"] != "by topic":
        return "analytics are there from the beginning" if not values["late"] else "the shop tells each receiver itself"
    return next((row.time for row in run.trace.where("Sent", resource="analytics")), "analytics got no order")


class FanOut(Scenario):
    """A shop tells several receivers about each order.

    The mail program, the stock program and a partner must know every order; the analytics program wants the big ones.
    `way` decides who spreads the news: a topic, or the shop itself, one receiver after the other. The same seed brings
    the same orders, the same work and the same crashes of the shop.
    """

    duration = 240.0
    services = ("sns", "sqs")
    missions = (nothing_half_known, partner_away, kept_for_later, twice, late_receiver)

    way: str = choice("by topic", "one by one", aws="Publish").says(
        "receivers are told",
        "The shop publishes once, to a topic; or it tells each receiver itself, one after the other.",
    )
    rate: float = RATE.but(default=0.3, low=0.01, high=5.0, step=0.05, unit="orders/s", log=True).says(
        "order rate", "Orders that arrive a second, at random."
    )
    shop_crashes: float = share(0.0, live=True).says(
        "shop crashes",
        "The chance that the shop's program crashes while it tells of an order: before, between or after its calls. "
        "10 %: one order in ten.",
    )
    partner: str = choice("web server", "queue", aws="Protocol").says(
        "partner gets it by",
        "The topic calls the partner's web server; or a queue lies between, and a program takes it from there.",
    )
    outage: float = seconds(0.0, 0.0, 3600.0, step=10).says(
        "partner is away for",
        "From 60 s on, the partner's web server answers 500 for so long. 0: it always answers 200.",
    )
    retries: int = whole(3, 0, 100, "retries", aws="numRetries", quota="sns.http_retries_max").says(
        "retries",
        "How often SNS tries the web server again, 20 s after the attempt before. AWS allows an hour in all. "
        "For a topic only: a shop that tells the partner itself tries three times.",
    )
    dead_letters: bool = switch(False, aws="RedrivePolicy").says(
        "dead-letter queue",
        "What could not be delivered to a subscriber goes to a queue. Without it, it is lost. "
        "For a topic only: a shop that tells each receiver itself has none.",
    )
    filter: bool = switch(True, aws="FilterPolicy").says(
        "filter", "Analytics gets the big orders only: 100 dollars or more. Else it gets all."
    )
    big: float = share(0.25).says("big orders", "The share of orders of 100 dollars or more.")
    late: bool = switch(False, aws="Subscribe").says(
        "analytics comes later", "Analytics is no subscriber at the start. Add it during the run."
    )
    consumers: int = whole(2, 0, 10, "a queue", live=True, help="Consumers that poll each queue.")
    work: float = WORK.but(default=5.0, high=60.0, help="Half of the orders take less than this, half take more.")
    spread: float = SPREAD
    restart: float = RESTART
    visibility_timeout: int = VISIBILITY_TIMEOUT.but(live=False)

    def lens(self, run: Run) -> dict[str, Any]:
        """The board: which receiver had which order when, who wants it, and when the shop's program for it crashed."""
        crashed = {row.actor: row.time for row in run.trace.where("Crashed")}
        known, trying, over = news(run), run.measures.on_their_way, _given_up(run)
        all_of_them = not self.values()["filter"]

        def says(order: str) -> str | None:
            missed = " and ".join(QUEUES[name] for name in _MUST_KNOW if name not in known[order])
            return f"{order.replace('order-', 'Order ')} does not reach {missed}." if order in over and missed else None

        orders = [
            {
                "t": row.time,
                "ended": crashed.get(row.actor),
                "open": row.subject in trying,
                "settled": over.get(row.subject),
                "says": says(row.subject),
                "wanted": [name != "analytics" or all_of_them or row.detail >= _BIG for name in QUEUES],
                "told": [known[row.subject].get(name) for name in QUEUES],
            }
            for row in run.trace.where("Ordered")
        ]
        receivers = [{"label": label, "must": name in _MUST_KNOW} for name, label in QUEUES.items()]
        return {"painter": "board", "receivers": receivers, "orders": orders, "sent": "messages sent"}

    def build(self, cloud: Cloud) -> Stage:
        return _FanOutStage(cloud, self)

    def assume(self) -> dict[str, float]:
        return {"sqs.outages_per_hour": 0.0}

    def results(self, run: Run) -> dict[str, int]:
        """How many orders are known to whom. Analytics need not know."""
        count = told(run)
        on_its_way = {"orders on their way": count["on its way"]} if count["on its way"] else {}
        return {
            "orders told to all": count["all"],
            "orders told to some": count["some"],
            "orders told to nobody": count["nobody"],
            **on_its_way,
        }

    def story(self, run: Run, rows: list[Row]) -> str:
        """Whom the shop told of an order, and what kept it from telling the others."""
        if rows[0].kind != "Ordered":
            return ""
        reached = [
            f"{row.actor if row.kind == 'Delivered' else row.resource} at {row.time:.3f} s"
            for row in rows
            if row.kind in ("Sent", "Published", "Delivered")
        ]
        said = [f"Ordered at {rows[0].time:.3f} s; the shop told {', '.join(reached) or 'nobody'}."]
        tried = next((row for row in reversed(rows) if row.kind in ("Delivered", "DeliveryFailed")), None)
        if tried and tried.kind == "DeliveryFailed":
            times = f"{tried.detail['attempt']} attempt{'s' * (tried.detail['attempt'] > 1)}"
            why = f"the last at {tried.time:.3f} s: {tried.detail['reason']}"
            said.append(f"{tried.actor} did not take it in {times}, {why}.")
        said += [f"It is lost for {row.actor}: {row.detail}." for row in rows if row.kind == "DeliveryDropped"]
        crash = next((row for row in rows if row.kind == "Crashed"), None)
        if crash:
            said.append(f"The shop's program crashed at {crash.time:.3f} s, and told nobody after that.")
        return " ".join(said)


def _failed(row: Row, trace: Trace) -> str:
    what = f"attempt {row.detail['attempt']} to tell {row.actor} failed: {row.detail['reason']}"
    return f"{what}; the next one is at {row.until:.1f} s" if row.until else f"{what}; the shop tries no more"


class _FanOutStage(Stage):
    """Orders arrive at the shop; a process of its own tells the receivers of each."""

    events = (
        Event("Ordered", "a customer orders: {subject}, {detail} dollars"),
        Event("Intervened", "{detail}", label="change", notable="{detail}"),
    )

    def __init__(self, cloud: Cloud, scenario: FanOut) -> None:
        super().__init__(cloud, scenario)
        self.by_topic = scenario.way == "by topic"
        self.sns, self.sqs = cloud.direct("sns"), cloud.direct("sqs")
        self.inbox = cloud.service("sns").inbox(PARTNER)
        names = [name for name in QUEUES if name != "partner" or scenario.partner == "queue"]
        self.queues = {
            name: self.queue(name, label=f"Queue {name}", VisibilityTimeout=scenario.visibility_timeout)
            for name in names
        }
        self.partner = self.queues.get("partner") or self.web(PARTNER, "Partner's web server")
        self.known = [name for name in QUEUES if name != "analytics" or not scenario.late]
        self.crashes_next = False
        self._last: dict[str, float] = {}  # until when a trouble lasts, for those that may be begun again
        self.source = self.place("shop", "Shop", "producer", "shop*")
        if self.by_topic:
            self._make_topic(scenario.dead_letters)
        else:  # what becomes of its calls to the partner is written as for a topic, with words of its own
            cloud.trace.declare([replace(cloud.trace.events["DeliveryFailed"], words=_failed)])
        for name in QUEUES:
            self.link(
                self.source, name if name in self.queues else "web", t_from=0.0 if name in self.known else math.inf
            )
        self.link(self.source, "lost")
        if scenario.outage:
            cloud.kernel.at(_OUTAGE_BEGINS, self._partner_fails, scenario.outage)
        for name, queue in self.queues.items():
            serve = self.consumer(queue, self._forward if name == "partner" else self._work)
            self.fleet(name, QUEUES[name], serve, on=queue.place, id=f"{name}-program")
        to = [self.source] if self.by_topic else []
        self.front_end(self.handle, always(lambda: self.values["rate"]), to=to, id="shop")

    # ---- the topic ---------------------------------------------------------------------------------------------------

    def _make_topic(self, dead_letters: bool) -> None:
        self.orders = self.topic(TOPIC, id="topic")
        self.source = "topic"
        self.redriven: dict[str, Any] = {}
        if dead_letters:
            dead = self.queue(DEAD, id="dead", label="Dead letters", role="dead-letter", VisibilityTimeout=30)
            self.let_send(self.orders, dead)
            self.link("topic", "dead")
            self.redriven = {"RedrivePolicy": {"deadLetterTargetArn": dead.arn}}
        for name, queue in self.queues.items():
            self.let_send(self.orders, queue)
            if name in self.known:
                self._subscribe(name)
        if "partner" not in self.queues:
            retry = {"numRetries": self.values["retries"], "minDelayTarget": 20, "maxDelayTarget": 20}
            self.subscribe(self.orders, self.partner, DeliveryPolicy={"healthyRetryPolicy": retry}, **self.redriven)

    def _subscribe(self, name: str) -> None:
        wanted = {"FilterPolicy": _FILTER} if name == "analytics" and self.values["filter"] else {}
        self.subscribe(self.orders, self.queues[name], **wanted, **self.redriven)

    # ---- the receivers' programs -------------------------------------------------------------------------------------

    def _work(self, worker: Worker, message_id: str, key: str, row: int) -> None:
        worker.work(worker.name, message_id, row, self.work_seconds(f"{worker.name.partition('-')[0]} {key}"))

    def _forward(self, worker: Worker, message_id: str, key: str, row: int) -> bool:
        """Pass an order on to the partner's web server. What it does not take comes back."""
        status, delay = self.inbox.receive({}, key)
        taken = status < 400 and delay <= _TIMEOUT
        worker.work(worker.name, message_id, row, 0.2 + min(delay, _TIMEOUT), failed=not taken)
        return bool(taken)

    # ---- the shop ----------------------------------------------------------------------------------------------------

    def handle(self, number: int) -> None:
        self._order(str(number))

    def handle_burst(self, keys: list[str]) -> None:
        for key in keys:
            self._order(key)

    def _order(self, key: str) -> None:
        order, keyed = f"order-{key}", self.cloud.chance.keyed
        big = keyed("big", order) < self.values["big"]
        total = round(_BIG * (1 + 4 * keyed("total", order)) if big else 5 + (_BIG - 6) * keyed("total", order))
        row = self.cloud.trace.add("Ordered", "shop", order, f"shop/{order}", detail=total)
        self.cloud.trace.act_for(f"shop/{order}", row)
        calls = self._calls(order, total, row)
        self.cloud.spawn(self._announce, order, calls, self._calls_done(order, len(calls)), row, name=f"shop/{order}")

    def _calls(self, order: str, total: int, row: int) -> list[Callable[[], Any]]:
        """What the shop does to spread the news, in its order."""
        kernel = self.cloud.kernel
        attributes = {"total": {"DataType": "Number", "StringValue": str(total)}}
        if self.by_topic:
            message: dict[str, Any] = {"TopicArn": self.orders.arn, "Message": order, "MessageAttributes": attributes}
            return [lambda: call_with_retries(kernel, self.sns.publish, **message)]
        wanted = [n for n in self.known if n != "analytics" or total >= _BIG or not self.values["filter"]]

        def send(name: str) -> None:
            call_with_retries(kernel, self.sqs.send_message, QueueUrl=self.queues[name].url, MessageBody=order)

        return [(lambda n=n: send(n) if n in self.queues else self._post(order, row)) for n in wanted]  # type: ignore[misc]

    def _calls_done(self, order: str, calls: int) -> int:
        """After how many of its calls the shop crashes; more than it has when it does not."""
        keyed = self.cloud.chance.keyed
        if self.crashes_next:
            self.crashes_next = False
            return calls // 2
        if keyed("shop crashes", order) < self.values["shop_crashes"]:
            return int(keyed("moment of the crash", order) * (calls + 1))
        return calls + 1

    def _announce(self, order: str, calls: list[Callable[[], Any]], until: int, row: int) -> None:
        for call in calls[:until]:
            call()
        if until <= len(calls):
            self.cloud.trace.add("Crashed", subject=order, actor=f"shop/{order}", cause=row)

    def _post(self, order: str, row: int) -> None:
        """Call the partner's web server, three times at most. The rows are those of a topic that delivers."""
        kernel, add, last, delivery = self.cloud.kernel, self.cloud.trace.add, 3, f"{order} to {PARTNER}"
        row = add("DeliveryStarted", "shop", delivery, PARTNER, row)
        for attempt in range(1, last + 1):
            status, delay = self.inbox.receive({}, order)
            kernel.sleep(min(max(delay, 0.02), _TIMEOUT))
            detail = {"protocol": "https", "attempt": attempt}
            if status < 400 and delay <= _TIMEOUT:
                add("Delivered", "shop", delivery, PARTNER, row, detail)
                return
            reason = str(status) if status >= 400 else "Timeout"
            until = kernel.now + 1 if attempt < last else 0.0
            row = add("DeliveryFailed", "shop", delivery, PARTNER, row, detail | {"reason": reason}, until)
            if until:
                kernel.sleep(1)
        add("DeliveryDropped", "shop", delivery, PARTNER, row, "the shop gave up after three attempts")

    # ---- what can be done to it --------------------------------------------------------------------------------------

    def _note(self, text: str, resource: str = "") -> None:
        self.cloud.trace.add("Intervened", resource, detail=text)

    def _partner_fails(self, seconds: float) -> None:
        self.inbox.fail(500, seconds)
        self._note(f"The partner's web server answers 500 for {seconds:g} s.", PARTNER)
        self._ends("500", seconds, "The partner's web server answers 200 again.", PARTNER)

    def _ends(self, what: str, seconds: float, text: str, resource: str, end: Callable[[], None] | None = None) -> None:
        """Say when something ends, and end it, unless it was begun again meanwhile and lasts longer."""
        now = self.cloud.kernel.now
        self._last[what] = max(self._last.get(what, 0.0), now + seconds)

        def over() -> None:
            if self.cloud.kernel.now >= self._last[what]:
                if end:
                    end()
                self._note(text, resource)

        self.cloud.kernel.at(now + seconds, over)

    @action("Crash the shop", "Its program dies while it tells of the next order: half way.")
    def crash_shop(self) -> None:
        self.crashes_next = True

    @action(
        "Partner answers 500",
        "The partner's web server fails for a while.",
        duration_of(60.0),
        at="web partner-program",
    )
    def partner_fails(self, seconds: float) -> None:
        self._partner_fails(seconds)

    @action("Partner is slow", _IS_SLOW, duration_of(60.0), at="web partner-program")
    def partner_slow(self, seconds: float) -> None:
        self.inbox.slow(_SLOW)
        self._note(f"For {seconds:g} s the partner's web server answers after {_SLOW:g} s.", PARTNER)
        text = "The partner's web server answers at once again."
        self._ends("slow", seconds, text, PARTNER, lambda: self.inbox.slow(0.0))

    def fed_queues(self) -> list[str]:
        """The queues that a topic sends to."""
        return list(self.queues) if self.by_topic else []

    @action("Take a queue's policy away", _NO_POLICY, duration_of(60.0), targets=Targets(fed_queues))
    def remove_policy(self, name: str, seconds: float) -> None:
        queue = self.queues[name]
        self.let_send(self.orders, queue, allowed=False)
        self._note(f"The queue {name} has no policy for {seconds:g} s: the topic may not send to it.", name)
        text = f"The queue {name} has its policy back: the topic may send to it."
        self._ends(f"policy {name}", seconds, text, name, lambda: self.let_send(self.orders, queue))

    @action("Add analytics", "Analytics gets all orders from now on.", when=lambda stage: stage.values["late"])
    def add_analytics(self) -> None:
        if "analytics" in self.known:
            return
        self.known.append("analytics")
        self.link(self.source, "analytics")
        if self.by_topic:
            self._subscribe("analytics")
            self._note("Analytics subscribes to the topic. The shop knows nothing of it.")
        else:
            self._note("A new version of the shop: it tells analytics too.")


# ---- who knows of an order -----------------------------------------------------------------------------------------

_MUST_KNOW = ("mail", "stock", "partner")


def news(run: Run) -> dict[str, dict[str, float]]:
    """When each receiver had each order first, in its queue or on its web server."""
    orders = [row.subject for row in run.trace.where("Ordered")]
    names = {**{name: name for name in QUEUES}, PARTNER: "partner"}
    reached = run.measures.reached(orders)
    return {order: {names[name]: t for name, t in reached[order].items() if name in names} for order in orders}


def _given_up(run: Run) -> dict[str, float]:
    """The orders of which a delivery was given up, and when: until then it may still come."""
    rows = run.trace.where(("DeliveryDropped", "SentToDeadLetterQueue"))
    return {origin: row.time for row in rows for origin in run.trace.ancestors(row.subject)}


def known(run: Run) -> dict[str, set[str]]:
    """Which receivers have each order, in their queue or on their web server, by the end of the run."""
    return {order: set(who) for order, who in news(run).items()}


def told(run: Run) -> Counter[str]:
    """How many orders all, some or none of the receivers that must know every order have: "all", "some", "nobody".

    An order that SNS still tries to deliver at the end counts as "on its way".
    """
    trying = run.measures.on_their_way
    counts = Counter({"all": 0, "some": 0, "nobody": 0, "on its way": 0})
    for order, who in known(run).items():
        have = sum(name in who for name in _MUST_KNOW)
        state = "all" if have == len(_MUST_KNOW) else "on its way" if order in trying else "some" if have else "nobody"
        counts[state] += 1
    return counts


SCENARIOS: dict[str, type[Scenario]] = {"FanOut": FanOut}
