"""More answers to lab 05's exercises, wrong and right, as a first-time learner wrote them."""

import hashlib
import math
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import numpy as np
from exercises.lab05_answers import _entries, _iterator, _open, _place, _read_shard, _shards, size_like_ours

# ---- 05.keys ---------------------------------------------------------------------------------------------------------

_FIELDS = {"trucks": "truck", "clicks": "session", "machines": "machine"}


def keys_name_of_the_field(system, record):
    return _FIELDS[system]


def keys_by_country(system, record):
    return record.get("country") or record[_FIELDS[system]]


def keys_with_the_page(system, record):
    return record[_FIELDS[system]] + "/" + record.get("page", "")


def keys_hashed(system, record):
    return hashlib.md5(record[_FIELDS[system]].encode()).hexdigest()


# ---- 05.producer -----------------------------------------------------------------------------------------------------


def _size_of_data(entry):
    return len(entry["Data"])


def _size_in_characters(entry):
    return len(entry["Data"]) + len(entry["PartitionKey"])


def _size_in_bytes(entry):
    return len(entry["Data"]) + len(entry["PartitionKey"].encode())


def _in_pieces(records, size):
    piece = []
    for entry in _entries(records):
        if len(piece) == 500 or sum(map(size, piece)) + size(entry) > 5 * 2**20:
            yield piece
            piece = []
        piece.append(entry)
    if piece:
        yield piece


def _putting(size=_size_in_bytes, again=lambda result: "ErrorCode" in result, wait=0.1, longer=2):
    """Piece by piece; what was refused once more, after a wait that gets longer."""

    def put(kinesis, stream_name, records):
        for piece in _in_pieces(records, size):
            seconds = wait
            while piece:
                results = kinesis.put_records(StreamName=stream_name, Records=piece)["Records"]
                piece = [entry for entry, result in zip(piece, results, strict=True) if again(result)]
                if piece:
                    time.sleep(seconds)
                    seconds = min(2, seconds * longer)

    return put


put_without_the_keys = _putting(_size_of_data)  # once it failed for another reason only
put_with_keys_in_characters = _putting(_size_in_characters)
put_throttled_ones_only = _putting(
    again=lambda result: result.get("ErrorCode") == "ProvisionedThroughputExceededException"
)
put_without_a_wait = _putting(wait=0)
put_with_longer_and_longer_waits = _putting()  # once failed: too many calls


def put_the_last_ones_again(kinesis, stream_name, records):
    for piece in _in_pieces(records, _size_in_bytes):
        while failed := kinesis.put_records(StreamName=stream_name, Records=piece)["FailedRecordCount"]:
            piece = piece[-failed:]
            time.sleep(0.5)


def put_again_four_times(kinesis, stream_name, records):
    for piece in _in_pieces(records, _size_in_bytes):
        for _ in range(5):
            if piece:
                results = kinesis.put_records(StreamName=stream_name, Records=piece)["Records"]
                piece = [entry for entry, result in zip(piece, results, strict=True) if "ErrorCode" in result]
                time.sleep(1)


def put_by_key(kinesis, stream_name, records):
    _putting()(kinesis, stream_name, list({record["key"]: record for record in records}.values()))


def put_refused_ones_singly(kinesis, stream_name, records):
    for piece in _in_pieces(records, _size_in_bytes):
        results = kinesis.put_records(StreamName=stream_name, Records=piece)["Records"]
        for entry, result in zip(piece, results, strict=True):
            if "ErrorCode" in result:
                kinesis.put_record(StreamName=stream_name, **entry)


def put_in_three_threads(kinesis, stream_name, records):  # once failed: too many calls
    def deliver(piece):
        while piece:
            results = kinesis.put_records(StreamName=stream_name, Records=piece)["Records"]
            piece = [entry for entry, result in zip(piece, results, strict=True) if "ErrorCode" in result]
            time.sleep(0.5 if piece else 0)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(deliver, _in_pieces(records, _size_in_bytes)))


# ---- 05.consumer -----------------------------------------------------------------------------------------------------


def _round_robin(do_all):
    """All shards in turn, for ever; `do_all(records, process, done)` calls done(sequence number)."""

    def consumer(kinesis, stream_name, checkpoints, process):
        at = {s: _iterator(kinesis, stream_name, s, checkpoints.get(s)) for s in _shards(kinesis, stream_name)}
        while True:
            for shard in at:
                answer = kinesis.get_records(ShardIterator=at[shard], Limit=20)
                do_all(answer["Records"], process, lambda number, shard=shard: checkpoints.put(shard, number))
                at[shard] = answer["NextShardIterator"]
            time.sleep(1)

    return consumer


