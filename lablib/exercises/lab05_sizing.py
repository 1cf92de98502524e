"""The exercise of lab 05 on cost: how many shards, or on demand, and what a day costs."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from lablib.aws.quotas import GIB, MILLION
from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, cut, knobs, number, one_of, scaled
from lablib.exercises.learner import as_number
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.streams import STREAM, inside, make_stream

_DAYS = ("the same load all day", "ten busy minutes", "busy in the daytime", "hardly anything")
_ON_DEMAND = "on demand"
_MOST = 100  # shards
_LIMITS = "A shard takes 1,048,576 bytes (1 MiB) and 1,000 records a second, and gives its readers 2 MiB."
_CENT = 0.006  # dollars: what was rounded to cents is right


Load = list[tuple[int, int]]  # (seconds of the day, records a second)


def load_of(shape: int, peak: int) -> Load:
    """The load of a day: parts of it, and the records a second in each."""
    calm = max(1, peak // 40)
    shapes: tuple[Load, ...] = (
        [(86_400, peak)],
        [(43_200, calm), (600, peak), (42_600, calm)],
        [(21_600, 0), (43_200, peak), (21_600, calm)],
        [(86_400, calm)],
    )
    return shapes[shape]


def fewest_shards(load: Load, size: int, readers: int, quotas: Any) -> int:
    """The shards that take the busiest minutes in, and give it to readers who share them."""
    records = max(rate for _, rate in load)
    written, read = records * size / quotas["kinesis.shard_write"], records * size / quotas["kinesis.shard_read"]
    needs = (written, records / quotas["kinesis.shard_records"], readers * read)
    return max(1, *(math.ceil(need - 1e-9) for need in needs))


def dollars(choice: int | str, load: Load, size: int, readers: int, quotas: Any) -> float:
    """A day's cost by the price list of the lab's quotas."""
    price = {name: quotas[f"kinesis.price_{name}"] for name in (
        "shard_hour", "put", "unit", "on_demand_hour", "on_demand_in", "on_demand_out",
    )}  # fmt: skip
    records = sum(seconds * rate for seconds, rate in load)
    if choice == _ON_DEMAND:
        moved = price["on_demand_in"] + readers * price["on_demand_out"]
        return float(24 * price["on_demand_hour"] + records * size / GIB * moved)
    units = records * math.ceil(size / price["unit"])
    return float(24 * int(choice) * price["shard_hour"] + units / MILLION * price["put"])


class Size(Exercise):
    """The cheapest stream that refuses nothing."""

    id = "05.size"
    signature = "size(load, record_size, readers)"
    knobs = knobs(
        day=one_of(_DAYS),
        peak=scaled("{:d} records a second", 12, 1, 100),
        size=one_of(["500 B", "3 kB", "25,600 B", "25,601 B"]),
        readers=number("reader", 1, 4),
        seeds=0,
    )
    harmless = {"day": 0, "peak": 5, "size": 1}
    also = (
        {"day": 1, "peak": 12, "size": 0, "readers": 1}, {"day": 0, "peak": 12, "size": 0, "readers": 1},
        {"day": 0, "peak": 10, "size": 1, "readers": 4}, {"day": 1, "peak": 10, "size": 2, "readers": 1},
        {"day": 2, "peak": 12, "size": 1, "readers": 3}, {"day": 3, "peak": 12, "size": 2, "readers": 1},
        {"day": 1, "peak": 12, "size": 0, "readers": 4}, {"day": 1, "peak": 10, "size": 3, "readers": 1},
        {"day": 0, "peak": 1, "size": 3, "readers": 1}, {"day": 0, "peak": 10, "size": 0, "readers": 1},
    )  # fmt: skip
    examples = 40

    def play(self, stage: Stage, case: Any) -> None:
        load, size = load_of(case.day, 100 * case.peak), (500, 3_000, 25_600, 25_601)[case.size]
        answer = stage.cloud.run(lambda: stage.function(list(load), size, case.readers))
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise Problem(
                f"Your function returned {cut(answer, 50)}. Return two things: your choice, and its dollars a day."
            )
        choice: Any
        told: Any
        choice, told = (value if (one := as_number(value)) is None else one for value in answer)
        busiest = max(rate for _, rate in load)
        many = counted(case.readers, "reader")
        said = f"{busiest:,} records a second in the busiest minutes, {size:,} bytes each, {many}"
        is_count = isinstance(choice, int) and not isinstance(choice, bool) and 1 <= choice <= _MOST
        if not is_count and choice != _ON_DEMAND:
            wanted = f"a whole number (int) of shards from 1 to {_MOST}, or {_ON_DEMAND!r}"
            raise Problem(f"Your function chose {cut(choice, 50)}. Choose {wanted}.")
        quotas = stage.cloud.quotas
        ways: tuple[int | str, ...] = (fewest_shards(load, size, case.readers, quotas), _ON_DEMAND)
        best = min(ways, key=lambda way: dollars(way, load, size, case.readers, quotas))
        if is_count:
            self._try_out(stage, choice, busiest, size, case.readers, said)
        cost, least = (dollars(way, load, size, case.readers, quotas) for way in (choice, best))
        if cost > 1.01 * least:
            limits = f" {_LIMITS}" * (is_count and best != _ON_DEMAND)
            raise Problem(
                f"{said}, {_DAYS[case.day]}: you chose {_words(choice)}, for ${cost:.2f} a day. With {_words(best)} it "
                f"costs ${least:.2f}, and nothing is refused: {_parts(best, load, size, case.readers)}.{limits}"
            )
        if (
            isinstance(told, bool)
            or not isinstance(told, int | float)
            or not abs(told - cost) <= max(_CENT, 0.001 * cost)
        ):
            shown = f"${told:.4f}" if isinstance(told, int | float) else f"{repr(told)[:50]}, which is no number"
            raise Problem(
                f"{said}, {_DAYS[case.day]}: you say that a day of {_words(choice)} costs {shown}. It costs "
                f"${cost:.4f}: {_parts(choice, load, size, case.readers)}."
            )

    def _try_out(self, stage: Stage, shards: int, records: int, size: int, readers: int, said: str) -> None:
        """Two seconds of the busiest minutes, with keys that spread evenly; then what the readers would need."""
        kinesis = make_stream(stage, shards)
        step, refused = 2**128 // shards, 0
        for _ in range(2):
            for first in range(0, records, 100):
                some = range(first, min(first + 100, records))
                entries = [
                    {"Data": bytes(size - 5), "PartitionKey": f"{n:05}", "ExplicitHashKey": str(n % shards * step)}
                    for n in some
                ]
                answer = stage.cloud.run(partial(kinesis.put_records, StreamName=STREAM, Records=entries))
                refused += answer["FailedRecordCount"]
            stage.run(math.floor(stage.cloud.now) + 1.0)
        if refused:
            raise Problem(
                f"{said}: {_words(shards)} refused {refused:,} records in two seconds. A shard takes 1 MiB and 1,000 "
                f"records a second; here {records / shards:,.0f} records and {records * size / shards / 2**20:.2f} MiB "
                "came to each."
            )
        each = readers * records * size / shards
        if each > (limit := stage.cloud.quotas["kinesis.shard_read"]):
            raise Problem(
                f"{said}: each of {_words(shards)} would have to give {each / 2**20:.2f} MiB a second to its readers, "
                f"and gives {limit / 2**20:.0f} to all who poll it together. They fall behind for ever."
            )
        assert inside(stage).open_shards


def _parts(choice: int | str, load: Load, size: int, readers: int) -> str:
    """What the cost of a day is made of, in words."""
    records = sum(seconds * rate for seconds, rate in load)
    if choice == _ON_DEMAND:
        return f"24 hours, {records * size / GIB:.2f} GiB in, and as much out to {counted(readers, 'reader')}"
    return (
        f"24 hours of {_words(choice)}, and {records * math.ceil(size / 25_600) / MILLION:.2f} million PUT units, of "
        "25,600 bytes each, whole ones for each record"
    )


def _words(choice: int | str) -> str:
    return f"a stream {choice}" if choice == _ON_DEMAND else "1 shard" if choice == 1 else f"{choice} shards"


EXERCISES = (Size(),)
