"""A run as one page that needs nothing else: no kernel, no network. It opens from disk, and still plays and scrubs."""

from __future__ import annotations

import base64
import html
import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from lablib.scenarios import Run
from lablib.views.history import lives
from lablib.views.theme import plotly_js
from lablib.workbench import bundle, document
from lablib.workbench.page_state import (
    comparison,
    drawn,
    figure_document,
    form_document,
    life_document,
    state_document,
    summary_document,
    table_document,
)
from lablib.workbench.setup import Session, Setup

_MOST_LIVES = 3000  # beyond, the page would weigh more than it tells
# What a live page adds to its state, as it stands on a page that is kept. No widget is made for such a page: a notebook
# would look for it, and find nothing.
_AS_SAVED: dict[str, Any] = {
    "many": {"on": False, "part": 0.0, "text": ""},
    "alarm": "",
    "question": None,
    "missions": [],
    "focus": "",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0 auto; padding: 16px; max-width: 1860px; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #12171d; color: #fff; }} }}
.veil {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }}
{style}
</style>
</head>
<body>
<noscript>{headline}</noscript>
<main><h1 class="veil">{title}</h1><h2 class="veil">A kept run</h2><div id="workbench"></div></main>
<script type="module">
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const inflated = (data) => new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate")));
const saved = await inflated(bytes("{saved}")).json();
for (const name of ["run", "other", "figure"]) saved[name] = bytes(saved[name]);
saved.plotly = async () => new Uint8Array(await inflated(bytes("{plotly}")).arrayBuffer());
const code = new Blob([await inflated(bytes("{script}")).arrayBuffer()], {{ type: "text/javascript" }});
const {{ mount, savedStore }} = await import(URL.createObjectURL(code));
mount(document.getElementById("workbench"), savedStore(saved));
</script>
</body>
</html>
"""


def to_html(run: Run, path: str | Path, other: Run | None = None) -> Path:
    """Write a run, and one to compare it with, as one self-contained page. Returns the path."""
    parts = {**drawn(run, other), "figure": figure_document(run, other)}
    saved: dict[str, Any] = {name: base64.b64encode(data).decode() for name, data in parts.items()}
    saved |= {
        "form": {**form_document(run.scenario), "lanes": False},
        "state": state_document(run, other, Session(Setup.of(run), Setup.of(other) if other else None).share())
        | _AS_SAVED,
        "cursor": run.cursor or 0.0,
        "table": table_document(run),
        "summary": summary_document(run),
        "comparison": comparison(other, run) if other else {},
    }
    saved["lives"] = [_lives(one) for one in (run, other) if one is not None]
    target = Path(path)
    target.write_text(
        _PAGE.format(
            title=html.escape(run.title),
            headline=html.escape(repr(run)),
            style=bundle.style(),
            script=_script(),
            plotly=_plotly(),
            saved=_deflated(json.dumps(saved, separators=(",", ":"))),
        ),
        encoding="utf-8",
    )
    return target


def _deflated(text: str) -> str:
    """A text that the page inflates, in base64."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


@cache
def _script() -> str:
    """The workbench's own script, as a module that exports what the page calls."""
    return _deflated(f"{bundle.script()}\nexport {{ mount, savedStore }};\n")


@cache
def _plotly() -> str:
    """plotly.js: the page inflates it when a figure is looked at."""
    return _deflated(plotly_js())


def _lives(run: Run) -> list[dict[str, Any] | None]:
    """The lives by the messages' numbers; what a topic sends outside shares its original's."""
    subjects = document.subjects(run)[:_MOST_LIVES]
    found = {one.subject: life_document(one, subjects) for one in lives(run)}
    return [found.get(subject) for subject in subjects]