@_round_robin
def consumer_goes_on_behind_a_failure(records, process, done):
    for record in records:
        try:
            process(record)
        except Exception:
            break
        done(record["SequenceNumber"])


@_round_robin
def consumer_notes_in_any_case(records, process, done):
    for record in records:
        try:
            process(record)
        except Exception as error:
            print(error)
        finally:
            done(record["SequenceNumber"])


def consumer_begins_at_the_checkpoint_each_time(kinesis, stream_name, checkpoints, process):
    while True:
        for shard in _shards(kinesis, stream_name):
            at = _iterator(kinesis, stream_name, shard, checkpoints.get(shard))
            for record in kinesis.get_records(ShardIterator=at, Limit=20)["Records"]:
                try:
                    process(record)
                except Exception:
                    break
                checkpoints.put(shard, record["SequenceNumber"])
        time.sleep(1)


def consumer_asks_every_six_minutes(kinesis, stream_name, checkpoints, process):
    at = {s: _iterator(kinesis, stream_name, s, checkpoints.get(s)) for s in _shards(kinesis, stream_name)}
    while True:
        for shard in at:
            answer = kinesis.get_records(ShardIterator=at[shard], Limit=20)
            for record in answer["Records"]:
                process(record)
                checkpoints.put(shard, record["SequenceNumber"])
            at[shard] = answer["NextShardIterator"]
        time.sleep(360)


# ---- 05.reshard ------------------------------------------------------------------------------------------------------


def _do_shard(kinesis, stream_name, shard, process):
    at = _iterator(kinesis, stream_name, shard)
    while at:
        answer = kinesis.get_records(ShardIterator=at)
        for record in answer["Records"]:
            process(record)
        at = answer.get("NextShardIterator") if answer["MillisBehindLatest"] or answer["Records"] else None


def read_all_at_once(kinesis, stream_name, process):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda s: _do_shard(kinesis, stream_name, s, process), _shards(kinesis, stream_name)))


def read_in_the_order_of_the_ranges(kinesis, stream_name, process):
    shards = kinesis.list_shards(StreamName=stream_name)["Shards"]
    for shard in sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"])):
        _do_shard(kinesis, stream_name, shard["ShardId"], process)


def read_one_answer_each(kinesis, stream_name, process):
    for shard in _shards(kinesis, stream_name):
        at = _iterator(kinesis, stream_name, shard)
        for record in kinesis.get_records(ShardIterator=at, Limit=10)["Records"]:
            process(record)


def read_and_sort(kinesis, stream_name, process):
    records = []
    for shard in _shards(kinesis, stream_name):
        _do_shard(kinesis, stream_name, shard, records.append)
    for record in sorted(records, key=lambda record: int(record["SequenceNumber"])):
        process(record)


def read_the_parents_of_each_open_shard(kinesis, stream_name, process):
    """Two children have the same parent."""
    shards = {shard["ShardId"]: shard for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]}

    def go(shard):
        for parent in ("ParentShardId", "AdjacentParentShardId"):
            if parent in shards[shard]:
                go(shards[shard][parent])
        _read_shard(kinesis, stream_name, shard, process)

    for shard, about in shards.items():
        if "EndingSequenceNumber" not in about["SequenceNumberRange"]:
            go(shard)


def read_closed_shards_only(kinesis, stream_name, process):
    for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]:
        if "EndingSequenceNumber" in shard["SequenceNumberRange"]:
            _read_shard(kinesis, stream_name, shard["ShardId"], process)


def read_and_process_twice(kinesis, stream_name, process):
    records = []
    for shard in sorted(_shards(kinesis, stream_name)):
        _read_shard(kinesis, stream_name, shard, records.append)
        for record in records:
            process(record)


# ---- 05.size ---------------------------------------------------------------------------------------------------------


def _sizing(shards=None, unit=25_600, gib=2**30, out=1, answer=lambda choice, dollars: (choice, dollars)):
    """The cheaper of both ways, with one thing changed."""

    def fewest(load, size, readers):
        peak = max(rate for _, rate in load)
        return math.ceil(max(1, peak / 1000, peak * size / 2**20, readers * peak * size / 2**21))

    def size(load, record_size, readers):
        count = (shards or fewest)(load, record_size, readers)
        records = sum(seconds * rate for seconds, rate in load)
        provisioned = 24 * count * 0.015 + records * math.ceil(record_size / unit) * 0.014 / 1e6
        on_demand = 24 * 0.04 + records * record_size / gib * (0.08 + 0.04 * (readers if out else 1))
        return answer(*((count, provisioned) if provisioned <= on_demand else ("on demand", on_demand)))

    return size


