"""Conditions of access policies, and the patterns and variables in which policies are written.

Sources: IAM user guide, "IAM JSON policy elements: Condition operators", "Conditions with multiple context keys or
values", "Set operators for multivalued context keys", "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import difflib
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

Keys = Mapping[str, tuple[str, ...]]  # condition keys of a request in lower case, each with its values


class MalformedPolicy(ValueError):
    """A policy document that AWS refuses. `field` is where ("Statement[0].Action"), `why` what is wrong there and what
    is allowed."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


def quoted(values: Iterable[str]) -> str:
    """`"a"`, or `"a" or "b"`, for texts that people read."""
    return " or ".join(f'"{value}"' for value in values)


# ---- patterns and variables ------------------------------------------------------------------------------------------

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_SPECIAL = {"*": "*", "?": "?", "$": "$"}  # ${*} is a star that is no wildcard


def pattern(text: str, keys: Keys | None = None, *, arn: bool = False, ignore_case: bool = False) -> re.Pattern[str]:
    """A pattern in which `*` stands for any text and `?` for one character.

    With `keys`, variables such as `${aws:username}` are replaced by their values; a variable without a value matches
    nothing. `arn`: a wildcard stays within its part of the ARN, as with the operators ArnLike and ArnEquals.
    """
    if keys is None or "${" not in text:
        return _plain(text, arn, ignore_case)
    return _compiled(_filled(text, keys), arn, ignore_case)


@lru_cache(maxsize=4096)
def _plain(text: str, arn: bool, ignore_case: bool) -> re.Pattern[str]:
    return _compiled(((text, True),), arn, ignore_case)


def _compiled(parts: tuple[tuple[str, bool], ...] | None, arn: bool, ignore_case: bool) -> re.Pattern[str]:
    if parts is None:
        return re.compile(r"(?!)")
    regex, colons = "", 0
    for text, is_pattern in parts:
        for character in text:
            inside = arn and colons < 5
            wild = {"*": "[^:]*" if inside else ".*", "?": "[^:]" if inside else "."} if is_pattern else {}
            regex += wild.get(character) or re.escape(character)
            colons += character == ":"
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _filled(text: str, keys: Keys) -> tuple[tuple[str, bool], ...] | None:
    """The parts of a text, each with whether its wildcards count; None when a variable has no value."""
    parts, end = [], 0
    for found in _VARIABLE.finditer(text):
        value = _value(found[1], keys)
        if value is None:
            return None
        parts += [(text[end : found.start()], True), (value, False)]
        end = found.end()
    return (*parts, (text[end:], True))


def _value(variable: str, keys: Keys) -> str | None:
    """The value of `aws:username` or of `aws:username, 'nobody'`; None when there is none, or there are several."""
    name, comma, default = variable.partition(",")
    if variable in _SPECIAL:
        return _SPECIAL[variable]
    values = keys.get(name.strip().lower(), ())
    if len(values) == 1:
        return values[0]
    return default.strip().strip("'") if comma and not values else None


def _fill(text: str, keys: Keys | None) -> str | None:
    """The text with its variables replaced; None when one has no value."""
    parts = ((text, True),) if keys is None else _filled(text, keys)
    return None if parts is None else "".join(part for part, _ in parts)


# ---- operators -------------------------------------------------------------------------------------------------------

_Test = Callable[[str, str, Keys | None], bool]  # actual value, value in the policy, keys for variables


class _Operator(NamedTuple):
    test: _Test
    check: Callable[[str], Any]  # raises ValueError for a value that the policy cannot have
    wants: str  # what its values are, in words
    negated: bool = False


def _equals(actual: str, wanted: str, keys: Keys | None) -> bool:
    return actual == _fill(wanted, keys)


def _equals_any_case(actual: str, wanted: str, keys: Keys | None) -> bool:
    return actual.lower() == (_fill(wanted, keys) or "").lower() and _fill(wanted, keys) is not None


def _like(actual: str, wanted: str, keys: Keys | None) -> bool:
    return pattern(wanted, keys).fullmatch(actual) is not None


def _arn_like(actual: str, wanted: str, keys: Keys | None) -> bool:
    return pattern(wanted, keys, arn=True).fullmatch(actual) is not None


def _in_network(actual: str, wanted: str, keys: Keys | None) -> bool:
    return ip_address(actual) in ip_network(wanted, strict=False)


def _comparing(convert: Callable[[str], Any], holds: Callable[[Any, Any], bool]) -> _Test:
    return lambda actual, wanted, keys: holds(convert(actual), convert(wanted))


