"""AWS Lambda, as far as fan-out needs it: invocations, events, resource policies, queues as event sources.

An operation is a method; what it checks, which error it raises, and its answer follow the Lambda API reference
(2015-03-31). The code of a function is a Python function, registered by `Cloud.deploy`. Not simulated: versions,
aliases, layers, streams as event sources, logs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from lablib.aws.access.decide import AccessRequest, administrator, decide
from lablib.aws.arn import Arn
from lablib.aws.body import Body
from lablib.aws.lists import page_of
from lablib.aws.service import NotSimulated, Principal, Request, Service, ServiceError, Target, World
from lablib.aws.targets import RIGHTS
from lablib.services.lambda_.events import EVENTS
from lablib.services.lambda_.filters import Criteria
from lablib.services.lambda_.functions import (
    Document,
    EventConfig,
    Function,
    Handler,
    check_function,
    check_range,
    conflict,
    function_name,
    invalid,
    missing,
    statement,
)
from lablib.services.lambda_.invocations import EventQueue, Runner
from lablib.services.lambda_.mappings import Mapping, Pollers
from lablib.services.lambda_.quotas import QUOTAS

_DEPLOY = "lambda.create_function is not simulated: cloud.deploy(name, handler) makes a function of a Python function"
_ACTIONS = {"Invoke": "InvokeFunction"}
_QUEUE_RIGHTS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


class Lambda(Service):
    """AWS Lambda in one region of one account."""

    name = "lambda"
    arn_parameter = "function_name"
    throttle = ("TooManyRequestsException", "Rate Exceeded.")
    access_denied = ("AccessDeniedException", 403)
    quotas = QUOTAS
    events = EVENTS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._functions: dict[str, Function] = {}
        self._mappings: dict[str, Mapping] = {}
        self._runner = Runner(world)
        self._events = EventQueue(world, self._runner, self._functions.get)
        self._pollers = Pollers(world, self._runner, self._functions.get)

    def operation(self, name: str) -> Any:
        """As for every service; for CreateFunction the error names `cloud.deploy`."""
        if name == "create_function":
            raise NotSimulated(_DEPLOY)
        return super().operation(name)

    def target(self, operation: str, params: Document) -> Target:
        """The function; its resource policy may allow what the call wants to do."""
        asked = str(params.get("function_name", ""))
        mapping, arn = self._mappings.get(str(params.get("uuid"))), Arn.parse(asked)
        name = mapping.function if mapping else function_name(asked)
        function, actions = self._functions.get(name), (f"lambda:{_ACTIONS.get(operation, operation)}",)
        owner, of = arn.account if arn else self.world.account, self.arn(f"function:{name}") if name else "*"
        policy = function.policy if function else None
        return Target(name, owner, actions, of, policy, function is not None or not name)

    def function(self, name: str) -> Function:
        """The function itself, to look into. Raises KeyError when there is none."""
        if name not in self._functions:
            raise KeyError(f"no function is called {name!r}; there are: {', '.join(self._functions) or 'none'}")
        return self._functions[name]

    def _function(self, name: str) -> Function:
        found, arn = self._functions.get(function_name(name)), Arn.parse(name)
        if arn and arn.region != self.world.region:
            raise missing(f"Functions from '{arn.region}' are not reachable in this region ('{self.world.region}')")
        if found is None:
            raise missing(f"Function not found: {arn or self.arn('function:' + function_name(name))}")
        return found

    def _changed(self, function: Function) -> None:
        function.modified = self.now
        function.revision = self.world.chance.uuid("lambda/revisions")

    # ---- functions ---------------------------------------------------------------------------------------------------

    def deploy(
        self, name: str, handler: Handler, caller: str, timeout: int, memory: int, principal: Principal | None
    ) -> str:
        """Register a Python function as the function `name`, or as its new code, and return its ARN."""
        check_function(name, timeout, memory, self.world.quotas)
        role = principal.role if principal else f"arn:aws:iam::{self.world.account}:role/lambda-{name}"
        existing = self._functions.get(name)
        if existing:
            existing.handler, existing.timeout, existing.memory = handler, timeout, memory
            existing.role, existing.principal, existing.idle = role, principal, []
        else:
            arn = self.arn(f"function:{name}")
            self._functions[name] = Function(name, arn, handler, timeout, memory, role, principal, self.now)
        self._changed(self._functions[name])
        self.world.trace.add("FunctionDeployed", name, "", caller)
        return self._functions[name].arn

    def get_function(self, request: Request, *, function_name: str) -> Document:
        function = self._function(function_name)
        answer = {"Configuration": function.describe(self.world.kernel), "Code": {"RepositoryType": "S3"}}
        if function.reserved is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
        return answer

    def get_function_configuration(self, request: Request, *, function_name: str) -> Document:
        return self._function(function_name).describe(self.world.kernel)

    def list_functions(self, request: Request, *, marker: str | None = None, max_items: int = 50) -> Document:
        page, more = _page(self._functions, marker, min(max_items, 50))
        return {"Functions": [self._functions[name].describe(self.world.kernel) for name in page]} | more

    def delete_function(self, request: Request, *, function_name: str) -> Document:
        del self._functions[self._function(function_name).name]
        return {}

    def update_function_configuration(
        self,
        request: Request,
        *,
        function_name: str,
        description: str | None = None,
        timeout: int | None = None,
        memory_size: int | None = None,
        environment: Document | None = None,
        dead_letter_config: Document | None = None,
    ) -> Document:
        function = self._function(function_name)
        seconds = function.timeout if timeout is None else timeout
        memory = function.memory if memory_size is None else memory_size
        check_function(function.name, seconds, memory, self.world.quotas)
        letters = function.dead_letters
        if dead_letter_config is not None:
            letters = dead_letter_config.get("TargetArn", "")
            self._check_target(function, letters, "dead letter", ("sqs", "sns"))
        function.timeout, function.memory, function.dead_letters = seconds, memory, letters
        function.description = function.description if description is None else description
        if environment is not None:
            function.environment = dict(environment.get("Variables", {}))
        self._changed(function)
        return function.describe(self.world.kernel)

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
        who = function.principal or administrator(self.world.account)
        now = self.world.kernel.epoch + self.now
        if not decide(AccessRequest(action, str(arn), who, self.world.account, dict(who.context), now)):
            service, _, operation = action.partition(":")
            text = f"The provided execution role does not have permissions to call {operation} on {service.upper()}"
            raise invalid(text)

    # ---- invoking ----------------------------------------------------------------------------------------------------

    def invoke(
        self,
        request: Request,
        *,
        function_name: str,
        invocation_type: str = "RequestResponse",
        payload: Any = b"",
        log_type: str = "None",
        qualifier: str = "$LATEST",
    ) -> Document:
        function = self._function(function_name)
        if log_type != "None":
            raise NotSimulated("lambda: logs are not simulated; what a handler prints appears where it was deployed")
        if qualifier != "$LATEST":
            raise missing(f"Function not found: {function.arn}:{qualifier}")
        content = self._payload(payload, invocation_type)
        if invocation_type == "DryRun":
            return {"StatusCode": 204, "Payload": Body()}
        if invocation_type == "Event":
            self._events.accept(function, content, request.row)
            return {"StatusCode": 202, "Payload": Body()}
        invocation = self._runner.start(function, content, request.row)
        if not invocation.over:
            self.world.kernel.wait(invocation.done)
        answer = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": Body(invocation.payload)}
        return answer | ({"FunctionError": invocation.error} if invocation.error else {})

    def _payload(self, payload: Any, kind: str) -> bytes:
        data = payload.read() if hasattr(payload, "read") else payload
        content = data.encode() if isinstance(data, str) else bytes(data)
        limit = self.world.quotas["lambda.event_size" if kind == "Event" else "lambda.payload_size"]
        if len(content) > limit:
            text = f"{len(content)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
            raise ServiceError("RequestTooLargeException", text, status=413)
        if content:
            try:
                json.loads(content)
            except (ValueError, RecursionError) as error:
                text = f"Could not parse request body into json: Could not parse payload into json: {error}"
                raise ServiceError("InvalidRequestContentException", text) from None
        return content

    # ---- permissions -------------------------------------------------------------------------------------------------

    def add_permission(
        self,
        request: Request,
        *,
        function_name: str,
        statement_id: str,
        action: str,
        principal: str,
        source_arn: str | None = None,
        source_account: str | None = None,
    ) -> Document:
        function = self._function(function_name)
        if statement_id in function.statements:
            raise conflict(
                f"The statement id ({statement_id}) provided already exists. Please provide a new statement id, or "
                "remove the existing statement."
            )
        added = statement(function, statement_id, action, principal, source_arn, source_account)
        function.permit(function.statements | {statement_id: added})
        self.has_policies = True
        return {"Statement": json.dumps(added, separators=(",", ":"))}

    def remove_permission(self, request: Request, *, function_name: str, statement_id: str) -> Document:
        function = self._function(function_name)
        if statement_id not in function.statements:
            raise missing(f"Statement {statement_id} is not found in resource policy.")
        function.permit({sid: s for sid, s in function.statements.items() if sid != statement_id})
        return {}

    def get_policy(self, request: Request, *, function_name: str) -> Document:
        function = self._function(function_name)
        if not function.statements:
            raise missing("The resource you requested does not exist.")
        return {"Policy": function.policy_text(), "RevisionId": function.revision}

    # ---- concurrency, asynchronous events ----------------------------------------------------------------------------

    def put_function_concurrency(
        self, request: Request, *, function_name: str, reserved_concurrent_executions: int
    ) -> Document:
        function, quotas = self._function(function_name), self.world.quotas
        others = sum(f.reserved or 0 for f in self._functions.values() if f is not function)
        least = quotas["lambda.unreserved_min"]
        if quotas["lambda.concurrency"] - others - reserved_concurrent_executions < least:
            raise invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{least}]."
            )
        function.reserved = reserved_concurrent_executions
        return {"ReservedConcurrentExecutions": reserved_concurrent_executions}

    def get_function_concurrency(self, request: Request, *, function_name: str) -> Document:
        reserved = self._function(function_name).reserved
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def delete_function_concurrency(self, request: Request, *, function_name: str) -> Document:
        self._function(function_name).reserved = None
        return {}

    def put_function_event_invoke_config(
        self,
        request: Request,
        *,
        function_name: str,
        maximum_retry_attempts: int | None = None,
        maximum_event_age_in_seconds: int | None = None,
        destination_config: Document | None = None,
    ) -> Document:
        function, quotas = self._function(function_name), self.world.quotas
        retries, age = quotas["lambda.event_retries"], quotas["lambda.event_age"]
        if maximum_retry_attempts is not None:
            retries = check_range(maximum_retry_attempts, "maximumRetryAttempts", 0, retries)
        if maximum_event_age_in_seconds is not None:
            age = check_range(maximum_event_age_in_seconds, "maximumEventAgeInSeconds", 60, age)
        targets = {}
        for side in ("OnSuccess", "OnFailure"):
            targets[side] = ((destination_config or {}).get(side) or {}).get("Destination", "")
            self._check_target(function, targets[side], "destination", ("sqs", "sns", "lambda"))
        function.events = EventConfig(retries, age, targets["OnSuccess"], targets["OnFailure"], self.now)
        return self._event_config(function, function.events)

    def get_function_event_invoke_config(self, request: Request, *, function_name: str) -> Document:
        function = self._function(function_name)
        return self._event_config(function, self._events_of(function))

    def delete_function_event_invoke_config(self, request: Request, *, function_name: str) -> Document:
        function = self._function(function_name)
        self._events_of(function)
        function.events = None
        return {}

    def _events_of(self, function: Function) -> EventConfig:
        if function.events is None:
            raise missing(f"The function {function.arn}:$LATEST doesn't have an EventInvokeConfig")
        return function.events

    def _event_config(self, function: Function, config: EventConfig) -> Document:
        sides = (("OnSuccess", config.on_success), ("OnFailure", config.on_failure))
        return {
            "FunctionArn": f"{function.arn}:$LATEST",
            "LastModified": self.world.kernel.epoch + config.modified,
            "MaximumRetryAttempts": config.retries,
            "MaximumEventAgeInSeconds": config.age,
            "DestinationConfig": {side: {"Destination": target} if target else {} for side, target in sides},
        }

    # ---- event source mappings ---------------------------------------------------------------------------------------

    def create_event_source_mapping(
        self,
        request: Request,
        *,
        event_source_arn: str,
        function_name: str,
        enabled: bool = True,
        batch_size: int = 10,
        maximum_batching_window_in_seconds: int = 0,
        function_response_types: list[str] | None = None,
        scaling_config: Document | None = None,
        filter_criteria: Document | None = None,
    ) -> Document:
        function, source = self._function(function_name), Arn.parse(event_source_arn)
        if source is None:
            raise invalid(f"Unrecognized event source ARN: {event_source_arn}")
        if source.service != "sqs":
            raise NotSimulated(f"lambda: {source.service} as an event source is not simulated; use an SQS queue")
        for known in self._mappings.values():
            if (known.source, known.function) == (source, function.name) and known.state != "Deleting":
                raise conflict(
                    f'The event source arn (" {source} ") and function (" {function.name} ") provided mapping already '
                    f"exists. Please update or delete the existing mapping with UUID {known.uuid}"
                )
        uuid, partial = self.world.chance.uuid("lambda/mappings"), bool(function_response_types)
        most = (scaling_config or {}).get("MaximumConcurrency")
        window = maximum_batching_window_in_seconds
        own = (batch_size, window, partial, most, enabled)
        criteria = Criteria.parse(filter_criteria or {})
        mapping = Mapping(uuid, function.name, source, *own, "Creating", self.now, criteria)
        self._check_mapping(mapping, function, request)
        self._mappings[uuid] = mapping
        self._pollers.change(mapping, "Creating")
        return self._mapping(mapping)

    def _check_mapping(self, mapping: Mapping, function: Function, request: Request) -> None:
        quotas = self.world.quotas
        most = quotas["lambda.batch_fifo" if mapping.fifo else "lambda.batch_max"]
        check_range(mapping.batch_size, "batchSize", 1, most)
        check_range(mapping.window, "maximumBatchingWindowInSeconds", 0, quotas["lambda.window_max"])
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
        who = function.principal or administrator(self.world.account)
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

    def _mapping(self, mapping: Mapping) -> Document:
        return mapping.describe(self.arn(f"function:{mapping.function}"), self.world.kernel.epoch)

    def _mapping_of(self, uuid: str) -> Mapping:
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
        page, more = _page(found, marker, min(max_items, 100))
        return {"EventSourceMappings": [self._mapping(self._mappings[uuid]) for uuid in page]} | more

    def update_event_source_mapping(
        self,
        request: Request,
        *,
        uuid: str,
        enabled: bool | None = None,
        batch_size: int | None = None,
        maximum_batching_window_in_seconds: int | None = None,
        function_response_types: list[str] | None = None,
        scaling_config: Document | None = None,
        filter_criteria: Document | None = None,
    ) -> Document:
        mapping = self._mapping_of(uuid)
        given = {"enabled": enabled, "batch_size": batch_size, "window": maximum_batching_window_in_seconds}
        changes: Document = {name: value for name, value in given.items() if value is not None}
        if function_response_types is not None:
            changes["partial"] = bool(function_response_types)
        if scaling_config is not None:
            changes["most"] = scaling_config.get("MaximumConcurrency")
        if filter_criteria is not None:
            changes["criteria"] = Criteria.parse(filter_criteria)
        self._check_mapping(replace(mapping, **changes), self._function(mapping.function), request)
        for name, value in changes.items():
            setattr(mapping, name, value)
        self._pollers.change(mapping, "Updating" if mapping.enabled else "Disabling")
        return self._mapping(mapping)

    def delete_event_source_mapping(self, request: Request, *, uuid: str) -> Document:
        mapping = self._mapping_of(uuid)
        mapping.state = "Deleting"
        del self._mappings[uuid]
        return self._mapping(mapping)


def _page(names: Iterable[str], marker: str | None, limit: int) -> tuple[list[str], Document]:
    return page_of(names, marker, limit, invalid("Marker is not one that an earlier answer gave."), into="NextMarker")
