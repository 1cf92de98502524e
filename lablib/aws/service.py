"""What every simulated service is made of."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar

from lablib.aws.arn import ACCOUNT, Arn
from lablib.aws.event import Event
from lablib.aws.quotas import Quota
from lablib.kernel import Chance, Kernel, Stream, Trace

if TYPE_CHECKING:
    from lablib.aws.access.decide import Policy


T = TypeVar("T")
ADMINISTRATOR_ID = "AIDALABSADMINISTRATOR"  # the unique id of the user who calls without a role


class ServiceError(Exception):
    """An error that AWS documents: the caller sees it as a ClientError of class `shape` with `code` and `message`.

    `shape` is its name in the service's model; `code` what stands on the wire (the same when not given); `status` is
    HTTP's; `sender_fault` tells whether the caller is to blame; `details` are the fields beside code and message that
    some errors have, such as BucketName.
    """

    def __init__(
        self,
        shape: str,
        message: str,
        *,
        code: str | None = None,
        status: int = 400,
        sender_fault: bool = True,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.shape = shape
        self.message = message
        self.code = code or shape
        self.status = status
        self.sender_fault = sender_fault
        self.details = details or {}


class NotSimulated(Exception):
    """AWS has it, this lab has not. The text says what, and what to do instead where there is something."""


class AnswerLost(Exception):
    """No answer came within the caller's read timeout. `took_effect` tells what the caller cannot know."""

    def __init__(self, took_effect: bool) -> None:
        super().__init__("the answer was lost" if took_effect else "the request was lost")
        self.took_effect = took_effect


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as access policies see it. Where a principal may be None, None is the account's administrator.

    `arn` is that of a user or of a role's session, empty for an AWS service; `role` the ARN of the role behind the
    session; `service` such as "sns.amazonaws.com". `identity` gives the policies attached to it, now: they can change
    while a program runs. `context` holds condition keys that are known of the caller, such as `aws:SourceArn`. A
    session `expires` at that virtual second.
    """

    account: str
    arn: str = ""
    role: str = ""
    service: str = ""
    identity: Callable[[], tuple[Policy, ...]] = tuple
    context: Mapping[str, str] = field(default_factory=dict)
    expires: float = math.inf


class Target(NamedTuple):
    """What a request is about, for the API log and for access policies.

    `resource` is its name in the API log, empty where there is none; `owner` the account that owns it. It takes the
    right to do `actions` ("sqs:SendMessage") on `arn` ("*" where it is about no single resource): the operation's own
    action first, then what else the request needs. `policy` is the resource's own one, `context` the condition keys
    known of the request. `exists`: is the resource there at all?
    """

    resource: str
    owner: str
    actions: tuple[str, ...]
    arn: str = "*"
    policy: Policy | None = None
    exists: bool = True
    context: Mapping[str, str] = {}


class ServiceCalls(Protocol):
    """How a service reaches another one: through the front door, as its own principal."""

    def call_service(
        self,
        to: Arn,
        name: str,
        params: dict[str, Any],
        *,
        principal: Principal,
        caller: str,
        cause: int,
        trace_header: str = "",
    ) -> dict[str, Any]:
        """Call operation `name` of the service, region and account of the ARN `to`, without waiting.

        `caller` is the name in the API log ("sns/orders"), `cause` the row that led to it, `trace_header` goes with the
        request. Raises ServiceError (also
        when access is denied), and AnswerLost when an injected fault loses the call.
        """

    traces: bool  # do functions run, whose requests have a tracing header?

    def assume(self, role: str, service: str) -> Principal | None:
        """A session of the role with that ARN, for an AWS service ("firehose.amazonaws.com"); None when there is no
        such role, or it does not trust the service."""


@dataclass(slots=True)
class World:
    """What a service may know of the world it lives in. `shared` is common to all services of a cloud, whatever their
    account and region: the names of buckets are."""

    kernel: Kernel
    trace: Trace
    chance: Chance
    quotas: dict[str, Any]  # the values of the edition, by name
    gateway: ServiceCalls
    region: str = "us-east-1"
    account: str = ACCOUNT
    shared: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Request:
    """One call as its handler sees it: who calls, the row of the API log, the caller's own randomness.

    `partial` is the probability with which an injected fault makes single entries of a batch fail; `principal` is
    the caller for access policies, None for the account's administrator; `trace_header` comes with requests that a
    function makes (see `aws/tracing.py`).
    """

    caller: str
    row: int
    chance: Stream
    partial: float = 0.0
    principal: Principal | None = None
    trace_header: str = ""

    @property
    def user_id(self) -> str:
        """The caller's unique id, as events and messages show it: of a user, of a role's session, of an AWS service."""
        if self.principal is None:
            return ADMINISTRATOR_ID
        return self.principal.context.get("aws:userid") or f"AIDALAB{self.principal.service.split('.')[0].upper()}"

    def entry_fails(self) -> bool:
        """Does an injected fault make this entry of a batch fail?"""
        return self.partial > 0 and self.chance.coin(self.partial)


class TokenBucket:
    """A limit on calls: each takes a token; `rate` tokens a second flow in, at most `size` are kept. It starts full."""

    __slots__ = ("_filled", "_tokens", "rate", "size")

    def __init__(self, rate: float, size: float, now: float) -> None:
        self.rate = rate
        self.size = size
        self._tokens = size
        self._filled = now

    def ready(self, now: float) -> bool:
        """Is there a token?"""
        tokens = self._tokens + (now - self._filled) * self.rate
        self._tokens = tokens = tokens if tokens < self.size else self.size
        self._filled = now
        return tokens >= 1 - 1e-9  # a third of a token, three times

    def take(self) -> None:
        """Take the token that `ready` found."""
        self._tokens -= 1


Handler = Callable[..., dict[str, Any]]
# Dollars of a run by what they are for, from its trace, its rows by kind, the quotas and its end: see `Service.bill`.
Bill = Callable[[Trace, Mapping[str, list[int]], Mapping[str, Any], float], dict[str, float]]
_ACRONYMS = {"sms": "SMS"}  # words that the names of operations spell in capitals
Count = Callable[[dict[str, Any]], int]


def count_of(key: str) -> Count:
    """How many documents an answer lists under `key`."""
    return lambda answer: len(answer.get(key, ()))


@dataclass(eq=False)
class Service:
    """A service in one region of one account. A public method is an operation; parameters and answers are AWS's
    documents. `has_policies`: some resource has a policy, or other accounts exist, so that even the administrator is
    asked.
    """

    name: ClassVar[str]
    throttle: ClassVar[tuple[str, str]] = ("ThrottlingException", "Rate exceeded")
    access_denied: ClassVar[tuple[str, int]] = ("AccessDeniedException", 400)  # shape and HTTP status
    batches: ClassVar[frozenset[str]] = frozenset()  # operations whose entries can fail one by one
    counts: ClassVar[Mapping[str, Count]] = {}  # how many messages the answer of an operation handled; else one
    fresh_answers: ClassVar[frozenset[str]] = (
        frozenset()
    )  # of which operations nothing in the answer is kept: no copies
    slow: ClassVar[frozenset[str]] = frozenset()  # operations that may take long to answer, see `longest`
    quirks: ClassVar[Mapping[str, Collection[str]]] = {}  # what boto3 does for it beyond its model (clients.boto)
    asked_anyway: ClassVar[Mapping[str, Any]] = {}  # parameters whose value asks for what is so anyway
    said_anyway: ClassVar[Mapping[str, Any]] = {}  # what all answers say that have a place for it
    arn_parameter: ClassVar[str] = "resource_arn"  # in which most operations take their resource
    absent: ClassVar[dict[str, str]] = {}  # operations that AWS has and the lab has not, each with what to know of it
    quotas: ClassVar[tuple[Quota, ...]] = ()  # its quotas and prices, and what its model assumes
    events: ClassVar[tuple[Event, ...]] = ()  # what the rows mean that it writes
    https_only: ClassVar[bool] = False  # does it refuse requests that do not come over HTTPS?
    is_global: ClassVar[bool] = False  # the same in all regions, as IAM is

    world: World
    operations: dict[str, Handler] = field(default_factory=dict, repr=False)
    has_policies: bool = False

    def longest(self, operation: str, params: dict[str, Any]) -> float:
        """Seconds that an operation in `slow` can take with these parameters. Who does not wait so long is left
        without an answer, and the operation goes on."""
        return 0.0

    @property
    def now(self) -> float:
        """Virtual seconds since the run began."""
        return self.world.kernel.now

    def date(self, time: float) -> datetime:
        """A moment of the run (in seconds since it began) as most answers have it: in whole seconds."""
        return datetime.fromtimestamp(int(self.world.kernel.epoch + time), UTC)

    def arn(self, resource: str) -> str:
        """The ARN of one of this service's resources."""
        return str(Arn(self.name, self.world.region, self.world.account, resource))

    def target(self, operation: str, params: dict[str, Any]) -> Target:
        """What a call of `operation` (in AWS's spelling) is about. Asked for every call, so it should be quick."""
        return Target("", self.world.account, (f"{self.name}:{operation}",))

    def parameters_about(self, arn: Arn) -> dict[str, Any]:
        """The parameters with which an operation is called on the resource with that ARN, as far as `target` reads
        them."""
        return {self.arn_parameter: str(arn)}

    def at(self, endpoint_url: str | None) -> Service:
        """This service as it answers at that endpoint; None: where boto3 calls by itself. Most answer everywhere."""
        return self

    def operation(self, name: str) -> Handler:
        """The handler of the operation with that snake_case name. Raises NotSimulated when this service has none."""
        found = self.operations.get(name)
        if found is None:
            if why := self.absent.get(name):
                raise NotSimulated(f"{self.name}.{name} is not simulated: {why}")
            if name.startswith("_") or not _is_operation(getattr(type(self), name, None)):
                known = ", ".join(self.coverage())
                raise NotSimulated(f"{self.name}.{name} is not simulated. This lab simulates: {known}")
            found = self.operations[name] = getattr(self, name)
        return found

    @classmethod
    def missing_parameter(cls, path: str) -> ServiceError:
        """The error for a required parameter that nobody gave, where no client has looked: "QueueUrl", or its path in
        another, as botocore writes it: "Entries[0].Id"."""
        text = f"1 validation error detected: Value null at '{_path(path)}' failed to satisfy constraint: "
        return ServiceError("ValidationException", f"{text}Member must not be null")

    def check_parameters(self, name: str, params: dict[str, Any]) -> None:
        """Raise NotSimulated when the operation `name` does not take one of these parameters here."""
        known = inspect.signature(self.operation(name)).parameters
        if any(one.kind is one.VAR_KEYWORD for one in known.values()):
            return  # it looks at what it is given itself
        if extra := ", ".join(sorted(set(params) - set(known))):
            raise NotSimulated(f"{self.name}.{name}: parameter {extra} is not simulated")

    @classmethod
    def bill(
        cls, trace: Trace, rows: Mapping[str, list[int]], quotas: Mapping[str, Any], until: float
    ) -> dict[str, float]:
        """Dollars of a run by what they are for, by the price list; nothing where the lab knows no price.

        `rows`: the numbers of the rows of `trace` by kind; `until`: the end of the run in seconds. Free tiers are not
        taken off, and what AWS bills by the hour is counted to the second.
        """
        return {}

    def biller(self) -> Bill:
        """What tells the costs of a run: `bill`, with what this service has noted for it beside the trace."""
        return self.bill

    @classmethod
    def coverage(cls) -> list[str]:
        """The snake_case names of all simulated operations."""
        return [n for n, f in inspect.getmembers(cls) if not n.startswith("_") and _is_operation(f)]


def _path(path: str) -> str:
    """A path in botocore's report, such as Entries[0].MessageAttributes.a.DataType, as services write it."""
    steps = [re.sub(r"\[(\d+)\]", lambda index: f".{int(index[1]) + 1}.member", step) for step in path.split(".")]
    maps = [False, *(step in ("MessageAttributes", "Attributes") for step in steps)]
    return ".".join(
        f"{step}.member" if key else step[:1].lower() + step[1:] for step, key in zip(steps, maps, strict=False)
    )


def named(kind: str, name: str, found: Mapping[str, T]) -> T:
    """What has that name, to look into. Raises KeyError, which tells the names that there are."""
    if name not in found:
        raise KeyError(f"no {kind} is called {name!r}; there are: {', '.join(found) or 'none'}")
    return found[name]


def _is_operation(attribute: Any) -> bool:
    """Is it a method whose first parameter, after self, is `request`?"""
    return inspect.isfunction(attribute) and attribute.__code__.co_varnames[1:2] == ("request",)


@cache
def pascal(name: str) -> str:
    """`receive_message` -> `ReceiveMessage`, as AWS spells operations."""
    return "".join(_ACRONYMS.get(part) or part.capitalize() for part in name.split("_"))
