"""The metrics of a topic in CloudWatch, as a fold over the trace (SNS developer guide, "Monitoring topics")."""

from __future__ import annotations

from lablib.kernel import Trace
from lablib.services.sns.filters import NO_ATTRIBUTES

_ONE_A_ROW = {
    "Published": "NumberOfMessagesPublished",
    "Delivered": "NumberOfNotificationsDelivered",
    "FilteredOut": "NumberOfNotificationsFilteredOut",
    "SentToDeadLetterQueue": "NumberOfNotificationsRedrivenToDlq",
}
_HTTP = ("http", "https")
INVALID_ATTRIBUTES = "invalid attributes"
DLQ_FAILED = "the dead-letter queue"  # begins the reason of a delivery that its dead-letter queue refused


def metrics(trace: Trace, topic: str) -> dict[str, float]:
    """The sums of all metrics of the topic with that name since the run began; PublishSize is the average, in bytes.

    For http and https endpoints every failed attempt is a failed notification, for all others the last one only.
    """
    values = dict.fromkeys(
        (
            *_ONE_A_ROW.values(),
            "NumberOfNotificationsFailed",
            "NumberOfNotificationsFilteredOut-NoMessageAttributes",
            "NumberOfNotificationsFilteredOut-InvalidAttributes",
            "NumberOfNotificationsFailedToRedriveToDlq",
            "PublishSize",
        ),
        0.0,
    )
    kinds = (*_ONE_A_ROW, "DeliveryFailed", "DeliveryDropped")
    published: set[str] = set()
    size = 0
    for row in trace.where(kinds, topic):
        if row.kind == "Published":
            published.add(row.subject)
            size += row.detail
        about = row.subject if row.kind == "Published" else trace.names[trace.origin(row.index)]
        if about in published:  # not the requests to confirm
            for name in _counts(row.kind, row.detail, row.until):
                values[name] += 1
    values["PublishSize"] = size / len(published) if published else 0.0
    return values


def _counts(kind: str, detail: object, until: float) -> list[str]:
    """The metrics that one row counts for."""
    names = [_ONE_A_ROW[kind]] if kind in _ONE_A_ROW else []
    if kind == "FilteredOut" and isinstance(detail, str):
        if detail.startswith(NO_ATTRIBUTES):
            names.append("NumberOfNotificationsFilteredOut-NoMessageAttributes")
        elif detail.startswith(INVALID_ATTRIBUTES):
            names.append("NumberOfNotificationsFilteredOut-InvalidAttributes")
    if kind == "DeliveryFailed" and isinstance(detail, dict) and (not until or detail["protocol"] in _HTTP):
        names.append("NumberOfNotificationsFailed")
    if kind == "DeliveryDropped" and isinstance(detail, str) and detail.startswith(DLQ_FAILED):
        names.append("NumberOfNotificationsFailedToRedriveToDlq")
    return names
