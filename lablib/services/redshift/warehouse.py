"""A database of a cluster: Redshift's SQL on DuckDB, COPY from S3, and the table of load errors.

What Redshift's CREATE TABLE says about distribution, sorting and compression is read over, and so are keys: Redshift
does not enforce PRIMARY KEY, UNIQUE and FOREIGN KEY (developer guide, "Table constraints"). Texts are as long as they
are declared (in bytes; VARCHAR alone is 256). The time comes from the cloud, see `aws.sql`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lablib.aws.documents import read_json
from lablib.aws.service import NotSimulated
from lablib.aws.sql import Database, Session, SqlError, foreign_word, set_aside, without_comments, without_strings
from lablib.kernel import Stream
from lablib.services.redshift.copying import Column, Copy, LoadError, parse, redshift_type, rows_of

_KINDS = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "MERGE_INTO")
_ABSENT = re.compile(
    r"\s*(UNLOAD|VACUUM|ANALYZE|GRANT|REVOKE|EXPLAIN|SET|RESET|SHOW|CALL|BEGIN|START|COMMIT|END|ROLLBACK|LOCK|DECLARE|FETCH"
    r"|PREPARE|EXECUTE|CREATE\s+(?:OR\s+REPLACE\s+)?(?!(?:(?:LOCAL\s+)?TEMP(?:ORARY)?\s+)?(?:TABLE|VIEW|SCHEMA)\b)(?:TEMP(?:ORARY)?\s+)?\w+)\b",
    re.IGNORECASE,
)
_CREATE = re.compile(r"\s*CREATE\s+(?:LOCAL\s+)?(?:TEMP(?:ORARY)?\s+)?TABLE\b", re.IGNORECASE)
_STORAGE = re.compile(
    r"\bDISTSTYLE\s+\w+|\bDISTKEY\s*(?:\([^)]*\))?|\b(?:COMPOUND\s+|INTERLEAVED\s+)?SORTKEY\s*(?:AUTO|\([^)]*\))?"
    r"|(?:,\s*(?:CONSTRAINT\s+\w+\s+)?)?\b(?:PRIMARY\s+KEY|UNIQUE|FOREIGN\s+KEY)\b\s*(?:\([^)]*\))?"
    r"|\bREFERENCES\s+\w+\s*(?:\([^)]*\))?|\bENCODE\s+\w+|\bBACKUP\s+(?:YES|NO)",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r'(?<=[(,])(\s*)("[^"]+"|\w+)\s+(character\s+varying|varchar|nvarchar|text|bpchar|character|nchar|char)\b'
    r"(?:\s*\(\s*([0-9]{1,9}|max)\s*\))?",
    re.IGNORECASE,
)
_LOAD_ERRORS = (
    "userid INTEGER", "slice INTEGER", "tbl INTEGER", "starttime TIMESTAMP", "session INTEGER", "query INTEGER",
    "filename VARCHAR", "line_number BIGINT", "colname VARCHAR", "type VARCHAR", "col_length VARCHAR",
    "position INTEGER", "raw_line VARCHAR", "raw_field_value VARCHAR", "err_code INTEGER", "err_reason VARCHAR",
)  # fmt: skip


@dataclass
class Outcome:
    """What a statement brought: `rows` and `columns` (name, Redshift's type) of a query, None for what gives none;
    `affected` rows; the bytes and files that a COPY read."""

    rows: list[tuple[Any, ...]] | None = None
    columns: list[tuple[str, str]] = field(default_factory=list)
    affected: int = 0
    size: int = 0
    files: int = 0
    copy: Copy | None = None


Files = Callable[[Copy], list[tuple[str, bytes]]]


def check(sql: str) -> None:
    """Raise NotSimulated, in one line, for what the lab has not. What is wrong SQL is found when it is executed."""
    sql = without_comments(sql)
    plain = without_strings(sql)
    if found := _ABSENT.match(plain):
        words = " ".join(found[1].upper().split())
        raise NotSimulated(f"redshift: {words} is not simulated. This lab simulates: COPY, {', '.join(_KINDS)}")
    if re.search(r"\bIDENTITY\s*\(", plain, re.IGNORECASE):
        raise NotSimulated("redshift: IDENTITY columns are not simulated; write the number with INSERT")
    if word := foreign_word(sql):
        raise NotSimulated(f"redshift: {word} is not simulated: it would tell of the computer that the lab runs on")
    if re.match(r"\s*COPY\b", plain, re.IGNORECASE):
        try:
            parse(sql)
        except SqlError:
            pass


class Warehouse:
    """One database. `on_load_error` hears of each line that COPY cannot take, with the name of the table."""

    def __init__(
        self, clock: Callable[[], datetime], chance: Stream, on_load_error: Callable[[str, LoadError], None]
    ) -> None:
        self._clock, self._on_load_error = clock, on_load_error
        self._database = Database(clock, chance)
        self._queries = 0
        session = self._database.session()
        session.execute(f"CREATE TABLE main.stl_load_errors ({', '.join(_LOAD_ERRORS)})")
        session.execute("CREATE MACRO main.nvl(a, b) AS coalesce(a, b)")
        session.commit()

    def begin(self) -> Session:
        """A transaction."""
        return self._database.session()

    def execute(self, session: Session, sql: str, params: dict[str, str], files: Files) -> Outcome:
        """Execute one statement within a transaction; `files` gives what a COPY reads. Raises SqlError."""
        self._queries += 1
        sql = without_comments(sql)
        if re.match(r"\s*COPY\b", without_strings(sql), re.IGNORECASE):
            return self._copy(session, parse(sql), files)
        found = session.kinds(_translated(sql))
        if len(found) > 1:
            raise SqlError("cannot insert multiple commands into a prepared statement")
        if not found:
            return Outcome()
        kind, text = found[0]
        if kind not in _KINDS:
            raise SqlError(f"{kind} is not supported")
        rows = session.query(text, params)
        if kind != "SELECT":
            counted = (
                bool(rows) and kind in ("INSERT", "UPDATE", "DELETE", "MERGE_INTO") and isinstance(rows[0][0], int)
            )
            return Outcome(affected=rows[0][0] if counted else 0)
        columns = [(name, redshift_type(kind.upper())) for name, kind in session.columns]
        return Outcome(rows, columns, len(rows))

    # ---- COPY --------------------------------------------------------------------------------------------------------

    def _copy(self, session: Session, copy: Copy, files: Files) -> Outcome:
        columns, began, errors = self._columns(session, copy), self._clock(), []
        most = max(copy.options.get("MAXERROR", 0), 1)

        def refuse(error: LoadError) -> None:
            errors.append(error)
            if len(errors) >= most:
                raise SqlError(
                    f"Load into table '{copy.table}' failed.  Check 'stl_load_errors' system table for details."
                )

        read, outcome = files(copy), Outcome(copy=copy)
        rows: list[list[str | None]] = []
        try:
            for name, content in read:
                rows += rows_of(name, content, copy, columns, refuse)
                outcome.size += len(content)
        finally:
            self._note(copy.table, errors, began)
        outcome.files, outcome.affected = len(read), len(rows)
        if rows:
            names = ", ".join(f'"{column.name}"' for column in columns)
            values = ", ".join(f"unnest(${n}::VARCHAR[])::{c.kind}" for n, c in enumerate(columns, 1))
            into = ".".join(f'"{part}"' for part in copy.table.split("."))
            session.execute(f"INSERT INTO {into} ({names}) SELECT {values}", [list(each) for each in zip(*rows)])
        return outcome

    def _columns(self, session: Session, copy: Copy) -> list[Column]:
        """The columns that are loaded, in the order of the fields. Raises SqlError."""
        schema, _, table = copy.table.rpartition(".")
        where = "table_name = $t AND table_schema = $s"
        about = {"t": table, "s": schema or "public"}
        found = session.execute(
            f"SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE {where} ORDER BY "
            "ordinal_position",
            about,
        )
        if not found:
            raise SqlError(f"Cannot COPY into nonexistent table {copy.table}")
        checks = session.execute(
            "SELECT constraint_column_names[1], regexp_extract(expression, 'strlen\\(.*\\) > (\\d+)', 1) FROM "
            "duckdb_constraints() WHERE constraint_type = 'CHECK' AND table_name = $t AND schema_name = $s",
            about,
        )
        lengths = {name: int(length) for name, length in checks if length}
        known = {name: Column(name, kind, able == "YES", lengths.get(name, 0)) for name, kind, able in found}
        for name in copy.columns:
            if name not in known:
                raise SqlError(f'column "{name}" of relation "{copy.table}" does not exist')
        return [known[name] for name in copy.columns or known]

    def _note(self, table: str, errors: list[LoadError], began: datetime) -> None:
        """Load errors stay, whatever becomes of the transaction."""
        if not errors:
            return
        session = self._database.session()
        for error in errors:
            self._on_load_error(table, error)
            file, line, column, kind, length, raw_line, raw_value, code, reason = error
            about = [100, 0, 0, began, 0, self._queries, file, line, column, kind, length, 0, raw_line, raw_value, code]
            marks = ", ".join("?" * len(_LOAD_ERRORS))
            session.execute(f"INSERT INTO main.stl_load_errors VALUES ({marks})", [*about, reason])
        session.commit()


def _translated(sql: str) -> str:
    """Redshift's SQL as DuckDB's."""
    text, texts_back = set_aside(sql)
    text = re.sub(r"\bSYSDATE\b", "getdate()", text, flags=re.IGNORECASE)
    if _CREATE.match(text):
        text = re.sub(r"\bSUPER\b", "JSON", _STORAGE.sub("", text), flags=re.IGNORECASE)
        text = _TEXT.sub(_checked_text, text)
    return texts_back(text)


def _checked_text(found: re.Match[str]) -> str:
    """A column of text that refuses what is longer than declared."""
    space, name, kind, length = found.groups()
    kind = " ".join(kind.lower().split())
    fixed = kind in ("char", "character", "nchar", "bpchar")
    most = 65535 if length == "max" else int(length) if length else 256 if kind != "char" and not fixed else 1
    shown = f"character{'' if fixed else ' varying'}({most})"
    test = f"CASE WHEN strlen({name}) > {most} THEN error('value too long for type {shown}') ELSE true END"
    return f"{space}{name} VARCHAR CHECK ({test})"


def manifest_entries(content: bytes) -> list[tuple[str, bool]]:
    """The URLs in a manifest, each with whether it must exist. Raises SqlError for what is none."""
    try:
        entries = read_json(content)["entries"]
        return [(str(entry["url"]), bool(entry.get("mandatory", False))) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SqlError("Manifest file is not in correct json format") from None
