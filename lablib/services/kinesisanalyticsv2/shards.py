"""Reading a Kinesis stream as any reader does: iterators, five calls a second and shard, children after their parents.

Sources: Kinesis API reference (GetShardIterator, GetRecords, ListShards); Flink documentation, "Amazon Kinesis Data
Streams Connector". What was read so far is in `positions`, which a checkpoint keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.service import AnswerLost, Principal, ServiceError, World

Document = dict[str, Any]
FINISHED = "finished"  # the position of a shard that was read to its end


class ShardReader:
    """Reads a stream as `caller`, in the name of `principal()`. `positions`: the last sequence number read of each
    shard, or FINISHED; `since`: when reading began, virtual seconds, None: with what is there."""

    def __init__(
        self,
        world: World,
        stream: str,
        caller: str,
        principal: Callable[[], Principal],
        positions: dict[str, str],
        since: float | None,
    ) -> None:
        arn = Arn.parse(stream)
        self._to = arn or Arn("kinesis", world.region, world.account, f"stream/{stream}")
        self._world, self._caller, self._principal, self._since = world, caller, principal, since
        self.positions = positions
        self.first: set[str] | None = None  # the shards that were there when reading began
        self._iterators: dict[str, str] = {}
        self._parents: dict[str, list[str]] = {}

    def _call(self, operation: str, params: Document) -> Document:
        return self._world.gateway.call_service(
            self._to, operation, params, principal=self._principal(), caller=self._caller, cause=-1
        )

    def discover(self) -> None:
        """Look for shards. Raises ServiceError when the stream cannot be seen."""
        found: list[Document] = []
        more: Document = {"stream_arn": str(self._to)}
        while True:
            answer = self._call("list_shards", more)
            found += answer["Shards"]
            if "NextToken" not in answer:
                break
            more = {"next_token": answer["NextToken"]}
        known = {shard["ShardId"] for shard in found}
        self._parents = {
            shard["ShardId"]: [
                shard[name] for name in ("ParentShardId", "AdjacentParentShardId") if shard.get(name) in known
            ]
            for shard in found
        }
        if self.first is None:
            self.first = known

    def open_shards(self) -> list[str]:
        """The shards to be read now: not finished, all their parents finished."""
        done = {shard for shard, position in self.positions.items() if position == FINISHED}
        return [
            shard for shard, parents in self._parents.items() if shard not in done and all(p in done for p in parents)
        ]

    def read(self, shard: str) -> list[Document]:
        """The next records of a shard; none when Kinesis refuses or loses the call. At its end it is FINISHED."""
        try:
            if shard not in self._iterators:
                self._iterators[shard] = self._call("get_shard_iterator", self._start(shard))["ShardIterator"]
            answer = self._call("get_records", {"shard_iterator": self._iterators[shard]})
        except AnswerLost:
            return []
        except ServiceError as error:
            if error.shape == "ExpiredIteratorException":
                del self._iterators[shard]
            elif error.shape not in ("ProvisionedThroughputExceededException", "LimitExceededException"):
                raise
            return []
        records: list[Document] = answer["Records"]
        if "NextShardIterator" in answer:
            self._iterators[shard] = answer["NextShardIterator"]
        else:
            del self._iterators[shard]
            if not records:
                self.positions[shard] = FINISHED
        return records

    def _start(self, shard: str) -> Document:
        ask: Document = {"stream_arn": str(self._to), "shard_id": shard}
        position = self.positions.get(shard)
        if position:
            return ask | {"shard_iterator_type": "AFTER_SEQUENCE_NUMBER", "starting_sequence_number": position}
        if self._since is None or shard not in (self.first or ()):
            return ask | {"shard_iterator_type": "TRIM_HORIZON"}
        if self._since >= self._world.kernel.now:
            return ask | {"shard_iterator_type": "LATEST"}
        return ask | {"shard_iterator_type": "AT_TIMESTAMP", "timestamp": self._world.kernel.epoch + self._since}
