"""Wrong answers to lab 05's exercises, as learners write them, each with what the verdict must say; and right ones."""

import hashlib
import math
import time
import uuid

# ---- 05.keys ---------------------------------------------------------------------------------------------------------


def keys_one_for_all(system, record):
    return "all"


def keys_by_depot(system, record):
    return record.get("depot") or record.get("session") or record["machine"]


def keys_by_factory(system, record):
    return record.get("truck") or record.get("session") or record["factory"]


def keys_at_random(system, record):
    return str(uuid.uuid4())


def keys_of_the_whole_record(system, record):
    return str(sorted(record.items()))


def keys_last_character(system, record):
    return (record.get("truck") or record.get("session") or record["machine"])[-1]


def keys_a_number(system, record):
    return 7


def keys_empty(system, record):
    return ""


# ---- 05.producer -----------------------------------------------------------------------------------------------------


def _entries(records):
    return [{"Data": record["data"], "PartitionKey": record["key"]} for record in records]


def _pieces(entries, most=500, size=5_000_000):
    piece, total = [], 0
    for entry in entries:
        more = len(entry["Data"]) + len(entry["PartitionKey"])
        if piece and (len(piece) == most or total + more > size):
            yield piece
            piece, total = [], 0
        piece.append(entry)
        total += more
    if piece:
        yield piece


def put_and_hope(kinesis, stream_name, records):
    for piece in _pieces(_entries(records)):
        kinesis.put_records(StreamName=stream_name, Records=piece)


def put_the_whole_batch_again(kinesis, stream_name, records):
    for piece in _pieces(_entries(records)):
        while kinesis.put_records(StreamName=stream_name, Records=piece)["FailedRecordCount"]:
            time.sleep(1)


def put_again_once_only(kinesis, stream_name, records):
    for piece in _pieces(_entries(records)):
        answer = kinesis.put_records(StreamName=stream_name, Records=piece)
        again = [entry for entry, result in zip(piece, answer["Records"]) if "ErrorCode" in result]
        if again:
            kinesis.put_records(StreamName=stream_name, Records=again)


def put_all_in_one_call(kinesis, stream_name, records):
    left = _entries(records)
    while left:
        answer = kinesis.put_records(StreamName=stream_name, Records=left)
        left = [entry for entry, result in zip(left, answer["Records"]) if "ErrorCode" in result]


def put_five_hundred_of_any_size(kinesis, stream_name, records):
    left = _entries(records)
    while left:
        piece = left[:500]
        answer = kinesis.put_records(StreamName=stream_name, Records=piece)
        left = [e for e, result in zip(piece, answer["Records"]) if "ErrorCode" in result] + left[500:]


def put_one_by_one(kinesis, stream_name, records):
    for entry in _entries(records):
        kinesis.put_record(StreamName=stream_name, **entry)


def put_the_first_of_what_failed(kinesis, stream_name, records):
    """It takes the number of failures for their place."""
    for piece in _pieces(_entries(records)):
        while piece:
            answer = kinesis.put_records(StreamName=stream_name, Records=piece)
            piece = piece[: answer["FailedRecordCount"]]


def put_without_equal_ones(kinesis, stream_name, records):
    left = _entries({(record["key"], record["data"]): record for record in records}.values())
    while left:
        piece = next(_pieces(left))
        answer = kinesis.put_records(StreamName=stream_name, Records=piece)
        left = [e for e, result in zip(piece, answer["Records"]) if "ErrorCode" in result] + left[len(piece) :]


def put_nothing(kinesis, stream_name, records):
    return len(records)


def put_recursively(kinesis, stream_name, records):
    """Right, in another way."""

    def deliver(piece):
        answer = kinesis.put_records(StreamName=stream_name, Records=piece)
        again = [entry for entry, result in zip(piece, answer["Records"]) if result.get("ErrorCode")]
        if again:
            time.sleep(0.5)
            deliver(again)

    for piece in _pieces(_entries(records), most=200):
        deliver(piece)


# ---- 05.consumer -----------------------------------------------------------------------------------------------------


def _shards(kinesis, stream_name):
    return [shard["ShardId"] for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]]


def _iterator(kinesis, stream_name, shard, done=None, kind="AFTER_SEQUENCE_NUMBER"):
    start = (
        {"ShardIteratorType": kind, "StartingSequenceNumber": done} if done else {"ShardIteratorType": "TRIM_HORIZON"}
    )
    return kinesis.get_shard_iterator(StreamName=stream_name, ShardId=shard, **start)["ShardIterator"]


