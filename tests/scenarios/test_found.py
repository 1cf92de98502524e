"""The topology of a trace that no stage made: it is what the stage would have said, as far as messages came there."""

import contextlib
from fnmatch import fnmatchcase

import pytest
from workbench.fanout_scene import FanoutForTests
from workbench.pipeline_scene import PipelineForTests

from lablib.cloud import Cloud
from lablib.scenarios.found import topology_of
from lablib.scenarios.lab01 import Fleet, VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.scenarios.lab03 import Trucks
from lablib.scenarios.lab04 import FanOut

ALL = [
    VideoQueue(), VideoQueue(mode="direct"), Fleet(), Visibility(poison=0.2, max_receives=2), Trucks(),
    Trucks(queue_type="standard"), FanOut(dead_letters=True, outage=60.0, retries=0),
    FanOut(way="one by one", partner="queue"), PipelineForTests(), FanoutForTests(),
]  # fmt: skip


def place_of(topology, name):
    """The place of an actor or a resource: an exact name goes before a pattern."""
    pairs = [(pattern, place) for place in topology.places for pattern in place.match.split()]
    exact = [place for pattern, place in pairs if pattern == name]
    return (exact or [place for pattern, place in pairs if fnmatchcase(name, pattern)] or [None])[0]


@pytest.mark.parametrize("scenario", ALL, ids=repr)
def test_it_finds_the_places_of_a_stage(scenario):
    run = scenario.run(5)
    found = topology_of(run.trace)
    names = {name for row in run.trace if row.subject for name in (row.actor, row.resource)} - {"", "you"}
    for name in names:
        theirs = place_of(run.topology, name)
        if theirs:
            mine = place_of(found, name)
            assert mine, name
            assert mine.role == theirs.role, name
    assert len({place.id for place in found.places}) == len(found.places)
    ends = {end for link in found.links for end in (link.source, link.target)}
    assert ends <= {place.id for place in found.places}


@pytest.mark.parametrize("scenario", ALL, ids=repr)
def test_its_links_lead_where_those_of_the_stage_lead(scenario):
    run = scenario.run(5)
    found = topology_of(run.trace)

    def roles(topology):
        return {(topology[link.source].role, topology[link.target].role) for link in topology.links}

    shown = {pair for pair in roles(found) if "lost" not in pair and pair[0] != pair[1]}
    extra = shown - roles(run.topology)
    # a confirmation of a subscription is asked for by "you", and a message can be deleted while nobody holds it
    assert extra <= {("producer", "endpoint"), ("queue", "done"), ("consumer", "queue")}


def test_a_cloud_of_ones_own():
    with Cloud(seed=1) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]

        def shop():
            for n in range(3):
                sqs.send_message(QueueUrl=url, MessageBody=f"order {n}")

        def worker():
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", []):
                cloud.kernel.sleep(1)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

        cloud.spawn(shop)
        for n in (1, 2):
            cloud.spawn(worker, name=f"worker-{n}")
        cloud.advance(20)
        found = topology_of(cloud.trace)
    assert [(place.label, place.role) for place in found.places] == [
        ("shop", "producer"), ("Queue orders", "queue"), ("worker", "consumer"), ("Done", "done"),
    ]  # fmt: skip
    assert place_of(found, "worker-2").label == "worker"


def test_nothing_was_stored():
    """What there was, and who called it, stand in the picture all the same."""
    with Cloud() as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]

        def shop():
            entries = [{"Id": str(n), "MessageBody": "order"} for n in range(11)]
            with contextlib.suppress(sqs.exceptions.TooManyEntriesInBatchRequest):
                sqs.send_message_batch(QueueUrl=url, Entries=entries)

        cloud.spawn(shop)
        cloud.advance(1)
        found = topology_of(cloud.trace)
    assert [(place.label, place.role) for place in found.places] == [("shop", "producer"), ("Queue orders", "queue")]
    assert [(link.source, link.target) for link in found.links] == [("shop (program)", "orders")]


def test_nothing_happened():
    with Cloud() as cloud:
        assert topology_of(cloud.trace).places == ()


def test_a_queue_that_got_nothing_is_linked_with_the_topic_that_it_subscribed_to():
    cloud = Cloud(seed=1)
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    topic = sns.create_topic(Name="orders")["TopicArn"]
    for name in ("all", "none"):
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        filters = {"Attributes": {"FilterPolicy": '{"country": ["KR"]}'}} if name == "none" else {}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, **filters)
    sns.publish(TopicArn=topic, Message="an order")
    cloud.advance(5)
    links = {(link.source, link.target) for link in topology_of(cloud.trace).links}
    assert {("orders", "all"), ("orders", "none")} <= links
