"""The physics of an SQS FIFO queue: message groups, their order and their locks.

Within a group messages are handed out in the order in which they were sent. While one is in flight, the messages of its
group behind it wait, those in front of it do not; other groups flow. A receive takes as many messages of one group as
it can, then those of the next: groups take turns, in the order in which they became free (recorded from AWS: a group
that was just served comes after one that was not). Only the first messages of the queue are searched for groups that
are free. (SQS developer guide, "FIFO queue delivery logic", "Avoiding a large backlog with the same message group ID";
API reference, ReceiveMessage. What a change of visibility frees was recorded from AWS.)

How it stays fast (see also `base`): each group has its messages in a deque; all that were ever received are the
first few of it. The first messages of free groups are in a line; an entry counts until that message is received: once
the first of its group, it stays that until it goes. Messages behind the searched ones are in no group yet. No copies,
no servers: AWS promises that a FIFO queue adds no duplicates.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection

from lablib.aws.deduplication import Deduplication
from lablib.aws.messages import content_id
from lablib.aws.service import Request, World
from lablib.services.sqs.base import AnyQueue, BaseQueue
from lablib.services.sqs.errors import bad_value, needs_deduplication_id
from lablib.services.sqs.fifo_memory import Attempts, Throughput
from lablib.services.sqs.message import DELAYED, GONE, IN_FLIGHT, VISIBLE, Message

_FIRST_SEQUENCE = 18_850_000_000_000_000_000  # AWS's sequence numbers have 20 digits


class FifoMessage(Message):
    """A message of a FIFO queue. `group` is None while it is delayed, or behind the messages that are searched."""

    __slots__ = ("group", "sequence")

    group: Group | None
    sequence: int

    def system_attributes(self, epoch: float) -> dict[str, str]:
        return super().system_attributes(epoch) | {
            "MessageGroupId": self.group_id,
            "MessageDeduplicationId": self.deduplication_id,
            "SequenceNumber": str(self.sequence),
        }


class Group:
    """A message group: those of its messages that can be or were received, in order."""

    __slots__ = ("id", "line", "offered")

    def __init__(self, id: str) -> None:
        self.id = id
        self.line: deque[FifoMessage] = deque()
        self.offered: tuple[FifoMessage, int] | None = None  # its latest entry in the line of free groups

    def blocker(self, message: FifoMessage) -> FifoMessage | None:
        """The first message in flight in front of this one."""
        for other in self.line:
            if other is message:
                break
            if other.state == IN_FLIGHT:
                return other
        return None


class FifoQueue(BaseQueue[FifoMessage]):
    """A FIFO queue."""

    fifo, new_message = True, FifoMessage

    def __init__(self, world: World, name: str, arn: str, find: Callable[[str], AnyQueue | None]) -> None:
        super().__init__(world, name, arn, find)
        self.groups: dict[str, Group] = {}
        self._free: deque[tuple[FifoMessage, int]] = deque()  # first messages of free groups and their stamps, by turns
        self._inside = 0  # how many messages are searched
        self._beyond: deque[FifoMessage] = deque()  # those behind them
        self._window = world.quotas["sqs.fifo_window"]
        self._most_in_flight = world.quotas["sqs.fifo_in_flight"]
        self._sequence = _FIRST_SEQUENCE
        self._deduplication: Deduplication[FifoMessage] = Deduplication(world)
        self._attempts: Attempts[FifoMessage] = Attempts(world)
        self._throughput = Throughput(world, name)

    def configure(self, attributes: dict[str, str]) -> None:
        """As every queue. A new delay also holds for the messages that are delayed now (SQS developer guide)."""
        super().configure(attributes)
        own = self.attributes
        self.content_based = own["ContentBasedDeduplication"] == "true"
        self.group_scope = own["DeduplicationScope"] == "messageGroup"
        self._throughput.choose(self.group_scope and own["FifoThroughputLimit"] == "perMessageGroupId")
        if "DelaySeconds" in attributes and self.delayed:
            for message in self.messages.values():
                if message.state == DELAYED:
                    message.stamp += 1
                    self._schedule(message, message.sent + self.delay)

    def throttle(self, request: Request, action: str, groups: Collection[str] = ()) -> None:
        self._throughput.check(request, action, groups)

    # ---- sending -----------------------------------------------------------------------------------------------------

    def send(self, request: Request, message: FifoMessage, size: int, delay: int) -> FifoMessage:
        """Store a new message, or return the one that this send repeats. The queue alone decides about delays.

        Raises InvalidParameterValue without a deduplication id where the queue does not compute one from the body.
        """
        self.catch_up()
        if not message.deduplication_id:
            if not self.content_based:
                raise needs_deduplication_id()
            message.deduplication_id = content_id(message.body)
        group, deduplication = message.group_id, message.deduplication_id
        original = self._deduplication.original(group if self.group_scope else None, deduplication)
        if original:
            self.trace.add("Deduplicated", self.name, original.id, request.caller, request.row, deduplication)
            return original
        self._deduplication.note(message, group, deduplication)
        self._store_sent(message, request, size)
        return message

    def send_again(self, request: Request, old: FifoMessage, size: int) -> None:
        """As in every queue. This is no repeat, whatever its deduplication id was: its own id takes that place."""
        self.catch_up()
        message = old.again()
        self._store_sent(message, request, size)
        message.deduplication_id = message.id

    def accept_dead_letter(self, old: FifoMessage, request: Request, source: str, row: int) -> None:
        """As in every queue. Its id replaces the deduplication id, and its enqueue time is now."""
        self.catch_up()
        self._store(old.moved(source, row))

    def _store_sent(self, message: FifoMessage, request: Request, size: int) -> None:
        message.id = message.code = self.world.chance.uuid("sqs/messages")
        until = self.kernel.now + self.delay if self.delay else 0.0
        message.row = self.trace.add("Sent", self.name, message.id, request.caller, request.row, size, until)
        self._store(message)

    def _store(self, message: FifoMessage) -> None:
        """Every message gets the same delay, so that the order is kept."""
        self._sequence += 1 + self._own.integer(512)  # growing, not consecutive
        message.sequence, message.sent, message.group = self._sequence, self.kernel.now, None
        self._sample()
        self.messages[message.id] = message
        self._expire_later(message)
        if self.delay:
            message.state = DELAYED
            self.delayed += 1
            self._schedule(message, self.kernel.now + self.delay)
        else:
            self._join(message)

    # ---- groups ------------------------------------------------------------------------------------------------------

    def _join(self, message: FifoMessage) -> None:
        """Put a message at the end of its group."""
        self.trace.add("JoinedGroup", self.name, message.id, "", message.row, message.group_id)
        if self._inside < self._window:
            self._admit(message)
        else:
            self._beyond.append(message)

    def _admit(self, message: FifoMessage) -> None:
        """Let it be among the messages that are searched."""
        self._inside += 1
        group = self.groups.get(message.group_id)
        if group is None:
            group = self.groups[message.group_id] = Group(message.group_id)
        message.group = group
        group.line.append(message)
        if len(group.line) == 1:
            self._offer(group)

    def _offer(self, group: Group) -> None:
        """The first message of a group may have changed: when it is visible, the group is free."""
        first = group.line[0]
        if first.state == VISIBLE and group.offered != (entry := (first, first.stamp)):
            group.offered = entry
            self._free.append(entry)
        self._wake()

    def _first_free(self) -> Group | None:
        """The free group whose turn it is."""
        free = self._free
        while free:
            first, stamp = free[0]
            if first.stamp == stamp:
                return first.group
            free.popleft()
        return None

    def _make_visible(self, message: FifoMessage) -> None:
        if message.group:
            self._offer(message.group)
        else:
            self._join(message)

    def blocked_by(self, message_id: str) -> FifoMessage | None:
        """The message in flight for which this one waits; None when it waits for none. KeyError: it is not here."""
        self.catch_up()
        message = self.messages[message_id]
        return message.group.blocker(message) if message.group and message.state == VISIBLE else None

    def why_waiting(self, message_id: str) -> str:
        """Why a message cannot be received now, in words; empty when it can. Raises KeyError when it is not here."""
        blocker = self.blocked_by(message_id)
        message = self.messages[message_id]
        if blocker:
            until = f"which is in flight until {self.trace[blocker.row].until:.1f} s"
            return f"waits behind message {blocker.id} of group {blocker.group_id}, {until}"
        if message.state == DELAYED:
            return f"is delayed until {message.sent + self.delay:.1f} s"
        if message.state == IN_FLIGHT:
            return f"is in flight until {self.trace[message.row].until:.1f} s"
        if message.group is None:
            return f"is behind the first {self._window:,} messages of {self.name}, and only those are searched"
        return ""

    # ---- receiving ---------------------------------------------------------------------------------------------------

    def receive(
        self, request: Request, most: int, visibility: int, wait: int, attempt: str | None = None
    ) -> list[FifoMessage]:
        """As in every queue. With the token of an earlier `attempt`, the same messages when none has changed since."""
        self.catch_up()
        messages = self._attempts.repeat(attempt) if attempt else []
        if attempt and messages:
            for message in messages:
                self._hide_longer(message, request, visibility)
            self._attempts.renew(attempt)
            return messages
        messages = super().receive(request, most, visibility, wait)
        if attempt and messages:
            self._attempts.note(attempt, messages)
        return messages

    def _hide_longer(self, message: FifoMessage, request: Request, visibility: int) -> None:
        message.stamp += 1
        until = self.kernel.now + visibility
        kind = "ReceiveRepeated"
        message.row = self.trace.add(kind, self.name, message.id, request.caller, request.row, message.receives, until)
        self._schedule(message, until)

    def _ready(self) -> bool:
        return self.in_flight < self._most_in_flight and self._first_free() is not None

    def _take(self, request: Request, most: int, visibility: int, every: bool) -> list[FifoMessage]:
        """From one group as many as possible, then from the next. No error when too many are in flight: nothing."""
        taken: list[FifoMessage] = []
        most = min(most, self._most_in_flight - self.in_flight)
        self._sample()
        while len(taken) < most and (group := self._first_free()):
            line, place = group.line, 0
            while len(taken) < most and place < len(line) and (message := line[place]).state == VISIBLE:
                if not self._move_to_dlq(message, request):
                    self._receive(message, request, visibility)
                    taken.append(message)
                    place += 1
        return taken

    def oldest(self) -> FifoMessage | None:
        self.catch_up()
        group = self._first_free()
        return group.line[0] if group else None

    # ---- deleting ----------------------------------------------------------------------------------------------------

    def delete(self, request: Request, handle: str) -> None:
        """As in every queue. Raises InvalidParameterValue for an outdated handle of a message that is still there."""
        self.catch_up()
        id, number, message = self.find_by_handle(handle)
        if message is None or message.state != IN_FLIGHT:
            self.trace.add("DeleteIgnored", self.name, id, request.caller, request.row, number)
            if id in self.messages:
                raise bad_value(handle, "ReceiptHandle", "The receipt handle has expired.")
            return
        self.remove(message)
        message.row = self.trace.add("Deleted", self.name, id, request.caller, request.row, number)

    def remove(self, message: FifoMessage) -> None:
        """Remove a message: its group goes on with the next one, and another message may be searched."""
        super().remove(message)
        group = message.group
        if group is None:
            return
        group.line.remove(message)
        self._inside -= 1
        while self._beyond and self._inside < self._window:
            if (nearest := self._beyond.popleft()).state != GONE:
                self._admit(nearest)
        if group.line:
            self._offer(group)
        else:
            del self.groups[group.id]
            self._wake()

    def clear(self) -> int:
        """Remove every message. Returns how many there were. Deduplication begins anew (recorded from AWS)."""
        self._deduplication.forget()
        for message in self.messages.values():
            message.state, message.group = GONE, None
        self.groups.clear()
        self._free.clear()
        self._beyond.clear()
        self._inside = 0
        return super().clear()
