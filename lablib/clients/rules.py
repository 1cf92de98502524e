"""A quick test of parameters, made from the shapes of botocore's model.

It says yes only to what botocore's own validator accepts, which collects a report and costs more than all the rest of a
call. Beside it stands what parameters become on the wire, and what answers must be. It knows no botocore.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lablib.gateway import duplicate

# The exact type of a value, and what checks the rest of it and copies it: None where there is neither to do.
Rule = tuple[type, Callable[[Any], Any] | None]


class Unsure(Exception):
    """The quick test does not know whether botocore's validator would accept a value."""


def rule(shape: Any) -> Rule:
    """A quick test of a value: it passes only what botocore's validator accepts. Its function returns a copy of a
    document, and raises Unsure or KeyError when it does not know."""
    least = shape.metadata.get("min")
    match shape.type_name:
        case "string":
            return str, _at_least(least, len) if least else None
        case "integer" | "long":
            return int, _at_least(least, int) if least is not None else None
        case "boolean":
            return bool, None
        case "blob":
            return bytes, _at_least(least, len) if least else None
        case "list":
            return list, _list_rule(*rule(shape.member), least or 0)
        case "map" if not least:
            return dict, _map_rule(*rule(shape.key), *rule(shape.value))
        case "structure" if not shape.is_document_type and not shape.is_tagged_union:
            return dict, structure_rule(shape)
    return type(None), _never


def _never(value: Any) -> Any:
    raise Unsure


def _at_least(least: int, measure: Callable[[Any], int]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if measure(value) < least:
            raise Unsure
        return value

    return checked


def _list_rule(kind: type, copied: Callable[[Any], Any] | None, least: int) -> Callable[[Any], Any]:
    def copied_list(values: list[Any]) -> list[Any]:
        if len(values) < least:
            raise Unsure
        found = []
        for value in values:
            if value.__class__ is not kind:
                raise Unsure
            found.append(value if copied is None else copied(value))
        return found

    return copied_list


def _map_rule(
    key_kind: type, check_key: Callable[[Any], Any] | None, kind: type, copied: Callable[[Any], Any] | None
) -> Callable[[Any], Any]:
    def copied_map(values: dict[Any, Any]) -> dict[Any, Any]:
        found = {}
        for key, value in values.items():
            if key.__class__ is not key_kind or value.__class__ is not kind:
                raise Unsure
            found[key if check_key is None else check_key(key)] = value if copied is None else copied(value)
        return found

    return copied_map


def structure_rule(shape: Any) -> Callable[[Any], Any]:
    """The quick test of a structure."""
    members = {name: rule(member) for name, member in shape.members.items()}
    required = frozenset(shape.required_members)

    def copied_structure(value: dict[str, Any]) -> dict[str, Any]:
        if not value.keys() >= required:
            raise Unsure
        found = {}
        for name, item in value.items():
            kind, copied = members[name]
            if item.__class__ is not kind:
                raise Unsure
            found[name] = item if copied is None else copied(item)
        return found

    return copied_structure


def as_sent(value: Any, shape: Any, dated: Callable[[Any], Any]) -> Any:
    """A copy of a value as it goes over the wire: a text that is given for bytes is encoded, a number or a text for a
    date is one (`dated`), and what the model does not know is left out."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return {
            name: as_sent(item, shape.members[name], dated) for name, item in value.items() if name in shape.members
        }
    if kind == "list" and isinstance(value, (list, tuple)):
        return [as_sent(item, shape.member, dated) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {key: as_sent(item, shape.value, dated) for key, item in value.items()}
    if kind == "blob" and isinstance(value, (str, bytearray)):
        return value.encode() if isinstance(value, str) else bytes(value)
    if kind == "timestamp":
        return dated(value)
    return duplicate(value)


def misfit(value: Any, shape: Any, where: str = "") -> str:
    """Where an answer does not have the type that boto3 would make of it: moments are datetimes, blobs bytes. Empty
    when all is right. (botocore's validator accepts numbers and texts for dates, since it checks what is sent.)"""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        pairs = [(item, shape.members.get(name), f"{where}.{name}") for name, item in value.items()]
    elif kind == "list" and isinstance(value, list):
        pairs = [(item, shape.member, f"{where}[{n}]") for n, item in enumerate(value)]
    elif kind == "map" and isinstance(value, dict):
        pairs = [(item, shape.value, f"{where}.{name}") for name, item in value.items()]
    else:
        wrong = (kind == "timestamp" and not hasattr(value, "tzinfo")) or (kind == "blob" and isinstance(value, str))
        return f"{where.lstrip('.')} is {value!r}, which is no {kind}" if wrong else ""
    found = (misfit(item, member, place) for item, member, place in pairs if member is not None)
    return next(filter(None, found), "")