def _consume(kinesis, stream_name, checkpoints, handle, kind="AFTER_SEQUENCE_NUMBER", pause=1.0, limit=20):
    iterators = {}
    while True:
        for shard in _shards(kinesis, stream_name):
            if shard not in iterators:
                iterators[shard] = _iterator(kinesis, stream_name, shard, checkpoints.get(shard), kind)
            answer = kinesis.get_records(ShardIterator=iterators[shard], Limit=limit)
            handle(shard, answer["Records"])
            iterators[shard] = answer["NextShardIterator"]
        time.sleep(pause)


def consumer_without_checkpoints(kinesis, stream_name, checkpoints, process):
    def handle(shard, records):
        for record in records:
            process(record)

    _consume(kinesis, stream_name, checkpoints, handle)


def consumer_checkpoint_first(kinesis, stream_name, checkpoints, process):
    def handle(shard, records):
        if records:
            checkpoints.put(shard, records[-1]["SequenceNumber"])
        for record in records:
            process(record)

    _consume(kinesis, stream_name, checkpoints, handle)


def consumer_at_the_checkpoint(kinesis, stream_name, checkpoints, process):
    def handle(shard, records):
        for record in records:
            process(record)
            checkpoints.put(shard, record["SequenceNumber"])

    _consume(kinesis, stream_name, checkpoints, handle, kind="AT_SEQUENCE_NUMBER")


def consumer_skips_what_fails(kinesis, stream_name, checkpoints, process):
    """As the Kinesis Client Library does with an exception of processRecords."""

    def handle(shard, records):
        for record in records:
            try:
                process(record)
            except Exception:
                print("a bad record")
        if records:
            checkpoints.put(shard, records[-1]["SequenceNumber"])

    _consume(kinesis, stream_name, checkpoints, handle)


def consumer_failed_ones_last(kinesis, stream_name, checkpoints, process):
    def handle(shard, records):
        later = []
        for record in records:
            try:
                process(record)
            except Exception:
                later.append(record)
        for record in later:
            process(record)
        if records:
            checkpoints.put(shard, records[-1]["SequenceNumber"])

    _consume(kinesis, stream_name, checkpoints, handle)


def consumer_of_one_shard(kinesis, stream_name, checkpoints, process):
    shard = _shards(kinesis, stream_name)[0]
    iterator = _iterator(kinesis, stream_name, shard, checkpoints.get(shard))
    while True:
        answer = kinesis.get_records(ShardIterator=iterator, Limit=20)
        for record in answer["Records"]:
            process(record)
        if answer["Records"]:
            checkpoints.put(shard, answer["Records"][-1]["SequenceNumber"])
        iterator = answer["NextShardIterator"]
        time.sleep(1)


def consumer_from_now_on(kinesis, stream_name, checkpoints, process):
    iterators = {}
    while True:
        for shard in _shards(kinesis, stream_name):
            if shard not in iterators:
                latest = {"StreamName": stream_name, "ShardId": shard, "ShardIteratorType": "LATEST"}
                iterators[shard] = kinesis.get_shard_iterator(**latest)["ShardIterator"]
            answer = kinesis.get_records(ShardIterator=iterators[shard])
            for record in answer["Records"]:
                process(record)
            iterators[shard] = answer["NextShardIterator"]
        time.sleep(1)


def consumer_stops_when_nothing_comes(kinesis, stream_name, checkpoints, process):
    for shard in _shards(kinesis, stream_name):
        iterator = _iterator(kinesis, stream_name, shard, checkpoints.get(shard))
        while True:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=20)
            if not answer["Records"]:
                break
            for record in answer["Records"]:
                process(record)
            checkpoints.put(shard, answer["Records"][-1]["SequenceNumber"])
            iterator = answer["NextShardIterator"]


def consumer_keeps_one_iterator(kinesis, stream_name, checkpoints, process):
    """An iterator is no bookmark: it dies after five minutes, and gives the same records again."""
    iterators = {s: _iterator(kinesis, stream_name, s, checkpoints.get(s)) for s in _shards(kinesis, stream_name)}
    seen = set()
    while True:
        for shard, iterator in iterators.items():
            for record in kinesis.get_records(ShardIterator=iterator)["Records"]:
                if record["SequenceNumber"] not in seen:
                    process(record)
                    seen.add(record["SequenceNumber"])
                    checkpoints.put(shard, record["SequenceNumber"])
        time.sleep(1)


