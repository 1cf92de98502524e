"""Enhanced fan-out: registered consumers, and the stream of events that each gets from a shard.

The model. A subscription has a pipe of its own of 2 MiB a second. Records are pushed into it by timers of the kernel,
as soon as they can be read; what the program has not taken yet waits in it. A subscription lives for five minutes, or
until the same consumer subscribes to the same shard again. (API reference, SubscribeToShard, RegisterStreamConsumer;
developer guide, "Enhanced fan-out".)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lablib.aws.service import ServiceError, World
from lablib.kernel import Signal
from lablib.services.kinesis.shards import Kept, Shard, size_of

if TYPE_CHECKING:
    from lablib.aws.access.decide import Policy
    from lablib.services.kinesis.stream import Stream

_MOST = 1 << 20  # bytes of data in one event
_WAITING = 16 << 20  # bytes that wait in a pipe at the most: a program that takes nothing is sent nothing more


@dataclass(eq=False)
class Consumer:
    """A registered consumer. `status` is CREATING, ACTIVE or DELETING; `pipes` are its subscriptions by shard."""

    name: str
    arn: str
    stream: Stream
    created: float
    status: str = "CREATING"
    policy: Policy | None = None
    policy_text: str = ""
    pipes: dict[str, Subscription] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """As RegisterStreamConsumer and ListStreamConsumers show it."""
        return {"ConsumerName": self.name, "ConsumerARN": self.arn, "ConsumerStatus": self.status}


class Subscription:
    """What `SubscribeToShard` gives as `EventStream`: iterate over it to get events, `close()` it to end it.

    An error that ends it is raised where the next event is taken. `row` is that of the call: it ends with the stream.
    """

    def __init__(
        self,
        world: World,
        consumer: Consumer,
        shard: Shard,
        position: int,
        row: int,
        caller: str,
        document: Callable[[Kept], dict[str, Any]],
    ) -> None:
        self._kernel, self._trace, quotas = world.kernel, world.trace, world.quotas
        self._consumer, self._shard, self._row, self._caller = consumer, shard, row, caller
        self._position, self._document = position, document
        self._delay, self._rate = quotas["kinesis.push_delay"], quotas["kinesis.fan_out_read"]
        self._events: deque[tuple[dict[str, Any], int]] = deque()
        self._waiting = 0
        self._signal = Signal(self._kernel)
        self._error: ServiceError | None = None
        self._pushing = False
        self._idle = quotas["kinesis.push_idle"]
        self._free = self._kernel.now  # when the pipe has room for the next event
        self.open = True
        self.begun = self._kernel.now
        self._last = self.begun  # when it was last looked for something to send
        self._ends = self._kernel.after(quotas["kinesis.subscription"], self.end)
        shard.listeners.append(self)
        self._push()

    # ---- the program's side ------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            if self._events:
                event, size = self._events.popleft()
                self._waiting -= size
                if self.open and self._shard.time_of(self._position) is not None:
                    self.arrived()  # the pipe was full, and has room again
                yield {"SubscribeToShardEvent": event}
            elif self._error:
                error, self._error = self._error, None
                raise error
            elif not self.open:
                return
            else:
                self._kernel.wait(self._signal)

    def close(self) -> None:
        """End the subscription, and forget what waits in it."""
        self.end()
        self._events.clear()

    # ---- the service's side ------------------------------------------------------------------------------------------

    def end(self, error: ServiceError | None = None) -> None:
        """No more events come: after those that wait, the iteration ends, or raises `error`."""
        if not self.open:
            return
        self.open = False
        self._error = error
        self._ends.cancel()
        self._shard.listeners.remove(self)
        if self._consumer.pipes.get(self._shard.id) is self:
            del self._consumer.pipes[self._shard.id]
        self._trace.complete(self._row, error.code if error else 1)
        self._trace.add(
            "SubscriptionEnded", self._consumer.stream.place(self._shard), "", self._caller, self._row,
            error.message if error else None,
        )  # fmt: skip
        self._signal.fire()

    def arrived(self) -> None:
        """See `shards.Listener`."""
        if not self._pushing and self._waiting < _WAITING:
            self._pushing = True
            self._kernel.after(max(self._delay, self._free - self._kernel.now), self._push)

    def _push(self) -> None:
        """Send what can be read as one event, and come back for the rest."""
        self._pushing = False
        if not self.open:
            return
        shard, stream, now = self._shard, self._consumer.stream, self._kernel.now
        self._last = now
        stream.trim(shard)
        position = max(self._position, shard.oldest)
        records = shard.slice(position, 10_000, _MOST, now - self._delay)
        self._position = position + len(records)
        size = size_of(records)
        at_end = shard.end is not None and self._position >= shard.next
        behind = shard.time_of(self._position)
        last = records[-1][0] if records else stream.sequence_before(shard, self._position)
        if records:
            detail = [position, len(records), 0 if behind is None else round((now - behind) * 1000), size]
            self._trace.add("RecordsPushed", stream.place(shard), last, self._caller, self._row, detail)
        event: dict[str, Any] = {
            "Records": [self._document(record) for record in records],
            "ContinuationSequenceNumber": last,
            "MillisBehindLatest": 0 if behind is None else round((now - behind) * 1000),
        }
        if at_end:
            event["ChildShards"] = [stream.shards[id].as_child() for id in shard.children]
        if records or at_end or not self._events:
            self._events.append((event, size))
            self._waiting += size
            self._free = now + size / self._rate
            self._signal.fire()
        if at_end:
            self.end()
        elif behind is not None:
            self.arrived()
        else:
            self._kernel.after(self._idle, self._keep_alive, now)

    def _keep_alive(self, since: float) -> None:
        """Nothing came for a while: an event without records says so."""
        if self.open and not self._pushing and self._last == since:
            self._push()
