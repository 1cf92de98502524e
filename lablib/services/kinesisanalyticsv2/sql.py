"""The SQL of a Kinesis Data Analytics application, read and said in DuckDB's words.

Source: Kinesis Data Analytics SQL reference and developer guide (2023), "CREATE STREAM", "CREATE PUMP", "Tumbling
Windows", "Sliding Windows", "Stagger Windows". Simulated: streams and pumps; filters and expressions; GROUP BY with
STEP or FLOOR of ROWTIME; OVER with RANGE INTERVAL ... PRECEDING; WINDOWED BY STAGGER. All else is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lablib.aws.service import NotSimulated
from lablib.aws.sql import SqlError, foreign_word, without_strings

_UNITS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}
_INTERVAL = r"INTERVAL\s+'(\d+)'\s+(SECOND|MINUTE|HOUR|DAY)S?(?:\s*\(\d+\))?"
_ABSENT = re.compile(
    r"\b(JOIN|UNION|INTERSECT|EXCEPT|CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|VIEW|SCHEMA|FOREIGN)|HAVING|DISTINCT"
    r"|RANDOM_CUT_FOREST\w*|HOTSPOTS|TOP_K\w*|COUNT_DISTINCT\w*|ROWS\s+\d|UNBOUNDED|CURSOR|TABLE\s*\(|LAG|MONOTONIC)\b",
    re.IGNORECASE,
)
_STREAM = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?STREAM\s+(\"[^\"]+\"|\w+)\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL
)
_PUMP = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?PUMP\s+(\"[^\"]+\"|\w+)\s+AS\s+INSERT\s+INTO\s+(\"[^\"]+\"|\w+)\s*(?:\(([^()]*)\)\s*)?"
    r"(SELECT\s+STREAM\s.*)$",
    re.IGNORECASE | re.DOTALL,
)
_FROM = re.compile(r"\bFROM\s+(\"[^\"]+\"|\w+)(?:\s+(?:AS\s+)?(?!WHERE|GROUP|WINDOW|WINDOWED|ORDER)(\"[^\"]+\"|\w+))?",
                   re.IGNORECASE)  # fmt: skip
_STAGGER = re.compile(
    rf"WINDOWED\s+BY\s+STAGGER\s*\(\s*PARTITION\s+BY\s+(.*?)\s+RANGE\s+{_INTERVAL}\s*\)\s*$", re.IGNORECASE | re.DOTALL
)
_RANGE = re.compile(rf"\bRANGE\s+{_INTERVAL}\s+PRECEDING", re.IGNORECASE)
_STEP = re.compile(rf"\bSTEP\s*\(\s*([\w\".]+)\s+BY\s+{_INTERVAL}\s*\)", re.IGNORECASE)
_FLOOR = re.compile(r"\bFLOOR\s*\(\s*([\w\".]+)\s+TO\s+(SECOND|MINUTE|HOUR|DAY)\s*\)", re.IGNORECASE)
_ROWTIME = re.compile(r"(?:[\w\"]+\.)?\"?ROWTIME\"?$", re.IGNORECASE)


@dataclass
class InStream:
    """An in-application stream: names and types of its columns. A name without quotes is in capitals."""

    name: str
    columns: list[tuple[str, str]]


@dataclass
class Pump:
    """A continuous query. `query` reads {source}, a table in brackets; `seconds`: how long its window is."""

    name: str
    into: str
    columns: list[str]
    source: str
    kind: Literal["rows", "tumbling", "sliding", "stagger"]
    query: str
    seconds: int = 0
    partition: str = ""

    def text(self, source: str, end: str) -> str:
        """The query over rows `source`, whose window ends at `end`."""
        return self.query.replace("{source}", source).replace("{end}", end)


def name_of(text: str) -> str:
    """An identifier: as it stands in quotes, else in capitals."""
    return text[1:-1] if text.startswith('"') else text.upper()


def read(code: str) -> tuple[dict[str, InStream], list[Pump]]:
    """The streams and pumps of an application's code. Raises SqlError and NotSimulated."""
    streams: dict[str, InStream] = {}
    pumps = []
    for statement in _statements(code):
        plain = without_strings(statement)
        word = _ABSENT.search(plain)
        absent = " ".join(word[1].upper().split()) if word else foreign_word(statement)
        if absent:
            raise NotSimulated(f"kinesisanalyticsv2: {absent} in SQL is not simulated; its module `sql` lists what is")
        if found := _STREAM.match(statement):
            stream = InStream(name_of(found[1]), _columns(found[2]))
            streams[stream.name] = stream
        elif found := _PUMP.match(statement):
            pumps.append(_pump(*found.groups()))
        else:
            raise SqlError(f"neither CREATE STREAM nor CREATE PUMP ... SELECT STREAM: {statement[:60]}")
    if not pumps:
        raise SqlError("the code has no pump")
    return streams, pumps


