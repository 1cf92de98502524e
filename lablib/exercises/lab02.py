"""The exercises of lab 02: visibility timeout, polling, poison, shutdown."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lablib.exercises.base import Exercise
from lablib.exercises.case import Case, counted, crash, dial, seeds
from lablib.exercises.invariants import judge_work, once
from lablib.exercises.ledger import Accident, Work
from lablib.exercises.rehearsal import JOBS, TWICE, Times, rehearse
from lablib.exercises.stage import Problem, Stage
from lablib.kernel import Row, Trace

Function = Callable[..., Any]


def _orders(stage: Stage, url: str, count: int) -> list[str]:
    orders = [f"order-{n + 1}" for n in range(count)]
    for order in orders:
        stage.send(url, order, order)
    return orders


def _after(trace: Trace, row: Row, kind: str, **about: str) -> Row | None:
    """The first row of this kind after `row`, with this `subject`, or this `actor`."""
    return next((r for r in trace.where(kind, **about) if r.index > row.index), None)


# ---- 02.heartbeat ----------------------------------------------------------------------------------------------------

_STEP = 8.0  # seconds
_TIMEOUT = 30  # seconds: the queue's


@dataclass(frozen=True, order=True)
class HeartbeatCase(Case):
    orders: int = dial(1, 3, "order")
    steps: int = dial(1, 8, lambda n: f"{counted(n, 'step')} of {_STEP:g} s each")
    consumers: int = dial(1, 2, "consumer")
    fails: int = dial(0, 4, lambda n: f"the first try of order-1 fails in step {n}" if n else "")
    crash: int = crash("step", 4)
    seed: int = seeds()


class Heartbeat(Exercise):
    """Hide the message as long as the work goes on, and no longer."""

    id = "02.heartbeat"
    signature = "consumer(sqs, queue_url, begin)"
    covered = "1 to 3 orders of up to 64 s, 1 or 2 consumers, work that fails, and crashes between the heartbeats"
    plain = HeartbeatCase(orders=2, steps=6)

    def trial(self, stage: Stage, fn: Function, case: HeartbeatCase) -> None:
        url = stage.queue("orders", VisibilityTimeout=_TIMEOUT)
        _orders(stage, url, case.orders)
        tries: Counter[str] = Counter()

        def fails(body: str, step: int) -> bool:
            tries[body] += step == 1
            return body == "order-1" and tries[body] == 1 and step == case.fails

        work = Work(stage, Accident(stage, case.crash), _STEP, lambda body: case.steps, fails)
        for n in range(case.consumers):
            stage.keep_running(f"consumer-{n + 1}", stage.sqs, url, work.begin)
        try:
            stage.run(until=400, settled=lambda: not stage.held(url))
            stage.run(until=stage.cloud.now + 5)
        finally:  # also when SQS refused a late heartbeat: why it was late says more
            for order, (message,) in stage.sent.items():
                for start in stage.trace.where("WorkStarted", subject=message):
                    _judge_hidden(stage, order, start)
        judge_work(stage, url)


def _judge_hidden(stage: Stage, order: str, start: Row) -> None:
    """The message was hidden while this piece of work went on, and not much longer when it came to nothing."""
    trace, message, who = stage.trace, start.subject, start.actor
    ends = [r for r in trace.where(("WorkEnded", "WorkFailed"), subject=message) if r.cause == start.index]
    end = ends[0] if ends else _after(trace, start, "Crashed", actor=who)
    shown = _after(trace, trace[start.cause], "BecameVisible", subject=message)
    if shown and shown.index < start.index:
        raise Problem(
            f"{order} was visible again at {shown.time:.2f} s, before {who} began to work on it: it had waited behind "
            "others of the same batch. Take one message at a time, or hide the waiting ones too.",
            [message],
        )
    if shown and (end is None or shown.index < end.index):
        raise Problem(
            f"{order} was visible again at {shown.time:.2f} s, while {who} was still working on it. "
            "Hide it again in time, and for long enough.",
            [message],
        )
    if end is None or end.kind == "WorkEnded" or _after(trace, end, "Deleted", subject=message):
        return
    back = shown.time if shown else stage.cloud.now
    if back - end.time > _TIMEOUT + 5:
        why = f"{who} crashed" if end.kind == "Crashed" else f"the work of {who} failed"
        raise Problem(
            f"At {end.time:.2f} s {why}, and {order} stayed hidden {'' if shown else 'at least '}until {back:.0f} s: "
            f"nobody could try again. Hide a message for a short time, such as {_TIMEOUT} s, again and again, and only "
            "while the work goes on.",
            [message],
        )


# ---- 02.timeout ------------------------------------------------------------------------------------------------------

_TOO_LONG = 2  # times the shortest timeout that would do


_TIMES = (
    Times(10, 15), Times(2, 3), Times(5, 20), Times(60, 75), Times(5, 6, 0.04, 20), Times(300, 900),
)  # fmt: skip


@dataclass(frozen=True, order=True)
class TimeoutCase(Case):
    times: int = dial(0, len(_TIMES) - 1, lambda n: str(_TIMES[n]))
    seed: int = seeds(4)


class Timeout(Exercise):
    """The visibility timeout for the work at hand."""

    id = "02.timeout"
    signature = "timeout(durations)"
    covered = "six kinds of work, quick and slow, even and uneven, five days of each"
    plain = TimeoutCase()
    examples = 40

    def trial(self, stage: Stage, fn: Function, case: TimeoutCase) -> None:
        times, keyed = _TIMES[case.times], stage.cloud.chance.keyed
        measured = [times.at(keyed("past", str(n)), keyed("past slow", str(n))) for n in range(1000)]
        seconds = stage.call("timeout", measured, until=60)
        if isinstance(seconds, bool) or not isinstance(seconds, int):
            raise Problem(f"Your function returned {seconds!r:.40}. A visibility timeout is a whole number of seconds.")
        if not 0 <= seconds <= 43_200:
            raise Problem(f"Your function returned {seconds}. SQS allows 0 to 43,200 s, which is 12 hours.")
        outcome = rehearse(times, seconds, case.seed)
        stage.trace = outcome.trace
        if len(outcome.twice) > TWICE:
            stage.labels[outcome.twice[0]] = "a job"
            raise Problem(
                f"With {seconds} s, {len(outcome.twice)} of {JOBS} jobs were begun again while somebody was working "
                f"on them; {TWICE} are allowed. "
                f"The measured times go from {min(measured):g} s to {max(measured):g} s.",
                [outcome.twice[0]],
            )
        if seconds > _TOO_LONG * outcome.enough:
            stage.labels[outcome.crashed] = "a job"
            raise Problem(
                f"{seconds} s is too long: when a consumer crashed, nobody saw its message for {outcome.gap:.0f} s. "
                f"{outcome.enough} s would do for all but {TWICE} of {JOBS} jobs.",
                [outcome.crashed],
            )


# ---- 02.longpoll -----------------------------------------------------------------------------------------------------

_LENGTH = 600.0  # seconds
_BURST = 30  # orders
_SOON = 3.0  # seconds


@dataclass(frozen=True, order=True)
class LongpollCase(Case):
    alone: int = dial(0, 10, lambda n: f"{counted(n, 'order')} that come alone")
    bursts: int = dial(0, 2, lambda n: f"{counted(n, 'burst')} of {_BURST} orders" if n else "")
    seed: int = seeds()


class Longpoll(Exercise):
    """Find every order soon, with few calls."""

    id = "02.longpoll"
    signature = "consumer(sqs, queue_url, process)"
    covered = "ten minutes with up to 10 orders that come alone, and up to 2 bursts of 30"
    plain = LongpollCase(alone=6, bursts=1)
    examples = 30

    def trial(self, stage: Stage, fn: Function, case: LongpollCase) -> None:
        url = stage.queue("orders")
        kernel, chance = stage.cloud.kernel, stage.cloud.chance.stream("shop")
        times = [round(chance.uniform(1, _LENGTH - 30), 3) for _ in range(case.alone)]
        times += [round(chance.uniform(1, _LENGTH - 30), 3) for _ in range(case.bursts)] * _BURST
        for n, time in enumerate(sorted(times), start=1):
            kernel.at(time, stage.send, url, f"order-{n}", f"order-{n}")
        work = Work(stage, Accident(stage, 0), seconds=0.05)
        stage.keep_running("consumer-1", stage.sqs, url, work)
        stage.run(until=_LENGTH, every=10.0)
        waits = {order: self._wait(stage, message) for order, (message,) in stage.sent.items()}
        slowest = max(waits, key=lambda order: waits[order], default="")
        if slowest and waits[slowest] > _SOON:
            raise Problem(
                f"{slowest} waited {waits[slowest]:.1f} s until your function began to work on it; {_SOON:g} s are "
                "allowed.",
                stage.sent[slowest],
            )
        judge_work(stage, url)
        _judge_budget(stage, len(times))

    def _wait(self, stage: Stage, message: str) -> float:
        """Seconds from the send to the begin of the work, or to the end."""
        sent, *_ = stage.trace.where("Sent", subject=message)
        begun = stage.trace.where("WorkStarted", subject=message)
        return (begun[0].time if begun else stage.cloud.now) - sent.time


def _judge_budget(stage: Stage, orders: int) -> None:
    calls = Counter(row.kind for row in stage.api_calls())
    empty = sum(row.detail == 0 for row in stage.api_calls("ReceiveMessage"))
    budget = math.floor(4 * _LENGTH / 60 + 1.5 * orders)
    if calls.total() > budget:
        text = (
            f"Ten minutes and {counted(orders, 'order')} took {counted(calls.total(), 'call')}; the budget is {budget}."
        )
        full = calls["ReceiveMessage"] - empty
        raise Problem(
            f"{text} {empty} receives brought nothing. Let each poll wait longer."
            if empty > budget / 2
            else f"{text} {counted(full, 'receive')} brought {orders / max(1, full):.1f} orders each. "
            "Ask for up to ten at a time."
        )


# ---- 02.poison -------------------------------------------------------------------------------------------------------

_RECEIVES = 3
_AWAY = 4  # seconds: one notch of the outage


@dataclass(frozen=True, order=True)
class PoisonCase(Case):
    orders: int = dial(1, 10, "order")
    poison: int = dial(0, 2, lambda n: f"of which {counted(n, 'order')} always fail{'s' * (n == 1)}" if n else "")
    away: int = dial(0, 4, lambda n: f"the bank is away, so all fail, in the first {_AWAY * n} s" if n else "")
    consumers: int = dial(1, 3, "consumer")
    seed: int = seeds()


class Poison(Exercise):
    """Poison goes to the dead-letter queue, nothing else does, and nothing is lost."""

    id = "02.poison"
    signature = "consumer(sqs, queue_url, process)"
    covered = "1 to 10 orders, up to 2 that always fail, 1 to 3 consumers, and a bank that is away for up to 16 s"
    plain = PoisonCase(orders=4, poison=1)

    def trial(self, stage: Stage, fn: Function, case: PoisonCase) -> None:
        dead = stage.queue("orders-dlq")
        arn = stage.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": _RECEIVES})
        url = stage.queue("orders", VisibilityTimeout=10, RedrivePolicy=policy)
        orders = _orders(stage, url, case.orders)
        poison, away = orders[: case.poison], stage.cloud.now + _AWAY * case.away
        work = Work(
            stage,
            Accident(stage, 0),
            seconds=3.0,
            fails=lambda body, step: body in poison or stage.cloud.now < away,
        )
        for n in range(case.consumers):
            stage.keep_running(f"consumer-{n + 1}", stage.sqs, url, work)
        stage.run(until=300, settled=lambda: not stage.held(url))
        stage.run(until=stage.cloud.now + 5)
        buried = stage.held(dead)
        for order, (message,) in stage.sent.items():
            if order in poison:
                _judge_poison(stage, order, message, message in buried)
            elif message in buried:
                _blame_burial(stage, order, message)
        judge_work(stage, url, but=poison)


def _judge_poison(stage: Stage, order: str, message: str, buried: bool) -> None:
    if buried:
        return
    deleted = stage.trace.where("Deleted", subject=message)
    times, tried = (
        once(len(stage.trace.where("Received", subject=message))),
        stage.trace.where("WorkStarted", subject=message),
    )
    if deleted:
        raise Problem(
            f"{order} always fails, and {deleted[0].actor} deleted it at {deleted[0].time:.2f} s: it is lost, and "
            "nobody can find out why it failed. Leave it; SQS moves it to the dead-letter queue.",
            [message],
        )
    raise Problem(
        f"{order} always fails, and is not in the dead-letter queue after {stage.cloud.now:.0f} s. "
        f"It was received {times} and tried {once(len(tried))}; at the receive after the {_RECEIVES}rd SQS moves it.",
        [message],
    )


def _blame_burial(stage: Stage, order: str, message: str) -> None:
    trace = stage.trace
    received, worked = trace.where("Received", subject=message), trace.where("WorkStarted", subject=message)
    span = f"{once(len(received))} in {received[-1].time - received[0].time:.0f} s"
    waited = len(worked) < len(received) or trace.where("WorkEnded", subject=message)
    why = (
        "It waited behind others of its batch until it was visible again. Receive only what you begin at once."
        if waited
        else "The bank was away for a short time, and all tries fell into it. Give a failed message time."
    )
    raise Problem(
        f"{order} is in the dead-letter queue, but there is nothing wrong with it. It was received {span}. {why}",
        [message],
    )


# ---- 02.shutdown -----------------------------------------------------------------------------------------------------

_GRACE = 25.0  # seconds
_NOTCH = 3  # seconds
_WORK = 4.0  # seconds


@dataclass(frozen=True, order=True)
class ShutdownCase(Case):
    orders: int = dial(0, 12, "order")
    stop: int = dial(1, 12, lambda n: f"the machine stops at {_NOTCH * n} s")
    late: int = dial(0, 1, lambda n: "one more order comes 5 s later" if n else "")
    seed: int = seeds()


class Shutdown(Exercise):
    """Hand back what you hold when the machine stops."""

    id = "02.shutdown"
    signature = "consumer(sqs, queue_url, process, stopping)"
    covered = "0 to 12 orders, a signal at any moment, and an order that comes in the last poll"
    plain = ShutdownCase(orders=10, stop=3)

    def trial(self, stage: Stage, fn: Function, case: ShutdownCase) -> None:
        url = stage.queue("orders", VisibilityTimeout=300)
        _orders(stage, url, case.orders)
        cloud, stop = stage.cloud, float(_NOTCH * case.stop)
        if case.late:
            cloud.kernel.at(stop + 5, stage.send, url, "late-order", "late-order")
        work = Work(stage, Accident(stage, 0), _WORK)
        stage.learners.append("consumer-1")
        process = cloud.spawn(fn, stage.sqs, url, work, lambda: cloud.now >= stop, name="consumer-1")
        stage.run(stop + _GRACE, lambda: not process.alive, every=0.5)
        end = cloud.now
        if end < stop:
            raise Problem(
                f"Your function returned at {end:.1f} s, before stopping() said True. Keep polling till then."
            )
        begun = [row for row in stage.trace.where("WorkStarted") if row.time > stop]
        if begun:
            order = next(order for order, ids in stage.sent.items() if begun[0].subject in ids)
            raise Problem(
                f"The signal came at {stop:g} s, but your function began to work on {order} at {begun[0].time:.2f} s. "
                "Ask stopping() before each message.",
                [begun[0].subject],
            )
        if process.alive:
            raise Problem(
                f"The signal came at {stop:g} s, and your function still ran {_GRACE:g} s later: it is ended by force. "
                "Ask stopping() before each poll too."
            )
        _judge_given_back(stage, url, stop)


def _judge_given_back(stage: Stage, url: str, stop: float) -> None:
    trace, queue = stage.trace, stage.cloud.service("sqs").queue(url)
    for order, (message,) in stage.sent.items():
        done = trace.where("WorkEnded", subject=message)
        deleted = trace.where("Deleted", subject=message)
        if deleted and not done:
            raise Problem(
                f"{order} was deleted at {deleted[0].time:.2f} s, but nobody had worked on it: it is lost.", [message]
            )
        if done and not deleted:
            raise Problem(
                f"{order} was done at {done[0].time:.2f} s and not deleted. Somebody will do it again.", [message]
            )
        hidden = trace.where(("Received", "VisibilityChanged", "BecameVisible"), subject=message)
        if message in queue.messages and hidden and hidden[-1].kind != "BecameVisible":
            left = hidden[-1].until - stage.cloud.now
            raise Problem(
                f"Your function returned, but it still holds {order}: nobody else sees it for {left:.0f} s. "
                "Hand it back: change its visibility timeout to 0.",
                [message],
            )


EXERCISES = (Heartbeat(), Timeout(), Longpoll(), Poison(), Shutdown())
