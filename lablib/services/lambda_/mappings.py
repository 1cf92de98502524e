"""Event source mappings: pollers that read a queue, hand batches to a function, and delete what it has dealt with.

Sources: Lambda developer guide, "Using Lambda with Amazon SQS" and the pages under it (configure, scaling, error
handling, the event); Lambda API reference, CreateEventSourceMapping. Error texts are those that users quote. A
mapping is enabled a moment after it was created; how long that takes is assumed.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from lablib.aws.access.decide import administrator
from lablib.aws.arn import Arn
from lablib.aws.dates import moment
from lablib.aws.event import is_given
from lablib.aws.service import AnswerLost, Principal, ServiceError, World
from lablib.aws.targets import queue_url
from lablib.aws.tracing import rounds
from lablib.kernel import Process
from lablib.services.lambda_.filters import Criteria
from lablib.services.lambda_.functions import Document, Function
from lablib.services.lambda_.invocations import Invocation, Runner

_PAUSE = 5.0  # seconds until a poller asks again after an error


@dataclass(eq=False)
class Mapping:
    """An event source mapping from a queue to a function."""

    uuid: str
    function: str
    source: Arn
    batch_size: int
    window: int
    partial: bool
    most: int | None
    enabled: bool
    state: str
    modified: float
    criteria: Criteria = Criteria()
    result: str = "No records processed"
    pollers: list[Process] = field(default_factory=list)
    quiet: float = 0.0  # when a poll last found nothing, or the number of pollers changed

    @property
    def url(self) -> str:
        """The queue's URL."""
        return queue_url(self.source)

    @property
    def fifo(self) -> bool:
        """Does it read a FIFO queue?"""
        return self.source.resource.endswith(".fifo")

    def describe(self, function_arn: str, epoch: float) -> Document:
        """Its EventSourceMappingConfiguration."""
        document: Document = {
            "UUID": self.uuid,
            "BatchSize": self.batch_size,
            "MaximumBatchingWindowInSeconds": self.window,
            "EventSourceArn": str(self.source),
            "FunctionArn": function_arn,
            "LastModified": moment(epoch + self.modified),
            "LastProcessingResult": self.result,
            "State": self.state,
            "StateTransitionReason": "USER_INITIATED",
        }
        if self.partial:
            document["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
        if self.most:
            document["ScalingConfig"] = {"MaximumConcurrency": self.most}
        return document | self.criteria.describe()


class Pollers:
    """Runs the pollers of mappings. `find` gives a function by its name."""

    def __init__(self, world: World, runner: Runner, find: Callable[[str], Function | None]) -> None:
        self._world = world
        self._runner = runner
        self._find = find

    def change(self, mapping: Mapping, state: str) -> None:
        """Enable or disable a mapping after a delay; until then its state is `state`."""
        mapping.state = state
        mapping.modified = self._world.kernel.now
        self._world.kernel.after(self._world.quotas["lambda.mapping_delay"], self._changed, mapping)

    def _changed(self, mapping: Mapping) -> None:
        if mapping.state == "Deleting":
            return
        mapping.state = "Enabled" if mapping.enabled else "Disabled"
        mapping.pollers = [process for process in mapping.pollers if process.alive]
        mapping.quiet = self._world.kernel.now
        if mapping.enabled:
            self._grow(mapping, self._world.quotas["lambda.pollers"])

    def _grow(self, mapping: Mapping, wanted: int) -> None:
        """Start pollers until there are this many, as far as the mapping may have them."""
        most = mapping.most or self._world.quotas["lambda.pollers_max"]
        for number in range(len(mapping.pollers) + 1, min(wanted, most) + 1):
            name = f"poller {number} of lambda/{mapping.function}"
            mapping.pollers.append(self._world.kernel.spawn(self._poll, mapping, name=name))

    def _poll(self, mapping: Mapping) -> None:
        """One poller: batch after batch. Those above the usual number end when the queue is empty."""
        quotas, kernel = self._world.quotas, self._world.kernel
        while mapping.state == "Enabled":
            function = self._find(mapping.function)
            messages = self._batch(mapping, function) if function else None
            if function is None or messages is None:
                mapping.result = "PROBLEM: the queue or the function cannot be used."
                kernel.wait(None, _PAUSE)
            elif messages:
                if len(messages) < mapping.batch_size:
                    mapping.quiet = kernel.now  # there were no more; guide: more pollers while messages are available
                elif kernel.now - mapping.quiet >= 60:
                    mapping.quiet = kernel.now
                    self._grow(mapping, len(mapping.pollers) + quotas["lambda.pollers_more"])
                self._handle(mapping, function, messages)
            else:
                mapping.quiet = kernel.now
                if len(mapping.pollers) > quotas["lambda.pollers"] and kernel.current in mapping.pollers:
                    mapping.pollers.remove(kernel.current)
                    return

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _batch(self, mapping: Mapping, function: Function) -> list[Document] | None:
        """The next batch; empty after a long poll without messages, None when the queue cannot be read."""
        kernel, longest = self._world.kernel, self._world.quotas["sqs.wait_max"]
        messages = self._receive(mapping, function, min(10, mapping.batch_size), longest)
        if not messages:
            return messages
        until = kernel.now + mapping.window
        while len(messages) < mapping.batch_size and kernel.now < until:
            wait = min(longest, int(until - kernel.now) + 1)
            before = kernel.now
            more = self._receive(mapping, function, min(10, mapping.batch_size - len(messages)), wait)
            messages += more or []
            if kernel.now == before and not more:
                break
        return messages

    def _receive(self, mapping: Mapping, function: Function, most: int, wait: int) -> list[Document] | None:
        everything = {"attribute_names": ["All"], "message_attribute_names": ["All"]}
        ask = {"max_number_of_messages": most, "wait_time_seconds": wait, **everything}
        try:
            answer = self._call(mapping, function, "receive_message", ask, -1)
        except (ServiceError, AnswerLost):
            return None
        messages: list[Document] = answer.get("Messages", [])
        trace = self._world.trace
        for message, row in zip(messages, trace.latest(trace.kinds(is_given), function.actor, len(messages))):
            message["row"], message["record"] = row, _record(mapping, message)
        return self._wanted(mapping, function, messages)

    def _wanted(self, mapping: Mapping, function: Function, messages: list[Document]) -> list[Document]:
        """The messages that match the mapping's filters; the others are removed from the queue."""
        reasons = [mapping.criteria.refusal(message["record"]) for message in messages]
        unwanted = [message for message, why in zip(messages, reasons) if why]
        for message, why in zip(messages, reasons):
            if why:
                about = (function.name, message["MessageId"], function.actor, message["row"])
                self._world.trace.add("RecordFiltered", *about, why)
        self._delete(mapping, function, unwanted, -1)
        return [message for message, why in zip(messages, reasons) if not why]

    def _delete(self, mapping: Mapping, function: Function, messages: list[Document], cause: int) -> None:
        for start in range(0, len(messages), 10):
            some = messages[start : start + 10]
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(some)]
            try:
                self._call(mapping, function, "delete_message_batch", {"entries": entries}, cause)
            except (ServiceError, AnswerLost):
                pass  # the messages come back, and are handled again

    def _call(self, mapping: Mapping, function: Function, name: str, params: Document, cause: int) -> Document:
        who: Principal = function.principal or administrator(self._world.account, self._world.region)
        params = {"queue_url": mapping.url, **params}
        deliver = self._world.gateway.call_service
        return deliver(mapping.source, name, params, principal=who, caller=function.actor, cause=cause)

    # ---- handling ----------------------------------------------------------------------------------------------------

    def _stop(self, mapping: Mapping, function: Function, messages: list[Document]) -> None:
        """The messages of a loop: a dead-letter queue gets them, when there is one, else they are deleted."""
        try:
            asked = {"attribute_names": ["RedrivePolicy"]}
            answer = self._call(mapping, function, "get_queue_attributes", asked, messages[0]["row"])
        except (ServiceError, AnswerLost):
            answer = {}
        if "RedrivePolicy" not in answer.get("Attributes", {}):
            self._delete(mapping, function, messages, messages[0]["row"])
        mapping.result = "PROBLEM: a recursive loop was stopped."

    def _handle(self, mapping: Mapping, function: Function, messages: list[Document]) -> None:
        headers = [message.get("Attributes", {}).get("AWSTraceHeader", "") for message in messages]
        header = max(headers, key=lambda header: rounds(header, function.arn))
        if header and self._runner.loops(function, header, messages[0]["MessageId"], messages[0]["row"]):
            self._stop(mapping, function, messages)
            return
        records = [message["record"] for message in messages]
        payload = json.dumps({"Records": records}, ensure_ascii=False).encode()
        invocation = self._invoke(mapping, function, payload, messages[0]["row"], header)
        trace, actor = self._world.trace, function.actor
        if invocation is None:
            mapping.result = "PROBLEM: Function call failed: throttled"
            for message in messages:
                trace.add("BatchReleased", function.name, message["MessageId"], actor, message["row"])
            return
        started = [trace.add("WorkStarted", actor, m["MessageId"], actor, m["row"]) for m in messages]
        if not invocation.over:
            self._world.kernel.wait(invocation.done)
        failed = _failed(invocation, mapping, [message["MessageId"] for message in messages])
        for message, row in zip(messages, started):
            what = "failed" if message["MessageId"] in failed else None
            trace.add("WorkEnded", actor, message["MessageId"], actor, row, what)
        mapping.result = "OK" if not failed else f"PROBLEM: Function call failed: {invocation.reason or 'partial'}"
        done = [message for message in messages if message["MessageId"] not in failed]
        self._delete(mapping, function, done, invocation.row)

    def _invoke(
        self, mapping: Mapping, function: Function, payload: bytes, cause: int, header: str
    ) -> Invocation | None:
        """Invoke the function; when it is throttled, again and again until the batch is visible to others anyway."""
        kernel, trace, pause = self._world.kernel, self._world.trace, 1.0
        until = trace[cause].until  # when the first message is visible again
        while True:
            try:
                return self._runner.start(function, payload, cause, trace_header=header)
            except ServiceError:
                if kernel.now + pause > until:
                    return None
                kernel.wait(None, pause)
                pause = min(2 * pause, self._world.quotas["lambda.throttle_backoff_max"])


