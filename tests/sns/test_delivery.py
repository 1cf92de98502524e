"""SNS among its peers: roles that publish, functions that subscribe, keys that protect. Through boto3, strict mode."""

import json

import pytest
from aws_errors import refused

from lablib.cloud import Cloud
from lablib.gateway import Fault

pytestmark = pytest.mark.ours  # where a test names no source

ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:orders"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:billing"
TRUST = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(**statement):
    """A policy of one statement."""
    whole = {"Effect": "Allow"} | {key.capitalize(): value for key, value in statement.items()}
    return json.dumps({"Version": "2012-10-17", "Statement": [whole]})


@pytest.fixture
def cloud():
    return Cloud(seed=1, strict=True, assume={"sqs.outages_per_hour": 0})


@pytest.fixture
def sns(cloud):
    client = cloud.client("sns")
    client.create_topic(Name="orders")
    return client


@pytest.fixture
def worker(cloud):
    """Gives the role `worker` a policy."""
    iam = cloud.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust)

    def allow(*actions, resource="*"):
        text = document(action=list(actions), resource=resource)
        iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=text)

    return allow


def kinds(cloud, id):
    return [row.kind for row in cloud.trace.about(id) if cloud.trace.says(row)]


# ---- roles -----------------------------------------------------------------------------------------------------------


def test_a_role_publishes_when_its_policy_allows_it(cloud, sns, worker):
    theirs = cloud.client("sns", role="worker")
    code, message, status = refused(theirs.publish, TopicArn=TOPIC, Message="x")
    assert (code, status) == ("AuthorizationError", 403)
    assert "is not authorized to perform" in message and "SNS:Publish" in message.replace("sns:", "SNS:")
    worker("sns:Publish", resource=TOPIC)
    theirs.publish(TopicArn=TOPIC, Message="x")
    theirs.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=[{"Id": "1", "Message": "x"}])
    assert refused(theirs.delete_topic, TopicArn=TOPIC)[0] == "AuthorizationError"
    assert len(cloud.trace.where("Published")) == 2


def test_a_topics_policy_can_let_a_role_in_or_keep_it_out(cloud, sns, worker):
    theirs = cloud.client("sns", role="worker")
    who = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/worker"}
    own = {"TopicArn": TOPIC, "AttributeName": "Policy"}
    allow = document(principal=who, action="sns:Publish", resource=TOPIC)
    sns.set_topic_attributes(**own, AttributeValue=allow)
    theirs.publish(TopicArn=TOPIC, Message="x")
    worker("sns:*")
    deny = document(effect="Deny", principal=who, action="sns:Publish", resource=TOPIC)
    sns.set_topic_attributes(**own, AttributeValue=deny)
    assert refused(theirs.publish, TopicArn=TOPIC, Message="x")[0] == "AuthorizationError"
    sns.publish(TopicArn=TOPIC, Message="x")


@pytest.mark.guide
def test_a_policy_can_limit_what_is_subscribed(cloud, sns, worker):
    """SNS developer guide, "Amazon SNS policy keys": sns:Protocol and sns:Endpoint."""
    iam = cloud.client("iam")
    condition = {"StringEquals": {"sns:Protocol": "sqs"}}
    text = document(action="sns:Subscribe", resource=TOPIC, condition=condition)
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=text)
    theirs = cloud.client("sns", role="worker")
    theirs.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE)
    given = {"TopicArn": TOPIC, "Protocol": "https", "Endpoint": "https://example.com"}
    assert refused(theirs.subscribe, **given)[0] == "AuthorizationError"


# ---- functions -------------------------------------------------------------------------------------------------------


def subscribed_function(cloud, sns, handler, allowed=True, **attributes):
    arn = cloud.deploy("resize", handler)
    if allowed:
        cloud.client("lambda").add_permission(
            FunctionName="resize", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
            SourceArn=TOPIC,
        )  # fmt: skip
    sns.subscribe(TopicArn=TOPIC, Protocol="lambda", Endpoint=arn, Attributes=attributes)
    return arn


@pytest.mark.recorded
def test_a_function_gets_the_message_as_an_event(cloud, sns):
    """The event: recorded from AWS."""
    events = []
    subscribed_function(cloud, sns, lambda event, context: events.append(event))
    kind = {"kind": {"DataType": "String", "StringValue": "gold"}}
    id = sns.publish(TopicArn=TOPIC, Message="hello", MessageAttributes=kind)["MessageId"]
    cloud.advance(5)
    (record,) = events[0]["Records"]
    own = record.pop("Sns")
    assert record == {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": sns.list_subscriptions()["Subscriptions"][0]["SubscriptionArn"],
    }
    assert list(own) == [
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
        "SigningCertUrl", "UnsubscribeUrl", "MessageAttributes",
    ]  # fmt: skip
    assert (own["MessageId"], own["Message"], own["Subject"]) == (id, "hello", None)
    assert own["MessageAttributes"] == {"kind": {"Type": "String", "Value": "gold"}}
    (delivered,) = cloud.trace.where("Delivered")
    assert (delivered.actor, delivered.detail) == ("resize", {"protocol": "lambda", "attempt": 1})


