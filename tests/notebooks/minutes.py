"""How long a lab takes: by what there is to read, to guess, to watch and to write. The build prints it and fills it in.

The weights were found by four labs (01 to 04) that a first-time learner did in about 80, 78, 115 and 150 minutes; they
come within 15 % of each. A line `{minutes}` in a lab's first cell becomes the sentence and the table of its minutes.

What is extra has a heading that says so: `## Then and now (extra)`, `### Exercise 4: the fleet (extra)`. A `##` holds
up to the next `##`; a `###` up to the next heading. The core is all the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import jupytext

WORDS = 1 / 120  # minutes a word of text
CODE = 1 / 1500  # minutes a character of code that is there to read
CELL = 0.2  # a code cell: run it, look at what it shows
GUESS = 4.0  # a question: guess, run, compare, think
MISSION = 1.5
EXERCISE = 2.0  # read the verdicts, try again
WRITE = 1 / 100  # minutes a character of our solution
PLACE = "{minutes}"
_EXTRA = re.compile(r" \*?\(extra\)\*?$")
_REGION = re.compile(r"^[ \t]*### BEGIN SOLUTION(.*?)### END SOLUTION[ \t]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(##+) (.*)$")


@dataclass
class Content:
    """What a section holds; `code` and `written` are characters: of code that is shown, and of our solutions."""

    words: int = 0
    cells: int = 0
    code: int = 0
    guesses: int = 0
    missions: int = 0
    exercises: int = 0
    written: int = 0

    @property
    def minutes(self) -> float:
        """How long a first-time learner needs."""
        reading = WORDS * self.words + CODE * self.code + CELL * self.cells
        return (
            reading + GUESS * self.guesses + MISSION * self.missions + EXERCISE * self.exercises + WRITE * self.written
        )


@dataclass
class Section:
    """A `##` of a lab: its title, and what there is to do, in the core and beyond it."""

    title: str
    core: Content = field(default_factory=Content)
    extra: Content = field(default_factory=Content)


def sections(source: str, missions: int = 0) -> list[Section]:
    """The sections of a lab's source. Its so many missions belong to the first workbench; what stands before the first
    `##` belongs to the first section.
    """
    found: list[Section] = []
    start = Section("")
    whole = part = False  # is the ## extra, is the ### extra
    for cell in jupytext.reads(source, fmt="py:percent").cells:
        if cell.cell_type != "markdown":
            now = found[-1] if found else start
            _code(now.extra if whole or part else now.core, cell.source, missions)
            missions = 0 if "workbench(" in _REGION.sub("", cell.source).replace("import workbench", "") else missions
            continue
        for line in cell.source.splitlines():
            heading = _HEADING.match(line)
            if heading and heading[1] == "##":
                found.append(Section(_EXTRA.sub("", heading[2])))
                whole, part = bool(_EXTRA.search(heading[2])), False
            elif heading:
                part = bool(_EXTRA.search(heading[2]))
            now = found[-1] if found else start
            (now.extra if whole or part else now.core).words += len(re.findall(r"[\w'.`]*\w", line))
    for name in vars(start.core) if found else ():
        setattr(found[0].core, name, getattr(found[0].core, name) + getattr(start.core, name))
    return found or [start]


def _code(content: Content, source: str, missions: int) -> None:
    shown = _REGION.sub("    ...", source)
    content.cells += 1
    content.code += len(shown)
    content.guesses += len(re.findall(r"\bpredict(?:\(|=)", shown))
    content.exercises += len(re.findall(r"\.check\(\s*\w+\s*\)", shown))
    content.written += sum(len(region.strip()) for region in _REGION.findall(source))
    if re.search(r"^(?:\w+ = )?workbench\(", shown, re.MULTILINE):
        content.missions += missions


def minutes(source: str, missions: int = 0) -> tuple[int, int]:
    """The minutes of a lab, whole: its core, and what is extra."""
    rows = list(_rows(source, missions))
    return sum(core for _, core, _ in rows), sum(extra for _, _, extra in rows)


def _rows(source: str, missions: int) -> Iterator[tuple[str, int, int]]:
    """A row for each numbered section, and one for all that comes after them."""
    core = extra = 0.0
    for section in sections(source, missions):
        if re.match(r"\d+\. ", section.title):
            yield section.title, round(section.core.minutes), round(section.extra.minutes)
        else:
            core, extra = core + section.core.minutes, extra + section.extra.minutes
    if core or extra:
        yield "At the end", round(core), round(extra)


def fill(source: str, missions: int = 0) -> str:
    """The source with its minutes in place of `{minutes}`."""
    if PLACE not in source:
        return source
    core, extra = minutes(source, missions)
    lines = [f"**About {core} minutes.** What is marked *extra* takes about {extra} more."] if extra else []
    lines = lines or [f"**About {core} minutes.**"]
    lines += ["", "| | minutes | extra |", "| --- | --- | --- |"]
    lines += [f"| {title} | {a or ''} | {b or ''} |" for title, a, b in _rows(source, missions)]
    return source.replace(f"# {PLACE}", "\n".join(f"# {line}".rstrip() for line in lines))
