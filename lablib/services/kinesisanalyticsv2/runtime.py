"""A job at work: subtasks that read shards, checkpoints at barriers, failures, sinks.

Sources: Flink documentation, "Stateful Stream Processing" (checkpoints, barriers), "Task Failure Recovery", "Fault
Tolerance Guarantees of Data Sources and Sinks". A subtask is a process in virtual time, named "analytics/NAME-1". All
of a job fails together and begins again at its last checkpoint. A record costs a KPU some time: a job can lag.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from lablib.aws.arn import Arn
from lablib.aws.service import AnswerLost, ServiceError
from lablib.kernel import Process, Signal
from lablib.services.kinesisanalyticsv2.dataflow import Element, Environment, Sink, Source
from lablib.services.kinesisanalyticsv2.shards import ShardReader

if TYPE_CHECKING:
    from lablib.services.kinesisanalyticsv2.application import Application

Document = dict[str, Any]


@dataclass
class Checkpoint:
    """What a job remembered at an instant: the state of its operators, the positions in its sources (by number), and
    when it was first started: from then on it reads shards of which it has no position."""

    number: int
    began: float
    state: dict[int, Any] = field(default_factory=dict)
    positions: dict[int, dict[str, str]] = field(default_factory=dict)


Then = Callable[[Checkpoint], None]


class Attempt:
    """One run of a job, from its start to its end or failure. `state` is that of all its operators; `written` what its
    sinks were given since they were last emptied."""

    def __init__(self, application: Application, job: Callable[[Environment], Any], after: Checkpoint | None) -> None:
        self.application, self.world = application, application.world
        groups = {group["PropertyGroupId"]: dict(group["PropertyMap"]) for group in application.properties}
        self.env = Environment(groups)
        job(self.env)
        if not self.env.sources:
            raise ValueError("the job has no source: call env.from_stream(name)")
        kept = copy.deepcopy(after) if after else Checkpoint(0, application.began)
        self.state, self.written = kept.state, dict[int, list[Any]]()
        self.alive = True
        self.parallelism = application.parallelism
        self.busy = 0.0  # seconds of all subtasks since the load was last measured
        self.readers = {
            source: ShardReader(
                self.world, source.stream, application.actor, application.principal,
                kept.positions.setdefault(number, {}), application.began if source.start == "LATEST" else None,
            )
            for number, source in enumerate(self.env.sources)
        }  # fmt: skip
        self._positions = kept.positions
        self._looked: dict[int, float] = {}  # by reader: when to look for new shards again
        self._quiet: dict[tuple[int, str], float] = {}  # since when a shard has given nothing
        self._pending: list[tuple[Checkpoint, Then | None]] = []
        self._then: Then | None = None
        self._draining = False
        self._barrier: Signal | None = None
        self._arrived: set[int] = set()
        self._processes: list[Process] = []
        self.row = self.tell(
            "JobStarted", [self.parallelism, f"checkpoint {after.number}" if after else "the beginning"]
        )
        for number in range(1, self.parallelism + 1):
            process = self.world.kernel.spawn(self._subtask, number, name=f"{application.actor}-{number}")
            process.acts_as = application.principal()
            self._processes.append(process)
        if after:
            self._commit_later(after.number)
        self._later(application.checkpoint_interval, self._begin_checkpoint)

    def _later(self, delay: float, fn: Callable[[], None]) -> None:
        self.world.kernel.after(delay, lambda: fn() if self.alive else None)

    def tell(self, kind: str, detail: Any) -> int:
        """A row of the trace."""
        return self.world.trace.add(kind, self.application.name, "", self.application.actor, -1, detail)

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _subtask(self, number: int) -> None:
        kernel, quotas = self.world.kernel, self.world.quotas
        why = "killed"
        try:
            while self.alive:
                for source, reader in self.readers.items():
                    if number == 1 and self._is_time_to_look(reader):
                        reader.discover()
                    for shard in reader.open_shards():
                        if int(shard.rpartition("-")[2]) % self.parallelism == number - 1:
                            self._read(number, source, reader, shard)
                self._gate(number)
                kernel.wait(None, quotas["kinesisanalyticsv2.read_interval"])
        except (ServiceError, AnswerLost) as error:
            why = f"{getattr(error, 'code', 'no answer')}: {error}"
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        finally:
            self.fail(why)

    def _is_time_to_look(self, reader: ShardReader) -> bool:
        now, due = self.world.kernel.now, self._looked.get(id(reader), -1.0)
        if now < due:
            return False
        self._looked[id(reader)] = now + self.world.quotas["kinesisanalyticsv2.discovery_interval"]
        return True

    def _read(self, number: int, source: Source, reader: ShardReader, shard: str) -> None:
        kernel, app = self.world.kernel, self.application
        records = reader.read(shard)
        if records:
            self._quiet[source.id, shard] = kernel.now
            taken = len(records) * self.world.quotas["kinesisanalyticsv2.record_time"] * app.parallelism_per_kpu
            self.busy += taken
            kernel.wait(None, taken)
        for record in records:
            self._gate(number)
            arrived = record["ApproximateArrivalTimestamp"].timestamp()
            reader.positions[shard] = record["SequenceNumber"]
            source.emit(self, Element(source.parse(record["Data"]), arrived, shard))
            if not self.alive:
                return
        source.advance(self, -float("inf"))
        self._flush()

    def open_shards(self, source: Source) -> Iterator[tuple[str, float]]:
        """The shards of a source that are read now, and for how long each has given nothing."""
        now = self.world.kernel.now
        for shard in self.readers[source].open_shards():
            yield shard, now - self._quiet.setdefault((source.id, shard), now)

    # ---- checkpoints -------------------------------------------------------------------------------------------------

    def _begin_checkpoint(self) -> None:
        if self.application.checkpointing:
            self._set_barrier()
        self._later(self.application.checkpoint_interval, self._begin_checkpoint)

    def savepoint(self, then: Then, stop: bool) -> None:
        """Take a checkpoint now, and call `then` with it when it is complete; with `stop`, read nothing after it."""
        self._then, self._draining = then, stop
        self._set_barrier()

    def _set_barrier(self) -> None:
        if self._barrier is None:
            self._barrier = Signal(self.world.kernel)
            self._arrived = set()

    def _gate(self, number: int) -> None:
        """Between two records: when a checkpoint was begun, wait here until all subtasks have come as far."""
        while self.alive and self._barrier is not None and number not in self._arrived:
            self._flush()
            barrier = self._barrier
            self._arrived.add(number)
            if len(self._arrived) == self.parallelism:
                self._take()
                if not self._draining:
                    self._barrier = None
                    barrier.fire()
                    return
            self.world.kernel.wait(barrier)

    def copy(self, number: int) -> Checkpoint:
        """What the job remembers now."""
        kept = Checkpoint(number, self.application.began, self.state, self._positions)
        return copy.deepcopy(kept)

    def _take(self) -> None:
        """All subtasks stand still: copy the state. What exactly-once sinks hold belongs to this checkpoint."""
        app = self.application
        app.checkpoints += 1
        for sink in self.env.sinks:
            if sink.exactly_once:
                mine = sink.state(self)
                mine.setdefault("ready", []).append((app.checkpoints, mine.pop("open", [])))
        self._pending.append((self.copy(app.checkpoints), self._then))
        self._then = None
        self._later(self.world.quotas["kinesisanalyticsv2.checkpoint_time"], self._complete)

    def _complete(self) -> None:
        """The copy is safe: a failure goes back to here from now on, and what the sinks held may be seen."""
        done, then = self._pending.pop(0)
        self.application.last = done
        self.tell("CheckpointCompleted", done.number)
        self._commit_later(done.number, partial(then, done) if then else None)

    def _commit_later(self, number: int, then: Callable[[], None] | None = None) -> None:
        process = self.world.kernel.spawn(self._commit, number, then, name=f"{self.application.actor}-commit")
        process.acts_as = self.application.principal()
        self._processes.append(process)

    def _commit(self, number: int, then: Callable[[], None] | None) -> None:
        try:
            self.commit_until(number)
        except Exception as error:
            self.fail(f"{type(error).__name__}: {error}")
        else:
            if then:
                then()

    def commit_until(self, number: int) -> None:
        """Hand out what exactly-once sinks hold of checkpoints up to this one, and was not handed out before."""
        committed = self.application.committed
        for sink in self.env.sinks:
            ready = sink.state(self).get("ready", []) if sink.exactly_once else []
            while ready and ready[0][0] <= number:
                this, values = ready[0]
                step = max(len(values), 1) if sink.whole else 1
                for place in range(committed.get((sink.id, this), 0), len(values), step):
                    sink.write(self, values[place : place + step])
                    committed[sink.id, this] = place + step
                ready.pop(0)

    # ---- sinks -------------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Empty the sinks that write at least once. They may block: then their subtask reads nothing meanwhile."""
        for sink in self.env.sinks:
            values = self.written.pop(sink.id, None)
            if values:
                sink.write(self, values)

    def put_into_stream(self, stream: str, values: list[Any], key: Callable[[Any], Any] | None) -> None:
        """Put values into a Kinesis stream."""
        to = Arn.parse(stream) or Arn("kinesis", self.world.region, self.world.account, f"stream/{stream}")

        def key_of(value: Any) -> str:
            own = key(value) if key else value.get("key", "") if isinstance(value, dict) else ""
            return str(own) or "-"

        records = [{"Data": encoded(value), "PartitionKey": key_of(value)} for value in values]
        self.application.put(to, records, self.row, lambda: self.alive)

    def put_into_firehose(self, stream: str, values: list[Any]) -> None:
        """Put values into a delivery stream, each as a line."""
        to = Arn("firehose", self.world.region, self.world.account, f"deliverystream/{stream}")
        records = [{"Data": encoded(value) + b"\n"} for value in values]
        self.application.put(to, records, self.row, lambda: self.alive)

    def put_object(self, bucket: str, prefix: str, sink: Sink, values: list[Any]) -> None:
        """Write the values of one checkpoint as one object. Written again, it is the same object."""
        app, to = self.application, Arn("s3", self.world.region, self.world.account, bucket)
        number = sink.state(self)["ready"][0][0]
        params = {"bucket": bucket, "key": f"{prefix}part-{sink.id}-{number}"}
        body = b"".join(encoded(value) + b"\n" for value in values)
        self.world.gateway.call_service(
            to, "put_object", {**params, "body": body}, principal=app.principal(), caller=app.actor, cause=self.row
        )

    # ---- the end -----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Let the subtasks go. What was read after the last checkpoint is forgotten, unless a copy is taken first."""
        self.alive = False
        if self._barrier:
            self._barrier.fire()
        for process in self._processes:
            if process is not self.world.kernel.current:
                self.world.kernel.kill(process)

    def fail(self, why: str) -> None:
        """A subtask has ended: so does the whole attempt."""
        if self.alive:
            self.stop()
            self.application.failed(why)


def encoded(value: Any) -> bytes:
    """A value as the bytes of a record: JSON, unless it is bytes or a text."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