def test_a_function_that_fails_is_lambdas_affair(cloud, sns):
    """SNS has done its part when Lambda took the event; Lambda itself tries again."""
    calls = []

    def handler(event, context):
        calls.append(cloud.now)
        raise RuntimeError("no")

    subscribed_function(cloud, sns, handler)
    id = sns.publish(TopicArn=TOPIC, Message="x")["MessageId"]
    cloud.advance(600)
    assert kinds(cloud, id) == ["Published", "Delivered"]
    assert len(calls) == 3


@pytest.mark.parametrize("gone", [False, True])
def test_a_function_that_does_not_let_the_topic_in_or_is_gone_loses_the_message(cloud, sns, gone):
    arn = subscribed_function(cloud, sns, lambda event, context: None, allowed=gone)
    if gone:
        cloud.client("lambda").delete_function(FunctionName=arn)
    id = sns.publish(TopicArn=TOPIC, Message="x")["MessageId"]
    cloud.advance(5)
    assert kinds(cloud, id) == ["Published", "DeliveryFailed", "DeliveryDropped"]


# ---- keys ------------------------------------------------------------------------------------------------------------


def queue(cloud, sns, key, name="billing"):
    policy = document(
        principal={"Service": "sns.amazonaws.com"}, action="sqs:SendMessage", resource=QUEUE,
    )  # fmt: skip
    url = cloud.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy, "KmsMasterKeyId": key})
    sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE)
    return url["QueueUrl"]


@pytest.mark.guide
def test_an_encrypted_queue_with_aws_own_key_takes_nothing_from_a_topic(cloud, sns):
    """SNS developer guide: the AWS managed key for SQS does not let SNS in, and its policy cannot be changed."""
    queue(cloud, sns, "alias/aws/sqs")
    id = sns.publish(TopicArn=TOPIC, Message="x")["MessageId"]
    cloud.advance(5)
    assert kinds(cloud, id) == ["Published", "DeliveryFailed", "DeliveryDropped"]
    assert cloud.trace.where("DeliveryFailed")[0].detail["reason"] == "KMS.AccessDeniedException"


def test_an_encrypted_queue_with_a_key_that_lets_sns_in_takes_messages(cloud, sns):
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    service = {"Service": "sns.amazonaws.com"}
    actions = ["kms:GenerateDataKey*", "kms:Decrypt"]
    policy["Statement"].append({"Effect": "Allow", "Principal": service, "Action": actions, "Resource": "*"})
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    queue(cloud, sns, key)
    id = sns.publish(TopicArn=TOPIC, Message="x")["MessageId"]
    cloud.advance(5)
    assert kinds(cloud, id) == ["Published", "Delivered"]


def encrypt(cloud, sns):
    key = cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
    sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="KmsMasterKeyId", AttributeValue=key)
    return key


@pytest.mark.guide
def test_a_disabled_key_is_felt_when_the_data_key_is_used_up(cloud, sns):
    """SNS developer guide, "Amazon SNS Key management": SNS reuses a data key for five minutes."""
    key = encrypt(cloud, sns)
    sns.publish(TopicArn=TOPIC, Message="x")
    cloud.client("kms").disable_key(KeyId=key)
    sns.publish(TopicArn=TOPIC, Message="x")
    cloud.advance(300)
    code, _, status = refused(sns.publish, TopicArn=TOPIC, Message="x")
    assert (code, status) == ("KMSDisabled", 400)
    assert len(cloud.trace.where("Published")) == 2


def test_who_publishes_to_an_encrypted_topic_needs_the_key_too(cloud, sns, worker):
    encrypt(cloud, sns)
    worker("sns:Publish")
    theirs = cloud.client("sns", role="worker")
    assert refused(theirs.publish, TopicArn=TOPIC, Message="x")[0] == "KMSAccessDenied"
    worker("sns:Publish", "kms:GenerateDataKey", "kms:Decrypt")
    theirs.publish(TopicArn=TOPIC, Message="x")


def test_a_key_that_is_not_there(cloud, sns):
    given = {"AttributeName": "KmsMasterKeyId", "AttributeValue": "alias/nothing"}
    sns.set_topic_attributes(TopicArn=TOPIC, **given)
    assert refused(sns.publish, TopicArn=TOPIC, Message="x")[0] == "KMSNotFound"


@pytest.mark.guide
def test_a_key_that_is_asked_too_often(cloud, sns):
    """API: Publish (KMSThrottling)."""
    encrypt(cloud, sns)
    cloud.faults.add(Fault("throttle", ("GenerateDataKey",)))
    code, _, status = refused(sns.publish, TopicArn=TOPIC, Message="x")
    assert (code, status) == ("KMSThrottling", 400)
    assert not cloud.trace.where("Published")
