"""What measures are made of: series over time, and numbers with their units."""

from __future__ import annotations

import heapq
import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lablib.scenarios.param import of_one

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Floats = Sequence[float]


class Series:
    """A measure over time, with a label and a unit to show. `shape` "step": the value is y[i] from t[i] on; "line":
    it goes straight from point to point, and jumps where two points have the same time. The last point stands at the
    end of the run. `times` and `values` are plain sequences; `t` and `y` the same as numpy arrays.
    """

    def __init__(
        self, name: str, label: str, unit: str, t: Any, y: Any, shape: Literal["step", "line"] = "step"
    ) -> None:
        self.name, self.label, self.unit, self.shape = name, label, unit, shape
        self.times: Any = t
        self.values: Any = y

    @property
    def t(self) -> Array:
        """The times of the points."""
        import numpy as np

        return np.asarray(self.times, float)

    @property
    def y(self) -> Array:
        """The values of the points."""
        import numpy as np

        return np.asarray(self.values, float)

    def replaced(self, t: Any = None, y: Any = None) -> Series:
        """The same series with other points."""
        times, values = self.times if t is None else t, self.values if y is None else y
        return Series(self.name, self.label, self.unit, times, values, self.shape)

    def value(self, time: float) -> float:
        """The value at a time."""
        t, y = self.times, self.values
        i = bisect_right(t, time) - 1
        if i < 0 or self.shape == "step" or i + 1 == len(t):
            return float(y[i]) if i >= 0 else 0.0
        length = t[i + 1] - t[i]
        return float(y[i] + ((y[i + 1] - y[i]) / length * (time - t[i]) if length > 0 else 0.0))

    def at(self, times: Any) -> Array:
        """The values at these times, as a numpy array."""
        import numpy as np

        x, t, y = np.asarray(times, float), self.t, self.y
        i = np.searchsorted(t, x, "right") - 1
        value = np.where(i >= 0, y[i], 0.0)
        if self.shape == "step":
            return value
        j = np.minimum(i + 1, len(t) - 1)
        length = t[j] - t[i]
        slope = np.divide(y[j] - y[i], length, out=np.zeros_like(length), where=length > 0)
        return np.where(i >= 0, value + slope * (x - t[i]), 0.0)

    @property
    def max(self) -> float:
        """The highest value."""
        return float(max(self.values))

    @property
    def last(self) -> float:
        """The value at the end."""
        return float(self.values[-1])


class Number(NamedTuple):
    """One result: what it is called, its value, its unit, and both as they are shown."""

    label: str
    value: float
    unit: str
    text: str


def totals(changes: Iterable[tuple[float, int]]) -> tuple[array[float], array[float]]:
    """Changes in the order of time, added up: one point a time, the first at 0."""
    t, y, now = array("d", [0.0]), array("d", [0.0]), 0
    for time, by in changes:
        now += by
        if time == t[-1]:
            y[-1] = now
        else:
            t.append(time)
            y.append(now)
    return t, y


def steps(changes: Iterable[tuple[float, int]], until: float) -> tuple[array[float], array[float]]:
    """Points of a step series from changes in the order of time: as `totals`, and the last point at the end."""
    t, y = totals(changes)
    if t[-1] < until or len(t) == 1:
        t.append(max(until, t[-1]))
        y.append(y[-1])
    return t, y


def percentile(values: Iterable[float], percent: float) -> float:
    """The value that `percent` % do not exceed, between two of them in proportion; nan when there is none."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ages(events: Iterable[tuple[float, Any, bool]], until: float) -> tuple[array[float], array[float]]:
    """Points of the age of the oldest thing, from comings and goings in the order of time. What returns keeps its
    first time.
    """
    since: dict[Any, float] = {}
    there: set[Any] = set()
    heap: list[tuple[float, int, Any]] = []
    t, y, old = [0.0], [0.0], math.inf
    for serial, (time, name, comes) in enumerate(events):
        if comes:
            there.add(name)
            heapq.heappush(heap, (since.setdefault(name, time), serial, name))
        else:
            there.discard(name)
        while heap and heap[0][2] not in there:
            heapq.heappop(heap)
        new = heap[0][0] if heap else math.inf
        if new != old:
            t += [time, time]
            y += [max(0.0, time - old), max(0.0, time - new)]
            old = new
    end = max(until, t[-1])
    return array("d", [*t, end]), array("d", [*y, max(0.0, end - old)])


def number(label: str, value: float, unit: str = "") -> Number:
    if math.isnan(value):
        return Number(label, value, unit, "not known" if unit == "$" else "none")
    if unit == "$":
        return Number(label, value, unit, f"${value:.6f}")
    text = f"{value:,.0f}" if not unit or _counts(unit) else f"{value:,.3f}" if abs(value) < 1 else f"{value:,.1f}"
    return Number(label, value, unit, f"{text} {of_one(unit) if text == '1' else unit}".strip())


def _counts(unit: str) -> bool:
    """Is it a name of things that are counted, such as "messages"?"""
    return len(unit) > 2 and unit.isalpha() and unit.endswith("s")


def late(handled: Iterable[tuple[int, int, Any]]) -> list[int]:
    """Disorder, as everything here counts it. `handled`: rows in which things were handled, in order, each with the
    row in which the thing was sent, and its line (a queue, a group, a shard). Those that come after one of the same
    line that was sent later.
    """
    newest: dict[Any, int] = {}
    found = []
    for row, sent, line in handled:
        if sent < newest.get(line, -1):
            found.append(row)
        newest[line] = max(sent, newest.get(line, -1))
    return found
