"""What must hold in any run, whatever the consumer does: nothing is lost, nothing is charged twice. Judged over the
trace.
"""

from __future__ import annotations

from collections.abc import Collection

from lablib.exercises.stage import Problem, Stage
from lablib.kernel import Row, Trace


def once(n: int) -> str:
    """ "once", "twice", "3 times"."""
    return "once" if n == 1 else "twice" if n == 2 else f"{n} times"


def judge_work(stage: Stage, url: str, but: Collection[str] = ()) -> None:
    """Every message that was sent is worked on, then deleted; except those that are called as in `but`. Raises
    Problem.
    """
    held = set(stage.held(url))
    life: dict[str, dict[str, list[Row]]] = {}
    for row in stage.trace:
        life.setdefault(row.subject, {}).setdefault(row.kind, []).append(row)
    for order, (message,) in stage.sent.items():
        if order in but:
            continue
        done, received, deleted = (life[message].get(kind, []) for kind in ("WorkEnded", "Received", "Deleted"))
        if message in held and received:
            often = f"It was received {once(len(received))} and processed {once(len(done))}."
            raise Problem(
                f"{order} is still in the queue after {stage.cloud.now:.0f} s. {often} "
                "A message stays until somebody deletes it, and comes back when its visibility timeout ends.",
                [message],
            )
        if message in held:
            raise Problem(f"{order} was not received in {stage.cloud.now:.0f} s.", [message])
        if not done:
            raise Problem(f"{order} is lost: {deleted_early(stage.trace, deleted[0], 'its work was done')}.", [message])


def deleted_early(trace: Trace, deleted: Row, before: str) -> str:
    """ "consumer-1 deleted its message at 1.02 s, before its work was done, and then crashed at 1.52 s" """
    text = f"{deleted.actor} deleted its message at {deleted.time:.2f} s, before {before}"
    crashes = [row for row in trace.where("Crashed", actor=deleted.actor) if row.index > deleted.index]
    return f"{text}, and then crashed at {crashes[0].time:.2f} s" if crashes else text


def judge_charges(stage: Stage, amounts: dict[str, int]) -> None:
    """Every order is charged its amount, once. Raises Problem."""
    trace = stage.trace
    for row in trace.where("Charged"):
        if row.subject not in amounts:
            _strange_order(stage, row)
        if row.detail != amounts[row.subject]:
            raise Problem(
                f"{row.subject} was charged {row.detail!r:.30}, but its amount is {amounts[row.subject]}.",
                [row.subject],
            )
    for order in amounts:
        charges = trace.where("Charged", subject=order)
        about = [order, *stage.sent.get(order, ())]
        if len(charges) > 1:
            first, second = charges[:2]
            who = f"at {first.time:.2f} s by {first.actor} and at {second.time:.2f} s by {second.actor}"
            raise Problem(f"{order} was charged {once(len(charges))}, {who}: {_why_again(stage, first, second)}", about)
        deleted = trace.where("Deleted", subject=tuple(stage.sent.get(order, ())))
        if not charges and deleted:
            why = deleted_early(trace, deleted[0], "the charge")
            raise Problem(f"{order} was never charged: {why}. The message is gone, and nobody will try again.", about)
        if not charges:
            raise Problem(
                f"{order} was never charged. Its message is still in the queue after {stage.cloud.now:.0f} s.", about
            )


def _strange_order(stage: Stage, row: Row) -> None:
    owner = next((order for order, ids in stage.sent.items() if row.subject in ids), None)
    if owner is None:
        raise Problem(f"Your function charged {row.subject!r:.60}, which is no order. The body has the 'order_id'.")
    raise Problem(
        f"Your function charged {row.subject[:8]}..., which is the MessageId of a message about {owner}. "
        "A MessageId names a message, not an order: an order that is sent twice is two messages.",
        [owner, row.subject],
    )


def _message_of(trace: Trace, row: Row) -> str:
    return trace[row.cause].subject if row.cause >= 0 else ""


def _why_again(stage: Stage, first: Row, second: Row) -> str:
    """Why an order was charged a second time, from what happened before it."""
    trace, order = stage.trace, first.subject
    reasons, lessons = [], []
    for row in trace.where("Crashed", actor=first.actor):
        if first.index < row.index < second.index:
            reasons.append(
                f"{first.actor} crashed at {row.time:.2f} s, after it had charged and before it deleted the message"
            )
    looks = [
        r for r in trace.where("LookedUp", subject=order, actor=second.actor) if r.index < second.index and not r.detail
    ]
    raced = bool(looks) and looks[-1].index < first.index
    if raced:
        reasons.append(
            f"{second.actor} asked the ledger at {looks[-1].time:.2f} s and heard that {order} was not charged, "
            f"but {first.actor} charged it before {second.actor} did"
        )
        lessons.append("Asking and charging must be one step.")
    messages = [_message_of(trace, row) for row in (first, second)]
    if messages[0] != messages[1]:
        reasons.append("it came in two messages, because the shop had sent it twice")
        lessons.append("Two MessageIds, one order.")
        if first.actor != second.actor and not raced:
            lessons.append(f"What {first.actor} remembers, {second.actor} does not know.")
    elif second.cause >= 0:
        reasons.append(f"its message was {trace.describe(trace[second.cause])}")
    why = "; ".join(reasons) or "your function charged it again on its own"
    return " ".join([f"{why}.", *lessons])


def judge_rest(stage: Stage, url: str, amounts: dict[str, int]) -> None:
    """No message about an order is left in the queue. Raises Problem."""
    held = stage.held(url)
    for order in amounts:
        for message in stage.sent[order]:
            if message in held:
                times = once(len(stage.trace.where("Received", subject=message)))
                raise Problem(
                    f"{order} was charged, but a message about it is still in the queue after {stage.cloud.now:.0f} s; "
                    f"it was received {times}. Delete a message also when its order was charged before.",
                    [order, message],
                )
