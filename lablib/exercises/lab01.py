"""The exercises of lab 01: a queue between two programs."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from lablib.actors.arrivals import Arrivals, day, random_gaps, spike, steady_gaps
from lablib.actors.consumers import Consumer as FleetConsumer
from lablib.actors.fleet import Fleet as Workers
from lablib.actors.producers import front_end, send
from lablib.cloud import Cloud
from lablib.exercises.base import Exercise
from lablib.exercises.case import Case, counted, crash, dial, seeds
from lablib.exercises.invariants import judge_charges, judge_rest, judge_work, once
from lablib.exercises.ledger import Accident, Ledger, Work
from lablib.exercises.stage import Problem, Stage
from lablib.gateway import Fault
from lablib.kernel import Row, Trace

Function = Callable[..., Any]

_SENDS = ("SendMessage", "SendMessageBatch")


# ---- 01.producer -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class ProducerCase(Case):
    orders: int = dial(0, 25, "order")
    lost: int = dial(0, 1, lambda n: "one answer lost on its way back" if n else "")
    throttled: int = dial(0, 3, lambda n: counted(n, "throttled call") if n else "")
    failing: int = dial(0, 5, lambda n: f"entries that fail in {counted(n, 'call')}" if n else "")
    seed: int = seeds()


class Producer(Exercise):
    """Send every order, ten at a time."""

    id = "01.producer"
    signature = "producer(sqs, queue_url, orders)"
    covered = "0 to 25 orders, failing entries, throttled calls and a lost answer"
    plain = ProducerCase(orders=12)

    def trial(self, stage: Stage, fn: Function, case: ProducerCase) -> None:
        orders = [f"order-{n + 1}" for n in range(case.orders)]
        given = list(orders)
        url = stage.queue("orders")
        for kind, count, share in (
            ("throttle", case.throttled, 1),
            ("lost_answer", case.lost, 1),
            ("partial", case.failing, 0.6),
        ):
            if count:
                stage.cloud.faults.add(Fault(kind, _SENDS, "producer", probability=share, count=count))  # type: ignore[arg-type]
        stage.call("producer", stage.sqs, url, given, until=600)
        _judge_producer(stage, case, orders, url)
        if given != orders:
            raise Problem(
                "Your function changed the list `orders` that it was given. "
                "Others may still need it: copy it with list(orders)."
            )


def _judge_producer(stage: Stage, case: ProducerCase, orders: list[str], url: str) -> None:
    messages = stage.cloud.service("sqs").queue(url).messages.values()
    stored = Counter(m.body for m in messages)
    strange = [body for body in stored if body not in orders]
    if strange:
        raise Problem(
            f"There is a message {strange[0]!r:.60} in the queue. Send each order as it is: MessageBody=order"
        )
    calls = stage.api_calls(*_SENDS)
    missing = [order for order in orders if not stored[order]]
    if missing and not case.failing:
        raise Problem(f"{missing[0]} is not in the queue: it was never sent.", calls=calls)
    if missing:
        raise Problem(
            f"{missing[0]} is not in the queue after {counted(len(calls), 'call')}. A call can succeed while "
            "entries of it fail. The answer lists them under Failed; send those again, as often as it takes.",
            calls=calls,
        )
    for order in orders:
        rows = stage.trace.where("Sent", subject=tuple(m.id for m in messages if m.body == order))
        if any(_was_told(stage.trace[early.cause], late) for early, late in pairwise(rows)):
            raise Problem(
                f"{order} was sent {once(len(rows))}, though SQS had answered that it took it. "
                "Send only those entries again that are listed under Failed.",
                calls=calls,
            )
    fewest = math.ceil(case.orders / 10)
    if len(calls) > fewest + case.throttled + case.lost + case.failing:
        raise Problem(
            f"{counted(case.orders, 'order')} took {counted(len(calls), 'call')}; {fewest} would do. "
            "Send ten at a time with SendMessageBatch.",
            calls=calls,
        )


def _was_told(call: Row, later: Row) -> bool:
    """Did this call's answer, that all was well, arrive before the later row?"""
    return isinstance(call.detail, int) and call.until < later.time


