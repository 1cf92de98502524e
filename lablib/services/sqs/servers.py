"""The servers of a standard queue, and the copies of messages on them.

How many servers a queue has, how many copies a message, how many servers a short poll asks, and how often one is
away, AWS does not say: all four are assumptions of the model.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from lablib.aws.service import World
from lablib.kernel import Stream, exponential
from lablib.services.sqs.message import NEVER, SPARE, Message


@dataclass(eq=False, slots=True)
class Server:
    """One of a queue's servers; the first is number 1. `weight` is how likely a short poll asks it."""

    number: int
    weight: float
    stream: Stream
    never_received: deque[Message] = field(default_factory=deque)  # in the order in which they were sent
    redelivered: list[tuple[float, int, int, Message]] = field(default_factory=list)  # a heap: rank, tie-breaker, stamp
    deleted_while_down: dict[str, Message] = field(default_factory=dict)
    bit: int = 0
    down_from: float = 0.0
    down_until: float = 0.0
    stamp: int = 0  # changes when the end of an outage is moved
    row: int = -1  # the row ServerUnavailable of this outage, once something depends on it

    def __post_init__(self) -> None:
        self.bit = 1 << (self.number - 1)

    def oldest(self) -> Message | None:
        """The oldest available message of which this server has a copy."""
        new, again = self.never_received, self.redelivered
        while new and new[0].stamp:
            new.popleft()
        while again and again[0][3].stamp != again[0][2]:
            heapq.heappop(again)
        if not again:
            return new[0] if new else None
        return new[0] if new and new[0].sent <= again[0][0] else again[0][3]

    def compact(self, alive: int) -> None:
        """Drop dead entries when they outnumber the live ones, of which there are at most `alive`."""
        if len(self.never_received) > 2 * alive + SPARE:
            self.never_received = deque(message for message in self.never_received if not message.stamp)
        if len(self.redelivered) > 2 * alive + SPARE:
            self.redelivered = [entry for entry in self.redelivered if entry[3].stamp == entry[2]]
            heapq.heapify(self.redelivered)

    def clear(self) -> None:
        """Remove every copy."""
        self.never_received.clear()
        self.redelivered.clear()
        self.deleted_while_down.clear()


class Servers:
    """The servers of one queue; `up` are those that are available, until `valid_until`: then call `refresh`.

    Outages are drawn when they are asked for, from a stream a server: no timer runs, and no queue disturbs another.
    """

    def __init__(self, world: World, queue: str, own: Stream) -> None:
        quotas, self._kernel = world.quotas, world.kernel
        per_hour = quotas["sqs.outages_per_hour"]
        self._gap = exponential(3600 / per_hour) if per_hour else None
        self._outage = exponential(quotas["sqs.outage_seconds"])
        self._asked = int(quotas["sqs.servers_asked"])
        self.all = [
            Server(n, own.uniform(0.5, 1.5), world.chance.stream(f"sqs/{queue}/server-{n}"))
            for n in range(1, int(quotas["sqs.servers"]) + 1)
        ]
        for server in self.all:
            server.down_from = server.down_until = world.kernel.now
        self.refresh()

    def refresh(self) -> None:
        """Find out which servers are available now, and until when that holds."""
        now = self._kernel.now
        for server in self.all:
            while server.down_until <= now:
                self._next_outage(server)
        self.up = [server for server in self.all if server.down_from > now]
        self.up_bits = sum(server.bit for server in self.up)
        self._weights = [server.weight for server in self.up]
        self.valid_until = min(s.down_from if s.down_from > now else s.down_until for s in self.all)

    def _next_outage(self, server: Server) -> None:
        if self._gap is None:
            server.down_from = server.down_until = NEVER
        else:
            server.down_from = server.down_until + server.stream.draw(self._gap)
            server.down_until = server.down_from + server.stream.draw(self._outage)

    def take_down(self, server: Server, until: float) -> None:
        """Make a server unavailable from now until then, or longer when it is so already."""
        now = self._kernel.now
        if server.down_from > now:
            server.down_from = server.down_until = now
        server.down_until = max(server.down_until, until)
        server.stamp += 1
        server.row = -1
        self.refresh()

    def asked(self, every: bool) -> int:
        """How many servers a poll asks: a long poll every one that is there."""
        return len(self.up) if every else min(self._asked, len(self.up))

    def some(self, chance: Stream) -> Iterator[Server]:
        """The servers that a short poll asks: a few, drawn by their weights."""
        return (self.up[i] for i in chance.sample(self._weights, self._asked))

    def shuffled(self, chance: Stream) -> Iterator[Server]:
        """All available servers in random order, drawn one by one as they are asked for."""
        servers, random = self.up.copy(), chance.random
        left = len(servers)
        while left:
            i = int(random() * left)
            yield servers[i]
            left -= 1
            servers[i] = servers[left]

    def drawn(self, chance: Stream, k: int) -> list[Server]:
        """`k` different servers that are there, or all when there are fewer; each as likely as any other."""
        up, random = self.up, chance.random
        if k == 2 and len(up) > 2:  # the usual case, without a copy of the list
            i, j = int(random() * len(up)), int(random() * (len(up) - 1))
            return [up[i], up[j + (j >= i)]]
        servers = self.shuffled(chance)
        return [server for server, _ in zip(servers, range(k), strict=False)]

    def of(self, copies: int) -> list[Server]:
        """The servers whose bits are set."""
        return [server for server in self.all if copies & server.bit]
