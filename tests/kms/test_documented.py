"""What AWS documents on encryption of queues with KMS keys: one test each. Through boto3, in strict mode.

Sources: SQS developer guide, "Amazon SQS Key management", "Encryption at rest"; SQS API reference, CreateQueue; SNS
developer guide, "Setting up Amazon SNS encryption with encrypted Amazon SQS queue subscriptions"; KMS developer guide.
The codes of SQS's errors are those of its service model; the texts are KMS's own, as users quote them.
"""

import json

import pytest
from aws_errors import code_and_message as refused
from lab import ACCOUNT, OTHER, document
from lab import Lab as Base

from lablib.aws.arn import Arn
from lablib.aws.service import Principal, ServiceError
from lablib.gateway import Fault

pytestmark = pytest.mark.guide  # where a test names no other source

PRODUCER = ("sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt")
CONSUMER = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "kms:Decrypt")


def right(*actions, resource="*"):
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


class Lab(Base):
    """A queue with a KMS key of the customer's."""

    def __init__(self, **attributes):
        super().__init__("sqs", "kms", assume={"sqs.outages_per_hour": 0})
        self.key = self.kms.create_key()["KeyMetadata"]
        self.url = self.create("orders", KmsMasterKeyId=self.key["KeyId"], **attributes)

    def role(self, name, *actions, resource="*"):
        """A boto3 client of SQS that calls as a new role with these rights."""
        return super().role(name, right(*actions, resource=resource))

    def allow(self, name, *actions, resource="*"):
        policy = document(right(*actions, resource=resource))
        self.cloud.client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)

    def calls(self):
        return [row.kind for row in self.cloud.trace.where(("GenerateDataKey", "Decrypt"))]


@pytest.fixture
def lab():
    return Lab()


def send(sqs, url):
    return sqs.send_message(QueueUrl=url, MessageBody="secret")


def receive(sqs, url, wait=1, **more):
    return sqs.receive_message(QueueUrl=url, WaitTimeSeconds=wait, **more).get("Messages", [])


# ---- rights ----------------------------------------------------------------------------------------------------------


def test_a_producer_needs_to_make_data_keys_and_to_open_them(lab):
    """Key management: configure KMS permissions for producers."""
    send(lab.role("producer", *PRODUCER), lab.url)
    for missing in ("kms:GenerateDataKey", "kms:Decrypt"):
        client = lab.role(f"without-{missing[4:]}", *(a for a in PRODUCER if a != missing))
        code, message = refused(client.send_message, QueueUrl=lab.url, MessageBody="x")
        assert code == "KMS.AccessDeniedException"
        assert f"is not authorized to perform: {missing} on resource: {lab.key['Arn']}" in message
    assert len(lab.cloud.trace.where("Sent")) == 1


def test_a_consumer_needs_to_open_data_keys(lab):
    """Key management: configure KMS permissions for consumers."""
    send(lab.sqs, lab.url)
    blind = lab.role("blind", "sqs:ReceiveMessage")
    assert refused(blind.receive_message, QueueUrl=lab.url)[0] == "KMS.AccessDeniedException"
    assert lab.cloud.trace.where("Received") == []
    (message,) = receive(lab.role("consumer", *CONSUMER), lab.url)
    assert message["Body"] == "secret"


def test_deleting_needs_no_key(lab):
    send(lab.sqs, lab.url)
    (message,) = receive(lab.sqs, lab.url)
    janitor = lab.role("janitor", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
    janitor.get_queue_attributes(QueueUrl=lab.url, AttributeNames=["All"])
    janitor.delete_message(QueueUrl=lab.url, ReceiptHandle=message["ReceiptHandle"])
    assert len(lab.cloud.trace.where("Deleted")) == 1


def test_the_reader_of_a_dead_letter_queue_needs_the_key_of_the_source_queue_too(lab):
    """Key management: configure KMS permissions for consumers (dead-letter queues)."""
    dead = lab.create("dead")
    target = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead", "maxReceiveCount": 1})
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes={"RedrivePolicy": target})
    send(lab.sqs, lab.url)
    receive(lab.sqs, lab.url, VisibilityTimeout=0)
    assert receive(lab.sqs, lab.url) == []
    reader = lab.role("reader", "sqs:ReceiveMessage")
    code, _ = refused(reader.receive_message, QueueUrl=dead, WaitTimeSeconds=1, VisibilityTimeout=0)
    assert code == "KMS.AccessDeniedException"
    lab.allow("reader", "sqs:ReceiveMessage", "kms:Decrypt")
    assert [m["Body"] for m in receive(reader, dead)] == ["secret"]


