"""Access policies: what a document may be, what a statement fits, and the laws that every decision obeys."""

import json
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib.aws.access.decide import AccessRequest, MalformedPolicy, Policy, administrator, decide
from lablib.aws.service import Principal

pytestmark = pytest.mark.ours  # where a test names no source

OURS, OTHERS = "123456789012", "444455556666"
QUEUE = f"arn:aws:sqs:us-east-1:{OURS}:orders"
TOPIC = f"arn:aws:sns:us-east-1:{OURS}:sales"
SEND, RECEIVE = "sqs:SendMessage", "sqs:ReceiveMessage"


def statement(effect="Allow", principal="*", action=SEND, resource=QUEUE, **more):
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource} | more


def own(effect="Allow", action=SEND, resource=QUEUE, **more):
    return {"Effect": effect, "Action": action, "Resource": resource} | more


def policy(*statements, kind="resource", version="2012-10-17", name="orders"):
    return Policy.parse(json.dumps({"Version": version, "Statement": list(statements)}), kind=kind, name=name)


def role(*statements, account=OURS, name="worker"):
    policies = (policy(*statements, kind="identity", name="work"),) if statements else ()
    session = f"arn:aws:sts::{account}:assumed-role/{name}/lab"
    return Principal(account, session, f"arn:aws:iam::{account}:role/{name}", identity=lambda: policies)


def user(*statements, account=OURS, name="ann"):
    policies = (policy(*statements, kind="identity", name="work"),) if statements else ()
    return Principal(account, f"arn:aws:iam::{account}:user/{name}", identity=lambda: policies)


SNS = Principal(OURS, service="sns.amazonaws.com", context={"aws:SourceArn": TOPIC, "aws:SourceAccount": OURS})


def ask(who, resources=None, action=SEND, resource=QUEUE, context=None, **more):
    known = {**who.context, **(context or {})}
    return decide(AccessRequest(action, resource, who, resource.split(":")[4] or OURS, known), resources, **more)


def holds(condition, context=None, version="2012-10-17", who=SNS):
    """Does this Condition element hold in a request with these condition keys?"""
    return bool(ask(who, policy(statement(Condition=condition), version=version), context=context))


# ---- the order of evaluation -----------------------------------------------------------------------------------------


def test_without_an_allow_everything_is_denied():
    assert not ask(role())
    assert not ask(SNS)


def test_the_administrator_may_do_everything_in_its_own_account():
    assert ask(administrator(OURS))
    assert not ask(administrator(OTHERS))
    assert not ask(administrator(OURS), policy(statement("Deny")))


@pytest.mark.parametrize("who", [role(own()), user(own())])
def test_in_one_account_the_allow_of_the_identity_is_enough(who):
    assert ask(who)
    assert ask(who, policy(statement(principal={"Service": "sns.amazonaws.com"})))
    assert not ask(who, action=RECEIVE)


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": f"arn:aws:iam::{OURS}:role/worker"},
        {"AWS": [role().arn, f"arn:aws:iam::{OURS}:user/x"]},
    ],
)
def test_in_one_account_the_allow_of_the_resource_is_enough(principal):
    assert ask(role(), policy(statement(principal=principal)))


@pytest.mark.parametrize("principal", [OURS, f"arn:aws:iam::{OURS}:root"])
def test_trust_in_the_account_leaves_the_choice_to_its_identity_policies(principal):
    trusting = policy(statement(principal={"AWS": principal}))
    assert not ask(role(), trusting)
    assert ask(role(own()), trusting)


def test_between_accounts_both_sides_must_allow():
    visitor = role(own(), account=OTHERS)
    for principal in ({"AWS": OTHERS}, {"AWS": visitor.role}, {"AWS": visitor.arn}, "*"):
        letting_in = policy(statement(principal=principal))
        assert ask(visitor, letting_in)
        assert not ask(role(account=OTHERS), letting_in)
    assert not ask(visitor, policy(statement(principal={"AWS": OURS})))
    assert not ask(visitor)


