"""When things arrive: a stream of chance for the order of luck, stretched by an intensity that may change with time.

The model: the gaps between arrivals are drawn for an intensity of one a second (`Gaps`) and divided by the intensity
that holds while they pass. So the n-th arrival has the same luck whatever the rate is, a spike begins and ends at its
time, and a rate that is changed during a run changes only what comes after.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import repeat

from lablib.kernel import Kernel, Signal, Stream, exponential

Intensity = Callable[[float], tuple[float, float]]
"""From a time to the arrivals a second at that time, and the time until which they stay so (infinity: for ever)."""

_SLICES = 48  # steps in which a day's curve is followed: half an hour each


def steady_gaps() -> Iterator[float]:
    """One arrival after the other at equal distances."""
    return repeat(1.0)


def random_gaps(stream: Stream) -> Iterator[float]:
    """Arrivals that know nothing of each other (a Poisson process)."""
    one = exponential(1.0)
    while True:
        yield stream.draw(one)


def spike(base: float, factor: float, start: float, length: float) -> Intensity:
    """`base` a second, and `factor` times that for `length` seconds from `start`."""
    end = start + length

    def at(now: float) -> tuple[float, float]:
        if now < start:
            return base, start
        return (base * factor, end) if now < end else (base, math.inf)

    return at


def day(mean: float, period: float) -> Intensity:
    """A quiet night, a busy noon: `mean` a second over a `period` of that many seconds, a fifth of it at night."""
    step = period / _SLICES
    curve = [round(1 - 0.8 * math.cos(2 * math.pi * (i + 0.5) / _SLICES), 6) for i in range(_SLICES)]

    def at(now: float) -> tuple[float, float]:
        i = int(now / step + 1e-9)
        return mean * curve[i % _SLICES], (i + 1) * step

    return at


class Arrivals:
    """Waits from one arrival to the next. `changed` must be fired when the intensity becomes another than it
    announced.
    """

    def __init__(self, kernel: Kernel, gaps: Iterator[float], intensity: Intensity) -> None:
        self.changed = Signal(kernel)
        self._kernel = kernel
        self._gaps = gaps
        self._intensity = intensity

    def wait(self) -> None:
        """Block until the next arrival."""
        kernel = self._kernel
        gap = next(self._gaps)
        while True:
            begin = kernel.now
            rate, end = self._intensity(begin)
            needed = round(gap / rate, 6) if rate > 0 else math.inf
            if begin + needed <= end and needed < math.inf:
                if not kernel.wait(self.changed, needed):
                    return
            else:
                kernel.wait(self.changed, end - begin if end < math.inf else None)
            gap = max(0.0, gap - (kernel.now - begin) * rate)
