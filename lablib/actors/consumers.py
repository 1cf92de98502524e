"""Consumers of a queue: receive, work, delete; over and over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lablib.actors.fleet import Worker
from lablib.actors.producers import call_with_retries
from lablib.aws.event import is_given
from lablib.aws.service import ServiceError
from lablib.gateway import AnswerLost
from lablib.kernel import Kernel, Signal, Trace

Work = Callable[[Worker, str, str, int], Any]
"""Does the work on a message: called with the worker, the MessageId, the body, and the row Received. When it returns
False, the work has failed, and the message is not deleted.
"""


class Consumer:
    """The program of a consumer, for `Fleet`: it polls the queue, works on each message, and deletes it after the work.

    `settings` are looked up before each poll: `batch_size` (MaxNumberOfMessages), `wait_time` (WaitTimeSeconds), and
    `pause`, the seconds it sleeps after a short poll that gave nothing. With `until_empty` it ends at the first long
    poll that gives nothing. Source of the pattern: SQS developer guide, "Processing messages in a timely manner".
    """

    def __init__(
        self,
        kernel: Kernel,
        trace: Trace,
        sqs: Any,
        queue_url: str,
        settings: Mapping[str, Any],
        work: Work,
        until_empty: bool = False,
    ) -> None:
        self._kernel = kernel
        self._trace = trace
        self._given = trace.kinds(is_given)
        self._sqs = sqs
        self._queue_url = queue_url
        self._settings = settings
        self._work = work
        self._until_empty = until_empty

    def __call__(self, worker: Worker) -> None:
        while not worker.stopping:
            messages = self._receive(worker)
            worker.wait_while_frozen()
            for message, row in zip(messages, self._trace.latest(self._given, worker.name, len(messages))):
                self._handle(worker, message, row)
                worker.wait_while_frozen()
            if not messages and self._until_empty:
                return

    def _handle(self, worker: Worker, message: dict[str, Any], row: int) -> None:
        if self._work(worker, message["MessageId"], message["Body"], row) is not False:
            target = {"QueueUrl": self._queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            call_with_retries(self._kernel, self._sqs.delete_message, **target)

    def _receive(self, worker: Worker) -> list[dict[str, Any]]:
        wait = self._settings["wait_time"]
        ask = {"MaxNumberOfMessages": self._settings["batch_size"], "WaitTimeSeconds": wait}
        answer = call_with_retries(self._kernel, self._sqs.receive_message, 1, QueueUrl=self._queue_url, **ask)
        messages: list[dict[str, Any]] = (answer or {}).get("Messages", [])
        if answer is None or not (messages or wait):
            self._kernel.wait(worker.call_off, self._settings["pause"])
        return messages


class HeartbeatConsumer(Consumer):
    """A consumer that, while it works on a message, hides it again every `heartbeat` seconds (a setting; 0: never).

    Each time it calls ChangeMessageVisibility with the setting `visibility_timeout`. Only the message that is being
    worked on is extended, not the rest of its batch. Source of the pattern: SQS developer guide, "Amazon SQS
    visibility timeout".
    """

    def _handle(self, worker: Worker, message: dict[str, Any], row: int) -> None:
        in_hand, over = [message["ReceiptHandle"]], Signal(self._kernel)
        if self._settings["heartbeat"]:
            self._kernel.spawn(self._beat, worker, in_hand, over, name=f"heartbeat of {worker.name}")
        try:
            super()._handle(worker, message, row)
        finally:  # also when the worker crashes: its heartbeat ends with it
            in_hand.clear()
            over.fire()

    def _beat(self, worker: Worker, in_hand: list[str], over: Signal) -> None:
        while in_hand and not self._kernel.wait(over, self._settings["heartbeat"]):
            worker.wait_while_frozen()  # a program that is frozen is frozen as a whole
            for handle in in_hand:
                self._extend(handle)

    def _extend(self, handle: str) -> None:
        seconds = self._settings["visibility_timeout"]
        target = {"QueueUrl": self._queue_url, "ReceiptHandle": handle}
        try:
            self._sqs.change_message_visibility(**target, VisibilityTimeout=seconds)
        except (ServiceError, AnswerLost):
            pass  # too late, or no answer: the work goes on, and so does the heart
