"""Attributes of resources, declared: which texts one may have, its default, and for which kind of resource it is.

AWS takes the attributes of queues, topics and their like as texts. A service declares its own in a table
(`declare(...)`), and gives its own errors to what the checks of the table refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lablib.aws.documents import read_json

Quotas = Mapping[str, Any]
Check = Callable[[str, Quotas], str]


class Unfit(ValueError):
    """An attribute cannot have this value. Its text says what the value must be: "Must be true or false."."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a resource. `check` returns a value as AWS gives it back, and raises Unfit or a ServiceError.

    `default` is the value at first, or the name of the quota that is it; empty for none. `only` names the kind of
    resource that alone has the attribute ("fifo"). With `removable`, an empty value removes the attribute.
    """

    name: str
    check: Check
    default: str = ""
    only: str = ""
    removable: bool = False

    def clean(self, value: str, quotas: Quotas) -> str:
        """The value as AWS gives it back. Raises what `check` does."""
        return value if self.removable and not value else self.check(value, quotas)


def declare(*attributes: Attribute) -> dict[str, Attribute]:
    """Attributes by their names."""
    return {attribute.name: attribute for attribute in attributes}


def defaults(attributes: Mapping[str, Attribute], quotas: Quotas, kind: str = "") -> dict[str, str]:
    """The attributes of a new resource of that kind, as far as its creator gives none."""
    own = [one for one in attributes.values() if one.default and one.only in ("", kind)]
    return {one.name: _text(quotas[one.default]) if "." in one.default else one.default for one in own}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def merged(current: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a resource after a change: an empty value removes one."""
    return {name: value for name, value in {**current, **changes}.items() if value}


# ---- checks ----------------------------------------------------------------------------------------------------------


def anything(value: str, quotas: Quotas) -> str:
    """Any text."""
    return value


def integer(low: int, high: int | str) -> Check:
    """A whole number from `low` to `high`, which is a number or the name of a quota."""

    def check(value: str, quotas: Quotas) -> str:
        most = quotas[high] if isinstance(high, str) else high
        if re.fullmatch(r"[0-9]{1,9}", value) and low <= int(value) <= most:
            return str(int(value))
        raise Unfit(f"Must be an integer from {low} to {most}.")

    return check


def choice(*values: str, must: str = "") -> Check:
    """One of these texts. "true" and "false" may be written in any case."""
    must = must or f"Must be {' or '.join(values)}."
    any_case = {"true", "false"}.issuperset(values)

    def check(value: str, quotas: Quotas) -> str:
        value = value.lower() if any_case else value
        if value in values:
            return value
        raise Unfit(must)

    return check


boolean = choice("true", "false")


def matching(pattern: str, must: str = "") -> Check:
    """A text that matches a regular expression as a whole."""

    def check(value: str, quotas: Quotas) -> str:
        if re.fullmatch(pattern, value):
            return value
        raise Unfit(must)

    return check


def json_map(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in an attribute; None when it is none."""
    try:
        document = read_json(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
