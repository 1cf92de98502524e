"""The front door. Every call passes here, from boto3 and from the lab's own actors.

In order: one row in the API log; the request travels; faults; access policies decide; the service's handler; the answer
travels; the row is completed. A call that is lost on the way costs the caller its whole read timeout, as it does with a
real SDK. Services reach each other by the same door (`call_service`), without the waiting.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Literal

from lablib.aws.arn import Arn
from lablib.aws.event import Event
from lablib.aws.service import AnswerLost, Principal, Request, Service, ServiceError, pascal
from lablib.kernel import Chance, Kernel, Process, Stream, Trace, lognormal
from lablib.kernel.loop import check_duration
from lablib.services import PROVIDERS

FaultKind = Literal["throttle", "lost_request", "lost_answer", "partial"]
_KINDS: tuple[FaultKind, ...] = ("throttle", "lost_request", "lost_answer", "partial")
_LOST = {"lost_request": "RequestLost", "lost_answer": "AnswerLost"}
_QUANTILES = 1024
FLAT = frozenset((str, int, float, bool, bytes, type(None)))
_NOTHING = (None, None, None)
_REMEMBERED = 10_000  # so many allowed calls


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong at the front door.

    `kind`: "throttle" (the service refuses the call), "lost_request" (it never arrives), "lost_answer" (it takes
    effect, the caller never hears of it), "partial" (single entries of a batch fail). `operations` are AWS's names,
    empty for all; `callers` is a pattern such as "producer*"; it is active from `start` until `end` (seconds since the
    run began), hits with `probability` (0 to 1), and at most `count` times (None: any number). A "partial" fault hits
    operations that take a batch only. Raises ValueError for what cannot be.
    """

    kind: FaultKind
    operations: tuple[str, ...] = ()
    callers: str = "*"
    start: float = 0.0
    end: float = math.inf
    probability: float = 1.0
    count: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"kind={self.kind!r}: must be one of {', '.join(map(repr, _KINDS))}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability={self.probability!r}: must be from 0 to 1")
        if check_duration("start", self.start) > self.end:
            raise ValueError(f"end={self.end!r}: must not be before start={self.start!r}")
        if self.count is not None and (not isinstance(self.count, int) or self.count < 0):
            raise ValueError(f"count={self.count!r}: must be a whole number, zero or more, or None")
        if isinstance(self.operations, str):
            object.__setattr__(self, "operations", (self.operations,))


class Faults:
    """The faults of a run, in the order in which they were added. Each draws from a stream of its own."""

    def __init__(self, kernel: Kernel, chance: Chance) -> None:
        self._kernel = kernel
        self._chance = chance
        self.active: list[tuple[Fault, str]] = []
        self._hits: dict[str, int] = {}

    def add(self, *faults: Fault) -> None:
        """Let these go wrong from now on."""
        for fault in faults:
            self.active.append((fault, f"fault-{len(self.active)}"))

    def pick(self, caller: str, operation: str, is_batch: bool) -> Fault | None:
        """The fault that hits this call now, if one does; `is_batch`: the operation takes a batch of entries."""
        now = self._kernel.now
        for fault, name in self.active:
            if not fault.start <= now < fault.end or (fault.operations and operation not in fault.operations):
                continue
            if not fnmatchcase(caller, fault.callers) or (fault.kind == "partial" and not is_batch):
                continue
            if fault.count is not None and self._hits.get(name, 0) >= fault.count:
                continue
            if fault.kind == "partial" or self._chance.stream(f"{name}/{caller}").coin(fault.probability):
                self._hits[name] = self._hits.get(name, 0) + 1
                return fault
        return None


