"""The exercises of lab 06 about delivery: buffer hints, windows over late events, records that failed."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lablib.aws.event import Event
from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, cut, flag, knobs, one_of, scaled, some, there
from lablib.exercises.case import number as numbered
from lablib.exercises.deliveries import BUCKET, NAME, delivered, make_delivery, objects
from lablib.exercises.partners import Partner
from lablib.exercises.stage import Problem, Stage

MIB = 1 << 20

# ---- 06.buffer -------------------------------------------------------------------------------------------------------

_RECORD = 100_000  # bytes
_LOADS, _FRESH, _LARGEST = (50, 20, 100, 1000), (120, 90, 61, 60, 30, 12, 300, 20), (3, 2, 6, 20)


def _best(load: int, fresh: int, largest: int) -> tuple[int, int] | None:
    """Size and seconds that make the fewest objects; None when no hints do it."""
    size, seconds = largest - 1, fresh - 1
    if seconds < 60:
        size, seconds = min(size, int(load * 1000 * (fresh - 1) / MIB)), 60
    return (size, min(seconds, 900)) if size >= 1 else None


class Buffer(Exercise):
    """Buffer hints for files that are not too large, and not too old."""

    id = "06.buffer"
    signature = "hints(load, fresh, largest)"
    knobs = knobs(
        load=one_of([f"{n} kB/s" for n in _LOADS]),
        fresh=one_of([f"in S3 within {n} s" for n in _FRESH]),
        largest=one_of([f"objects of up to {n} MiB" for n in _LARGEST]),
        seeds=0,
    )
    harmless = {}
    also = (
        {"load": 3, "fresh": 5}, {"load": 1, "fresh": 4}, {"load": 2, "fresh": 4}, {"fresh": 2}, {"fresh": 3},
        {"load": 2, "fresh": 6, "largest": 3}, {"load": 3, "fresh": 4, "largest": 1}, {"load": 1, "fresh": 6},
        {"load": 3, "fresh": 7, "largest": 3},  # 19 MB come in time, 19 MiB do not
    )  # fmt: skip
    examples = 14
    events = 12_000

    def play(self, stage: Stage, case: Any) -> None:
        load, fresh, largest = _LOADS[case.load], _FRESH[case.fresh], _LARGEST[case.largest]
        answer = stage.cloud.run(lambda: stage.function(load, fresh, largest))
        best, asked = _best(load, fresh, largest), f"hints({load}, {fresh}, {largest})"
        if answer is None:
            if best:
                raise Problem(f"{asked} returned None. SizeInMBs={best[0]} and IntervalInSeconds={best[1]} would do.")
            return
        if not isinstance(answer, dict) or set(answer) != {"SizeInMBs", "IntervalInSeconds"}:
            raise Problem(
                f"{asked} returned {cut(answer)}. Return a dict with SizeInMBs and IntervalInSeconds, or None."
            )
        size, seconds = answer["SizeInMBs"], answer["IntervalInSeconds"]
        if size != int(size) or seconds != int(seconds):
            raise Problem(f"{asked} returned {answer}. Both hints are whole numbers.")
        make_delivery(stage, int(size), int(seconds))
        end = self._feed(stage, load, min(200, max(130, 2 * fresh)))
        written = [row for row in stage.trace.where("BatchDelivered", resource=NAME) if row.time <= end]
        for row in written:
            if row.detail["age"] > fresh:
                raise Problem(
                    f"{asked} returned {answer}. At {row.time:.0f} s an object arrived whose first record had waited "
                    f"{row.detail['age']:.1f} s; {fresh} s are allowed."
                    + (" Nothing does it at this load: return None." if not best else "")
                    + f" {size} MiB are {int(size) * MIB:,} bytes." * (row.detail["bytes"] >= size * MIB)
                    + (" The way to S3 takes a moment, too." if best and row.detail["age"] < fresh + 1 else "")
                )
            if row.detail["bytes"] > largest * MIB:
                raise Problem(
                    f"{asked} returned {answer}. An object has {row.detail['bytes']:,} bytes, and {largest} MiB are "
                    f"{largest * MIB:,}: the buffer closes when the size is reached, and the last record does not fit "
                    "exactly."
                )
        if best:
            total = load * 1000 * min(200, max(130, 2 * fresh))
            fewest = total / min(best[0] * MIB + _RECORD, best[1] * load * 1000)
            if len(written) > 1.3 * fewest + 1:
                raise Problem(
                    f"{asked} returned {answer}, which made {len(written)} objects; about {fewest:.0f} would do. Many "
                    "small files are slow to read, and each costs a request."
                )

    def _feed(self, stage: Stage, load: int, seconds: int) -> float:
        """Put so many kB a second for so long. Returns when that was over; what is left then arrives later."""
        service, pause = stage.cloud.service("firehose"), _RECORD / (load * 1000)
        put, request = service.operation("put_record"), stage.request()

        def shop() -> None:
            for _ in range(int(seconds / pause)):
                put(request, delivery_stream_name=NAME, record={"Data": bytes(_RECORD)})
                stage.cloud.kernel.sleep(pause)

        process = stage.cloud.spawn(shop, name="turnstiles")
        stage.run(stage.cloud.now + seconds + 10, lambda: not process.alive)
        return stage.cloud.now


# ---- 06.windows ------------------------------------------------------------------------------------------------------

_LATE = 30  # seconds: no event comes later than that after it happened
_SLACK = 5  # seconds that a result may take when it is known
_IN_A_ROW, _PAUSES = 3, 10  # writes that fail, and seconds for the pauses between them
_FAR = 10_000  # minutes from the first: no mistake of some minutes
_BUSY = 300  # riders of a rush: one every half second
_COUNTED = Event("MinuteCounted", "{actor} says: {detail} riders in this minute")


class Feed:
    """`events`: what arrives, in virtual time. Each item is a dict with `id` and `at`, or None when nothing came for a
    second."""

    def __init__(self, stage: Stage, plan: list[tuple[float, dict[str, Any]]]) -> None:
        self._stage, self._plan = stage, plan
        self.given: list[tuple[float, str, float]] = []  # when, what (an event, None, the end), and its `at`

    def _note(self, what: str, at: float = 0.0) -> None:
        kernel = self._stage.cloud.kernel
        self.given.append((kernel.now, what, at - kernel.epoch))

    def __iter__(self) -> Iterator[dict[str, Any] | None]:
        kernel = self._stage.cloud.kernel
        for time, event in self._plan:
            while time - kernel.now > 1:
                kernel.sleep(1)
                self._note("None")
                yield None
            kernel.sleep(max(0.0, time - kernel.now))
            self._note("event", event["at"])
            yield dict(event)
        self._note("end")

    def looked_before(self, known: float, time: float) -> bool:
        """Had it, since a minute was known, given another item like the one at which that minute was emitted?"""
        given = [(when, what, at) for when, what, at in self.given if when <= time]
        (*before, (_, kind, _)) = given
        return any(what == kind and when > known and (at > known or what != "event") for when, what, at in before)


class Emit(Partner):
    """`emit(minute, riders)`: write a result. It can fail: then nothing was written."""

    def __init__(self, stage: Stage, failing: int) -> None:
        super().__init__(stage)
        stage.trace.declare((_COUNTED,))
        self._failing = failing
        self.written: list[tuple[float, int, Any]] = []
        self.failed: dict[Any, float] = {}  # by minute, when it could not be written

    def __call__(self, minute: Any, riders: Any) -> None:
        """Write that so many riders passed in this minute."""

        def write() -> None:
            if self._failing and self._failing <= self._begun < self._failing + _IN_A_ROW:
                self.stage.reach("fails")
                self.failed[minute] = self.stage.cloud.now
                raise ConnectionError("the table does not answer; nothing was written")
            self.written.append((self.stage.cloud.now, minute, riders))
            self.note("MinuteCounted", "table", f"minute {minute}", -1, riders)

        self.perform(0.05, write)


def each_minute_once(stage: Stage) -> Iterator[Problem]:
    """Every minute that had riders is there once, with the right number. `stage.given`: see play."""
    wanted, table, plan, _ = stage.given
    written, epoch = table.written, stage.cloud.kernel.epoch
    minutes = Counter(minute for _, minute, _ in written)
    for time, minute, riders in written:
        first = min(wanted, default=int(epoch // 60))
        name = minute - first if isinstance(minute, int | float) else minute
        if not isinstance(minute, int | float) or abs(name) > _FAR:
            yield Problem(
                f"At {time:.1f} s you emitted minute {minute!r}. A minute is the whole number at // 60, of seconds "
                f"since 1970: here the first is {first}."
            )
        if minute not in wanted:
            came = any((epoch + come) // 60 == minute for come, _ in plan)
            why = " Count by `at`, when a rider passed, not by arrival." * came
            why = why or " Emit only a minute that had riders." * (riders == 0)
            yield Problem(
                f"At {time:.1f} s you said that minute {name!r} (counted from the first) had {_riders(riders)}. Nobody "
                f"passed then.{why}"
            )
        if minutes[minute] > 1:
            first, second = [t for t, m, _ in written if m == minute][:2]
            yield Problem(
                f"Minute {name} (counted from the first) was emitted at {first:.1f} s and again at {second:.1f} s. A "
                "table has one number for it: emit a minute when it is complete, and never again."
            )
        if riders != wanted[minute]:
            yield Problem(_why_wrong(stage, minute, riders, time))
    if missing := [minute for minute in wanted if minute not in minutes]:
        failed = table.failed.get(missing[0])
        why = "When the events end, emit what is still open."
        if failed:
            why = f"emit raised ConnectionError at {failed:.1f} s: nothing was written. Emit it again until it is."
        yield Problem(
            f"Minute {missing[0] - min(wanted)} (counted from the first) was never emitted: "
            f"{counted(wanted[missing[0]], 'rider')} passed then. {why}"
        )


def _riders(number: Any) -> str:
    return counted(number, "rider") if isinstance(number, int) else f"{cut(number, 40)} riders"


def _why_wrong(stage: Stage, minute: int, riders: Any, time: float) -> str:
    wanted, _, plan, _ = stage.given
    epoch = stage.cloud.kernel.epoch
    mine = [(come, event) for come, event in plan if event["at"] // 60 == minute]
    after = [come for come, _ in mine if come > time]
    ids = [event["id"] for _, event in mine]
    name = f"minute {minute - min(wanted)} (counted from the first)"
    text = f"You said that {name} had {_riders(riders)}; it had {wanted[minute]}."
    if after:
        return (
            f"{text} You emitted it at {time:.1f} s, and a rider of that minute was told of at {after[0]:.1f} s. "
            f"An event can come {_LATE} s after it happened."
        )
    if riders == len(ids) > len(set(ids)):
        return f"{text} One event came twice, with the same id: count it once."
    come = sum((epoch + c) // 60 == minute for c, _ in plan)
    if riders == come:
        return f"{text} So many events came in that minute. Count by `at`, when the rider passed, not by arrival."
    return text


def in_good_time(stage: Stage) -> Iterator[Problem]:
    """A minute is emitted when it is complete, not much later."""
    wanted, table, plan, feed = stage.given
    epoch, end = stage.cloud.kernel.epoch, max((come for come, _ in plan), default=0.0)
    for time, minute, _ in table.written:
        known = (minute + 1) * 60 - epoch + _LATE
        allowed = _SLACK + _PAUSES * (minute in table.failed)
        if time > min(known, end) + allowed:
            yield Problem(
                f"Minute {minute - min(wanted)} (counted from the first) was complete at {known:.0f} s, and you "
                f"emitted it at {time:.1f} s; {allowed} s are allowed. "
                + (
                    f"Nothing comes later than {_LATE} s after it happened: do not wait longer than that."
                    if feed.looked_before(known, time)
                    else "Nobody was silent for a second, so no None came: look at the clock at each event, too."
                    if stage.case.busy
                    else "While nobody passes you get None once a second: look at the clock then, too."
                )
            )


def _spread(count: int, among: int) -> set[int]:
    """So many numbers below `among`, far from each other."""
    return {n * among // count for n in range(count)} if count else set()


class Windows(Exercise):
    """Riders a minute, although events are late."""

    id = "06.windows"
    signature = "count(events, emit)"
    knobs = knobs(
        riders=numbered("rider", 0, 30),
        minutes=numbered("minute", 1, 4),
        late=some("late event{s}", 6),
        twice=some("event{s} that came twice", 4),
        silent=flag("three minutes of silence"),
        edge=flag("riders at the edge of a minute"),
        busy=flag("a rush without a second of silence"),
        fails=scaled(f"{_IN_A_ROW} writes fail, from number {{:d}} on", 3),
    )
    harmless = {"riders": 6, "minutes": 2}
    also = (
        {"riders": 30, "minutes": 4, "late": 6}, {"riders": 12, "minutes": 2, "twice": 4},
        {"riders": 8, "minutes": 2, "silent": 1}, {"riders": 8, "minutes": 2, "edge": 1, "late": 1},
        {"riders": 10, "fails": 1}, {"riders": 0}, {"riders": 1, "busy": 1},
        {"riders": 20, "minutes": 3, "late": 4, "silent": 1, "twice": 2, "edge": 1},
    )  # fmt: skip
    examples = 40
    causes = (each_minute_once,)
    faults = (each_minute_once, in_good_time)

    def play(self, stage: Stage, case: Any) -> None:
        chance, epoch = stage.cloud.chance.stream("riders"), stage.cloud.kernel.epoch
        first = -epoch % 60  # seconds until a minute begins
        span = 60 * case.minutes
        times = sorted(round(first + chance.uniform(0, span), 2) for _ in range(case.riders))
        if case.edge and times:
            times[: len(times) // 2] = [first + 60.0 * (n % (case.minutes + 1)) for n in range(len(times) // 2)]
        if case.silent:
            times = [t if t < first + span / 2 else t + 180 for t in times]
        times += [first + n / 2 for n in range(_BUSY * case.busy)]
        plan = []
        for n, time in enumerate(times):
            delay = 0.2
            if n in _spread(case.late, len(times)):
                delay = (29.9, 12.0, 29.0)[n % 3]
            event = {"id": f"{n}-{int(time)}", "at": epoch + time}
            plan.append((time + delay, event))
            if n in _spread(case.twice, len(times)):
                plan.append((time + (1.0, 29.5)[n % 2], event))
        if case.edge and case.late and times:  # as late as it may be, at the end of a minute
            time = first + 60 * case.minutes - 0.05
            times.append(time)
            plan.append((time + _LATE, {"id": "the last of its minute", "at": epoch + time}))
        plan.sort(key=lambda pair: (pair[0], pair[1]["id"]))
        emit = Emit(stage, case.fails)
        wanted = Counter(int((epoch + time) // 60) for time in times)
        feed = Feed(stage, plan)
        stage.given = dict(wanted), emit, plan, feed
        stage.call("counter", feed, emit, until=stage.cloud.now + 900)
        stage.reach("riders", case.riders)


# ---- 06.redeliver ----------------------------------------------------------------------------------------------------

_HOPELESS = b"?"  # what begins so cannot be repaired
_LONG = 600  # records of a long object: more than one call takes
_REPAIRED = (Event("Repaired", "{actor} repairs it"), Event("NotRepaired", "{actor} cannot repair it"))


class Repair(Partner):
    """`repair(data)`: the record as it should have been. Raises ValueError for what cannot be repaired."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        stage.trace.declare(_REPAIRED)

    def __call__(self, data: bytes) -> bytes:
        """Repair one record."""
        if not isinstance(data, bytes):
            self.stage.fail(f"repair was called with {cut(data)}. It takes the record as bytes: decode rawData.")
        if not data.startswith((b"!", _HOPELESS)):
            self.stage.fail(f"repair was called with {cut(data)}, which is no record that failed. rawData is base64.")

        def mend() -> bytes:
            if data.startswith(_HOPELESS):
                self.note("NotRepaired", "repair", data.decode(errors="replace")[:20], -1)
                raise ValueError("this record cannot be repaired")
            self.note("Repaired", "repair", data.decode(errors="replace")[:20], -1)
            return data[1:]

        return self.perform(0.01, mend)


