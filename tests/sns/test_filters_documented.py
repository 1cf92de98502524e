"""What AWS documents, or was seen to do, with filter policies of SNS.

"recorded" means that public test suites recorded it from AWS (May 2024); "guide" is the SNS developer guide; "engine"
that the text is that of the rule engine which AWS publishes, and which the recorded texts come from; "ours" that no
text was found.
"""

import json

import pytest

from lablib.aws.service import ServiceError
from lablib.services.sns.filters import FilterPolicy

pytestmark = pytest.mark.guide  # where a test names no other source


def refused(policy, scope="MessageAttributes"):
    with pytest.raises(ServiceError) as caught:
        FilterPolicy.parse(policy if isinstance(policy, str) else json.dumps(policy), scope)
    error = caught.value
    assert (error.shape, error.code, error.status) == ("InvalidParameter", "InvalidParameter", 400)
    return error.message


def text(value):
    return {"DataType": "String", "StringValue": value}


def array(*values):
    return {"DataType": "String.Array", "StringValue": json.dumps(values)}


def number(value):
    return {"DataType": "Number", "StringValue": value}


def passes(policy, body="", **attributes):
    scope = "MessageAttributes" if attributes else "MessageBody"
    return FilterPolicy.parse(json.dumps(policy), scope).matches(attributes, json.dumps(body)) == ""


RECORDED = [  # policy, text; behind it AWS says in which column of the policy it read that
    ({"key": [["value"]]}, "Match value must be String, number, true, false, or null"),
    ({"key": [{"wrong-operator": True}]}, "Unrecognized match type wrong-operator"),
    ({"key": [{"suffix": "value", "prefix": "value2"}]}, "Only one key allowed in match expression"),
    ({"key": [{"suffix": 100}]}, "suffix match pattern must be a string"),
    ({"key": [{"suffix": None}]}, "suffix match pattern must be a string"),
    ({"key": {"suffix": "value"}}, '"suffix" must be an object or an array'),
    ({"key": [{"suffix": []}]}, "suffix match pattern must be a string"),
    ({"key": [{"suffix": ["test", "test2"]}]}, "suffix match pattern must be a string"),
    ({"key": {"suffix": "value", "prefix": "value"}}, '"suffix" must be an object or an array'),
    ({"key": {"not-an-operator": "value"}}, '"not-an-operator" must be an object or an array'),
    ({"key_a": "value_one"}, '"key_a" must be an object or an array'),
    ({"key": [{"numeric": []}]}, "Invalid member in numeric match: ]"),
    ({"key": [{"numeric": ["operator"]}]}, "Unrecognized numeric range operator: operator"),
    ({"key": [{"numeric": [1, "<="]}]}, "Invalid member in numeric match: 1"),
    ({"key": [{"numeric": ["=", "000"]}]}, "Value of equals must be numeric"),
    ({"key": [{"numeric": [">="]}]}, "Value of >= must be numeric"),
    ({"key": [{"numeric": ["<", 100, ">", 10]}]}, "Too many elements in numeric expression"),
    ({"key": [{"numeric": [">=", 1, ">", 2]}]}, "Bad numeric range operator: >"),
    ({"key": [{"numeric": [">", 3, "<", 1]}]}, "Bottom must be less than top"),
    ({"key": [{"numeric": [">", 20, "<="]}]}, "Value of <= must be numeric"),
    ({"key": [{"numeric": [">", 20, 30]}]}, "Bad value in numeric range: 30"),
    ({"key": [{"numeric": [">", 20, "test"]}]}, "Bad numeric range operator: test"),
    ({"key": [{"numeric": [">", "20", "<", "30"]}]}, "Value of > must be numeric"),
    ({"key": [{"numeric": [">", 20, "<", "30"]}]}, "Value of < must be numeric"),
    ({"key": [{"numeric": [">", 20, "<", 30, "<", 50]}]}, "Too many terms in numeric range expression"),
    ({"key": [{"exists": None}]}, "exists match pattern must be either true or false."),
    ({"key": [{"exists": "no"}]}, "exists match pattern must be either true or false."),
    ({"key": [{"anything-but": {"wrong-operator": None}}]}, "Unsupported anything-but pattern: wrong-operator"),
    ({"key": [{"anything-but": {"exists": False}}]}, "Unsupported anything-but pattern: exists"),
    ({"key": [{"anything-but": {"prefix": False}}]}, "prefix match pattern must be a string"),
]


