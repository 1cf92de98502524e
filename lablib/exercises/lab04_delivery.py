"""The exercises of lab 04 about what must arrive in spite of everything: a partner who is down for hours, and answers
that get lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial, wraps
from itertools import pairwise
from typing import Any

from lablib.aws.event import Event
from lablib.aws.service import Handler, Request
from lablib.exercises.base import Exercise
from lablib.exercises.case import crashes, flag, knobs, number, one_of, scaled, some
from lablib.exercises.faults import why_gone
from lablib.exercises.partners import Partner, in_hand
from lablib.exercises.stage import GIVES_UP, Problem, Stage
from lablib.exercises.story import once
from lablib.exercises.wiring import copies, missing, nobody_else_sends, queues_made, text_of, topic_made
from lablib.kernel import Row

# ---- 04.flaky --------------------------------------------------------------------------------------------------------

_URL = "https://partner.example/orders"
_LENGTHS = (0, 60, 600, 4200)  # seconds for which the partner is down
_WORDS = ("", *(f"the partner answers 500 for {time}" for time in ("1 minute", "10 minutes", "70 minutes")))
_DOWN = 50.0  # seconds until it is
_FIRST = 60.0  # seconds until the first order
_LATER = 1200.0  # seconds after the partner is back
_POSTS = 1_500  # refused posts that the partner puts up with
_AGAIN = 3  # times that the partner may get an order


_POSTS_SEEN = (
    Event("Posted", "{actor} posts it to the partner, which takes it"),
    Event("PostRefused", "{actor} posts it to the partner, which answers {detail}"),
)


class PartnerDown(Exception):
    """The partner's web server answered with an error."""


class WebPartner(Partner):
    """The partner's web server: it confirms that it wants messages, takes orders, and is down for some time.

    Call it with the text of an order to post that. Raises PartnerDown.
    """

    def __init__(self, stage: Stage, crash: int, down: float) -> None:
        super().__init__(stage, crash)
        stage.trace.declare(_POSTS_SEEN)
        self._inbox = stage.cloud.service("sns").inbox(_URL)
        self._inbox.fail(500, down, _DOWN)
        self.back = _DOWN + down
        self.called: set[str] = set()  # the orders with which post was called, whatever came of it
        self._read = 0
        self._look()

    def __call__(self, body: str = "", *more: Any, **named: Any) -> None:
        stage = self.stage
        if more or named:
            stage.fail('post(body) takes the body only, and your function gave it more. Write post(message["Body"]).')
        if not isinstance(body, str) or body not in stage.sent:
            stage.fail(self._wrong(body))
        self.called.add(body)
        status, _ = self.perform(0.2, lambda: self._post(body))
        if status != 200:
            raise PartnerDown(f"the partner answered {status}")

    def _wrong(self, body: Any) -> str:
        if isinstance(body, str) and text_of(body) in self.stage.sent:
            return (
                f"post was called with the envelope of SNS, {body[:20]!r}..., and the partner wants the order itself. "
                "Subscribe with RawMessageDelivery, or take it out: json.loads(body)['Message']."
            )
        what = "the whole message" if isinstance(body, dict) else f"{body!r:.60}"
        return f"post was called with {what}. Call it with the text of one order, as it was published."

    def _post(self, order: str) -> tuple[int, str]:
        stage, (message,) = self.stage, self.stage.sent[order]
        answer = self._inbox.receive({}, order)
        received = in_hand(stage, [id for ids in copies(stage).get(message, {}).values() for id in ids])
        kind = "Posted" if answer[0] == 200 else "PostRefused"
        self.note(kind, _URL, message, received.index if received else -1, answer[0])
        refused = len(self._inbox.refused)
        if refused > _POSTS:
            every = (stage.cloud.now - _DOWN) / refused
            stage.fail(
                f"Your function posted {refused:,} times to a partner that was down, once every {every:.1f} s. That "
                "does not help it. Leave the message in a queue: it comes back when its visibility timeout ends."
            )
        return answer

    def _look(self) -> None:
        """Confirm what asks for it; look again in a few seconds."""
        for arrival in self._inbox.received[self._read :]:
            if arrival.headers.get("x-amz-sns-message-type") == "SubscriptionConfirmation":
                asked = json.loads(arrival.body)
                call = Request("partner", -1, self.stage.cloud.chance.stream("partner"))
                sns = self.stage.cloud.service("sns")
                sns.confirm_subscription(call, topic_arn=asked["TopicArn"], token=asked["Token"])
        self._read = len(self._inbox.received)
        self.stage.cloud.kernel.after(5.0, self._look)

    def taken(self, order: str) -> list[float]:
        """When it took this order."""
        return [arrival.time for arrival in self._inbox.received if text_of(arrival.body) == order]


