"""What AWS documents on access: the order of evaluation, and the rules of SQS. Through boto3, in strict mode.

Sources: IAM user guide, "Policy evaluation logic", "Cross-account policy evaluation logic", "Permissions boundaries for
IAM entities", "Troubleshoot access denied error messages"; SQS API reference, AddPermission, CreateQueue; SQS developer
guide, "Using custom policies with the Amazon SQS access policy language".
"""

import json

import pytest
from aws_errors import refused
from botocore.exceptions import ClientError
from lab import ACCOUNT, OTHER, document
from lab import Lab as Base

from lablib.aws.access.decide import AccessRequest, Policy, decide
from lablib.aws.service import Principal
from lablib.cloud import Cloud

pytestmark = pytest.mark.guide  # where a test names no other source

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:sales"


def statement(effect="Allow", action="sqs:SendMessage", **more):
    return {"Effect": effect, "Action": action, "Resource": QUEUE} | more


class Lab(Base):
    """A queue, and whoever calls."""

    def __init__(self):
        super().__init__("sqs", assume={"sqs.outages_per_hour": 0})
        self.url = self.create("orders")

    def role(self, *statements, account=ACCOUNT, name="worker"):
        """A boto3 client of SQS that calls as a new role with these statements."""
        return super().role(name, *statements, account=account)

    def policy(self, *statements):
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": document(*statements)})

    def may_send(self, client):
        try:
            client.send_message(QueueUrl=self.url, MessageBody="x")
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return False
        return True


@pytest.fixture
def lab():
    return Lab()


ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/lab"

# ---- the order of evaluation -----------------------------------------------------------------------------------------


def test_the_default_is_an_implicit_deny(lab):
    assert not lab.may_send(lab.role())


@pytest.mark.parametrize("where", ["identity", "resource"])
def test_an_explicit_deny_anywhere_wins(lab, where):
    worker = lab.role(statement(), *([statement("Deny", "sqs:*")] if where == "identity" else []))
    denial = [statement("Deny", "sqs:*", Principal={"AWS": ROLE})] if where == "resource" else []
    lab.policy(statement(Principal="*"), *denial)
    assert not lab.may_send(worker)
    assert lab.may_send(lab.sqs)


@pytest.mark.parametrize("principal", ["*", {"AWS": ROLE}, {"AWS": SESSION}])
def test_in_one_account_the_identity_or_the_resource_must_allow(lab, principal):
    worker = lab.role()
    lab.policy(statement(Principal=principal))
    assert lab.may_send(worker)
    assert lab.may_send(lab.role(statement(), name="other"))


def test_in_one_account_trust_in_the_account_gives_nobody_anything(lab):
    """Principal element: an account as principal leaves the choice to that account."""
    worker = lab.role()
    lab.policy(statement(Principal={"AWS": ACCOUNT}))
    assert not lab.may_send(worker)


@pytest.mark.parametrize(("mine", "theirs"), [(True, True), (True, False), (False, True), (False, False)])
def test_between_accounts_the_identity_and_the_resource_must_allow(lab, mine, theirs):
    guest = lab.role(*([statement()] if mine else []), account=OTHER)
    if theirs:
        lab.policy(statement(Principal={"AWS": OTHER}))
    assert lab.may_send(guest) is (mine and theirs)
    sender = lab.cloud.trace.where("SendMessage")[-1]
    assert sender.detail == (1 if mine and theirs else "AccessDenied")


def test_the_message_that_another_account_sends_lies_in_the_owners_queue(lab):
    lab.policy(
        statement(action=["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"], Principal={"AWS": OTHER})
    )
    guest = lab.cloud.client("sqs", account=OTHER)
    guest.send_message(QueueUrl=lab.url, MessageBody="from outside")
    (message,) = lab.sqs.receive_message(QueueUrl=lab.url, WaitTimeSeconds=1, VisibilityTimeout=0)["Messages"]
    assert message["Body"] == "from outside"
    (same,) = guest.receive_message(QueueUrl=lab.url, WaitTimeSeconds=1)["Messages"]
    guest.delete_message(QueueUrl=lab.url, ReceiptHandle=same["ReceiptHandle"])
    assert lab.cloud.service("sqs").queue("orders").counts() == (0, 0, 0)


def ask(who, *resource, session=()):
    policy = Policy.parse(document(*resource), name="orders") if resource else None
    limit = Policy.parse(document(*session), kind="identity") if session else None
    return decide(AccessRequest("sqs:SendMessage", QUEUE, who, ACCOUNT), policy, session=limit)


