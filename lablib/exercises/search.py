"""The search for the case that breaks a function. The only file that imports Hypothesis."""

from __future__ import annotations

from collections.abc import Callable

from lablib.exercises import progress
from lablib.exercises.case import Case

_SHRINK = 3  # after a case that fails, at most this many times as many trials to make it smaller


class _Found(Exception):
    """Tells Hypothesis that a case fails."""


def smallest_failing(
    space: type[Case], fails: Callable[[Case], bool], examples: int, within: Case | None = None
) -> Case | None:
    """The smallest case found that fails; None when all hold.

    Hypothesis draws at most `examples` cases, the same ones each time, and makes what fails smaller. In the end each
    knob is tried at its lowest, so that none is told of that does nothing. With `within`, a case that is known to fail,
    no knob is higher than there. `fails` is asked once a case. Trials are counted and time is not, so a slow machine
    finds the same case.
    """
    import hypothesis
    from hypothesis import configuration, strategies

    known: dict[Case, bool] = {within: True} if within else {}
    left = examples * (1 + _SHRINK)

    def look(case: Case) -> bool:
        nonlocal left
        if case not in known:
            left -= 1
            if left < 0:
                return False
            known[case] = fails(case)
        return known[case]

    highest = within.values() if within else {name: knob.high for name, knob in space.knobs.items()}
    drawn = {name: strategies.integers(knob.low, highest[name]) for name, knob in space.knobs.items()}

    @hypothesis.seed(0)
    @hypothesis.settings(
        database=None,
        deadline=None,
        max_examples=examples,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(strategies.builds(space, **drawn))
    def attempt(case: Case) -> None:
        if look(case):
            raise _Found

    configuration.set_hypothesis_home_dir(progress.home() / "hypothesis")  # else it writes into the current folder
    try:
        attempt()
    except _Found:
        pass
    finally:
        configuration.set_hypothesis_home_dir(None)
    smallest = min((case for case, failed in known.items() if failed), default=None)  # type: ignore[type-var]
    before = None
    while smallest and smallest != before:
        before = smallest
        for name, knob in space.knobs.items():
            lower = space(**{**smallest.values(), name: knob.low})
            if lower not in known:
                known[lower] = fails(lower)
            smallest = lower if known[lower] else smallest
    return smallest
