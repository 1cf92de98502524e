"""What FIFO queues and FIFO topics write about message groups and deduplication."""

from __future__ import annotations

from lablib.aws.event import HIDDEN, WAITING, Event, refusal
from lablib.kernel.trace import Row, Trace


def ahead(joined: Row, trace: Trace) -> tuple[str, ...]:
    """The messages that were in a message's group before it, in order; `joined` is its row JoinedGroup."""
    same = trace.where("JoinedGroup", joined.resource)
    return tuple(r.subject for r in same if r.index < joined.index and r.detail == joined.detail)


def gives_way(event: Event) -> bool:
    """Does a message that this happens to make room for the next one of its group?"""
    return bool(event.ends) or event.state == WAITING


def _joined_group(row: Row, trace: Trace) -> str:
    before = ahead(row, trace)
    kinds = tuple(kind for kind, event in trace.events.items() if gives_way(event) or event.state == HIDDEN)
    latest = {r.subject: r for r in trace.where(kinds, row.resource, before) if r.index < row.index}
    hidden = next((latest[m] for m in before if m in latest and trace.events[latest[m].kind].state == HIDDEN), None)
    place = f"in group {row.detail} of {row.resource}"
    if hidden is None:
        return place
    return f"{place}; it waits behind message {hidden.subject}, which is in flight until {hidden.until:.1f} s"


def _deduplicated(row: Row, trace: Trace) -> str:
    begins = trace.kinds(lambda event: event.counts in ("sent", "published"))
    sent = next(iter(trace.where(begins, row.resource, row.subject)), None)
    first = f"the send at {sent.time:.1f} s" if sent else "an earlier send"
    return f"{row.actor} sent with the deduplication id of {first}: accepted, not stored"


def _throttled(row: Row, trace: Trace) -> str:
    action = trace[row.cause].kind if row.cause >= 0 else "a call"
    group = f" for group {row.detail['group']}" if row.detail["group"] else ""
    return f"{row.resource} refused {action} by {row.actor}: more than {row.detail['limit']} calls a second{group}"


EVENTS = (
    Event("JoinedGroup", _joined_group, group=True),
    Event("Deduplicated", _deduplicated),
    Event("Throttled", _throttled),
    refusal("ThrottlingException"),
)
