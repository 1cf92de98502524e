"""Running functions: one process an invocation, the timeout, concurrency, and the queue of asynchronous events.

Sources: Lambda developer guide, "Understanding Lambda function scaling", "How Lambda handles errors and retries with
asynchronous invocation", "Capturing records of Lambda asynchronous invocations", "Lambda quotas". How long a cold start
takes, how long an environment is kept, and how fast the event queue is, are assumed.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from lablib.aws.access.decide import administrator
from lablib.aws.arn import Arn
from lablib.aws.dates import iso
from lablib.aws.service import AnswerLost, ServiceError, World
from lablib.aws.targets import hand_over, reason
from lablib.aws.tracing import onward, rounds
from lablib.kernel import Process, Signal, lognormal
from lablib.kernel.stdlib.variables import give_variables
from lablib.services.lambda_.functions import Context, Document, EventConfig, Function
from lablib.services.lambda_.variables import variables_of


@dataclass(eq=False, slots=True)
class Invocation:
    """One run of a function. `done` fires at its end; then `payload` is what it returned, or the error document when
    `error` is not empty; `reason` says why in one line. `row` is its InvocationStarted."""

    function: Function
    request_id: str
    done: Signal
    then: Callable[[Invocation], None] | None = None
    again: Callable[[], float] | None = None  # of an event: when it is tried again, should this run fail; 0: never
    over: bool = False
    payload: bytes = b""
    error: str = ""
    reason: str = ""
    row: int = -1
    key: str = ""  # of its process, among the kernel's
    process: Process | None = None
    timer: Any = None


def throttled() -> ServiceError:
    return ServiceError("TooManyRequestsException", "Rate Exceeded.", status=429)


class Runner:
    """Runs the functions of one account and region."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._running = 0
        self.sizes: dict[int, int] = world.shared.setdefault("lambda/sizes", {})  # MB of a run, by the row of its start
        quotas = world.quotas
        self._cold = lognormal(quotas["lambda.cold_start_median"], quotas["lambda.cold_start_p95"])

    def start(
        self,
        function: Function,
        payload: bytes,
        cause: int,
        request_id: str = "",
        then: Callable[[Invocation], None] | None = None,
        trace_header: str = "",
    ) -> Invocation:
        """Run the function on a payload; `then` is called at the end, and must not wait; `trace_header` came with the
        request. Raises TooManyRequestsException when no concurrency is left."""
        world, kernel = self._world, self._world.kernel
        request_id = request_id or world.chance.uuid("lambda/requests")
        if function.running >= self._most(function):
            world.trace.add("InvocationThrottled", function.name, request_id, function.actor, cause)
            raise throttled()
        function.running += 1
        self._running += 1
        invocation = Invocation(function, request_id, Signal(kernel), then)
        invocation.row = world.trace.add("InvocationStarted", function.name, request_id, function.actor, cause)
        self.sizes[invocation.row] = function.memory
        process = kernel.spawn(self._run, invocation, payload, name=f"{function.actor} {request_id}")
        invocation.process, invocation.key = process, process.name
        process.name = function.actor  # whatever its handler calls, the function is the caller
        process.acts_as = function.principal
        world.gateway.traces = True
        now, id = kernel.epoch + kernel.now, world.chance.uuid("lambda/traces")
        process.trace_header = onward(trace_header, function.arn, now, id)
        return invocation

    def loops(self, function: Function, trace_header: str, request_id: str, cause: int) -> bool:
        """Is the function in a loop that Lambda stops? Then the trace has a row that tells."""
        count = rounds(trace_header, function.arn) if trace_header else 0
        if count < self._world.quotas["lambda.loop"]:
            return False
        self._world.trace.add("LoopStopped", function.name, request_id, function.actor, cause, count)
        return True

    def _most(self, function: Function) -> int:
        """How many runs of it there may be at a time: its reserved concurrency, or what others leave."""
        if function.reserved is not None:
            return function.reserved
        free: int = self._world.quotas["lambda.concurrency"] - self._running
        return function.running + free

    def _run(self, invocation: Invocation, payload: bytes) -> None:
        function, kernel = invocation.function, self._world.kernel
        try:
            if not self._warm(function):
                cold = self._world.chance.stream(function.actor).draw(self._cold)
                about = (function.name, invocation.request_id, function.actor, invocation.row)
                self._world.trace.add("EnvironmentStarted", *about, until=kernel.now + cold)
                kernel.wait(None, cold)
            invocation.timer = kernel.after(function.timeout, self._time_out, invocation)
            event = json.loads(payload) if payload else {}
            context, process = Context(function, invocation.request_id, kernel), invocation.process
            if process:
                give_variables(
                    process, partial(variables_of, function, context, self._world.region, process.trace_header)
                )
            answer = function.handler(event, context)
            self._finish(invocation, *_marshal(answer, invocation.request_id))
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            self._finish(invocation, _failure(error, invocation.request_id), reason)
        finally:
            if not invocation.over:  # killed from outside
                reason = "Runtime exited with error: signal: killed"
                text = f"RequestId: {invocation.request_id} Error: {reason}"
                document = {"errorType": "Runtime.ExitError", "errorMessage": text}
                self._finish(invocation, json.dumps(document).encode(), reason, reusable=False)

    def _warm(self, function: Function) -> bool:
        """Take a warm environment, if there is one."""
        function.idle = [until for until in function.idle if until > self._world.kernel.now]
        return bool(function.idle and function.idle.pop())

    def _time_out(self, invocation: Invocation) -> None:
        kernel, timeout = self._world.kernel, invocation.function.timeout
        reason = f"Task timed out after {timeout:.2f} seconds"
        text = f"{iso(kernel.epoch + kernel.now)} {invocation.request_id} {reason}"
        document = json.dumps({"errorMessage": text}).encode()
        self._finish(invocation, document, reason, reusable=False)
        if invocation.process:
            kernel.kill(invocation.process)

    def _finish(self, invocation: Invocation, payload: bytes, reason: str, reusable: bool = True) -> None:
        if invocation.over:
            return
        world, function = self._world, invocation.function
        invocation.over, invocation.payload, invocation.reason = True, payload, reason
        invocation.error = "Unhandled" if reason else ""
        if invocation.timer:
            invocation.timer.cancel()
        function.running -= 1
        self._running -= 1
        if reusable:
            function.idle.append(world.kernel.now + world.quotas["lambda.environment_idle"])
        world.kernel.processes.pop(invocation.key, None)
        kind = "InvocationFailed" if reason else "InvocationEnded"
        why = reason.partition("\n")[0] or None  # further lines may be a traceback, with this machine's paths in it
        until = invocation.again() if reason and invocation.again else 0.0
        world.trace.add(kind, function.name, invocation.request_id, function.actor, invocation.row, why, until)
        if invocation.then:
            invocation.then(invocation)
        invocation.done.fire()


