"""Moving messages out of a dead-letter queue: what StartMessageMoveTask starts.

Oldest first, at a fixed rate, each with a new MessageId and enqueue time; cancelling does not undo. (SQS developer
guide, "Configure a dead-letter queue redrive", "Troubleshooting DLQ redrive"; API reference, StartMessageMoveTask.)
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from lablib.services._base import Call
from lablib.services._sqs_attributes import size_of
from lablib.services._sqs_common import AnyQueue


class MoveTask:
    """One task. Without `target` every message goes back to the queue it came from. `rate` is in messages a second."""

    def __init__(self, source: AnyQueue, target: AnyQueue | None, rate: int | None, call: Call) -> None:
        world = source.world
        self.source, self.target, self.rate = source, target, rate
        identity = {"taskId": world.chance.uuid("sqs/tasks"), "sourceArn": source.arn}
        self.handle = b64encode(json.dumps(identity).encode()).decode()
        self.status = "RUNNING"
        self.failure = ""
        self.moved = 0
        self.to_move = source.counts().visible
        self.started = world.kernel.now
        self._row = call.row
        self._chance = world.chance.stream(f"sqs/{source.name}/redrive")
        self._pause = 1 / (rate or world.figures["sqs.move_rate"])
        world.kernel.after(self._pause, self._move)

    @property
    def active(self) -> bool:
        """Is it still at work?"""
        return self.status in ("RUNNING", "CANCELLING")

    def cancel(self) -> None:
        """Move no more messages. Those that were moved stay where they are."""
        self.status = "CANCELLING"

    def describe(self, epoch: float) -> dict[str, Any]:
        """The task as ListMessageMoveTasks shows it; only a running one has a handle."""
        entry: dict[str, Any] = {
            "Status": self.status,
            "SourceArn": self.source.arn,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "StartedTimestamp": int((epoch + self.started) * 1000),
        }
        if self.status == "RUNNING":
            entry["TaskHandle"] = self.handle
        if self.target:
            entry["DestinationArn"] = self.target.arn
        if self.rate:
            entry["MaxNumberOfMessagesPerSecond"] = self.rate
        if self.failure:
            entry["FailureReason"] = self.failure
        return entry

    def _move(self) -> None:
        if self.status == "CANCELLING":
            self.status = "CANCELLED"
            return
        message = self.source.oldest() if self.moved < self.to_move and not self.source.deleted else None
        if message is None:
            self.status = "COMPLETED"
            return
        target = self.target or self.source.find(message.source)
        if target is None or target.deleted:
            self.status = "FAILED"
            known = message.source or self.target
            self.failure = "AWS.SimpleQueueService.NonExistentQueue" if known else "CouldNotDetermineMessageSource"
            return
        if target.reachable:
            self.source.remove(message)
            row = self.source.trace.add("Redriven", self.source.name, message.id, "", self._row, target.name)
            size = size_of(message.body, message.attributes)
            call = Call(message.sender, row, self._chance)
            target.send_again(call, message, size)
            self.moved += 1
        self.source.kernel.after(self._pause, self._move)
