"""The physics of an SQS standard queue: servers, copies, and times.

A message lies as copies on some of the queue's servers. A short poll asks a few servers, a long poll all; each
answers with its own oldest messages. From this follow the empty short poll, best-effort order, and, when a server is
unavailable while a message is deleted, the copy that comes back. (SQS developer guide, "Amazon
SQS short and long polling"; API reference, ReceiveMessage, DeleteMessage.)

How it stays fast (see also `base`): a server keeps its never received copies in a deque, in order, and those
that came back in a heap; an entry counts while the message's `stamp` is still the entry's.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from lablib.aws.service import Request, ServiceError, World
from lablib.kernel import Stream
from lablib.kernel.loop import check_duration
from lablib.services.sqs.base import BaseQueue
from lablib.services.sqs.message import DELAYED, GONE, SPARE, VISIBLE, Message
from lablib.services.sqs.servers import Server, Servers


class StandardQueue(BaseQueue[Message]):
    """A standard queue."""

    fifo = False

    def __init__(self, world: World, name: str, arn: str, find: Callable[[str], BaseQueue[Any] | None]) -> None:
        super().__init__(world, name, arn, find)
        self._new_id = world.chance.uuid
        self.servers = Servers(world, name, self._own)
        self._copies = int(world.quotas["sqs.copies"])
        self._most_in_flight = world.quotas["sqs.in_flight"]
        self.old_handles = bool(world.quotas["sqs.old_handles"])
        self._back_after = world.quotas["sqs.receives_before_back"]

    # ---- sending -----------------------------------------------------------------------------------------------------

    def send(self, request: Request, message: Message, size: int, delay: int) -> Message:
        self.catch_up()
        now = self.kernel.now
        message.id = self._new_id("sqs/messages")
        message.sent = now
        holders = self._place(message, request.chance)
        until = now + delay if delay else 0.0
        message.row = self.trace.add("Sent", self.name, message.id, request.caller, request.row, size, until)
        message.code = self.trace.code(message.id)
        if delay:
            message.state, message.stamp = DELAYED, 1
            self.delayed += 1
            self._schedule(message, until)
        else:
            for server in holders:
                server.never_received.append(message)
            if self.waiting:
                self._wake()
        return message

    def _place(self, message: Message, chance: Stream) -> list[Server]:
        holders = self.servers.drawn(chance, self._copies)
        if not holders:
            text = "The request has failed due to a temporary failure of the server."
            raise ServiceError("ServiceUnavailable", text, status=503, sender_fault=False)
        if self.kernel.now >= self._sampled + 1:
            self._sample()
        copies = 0
        for server in holders:
            copies |= server.bit
            if len(server.never_received) > SPARE:
                server.compact(len(self.messages))
        message.copies = copies
        self.messages[message.id] = message
        self._expire_later(message)
        return holders

    def accept_dead_letter(self, old: Message, request: Request, source: str, row: int) -> None:
        """As in every queue. A standard queue keeps the message's enqueue time."""
        self.catch_up()
        message = old.moved(source, row)
        message.sent, message.stamp = old.sent, 1
        self._place(message, request.chance)
        self._offer(message, message.sent)

    # ---- receiving ---------------------------------------------------------------------------------------------------

    def receive(
        self, request: Request, most: int, visibility: int, wait: int, attempt: str | None = None
    ) -> list[Message]:
        """As in every queue. Raises OverLimit when as many messages are in flight as may be."""
        self.catch_up()
        if self.in_flight >= self._most_in_flight:
            text = f"Too many messages are in flight: the limit is {self._most_in_flight}."
            raise ServiceError("OverLimit", text, status=403)
        messages = self._take(request, most, visibility, every=wait > 0)
        return messages if messages or wait <= 0 else self._poll(request, most, visibility, self.kernel.now + wait)

    def _ready(self) -> bool:
        return self.visible > 0

    def _before_wait(self) -> None:
        if self.visible:  # on servers that are away
            self._set_timer(self.servers.valid_until)

    def _take(self, request: Request, most: int, visibility: int, every: bool) -> list[Message]:
        """Ask servers one after the other: first each gives its share, then those that have more give the rest."""
        taken: list[Message] = []
        if len(self.messages) == self.in_flight + self.delayed or not self.servers.up:
            return taken
        self._sample()
        if most > self._most_in_flight - self.in_flight:
            most = self._most_in_flight - self.in_flight
        share = -(-most // self.servers.asked(every)) if most > 1 else 1
        asked = self.servers.shuffled(request.chance) if every else self.servers.some(request.chance)
        heard: list[Server] = []
        for server in asked:
            if (server.never_received or server.redelivered) and (message := server.oldest()):
                heard.append(server)
                left = most - len(taken)
                self._take_from(server, message, share if share < left else left, taken, request, visibility)
                if len(taken) == most or len(self.messages) == self.in_flight + self.delayed:
                    return taken
        for server in heard:
            self._take_from(server, server.oldest(), most - len(taken), taken, request, visibility)
        return taken

    def _take_from(
        self,
        server: Server,
        message: Message | None,
        most: int,
        taken: list[Message],
        request: Request,
        visibility: int,
    ) -> None:
        """Take up to `most` messages of a server whose oldest one is `message`."""
        while message and most > 0:
            if not (self.redrive and self._move_to_dlq(message, request)):
                taken.append(message)
                self._receive(message, request, visibility)
                most -= 1
            message = server.oldest() if most else None

    # ---- deleting, hiding --------------------------------------------------------------------------------------------

    def delete(self, request: Request, handle: str) -> None:
        """As in every queue. An outdated handle deletes nothing, and succeeds, unless `sqs.old_handles` is assumed.

        A copy on a server that is unavailable survives, and comes back with the server.
        """
        self.catch_up()
        id, number, message = self.find_by_handle(handle)
        if message is None:
            self.trace.add("DeleteIgnored", self.name, id, request.caller, request.row, number)
            return
        surviving = message.copies & ~self.servers.up_bits
        self.remove(message)
        message.row = self.trace.add("Deleted", self.name, message.code, request.caller, request.row, number)
        if surviving:
            message.copies = surviving
            for server in self.servers.of(surviving):
                server.deleted_while_down[id] = message
                self._note_outage(server)

    def oldest(self) -> Message | None:
        self.catch_up()
        return min((m for m in (s.oldest() for s in self.servers.up) if m), key=lambda m: m.sent, default=None)

    def remove(self, message: Message) -> None:
        """Remove a message, with all its copies."""
        super().remove(message)
        message.copies = 0

    def clear(self) -> int:
        """Remove every message. Returns how many there were."""
        for server in self.servers.all:
            server.clear()
        return super().clear()

    # ---- what happens by itself --------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """As in every queue. Servers may also have gone or returned."""
        now = self.kernel.now
        if now >= self._timer_at:
            self._run_due()
        if now >= self.servers.valid_until:
            self.servers.refresh()

    def _run_due(self) -> None:
        if self.kernel.now >= self.servers.valid_until:
            self.servers.refresh()
        super()._run_due()

    def _on_due(self, what: Message | Server) -> None:
        if isinstance(what, Server):
            self._server_returns(what)
        else:
            self._show(what)

    def _make_visible(self, message: Message) -> None:
        rank = message.sent
        if message.receives >= self._back_after:
            message.row = self.trace.add("MovedToBack", self.name, message.id, "", message.row, message.receives)
            rank = self.kernel.now
        self._offer(message, rank)

    def _offer(self, message: Message, rank: float) -> None:
        """Put a message back on the servers that have copies of it, among the others by `rank`."""
        for server in self.servers.of(message.copies):
            self._serial += 1
            heapq.heappush(server.redelivered, (rank, self._serial, message.stamp, message))
            server.compact(len(self.messages))
        self._wake()

    # ---- servers -----------------------------------------------------------------------------------------------------

    @property
    def reachable(self) -> bool:
        """Is any of its servers there?"""
        self.catch_up()
        return bool(self.servers.up)

    def make_unavailable(self, server: int, seconds: float) -> None:
        """Make a server unavailable for `seconds` from now: it answers no poll and misses deletes.

        `server` is a number from 1. Raises ValueError when the queue has no such server, or for a negative duration.
        """
        servers = self.servers.all
        if not 1 <= server <= len(servers):
            raise ValueError(f"server={server!r}: must be from 1 to {len(servers)}")
        check_duration("seconds", seconds)
        self.catch_up()
        self.servers.take_down(servers[server - 1], self.kernel.now + seconds)
        self._note_outage(servers[server - 1])

    def _note_outage(self, server: Server) -> None:
        """Record that a server is unavailable, and until when. Outages that affect no message are not recorded."""
        if server.row < 0:
            server.row = self.trace.add("ServerUnavailable", self.name, detail=server.number, until=server.down_until)
            self._schedule(server, server.down_until)

    def _server_returns(self, server: Server) -> None:
        self.trace.add("ServerAvailable", self.name, cause=server.row, detail=server.number)
        server.row = -1
        copies, server.deleted_while_down = server.deleted_while_down, {}
        for message in copies.values():
            expired = message.sent + self.retention <= self.kernel.now
            if message.copies & server.bit and message.state == GONE and not expired:
                self._return_copy(message, server)

    def _return_copy(self, message: Message, server: Server) -> None:
        message.row = self.trace.add("CopyReturned", self.name, message.id, "", message.row, server.number)
        message.state = VISIBLE
        message.stamp += 1
        self.messages[message.id] = message
        self._expire_later(message)
        self._offer(message, message.sent)
