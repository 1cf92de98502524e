"""Event source mappings: what CreateEventSourceMapping and its companions accept, for queues and for streams.

Sources: Lambda API reference, CreateEventSourceMapping; error texts recorded on AWS or quoted by users; where none is
known, ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from lablib.aws.access.decide import AccessRequest, administrator, decide
from lablib.aws.arn import Arn
from lablib.aws.constraints import Rule, check
from lablib.aws.lists import page_of
from lablib.aws.service import NotSimulated, Request, Service, ServiceError, World
from lablib.aws.targets import RIGHTS
from lablib.services.lambda_.filters import Criteria
from lablib.services.lambda_.functions import (
    INVALID,
    Document,
    Function,
    check_range,
    conflict,
    function_name,
    invalid,
    missing,
)
from lablib.services.lambda_.invocations import Runner
from lablib.services.lambda_.mappings import Mapping, Pollers
from lablib.services.lambda_.streams import Readers, StreamMapping

_QUEUE_RIGHTS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_STREAM_RIGHTS = ("GetRecords", "GetShardIterator", "DescribeStream", "ListShards")
_POSITIONS = ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")
# The fields of a mapping by the parameters that set them, for each kind of source.
_QUEUE = {
    "enabled": "enabled",
    "batch_size": "batch_size",
    "maximum_batching_window_in_seconds": "window",
    "function_response_types": "partial",
    "scaling_config": "most",
    "filter_criteria": "criteria",
}
_STREAM = {name: field for name, field in _QUEUE.items() if name != "scaling_config"} | {
    "parallelization_factor": "parallel",
    "bisect_batch_on_function_error": "bisect",
    "maximum_retry_attempts": "retries",
    "maximum_record_age_in_seconds": "age",
    "destination_config": "on_failure",
    "starting_position": "start",
    "starting_position_timestamp": "start_time",
}
_MADE = ("starting_position", "starting_position_timestamp")  # given when a mapping is made, and never changed


class Sources(Service):
    """The event source mappings of Lambda, and what they need to know of functions."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._functions: dict[str, Function] = {}
        self._mappings: dict[str, Mapping | StreamMapping] = {}
        self._runner = Runner(world)
        self._pollers = Pollers(world, self._runner, self._functions.get)
        self._readers = Readers(world, self._runner, self._functions.get)

    # ---- functions ---------------------------------------------------------------------------------------------------

    def _function(self, name: str) -> Function:
        found, arn = self._functions.get(function_name(name)), Arn.parse(name)
        if arn and arn.region != self.world.region:
            raise missing(f"Functions from '{arn.region}' are not reachable in this region ('{self.world.region}')")
        if found is None:
            raise missing(f"Function not found: {arn or self.arn('function:' + function_name(name))}")
        return found

    def _check_target(self, function: Function, target: str, what: str, services: tuple[str, ...]) -> None:
        """A destination must be one of these services, and the function's role must be allowed to use it."""
        if not target:
            return
        arn = Arn.parse(target)
        if arn is None or arn.service not in services:
            raise invalid(
                f"The provided {what} target {target} is invalid: it must be an ARN of {', '.join(services)}."
            )
        self._check_right(function, RIGHTS[arn.service], arn)

    def _check_right(self, function: Function, action: str, arn: Arn) -> None:
        """Raise unless the execution role itself allows it; the resource's policy is asked only when it is used."""
        who = function.principal or administrator(self.world.account, self.world.region)
        now = self.world.kernel.epoch + self.now
        if not decide(AccessRequest(action, str(arn), who, self.world.account, dict(who.context), now)):
            service, _, operation = action.partition(":")
            text = f"The provided execution role does not have permissions to call {operation} on {service.upper()}"
            raise invalid(text)

    # ---- mappings ----------------------------------------------------------------------------------------------------

    def create_event_source_mapping(
        self, request: Request, *, event_source_arn: str, function_name: str, **settings: Any
    ) -> Document:
        function, source = self._function(function_name), Arn.parse(event_source_arn)
        if source is None:
            raise invalid(f"Unrecognized event source ARN: {event_source_arn}")
        if source.service not in ("sqs", "kinesis"):
            raise NotSimulated(f"lambda: {source.service} as an event source is not simulated; use a queue or a stream")
        if "/consumer/" in source.resource:
            raise NotSimulated("lambda: a registered consumer as an event source is not simulated; use the stream")
        for known in self._mappings.values():
            if (known.source, known.function) == (source, function.name) and known.state != "Deleting":
                raise conflict(
                    f'The event source arn (" {source} ") and function (" {function.name} ") provided mapping already '
                    f"exists. Please update or delete the existing mapping with UUID {known.uuid}"
                )
        uuid = self.world.chance.uuid("lambda/mappings")
        made: Mapping | StreamMapping
        if source.service == "sqs":
            made = Mapping(uuid, function.name, source, 10, 0, False, None, True, "Creating", self.now)
        else:
            made = StreamMapping(uuid, function.name, source, True, "Creating", self.now)
            if "starting_position" not in settings:
                raise invalid(
                    "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
                    "Member must not be null."
                )
        mapping = self._with(made, settings)
        self._check_mapping(mapping, function, request)
        self._mappings[uuid] = mapping
        self._change(mapping, "Creating")
        return self._mapping(mapping)

    def update_event_source_mapping(self, request: Request, *, uuid: str, **settings: Any) -> Document:
        mapping = self._mapping_of(uuid)
        changed = self._with(mapping, settings)
        self._check_mapping(changed, self._function(mapping.function), request)
        for name in _STREAM.values() if isinstance(mapping, StreamMapping) else _QUEUE.values():
            setattr(mapping, name, getattr(changed, name))
        self._change(mapping, "Updating" if mapping.enabled else "Disabling")
        return self._mapping(mapping)

    def delete_event_source_mapping(self, request: Request, *, uuid: str) -> Document:
        mapping = self._mapping_of(uuid)
        mapping.state = "Deleting"
        del self._mappings[uuid]
        return self._mapping(mapping)

    def _change(self, mapping: Mapping | StreamMapping, state: str) -> None:
        if isinstance(mapping, StreamMapping):
            self._readers.change(mapping, state)
        else:
            self._pollers.change(mapping, state)

    def _with(self, mapping: Any, settings: Document) -> Any:
        """The mapping as it would be with these settings. Raises InvalidParameterValueException."""
        fields, kind = (_STREAM, "Kinesis") if isinstance(mapping, StreamMapping) else (_QUEUE, "SQS")
        changes: Document = {}
        for name, value in settings.items():
            if name == "tumbling_window_in_seconds" and not value:
                continue
            if name not in {**_QUEUE, **_STREAM}:
                raise NotSimulated(f"lambda: {name} of an event source mapping is not simulated")
            if name not in fields or (name in _MADE and mapping.state != "Creating"):
                raise invalid(f"{''.join(map(str.capitalize, name.split('_')))} is not valid for {kind} event sources.")
            changes[fields[name]] = self._read_setting(name, value)
        return replace(mapping, **changes)

    @staticmethod
    def _read_setting(name: str, value: Any) -> Any:
        if name == "filter_criteria":
            return Criteria.parse(value)
        if name == "scaling_config":
            return value.get("MaximumConcurrency")
        if name == "destination_config":
            return (value.get("OnFailure") or {}).get("Destination", "")
        return bool(value) if name == "function_response_types" else value

    def _check_mapping(self, mapping: Mapping | StreamMapping, function: Function, request: Request) -> None:
        check_range(mapping.window, "maximumBatchingWindowInSeconds", 0, self.world.quotas["lambda.window_max"])
        if isinstance(mapping, StreamMapping):
            self._check_stream(mapping, function, request)
        else:
            self._check_queue(mapping, function, request)

    def _check_stream(self, mapping: StreamMapping, function: Function, request: Request) -> None:
        quotas = self.world.quotas
        check_range(mapping.batch_size, "batchSize", 1, quotas["lambda.batch_max"])
        check_range(mapping.parallel, "parallelizationFactor", 1, quotas["lambda.parallel"])
        check_range(mapping.retries, "maximumRetryAttempts", -1, quotas["lambda.batch_retries"])
        check_range(mapping.age, "maximumRecordAgeInSeconds", -1, quotas["lambda.batch_age"])
        if -1 < mapping.age < 60:
            raise invalid("MaximumRecordAgeInSeconds must be -1, or from 60 to 604800.")
        check("startingPosition", mapping.start, Rule(words=_POSITIONS), INVALID)
        if (mapping.start == "AT_TIMESTAMP") != (mapping.start_time is not None):
            raise invalid("StartingPositionTimestamp must be given with AT_TIMESTAMP, and only then.")
        self._check_target(function, mapping.on_failure, "destination", ("sqs", "sns"))
        if function.principal:
            for right in _STREAM_RIGHTS:
                self._check_right(function, f"kinesis:{right}", mapping.source)
        try:
            about = {"stream_arn": str(mapping.source)}
            self._readers.call(mapping, function, "describe_stream_summary", about, request.row)
        except ServiceError as error:
            found = error.shape != "ResourceNotFoundException"
            raise invalid(error.message if found else f"Stream not found: {mapping.source}") from None

    def _check_queue(self, mapping: Mapping, function: Function, request: Request) -> None:
        quotas = self.world.quotas
        check_range(
            mapping.batch_size, "batchSize", 1, quotas["lambda.batch_fifo" if mapping.fifo else "lambda.batch_max"]
        )
        if mapping.most is not None:
            check_range(mapping.most, "scalingConfig.maximumConcurrency", 2, quotas["lambda.pollers_max"])
        if mapping.fifo and mapping.window:
            raise invalid("Batching window is not supported for FIFO queues")
        if mapping.batch_size > 10 and not mapping.window:
            raise invalid(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
            )
        if function.principal:
            for right in _QUEUE_RIGHTS:
                self._check_right(function, f"sqs:{right}", mapping.source)
        visibility = self._queue_visibility(mapping, function, request)
        if visibility < function.timeout:
            raise invalid(
                f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {function.timeout} "
                "seconds"
            )

    def _queue_visibility(self, mapping: Mapping, function: Function, request: Request) -> int:
        who = function.principal or administrator(self.world.account, self.world.region)
        params = {"queue_url": mapping.url, "attribute_names": ["VisibilityTimeout"]}
        deliver = self.world.gateway.call_service
        try:
            answer = deliver(
                mapping.source, "get_queue_attributes", params, principal=who, caller=function.actor, cause=request.row
            )
        except ServiceError as error:
            text = (
                f"Error occurred while ReceiveMessage. SQS Error Code: {error.code}. SQS Error Message: {error.message}"
            )
            raise invalid(text) from None
        return int(answer["Attributes"]["VisibilityTimeout"])

    def _mapping(self, mapping: Mapping | StreamMapping) -> Document:
        return mapping.describe(self.arn(f"function:{mapping.function}"), self.world.kernel.epoch)

    def _mapping_of(self, uuid: str) -> Mapping | StreamMapping:
        if uuid not in self._mappings:
            raise missing("The resource you requested does not exist.")
        return self._mappings[uuid]

    def get_event_source_mapping(self, request: Request, *, uuid: str) -> Document:
        return self._mapping(self._mapping_of(uuid))

    def list_event_source_mappings(
        self,
        request: Request,
        *,
        event_source_arn: str | None = None,
        function_name: str | None = None,
        marker: str | None = None,
        max_items: int = 100,
    ) -> Document:
        name = self._function(function_name).name if function_name else None
        found = [
            uuid
            for uuid, mapping in self._mappings.items()
            if event_source_arn in (None, str(mapping.source)) and name in (None, mapping.function)
        ]
        uuids, more = page(found, marker, min(max_items, 100))
        return {"EventSourceMappings": [self._mapping(self._mappings[uuid]) for uuid in uuids]} | more


def page(names: Iterable[str], marker: str | None, limit: int) -> tuple[list[str], Document]:
    """A page of names, and its NextMarker where there is more."""
    return page_of(names, marker, limit, invalid("Marker is not one that an earlier answer gave."), into="NextMarker")
