"""Constraints of the API: lengths, ranges, patterns, words; and AWS's words for what breaks them.

The form of the texts, with all violations of a request in one, is recorded from AWS (Kinesis Data Streams).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from lablib.aws.service import ServiceError


class Rule(NamedTuple):
    """A constraint of one parameter: a length or a number from `low` to `high`, a pattern, one of some words."""

    low: float = 0
    high: float = float("inf")
    pattern: str = ""
    words: tuple[str, ...] = ()


def invalid(*found: str, code: str = "ValidationException") -> ServiceError:
    """The error that lists these."""
    count = len(found)
    return ServiceError(code, f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(found)}")


def check(at: str, value: Any, rule: Rule, code: str = "ValidationException") -> None:
    """Raise the error with that code for a value that breaks the rule."""
    if found := [*violations(at, value, rule)]:
        raise invalid(*found, code=code)


def violations(at: str, value: Any, rule: Rule) -> Iterator[str]:
    """What is wrong with a value, in AWS's words; `at` is the name of the parameter as the service writes it."""
    if isinstance(value, (list, bytes)):
        start, size = f"Value at '{at}'", len(value)
    else:
        start, size = f"Value '{value}' at '{at}'", len(value) if isinstance(value, str) else value
    is_number = isinstance(value, (int, float))
    must = f"{start} failed to satisfy constraint: Member must"
    if rule.words and value not in rule.words:
        yield f"{must} satisfy enum value set: [{', '.join(rule.words)}]"
    elif rule.pattern and not re.fullmatch(rule.pattern, str(value)):
        yield f"{must} satisfy regular expression pattern: {rule.pattern}"
    if size < rule.low and not rule.words:
        yield f"{must} have {'value' if is_number else 'length'} greater than or equal to {rule.low}"
    if size > rule.high:
        yield f"{must} have {'value' if is_number else 'length'} less than or equal to {rule.high}"
