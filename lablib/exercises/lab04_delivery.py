"""The exercises of lab 04 about what must arrive in spite of everything: a partner who is down for hours, and answers
that get lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, wraps
from itertools import pairwise
from typing import Any

from lablib.aws.service import Handler, Request
from lablib.exercises.base import Exercise
from lablib.exercises.case import Case, counted, crash, dial, seeds
from lablib.exercises.fanout import copies, judge_door, missing, text_of, the_queues, the_topic
from lablib.exercises.invariants import deleted_early, once
from lablib.exercises.ledger import Accident, in_hand
from lablib.exercises.stage import Problem, Stage
from lablib.gateway import Fault
from lablib.kernel import Row

Function = Callable[..., Any]


# ---- 04.flaky --------------------------------------------------------------------------------------------------------

_URL = "https://partner.example/orders"
_LENGTHS = (0, 60, 600, 4200)  # seconds for which the partner is down
_WORDS = ("", "1 minute", "10 minutes", "70 minutes")
_DOWN = 50.0  # seconds until it is
_FIRST = 60.0  # seconds until the first order
_LATER = 1200.0  # seconds after the partner is back
_POSTS = 1_500  # refused posts that the partner puts up with
_AGAIN = 3  # times that the partner may get an order

_CATCH = (
    "post raises this while the partner is down. Catch it around this message, and leave the message in the queue: it "
    "comes back when its visibility timeout ends."
)
_PHRASES = {
    "Posted": lambda row, trace: f"{row.actor} posts it to the partner, which takes it",
    "PostRefused": lambda row, trace: f"{row.actor} posts it to the partner, which answers {row.detail}",
}


class PartnerDown(Exception):
    """The partner's web server answered with an error."""


class Partner:
    """The partner's web server: it confirms that it wants messages, takes orders, and is down for some time.

    Call it with the text of an order to post that. Raises PartnerDown.
    """

    def __init__(self, stage: Stage, accident: Accident, down: float) -> None:
        stage.trace.phrases.update(_PHRASES)
        self._stage = stage
        self._accident = accident
        self._inbox = stage.cloud.service("sns").inbox(_URL)
        self._inbox.fail(500, down, _DOWN)
        self.back = _DOWN + down
        self.called: set[str] = set()  # the orders with which post was called, whatever came of it
        self._read = 0
        self._look()

    def __call__(self, body: str = "", *more: Any, **named: Any) -> None:
        stage = self._stage
        if more or named:
            stage.fail('post(body) takes the body only, and your function gave it more. Write post(message["Body"]).')
        order = text_of(body) if isinstance(body, str) else ""
        if order not in stage.sent:
            what = "the whole message" if isinstance(body, dict) else f"{body!r:.60}"
            stage.fail(f'post was called with {what}. Call it with the text of one message: post(message["Body"])')
        (message,) = stage.sent[order]
        self.called.add(order)
        step = self._accident.begin()
        stage.cloud.kernel.sleep(0.2)
        self._accident.strike(step, after=False)
        status, _ = self._inbox.receive({}, body)
        caller = stage.caller
        cause = in_hand(stage.trace, caller, [id for ids in copies(stage).get(message, {}).values() for id in ids])
        stage.trace.add("Posted" if status == 200 else "PostRefused", _URL, message, caller, cause, status)
        refused = len(self._inbox.refused)
        if refused > _POSTS:
            every = (stage.cloud.now - _DOWN) / refused
            stage.fail(
                f"Your function posted {refused:,} times to a partner that was down, once every {every:.1f} s. That "
                "does not help it. Leave the message in a queue: it comes back when its visibility timeout ends."
            )
        self._accident.strike(step, after=True)
        if status != 200:
            raise PartnerDown(f"the partner answered {status}")

    def _look(self) -> None:
        """Confirm what asks for it; look again in a few seconds."""
        for arrival in self._inbox.received[self._read :]:
            if arrival.headers.get("x-amz-sns-message-type") == "SubscriptionConfirmation":
                asked = json.loads(arrival.body)
                call = Request("partner", -1, self._stage.cloud.chance.stream("partner"))
                sns = self._stage.cloud.service("sns")
                sns.confirm_subscription(call, topic_arn=asked["TopicArn"], token=asked["Token"])
        self._read = len(self._inbox.received)
        self._stage.cloud.kernel.after(5.0, self._look)

    def taken(self, order: str) -> list[float]:
        """When it took this order."""
        return [arrival.time for arrival in self._inbox.received if text_of(arrival.body) == order]


