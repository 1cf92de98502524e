"""The transitions of SNS: what they mean, and their words."""

from __future__ import annotations

from lablib.aws.event import PASSING, RETRYING, Event
from lablib.aws.groups import EVENTS as GROUP_EVENTS
from lablib.kernel import Row, Trace


def _delivered(row: Row, trace: Trace) -> str:
    tries = row.detail["attempt"]
    again = f" at attempt {tries}" if tries > 1 else ""
    name = f", where it is message {row.detail['as']}" if "as" in row.detail else ""
    return f"delivered to {row.actor} ({row.detail['protocol']}){again}{name}"


def _failed(row: Row, trace: Trace) -> str:
    what = f"attempt {row.detail['attempt']} to deliver it to {row.actor} failed: {row.detail['reason']}"
    return f"{what}; the next one is at {row.until:.1f} s" if row.until else f"{what}; SNS tries no more"


EVENTS = (
    *GROUP_EVENTS,
    Event("TopicCreated", "topic {resource} created by {actor}"),
    Event("TopicDeleted", "topic {resource} deleted by {actor}, with all its subscriptions"),
    Event("Subscribed", "{detail} subscribed to {resource} by {actor}"),
    Event("ConfirmationSent", "{detail} was asked to confirm its subscription to {resource}"),
    Event("SubscriptionConfirmed", "the subscription of {detail} to {resource} was confirmed"),
    Event("Unsubscribed", "{detail} unsubscribed from {resource} by {actor}"),
    Event(
        "Published",
        "published to {resource} by {actor}, {detail} bytes",
        "{actor} published {message}",
        state=PASSING,
        ends="passed on",
        counts="published",
    ),
    Event(
        "FilteredOut",
        "not for {actor}: the filter policy of that subscription keeps it out ({detail})",
        "a filter policy keeps {message} out",
        state=PASSING,
        ends="filtered out",
        origin="resource",
        joins=True,
        label="filtered",
        notable="A filter policy keeps a message out: {actor} does not get it.",
        series="actor",
    ),
    Event("DeliveryStarted", state=PASSING, origin="resource", joins=True),
    Event("Delivered", _delivered, "{message} was delivered", ends="delivered", attempt=True),
    Event(
        "DeliveryFailed",
        _failed,
        "an attempt to deliver {message} failed",
        state=RETRYING,
        label="delivery failed",
        notable="A delivery to {actor} fails: {detail[reason]}.",
        series="actor",
        attempt=False,
    ),
    Event(
        "DeliveryDropped",
        "lost for {actor}: {detail}",
        "{message} is lost: the topic tries no more",
        ends="dropped",
        lost=True,
        label="dropped",
        notable="A message is lost for {actor}: {detail}.",
        series="actor",
    ),
    Event(
        "SentToDeadLetterQueue",
        "what {actor} did not take is in the dead-letter queue {detail}",
        "{message} goes to the dead-letter queue of its subscription",
        ends="dead letter",
        label="dead letter",
        notable="A message that {actor} did not take moves to the dead-letter queue {detail}.",
        series="actor",
    ),
)
