"""The exercises of lab 07: a producer that loses nothing, a consumer that charges once; the rest is in lab07_choices
and lab07_move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from lablib.aws.event import Event
from lablib.exercises.base import Exercise
from lablib.exercises.brokers import NAME, QUEUE, Broker, Ear
from lablib.exercises.case import counted, crashes, cut, flag, knobs, scaled, some, there
from lablib.exercises.case import number as numbered
from lablib.exercises.lab07_choices import EXERCISES as CHOICES
from lablib.exercises.lab07_move import EXERCISES as MOVE
from lablib.exercises.partners import Partner
from lablib.exercises.stage import Problem, Stage, texts

# ---- 07.producer -----------------------------------------------------------------------------------------------------

_SLOW = 2000.0  # bytes a second of a slow line
_JUST_AFTER = 0.0006  # seconds until an answer of the broker has arrived, and what is sent then has not
_UNDER_WAY = 25  # orders that may be there twice after a crash: what was sent and not confirmed


class Frames(Ear):
    """What the producer sent, and what came back: the checks' ear at its connections."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sent: dict[str, list[float]] = {}  # when each text was sent
        self.confirmed: dict[str, float] = {}  # when each text had its first receipt
        self.persistent: set[str] = set()  # what the header persistent said
        self._asked: dict[str, str] = {}  # the text behind each receipt

    def on_send(self, frame: Any) -> None:
        if frame.cmd == "SEND":
            self.sent.setdefault(frame.body, []).append(self.stage.cloud.now)
            self.persistent.add(self.header(frame, "persistent"))
            self._asked[self.header(frame, "receipt")] = frame.body

    def on_receipt(self, frame: Any) -> None:
        if (text := self._asked.get(frame.headers["receipt-id"])) is not None:
            self.confirmed.setdefault(text, self.stage.cloud.now)


class Sent(NamedTuple):
    """What came of the orders. `safe`: what the store had when the function returned."""

    orders: list[str]
    stored: list[str]
    safe: list[str]
    returned: float
    frames: Frames


def every_order_is_kept(stage: Stage) -> Iterator[Problem]:
    """Each order is in the store when the function returns, and after a last crash. `stage.given`: a Sent."""
    orders, stored, safe, returned, _ = stage.given
    missing = list((Counter(orders) - Counter(stored)).elements())
    foreign = [body for body in stored if body not in orders]
    if missing:
        text = (
            f"{len(missing)} of {counted(len(orders), 'order')} {'is' if len(missing) == 1 else 'are'} not in the "
            "store in the end; the first is order "
            f"{orders.index(missing[0]) + 1}. "
        )
        if foreign:
            yield Problem(f"{text}There is a message {cut(foreign[0])} that nobody asked for. Send the text as it is.")
        yield _why_missing(stage, text)
    if foreign:
        yield Problem(
            f"In the store is a message {cut(foreign[0])} that nobody ordered. What is sent again has the same text: "
            "by it the consumer knows the order."
        )
    early = list((Counter(orders) - Counter(safe)).elements())
    if early:
        yield Problem(
            f"When your function returned, at {returned:.2f} s, {counted(len(early), 'order')} of {len(orders)} had "
            "not reached the store. Whoever called it believes that all are safe. Return when the last receipt is "
            "there."
        )


def _why_missing(stage: Stage, text: str) -> Problem:
    orders, stored, _, returned, frames = stage.given
    rows = stage.trace.where(("Enqueued", "Routed"))
    mine = [row for row in rows if row.resource == f"{NAME}/queue/{QUEUE}"]
    soft = [row for row in mine if not row.detail["persistent"]]
    gone = [row for row in stage.trace.where("NodeGone") if row.time < returned]
    dead = [
        row
        for row in stage.trace.where(("TimeToLiveOver", "DeadLettered"))
        if mine and row.resource == mine[0].resource
    ]
    elsewhere = [row.resource.partition("/")[2] for row in rows if row not in mine and "DLQ" not in row.resource]
    if elsewhere:
        return Problem(
            f"{text}{counted(len(elsewhere), 'message')} went to /{elsewhere[0]}; the orders belong to /queue/{QUEUE}."
        )
    if not mine and not gone:
        return Problem(
            f"{text}Nothing arrived at the broker. send() only hands it to a thread of stomp.py; a program that ends "
            "takes along what is not sent. Wait for the receipts."
        )
    if dead:
        return Problem(
            f"{text}It was in the queue, and at {dead[0].time:.2f} s its time to live was over: send it without a "
            "header expires.",
            [dead[0].subject],
        )
    if soft:
        if odd := next((said for said in frames.persistent if said.lower() == "true" != said), ""):
            return Problem(
                f"{text}{counted(len(soft), 'message')} came with persistent:{odd}, and the broker knows only "
                'persistent:true. Write the header as a text: "true".',
                [soft[0].subject],
            )
        end = stage.trace.where("NodeGone")[-1].time
        return Problem(
            f"{text}{counted(len(soft), 'message')} came without persistent:true: the broker kept them in its memory "
            f"only, and its program ended at {end:.2f} s. Over STOMP that is the default.",
            [soft[0].subject],
        )
    if gone:
        how = "The machine of the broker lost its power" if stage.case.cut else "The broker crashed"
        return Problem(
            f"{text}{how} at {gone[0].time:.2f} s. What is written into a connection whose other end is gone is lost, "
            "and send() raises nothing. Ask for a receipt, and when the connection ends, send again what has none."
        )
    if set(orders) <= set(stored):
        return Problem(f"{text}It was never sent. Two orders can be equal, and are still two orders.")
    return Problem(
        f"{text}Only {counted(len(mine), 'message')} arrived at the broker before your function returned, at "
        f"{returned:.2f} s. send() only hands it to a thread of stomp.py, and what that has not written ends with the "
        "program. Wait for the receipt of each order."
    )