def _marshal(answer: Any, request_id: str) -> tuple[bytes, str]:
    """What a handler returned, as JSON, and the reason why that failed, if it did."""
    try:
        return json.dumps(answer, ensure_ascii=False).encode(), ""
    except (TypeError, ValueError) as error:
        text = f"Unable to marshal response: {error}"
        document = {"errorMessage": text, "errorType": "Runtime.MarshalError", "requestId": request_id}
        return json.dumps(document | {"stackTrace": []}).encode(), f"Runtime.MarshalError: {text}"


def _failure(error: BaseException, request_id: str) -> bytes:
    """The document of an exception, as the Python runtime writes it. Files are named as in a deployment package."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without our own
    stack = [f'  File "/var/task/lambda_function.py", line {f.lineno}, in {f.name}\n    {f.line}\n' for f in frames]
    document = {"errorMessage": str(error), "errorType": type(error).__name__, "requestId": request_id}
    return json.dumps(document | {"stackTrace": stack}).encode()


# ---- asynchronous events --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Pending:
    """An event in the queue of asynchronous invocations."""

    name: str
    payload: bytes
    request_id: str
    accepted: float
    cause: int
    failures: int = 0
    throttles: int = 0
    last: Invocation | None = None
    trace_header: str = ""


class EventQueue:
    """Events that wait to be given to functions, and what becomes of them. `find` gives a function by its name."""

    def __init__(self, world: World, runner: Runner, find: Callable[[str], Function | None]) -> None:
        self._world = world
        self._runner = runner
        self._find = find

    def accept(self, function: Function, payload: bytes, cause: int, trace_header: str = "") -> None:
        """Take an event; it may be given to the function more than once (guide: eventually consistent)."""
        world = self._world
        stream = world.chance.stream(f"{function.actor}/events")
        request_id = world.chance.uuid("lambda/requests")
        if self._runner.loops(function, trace_header, request_id, cause):
            event = Pending(function.name, payload, request_id, world.kernel.now, cause)
            self._exhausted(event, function, "RecursiveLoop")
            return
        for _ in range(1 + stream.coin(world.quotas["lambda.event_duplicates"])):
            event = Pending(function.name, payload, request_id, world.kernel.now, cause)
            event.trace_header = trace_header
            world.kernel.after(world.quotas["lambda.event_latency"], self._attempt, event)

    def _attempt(self, event: Pending) -> None:
        function = self._find(event.name)
        if function is None:
            self._drop(event, "the function was deleted")
            return
        try:
            then, header = partial(self._ended, event), event.trace_header
            run = self._runner.start(function, event.payload, event.cause, event.request_id, then, header)
            run.again = partial(self._next, event, function)
        except ServiceError:
            event.throttles += 1
            pause = min(2.0 ** (event.throttles - 1), self._world.quotas["lambda.throttle_backoff_max"])
            self._again(event, function, pause)

    def _again(self, event: Pending, function: Function, pause: float) -> None:
        """Try once more after `pause` seconds, unless the event is too old by then."""
        now = self._world.kernel.now
        if now + pause - event.accepted > self._config(function).age:
            self._exhausted(event, function, "EventAgeExceeded")
        else:
            self._world.kernel.after(pause, self._attempt, event)

    def _next(self, event: Pending, function: Function) -> float:
        """When the event is tried again after one more failure; 0: never."""
        config, failures = self._config(function), event.failures + 1
        if failures > config.retries:
            return 0.0
        at: float = self._world.kernel.now + self._world.quotas[f"lambda.event_pause_{failures}"]
        return at if at - event.accepted <= config.age else 0.0

    def _config(self, function: Function) -> EventConfig:
        quotas = self._world.quotas
        return function.events or EventConfig(quotas["lambda.event_retries"], quotas["lambda.event_age"])

    def _ended(self, event: Pending, invocation: Invocation) -> None:
        function = invocation.function
        event.last, config = invocation, self._config(function)
        if not invocation.error:
            if config.on_success:
                self._send(event, function, config.on_success, self._record(event, function, "Success"))
            return
        event.failures += 1
        if event.failures > config.retries:
            self._exhausted(event, function, "RetriesExhausted")
        else:
            pause = self._world.quotas[f"lambda.event_pause_{event.failures}"]
            self._again(event, function, pause)

    def _exhausted(self, event: Pending, function: Function, condition: str) -> None:
        config = self._config(function)
        if config.on_failure:
            self._send(event, function, config.on_failure, self._record(event, function, condition))
        if function.dead_letters:
            self._send_dead_letter(event, function)
        if not config.on_failure and not function.dead_letters:
            self._drop(event, condition)

    def _drop(self, event: Pending, why: str) -> None:
        row = event.last.row if event.last else event.cause
        self._world.trace.add("EventDiscarded", event.name, event.request_id, f"lambda/{event.name}", row, why)

    def _record(self, event: Pending, function: Function, condition: str) -> str:
        """The document that a destination gets."""
        now = self._world.kernel.epoch + self._world.kernel.now
        context = {"requestId": event.request_id, "functionArn": f"{function.arn}:$LATEST", "condition": condition}
        count = event.failures + (condition == "Success")
        document: Document = {"version": "1.0", "timestamp": iso(now)}
        document |= {"requestContext": context | {"approximateInvokeCount": count}}
        document |= {"requestPayload": json.loads(event.payload or b"{}")}
        if event.last:
            answer = {"statusCode": 200, "executedVersion": "$LATEST"}
            if event.last.error:
                answer["functionError"] = event.last.error
            document |= {"responseContext": answer, "responsePayload": json.loads(event.last.payload)}
        return json.dumps(document)

    def _send_dead_letter(self, event: Pending, function: Function) -> None:
        """A dead letter is the event itself, with the error in its attributes."""
        failed = event.last and event.last.error
        message = event.last.reason if event.last and failed else "the function was throttled"
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": event.request_id},
            "ErrorCode": {"DataType": "Number", "StringValue": "200" if failed else "429"},
            "ErrorMessage": {"DataType": "String", "StringValue": message[:1024]},
        }
        self._send(event, function, function.dead_letters, (event.payload or b"{}").decode(), attributes)

    def _send(
        self, event: Pending, function: Function, target: str, text: str, attributes: Document | None = None
    ) -> None:
        to = Arn.parse(target)
        assert to, target
        row = event.last.row if event.last else event.cause
        who = function.principal or administrator(self._world.account, self._world.region)
        try:
            hand_over(self._world, to, text, principal=who, caller=function.actor, cause=row, attributes=attributes)
        except (ServiceError, AnswerLost) as error:
            self._drop(event, f"{to.resource} refused it: {reason(error)}")
        else:
            self._world.trace.add("EventSentOn", event.name, event.request_id, function.actor, row, to.resource)
