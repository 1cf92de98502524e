"""SNS FIFO topics: order in a group, deduplication, throughput. All through boto3, in strict mode."""

import json
from itertools import groupby

import pytest
from aws_errors import code_and_message as refused
from lab import QUICK as AT_ONCE
from lab import Lab as Base
from sns.test_sns import policy

from lablib.aws.service import ServiceError
from lablib.gateway import Fault

pytestmark = pytest.mark.ours  # where a test names no source

QUICK = AT_ONCE | {"sns.retry_jitter": 0, "sqs.outages_per_hour": 0}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:"


class Lab(Base):
    """A cloud with a FIFO topic, and the calls the tests are made of."""

    def __init__(self, limits="2023", seed=1, assume=QUICK, content_based="false", **attributes):
        super().__init__("sns", "sqs", seed=seed, limits=limits, assume=assume)
        given = {"FifoTopic": "true", "ContentBasedDeduplication": content_based} | attributes
        self.topic = self.sns.create_topic(Name="orders.fifo", Attributes=given)["TopicArn"]

    def subscribed_queue(self, name="billing.fifo", allowed=True, **attributes):
        self.create(name, **{"Policy": json.dumps(policy(QUEUE + name, self.topic))} if allowed else {})
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=QUEUE + name, Attributes=attributes)
        return name

    def publish(self, message="x", group="g", id=None, **more):
        more |= {"MessageDeduplicationId": id} if id else {}
        return self.sns.publish(TopicArn=self.topic, Message=message, MessageGroupId=group, **more)

    def sent(self, queue="billing.fifo"):
        """What came to a queue, in order: group and text. The queue's own order is that of its `Sent` rows."""
        found = self.drain(queue, delete=queue.endswith(".fifo"), AttributeNames=["All"])
        return [(m["Attributes"].get("MessageGroupId"), json.loads(m["Body"])["Message"]) for m in found]


@pytest.fixture
def lab():
    return Lab()


# ---- order -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_every_queue_gets_each_group_in_order(seed):
    lab = Lab(seed=seed)
    names = [lab.subscribed_queue(f"{name}.fifo") for name in ("a", "b", "c")]
    for n in range(30):
        lab.publish(f"{n:02}", group=f"g{n % 3}", id=str(n))
    lab.cloud.advance(10)
    for name in names:
        found = sorted(lab.sent(name), key=lambda pair: pair[0])
        for group, pairs in groupby(found, key=lambda pair: pair[0]):
            texts = [text for _, text in pairs]
            assert texts == sorted(texts) and len(texts) == 10, group


@pytest.mark.parametrize("seed", range(10))
def test_order_holds_while_deliveries_fail(seed):
    lab = Lab(seed=seed)
    lab.subscribed_queue()
    lab.cloud.faults.add(Fault("throttle", ("SendMessage",), callers="sns/*", probability=0.6))
    for n in range(20):
        lab.publish(f"{n:02}", group=f"g{n % 2}", id=str(n))
    lab.cloud.advance(3600)
    lab.cloud.faults.active.clear()
    found = lab.sent()
    for group in ("g0", "g1"):
        texts = [text for g, text in found if g == group]
        assert texts == sorted(texts) and len(texts) == 10
    assert lab.rows("DeliveryFailed")


def test_a_delivery_that_is_retried_holds_back_its_group_and_no_other(lab):
    lab.subscribed_queue()
    lab.cloud.faults.add(Fault("throttle", ("SendMessage",), callers="sns/*", count=6))
    first = lab.publish("1", group="slow", id="1")["MessageId"]
    lab.cloud.advance(0.5)
    second = lab.publish("2", group="slow", id="2")["MessageId"]
    other = lab.publish("3", group="fast", id="3")["MessageId"]
    lab.cloud.advance(60)
    times = {lab.cloud.trace.parent(row.subject): row.time for row in lab.rows("Delivered")}
    assert times[first] < times[second] and times[other] < times[first]


