"""What must be drawn at an instant, counted from the rows of the trace alone: without tokens, without the page.

Kept apart from the code that it checks: it knows the rows of SQS and of the lab's actors by name, and goes through them
from the beginning for each instant.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from lablib.scenarios import Run


@dataclass
class Hand:
    """A message in an actor's hands: which receive it was, until when it is hidden for it, and whether work goes on."""

    delivery: int
    until: float
    works: bool = False
    worked: bool = False


@dataclass
class Count:
    """The state at an instant."""

    waiting: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    hidden: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    received: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    hands: dict[tuple[str, str], Hand] = field(default_factory=dict)  # by actor and message
    frozen: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    coming: list[tuple[float, int, str, str, Hand]] = field(default_factory=list)  # answers that are under way
    lost: int = 0


def count(run: Run, t: float) -> Count:
    """What is where at `t`."""
    trace, now = run.trace, Count()
    arrivals = now.coming
    rows = [row for row in trace if row.time <= t]
    for row in rows:
        _land(now, arrivals, row.time)
        _row(now, row, trace, arrivals)
    _land(now, arrivals, t)
    return now


def _land(now: Count, arrivals: list[Any], t: float) -> None:
    for arrival in [a for a in arrivals if a[0] <= t]:
        _, _, actor, subject, hand = arrival
        now.hands[actor, subject] = hand
        arrivals.remove(arrival)


def _row(now: Count, row: Any, trace: Any, arrivals: list[Any]) -> None:
    kind, subject, actor, place = row.kind, row.subject, row.actor, row.resource
    if kind == "Sent":
        now.sent.add(subject)
        if row.until <= row.time:
            now.waiting[place].add(subject)
    elif kind in ("BecameVisible", "CopyReturned"):
        now.hidden[place].pop(subject, None)
        now.waiting[place].add(subject)
    elif kind == "Received":
        now.received[subject] += 1
        now.waiting[place].discard(subject)
        now.hidden[place][subject] = row.until
        call = trace[row.cause]
        if not isinstance(call.detail, str) and call.detail is not None:  # the answer arrives
            arrivals.append((call.until, row.index, actor, subject, Hand(now.received[subject], row.until)))
    elif kind == "VisibilityChanged":
        now.hidden[place][subject] = row.until
        for (_, held), hand in now.hands.items():
            if held == subject and hand.delivery == now.received[subject]:
                hand.until = row.until
    elif kind in ("Deleted", "Expired"):
        now.waiting[place].discard(subject)
        now.hidden[place].pop(subject, None)
        if kind == "Deleted":
            now.done.add(subject)
            now.hands.pop((actor, subject), None)
        else:
            now.lost += 1
    elif kind == "DeleteIgnored":
        now.hands.pop((actor, subject), None)
    elif kind == "WorkStarted" and (actor, subject) in now.hands:
        now.hands[actor, subject].works = True
    elif kind == "WorkEnded" and (actor, subject) in now.hands:
        now.hands[actor, subject].works, now.hands[actor, subject].worked = False, True
        if row.detail == "failed":
            del now.hands[actor, subject]
    elif kind == "Crashed":
        for key in [key for key in now.hands if key[0] == actor]:
            del now.hands[key]
        arrivals[:] = [a for a in arrivals if a[2] != actor]
    elif kind in ("Frozen", "Unfrozen"):
        (now.frozen.add if kind == "Frozen" else now.frozen.discard)(actor)
    elif kind == "ReceiveMessage":  # it asks for more: what it has worked on, and not deleted, is put away
        for key in [key for key, hand in now.hands.items() if key[0] == actor and hand.worked]:
            del now.hands[key]


def drawn(run: Run, t: float, numbers: dict[str, int]) -> dict[str, Any]:
    """The same for the page: marks in places, marks in hands, counters. `numbers`: those that messages have there."""
    now = count(run, t)
    places = {pattern: place.id for place in run.topology.places for pattern in place.match.split()}
    heaps: dict[str, list[list[Any]]] = defaultdict(list)
    for queue, subjects in now.waiting.items():
        again = [s for s in subjects if now.received[s]]
        heaps[places[queue]] += [[numbers[s], "diamond" if s in again else "dot"] for s in subjects]
    for queue, subjects in now.hidden.items():
        for subject in subjects:
            hands = [*((a, s, hand) for (a, s), hand in now.hands.items()), *(row[2:] for row in now.coming)]
            mine = [a for a, s, hand in hands if s == subject and hand.delivery == now.received[subject]]
            held = any(actor not in now.frozen for actor in mine)
            heaps[places[queue]].append([numbers[subject], "held" if held else "nobody"])
    hands = [
        [actor, numbers[subject], "diamond" if hand.delivery > 1 else "square", t >= hand.until, hand.works]
        for (actor, subject), hand in now.hands.items()
    ]
    return {
        "t": t,
        "heaps": {place: sorted(marks) for place, marks in heaps.items() if marks},
        "hands": sorted(hands),
        "sent": len(now.sent),
        "done": len(now.done),
    }