def test_a_service_is_let_in_by_the_resource_only():
    assert ask(SNS, policy(statement(principal={"Service": "sns.amazonaws.com"})))
    assert ask(SNS, policy(statement(principal="*")))
    assert not ask(SNS, policy(statement(principal={"Service": "s3.amazonaws.com"})))
    assert not ask(SNS, policy(statement(principal={"AWS": OURS})))


@pytest.mark.parametrize("kind", ["key", "trust"])
def test_key_policies_and_trust_policies_must_always_allow(kind):
    def asking(who, principal):
        document = statement(principal=principal, resource="*")
        if kind == "trust":
            del document["Resource"]
        return ask(who, policy(document, kind=kind))

    assert not asking(role(own()), {"AWS": f"arn:aws:iam::{OURS}:role/other"})
    assert not asking(role(), {"AWS": OURS})
    assert asking(role(own()), {"AWS": OURS})
    assert asking(role(), {"AWS": role().role})


def test_a_session_policy_only_limits():
    def with_(*statements):
        return {"session": policy(*statements, kind="identity")}

    everything = own(action="*", resource="*")
    assert ask(role(own()), **with_(everything))
    assert not ask(role(), **with_(everything))
    assert not ask(role(own()), **with_(own(action="s3:*")))
    assert not ask(role(own()), **with_(everything, own("Deny")))


@pytest.mark.parametrize(
    ("who", "principal", "allowed"),
    [
        (user(), user().arn, True),
        (role(), role().arn, True),  # the session itself
        (role(), role().role, False),
        (role(), "*", False),
    ],
)
def test_a_grant_to_a_user_or_session_passes_by_what_a_session_policy_does_not_allow(who, principal, allowed):
    silent = policy(own(action="s3:*", resource="*"), kind="identity")
    assert bool(ask(who, policy(statement(principal={"AWS": principal})), session=silent)) is allowed
    denying = policy(own("Deny"), kind="identity")
    assert not ask(who, policy(statement(principal={"AWS": principal})), session=denying)


def test_actions_for_the_owner_alone_are_for_nobody_else():
    visitor, mine = role(own(), account=OTHERS), role()
    open_to_all = policy(statement(), statement("Deny", {"AWS": f"arn:aws:iam::{OURS}:role/banned"}))
    assert ask(visitor, open_to_all)
    assert not ask(visitor, open_to_all.only_within(OURS))
    assert ask(mine, open_to_all.only_within(OURS))
    assert not ask(role(own(), name="banned"), open_to_all.only_within(OURS))
    assert "for the account 123456789012 alone" in ask(visitor, open_to_all.only_within(OURS)).explain()
    closed_to_them = policy(statement("Deny", {"AWS": OTHERS})).only_within(OURS)
    assert "with an explicit deny" in ask(visitor, closed_to_them).message()


# ---- elements of a statement -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "fits"),
    [
        ("sqs:SendMessage", True),
        ("SQS:sendmessage", True),
        ("sqs:Send*", True),
        ("sqs:?endMessage", True),
        ("*", True),
        ("sqs:*", True),
        ("sqs:Send", False),
        ("sqs:SendMessages", False),
        ("sns:*", False),
    ],
)
def test_actions_have_wildcards_and_no_case(written, fits):
    assert bool(ask(role(own(action=[written, "s3:GetObject"])))) is fits
    assert bool(ask(role({"Effect": "Allow", "NotAction": written, "Resource": "*"}))) is not fits


@pytest.mark.parametrize(
    ("written", "fits"),
    [
        (QUEUE, True),
        ("*", True),
        ("arn:aws:sqs:*:*:orders", True),
        ("arn:aws:sqs:us-east-?:123456789012:o*s", True),
        ("arn:aws:sqs", True),  # AWS adds what is missing
        ("arn:aws:sqs:us-east-1:123456789012:ORDERS", False),
        ("arn:aws:sqs:us-west-2:*:orders", False),
        (QUEUE + "-2", False),
    ],
)
def test_resources_have_wildcards_and_case(written, fits):
    assert bool(ask(role(own(resource=[written, "arn:aws:s3:::x"])))) is fits
    assert bool(ask(role({"Effect": "Allow", "Action": "*", "NotResource": written}))) is not fits


