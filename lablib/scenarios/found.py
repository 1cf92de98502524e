"""The topology of a trace that no stage has made: of a cloud of the learner's own, or of a case that an exercise tried.

Everything is read from what the rows mean (`lablib.aws.event`). A row `<Thing>Created` makes a place with that role;
programs are those that begin messages, and those that have them in hand. Programs whose names differ in their number
only share a place.
"""

from __future__ import annotations

import re

from lablib.aws.event import KEPT, PASSING, RETRYING
from lablib.kernel import Row, Trace
from lablib.scenarios.topology import ROLES, Link, Place, Topology

_STATES = {PASSING: "topic", RETRYING: "topic", KEPT: "bucket"}  # of a place whose making is not in the trace
_SERVICES = {"topic": "sns", "bucket": "s3", "function": "lambda"}  # who acts for it: "sns/orders"
_ROLES = {service: role for role, service in _SERVICES.items()}


def topology_of(trace: Trace) -> Topology:
    """The places between which the messages of a trace moved, in the order of flow."""
    return _Search(trace).topology()


class _Search:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.places: dict[str, Place] = {}
        self.links: dict[tuple[str, str], Link] = {}
        self.at: dict[str, str] = {}  # subject -> the place where it was last
        self.resources: dict[str, str] = {}  # name -> its role, for those that were made
        for row in trace:
            thing = row.kind.removesuffix("Created").lower()
            if not row.subject and thing in ROLES and thing != row.kind.lower():
                self.resources[row.resource] = thing
        for actor in {row.actor for row in trace}:
            service, _, name = actor.partition("/")
            if service in _ROLES and name:
                self.resources[name] = _ROLES[service]
        for row in trace:
            if row.subject and row.kind in trace.events:
                self._follow(row)
        if not self.places:
            self._callers()
        for name, role in self.resources.items():
            if role == "queue":  # also one that got nothing: a verdict may be about it
                self._resource(name, "", False)
        topics = {name for name, role in self.resources.items() if role == "topic" and name in self.places}
        for row in trace:
            if row.resource in topics and not row.subject and isinstance(row.detail, str) and row.detail in self.places:
                # it subscribed to the topic, and maybe nothing came
                self.links.setdefault((row.resource, row.detail), Link(row.resource, row.detail))

    def _callers(self) -> None:
        """Where nothing was stored: what was made, and the programs that called it."""
        for name in self.resources:
            self._resource(name, "", False)
        for row in self.trace:
            if self.trace.is_api(row.index) and row.actor not in ("", "you") and row.resource in self.resources:
                link = Link(self._program(row.actor, "producer"), row.resource)
                self.links.setdefault((link.source, link.target), link)

    def _follow(self, row: Row) -> None:
        """One row about a message: where it lies now, or who has it."""
        event = self.trace.events[row.kind]
        here = str(row.detail) if event.at == "detail" else row.resource
        if row.subject not in self.at and event.ends == "delivered":
            return  # a request to confirm a subscription: it is no message
        if row.subject not in self.at:
            self.at[row.subject] = self._source(row, here if event.origin == "resource" else "")
        if event.state and event.holder != "gets":
            self._move(row.subject, self._resource(here, event.state, event.at == "detail"))
        elif event.caller == "asks":
            self._move(row.subject, self._add(here, here, "direct", here))
        if event.holder in ("gets", "works", "reads"):
            self._move(row.subject, self._program(row.actor, "consumer"))
        elif event.ends == "delivered" and row.actor not in self.resources:
            self._move(row.subject, self._add(row.actor, row.actor, "endpoint", row.actor))
        elif event.ends == "delivered" and self.resources[row.actor] == "function":
            self._move(row.subject, self._resource(row.actor, PASSING, False))
        if event.ends == "deleted" or event.caller == "answered":
            self._move(row.subject, self._add("done", "Done", "done", ""))
        elif event.ends == "dead letter":
            self._move(row.subject, self._resource(str(row.detail), "", True))
        elif event.lost:
            self._move(row.subject, self._add("lost", "Lost", "lost", ""))

    def _source(self, row: Row, resource: str) -> str:
        """Where a message began: at the resource that hands it on, else with the program that sent it."""
        resource = resource or self._acts_for(row.actor)
        return self._resource(resource, PASSING, False) if resource else self._program(row.actor, "producer")

    def _acts_for(self, actor: str) -> str:
        """The topic, bucket or function that is meant by an actor such as "sns/orders"; "" for a program."""
        service, _, name = actor.partition("/")
        return name if _SERVICES.get(self.resources.get(name, "")) == service else ""

    def _resource(self, name: str, state: str, dead: bool) -> str:
        role = "dead-letter" if dead else self.resources.get(name) or _STATES.get(state, "queue")
        known = self.places.get(name)
        if known and dead:
            self.places[name] = Place(name, known.label, role, known.match)
        match = f"{name} {_SERVICES[role]}/{name}" if role in _SERVICES else name
        return self._add(name, f"{role.capitalize()} {name}", role, match)

    def _program(self, name: str, role: str) -> str:
        if resource := self._acts_for(name):
            return self._resource(resource, PASSING, False)
        base = re.sub(r"(-|/\D*)\d+$", "", name)
        id = f"{base} (program)"
        known = self.places.get(id)
        if known and known.role == "producer" and role == "consumer":
            self.places[id] = Place(id, known.label, role, known.match)
        return self._add(id, base, role, base if base == name else f"{base} {base}-* {base}/*")

    def _add(self, id: str, label: str, role: str, match: str) -> str:
        known = self.places.get(id)
        if known is None or len(match) > len(known.match):
            self.places[id] = Place(id, label, known.role if known else role, match)
        return id

    def _move(self, subject: str, place: str) -> None:
        before, self.at[subject] = self.at[subject], place
        if before not in (place, "done", "lost"):  # what comes back from there was never away
            self.links.setdefault((before, place), Link(before, place))

    def topology(self) -> Topology:
        places = sorted(self.places.values(), key=lambda place: ROLES[place.role].order)
        return Topology(tuple(places), tuple(self.links.values()))