def _statements(code: str) -> list[str]:
    parts = re.split(r"('(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|;)", code, flags=re.DOTALL)
    found = [""]
    for part in parts:
        if part == ";":
            found.append("")
        elif not part.startswith(("--", "/*")):
            found[-1] += part
    return [" ".join(each.split()) for each in found if each.strip()]


def _columns(text: str) -> list[tuple[str, str]]:
    columns = []
    for part in re.split(r",(?![^(]*\))", text):
        found = re.fullmatch(r"\s*(\"[^\"]+\"|\w+)\s+([A-Za-z]+(?:\s*\([\d\s,]+\))?)(?:\s+NOT\s+NULL)?\s*", part)
        if not found:
            raise SqlError(f"a column needs a name and a type: {part.strip()}")
        columns.append((name_of(found[1]), found[2].upper()))
    return columns


def _pump(name: str, into: str, columns: str | None, select: str) -> Pump:
    source = _FROM.search(select)
    if not source:
        raise SqlError("SELECT STREAM needs FROM and one stream")
    alias = source[2] or source[1]
    alias = alias if alias.startswith('"') else f'"{alias.upper()}"'
    text = re.sub(r"^SELECT\s+STREAM\b", "SELECT", select, flags=re.IGNORECASE)
    text = _FROM.sub(lambda found: f"FROM {{source}} AS {alias}", text, count=1)
    pump = Pump(name_of(name), name_of(into), [name_of(one.strip()) for one in columns.split(",")] if columns else [],
                name_of(source[1]), "rows", text)  # fmt: skip
    if stagger := _STAGGER.search(text):
        pump.kind, pump.seconds = "stagger", int(stagger[2]) * _UNITS[stagger[3].upper()]
        pump.partition = _times(stagger[1])
        text = f"{text[: stagger.start()]} GROUP BY {stagger[1]} ORDER BY ALL"
    elif "WINDOWED" in without_strings(text).upper():
        raise SqlError("WINDOWED BY STAGGER (PARTITION BY ... RANGE INTERVAL '1' MINUTE) is the form")
    elif sizes := _RANGE.findall(text):
        pump.kind, pump.seconds = "sliding", max(int(n) * _UNITS[unit.upper()] for n, unit in sizes)
        text = _RANGE.sub(r"ORDER BY ROWTIME RANGE BETWEEN INTERVAL '\1' \2 PRECEDING AND CURRENT ROW", text)
        text = re.sub(r"^SELECT\b", "SELECT _seq,", text)
    elif re.search(r"\bGROUP\s+BY\b", text, re.IGNORECASE):
        pump.kind, pump.seconds = "tumbling", _window_of(text)
        text = _times_in_list(text) + " ORDER BY ALL"
    pump.query = _times(text)
    return pump


def _window_of(text: str) -> int:
    """How long a tumbling window is: the STEP or FLOOR of ROWTIME by which the query groups."""
    grouped = re.split(r"\bGROUP\s+BY\b", text, flags=re.IGNORECASE)[1]
    for what, count, unit in _STEP.findall(grouped):
        if _ROWTIME.search(what):
            return int(count) * _UNITS[unit.upper()]
    for what, unit in _FLOOR.findall(grouped):
        if _ROWTIME.search(what):
            return _UNITS[unit.upper()]
    raise SqlError("GROUP BY needs STEP(... ROWTIME BY INTERVAL ...) or FLOOR(... ROWTIME TO ...): a stream has no end")


def _times_in_list(text: str) -> str:
    """ROWTIME among what a grouped query selects is the end of its window."""
    return re.sub(
        r"(^SELECT\s+|,\s*)(?:[\w\"]+\.)?\"?ROWTIME\"?(?=\s*,|\s+AS\b|\s+FROM\b)",
        r"\1{end} ",
        text,
        flags=re.IGNORECASE,
    )


def _times(text: str) -> str:
    text = _STEP.sub(r"time_bucket(INTERVAL '\2' \3, \1, TIMESTAMP '1970-01-01')", text)
    return _FLOOR.sub(lambda found: f"date_trunc('{found[2].lower()}', {found[1]})", text)