def test_one_subscriber_that_fails_does_not_hold_back_the_other(lab):
    lab.subscribed_queue("good.fifo")
    lab.subscribed_queue("bad.fifo")
    url = lab.sqs.get_queue_url(QueueName="bad.fifo")["QueueUrl"]
    lab.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    for n in range(3):
        lab.publish(str(n), id=str(n))
    lab.cloud.advance(5)
    assert [text for _, text in lab.sent("good.fifo")] == ["0", "1", "2"]
    assert len(lab.rows("DeliveryDropped", actor="bad.fifo")) == 3


def test_a_lost_answer_makes_no_second_copy_in_a_fifo_queue(lab):
    """SNS hands its deduplication id on: the queue knows the repetition."""
    lab.subscribed_queue()
    lab.cloud.faults.add(Fault("lost_answer", ("SendMessage",), callers="sns/*", count=2))
    lab.publish("once", id="1")
    lab.cloud.advance(10)
    assert lab.sent() == [("g", "once")]
    assert len(lab.rows("Deduplicated", resource="billing.fifo")) == 2


def test_the_trace_tells_group_and_place(lab):
    lab.subscribed_queue()
    id = lab.publish(id="1")["MessageId"]
    lab.cloud.advance(1)
    published, joined, delivered = lab.rows(subject=id)
    assert (joined.kind, joined.resource, joined.detail, joined.cause) == (
        "JoinedGroup", "orders.fifo", "g", published.index,
    )  # fmt: skip
    assert delivered.kind == "Delivered"
    assert "in group g of orders.fifo" in lab.cloud.explain(id)


def test_sequence_numbers_grow(lab):
    numbers = [lab.publish(id=str(n), group=str(n % 2))["SequenceNumber"] for n in range(5)]
    assert numbers == sorted(numbers) and len(set(numbers)) == 5 and {len(number) for number in numbers} == {20}


# ---- deduplication ---------------------------------------------------------------------------------------------------


def test_a_message_that_is_repeated_within_five_minutes_is_accepted_and_not_delivered(lab):
    lab.subscribed_queue()
    first = lab.publish("x", id="1")
    lab.cloud.advance(299)
    again = lab.publish("y", id="1")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    lab.cloud.advance(2)
    assert lab.publish("z", id="1")["MessageId"] != first["MessageId"]
    assert len(lab.rows("Deduplicated", resource="orders.fifo")) == 1
    assert "accepted, not stored" in lab.cloud.explain(first["MessageId"])


def test_the_content_can_be_the_id():
    lab = Lab(content_based="true")
    lab.subscribed_queue()
    attributes = {"a": {"DataType": "String", "StringValue": "differs"}}
    ids = [lab.publish("x")["MessageId"], lab.publish("x", MessageAttributes=attributes)["MessageId"]]
    assert ids[0] == ids[1]
    assert lab.publish("y")["MessageId"] != ids[0]
    assert lab.publish("x", id="explicit")["MessageId"] != ids[0]


def test_the_scope_is_the_topic(lab):
    first = lab.publish("x", group="a", id="1")["MessageId"]
    assert lab.publish("x", group="b", id="1")["MessageId"] == first


def test_today_the_scope_can_be_the_group():
    lab = Lab("today", FifoThroughputScope="MessageGroup")
    first = lab.publish("x", group="a", id="1")["MessageId"]
    assert lab.publish("x", group="b", id="1")["MessageId"] != first
    assert lab.publish("x", group="a", id="1")["MessageId"] == first


def test_a_batch_is_ordered_and_deduplicated_inside(lab):
    lab.subscribed_queue()
    ids = ["1", "2", "2", "3"]
    entries = [
        {"Id": f"e{n}", "Message": f"m{n}", "MessageGroupId": "g", "MessageDeduplicationId": id}
        for n, id in enumerate(ids)
    ]
    answer = lab.sns.publish_batch(TopicArn=lab.topic, PublishBatchRequestEntries=entries)["Successful"]
    assert answer[1]["MessageId"] == answer[2]["MessageId"]
    lab.cloud.advance(5)
    assert [text for _, text in lab.sent()] == ["m0", "m1", "m3"]


