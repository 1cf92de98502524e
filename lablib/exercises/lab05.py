"""The exercises of lab 05: partition keys, a producer, a consumer with checkpoints, resharding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from lablib.aws.service import ServiceError
from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, cut, flag, knobs, one_of, scaled, some, there
from lablib.exercises.case import number as numbered
from lablib.exercises.lab05_reading import EXERCISES as READING
from lablib.exercises.lab05_sizing import EXERCISES as SIZING
from lablib.exercises.stage import GIVES_UP, Problem, Stage
from lablib.exercises.streams import STREAM, hash_of, inside, make_stream, put_by_shop


def _stored(stage: Stage) -> list[Any]:
    """All records of the stream, shard by shard."""
    return [record for shard in inside(stage).shards.values() for record in shard.records]


# ---- 05.keys ---------------------------------------------------------------------------------------------------------


class System(NamedTuple):
    """A system that puts records: those with the same value of `key` must stay in order, no others."""

    name: str
    key: str
    fields: dict[str, tuple[str, ...]]  # the values of each field, in turn

    def record(self, n: int) -> dict[str, str]:
        """The n-th record, from 0. Its fields come in another order each time."""
        items = [(name, values[n % len(values)]) for name, values in self.fields.items()]
        return dict([*items[n % 3 :], *items[: n % 3], ("number", str(n))])


_SYSTEMS = (
    System("trucks", "truck", {
        "truck": ("truck-1", "truck-2", "truck-12", "truck-21", "truck-1-2"),
        "depot": ("north", "north", "south", "north", "south"), "position": ("37.1 N", "37.2 N", "37.1 N"),
    }),
    System("clicks", "session", {
        "session": ("a1", "a11", "b1", "A1", "a1b", "a1-1", "b-1"),
        "country": ("KR", "KR", "KR", "KR", "DE"), "page": ("/", "/cart", "/pay"),
    }),
    System("machines", "machine", {
        "machine": ("press 1", "press 11", "saw 1", "press 112", "press 11 2"),
        "factory": ("busan", "busan", "busan", "seoul"), "value": ("20", "21", "20"),
    }),
)  # fmt: skip


def same_key_for_what_needs_order(stage: Stage) -> Iterator[Problem]:
    """What must stay in order has one key. `stage.given` is the system and (record, key) pairs."""
    system, pairs = stage.given
    keys: dict[str, str] = {}
    for n, (record, key) in enumerate(pairs, 1):
        what = record[system.key]
        if keys.setdefault(what, key) != key:
            yield Problem(
                f"The records of {system.key} {what!r} must stay in order, but record {n} has the key {cut(key, 50)} "
                f"and an earlier one {cut(keys[what], 50)}. Two keys can fall into two shards, and nothing keeps order "
                "between shards."
            )


def other_keys_for_the_rest(stage: Stage) -> Iterator[Problem]:
    """What needs no order can go to different shards."""
    system, pairs = stage.given
    owner: dict[str, str] = {}
    for record, key in pairs:
        what = record[system.key]
        if owner.setdefault(key, what) != what:
            shared = sum(k == key for _, k in pairs)
            yield Problem(
                f"{system.key.capitalize()} {owner[key]!r} and {system.key} {what!r} have the same key {cut(key, 50)}: "
                f"{shared} of {len(pairs)} records of system {system.name!r} fall into one shard, which takes 1,000 "
                "records a second, while the others have little to do."
            )


class Keys(Exercise):
    """The partition key of three systems."""

    id = "05.keys"
    signature = "key(system, record)"
    knobs = knobs(system=one_of([f"system {s.name!r}" for s in _SYSTEMS]), records=numbered("record", 2, 20), seeds=0)
    harmless = {"records": 8}
    also = ({"records": 20, "system": 1}, {"records": 20, "system": 2})
    examples = 30
    faults = (same_key_for_what_needs_order, other_keys_for_the_rest)

    def play(self, stage: Stage, case: Any) -> None:
        make_stream(stage, 4)
        system = _SYSTEMS[case.system]
        records = [system.record(n) for n in range(case.records)]
        keys = stage.cloud.run(lambda: [stage.function(system.name, dict(record)) for record in records])
        for n, key in enumerate(keys, 1):
            if not isinstance(key, str):
                raise Problem(f"Your function returned {cut(key)}. A partition key is a text of 1 to 256 characters.")
            try:
                put_by_shop(stage, f"record {n}", key)
            except ServiceError as refused:
                raise Problem(f"Kinesis does not take the key {cut(key)}: {refused.message}") from None
        stage.given = system, list(zip(records, keys))


# ---- 05.producer -----------------------------------------------------------------------------------------------------

_COUNTS = (3, 0, 1, 500, 501, 1600)
_BIG = 52_421  # bytes: a hundred of them are too many for a call, but only with the bytes of their keys
_HUGE = 1_000_000  # bytes of the first two of many big ones


def every_record_is_there(stage: Stage) -> Iterator[Problem]:
    """Each record is in the stream. `stage.given` is a list of (key, data), one for each."""
    stored, wanted = Counter((record.key, record.data) for record in _stored(stage)), Counter(stage.given)
    missing = list((wanted - stored).elements())
    if not missing:
        return
    n = stage.given.index(missing[0]) + 1
    calls = [row for row in stage.api_calls("PutRecords") if isinstance(row.detail, int)]
    text = f"{counted(len(missing), 'record')} of {len(stage.given)} are not in the stream; the first is record {n}."
    if not stage.api_calls():
        yield Problem(f"{text} Your function called nothing.")
    foreign = [record for record in stored if record not in wanted]
    if foreign:
        key, data = foreign[0]
        yield Problem(f"{text} There is a record {cut(data, 40)} with the key {cut(key, 30)} that nobody asked for.")
    if refusal := stage.refusal("PutRecords", "PutRecord"):
        yield Problem(f"{text} {refusal}")
    if not stage.case.failing and not stage.trace.where("WriteThrottled"):
        yield Problem(f"{text} It was never put. Two records can be equal, and are still two records.", calls=calls[:1])
    yield Problem(
        f"{text} PutRecords can succeed while some of its records are refused: FailedRecordCount says how many, and "
        "Records lists the results in the order of your request. Put those with an ErrorCode again, until none is "
        "left.",
        calls=calls[:1],
    )


def none_is_there_twice(stage: Stage) -> Iterator[Problem]:
    """A record comes again only when the answer to its call was lost."""
    stored, wanted = Counter((record.key, record.data) for record in _stored(stage)), Counter(stage.given)
    extra = list((stored - wanted).elements())
    lost = [row for row in stage.api_calls() if row.detail == "AnswerLost"]
    if len(extra) <= 500 * len(lost) or stage.trace.where("Crashed"):  # who starts again puts all again
        return
    rows = [row.subject for row in stage.trace.where("RecordPut")]
    twice = [r.sequence_number for r in _stored(stage) if (r.key, r.data) == extra[0]][:3]
    n = stage.given.index(extra[0]) + 1 if extra[0] in stage.given else 0
    yield Problem(
        f"Of {len(rows)} records in the stream {there(len(extra), 'record')} there once too often, such "
        f"as record {n}: it was accepted, and put again. Put only what was refused: the results stand in the order of "
        "your request.",
        twice,
    )


def where_the_key_says(stage: Stage) -> Iterator[Problem]:
    """The key decides into which shard a record falls."""
    for shard in inside(stage).shards.values():
        for record in shard.records:
            if not shard.low <= hash_of(record.key) <= shard.high:
                yield Problem(
                    f"A record with the key {cut(record.key, 30)} is in {shard.id}, where its key does not put it. An "
                    "ExplicitHashKey decides instead of the key. Leave it out: the key spreads the records.",
                    [record.sequence_number],
                )


def few_calls(stage: Stage) -> Iterator[Problem]:
    """A call takes up to 500 records, and nothing hurries against a full shard."""
    calls, budget = len(stage.api_calls()), 20 + len(stage.given) // 16
    if calls > budget:
        full = len({row.cause for row in stage.trace.where("WriteThrottled")})
        why = (
            f"{full} of them met a full shard. It has room again in the next second: wait before you put again."
            if full > calls / 2
            else "PutRecords takes up to 500 records."
        )
        yield Problem(
            f"{counted(len(stage.given), 'record')} took {counted(calls, 'call')}; {budget} are allowed. {why}"
        )


class Producer(Exercise):
    """Every record is in the stream, and none is put again without need."""

    id = "05.producer"
    signature = "put(kinesis, stream_name, records)"
    knobs = knobs(
        count=one_of([counted(n, "record") for n in _COUNTS]),
        failing=some("call{s} in which a part of the records is refused", 11),
        throttled=some("throttled call{s}", 2),
        refused=flag("Kinesis refuses the first call for good"),
        lost=flag("a lost answer"),
        big=flag(f"records of {_BIG // 1000} kB and of 1 MB"),
        alike=flag("equal records"),
    )
    harmless = {}
    also = (
        {"count": 5, "failing": 3}, {"count": 3, "big": 1}, {"count": 4, "lost": 1}, {"count": 0, "failing": 2},
        {"count": 1}, {"count": 5, "alike": 1, "failing": 2}, {"refused": 1}, {"count": 3, "failing": 9},
    )  # fmt: skip
    examples = 40
    events = 12_000
    advice = {"exceeds 5 MB": "A request takes 5 MiB: the bytes of all data and of all keys, key.encode()."}
    faults = (every_record_is_there, none_is_there_twice, where_the_key_says, few_calls)

    def play(self, stage: Stage, case: Any) -> None:
        kinesis = make_stream(stage, 40)
        count = _COUNTS[case.count]
        names = [f"order {n % 3 if case.alike else n}" for n in range(count)]
        sizes = [(_HUGE if n < 2 and count > 100 else _BIG) if case.big else 20 for n in range(count)]
        stage.given = [(f"고객-{n % 37}", name.encode().ljust(sizes[n], b".")) for n, name in enumerate(names)]
        stage.fault("partial", ("PutRecords",), case.failing, share=0.4)
        stage.fault("throttle", ("PutRecords", "PutRecord"), case.throttled + case.refused * GIVES_UP)
        stage.fault("lost_answer", ("PutRecords", "PutRecord"), case.lost)
        records = [{"key": key, "data": data} for key, data in stage.given]
        stage.call("producer", kinesis, STREAM, records, until=stage.cloud.now + 3600)
        stage.reach("count", count)


# ---- 05.split --------------------------------------------------------------------------------------------------------

_LIMIT = 1000  # kB a second: what a shard takes


class Split(Exercise):
    """The fewest shards that take the load."""

    id = "05.split"
    signature = "resize(kinesis, stream_name, load)"
    knobs = knobs(keys=numbered("key", 1, 24), weight=scaled("up to {:d} kB/s a key", 10, 1, 100))
    harmless = {"keys": 6, "weight": 6}
    also = ({"keys": 24, "weight": 10}, {"keys": 24, "weight": 3}, {"keys": 1, "weight": 10})
    examples = 25
    target = 150
    par = 100
    unit = "% of the fewest possible shards"
    advice = {
        "only open shards can be split": "ListShards names closed shards, too. The open ones: "
        'ShardFilter={"Type": "AT_LATEST"}.'
    }

    def play(self, stage: Stage, case: Any) -> float:
        kinesis, chance = make_stream(stage, 1), stage.cloud.chance.stream("load")
        load = {f"truck-{n + 1}": 10 + chance.integer(100 * case.weight - 9) for n in range(case.keys)}
        stream = inside(stage)
        stage.call("resize", kinesis, STREAM, dict(load), until=stage.cloud.now + 7200)
        stage.run(stage.cloud.now + 60)
        if stage.cloud.service("kinesis").streams.get(STREAM) is not stream:
            raise Problem(
                "Your function deleted the stream, and all records with it. Split its shards: what is in them stays."
            )
        shards = stream.open_shards
        for shard in shards:
            mine = {key: size for key, size in load.items() if shard.low <= hash_of(key) <= shard.high}
            if sum(mine.values()) > _LIMIT:
                parts = ", ".join(f"{key} {size}" for key, size in sorted(mine.items(), key=lambda item: -item[1])[:6])
                raise Problem(
                    f"{shard.id} gets {sum(mine.values())} kB a second, and takes {_LIMIT}: {parts} kB/s fall into it. "
                    f"The stream has {counted(len(shards), 'open shard')}."
                )
        fewest, room = 0, 0
        for key in sorted(load, key=hash_of):
            if load[key] > room:
                fewest, room = fewest + 1, _LIMIT
            room -= load[key]
        if len(shards) > 1.5 * fewest + 1:
            raise Problem(
                f"The stream has {len(shards)} open shards, and {fewest} would do: every one costs $0.015 an hour. "
                "Split where the load is, not in the middle."
            )
        return 100.0 * len(shards) / fewest


EXERCISES = (Keys(), Producer(), *READING, Split(), *SIZING)
