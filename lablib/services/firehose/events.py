"""The transitions of Data Firehose: what they mean, and their words.

Places: "clicks" is where the records of the stream "clicks" wait to be delivered; "clicks/backup" where copies of all
records wait for the backup bucket; "clicks/errors" where records wait that could not be processed or delivered.
"""

from __future__ import annotations

from lablib.aws.event import RETRYING, WAITING, Event
from lablib.kernel import Row, Trace


def _closed(row: Row) -> str:
    why = {"size": "is full", "time": "has waited long enough", "change": "is closed: its settings change"}
    count = row.detail["records"]
    leave = "leaves" if count == 1 else "leave together"
    return f"The buffer of {row.resource} {why[row.detail['why']]}: {count} records {leave}."


def _delivered(row: Row, trace: Trace) -> str:
    batch = trace[row.cause].detail
    attempts = f", at attempt {batch['attempts']}" if batch["attempts"] > 1 else ""
    return f"delivered from {row.resource} to {batch['to']}, with {batch['records'] - 1} others{attempts}"


EVENTS = (
    Event("DeliveryStreamCreated", "delivery stream {resource} created by {actor}"),
    Event("DeliveryStreamActive", "delivery stream {resource} is active"),
    Event("DeliveryStreamDeleting", "delivery stream {resource} is being deleted by {actor}"),
    Event("DeliveryStreamDeleted", "delivery stream {resource} is gone"),
    Event(
        "DeliveryStreamChanged",
        "{detail} of delivery stream {resource} changed by {actor}",
        label="change",
        notable="Of delivery stream {resource}, {detail} changes.",
    ),
    # ---- a record
    Event(
        "RecordAccepted",
        "accepted by delivery stream {resource} from {actor}, {detail} bytes",
        "{actor} put {message}",
        state=WAITING,
        counts="sent",
    ),
    Event(
        "RecordTaken",
        "read from its stream by delivery stream {resource}, {detail} bytes",
        "{resource} read {message}",
        state=WAITING,
        origin="resource",
        counts="taken",
    ),
    Event("RecordUnpacked", "unpacked: there are {detail} records in it", ends="unpacked"),
    Event("PartTaken", "a part of a record, {detail} bytes", state=WAITING, origin="resource", joins=True),
    Event("RecordCopied", "a copy waits for the backup bucket in {resource}", state=WAITING, origin="resource",
          copies=True),
    Event("RecordDropped", "dropped by the transform {actor}", "{actor} dropped {message}", ends="dropped",
          counts="dropped"),
    Event("RecordFailed", "could not be processed or delivered: {detail}", "{message} failed", ends="failed",
          counts="failed"),
    Event("RecordSetAside", "waits for the error prefix in {resource}", state=WAITING, origin="resource"),
    Event("RecordRetrying", "not delivered yet: Firehose tries again, until {until:.0f} s", state=RETRYING),
    Event("RecordDelivered", _delivered, "{message} is delivered", ends="delivered", counts="delivered"),
    Event(
        "RecordLost",
        "lost: {detail}",
        "{message} is lost",
        ends="lost",
        lost=True,
        counts="lost",
        label="lost",
        notable="A record of {resource} is lost: {detail}.",
        series="all",
        big=True,
    ),
    Event(
        "PutThrottled",
        "{resource} refused {detail} records of {actor}: more than it takes in a second",
        label="throttled",
        notable="{resource} takes no more this second: records of {actor} are refused.",
        series="actor",
        counts="refused",
        big=True,
    ),
    # ---- a batch
    Event("BufferClosed", "the buffer of {resource} closed ({detail[why]}) with {detail[records]} records",
          label="buffer closed", notable=_closed, series="all"),
    Event("BatchDelivered", "{detail[records]} records of {resource} delivered to {detail[to]}", label="delivery",
          notable="{resource} delivers {detail[records]} records to {detail[to]}.", series="all", attempt=True),
    Event(
        "BatchFailed",
        "attempt {detail[attempt]} to deliver {detail[records]} records of {resource} failed: {detail[code]}",
        label="failed delivery",
        notable="{resource} cannot deliver: {detail[code]}.",
        series="actor",
        big=True,
        attempt=False,
    ),
    Event("TransformBegun", "{detail[records]} records of {resource} are given to the transform ({detail[why]})"),
    Event("TransformFailed", "attempt {detail[attempt]} to transform {detail[records]} records failed: {detail[code]}",
          label="failed transform", notable="The transform of {resource} fails: {detail[code]}.", series="actor"),
    Event("RecordsTransformed", "of {detail[records]} records the transform of {resource} kept {detail[Ok]}"),
)  # fmt: skip
