"""Chance: one seed, many independent named streams.

Each name has its own stream, so an actor that is added draws from a stream of its own and changes what nobody else
draws. Only `Random.random()` is used, whose sequence Python promises to keep; what is computed from it with logarithms
is rounded to whole microseconds, so that the last bit of a platform's mathematics library does not show.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from random import Random
from statistics import NormalDist
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution of durations or amounts, given by its quantile function."""

    name: str
    quantile: Callable[[float], float]
    mean: float

    def at(self, u: float) -> float:
        """The value below which a share `u` of all draws lies, 0 <= u < 1, rounded to six decimals."""
        return round(self.quantile(u), 6)

    def __repr__(self) -> str:
        return self.name


def fixed(value: float) -> Distribution:
    """Always `value`."""
    return Distribution(f"fixed({value:g})", lambda u: value, value)


def uniform(low: float, high: float) -> Distribution:
    """Every value from `low` to `high` is as likely as any other."""
    if not low <= high:
        raise ValueError(f"low={low!r}, high={high!r}: low must not be above high")
    return Distribution(f"uniform({low:g}, {high:g})", lambda u: low + (high - low) * u, (low + high) / 2)


def exponential(mean: float) -> Distribution:
    """Times between independent events that come `1/mean` times a second: many short ones, a few long ones."""
    if not mean >= 0:
        raise ValueError(f"mean={mean!r}: must be zero or more")
    return Distribution(f"exponential({mean:g})", lambda u: -mean * math.log(1.0 - u), mean)


@lru_cache(maxsize=256)
def lognormal(median: float, p95: float) -> Distribution:
    """Latencies and work times as they are in practice: half below `median`, 5 % above `p95`, with a long tail."""
    if not 0 < median <= p95:
        raise ValueError(f"median={median!r}, p95={p95!r}: needs 0 < median <= p95")
    normal = NormalDist()
    sigma = math.log(p95 / median) / normal.inv_cdf(0.95)
    return Distribution(
        f"lognormal(median={median:g}, p95={p95:g})",
        lambda u: median * math.exp(sigma * normal.inv_cdf(min(max(u, 1e-9), 1 - 1e-9))),
        median * math.exp(sigma * sigma / 2),
    )


class Stream:
    """Independent random numbers under one name. Made by `Chance.stream`."""

    __slots__ = ("_generator", "random")

    def __init__(self, seed: int) -> None:
        self._generator = Random(seed)  # a reference that keeps `random` alive
        self.random: Callable[[], float] = self._generator.random

    def uniform(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        return low + (high - low) * self.random()

    def integer(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return int(self.random() * n)

    def coin(self, p: float) -> bool:
        """True with probability `p`."""
        return self.random() < p

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`."""
        return items[int(self.random() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All of `items`, in random order."""
        result = list(items)
        for i in range(len(result) - 1, 0, -1):
            j = int(self.random() * (i + 1))
            result[i], result[j] = result[j], result[i]
        return result

    def sample(self, weights: Sequence[float], k: int) -> list[int]:
        """`k` different positions of `weights`, drawn one after the other, each in proportion to its weight."""
        left = list(range(len(weights)))
        total = sum(weights)
        chosen = []
        for _ in range(min(k, len(left))):
            x = self.random() * total
            place = 0
            while place < len(left) - 1 and x >= weights[left[place]]:
                x -= weights[left[place]]
                place += 1
            total -= weights[left[place]]
            chosen.append(left.pop(place))
        return chosen

    def draw(self, distribution: Distribution) -> float:
        """A value of `distribution`."""
        return distribution.at(self.random())


class Chance:
    """All randomness of a run. `seed` is any whole number."""

    def __init__(self, seed: int) -> None:
        if not isinstance(seed, numbers.Integral) or isinstance(seed, bool):
            raise TypeError(f"seed={seed!r}: must be a whole number")
        self.seed: int = int(seed)
        self._streams: dict[str, Stream] = {}
        self._series: dict[str, list[Any]] = {}

    def stream(self, name: str) -> Stream:
        """The stream of that name; the same name gives the same stream."""
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = Stream(self._hash("stream", name))
        return found

    def keyed(self, name: str, key: object) -> float:
        """A number in [0, 1) that depends on the seed, `name` and `key` only, not on what was drawn before.

        Properties of a thing (how long this video takes) are drawn this way: they stay the same when a setting changes.
        """
        return (self._hash(name, str(key)) >> 75) / (1 << 53)

    def uuid(self, name: str) -> str:
        """The next identifier of the series `name`, in the form of a UUID: a counter, scrambled so that it shows no
        order."""
        series = self._series.get(name)
        if series is None:
            h = f"{self._hash('uuid', name):032x}"
            series = self._series[name] = [f"{h[:8]}-{h[8:12]}-4{h[12:15]}-a{h[15:18]}-", int(h[20:], 16)]
        series[1] = (series[1] + 0x9E3779B97F4B) & 0xFFFFFFFFFFFF  # odd: no repetition in 2**48 steps
        return f"{series[0]}{series[1] * 0x5851F42D4C95 & 0xFFFFFFFFFFFF:012x}"

    def _hash(self, *parts: str) -> int:
        text = "\0".join((str(self.seed), *parts))
        return int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big")
