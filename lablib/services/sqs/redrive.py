"""Moving messages out of a dead-letter queue: what StartMessageMoveTask starts.

Oldest first, at a fixed rate, each with a new MessageId and enqueue time; cancelling does not undo. (SQS developer
guide, "Configure a dead-letter queue redrive", "Troubleshooting DLQ redrive"; API reference, StartMessageMoveTask.)
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from lablib.aws.documents import read_json
from lablib.aws.messages import size_of
from lablib.aws.service import Request, ServiceError
from lablib.services.sqs.attributes import allows_source, parse_redrive_policy
from lablib.services.sqs.base import AnyQueue
from lablib.services.sqs.errors import bad_parameter, bad_value, sqs_error


class MoveTask:
    """One task. Without `target` every message goes back to the queue it came from. `rate` is in messages a second."""

    def __init__(self, source: AnyQueue, target: AnyQueue | None, rate: int | None, request: Request) -> None:
        world = source.world
        self.source, self.target, self.rate = source, target, rate
        identity = {"taskId": world.chance.uuid("sqs/tasks"), "sourceArn": source.arn}
        self.handle = b64encode(json.dumps(identity).encode()).decode()
        self.status = "RUNNING"
        self.failure = ""
        self.moved = 0
        self.to_move = source.counts().visible
        self.started = world.kernel.now
        self._row = request.row
        self._chance = world.chance.stream(f"sqs/{source.name}/redrive")
        self._pause = 1 / (rate or world.quotas["sqs.move_rate"])
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
            request = Request(message.sender, row, self._chance)
            target.send_again(request, message, size)
            self.moved += 1
        self.source.kernel.after(self._pause, self._move)


def check_target(
    find: Callable[[str], AnyQueue | None], given: dict[str, str], source: str, asked: dict[str, str] | None, fifo: bool
) -> None:
    """Raise InvalidParameterValue unless the RedrivePolicy in `given`, if there is one, names a dead-letter queue that
    the queue with the ARN `source` may use. `asked` are the attributes as the caller wrote them."""
    policy = parse_redrive_policy(given.get("RedrivePolicy"))
    if policy is None or asked is None:
        return
    dead_letter_queue = find(policy.target)
    if dead_letter_queue is None:
        raise bad_value(asked["RedrivePolicy"], "RedrivePolicy", "Dead letter target does not exist.")
    if dead_letter_queue.fifo != fifo:
        reason = "Dead-letter queue must be same type of queue as the source.."
        raise bad_value(asked["RedrivePolicy"], "RedrivePolicy", reason)
    if not allows_source(dead_letter_queue.attributes.get("RedriveAllowPolicy"), source):
        reason = "Dead letter target does not allow this queue as a source (RedriveAllowPolicy)."
        raise bad_value(asked["RedrivePolicy"], "RedrivePolicy", reason)


class MoveTasks:
    """All tasks of one region, the oldest first."""

    def __init__(self) -> None:
        self._tasks: list[MoveTask] = []

    def start(self, source: AnyQueue, target: AnyQueue | None, rate: int | None, request: Request) -> MoveTask:
        """Begin to move messages out of `source`. Raises InvalidParameterValue as AWS does."""
        if target is source:
            raise bad_parameter("Source queue arn and destination queue arn cannot be the same.")
        if target and target.fifo != source.fifo:
            raise bad_parameter("Source queue and destination queue must be of the same type.")
        if any(task.active and task.source is source for task in self._tasks):
            only = "Only one active task is allowed for a source queue arn at a given time."
            raise bad_parameter(f"There is already a task running. {only}")
        self._tasks.append(MoveTask(source, target, rate, request))
        return self._tasks[-1]

    def of(self, source: AnyQueue) -> list[MoveTask]:
        """The tasks of a source, the newest first."""
        return [task for task in reversed(self._tasks) if task.source is source]

    def cancel(self, handle: str, find: Callable[[str], AnyQueue | None]) -> MoveTask:
        """Cancel the task with this handle; `find` gives the queue with an ARN. Raises InvalidParameterValue for what
        is no handle, ResourceNotFoundException or UnsupportedOperation."""
        try:
            source = read_json(b64decode(handle, validate=True))["sourceArn"]
        except (ValueError, KeyError, TypeError):
            raise bad_parameter("Value for parameter TaskHandle is invalid.") from None
        if find(str(source)) is None:
            text = "The resource that you specified for the SourceArn parameter doesn't exist."
            raise ServiceError("ResourceNotFoundException", text, status=404)
        task = next((task for task in self._tasks if task.handle == handle), None)
        if task is None:
            raise ServiceError("ResourceNotFoundException", "Task does not exist.", status=404)
        if task.status != "RUNNING":
            raise sqs_error("UnsupportedOperation", f"Only a running task can be cancelled; this one is {task.status}.")
        task.cancel()
        return task
