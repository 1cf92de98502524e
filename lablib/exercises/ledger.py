"""Built-in partners of a learner's consumer: work that may crash, and a ledger of charges."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lablib.exercises.case import crash_point
from lablib.exercises.stage import Stage
from lablib.kernel import Trace

_THERE = 0.2  # seconds until a charge is booked
_BACK = 0.1  # seconds until the answer is back
_LOOK = 0.05  # seconds of a look into the ledger

_PHRASES = {
    "WorkStarted": lambda row, trace: f"{row.actor} works on it",
    "WorkEnded": lambda row, trace: f"{row.actor} has done the work",
    "WorkFailed": lambda row, trace: f"the work of {row.actor} fails",
    "Charged": lambda row, trace: f"charged {row.detail} by {row.actor}",
    "ChargeRefused": lambda row, trace: f"not charged again by {row.actor}: the ledger had it already",
    "LookedUp": lambda row, trace: (
        f"{row.actor} asks the ledger whether it is charged: {'yes' if row.detail else 'no'}"
    ),
}


class Accident:
    """Crashes the process that does some piece of work, before or after it is done (`setting`: a crash dial)."""

    def __init__(self, stage: Stage, setting: int) -> None:
        self._stage = stage
        self._step, self._after = crash_point(setting)
        self._done = 0

    def begin(self) -> int:
        """A piece of work begins. Returns its number."""
        self._done += 1
        return self._done

    def strike(self, step: int, after: bool) -> None:
        """The moment before, or after, piece of work `step` is done."""
        if step == self._step and after == self._after:
            self._stage.crash()


class WorkFailed(Exception):
    """The work on a message has failed: there is no result."""


class Work:
    """`process(body)`: work on a message, which takes `seconds`.

    `steps(body)`: in how many steps of that many seconds. `fails(body, step)`: does it fail there (steps from 1)?
    """

    def __init__(
        self,
        stage: Stage,
        accident: Accident,
        seconds: float,
        steps: Callable[[str], int] = lambda body: 1,
        fails: Callable[[str, int], bool] = lambda body, step: False,
    ) -> None:
        stage.trace.phrases.update(_PHRASES)
        self.stage = stage
        self.accident = accident
        self.seconds = seconds
        self.steps = steps
        self.fails = fails

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
        self._stage, self._work, self._body = work.stage, work, body
        if not isinstance(body, str) or body not in work.stage.sent:
            what = "the whole message" if isinstance(body, dict) else f"{body!r:.60}"
            work.stage.fail(
                f'{called} was called with {what}. Call it with the text of one message: {called}(message["Body"])'
            )
        self._done = 0
        self._over = ""
        self._row = -1

    def step(self) -> bool:
        """Do the next step. True: there is more to do; False: the work is done. Raises WorkFailed."""
        work, stage = self._work, self._stage
        subject, actor = stage.sent[self._body][0], stage.caller
        if self._over:
            stage.fail(f"step() was called again after the work on {self._body} had {self._over}.", subject)
        accident = work.accident.begin()
        if not self._done:
            cause = in_hand(stage.trace, actor, (subject,))
            self._row = stage.trace.add("WorkStarted", "work", subject, actor, cause)
        stage.cloud.kernel.sleep(work.seconds)
        work.accident.strike(accident, after=False)
        self._done += 1
        if work.fails(self._body, self._done):
            self._over = "failed"
            stage.trace.add("WorkFailed", "work", subject, actor, self._row)
            raise WorkFailed(f"the work on {self._body} failed")
        if self._done >= work.steps(self._body):
            self._over = "ended"
            stage.trace.add("WorkEnded", "work", subject, actor, self._row)
        work.accident.strike(accident, after=True)
        return not self._over


class Ledger:
    """The shop's book of charges, like a table with conditional writes. Each call takes some virtual time."""

    def __init__(self, stage: Stage, accident: Accident) -> None:
        stage.trace.phrases.update(_PHRASES)
        self._stage = stage
        self._accident = accident
        self._booked: set[str] = set()

    def charged(self, order_id: str) -> bool:
        """Is this order charged already?"""
        self._stage.cloud.kernel.sleep(_LOOK)
        found = _checked(order_id) in self._booked
        self._note("LookedUp", order_id, found)
        return found

    def charge(self, order_id: str, amount: int) -> None:
        """Take the money for this order, whether it is charged already or not."""
        self._charge(_checked(order_id), amount, always=True)

    def charge_once(self, order_id: str, amount: int) -> bool:
        """Take the money for this order unless it is charged already, in one step. True: it was charged now."""
        return self._charge(_checked(order_id), amount, always=False)

    def _charge(self, order_id: str, amount: int, always: bool) -> bool:
        kernel = self._stage.cloud.kernel
        step = self._accident.begin()
        kernel.sleep(_THERE)
        self._accident.strike(step, after=False)
        booked = always or order_id not in self._booked
        self._booked.add(order_id)
        self._note("Charged" if booked else "ChargeRefused", order_id, amount)
        self._accident.strike(step, after=True)
        kernel.sleep(_BACK)
        return booked

    def _note(self, kind: str, order_id: str, detail: int) -> None:
        stage = self._stage
        cause = in_hand(stage.trace, stage.caller, stage.sent.get(order_id, ()))
        stage.trace.add(kind, "ledger", order_id, stage.caller, cause, detail)


def _checked(order_id: str) -> str:
    if not isinstance(order_id, str):
        raise TypeError(f"order_id={order_id!r}: must be the text that names the order, such as 'order-1'")
    return order_id


def in_hand(trace: Trace, actor: str, messages: Sequence[str]) -> int:
    """The row of the latest receive of one of these messages by this actor; -1 when there is none."""
    kinds, actors, subjects = trace.column("kind"), trace.column("actor"), trace.column("subject")
    received, me, wanted = trace.code("Received"), trace.code(actor), [trace.code(m) for m in messages]
    rows = range(len(kinds) - 1, -1, -1)
    return next((i for i in rows if kinds[i] == received and actors[i] == me and subjects[i] in wanted), -1)