def never_arrived(stage: Stage) -> Iterator[Problem]:
    """Every order reached the partner. `stage.given` is the partner."""
    for order in stage.sent:
        if not stage.given.taken(order):
            yield _never_arrived(stage, order, stage.given)


def arrived_often(stage: Stage) -> Iterator[Problem]:
    """No order reached it again and again."""
    for order, (message,) in stage.sent.items():
        taken = stage.given.taken(order)
        if len(taken) > _AGAIN:
            yield Problem(
                f"The partner got {order} {once(len(taken))}, the last time at {taken[-1]:.0f} s. When post has "
                "returned, the order is there: delete its message then.",
                [message, *(id for ids in copies(stage)[message].values() for id in ids)],
            )


def _never_arrived(stage: Stage, order: str, partner: WebPartner) -> Problem:
    """Why an order did not reach the partner: where it is now, or who let it go."""
    (message,) = stage.sent[order]
    places = copies(stage).get(message, {})
    about = [message, *(id for ids in places.values() for id in ids)]
    what = f"{order} never reached the partner"
    back = f"The partner was down until {partner.back:.0f} s." if partner.back > _DOWN else ""
    if places:
        queue, (copy, *_) = next(iter(places.items()))
        told = (_fate(stage, queue, copy), _not_carried(stage, partner, order, copy), back)
        return Problem(f"{what}: {' '.join(filter(None, told))}", about)
    deliveries = tuple(stage.trace.children(message))
    rows = stage.trace.where(("DeliveryFailed", "DeliveryDropped", "FilteredOut"), subject=deliveries)
    if not rows:
        (published,) = stage.trace.where("Published", subject=message)
        return Problem(
            f"{what}: nobody was subscribed to the topic when it was published, at {published.time:.0f} s. SNS keeps "
            "nothing for later.",
            about,
        )
    failed = [row for row in rows if row.kind != "DeliveryDropped"][-1]
    dropped = next((row for row in rows if row.kind == "DeliveryDropped"), None)
    if failed.kind == "FilteredOut" or failed.detail["protocol"] == "sqs":
        return missing(stage, order, message, failed.actor)
    tries = f"SNS tried {once(failed.detail['attempt'])} to deliver it to {failed.actor}, the last time at"
    why = f": {dropped.detail}" if dropped else ""
    return Problem(f"{what}: {tries} {failed.time:.0f} s, and then dropped it{why}. {back}", about)


def _not_carried(stage: Stage, partner: WebPartner, order: str, copy: str) -> str:
    """What a function left undone that did not bring this order to the partner, as a sentence; it may be empty."""
    if "forwarder" in stage.returned:
        return f"Your function returned at {stage.returned['forwarder']:.2f} s; it must go on: receive, post, delete."
    if order not in partner.called and stage.trace.where("Received", subject=copy):
        return f"post was never called with {order}. Does an `except` hide a mistake of your own?"
    return ""


def _fate(stage: Stage, queue: str, copy: str) -> str:
    """What became of an order's message that SNS had put into a queue."""
    story = stage.story(queue, copy)
    received = story.received
    times = f"received {once(len(received))}" if received else "never received: nobody carries it to the partner"
    here = story.left_in.get(copy)
    if story.moved and here:
        return f"it was {times}, and then SQS moved it to the dead-letter queue {here!r}. Nobody looks there."
    if here and any(row.detail == here for row in stage.trace.where("SentToDeadLetterQueue", resource="orders")):
        return f"SNS gave up on the partner, and it lies in the dead-letter queue {here!r}. It was {times}."
    if here:
        return f"it is still in queue {here!r} after {stage.cloud.now:.0f} s. It was {times}."
    return f"{'' if story.deleted else f'it was {times}, and '}{why_gone(story, 'the partner had it')}."


