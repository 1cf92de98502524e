"""The trace: everything that happened, once, with what caused it.

The model: rows in columns, appended in the order of time. A name (of a kind, a resource, a subject, an actor) is kept
once and stands in the columns as a number; a row costs 40 bytes and its detail. The latest rows wait in lists, because
appending to a list takes half the time; whoever reads finds them in the columns. `cause` is the number of an earlier
row, or -1.

Two sorts of rows. *API rows* (`open`, `complete`) carry an operation's name; `until` is when the answer came back,
`detail` how many messages it handled, or the error code. *Transitions* (`add`) carry a past participle (`Sent`,
`Received`).
"""

from __future__ import annotations

import hashlib
import json
import sys
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from lablib.kernel.loop import Loop

if TYPE_CHECKING:
    import pandas

Names = str | tuple[str, ...] | None
CODES = ("kind", "resource", "subject", "actor")
COLUMNS = ("time", *CODES, "cause", "until")


class Row(NamedTuple):
    """One row of the trace, in words."""

    index: int  # type: ignore[assignment]  # a row has a number; nobody needs tuple.index here
    time: float
    kind: str
    resource: str
    subject: str
    actor: str
    cause: int
    until: float
    detail: Any


class _Codes(dict[str, int]):
    """The number of each name; a new name gets the next."""

    def __init__(self) -> None:
        super().__init__({"": 0})
        self.names = [""]

    def __missing__(self, name: str) -> int:
        code = self[name] = len(self.names)
        self.names.append(name)
        return code


_BUFFER = 2000  # so many rows wait in lists before they go to the columns


def _ignore(*args: Any, **kwargs: Any) -> int:
    return -1


