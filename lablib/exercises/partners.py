"""What a learner's function is handed to call: work on a message, a ledger of charges. A partner takes its time, can
fail, and can be the place where the program crashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from lablib.aws.event import Event, is_given
from lablib.exercises.case import crash_point, cut
from lablib.exercises.stage import Stage
from lablib.kernel import Row

T = TypeVar("T")

_BOOKED = 0.2  # seconds until a charge is booked
_ANSWER = 0.1  # seconds until its answer is back
_LOOK = 0.05  # seconds of a look into the ledger

_EVENTS = (
    Event("WorkStarted", "{actor} works on it", "{actor} began to work on {message}", holder="works"),
    Event(
        "WorkEnded",
        "{actor} has done the work",
        "{actor} ended the work on {message}",
        holder="worked",
        counts="worked",
    ),
    Event("WorkFailed", "the work of {actor} fails", "the work of {actor} on {message} failed", holder="worked"),
    Event("Charged", "charged {detail} by {actor}"),
    Event("ChargeRefused", "not charged again by {actor}: the ledger had it already"),
    Event(
        "LookedUp",
        lambda row, trace: f"{row.actor} asks the ledger whether it is charged: {'yes' if row.detail else 'no'}",
    ),
)


class Partner:
    """Base of what a learner's function calls. `crash`: a crash knob's setting, counted over all calls."""

    def __init__(self, stage: Stage, crash: int = 0) -> None:
        stage.trace.declare(_EVENTS)
        self.stage = stage
        self._step, self._after = crash_point(crash)
        self._begun = 0

    def perform(self, seconds: float, effect: Callable[[], T]) -> T:
        """One piece of work: it takes `seconds`, then has its effect. The program may crash just before that, or
        right after it.
        """
        self._begun += 1
        step = self._begun
        self.stage.cloud.kernel.sleep(seconds)
        if (step, False) == (self._step, self._after):
            self.stage.crash()
        result = effect()
        if (step, True) == (self._step, self._after):
            self.stage.crash()
        return result

    def note(self, kind: str, place: str, subject: str, cause: int, detail: object = None) -> int:
        """Write a row about what the caller did."""
        return self.stage.trace.add(kind, place, subject, self.stage.caller, cause, detail)


class WorkFailed(Exception):
    """The work on a message has failed: there is no result."""


Fails = Callable[[str, int, int], bool]


def never(order: str, tried: int, step: int) -> bool:
    """No work fails."""
    return False


def first_try(order: str, step: int = 1) -> Fails:
    """The first try of this order fails, in that step."""
    return lambda name, tried, at: (name, tried, at) == (order, 1, step)


class Work(Partner):
    """`process(body)`: work on a message, which takes `seconds`.

    `steps`: in how many steps of that many seconds. `fails(order, try, step)`: does it fail there (both from 1)?
    """

    def __init__(self, stage: Stage, seconds: float, crash: int = 0, steps: int = 1, fails: Fails = never) -> None:
        super().__init__(stage, crash)
        self.seconds, self.steps, self.fails = seconds, steps, fails
        self.tries: dict[str, int] = {}

    def __call__(self, body: str) -> None:
        """Work on the message with this body. Raises WorkFailed."""
        job = Job(self, body, "process")
        while job.step():
            pass

    def begin(self, body: str) -> Job:
        """Begin to work on the message with this body, step by step."""
        return Job(self, body, "begin")


class Job:
    """The work on one message, in steps. Nothing is done before the first `step()`."""

    def __init__(self, work: Work, body: str, called: str) -> None:
        self._stage, self._work = work.stage, work
        ids = work.stage.messages_with(body) if isinstance(body, str) else ()
        if not ids:
            what = "the whole message" if isinstance(body, dict) else f"{cut(body)}"
            work.stage.fail(
                f'{called} was called with {what}. Call it with the text of one message: {called}(message["Body"])'
            )
        received = _not_yet_begun(work.stage, ids) or in_hand(work.stage, ids)
        self._message = received.subject if received else ids[0]
        self._cause = received.index if received else -1
        self._order = work.stage.name_of(self._message)
        self._done = 0
        self._over = ""
        self._row = -1

    def step(self) -> bool:
        """Do the next step. True: there is more to do; False: the work is done. Raises WorkFailed."""
        work = self._work
        if self._over:
            self._stage.fail(
                f"step() was called again after the work on {self._order} had {self._over}.", self._message
            )
        if not self._done:
            work.tries[self._order] = work.tries.get(self._order, 0) + 1
            self._row = work.note("WorkStarted", "work", self._message, self._cause)
        return work.perform(work.seconds, self._finish)

    def _finish(self) -> bool:
        work = self._work
        self._done += 1
        if work.fails(self._order, work.tries[self._order], self._done):
            self._over = "failed"
            self._stage.reach("fails")
            work.note("WorkFailed", "work", self._message, self._row)
            raise WorkFailed(f"the work on {self._order} failed")
        if self._done >= work.steps:
            self._over = "ended"
            self._stage.reach("longest", work.seconds * self._done)
            work.note("WorkEnded", "work", self._message, self._row)
        return not self._over


class Ledger(Partner):
    """The shop's book of charges, like a table with conditional writes. Each call takes some virtual time."""

    def __init__(self, stage: Stage, crash: int = 0, failing: int = 0) -> None:
        super().__init__(stage, crash)
        self._booked: set[str] = set()
        self._failing = failing

    def charged(self, order_id: str) -> bool:
        """Is this order charged already?"""
        self.stage.cloud.kernel.sleep(_LOOK)
        found = _checked(order_id) in self._booked
        self._note("LookedUp", order_id, found)
        return found

    def charge(self, order_id: str, amount: float) -> None:
        """Take the money for this order, whether it is charged already or not."""
        self._charge(_checked(order_id), amount, always=True)

    def charge_once(self, order_id: str, amount: float) -> bool:
        """Take the money for this order unless it is charged already, in one step. True: it was charged now."""
        return self._charge(_checked(order_id), amount, always=False)

    def _charge(self, order_id: str, amount: float, always: bool) -> bool:
        def book() -> bool:
            if self._begun == self._failing:
                self.stage.reach("fails")
                raise WorkFailed("the bank does not answer; nothing was charged")
            new = always or order_id not in self._booked
            self._booked.add(order_id)
            self._note("Charged" if new else "ChargeRefused", order_id, amount)
            return new

        booked = self.perform(_BOOKED, book)
        self.stage.cloud.kernel.sleep(_ANSWER)
        return booked

    def _note(self, kind: str, order_id: str, detail: float) -> None:
        received = in_hand(self.stage, self.stage.sent.get(order_id, ()))
        self.note(kind, "ledger", order_id, received.index if received else -1, detail)


