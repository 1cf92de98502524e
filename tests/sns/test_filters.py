"""Filter policies obey the laws of a filter, whatever the policy and the message."""

import ipaddress
import json
import operator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lablib.aws.service import ServiceError
from lablib.services.sns.filters import FilterPolicy

pytestmark = pytest.mark.ours  # where a test names no source

unhurried = settings(deadline=None)  # a loaded machine is no bug
KEYS = ("store", "event", "price", "ip")
words = st.text('abAB*-"\\ é', max_size=4)
numbers = st.one_of(st.integers(-20, 20), st.integers(-2_000_000, 2_000_000).map(lambda n: n / 100_000))
plain = st.one_of(words, numbers, st.booleans(), st.none())
signs = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
escaped = words.map(lambda text: text.replace("\\", "\\\\"))


def operators(*names, values):
    return st.one_of(*[st.fixed_dictionaries({name: values}) for name in names])


ranges = (
    st.tuples(numbers, numbers)
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: {"numeric": [">=", pair[0], "<", pair[1]]})
)
refusable = st.one_of(
    words,
    numbers,
    st.lists(words, min_size=1, max_size=3),
    st.lists(numbers, min_size=1, max_size=3),
    operators("prefix", "suffix", "equals-ignore-case", values=st.text("abAB", min_size=1, max_size=2)),
)
rules = st.one_of(
    plain,
    operators("prefix", "suffix", "equals-ignore-case", values=words),
    operators("exists", values=st.booleans()),
    st.fixed_dictionaries({"anything-but": refusable}),
    st.tuples(st.sampled_from(list(signs)), numbers).map(lambda bound: {"numeric": list(bound)}),
    ranges,
    st.sampled_from([{"cidr": "10.0.0.0/8"}, {"wildcard": "a*b"}, {"wildcard": "*"}]),
)
alternatives = st.lists(rules, min_size=1, max_size=3)
policies = st.dictionaries(st.sampled_from(KEYS), alternatives, min_size=1, max_size=3)
nested = st.dictionaries(
    st.sampled_from(KEYS), alternatives | st.dictionaries(st.sampled_from(KEYS), alternatives, min_size=1, max_size=2),
    min_size=1, max_size=3,
)  # fmt: skip
bodies = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(KEYS), bodies, min_size=1, max_size=4)


def body_policy(document):
    return FilterPolicy.parse(json.dumps(document), "MessageBody")


def accepted(document):
    try:
        return body_policy(document)
    except ServiceError as error:
        assume(not error.message.endswith("too complex"))
        raise


def passes(document, body):
    return accepted(document).matches({}, json.dumps(body)) == ""


@unhurried
@given(nested, objects, rules, st.data())
def test_an_alternative_more_never_takes_a_message_away(document, body, rule, data):
    before = passes(document, body)
    key = data.draw(st.sampled_from([key for key, value in document.items() if isinstance(value, list)] or [None]))
    assume(key is not None)
    after = passes(document | {key: [*document[key], rule]}, body)
    assert after or not before


@unhurried
@given(nested, objects, alternatives, st.sampled_from(KEYS))
def test_a_key_more_never_adds_a_message(document, body, more, key):
    assume(key not in document)
    assert passes(document, body) or not passes(document | {key: more}, body)


@unhurried
@given(nested, objects, st.randoms(use_true_random=False))
def test_the_order_of_keys_and_of_alternatives_does_not_matter(document, body, random):
    turned = {key: document[key] for key in random.sample(list(document), len(document))}
    turned = {key: value[::-1] if isinstance(value, list) else value for key, value in turned.items()}
    assert passes(document, body) == passes(turned, body)


@unhurried
@given(alternatives, alternatives, objects)
def test_or_of_two_branches_is_the_or_of_two_policies(one, other, body):
    document = {"$or": [{"store": one}, {"event": other}]}
    assert passes(document, body) == (passes({"store": one}, body) or passes({"event": other}, body))


@unhurried
@given(refusable, plain)
def test_anything_but_is_the_complement_on_what_is_there(refused, value):
    rule = [refused] if not isinstance(refused, list) else refused
    body = {"store": value}
    assert passes({"store": [{"anything-but": refused}]}, body) != passes({"store": rule}, body)
    assert not passes({"store": [{"anything-but": refused}]}, {"event": value})


@unhurried
@given(st.sampled_from(list(signs)), numbers, numbers)
def test_numeric_is_python_s_comparison(sign, value, bound):
    rule = {"numeric": [sign, bound]}
    assert passes({"price": [rule]}, {"price": value}) == signs[sign](value, bound)
    attribute = {"price": {"DataType": "Number", "StringValue": repr(value)}}
    got = FilterPolicy.parse(json.dumps({"price": [rule]})).matches(attribute, "")
    assert (got == "") == signs[sign](value, bound)


@unhurried
@given(ranges, numbers)
def test_a_range_is_both_its_bounds(rule, value):
    low, high = rule["numeric"][1], rule["numeric"][3]
    assert passes({"price": [rule]}, {"price": value}) == (low <= value < high)


def test_five_digits_after_the_point_count():
    rule = {"price": [{"numeric": ["=", 0.1]}]}
    assert passes(rule, {"price": 0.100001})
    assert not passes(rule, {"price": 0.10002})


@unhurried
@given(st.ip_addresses(v=4), st.integers(0, 31), st.ip_addresses(v=4))
def test_cidr_is_the_block_of_addresses(base, mask, address):
    block = ipaddress.ip_network(f"{base}/{mask}", strict=False)
    rule = {"ip": [{"cidr": f"{block.network_address}/{mask}"}]}
    assert passes(rule, {"ip": str(address)}) == (address in block)
    assert passes(rule, {"ip": str(block.broadcast_address)})
    assert not passes(rule, {"ip": str(ipaddress.ip_address("::1"))})


