"""Redshift's COPY: what the statement says, and how the lines of files become rows, or load errors.

Sources: Redshift developer guide, "COPY", "Data conversion parameters", "Using a manifest to specify data files", "Load
error reference", "STL_LOAD_ERRORS". Texts of load errors: printed in the guide's tutorial and by users, except where
the tests say "ours". Simulated: delimited text, CSV, JSON 'auto' and 'auto ignorecase', GZIP, manifests.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from lablib.aws.documents import check_depth, read_gzip
from lablib.aws.service import NotSimulated
from lablib.aws.sql import SqlError

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(\"[^\"]+\"|[A-Za-z_][\w$]*|-?\d+)|([(),.;]))")
_IGNORED = ("COMPUPDATE", "STATUPDATE", "ACCEPTINVCHARS", "EXPLICIT_IDS", "REGION", "ENCODING")
_FLAGS = ("GZIP", "MANIFEST", "EMPTYASNULL", "BLANKSASNULL", "TRUNCATECOLUMNS", "FILLRECORD", "IGNOREBLANKLINES")
_TEXTS = ("DELIMITER", "QUOTE", "NULL", "TIMEFORMAT", "DATEFORMAT", "IAM_ROLE", "CREDENTIALS")
_NUMBERS = ("MAXERROR", "IGNOREHEADER")
KNOWN = ("CSV", "JSON", *_FLAGS, *_TEXTS, *_NUMBERS, *_IGNORED)


@dataclass
class Copy:
    """A COPY statement. `format`: "text", "csv" or "json". `options` by their names in capitals."""

    table: str
    columns: tuple[str, ...]
    source: str
    format: str = "text"
    ignore_case: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """The ARN of the role in whose name it reads; "default" for the cluster's own, "" when none is given."""
        found = str(self.options.get("IAM_ROLE", ""))
        return found or str(self.options.get("CREDENTIALS", "")).removeprefix("aws_iam_role=")


def parse(sql: str) -> Copy:
    """Read a COPY statement. Raises SqlError for what is no COPY, NotSimulated for a source or an option that the lab
    has not."""
    tokens, at = [], 0
    text = sql.strip().rstrip(";")
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found or found.end() == at:
            raise SqlError(f'syntax error at or near "{text[at:].strip()[:20]}"')
        tokens.append(found.group().strip())
        at = found.end()
    return _Reader(tokens).copy()


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 1  # after COPY

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _wrong(self) -> SqlError:
        shown = self._peek()
        return SqlError(f'syntax error at or near "{shown}"' if shown else "syntax error at end of input")

    def _accept(self, *words: str) -> bool:
        if self._peek().upper() in words:
            self._at += 1
            return True
        return False

    def _text(self) -> str:
        self._accept("AS")
        if not self._peek().startswith("'"):
            raise self._wrong()
        return self._take()[1:-1].replace("''", "'")

    def _name(self) -> str:
        if not re.match(r"[A-Za-z_\"]", self._peek()):
            raise self._wrong()
        name = self._take()
        return name.strip('"') if name.startswith('"') else name.lower()

    def copy(self) -> Copy:
        table, columns = self._name(), []
        if self._accept("."):
            table += f".{self._name()}"
        if self._accept("("):
            columns.append(self._name())
            while self._accept(","):
                columns.append(self._name())
            if not self._accept(")"):
                raise self._wrong()
        if not self._accept("FROM"):
            raise self._wrong()
        source = self._text()
        if not re.match(r"s3://[^/]+/.+", source):
            raise NotSimulated(f"redshift: COPY from {source!r} is not simulated; there is 's3://bucket/key or prefix'")
        copy = Copy(table, tuple(columns), source)
        while self._peek():
            self._option(copy)
        quote, delimiter = (copy.options.get(word, "|") for word in ("QUOTE", "DELIMITER"))
        if not (len(quote) == 1 and quote.isascii() and quote not in "\r\n"):
            raise SqlError("COPY quote must be a single ASCII character")
        single = copy.format != "csv" or len(delimiter.replace("\\t", "\t")) == 1
        if not (delimiter and single and delimiter.isascii()) or {*delimiter} & {*"\r\n"}:
            raise SqlError("COPY delimiter must be a single ASCII character, or several for text")
        if not copy.role:
            raise SqlError("no credentials: CREDENTIALS or IAM_ROLE must be given")
        return copy

    def _option(self, copy: Copy) -> None:
        if self._accept("FORMAT"):
            self._accept("AS")
        word = self._peek().upper()
        if word in _FLAGS:
            copy.options[self._take().upper()] = True
        elif word == "IAM_ROLE" and self._tokens[self._at + 1 : self._at + 2] in (["default"], ["DEFAULT"]):
            self._at += 2
            copy.options["IAM_ROLE"] = "default"
        elif word in _TEXTS:
            self._take()
            self._accept("AS") and self._accept("AS")
            copy.options[word] = self._text()
        elif word in _NUMBERS:
            self._take()
            self._accept("AS")
            if not self._peek().isdecimal():
                raise self._wrong()
            copy.options[word] = int(self._take())
        elif word in _IGNORED:
            self._take()
            self._accept("AS")
            if self._peek().startswith("'") or self._peek().upper() in ("ON", "OFF", "TRUE", "FALSE", "PRESET"):
                self._take()
        elif word == "CSV":
            self._take()
            copy.format = "csv"
        elif word == "JSON":
            self._take()
            how = self._text()
            if how not in ("auto", "auto ignorecase"):
                raise NotSimulated(
                    f"redshift: COPY with JSON {how!r} is not simulated; there are 'auto', 'auto ignorecase'"
                )
            copy.format, copy.ignore_case = "json", how != "auto"
        elif re.fullmatch("[A-Z_]+", word):
            known = ", ".join(KNOWN)
            raise NotSimulated(f"redshift: COPY's option {word} is not simulated. This lab simulates: {known}")
        else:
            raise self._wrong()


