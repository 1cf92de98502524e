"""The scenario of lab 03: trucks that send their positions through one queue, standard or FIFO."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from lablib.actors.fleet import Worker
from lablib.actors.producers import call_with_retries
from lablib.cloud import Cloud
from lablib.kernel import Row
from lablib.scenarios.missions import Curve, Met, all_busy, changed, lasted, met_unless, mission
from lablib.scenarios.param import choice, number, seconds, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import Stage, always
from lablib.scenarios.stages import (
    BATCH_SIZE,
    CONSUMERS,
    CRASHES,
    OUTAGES,
    RESTART,
    SPREAD,
    VISIBILITY_TIMEOUT,
    WORK,
    QueueScenario,
    QueueStage,
)
from lablib.texts import counted

# ---- missions --------------------------------------------------------------------------------------------------------


@mission("03.order", "queue_type")
def in_order(run: Run) -> Met:
    """Every truck in order, and all eight consumers at work."""
    if jumps := len(jumps_back(run)):
        return counted(jumps, "jump{s} back")
    few = f"{counted(at_work(run), 'consumer')} at work" if at_work(run) < 8 else ""
    return changed(run, "trucks", "every") or few or lasted(run)


@mission("03.jump", "queue_type", "group")
def fifo_jump(run: Run) -> Met:
    """A truck jumps back although the queue is FIFO."""
    if run.scenario.values()["queue_type"] != "fifo":
        return "this is a standard queue"
    return next((row.time for row in jumps_back(run)), "no truck jumped back")


@mission("03.still", "queue_type", "crash")
def held_up(run: Run) -> Met:
    """One truck has stood still on the map for 25 s, while all others moved."""
    truck = {row.subject: row.actor for row in run.trace.where("Sent")}
    last, longest = dict.fromkeys(truck.values(), 0.0), 0.0
    for row in run.trace.where("WorkEnded"):
        first, *others = sorted(last.values())
        if others and row.time - others[0] < 12:
            longest = max(longest, row.time - first)
            if longest >= 25:
                return row.time
        last[truck[row.subject]] = row.time
    return f"one truck alone stood for {int(longest)} s at most" if longest else "all stood still"


@mission("03.step", "queue_type", "group")
def in_step(run: Run) -> Met:
    """All positions of all trucks are drawn in the order in which the queue took them."""
    sent = {row.subject: row.index for row in run.trace.where("Sent")}
    drawn = [sent[row.subject] for row in run.trace.where("WorkEnded")]
    late = sum(before > after for before, after in pairwise(drawn))
    fewest = run.scenario.params()["trucks"].default
    near = {
        f"{counted(late, 'position')} drawn after a later one": late,
        f"{counted(len(drawn), 'position')} drawn": len(drawn) < 20,
        f"it counts with {fewest} trucks or more": run.scenario.values()["trucks"] < fewest,
    }
    return changed(run, "every") or met_unless(run, near)


@mission("03.twenty", "trucks", "consumers", "queue_type")
def twenty(run: Run) -> Met:
    """Twenty consumers of a FIFO queue work at the same time, and every truck is in order."""
    values = run.scenario.values()
    if values["queue_type"] != "fifo":
        return "a standard queue does not keep the trucks in order"
    if values["group"] == "random":
        return "with a random group nobody keeps the trucks in order"
    return all_busy(run, 20, "consumer")


class Trucks(QueueScenario):
    """Trucks send their positions through one queue, and consumers draw them on a map.

    Each truck sends its GPS position at a fixed interval. The positions of one truck must reach the map in order, else
    the truck jumps back. `queue_type` and `group` decide who keeps them in order, and how many consumers can work at
    the same time. The same seed brings the same positions and the same work.
    """

    duration = 60.0
    curve = Curve("jumps_back", "jumps back")
    missions = (in_order, held_up, twenty, fifo_jump, in_step)

    queue_type: str = choice("fifo", "standard", aws="FifoQueue").says(
        "queue type", "A FIFO queue keeps the order within a message group. A standard queue does its best."
    )
    group: str = choice("truck", "one", "random", aws="MessageGroupId").says(
        "message group", "The group id of a position: the truck's id, the same for all, or a random id. FIFO only."
    )
    trucks: int = whole(12, 1, 100, "trucks", help="Trucks on the road.")
    every: float = seconds(2.0, 1.0, 60.0, step=0.5, live=True).says(
        "a position every", "How often a truck sends its position."
    )
    consumers: int = CONSUMERS.but(default=8, high=100, help="Consumers that poll the queue.")
    work: float = WORK.but(default=0.8, high=60.0, help="Half of the positions take less than this, half take more.")
    spread: float = SPREAD.but(default=3.0)
    slow: float = number(1.0, 1.0, 20.0, "times", step=1, live=True).says(
        "slow truck", "The positions of truck-1 take so many times the work. 1: the same as the others."
    )
    crashes: float = CRASHES.but(high=0.5, step=0.01).says(
        "crashes", "The chance that a consumer crashes while it works on a position. 10 %: one time in ten."
    )
    restart: float = RESTART.but(default=5.0)
    batch_size: int = BATCH_SIZE
    visibility_timeout: int = VISIBILITY_TIMEOUT
    outages: float = OUTAGES.but(default=20.0).says(
        "server outages",
        "How often each server of a standard queue is away for a short time. An assumption, and far more often "
        "than on AWS. A FIFO queue shows none: AWS promises that it adds no duplicates.",
    )

    def results(self, run: Run) -> dict[str, int]:
        """What the map shows."""
        return {"jumps back": len(jumps_back(run)), "most at work at once": at_work(run)}

    def lens(self, run: Run) -> dict[str, Any]:
        """The map that the consumers draw. Each truck has a hue."""
        return {"painter": "map", "hues": "sender"}

    def build(self, cloud: Cloud) -> Stage:
        return _TrucksStage(cloud, self)


class _TrucksStage(QueueStage):
    def __init__(self, cloud: Cloud, scenario: Trucks) -> None:
        fifo = scenario.queue_type == "fifo"
        name, more = ("positions.fifo", {"FifoQueue": "true"}) if fifo else ("positions", {})
        super().__init__(cloud, scenario, name, VisibilityTimeout=scenario.visibility_timeout, **more)
        self.consumers("Consumers")
        rate = always(lambda: scenario.trucks / self.values["every"])
        self.front_end(self.handle, rate, to=["queue"], steady=True, label="Trucks", match="truck-*")

    def handle(self, number: int) -> None:
        """The trucks take turns, so that each sends at its own moment of the interval."""
        turn, truck = divmod(number - 1, self.values["trucks"])
        self._send(truck, [str(turn + 1)])

    def handle_burst(self, keys: list[str]) -> None:
        """The trucks have come out of a tunnel: each sends what it has kept, one position after the other."""
        trucks = self.values["trucks"]
        for truck in range(min(trucks, len(keys))):
            self._send(truck, keys[truck::trucks])

    def _send(self, truck: int, positions: list[str]) -> None:
        name = f"truck-{truck + 1}"
        self.cloud.spawn(self._drive, name, [f"{name}:{key}" for key in positions], name=name)

    def _drive(self, truck: str, bodies: list[str]) -> None:
        for body in bodies:
            message = {"QueueUrl": self.main.url, "MessageBody": body, **self._fifo(truck, body)}
            call_with_retries(self.cloud.kernel, self.sqs.send_message, **message)

    def _fifo(self, truck: str, body: str) -> dict[str, Any]:
        """What a FIFO queue wants to know beside the body."""
        if self.values["queue_type"] == "standard":
            return {}
        group = {"truck": truck, "one": "trucks"}.get(self.values["group"]) or self.cloud.chance.uuid("groups")
        return {"MessageGroupId": group, "MessageDeduplicationId": body}

    def work(self, worker: Worker, message_id: str, key: str, row: int) -> None:
        """Draw a position on the map. The worker may crash meanwhile."""
        factor = self.values["slow"] if key.startswith("truck-1:") else 1.0
        self.work_or_crash(worker, message_id, key, row, round(self.work_seconds(key) * factor, 6))


def jumps_back(run: Run) -> list[Row]:
    """The positions that reached the map after a newer one of the same truck: their rows WorkEnded, in order.

    Newer means: the queue took it later. A position that is drawn twice is a jump only when a newer one came between.
    """
    return [run.trace[row] for row in run.measures.jumps_back(run.sender)]


def at_work(run: Run) -> int:
    """The greatest number of consumers that worked at the same time."""
    return run.measures.most_at_work()


SCENARIOS: dict[str, type[Scenario]] = {"Trucks": Trucks}
