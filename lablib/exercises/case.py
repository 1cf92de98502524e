"""A case: one situation in which a learner's function is tried, as data.

A case is a frozen dataclass of small whole numbers, its knobs. Zero (or the lowest value) is the harmless setting.
Cases are ordered by their knobs, the first knob first: the smallest failing case is the least of them in this order, so
a knob stands the earlier, the less one wants to read about it. The seed comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, fields, make_dataclass
from typing import Any, ClassVar, NamedTuple

from lablib.texts import counted as counted

HIGHEST = 100  # the search draws from no larger range: Hypothesis mixes constants of the source into larger ones
_ORDINALS = ("", "1st", "2nd", "3rd", "4th", "5th")


class Knob(NamedTuple):
    """What a knob may be, and how a value reads; values that read as "" are not mentioned."""

    low: int
    high: int
    words: Callable[[int], str]


def there(n: int, noun: str) -> str:
    """ "1 order is", "3 orders are": see `counted`."""
    return f"{counted(n, noun)} {'is' if n == 1 else 'are'}"


def cut(value: object, most: int = 60) -> str:
    """What Python shows of a value, and "..." where it is cut."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def number(noun: str, low: int, high: int) -> Knob:
    """So many of something, from `low` to `high`."""
    return Knob(low, high, lambda n: counted(n, noun))


def some(noun: str, high: int) -> Knob:
    """None, or up to `high` of something; none is not mentioned."""
    return Knob(0, high, lambda n: counted(n, noun) if n else "")


def flag(words: str) -> Knob:
    """Something happens, or not."""
    return Knob(0, 1, lambda n: words if n else "")


def one_of(choices: Sequence[Any]) -> Knob:
    """One of several things, each with words of its own (`str`); the harmless one first."""
    return Knob(0, len(choices) - 1, lambda n: str(choices[n]))


def scaled(words: str, high: int, low: int = 0, step: int = 1) -> Knob:
    """A setting in words with a format for the number times `step`: "the machine stops at {:d} s"; 0 is silent."""
    return Knob(low, high, lambda n: words.format(n * step) if n else "")


def crashes(noun: str, steps: int) -> Knob:
    """0 for no crash, else one in one of the first `steps` pieces of work (`noun`), before or after it is done."""

    def words(setting: int) -> str:
        step, after = crash_point(setting)
        moment = "right after" if after else "just before the end of"
        return f"a crash {moment} the {_ORDINALS[step]} {noun}" if setting else ""

    return Knob(0, 2 * steps, words)


def crash_point(setting: int) -> tuple[int, bool]:
    """Which piece of work a crash knob means (from 1; 0: none), and whether the crash comes after it is done."""
    step, after = divmod(setting + 1, 2)
    return step, bool(after)


class Case:
    """One setting of all knobs. Make a class of cases with `knobs`."""

    knobs: ClassVar[dict[str, Knob]] = {}
    seed: int

    def __getattr__(self, name: str) -> int:  # for readers of types: every knob is a whole number
        raise AttributeError(f"a case of this exercise has no knob {name!r}; it has {', '.join(self.knobs)}")

    def values(self) -> dict[str, int]:
        """All knobs by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def __str__(self) -> str:
        spoken = (knob.words(getattr(self, name)) for name, knob in self.knobs.items())
        return ", ".join(text for text in spoken if text)


def knobs(seeds: int = 20, **all: Knob) -> type[Case]:
    """A class of cases with these knobs, in the order in which cases are compared, and a seed from 0 to `seeds`.

    Raises ValueError for a range that is not allowed.
    """
    known = {**all, "seed": Knob(0, seeds, lambda n: f"seed {n}" if seeds else "")}
    for name, knob in known.items():
        if not 0 <= knob.low <= knob.high <= HIGHEST:
            raise ValueError(f"{name}: low={knob.low!r}, high={knob.high!r}: needs 0 <= low <= high <= {HIGHEST}")
    parts = [(name, int, field(default=knob.low)) for name, knob in known.items()]
    space = {"knobs": known, "__str__": Case.__str__, "__module__": __name__}
    return make_dataclass("Case", parts, bases=(Case,), namespace=space, frozen=True, order=True)
