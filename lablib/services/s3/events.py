"""The transitions of S3: what they mean, and their words."""

from __future__ import annotations

from lablib.aws.event import PASSING, Event
from lablib.kernel import Row, Trace


def _delivered(row: Row, trace: Trace) -> str:
    where = f", where it is message {row.detail['as']}" if "as" in row.detail else ""
    return f"event {row.detail['event']} delivered to {row.actor}{where}"


EVENTS = (
    Event("BucketCreated", "bucket {resource} created by {actor}"),
    Event("BucketDeleted", "bucket {resource} deleted by {actor}"),
    Event(
        "ObjectCreated",
        "object {subject} written to bucket {resource} by {actor}, {detail} bytes",
        "{actor} stored an object, {message}",
        state=PASSING,
        ends="passed on",
    ),
    Event("ObjectRemoved", "object {subject} deleted from bucket {resource} by {actor}"),
    Event("EventStarted", state=PASSING, origin="resource", joins=True),
    Event("EventDelivered", _delivered, "the bucket has told of {message}", ends="delivered"),
    Event(
        "EventDropped",
        "event lost: {actor} refused it ({detail})",
        "the event of {message} is lost",
        ends="dropped",
        lost=True,
        label="dropped",
        notable="An event of {resource} is lost: {actor} did not take it.",
    ),
)