def few_orders_twice(stage: Stage) -> Iterator[Problem]:
    """Only what was under way at a crash is sent again."""
    orders, stored, *_ = stage.given
    frames: Frames = stage.given.frames
    extra = list((Counter(stored) - Counter(orders)).elements())
    ends = len(stage.trace.where("NodeGone")) - 1
    if len(extra) > _UNDER_WAY * ends:
        confirmed = frames.confirmed.get(extra[0], stage.cloud.now)
        early = sum(time < confirmed for time in frames.sent.get(extra[0], ()))
        yield Problem(
            f"{there(len(extra), 'order')} in the store once too often, with {counted(ends, 'crash{s}')} "
            "before the end. "
            + (
                f"Order {orders.index(extra[0]) + 1} was sent {early} times before its first receipt came. Wait until "
                "the receipt is there or the connection is gone, before you send it again."
                if early > 1 + ends
                else f"Send again only what was not confirmed: order {orders.index(extra[0]) + 1} had its receipt "
                "long before."
            )
            if ends
            else f"Order {orders.index(extra[0]) + 1 if extra[0] in orders else cut(extra[0], 40)} is in the store "
            "twice, and no broker had crashed. Send again only when a connection has ended."
        )


class Producer(Exercise):
    """Every order survives the crash of a broker."""

    id = "07.producer"
    signature = "send(connect, orders)"
    knobs = knobs(
        orders=numbered("order", 0, 60),
        gone=scaled("the active broker crashes when it has taken {:d}", 40),
        again=flag("the other one crashes soon after"),
        cut=scaled("the broker's machine loses its power right after connection number {:d}", 2),
        slow=flag("a slow line"),
        wild=flag("texts as customers write them"),
    )
    harmless = {"orders": 5}
    also = (
        {"orders": 40, "gone": 12}, {"orders": 40, "gone": 20, "again": 1}, {"orders": 25, "wild": 1, "gone": 9},
        {"orders": 1, "gone": 1}, {"orders": 60, "gone": 40}, {"orders": 3, "cut": 1}, {"orders": 3, "cut": 2},
        {"orders": 40, "gone": 12, "slow": 1}, {"orders": 20, "slow": 1},
    )  # fmt: skip
    examples = 12
    faults = (every_order_is_kept, few_orders_twice)

    def play(self, stage: Stage, case: Any) -> None:
        broker = Broker(stage)
        broker.ear = frames = Frames(stage)
        orders = texts(case.orders, case.wild, repeats=True)
        if case.slow:
            broker.slow_down("producer", _SLOW)
        safe: list[str] = []
        fn, returned = stage.function, [0.0]

        def program(*args: Any) -> None:
            fn(*args)
            safe[:], returned[0] = broker.stored(), stage.cloud.now

        stage.function = program
        process = stage.start("producer", broker.connect, list(orders))
        if case.cut:  # what the program sends as soon as it is connected is under way then
            off = partial(stage.cloud.kernel.after, _JUST_AFTER, broker.power_off)
            broker.after(lambda: len(stage.trace.where("ClientConnected")) >= case.cut, process, 300, off)

        def crash_when_it_has(wanted: int) -> None:
            broker.after(lambda: broker.taken() >= wanted, process, 300, broker.crash)
            stage.run(stage.cloud.now + 0.01)

        if case.gone:
            crash_when_it_has(case.gone)
        if case.gone and case.again:
            crash_when_it_has(3)
        if not stage.run(stage.cloud.now + 400, lambda: not process.alive):
            raise Problem(
                f"Your function had not returned after {stage.cloud.now:.0f} s. A receipt that has not come when the "
                "connection ends will never come."
            )
        stage.run(stage.cloud.now + 60, lambda: broker.engine.serving is not None)
        stage.run(stage.cloud.now + 1)
        broker.crash()
        stage.run(stage.cloud.now + 20)
        stage.given = Sent(orders, broker.stored(), safe, returned[0], frames)
        stage.reach("orders", case.orders)


