"""What AWS documents, or was seen to do, in FIFO topics: one test each. Through boto3, in strict mode.

"Recorded" means that public test suites recorded it from AWS; "ours" that no text of AWS was found.
"""

import json

import pytest
from aws_errors import refused
from botocore.exceptions import ClientError

from lablib.aws.service import NotSimulated
from lablib.cloud import Cloud

pytestmark = pytest.mark.guide  # where a test names no other source

ACCOUNT = "123456789012"
PREFIX = f"us-east-1:{ACCOUNT}"
TOPIC = f"arn:aws:sns:{PREFIX}:orders.fifo"
QUICK = {"api.latency_median": 1e-9, "api.latency_p95": 1e-9}
FIFO = {"FifoTopic": "true"}


class Shop:
    """A FIFO topic, and queues that let it in."""

    def __init__(self, limits="2023", **attributes):
        self.cloud = Cloud(seed=2, strict=True, limits=limits, assume=QUICK)
        self.sns, self.sqs = self.cloud.client("sns"), self.cloud.client("sqs")
        self.sns.create_topic(Name="orders.fifo", Attributes=FIFO | attributes)

    def queue(self, name, **subscription):
        arn = f"arn:aws:sqs:{PREFIX}:{name}"
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": statement | {"Resource": arn}}
        attributes = {"Policy": json.dumps(policy)} | ({"FifoQueue": "true"} if name.endswith(".fifo") else {})
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=arn, Attributes=subscription)
        return url

    def publish(self, text="tea", group="ann", id=None):
        more = {} if id is None else {"MessageDeduplicationId": id}
        return self.sns.publish(TopicArn=TOPIC, Message=text, MessageGroupId=group, **more)

    def receive(self, url):
        self.cloud.advance(2)
        found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
        return found.get("Messages", [])


@pytest.fixture
def shop():
    return Shop()


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("email", "ann@example.com"),
        ("https", "https://example.com/orders"),
        ("lambda", f"arn:aws:lambda:{PREFIX}:function:resize"),
        ("sms", "+12025550123"),
    ],
)
@pytest.mark.parametrize("limits", ["2023", "today"])
def test_only_queues_subscribe(limits, protocol, endpoint):
    """Guide: FIFO message delivery. The text is ours."""
    shop = Shop(limits)
    code, _, status = refused(shop.sns.subscribe, TopicArn=TOPIC, Protocol=protocol, Endpoint=endpoint)
    assert (code, status) == ("InvalidParameter", 400)
    assert not shop.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]


# ---- behaviour -------------------------------------------------------------------------------------------------------


def test_group_and_id_are_passed_on_to_the_queue(shop):
    """Guide: FIFO message delivery."""
    url = shop.queue("mail.fifo", RawMessageDelivery="true")
    shop.publish("tea", "ann", "order-1")
    (message,) = shop.receive(url)
    system = message["Attributes"]
    assert (system["MessageGroupId"], system["MessageDeduplicationId"]) == ("ann", "order-1")


def test_the_content_makes_the_id():
    """API: CreateTopic (ContentBasedDeduplication: SHA-256 of the body, not of the attributes)."""
    shop = Shop(ContentBasedDeduplication="true")
    url = shop.queue("mail.fifo", RawMessageDelivery="true")
    color = {"color": {"DataType": "String", "StringValue": "red"}}
    shop.publish("tea")
    shop.sns.publish(TopicArn=TOPIC, Message="tea", MessageGroupId="ann", MessageAttributes=color)
    assert [message["Body"] for message in shop.receive(url)] == ["tea"]


def test_a_repeated_publish_has_the_first_ones_answer(shop):
    """API: Publish. The window is five minutes, over the whole topic, whatever the group."""
    first = shop.publish("tea", "ann", "order-1")
    again = shop.publish("tea", "bob", "order-1")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    shop.cloud.advance(300)
    assert shop.publish("tea", "ann", "order-1")["MessageId"] != first["MessageId"]


def test_a_sequence_number_has_twenty_digits_and_grows(shop):
    """API: Publish (SequenceNumber)."""
    numbers = [shop.publish(id=str(n))["SequenceNumber"] for n in range(5)]
    assert all(len(number) == 20 for number in numbers)
    assert numbers == sorted(numbers) and len(set(numbers)) == 5


@pytest.mark.parametrize(("limits", "ok"), [("2023", False), ("today", True)])
def test_standard_queues_subscribe_today(limits, ok):
    """Guide: FIFO message delivery, then and now. What they get is in best-effort order, and at least once."""
    shop = Shop(limits)
    if not ok:
        with pytest.raises(ClientError, match="InvalidParameter"):
            shop.queue("mail")
        return
    url = shop.queue("mail", RawMessageDelivery="true")
    shop.publish("tea", "ann", "1")
    (message,) = shop.receive(url)
    assert message["Body"] == "tea"


def test_an_archive_is_a_thing_of_today_and_is_not_simulated():
    """API: SetTopicAttributes (ArchivePolicy). It says so, instead of keeping nothing."""
    shop = Shop("today")
    with pytest.raises(NotSimulated, match="ArchivePolicy"):
        shop.sns.set_topic_attributes(
            TopicArn=TOPIC, AttributeName="ArchivePolicy", AttributeValue=json.dumps({"MessageRetentionPeriod": "30"})
        )


def test_a_batch_keeps_its_order_and_leaves_out_repetitions(shop):
    """API: PublishBatch."""
    url = shop.queue("mail.fifo", RawMessageDelivery="true")
    entries = [
        {"Id": str(n), "Message": text, "MessageGroupId": "ann", "MessageDeduplicationId": text}
        for n, text in enumerate(("tea", "cake", "tea", "milk"))
    ]
    answer = shop.sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)
    assert len(answer["Successful"]) == 4
    assert [message["Body"] for message in shop.receive(url)] == ["tea", "cake", "milk"]
