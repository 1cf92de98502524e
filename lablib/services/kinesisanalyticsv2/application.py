"""An application: its states, its job's attempts, its snapshots, how it is scaled.

Sources: API reference (2018-05-23) as shipped in botocore; Managed Service for Apache Flink developer guide,
"Application scaling", "Snapshots", "Fault tolerance".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.service import Principal, ServiceError, World
from lablib.services.kinesisanalyticsv2.dataflow import Environment
from lablib.services.kinesisanalyticsv2.runtime import Attempt, Checkpoint

Document = dict[str, Any]
Job = Callable[[Environment], Any]
_MINUTE, _HOUR = 60.0, 3600.0
_BATCH = 500  # records of one PutRecords, PutRecordBatch
_MOST_SUBTASKS = 128  # an operator's maximum parallelism when none is set (guide)


@dataclass
class Snapshot:
    """A checkpoint with a name, kept until it is deleted."""

    name: str
    created: float
    version: int
    status: str = "CREATING"
    checkpoint: Checkpoint | None = None


@dataclass(eq=False)
class Application:
    """A Flink application. `began`: when it was started without anything to restore; `last`: the newest checkpoint;
    `committed`: how much of each exactly-once sink and checkpoint was handed out; `loads`: of each minute, in percent.
    """

    world: World
    name: str
    arn: str
    role: str
    runtime: str
    description: str
    code: Document
    job: Job | None
    created: float
    status: str = "READY"
    version: int = 1
    updated: float = 0.0
    parallelism_set: int = 1
    parallelism: int = 1
    parallelism_per_kpu: int = 1
    autoscaling: bool = True
    checkpointing: bool = True
    checkpoint_interval: float = 60.0
    snapshots_enabled: bool = True
    properties: list[Document] = field(default_factory=list)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    attempt: Attempt | None = None
    began: float = 0.0
    last: Checkpoint | None = None
    checkpoints: int = 0
    committed: dict[tuple[int, int], int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    _starts: int = 0
    _session: tuple[str, float, Principal] | None = None
    _resume: Callable[[], None] | None = None

    @property
    def actor(self) -> str:
        """How the trace calls it as a caller; its subtasks add their numbers."""
        return f"analytics/{self.name}"

    @property
    def kpus(self) -> int:
        """How many it takes."""
        return -(-self.parallelism // self.parallelism_per_kpu)

    def principal(self) -> Principal:
        """In whose name it calls: a session of its role, taken again every hour. Raises ServiceError when it cannot be
        assumed any more."""
        now = self.world.kernel.now
        if self._session is None or self._session[0] != self.role or now >= self._session[1]:
            found = self.world.gateway.assume(self.role, "kinesisanalytics.amazonaws.com")
            if found is None:
                raise ServiceError("AccessDeniedException", f"The role {self.role} cannot be assumed.")
            self._session = (self.role, now + _HOUR, found)
        return self._session[2]

    def become(self, status: str) -> None:
        """Change its state."""
        if status == self.status:
            return
        self.status, self.updated = status, self.world.kernel.now
        self.world.trace.add("ApplicationChanged", self.name, "", self.actor, -1, status)

    def put(self, to: Arn, records: list[Document], cause: int = -1, needed: Callable[[], bool] = lambda: True) -> None:
        """Put records into a data stream or a delivery stream, and those again that failed, until all are there or
        nobody needs them any more. Raises ServiceError.
        """
        if to.service == "kinesis":
            operation, params, answers = "put_records", {"stream_arn": str(to)}, "Records"
        else:
            operation, params = "put_record_batch", {"delivery_stream_name": to.resource.partition("/")[2]}
            answers = "RequestResponses"
        while records and needed():
            now, records = records[:_BATCH], records[_BATCH:]
            answer = self.world.gateway.call_service(
                to, operation, {**params, "records": now}, principal=self.principal(), caller=self.actor, cause=cause
            )
            failed = [record for record, result in zip(now, answer[answers]) if "ErrorCode" in result]
            if failed:
                records = failed + records
                self.world.kernel.wait(None, 1.0)

    # ---- running -----------------------------------------------------------------------------------------------------

    def start(self, after: Checkpoint | None) -> None:
        """Start it, from a checkpoint, or from its sources' beginning."""
        self.become("STARTING")
        self.began, self.last, self.loads = after.began if after else self.world.kernel.now, after, []
        self.world.kernel.after(self.world.quotas["kinesisanalyticsv2.start_time"], self._started)

    def _started(self) -> None:
        if self.status != "STARTING":
            return
        if self.last is None:
            self.began = self.world.kernel.now
        self._run("RUNNING")
        self._starts += 1
        self.world.kernel.after(_MINUTE, self._measure, self._starts)

    def _run(self, status: str) -> None:
        """A new attempt of the job. What is wrong with the job function itself is raised where time was let pass."""
        try:
            self.attempt = self.make_attempt()
        except Exception:
            self.attempt = None
            self.become("READY")
            raise
        self.become(status)

    def make_attempt(self) -> Attempt:
        """A new attempt, after the last checkpoint."""
        assert self.job
        return Attempt(self, self.job, self.last)

    def failed(self, why: str) -> None:
        """The job has failed: it goes back to its last checkpoint after a while."""
        self.failures.append(why)
        for snapshot in self.snapshots.values():
            if snapshot.status == "CREATING" and self._resume is None:
                snapshot.status = "FAILED"
        self.world.trace.add("JobFailed", self.name, "", self.actor, -1, why)
        self.world.kernel.after(self.world.quotas["kinesisanalyticsv2.restart_time"], self._again, self.attempt)

    def _again(self, before: Attempt | None) -> None:
        if self.attempt is not before or self.status in ("READY", "FORCE_STOPPING", "DELETING"):
            return
        self._run(self.status)
        if self._resume:
            self._resume()

    # ---- stopping ----------------------------------------------------------------------------------------------------

    def stop(self, force: bool) -> None:
        """Stop it: with a snapshot, or at once."""
        quotas, kernel = self.world.quotas, self.world.kernel
        if force or not self.snapshots_enabled or self.attempt is None:
            self.become("FORCE_STOPPING" if force else "STOPPING")
            self.halt()
            kernel.after(quotas["kinesisanalyticsv2.stop_time"], self.become, "READY")
            return
        self.become("STOPPING")
        name = f"stop-{self.world.chance.uuid('kinesisanalyticsv2/snapshots')}"
        self.snapshots[name] = snapshot = Snapshot(name, kernel.now, self.version)

        def stopped(done: Checkpoint) -> None:
            self.keep(snapshot, done)
            self.halt()
            kernel.after(quotas["kinesisanalyticsv2.stop_time"], self.become, "READY")

        self.drain(stopped)

    def halt(self) -> None:
        """No subtask runs any more."""
        self._resume = None
        if self.attempt:
            self.attempt.stop()
        self.attempt = None

    def drain(self, then: Callable[[Checkpoint], None]) -> None:
        """Take a checkpoint after which nothing is read. When the job fails meanwhile, it is tried again."""

        def again() -> None:
            if self.attempt:
                self.attempt.savepoint(then, stop=True)

        self._resume = again
        if self.attempt and self.attempt.alive:
            again()

    def keep(self, snapshot: Snapshot, done: Checkpoint) -> None:
        """A snapshot is ready."""
        snapshot.checkpoint, snapshot.status = done, "READY"
        self.world.trace.add("SnapshotTaken", self.name, "", self.actor, -1, snapshot.name)

    def latest_snapshot(self) -> Snapshot | None:
        """The newest one that is ready."""
        ready = [snapshot for snapshot in self.snapshots.values() if snapshot.status == "READY"]
        return max(ready, key=lambda snapshot: snapshot.created, default=None)

    # ---- changing ----------------------------------------------------------------------------------------------------

    def replace(self, status: str, change: Callable[[], None]) -> None:
        """Stop with a checkpoint, change something, and go on from there: nothing is read meanwhile."""
        self.become(status)

        def stopped(done: Checkpoint) -> None:
            self.halt()
            change()
            self.world.kernel.after(self.world.quotas["kinesisanalyticsv2.update_time"], self._replaced, status)

        self.drain(stopped)

    def _replaced(self, status: str) -> None:
        if self.status == status:
            self.loads = []
            self._run("RUNNING")

    def _measure(self, start: int) -> None:
        """Note the load of the last minute, and scale when it was too high or too low for long enough."""
        if self._starts != start or self.status in ("READY", "DELETING"):
            return
        self.world.kernel.after(_MINUTE, self._measure, start)
        if self.attempt is None or self.status != "RUNNING":
            return
        self.loads.append(100 * self.attempt.busy / (self.parallelism * _MINUTE))
        self.attempt.busy = 0.0
        wanted = self._wanted()
        if self.autoscaling and wanted != self.parallelism:
            self.world.trace.add("ApplicationScaled", self.name, "", self.actor, -1, wanted)
            self.replace("AUTOSCALING", lambda: setattr(self, "parallelism", wanted))

    def _wanted(self) -> int:
        quotas = self.world.quotas
        for sign, way in ((1, "up"), (-1, "down")):
            minutes = round(quotas[f"kinesisanalyticsv2.scale_{way}_time"] / _MINUTE)
            limit = quotas[f"kinesisanalyticsv2.scale_{way}_load"]
            recent = self.loads[-minutes:]
            if len(recent) == minutes and all(sign * load >= sign * limit for load in recent):
                if sign < 0:
                    return max(self.parallelism // 2, self.parallelism_set)
                most = min(quotas["kinesisanalyticsv2.kpus"] * self.parallelism_per_kpu, _MOST_SUBTASKS)
                return min(self.parallelism * 2, max(most, self.parallelism))
        return self.parallelism