# ---- values ----------------------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """A column that is loaded: DuckDB's `kind`, and the `length` of a text in bytes (0: unbounded)."""

    name: str
    kind: str
    nullable: bool
    length: int

    @property
    def type_name(self) -> str:
        """The type as Redshift calls it."""
        return redshift_type(self.kind)


class LoadError(NamedTuple):
    """A row of stl_load_errors."""

    file: str
    line: int
    column: str
    type: str
    length: str
    raw_line: str
    raw_value: str
    code: int
    reason: str


class _Unfit(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


_TYPES = {
    "SMALLINT": "int2", "INTEGER": "int4", "BIGINT": "int8", "HUGEINT": "int8", "FLOAT": "float4", "DOUBLE": "float8",
    "BOOLEAN": "bool", "DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "JSON": "super", "TIME": "time", "BLOB": "varbyte",
}  # fmt: skip
_INTEGERS = {"SMALLINT": (16, "Short"), "INTEGER": (32, "Integer"), "BIGINT": (64, "Long")}
_SURROGATE = re.compile("[\ud800-\udfff]")  # a byte that is no UTF-8, or half a character of JSON
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_FARTHEST = 1e12  # seconds from 1970; no date is farther away
_SPACE = re.compile(r"\s*")
_BOOLEANS = ("t", "true", "y", "yes", "1"), ("f", "false", "n", "no", "0")


def redshift_type(kind: str) -> str:
    """DuckDB's type as Redshift calls it."""
    return "numeric" if kind.startswith("DECIMAL") else _TYPES.get(kind, "varchar")


def _integer(text: str, kind: str) -> str:
    bits, name = _INTEGERS[kind]
    found = re.match(r"\s*[+-]?[0-9]*", text)
    at = found.end() if found else 0
    if at < len(text.rstrip()) or not re.search(r"[0-9]", text):
        raise _Unfit(1207, f"Invalid digit, Value '{text[at : at + 1]}', Pos {at}, Type: {name}")
    if len(text.strip().lstrip("+-0")) > 19 or not -(2 ** (bits - 1)) <= int(text) < 2 ** (bits - 1):
        raise _Unfit(1216, f"Overflow for {name.lower()}, Value '{text.strip()}'")
    return text.strip()


def _number(text: str, kind: str) -> str:
    name, code = ("Decimal", 1207) if kind.startswith("DECIMAL") else ("Double", 1208)
    try:
        value = Decimal(text.strip() if _FLOAT.fullmatch(text.strip()) else "none")
    except InvalidOperation:
        at = len(re.match(r"\s*[+-]?[0-9]*\.?[0-9]*", text).group())  # type: ignore[union-attr]
        raise _Unfit(code, f"Invalid digit, Value '{text[at : at + 1]}', Pos {at}, Type: {name}") from None
    sizes = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind)
    if sizes and (not value.is_finite() or abs(value) >= Decimal(10) ** (int(sizes[1]) - int(sizes[2]))):
        raise _Unfit(1209, f"Overflow for NUMERIC({sizes[1]},{sizes[2]})")
    return text.strip()


