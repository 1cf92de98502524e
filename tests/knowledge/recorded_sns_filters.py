"""What AWS was recorded to do with filter policies of subscriptions. See `recordings.py`."""

import json
from typing import Any

from knowledge.recorded_sns import SNS, invalid
from knowledge.recordings import Lab, refused

BODY, ATTRIBUTES = "MessageBody", "MessageAttributes"
UP_TO_100 = {"attr1": [{"numeric": [">", 0, "<=", 100]}]}


def _passes(lab: Lab, policy: Any, scope: str, *messages: Any) -> list[Any]:
    """Which of these message bodies, or dictionaries of attributes, a subscription with this policy gets."""
    topic, url = lab.topic(), lab.queue()
    lab.subscribe(topic, url, FilterPolicy=json.dumps(policy), FilterPolicyScope=scope, RawMessageDelivery="true")
    for number, message in enumerate(messages):
        own = message if scope == ATTRIBUTES else {}
        text = f"{number}" if scope == ATTRIBUTES else message if isinstance(message, str) else json.dumps(message)
        lab.sns.publish(TopicArn=topic, Message=text, MessageAttributes=own)
    bodies = [message["Body"] for message in lab.collect(url)]
    if scope == ATTRIBUTES:
        return [messages[int(body)] for body in sorted(bodies)]
    return [m for m in messages if (m if isinstance(m, str) else json.dumps(m)) in bodies]


def _number(value: str, name: str = "attr1") -> dict[str, Any]:
    return {name: {"DataType": "Number", "StringValue": value}}


def _is_refused(lab: Lab, policy: Any, text: str, scope: str = "") -> None:
    """Assert in which words a policy is refused; of AWS's words those before the place in the text."""
    given = {"FilterPolicy": json.dumps(policy)} | ({"FilterPolicyScope": scope} if scope else {})
    error = refused(lab.sns.subscribe, TopicArn=lab.topic(), Protocol="sms", Endpoint="+123123123", Attributes=given)
    found = (error["Code"], error["Message"].split("\n")[0], error["status"])
    assert found == invalid(f"Attributes Reason: FilterPolicy: {text}"), (policy, found)


# ---- the policy of a subscription ------------------------------------------------------------------------------------


@SNS.same("set_subscription_filter_policy_scope")
def _(lab: Lab) -> None:
    arn = lab.subscribe(lab.topic(), lab.queue())
    assert "FilterPolicyScope" not in lab.subscription(arn)
    lab.change(arn, FilterPolicyScope=BODY)
    assert "FilterPolicyScope" not in lab.subscription(arn)
    given = {"SubscriptionArn": arn, "AttributeName": "FilterPolicyScope", "AttributeValue": "RandomValue"}
    text = "FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or MessageAttributes"
    error = refused(lab.sns.set_subscription_attributes, **given)
    assert (error["Code"], error["Message"], error["status"]) == invalid(text)
    lab.change(arn, FilterPolicy={"attr": ["match-this"]})
    found = lab.subscription(arn)
    assert found["FilterPolicyScope"] == BODY and json.loads(found["FilterPolicy"]) == {"attr": ["match-this"]}


@SNS.same("sub_filter_policy_nested_property")
def _(lab: Lab) -> None:
    arn, nested = lab.subscribe(lab.topic(), lab.queue()), {"object": {"key": [{"prefix": "auto-"}]}}
    given = {"SubscriptionArn": arn, "AttributeName": "FilterPolicy", "AttributeValue": json.dumps(nested)}
    error = refused(lab.sns.set_subscription_attributes, **given)
    text = "Filter policy scope MessageAttributes does not support nested filter policy"
    assert (error["Code"], error["Message"], error["status"]) == invalid(text)
    lab.change(arn, FilterPolicyScope=BODY, FilterPolicy=nested)
    found = lab.subscription(arn)
    assert found["FilterPolicyScope"] == BODY and json.loads(found["FilterPolicy"]) == nested


@SNS.same("sub_filter_policy_nested_property_constraints")
def _(lab: Lab) -> None:
    arn = lab.subscribe(lab.topic(), lab.queue(), FilterPolicyScope=BODY)
    values = [f"value_{n}" for n in range(4)]
    for policy, text in (
        (
            {"a": {"b": {"c": values}}, "d": {"e": values[:3]}, "f": values[:3]},
            "FilterPolicy: Filter policy is too complex",
        ),
        ({f"key_{n}": ["x"] for n in range(6)}, "FilterPolicy: Filter policy can not have more than 5 keys"),
        ({"key_a": "value_one"}, 'FilterPolicy: "key_a" must be an object or an array'),
    ):
        given = {"SubscriptionArn": arn, "AttributeName": "FilterPolicy", "AttributeValue": json.dumps(policy)}
        error = refused(lab.sns.set_subscription_attributes, **given)
        assert (error["Code"], error["Message"].split("\n")[0], error["status"]) == invalid(text)