def _record(mapping: Mapping, message: Document) -> Document:
    """A message as a function gets it."""
    record: Document = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _attribute(attribute) for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
    }
    if "MD5OfMessageAttributes" in message:
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    about = {"eventSource": "aws:sqs", "eventSourceARN": str(mapping.source), "awsRegion": mapping.source.region}
    return record | about


def _attribute(attribute: Document) -> Document:
    document: Document = {}
    if "StringValue" in attribute:
        document["stringValue"] = attribute["StringValue"]
    if "BinaryValue" in attribute:
        document["binaryValue"] = b64encode(attribute["BinaryValue"]).decode()
    return document | {"stringListValues": [], "binaryListValues": [], "dataType": attribute["DataType"]}


def _failed(invocation: Invocation, mapping: Mapping, ids: list[str]) -> set[str]:
    """Which messages stay in the queue: all when the function failed, else those that it may report.

    Guide, "Handling errors for an SQS event source": an answer without failures is a success, one that is not
    understood or names an unknown message fails the whole batch.
    """
    if invocation.error:
        return set(ids)
    answer = json.loads(invocation.payload)
    if not mapping.partial or answer is None:
        return set()
    items = answer.get("batchItemFailures") if isinstance(answer, dict) else "not understood"
    named = {item.get("itemIdentifier") if isinstance(item, dict) else None for item in items or ()}
    return {id for id in ids if id in named} if named <= set(ids) else set(ids)
