"""A stream against a simple model: no record is lost, invented, reordered or changed, whatever happens to its shards.

The model keeps, for each shard, what was accepted there, and for each key, what was accepted for it in order. A reader
that reads parents before children sees every key in that order.
"""

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lablib.cloud import Cloud
from lablib.gateway import Fault

FAST = {"api.latency_median": 1e-6, "api.latency_p95": 1e-6, "kinesis.reshard_time": 2, "kinesis.read_delay": 0}
KEYS = [f"truck-{n}" for n in range(6)]


class StreamMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.cloud = Cloud(seed=5, assume=FAST)
        self.kinesis = self.cloud.direct("kinesis")
        self.kinesis.create_stream(StreamName="trucks", ShardCount=2)
        self.cloud.advance(60)
        self.stream = self.cloud.service("kinesis").stream("trucks")
        self.by_shard = {}
        self.by_key = {key: [] for key in KEYS}
        self.count = 0

    def accepted(self, shard, key, body, number):
        mine = self.by_shard.setdefault(shard, [])
        assert not mine or int(number) > int(mine[-1][2]), "sequence numbers grow"
        mine.append((key, body, number))
        self.by_key[key].append(body)

    def put(self, keys):
        entries = [{"Data": str(self.count + n).encode(), "PartitionKey": key} for n, key in enumerate(keys)]
        self.count += len(keys)
        answer = self.kinesis.put_records(StreamName="trucks", Records=entries)
        assert len(answer["Records"]) == len(entries)
        assert answer["FailedRecordCount"] == sum("ErrorCode" in result for result in answer["Records"])
        for entry, result in zip(entries, answer["Records"]):
            if "ErrorCode" not in result:
                self.accepted(result["ShardId"], entry["PartitionKey"], entry["Data"], result["SequenceNumber"])

    @rule(keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=30))
    def put_records(self, keys):
        self.put(keys)

    @rule(keys=st.lists(st.sampled_from(KEYS), min_size=5, max_size=30))
    def put_with_partial_failure(self, keys):
        now = self.cloud.now
        self.cloud.faults.add(Fault("partial", ("PutRecords",), probability=0.5, start=now, end=now + 1e-3))
        self.put(keys)

    @rule(more=st.integers(1, 500))
    def put_more_than_a_shard_takes(self, more):
        for count in (500, 500, more):
            self.put([KEYS[0]] * count)

    @precondition(lambda self: self.stream.status == "ACTIVE" and len(self.stream.open_shards) < 6)
    @rule(which=st.integers(0, 10), share=st.floats(0.1, 0.9))
    def split(self, which, share):
        shards = self.stream.open_shards
        shard = shards[which % len(shards)]
        at = shard.low + int((shard.high - shard.low) * share)
        self.kinesis.split_shard(StreamName="trucks", ShardToSplit=shard.id, NewStartingHashKey=str(at))

    @precondition(lambda self: self.stream.status == "ACTIVE" and len(self.stream.open_shards) > 1)
    @rule(which=st.integers(0, 10), turned=st.booleans())
    def merge(self, which, turned):
        shards = self.stream.open_shards
        at = which % (len(shards) - 1)
        pair = [shards[at].id, shards[at + 1].id]
        one, other = reversed(pair) if turned else pair
        self.kinesis.merge_shards(StreamName="trucks", ShardToMerge=one, AdjacentShardToMerge=other)

    @precondition(lambda self: self.stream.status == "ACTIVE")
    @rule(wanted=st.integers(1, 8))
    def update_shard_count(self, wanted):
        open = len(self.stream.open_shards)
        target = min(max(wanted, -(-open // 2)), 2 * open)
        if len(self.stream.count_changes) < 10:
            self.kinesis.update_shard_count(StreamName="trucks", TargetShardCount=target, ScalingType="UNIFORM_SCALING")

    @rule(seconds=st.sampled_from([0.5, 1.0, 5.0]))
    def wait(self, seconds):
        self.cloud.advance(seconds)

    @invariant()
    def open_shards_cover_the_hash_space(self):
        shards = self.stream.open_shards
        assert (shards[0].low, shards[-1].high) == (0, 2**128 - 1)
        assert all(one.high + 1 == other.low for one, other in pairwise(shards))

    def read_all(self, shard, limit, crashes):
        """The bodies in a shard, by a reader that sometimes crashes and goes on after its last checkpoint."""
        found, checkpoint, answer = [], None, {}
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        while True:
            if checkpoint:
                start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": checkpoint}
            iterator = self.kinesis.get_shard_iterator(StreamName="trucks", ShardId=shard, **start)["ShardIterator"]
            for n in range(crashes):
                self.cloud.advance(1)
                answer = self.kinesis.get_records(ShardIterator=iterator, Limit=limit)
                if n == crashes - 1:
                    break  # it dies before it has noted what it read
                found += [(record["PartitionKey"], record["Data"]) for record in answer["Records"]]
                checkpoint = answer["Records"][-1]["SequenceNumber"] if answer["Records"] else checkpoint
                iterator = answer.get("NextShardIterator")
                if iterator is None or (not answer["Records"] and not answer["MillisBehindLatest"]):
                    return found, answer.get("ChildShards", [])

    @precondition(lambda self: self.count)
    @rule(limit=st.sampled_from([7, 100, 10_000]), crashes=st.integers(2, 5))
    def read_parents_first(self, limit, crashes):
        self.cloud.advance(10)
        limit = max(limit, self.count // 20)
        seen, done = {key: [] for key in KEYS}, set()
        left = [shard.id for shard in self.stream.shards.values() if not shard.parents]
        while left:
            shard = left.pop(0)
            records, children = self.read_all(shard, limit, crashes)
            assert records == [(key, body) for key, body, _ in self.by_shard.get(shard, [])]
            for key, body in records:
                seen[key].append(body)
            done.add(shard)
            left += [c["ShardId"] for c in children if set(c["ParentShards"]) <= done and c["ShardId"] not in left]
        assert done == set(self.stream.shards)
        assert seen == self.by_key


TestStream = StreamMachine.TestCase
TestStream.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