class Gateway:
    """The door between callers and services of one cloud. `find` gives the service of a name, region and account."""

    def __init__(
        self,
        kernel: Kernel,
        trace: Trace,
        chance: Chance,
        quotas: dict[str, Any],
        find: Callable[[str, str, str], Service],
    ) -> None:
        self._find = find
        self._kernel = kernel
        self._trace = trace
        trace.declare(EVENTS)
        self._chance = chance
        self._streams: dict[str, Stream] = {}
        self.faults = Faults(kernel, chance)
        self.traces = False  # do functions run, whose requests have a tracing header?
        # What was allowed, by whom and what it was decided: the same people ask for the same things.
        self._allowed: dict[tuple[str, str, str, int], tuple[Principal, Any, tuple[Any, ...]]] = {}
        self._latency = _one_way(quotas["api.latency_median"], quotas["api.latency_p95"])

    def call(
        self,
        caller: str,
        service: Service,
        name: str,
        params: dict[str, Any],
        operation: str,
        read_timeout: float | None = 60.0,
        principal: Principal | None = None,
        cause: int = -1,
        travels: bool = True,
        trace_header: str = "",
    ) -> dict[str, Any]:
        """Call `service.name(**params)` as `caller`, and block until the answer is there.

        `name` is the operation in snake_case, `operation` as AWS writes it; `principal` is who calls for access
        policies, None the account's administrator; `cause` the row that led to the call. When the call `travels`, time
        passes before it arrives and before its answer does. The documents in `params` and in the answer are copies:
        caller and service share nothing. Raises ServiceError, NotSimulated, or AnswerLost after `read_timeout` seconds.
        """
        handler = service.operations.get(name) or service.operation(name)
        kernel, trace, latency = self._kernel, self._trace, self._latency
        stream = self._streams.get(caller) or self._stream(caller)
        random = stream.random
        row = trace.open(operation, service.target(operation, params).resource, caller, cause)
        request = Request(caller, row, stream, 0.0, principal, trace_header)
        if self.traces and not trace_header:
            process = self._main_process()
            request.trace_header = process.trace_header if process else ""
        detail: int | str = "CallerGone"  # what the row says when the caller is killed while it waits
        try:
            if travels:
                kernel.pass_time(latency[int(random() * _QUANTILES)])
            fault = self.faults.pick(caller, operation, operation in service.batches) if self.faults.active else None
            patience = read_timeout if travels and operation in service.slow else None
            if patience is not None and service.longest(operation, params) >= patience:
                answer = self._meanwhile(fault, service, name, operation, params, request, patience)
            elif fault is None and principal is None and not service.has_policies:
                answer = handler(request, **params)
            else:
                answer = self._handle(fault, service, name, operation, params, request)
            if fault is not None and fault.kind in _LOST:
                detail = _LOST[fault.kind]
                if travels:
                    kernel.wait(None, read_timeout)
                raise AnswerLost(took_effect=fault.kind == "lost_answer")
            if travels:
                kernel.pass_time(latency[int(random() * _QUANTILES)])
            if operation not in service.fresh_answers:
                for key, value in answer.items():
                    if value.__class__ not in FLAT:
                        answer[key] = duplicate(value)
            count = service.counts.get(operation)
            detail = count(answer) if count else 1
        except ServiceError as error:
            if travels:
                kernel.wait(None, latency[int(random() * _QUANTILES)])
            detail = error.code
            raise
        except AnswerLost:
            detail = _LOST["lost_answer"] if detail == "CallerGone" else detail
            raise
        except Exception as error:
            detail = type(error).__name__
            if isinstance(error, UnicodeEncodeError):  # half of a surrogate pair; the code is AWS's, the words are ours
                detail = "SerializationException"
                raise ServiceError(detail, "a text in the request has no form in UTF-8") from None
            if isinstance(error, TypeError):  # asked only now: most parameters are simulated
                detail = "NotSimulated"
                service.check_parameters(name, params)
                detail = "TypeError"
            raise
        finally:
            trace.complete(row, detail)
        return answer

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
        """Call an operation of the service that owns `to`, for another service: no time passes. See `ServiceCalls`."""
        service = self._find(to.service, to.region, to.account)
        params = {key: duplicate(value) for key, value in params.items()}
        return self.call(caller, service, name, params, pascal(name), 0.0, principal, cause, False, trace_header)

    def assume(self, role: str, service: str) -> Principal | None:
        """A session of a role for an AWS service. See `ServiceCalls`."""
        arn = Arn.parse(role)
        owner: Any = self._find(arn.service, "", arn.account) if arn and arn.service == PROVIDERS["roles"] else None
        session: Principal | None = owner.session(role, service) if owner else None
        return session

    def _stream(self, caller: str) -> Stream:
        stream = self._streams[caller] = self._chance.stream(caller)
        return stream

    def _handle(
        self, fault: Fault | None, service: Service, name: str, operation: str, params: dict[str, Any], request: Request
    ) -> dict[str, Any]:
        """The request arrives, or goes wrong: the way of all calls that are not as simple as most are."""
        if fault is not None:
            if fault.kind == "throttle":
                raise ServiceError(*service.throttle, sender_fault=False)
            if fault.kind == "lost_request":
                return {}
            if fault.kind == "partial":
                request.partial = fault.probability
        if request.principal is not None or service.has_policies:
            service = self._admit(service, operation, params, request)
        return service.operation(name)(request, **params)

    def _meanwhile(
        self,
        fault: Fault | None,
        service: Service,
        name: str,
        operation: str,
        params: dict[str, Any],
        request: Request,
        read_timeout: float,
    ) -> dict[str, Any]:
        """A request that may take longer than its caller waits: it is handled in a process of its own, which goes on
        when the caller has given up. Raises AnswerLost then."""
        outcome: list[dict[str, Any] | Exception] = []

        def handle() -> None:
            try:
                outcome.append(self._handle(fault, service, name, operation, params, request))
            except Exception as error:  # the caller's, if it still waits
                outcome.append(error)

        process = self._kernel.spawn(handle, name=f"{request.caller}/{operation}")
        try:
            answered = self._kernel.wait(process.done, read_timeout)
        except BaseException:  # the caller ends, and with it its connection
            self._kernel.kill(process)
            raise
        if not answered or not outcome:  # too late, or ended by somebody
            raise AnswerLost(took_effect=True)
        (found,) = outcome
        if isinstance(found, Exception):
            raise found
        return found

    def _admit(self, service: Service, operation: str, params: dict[str, Any], request: Request) -> Service:
        """Let access policies decide. Returns the service of the account that owns the resource.

        Raises ServiceError when access is denied, with one row in the trace that tells why.
        """
        from lablib.aws.access.decide import AccessRequest, administrator, decide

        target = service.target(operation, params)
        request.principal = request.principal or self._acting()
        caller = request.principal or administrator(service.world.account, service.world.region)
        if caller.expires <= self._kernel.now:
            code = "ExpiredTokenException" if service.access_denied[0] == "AccessDeniedException" else "ExpiredToken"
            raise ServiceError(code, "The security token included in the request is expired", status=403)
        if service.https_only and caller.context.get("aws:SecureTransport") == "false":
            raise ServiceError("InvalidSecurity", "The request was not made over HTTPS.", status=403)
        owner = target.owner
        if owner != service.world.account:
            service = self._find(service.name, service.world.region, owner)
            request.principal = caller
            target = service.target(operation, params)
        if caller.service and not target.exists:  # no policy could let it in: it is told that nothing is there
            return service
        asked = (target.actions[0], target.arn, owner, id(caller))
        deciding = (caller, target.policy, caller.identity())
        plain = len(target.actions) == 1 and not target.context
        if plain and all(a is b for a, b in zip(self._allowed.get(asked, _NOTHING), deciding, strict=True)):
            return service
        context = {"aws:RequestedRegion": service.world.region, **target.context, **caller.context}
        now = self._kernel.epoch + self._kernel.now
        for action in target.actions:
            decision = decide(AccessRequest(action, target.arn, caller, owner, context, now), target.policy)
            if not decision:
                why = decision.explain()
                self._trace.add("AccessDenied", target.resource, "", request.caller, request.row, why)
                shape, status = service.access_denied
                raise ServiceError(shape, decision.message(), status=status)
        if plain and all(policy.timeless for policy in (target.policy, *deciding[2]) if policy):
            if len(self._allowed) > _REMEMBERED:
                self._allowed.clear()
            self._allowed[asked] = deciding
        return service

    def _acting(self) -> Principal | None:
        """In whose name the process that runs calls: a function's role, for its threads too."""
        process = self._main_process()
        acts_as: Principal | None = process.acts_as if process else None
        return acts_as

    def _main_process(self) -> Process | None:
        """The process that runs, or the program whose thread it is. None on the main line."""
        process = self._kernel.current
        return process.program.main if process and process.program else process


