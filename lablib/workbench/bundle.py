"""The browser's part as one script and one style sheet: the modules here, joined. No build step, no
network.

The modules are plain ES modules, so that Node can test each; joining them is leaving out their imports and exports.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent / "js"
# In the order of their imports.
MODULES = (
    "state",
    "layout",
    "dom",
    "marks",
    "band",
    "draw",
    "transport",
    "chart",
    "menu",
    "side",
    "foot",
    "stays",
    "lanes",
    "predict",
    "main",
)
_IMPORT = re.compile(r"^import .*? from \".*?\";$", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


@cache
def script(prediction: bool = False) -> str:
    """All modules as one, which exports what main.js exports by default; or the page of a prediction alone."""
    if prediction:
        return script().replace(
            "export default { render: ({ model, el }) => mount(",
            "export default { render: ({ model, el }) => mountPrediction(",
        )
    texts = [HERE.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in MODULES]
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)


@cache
def style() -> str:
    """The style sheet."""
    return HERE.joinpath("style.css").read_text(encoding="utf-8")