@lru_cache(maxsize=1024)
def _moment(text: str) -> float:
    """Seconds since 1970, of a date in ISO 8601 or of such a number."""
    if re.fullmatch(r"\d+(\.\d+)?", text) and not re.fullmatch(r"\d{4}", text):
        return float(text)
    moment = datetime.fromisoformat(f"{text}-01-01" if re.fullmatch(r"\d{4}", text) else text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError
    return text.lower() == "true"


def _binary(text: str) -> bytes:
    return b64decode(text, validate=True)


def _arn(text: str) -> str:
    if text != "*" and text.count(":") < 5:
        raise ValueError
    return text


def _network(text: str) -> Any:
    return ip_network(text, strict=False)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda a, b: a == b,
    "LessThan": lambda a, b: a < b,
    "LessThanEquals": lambda a, b: a <= b,
    "GreaterThan": lambda a, b: a > b,
    "GreaterThanEquals": lambda a, b: a >= b,
}
_ARN, _NUMBER, _DATE = "ARNs", "numbers", "dates such as 2023-04-01T00:00:00Z"
_POSITIVE = {
    "StringEquals": _Operator(_equals, str, "strings"),
    "StringEqualsIgnoreCase": _Operator(_equals_any_case, str, "strings"),
    "StringLike": _Operator(_like, str, "strings"),
    "ArnEquals": _Operator(_arn_like, _arn, _ARN),
    "ArnLike": _Operator(_arn_like, _arn, _ARN),
    **{f"Numeric{n}": _Operator(_comparing(float, c), float, _NUMBER) for n, c in _COMPARISONS.items()},
    **{f"Date{n}": _Operator(_comparing(_moment, c), _moment, _DATE) for n, c in _COMPARISONS.items()},
    "Bool": _Operator(_comparing(_boolean, _COMPARISONS["Equals"]), _boolean, '"true" or "false"'),
    "BinaryEquals": _Operator(_comparing(_binary, _COMPARISONS["Equals"]), _binary, "base64 texts"),
    "IpAddress": _Operator(_in_network, _network, "IP addresses or ranges such as 203.0.113.0/24"),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
OPERATORS = _POSITIVE | {name: _POSITIVE[of]._replace(negated=True) for name, of in _NEGATED.items()}
_TAKES_VARIABLES = ("String", "Arn")
_OPERATOR_NAME = re.compile(r"(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?")


# ---- conditions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one condition key, such as `ArnEquals aws:SourceArn`; it holds when any of `values` fits."""

    name: str  # the operator as written
    key: str
    values: tuple[str, ...]
    quantifier: str = ""  # ForAllValues, ForAnyValue
    base: str = "StringEquals"  # the operator itself, or Null
    if_exists: bool = False
    variables: bool = False  # is ${aws:username} a variable?

    def holds(self, keys: Keys) -> bool:
        """Does it hold for a request with these condition keys?"""
        actual = keys.get(self.key.lower(), ())
        if self.base == "Null":
            return any((not actual) == _boolean(value) for value in self.values)
        negated = OPERATORS[self.base].negated
        if not actual:
            return self.if_exists or self.quantifier == "ForAllValues" or (negated and not self.quantifier)
        fits = [self._fits(value, keys) != negated for value in actual]
        everyone = self.quantifier == "ForAllValues" or (negated and not self.quantifier)
        return all(fits) if everyone else any(fits)

    def _fits(self, actual: str, keys: Keys) -> bool:
        test = OPERATORS[self.base].test
        try:
            return any(test(actual, wanted, keys if self.variables else None) for wanted in self.values)
        except ValueError:  # the request's value is of another type
            return False

    def describe(self, keys: Keys) -> str:
        """Why it does not hold, in words."""
        actual = keys.get(self.key.lower(), ())
        has = f"has {quoted(actual)}" if actual else f"has no {self.key}"
        return f"{self.name} {self.key} wants {quoted(self.values)}, and the request {has}"


def parse_conditions(document: Any, field: str, variables: bool) -> tuple[Condition, ...]:
    """The conditions of a statement's Condition element. Raises MalformedPolicy."""
    if not isinstance(document, dict):
        raise MalformedPolicy(field, 'must be an object such as {"ArnEquals": {"aws:SourceArn": "arn:..."}}')
    conditions = []
    for name, tests in document.items():
        known = _operator(name, f"{field}.{name}")
        if not isinstance(tests, dict) or not tests:
            raise MalformedPolicy(f"{field}.{name}", 'must be an object such as {"aws:SourceArn": "arn:..."}')
        for key, value in tests.items():
            place = f"{field}.{name}.{key}"
            if not re.fullmatch(r"[A-Za-z0-9-]+:.+", key):
                raise MalformedPolicy(place, "a condition key has the form prefix:name, such as aws:SourceArn")
            takes = variables and known[1].startswith(_TAKES_VARIABLES)
            values = _values(value, place, known[1], takes)
            conditions.append(Condition(name, key, values, known[0], known[1], known[2], takes))
    return tuple(conditions)


def _operator(name: str, field: str) -> tuple[str, str, bool]:
    """Quantifier, operator, and whether IfExists was added."""
    parts = _OPERATOR_NAME.fullmatch(name)
    if parts is None or parts[2] not in (*OPERATORS, "Null"):
        base = parts[2] if parts else name.rpartition(":")[2]
        near = difflib.get_close_matches(base, [*OPERATORS, "Null"], 3, 0.5) or ["StringEquals", "ArnLike", "Bool"]
        extras = "IfExists may follow; ForAllValues: or ForAnyValue: may stand in front"
        raise MalformedPolicy(field, f"no condition operator is called {name}; near it: {', '.join(near)}. {extras}")
    if parts[2] == "Null" and (parts[3] or parts[1]):
        raise MalformedPolicy(field, "Null already tests whether a key exists: write it without IfExists or ForAll")
    return parts[1] or "", parts[2], bool(parts[3])


def _values(value: Any, field: str, operator: str, variables: bool) -> tuple[str, ...]:
    check, wants = (_boolean, '"true" or "false"') if operator == "Null" else OPERATORS[operator][1:3]
    found = []
    for item in value if isinstance(value, list) else [value]:
        text = str(item).lower() if isinstance(item, bool) else str(item) if isinstance(item, (int, float)) else item
        try:
            if not isinstance(text, str):
                raise ValueError
            if not (variables and "${" in text):
                check(text)
        except ValueError:
            raise MalformedPolicy(field, f"{operator} compares {wants}, and this is {item!r}") from None
        found.append(text)
    if not found:
        raise MalformedPolicy(field, "needs at least one value")
    return tuple(found)
