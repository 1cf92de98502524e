"""Rules on events, as filter policies of SNS and filter criteria of Lambda have them: read, and matched with values.

Sources: SNS developer guide, the pages on string, numeric and key matching and on AND/OR logic; texts of errors as
recorded from AWS by public test suites, and as in AWS's published rule engine, from which they come. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple, NoReturn

LARGEST = 1_000_000_000  # numbers reach from -LARGEST to LARGEST, with DIGITS digits after the decimal point
DIGITS = 5
MOST_COMBINATIONS = 150

_OPERATORS = ("prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr")
_RESERVED = frozenset((*_OPERATORS, "exactly"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One alternative for a key: in words, and whether it accepts a value. `absent`: the key must not be there."""

    words: str
    accepts: Callable[[Any], bool]
    absent: bool = False


class Leaf(NamedTuple):
    """The alternatives for one key; `path` is the key and its parents."""

    path: tuple[str, ...]
    rules: tuple[Rule, ...]


Branch = dict[str, Leaf]  # all of these keys must match; a policy with $or has several branches


class MalformedRule(Exception):
    """AWS does not accept this. Its text says why, as AWS does, without the column that AWS adds."""


class Invalid(str):
    """The text of an attribute that is not what its type says: nothing accepts it."""


def show(value: Any) -> str:
    """A value as JSON, short enough for one line."""
    if isinstance(value, Invalid):
        return f"{show(str(value))}, which its type does not allow"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."


# ---- rules ----------------------------------------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: float) -> float:
    return round(float(value), DIGITS) if abs(value) <= LARGEST else value


def _text_rule(words: str, accepts: Callable[[str], bool]) -> Rule:
    return Rule(words, lambda value: isinstance(value, str) and not isinstance(value, Invalid) and accepts(value))


def _exactly(wanted: Any) -> Rule:
    words = show(wanted)
    if isinstance(wanted, str):
        return _text_rule(words, lambda value: value == wanted)
    if _is_number(wanted):
        target = _number(wanted)
        return Rule(words, lambda value: _is_number(value) and _number(value) == target)
    return Rule(words, lambda value: value is wanted)


def _ignoring_case(wanted: str) -> Rule:
    lower = wanted.lower()
    return _text_rule(f"{show(wanted)} in any case", lambda value: value.lower() == lower)


def _anything_but(refused: list[Rule]) -> Rule:
    """It accepts any value that none of these rules accepts."""
    words = ", ".join(rule.words for rule in refused[:4]) + ", ..." * (len(refused) > 4)

    def accepts(value: Any) -> bool:
        return not isinstance(value, Invalid) and not any(rule.accepts(value) for rule in refused)

    return Rule(f"anything but {words}", accepts)


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _numeric(bounds: list[tuple[str, float]]) -> Rule:
    def accepts(value: Any) -> bool:
        if not _is_number(value) or not -LARGEST <= value <= LARGEST:
            return False
        number = _number(value)
        return all(_COMPARE[sign](number, _number(bound)) for sign, bound in bounds)

    return Rule(" and ".join(f"{sign} {bound:g}" for sign, bound in bounds), accepts)


def _cidr(block: str) -> Rule:
    """Addresses from the given one to the last of its block. AWS's rule engine refuses masks of a single address."""
    address, slash, mask = block.partition("/")
    if not slash or "/" in mask:
        raise MalformedRule("Malformed CIDR, one '/' required")
    if not re.fullmatch(r"[+-]?[0-9]+", mask):
        raise MalformedRule("Malformed CIDR, mask bits must be an integer")
    try:
        first = ip_address(address)
    except ValueError:
        raise MalformedRule(f"Nonstandard IP address: {address}") from None
    if int(mask) < 0:
        raise MalformedRule("Malformed CIDR, mask bits must not be negative")
    if int(mask) >= first.max_prefixlen:
        raise MalformedRule(f"IPv{first.version} mask bits must be < {first.max_prefixlen}")
    last = ip_network(f"{address}/{int(mask)}", strict=False).broadcast_address

    def accepts(value: str) -> bool:
        try:
            found = ip_address(value)
        except ValueError:
            return False
        return found.version == first.version and int(first) <= int(found) <= int(last)

    return _text_rule(f"an address in {block}", accepts)


def _wildcard(pattern: str) -> Rule:
    r"""`*` stands for any characters, none too; `\*` and `\\` for themselves."""
    pieces = [""]
    for match in re.finditer(r"\\.?|\*+|[^\\*]+", pattern, re.DOTALL):
        part, place = match[0], match.start() + 1
        if part.startswith("**"):
            raise MalformedRule(f"Consecutive wildcard characters at pos {place}")
        if part.startswith("\\") and part not in (r"\*", r"\\"):
            raise MalformedRule(f"Invalid escape character at pos {place}")
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += part.removeprefix("\\")
    return _text_rule(f"like {show(pattern)}", lambda value: _fits(value, pieces))


