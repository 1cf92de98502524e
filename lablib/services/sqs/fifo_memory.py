"""What a FIFO queue remembers for a while: sends and receives that may be repeated, and how many calls it had."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Generic, TypeVar

from lablib.aws.service import Request, ServiceError, TokenBucket, World
from lablib.services.sqs.message import IN_FLIGHT, Message

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class Attempts(Generic[M]):
    """The last minutes' answers by their ReceiveRequestAttemptId, which are repeated while no message has changed."""

    def __init__(self, world: World) -> None:
        self._kernel = world.kernel
        self._window = world.quotas["sqs.fifo_attempt"]
        self._answers: dict[str, list[tuple[M, int]]] = {}
        self._ends: deque[tuple[float, str, list[tuple[M, int]]]] = deque()

    def note(self, token: str, messages: list[M]) -> None:
        """These messages were received with that token."""
        answer = self._answers[token] = [(message, message.stamp) for message in messages]
        self._ends.append((self._kernel.now + self._window, token, answer))

    def repeat(self, token: str) -> list[M]:
        """The messages received with that token; none when it has ended, or when one of them has changed since."""
        while self._ends and self._ends[0][0] <= self._kernel.now:
            _, ended, answer = self._ends.popleft()
            if self._answers.get(ended) is answer:
                del self._answers[ended]
        answer = self._answers.get(token, [])
        same = all(message.stamp == stamp and message.state == IN_FLIGHT for message, stamp in answer)
        return [message for message, _ in answer] if same else []

    def renew(self, token: str) -> None:
        """They were received again with the token, which is no change."""
        answer = self._answers[token]
        answer[:] = [(message, message.stamp) for message, _ in answer]


class Throughput:
    """How many calls a second a FIFO queue takes: for each action, and in high-throughput mode for each group's sends.

    A batch is one call. (SQS developer guide, "Amazon SQS message quotas", "High throughput for FIFO queues". That
    visibility changes have a limit of their own, and that a group's limit is on sends, is assumed.)
    """

    def __init__(self, world: World, queue: str) -> None:
        self._world = world
        self._queue = queue
        self._burst = world.quotas["sqs.fifo_burst"]
        self._actions: dict[str, TokenBucket] = {}
        self._groups: dict[str, TokenBucket] = {}
        self.high = False

    def choose(self, high: bool) -> None:
        """Switch high-throughput mode on or off."""
        if high != self.high:
            self.high = high
            self._actions.clear()

    def check(self, request: Request, action: str, groups: Collection[str]) -> None:
        """Count one call. Raises ThrottlingException when it is one too many (AWS publishes no text: assumed)."""
        now = self._world.kernel.now
        bucket = self._actions.get(action)
        if bucket is None:
            bucket = self._new(self._actions, action, "sqs.fifo_high_calls" if self.high else "sqs.fifo_calls")
        if not bucket.ready(now):
            raise self._refusal(request, bucket, "")
        taken = [bucket]
        if self.high:
            for group in groups:
                bucket = self._groups.get(group) or self._new(self._groups, group, "sqs.fifo_group_calls")
                if not bucket.ready(now):
                    raise self._refusal(request, bucket, group)
                taken.append(bucket)
        for bucket in taken:
            bucket.take()

    def _new(self, buckets: dict[str, TokenBucket], name: str, quota: str) -> TokenBucket:
        now, rate = self._world.kernel.now, self._world.quotas[quota]
        bucket = buckets[name] = TokenBucket(rate, max(1.0, rate * self._burst), now)
        return bucket

    def _refusal(self, request: Request, bucket: TokenBucket, group: str) -> ServiceError:
        detail = {"limit": bucket.rate, "group": group}
        self._world.trace.add("Throttled", self._queue, "", request.caller, request.row, detail)
        return ServiceError("ThrottlingException", "Rate exceeded")
