"""The exercise of lab 07 that moves a program from STOMP to SQS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, crashes, cut, flag, knobs, some, there
from lablib.exercises.case import number as numbered
from lablib.exercises.faults import idle_calls
from lablib.exercises.partners import Partner, WorkFailed
from lablib.exercises.stage import GIVES_UP, Problem, Stage


class _NoTape(WorkFailed, OSError): ...


class _NoShelf(WorkFailed, LookupError): ...


class _NoLight(WorkFailed, RuntimeError): ...


class UnknownArticle(ValueError):
    """A ValueError too, as a program's own errors often are."""


_AT_ONCE = 0.5  # seconds: who begins later has left the message lying
_FOR_NOW = ((_NoTape, "the packer has no tape"), (_NoShelf, "the shelf is empty"), (_NoLight, "there is no light"))
_NEVER = (ValueError, UnknownArticle)
_GO_ON = (
    "The packer has ended with it, and nobody starts it again. After an error for now the STOMP program went on: catch "
    "it, leave the message as it is, and ask for the next one. It comes again."
)
_NO_NACK = (
    "The packer has ended with it. SQS has no NACK: catch the ValueError, send the order to the dead-letter queue, "
    "then delete it here, and go on."
)


class Pack(Partner):
    """`pack(body)`: pack an order. Raises ValueError for one that nobody can ever pack, another error for now: the
    first order that can be packed fails so many times.
    """

    def __init__(self, stage: Stage, bad: set[str], failing: int, crash: int) -> None:
        super().__init__(stage, crash)
        self._bad, self._failing = bad, failing
        self._unlucky = next((body for body in stage.bodies.values() if body not in bad), "")
        self._failed = 0
        self.refused: dict[str, type[ValueError]] = {}  # with what, the first time
        self.packed: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()

    def __call__(self, body: str) -> None:
        if not isinstance(body, str) or not self.stage.messages_with(body):
            self.stage.fail(f'pack was called with {cut(body)}. Call it with the text of one message: message["Body"].')
        self.tried[body] += 1
        row = self.note("WorkStarted", "work", self.stage.messages_with(body)[0], -1)

        def finish() -> None:
            for_now = body == self._unlucky and self._failed < self._failing
            failed = body in self._bad or for_now
            self.note("WorkFailed" if failed else "WorkEnded", "work", self.stage.messages_with(body)[0], row)
            if body in self._bad:
                self.refused.setdefault(body, _NEVER[len(self.refused) % 2])
                raise self.refused[body](f"nobody can read {cut(body, 30)}")
            if for_now:
                self._failed += 1
                self.stage.reach("fails")
                kind, text = _FOR_NOW[self._failed % 3]
                raise kind(text)  # a new one: an exception keeps the frames of all its raises
            self.packed[body] += 1

        self.perform(1.0, finish)


def as_before(stage: Stage) -> Iterator[Problem]:
    """What the program relied on is still so. `stage.given`: the work, the bad orders, the two queues."""
    work, bad, url, dead = stage.given
    left, moved = stage.held(url), stage.held(dead)
    bodies = Counter(stage.cloud.service("sqs").queue(dead).messages[id].body for id in moved)
    for body in stage.bodies.values():
        name = f"order {cut(body, 30)}"
        if body in bad:
            if not bodies[body]:
                other = next((text for text in bodies if text not in stage.bodies.values()), None)
                yield Problem(
                    f"{name} is not in the dead-letter queue after {stage.cloud.now:.0f} s; it was tried "
                    f"{counted(work.tried[body], 'time')}. "
                    + (
                        f"In it is {cut(other, 40)}: send the text as it was."
                        if other is not None
                        else f"pack raised {UnknownArticle.__name__} for it, which is a ValueError, too: except "
                        "ValueError catches both."
                        if work.refused.get(body) is UnknownArticle
                        else "SQS has no NACK: send it there, and then delete it here."
                    ),
                    stage.messages_with(body)[:1],
                )
            retries = stage.reached["crash"] + 4 * stage.case.refused
            if work.tried[body] > 1 + retries or bodies[body] > 1 + retries:
                yield Problem(
                    f"{name} was tried {counted(work.tried[body], 'time')}, and is in the dead-letter queue "
                    f"{counted(bodies[body], 'time')}. A NACK moved it at once: send it there once, and then delete it "
                    "here.",
                    stage.messages_with(body)[:1],
                )
        elif not work.packed[body]:
            where = "in the dead-letter queue" if bodies[body] else "not done" if _waits(stage, body, left) else "lost"
            yield Problem(
                f"{name} is {where} after {stage.cloud.now:.0f} s. {_why_not_packed(stage, body)}",
                stage.messages_with(body)[:1],
            )
        elif bodies[body]:
            yield Problem(f"{name} is packed, and in the dead-letter queue as well.", stage.messages_with(body)[:1])
    copies = [row for row in stage.trace.where("Sent") if row.resource == "orders" and row.actor.startswith("consumer")]
    if copies:
        body = next((body for body in stage.bodies.values() if copies[0].subject in stage.messages_with(body)), "")
        yield Problem(
            f"order {cut(body, 30)} was sent to orders again, by your packer. That is a new message: it comes at once, "
            "and its age and its count of receives begin anew, so no rule ever moves it away. After an error for now "
            "do nothing: what is not deleted comes again by itself.",
            [copies[0].subject],
        )
    again = [body for body, count in work.packed.items() if count > 1]
    if len(again) > stage.reached["crash"]:
        yield Problem(
            f"order {cut(again[0], 30)} was packed {work.packed[again[0]]} times, and nothing had crashed. "
            f"{_why_twice(stage, again[0])}",
            stage.messages_with(again[0])[:1],
        )
    if left:
        yield Problem(f"{there(len(left), 'message')} still in the queue. SQS acknowledges nothing by itself.")