# ---- 01.consumer -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class ConsumerCase(Case):
    orders: int = dial(0, 25, "order")
    consumers: int = dial(1, 3, "consumer")
    crash: int = crash("order", 3)
    seed: int = seeds()


class Consumer(Exercise):
    """Take messages from the queue, for ever, and lose none."""

    id = "01.consumer"
    signature = "consumer(sqs, queue_url, process)"
    covered = "0 to 25 orders, 1 to 3 consumers, and crashes before and after the work"
    plain = ConsumerCase(orders=12)

    def trial(self, stage: Stage, fn: Function, case: ConsumerCase) -> None:
        url = stage.queue("orders")
        orders = [f"order-{n + 1}" for n in range(case.orders)]
        for order in orders:
            stage.send(url, order, order)
        work = Work(stage, Accident(stage, case.crash), seconds=0.5)
        for n in range(case.consumers):
            stage.keep_running(f"consumer-{n + 1}", stage.sqs, url, work)
        stage.run(until=240, settled=lambda: not stage.held(url))
        stage.run(until=stage.cloud.now + 5)
        judge_work(stage, url)
        quiet = stage.cloud.now
        stage.run(until=quiet + 60)
        _judge_polls(stage, case, quiet)


def _judge_polls(stage: Stage, case: ConsumerCase, quiet: float) -> None:
    for name in stage.learners:
        polls = [row for row in stage.api_calls("ReceiveMessage", since=quiet) if row.actor == name]
        if len(polls) > 12:
            raise Problem(
                f"{name} asked {once(len(polls))} in a minute in which the queue "
                "was empty; with WaitTimeSeconds=20 it takes 3 calls. "
                "AWS bills every call."
            )
        if not polls:
            raise Problem(f"{name} did not ask for messages for a minute. Messages that come now would wait.")
    if case.crash or case.consumers > 1:
        return
    brought = [row for row in stage.api_calls("ReceiveMessage") if row.detail]
    fewest = math.ceil(case.orders / 10)
    if len(brought) > fewest + 2:
        raise Problem(
            f"{counted(case.orders, 'order')} took {counted(len(brought), 'receive')}; {fewest} would do. "
            "Ask for up to ten at a time: MaxNumberOfMessages=10."
        )


# ---- 01.idempotent ---------------------------------------------------------------------------------------------------


_HALVES = ("", "1 to 4", "5 to 8")


@dataclass(frozen=True, order=True)
class IdempotentCase(Case):
    orders: int = dial(1, 4, "order")
    consumers: int = dial(1, 3, "consumer")
    crash: int = crash("charge", 3)
    twice: int = dial(0, 2, lambda n: f"the shop sends {counted(n, 'order')} twice" if n else "")
    outage: int = dial(0, 2, lambda n: f"queue servers {_HALVES[n]} are away from 0.2 s to 20 s" if n else "")
    seed: int = seeds()


class Idempotent(Exercise):
    """Charge every order exactly once."""

    id = "01.idempotent"
    signature = "consumer(sqs, queue_url, ledger)"
    covered = (
        "up to 4 orders and 3 consumers, crashes around the charge, orders sent twice, and messages delivered twice"
    )
    plain = IdempotentCase(orders=3)

    def trial(self, stage: Stage, fn: Function, case: IdempotentCase) -> None:
        url = stage.queue("orders")
        amounts = {f"order-{n + 1}": 10 * (n + 1) for n in range(case.orders)}
        ledger = Ledger(stage, Accident(stage, case.crash))
        queue = stage.cloud.service("sqs").queue(url)
        if case.outage:
            for server in range(4 * case.outage - 3, 4 * case.outage + 1):
                stage.cloud.kernel.at(0.2, queue.make_unavailable, server, 19.8)
        for n in range(case.consumers):
            stage.keep_running(f"consumer-{n + 1}", stage.sqs, url, ledger)
        shop = stage.cloud.spawn(_shop, stage, url, amounts, case.twice, name="shop")
        stage.run(until=25)
        stage.run(until=300, settled=lambda: not shop.alive and not stage.held(url))
        stage.run(until=stage.cloud.now + 10)
        judge_charges(stage, amounts)
        judge_rest(stage, url, amounts)