# ---- who may subscribe -----------------------------------------------------------------------------------------------


def test_today_standard_queues_subscribe_too():
    lab = Lab("today")
    lab.subscribed_queue("standard")
    lab.publish("x", id="1")
    lab.cloud.advance(5)
    assert lab.sent("standard") == [(None, "x")]


def test_the_dead_letter_queue_keeps_group_and_id(lab):
    given = {"FifoQueue": "true", "Policy": json.dumps(policy(QUEUE + "dead.fifo", lab.topic))}
    lab.sqs.create_queue(QueueName="dead.fifo", Attributes=given)
    redrive = json.dumps({"deadLetterTargetArn": QUEUE + "dead.fifo"})
    lab.subscribed_queue(allowed=False, RedrivePolicy=redrive)
    for n in range(3):
        lab.publish(str(n), group="g", id=f"id-{n}")
    lab.cloud.advance(5)
    assert lab.sent("dead.fifo") == [("g", "0"), ("g", "1"), ("g", "2")]


def test_with_a_filter_what_is_kept_out_holds_nothing_back(lab):
    lab.subscribed_queue(FilterPolicy='{"kind": ["gold"]}')
    for n, kind in enumerate(("gold", "tin", "gold")):
        lab.publish(str(n), id=str(n), MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}})
    lab.cloud.advance(5)
    assert [text for _, text in lab.sent()] == ["0", "2"]


# ---- limits ----------------------------------------------------------------------------------------------------------


def publish_until_throttled(lab, group):
    """How many messages a topic takes at one instant."""
    direct = lab.cloud.direct("sns")
    for count in range(0, 40_000, 10):
        entries = [
            {"Id": str(n), "Message": "x", "MessageGroupId": group(n), "MessageDeduplicationId": str(n)}
            for n in range(count, count + 10)
        ]
        try:
            direct.publish_batch(TopicArn=lab.topic, PublishBatchRequestEntries=entries)
        except ServiceError:
            return count
    return None


@pytest.mark.parametrize(("limits", "rate"), [("2023", 300), ("today", 3000)])
def test_a_topic_takes_so_many_messages_a_second(limits, rate):
    assert publish_until_throttled(Lab(limits), group=str) == rate


def test_a_group_takes_300_messages_a_second():
    lab = Lab("today")
    assert publish_until_throttled(lab, group=lambda n: "g") == 300
    lab.publish(group="other", id="other")
    assert lab.rows("Throttled")[0].detail == {"limit": 300, "group": "g"}


def test_today_a_topic_can_take_as_many_as_the_region():
    assert publish_until_throttled(Lab("today", FifoThroughputScope="MessageGroup"), group=str) == 30_000


def test_the_throughput_scope_cannot_be_changed_back():
    lab = Lab("today", FifoThroughputScope="MessageGroup")
    given = {"TopicArn": lab.topic, "AttributeName": "FifoThroughputScope"}
    lab.sns.set_topic_attributes(**given, AttributeValue="MessageGroup")
    assert refused(lab.sns.set_topic_attributes, **given, AttributeValue="Topic")[0] == "InvalidParameter"


def test_a_fifo_topic_has_at_most_a_hundred_subscriptions(lab):
    assert lab.cloud.quotas["sns.fifo_subscriptions"] == 100
    lab.cloud.quotas["sns.fifo_subscriptions"] = 0
    code, _ = refused(lab.sns.subscribe, TopicArn=lab.topic, Protocol="sqs", Endpoint=QUEUE + "q.fifo")
    assert code == "SubscriptionLimitExceeded"


def test_an_account_has_at_most_a_thousand_fifo_topics(lab):
    assert lab.cloud.quotas["sns.fifo_topics"] == 1000
    lab.cloud.quotas["sns.fifo_topics"] = 1
    code, _ = refused(lab.sns.create_topic, Name="b.fifo", Attributes={"FifoTopic": "true"})
    assert code == "TopicLimitExceeded"
    lab.sns.create_topic(Name="standard")
