"""IAM and STS: roles, their policies, and calling as a role. All through boto3, in strict mode."""

import json
import re

import pytest
from aws_errors import broken, case, ours, refused, reported

from lablib.aws.service import NotSimulated
from lablib.cloud import Cloud

pytestmark = pytest.mark.ours  # where a test names no source

ACCOUNT, OTHER = "123456789012", "444455556666"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
UNKNOWN = '"AWS": "arn:aws:iam::123456789012:role/nobody"'
READ_ONLY = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"


def document(action, resource="*", effect="Allow"):
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def cloud():
    return Cloud(seed=1, strict=True, assume={"sqs.outages_per_hour": 0})


@pytest.fixture
def iam(cloud):
    return cloud.client("iam")


@pytest.fixture
def worker(iam):
    return iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]


@pytest.fixture
def url(cloud):
    return cloud.client("sqs").create_queue(QueueName="orders")["QueueUrl"]


# ---- calling as a role -----------------------------------------------------------------------------------------------


def test_a_role_may_do_what_its_policies_allow_and_nothing_else(cloud, iam, worker, url):
    sqs = cloud.client("sqs", role="worker")
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x")[0] == "AccessDenied"
    iam.put_role_policy(
        RoleName="worker",
        PolicyName="send",
        PolicyDocument=document("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:orders"),
    )
    sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "x"}])
    assert refused(sqs.receive_message, QueueUrl=url)[0] == "AccessDenied"
    iam.delete_role_policy(RoleName="worker", PolicyName="send")
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x")[0] == "AccessDenied"
    assert len(cloud.trace.where("Sent")) == 2


def test_a_denied_call_has_one_row_that_says_why_and_changes_nothing(cloud, worker, url):
    code, message, status = refused(cloud.client("sqs", role="worker").delete_queue, QueueUrl=url)
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        "User: arn:aws:sts::123456789012:assumed-role/worker/lab is not authorized to perform: sqs:DeleteQueue "
        "on resource: arn:aws:sqs:us-east-1:123456789012:orders "
        "because no identity-based policy allows the sqs:DeleteQueue action"
    )
    (denied,) = cloud.trace.where("AccessDenied")
    assert denied.resource == "orders"
    assert cloud.trace[denied.cause].kind == "DeleteQueue"
    assert "There is no identity-based policy" in denied.detail
    assert "access denied: arn:aws:sts::" in cloud.trace.describe(denied)
    assert "\n" not in cloud.trace.describe(denied)
    assert cloud.client("sqs").list_queues()["QueueUrls"] == [url]


def test_managed_policies_count_as_inline_ones_do(cloud, iam, worker, url):
    iam.attach_role_policy(RoleName="worker", PolicyArn=READ_ONLY)
    sqs = cloud.client("sqs", role="worker")
    assert sqs.list_queues()["QueueUrls"] == [url]
    assert refused(sqs.purge_queue, QueueUrl=url)[0] == "AccessDenied"
    iam.put_role_policy(RoleName="worker", PolicyName="no", PolicyDocument=document("sqs:List*", effect="Deny"))
    assert refused(sqs.list_queues)[1].endswith("with an explicit deny in an identity-based policy")
    iam.delete_role_policy(RoleName="worker", PolicyName="no")
    iam.detach_role_policy(RoleName="worker", PolicyArn=READ_ONLY)
    assert refused(sqs.list_queues)[0] == "AccessDenied"


def test_the_session_of_a_deleted_role_may_do_nothing(cloud, iam, worker):
    iam.attach_role_policy(RoleName="worker", PolicyArn=READ_ONLY)
    sqs = cloud.client("sqs", role="worker")
    iam.detach_role_policy(RoleName="worker", PolicyArn=READ_ONLY)
    iam.delete_role(RoleName="worker")
    assert refused(sqs.list_queues)[0] == "AccessDenied"


