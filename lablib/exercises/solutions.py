"""Our solutions, read from the sources of the labs."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

_MARKER = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*\n", re.MULTILINE)


def source_of(id: str) -> str:
    """The solution of an exercise, from the source of its lab: the function that is checked there, without the markers.

    Raises FileNotFoundError when the folder `solutions/` is not beside the package, LookupError when it has no such
    check.
    """
    folder = Path(__file__).resolve().parents[2] / "solutions"
    files = sorted(folder.glob(f"{id.partition('.')[0]}-*.py"))
    if not files:
        raise FileNotFoundError(
            f"the solutions are in the folder solutions/ of the project, and {folder} has none of this lab"
        )
    return find(files[0].read_text(encoding="utf-8"), id)


def find(source: str, id: str) -> str:
    """The region between the solution markers that stands last before the check of `id`, in its whole cell. Before it
    stand the functions that it calls and that are the learner's to write, too: their cells have a region of their own.
    """
    check = re.search(
        rf"""^.*exercise\(\s*["']{re.escape(id)}["']\s*\)\s*\.check\(\s*(\w+)\s*\)""", source, re.MULTILINE
    )
    before = source[: check.start()] if check else ""
    cells = {
        found[1]: re.split(r"^# ?%%", before[found.start() :], maxsplit=1, flags=re.MULTILINE)[0]
        for found in re.finditer(r"^def (\w+)\(", before, re.MULTILINE)
    }
    if not check or check[1] not in cells:
        raise LookupError(f"the source has no solution of {id}")
    own = cells.pop(check[1])
    parts = [cell for name, cell in cells.items() if f" {name}(" in own and "### BEGIN SOLUTION" in cell]
    return "\n\n".join(textwrap.dedent(_MARKER.sub("", cell)).rstrip() + "\n" for cell in (*parts, own))
