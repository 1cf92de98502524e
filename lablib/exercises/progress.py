"""What a learner has done: the state of every exercise, kept in a file in the learner's own folder.

The folder is the environment variable MESSAGING_LAB_HOME, else `.messaging-lab` in the current folder; the file is
`progress.json`. A write replaces the file as a whole. A file that cannot be read is moved aside; where nothing can be
written, the lab works on without saving. Both are said in one line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from itertools import count
from pathlib import Path
from typing import Any, Literal

from lablib.files import alone, home, read, whole

State = Literal["not attempted", "failed", "passed"]
STATES: tuple[State, ...] = ("not attempted", "failed", "passed")
VERSION = 1

_unsaved: dict[Path, dict[str, Record]] = {}  # what could not be written, by file


@dataclass(frozen=True)
class Record:
    """One exercise: its `state`, how often it was checked, the hints seen, whether the solution was, the best score
    (least), and the fingerprint of the code that was checked last.
    """

    state: State = "not attempted"
    attempts: int = 0
    hints: int = 0
    solution_seen: bool = False
    best: float | None = None
    code: str = ""


def record(id: str) -> Record:
    """What is known of an exercise."""
    path = home() / "progress.json"
    return _all(path).get(id, Record())


def update(id: str, change: Callable[[Record], Record]) -> Record:
    """Replace an exercise's record by `change(record)`, and keep it."""
    path = home() / "progress.json"
    with alone(path):
        records = _all(path)
        new = change(records.get(id, Record()))
        if new != records.get(id):
            records[id] = new
            _write(path, records)
    return new


def forget(lab: str) -> None:
    """Forget all that is known of the exercises of a lab, such as "01"."""
    path = home() / "progress.json"
    with alone(path):
        records = _all(path)
        others = {id: record for id, record in records.items() if id.partition(".")[0] != lab}
        if others != records:
            _write(path, others)


def _all(path: Path) -> dict[str, Record]:
    if path in _unsaved:
        return dict(_unsaved[path])
    try:
        return _parse(read(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        _cannot_save(path, error, {})
        return {}
    except (LookupError, ValueError, TypeError, AttributeError):
        _move_aside(path)
        return {}


def _parse(document: Any) -> dict[str, Record]:
    """The records in a file. Raises LookupError, ValueError, TypeError or AttributeError when it is none of ours."""
    return {str(id): _record(**values) for id, values in document["exercises"].items()}


def _record(**values: Any) -> Record:
    known = {f.name for f in fields(Record)}
    new = replace(
        Record(), **{name: value for name, value in values.items() if name in known}
    )  # a later version may know more
    good = new.state in STATES and all(type(n) is int and n >= 0 for n in (new.attempts, new.hints))
    good = good and isinstance(new.code, str) and isinstance(new.solution_seen, bool)
    if not good or not (new.best is None or (isinstance(new.best, (int, float)) and math.isfinite(new.best))):
        raise ValueError("not a record")
    return new


def _move_aside(path: Path) -> None:
    aside = next(p for n in count(1) if not (p := path.with_name(f"progress.unreadable-{n}.json")).exists())
    try:
        path.replace(aside)
    except OSError as error:
        _cannot_save(path, error, {})
        return
    print(f"Your progress file could not be read. It is now {aside.name}, beside a new one.")


def _write(path: Path, records: dict[str, Record]) -> None:
    if path in _unsaved:
        _unsaved[path] = records
        return
    document = {"version": VERSION, "exercises": {id: asdict(r) for id, r in sorted(records.items())}}
    try:
        with whole(path) as part:
            part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        _cannot_save(path, error, records)


def _cannot_save(path: Path, error: OSError, records: dict[str, Record]) -> None:
    _unsaved[path] = records
    print(f"Your progress is not saved, because {path.parent} cannot be written ({error.strerror}). All else works.")