class Trace:
    """What happened in a run. Services and the front door write it; everything else only reads."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._codes = _Codes()
        self.names = self._codes.names  # by their numbers
        self._stored: dict[str, array[Any]] = {
            name: array("d" if name in ("time", "until") else "i") for name in COLUMNS
        }
        self._fresh: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self._untils = self._stored["until"]
        self._fresh_untils = self._fresh["until"]
        self.details: list[Any] = []
        self._on_behalf: dict[str, int] = {}  # by actor: the row that caused what it does
        self._first_rows: dict[int, int] = {}
        self._looked_at = 0
        self._children: dict[int, list[int]] = {}  # the subjects that were made of each
        self._rows_about: dict[int, list[int]] = {}
        self.api_kinds: set[int] = set()
        self.bills: dict[str, Any] = {}  # by service: what computes its costs (`Service.bill`)
        self.events: dict[str, Any] = {}  # by kind: what the rows mean (`lablib.aws.event.Event`)
        self.add, self.open = self._writers()

    def __len__(self) -> int:
        return len(self.details)

    # ---- writing ----------------------------------------------------------------------------------------------------

    def _writers(self) -> tuple[Callable[..., int], Callable[..., int]]:
        """`add` and `open`, as closures: every call and transition passes here, and look-ups would cost a third."""
        loop, codes, details, detail_of = self._loop, self._codes, self.details, self.details.append
        time, kinds, resources, subjects, actors, causes, untils = (self._fresh[name].append for name in COLUMNS)
        is_api, fresh, on_behalf = self.api_kinds.add, self._fresh_untils, self._on_behalf

        def add(
            kind: str,
            resource: str = "",
            subject: str | int = "",
            actor: str = "",
            cause: int = -1,
            detail: Any = None,
            until: float = 0.0,
        ) -> int:
            """Append a transition that happens now. Returns its row number, for what it will cause.

            `subject` may be the name's number (see `code`): among a million names, to look one up takes a while.
            """
            time(loop.now)
            kinds(codes[kind])
            resources(codes[resource])
            subjects(codes[subject] if subject.__class__ is str else subject)
            actors(codes[actor])
            causes(cause)
            untils(until)
            detail_of(detail)
            return len(details) - 1

        def open(operation: str, resource: str, actor: str, cause: int = -1) -> int:
            """Append the row of an API call that starts now."""
            code = codes[operation]
            is_api(code)
            if on_behalf and cause < 0:
                cause = on_behalf.get(actor, -1)
            time(loop.now)
            kinds(code)
            resources(codes[resource])
            subjects(0)
            actors(codes[actor])
            causes(cause)
            untils(0.0)
            detail_of(None)
            if len(fresh) > _BUFFER:
                self._store()
            return len(details) - 1

        return add, open

    def complete(self, row: int, detail: int | str) -> None:
        """Note that the call's answer arrived now: `detail` is the number of messages handled, or the error code."""
        place = row - len(self._untils)
        if place >= 0:
            self._fresh_untils[place] = self._loop.now
        else:
            self._untils[row] = self._loop.now
        self.details[row] = detail

    def _store(self) -> None:
        """Move the fresh rows into the columns: appending to a list is twice as fast as to an array."""
        for name, fresh in self._fresh.items():
            self._stored[name].fromlist(fresh)
            fresh.clear()

    @property
    def _columns(self) -> dict[str, array[Any]]:
        if self._fresh_untils:
            self._store()
        return self._stored

    def act_for(self, actor: str, row: int) -> None:
        """The calls of this actor that have no other cause are caused by `row` from now on."""
        self._on_behalf[actor] = row

    def declare(self, events: Iterable[Any]) -> None:
        """From now on, rows of these kinds mean this. A later declaration of a kind replaces an earlier one."""
        self.events.update((event.kind, event) for event in events)

    def freeze(self) -> None:
        """Take down nothing any more: the run is over, and how its processes are ended is no part of it. What wrote the
        trace is let go: whoever keeps a run keeps no cloud with all that its services hold."""
        for name in ("add", "open", "complete"):
            setattr(self, name, _ignore)
        self.__dict__.pop("_loop", None)

    # ---- reading ----------------------------------------------------------------------------------------------------

    def column(self, name: str) -> array[Any]:
        """A whole column: times as floats, names as codes (see `code` and `name`). Do not change it."""
        return self._columns[name]

    def code(self, name: str) -> int:
        """The number that stands for `name` in the columns; -1 when it never occurred."""
        return self._codes.get(name, -1)

    def name(self, code: int) -> str:
        """The name behind a number."""
        return self.names[code]

    def __getitem__(self, index: int) -> Row:
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index}: the trace has {len(self)} rows")
        index %= len(self)
        time, kind, resource, subject, actor, cause, until = (self._columns[name][index] for name in COLUMNS)
        n = self.names
        return Row(index, time, n[kind], n[resource], n[subject], n[actor], cause, until, self.details[index])

    def __iter__(self) -> Iterator[Row]:
        return (self[i] for i in range(len(self)))

    def where(
        self, kind: Names = None, resource: Names = None, subject: Names = None, actor: Names = None
    ) -> list[Row]:
        """The rows that match, in the order of time. Each argument is a name or several; None means any."""
        rows: Any = range(len(self))
        if subject is not None and subject != "":  # few rows: they are kept by their subjects
            self.first_rows()
            about = {self.code(n) for n in ((subject,) if isinstance(subject, str) else subject)}
            rows = sorted(i for code in about for i in self._rows_about.get(code, ()))
        for column, names in zip(CODES, (kind, resource, subject, actor), strict=True):
            if names is not None and (column != "subject" or rows.__class__ is range):
                wanted = {self.code(n) for n in ((names,) if isinstance(names, str) else names)}
                values = self._columns[column]
                rows = [i for i in rows if values[i] in wanted]
        return [self[i] for i in rows]

    def kinds(self, wanted: Callable[[Any], object]) -> tuple[str, ...]:
        """The kinds of rows whose events (`lablib.aws.event.Event`) are such."""
        return tuple(kind for kind, event in self.events.items() if wanted(event))

    def latest(self, kinds: Collection[str], actor: str, count: int) -> list[int]:
        """The numbers of the last `count` rows of these kinds and this actor, the earliest first: quick when they are
        near.
        """
        rows: list[int] = []
        who, names, end = self.code(actor), self.names, len(self)
        for columns in (self._fresh, self._stored):
            for kind, by in zip(reversed(columns["kind"]), reversed(columns["actor"]), strict=True):
                if len(rows) == count:
                    return rows[::-1]
                end -= 1
                if by == who and names[kind] in kinds:
                    rows.append(end)
        return rows[::-1]

    def is_api(self, index: int) -> bool:
        """Is this the row of an API call?"""
        return self._columns["kind"][index] in self.api_kinds

    def chain(self, index: int) -> list[Row]:
        """The row and what led to it, the first cause first."""
        rows = []
        while index >= 0:
            rows.append(self[index])
            index = rows[-1].cause
        return rows[::-1]

    def origin(self, index: int) -> int:
        """The number of the subject from which that of a row was made: that of its nearest cause with another one; 0
        for none.
        """
        causes, subjects = self._columns["cause"], self._columns["subject"]
        own = subjects[index]
        while index >= 0 and subjects[index] in (0, own):
            index = causes[index]
        return subjects[index] if index >= 0 else 0

    def first_rows(self) -> dict[int, int]:
        """The number of the first row about each subject, in the order of appearance."""
        subjects, known = self._columns["subject"], self._first_rows
        for index in range(self._looked_at, len(subjects)):
            if code := subjects[index]:
                if code not in known:
                    known[code] = index
                    self._children.setdefault(self.origin(index), []).append(code)
                self._rows_about.setdefault(code, []).append(index)
        self._looked_at = len(subjects)
        return known

    def _first_row(self, subject: str) -> int:
        index = self.first_rows().get(self.code(subject), -1)
        if index < 0:
            raise KeyError(f"nothing in this run is about {subject!r}: pass a MessageId from its trace")
        return index

    def parent(self, subject: str) -> str:
        """The subject from which this one was made: a copy's delivery, a delivery's message; "" for none.

        Raises KeyError when the trace knows no such subject.
        """
        return self.names[self.origin(self._first_row(subject))]

    def children(self, subject: str) -> list[str]:
        """The subjects that were made of this one, in the order of appearance."""
        self.first_rows()
        return [self.names[child] for child in self._children.get(self.code(subject), ())]

    def ancestors(self, subject: str) -> list[str]:
        """The subject and what it was made of, the first origin last. Raises KeyError as `parent` does."""
        found = [subject]
        while above := self.parent(found[-1]):
            found.append(above)
        return found

    def about(self, subject: str) -> list[Row]:
        """The rows about a subject and about its deliveries, in the order of time. Raises KeyError as `parent` does."""
        index, found = self._first_row(subject), {subject}
        for child in self.children(subject):
            event = self.events.get(self[self.first_rows()[self.code(child)]].kind)
            if event is not None and event.joins:
                found.add(child)
        return [self[index], *(row for row in self.where(subject=tuple(found)) if row.index != index)]

    def explain(self, subject: str) -> str:
        """The life of one subject (a MessageId) in words: a line for each thing that happened to it, and why. That of a
        published message tells of its deliveries too.

        Raises KeyError when the trace knows no such subject.
        """
        return "\n".join(f"{row.time:10.3f} s  {self.describe(row)}" for row in self.about(subject) if self.says(row))

    def says(self, row: Row) -> bool:
        """Is there anything to say about it? Rows that only mark where something begins have no words."""
        event = self.events.get(row.kind)
        return event is None or bool(event.words)

    def describe(self, row: Row) -> str:
        """One row in words."""
        event = self.events.get(row.kind)
        if event is not None and event.words:
            return str(event.describe(row, self))
        return " ".join(part for part in (row.kind, row.resource, row.actor and f"by {row.actor}") if part)

    def digest(self) -> str:
        """A fingerprint of the whole trace: the same on every machine for the same run."""
        sha = hashlib.sha256("\n".join(self.names).encode())
        for name in COLUMNS:
            column = self._columns[name]
            if sys.byteorder == "big":
                column = array(column.typecode, column)
                column.byteswap()
            sha.update(column.tobytes())
        sha.update(json.dumps(self.details, sort_keys=True, default=str).encode())
        return sha.hexdigest()[:16]

    def to_frame(self, api: bool | None = None) -> pandas.DataFrame:
        """The trace as a pandas DataFrame. `api=True`: the API log only; `api=False`: transitions only."""
        import pandas

        names = self.names
        data: dict[str, Any] = {"time": self._columns["time"].tolist()}
        data |= {c: [names[code] for code in self._columns[c]] for c in CODES}
        data |= {"cause": self._columns["cause"].tolist(), "until": self._columns["until"].tolist()}
        frame = pandas.DataFrame(data | {"detail": self.details})
        if api is None:
            return frame
        kinds = [names[code] for code in self.api_kinds]
        return frame[frame["kind"].isin(kinds) == api].drop(columns=["subject", "cause"] if api else [])