def consumer_of_bodies(kinesis, stream_name, checkpoints, process):
    _consume(kinesis, stream_name, checkpoints, lambda shard, records: [process(r["Data"]) for r in records])


def consumer_with_a_hurry(kinesis, stream_name, checkpoints, process):
    def handle(shard, records):
        for record in records:
            process(record)
            checkpoints.put(shard, record["SequenceNumber"])

    _consume(kinesis, stream_name, checkpoints, handle, pause=0.0)


def consumer_tries_again(kinesis, stream_name, checkpoints, process):
    """Right: a record that fails is tried again at once, and each is noted."""

    def handle(shard, records):
        for record in records:
            while True:
                try:
                    process(record)
                    break
                except Exception:
                    time.sleep(1)
            checkpoints.put(shard, record["SequenceNumber"])

    _consume(kinesis, stream_name, checkpoints, handle)


# ---- 05.reshard ------------------------------------------------------------------------------------------------------


def _read_shard(kinesis, stream_name, shard, process, kind="TRIM_HORIZON"):
    first = {"StreamName": stream_name, "ShardId": shard, "ShardIteratorType": kind}
    iterator = kinesis.get_shard_iterator(**first)["ShardIterator"]
    while iterator:
        answer = kinesis.get_records(ShardIterator=iterator)
        for record in answer["Records"]:
            process(record)
        iterator = answer.get("NextShardIterator")
        if not answer["Records"] and not answer["MillisBehindLatest"]:
            return
        time.sleep(0.25)


def read_open_shards_only(kinesis, stream_name, process):
    latest = kinesis.list_shards(StreamName=stream_name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    for shard in latest:
        _read_shard(kinesis, stream_name, shard["ShardId"], process)


def read_newest_first(kinesis, stream_name, process):
    for shard in reversed(_shards(kinesis, stream_name)):
        _read_shard(kinesis, stream_name, shard, process)


def read_open_shards_first(kinesis, stream_name, process):
    shards = kinesis.list_shards(StreamName=stream_name)["Shards"]
    for shard in sorted(shards, key=lambda s: "EndingSequenceNumber" in s["SequenceNumberRange"]):
        _read_shard(kinesis, stream_name, shard["ShardId"], process)


def read_from_the_latest(kinesis, stream_name, process):
    for shard in _shards(kinesis, stream_name):
        _read_shard(kinesis, stream_name, shard, process, "LATEST")


def read_children_twice(kinesis, stream_name, process):
    """It follows ChildShards, and forgets that two parents can have the same child."""

    def follow(shard):
        first = {"StreamName": stream_name, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**first)["ShardIterator"]
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                process(record)
            iterator = answer.get("NextShardIterator")
            if iterator and not answer["Records"] and not answer["MillisBehindLatest"]:
                return
            for child in answer.get("ChildShards", []):
                follow(child["ShardId"])

    for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]:
        if "ParentShardId" not in shard:
            follow(shard["ShardId"])


def read_in_the_order_of_their_ids(kinesis, stream_name, process):
    """Right: a shard's id is higher than those of its parents."""
    for shard in sorted(_shards(kinesis, stream_name)):
        _read_shard(kinesis, stream_name, shard, process)


# ---- 05.size ---------------------------------------------------------------------------------------------------------


def size_like_ours(
    load, record_size, readers, written=True, counted=True, read=True, average=False, room=0, ways="both"
):
    peak = max(rate for _, rate in load)
    if average:
        peak = sum(seconds * rate for seconds, rate in load) / 86_400
    needs = [1]
    needs += [peak * record_size / 2**20] * written + [peak / 1000] * counted
    needs += [readers * peak * record_size / 2**21] * read
    shards, records = math.ceil(max(needs)) + room, sum(seconds * rate for seconds, rate in load)
    provisioned = 24 * shards * 0.015 + records * math.ceil(record_size / 25_600) / 1e6 * 0.014
    on_demand = 24 * 0.04 + records * record_size / 2**30 * (0.08 + 0.04 * readers)
    if ways == "shards" or (ways == "both" and provisioned <= on_demand):
        return shards, provisioned
    return "on demand", on_demand


def size_by_megabytes(load, record_size, readers):
    return size_like_ours(load, record_size, readers, counted=False)


def size_by_records(load, record_size, readers):
    return size_like_ours(load, record_size, readers, written=False, read=False)


