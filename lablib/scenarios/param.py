"""Parameters of a scenario: declared once; the controls, the checks, the help and the tests come from the
declaration.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

Value = float | int | str | bool


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

    def says(self, label: str, help: str) -> ParamSpec:
        """The same with a label and a line of help."""
        return replace(self, label=label, help=help)

    def but(self, **changes: Any) -> ParamSpec:
        """The same with other fields."""
        return replace(self, **changes)

    @property
    def scale(self) -> float:
        """What a value is multiplied by to be shown in `unit`: a share is from 0 to 1, and shown in %."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def range(self) -> str:
        """What a number may be, in words: "0.1 to 50 messages/s"."""
        unit = ": a share, 0.1 is 10 %" if self.scale != 1 else f" {self.unit}" if self.unit else ""
        return f"{self.low:.9g} to {self.high:.9g}{unit}"

    @property
    def kind(self) -> type:
        """bool, int, float or str: the type of the values."""
        return type(self.default)

    def said(self, value: Value) -> str:
        """The parameter with a value, in words: "order rate 0.3 orders/s"."""
        shown = ("off", "on")[value] if isinstance(value, bool) else value
        if isinstance(value, float):
            shown = f"{value * self.scale:g}"
        unit = "" if self.unit == self.label else of_one(self.unit) if shown in (1, "1") else self.unit
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
        return what if self.low is None or self.high is None else f"{what} from {self.range}"


def Param(default: Any, **more: Any) -> Any:
    """Declare a parameter in the body of a Scenario: `rate: float = Param(2.0, low=0.1, high=20.0, unit="messages/s")`.

    The type is that of `default`; `more` are the other fields of ParamSpec. Raises ValueError when the default is not
    allowed by the rest, when a number has no range, or when a text has no choices. `whole`, `number`, `seconds`,
    `share`, `choice` and `switch` are shorter ways: `number(2.0, 0.1, 20.0, "messages/s").says("rate", "Sent.")`.
    """
    spec = ParamSpec(default, **{"name": "default"} | more)
    if (isinstance(default, str) and not spec.choices) or (
        type(default) in (int, float) and None in (spec.low, spec.high)
    ):
        raise ValueError(f"default={default!r}: a number needs low= and high=, a text needs choices=")
    spec.check(default)
    return spec


def whole(default: int, low: int, high: int, unit: str = "", **more: Any) -> Any:
    """A whole number."""
    return Param(default, low=low, high=high, unit=unit, **{"step": 1} | more)


def number(default: float, low: float, high: float, unit: str = "", **more: Any) -> Any:
    """A number with a fraction."""
    return Param(float(default), low=float(low), high=float(high), unit=unit, **more)


def seconds(default: float, low: float, high: float, **more: Any) -> Any:
    """A time in seconds; whole seconds, when `default` is an int. A slider moves by one second."""
    return Param(default, low=low, high=high, unit="s", **{"step": 1} | more)


def share(default: float, high: float = 1.0, **more: Any) -> Any:
    """A part of the whole, or a chance: from 0 to `high`, at most 1. Pages show it in %."""
    return Param(float(default), low=0.0, high=high, unit="%", **{"step": 0.05} | more)


def choice(default: str, *others: str, **more: Any) -> Any:
    """One of several names. `choices=` sets their order, when the default is not the first."""
    return Param(default, **{"choices": (default, *others)} | more)


def switch(default: bool, **more: Any) -> Any:
    """On or off."""
    return Param(default, **more)


def duration_of(default: float = 30.0) -> ParamSpec:
    """How long an action lasts: the value of an action that is over after a time."""
    return ParamSpec(default, 0.1, 86_400.0, unit="s", label="for", name="value")


RESERVED = frozenset(
    # the attributes of an ipywidgets.DOMWidget
    """
    add_class add_traits blur class_own_trait_events class_own_traits class_trait_names class_traits close close_all
    comm cross_validation_lock focus get_manager_state get_state get_view_spec handle_comm_opened
    handle_control_comm_opened has_trait hold_sync hold_trait_notifications keys layout log model_id notify_change
    observe on_msg on_trait_change on_widget_constructed open remove_class send send_state set_state set_trait
    setup_instance tabbable tooltip trait_defaults trait_events trait_has_value trait_metadata trait_names
    trait_values traits unobserve unobserve_all widget_types widgets
    """.split()  # noqa: SIM905
    # those of a workbench
    + """
    act actions answer ask_again choose_limits compare complain control cursor figure guess keep kept lens limits many
    missions move reseed restore run scenario seed seek selected set share skip stage stop_comparing take_back to_html
    until values verbs watched
    """.split()  # noqa: SIM905
)


def check_name(name: str, owner: type) -> None:
    """Raise ValueError, one line, when a parameter of a scenario derived from `owner` cannot have this name: it
    becomes a trait of the workbench and an attribute of the scenario.
    """
    if name in RESERVED or name.startswith("_") or hasattr(owner, name):
        raise ValueError(f"{name}: a parameter cannot have this name: a workbench or a scenario has an attribute of it")


def of_one(unit: str) -> str:
    """A unit as it is said of 1: "message/s" for "messages/s". What is no plural ("s", "%", "a queue") stays."""
    first, slash, rest = unit.partition("/")
    single = first.removesuffix("ies") + "y" if first.endswith("ies") else first[:2] + first[2:].removesuffix("s")
    return single + slash + rest


def one_of(names: Iterable[str]) -> str:
    """`one of 'a', 'b'`, for error messages."""
    return f"one of {', '.join(map(repr, names)) or 'nothing'}"


def near(name: Any, names: Iterable[str]) -> str:
    """A guess at what was meant, for error messages; empty when nothing is near."""
    found = difflib.get_close_matches(name, list(names), 1, 0.5) if isinstance(name, str) else []
    return f"; did you mean {found[0]!r}?" if found else ""
