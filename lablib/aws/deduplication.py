"""The deduplication ids that a FIFO queue or topic remembers for a while."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from lablib.aws.service import World

T = TypeVar("T")


class Deduplication(Generic[T]):
    """The messages of the last minutes by their deduplication ids: of a queue, or of a topic.

    The window counts from the first send, and survives receive and delete. Every id is noted for its group and for the
    queue, so that a queue whose scope is changed knows the ids from before. (SQS developer guide, "Using the message
    deduplication ID"; the latter recorded from AWS.)
    """

    def __init__(self, world: World, window: str = "sqs.fifo_deduplication") -> None:
        self._kernel = world.kernel
        self._window = world.quotas[window]
        self._known: dict[tuple[str | None, str], T] = {}
        self._ends: deque[tuple[float, tuple[str | None, str], T]] = deque()

    def original(self, group: str | None, id: str) -> T | None:
        """The message that a send with this id repeats; `group` is None where the whole queue is the scope."""
        now, ends, known = self._kernel.now, self._ends, self._known
        while ends and ends[0][0] <= now:
            _, key, message = ends.popleft()
            if known.get(key) is message:
                del known[key]
        return known.get((group, id))

    def forget(self) -> None:
        """No id is known any more."""
        self._known.clear()
        self._ends.clear()

    def note(self, message: T, group: str, id: str) -> None:
        """A message was sent: the window of its id begins."""
        end = self._kernel.now + self._window
        for key in ((None, id), (group, id)):
            self._known[key] = message
            self._ends.append((end, key, message))