@pytest.mark.recorded
@pytest.mark.parametrize(("policy", "message"), RECORDED, ids=lambda value: str(value)[:50])
def test_a_policy_that_aws_does_not_understand_names_the_reason(policy, message):
    """Recorded."""
    assert refused(policy) == f"Invalid parameter: FilterPolicy: {message}"


ENGINE = [
    ({"key": []}, "Empty arrays are not allowed"),
    ({"key": {}}, "Empty objects are not allowed"),
    ({"key": [{}]}, "Match expression name not found"),
    ({"key": [{"numeric": 5}]}, "Value of numeric must be an array."),
    ({"key": [{"numeric": ["=", 1, 2]}]}, "Too many elements in numeric expression"),
    ({"key": [{"numeric": [">", 1, "<", 1]}]}, "Bottom must be less than top"),
    ({"key": [{"anything-but": None}]}, "Value of anything-but must be an array or single string/number value."),
    ({"key": [{"anything-but": ["a", 1]}]}, "Inside anything but list, either all values are number or string,"),
    ({"key": [{"anything-but": []}]}, "Inside anything but list, either all values are number or string,"),
    ({"key": [{"anything-but": [True]}]}, "Inside anything but list, start|null|boolean is not supported."),
    ({"key": [{"anything-but": {}}]}, "Anything-But expression name not found"),
    ({"key": [{"anything-but": {"prefix": ""}}]}, "Null prefix/suffix not allowed"),
    ({"key": [{"cidr": 10}]}, "prefix match pattern must be a string"),
    ({"key": [{"cidr": "10.0.0.0"}]}, "Malformed CIDR, one '/' required"),
    ({"key": [{"cidr": "10.0.0.0/8/8"}]}, "Malformed CIDR, one '/' required"),
    ({"key": [{"cidr": "10.0.0.0/x"}]}, "Malformed CIDR, mask bits must be an integer"),
    ({"key": [{"cidr": "10.0.0.0/-1"}]}, "Malformed CIDR, mask bits must not be negative"),
    ({"key": [{"cidr": "10.0.0.0/32"}]}, "IPv4 mask bits must be < 32"),
    ({"key": [{"cidr": "::1/128"}]}, "IPv6 mask bits must be < 128"),
    ({"key": [{"cidr": "10.0.0.300/8"}]}, "Nonstandard IP address: 10.0.0.300"),
    ({"key": [{"wildcard": "a**b"}]}, "Consecutive wildcard characters at pos 2"),
    ({"key": [{"wildcard": r"a\b"}]}, "Invalid escape character at pos 2"),
    ({"key": [{"numeric": ["<", 2e9]}]}, "Value must be between -1000000000 and 1000000000, inclusive"),
    ([], "Filter is not an object"),
    ({"$or": [{"a": [1]}]}, "Unrecognized match type a"),  # one object only: a plain key
    ({"$or": [{"numeric": 123}, {"prefix": "abc"}]}, "Value of numeric must be an array."),  # operators: a plain key
]


@pytest.mark.parametrize(("policy", "message"), ENGINE, ids=lambda value: str(value)[:50])
def test_further_mistakes_are_named_as_the_rule_engine_does(policy, message):
    assert refused(policy).startswith(f"Invalid parameter: FilterPolicy: {message}")


@pytest.mark.ours
@pytest.mark.parametrize("policy", ["", "{", "key", '{"a": [NaN]}', "[" * 100_000])
def test_a_policy_that_is_no_json(policy):
    assert refused(policy).startswith("Invalid parameter: FilterPolicy: failed to parse JSON. ")