@unhurried
@given(st.lists(st.sampled_from(["a", "b", "*"]), max_size=7).map("".join), st.text("ab", max_size=8))
def test_a_wildcard_stands_for_anything(pattern, value):
    def fits(pattern, value):
        if not pattern:
            return not value
        if pattern[0] == "*":
            return any(fits(pattern[1:], value[n:]) for n in range(len(value) + 1))
        return value[:1] == pattern[0] and fits(pattern[1:], value[1:])

    assume("**" not in pattern)
    assert passes({"store": [{"wildcard": pattern}]}, {"store": value}) == fits(pattern, value)


@unhurried
@given(words)
def test_a_wildcard_can_be_escaped(value):
    pattern = value.replace("\\", "\\\\").replace("*", "\\*")
    assert passes({"store": [{"wildcard": pattern}]}, {"store": value})
    assert not passes({"store": [{"wildcard": pattern}]}, {"store": value + "x"})


@unhurried
@given(policies, st.dictionaries(st.sampled_from(KEYS), words | numbers, min_size=1, max_size=4))
def test_attributes_and_body_agree_on_the_same_values(document, message):
    """As long as nothing needs escaping, and nothing is empty."""
    assume(not any(isinstance(v, str) and (not v or '"' in v or "\\" in v) for v in message.values()))
    attributes = {
        name: {"DataType": "String" if isinstance(v, str) else "Number", "StringValue": str(v)}
        for name, v in message.items()
    }
    on_body = accepted(document).matches({}, json.dumps(message))
    assert FilterPolicy.parse(json.dumps(document)).matches(attributes, "") == on_body


@unhurried
@given(nested, objects)
def test_a_policy_survives_being_written_and_read(document, body):
    policy = accepted(document)
    again = FilterPolicy.parse(json.dumps(policy.document, indent=2), "MessageBody")
    assert again.document == policy.document == document
    assert again.matches({}, json.dumps(body)) == policy.matches({}, json.dumps(body))


@unhurried
@given(st.text('{}[]",:ab$or 15numericsexists', max_size=40))
def test_any_text_is_a_policy_or_refused(text):
    try:
        FilterPolicy.parse(text, "MessageBody").matches({}, '{"a": 1}')
    except ServiceError as error:
        if not error.message.startswith("Invalid parameter: FilterPolicy: "):
            raise


json_values = st.recursive(
    plain | st.sampled_from([float("inf"), 10**400, "x" * 50]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$or", "a", *signs, "numeric", "exists", "anything-but", "prefix", "cidr"]), inner
        )
    ),
    max_leaves=12,
)


@unhurried
@given(st.dictionaries(st.sampled_from(["a", "$or"]), json_values, max_size=3), objects)
def test_any_json_is_a_policy_or_refused(document, body):
    try:
        body_policy(document).matches({}, json.dumps(body))
    except ServiceError as error:
        if not error.message.startswith("Invalid parameter: FilterPolicy: "):
            raise


def test_an_empty_policy_filters_nothing():
    assert FilterPolicy.parse("{}").matches({}, "") == ""


@pytest.mark.parametrize(
    ("policy", "body", "reason"),
    [
        ({"store": ["a"]}, {"store": "b"}, 'store is "b"; wanted: "a"'),
        ({"store": ["a", {"prefix": "c"}]}, {"store": ["b", "d"]},
         'store is "b" and others; wanted: "a" or prefix "c"'),
        ({"store": ["a"], "price": [1]}, {"store": "a"}, "price is missing; wanted: 1"),
        ({"price": [{"numeric": [">", 1, "<=", 2.5]}]}, {"price": 3}, "price is 3; wanted: > 1 and <= 2.5"),
        ({"store": [{"exists": False}]}, {"store": "a"}, 'store is "a"; wanted: not there'),
        ({"store": [{"anything-but": ["a", "b"]}]}, {"store": "a"}, 'store is "a"; wanted: anything but "a", "b"'),
        ({"store": list("abcdef")}, {"store": "x" * 50},
         f'store is "{"x" * 36}...; wanted: "a" or "b" or "c" or "d" or ...'),
        ({"$or": [{"a": [1]}, {"b": [1]}]}, {"a": 2}, "a is 2; wanted: 1 (nor does another branch of $or match)"),
        ({"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1}, {"c": 2}]},
         "no single element of an array has all of a.b, a.c as wanted"),
    ],
)  # fmt: skip
def test_the_reason_says_which_key_and_what_was_wanted(policy, body, reason):
    assert body_policy(policy).matches({}, json.dumps(body)) == reason


def test_a_wrong_attribute_is_named():
    policy = FilterPolicy.parse('{"store": ["a"]}')
    reason = policy.matches({"store": {"DataType": "String.Array", "StringValue": "[a"}}, "")
    assert reason == 'store is "[a", which its type does not allow; wanted: "a"'


def test_many_objects_in_two_arrays_take_no_time():
    """Only within an array do values have to agree."""
    books, pens = {"kind": "book", "price": 50}, {"kind": "pen", "price": 5}
    policy = body_policy({"a": {"kind": ["book"], "price": [50]}, "b": {"kind": ["book"], "price": [5]}})
    body = {"a": [books] * 1000, "b": [books, pens] * 300}
    assert policy.matches({}, json.dumps(body)).startswith("no single element")
    assert policy.matches({}, json.dumps(body | {"b": [pens, {"kind": "book", "price": 5}]})) == ""
