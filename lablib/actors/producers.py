"""Producers: they turn arrivals into messages."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

from lablib.actors.arrivals import Arrivals
from lablib.aws.service import ServiceError
from lablib.gateway import AnswerLost
from lablib.kernel import Kernel, Signal

_PAUSE = 1.0  # seconds between a call that failed and the next attempt


def insist(
    kernel: Kernel, call: Callable[..., dict[str, Any]], attempts: int = 3, **params: Any
) -> dict[str, Any] | None:
    """Call AWS until it answers, as an SDK does, at most `attempts` times. None when it never did."""
    for attempt in range(attempts):
        try:
            return call(**params)
        except (ServiceError, AnswerLost):
            if attempt + 1 < attempts:
                kernel.sleep(_PAUSE)
    return None


class _Hand:
    """A process of `Hands`, and the job that it has."""

    def __init__(self, number: int, kernel: Kernel) -> None:
        self.number = number
        self.called = Signal(kernel)
        self.job: Callable[[], Any] = int


class Hands:
    """Does jobs at the same time, each at once, as if each were a process `name`, `name-2`, ... of its own. But a
    process that is done takes the next job, because a new one costs more than a short job."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self._kernel = kernel
        self._name = name
        self._idle: list[tuple[int, _Hand]] = []  # a heap
        self._count = 0

    def do(self, job: Callable[[], Any]) -> None:
        """Start the job at the present instant."""
        if self._idle:
            hand = heapq.heappop(self._idle)[1]
            hand.job = job
            hand.called.fire()
        else:
            self._count += 1
            hand = _Hand(self._count, self._kernel)
            hand.job = job
            self._kernel.spawn(self._serve, hand, name=self._name)

    def _serve(self, hand: _Hand) -> None:
        while True:
            hand.job()
            heapq.heappush(self._idle, (hand.number, hand))
            self._kernel.wait(hand.called)


def front_end(arrivals: Arrivals, handle: Callable[[int], Any]) -> None:
    """Call `handle(n)` for the n-th arrival, for ever. `handle` must not block: it starts what takes time."""
    for n in count(1):
        arrivals.wait()
        handle(n)


def send(kernel: Kernel, sqs: Any, queue_url: str, body: str) -> None:
    """Send one message, and try again when that fails."""
    insist(kernel, sqs.send_message, QueueUrl=queue_url, MessageBody=body)


def send_all(kernel: Kernel, sqs: Any, queue_url: str, bodies: list[str]) -> None:
    """Send many messages as fast as it goes, ten a call. What a batch's answer calls failed is sent again."""
    left = list(bodies)
    while left:
        entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(left[:10])]
        answer = insist(kernel, sqs.send_message_batch, QueueUrl=queue_url, Entries=entries) or {}
        failed = [left[int(entry["Id"])] for entry in answer.get("Failed", ())]
        left = failed + left[10:]
