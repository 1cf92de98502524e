"""The exercises of lab 01: a queue between two programs."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from lablib.actors.arrivals import Arrivals, day, random_gaps, spike, steady_gaps
from lablib.actors.producers import front_end, send
from lablib.cloud import Cloud
from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, crashes, cut, flag, knobs, number, one_of, scaled, some
from lablib.exercises.charges import charged_once, charges_left
from lablib.exercises.faults import CONSUMER, deleted_early, idle_calls, many_receives, short_polls
from lablib.exercises.fleets import run_fleet, whole_number
from lablib.exercises.partners import Ledger, Work, WorkFailed, first_try
from lablib.exercises.stage import GIVES_UP, Problem, Stage, texts
from lablib.exercises.story import Story, once
from lablib.kernel import Trace

_SENDS = ("SendMessage", "SendMessageBatch")
_WILD = flag("texts with spaces, quotes and other alphabets")


# ---- 01.producer -----------------------------------------------------------------------------------------------------


def sent_as_they_are(stage: Stage) -> Iterator[Problem]:
    for body in _stored(stage):
        if body not in stage.given:
            yield Problem(f"There is a message {cut(body)} in the queue. Send each order as it is: MessageBody=order")


def all_sent(stage: Stage) -> Iterator[Problem]:
    stored, calls = _stored(stage), stage.api_calls(*_SENDS)
    for order, times in Counter(stage.given).items():
        if stored[order] >= times:
            continue
        name = f"{cut(order, 40)}" if stage.case.wild else order
        if refusal := stage.refusal(*_SENDS):
            yield Problem(f"{name} is not in the queue. {refusal}", calls=calls)
        alike = f" It is in the list {once(times)}, and in the queue {once(stored[order])}." if times > 1 else ""
        if not stage.case.failing:
            yield Problem(f"{name} is not in the queue: it was never sent.{alike}", calls=calls)
        if other := _sent_instead(stage):
            yield Problem(
                f"{name} is not in the queue after {counted(len(calls), 'call')}, and {other} was sent again, though "
                "SQS had answered that it took it. An Id under Failed is one of that call's entries: look it up there.",
                calls=calls,
            )
        yield Problem(
            f"{name} is not in the queue after {counted(len(calls), 'call')}.{alike} A call can succeed while "
            "entries of it fail. The answer lists them under Failed; send those again, as often as it takes.",
            calls=calls,
        )


def _sent_instead(stage: Stage) -> str:
    """An order that went out more often than it is in the list since the program began; "" when there is none."""
    since = max((row.index for row in stage.trace.where("Restarted")), default=-1)
    bodies = {id: m.body for id, m in stage.cloud.service("sqs").queue("orders").messages.items()}
    sent = Counter(bodies[row.subject] for row in stage.trace.where("Sent") if row.index > since)
    return next((f"{cut(order, 40)}" for order, times in Counter(stage.given).items() if sent[order] > times), "")


def sent_once(stage: Stage) -> Iterator[Problem]:
    trace, calls = stage.trace, stage.api_calls(*_SENDS)
    if trace.where("Crashed"):  # who starts again sends all again
        return
    messages = stage.cloud.service("sqs").queue("orders").messages.values()
    for order, times in Counter(stage.given).items():
        rows = trace.where("Sent", subject=tuple(m.id for m in messages if m.body == order))
        answered = [row for row in rows if isinstance(trace[row.cause].detail, int)]
        if len(answered) <= times:
            continue
        name = f"{cut(order, 40)}" if stage.case.wild else order
        cure = "Send only those entries again that are listed under Failed."
        if not stage.case.failing:
            cure = "Do two of your batches have orders in common? Each order belongs into one batch."
        yield Problem(
            f"{name} was sent {once(len(rows))}, though SQS had answered that it took it. {cure}", calls=calls
        )


def ten_at_a_time(stage: Stage) -> Iterator[Problem]:
    calls, case = stage.api_calls(*_SENDS), stage.case
    fewest = math.ceil(case.orders / 10) * (1 + len(stage.trace.where("Crashed")))
    if len(calls) > fewest + case.throttled + case.lost + case.failing + case.refused * GIVES_UP:
        single = [row for row in calls if row.kind == "SendMessage"]
        cure = "Send ten at a time with SendMessageBatch."
        if single and len(single) < len(calls):
            cure = f"{len(single)} of them were SendMessage: what had failed can go again in one batch, too."
        yield Problem(
            f"{counted(case.orders, 'order')} took {counted(len(calls), 'call')}; {fewest} would do. {cure}",
            calls=calls,
        )


def _stored(stage: Stage) -> Counter[str]:
    return Counter(m.body for m in stage.cloud.service("sqs").queue("orders").messages.values())


class Producer(Exercise):
    """Send every order, ten at a time."""

    id = "01.producer"
    signature = "producer(sqs, queue_url, orders)"
    knobs = knobs(
        orders=number("order", 0, 31),
        wild=_WILD,
        lost=flag("one answer lost on its way back"),
        throttled=some("throttled call", 3),
        failing=some("call{s} with failing entries", 12),
        refused=flag("SQS refuses the first call for good"),
    )
    harmless = {"orders": 12}
    also = (
        {"orders": 10},
        {"orders": 20, "wild": 1},
        {"orders": 31, "failing": 12},
        {"orders": 11, "refused": 1},
    )
    faults = (sent_as_they_are, all_sent, sent_once, ten_at_a_time)

    def play(self, stage: Stage, case: Any) -> None:
        stage.given = texts(case.orders, case.wild, repeats=True)
        url = stage.queue("orders")
        stage.fault("throttle", _SENDS, case.throttled + case.refused * GIVES_UP, caller="producer")
        stage.fault("lost_answer", _SENDS, case.lost, caller="producer")
        stage.fault("partial", _SENDS, case.failing, share=0.6, caller="producer")
        stage.call("producer", stage.sqs, url, list(stage.given), until=600)


# ---- 01.consumer -----------------------------------------------------------------------------------------------------


class Consumer(Exercise):
    """Take messages from the queue, for ever, and lose none."""

    id = "01.consumer"
    signature = "consumer(sqs, queue_url, process)"
    knobs = knobs(
        orders=number("order", 0, 25),
        wild=_WILD,
        consumers=number("consumer", 1, 3),
        refused=flag("SQS refuses the receives for a while"),
        fails=scaled("the first try of order-{:d} fails", 3),
        crash=crashes("order", 3),
    )
    harmless = {"orders": 12, "consumers": 1}
    also = (
        {"orders": 1, "fails": 1},
        {"orders": 1, "refused": 1},
        {"orders": 12, "wild": 1},
        {"orders": 25},
    )
    faults = (*CONSUMER, idle_calls(5), many_receives)

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("orders")
        stage.orders(url, case.orders, case.wild, repeats=True)
        stage.fault("throttle", ("ReceiveMessage",), case.refused * GIVES_UP, start=1.0)
        work = Work(stage, 0.5, case.crash, fails=first_try(f"order-{case.fails}"))
        stage.consumers(case.consumers, stage.sqs, url, work, survives=(WorkFailed,))
        stage.run_until_empty(url, until=240)
        stage.run(stage.cloud.now + 300, every=10.0)


# ---- 01.idempotent ---------------------------------------------------------------------------------------------------


class Idempotent(Exercise):
    """Charge every order exactly once."""

    id = "01.idempotent"
    signature = "consumer(sqs, queue_url, ledger)"
    knobs = knobs(
        orders=number("order", 1, 4),
        consumers=number("consumer", 1, 3),
        fails=scaled("the bank does not answer to charge {:d}", 3),
        crash=crashes("charge", 3),
        twice=scaled("the shop sends {:d} of them twice", 2),
        outage=one_of(
            ("", *(f"queue servers {servers} are away from 0.2 s to 20 s" for servers in ("1 to 4", "5 to 8")))
        ),
    )
    harmless = {"orders": 3, "consumers": 1}
    faults = (charged_once, charges_left, short_polls)

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("orders")
        stage.given = {f"order-{n + 1}": 10.5 * (n + 1) for n in range(case.orders)}
        ledger = Ledger(stage, case.crash, case.fails)
        if case.outage:
            queue = stage.cloud.service("sqs").queue(url)
            for server in range(4 * case.outage - 3, 4 * case.outage + 1):
                stage.cloud.kernel.at(0.2, queue.make_unavailable, server, 19.8)
        stage.consumers(case.consumers, stage.sqs, url, ledger, survives=(WorkFailed,))
        shop = stage.cloud.spawn(_shop, stage, url, case.twice, name="shop")
        stage.run(until=25)
        stage.run(until=300, settled=lambda: not shop.alive and not stage.held(url))
        stage.run(until=stage.cloud.now + 10)


def _shop(stage: Stage, url: str, twice: int) -> None:
    """Send an order every half a second; the first ones twice, as a producer does whose answer was slow to come."""
    for n, (order, amount) in enumerate(stage.given.items()):
        body = json.dumps({"order_id": order, "amount": amount})
        stage.cloud.kernel.run(max(stage.cloud.now, 0.5 * n))
        for _ in range(1 + (n < twice)):
            stage.send(url, body, order)
            stage.cloud.kernel.sleep(0.04)


# ---- 01.fleet --------------------------------------------------------------------------------------------------------

_LIMIT = 30.0  # seconds


class Load(NamedTuple):
    """`rate` messages a second, each `work` seconds of work; for `length` seconds it is `factor` times as many."""

    rate: float
    work: float
    factor: float = 1.0
    length: float = 0.0

    def __str__(self) -> str:
        extra = f"factor {self.factor:g}, length {self.length:g}" if self.length else "no spike (factor 1, length 0)"
        return f"rate {self.rate:g}, work {self.work:g}, {extra}"


_LOADS = (
    Load(1, 2.3), Load(2, 2.3), Load(1, 1.6, 3, 60), Load(2, 0.8, 3, 60), Load(1, 1.2, 5, 30), Load(3, 0.8, 5, 30),
    Load(3, 0.6, 4, 40), Load(2, 0.8, 8, 20), Load(1, 3.4, 3, 60), Load(3, 1.2, 3, 60), Load(2, 1.2, 5, 30),
    Load(4, 0.8, 5, 30), Load(0.2, 2), Load(1, 2), Load(0.5, 1.8, 2, 20), Load(0.1, 20, 6, 40), Load(1, 1, 4, 28),
)  # fmt: skip


class Fleet(Exercise):
    """The smallest fleet that keeps up."""

    id = "01.fleet"
    signature = "fleet(rate, work, factor, length)"
    knobs = knobs(load=one_of(_LOADS), seeds=0)
    examples = 60

    def play(self, stage: Stage, case: Any) -> None:
        load = _LOADS[case.load]
        n = whole_number(stage.call("fleet", *load, until=60), "A fleet is a whole number of consumers, such as 3")
        if n < 1:
            raise Problem(f"Your function returned {n}. Without a consumer nothing is done: 1 is the least.")
        age, trace = rehearse(load, min(n, _plenty(load)))
        if age >= _LIMIT + slack(load):
            stage.trace = trace
            over = "more than 90" if age > 90 else f"{age:.1f}"
            raise Problem(f"{counted(n, 'consumer')} cannot keep up: the oldest message became {over} s old.")
        if n > 1:
            fewer = min(n - 1, _plenty(load))
            age, trace = rehearse(load, fewer)
            if age < _LIMIT - slack(load):
                stage.trace = trace
                raise Problem(
                    f"{n} consumers are too many: {fewer} keep up as well, and "
                    f"the oldest message becomes {age:.1f} s old."
                )


def slack(load: Load) -> float:
    """So close to the limit (seconds), a fleet may be called too small, or big enough: a formula does not see which
    consumer is free just then.
    """
    return max(1.5, load.work / 4)


def _plenty(load: Load) -> int:
    """As many consumers as never let a message wait."""
    return math.ceil(load.rate * load.work * load.factor) + 2


@lru_cache(maxsize=256)
def rehearse(load: Load, consumers: int) -> tuple[float, Trace]:
    """The greatest age of the oldest message (seconds) with that many consumers, and the trace. Arrivals and work are
    even, and the queue has one server, so that messages come in order.
    """
    with Cloud(assume={"sqs.outages_per_hour": 0, "sqs.servers": 1, "sqs.copies": 1}) as cloud:
        kernel, sqs = cloud.kernel, cloud.direct("sqs")
        url = sqs.create_queue(QueueName="videos", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
        queue = cloud.service("sqs").queue(url)
        run_fleet(cloud, url, consumers, lambda worker, message, body, row: worker.hold(load.work))
        arrivals = Arrivals(kernel, steady_gaps(), spike(load.rate, load.factor, 20.0, load.length))
        cloud.spawn(front_end, arrivals, lambda n: cloud.spawn(send, kernel, sqs, url, f"video-{n}", name="front-end"))
        age = 0.0
        end = 30 + load.length + _LIMIT if load.length else 300.0
        idle = consumers / (load.rate * load.work)
        if idle < 1:  # what waits grows for ever, by this much a second
            end = max(end, 2 * _LIMIT / (1 - idle))
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


def slow_day(stage: Stage) -> Iterator[Problem]:
    from lablib.measures import Measures

    p95 = Measures(stage.trace).p(95)
    if p95 <= _P95:
        return
    late = next(s for s in stage.stories() if s.deleted and s.deleted[0].time - s.sent[0].time > _P95)
    steps = [late.sent[0].time, late.received[0].time, late.done[0].time, late.deleted[0].time]
    seen, worked, kept = (f"{after - before:.0f} s" for before, after in pairwise(steps))
    yield Problem(
        f"One order in 20 took more than {p95:.0f} s from send to delete. At most {_P95:.0f} s are allowed. "
        f"{late.name} was received after {seen}, done {worked} later, and deleted {kept} after that. "
        f"{_why_slow(stage, late, steps)}",
        late.ids,
    )


def _why_slow(stage: Stage, story: Story, steps: list[float]) -> str:
    """What took longest of: until it was received, until it was done, until it was deleted."""
    sent, received, done, deleted = steps
    if max(received - sent, done - received) < deleted - done:
        return "What is done has to be deleted, too; DeleteMessageBatch deletes up to ten with one call."
    if received - sent < done - received:
        return "It had to wait for others of its batch."
    polls = [row for row in stage.api_calls("ReceiveMessage") if sent < row.until < received]
    if any(row.detail == 0 for row in polls):
        return "A poll in between missed it: a short poll asks only some of the servers. A long one asks all."
    if polls:
        return "Polls in between brought others: while a receive brings ten, more may wait."
    return "Your function did not ask for messages in between."


def costly_day(stage: Stage) -> Iterator[Problem]:
    calls = stage.given
    if len(calls) <= Challenge.target:
        return
    empty = sum(row.kind == "ReceiveMessage" and not row.detail for row in calls)
    kinds = Counter(row.kind for row in calls)
    parts = [f"{kinds['ReceiveMessage']:,} ReceiveMessage ({empty:,} of them brought nothing)"]
    parts += [f"{n:,} {kind}" for kind, n in sorted(kinds.items()) if kind != "ReceiveMessage"]
    yield Problem(
        f"The day took {len(calls):,} calls; the target is {Challenge.target:,}. They were {', '.join(parts)}."
    )


class Challenge(Exercise):
    """A day of a thousand orders, with as few calls as you can."""

    id = "01.challenge"
    signature = "consumer(sqs, queue_url, process)"
    knobs = knobs(
        fails=flag("the first try of order-1 fails"),
        crash=crashes("order", 1),
        seeds=2,
    )
    also = ({"fails": 1}, {"crash": 1})
    examples = 3
    events = 40_000
    faults = (*CONSUMER, deleted_early, slow_day, costly_day)
    target = 4_000
    par = 3_000
    unit = "calls"

    def play(self, stage: Stage, case: Any) -> float:
        url = stage.queue("orders", VisibilityTimeout=120)
        work = Work(stage, 0.2, case.crash, fails=first_try(f"order-{case.fails}"))
        stage.keep_running("consumer-1", stage.sqs, url, work, survives=(WorkFailed,))
        shop = stage.cloud.spawn(_day_of_orders, stage, url, name="shop")
        stage.run(2 * _DAY, lambda: not shop.alive, every=60)
        stage.given = stage.api_calls()
        stage.run(stage.cloud.now + 600, lambda: not stage.held(url), every=10)
        stage.run(stage.cloud.now + 5)
        return len(stage.given)


def _day_of_orders(stage: Stage, url: str) -> None:
    """Orders come at random, few at night, many at noon."""
    chance = stage.cloud.chance.stream("arrivals")
    arrivals = Arrivals(stage.cloud.kernel, random_gaps(chance), day(_ORDERS / _DAY, _DAY))
    for n in range(_ORDERS):
        arrivals.wait()
        stage.send(url, f"order-{n + 1}", f"order-{n + 1}")


EXERCISES = (Producer(), Consumer(), Idempotent(), Fleet(), Challenge())
