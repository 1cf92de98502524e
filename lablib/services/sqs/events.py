"""The transitions of SQS in words: one short clause for each, from its row and the rows that caused it."""

from __future__ import annotations

from lablib.aws.event import HIDDEN, WAITING, Event, refusal
from lablib.aws.groups import EVENTS as GROUP_EVENTS
from lablib.aws.groups import ahead
from lablib.kernel import Row, Trace

_HALTS = {"down": "crashed", "frozen": "froze"}
_SHOWS = ("BecameVisible", "CopyReturned")


def _at(time: float) -> str:
    return f"{time:.1f} s"


def _cause(row: Row, trace: Trace, kind: str | tuple[str, ...]) -> Row | None:
    """The row that caused this one, when it is of that kind."""
    cause = trace[row.cause] if row.cause >= 0 else None
    return cause if cause and cause.kind in ((kind,) if isinstance(kind, str) else kind) else None


def _sent(row: Row, trace: Trace) -> str:
    origin = _cause(row, trace, "Redriven")
    if origin:
        return f"sent to {row.resource} as a new message by a redrive; in {origin.resource} it was {origin.subject}"
    hidden = f", delayed until {_at(row.until)}" if row.until else ""
    return f"sent to {row.resource} by {row.actor}, {row.detail} bytes{hidden}"


def _received(row: Row, trace: Trace) -> str:
    before = [r for r in trace.where(subject=row.subject) if r.index < row.index]
    earlier = next((r for r in reversed(before) if r.kind == "Received"), None)
    shown = next((r for r in reversed(before) if r.kind in _SHOWS), None)
    if earlier is None or shown is None or shown.index < earlier.index:
        plain = f"received by {row.actor} from {row.resource} (receive {row.detail}), hidden until {_at(row.until)}"
        return plain + _after_waiting(row, trace)
    again = f"received again by {row.actor} because {_why_visible(shown, trace)}"
    if shown.kind == "CopyReturned":
        return again
    return f"{again}, {_meanwhile(earlier, row, trace)}"


def _after_waiting(row: Row, trace: Trace) -> str:
    """What a message of a FIFO queue waited for before its first receive: the last in front of it that gave way."""
    joined = next(iter(trace.where("JoinedGroup", row.resource, row.subject)), None)
    before = ahead(joined, trace) if joined else ()
    freed = [
        r for r in trace.where(tuple(_LEFT), row.resource, before) if joined and joined.index < r.index < row.index
    ]
    if not freed:
        return ""
    how = _LEFT[freed[-1].kind]
    return f"; until {_at(freed[-1].time)} it waited behind message {freed[-1].subject} of its group, which then {how}"


_LEFT = {
    "Deleted": "was deleted",
    "Expired": "expired",
    "MovedToDeadLetterQueue": "moved to the dead-letter queue",
    "BecameVisible": "was visible again",
}


def _meanwhile(earlier: Row, row: Row, trace: Trace) -> str:
    """What the earlier receiver was doing: it came back with its old receipt handle, it crashed, or it never did."""
    kinds = ("DeleteIgnored", "VisibilityChanged", "Deleted")
    later = [r for r in trace.where(kinds, subject=row.subject) if r.index > earlier.index]
    late = next((r for r in later if r.kind == "DeleteIgnored" and r.detail == earlier.detail), None)
    if late:
        was = "were" if earlier.actor == "you" else "was"
        return f"while {earlier.actor} {was} still working on it until {_at(late.time)}"
    own = next((r for r in later if r.actor == earlier.actor and r.index < row.index), None)
    if own or earlier.actor == row.actor:
        return f"and {earlier.actor} had not deleted it"
    for halt in trace.where(trace.kinds(lambda event: event.is_now in _HALTS), actor=earlier.actor):
        if earlier.index < halt.index < row.index:
            return f"and {earlier.actor} {_HALTS[trace.events[halt.kind].is_now]} at {_at(halt.time)}"
    return f"and {earlier.actor} never came back to it"


def _why_visible(shown: Row, trace: Trace) -> str:
    if shown.kind == "CopyReturned":
        return _copy_returned(shown, trace)
    cause = trace[shown.cause]
    if cause.kind in ("Sent", "MovedToDeadLetterQueue"):
        return f"its delay of {round(shown.time - cause.time, 6):g} s ended at {_at(shown.time)}"
    length = f"{round(cause.until - cause.time, 6):g} s"
    if cause.kind in ("Received", "ReceiveRepeated"):
        return f"its visibility timeout of {length} ended at {_at(shown.time)}"
    if cause.until == cause.time:
        return f"{cause.actor} made it visible at {_at(shown.time)}"
    return f"the {length} for which {cause.actor} had hidden it at {_at(cause.time)} ended at {_at(shown.time)}"


def _copy_returned(row: Row, trace: Trace) -> str:
    deleted = trace[row.cause]
    return (
        f"server {row.detail} was unavailable when it was deleted at {_at(deleted.time)} "
        f"and brought its copy back at {_at(row.time)}"
    )


def _delete_ignored(row: Row, trace: Trace) -> str:
    start = f"the delete by {row.actor} did nothing"
    before = [r for r in trace.where(("Received", "Deleted", "Expired"), subject=row.subject) if r.index < row.index]
    if before and before[-1].kind != "Received":
        return f"{start}: the message was already gone, {before[-1].kind.lower()} at {_at(before[-1].time)}"
    newest = before[-1] if before else None
    if newest and newest.detail == row.detail and (shown := _shown_between(newest, row, trace)):
        return f"{start}: its receipt handle had expired at {_at(shown.time)}"
    if newest is None or newest.detail == row.detail:
        return f"{start}: the message was already gone"
    return f"{start}: its receipt handle is of receive {row.detail}, and {newest.actor} had received it since"