def _fits(value: str, pieces: list[str]) -> bool:
    """Do the pieces stand in the value, in this order, the first at its start and the last at its end?"""
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return value == first
    if not (value.startswith(first) and value.endswith(last)):
        return False
    place, end = len(first), len(value) - len(last)
    for piece in pieces[1:-1]:
        found = value.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return place <= end


_PATTERNS: dict[str, Callable[[str], Rule]] = {
    "prefix": lambda wanted: _text_rule(f"prefix {show(wanted)}", lambda value: value.startswith(wanted)),
    "suffix": lambda wanted: _text_rule(f"suffix {show(wanted)}", lambda value: value.endswith(wanted)),
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
    "cidr": _cidr,
}
_EXISTS = {
    True: Rule("any value", lambda value: value is not None and value != "" and not isinstance(value, Invalid)),
    False: Rule("not there", lambda value: False, absent=True),
}


# ---- reading a policy -----------------------------------------------------------------------------------------------


def branches(document: dict[str, Any]) -> list[Branch]:
    """The alternatives of a policy, of which one must match. Raises MalformedRule for the first mistake in it."""
    return _object(document, (), [{}])


def _refuse(text: str) -> NoReturn:
    raise MalformedRule(text)


def _object(document: dict[str, Any], path: tuple[str, ...], found: list[Branch]) -> list[Branch]:
    """The branches found so far, each with the rules of this object added."""
    if not document:
        _refuse("Empty objects are not allowed")
    for name, inner in document.items():
        if name == "$or" and _is_or(inner):
            found = _either(inner, path, found)
        elif isinstance(inner, dict):
            found = _object(inner, (*path, name), found)
        elif isinstance(inner, list):
            leaf = Leaf((*path, name), tuple(_rule(value) for value in inner))
            if not leaf.rules:
                _refuse("Empty arrays are not allowed")
            found = [branch | {".".join(leaf.path): leaf} for branch in found]
        else:
            _refuse(f'"{name}" must be an object or an array')
    return found


def _is_or(value: Any) -> bool:
    """Is it a relationship $or: at least two objects, none with an operator as a key? Else $or is a plain key."""
    objects = isinstance(value, list) and len(value) > 1 and all(isinstance(item, dict) for item in value)
    return objects and not any(name in _RESERVED for item in value for name in item)


def _either(objects: list[Any], path: tuple[str, ...], found: list[Branch]) -> list[Branch]:
    either: list[Branch] = []
    for inner in objects:
        either += _object(inner, path, found)
        if len(either) > MOST_COMBINATIONS:
            _refuse("Filter policy is too complex")
    return either


def _rule(value: Any) -> Rule:
    """A value to match, or an expression such as `{"prefix": "a"}`."""
    if isinstance(value, list):
        _refuse("Match value must be String, number, true, false, or null")
    if not isinstance(value, dict):
        return _exactly(value)
    if not value:
        _refuse("Match expression name not found")
    operator, wanted = next(iter(value.items()))
    if operator in _PATTERNS:
        rule = _pattern(operator, wanted)
    elif operator in _EXPRESSIONS:
        rule = _EXPRESSIONS[operator](wanted)
    else:
        _refuse(f"Unrecognized match type {operator}")
    return _only(value, rule)


def _only(expression: dict[str, Any], rule: Rule) -> Rule:
    if len(expression) > 1:
        _refuse("Only one key allowed in match expression")
    return rule


def _pattern(operator: str, wanted: Any) -> Rule:
    if not isinstance(wanted, str):  # for cidr, AWS speaks of a prefix
        _refuse(f"{'prefix' if operator == 'cidr' else operator} match pattern must be a string")
    return _PATTERNS[operator](wanted)


def _exists(wanted: Any) -> Rule:
    if not isinstance(wanted, bool):
        _refuse("exists match pattern must be either true or false.")
    return _EXISTS[wanted]


def _range(wanted: Any) -> Rule:
    """`[">", 0, "<=", 100]`, or one of the two halves."""
    if not isinstance(wanted, list):
        _refuse("Value of numeric must be an array.")
    terms = [*wanted, "]"]  # AWS reads the bracket as if it were one more
    sign = terms[0]
    if not isinstance(sign, str) or sign == "]":
        _refuse(f"Invalid member in numeric match: {_plain(sign)}")
    if sign not in _COMPARE:
        _refuse(f"Unrecognized numeric range operator: {sign}")
    bounds = [(sign, _bound("equals" if sign == "=" else sign, terms[1]))]
    if len(wanted) > 2:
        upper = terms[2]
        if sign not in (">", ">="):
            _refuse("Too many elements in numeric expression")
        if not isinstance(upper, str):
            _refuse(f"Bad value in numeric range: {_plain(upper)}")
        if upper not in ("<", "<="):
            _refuse(f"Bad numeric range operator: {upper}")
        bounds.append((upper, _bound(upper, terms[3])))
        if len(wanted) > 4:
            _refuse("Too many terms in numeric range expression")
        if bounds[0][1] >= bounds[1][1]:
            _refuse("Bottom must be less than top")
    return _numeric(bounds)


