"""Conservation where others can fail too: an HTTP endpoint that answers badly, a Kinesis stream that is resharded."""

from collections import Counter

from firehose.conftest import Lab
from firehose.test_http import Endpoint, create, good
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

MOODS = ("fine", "busy", "another id", "lost", "slow", "too large")


class EndpointMachine(RuleBasedStateMachine):
    """Every accepted record is delivered once as far as Firehose knows, or in the error prefix, or here, or lost. The
    endpoint may have seen it more often: when it answered badly, or too late."""

    @initialize(retry=st.sampled_from([0, 60, 600]))
    def create(self, retry):
        self.lab = Lab(seed=3)
        self.mood, self.taken, self.doubtful = "fine", Counter(), Counter()
        self.endpoint = Endpoint(self.lab.cloud, self.answer)
        create(self.lab, retry=retry)
        self.stream = self.lab.cloud.service("firehose").stream("clicks")
        self.accepted = {}

    def answer(self, document):
        bodies = self.endpoint.bodies[-1]
        (self.taken if self.mood == "fine" else self.doubtful).update(bodies)
        wrong = {
            "busy": (503, b""),
            "another id": (200, {"requestId": "?", "timestamp": 1}),
            "lost": (200, b""),
            "too large": (413, b""),
        }
        return wrong.get(self.mood) or (200, good(document))

    @rule(count=st.integers(1, 5))
    def put(self, count):
        first = len(self.accepted)
        bodies = [b"%d" % (first + n) for n in range(count)]
        self.accepted |= zip(self.lab.put(*bodies), bodies, strict=True)

    @rule(mood=st.sampled_from(MOODS))
    def change_the_mood(self, mood):
        self.mood, self.endpoint.delay = mood, 200 if mood == "slow" else 0

    @rule(seconds=st.sampled_from([100, 3600, 90_000]))
    def s3_fails(self, seconds):
        self.lab.fail("PutObject", seconds=seconds)

    @rule(seconds=st.sampled_from([1, 61, 200, 1000, 90_000]))
    def wait(self, seconds):
        self.lab.cloud.advance(seconds)

    @invariant()
    def everything_is_somewhere_and_nothing_twice(self):
        if not hasattr(self, "lab"):
            return
        rows = self.lab.rows
        delivered = Counter(row.subject for row in rows("RecordDelivered", resource="clicks"))
        written = Counter(row.subject for row in rows("RecordDelivered", resource="clicks/errors"))
        lost = Counter(row.subject for row in rows("RecordLost"))
        held = Counter(id for _, id in self.stream.held())
        assert delivered + written + lost + held == Counter(self.accepted.keys())
        assert all(self.taken[self.accepted[id]] + self.doubtful[self.accepted[id]] for id in delivered)
        assert max(self.taken.values(), default=0) <= 1, "acknowledged once, and not sent again"


class StreamMachine(RuleBasedStateMachine):
    """What is put into a Kinesis stream arrives once, whatever fails on the way and however its shards change."""

    @initialize()
    def create(self):
        self.lab = Lab(seed=3)
        self.kinesis = self.lab.cloud.direct("kinesis")
        self.kinesis.create_stream(StreamName="trucks", ShardCount=2)
        self.lab.cloud.advance(20)
        self.lab.create_from("trucks")
        self.count = self.changes = 0

    @rule(count=st.integers(1, 10))
    def put(self, count):
        for number in range(self.count, self.count + count):
            self.kinesis.put_record(StreamName="trucks", Data=b"%d;" % number, PartitionKey=str(number))
        self.count += count

    @rule(shards=st.sampled_from([1, 2, 3, 4]))
    def reshard(self, shards):
        stream = self.lab.cloud.service("kinesis").stream("trucks")
        open = len(stream.open_shards)
        if stream.status == "ACTIVE" and open / 2 <= shards <= 2 * open and self.changes < 9:
            self.changes += 1
            scaling = {"TargetShardCount": shards, "ScalingType": "UNIFORM_SCALING"}
            self.kinesis.update_shard_count(StreamName="trucks", **scaling)

    @rule(
        operation=st.sampled_from(["GetRecords", "GetShardIterator", "PutObject"]),
        kind=st.sampled_from(["throttle", "lost_request"]),
        seconds=st.sampled_from([3, 100, 400]),
    )
    def fail(self, operation, kind, seconds):
        self.lab.fail(operation, kind, seconds=seconds, callers="firehose/*")

    @rule()
    def lose_answers(self):
        self.lab.fail("GetRecords", "lost_answer", count=2, callers="firehose/*")

    @rule(seconds=st.sampled_from([1, 10, 70, 400]))
    def wait(self, seconds):
        self.lab.cloud.advance(seconds)

    def teardown(self):
        if hasattr(self, "lab"):
            self.lab.cloud.advance(1500)
            found = sorted(int(n) for n in b"".join(self.lab.bodies()).split(b";")[:-1])
            assert found == list(range(self.count))


TestEndpoint = EndpointMachine.TestCase
TestEndpoint.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
TestStream = StreamMachine.TestCase
TestStream.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
