"""A case: one situation in which a learner's function is tried, as data.

A case is a frozen dataclass of small whole numbers, its dials. Zero (or the lowest value) is the harmless setting.
Cases are ordered by their dials, the first dial first: the smallest failing case is the least of them in this order, so
a dial stands the earlier, the less one wants to read about it. The seed comes last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields
from typing import Any, NamedTuple

_ORDINALS = ("", "1st", "2nd", "3rd", "4th", "5th")
HIGHEST = 100  # the search draws from no larger range: Hypothesis mixes constants of the source into larger ones


class Dial(NamedTuple):
    """What a dial may be, and how a value reads; values that read as "" are not mentioned."""

    low: int
    high: int
    words: Callable[[int], str]


def counted(n: int, noun: str) -> str:
    """ "1 order", "3 orders"."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def dial(low: int, high: int, words: str | Callable[[int], str]) -> Any:
    """A field of a case: from `low` (the default) to `high`. `words` is a noun to count, or a function from a value to
    words.
    """
    if not 0 <= low <= high <= HIGHEST:
        raise ValueError(f"low={low!r}, high={high!r}: needs 0 <= low <= high <= {HIGHEST}")
    say = words if callable(words) else lambda n, noun=words: counted(n, noun)
    return field(default=low, metadata={"dial": Dial(low, high, say)})


class Case:
    """Derive from it, as a frozen dataclass with order, and declare the dials; `seed` is one of them."""

    seed: int

    @classmethod
    def dials(cls) -> dict[str, Dial]:
        """All dials by name, in the order in which cases are compared."""
        return {f.name: f.metadata["dial"] for f in fields(cls)}  # type: ignore[arg-type]

    def __str__(self) -> str:
        spoken = (d.words(getattr(self, name)) for name, d in self.dials().items())
        return ", ".join(text for text in spoken if text)


def seeds(high: int = 20) -> Any:
    """The dial for the seed, 0 to `high`."""
    return dial(0, high, lambda n: f"seed {n}")


def crash(noun: str, steps: int) -> Any:
    """A dial for a crash: 0 for none, else in one of the first `steps` pieces of work (`noun`), before or after it is
    done.
    """

    def words(setting: int) -> str:
        step, after = crash_point(setting)
        moment = "right after" if after else "just before the end of"
        return f"a crash {moment} the {_ORDINALS[step]} {noun}" if setting else ""

    return dial(0, 2 * steps, words)


def crash_point(setting: int) -> tuple[int, bool]:
    """Which piece of work a crash dial means (from 1; 0: none), and whether the crash comes after it is done."""
    step, after = divmod(setting + 1, 2)
    return step, bool(after)
