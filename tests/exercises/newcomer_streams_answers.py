"""Wrong answers to lab 05's exercises that once passed, as a newcomer wrote them; and right ones of another kind."""

import math
import re
import threading
import time

from exercises.lab05_answers import _entries, _iterator, _shards
from exercises.lab05_more_answers import _round_robin

# ---- 05.keys ---------------------------------------------------------------------------------------------------------


def _name(system, record):
    return record[{"trucks": "truck", "clicks": "session", "machines": "machine"}[system]]


def keys_in_capitals(system, record):  # once passed
    return _name(system, record).upper()


def keys_of_eight_characters(system, record):  # once passed
    return _name(system, record)[:8]


def keys_of_letters_and_digits(system, record):  # once passed
    return re.sub("[- ]", "", _name(system, record))


# ---- 05.producer -----------------------------------------------------------------------------------------------------


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


def _trying(tries):
    """A record is tried so often, then it is left out."""

    @_round_robin
    def consumer(records, process, done):
        for record in records:
            for _ in range(tries):
                try:
                    process(record)
                    break
                except Exception:
                    time.sleep(0.5)
            done(record["SequenceNumber"])

    return consumer


consumer_tries_twice = _trying(2)  # once passed
consumer_tries_five_times = _trying(5)  # once passed


def _noting(notes, limit=20, silent=None, pause=1):
    """All shards in turn. `notes(done, shard)`: what is to be noted after a record of this shard, by shard, of the
    numbers of all that is done, the latest last. After `silent` seconds without a record it ends.
    """

    def consumer(kinesis, stream_name, checkpoints, process):
        at = {s: _iterator(kinesis, stream_name, s, checkpoints.get(s)) for s in _shards(kinesis, stream_name)}
        done, latest = {shard: [] for shard in at}, time.time()
        while silent is None or time.time() - latest < silent:
            for shard in at:
                answer = kinesis.get_records(ShardIterator=at[shard], Limit=limit)
                for record in answer["Records"]:
                    process(record)
                    done[shard].append(record["SequenceNumber"])
                    latest = time.time()
                    for other, number in notes(done, shard).items():
                        checkpoints.put(other, number)
                at[shard] = answer["NextShardIterator"]
            time.sleep(pause)

    return consumer


def _each(done, shard):
    return {shard: done[shard][-1]}


def _twentieth_of_all(done, shard):
    return {} if sum(map(len, done.values())) % 20 else _each(done, shard)


def _twentieth_of_the_shard(done, shard):
    return {} if len(done[shard]) % 20 else _each(done, shard)


def _all_at_every_twentieth(done, shard):
    return {other: numbers[-1] for other, numbers in done.items() if numbers and _twentieth_of_all(done, shard)}


consumer_notes_one_shard_every_twenty = _noting(_twentieth_of_all)  # once passed
consumer_notes_one_shard_every_twenty_of_all = _noting(_twentieth_of_all, 10_000)  # once passed
consumer_counts_for_each_shard = _noting(_twentieth_of_the_shard)
consumer_ends_after_ten_minutes = _noting(_each, silent=600)  # once passed
consumer_ends_after_twelve_minutes = _noting(_each, silent=700)  # once passed
consumer_ends_after_an_hour = _noting(_each, silent=3600)  # once passed
consumer_ends_after_two_hours = _noting(_each, silent=7200)  # once passed
consumer_ends_after_a_day = _noting(_each, silent=86_400)  # once passed
consumer_without_a_pause = _noting(_each, pause=0)  # once it met a limit of the check, and was not told which
consumer_notes_all_shards_every_twenty = _noting(_all_at_every_twentieth)  # right: 20 at most, of all shards together


def consumer_ends_after_a_thousand_rounds(kinesis, stream_name, checkpoints, process):  # once passed
    at = {s: _iterator(kinesis, stream_name, s, checkpoints.get(s)) for s in _shards(kinesis, stream_name)}
    for _ in range(1000):
        for shard in at:
            answer = kinesis.get_records(ShardIterator=at[shard], Limit=20)
            for record in answer["Records"]:
                process(record)
                checkpoints.put(shard, record["SequenceNumber"])
            at[shard] = answer["NextShardIterator"]
        time.sleep(1)


def consumer_leaves_a_shard_at_an_empty_answer(kinesis, stream_name, checkpoints, process):
    at = {s: _iterator(kinesis, stream_name, s, checkpoints.get(s)) for s in _shards(kinesis, stream_name)}
    while True:
        for shard in list(at):
            answer = kinesis.get_records(ShardIterator=at[shard], Limit=20)
            for record in answer["Records"]:
                process(record)
                checkpoints.put(shard, record["SequenceNumber"])
            at[shard] = answer["NextShardIterator"]
            if checkpoints.get(shard) and not answer["Records"]:
                del at[shard]
        time.sleep(1)


