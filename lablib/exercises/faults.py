"""What can be wrong with a consumer: named faults, for an exercise to list in the order in which they should be read.

A fault is a function of the stage that yields the problems it finds. The engine takes the first one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate

from lablib.exercises.case import counted, cut
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.story import Story, Try, first_after, once
from lablib.kernel import Row

Fault = Callable[[Stage], Iterator[Problem]]
_FEW = 2  # receives more than the fewest that are possible
_IN_VAIN = 15  # short polls without a message
_WAITED = 0.5  # seconds: a poll that took less did not wait


# ---- lost, left, twice -----------------------------------------------------------------------------------------------


def lost(stage: Stage) -> Iterator[Problem]:
    """Every order was worked on before it left the queue, unless it is hopeless."""
    for story in stage.stories():
        if story.name not in stage.hopeless and not story.done and not story.left_in:
            text = stage.bodies.get(story.ids[0])
            alike = (n for n, ids in stage.sent.items() if n != story.name and stage.bodies.get(ids[0]) == text)
            two = "".join(f" {name} has the same text, and is another order." for name in list(alike)[:1])
            yield Problem(f"{story.name} is lost: {why_gone(story, 'its work was done')}.{two}", story.ids)


def left(stage: Stage) -> Iterator[Problem]:
    """No order is in a queue any more, unless it is hopeless."""
    for story in stage.stories():
        if not story.left_in or story.name in stage.hopeless:
            continue
        id, place = next(iter(story.left_in.items()))
        received = [row for row in story.received if row.subject == id]
        tries = [t for t in story.tries if t.begun.subject == id]
        if not received:
            polls = [row.time for row in stage.api_calls("ReceiveMessage") if isinstance(row.detail, int)]
            last = f" Your function's last ReceiveMessage was at {polls[-1]:.0f} s." if polls else ""
            yield Problem(
                f"{story.name}, sent at {story.sent[0].time:.0f} s, was not received in "
                f"{stage.cloud.now - story.sent[0].time:.0f} s.{last}",
                story.ids,
            )
        if not tries:
            yield Problem(
                f"{story.name} is still in the queue after {stage.cloud.now:.0f} s. It was received "
                f"{once(len(received))}, and no work on it was begun. Does an `except` hide a mistake of your own?",
                story.ids,
            )
        done = sum(t.how == "done" for t in tries)
        where = "the queue" if place in _names(stage) else f"queue {place!r}"
        yield Problem(
            f"{story.name} is still in {where} after {stage.cloud.now:.0f} s. It was received {once(len(received))} "
            f"and processed {once(done)}. A message stays until somebody deletes it, and comes back when its "
            "visibility timeout ends.",
            story.ids,
        )


def _names(stage: Stage) -> list[str]:
    return [url.rpartition("/")[2] for url in stage.queues]


def expired(stage: Stage) -> Iterator[Problem]:
    """Each order left the queue because somebody deleted it, after its work; it did not grow too old."""
    for story in stage.stories():
        if story.expired:
            row = story.expired[0]
            yield Problem(
                f"Nobody deleted {story.name}: at {row.time:.0f} s it was older than the retention period of queue "
                f"{row.resource!r}, and SQS threw it away. An order that nobody had done would be lost just so. Delete "
                "what is done.",
                story.ids,
            )


def done_twice(stage: Stage) -> Iterator[Problem]:
    """What was received once is worked on once."""
    for story in stage.stories():
        done: dict[int, Row] = {}
        for t in story.tries:
            first = done.get(t.begun.cause)
            if first and t.begun.cause >= 0:
                mine = [row for row in story.received if row.actor == t.begun.actor and row.subject == t.begun.subject]
                before = [row for row in mine if row.index < first.index]
                if len(before) > 1:
                    yield Problem(
                        f"{t.begun.actor} had received {story.name} {once(len(before))} when it began to work on it, "
                        f"and did it again at {t.begun.time:.2f} s for each receive. It was visible again, because "
                        "nobody had deleted it in time. Work at once on all that a receive brings, then delete.",
                        story.ids,
                    )
                yield Problem(
                    f"{t.begun.actor} did {story.name} at {first.time:.2f} s, and began it again at "
                    f"{t.begun.time:.2f} s, though it had received it only once. Do the work once, then delete.",
                    story.ids,
                )
            if t.how == "done" and t.end:
                done[t.begun.cause] = t.end


def deleted_early(stage: Stage) -> Iterator[Problem]:
    """No message is deleted before its work is done."""
    for story in stage.stories():
        for deleted in story.deleted:
            if not any(done.index < deleted.index and done.subject == deleted.subject for done in story.done):
                text = f"{deleted.actor} deleted {story.name} at {deleted.time:.2f} s"
                again = [row for row in story.sent if stage.program(row.actor) in stage.learners]
                new = next((row for row in again if row.index < deleted.index), None)
                if new and new.resource != deleted.resource and story.name in stage.hopeless:
                    continue  # put into the queue where it belongs
                if new:
                    yield Problem(
                        f"{text}, and sent it again as a new message at {new.time:.2f} s. SQS counts the receives of a "
                        "new message from nothing, and after a crash between the two calls there are both. Leave the "
                        "message: ChangeMessageVisibility says when it is visible again.",
                        story.ids,
                    )
                if not story.tries:
                    yield Problem(f"{text}, and nobody had worked on it: it is lost.", story.ids)
                yield Problem(
                    f"{text}, before its work was done. A crash between the two loses the order. Delete it after the "
                    "work.",
                    story.ids,
                )


def why_gone(story: Story, before: str) -> str:
    """How a message left its queue: "consumer-1 deleted its message at 1.02 s, before its work was done, and then
    crashed at 1.52 s".
    """
    if story.expired:
        row = story.expired[0]
        return f"at {row.time:.0f} s it was older than the retention period of queue {row.resource!r}"
    if not story.deleted:
        emptied = story.trace.where(story.trace.kinds(lambda event: event.whole))
        row = emptied[-1] if emptied else story.sent[-1]
        return f"{row.actor} emptied queue {row.resource!r} at {row.time:.2f} s, and it was in there"
    deleted = story.deleted[0]
    text = f"{deleted.actor} deleted its message at {deleted.time:.2f} s, before {before}"
    crash = story.crash(deleted)
    return f"{text}, and then crashed at {crash.time:.2f} s" if crash else text


# ---- hidden, not too long --------------------------------------------------------------------------------------------


def visible_after_the_work(stage: Stage) -> Iterator[Problem]:
    """What was done does not come back: it is deleted before its visibility timeout is over."""
    for story in stage.stories():
        for done in story.done:
            shown, deleted = first_after(done, story.shown), first_after(done, story.deleted)
            if shown and not (deleted and deleted.index < shown.index):
                text = f"{story.name} was done at {done.time:.2f} s, and at {shown.time:.2f} s it was visible again"
                why = "nobody had deleted it. Delete what is done; the machine may run for weeks before it stops."
                if stage.trace[shown.cause] in story.hidden:
                    why = f"{done.actor} handed it back. Delete what is done, and hand back the rest."
                yield Problem(f"{text}: {why}", story.ids)


def visible_while_worked_on(stage: Stage) -> Iterator[Problem]:
    """A message is hidden from others while somebody works on it."""
    for story in stage.stories():
        for t in story.tries:
            received = stage.trace[t.begun.cause] if t.begun.cause >= 0 else t.begun
            shown = first_after(received, story.shown)
            if shown is None or (t.end and shown.index > t.end.index):
                continue
            before = [other for other in story.tries if other.begun.cause == t.begun.cause and other.how == "failed"]
            failed = [other for other in before if other.end and other.end.index < shown.index]
            if len(failed) > 1:
                yield Problem(
                    f"{story.name} was visible again at {shown.time:.2f} s, and {t.begun.actor} still tried it: it "
                    f"had failed {once(len(failed))} since it was received. Leave what failed: it comes back, and "
                    "SQS counts its receives.",
                    story.ids,
                )
            yield Problem(
                f"{story.name} was visible again at {shown.time:.2f} s, {_why_shown(story, t, shown)}", story.ids
            )


def _why_shown(story: Story, t: Try, shown: Row) -> str:
    who, trace = t.begun.actor, story.trace
    if shown.time == trace[shown.cause].time and trace[shown.cause] in story.hidden:
        back = f"because {trace[shown.cause].actor} gave it back"
        return f"{back}, and yet {who} worked on it. Give back only what you do not begin."
    received = trace[t.begun.cause]
    batch, waited = story.batch(received), t.begun.time - received.time
    early = shown.index < t.begun.index
    if batch > 1 and waited > 1:
        when = f"before {who} began to work on it" if early else f"while {who} was working on it"
        return (
            f"{when}: it had waited {waited:.0f} s behind others of the same batch, of {batch}. Take one message at a "
            "time, or hide the waiting ones too."
        )
    if early:
        return f"before {who} began to work on it, {waited:.0f} s after the receive. Begin at once."
    refused = [row for row in trace.where("ChangeMessageVisibility", actor=who) if isinstance(row.detail, str)]
    mine = [row for row in refused if t.begun.index < row.index and row.time < shown.time]
    if mine:
        return (
            f"while {who} was still working on it. Its call of ChangeMessageVisibility at {mine[0].time:.2f} s had "
            f"failed ({mine[0].detail}), and the code hid that."
        )
    return f"while {who} was still working on it. Hide it again in time, and for long enough."


def hidden_too_long(most: float, so: str) -> Fault:
    """After a crash or a failure, another try can begin within `most` seconds. `so`: what to do."""

    def fault(stage: Stage) -> Iterator[Problem]:
        for story in stage.stories():
            for t in story.tries:
                if t.end is None or t.how == "done":
                    continue
                ends = [first_after(t.begun, rows) for rows in (story.shown, story.deleted, story.moved)]
                free = min((row for row in ends if row), default=None)
                back = free.time if free else stage.cloud.now
                if back - t.end.time > most and free not in story.deleted:
                    why = f"{t.begun.actor} crashed" if t.how == "crashed" else f"the work of {t.begun.actor} failed"
                    at_least = "" if free else "at least "
                    mine = (row for row in story.hidden if stage.program(row.actor) == stage.program(t.begun.actor))
                    beats = [row for row in mine if t.end.index < row.index]
                    cure = so
                    if beats:
                        cure = (
                            f"Its heartbeat had not stopped: {beats[-1].actor} hid the message again "
                            f"{once(len(beats))} after that. The heart stops with the work."
                        )
                    yield Problem(
                        f"At {t.end.time:.2f} s {why}, and {story.name} stayed hidden {at_least}until {back:.0f} s: "
                        f"nobody could try again. {cure}",
                        story.ids,
                    )

    return fault


# ---- calls and settings ----------------------------------------------------------------------------------------------


def idle_calls(minutes: int) -> Fault:
    """In its last minutes, when the queue was empty, each consumer asked, with at most three calls a minute."""

    def fault(stage: Stage) -> Iterator[Problem]:
        since, most = stage.cloud.now - 60 * minutes, 3 * minutes
        for name in stage.learners:
            mine = [row for row in stage.api_calls() if stage.program(row.actor) == name and row.until > since]
            calls = [row for row in mine if row.time >= since and isinstance(row.detail, int)]
            if len(calls) > most:
                yield Problem(
                    f"{name} made {counted(len(calls), 'call')} in {minutes} minutes in which the queue was empty; "
                    f"{most} would do. AWS bills every call. {_why_busy(calls, since)}"
                )
            if not any(row.kind == "ReceiveMessage" for row in mine):
                yield Problem(
                    f"{name} did not ask for messages for {minutes} minutes. Messages that come now would wait."
                )

    return fault


def _why_busy(calls: list[Row], since: float) -> str:
    """What to do about calls to an empty queue."""
    polls = [row for row in calls if row.kind == "ReceiveMessage"]
    others = Counter(row.kind for row in calls if row.kind != "ReceiveMessage")
    if others and others.total() >= len(polls):
        kind, times = others.most_common(1)[0]
        return f"{times} of them were {kind}: a receive that waits tells the same, WaitTimeSeconds=20."
    if at_once(polls) > 1:
        return f"{at_once(polls)} polls waited at the same time: one is enough, and its messages can be shared out."
    return "Let each poll wait as long as it can: WaitTimeSeconds=20."


def at_once(polls: list[Row]) -> int:
    """How many of these calls were under way at the same time."""
    changes = sorted((moment, step) for row in polls for moment, step in ((row.time, 1), (row.until, -1)))
    return max(accumulate(step for _, step in changes), default=0)


def short_polls(stage: Stage) -> Iterator[Problem]:
    """A consumer waits in the poll, and does not ask in vain again and again."""
    polls = [row for row in stage.api_calls("ReceiveMessage") if row.detail == 0 and row.until - row.time < _WAITED]
    if len(polls) > _IN_VAIN:
        yield Problem(
            f"{polls[0].actor} asked {once(len(polls))} in {stage.cloud.now:.0f} s, got nothing and had not waited. "
            "A short poll asks only some of the servers. Let SQS wait for messages: WaitTimeSeconds=20."
        )


def many_receives(stage: Stage) -> Iterator[Problem]:
    """One consumer that nothing disturbs takes up to ten messages at a time."""
    if len(stage.learners) > 1 or stage.reached["crash"] or stage.reached["fails"]:
        return
    polls = stage.api_calls("ReceiveMessage")
    brought = [row for row in polls if isinstance(row.detail, int) and row.detail]
    fewest = math.ceil(len(stage.sent) / 10)
    if len(brought) <= fewest + _FEW:
        return
    text = f"{counted(len(stage.sent), 'order')} took {counted(len(brought), 'receive')}; {fewest} would do."
    short = any(row.detail == 0 and row.until - row.time < _WAITED for row in polls)
    if max(int(row.detail) for row in brought) > 1 and short:
        yield Problem(f"{text} A short poll asks only some of the servers, and misses messages: WaitTimeSeconds=20.")
    again = next((story for story in stage.stories() if len(story.received) > 1), None)
    if max(int(row.detail) for row in brought) == 10 and again:
        yield Problem(
            f"{text} {again.name} was received {once(len(again.received))}: what a receive brings, and nobody works on "
            "then, has to be received again. Work on all that a receive brings.",
            again.ids,
        )
    yield Problem(f"{text} Ask for up to ten at a time: MaxNumberOfMessages=10.")


def changed_settings(*allowed: str) -> Fault:
    """The queues have the attributes with which they were made; but for those `allowed` to change."""

    def fault(stage: Stage) -> Iterator[Problem]:
        for url, before in stage.queues.items():
            name, now = url.rpartition("/")[2], stage.settings(url)
            if not now:
                yield Problem(f"Your function deleted queue {name!r}, and others use it.")
            for key in sorted((before.keys() | now.keys()) - {*allowed}):
                if before.get(key) != now.get(key):
                    yield Problem(
                        f"Your function changed {key} of queue {name!r} from {cut(before.get(key, 'nothing'), 40)} to "
                        f"{cut(now.get(key, 'nothing'), 40)}. Others use this queue, too: leave its settings alone."
                    )

    return fault


CONSUMER = (changed_settings(), lost, expired, done_twice, left)
"""What must hold for every consumer."""
