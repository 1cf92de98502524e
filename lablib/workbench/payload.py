"""A run as bytes for the browser: which message was where when, in flat arrays; a fold over the trace.

`flow_state.js` reads this and says what it means. Arrays stay arrays on the way (no JSON of a hundred thousand
numbers), so a run of a thousand messages is packed in a few milliseconds.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from lablib.kernel import Trace
from lablib.scenarios import Run
from lablib.scenarios.scenario import Topology

WAITING, DELAYED, HELD, WORKING, DONE, DEAD, LOST, VAIN = range(8)
DTYPES = {"f8": np.float64, "f4": np.float32, "i4": np.int32, "u1": np.uint8}

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
}
ACTOR_STATES = ("up", "down", "frozen")
MARKS = {"Crashed": 1, "Restarted": 0, "Stalled": 2, "Resumed": 0}
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


def describe(run: Run) -> dict[str, Any]:
    """A run as the document that the animation plays."""
    trace, topology = run.trace, run.topology
    columns = {
        name: np.frombuffer(trace.column(name), dtype=np.int32) for name in ("kind", "resource", "subject", "actor")
    }
    columns["time"] = np.frombuffer(trace.column("time"), dtype=np.float64)
    columns["until"] = np.frombuffer(trace.column("until"), dtype=np.float64)
    place = _places(trace, topology, columns)
    actors, actor_of = _actors(trace, topology, columns, place)
    moves, messages = _moves(trace, topology, columns, place, actor_of)
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
        "kinds": list(MOVES),
        "moves": moves,
        "messages": messages,
        "marks": _marks(trace, columns, actor_of),
        "servers": _servers(trace, columns, place),
        "notable": {
            "t": np.array([n.time for n in notable], dtype=np.float64),
            "kind": [n.kind for n in notable],
            "text": [n.text for n in notable],
        },
    }


def _links(topology: Topology) -> list[tuple[int, int]]:
    number = {place.id: i for i, place in enumerate(topology.places)}
    return [(number[a], number[b]) for a, b in topology.links]


def _places(trace: Trace, topology: Topology, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Name code -> number of the place whose pattern it matches, or -1. An exact name goes before a pattern."""
    found = np.full(
        int(max((c.max(initial=0) for n, c in columns.items() if n in ("resource", "actor")), default=0)) + 1, -1
    )
    patterns = sorted(enumerate(topology.places), key=lambda pair: "*" in pair[1].match)
    for code in np.union1d(columns["resource"], columns["actor"]).tolist():
        name = trace.name(code)
        found[code] = next((i for i, p in patterns if name and fnmatchcase(name, p.match)), -1)
    return found