def caller(*statements, user=False):
    own = (Policy.parse(document(*statements), kind="identity", name="p"),) if statements else ()
    if user:
        return Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", identity=lambda: own)
    return Principal(ACCOUNT, SESSION, ROLE, identity=lambda: own)


@pytest.mark.parametrize(
    ("says_no", "resource", "identity", "session"),
    [
        ("with an explicit deny in a resource-based policy", [statement("Deny", Principal="*")], False, False),
        ("because no identity-based policy", [], False, False),
        ("because no session policy", [], True, False),
        ("", [], True, True),
    ],
)
def test_the_order_in_one_account(says_no, resource, identity, session):
    """Deny, resource policy, identity policy, session policy: the first one that says no is the one that the error
    names. (In AWS service control policies and permissions boundaries come between; nobody here has one.)"""
    silent, everything = statement(action="s3:GetObject"), statement(action="*")
    own = caller(everything if identity else silent)
    decision = ask(own, *resource, session=[everything if session else silent])
    assert bool(decision) is (says_no == "")
    assert says_no in decision.message()


@pytest.mark.parametrize(
    ("principal", "user", "passes"),
    [
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}, True, True),
        ({"AWS": SESSION}, False, True),
        ({"AWS": ROLE}, False, False),
    ],
)
def test_a_direct_grant_is_not_limited_by_what_a_session_policy_does_not_mention(principal, user, passes):
    """Policy evaluation for requests within a single account: user ARN and role session ARN, against role ARN."""
    silent = [statement(action="s3:GetObject")]
    assert bool(ask(caller(user=user), statement(Principal=principal), session=silent)) is passes
    assert ask(caller(user=user), statement(Principal=principal))
    denying = [statement(action="*"), statement("Deny", "sqs:*")]
    assert not ask(caller(user=user), statement(Principal=principal), session=denying)


def test_a_statement_applies_when_all_its_conditions_hold(lab):
    """Condition element: several operators or keys are joined by AND, several values of one key by OR."""
    where = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}, "DateGreaterThan": {"aws:CurrentTime": "2023-04-02"}}
    lab.policy(statement("Deny", "sqs:*", Principal="*", Condition=where))
    assert lab.may_send(lab.sqs)
    lab.cloud.advance(86_401)
    assert not lab.may_send(lab.sqs)


# ---- what the caller reads -------------------------------------------------------------------------------------------


@pytest.mark.reported
@pytest.mark.parametrize(
    ("effect", "principal", "reason"),
    [
        ("Allow", {"AWS": OTHER}, "because no identity-based policy allows the sqs:SendMessage action"),
        ("Deny", {"AWS": ROLE}, "with an explicit deny in a resource-based policy"),
    ],
)
def test_the_error_names_caller_action_resource_and_the_kind_of_policy(lab, effect, principal, reason):
    """Troubleshoot access denied error messages. That SQS's code is AccessDenied, status 403: reported."""
    worker = lab.role()
    lab.policy(statement(effect, Principal=principal))
    who = f"User: {SESSION} is not authorized to perform: sqs:SendMessage on resource: {QUEUE}"
    assert refused(worker.send_message, QueueUrl=lab.url, MessageBody="x") == ("AccessDenied", f"{who} {reason}", 403)


# ---- rules of SQS ----------------------------------------------------------------------------------------------------

OWNER_ONLY = {
    "add_permission": {"Label": "l", "AWSAccountIds": [OTHER], "Actions": ["SendMessage"]},
    "remove_permission": {"Label": "l"},
    "delete_queue": {},
    "set_queue_attributes": {"Attributes": {"DelaySeconds": "1"}},
    "tag_queue": {"Tags": {"a": "1"}},
    "untag_queue": {"TagKeys": ["a"]},
    "list_queue_tags": {},
}


@pytest.mark.parametrize("operation", OWNER_ONLY)
def test_actions_without_cross_account_permissions(lab, operation):
    """API: each of these says "Cross-account permissions don't apply to this action"."""
    lab.policy(statement(action="sqs:*", Principal="*"))
    guest = lab.cloud.client("sqs", account=OTHER)
    code, message, _ = refused(getattr(guest, operation), QueueUrl=lab.url, **OWNER_ONLY[operation])
    assert code == "AccessDenied"
    assert "because no resource-based policy allows" in message
    (denied,) = lab.cloud.trace.where("AccessDenied")
    assert "is for the account 123456789012 alone, whatever a policy says" in denied.detail
    own = lab.role()
    if operation != "remove_permission":
        getattr(own, operation)(QueueUrl=lab.url, **OWNER_ONLY[operation])


