"""Scenes that several scenarios share: a front end, a queue, and a fleet of consumers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lablib.actors import producers
from lablib.actors.arrivals import Arrivals, Intensity, random_gaps, steady_gaps
from lablib.actors.consumers import Consumer, Work
from lablib.actors.fleet import Fleet, Worker
from lablib.aws.service import Call
from lablib.cloud import Cloud
from lablib.kernel import Process, lognormal
from lablib.scenarios.param import Param, ParamSpec
from lablib.scenarios.scenario import Action, ActionSpec, Place, Scenario, Scene, Topology
from lablib.services import quota

SERVERS = int(quota("sqs.servers").course)
FRONT_END = Place("front-end", "Front end", "producer", "front-end*")
DONE = Place("done", "Done", "done", "")
LOST = Place("lost", "Lost", "lost", "")


# ---- parameters that several scenarios have ------------------------------------------------------------------------

SPREAD = Param(
    2.0, low=1.0, high=10.0, step=0.5, unit="times", label="spread of the work time",
    help="One message in 20 takes more than this many times the work time. 1: all take the same.",
)  # fmt: skip
BATCH_SIZE = Param(
    1, low=1, high=10, step=1, unit="messages", label="batch size", live=True,
    aws="MaxNumberOfMessages", quota="sqs.batch_entries",
    help="How many messages a consumer asks for in one receive.",
)  # fmt: skip
WAIT_TIME = Param(
    20, low=0, high=20, step=1, unit="s", label="wait time", live=True,
    aws="WaitTimeSeconds", quota="sqs.wait_max",
    help="How long a receive waits for a message. 0: short polling.",
)  # fmt: skip
VISIBILITY_TIMEOUT = Param(
    30, low=0, high=600, step=1, unit="s", label="visibility timeout", live=True,
    aws="VisibilityTimeout", quota="sqs.visibility_max",
    help="How long a received message stays hidden from other consumers. AWS allows up to 43,200 s, which is 12 hours.",
)  # fmt: skip
OUTAGES = Param(
    0.5, low=0.0, high=360.0, step=0.5, unit="per hour", label="server outages", quota="sqs.outages_per_hour",
    help="How often each of the queue's servers is away for a short time. An assumption: AWS gives no number.",
)  # fmt: skip


def queue_topology(queue: str, consumers: Place, dead: str = "") -> Topology:
    """A front end, a queue, its consumers; and, when it has that name, a dead-letter queue."""
    middle = Place("queue", f"Queue {queue}", "queue", queue, SERVERS)
    grave = (Place("dead", "Dead-letter queue", "dead-letter", dead),) if dead else ()
    links = (
        ("front-end", "queue"),
        ("queue", consumers.id),
        (consumers.id, "queue"),
        (consumers.id, "done"),
        *((("queue", "dead"),) if dead else ()),
        ("queue", "lost"),
    )
    return Topology((FRONT_END, middle, consumers, *grave, DONE, LOST), links)


def directly(cloud: Cloud, service: str, operation: str, **params: Any) -> dict[str, Any]:
    """Ask a service itself, past the front door: setting the scene takes no time, and is no call of the scenario."""
    call = Call("you", -1, cloud.chance.stream("scene"))
    answer: dict[str, Any] = getattr(cloud.service(service), operation)(call, **params)
    return answer


class FleetScene(Scene):
    """Arrivals, and a fleet of workers that serve them: what all scenes with consumers have in common.

    A subclass sets `fleet` and `arrivals`, and writes `handle`, which passes on one thing that has arrived.
    """

    fleet: Fleet
    arrivals: Arrivals

    def __init__(self, cloud: Cloud, scenario: Scenario) -> None:
        super().__init__(cloud, scenario)
        self._bursts = 0

    def start(self, intensity: Intensity, steady: bool, serve: Callable[[Worker], None], consumers: int) -> None:
        """Start the fleet, then the arrivals."""
        kernel, trace = self.cloud.kernel, self.cloud.trace
        self.fleet = Fleet(kernel, trace, "consumer", serve, lambda: self.values["restart"])
        self.fleet.resize(consumers)
        gaps = steady_gaps() if steady else random_gaps(self.cloud.chance.stream("arrivals"))
        self.arrivals = Arrivals(kernel, gaps, intensity)
        self.cloud.spawn(producers.front_end, self.arrivals, self.handle, name="arrivals")

    def handle(self, number: int) -> None:
        """The `number`-th thing has arrived. Must not block."""
        raise NotImplementedError

    def handle_burst(self, keys: list[str], row: int) -> None:
        """These have arrived at once. Must not block."""
        raise NotImplementedError

    def work_seconds(self, key: str) -> float:
        """How long the work on `key` takes: it depends on the seed, the key and the parameters only."""
        return lognormal(self.values["work"], self.values["work"] * self.values["spread"]).at(
            self.cloud.chance.keyed("work", key)
        )

    def do_crash(self, action: Action) -> None:
        self.fleet.crash(action.target)

    def do_freeze(self, action: Action) -> None:
        self.fleet.freeze(action.target, float(action.value or 0))

    def do_burst(self, action: Action) -> None:
        self._bursts += 1
        count = int(action.value or 0)
        row = self.cloud.trace.add("Burst", "front-end", actor="front-end", detail=count)
        self.handle_burst([f"burst-{self._bursts}.{n + 1}" for n in range(count)], row)

    def changed(self, name: str) -> None:
        if name == "consumers":
            self.fleet.resize(self.values["consumers"])
        elif name == "rate":
            self.arrivals.changed.fire()


class QueueScene(FleetScene):
    """A front end that sends to a queue, and consumers that poll it."""

    noun = "video"  # a message's body is this and a number

    def __init__(self, cloud: Cloud, scenario: Scenario, queue: str, **attributes: float | str) -> None:
        super().__init__(cloud, scenario)
        self.queue = queue
        self.sqs = cloud.direct("sqs")
        self.visitors = producers.Hands(cloud.kernel, "front-end")
        self.url = self._directly("create_queue", queue_name=queue, attributes=_texts(attributes))["QueueUrl"]

    def _directly(self, operation: str, **params: Any) -> dict[str, Any]:
        return directly(self.cloud, "sqs", operation, **params)

    def consumer(self, work: Work | None = None, until_empty: bool = False) -> Consumer:
        """The program of a consumer of this queue."""
        cloud = self.cloud
        return Consumer(cloud.kernel, cloud.trace, self.sqs, self.url, self.values, work or self.work, until_empty)

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
        if worker in self.fleet.workers and worker.process is process:  # it may have been taken out of the fleet
            self.fleet.crash(worker.name)

    def handle(self, number: int) -> None:
        body = f"{self.noun}-{number}"
        self.visitors.do(lambda: producers.send(self.cloud.kernel, self.sqs, self.url, body))

    def handle_burst(self, keys: list[str], row: int) -> None:
        self.cloud.spawn(producers.send_all, self.cloud.kernel, self.sqs, self.url, keys, name="front-end-burst")

    def do_server_down(self, action: Action) -> None:
        server = int(action.target.removeprefix("server-"))
        self.cloud.service("sqs").queue(self.queue).make_unavailable(server, float(action.value or 0))

    def changed(self, name: str) -> None:
        super().changed(name)
        if name == "visibility_timeout":
            self._directly(
                "set_queue_attributes", queue_url=self.url, attributes=_texts({"VisibilityTimeout": self.values[name]})
            )


def _texts(attributes: Mapping[str, float | str]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else str(int(value)) for name, value in attributes.items()}


class FleetScenario(Scenario):
    """A scenario with consumers: `consumers` is one of its parameters."""

    consumers: int

    def actions(self) -> tuple[ActionSpec, ...]:
        names = tuple(f"consumer-{n}" for n in range(1, self.consumers + 1))
        return (*fleet_actions(names), *super().actions())

    def check_target(self, spec: ActionSpec, action: Action) -> None:
        """Consumers may come during the run: any that could exist is allowed here, and the run looks again."""
        most = int(self.params()["consumers"].high or 0)
        possible = [f"consumer-{n}" for n in range(1, most + 1)]
        if spec.kind not in ("crash", "freeze") or action.target not in possible:
            super().check_target(spec, action)


def fleet_actions(names: tuple[str, ...]) -> tuple[ActionSpec, ...]:
    """What can be done to consumers of these names, and to the front end."""
    freeze = ParamSpec(30.0, 0.1, 86_400.0, unit="s", label="for", name="value")
    many = ParamSpec(100, 1, 1000, unit="messages", label="messages", name="value")
    return (
        ActionSpec("crash", "Crash a consumer", names, None, "It dies at once. What it has in hand stays undone."),
        ActionSpec(
            "freeze",
            "Freeze a consumer",
            names,
            freeze,
            "It does nothing for a while, then goes on as if nothing had been.",
        ),
        ActionSpec("burst", "Send a burst", (), many, "Many arrive at once."),
    )


def server_down() -> ActionSpec:
    """The action that makes a server of the queue unavailable."""
    away = ParamSpec(30.0, 0.1, 86_400.0, unit="s", label="for", name="value")
    names = tuple(f"server-{n}" for n in range(1, SERVERS + 1))
    text = "One of the queue's servers is away for a while. A copy that is deleted meanwhile comes back with it."
    return ActionSpec("server_down", "Make a queue server unavailable", names, away, text)