@dataclass(frozen=True, order=True)
class FlakyCase(Case):
    orders: int = dial(1, 4, "order")
    down: int = dial(0, 3, lambda n: f"the partner answers 500 for {_WORDS[n]}" if n else "")
    crash: int = crash("call of post", 3)
    seed: int = seeds(10)


class Flaky(Exercise):
    """Every order reaches a partner whose web server is down for an hour."""

    id = "04.flaky"
    signature = "deliver(sns, sqs, topic_arn, url, post)"
    covered = "1 to 4 orders, a partner that is down for up to 70 minutes, and crashes around each post"
    plain = FlakyCase(orders=2)
    examples = 30
    most_rows = 20_000

    def trial(self, stage: Stage, fn: Function, case: FlakyCase) -> None:
        sns = stage.cloud.client("sns")
        topic = sns.create_topic(Name="orders")["TopicArn"]
        partner = Partner(stage, Accident(stage, case.crash), _LENGTHS[case.down])
        stage.keep_running("forwarder", sns, stage.sqs, topic, _URL, partner, may_end=True)
        names = [f"order-{n + 1}" for n in range(case.orders)]
        for n, name in enumerate(names):
            stage.cloud.kernel.at(_FIRST + 30 * n, stage.publish, topic, name, name)
        with stage.advising({"PartnerDown": _CATCH}):
            stage.run(partner.back + _LATER, lambda: all(map(partner.taken, names)), every=10.0)
            stage.run(stage.cloud.now + 150, every=10.0)
        for name in names:
            taken = partner.taken(name)
            if not taken:
                raise _lost(stage, name, partner)
            if len(taken) > _AGAIN:
                raise Problem(
                    f"The partner got {name} {once(len(taken))}, the last time at {taken[-1]:.0f} s. When post has "
                    "returned, the order is there: delete its message then.",
                    [*stage.sent[name], *(id for ids in copies(stage)[stage.sent[name][0]].values() for id in ids)],
                )


def _lost(stage: Stage, order: str, partner: Partner) -> Problem:
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
    rows = stage.trace.where(("DeliveryFailed", "DeliveryDropped", "FilteredOut"), subject=message)
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


def _not_carried(stage: Stage, partner: Partner, order: str, copy: str) -> str:
    """What a function left undone that did not bring this order to the partner, as a sentence; it may be empty."""
    if "forwarder" in stage.returned:
        return f"Your function returned at {stage.returned['forwarder']:.2f} s; it must go on: receive, post, delete."
    if order not in partner.called and stage.trace.where("Received", subject=copy):
        return f"post was never called with {order}. Does an `except` hide a mistake of your own?"
    return ""


def _fate(stage: Stage, queue: str, copy: str) -> str:
    """What became of an order's message that SNS had put into a queue."""
    trace = stage.trace
    received = trace.where("Received", subject=copy)
    times = f"received {once(len(received))}" if received else "never received: nobody carries it to the partner"
    last = trace.where(("Deleted", "Expired", "MovedToDeadLetterQueue"), subject=copy)
    emptied = trace.where(("QueuePurged", "QueueDeleted"), resource=queue)
    buried = trace.where("MovedToDeadLetterQueue", resource="orders")
    if not last and emptied:
        return f"{emptied[-1].actor} emptied queue {queue!r} at {emptied[-1].time:.0f} s, and it was in there."
    if not last and any(row.detail == queue for row in buried):
        return f"SNS gave up on the partner, and it lies in the dead-letter queue {queue!r}. It was {times}."
    if not last:
        return f"it is still in queue {queue!r} after {stage.cloud.now:.0f} s. It was {times}."
    row = last[-1]
    if row.kind == "MovedToDeadLetterQueue":
        return f"it was {times}, and then SQS moved it to the dead-letter queue {row.detail!r}. Nobody looks there."
    if row.kind == "Expired":
        return f"it was {times}, and at {row.time:.0f} s it was older than the retention period of queue {queue!r}."
    return f"{deleted_early(trace, row, 'the partner had it')}."