def test_an_identity_policy_names_the_whole_arn_of_the_key(lab):
    """Key management: "Kms:GenerateDataKey ... you must specify the key ARN"; an alias is no key."""
    lab.kms.create_alias(AliasName="alias/orders", TargetKeyId=lab.key["KeyId"])
    alias = f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/orders"
    elsewhere = lab.key["Arn"].replace("us-east-1", "eu-west-1")
    client = lab.role("producer", *PRODUCER)
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"
    for wrong in (alias, elsewhere):
        lab.allow("producer", *PRODUCER, resource=[queue, wrong])
        assert refused(client.send_message, QueueUrl=lab.url, MessageBody="x")[0] == "KMS.AccessDeniedException"
    lab.allow("producer", *PRODUCER, resource=[queue, lab.key["Arn"]])
    send(client, lab.url)


def test_the_key_may_belong_to_another_account(lab):
    """Both the other account's key policy and the caller's own policies must allow."""
    theirs = lab.cloud.client("kms", account=OTHER)
    arn = theirs.create_key()["KeyMetadata"]["Arn"]
    url = lab.create("shared", KmsMasterKeyId=arn)
    assert refused(lab.sqs.send_message, QueueUrl=url, MessageBody="x")[0] == "KMS.AccessDeniedException"
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"}
        for account in (OTHER, ACCOUNT)
    ]
    theirs.put_key_policy(KeyId=arn, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    send(lab.sqs, url)
    assert [m["Body"] for m in receive(lab.sqs, url)] == ["secret"]


# ---- AWS's own key, services -----------------------------------------------------------------------------------------


def test_with_awss_own_key_everybody_may_who_may_use_the_queue(lab):
    """Key management: the policy of the AWS managed key for SQS."""
    url = lab.create("plain", KmsMasterKeyId="alias/aws/sqs")
    send(lab.role("producer", "sqs:SendMessage"), url)
    assert [m["Body"] for m in receive(lab.role("consumer", "sqs:ReceiveMessage"), url)] == ["secret"]


def send_as_sns(lab, queue):
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:sales"
    sns = Principal(
        ACCOUNT, service="sns.amazonaws.com", context={"aws:SourceArn": topic, "aws:SourceAccount": ACCOUNT}
    )
    params = {"queue_url": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{queue}", "message_body": "x"}
    to = Arn("sqs", "us-east-1", ACCOUNT, queue)
    lab.cloud.gateway.call_service(to, "send_message", params, principal=sns, caller="sns/sales", cause=-1)


def let_sns_in(lab, url, queue):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    lab.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def test_sns_cannot_use_awss_own_key(lab):
    """SNS guide: the queue's key must be a customer managed one, because the policy of AWS's cannot be edited."""
    let_sns_in(lab, lab.create("plain", KmsMasterKeyId="alias/aws/sqs"), "plain")
    with pytest.raises(ServiceError) as caught:
        send_as_sns(lab, "plain")
    assert caught.value.shape == "KmsAccessDenied"
    assert lab.cloud.trace.where("Sent") == []


@pytest.mark.parametrize("missing", [None, "kms:GenerateDataKey*", "kms:Decrypt"])
def test_sns_needs_two_rights_in_the_policy_of_the_key(lab, missing):
    """SNS guide: kms:GenerateDataKey* and kms:Decrypt for sns.amazonaws.com."""
    let_sns_in(lab, lab.url, "orders")
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "kms:*", "Resource": "*"},
        {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": [action for action in ("kms:GenerateDataKey*", "kms:Decrypt") if action != missing],
            "Resource": "*",
        },
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    lab.kms.put_key_policy(KeyId=lab.key["KeyId"], Policy=policy)
    if missing:
        with pytest.raises(ServiceError) as caught:
            send_as_sns(lab, "orders")
        assert caught.value.shape == "KmsAccessDenied"
    else:
        send_as_sns(lab, "orders")
    assert len(lab.cloud.trace.where("Sent")) == (0 if missing else 1)


@pytest.mark.parametrize("missing", ["kms:GenerateDataKey", "kms:Decrypt"])
def test_a_publisher_to_an_encrypted_topic_needs_the_same_rights(lab, missing):
    """SNS guide, Key management: configure KMS permissions."""
    rights = ["sns:Publish", "kms:GenerateDataKey", "kms:Decrypt"]
    topic = lab.cloud.client("sns").create_topic(Name="sales", Attributes={"KmsMasterKeyId": lab.key["KeyId"]})
    lab.role("publisher", *(right for right in rights if right != missing))
    sns = lab.cloud.client("sns", role="publisher")
    for _ in range(2):
        assert refused(sns.publish, TopicArn=topic["TopicArn"], Message="x")[0] == "KMSAccessDenied"
    lab.allow("publisher", *rights)
    sns.publish(TopicArn=topic["TopicArn"], Message="x")
    lab.allow("publisher", "sns:Publish")
    sns.publish(TopicArn=topic["TopicArn"], Message="x")
    lab.cloud.advance(300)
    assert refused(sns.publish, TopicArn=topic["TopicArn"], Message="x")[0] == "KMSAccessDenied"


# ---- the reuse of data keys ------------------------------------------------------------------------------------------


def test_a_data_key_is_reused_for_five_minutes_unless_the_queue_says_otherwise(lab):
    """API: CreateQueue, KmsDataKeyReusePeriodSeconds, default 300."""
    for _ in range(60):
        send(lab.sqs, lab.url)
        lab.cloud.advance(4.9)
    assert lab.calls() == ["GenerateDataKey", "Decrypt"]
    lab.cloud.advance(10)
    send(lab.sqs, lab.url)
    assert lab.calls() == ["GenerateDataKey", "Decrypt"] * 2
    short = Lab(KmsDataKeyReusePeriodSeconds="60")
    for _ in range(3):
        send(short.sqs, short.url)
        short.cloud.advance(60)
    assert short.calls() == ["GenerateDataKey", "Decrypt"] * 3


def test_calls_to_kms_follow_the_guides_formula(lab):
    """Key management: R = (B / D) * (2 * P + C)."""
    producers = [lab.role(f"producer-{n}", *PRODUCER) for n in range(2)]
    consumers = [lab.role(f"consumer-{n}", *CONSUMER) for n in range(3)]
    hours, reuse = 1, 300

    def work(client, call):
        while True:
            call(client, lab.url)
            lab.cloud.kernel.sleep(5)

    for client in producers:
        lab.cloud.spawn(work, client, send)
    lab.cloud.advance(1)
    for client in consumers:
        lab.cloud.spawn(work, client, lambda client, url: receive(client, url, wait=0))
    lab.cloud.advance(hours * 3600 - 10)
    expected = hours * 3600 / reuse * (2 * len(producers) + len(consumers))
    assert expected == pytest.approx(len(lab.calls()), rel=0.05)
    assert lab.calls().count("GenerateDataKey") == pytest.approx(expected * 2 / 7, rel=0.1)


def test_data_keys_are_not_shared_between_callers(lab):
    """Key management: SQS tells callers apart by their credentials."""
    send(lab.role("first", *PRODUCER), lab.url)
    send(lab.role("second", *PRODUCER), lab.url)
    assert lab.calls() == ["GenerateDataKey", "Decrypt"] * 2


def test_data_keys_are_not_shared_between_queues(lab):
    send(lab.sqs, lab.url)
    send(lab.sqs, lab.create("other", KmsMasterKeyId=lab.key["KeyId"]))
    assert lab.calls() == ["GenerateDataKey", "Decrypt"] * 2


def test_a_disabled_key_is_felt_when_the_data_key_runs_out(lab):
    send(lab.sqs, lab.url)
    lab.kms.disable_key(KeyId=lab.key["KeyId"])
    lab.cloud.advance(290)
    send(lab.sqs, lab.url)
    assert len(receive(lab.sqs, lab.url, VisibilityTimeout=0)) == 1
    lab.cloud.advance(10)
    assert refused(lab.sqs.send_message, QueueUrl=lab.url, MessageBody="x")[0] == "KMS.DisabledException"
    assert refused(lab.sqs.receive_message, QueueUrl=lab.url)[0] == "KMS.DisabledException"
    lab.kms.enable_key(KeyId=lab.key["KeyId"])
    assert len(receive(lab.sqs, lab.url)) == 1


def test_a_right_that_is_taken_away_is_felt_when_the_data_key_runs_out(lab):
    producer = lab.role("producer", *PRODUCER)
    send(producer, lab.url)
    lab.allow("producer", "sqs:SendMessage")
    send(producer, lab.url)
    lab.cloud.advance(300)
    assert refused(producer.send_message, QueueUrl=lab.url, MessageBody="x")[0] == "KMS.AccessDeniedException"


@pytest.mark.ours
def test_an_empty_queue_asks_kms_for_nothing(lab):
    """Assumed: there is no data key to open before the first message."""
    assert receive(lab.sqs, lab.url) == []
    assert lab.calls() == []


def test_a_queue_without_a_kms_key_never_asks(lab):
    """Encryption at rest: SSE-SQS needs no rights on keys."""
    url = lab.create("managed", SqsManagedSseEnabled="true")
    send(lab.role("producer", "sqs:SendMessage"), url)
    assert len(receive(lab.role("consumer", "sqs:ReceiveMessage"), url)) == 1
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes={"KmsMasterKeyId": ""})
    send(lab.sqs, lab.url)
    assert lab.calls() == []


