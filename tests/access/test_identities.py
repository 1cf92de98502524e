"""Who is in a policy, and what of a caller a policy can see: the roles that exist, and the keys of every request."""

import json

import pytest
from aws_errors import refused
from lab import ACCOUNT
from lab import Lab as Base

from lablib.aws.service import NotSimulated

ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:orders"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"},
    }
)


def policy(resource, action, effect="Allow", principal=ROLE, **more):
    statement = {"Sid": "a", "Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})


class Lab(Base):
    def __init__(self):
        super().__init__("sqs", "sns", "s3", "kms", "iam", "lambda")
        self.url = self.sqs.create_queue(QueueName="orders")["QueueUrl"]

    def role(self):
        self.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)

    def allow(self, text):
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": text})


@pytest.fixture
def lab():
    return Lab()


@pytest.mark.reported
def test_sqs_refuses_a_policy_with_a_principal_that_does_not_exist(lab):
    wrong = {"QueueUrl": lab.url, "Attributes": {"Policy": policy(QUEUE, "sqs:SendMessage")}}
    expected = ("InvalidAttributeValue", "Invalid value for the parameter Policy.", 400)
    assert refused(lab.sqs.set_queue_attributes, **wrong) == expected
    assert refused(lab.sqs.create_queue, QueueName="other", Attributes=wrong["Attributes"]) == expected
    lab.role()
    lab.sqs.set_queue_attributes(**wrong)


