"""The scenarios of lab 01: a queue between two programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from lablib.actors.arrivals import Intensity, day, spike
from lablib.actors.database import Database
from lablib.actors.direct import DirectCall
from lablib.actors.fleet import Worker
from lablib.cloud import Cloud
from lablib.scenarios.param import Param
from lablib.scenarios.scenario import ActionSpec, Place, Scenario, Topology
from lablib.scenarios.scenes import (
    BATCH_SIZE,
    DONE,
    FRONT_END,
    LOST,
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

DAY = 86_400.0


class VideoQueue(FleetScenario):
    """A front end and video workers, with a queue between them.

    Visitors upload videos; each is converted by a worker. `mode` decides how the front end hands the work over: as a
    message in a queue, or as a call whose answer the visitor waits for. The same seed brings the same visitors and
    the same videos.
    """

    duration = 300.0

    mode: str = Param(
        "queue", choices=("queue", "direct"), label="hand over by", help="A message in a queue, or a direct call."
    )
    rate: float = Param(
        1.5, low=0.1, high=20.0, step=0.1, unit="messages/s", label="arrival rate", live=True,
        help="Videos that arrive a second, on average, outside the spike.",
    )  # fmt: skip
    arrivals: str = Param(
        "spike", choices=("steady", "poisson", "spike", "day"), label="arrivals",
        help="At equal distances, at random, at random with a spike, or as on a day: quiet at night, busy at noon.",
    )  # fmt: skip
    spike_factor: float = Param(
        5.0,
        low=1.0,
        high=20.0,
        step=0.5,
        unit="times",
        label="spike",
        help="The rate during the spike, in times the normal rate.",
    )
    spike_start: float = Param(
        60.0, low=0.0, high=3000.0, step=5.0, unit="s", label="spike starts at", help="When the spike begins."
    )
    spike_length: float = Param(
        30.0, low=0.0, high=3000.0, step=5.0, unit="s", label="spike lasts", help="How long the spike lasts."
    )
    consumers: int = Param(
        3, low=0, high=50, step=1, unit="consumers", live=True, help="Workers. Each works on one video at a time."
    )
    work: float = Param(
        1.0, low=0.01, high=600.0, step=0.1, unit="s", label="work time", live=True, log=True,
        help="Half of the videos take less than this, half take more.",
    )  # fmt: skip
    spread: float = SPREAD
    batch_size: int = BATCH_SIZE
    wait_time: int = WAIT_TIME
    pause: float = Param(
        1.0, low=0.1, high=60.0, step=0.1, unit="s", label="pause after an empty short poll", log=True,
        help="How long a consumer sleeps when a short poll gave nothing.",
    )  # fmt: skip
    visibility_timeout: int = VISIBILITY_TIMEOUT
    retention: int = Param(
        345_600, low=60, high=1_209_600, step=60, unit="s", label="retention period", aws="MessageRetentionPeriod",
        quota="sqs.retention_max", log=True, help="A message that is older than this is lost.",
    )  # fmt: skip
    outages: float = OUTAGES
    restart: float = Param(
        20.0, low=0.0, high=600.0, step=1.0, unit="s", label="restart after",
        help="When a crashed consumer starts again. 0: never.",
    )  # fmt: skip
    timeout: float = Param(
        10.0, low=0.5, high=120.0, step=0.5, unit="s", label="caller's timeout",
        help="Direct call: how long a caller waits for the answer.",
    )  # fmt: skip
    backlog: int = Param(
        40, low=0, high=1000, step=1, unit="requests", label="workers' backlog",
        help="Direct call: how many accepted requests may wait for a free worker. More are refused.",
    )  # fmt: skip

    def build(self, cloud: Cloud) -> FleetScene:
        return _VideoScene(cloud, self) if self.mode == "queue" else _DirectScene(cloud, self)

    def assume(self) -> dict[str, float]:
        return {"sqs.outages_per_hour": self.outages}

    def actions(self) -> tuple[ActionSpec, ...]:
        return (*super().actions(), server_down()) if self.mode == "queue" else super().actions()

    def topology(self) -> Topology:
        workers = Place("consumers", "Video workers", "consumer", "consumer-*")
        if self.mode == "direct":
            door = Place("workers", "Workers' backlog", "direct", "workers")
            links = (
                ("front-end", "workers"),
                ("workers", "consumers"),
                ("consumers", "done"),
                ("front-end", "lost"),
                ("workers", "lost"),
            )
            return Topology((FRONT_END, door, workers, DONE, LOST), links)
        return queue_topology("videos", workers)


class _Videos(FleetScene):
    """What both ways of handing over have in common: the visitors."""

    def open(self, serve: Callable[[Worker], None]) -> None:
        arrivals = self.values["arrivals"]
        self.start(self._intensity(arrivals), arrivals == "steady", serve, self.values["consumers"])

    def _intensity(self, arrivals: str) -> Intensity:
        values = self.values
        if arrivals == "spike":
            shape = spike(1.0, values["spike_factor"], values["spike_start"], values["spike_length"])
        elif arrivals == "day":
            shape = day(1.0, VideoQueue.duration)
        else:
            shape = _always

        def at(now: float) -> tuple[float, float]:
            share, until = shape(now)
            return share * values["rate"], until

        return at


def _always(now: float) -> tuple[float, float]:
    return 1.0, math.inf


class _VideoScene(_Videos, QueueScene):
    def __init__(self, cloud: Cloud, scenario: VideoQueue) -> None:
        attributes = {"VisibilityTimeout": scenario.visibility_timeout, "MessageRetentionPeriod": scenario.retention}
        super().__init__(cloud, scenario, "videos", **attributes)
        self.open(self.consumer())


class _DirectScene(_Videos):
    def __init__(self, cloud: Cloud, scenario: VideoQueue) -> None:
        super().__init__(cloud, scenario)
        values = self.values
        self.door = DirectCall(
            cloud.kernel,
            cloud.trace,
            "workers",
            lambda: values["backlog"],
            lambda: values["timeout"],
            self.work_seconds,
        )
        self.open(self.door)

    def handle(self, number: int) -> None:
        self._request(f"video-{number}")

    def handle_burst(self, keys: list[str], row: int) -> None:
        for key in keys:
            self._request(key)

    def _request(self, key: str) -> None:
        self.door.request("front-end", key, any(worker.alive for worker in self.fleet.workers))

    def changed(self, name: str) -> None:
        super().changed(name)
        self.door.wake()


class Promises(FleetScenario):
    """What a standard queue promises: days of it, with few messages.

    A shop sends its orders to a queue. The consumer is a job that comes at intervals, takes all there is, and goes.
    At first it is away. Messages wait, and those that wait too long are lost; some come twice; the order is not kept.
    """

    duration = 8 * DAY

    per_day: float = Param(
        24.0,
        low=1.0,
        high=500.0,
        step=1.0,
        unit="messages/day",
        label="orders",
        help="Orders a day, at random.",
        log=True,
    )
    retention: float = Param(
        4.0, low=0.001, high=14.0, step=0.5, unit="days", label="retention period", aws="MessageRetentionPeriod",
        quota="sqs.retention_max", help="A message that is older than this is lost. Default 4 days, at most 14.",
    )  # fmt: skip
    away: float = Param(
        5.0,
        low=0.0,
        high=30.0,
        step=0.5,
        unit="days",
        label="job is away for",
        help="When the job comes for the first time.",
    )
    every: float = Param(
        12.0,
        low=0.5,
        high=168.0,
        step=0.5,
        unit="hours",
        label="then it comes every",
        help="Time between two visits of the job.",
    )
    consumers: int = Param(
        1, low=0, high=10, step=1, unit="jobs", label="jobs", live=True, help="Jobs that come at the same time."
    )
    batch_size: int = replace(BATCH_SIZE, default=10, live=False)
    outages: float = replace(OUTAGES, default=12.0)

    def build(self, cloud: Cloud) -> FleetScene:
        return _PromisesScene(cloud, self)

    def assume(self) -> dict[str, float]:
        return {"sqs.outages_per_hour": self.outages}

    def actions(self) -> tuple[ActionSpec, ...]:
        return (*super().actions(), server_down())

    def topology(self) -> Topology:
        return queue_topology("orders", Place("consumers", "Job", "consumer", "consumer-*"))


class _PromisesScene(QueueScene):
    def __init__(self, cloud: Cloud, scenario: Promises) -> None:
        super().__init__(
            cloud, scenario, "orders", MessageRetentionPeriod=max(60, scenario.retention * DAY), VisibilityTimeout=60
        )
        self.values |= {"wait_time": 20, "pause": 1.0, "restart": 3600.0, "work": 1.0, "spread": 1.0}
        rate = scenario.per_day / DAY
        self.visit = self.consumer(until_empty=True)
        self.start(lambda now: (rate, math.inf), False, self.job, scenario.consumers)

    def job(self, worker: Worker) -> None:
        """Come, take all there is, go; again and again."""
        kernel, pause = self.cloud.kernel, self.values["every"] * 3600
        kernel.wait(worker.call_off, max(0.0, self.values["away"] * DAY - kernel.now))
        while not worker.stopping:
            self.visit(worker)
            kernel.wait(worker.call_off, pause)


class Fleet(FleetScenario):
    """Many consumers on one queue: more of them do more, until something else is the limit.

    Each message needs some work of the consumer's own, then a query on a database that all share.
    """

    duration = 120.0

    consumers: int = Param(
        4, low=0, high=50, step=1, unit="consumers", live=True, help="Consumers that poll the same queue."
    )
    rate: float = Param(
        8.0,
        low=0.5,
        high=50.0,
        step=0.5,
        unit="messages/s",
        label="arrival rate",
        live=True,
        help="Messages that arrive a second, at random.",
    )
    work: float = Param(
        0.5,
        low=0.01,
        high=60.0,
        step=0.05,
        unit="s",
        label="work time",
        live=True,
        log=True,
        help="A consumer's own work on a message.",
    )
    spread: float = SPREAD
    connections: int = Param(
        0,
        low=0,
        high=50,
        step=1,
        unit="connections",
        label="database connections",
        live=True,
        help="Queries that the database serves at the same time. 0: no limit.",
    )
    query: float = Param(
        0.2,
        low=0.0,
        high=10.0,
        step=0.05,
        unit="s",
        label="query time",
        live=True,
        help="How long a message's query keeps its connection.",
    )
    batch_size: int = BATCH_SIZE
    wait_time: int = WAIT_TIME
    visibility_timeout: int = VISIBILITY_TIMEOUT

    def build(self, cloud: Cloud) -> FleetScene:
        return _SharedScene(cloud, self)

    def actions(self) -> tuple[ActionSpec, ...]:
        return (*super().actions(), server_down())

    def topology(self) -> Topology:
        return queue_topology("jobs", Place("consumers", "Consumers", "consumer", "consumer-*"))


class _SharedScene(QueueScene):
    def __init__(self, cloud: Cloud, scenario: Fleet) -> None:
        super().__init__(cloud, scenario, "jobs", VisibilityTimeout=scenario.visibility_timeout)
        self.values |= {"pause": 1.0, "restart": 20.0}
        self.database = Database(cloud.kernel, lambda: self.values["connections"])
        self.start(lambda now: (self.values["rate"], math.inf), False, self.consumer(self.query), scenario.consumers)

    def query(self, worker: Worker, message_id: str, key: str, row: int) -> None:
        """The consumer's own work, then the query."""
        ask = lambda: self.database.use(worker, self.values["query"])  # noqa: E731
        worker.work(worker.name, message_id, row, self.work_seconds(key), ask)

    def changed(self, name: str) -> None:
        super().changed(name)
        self.database.wake()


SCENARIOS: dict[str, type[Scenario]] = {s.__name__: s for s in (VideoQueue, Promises, Fleet)}