class TestLimits:
    def test_no_more_than_five_keys(self):
        """Recorded; guide: filter policy constraints."""
        policy = {f"key{n}": ["value"] for n in range(6)}
        assert refused(policy) == "Invalid parameter: FilterPolicy: Filter policy can not have more than 5 keys"
        FilterPolicy.parse(json.dumps({f"key{n}": ["value"] for n in range(5)}))

    def test_nested_keys_do_not_count(self):
        """Guide: only top-level keys count in payload-based filtering."""
        policy = {f"key{n}": ["value"] for n in range(4)} | {"finding": {f"key{n}": ["value"] for n in range(6)}}
        FilterPolicy.parse(json.dumps(policy), "MessageBody")

    @pytest.mark.parametrize(
        "policy",
        [
            {"key": [f"value{n}" for n in range(151)]},
            {"key1": [f"value{n}" for n in range(100)], "key2": [f"value{n}" for n in range(51)]},
        ],
    )
    def test_no_more_than_150_combinations(self, policy):
        """Recorded."""
        assert refused(policy) == "Invalid parameter: FilterPolicy: Filter policy is too complex"
        FilterPolicy.parse(json.dumps({"key1": list(range(50)), "key2": [1, 2, 3]}))

    def test_a_nested_array_counts_as_often_as_it_is_deep(self):
        """Recorded: 3 x 4 x 2 x 3 x 1 x 3 = 216 is too many. Guide: 3 x 4 x 2 x 3 = 72 is not."""
        policy = {"a": {"b": {"c": [1, 2, 3, 4]}}, "d": {"e": [1, 2, 3]}}
        FilterPolicy.parse(json.dumps(policy), "MessageBody")
        too_complex = "Invalid parameter: FilterPolicy: Filter policy is too complex"
        assert refused(policy | {"f": [1, 2, 3]}, "MessageBody") == too_complex

    def test_the_branches_of_or_add_up(self):
        """Recorded: 4 x 6 + 4 x 4 x 4 + 4 x 4 x 4 = 152 is too many, 3 x 6 + 3 x 4 x 4 + 3 x 4 x 7 = 150 is not."""

        def policy(sources, ids, spaces):
            inner = [{"id": list(range(ids))}, {"space": list(range(spaces))}]
            either = [{"name": list(range(6))}, {"type": list(range(4)), "$or": inner}]
            return {"source": list(range(sources)), "$or": either}

        assert refused(policy(4, 4, 4)) == "Invalid parameter: FilterPolicy: Filter policy is too complex"
        FilterPolicy.parse(json.dumps(policy(3, 4, 7)))

    def test_the_branches_of_nested_or_add_up(self):
        """Recorded: (3 x 4 x 2) + (3 x 4 x 6) + (2 x 4 x 2) + (2 x 4 x 6) = 160."""
        detail = {"scope": [1, 2], "$or": [{"source": [1]}, {"type": [1, 2, 3]}]}
        policy = {"$or": [{"metricName": [1, 2, 3]}, {"namespace": [1, 2]}], "detail": detail}
        assert refused(policy, "MessageBody") == "Invalid parameter: FilterPolicy: Filter policy is too complex"

    def test_a_policy_on_attributes_has_no_nesting(self):
        """Recorded."""
        nested = {"object": {"key": [{"prefix": "auto-"}]}}
        message = "Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy"
        assert refused(nested) == message
        FilterPolicy.parse(json.dumps(nested), "MessageBody")

    def test_the_size(self):
        """Guide: 256 KB. The text is ours."""
        assert "can not be larger than 262144 bytes" in refused({"key": ["v" * 262_144]})


