"""Two runs side by side, and many runs on top of each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, takewhile, zip_longest
from typing import TYPE_CHECKING, Any

from lablib.kernel import Row, Trace
from lablib.measures import results
from lablib.measures.notable import Notable
from lablib.measures.series import Number, number

if TYPE_CHECKING:
    from lablib.measures.series import Array
    from lablib.scenarios import Action, Run, Scenario


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side: rows of (label, a, b, unit), the first event in which they differ, and the difference in
    words.
    """

    rows: list[tuple[str, float, float, str]]
    first_divergence: Notable | None
    sentence: str


# What a direct call names otherwise than a queue.
_SAME = {"requests": "sent", "answered": "done", "longest wait": "highest age of oldest"}


def compare(a: Run, b: Run) -> Comparison:
    """The numbers of two runs beside each other, under the same labels where one is a direct call. What only one of
    them has is nan in the other.
    """
    ours, theirs = _numbers(a), _numbers(b)
    for mine, its, run in ((ours, theirs, a), (theirs, ours, b)):
        if "dead letters" in its:
            mine.setdefault("dead letters", number("dead letters", run.measures.dead))
    rows = []
    for label in dict.fromkeys([*ours, *theirs]):
        one, other = ours.get(label), theirs.get(label)
        unit = (one or other).unit  # type: ignore[union-attr]
        rows.append((label, one.value if one else math.nan, other.value if other else math.nan, unit))
    parted = _parting(a, b)
    return Comparison(rows, parted, _sentence(ours, theirs, parted, {own.label for own in results.own(a.measures)}))


def _numbers(run: Run) -> dict[str, Number]:
    """A run's results by label."""
    found = {(label := _SAME.get(n.label, n.label)): n._replace(label=label) for n in run.measures.summary()}
    return (
        found
        if any(label == "lost" or label.endswith(" lost") for label in found)
        else {**found, "lost": number("lost", run.measures.lost)}
    )


def _parting(a: Run, b: Run) -> Notable | None:
    """The first event of one run that the other does not have."""
    index = first_difference(a.trace, b.trace)
    if index is None:
        return None
    run, which, row = min(_parted(a, b, index), key=lambda found: found[2].time)
    about, text = run.trace.where(subject=row.subject)[0] if row.subject else row, run.trace.describe(row)
    if about.index != row.index:
        event = run.trace.events[about.kind]
        word = "sent" if event.counts in ("sent", "published") else event.past
        text = f"the message that was {word} at {about.time:.3f} s: {text}"
    return Notable(row.time, row.index, "parting", f"The runs part at {row.time:.3f} s: in {which}, {text}.")


def _parted(a: Run, b: Run, index: int) -> list[tuple[Run, str, Row]]:
    """The events at which two runs part, that of B first. When only the scenery differs, its first row: `index`."""
    looked_at: list[list[int]] = [[], []]
    rows = [(run, which, seen) for (run, which), seen in zip(((b, "B"), (a, "A")), looked_at)]
    at = _first_unequal(*(_told(run.trace, _played(run.trace, seen), _by_appearance()) for run, _, seen in rows))
    found = [(run, which, run.trace[seen[at]]) for run, which, seen in rows if at < len(seen)]
    return found or [(run, which, run.trace[index]) for run, which, _ in rows if index < len(run.trace)]


def _played(trace: Trace, seen: list[int]) -> Iterator[int]:
    """The rows that are events, and not the scenery that is built before a run begins, with what confirms it. `seen`
    gets each: runs part early, and the rest is not looked at.
    """
    you, subjects = trace.code("you"), trace.column("subject")
    start = takewhile(lambda row: not row[1], zip(count(), trace.column("time"), trace.column("actor")))
    built = {i for i, _, actor in start if actor == you}
    about = {subjects[i] for i in built} - {0}
    is_played = {0: True, **dict.fromkeys(about, False)}
    for i, subject in enumerate(subjects):
        if subject not in is_played:
            is_played[subject] = trace.origin(i) not in about
        if is_played[subject] and i not in built:
            seen.append(i)
            yield i


