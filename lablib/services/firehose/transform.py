"""A Lambda function that transforms records on their way.

Sources: developer guide, "Transform source data" (the event, the answer, retries, the error prefix), "Monitor with
CloudWatch Logs" (error codes). An invocation that fails is repeated; an answer that came back is final, whatever is in
it. A record fails when its id is missing in the answer, or is there twice, or when its data is no base64. One batch is
transformed at a time (AWS: up to five for each shard).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lablib.aws.arn import Arn
from lablib.aws.service import AnswerLost, ServiceError
from lablib.kernel import Signal
from lablib.services.firehose.records import Batch, Buffer, Failure, Record, call, spawn_as
from lablib.services.firehose.settings import MIB

if TYPE_CHECKING:
    from lablib.services.firehose.pipeline import Pipeline

_REQUEST = 6 * MIB  # bytes that a synchronous invocation takes
_ENVELOPE = 200  # what stands around the data of a record in the event
_REFUSED = {
    "TooManyRequestsException": "Lambda.InvokeLimitExceeded",
    "AccessDeniedException": "Lambda.InvokeAccessDenied",
    "ResourceNotFoundException": "Lambda.ResourceNotFound",
}
_MISSING = "One or more record IDs were not returned. Ensure that the Lambda function returns all received record IDs."
_DOUBLED = "Multiple records were returned with the same record ID. Ensure that each record ID is returned once."
_UNREADABLE = (
    "There was a problem parsing returned records from the Lambda function. Ensure that they follow the status model."
)


class Transform:
    """The Lambda processor of a pipeline; `parameters` are the processor's."""

    def __init__(self, pipeline: Pipeline, parameters: dict[str, str]) -> None:
        quotas = pipeline.world.quotas
        self._pipeline = pipeline
        self._world = pipeline.world
        self._function = parameters["LambdaArn"].removesuffix(":$LATEST")
        self._retries = int(parameters.get("NumberOfRetries", quotas["firehose.transform_retries"]))
        size = float(parameters.get("BufferSizeInMBs", quotas["firehose.transform_size"])) * MIB
        seconds = float(parameters.get("BufferIntervalInSeconds", quotas["firehose.transform_interval"]))
        self.buffer = Buffer(
            self._world, pipeline.name, pipeline.actor, int(size), seconds, _REQUEST, self._run, "", _weight,
            "TransformBegun",
        )  # fmt: skip

    def _run(self, batch: Batch) -> None:
        payload = json.dumps(self._event(batch.records)).encode()
        trace, pipeline = self._world.trace, self._pipeline
        while True:
            answer = self._invoke(payload, batch)
            if not isinstance(answer, Failure):
                break
            batch.attempts += 1
            detail = {"attempt": batch.attempts, "records": len(batch.records), "code": answer.code}
            trace.add("TransformFailed", pipeline.name, "", pipeline.actor, batch.row, detail)
            if batch.attempts > self._retries:
                for record in batch.records:
                    pipeline.fail(record, answer.code, answer.message, batch.attempts)
                batch.records = []
                return
            self._world.kernel.wait(None, self._world.quotas["firehose.transform_pause"])
        counts = dict.fromkeys(("Ok", "Dropped", "ProcessingFailed"), 0)
        records, batch.records = batch.records, []
        for record, item in self._matched(records, answer):
            counts[self._settle(record, item, batch)] += 1
        detail = {"records": len(records), **counts}
        trace.add("RecordsTransformed", pipeline.name, "", pipeline.actor, batch.row, detail)

    # ---- asking ------------------------------------------------------------------------------------------------------

    def _event(self, records: list[Record]) -> dict[str, Any]:
        kernel = self._world.kernel
        found = []
        for record in records:
            arrival = round((kernel.epoch + record.time) * 1000)
            document = {"recordId": record.id, "approximateArrivalTimestamp": arrival}
            document |= {"data": b64encode(record.data).decode()}
            found.append(document | ({"kinesisRecordMetadata": record.about} if record.about else {}))
        about = {
            "invocationId": self._world.chance.uuid("firehose/invocations"),
            "deliveryStreamArn": self._pipeline.arn,
        }
        return about | {"region": self._world.region, "records": found}

    def _invoke(self, payload: bytes, batch: Batch) -> Any:
        """What the function answered, or why it did not. It may take five minutes."""
        found: list[Any] = []
        done = Signal(self._world.kernel)

        def ask() -> None:
            found.append(self._ask(payload, batch))
            done.fire()

        spawn_as(self._world, self._pipeline.actor, ask)
        if not self._world.kernel.wait(done, self._world.quotas["firehose.transform_timeout"]):
            return Failure("Lambda.FunctionTimedOut", "The Lambda function did not answer within five minutes.")
        return found[0]

    def _ask(self, payload: bytes, batch: Batch) -> Any:
        world, pipeline = self._world, self._pipeline
        params = {"function_name": self._function, "invocation_type": "RequestResponse", "payload": payload}
        to, role = Arn.parse(self._function), pipeline.destination.role
        try:
            answer = call(world, pipeline.actor, role, to, "invoke", params, batch.row)
        except ServiceError as error:
            return Failure(_REFUSED.get(error.code, f"Lambda.{error.code}"), error.message)
        except AnswerLost:
            return Failure("Lambda.RequestTimeout", "Lambda did not answer.")
        body = answer["Payload"].read()
        if "FunctionError" in answer:
            text = f"The Lambda function was successfully invoked but it returned an error result. {body.decode()}"
            return Failure("Lambda.FunctionError", text)
        if len(body) > world.quotas["firehose.transform_answer"]:
            return Failure("Lambda.FunctionError", f"Response payload size exceeded maximum: {len(body)} bytes.")
        return json.loads(body)

    # ---- the answer --------------------------------------------------------------------------------------------------

    def _matched(self, records: list[Record], answer: Any) -> list[tuple[Record, Any]]:
        """Each record with what the answer says of it: None where that makes no sense as a whole."""
        items = answer.get("records") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            return [(record, None) for record in records]
        by_id: defaultdict[Any, list[Any]] = defaultdict(list)
        for item in items:
            if isinstance(item, dict) and isinstance(item.get("recordId"), str):
                by_id[item["recordId"]].append(item)
        return [(record, by_id[record.id]) for record in records]

    def _settle(self, record: Record, items: Any, batch: Batch) -> str:
        """Do with a record what the answer says; the result as which it counts."""
        pipeline, failed = self._pipeline, "ProcessingFailed"
        code, message = "Lambda.JsonProcessingException", _UNREADABLE
        if items == []:
            code, message = "Lambda.MissingRecordId", _MISSING
        elif items and len(items) > 1:
            code, message = "Lambda.DuplicatedRecordId", _DOUBLED
        elif items:
            item, result = items[0], items[0].get("result")
            if result == "Dropped":
                self._world.trace.add("RecordDropped", pipeline.name, record.id, self._function_name, batch.row)
                return "Dropped"
            if result == failed:
                code, message = "Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record"
            elif result == "Ok" and self._accept(record, item):
                pipeline.stage(record)
                return "Ok"
        pipeline.fail(record, code, message, batch.attempts + 1)
        return failed

    def _accept(self, record: Record, item: Any) -> bool:
        """Take over the data of an answer, and the partition keys in it, if they can be read."""
        try:
            keys = (item.get("metadata") or {}).get("partitionKeys") or {}
            data = b64decode(item["data"], validate=True)
            record.keys = {str(name): str(value) for name, value in keys.items()}
        except (AttributeError, KeyError, TypeError, ValueError):
            return False
        record.data = data
        return True

    @property
    def _function_name(self) -> str:
        return f"lambda/{self._function.rpartition(':')[2]}"


def _weight(record: Record) -> int:
    """The bytes of a record in the event."""
    return len(record.data) * 4 // 3 + _ENVELOPE