class Flaky(Exercise):
    """Every order reaches a partner whose web server is down for an hour."""

    id = "04.flaky"
    signature = "deliver(sns, sqs, topic_arn, url, post)"
    knobs = knobs(orders=number("order", 1, 4), down=one_of(_WORDS), crash=crashes("call of post", 3), seeds=10)
    harmless = {"orders": 2}
    also = ({"orders": 4, "down": 3},)
    examples = 30
    events = 20_000
    faults = (never_arrived, arrived_often)
    advice = {
        "PartnerDown": "post raises this while the partner is down. Catch it around this message, and leave the "
        "message in the queue: it comes back when its visibility timeout ends."
    }

    def play(self, stage: Stage, case: Any) -> None:
        sns = stage.cloud.client("sns")
        topic = sns.create_topic(Name="orders")["TopicArn"]
        partner = stage.given = WebPartner(stage, case.crash, _LENGTHS[case.down])
        stage.keep_running("forwarder", sns, stage.sqs, topic, _URL, partner, may_end=True)
        names = [f"order-{n + 1}" for n in range(case.orders)]
        for n, name in enumerate(names):
            stage.cloud.kernel.at(_FIRST + 30 * n, stage.publish, topic, name, name)
        stage.run(partner.back + _LATER, lambda: all(map(partner.taken, names)), every=10.0)
        stage.run(stage.cloud.now + 150, every=10.0)


# ---- 04.ordered ------------------------------------------------------------------------------------------------------

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
        stage.trace.phrases["Deduplicated"] = lambda row, trace: self._repeated(row) or again.describe(row, trace)

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

    def _repeated(self, row: Row) -> str:
        """In words, that one event was taken for a repetition of another; empty when it was one."""
        event = next((event for other, event in self.rows("Deduplicated") if other.index == row.index), "")
        first = self.event(row.subject)
        if event == first:
            return ""
        return f"{row.actor} published {event} too with the deduplication id {row.detail!r:.50}: accepted, not stored"


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
                f"In queue {queue!r} is a message {text!r:.60}. Publish each event as JSON: json.dumps(event)."
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
            yield Problem(f"{event} is in queue {queue!r} {once(len(mine))}. {_why_twice(mine)}", about)
        if not mine:
            yield _absent(stage, queue, event, publications)
    yield from _in_groups(stage, queue, {event: mine[0] for event, mine in found.items() if mine}, events)


def _why_twice(messages: list[Any]) -> str:
    one, two = messages[:2]
    texts = [text_of(message.body) for message in (one, two)]
    again = "It was published again, and SNS could not know that it was the same event:"
    if one.deduplication_id == hashlib.sha256(texts[0].encode()).hexdigest():
        return f"{again} the deduplication ids are made from the texts, and these were {texts[0]!r} and {texts[1]!r}."
    return f"{again} the deduplication ids were {one.deduplication_id!r:.50} and {two.deduplication_id!r:.50}."


def _absent(stage: Stage, queue: str, event: str, publications: Publications) -> Problem:
    """Why an event is not in a queue, from what came of the events that were published."""
    trace = stage.trace
    what = f"{event} is not in queue {queue!r}"
    published = trace.where("Published", "orders.fifo")
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
            f"{what}. SNS took it for a repetition: it had the deduplication id {dropped[0].detail!r:.60} of an "
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
                f"In queue {queue!r} the events of {other} and {customer} are in one group, {group!r:.40}: a slow "
                "event of one makes the other wait. Each customer is a group."
            )
    for customer in dict.fromkeys(owners.values()):
        mine = [places[event["id"]] for event in events if event["customer"] == customer]
        names = {place.id: event for event, place in places.items()}
        if len({message.group_id for message in mine}) > 1:
            groups = " and ".join(f"{message.group_id!r:.40}" for message in mine[:2])
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

    id = "04.ordered"
    signature = "publisher(sns, sqs, topic_name, queue_names, events)"
    knobs = knobs(
        events=number("event", 1, 12),
        queues=number("queue", 1, 3),
        again=flag("a minute later it is called with the next events"),
        crash=scaled("a crash before the answer to publish {:d} arrives", 8),
        lost=scaled("the answers to {:d} calls get lost", 3),
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


EXERCISES = (Flaky(), Ordered())
