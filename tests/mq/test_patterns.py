"""Patterns of RabbitMQ's policies: they fit what Python's `re` fits, and none takes for ever."""

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.services.mq.rabbitmq.patterns import Pattern, Unfit
from lablib.services.mq.rabbitmq.settings import Policy

LEAVES = st.sampled_from(
    ["a", "b", ".", r"\.", "[ab]", "[^a]", r"\w", r"\d", "^", "$", r"\b", "", "A", "(?<=a)", "(?<!b)", "(?i:a)"]
)
REPEATS = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?", "??", "*+", "++"])
PATTERNS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, REPEATS).map(lambda two: f"(?:{two[0]}){two[1]}"),
        inner.map(lambda one: f"(?!{one})"),
        inner.map(lambda one: f"(?={one})"),
        inner.map(lambda one: f"(?>{one})"),
    ),
    max_leaves=8,
)


@given(PATTERNS, st.text("ab.A1", max_size=8))
def test_a_pattern_fits_what_pythons_fits(pattern, name):
    assert Pattern(pattern).found_in(name) == (re.search(pattern, name) is not None)


@pytest.mark.guide  # PCRE: match_limit; Erlang's re: without report_errors, reaching it is no match
@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("(a+)+$", "a" * 40 + "b"),
        ("(.*a){20}$", "a" * 30 + "b" * 200),
        ("(a|a)*$", "a" * 200 + "b"),
        ("(a*)*b", "a" * 255),
    ],
)
def test_what_would_take_for_ever_is_no_match(pattern, name):
    assert not Pattern(pattern).found_in(name)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        (r"^(?!amq\.).*", "orders", True),
        (r"^(?!amq\.).*", "amq.gen-1", False),
        (r"^([a-z]+\.)*eu$", "orders." * 35 + "eu", True),
        (r"^orders\..*\.eu$", "orders." + "x" * 240 + ".eu", True),
        ("(?i)^ORD", "orders", True),
        ("^(?P<first>o)rd", "orders", True),
        ("", "", True),
    ],
)
def test_what_is_ordinary_is_found(pattern, name, fits):
    assert Pattern(pattern).found_in(name) == fits


def test_what_python_may_read_otherwise_some_day_warns_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Pattern("[[a]").found_in("[")


@pytest.mark.parametrize("pattern", ["(", "a**", "a{99999999999}", "(" * 5000 + ")" * 5000, r"(a)\1"])
def test_what_is_no_pattern_is_refused_in_one_line(pattern):
    with pytest.raises(Unfit) as refused:
        Pattern(pattern)
    assert "\n" not in str(refused.value)
    assert Policy("p", pattern, {"max-length": 1}).wrong() == str(refused.value)
