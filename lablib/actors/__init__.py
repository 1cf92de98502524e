"""The people and programs of a scenario: plain functions and small classes that call the simulated services."""

from __future__ import annotations

from lablib.kernel.trace import Phrase, Row, Trace


def _ended(row: Row, trace: Trace) -> str:
    done = "could not do" if row.detail == "failed" else "has done"
    return f"{row.actor} {done} the work, {row.time - trace[row.cause].time:.3g} s after it began"


PHRASES: dict[str, Phrase] = {
    "WorkStarted": lambda row, trace: f"{row.actor} begins to work on it",
    "WorkEnded": _ended,
    "Crashed": lambda row, trace: f"{row.actor} crashed",
    "Restarted": lambda row, trace: f"{row.actor} started again",
    "Frozen": lambda row, trace: f"{row.actor} froze until {row.until:g} s",
    "Unfrozen": lambda row, trace: f"{row.actor} went on",
    "Burst": lambda row, trace: f"{row.detail} messages arrived at once",
    "ParameterSet": lambda row, trace: f"{row.detail['name']} was set to {row.detail['value']}",
    "Requested": lambda row, trace: f"{row.actor} called {row.resource} and waits for the answer",
    "Accepted": lambda row, trace: "accepted, and in line",
    "Refused": lambda row, trace: "refused: no worker was free, and the backlog was full",
    "Answered": lambda row, trace: f"answered by {row.actor}",
    "TimedOut": lambda row, trace: (
        f"{row.actor} gave up waiting {row.time - trace[row.cause].time:g} s after it was accepted"
    ),
}
