"""The front door. Every call passes here, from boto3 and from the lab's own actors.

In order: one row in the API log; the request travels; who calls may be asked (IAM comes with its lab; its place is
marked in `Gateway.call`); faults; the service's handler; the answer travels; the row is completed. A call that is lost
on the way costs the caller its whole read timeout, as it does with a real SDK.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from lablib.kernel import Chance, Kernel, Stream, Trace, lognormal
from lablib.kernel.loop import check_duration
from lablib.services._base import Call, NotSimulated, Operation, Service, ServiceError

FaultKind = Literal["throttle", "lost_request", "lost_answer", "partial"]
_KINDS: tuple[FaultKind, ...] = ("throttle", "lost_request", "lost_answer", "partial")
_LOST = {"lost_request": "RequestLost", "lost_answer": "AnswerLost"}
_QUANTILES = 1024


class AnswerLost(Exception):
    """No answer came within the caller's read timeout. `took_effect` tells what the caller cannot know."""

    def __init__(self, took_effect: bool) -> None:
        super().__init__("the answer was lost" if took_effect else "the request was lost")
        self.took_effect = took_effect


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong at the front door.

    `kind`: "throttle" (the service refuses the call), "lost_request" (it never arrives), "lost_answer" (it takes
    effect, the caller never hears of it), "partial" (single entries of a batch fail). `operations` are AWS's names,
    empty for all; `callers` is a pattern such as "producer*"; it is active from `start` until `end` (seconds since the
    run began), hits with `probability` (0 to 1), and at most `count` times.
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

    def pick(self, caller: str, operation: str) -> Fault | None:
        """The fault that hits this call now, if one does."""
        now = self._kernel.now
        for fault, name in self.active:
            if not fault.start <= now < fault.end or (fault.operations and operation not in fault.operations):
                continue
            if not fnmatchcase(caller, fault.callers) or self._hits.get(name, 0) >= (fault.count or math.inf):
                continue
            if fault.kind == "partial" or self._chance.stream(f"{name}/{caller}").coin(fault.probability):
                self._hits[name] = self._hits.get(name, 0) + 1
                return fault
        return None


class Gateway:
    """The door between callers and services of one cloud."""

    def __init__(self, kernel: Kernel, trace: Trace, chance: Chance, figures: dict[str, Any]) -> None:
        self._wait = kernel.wait
        self._trace = trace
        self._chance = chance
        self._streams: dict[str, Stream] = {}
        self.faults = Faults(kernel, chance)
        half = lognormal(figures["api.latency_median"], figures["api.latency_p95"])
        self._latency = [
            half.at((i + 0.5) / _QUANTILES) / 2 for i in range(_QUANTILES)
        ]  # one way: half of a round trip

    def call(
        self,
        caller: str,
        service: Service,
        name: str,
        params: dict[str, Any],
        operation: str,
        read_timeout: float = 60.0,
    ) -> dict[str, Any]:
        """Call `service.name(**params)` as `caller`, and block until the answer is there.

        `name` is the operation in snake_case, `operation` as AWS writes it. Raises ServiceError, NotSimulated, or
        AnswerLost after `read_timeout` seconds.
        """
        target = service.operations.get(name) or service.operation(name)
        if not target.parameters.issuperset(params):
            extra = ", ".join(sorted(params.keys() - target.parameters))
            raise NotSimulated(f"{service.name}.{name}: parameter {extra} is not simulated")
        wait, trace, latency = self._wait, self._trace, self._latency
        stream = self._streams.get(caller)
        if stream is None:
            stream = self._streams[caller] = self._chance.stream(caller)
        random = stream.random
        row = trace.open(operation, service.resource_of(params), caller)
        call = Call(caller, row, stream, 0.0)
        detail: int | str = "CallerGone"  # what the row says when the caller is killed while it waits
        try:
            wait(None, latency[int(random() * _QUANTILES)])
            fault = self.faults.pick(caller, operation) if self.faults.active else None
            if fault is None:
                # IAM: here identity and resource policies will decide. Today everybody may do everything.
                answer = target.handler(call, **params)
            else:
                answer = self._go_wrong(fault, service, target, params, call)
            if fault is not None and fault.kind in _LOST:
                detail = _LOST[fault.kind]
                wait(None, read_timeout)
                raise AnswerLost(took_effect=fault.kind == "lost_answer")
            wait(None, latency[int(random() * _QUANTILES)])
            if operation == "ReceiveMessage":
                detail = len(answer["Messages"]) if answer else 0
            else:
                detail = len(answer["Successful"]) if "Successful" in answer else 1
        except ServiceError as error:
            wait(None, latency[int(random() * _QUANTILES)])
            detail = error.code
            raise
        finally:
            trace.complete(row, detail)
        return answer

    def _go_wrong(
        self, fault: Fault, service: Service, target: Operation, params: dict[str, Any], call: Call
    ) -> dict[str, Any]:
        if fault.kind == "throttle":
            raise ServiceError(*service.throttle, sender_fault=False)
        if fault.kind == "lost_request":
            return {}
        if fault.kind == "partial":
            call.partial = fault.probability
        return target.handler(call, **params)
