"""Parameters of a scenario: declared once; the controls, the checks, the help and the tests come from the
declaration.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Value = float | int | str | bool
_ONE = {"messages": "message", "retries": "retry", "consumers": "consumer", "receives": "receive", "times": "time"}


@dataclass(frozen=True)
class ParamSpec:
    """One parameter: `default`, its range (`low` to `high` in `unit`, both allowed) or its `choices`, and words about
    it.

    `aws` is the AWS parameter that it stands for, `quota` the name of the quota that limits it. `live`: an
    Action("set") may change it during a run. `step` and `log` tell a slider how to move.
    """

    default: Value
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    label: str = ""
    help: str = ""
    aws: str | None = None
    quota: str | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    log: bool = False
    name: str = ""

    @property
    def kind(self) -> type:
        """bool, int, float or str: the type of the values."""
        return type(self.default)

    def said(self, value: Value) -> str:
        """The parameter with a value, in words: "order rate 0.3 orders/s"."""
        shown = ("off", "on")[value] if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
        unit = "" if self.unit == self.label else _ONE.get(self.unit, self.unit) if value == 1 else self.unit
        return f"{self.label} {shown} {unit}".rstrip()

    def check(self, value: Any) -> Any:
        """`value` in the parameter's own type. Raises TypeError or ValueError with one line that says what is
        allowed.
        """
        return self._chosen(value) if self.kind is str else self._number(value)

    def _chosen(self, value: Any) -> str:
        if isinstance(value, str) and value in self.choices:
            return value
        raise ValueError(f"{self.name}={value!r}: must be {one_of(self.choices)}{near(value, self.choices)}")

    def _number(self, value: Any) -> Any:
        kind = self.kind
        if hasattr(value, "item") and not isinstance(value, (int, float)):
            value = value.item()  # a numpy number
        if isinstance(value, bool) is not (kind is bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{self.name}={value!r}: must be {self._allowed()}")
        if kind is bool:
            return value
        if kind is int and (not math.isfinite(value) or value != int(value)):
            raise TypeError(f"{self.name}={value!r}: must be {self._allowed()}")
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        if not low <= value <= high or not math.isfinite(value):
            raise ValueError(f"{self.name}={value!r}: must be {self._allowed()}")
        return kind(value)

    def _allowed(self) -> str:
        if self.kind is bool:
            return "True or False"
        what = "a whole number" if self.kind is int else "a number"
        if self.low is None or self.high is None:
            return what
        return f"{what} from {self.low:.9g} to {self.high:.9g}{self.unit and ' '}{self.unit}"


def Param(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    unit: str = "",
    label: str = "",
    help: str = "",
    aws: str | None = None,
    quota: str | None = None,
    choices: Iterable[str] = (),
    live: bool = False,
    log: bool = False,
) -> Any:
    """Declare a parameter in the body of a Scenario: `rate: float = Param(2.0, low=0.1, high=20.0, unit="messages/s")`.

    The type is that of `default`. What the arguments mean stands in ParamSpec. Raises ValueError when the default is
    not allowed by the rest, when a number has no range, or when a text has no choices.
    """
    spec = ParamSpec(default, low, high, step, unit, label, help, aws, quota, tuple(choices), live, log, "default")
    if (isinstance(default, str) and not spec.choices) or (type(default) in (int, float) and None in (low, high)):
        raise ValueError(f"default={default!r}: a number needs low= and high=, a text needs choices=")
    spec.check(default)
    return spec


def one_of(names: Iterable[str]) -> str:
    """`one of 'a', 'b'`, for error messages."""
    return f"one of {', '.join(map(repr, names)) or 'nothing'}"


def near(name: Any, names: Iterable[str]) -> str:
    """A guess at what was meant, for error messages; empty when nothing is near."""
    found = difflib.get_close_matches(name, list(names), 1, 0.5) if isinstance(name, str) else []
    return f"; did you mean {found[0]!r}?" if found else ""