def consumer_never_comes_to_the_second_shard(kinesis, stream_name, checkpoints, process):
    for shard in _shards(kinesis, stream_name):
        at = _iterator(kinesis, stream_name, shard, checkpoints.get(shard))
        while at:
            answer = kinesis.get_records(ShardIterator=at, Limit=20)
            for record in answer["Records"]:
                process(record)
                checkpoints.put(shard, record["SequenceNumber"])
            at = answer.get("NextShardIterator")
            time.sleep(1)


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


def consumer_with_a_thread_for_each_shard(kinesis, stream_name, checkpoints, process):
    """Work that fails ends its thread, and nobody begins another."""

    def read(shard):
        at = _iterator(kinesis, stream_name, shard, checkpoints.get(shard))
        while True:
            answer = kinesis.get_records(ShardIterator=at, Limit=20)
            for record in answer["Records"]:
                process(record)
            if answer["Records"]:
                checkpoints.put(shard, answer["Records"][-1]["SequenceNumber"])
            at = answer["NextShardIterator"]
            time.sleep(1)

    shards = [shard["ShardId"] for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]]
    threads = [threading.Thread(target=read, args=(shard,)) for shard in shards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


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


def _behind(*parents):
    """From the youngest shard back to these of its parents."""

    def read(kinesis, stream_name, process):
        shards, done = {s["ShardId"]: s for s in kinesis.list_shards(StreamName=stream_name)["Shards"]}, set()

        def visit(id):
            if id in shards and id not in done:
                done.add(id)
                for parent in parents:
                    visit(shards[id].get(parent))
                for record in _records(kinesis, stream_name, shards[id]):
                    process(record)

        for id in reversed(shards):
            visit(id)

    return read


read_behind_the_first_parent = _behind("ParentShardId")
read_parents_first = _behind("ParentShardId", "AdjacentParentShardId")


def _reading(goes_on, limit=10_000, pause=0.25):
    """Shard by shard, in order. `goes_on(answer, empty)`: after this answer, and so many empty ones in a row?"""

    def read(kinesis, stream_name, process):
        for shard in _shards(kinesis, stream_name):
            at, empty = _iterator(kinesis, stream_name, shard), 0
            while at:
                answer = kinesis.get_records(ShardIterator=at, Limit=limit)
                for record in answer["Records"]:
                    process(record)
                at = answer.get("NextShardIterator") if goes_on(answer, empty) else None
                empty = 0 if answer["Records"] else empty + 1
                time.sleep(pause)

    return read


def _behind_the_tip(answer, empty):
    return answer["Records"] or answer["MillisBehindLatest"]


read_once_each_shard = _reading(lambda answer, empty: False)  # once passed
read_until_an_empty_answer = _reading(lambda answer, empty: answer["Records"])  # once passed
read_until_three_empty_answers = _reading(lambda answer, empty: answer["Records"] or empty < 2)
read_one_by_one_without_a_pause = _reading(_behind_the_tip, limit=1, pause=0)  # once passed
read_until_there_is_no_iterator = _reading(lambda answer, empty: True)  # an open shard always has one
read_one_by_one = _reading(_behind_the_tip, limit=1)  # right: slow, and within the five calls a second
read_without_a_pause = _reading(_behind_the_tip, pause=0)  # right: an answer brings all there is


def _sorted_by_time(one_by_one):
    """All records, or those of a shard, by the time at which they came: that time is approximate."""

    def read(kinesis, stream_name, process):
        lists = [_records(kinesis, stream_name, s) for s in kinesis.list_shards(StreamName=stream_name)["Shards"]]
        for records in lists if one_by_one else [[record for some in lists for record in some]]:
            for record in sorted(records, key=lambda record: record["ApproximateArrivalTimestamp"]):
                process(record)

    return read


read_all_sorted_by_time = _sorted_by_time(False)  # once passed
read_each_shard_sorted_by_time = _sorted_by_time(True)  # once passed


def read_the_newest_of_an_answer_first(kinesis, stream_name, process):  # once it was told of a closed shard
    for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]:
        for record in reversed(_records(kinesis, stream_name, shard)):
            process(record)


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
    ("05.consumer", consumer_with_a_thread_for_each_shard, ["thread had ended with WorkFailed", "nothing starts it"]),
    ("05.keys", keys_in_capitals, ["Session 'a1' and session 'A1' have the same key 'A1'"]),
    ("05.keys", keys_of_eight_characters, ["Machine 'press 11' and machine 'press 112' have the same key 'press 11'"]),
    ("05.keys", keys_of_letters_and_digits, ["Truck 'truck-12' and truck 'truck-1-2' have the same key 'truck12'"]),
    ("05.producer", put_in_five_tries, [r"records? of \d+ are not in the stream", "[5-9] calls in which a part"]),
    ("05.producer", put_eighty, ["Records size exceeds 5 MB limit", "52 kB and of 1 MB"]),
    ("05.producer", put_the_last_piece_again, ["are not in the stream", "Put those with an ErrorCode again"]),
    ("05.producer", put_the_refused_ones_together, ["5 MB limit|less than or equal to 500"]),
    ("05.consumer", consumer_tries_twice, ["but record-1 is not done", "more failures? of the same record"]),
    ("05.consumer", consumer_tries_five_times, ["but record-1 is not done", "[45] more failures of the same record"]),
    ("05.consumer", consumer_notes_one_shard_every_twenty, ["done more than once", "20 a time .* all shards together"]),
    ("05.consumer", consumer_notes_one_shard_every_twenty_of_all, ["done more than once", "all shards together"]),
    ("05.consumer", consumer_counts_for_each_shard, ["done more than once", "before you go on to another shard"]),
    (
        "05.consumer",
        consumer_ends_after_ten_minutes,
        ["it asks for records again and again", "a long silence"],
    ),
    ("05.consumer", consumer_ends_after_twelve_minutes, ["it asks for records again and again", "a long silence"]),
    ("05.consumer", consumer_ends_after_an_hour, ["it asks for records again and again", "a long silence"]),
    ("05.consumer", consumer_ends_after_two_hours, ["it asks for records again and again", "a long silence"]),
    (
        "05.consumer",
        consumer_ends_after_a_day,
        ["returned at 86", "asks for records again and again", "a long silence"],
    ),
    ("05.consumer", consumer_ends_after_a_thousand_rounds, ["it asks for records again and again", "a long silence"]),
    ("05.consumer", consumer_without_a_pause, ["GetRecords calls were refused", "Sleep between two calls"]),
    (
        "05.consumer",
        consumer_never_comes_to_the_second_shard,
        ["The stream has [23] shards, and GetShardIterator was called once", "Read the shards in turn"],
    ),
    (
        "05.consumer",
        consumer_leaves_a_shard_at_an_empty_answer,
        ["is not done after", "No work on it was begun. The last answer of shardId"],
    ),
    (
        "05.reshard",
        read_once_each_shard,
        [r"was not done. The last answer of shardId-\d+ was empty", "0 % of the answers empty"],
    ),
    (
        "05.reshard",
        read_until_an_empty_answer,
        ["was empty, and MillisBehindLatest was [1-9]", "more records follow. Go on with NextShardIterator"],
    ),
    ("05.reshard", read_until_three_empty_answers, ["was empty, and MillisBehindLatest was [1-9]"]),
    (
        "05.reshard",
        read_until_there_is_no_iterator,
        ["most of them GetRecords that brought nothing", "An open shard always has a NextShardIterator"],
    ),
    ("05.reshard", read_one_by_one_without_a_pause, ["GetRecords calls were refused", "Sleep between two calls"]),
    ("05.reshard", read_in_the_order_of_their_numbers, ["was done after", "in a shard that is closed now"]),
    (
        "05.reshard",
        read_all_sorted_by_time,
        ["had read both", r"ApproximateArrivalTimestamp is\s+no order", "up to 2 s too early"],
    ),
    ("05.reshard", read_each_shard_sorted_by_time, [r"ApproximateArrivalTimestamp is\s+no order", "too early"]),
    ("05.reshard", read_the_newest_of_an_answer_first, ["Both lie in shardId-0+, which gives them in order"]),
    ("05.reshard", read_equal_ones_once, ["record-.* was not done"]),
    ("05.reshard", read_behind_the_first_parent, ["was done after", "merges too"]),
    ("05.size", size_of_the_last_part, ["1 shard refused", "in the busiest minutes"]),
    ("05.size", size_of_the_hours_with_records, ["you say that", "24 hours of"]),
]
RIGHT = [
    ("05.producer", put_refused_ones_at_the_end),
    ("05.consumer", consumer_drains_a_shard_at_a_time),
    ("05.consumer", consumer_notes_all_shards_every_twenty),
    ("05.reshard", read_parents_first),
    ("05.reshard", read_one_by_one),
    ("05.reshard", read_without_a_pause),
    ("05.size", _sizing()),
]