def test_creating_and_listing_concern_the_callers_own_account(lab):
    guest = lab.cloud.client("sqs", account=OTHER)
    assert guest.list_queues().get("QueueUrls", []) == []
    assert OTHER in guest.create_queue(QueueName="orders")["QueueUrl"]
    assert len(lab.sqs.list_queues()["QueueUrls"]) == 1


@pytest.mark.parametrize("allowed", [True, False])
def test_a_right_covers_the_batch_form(lab, allowed):
    """API: AddPermission: SendMessage, DeleteMessage, ChangeMessageVisibility cover the batch operations."""
    rights = ["sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    lab.sqs.send_message(QueueUrl=lab.url, MessageBody="x")
    handle = lab.sqs.receive_message(QueueUrl=lab.url, WaitTimeSeconds=1)["Messages"][0]["ReceiptHandle"]
    worker = lab.role(*([statement(action=rights)] if allowed else []))
    for call, entry in (
        (worker.send_message_batch, {"MessageBody": "y"}),
        (worker.change_message_visibility_batch, {"ReceiptHandle": handle, "VisibilityTimeout": 9}),
        (worker.delete_message_batch, {"ReceiptHandle": handle}),
    ):
        given = {"QueueUrl": lab.url, "Entries": [{"Id": "1"} | entry]}
        if allowed:
            assert len(call(**given)["Successful"]) == 1
        else:
            code, message, _ = refused(call, **given)
            assert code == "AccessDenied"
            assert "Batch" not in message


@pytest.mark.parametrize(
    ("service", "create", "tags", "right"),
    [
        ("sqs", {"QueueName": "tagged"}, {"tags": {"a": "1"}}, "sqs:TagQueue"),
        ("sns", {"Name": "tagged"}, {"Tags": [{"Key": "a", "Value": "1"}]}, "sns:TagResource"),
    ],
)
def test_tags_at_creation_need_a_right_of_their_own(lab, service, create, tags, right):
    """API: CreateQueue, CreateTopic."""
    operation = {"sqs": "create_queue", "sns": "create_topic"}[service]
    action = {"sqs": "sqs:CreateQueue", "sns": "sns:CreateTopic"}[service]
    lab.role({"Effect": "Allow", "Action": action, "Resource": "*"})
    client = lab.cloud.client(service, role="worker")
    assert right in refused(getattr(client, operation), **create, **tags)[1]
    getattr(client, operation)(**create)
    both = {"Effect": "Allow", "Action": [action, right], "Resource": "*"}
    lab.cloud.client("iam").put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=document(both))
    assert getattr(client, operation)(**dict.fromkeys(create, "second"), **tags)


def test_add_permission_lets_an_account_in(lab):
    """API: AddPermission; it cannot name single roles, nor carry conditions."""
    guest = lab.cloud.client("sqs", account=OTHER)
    assert not lab.may_send(guest)
    lab.sqs.add_permission(QueueUrl=lab.url, Label="guest", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    assert lab.may_send(guest)
    assert refused(guest.receive_message, QueueUrl=lab.url)[0] == "AccessDenied"
    assert not lab.may_send(lab.role(account=OTHER))  # its own account has not allowed it
    lab.sqs.remove_permission(QueueUrl=lab.url, Label="guest")
    assert not lab.may_send(guest)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "Statement: is missing"),
        (document(statement(Principal="*", Effect="Grant")), "Statement[0].Effect: is 'Grant'"),
        (document(statement()), "Statement[0].Principal: is missing"),
        (document(statement(Principal={"Service": "sns"})), "Statement[0].Principal.Service: is 'sns'"),
        (document(statement(Principal="*", Condition={"ArnIs": {}})), "no condition operator is called ArnIs"),
    ],
)
def test_a_malformed_policy_is_refused_and_the_old_one_stays(lab, text, reason):
    """Code and first sentence: recorded for a policy that is no JSON. The reason is ours."""
    lab.policy(statement(Principal={"AWS": OTHER}))
    old = lab.sqs.get_queue_attributes(QueueUrl=lab.url, AttributeNames=["Policy"])["Attributes"]
    code, message, status = refused(lab.sqs.set_queue_attributes, QueueUrl=lab.url, Attributes={"Policy": text})
    assert (code, status) == ("InvalidAttributeValue", 400)
    assert message.startswith("Invalid value for the parameter Policy. Reason: ")
    assert reason in message
    assert lab.sqs.get_queue_attributes(QueueUrl=lab.url, AttributeNames=["Policy"])["Attributes"] == old
    assert refused(lab.sqs.create_queue, QueueName="second", Attributes={"Policy": text})[0] == code
    assert len(lab.sqs.list_queues()["QueueUrls"]) == 1


