"""The scenarios of lab 01: a queue between two programs."""

from __future__ import annotations

from typing import Any

from lablib.actors.arrivals import Intensity, day, spike
from lablib.actors.database import Database
from lablib.actors.direct import DirectCall
from lablib.actors.fleet import Worker
from lablib.cloud import Cloud
from lablib.scenarios.missions import Met, changed, crowded, lasted, mission, works
from lablib.scenarios.param import choice, number, seconds, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import Stage, always
from lablib.scenarios.stages import (
    BATCH_SIZE,
    CONSUMERS,
    DAY,
    OUTAGES,
    PAUSE,
    RATE,
    RESTART,
    SPREAD,
    VISIBILITY_TIMEOUT,
    WAIT_TIME,
    WORK,
    QueueScenario,
    QueueStage,
)
from lablib.texts import counted

# ---- missions --------------------------------------------------------------------------------------------------------

_LOAD = ("rate", "arrivals", "spike_factor", "spike_start", "spike_length", "work", "spread")


@mission("01.lossless", "consumers", "mode")
def four_workers(run: Run) -> Met:
    """Four workers, the load as it is given, and nothing is lost."""
    workers = run.scenario.values()["consumers"]
    return changed(run, *_LOAD) or (f"{counted(workers, 'worker')} instead of four" if workers != 4 else _kept_all(run))


@mission("01.enough", "mode", "consumers")
def enough_workers(run: Run) -> Met:
    """Without a queue, enough workers for the spike."""
    queue = "handed over by a queue" if run.scenario.values()["mode"] == "queue" else ""
    return changed(run, *_LOAD, "backlog", "timeout") or queue or _kept_all(run)


def _kept_all(run: Run) -> Met:
    return f"{counted(run.measures.lost, 'video')} lost" if run.measures.lost else lasted(run)


@mission("01.crash", "crash", "mode")
def crash_survived(run: Run) -> Met:
    """A video whose worker crashed in the spike is done after all."""
    begin, length = (run.scenario.values()[name] for name in ("spike_start", "spike_length"))
    cut = {work.subject for work in works(run) if work.what == "down" and begin <= work.time <= begin + length}
    if not cut:
        return "no busy worker crashed in the spike"
    return next((row.time for row in run.trace.where("Deleted", subject=tuple(cut))), "its video was not done")


@mission("01.together", "visibility_timeout", "mode", "freeze")
def together(run: Run) -> Met:
    """Two workers work on the same video at the same time."""
    return crowded(run, 2)


class VideoQueue(QueueScenario):
    """A front end and video workers, with a queue between them.

    Visitors upload videos; each is converted by a worker. `mode` decides how the front end hands the work over: as a
    message in a queue, or as a call whose answer the visitor waits for. The same seed brings the same visitors and
    the same videos.
    """

    duration = 300.0
    guess = "guess 01.spike"
    missions = (four_workers, enough_workers, crash_survived, together)

    mode: str = choice("queue", "direct").says("hand over by", "A message in a queue, or a direct call.")
    rate: float = RATE.but(default=1.5, help="Videos that arrive a second, on average, outside the spike.")
    arrivals: str = choice("spike", choices=("steady", "poisson", "spike", "day")).says(
        "arrivals",
        "At equal distances, at random, at random with a spike, or as on a day: quiet at night, busy at noon.",
    )
    spike_factor: float = number(5.0, 1.0, 20.0, "times", step=0.5).says(
        "spike", "The rate during the spike, in times the normal rate."
    )
    spike_start: float = seconds(60.0, 0.0, 3000.0, step=5).says("spike starts at", "When the spike begins.")
    spike_length: float = seconds(30.0, 0.0, 3000.0, step=5).says("spike lasts", "How long the spike lasts.")
    consumers: int = CONSUMERS.but(default=3, help="Workers. Each works on one video at a time.")
    work: float = WORK.but(help="Half of the videos take less than this, half take more.")
    spread: float = SPREAD
    batch_size: int = BATCH_SIZE
    wait_time: int = WAIT_TIME
    pause: float = PAUSE
    visibility_timeout: int = VISIBILITY_TIMEOUT
    retention: int = seconds(
        345_600, 60, 1_209_600, step=60, log=True, aws="MessageRetentionPeriod", quota="sqs.retention_max"
    ).says("retention period", "A message that is older than this is lost.")
    outages: float = OUTAGES
    restart: float = RESTART
    timeout: float = seconds(10.0, 0.5, 120.0, step=0.5).says(
        "caller's timeout", "Direct call: how long a caller waits for the answer."
    )
    backlog: int = whole(40, 0, 1000, "requests").says(
        "workers' backlog", "Direct call: how many accepted requests may wait for a free worker. More are refused."
    )

    def lens(self, run: Run) -> dict[str, Any]:
        """Who waited how long, and who gave up."""
        return {"painter": "waits"}

    def build(self, cloud: Cloud) -> Stage:
        return _VideoStage(cloud, self) if self.mode == "queue" else _DirectStage(cloud, self)


def _visitors(stage: Stage) -> Intensity:
    """How many visitors come a second: a shape over time, of which `rate` is the height."""
    values = stage.values
    shape = always(lambda: 1.0)
    if values["arrivals"] == "spike":
        shape = spike(1.0, values["spike_factor"], values["spike_start"], values["spike_length"])
    elif values["arrivals"] == "day":
        shape = day(1.0, VideoQueue.duration)

    def at(now: float) -> tuple[float, float]:
        share, until = shape(now)
        return share * values["rate"], until

    return at