# ---- errors ----------------------------------------------------------------------------------------------------------


def delete(lab):
    lab.kms.schedule_key_deletion(KeyId=lab.key["KeyId"], PendingWindowInDays=7)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    ("harm", "code", "shape"),
    [
        (lambda lab: lab.kms.disable_key(KeyId=lab.key["KeyId"]), "KMS.DisabledException", "KmsDisabled"),
        (delete, "KMS.InvalidStateException", "KmsInvalidState"),
        (lambda lab: (delete(lab), lab.cloud.advance(7 * 86_400)), "KMS.NotFoundException", "KmsNotFound"),
        (
            lambda lab: lab.cloud.faults.add(Fault("throttle", ("GenerateDataKey",))),
            *("KMS.ThrottlingException", "KmsThrottled"),
        ),
    ],
)
def test_what_goes_wrong_at_kms_has_a_name_at_sqs(lab, harm, code, shape, batch):
    """API: SendMessage, SendMessageBatch, errors. Nothing is sent."""
    harm(lab)
    call, more = lab.sqs.send_message, {"MessageBody": "x"}
    if batch:
        call, more = lab.sqs.send_message_batch, {"Entries": [{"Id": "1", "MessageBody": "x"}]}
    with pytest.raises(getattr(lab.sqs.exceptions, shape)) as caught:
        call(QueueUrl=lab.url, **more)
    assert caught.value.response["Error"]["Code"] == code
    assert lab.cloud.trace.where("Sent") == []


