"""The exercises of lab 05 about reading: a consumer with checkpoints, a stream that was resharded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from lablib.aws.event import Event
from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, cut, flag, knobs, scaled, some
from lablib.exercises.case import number as numbered
from lablib.exercises.partners import Partner, WorkFailed
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.story import once
from lablib.exercises.streams import STREAM, empty_reads, inside, make_stream, put_by_shop, slow_reads
from lablib.kernel import Row

# ---- 05.consumer -----------------------------------------------------------------------------------------------------

_EVERY = 20  # records: a checkpoint must come at least so often
_SECONDS = 0.05  # of work on a record
_LONG = 60.0  # seconds without a call: records come late for no other reason
_SILENCE = 60.0  # seconds without a new record
_HOUR, _DAY = 4200.0, 90_000.0  # seconds of silence that follow. A day has 1,200 reads: only where little else happens
_LITTLE = 2  # records of one shard
_SLOW = 75.0  # seconds that a read of each shard takes then, together: an iterator is good for 300
_KEPT = 48  # hours that the stream keeps records
_MANY_REFUSED = 50  # reads, in a program that runs for ever
_RATE = "A shard answers five GetRecords calls a second, for all who poll it together: others are refused as well."
_ONE_BY_ONE = "Do the records of a {} one by one: no pool of threads for them."
_EVENTS = (
    Event("CheckpointWritten", "{actor} notes that {resource} is done up to this record"),
    Event("CheckpointRead", "{actor} asks how far {resource} is done"),
)


class Checkpoints:
    """A table with one row for each shard: how far it is done. It survives every crash."""

    def __init__(self, stage: Stage, work: RecordWork) -> None:
        stage.trace.declare(_EVENTS)
        self._stage, self._work = stage, work
        self._rows: dict[str, str] = {}

    def get(self, shard_id: str) -> str | None:
        """The sequence number that was put last for this shard; None when none was."""
        self._check("get", shard_id)
        self._stage.cloud.kernel.sleep(0.01)
        self._stage.trace.add("CheckpointRead", shard_id, self._rows.get(shard_id, ""), self._stage.caller)
        return self._rows.get(shard_id)

    def put(self, shard_id: str, sequence_number: str) -> None:
        """Note that this shard is done up to and with this record."""
        self._check("put", shard_id, sequence_number)
        numbers = [record.sequence_number for record in inside(self._stage).shards[shard_id].records]
        if sequence_number not in numbers:
            self._stage.fail(
                f"checkpoints.put({cut(shard_id, 30)}, {cut(sequence_number, 20)}): no record of this shard has that "
                'sequence number. Give the record["SequenceNumber"] of the last one that is done.'
            )
        self._stage.cloud.kernel.sleep(0.01)
        self._stage.trace.add("CheckpointWritten", shard_id, sequence_number, self._stage.caller)
        self._rows[shard_id] = sequence_number
        undone = [n for n in numbers[: numbers.index(sequence_number) + 1] if n not in self._work.done]
        if undone:
            name = self._stage.labels[undone[0]]
            self._stage.fail(
                f"The checkpoint says that {shard_id} is done up to {self._stage.labels[sequence_number]}, but {name} "
                "is not done. After a crash nobody would ever do it. Note what is done, never what was only read.",
                undone[0],
            )

    def _check(self, what: str, shard_id: object, *more: object) -> None:
        if shard_id not in list(inside(self._stage).shards):
            given = ", ".join(cut(value, 30) for value in (shard_id, *more))
            self._stage.fail(
                f"checkpoints.{what}({given}): the stream has no shard of that name. A checkpoint is kept for each "
                "ShardId, such as 'shardId-000000000000', which comes first."
            )


class RecordWork(Partner):
    """`process(record)`: work on one record that GetRecords gave. It can fail."""

    def __init__(self, stage: Stage, crash: int, failing: int, more: int = 0) -> None:
        """`failing`: the work that fails, counted over all; the same record fails so many times `more`."""
        super().__init__(stage, crash)
        self._failing, self._left = failing, 1 + more
        self._bad = ""
        self.done: Counter[str] = Counter()
        self.order: list[str] = []
        self._names = {name: number for number, name in stage.labels.items()}

    def __call__(self, record: dict[str, Any]) -> None:
        """Work on the record. Raises WorkFailed."""
        if not isinstance(record, dict) or "SequenceNumber" not in record:
            self.stage.fail(f"process was called with {cut(record)}. Call it with one record of GetRecords' Records.")
        number = record["SequenceNumber"]
        row, step = self.note("WorkStarted", "work", number, -1), self._begun + 1

        def finish() -> None:
            if step == self._failing:
                self._bad = number
            if number == self._bad and self._left:
                self._left -= 1
                self.stage.reach("fails")
                self.note("WorkFailed", "work", number, row)
                raise WorkFailed(f"the work on {self.stage.labels.get(number, 'a record')} failed")
            self.note("WorkEnded", "work", number, row)
            self.done[number] += 1
            self.order.append(number)

        self.perform(_SECONDS, finish)


def _where(stage: Stage, number: str) -> tuple[Any, int]:
    """The shard of a record, and the record's place in it."""
    return next(
        (shard, shard.first + n)
        for shard in inside(stage).shards.values()
        for n, record in enumerate(shard.records)
        if record.sequence_number == number
    )


