"""Every figure of AWS as data: its value in the course notes of 2023, its value today, and where that is written.

A figure with `assumed=True` is a parameter of the model for which AWS publishes no number; `Cloud(assume={name: value})`
changes it. All others are AWS's and follow the edition: `Cloud(limits="2023")` or `Cloud(limits="today")`.

Sources: "notes" are the course notes (April 2023); "API" is the service's API reference as shipped in botocore; "guide" is
the service's developer guide; "price list" is the service's price page for us-east-1.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Edition = Literal["2023", "today"]
EDITIONS: tuple[Edition, ...] = ("2023", "today")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `notes` (2023) and `today` in `unit`, with its source; `low` and `high` bound what may be assumed."""

    name: str
    notes: Any
    today: Any
    unit: str
    source: str
    assumed: bool = False
    low: float = 0.0
    high: float = float("inf")


def _aws(name: str, notes: Any, today: Any, unit: str, source: str) -> Figure:
    return Figure(name, notes, today, unit, source)


def _assumed(name: str, value: Any, unit: str, why: str, low: float = 0.0, high: float = float("inf")) -> Figure:
    return Figure(name, value, value, unit, why, True, low, high)


_GENERAL = (
    Figure("api.latency_median", 0.006, 0.020, "s", "notes: below 10 ms; SQS FAQ today: tens or low hundreds of milliseconds", True, 0, 60),
    Figure("api.latency_p95", 0.010, 0.080, "s", "notes: below 10 ms; SQS FAQ today: tens or low hundreds of milliseconds", True, 0, 60),
)  # fmt: skip

_SQS: tuple[Figure, ...] = ()

FIGURES: dict[str, Figure] = {figure.name: figure for figure in (*_GENERAL, *_SQS)}


def figures(edition: Edition = "2023", assume: Mapping[str, float] | None = None) -> dict[str, Any]:
    """The values of one edition, with the assumptions in `assume` laid over them.

    Raises ValueError for an unknown edition, an unknown name, a figure that is AWS's to set, or a value out of range.
    """
    if edition not in EDITIONS:
        raise ValueError(f"limits={edition!r}: must be one of {', '.join(map(repr, EDITIONS))}")
    values = {f.name: f.notes if edition == "2023" else f.today for f in FIGURES.values()}
    for name, value in (assume or {}).items():
        values[name] = _check(name, value)
    return values


def _check(name: str, value: float) -> float:
    figure = FIGURES.get(name)
    if figure is None:
        assumable = [f.name for f in FIGURES.values() if f.assumed]
        near = difflib.get_close_matches(name, assumable, 3, 0.4) or assumable
        raise ValueError(f"assume: no figure is called {name!r}; near it: {', '.join(near)}")
    if not figure.assumed:
        raise ValueError(f"assume: {name} is a documented figure of AWS; choose the edition with limits=")
    if not isinstance(value, (int, float)) or not figure.low <= value <= figure.high:
        raise ValueError(f"assume: {name}={value!r}: must be from {figure.low:g} to {figure.high:g} {figure.unit}")
    return value
