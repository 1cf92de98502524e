"""The exercises of lab 03 about receiving from FIFO queues: order through failures, and a queue that is stuck."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lablib.actors.fleet import Worker
from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, crashes, flag, knobs, number, one_of, scaled
from lablib.exercises.faults import CONSUMER, changed_settings, deleted_early, short_polls, visible_while_worked_on
from lablib.exercises.fleets import run_fleet
from lablib.exercises.partners import Work, first_try
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.story import Story

_PEOPLE = ("ann", "bob", "eve")
_AWAY = 40.0  # seconds in which all work fails: longer than the visibility timeout


def _fill(stage: Stage, url: str, orders: int, customers: int) -> None:
    """Orders of so many customers, in turn, each customer a group. `stage.given` is the customer of each order."""
    stage.given = {f"order-{n + 1}": _PEOPLE[n % customers] for n in range(orders)}
    for order, owner in stage.given.items():
        stage.send(url, order, order, message_group_id=owner, message_deduplication_id=order)


def turned_round(stage: Stage) -> Iterator[Problem]:
    """Each customer's orders are done in order; not judged are those that were deleted undone, and the hopeless."""
    names = [name for name in stage.given if name not in stage.hopeless]
    for j, late in enumerate(names):
        for early in names[:j]:
            if stage.given[early] == stage.given[late]:
                yield from _order_of(stage.story(early), stage.story(late))


def _order_of(early: Story, late: Story) -> Iterator[Problem]:
    if not late.tries or (early.deleted and not (early.done and early.done[0].index < early.deleted[0].index)):
        return
    begun, about = late.tries[0].begun, early.ids + late.ids
    if not early.done or early.done[0].index > begun.index:
        yield Problem(
            f"{begun.actor} began {late.name} at {begun.time:.2f} s, before {early.name} of the same customer was "
            f"done: {_why_undone(early, begun.index, begun.actor)}.",
            about,
        )
    again = [t.begun for t in early.tries if t.begun.index > begun.index]
    if again:
        yield Problem(
            f"{again[0].actor} began {early.name} again at {again[0].time:.2f} s, after {late.name} of the same "
            "customer: their order is turned round. Delete an order as soon as it is done, before you begin the next.",
            about,
        )


def _why_undone(story: Story, before: int, actor: str) -> str:
    tries = [t for t in story.tries if t.begun.index < before]
    if not tries:
        return f"nobody had begun {story.name} yet"
    last = tries[-1]
    if last.end and last.how == "failed" and last.end.index < before:
        return f"{story.name} had failed at {last.end.time:.2f} s, and was to be tried again first"
    same = "" if last.begun.actor != actor else ". Do the orders of a receive one after the other"
    return f"{last.begun.actor} had begun it at {last.begun.time:.2f} s{same}"


# ---- 03.consumer -----------------------------------------------------------------------------------------------------


class Consumer(Exercise):
    """Each customer's orders in order, through failures and crashes."""

    id = "03.consumer"
    signature = "consumer(sqs, queue_url, process)"
    knobs = knobs(
        orders=number("order", 1, 12),
        customers=number("customer", 1, 3),
        consumers=number("consumer", 1, 3),
        fails=scaled("the first try of order-{:d} fails", 3),
        crash=crashes("order", 3),
        away=flag("all work fails in the first 40 s"),
    )
    harmless = {"orders": 4, "customers": 2}
    also = (
        {"orders": 12, "customers": 3},
        {"orders": 4, "customers": 2, "fails": 1},
        {"orders": 2, "consumers": 2, "away": 1},
    )
    causes = (visible_while_worked_on, turned_round)
    faults = (*CONSUMER, deleted_early, short_polls)
    advice = {
        "WorkFailed": "process raises this when the work fails. Catch it around this order, and leave its message in "
        "the queue: it comes back when its visibility timeout ends, and the next of its group waits."
    }

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("orders.fifo", FifoQueue="true", VisibilityTimeout=30)
        _fill(stage, url, case.orders, case.customers)
        first = first_try(f"order-{case.fails}")

        def fails(order: str, tried: int, step: int) -> bool:
            return first(order, tried, step) or stage.cloud.now < case.away * _AWAY

        stage.consumers(case.consumers, stage.sqs, url, Work(stage, 4.0, case.crash, fails=fails))
        stage.run_until_empty(url, until=300)