def _answers_with(stage: Stage, number: str) -> list[Row]:
    """The answers that brought this record."""
    shard, at = _where(stage, number)
    reads = stage.trace.where("RecordsRead", resource=f"{STREAM}/{shard.id}")
    return [row for row in reads if row.detail[0] <= at < sum(row.detail[:2])]


def _unread(stage: Stage, number: str) -> str:
    """Why nobody worked on this record, in words: how the reading of its shard ended. "" when that never began, or
    began behind the record.
    """
    if brought_it := _answers_with(stage, number):
        row = brought_it[0]
        last = " MillisBehindLatest was 0 in it: nothing follows, and what it brought is to be done." * (
            not row.detail[2]
        )
        return f"It came with the answer of {row.time:.2f} s, and process was not called with it.{last}"
    shard, at = _where(stage, number)
    brought, reads = 0, stage.trace.where(("RecordsRead", "ReadBroughtNothing"), resource=f"{STREAM}/{shard.id}")
    for row in reads:
        how, behind = "was empty", row.detail
        if row.kind == "RecordsRead":
            first, _, behind, _ = row.detail
            how, brought = "ended before it", max(brought, first)
    if not reads or brought > at:
        return ""
    return (
        f"The last answer of {shard.id} {how}, and MillisBehindLatest was {behind:,}: more records follow. Go on with "
        "NextShardIterator until that is 0, or until a closed shard has none."
    )


def all_done(stage: Stage) -> Iterator[Problem]:
    """Every record was worked on. `stage.given` is the work."""
    for number, name in stage.labels.items():
        if not stage.given.done[number]:
            tried = stage.trace.where("WorkStarted", subject=number)
            failed = stage.trace.where("WorkFailed", subject=number)
            why = _unread(stage, number) or _opened_few(stage) or _asked_last(stage)
            why = f"No work on it was begun. {why}".rstrip()
            if failed:
                why = f"Its work failed at {failed[-1].time:.2f} s, and nobody tried it again. It stays in the shard."
            elif tried:
                why = "Its work was begun, and cut off by a crash. After a crash begin behind the last checkpoint."
            yield Problem(f"{name} is not done after {stage.cloud.now:.0f} s. {why}", [number])


def _opened_few(stage: Stage) -> str:
    """That some shards cannot have been read, because too few iterators were made: in words."""
    opened, shards = len(stage.api_calls("GetShardIterator")), len(inside(stage).shards)
    if not 0 < opened < shards:
        return ""
    return (
        f"The stream has {counted(shards, 'shard')}, and GetShardIterator was called {once(opened)}. An open shard "
        "never ends, so a loop that reads one to its end comes to no other. Read the shards in turn."
    )


def _asked_last(stage: Stage) -> str:
    """When the program asked for records the last time, if that was long ago: in words."""
    calls = stage.api_calls("GetRecords")
    if not calls or stage.cloud.now - calls[-1].time < _LONG:
        return ""
    return f"The last GetRecords call was at {calls[-1].time:.2f} s. Ask for new records at least once a minute."