# ---- services --------------------------------------------------------------------------------------------------------


def deliver(lab):
    """SNS publishes to the queue. Returns how many messages came."""
    sns = lab.cloud.client("sns")
    topic = sns.create_topic(Name="sales")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE)
    sns.publish(TopicArn=topic, Message="x")
    lab.cloud.advance(3600)
    return len(lab.cloud.trace.where("Sent"))


FROM_SNS = statement(Principal={"Service": "sns.amazonaws.com"})


@pytest.mark.parametrize(
    ("policy", "arrives"),
    [
        ((), 0),
        ((FROM_SNS,), 1),
        ((FROM_SNS | {"Condition": {"ArnEquals": {"aws:SourceArn": TOPIC}}},), 1),
        ((FROM_SNS | {"Condition": {"ArnLike": {"aws:SourceArn": TOPIC + "-2"}}},), 0),
        ((FROM_SNS | {"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}},), 1),
        ((FROM_SNS | {"Condition": {"StringEquals": {"aws:SourceAccount": OTHER}}},), 0),
        ((statement(Principal={"AWS": "*"}, Condition={"ArnEquals": {"aws:SourceArn": TOPIC}}),), 1),
        ((statement(Principal={"Service": "s3.amazonaws.com"}),), 0),
        ((FROM_SNS, statement("Deny", Principal="*")), 0),
        ((FROM_SNS | {"Action": "sqs:ReceiveMessage"},), 0),
        ((statement(Principal={"AWS": ACCOUNT}),), 0),
    ],
)
def test_sns_reaches_a_queue_whose_policy_lets_it_in(lab, policy, arrives):
    """SNS guide: "Fanout to Amazon SQS queues"; IAM guide: a service has no identity policies."""
    if policy:
        lab.policy(*policy)
    assert deliver(lab) == arrives


def test_a_policy_that_is_missing_is_no_error_for_the_publisher_and_is_not_retried(lab):
    """SNS guide, message delivery retries: a client-side error. One attempt, and one row that tells why."""
    assert deliver(lab) == 0
    (attempt,) = lab.cloud.trace.where("SendMessage")
    assert (attempt.actor, attempt.detail) == ("sns/sales", "AccessDenied")
    (denied,) = lab.cloud.trace.where("AccessDenied")
    assert denied.detail.splitlines() == [
        f"sns.amazonaws.com may not sqs:SendMessage on {QUEUE}.",
        "There is no resource-based policy.",
        "An AWS service has no policies of its own: the resource's policy must let it in.",
    ]


# ---- on the way ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "operation"), [("sqs", "list_queues"), ("sns", "list_topics")])
def test_a_request_in_the_open_is_refused(service, operation):
    """API: InvalidSecurity (the request was not made over HTTPS). The text is ours."""
    with Cloud(seed=1, strict=True) as cloud:
        code, _, status = refused(getattr(cloud.client(service, use_ssl=False), operation))
        assert (code, status) == ("InvalidSecurity", 403)
        getattr(cloud.client(service), operation)()


def test_a_policy_can_ask_for_https():
    """IAM user guide, "Global condition context keys": aws:SecureTransport."""
    with Cloud(seed=1, strict=True) as cloud:
        s3, bare = cloud.client("s3"), cloud.client("s3", use_ssl=False)
        s3.create_bucket(Bucket="plain-letters")
        bare.put_object(Bucket="plain-letters", Key="a", Body=b"x")
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::plain-letters/*"}
        deny |= {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
        s3.put_bucket_policy(Bucket="plain-letters", Policy=json.dumps({"Version": "2012-10-17", "Statement": deny}))
        s3.put_object(Bucket="plain-letters", Key="b", Body=b"x")
        assert refused(bare.put_object, Bucket="plain-letters", Key="c", Body=b"x")[0] == "AccessDenied"
