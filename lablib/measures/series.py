"""What measures are made of: series over time, and numbers with their units."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Series(NamedTuple):
    """A measure over time, with a label and a unit to show. `shape` "step": the value is y[i] from t[i] on; "line":
    it goes straight from point to point, and jumps where two points have the same time. The last point stands at the
    end of the run.
    """

    name: str
    label: str
    unit: str
    t: Array
    y: Array
    shape: Literal["step", "line"] = "step"

    def at(self, times: Any) -> Array:
        """The values at these times."""
        x = np.asarray(times, float)
        i = np.searchsorted(self.t, x, "right") - 1
        value = np.where(i >= 0, self.y[i], 0.0)
        if self.shape == "step":
            return value
        j = np.minimum(i + 1, len(self.t) - 1)
        length = self.t[j] - self.t[i]
        slope = np.divide(self.y[j] - self.y[i], length, out=np.zeros_like(length), where=length > 0)
        return np.where(i >= 0, value + slope * (x - self.t[i]), 0.0)

    @property
    def max(self) -> float:
        """The highest value."""
        return float(self.y.max())

    @property
    def last(self) -> float:
        """The value at the end."""
        return float(self.y[-1])


class Number(NamedTuple):
    """One result: what it is called, its value, its unit, and both as they are shown."""

    label: str
    value: float
    unit: str
    text: str


def steps(times: Array, changes: Array, until: float) -> tuple[Array, Array]:
    """Points of a step series from changes in the order of time: one point a time, the first at 0, the last at the
    end.
    """
    t = np.concatenate(([0.0], times, [max(until, times[-1] if len(times) else 0.0)]))
    y = np.concatenate(([0], np.cumsum(changes), [changes.sum()])).astype(float)
    last = np.append(t[1:] != t[:-1], True)
    return t[last], y[last]


def ages(events: Iterable[tuple[float, Any, bool]], until: float) -> tuple[Array, Array]:
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
    return np.array([*t, end]), np.array([*y, max(0.0, end - old)])


def number(label: str, value: float, unit: str = "") -> Number:
    if math.isnan(value):
        return Number(label, value, unit, "none")
    if unit == "$":
        return Number(label, value, unit, f"${value:.6f}")
    text = f"{value:,.0f}" if unit in ("", "messages") else f"{value:,.3f}" if abs(value) < 1 else f"{value:,.1f}"
    return Number(label, value, unit, f"{text} {unit}".strip())