def test_a_key_that_never_was(lab):
    """KmsMasterKeyId is not looked up when it is set."""
    url = lab.create("lost", KmsMasterKeyId="alias/nonsense")
    code, message = refused(lab.sqs.send_message, QueueUrl=url, MessageBody="x")
    assert code == "KMS.NotFoundException"
    assert f"Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/nonsense is not found." in message


def test_kms_that_does_not_answer_is_tried_again(lab):
    lab.cloud.faults.add(Fault("lost_answer", ("GenerateDataKey",), count=2))
    send(lab.sqs, lab.url)
    assert len(lab.cloud.trace.where("Sent")) == 1
    assert [row.detail for row in lab.cloud.trace.where("SendMessage")] == ["ServiceUnavailable"] * 2 + [1]


@pytest.mark.parametrize("first", ["KmsMasterKeyId", "SqsManagedSseEnabled"])
def test_one_type_of_encryption_at_a_time(lab, first):
    """The later of the two takes the place of the earlier."""
    values = {"KmsMasterKeyId": lab.key["KeyId"], "SqsManagedSseEnabled": "true"}
    second = next(name for name in values if name != first)
    url = lab.create("plain", **{first: values[first]})
    lab.sqs.set_queue_attributes(QueueUrl=url, Attributes={second: values[second]})
    got = lab.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(values))["Attributes"]
    expected = {"SqsManagedSseEnabled": "true" if second == "SqsManagedSseEnabled" else "false"}
    assert got == expected | ({"KmsMasterKeyId": lab.key["KeyId"]} if second == "KmsMasterKeyId" else {})
