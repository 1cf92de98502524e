"""Conservation: every record that was accepted is in exactly one place, whatever fails.

It is in an object of the destination, in the error prefix, dropped by the transform, counted as lost, or still here.
Objects whose PutObject was not acknowledged are second copies, and do not count. The backup is accounted for alone.
"""

import base64
from collections import Counter

from firehose.conftest import DESTINATION, Lab, s3
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lablib.gateway import Fault

FATES = ("Ok", "Dropped", "ProcessingFailed", "missing", "double", "nonsense", "crash")
HOUR = 3600


def judge(event, context):
    """A transform that does with each record what its body says; "crash" takes all of its batch along."""
    records = []
    for record in event["records"]:
        fate = base64.b64decode(record["data"]).decode().partition("-")[0]
        if fate == "crash":
            raise RuntimeError(fate)
        item = {"recordId": record["recordId"], "data": record["data"], "result": fate}
        records += [] if fate == "missing" else [item | {"result": "Ok"}] * 2 if fate == "double" else [item]
    return {"records": records}


class FirehoseMachine(RuleBasedStateMachine):
    transforms = True

    @initialize(backup=st.booleans(), compression=st.sampled_from(["UNCOMPRESSED", "GZIP"]))
    def create(self, backup, compression):
        self.lab = lab = Lab(seed=3)
        self.backup = backup
        config = {"CompressionFormat": compression, "Prefix": "ok/"}
        if self.transforms:
            config["ProcessingConfiguration"] = lab.transform(judge, BufferIntervalInSeconds="5")
        if backup:
            config |= {"S3BackupMode": "Enabled", "S3BackupConfiguration": s3("spare", seconds=90)}
        lab.create(ExtendedS3DestinationConfiguration=s3(**config))
        self.direct = lab.cloud.direct("firehose")
        self.stream = lab.cloud.service("firehose").stream("clicks")
        self.accepted = {}
        self.version = 1

    def put(self, fates, size):
        first = len(self.accepted)
        bodies = [f"{fate}-{first + n}-{'x' * size};".encode() for n, fate in enumerate(fates)]
        records = [{"Data": body} for body in bodies]
        answer = self.direct.put_record_batch(DeliveryStreamName="clicks", Records=records)
        for body, result in zip(bodies, answer["RequestResponses"], strict=True):
            if "RecordId" in result:
                self.accepted[result["RecordId"]] = body
        assert answer["FailedPutCount"] == sum("ErrorCode" in result for result in answer["RequestResponses"])

    @rule(fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=6), size=st.sampled_from([0, 10, 300_000]))
    def put_records(self, fates, size):
        self.put(fates, size)

    @rule(count=st.integers(1, 40))
    def put_with_partial_failure(self, count):
        now = self.lab.cloud.now
        self.lab.cloud.faults.add(Fault("partial", ("PutRecordBatch",), probability=0.5, start=now, end=now + 1e-3))
        self.put(["Ok"] * count, 0)

    @rule(seconds=st.sampled_from([10, 100, HOUR, 25 * HOUR]), operation=st.sampled_from(["PutObject", "Invoke"]))
    def outage(self, seconds, operation):
        self.lab.fail(operation, seconds=seconds)

    @rule(count=st.integers(1, 3))
    def answers_are_lost(self, count):
        self.lab.fail("PutObject", "lost_answer", count=count)

    @rule(seconds=st.sampled_from([1, 20, 61, 200, HOUR, 26 * HOUR]))
    def wait(self, seconds):
        self.lab.cloud.advance(seconds)

    @rule(before=st.sampled_from([1, 70]))
    def a_day_without_s3(self, before):
        self.lab.fail("PutObject", seconds=24 * HOUR + before)
        self.put(["Ok", "ProcessingFailed"], 0)
        self.lab.cloud.advance(25 * HOUR)

    @precondition(lambda self: self.version < 4)
    @rule(seconds=st.integers(60, 300))
    def change_the_settings(self, seconds):
        update = {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": seconds}}
        version = {"CurrentDeliveryStreamVersionId": str(self.version)}
        self.lab.firehose.update_destination(**DESTINATION, **version, ExtendedS3DestinationUpdate=update)
        self.version += 1

    # ---- where everything is ----------------------------------------------------------------------------------------

    def in_objects(self, bucket, prefix=""):
        """The bodies in acknowledged objects."""
        trace = self.lab.cloud.trace
        written = {row.subject: trace[row.cause].detail for row in trace.where("ObjectCreated")}
        found = Counter()
        names = [key for key in self.lab.objects(bucket, prefix) if written[key] != "AnswerLost"]
        for key in names:
            (body,) = self.lab.bodies(bucket, key)
            found.update(part + b";" for part in body.split(b";")[:-1])
        return found

    def in_errors(self):
        trace = self.lab.cloud.trace
        lost = {row.subject for row in trace.where("ObjectCreated") if trace[row.cause].detail == "AnswerLost"}
        found = Counter()
        for key in self.lab.objects(prefix="ok/processing-failed/"):
            if key not in lost:
                found.update(base64.b64decode(e["rawData"]) for e in self.lab.errors(prefix=key))
        return found

    def of(self, ids):
        return Counter(self.accepted[id] for id in ids)

    @invariant()
    def everything_is_somewhere_and_nothing_twice(self):
        if not hasattr(self, "lab"):
            return
        lab, held = self.lab, self.stream.held()
        lost = lab.rows("RecordLost")
        main = self.in_objects("lake", "ok/2023/") + self.in_errors()
        main += self.of(row.subject for row in lab.rows("RecordDropped"))
        main += self.of(row.subject for row in lost if row.resource != "clicks/backup")
        main += self.of(id for place, id in held if place != "clicks/backup")
        assert main == Counter(self.accepted.values())
        if self.backup:
            copies = self.in_objects("spare")
            copies += self.of(row.subject for row in lost if row.resource == "clicks/backup")
            copies += self.of(id for place, id in held if place == "clicks/backup")
            assert copies == Counter(self.accepted.values())
        assert all(row.time - self.arrival(row.subject) >= 24 * HOUR for row in lost)

    def arrival(self, id):
        return self.lab.rows("RecordAccepted", subject=id)[0].time


class PlainMachine(FirehoseMachine):
    """Without a transform: no record fails."""

    transforms = False

    @invariant()
    def nothing_fails(self):
        assert not hasattr(self, "lab") or self.lab.rows("RecordFailed") == []


TestFirehose = FirehoseMachine.TestCase
TestFirehose.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
TestPlain = PlainMachine.TestCase
TestPlain.settings = settings(max_examples=8, stateful_step_count=12, deadline=None)
