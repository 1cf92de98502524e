"""Wrong answers to lab 06's exercises, as learners write them, each with what the verdict must say."""

import json
import time
from base64 import b64decode, b64encode

# ---- 06.transform ----------------------------------------------------------------------------------------------------


def _line(rider, end="\n"):
    text = json.dumps({"gate": rider["gate"], "minute": int(rider["at"] // 60)}) + end
    return b64encode(text.encode()).decode()


def _entry(record, result, data=None):
    return {"recordId": record["recordId"], "result": result, "data": record["data"] if data is None else data}


def _transformed(record, broken="ProcessingFailed", test="Dropped", end="\n"):
    try:
        rider = json.loads(b64decode(record["data"]))
        if rider["rider"] == "test":
            return _entry(record, test)
        return _entry(record, "Ok", _line(rider, end))
    except (ValueError, KeyError, TypeError):
        return _entry(record, broken)


def transform_that_trusts(event, context):
    """It fails as a whole for one broken record."""
    results = []
    for record in event["records"]:
        rider = json.loads(b64decode(record["data"]))
        result = "Dropped" if rider["rider"] == "test" else "Ok"
        results.append(_entry(record, result, _line(rider)))
    return {"records": results}


def transform_leaves_tests_out(event, context):
    results = [_transformed(record) for record in event["records"]]
    return {"records": [entry for entry in results if entry["result"] != "Dropped"]}


def transform_leaves_broken_out(event, context):
    results = [_transformed(record) for record in event["records"]]
    return {"records": [entry for entry in results if entry["result"] != "ProcessingFailed"]}


def transform_drops_broken(event, context):
    return {"records": [_transformed(record, broken="Dropped") for record in event["records"]]}


def transform_keeps_tests(event, context):
    return {"records": [_transformed(record, test="Ok") for record in event["records"]]}


def transform_without_newline(event, context):
    return {"records": [_transformed(record, end="") for record in event["records"]]}


def transform_without_base64(event, context):
    def plain(entry):
        return {**entry, "data": b64decode(entry["data"]).decode()} if entry["result"] == "Ok" else entry

    return {"records": [plain(_transformed(record)) for record in event["records"]]}


def transform_says_done(event, context):
    return {"records": [{**_transformed(record), "result": "OK"} for record in event["records"]]}


def transform_returns_a_list(event, context):
    return [_transformed(record) for record in event["records"]]


def transform_numbers_them(event, context):
    return {"records": [{**_transformed(r), "recordId": str(n)} for n, r in enumerate(event["records"])]}


def transform_one_by_content(event, context):
    """Equal records are one for it."""
    seen = {record["data"]: record for record in event["records"]}
    return {"records": [_transformed(record) for record in seen.values()]}


def transform_keeps_the_name(event, context):
    results = []
    for record in event["records"]:
        entry = _transformed(record)
        if entry["result"] == "Ok":
            rider = json.loads(b64decode(record["data"]))
            text = json.dumps({"gate": rider["gate"], "minute": int(rider["at"] // 60), "rider": rider["rider"]})
            entry["data"] = b64encode(text.encode() + b"\n").decode()
        results.append(entry)
    return {"records": results}


def transform_catches_bad_json_only(event, context):
    results = []
    for record in event["records"]:
        try:
            rider = json.loads(b64decode(record["data"]))
        except json.JSONDecodeError:
            results.append(_entry(record, "ProcessingFailed"))
            continue
        dropped = rider["rider"] == "test"
        results.append(_entry(record, "Dropped" if dropped else "Ok", _line(rider)))
    return {"records": results}


def transform_looks_for_a_word(event, context):
    results = []
    for record in event["records"]:
        entry = _transformed(record)
        if b"test" in b64decode(record["data"]) and entry["result"] == "Ok":
            entry["result"] = "Dropped"
        results.append(entry)
    return {"records": results}


def transform_rounds_the_minute(event, context):
    results = []
    for record in event["records"]:
        entry = _transformed(record)
        if entry["result"] == "Ok":
            rider = json.loads(b64decode(record["data"]))
            text = json.dumps({"gate": rider["gate"], "minute": round(rider["at"] / 60)})
            entry["data"] = b64encode(text.encode() + b"\n").decode()
        results.append(entry)
    return {"records": results}


def _with_lines(event, line_of):
    """An answer with the line that `line_of` makes of a good rider."""
    results = []
    for record in event["records"]:
        entry = _transformed(record)
        if entry["result"] == "Ok":
            text = json.dumps(line_of(json.loads(b64decode(record["data"])))) + "\n"
            entry["data"] = b64encode(text.encode()).decode()
        results.append(entry)
    return {"records": results}


def transform_keeps_other_fields(event, context):
    def line(rider):
        rider["minute"] = int(rider.pop("at") // 60)
        del rider["rider"]
        return rider

    return _with_lines(event, line)


def transform_with_a_fraction(event, context):
    return _with_lines(event, lambda rider: {"gate": rider["gate"], "minute": rider["at"] // 60 + 0.0})


def transform_forgets_the_gate(event, context):
    results = []
    for record in event["records"]:
        try:
            rider = {"gate": None} | json.loads(b64decode(record["data"]))
            results.append(_entry(record, "Dropped" if rider["rider"] == "test" else "Ok", _line(rider)))
        except (ValueError, KeyError, TypeError):
            results.append(_entry(record, "ProcessingFailed"))
    return {"records": results}


def transform_drops_any_test(event, context):
    results = []
    for record in event["records"]:
        entry = _transformed(record)
        if entry["result"] == "Ok" and json.loads(b64decode(record["data"]))["rider"].strip().lower() == "test":
            entry["result"] = "Dropped"
        results.append(entry)
    return {"records": results}


def transform_answers_bytes(event, context):
    results = [_transformed(record) for record in event["records"]]
    return {"records": [{**entry, "data": entry["data"].encode()} for entry in results]}


# ---- 06.producer -----------------------------------------------------------------------------------------------------

_LARGEST = 1_024_000


def _texts(events, end="\n"):
    return [(event, (json.dumps(event) + end).encode()) for event in events]


def _fitting(events, end="\n", largest=_LARGEST):
    return [{"Data": text} for _, text in _texts(events, end) if len(text) <= largest]


def _big(events, end="\n", largest=_LARGEST):
    return [event for event, text in _texts(events, end) if len(text) > largest]


def _batch(left, most=500, size=4 * 2**20):
    batch, total = [], 0
    for entry in left[:most]:
        total += len(entry["Data"])
        if total > size:
            break
        batch.append(entry)
    return batch


def _refused(firehose, stream_name, batch):
    """Put a batch, and again while all of it is refused. Returns the records that were not taken."""
    while True:
        try:
            answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=batch)
        except firehose.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "ThrottlingException":
                raise
            time.sleep(1)
        else:
            return [e for e, result in zip(batch, answer["RequestResponses"]) if "ErrorCode" in result]


def _put_all(firehose, stream_name, left):
    while left:
        batch = _batch(left)
        refused = _refused(firehose, stream_name, batch)
        left = refused + left[len(batch) :]
        if refused:
            time.sleep(1)


def put_and_hope(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = _batch(left)
        _refused(firehose, stream_name, batch)
        left = left[len(batch) :]
    return _big(events)


def put_the_batch_again(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = _batch(left)
        while _refused(firehose, stream_name, batch):
            time.sleep(1)
        left = left[len(batch) :]
    return _big(events)


def put_five_tries(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = _batch(left)
        rest = batch
        for _ in range(5):
            rest = _refused(firehose, stream_name, rest)
            if not rest:
                break
            time.sleep(1)
        left = left[len(batch) :]
    return _big(events)


def put_without_a_pause(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = _batch(left)
        refused = _refused(firehose, stream_name, batch)
        left = refused + left[len(batch) :]
    return _big(events)


def put_without_newline(firehose, stream_name, events):
    _put_all(firehose, stream_name, _fitting(events, ""))
    return _big(events)


def put_returns_nothing(firehose, stream_name, events):
    _put_all(firehose, stream_name, _fitting(events))


def put_forgets_the_newline_in_the_size(firehose, stream_name, events):
    fitting = [{"Data": text + b"\n"} for _, text in _texts(events, "") if len(text) <= _LARGEST]
    _put_all(firehose, stream_name, fitting)
    return _big(events, "")


def put_one_megabyte(firehose, stream_name, events):
    """A megabyte is 1,000,000 bytes, and a record may have 1,024,000."""
    _put_all(firehose, stream_name, _fitting(events, largest=1_000_000))
    return _big(events, largest=1_000_000)


def put_whatever_size(firehose, stream_name, events):
    _put_all(firehose, stream_name, [{"Data": text} for _, text in _texts(events)])
    return []


def put_five_hundred(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = left[:500]
        refused = _refused(firehose, stream_name, batch)
        left = refused + left[500:]
    return _big(events)


def put_one_by_one(firehose, stream_name, events):
    for entry in _fitting(events):
        while _refused(firehose, stream_name, [entry]):
            time.sleep(1)
    return _big(events)


def put_without_equal_ones(firehose, stream_name, events):
    fitting = {entry["Data"]: entry for entry in _fitting(events)}
    _put_all(firehose, stream_name, list(fitting.values()))
    return _big(events)


def put_by_letters(firehose, stream_name, events):
    """A letter can have several bytes."""
    lines = [(event, json.dumps(event, ensure_ascii=False) + "\n") for event in events]
    _put_all(firehose, stream_name, [{"Data": line.encode()} for _, line in lines if len(line) <= _LARGEST])
    return [event for event, line in lines if len(line) > _LARGEST]


def put_without_try(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = _batch(left)
        answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=batch)
        refused = [e for e, result in zip(batch, answer["RequestResponses"]) if "ErrorCode" in result]
        left = refused + left[len(batch) :]
        if refused:
            time.sleep(1)
    return _big(events)


def _put_in_batches(firehose, stream_name, events, most=500, size=4 * 2**20, tries=1):
    left = _fitting(events)
    while left:
        batch = rest = _batch(left, most, size)
        for _ in range(tries):
            try:
                answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=rest)
            except Exception:
                time.sleep(1)
                continue
            rest = [e for e, result in zip(rest, answer["RequestResponses"]) if "ErrorCode" in result]
            if not rest:
                break
            time.sleep(1)
        left = left[len(batch) :]
    return _big(events)


def put_and_skip_errors(firehose, stream_name, events):
    """What is in a call that raises is forgotten."""
    left = _fitting(events)
    while left:
        batch = _batch(left)
        refused = []
        try:
            answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=batch)
            refused = [e for e, result in zip(batch, answer["RequestResponses"]) if "ErrorCode" in result]
        except Exception:
            pass
        left = refused + left[len(batch) :]
        if refused:
            time.sleep(1)
    return _big(events)


def put_five_megabytes(firehose, stream_name, events):
    return _put_in_batches(firehose, stream_name, events, size=5_000_000, tries=20)


def put_five_hundred_and_one(firehose, stream_name, events):
    return _put_in_batches(firehose, stream_name, events, most=501, tries=20)


def put_returns_what_was_refused(firehose, stream_name, events):
    """What is refused twice is given back."""
    back, left = [], _fitting(events)
    while left:
        batch = _batch(left)
        rest = _refused(firehose, stream_name, batch)
        if rest:
            time.sleep(1)
            rest = _refused(firehose, stream_name, rest)
        back += [json.loads(entry["Data"]) for entry in rest]
        left = left[len(batch) :]
    return _big(events) + back


def put_many_lines_in_a_record(firehose, stream_name, events):
    """Right: Firehose takes several lines as one record, and S3 sees no difference."""
    records, data = [], b""
    for entry in _fitting(events):
        if len(data) + len(entry["Data"]) > _LARGEST:
            records.append({"Data": data})
            data = b""
        data += entry["Data"]
    _put_all(firehose, stream_name, [*records, {"Data": data}] if data else records)
    return _big(events)


# ---- 06.choose -------------------------------------------------------------------------------------------------------


def choose_both(system):
    return "both"


def choose_stream(system):
    return "stream"


def choose_firehose(system):
    return "firehose"


def choose_by_hurry(system):
    return "stream" if 0 < system["within"] < 60 else "firehose"


def choose_a_minute(system):
    """It does not know that a buffer can be full before its time is over."""
    stream = system["again"] or 0 < system["within"] < 61
    return ("both" if system["archive"] else "stream") if stream else "firehose"


def choose_by_the_old_name(system):
    return "Kinesis Data Streams"


# ---- 06.buffer -------------------------------------------------------------------------------------------------------


def hints_smallest(load, fresh, largest):
    return {"SizeInMBs": 1, "IntervalInSeconds": 60}


def hints_largest(load, fresh, largest):
    return {"SizeInMBs": 128, "IntervalInSeconds": 900}


def hints_as_asked(load, fresh, largest):
    return {"SizeInMBs": largest, "IntervalInSeconds": max(60, fresh - 1)}


def hints_that_give_up(load, fresh, largest):
    return {"SizeInMBs": largest - 1, "IntervalInSeconds": fresh - 1} if fresh > 60 else None


def hints_below_a_minute(load, fresh, largest):
    return {"SizeInMBs": largest - 1, "IntervalInSeconds": fresh - 1}


def hints_a_pair(load, fresh, largest):
    return largest, fresh


# ---- 06.windows ------------------------------------------------------------------------------------------------------


def _surely(emit, minute, riders):
    while True:
        try:
            return emit(minute, riders)
        except ConnectionError:
            time.sleep(1)


def count_by_arrival(events, emit):
    _windows(({**e, "at": time.time()} if e else None for e in events), emit, late=0)


def count_until_the_next_minute(events, emit):
    minute, ids = None, set()
    for event in events:
        if minute is not None and time.time() // 60 > minute:
            _surely(emit, minute, len(ids))
            minute, ids = None, set()
        if event is None:
            continue
        minute = int(event["at"] // 60) if minute is None else minute
        ids.add(event["id"])
    if ids:
        _surely(emit, minute, len(ids))


def count_at_the_end(events, emit):
    riders = {}
    for event in events:
        if event:
            riders.setdefault(int(event["at"] // 60), set()).add(event["id"])
    for minute, ids in riders.items():
        _surely(emit, minute, len(ids))


def _windows(events, emit, late=30.5, ids=True, clock=True, flush=True, sure=_surely):
    riders, done, newest = {}, set(), 0.0

    def close(before):
        for minute in [m for m in riders if m < before]:
            sure(emit, minute, len(riders[minute]))
            del riders[minute]
            done.add(minute)

    for n, event in enumerate(events):
        if event:
            minute, newest = int(event["at"] // 60), max(newest, event["at"])
            if minute not in done:
                riders.setdefault(minute, set()).add(event["id"] if ids else n)
        now = time.time() if clock else newest
        close((now - late) // 60)
    if flush:
        close(float("inf"))


def count_ten_seconds_late(events, emit):
    _windows(events, emit, late=10)


def count_twice_what_came_twice(events, emit):
    _windows(events, emit, ids=False)


def count_by_the_events_alone(events, emit):
    """Its clock is the newest event: while nobody passes, no minute ends."""
    _windows(events, emit, clock=False)


def count_without_the_last(events, emit):
    _windows(events, emit, flush=False)


def count_and_hope(events, emit):
    def once(emit, minute, riders):
        try:
            emit(minute, riders)
        except ConnectionError:
            pass

    _windows(events, emit, sure=once)


def count_again_when_it_is_late(events, emit):
    riders = {}
    for event in events:
        if event:
            minute = int(event["at"] // 60)
            riders.setdefault(minute, set()).add(event["id"])
            _surely(emit, minute, len(riders[minute]))


def count_with_one_more_try(events, emit):
    def twice(emit, minute, riders):
        try:
            emit(minute, riders)
        except ConnectionError:
            emit(minute, riders)

    _windows(events, emit, sure=twice)


def count_in_silence_only(events, emit):
    """It looks at the clock only when nothing has come."""
    riders = {}

    def close(before):
        for minute in [m for m in riders if m < before]:
            _surely(emit, minute, len(riders.pop(minute)))

    for event in events:
        if event:
            riders.setdefault(int(event["at"] // 60), set()).add(event["id"])
        else:
            close((time.time() - 30.5) // 60)
    close(float("inf"))


def count_with_a_set_of_what_is_done(events, emit):
    """Right: a minute is done once, and what is left comes at the end."""
    riders, done = {}, set()
    for event in events:
        if event:
            riders.setdefault(event["at"] // 60, set()).add(event["id"])
        for minute in sorted(riders.keys() - done):
            if (minute + 1) * 60 + 30 <= time.time():
                _surely(emit, int(minute), len(riders[minute]))
                done.add(minute)
    for minute in sorted(riders.keys() - done):
        _surely(emit, int(minute), len(riders[minute]))


# ---- 06.redeliver ----------------------------------------------------------------------------------------------------


def _objects(s3, bucket, prefix="errors/"):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


def _records(s3, bucket, key):
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return [b64decode(json.loads(line)["rawData"]) for line in body.splitlines()]


def _sorted_out(records, repair):
    good, bad = [], []
    for data in records:
        try:
            good.append({"Data": repair(data)})
        except ValueError:
            bad.append(data)
    return good, bad


def _aside(s3, bucket, key, bad):
    if bad:
        s3.put_object(Bucket=bucket, Key=f"hopeless/{key}", Body=b"".join(bad))


def deliver_and_hope(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        good, bad = _sorted_out(_records(s3, bucket, key), repair)
        for start in range(0, len(good), 500):
            firehose.put_record_batch(DeliveryStreamName=stream_name, Records=good[start : start + 500])
        _aside(s3, bucket, key, bad)
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_after_deleting(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        records = _records(s3, bucket, key)
        s3.delete_object(Bucket=bucket, Key=key)
        good, bad = _sorted_out(records, repair)
        _put_all(firehose, stream_name, good)
        _aside(s3, bucket, key, bad)


def deliver_drops_the_hopeless(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        good, _ = _sorted_out(_records(s3, bucket, key), repair)
        _put_all(firehose, stream_name, good)
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_stops_at_the_hopeless(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        good = [{"Data": repair(data)} for data in _records(s3, bucket, key)]
        _put_all(firehose, stream_name, good)
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_to_one_hopeless_object(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        good, bad = _sorted_out(_records(s3, bucket, key), repair)
        _put_all(firehose, stream_name, good)
        _aside(s3, bucket, "all", bad)
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_one_page(s3, firehose, bucket, stream_name, repair):
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix="errors/").get("Contents", ()):
        good, bad = _sorted_out(_records(s3, bucket, entry["Key"]), repair)
        _put_all(firehose, stream_name, good)
        _aside(s3, bucket, entry["Key"], bad)
        s3.delete_object(Bucket=bucket, Key=entry["Key"])


def deliver_everything(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket, ""):
        if key.startswith("errors/"):
            good, bad = _sorted_out(_records(s3, bucket, key), repair)
            _put_all(firehose, stream_name, good)
            _aside(s3, bucket, key, bad)
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_the_line(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines():
            repair(line)


def deliver_and_keep(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        good, bad = _sorted_out(_records(s3, bucket, key), repair)
        _put_all(firehose, stream_name, good)
        _aside(s3, bucket, key, bad)


def deliver_the_batch_again(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        good, bad = _sorted_out(_records(s3, bucket, key), repair)
        while good:
            batch, good = good[:500], good[500:]
            while _refused(firehose, stream_name, batch):
                time.sleep(1)
        _aside(s3, bucket, key, bad)
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_numbers_the_hopeless(s3, firehose, bucket, stream_name, repair):
    """After a crash it begins to count again, and replaces what it has put aside."""
    for number, key in enumerate(_objects(s3, bucket), 1):
        good, bad = _sorted_out(_records(s3, bucket, key), repair)
        _put_all(firehose, stream_name, good)
        _aside(s3, bucket, number, bad)
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_all_at_once(s3, firehose, bucket, stream_name, repair):
    """What a crash between two deletes leaves is put aside in the place of the rest."""
    keys, bad = _objects(s3, bucket), []
    for key in keys:
        good, hopeless = _sorted_out(_records(s3, bucket, key), repair)
        _put_all(firehose, stream_name, good)
        bad += hopeless
    _aside(s3, bucket, "all", bad)
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_in_one_call(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        good, bad = _sorted_out(_records(s3, bucket, key), repair)
        while good:
            answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=good)
            good = [entry for entry, result in zip(good, answer["RequestResponses"]) if "ErrorCode" in result]
        _aside(s3, bucket, key, bad)
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_copies_the_object(s3, firehose, bucket, stream_name, repair):
    for key in _objects(s3, bucket):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        good, bad = _sorted_out(_records(s3, bucket, key), repair)
        _put_all(firehose, stream_name, good)
        if bad:
            s3.put_object(Bucket=bucket, Key=f"hopeless/{key}", Body=body)
        s3.delete_object(Bucket=bucket, Key=key)


def deliver_and_put_the_lines_aside(s3, firehose, bucket, stream_name, repair):
    """Right: it puts the whole line of Firehose aside, with the reason."""
    for key in _objects(s3, bucket):
        good, bad = [], []
        for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines():
            try:
                good.append({"Data": repair(b64decode(json.loads(line)["rawData"]))})
            except ValueError:
                bad.append(line + b"\n")
        _aside(s3, bucket, key, bad)
        _put_all(firehose, stream_name, good)
        s3.delete_object(Bucket=bucket, Key=key)


WRONG = [
    ("06.transform", transform_that_trusts, ["Your function raised", "broken record"]),
    ("06.transform", transform_leaves_tests_out, ["no entry for record", "Every recordId must come back"]),
    (
        "06.transform",
        transform_leaves_broken_out,
        ["no entry for record", "also of a record that is dropped or broken"],
    ),
    ("06.transform", transform_drops_broken, ["is 'Dropped'", "Dropped means that nobody ever sees it again"]),
    ("06.transform", transform_keeps_tests, ["is 'Ok'", "a test of the turnstile"]),
    ("06.transform", transform_without_newline, ["}{", "end each with a newline"]),
    ("06.transform", transform_without_base64, ["no base64", "in both directions"]),
    ("06.transform", transform_says_done, ["the result 'OK'", "one of Ok, Dropped, ProcessingFailed"]),
    ("06.transform", transform_returns_a_list, ["Firehose wants", "A wrong answer is final"]),
    ("06.transform", transform_numbers_them, ["no entry for record 1"]),
    ("06.transform", transform_one_by_content, ["no entry for record 1", "equal records"]),
    ("06.transform", transform_keeps_the_name, ["should not be there so", "and nothing else"]),
    ("06.transform", transform_catches_bad_json_only, ["Your function raised"]),
    ("06.transform", transform_looks_for_a_word, ["is 'Dropped'", "It is a good record"]),
    ("06.transform", transform_rounds_the_minute, ["should not be there so", "59.999 s: that is in minute 0"]),
    ("06.transform", transform_keeps_other_fields, ["should not be there so", "and nothing else", '"pass"']),
    ("06.transform", transform_forgets_the_gate, ["is 'Ok'", "It lacks the gate"]),
    ("06.transform", transform_drops_any_test, ["is 'Dropped'", "It is a good record"]),
    ("06.transform", transform_answers_bytes, ["no text", "the whole call fails"]),
    ("06.transform", transform_with_a_fraction, ["should not be there so", "a whole number: int"]),
    ("06.producer", put_and_hope, ["(is|are) not in S3", "RequestResponses"]),
    ("06.producer", put_the_batch_again, ["should not be there", "what has a RecordId is accepted"]),
    ("06.producer", put_five_tries, ["(is|are) not in S3", "RequestResponses"]),
    ("06.producer", put_without_a_pause, ["wait a second after a refusal"]),
    ("06.producer", put_without_newline, ["is no JSON document", "as JSON and a newline"]),
    ("06.producer", put_returns_nothing, ["returned nothing"]),
    ("06.producer", put_forgets_the_newline_in_the_size, ["less than or equal to 1024000"]),
    ("06.producer", put_one_megabyte, ["1,024,000 bytes with its newline: that is not too big"]),
    ("06.producer", put_whatever_size, ["less than or equal to 1024000"]),
    ("06.producer", put_five_hundred, ["Records size exceeds 4 MB limit", "events of 20 kB"]),
    ("06.producer", put_one_by_one, ["500 events took 500 calls"]),
    ("06.producer", put_by_letters, ["1024000", "2 events too big for a record"]),
    (
        "06.producer",
        put_without_try,
        ["Your function raised .*ThrottlingException", "boto3 has tried this call 5 times"],
    ),
    ("06.producer", put_and_skip_errors, ["are not in S3", "refused 5 calls in a row", "still to be put"]),
    ("06.producer", put_five_megabytes, ["as a whole", "InvalidArgumentException", "4 MiB"]),
    ("06.producer", put_five_hundred_and_one, ["as a whole", "ValidationException", "up to 500 records"]),
    ("06.producer", put_returns_what_was_refused, ["that is not too big", "until it is accepted"]),
    ("06.producer", put_without_equal_ones, ["It was never put", "are still two events"]),
    ("06.choose", choose_both, ["you chose 'both', for \\$", "one thing less to watch"]),
    ("06.choose", choose_stream, ["you chose 'stream'"]),
    ("06.choose", choose_firehose, ["you chose 'firehose'", "Measured in this lab"]),
    ("06.choose", choose_by_hurry, ["you chose"]),
    ("06.choose", choose_a_minute, ["Firehose has all that is wanted|has all that is wanted"]),
    ("06.choose", choose_by_the_old_name, ["returned 'Kinesis Data Streams'", "one of 'stream', 'firehose', 'both'"]),
    ("06.buffer", hints_smallest, ["objects; about", "Many small files"]),
    ("06.buffer", hints_largest, ["had waited|has .* MiB"]),
    ("06.buffer", hints_as_asked, ["bytes, and \\d+ MiB are", "the last record does not fit exactly"]),
    ("06.buffer", hints_that_give_up, ["returned None", "would do"]),
    ("06.buffer", hints_below_a_minute, ["IntervalInSeconds|intervalInSeconds"]),
    ("06.buffer", hints_a_pair, ["Return a dict with SizeInMBs and IntervalInSeconds"]),
    ("06.windows", count_by_arrival, ["Count by `at`|Nobody passed then|told of at"]),
    ("06.windows", count_until_the_next_minute, ["can come 30 s after it happened|and again at"]),
    ("06.windows", count_at_the_end, ["was complete at", "5 s are allowed"]),
    ("06.windows", count_ten_seconds_late, ["can come 30 s after it happened"]),
    ("06.windows", count_twice_what_came_twice, ["One event came twice"]),
    ("06.windows", count_by_the_events_alone, ["was complete at", "look at the clock"]),
    ("06.windows", count_without_the_last, ["was never emitted", "emit what is still open"]),
    ("06.windows", count_and_hope, ["was never emitted", "emit raised ConnectionError at", "Emit it again"]),
    ("06.windows", count_with_one_more_try, ["ConnectionError"]),
    ("06.windows", count_in_silence_only, ["was complete at", "look at the clock at each event, too"]),
    ("06.windows", count_again_when_it_is_late, ["never again|passed"]),
    ("06.redeliver", deliver_and_hope, ["was never accepted", "Its object is deleted"]),
    ("06.redeliver", deliver_after_deleting, ["was never accepted", "a crash after"]),
    ("06.redeliver", deliver_drops_the_hopeless, ["lies nowhere under hopeless/"]),
    ("06.redeliver", deliver_stops_at_the_hopeless, ["ValueError"]),
    ("06.redeliver", deliver_to_one_hopeless_object, ["lies nowhere under hopeless/", "all was written twice"]),
    ("06.redeliver", deliver_numbers_the_hopeless, ["lies nowhere under hopeless/", "1 was written twice", "a crash"]),
    ("06.redeliver", deliver_all_at_once, ["lies nowhere under hopeless/", "all was written twice", "is deleted"]),
    ("06.redeliver", deliver_in_one_call, ["less than or equal to 500", "an object with 600 records"]),
    ("06.redeliver", deliver_copies_the_object, ["lies under hopeless/ as well"]),
    ("06.redeliver", deliver_one_page, ["are left under errors/", "up to 1,000 names"]),
    ("06.redeliver", deliver_everything, ["An object under riders/ is gone"]),
    ("06.redeliver", deliver_the_line, ["which is no record that failed", "rawData is base64"]),
    ("06.redeliver", deliver_and_keep, ["(is|are) left under errors/"]),
    ("06.redeliver", deliver_the_batch_again, ["once too often"]),
]

RIGHT = [
    ("06.producer", put_many_lines_in_a_record),
    ("06.windows", count_with_a_set_of_what_is_done),
    ("06.redeliver", deliver_and_put_the_lines_aside),
]
