"""Checkpoints and failures: what is counted twice, and what an exactly-once sink does about it."""

import time

from aws_errors import guide, ours
from hypothesis import given, settings
from hypothesis import strategies as st
from kinesisanalyticsv2.conftest import Lab


def numbers(lab, exactly_once=False):
    return lambda env: env.from_stream("rides").map(lambda ride: ride["n"]).to(lab.out.append, exactly_once)


def put(lab, *values):
    for value in values:
        lab.ride(0, n=value)


@guide
def test_after_a_crash_what_came_after_the_last_checkpoint_is_read_again(lab):
    lab.start(numbers(lab))
    put(lab, 1)
    lab.cloud.advance(65)  # the checkpoint at 60 s is complete
    put(lab, 2, 3)
    lab.cloud.advance(2)
    assert lab.out == [1, 2, 3]
    lab.cloud.kill("analytics/counts-1")
    lab.cloud.advance(5)
    assert lab.status() == "RUNNING"
    lab.cloud.advance(15)
    assert lab.out == [1, 2, 3, 2, 3]
    assert [row.detail[1] for row in lab.cloud.trace.where(kind="JobStarted")] == ["the beginning", "checkpoint 1"]


@guide
def test_an_exactly_once_sink_shows_results_when_their_checkpoint_is_complete(lab):
    lab.start(numbers(lab, exactly_once=True))
    put(lab, 1)
    lab.cloud.advance(58)
    assert lab.out == []
    lab.cloud.advance(8)
    put(lab, 2)
    lab.cloud.advance(2)
    lab.cloud.kill("analytics/counts-1")
    lab.cloud.advance(100)
    assert lab.out == [1, 2]


@ours
def test_what_could_not_be_handed_out_is_handed_out_after_the_restart(lab):
    tries = []

    def write(value):
        tries.append(value)
        if len(tries) == 2:
            raise OSError("the table does not answer")
        lab.out.append(value)

    lab.start(lambda env: env.from_stream("rides").map(lambda ride: ride["n"]).to(write, exactly_once=True))
    put(lab, 1, 2, 3)
    lab.cloud.advance(64)
    assert (lab.out, tries) == ([1], [1, 2])
    lab.cloud.advance(12)
    assert (lab.out, tries) == ([1, 2, 3], [1, 2, 2, 3]), "before the next checkpoint, and 1 not again"


@guide
def test_a_checkpoint_need_not_wait_for_the_end_of_a_batch(lab):
    lab.start(lambda env: env.from_stream("rides").map(lambda ride: time.sleep(5) or ride["n"]).to(lab.out.append))
    put(lab, *range(40))
    lab.cloud.advance(75)
    (row,) = lab.cloud.trace.where(kind="CheckpointCompleted")
    assert row.detail == 1, "it takes 200 s to work on the batch; between two records is a barrier"


@guide
def test_before_the_first_checkpoint_it_begins_where_it_was_started(lab):
    lab.start(numbers(lab))
    put(lab, 1, 2)
    lab.cloud.advance(2)
    lab.cloud.kill("analytics/counts-1")
    lab.cloud.advance(15)
    assert lab.out == [1, 2, 1, 2]


@guide
def test_keyed_state_and_windows_come_back(lab):
    def count(ride, state):
        state["n"] = state.get("n", 0) + 1
        return [state["n"]]

    def job(env):
        keyed = env.from_stream("rides").event_time(lambda ride: ride["time"]).key_by(lambda ride: ride["lift"])
        keyed.process(count).to(totals.append)
        keyed.tumbling(600).count().to(lab.out.append)

    totals = []
    lab.start(job)
    lab.ride(1, 2, 3)
    lab.cloud.advance(65)
    lab.ride(4)
    lab.cloud.advance(2)
    lab.cloud.kill("analytics/counts-1")
    lab.cloud.advance(20)
    lab.ride(600)
    lab.cloud.advance(2)
    assert totals == [1, 2, 3, 4, 4, 5]
    assert lab.results() == [("north", 0, 600, 4, 1)]


@guide
def test_a_poison_pill_fails_the_job_again_and_again(lab):
    lab.start(lambda env: env.from_stream("rides").map(lambda ride: 1 / ride["n"]).to(lab.out.append))
    put(lab, 1, 0)
    lab.cloud.advance(60)
    failures = lab.application().failures
    assert set(failures) == {"ZeroDivisionError: division by zero"}
    assert len(failures) >= 4
    assert lab.status() == "RUNNING", "AWS says RUNNING too: only metrics and logs tell"


