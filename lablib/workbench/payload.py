"""A run as bytes for the browser: which message was where when, in flat arrays; a fold over the trace.

`js/state.js` reads this and says what it means. Arrays stay arrays on the way (no JSON of a hundred thousand
numbers), so a run of a thousand messages is packed in a few milliseconds.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from lablib.kernel import Trace
from lablib.scenarios import Run
from lablib.scenarios.topology import ROLES, Topology
from lablib.workbench import fanout

WAITING, DELAYED, HELD, WORKING, DONE, DEAD, LOST, VAIN, HERE, RETRY, FILTERED, PASSED, DELIVERED = range(13)
DTYPES = {t: np.dtype(t) for t in ("f8", "f4", "i4", "i2", "i1", "u1")}
GROUPS_NAMED = 24  # of more groups only the first are named on the page: the legend has no room for them

# What a transition does to a message: its status, and whose place it is then at, the resource's or the actor's.
MOVES = {
    "Sent": (WAITING, "resource"),
    "BecameVisible": (WAITING, "resource"),
    "CopyReturned": (WAITING, "resource"),
    "Received": (HELD, "actor"),
    "WorkStarted": (WORKING, "actor"),
    "WorkEnded": (HELD, "actor"),
    "Deleted": (DONE, "done"),
    "Expired": (LOST, "lost"),
    "MovedToDeadLetterQueue": (DEAD, "detail"),
    "Redriven": (WAITING, "resource"),
    "Requested": (WAITING, "resource"),
    "Accepted": (WAITING, "resource"),
    "Answered": (DONE, "done"),
    "Refused": (LOST, "lost"),
    "TimedOut": (LOST, "lost"),
    "Published": (HERE, "resource"),
    "ObjectCreated": (HERE, "resource"),
    "EventDelivered": (PASSED, "resource"),
    "EventDropped": (LOST, "lost"),
    "FilteredOut": (FILTERED, "resource"),
    "DeliveryFailed": (RETRY, "resource"),
    "Delivered": (DELIVERED, "actor"),
    "DeliveryDropped": (LOST, "lost"),
    "InvocationStarted": (WORKING, "actor"),
    "InvocationEnded": (DONE, "done"),
    "InvocationFailed": (RETRY, "resource"),
    "InvocationThrottled": (RETRY, "resource"),
    fanout.PASSED_ON: (PASSED, "resource"),
    fanout.GIVEN_UP: (PASSED, "detail"),
    fanout.AT_LAST: (PASSED, "actor"),
}
NAMES = list(MOVES)
_WHOSE = ("resource", "actor", "done", "lost", "detail")
_FROM_ACTOR = ("Sent", "Requested", "Published", "ObjectCreated")  # it begins where its sender is
_FROM_RESOURCE = ("FilteredOut", "DeliveryFailed", "Delivered", "DeliveryDropped")  # it begins at the topic
ACTOR_STATES = ("up", "down", "frozen")
MARKS = {"Crashed": 1, "Restarted": 0, "Frozen": 2, "Unfrozen": 0}
SERVERS = {"ServerUnavailable": 0, "ServerAvailable": 1}


def pack(document: Any) -> bytes:
    """A JSON-able document that may hold numpy arrays, as bytes: its JSON, then the arrays at multiples of eight."""
    arrays: list[list[Any]] = []
    blobs: list[bytes] = []
    offset = 0

    def out(value: Any) -> Any:
        nonlocal offset
        if not isinstance(value, np.ndarray):
            raise TypeError(f"cannot pack {type(value).__name__}")
        kind = next((k for k, t in DTYPES.items() if value.dtype == t), "f8")
        blob = np.ascontiguousarray(value, dtype=DTYPES[kind]).astype(f"<{kind}", copy=False).tobytes()
        arrays.append([kind, offset, len(value)])
        blobs.append(blob + bytes(-len(blob) % 8))
        offset += len(blobs[-1])
        return {"$": len(arrays) - 1}

    doc = json.dumps(document, default=out, separators=(",", ":"))
    head = f'{{"doc":{doc},"arrays":{json.dumps(arrays)}}}'.encode()
    head += b" " * (-(4 + len(head)) % 8)
    return len(head).to_bytes(4, "little") + head + b"".join(blobs)


def small(values: np.ndarray) -> np.ndarray:
    """Whole numbers in the narrowest type that the page reads and that holds them all."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    kind = next(k for k in ("u1", "i1", "i2", "i4") if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
    return values.astype(kind)


