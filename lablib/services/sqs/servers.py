"""Messages, and the servers that keep copies of them.

How many servers a queue has, how many copies a message, how many servers a short poll asks, and how often one is
away, AWS does not say: all four are assumptions of the model.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from lablib.aws.service import World
from lablib.kernel import Stream, exponential
from lablib.services.sqs.attributes import Document, md5_of_attributes, md5_of_body, select_attributes

VISIBLE, DELAYED, IN_FLIGHT, GONE = range(4)
NEVER = float("inf")
SPARE = 64  # dead entries that a container may hold before it is cleaned


class Message:
    """A message. `stamp` changes with its state and makes older entries about it dead; `copies` has a bit a server."""

    __slots__ = (
        "attributes",
        "body",
        "code",
        "copies",
        "digest",
        "first",
        "handle",
        "id",
        "received",
        "receives",
        "row",
        "sender",
        "sent",
        "source",
        "stamp",
        "state",
        "trace_header",
    )

    def __init__(
        self, id: str, body: str, sent: float, sender: str, attributes: Document | None, trace_header: str
    ) -> None:
        self.id = id
        self.body = body
        self.attributes = attributes  # None when there are none, as is usual
        self.digest = ""  # MD5OfMessageAttributes, when it has some
        self.trace_header = trace_header
        self.sender = sender
        self.sent = sent
        self.source = ""  # the ARN of the queue that gave it to this dead-letter queue
        self.state = VISIBLE
        self.stamp = 0  # 0: not received yet, and not delayed
        self.copies = 0
        self.receives = 0
        self.first = sent  # when it was first received
        self.received = sent  # when it was last received
        self.row = -1  # its latest row in the trace
        self.code: str | int = id  # the number of its id in the trace, once it is known there
        self.handle = ""  # of its latest receive; empty when nobody has asked for it

    def system_attributes(self, epoch: float) -> dict[str, str]:
        """What a receiver can ask for besides the body, by its name; empty where there is nothing."""
        return {
            "SenderId": f"AROALABROLEFORPROCESS:{self.sender}",  # role id and session, as for a program on EC2
            "SentTimestamp": str(int((epoch + self.sent) * 1000)),
            "ApproximateReceiveCount": str(self.receives),
            "ApproximateFirstReceiveTimestamp": str(int((epoch + self.first) * 1000)),
            "AWSTraceHeader": self.trace_header,
            "DeadLetterQueueSourceArn": self.source,
        }

    def document(self, handle: str, epoch: float, system: list[str], own: list[str] | None) -> Document:
        """The message as ReceiveMessage answers it, with the attributes that were asked for: SQS's and its own."""
        document: Document = {
            "MessageId": self.id,
            "ReceiptHandle": handle,
            "MD5OfBody": md5_of_body(self.body),
            "Body": self.body,
        }
        if system:
            values = self.system_attributes(epoch)
            chosen = {name: value for name, value in values.items() if value and ("All" in system or name in system)}
            if chosen:
                document["Attributes"] = chosen
        if own and self.attributes:
            attributes = select_attributes(self.attributes, own)
            if attributes:
                document["MessageAttributes"] = attributes
                all_of_them = len(attributes) == len(self.attributes) and self.digest
                document["MD5OfMessageAttributes"] = all_of_them or md5_of_attributes(attributes)
        return document


