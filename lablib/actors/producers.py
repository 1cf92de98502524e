"""Producers: they turn arrivals into messages."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from lablib.actors.arrivals import Arrivals
from lablib.aws.service import ServiceError
from lablib.gateway import AnswerLost
from lablib.kernel import Kernel

_PAUSE = 1.0  # seconds between a call that failed and the next attempt


def call_with_retries(
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


def front_end(arrivals: Arrivals, handle: Callable[[int], Any]) -> None:
    """Call `handle(n)` for the n-th arrival, for ever. `handle` must not block: it starts what takes time."""
    for n in count(1):
        arrivals.wait()
        handle(n)


def send(kernel: Kernel, sqs: Any, queue_url: str, body: str) -> None:
    """Send one message, and try again when that fails."""
    call_with_retries(kernel, sqs.send_message, QueueUrl=queue_url, MessageBody=body)


def send_all(kernel: Kernel, sqs: Any, queue_url: str, bodies: list[str]) -> None:
    """Send many messages as fast as it goes, ten a call. What a batch's answer calls failed is sent again."""
    left = list(bodies)
    while left:
        entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(left[:10])]
        answer = call_with_retries(kernel, sqs.send_message_batch, QueueUrl=queue_url, Entries=entries) or {}
        failed = [left[int(entry["Id"])] for entry in answer.get("Failed", ())]
        left = failed + left[10:]
