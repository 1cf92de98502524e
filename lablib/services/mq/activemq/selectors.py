"""Message selectors of JMS: SQL-92 conditions on a message's headers and properties.

Comparisons, AND, OR, NOT, BETWEEN, IN, LIKE with ESCAPE, IS [NOT] NULL, arithmetic. Three-valued logic: what is
compared with a missing property is unknown, and unknown is not true (Jakarta Messaging, "Message selectors"). STOMP's
headers are all texts; ActiveMQ turns them into numbers where a number is asked for ("convert_string_expressions").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lablib.services.mq.activemq.destinations import Message

Test = Callable[["Message"], Any]  # a value, None for unknown
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+|\d+[lL]?)|(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_$][\w$.]*)"
    r"|(?P<sign><>|<=|>=|[=<>+\-*/(),]))"
)
_DEEPEST = 100


class SelectorError(ValueError):
    """A text that is no selector."""


def parse(text: str) -> Callable[[Message], bool]:
    """The test that a selector stands for. Raises SelectorError."""
    parser = _Parser(text)
    test = parser.any_of()
    if parser.token is not None:
        raise parser.wrong()
    return lambda message: test(message) is True


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.depth = text, 0
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.wrong()
            kind = match.lastgroup or ""
            self.tokens.append((kind, match[kind]))
            at = match.end()
        self.tokens.reverse()

    def wrong(self) -> SelectorError:
        return SelectorError(self.text)  # ActiveMQ's message is the selector itself

    @property
    def token(self) -> str | None:
        """The next token; a keyword or a sign in capitals, None at the end."""
        if not self.tokens:
            return None
        kind, value = self.tokens[-1]
        return value.upper() if kind in ("name", "sign") else value

    def take(self, *expected: str) -> str:
        """Take the next token when it is one of these, else nothing ("")."""
        if self.tokens and self.tokens[-1][0] in ("name", "sign") and self.token in expected:
            return self.tokens.pop()[1].upper()
        return ""

    def need(self, expected: str) -> None:
        if not self.take(expected):
            raise self.wrong()

    # Each level reads what binds more tightly first.

    def any_of(self) -> Test:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.wrong()
        left = self.all_of()
        while self.take("OR"):
            left = _logic(left, self.all_of(), True)
        self.depth -= 1
        return left

    def all_of(self) -> Test:
        left = self.negated()
        while self.take("AND"):
            left = _logic(left, self.negated(), False)
        return left

    def negated(self) -> Test:
        odd = False
        while self.take("NOT"):
            odd = not odd
        test = self.condition()
        return (lambda m: None if (v := _truth(test(m))) is None else not v) if odd else test

    def condition(self) -> Test:
        left = self.sum()
        if sign := self.take("=", "<>", "<", "<=", ">", ">="):
            right = self.sum()
            return lambda m: _compare(sign, left(m), right(m))
        if self.take("IS"):
            wanted = not self.take("NOT")
            self.need("NULL")
            return lambda m: (left(m) is None) is wanted
        no = bool(self.take("NOT"))
        if self.take("BETWEEN"):
            low = self.sum()
            self.need("AND")
            high = self.sum()
            test: Test = _logic(
                lambda m: _compare(">=", left(m), low(m)), lambda m: _compare("<=", left(m), high(m)), False
            )
        elif self.take("IN"):
            self.need("(")
            among = [self.literal()]
            while self.take(","):
                among.append(self.literal())
            self.need(")")
            test = lambda m: None if left(m) is None else left(m) in among  # noqa: E731
        elif self.take("LIKE"):
            like, escape = self.literal(), ""
            if self.take("ESCAPE"):
                escape = self.literal()
            pattern = _like(like, escape)
            test = lambda m: None if left(m) is None else bool(pattern.fullmatch(str(left(m))))  # noqa: E731
        elif no:
            raise self.wrong()
        else:
            return left
        return (lambda m: None if (v := test(m)) is None else not v) if no else test

    def literal(self) -> str:
        if not self.tokens or self.tokens[-1][0] != "text":
            raise self.wrong()
        return self.tokens.pop()[1][1:-1].replace("''", "'")

    def sum(self) -> Test:
        left = self.product()
        while sign := self.take("+", "-"):
            left = _calculate(sign, left, self.product())
        return left

    def product(self) -> Test:
        left = self.atom()
        while sign := self.take("*", "/"):
            left = _calculate(sign, left, self.atom())
        return left

    def atom(self) -> Test:
        if self.take("("):
            inner = self.any_of()
            self.need(")")
            return inner
        if sign := self.take("-", "+"):
            self.depth += 1
            if self.depth > _DEEPEST:
                raise self.wrong()
            return _calculate(sign, lambda m: 0, self.atom())
        if not self.tokens or self.tokens[-1][0] == "sign":
            raise self.wrong()
        kind, value = self.tokens.pop()
        if kind == "number":
            if "." not in value and len(value.rstrip("lL")) > 19:  # more than a Long
                raise self.wrong()
            number = float(value) if "." in value else int(value.rstrip("lL"))
            return lambda m: number
        if kind == "text":
            text = value[1:-1].replace("''", "'")
            return lambda m: text
        if (word := value.upper()) in ("TRUE", "FALSE"):
            return lambda m: word == "TRUE"
        if word in ("AND", "OR", "NOT", "BETWEEN", "LIKE", "IN", "IS", "ESCAPE", "NULL"):
            raise self.wrong()
        return lambda m: _property(m, value)


def _property(message: Message, name: str) -> Any:
    if name in _HEADERS:
        return _HEADERS[name](message)
    return message.properties.get(name)


_HEADERS: dict[str, Callable[[Message], Any]] = {
    "JMSPriority": lambda m: m.priority,
    "JMSTimestamp": lambda m: m.timestamp,
    "JMSMessageID": lambda m: m.id,
    "JMSDeliveryMode": lambda m: "PERSISTENT" if m.persistent else "NON_PERSISTENT",
    "JMSCorrelationID": lambda m: m.headers.get("correlation-id"),
    "JMSType": lambda m: m.headers.get("type"),
}


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) or value is None else None


def _logic(left: Test, right: Test, decides: bool) -> Test:
    """OR when `decides` is True, AND when it is False."""

    def test(message: Message) -> bool | None:
        a = _truth(left(message))
        if a is decides:
            return decides
        b = _truth(right(message))
        return decides if b is decides else None if a is None or b is None else not decides

    return test


def _numbers(a: Any, b: Any) -> tuple[Any, Any] | None:
    """Both as numbers, if one is one and the other can be one."""
    try:
        return tuple(v if isinstance(v, (int, float)) else float(v) if "." in v else int(v) for v in (a, b))  # type: ignore[return-value]
    except (TypeError, ValueError):
        return None


def _compare(sign: str, a: Any, b: Any) -> bool | None:
    if a is None or b is None:
        return None
    if isinstance(a, bool) or isinstance(b, bool):
        a, b = (v if isinstance(v, bool) else str(v).lower() == "true" for v in (a, b))
    elif not (isinstance(a, str) and isinstance(b, str)):
        pair = _numbers(a, b)
        if pair is None:
            return False
        a, b = pair
    if sign in ("=", "<>"):
        return bool((a == b) is (sign == "="))
    if isinstance(a, (str, bool)):
        return False  # texts have no order in a selector
    return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign])


def _calculate(sign: str, left: Test, right: Test) -> Test:
    def value(message: Message) -> Any:
        pair = _numbers(left(message), right(message))
        if pair is None:
            return None
        a, b = pair
        try:
            return a + b if sign == "+" else a - b if sign == "-" else a * b if sign == "*" else a / b
        except ArithmeticError:  # divided by zero, or too large
            return None

    return value


def _like(pattern: str, escape: str) -> re.Pattern[str]:
    """A pattern of LIKE: "%" for anything, "_" for one letter."""
    parts, letters = [""], iter(pattern)
    for letter in letters:
        if letter == "%":
            parts.append("")
        else:
            parts[-1] += (
                re.escape(next(letters, "")) if letter == escape else "." if letter == "_" else re.escape(letter)
            )
    if len(parts) == 1:
        return re.compile(parts[0], re.DOTALL)
    # Each part is taken where it is first found, and never looked for again: else "%a%a%a" would take for ever.
    first, *between, last = parts
    return re.compile(first + "".join(f"(?>.*?{part})" for part in between if part) + f".*{last}", re.DOTALL)
