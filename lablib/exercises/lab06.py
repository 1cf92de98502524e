"""The exercises of lab 06: a transform, a producer for Firehose, which service for which system."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, cut, flag, knobs, one_of, some
from lablib.exercises.case import number as numbered
from lablib.exercises.deliveries import NAME, delivered, documents_in, make_delivery, objects
from lablib.exercises.lab06_delivery import EXERCISES as DELIVERY
from lablib.exercises.stage import GIVES_UP, WILD, Problem, Stage
from lablib.scenarios.lab06 import SkiLift, monthly
from lablib.scenarios.lab06_told import delivery_waits, stream_waits

# ---- 06.transform ----------------------------------------------------------------------------------------------------

_RESULTS = ("Ok", "Dropped", "ProcessingFailed")
_BROKEN = {
    b'{"gate": 1, "rider": "an': "It is half a document",
    b'{"rider": "kim", "at": 61.5}': "It lacks the gate",
    b'{"gate": 1, "at": 61.5}': "It lacks the rider",
    b'{"gate": 1, "rider": "kim"}': "It lacks the time",
    b"7": "It is a number",
    b"\xff\xfe\x00": "It is no text",
    b"": "It is empty",
    b'["rider"]': "It is a list",
    b"null": "It is null",
    b'{"rider": "kim", "gate": 1, "at": "noon"}': "Its time is no number",
}
_RIDERS = ("rider {}", "test pilot", "contest", "Test", " test")  # nobody of them is a test


class Rider(NamedTuple):
    """A record of a turnstile, and what is to become of it: "Ok", "Dropped" or "ProcessingFailed"."""

    data: bytes
    becomes: str
    line: bytes = b""  # what is to be delivered


def _riders(count: int, tests: int, broken: int, wild: int, alike: int) -> list[Rider]:
    """`count` riders, and between them tests of turnstiles and broken records."""
    found = []
    for n in range(count):
        name = WILD[n % len(WILD)] if wild else "kim" if alike else _RIDERS[n % len(_RIDERS)].format(n)
        at = 61.5 if alike else [0, 59.999, 60, 3661.5 + n][n % 4]  # the last: over an hour
        more = {"pass": "season"} if n % 4 == 2 else {}
        data = json.dumps({"gate": 1 + n % 4, "rider": name, "at": at, **more}, ensure_ascii=bool(n % 2))
        line = {"gate": 1 + n % 4, "minute": int(at // 60)}
        found.append(Rider(data.encode(), "Ok", json.dumps(line).encode() + b"\n"))
    for n in range(tests):
        test = json.dumps({"gate": 1 + n, "rider": "test", "at": 12.5 + n}).encode()
        found.insert((2 * n + 1) % (len(found) + 1), Rider(test, "Dropped"))
    for n, half in enumerate([*_BROKEN][:broken]):
        found.insert((3 * n) % (len(found) + 1), Rider(half, "ProcessingFailed"))
    return found


def the_answer_has_each_id_once(stage: Stage) -> Iterator[Problem]:
    """Each record of the event is in the answer, once. `stage.given["calls"]`: events and answers."""
    for event, answer in stage.given["calls"]:
        if not isinstance(answer, dict) or not isinstance(answer.get("records"), list):
            yield Problem(
                f'Your function returned {cut(answer)}. Firehose wants {{"records": [...]}}. A wrong answer is final: '
                "the whole batch is set aside."
            )
        ids = [r.get("recordId") if isinstance(r, dict) else None for r in answer["records"]]
        wanted = [record["recordId"] for record in event["records"]]
        if missing := [n for n, id in enumerate(wanted, 1) if id not in ids]:
            yield Problem(
                f"The event had {counted(len(wanted), 'record')}, and your answer has no entry for record "
                f"{missing[0]}: {cut(b64decode(event['records'][missing[0] - 1]['data']))}. Every recordId must come "
                "back, also of a record that is dropped or broken."
            )
        if doubled := [id for id, count in Counter(ids).items() if count > 1]:
            yield Problem(f"Your answer has the recordId of record {wanted.index(doubled[0]) + 1} twice.")
        if foreign := [id for id in ids if id not in wanted]:
            yield Problem(f"Your answer has the recordId {cut(foreign[0], 40)}, which the event had not.")


def each_result_is_a_result(stage: Stage) -> Iterator[Problem]:
    """The three words, and data in base64."""
    for event, answer in stage.given["calls"]:
        names = {record["recordId"]: n for n, record in enumerate(event["records"], 1)}
        for entry in answer["records"]:
            n, result = names[entry["recordId"]], entry.get("result")
            if result not in _RESULTS:
                yield Problem(f"Record {n} has the result {cut(result, 30)}. It must be one of {', '.join(_RESULTS)}.")
            data = entry.get("data", "")
            if not isinstance(data, str):
                yield Problem(
                    f"The data of record {n} is {cut(data, 50)}: no text. Lambda sends the answer as JSON, and cannot "
                    "send that: the whole call fails. b64encode(...).decode() makes text of bytes."
                )
            try:
                if result == "Ok":
                    b64decode(data, validate=True)
                if result == "Ok" and "data" not in entry:
                    raise ValueError
            except (ValueError, TypeError):
                yield Problem(
                    f"Record {n} is Ok, and its data is {cut(data, 50)}: no base64. Firehose reads data as base64 in "
                    "both directions: b64encode(...).decode()."
                )


def each_record_becomes_what_it_should(stage: Stage) -> Iterator[Problem]:
    """Good ones are kept, tests dropped, broken ones set aside."""
    why = {
        "Ok": "It is a good record: it belongs to the riders.",
        "Dropped": "It is a test of the turnstile, and belongs nowhere: Dropped.",
        "ProcessingFailed": "ProcessingFailed says so, and Firehose keeps it with the reason, under the error prefix.",
    }
    for event, answer in stage.given["calls"]:
        results = {entry["recordId"]: entry["result"] for entry in answer["records"]}
        for record in event["records"]:
            data = b64decode(record["data"])
            wanted, result = stage.given["becomes"][data], results[record["recordId"]]
            if result != wanted:
                broken = f"{_BROKEN[data]}. " if data in _BROKEN else ""
                never = " Dropped means that nobody ever sees it again." if broken and result == "Dropped" else ""
                yield Problem(f"The result of {cut(data, 70)} is {result!r}. {broken}{why[wanted]}{never}")


def the_lines_are_in_s3(stage: Stage) -> Iterator[Problem]:
    """What was delivered is one JSON document a line, with gate and minute. `stage.given["stored"]`: by key."""
    text = b"".join(stage.given["stored"].values())
    documents: list[Any] = []
    for line in text.splitlines():
        try:
            documents.append(json.loads(line))
        except ValueError:
            shown = line.decode(errors="replace")
            more = " Firehose puts nothing between two records: end each with a newline." * ("}{" in shown)
            more += " So Python shows a dict: json.dumps makes JSON of it." * shown.startswith("{'")
            yield Problem(f"A line of the object in S3 is no JSON document: {cut(line, 80)}.{more}")
    if text and not text.endswith(b"\n"):
        yield Problem(
            f"The object in S3 ends with {text[-30:]!r}. The next record of another object would stand on the same "
            "line: end each record with a newline."
        )
    found = Counter(json.dumps(document, sort_keys=True) for document in documents)
    expected = Counter(json.dumps(json.loads(line), sort_keys=True) for line in stage.given["lines"])
    if extra := list((found - expected).elements()):
        yield Problem(f"S3 has {extra[0]:.80}, which should not be there so. {_why_not(json.loads(extra[0]), stage)}")
    if missing := list((expected - found).elements()):
        yield Problem(
            f"S3 lacks {missing[0]:.80}: {counted(len(missing), 'record')} of {expected.total()} are not there."
        )


def _why_not(line: Any, stage: Stage) -> str:
    """What is wrong with a line that nobody asked for."""
    form = 'A line has the gate and the minute, and nothing else: {"gate": 1, "minute": 1}.'
    if not isinstance(line, dict) or set(line) != {"gate", "minute"}:
        return form
    if isinstance(line["minute"], float):
        return "The minute is a whole number: int(at // 60)."
    riders = [json.loads(data) for data, becomes in stage.given["becomes"].items() if becomes == "Ok"]
    passed = [rider["at"] for rider in riders if rider["gate"] == line["gate"]]
    if not passed:
        return f"Nobody passed gate {cut(line['gate'], 20)}."
    return f"Somebody passed gate {line['gate']} at {passed[0]:g} s: that is in minute {int(passed[0] // 60)}, from 0."


def the_record_that_raised(stage: Stage) -> str:
    """For which record of the last event the function raises, when it is called with each alone."""
    event = stage.given["failed"]
    for record in event["records"]:
        try:
            stage.function(event | {"records": [record]}, None)
        except Exception:
            data = b64decode(record["data"])
            return (
                f"It raised for {cut(data, 70)}. {_BROKEN.get(data, 'It is a good record')}. An exception is about the "
                "whole batch, so no record of it is delivered. Answer for each record by itself."
            )
    return ""


class Transform(Exercise):
    """A function that keeps every record."""

    id = "06.transform"
    signature = "transform(event, context)"
    knobs = knobs(
        count=numbered("rider", 0, 12),
        tests=some("test{s} of a turnstile", 3),
        broken=some("broken record{s}", len(_BROKEN)),
        wild=flag("names in many alphabets"),
        alike=flag("equal records"),
    )
    harmless = {"count": 3}
    also = (
        {"count": 4, "broken": len(_BROKEN)}, {"count": 0, "tests": 2}, {"count": 11, "wild": 1},
        {"count": 5, "alike": 1}, {"count": 4, "tests": 2, "broken": 3},
    )  # fmt: skip
    examples = 25
    causes = (the_answer_has_each_id_once, each_result_is_a_result, each_record_becomes_what_it_should)
    faults = (the_lines_are_in_s3,)
    advice = {"Error": the_record_that_raised}

    def play(self, stage: Stage, case: Any) -> None:
        riders = _riders(case.count, case.tests, case.broken, case.wild, case.alike)
        calls: list[tuple[Any, Any]] = []
        errors: list[Exception] = []
        stage.given = {"calls": calls, "becomes": {r.data: r.becomes for r in riders}}
        stage.given |= {"lines": [r.line for r in riders if r.becomes == "Ok"], "stored": {}}

        def handler(event: Any, context: Any) -> Any:
            seen = json.loads(json.dumps(event))
            try:
                answer = stage.function(event, context)
            except Exception as error:
                errors.append(error)
                stage.given["failed"] = seen
                raise
            calls.append((seen, answer))
            return answer

        firehose = make_delivery(stage, transform=stage.cloud.deploy("transform", handler, timeout=60))
        for start in range(0, len(riders), 500):
            records = [{"Data": rider.data} for rider in riders[start : start + 500]]
            firehose.put_record_batch(DeliveryStreamName=NAME, Records=records)
        delivered(stage)
        if errors:
            raise errors[0]
        stage.given["stored"] = objects(stage)
        stage.reach("count", case.count)


# ---- 06.producer -----------------------------------------------------------------------------------------------------

_COUNTS = (3, 0, 1, 500, 501, 1100)
_BIG, _LARGEST = 20_000, 1_024_000  # bytes
_FRAME = len('{"rider": 9000, "note": ""}')
_AWAY, _TOO_LARGE = "ThrottlingException", ("ValidationException", "InvalidArgumentException")


def every_event_is_a_line(stage: Stage) -> Iterator[Problem]:
    """Each event that fits is one line in S3. `stage.given`: events, those that are too big, what was returned."""
    events, big, _, text = stage.given
    wanted = Counter(json.dumps(event, sort_keys=True) for event in events if event not in big)
    found: Counter[str] = Counter()
    for line in text.splitlines():
        try:
            found[json.dumps(json.loads(line), sort_keys=True)] += 1
        except ValueError:
            yield Problem(
                f"A line in S3 is no JSON document: {cut(line, 70)}. Firehose glues records together: send each as "
                "JSON and a newline."
            )
    lost = sum(row.detail == "AnswerLost" for row in stage.api_calls())
    again = Counter({line: count * (1 + lost) for line, count in wanted.items()})
    missing, extra = list((wanted - found).elements()), list((found - again).elements())
    calls = [row for row in stage.api_calls("PutRecordBatch") if isinstance(row.detail, int)]
    if missing:
        yield Problem(
            f"{counted(len(missing), 'event')} of {len(events)} {'is' if len(missing) == 1 else 'are'} not in S3. "
            f"{_why_missing(stage)}",
            calls=calls[:1],
        )
    if extra:
        yield Problem(
            f"{counted(len(extra), 'line')} in S3 should not be there, such as {extra[0]:.60}. Put again only what was "
            "refused: what has a RecordId is accepted.",
            calls=calls[:2],
        )


def _why_missing(stage: Stage) -> str:
    given_up = [row for row in stage.api_calls() if row.detail == _AWAY]
    if len(given_up) >= GIVES_UP:
        return (
            f"From {given_up[0].time:.1f} s on Firehose refused {len(given_up)} calls in a row. boto3 tries a call "
            f"{GIVES_UP} times, then it raises; what was in the call is still to be put."
        )
    if stage.case.failing or stage.case.big:
        return (
            "PutRecordBatch can succeed while some records are refused: FailedPutCount says how many, and "
            "RequestResponses has their results in the order of your request."
        )
    return "It was never put. Two events can be equal, and are still two events."


def a_call_is_too_large(stage: Stage) -> Iterator[Problem]:
    """No call has more than Firehose takes. One that the function let out as an error tells its own story."""
    refused = [row for row in stage.api_calls() if row.detail in _TOO_LARGE]
    if len(refused) > 1:
        yield Problem(
            f"AWS refused {counted(len(refused), 'call')} as a whole, the first at {refused[0].time:.1f} s: "
            f"{refused[0].detail}. A call takes up to 500 records and 4 MiB, and a record up to {_LARGEST:,} bytes, "
            "with the newline. The same call is refused again, however often it is tried.",
            calls=refused[:1],
        )


def what_is_too_big_is_returned(stage: Stage) -> Iterator[Problem]:
    """The events that no record can hold come back."""
    events, big, returned, _ = stage.given
    if big and returned is None:
        yield Problem("Your function returned nothing. Return the list of the events that are too big.")
    if small := [event for event in returned or () if event in events and event not in big]:
        size = len(json.dumps(small[0])) + 1
        yield Problem(
            f"Your function returned {json.dumps(small[0]):.60}, which has {size:,} bytes with its newline: that is "
            "not too big. An event that was refused must be put again, until it is accepted."
        )
    if strange := [each for each in returned or () if each not in events]:
        yield Problem(f"Your function returned {cut(strange[0])}, which is none of the events. Return each as it came.")
    if list(returned or ()) != big:
        yield Problem(
            f"{counted(len(big), 'event')} of this case {'is' if len(big) == 1 else 'are'} too big for a record "
            f"({_LARGEST:,} bytes, with the newline). Your function returned {counted(len(returned or ()), 'event')}."
        )


def few_calls(stage: Stage) -> Iterator[Problem]:
    """A call takes up to 500 records."""
    calls, budget = len(stage.api_calls()), 30 + len(stage.given[0]) // 20
    throttled = stage.trace.where("PutThrottled")
    if calls > budget and len(throttled) > calls // 2:
        yield Problem(
            f"{counted(len(stage.given[0]), 'event')} took {counted(calls, 'call')}; {budget} are allowed. "
            f"{len(throttled)} of them met a stream that had enough for this second: wait a second after a refusal."
        )
    if calls > budget:
        yield Problem(
            f"{counted(len(stage.given[0]), 'event')} took {counted(calls, 'call')}; {budget} are allowed. "
            "PutRecordBatch takes up to 500 records."
        )


class Producer(Exercise):
    """Every event is one line in S3."""

    id = "06.producer"
    signature = "put(firehose, stream_name, events)"
    knobs = knobs(
        count=one_of([counted(n, "event") for n in _COUNTS]),
        failing=some("call{s} in which a part of the records is refused", 9),
        huge=some("event{s} too big for a record", 2),
        lost=flag("a lost answer"),
        away=flag(f"Firehose refuses {GIVES_UP} calls in a row"),
        big=flag(f"events of {_BIG // 1000} kB"),
        alike=flag("equal events"),
    )
    harmless = {}
    also = (
        {"count": 5, "failing": 9}, {"count": 3, "big": 1}, {"count": 4, "lost": 1}, {"huge": 2},
        {"count": 2, "huge": 1}, {"count": 1, "failing": 2}, {"count": 5, "alike": 1, "failing": 2},
        {"count": 4, "big": 1, "alike": 1}, {"away": 1}, {"count": 5, "away": 1, "failing": 1},
    )  # fmt: skip
    examples = 20
    events = 15_000
    causes = (a_call_is_too_large,)
    advice = {
        _AWAY: f"boto3 has tried this call {GIVES_UP} times, and then it raises. Nothing of it was taken: wait a "
        "second, and put it again."
    }
    faults = (what_is_too_big_is_returned, every_event_is_a_line, few_calls)

    def play(self, stage: Stage, case: Any) -> None:
        firehose = make_delivery(stage)
        size = _BIG if case.big else 5
        events: list[Any] = []
        for n in range(_COUNTS[case.count]):
            note = "x" * size if case.alike else WILD[n % len(WILD)].ljust(size, "x")
            events.append({"rider": n % 3 if case.alike else n, "note": note})
        notes = ("x" * (_LARGEST - _FRAME), "눈" * (_LARGEST // 2))  # one byte too many; few letters, many bytes
        big = [{"rider": 9000 + n, "note": note} for n, note in enumerate(notes[: case.huge])]
        if big:  # one that is as large as it may be, newline and all; the next has one byte more
            events.append({"rider": 9009, "note": "x" * (_LARGEST - _FRAME - 1)})
        for n, event in enumerate(big):
            events.insert(n, event)
        stage.fault("partial", ("PutRecordBatch",), case.failing, share=0.4)
        stage.fault("throttle", ("PutRecordBatch", "PutRecord"), case.away * GIVES_UP)
        stage.forgiving = False  # what was put before a new start would be put twice
        stage.fault("lost_answer", ("PutRecordBatch", "PutRecord"), case.lost)
        given = json.loads(json.dumps(events))
        returned = stage.call("producer", firehose, NAME, given, until=stage.cloud.now + 900)
        delivered(stage)
        text = b"".join(objects(stage).values())
        if not isinstance(returned, (list, tuple, type(None))):
            raise Problem(f"Your function returned {cut(returned)}. Return the list of the events that are too big.")
        stored = documents_in(text)
        big = [event for event in big if event in (returned or ()) or event not in stored]
        stage.given = events, big, returned, text  # what is in S3 was not too big, as the function writes JSON
        stage.reach("count", _COUNTS[case.count])


# ---- 06.choose -------------------------------------------------------------------------------------------------------

_WAYS = ("stream", "firehose", "both")
_NAMES = ("turnstile doors", "snow maps", "tickets", "invoices", "avalanche warnings")
_MIB = 1 << 20


@cache
def measured() -> dict[str, tuple[float, float]]:
    """Seconds after which half of the records, and all of them, had arrived: at a program, and in S3. Two runs of the
    lab's own scenario."""
    read = sorted(wait for _, wait in stream_waits(SkiLift(way="stream", rush=1.0).run(7, until=120.0)))
    stored = sorted(wait for _, wait, _ in delivery_waits(SkiLift(rush=1.0).run(7, until=130.0)))
    return {
        "program": (read[len(read) // 2], read[-1]),
        "S3": (stored[len(stored) // 2], stored[-1]),
    }


def in_s3_within(load: float) -> float:
    """Seconds until a record is in S3, at `load` bytes a second: the buffer of 1 MiB is full, or 60 s are over."""
    return min(measured()["S3"][1], _MIB / load + 0.5)


def misses(way: str, system: dict[str, Any]) -> str:
    """What the system lacks that way, in words; "" when it has all."""
    load = system["records"] * system["bytes"]
    if system["archive"] and way == "stream":
        return "A stream alone writes no files: somebody would have to write, run and watch a program for it."
    if system["again"] and way == "firehose":
        return (
            "Firehose keeps nothing that it has delivered. No call reads a record from it once more, and files in S3 "
            "are no replay."
        )
    within = measured()["program"][1] if way != "firehose" else in_s3_within(load)
    if system["within"] and within > system["within"]:
        where = f"At {load / 1000:,.0f} kB a second the buffer of 1 MiB is closed after {in_s3_within(load):.0f} s"
        return f"{where}: a record is of use only then, and {system['within']} s are allowed."
    return ""


class Choose(Exercise):
    """A stream, Firehose, or both."""

    id = "06.choose"
    signature = "choose(system)"
    knobs = knobs(
        system=one_of([f"system {name!r}" for name in _NAMES]),
        within=one_of(["no hurry", "2 s", "20 s", "45 s", "90 s", "300 s"]),
        records=one_of(["2 records/s", "100 records/s", "2,000 records/s"]),
        kilobytes=one_of(["1 kB each", "2.5 kB each"]),
        archive=flag("files in S3 are wanted"),
        again=flag("a replay must be possible"),
        seeds=0,
    )
    harmless = {"within": 1}
    also = (
        {"within": 2, "records": 1, "kilobytes": 1, "archive": 1}, {"within": 2, "archive": 1}, {"again": 1},
        {"again": 1, "archive": 1}, {"within": 4, "archive": 1}, {"archive": 1}, {"within": 1, "archive": 1},
        {"within": 4}, {"within": 3}, {"within": 3, "archive": 1}, {"within": 3, "records": 1},
        {"within": 1, "records": 2, "kilobytes": 1, "archive": 1}, {"within": 1, "records": 1},
    )  # fmt: skip
    examples = 60

    def play(self, stage: Stage, case: Any) -> None:
        within, archive = (0, 2, 20, 45, 90, 300)[case.within], bool(case.archive)
        again = bool(case.again)
        system: dict[str, Any] = {
            "name": _NAMES[case.system],
            "within": within,
            "records": (2, 100, 2000)[case.records],
            "bytes": (1000, 2500)[case.kilobytes],
            "archive": archive,
            "again": again,
        }
        answer = stage.cloud.run(lambda: stage.function(dict(system)))
        if answer not in _WAYS:
            raise Problem(f"Your function returned {cut(answer, 50)}. Return one of {', '.join(map(repr, _WAYS))}.")
        said = ", ".join(f"{key} {value}" for key, value in system.items())
        half, most = measured()["program"]
        numbers = f"Measured in this lab: a program has a record after {half:.1f} s ({most:.1f} s at most)."
        if lacks := misses(answer, system):
            raise Problem(f"{said}: you chose {answer!r}. {lacks} {numbers}")
        quotas = stage.cloud.quotas
        able = [way for way in _WAYS if not misses(way, system)]
        dollars = {way: monthly(way, system["records"], system["bytes"], quotas) for way in _WAYS}
        simplest = min(able, key=lambda way: (way == "both", dollars[way]))
        if answer == "both" and simplest != "both":
            cost, less = dollars[answer], dollars[simplest]
            raise Problem(
                f"{said}: you chose 'both', for ${cost:,.0f} a month. {simplest!r} has all that is wanted, for "
                f"${less:,.0f}, and is one thing less to watch."
            )
        if answer == "stream" and "firehose" in able and not again:
            raise Problem(
                f"{said}: you chose 'stream'. Firehose has all that is wanted: records are in S3 after "
                f"{in_s3_within(system['records'] * system['bytes']):.0f} s, and there is no program to write, to "
                f"scale and to watch. {numbers}"
            )


EXERCISES = (Transform(), Producer(), Choose(), *DELIVERY)
