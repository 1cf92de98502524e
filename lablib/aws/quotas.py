"""AWS's numbers as data: the value in an AWS course of 2023, the value today, and where that is written.

Each service declares its own (`Service.quotas`); `lablib.services` finds them. A quota with `assumed=True` is a
parameter of the model for which AWS publishes no number; `Cloud(assume={name: value})` changes it. All others are AWS's
and follow the edition: `Cloud(limits="2023")` or `Cloud(limits="today")`.

Sources: "course of 2023" is an AWS course (April 2023); "API" is the service's API reference as shipped in botocore;
"guide" is the service's developer guide; "price list" is the service's price page for us-east-1.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

MILLION, GIB, HOUR = 1e6, 1 << 30, 3600.0

Edition = Literal["2023", "today"]
EDITIONS: tuple[Edition, ...] = ("2023", "today")


@dataclass(frozen=True, slots=True)
class Quota:
    """A number: `course` (in 2023) and `today` in `unit`, with its source; `low` and `high` bound what may be assumed.

    Its name begins with that of its service: "sqs.message_size".
    """

    name: str
    course: Any
    today: Any
    unit: str
    source: str
    assumed: bool = False
    low: float = 0.0
    high: float = float("inf")

    @property
    def service(self) -> str:
        """The service that declares it; "api" for what all have in common."""
        return self.name.partition(".")[0]

    def check(self, value: float) -> float:
        """Return a value for `Cloud(assume=...)`. Raises ValueError when AWS sets the quota, or out of range."""
        if not self.assumed:
            raise ValueError(f"assume: {self.name} is a documented quota of AWS; choose the edition with limits=")
        if isinstance(value, numbers.Real) and not isinstance(value, (bool, int, float)):
            value = int(value) if isinstance(value, numbers.Integral) else float(value)  # a number of numpy's
        if not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise ValueError(f"assume: {self.name}={value!r}: must be from {self.low:g} to {self.high:g} {self.unit}")
        return value


def quota(name: str, course: Any, today: Any, unit: str, source: str) -> Quota:
    """A number that AWS publishes."""
    return Quota(name, course, today, unit, source)


def assumed(name: str, value: Any, unit: str, why: str, low: float = 0.0, high: float = float("inf")) -> Quota:
    """A parameter of the model."""
    return Quota(name, value, value, unit, why, True, low, high)


_LATENCY = "assumed; notes: below 10 ms; SQS FAQ today: tens or low hundreds of milliseconds"
GENERAL = (
    Quota("api.latency_median", 0.006, 0.020, "s", _LATENCY, True, 0, 60),
    Quota("api.latency_p95", 0.010, 0.080, "s", _LATENCY, True, 0, 60),
)


class Values(dict[str, Any]):
    """The values of one edition by the quotas' names, with the assumptions in `assume` laid over them.

    A value is looked up with `find` when it is first asked for. Raises ValueError for an unknown edition, and what
    `find` and `Quota.check` raise.
    """

    def __init__(self, edition: Edition, assume: Mapping[str, float], find: Callable[[str], Quota]) -> None:
        if edition not in EDITIONS:
            raise ValueError(f"limits={edition!r}: must be one of {', '.join(map(repr, EDITIONS))}")
        super().__init__({name: find(name).check(value) for name, value in assume.items()})
        self._edition = edition
        self._find = find

    def __missing__(self, name: str) -> Any:
        found = self._find(name)
        value = self[name] = found.course if self._edition == "2023" else found.today
        return value