def _told(trace: Trace, rows: Iterable[int], subject: Callable[[int], Any]) -> Iterator[tuple[Any, ...]]:
    """What rows say, for a comparison. How a call ends that began before does not count."""
    names, calls = trace.names, trace.api_kinds
    time, kind, resource, about, actor, until = (
        trace.column(name) for name in ("time", "kind", "resource", "subject", "actor", "until")
    )
    for i in rows:
        end = 0.0 if kind[i] in calls else until[i]
        yield time[i], names[kind[i]], names[resource[i]], names[actor[i]], end, subject(about[i])


def _by_appearance() -> Callable[[int], int]:
    """Numbers for subjects, in the order in which they come: their names differ in two runs of the same messages."""
    order: dict[int, int] = {}
    return lambda code: order.setdefault(code, len(order))


def _first_unequal(a: Iterable[Any], b: Iterable[Any]) -> int:
    """How many items two iterables have in common at their beginnings."""
    at = -1
    for at, (x, y) in enumerate(zip_longest(a, b)):
        if x != y:
            return at
    return at + 1


def first_difference(a: Trace, b: Trace) -> int | None:
    """The first row in which two traces differ; None when they are the same. How a call ends that began before does
    not count.
    """
    found = _first_unequal(
        *(zip(_told(trace, range(len(trace)), trace.name), trace.column("cause")) for trace in (a, b))
    )
    return None if found == len(a) == len(b) else found


def _sentence(a: dict[str, Number], b: dict[str, Number], parted: Notable | None, first: set[str]) -> str:
    """The difference in words. The labels `first` are the scenario's point, and come before all others; so does what
    was lost.
    """
    if parted is None:
        return "The two runs are the same."
    first = first | {label for label in a if label == "lost" or label.endswith(" lost")}
    changed = [x.label for x in a.values() if x.label in first and _differ(x, b.get(x.label))]
    told = [f"{label} {a[label].text} against {b[label].text}" for label in changed]
    told += [f"{x.label} {x.text} in B only" for x in b.values() if x.label not in a and x.value > 0]
    told += [
        f"{x.label} {x.text} against {b[x.label].text}"
        for x in a.values()
        if x.label not in first and _differ(x, b.get(x.label))
    ]
    if not told:
        return "The two runs differ in details, but not in these numbers."
    sentence = "; ".join(told[:5])
    return f"{sentence[0].upper()}{sentence[1:]}."


def _differ(number: Number, other: Number | None) -> bool:
    return other is not None and number.text != other.text


@dataclass(frozen=True)
class Band:
    """What many seeds give, at the times `t`: one run in ten lies below `low`, half below `mid`, nine in ten below
    `high`.
    """

    t: Array
    low: Array
    mid: Array
    high: Array


def band(
    scenario: Scenario,
    seeds: int = 30,
    measure: str = "depth",
    actions: Iterable[Action] = (),
    until: float | None = None,
    limits: Any = "2023",
    points: int = 201,
    progress: Callable[[int, int], None] | None = None,
) -> Band:
    """Run the scenario with the seeds 0 to `seeds` - 1 and lay the runs over each other.

    `measure` is a name that `Measures.series` knows; `progress(done, of)` is called after each run. Raises ValueError.
    """
    slices = enumerate(bands(scenario, seeds, measure, actions, until, limits, points), 1)
    for done, so_far in slices:
        found = so_far
        if progress:
            progress(done, seeds)
    return found()


def bands(
    scenario: Scenario,
    seeds: int = 30,
    measure: str = "depth",
    actions: Iterable[Action] = (),
    until: float | None = None,
    limits: Any = "2023",
    points: int = 201,
) -> Iterator[Callable[[], Band]]:
    """The same in slices, for whoever has other things to do between two runs: after each run, a function that gives
    the band of the runs so far.
    """
    import numpy as np

    from lablib.scenarios.run import check, simulate

    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= 1000:
        raise ValueError(f"seeds={seeds!r}: must be a whole number from 1 to 1000")
    arguments = check(scenario, 0, tuple(actions), until, limits)
    grid = np.linspace(0.0, arguments[3], points)
    values: list[Array] = []
    for seed in range(seeds):
        values.append(simulate(arguments[0], seed, *arguments[2:]).measures.series(measure).at(grid))
        yield lambda: Band(grid, *np.percentile(values, (10, 50, 90), axis=0))