def columns_of(trace: Trace) -> dict[str, np.ndarray]:
    """The trace's columns as arrays, without a copy: the trace of a run does not grow."""
    codes = {
        n: np.frombuffer(trace.column(n), dtype=np.int32) for n in ("kind", "resource", "subject", "actor", "cause")
    }
    return codes | {n: np.frombuffer(trace.column(n), dtype=np.float64) for n in ("time", "until")}


def describe(run: Run) -> dict[str, Any]:
    """A run as the document that the animation plays."""
    trace, topology = run.trace, run.topology
    columns = columns_of(trace)
    place = _places(trace, topology, columns)
    actors, actor_of = _actors(trace, topology, columns, place)
    told = fanout.add(trace, columns)
    moves, numbers = _moves(trace, topology, told, place, actor_of)
    notable = run.notable()
    return {
        "title": run.title,
        "label": repr(run),
        "seed": run.seed,
        "duration": float(run.until),
        "places": [{"label": p.label, "role": p.role, "parts": p.parts or 0} for p in topology.places],
        "links": _links(topology),
        "actors": actors,
        "actorStates": ACTOR_STATES,
        "kinds": NAMES,
        "moves": moves,
        "messages": len(numbers),
        "groups": _groups(trace, columns, numbers),
        "holds": _holds(trace, columns, numbers),
        "marks": _marks(trace, columns, actor_of),
        "servers": _servers(trace, place),
        "notable": {
            "t": np.array([n.time for n in notable], dtype=np.float64),
            "kind": [n.kind for n in notable],
            "text": [n.text for n in notable],
        },
    }


def subjects(run: Run) -> list[str]:
    """The subject (MessageId, request id) of each message, by the number that it has on the page. Each copy that a
    topic delivers is a message of its own; what a topic sends to an endpoint outside has the subject of the original.
    """
    trace = run.trace
    codes = _numbered(fanout.add(trace, columns_of(trace)))[2]
    return [trace.name(code % fanout.BASE) for code in codes.tolist()]


def _links(topology: Topology) -> list[tuple[int, int]]:
    number = {place.id: i for i, place in enumerate(topology.places)}
    return [(number[link.source], number[link.target]) for link in topology.links]