@guide
def test_a_learners_code_may_wait_and_call_aws(lab):
    lab.cloud.client("sqs").create_queue(QueueName="alarms")
    sqs = lab.cloud.client("sqs")
    url = sqs.get_queue_url(QueueName="alarms")["QueueUrl"]
    lab.start(lambda env: env.from_stream("rides").to(lambda ride: sqs.send_message(QueueUrl=url, MessageBody="!")))
    put(lab, *range(3))
    lab.cloud.advance(5)
    assert lab.cloud.trace.where(kind="SendMessage")[0].actor == "analytics/counts-1"
    assert len(lab.cloud.trace.where(kind="Sent")) == 3


@guide
def test_s3_has_one_object_for_each_checkpoint_also_after_a_crash(lab):
    s3 = lab.cloud.client("s3")
    s3.create_bucket(Bucket="lake")
    lab.start(lambda env: env.from_stream("rides").map(lambda ride: ride["n"]).to_s3("lake", "rides/"))
    for value in range(6):
        put(lab, value)
        lab.cloud.advance(25)
        if value == 3:
            lab.cloud.kill("analytics/counts-1")
    lab.cloud.advance(90)
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="lake")["Contents"]]
    lines = b"".join(s3.get_object(Bucket="lake", Key=key)["Body"].read() for key in keys).split()
    assert sorted(map(int, lines)) == list(range(6))


@guide
def test_firehose_gets_lines(lab):
    firehose = lab.cloud.client("firehose")
    lab.cloud.client("s3").create_bucket(Bucket="lake")
    iam = lab.cloud.client("iam")
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"firehose.amazonaws.com"},'
    trust += '"Action":"sts:AssumeRole"}]}'
    role = iam.create_role(RoleName="delivery", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName="delivery", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    hints = {"IntervalInSeconds": 60, "SizeInMBs": 1}
    destination = {"RoleARN": role, "BucketARN": "arn:aws:s3:::lake", "BufferingHints": hints}
    firehose.create_delivery_stream(DeliveryStreamName="rides", ExtendedS3DestinationConfiguration=destination)
    lab.cloud.advance(120)
    lab.start(lambda env: env.from_stream("rides").map(lambda ride: {"n": ride["n"]}).to_firehose("rides"))
    put(lab, 1, 2)
    lab.cloud.advance(120)
    s3 = lab.cloud.client("s3")
    (entry,) = s3.list_objects_v2(Bucket="lake")["Contents"]
    assert s3.get_object(Bucket="lake", Key=entry["Key"])["Body"].read() == b'{"n": 1}\n{"n": 2}\n'


@ours
def test_a_cloud_can_be_closed_while_a_job_runs(lab):
    lab.start(numbers(lab))
    lab.cloud.close()
    assert lab.application().failures in ([], ["killed"])


CRASHES = st.lists(st.integers(0, 1500), max_size=4)


@ours
@settings(max_examples=12)
@given(CRASHES, st.integers(1, 3), st.booleans())
def test_after_crashes_nothing_is_lost_and_exactly_once_counts_nothing_twice(crashes, parallelism, exactly_once):
    lab = Lab(shards=2)
    parallel = {"ConfigurationType": "CUSTOM", "Parallelism": parallelism, "AutoScalingEnabled": False}
    checkpoints = {"ConfigurationType": "CUSTOM", "CheckpointInterval": 20_000}
    lab.start(numbers(lab, exactly_once), ParallelismConfiguration=parallel, CheckpointConfiguration=checkpoints)
    due = sorted(crashes)
    for tenth in range(1500):
        if tenth % 20 == 0:
            lab.ride(0, n=tenth, hash_key=tenth * 2**117 % 2**128)
        while due and due[0] <= tenth:
            due.pop(0)
            name = f"analytics/counts-{1 + tenth % parallelism}"
            if name in lab.cloud.processes:
                lab.cloud.kill(name)
        if tenth % 5 == 0:
            lab.cloud.advance(0.5)
    lab.cloud.advance(120)
    assert set(lab.out) == set(range(0, 1500, 20))
    if exactly_once:
        assert len(lab.out) == len(set(lab.out))
    elif len(lab.application().failures) == 0:
        assert len(lab.out) == 75
