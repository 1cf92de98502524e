"""A live figure of a run: plotly's FigureWidget, which ipywidgets can hold in a box. One a workbench, when asked for.

The browser is sent plotly once for each (5 MB), so it is for those who build a page of their own, not for every cell.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import plotly.graph_objects as go

from lablib.scenarios import Run
from lablib.views import panels
from lablib.views.theme import QUIET, Theme, check, paint


@cache
def _class(module: Callable[[str], str]) -> type[go.FigureWidget]:
    class LiveFigure(go.FigureWidget):
        # A text, not a path: a path is watched for changes, and then the widget is never freed.
        _esm = module(str(go.FigureWidget._esm))

        def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
            """Plotly fills these two only where it displays a figure itself, and a page that is reloaded asks for
            them.
            """
            if key is None and hasattr(self, "_layout_obj"):
                self._trait_values["_widget_layout"] = deepcopy(self._layout_obj._props)
                self._trait_values["_widget_data"] = deepcopy(self._data)
            return super().get_state(key, drop_defaults)

        def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
            return {"text/plain": repr(self), **super()._repr_mimebundle_(**kwargs)}

        def __repr__(self) -> str:
            return f"live figure of {self.layout.meta}"

    return LiveFigure


def live(
    run: Run,
    kept: Run | None,
    cursor: float,
    clicked: Callable[[float], None],
    theme: Theme | None = None,
    module: Callable[[str], str] = str,
) -> Any:
    """A FigureWidget with the curves of a run, those of another one dashed, and a line at the instant shown (seconds).
    `clicked(seconds)` is called at a click on a curve. `module` may wrap the script of the page. `show` and
    `show_cursor` change it in place.
    """
    figure = _class(module)(_spec(run, kept, theme))
    figure._config = {**figure._config, **QUIET, "responsive": True}  # as wide as its box
    _listen(figure, run, clicked)
    show_cursor(figure, run, cursor)
    return figure


def show(figure: Any, run: Run, kept: Run | None, clicked: Callable[[float], None], theme: Theme | None = None) -> None:
    """Show other runs in a live figure."""
    spec = _spec(run, kept, theme)
    same = [trace["name"] for trace in spec["data"]] == [trace.name for trace in figure.data]
    with figure.batch_update():
        if same:
            for trace, new in zip(figure.data, spec["data"], strict=True):
                trace.x, trace.y = new["x"], new["y"]
        figure.layout.update({**spec["layout"], "shapes": figure.layout.shapes})
    if not same:  # curves that come or go cannot be part of one message
        figure.data = ()
        figure.add_traces(spec["data"])
        _listen(figure, run, clicked)


def show_cursor(figure: Any, run: Run, cursor: float) -> None:
    """Move the line to an instant, in seconds."""
    scale, _ = panels.time_unit(run.until)
    line = {"type": "line", "xref": "x", "yref": "paper", "x0": cursor * scale, "x1": cursor * scale, "y0": 0, "y1": 1}
    figure.layout.shapes = [{**line, "line": {"color": "#7650b0", "width": 1.5}}]


def _spec(run: Run, kept: Run | None, theme: Theme | None) -> dict[str, Any]:
    spec = paint(panels.overview(run, kept, names="BA"), check(theme))  # what was kept is A
    spec["layout"] |= {"height": 320, "meta": type(run.scenario).__name__}
    for trace in spec["data"]:  # of an array, plotly's answer from the page raises a ValueError in the kernel
        trace |= {axis: list(trace[axis]) for axis in "xy"}
    return spec


def _listen(figure: Any, run: Run, clicked: Callable[[float], None]) -> None:
    scale, _ = panels.time_unit(run.until)

    def heard(_trace: Any, points: Any, _state: Any) -> None:
        if points.xs:
            clicked(points.xs[0] / scale)

    for trace in figure.data:
        trace.on_click(heard)
