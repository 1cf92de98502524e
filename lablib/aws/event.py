"""What a row of the trace means, declared once by whoever writes it.

A service lists its transitions as `events`; so do the actors, the gateway and a scenario. All that is said, counted and
drawn of a run is derived from these tables: sentences (`trace.explain`), events of interest, series, counts, the tokens
of the animation (`lablib.measures.tokens`) and the words of the page. Nothing else knows kinds of rows by name.

The model. A *subject* (a message, a delivery, a request) lies at a place in a `state`, or has left it (`ends`). Beside
that, actors may have it: whoever receives a message holds it, and still does when it is visible to others again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lablib.kernel.trace import Row, Trace

Words = str | Callable[[Row, Trace], str]

# The states of a token, and what the page calls them.
WAITING, DELAYED, HIDDEN, HELD, ASKING = "waiting", "delayed", "hidden", "held", "asking"
PASSING, RETRYING, LOST, KEPT, READING = "passing", "retrying", "lost", "kept", "reading"
DEAD_LETTER = "dead letter"  # how a delivery ends whose message its service puts into the queue `detail`
STATES = {
    WAITING: "waiting",
    DELAYED: "delayed",
    HIDDEN: "in flight",
    HELD: "in work",
    ASKING: "waits for the answer",
    PASSING: "being passed on",
    RETRYING: "waiting for the next attempt",
    LOST: "lost",
    KEPT: "kept",
    READING: "read up to here",
}


def _again(trace: Trace, rows: list[Row], before: Row, row: Row) -> str:
    return f"It was received again at {row.time:.3f} s."


@dataclass(frozen=True)
class Event:
    """The meaning of one kind of row. All fields but the first are optional.

    `kind`: the row's kind, a past participle (`Sent`); for an API row the operation (`ReceiveMessage`), for a call that
    failed the error code. `words`: a clause for `trace.explain`, as a template with the row's fields ("deleted by
    {actor}") or a function of the row and the trace. `brief`: the same for the page, where {message} is "message 5",
    and {actor} who did it.

    What it does to its subject: `state`: the state in which it lies there from now on. `at`: the place is the row's
    `resource`, or a resource whose name is the row's `detail`. `ends`: it no longer lies at the resource, and why; with
    a state, it is only passing by. `delays`: when `until` is later than now, it is DELAYED until then. `ages`: does it
    count for the age of the oldest? `lost`: it is lost for good. `whole`: it concerns all subjects at the resource.
    `group`: `detail` is its group. `copies`: the subject itself is elsewhere; where copies lie, nothing is counted of
    all places together. `joins`: it is a part of what it was made of (a delivery of a message), and is told
    of with that. `origin`: where a subject that begins here comes from: the row's actor, its resource, or the actor of
    its cause.

    What the row's actor has to do with the subject: "gets" it (a delivery, hidden from others until `until`), "works"
    on it (until about `until`), has "worked", "drops" it (that delivery is over), "loses" it
    (the same, but it goes on with what it works on just now), "reads" a record that stays.
    `caller`: "asks" for an answer and waits, or why that ended. `is_now`: the actor itself is "up", "down", "frozen" or
    "blocked" (nobody takes what it sends) from now on; "free": it is blocked no longer. `part`: so is the part
    `detail` of the resource.

    What is made of it:
    `counts`: the name of the rate and the counter that it counts for. `label` and `notable`: the kind and the sentence
    of an event of interest. `series`: these often come in masses, so only the first is told: of all ("all"), of each
    actor ("actor"). `again`: it is an event of interest when the subject was delivered before. `polls`: it is one when
    this call brought nothing. `big`: worth slowing down for. `attempt`: to deliver something, and did it succeed?
    """

    kind: str
    words: Words = ""
    brief: str = ""
    state: str = ""
    at: Literal["resource", "detail"] = "resource"
    ends: str = ""
    delays: bool = False
    ages: bool = True
    lost: bool = False
    whole: bool = False
    group: bool = False
    joins: bool = False
    copies: bool = False
    origin: Literal["actor", "resource", "cause"] = "actor"
    holder: Literal["", "gets", "works", "worked", "drops", "loses", "reads"] = ""
    caller: str = ""
    is_now: Literal["", "up", "down", "frozen", "blocked", "free"] = ""
    part: Literal["", "up", "down"] = ""
    counts: str = ""
    label: str = ""
    notable: str | Callable[[Row], str] = ""
    series: Literal["", "all", "actor"] = ""
    again: bool = False
    why_again: Callable[[Trace, list[Row], Row, Row], str] = _again
    polls: bool = False
    big: bool = False
    attempt: bool | None = None

    @cached_property
    def past(self) -> str:
        """Its kind as two or three plain words: "became visible"."""
        return re.sub("(?<!^)([A-Z])", r" \1", self.kind).lower()

    def describe(self, row: Row, trace: Trace) -> str:
        """The row in words."""
        words = self.words
        return _in_number(words.format(**row._asdict()) if isinstance(words, str) else words(row, trace))

    def sentence(self, row: Row) -> str:
        """The sentence of an event of interest."""
        told = self.notable
        return _in_number(told.format(**row._asdict()) if isinstance(told, str) else told(row))


def _in_number(text: str) -> str:
    """ "1 records" as "1 record": what a template says of a number is said of one, too."""
    return re.sub(r"(?<![\w.,-])1 (record|message|shard|other)s\b", r"1 \1", text)


def _ended(row: Row, trace: Trace) -> str:
    done = "could not do" if row.detail == "failed" else "has done"
    return f"{row.actor} {done} the work, {row.time - trace[row.cause].time:.3g} s after it began"


def is_given(event: Event) -> bool:
    """Does the row's actor get something: a message, or the next records of a stream?"""
    return event.holder in ("gets", "reads")


def refusal(code: str) -> Event:
    """A call that was refused with this error code because there were too many."""
    return Event(code, label="throttle", notable="{actor}'s {kind} is refused: {detail}.", series="actor")


# Work on a message: of a program, and of a function that takes messages from a queue.
WORK = (
    Event("WorkStarted", "{actor} begins to work on it", "{actor} began to work on {message}", holder="works"),
    Event("WorkEnded", _ended, "{actor} ended the work on {message}", holder="worked", counts="worked"),
)