def _moment(text: str, kind: str, how: str) -> str:
    """A date or a timestamp: in the form of SQL; with 'auto' also in ISO 8601; with 'epochsecs' seconds since 1970."""
    is_date = kind == "DATE"
    wrong = (1205, "Invalid Date Format - length must be 10 or more")
    if not is_date:
        wrong = (1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]")
    try:
        if how in ("epochsecs", "epochmillisecs"):
            if not _FLOAT.fullmatch(text):
                raise ValueError(text)
            seconds = Decimal(text) / (1 if how == "epochsecs" else 1000)
            if abs(seconds) > _FARTHEST:
                raise ValueError(text)
            return (datetime(1970, 1, 1) + _seconds(seconds)).isoformat(" ")
        if how != "auto" and not re.fullmatch(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d{1,6})?)?", text):
            raise ValueError(text)
        if is_date:
            return date.fromisoformat(text[:10]).isoformat()
        return datetime.fromisoformat(text).isoformat(" ")
    except (ValueError, ArithmeticError):
        raise _Unfit(*wrong) from None


def _seconds(seconds: Decimal) -> Any:
    from datetime import timedelta

    return timedelta(microseconds=int(seconds * 1_000_000))


def _value(raw: str | None, column: Column, copy: Copy) -> str | None:
    """One field as DuckDB will read it. Raises _Unfit."""
    is_text = column.type_name == "varchar"
    if raw is not None:
        blank = (not raw and ("EMPTYASNULL" in copy.options or not is_text)) or (
            not raw.strip() and "BLANKSASNULL" in copy.options
        )
        if blank or (copy.format != "json" and raw == copy.options.get("NULL", r"\N")):
            raw = None
    if raw is None:
        if not column.nullable:
            raise _Unfit(1213, "Missing data for not-null field")
        return None
    if is_text:
        if bad := _SURROGATE.search(raw):
            how = "surrogateescape" if bad.group() >= "\udc80" and copy.format != "json" else "surrogatepass"
            hexed = bad.group().encode(errors=how).hex()
            text = f"String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {hexed} (error 3)"
            raise _Unfit(1220, text)
        if column.length and len(raw.encode()) > column.length:
            if "TRUNCATECOLUMNS" not in copy.options:
                raise _Unfit(1204, "String length exceeds DDL length")
            return raw.encode()[: column.length].decode(errors="ignore")
        return raw
    if column.kind in _INTEGERS:
        return _integer(raw, column.kind)
    if column.type_name in ("numeric", "float4", "float8"):
        return _number(raw, column.kind)
    if column.kind == "BOOLEAN":
        if raw.strip().lower() not in (*_BOOLEANS[0], *_BOOLEANS[1]):
            raise _Unfit(1210, "Unknown boolean format")
        return "true" if raw.strip().lower() in _BOOLEANS[0] else "false"
    if column.kind == "DATE" or column.kind.startswith("TIMESTAMP"):
        return _moment(raw, column.kind, copy.options.get("DATEFORMAT" if column.kind == "DATE" else "TIMEFORMAT", ""))
    return raw


# ---- files -----------------------------------------------------------------------------------------------------------


class _Line(NamedTuple):
    number: int
    raw: str
    fields: list[str | None] | _Unfit