@SNS.same("filter_policy")
def _(lab: Lab) -> None:
    topic, url = lab.topic(), lab.queue()
    arn = lab.subscribe(topic, url)
    lab.change(arn, FilterPolicy=UP_TO_100)
    assert lab.subscription(arn)["FilterPolicyScope"] == ATTRIBUTES

    def got(**attributes: Any) -> int:
        lab.sns.publish(TopicArn=topic, Message="x", MessageAttributes=attributes)
        return len(lab.collect(url))

    assert [got(**_number(value)) for value in ("99", "111")] == [1, 0]
    lab.change(arn, FilterPolicy={"attr1": [None, {"anything-but": "whatever"}]})
    assert json.loads(lab.subscription(arn)["FilterPolicy"]) == {"attr1": [None, {"anything-but": "whatever"}]}
    assert got() == 0
    lab.change(arn, FilterPolicy="")
    assert "FilterPolicy" not in lab.subscription(arn)
    assert got() == 1


@SNS.same("exists_filter_policy")
def _(lab: Lab) -> None:
    both, other = _number("99", "store") | _number("99", "def"), _number("111")
    assert _passes(lab, {"store": [{"exists": True}]}, ATTRIBUTES, both, other) == [both]
    assert _passes(Lab(), {"store": [{"exists": False}]}, ATTRIBUTES, both, other) == [other]


@SNS.same("exists_filter_policy_attributes_array")
def _(lab: Lab) -> None:
    one = {"store": {"DataType": "String", "StringValue": "value1"}}
    two, three = (
        {"store": {"DataType": "String.Array", "StringValue": json.dumps(values)}}
        for values in (["value1", "value2"], ["value2", "value3"])
    )
    assert _passes(lab, {"store": ["value1"]}, ATTRIBUTES, one, two, three) == [one, two]


@SNS.same("filter_policy_for_batch")
def _(lab: Lab) -> None:
    topic, filtered, all_of_it = lab.topic(), lab.queue("filtered"), lab.queue("all")
    lab.subscribe(topic, filtered, FilterPolicy=json.dumps(UP_TO_100))
    lab.subscribe(topic, all_of_it)
    for value, expected in (("99", (1, 1)), ("111", (0, 1))):
        entries = [{"Id": "1", "Message": "m", "MessageAttributes": _number(value)}]
        lab.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        assert (len(lab.collect(filtered)), len(lab.collect(all_of_it))) == expected


# ---- bodies ----------------------------------------------------------------------------------------------------------


@SNS.same("filter_policy_on_message_body")
def _(lab: Lab) -> None:
    policy = {
        "object": {"key": [{"prefix": "auto-"}, "hardcodedvalue"], "nested_key": [{"exists": False}]},
        "test": [{"exists": False}],
    }
    good = [{"object": {"key": "auto-test"}}, {"object": {"key": "hardcodedvalue"}}]
    bad = [
        {"object": {"key": "test-auto"}},
        {"object": {"key": "auto-test"}, "test": "there"},
        {"object": {"key": "auto-test", "nested_key": "there"}},
        {"object": {"test": "auto-test"}},
        {"test": "auto-test"},
        "no JSON",
        '"JSON, and no object"',
    ]
    assert _passes(lab, policy, BODY, *good, *bad) == good


@SNS.same("filter_policy_on_message_body_dot_attribute")
def _(lab: Lab) -> None:
    good: list[Any] = [{"object": {"nested": "value"}}, {"object.nested": "value"}]
    assert _passes(lab, {"object.nested": ["value"]}, BODY, *good, {"object": {"nested": "other"}}) == good
    good = [
        {"object": {"nested": {"test": "value"}}},
        {"object.nested.test": "value"},
        {"object.nested": {"test": "value"}},
        {"object": {"nested.test": "value"}},
    ]
    bad = {"object": {"nested": {"test": "other"}}}
    assert _passes(Lab(), {"object.nested.test": ["value"]}, BODY, *good, bad) == good


