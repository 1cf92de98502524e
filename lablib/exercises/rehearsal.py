"""A rehearsal of a visibility timeout: many consumers, many jobs, one crash."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from lablib.actors import EVENTS
from lablib.actors.consumers import Consumer
from lablib.actors.fleet import Fleet, Worker
from lablib.actors.producers import send_all
from lablib.cloud import Cloud
from lablib.kernel import Signal, Trace, lognormal

JOBS = 400
TWICE = 8  # jobs that may be done twice: 2 in 100
_CONSUMERS = 40


@dataclass(frozen=True)
class Times:
    """Work times: half of the jobs under `median`, 19 of 20 under `p95`; a `share` of them take `factor` times as
    long.
    """

    median: float
    p95: float
    share: float = 0.0
    factor: float = 1.0

    def __str__(self) -> str:
        slow = f", and {self.share:.0%} of them {self.factor:g} times as long" if self.share else ""
        return f"jobs of about {self.median:g} s, 1 in 20 over {self.p95:g} s{slow}"

    def at(self, u: float, v: float) -> float:
        """The work time that stands at `u` among all, slow or not as `v` says (both in [0, 1))."""
        factor = self.factor if v < self.share else 1.0
        return round(lognormal(self.median, self.p95).at(u) * factor, 3)


@dataclass(frozen=True)
class Outcome:
    """What came of a timeout: the messages received twice, the one whose consumer crashed and for how long it was
    hidden afterwards (s), and the shortest timeout that would do (s).
    """

    trace: Trace
    twice: list[str]
    crashed: str
    gap: float
    enough: int


@lru_cache(maxsize=64)
def rehearse(times: Times, timeout: int, seed: int) -> Outcome:
    """Forty consumers do 400 jobs with that visibility timeout (s); the one that has the first job crashes in it.

    It ends when all other jobs were done once, or far too many came twice.
    """
    with Cloud(seed, assume={"sqs.outages_per_hour": 0}) as cloud:
        cloud.trace.declare(EVENTS)
        kernel, sqs, keyed = cloud.kernel, cloud.direct("sqs"), cloud.chance.keyed
        url = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": str(timeout)})["QueueUrl"]
        jobs = [f"job-{n}" for n in range(JOBS)]
        work = {job: times.at(keyed("work", job), keyed("slow", job)) for job in jobs}
        begun: Counter[str] = Counter()
        done: set[str] = set()
        over = Signal(kernel)

        def do(worker: Worker, message: str, body: str, row: int) -> None:
            begun[message] += 1
            if begun.total() == 1:
                kernel.after(work[body] / 2, workers.crash, worker.name)
            worker.work("work", message, row, work[body])
            done.add(message)
            if len(done) >= JOBS - 1 or begun.total() - len(begun) > 4 * TWICE:
                over.fire()

        program = Consumer(kernel, cloud.trace, sqs, url, {"batch_size": 1, "wait_time": 20, "pause": 1.0}, do)
        workers = Fleet(kernel, cloud.trace, "consumer", program, lambda: 1.0)
        workers.resize(_CONSUMERS)
        cloud.spawn(send_all, kernel, sqs, url, jobs, name="shop")
        kernel.wait(over)
        cloud.trace.freeze()
    first, trace = next(iter(begun)), cloud.trace
    hidden, crash = trace.where("Received", subject=first)[0].until, trace.where("Crashed")
    twice = [message for message, times in begun.items() if times > 1 and message != first]
    gap = hidden - crash[0].time if crash else 0.0
    return Outcome(trace, twice, first, gap, math.ceil(sorted(work.values())[-TWICE - 1]))
