"""Records on their way, and the buffers in which they wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.service import ServiceError, World
from lablib.services.firehose.checks import Document


@dataclass(eq=False, slots=True)
class Record:
    """A record. `id` is its subject in the trace; `time` its arrival, from which its age counts; `expires` when it is
    lost unless it is delivered; `keys` are its partition keys; `failed` says why it could not be processed:
    error code, message, number of attempts."""

    id: str
    data: bytes
    time: float
    expires: float
    keys: dict[str, str] = field(default_factory=dict)
    failed: tuple[str, str, int] = ("", "", 0)
    retrying: bool = False
    about: dict[str, Any] = field(default_factory=dict)  # of a record from a stream: where it lay there


@dataclass(eq=False, slots=True)
class Batch:
    """Records that leave a buffer together. `where` is its place, `row` tells of it; `kind`, for the error prefix, is
    the type of the error; `attempts` counts those that failed."""

    records: list[Record]
    where: str
    row: int
    kind: str = ""
    attempts: int = 0
    id: str = ""

    @property
    def first(self) -> float:
        """When the oldest of its records arrived."""
        return min(record.time for record in self.records)

    @property
    def size(self) -> int:
        """Its bytes."""
        return sum(len(record.data) for record in self.records)


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed. `final`: it makes no sense to try again. `left`: the records to try again, None means
    all; `refused`: those for which that makes no sense, each with code and message. The others were delivered."""

    code: str
    message: str
    final: bool = False
    left: list[Record] | None = None
    refused: list[tuple[Record, str, str]] = field(default_factory=list)


def plain(record: Record) -> int:
    """The bytes of a record."""
    return len(record.data)


class Buffer:
    """Records that wait for `send`. They leave when there are `size` bytes, or `seconds` after the first came,
    whichever is first; never more than `most` bytes at a time.

    While a batch is being sent, the buffer grows: the next batch is larger. That is how Firehose catches up (developer
    guide, "Configure buffering hints"). `place` is its name in the trace.
    """

    def __init__(
        self, world: World, place: str, actor: str, size: int, seconds: float, most: int, send: Callable[[Batch], None],
        kind: str = "", weight: Callable[[Record], int] = plain, event: str = "BufferClosed",
    ) -> None:  # fmt: skip
        self._world = world
        self.place = place
        self._actor = actor
        self._size, self._seconds, self._most = size, seconds or world.quotas["firehose.zero_wait"], most
        self._send = send
        self._kind, self._event = kind, event
        self._weight = weight  # what a record adds to `most`
        self.records: list[Record] = []
        self.bytes = 0
        self.sending: Batch | None = None
        self.closed = False
        self._since = 0.0  # when the first of them came into this buffer
        self._timer: Any = None
        self._working = False
        self._due = ""

    def add(self, record: Record) -> None:
        """Put a record in."""
        if not self.records:
            self._since = self._world.kernel.now
            self._timer = self._world.kernel.after(self._seconds, self.flush, "time")
        self.records.append(record)
        self.bytes += len(record.data)
        if not self._due and (self.closed or self.bytes >= self._size):
            self.flush("change" if self.closed else "size")

    def flush(self, why: str) -> None:
        """Let what is there leave: now, or when the batch that is being sent has left."""
        self._due = why
        if not self._working and self.records:
            self._working = True
            spawn_as(self._world, self._actor, self._work)

    def close(self) -> None:
        """Take no more; what is there leaves."""
        self.closed = True
        self.flush("change")

    def drop(self) -> list[Record]:
        """Forget all records, also those that are being sent, and return them."""
        records = [*(self.sending.records if self.sending else ()), *self.records]
        if self.sending:
            self.sending.records = []
        self.records, self.bytes = [], 0
        return records

    def _work(self) -> None:
        kernel = self._world.kernel
        try:
            while self._due and self.records:
                self.sending = batch = self._take()
                self._send(batch)
                self.sending = None
                waited = kernel.now - self._since
                if self.records and not self._due:
                    self._due = "size" if self.bytes >= self._size else "time" if waited >= self._seconds else ""
        finally:
            self._working = False
        if self.records:
            self._timer.cancel()
            self._timer = kernel.after(max(0.0, self._since + self._seconds - kernel.now), self.flush, "time")

    def _take(self) -> Batch:
        count = size = weight = 0
        for record in self.records:
            weight += self._weight(record)
            if count and weight > self._most:
                break
            count, size = count + 1, size + len(record.data)
        records, self.records = self.records[:count], self.records[count:]
        self.bytes -= size
        self._timer.cancel()
        why, self._due = self._due, "change" if self.closed and self.records else ""
        batch = Batch(records, self.place, -1, self._kind)
        age = round(self._world.kernel.now - batch.first, 6)
        detail = {"records": count, "bytes": size, "why": why, "age": age}
        batch.row = self._world.trace.add(self._event, self.place, "", self._actor, -1, detail)
        return batch


def call(world: World, actor: str, role: str, to: Arn | None, operation: str, params: Document, cause: int) -> Document:
    """Call an operation of the service that owns `to`, in the name of a role. Raises ServiceError, also with the shape
    RoleNotAssumed, and AnswerLost."""
    who = world.gateway.assume(role, "firehose.amazonaws.com")
    if who is None or to is None:
        raise ServiceError("RoleNotAssumed", f"Firehose cannot assume the role {role}.", code="AssumeRoleAccessDenied")
    return world.gateway.call_service(to, operation, params, principal=who, caller=actor, cause=cause)


def spawn_as(world: World, actor: str, work: Callable[[], None]) -> None:
    """Run `work` as a process that the trace and the network know as `actor`, and forget it at its end."""
    kernel = world.kernel

    def run() -> None:
        try:
            work()
        finally:
            kernel.processes.pop(key, None)

    process = kernel.spawn(run, name=f"{actor} {world.chance.uuid('firehose/work')}")
    key, process.name = process.name, actor