def _text_lines(text: str, copy: Copy, columns: list[Column]) -> Iterator[_Line]:
    delimiter = copy.options.get("DELIMITER", "," if copy.format == "csv" else "|").replace("\\t", "\t")
    lines = list(io.StringIO(text, newline=""))  # they end with \n, \r or both, and with nothing else
    fields: Iterator[list[str]] = (line.rstrip("\r\n").split(delimiter) for line in lines)
    reader = None
    if copy.format == "csv":
        fields = reader = csv.reader(lines, delimiter=delimiter, quotechar=copy.options.get("QUOTE", '"'), strict=True)
    begun = 0
    while True:
        try:
            found = next(fields)
        except StopIteration:
            return
        except csv.Error:
            yield _Line(begun + 1, "".join(lines[begun:]), _Unfit(1214, "Invalid quote formatting for CSV"))
            return
        until = reader.line_num if reader else begun + 1
        raw, number, begun = "".join(lines[begun:until]).rstrip("\r\n"), begun + 1, until
        if number <= copy.options.get("IGNOREHEADER", 0) or (not raw and "IGNOREBLANKLINES" in copy.options):
            continue
        yield _Line(number, raw, _fitting(found, columns, copy))


def _fitting(fields: list[str], columns: list[Column], copy: Copy) -> list[str | None] | _Unfit:
    if len(fields) > len(columns):
        return _Unfit(1202, "Extra column(s) found")
    missing = len(columns) - len(fields)
    if missing and "FILLRECORD" not in copy.options:
        return _Unfit(1214, "Delimiter not found")
    return [*fields, *([None] * missing)]


def _json_lines(text: str, copy: Copy, columns: list[Column]) -> Iterator[_Line]:
    """Objects one after another, with or without white space between them, as Firehose glues records together."""
    decoder, at, number = json.JSONDecoder(parse_float=_Exact), 0, 1
    while True:
        begin = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        number += text.count("\n", at, begin)
        at = begin
        if at >= len(text):
            return
        try:
            found, end = decoder.raw_decode(text, at)
            check_depth(text[at:end])
            if not isinstance(found, dict):
                raise ValueError(found)
        except (ValueError, RecursionError):
            end = text.find("\n", at) + 1 or len(text)
            yield _Line(number, text[at:end].strip(), _Unfit(1216, "Invalid JSON object"))
        else:
            given = {key.lower(): value for key, value in found.items()} if copy.ignore_case else found
            yield _Line(number, text[at:end], [_plain(given.get(column.name)) for column in columns])
        number += text.count("\n", at, end)
        at = end


class _Exact(float):
    """A number that keeps its digits."""

    def __init__(self, text: str) -> None:
        self.text = text


def _plain(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, _Exact):
        return value.text
    return json.dumps(value, ensure_ascii=False)


def _shown(text: str) -> str:
    return text[:1024].rstrip("\r\n").encode(errors="surrogatepass").decode(errors="replace")


def rows_of(
    name: str, content: bytes, copy: Copy, columns: list[Column], refuse: Callable[[LoadError], None]
) -> Iterator[list[str | None]]:
    """The rows of one file. What does not fit is given to `refuse`, which raises when there are too many."""

    def wrong(line: _Line, unfit: _Unfit, column: Column | None = None, raw: str | None = "") -> None:
        about = (column.name, column.type_name, str(column.length or "")) if column else ("", "", "")
        raw_line, value = (_shown(text) for text in (line.raw, raw or ""))
        refuse(LoadError(name, line.number, *about, raw_line, value, unfit.code, unfit.reason))

    if "GZIP" in copy.options:
        try:
            content = read_gzip(content)
        except ValueError:
            raise SqlError(f"failed to inflate with gzip: {name}") from None
    text = content.decode(errors="surrogateescape")
    for line in (_json_lines if copy.format == "json" else _text_lines)(text, copy, columns):
        if isinstance(line.fields, _Unfit):
            wrong(line, line.fields)
            continue
        row = []
        for raw, column in zip(line.fields, columns, strict=True):
            try:
                row.append(_value(raw, column, copy))
            except _Unfit as unfit:
                wrong(line, unfit, column, raw)
                break
        else:
            yield row
