"""The exercises of lab 02: visibility timeout, polling, poison, shutdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from lablib.actors.fleet import Worker
from lablib.actors.producers import send_all
from lablib.cloud import Cloud
from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, crashes, flag, knobs, number, one_of, scaled, some
from lablib.exercises.faults import (
    CONSUMER,
    at_once,
    changed_settings,
    deleted_early,
    done_twice,
    expired,
    hidden_too_long,
    left,
    lost,
    many_receives,
    short_polls,
    visible_after_the_work,
    visible_while_worked_on,
)
from lablib.exercises.fleets import run_fleet, whole_number
from lablib.exercises.partners import Work, WorkFailed, first_try
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.story import Story, once
from lablib.kernel import Signal, Trace, lognormal

# ---- 02.heartbeat ----------------------------------------------------------------------------------------------------

_STEP = 8.0  # seconds
_TIMEOUT = 30  # seconds: the queue's
_SOON = 45.0  # seconds after a failure, until another try can begin


class Heartbeat(Exercise):
    """Hide the message as long as the work goes on, and no longer."""

    id = "02.heartbeat"
    signature = "consumer(sqs, queue_url, begin)"
    knobs = knobs(
        orders=number("order", 1, 3),
        steps=number(f"step{{s}} of {_STEP:g} s", 1, 20),
        consumers=number("consumer", 1, 2),
        fails=scaled("the first try of order-1 fails in step {:d}", 4),
        crash=crashes("step", 4),
    )
    harmless = {"orders": 2, "steps": 6}
    also = ({"steps": 20}, {"steps": 3, "crash": 3}, {"steps": 3, "fails": 2})
    causes = (
        visible_while_worked_on,
        hidden_too_long(
            _SOON,
            f"Hide a message for a short time, such as {_TIMEOUT} s, again and again, and only while the work goes on.",
        ),
    )
    faults = (*CONSUMER, deleted_early, short_polls)

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("orders", VisibilityTimeout=_TIMEOUT)
        stage.orders(url, case.orders)
        work = Work(stage, _STEP, case.crash, case.steps, first_try("order-1", case.fails))
        stage.consumers(case.consumers, stage.sqs, url, work.begin)
        stage.run_until_empty(url, until=900)


# ---- 02.timeout ------------------------------------------------------------------------------------------------------

JOBS = 400
TWICE = 8  # jobs that may be done twice: 2 in 100
_CONSUMERS = 40
_TOO_LONG = 2  # times the shortest timeout that would do


class Times(NamedTuple):
    """Work times: half of the jobs under `median`, 19 of 20 under `p95`; a `share` of them take `factor` times as
    long.
    """

    median: float
    p95: float
    share: float = 0.0
    factor: float = 1.0

    def __str__(self) -> str:
        slow = f", and {self.share:.0%} of them {self.factor:g} times as long" if self.share else ""
        return f"jobs of about {self.median:g} s, 1 in 20 over {self.p95:g} s{slow}"

    def at(self, u: float, v: float) -> float:
        """The work time that stands at `u` among all, slow or not as `v` says (both in [0, 1))."""
        factor = self.factor if v < self.share else 1.0
        return round(lognormal(self.median, self.p95).at(u) * factor, 3)


_TIMES = (
    Times(10, 15), Times(2, 3), Times(5, 20), Times(60, 75), Times(5, 6, 0.04, 20), Times(300, 900),
)  # fmt: skip


class Outcome(NamedTuple):
    """What came of a timeout: the messages received twice, the one whose consumer crashed and for how long it was
    hidden afterwards (s), and the shortest timeout that would do (s).
    """

    trace: Trace
    twice: list[str]
    crashed: str
    gap: float
    enough: int


@lru_cache(maxsize=64)
def rehearse(times: Times, timeout: int, seed: int) -> Outcome:
    """Forty consumers do 400 jobs with that visibility timeout (s); the one that has the first job crashes in it.

    It ends when all other jobs were done once, or far too many came twice.
    """
    with Cloud(seed, assume={"sqs.outages_per_hour": 0}) as cloud:
        kernel, sqs, keyed = cloud.kernel, cloud.direct("sqs"), cloud.chance.keyed
        url = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": str(timeout)})["QueueUrl"]
        jobs = [f"job-{n}" for n in range(JOBS)]
        work = {job: times.at(keyed("work", job), keyed("slow", job)) for job in jobs}
        begun: Counter[str] = Counter()
        done: set[str] = set()
        over = Signal(kernel)

        def do(worker: Worker, message: str, body: str, row: int) -> None:
            begun[message] += 1
            if begun.total() == 1:
                kernel.after(work[body] / 2, workers.crash, worker.name)
            worker.work("work", message, row, work[body])
            done.add(message)
            if len(done) >= JOBS - 1 or begun.total() - len(begun) > 4 * TWICE:
                over.fire()

        workers = run_fleet(cloud, url, _CONSUMERS, do, restart=1.0)
        cloud.spawn(send_all, kernel, sqs, url, jobs, name="shop")
        kernel.wait(over)
        cloud.trace.freeze()
    first, trace = next(iter(begun)), cloud.trace
    hidden, crash = trace.where("Received", subject=first)[0].until, trace.where("Crashed")
    twice = [message for message, times in begun.items() if times > 1 and message != first]
    gap = hidden - crash[0].time if crash else 0.0
    return Outcome(trace, twice, first, gap, math.ceil(sorted(work.values())[-TWICE - 1]))


class Timeout(Exercise):
    """The visibility timeout for the work at hand."""

    id = "02.timeout"
    signature = "timeout(durations)"
    knobs = knobs(times=one_of(_TIMES), seeds=4)
    examples = 40

    def play(self, stage: Stage, case: Any) -> None:
        times, keyed = _TIMES[case.times], stage.cloud.chance.keyed
        measured = [times.at(keyed("past", str(n)), keyed("past slow", str(n))) for n in range(1000)]
        seconds = whole_number(
            stage.call("timeout", list(measured), until=60), "A visibility timeout is a whole number of seconds"
        )
        if not 0 <= seconds <= 43_200:
            raise Problem(f"Your function returned {seconds}. SQS allows 0 to 43,200 s, which is 12 hours.")
        outcome = rehearse(times, seconds, case.seed)
        if len(outcome.twice) > TWICE:
            stage.trace, stage.labels[outcome.twice[0]] = outcome.trace, "a job"
            longer = sum(time > seconds for time in measured)
            room = "the jobs to come are not those: leave a little room" if longer <= 20 else "choose a longer one"
            raise Problem(
                f"With {seconds} s, {len(outcome.twice)} of {JOBS} jobs were begun again while somebody was working "
                f"on them; {TWICE} are allowed. Of the 1,000 measured times, which go from {min(measured):.3g} s to "
                f"{max(measured):.4g} s, {longer} are longer than {seconds} s: {room}.",
                [outcome.twice[0]],
            )
        if seconds > _TOO_LONG * outcome.enough:
            stage.trace, stage.labels[outcome.crashed] = outcome.trace, "a job"
            raise Problem(
                f"{seconds} s is too long: when a consumer crashed, nobody saw its message for {outcome.gap:.0f} s. "
                f"{outcome.enough} s would do for all but {TWICE} of {JOBS} jobs.",
                [outcome.crashed],
            )


# ---- 02.longpoll -----------------------------------------------------------------------------------------------------

_LENGTH = 600.0  # seconds
_BURST = 30  # orders
_WAIT = 3.0  # seconds
_LAST = 20.0  # seconds before the end


def begun_late(stage: Stage) -> Iterator[Problem]:
    """The work on each order begins soon after it was sent."""
    waits = {}
    for story in stage.stories():
        begun = story.tries[0].begun.time if story.tries else math.inf
        if begun == math.inf and story.received:
            yield Problem(
                f"{story.name} was received at {story.received[0].time:.1f} s, and no work on it was begun. Does an "
                "`except` hide a mistake of your own?",
                story.ids,
            )
        waits[story.name] = begun - story.sent[0].time
    slowest = max(waits, key=lambda order: waits[order], default="")
    if slowest and waits[slowest] == math.inf:
        yield Problem(f"{slowest} was never received in {stage.cloud.now:.0f} s.", stage.sent[slowest])
    elif slowest and waits[slowest] > _WAIT:
        yield Problem(
            f"{slowest} waited {waits[slowest]:.1f} s until your function began to work on it; "
            f"{_WAIT:g} s are allowed. {_why_late(stage, stage.story(slowest))}",
            stage.sent[slowest],
        )


def _why_late(stage: Stage, story: Story) -> str:
    """What the consumer did from the send to the beginning of the work, and what it could do."""
    sent, begun = story.sent[0], story.tries[0].begun
    received = [row for row in story.received if row.index < begun.index]
    if received and received[0].time - sent.time <= _WAIT:
        how = f"It was received {once(len(received))} in this time. " if len(received) > 1 else ""
        return f"{how}Work at once on all that a receive brings."
    polls = [row for row in stage.api_calls("ReceiveMessage") if row.time < begun.time and row.until > sent.time]
    vain = [row for row in polls if row.detail == 0]
    if len(vain) > 1:
        return (
            f"{once(len(vain)).capitalize()} your function asked, and got nothing: a short poll asks only some of the "
            "servers. A poll that waits asks all: WaitTimeSeconds=20."
        )
    if not polls or polls[0].time - sent.time > _WAIT:
        return "Your function did not ask for messages meanwhile. Wait in the poll, not between two polls."
    if max(row.detail for row in polls if isinstance(row.detail, int)) > 1:
        between = max((two.time - one.until for one, two in pairwise(polls)), default=0.0)
        return f"From an answer to the next poll {between:.1f} s went by. Do nothing in between that can wait."
    return "Ask for up to ten at a time, and do nothing in between that can wait."


def over_budget(stage: Stage) -> Iterator[Problem]:
    """The calls of the ten minutes stay in the budget."""
    calls: Counter[str] = Counter(row.kind for row in stage.given)
    polls = [row for row in stage.given if row.kind == "ReceiveMessage" and isinstance(row.detail, int)]
    empty, full = [row for row in polls if not row.detail], [int(row.detail) for row in polls if row.detail]
    budget = math.floor(4 * _LENGTH / 60) + 2 * stage.case.alone + 10 * stage.case.bursts
    if calls.total() <= budget:
        return
    orders = counted(len(stage.sent), "order")
    text = f"Ten minutes and {orders} took {counted(calls.total(), 'call')}; the budget is {budget}."
    if at_once(polls) > 1:
        yield Problem(
            f"{text} {at_once(polls)} polls waited at the same time. One is enough, and its messages can be shared out."
        )
    elif len(empty) > budget / 2:
        yield Problem(f"{text} {len(empty)} receives brought nothing. Let each poll wait longer.")
    elif full and max(full) == 1 and stage.case.bursts:
        yield Problem(f"{text} {counted(len(full), 'receive')} brought one order each. Ask for up to ten at a time.")
    else:
        kinds = ", ".join(f"{n} {kind}" for kind, n in calls.most_common())
        which = "Which of them are needed?"
        if calls["DeleteMessage"] > 10 and len(calls) == 2:
            which = "DeleteMessageBatch deletes up to ten with one call."
        yield Problem(f"{text} They were {kinds}; {len(empty)} receives brought nothing. {which}")


class Longpoll(Exercise):
    """Find every order soon, with few calls."""

    id = "02.longpoll"
    signature = "consumer(sqs, queue_url, process)"
    knobs = knobs(
        alone=number("order{s} alone", 0, 10),
        bursts=some(f"burst{{s}} of {_BURST} orders", 2),
        fails=flag("the work on the last order fails at first"),
    )
    harmless = {"alone": 6, "bursts": 1}
    also = ({"alone": 1, "fails": 1},)
    examples = 30
    faults = (
        changed_settings("ReceiveMessageWaitTimeSeconds"),
        begun_late,
        lost,
        expired,
        done_twice,
        deleted_early,
        left,
        over_budget,
    )

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("orders")
        kernel, chance = stage.cloud.kernel, stage.cloud.chance.stream("shop")
        times = [round(chance.uniform(1, _LENGTH - 60), 3) for _ in range(case.alone)]
        times += [round(chance.uniform(1, _LENGTH - 60), 3) for _ in range(case.bursts)] * _BURST
        times += [_LENGTH - _LAST] * case.fails
        for n, time in enumerate(sorted(times), start=1):
            kernel.at(time, stage.send, url, f"order-{n}", f"order-{n}")
        work = Work(stage, 0.05, fails=first_try(f"order-{len(times) if case.fails else 0}"))
        stage.keep_running("consumer-1", stage.sqs, url, work, restart=0.5, survives=(WorkFailed,))
        stage.run(until=_LENGTH, every=10.0)
        stage.given = stage.api_calls()
        stage.run(_LENGTH + 60, lambda: not stage.held(url))


# ---- 02.poison -------------------------------------------------------------------------------------------------------

_RECEIVES = 3
_AWAY = 4  # seconds: one notch of the outage


def poison_kept(stage: Stage) -> Iterator[Problem]:
    """Orders that always fail are in the dead-letter queue."""
    for story in (story for story in stage.stories() if story.name in stage.hopeless):
        if "orders-dlq" in story.left_in.values():
            continue
        if len(story.ids) > 1:
            yield Problem(
                f"{story.name} always fails, and {story.sent[1].actor} sent it again as a new message, at "
                f"{story.sent[1].time:.2f} s: SQS counts the receives of a new message from nothing, and so it never "
                "comes into the dead-letter queue. Leave it; it comes back by itself.",
                story.ids,
            )
        if story.deleted:
            yield Problem(
                f"{story.name} always fails, and {story.deleted[0].actor} deleted it at {story.deleted[0].time:.2f} s: "
                "it is lost, and nobody can find out why it failed. Leave it; SQS moves it to the dead-letter queue.",
                story.ids,
            )
        if not story.left_in:
            yield Problem(f"{story.name} is lost: it is in no queue. Leave it to SQS, and to the settings.", story.ids)
        times, tried = once(len(story.received)), once(len(story.tries))
        yield Problem(
            f"{story.name} always fails, and is not in the dead-letter queue after {stage.cloud.now:.0f} s. "
            f"It was received {times} and tried {tried}; at the receive after the {_RECEIVES}rd SQS moves it.",
            story.ids,
        )


def healthy_dead(stage: Stage) -> Iterator[Problem]:
    """No other order is there."""
    for story in (story for story in stage.stories() if story.name not in stage.hopeless):
        mine = [row for row in story.sent if row.resource == "orders-dlq"]
        if mine:
            yield Problem(
                f"{mine[0].actor} sent {story.name} into the dead-letter queue at {mine[0].time:.2f} s, but there is "
                f"nothing wrong with it: it had been tried {once(len(story.tries))}. Leave that to SQS, which counts.",
                story.ids,
            )
        if not story.moved:
            continue
        batches = max(story.batch(row) for row in story.received)
        cut_off = len(story.tries) < len(story.received) or story.done
        if cut_off and batches > 1:
            why = (
                "It waited behind others of its batch until it was visible again. Receive only what you begin at once."
            )
        elif cut_off:
            why = "Not every receive led to work on it that was done and deleted in time."
        else:
            why = "The bank was away for a short time, and all tries fell into it. Give a failed message time."
        yield Problem(
            f"{story.name} is in the dead-letter queue, but there is nothing wrong with it. It was received "
            f"{story.span(story.received)}. {why}",
            story.ids,
        )


class Poison(Exercise):
    """Poison goes to the dead-letter queue, nothing else does, and nothing is lost."""

    id = "02.poison"
    signature = "consumer(sqs, queue_url, process)"
    knobs = knobs(
        orders=number("order", 1, 10),
        poison=scaled("{:d} of them always fail", 2),
        away=scaled("the bank is away, so all fail, in the first {:d} s", 4, step=_AWAY),
        consumers=number("consumer", 1, 3),
    )
    harmless = {"orders": 4, "poison": 1}
    also = ({"orders": 10, "poison": 2}, {"orders": 3, "away": 4})
    faults = (poison_kept, healthy_dead, visible_while_worked_on, *CONSUMER, deleted_early, short_polls)

    def play(self, stage: Stage, case: Any) -> None:
        _, policy = stage.dead_letter_queue("orders-dlq", _RECEIVES)
        url = stage.queue("orders", VisibilityTimeout=10, RedrivePolicy=policy)
        stage.hopeless = {f"order-{n + 1}" for n in range(min(case.poison, case.orders))}
        stage.orders(url, case.orders)
        away = stage.cloud.now + _AWAY * case.away
        work = Work(stage, 3.0, fails=lambda order, *_: order in stage.hopeless or stage.cloud.now < away)
        stage.consumers(case.consumers, stage.sqs, url, work)
        stage.run_until_empty(url, until=300)


# ---- 02.shutdown -----------------------------------------------------------------------------------------------------

_GRACE = 25.0  # seconds
_STOPS = (*range(3, 37, 3), 600)  # seconds
_WORK = 4.0  # seconds


def begun_after_the_signal(stage: Stage) -> Iterator[Problem]:
    """No work begins after the signal. `stage.given` is its time."""
    begun = [row for row in stage.trace.where("WorkStarted", actor="consumer-1") if row.time > stage.given]
    if begun:
        yield Problem(
            f"The signal came at {stage.given:g} s, but your function began to work on "
            f"{stage.name_of(begun[0].subject)} at {begun[0].time:.2f} s. Ask stopping() before each message.",
            [begun[0].subject],
        )


def not_given_back(stage: Stage) -> Iterator[Problem]:
    """What was done is deleted, and the rest is visible to others."""
    for story in stage.stories():
        mine = [row for row in story.received if row.actor in stage.learners]
        if story.done and not story.deleted:
            yield Problem(
                f"{story.name} was done at {story.done[0].time:.2f} s and not deleted. Somebody will do it again.",
                story.ids,
            )
        if not mine or not story.left_in or mine[-1] != story.received[-1]:
            continue
        last = max(row for row in (*story.received, *story.hidden, *story.shown))
        if last.kind != "BecameVisible":
            yield Problem(
                f"Your function returned, but it still holds {story.name}: nobody else sees it for "
                f"{last.until - stage.cloud.now:.0f} s. Hand it back: change its visibility timeout to 0.",
                story.ids,
            )


class Shutdown(Exercise):
    """Hand back what you hold when the machine stops."""

    id = "02.shutdown"
    signature = "consumer(sqs, queue_url, process, stopping)"
    knobs = knobs(
        orders=number("order", 0, 12),
        stop=one_of([f"the machine stops at {seconds} s" for seconds in _STOPS]),
        late=flag("one more order comes 5 s later"),
        other=flag("another consumer takes over"),
    )
    harmless = {"orders": 10, "stop": 2}
    also = (
        {"orders": 12, "stop": 11},
        {"orders": 0, "stop": 0, "late": 1},
        {"orders": 12, "stop": 1, "other": 1},
        {"orders": 3, "stop": len(_STOPS) - 1},
    )
    advice = {
        "for visibility timeout change": "What was deleted, or is visible again, is not yours any more: hand back the "
        "others only."
    }
    faults = (
        begun_after_the_signal,
        changed_settings(),
        deleted_early,
        done_twice,
        visible_after_the_work,
        not_given_back,
        many_receives,
        short_polls,
    )

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("orders", VisibilityTimeout=300)
        stage.orders(url, case.orders)
        cloud, stop = stage.cloud, float(_STOPS[case.stop])
        stage.given = stop
        if case.late:
            cloud.kernel.at(stop + 5, stage.send, url, "late-order", "late-order")
        if case.other:
            cloud.kernel.at(stop, lambda: run_fleet(cloud, url, 1, _take_over, name="other"))
        process = stage.start("consumer-1", stage.sqs, url, Work(stage, _WORK), lambda: cloud.now >= stop)
        stage.run(stop + _GRACE, lambda: not process.alive, every=0.5)
        if cloud.now < stop:
            raise Problem(
                f"Your function returned at {cloud.now:.1f} s, before stopping() said True. Keep polling till then."
            )
        if process.alive and next(begun_after_the_signal(stage), None) is None:
            raise Problem(
                f"The signal came at {stop:g} s, and your function still ran {_GRACE:g} s later: it is ended by force. "
                "Ask stopping() before each poll too."
            )


def _take_over(worker: Worker, message: str, body: str, row: int) -> None:
    worker.work("work", message, row, 1.0)


EXERCISES = (Heartbeat(), Timeout(), Longpoll(), Poison(), Shutdown())
