"""What programs use over the API: a producer library (KPL), a consumer library (KCL), an agent that follows a file."""

import logging
import threading
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab import assumed

from lablib.actors.agent import Agent
from lablib.actors.kcl import SHARD_END, TRIM_HORIZON, LeaseLost, LeaseTable, Worker
from lablib.actors.kpl import Producer, PutFailed
from lablib.aws.aggregation import UserRecord, join, split
from lablib.cloud import Cloud
from lablib.gateway import Fault

KEYS = st.text(min_size=1, max_size=20)
USER_RECORDS = st.builds(
    UserRecord, st.binary(max_size=300), KEYS, st.none() | st.integers(0, 2**128 - 1).map(str)
)  # fmt: skip


class Stream:
    """A cloud with a stream, and what tests look at."""

    def __init__(self, shards=2, seed=1, **assume):
        self.cloud = Cloud(seed=seed, assume=assumed("kinesis", assume))
        self.kinesis = self.cloud.client("kinesis")
        self.kinesis.create_stream(StreamName="rides", ShardCount=shards)
        self.cloud.advance(60)

    def records(self):
        """All records of the stream, by shard."""
        self.cloud.advance(5)  # what was put can be read a moment later
        found = {}
        for shard in self.kinesis.list_shards(StreamName="rides")["Shards"]:
            iterator = self.kinesis.get_shard_iterator(
                StreamName="rides", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            found[shard["ShardId"]] = self.kinesis.get_records(ShardIterator=iterator)["Records"]
        return found

    def users(self):
        """All records of users, whatever they came in."""
        return [
            one
            for records in self.records().values()
            for record in records
            for one in split(record["Data"]) or [UserRecord(record["Data"], record["PartitionKey"])]
        ]

    def split(self, shard):
        """Split a shard in the middle of its hashes, and wait."""
        document = next(s for s in self.kinesis.list_shards(StreamName="rides")["Shards"] if s["ShardId"] == shard)
        low, high = (int(document["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
        self.kinesis.split_shard(StreamName="rides", ShardToSplit=shard, NewStartingHashKey=str((low + high) // 2))

    def worker(self, name, table, seen, **more):
        """A worker that takes down what it gets, and notes all of it."""

        class Notes:
            def __init__(self, shard):
                self.shard = shard

            def process_records(self, records, checkpoint):
                seen.extend((name, self.shard, one.data) for one in records)
                checkpoint()

        processor = more.pop("processor", Notes)
        return Worker(self.kinesis, "rides", table, processor, name, initial_position=TRIM_HORIZON, **more)


@pytest.fixture
def stream():
    made = Stream()
    yield made
    made.cloud.close()


# ---- the format ------------------------------------------------------------------------------------------------------


@given(st.lists(USER_RECORDS, min_size=1, max_size=20))
def test_what_was_joined_comes_apart_as_it_was(records):
    assert split(join(records)) == records


@given(st.binary(max_size=200) | USER_RECORDS.map(lambda one: join([one])[:-1]))
def test_other_data_is_left_alone(data):
    assert split(data) is None


@pytest.mark.guide
def test_the_format_is_that_of_the_library():
    """By hand, from its description: mark, key table, one record with the place of its key and its data, digest."""
    import hashlib

    message = b"\x0a\x03key" + b"\x1a\x06" + b"\x08\x00" + b"\x1a\x02hi"
    assert join([UserRecord(b"hi", "key")]) == b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()


# ---- the producer ----------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_small_records_of_a_shard_travel_as_one(stream):
    def program():
        with Producer(stream.kinesis, "rides") as producer:
            return [producer.put(f"ride {i}".encode(), f"lift-{i % 7}") for i in range(100)]

    outcomes = [future.result() for future in stream.cloud.run(program)]
    assert {one.attempts for one in outcomes} == {1}
    records = stream.records()
    assert {shard: len(found) for shard, found in records.items()} == dict.fromkeys(records, 1)
    assert sorted(one.data for one in stream.users()) == sorted(f"ride {i}".encode() for i in range(100))
    assert len(stream.cloud.trace.where("PutRecords")) == 1
    assert {record["PartitionKey"] for found in records.values() for record in found} == {"a"}, "as the KPL (recorded)"


@pytest.mark.guide
def test_a_record_waits_a_tenth_of_a_second_for_company(stream):
    def program():
        producer = Producer(stream.kinesis, "rides")
        began = time.monotonic()
        producer.put(b"alone", "lift-1").result()
        return time.monotonic() - began

    assert 0.1 <= stream.cloud.run(program) < 0.5
    assert [one.data for one in stream.users()] == [b"alone"]
    assert [record["Data"] for found in stream.records().values() for record in found] == [b"alone"], "not packed"


def test_without_aggregation_each_is_a_record_of_its_own(stream):
    def program():
        with Producer(stream.kinesis, "rides", aggregation=False) as producer:
            for i in range(1200):
                producer.put(str(i).encode(), str(i))

    stream.cloud.run(program)
    assert sum(map(len, stream.records().values())) == 1200
    assert max(row.detail for row in stream.cloud.trace.where("PutRecords")) <= 500


@pytest.mark.guide
def test_what_a_shard_refuses_is_sent_again_and_nothing_comes_twice():
    stream = Stream(shards=1)

    def program():
        with Producer(stream.kinesis, "rides", aggregation=False) as producer:  # 150 %: more than a shard takes
            futures = [producer.put(b"x" * 1000, str(i)) for i in range(4000)]
        return [future.result() for future in futures]

    outcomes = stream.cloud.run(program)
    assert max(one.attempts for one in outcomes) > 1, "the shard refused some"
    assert len(stream.cloud.trace.where("RecordPut")) == len({one.sequence_number for one in outcomes}) == 4000


@pytest.mark.guide
def test_who_does_not_want_to_wait_is_told_at_once():
    stream = Stream(shards=1)

    def program():
        with Producer(stream.kinesis, "rides", aggregation=False, fail_if_throttled=True, rate_limit=500) as producer:
            futures = [producer.put(b"x", str(i)) for i in range(3000)]
        return [future.exception() for future in futures]

    refused = [error for error in stream.cloud.run(program) if error]
    assert refused
    assert all(isinstance(error, PutFailed) for error in refused)
    assert {error.attempts[0][0] for error in refused} == {"ProvisionedThroughputExceededException"}


@pytest.mark.guide
def test_a_record_is_given_up_when_it_is_too_old(stream):
    stream.cloud.faults.add(Fault("throttle", ("PutRecords",)))

    def program():
        with Producer(stream.kinesis, "rides", record_ttl=5.0) as producer:
            began, future = time.monotonic(), producer.put(b"late", "lift-1")
            error = future.exception()
            return time.monotonic() - began, error

    took, error = stream.cloud.run(program)
    assert 5 <= took < 30
    assert error.attempts[-1][0] == "Expired"


def test_answers_that_do_not_come_are_an_attempt_too(stream):
    stream.cloud.faults.add(Fault("lost_answer", ("PutRecords",)))

    def program():
        with Producer(stream.kinesis, "rides", record_ttl=300.0) as producer:
            return producer.put(b"late", "lift-1").exception()

    assert {code for code, _ in stream.cloud.run(program).attempts[:-1]} == {"ReadTimeoutError"}


@pytest.mark.guide
def test_after_a_reshard_every_record_is_where_a_reader_takes_it(stream):
    """What lands in a shard where it does not belong is sent again (retrier.cc); a reader drops the first."""

    def program():
        producer = Producer(stream.kinesis, "rides")
        for number in range(300):
            producer.put(str(number).encode(), f"key-{number}")
            time.sleep(0.2)
            if number == 100:
                stream.split("shardId-000000000000")
        producer.close()

    stream.cloud.run(program)
    seen = []
    worker = stream.worker("w", LeaseTable(), seen)
    stream.cloud.spawn(worker.run, name="w")
    stream.cloud.advance(200)
    counts = Counter(int(data) for *_, data in seen)
    assert sorted(counts) == list(range(300))


def test_bad_input_is_refused_at_the_call(stream):
    def program():
        producer = Producer(stream.kinesis, "rides")
        with pytest.raises(ValueError, match="at most 1,048,576"):
            producer.put(b"x" * (2**20 + 1), "key")
        with pytest.raises(ValueError, match="1 to 256"):
            producer.put(b"x", "")
        producer.close()
        with pytest.raises(RuntimeError, match="closed"):
            producer.put(b"x", "key")

    stream.cloud.run(program)


def test_a_record_that_is_more_than_the_rate_goes_out_all_the_same(stream):
    """It takes the room of the seconds to come: a rate slows a producer down, and never stops it."""

    def program():
        with Producer(stream.kinesis, "rides", rate_limit=30) as producer:
            return [producer.put(b"x" * 1_000_000, f"key-{i}").result().attempts for i in range(3)]

    assert stream.cloud.run(program) == [1, 1, 1]


@pytest.mark.parametrize("rate", [0, -1])
def test_what_cannot_be_is_refused_when_it_is_made(stream, rate):
    with pytest.raises(ValueError, match=r"rate_limit=.*: must be above 0"):
        Producer(stream.kinesis, "rides", rate_limit=rate)
    for name in ("failover_time", "idle"):
        with pytest.raises(ValueError, match=f"{name}=.*: must be above 0"):
            stream.worker("w", LeaseTable(), [], **{name: rate})


# ---- the consumer ----------------------------------------------------------------------------------------------------


def fill(stream, count, keys=20):
    for i in range(count):
        stream.kinesis.put_record(StreamName="rides", Data=str(i).encode(), PartitionKey=f"key-{i % keys}")


@pytest.mark.reported
def test_joined_records_in_the_wrong_shard_vanish(stream):
    """Reported (awslabs/kinesis-aggregation#11): a blob with keys of two shards is sent to one of them; the reader
    drops what does not belong there, and says nothing."""
    keys = ["key-0", "key-1", "key-2", "key-3"]
    belongs = {key: UserRecord(b"", key).hash < 2**127 for key in keys}
    assert set(belongs.values()) == {True, False}
    blob = join(UserRecord(key.encode(), key) for key in keys)
    stream.kinesis.put_record(StreamName="rides", Data=blob, PartitionKey="any", ExplicitHashKey="0")
    assert sorted(one.data.decode() for one in stream.users()) == keys, "a plain reader gets one blob, with all of them"
    seen = []
    stream.cloud.spawn(stream.worker("w", LeaseTable(), seen).run)
    stream.cloud.advance(30)
    assert sorted(data.decode() for *_, data in seen) == [key for key in keys if belongs[key]]


@pytest.mark.ours
def test_a_worker_goes_on_behind_empty_answers():
    stream, seen = Stream(shards=1, empty_reads=0.7), []
    fill(stream, 30)
    stream.split("shardId-000000000000")
    stream.cloud.advance(60)
    fill(stream, 30)
    stream.cloud.spawn(stream.worker("w", LeaseTable(), seen, max_records=10).run)
    stream.cloud.advance(200)
    assert sorted(int(data) for *_, data in seen) == sorted([*range(30)] * 2)
    assert stream.cloud.trace.where("ReadBroughtNothing")
    stream.cloud.close()


@pytest.mark.guide
def test_an_exception_in_process_records_skips_the_batch(stream, caplog):
    """Developer guide, "Troubleshooting consumers": the exception is swallowed, the batch does not come again."""
    fill(stream, 100, keys=1)
    seen = []

    class Careless:
        def __init__(self, shard):
            pass

        def process_records(self, records, checkpoint):
            for record in records:
                if record.data == b"42":
                    raise ValueError("no number that I like")
                seen.append(int(record.data))
            checkpoint()

    with caplog.at_level(logging.ERROR, "kcl"):
        stream.cloud.spawn(stream.worker("w", LeaseTable(), seen, processor=Careless, max_records=10).run)
        stream.cloud.advance(60)
    assert seen == [i for i in range(100) if not 42 <= i < 50], "its neighbours behind it are lost too"
    assert "raised ValueError('no number that I like'); 10 records are skipped" in caplog.text


@pytest.mark.guide
def test_a_crashed_worker_is_followed_by_another_behind_the_checkpoint(stream):
    table, seen, killed = LeaseTable(), [], []
    for name in ("w1", "w2"):
        worker = stream.worker(name, table, seen)
        killed.append(stream.cloud.spawn(worker.run, name=name))
    stream.cloud.advance(60)
    assert Counter(lease.owner for lease in table.leases.values()) == {"w1": 1, "w2": 1}, "leases are shared out"
    fill(stream, 50)
    stream.cloud.advance(10)
    stream.cloud.kernel.kill(killed[0])
    at = stream.cloud.now
    fill(stream, 50)
    stream.cloud.advance(60)
    taken = [lease for lease in table.leases.values() if lease.owner == "w2"]
    assert len(taken) == 2
    assert {data for *_, data in seen} == {str(i).encode() for i in range(50)}
    assert len(seen) == 100, "nothing twice: all was noted"
    first = min(
        row.time
        for row in stream.cloud.trace.where("GetShardIterator")
        if row.time > at
    )  # fmt: skip
    assert first - at >= 10 - 10 / 3, "not before nobody renewed it for ten seconds"


@pytest.mark.guide
def test_what_was_not_noted_comes_again(stream):
    fill(stream, 30, keys=1)
    table, seen = LeaseTable(), []

    class Every:
        def __init__(self, shard):
            pass

        def process_records(self, records, checkpoint):
            for number, record in enumerate(records):
                seen.append(int(record.data))
                if number == 9:
                    checkpoint(record)
                time.sleep(1)

    process = stream.cloud.spawn(stream.worker("w1", table, seen, processor=Every).run)
    stream.cloud.advance(16)
    stream.cloud.kernel.kill(process)
    done = len(seen)
    assert 10 < done < 30
    stream.cloud.spawn(stream.worker("w2", table, seen, processor=Every).run)
    stream.cloud.advance(90)
    assert seen[done:] == list(range(10, 30))


@pytest.mark.guide
def test_a_worker_that_lost_its_lease_cannot_note_anything(stream):
    fill(stream, 10, keys=1)
    table, errors, done = LeaseTable(), [], []

    class Slow:
        def __init__(self, shard):
            pass

        def process_records(self, records, checkpoint):
            time.sleep(60)
            try:
                checkpoint()
                done.append(len(records))
            except LeaseLost as error:
                errors.append(str(error))

    first = stream.worker("w1", table, [], processor=Slow)
    first._renew = lambda: None  # it is frozen, say: nobody renews its leases
    stream.cloud.spawn(first.run)
    stream.cloud.advance(5)
    stream.cloud.spawn(stream.worker("w2", table, [], processor=Slow).run)
    stream.cloud.advance(150)
    assert "w1 has no lease" in errors[0]
    assert done == [10]


@pytest.mark.guide
def test_parents_are_read_before_their_children_and_the_order_of_keys_stays(stream):
    """lease-lifecycle.md: a child's lease is made when its parent is at SHARD_END, and begins at TRIM_HORIZON."""
    table, seen = LeaseTable(), []
    fill(stream, 60)
    stream.split("shardId-000000000001")
    stream.cloud.advance(60)
    for i in range(60, 120):
        stream.kinesis.put_record(StreamName="rides", Data=str(i).encode(), PartitionKey=f"key-{i % 20}")
    for name in ("w1", "w2", "w3", "w4"):
        stream.cloud.spawn(stream.worker(name, table, seen).run, name=name)
    stream.cloud.advance(200)
    order = {}
    for *_, data in seen:
        order.setdefault(int(data) % 20, []).append(int(data))
    assert all(numbers == sorted(numbers) for numbers in order.values())
    assert sum(map(len, order.values())) == 120
    ended = {shard for shard, lease in table.leases.items() if lease.checkpoint == SHARD_END}
    assert ended == {"shardId-000000000001"}
    owners = Counter(lease.owner for lease in table.leases.values() if lease.owner)
    assert owners.total() == 3, "three open shards: one of four workers has nothing to do"
    assert max(owners.values()) == 1


def test_a_checkpoint_within_joined_records(stream):
    key = "key-0"
    stream.kinesis.put_record(
        StreamName="rides", Data=join(UserRecord(str(i).encode(), key) for i in range(6)), PartitionKey=key
    )
    table, seen = LeaseTable(), []

    class Half:
        def __init__(self, shard):
            pass

        def process_records(self, records, checkpoint):
            seen.extend(int(one.data) for one in records)
            checkpoint(records[2])

    first = stream.worker("w1", table, seen, processor=Half)
    stream.cloud.spawn(first.run)
    stream.cloud.advance(10)
    first.stop()
    stream.cloud.advance(10)
    assert {lease.owner for lease in table.leases.values()} == {""}, "who ends gives its leases back"
    stream.cloud.spawn(stream.worker("w2", table, seen, processor=Half).run)
    stream.cloud.advance(10)
    assert seen == [0, 1, 2, 3, 4, 5, 3, 4, 5]


# ---- the agent -------------------------------------------------------------------------------------------------------


def write(path, lines):
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


@pytest.mark.guide
def test_the_agent_sends_the_lines_that_come_after_it(stream, tmp_path):
    log = tmp_path / "access.log"
    write(log, ["before"])
    agent = Agent(stream.kinesis, "rides", log, {}, max_buffer_age=20)
    stream.cloud.spawn(agent.run, name="agent")
    stream.cloud.advance(1)
    write(log, ["one", "two"])
    stream.cloud.advance(10)
    assert stream.users() == []
    stream.cloud.advance(10)
    assert sorted(one.data for one in stream.users()) == [b"one\n", b"two\n"]


@pytest.mark.guide
def test_what_is_refused_is_sent_again_and_a_restart_goes_on(stream, tmp_path):
    log, places = tmp_path / "access.log", {}
    write(log, range(1200))
    stream.cloud.faults.add(Fault("partial", ("PutRecords",), count=2))
    first = stream.cloud.spawn(
        Agent(stream.kinesis, "rides", log, places, max_buffer_age=1, initial_position="START_OF_FILE").run
    )
    stream.cloud.advance(20)
    stream.cloud.kernel.kill(first)
    write(log, range(1200, 1300))
    again = Agent(stream.kinesis, "rides", log, places, max_buffer_age=1)
    stream.cloud.spawn(again.run)
    stream.cloud.advance(20)
    assert sorted(int(one.data) for one in stream.users()) == list(range(1300))


def test_a_file_that_was_rotated_is_read_from_its_beginning(stream, tmp_path):
    log = tmp_path / "access.log"
    write(log, ["a long line that was there before"])
    agent = Agent(stream.kinesis, "rides", log, {}, max_buffer_age=1, partition_key="DETERMINISTIC")
    stream.cloud.spawn(agent.run)
    stream.cloud.advance(1)
    log.rename(tmp_path / "access.log.1")
    write(log, ["new"])
    with log.open("a") as file:
        file.write("half a li")
    stream.cloud.advance(5)
    assert [one.data for one in stream.users()] == [b"new\n"]
    with pytest.raises(ValueError, match="must be 'RANDOM' or 'DETERMINISTIC'"):
        Agent(stream.kinesis, "rides", log, {}, partition_key="random")


def test_the_same_seed_gives_the_same_run():
    def digest():
        stream, table, seen = Stream(seed=3), LeaseTable(), []

        def produce():
            with Producer(stream.kinesis, "rides") as producer:
                for i in range(200):
                    producer.put(str(i).encode(), f"lift-{i % 9}")
                    time.sleep(0.05)

        for name in ("w1", "w2"):
            stream.cloud.spawn(stream.worker(name, table, seen).run, name=name)
        stream.cloud.spawn(produce, name="front-end")
        stream.cloud.advance(120)
        assert len(seen) == 200
        with stream.cloud as cloud:
            return cloud.trace.digest()

    assert digest() == digest()
    assert threading.active_count() < 20, "no real thread was started"
