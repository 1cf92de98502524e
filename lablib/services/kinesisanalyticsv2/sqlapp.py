"""A SQL application at work (2023): records become rows of in-application streams, pumps move rows from one to another.

The streams are tables in DuckDB; rows are kept as long as a window needs them. ROWTIME is when the application read a
record, so a record that comes late falls into a later window. One subtask; what fails begins again after a while with
the rows that it had.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.documents import read_json
from lablib.aws.service import AnswerLost, NotSimulated, ServiceError
from lablib.aws.sql import Database, Session, SqlError, quoted
from lablib.services.kinesisanalyticsv2.application import Application
from lablib.services.kinesisanalyticsv2.shards import ShardReader
from lablib.services.kinesisanalyticsv2.sql import InStream, Pump, kind_of, read

Document = dict[str, Any]
Row = tuple[Any, ...]
_FORGET = 1000  # new rows, until old ones are forgotten
_MOST_PUMPS = 50  # one after another; ours
_OUTPUTS = {"KinesisStreamsOutput": "kinesis", "KinesisFirehoseOutput": "firehose", "LambdaOutput": "lambda"}


@dataclass(eq=False)
class SqlApplication(Application):
    """A SQL application. `positions`: how far its source was read; `rows`: how many rows its streams have had; `open`:
    stagger windows by pump and key, with their end and rows; `closed`: the last end of a tumbling window by pump."""

    inputs: list[Document] = field(default_factory=list)
    outputs: list[Document] = field(default_factory=list)
    positions: dict[str, str] = field(default_factory=dict)
    since: float | None = None
    pumps: list[Pump] = field(default_factory=list)
    streams: dict[str, InStream] = field(default_factory=dict)
    database: Database | None = None
    rows: int = 0
    open: dict[str, dict[Row, tuple[float, list[int]]]] = field(default_factory=dict)
    closed: dict[str, float] = field(default_factory=dict)

    def prepare(self) -> None:
        """Read the code, and make its streams, empty. Raises ServiceError and NotSimulated."""
        self.rows, self.open, self.closed = 0, {}, {}
        about = self.inputs[0]
        source = f"{about['NamePrefix']}_001"
        try:
            columns = [(c["Name"], kind_of(c["SqlType"])) for c in about["InputSchema"]["RecordColumns"]]
            self.streams, self.pumps = read(self.code.get("CodeContent", {}).get("TextContent", ""))
            self.streams[source] = InStream(source, columns)
            self.database = Database(self._clock, self.world.chance.stream(self.actor))
            session = self.database.session()
            for stream in self.streams.values():
                listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in stream.columns)
                session.execute(f'CREATE TABLE {quoted(stream.name)} (_seq BIGINT, "ROWTIME" TIMESTAMP, {listed})')
            for pump in self.pumps:
                self._check(session, pump)
            self._check_order()
            session.commit()
        except SqlError as error:
            text = f"The user-provided application code (query) is not valid: {error}"
            raise ServiceError("CodeValidationException", text) from None

    def _check(self, session: Session, pump: Pump) -> None:
        for name in (pump.source, pump.into):
            if name not in self.streams:
                raise SqlError(f"stream {name} does not exist")
        known = [name for name, _ in self.streams[pump.into].columns]
        for name in pump.columns:
            if name not in known:
                raise SqlError(f"stream {pump.into} has no column {name}")
        session.query(pump.text(f"(SELECT * FROM {quoted(pump.source)})", "now()"))
        given = len(session.columns) - (pump.kind == "sliding")
        if given != len(pump.columns or known):
            raise SqlError(f"pump {pump.name} gives {given} columns, {pump.into} takes {len(pump.columns or known)}")

    def _check_order(self) -> None:
        """No row comes back to a stream that it was in, and none goes on for ever."""
        reached = {pump.into for pump in self.pumps}
        for _ in range(_MOST_PUMPS):
            reached = {pump.into for pump in self.pumps if pump.source in reached}
        if reached:
            name = min(reached)
            raise SqlError(f"the pumps into stream {name} go round, or are more than {_MOST_PUMPS} one after another")

    def _clock(self) -> datetime:
        return datetime.fromtimestamp(self.world.kernel.epoch + self.world.kernel.now, UTC)

    def make_attempt(self) -> Any:
        """It runs from where it was."""
        return SqlAttempt(self)


class SqlAttempt:
    """One run of a SQL application: a process that reads, and moves rows."""

    def __init__(self, application: SqlApplication) -> None:
        self.application, self.world = application, application.world
        self.alive, self.busy = True, 0.0
        assert application.database
        self._database = application.database
        self._forgotten = application.rows
        about = application.inputs[0]
        stream = about["KinesisStreamsInput"]["ResourceARN"]
        self._source = f"{about['NamePrefix']}_001"
        self._schema = about["InputSchema"]
        app = application
        self._reader = ShardReader(app.world, stream, app.actor, app.principal, app.positions, app.since)
        self.world.trace.add("JobStarted", app.name, "", app.actor, -1, [1, "where it was"])
        self._process = self.world.kernel.spawn(self._run, name=f"{app.actor}-1")
        self._process.acts_as = app.principal()

    def stop(self) -> None:
        """Let it go."""
        self.alive = False
        if self._process is not self.world.kernel.current:
            self.world.kernel.kill(self._process)

    def _run(self) -> None:
        why, turn = "killed", 0
        try:
            while self.alive:
                if turn % 10 == 0:
                    self._reader.discover()
                turn += 1
                for shard in self._reader.open_shards():
                    records = self._reader.read(shard)
                    if records:
                        self._reader.positions[shard] = records[-1]["SequenceNumber"]
                        self._insert(self._source, [row for r in records for row in self._rows(r["Data"])])
                self._tick()
                self.world.kernel.wait(None, self.world.quotas["kinesisanalyticsv2.sql_interval"])
        except (ServiceError, AnswerLost, SqlError) as error:
            why = f"{getattr(error, 'code', type(error).__name__)}: {error}"
        finally:
            if self.alive:
                self.alive = False
                self.application.failed(why)

    # ---- rows in -----------------------------------------------------------------------------------------------------

    def _rows(self, data: bytes) -> list[Row]:
        """A record by the schema of the input: lines of CSV, or documents of JSON under a path. What does not fit is
        a row of the trace. Source: API reference, CSVMappingParameters, JSONMappingParameters.
        """
        columns, about = self._schema["RecordColumns"], self._schema["RecordFormat"]
        mapping, rows = about.get("MappingParameters", {}), []
        try:
            if about["RecordFormatType"] == "CSV":
                by, text = mapping.get("CSVMappingParameters", {}), data.decode()
                between, column = by.get("RecordRowDelimiter", "\n"), by.get("RecordColumnDelimiter", ",")
                lines = [line for line in text.split(between) if line.strip()] or [text]
                rows = [[value.strip() or None for value in line.split(column)] for line in lines]
            else:
                found = _found(read_json(data), mapping.get("JSONMappingParameters", {}).get("RecordRowPath", "$"))
                documents = found if isinstance(found, list) else [found]
                rows = [[_found(one, column.get("Mapping", "")) for column in columns] for one in documents]
        except (ValueError, KeyError, TypeError) as error:
            self._refused(error)
        return [row for values in rows if (row := self._row(values))]

    def _row(self, values: list[Any]) -> Row | None:
        wanted = len(self._schema["RecordColumns"])
        try:
            if len(values) != wanted:
                raise ValueError(f"it has {len(values)} fields, and not {wanted}")
            return tuple(_plain(value) for value in values)
        except ValueError as error:
            self._refused(error)
            return None

    def _refused(self, error: Exception) -> None:
        app = self.application
        self.world.trace.add("RowRefused", app.name, "", app.actor, -1, f"{type(error).__name__}: {error}")

    def _insert(self, name: str, rows: list[Row]) -> None:
        """New rows of a stream: they are kept, given to its outputs, and to the pumps that read it."""
        if not rows:
            return
        app = self.application
        stream, first, now = app.streams[name], app.rows, self.world.kernel.now
        session = self._database.session()
        kinds = [kind for _, kind in stream.columns]
        places = ", ".join(f"TRY_CAST(? AS {kind})" for kind in kinds)
        kept: list[Row] = []
        for row in rows:
            session.execute(f"INSERT INTO {quoted(name)} VALUES (?, ?, {places})", [app.rows, self._at(now), *row])
            app.rows += 1
        kept = session.execute(
            f'SELECT * EXCLUDE (_seq, "ROWTIME") FROM {quoted(name)} WHERE _seq >= {first} ORDER BY _seq'
        )
        session.commit()
        self._deliver(stream, kept)
        for pump in self.application.pumps:
            if pump.source != name:
                continue
            if pump.kind == "rows":
                self._pump(pump, f"WHERE _seq >= {first} ORDER BY _seq")
            elif pump.kind == "sliding":
                found = self._ask(pump, f"WHERE ROWTIME >= {_time(self._at(now - pump.seconds))}")
                self._move(pump, [row[1:] for row in sorted(found, key=lambda row: int(row[0])) if row[0] >= first])
            elif pump.kind == "stagger":
                self._stagger(pump, first)

    def _at(self, time: float) -> datetime:
        """A moment of the run: before its beginning there are no rows."""
        return datetime.fromtimestamp(self.world.kernel.epoch + max(time, 0.0), UTC).replace(tzinfo=None)

    def _stagger(self, pump: Pump, first: int) -> None:
        """Each key has a window that opened with its first row."""
        source = f"(SELECT * FROM {quoted(pump.source)} WHERE _seq >= {first})"
        session = self._database.session()
        found = session.execute(f"SELECT _seq, {pump.partition} FROM {source} AS {pump.alias} ORDER BY _seq")
        session.rollback()
        windows = self.application.open.setdefault(pump.name, {})
        for seq, *key in found:
            end, rows = windows.get(tuple(key), (self.world.kernel.now + pump.seconds, []))
            windows[tuple(key)] = (end, [*rows, seq])

    # ---- windows that end --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now, epoch = self.world.kernel.now, self.world.kernel.epoch
        for pump in self.application.pumps:
            if pump.kind == "tumbling":
                boundary = (epoch + now) // pump.seconds * pump.seconds - epoch
                before = self.application.closed.setdefault(pump.name, boundary)
                if boundary > before:
                    self.application.closed[pump.name] = boundary
                    where = f"WHERE ROWTIME >= {_time(self._at(before))} AND ROWTIME < {_time(self._at(boundary))}"
                    self._pump(pump, where, _time(self._at(boundary)))
            elif pump.kind == "stagger":
                windows = self.application.open.get(pump.name, {})
                for key in [key for key, (end, _) in windows.items() if end <= now]:
                    _, rows = windows.pop(key)
                    self._pump(pump, f"WHERE _seq IN ({', '.join(map(str, rows))})")
        if self.application.rows > self._forgotten + _FORGET:
            self._forgotten = self.application.rows
            self._forget(now)

    def _forget(self, now: float) -> None:
        """Rows that no window can ask for any more."""
        session = self._database.session()
        for name in self.application.streams:
            longest = max((pump.seconds for pump in self.application.pumps if pump.source == name), default=0)
            session.execute(f"DELETE FROM {quoted(name)} WHERE ROWTIME < {_time(self._at(now - 2 * longest - 1))}")
        session.commit()

    def _ask(self, pump: Pump, where: str, end: str = "NULL") -> list[Row]:
        session = self._database.session()
        found = session.query(pump.text(f"(SELECT * FROM {quoted(pump.source)} {where})", end))
        session.rollback()
        return found

    def _pump(self, pump: Pump, where: str, end: str = "NULL") -> None:
        self._move(pump, self._ask(pump, where, end))

    def _move(self, pump: Pump, rows: list[Row]) -> None:
        """Rows of a pump into the columns of its stream."""
        known = [name for name, _ in self.application.streams[pump.into].columns]
        places = [pump.columns.index(name) if name in pump.columns else -1 for name in known]
        if pump.columns:
            rows = [tuple(row[place] if place >= 0 else None for place in places) for row in rows]
        self._insert(pump.into, rows)

    # ---- rows out ----------------------------------------------------------------------------------------------------

    def _deliver(self, stream: InStream, rows: list[Row]) -> None:
        for output in self.application.outputs:
            if output["Name"] == stream.name:
                csv = output["DestinationSchema"]["RecordFormatType"] == "CSV"
                self._send(output, [_encoded(stream, row, csv) for row in rows])

    def _send(self, output: Document, bodies: list[bytes]) -> None:
        kind = next(kind for kind in _OUTPUTS if kind in output)
        to = Arn.parse(output[kind]["ResourceARN"])
        assert to
        app = self.application
        if kind == "KinesisStreamsOutput":
            app.put(to, [{"Data": body, "PartitionKey": self.world.chance.uuid(app.actor)} for body in bodies])
        elif kind == "KinesisFirehoseOutput":
            app.put(to, [{"Data": body} for body in bodies])
        else:
            for start in range(0, len(bodies), 500):
                records = [
                    {"recordId": str(start + n), "data": body.decode()}
                    for n, body in enumerate(bodies[start : start + 500])
                ]
                payload = json.dumps({"applicationArn": app.arn, "records": records}).encode()
                params = {"function_name": str(to), "invocation_type": "Event", "payload": payload}
                self.world.gateway.call_service(
                    to, "invoke", params, principal=app.principal(), caller=app.actor, cause=-1
                )


def _found(document: Any, mapping: str) -> Any:
    """What a mapping such as $.ride.lift means in a record."""
    for part in mapping.removeprefix("$").strip(".").split("."):
        if part:
            document = document.get(part) if isinstance(document, dict) else None
    return document


def _plain(value: Any) -> Any:
    """A value as DuckDB takes it: a large number as its digits. Raises ValueError for a text that is none."""
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    if isinstance(value, str):
        value.encode()
    return str(value) if isinstance(value, int) and abs(value) >= 2**63 else value


def _time(moment: datetime) -> str:
    return f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f}'"


def _encoded(stream: InStream, row: Row, csv: bool) -> bytes:
    shown = [_shown(value) for value in row]
    if csv:
        return ",".join("" if value is None else str(value) for value in shown).encode() + b"\n"
    return json.dumps(dict(zip([name for name, _ in stream.columns], shown))).encode()


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}"[:-3]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def check_inputs(wanted: Document) -> tuple[list[Document], list[Document]]:
    """The inputs and outputs of a SqlApplicationConfiguration. Raises ServiceError and NotSimulated."""
    inputs, outputs = wanted.get("Inputs", []), wanted.get("Outputs", [])
    if "ReferenceDataSources" in wanted:
        raise NotSimulated("kinesisanalyticsv2: ReferenceDataSources are not simulated")
    if len(inputs) != 1:
        raise ServiceError("InvalidArgumentException", "An application has exactly one input.")
    if len(outputs) > 3:
        raise ServiceError("LimitExceededException", "An application has at most 3 outputs.")
    if "KinesisStreamsInput" not in inputs[0] or "InputProcessingConfiguration" in inputs[0]:
        raise NotSimulated("kinesisanalyticsv2: an input must be a KinesisStreamsInput without preprocessing")
    for output in outputs:
        if not any(kind in output for kind in _OUTPUTS):
            raise ServiceError("InvalidArgumentException", f"Output {output['Name']} has no destination.")
    return inputs, outputs
