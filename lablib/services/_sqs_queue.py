"""The physics of an SQS standard queue: servers, copies, and times.

A message lies as copies on some of the queue's servers. A short poll asks a few servers, a long poll all; each
answers from its own oldest, in an order that nobody controls. From this follow the empty short poll, best-effort
order, and, when a server is away while a message is deleted, the copy that comes back. (SQS developer guide, "Amazon
SQS short and long polling"; API reference, ReceiveMessage, DeleteMessage.)

How it stays fast. Nothing looks at all messages. A server keeps its never received copies in a deque, in order, and
those that came back in a heap; an entry counts while the message's `stamp` is still the entry's, else it is dropped
when met. Whatever will happen by itself (a visibility timeout or delay ends, a message expires, a server returns) is
a time; one kernel timer stands at the earliest. A container in which dead entries outnumber the live ones is cleaned.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import NamedTuple
from zlib import crc32

from lablib.kernel import Signal, Stream, Timer
from lablib.kernel.loop import check_duration
from lablib.services._base import Call, ServiceError, World
from lablib.services._sqs_attributes import (
    Document,
    RedrivePolicy,
    bad_value,
    no_such_queue,
    parse_redrive_policy,
    sqs_error,
)
from lablib.services._sqs_servers import DELAYED, GONE, IN_FLIGHT, NEVER, SPARE, VISIBLE, Fleet, Message, Server


class Counts(NamedTuple):
    """How many messages a queue holds: available, in flight, delayed."""

    visible: int
    in_flight: int
    delayed: int


class Queue:
    """A standard queue. Times are virtual seconds; `find` gives the queue with some ARN, for dead-letter queues."""

    def __init__(self, world: World, name: str, arn: str, find: Callable[[str], Queue | None]) -> None:
        self.world = world
        self.kernel = world.kernel
        self.trace = world.trace
        self.name = name
        self.arn = arn
        self.find = find
        self.attributes: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.created = self.modified = world.kernel.now
        self.purged = -NEVER
        self.deleted = False
        self.messages: dict[str, Message] = {}
        self.in_flight = 0
        self.delayed = 0
        self.waiting: deque[Signal] = deque()
        self._expiring: deque[Message] = deque()  # in the order in which they were sent
        self._expiring_late: list[tuple[float, int, Message]] = []  # came with an older enqueue time
        self._due: list[tuple[float, int, Message | Server, int]] = []  # time, tie-breaker, what, its stamp
        self._tick = 0
        self._timer: Timer | None = None
        self._alarm = NEVER  # when the timer will ring
        self._history: deque[tuple[float, Counts]] = deque(maxlen=SPARE)  # counts until that time
        self._sampled = -NEVER
        own = world.chance.stream(f"sqs/{name}")
        self._salt = own.integer(1 << 32)
        self.fleet = Fleet(world, name, own)
        self._copies = int(world.figures["sqs.copies"])
        self._most_in_flight = world.figures["sqs.in_flight"]
        self._back_after = world.figures["sqs.receives_before_back"]

    def configure(self, attributes: dict[str, str]) -> None:
        """Take over attributes that were checked; an empty value removes one."""
        merged = self.attributes | attributes
        self.attributes = {name: value for name, value in merged.items() if value}
        number = {name: int(value) for name, value in self.attributes.items() if value.isdecimal()}
        self.delay = number["DelaySeconds"]
        self.message_size = number["MaximumMessageSize"]
        self.retention = number["MessageRetentionPeriod"]
        self.wait = number["ReceiveMessageWaitTimeSeconds"]
        self.visibility = number["VisibilityTimeout"]
        self.redrive: RedrivePolicy | None = parse_redrive_policy(self.attributes.get("RedrivePolicy"))
        self.modified = self.kernel.now
        self._rearm()

    @property
    def visible(self) -> int:
        """How many messages could be received now, if every server were there."""
        return len(self.messages) - self.in_flight - self.delayed

    # ---- sending -----------------------------------------------------------------------------------------------------

    def send(
        self, call: Call, body: str, size: int, delay: int, attributes: Document | None = None, trace_header: str = ""
    ) -> Message:
        """Store a new message of `size` bytes, hidden for `delay` seconds. Raises ServiceUnavailable."""
        self._settle()
        now = self.kernel.now
        message = Message(self.world.chance.uuid("sqs/messages"), body, now, call.caller, attributes, trace_header)
        holders = self._place(message, call.chance)
        until = now + delay if delay else 0.0
        message.row = self.trace.add("Sent", self.name, message.id, call.caller, call.row, size, until)
        if delay:
            message.state, message.stamp = DELAYED, 1
            self.delayed += 1
            self._due_later(message, until)
        else:
            for server in holders:
                server.fresh.append(message)
            self._wake()
        return message

    def _place(self, message: Message, chance: Stream) -> list[Server]:
        holders = self.fleet.drawn(chance, self._copies)
        if not holders:
            text = "The request has failed due to a temporary failure of the server."
            raise ServiceError("ServiceUnavailable", text, status=503, sender_fault=False)
        self._sample()
        for server in holders:
            message.copies |= server.bit
            if len(server.fresh) > SPARE:
                server.tidy(len(self.messages))
        self.messages[message.id] = message
        self._expire_later(message)
        return holders

    def adopt(self, old: Message, call: Call, source: str, row: int) -> None:
        """Take a message that the queue `source` gave up: a dead-letter queue keeps its id and its enqueue time.

        Its receive count goes on (assumed: AWS does not write it down).
        """
        self._settle()
        message = Message(old.id, old.body, old.sent, old.sender, old.attributes, old.trace_header)
        message.receives, message.first, message.received = old.receives, old.first, old.received
        message.source, message.stamp, message.row = source, 1, row
        self._place(message, call.chance)
        self._offer(message, message.sent)

    # ---- receiving ---------------------------------------------------------------------------------------------------

    def receive(self, call: Call, most: int, visibility: int, wait: int) -> list[Message]:
        """Up to `most` messages, hidden for `visibility` seconds; blocks up to `wait` seconds while there are none.

        Raises OverLimit when as many messages are in flight as may be, QueueDoesNotExist when it is deleted meanwhile.
        """
        self._settle()
        if self.in_flight >= self._most_in_flight:
            text = f"Too many messages are in flight: the limit is {self._most_in_flight}."
            raise ServiceError("OverLimit", text, status=403)
        messages = self._take(call, most, visibility, every=wait > 0)
        return messages if messages or wait <= 0 else self._poll(call, most, visibility, self.kernel.now + wait)

    def _poll(self, call: Call, most: int, visibility: int, deadline: float) -> list[Message]:
        """Wait in line. The first in line is woken; when it leaves, for whatever reason, it wakes the next."""
        signal = Signal(self.kernel)
        self.waiting.append(signal)
        try:
            while (left := deadline - self.kernel.now) > 0:
                if self.visible:  # on servers that are away
                    self._arm(self.fleet.changes)
                self.kernel.wait(signal, left)
                if self.deleted:
                    raise no_such_queue()
                self._settle()
                messages = self._take(call, most, visibility, every=True)
                if messages:
                    return messages
            return []
        finally:
            self.waiting.remove(signal)
            self._wake()

    def _wake(self) -> None:
        if self.waiting and self.visible:
            self.waiting[0].fire()

    def _take(self, call: Call, most: int, visibility: int, every: bool) -> list[Message]:
        """Ask servers one after the other: first each gives its share, then those that have more fill up."""
        taken: list[Message] = []
        if not (self.visible and self.fleet.up):
            return taken
        self._sample()
        most = min(most, self._most_in_flight - self.in_flight)
        share = -(-most // self.fleet.asked(every))
        asked = self.fleet.shuffled(call.chance) if every else self.fleet.some(call.chance)
        heard: list[Server] = []
        for server in asked:
            if server.oldest():
                heard.append(server)
                self._take_from(server, min(share, most - len(taken)), taken, call, visibility)
                if len(taken) == most or not self.visible:
                    return taken
        for server in heard:
            self._take_from(server, most - len(taken), taken, call, visibility)
        return taken

    def _take_from(self, server: Server, most: int, taken: list[Message], call: Call, visibility: int) -> None:
        while most > 0 and (message := server.oldest()):
            if self.redrive and message.receives >= self.redrive.max_receive_count and self._bury(message, call):
                continue
            taken.append(message)
            self._hand_out(message, call, visibility)
            most -= 1

    def _hand_out(self, message: Message, call: Call, visibility: int) -> None:
        now = self.kernel.now
        message.state = IN_FLIGHT
        message.stamp += 1
        message.receives += 1
        message.received = now
        if message.receives == 1:
            message.first = now
        self.in_flight += 1
        until = now + visibility
        message.row = self.trace.add("Received", self.name, message.id, call.caller, call.row, message.receives, until)
        self._due_later(message, until)

    def _bury(self, message: Message, call: Call) -> bool:
        """Move a message to the dead-letter queue. False when that queue is gone: then it is received as ever."""
        grave = self.find(self.redrive.target) if self.redrive else None
        if grave is None or grave is self or not grave.reachable:
            return False
        self.remove(message)
        row = self.trace.add("MovedToDeadLetterQueue", self.name, message.id, call.caller, call.row, grave.name)
        grave.adopt(message, call, self.arn, row)
        return True

    # ---- deleting, hiding --------------------------------------------------------------------------------------------

    def delete(self, call: Call, handle: str) -> None:
        """Delete the message that this receipt handle stands for. An outdated handle deletes nothing, and succeeds.

        A copy on a server that is away survives, and comes back with the server. Raises ReceiptHandleIsInvalid.
        """
        self._settle()
        id, number = self.read_handle(handle)
        message = self.messages.get(id)
        if message is None or message.receives != number:
            self.trace.add("DeleteIgnored", self.name, id, call.caller, call.row, number)
            return
        surviving = message.copies & ~self.fleet.up_bits
        self.remove(message)
        message.row = self.trace.add("Deleted", self.name, id, call.caller, call.row, number)
        if surviving:
            message.copies = surviving
            for server in self.fleet.of(surviving):
                server.ghosts[id] = message
                self._note_outage(server)

    def change_visibility(self, call: Call, handle: str, timeout: int) -> None:
        """Hide a message for `timeout` seconds from now; 0 shows it at once. Not remembered for its next receive.

        Raises ReceiptHandleIsInvalid, MessageNotInflight, and InvalidParameterValue for an outdated handle or when the
        message would be hidden for more than 12 hours since it was received. To show a message that is visible already
        succeeds (recorded from AWS).
        """
        self._settle()
        id, number = self.read_handle(handle)
        message = self.messages.get(id)
        if message is None or message.receives != number:
            gone = "Message does not exist or is not available for visibility timeout change."
            raise bad_value(handle, "ReceiptHandle", gone)
        if message.state != IN_FLIGHT:
            if timeout == 0:
                return
            raise sqs_error("MessageNotInflight", "The specified message isn't in flight.")
        now, longest = self.kernel.now, self.world.figures["sqs.visibility_max"]
        if now - message.received + timeout > longest:
            total = f"Total VisibilityTimeout for the message is beyond the limit [{longest} seconds]"
            raise bad_value(handle, "ReceiptHandle", total)
        message.stamp += 1
        until = now + timeout
        message.row = self.trace.add("VisibilityChanged", self.name, id, call.caller, call.row, timeout, until)
        self._due_later(message, until)

    def oldest(self) -> Message | None:
        """The message that was sent first among those that are available; None when none can be had."""
        self._settle()
        return min((m for m in (s.oldest() for s in self.fleet.up) if m), key=lambda m: m.sent, default=None)

    def remove(self, message: Message) -> None:
        """Give up a message, with all its copies."""
        self._sample()
        if message.state == IN_FLIGHT:
            self.in_flight -= 1
        elif message.state == DELAYED:
            self.delayed -= 1
        message.state = GONE
        message.stamp += 1
        message.copies = 0
        del self.messages[message.id]
        self._next_to_expire()

    def clear(self) -> int:
        """Remove every message. Returns how many there were."""
        self._sample()
        count = len(self.messages)
        self.messages.clear()
        self.in_flight = self.delayed = 0
        self._expiring.clear()
        self._expiring_late.clear()
        self._due = [entry for entry in self._due if isinstance(entry[2], Server)]
        heapq.heapify(self._due)
        for server in self.fleet.servers:
            server.clear()
        return count

    def close(self) -> None:
        """The queue is deleted: whoever waits for a message learns it now."""
        self.deleted = True
        self.clear()
        self._due.clear()
        for signal in self.waiting:
            signal.fire()

    # ---- receipt handles ---------------------------------------------------------------------------------------------

    def handle(self, message: Message) -> str:
        """The receipt handle of a message's latest receive."""
        text = f"{message.id}{message.receives}"
        return f"AQEB{crc32(text.encode(), self._salt):08x}{text}"

    def read_handle(self, handle: str) -> tuple[str, int]:
        """The message's id and the number of the receive. Raises ReceiptHandleIsInvalid for a made-up one."""
        text = handle[12:]
        if handle[:12] != f"AQEB{crc32(text.encode(), self._salt):08x}":
            raise ServiceError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
        return text[:36], int(text[36:])

    # ---- what happens by itself --------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Let everything happen whose time has come: who was first at this instant must not decide the answer."""
        now = self.kernel.now
        if now >= self._alarm:
            self._happen()
        if now >= self.fleet.changes:
            self.fleet.look()

    def _happen(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer, self._alarm = None, NEVER
        if self.deleted:
            return
        self._sample()
        now, due = self.kernel.now, self._due
        while due and (due[0][0] <= now or due[0][2].stamp != due[0][3]):
            _, _, what, stamp = heapq.heappop(due)
            if what.stamp == stamp:
                if isinstance(what, Message):
                    self._show(what)
                else:
                    self._server_returns(what)
        while (message := self._next_to_expire()) and message.sent + self.retention <= now:
            self.remove(message)
            self.trace.add("Expired", self.name, message.id, "", message.row)
        if now >= self.fleet.changes:
            self.fleet.look()
        self._wake()
        self._rearm()

    def _rearm(self) -> None:
        if self._due:
            self._arm(self._due[0][0])
        if message := self._next_to_expire():
            self._arm(message.sent + self.retention)

    def _arm(self, time: float) -> None:
        """Make the timer ring at `time`, or earlier."""
        if time < self._alarm and not self.deleted:
            if self._timer:
                self._timer.cancel()
            self._alarm = max(time, self.kernel.now)
            self._timer = self.kernel.at(self._alarm, self._happen)

    def _due_later(self, what: Message | Server, time: float) -> None:
        due = self._due
        self._tick += 1
        heapq.heappush(due, (time, self._tick, what, what.stamp))
        if len(due) > 2 * (self.in_flight + self.delayed) + SPARE:
            due[:] = [entry for entry in due if entry[2].stamp == entry[3]]
            heapq.heapify(due)
        self._arm(time)

    def _show(self, message: Message) -> None:
        """A delay or a visibility timeout has ended."""
        if message.state == DELAYED:
            self.delayed -= 1
        else:
            self.in_flight -= 1
        message.state = VISIBLE
        message.stamp += 1
        message.row = self.trace.add("BecameVisible", self.name, message.id, "", message.row)
        rank = message.sent
        if message.receives >= self._back_after:
            message.row = self.trace.add("MovedToBack", self.name, message.id, "", message.row, message.receives)
            rank = self.kernel.now
        self._offer(message, rank)

    def _offer(self, message: Message, rank: float) -> None:
        """Put a message back on the servers that have copies of it, among the others by `rank`."""
        for server in self.fleet.of(message.copies):
            self._tick += 1
            heapq.heappush(server.returned, (rank, self._tick, message.stamp, message))
            server.tidy(len(self.messages))
        self._wake()

    def _expire_later(self, message: Message) -> None:
        expiring = self._expiring
        if not expiring or expiring[-1].sent <= message.sent:
            expiring.append(message)
        else:
            self._tick += 1
            heapq.heappush(self._expiring_late, (message.sent, self._tick, message))
        if len(expiring) > 2 * len(self.messages) + SPARE:
            self._expiring = deque(m for m in expiring if m.state != GONE)
        self._arm(message.sent + self.retention)

    def _next_to_expire(self) -> Message | None:
        expiring, late = self._expiring, self._expiring_late
        while expiring and expiring[0].state == GONE:
            expiring.popleft()
        while late and late[0][2].state == GONE:
            heapq.heappop(late)
        if late and (not expiring or late[0][0] < expiring[0].sent):
            return late[0][2]
        return expiring[0] if expiring else None

    # ---- servers -----------------------------------------------------------------------------------------------------

    @property
    def reachable(self) -> bool:
        """Is any of its servers there?"""
        self._settle()
        return bool(self.fleet.up)

    def make_unavailable(self, server: int, seconds: float) -> None:
        """Make a server unavailable for `seconds` from now: nobody can ask it, and it hears of no delete.

        `server` is a number from 1. Raises ValueError when the queue has no such server, or for a negative duration.
        """
        servers = self.fleet.servers
        if not 1 <= server <= len(servers):
            raise ValueError(f"server={server!r}: must be from 1 to {len(servers)}")
        check_duration("seconds", seconds)
        self._settle()
        self.fleet.take_down(servers[server - 1], self.kernel.now + seconds)
        self._note_outage(servers[server - 1])

    def _note_outage(self, server: Server) -> None:
        """Write down that a server is away, and when it returns. Outages on which nothing depends are not noted."""
        if server.row < 0:
            server.row = self.trace.add("ServerUnavailable", self.name, detail=server.number, until=server.down_until)
            self._due_later(server, server.down_until)

    def _server_returns(self, server: Server) -> None:
        self.trace.add("ServerAvailable", self.name, cause=server.row, detail=server.number)
        server.row = -1
        ghosts, server.ghosts = server.ghosts, {}
        for message in ghosts.values():
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

    # ---- counters ----------------------------------------------------------------------------------------------------

    def counts(self, lag: float = 0.0) -> Counts:
        """How many messages there were `lag` seconds ago, to about a second; 0 is exact."""
        self._settle()
        then = self.kernel.now - lag
        for time, counts in self._history if lag else ():
            if time > then:
                return counts
        return Counts(self.visible, self.in_flight, self.delayed)

    def _sample(self) -> None:
        """Called before the counts change: remember them, at most once a second."""
        now = self.kernel.now
        if now - self._sampled >= 1.0:
            self._sampled = now
            self._history.append((now, Counts(self.visible, self.in_flight, self.delayed)))
