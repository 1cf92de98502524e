"""Colours and layout that all figures share: Okabe and Ito's colours, which people with any colour vision can tell
apart.

A figure names a colour by what it means ("waiting"); a theme gives it. Curves that share a panel differ in dash too.
"""

from __future__ import annotations

import re
from typing import Any, Literal

Theme = Literal["light", "dark"]

# Okabe-Ito, a little darker or lighter where a line of theirs would have less than 3:1 contrast with the background.
COLOURS: dict[str, dict[str, str]] = {
    "light": {
        "ink": "#1b2733", "soft": "#586572", "line": "#dfe4e9", "paper": "#ffffff",
        "waiting": "#0072b2", "flight": "#b87400",
        "delayed": "#6c7a88", "again": "#d55e00", "done": "#00855f", "dead": "#a8527f", "lost": "#444c55",
    },
    "dark": {
        "ink": "#e8edf2", "soft": "#9fabb7", "line": "#36414c", "paper": "#12171d",
        "waiting": "#56b4e9", "flight": "#e69f00",
        "delayed": "#93a1af", "again": "#f58442", "done": "#2fc49b", "dead": "#d993b8", "lost": "#b4bdc6",
    },
}  # fmt: skip
SERIES = ("waiting", "flight", "done", "again", "dead", "delayed")  # for curves that have no meaning of their own
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
QUIET = {"displayModeBar": False, "displaylogo": False}  # plotly's own row of buttons says nothing to a learner
FONT = "system-ui, -apple-system, Segoe UI, Roboto, sans-serif"

_default: Theme = "light"


def use(theme: Theme) -> None:
    """Draw all further figures for a "light" or a "dark" page. Raises ValueError for anything else."""
    global _default
    _default = check(theme)


def check(theme: Theme | None) -> Theme:
    """The theme, or the one in use for None. Raises ValueError for an unknown one."""
    if theme is None:
        return _default
    if theme not in COLOURS:
        raise ValueError(f"theme={theme!r}: must be 'light' or 'dark'")
    return theme


def ink(text: str, theme: Theme) -> str:
    """`text` with each {{name}} replaced by the theme's colour of that name."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: COLOURS[theme][found[1]], text)


def paint(spec: dict[str, Any], theme: Theme) -> dict[str, Any]:
    """A figure's description in the colours of a theme: a trace's `meta` names its colour."""
    colours = COLOURS[theme]
    data = []
    for trace in spec["data"]:
        colour = colours.get(str(trace.get("meta")), colours["ink"])
        painted = {**trace, "line": {"color": colour, **trace.get("line", {})}}
        if "marker" in trace:
            painted["marker"] = {"color": colour, **trace["marker"]}
        if "fill" in trace:
            painted["fillcolor"] = colour + "30"
        data.append(painted)
    notes = [{**note, "text": ink(note["text"], theme)} for note in spec["layout"].get("annotations", [])]
    axis = {"gridcolor": colours["line"], "zerolinecolor": colours["line"], "tickfont": {"color": colours["soft"]}}
    layout = {k: ({**axis, **v} if k[1:].startswith("axis") else v) for k, v in spec["layout"].items()}
    layout |= {"annotations": notes, "paper_bgcolor": colours["paper"], "plot_bgcolor": colours["paper"]}
    return {"data": data, "layout": {**layout, "font": {"family": FONT, "size": 12, "color": colours["soft"]}}}


def plotly_js() -> str:
    """The source of plotly.js as the installed plotly carries it: a page can show figures without a network."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
