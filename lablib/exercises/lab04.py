"""The exercises of lab 04 about what reaches whom: a fan-out that lets nobody else in, and filter policies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lablib.aws.permissions import let_in
from lablib.aws.service import ServiceError
from lablib.exercises.base import Exercise
from lablib.exercises.case import cut, flag, knobs, number, one_of, scaled
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.wiring import copies, nobody_else_sends, one_copy_each, queues_made, topic_made
from lablib.kernel import Stream

# ---- 04.wiring -------------------------------------------------------------------------------------------------------

_SYSTEMS = (
    ("orders", ("email", "stock", "analytics", "labels")),
    ("payments", ("receipts", "fraud", "ledger", "reports")),
)


class Wiring(Exercise):
    """One topic, several queues, and nobody else gets in."""

    id = "04.wiring"
    signature = "wire(sns, sqs, topic_name, queue_names)"
    knobs = knobs(
        queues=number("queue", 1, 4),
        orders=number("message", 1, 3),
        system=one_of([f"topic {topic!r}" for topic, _ in _SYSTEMS]),
        again=flag("your function runs twice"),
        crash=scaled("a crash during call {:d}, and a new start", 17),
        seeds=5,
    )
    harmless = {"queues": 3, "orders": 2}
    faults = (one_copy_each, nobody_else_sends)

    def play(self, stage: Stage, case: Any) -> None:
        topic, known = _SYSTEMS[case.system]
        names, sns = known[: case.queues], stage.cloud.client("sns")

        def wire(crash: Callable[[], bool] | None = None) -> None:
            stage.call("wire", sns, stage.sqs, topic, list(names), until=stage.cloud.now + 200, crash=crash)

        wire((lambda: len(stage.api_calls()) >= case.crash) if case.crash else None)
        if case.again:
            wire()
        arn = topic_made(stage, topic)
        stage.given = arn, queues_made(stage, names)
        for n in range(case.orders):
            stage.publish(arn, f"{topic[:-1]}-{n + 1}", f"{topic[:-1]}-{n + 1}")
        stage.run(stage.cloud.now + 60)


# ---- 04.filters ------------------------------------------------------------------------------------------------------


class Order(NamedTuple):
    """An order as the shop publishes it: what is None is not there at all."""

    total: float
    country: str | None
    test: bool
    coupon: str | None
    items: tuple[tuple[str, tuple[str, ...]], ...]  # names and tags

    def attributes(self) -> dict[str, dict[str, str]]:
        """The attributes of its message."""
        found = {"total": {"DataType": "Number", "StringValue": f"{self.total:g}"}}
        if self.country:
            found["country"] = {"DataType": "String", "StringValue": self.country}
        if self.test:
            found["test"] = {"DataType": "String", "StringValue": "yes"}
        return found

    def body(self, name: str) -> str:
        """The text of its message, JSON."""
        items = [{"name": item, "tags": list(tags)} for item, tags in self.items]
        coupon = {"coupon": self.coupon} if self.coupon else {}
        return json.dumps({"order": name, "total": self.total, "items": items} | coupon)

    def __str__(self) -> str:
        parts = [f"total {self.total:g}", f"country {self.country}" if self.country else "picked up, no country"]
        parts += ["a test order"] * self.test + [f"coupon {self.coupon}"] * bool(self.coupon)
        tags = (f"{item} ({', '.join(tags) or 'no tags'})" for item, tags in self.items)
        return ", ".join([*parts, f"items: {' and '.join(tags)}"])


class Expectation(NamedTuple):
    """What a queue is to get, in words and as a rule."""

    words: str
    wants: Callable[[Order], bool]


EXPECTATIONS = {
    "audit": Expectation("every order", lambda order: True),
    "big": Expectation("orders with a total of 100 or more", lambda order: order.total >= 100),
    "asia": Expectation("orders to KR or JP, but no test orders", lambda o: o.country in ("KR", "JP") and not o.test),
    "abroad": Expectation("orders to any country but KR", lambda order: order.country not in (None, "KR")),
    "fragile": Expectation(
        "orders with an item that has the tag fragile", lambda o: any("fragile" in t for _, t in o.items)
    ),
    "spring": Expectation(
        "orders with a coupon that begins with SPRING- and a total from 20 to under 100",
        lambda order: (order.coupon or "").startswith("SPRING-") and 20 <= order.total < 100,
    ),
}
_RULES = {"prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr"}
_TOTALS = (45.5, 100, 20, 250, 99.99, 19.99, 100.01, 1000, 9.5)
_COUNTRIES = ("KR", "US", None, "JP", "DE", "BR", "KE", "JM")
_COUPONS = (None, "SPRING-10", "LATE-SPRING-5", "SPRINGTIME", "spring-10", "SPRING-")
_ITEMS = (
    ("vase", ("glass", "fragile")),
    ("book", ()),
    ("fragile things: a novel", ("paper",)),
    ("lamp", ("fragile", "electric")),
    ("rug", ("not fragile",)),
    ("cup", ("fragile-free", "steel")),
    ("glass", ("Fragile",)),
)


def _draw(chance: Stream) -> Order:
    """An order, at random."""
    items = tuple(chance.pick(_ITEMS) for _ in range(1 + chance.integer(2)))
    return Order(chance.pick(_TOTALS), chance.pick(_COUNTRIES), chance.coin(0.25), chance.pick(_COUPONS), items)


def misdirected(stage: Stage) -> Iterator[Problem]:
    """Each order is in the queues that want it. `stage.given`: what the function returned, and the orders by name."""
    asked, orders = stage.given
    found = copies(stage)
    for name, order in orders.items():
        (message,) = stage.sent[name]
        for queue, expectation in EXPECTATIONS.items():
            if (queue in found.get(message, {})) != expectation.wants(order):
                yield _misdirected(stage, f"{name} ({order})", message, queue, asked)


class Filters(Exercise):
    """Each queue gets the orders that it wants, and no others."""

    id = "04.filters"
    signature = "filters()"
    knobs = knobs(orders=number("order", 1, 30), seeds=40)
    harmless = {"orders": 6}
    also = ({"orders": 30, "seed": 1}, {"orders": 30, "seed": 2}, {"orders": 30, "seed": 3})
    examples = 40
    faults = (misdirected,)

    def play(self, stage: Stage, case: Any) -> None:
        asked = _checked(stage.cloud.run(stage.function))
        topic = stage.cloud.client("sns").create_topic(Name="orders")["TopicArn"]
        for queue in EXPECTATIONS:
            _subscribe(stage, topic, queue, asked.get(queue))
        chance = stage.cloud.chance.stream("orders")
        orders = {f"order-{n + 1}": _draw(chance) for n in range(case.orders)}
        for name, order in orders.items():
            stage.publish(topic, order.body(name), name, message_attributes=order.attributes())
        stage.run(stage.cloud.now + 10)
        stage.given = asked, orders


def _checked(asked: Any) -> dict[str, Any]:
    """What the function returned, when it has the form that was agreed. Raises Problem."""
    if not isinstance(asked, dict):
        raise Problem(f"Your function returned {cut(asked)}. Return a dict: for each queue its policy and scope.")
    for queue, entry in asked.items():
        if queue not in EXPECTATIONS:
            raise Problem(f"There is no queue {cut(queue, 40)}. The queues are {', '.join(EXPECTATIONS)}.")
        if entry is None:
            continue
        if not isinstance(entry, tuple | list) or len(entry) != 2 or not isinstance(entry[0], dict):
            raise Problem(
                f"For queue {queue!r} your function returned {cut(entry, 80)}. It is to be a pair: the policy (a dict) "
                'and its scope ("MessageAttributes" or "MessageBody"); or None for no filter policy.'
            )
    return asked


def _subscribe(stage: Stage, topic: str, queue: str, entry: Any) -> None:
    url = stage.queue(queue)
    arn = stage.cloud.service("sqs").queue(queue).arn
    policy = let_in("sns.amazonaws.com", "sqs:SendMessage", arn, topic)
    stage.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    attributes = {}
    if entry is not None:
        try:
            text = json.dumps(entry[0])
        except (TypeError, ValueError) as error:
            raise Problem(f"The filter policy of queue {queue!r} is no JSON: {error}.") from None
        attributes = {"FilterPolicyScope": entry[1], "FilterPolicy": text}
    try:
        stage.cloud.direct("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    except ServiceError as refused:
        why = f"{refused.message.rstrip('.')}. {_advice(*entry)}".rstrip()
        raise Problem(f"SNS does not take the filter policy of queue {queue!r}: {why}") from None


def _advice(policy: dict[str, Any], scope: Any) -> str:
    """What to do about the shape of a policy, if it is that; else nothing."""
    loose = _loose_rule(policy)
    if loose:
        return f"A rule stands in a list: {loose}."
    if scope == "MessageAttributes" and any(isinstance(value, dict) for value in policy.values()):
        return "Attributes have no keys inside: what lies in the body is for the scope MessageBody."
    return ""


def _loose_rule(policy: dict[str, Any]) -> str:
    """The first rule of a policy that does not stand in a list, as it should be written; empty when there is none."""
    for key, value in policy.items():
        if isinstance(value, dict) and value.keys() & _RULES:
            return json.dumps({key: [value]})
        if isinstance(value, dict) and (found := _loose_rule(value)):
            return found
    return ""


_ALTERNATIVES = ". Of the rules in a list one is enough: what must hold together stands in one rule"


def _alternatives(policy: dict[str, Any]) -> bool:
    """Has a list of the policy two rules or more, such as two halves of a range?"""
    for value in policy.values():
        rules = [rule for rule in value if isinstance(rule, dict)] if isinstance(value, list) else []
        if len(rules) > 1 or (isinstance(value, dict) and _alternatives(value)):
            return True
    return False


def _misdirected(stage: Stage, order: str, message: str, queue: str, asked: dict[str, Any]) -> Problem:
    """An order is where it should not be, or is not where it should."""
    entry: Any = asked.get(queue)
    filtered = stage.trace.where("FilteredOut", subject=tuple(stage.trace.children(message)), actor=queue)
    wanted = f"Queue {queue!r} wants {EXPECTATIONS[queue].words}."
    if filtered:
        looked = "attributes" if entry[1] == "MessageAttributes" else "body"
        why = f"Its filter policy, which looks at the {looked}, kept it out: {filtered[0].detail}. {_advice(*entry)}"
        return Problem(f"{wanted} It did not get {order}. {why}".rstrip(), [message])
    if entry:
        why = (
            f"Its filter policy lets that pass: {cut(entry[0], 150)}{_ALTERNATIVES if _alternatives(entry[0]) else ''}"
        )
    else:
        said = "says None" if queue in asked else "has no entry"
        why = f"Your dict {said} for {queue!r}, and without a filter policy all pass"
    return Problem(f"{wanted} But it got {order}. {why}.", [message])


EXERCISES = (Wiring(), Filters())
