"""A toy service: activities of Step Functions, as a queue of tasks that workers fetch. It is the example for whoever
adds a service: all that is said, counted and drawn of it follows from `events`.
"""

from __future__ import annotations

from typing import Any

from lablib.aws.event import HIDDEN, WAITING, Event
from lablib.aws.service import Request, Service, ServiceError, Target, World, count_of


class StepFunctions(Service):
    """Activities: a task waits until a worker asks for one, and is over when the worker reports success."""

    name = "stepfunctions"
    counts = {"GetActivityTask": count_of("tasks")}
    events = (
        Event("TaskScheduled", "scheduled by {actor}", "{actor} scheduled {message}", state=WAITING, counts="sent"),
        Event("TaskFetched", "fetched by {actor}", "{actor} got {message}", state=HIDDEN, holder="gets", again=True),
        Event("TaskSucceeded", "done by {actor}", ends="succeeded", holder="drops", counts="deleted"),
        Event("TaskAborted", "aborted: {detail}", ends="aborted", lost=True, label="aborted",
              notable="A task of {resource} is aborted: {detail}."),
        Event("GetActivityTask", polls=True, label="no task", notable="{actor} finds no task of {resource}."),
    )  # fmt: skip

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.waiting: list[tuple[str, str]] = []

    def target(self, operation: str, params: dict[str, Any]) -> Target:
        arn = params.get("activity_arn") or params.get("state_machine_arn", "")
        return Target(arn.rpartition(":")[2], self.world.account, (f"states:{operation}",))

    def start_execution(self, request: Request, *, state_machine_arn: str, input: str = "{}") -> dict[str, Any]:
        place, task = state_machine_arn.rpartition(":")[2], self.world.chance.uuid("tasks")
        self.world.trace.add("TaskScheduled", place, task, request.caller, request.row)
        self.waiting.append((task, input))
        return {"executionArn": f"{state_machine_arn}:{task}", "startDate": self.date(self.now)}

    def get_activity_task(self, request: Request, *, activity_arn: str) -> dict[str, Any]:
        if not self.waiting:
            return {}
        task, input = self.waiting.pop(0)
        self.world.trace.add("TaskFetched", activity_arn.rpartition(":")[2], task, request.caller, request.row,
                             until=self.now + 60)  # fmt: skip
        return {"taskToken": task, "input": input}

    def send_task_success(self, request: Request, *, task_token: str, output: str) -> dict[str, Any]:
        if not task_token:
            raise ServiceError("InvalidToken", "Invalid token.")
        self.world.trace.add("TaskSucceeded", "resize", task_token, request.caller, request.row)
        return {}

    def stop_execution(self, request: Request, *, execution_arn: str, cause: str = "") -> dict[str, Any]:
        task = execution_arn.rpartition(":")[2]
        self.world.trace.add("TaskAborted", "resize", task, request.caller, request.row, cause)
        return {"stopDate": self.date(self.now)}
