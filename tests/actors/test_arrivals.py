"""Arrivals: gaps of luck, stretched by an intensity."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib.actors.arrivals import Arrivals, day, random_gaps, spike, steady_gaps
from lablib.kernel import Chance, Kernel


def times(gaps, intensity, until, changes=()):
    kernel, seen = Kernel(), []
    arrivals = Arrivals(kernel, gaps, intensity)

    def watch():
        while True:
            arrivals.wait()
            seen.append(kernel.now)

    kernel.spawn(watch)
    for at, change in changes:
        kernel.at(at, lambda change=change: (change(), arrivals.changed.fire()))
    kernel.run(until)
    kernel.close()
    return seen


def always(rate):
    return lambda now: (rate, math.inf)


def test_steady_arrivals_have_equal_distances():
    assert times(steady_gaps(), always(2.0), 2.0) == pytest.approx([0.5, 1.0, 1.5, 2.0])


def test_a_spike_has_its_rate_between_its_ends_only():
    seen = times(steady_gaps(), spike(1.0, 5.0, 10.0, 4.0), 20.0)
    assert [sum(a < t <= b for t in seen) for a, b in ((0, 10), (10, 14), (14, 20))] == [10, 20, 6]


def test_a_day_is_quiet_at_night_and_busy_at_noon_and_has_its_mean():
    seen = times(steady_gaps(), day(2.0, 480.0), 480.0)
    per_quarter = [sum(a < t <= a + 120 for t in seen) for a in (0, 120, 240, 360)]
    assert len(seen) == pytest.approx(960, abs=2)
    assert per_quarter[0] < per_quarter[1] / 2
    assert per_quarter[1] == pytest.approx(per_quarter[2], abs=2)


@given(rate=st.floats(0.1, 20), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_higher_rate_keeps_the_luck_of_each_arrival(rate, seed):
    one = times(random_gaps(Chance(seed).stream("a")), always(1.0), 30.0)
    other = times(random_gaps(Chance(seed).stream("a")), always(rate), 30.0 / rate)
    n = min(len(one), len(other))
    assert abs(len(one) - len(other)) <= 1
    assert other[:n] == pytest.approx([t / rate for t in one[:n]], abs=1e-4)


def test_random_arrivals_come_at_the_rate():
    assert len(times(random_gaps(Chance(1).stream("a")), always(5.0), 1000.0)) == pytest.approx(5000, rel=0.05)


def test_a_rate_that_changes_counts_from_then_on():
    rate = [1.0]
    seen = times(steady_gaps(), lambda now: (rate[0], math.inf), 6.0, [(2.5, lambda: rate.__setitem__(0, 4.0))])
    assert seen == pytest.approx([1, 2, 2.625, 2.875, *[3.125 + i / 4 for i in range(12)]])


def test_rate_zero_waits_for_a_change():
    rate = [0.0]
    seen = times(steady_gaps(), lambda now: (rate[0], math.inf), 5.0, [(3.0, lambda: rate.__setitem__(0, 1.0))])
    assert seen == pytest.approx([4.0, 5.0])
