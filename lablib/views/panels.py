"""The overview of a run: messages, age of the oldest, rates, over one axis of time. Plain data: it is drawn live."""

from __future__ import annotations

from typing import Any, NamedTuple

from lablib.measures import Band, Measures, Series
from lablib.measures.series import steps
from lablib.scenarios import Run

_MOST_POINTS = 1600
_WIDTHS = {"solid": 1.8, "dot": 2.6, "dash": 3.4}  # in place of the dashes, where a dash says that it is the other run
# By the number of panels: the height of all (px), and where each lies, from the top, in parts of it.
_PANELS = {
    3: (248, ((0.66, 1.0), (0.34, 0.57), (0.0, 0.24))),
    4: (306, ((0.74, 1.0), (0.485, 0.66), (0.225, 0.405), (0.0, 0.14))),
}


# How long a run lasts at most (s), what a rate per second is multiplied by, and the name of its unit.
_TEMPOS = ((900.0, 1, "second"), (10_800.0, 60, "minute"), (float("inf"), 3600, "hour"))


class Curve(NamedTuple):
    """One curve of a panel: what it shows, in which colour and dash, whether the area below is filled."""

    series: Series
    words: str
    colour: str
    dash: str = "solid"
    fill: bool = False


def time_unit(duration: float) -> tuple[float, str]:
    """What to multiply seconds by for the axis of a run that lasts `duration` seconds, and the unit's name."""
    for limit, seconds, name in ((900, 1, "s"), (10_800, 60, "min"), (172_800, 3600, "h")):
        if duration <= limit:
            return 1 / seconds, name
    return 1 / 86_400, "days"