def _bound(name: str, value: Any) -> float:
    if not _is_number(value):
        _refuse(f"Value of {name} must be numeric")
    if not -LARGEST <= value <= LARGEST:
        _refuse(f"Value must be between {-LARGEST} and {LARGEST}, inclusive")
    bound: float = value
    return bound


def _plain(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "{" if isinstance(value, dict) else "["
    return value if isinstance(value, str) else json.dumps(value)


def _other_than(wanted: Any) -> Rule:
    """The value of anything-but: a text, a number, a list of either, or a pattern."""
    if isinstance(wanted, dict):
        return _unlike(wanted)
    if isinstance(wanted, list):
        if not all(isinstance(value, str) or _is_number(value) for value in wanted):
            _refuse("Inside anything but list, start|null|boolean is not supported.")
        if len({isinstance(value, str) for value in wanted}) != 1:
            both = "either all values are number or string, mixed type is not supported"
            _refuse(f"Inside anything but list, {both}")
        return _anything_but([_exactly(value) for value in wanted])
    if not isinstance(wanted, str) and not _is_number(wanted):
        _refuse("Value of anything-but must be an array or single string/number value.")
    return _anything_but([_exactly(wanted)])


def _unlike(expression: dict[str, Any]) -> Rule:
    if not expression:
        _refuse("Anything-But expression name not found")
    operator, wanted = next(iter(expression.items()))
    if operator not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
        _refuse(f"Unsupported anything-but pattern: {operator}")
    if wanted == "":
        _refuse("Null prefix/suffix not allowed")
    return _only(expression, _anything_but([_pattern(operator, wanted)]))


_EXPRESSIONS: dict[str, Callable[[Any], Rule]] = {
    "anything-but": _other_than,
    "exists": _exists,
    "numeric": _range,
}


# ---- matching a document ---------------------------------------------------------------------------------------------

Where = tuple[tuple[int, int], ...]  # (array, index) of each array that a value lies in, the outermost first
Values = dict[str, list[tuple[Any, Where]]]


def mismatch(branch: Branch, values: Values) -> str:
    """Why the keys of a branch do not all match; empty when they do."""
    places: list[list[Where]] = []
    for key, leaf in branch.items():
        found = values.get(key)
        if not found:
            if not any(rule.absent for rule in leaf.rules):
                return f"{key} is missing; wanted: {_words(leaf)}"
            continue
        here = [where for value, where in found if any(rule.accepts(value) for rule in leaf.rules)]
        if not here:
            some = " and others" if len(found) > 1 else ""
            return f"{key} is {show(found[0][0])}{some}; wanted: {_words(leaf)}"
        if () not in here:
            places.append(list(dict.fromkeys(here)))
    if all(_consistent({}, group) for group in _groups(places)):
        return ""
    return f"no single element of an array has all of {', '.join(branch)} as wanted"


def _groups(places: list[list[Where]]) -> list[list[list[Where]]]:
    """Keys whose values share no array have nothing to agree on."""
    groups: list[tuple[set[int], list[list[Where]]]] = []
    for place in places:
        arrays = {array for where in place for array, _ in where}
        near = [group for group in groups if group[0] & arrays]
        groups = [group for group in groups if not group[0] & arrays]
        groups.append((arrays.union(*(g[0] for g in near)), [p for g in near for p in g[1]] + [place]))
    return [group for _, group in groups]


def _consistent(chosen: dict[int, int], places: list[list[Where]]) -> bool:
    """Can one place be chosen for each key so that values of one array come from one element of it?"""
    if not places:
        return True
    for where in places[0]:
        fits = all(chosen.get(array, index) == index for array, index in where)
        if fits and _consistent(chosen | dict(where), places[1:]):
            return True
    return False


def leaves(document: dict[str, Any], wanted: set[str]) -> Values:
    """The values of a JSON document by path, "a.b" for b in a, as far as they are wanted. Elements of arrays each
    count. A dot in a name is like a level of nesting (recorded)."""
    values: Values = {}
    arrays = 0
    queue: list[tuple[str, Any, Where]] = [("", document, ())]
    for path, value, where in queue:  # it grows meanwhile
        if isinstance(value, dict):
            for name, inner in value.items():
                deeper = f"{path}.{name}" if path else name
                if deeper in wanted or any(key.startswith(deeper + ".") for key in wanted):
                    queue.append((deeper, inner, where))
        elif isinstance(value, list):
            arrays += 1
            queue += [(path, inner, (*where, (arrays, index))) for index, inner in enumerate(value)]
        elif path in wanted:
            values.setdefault(path, []).append((value, where))
    return values


def _words(leaf: Leaf) -> str:
    shown = [rule.words for rule in leaf.rules[:4]] + ["..."] * (len(leaf.rules) > 4)
    return " or ".join(shown)