def _with_megabytes_of(size_of_a_megabyte, rounded=math.ceil):
    def shards(load, size, readers):
        peak = max(rate for _, rate in load)
        needs = (1, peak / 1000, peak * size / size_of_a_megabyte, readers * peak * size / 2 / size_of_a_megabyte)
        return rounded(max(needs))

    return shards


size_rounded_down = _sizing(_with_megabytes_of(2**20, int))
size_with_a_million_bytes = _sizing(_with_megabytes_of(10**6))
size_of_the_first_part = _sizing(lambda load, size, readers: _with_megabytes_of(2**20)(load[:1], size, readers))
size_with_units_of_25_000 = _sizing(unit=25_000)
size_with_a_billion_bytes = _sizing(gib=10**9)
size_pays_for_one_reader = _sizing(out=0)
size_an_hour = _sizing(answer=lambda choice, dollars: (choice, dollars / 24))
size_turned_round = _sizing(answer=lambda choice, dollars: (dollars, choice))
size_with_half_a_shard = _sizing(answer=lambda c, dollars: (c if c == "on demand" else c / 2, dollars))


def size_in_numpy(load, record_size, readers):  # once failed: np.int64 is no int
    choice, dollars = size_like_ours(load, record_size, readers)
    return choice if choice == "on demand" else np.int64(choice), np.float64(dollars)


def size_in_decimal(load, record_size, readers):  # once failed
    choice, dollars = size_like_ours(load, record_size, readers)
    return choice, Decimal(f"{dollars:.4f}")


# ---- 05.split --------------------------------------------------------------------------------------------------------


def _ready(kinesis, stream_name):
    kinesis.get_waiter("stream_exists").wait(StreamName=stream_name)


def _cutting(limit=1000, place=_place, shift=0, ready=_ready, number=str):
    """From the left to the right: a cut before the key that is too much."""

    def resize(kinesis, stream_name, load):
        room = limit
        for key in sorted(load, key=place):
            if load[key] > room:
                room, cut = limit, place(key) + shift
                shard = next(id for id, low, high in _open(kinesis, stream_name) if low < cut <= high)
                kinesis.split_shard(StreamName=stream_name, ShardToSplit=shard, NewStartingHashKey=number(cut))
                ready(kinesis, stream_name)
            room -= load[key]

    return resize


def _until_active(kinesis, stream_name):
    about = {"StreamStatus": ""}
    while about["StreamStatus"] != "ACTIVE":
        time.sleep(2)
        about = kinesis.describe_stream_summary(StreamName=stream_name)["StreamDescriptionSummary"]


resize_behind_the_key = _cutting(shift=1)
resize_to_a_mebibyte = _cutting(limit=1024)
resize_by_another_hash = _cutting(place=lambda key: int(hashlib.sha256(key.encode()).hexdigest()[:32], 16))
resize_after_five_seconds = _cutting(ready=lambda kinesis, stream_name: time.sleep(5))
resize_with_a_number = _cutting(number=int)
resize_and_ask_until_active = _cutting(ready=_until_active)
resize_and_sleep_a_minute = _cutting(ready=lambda kinesis, stream_name: time.sleep(60))


def resize_on_demand(kinesis, stream_name, load):
    about = kinesis.describe_stream_summary(StreamName=stream_name)["StreamDescriptionSummary"]
    kinesis.update_stream_mode(StreamARN=about["StreamARN"], StreamModeDetails={"StreamMode": "ON_DEMAND"})


def resize_by_the_number_of_keys(kinesis, stream_name, load):
    keys = sorted(load, key=_place)
    each = math.ceil(len(keys) / math.ceil(sum(load.values()) / 1000))
    for key in keys[each::each]:
        shard = next(id for id, low, high in _open(kinesis, stream_name) if low < _place(key) <= high)
        kinesis.split_shard(StreamName=stream_name, ShardToSplit=shard, NewStartingHashKey=str(_place(key)))
        _ready(kinesis, stream_name)


