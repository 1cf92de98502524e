"""What several scenarios share: parameters, and the stage with a front end, a queue, and a fleet of consumers."""

from __future__ import annotations

from typing import Any

from lablib.actors import producers
from lablib.actors.fleet import Fleet, Worker
from lablib.cloud import Cloud
from lablib.kernel import Process
from lablib.scenarios.actions import Targets, action
from lablib.scenarios.param import duration_of, number, seconds, share, whole
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import SERVERS, Stage

DAY = 86_400.0
_AWAY = "One of the queue's servers is away for a while. A copy that is deleted meanwhile comes back with it."

# ---- parameters that several scenarios have; `but` gives one another default or other words ------------------------

RATE = number(1.0, 0.1, 20.0, "messages/s", step=0.1, live=True).says(
    "arrival rate", "Messages that arrive a second, at random."
)
CONSUMERS = whole(4, 0, 50, "consumers", live=True, help="Consumers that poll the same queue.")
WORK = seconds(1.0, 0.01, 600.0, step=0.1, live=True, log=True).says(
    "work time", "Half of the messages take less than this, half take more."
)
SPREAD = number(2.0, 1.0, 10.0, "times", step=0.5).says(
    "spread of the work time", "One message in 20 takes more than this many times the work time. 1: all take the same."
)
CRASHES = share(
    0.0, live=True, help="The chance that a worker crashes in the middle of its work. 10 %: one time in ten."
)
RESTART = seconds(20.0, 0.0, 600.0).says("restart after", "When a crashed consumer starts again. 0: never.")
BATCH_SIZE = whole(1, 1, 10, "messages", live=True, aws="MaxNumberOfMessages", quota="sqs.batch_entries").says(
    "batch size", "How many messages a consumer asks for in one receive."
)
WAIT_TIME = seconds(20, 0, 20, live=True, aws="WaitTimeSeconds", quota="sqs.wait_max").says(
    "wait time", "How long a receive waits for a message. 0: short polling."
)
PAUSE = seconds(1.0, 0.1, 60.0, step=0.1, log=True).says(
    "pause after an empty short poll", "How long a consumer sleeps when a short poll gave nothing."
)
VISIBILITY_TIMEOUT = seconds(30, 0, 600, live=True, aws="VisibilityTimeout", quota="sqs.visibility_max").says(
    "visibility timeout",
    "How long a received message stays hidden from other consumers. AWS allows up to 43,200 s, which is 12 hours.",
)
OUTAGES = number(0.5, 0.0, 360.0, "per hour", step=0.5, quota="sqs.outages_per_hour").says(
    "server outages",
    "How often each of the queue's servers is away for a short time. An assumption: AWS gives no number.",
)


def shard_capacity(cloud: Cloud, size: int) -> float:
    """How many records of so many bytes a shard takes in a second."""
    return min(cloud.quotas["kinesis.shard_records"], cloud.quotas["kinesis.shard_write"] / size)


class QueueScenario(Scenario):
    """A scenario around a queue. Its servers are away as often as a parameter `outages` says; without it, never."""

    def assume(self) -> dict[str, float]:
        return {"sqs.outages_per_hour": self.values().get("outages", 0.0)}


class QueueStage(Stage):
    """A front end that sends to a queue, and consumers that poll it."""

    noun = "video"  # a message's body is this and a number

    def __init__(self, cloud: Cloud, scenario: Scenario, queue: str, **attributes: Any) -> None:
        super().__init__(cloud, scenario)
        self.sqs = cloud.direct("sqs")
        parts = 0 if queue.endswith(".fifo") else SERVERS
        self.main = self.queue(queue, id="queue", parts=parts, **attributes)
        self.link("queue", "lost")

    def consumers(self, label: str, serve: Any = None) -> Fleet:
        """The fleet that polls the queue."""
        return self.fleet("consumer", label, serve or self.consumer(self.main, self.work), on="queue")

    def work(self, worker: Worker, message_id: str, key: str, row: int) -> bool | None:
        """Work on one message. False: it failed."""
        worker.work(worker.name, message_id, row, self.work_seconds(key))
        return None

    def work_or_crash(
        self, worker: Worker, message_id: str, key: str, row: int, seconds: float, failed: bool = False
    ) -> None:
        """Work on one message; the worker crashes in the middle with the chance `crashes`. Each delivery has luck of
        its own. `failed`: the work ends without success.
        """
        kernel, keyed = self.cloud.kernel, self.cloud.chance.keyed
        delivery, crash = f"{key}/{self.cloud.trace.details[row]}", None
        if keyed("crash", delivery) < self.values["crashes"]:
            moment = round(seconds * keyed("moment of the crash", delivery), 6)
            crash = kernel.after(moment, self._crash_in_work, worker, worker.process)
        try:
            worker.work(worker.name, message_id, row, seconds, failed=failed)
        finally:
            if crash:
                crash.cancel()

    def _crash_in_work(self, worker: Worker, process: Process | None) -> None:
        wanted = (one for fleet in self.fleets.values() for one in fleet.workers)
        if worker in wanted and worker.process is process:  # it may have been taken out of the fleet
            self.crash(worker.name)

    def handle(self, number: int) -> None:
        """The `number`-th message is sent."""
        body = f"{self.noun}-{number}"
        self.cloud.spawn(producers.send, self.cloud.kernel, self.sqs, self.main.url, body, name="front-end")

    def handle_burst(self, keys: list[str]) -> None:
        self.cloud.spawn(producers.send_all, self.cloud.kernel, self.sqs, self.main.url, keys, name="front-end-burst")

    def servers(self) -> list[str]:
        """The names of the queue's servers. A FIFO queue shows none."""
        return [] if self.main.name.endswith(".fifo") else [f"server-{n}" for n in range(1, SERVERS + 1)]

    @action("Make a queue server unavailable", _AWAY, duration_of(30.0), targets=Targets(servers))
    def server_down(self, server: str, seconds: float) -> None:
        """One of the queue's servers is away for `seconds`."""
        queue = self.cloud.service("sqs").queue(self.main.name)
        queue.make_unavailable(int(server.removeprefix("server-")), seconds)

    def on_set(self, name: str) -> None:
        super().on_set(name)
        if name == "visibility_timeout":
            self.set_queue(self.main, VisibilityTimeout=self.values[name])