class Server:
    """One of a queue's servers; the first is number 1. It knows its copies and when it is away."""

    __slots__ = (
        "bit",
        "down_from",
        "down_until",
        "fresh",
        "ghosts",
        "number",
        "returned",
        "row",
        "stamp",
        "stream",
        "weight",
    )

    def __init__(self, number: int, weight: float, stream: Stream) -> None:
        self.number = number
        self.bit = 1 << (number - 1)
        self.weight = weight  # how likely a short poll asks it
        self.stream = stream
        self.fresh: deque[Message] = deque()  # in the order in which they were sent
        self.returned: list[tuple[float, int, int, Message]] = []  # a heap: rank, tie-breaker, stamp, message
        self.ghosts: dict[str, Message] = {}  # deleted while this server was away
        self.down_from = self.down_until = 0.0
        self.stamp = 0  # changes when the end of an outage is moved
        self.row = -1  # the row ServerUnavailable of this outage, once something depends on it

    def oldest(self) -> Message | None:
        """The oldest available message of which this server has a copy."""
        fresh, returned = self.fresh, self.returned
        while fresh and fresh[0].stamp:
            fresh.popleft()
        while returned and returned[0][3].stamp != returned[0][2]:
            heapq.heappop(returned)
        if not returned:
            return fresh[0] if fresh else None
        return fresh[0] if fresh and fresh[0].sent <= returned[0][0] else returned[0][3]

    def tidy(self, alive: int) -> None:
        """Drop dead entries when they outnumber the live ones, of which there are at most `alive`."""
        if len(self.fresh) > 2 * alive + SPARE:
            self.fresh = deque(message for message in self.fresh if not message.stamp)
        if len(self.returned) > 2 * alive + SPARE:
            self.returned = [entry for entry in self.returned if entry[3].stamp == entry[2]]
            heapq.heapify(self.returned)

    def clear(self) -> None:
        """Forget every copy."""
        self.fresh.clear()
        self.returned.clear()
        self.ghosts.clear()


class Fleet:
    """The servers of one queue, and which of them are there. `up` holds until `changes`; then call `look`.

    Outages are drawn when they are asked for, from a stream a server: no timer runs, and no queue disturbs another.
    """

    def __init__(self, world: World, queue: str, own: Stream) -> None:
        quotas, self._kernel = world.quotas, world.kernel
        per_hour = quotas["sqs.outages_per_hour"]
        self._gap = exponential(3600 / per_hour) if per_hour else None
        self._outage = exponential(quotas["sqs.outage_seconds"])
        self._asked = int(quotas["sqs.servers_asked"])
        self.servers = [
            Server(n, own.uniform(0.5, 1.5), world.chance.stream(f"sqs/{queue}/server-{n}"))
            for n in range(1, int(quotas["sqs.servers"]) + 1)
        ]
        for server in self.servers:
            server.down_from = server.down_until = world.kernel.now
        self.look()

    def look(self) -> None:
        """Bring up to date which servers are there, and until when that holds."""
        now = self._kernel.now
        for server in self.servers:
            while server.down_until <= now:
                self._next_outage(server)
        self.up = [server for server in self.servers if server.down_from > now]
        self.up_bits = sum(server.bit for server in self.up)
        self._weights = [server.weight for server in self.up]
        self.changes = min(s.down_from if s.down_from > now else s.down_until for s in self.servers)

    def _next_outage(self, server: Server) -> None:
        if self._gap is None:
            server.down_from = server.down_until = NEVER
        else:
            server.down_from = server.down_until + server.stream.draw(self._gap)
            server.down_until = server.down_from + server.stream.draw(self._outage)

    def take_down(self, server: Server, until: float) -> None:
        """Let a server be away from now until then, or longer when it is away already."""
        now = self._kernel.now
        if server.down_from > now:
            server.down_from = server.down_until = now
        server.down_until = max(server.down_until, until)
        server.stamp += 1
        server.row = -1
        self.look()

    def asked(self, every: bool) -> int:
        """How many servers a poll asks: a long poll every one that is there."""
        return len(self.up) if every else min(self._asked, len(self.up))

    def some(self, chance: Stream) -> Iterator[Server]:
        """The servers that a short poll asks: a few, drawn by their weights."""
        return (self.up[i] for i in chance.sample(self._weights, self._asked))

    def shuffled(self, chance: Stream) -> Iterator[Server]:
        """All servers that are there in random order, drawn as far as somebody looks."""
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
        return [server for server in self.servers if copies & server.bit]