def test_dots_and_brackets_in_a_resource_are_no_pattern():
    assert not ask(role(own(resource="arn:aws:sqs:us-east-1:123456789012:orders.fifo")), resource=QUEUE + "-fifo")
    assert ask(role(own(resource="arn:aws:s3:::a[b]+/*")), resource="arn:aws:s3:::a[b]+/c")


def test_not_principal_is_everybody_else():
    document = statement("Deny")
    document["NotPrincipal"] = {"AWS": [role().role, OURS]}
    del document["Principal"]
    denying = policy(statement(), document)
    assert ask(role(own()), denying)
    assert ask(user(own()), denying)  # of the account that is named
    assert not ask(role(own(), account=OTHERS), denying)
    assert not ask(SNS, denying)


def test_a_variable_stands_for_the_caller():
    mine = own(resource=f"arn:aws:sqs:us-east-1:{OURS}:${{aws:username}}-*")
    assert ask(user(mine), resource=f"arn:aws:sqs:us-east-1:{OURS}:ann-inbox")
    assert not ask(user(mine), resource=f"arn:aws:sqs:us-east-1:{OURS}:bob-inbox")
    assert not ask(user(mine, name="*"), resource=f"arn:aws:sqs:us-east-1:{OURS}:bob-inbox")  # its value is no pattern
    assert not ask(role(mine), resource=f"arn:aws:sqs:us-east-1:{OURS}:-inbox")  # a role has no user name


def test_variables_are_plain_text_in_the_old_version():
    mine = own(resource=f"arn:aws:sqs:us-east-1:{OURS}:${{aws:username}}")
    old = policy(mine, kind="identity", version="2008-10-17")
    who = Principal(OURS, user().arn, identity=lambda: (old,))
    assert not ask(who, resource=f"arn:aws:sqs:us-east-1:{OURS}:ann")
    assert ask(who, resource=f"arn:aws:sqs:us-east-1:{OURS}:${{aws:username}}")


# ---- conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "wanted", "fitting", "other"),
    [
        ("StringEquals", "Red", "Red", "red"),
        ("StringEqualsIgnoreCase", "Red", "rED", "blue"),
        ("StringLike", "r?d*", "redder", "Red"),
        ("ArnEquals", "arn:aws:sns:*:123456789012:s*", TOPIC, f"arn:aws:sns:us-east-1:{OURS}:x"),
        ("ArnLike", "arn:aws:sns:us-east-1:*:sales", TOPIC, "arn:aws:sns:us-west-2:1:sales"),
        ("NumericEquals", "10", "10.0", "11"),
        ("NumericLessThan", 10, "9", "10"),
        ("NumericLessThanEquals", "10", "10", "10.1"),
        ("NumericGreaterThan", "10", "11", "10"),
        ("NumericGreaterThanEquals", "10", "10", "9"),
        ("DateEquals", "2023-04-01T00:00:00Z", "1680307200", "2023-04-01T00:00:01Z"),
        ("DateLessThan", "2023-04-02", "2023-04-01T23:59:59Z", "2023-04-02T00:00:00Z"),
        ("DateLessThanEquals", "2023-04-02", "2023-04-02T00:00:00Z", "2023-04-03"),
        ("DateGreaterThan", "2023", "2023-01-01T00:00:01Z", "2022-12-31T23:00:00-01:00"),
        ("DateGreaterThanEquals", "2023-04-02T02:00:00+02:00", "2023-04-02T00:00:00Z", "2023-04-01"),
        ("Bool", True, "true", "false"),
        ("BinaryEquals", b64encode(b"key").decode(), b64encode(b"key").decode(), b64encode(b"no").decode()),
        ("IpAddress", "203.0.113.0/24", "203.0.113.77", "203.0.114.1"),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", "203.0.113.77"),
    ],
)
def test_an_operator_and_its_opposite(operator, wanted, fitting, other):
    def holding(name, *values):
        return holds({name: {"lab:key": wanted}}, {"lab:key": values[0]} if values else None)

    assert holding(operator, fitting)
    assert not holding(operator, other)
    assert not holding(operator)  # the request has no such key
    assert holding(operator + "IfExists")
    assert holding(operator + "IfExists", fitting)
    assert not holding(operator + "IfExists", other)
    for kind in ("String", "Arn", "Numeric", "Date"):
        opposite = operator.replace(kind, f"{kind}Not")
        if opposite != operator and "Than" not in operator:
            assert not holding(opposite, fitting)
            assert holding(opposite, other)
            assert holding(opposite)  # what is not there is not equal
    if operator == "IpAddress":
        assert not holding("NotIpAddress", fitting)
        assert holding("NotIpAddress", other)


