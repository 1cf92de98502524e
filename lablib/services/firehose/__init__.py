"""Amazon Data Firehose (Kinesis Data Firehose until 2024): records are collected, and delivered in batches.

Operations, parameters and constraints: API reference (2015-08-04) as shipped in botocore. `settings` reads what a
destination is, `stream` and `pipeline` are the way of a record, `records` the buffers, `objects` what is written to
S3, `source` reads a Kinesis stream, `control` has the operations on streams; here is what takes records.
"""

from __future__ import annotations

from functools import partial

from lablib.aws.constraints import Rule, check, invalid, violations
from lablib.aws.service import Bill, Request, ServiceError
from lablib.services.firehose.bill import bill
from lablib.services.firehose.checks import Document, argument
from lablib.services.firehose.control import Control
from lablib.services.firehose.events import EVENTS
from lablib.services.firehose.quotas import QUOTAS
from lablib.services.firehose.records import Record
from lablib.services.firehose.stream import DeliveryStream

_SLOW_DOWN = "Slow down."  # reported


def _stored(answer: Document) -> int:
    """How many records PutRecordBatch took: the others failed in place."""
    return len(answer["RequestResponses"]) - int(answer["FailedPutCount"])


class Firehose(Control):
    """Data Firehose in one region of one account."""

    events = EVENTS
    quotas = QUOTAS
    batches = frozenset(("PutRecordBatch",))
    counts = {"PutRecordBatch": _stored}

    def biller(self) -> Bill:
        return partial(bill, self.works)

    def put_record(self, request: Request, *, delivery_stream_name: str, record: Document) -> Document:
        stream = self._open(delivery_stream_name)
        data = record["Data"]
        if len(data) > (most := self.world.quotas["firehose.record_size"]):
            raise invalid(*violations("record.data", data, Rule(high=most)))
        self._use_key(stream, request)
        if not (self._admits_call(stream) and self._admits(stream, len(data))):
            self._throttled(stream, request, 1)
            raise ServiceError("ServiceUnavailableException", _SLOW_DOWN, status=503, sender_fault=False)
        stream.calls.take(1)
        return {"RecordId": self._accept(stream, data, request)} | self._encrypted(stream)

    def put_record_batch(self, request: Request, *, delivery_stream_name: str, records: list[Document]) -> Document:
        stream = self._open(delivery_stream_name)
        self._check_batch(records)
        self._use_key(stream, request)
        if not self._admits_call(stream):
            self._throttled(stream, request, len(records))
            raise ServiceError("ServiceUnavailableException", _SLOW_DOWN, status=503, sender_fault=False)
        stream.calls.take(1)
        answers: list[Document] = []
        failed = refused = 0
        for entry in records:
            if request.partial and request.entry_fails():
                failed += 1
                answers.append({"ErrorCode": "InternalFailure", "ErrorMessage": "Internal service failure."})
            elif self._admits(stream, len(entry["Data"])):
                answers.append({"RecordId": self._accept(stream, entry["Data"], request)})
            else:
                failed, refused = failed + 1, refused + 1
                answers.append({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": _SLOW_DOWN})
        if refused:
            self._throttled(stream, request, refused)
        return {"FailedPutCount": failed, "RequestResponses": answers} | self._encrypted(stream)

    def _open(self, name: str) -> DeliveryStream:
        """The stream, when it takes records from callers."""
        stream = self.streams.get(name) or self._stream(name)
        if stream.status == "CREATING":
            raise ServiceError("ResourceNotFoundException", f"Firehose {name} is not ready: it is being created.")
        if stream.kind != "DirectPut":  # reported
            raise argument(f"This operation is not permitted on {stream.kind} delivery stream type.")
        return stream

    def _check_batch(self, records: list[Document]) -> None:
        quotas = self.world.quotas
        most, largest = quotas["firehose.batch_records"], quotas["firehose.record_size"]
        check("records", records, Rule(1, most))
        sizes = [len(entry["Data"]) for entry in records]
        if max(sizes) > largest:
            data = ((f"records.{number}.member.data", entry["Data"]) for number, entry in enumerate(records, 1))
            raise invalid(*(text for at, value in data for text in violations(at, value, Rule(high=largest))))
        if sum(sizes) > quotas["firehose.batch_size"]:
            raise argument(f"Records size exceeds {quotas['firehose.batch_size'] >> 20} MB limit")

    def _admits_call(self, stream: DeliveryStream) -> bool:
        return stream.calls.has(1, self.now)

    def _admits(self, stream: DeliveryStream, size: int) -> bool:
        """Take a record of so many bytes from what the stream takes a second, if it fits."""
        now = self.now
        fits = stream.records.has(1, now) and stream.bytes.has(size, now)
        if fits:
            stream.records.take(1)
            stream.bytes.take(size)
        return fits

    def _accept(self, stream: DeliveryStream, data: bytes, request: Request) -> str:
        now = self.now
        record = Record(stream.new_id(), data, now, now + self.world.quotas["firehose.retention"])
        trace = self.world.trace
        row = trace.add("RecordAccepted", stream.name, record.id, request.caller, request.row, len(data))
        stream.take(record, row)
        return record.id

    def _throttled(self, stream: DeliveryStream, request: Request, count: int) -> None:
        self.world.trace.add("PutThrottled", stream.name, "", request.caller, request.row, count)

    def _use_key(self, stream: DeliveryStream, request: Request) -> None:
        """A customer's key must be there and usable (API reference, PutRecord: InvalidKMSResourceException)."""
        if stream.encryption.get("KeyARN") and stream.encryption["Status"] == "ENABLED":
            reuse = self.world.quotas["firehose.data_key_reuse"]
            self._data_keys.encrypt(request, stream.arn, stream.encryption["KeyARN"], reuse)

    def _encrypted(self, stream: DeliveryStream) -> Document:
        return {"Encrypted": stream.encryption["Status"] in ("ENABLED", "DISABLING")}
