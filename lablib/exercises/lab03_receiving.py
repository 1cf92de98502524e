"""The exercises of lab 03 about receiving from FIFO queues: order through failures, and a queue that is stuck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lablib.actors.consumers import Consumer as Program
from lablib.actors.fleet import Fleet, Worker
from lablib.aws.event import WORK
from lablib.exercises.base import Exercise
from lablib.exercises.case import Case, counted, crash, dial, seeds
from lablib.exercises.invariants import judge_work
from lablib.exercises.ledger import Accident, Work
from lablib.exercises.stage import Problem, Stage
from lablib.kernel import Row

Function = Callable[..., Any]

_PEOPLE = ("ann", "bob", "eve")


def _fill(stage: Stage, url: str, orders: int, customers: int) -> dict[str, str]:
    """Orders of so many customers, in turn, each customer a group. Returns the customer of each order."""
    owners = {f"order-{n + 1}": _PEOPLE[n % customers] for n in range(orders)}
    for order, owner in owners.items():
        stage.send(url, order, order, message_group_id=owner, message_deduplication_id=order)
    return owners


def _lines(owners: dict[str, str]) -> list[list[str]]:
    """The orders of each customer, in order."""
    return [[order for order, owner in owners.items() if owner == name] for name in dict.fromkeys(owners.values())]


# ---- 03.consumer -----------------------------------------------------------------------------------------------------

_WORK = 4.0  # seconds


@dataclass(frozen=True, order=True)
class ConsumerCase(Case):
    orders: int = dial(1, 12, "order")
    customers: int = dial(1, 3, "customer")
    consumers: int = dial(1, 3, "consumer")
    fails: int = dial(0, 3, lambda n: f"the first try of order-{n} fails" if n else "")
    crash: int = crash("order", 3)
    seed: int = seeds()


class Consumer(Exercise):
    """Each customer's orders in order, through failures and crashes."""

    id = "03.consumer"
    signature = "consumer(sqs, queue_url, process)"
    covered = "1 to 12 orders, up to 3 customers and 3 consumers, an order that fails at first, and crashes"
    plain = ConsumerCase(orders=4, customers=2)

    def trial(self, stage: Stage, fn: Function, case: ConsumerCase) -> None:
        url = stage.queue("orders.fifo", FifoQueue="true", VisibilityTimeout=30)
        owners = _fill(stage, url, case.orders, case.customers)
        tries: Counter[str] = Counter()

        def fails(body: str, step: int) -> bool:
            tries[body] += 1
            return body == f"order-{case.fails}" and tries[body] == 1

        work = Work(stage, Accident(stage, case.crash), _WORK, fails=fails)
        for n in range(case.consumers):
            stage.keep_running(f"consumer-{n + 1}", stage.sqs, url, work)
        try:
            stage.run(until=300, settled=lambda: not stage.held(url))
            stage.run(until=stage.cloud.now + 5)
        finally:  # also when SQS refused a late delete: why it was late says more
            _judge_hidden(stage)
            for line in _lines(owners):
                judge_line(stage, line)
        judge_work(stage, url)


def _judge_hidden(stage: Stage) -> None:
    """No order was visible to others while somebody worked on it."""
    trace = stage.trace
    for begun in trace.where("WorkStarted"):
        ended = [row.index for row in trace.where(("WorkEnded", "WorkFailed")) if row.cause == begun.index]
        shown = trace.where("BecameVisible", subject=begun.subject)
        early = [row for row in shown if row.cause == begun.cause and row.index < min(ended, default=-1)]
        if early:
            order = next(order for order, ids in stage.sent.items() if begun.subject in ids)
            raise Problem(
                f"{order} was visible again at {early[0].time:.2f} s, while {begun.actor} was working on it: it had "
                f"waited behind others of its batch. Ten orders of {_WORK:g} s are more than the timeout of 30 s.",
                [begun.subject],
            )


def judge_line(stage: Stage, line: list[str]) -> None:
    """The orders of one customer were done in order. Those that were deleted undone are another matter. Raises
    Problem.
    """
    trace = stage.trace
    for early, late in ((line[i], line[j]) for j in range(len(line)) for i in range(j)):
        one, two = stage.sent[early][0], stage.sent[late][0]
        begun = trace.where("WorkStarted", subject=two)
        gone = trace.where("Deleted", subject=one)
        done = [row for row in trace.where("WorkEnded", subject=one) if row.detail != "failed"]
        if not begun or (gone and not (done and done[0].index < gone[0].index)):
            continue
        if not done or done[0].index > begun[0].index:
            why = _why_undone(stage, early, begun[0])
            raise Problem(
                f"{begun[0].actor} began {late} at {begun[0].time:.2f} s, before {early} of the same "
                f"customer was done: {why}.",
                [one, two],
            )
        again = [row for row in trace.where("WorkStarted", subject=one) if row.index > begun[0].index]
        if again:
            raise Problem(
                f"{again[0].actor} began {early} again at {again[0].time:.2f} s, after {late} of the same customer: "
                "their order is turned round. Delete an order as soon as it is done, before you begin the next.",
                [one, two],
            )


def _why_undone(stage: Stage, order: str, before: Row) -> str:
    rows = stage.trace.where(("WorkFailed", "Crashed", "WorkStarted"), subject=(stage.sent[order][0], ""))
    last = [row for row in rows if row.index < before.index and row.subject]
    if not last:
        return f"nobody had begun {order} yet"
    if last[-1].kind == "WorkFailed":
        return f"{order} had failed at {last[-1].time:.2f} s, and was to be tried again first"
    return f"{last[-1].actor} had begun it at {last[-1].time:.2f} s"