# ---- 07.consumer -----------------------------------------------------------------------------------------------------

_EVENTS = (
    Event("Charged", "charged by {actor}"),
    Event("AcknowledgedEarly", "acknowledged by {actor}, and not charged"),
    Event("Asked", lambda row, trace: f"{row.actor} asks whether it is charged: {'yes' if row.detail else 'no'}"),
)


_ASKS = 0.02  # seconds


class Book(Partner, Ear):
    """The book of charges: it survives every crash. Each call takes some virtual time."""

    def __init__(self, stage: Stage, crash: int) -> None:
        super().__init__(stage, crash)
        stage.trace.declare(_EVENTS)
        self.charges: Counter[str] = Counter()
        self._orders: dict[str, str] = {}  # the order behind each acknowledgement

    def on_before_message(self, frame: Any) -> None:
        """The book is an ear at the consumer's connections, too: what is acknowledged before it is charged?"""
        if "ack" in frame.headers:
            self._orders[frame.headers["ack"]] = frame.body

    def on_send(self, frame: Any) -> None:
        order = self._orders.get(self.header(frame, "id")) if frame.cmd == "ACK" else None
        if order is not None and not self.charges[order]:
            self.note("AcknowledgedEarly", "book", order, -1)

    def charged(self, order: str) -> bool:
        """Is this order charged?"""
        self.stage.cloud.kernel.sleep(_ASKS)
        self.note("Asked", "book", order, -1, self.charges[order] > 0)
        return self.charges[order] > 0

    def charge(self, order: str) -> None:
        """Charge this order, whether it is charged already or not."""
        if not isinstance(order, str) or order not in self.stage.labels:
            given = cut(order) if isinstance(order, str) else f"a {type(order).__name__}"
            self.stage.fail(
                f"charge was called with {given}. Call it with the text of a message: frame.body, as it came."
            )

        def book() -> None:
            self.charges[order] += 1
            self.note("Charged", "book", order, -1)

        self.perform(0.2, book)


def charged_once(stage: Stage) -> Iterator[Problem]:
    """Each order is charged once, and the queue is empty. `stage.given`: the book, the broker."""
    book, broker = stage.given
    for order, label in stage.labels.items():
        if book.charges[order] > 1:
            yield Problem(f"{label} was charged {book.charges[order]} times.{_why_twice(stage, order)}", [order])
        if not book.charges[order]:
            where = _why_not_charged(stage, order, broker)
            yield Problem(f"{label} is not charged after {stage.cloud.now:.0f} s. {where}", [order])
    serves = [row.time for row in stage.trace.where("NodeServing")]
    left = len(broker.stored())
    if left and not any(row.time > serves[-1] for row in stage.trace.where("ConsumerAdded")):
        yield Problem(
            f"{there(left, 'message')} still in the queue: since {serves[-1]:.2f} s another "
            "broker serves, and nobody subscribed there. After a crash of the broker a program must connect and "
            "subscribe again."
        )
    for queue in (QUEUE, "ActiveMQ.DLQ"):
        if left := len(broker.stored(queue)):
            cure = (
                "Acknowledge what is charged, also when it had been charged before. (A NACK means: nobody can do it.)"
            )
            refused = _refused_at(stage) if queue == QUEUE else ""
            yield Problem(f"All orders are charged, and {there(left, 'message')} still in {queue}. {refused or cure}")
    for crash in stage.trace.where("Crashed"):
        for row in stage.trace.where("AcknowledgedEarly"):
            charged = stage.trace.where("Charged", subject=row.subject)
            if row.time <= crash.time < charged[0].time:
                yield Problem(
                    f"{stage.labels[row.subject]} is charged by good luck. Your program acknowledged it before it was "
                    f"charged, and crashed between the two, at {crash.time:.2f} s. It came again only because stomp.py "
                    "had not written it yet: that waits until on_message has returned. First charge, then acknowledge.",
                    [row.subject],
                )


def _refused_at(stage: Stage) -> str:
    """Which answer of the broker tells that an acknowledgement was wrong; empty when there is none before a crash."""
    refused, gone = stage.trace.where("ClientError"), stage.trace.where(("NodeGone", "Crashed"))
    if not refused or (gone and gone[0].time < refused[0].time):
        return ""
    return (
        f'At {refused[0].time:.2f} s the broker answered with an error: "{refused[0].detail}". An acknowledgement '
        'takes frame.headers["ack"].'
    )


