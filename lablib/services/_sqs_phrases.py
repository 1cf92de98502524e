"""The transitions of SQS in words: one short clause for each, from its row and the rows that caused it."""

from __future__ import annotations

from lablib.kernel import Row, Trace
from lablib.kernel.trace import Phrase

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
        return f"received by {row.actor} from {row.resource} (receive {row.detail}), hidden until {_at(row.until)}"
    again = f"received again by {row.actor} at {_at(row.time)} because {_why_visible(shown, trace)}"
    if shown.kind == "CopyReturned":
        return again
    return f"{again}, {_meanwhile(earlier, row, trace)}"


def _meanwhile(earlier: Row, row: Row, trace: Trace) -> str:
    """What the earlier receiver was doing: it came back with its old receipt handle, or it never did."""
    kinds = ("DeleteIgnored", "VisibilityChanged", "Deleted")
    later = [r for r in trace.where(kinds, subject=row.subject) if r.index > earlier.index]
    late = next((r for r in later if r.kind == "DeleteIgnored" and r.detail == earlier.detail), None)
    if late:
        was = "were" if earlier.actor == "you" else "was"
        return f"while {earlier.actor} {was} still working on it until {_at(late.time)}"
    own = next((r for r in later if r.actor == earlier.actor and r.index < row.index), None)
    if own:
        return f"and {earlier.actor} had not deleted it"
    return f"and {earlier.actor} never came back to it"


def _why_visible(shown: Row, trace: Trace) -> str:
    if shown.kind == "CopyReturned":
        return _copy_returned(shown, trace)
    cause = trace[shown.cause]
    if cause.kind == "Sent":
        return f"its delay of {cause.until - cause.time:g} s ended at {_at(shown.time)}"
    length = f"{round(cause.until - cause.time, 6):g} s"
    if cause.kind == "Received":
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
    if newest is None or newest.detail == row.detail:
        return f"{start}: the message was already gone"
    return f"{start}: its receipt handle is of receive {row.detail}, and {newest.actor} had received it since"


def _server_unavailable(row: Row, trace: Trace) -> str:
    return f"server {row.detail} of {row.resource} is unavailable until {_at(row.until)}"


PHRASES: dict[str, Phrase] = {
    "QueueCreated": lambda row, trace: f"queue {row.resource} created by {row.actor}",
    "QueueDeleted": lambda row, trace: f"queue {row.resource} deleted by {row.actor}, with all its messages",
    "QueuePurged": lambda row, trace: f"queue {row.resource} purged by {row.actor}: {row.detail} messages are gone",
    "Sent": _sent,
    "Received": _received,
    "BecameVisible": lambda row, trace: f"visible in {row.resource}: {_why_visible(row, trace)}",
    "VisibilityChanged": lambda row, trace: f"hidden until {_at(row.until)} by {row.actor}, instead of what was left",
    "Deleted": lambda row, trace: f"deleted by {row.actor}",
    "DeleteIgnored": _delete_ignored,
    "CopyReturned": lambda row, trace: f"back in {row.resource}, though deleted: {_copy_returned(row, trace)}",
    "Expired": lambda row, trace: f"expired: it was older than the retention period of {row.resource}",
    "MovedToBack": lambda row, trace: (
        f"moved to the back of {row.resource} after {row.detail} receives without a delete"
    ),
    "MovedToDeadLetterQueue": lambda row, trace: f"moved from {row.resource} to the dead-letter queue {row.detail}",
    "Redriven": lambda row, trace: f"moved from {row.resource} to {row.detail} as a new message",
    "ServerUnavailable": _server_unavailable,
    "ServerAvailable": lambda row, trace: f"server {row.detail} of {row.resource} is available again",
}