# ---- 03.stuck --------------------------------------------------------------------------------------------------------

_TIMEOUT = 10  # seconds: the queue's
_SOON = 120.0  # seconds
_CAUSES = ("a poison order", "a consumer that crashed with orders in hand", "a poison order and a crashed consumer")


@dataclass(frozen=True, order=True)
class StuckCase(Case):
    cause: int = dial(0, 2, lambda n: _CAUSES[n])
    orders: int = dial(2, 10, "order")
    customers: int = dial(1, 3, "customer")
    shaky: int = dial(0, 1, lambda n: "the first try of order-2 fails" if n else "")
    seed: int = seeds()


class Stuck(Exercise):
    """Find why the queue is stuck, and free it."""

    id = "03.stuck"
    signature = "free(sqs, queue_url, in_hand)"
    covered = "2 to 10 orders of up to 3 customers, poison, a crashed consumer, and an order that fails only once"
    plain = StuckCase(orders=6, customers=2)
    examples = 50

    def trial(self, stage: Stage, fn: Function, case: StuckCase) -> None:
        url = stage.queue("orders.fifo", FifoQueue="true", VisibilityTimeout=_TIMEOUT)
        owners = _fill(stage, url, case.orders, case.customers)
        in_hand = self._crashed(stage, url) if case.cause else []
        poison = "order-1" if case.cause != 1 else ""
        _start_consumers(stage, url, poison, "order-2" if case.shaky else "")
        stage.run(until=60)
        stage.call("free", stage.sqs, url, in_hand, until=120)
        stage.run(stage.cloud.now + _SOON, lambda: not stage.held(url))
        _judge_poison(stage, url, poison)
        for order in owners:
            if order != poison:
                _judge_freed(stage, url, order)
        for line in _lines(owners):
            judge_line(stage, [order for order in line if order != poison])

    def _crashed(self, stage: Stage, url: str) -> list[dict[str, Any]]:
        """Consumer-9 takes two orders of a customer for twelve hours, and crashes."""
        found: list[dict[str, Any]] = []

        def receive() -> None:
            ask = {"MaxNumberOfMessages": 2, "VisibilityTimeout": 43_200}
            found.extend(stage.cloud.direct("sqs").receive_message(QueueUrl=url, **ask)["Messages"])

        stage.cloud.spawn(receive, name="consumer-9")
        stage.run(until=1.0)
        stage.trace.add("Crashed", actor="consumer-9")
        return found


def _start_consumers(stage: Stage, url: str, poison: str, shaky: str) -> None:
    """Two consumers that do all as they should: one order at a time, and what fails is not deleted."""
    cloud = stage.cloud
    cloud.trace.declare(WORK)
    tries: Counter[str] = Counter()

    def work(worker: Worker, message: str, body: str, row: int) -> bool:
        tries[body] += 1
        failed = body == poison or (body == shaky and tries[body] == 1)
        worker.work("work", message, row, 1.0, failed=failed)
        return not failed

    settings = {"batch_size": 1, "wait_time": 20, "pause": 1.0}
    program = Program(cloud.kernel, cloud.trace, cloud.direct("sqs"), url, settings, work)
    Fleet(cloud.kernel, cloud.trace, "consumer", program, lambda: 0.0).resize(2)


def _judge_poison(stage: Stage, url: str, poison: str) -> None:
    if not poison:
        return
    (message,) = stage.sent[poison]
    queues = stage.cloud.direct("sqs").list_queues().get("QueueUrls", [])
    if any(message in stage.held(other) for other in queues if other != url):
        return
    if message not in stage.held(url):
        deleted = stage.trace.where(("Deleted", "QueuePurged"))
        at = f"at {deleted[-1].time:.2f} s" if deleted else ""
        raise Problem(
            f"{poison} is lost: it left the queue {at} and is in no other. It always fails, so somebody will want to "
            "look at it: let it go to a dead-letter queue.",
            [message],
        )
    times = len(stage.trace.where("Received", subject=message))
    raise Problem(
        f"{poison} always fails, and it is still in the queue: received {times} times, and its group waits behind it. "
        "SQS moves a message to a dead-letter queue after maxReceiveCount receives, if the queue has a RedrivePolicy.",
        [message],
    )


def _judge_freed(stage: Stage, url: str, order: str) -> None:
    (message,) = stage.sent[order]
    trace = stage.trace
    done = [row for row in trace.where("WorkEnded", subject=message) if row.detail != "failed"]
    if message in stage.held(url):
        why = stage.cloud.service("sqs").queue(url).why_waiting(message)
        raise Problem(
            f"{order} is still in the queue {_SOON:.0f} s after your function returned. It {why or 'can be received'}.",
            [message],
        )
    moved = trace.where("MovedToDeadLetterQueue", subject=message)
    if moved:
        raise Problem(
            f"{order} is in the dead-letter queue, but there is nothing wrong with it: it was received "
            f"{counted(len(trace.where('Received', subject=message)), 'time')}. Allow more: "
            "each receive counts, also that of a consumer that crashed.",
            [message],
        )
    if not done:
        raise Problem(f"{order} is lost: it left the queue, and nobody had done it.", [message])


EXERCISES = (Consumer(), Stuck())
