"""Parts of a workbench as widgets of their own, for a page that somebody builds: controls, and the picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
import traitlets

from lablib.aws.quotas import EDITIONS
from lablib.scenarios import ParamSpec
from lablib.scenarios.param import near, one_of
from lablib.workbench import bundle

if TYPE_CHECKING:
    from lablib.workbench.widget import Workbench

_WIDE = {"description_width": "initial"}
_STEPS = 200  # of a slider whose parameter names no step


def control(bench: Workbench, name: str) -> ipywidgets.Widget:
    """A slider, menu or box for a setting of a workbench, linked both ways. Raises ValueError for another name."""
    specs = bench.run.scenario.params()
    if name in specs:
        made = _of_parameter(specs[name], getattr(bench, name))
    elif name == "seed":
        made = ipywidgets.BoundedIntText(bench.seed, min=0, max=2**31 - 1, description="seed", style=_WIDE)
    elif name == "limits":
        made = ipywidgets.Dropdown(options=EDITIONS, value=bench.limits, description="quotas", style=_WIDE)
    elif name == "cursor":
        words = {"description": "time (s)", "style": _WIDE}
        made = ipywidgets.FloatSlider(bench.cursor, min=0.0, max=bench.run.until, step=0.1, **words)
        bench.observe(lambda change: setattr(made, "max", change["new"].until), "run")
    else:
        known = [*specs, "seed", "limits", "cursor"]
        raise ValueError(f"control({name!r}): must be {one_of(known)}{near(name, known)}")
    _link(bench, name, made)
    return made


def _of_parameter(spec: ParamSpec, value: Any) -> ipywidgets.Widget:
    words = {"value": value, "description": spec.label, "tooltip": spec.help, "style": _WIDE}
    if spec.choices:
        return ipywidgets.Dropdown(options=spec.choices, **words)
    if spec.kind is bool:
        return ipywidgets.Checkbox(indent=False, **words)
    assert spec.low is not None
    assert spec.high is not None
    if spec.kind is int:
        return ipywidgets.IntSlider(min=int(spec.low), max=int(spec.high), step=int(spec.step or 1), **words)
    if spec.log and spec.low > 0:
        low, high = math.log10(spec.low), math.log10(spec.high)
        return ipywidgets.FloatLogSlider(min=low, max=high, step=(high - low) / _STEPS, **words)
    step = spec.step or (spec.high - spec.low) / _STEPS
    if spec.scale != 1:
        words["readout_format"] = ".1%"
    return ipywidgets.FloatSlider(min=spec.low, max=spec.high, step=step, **words)


def _link(bench: Workbench, name: str, made: ipywidgets.Widget) -> None:
    """Both ways. What the workbench refuses is told on its page, and the control goes back."""

    def moved(change: Any) -> None:
        try:
            setattr(bench, name, change["new"])
        except (ValueError, TypeError) as error:
            made.value = getattr(bench, name)
            bench.complain(error)

    made.observe(moved, "value")
    bench.observe(lambda change: setattr(made, "value", change["new"]), name)


class Part(anywidget.AnyWidget):
    """A part of a workbench alone, as a second view of the same model. `part`: "stage", the picture and its curve."""

    _esm = bundle.script("part")
    _css = bundle.style()
    bench = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    part = traitlets.Unicode("stage").tag(sync=True)

    def __repr__(self) -> str:
        return f"{self.part} of {self.bench!r}"
