"""The figures that a notebook shows by themselves: a run over time, two runs, latencies, messages' stays, a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from lablib.aws.event import DELAYED, HELD, HIDDEN, LOST, WAITING
from lablib.measures import Band
from lablib.measures.tokens import Token
from lablib.scenarios import Run
from lablib.views import panels
from lablib.views.theme import DASHES, QUIET, SERIES, Theme, check, paint

_SHARES = (50, 95, 99)


class Figure(go.Figure):
    """A figure without plotly's row of buttons."""

    def show(self, *args: Any, **kwargs: Any) -> None:
        """Show it. The arguments are plotly's."""
        super().show(*args, **{"config": QUIET, **kwargs})

    def _ipython_display_(self) -> None:
        self.show()


def _figure(spec: dict[str, Any], theme: Theme | None, title: str = "") -> go.Figure:
    painted = paint(spec, check(theme))
    if title:
        painted["layout"] |= {"title": {"text": title, "x": 0, "xref": "paper", "font": {"size": 15}}}
        painted["layout"]["margin"] = {**painted["layout"].get("margin", {}), "t": 58}
    return Figure(painted)


def overview(run: Run, *, band: Band | None = None, theme: Theme | None = None) -> go.Figure:
    """A run over time: messages waiting and in flight, the age of the oldest, sends and deletes a second.

    `band`: many runs behind it, as `lablib.measures.band` makes them. `theme`: "light" or "dark".
    """
    return _figure(panels.overview(run, None, band), theme, run.title)


def compare(a: Run, b: Run, *, theme: Theme | None = None) -> go.Figure:
    """Two runs over one axis of time: `a` solid, `b` thin and dashed."""
    return _figure(panels.overview(a, b), theme, f"A: {a.scenario!r}   B: {b.scenario!r}")


def latency(*runs: Run, names: Sequence[str] = (), theme: Theme | None = None) -> go.Figure:
    """The share of messages that were done within a time, from send to delete. One curve a run, its name at its end.

    `names`: what to call the runs, else A, B, ... Raises ValueError without a run, or with another number of names.
    """
    called = _called(names, len(runs))
    data: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for i, (run, name) in enumerate(zip(runs, called, strict=True)):
        seconds = np.sort(run.measures.latency())
        share = 100 * np.arange(1, len(seconds) + 1) / max(1, len(seconds))
        colour = SERIES[i % len(SERIES)]
        data.append(_line(seconds, share, name, i, hv=True))
        marks = [float(np.percentile(seconds, p)) for p in _SHARES] if len(seconds) else []
        data.append({
            "type": "scatter", "mode": "markers", "x": np.array(marks),
            "y": np.array(_SHARES[: len(marks)], dtype=float),
            "meta": colour, "name": f"{name}: percentiles", "hovertemplate": "p%{y:.0f}: %{x:.3g} s<extra></extra>",
            "marker": {"size": 8, "symbol": ("circle", "square", "diamond", "x")[i % 4]},
        })  # fmt: skip
        if marks:
            text = f"{name}: p50 {marks[0]:.3g} s, p95 {marks[1]:.3g} s, p99 {marks[2]:.3g} s"
            notes.append(_label(marks[1], 95, text, colour, (18, 18 + 20 * i)))
    return _figure(_plain(data, notes, "seconds from send to delete", "share of the messages (%)"), theme)


_STAYS_KEY = (
    '<span style="color:{{waiting}}">━ waiting</span>   <span style="color:{{flight}}"><b>▬ in flight</b></span>   '
    '<span style="color:{{again}}">◆ delivered again</span>   <span style="color:{{ink}}">✕ {gone}</span>'
)


