"""Destinations other than S3: one attempt to hand over a batch. All may wait; they run in a process of their own.

Sources: developer guide, "HTTP endpoint delivery request and response specifications", "Handle data delivery
failures", "Monitor with CloudWatch Logs" (error codes); OpenSearch, "Bulk API". Partners (Datadog, New Relic, MongoDB,
Splunk and others) are HTTP endpoints under their names.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from lablib.aws.arn import Arn
from lablib.aws.attributes import json_map
from lablib.aws.dates import moment
from lablib.aws.service import AnswerLost, ServiceError, World
from lablib.services.firehose.checks import Document
from lablib.services.firehose.records import Batch, Failure, Record, call
from lablib.services.firehose.settings import HTTP, OPENSEARCH

if TYPE_CHECKING:
    from lablib.services.firehose.pipeline import Pipeline

_LONGEST_ANSWER = 1 << 20  # bytes that an HTTP endpoint may answer
_USER_AGENT = "Amazon Kinesis Data Firehose Agent/1.0"


class Sender(Protocol):
    """A destination. `to` is how the trace calls it, `failed` the type of error of what it never took."""

    to: str
    failed: str

    def send(self, batch: Batch) -> Failure | None:
        """Try to deliver the batch."""


def sender_of(pipeline: Pipeline) -> Sender | None:
    """What delivers for that pipeline; None where the destination is S3, or is reached through S3."""
    kind = pipeline.destination.kind
    return HttpEndpoint(pipeline) if kind == HTTP else OpenSearch(pipeline) if kind == OPENSEARCH else None


# ---- HTTP ------------------------------------------------------------------------------------------------------------


def post(url: str, headers: dict[str, str], body: bytes, timeout: float) -> tuple[int, bytes] | Failure:
    """POST something over the virtual network: status and body of the answer, or why there is none."""
    import http.client
    import ssl

    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read(_LONGEST_ANSWER + 1)
    except TimeoutError:
        return Failure("RequestTimeout", f"The endpoint did not answer within {timeout:g} seconds.")
    except ssl.SSLError as error:
        return Failure("SSLHandshakeFailure", f"The TLS handshake with the endpoint failed: {error.reason or error}")
    except (OSError, http.client.HTTPException) as error:
        return Failure("ConnectionFailed", f"The connection to the endpoint failed: {type(error).__name__}.")
    finally:
        connection.close()
    if len(content) > _LONGEST_ANSWER:
        return Failure("ResponseTooLarge", "The response of the endpoint is larger than 1 MiB.")
    return answer.status, content


class HttpEndpoint:
    """An HTTP endpoint: a request has an id, which stays the same when it is repeated, and the answer names it."""

    failed = "http-endpoint-failed"

    def __init__(self, pipeline: Pipeline) -> None:
        self._world = pipeline.world
        document = pipeline.destination.document
        endpoint, request = document["EndpointConfiguration"], document.get("RequestConfiguration", {})
        self.to: str = endpoint["Url"]
        self._zipped = request.get("ContentEncoding") == "GZIP"
        common = {a["AttributeName"]: a["AttributeValue"] for a in request.get("CommonAttributes", ())}
        self._headers = {
            "User-Agent": _USER_AGENT,
            "Content-Type": "application/json",
            "X-Amz-Firehose-Protocol-Version": "1.0",
            "X-Amz-Firehose-Source-Arn": pipeline.arn,
            **({"X-Amz-Firehose-Access-Key": endpoint["AccessKey"]} if "AccessKey" in endpoint else {}),
            **({"X-Amz-Firehose-Common-Attributes": json.dumps({"commonAttributes": common})} if common else {}),
            **({"Content-Encoding": "gzip"} if self._zipped else {}),
        }

    def send(self, batch: Batch) -> Failure | None:
        """One request with all records."""
        world = self._world
        batch.id = batch.id or world.chance.uuid("firehose/requests")
        time = round((world.kernel.epoch + world.kernel.now) * 1000)
        records = [{"data": b64encode(record.data).decode()} for record in batch.records]
        body = json.dumps({"requestId": batch.id, "timestamp": time, "records": records}).encode()
        headers = self._headers | {"X-Amz-Firehose-Request-Id": batch.id}
        body = gzip.compress(body, mtime=0) if self._zipped else body
        found = post(self.to, headers, body, world.quotas["firehose.http_timeout"])
        if isinstance(found, Failure):
            return Failure(f"HttpEndpoint.{found.code}", found.message)
        status, answer = found
        if status == 413:
            return Failure("HttpEndpoint.RequestTooLarge", "The endpoint answered 413: it is not tried again.", True)
        document = json_map(answer)
        if status != 200:
            why = document and document.get("errorMessage")
            return Failure("HttpEndpoint.DestinationException", f"The endpoint answered {status}: {why or 'no reason'}")
        if document is None or document.get("requestId") != batch.id or "timestamp" not in document:
            text = "The response is no JSON document with the requestId of the request and a timestamp."
            return Failure("HttpEndpoint.InvalidResponseFromDestination", text)
        return None


# ---- OpenSearch ------------------------------------------------------------------------------------------------------

_ROTATION = {"OneHour": "-%Y-%m-%d-%H", "OneDay": "-%Y-%m-%d", "OneMonth": "-%Y-%m", "OneWeek": "-%G-w%V"}


class OpenSearch:
    """A domain: each record is a document of JSON; a bulk request takes some and refuses others."""

    failed = "AmazonOpenSearchService-failed"

    def __init__(self, pipeline: Pipeline) -> None:
        self._world = pipeline.world
        self._pipeline = pipeline
        document = pipeline.destination.document
        self._index = document["IndexName"]
        self._rotation = _ROTATION.get(document["IndexRotationPeriod"], "")
        self._url = document.get("ClusterEndpoint", "")
        self._domain = document.get("DomainARN", "")
        self.to = f"{self._url or self._domain}/{self._index}"

    def send(self, batch: Batch) -> Failure | None:
        """One bulk request; documents that are not JSON are refused before."""
        refused: list[tuple[Record, str, str]] = []
        sent: list[Record] = []
        lines = []
        for record in batch.records:
            document = _document(record.data)
            if document is None:
                refused.append((record, "OS.MalformedData", "The data are not one JSON document."))
                continue
            sent.append(record)
            named = {"_index": self._index_at(record), "_id": record.id}
            lines += [json.dumps({"index": named}), document]
        if not sent:
            return Failure("OS.MalformedData", "Nothing is JSON.", left=[], refused=refused)
        found = self._post(("\n".join(lines) + "\n").encode())
        if isinstance(found, Failure):
            return Failure(f"OS.{found.code}", found.message, left=sent, refused=refused)
        status, answer = found
        if status != 200:
            return Failure(f"OS.{status}", answer[:200].decode("utf-8", "replace"), left=sent, refused=refused)
        left = []
        for record, item in zip(sent, json.loads(answer)["items"], strict=True):
            result = item["index"]
            if result["status"] == 429 or result["status"] >= 500:
                left.append(record)
            elif result["status"] >= 300:
                error = result["error"]
                refused.append((record, f"OS.{error['type']}", error["reason"]))
        if not left and not refused:
            return None
        return Failure("OS.BulkItemsFailed", "The domain did not take all documents.", left=left, refused=refused)

    def _index_at(self, record: Record) -> str:
        """The index for a record, by the time at which it arrived (guide: index rotation)."""
        time = moment(self._world.kernel.epoch + record.time)
        if self._rotation == _ROTATION["OneWeek"]:
            time = _monday(time)
        return f"{self._index}{time:{self._rotation}}" if self._rotation else str(self._index)

    def _post(self, body: bytes) -> tuple[int, bytes] | Failure:
        try:
            url = self._url or self._look_up()
        except (ServiceError, AnswerLost) as error:
            return Failure("DomainNotFound", f"{error}")
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": _USER_AGENT}
        return post(f"{url}/_bulk", headers, body, self._world.quotas["firehose.http_timeout"])

    def _look_up(self) -> str:
        """The address of the domain with that ARN."""
        arn, pipeline = Arn.parse(self._domain), self._pipeline
        assert arn
        to, params = arn._replace(service="opensearch"), {"domain_name": arn.resource.rpartition("/")[2]}
        answer = call(self._world, pipeline.actor, pipeline.destination.role, to, "describe_domain", params, -1)
        answer = answer["DomainStatus"]
        address = answer.get("Endpoint") or answer.get("Endpoints", {}).get("vpc")
        if not address:
            raise ServiceError("ResourceNotFoundException", "the domain has no endpoint yet")
        return f"https://{address}"


def _document(data: bytes) -> str | None:
    """A record as one line of JSON; None when it is none."""
    found = json_map(data)
    return None if found is None else json.dumps(found, ensure_ascii=False)


def _monday(time: datetime) -> datetime:
    return time - timedelta(days=time.weekday())


# ---- Redshift --------------------------------------------------------------------------------------------------------


class Redshift:
    """COPY of one object, by the Data API. `key` is its manifest."""

    failed = "errors"

    def __init__(self, pipeline: Pipeline, manifest: str) -> None:
        self._world: World = pipeline.world
        self._pipeline = pipeline
        document = pipeline.destination.document
        url = urlsplit(document["ClusterJDBCURL"].removeprefix("jdbc:"))
        self._cluster, self._database = (url.hostname or "").partition(".")[0], url.path.lstrip("/")
        copy = document["CopyCommand"]
        columns = f" ({copy['DataTableColumns']})" if copy.get("DataTableColumns") else ""
        bucket = pipeline.destination.files.bucket
        gzip = " GZIP" if pipeline.destination.files.compression == "GZIP" else ""
        options = copy.get("CopyOptions", "")
        gzip = "" if "gzip" in options.lower() else gzip
        self.to = f"redshift://{self._cluster}/{self._database}/{copy['DataTableName']}"
        self._sql = (
            f"COPY {copy['DataTableName']}{columns} FROM 's3://{bucket}/{manifest}' "
            f"IAM_ROLE '{pipeline.destination.role}' MANIFEST{gzip} {options}"
        ).strip()
        self._user: Document = {}
        if document.get("Username"):
            self._user = {"db_user": document["Username"]}
        elif secret := document.get("SecretsManagerConfiguration", {}).get("SecretARN"):
            self._user = {"secret_arn": secret}

    def send(self, batch: Batch) -> Failure | None:
        """Execute the COPY, and wait for its end."""
        world = self._world
        params = {"cluster_identifier": self._cluster, "database": self._database, "sql": self._sql, **self._user}
        try:
            id = self._ask("execute_statement", params, batch)["Id"]
            while True:
                found = self._ask("describe_statement", {"id": id}, batch)
                if found["Status"] in ("FINISHED", "FAILED", "ABORTED"):
                    break
                world.kernel.wait(None, world.quotas["firehose.copy_pause"])
        except ServiceError as error:
            return Failure("Redshift.ConnectionFailed", error.message)
        except AnswerLost:
            return Failure("Redshift.ConnectionTimeout", "The cluster did not answer.")
        if found["Status"] == "FINISHED":
            return None
        text = found.get("Error", "")
        code = "TableNotFound" if "nonexistent table" in text else "DataLoadFailed"
        return Failure(f"Redshift.{code}", text)

    def _ask(self, operation: str, params: Document, batch: Batch) -> Document:
        world, pipeline = self._world, self._pipeline
        to = Arn("redshift-data", world.region, world.account, self._cluster)
        return call(world, pipeline.actor, pipeline.destination.role, to, operation, params, batch.row)