def nothing_is_lost(stage: Stage) -> Iterator[Problem]:
    """What can be repaired is in the stream, what cannot lies under hopeless/. `stage.given`: see play."""
    given = stage.given
    taken, aside = given["accepted"], given["hopeless"]
    for data, count in Counter(given["good"]).items():
        come = taken[data[1:]]
        if 0 < come < count and not stage.case.failing:
            yield Problem(
                f"{cut(data)} failed {counted(count, 'time')}, and was delivered {counted(come, 'time')}. Two records "
                "can be equal, and are still two records."
            )
        if come < count:
            left = any(b64encode(data) in body for body in given["raw"])
            state = "Its object is still under errors/." if left else "Its object is deleted."
            calls = stage.api_calls("PutRecordBatch", "PutRecord")
            yield Problem(
                f"{cut(data)} is not in the stream: the repaired record was never accepted. {state} Delete an "
                "object when all of its records are accepted; PutRecordBatch can succeed in part.",
                calls=calls[:2],
            )
    for data in given["bad"]:
        if data not in aside and b64encode(data) not in aside:
            put = (row.subject for row in stage.trace.where("ObjectCreated") if row.subject.startswith("hopeless/"))
            twice = next((key for key, count in Counter(put).items() if count > 1), "")
            replaced = f" {twice} was written twice, and the second replaced the first: each needs a name of its own."
            yield Problem(
                f"{cut(data)} cannot be repaired, and lies nowhere under hopeless/. Put it there, the record or its "
                f"line as it is, before you delete its object.{replaced * bool(twice)}"
            )
    for data in given["good"]:
        if b64encode(data) in aside or data in aside:
            yield Problem(
                f"{cut(data)} can be repaired, and lies under hopeless/ as well. Only what cannot goes there."
            )