# ---- 03.stuck --------------------------------------------------------------------------------------------------------

_SOON = 120.0  # seconds
_CAUSES = ("a poison order", "a consumer that crashed with orders in hand", "a poison order and a crashed consumer")


def poison_kept(stage: Stage) -> Iterator[Problem]:
    """The poison is in a dead-letter queue."""
    for name in stage.hopeless:
        story = stage.story(name)
        places = set(story.left_in.values())
        if places - {"orders.fifo"}:
            continue
        if not places:
            deleted = story.deleted or stage.trace.where("QueuePurged")
            at = f"at {deleted[-1].time:.2f} s" if deleted else ""
            yield Problem(
                f"{name} is lost: it left the queue {at} and is in no other. It always fails, so somebody will want to "
                "look at it: let it go to a dead-letter queue.",
                story.ids,
            )
        yield Problem(
            f"{name} always fails, and it is still in the queue: received {len(story.received)} times, and its group "
            "waits behind it. SQS moves a message to a dead-letter queue after maxReceiveCount receives, if the queue "
            "has a RedrivePolicy.",
            story.ids,
        )


def freed(stage: Stage) -> Iterator[Problem]:
    """All other orders are done."""
    for story in stage.stories():
        if story.name in stage.hopeless:
            continue
        if story.moved:
            yield Problem(
                f"{story.name} is in the dead-letter queue, but there is nothing wrong with it: it was received "
                f"{counted(len(story.received), 'time')}. Allow more: each receive counts, also that of a consumer "
                "that crashed.",
                story.ids,
            )
        if story.left_in:
            why = stage.cloud.service("sqs").queue("orders.fifo").why_waiting(story.ids[0])
            yield Problem(
                f"{story.name} is still in the queue {_SOON:.0f} s after your function returned. It "
                f"{why or 'can be received'}.",
                story.ids,
            )
        if not story.done:
            yield Problem(f"{story.name} is lost: it left the queue, and nobody had done it.", story.ids)


class Stuck(Exercise):
    """Find why the queue is stuck, and free it."""

    id = "03.stuck"
    signature = "free(sqs, queue_url, in_hand)"
    knobs = knobs(
        cause=one_of(_CAUSES),
        orders=number("order", 2, 10),
        customers=number("customer", 1, 3),
        shaky=flag("the first try of order-2 fails"),
    )
    harmless = {"orders": 6, "customers": 2}
    examples = 50
    faults = (changed_settings("RedrivePolicy"), poison_kept, freed, turned_round, deleted_early)

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("orders.fifo", FifoQueue="true", VisibilityTimeout=10)
        _fill(stage, url, case.orders, case.customers)
        in_hand = _taken_by_a_crashed_consumer(stage, url) if case.cause else []
        stage.hopeless = {"order-1"} if case.cause != 1 else set()
        tries: set[str] = set()

        def work(worker: Worker, message: str, body: str, row: int) -> bool:
            failed = body in stage.hopeless or (case.shaky and body == "order-2" and body not in tries)
            tries.add(body)
            worker.work("work", message, row, 1.0, failed=failed)
            return not failed

        run_fleet(stage.cloud, url, 2, work)
        stage.run(until=60)
        stage.call("free", stage.sqs, url, in_hand, until=120)
        stage.find_sent_again()
        stage.run(stage.cloud.now + _SOON, lambda: not stage.held(url))


def _taken_by_a_crashed_consumer(stage: Stage, url: str) -> list[dict[str, Any]]:
    """Consumer-9 takes two orders of a customer for twelve hours, and crashes."""
    found: list[dict[str, Any]] = []

    def receive() -> None:
        ask = {"MaxNumberOfMessages": 2, "VisibilityTimeout": 43_200}
        found.extend(stage.cloud.direct("sqs").receive_message(QueueUrl=url, **ask)["Messages"])

    stage.cloud.spawn(receive, name="consumer-9")
    stage.run(until=1.0)
    stage.trace.add("Crashed", actor="consumer-9")
    return found


EXERCISES = (Consumer(), Stuck())