# ---- 04.ordered ------------------------------------------------------------------------------------------------------

_PEOPLE = ("ann", "bob", "eve")
_EVENTS = ("placed", "paid", "packed")
_QUEUES = ("stock.fifo", "email.fifo", "analytics.fifo")
_ADVICE = {  # what AWS says of a name that ends in .fifo, when the attribute is missing
    "Topic Name": "A FIFO topic says so: create_topic(Name=topic_name, Attributes={'FifoTopic': 'true'}).",
    "alphanumeric": "A FIFO queue says so: create_queue(QueueName=name, Attributes={'FifoQueue': 'true'}).",
}


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
            entries = params.get("publish_batch_request_entries") or [{"Message": params.get("message", "")}]
            self._texts[call.row] = [entry["Message"] for entry in entries]
            return handler(call, **params)

        return noted

    def rows(self, *kinds: str) -> list[tuple[Row, str]]:
        """The rows of these kinds ("Published", "Deduplicated") of the topic, each with the id of its event."""
        left = {call: list(texts) for call, texts in self._texts.items()}
        taken = self._trace.where(("Published", "Deduplicated"), "orders.fifo")
        known = [(row, event_id(left[row.cause].pop(0))) for row in taken]
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


@dataclass(frozen=True, order=True)
class OrderedCase(Case):
    events: int = dial(1, 8, "event")
    queues: int = dial(1, 3, "queue")
    crash: int = dial(0, 8, lambda n: f"a crash before the answer to publish {n} arrives" if n else "")
    lost: int = dial(0, 3, lambda n: f"{counted(n, 'answer')} lost on the way back" if n else "")
    seed: int = seeds(10)


