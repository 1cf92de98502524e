"""A stream: its shards, which of them takes a record, and how they are split and merged.

The model. The open shards cover the hash space without gaps. While a stream is resharded it is UPDATING: reads and
writes go on as before; when the time is over, the parents close and their children open at the same instant.
UpdateShardCount is a series of splits and merges, each with parents and children of its own. An on-demand stream splits
a shard by itself when that was busy. (API reference, SplitShard, MergeShards, UpdateShardCount; developer guide,
"Resharding", "On-demand mode".)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lablib.aws.service import World
from lablib.services.kinesis.shards import HASHES, Limits, Shard, hash_of

if TYPE_CHECKING:
    from lablib.aws.access.decide import Policy
    from lablib.services.kinesis.fanout import Consumer

MIB = 1 << 20
HOUR = 3600.0
DAY = 86_400.0
_SHARD, _TIME, _INDEX, _CREATED = 4, 40, 80, 144  # where the parts of a sequence number begin, in bits
_MARK = (2 << 184) | 2  # how AWS's sequence numbers begin and end


class Stream:
    """A stream. `status` is CREATING, ACTIVE, UPDATING or DELETING; `on_demand` its mode; `retention` in hours."""

    def __init__(self, world: World, name: str, arn: str, shards: int, on_demand: bool, serial: int) -> None:
        self._kernel, self._trace, self._quotas = world.kernel, world.trace, world.quotas
        self._chance = world.chance
        self.name = name
        self.arn = arn
        self.serial = serial  # tells it from a former stream of that name
        self.created = self._kernel.now
        self.status = "CREATING"
        self.on_demand = on_demand
        self.retention = int(self._quotas["kinesis.retention"])
        self.largest = int(self._quotas["kinesis.record_size"])  # the largest record, in bytes
        self.key_id = ""  # of KMS, when it is encrypted
        self.key_changes: list[float] = []
        self.metrics: tuple[str, ...] = ()  # of single shards, by enhanced monitoring
        self.policy: Policy | None = None
        self.policy_text = ""
        self.consumers: dict[str, Consumer] = {}
        self.mode_changes: list[float] = []
        self.count_changes: list[float] = []
        self.shards: dict[str, Shard] = {}
        self.gone = False
        self._busy: dict[str, list[float]] = {}  # of an on-demand stream's shards: since when, bytes since then
        step = HASHES // shards
        self._open: list[Shard] = [
            self._make(n * step, HASHES - 1 if n == shards - 1 else (n + 1) * step - 1) for n in range(shards)
        ]
        self._lows = [shard.low for shard in self._open]

    # ---- shards ------------------------------------------------------------------------------------------------------

    def _make(self, low: int, high: int, parents: tuple[str, ...] = ()) -> Shard:
        quotas = self._quotas
        limits = Limits(
            quotas["kinesis.shard_records"], quotas["kinesis.shard_write"], quotas["kinesis.shard_calls"],
            quotas["kinesis.shard_read"], quotas["kinesis.iterator_calls"], self.largest,
        )  # fmt: skip
        shard = Shard(len(self.shards), low, high, self._kernel.now, parents, limits)
        self.shards[shard.id] = shard
        start = int(self._chance.keyed("sequence numbers", f"{self.arn}/{self.serial}/{shard.id}") * 2**40)
        created = int(self._kernel.epoch + shard.begin)
        shard.sequence_base = _MARK + (created << _CREATED) + (start << _INDEX) + (shard.number << _SHARD)
        return shard

    @property
    def open_shards(self) -> list[Shard]:
        """The shards that take records, in the order of their hash ranges."""
        return list(self._open)

    def listed_shards(self) -> list[Shard]:
        """The shards that can be read: open, or closed for less than the retention period."""
        horizon = self._kernel.now - self.retention * HOUR
        return [shard for shard in self.shards.values() if shard.end is None or shard.end >= horizon]

    def place(self, shard: Shard) -> str:
        """The shard's name in the trace."""
        return f"{self.name}/{shard.id}"

    def shard_of(self, hash: int) -> Shard:
        """The open shard that takes a record with that hash."""
        return self._open[bisect_right(self._lows, hash) - 1]

    # ---- records -----------------------------------------------------------------------------------------------------

    def put(self, shard: Shard, data: bytes, key: str, size: int) -> str:
        """Store a record that the shard has admitted; `size` is that of data and key. Returns its sequence number."""
        now = self._kernel.now
        number = self._sequence_number(shard, shard.next, now)
        shard.append((number, now, data, key, bool(self.key_id)))
        if shard.listeners:
            for listener in shard.listeners:
                listener.arrived()
        if self.on_demand:
            self._watch(shard, size)
        if shard.begins_before(now - self.retention * HOUR):
            self.trim(shard)
        return number

    def _sequence_number(self, shard: Shard, index: int, now: float) -> str:
        return str(shard.sequence_base + (index + 1 << _INDEX) + (int(self._kernel.epoch + now) << _TIME))

    def first_sequence_number(self, shard: Shard) -> str:
        """Where the shard's sequence numbers begin."""
        return self._sequence_number(shard, -1, shard.begin)

    def sequence_before(self, shard: Shard, number: int) -> str:
        """A sequence number after which the record of that number comes."""
        return str(shard.sequence_base + (number << _INDEX) + (int(self._kernel.epoch + self._kernel.now) << _TIME))

    def trim(self, shard: Shard) -> None:
        """Drop what is older than the retention period."""
        for record in shard.drop_before(self._kernel.now - self.retention * HOUR):
            self._trace.add("RecordExpired", self.place(shard), record[0])

    def keep_for(self, hours: int) -> None:
        """Change the retention period. What is gone stays gone; what a shorter period drops goes at once."""
        for shard in self.shards.values():
            self.trim(shard)
        self.retention = hours
        for shard in self.shards.values():
            self.trim(shard)

    def set_largest(self, size: int) -> None:
        """From now on a record may have so many bytes."""
        self.largest = size
        for shard in self._open:
            shard.allow_bursts_of(size)

    # ---- resharding --------------------------------------------------------------------------------------------------

    def update(self, row: int, seconds: float, change: Callable[[], None]) -> None:
        """Be UPDATING for a while, then do the change and be ACTIVE again."""
        self.status = "UPDATING"

        def done() -> None:
            if not self.gone and self.status == "UPDATING":
                change()
                self.status = "ACTIVE"
                self._trace.add("StreamActive", self.name, "", "", row)

        self._kernel.after(seconds, done)

    def split(self, shard: Shard, at: int, row: int) -> tuple[Shard, Shard]:
        """Replace a shard by two: what hashes below `at`, and the rest."""
        one = self._make(shard.low, at - 1, (shard.id,))
        two = self._make(at, shard.high, (shard.id,))
        self._replace((shard,), (one, two), row, "ShardSplit")
        return one, two

    def merge(self, shard: Shard, other: Shard, row: int) -> Shard:
        """Replace two adjacent shards by one."""
        child = self._make(min(shard.low, other.low), max(shard.high, other.high), (shard.id, other.id))
        self._replace((shard, other), (child,), row, "ShardsMerged")
        return child

    def _replace(self, parents: tuple[Shard, ...], children: tuple[Shard, ...], row: int, kind: str) -> None:
        now = self._kernel.now
        at = min(self._open.index(parent) for parent in parents)
        self._open[at : at + len(parents)] = children
        self._lows = [shard.low for shard in self._open]
        for parent in parents:
            parent.end, parent.children = now, tuple(child.id for child in children)
            parent.last_sequence = self._sequence_number(parent, parent.next, now)
            for listener in tuple(parent.listeners):
                listener.arrived()
            names = [self.place(child) for child in children]
            self._trace.add(kind, self.place(parent), "", "", row, names)

    def reshape(self, count: int, row: int) -> None:
        """Make `count` shards of equal size, by splits and merges (UNIFORM_SCALING)."""
        step = HASHES // count
        bounds = [n * step for n in range(count)]
        for bound in bounds:
            shard = self.shard_of(bound)
            if shard.low < bound:
                self.split(shard, bound, row)
        wanted, at = set(bounds), 0
        while at + 1 < len(self._open):
            if self._open[at + 1].low in wanted:
                at += 1
            else:
                self.merge(self._open[at], self._open[at + 1], row)

    # ---- on demand ---------------------------------------------------------------------------------------------------

    def _watch(self, shard: Shard, size: int) -> None:
        """Note what an on-demand stream's shard takes. One that took more than 500 KB/s on average over a window is
        split in two a while later (developer guide, "How do I size a stream": within 15 minutes)."""
        now, window = self._kernel.now, self._quotas["kinesis.on_demand_window"]
        seen = self._busy.setdefault(shard.id, [now, 0.0])
        seen[1] += size
        if now - seen[0] < window:
            return
        busy = seen[1] / (now - seen[0]) > self._quotas["kinesis.on_demand_busy"]
        self._busy[shard.id] = [now, 0.0]
        most = self._quotas["kinesis.on_demand_write_max"] // self._quotas["kinesis.shard_write"]
        if busy and len(self._open) < most:
            self._busy[shard.id][0] = now + self._quotas["kinesis.on_demand_reaction"] + window  # one split at a time
            self._kernel.after(self._quotas["kinesis.on_demand_reaction"], self._split_busy, shard)

    def _split_busy(self, shard: Shard) -> None:
        if not self.gone and self.on_demand and shard.end is None and shard.high > shard.low:
            self.split(shard, (shard.low + shard.high + 1) // 2, -1)

    # ---- as a document -----------------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """What DescribeStreamSummary and DescribeStream share."""
        document: dict[str, Any] = {
            "StreamName": self.name,
            "StreamARN": self.arn,
            "StreamStatus": self.status,
            "StreamModeDetails": {"StreamMode": "ON_DEMAND" if self.on_demand else "PROVISIONED"},
            "RetentionPeriodHours": self.retention,
            "EnhancedMonitoring": [{"ShardLevelMetrics": list(self.metrics)}],
            "EncryptionType": "KMS" if self.key_id else "NONE",
        }
        return document | ({"KeyId": self.key_id} if self.key_id else {})


def shard_number_in(sequence_number: str) -> int | None:
    """The number of the shard that a sequence number names; None for a number that is none of AWS's."""
    value = int(sequence_number) - _MARK
    return (value >> _SHARD) & 0xFFFFFFFF if value > 0 and value >> 184 == 0 and value & 0xF == 0 else None


__all__ = ["DAY", "HOUR", "MIB", "Stream", "hash_of", "shard_number_in"]
