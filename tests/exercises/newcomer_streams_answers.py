"""Wrong answers to lab 05's exercises that once passed, as a newcomer wrote them; and right ones of another kind."""

import math
import re
import time

# ---- 05.keys ---------------------------------------------------------------------------------------------------------


def _name(system, record):
    return record[{"trucks": "truck", "clicks": "session", "machines": "machine"}[system]]


def keys_in_capitals(system, record):  # once passed
    return _name(system, record).upper()


def keys_of_eight_characters(system, record):  # once passed
    return _name(system, record)[:8]


# ---- 05.producer -----------------------------------------------------------------------------------------------------


def _entries(records):
    return [{"Data": record["data"], "PartitionKey": record["key"]} for record in records]


def _pieces(entries, most=500):
    piece, size = [], 0
    for entry in entries:
        more = len(entry["Data"]) + len(entry["PartitionKey"].encode())
        if piece and (len(piece) == most or size + more > 5 * 2**20):
            yield piece
            piece, size = [], 0
        piece.append(entry)
        size += more
    if piece:
        yield piece


def _refused(entries, answer):
    return [entry for entry, told in zip(entries, answer["Records"], strict=True) if "ErrorCode" in told]


def _putting(pieces, tries):
    def put(kinesis, stream_name, records):
        for piece in pieces(_entries(records)):
            for n in range(tries):
                piece = _refused(piece, kinesis.put_records(StreamName=stream_name, Records=piece))
                if not piece:
                    break
                time.sleep(0.1 * 2**n)

    return put


put_in_five_tries = _putting(_pieces, 5)  # once passed
put_eighty = _putting(lambda entries: _pieces_of(80, entries), 15)  # once passed


def _pieces_of(count, entries):
    return [entries[n : n + count] for n in range(0, len(entries), count)]


def put_the_last_piece_again(kinesis, stream_name, records):
    left = []
    for piece in _pieces(_entries(records)):
        left = _refused(piece, kinesis.put_records(StreamName=stream_name, Records=piece))
    while left:
        time.sleep(1)
        left = _refused(left, kinesis.put_records(StreamName=stream_name, Records=left))


def put_the_refused_ones_together(kinesis, stream_name, records):
    """It forgets that what was refused in all calls can be too much for one."""
    left = []
    for piece in _pieces(_entries(records)):
        left += _refused(piece, kinesis.put_records(StreamName=stream_name, Records=piece))
    while left:
        time.sleep(1)
        left = _refused(left, kinesis.put_records(StreamName=stream_name, Records=left))


def put_refused_ones_at_the_end(kinesis, stream_name, records):
    """Right: what was refused goes to the end of what is left."""
    left = _entries(records)
    while left:
        piece = next(_pieces(left))
        refused = _refused(piece, kinesis.put_records(StreamName=stream_name, Records=piece))
        left = left[len(piece) :] + refused
        if refused:
            time.sleep(1)


# ---- 05.consumer -----------------------------------------------------------------------------------------------------


def _iterator(kinesis, stream_name, shard, done=None):
    where = {"ShardIteratorType": "TRIM_HORIZON"}
    if done:
        where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": done}
    return kinesis.get_shard_iterator(StreamName=stream_name, ShardId=shard, **where)["ShardIterator"]


def _trying(tries):
    """A record is tried so often, then it is left out."""

    def consumer(kinesis, stream_name, checkpoints, process):
        shards = [shard["ShardId"] for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]]
        at = {shard: _iterator(kinesis, stream_name, shard, checkpoints.get(shard)) for shard in shards}
        while True:
            for shard in at:
                answer = kinesis.get_records(ShardIterator=at[shard], Limit=20)
                for record in answer["Records"]:
                    for _ in range(tries):
                        try:
                            process(record)
                            break
                        except Exception:
                            time.sleep(0.5)
                    checkpoints.put(shard, record["SequenceNumber"])
                at[shard] = answer["NextShardIterator"]
            time.sleep(1)

    return consumer


consumer_tries_twice = _trying(2)  # once passed
consumer_tries_five_times = _trying(5)  # once passed


def consumer_drains_a_shard_at_a_time(kinesis, stream_name, checkpoints, process):
    """Right: each round begins behind the checkpoints, and reads each shard until nothing is left."""
    while True:
        for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]:
            id, behind = shard["ShardId"], 1
            at = _iterator(kinesis, stream_name, id, checkpoints.get(id))
            while behind:
                answer = kinesis.get_records(ShardIterator=at, Limit=10)
                for record in answer["Records"]:
                    process(record)
                    checkpoints.put(id, record["SequenceNumber"])
                at, behind = answer["NextShardIterator"], answer["MillisBehindLatest"]
        time.sleep(1)


# ---- 05.reshard ------------------------------------------------------------------------------------------------------


