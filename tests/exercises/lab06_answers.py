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


def _put_all(firehose, stream_name, left):
    while left:
        batch = _batch(left)
        answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=batch)
        refused = [e for e, result in zip(batch, answer["RequestResponses"]) if "ErrorCode" in result]
        left = refused + left[len(batch) :]
        if refused:
            time.sleep(1)


def put_and_hope(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = _batch(left)
        firehose.put_record_batch(DeliveryStreamName=stream_name, Records=batch)
        left = left[len(batch) :]
    return _big(events)


def put_the_batch_again(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = _batch(left)
        while firehose.put_record_batch(DeliveryStreamName=stream_name, Records=batch)["FailedPutCount"]:
            time.sleep(1)
        left = left[len(batch) :]
    return _big(events)


def put_five_tries(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = _batch(left)
        rest = batch
        for _ in range(5):
            answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=rest)
            rest = [e for e, result in zip(rest, answer["RequestResponses"]) if "ErrorCode" in result]
            if not rest:
                break
            time.sleep(1)
        left = left[len(batch) :]
    return _big(events)


def put_without_a_pause(firehose, stream_name, events):
    left = _fitting(events)
    while left:
        batch = _batch(left)
        answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=batch)
        refused = [e for e, result in zip(batch, answer["RequestResponses"]) if "ErrorCode" in result]
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
        answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=batch)
        refused = [e for e, result in zip(batch, answer["RequestResponses"]) if "ErrorCode" in result]
        left = refused + left[500:]
    return _big(events)


def put_one_by_one(firehose, stream_name, events):
    for entry in _fitting(events):
        firehose.put_record(DeliveryStreamName=stream_name, Record=entry)
    return _big(events)


def put_without_equal_ones(firehose, stream_name, events):
    fitting = {entry["Data"]: entry for entry in _fitting(events)}
    _put_all(firehose, stream_name, list(fitting.values()))
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
        if good:
            firehose.put_record_batch(DeliveryStreamName=stream_name, Records=good)
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
        while good and firehose.put_record_batch(DeliveryStreamName=stream_name, Records=good)["FailedPutCount"]:
            time.sleep(1)
        _aside(s3, bucket, key, bad)
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
    ("06.transform", transform_keeps_the_name, ["should not be there so", "and no name"]),
    ("06.transform", transform_catches_bad_json_only, ["Your function raised"]),
    ("06.transform", transform_looks_for_a_word, ["is 'Dropped'", "It is a good record"]),
    ("06.transform", transform_rounds_the_minute, ["should not be there so"]),
    ("06.producer", put_and_hope, ["are not in S3", "RequestResponses"]),
    ("06.producer", put_the_batch_again, ["should not be there", "what has a RecordId is accepted"]),
    ("06.producer", put_five_tries, ["are not in S3", "RequestResponses"]),
    ("06.producer", put_without_a_pause, ["wait a second after a refusal"]),
    ("06.producer", put_without_newline, ["is no JSON document", "as JSON and a newline"]),
    ("06.producer", put_returns_nothing, ["returned nothing"]),
    ("06.producer", put_forgets_the_newline_in_the_size, ["less than or equal to 1024000"]),
    ("06.producer", put_one_megabyte, ["1 event of this case is too big", "returned 2 events"]),
    ("06.producer", put_whatever_size, ["less than or equal to 1024000"]),
    ("06.producer", put_five_hundred, ["Records size exceeds 4 MB limit", "events of 20 kB"]),
    ("06.producer", put_one_by_one, ["500 events took 500 calls"]),
    ("06.producer", put_without_equal_ones, ["It was never put", "are still two events"]),
    ("06.choose", choose_both, ["you chose 'both', for \\$", "one thing less to watch"]),
    ("06.choose", choose_stream, ["you chose 'stream'"]),
    ("06.choose", choose_firehose, ["you chose 'firehose'", "Measured in this lab"]),
    ("06.choose", choose_by_hurry, ["you chose"]),
    ("06.choose", choose_a_minute, ["Firehose has all that is wanted|has all that is wanted"]),
    ("06.choose", choose_by_the_old_name, ["returned 'Kinesis Data Streams'", "one of 'stream', 'firehose', 'both'"]),
    ("06.buffer", hints_smallest, ["objects; about", "Many small files"]),
    ("06.buffer", hints_largest, ["had waited|has .* MiB"]),
    ("06.buffer", hints_as_asked, ["MiB, and \\d+ are allowed", "the last record does not fit exactly"]),
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
    ("06.windows", count_and_hope, ["was never emitted"]),
    ("06.windows", count_again_when_it_is_late, ["never again|passed"]),
    ("06.redeliver", deliver_and_hope, ["was never accepted", "Its object is deleted"]),
    ("06.redeliver", deliver_after_deleting, ["was never accepted", "a crash after"]),
    ("06.redeliver", deliver_drops_the_hopeless, ["lies nowhere under hopeless/"]),
    ("06.redeliver", deliver_stops_at_the_hopeless, ["ValueError"]),
    ("06.redeliver", deliver_to_one_hopeless_object, ["lies nowhere under hopeless/"]),
    ("06.redeliver", deliver_one_page, ["are left under errors/", "up to 1,000 names"]),
    ("06.redeliver", deliver_everything, ["An object under riders/ is gone"]),
    ("06.redeliver", deliver_the_line, ["which is no record that failed", "rawData is base64"]),
    ("06.redeliver", deliver_and_keep, ["are left under errors/"]),
    ("06.redeliver", deliver_the_batch_again, ["once more than they should be"]),
]
