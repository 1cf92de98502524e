"""What a broker's rows mean, whatever its engine. A destination's place is "broker/queue/orders"; who has a message is
the host of the client.

A message for a topic (an exchange) is `Routed`, and each subscriber's (each queue's) copy is a subject of its own whose
rows have the `Routed` row as their cause.
"""

from __future__ import annotations

from lablib.aws.event import HIDDEN, PASSING, WAITING, Event
from lablib.kernel import Row, Trace


def _enqueued(row: Row, trace: Trace) -> str:
    kept = "persistent" if row.detail["persistent"] else "in memory only"
    return f"sent to {row.resource} by {row.actor}, {kept}, {row.detail['bytes']} bytes"


def _dispatched(row: Row, trace: Trace) -> str:
    again = ", marked as redelivered" if row.detail == "redelivered" else ""
    return f"dispatched to {row.actor}{again}, which has not acknowledged it yet"


def _why_again(trace: Trace, rows: list[Row], before: Row, row: Row) -> str:
    between = [r for r in rows if before.index < r.index < row.index]
    back = next((r for r in between if r.kind in ("Returned", "Recovered")), None)
    if back is None:
        return f"It was dispatched again at {row.time:.3f} s."
    why = trace.describe(back)
    return f"It was dispatched again at {row.time:.3f} s: at {back.time:.3f} s it was {why}."


EVENTS = (
    Event("BrokerCreated", "broker {resource} created by {actor}"),
    Event("BrokerRunning", "broker {resource} is running"),
    Event("BrokerRebooting", "broker {resource} reboots", label="reboot", notable="{resource} reboots: {detail}."),
    Event("BrokerDeleted", "broker {resource} deleted", ends="deleted", whole=True),
    Event("NodeStarted", "the broker's program starts on {actor}"),
    Event("LockTaken", "{actor} has the lock of the store, and reads it"),
    Event("LockLost", "{actor} does not reach the store any more: its lock is over, and it ends"),
    Event(
        "NodeServing",
        "{detail} serves {resource} from now on",
        label="failover",
        notable="{detail} serves {resource}.",
        big=True,
    ),
    Event(
        "NodeGone",
        "{detail} serves {resource} no longer",
        label="node gone",
        notable="{detail} serves {resource} no longer.",
        big=True,
    ),
    Event("ClientConnected", "{actor} connected to {resource} as {detail}"),
    Event(
        "ClientRefused",
        "{resource} refused {actor}: {detail}",
        label="refused",
        notable="{resource} refuses {actor}: {detail}.",
    ),
    Event("ClientGone", "{actor} left {resource}: {detail}"),
    Event("ClientError", "{resource} answered {actor} with an error: {detail}"),
    Event("ConsumerAdded", "{actor} subscribed to {resource}"),
    Event("ConsumerRemoved", "{actor} takes nothing more from {resource}"),
    Event("Enqueued", _enqueued, "{actor} sent {message}", state=WAITING, counts="sent"),
    Event("Stored", "on the disk of {resource}"),
    Event("Confirmed", "confirmed to {actor}"),
    Event(
        "Routed",
        "sent to {resource} by {actor}, for {detail} receivers",
        "{actor} sent {message}",
        state=PASSING,
        ends="passed on",
        counts="published",
    ),
    Event("CopyEnqueued", "a copy waits for {resource}", state=WAITING, origin="resource", joins=True),
    Event(
        "Dispatched",
        _dispatched,
        "{message} went to {actor}",
        state=HIDDEN,
        holder="gets",
        counts="received",
        label="duplicate",
        again=True,
        why_again=_why_again,
        big=True,
    ),
    Event(
        "Acknowledged",
        "acknowledged by {actor}",
        "{actor} acknowledged {message}",
        ends="acknowledged",
        holder="drops",
        counts="deleted",
    ),
    Event("DeliveryCut", "the connection to {actor} broke before it was acknowledged", holder="loses"),
    Event(
        "Forgotten",
        "forgotten by the broker: it was only in the memory of {actor}, and with a consumer",
        "the broker has forgotten {message}",
        ends="forgotten",
    ),
    Event("Returned", "back in {resource}: {detail}", "{message} is back in the queue", state=WAITING, holder="drops"),
    Event("Recovered", "found in the store by {actor}", "{message} is read from the store", state=WAITING),
    Event(
        "MemoryLost",
        "lost: it was only in the memory of {actor}",
        "{message} is lost with the broker's memory",
        ends="lost",
        lost=True,
        counts="expired",
        label="lost",
        notable="A message of {resource} was only in memory and is lost.",
        series="all",
    ),
    Event(
        "TimeToLiveOver",
        "older than its time to live: gone from {resource}",
        "{message} expired",
        ends="expired",
        lost=True,
        counts="expired",
        label="expiry",
        notable="A message in {resource} is older than its time to live.",
        series="all",
    ),
    Event(
        "Discarded",
        "discarded by {resource}: {detail}",
        "{message} was discarded",
        ends="discarded",
        lost=True,
        label="discarded",
        notable="{resource} discards a message: {detail}.",
        series="all",
    ),
    Event(
        "DeadLettered",
        "moved from {resource} to {detail}",
        "{message} moved to the dead-letter queue",
        state=WAITING,
        at="detail",
        ends="moved to the dead-letter queue",
        counts="dead letters",
        label="dead letter",
        notable="A message moves to {detail}.",
        series="all",
    ),
    Event(
        "ProducerBlocked",
        "{actor} is blocked: {resource} takes nothing more ({detail})",
        is_now="blocked",
        label="flow control",
        notable="{actor} is blocked: {detail}.",
        series="actor",
        big=True,
    ),
    Event("ProducerUnblocked", "{actor} is blocked no longer", is_now="free"),
)
