"""An application that reads a stream with several workers, as the Kinesis Client Library does: leases, checkpoints.

The model. A table has a lease for each shard: who reads it, and up to which record that is noted (the checkpoint). A
worker renews its leases as long as it lives; one that is not renewed for `FAILOVER` seconds is taken by another worker,
which goes on behind the checkpoint, so what was done since then is done again. Leases are shared out evenly. The lease
of a child shard is made when its parents are read to their ends; it begins at its oldest record. (Kinesis developer
guide, "Handling duplicate records"; amazon-kinesis-client, documents on leases; failoverTimeMillis 10,000.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lablib.actors.fleet import Worker
from lablib.aws.event import is_given
from lablib.aws.service import ServiceError
from lablib.gateway import AnswerLost
from lablib.kernel import Kernel, Trace

FAILOVER = 10.0  # seconds without a sign of life after which a lease is free (failoverTimeMillis)
IDLE = 1.0  # seconds between two reads of a shard (the library waits 1 to 1.5 s)

Work = Callable[[Worker, dict[str, Any], int], None]


@dataclass
class Lease:
    """A lease: its shard, the worker that has it, the checkpoint (a sequence number), when it was last renewed, and
    whether its shard is read to the end."""

    shard: str
    owner: Worker | None = None
    checkpoint: str = ""
    renewed: float = 0.0
    done: bool = False
    turn: int = 0  # how often it was given to a worker, or rewound


class Application:
    """An application with workers: `serve` is the program of one of them.

    `kinesis` is the client, `values` holds `batch_size` (records asked for at a time) and `checkpoint` (so many records
    between two checkpoints); `work(worker, record, row)` works on a record that the call of row `row` brought.
    """

    def __init__(
        self, kernel: Kernel, trace: Trace, kinesis: Any, stream: str, values: Mapping[str, Any], work: Work
    ) -> None:
        self._kernel = kernel
        self._trace = trace
        self._kinesis = kinesis
        self._stream = stream
        self._values = values
        self._work = work
        self._workers: dict[str, Worker] = {}
        self._parents: dict[str, tuple[str, ...]] = {}
        self.leases: dict[str, Lease] = {}

    def add_shard(self, shard: str, parents: tuple[str, ...] = ()) -> None:
        """A shard to read, when its parents are done."""
        self._parents[shard] = parents
        self.leases.setdefault(shard, Lease(shard))

    def rewind(self) -> None:
        """Forget all checkpoints: every worker begins at the oldest record again."""
        for lease in self.leases.values():
            lease.checkpoint, lease.done, lease.owner = "", False, None
            lease.turn += 1

    def serve(self, worker: Worker) -> None:
        """Take leases, read their shards, work on the records, note checkpoints, for ever."""
        self._workers[worker.name] = worker
        iterators: dict[tuple[str, int], str] = {}  # by shard and turn; a crash loses them
        while not worker.stopping:
            self._take(worker)
            mine = [lease for lease in self.leases.values() if lease.owner is worker]
            for lease in mine:
                if lease.owner is worker and not worker.stopping:
                    self._read(worker, lease, iterators)
            worker.hold(IDLE)
        for lease in self.leases.values():
            if lease.owner is worker:
                lease.owner = None

    # ---- leases ------------------------------------------------------------------------------------------------------

    def _take(self, worker: Worker) -> None:
        """Take a lease that is free; or one of the worker that has the most, when that has two more than this one."""
        now = self._kernel.now
        ready = [lease for lease in self.leases.values() if not lease.done and self._may_begin(lease)]
        counts: dict[str, int] = {name: 0 for name, one in self._workers.items() if one.alive and not one.stopping}
        for lease in ready:
            owner = lease.owner
            if owner and owner.alive and not owner.frozen:
                lease.renewed = now
            if owner and now - lease.renewed <= FAILOVER:
                counts[owner.name] = counts.get(owner.name, 0) + 1
        fair = -(-len(ready) // max(1, len(counts)))
        for lease in ready:
            free = lease.owner is None or now - lease.renewed > FAILOVER
            if free and counts.get(worker.name, 0) < fair:
                self._give(lease, worker)
                counts[worker.name] = counts.get(worker.name, 0) + 1
        most = max(counts.values(), default=0)
        if counts.get(worker.name, 0) + 1 < most:
            rich = next(name for name, count in counts.items() if count == most)
            self._give(next(one for one in ready if one.owner and one.owner.name == rich), worker)

    def _may_begin(self, lease: Lease) -> bool:
        return all(self.leases[p].done for p in self._parents.get(lease.shard, ()) if p in self.leases)

    def _give(self, lease: Lease, worker: Worker) -> None:
        lease.owner, lease.renewed, lease.turn = worker, self._kernel.now, lease.turn + 1
        self._trace.add("LeaseTaken", f"{self._stream}/{lease.shard}", lease.checkpoint, worker.name)

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _read(self, worker: Worker, lease: Lease, iterators: dict[tuple[str, int], str]) -> None:
        """Read once, and work on what came."""
        known = (lease.shard, lease.turn)
        try:
            iterator = iterators.get(known) or self._iterator(lease)
            answer = self._kinesis.get_records(ShardIterator=iterator, Limit=int(self._values["batch_size"]))
        except (ServiceError, AnswerLost) as error:
            if getattr(error, "code", "") == "ExpiredIteratorException":
                iterators.pop(known, None)
            return
        (row,) = self._trace.latest(self._trace.kinds(is_given), worker.name, 1) if answer["Records"] else (-1,)
        for number, record in enumerate(answer["Records"], 1):
            self._work(worker, record, row)
            if number % int(self._values["checkpoint"]) == 0 or number == len(answer["Records"]):
                if lease.owner is not worker or lease.turn != known[1]:
                    return  # another has taken it: what is left is not this worker's any more
                lease.checkpoint = record["SequenceNumber"]
        if "NextShardIterator" in answer:
            iterators[known] = answer["NextShardIterator"]
        else:
            lease.done, lease.owner = True, None
            for child in answer.get("ChildShards", ()):
                self.add_shard(child["ShardId"], tuple(child["ParentShards"]))

    def _iterator(self, lease: Lease) -> str:
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if lease.checkpoint:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": lease.checkpoint}
        answer = self._kinesis.get_shard_iterator(StreamName=self._stream, ShardId=lease.shard, **start)
        iterator: str = answer["ShardIterator"]
        return iterator
