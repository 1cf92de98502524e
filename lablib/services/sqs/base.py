"""What both types of queue share: attributes, receipt handles, counters, and times at which things happen.

How it stays fast. Nothing looks at all messages. Whatever will happen by itself (a visibility timeout or a delay ends,
a message expires) is a time; one kernel timer stands at the earliest. An entry about a message counts while the
message's `stamp` is still the entry's, else it is dropped when met. A container in which dead entries outnumber the
live ones is cleaned.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar
from zlib import crc32

from lablib.aws.attributes import merged
from lablib.aws.lists import Tags
from lablib.aws.service import Request, ServiceError, World
from lablib.kernel import Signal, Timer
from lablib.services.sqs.attributes import parse_redrive_policy
from lablib.services.sqs.errors import bad_value, no_such_queue, sqs_error
from lablib.services.sqs.message import DELAYED, GONE, IN_FLIGHT, NEVER, SPARE, VISIBLE, Message

if TYPE_CHECKING:
    from lablib.aws.access.decide import Policy

M = TypeVar("M", bound=Message)


class Counts(NamedTuple):
    """How many messages a queue holds: available, in flight, delayed."""

    visible: int
    in_flight: int
    delayed: int


class BaseQueue(Generic[M]):
    """A queue. Times are virtual seconds; `find` gives the queue with some ARN, for dead-letter queues."""

    fifo: ClassVar[bool]
    new_message: ClassVar[type[Message]] = Message
    content_based = False  # does it compute deduplication ids from bodies?
    old_handles = False  # does the handle of an earlier receive, or of one that timed out, still do its work?

    def __init__(self, world: World, name: str, arn: str, find: Callable[[str], BaseQueue[Any] | None]) -> None:
        self.world = world
        self.kernel = world.kernel
        self.trace = world.trace
        self.name = name
        self.arn = arn
        self.find = find
        self.attributes: dict[str, str] = {}  # those that act
        self.shown: dict[str, str] = {}  # those that were set: new ones take up to a minute to act, and show at once
        self.policy: Policy | None = None
        self.tags = Tags()
        self.created = self.modified = world.kernel.now
        self.purged = -NEVER
        self.deleted = False
        self.messages: dict[str, M] = {}
        self.in_flight = 0
        self.delayed = 0
        self.waiting: deque[Signal] = deque()
        self._expiring: deque[M] = deque()  # in the order in which they were sent
        self._expiring_late: list[tuple[float, int, M]] = []  # came with an older enqueue time
        self._due: list[tuple[float, int, Any, int]] = []  # time, tie-breaker, what, its stamp
        self._serial = 0
        self._timer: Timer | None = None
        self._timer_at = NEVER  # when the timer will ring
        self._history: deque[tuple[float, Counts]] = deque(maxlen=SPARE)  # counts until that time
        self._sampled = -NEVER
        self._own = world.chance.stream(f"sqs/{name}")
        self._salt = self._own.integer(1 << 32)

    def show(self, attributes: dict[str, str]) -> None:
        """Note attributes that were set and checked; an empty value removes one."""
        self.shown = merged(self.shown, attributes)
        self.modified = self.kernel.now

    def configure(self, attributes: dict[str, str]) -> None:
        """Let attributes act that were noted."""
        self.attributes = merged(self.attributes, attributes)
        number = {name: int(value) for name, value in self.attributes.items() if value.isdecimal()}
        self.delay = number["DelaySeconds"]
        self.message_size = number["MaximumMessageSize"]
        self.retention = number["MessageRetentionPeriod"]
        self.wait = number["ReceiveMessageWaitTimeSeconds"]
        self.visibility = number["VisibilityTimeout"]
        self.redrive = parse_redrive_policy(self.attributes.get("RedrivePolicy"))
        if "Policy" in attributes:
            self.policy = _parse_policy(self.attributes.get("Policy"), self.name, self.world)
        self._reset_timer()

    @property
    def visible(self) -> int:
        """How many messages could be received now, if every server were there."""
        return len(self.messages) - self.in_flight - self.delayed

    @property
    def reachable(self) -> bool:
        """Can it take a message now?"""
        return True

    # ---- what each type of queue does in its own way -----------------------------------------------------------------

    def send(self, request: Request, message: Any, size: int, delay: int) -> M:
        """Store a new message of `size` bytes, hidden for `delay` seconds. Raises ServiceUnavailable.

        Returns the message; a FIFO queue returns the one that this send repeats.
        """
        raise NotImplementedError

    def send_again(self, request: Request, old: Any, size: int) -> None:
        """Store a new message with the contents of one that a move task brings."""
        self.send(request, old.again(), size, 0)

    def accept_dead_letter(self, old: Any, request: Request, source: str, row: int) -> None:
        """Accept a message from the queue with the ARN `source`, whose dead-letter queue this is.

        It keeps its id and its receive count (assumed: AWS does not write that down).
        """
        raise NotImplementedError

    def delete(self, request: Request, handle: str) -> None:
        """Delete the message that this receipt handle stands for. Raises ReceiptHandleIsInvalid."""
        raise NotImplementedError

    def oldest(self) -> M | None:
        """The message that was sent first among those that are available; None when none can be had."""
        raise NotImplementedError

    def make_unavailable(self, server: int, seconds: float) -> None:
        """Make a server unavailable for `seconds` from now. Raises ValueError where there is none with that number."""
        raise ValueError(f"server={server!r}: the FIFO queue {self.name} has no servers that can be made unavailable")

    def throttle(self, request: Request, action: str, groups: Collection[str] = ()) -> None:
        """Raise ThrottlingException when this call is one too many."""

    def _take(self, request: Request, most: int, visibility: int, every: bool) -> list[M]:
        """Receive up to `most` messages; `every` for a long poll, which asks every server."""
        raise NotImplementedError

    def _ready(self) -> bool:
        """May a poll find something?"""
        raise NotImplementedError

    def _before_wait(self) -> None:
        """A call is going to wait for a message."""

    def _on_due(self, what: Any) -> None:
        """What was scheduled with `_schedule` is due."""
        self._show(what)

    def _make_visible(self, message: M) -> None:
        """A message can be received again, or for the first time."""
        raise NotImplementedError

    # ---- receiving ---------------------------------------------------------------------------------------------------

    def receive(self, request: Request, most: int, visibility: int, wait: int, attempt: str | None = None) -> list[M]:
        """Up to `most` messages, hidden for `visibility` seconds; blocks up to `wait` seconds while there are none.

        Raises QueueDoesNotExist when the queue is deleted meanwhile.
        """
        self.catch_up()
        messages = self._take(request, most, visibility, every=wait > 0)
        return messages if messages or wait <= 0 else self._poll(request, most, visibility, self.kernel.now + wait)

    def _poll(self, request: Request, most: int, visibility: int, deadline: float) -> list[M]:
        """Wait for a message. The longest waiting call is woken; when it ends, for any reason, it wakes the next."""
        signal = Signal(self.kernel)
        self.waiting.append(signal)
        try:
            while (left := deadline - self.kernel.now) > 0:
                self._before_wait()
                self.kernel.wait(signal, left)
                if self.deleted:
                    raise no_such_queue()
                self.catch_up()
                messages = self._take(request, most, visibility, every=True)
                if messages:
                    return messages
            return []
        finally:
            self.waiting.remove(signal)
            self._wake()

    def _wake(self) -> None:
        if self.waiting and self._ready():
            self.waiting[0].fire()

    def _receive(self, message: M, request: Request, visibility: int) -> None:
        now = self.kernel.now
        message.state = IN_FLIGHT
        message.stamp += 1
        message.receives += 1
        message.handle = ""
        message.received = now
        if message.receives == 1:
            message.first = now
        self.in_flight += 1
        until = now + visibility
        message.row = self.trace.add(
            "Received", self.name, message.code, request.caller, request.row, message.receives, until
        )
        self._schedule(message, until)

    def _move_to_dlq(self, message: M, request: Request) -> bool:
        """Move a message that was received too often to the dead-letter queue.

        False when that queue does not exist: then the message is received as usual.
        """
        if not self.redrive or message.receives < self.redrive.max_receive_count:
            return False
        target = self.find(self.redrive.target)
        if target is None or target is self or not target.reachable:
            return False
        self.remove(message)
        row = self.trace.add("MovedToDeadLetterQueue", self.name, message.id, request.caller, request.row, target.name)
        target.accept_dead_letter(message, request, self.arn, row)
        return True

    # ---- deleting, hiding --------------------------------------------------------------------------------------------

    def change_visibility(self, request: Request, handle: str, timeout: int) -> None:
        """Hide a message for `timeout` seconds from now; 0 shows it at once. Not remembered for its next receive.

        Raises ReceiptHandleIsInvalid, MessageNotInflight, and InvalidParameterValue for an outdated handle or when the
        message would be hidden for more than 12 hours since it was received. To show a message that is visible already
        succeeds (recorded from AWS); with `old_handles`, so does to hide it again.
        """
        self.catch_up()
        id, _, message = self.find_by_handle(handle)
        if message is None:
            gone = "Message does not exist or is not available for visibility timeout change."
            raise bad_value(handle, "ReceiptHandle", gone)
        if message.state != IN_FLIGHT and timeout == 0:
            return
        if message.state == VISIBLE and self.old_handles:
            message.state = IN_FLIGHT
            self.in_flight += 1
        if message.state != IN_FLIGHT:
            raise sqs_error("MessageNotInflight", "The specified message isn't in flight.")
        now, longest = self.kernel.now, self.world.quotas["sqs.visibility_max"]
        if now - message.received + timeout > longest:
            total = f"Total VisibilityTimeout for the message is beyond the limit [{longest} seconds]"
            raise bad_value(handle, "ReceiptHandle", total)
        message.stamp += 1
        until = now + timeout
        message.row = self.trace.add("VisibilityChanged", self.name, id, request.caller, request.row, timeout, until)
        self._schedule(message, until)

    def remove(self, message: M) -> None:
        """Remove a message."""
        if self.kernel.now >= self._sampled + 1:
            self._sample()
        if message.state == IN_FLIGHT:
            self.in_flight -= 1
        elif message.state == DELAYED:
            self.delayed -= 1
        message.state = GONE
        message.stamp += 1
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
        self._due = [entry for entry in self._due if not isinstance(entry[2], Message)]
        heapq.heapify(self._due)
        return count

    def close(self) -> None:
        """The queue is deleted: calls that wait for a message end now."""
        self.deleted = True
        self.clear()
        self._due.clear()
        for signal in self.waiting:
            signal.fire()

    # ---- receipt handles ---------------------------------------------------------------------------------------------

    def receipt_handle(self, message: M) -> str:
        """The receipt handle of a message's latest receive: letters of base64, as AWS's are. Client libraries rely on
        there being no "-" in it (amazon-sqs-extended-client takes what stands behind the last one)."""
        if not message.handle:
            text = f"{message.id}{message.receives}"
            message.handle = f"AQEB{crc32(text.encode(), self._salt):08x}{text.replace('-', '/')}"
        return message.handle

    def find_by_handle(self, handle: str) -> tuple[str, int, M | None]:
        """The message's id, the number of the receive, and the message when this is the handle of its latest one
        (`old_handles`: of any).

        Raises ReceiptHandleIsInvalid for a made-up handle.
        """
        message = self.messages.get(handle[12:48].replace("/", "-"))
        if message is not None and message.handle == handle:
            return message.id, message.receives, message
        id, number = self.parse_handle(handle)
        message = self.messages.get(id)
        return id, number, message if message and (message.receives == number or self.old_handles) else None

    def parse_handle(self, handle: str) -> tuple[str, int]:
        """The message's id and the number of the receive. Raises ReceiptHandleIsInvalid for a made-up one."""
        text = handle[12:].replace("/", "-")
        if handle[:12] != f"AQEB{crc32(text.encode(), self._salt):08x}":
            text = f'The input receipt handle "{handle}" is not a valid receipt handle.'
            raise ServiceError("ReceiptHandleIsInvalid", text)
        return text[:36], int(text[36:])

    # ---- what happens by itself --------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Run everything that is due: the order of events at one instant must not change the answer."""
        if self.kernel.now >= self._timer_at:
            self._run_due()

    def _run_due(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer, self._timer_at = None, NEVER
        if self.deleted:
            return
        self._sample()
        now, due = self.kernel.now, self._due
        while due and (due[0][0] <= now or due[0][2].stamp != due[0][3]):
            _, _, what, stamp = heapq.heappop(due)
            if what.stamp == stamp:
                self._on_due(what)
        while (message := self._next_to_expire()) and message.sent + self.retention <= now:
            self.remove(message)
            self.trace.add("Expired", self.name, message.id, "", message.row)
        self._wake()
        self._reset_timer()

    def _reset_timer(self) -> None:
        if self._due:
            self._set_timer(self._due[0][0])
        if message := self._next_to_expire():
            self._set_timer(message.sent + self.retention)

    def _set_timer(self, time: float) -> None:
        """Let the timer fire at `time`, or earlier."""
        if time < self._timer_at and not self.deleted:
            if self._timer:
                self._timer.cancel()
            self._timer_at = max(time, self.kernel.now)
            self._timer = self.kernel.at(self._timer_at, self._run_due)

    def _schedule(self, what: Any, time: float) -> None:
        due = self._due
        self._serial += 1
        heapq.heappush(due, (time, self._serial, what, what.stamp))
        if len(due) > 2 * (self.in_flight + self.delayed) + SPARE:
            due[:] = [entry for entry in due if entry[2].stamp == entry[3]]
            heapq.heapify(due)
        if time < self._timer_at:
            self._set_timer(time)

    def _show(self, message: M) -> None:
        """A delay or a visibility timeout has ended."""
        if message.state == DELAYED:
            self.delayed -= 1
        else:
            self.in_flight -= 1
        message.state = VISIBLE
        message.stamp += 1
        message.row = self.trace.add("BecameVisible", self.name, message.id, "", message.row)
        self._make_visible(message)

    def _expire_later(self, message: M) -> None:
        expiring = self._expiring
        if not expiring or expiring[-1].sent <= message.sent:
            expiring.append(message)
        else:
            self._serial += 1
            heapq.heappush(self._expiring_late, (message.sent, self._serial, message))
        if len(expiring) > 2 * len(self.messages) + SPARE:
            self._expiring = deque(m for m in expiring if m.state != GONE)
        if message.sent + self.retention < self._timer_at:
            self._set_timer(message.sent + self.retention)

    def _next_to_expire(self) -> M | None:
        expiring, late = self._expiring, self._expiring_late
        while expiring and expiring[0].state == GONE:
            expiring.popleft()
        while late and late[0][2].state == GONE:
            heapq.heappop(late)
        if late and (not expiring or late[0][0] < expiring[0].sent):
            return late[0][2]
        return expiring[0] if expiring else None

    # ---- counters ----------------------------------------------------------------------------------------------------

    def counts(self, lag: float = 0.0) -> Counts:
        """How many messages there were `lag` seconds ago, to about a second; 0 is exact."""
        self.catch_up()
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


def _parse_policy(text: str | None, name: str, world: World) -> Policy | None:
    if text is None:
        return None
    from lablib.aws.access.decide import Policy
    from lablib.aws.access.identities import bound

    return bound(Policy.parse(text, name=name), world)


AnyQueue = BaseQueue[Any]