def test_a_role_that_does_not_exist_cannot_call(cloud, worker):
    with pytest.raises(ValueError, match=r"'waiter'.*123456789012 has no role.*there are: worker"):
        cloud.client("sqs", role="waiter")
    with pytest.raises(ValueError, match=r"444455556666 has no role.*none"):
        cloud.client("sqs", role="worker", account=OTHER)


def test_iam_itself_can_be_denied(cloud, worker):
    mine = cloud.client("iam", role="worker")
    code, message, _ = refused(mine.get_role, RoleName="worker")
    assert code == "AccessDenied"
    assert "iam:GetRole on resource: arn:aws:iam::123456789012:role/worker" in message
    _, message, _ = refused(mine.create_policy, PolicyName="p", Path="/x/", PolicyDocument=document("*"))
    assert "on resource: arn:aws:iam::123456789012:policy/x/p" in message
    _, message, _ = refused(mine.delete_policy, PolicyArn=READ_ONLY)
    assert f"on resource: {READ_ONLY}" in message


def test_everybody_may_ask_who_they_are(cloud, worker):
    me = cloud.client("sts", role="worker").get_caller_identity()
    assert (me["Account"], me["Arn"]) == (ACCOUNT, "arn:aws:sts::123456789012:assumed-role/worker/lab")
    assert me["UserId"] == f"{worker['RoleId']}:lab"
    admin = cloud.client("sts", account=OTHER).get_caller_identity()
    assert (admin["Account"], admin["Arn"]) == (OTHER, "arn:aws:iam::444455556666:user/administrator")


def test_explain_access_asks_without_doing(cloud, iam, worker, url):
    queue = "arn:aws:sqs:us-east-1:123456789012:orders"
    rows, now = len(cloud.trace), cloud.now
    text = cloud.explain_access("sqs:SendMessage", queue, role="worker")
    assert text.startswith("arn:aws:sts::123456789012:assumed-role/worker/lab may not sqs:SendMessage")
    assert " may sqs:SendMessage" in cloud.explain_access("sqs:SendMessage", queue)
    assert " may sqs:ListQueues on *." in cloud.explain_access("sqs:ListQueues", "*")
    assert (len(cloud.trace), cloud.now) == (rows, now)
    topic = "arn:aws:sns:us-east-1:123456789012:sales"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}, "StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def as_sns(source):
        return cloud.explain_access("sqs:SendMessage", queue, service="sns.amazonaws.com", source_arn=source)

    assert as_sns(topic).splitlines()[1] == "Statement 1 of the policy of orders allows it."
    assert 'wants "arn:aws:sns:us-east-1:123456789012:sales"' in as_sns(topic + "2")
    assert "wants" in as_sns("arn:aws:s3:::pictures")
    assert "belongs to account 123456789012" in cloud.explain_access("sqs:SendMessage", queue, account=OTHER)


def test_explain_access_knows_the_policies_of_all_services(cloud):
    topic = cloud.client("sns").create_topic(Name="sales")["TopicArn"]
    cloud.client("s3").create_bucket(Bucket="pictures")
    function = cloud.deploy("resize", lambda event, context: None)
    permission = {"StatementId": "sns", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
    cloud.client("lambda").add_permission(FunctionName="resize", SourceArn=topic, **permission)
    key = cloud.client("kms").create_key()["KeyMetadata"]
    explain = cloud.explain_access
    as_sns = {"service": "sns.amazonaws.com", "source_arn": topic}
    assert "of the policy of sales" in explain("sns:Publish", topic, account=OTHER)
    assert 'Statement "sns" of the policy of' in explain("lambda:InvokeFunction", function, **as_sns)
    assert "There is no resource-based policy." in explain("s3:PutObject", "arn:aws:s3:::pictures/1.png", **as_sns)
    for action in ("s3:GetObject", "s3:ListBucket", "s3:DeleteObjects"):
        assert f"belongs to account {ACCOUNT}" in explain(action, "arn:aws:s3:::pictures", account=OTHER)
    assert f"of the key policy of key {key['KeyId']}" in explain("kms:Decrypt", key["Arn"], account=OTHER)
    assert "the request has no kms:ViaService" in explain(
        "kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/sqs"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"action": "SendMessage"}, 'must be one action, such as "sqs:SendMessage"'),
        ({"action": "sqs:*"}, "must be one action"),
        ({"resource": "orders"}, 'must be an ARN, or "*"'),
        ({"service": "sns.amazonaws.com", "role": "worker"}, "give one of the two"),
        ({"role": "nobody"}, "no role with this name"),
    ],
)
def test_explain_access_with_bad_arguments(cloud, arguments, problem):
    given = {"action": "sqs:SendMessage", "resource": "*"} | arguments
    with pytest.raises(ValueError, match=problem.replace("*", r"\*")):
        cloud.explain_access(given.pop("action"), given.pop("resource"), **given)


