"""What a run of lab 06 tells: how long records waited, the objects that were written, and what its painters need."""

from __future__ import annotations

from array import array
from typing import Any

from lablib.kernel import Row
from lablib.scenarios.run import Run

DELIVERY = "riders-to-s3"
MIB = 1 << 20


def stream_waits(run: Run) -> list[tuple[float, float]]:
    """When your code began with each record for the first time, and how long that record had waited."""
    put = {row.subject: row.time for row in run.trace.where("RecordPut")}
    found: dict[str, tuple[float, float]] = {}
    for row in run.trace.where("WorkStarted"):
        if row.subject in put:
            found.setdefault(row.subject, (row.time, row.time - put[row.subject]))
    return list(found.values())


def delivery_waits(run: Run) -> list[tuple[float, float, str]]:
    """When each record was delivered to the bucket, how long it had waited, and why its buffer had closed."""
    come: dict[str, float] = {}
    found = []
    for row in run.trace.where(("RecordAccepted", "RecordTaken", "RecordDelivered"), resource=DELIVERY):
        if row.kind != "RecordDelivered":
            come[row.subject] = row.time
        elif row.subject in come:
            found.append((row.time, row.time - come[row.subject], _why(run, row)))
    return found


def _why(run: Run, row: Row) -> str:
    """Why the buffer closed from which this delivery comes."""
    closed = next((r for r in run.trace.chain(row.index) if r.kind == "BufferClosed"), None)
    return str(closed.detail["why"]) if closed else ""


def objects(run: Run, part: str = "") -> list[tuple[Row, str]]:
    """The objects that Firehose wrote: the rows BatchDelivered, and why the buffer had closed. `part`: "" for the
    records themselves, "errors" or "backup"."""
    place = f"{DELIVERY}/{part}" if part else DELIVERY
    return [(row, _why(run, row)) for row in run.trace.where("BatchDelivered", resource=place)]


def attempts(run: Run) -> list[Row]:
    return run.trace.where("BatchFailed", resource=DELIVERY)


def lost(run: Run) -> list[Row]:
    return run.trace.where(("RecordLost", "RiderLost"))


def picture(run: Run) -> dict[str, Any]:
    """What the painters need to know besides the tokens: waits, the level of the buffer, objects. See
    `js/painters/buffer.js`, `shelf.js`, `clouds.js`."""
    kinds = {"": 0, "time": 1, "size": 2, "change": 1}
    waits = [(t, wait, 0) for t, wait in stream_waits(run)]
    waits += [(t, wait, kinds[why]) for t, wait, why in delivery_waits(run)]
    waits.sort()
    values = run.scenario.values()
    level, cycles = _levels(run)
    shelves = {"bucket": "", "errors": "errors", "backup": "backup"}
    return {
        "waits": {
            "t": array("d", [t for t, _, _ in waits]),
            "wait": array("d", [wait for _, wait, _ in waits]),
            "kind": array("b", [kind for _, _, kind in waits]),
        },
        "buffer": {
            "limits": [values["buffer_size"] * MIB, values["buffer_time"]],
            "level": {"t": array("d", [t for t, _ in level]), "y": array("d", [y for _, y in level])},
            "since": {"t": array("d", [t for t, _ in cycles]), "y": array("d", [y for _, y in cycles])},
            "closed": [[row.time, row.detail["why"]] for row in run.trace.where("BufferClosed", resource=DELIVERY)],
            "failed": [[row.time, row.until, row.detail["attempt"]] for row in attempts(run)],
            **_transforming(run),
        },
        "objects": {
            place: [[row.time, row.detail["records"], row.detail["bytes"], why] for row, why in objects(run, part)]
            for place, part in shelves.items()
        },
    }


def _levels(run: Run) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """What is in the buffer, as steps (time, bytes); and when its oldest record came, as steps (time, time): -1 while
    it is empty."""
    level, since = [(0.0, 0.0)], [(0.0, -1.0)]
    count = size = 0.0
    values = run.scenario.values()
    come = ("RecordsTransformed",) if values["transform"] else ("RecordAccepted", "RecordTaken")
    for row in run.trace.where((*come, "BufferClosed"), resource=DELIVERY):
        if row.kind == "BufferClosed":
            count, size = count - row.detail["records"], size - row.detail["bytes"]
            since.append((row.time, row.time if count > 0 else -1.0))
            size = size if count > 0 else 0.0
        else:
            more = row.detail["Ok"] if values["transform"] else 1
            count, size = count + more, size + (more * values["size"] if values["transform"] else row.detail)
            if since[-1][1] < 0:
                since.append((row.time, row.time))
        level.append((row.time, max(0.0, size)))
    return level, since


def _transforming(run: Run) -> dict[str, Any]:
    """With a transform: how long records wait for it, and since when they do; see `_levels`."""
    if not run.scenario.values()["transform"]:
        return {}
    since, waiting = [(0.0, -1.0)], 0
    for row in run.trace.where(("RecordAccepted", "RecordTaken", "TransformBegun"), resource=DELIVERY):
        if row.kind == "TransformBegun":
            waiting -= row.detail["records"]
            since.append((row.time, row.time if waiting > 0 else -1.0))
        else:
            waiting += 1
            if since[-1][1] < 0:
                since.append((row.time, row.time))
    return {"transform": {"t": array("d", [t for t, _ in since]), "y": array("d", [y for _, y in since]), "limit": 60}}