def size_for_one_reader(load, record_size, readers):
    return size_like_ours(load, record_size, 1, ways="shards")


def size_of_the_average(load, record_size, readers):
    return size_like_ours(load, record_size, readers, average=True)


def size_always_on_demand(load, record_size, readers):
    return size_like_ours(load, record_size, readers, ways="on demand")


def size_never_on_demand(load, record_size, readers):
    return size_like_ours(load, record_size, readers, ways="shards")


def size_with_room(load, record_size, readers):
    return size_like_ours(load, record_size, readers, room=1)


def size_in_words(load, record_size, readers):
    choice, dollars = size_like_ours(load, record_size, readers)
    return f"{choice} shards", dollars


def size_without_cost(load, record_size, readers):
    return size_like_ours(load, record_size, readers)[0]


def size_with_units_of_one(load, record_size, readers):
    return size_like_ours(load, min(record_size, 25_600), readers)


def size_by_the_month(load, record_size, readers):
    choice, dollars = size_like_ours(load, record_size, readers)
    return choice, 30 * dollars


# ---- 05.split --------------------------------------------------------------------------------------------------------


def _place(key):
    return int(hashlib.md5(key.encode()).hexdigest(), 16)


def _open(kinesis, stream_name):
    shards = kinesis.list_shards(StreamName=stream_name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    return [(s["ShardId"], *map(int, s["HashKeyRange"].values())) for s in shards]


def resize_not_at_all(kinesis, stream_name, load):
    return len(load)


def resize_once_in_the_middle(kinesis, stream_name, load):
    kinesis.split_shard(StreamName=stream_name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))


