"""The scenarios of lab 02: the visibility timeout and the dead-letter queue; long and short polling."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from lablib.actors.consumers import HeartbeatConsumer
from lablib.actors.fleet import Worker
from lablib.cloud import Cloud
from lablib.scenarios.param import Param
from lablib.scenarios.scenario import ActionSpec, Place, Scenario, Topology
from lablib.scenarios.scenes import (
    BATCH_SIZE,
    OUTAGES,
    SPREAD,
    VISIBILITY_TIMEOUT,
    WAIT_TIME,
    FleetScenario,
    FleetScene,
    QueueScene,
    queue_topology,
    server_down,
)

MONTH = 30 * 86_400.0
_DEAD = "jobs-dlq"
_WORKERS = Place("consumers", "Workers", "consumer", "consumer-*")


class Visibility(FleetScenario):
    """How long a message stays hidden, and what happens when that is too short or too long.

    Few jobs, so that each can be followed; each takes about as long as the visibility timeout lasts. Workers can
    crash in the middle of a job, can extend the timeout while they work, and some jobs fail whoever tries.
    """

    duration = 300.0

    visibility_timeout: int = replace(VISIBILITY_TIMEOUT, high=3600, log=False)
    work: float = Param(
        20.0, low=0.1, high=3600.0, step=1.0, unit="s", label="work time", live=True, log=True,
        help="Half of the jobs take less than this, half take more.",
    )  # fmt: skip
    spread: float = SPREAD
    crashes: float = Param(
        0.0, low=0.0, high=1.0, step=0.05, label="crashes", live=True,
        help="The chance that a worker crashes in the middle of a job. 0.1: one time in ten.",
    )  # fmt: skip
    restart: float = Param(
        20.0, low=0.0, high=600.0, step=1.0, unit="s", label="restart after",
        help="When a crashed worker starts again. 0: never.",
    )  # fmt: skip
    heartbeat: float = Param(
        0.0, low=0.0, high=600.0, step=1.0, unit="s", label="heartbeat every", live=True, aws="ChangeMessageVisibility",
        help="While it works, a worker hides the message again at this interval. 0: no heartbeat.",
    )  # fmt: skip
    consumers: int = Param(4, low=0, high=20, step=1, unit="workers", label="workers", live=True, help="Workers.")
    rate: float = Param(
        0.1, low=0.01, high=5.0, step=0.01, unit="jobs/s", label="arrival rate", live=True, log=True,
        help="Jobs that arrive a second, at random.",
    )  # fmt: skip
    batch_size: int = BATCH_SIZE
    poison: float = Param(
        0.0, low=0.0, high=1.0, step=0.05, label="poison messages",
        help="The share of jobs that always fail. A worker does not delete a message whose job failed.",
    )  # fmt: skip
    max_receives: int = Param(
        0, low=0, high=100, step=1, unit="receives", label="receives before the dead-letter queue",
        aws="maxReceiveCount", quota="sqs.max_receive_count_max",
        help="A message that was received so often goes to the dead-letter queue. 0: there is none.",
    )  # fmt: skip

    def build(self, cloud: Cloud) -> FleetScene:
        return _VisibilityScene(cloud, self)

    def assume(self) -> dict[str, float]:
        return {"sqs.outages_per_hour": 0.0}

    def actions(self) -> tuple[ActionSpec, ...]:
        return (*super().actions(), server_down())

    def topology(self) -> Topology:
        return queue_topology("jobs", _WORKERS, _DEAD if self.max_receives else "")


class _VisibilityScene(QueueScene):
    noun = "job"

    def __init__(self, cloud: Cloud, scenario: Visibility) -> None:
        super().__init__(cloud, scenario, "jobs", VisibilityTimeout=scenario.visibility_timeout)
        self.values |= {"wait_time": 20, "pause": 1.0}
        if scenario.max_receives:
            self._bury_after(scenario.max_receives)
        serve = HeartbeatConsumer(cloud.kernel, cloud.trace, self.sqs, self.url, self.values, self.work)
        self.start(lambda now: (self.values["rate"], math.inf), False, serve, scenario.consumers)

    def _bury_after(self, receives: int) -> None:
        url = self._directly("create_queue", queue_name=_DEAD)["QueueUrl"]
        found = self._directly("get_queue_attributes", queue_url=url, attribute_names=["QueueArn"])
        policy = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": receives}
        self._directly("set_queue_attributes", queue_url=self.url, attributes={"RedrivePolicy": json.dumps(policy)})

    def work(self, worker: Worker, message_id: str, key: str, row: int) -> bool:
        """Work on one message. False: it failed."""
        fails = self.cloud.chance.keyed("poison", key) < self.values["poison"]
        self.work_or_crash(worker, message_id, key, row, self.work_seconds(key), failed=fails)
        return not fails


class Polling(FleetScenario):
    """Ask and wait, or ask and ask again: what polling costs, and how soon a message is found.

    Consumers with little work poll one queue. With a wait time of 0 they poll short, and pause when they get nothing.
    """

    duration = 300.0

    wait_time: int = WAIT_TIME
    pause: float = Param(
        1.0, low=0.1, high=60.0, step=0.1, unit="s", label="pause after an empty short poll", live=True, log=True,
        help="How long a consumer sleeps when a short poll gave nothing.",
    )  # fmt: skip
    consumers: int = Param(
        10, low=1, high=100, step=1, unit="consumers", live=True, help="Consumers that poll the same queue."
    )
    rate: float = Param(
        0.1, low=0.001, high=20.0, step=0.01, unit="messages/s", label="arrival rate", live=True, log=True,
        help="Messages that arrive a second, at random.",
    )  # fmt: skip
    work: float = Param(
        0.1, low=0.01, high=60.0, step=0.05, unit="s", label="work time", live=True, log=True,
        help="The work on a message. All take the same time.",
    )  # fmt: skip
    batch_size: int = replace(BATCH_SIZE, default=10)
    visibility_timeout: int = VISIBILITY_TIMEOUT
    outages: float = replace(OUTAGES, default=0.0)

    def build(self, cloud: Cloud) -> FleetScene:
        return _PollingScene(cloud, self)

    def assume(self) -> dict[str, float]:
        return {"sqs.outages_per_hour": self.outages}

    def actions(self) -> tuple[ActionSpec, ...]:
        return (*super().actions(), server_down())

    def topology(self) -> Topology:
        return queue_topology("orders", Place("consumers", "Consumers", "consumer", "consumer-*"))


class _PollingScene(QueueScene):
    noun = "order"

    def __init__(self, cloud: Cloud, scenario: Polling) -> None:
        super().__init__(cloud, scenario, "orders", VisibilityTimeout=scenario.visibility_timeout)
        self.values |= {"restart": 20.0, "spread": 1.0}
        self.poll = self.consumer()
        self.start(lambda now: (self.values["rate"], math.inf), False, self.program, scenario.consumers)

    def program(self, worker: Worker) -> None:
        """A consumer that begins when it likes: short polls of many programs do not come in step."""
        if not self.values["wait_time"]:
            late = self.cloud.chance.keyed("start", worker.name) * self.values["pause"]
            self.cloud.kernel.wait(worker.call_off, round(late, 6))
        self.poll(worker)


SCENARIOS: dict[str, type[Scenario]] = {s.__name__: s for s in (Visibility, Polling)}