def few_again(stage: Stage) -> Iterator[Problem]:
    """What is behind a checkpoint is not done again, and little else is."""
    again = [number for number, count in stage.given.done.items() if count > 1]
    stops = int(stage.reached["crash"] + stage.reached["fails"])
    for number in again:
        ends = stage.trace.where("WorkEnded", subject=number)
        notes = stage.trace.where("CheckpointWritten")
        noted = next((n for n in notes if n.time < ends[1].time and _covers(stage, n, number)), None)
        if noted:
            yield Problem(
                f"{stage.labels[number]} was done again at {ends[1].time:.2f} s, though the checkpoint of "
                f"{noted.time:.2f} s covers it. Begin AFTER the sequence number of the checkpoint.",
                [number],
            )
    if len(again) > _EVERY * max(stops, 0):
        yield Problem(
            f"{counted(len(again), 'record')} were done more than once, with {counted(stops, 'interruption')}: "
            f"{_EVERY} a time are allowed, of all shards together. Write a checkpoint at least every {_EVERY} records, "
            "and before you go on to another shard, and read it when you start.",
            again[:1],
        )


def _covers(stage: Stage, note: Row, number: str) -> bool:
    numbers = [record.sequence_number for record in inside(stage).shards[note.resource].records]
    return number in numbers and numbers.index(number) <= numbers.index(note.subject)


def in_the_order_of_the_shard(stage: Stage) -> Iterator[Problem]:
    """A record of a shard is begun when the one in front of it is done."""
    begun, done, failed = (_first(stage, kind) for kind in ("WorkStarted", "WorkEnded", "WorkFailed"))
    for shard in inside(stage).shards.values():
        numbers = [record.sequence_number for record in shard.records if record.sequence_number in done]
        for one, two in pairwise(numbers):
            start = begun[two].index
            if start < done[one].index:
                how, cure = "done", "GetRecords gives the records of a shard in order: do them in that order."
                if one in failed and failed[one].index < start:
                    cure = "Order is all that a shard gives: do not skip a record that fails, and go on with it."
                elif begun[one].index < start:
                    how, cure = "begun", _ONE_BY_ONE.format("shard")
                yield Problem(
                    f"{stage.labels[two]} was {how} before {stage.labels[one]}{' was done' * (how == 'begun')}, which "
                    f"stands in front of it in {shard.id}. {cure}",
                    [one, two],
                )


def _first(stage: Stage, kind: str) -> dict[str, Row]:
    """The first row of that kind for each record."""
    return {row.subject: row for row in reversed(stage.trace.where(kind))}


def _hurries(stage: Stage, allowed: int) -> bool:
    """Were more reads refused? Where answers are empty, who asks again at once is forgiven."""
    return not stage.case.empty and len(stage.trace.where("ReadThrottled")) > allowed


def _too_fast(stage: Stage, cure: str) -> Problem:
    refused, calls = stage.trace.where("ReadThrottled"), stage.api_calls("GetRecords")
    return Problem(
        f"{len(refused)} of {len(calls)} GetRecords calls were refused, and sent again by boto3. {_RATE} {cure}",
        calls=refused[:3],
    )


def waits_between_reads(stage: Stage) -> Iterator[Problem]:
    """It does not ask without a pause."""
    if _hurries(stage, _MANY_REFUSED):
        yield _too_fast(stage, "Sleep between two calls, also when an answer is empty.")


