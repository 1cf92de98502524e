"""A run as bytes for the browser: its tokens, places, actors and events, made small.

`js/model.js` reads this and says what it means. Columns stay columns on the way (no JSON of a hundred thousand
numbers), so a run of a thousand messages is packed in a few milliseconds, and needs no numpy.
"""

from __future__ import annotations

import json
from array import array
from itertools import compress, count
from pathlib import Path
from typing import Any

from lablib.measures.document import describe as plain
from lablib.scenarios import Run, Scenario

GROUPS_NAMED = 24  # of more groups only the first are named on the page: the picture has no room for them
_KINDS = {"d": "f8", "f": "f4", "i": "i4", "h": "i2", "H": "u2", "b": "i1", "B": "u1", "l": "i8", "q": "i8"}
_RANGES = {"B": (0, 255), "b": (-128, 127), "H": (0, 65_535), "h": (-32_768, 32_767)}
_FINE = 2_000.0  # seconds: in a longer run a float of four bytes would tell instants apart too coarsely
_SPARSE = ("left", "work_from", "work_until", "work_end", "visible_until", "orphan_from")
# What the end of a stay means for the work on it. Reasons that are not here mean nothing for it.
OUTCOMES = {
    "deleted": "done",
    "done": "done",
    "acknowledged": "done",
    "ignored": "vain",
    "in vain": "vain",
    "crashed": "crashed",
    "failed": "failed",
    "delivered": "told",
}
# Reasons and states whose words for people are not their own names.
SAID = {
    "ignored": "delete ignored",
    "given up by its caller": "gave up",
    "in vain": "in vain",
    "retrying": "waiting for the next attempt",
    "passing": "being passed on",
}


def pack(document: Any) -> bytes:
    """A JSON-able document that may hold arrays, as bytes: its JSON, then the arrays at multiples of eight.

    An array is anything of one dimension with the buffer protocol, of a type in `_KINDS`.
    """
    arrays: list[list[Any]] = []
    blobs: list[bytes] = []
    offset = 0

    def out(value: Any) -> Any:
        nonlocal offset
        try:
            view = memoryview(value)
            kind = _KINDS[view.format[-1:]]
        except (TypeError, KeyError):
            raise TypeError(f"cannot pack {type(value).__name__}") from None
        if kind == "i8":  # the page reads no whole numbers of eight bytes
            view, kind = memoryview(array("d", view.tolist())), "f8"
        blob = view.tobytes()
        arrays.append([kind, offset, len(view)])
        blobs.append(blob + bytes(-len(blob) % 8))
        offset += len(blobs[-1])
        return {"$": len(arrays) - 1}

    doc = json.dumps(document, default=out, separators=(",", ":"))
    head = f'{{"doc":{doc},"arrays":{json.dumps(arrays)}}}'.encode()
    head += b" " * (-(4 + len(head)) % 8)
    return len(head).to_bytes(4, "little") + head + b"".join(blobs)


def small(values: array[Any]) -> array[Any]:
    """Whole numbers in the narrowest type that holds them all."""
    low, high = min(values, default=0), max(values, default=0)
    fits = (code for code, (least, most) in _RANGES.items() if least <= low and high <= most)
    return array(next(fits, values.typecode), values)


def describe(run: Run) -> dict[str, Any]:
    """A run as the document that the page plays: that of the measures, without what the page can work out itself."""
    found = plain(run, counters=False)
    tokens, messages, parts = found["tokens"], found["messages"], found["parts"]
    time = "f" if found["duration"] <= _FINE else "d"
    columns: dict[str, Any] = {
        name: small(tokens[name]) for name in ("message", "delivery", "state", "place", "holder", "ended")
    }
    columns |= {name: array(time, tokens[name]) for name in ("t0", "t1")}
    columns["sparse"] = {name: _sparse(tokens[name], time) for name in _SPARSE}
    parents = messages["parent"]
    curve = run.scenario.curve
    same = ("title", "seed", "duration", "layout", "places", "actors", "reasons", "events", "actions")
    return {
        **{name: found[name] for name in same},
        "links": [[pipe[name] for name in ("from", "to", "t_from", "t_to", "capacity")] for pipe in found["pipes"]],
        "refused": {"t": array(time, found["refusals"]["t"]), "place": small(found["refusals"]["place"])},
        "states": [state["id"] for state in found["states"]],
        "outcomes": OUTCOMES,
        "said": {state["id"]: state["words"] for state in found["states"]} | SAID,
        "tokens": columns,
        "messages": len(messages["born"]),
        "unit": run.scenario.unit,
        "parent": small(parents) if any(parent >= 0 for parent in parents) else None,
        "from": small(messages["from"]),
        "to": small(messages["to"]) if any(place >= 0 for place in messages["to"]) else None,
        "groups": _named(found["groups"], messages["group"]),
        "servers": list(zip(parts["t"], parts["place"], parts["part"], parts["up"], strict=True)),
        "curve": {"name": curve.name, "label": curve.words},
        "painters": painters(type(run.scenario)),
        **_lens(run, tokens),
    }


def painters(scenario: type[Scenario]) -> list[str]:
    """The sources of the painters that a scenario brings along: files that its class names in `painters`."""
    return [Path(path).read_text(encoding="utf-8") for path in getattr(scenario, "painters", ())]


def subjects(run: Run) -> list[str]:
    """The subject (MessageId, request id) of each message, by the number that it has on the page."""
    tokens = run.tokens
    return [tokens.name(code) for code in tokens.subjects]


def _named(names: list[str], of: array[int]) -> dict[str, Any] | None:
    """Groups by number: how many, the names of the first, and each message's (-1: none); None without groups."""
    if not names:
        return None
    return {"count": len(names), "names": names[:GROUPS_NAMED], "of": small(of)}


def _sparse(column: array[float], time: str) -> dict[str, array[Any]]:
    """A column of which most is nothing: where there is something, and what."""
    there = [value == value for value in column]
    return {"at": small(array("i", compress(count(), there))), "value": array(time, compress(column, there))}


def _lens(run: Run, tokens: dict[str, Any]) -> dict[str, Any]:
    """What the scenario's lens looks at, and the hues of messages where they go by sender."""
    lens = run.scenario.lens(run)
    if not lens:
        return {}
    if undone := set(lens.pop("undone", ())):
        lens["undone"] = [number for number, subject in enumerate(subjects(run)) if subject in undone]
    if lens.get("hues") != "sender":
        return {"lens": lens}
    names: dict[str, int] = {}
    of: dict[int, int] = {}
    for message, row in zip(tokens["message"], tokens["row"], strict=True):
        if message not in of:
            of[message] = names.setdefault(run.sender(row), len(names))
    hues = array("i", [of.get(m, -1) for m in range(max(of, default=-1) + 1)])
    return {"lens": lens, "hues": {"count": len(names), "names": list(names), "of": small(hues)}}