class Ordered(Exercise):
    """One topic, several queues, each customer's events in order, and none twice."""

    id = "04.ordered"
    signature = "publisher(sns, sqs, topic_name, queue_names, events)"
    covered = "1 to 8 events of 3 customers, 1 to 3 queues, a crash while publishing, and up to 3 lost answers"
    plain = OrderedCase(events=6, queues=2)

    def trial(self, stage: Stage, fn: Function, case: OrderedCase) -> None:
        names, sns = _QUEUES[: case.queues], stage.cloud.client("sns")
        events = [
            {"id": f"event-{n + 1}", "customer": _PEOPLE[n % 3], "text": _EVENTS[n // 3 % 4]}
            for n in range(case.events)
        ]
        if case.lost:
            calls = ("Publish", "PublishBatch")
            stage.cloud.faults.add(Fault("lost_answer", calls, "publisher", count=case.lost))
        given = [dict(event) for event in events]
        publications = Publications(stage)
        taken = partial(stage.trace.where, ("Published", "Deduplicated"), "orders.fifo")
        crash = (lambda: len(taken()) >= case.crash) if case.crash else None
        with stage.advising(_ADVICE):
            stage.call("publisher", sns, stage.sqs, "orders.fifo", list(names), given, until=600, crash=crash)
        stage.run(stage.cloud.now + 60)
        topic, queues = the_topic(stage, "orders.fifo"), the_queues(stage, names)
        for name, url in queues.items():
            _judge_events(stage, name, url, events, publications)
        for name, url in queues.items():
            judge_door(stage, name, url, topic)


def _judge_events(stage: Stage, queue: str, url: str, events: list[dict[str, str]], publications: Publications) -> None:
    """Each event is in this queue, once, in the group of its customer, and in order. Raises Problem."""
    stage.labels |= {row.subject: event for row, event in publications.rows("Published")}
    origins = {id: origin for origin, places in copies(stage).items() for id in places.get(queue, [])}
    found: dict[str, list[Any]] = {event["id"]: [] for event in events}
    for message in stage.cloud.service("sqs").queue(url).messages.values():  # in the order in which it took them
        event = _event_in(queue, message.body, found)
        found[event].append(message)
        if message.id not in origins:
            raise Problem(
                f"{event} was sent straight into queue {queue!r}. Whoever sends to each queue must know them all, and "
                "can crash between two of them. Publish each event to the topic, once.",
                [message.id],
            )
        stage.labels[message.id] = f"{event} in {queue}"
    for event, mine in found.items():
        if len(mine) > 1:
            about = [id for message in mine for id in (origins[message.id], message.id)]
            raise Problem(f"{event} is in queue {queue!r} {once(len(mine))}. {_why_twice(mine)}", about)
        if not mine:
            raise _absent(stage, queue, event, publications)
    _judge_groups(queue, {event: mine[0] for event, mine in found.items()}, events)


def _why_twice(messages: list[Any]) -> str:
    one, two = messages[:2]
    texts = [text_of(message.body) for message in (one, two)]
    again = "It was published again, and SNS could not know that it was the same event:"
    if one.deduplication_id == hashlib.sha256(texts[0].encode()).hexdigest():
        return f"{again} the deduplication ids are made from the texts, and these were {texts[0]!r} and {texts[1]!r}."
    return f"{again} the deduplication ids were {one.deduplication_id!r:.50} and {two.deduplication_id!r:.50}."


def _event_in(queue: str, body: str, known: Iterable[str]) -> str:
    """The id of the event in a message."""
    text = text_of(body)
    event = event_id(text)
    if event not in known:
        raise Problem(f"In queue {queue!r} is a message {text!r:.60}. Publish each event as JSON: json.dumps(event).")
    return event


def _absent(stage: Stage, queue: str, event: str, publications: Publications) -> Problem:
    """Why an event is not in a queue, from what came of the events that were published."""
    trace = stage.trace
    what = f"{event} is not in queue {queue!r}"
    published = trace.where("Published", "orders.fifo")
    if not published:
        return Problem(f"{what}: nothing was published.")
    subscribed = [row for row in trace.where("Subscribed", "orders.fifo") if row.detail == queue]
    mine = [row.subject for row, about in publications.rows("Published") if about == event]
    refused = [m for m in mine if trace.where(("DeliveryFailed", "FilteredOut"), subject=m, actor=queue)]
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
    deleted = trace.where("Deleted", queue)
    if deleted:
        return Problem(
            f"{what}: {deleted[0].actor} deleted messages there. That is for those who handle the events.",
            calls=deleted[:1],
        )
    return Problem(f"{what}: it was never published.")


def _judge_groups(queue: str, places: dict[str, Any], events: list[dict[str, str]]) -> None:
    owners: dict[str, str] = {}  # who has each group
    for event in events:
        customer, group = event["customer"], places[event["id"]].group_id
        other = owners.setdefault(group, customer)
        if other != customer:
            raise Problem(
                f"In queue {queue!r} the events of {other} and {customer} are in one group, {group!r:.40}: a slow "
                "event of one makes the other wait. Each customer is a group."
            )
    for customer in dict.fromkeys(owners.values()):
        mine = [places[event["id"]] for event in events if event["customer"] == customer]
        names = {place.id: event for event, place in places.items()}
        if len({message.group_id for message in mine}) > 1:
            groups = " and ".join(f"{message.group_id!r:.40}" for message in mine[:2])
            raise Problem(
                f"In queue {queue!r} the events of {customer} are in several groups, {groups}: a later one can be "
                "handled before an earlier one. Each customer is a group."
            )
        for one, two in pairwise(mine):
            if one.sequence > two.sequence:
                raise Problem(
                    f"In queue {queue!r}, {names[two.id]} of {customer} stands before {names[one.id]}. Publish the "
                    "events in the order of the list.",
                    [one.id, two.id],
                )


EXERCISES = (Flaky(), Ordered())
