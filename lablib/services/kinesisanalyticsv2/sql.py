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
from lablib.aws.sql import SqlError, foreign_word, set_aside

_UNITS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}
_INTERVAL = r"INTERVAL\s+'([0-9]+)'\s+(SECOND|MINUTE|HOUR|DAY)S?(?:\s*\([0-9]+\))?"
_DIGITS = 10  # of an interval; SQL reference, "Interval literals"
# SQL reference, "Data types". DuckDB has more.
_TYPES = (
    "BIGINT", "BINARY", "BOOLEAN", "CHAR", "CHARACTER", "DATE", "DEC", "DECIMAL", "DOUBLE", "INT", "INTEGER",
    "INTERVAL", "NUMERIC", "REAL", "SMALLINT", "TIME", "TIMESTAMP", "TINYINT", "VARBINARY", "VARCHAR",
)  # fmt: skip
_SOURCE, _END = "\2", "\3"  # in a query: the rows that it reads, and the end of its window
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f]")
_ABSENT = re.compile(
    r"\b(JOIN|UNION|INTERSECT|EXCEPT|CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|VIEW|SCHEMA|FOREIGN)|HAVING|DISTINCT"
    r"|RANDOM_CUT_FOREST\w*|HOTSPOTS|TOP_K\w*|COUNT_DISTINCT\w*|ROWS\s+\d|UNBOUNDED|CURSOR|TABLE\s*\(|LAG|MONOTONIC)\b|(\(\s*SELECT)\b",
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
_NAME = r"(\"[^\"]+\"|\w+)"
_FROM = re.compile(rf"\bFROM\s+{_NAME}(?:\s+(?:AS\s+)?(?!WHERE|GROUP|WINDOW|WINDOWED|ORDER){_NAME})?\s*", re.IGNORECASE)
_BRACKET = re.compile(r"\"[^\"]*\"|[()]|\bFROM\b", re.IGNORECASE)
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
    """A continuous query. `query` has marks for the rows that it reads and the end of its window; `alias`: what it
    calls the rows; `seconds`: how long its window is."""

    name: str
    into: str
    columns: list[str]
    source: str
    kind: Literal["rows", "tumbling", "sliding", "stagger"]
    query: str
    alias: str
    seconds: int = 0
    partition: str = ""

    def text(self, source: str, end: str) -> str:
        """The query over rows `source`, whose window ends at `end`."""
        return self.query.replace(_SOURCE, source).replace(_END, end)


def name_of(text: str) -> str:
    """An identifier: as it stands in quotes, else in capitals."""
    return text[1:-1] if text.startswith('"') else text.upper()


def read(code: str) -> tuple[dict[str, InStream], list[Pump]]:
    """The streams and pumps of an application's code. Raises SqlError and NotSimulated."""
    if _CONTROL.search(code):
        raise SqlError("the code has a control character in it")
    streams: dict[str, InStream] = {}
    pumps = []
    plain, texts_back = set_aside(code)
    for statement in _statements(plain):
        if word := _ABSENT.search(statement):
            absent = " ".join(word[1].upper().split()) if word[1] else "a SELECT in brackets"
        else:
            absent = foreign_word(statement)
        if absent:
            raise NotSimulated(f"kinesisanalyticsv2: {absent} in SQL is not simulated; its module `sql` lists what is")
        if found := _STREAM.match(statement):
            stream = InStream(name_of(found[1]), _columns(found[2]))
            streams[stream.name] = stream
        elif found := _PUMP.match(statement):
            pump = _pump(*found.groups())
            pump.query, pump.partition = texts_back(pump.query), texts_back(pump.partition)
            pumps.append(pump)
        else:
            shown = texts_back(statement[:60])
            raise SqlError(f"neither CREATE STREAM nor CREATE PUMP ... SELECT STREAM: {shown}")
    if not pumps:
        raise SqlError("the code has no pump")
    return streams, pumps


def _statements(code: str) -> list[str]:
    found = [""]
    for part in re.split(r"(\"[^\"]*\"|;)", code):
        if part == ";":
            found.append("")
        else:
            found[-1] += part
    return [" ".join(each.split()) for each in found if each.strip()]


def kind_of(text: str) -> str:
    """A type of a column, as DuckDB has it, too. Raises SqlError."""
    kind = " ".join(text.upper().split())
    found = re.fullmatch(r"([A-Z]+)(?: PRECISION)?(?: ?\([0-9 ,]+\))?", kind)
    if not found or found[1] not in _TYPES:
        raise SqlError(f"{text!r} is no type of a column; there are: {', '.join(_TYPES)}")
    return kind


def _length(count: str, unit: str) -> int:
    if not int(count[:_DIGITS]) or len(count) > _DIGITS:
        raise SqlError(f"INTERVAL '{count[:20]}' {unit}: must be longer than zero, in at most {_DIGITS} digits")
    return int(count) * _UNITS[unit.upper()]


def _columns(text: str) -> list[tuple[str, str]]:
    columns = []
    for part in re.split(r",(?![^(]*\))", text):
        found = re.fullmatch(r"\s*(\"[^\"]+\"|\w+)\s+([A-Za-z]+(?:\s*\([\d\s,]+\))?)(?:\s+NOT\s+NULL)?\s*", part)
        if not found:
            raise SqlError(f"a column needs a name and a type: {part.strip()}")
        columns.append((name_of(found[1]), kind_of(found[2])))
    return columns


def _pump(name: str, into: str, columns: str | None, select: str) -> Pump:
    source = _FROM.match(select, _from(select))
    if not source:
        raise SqlError("SELECT STREAM needs FROM and one stream")
    if select[source.end() :].startswith(","):
        raise NotSimulated("kinesisanalyticsv2: JOIN in SQL is not simulated; its module `sql` lists what is")
    alias = source[2] or source[1]
    alias = alias if alias.startswith('"') else f'"{alias.upper()}"'
    text = f"{select[: source.start()]}FROM {_SOURCE} AS {alias} {select[source.end() :]}".strip()
    text = re.sub(r"^SELECT\s+STREAM\b", "SELECT", text, flags=re.IGNORECASE)
    pump = Pump(name_of(name), name_of(into), [name_of(one.strip()) for one in columns.split(",")] if columns else [],
                name_of(source[1]), "rows", text, alias)  # fmt: skip
    if stagger := _STAGGER.search(text):
        pump.kind, pump.seconds = "stagger", _length(stagger[2], stagger[3])
        pump.partition = _times(stagger[1])
        text = f"{text[: stagger.start()]} GROUP BY {stagger[1]} ORDER BY ALL"
    elif "WINDOWED" in text.upper():
        raise SqlError("WINDOWED BY STAGGER (PARTITION BY ... RANGE INTERVAL '1' MINUTE) is the form")
    elif sizes := _RANGE.findall(text):
        pump.kind, pump.seconds = "sliding", max(_length(n, unit) for n, unit in sizes)
        text = _RANGE.sub(r"ORDER BY ROWTIME RANGE BETWEEN INTERVAL '\1' \2 PRECEDING AND CURRENT ROW", text)
        text = re.sub(r"^SELECT\b", "SELECT _seq,", text)
    elif re.search(r"\bGROUP\s+BY\b", text, re.IGNORECASE):
        pump.kind, pump.seconds = "tumbling", _window_of(text)
        text = _times_in_list(text) + " ORDER BY ALL"
    pump.query = _times(text)
    return pump


def _from(select: str) -> int:
    """Where the FROM of a query is, and not that of EXTRACT(HOUR FROM ...)."""
    depth = 0
    for found in _BRACKET.finditer(select):
        depth += {"(": 1, ")": -1}.get(found.group(), 0)
        if not depth and found.group().upper() == "FROM":
            return found.start()
    return len(select)


def _window_of(text: str) -> int:
    """How long a tumbling window is: the STEP or FLOOR of ROWTIME by which the query groups."""
    grouped = re.split(r"\bGROUP\s+BY\b", text, flags=re.IGNORECASE)[1]
    for what, count, unit in _STEP.findall(grouped):
        if _ROWTIME.search(what):
            return _length(count, unit)
    for what, unit in _FLOOR.findall(grouped):
        if _ROWTIME.search(what):
            return _UNITS[unit.upper()]
    raise SqlError("GROUP BY needs STEP(... ROWTIME BY INTERVAL ...) or FLOOR(... ROWTIME TO ...): a stream has no end")


def _times_in_list(text: str) -> str:
    """ROWTIME among what a grouped query selects is the end of its window."""
    return re.sub(
        r"(^SELECT\s+|,\s*)(?:[\w\"]+\.)?\"?ROWTIME\"?(?=\s*,|\s+AS\b|\s+FROM\b)",
        rf"\1{_END} ",
        text,
        flags=re.IGNORECASE,
    )


def _times(text: str) -> str:
    for _, count, unit in _STEP.findall(text):
        _length(count, unit)
    text = _STEP.sub(r"time_bucket(INTERVAL '\2' \3, \1, TIMESTAMP '1970-01-01')", text)
    return _FLOOR.sub(lambda found: f"date_trunc('{found[2].lower()}', {found[1]})", text)