def little_is_done_twice(stage: Stage) -> Iterator[Problem]:
    """A record is put again only after a crash or a lost answer."""
    given = stage.given
    wanted = Counter(data[1:] for data in given["good"])
    extra = given["accepted"] - wanted
    interrupted = stage.reached["crash"] + sum(row.detail == "AnswerLost" for row in stage.api_calls())
    if foreign := [data for data in extra if b"!" + data not in given["good"]]:
        yield Problem(f"The stream was given {cut(foreign[0])}, which nobody asked for.")
    if extra and (not interrupted or any(extra[data] > interrupted * wanted[data] for data in extra)):
        yield Problem(
            f"{there(extra.total(), 'record')} in the stream once too often, such as "
            f"{cut(next(iter(extra)), 50)}. Put again only what was refused."
        )


def the_errors_are_cleared(stage: Stage) -> Iterator[Problem]:
    """No object is left under errors/, and no other was touched."""
    given = stage.given
    if given["left"]:
        pages = " A list has up to 1,000 names: ask for the next page, or list again." if stage.case.many else ""
        yield Problem(
            f"Of {counted(given['objects'], 'object')} {there(len(given['left']), 'object')} left under errors/, the "
            f"first is {given['left'][0]}. Delete an object when all of its records are accepted.{pages}"
        )
    if given["riders"] != 1:
        yield Problem("An object under riders/ is gone. It is none of those that failed: ask with Prefix='errors/'.")


