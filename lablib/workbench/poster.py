"""A poster: the stage of a workbench before anything happens, as a small SVG, for a notebook whose cell has not run.

It has a ground of its own, so that it can be read on any page; where the system is dark, it is dark. Colours are
attributes first: some viewers drop style sheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from textwrap import wrap

from lablib.scenarios.scenario import Place, Topology

WIDTH = 820
_LEFT, _TOP = 16, 50  # px, all of these: the margin, and where the first lane begins
_BOX, _GAP, _ROW = 96, 42, 50  # a box below the lane, the pipe between two columns, the height of one of several rows
_LINE, _LETTER = 15, 7.2  # a line of text, a letter
_FACE = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
# What stands in one column, from the left, and how wide it is; the last two stand below the others.
_COLUMNS = (
    (("producer",), 1.0), (("bucket",), 1.0), (("topic",), 1.2), (("queue", "direct", "endpoint"), 2.0),
    (("server", "consumer", "function"), 1.7), (("done",), 0.8),
)  # fmt: skip
_BELOW = ("dead-letter", "lost")
_DARK = (
    "@media (prefers-color-scheme: dark){.mlp-page{fill:#161d24;stroke:#74828f}.mlp-box{fill:#1f2831;stroke:#74828f}"
    ".mlp-ink{fill:#e9eef3}.mlp-soft{fill:#a3afbb}.mlp-pipe{stroke:#74828f}.mlp-slot{stroke:#56b4e9}.mlp-cell{stroke:#e69f00}}"
)


def poster(title: str, lanes: Sequence[tuple[str, Topology]]) -> str:
    """The picture of a workbench with these lanes: (what is different in it, its places). `title`: the question."""
    height, parts = _TOP, []
    for name, topology in lanes:
        if name:
            parts.append(_text(_LEFT, height + 4, name, "soft"))
            height += _LINE + 4
        drawn, bottom = _lane(topology, height)
        parts += drawn
        height = bottom + 18
    start = f"Run this cell to start: {title}"
    button = (
        f'<rect x="{_LEFT}" y="{height}" width="240" height="32" rx="6" fill="#0072b2"/>'
        f'<text x="{_LEFT + 120}" y="{height + 21}" text-anchor="middle" fill="#ffffff" font-weight="600">'
        "▶  Run this cell: Shift + Enter</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 48}" width="{WIDTH}" role="img" '
        f'data-messaging-lab="poster" font-family="{_FACE}" font-size="13"><title>{escape(start)}</title>'
        f"<style>{_DARK}</style>"
        f'<rect class="mlp-page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height + 47}" rx="8" fill="#ffffff" '
        f'stroke="#84909c"/>{_text(_LEFT, 30, title, "ink", 16)}{"".join(parts)}{button}</svg>'
    )


def _text(x: float, y: float, words: str, tone: str, size: int = 13, anchor: str = "start") -> str:
    colour = {"ink": "#17222d", "soft": "#55626f"}[tone]
    more = f' font-size="{size}"' if size != 13 else ""
    return (
        f'<text class="mlp-{tone}" x="{x:g}" y="{y:g}" fill="{colour}" text-anchor="{anchor}"{more}>'
        f"{escape(words)}</text>"
    )


Boxes = dict[str, tuple[float, float, float, float]]


def _lane(topology: Topology, top: float) -> tuple[list[str], float]:
    """The places and links of a lane, and where it ends."""
    boxes = _boxes(topology, top)
    bottom = max(y + h for _, y, _, h in boxes.values())
    pipes = [_pipe(boxes[a], boxes[b]) for a, b in _forward(topology, boxes)]
    return [*pipes, *(_place(place, boxes[place.id]) for place in topology.places)], bottom


def _boxes(topology: Topology, top: float) -> Boxes:
    """Where each place stands: (x, y, width, height)."""
    columns = [([p for p in topology.places if p.role in roles], weight) for roles, weight in _COLUMNS]
    columns = [(places, weight) for places, weight in columns if places]
    rows = max(len(places) for places, _ in columns)
    unit = (WIDTH - 2 * _LEFT - _GAP * (len(columns) - 1)) / sum(weight for _, weight in columns)
    high = max(rows * _ROW, 78)
    boxes: Boxes = {}
    x = float(_LEFT)
    for places, weight in columns:
        step = high / len(places)
        for i, place in enumerate(places):
            tall = min(step - 8, high) if len(places) > 1 else high
            boxes[place.id] = (x, top + i * step, weight * unit, tall)
        x += weight * unit + _GAP
    below = [p for p in topology.places if p.id not in boxes]
    for i, place in enumerate(below):
        boxes[place.id] = (WIDTH - _LEFT - (i + 1) * (_BOX + 10) + 10, top + high + 10, _BOX, 26)
    return boxes


def _forward(topology: Topology, boxes: Boxes) -> Iterable[tuple[str, str]]:
    """The links that lead to the right. The others say what can go wrong: that is for the run to show."""
    return ((a, b) for a, b in topology.links if boxes[b][0] > boxes[a][0] and topology[b].role not in _BELOW)


def _pipe(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> str:
    x, y, end, at = a[0] + a[2], a[1] + a[3] / 2, b[0], b[1] + b[3] / 2
    middle = (x + end) / 2
    return (
        f'<path class="mlp-pipe" d="M{x:.0f} {y:.0f}C{middle:.0f} {y:.0f} {middle:.0f} {at:.0f} {end:.0f} {at:.0f}" '
        'fill="none" stroke="#84909c" stroke-width="5"/>'
    )


def _place(place: Place, box: tuple[float, float, float, float]) -> str:
    x, y, width, height = box
    lines = wrap(place.label, max(6, int(width / _LETTER)))[:2]
    tone = "soft" if place.role in _BELOW else "ink"
    words = "".join(_text(x + 8, y + 18 + _LINE * i, line, tone) for i, line in enumerate(lines))
    return (
        f'<rect class="mlp-box" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6" '
        f'fill="#f3f6f9" stroke="#84909c"/>{words}{_inside(place, box, lines)}'
    )


def _inside(place: Place, box: tuple[float, float, float, float], lines: Sequence[str]) -> str:
    """A queue has empty slots, workers have empty cells: below the words, or in a low box beside them."""
    x, y, width, height = box
    top, left = y + 8 + _LINE * len(lines), x + 8
    if y + height - top < 22:
        top, left = y, x + 16 + _LETTER * max(map(len, lines))
    middle, right = (top + y + height) / 2, x + width - 8
    if place.role in ("queue", "direct"):
        return "".join(
            f'<circle class="mlp-slot" cx="{right - 8 - 20 * i:.0f}" cy="{middle:.0f}" r="7" fill="none" '
            'stroke="#0072b2" stroke-dasharray="3 3"/>'
            for i in range(int((right - left) // 20))
        )
    if place.role in ("consumer", "function", "server"):
        return "".join(
            f'<rect class="mlp-cell" x="{left + 32 * i:.0f}" y="{middle - 9:.0f}" width="26" height="18" rx="4" '
            'fill="none" stroke="#b07000"/>'
            for i in range(int((right - left + 6) // 32))
        )
    return ""