def test_a_value_of_another_type_fits_nothing():
    assert not holds({"NumericLessThan": {"lab:key": "5"}}, {"lab:key": "few"})
    assert not holds({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:SourceIp": "localhost"})
    assert not holds({"Bool": {"lab:key": "true"}}, {"lab:key": "yes"})
    assert not holds({"DateLessThan": {"lab:key": "2030-01-01"}}, {"lab:key": "soon"})


def test_null_asks_whether_a_key_is_there():
    assert holds({"Null": {"aws:SourceArn": "false", "lab:key": "true"}})
    assert not holds({"Null": {"aws:SourceArn": "true"}})
    assert not holds({"Null": {"lab:key": False}})


def test_keys_have_no_case_and_values_have():
    assert holds({"StringEquals": {"AWS:sourcearn": TOPIC}})
    assert not holds({"StringEquals": {"aws:SourceArn": TOPIC.upper()}})


def test_several_values_are_alternatives_and_several_keys_and_operators_must_all_hold():
    assert holds({"StringEquals": {"aws:SourceAccount": [OTHERS, OURS]}})
    assert not holds({"StringNotEquals": {"aws:SourceAccount": [OTHERS, OURS]}})
    assert not holds({"StringEquals": {"aws:SourceAccount": OURS, "aws:SourceArn": "x"}})
    assert not holds({"StringEquals": {"aws:SourceAccount": OURS}, "ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}})


@pytest.mark.parametrize(
    ("operator", "actual", "expected"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a", "x"], False),
        ("ForAllValues:StringEquals", None, True),
        ("ForAnyValue:StringEquals", ["x", "b"], True),
        ("ForAnyValue:StringEquals", ["x"], False),
        ("ForAnyValue:StringEquals", None, False),
        ("ForAllValues:StringNotEquals", ["x", "y"], True),
        ("ForAllValues:StringNotEquals", ["x", "a"], False),
        ("ForAnyValue:StringNotEquals", ["x", "a"], True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], False),
        ("ForAnyValue:StringNotEquals", None, False),
        ("ForAnyValue:StringEqualsIfExists", None, True),
        ("ForAnyValue:StringLike", ["ab"], False),
    ],
)
def test_sets_of_values(operator, actual, expected):
    context = {} if actual is None else {"lab:keys": actual}
    assert holds({operator: {"lab:keys": ["a", "b"]}}, context) is expected


def test_a_wildcard_in_an_arn_condition_stays_in_its_part():
    written, actual = "arn:aws:sns:*:x:sales", "arn:aws:sns:us:x:y:x:sales"
    assert holds({"StringLike": {"lab:key": written}}, {"lab:key": actual})
    assert not holds({"ArnLike": {"lab:key": written}}, {"lab:key": actual})
    assert holds({"ArnLike": {"lab:key": written}}, {"lab:key": "arn:aws:sns:us:x:sales"})
    assert holds({"ArnLike": {"lab:key": "arn:aws:s3:::a*"}}, {"lab:key": "arn:aws:s3:::a:b:c"})


def test_variables_in_conditions():
    same = {"StringEquals": {"lab:key": "${aws:SourceAccount}"}}
    assert holds(same, {"lab:key": OURS})
    assert not holds(same, {"lab:key": OTHERS})
    assert not holds(same, {"lab:key": OURS}, version="2008-10-17")
    assert holds({"StringLike": {"lab:key": "a${*}"}}, {"lab:key": "a*"})
    assert not holds({"StringLike": {"lab:key": "a${*}"}}, {"lab:key": "ab"})
    assert holds({"StringEquals": {"lab:key": "${lab:other, 'nobody'}"}}, {"lab:key": "nobody"})
    assert not holds({"StringEquals": {"lab:key": "${lab:other}"}}, {"lab:key": "${lab:other}"})
    assert not holds({"StringEquals": {"lab:key": "${lab:two}"}}, {"lab:key": "a", "lab:two": ["a", "b"]})


@pytest.mark.parametrize(
    ("who", "key", "value"),
    [
        (role(), "aws:PrincipalArn", role().role),
        (user(), "aws:PrincipalArn", user().arn),
        (user(), "aws:username", "ann"),
        (role(), "aws:PrincipalAccount", OURS),
        (role(), "aws:PrincipalIsAWSService", "false"),
        (SNS, "aws:PrincipalIsAWSService", "true"),
        (SNS, "aws:PrincipalServiceName", "sns.amazonaws.com"),
        (role(), "aws:PrincipalType", "AssumedRole"),
        (user(), "aws:PrincipalType", "User"),
        (role(), "aws:SecureTransport", "true"),
    ],
)
def test_keys_that_every_request_has(who, key, value):
    assert holds({"StringEquals": {key: value}}, who=who)


# ---- documents -------------------------------------------------------------------------------------------------------

GOOD = {"Version": "2012-10-17", "Statement": [statement()]}


def changed(**elements):
    document = statement() | elements
    return {"Version": "2012-10-17", "Statement": [{k: v for k, v in document.items() if v is not None}]}


@pytest.mark.parametrize(
    ("document", "field", "why"),
    [
        ("{", "Policy", "is not JSON: Expecting property name enclosed in double quotes in line 1, column 2"),
        ("[" * 100_000, "Policy", "nested too deeply"),
        ([1], "Policy", "must be a JSON object"),
        ('{"Version": "2012-10-17", "Version": "2008-10-17"}', "Version", "stands twice"),
        (GOOD | {"Version": "2012-10-18"}, "Version", 'must be "2012-10-17" or "2008-10-17"'),
        (GOOD | {"Statements": []}, "Statements", "there are: Version, Id, Statement"),
        ({"Version": "2012-10-17"}, "Statement", "is missing"),
        (GOOD | {"Statement": []}, "Statement", "is empty"),
        (GOOD | {"Statement": "Allow"}, "Statement", "must be an object"),
        (GOOD | {"Statement": [statement(), 3]}, "Statement[1]", "must be an object"),
        (GOOD | {"Statement": [statement(Sid="a"), statement(Sid="a")]}, "Statement[1].Sid", "two statements"),
        (GOOD | {"Statement": statement(effect="Permit")}, "Statement.Effect", 'must be "Allow" or "Deny"'),
        (changed(Effect="allow"), "Statement[0].Effect", "is 'allow'"),
        (changed(Effect=None), "Statement[0].Effect", "is missing"),
        (changed(Sid=7), "Statement[0].Sid", "must be a text"),
        (changed(Actions="x"), "Statement[0].Actions", "there are: Sid, Effect, Principal"),
        (changed(Action=None), "Statement[0].Action", "needs Action or NotAction"),
        (changed(NotAction="sqs:*"), "Statement[0].NotAction", "one of the two"),
        (changed(Action="SendMessage"), "Statement[0].Action", 'such as "sqs:SendMessage"'),
        (changed(Action="s*:SendMessage"), "Statement[0].Action", "service:Action"),
        (changed(Action=[]), "Statement[0].Action", "empty list"),
        (changed(Action=[1]), "Statement[0].Action", "is 1, must be a text"),
        (changed(Resource=None), "Statement[0].Resource", "needs Resource or NotResource"),
        (changed(Resource="orders"), "Statement[0].Resource", "must be an ARN"),
        (changed(Principal=None), "Statement[0].Principal", "needs Principal or NotPrincipal"),
        (changed(Principal=QUEUE), "Statement[0].Principal", "an object such as"),
        (changed(Principal={}), "Statement[0].Principal", "an object such as"),
        (changed(Principal={"aws": "*"}), "Statement[0].Principal.aws", "AWS, Service, Federated, CanonicalUser"),
        (changed(Principal={"AWS": "12345"}), "Statement[0].Principal.AWS", "12 digits"),
        (changed(Principal={"AWS": f"arn:aws:iam::{OURS}:role/*"}), "Statement[0].Principal.AWS", "without wildcards"),
        (changed(Principal={"AWS": QUEUE}), "Statement[0].Principal.AWS", "a role's session"),
        (changed(Principal={"Service": "sns"}), "Statement[0].Principal.Service", "sns.amazonaws.com"),
        (changed(Condition=[]), "Statement[0].Condition", "must be an object"),
        (changed(Condition={"StringEqual": {}}), "Statement[0].Condition.StringEqual", "near it: StringEquals"),
        (changed(Condition={"ForSome:Bool": {}}), "Statement[0].Condition.ForSome:Bool", "ForAnyValue: may stand"),
        (changed(Condition={"NullIfExists": {}}), "Statement[0].Condition.NullIfExists", "already tests"),
        (changed(Condition={"Bool": {}}), "Statement[0].Condition.Bool", "must be an object"),
        (changed(Condition={"Bool": {"k": 1}}), "Statement[0].Condition.Bool.k", "prefix:name"),
        (changed(Condition={"Bool": {"a:k": "yes"}}), "Statement[0].Condition.Bool.a:k", '"true" or "false"'),
        (changed(Condition={"NumericEquals": {"a:k": "x"}}), "Statement[0].Condition.NumericEquals.a:k", "numbers"),
        (changed(Condition={"DateEquals": {"a:k": "x"}}), "Statement[0].Condition.DateEquals.a:k", "dates such as"),
        (changed(Condition={"IpAddress": {"a:k": "x"}}), "Statement[0].Condition.IpAddress.a:k", "ranges such as"),
        (changed(Condition={"ArnEquals": {"a:k": "x"}}), "Statement[0].Condition.ArnEquals.a:k", "ARNs"),
        (changed(Condition={"StringEquals": {"a:k": []}}), "Statement[0].Condition.StringEquals.a:k", "one value"),
        (changed(Condition={"StringEquals": {"a:k": {}}}), "Statement[0].Condition.StringEquals.a:k", "strings"),
    ],
)
def test_a_malformed_policy_says_where_why_and_what_is_allowed(document, field, why):
    with pytest.raises(MalformedPolicy) as caught:
        Policy.parse(document if isinstance(document, str) else json.dumps(document))
    assert caught.value.field == field
    assert why in caught.value.why
    assert str(caught.value) == f"{field}: {caught.value.why}"


@pytest.mark.parametrize(
    ("kind", "document", "field"),
    [
        ("identity", statement(), "Statement.Principal"),
        ("identity", own(Sid="no spaces"), "Statement.Sid"),
        ("trust", statement(), "Statement.Resource"),
        ("trust", {"Effect": "Allow", "Action": "sts:AssumeRole"}, "Statement.Principal"),
        ("key", own(), "Statement.Principal"),
    ],
)
def test_each_kind_of_policy_has_its_elements(kind, document, field):
    with pytest.raises(MalformedPolicy) as caught:
        Policy.parse({"Version": "2012-10-17", "Statement": document}, kind=kind)
    assert caught.value.field == field


def test_one_statement_needs_no_list_and_a_missing_version_is_the_old_one():
    assert ask(SNS, Policy.parse({"Id": "x", "Statement": statement()}))


# ---- words -----------------------------------------------------------------------------------------------------------

WHO = role().arn


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (ask(role()), "because no identity-based policy allows the sqs:SendMessage action"),
        (ask(SNS), "because no resource-based policy allows the sqs:SendMessage action"),
        (
            ask(role(own(), account=OTHERS)),
            "because no resource-based policy allows the sqs:SendMessage action",
        ),
        (
            ask(role(), policy(statement(principal={"AWS": OTHERS}), kind="key")),
            "because no resource-based policy allows the sqs:SendMessage action",
        ),
        (
            ask(role(), Policy((), "trust")),
            "because no role trust policy allows the sqs:SendMessage action",
        ),
        (ask(role(own()), policy(statement("Deny"))), "with an explicit deny in a resource-based policy"),
        (ask(role(own(), own("Deny"))), "with an explicit deny in an identity-based policy"),
        (
            ask(role(own()), session=policy(own(action="s3:*"), kind="identity")),
            "because no session policy allows the sqs:SendMessage action",
        ),
        (
            ask(role(own()), session=policy(own("Deny"), kind="identity")),
            "with an explicit deny in a session policy",
        ),
    ],
)
def test_the_message_is_worded_as_aws_does(decision, expected):
    who = decision.request.who
    assert decision.message() == f"User: {who} is not authorized to perform: {SEND} on resource: {QUEUE} {expected}"


def test_an_allowed_request_has_no_message_and_one_without_a_resource_names_none():
    assert ask(role(own())).message() == ""
    request = AccessRequest("sqs:ListQueues", "*", role(), OURS)
    assert decide(request).message().startswith(f"User: {WHO} is not authorized to perform: sqs:ListQueues because")


def test_an_explanation_names_the_statement_that_decides():
    allowed = ask(SNS, policy(statement(action=RECEIVE), statement(Sid="FromTopic")))
    assert allowed.explain().splitlines() == [
        f"sns.amazonaws.com may {SEND} on {QUEUE}.",
        'Statement "FromTopic" of the policy of orders allows it.',
    ]
    denied = ask(role(own()), policy(statement(), statement("Deny")))
    assert denied.explain().splitlines()[1:] == [
        "Statement 2 of the policy of orders denies it, and a Deny wins over every Allow."
    ]
    both = ask(role(own(), account=OTHERS), policy(statement()))
    assert both.explain().splitlines()[1:] == [
        "Statement 1 of the policy of orders allows it.",
        'Statement 1 of the identity policy "work" allows it.',
    ]


def test_an_explanation_says_what_came_closest():
    other = TOPIC + "-2"
    near = statement(Sid="FromTopic", Condition={"ArnEquals": {"aws:SourceArn": other}})
    last = ask(SNS, policy(statement(action=RECEIVE, resource="arn:aws:sqs"), near)).explain().splitlines()[-1]
    assert last == (
        'Closest is statement "FromTopic" of the policy of orders, but its Condition ArnEquals aws:SourceArn wants '
        f'"{other}", and the request has "{TOPIC}".'
    )
    assert 'its Resource is "arn:aws:sqs:*:*:x"' in ask(SNS, policy(statement(resource="arn:aws:sqs:*:*:x"))).explain()
    assert f'its Action is "{RECEIVE}"' in ask(role(own(action=RECEIVE))).explain()
    assert 'the request has "192.0.2.1"' in (
        ask(role(own(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))).explain()
    )


def test_an_explanation_of_an_account_that_is_trusted():
    text = ask(role(), policy(statement(principal={"AWS": OURS}))).explain()
    assert "trusts the whole account, which must allow it in an identity-based policy too" in text


# ---- laws ------------------------------------------------------------------------------------------------------------

unhurried = settings(deadline=None)  # a loaded machine is no bug
principals = st.sampled_from(
    ["*", {"AWS": OURS}, {"AWS": OTHERS}, {"AWS": role().role}, {"AWS": role().arn}, {"Service": "sns.amazonaws.com"}]
)
actions = st.sampled_from([SEND, RECEIVE, "sqs:*", "*", "s3:*"])
arns = st.sampled_from([QUEUE, "*", "arn:aws:sqs:*:*:*", QUEUE + "2"])
conditions = st.sampled_from(
    [
        {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}},
        {"StringNotEquals": {"aws:PrincipalAccount": OURS}},
        {"StringEqualsIfExists": {"aws:SourceAccount": OTHERS}},
        {"Bool": {"aws:SecureTransport": "false"}},
        {"Null": {"aws:SourceArn": "true"}},
        {"ForAnyValue:StringLike": {"lab:keys": ["a*"]}},
        {"ForAllValues:StringEquals": {"lab:keys": ["a", "b"]}},
    ]
)


