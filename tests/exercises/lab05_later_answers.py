"""Wrong answers to lab 05's exercises that passed, or were told a wrong cause, when somebody looked once more."""

import math
import time
from concurrent.futures import ThreadPoolExecutor

from exercises.lab05_answers import _entries, _iterator, _open, _place, _shards
from exercises.lab05_more_answers import _ready
from exercises.newcomer_streams_answers import _pieces, _records, _refused

# ---- 05.producer -----------------------------------------------------------------------------------------------------


def put_all_at_one_place(kinesis, stream_name, records):  # once passed
    for piece in _pieces([{**entry, "ExplicitHashKey": "0"} for entry in _entries(records)]):
        while piece:
            piece = _refused(piece, kinesis.put_records(StreamName=stream_name, Records=piece))
            time.sleep(1 if piece else 0)


def put_all_again_after_an_error(kinesis, stream_name, records):
    while True:
        try:
            for piece in _pieces(_entries(records)):
                while piece:
                    piece = _refused(piece, kinesis.put_records(StreamName=stream_name, Records=piece))
                    time.sleep(1 if piece else 0)
            return
        except kinesis.exceptions.ClientError:
            time.sleep(1)


# ---- 05.consumer -----------------------------------------------------------------------------------------------------


def _consuming(handle, limit=20, pause=lambda came, before: 1):
    """All shards in turn, for ever. `handle(shard, answer, checkpoints, process)`; `pause`: seconds, of how many
    records came and of the pause before.
    """

    def consumer(kinesis, stream_name, checkpoints, process):
        at = {
            shard: _iterator(kinesis, stream_name, shard, checkpoints.get(shard))
            for shard in _shards(kinesis, "orders")
        }
        seconds = 1
        while True:
            came = 0
            for shard in at:
                answer = kinesis.get_records(ShardIterator=at[shard], Limit=limit)
                handle(shard, answer, checkpoints, process)
                at[shard] = answer["NextShardIterator"]
                came += len(answer["Records"])
            seconds = pause(came, seconds)
            time.sleep(seconds)

    return consumer


def _in_turn(note):
    """Do the records of an answer, then note what `note(shard, answer)` says."""

    def handle(shard, answer, checkpoints, process):
        for record in answer["Records"]:
            process(record)
        if answer["Records"]:
            checkpoints.put(*note(shard, answer))

    return handle


def _note_the_last(shard, answer):
    return shard, answer["Records"][-1]["SequenceNumber"]


def _in_threads(shard, answer, checkpoints, process):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(process, answer["Records"]))
    if answer["Records"]:
        checkpoints.put(*_note_the_last(shard, answer))


def _newest_first(shard, answer, checkpoints, process):
    _in_turn(_note_the_last)(shard, {"Records": answer["Records"][::-1]}, checkpoints, process)


def _note_without_a_look(shard, answer, checkpoints, process):
    for record in answer["Records"]:
        process(record)
    checkpoints.put(*_note_the_last(shard, answer))


consumer_in_threads = _consuming(_in_threads)  # once told of a record that fails
consumer_newest_first = _consuming(_newest_first)  # once told of a record that fails
consumer_notes_an_iterator = _consuming(_in_turn(lambda shard, answer: (shard, answer["NextShardIterator"])))
consumer_notes_a_record = _consuming(_in_turn(lambda shard, answer: (shard, answer["Records"][-1])))
consumer_notes_by_stream = _consuming(
    _in_turn(lambda shard, answer: ("orders", answer["Records"][-1]["SequenceNumber"]))
)
consumer_notes_the_other_way_round = _consuming(_in_turn(lambda *note: _note_the_last(*note)[::-1]))
consumer_notes_without_a_look = _consuming(_note_without_a_look)
consumer_of_thirty = _consuming(_in_turn(_note_the_last), limit=30)  # once passed
consumer_of_twenty_one = _consuming(_in_turn(_note_the_last), limit=21)  # once passed
consumer_gets_slower = _consuming(_in_turn(_note_the_last), pause=lambda n, before: 1 if n else min(2 * before, 600))


def consumer_asks_for_the_stream(kinesis, stream_name, checkpoints, process):
    checkpoints.get(stream_name)


# ---- 05.reshard ------------------------------------------------------------------------------------------------------


def read_in_threads(kinesis, stream_name, process):  # once passed
    for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(process, _records(kinesis, stream_name, shard)))


def read_until_somebody_stops_it(kinesis, stream_name, process):  # once told no cause
    for shard in _shards(kinesis, stream_name):
        at = _iterator(kinesis, stream_name, shard)
        while at:
            answer = kinesis.get_records(ShardIterator=at)
            for record in answer["Records"]:
                process(record)
            at = answer.get("NextShardIterator")
            time.sleep(1)


def read_and_leave_the_last_answer(kinesis, stream_name, process):  # once told no cause
    for shard in _shards(kinesis, stream_name):
        at = _iterator(kinesis, stream_name, shard)
        while at:
            answer = kinesis.get_records(ShardIterator=at)
            if not answer["MillisBehindLatest"]:
                break
            for record in answer["Records"]:
                process(record)
            at = answer.get("NextShardIterator")
            time.sleep(0.25)


