"""The stage of a scenario: one call makes a resource or a program *and* its place and links in the picture.

A stage lasts as long as its run. Derive from it, make what the scenario needs in `__init__`, and write a method with
`@action` for each thing that can be done to it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from lablib.actors import EVENTS, producers
from lablib.actors.arrivals import Arrivals, Intensity, random_gaps, steady_gaps
from lablib.actors.consumers import Consumer, Work
from lablib.actors.fleet import Fleet, Worker
from lablib.aws.event import Event
from lablib.aws.permissions import let_in
from lablib.aws.service import Request
from lablib.cloud import Cloud
from lablib.kernel import Row, lognormal
from lablib.scenarios.actions import Action, ActionSpec, Declared, Targets, action
from lablib.scenarios.param import ParamSpec, Value, duration_of, one_of, whole
from lablib.scenarios.topology import ROLES, Actor, Link, Place, Topology
from lablib.services import quota

if TYPE_CHECKING:
    from lablib.scenarios.scenario import Scenario

_30_S = duration_of(30.0)
_MANY = whole(100, 1, 1000, "messages", label="messages", name="value", step=None)
SERVERS = int(quota("sqs.servers").course)


def _parameter_set(params: Mapping[str, ParamSpec]) -> Event:
    def sentence(row: Row) -> str:
        return f"From now on: {params[row.detail['name']].said(row.detail['value'])}."

    words = "{detail[name]} was set to {detail[value]}"
    return Event("ParameterSet", words, label="change", notable=sentence)


@dataclass(frozen=True)
class Resource:
    """Something that a stage has made in AWS, or that AWS calls: the id of its place, and its ARN or its address."""

    place: str
    name: str
    arn: str
    url: str = ""


def always(rate: Callable[[], float]) -> Intensity:
    """The same intensity at all times, until it is changed."""
    return lambda now: (rate(), math.inf)


class Stage:
    """The resources, programs and places of a run. `values` are the parameters of the scenario, of which those that are
    live may change; `defaults` are values that its programs ask for and that are no parameters.
    """

    defaults: ClassVar[Mapping[str, Value]] = {
        "batch_size": 1, "wait_time": 20, "pause": 1.0, "restart": 20.0, "work": 1.0, "spread": 1.0,
    }  # fmt: skip
    events: ClassVar[tuple[Event, ...]] = ()  # what the rows mean that only this stage writes
    worker: ClassVar[str] = "consumer"  # what one of its fleets is called in words
    layout: ClassVar[str] = ""  # the name of a layout of its own, for the picture

    def __init__(self, cloud: Cloud, scenario: Scenario | None = None) -> None:
        cloud.trace.declare((*EVENTS, *self.events))
        self.cloud = cloud
        self.params: dict[str, ParamSpec] = scenario.params() if scenario else {}
        cloud.trace.declare([_parameter_set(self.params)])
        self.values: dict[str, Any] = {**self.defaults, **(scenario.values() if scenario else {})}
        self.fleets: dict[str, Fleet] = {}
        self.arrivals: Arrivals | None = None
        self._places: dict[str, Place] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._homes: dict[str, str] = {}  # the name of a fleet -> its place
        self._bursts = 0

    # ---- the picture -------------------------------------------------------------------------------------------------

    def place(self, id: str, label: str, role: str, match: str = "", **more: Any) -> str:
        """Add a place, from now on; its id. `more`: the hints of a Place. One that is there stays. Raises ValueError
        for an unknown role.
        """
        if role not in ROLES:
            raise ValueError(f"role={role!r}: must be {one_of(ROLES)}")
        if id not in self._places:
            self._places[id] = Place(id, label, role, match, t_from=self.cloud.now, **more)
        return id

    def link(self, source: str, *targets: str, **more: Any) -> None:
        """Add a link from a place to each of these, from now on. "done" and "lost" come into being when something leads
        there. `more`: what a Link has; `t_from=math.inf`: one that may come later, for which the picture keeps room.
        Raises KeyError for a place that does not exist.
        """
        now = self.cloud.now
        for target in targets:
            if target in ("done", "lost"):
                self.place(target, target.capitalize(), target)
            ends = self._places[source].id, self._places[target].id
            if ends not in self._links or self._links[ends].t_from > now:
                self._links[ends] = Link(*ends, **{"t_from": now} | more)

    def unlink(self, source: str, target: str) -> None:
        """A link ends now; nothing if there is none, or it has ended."""
        ends, now = (source, target), self.cloud.now
        if ends in self._links and self._links[ends].t_to > now:
            self._links[ends] = replace(self._links[ends], t_to=now)

    def end(self, id: str) -> None:
        """A place ends now, and its links with it."""
        self._places[id] = replace(self._places[id], t_to=self.cloud.now)
        for ends in self._links:
            if id in ends:
                self.unlink(*ends)

    def topology(self) -> Topology:
        """The places, links and actors so far."""
        places = sorted(self._places.values(), key=lambda place: ROLES[place.role].order)
        actors = (
            Actor(worker.name, self._homes[name], *span)
            for name, fleet in self.fleets.items()
            for worker in fleet.known
            for span in worker.spans
        )
        return Topology(tuple(places), tuple(self._links.values()), tuple(actors), self.layout)

    # ---- resources ---------------------------------------------------------------------------------------------------

    def ask(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Ask a service itself, past the front door: it takes no time, and is no call of the scenario."""
        call = Request("you", -1, self.cloud.chance.stream("scene"))
        answer: dict[str, Any] = self.cloud.service(service).operation(operation)(call, **params)
        return answer

    def queue(
        self, name: str, id: str = "", label: str = "", role: str = "queue", parts: int = 0, **attributes: Any
    ) -> Resource:
        """Make a queue. `attributes`: AWS's, such as VisibilityTimeout=30. `parts`: how many servers to show."""
        texts = {key: str(int(value) if isinstance(value, float) else value) for key, value in attributes.items()}
        url = self.ask("sqs", "create_queue", queue_name=name, attributes=texts)["QueueUrl"]
        place = self.place(id or name, label or f"Queue {name}", role, name, parts=parts)
        return Resource(place, name, self.cloud.service("sqs").arn(name), url)

    def set_queue(self, queue: Resource, **attributes: object) -> None:
        """Set attributes of a queue. A document is written as JSON."""
        texts = {key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in attributes.items()}
        self.ask("sqs", "set_queue_attributes", queue_url=queue.url, attributes=texts)

    def redrive(self, queue: Resource, dead: Resource, receives: int) -> None:
        """Messages that were received so many times move from `queue` to `dead`."""
        self.set_queue(queue, RedrivePolicy={"deadLetterTargetArn": dead.arn, "maxReceiveCount": receives})
        self.link(queue.place, dead.place)

    def topic(self, name: str, id: str = "", label: str = "", to: Iterable[Resource] = ()) -> Resource:
        """Make a topic, to which the queues `to` subscribe."""
        arn = self.ask("sns", "create_topic", name=name)["TopicArn"]
        place = self.place(id or name, label or f"Topic {name}", "topic", f"{name} sns/{name}")
        topic = Resource(place, name, arn)
        for queue in to:
            self.let_send(topic, queue)
            self.subscribe(topic, queue)
        return topic

    def let_send(self, topic: Resource, queue: Resource, allowed: bool = True) -> None:
        """Give a queue the policy that lets the topic send to it, or take its policy away."""
        policy = let_in("sns.amazonaws.com", "sqs:SendMessage", queue.arn, topic.arn)
        self.set_queue(queue, Policy=policy if allowed else "")

    def subscribe(self, topic: Resource, to: Resource, **attributes: object) -> None:
        """Subscribe a queue or a web server to a topic: what arrives is the message itself. `attributes`: AWS's, such
        as FilterPolicy={...}. A web server confirms at once. The link between them begins now.
        """
        wanted = {"RawMessageDelivery": "true"}
        wanted |= {
            key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in attributes.items()
        }
        protocol, _, _ = to.url.partition(":") if not to.arn else ("sqs", "", "")
        params = {"topic_arn": topic.arn, "protocol": protocol, "endpoint": to.arn or to.url, "attributes": wanted}
        made = self.ask("sns", "subscribe", return_subscription_arn=True, **params)
        if not to.arn:
            own = self.cloud.service("sns").topic(topic.name).subscriptions[made["SubscriptionArn"]]
            self.ask("sns", "confirm_subscription", topic_arn=topic.arn, token=own.token)
        self.link(topic.place, to.place)

    def web(self, url: str, label: str, id: str = "web") -> Resource:
        """A web server outside AWS that takes messages at this address."""
        return Resource(self.place(id, label, "endpoint", url), url, "", url)

    # ---- programs ----------------------------------------------------------------------------------------------------

    def fleet(
        self,
        name: str,
        label: str,
        serve: Callable[[Worker], None],
        *,
        on: str,
        size: int | None = None,
        id: str = "",
        gives_back: bool = True,
    ) -> Fleet:
        """Start workers `<name>-1`, `<name>-2`, ..., which run `serve` and take from the place `on`; a parameter
        `consumers` says how many, unless `size` does. `gives_back`: what they do not finish returns there.
        """
        kernel, trace = self.cloud.kernel, self.cloud.trace
        made = self.fleets[name] = Fleet(kernel, trace, name, serve, lambda: float(self.values["restart"]))
        made.resize(self.values["consumers"] if size is None else size)
        place = self._homes[name] = self.place(id or f"{name}s", label, "consumer", f"{name}-*")
        self.link(on, place)
        self.link(place, *((on,) if gives_back else ()), "done")
        return made

    def consumer(
        self, queue: Resource, work: Work, until_empty: bool = False, kind: type[Consumer] = Consumer
    ) -> Consumer:
        """The program of a consumer: for `fleet`."""
        sqs = self.cloud.direct("sqs")
        return kind(self.cloud.kernel, self.cloud.trace, sqs, queue.url, self.values, work, until_empty)

    def front_end(
        self,
        handle: Callable[[int], None],
        intensity: Intensity,
        *,
        to: Iterable[str],
        steady: bool = False,
        id: str = "front-end",
        label: str = "Front end",
        match: str = "front-end*",
    ) -> None:
        """Let things arrive: `handle(n)` passes on the n-th, and must not block. They go to the places `to`."""
        gaps = steady_gaps() if steady else random_gaps(self.cloud.chance.stream("arrivals"))
        self.arrivals = Arrivals(self.cloud.kernel, gaps, intensity)
        self.cloud.spawn(producers.front_end, self.arrivals, handle, name="arrivals")
        self.link(self.place(id, label, "producer", match), *to)

    def handle_burst(self, keys: list[str]) -> None:
        """These have arrived at once. Must not block. A stage with a front end writes it."""
        raise NotImplementedError

    def work_seconds(self, key: str) -> float:
        """How long the work on `key` takes: it depends on the seed, the key and the parameters only."""
        median = self.values["work"]
        return lognormal(median, median * self.values["spread"]).at(self.cloud.chance.keyed("work", key))

    # ---- what can be done to it --------------------------------------------------------------------------------------

    @classmethod
    def _declared(cls) -> dict[str, Declared]:
        own = (vars(kind).items() for kind in reversed(cls.__mro__))
        return {name: value.action for items in own for name, value in items if hasattr(value, "action")}

    def actions(self) -> tuple[ActionSpec, ...]:
        """What can be done to it."""
        specs = (declared.spec(kind, self) for kind, declared in self._declared().items())
        return tuple(spec for spec in specs if spec)

    def act(self, action: Action) -> None:
        """Do it, now."""
        target = (action.target,) if action.target else ()
        value = () if action.value is None else (action.value,)
        getattr(self, action.kind)(*target, *value)

    def workers(self) -> list[str]:
        """The names of the workers that are wanted now."""
        return [worker.name for fleet in self.fleets.values() for worker in fleet.workers]

    def possible_workers(self) -> list[str]:
        """The names of all workers that there could be: the parameter `consumers` at its highest."""
        most = int(self.params["consumers"].high or 0) if "consumers" in self.params else 0
        return [f"{name}-{n}" for name in self.fleets for n in range(1, most + 1)]

    def live_params(self) -> list[str]:
        """The names of the parameters that can change during a run."""
        return [name for name, spec in self.params.items() if spec.live]

    def _fleet_of(self, worker: str) -> Fleet:
        return self.fleets[worker.rpartition("-")[0]]

    WORKERS: ClassVar = Targets(workers, possible_workers)

    @action("Crash a {worker}", "It dies at once. What it has in hand stays undone.", targets=WORKERS)
    def crash(self, worker: str) -> None:
        """End a worker where it stands."""
        self._fleet_of(worker).crash(worker)

    @action(
        "Freeze a {worker}", "It stops for a while, then goes on as if nothing had happened.", _30_S, targets=WORKERS
    )
    def freeze(self, worker: str, seconds: float) -> None:
        """Stop a worker's progress for `seconds`."""
        self._fleet_of(worker).freeze(worker, seconds)

    @action("Send a burst", "Many arrive at once.", _MANY, when=lambda stage: stage.arrivals)
    def burst(self, count: int) -> None:
        """Let `count` things arrive at once."""
        self._bursts += 1
        self.cloud.trace.add("Burst", "front-end", actor="front-end", detail=count)
        self.handle_burst([f"burst-{self._bursts}.{n + 1}" for n in range(count)])

    @action("Change a parameter", "Change a parameter from now on.", targets=Targets(live_params))
    def set(self, name: str, value: Value) -> None:
        """Change a live parameter from now on."""
        self.values[name] = value
        self.cloud.trace.add("ParameterSet", detail={"name": name, "value": value})
        self.on_set(name)

    def on_set(self, name: str) -> None:
        """A live parameter has another value now. Wake here what waits and would not look at it before long."""
        if name == "consumers":
            for fleet in self.fleets.values():
                fleet.resize(self.values[name])
        elif name in ("rate", "every") and self.arrivals:
            self.arrivals.changed.fire()