def _why_twice(stage: Stage, order: str) -> str:
    charges = stage.trace.where("Charged", subject=order)
    asked = [row for row in stage.trace.where("Asked", subject=order) if row.time < charges[1].time]
    gone = [row for row in stage.trace.where(("NodeGone", "Crashed")) if row.time <= charges[1].time]
    before = [row for row in asked if row.time < charges[0].time]
    if not gone and len(before) > 1 and before[1].time - before[0].time < _ASKS:
        return (
            " Two threads of your program asked the book before one of them had charged, and both heard no. Work on "
            "one message after the other."
        )
    if not gone and len(before) > 1:
        return (
            f" Your program had asked the book {len(before)} times before the first charge, and heard no each time. "
            "Ask right before each charge, and finish one message before you ask for the next."
        )
    why = " It had been sent twice."
    if gone:
        who = "your program" if gone[-1].kind == "Crashed" else "the active broker"
        why = f" At {gone[-1].time:.2f} s {who} had crashed."
    if not asked:
        return f"{why} Ask the book before each charge: it knows what was charged, whatever crashed."
    if before == asked:
        return (
            f"{why} Nobody asked the book before the second charge. A message can come again without being marked as "
            "redelivered, so the mark decides nothing: ask the book before each charge."
        )
    return f"{why} Your program had asked the book, and heard that it is charged: then charge nothing."


def _why_not_charged(stage: Stage, order: str, broker: Broker) -> str:
    if order in broker.stored("ActiveMQ.DLQ"):
        return "It is in ActiveMQ.DLQ: a NACK means that nobody can ever do it."
    place = f"{NAME}/queue/{QUEUE}"
    mine = [id for id, text in broker.filled.items() if text == order]
    if order not in broker.stored():
        auto = [
            row
            for id in mine
            for row in stage.trace.where("Acknowledged", subject=id)
            if stage.trace[row.cause].kind == "Dispatched" and stage.trace[row.cause].time == row.time
        ]
        if auto:
            return (
                "It is gone: with the mode auto, the default, the broker forgets a message when it has sent it. "
                'Subscribe with ack="client-individual", and acknowledge after the charge.'
            )
        again = [row for id in mine for row in stage.trace.where("Dispatched", subject=id) if row.detail]
        marked = " It came marked as redelivered: then it may be charged, or not. Ask the book." if again else ""
        return f"It is gone: it was acknowledged before it was charged. First charge, then acknowledge.{marked}"
    if not stage.trace.where("ConsumerAdded", resource=place):
        return f"It is still in the queue: nobody subscribed to /queue/{QUEUE}."
    if refused := _refused_at(stage):
        return f"It is still in the queue. {refused}"
    gone = [row.time for row in stage.trace.where(("NodeGone", "Crashed"))]
    given = [row for row in stage.trace.where("Dispatched", resource=place) if row.time > max(gone, default=0)]
    held = [row for row in given if not stage.trace.where("Acknowledged", subject=row.subject)]
    if held and not any(row.subject in mine for row in given):
        first = broker.filled.get(held[0].subject, "another message")
        return (
            f"It is still in the queue, and the broker does not give it: {first} was not acknowledged, and your "
            "program may have no more in hand (its prefetch). Acknowledge what is charged."
        )
    return "It is still in the queue. After a crash of the broker a program must connect and subscribe again."


class Consumer(Exercise):
    """Charge every order once, whatever crashes."""

    id = "07.consumer"
    signature = "consumer(connect, book)"
    knobs = knobs(
        orders=numbered("order", 1, 12),
        twice=some("order{s} that the shop sends twice", 2),
        crash=crashes("charge", 4),
        gone=scaled("the active broker crashes during charge number {:d}", 6),
        wild=flag("texts as customers write them"),
    )
    harmless = {"orders": 3}
    also = (
        {"orders": 8, "gone": 3}, {"orders": 4, "crash": 2}, {"orders": 4, "crash": 3}, {"orders": 3, "twice": 2},
        {"orders": 8, "gone": 5, "crash": 3, "twice": 1}, {"orders": 12, "wild": 1, "twice": 2},
    )  # fmt: skip
    examples = 15
    faults = (charged_once,)

    def play(self, stage: Stage, case: Any) -> None:
        broker, book = Broker(stage), Book(stage, case.crash)
        names = texts(case.orders, case.wild)
        stage.labels |= {name: f"order {cut(name, 30)}" if case.wild else name for name in names}
        broker.fill(names + names[: case.twice])
        broker.ear = book
        stage.given = book, broker
        stage.keep_running("consumer-1", broker.connect, book)
        if case.gone:
            supervisor = stage.cloud.kernel.processes["supervisor of consumer-1"]
            broker.after(lambda: book._begun >= case.gone, supervisor, stage.cloud.now + 30, broker.crash)
        stage.run(stage.cloud.now + 90, lambda: sum(book.charges.values()) >= len(names) and not broker.stored())
        stage.run(stage.cloud.now + 5)


EXERCISES = (Producer(), Consumer(), *CHOICES, *MOVE)
