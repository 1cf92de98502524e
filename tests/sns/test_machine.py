"""SNS under any load and any faults: what must hold of every delivery, searched by Hypothesis."""

import json
from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib.aws.service import ServiceError
from lablib.cloud import Cloud
from lablib.gateway import Fault

pytestmark = pytest.mark.ours  # where a test names no source

ENDS = ("Delivered", "FilteredOut", "DeliveryDropped", "SentToDeadLetterQueue")
ATTEMPTS = ("Delivered", "DeliveryFailed")
URL = "https://example.com/x"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:"
OPEN = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}

messages = st.lists(
    st.tuples(st.floats(0, 3), st.sampled_from("abc"), st.booleans(), st.integers(0, 9)), min_size=1, max_size=15
)
faults = st.lists(
    st.tuples(
        st.sampled_from(["throttle", "lost_request", "lost_answer"]),
        st.floats(0, 1),
        st.floats(0, 40),
        st.floats(0, 60),
    ),
    max_size=3,
)
outages = st.lists(st.tuples(st.sampled_from([404, 500, 503]), st.floats(0, 40), st.floats(0, 90)), max_size=2)


def queue(direct, name, **attributes):
    policy = json.dumps({"Version": "2012-10-17", "Statement": [OPEN | {"Resource": QUEUE + name}]})
    fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    direct.create_queue(QueueName=name, Attributes={"Policy": policy} | fifo | attributes)
    return QUEUE + name


def run(seed, fifo, load, wrong, down):
    """One run: three subscriptions, of which one has a filter; faults between SNS and its endpoints."""
    cloud = Cloud(seed=seed, assume={"sqs.outages_per_hour": 0})
    sns, sqs, suffix = cloud.direct("sns"), cloud.direct("sqs"), ".fifo" if fifo else ""
    topic = sns.create_topic(Name="t" + suffix, Attributes={"FifoTopic": "true"} if fifo else {})["TopicArn"]
    redrive = json.dumps({"deadLetterTargetArn": queue(sqs, "dead" + suffix)})
    for name, more in (("plain", {}), ("picky", {"FilterPolicy": '{"kind": ["gold"]}'})):
        given = {"RedrivePolicy": redrive} | more
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue(sqs, name + suffix), Attributes=given)
    names = {"plain" + suffix, "picky" + suffix}
    if not fifo:
        sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=URL)
        cloud.advance(1)
        service = cloud.service("sns")
        service.open_link(json.loads(service.inbox(URL).received[0].body)["SubscribeURL"])
        for status, start, seconds in down:
            service.inbox(URL).fail(status, seconds, start)
        names.add(URL)
    for kind, probability, start, seconds in wrong:
        cloud.faults.add(
            Fault(kind, ("SendMessage",), callers="sns/*", start=start, end=start + seconds, probability=probability)
        )

    def publish():
        for pause, group, gold, id in load:
            cloud.kernel.sleep(pause)
            attributes = {"kind": {"DataType": "String", "StringValue": "gold"}} if gold else {}
            own = {"MessageGroupId": group, "MessageDeduplicationId": f"{group}{id}"} if fifo else {}
            try:
                sns.publish(TopicArn=topic, Message=f"{group}{id}", MessageAttributes=attributes, **own)
            except ServiceError as error:
                raise AssertionError(error.message) from error

    cloud.spawn(publish)
    cloud.advance(7200)
    return cloud, names, "t" + suffix


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.booleans(), messages, faults, outages)
def test_every_message_has_one_end_for_every_subscription(seed, fifo, load, wrong, down):
    cloud, names, topic = run(seed, fifo, load, wrong, down)
    published = [row.subject for row in cloud.trace.where("Published", topic)]
    ended = [(cloud.trace.parent(row.subject), row.actor) for row in cloud.trace.where(ENDS, topic)]
    ends = Counter((id, name) for id, name in ended if id in published)
    assert ends == Counter((id, name) for id in published for name in names)
    assert len(published) == (len({(group, id) for _, group, _, id in load}) if fifo else len(load))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.booleans(), messages, faults, outages)
def test_attempts_are_counted_and_announced(seed, fifo, load, wrong, down):
    """Each attempt is one more than the one before, and comes when that one said, or as soon as its turn comes."""
    cloud, _, topic = run(seed, fifo, load, wrong, down)
    deliveries = defaultdict(list)
    for row in cloud.trace.where(ATTEMPTS, topic):
        deliveries[row.subject, row.actor].append(row)
    for rows in deliveries.values():
        assert [row.detail["attempt"] for row in rows] == list(range(1, len(rows) + 1))
        for earlier, later in pairwise(rows):
            assert earlier.kind == "DeliveryFailed" and later.time == earlier.until
            assert (later.cause, later.subject) == (earlier.index, earlier.subject)
        if rows[-1].kind == "DeliveryFailed":
            assert rows[-1].until == 0.0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), messages, faults)
def test_a_fifo_topic_keeps_the_order_of_every_group(seed, load, wrong):
    cloud, names, topic = run(seed, True, load, wrong, [])
    group_of = {row.subject: row.detail for row in cloud.trace.where("JoinedGroup", topic)}
    order = [row.subject for row in cloud.trace.where("Published", topic)]
    for name in names:
        ended = [cloud.trace.parent(row.subject) for row in cloud.trace.where("Delivered", topic, actor=name)]
        for group in "abc":
            mine = [id for id in ended if group_of[id] == group]
            assert mine == [id for id in order if id in mine]
