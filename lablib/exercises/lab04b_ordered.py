"""The exercise of lab 04b about a fan-out in order: each event once in each queue, though answers get lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial, wraps
from itertools import pairwise
from typing import Any

from lablib.aws.event import Event
from lablib.aws.service import Handler, Request
from lablib.exercises import learner
from lablib.exercises.base import Exercise
from lablib.exercises.case import cut, flag, knobs, number, scaled, some
from lablib.exercises.stage import GIVES_UP, Problem, Stage
from lablib.exercises.story import once
from lablib.exercises.wiring import copies, missing, nobody_else_sends, queues_made, text_of, topic_made
from lablib.kernel import Row, Trace

_PEOPLE = ("ann", "bob", "eve")
_EVENTS = ("placed", "paid", "packed", "shipped")
_QUEUES = ("stock.fifo", "email.fifo", "analytics.fifo")
_TOPIC = "orders.fifo"
_BATCH = (
    " When an entry of a batch fails, what stands after it is stored already: put no two events of a customer into one "
    "batch, or publish them one by one."
)


class Publications:
    """Which event each publication was about, also those that SNS took for repetitions and did not store."""

    def __init__(self, stage: Stage) -> None:
        self._trace = stage.trace
        self._texts: dict[int, list[str]] = {}  # by the row of the call
        sns = stage.cloud.service("sns")
        for name in ("publish", "publish_batch"):
            sns.operations[name] = self._noting(sns.operation(name))
        again = stage.trace.events["Deduplicated"]
        stage.trace.declare([replace(again, words=partial(self._in_words, again))])

    def _noting(self, handler: Handler) -> Handler:
        @wraps(handler)
        def noted(call: Request, **params: Any) -> Any:
            entries = params.get("publish_batch_request_entries") or [{"Message": params.get("message", ""), "Id": ""}]
            answer = handler(call, **params)
            failed = {entry["Id"] for entry in answer.get("Failed", ())}
            self._texts[call.row] = [entry["Message"] for entry in entries if entry["Id"] not in failed]
            return answer

        return noted

    def rows(self, *kinds: str) -> list[tuple[Row, str]]:
        """The rows of these kinds ("Published", "Deduplicated") of the topic, each with the id of its event."""
        left = {call: list(texts) for call, texts in self._texts.items()}
        taken = self._trace.where(("Published", "Deduplicated"), _TOPIC)
        known = [(row, event_id(left[row.cause].pop(0))) for row in taken if left.get(row.cause)]
        return [(row, event) for row, event in known if row.kind in kinds]

    def event(self, message: str) -> str:
        """The id of the event that was published under this MessageId; empty when there is none."""
        return next((event for row, event in self.rows("Published") if row.subject == message), "")

    def _in_words(self, again: Event, row: Row, trace: Trace) -> str:
        return self._repeated(row) or again.describe(row, trace)

    def _repeated(self, row: Row) -> str:
        """In words, that one event was taken for a repetition of another; empty when it was one."""
        event = next((event for other, event in self.rows("Deduplicated") if other.index == row.index), "")
        first = self.event(row.subject)
        if event == first:
            return ""
        return (
            f"{row.actor} published {event} too with the deduplication id {cut(row.detail, 50)}: accepted, not stored"
        )


def event_id(text: str) -> str:
    """The id of the event in a text; empty when there is none."""
    try:
        return str(json.loads(text)["id"])
    except (ValueError, TypeError, KeyError):
        return ""


def every_event(stage: Stage) -> Iterator[Problem]:
    """Each event is in each queue, once, in the group of its customer, and in order. `stage.given`: the topic's ARN,
    the queues, the events, and the publications.
    """
    for queue in stage.given[1]:
        yield from _every_event(stage, queue, *stage.given[2:])


def _every_event(
    stage: Stage, queue: str, events: list[dict[str, str]], publications: Publications
) -> Iterator[Problem]:
    stage.labels |= {row.subject: event for row, event in publications.rows("Published")}
    origins = {id: origin for origin, places in copies(stage).items() for id in places.get(queue, [])}
    found: dict[str, list[Any]] = {event["id"]: [] for event in events}
    for message in stage.cloud.service("sqs").queue(queue).messages.values():  # in the order in which it took them
        text = text_of(message.body)
        event = event_id(text)
        if event not in found:
            yield Problem(
                f"In queue {queue!r} is a message {cut(text)}. Publish each event as JSON: json.dumps(event)."
            )
            return
        found[event].append(message)
        if message.id not in origins:
            yield Problem(
                f"{event} was sent straight into queue {queue!r}. Whoever sends to each queue must know them all, and "
                "can crash between two of them. Publish each event to the topic, once.",
                [message.id],
            )
        stage.labels[message.id] = f"{event} in {queue}"
    for event, mine in found.items():
        if len(mine) > 1:
            about = [id for message in mine for id in (origins[message.id], message.id)]
            yield Problem(f"{event} is in queue {queue!r} {once(len(mine))}. {_why_twice(mine, stage.function)}", about)
        if not mine:
            yield _absent(stage, queue, event, publications)
    yield from _in_groups(stage, queue, {event: mine[0] for event, mine in found.items() if mine}, events)


def _why_twice(messages: list[Any], function: Any) -> str:
    one, two = messages[:2]
    texts = [text_of(message.body) for message in (one, two)]
    again = "It was published again, and SNS could not know that it was the same event:"
    if one.deduplication_id == hashlib.sha256(texts[0].encode()).hexdigest():
        return f"{again} the deduplication ids are made from the texts, and these were {texts[0]!r} and {texts[1]!r}."
    ids = f"the deduplication ids were {cut(one.deduplication_id, 50)} and {cut(two.deduplication_id, 50)}."
    salted = " hash() of a text is another number in each process: an event's own id is always the same."
    return f"{again} {ids}{salted * learner.uses(function, 'hash')}"


def _absent(stage: Stage, queue: str, event: str, publications: Publications) -> Problem:
    """Why an event is not in a queue, from what came of the events that were published."""
    trace = stage.trace
    what = f"{event} is not in queue {queue!r}"
    published = trace.where("Published", "orders.fifo")
    if refusal := stage.refusal("Publish", "PublishBatch"):
        return Problem(f"{what}. {refusal}")
    if not published:
        return Problem(f"{what}: nothing was published.")
    subscribed = [row for row in trace.where("Subscribed", "orders.fifo") if row.detail == queue]
    mine = [row.subject for row, about in publications.rows("Published") if about == event]
    kept = [row.subject for row in trace.where(("DeliveryFailed", "FilteredOut"), actor=queue)]
    refused = [m for m in mine if any(trace.parent(delivery) == m for delivery in kept)]
    if refused or not subscribed:
        return missing(stage, event, (refused or mine or [published[0].subject])[0], queue)
    if published[0].index < subscribed[0].index:
        return Problem(
            f"{what}: the first event was published at {published[0].time:.2f} s, but the queue was subscribed at "
            f"{subscribed[0].time:.2f} s. SNS keeps nothing for those who come later: subscribe all queues first.",
            calls=(published[0], subscribed[0]),
        )
    dropped = [row for row, about in publications.rows("Deduplicated") if about == event]
    if dropped and not mine:
        earlier = [row for row in published if row.subject == dropped[0].subject]
        return Problem(
            f"{what}. SNS took it for a repetition: it had the deduplication id {cut(dropped[0].detail)} of an "
            "earlier one. Two events need two ids.",
            calls=[*earlier, dropped[0]],
        )
    if stage.case.failing and any(isinstance(row.detail, int) for row in stage.api_calls("PublishBatch")):
        return Problem(f"{what}: its entry of a batch failed. The answer lists it under Failed: publish it again.")
    deleted = trace.where("Deleted", queue)
    if deleted:
        return Problem(
            f"{what}: {deleted[0].actor} deleted messages there. That is for those who handle the events.",
            calls=deleted[:1],
        )
    return Problem(f"{what}: it was never published.")


def _in_groups(stage: Stage, queue: str, places: dict[str, Any], events: list[dict[str, str]]) -> Iterator[Problem]:
    owners: dict[str, str] = {}  # who has each group
    for event in events:
        customer, group = event["customer"], places[event["id"]].group_id
        other = owners.setdefault(group, customer)
        if other != customer:
            yield Problem(
                f"In queue {queue!r} the events of {other} and {customer} are in one group, {cut(group, 40)}: a slow "
                "event of one makes the other wait. Each customer is a group."
            )
    for customer in dict.fromkeys(owners.values()):
        mine = [places[event["id"]] for event in events if event["customer"] == customer]
        names = {place.id: event for event, place in places.items()}
        if len({message.group_id for message in mine}) > 1:
            groups = " and ".join(f"{cut(message.group_id, 40)}" for message in mine[:2])
            yield Problem(
                f"In queue {queue!r} the events of {customer} are in several groups, {groups}: a later one can be "
                "handled before an earlier one. Each customer is a group."
            )
        for one, two in pairwise(mine):
            if one.sequence > two.sequence:
                yield Problem(
                    f"In queue {queue!r}, {names[two.id]} of {customer} stands before {names[one.id]}. Publish the "
                    f"events in the order of the list.{_BATCH * bool(stage.case.failing)}",
                    [one.id, two.id],
                )


class Ordered(Exercise):
    """One topic, several queues, each customer's events in order, and none twice."""

    id = "04b.ordered"
    signature = "publisher(sns, sqs, topic_name, queue_names, events)"
    knobs = knobs(
        events=number("event", 1, 12),
        queues=number("queue", 1, 3),
        again=flag("a minute later it is called with the next events"),
        crash=scaled("a crash before the answer to publish {:d} arrives", 8),
        lost=some("call{s} whose answer gets lost", 3),
        refused=flag("SNS refuses one publication for good"),
        failing=some("call{s} with failing entries", 2),
        seeds=10,
    )
    harmless = {"events": 6, "queues": 2}
    also = ({"events": 3, "again": 1}, {"events": 12}, {"events": 9, "failing": 2}, {"events": 3, "refused": 1})
    faults = (every_event, nobody_else_sends)
    advice = {  # what AWS says of a name that ends in .fifo, when the attribute is missing
        "Topic Name": "A FIFO topic says so: create_topic(Name=topic_name, Attributes={'FifoTopic': 'true'}).",
        "alphanumeric": "A FIFO queue says so: create_queue(QueueName=name, Attributes={'FifoQueue': 'true'}).",
    }

    def play(self, stage: Stage, case: Any) -> None:
        names, sns = _QUEUES[: case.queues], stage.cloud.client("sns")
        events = [
            {"id": f"event-{n + 1}", "customer": _PEOPLE[n % 3], "text": _EVENTS[n // 3 % 4]}
            for n in range(case.events * (1 + case.again))
        ]
        calls = ("Publish", "PublishBatch")
        stage.fault("throttle", calls, case.refused * GIVES_UP)
        stage.fault("lost_answer", calls, case.lost, caller="publisher")
        stage.fault("partial", calls, case.failing, share=0.4, caller="publisher")
        publications = Publications(stage)
        taken = partial(stage.trace.where, ("Published", "Deduplicated"), _TOPIC)
        crash = (lambda: len(taken()) >= case.crash) if case.crash else None
        for start in range(0, len(events), case.events):
            mine = [dict(event) for event in events[start : start + case.events]]
            until = stage.cloud.now + 600
            stage.call("publisher", sns, stage.sqs, _TOPIC, list(names), mine, until=until, crash=crash)
            stage.run(stage.cloud.now + 60)
            crash = None
        stage.given = topic_made(stage, _TOPIC), queues_made(stage, names), events, publications


EXERCISES = (Ordered(),)
