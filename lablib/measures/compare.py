"""Two runs side by side, and many runs on top of each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
    return found if "lost" in found else {**found, "lost": number("lost", run.measures.lost)}


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
    return Notable(row.time, row.index, "parting", f"The runs part at {row.time:.3f} s: in the {which} one, {text}.")


def _parted(a: Run, b: Run, index: int) -> list[tuple[Run, str, Row]]:
    """The events at which two runs part, the second's first. When only the scenery differs, its first row: `index`."""
    import numpy as np

    ours, theirs = (_events(run.trace, a.trace) for run in (a, b))
    size = min(len(ours[0]), len(theirs[0]))
    differs = np.zeros(size, bool)
    for one, other in zip(ours, theirs):
        differs |= one[:size] != other[:size]
    at = int(differs.argmax()) if differs.any() else size
    rows = [(run, which, _played(run.trace)) for run, which in ((b, "second"), (a, "first"))]
    found = [(run, which, run.trace[int(played[at])]) for run, which, played in rows if at < len(played)]
    return found or [(run, which, run.trace[index]) for run, which, _ in rows if index < len(run.trace)]


def _played(trace: Trace) -> Array:
    """The rows that are events, and not the scenery that is built before a run begins, with what confirms it."""
    import numpy as np

    actor, time, subject = (np.array(trace.column(name)) for name in ("actor", "time", "subject"))
    built = (actor == trace.code("you")) & (time == 0)
    about = set(subject[built & (subject > 0)].tolist())
    about |= {code for code, row in trace.first_rows().items() if trace.origin(row) in about}
    return np.flatnonzero(~built & ~np.isin(subject, list(about)))


def _events(trace: Trace, names: Trace) -> list[Array]:
    """Columns of a trace's events that are equal in two runs when the same happens: the names by their numbers in
    `names`, the messages by the order of their appearance.
    """
    import numpy as np

    rows = _played(trace)
    column = {n: np.array(trace.column(n))[rows] for n in ("time", "kind", "resource", "actor", "subject", "until")}
    number = np.array([names.code(name) for name in trace.names])
    _, first, of = np.unique(column["subject"], return_index=True, return_inverse=True)
    ended = np.isin(column["kind"], list(trace.api_kinds))  # how a call ends that began before does not count
    same = [number[column[n]] for n in ("kind", "resource", "actor")]
    return [column["time"], *same, first[of], np.where(ended, 0.0, column["until"])]


def first_difference(a: Trace, b: Trace) -> int | None:
    """The first row in which two traces differ; None when they are the same. How a call ends that began before does
    not count.
    """
    import numpy as np

    size = min(len(a), len(b))
    differs = np.zeros(size, bool)
    for name in ("time", "kind", "resource", "subject", "actor", "cause", "until"):
        one, other = (np.array(trace.column(name))[:size] for trace in (a, b))
        unequal = one != other
        if name == "until":
            unequal &= ~np.isin(np.array(a.column("kind"))[:size], list(a.api_kinds))
        differs |= unequal
    known = next((i for i, (x, y) in enumerate(zip(a.names, b.names)) if x != y), min(len(a.names), len(b.names)))
    for name in (
        "kind",
        "resource",
        "subject",
        "actor",
    ):  # equal numbers mean equal names only below the first that differs
        differs |= np.array(a.column(name))[:size] >= known
    found = np.flatnonzero(differs)
    if len(found):
        return int(found[0])
    return None if len(a) == len(b) else size


def _sentence(a: dict[str, Number], b: dict[str, Number], parted: Notable | None, first: set[str]) -> str:
    """The difference in words; the labels `first` are the scenario's point, and come before all others."""
    if parted is None:
        return "The two runs are the same."
    changed = [x.label for x in a.values() if x.label in first and _differ(x, b.get(x.label))]
    told = [f"{label} {a[label].text} against {b[label].text}" for label in changed]
    told += [f"{x.label} {x.text} in the second only" for x in b.values() if x.label not in a and x.value > 0]
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
