"""AWS Lambda, as far as fan-out needs it: invocations, events, resource policies, queues as event sources.

An operation is a method; what it checks, which error it raises, and its answer follow the Lambda API reference
(2015-03-31). The code of a function is a Python function, registered by `Cloud.deploy`. Not simulated: versions,
aliases, layers, logs.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from lablib.aws.arn import Arn, partition_of
from lablib.aws.body import Body
from lablib.aws.dates import moment
from lablib.aws.documents import read_json
from lablib.aws.service import Bill, NotSimulated, Principal, Request, ServiceError, Target, World, named
from lablib.services.lambda_.bill import bill
from lablib.services.lambda_.events import EVENTS
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
from lablib.services.lambda_.invocations import EventQueue
from lablib.services.lambda_.logs import Tail
from lablib.services.lambda_.quotas import QUOTAS
from lablib.services.lambda_.sources import Sources, page
from lablib.services.lambda_.variables import check_variables

_DEPLOY = "lambda.create_function is not simulated: cloud.deploy(name, handler) makes a function of a Python function"
_ACTIONS = {"Invoke": "InvokeFunction"}


class Lambda(Sources):
    """AWS Lambda in one region of one account."""

    name = "lambda"
    arn_parameter = "function_name"
    throttle, slow = ("TooManyRequestsException", "Rate Exceeded."), frozenset(("Invoke",))
    access_denied = ("AccessDeniedException", 403)
    quotas = QUOTAS
    events = EVENTS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._events = EventQueue(world, self._runner, self._functions.get)

    def biller(self) -> Bill:
        return partial(bill, self._runner.sizes)

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

    def longest(self, operation: str, params: Document) -> float:
        """A synchronous invocation (API: Invoke, "your client might be disconnected during synchronous invocation")."""
        function = self._functions.get(function_name(str(params.get("function_name", ""))))
        waits = params.get("invocation_type", "RequestResponse") == "RequestResponse"
        return float(function.timeout if function and waits else 0)

    def function(self, name: str) -> Function:
        """The function itself, to look into. Raises KeyError when there is none."""
        return named("function", name, self._functions)

    def _changed(self, function: Function) -> None:
        function.modified = self.now
        function.revision = self.world.chance.uuid("lambda/revisions")

    # ---- functions ---------------------------------------------------------------------------------------------------

    def deploy(
        self, name: str, handler: Handler, caller: str, timeout: int, memory: int, principal: Principal | None
    ) -> str:
        """Register a Python function as the function `name`, or as its new code, and return its ARN."""
        check_function(name, timeout, memory, self.world.quotas)
        role = (
            principal.role
            if principal
            else f"arn:{partition_of(self.world.region)}:iam::{self.world.account}:role/lambda-{name}"
        )
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
        names, more = page(self._functions, marker, min(max_items, 50))
        return {"Functions": [self._functions[name].describe(self.world.kernel) for name in names]} | more

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
        variables = dict((environment or {}).get("Variables", {}))
        check_variables(variables, self.world.quotas)
        letters = function.dead_letters
        if dead_letter_config is not None:
            letters = dead_letter_config.get("TargetArn", "")
            self._check_target(function, letters, "dead letter", ("sqs", "sns"))
        function.timeout, function.memory, function.dead_letters = seconds, memory, letters
        function.description = function.description if description is None else description
        if environment is not None:
            function.environment = variables
        self._changed(function)
        return function.describe(self.world.kernel)

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
        if qualifier != "$LATEST":
            raise missing(f"Function not found: {function.arn}:{qualifier}")
        content = self._payload(payload, invocation_type)
        if invocation_type == "DryRun":
            return {"StatusCode": 204, "Payload": Body()}
        if invocation_type == "Event":
            self._events.accept(function, content, request.row, request.trace_header)
            return {"StatusCode": 202, "Payload": Body()}
        if self._runner.loops(function, request.trace_header, "", request.row):
            text = "The function is in a recursive loop: Lambda stopped it."
            raise ServiceError("RecursiveInvocationException", text)
        if log_type == "Tail":
            with Tail(function, self.world.kernel) as tail:
                invocation = self._runner.start(function, content, request.row, "", None, request.trace_header)
                tail.follow(invocation)
                if not invocation.over:
                    self.world.kernel.wait(invocation.done)
        else:
            invocation = self._runner.start(function, content, request.row, "", None, request.trace_header)
        if not invocation.over:
            self.world.kernel.wait(invocation.done)
        answer = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": Body(invocation.payload)}
        logs = {"LogResult": tail.text(invocation)} if log_type == "Tail" else {}
        return answer | ({"FunctionError": invocation.error} if invocation.error else {}) | logs

    def _payload(self, payload: Any, kind: str) -> bytes:
        data = payload.read() if hasattr(payload, "read") else payload
        content = data.encode() if isinstance(data, str) else bytes(data)
        limit = self.world.quotas["lambda.event_size" if kind == "Event" else "lambda.payload_size"]
        if len(content) > limit:
            text = f"{len(content)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
            raise ServiceError("RequestTooLargeException", text, status=413)
        if content:
            try:
                read_json(content)
            except ValueError as error:
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
        function.permit(function.statements | {statement_id: added}, self.world)
        self.has_policies = True
        return {"Statement": json.dumps(added, separators=(",", ":"))}

    def remove_permission(self, request: Request, *, function_name: str, statement_id: str) -> Document:
        function = self._function(function_name)
        if statement_id not in function.statements:
            raise missing(f"Statement {statement_id} is not found in resource policy.")
        function.permit({sid: s for sid, s in function.statements.items() if sid != statement_id}, self.world)
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
            "LastModified": moment(self.world.kernel.epoch + config.modified),
            "MaximumRetryAttempts": config.retries,
            "MaximumEventAgeInSeconds": config.age,
            "DestinationConfig": {side: {"Destination": target} if target else {} for side, target in sides},
        }
