"""The exercises of lab 07: a producer that loses nothing, a consumer that charges once, and a move to SQS; the rest is
in lab07_choices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from lablib.aws.event import Event
from lablib.exercises.base import Exercise
from lablib.exercises.brokers import Broker
from lablib.exercises.case import counted, crashes, flag, knobs, scaled, some
from lablib.exercises.case import number as numbered
from lablib.exercises.faults import idle_calls
from lablib.exercises.lab07_choices import EXERCISES as CHOICES
from lablib.exercises.partners import Partner, WorkFailed
from lablib.exercises.stage import GIVES_UP, Problem, Stage, texts

# ---- 07.producer -----------------------------------------------------------------------------------------------------

_UNDER_WAY = 25  # orders that may be there twice after a crash: what was sent and not confirmed


def every_order_is_kept(stage: Stage) -> Iterator[Problem]:
    """Each order is in the store, after a last crash. `stage.given`: the orders, and what the store has."""
    orders, stored = stage.given
    missing = list((Counter(orders) - Counter(stored)).elements())
    if not missing:
        return
    sent = stage.trace.where("Enqueued")
    soft = [row for row in sent if not row.detail["persistent"]]
    gone = [row.time for row in stage.trace.where("NodeGone")]
    text = (
        f"{counted(len(missing), 'order')} of {len(orders)} are not in the store in the end; the first is order "
        f"{orders.index(missing[0]) + 1}."
    )
    if not sent:
        yield Problem(
            f"{text} Nothing arrived at the broker. send() only hands it to a thread of stomp.py; a program that "
            "ends takes along what is not sent."
        )
    if soft:
        yield Problem(
            f"{text} {counted(len(soft), 'message')} were sent without persistent:true: the broker kept them in its "
            f"memory only, and its program ended at {gone[-1]:.2f} s. Over STOMP that is the default.",
            [soft[0].subject],
        )
    foreign = [body for body in stored if body not in orders]
    if foreign:
        yield Problem(f"{text} There is a message {foreign[0]!r:.60} that nobody asked for.")
    if len(gone) < 2:
        yield Problem(f"{text} It was never sent. Two orders can be equal, and are still two orders.")
    yield Problem(
        f"{text} The broker crashed at {gone[0]:.2f} s. What is written into a connection whose other end is gone is "
        "lost, and send() raises nothing. Ask for a receipt, and send again what has none when the connection ends."
    )


def few_orders_twice(stage: Stage) -> Iterator[Problem]:
    """Only what was under way at a crash is sent again."""
    orders, stored = stage.given
    extra = list((Counter(stored) - Counter(orders)).elements())
    ends = len(stage.trace.where("NodeGone")) - 1
    if len(extra) > _UNDER_WAY * ends:
        yield Problem(
            f"{counted(len(extra), 'order')} are there once more than they should be, with {counted(ends, 'crash{s}')} "
            f"before the end. Send again only what was not confirmed: order {orders.index(extra[0]) + 1} had its "
            "receipt long before."
            if ends
            else f"Order {orders.index(extra[0]) + 1 if extra[0] in orders else extra[0]!r:.40} is in the store twice, "
            "and no broker had crashed. Send again only when a connection has ended."
        )


class Producer(Exercise):
    """Every order survives the crash of a broker."""

    id = "07.producer"
    signature = "send(connect, orders)"
    knobs = knobs(
        orders=numbered("order", 0, 60),
        gone=scaled("the active broker crashes when it has taken {:d}", 40),
        again=flag("the other one crashes soon after"),
        wild=flag("texts as customers write them"),
    )
    harmless = {"orders": 5}
    also = (
        {"orders": 40, "gone": 12}, {"orders": 40, "gone": 20, "again": 1}, {"orders": 25, "wild": 1, "gone": 9},
        {"orders": 1, "gone": 1}, {"orders": 60, "gone": 40},
    )  # fmt: skip
    examples = 12
    faults = (every_order_is_kept, few_orders_twice)

    def play(self, stage: Stage, case: Any) -> None:
        broker = Broker(stage)
        orders = texts(case.orders, case.wild, repeats=True)
        process = stage.start("producer", broker.connect, list(orders))
        for wanted in (case.gone, 3) if case.again else (case.gone,):
            if case.gone:
                broker.after(lambda n=wanted: broker.taken() >= n, process, 300, broker.crash)  # type: ignore[misc]
                stage.run(stage.cloud.now + 0.01)
        if not stage.run(stage.cloud.now + 400, lambda: not process.alive):
            raise Problem(
                f"Your function had not returned after {stage.cloud.now:.0f} s. A receipt that has not come when the "
                "connection ends will never come."
            )
        stage.run(stage.cloud.now + 60, lambda: broker.engine.serving is not None)
        stage.run(stage.cloud.now + 1)
        broker.crash()
        stage.run(stage.cloud.now + 20)
        stage.given = orders, broker.stored()
        stage.reach("orders", case.orders)


# ---- 07.consumer -----------------------------------------------------------------------------------------------------

_EVENTS = (
    Event("Charged", "charged by {actor}"),
    Event("Asked", lambda row, trace: f"{row.actor} asks whether it is charged: {'yes' if row.detail else 'no'}"),
)


class Book(Partner):
    """The book of charges: it survives every crash. Each call takes some virtual time."""

    def __init__(self, stage: Stage, crash: int) -> None:
        super().__init__(stage, crash)
        stage.trace.declare(_EVENTS)
        self.charges: Counter[str] = Counter()

    def charged(self, order: str) -> bool:
        """Is this order charged?"""
        self.stage.cloud.kernel.sleep(0.02)
        self.note("Asked", "book", order, -1, self.charges[order] > 0)
        return self.charges[order] > 0

    def charge(self, order: str) -> None:
        """Charge this order, whether it is charged already or not."""
        if not isinstance(order, str) or order not in self.stage.labels:
            given = repr(order)[:60] if isinstance(order, str) else f"a {type(order).__name__}"
            self.stage.fail(f"charge was called with {given}. Call it with the text of a message: frame.body.")

        def book() -> None:
            self.charges[order] += 1
            self.note("Charged", "book", order, -1)

        self.perform(0.2, book)


def charged_once(stage: Stage) -> Iterator[Problem]:
    """Each order is charged once, and the queue is empty. `stage.given`: the book, the broker."""
    book, broker = stage.given
    for order in stage.labels:
        count = book.charges[order]
        if count > 1:
            times = [row.time for row in stage.trace.where("Charged", subject=order)]
            gone = [row.time for row in stage.trace.where(("NodeGone", "Crashed")) if row.time <= times[1]]
            why = f" At {gone[-1]:.2f} s a program had crashed." if gone else " It had been sent twice."
            yield Problem(
                f"{order} was charged {count} times.{why} A message can come again without being marked as "
                "redelivered, so the mark decides nothing: ask the book.",
                [order],
            )
        if not count:
            dead = order in broker.stored("ActiveMQ.DLQ")
            left = order in broker.stored()
            where = (
                "It is in ActiveMQ.DLQ: a NACK means that nobody can ever do it."
                if dead
                else "It is still in the queue. After a crash of the broker a program must connect and subscribe again."
                if left
                else "It is gone: it was acknowledged before it was charged."
            )
            yield Problem(f"{order} is not charged after {stage.cloud.now:.0f} s. {where}", [order])
    serves = [row.time for row in stage.trace.where("NodeServing")]
    if broker.stored() and not any(row.time > serves[-1] for row in stage.trace.where("ConsumerAdded")):
        yield Problem(
            f"{counted(len(broker.stored()), 'message')} are still in the queue: since {serves[-1]:.2f} s another "
            "broker serves, and nobody subscribed there. After a crash of the broker a program must connect and "
            "subscribe again."
        )
    for queue in ("orders", "ActiveMQ.DLQ"):
        if broker.stored(queue):
            yield Problem(
                f"All orders are charged, and {counted(len(broker.stored(queue)), 'message')} are still in {queue}. "
                "Acknowledge what is charged, also when it had been charged before."
            )


class Consumer(Exercise):
    """Charge every order once, whatever crashes."""

    id = "07.consumer"
    signature = "consumer(connect, book)"
    knobs = knobs(
        orders=numbered("order", 1, 12),
        twice=some("order{s} that the shop sends twice", 2),
        crash=crashes("charge", 4),
        gone=scaled("the active broker crashes during charge number {:d}", 6),
    )
    harmless = {"orders": 3}
    also = (
        {"orders": 8, "gone": 3}, {"orders": 4, "crash": 2}, {"orders": 4, "crash": 3}, {"orders": 3, "twice": 2},
        {"orders": 8, "gone": 5, "crash": 3, "twice": 1},
    )  # fmt: skip
    examples = 15
    faults = (charged_once,)

    def play(self, stage: Stage, case: Any) -> None:
        broker, book = Broker(stage), Book(stage, case.crash)
        names = [f"order-{n + 1}" for n in range(case.orders)]
        stage.labels |= {name: name for name in names}
        broker.fill(names + names[: case.twice])
        stage.given = book, broker
        stage.keep_running("consumer-1", broker.connect, book)
        if case.gone:
            supervisor = stage.cloud.kernel.processes["supervisor of consumer-1"]
            broker.after(lambda: book._begun >= case.gone, supervisor, stage.cloud.now + 30, broker.crash)
        stage.run(stage.cloud.now + 90, lambda: sum(book.charges.values()) >= len(names) and not broker.stored())
        stage.run(stage.cloud.now + 5)


# ---- 07.move ---------------------------------------------------------------------------------------------------------


class Pack(Partner):
    """`pack(body)`: pack an order. Raises ValueError for one that nobody can ever pack, another error for now."""

    def __init__(self, stage: Stage, bad: set[str], failing: int, crash: int) -> None:
        super().__init__(stage, crash)
        self._bad, self._failing = bad, failing
        self.packed: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()

    def __call__(self, body: str) -> None:
        if not isinstance(body, str) or not self.stage.messages_with(body):
            self.stage.fail(
                f'pack was called with {body!r:.60}. Call it with the text of one message: message["Body"].'
            )
        self.tried[body] += 1
        row = self.note("WorkStarted", "work", self.stage.messages_with(body)[0], -1)

        def finish() -> None:
            failed = body in self._bad or self._begun == self._failing
            self.note("WorkFailed" if failed else "WorkEnded", "work", self.stage.messages_with(body)[0], row)
            if body in self._bad:
                raise ValueError(f"nobody can read {body!r:.30}")
            if self._begun == self._failing:
                self.stage.reach("fails")
                raise WorkFailed("the packer has no tape")
            self.packed[body] += 1

        self.perform(1.0, finish)


def as_before(stage: Stage) -> Iterator[Problem]:
    """What the program relied on is still so. `stage.given`: the work, the bad orders, the two queues."""
    work, bad, url, dead = stage.given
    left, moved = stage.held(url), stage.held(dead)
    bodies = Counter(stage.cloud.service("sqs").queue(dead).messages[id].body for id in moved)
    for body in stage.bodies.values():
        name = f"order {body!r:.30}"
        if body in bad:
            if not bodies[body]:
                yield Problem(
                    f"{name} is not in the dead-letter queue after {stage.cloud.now:.0f} s; it was tried "
                    f"{counted(work.tried[body], 'time')}. SQS has no NACK: send it there, and then delete it here.",
                    stage.messages_with(body)[:1],
                )
            retries = stage.reached["crash"] + 4 * stage.case.refused
            if work.tried[body] > 1 + retries or bodies[body] > 1 + retries:
                yield Problem(
                    f"{name} was tried {counted(work.tried[body], 'time')}, and is in the dead-letter queue "
                    f"{counted(bodies[body], 'time')}. A NACK moved it at once.",
                    stage.messages_with(body)[:1],
                )
        elif not work.packed[body]:
            where = "in the dead-letter queue" if bodies[body] else "lost" if not left else "not done"
            yield Problem(
                f"{name} is {where} after {stage.cloud.now:.0f} s. An error for now is no NACK: what was not "
                "acknowledged came again by itself, and what is not deleted does.",
                stage.messages_with(body)[:1],
            )
        elif bodies[body]:
            yield Problem(f"{name} is packed, and in the dead-letter queue as well.", stage.messages_with(body)[:1])
    if left:
        yield Problem(f"{counted(len(left), 'message')} are still in the queue. SQS acknowledges nothing by itself.")
    again = [body for body, count in work.packed.items() if count > 1]
    if len(again) > stage.reached["crash"]:
        yield Problem(
            f"order {again[0]!r:.30} was packed {work.packed[again[0]]} times, and nothing had crashed. While somebody "
            "works on a message, nobody else may have it: it must be hidden for longer than the work takes.",
            stage.messages_with(again[0])[:1],
        )


class Move(Exercise):
    """The same program on SQS, with all that it relied on."""

    id = "07.move"
    signature = "packer(sqs, queue_url, dead_url, pack)"
    knobs = knobs(
        orders=numbered("order", 1, 24),
        consumers=numbered("consumer", 1, 2),
        bad=some("order{s} that nobody can pack", 3),
        fails=scaled("packing fails for now the {:d}. time", 4),
        refused=flag("SQS refuses to send for a while"),
        crash=crashes("order", 3),
        wild=flag("texts as customers write them"),
    )
    harmless = {"orders": 12}
    also = (
        {"orders": 16, "consumers": 2}, {"orders": 6, "bad": 2}, {"orders": 4, "fails": 2},
        {"orders": 3, "bad": 1, "refused": 1}, {"orders": 4, "crash": 3, "bad": 1}, {"orders": 10, "wild": 1, "bad": 1},
        {"orders": 24},
    )  # fmt: skip
    examples = 25
    faults = (as_before, idle_calls(5))

    def play(self, stage: Stage, case: Any) -> None:
        url, dead = stage.queue("orders", VisibilityTimeout=5), stage.queue("dead")
        stage.orders(url, case.orders, case.wild)
        bodies = list(dict.fromkeys(stage.bodies.values()))
        bad = set(bodies[: case.bad])
        work = Pack(stage, bad, case.fails, case.crash)
        stage.given = work, bad, url, dead
        stage.fault("throttle", ("SendMessage", "SendMessageBatch"), case.refused * GIVES_UP)
        stage.consumers(case.consumers, stage.sqs, url, dead, work, survives=(WorkFailed, ValueError))
        stage.run_until_empty(url, until=240)
        stage.run(stage.cloud.now + 300, every=10.0)


EXERCISES = (Producer(), Consumer(), *CHOICES, Move())