@SNS.same("filter_policy_on_message_body_array_attributes")
def _(lab: Lab) -> None:
    messages = [{"headers": {"route-to": to}} for to in (["q3"], ["q1"], ["q2"], ["q1", "q2"])]
    assert _passes(lab, {"headers": {"route-to": ["q1"]}}, BODY, *messages) == [messages[1], messages[3]]
    assert _passes(Lab(), {"headers": {"route-to": ["q2"]}}, BODY, *messages) == messages[2:]


@SNS.same("filter_policy_on_message_body_array_of_object_attributes")
def _(lab: Lab) -> None:
    policy = {
        "Records": {"s3": {"object": {"key": [{"prefix": "auto-"}]}}, "eventName": [{"prefix": "ObjectCreated:"}]}
    }

    def record(name: str, key: Any, nested: bool = False) -> dict[str, Any]:
        found = {"key": key, "size": 17}
        return {"eventName": f"Object{name}", "s3": {"object": [[found]] if nested else found}}

    created, removed, home = (
        {"Records": [record(*given)]}
        for given in (("Created:Put", "auto-1"), ("Removed:Delete", "auto-1"), ("Created:Put", "home-1"))
    )
    several = {"Records": [record("Created:Put", "auto-1", nested=True), record("Removed:Delete", "home-1")]}
    assert _passes(lab, policy, BODY, several, removed, home, created) == [several, created]


@SNS.same("filter_policy_on_message_body_or_attribute")
def _(lab: Lab) -> None:
    policy = {
        "$or": [{"metric": ["CPU", "Latency"]}, {"namespace": ["EC2", "ES"]}],
        "detail": {"scope": ["Service"], "$or": [{"source": ["watch"]}, {"type": ["Change"]}]},
    }
    source, change = {"scope": "Service", "source": "watch"}, {"scope": "Service", "type": "Change"}
    bad = [
        {"metric": "CPU", "detail": {"scope": "watch", "type": "Change"}},
        {"metric": "CPU", "detail": {"scope": "Service", "type": "CPU"}},
        {"metric": "CPU", "detail": {"type": "Change"}},
        {"metric": "CPU", "detail": {"scope": "Service"}},
        {"metric": "CPU", "scope": "Service"},
        {"metric": "EC2", "detail": change},
        {"namespace": "CPU", "detail": change},
    ]
    good = [
        *({"metric": name, "detail": source} for name in ("CPU", "Latency")),
        *({"namespace": name, "detail": source} for name in ("EC2", "ES")),
        {"metric": "CPU", "detail": change},
    ]
    assert _passes(lab, policy, BODY, *bad, *good) == good


@SNS.same("filter_policy_empty_array_payload")
def _(lab: Lab) -> None:
    message = {"version": "0", "resources": [], "detail": {"eventVersion": "", "responseElements": None}}
    assert _passes(lab, {"detail": {"eventVersion": [""]}}, BODY, message) == [message]


@SNS.same("filter_policy_large_complex_payload")
def _(lab: Lab) -> None:
    deep = [{"other": n, "inside-list": f"{'q-test' if n == 99 else 'x'}-{n}"} for n in range(100)]
    filler = {f"field-{n}": [{"a": [1, 2, {"b": None}]}] * 10 for n in range(50)}
    message = {**filler, "detail": {"payload": {"nested": {"another-level": {"deep": deep, **filler}}}}}
    policy = {"detail": {"payload.nested.another-level.deep": {"inside-list": [{"prefix": "q-test"}]}}}
    assert _passes(lab, policy, BODY, message) == [message]


@SNS.same("filter_policy_ip_address_condition")
def _(lab: Lab) -> None:
    ranges = [{"ip": [{"cidr": "10.0.0.0/24"}]}, {"ip6": [{"cidr": "2001:db8:1234:1a00::/64"}]}]
    messages = [
        {"detail": {"ip": "10.0.0.255"}},
        {"detail": {"ip": "10.0.0.256"}},
        {"detail": {"ip6": "2001:0db8:1234:1a00:0000:0000:0000:0000"}},
        {"detail": {"ip6": "2001:0db8:123f:1a01:0000:0000:0000:0000"}},
    ]
    assert _passes(lab, {"detail": {"$or": ranges}}, BODY, *messages) == messages[::2]


# ---- policies that are refused ---------------------------------------------------------------------------------------


@SNS.same("validate_policy")
def _(lab: Lab) -> None:
    for rule, text in (
        ([["value"]], "Match value must be String, number, true, false, or null"),
        ([{"wrong-operator": True}], "Unrecognized match type wrong-operator"),
        ([{"suffix": "value", "prefix": "value2"}], "Only one key allowed in match expression"),
    ):
        _is_refused(lab, {"key": rule}, text)