def duplicate(document: Any) -> Any:
    """A document of AWS without anything in common with the first; streams and bodies are passed on."""
    kind = document.__class__
    if kind is dict or isinstance(document, dict):
        copied = dict(document)
        for key, value in document.items():  # quicker than a comprehension
            if value.__class__ not in FLAT:
                copied[key] = duplicate(value)
        return copied
    if kind is list or isinstance(document, (list, tuple)):
        entries = []
        for value in document:
            entries.append(value if value.__class__ in FLAT else duplicate(value))
        return entries
    return bytes(document) if kind is bytearray else document


EVENTS = (
    Event("AccessDenied", lambda row, trace: "access denied: " + str(row.detail).replace("\n", " ")),
    Event(
        "AnswerLost",
        label="lost answer",
        notable="The answer to {actor}'s {kind} is lost. The call took effect; the caller does not know.",
    ),
    Event("RequestLost", label="lost request", notable="{actor}'s {kind} is lost on its way."),
)


@lru_cache(maxsize=16)
def _one_way(median: float, p95: float) -> list[float]:
    """The quantiles of the time that a request or an answer travels: half of a round trip."""
    round_trip = lognormal(median, p95)
    return [round_trip.at((i + 0.5) / _QUANTILES) / 2 for i in range(_QUANTILES)]