def _records(kinesis, stream_name, shard):
    at, found = _iterator(kinesis, stream_name, shard["ShardId"]), []
    while at:
        answer = kinesis.get_records(ShardIterator=at)
        found += answer["Records"]
        at = answer.get("NextShardIterator") if answer["MillisBehindLatest"] or answer["Records"] else None
        time.sleep(0.3)
    return found


def read_in_the_order_of_their_numbers(kinesis, stream_name, process):  # once passed: the data told the order
    shards = reversed(kinesis.list_shards(StreamName=stream_name)["Shards"])
    records = [record for shard in shards for record in _records(kinesis, stream_name, shard)]
    for record in sorted(records, key=lambda record: [int(n) for n in re.findall(rb"\d+", record["Data"])]):
        process(record)


def read_equal_ones_once(kinesis, stream_name, process):  # once passed
    seen = set()
    for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]:
        for record in _records(kinesis, stream_name, shard):
            if (record["PartitionKey"], record["Data"]) not in seen:
                process(record)
            seen.add((record["PartitionKey"], record["Data"]))


def read_behind_the_first_parent(kinesis, stream_name, process):
    """It forgets AdjacentParentShardId."""
    shards, done = {s["ShardId"]: s for s in kinesis.list_shards(StreamName=stream_name)["Shards"]}, set()

    def visit(id):
        if id in shards and id not in done:
            done.add(id)
            visit(shards[id].get("ParentShardId"))
            for record in _records(kinesis, stream_name, shards[id]):
                process(record)

    for id in reversed(shards):
        visit(id)


def read_parents_first(kinesis, stream_name, process):
    """Right, from the youngest shard back to its parents."""
    shards, done = {s["ShardId"]: s for s in kinesis.list_shards(StreamName=stream_name)["Shards"]}, set()

    def visit(id):
        if id in shards and id not in done:
            done.add(id)
            visit(shards[id].get("ParentShardId"))
            visit(shards[id].get("AdjacentParentShardId"))
            for record in _records(kinesis, stream_name, shards[id]):
                process(record)

    for id in reversed(shards):
        visit(id)


# ---- 05.size ---------------------------------------------------------------------------------------------------------


def _sizing(rate=lambda load: max(rate for _, rate in load), open_for=lambda load: sum(s for s, _ in load)):
    def size(load, record_size, readers):
        peak, records = rate(load), sum(seconds * rate for seconds, rate in load)
        needs = (1, peak / 1000, peak * record_size / 2**20, readers * peak * record_size / 2**21)
        shards = math.ceil(max(needs))
        provisioned = open_for(load) / 3600 * shards * 0.015 + records * -(-record_size // 25_600) * 0.014 / 1e6
        on_demand = 24 * 0.04 + records * record_size / 2**30 * (0.08 + 0.04 * readers)
        return (shards, provisioned) if provisioned <= on_demand else ("on demand", on_demand)

    return size


size_of_the_last_part = _sizing(rate=lambda load: load[-1][1])  # once passed
size_of_the_hours_with_records = _sizing(open_for=lambda load: sum(s for s, rate in load if rate))  # once passed


WRONG = [
    ("05.keys", keys_in_capitals, ["Session 'a1' and session 'A1' have the same key 'A1'"]),
    ("05.keys", keys_of_eight_characters, ["Machine 'press 11' and machine 'press 112' have the same key 'press 11'"]),
    ("05.producer", put_in_five_tries, [r"records? of \d+ are not in the stream", "[5-9] calls in which a part"]),
    ("05.producer", put_eighty, ["Records size exceeds 5 MB limit", "52 kB and of 1 MB"]),
    ("05.producer", put_the_last_piece_again, ["are not in the stream", "Put those with an ErrorCode again"]),
    ("05.producer", put_the_refused_ones_together, ["5 MB limit|less than or equal to 500"]),
    ("05.consumer", consumer_tries_twice, ["but record-1 is not done", "more failures? of the same record"]),
    ("05.consumer", consumer_tries_five_times, ["but record-1 is not done", "[45] more failures of the same record"]),
    ("05.reshard", read_in_the_order_of_their_numbers, ["was done after", "in a shard that is closed now"]),
    ("05.reshard", read_equal_ones_once, ["record-.* was not done"]),
    ("05.reshard", read_behind_the_first_parent, ["was done after", "merges too"]),
    ("05.size", size_of_the_last_part, ["1 shard refused", "in the busiest minutes"]),
    ("05.size", size_of_the_hours_with_records, ["you say that", "24 hours of"]),
]
RIGHT = [
    ("05.producer", put_refused_ones_at_the_end),
    ("05.consumer", consumer_drains_a_shard_at_a_time),
    ("05.reshard", read_parents_first),
    ("05.size", _sizing()),
]