def read_the_last_minute(kinesis, stream_name, process):  # once told that ListShards names closed shards
    for shard in _shards(kinesis, stream_name):
        where = {"StreamName": stream_name, "ShardId": shard, "ShardIteratorType": "AT_TIMESTAMP"}
        at = kinesis.get_shard_iterator(**where, Timestamp=time.time() - 60)["ShardIterator"]
        while at:
            answer = kinesis.get_records(ShardIterator=at)
            for record in answer["Records"]:
                process(record)
            at = answer.get("NextShardIterator") if answer["MillisBehindLatest"] or answer["Records"] else None
            time.sleep(0.25)


def read_by_key(kinesis, stream_name, process):
    """Right: sorted by the key, records of one key stay as they were read."""
    shards = kinesis.list_shards(StreamName=stream_name)["Shards"]
    records = [record for shard in shards for record in _records(kinesis, stream_name, shard)]
    for record in sorted(records, key=lambda record: record["PartitionKey"]):
        process(record)


# ---- 05.split --------------------------------------------------------------------------------------------------------


def resize_among_all_shards(kinesis, stream_name, load):
    room = 1000
    for key in sorted(load, key=_place):
        if load[key] > room:
            for shard in kinesis.list_shards(StreamName=stream_name)["Shards"]:
                low, high = map(int, shard["HashKeyRange"].values())
                if low <= _place(key) <= high:
                    which = {"StreamName": stream_name, "ShardToSplit": shard["ShardId"]}
                    kinesis.split_shard(**which, NewStartingHashKey=str(_place(key)))
                    break
            _ready(kinesis, stream_name)
            room = 1000
        room -= load[key]


def resize_with_a_new_stream(kinesis, stream_name, load):  # once told of the load of a shard
    kinesis.delete_stream(StreamName=stream_name)
    time.sleep(60)
    kinesis.create_stream(StreamName=stream_name, ShardCount=math.ceil(sum(load.values()) / 1000))
    time.sleep(60)


def resize_and_delete(kinesis, stream_name, load):
    kinesis.delete_stream(StreamName=stream_name)


def resize_the_heaviest_first(kinesis, stream_name, load):
    room = 1000
    for key in sorted(load, key=load.get, reverse=True):
        if load[key] > room:
            shard = next(id for id, low, high in _open(kinesis, stream_name) if low <= _place(key) <= high)
            kinesis.split_shard(StreamName=stream_name, ShardToSplit=shard, NewStartingHashKey=str(_place(key)))
            _ready(kinesis, stream_name)
            room = 1000
        room -= load[key]


_NO_SHARD = "the stream has no shard of that name. A checkpoint is kept for each ShardId"
WRONG = [
    (
        "05.producer",
        put_all_at_one_place,
        ["where its key does not put it", "ExplicitHashKey decides instead of the key"],
    ),
    ("05.producer", put_all_again_after_an_error, ["there once too often", "Put only what was refused"]),
    ("05.consumer", consumer_in_threads, ["record-2 was begun before record-1 was done", "no pool of threads"]),
    ("05.consumer", consumer_newest_first, ["record-2 was done before record-1", "in order: do them in that order"]),
    ("05.consumer", consumer_notes_an_iterator, ['has that sequence number. Give the record."SequenceNumber".']),
    ("05.consumer", consumer_notes_a_record, ['has that sequence number. Give the record."SequenceNumber".']),
    ("05.consumer", consumer_notes_by_stream, ["checkpoints.put.'orders', '\\d+.*: " + _NO_SHARD]),
    ("05.consumer", consumer_notes_the_other_way_round, [_NO_SHARD + ".* which comes first"]),
    ("05.consumer", consumer_asks_for_the_stream, ["checkpoints.get.'orders'.: " + _NO_SHARD]),
    ("05.consumer", consumer_notes_without_a_look, ["IndexError", "An answer can have no records"]),
    ("05.consumer", consumer_of_thirty, ["done more than once", "20 a time are allowed"]),
    ("05.consumer", consumer_of_twenty_one, ["21 records were done more than once", "20 a time are allowed"]),
    ("05.consumer", consumer_gets_slower, ["Iterator expired", "good for five minutes. .* at least once a minute"]),
    ("05.reshard", read_in_threads, ["was begun before record-.* was done", "key one by one: no pool of threads"]),
    ("05.reshard", read_until_somebody_stops_it, ["had not returned", "An open shard always has a NextShardIterator"]),
    ("05.reshard", read_and_leave_the_last_answer, ["process was not called with it", "what it brought is to be done"]),
    ("05.reshard", read_the_last_minute, ["which is closed, and no answer brought it", "oldest record: TRIM_HORIZON"]),
    ("05.split", resize_among_all_shards, ["ListShards names closed shards, too", "AT_LATEST"]),
    ("05.split", resize_with_a_new_stream, ["deleted the stream, and all records with it"]),
    ("05.split", resize_and_delete, ["deleted the stream, and all records with it"]),
    ("05.split", resize_the_heaviest_first, ["kB a second, and takes 1000"]),
]
RIGHT = [("05.reshard", read_by_key)]