def _actors(
    trace: Trace, topology: Topology, columns: dict[str, np.ndarray], place: np.ndarray
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """The actors that hold messages, by place and name, and name code -> number in that list."""
    working = [i for i, p in enumerate(topology.places) if p.role in ("consumer", "server", "direct")]
    codes = [c for c in np.unique(columns["actor"]).tolist() if place[c] in working]
    codes.sort(key=lambda c: (place[c], len(trace.name(c)), trace.name(c)))
    number = np.full(len(place), -1, dtype=np.int32)
    number[codes] = range(len(codes))
    return [{"name": trace.name(c), "place": int(place[c])} for c in codes], number


def _moves(
    trace: Trace, topology: Topology, columns: dict[str, np.ndarray], place: np.ndarray, actor_of: np.ndarray
) -> tuple[dict[str, np.ndarray], list[str]]:
    of_kind = {trace.code(kind): i for i, kind in enumerate(MOVES) if trace.code(kind) >= 0}
    kinds, subjects = columns["kind"], columns["subject"]
    rows = np.flatnonzero(np.isin(kinds, list(of_kind)) & (subjects > 0))
    lookup = np.zeros(int(kinds.max(initial=0)) + 1, dtype=np.uint8)
    lookup[list(of_kind)] = list(of_kind.values())
    rows = rows[_believed(lookup[kinds[rows]], subjects[rows], columns["actor"][rows])]
    k = lookup[kinds[rows]]
    codes, first, m = np.unique(subjects[rows], return_index=True, return_inverse=True)
    order = np.argsort(first)  # messages are numbered as they appear
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    m = rank[m].astype(np.int32)

    names = list(MOVES)
    s = np.array([MOVES[n][0] for n in names], dtype=np.uint8)[k]
    whose = np.array([("resource", "actor", "done", "lost", "detail").index(MOVES[n][1]) for n in names])[k]
    here, who = place[columns["resource"][rows]], place[columns["actor"][rows]]
    role = {p.role: i for i, p in reversed(list(enumerate(topology.places)))}
    p = np.choose(whose, [here, who, role.get("done", -1), role.get("lost", -1), -1])
    s[(k == names.index("Sent")) & (columns["until"][rows] > columns["time"][rows])] = DELAYED
    for i in np.flatnonzero(whose == 4).tolist():
        dead = trace.code(str(trace.details[rows[i]]))
        p[i] = place[dead] if 0 <= dead < len(place) and place[dead] >= 0 else role.get("dead-letter", -1)

    late = _running(m, k == names.index("TimedOut")) > 0  # the caller gave up; a worker may not know
    s[late & (k == names.index("WorkStarted"))] = VAIN
    ended = late & (k == names.index("WorkEnded"))
    s[ended], p[ended] = LOST, role.get("lost", -1)

    copied = k == names.index("CopyReturned")
    n = np.maximum(_running(m, k == names.index("Received")), 1 + _running(m, copied))
    d = (n == 2) & ((k == names.index("Received")) & (_running(m, k == names.index("Received")) == 2))
    waits = np.isin(k, [names.index(x) for x in ("Sent", "BecameVisible", "Requested", "CopyReturned", "Redriven")])
    moves = {
        "t": columns["time"][rows],
        "m": m,
        "k": k,
        "p": p.astype(np.int32),
        "a": np.where(np.isin(s, (HELD, WORKING, VAIN)) | (whose == 2), actor_of[columns["actor"][rows]], -1).astype(
            np.int32
        ),
        "o": np.where(np.isin(k, (names.index("Sent"), names.index("Requested"))), who, -1).astype(np.int32),
        "s": s,
        "n": np.minimum(n, 255).astype(np.uint8),
        "q": _latest(m, np.where(waits, here, -1)).astype(np.int32),
        "d": d.astype(np.uint8),
    }
    return moves, [trace.name(c) for c in codes[order].tolist()]


def _believed(k: np.ndarray, subject: np.ndarray, actor: np.ndarray) -> np.ndarray:
    """Which rows move a message. Work moves it only while its worker holds it: a worker may go on after the message has
    become visible again, or was deleted by another."""
    names = list(MOVES)
    work = np.isin(k, [names.index("WorkStarted"), names.index("WorkEnded")])
    last = _latest(subject, np.where(work, -1, np.arange(len(k))))
    held = (k[last] == names.index("Received")) & (actor[last] == actor)
    direct = np.isin(k[last], [names.index("Accepted"), names.index("TimedOut")])
    return ~work | ((last >= 0) & (held | direct))


def _running(group: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """For each entry: how many of its group are hits up to and including it."""
    order = np.argsort(group, kind="stable")
    total = np.cumsum(hit[order])
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    before = np.zeros(len(group), dtype=int)
    before[starts] = total[starts] - hit[order][starts]
    result = np.empty(len(group), dtype=int)
    result[order] = total - np.maximum.accumulate(before)
    return result


def _latest(group: np.ndarray, value: np.ndarray) -> np.ndarray:
    """For each entry: the latest value of its group that is not -1, up to and including it; -1 when there is none."""
    order = np.argsort(group, kind="stable")
    sorted_value, sorted_group = value[order], group[order]
    index = np.maximum.accumulate(np.where(sorted_value >= 0, np.arange(len(group)), -1))
    known = (index >= 0) & (sorted_group[index] == sorted_group)
    result = np.empty(len(group), dtype=int)
    result[order] = np.where(known, sorted_value[index], -1)
    return result


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


def _servers(trace: Trace, columns: dict[str, np.ndarray], place: np.ndarray) -> dict[str, np.ndarray]:
    rows = [r for r in trace.where(kind=tuple(SERVERS)) if place[trace.code(r.resource)] >= 0]
    return {
        "t": np.array([r.time for r in rows], dtype=np.float64),
        "p": np.array([place[trace.code(r.resource)] for r in rows], dtype=np.int32),
        "n": np.array([r.detail for r in rows], dtype=np.int32),
        "up": np.array([SERVERS[r.kind] for r in rows], dtype=np.uint8),
    }
