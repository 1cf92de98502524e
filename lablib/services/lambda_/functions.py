"""Functions: what is known of one, what Lambda accepts, and the context object that a handler gets.

Sources: Lambda API reference (2015-03-31), the pages of the operations; Lambda developer guide, "Lambda quotas", "Using
the Lambda context object to retrieve Python function information". Error texts are those that users quote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lablib.aws.access.decide import MalformedPolicy, Policy
from lablib.aws.access.identities import UnknownPrincipal, bound
from lablib.aws.arn import Arn, root_of
from lablib.aws.constraints import Rule, check
from lablib.aws.dates import iso, moment
from lablib.aws.service import Principal, ServiceError, World
from lablib.kernel import Kernel

Document = dict[str, Any]
Handler = Callable[[Any, Any], Any]

INVALID = "InvalidParameterValueException"
_PRINCIPAL_ACCOUNT = re.compile(r"[0-9]{12}")


def invalid(message: str) -> ServiceError:
    """Lambda's answer to a parameter that it does not accept."""
    return ServiceError(INVALID, message)


def missing(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message, status=404)


def conflict(message: str) -> ServiceError:
    return ServiceError("ResourceConflictException", message, status=409)


def function_name(text: str) -> str:
    """The name in a function's name, ARN or partial ARN, without a version."""
    arn = Arn.parse(text)
    tail = arn.resource if arn else text
    found = re.fullmatch(r"(?:[0-9]{12}:)?(?:function:)?([^:]+)(?::\$LATEST)?", tail)
    return found[1] if found else text


@dataclass(slots=True)
class EventConfig:
    """What happens to asynchronous invocations that fail: PutFunctionEventInvokeConfig."""

    retries: int
    age: int
    on_success: str = ""
    on_failure: str = ""
    modified: float = 0.0


RUNTIME = "python3.11"


@dataclass(eq=False)
class Function:
    """A deployed function. `principal` is its role, None for the account's administrator."""

    name: str
    arn: str
    handler: Handler
    timeout: int
    memory: int
    role: str
    principal: Principal | None
    created: float
    description: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    dead_letters: str = ""
    events: EventConfig | None = None
    reserved: int | None = None
    running: int = 0
    statements: dict[str, Document] = field(default_factory=dict)
    policy: Policy | None = None
    modified: float = 0.0
    revision: str = ""
    idle: list[float] = field(default_factory=list)  # until when each warm environment is kept

    @property
    def actor(self) -> str:
        """How it appears in the trace."""
        return f"lambda/{self.name}"

    @property
    def handler_name(self) -> str:
        """As its configuration gives it."""
        return f"lambda_function.{getattr(self.handler, '__name__', 'handler')}"

    def policy_text(self) -> str:
        """Its resource policy, as GetPolicy gives it."""
        document = {"Version": "2012-10-17", "Id": "default", "Statement": list(self.statements.values())}
        return json.dumps(document, separators=(",", ":"))

    def permit(self, statements: dict[str, Document], world: World) -> None:
        """Make these the statements of its policy. Raises InvalidParameterValueException."""
        document = {"Version": "2012-10-17", "Statement": list(statements.values())}
        try:
            policy = bound(Policy.parse(document, name=f"function {self.name}"), world) if statements else None
        except (MalformedPolicy, UnknownPrincipal):
            raise invalid("The provided principal was invalid. Please check the principal and try again.") from None
        self.statements, self.policy = statements, policy

    def describe(self, kernel: Kernel) -> Document:
        """Its FunctionConfiguration."""
        document: Document = {
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "Runtime": RUNTIME,
            "Role": self.role,
            "Handler": self.handler_name,
            "CodeSize": 0,
            "Description": self.description,
            "Timeout": self.timeout,
            "MemorySize": self.memory,
            "LastModified": iso(kernel.epoch + self.modified).replace("Z", "+0000"),
            "Version": "$LATEST",
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.revision,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
        }
        if self.dead_letters:
            document["DeadLetterConfig"] = {"TargetArn": self.dead_letters}
        if self.environment:
            document["Environment"] = {"Variables": dict(self.environment)}
        return document


class Context:
    """The second argument of a handler: facts about the invocation."""

    function_version = "$LATEST"
    identity = None
    client_context = None

    def __init__(self, function: Function, request_id: str, kernel: Kernel) -> None:
        self._kernel = kernel
        self._deadline = kernel.now + function.timeout
        self.function_name = function.name
        self.invoked_function_arn = function.arn
        self.memory_limit_in_mb = str(function.memory)
        self.aws_request_id = request_id
        self.log_group_name = f"/aws/lambda/{function.name}"
        day = moment(kernel.epoch + kernel.now)
        self.log_stream_name = f"{day:%Y/%m/%d}/[$LATEST]{request_id.replace('-', '')}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds of virtual time until the function is stopped."""
        return max(0, round((self._deadline - self._kernel.now) * 1000))

    def log(self, message: str) -> None:
        """Write to the log: print it."""
        print(message)


# ---- what Lambda accepts --------------------------------------------------------------------------------------------


def check_function(name: str, timeout: int, memory: int, quotas: dict[str, Any]) -> None:
    """Raises InvalidParameterValueException."""
    check("functionName", name, Rule(pattern="[a-zA-Z0-9-_]{1,64}"), INVALID)
    check_range(timeout, "timeout", 1, quotas["lambda.timeout_max"])
    check_range(memory, "memorySize", 128, quotas["lambda.memory_max"])


def check_range(value: int, name: str, low: int, high: int) -> int:
    """Raises InvalidParameterValueException with the text of AWS's validation."""
    check(name, value, Rule(low, high), INVALID)
    return value


def statement(
    function: Function, sid: str, action: str, principal: str, source_arn: str | None, source_account: str | None
) -> Document:
    """The statement that AddPermission adds."""
    if not re.fullmatch(r"lambda:(\*|[A-Za-z]+)", action):
        raise invalid(f"Invalid action: {action}. It must be lambda:InvokeFunction, or another action of Lambda.")
    who: str | Document = {"AWS": principal}
    if principal == "*":
        who = "*"
    elif principal.endswith((".amazonaws.com", ".amazon.com")):
        who = {"Service": principal}
    elif _PRINCIPAL_ACCOUNT.fullmatch(principal):
        who = {"AWS": root_of(principal, function.arn.split(":")[3])}
    document: Document = {"Sid": sid, "Effect": "Allow", "Principal": who, "Action": action, "Resource": function.arn}
    condition: Document = {}
    if source_account:
        condition["StringEquals"] = {"AWS:SourceAccount": source_account}
    if source_arn:
        condition["ArnLike"] = {"AWS:SourceArn": source_arn}
    return document | ({"Condition": condition} if condition else {})
