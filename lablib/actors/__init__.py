"""The people and programs of a scenario: plain functions and small classes that call the simulated services."""

from __future__ import annotations

from lablib.aws.event import WAITING, WORK, Event

EVENTS = (
    *WORK,
    Event("Crashed", "{actor} crashed", is_now="down", label="crash", notable="{actor} crashes.", big=True),
    Event("Restarted", "{actor} started again", is_now="up", label="restart", notable="{actor} starts again."),
    Event(
        "Frozen",
        "{actor} froze until {until:g} s",
        is_now="frozen",
        label="freeze",
        notable=lambda row: f"{row.actor} freezes for {row.until - row.time:g} s.",
        big=True,
    ),
    Event("Unfrozen", "{actor} went on", is_now="up"),
    Event(
        "Burst",
        "{detail} messages arrived at once",
        label="burst",
        notable="{detail} messages arrive at once.",
        big=True,
    ),
    # The direct call.
    Event(
        "Requested",
        "{actor} called {resource} and waits for the answer",
        "{actor} asked for {message}",
        caller="asks",
        counts="sent",
    ),
    Event("Accepted", "accepted, and in line", "{message} was accepted", state=WAITING, counts="received"),
    Event(
        "Refused",
        "refused: no worker was free, and the backlog was full",
        "{message} was refused",
        caller="refused",
        lost=True,
        counts="refused",
        label="refused",
        notable="A request is refused: all workers are busy and the backlog is full.",
        series="all",
        big=True,
    ),
    Event("Answered", "answered by {actor}", "{message} was answered", caller="answered", counts="deleted"),
    Event(
        "TimedOut",
        lambda row, trace: f"{row.actor} gave up waiting {row.time - trace[row.cause].time:g} s after it was accepted",
        "the caller gave up on {message}",
        caller="given up by its caller",
        lost=True,
        counts="timed out",
        label="caller timed out",
        notable="A caller stops waiting: no answer within its timeout.",
        series="all",
        big=True,
    ),
)
