"""Names of objects: prefixes with expressions, and what comes after them.

Source: developer guide, "Understand custom prefixes for Amazon S3 objects", "Configure Amazon S3 object name format".
Expressions: !{timestamp:pattern} (of Java's DateTimeFormatter: the letters y, M, d, H, m, s, and text in quotes),
!{firehose:error-output-type}, !{firehose:random-string}, !{partitionKeyFromQuery:name}, !{partitionKeyFromLambda:name}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from lablib.aws.service import NotSimulated
from lablib.services.firehose.checks import argument

_EXPRESSION = re.compile(r"!\{([^}:]*):?([^}]*)\}")
_PARTS = re.compile(r"'([^']*)'|([A-Za-z])\2*|[^A-Za-z']")
_FORMATS = {
    "yyyy": "{:%Y}", "YYYY": "{:%Y}", "uuuu": "{:%Y}", "yy": "{:%y}", "MM": "{:%m}", "dd": "{:%d}", "DDD": "{:%j}",
    "HH": "{:%H}", "mm": "{:%M}", "ss": "{:%S}", "M": "{0.month}", "d": "{0.day}", "H": "{0.hour}",
}  # fmt: skip
KEYS = ("partitionKeyFromQuery", "partitionKeyFromLambda")
DATE = "!{timestamp:yyyy/MM/dd/HH}/"
LONGEST = 1024


def check_prefix(prefix: str, name: str, partitioned: bool) -> None:
    """Raise InvalidArgumentException for expressions that are not allowed in `name` (Prefix or ErrorOutputPrefix)."""
    for namespace, value in _EXPRESSION.findall(prefix):
        if namespace not in ("timestamp", "firehose", *KEYS):
            raise argument(f"{name}: {namespace!r} is not a valid namespace of an expression.")
        if namespace in KEYS:
            if name != "Prefix":
                raise argument(f"{name} must not contain an expression of the namespace {namespace}.")
            if not partitioned:  # reported
                raise argument(
                    "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning "
                    "is enabled."
                )
        elif namespace == "firehose":
            allowed = ("random-string",) if name == "Prefix" else ("random-string", "error-output-type")
            if value not in allowed:
                raise argument(f"{name}: {value!r} is not a valid value of the namespace firehose there.")
        else:
            _date(value, datetime(2023, 4, 1, tzinfo=UTC))
    if "!{" in _EXPRESSION.sub("", prefix):
        raise argument(f"{name}: an expression has the form !{{namespace:value}}.")
    if name == "ErrorOutputPrefix" and "!{" in prefix and "!{firehose:error-output-type}" not in prefix:
        raise argument(f"{name} with expressions must contain !{{firehose:error-output-type}}.")


def keys_in(prefix: str) -> list[tuple[str, str]]:
    """The partition keys that a prefix names: namespace and name."""
    return [(namespace, name) for namespace, name in _EXPRESSION.findall(prefix) if namespace in KEYS]


def evaluate(prefix: str, time: float, zone: str, keys: Mapping[str, str], random: str = "", error: str = "") -> str:
    """The prefix of an object; `time` is the arrival of its oldest record, in seconds since 1970.

    A prefix without a timestamp is followed by the date: the default, YYYY/MM/dd/HH/ in UTC or in the zone.
    """
    moment = datetime.fromtimestamp(time, _zone(zone))

    def value(match: re.Match[str]) -> str:
        namespace, name = match.groups()
        if namespace == "timestamp":
            return _date(name, moment)
        if namespace == "firehose":
            return error if name == "error-output-type" else random
        return keys[name]

    if error and "!{firehose:error-output-type}" not in prefix:
        prefix += "!{firehose:error-output-type}/"
    if "!{timestamp:" not in prefix and (error or not keys_in(prefix)):
        prefix += DATE
    return _EXPRESSION.sub(value, prefix)[:LONGEST]


def check_zone(zone: str) -> None:
    """Raise InvalidArgumentException for a time zone that does not exist."""
    try:
        _zone(zone)
    except (KeyError, ValueError, OSError):
        raise argument(f"CustomTimeZone {zone} is not a time zone.") from None


def _zone(zone: str) -> tzinfo:
    return ZoneInfo(zone) if zone not in ("", "UTC") else UTC


def _date(pattern: str, moment: datetime) -> str:
    text = ""
    for match in _PARTS.finditer(pattern):
        part = match.group()
        if part.startswith("'"):
            text += match.group(1) or "'"
        elif not part[0].isalpha():
            text += part
        elif part in _FORMATS:
            text += _FORMATS[part].format(moment)
        else:
            known = ", ".join(_FORMATS)
            raise NotSimulated(
                f"firehose: the pattern {part} of !{{timestamp:{pattern}}} is not simulated: {known} are"
            )
    return text
