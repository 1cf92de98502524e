"""Answers of somebody who did lab 06 anew: a right one that once failed, another right one, wrong ones."""

import json
import time
from base64 import b64decode, b64encode
from datetime import datetime


def _put(firehose, stream_name, records):
    """Each of them, until it is accepted."""
    left = list(records)
    while left:
        count = size = 0
        while count < min(500, len(left)) and size + len(left[count]) <= 4 << 20:
            size += len(left[count])
            count += 1
        batch = [{"Data": data} for data in left[:count]]
        try:
            answer = firehose.put_record_batch(DeliveryStreamName=stream_name, Records=batch)
            refused = [
                data for data, told in zip(left, answer["RequestResponses"], strict=False) if "RecordId" not in told
            ]
        except Exception:
            refused = left[:count]
        if refused:
            time.sleep(1)
        left = refused + left[count:]


def put_compact(firehose, stream_name, events):  # once failed: the largest event fits as this writes JSON
    """Right, in another way: without spaces, and in UTF-8."""
    lines = [json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for event in events]
    _put(firehose, stream_name, [line for line in lines if len(line) <= 1_024_000])
    return [event for event, line in zip(events, lines, strict=True) if len(line) > 1_024_000]


def put_many_lines_in_a_record(firehose, stream_name, events):
    """Right, in another way: few large records."""
    huge, records = [], [b""]
    for event in events:
        line = json.dumps(event).encode() + b"\n"
        if len(line) > 1_024_000:
            huge.append(event)
        elif len(records[-1]) + len(line) > 1_000_000:
            records.append(line)
        else:
            records[-1] += line
    _put(firehose, stream_name, [record for record in records if record])
    return huge


def put_without_repetitions(firehose, stream_name, events):
    lines = dict.fromkeys(json.dumps(event).encode() + b"\n" for event in events)
    _put(firehose, stream_name, [line for line in lines if len(line) <= 1_024_000])
    return [event for event in events if len(json.dumps(event)) >= 1_024_000]


def put_but_for_the_newline(firehose, stream_name, events):
    small = [event for event in events if len(json.dumps(event)) <= 1_024_000]
    _put(firehose, stream_name, [json.dumps(event).encode() + b"\n" for event in small])
    return [event for event in events if event not in small]


def choose_files_for_a_replay(system):
    within = min(60.0, 2**20 / (system["records"] * system["bytes"]))
    stream = 0 < system["within"] < within or (system["again"] and not system["archive"])
    return "firehose" if not stream else "both" if system["archive"] else "stream"


