"""The stage of lab 04: a shop, a topic, queues with their consumers, and a partner's web server."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lablib.actors.consumers import Consumer
from lablib.actors.fleet import Fleet, Worker
from lablib.actors.producers import insist
from lablib.cloud import Cloud
from lablib.scenarios.scenario import Action
from lablib.scenarios.scenes import FleetScene, directly

if TYPE_CHECKING:
    from lablib.scenarios.lab04 import FanOut

TOPIC = "orders"
QUEUES = ("mail", "stock", "partner", "analytics")
PARTNER = "https://partner.example/orders"
DEAD = "orders-dlq"
_BIG = 100  # dollars
_OUTAGE_BEGINS = 60.0
_SLOW = 20.0  # seconds that a slow partner takes for an answer
_PATIENCE = 15.0  # seconds that the shop's and our own programs wait for it, as SNS does
_FILTER = json.dumps({"total": [{"numeric": [">=", _BIG]}]})


class FanOutScene(FleetScene):
    """Orders arrive at the shop; a process of its own tells the receivers of each."""

    def __init__(self, cloud: Cloud, scenario: FanOut) -> None:
        super().__init__(cloud, scenario)
        self.values |= {"wait_time": 20, "pause": 1.0, "batch_size": 1}
        cloud.trace.phrases |= {
            "Ordered": lambda row, trace: f"a customer orders: {row.subject}, {row.detail} dollars",
            "Intervened": lambda row, trace: str(row.detail),
        }
        self.sns, self.sqs = cloud.direct("sns"), cloud.direct("sqs")
        self.inbox = cloud.service("sns").inbox(PARTNER)
        self.queues = {name: self._queue(name, scenario.visibility_timeout) for name in scenario.queues()}
        self.told = [name for name in QUEUES if name != "analytics" or not scenario.late]
        self.dies_next = False
        self._last: dict[str, float] = {}  # until when a trouble lasts, for those that may be begun anew
        if scenario.way == "by topic":
            self._topic(scenario.dead_letters)
        else:  # the rows of its calls are those of a topic; who makes them is another
            failed = cloud.trace.phrases["DeliveryFailed"]
            cloud.trace.phrases["DeliveryFailed"] = lambda row, trace: failed(row, trace).replace("SNS", "the shop")
        if scenario.outage:
            cloud.kernel.at(_OUTAGE_BEGINS, self._partner_fails, scenario.outage)
        self.fleets = {name: self._fleet(name, url, scenario.consumers) for name, url in self.queues.items()}
        self.start(lambda now: (self.values["rate"], math.inf), False, lambda worker: None, 0)

    # ---- the stage ---------------------------------------------------------------------------------------------------

    def _ask(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        return directly(self.cloud, service, operation, **params)

    def _queue(self, name: str, visibility_timeout: int = 30) -> str:
        attributes = {"VisibilityTimeout": str(visibility_timeout)}
        url: str = self._ask("sqs", "create_queue", queue_name=name, attributes=attributes)["QueueUrl"]
        return url

    def _arn(self, queue: str) -> str:
        arn: str = self.cloud.service("sqs").arn(queue)
        return arn

    def _topic(self, dead_letters: bool) -> None:
        self.topic = self._ask("sns", "create_topic", name=TOPIC)["TopicArn"]
        self.redrive = {}
        if dead_letters:
            self.queues_policy(DEAD, self._queue(DEAD))
            self.redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": self._arn(DEAD)})}
        for name, url in self.queues.items():
            self.queues_policy(name, url)
            if name in self.told:
                self._subscribe(name)
        if "partner" not in self.queues:
            self._subscribe_web_server()

    def queues_policy(self, name: str, url: str, allowed: bool = True) -> None:
        """Let the topic send to a queue, or not."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self._arn(name),
            "Condition": {"ArnEquals": {"aws:SourceArn": self.topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}) if allowed else ""
        self._ask("sqs", "set_queue_attributes", queue_url=url, attributes={"Policy": policy})

    def _subscribe(self, queue: str) -> None:
        wanted = {"FilterPolicy": _FILTER} if queue == "analytics" and self.values["filter"] else {}
        attributes = {"RawMessageDelivery": "true"} | wanted | self.redrive
        to = {"protocol": "sqs", "endpoint": self._arn(queue)}
        self._ask("sns", "subscribe", topic_arn=self.topic, attributes=attributes, **to)

    def _subscribe_web_server(self) -> None:
        retry = {"numRetries": self.values["retries"], "minDelayTarget": 20, "maxDelayTarget": 20}
        policy = {"DeliveryPolicy": json.dumps({"healthyRetryPolicy": retry})}
        attributes = {"RawMessageDelivery": "true"} | policy | self.redrive
        to = {"protocol": "https", "endpoint": PARTNER}
        made = self._ask(
            "sns", "subscribe", topic_arn=self.topic, attributes=attributes, return_subscription_arn=True, **to
        )
        own = self.cloud.service("sns").topic(TOPIC).subscriptions[made["SubscriptionArn"]]
        self._ask("sns", "confirm_subscription", topic_arn=self.topic, token=own.token)

    def _fleet(self, name: str, url: str, size: int) -> Fleet:
        kernel, trace = self.cloud.kernel, self.cloud.trace
        work = self._forward if name == "partner" else self._work
        consumer = Consumer(kernel, trace, self.sqs, url, self.values, work)
        fleet = Fleet(kernel, trace, name, consumer, lambda: self.values["restart"])
        fleet.resize(size)
        return fleet

    def _work(self, worker: Worker, message_id: str, key: str, row: int) -> None:
        worker.work(worker.name, message_id, row, self.work_seconds(f"{worker.name.partition('-')[0]} {key}"))

    def _forward(self, worker: Worker, message_id: str, key: str, row: int) -> bool:
        """Pass an order on to the partner's web server. What it does not take comes back."""
        status, delay = self.inbox.take({}, key)
        taken = status < 400 and delay <= _PATIENCE
        worker.work(worker.name, message_id, row, 0.2 + min(delay, _PATIENCE), failed=not taken)
        return taken

    # ---- the shop ----------------------------------------------------------------------------------------------------

    def handle(self, number: int) -> None:
        self._order(str(number))

    def handle_burst(self, keys: list[str], row: int) -> None:
        for key in keys:
            self._order(key)

    def _order(self, key: str) -> None:
        order, keyed = f"order-{key}", self.cloud.chance.keyed
        big = keyed("big", order) < self.values["big"]
        total = round(_BIG * (1 + 4 * keyed("total", order)) if big else 5 + (_BIG - 6) * keyed("total", order))
        self.cloud.trace.add("Ordered", "shop", order, f"shop/{order}", detail=total)
        calls = self._calls(order, total)
        self.cloud.spawn(self._tell, order, calls, self._calls_done(order, len(calls)), name=f"shop/{order}")

    def _calls(self, order: str, total: int) -> list[Callable[[], Any]]:
        """What the shop does to spread the news, in its order."""
        kernel = self.cloud.kernel
        attributes = {"total": {"DataType": "Number", "StringValue": str(total)}}
        if self.values["way"] == "by topic":
            message: dict[str, Any] = {"TopicArn": self.topic, "Message": order, "MessageAttributes": attributes}
            return [lambda: insist(kernel, self.sns.publish, **message)]
        wanted = [n for n in self.told if n != "analytics" or total >= _BIG or not self.values["filter"]]

        def send(name: str) -> None:
            insist(kernel, self.sqs.send_message, QueueUrl=self.queues[name], MessageBody=order)

        return [(lambda n=n: send(n) if n in self.queues else self._post(order)) for n in wanted]  # type: ignore[misc]

    def _calls_done(self, order: str, calls: int) -> int:
        """After how many of its calls the shop crashes; more than it has when it does not."""
        keyed = self.cloud.chance.keyed
        if self.dies_next:
            self.dies_next = False
            return calls // 2
        if keyed("shop crashes", order) < self.values["shop_crashes"]:
            return int(keyed("moment of the crash", order) * (calls + 1))
        return calls + 1

    def _tell(self, order: str, calls: list[Callable[[], Any]], until: int) -> None:
        for call in calls[:until]:
            call()
        if until <= len(calls):
            self.cloud.trace.add("Crashed", actor=f"shop/{order}")

    def _post(self, order: str) -> None:
        """Call the partner's web server, three times at most. The rows are those of a topic that delivers."""
        kernel, add, last = self.cloud.kernel, self.cloud.trace.add, 3
        row = -1
        for attempt in range(1, last + 1):
            status, delay = self.inbox.take({}, order)
            kernel.sleep(min(max(delay, 0.02), _PATIENCE))
            detail = {"protocol": "https", "attempt": attempt}
            if status < 400 and delay <= _PATIENCE:
                add("Delivered", "shop", order, PARTNER, row, detail)
                return
            reason = str(status) if status >= 400 else "Timeout"
            until = kernel.now + 1 if attempt < last else 0.0
            row = add("DeliveryFailed", "shop", order, PARTNER, row, detail | {"reason": reason}, until)
            if until:
                kernel.sleep(1)
        add("DeliveryDropped", "shop", order, PARTNER, row, "the shop gave up after three attempts")

    # ---- what can be done to it --------------------------------------------------------------------------------------

    def _note(self, text: str, resource: str = "") -> None:
        self.cloud.trace.add("Intervened", resource, detail=text)

    def _partner_fails(self, seconds: float) -> None:
        self.inbox.fail(500, seconds)
        self._note(f"The partner's web server answers 500 for {seconds:g} s.", PARTNER)
        self._ends("500", seconds, "The partner's web server answers 200 again.", PARTNER)

    def _ends(self, what: str, seconds: float, text: str, resource: str, end: Callable[[], None] | None = None) -> None:
        """Say when something ends, and end it, unless it was begun anew meanwhile and lasts longer."""
        now = self.cloud.kernel.now
        self._last[what] = max(self._last.get(what, 0.0), now + seconds)

        def over() -> None:
            if self.cloud.kernel.now >= self._last[what]:
                if end:
                    end()
                self._note(text, resource)

        self.cloud.kernel.at(now + seconds, over)

    def do_partner_fails(self, action: Action) -> None:
        self._partner_fails(float(action.value or 0))

    def do_partner_slow(self, action: Action) -> None:
        self.inbox.slow(_SLOW)
        self._note(f"For {action.value:g} s the partner's web server answers after {_SLOW:g} s.", PARTNER)
        text = "The partner's web server answers at once again."
        self._ends("slow", float(action.value or 0), text, PARTNER, lambda: self.inbox.slow(0.0))

    def do_crash_shop(self, action: Action) -> None:
        self.dies_next = True

    def do_remove_policy(self, action: Action) -> None:
        name, seconds = action.target, float(action.value or 0)
        self.queues_policy(name, self.queues[name], allowed=False)
        self._note(f"The queue {name} has no policy for {seconds:g} s: the topic may not send to it.", name)
        text = f"The queue {name} has its policy back: the topic may send to it."
        self._ends(f"policy {name}", seconds, text, name, lambda: self.queues_policy(name, self.queues[name]))

    def do_subscribe(self, action: Action) -> None:
        if "analytics" in self.told:
            return
        self.told.append("analytics")
        if self.values["way"] == "by topic":
            self._subscribe("analytics")
            self._note("Analytics subscribes to the topic. The shop knows nothing of it.")
        else:
            self._note("A new version of the shop: it tells analytics too.")

    def do_crash(self, action: Action) -> None:
        self.fleets[action.target.partition("-")[0]].crash(action.target)

    def do_freeze(self, action: Action) -> None:
        self.fleets[action.target.partition("-")[0]].freeze(action.target, float(action.value or 0))

    def changed(self, name: str) -> None:
        if name == "consumers":
            for fleet in self.fleets.values():
                fleet.resize(self.values["consumers"])
        else:
            super().changed(name)
