"""What a learner may do by mistake: each is right, or one clear line, and nothing moves. Ours: the lab's own rules."""

import numpy as np
import pytest

from lablib import Cloud

pytestmark = pytest.mark.ours
DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000


@pytest.fixture
def cloud():
    with Cloud(seed=1) as cloud:
        yield cloud


def test_two_processes_may_kill_each_other_in_their_finally_blocks(cloud):
    ended = []

    def one(name, other):
        try:
            cloud.kernel.wait(None, 10)
        finally:
            cloud.kill(made[other])
            ended.append(name)

    made = {name: cloud.spawn(one, name, other, name=name) for name, other in (("a", "b"), ("b", "a"))}
    cloud.advance(1)
    cloud.kill(made["a"])
    assert ended == ["b", "a"]
    assert not any(process.alive for process in made.values())
    cloud.advance(1)


def test_a_process_cannot_close_its_cloud(cloud):
    said = []

    def suicidal():
        with pytest.raises(RuntimeError, match="cannot close the cloud") as caught:
            cloud.close()
        said.append(str(caught.value))

    cloud.spawn(suicidal)
    cloud.advance(1)
    assert len(said) == 1
    assert cloud.now == 1


async def asynchronous():
    raise AssertionError


def generator():
    yield


@pytest.mark.parametrize(("fn", "words"), [(asynchronous, "asyncio.run"), (generator, "list")])
def test_what_would_silently_do_nothing_is_refused(cloud, fn, words):
    with pytest.raises(TypeError, match=words):
        cloud.spawn(fn)
    assert cloud.processes == {}


def test_a_name_that_cannot_be_printed_is_refused(cloud):
    with pytest.raises(ValueError, match="can be printed"):
        cloud.spawn(print, name="a\ud800")


@pytest.mark.parametrize("seconds", [1e300, 4e9, float("inf"), float("nan"), -1])
def test_time_has_an_end(cloud, seconds):
    with pytest.raises(ValueError, match="seconds="):
        cloud.advance(seconds)
    assert cloud.now == 0


def test_numbers_of_numpy_are_numbers():
    with Cloud(seed=np.int64(3), assume={"sqs.servers": np.int64(3), "sqs.copies": np.float32(2)}) as cloud:
        assert [type(cloud.quotas[name]) for name in ("sqs.servers", "sqs.copies")] == [int, float]
        cloud.advance(np.int64(2))
        cloud.advance(np.float32(0.5))
        assert (cloud.now, cloud.chance.seed) == (2.5, 3)
        assert type(cloud.now) is float


def test_json_of_a_hundred_thousand_levels_is_one_line_everywhere(cloud):
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    queue = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:123456789012:q"}
    calls = [
        lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": DEEP}),
        lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": DEEP}),
        lambda: sns.subscribe(**queue, Attributes={"FilterPolicy": DEEP}),
        lambda: sns.subscribe(**queue, Attributes={"RedrivePolicy": DEEP}),
        lambda: sns.set_topic_attributes(TopicArn=topic, AttributeName="DeliveryPolicy", AttributeValue=DEEP),
        lambda: sns.publish(TopicArn=topic, Message=DEEP[:100_000], MessageStructure="json"),
    ]
    for call in calls:
        with pytest.raises(sns.exceptions.ClientError):
            call()


def test_a_text_that_has_no_utf8_form_is_one_line_everywhere(cloud):
    """Half of a surrogate pair, as JSON can bring one."""
    kinesis, data = cloud.client("kinesis"), cloud.client("redshift-data")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    cloud.advance(60)
    for call in (
        lambda: kinesis.put_record(StreamName="s", Data=b"x", PartitionKey="a\ud800"),
        lambda: data.execute_statement(ClusterIdentifier="c", Database="dev", DbUser="u", Sql="SELECT '\ud800'"),
    ):
        with pytest.raises(kinesis.exceptions.ClientError) as caught:
            call()
        assert str(caught.value).isprintable()
    assert cloud.trace.where("RecordPut") == []