def thin(series: Series, until: float, most: int = _MOST_POINTS) -> Series:
    """The step series with at most about `most` points: of each stretch of time the first, the extremes and the last.

    It ends at `until`, so that the last value is drawn to the end.
    """
    import numpy as np

    t, y = np.asarray(series.t, dtype=float), np.asarray(series.y, dtype=float)
    if len(t) and t[-1] < until:
        t, y = np.append(t, until), np.append(y, y[-1])
    if len(t) <= most:
        return series.replaced(t, y)
    stretch = np.minimum((t / max(until, 1e-9) * (most // 4)).astype(int), most // 4)
    order = np.lexsort((y, stretch))
    edge = np.flatnonzero(np.diff(stretch)) + 1
    keep = np.unique(
        np.concatenate([[0], edge, edge - 1, [len(t) - 1], order[np.append(0, edge)], order[np.append(edge - 1, -1)]])
    )
    return series.replaced(t[keep], y[keep])


def blocked(measures: Measures) -> Series:
    """How many senders are blocked: nobody takes what they send."""
    spans = [span for found in measures.tokens.blocked(measures.until).values() for span in found]
    changes = sorted((at, by) for span in spans for at, by in zip(span, (1, -1), strict=True) if at < measures.until)
    return Series("blocked", "blocked senders", "senders", *steps(changes, measures.until))


def curves(measures: Measures, duration: float, senders: bool = False) -> tuple[tuple[str, tuple[Curve, ...]], ...]:
    """The three panels: the unit of each, and its curves. `senders`: and a fourth, how many are blocked."""
    direct, stream = measures.is_direct, measures.is_stream
    scale, unit = time_unit(duration)
    per, tempo = next((x, name) for limit, x, name in _TEMPOS if duration <= limit)
    waiting, work = "not yet handled" if stream else "waiting", "being worked on" if direct or stream else "in flight"
    ended = measures.ending
    came, went = "requested" if direct else "sent", "answered" if direct else "worked on" if stream else ended
    delayed = () if stream else (Curve(measures.delayed(), "delayed", "delayed", "dash"),)

    def scaled(series: Series, factor: float) -> Series:
        return series.replaced(y=series.y * factor)

    age = Curve(
        scaled(measures.age_of_oldest(), scale), "longest wait" if direct else "age of the oldest", "again", fill=True
    )
    stopped = (("senders", (Curve(blocked(measures), "blocked", "dead", fill=True),)),) if senders else ()
    refused = (Curve(scaled(measures.rate("refused"), per), "refused", "again", "dash"),) if stream else ()
    return (
        (
            "requests" if direct else f"{measures.unit}s",
            (
                Curve(measures.depth(), waiting, "waiting", fill=True),
                Curve(measures.in_flight(), work, "flight", "dot"),
                *delayed,
            ),
        ),
        (unit, (age,)),
        (
            f"per {tempo}",
            (
                Curve(scaled(measures.rate("sent"), per), came, "waiting", "dot"),
                Curve(scaled(measures.rate(ended), per), went, "done"),
                *refused,
            ),
        ),
        *stopped,
    )


def _trace(
    curve: Curve, panel: int, run: Run, scale: float, kept: bool, compared: bool, other: str = "B"
) -> dict[str, Any]:
    series = thin(curve.series, run.until)
    number = panel + 1 if panel else ""
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "x": series.t * scale,
        "y": series.y,
        "xaxis": "x",
        "yaxis": f"y{number}",
        "meta": curve.colour,
        "name": f"{f'{other}: ' if kept else ''}{curve.words}",
        "line": {
            "shape": "hv" if series.shape == "step" else "linear",
            "width": 1.3 if kept else _WIDTHS[curve.dash] if compared else 1.8,
            "dash": "dash" if kept else "solid" if compared else curve.dash,
        },
        "hovertemplate": f"%{{y:.4g}}<extra>{f'{other}: ' if kept else ''}{curve.words}</extra>",
        "opacity": 0.75 if kept else 1.0,
    }
    if curve.fill and not kept:
        trace["fill"] = "tozeroy"
    return trace


def overview(run: Run, other: Run | None = None, band: Band | None = None, names: str = "AB") -> dict[str, Any]:
    """The overview as plotly's own description, {"data": ..., "layout": ...}, with arrays; colours by name in `meta`.

    `other`: a run to compare with, drawn thin and dashed; then `run` is drawn solid, its curves told apart by their
    width, so that the dash says which run it is. `names`: what the two are called. `band`: many runs, drawn behind the
    first curve, the waiting messages.
    """
    duration = max(run.until, other.until if other else 0.0)
    scale, unit = time_unit(duration)
    senders = any(blocked(x.measures).max > 0 for x in (run, other) if x)
    panels = curves(run.measures, duration, senders)
    data = _band(band, scale) if band else []
    if other:
        data += [
            _trace(c, i, other, scale, True, True, names[1])
            for i, (_, cs) in enumerate(curves(other.measures, duration, senders))
            for c in cs
            if _shown(c)
        ]
    drawn = [(i, c) for i, (_, cs) in enumerate(panels) for c in cs if _shown(c)]
    data += [_trace(c, i, run, scale, False, other is not None) for i, c in drawn]
    return {"data": data, "layout": _layout(panels, duration * scale, unit, names if other else "", band)}


def _shown(curve: Curve) -> bool:
    return curve.words not in ("delayed", "refused") or any(map(bool, curve.series.y))


def _band(band: Band, scale: float) -> list[dict[str, Any]]:
    edge = {
        "type": "scatter",
        "mode": "lines",
        "x": band.t * scale,
        "xaxis": "x",
        "yaxis": "y",
        "meta": "delayed",
        "hoverinfo": "skip",
    }
    return [
        {**edge, "y": band.low, "name": "10 % of the runs", "line": {"width": 0}},
        {**edge, "y": band.high, "name": "90 % of the runs", "line": {"width": 0}, "fill": "tonexty"},
        {**edge, "y": band.mid, "name": "middle of the runs", "line": {"width": 1.2, "dash": "longdash"}},
    ]


_GLYPHS = {"solid": "━", "dot": "┅", "dash": "╍"}
_STROKES = {"solid": "─", "dot": "━", "dash": "▬"}  # the same curves of run A in a comparison, by their width


def _layout(panels: Any, end: float, unit: str, compared: str, band: Band | None) -> dict[str, Any]:
    height, domains = _PANELS[len(panels)]
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 46, "r": 10, "t": 16, "b": 30},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "x unified",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": {
            "range": [0, end], "anchor": f"y{len(panels)}", "fixedrange": True, "zeroline": False,
            "ticklabeloverflow": "allow",
            "title": {"text": f"time ({unit})", "standoff": 4},
        },
        "annotations": [],
    }  # fmt: skip
    for i, (what, group) in enumerate(panels):
        low, high = domains[i]
        layout[f"yaxis{i + 1 if i else ''}"] = {
            "domain": [low, high], "fixedrange": True, "rangemode": "tozero", "nticks": 3, "anchor": "x",
            "zeroline": False, "ticklabeloverflow": "allow",  # plotly need not measure each label
        }  # fmt: skip
        glyphs = _STROKES if compared else _GLYPHS
        words = [
            f'<span style="color:{{{{{c.colour}}}}}"><b>{glyphs[c.dash]} {c.words}</b></span>'
            for c in group
            if _shown(c)
        ]
        if i == 0 and compared:
            words.append(f"<i>solid: {compared[0]}, dashed: {compared[1]}</i>")
        if i == 0 and band:
            words.append(f"<i>grey: {group[0].words}, 30 seeds</i>")
        layout["annotations"].append({
            "text": f"{'   '.join(words)}   ({what})", "x": 0, "y": high, "xref": "paper", "yref": "paper",
            "xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 12},
        })  # fmt: skip
    return layout