class TestAttributes:
    def test_numbers(self):
        """Recorded; guide: numeric value matching."""
        policy = {"attr1": [{"numeric": [">", 0, "<=", 100]}]}
        assert passes(policy, attr1=number("99"))
        assert not passes(policy, attr1=number("111"))
        assert passes({"price": [{"numeric": ["=", 301.5]}]}, price=number("3.015e2"))

    def test_a_message_without_attributes_matches_nothing(self):
        """Recorded for null or anything-but; guide (key matching) for exists false."""
        for rule in (None, {"anything-but": "whatever"}, {"exists": False}):
            policy = FilterPolicy.parse(json.dumps({"attr1": [rule]}))
            assert policy.matches({}, "") == "the message has no attributes"

    def test_exists(self):
        """Recorded."""
        assert passes({"store": [{"exists": True}]}, store=number("99"), other=number("99"))
        assert not passes({"store": [{"exists": True}]}, other=number("111"))
        assert passes({"store": [{"exists": False}]}, other=number("99"))
        assert not passes({"store": [{"exists": False}]}, store=number("99"), other=number("99"))

    def test_one_element_of_an_array_is_enough(self):
        """Recorded."""
        assert passes({"store": ["value1"]}, store=array("value1", "value2"))
        assert not passes({"store": ["value1"]}, store=array("value2", "value3"))

    def test_anything_but_wants_one_element_that_is_something_else(self):
        """Guide, string value matching: its examples. (One sentence of the page says "none of the array elements".)"""
        policy = {"customer_interests": [{"anything-but": ["rugby", "tennis"]}]}
        assert passes(policy, customer_interests=text("baseball"))
        assert passes(policy, customer_interests=array("rugby", "baseball"))
        assert not passes(policy, customer_interests=text("rugby"))
        assert not passes(policy, customer_interests=array("rugby"))

    def test_binary_attributes_are_ignored(self):
        """Guide: filter policy constraints."""
        binary = {"DataType": "Binary", "BinaryValue": b"x"}
        assert not passes({"key": [{"exists": True}]}, key=binary, other=text("x"))
        assert passes({"key": [{"exists": False}]}, key=binary, other=text("x"))

    def test_quotation_marks_and_backslashes_are_escaped_twice(self):
        """Guide: filter policy constraints, attribute-based filtering."""
        assert passes({"key": [r"say \"hi\""]}, key=text('say "hi"'))
        assert not passes({"key": ['say "hi"']}, key=text('say "hi"'))

    def test_an_array_that_is_no_json_matches_nothing(self):
        """Guide: metric NumberOfNotificationsFilteredOut-InvalidAttributes."""
        broken = {"DataType": "String.Array", "StringValue": "[rugby"}
        assert not passes({"key": [{"anything-but": "x"}]}, key=broken)