WRONG = [
    ("05.keys", keys_name_of_the_field, ["have the same key 'truck': 8 of 8 records"]),
    ("05.keys", keys_by_country, ["Session 'a1' and session 'a11' have the same key 'KR'"]),
    ("05.keys", keys_with_the_page, ["session 'a1' must stay in order", "'a1//cart' and an earlier one 'a1//'"]),
    ("05.producer", put_without_the_keys, ["exceeds 5 MB limit", "of all data and of all keys"]),
    ("05.producer", put_with_keys_in_characters, ["exceeds 5 MB limit", r"key\.encode\(\)"]),
    ("05.producer", put_throttled_ones_only, ["are not in the stream", "Put those with an ErrorCode again"]),
    ("05.producer", put_without_a_wait, ["met a full shard", "in the next second: wait before you put again"]),
    ("05.producer", put_again_four_times, ["records of", "are not in the stream", "again, until none is left"]),
    ("05.producer", put_the_last_ones_again, ["not in the stream", "in the order of your request"]),
    ("05.producer", put_by_key, ["are not in the stream", "It was never put"]),
    ("05.producer", put_refused_ones_singly, ["500 records took 2.. calls; 51 are allowed", "up to 500 records"]),
    ("05.consumer", consumer_goes_on_behind_a_failure, ["Its work failed at", "and nobody tried it again"]),
    ("05.consumer", consumer_notes_in_any_case, ["but record-1 is not done", "never what was only read"]),
    ("05.consumer", consumer_asks_every_six_minutes, ["No work on it was begun. The last GetRecords call was at"]),
    ("05.reshard", read_the_parents_of_each_open_shard, ["was done 2 times. shardId-0+ was read again"]),
    ("05.reshard", read_closed_shards_only, ["record-1 was not done. It lies in shardId-0+, which is open"]),
    ("05.reshard", read_and_process_twice, ["was done . times. One answer brought it"]),
    ("05.reshard", read_all_at_once, ["was begun before record-.* was done", "Read a parent to its end"]),
    ("05.reshard", read_in_the_order_of_the_ranges, ["was done after", "in a shard that is closed now"]),
    (
        "05.reshard",
        read_one_answer_each,
        ["was not done. The last answer of shardId", "ended before it", "NextShardIterator"],
    ),
    ("05.size", size_rounded_down, ["1 shard refused .* records in two seconds", "1.43 MiB came to each"]),
    (
        "05.size",
        size_with_a_million_bytes,
        ["you chose 6 shards", "With 5 shards it", r"1,048,576 bytes \(1 MiB\)"],
    ),
    ("05.size", size_of_the_first_part, ["1 shard refused", "in the busiest minutes"]),
    (
        "05.size",
        size_with_units_of_25_000,
        ["25,600 bytes each", "you say that a day of 3 shards costs", "8.64 million PUT"],
    ),
    ("05.size", size_with_a_billion_bytes, ["you chose 18 shards", "With a stream on demand", r"GiB in, and as much"]),
    ("05.size", size_pays_for_one_reader, ["you chose a stream on demand", "With 5 shards it costs"]),
    ("05.size", size_an_hour, [r"you say that a day of 2 shards costs \$0\.0552\. It costs \$1\.3248: 24 hours"]),
    ("05.size", size_turned_round, ["chose 1.3248. Choose a whole number", "or 'on demand'"]),
    ("05.size", size_with_half_a_shard, ["chose 1.0. Choose a whole number .int. of shards"]),
    ("05.split", resize_behind_the_key, ["gets 1394 kB a second", "3 open shards"]),
    ("05.split", resize_to_a_mebibyte, ["gets 1007 kB a second, and takes 1000"]),
    ("05.split", resize_by_another_hash, ["kB a second, and takes 1000", "kB/s fall into it"]),
    ("05.split", resize_after_five_seconds, ["ResourceInUseException", "not ACTIVE, instead in state UPDATING"]),
    ("05.split", resize_with_a_number, ["NewStartingHashKey", "valid types: <class 'str'>"]),
    ("05.split", resize_on_demand, ["kB a second, and takes 1000", "1 open shard"]),
    ("05.split", resize_by_the_number_of_keys, ["kB a second, and takes 1000"]),
]
RIGHT = [
    ("05.keys", keys_hashed),
    ("05.producer", put_with_longer_and_longer_waits),
    ("05.producer", put_in_three_threads),
    ("05.consumer", consumer_begins_at_the_checkpoint_each_time),
    ("05.reshard", read_and_sort),
    ("05.size", size_in_numpy),
    ("05.size", size_in_decimal),
    ("05.split", resize_and_ask_until_active),
    ("05.split", resize_and_sleep_a_minute),
]