class Consumer(Exercise):
    """A consumer that loses nothing in a crash, and does little twice."""

    id = "05.consumer"
    signature = "consumer(kinesis, stream_name, checkpoints, process)"
    knobs = knobs(
        empty=empty_reads(),
        records=numbered("record", 0, 90),
        shards=numbered("shard", 1, 3),
        fails=scaled("the work fails at record number {:d}", 40),
        more=some("more failure{s} of the same record", 6),
        crash=scaled("a crash right after record number {:d} is done", 60),
        late=flag("records that come after a long silence, with slow answers"),
    )
    harmless = {"records": 12, "shards": 1}
    also = (
        {"records": 60, "shards": 2, "crash": 50}, {"records": 60, "shards": 1, "fails": 30},
        {"records": 12, "shards": 1, "fails": 5, "more": 6},
        {"records": 8, "shards": 2, "late": 1}, {"records": 1, "shards": 3}, {"records": 2, "shards": 1, "late": 1},
        {"records": 30, "shards": 1, "crash": 21},
        {"records": 12, "shards": 2, "empty": 4}, {"records": 90, "shards": 2, "crash": 52},
    )  # fmt: skip
    examples = 40
    events = 12_000
    advice = {
        "ExpiredIteratorException": "An iterator is good for five minutes. Go on with the NextShardIterator of the "
        "answer before, and ask at least once a minute.",
        "IndexError": "An answer can have no records.",
    }
    causes = (in_the_order_of_the_shard, waits_between_reads)
    faults = (all_done, few_again)

    def play(self, stage: Stage, case: Any) -> None:
        kinesis = make_stream(stage, case.shards, case.empty)
        for n in range(case.records):
            put_by_shop(stage, f"record-{n + 1}", f"customer-{n % 7}")
        work = RecordWork(stage, 2 * case.crash, case.fails, case.more)
        table = Checkpoints(stage, work)
        stage.given = work
        stage.keep_running("consumer-1", kinesis, STREAM, table, work, survives=(WorkFailed,))
        begun = stage.cloud.now
        if case.late:
            if stage.run(begun + _SILENCE, lambda: _hurries(stage, _MANY_REFUSED)):
                return
            calm = case.shards == 1 and case.records <= _LITTLE
            inside(stage).keep_for(_KEPT)
            with slow_reads(stage, _SLOW / case.shards):
                stage.run(stage.cloud.now + (_DAY if calm else _HOUR), every=60.0)
            for n in range(case.records, case.records + 5):
                put_by_shop(stage, f"record-{n + 1}", f"customer-{n % 7}")
        stage.run(stage.cloud.now + 120 * (1 + 4 * (case.empty > 0)), lambda: len(work.done) == len(stage.labels))
        stage.run(stage.cloud.now + 5)


# ---- 05.reshard ------------------------------------------------------------------------------------------------------

_REFUSED = 10  # calls, in a stream that is read once
_EARLY = 2  # seconds by which an arrival time is off, at most


def keys_in_order(stage: Stage) -> Iterator[Problem]:
    """The records of a key were done in the order in which they were put. `stage.given`: that order, and all keys."""
    _, keys = stage.given
    begun, done = _first(stage, "WorkStarted"), _first(stage, "WorkEnded")
    last: dict[str, str] = {}
    for newer in (number for number in keys if number in done):
        older = last.get(keys[newer])
        if older and begun[newer].index < done[older].index:
            what = f"{stage.labels[older]} was done after {stage.labels[newer]}"
            why = _why_turned(stage, older, newer)
            if begun[older].index < begun[newer].index:
                what = f"{stage.labels[newer]} was begun before {stage.labels[older]} was done"
                if _where(stage, older)[0] is _where(stage, newer)[0]:
                    why = _ONE_BY_ONE.format("key")
            yield Problem(f"{what}, and both have the key {keys[newer]!r}. {why}", [older, newer])
        last[keys[newer]] = newer


def _why_turned(stage: Stage, older: str, newer: str) -> str:
    """Why the newer one of two records of a key was done first, in words."""
    (shard, _), (other, _) = _where(stage, older), _where(stage, newer)
    arrival = stage.cloud.service("kinesis").arrival
    times = {record.sequence_number: arrival(*record[:2]) for s in (shard, other) for record in s.records}
    begun = stage.trace.where("WorkStarted", subject=newer)[0]
    if times[older] > times[newer] and any(row.index < begun.index for row in _answers_with(stage, older)):
        return (
            "Your function had read both, and the older one has the later arrival time. ApproximateArrivalTimestamp is "
            "no order, not even in one shard. Do the records as a shard gives them, and parents before children."
        )
    if shard is other:
        return f"Both lie in {shard.id}, which gives them in order. Do them in that order."
    return "The older one was in a shard that is closed now. Read a parent to its end before you open its children."