def test_the_date_can_be_a_condition(cloud, iam, worker, url):
    until = {"DateLessThan": {"aws:CurrentTime": "2023-04-01T01:00:00Z"}}
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": until}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_role_policy(RoleName="worker", PolicyName="first-hour", PolicyDocument=policy)
    sqs = cloud.client("sqs", role="worker")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    cloud.advance(3600)
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x")[0] == "AccessDenied"


@pytest.mark.guide
def test_every_identity_has_an_id_of_its_own(cloud, iam):
    """IAM user guide, "IAM identifiers": a unique id is never given twice."""
    policies = [p["PolicyId"] for p in iam.list_policies()["Policies"]]
    roles = [
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["RoleId"] for name in "abc"
    ]
    assert len({*policies, *roles}) == len(policies) + 3
    assert all(re.fullmatch("ANPA[A-Z2-7]{17}", id) for id in policies)
    assert all(re.fullmatch("AROA[A-Z2-7]{17}", id) for id in roles)
    assert re.fullmatch("AIDA[A-Z2-7]{17}", cloud.client("sts").get_caller_identity()["UserId"])
    with Cloud(seed=cloud.chance.seed) as again:
        assert [p["PolicyId"] for p in again.client("iam").list_policies()["Policies"]] == policies


# ---- roles -----------------------------------------------------------------------------------------------------------


def test_a_role_as_iam_describes_it(iam, worker):
    assert worker["Arn"] == "arn:aws:iam::123456789012:role/worker"
    assert re.fullmatch("AROA[A-Z2-7]{17}", worker["RoleId"])
    assert worker["CreateDate"].isoformat() == "2023-04-01T00:00:00+00:00"
    assert worker["AssumeRolePolicyDocument"] == TRUST  # boto3 decodes it
    role = iam.create_role(
        RoleName="other",
        Path="/team/",
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Description="does things",
        MaxSessionDuration=7200,
        Tags=[{"Key": "a", "Value": "1"}],
    )["Role"]
    assert role["Arn"] == "arn:aws:iam::123456789012:role/team/other"
    known = iam.get_role(RoleName="other")["Role"]
    assert (known["Description"], known["MaxSessionDuration"]) == ("does things", 7200)
    assert known["Tags"] == [{"Key": "a", "Value": "1"}]
    assert [r["RoleName"] for r in iam.list_roles(PathPrefix="/team/")["Roles"]] == ["other"]


def test_lists_come_in_pages(iam):
    names = [f"role-{n:02}" for n in range(7)]
    for name in reversed(names):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 3}))
    assert [[r["RoleName"] for r in page["Roles"]] for page in pages] == [names[:3], names[3:6], names[6:]]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]


