"""A poster: the stage of a workbench before anything happens, as a small SVG, for a notebook whose cell has not run.

It has a ground of its own, so that it can be read on any page; where the system is dark, it is dark. Colours are
attributes first: some viewers drop style sheets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from textwrap import wrap

from lablib.scenarios.topology import ROLES, Place, Topology

WIDTH = 820
_LEFT, _TOP = 16, 50  # px, all of these: the margin, and where the first lane begins
_BOX, _GAP, _ROW = 96, 42, 50  # a box below the lane, the pipe between two columns, the height of one of several rows
_LINE, _LETTER = 15, 7.2  # a line of text, a letter
_FACE = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
_DARK = (
    "@media (prefers-color-scheme: dark){.mlp-page{fill:#161d24;stroke:#74828f}.mlp-box{fill:#1f2831;stroke:#74828f}"
    ".mlp-ink{fill:#e9eef3}.mlp-soft{fill:#a3afbb}.mlp-pipe{stroke:#74828f}.mlp-slot{stroke:#56b4e9}.mlp-cell{stroke:#e69f00}}"
)


def poster(title: str, lanes: Sequence[tuple[str, Topology]]) -> str:
    """The picture of a workbench with these lanes: (what is different in it, its places). `title`: the question."""
    height = float(_TOP)
    parts: list[str] = []
    for name, topology in lanes:
        if name:
            parts.append(_text(_LEFT, height + 4, name, "soft"))
            height += _LINE + 4
        drawn, bottom = _lane(topology, height)
        parts += drawn
        height = bottom + 18
    start = f"Run this cell to start: {title}"
    button = (
        f'<rect x="{_LEFT}" y="{height:g}" width="240" height="32" rx="6" fill="#0072b2"/>'
        f'<text x="{_LEFT + 120}" y="{height + 21:g}" text-anchor="middle" fill="#ffffff" font-weight="600">'
        "▶  Run this cell: Shift + Enter</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 48:g}" width="{WIDTH}" role="img" '
        f'data-messaging-lab="poster" font-family="{_FACE}" font-size="13"><title>{escape(start)}</title>'
        f"<style>{_DARK}</style>"
        f'<rect class="mlp-page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height + 47:g}" rx="8" fill="#ffffff" '
        f'stroke="#84909c"/>{_text(_LEFT, 30, title, "ink", 16)}{"".join(parts)}{button}</svg>'
    )


def _text(x: float, y: float, words: str, tone: str, size: int = 13, anchor: str = "start") -> str:
    colour = {"ink": "#17222d", "soft": "#55626f"}[tone]
    more = f' font-size="{size}"' if size != 13 else ""
    return (
        f'<text class="mlp-{tone}" x="{x:g}" y="{y:g}" fill="{colour}" text-anchor="{anchor}"{more}>'
        f"{escape(words)}</text>"
    )


Box = tuple[float, float, float, float]  # x, y, width, height
Boxes = dict[str, Box]


def _lane(topology: Topology, top: float) -> tuple[list[str], float]:
    """The places and links of a lane, and where it ends."""
    boxes = _boxes(topology, top)
    hands = Counter(actor.place for actor in topology.actors if actor.t_from == 0)
    bottom = max(y + h for _, y, _, h in boxes.values())
    pipes = [_pipe(boxes[a], boxes[b]) for a, b in _forward(topology, boxes)]
    return [*pipes, *(_place(place, boxes[place.id], hands[place.id]) for place in topology.places)], bottom


def _boxes(topology: Topology, top: float) -> Boxes:
    """Where each place stands: (x, y, width, height)."""
    depth = _depths(topology)
    columns = [[p for p in topology.places if depth.get(p.id) == d] for d in sorted(set(depth.values()))]
    weights = [max(ROLES[p.role].weight for p in places) for places in columns]
    rows = max(map(len, columns))
    unit = (WIDTH - 2 * _LEFT - _GAP * (len(columns) - 1)) / sum(weights)
    high = max(rows * _ROW, 78)
    boxes: Boxes = {}
    x = float(_LEFT)
    for places, weight in zip(columns, weights, strict=True):
        step = high / len(places)
        for i, place in enumerate(places):
            tall = min(step - 8, high) if len(places) > 1 else high
            boxes[place.id] = (x, top + i * step, weight * unit, tall)
        x += weight * unit + _GAP
    below = [p for p in topology.places if p.id not in boxes]
    for i, place in enumerate(below):
        boxes[place.id] = (WIDTH - _LEFT - (i + 1) * (_BOX + 10) + 10, top + high + 10, _BOX, 26)
    return boxes


def _depths(topology: Topology) -> dict[str, int]:
    """How many links lead to each place from where messages begin, the longest way; none for what stands below."""
    flow = sorted((p for p in topology.places if not ROLES[p.role].side), key=lambda p: ROLES[p.role].order)
    depth: dict[str, int] = {}
    for place in flow:
        before = [depth[link.source] for link in topology.links if link.target == place.id and link.source in depth]
        depth[place.id] = 1 + max(before, default=0)
    return depth


def _forward(topology: Topology, boxes: Boxes) -> Iterable[tuple[str, str]]:
    """The links that lead to the right. The others say what can go wrong: that is for the run to show."""
    links = [(link.source, link.target) for link in topology.links if link.t_from == 0]
    return ((a, b) for a, b in links if boxes[b][0] > boxes[a][0] and not ROLES[topology[b].role].side)


def _pipe(a: Box, b: Box) -> str:
    x, y, end, at = a[0] + a[2], a[1] + a[3] / 2, b[0], b[1] + b[3] / 2
    middle = (x + end) / 2
    return (
        f'<path class="mlp-pipe" d="M{x:.0f} {y:.0f}C{middle:.0f} {y:.0f} {middle:.0f} {at:.0f} {end:.0f} {at:.0f}" '
        'fill="none" stroke="#84909c" stroke-width="5"/>'
    )


def _place(place: Place, box: Box, actors: int) -> str:
    x, y, width, height = box
    lines = wrap(place.label, max(6, int(width / _LETTER)))[:2]
    tone = "soft" if ROLES[place.role].side else "ink"
    words = "".join(_text(x + 8, y + 18 + _LINE * i, line, tone) for i, line in enumerate(lines))
    return (
        f'<rect class="mlp-box" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6" '
        f'fill="#f3f6f9" stroke="#84909c"/>{words}{_inside(place, box, lines, actors)}'
    )


def _inside(place: Place, box: Box, lines: Sequence[str], actors: int) -> str:
    """A queue has empty slots, each worker an empty cell: below the words, or in a low box beside them."""
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
    if actors:
        step = min(32.0, (right - left + 6) / actors)
        return "".join(
            f'<rect class="mlp-cell" x="{left + step * i:.1f}" y="{middle - 9:.0f}" width="{step - 6:.1f}" height="18" '
            'rx="4" fill="none" stroke="#b07000"/>'
            for i in range(actors)
        )
    return ""