def each_record_once(stage: Stage) -> Iterator[Problem]:
    """No record is left out, none is done twice."""
    order, keys = stage.given
    done = Counter(order)
    for number in keys:
        if done[number] != 1:
            if done[number]:
                what, why = f"done {done[number]} times", _too_often(stage, number)
            else:
                what, why = "not done", _unread(stage, number) or _not_brought(stage, number)
            yield Problem(f"{stage.labels[number]} was {what}. {why}", [number])


def _too_often(stage: Stage, number: str) -> str:
    """Why the work on this record was done again, in words."""
    if len(_answers_with(stage, number)) > 1:
        return f"{_where(stage, number)[0].id} was read again. Read each shard once, also when two others lead to it."
    return "One answer brought it, and process was called again with it."


def _not_brought(stage: Stage, number: str) -> str:
    """Where a record lies that no answer brought, in words."""
    (shard, _), shards = _where(stage, number), inside(stage).shards.values()
    if shard.end is None or len(stage.api_calls("GetShardIterator")) >= len(shards):
        state = "open" if shard.end is None else "closed"
        return (
            f"It lies in {shard.id}, which is {state}, and no answer brought it. Read each shard from its oldest "
            "record: TRIM_HORIZON."
        )
    closed = sum(shard.end is not None for shard in shards)
    return (
        f"The stream has {counted(len(shards), 'shard')}, {closed} of them closed; a closed one keeps its records, and "
        "ListShards names it."
    )


def within_the_rate(stage: Stage) -> Iterator[Problem]:
    """Hardly any call is refused."""
    if _hurries(stage, _REFUSED):
        yield _too_fast(stage, "Sleep between two calls, and leave Limit high.")


class Reshard(Exercise):
    """Read a stream that was resharded, in order."""

    id = "05.reshard"
    signature = "read(kinesis, stream_name, process)"
    knobs = knobs(
        empty=empty_reads(),
        clocks=flag(f"arrival times that are up to {_EARLY} s too early"),
        changes=some("change{s} of the shards", 4),
        shards=numbered("shard{s} at first", 1, 3),
        records=numbered("record{s} between two changes", 1, 40),
        merges=flag("merges too"),
    )
    harmless = {"records": 4}
    also = (
        {"changes": 1, "records": 4}, {"changes": 4, "shards": 2, "merges": 1, "records": 6},
        {"changes": 2, "shards": 2, "records": 12, "empty": 4}, {"changes": 2, "records": 40},
        {"records": 40, "clocks": 1},
    )  # fmt: skip
    examples = 40
    advice = {"ProvisionedThroughputExceeded": f"{_RATE} Sleep between two calls, and leave Limit high."}
    faults = (keys_in_order, each_record_once, within_the_rate)

    def play(self, stage: Stage, case: Any) -> None:
        kinesis, chance = make_stream(stage, case.shards, case.empty), stage.cloud.chance.stream("shop")
        stage.cloud.quotas["kinesis.clock_error"] = case.clocks * _EARLY
        keys: dict[str, str] = {}
        for change in range(case.changes + 1):
            for _ in range(case.records):
                key = f"customer-{chance.integer(5)}"
                keys[put_by_shop(stage, f"record-{len(keys) + 1}", key)] = key
                stage.run(stage.cloud.now + 0.5)
            if change < case.changes:
                self._change(stage, kinesis, bool(case.merges and change % 2))
        stage.run(stage.cloud.now + 5)
        work = RecordWork(stage, 0, 0)
        stage.given = work.order, keys
        stage.call("reader", kinesis, STREAM, work, until=stage.cloud.now + 3600)
        stage.reach("changes", case.changes)

    def _change(self, stage: Stage, kinesis: Any, merge: bool) -> None:
        open = inside(stage).open_shards
        if merge and len(open) > 1:
            kinesis.merge_shards(StreamName=STREAM, ShardToMerge=open[0].id, AdjacentShardToMerge=open[1].id)
        else:
            shard = open[stage.cloud.chance.stream("shop").integer(len(open))]
            middle = str((shard.low + shard.high + 1) // 2)
            kinesis.split_shard(StreamName=STREAM, ShardToSplit=shard.id, NewStartingHashKey=middle)
        stage.run(stage.cloud.now + 60)


EXERCISES = (Consumer(), Reshard())