@pytest.mark.reported
def test_sns_refuses_it(lab):
    lab.sns.create_topic(Name="orders")
    wrong = {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": policy(TOPIC, "sns:Publish")}
    expected = ("InvalidParameter", "Invalid parameter: Policy Error: PrincipalNotFound", 400)
    assert refused(lab.sns.set_topic_attributes, **wrong) == expected
    lab.role()
    lab.sns.set_topic_attributes(**wrong)


@pytest.mark.guide
def test_a_role_that_is_deleted_and_made_again_has_no_access(lab):
    """IAM user guide, "IAM role principals": the policy has the unique id of the role that was deleted."""
    lab.role()
    lab.allow(policy(QUEUE, "sqs:SendMessage"))
    old = lab.cloud.client("sqs", role="worker")
    old.send_message(QueueUrl=lab.url, MessageBody="x")
    lab.iam.delete_role(RoleName="worker")
    lab.role()
    new = lab.cloud.client("sqs", role="worker")
    assert refused(new.send_message, QueueUrl=lab.url, MessageBody="x")[0] == "AccessDenied"
    lab.allow(policy(QUEUE, "sqs:SendMessage"))
    new.send_message(QueueUrl=lab.url, MessageBody="x")
    assert refused(old.send_message, QueueUrl=lab.url, MessageBody="x")[0] == "AccessDenied"


# ---- who calls ------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_messages_events_and_subscriptions_name_the_real_caller(lab):
    """Never the account's root. API: ReceiveMessage (SenderId); S3 guide: event message structure."""
    lab.role()
    lab.iam.attach_role_policy(RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    worker = {name: lab.cloud.client(name, role="worker") for name in ("sqs", "sns", "sts")}
    worker["sqs"].send_message(QueueUrl=lab.url, MessageBody="x")
    asked = {"QueueUrl": lab.url, "WaitTimeSeconds": 1, "MessageSystemAttributeNames": ["SenderId"]}
    (message,) = lab.sqs.receive_message(**asked)["Messages"]
    assert message["Attributes"]["SenderId"] == worker["sts"].get_caller_identity()["UserId"]
    topic = lab.sns.create_topic(Name="orders")["TopicArn"]
    for sns, who in ((lab.sns, lab.cloud.client("sts")), (worker["sns"], worker["sts"])):
        arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE)["SubscriptionArn"]
        attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        assert attributes["SubscriptionPrincipal"] == who.get_caller_identity()["Arn"]
        sns.unsubscribe(SubscriptionArn=arn)


# ---- the keys of every request --------------------------------------------------------------------------------------


@pytest.mark.guide
@pytest.mark.parametrize(
    ("effect", "condition", "allowed"),
    [
        ("Allow", {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, True),
        ("Allow", {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, False),
        ("Allow", {"NotIpAddress": {"aws:SourceIp": "192.0.2.188/32"}}, True),
        ("Allow", {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ("Allow", {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
        ("Allow", {"Bool": {"aws:ViaAWSService": "false"}}, True),
        ("Allow", {"StringLike": {"aws:UserAgent": "*Botocore*"}}, True),
        ("Allow", {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}, True),
        ("Allow", {"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:00Z"}}, True),
        ("Allow", {"Null": {"aws:PrincipalOrgID": "true"}}, True),
        ("Allow", {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}, False),
        ("Allow", {"Bool": {"aws:SecureTransport": "true"}}, True),
        ("Allow", {"DateLessThan": {"aws:CurrentTime": "2009-06-30T21:00Z"}}, False),
    ],
)
def test_conditions_on_what_aws_always_sends(lab, effect, condition, allowed):
    """IAM user guide, "AWS global condition context keys"; the conditions of the SQS guide's example policies
    ("Using custom policies with the Amazon SQS access policy language") decide as they are written."""
    lab.role()
    lab.allow(policy(QUEUE, "sqs:SendMessage", effect, Condition=condition))
    worker = lab.cloud.client("sqs", role="worker")
    if allowed:
        worker.send_message(QueueUrl=lab.url, MessageBody="x")
    else:
        assert refused(worker.send_message, QueueUrl=lab.url, MessageBody="x")[0] == "AccessDenied"


@pytest.mark.guide
def test_an_example_of_the_guide_that_lets_a_range_in_but_for_one_part_of_it(lab):
    lab.role()
    inside = json.loads(policy(QUEUE, "sqs:*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))
    but = json.loads(policy(QUEUE, "sqs:*", "Deny", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.1/32"}}))
    worker = lab.cloud.client("sqs", role="worker")
    lab.allow(json.dumps(inside))
    worker.send_message(QueueUrl=lab.url, MessageBody="x")
    inside["Statement"] += [but["Statement"][0] | {"Sid": "b"}]
    lab.allow(json.dumps(inside))
    assert refused(worker.send_message, QueueUrl=lab.url, MessageBody="x")[0] == "AccessDenied"


# ---- AWS's own policies ---------------------------------------------------------------------------------------------


@pytest.mark.guide
@pytest.mark.parametrize(
    "name",
    [
        *("AmazonSQSFullAccess", "AmazonSNSFullAccess", "AmazonKinesisFullAccess", "AmazonKinesisFirehoseFullAccess"),
        *("AmazonMQFullAccess", "AmazonMQApiFullAccess", "CloudWatchFullAccessV2", "CloudWatchLogsFullAccess"),
        *("AmazonS3FullAccess", "AWSLambda_FullAccess", "service-role/AWSLambdaBasicExecutionRole"),
        *("service-role/AWSLambdaKinesisExecutionRole", "service-role/AWSLambdaSQSQueueExecutionRole"),
        *("AWSLambdaExecute", "service-role/AmazonSNSRole", "AmazonKinesisAnalyticsFullAccess"),
        *("AmazonKinesisVideoStreamsFullAccess", "AmazonKinesisVideoStreamsReadOnlyAccess"),
    ],
)
def test_the_policies_of_aws_that_concern_messaging_exist(lab, name):
    """AWS managed policy reference."""
    lab.role()
    lab.iam.attach_role_policy(RoleName="worker", PolicyArn=f"arn:aws:iam::aws:policy/{name}")


@pytest.mark.ours
def test_other_policies_of_aws_are_not_simulated_and_not_called_missing(lab):
    lab.role()
    arn = "arn:aws:iam::aws:policy/AmazonEC2FullAccess"
    for call, more in ((lab.iam.attach_role_policy, {"RoleName": "worker"}), (lab.iam.get_policy, {})):
        with pytest.raises(NotSimulated, match="AmazonEC2FullAccess is not simulated"):
            call(PolicyArn=arn, **more)


@pytest.mark.ours
def test_kinesis_refuses_a_policy_with_a_principal_that_does_not_exist(lab):
    """The text is ours."""
    kinesis = lab.cloud.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    arn = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"
    given = {"ResourceARN": arn, "Policy": policy(arn, "kinesis:PutRecord")}
    assert refused(kinesis.put_resource_policy, **given)[0] == "InvalidArgumentException"
    lab.role()
    kinesis.put_resource_policy(**given)
