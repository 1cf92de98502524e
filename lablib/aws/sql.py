"""DuckDB as a database in virtual time: no file, no network, no clock and no chance of its own, one thread.

Redshift's warehouse and the SQL applications of Kinesis Data Analytics are made of it. It is imported when the first
database is opened. `now()` and its relatives tell the virtual time at which a session began; `random()` and `uuid()`
draw from the cloud's chance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lablib.aws.service import NotSimulated
from lablib.kernel import Stream
from lablib.kernel.interrupt import call_after
from lablib.kernel.stacks import unsimulated

_NOW = "getvariable('lab_now')"
_CLOCKS = {
    "now": _NOW, "current_timestamp": _NOW, "get_current_timestamp": _NOW, "transaction_timestamp": _NOW,
    "localtimestamp": _NOW, "current_localtimestamp": _NOW, "getdate": _NOW, "current_date": f"{_NOW}::date",
    "today": f"{_NOW}::date", "get_current_time": f"{_NOW}::time", "current_localtime": f"{_NOW}::time",
}  # fmt: skip
# What tells of this machine, or would pass by the clocks above. A name in quotes is a name too.
_FOREIGN = re.compile(
    r"\b(duckdb_\w+|pragma_\w+|pg_settings|sleep_ms|setseed|getvariable|uuidv7|write_log|current_setting|version|(?:system|temp)"
    r'(?="?\s*\.)|tablesample|using\s+sample|current_(?:connection|query|transaction)_id|txid_current|stats)\b',
    re.IGNORECASE,
)
# Where DuckDB's own reader sees a text ('a', E'a', $$a$$), a name or a comment, so that nothing else begins there.
_PARTS = re.compile(
    r"""(?P<text>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?)\$"""
    r""".*?\$(?P=tag)\$)|(?P<comment>--[^\n\r]*|/\*.*?\*/)"""
    r"""|"(?:[^"]|"")*"|[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*""",
    re.DOTALL,
)
# DuckDB's texts that have a text of PostgreSQL's and Redshift's own.
_TEXTS = (
    (r"Table with name (\S+) does not exist!.*", r'relation "\1" does not exist'),
    (r"Table with name (\S+) already exists!.*", r"Relation \1 already exists"),
    (r'Referenced column "(\S+)" (?:was )?not found.*', r'column "\1" does not exist'),
    (r"(?:Scalar|Aggregate) Function with name (\S+) does not exist!.*", r"function \1 does not exist in this lab"),
    (r".*\(Error: (.*)\)", r"\1"),
    (r"[A-Z][A-Za-z ]+ Error: (.*)", r"\1"),
)


# DuckDB's functions that make as much out of nothing as a number says; nothing interrupts them. Those that Redshift has
# too make at most a VARCHAR(MAX), 65,535 bytes (database developer guide, "Character types"). It has no others.
_GROWING = {
    "repeat": ("a, n", "octet_length(encode(a)) * n", "a, {n}"), "lpad": ("a, n, f := ' '", "n", "a, {n}, f"),
    "rpad": ("a, n, f := ' '", "n", "a, {n}, f"),
}  # fmt: skip
_NOT_HERE = ("array_resize", "bar", "bitstring", "format", "generate_series", "list_resize", "printf", "range")
_VARCHAR_MAX = 65_535

LARGEST = 100_000_000  # bytes of a result; Redshift management guide (2023), "Considerations" of the Data API
LONGEST = 30.0  # real seconds that a statement may take; ours
_FETCH = 10_000  # rows at a time
_STOPPED = "stopped in the middle of a statement: this cloud is not whole, make a new Cloud"


class SqlError(Exception):
    """A statement that the database refuses. The text is one line, without the name of DuckDB's class of errors."""


def parts(sql: str, text: Callable[[str], str], comment: str = " ") -> str:
    """The statement with each of its texts, such as 'a', changed by `text`, and `comment` in place of its comments."""

    def change(found: re.Match[str]) -> str:
        part = found.group()
        if found["text"]:
            return text(part)
        if found["comment"] and "/*" in part[2:] and part[0] == "/":
            raise NotSimulated("a comment within a comment of SQL is not simulated")
        return comment if found["comment"] else part

    return _PARTS.sub(change, sql)


def without_strings(sql: str) -> str:
    """The statement without its texts and comments, for whoever looks for words in it."""
    return parts(sql, lambda text: "''")


def without_comments(sql: str) -> str:
    """The statement without its comments."""
    return parts(sql, lambda text: text)


def set_aside(sql: str) -> tuple[str, Callable[[str], str]]:
    """The statement with marks for its texts, but for those of digits alone, so that patterns can be looked for; and
    what puts the texts back into what became of it."""
    texts: list[str] = []

    def aside(text: str) -> str:
        if text[1:-1].isdecimal():
            return text
        texts.append(text)
        return f"'\1{len(texts) - 1}\1'"

    plain = parts(sql, aside)
    return plain, lambda text: re.sub("'\1(\\d+)\1'", lambda found: texts[int(found[1])], text)