class TestBody:
    def test_nested_keys(self):
        """Recorded."""
        inner = {"key": [{"prefix": "auto-"}, "hardcodedvalue"], "nested_key": [{"exists": False}]}
        policy = {"object": inner, "test": [{"exists": False}]}
        assert passes(policy, {"object": {"key": "auto-test"}})
        assert passes(policy, {"object": {"key": "hardcodedvalue"}})
        for body in (
            {"object": {"key": "test-auto"}},
            {"object": {"key": "auto-test"}, "test": "just-exists"},
            {"object": {"key": "auto-test", "nested_key": "just-exists"}},
            {"object": {"test": "auto-test"}},
            {"test": "auto-test"},
        ):
            assert not passes(policy, body)

    @pytest.mark.parametrize("body", ["Regular string message", '"a JSON string"', "5", "[]", "null", "[" * 100_000])
    def test_a_body_that_is_no_json_object_matches_nothing(self, body):
        """Recorded for plain text and a JSON string."""
        policy = FilterPolicy.parse('{"key": [{"exists": false}]}', "MessageBody")
        assert policy.matches({}, body) == "the message body is not a JSON object"

    @pytest.mark.parametrize(
        "body",
        [
            {"object": {"nested": {"test": "string.value"}}},
            {"object.nested.test": "string.value"},
            {"object.nested": {"test": "string.value"}},
            {"object": {"nested.test": "string.value"}},
        ],
    )
    def test_a_dot_is_a_level(self, body):
        """Recorded."""
        policy = {"object.nested.test": ["string.value"]}
        assert passes(policy, body)
        assert not passes(policy, {"object": {"nested": {"test": "string.notvalue"}}})

    def test_arrays_of_values(self):
        """Recorded."""
        policy = {"headers": {"route-to": ["queue1"]}}
        passed = [
            passes(policy, {"headers": {"route-to": to}}) for to in (["queue3"], ["queue1"], ["queue1", "queue2"])
        ]
        assert passed == [False, True, True]

    def test_arrays_of_objects(self):
        """Recorded: also an array in an array."""
        s3 = {"object": {"key": [{"prefix": "auto-"}]}}
        policy = {"Records": {"s3": s3, "eventName": [{"prefix": "ObjectCreated:"}]}}

        def record(name, key):
            return {"eventName": name, "s3": {"object": {"key": key, "size": 17}}}

        created = record("ObjectCreated:Put", "auto-insurance-2314.xml")
        removed = record("ObjectRemoved:Delete", "home-insurance-2314.xml")
        deep = {"eventName": "ObjectCreated:Put", "s3": {"object": [[{"key": "auto-insurance-2314.xml"}]]}}
        assert passes(policy, {"Records": [created]})
        assert passes(policy, {"Records": [deep, removed]})
        assert not passes(policy, {"Records": [record("ObjectRemoved:Delete", "auto-insurance-2314.xml")]})
        assert not passes(policy, {"Records": [record("ObjectCreated:Put", "home-insurance-2314.xml")]})

    def test_all_keys_match_in_one_element_of_an_array(self):
        """Engine: consistency of arrays."""
        policy = {"items": {"kind": ["book"], "price": [{"numeric": ["<", 10]}]}}
        assert passes(policy, {"items": [{"kind": "pen", "price": 50}, {"kind": "book", "price": 5}]})
        assert not passes(policy, {"items": [{"kind": "book", "price": 50}, {"kind": "pen", "price": 5}]})

    def test_or(self):
        """Recorded."""
        detail = {"scope": ["Service"], "$or": [{"source": ["aws.cloudwatch"]}, {"type": ["Alarm"]}]}
        policy = {"$or": [{"metricName": ["CPU", "Latency"]}, {"namespace": ["EC2", "ES"]}], "detail": detail}
        assert passes(policy, {"metricName": "CPU", "detail": {"scope": "Service", "source": "aws.cloudwatch"}})
        assert passes(policy, {"namespace": "ES", "detail": {"scope": "Service", "type": "Alarm"}})
        for body in (
            {"metricName": "CPU", "detail": {"scope": "aws.cloudwatch", "type": "Alarm"}},
            {"metricName": "CPU", "detail": {"scope": "Service", "type": "CPU"}},
            {"metricName": "CPU", "detail": {"type": "Alarm"}},
            {"metricName": "CPU", "detail": {"scope": "Service"}},
            {"metricName": "CPU", "scope": "Service"},
            {"metricName": "EC2", "detail": {"scope": "Service", "type": "Alarm"}},
        ):
            assert not passes(policy, body)

    @pytest.mark.parametrize(
        ("rule", "yes", "no"),
        [
            ({"equals-ignore-case": "tennis"}, "teNnis", "tenniz"),
            ({"prefix": "bas"}, "baseball", "rugby"),
            ({"suffix": "ball"}, "basketball", "rugby"),
            ({"wildcard": "*ball"}, "baseball", "rugby"),
            ({"cidr": "10.0.0.0/24"}, "10.0.0.255", "10.1.1.0"),
            ({"anything-but": {"prefix": "order-"}}, "order_number", "order-cancelled"),
            ({"anything-but": {"suffix": "ball"}}, "rugby", "baseball"),
            ({"anything-but": {"wildcard": "*ball"}}, "hockey", "basketball"),
            ({"anything-but": [100, 500]}, 100.1, 500),
            ({"numeric": ["<", 0]}, -1, 0),
            (True, True, "true"),
            (None, None, 0),
            (100, 100.0, "100"),
        ],
        ids=str,
    )
    def test_operators(self, rule, yes, no):
        """Guide: string, numeric and key matching, with its examples."""
        assert passes({"key": [rule]}, {"key": yes})
        assert not passes({"key": [rule]}, {"key": no})

    def test_exists_wants_a_value(self):
        """Guide, key matching: a non-null and non-empty value."""
        assert [passes({"key": [{"exists": True}]}, {"key": value}) for value in (0, "", None, [], {})] == [
            True, False, False, False, False,
        ]  # fmt: skip