class Redeliver(Exercise):
    """Read the failed records back, and deliver them."""

    id = "06.redeliver"
    signature = "deliver(s3, firehose, bucket, stream_name, repair)"
    knobs = knobs(
        objects=numbered("object", 0, 4),
        records=numbered("record", 1, 6),
        hopeless=some("record{s} that nobody can repair", 3),
        failing=some("call{s} in which a part of the records is refused", 2),
        crash=scaled("a crash after record number {:d} is repaired", 8),
        cleared=scaled("a crash after object number {:d} is deleted", 2),
        long=flag(f"an object with {_LONG} records"),
        many=flag("more than 1,000 objects"),
        alike=flag("equal records"),
    )
    harmless = {"objects": 2, "records": 3}
    also = (
        {"objects": 3, "records": 4, "hopeless": 2}, {"objects": 3, "records": 6, "failing": 2},
        {"objects": 3, "records": 5, "crash": 7}, {"objects": 1, "records": 1, "many": 1}, {"objects": 0},
        {"objects": 1, "records": 6, "crash": 6, "hopeless": 1}, {"objects": 1, "long": 1},
        {"objects": 3, "records": 2, "hopeless": 3, "cleared": 1},
        {"objects": 3, "records": 2, "hopeless": 3, "cleared": 2}, {"objects": 1, "records": 3, "hopeless": 2},
        {"objects": 2, "records": 4, "alike": 1},
    )  # fmt: skip
    examples = 20
    events = 30_000
    faults = (the_errors_are_cleared, nothing_is_lost, little_is_done_twice)

    def play(self, stage: Stage, case: Any) -> None:
        firehose, s3 = make_delivery(stage), stage.cloud.client("s3")
        good, bad = self._fail(stage, case)
        stage.fault("partial", ("PutRecordBatch",), case.failing, share=0.5)
        repair = Repair(stage)
        kind, count = ("Repaired", case.crash) if case.crash else ("ObjectRemoved", case.cleared)

        def so_far() -> bool:
            return len(stage.trace.where(kind)) >= count

        crash = so_far if count else None
        stage.call("deliver", s3, firehose, BUCKET, NAME, repair, until=stage.cloud.now + 900, crash=crash)
        delivered(stage)
        raw = objects(stage, "errors/")
        everything = b"".join(body for key, body in objects(stage).items() if not key.endswith("before"))
        stage.given = {
            "good": good, "bad": bad, "objects": case.objects + 1005 * case.many, "left": sorted(raw),
            "raw": list(raw.values()),
            "accepted": Counter(line + b"\n" for line in everything.splitlines()),
            "hopeless": b"".join(objects(stage, "hopeless/").values()),
            "riders": sum(key.endswith("before") for key in objects(stage)),
        }  # fmt: skip

    def _fail(self, stage: Stage, case: Any) -> tuple[list[bytes], list[bytes]]:
        """Put objects into the bucket, as Firehose writes them for records that failed."""
        put = stage.cloud.service("s3").operation("put_object")
        request, epoch = stage.request(), int(stage.cloud.kernel.epoch * 1000)
        good: list[bytes] = []
        bad: list[bytes] = []
        put(request, bucket=BUCKET, key="riders/2023/04/01/09/before", body=b"")
        among = max(1, case.objects)  # the hopeless lie in the objects one after the other, and then two in one
        spots = {(k % among, (k % among + k // among) % case.records) for k in range(case.hopeless)}
        for n in range(case.objects + 1005 * case.many):
            lines = []
            for m in range(_LONG if case.long and not n else case.records if n < case.objects else 1):
                hopeless = (n, m) in spots
                name = m // 2 if case.alike else f"{n}.{m}"
                data = f'{"?" if hopeless else "!"}rider {name} ä,"x"\n'.encode()
                (bad if hopeless else good).append(data)
                lines.append({
                    "attemptsMade": 4, "arrivalTimestamp": epoch, "errorCode": "Lambda.FunctionError",
                    "errorMessage": "the function failed", "attemptEndingTimestamp": epoch + 1000,
                    "rawData": b64encode(data).decode(),
                })  # fmt: skip
            body = "".join(json.dumps(line) + "\n" for line in lines).encode()
            put(request, bucket=BUCKET, key=f"errors/processing-failed/2023/04/01/09/failed-{n:04}", body=body)
        return good, bad


EXERCISES = (Buffer(), Windows(), Redeliver())
