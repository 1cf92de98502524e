"""The story of one order: what became of the message (or messages) about it, read from the trace."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from lablib.kernel import Row, Trace


def once(n: int) -> str:
    """ "once", "twice", "3 times"."""
    return "once" if n == 1 else "twice" if n == 2 else f"{n} times"


_MOVES = ("Sent", "Received", "BecameVisible", "VisibilityChanged", "Deleted", "Expired", "MovedToDeadLetterQueue")


class Try(NamedTuple):
    """One piece of work on a message. `how` it came to its end: "done", "failed", "crashed", or "" while it goes on;
    `end` is the row of that.
    """

    begun: Row
    end: Row | None
    how: str


class Story:
    """What became of an order. Each attribute holds rows of the trace, in order.

    sent, received, shown (visible again), hidden (visibility changed), deleted, expired, moved (to a dead-letter
    queue); `tries` is the work on it, `done` and `failed` the rows in which tries came to an end.
    """

    def __init__(self, trace: Trace, name: str, ids: Iterable[str], rows: Iterable[Row]) -> None:
        self.trace, self.name, self.ids = trace, name, tuple(ids)
        self._rows = sorted(rows)

    def _of(self, *kinds: str) -> list[Row]:
        return [row for row in self._rows if row.kind in kinds]

    @cached_property
    def sent(self) -> list[Row]:
        return self._of("Sent")

    @cached_property
    def received(self) -> list[Row]:
        return self._of("Received")

    @cached_property
    def shown(self) -> list[Row]:
        return self._of("BecameVisible")

    @cached_property
    def hidden(self) -> list[Row]:
        return self._of("VisibilityChanged")

    @cached_property
    def deleted(self) -> list[Row]:
        return self._of("Deleted")

    @cached_property
    def expired(self) -> list[Row]:
        return self._of("Expired")

    @cached_property
    def moved(self) -> list[Row]:
        return self._of("MovedToDeadLetterQueue")

    @cached_property
    def tries(self) -> list[Try]:
        ends = {row.cause: row for row in self._of("WorkEnded", "WorkFailed")}
        return [self._try(begun, ends.get(begun.index)) for begun in self._of("WorkStarted")]

    def _try(self, begun: Row, end: Row | None) -> Try:
        if end is not None:
            return Try(begun, end, "failed" if "failed" in (end.detail, end.kind[4:].lower()) else "done")
        crash = self.after(begun, "Crashed")
        return Try(begun, crash, "crashed" if crash else "")

    @cached_property
    def done(self) -> list[Row]:
        return [t.end for t in self.tries if t.end and t.how == "done"]

    @cached_property
    def failed(self) -> list[Row]:
        return [t.end for t in self.tries if t.end and t.how == "failed"]

    def after(self, row: Row, kind: str) -> Row | None:
        """The first row of this kind after `row`: about its message, or for a crash by its actor."""
        rows = self.trace.where(kind, actor=row.actor) if kind == "Crashed" else self._of(kind)
        same = (r for r in rows if kind == "Crashed" or r.subject == row.subject)
        return next((r for r in same if r.index > row.index), None)

    def place(self, id: str) -> str:
        """The queue in which one of its messages lies now, visible or not; "" when it is in none."""
        mine = [row for row in self._rows if row.subject == id and row.kind in _MOVES]
        if not mine or mine[-1].kind in ("Deleted", "Expired"):
            return ""
        last = mine[-1]
        here = str(last.detail) if last.kind == "MovedToDeadLetterQueue" else last.resource
        emptied = self.trace.where(("QueuePurged", "QueueDeleted"), resource=here)
        return "" if any(row.index > last.index for row in emptied) else here

    @cached_property
    def left_in(self) -> dict[str, str]:
        """Those of its messages that are still in a queue, each with the queue's name."""
        places = {id: self.place(id) for id in self.ids}
        return {id: place for id, place in places.items() if place}

    def batch(self, received: Row) -> int:
        """How many messages came with this receive."""
        call = self.trace[received.cause]
        return call.detail if isinstance(call.detail, int) else 1

    def span(self, rows: list[Row]) -> str:
        """ "3 times in 6 s"."""
        return f"{once(len(rows))} in {rows[-1].time - rows[0].time:.0f} s" if len(rows) > 1 else once(len(rows))