def _why_twice(stage: Stage, body: str) -> str:
    rows = [row for id in stage.messages_with(body) for row in stage.trace.where(subject=id)]
    if not any(row.kind in ("Deleted", "DeleteIgnored") for row in rows):
        return "Nobody deleted it, so it came again. An acknowledgement is delete_message after the work."
    hidden = "While somebody works on a message, nobody else may have it:"
    for got in (row for row in rows if row.kind == "Received"):
        begun = [r.time for r in rows if r.kind == "WorkStarted" and r.actor == got.actor and r.time >= got.time]
        if begun and begun[0] - got.time > _AT_ONCE:
            return (
                f"{hidden} {got.actor} had received it {begun[0] - got.time:.1f} s before it began to work on it, and "
                "it is hidden from the receive on. Take one at a time, or hide each again when its turn comes."
            )
    return f"{hidden} it must be hidden for longer than the work takes."


def _waits(stage: Stage, body: str, left: list[str]) -> bool:
    return any(id in left for id in stage.messages_with(body))


def _why_not_packed(stage: Stage, body: str) -> str:
    ids = stage.messages_with(body)
    rows = [row for id in ids for row in stage.trace.where(subject=id)]
    received = [row for row in rows if row.kind == "Received"]
    count = counted(len(stage.trace.where("Received")), "message")
    again = "Ask again as soon as the work is done; with WaitTimeSeconds=20 SQS waits for you."
    if not received:
        return f"It was never received: in that time your packers received {count}. {again}"
    deleted = next((row for row in rows if row.kind == "Deleted"), None)
    if deleted and not any(row.kind == "WorkFailed" and row.time <= deleted.time for row in rows):
        return f"It was deleted at {deleted.time:.2f} s, before it was packed. An acknowledgement comes after the work."
    hidden = max(row.until for row in received)
    if hidden > stage.cloud.now:
        return (
            f"It is hidden until {hidden:.0f} s: whoever crashes or fails gives nothing back, and a message comes "
            "again when its visibility timeout is over. Do not hide it for much longer than the work takes."
        )
    if not deleted:
        return f"It waits in the queue: in that time your packers received {count}. {again}"
    return (
        "An error for now is no NACK: what was not acknowledged came again by itself, and what is not deleted does. "
        "Delete only what is packed or in the dead-letter queue."
    )


class Move(Exercise):
    """The same program on SQS, with all that it relied on."""

    id = "07.move"
    signature = "packer(sqs, queue_url, dead_url, pack)"
    knobs = knobs(
        orders=numbered("order", 1, 24),
        consumers=numbered("consumer", 1, 2),
        bad=some("order{s} that nobody can pack", 3),
        fails=some("time{s} that packing fails for now", 8),
        refused=flag("SQS refuses to send for a while"),
        crash=crashes("order", 3),
        wild=flag("texts as customers write them"),
    )
    harmless = {"orders": 12}
    also = (
        {"orders": 16, "consumers": 2}, {"orders": 6, "bad": 2}, {"orders": 4, "fails": 8, "consumers": 2},
        {"orders": 3, "bad": 1, "refused": 1}, {"orders": 4, "crash": 3, "bad": 1}, {"orders": 10, "wild": 1, "bad": 1},
        {"orders": 24},
    )  # fmt: skip
    examples = 25
    faults = (as_before, idle_calls(5))
    advice = dict.fromkeys((text for _, text in _FOR_NOW), _GO_ON) | {"nobody can read": _NO_NACK}

    def play(self, stage: Stage, case: Any) -> None:
        url, dead = stage.queue("orders", VisibilityTimeout=5), stage.queue("dead")
        stage.orders(url, case.orders, case.wild)
        bodies = list(dict.fromkeys(stage.bodies.values()))
        bad = set(bodies[: case.bad])
        work = Pack(stage, bad, case.fails, case.crash)
        stage.given = work, bad, url, dead
        stage.fault("throttle", ("SendMessage", "SendMessageBatch"), case.refused * GIVES_UP)
        stage.consumers(case.consumers, stage.sqs, url, dead, work)
        stage.run_until_empty(url, until=600, after=60)  # one may still be at work on what another has done meanwhile
        stage.run(stage.cloud.now + 300, every=10.0)


EXERCISES = (Move(),)
