"""A topic that delivers to a delivery stream: SNS -> Firehose -> S3."""

import json

import pytest
from aws_errors import code_and_message
from firehose.conftest import Lab, s3
from lab import ACCOUNT, EVERYTHING

ROLE = f"arn:aws:iam::{ACCOUNT}:role/topic"
STREAM = f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/clicks"


@pytest.fixture
def lab():
    lab = Lab()
    lab.create(ExtendedS3DestinationConfiguration=s3())
    lab.role_for("sns.amazonaws.com", "topic", EVERYTHING)
    lab.sns = lab.cloud.client("sns")
    lab.topic = lab.sns.create_topic(Name="orders")["TopicArn"]
    return lab


def subscribe(lab, role=ROLE, **attributes):
    given = {**({"SubscriptionRoleArn": role} if role else {}), **attributes}
    return lab.sns.subscribe(TopicArn=lab.topic, Protocol="firehose", Endpoint=STREAM, Attributes=given)


def lines(lab):
    return [json.loads(line) for body in lab.bodies() for line in body.splitlines()]


@pytest.mark.guide
def test_messages_arrive_a_line_each_with_their_metadata(lab):
    subscribe(lab)
    ids = [lab.sns.publish(TopicArn=lab.topic, Message=text, Subject="s")["MessageId"] for text in ("a", "b\nc")]
    lab.cloud.advance(90)
    found = lines(lab)
    assert sorted(line["MessageId"] for line in found) == sorted(ids)
    assert {line["Message"] for line in found} == {"a", "b\nc"}
    assert set(found[0]) == {"Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "UnsubscribeURL"}


@pytest.mark.guide
def test_raw_delivery_leaves_the_message_as_it_is(lab):
    subscribe(lab, RawMessageDelivery="true")
    lab.sns.publish(TopicArn=lab.topic, Message="a")
    lab.cloud.advance(90)
    assert lab.bodies() == [b"a"]


@pytest.mark.ours
def test_the_record_is_told_of_with_its_message(lab):
    subscribe(lab)
    message = lab.sns.publish(TopicArn=lab.topic, Message="a")["MessageId"]
    lab.cloud.advance(90)
    (record,) = lab.rows("RecordAccepted")
    assert message in lab.cloud.trace.ancestors(record.subject)
    assert record.subject in lab.cloud.explain(message)


@pytest.mark.guide
def test_a_throttled_stream_is_tried_again(lab):
    subscribe(lab, RawMessageDelivery="true")
    for _ in range(11):
        lab.put_batch(*[b"x"] * 500)
    lab.sns.publish(TopicArn=lab.topic, Message="!")
    lab.cloud.advance(90)
    assert b"!" in b"".join(lab.bodies())


@pytest.mark.guide
def test_a_role_that_does_not_trust_sns_is_a_failure_for_good(lab):
    role = f"arn:aws:iam::{ACCOUNT}:role/firehose"
    subscribe(lab, role)
    lab.sns.publish(TopicArn=lab.topic, Message="a")
    lab.cloud.advance(90)
    assert lab.bodies() == [] and len(lab.rows("DeliveryDropped")) == 1


@pytest.mark.ours
def test_what_a_subscription_needs(lab):
    call = {"TopicArn": lab.topic, "Protocol": "firehose"}
    code, text = code_and_message(lab.sns.subscribe, **call, Endpoint=STREAM)
    assert code == "InvalidParameter" and "SubscriptionRoleArn" in text
    given = {"SubscriptionRoleArn": ROLE}
    code, text = code_and_message(lab.sns.subscribe, **call, Endpoint="arn:aws:s3:::lake", Attributes=given)
    assert code == "InvalidParameter" and "Firehose endpoint ARN" in text


@pytest.mark.guide
def test_a_topic_has_five_of_them(lab):
    for n in range(5):
        arn, given = f"{STREAM}-{n}", {"SubscriptionRoleArn": ROLE}
        lab.sns.subscribe(TopicArn=lab.topic, Protocol="firehose", Endpoint=arn, Attributes=given)
    with pytest.raises(lab.sns.exceptions.SubscriptionLimitExceededException):
        subscribe(lab)
