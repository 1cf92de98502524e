"""A run as one page that needs nothing else: no kernel, no network. It opens from disk, and still plays and scrubs."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import Any

from lablib.scenarios import Run
from lablib.views.history import lives
from lablib.views.theme import plotly_js
from lablib.workbench import bundle, payload
from lablib.workbench.page_state import (
    drawn,
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
body {{ margin: 0 auto; padding: 16px; max-width: 1180px; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #12171d; }} }}
{style}
</style>
</head>
<body>
<noscript>{headline}</noscript>
<main id="workbench"></main>
<script>{plotly}</script>
<script type="module">
{script}
const saved = {saved};
for (const name of ["run", "other", "figure"]) saved[name] = Uint8Array.from(atob(saved[name]), (c) => c.charCodeAt(0));
mount(document.getElementById("workbench"), savedStore(saved));
</script>
</body>
</html>
"""


def to_html(run: Run, path: str | Path, other: Run | None = None) -> Path:
    """Write a run, and one to compare it with, as one self-contained page. Returns the path."""
    saved: dict[str, Any] = {name: base64.b64encode(data).decode() for name, data in drawn(run, other).items()}
    saved |= {
        "form": {**form_document(run.scenario), "lanes": False},
        "state": state_document(run, other, Session(Setup.of(run), Setup.of(other) if other else None).share())
        | _AS_SAVED
        | {"seek": {"t": run.cursor or 0.0, "n": int(bool(run.cursor))}},
        "table": table_document(run),
        "summary": summary_document(run),
    }
    saved["lives"] = [_lives(one) for one in (run, other) if one is not None]
    target = Path(path)
    target.write_text(
        _PAGE.format(
            title=html.escape(run.title),
            headline=html.escape(repr(run)),
            style=bundle.style(),
            plotly=_inside_script(plotly_js()),
            script=_inside_script(bundle.script().replace("export default", "const unused =")),
            saved=_inside_script(json.dumps(saved, separators=(",", ":"))),
        ),
        encoding="utf-8",
    )
    return target


def _lives(run: Run) -> list[dict[str, Any] | None]:
    """The lives by the messages' numbers; what a topic sends outside shares its original's."""
    subjects = payload.subjects(run)[:_MOST_LIVES]
    found = {one.subject: life_document(one, subjects) for one in lives(run)}
    return [found.get(subject) for subject in subjects]


def _inside_script(text: str) -> str:
    """Text that cannot end the script element it stands in."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")
