"""The exercise of lab 04 about what must arrive in spite of everything: a partner who is down for hours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lablib.aws.event import Event
from lablib.aws.service import Request
from lablib.exercises.base import Exercise
from lablib.exercises.case import crashes, cut, knobs, number, one_of
from lablib.exercises.faults import why_gone
from lablib.exercises.partners import Partner, in_hand
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.story import Story, once
from lablib.exercises.wiring import copies, missing, text_of

# ---- 04.flaky --------------------------------------------------------------------------------------------------------

_URL = "https://partner.example/orders"
_LENGTHS = (0, 60, 600, 4200)  # seconds for which the partner is down
_WORDS = ("", *(f"the partner answers 500 for {time}" for time in ("1 minute", "10 minutes", "70 minutes")))
_DOWN = 50.0  # seconds until it is
_FIRST = 60.0  # seconds until the first order
_LATER = 1200.0  # seconds after the partner is back
_HIDDEN = 7200.0  # seconds for which a function may hide an order, and have it tried again
_LONG = 3600.0  # seconds: who hides an order for longer is told so
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
        what = "the whole message" if isinstance(body, dict) else f"{cut(body)}"
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
            shown = [row for row in stage.trace.where("VisibilityChanged") if row.until <= row.time]
            cure = "Leave the message in a queue: it comes back when its visibility timeout ends."
            if len(shown) > refused / 2:
                cure = "It made the message visible again at once, with VisibilityTimeout=0: hide it for a minute."
            stage.fail(
                f"Your function posted {refused:,} times to a partner that was down, once every {every:.1f} s. That "
                f"does not help it. {cure}"
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


def published_again(stage: Stage) -> Iterator[Problem]:
    """The learner's program publishes nothing: the topic has other subscribers."""
    for row in stage.api_calls("Publish", "PublishBatch")[:1]:
        yield Problem(
            f"{row.actor} published to the topic at {row.time:.2f} s: all its subscribers get that, the others of the "
            "shop too. Leave what failed in a queue: it comes back when its visibility timeout ends."
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
        since = _left_behind(stage, here) or _hidden(stage, story)
        return f"it is still in queue {here!r} after {stage.cloud.now:.0f} s. It was {times}.{since}"
    return f"{'' if story.deleted else f'it was {times}, and '}{why_gone(story, 'the partner had it')}."


def _hidden(stage: Stage, story: Story) -> str:
    """For how long nobody can receive an order that is still in a queue, as a sentence; it may be empty."""
    given = sorted([*story.received, *story.hidden])[-1:]
    if not given or given[0].until < max(stage.cloud.now, given[0].time + _LONG):
        return ""
    return (
        f" {given[0].actor} has hidden it until {given[0].until:.0f} s: nobody can receive it before, also after a "
        "crash. Hide it for minutes, not for hours."
    )


def _left_behind(stage: Stage, queue: str) -> str:
    """What a new start did with the queue of the one before, as a sentence; empty when it went on with it."""
    crash = stage.trace.where("Crashed")[-1:]
    asked = [row.resource for row in stage.api_calls("ReceiveMessage") if crash and row.index > crash[0].index]
    if not asked or queue in asked:
        return ""
    return (
        f" After the crash at {crash[0].time:.0f} s your function received from queue {asked[-1]!r}, and from this one "
        "no more. Give the queue a name that is the same at each start."
    )


class Flaky(Exercise):
    """Every order reaches a partner whose web server is down for an hour."""

    id = "04.flaky"
    signature = "deliver(sns, sqs, topic_arn, url, post)"
    knobs = knobs(orders=number("order", 1, 4), down=one_of(_WORDS), crash=crashes("call of post", 3), seeds=10)
    harmless = {"orders": 2}
    also = ({"orders": 4, "down": 3},)
    examples = 30
    events = 20_000
    faults = (published_again, never_arrived, arrived_often)
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

        def there() -> bool:
            return all(map(partner.taken, names))

        if not stage.run(partner.back + _LATER, there, every=10.0):  # whoever hides orders for long tries them later
            stage.run(stage.cloud.now + 2 * min(stage.longest_hidden(), _HIDDEN), there, every=10.0)
        stage.run(stage.cloud.now + 150, every=10.0)


EXERCISES = (Flaky(),)
