"""sqlite3 inside a process: its time is virtual and its chance the program's own, in all that SQL calls so
(sqlite.org/lang_datefunc.html, lang_corefunc.html).
"""

import datetime as dt
import re
import sqlite3
import time

import pytest

from lablib.kernel import Chance, Kernel

BEGAN = "2023-04-01 00:00:00"
TABLE = "CREATE TABLE done (id TEXT, at TEXT DEFAULT CURRENT_TIMESTAMP, day TEXT DEFAULT (date('now')))"


def asked(*texts, after=0.0, seed=1):
    """What a program that has slept `after` seconds gets for each of these expressions."""
    kernel, found = Kernel(Chance(seed)), []

    def program():
        database = sqlite3.connect(":memory:")
        time.sleep(after)
        found.extend(database.execute(f"SELECT {', '.join(texts)}").fetchone())

    kernel.spawn(program)
    kernel.advance(after + 1)
    kernel.close()
    return found


def test_now_is_the_programs_time():
    day = 86_400.25
    texts = {
        "CURRENT_TIMESTAMP": "2023-04-02 00:00:00",
        "current_date": "2023-04-02",
        "CURRENT_TIME": "00:00:00",
        "datetime()": "2023-04-02 00:00:00",
        "datetime('NOW', '+1 hour')": "2023-04-02 01:00:00",
        "date('now', 'start of month')": "2023-04-01",
        "time('now', 'localtime')": "00:00:00",
        "strftime('%H:%M:%f', 'now')": "00:00:00.250",
        "strftime('now', 'now')": "now",
        "CAST(strftime('%s') AS INTEGER)": 1_680_393_600,
        "julianday('now') - julianday('2023-04-01')": pytest.approx(1, abs=1e-5),
    }
    assert asked(*texts, after=day) == list(texts.values())


def test_another_time_is_computed_as_ever():
    """And a machine is in UTC, wherever the notebook runs."""
    texts = {
        "datetime(5, 'unixepoch')": "1970-01-01 00:00:05",
        "datetime('2024-02-28 12:00', '+1 day', 'localtime')": "2024-02-29 12:00:00",
        "date('no date')": None,
        "date(NULL)": None,
    }
    assert asked(*texts) == list(texts.values())


def test_a_default_of_a_column_is_virtual(kernel):
    def program():
        with sqlite3.connect(":memory:") as database:
            database.execute(TABLE)
            time.sleep(90)
            database.execute("INSERT INTO done (id) VALUES ('a')")
            return database.execute("SELECT * FROM done").fetchall()

    process = kernel.spawn(program)
    kernel.advance(100)
    assert process.result == [("a", "2023-04-01 00:01:30", "2023-04-01")]


def test_chance_is_the_programs_own():
    drawn = "random()", "hex(randomblob(8))", "length(randomblob(0))"
    first = asked(*drawn)
    assert (asked(*drawn), first[2]) == (first, 1)
    assert not set(asked(*drawn, seed=2)[:2]) & set(first[:2])
    assert -(2**63) <= first[0] < 2**63


def test_outside_of_processes_it_is_sqlites_own(kernel):
    """Also for a connection that a process has opened."""

    def program():
        return sqlite3.connect(":memory:")

    process = kernel.spawn(program)
    kernel.advance(1)
    for database in (process.result, sqlite3.connect(":memory:")):
        now, drawn = database.execute("SELECT datetime('now'), hex(randomblob(4))").fetchone()
        assert abs(dt.datetime.fromisoformat(now + "+00:00") - dt.datetime.now(dt.UTC)).days == 0
        assert re.fullmatch("[0-9A-F]{8}", drawn)
        assert now > BEGAN
        database.close()


def test_a_wrong_call_is_refused_as_ever(kernel):
    kernel.spawn(lambda: sqlite3.connect(":memory:", nonsense=1))
    with pytest.raises(TypeError, match="'nonsense' is an invalid keyword argument"):
        kernel.advance(1)
