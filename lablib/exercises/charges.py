"""What can be wrong with charges: an order that is charged twice, or never. `stage.given` has the amounts by order."""

from __future__ import annotations

from collections.abc import Iterator

from lablib.exercises.case import cut
from lablib.exercises.faults import why_gone
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.story import once
from lablib.kernel import Row


def charged_once(stage: Stage) -> Iterator[Problem]:
    """Every order is charged its amount, once."""
    trace, amounts = stage.trace, stage.given
    for row in trace.where("Charged"):
        if row.subject not in amounts:
            yield _unknown_order(stage, row)
        elif row.detail != amounts[row.subject]:
            yield Problem(
                f"{row.subject} was charged {cut(row.detail, 30)}, but its amount is {amounts[row.subject]}.",
                [row.subject],
            )
    for order in amounts:
        charges, story = trace.where("Charged", subject=order), stage.story(order)
        about = [order, *story.ids]
        if len(charges) > 1:
            first, second = charges[:2]
            who = f"at {first.time:.2f} s by {first.actor} and at {second.time:.2f} s by {second.actor}"
            yield Problem(f"{order} was charged {once(len(charges))}, {who}: {_why_again(stage, first, second)}", about)
        elif not charges and story.left_in:
            yield Problem(
                f"{order} was never charged. Its message is still in the queue after {stage.cloud.now:.0f} s.", about
            )
        elif not charges:
            why = why_gone(story, "the charge")
            yield Problem(f"{order} was never charged: {why}. The message is gone, and nobody will try again.", about)


def _unknown_order(stage: Stage, row: Row) -> Problem:
    owner = next((order for order, ids in stage.sent.items() if row.subject in ids), None)
    if owner is None:
        return Problem(f"Your function charged {cut(row.subject)}, which is no order. The body has the 'order_id'.")
    return Problem(
        f"Your function charged {row.subject[:8]}..., which is the MessageId of a message about {owner}. "
        "A MessageId names a message, not an order: an order that is sent twice is two messages.",
        [owner, row.subject],
    )


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
    one, two = (trace[row.cause].subject if row.cause >= 0 else "" for row in (first, second))
    if one != two:
        reasons.append("it came in two messages, because the shop had sent it twice")
        lessons.append("Two MessageIds, one order.")
        if first.actor != second.actor and not raced:
            lessons.append(f"What {first.actor} remembers, {second.actor} does not know.")
    elif second.cause >= 0 and second.cause != first.cause:
        reasons.append(f"its message was {trace.describe(trace[second.cause])}")
    why = "; ".join(reasons) or "your function charged it again on its own"
    return " ".join([f"{why}.", *lessons])


def charges_left(stage: Stage) -> Iterator[Problem]:
    """No message about an order is left in the queue."""
    for order in stage.given:
        story = stage.story(order)
        for message in story.left_in:
            times = once(sum(row.subject == message for row in story.received))
            yield Problem(
                f"{order} was charged, but a message about it is still in the queue after {stage.cloud.now:.0f} s; "
                f"it was received {times}. Delete a message also when its order was charged before.",
                [order, message],
            )
