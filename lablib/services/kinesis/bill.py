"""What a stream costs: by shard and hour, or by what goes through it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lablib.aws.quotas import GIB, HOUR, MILLION
from lablib.kernel import Trace

_WEEK, _MONTH = 7 * 24, 730  # hours
_KINDS = (
    "StreamCreated", "StreamDeleted", "StreamChanged", "ShardSplit", "ShardsMerged", "ConsumerRegistered",
    "ConsumerDeregistered", "RecordPut", "RecordsRead", "RecordsPushed",
)  # fmt: skip


@dataclass(slots=True)
class _Stream:
    shards: set[str] = field(default_factory=set)
    consumers: int = 0
    on_demand: bool = False
    retention: int = 24  # hours
    since: float = 0.0
    kept: list[tuple[float, int]] = field(default_factory=list)  # when each record came, and its bytes


def bill(trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any], until: float) -> dict[str, float]:
    """Dollars by the price list. A provisioned stream: open shards by the hour, and each 25 KB of a record; retention
    over 24 hours and enhanced fan-out on top. A stream on demand: an hourly price, and the bytes that go in and out.
    """
    unit = quotas["kinesis.price_unit"]
    streams: dict[str, _Stream] = {}
    costs: dict[str, float] = {}

    def add(what: str, amount: float, price: str) -> None:
        if amount:
            costs[what] = costs.get(what, 0.0) + amount * float(quotas[f"kinesis.price_{price}"])

    def settle(stream: _Stream, now: float) -> None:
        hours, stream.since = (now - stream.since) / HOUR, now
        shard_hours = hours * len(stream.shards)
        if stream.on_demand:
            add("on-demand hours", hours, "on_demand_hour")
        else:
            add("shard hours", shard_hours, "shard_hour")
            add("enhanced fan-out hours", shard_hours * stream.consumers, "fan_out_hour")
        if stream.retention > 24:
            add("extended retention", shard_hours, "extended_hour")

    def close(stream: _Stream, now: float) -> None:
        settle(stream, now)
        for came, size in stream.kept if stream.retention > _WEEK else ():
            hours = min((now - came) / HOUR, stream.retention) - _WEEK
            add("long-term retention", max(0.0, hours / _MONTH) * size / GIB, "kept")

    times, resources, names = trace.column("time"), trace.column("resource"), trace.names
    for row in sorted(row for kind in _KINDS for row in rows.get(kind, ())):
        kind, detail, now = trace.name(trace.column("kind")[row]), trace.details[row], times[row]
        place = names[resources[row]]
        name = place.partition("/")[0]
        if kind == "StreamCreated":
            streams[name] = _Stream(set(detail), since=now)
            continue
        stream = streams.get(name)
        if stream is None:
            continue  # it is older than this trace
        if kind == "RecordPut":
            stream.kept.append((now, detail[1]))
            if stream.on_demand:
                add("on-demand in", detail[1] / GIB, "on_demand_in")
            else:
                add("PUT units", math.ceil(detail[1] / unit) / MILLION, "put")
        elif kind == "RecordsRead":
            add("on-demand out", detail[3] / GIB if stream.on_demand else 0, "on_demand_out")
        elif kind == "RecordsPushed":
            add("enhanced fan-out", detail[3] / GIB, "on_demand_fan_out" if stream.on_demand else "fan_out")
        else:
            settle(stream, now)
            if kind in ("ShardSplit", "ShardsMerged"):
                stream.shards = stream.shards - {place} | set(detail)
            elif kind == "StreamChanged" and detail["name"] == "mode":
                stream.on_demand = detail["value"] == "on demand"
            elif kind == "StreamChanged" and detail["name"] == "retention":
                stream.retention = int(detail["value"].split()[0])
            elif kind == "StreamDeleted":
                close(streams.pop(name), now)
            elif kind in ("ConsumerRegistered", "ConsumerDeregistered"):
                stream.consumers += 1 if kind == "ConsumerRegistered" else -1
    for stream in streams.values():
        close(stream, until)
    return costs
