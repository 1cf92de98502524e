"""The story of one order: what became of the message (or messages) about it, read from the trace."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from lablib.aws.event import Event
from lablib.kernel import Row, Trace


def first_after(row: Row, rows: Iterable[Row]) -> Row | None:
    """The first of these rows about the same message after `row`."""
    return next((r for r in rows if r.index > row.index and r.subject == row.subject), None)


def once(n: int) -> str:
    """ "once", "twice", "3 times"."""
    return "once" if n == 1 else "twice" if n == 2 else f"{n} times"


# What the events of the rows of a message count as, and what a story calls them.
_MOVES = {
    "sent": "sent", "received": "received", "visible again": "shown", "hidden anew": "hidden", "deleted": "deleted",
    "expired": "expired", "dead letters": "moved",
}  # fmt: skip
_NOTHING = Event("")


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

    sent: list[Row]
    received: list[Row]
    shown: list[Row]
    hidden: list[Row]
    deleted: list[Row]
    expired: list[Row]
    moved: list[Row]

    def __init__(self, trace: Trace, name: str, ids: Iterable[str], rows: Iterable[Row]) -> None:
        self.trace, self.name, self.ids = trace, name, tuple(ids)
        self._rows = sorted(rows)
        for attribute in _MOVES.values():
            setattr(self, attribute, [row for row in self._rows if self._move(row) == attribute])

    def _event(self, row: Row) -> Event:
        found: Event = self.trace.events.get(row.kind, _NOTHING)
        return found

    def _move(self, row: Row) -> str:
        """What a row is for the story; "" when it says nothing of where the message is."""
        return _MOVES.get(self._event(row).counts, "")

    @cached_property
    def tries(self) -> list[Try]:
        ends = {row.cause: row for row in self._rows if self._event(row).holder == "worked"}
        return [self._try(row, ends.get(row.index)) for row in self._rows if self._event(row).holder == "works"]

    def _try(self, begun: Row, end: Row | None) -> Try:
        if end is not None:
            return Try(begun, end, "failed" if "failed" in (end.detail, end.kind[4:].lower()) else "done")
        crash = self.crash(begun)
        return Try(begun, crash, "crashed" if crash else "")

    @cached_property
    def done(self) -> list[Row]:
        return [t.end for t in self.tries if t.end and t.how == "done"]

    @cached_property
    def failed(self) -> list[Row]:
        return [t.end for t in self.tries if t.end and t.how == "failed"]

    def crash(self, row: Row) -> Row | None:
        """The first crash of the actor of `row` after it."""
        crashes = self.trace.where(self.trace.kinds(lambda event: event.is_now == "down"), actor=row.actor)
        return next((crash for crash in crashes if crash.index > row.index), None)

    def place(self, id: str) -> str:
        """The queue in which one of its messages lies now, visible or not; "" when it is in none."""
        mine = [row for row in self._rows if row.subject == id and self._move(row)]
        if not mine or self._move(mine[-1]) in ("deleted", "expired"):
            return ""
        last = mine[-1]
        here = str(last.detail) if self._move(last) == "moved" else last.resource
        emptied = self.trace.where(self.trace.kinds(lambda event: event.whole), resource=here)
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