@st.composite
def statements(draw, resource=True, effects=("Allow", "Deny")):
    made = {"Effect": draw(st.sampled_from(effects))}
    made[draw(st.sampled_from(["Action", "NotAction"]))] = draw(actions)
    made[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(arns)
    if resource:
        made[draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"]))] = draw(principals)
    if draw(st.booleans()):
        made["Condition"] = draw(conditions)
    return made


mine = st.lists(statements(resource=False), max_size=3)
theirs = st.lists(statements(), max_size=3)
kinds = st.sampled_from(["resource", "key"])
contexts = st.sampled_from([{}, {"lab:keys": ["a", "c"]}, {"lab:keys": "b"}, {"aws:SourceArn": TOPIC}])


@st.composite
def situations(draw):
    """A caller, its policies, those of the resource, and what is asked."""
    return {
        "make": draw(st.sampled_from([role, user, lambda *s: role(*s, account=OTHERS), lambda *s: SNS])),
        "mine": draw(mine),
        "theirs": draw(theirs),
        "kind": draw(kinds),
        "action": draw(st.sampled_from([SEND, RECEIVE])),
        "context": draw(contexts),
    }


def outcome(make, mine, theirs, kind, action, context):
    resources = policy(*theirs, kind=kind) if theirs else Policy((), kind, "orders")
    return ask(make(*mine), resources, action=action, context=context)


@unhurried
@given(situations(), st.booleans())
def test_an_explicit_deny_always_wins(case, at_the_resource):
    if at_the_resource:
        case["theirs"] = [*case["theirs"], statement("Deny", action="*", resource="*")]
    elif case["make"]() is not SNS:
        case["mine"] = [*case["mine"], own("Deny", action="*", resource="*")]
    else:
        return
    decision = outcome(**case)
    assert not decision
    assert "with an explicit deny in a" in decision.message()


@unhurried
@given(situations(), statements(effects=("Allow",)), statements(resource=False, effects=("Allow",)))
def test_adding_an_allow_never_removes_access(case, at_the_resource, at_the_identity):
    before = bool(outcome(**case))
    assert before <= bool(outcome(**case | {"theirs": [*case["theirs"], at_the_resource]}))
    assert before <= bool(outcome(**case | {"mine": [*case["mine"], at_the_identity]}))


@unhurried
@given(situations(), statements(effects=("Deny",)))
def test_adding_a_deny_never_adds_access(case, denying):
    assert bool(outcome(**case)) >= bool(outcome(**case | {"theirs": [*case["theirs"], denying]}))


@unhurried
@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_statements_does_not_matter(case, random):
    shuffled = {name: random.sample(case[name], len(case[name])) for name in ("mine", "theirs")}
    assert bool(outcome(**case)) == bool(outcome(**case | shuffled))


@unhurried
@given(situations(), st.sampled_from(["mine", "theirs"]), conditions)
def test_a_condition_on_an_allow_never_adds_access(case, where, condition):
    def narrower(made):
        own_ones = made.get("Condition", {})
        return (
            made
            if made["Effect"] == "Deny"
            else made
            | {
                "Condition": condition
                | own_ones
                | {name: {**condition.get(name, {}), **tests} for name, tests in own_ones.items()}
            }
        )

    assert bool(outcome(**case | {where: [narrower(s) for s in case[where]]})) <= bool(outcome(**case))


@unhurried
@given(situations())
def test_without_any_allow_nothing_is_allowed(case):
    for name in ("mine", "theirs"):
        case[name] = [s for s in case[name] if s["Effect"] == "Deny"]
    assert not outcome(**case)


@unhurried
@given(situations())
def test_every_decision_is_explained_and_a_denied_one_has_a_message(case):
    decision = outcome(**case)
    first, *reasons = decision.explain().splitlines()
    assert f"{'may' if decision else 'may not'} {case['action']}" in first
    assert reasons
    assert bool(decision.message()) is not bool(decision)


@unhurried
@given(st.sampled_from(["StringEquals", "StringLike", "ArnLike", "NumericEquals", "IpAddress"]), contexts)
def test_an_operator_and_its_opposite_never_agree(operator, context):
    values = {"NumericEquals": "5", "IpAddress": "10.0.0.0/8", "ArnLike": TOPIC}
    opposite = (
        "NotIpAddress"
        if operator == "IpAddress"
        else operator.replace("Equals", "NotEquals").replace("Like", "NotLike")
    )
    test = {"lab:one": values.get(operator, "a")}
    one = {"lab:one": context["lab:keys"]} if isinstance(context.get("lab:keys"), str) else {}
    assert holds({operator: test}, one) != holds({opposite: test}, one)
