"""Virtual time: the heap of things to come."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.kernel import Kernel


@pytest.fixture
def kernel():
    k = Kernel()
    yield k
    k.close()


def test_the_clock_jumps_to_each_event_and_ends_at_the_given_time(kernel):
    seen = []
    kernel.at(4 * 86400, lambda: seen.append(kernel.now))
    kernel.run(until=5 * 86400)
    assert seen == [4 * 86400]
    assert kernel.now == 5 * 86400


def test_ties_are_first_in_first_out(kernel):
    seen = []
    for i in range(50):
        kernel.at(1.0, seen.append, i)
    kernel.run(until=1.0)
    assert seen == list(range(50))


@given(st.lists(st.floats(0, 100), max_size=40))
def test_events_happen_in_the_order_of_time_and_then_of_arrival(times):
    kernel, seen = Kernel(), []
    for i, time in enumerate(times):
        kernel.at(time, seen.append, (time, i))
    kernel.run(until=100)
    assert seen == sorted((time, i) for i, time in enumerate(times))


def test_a_cancelled_timer_never_calls_back(kernel):
    seen = []
    timer = kernel.after(1, seen.append, "cancelled")
    kernel.after(1, seen.append, "kept")
    timer.cancel()
    timer.cancel()
    kernel.advance(2)
    assert seen == ["kept"]


def test_a_callback_may_cancel_another_of_the_same_instant(kernel):
    seen = []
    kernel.at(1, lambda: later.cancel())
    later = kernel.at(1, seen.append, "never")
    kernel.advance(2)
    assert seen == []


def test_step_lets_one_thing_happen(kernel):
    seen = []
    kernel.at(1, seen.append, "a")
    kernel.at(2, seen.append, "b")
    assert kernel.step() and seen == ["a"] and kernel.now == 1
    assert kernel.step() and seen == ["a", "b"] and kernel.now == 2
    assert not kernel.step()


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf])
def test_a_duration_must_be_finite_and_not_negative(kernel, bad):
    for call in (lambda: kernel.after(bad, print), lambda: kernel.advance(bad), lambda: kernel.sleep(bad)):
        with pytest.raises(ValueError, match="must be a number of seconds, zero or more"):
            call()
    with pytest.raises(ValueError, match=r"time=.*: must be a finite number, not before now \(0\.0\)"):
        kernel.at(bad, print)


def test_running_backwards_is_an_error(kernel):
    kernel.run(until=10)
    with pytest.raises(ValueError, match=r"until=5: must not be before now \(10 s\)"):
        kernel.run(until=5)
    assert kernel.now == 10


def test_an_error_in_a_callback_reaches_whoever_runs_the_clock(kernel):
    kernel.at(1, lambda: 1 / 0)
    kernel.spawn(kernel.sleep, 5, name="bystander")
    with pytest.raises(ZeroDivisionError):
        kernel.advance(10)
    kernel.advance(10)
    assert kernel.processes["bystander"].alive is False
