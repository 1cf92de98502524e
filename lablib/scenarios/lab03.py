"""The scenario of lab 03: trucks that send their positions through one queue, standard or FIFO."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from lablib.actors.fleet import Worker
from lablib.actors.producers import insist
from lablib.cloud import Cloud
from lablib.kernel import Row
from lablib.scenarios.param import Param
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import ActionSpec, Place, Scenario, Topology
from lablib.scenarios.scenes import (
    BATCH_SIZE,
    OUTAGES,
    SPREAD,
    VISIBILITY_TIMEOUT,
    FleetScenario,
    FleetScene,
    QueueScene,
    queue_topology,
    server_down,
)

_TRUCKS = Place("front-end", "Trucks", "producer", "truck-*")
_CONSUMERS = Place("consumers", "Consumers", "consumer", "consumer-*")


class Trucks(FleetScenario):
    """Trucks send their positions through one queue, and consumers draw them on a map.

    Each truck sends its GPS position at a fixed interval. The positions of one truck must reach the map in order, else
    the truck jumps back. `queue_type` and `group` decide who keeps them in order, and how many consumers can work at
    the same time. The same seed brings the same positions and the same work.
    """

    duration = 60.0

    queue_type: str = Param(
        "fifo", choices=("fifo", "standard"), label="queue type", aws="FifoQueue",
        help="A FIFO queue keeps the order within a message group. A standard queue does its best.",
    )  # fmt: skip
    group: str = Param(
        "truck", choices=("truck", "one", "random"), label="message group", aws="MessageGroupId",
        help="The group id of a position: the truck's id, the same for all, or a random id. FIFO only.",
    )  # fmt: skip
    trucks: int = Param(12, low=1, high=100, step=1, unit="trucks", help="Trucks on the road.")
    every: float = Param(
        2.0, low=1.0, high=60.0, step=0.5, unit="s", label="a position every", live=True,
        help="How often a truck sends its position.",
    )  # fmt: skip
    consumers: int = Param(
        8, low=0, high=100, step=1, unit="consumers", live=True, help="Consumers that poll the queue."
    )
    work: float = Param(
        0.8, low=0.01, high=60.0, step=0.1, unit="s", label="work time", live=True, log=True,
        help="Half of the positions take less than this, half take more.",
    )  # fmt: skip
    spread: float = replace(SPREAD, default=3.0)
    slow: float = Param(
        1.0, low=1.0, high=20.0, step=1.0, unit="times", label="slow truck", live=True,
        help="The positions of truck-1 take so many times the work. 1: the same as the others.",
    )  # fmt: skip
    crashes: float = Param(
        0.0, low=0.0, high=0.5, step=0.01, label="crashes", live=True,
        help="The chance that a consumer crashes while it works on a position. 0.1: one time in ten.",
    )  # fmt: skip
    restart: float = Param(
        5.0, low=0.0, high=600.0, step=1.0, unit="s", label="restart after",
        help="When a crashed consumer starts again. 0: never.",
    )  # fmt: skip
    batch_size: int = BATCH_SIZE
    visibility_timeout: int = VISIBILITY_TIMEOUT
    outages: float = replace(
        OUTAGES, default=20.0,
        help="How often each server of a standard queue is away for a short time. An assumption, and far more often "
        "than on AWS. A FIFO queue shows none: AWS promises that it adds no duplicates.",
    )  # fmt: skip

    def build(self, cloud: Cloud) -> FleetScene:
        return _TrucksScene(cloud, self)

    def assume(self) -> dict[str, float]:
        return {"sqs.outages_per_hour": self.outages}

    def actions(self) -> tuple[ActionSpec, ...]:
        return (*super().actions(), *((server_down(),) if self.queue_type == "standard" else ()))

    def topology(self) -> Topology:
        made = queue_topology(_queue(self), _CONSUMERS)
        queue = next(place for place in made.places if place.id == "queue")
        if self.queue_type == "fifo":
            queue = replace(queue, parts=0)
        swap = {"front-end": _TRUCKS, "queue": queue}
        return Topology(tuple(swap.get(place.id, place) for place in made.places), made.links)


def _queue(scenario: Trucks) -> str:
    return "positions.fifo" if scenario.queue_type == "fifo" else "positions"


class _TrucksScene(QueueScene):
    def __init__(self, cloud: Cloud, scenario: Trucks) -> None:
        fifo = {"FifoQueue": "true"} if scenario.queue_type == "fifo" else {}
        timeout = scenario.visibility_timeout
        super().__init__(cloud, scenario, _queue(scenario), VisibilityTimeout=timeout, **fifo)
        self.values |= {"wait_time": 20, "pause": 1.0}
        rate = lambda now: (scenario.trucks / self.values["every"], math.inf)  # noqa: E731
        self.start(rate, True, self.consumer(), scenario.consumers)

    def handle(self, number: int) -> None:
        """The trucks take turns, so that each sends at its own moment of the interval."""
        turn, truck = divmod(number - 1, self.values["trucks"])
        self._send(truck, [str(turn + 1)])

    def handle_burst(self, keys: list[str], row: int) -> None:
        """The trucks have come out of a tunnel: each sends what it has kept, one position after the other."""
        trucks = self.values["trucks"]
        for truck in range(min(trucks, len(keys))):
            self._send(truck, keys[truck::trucks])

    def _send(self, truck: int, positions: list[str]) -> None:
        name = f"truck-{truck + 1}"
        self.cloud.spawn(self._drive, name, [f"{name}:{key}" for key in positions], name=name)

    def _drive(self, truck: str, bodies: list[str]) -> None:
        for body in bodies:
            insist(
                self.cloud.kernel, self.sqs.send_message, QueueUrl=self.url, MessageBody=body, **self._fifo(truck, body)
            )

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

    def changed(self, name: str) -> None:
        super().changed(name)
        if name == "every":
            self.arrivals.changed.fire()


def jumps_back(run: Run) -> list[Row]:
    """The positions that reached the map after a newer one of the same truck: their rows WorkEnded, in order.

    Newer means: the queue took it later. A position that is drawn twice is a jump only when a newer one came between.
    """
    trace = run.trace
    sent = {row.subject: row for row in trace.where("Sent")}
    newest: dict[str, int] = {}
    back: list[Row] = []
    for row in trace.where("WorkEnded"):
        origin = sent[row.subject]
        if origin.index < newest.get(origin.actor, -1):
            back.append(row)
        newest[origin.actor] = max(origin.index, newest.get(origin.actor, -1))
    return back


def at_work(run: Run) -> int:
    """The greatest number of consumers that worked at the same time."""
    busy: set[str] = set()
    most = 0
    for row in run.trace.where(("WorkStarted", "WorkEnded", "Crashed")):
        (busy.add if row.kind == "WorkStarted" else busy.discard)(row.actor)
        most = max(most, len(busy))
    return most


SCENARIOS: dict[str, type[Scenario]] = {"Trucks": Trucks}
