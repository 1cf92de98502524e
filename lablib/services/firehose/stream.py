"""A delivery stream: its settings, its limits, and the pipelines through which its records go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lablib.aws.lists import Tags
from lablib.aws.service import World
from lablib.services.firehose.pipeline import Pipeline
from lablib.services.firehose.records import Record
from lablib.services.firehose.settings import Destination

if TYPE_CHECKING:
    from lablib.services.firehose.source import Reader


class Allowance:
    """So many of something a second; what was not used within a second is gone."""

    __slots__ = ("_at", "_left", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._left = rate
        self._at = now

    def has(self, count: float, now: float) -> bool:
        """Are there so many now?"""
        self._left = min(self.rate, self._left + (now - self._at) * self.rate)
        self._at = now
        return count <= self._left + 1e-6

    def take(self, count: float) -> None:
        """Use what `has` found."""
        self._left -= count


class DeliveryStream:
    """A delivery stream. `status` is CREATING, ACTIVE or DELETING; `encryption` as DescribeDeliveryStream shows it."""

    def __init__(self, world: World, name: str, arn: str, kind: str, destination: Destination, serial: int) -> None:
        self._world = world
        quotas, now = world.quotas, world.kernel.now
        self.name = name
        self.arn = arn
        self.kind = kind
        self.status = "CREATING"
        self.version = 1
        self.created = now
        self.updated: float | None = None
        self.destination = destination  # as it was last set; it may take a while until it is used
        self.tags = Tags()
        self.encryption: dict[str, Any] = {"Status": "DISABLED"}
        self.encryption_changes: list[float] = []
        self.reader: Reader | None = None
        self.calls = Allowance(quotas["firehose.put_calls"], now)
        self.records = Allowance(quotas["firehose.put_records"], now)
        self.bytes = Allowance(quotas["firehose.put_bytes"], now)
        self.pipelines = [Pipeline(world, name, arn, destination)]  # the last one takes records, the others run dry
        start = int(world.chance.keyed("firehose/records", f"{arn}/{serial}") * 10**18)
        self._next_id = (int(world.kernel.epoch) * 10**18 + start) * 10**22

    def new_id(self) -> str:
        """An id for the next record."""
        self._next_id += 1
        return str(self._next_id)

    def configure(self, destination: Destination) -> None:
        """From now on records go this way; those that are under way go on as they began."""
        self.pipelines[-1].close()
        self.pipelines = [p for p in self.pipelines if any(b.records or b.sending for b in p.all_buffers)]
        self.pipelines.append(Pipeline(self._world, self.name, self.arn, destination))

    def take(self, record: Record, row: int) -> None:
        """A record was accepted."""
        self.pipelines[-1].take(record, row)

    @property
    def behind(self) -> bool:
        """Does delivery fail at present?"""
        return any(pipeline.behind for pipeline in self.pipelines)

    def held(self) -> list[tuple[str, str]]:
        """All records that are here, buffered or being delivered: the place and the id of each."""
        return [
            (buffer.place, record.id)
            for pipeline in self.pipelines
            for buffer in pipeline.all_buffers
            for record in (*(buffer.sending.records if buffer.sending else ()), *buffer.records)
        ]

    def lose(self, why: str) -> None:
        """Forget everything that was not delivered."""
        for pipeline in self.pipelines:
            pipeline.lose(why)
