"""A run as one page that needs nothing else: no kernel, no network. It opens from disk, and still plays and scrubs."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import Any

from lablib.scenarios import Run
from lablib.views.biography import lives
from lablib.views.theme import plotly_js
from lablib.workbench import bundle, payload
from lablib.workbench.session import Setup, Versus
from lablib.workbench.widget import Workbench, life_document, summary_document, table_document

_MOST_LIVES = 3000  # beyond, the page would weigh more than it tells

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
    made = Workbench(Setup.of(run), Versus(kept=Setup.of(other)) if other else None)
    try:
        if run.cursor:
            made.seek(run.cursor)
        saved: dict[str, Any] = {
            name: base64.b64encode(getattr(made, f"_{name}")).decode() for name in ("run", "other", "figure")
        }
        saved |= {
            "form": made._form,
            "state": made._state,
            "table": table_document(run),
            "summary": summary_document(run),
        }
    finally:
        made.close()
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