def test_policies_of_a_role(iam, worker):
    iam.put_role_policy(RoleName="worker", PolicyName="b", PolicyDocument=document("sqs:*"))
    iam.put_role_policy(RoleName="worker", PolicyName="a", PolicyDocument=document("sns:*"))
    iam.put_role_policy(RoleName="worker", PolicyName="a", PolicyDocument=document("s3:*"))
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == ["a", "b"]
    read = iam.get_role_policy(RoleName="worker", PolicyName="a")
    assert read["PolicyDocument"]["Statement"][0]["Action"] == "s3:*"
    arn = iam.create_policy(PolicyName="mine", PolicyDocument=document("sqs:*"), Description="d")["Policy"]["Arn"]
    for policy_arn in (arn, READ_ONLY, arn):
        iam.attach_role_policy(RoleName="worker", PolicyArn=policy_arn)
    attached = iam.list_attached_role_policies(RoleName="worker")["AttachedPolicies"]
    assert attached == [
        {"PolicyName": "mine", "PolicyArn": arn},
        {"PolicyName": "AmazonSQSReadOnlyAccess", "PolicyArn": READ_ONLY},
    ]
    described = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (described["AttachmentCount"], described["Description"]) == (1, "d")
    version = iam.get_policy_version(PolicyArn=arn, VersionId=described["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"] == json.loads(document("sqs:*"))
    assert [p["PolicyName"] for p in iam.list_policies(Scope="Local")["Policies"]] == ["mine"]
    assert "mine" not in [p["PolicyName"] for p in iam.list_policies(Scope="AWS")["Policies"]]
    assert len(iam.list_policies()["Policies"]) == 1 + len(iam.list_policies(Scope="AWS")["Policies"])


def test_the_trust_policy_can_be_changed(iam, worker):
    changed = json.dumps(TRUST).replace("ec2", "lambda")
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=changed)
    assert iam.get_role(RoleName="worker")["Role"]["AssumeRolePolicyDocument"] == json.loads(changed)


def test_each_account_has_its_own_roles_and_all_regions_the_same(cloud, iam, worker):
    assert cloud.client("iam", "eu-west-1").list_roles()["Roles"][0]["RoleName"] == "worker"
    assert cloud.client("iam", account=OTHER).list_roles()["Roles"] == []


def test_policies_of_aws_that_concern_messaging_can_be_attached(iam, worker):
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
    iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert "sqs:ReceiveMessage" in document["Statement"][0]["Action"]


# ---- errors ----------------------------------------------------------------------------------------------------------