def resize_halves(kinesis, stream_name, load):
    while True:
        crowded = next(
            (
                (id, low, high)
                for id, low, high in _open(kinesis, stream_name)
                if sum(size for key, size in load.items() if low <= _place(key) <= high) > 1000
            ),
            None,
        )
        if crowded is None:
            return
        id, low, high = crowded
        middle = str((low + high + 1) // 2)
        kinesis.split_shard(StreamName=stream_name, ShardToSplit=id, NewStartingHashKey=middle)
        kinesis.get_waiter("stream_exists").wait(StreamName=stream_name)


def resize_without_waiting(kinesis, stream_name, load):
    for n in range(1, sum(load.values()) // 1000 + 1):
        kinesis.split_shard(
            StreamName=stream_name,
            ShardToSplit=_open(kinesis, stream_name)[-1][0],
            NewStartingHashKey=str(n * 2**128 // 16),
        )


def resize_by_the_sum(kinesis, stream_name, load):
    wanted = -(-sum(load.values()) // 1000)
    while (have := len(_open(kinesis, stream_name))) < wanted:
        count = min(wanted, 2 * have)
        kinesis.update_shard_count(StreamName=stream_name, TargetShardCount=count, ScalingType="UNIFORM_SCALING")
        kinesis.get_waiter("stream_exists").wait(StreamName=stream_name)


def resize_a_shard_a_key(kinesis, stream_name, load):
    for key in sorted(load, key=_place)[1:]:
        id = next(id for id, low, high in _open(kinesis, stream_name) if low <= _place(key) <= high)
        kinesis.split_shard(StreamName=stream_name, ShardToSplit=id, NewStartingHashKey=str(_place(key)))
        kinesis.get_waiter("stream_exists").wait(StreamName=stream_name)


WRONG = [
    ("05.keys", keys_one_for_all, ["'truck-1' and truck 'truck-2' have the same key 'all'", "fall into one shard"]),
    ("05.keys", keys_by_depot, ["have the same key 'north': 5 of 8 records"]),
    ("05.keys", keys_by_factory, ["Machine 'press 1' and machine 'press 11' have the same key 'busan'"]),
    ("05.keys", keys_at_random, ["truck 'truck-1' must stay in order", "nothing keeps order between shards"]),
    ("05.keys", keys_of_the_whole_record, ["truck 'truck-1' must stay in order, but record 6 has the key"]),
    ("05.keys", keys_last_character, ["Truck 'truck-2' and truck 'truck-12' have the same key '2'"]),
    ("05.keys", keys_a_number, ["returned 7", "a text of 1 to 256 characters"]),
    ("05.keys", keys_empty, ["Kinesis does not take the key ''", "greater than or equal to 1"]),
    (
        "05.producer",
        put_and_hope,
        ["are not in the stream; the first is record 1", "Put those with an ErrorCode again"],
    ),
    ("05.producer", put_the_whole_batch_again, ["there once too often", "Put only what was refused"]),
    ("05.producer", put_again_once_only, ["1 record of 3 are not in the stream", "2 calls in which a part"]),
    ("05.producer", put_all_in_one_call, ["5 MB limit|less than or equal to 500"]),
    ("05.producer", put_five_hundred_of_any_size, ["Records size exceeds 5 MB limit", "records of 52 kB and of 1 MB"]),
    ("05.producer", put_one_by_one, ["500 records took 500 calls; 51 are allowed", "up to 500 records"]),
    (
        "05.producer",
        put_the_first_of_what_failed,
        [r"records? of \d+ are not in the stream", "in the order of your request"],
    ),
    ("05.producer", put_without_equal_ones, ["It was never put", "are still two records"]),
    ("05.producer", put_nothing, ["Your function called nothing"]),
    ("05.consumer", consumer_without_checkpoints, ["were done more than once", "Write a checkpoint at least every 20"]),
    ("05.consumer", consumer_checkpoint_first, ["but record-1 is not done", "never what was only read"]),
    ("05.consumer", consumer_at_the_checkpoint, ["was done again", "Begin AFTER the sequence number"]),
    ("05.consumer", consumer_skips_what_fails, ["but record-1 is not done. After a crash nobody would ever do it"]),
    (
        "05.consumer",
        consumer_failed_ones_last,
        ["record-2 was done before record-1", "Order is all that a shard gives"],
    ),
    ("05.consumer", consumer_of_one_shard, ["is not done after", "No work on it was begun", "2 shards"]),
    ("05.consumer", consumer_from_now_on, ["record-1 is not done", "No work on it was begun"]),
    ("05.consumer", consumer_stops_when_nothing_comes, ["A consumer runs for ever"]),
    ("05.consumer", consumer_keeps_one_iterator, ["ExpiredIteratorException", "a long silence"]),
    ("05.consumer", consumer_of_bodies, ["process was called with b'tea'", "one record of GetRecords' Records"]),
    (
        "05.consumer",
        consumer_with_a_hurry,
        ["were refused", "Sleep between two calls", "ProvisionedThroughputExceededException"],
    ),
    ("05.reshard", read_open_shards_only, ["record-1 was not done", "a closed one keeps its records"]),
    ("05.reshard", read_newest_first, ["was done after", "Read a parent to its end before you open its children"]),
    ("05.reshard", read_open_shards_first, ["was done after", "The older one was in a shard that is closed now"]),
    ("05.reshard", read_from_the_latest, ["record-1 was not done. It lies in shardId-0+, which is open"]),
    ("05.reshard", read_children_twice, ["was done 2 times. shardId-.* was read again", "merges too"]),
    ("05.split", resize_not_at_all, ["kB a second, and takes 1000", "1 open shard"]),
    ("05.split", resize_once_in_the_middle, ["gets 1394 kB a second", "2 open shards"]),
    ("05.split", resize_halves, ["would do: every one costs", "Split where the load is"]),
    ("05.split", resize_without_waiting, ["ResourceInUseException", "not ACTIVE, instead in state UPDATING"]),
    ("05.split", resize_by_the_sum, ["gets 1286 kB a second", "3 open shards"]),
    ("05.split", resize_a_shard_a_key, ["would do: every one costs"]),
    ("05.size", size_by_megabytes, ["A shard takes 1 MiB and 1,000", "records and"]),
    ("05.size", size_by_records, ["refused", "MiB came to each"]),
    ("05.size", size_for_one_reader, ["to all who poll it together", "They fall behind for ever"]),
    ("05.size", size_of_the_average, ["refused", "records in two seconds"]),
    ("05.size", size_always_on_demand, ["you chose a stream on demand, for"]),
    ("05.size", size_never_on_demand, ["With a stream on demand it costs"]),
    ("05.size", size_with_room, ["shards, for", "and nothing is refused"]),
    ("05.size", size_without_cost, ["Return two things: your choice, and its dollars a day"]),
    ("05.size", size_with_units_of_one, ["you say that", "It costs", "million PUT units"]),
    ("05.size", size_by_the_month, ["you say that a day of 2 shards costs", "It costs"]),
    ("05.size", size_in_words, ["Choose a whole number .int. of shards from 1 to 100, or 'on demand'"]),
]
