"""Rules on events, as filter policies of SNS and filter criteria of Lambda have them: read, and matched with values.

Sources: SNS developer guide, the pages on string, numeric and key matching and on AND/OR logic; texts of errors as
recorded from AWS by public test suites, and as in AWS's published rule engine, from which they come. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple, NoReturn

LARGEST = 1_000_000_000  # numbers reach from -LARGEST to LARGEST, with DIGITS digits after the decimal point
DIGITS = 5
MOST_COMBINATIONS = 150

_OPERATORS = ("prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr")
_RESERVED = frozenset((*_OPERATORS, "exactly"))
_SOURCE_SHOWN = 500  # characters of the policy that an error quotes


@dataclass(frozen=True, slots=True)
class Rule:
    """One alternative for a key: what it wants in words, and whether it accepts a value. `absent`: it wants none."""

    words: str
    accepts: Callable[[Any], bool]
    absent: bool = False


class Leaf(NamedTuple):
    """The alternatives for one key; `path` is the key and its parents."""

    path: tuple[str, ...]
    rules: tuple[Rule, ...]


Branch = dict[str, Leaf]  # all of these keys must match; a policy with $or has several branches


class MalformedRule(Exception):
    """AWS does not accept this; its text says why, and where in the JSON."""


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
    """It wants a value, and another one than these."""
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
    """Do the pieces stand in the value, in this order, the first at its begin and the last at its end?"""
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


class _Token(NamedTuple):
    """A token of JSON. `seen` is how far the reader has looked when it takes the token, `end` where the token ends."""

    kind: str  # { } [ ] name string number literal
    value: Any
    seen: int
    end: int


_LEXEME = re.compile(r'[{}\[\],:]|"(?:[^"\\]|\\.)*"|[^{}\[\],:"]+')


def _tokens(text: str) -> Iterator[_Token]:
    """AWS's reader looks at the quote that opens a string and no further, and behind a name at once at its value: so
    the columns in its errors."""
    found: list[_Token] = []
    for match in _LEXEME.finditer(text):
        lexeme, start, end = match[0], match.start(), match.end()
        if lexeme == ":":
            found[-1] = found[-1]._replace(kind="name")
        elif lexeme in "{}[]":
            found.append(_Token(lexeme, lexeme, end, end))
        elif lexeme != ",":
            value = json.loads(lexeme)
            if isinstance(value, str):
                found.append(_Token("string", value, start + 1, end))
            else:
                found.append(_Token("number" if _is_number(value) else "literal", value, end, end))
    for index, token in enumerate(found):
        yield token._replace(seen=found[index + 1].seen) if token.kind == "name" else token


def _is_or(value: Any) -> bool:
    """Is it a relationship $or: at least two objects, none with an operator as a key? Else $or is a plain key."""
    objects = isinstance(value, list) and len(value) > 1 and all(isinstance(item, dict) for item in value)
    return objects and not any(name in _RESERVED for item in value for name in item)


class Compiler:
    """Reads a policy as AWS's rule engine does: one token after the other, the first mistake is the error."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        self._rest = _tokens(self._text)
        self._token = _Token("", None, 0, 0)

    def branches(self) -> list[Branch]:
        """What must match: one of these."""
        self._next()
        return self._object(self._document, (), [{}])

    def _next(self) -> str:
        self._token = next(self._rest)
        return self._token.kind

    def _refuse(self, text: str, read: bool = False) -> NoReturn:
        source, more = self._text[:_SOURCE_SHOWN], len(self._text) - _SOURCE_SHOWN
        truncated = f"[truncated {more} chars]" if more > 0 else ""
        column = (self._token.end if read else self._token.seen) + 1
        place = f'\n at [Source: (String)"{source}"{truncated}; line: 1, column: {column}]'
        raise MalformedRule(f"{text}{place}")

    def _object(self, document: dict[str, Any], path: tuple[str, ...], branches: list[Branch]) -> list[Branch]:
        while self._next() != "}":
            name = self._token.value
            inner = document[name]
            kind = self._next()
            if name == "$or" and _is_or(inner):
                branches = self._either(inner, path, branches)
            elif kind == "{":
                branches = self._object(inner, (*path, name), branches)
            elif kind == "[":
                leaf = Leaf((*path, name), tuple(self._rules()))
                branches = [branch | {".".join(leaf.path): leaf} for branch in branches]
            else:
                self._refuse(f'"{name}" must be an object or an array')
        if not document:
            self._refuse("Empty objects are not allowed")
        return branches

    def _either(self, objects: list[Any], path: tuple[str, ...], branches: list[Branch]) -> list[Branch]:
        either: list[Branch] = []
        for inner in objects:
            self._next()
            either += self._object(inner, path, branches)
            if len(either) > MOST_COMBINATIONS:
                raise MalformedRule("Filter policy is too complex")
        self._next()
        return either

    def _rules(self) -> Iterator[Rule]:
        empty = True
        while (kind := self._next()) != "]":
            empty = False
            if kind == "{":
                yield self._expression()
            elif kind == "[":
                self._refuse("Match value must be String, number, true, false, or null")
            else:
                yield _exactly(self._token.value)
        if empty:
            self._refuse("Empty arrays are not allowed")

    def _expression(self) -> Rule:
        """`{"prefix": "a"}` and its like."""
        if self._next() != "name":
            self._refuse("Match expression name not found")
        operator = self._token.value
        if operator in _PATTERNS:
            rule = _PATTERNS[operator](self._pattern(operator))
        elif operator == "exists":
            self._next()
            if self._token.value not in (True, False) or self._token.kind != "literal":
                self._refuse("exists match pattern must be either true or false.")
            rule = _EXISTS[self._token.value]
        elif operator == "numeric":
            rule = self._range()
        elif operator == "anything-but":
            rule = self._anything_but()
        else:
            self._refuse(f"Unrecognized match type {operator}")
        self._close()
        return rule

    def _close(self) -> None:
        if self._next() != "}":
            self._refuse("Only one key allowed in match expression")

    def _pattern(self, operator: str) -> str:
        if self._next() != "string":  # for cidr, AWS speaks of a prefix
            self._refuse(f"{'prefix' if operator == 'cidr' else operator} match pattern must be a string")
        pattern: str = self._token.value
        return pattern

    def _range(self) -> Rule:
        if self._next() != "[":
            self._refuse("Value of numeric must be an array.")
        if self._next() != "string":
            self._refuse(f"Invalid member in numeric match: {_plain(self._token.value)}")
        sign = self._token.value
        self._next()
        if sign not in _COMPARE:
            self._refuse(f"Unrecognized numeric range operator: {sign}")
        bounds = [(sign, self._bound("equals" if sign == "=" else sign))]
        if self._next() != "]":
            bounds.append(self._upper_bound(sign))
            if self._next() != "]":
                self._refuse("Too many terms in numeric range expression")
            if bounds[0][1] >= bounds[1][1]:
                self._refuse("Bottom must be less than top")
        return _numeric(bounds)

    def _upper_bound(self, lower: str) -> tuple[str, float]:
        if lower not in (">", ">="):
            self._refuse("Too many elements in numeric expression")
        if self._token.kind != "string":
            self._refuse(f"Bad value in numeric range: {_plain(self._token.value)}")
        sign = self._token.value
        if sign not in ("<", "<="):
            self._refuse(f"Bad numeric range operator: {sign}", read=True)
        self._next()
        return sign, self._bound(sign)

    def _bound(self, name: str) -> float:
        if self._token.kind != "number":
            self._refuse(f"Value of {name} must be numeric")
        value: float = self._token.value
        if not -LARGEST <= value <= LARGEST:
            self._refuse(f"Value must be between {-LARGEST} and {LARGEST}, inclusive")
        return value

    def _anything_but(self) -> Rule:
        kind = self._next()
        if kind == "{":
            return self._anything_but_pattern()
        if kind == "[":
            return _anything_but([_exactly(value) for value in self._list(("string", "number"))])
        if kind not in ("string", "number"):
            self._refuse("Value of anything-but must be an array or single string/number value.")
        return _anything_but([_exactly(self._token.value)])

    def _list(self, kinds: tuple[str, ...]) -> list[Any]:
        values, seen = [], []
        while (kind := self._next()) != "]":
            if kind not in kinds:
                self._refuse("Inside anything but list, start|null|boolean is not supported.")
            values.append(self._token.value)
            seen.append(kind)
        if len(set(seen)) != 1:
            both = "Inside anything but list, either all values are number or string, mixed type is not supported"
            self._refuse(both)
        return values

    def _anything_but_pattern(self) -> Rule:
        if self._next() != "name":
            self._refuse("Anything-But expression name not found")
        operator = self._token.value
        if operator not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            self._refuse(f"Unsupported anything-but pattern: {operator}")
        pattern = self._pattern(operator)
        if not pattern:
            self._refuse("Null prefix/suffix not allowed", read=True)
        self._close()
        return _anything_but([_PATTERNS[operator](pattern)])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


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