def transform_passes_on_what_it_cannot_read(event, context):
    results = []
    for record in event["records"]:
        entry = {"recordId": record["recordId"], "result": "Ok", "data": record["data"]}
        try:
            rider = json.loads(b64decode(record["data"]))
            line = json.dumps({"gate": rider["gate"], "minute": int(rider["at"] // 60)}) + "\n"
            entry["data"] = b64encode(line.encode()).decode()
            entry["result"] = "Dropped" if rider["rider"] == "test" else "Ok"
        except Exception:
            pass
        results.append(entry)
    return {"records": results}


def put_and_count(firehose, stream_name, events):
    """Once ended the check itself with a TypeError."""
    return len(put_compact(firehose, stream_name, events))


def put_returns_lines(firehose, stream_name, events):
    lines = [json.dumps(event).encode() + b"\n" for event in events]
    _put(firehose, stream_name, [line for line in lines if len(line) <= 1_024_000])
    return [line for line in lines if len(line) > 1_024_000]


def transform_shows_a_dict(event, context):
    results = []
    for record in event["records"]:
        entry = {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]}
        try:
            rider = json.loads(b64decode(record["data"]))
            line = str({"gate": rider["gate"], "minute": int(rider["at"] // 60)}) + "\n"
            entry["result"] = "Dropped" if rider["rider"] == "test" else "Ok"
            entry["data"] = b64encode(line.encode()).decode()
        except Exception:
            pass
        results.append(entry)
    return {"records": results}


def count_ten_seconds_more(events, emit):
    """Looks at the clock as it should, and waits for longer than an event can be late."""
    riders, done = {}, set()
    for event in events:
        if event:
            riders.setdefault(int(event["at"] // 60), set()).add(event["id"])
        for minute in sorted(riders.keys() - done):
            if time.time() > (minute + 1) * 60 + 40:
                _write(emit, minute, len(riders[minute]))
                done.add(minute)
    for minute in sorted(riders.keys() - done):
        _write(emit, minute, len(riders[minute]))


def _write(emit, minute, count):
    while True:
        try:
            return emit(minute, count)
        except ConnectionError:
            time.sleep(1)


def deliver_one_hopeless_of_an_object(s3, firehose, bucket, stream_name, repair):
    """Once passed: no object had two that cannot be repaired."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="errors/"):
        for entry in page.get("Contents", ()):
            key, good = entry["Key"], []
            for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines():
                try:
                    good.append(repair(b64decode(json.loads(line)["rawData"])))
                except ValueError:
                    s3.put_object(Bucket=bucket, Key=f"hopeless/{key}", Body=line)
            _put(firehose, stream_name, good)
            s3.delete_object(Bucket=bucket, Key=key)


def transform_minute_of_the_hour(event, context):
    """Once passed: nobody passed after the first hour."""
    results = []
    for record in event["records"]:
        entry = {"recordId": record["recordId"], "result": "Ok", "data": record["data"]}
        try:
            rider = json.loads(b64decode(record["data"]))
            line = {"gate": rider["gate"], "minute": datetime.fromtimestamp(rider["at"]).minute}
            if rider["rider"] == "test":
                entry["result"] = "Dropped"
            else:
                entry["data"] = b64encode((json.dumps(line) + "\n").encode()).decode()
        except (ValueError, KeyError, TypeError):
            entry["result"] = "ProcessingFailed"
        results.append(entry)
    return {"records": results}


def hints_in_megabytes(load, fresh, largest):
    """Once passed: a megabyte is 1,000,000 bytes, and the buffer counts in MiB."""
    size, seconds = largest - 1, fresh - 1
    if seconds < 60:
        size, seconds = min(size, load * seconds // 1000), 60
    return {"SizeInMBs": size, "IntervalInSeconds": min(seconds, 900)} if size >= 1 else None


def count_by_the_minute_of_the_hour(events, emit):
    riders = {}
    for event in filter(None, events):
        riders.setdefault(datetime.fromtimestamp(event["at"]).minute, set()).add(event["id"])
    for minute, ids in riders.items():
        _write(emit, minute, len(ids))


def count_every_minute(events, emit):
    """Also those in which nobody passed."""
    riders, following = {}, None
    for event in events:
        if event:
            minute = int(event["at"] // 60)
            riders.setdefault(minute, set()).add(event["id"])
            following = minute if following is None else following
        while following is not None and following < (time.time() - 30.5) // 60:
            _write(emit, following, len(riders.get(following, ())))
            following += 1
    for minute in range(following or 0, max(riders, default=-1) + 1):
        _write(emit, minute, len(riders.get(minute, ())))


def deliver_equal_ones_once(s3, firehose, bucket, stream_name, repair):
    """Once passed: no two records were equal."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="errors/"):
        for entry in page.get("Contents", ()):
            key, good, hopeless = entry["Key"], set(), []
            for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines():
                try:
                    good.add(repair(b64decode(json.loads(line)["rawData"])))
                except ValueError:
                    hopeless.append(line)
            _put(firehose, stream_name, sorted(good))
            if hopeless:
                s3.put_object(Bucket=bucket, Key=f"hopeless/{key}", Body=b"\n".join(hopeless))
            s3.delete_object(Bucket=bucket, Key=key)


WRONG = [
    ("06.transform", transform_minute_of_the_hour, ["in minute 61"]),
    ("06.buffer", hints_in_megabytes, ["19 MiB are 19,922,944 bytes"]),
    ("06.windows", count_by_the_minute_of_the_hour, ["you emitted minute 0", "at // 60", "since 1970"]),
    ("06.windows", count_every_minute, ["had 0 riders", "Emit only a minute that had riders"]),
    ("06.redeliver", deliver_equal_ones_once, ["failed 2 times, and was delivered 1 time", "still two records"]),
    ("06.producer", put_returns_lines, ["Your function returned b", "none of the events"]),
    ("06.transform", transform_shows_a_dict, ["is no JSON document", "json.dumps makes JSON"]),
    ("06.windows", count_ten_seconds_more, ["was complete at", "do not wait longer than that"]),
    ("06.redeliver", deliver_one_hopeless_of_an_object, ["lies nowhere under hopeless/", "was written twice"]),
    ("06.producer", put_and_count, ["Your function returned", "Return the list of the events that are too big"]),
    ("06.producer", put_without_repetitions, ["events of 500 are not in S3", "still two events"]),
    ("06.producer", put_but_for_the_newline, ["ValidationException", "with the newline"]),
    ("06.choose", choose_files_for_a_replay, ["you chose 'firehose'", "files in S3 are no replay"]),
    ("06.transform", transform_passes_on_what_it_cannot_read, ["is 'Ok'", "ProcessingFailed says so"]),
]

RIGHT = [
    ("06.producer", put_compact),
    ("06.producer", put_many_lines_in_a_record),
]