def stays(run: Run, most: int = 60, start: int = 0, *, theme: Theme | None = None) -> go.Figure:
    """Messages' lives as bars, a line each: thin while it waits, thick in flight, a diamond where delivered again, a
    cross where it was lost.

    `most`: how many messages; `start`: from which one on, as they were sent. Raises ValueError when there are none.
    """
    sent = run.measures.counted("sent")
    if most < 1 or start < 0 or not sent[start : start + most]:
        raise ValueError(f"start={start!r}, most={most!r}: this run has {len(sent)} messages")
    subjects = run.trace.column("subject")
    lines = {subjects[row]: number for number, row in enumerate(sent[start : start + most], start + 1)}
    scale, unit = panels.time_unit(run.until)
    points: dict[str, list[Any]] = {"waiting": [], "flight": [], "again": [], "ink": []}
    for token in run.tokens.tokens:
        if number := lines.get(token.subject):
            for what, *times in _stays_of(token, run.until):
                points[what] += [(t * scale, number) for t in times] + [(None, None)]
    sizes: dict[str, dict[str, Any]] = {
        "waiting": {"mode": "lines", "line": {"width": 1.5}},
        "flight": {"mode": "lines", "line": {"width": 5}},
        "again": {"mode": "markers", "marker": {"symbol": "diamond", "size": 9}},
        "ink": {"mode": "markers", "marker": {"symbol": "x", "size": 6}},
    }
    gone = "lost" if run.measures.is_direct else "expired"
    data = []
    for what, size in sizes.items():
        x, y = zip(*points[what], strict=True) if points[what] else ((), ())
        name = gone if what == "ink" else what
        data.append({"type": "scatter", "x": list(x), "y": list(y), "meta": what, "name": name, **size})
    key = {
        "text": _STAYS_KEY.replace("{gone}", gone),
        "x": 0,
        "y": 1.02,
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
    }
    notes = [{**key, "xanchor": "left", "yanchor": "bottom"}]
    spec = _plain(data, notes, f"time ({unit})", "message, in the order of sending")
    for axis in ("xaxis", "yaxis"):
        spec["layout"][axis]["rangemode"] = "normal"
    return _figure(spec, theme)


def _stays_of(token: Token, until: float) -> Iterator[tuple[Any, ...]]:
    """What a token adds to its message's line: ("waiting" or "flight", from, to), ("again", at), ("ink", at)."""
    end = until if token.end is None else token.end
    if token.state in (WAITING, DELAYED):
        yield "waiting", token.start, end
    elif token.state == HIDDEN or (token.state == HELD and not token.delivery):  # a worker took it from a backlog
        yield "flight", token.start, end
    elif token.state == HELD and token.delivery > 1 and token.left is not None:
        yield "again", token.start
    elif token.state == LOST:
        yield "ink", token.start


def sweep(
    x: Sequence[float], curves: Mapping[str, Sequence[float]], *, x_title: str, y_title: str, theme: Theme | None = None
) -> go.Figure:
    """What one parameter does: `curves` (name -> a value for each of `x`) over the parameter's values, names at the
    ends.

    Raises ValueError when a curve has another number of values than `x`.
    """
    data, notes = [], []
    for i, (name, y) in enumerate(curves.items()):
        if len(y) != len(x):
            raise ValueError(f"curves[{name!r}] has {len(y)} values for {len(x)} of x")
        trace = _line(np.array(x, dtype=float), np.array(y, dtype=float), name, i)
        data.append(
            {
                **trace,
                "mode": "lines+markers",
                "marker": {"size": 7, "symbol": ("circle", "square", "diamond", "x")[i % 4]},
            }
        )
        if len(x):
            notes.append(_label(float(x[-1]), float(y[-1]), name, SERIES[i % len(SERIES)], (0, -14), "right"))
    return _figure(_plain(data, notes, x_title, y_title), theme)


def _called(names: Sequence[str], count: int) -> list[str]:
    called = list(names) or [chr(ord("A") + i) for i in range(count)]
    if not count or len(called) != count:
        raise ValueError(f"names={list(names)!r}: {count} runs were given")
    return called


def _line(x: Any, y: Any, name: str, i: int, hv: bool = False) -> dict[str, Any]:
    line = {"width": 2, "dash": DASHES[i % len(DASHES)], "shape": "hv" if hv else "linear"}
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "name": name,
        "meta": SERIES[i % len(SERIES)],
        "line": line,
    }


def _label(x: float, y: float, text: str, colour: str, by: tuple[int, int], anchor: str = "left") -> dict[str, Any]:
    words = f"<span style='color:{{{{{colour}}}}}'>{text}</span>"
    return {"x": x, "y": y, "text": words, "showarrow": False, "xanchor": anchor, "xshift": by[0], "yshift": -by[1]}


def _plain(data: list[dict[str, Any]], notes: list[dict[str, Any]], x: str, y: str) -> dict[str, Any]:
    layout = {
        "height": 360, "margin": {"l": 62, "r": 20, "t": 30, "b": 48}, "showlegend": False, "annotations": notes,
        "xaxis": {"title": {"text": x}, "rangemode": "tozero"}, "yaxis": {"title": {"text": y}, "rangemode": "tozero"},
    }  # fmt: skip
    return {"data": data, "layout": layout}
