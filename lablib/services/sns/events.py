"""The transitions of SNS in words: one short clause for each."""

from __future__ import annotations

from lablib.kernel import Row, Trace
from lablib.kernel.trace import Phrase
from lablib.services.sqs.events import PHRASES as SQS_PHRASES


def _filtered_out(row: Row, trace: Trace) -> str:
    return f"not for {row.actor}: the filter policy of that subscription keeps it out ({row.detail})"


def _delivered(row: Row, trace: Trace) -> str:
    tries = row.detail["attempt"]
    again = f" at attempt {tries}" if tries > 1 else ""
    name = f", where it is message {row.detail['as']}" if "as" in row.detail else ""
    return f"delivered to {row.actor} ({row.detail['protocol']}){again}{name}"


def _failed(row: Row, trace: Trace) -> str:
    what = f"attempt {row.detail['attempt']} to deliver it to {row.actor} failed: {row.detail['reason']}"
    return f"{what}; the next one is at {row.until:.1f} s" if row.until else f"{what}; SNS tries no more"


PHRASES: dict[str, Phrase] = {
    kind: SQS_PHRASES[kind] for kind in ("JoinedGroup", "Deduplicated", "Throttled", "MovedToDeadLetterQueue")
} | {
    "TopicCreated": lambda row, trace: f"topic {row.resource} created by {row.actor}",
    "TopicDeleted": lambda row, trace: f"topic {row.resource} deleted by {row.actor}, with all its subscriptions",
    "Subscribed": lambda row, trace: f"{row.detail} subscribed to {row.resource} by {row.actor}",
    "ConfirmationSent": lambda row, trace: f"{row.detail} was asked to confirm its subscription to {row.resource}",
    "SubscriptionConfirmed": lambda row, trace: f"the subscription of {row.detail} to {row.resource} was confirmed",
    "Unsubscribed": lambda row, trace: f"{row.detail} unsubscribed from {row.resource} by {row.actor}",
    "Published": lambda row, trace: f"published to {row.resource} by {row.actor}, {row.detail} bytes",
    "FilteredOut": _filtered_out,
    "Delivered": _delivered,
    "DeliveryFailed": _failed,
    "DeliveryDropped": lambda row, trace: f"lost for {row.actor}: {row.detail}",
}
