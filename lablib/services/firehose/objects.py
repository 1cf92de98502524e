"""Objects in S3: what is in them, what they are called, and the attempt to write one.

Sources: developer guide, "Configure Amazon S3 object name format", "Handle data delivery failures", "Monitor with
CloudWatch Logs" (error codes). Records are glued together with nothing in between. Each attempt writes an object with
a name of its own, so an attempt whose answer was lost leaves a second copy (delivery is at least once).
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from base64 import b64encode
from collections.abc import Mapping

from lablib.aws.arn import Arn
from lablib.aws.dates import moment
from lablib.aws.service import AnswerLost, ServiceError, World
from lablib.services.firehose.prefixes import evaluate
from lablib.services.firehose.records import Batch, Failure, Record, call
from lablib.services.firehose.settings import Place

_EXTENSIONS = {"GZIP": ".gz", "ZIP": ".zip", "UNCOMPRESSED": ""}


class Writer:
    """Writes the objects of one delivery stream. `actor` is its name in the trace, `version` that of its settings."""

    def __init__(self, world: World, name: str, version: int) -> None:
        self._world = world
        self._name = name
        self._actor = f"firehose/{name}"
        self._version = version

    def key(
        self, place: Place, batch: Batch, error: str = "", keys: Mapping[str, str] | None = None, extension: str = ""
    ) -> str:
        """The name of a new object for these records; `error`: for the error prefix, and of which type."""
        world = self._world
        id = world.chance.uuid(f"firehose/objects/{self._name}")
        prefix = place.error_prefix if error else place.prefix
        time = world.kernel.epoch + batch.first
        start = evaluate(prefix, time, place.zone, keys or {}, id[-11:], error)
        now = moment(world.kernel.epoch + world.kernel.now)
        end = place.extension or extension or _EXTENSIONS[place.compression]
        return f"{start}{self._name}-{self._version}-{now:%Y-%m-%d-%H-%M-%S}-{id}{end}"

    def write(self, place: Place, key: str, body: bytes, cause: int) -> Failure | None:
        """Try to write an object."""
        world = self._world
        to = Arn("s3", world.region, world.account, place.bucket)
        params = {"bucket": place.bucket, "key": key, "body": body, "content_type": "application/octet-stream"}
        try:
            call(world, self._actor, place.role, to, "put_object", params, cause)
        except ServiceError as error:
            return Failure(f"S3.{error.code}", error.message)
        except AnswerLost:
            return Failure("S3.RequestTimeout", "S3 did not answer.")
        return None


def compress(data: bytes, format: str, name: str) -> bytes:
    """The content of an object, compressed: always to the same bytes."""
    if format == "GZIP":
        return gzip.compress(data, mtime=0)
    if format == "ZIP":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo(name.rpartition("/")[2].removesuffix(".zip")), data)
        return buffer.getvalue()
    return data


def error_lines(records: list[Record], epoch: float, now: float, lambda_arn: str) -> bytes:
    """What an object under the error prefix holds: a JSON document a record (guide, "Data transformation")."""
    lines = []
    for record in records:
        code, message, attempts = record.failed
        last = code.startswith("DataFormat")
        document = {
            "attemptsMade": attempts,
            "arrivalTimestamp": round((epoch + record.time) * 1000),
            "lastErrorCode" if last else "errorCode": code,
            "lastErrorMessage" if last else "errorMessage": message,
            "attemptEndingTimestamp": round((epoch + now) * 1000),
            "rawData": b64encode(record.data).decode(),
        }
        if lambda_arn and code.startswith("Lambda."):
            document["lambdaArn"] = lambda_arn
        lines.append(json.dumps(document) + "\n")
    return "".join(lines).encode()