ROLE = {"RoleName": "x", "AssumeRolePolicyDocument": json.dumps(TRUST)}
OWN = "arn:aws:iam::123456789012:policy/"
CASES = [
    *(case(ours, operation, {"RoleName": "no"}, "NoSuchEntity", "The role with name no cannot be found.", 404)
      for operation in ("get_role", "delete_role")),
    case(ours, "create_role", {**ROLE, "RoleName": "Worker"}, "EntityAlreadyExists",
         "Role with name Worker already exists.", 409),
    *(case(ours, "create_role", {**ROLE, **wrong}, "ValidationError", text)
      for wrong, text in (
          ({"RoleName": "a b"}, "The specified value for roleName is invalid. ..."),
          ({"RoleName": "x" * 65}, "...Member must have length less than or equal to 64..."),
          ({"Path": "team"}, "The specified value for path is invalid. ..."),
          ({"MaxSessionDuration": 43201},
           broken("'43201' at 'maxSessionDuration'", "have value less than or equal to 43200")))),
    case(ours, "create_role", {**ROLE, "AssumeRolePolicyDocument": document("sts:AssumeRole")},
         "MalformedPolicyDocument", "...Statement[0].Principal: is missing..."),
    case(ours, "create_role", {**ROLE, "AssumeRolePolicyDocument": json.dumps(TRUST).replace("ec2", "e" * 2049)},
         "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048", 409),
    case(reported, "create_role",
         {**ROLE, "AssumeRolePolicyDocument": json.dumps(TRUST).replace('"Service": "ec2.amazonaws.com"', UNKNOWN)},
         "MalformedPolicyDocument", f"Invalid principal in policy: {UNKNOWN.replace(' ', '')}"),
    *(case(ours, "put_role_policy", {"RoleName": "worker", "PolicyName": name, "PolicyDocument": policy}, code, text,
           status)
      for name, policy, code, status, text in (
          ("p", "{}", "MalformedPolicyDocument", 400, "...Syntax errors in policy. Statement: is missing..."),
          ("p", document("sqs:" + "x" * 10_240), "LimitExceeded", 409,
           "Maximum policy size of 10240 bytes exceeded for role worker"),
          ("p" * 129, document("sqs:*"), "ValidationError", 400, "...length less than or equal to 128..."))),
    case(ours, "get_role_policy", {"RoleName": "worker", "PolicyName": "no"}, "NoSuchEntity",
         "The role policy with name no cannot be found.", 404),
    case(ours, "attach_role_policy", {"RoleName": "worker", "PolicyArn": OWN + "Nonsense"}, "NoSuchEntity",
         f"Policy {OWN}Nonsense does not exist or is not attachable.", 404),
    case(ours, "detach_role_policy", {"RoleName": "worker", "PolicyArn": READ_ONLY}, "NoSuchEntity",
         f"Policy {READ_ONLY} was not found.", 404),
    case(ours, "get_policy", {"PolicyArn": OWN + "no"}, "NoSuchEntity", f"Policy {OWN}no was not found.", 404),
    case(ours, "get_policy_version", {"PolicyArn": READ_ONLY, "VersionId": "v2"}, "NoSuchEntity", "...version v2...",
         404),
    case(ours, "create_policy", {"PolicyName": "p", "PolicyDocument": document("sqs:" + "x" * 6_144)},
         "LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409),
    case(ours, "delete_policy", {"PolicyArn": READ_ONLY}, "AccessDenied", "...is AWS's...", 403),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_errors_leave_nothing_behind(iam, worker, case):
    def left():
        return [iam.list_roles()["Roles"], iam.list_policies(Scope="Local")["Policies"]], [
            iam.list_role_policies(RoleName="worker")["PolicyNames"],
            iam.list_attached_role_policies(RoleName="worker")["AttachedPolicies"],
        ]

    case.check(iam, left=left)


def test_white_space_does_not_count_in_the_size_of_a_policy(iam, worker):
    wide = json.dumps(json.loads(document("sqs:*")), indent=4000)
    assert len(wide) > 10_240
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=wide)


def test_what_is_in_use_cannot_be_deleted(iam, worker):
    arn = iam.create_policy(PolicyName="mine", PolicyDocument=document("sqs:*"))["Policy"]["Arn"]
    again = refused(iam.create_policy, PolicyName="Mine", PolicyDocument=document("sqs:*"))
    assert again[0] == "EntityAlreadyExists"
    iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=document("sqs:*"))
    conflict = refused(iam.delete_policy, PolicyArn=arn)
    assert conflict == ("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    conflict = refused(iam.delete_role, RoleName="worker")
    assert conflict == ("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)
    iam.detach_role_policy(RoleName="worker", PolicyArn=arn)
    conflict = refused(iam.delete_role, RoleName="worker")
    assert conflict == ("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
    iam.delete_role_policy(RoleName="worker", PolicyName="p")
    iam.delete_role(RoleName="worker")
    iam.delete_policy(PolicyArn=arn)
    assert iam.list_roles()["Roles"] == iam.list_policies(Scope="Local")["Policies"] == []


def test_ten_managed_policies_a_role(iam, worker):
    def attach(number):
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=document("sqs:*"))["Policy"]["Arn"]
        return lambda: iam.attach_role_policy(RoleName="worker", PolicyArn=arn)

    for number in range(10):
        attach(number)()
    assert refused(attach(10)) == ("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", 409)


def test_exceptions_can_be_caught_by_their_names(iam):
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="no")


def test_what_is_not_simulated_says_so(iam):
    with pytest.raises(NotSimulated, match=r"iam\.create_user is not simulated.*create_role"):
        iam.create_user(UserName="ann")
