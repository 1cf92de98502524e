"""The transitions of Kinesis Data Streams: what they mean, and their words. A shard's name is "stream/shardId-..."."""

from __future__ import annotations

from lablib.aws.event import KEPT, Event
from lablib.kernel import Row, Trace


def _read(row: Row, trace: Trace) -> str:
    first, count, behind, _ = row.detail
    age = f", {behind / 1000:.1f} s behind" if behind else ""
    return f"{row.actor} read {count} records of {row.resource} up to this one, from number {first} on{age}"


def _shards(row: Row) -> str:
    return " and ".join(name.rpartition("/")[2] for name in row.detail)


EVENTS = (
    Event(
        "StreamCreated", lambda row, trace: f"stream {row.resource} created by {row.actor}: {len(row.detail)} shards"
    ),
    Event("StreamActive", "stream {resource} is active"),
    Event("StreamDeleting", "stream {resource} is being deleted by {actor}"),
    Event("StreamDeleted", "stream {resource} is gone, with all its records"),
    Event(
        "StreamChanged",
        "{detail[name]} of stream {resource} changed by {actor}: {detail[value]}",
        label="change",
        notable="Of stream {resource}, {detail[name]} changes: {detail[value]}.",
    ),
    Event(
        "RecordPut",
        lambda row, trace: f"put into {row.resource} by {row.actor} as number {row.detail[0]}, key {row.detail[2]!r}",
        "{actor} put {message}",
        state=KEPT,
        counts="sent",
    ),
    Event("RecordExpired", "older than the retention period of {resource}: gone", ends="expired", counts="expired"),
    Event("RecordsRead", _read, "{actor} read up to {message}", holder="reads"),
    Event(
        "ReadBroughtNothing",
        lambda row, trace: (
            f"{row.resource} gave {row.actor} nothing, though this one follows, {row.detail / 1000:.1f} s behind"
        ),
    ),
    Event("RecordsPushed", _read, "{actor} was sent all up to {message}", holder="reads"),
    Event(
        "WriteThrottled",
        "{resource} refused {detail} records of {actor}: more than it takes in a second",
        label="throttled",
        notable="{resource} is full: records of {actor} are refused.",
        series="actor",
        counts="refused",
        big=True,
    ),
    Event(
        "ReadThrottled",
        "{resource} refused a read of {actor}: more than it gives in a second",
        label="throttled",
        notable="{resource} is read too often: {actor} is refused.",
        series="actor",
    ),
    Event(
        "ShardSplit",
        lambda row, trace: f"{row.resource} is split and takes nothing more: from now on {_shards(row)} do",
        label="split",
        notable=lambda row: f"{row.resource} is split into {_shards(row)}.",
        big=True,
    ),
    Event(
        "ShardsMerged",
        lambda row, trace: f"{row.resource} is merged and takes nothing more: from now on {_shards(row)} does",
        label="merge",
        notable=lambda row: f"{row.resource} goes on in {_shards(row)}.",
        big=True,
    ),
    Event("ConsumerRegistered", "consumer {detail} of stream {resource} registered by {actor}"),
    Event("ConsumerDeregistered", "consumer {detail} of stream {resource} taken away by {actor}"),
    Event("SubscribedToShard", "{actor} subscribed to {resource} as consumer {detail}"),
    Event("SubscriptionEnded", "the subscription of {actor} to {resource} ended"),
)