def _shop(stage: Stage, url: str, amounts: dict[str, int], twice: int) -> None:
    """Send an order every half a second; the first ones twice, as a producer does whose answer was slow to come."""
    for n, (order, amount) in enumerate(amounts.items()):
        body = json.dumps({"order_id": order, "amount": amount})
        stage.cloud.kernel.run(max(stage.cloud.now, 0.5 * n))
        for _ in range(1 + (n < twice)):
            stage.send(url, body, order)
            stage.cloud.kernel.sleep(0.04)


# ---- 01.fleet --------------------------------------------------------------------------------------------------------

_LIMIT = 30.0  # seconds


@dataclass(frozen=True)
class Load:
    """`rate` messages a second, each `work` seconds of work; for `length` seconds it is `factor` times as many."""

    rate: float
    work: float
    factor: float = 1.0
    length: float = 0.0

    def __str__(self) -> str:
        text = f"rate {self.rate:g}, work {self.work:g}"
        return (
            f"{text}, factor {self.factor:g}, length {self.length:g}"
            if self.length
            else f"{text}, no spike (factor 1, length 0)"
        )


_LOADS = (
    Load(1, 2.3),
    Load(2, 2.3),
    Load(1, 1.6, 3, 60),
    Load(2, 0.8, 3, 60),
    Load(1, 1.2, 5, 30),
    Load(3, 0.8, 5, 30),
    Load(3, 0.6, 4, 40),
    Load(2, 0.8, 8, 20),
    Load(1, 3.4, 3, 60),
    Load(3, 1.2, 3, 60),
    Load(2, 1.2, 5, 30),
    Load(4, 0.8, 5, 30),
)


@dataclass(frozen=True, order=True)
class FleetCase(Case):
    load: int = dial(0, len(_LOADS) - 1, lambda n: str(_LOADS[n]))
    seed: int = dial(0, 0, lambda n: "")


class Fleet(Exercise):
    """The smallest fleet that keeps up."""

    id = "01.fleet"
    signature = "fleet(rate, work, factor, length)"
    covered = "all loads, from a quiet day to eight times as many messages at once"
    plain = FleetCase()
    examples = 40

    def trial(self, stage: Stage, fn: Function, case: FleetCase) -> None:
        load = _LOADS[case.load]
        n = stage.call("fleet", load.rate, load.work, load.factor, load.length, until=60)
        if isinstance(n, bool) or not isinstance(n, int):
            raise Problem(
                f"Your function returned {n!r:.40}. A fleet is a whole number of consumers, such as 3: use math.ceil."
            )
        if n < 1:
            raise Problem(f"Your function returned {n}. Without a consumer nothing is done: 1 is the least.")
        age, trace = rehearse(load, min(n, _plenty(load)), case.seed)
        stage.trace = trace
        if age >= _LIMIT:
            over = "more than 90" if age > 90 else f"{age:.1f}"
            raise Problem(f"{counted(n, 'consumer')} cannot keep up: the oldest message became {over} s old.")
        if n > 1:
            fewer = min(n - 1, _plenty(load))
            age, trace = rehearse(load, fewer, case.seed)
            if age < _LIMIT:
                stage.trace = trace
                raise Problem(
                    f"{n} consumers are too many: {fewer} keep up as well, and "
                    f"the oldest message becomes {age:.1f} s old."
                )


def _plenty(load: Load) -> int:
    """As many consumers as never let a message wait."""
    return math.ceil(load.rate * load.work * load.factor) + 2