class _VideoStage(QueueStage):
    def __init__(self, cloud: Cloud, scenario: VideoQueue) -> None:
        attributes = {"VisibilityTimeout": scenario.visibility_timeout, "MessageRetentionPeriod": scenario.retention}
        super().__init__(cloud, scenario, "videos", **attributes)
        self.consumers("Video workers")
        self.front_end(self.handle, _visitors(self), to=["queue"], steady=scenario.arrivals == "steady")


class _DirectStage(Stage):
    def __init__(self, cloud: Cloud, scenario: VideoQueue) -> None:
        super().__init__(cloud, scenario)
        values = self.values
        limit, timeout = (lambda: int(values["backlog"])), (lambda: float(values["timeout"]))
        self.calls = DirectCall(cloud.kernel, cloud.trace, "workers", limit, timeout, self.work_seconds)
        self.link(self.place("workers", "Workers' backlog", "direct", "workers"), "lost")
        self.fleet("consumer", "Video workers", self.calls, on="workers", gives_back=False)
        self.front_end(self.handle, _visitors(self), to=["workers", "lost"], steady=scenario.arrivals == "steady")

    def handle(self, number: int) -> None:
        self._request(f"video-{number}")

    def handle_burst(self, keys: list[str]) -> None:
        for key in keys:
            self._request(key)

    def _request(self, key: str) -> None:
        self.calls.request("front-end", key, any(worker.alive for worker in self.fleets["consumer"].workers))

    def on_set(self, name: str) -> None:
        super().on_set(name)
        self.calls.wake()


class Promises(QueueScenario):
    """What a standard queue promises: days of it, with few messages.

    A shop sends its orders to a queue. The consumer is a job that comes at intervals, takes all there is, and goes.
    At first it is away. Messages wait, and those that wait too long are lost; some come twice; the order is not kept.
    """

    duration = 8 * DAY

    per_day: float = number(24.0, 1.0, 500.0, "messages/day", step=1, log=True).says(
        "orders", "Orders a day, at random."
    )
    retention: float = number(
        4.0, 0.001, 14.0, "days", step=0.5, aws="MessageRetentionPeriod", quota="sqs.retention_max"
    ).says("retention period", "A message that is older than this is lost. Default 4 days, at most 14.")
    away: float = number(5.0, 0.0, 30.0, "days", step=0.5).says(
        "job is away for", "When the job comes for the first time."
    )
    every: float = number(12.0, 0.5, 168.0, "hours", step=0.5).says(
        "then it comes every", "Time between two visits of the job."
    )
    consumers: int = whole(1, 0, 10, "jobs", live=True).says("jobs", "Jobs that come at the same time.")
    batch_size: int = BATCH_SIZE.but(default=10, live=False)
    outages: float = OUTAGES.but(default=12.0)

    def build(self, cloud: Cloud) -> Stage:
        return _PromisesStage(cloud, self)


class _PromisesStage(QueueStage):
    defaults = {**Stage.defaults, "restart": 3600.0}

    def __init__(self, cloud: Cloud, scenario: Promises) -> None:
        kept = max(60, scenario.retention * DAY)
        super().__init__(cloud, scenario, "orders", MessageRetentionPeriod=kept, VisibilityTimeout=60)
        self.visit = self.consumer(self.main, self.work, until_empty=True)
        self.consumers("Job", self.job)
        self.front_end(self.handle, always(lambda: scenario.per_day / DAY), to=["queue"])

    def job(self, worker: Worker) -> None:
        """Come, take all there is, go; again and again."""
        kernel, pause = self.cloud.kernel, self.values["every"] * 3600
        kernel.wait(worker.call_off, max(0.0, self.values["away"] * DAY - kernel.now))
        while not worker.stopping:
            self.visit(worker)
            kernel.wait(worker.call_off, pause)


class Fleet(QueueScenario):
    """Many consumers on one queue: more of them do more, until something else is the limit.

    Each message needs some work of the consumer's own, then a query on a database that all share.
    """

    duration = 120.0

    consumers: int = CONSUMERS
    rate: float = RATE.but(default=8.0, low=0.5, high=50.0, step=0.5)
    work: float = WORK.but(default=0.5, high=60.0, step=0.05, help="A consumer's own work on a message.")
    spread: float = SPREAD
    connections: int = whole(0, 0, 50, "connections", live=True).says(
        "database connections", "Queries that the database serves at the same time. 0: no limit."
    )
    query: float = seconds(0.2, 0.0, 10.0, step=0.05, live=True).says(
        "query time", "How long a message's query keeps its connection."
    )
    batch_size: int = BATCH_SIZE
    wait_time: int = WAIT_TIME
    visibility_timeout: int = VISIBILITY_TIMEOUT

    def assume(self) -> dict[str, float]:
        return {}

    def build(self, cloud: Cloud) -> Stage:
        return _SharedStage(cloud, self)


class _SharedStage(QueueStage):
    def __init__(self, cloud: Cloud, scenario: Fleet) -> None:
        super().__init__(cloud, scenario, "jobs", VisibilityTimeout=scenario.visibility_timeout)
        self.database = Database(cloud.kernel, lambda: self.values["connections"])
        self.consumers("Consumers")
        self.front_end(self.handle, always(lambda: self.values["rate"]), to=["queue"])

    def work(self, worker: Worker, message_id: str, key: str, row: int) -> None:
        """The consumer's own work, then the query."""
        ask = lambda: self.database.use(worker, self.values["query"])  # noqa: E731
        worker.work(worker.name, message_id, row, self.work_seconds(key), ask)

    def on_set(self, name: str) -> None:
        super().on_set(name)
        self.database.wake()


SCENARIOS: dict[str, type[Scenario]] = {s.__name__: s for s in (VideoQueue, Promises, Fleet)}