def _checked(order_id: str) -> str:
    if not isinstance(order_id, str):
        raise TypeError(f"order_id={order_id!r}: must be the text that names the order, such as 'order-1'")
    return order_id


def _not_yet_begun(stage: Stage, messages: Iterable[str]) -> Row | None:
    """Of several messages with one text, the first of the latest that the program that is running received and has not
    begun to work on since then.
    """
    found = [row for message in messages if (row := in_hand(stage, [message]))]
    program, works = stage.program(stage.caller), stage.trace.where("WorkStarted") if len(found) > 1 else ()
    begun = {row.cause for row in works if stage.program(row.actor) == program}  # its threads share what it received
    latest = sorted(found, key=lambda row: (-row.time, row.index))
    return next((row for row in latest if row.index not in begun), None)


def in_hand(stage: Stage, messages: Iterable[str]) -> Row | None:
    """The latest receive of one of these messages by the program that is running; None when there is none."""
    trace = stage.trace
    kinds, actors, subjects = trace.column("kind"), trace.column("actor"), trace.column("subject")
    me, wanted = trace.code(stage.caller), {trace.code(m) for m in messages}
    received = {trace.code(kind) for kind in trace.kinds(is_given)}
    rows = range(len(kinds) - 1, -1, -1)
    mine = (i for i in rows if kinds[i] in received and actors[i] == me and subjects[i] in wanted)
    return trace[found] if (found := next(mine, -1)) >= 0 else None