def quoted(name: str) -> str:
    """A name as it can stand in a statement, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def foreign_word(sql: str) -> str:
    """The first word of a statement that reaches for the machine, a real clock or real chance; "" when none does."""
    found = _FOREIGN.search(without_strings(sql))
    return found.group() if found else ""


class Database:
    """A database in memory. `clock` tells the virtual time as a date in UTC, `chance` gives what it draws."""

    def __init__(self, clock: Callable[[], datetime], chance: Stream) -> None:
        self._clock, self._chance = clock, chance
        with unsimulated():
            import duckdb

            self._duckdb: Any = duckdb
            own = {"enable_external_access": False, "threads": 1, "python_enable_replacements": False}
            self._root = duckdb.connect(":memory:", config={**own, "memory_limit": "1GB"})
            self._root.execute("CREATE SCHEMA public")
            for name, value in _CLOCKS.items():
                self._root.execute(f"CREATE MACRO main.{name}() AS {value}")
            self._root.execute(f"CREATE MACRO main.age(since) AS age({_NOW}, since)")
            for name, (takes, size, gives) in _GROWING.items():
                text = f"{name}: more than the {_VARCHAR_MAX:,} bytes of a VARCHAR(MAX)"
                n = f"CASE WHEN {size} > {_VARCHAR_MAX} THEN error('{text}') ELSE n END"
                self._root.execute(f"CREATE MACRO main.{name}({takes}) AS system.main.{name}({gives.format(n=n)})")
            for name in _NOT_HERE:
                text = f"error('function {name} does not exist in this lab')"
                forms = (f"({', '.join('abcdefgh'[:count])}) AS {text}" for count in range(1, 9))
                self._root.execute(f"CREATE MACRO main.{name}{', '.join(forms)}")

    def session(self) -> Session:
        """A connection with a transaction that begins now."""
        session = Session(self._root.cursor(), self._duckdb)
        session.execute("SET search_path = 'public,main'")
        session.execute("SET TimeZone = 'UTC'")  # DuckDB takes that of the machine
        session.execute(f"SET VARIABLE lab_now = TIMESTAMP '{self._clock():%Y-%m-%d %H:%M:%S.%f}'")
        session.execute(f"SELECT setseed({self._chance.random():.6f})")
        session.execute("BEGIN")
        return session


class Session:
    """A transaction. Nobody else sees what it does until `commit`."""

    def __init__(self, cursor: Any, duckdb: Any) -> None:
        self._cursor, self._duckdb = cursor, duckdb
        self.columns: list[tuple[str, str]] = []  # name and DuckDB's type of what the last statement gave

    def execute(self, sql: str, params: Any = None, largest: float = math.inf) -> list[tuple[Any, ...]]:
        """The rows of one statement, in DuckDB's order on one thread. Raises SqlError."""
        rows: list[tuple[Any, ...]] = []
        size = 0
        try:
            with unsimulated():
                self._cursor.execute(sql, params) if params else self._cursor.execute(sql)
                self.columns = [(str(name), str(kind)) for name, kind, *_ in self._cursor.description or ()]
                while more := self._cursor.fetchmany(_FETCH):
                    rows += more
                    if len(more) == _FETCH and largest < math.inf:
                        size += sum(_size(value) for row in more for value in row)
                        if size > largest:
                            raise SqlError(f"the result is larger than {largest:,} bytes")
                return rows
        except self._duckdb.InterruptException:
            raise SqlError(f"this lab ends a statement that keeps the computer busy for {LONGEST:g} seconds") from None
        except (self._duckdb.Error, OverflowError) as error:
            raise SqlError(_in_a_line(str(error))) from None
        except RuntimeError as error:
            raise KeyboardInterrupt(_STOPPED) from error  # DuckDB's word for Ctrl-C

    def query(self, sql: str, params: Any = None) -> list[tuple[Any, ...]]:
        """`execute` for what others wrote: a result has a limit, and so has the time that it takes here. Raises
        SqlError."""
        with unsimulated(), call_after(LONGEST, self._cursor.interrupt):
            return self.execute(sql, params, LARGEST)

    def kinds(self, sql: str) -> list[tuple[str, str]]:
        """The statements in a text: each one's kind ("SELECT", "INSERT", ...) and its own text. Raises SqlError."""
        try:
            return [(one.type.name, one.query) for one in self._cursor.extract_statements(sql)]
        except self._duckdb.Error as error:
            raise SqlError(_in_a_line(str(error))) from None

    def commit(self) -> None:
        """Let everybody see it. Raises SqlError when it conflicts with what others have done meanwhile."""
        self.execute("COMMIT")
        self._cursor.close()

    def rollback(self) -> None:
        """Undo all of it."""
        self._cursor.close()


def parquet(lines: bytes) -> bytes:
    """A Parquet file, compressed with Snappy, of JSON documents, one a line. Its columns are what the documents have.

    Raises SqlError when these do not fit together.
    """
    with unsimulated():
        import tempfile
        from pathlib import Path

        import duckdb

        with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as database:
            source, target = Path(folder, "lines.json"), Path(folder, "rows.parquet")
            source.write_bytes(lines)
            rows = f"read_json('{source}', format='newline_delimited', sample_size=-1)"
            try:
                database.execute(f"COPY (SELECT * FROM {rows}) TO '{target}' (FORMAT parquet, COMPRESSION snappy)")
            except duckdb.Error as error:
                raise SqlError(_in_a_line(str(error))) from None
            return target.read_bytes()


def _size(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes)) else 16


def _in_a_line(text: str) -> str:
    text = text.partition("\n\nLINE")[0].partition("\nDid you mean")[0].partition("\nCandidate")[0]
    text = " ".join(text.split())
    for pattern, instead in _TEXTS[::-1]:
        text = re.sub(f"^{pattern}$", instead, text)
    return text
