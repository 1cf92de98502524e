"""The prose of the labs: hints, what a passed check says, questions and their replies.

There is one file for each lab, `NN.md`, in Markdown. A heading `## KEY` begins a section; the key names the lab it
belongs to: `## 01.producer hint 1`, `## 01.producer passed`, `## question 01.spike`. Text before the first heading is
for authors. In a section:

- Lines of a paragraph are joined with a space; paragraphs are separated by an empty line.
- A list item `- name: words` is an entry: an option and the reply to it, for example. The name ends at the first ": ".
  What follows is indented by two spaces.
- Lines that are indented by four spaces are code and stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_LAB = re.compile(r"\b(\d\d[a-z]?)\.\w")


def counted(n: int, noun: str) -> str:
    """ "1 order", "3 orders". Where the noun is not at the end, {s} stands after it: "call{s} that fail"."""
    noun = noun if "{s}" in noun else noun + "{s}"
    return f"{n} {noun.replace('{s}', '' if n == 1 else 's')}"


@dataclass(frozen=True)
class Section:
    """One section: its prose, and its list items by name, in order."""

    text: str = ""
    entries: dict[str, str] = field(default_factory=dict)


def section(key: str) -> Section:
    """The section with that key, such as "01.producer hint 1". Raises KeyError when there is none."""
    found = _LAB.search(key)
    sections = _lab(found[1]) if found else {}
    if key not in sections:
        raise KeyError(f"the texts have no section {key!r}; it belongs into lablib/texts/NN.md")
    return sections[key]


def text(key: str, default: str | None = None) -> str:
    """The prose of a section. Without the section: `default`, or KeyError when that is None."""
    try:
        return section(key).text
    except KeyError:
        if default is None:
            raise
        return default


def entries(key: str) -> dict[str, str]:
    """The list items of a section; none without the section."""
    try:
        return section(key).entries
    except KeyError:
        return {}


def numbered(key: str) -> tuple[str, ...]:
    """The prose of the sections `key 1`, `key 2`, ... in order, as many as there are."""
    found: list[str] = []
    while prose := text(f"{key} {len(found) + 1}", ""):
        found.append(prose)
    return tuple(found)


def parse(source: str, name: str = "the texts") -> dict[str, Section]:
    """The sections of a file's text. Raises ValueError for a key that stands twice, and for an item without a name."""
    sections: dict[str, Section] = {}
    for part in re.split(r"^## +", source, flags=re.MULTILINE)[1:]:
        key, _, body = part.partition("\n")
        key = key.strip()
        if key in sections:
            raise ValueError(f"{name}: section {key!r} stands twice")
        sections[key] = _section(body, f"{name}: section {key!r}")
    return sections


def _section(body: str, where: str) -> Section:
    paragraphs: list[str] = []
    entries: dict[str, str] = {}
    for block in re.split(r"\n\s*\n|\n(?=- )", "\n" + body.strip("\n")):
        block = block.strip("\n")
        if block.startswith("- "):
            name, colon, words = _joined(block.removeprefix("- ")).partition(": ")
            if not colon or name in entries:
                raise ValueError(f"{where}: {block!r:.60} needs a name of its own: '- name: words'")
            entries[name] = words
        elif block.strip():
            paragraphs.append(block if block.startswith("    ") else _joined(block))
    return Section("\n".join(paragraphs), entries)


def _joined(block: str) -> str:
    return " ".join(line.strip() for line in block.splitlines())


@cache
def _lab(lab: str) -> dict[str, Section]:
    path = Path(__file__).with_name(f"{lab}.md")
    return parse(path.read_text(encoding="utf-8"), path.name) if path.exists() else {}