@lru_cache(maxsize=256)
def rehearse(load: Load, consumers: int, seed: int) -> tuple[float, Trace]:
    """The greatest age of the oldest message (seconds) with that many consumers, and the trace. Arrivals and work are
    even.
    """
    with Cloud(seed, assume={"sqs.outages_per_hour": 0}) as cloud:
        kernel, sqs = cloud.kernel, cloud.direct("sqs")
        url = sqs.create_queue(QueueName="videos", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
        queue = cloud.service("sqs").queue(url)
        program = FleetConsumer(
            kernel, cloud.trace, sqs, url, {"batch_size": 1, "wait_time": 20},
            lambda worker, message, body, row: worker.hold(load.work),
        )  # fmt: skip
        Workers(kernel, cloud.trace, "consumer", program, lambda: 0.0).resize(consumers)
        arrivals = Arrivals(kernel, steady_gaps(), spike(load.rate, load.factor, 20.0, load.length))
        cloud.spawn(front_end, arrivals, lambda n: cloud.spawn(send, kernel, sqs, url, f"video-{n}", name="front-end"))
        age = 0.0
        end = 30 + load.length + _LIMIT if load.length else 300.0
        while kernel.now < end and age <= 90:
            kernel.sleep(0.25)
            oldest = next(iter(queue.messages.values()), None)
            age = max(age, kernel.now - oldest.sent if oldest else 0.0)
        cloud.trace.freeze()
    return age, cloud.trace


# ---- 01.challenge ----------------------------------------------------------------------------------------------------

_DAY = 86_400.0
_ORDERS = 1_000
_P95 = 60.0  # seconds


@dataclass(frozen=True, order=True)
class ChallengeCase(Case):
    seed: int = seeds(2)


class Challenge(Exercise):
    """A day of a thousand orders, with as few calls as you can."""

    id = "01.challenge"
    signature = "consumer(sqs, queue_url, process)"
    covered = "three days of a thousand orders"
    plain = ChallengeCase()
    examples = 3
    most_rows = 40_000
    patience = 20.0
    target = 4_000
    par = 3_000
    unit = "calls"

    def trial(self, stage: Stage, fn: Function, case: ChallengeCase) -> float:
        url = stage.queue("orders", VisibilityTimeout=120)
        work = Work(stage, Accident(stage, 0), seconds=0.2)
        stage.keep_running("consumer-1", stage.sqs, url, work)
        shop = stage.cloud.spawn(_day_of_orders, stage, url, name="shop")
        stage.run(2 * _DAY, lambda: not shop.alive, every=60)
        calls = stage.api_calls()
        stage.run(stage.cloud.now + 600, lambda: not stage.held(url), every=10)
        stage.run(stage.cloud.now + 5)
        judge_work(stage, url)
        return _judge_day(stage, calls, self.target)


def _day_of_orders(stage: Stage, url: str) -> None:
    """Orders come at random, few at night, many at noon."""
    chance = stage.cloud.chance.stream("arrivals")
    arrivals = Arrivals(stage.cloud.kernel, random_gaps(chance), day(_ORDERS / _DAY, _DAY))
    for n in range(_ORDERS):
        arrivals.wait()
        stage.send(url, f"order-{n + 1}", f"order-{n + 1}")


def _judge_day(stage: Stage, calls: list[Row], target: float) -> float:
    from lablib.measures import Measures

    p95 = Measures(stage.trace).p(95)
    if p95 > _P95:
        raise Problem(
            f"One order in 20 took more than {p95:.0f} s from send to delete. At most {_P95:.0f} s are allowed."
        )
    if len(calls) > target:
        empty = sum(row.kind == "ReceiveMessage" and not row.detail for row in calls)
        kinds = Counter(row.kind for row in calls)
        parts = [f"{kinds['ReceiveMessage']:,} ReceiveMessage ({empty:,} of them brought nothing)"]
        parts += [f"{n:,} {kind}" for kind, n in sorted(kinds.items()) if kind != "ReceiveMessage"]
        raise Problem(f"The day took {len(calls):,} calls; the target is {target:,.0f}. They were {', '.join(parts)}.")
    return len(calls)


EXERCISES = (Producer(), Consumer(), Idempotent(), Fleet(), Challenge())
