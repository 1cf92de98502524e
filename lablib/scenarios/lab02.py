"""The scenarios of lab 02: the visibility timeout and the dead-letter queue; long and short polling."""

from __future__ import annotations

from typing import Any

from lablib.actors.consumers import HeartbeatConsumer
from lablib.actors.fleet import Worker
from lablib.cloud import Cloud
from lablib.scenarios.missions import Met, changed, crowded, lasted, mission, works
from lablib.scenarios.param import seconds, share, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import Stage, always
from lablib.scenarios.stages import (
    BATCH_SIZE,
    CONSUMERS,
    CRASHES,
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

MONTH = 30 * DAY


# ---- missions --------------------------------------------------------------------------------------------------------


def _deliveries(run: Run) -> int:
    """How often one job was delivered, at most."""
    return max((row.detail for row in run.trace.where("Received")), default=0)


@mission("02.often", "visibility_timeout", "freeze")
def five_times(run: Run) -> Met:
    """One job is delivered five times."""
    fifth = (row.time for row in run.trace.where("Received") if row.detail == 5)
    return next(fifth, f"most deliveries of one job: {_deliveries(run)}")


@mission("02.crowd", "visibility_timeout")
def crowd(run: Run) -> Met:
    """Three workers work on the same job."""
    return crowded(run, 3)


@mission("02.heartbeat", "visibility_timeout", "heartbeat")
def heartbeat(run: Run) -> Met:
    """No job in two hands, though the timeout is at most half of the work, and enough is done."""
    values, done = run.scenario.values(), run.measures.done
    if values["visibility_timeout"] * 2 > values["work"]:
        return f"{values['visibility_timeout']:g} s are more than half of the work"
    if isinstance(crowded(run, 2), float):
        return "a job was in two hands"
    return changed(run, "work", "rate", "spread") or (f"only {counted(done, 'job')} done" if done < 15 else lasted(run))


@mission("02.costly", "visibility_timeout", "crash")
def costly_crash(run: Run) -> Met:
    """A job that a crash interrupts begins again three minutes later, or still later."""
    cut: dict[str, float] = {}
    longest = 0.0
    for work in works(run):
        if work.what == "down":
            cut[work.subject] = work.time
        elif work.what == "works":
            longest = max(longest, work.time - cut.get(work.subject, work.time))
            if longest >= 180:
                return work.time
    again = f"it began again after {longest:.0f} s" if longest else "it did not begin again"
    return again if cut else "no worker crashed in its work"


@mission("02.poison", "poison", "max_receives", "visibility_timeout")
def sorted_out(run: Run) -> Met:
    """Of few jobs that always fail: they go to the dead-letter queue after three receives at most, and nothing else."""
    moved = {row.subject for row in run.trace.where("MovedToDeadLetterQueue")}
    failed = {row.subject for row in run.trace.where("WorkEnded") if row.detail == "failed"}
    if run.scenario.values()["poison"] > 0.2:
        return "more than one job in five fails"
    if not moved or moved - failed:
        good = counted(len(moved - failed), "job") + " that nothing is wrong with"
        return f"{good} in the dead-letter queue" if moved else "nothing is in the dead-letter queue"
    return "a job was attempted more than three times" if _deliveries(run) > 3 else lasted(run)


class Visibility(QueueScenario):
    """How long a message stays hidden, and what happens when that is too short or too long.

    Few jobs, so that each can be followed; each takes about as long as the visibility timeout lasts. Workers can
    crash in the middle of a job, can extend the timeout while they work, and some jobs fail whoever tries.
    """

    duration = 300.0
    guess = "guess 02.hidden"
    missions = (five_times, crowd, heartbeat, costly_crash, sorted_out)

    visibility_timeout: int = VISIBILITY_TIMEOUT.but(high=3600)
    work: float = WORK.but(default=20.0, low=0.1, high=3600.0, step=1).says(
        "work time", "Half of the jobs take less than this, half take more."
    )
    spread: float = SPREAD
    crashes: float = CRASHES.but(help="The chance that a worker crashes in the middle of a job. 10 %: one time in ten.")
    restart: float = RESTART.but(help="When a crashed worker starts again. 0: never.")
    heartbeat: float = seconds(0.0, 0.0, 600.0, live=True, aws="ChangeMessageVisibility").says(
        "heartbeat every", "While it works, a worker hides the message again at this interval. 0: no heartbeat."
    )
    consumers: int = whole(4, 0, 20, "workers", live=True).says("workers", "Workers.")
    rate: float = RATE.but(default=0.1, low=0.01, high=5.0, step=0.01, unit="jobs/s", log=True).says(
        "arrival rate", "Jobs that arrive a second, at random."
    )
    batch_size: int = BATCH_SIZE
    poison: float = share(0.0).says(
        "poison messages", "The share of jobs that always fail. A worker does not delete a message whose job failed."
    )
    max_receives: int = whole(0, 0, 100, "receives", aws="maxReceiveCount", quota="sqs.max_receive_count_max").says(
        "receives before the dead-letter queue",
        "A message that was received so often goes to the dead-letter queue. 0: there is none.",
    )

    def lens(self, run: Run) -> dict[str, Any]:
        """What the work was for: done, done twice, lost in a crash."""
        return {"painter": "work"}

    def build(self, cloud: Cloud) -> Stage:
        return _VisibilityStage(cloud, self)


class _VisibilityStage(QueueStage):
    noun = "job"

    def __init__(self, cloud: Cloud, scenario: Visibility) -> None:
        super().__init__(cloud, scenario, "jobs", VisibilityTimeout=scenario.visibility_timeout)
        if scenario.max_receives:
            dead = self.queue("jobs-dlq", id="dead", label="Dead-letter queue", role="dead-letter")
            self.redrive(self.main, dead, scenario.max_receives)
        self.consumers("Workers", self.consumer(self.main, self.work, kind=HeartbeatConsumer))
        self.front_end(self.handle, always(lambda: self.values["rate"]), to=["queue"])

    def work(self, worker: Worker, message_id: str, key: str, row: int) -> bool:
        """Work on one message. False: it failed."""
        fails = self.cloud.chance.keyed("poison", key) < self.values["poison"]
        self.work_or_crash(worker, message_id, key, row, self.work_seconds(key), failed=fails)
        return not fails


class Polling(QueueScenario):
    """Ask and wait, or ask and ask again: what polling costs, and how soon a message is found.

    Consumers with little work poll one queue. With a wait time of 0 they poll short, and pause when they get nothing.
    """

    duration = 300.0

    wait_time: int = WAIT_TIME
    pause: float = PAUSE.but(live=True)
    consumers: int = CONSUMERS.but(default=10, low=1, high=100)
    rate: float = RATE.but(default=0.1, low=0.001, step=0.01, log=True)
    work: float = WORK.but(default=0.1, high=60.0, step=0.05, help="The work on a message. All take the same time.")
    batch_size: int = BATCH_SIZE.but(default=10)
    visibility_timeout: int = VISIBILITY_TIMEOUT
    outages: float = OUTAGES.but(default=0.0)

    def build(self, cloud: Cloud) -> Stage:
        return _PollingStage(cloud, self)


class _PollingStage(QueueStage):
    noun = "order"

    def __init__(self, cloud: Cloud, scenario: Polling) -> None:
        super().__init__(cloud, scenario, "orders", VisibilityTimeout=scenario.visibility_timeout)
        self.poll = self.consumer(self.main, self.work)
        self.consumers("Consumers", self.program)
        self.front_end(self.handle, always(lambda: self.values["rate"]), to=["queue"])

    def program(self, worker: Worker) -> None:
        """A consumer that begins when it likes: short polls of many programs do not come in step."""
        if not self.values["wait_time"]:
            late = self.cloud.chance.keyed("start", worker.name) * self.values["pause"]
            self.cloud.kernel.wait(worker.call_off, round(late, 6))
        self.poll(worker)


SCENARIOS: dict[str, type[Scenario]] = {s.__name__: s for s in (Visibility, Polling)}
