"""Consumers of a queue: receive, work, delete; over and over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lablib.actors.fleet import Worker
from lablib.actors.producers import insist
from lablib.kernel import Kernel, Trace

Work = Callable[[Worker, str, str, int], None]
"""Does the work on a message: called with the worker, the MessageId, the body, and the row Received."""


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
        self._sqs = sqs
        self._queue_url = queue_url
        self._settings = settings
        self._work = work
        self._until_empty = until_empty

    def __call__(self, worker: Worker) -> None:
        while not worker.stopping:
            messages = self._receive(worker)
            worker.thaw()
            for message, row in zip(messages, self._rows(worker.name, len(messages))):
                self._work(worker, message["MessageId"], message["Body"], row)
                insist(
                    self._kernel,
                    self._sqs.delete_message,
                    QueueUrl=self._queue_url,
                    ReceiptHandle=message["ReceiptHandle"],
                )
                worker.thaw()
            if not messages and self._until_empty:
                return

    def _receive(self, worker: Worker) -> list[dict[str, Any]]:
        wait = self._settings["wait_time"]
        ask = {"MaxNumberOfMessages": self._settings["batch_size"], "WaitTimeSeconds": wait}
        answer = insist(self._kernel, self._sqs.receive_message, 1, QueueUrl=self._queue_url, **ask)
        messages: list[dict[str, Any]] = (answer or {}).get("Messages", [])
        if answer is None or not (messages or wait):
            self._kernel.wait(worker.call_off, self._settings["pause"])
        return messages

    def _rows(self, name: str, count: int) -> list[int]:
        """The rows Received of this consumer's latest `count` messages: they are among the last of the trace."""
        kinds, actors = self._trace.column("kind"), self._trace.column("actor")
        received, me = self._trace.code("Received"), self._trace.code(name)
        rows: list[int] = []
        index = len(kinds)
        while len(rows) < count:
            index -= 1
            if kinds[index] == received and actors[index] == me:
                rows.append(index)
        return rows[::-1]
