"""The search for the case that breaks a function. The only file that imports Hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lablib.exercises import progress
from lablib.exercises.case import Case
from lablib.kernel.stdlib.clocks import real_perf_counter

C = TypeVar("C", bound=Case)


class _Found(Exception):
    """Tells Hypothesis that a case fails."""


def smallest_failing(
    space: type[C], fails: Callable[[C], bool], examples: int, seconds: float
) -> tuple[C | None, bool]:
    """The smallest case found that fails, None when all hold; and whether the search came to its end.

    Hypothesis draws at most `examples` cases, the same ones each time, and shrinks what fails. After `seconds` of real
    time no further case is tried. `fails` is asked once a case.
    """
    import hypothesis
    from hypothesis import configuration, strategies

    known: dict[C, bool] = {}
    end = real_perf_counter() + seconds
    complete = True

    def look(case: C) -> bool:
        nonlocal complete
        if case not in known:
            if real_perf_counter() > end:
                complete = False
                return False
            known[case] = fails(case)
        return known[case]

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
    @hypothesis.given(
        strategies.builds(space, **{n: strategies.integers(d.low, d.high) for n, d in space.dials().items()})
    )
    def attempt(case: C) -> None:
        if look(case):
            raise _Found

    configuration.set_hypothesis_home_dir(progress.home() / "hypothesis")  # else it writes into the current folder
    try:
        attempt()
    except _Found:
        pass
    finally:
        configuration.set_hypothesis_home_dir(None)
    return min((case for case, failed in known.items() if failed), default=None), complete  # type: ignore[type-var]