def _shown_between(first: Row, last: Row, trace: Trace) -> Row | None:
    rows = trace.where("BecameVisible", subject=first.subject)
    return next((r for r in rows if first.index < r.index < last.index), None)


def _why_again(trace: Trace, rows: list[Row], before: Row, row: Row) -> str:
    """Why it was received again after `before`."""
    between = [r for r in rows if before.index < r.index < row.index]
    copy = next((r for r in between if r.kind == "CopyReturned"), None)
    when = f"It was received again at {row.time:.3f} s because"
    if copy:
        return (
            f"{when} a copy came back at {copy.time:.3f} s from a server that had been unavailable when it was deleted."
        )
    shown = next((r for r in between if r.kind == "BecameVisible"), None)
    if shown is None:
        return f"{when} it was delivered at least once, as the queue promises, and not exactly once."
    after = [r for r in rows if r.index > before.index and r.actor == before.actor]
    crashes = trace.where(kind="Crashed", actor=before.actor)
    crashed = next((r for r in crashes if before.time <= r.time <= shown.time), None)
    hidden = f"its visibility timeout of {shown.time - before.time:.1f} s ended at {shown.time:.3f} s"
    if crashed:
        return f"{when} {before.actor} crashed at {crashed.time:.3f} s before it deleted it, and {hidden}."
    work = next((r for r in after if r.kind == "WorkStarted"), None)
    done = next((r for r in after if work and r.kind == "WorkEnded" and r.index > work.index), None)
    if work is None or work.time > shown.time:
        return f"{when} {hidden}, before {before.actor} began to work on it."
    if done is None or done.time > shown.time:
        until = f" until {done.time:.3f} s" if done else ""
        return f"{when} {hidden}, while {before.actor} was still working on it{until}."
    return f"{when} {hidden}, before {before.actor} deleted it."


EVENTS = (
    *GROUP_EVENTS,
    Event("QueueCreated", "queue {resource} created by {actor}"),
    Event("QueueDeleted", "queue {resource} deleted by {actor}, with all its messages", ends="deleted", whole=True),
    Event("QueuePurged", "queue {resource} purged by {actor}: {detail} messages are gone", ends="purged", whole=True),
    Event("Sent", _sent, "{actor} sent {message}", state=WAITING, delays=True, counts="sent"),
    Event(
        "Received",
        _received,
        "{actor} received {message}",
        state=HIDDEN,
        holder="gets",
        counts="received",
        label="duplicate",
        again=True,
        why_again=_why_again,
        big=True,
    ),
    Event(
        "ReceiveRepeated",
        lambda row, trace: (
            f"given to {row.actor} again for the same ReceiveRequestAttemptId, hidden until {_at(row.until)}"
        ),
        "{actor} received {message} once more",
        state=HIDDEN,
        holder="gets",
    ),
    Event(
        "BecameVisible",
        lambda row, trace: f"visible in {row.resource}: {_why_visible(row, trace)}",
        "{message} is visible again",
        state=WAITING,
        counts="visible again",
    ),
    Event(
        "VisibilityChanged",
        "hidden until {until:.1f} s by {actor}, instead of what was left",
        "{actor} hides {message} anew",
        state=HIDDEN,
        counts="hidden anew",
    ),
    Event(
        "Deleted", "deleted by {actor}", "{actor} deleted {message}", ends="deleted", holder="drops", counts="deleted"
    ),
    Event("DeleteIgnored", _delete_ignored, "the delete of {message} by {actor} did nothing", holder="drops"),
    Event(
        "CopyReturned",
        lambda row, trace: f"back in {row.resource}, though deleted: {_copy_returned(row, trace)}",
        "a copy of {message} came back from a server",
        state=WAITING,
        label="copy returned",
        notable="A deleted message is back: a server with a copy was away.",
        series="all",
        big=True,
    ),
    Event(
        "Expired",
        "expired: it was older than the retention period of {resource}",
        "{message} expired",
        ends="expired",
        lost=True,
        counts="expired",
        label="expiry",
        notable="A message in {resource} is older than the retention period and is lost.",
        series="all",
    ),
    Event(
        "MovedToBack",
        "moved to the back of {resource} after {detail} receives without a delete",
        "{message} moved to the back",
        state=WAITING,
        ages=False,
    ),
    Event(
        "MovedToDeadLetterQueue",
        "moved from {resource} to the dead-letter queue {detail}",
        "{message} moved to the dead-letter queue",
        state=WAITING,
        at="detail",
        ends="moved to the dead-letter queue",
        counts="dead letters",
        label="dead letter",
        notable="A message moves to the dead-letter queue {detail}.",
        series="all",
    ),
    Event("Redriven", "moved from {resource} to {detail} as a new message", "{message} was redriven", ends="redriven"),
    Event(
        "ServerUnavailable",
        "server {detail} of {resource} is unavailable until {until:.1f} s",
        part="down",
        label="server down",
        notable="A server of {resource} becomes unavailable.",
    ),
    Event("ServerAvailable", "server {detail} of {resource} is available again", part="up"),
    refusal("OverLimit"),
    Event("ReceiveMessage", polls=True, label="empty poll", notable="{actor} polls {resource} and gets nothing."),
)
