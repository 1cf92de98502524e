"""The way of a record through a delivery stream: unpack, transform, wait in a buffer, be delivered; or be set aside.

The model. Each buffer has one batch under way at a time; what comes meanwhile makes the next one larger. An attempt
that fails is repeated after a pause that doubles: at S3 until the records are 24 hours old, elsewhere for the retry
duration, after which they go to the error prefix in S3. (Developer guide, "Handle data delivery failures"; how long
the pauses are is assumed.)
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from lablib.aws.documents import read_json
from lablib.aws.service import World
from lablib.aws.sql import SqlError, parquet
from lablib.kernel.network import network_of
from lablib.services.firehose.objects import Writer, compress, error_lines
from lablib.services.firehose.records import Batch, Buffer, Failure, Record
from lablib.services.firehose.senders import Redshift, Sender, sender_of
from lablib.services.firehose.settings import HTTP, MIB, OPENSEARCH, REDSHIFT, S3, Destination, Place, read_query
from lablib.services.firehose.transform import Transform
from lablib.services.firehose.unpack import Unreadable, parts_of, table_rows

PROCESSING_FAILED, CONVERSION_FAILED = "processing-failed", "format-conversion-failed"


class Pipeline:
    """What happens to the records of one delivery stream under one version of its destination's settings."""

    def __init__(self, world: World, name: str, arn: str, destination: Destination) -> None:
        self.world = world
        self.name = name
        self.arn = arn
        self.actor = f"firehose/{name}"
        self.destination = destination
        self.writer = Writer(world, name, destination.version)
        self._buffers: dict[tuple[str, ...], Buffer] = {}
        self._errors: dict[str, Buffer] = {}
        self._backup: Buffer | None = None
        parameters = destination.processors.get("Lambda")
        self._transform = Transform(self, parameters) if parameters else None
        if place := destination.backup:
            self._backup = self._buffer("backup", place, lambda batch: self._store(place, batch))
        delimiter = destination.processors.get("AppendDelimiterToRecord")
        self._delimiter = b""
        if delimiter is not None:
            self._delimiter = delimiter.get("Delimiter", "\\n").encode().decode("unicode_escape").encode()
        query = destination.processors.get("MetadataExtraction", {}).get("MetadataExtractionQuery", "")
        self._query = read_query(query) if query else []
        if destination.kind in (HTTP, OPENSEARCH):
            network_of(world.kernel).add_host(self.actor)  # from where it calls

    def _buffer(self, part: str, place: Place, send: Callable[[Batch], None], kind: str = "") -> Buffer:
        where = f"{self.name}/{part}"
        return Buffer(self.world, where, self.actor, place.size, place.seconds, self._largest(), send, kind)

    def _largest(self) -> int:
        """Bytes of an object in S3, however late the delivery is."""
        return int(self.world.quotas["firehose.size_max"] * MIB)

    # ---- on the way --------------------------------------------------------------------------------------------------

    def take(self, record: Record, row: int) -> None:
        """A record was accepted: `row` tells it."""
        if self._backup:
            copy = Record(record.id, record.data, record.time, record.expires)
            self.world.trace.add("RecordCopied", self._backup.place, record.id, self.actor, row)
            self._backup.add(copy)
        for part in self._unpacked(record):
            if self._transform:
                self._transform.buffer.add(part)
            else:
                self.stage(part)

    def _unpacked(self, record: Record) -> list[Record]:
        """The records in this one; mostly itself."""
        try:
            parts = parts_of(record.data, self.destination.processors)
        except Unreadable as error:
            self.fail(record, error.code, str(error), 1)
            return []
        if len(parts) == 1:
            record.data = parts[0]
            return [record]
        trace = self.world.trace
        row = trace.add("RecordUnpacked", self.name, record.id, self.actor, -1, len(parts))
        found = []
        for number, data in enumerate(parts):
            part = Record(f"{record.id}:{number}", data, record.time, record.expires, about=record.about)
            trace.add("PartTaken", self.name, part.id, self.actor, row, len(data))
            found.append(part)
        return found

    def stage(self, record: Record) -> None:
        """The record is as it will be delivered: it waits for that."""
        keys: tuple[str, ...] = ()
        if self.destination.partitioned:
            try:
                record.keys |= self._extract(record)
                keys = tuple(f"{name}={value}" for name, value in sorted(record.keys.items()))
            except (ValueError, LookupError, TypeError) as error:
                self.fail(record, "DynamicPartitioning.MetadataExtractionFailed", f"{error}", 1)
                return
            if not self._room_for(keys):
                text = "The active partition limit is exceeded."
                self.fail(record, "DynamicPartitioning.ActivePartitionLimitExceeded", text, 1)
                return
        if self.destination.converted:
            try:
                record.data = table_rows(record.data)
            except Unreadable as error:
                self.fail(record, error.code, str(error), 1, CONVERSION_FAILED)
                return
        record.data += self._delimiter
        buffer = self._buffers.get(keys)
        if buffer is None:
            to = self.destination
            most = max(to.size, self._largest() if to.kind == S3 else to.size)
            buffer = self._buffers[keys] = Buffer(
                self.world, self.name, self.actor, to.size, to.seconds, most, self._deliver
            )
        buffer.add(record)

    def _extract(self, record: Record) -> dict[str, str]:
        """The partition keys in a record's JSON."""
        document: Any = read_json(record.data) if self._query else {}
        found = {}
        for name, path in self._query:
            value = document
            for step in path:
                value = value[int(step) if isinstance(value, list) else step]
            if value is None or isinstance(value, (dict, list)) or value == "":
                raise ValueError(f"partition key {name} is missing or empty")
            text = value if isinstance(value, str) else json.dumps(value)
            found[name] = text.encode(errors="surrogatepass").decode(errors="replace")
        return found

    def _room_for(self, keys: tuple[str, ...]) -> bool:
        """May this partition be active? One is until its records are delivered."""
        most = self.world.quotas["firehose.partitions"]
        if keys not in self._buffers and len(self._buffers) >= most:
            self._buffers = {k: b for k, b in self._buffers.items() if b.records or b.sending}
        return keys in self._buffers or len(self._buffers) < most

    def fail(self, record: Record, code: str, message: str, attempts: int, kind: str = PROCESSING_FAILED) -> None:
        """The record could not be processed or delivered: it goes to the error prefix."""
        trace = self.world.trace
        row = trace.add("RecordFailed", self.name, record.id, self.actor, -1, code)
        record.failed, record.retrying = (code, message, attempts), False
        buffer = self._errors.get(kind)
        if buffer is None:
            place = self.destination.files
            buffer = self._buffer("errors", place, lambda batch: self._store(place, batch), kind)
            self._errors[kind] = buffer
        trace.add("RecordSetAside", buffer.place, record.id, self.actor, row)
        buffer.add(record)

    # ---- delivery ----------------------------------------------------------------------------------------------------

    def _deliver(self, batch: Batch) -> None:
        sender = sender_of(self)
        if sender:
            self.world.kernel.wait(None, self.world.quotas["firehose.delivery_time"])
            self._hand_over(batch, sender)
        elif self.destination.kind == REDSHIFT:
            self._copy(batch)
        else:
            self._store(self.destination.files, batch)

    def _store(self, place: Place, batch: Batch) -> None:
        """Write a batch to S3."""
        if key := self._stored(place, batch):
            self.delivered(batch, f"s3://{place.bucket}/{key}")

    def _stored(self, place: Place, batch: Batch) -> str:
        """Try to write a batch to S3 until that succeeds, or all its records are too old: then there is no key."""
        self.world.kernel.wait(None, self.world.quotas["firehose.delivery_time"])
        while self._expire(batch):
            key, failure = self._write(place, batch)
            if failure is None:
                return key
            self.failed_attempt(batch, failure)
        return ""

    def _hand_over(self, batch: Batch, sender: Sender) -> bool:
        """Try to deliver a batch elsewhere, for the retry duration; then give up, and return True."""
        kernel, began = self.world.kernel, math.inf
        while batch.records:
            failure = sender.send(batch)
            if not batch.records:  # meanwhile the delivery stream was deleted
                return False
            if failure is None:
                self.delivered(batch, sender.to)
                return False
            self._settle(batch, failure, sender)
            began = min(began, kernel.now)
            left = 0.0 if failure.final else began + self.destination.retry - kernel.now
            if batch.records:
                self.failed_attempt(batch, failure, left)
            if left <= 0:
                self._give_up(batch, failure, sender)
                return True
        return False

    def _settle(self, batch: Batch, failure: Failure, sender: Sender) -> None:
        """Of a batch that was taken in part: what was delivered, and what was refused for good."""
        if failure.left is None:
            return
        for record, code, message in failure.refused:
            self.fail(record, code, message, batch.attempts + 1, sender.failed)
        others = {*failure.left, *(record for record, _, _ in failure.refused)}
        done = [record for record in batch.records if record not in others]
        if done:
            self.delivered(Batch(done, batch.where, batch.row, attempts=batch.attempts), sender.to)
        batch.records = failure.left

    def _give_up(self, batch: Batch, failure: Failure, sender: Sender) -> None:
        """The records go to the error prefix; those that are in S3 already stay there."""
        records, batch.records = batch.records, []
        for record in records:
            if self.destination.kind == REDSHIFT:
                self.world.trace.add("RecordFailed", batch.where, record.id, self.actor, batch.row, failure.code)
            else:
                self.fail(record, failure.code, failure.message, batch.attempts, sender.failed)

    def _copy(self, batch: Batch) -> None:
        """An object in S3, then COPY into Redshift. Objects that cannot be loaded are skipped: a manifest under errors/
        tells which (guide, "Handle data delivery failures")."""
        place = self.destination.files
        if key := self._stored(place, batch):
            entries = [{"url": f"s3://{place.bucket}/{key}", "mandatory": True}]
            body, name = json.dumps({"entries": entries}).encode(), key.rpartition("/")[2]
            manifest = f"{place.prefix}manifests/{name}"
            self._put(place, manifest, body, batch.row)
            if self._hand_over(batch, Redshift(self, manifest)):
                self._put(place, f"{place.prefix}errors/manifests/{name}", body, batch.row)

    def _put(self, place: Place, key: str, body: bytes, cause: int) -> None:
        """Write a manifest, for a day at most."""
        quotas, kernel = self.world.quotas, self.world.kernel
        until = kernel.now + quotas["firehose.retention"]
        while self.writer.write(place, key, body, cause) and kernel.now < until:
            kernel.wait(None, quotas["firehose.retry_pause"])

    def _write(self, place: Place, batch: Batch) -> tuple[str, Failure | None]:
        """One attempt to write a batch as an object: its key, and why that failed."""
        converted = self.destination.converted and batch.where == self.name
        extension = ".parquet" if converted else ""
        key = self.writer.key(place, batch, batch.kind, batch.records[0].keys, extension)
        if batch.kind:
            kernel = self.world.kernel
            arn = self.destination.processors.get("Lambda", {}).get("LambdaArn", "")
            body = error_lines(batch.records, kernel.epoch, kernel.now, arn)
        else:
            body = b"".join(record.data for record in batch.records)
            try:
                body = parquet(body) if converted else body
            except SqlError as error:
                return key, Failure("DataFormatConversion.InternalError", str(error))
        return key, self.writer.write(place, key, compress(body, place.compression, key), batch.row)

    def _expire(self, batch: Batch) -> bool:
        """Lose what is too old. Is anything left?"""
        now, trace = self.world.kernel.now, self.world.trace
        for record in batch.records:
            if record.expires <= now:
                trace.add("RecordLost", batch.where, record.id, self.actor, batch.row, "older than it can be kept")
        batch.records = [record for record in batch.records if record.expires > now]
        return bool(batch.records)

    def delivered(self, batch: Batch, to: str) -> None:
        """All records of the batch have arrived."""
        trace, actor, attempt = self.world.trace, self.actor, batch.attempts + 1
        age = round(self.world.kernel.now - batch.first, 6)
        detail = {"to": to, "records": len(batch.records), "bytes": batch.size, "attempts": attempt, "age": age}
        row = trace.add("BatchDelivered", batch.where, "", actor, batch.row, detail)
        for record in batch.records:
            trace.add("RecordDelivered", batch.where, record.id, actor, row)
        batch.records = []

    def failed_attempt(self, batch: Batch, failure: Failure, left: float = math.inf) -> None:
        """Note an attempt that failed, and wait before the next; `left` seconds are left for that, 0: there is none."""
        quotas, trace, now = self.world.quotas, self.world.trace, self.world.kernel.now
        pause = min(quotas["firehose.retry_pause"] * 2**batch.attempts, quotas["firehose.retry_pause_max"], left)
        batch.attempts += 1
        detail = {"attempt": batch.attempts, "records": len(batch.records), "code": failure.code}
        detail |= {"message": failure.message}
        until = now + pause if left > 0 else 0.0
        row = trace.add("BatchFailed", batch.where, "", self.actor, batch.row, detail, until)
        if left <= 0:
            return
        for record in batch.records:
            if not record.retrying:
                record.retrying = True
                until = record.expires if left == math.inf else now + left
                trace.add("RecordRetrying", batch.where, record.id, self.actor, row, until=until)
        self.world.kernel.wait(None, pause)

    # ---- the end -----------------------------------------------------------------------------------------------------

    @property
    def all_buffers(self) -> list[Buffer]:
        """All buffers in which records can be."""
        more = [self._backup, self._transform.buffer if self._transform else None]
        return [*self._buffers.values(), *self._errors.values(), *(buffer for buffer in more if buffer)]

    @property
    def behind(self) -> bool:
        """Is there a batch of which an attempt failed?"""
        return any(buffer.sending and buffer.sending.attempts for buffer in self.all_buffers)

    def close(self) -> None:
        """Take no more; deliver what is there."""
        for buffer in self.all_buffers:
            buffer.close()

    def lose(self, why: str) -> None:
        """Forget everything that was not delivered."""
        for buffer in self.all_buffers:
            for record in buffer.drop():
                self.world.trace.add("RecordLost", buffer.place, record.id, self.actor, -1, why)