def _places(trace: Trace, topology: Topology, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Name code -> number of the place one of whose patterns it matches, or -1. An exact name goes before a pattern."""
    found = np.full(1 + int(max(columns[n].max(initial=0) for n in ("resource", "actor"))), -1)
    patterns = [(pattern, i) for i, place in enumerate(topology.places) for pattern in place.match.split()]
    exact = dict(reversed(patterns))
    wild = [(pattern, i) for pattern, i in patterns if "*" in pattern]
    for code in np.union1d(columns["resource"], columns["actor"]).tolist():
        name = trace.name(code)
        if name in exact:
            found[code] = exact[name]
        elif name:
            found[code] = next((i for pattern, i in wild if fnmatchcase(name, pattern)), -1)
    return found


def _actors(
    trace: Trace, topology: Topology, columns: dict[str, np.ndarray], place: np.ndarray
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """The actors that hold messages, by place and name, and name code -> number in that list."""
    working = [i for i, p in enumerate(topology.places) if ROLES[p.role].holds]
    codes = [c for c in np.unique(columns["actor"]).tolist() if place[c] in working]
    codes.sort(key=lambda c: (place[c], len(trace.name(c)), trace.name(c)))
    number = np.full(len(place), -1, dtype=np.int32)
    number[codes] = range(len(codes))
    return [{"name": trace.name(c), "place": int(place[c])} for c in codes], number


def _numbered(told: fanout.Told) -> tuple[fanout.Told, np.ndarray, np.ndarray, np.ndarray]:
    """The rows that move a message, what they do (a number in NAMES), the code of each message's subject in the order
    of appearance, and each row's message.
    """
    told = told.keep(told.subject > 0)
    told = told.keep(_believed(told.move, told.subject, told.actor))
    codes, first, m = np.unique(told.subject, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return told, told.move, codes[order], rank[m]


def _moves(
    trace: Trace, topology: Topology, told: fanout.Told, place: np.ndarray, actor_of: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    told, k, codes, m = _numbered(told)
    index = {name: i for i, name in enumerate(NAMES)}
    is_ = lambda *names: np.isin(k, [index[name] for name in names])  # noqa: E731
    s = np.array([status for status, _ in MOVES.values()], dtype=np.uint8)[k]
    whose = np.array([_WHOSE.index(place_of) for _, place_of in MOVES.values()])[k]
    here, who = place[told.resource], place[told.actor]
    role = {p.role: i for i, p in reversed(list(enumerate(topology.places)))}
    p = np.choose(whose, [here, who, role.get("done", -1), role.get("lost", -1), -1])
    s[is_("Sent") & (told.until > told.time)] = DELAYED
    for i in np.flatnonzero(whose == 4).tolist():
        dead = trace.code(str(trace.details[told.row[i]]))
        p[i] = place[dead] if 0 <= dead < len(place) and place[dead] >= 0 else role.get("dead-letter", -1)
    graves = [i for i, q in enumerate(topology.places) if q.role == "dead-letter"]
    s[(s == WAITING) & np.isin(p, graves)] = DEAD

    timed_out, begun = is_("TimedOut"), is_("WorkStarted")
    if timed_out.any():
        late = running(m, timed_out) > 0  # the caller gave up; a worker may not know
        s[late & begun] = VAIN
        ended = late & is_("WorkEnded")
        s[ended], p[ended] = LOST, role.get("lost", -1)
    failed = np.flatnonzero(is_("InvocationFailed"))
    if len(failed):
        last = np.zeros(len(codes), dtype=int)
        np.maximum.at(last, m, np.arange(len(m)))
        over = failed[last[m[failed]] == failed]
        s[over], p[over] = LOST, role.get("lost", -1)

    received = is_("Received")
    times = running(m, received)
    n = np.maximum(times, 1 + running(m, is_("CopyReturned")))
    waits = is_("Sent", "BecameVisible", "Requested", "CopyReturned", "Redriven")
    held = np.isin(s, (HELD, WORKING, VAIN)) | (whose == 2)
    origin = np.select(
        [is_(*_FROM_ACTOR), is_(*_FROM_RESOURCE), is_("InvocationStarted")], [who, here, place[told.by]], -1
    )
    moves = {
        "t": told.time,
        "m": m,
        "k": k,
        "p": p,
        "a": np.where(held, actor_of[told.actor], -1),
        "o": origin,
        "s": s,
        "n": np.minimum(n, 255),
        "q": latest(m, np.where(waits, here, -1)),
        "d": received & (n == 2) & (times == 2),
    }
    return {name: values if name == "t" else small(values) for name, values in moves.items()}, codes


def _believed(k: np.ndarray, subject: np.ndarray, actor: np.ndarray) -> np.ndarray:
    """Which rows move a message. Work moves it only while its worker holds it: a worker may go on after the message has
    become visible again, or was deleted by another."""
    work = np.isin(k, [NAMES.index(x) for x in ("WorkStarted", "WorkEnded")])
    last = latest(subject, np.where(work, -1, np.arange(len(k))))
    held = (k[last] == NAMES.index("Received")) & (actor[last] == actor)
    direct = np.isin(k[last], [NAMES.index(x) for x in ("Accepted", "TimedOut")])
    return ~work | ((last >= 0) & (held | direct))


def running(group: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """For each entry: how many of its group are hits up to and including it."""
    order = np.argsort(group, kind="stable")
    total = np.cumsum(hit[order])
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    before = np.zeros(len(group), dtype=int)
    before[starts] = total[starts] - hit[order][starts]
    result = np.empty(len(group), dtype=int)
    result[order] = total - np.maximum.accumulate(before)
    return result


def latest(group: np.ndarray, value: np.ndarray) -> np.ndarray:
    """For each entry: the latest value of its group that is not -1, up to and including it; -1 when there is none."""
    order = np.argsort(group, kind="stable")
    sorted_value, sorted_group = value[order], group[order]
    index = np.maximum.accumulate(np.where(sorted_value >= 0, np.arange(len(group)), -1))
    known = (index >= 0) & (sorted_group[index] == sorted_group)
    result = np.empty(len(group), dtype=int)
    result[order] = np.where(known, sorted_value[index], -1)
    return result


def _rows(trace: Trace, columns: dict[str, np.ndarray], *kinds: str) -> np.ndarray:
    return np.flatnonzero(np.isin(columns["kind"], [code for kind in kinds if (code := trace.code(kind)) >= 0]))


def _number_of(codes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The number of the message with each of these subject codes; -1 for none."""
    order = np.argsort(codes)
    at = np.minimum(np.searchsorted(codes[order], wanted), max(0, len(codes) - 1))
    return np.where(codes[order][at] == wanted, order[at], -1) if len(codes) else np.full(len(wanted), -1)


def _groups(trace: Trace, columns: dict[str, np.ndarray], codes: np.ndarray) -> dict[str, Any] | None:
    """The message groups in the order of their appearance, and each message's (`of`, -1: none); None without groups."""
    rows = _rows(trace, columns, "JoinedGroup")
    if not len(rows):
        return None
    known: dict[str, int] = {}
    number = np.array([known.setdefault(str(trace.details[row]), len(known)) for row in rows.tolist()])
    of = np.full(len(codes), -1)
    m = _number_of(codes, columns["subject"][rows])
    of[m[m >= 0]] = number[m >= 0]
    return {"count": len(known), "names": list(known)[:GROUPS_NAMED], "of": small(of)}


def _holds(trace: Trace, columns: dict[str, np.ndarray], codes: np.ndarray) -> dict[str, np.ndarray]:
    """When a message was hidden, and until when: at each receive, and each time that its timeout was changed."""
    rows = _rows(trace, columns, "Received", "VisibilityChanged")
    m = _number_of(codes, columns["subject"][rows])
    rows, m = rows[m >= 0], m[m >= 0]
    return {"t": columns["time"][rows].astype("f4"), "m": small(m), "u": columns["until"][rows].astype("f4")}


def _marks(trace: Trace, columns: dict[str, np.ndarray], actor_of: np.ndarray) -> dict[str, np.ndarray]:
    """When an actor appeared, crashed, froze, came back."""
    seen: dict[int, float] = {}
    who = actor_of[columns["actor"]]
    for i, row in zip(*np.unique(who, return_index=True), strict=True):
        if i >= 0:
            seen[int(i)] = float(columns["time"][row])
    found = [(t, a, 0) for a, t in seen.items()]
    for row in trace.where(kind=tuple(MARKS)):
        code = trace.code(row.actor or row.resource)
        if 0 <= code < len(actor_of) and actor_of[code] >= 0:
            found.append((row.time, int(actor_of[code]), MARKS[row.kind]))
    found.sort(key=lambda mark: mark[0])
    t, a, s = zip(*found, strict=True) if found else ((), (), ())
    return {"t": np.array(t, dtype=np.float64), "a": np.array(a, dtype=np.int32), "s": np.array(s, dtype=np.uint8)}


def _servers(trace: Trace, place: np.ndarray) -> dict[str, np.ndarray]:
    rows = [r for r in trace.where(kind=tuple(SERVERS)) if place[trace.code(r.resource)] >= 0]
    return {
        "t": np.array([r.time for r in rows], dtype=np.float64),
        "p": np.array([place[trace.code(r.resource)] for r in rows], dtype=np.int32),
        "n": np.array([r.detail for r in rows], dtype=np.int32),
        "up": np.array([SERVERS[r.kind] for r in rows], dtype=np.uint8),
    }
