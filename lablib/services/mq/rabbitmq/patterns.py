"""Does a name fit a regular expression? With a bound on the work, as RabbitMQ has: Erlang's `re` is PCRE, in which a
search that takes too many steps ends as no match. Python's own would go on for ever ("(a+)+$").

The expression is read by Python's parser; what matches one character or none is left to Python, too.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]
from typing import Any

_STEPS = 30_000  # PCRE's match_limit is 10 million; a name has 255 bytes, and ordinary patterns take some hundred steps


class Unfit(ValueError):
    """It is no pattern, or one that the lab does not match: the text says why."""


class _TooMuch(Exception): ...


@lru_cache(maxsize=256)
def found(pattern: str, name: str) -> bool:
    """Does the pattern fit somewhere in the name?"""
    return Pattern(pattern).found_in(name)


class Pattern:
    """A regular expression. Raises Unfit."""

    def __init__(self, text: str) -> None:
        try:
            with warnings.catch_warnings():  # of what later versions of Python may read in another way
                warnings.simplefilter("ignore")
                re.compile(text)
                self._tree = _parser.parse(text)
        except RecursionError:  # its text is another one in each version of Python
            raise Unfit("pattern is not a valid regular expression: it is nested too deeply") from None
        except (re.error, OverflowError) as error:
            raise Unfit(f"pattern is not a valid regular expression: {error}") from None
        if "GROUPREF" in repr(self._tree):
            raise Unfit("back references in patterns are not simulated in this lab")
        self._leaves: dict[tuple[Any, int, int], re.Pattern[str]] = {}
        self._left = 0

    def found_in(self, name: str) -> bool:
        """Does it fit somewhere in the name?"""
        self._left = _STEPS
        try:
            return any(
                self._end(self._tree, name, at, self._tree.state.flags) is not None for at in range(len(name) + 1)
            )
        except _TooMuch:
            return False

    def _end(self, items: Any, name: str, at: int, flags: int) -> int | None:
        """Where it ends when it begins at `at`; None when it does not fit there. `todo`: what is to be tried, the last
        first: what is still to come, as a list of pairs, and where."""
        todo: list[tuple[Any, int]] = [(_before(items, flags, None), at)]
        while todo:
            rest, at = todo.pop()
            if rest is None:
                return at
            self._left -= 1
            if self._left < 0:
                raise _TooMuch
            (op, value, flags), rest = rest
            if op is _constants.SUBPATTERN:
                _, more, less, inner = value
                todo.append((_before(inner, (flags | more) & ~less, rest), at))
            elif op is _constants.BRANCH:
                todo += [(_before(inner, flags, rest), at) for inner in reversed(value[1])]
            elif op in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
                least, most, inner, *begun = value
                idle = begun == [at]  # a turn of it took nothing: so do those that are still to come
                ways = [(rest, at)] if least == 0 or idle else []
                if most > 0 and not idle:
                    fewer = max(0, least - 1), most if most is _constants.MAXREPEAT else most - 1, inner, at
                    ways.append((_before(inner, flags, ((op, fewer, flags), rest)), at))
                todo += ways if op is _constants.MAX_REPEAT else reversed(ways)
            elif op in (_constants.ASSERT, _constants.ASSERT_NOT):
                direction, inner = value
                begin = at if direction > 0 else at - inner.getwidth()[0]
                there = begin >= 0 and self._end(inner, name, begin, flags) is not None
                if there == (op is _constants.ASSERT):
                    todo.append((rest, at))
            elif op in (_constants.ATOMIC_GROUP, _constants.POSSESSIVE_REPEAT):
                inner = value if op is _constants.ATOMIC_GROUP else [(_constants.MAX_REPEAT, value)]
                end = self._end(inner, name, at, flags)
                if end is not None:
                    todo.append((rest, end))
            elif (found := self._leaf(op, value, flags).match(name, at)) is not None:
                todo.append((rest, found.end()))
        return None

    def _leaf(self, op: Any, value: Any, flags: int) -> re.Pattern[str]:
        key = op, id(value), flags
        if key not in self._leaves:
            leaf = _parser.SubPattern(self._tree.state, [(op, value)])
            self._leaves[key] = _compiler.compile(leaf, flags)
        return self._leaves[key]


def _before(items: Any, flags: int, rest: Any) -> Any:
    """What comes first, then `rest`."""
    for op, value in reversed(list(items)):
        rest = (op, value, flags), rest
    return rest
