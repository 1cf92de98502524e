"""Filter policies of SNS subscriptions: which messages a subscriber gets. Pure: no clock, no chance, no trace.

Sources: SNS developer guide, "Subscription filter policies" and the pages on string, numeric and key matching, AND/OR
logic and constraints; texts of errors as recorded from AWS by public test suites, and as in AWS's published rule
engine, from which they come. All operators of today are accepted in both editions; suffix, equals-ignore-case and $or
(November 2023), wildcard and the further forms of anything-but came after the notes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from lablib.aws.documents import read_json
from lablib.aws.rules import (
    MOST_COMBINATIONS,
    Branch,
    Invalid,
    MalformedRule,
    Values,
    branches,
    leaves,
    mismatch,
)
from lablib.aws.service import ServiceError
from lablib.services.sns.checks import no_json

MOST_KEYS = 5
MOST_BYTES = 262_144
NO_ATTRIBUTES = "the message has no attributes"
NOT_JSON = "the message body is not a JSON object"


@dataclass(frozen=True)
class FilterPolicy:
    """A filter policy that AWS accepts. `text` is as it was given, `document` its JSON."""

    text: str
    scope: str
    document: dict[str, Any]
    branches: tuple[Branch, ...]

    @classmethod
    def parse(cls, text: str, scope: str = "MessageAttributes") -> FilterPolicy:
        """The policy in `text`, for the scope "MessageAttributes" or "MessageBody". `{}` filters nothing.

        Raises ServiceError InvalidParameter with AWS's text; Subscribe puts "Attributes Reason: " into it.
        """
        if len(text.encode(errors="replace")) > MOST_BYTES:
            raise _refused(f"FilterPolicy: Filter policy can not be larger than {MOST_BYTES} bytes")
        try:
            document = read_json(text, parse_constant=_no_constant)
            if not isinstance(document, dict):
                raise _refused("FilterPolicy: Filter is not an object")
            found = tuple(branches(document)) if document else ()
        except MalformedRule as error:
            raise _refused(f"FilterPolicy: {error}") from None
        except ValueError as error:
            raise _refused(f"FilterPolicy: {no_json(text, error)}") from None
        _check_limits(found, scope)
        return cls(text, scope, document, found)

    def matches(self, attributes: dict[str, Any], body: str) -> str:
        """Does it let a message through? Empty when it does, else the reason in a few words.

        `attributes` are the message's MessageAttributes documents. A body that is no JSON object never matches a policy
        on the body (recorded), and a message without attributes never matches one on attributes, not even `{"exists":
        false}` (key matching: "An empty set of attributes results in the filter not matching").
        """
        if not self.branches:
            return ""
        if self.scope == "MessageBody":
            try:
                document = read_json(body, parse_constant=_no_constant)
            except ValueError:
                return NOT_JSON
            if not isinstance(document, dict) or not document:
                return NOT_JSON if not isinstance(document, dict) else "the message body is empty"
            values = leaves(document, {key for branch in self.branches for key in branch})
        else:
            values = _attribute_values(attributes)
            if not values:
                return NO_ATTRIBUTES
        reasons = [mismatch(branch, values) for branch in self.branches]
        if "" in reasons:
            return ""
        more = " (nor does another branch of $or match)" if len(reasons) > 1 else ""
        return reasons[0] + more


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _refused(text: str) -> ServiceError:
    return ServiceError("InvalidParameter", f"Invalid parameter: {text}", code="InvalidParameter")


def _check_limits(branches: Iterable[Branch], scope: str) -> None:
    """Nesting, number of keys, and complexity: the product of the lengths, each times its depth, summed over $or."""
    found = [leaf for branch in branches for leaf in branch.values()]
    nested = scope == "MessageBody"
    if not nested and any(len(leaf.path) > 1 for leaf in found):
        raise _refused("Filter policy scope MessageAttributes does not support nested filter policy")
    if len({leaf.path[0] for leaf in found}) > MOST_KEYS:
        raise _refused(f"FilterPolicy: Filter policy can not have more than {MOST_KEYS} keys")
    if sum(math.prod(len(x.rules) * len(x.path) for x in b.values()) for b in branches) > MOST_COMBINATIONS:
        raise _refused("FilterPolicy: Filter policy is too complex")


def _attribute_values(attributes: dict[str, Any]) -> Values:
    """The values of message attributes; those of type Binary are ignored (filter policy constraints)."""
    values: Values = {}
    for name, attribute in attributes.items():
        kind, text = attribute.get("DataType", ""), attribute.get("StringValue")
        if text is not None and not kind.startswith("Binary"):
            values[name] = [(value, ()) for value in _attribute_value(kind, text)]
    return values


def _attribute_value(kind: str, text: str) -> list[Any]:
    if kind.endswith(".Array") or kind.startswith("Number"):
        try:
            value = read_json(text, parse_constant=_no_constant)
        except ValueError:
            return [Invalid(text)]
        found = value if isinstance(value, list) else [value]
        return [item for item in found if not isinstance(item, dict | list)]
    return [_escaped(text)]


def _escaped(text: str) -> str:
    """How a policy on attributes sees a string: a quotation mark or backslash in the policy must be escaped twice
    (filter policy constraints, "double escape")."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