@SNS.same("validate_policy_string_operators")
def _(lab: Lab) -> None:
    string, group = "suffix match pattern must be a string", '"{}" must be an object or an array'
    for rule, text in (
        ([{"suffix": 100}], string),
        ([{"suffix": None}], string),
        ([{"suffix": []}], string),
        ([{"suffix": ["test", "test2"]}], string),
        ({"suffix": "value"}, group.format("suffix")),
        ({"suffix": "value", "prefix": "value"}, group.format("suffix")),
        ({"not-an-operator": "value"}, group.format("not-an-operator")),
    ):
        _is_refused(lab, {"key": rule}, text)


@SNS.same("validate_policy_numeric_operator")
def _(lab: Lab) -> None:
    for terms, text in (
        ([], "Invalid member in numeric match: ]"),
        (["operator"], "Unrecognized numeric range operator: operator"),
        ([1, "<="], "Invalid member in numeric match: 1"),
        (["=", "000"], "Value of equals must be numeric"),
        ([">="], "Value of >= must be numeric"),
        (["<", 100, ">", 10], "Too many elements in numeric expression"),
        ([">=", 1, ">", 2], "Bad numeric range operator: >"),
        ([">", 3, "<", 1], "Bottom must be less than top"),
        ([">", 20, "<="], "Value of <= must be numeric"),
        ([">", 20, 30], "Bad value in numeric range: 30"),
        ([">", 20, "test"], "Bad numeric range operator: test"),
        ([">", "20", "<", "30"], "Value of > must be numeric"),
        ([">", 20, "<", "30"], "Value of < must be numeric"),
        ([">", 20, "<", 30, "<", 50], "Too many terms in numeric range expression"),
    ):
        _is_refused(lab, {"key": [{"numeric": terms}]}, text)


@SNS.same("validate_policy_exists_operator")
def _(lab: Lab) -> None:
    for value in (None, "no"):
        _is_refused(lab, {"key": [{"exists": value}]}, "exists match pattern must be either true or false.")


@SNS.differs(
    "of anything-but, suffixes were refused in May 2024; today's guide has them",
    "validate_policy_nested_anything_but_operator",
)
def _(lab: Lab) -> None:
    unsupported = "Unsupported anything-but pattern: {}"
    for rule, text in (
        ({"wrong-operator": None}, unsupported.format("wrong-operator")),
        ({"exists": False}, unsupported.format("exists")),
        ({"prefix": False}, "prefix match pattern must be a string"),
    ):
        _is_refused(lab, {"key": [{"anything-but": rule}]}, text)
    arn = lab.subscribe(lab.topic(), lab.queue())
    for rule in ({"prefix": "test-"}, ["test", "test2"], "test"):
        lab.change(arn, FilterPolicy={"key": [{"anything-but": rule}]})
    _is_refused(lab, {"key": [{"anything-but": {"suffix": "test"}}]}, unsupported.format("suffix"))


@SNS.same("policy_complexity")
def _(lab: Lab) -> None:
    values = [f"value{n}" for n in range(151)]
    _is_refused(lab, {"key": values}, "Filter policy is too complex")
    _is_refused(lab, {"key1": values[:100], "key2": values[:51]}, "Filter policy is too complex")
    _is_refused(lab, {f"key{n}": ["x"] for n in range(6)}, "Filter policy can not have more than 5 keys")


@SNS.same("policy_complexity_with_or")
def _(lab: Lab) -> None:
    def flat(sources: int, spaces: int) -> dict[str, Any]:
        alternatives = [{"metricId": [1, 2, 3, 4]}, {"spaceId": [*range(spaces)]}]
        types = {"metricType": [f"type{n}" for n in range(4)], "$or": alternatives}
        names = {"metricName": [f"name{n}" for n in range(6)]}
        return {"source": [f"source{n}" for n in range(sources)], "$or": [names, types]}

    nested = {
        "$or": [{"metricName": ["a", "b", "c"]}, {"namespace": ["a", "b"]}],
        "detail": {"scope": ["a", "b"], "$or": [{"source": ["a"]}, {"type": ["a", "b", "c"]}]},
    }
    _is_refused(lab, flat(4, 4), "Filter policy is too complex", ATTRIBUTES)  # 4 x 6 + 4 x 4 x 4 + 4 x 4 x 4 = 152
    _is_refused(lab, nested, "Filter policy is too complex", BODY)  # 24 + 72 + 16 + 48 = 160: values and levels
    lab.subscribe(lab.topic(), lab.queue(), FilterPolicy=json.dumps(flat(3, 7)))  # 150
