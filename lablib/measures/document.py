"""A run as the animation needs it: tokens, places, actors, messages, counters and events, as plain data.

`describe(run)` makes a dictionary of JSON-able values and columns: `array` of doubles (type "d", nan for nothing) or of
integers (type "i", -1 for nothing). All columns of one table have the same length. Times are virtual seconds.

| table | columns |
| --- | --- |
| `tokens` | `message` (an index into `messages`; people see it plus one), `delivery` (how often it was received, with \
this), `state` (index into `states`), `place` (index into `places`), `holder` (index into `actors`; -1: in no hand), \
`left` (when it left where it came from; nan: it was here), `t0`, `t1` (from, to; nan: to the end), `work_from`, \
`work_until` (nan: cut off), `work_end` (when it would have ended), `visible_until`, `orphan_from` (hidden, and nobody \
works on it from then on), `ended` (index into `reasons`; -1 at the end), `row` (of the trace) |
| `messages` | `born`, `gone` (nan: still there), `from` (place), `to` (the place that a delivery is for, -1: no \
delivery), `group` (index into `groups`), `parent` (message that it was made of) |
| `parts` | `t`, `place`, `part`, `up` (1, 0): servers of a queue that go away and come back |
| `refusals` | `t`, `place`: the place had no room, and refused |

Lists of dictionaries or tuples: `states` (`id`, `words`), `reasons` (texts), `places`, `pipes` (`from` and `to` are
indices into `places`) as in `lablib.scenarios.topology` (null: never ends; `side` is the role's), `actors` (`name`,
`place`, `spans`: [from, to or null, "up" | "down" | "frozen" | "blocked", why]), `groups` (names), `counters` (name ->
`t`, `y`: a step series), `events` (`t`, `last` of its series, `kind`, `text`, `place`, `actor`, `message`, `big`: worth
slowing down for, `row`), `brief` (kind of a row -> words for the page, with {actor} and {message}), `actions`.
"""

from __future__ import annotations

from array import array
from dataclasses import asdict
from fnmatch import fnmatchcase
from math import inf, nan
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from lablib.aws.event import HELD, LOST, READING, STATES
from lablib.measures.series import totals
from lablib.measures.tokens import Tokens
from lablib.scenarios.topology import ROLES

if TYPE_CHECKING:
    from lablib.scenarios import Run

Steps = dict[str, "array[float]"]
_TIMES = {"left": "left", "t0": "start", "t1": "end"} | {
    name: name for name in ("work_from", "work_until", "work_end", "visible_until", "orphan_from")
}


def describe(run: Run, counters: bool = True) -> dict[str, Any]:
    """The run as plain data; see the top of this file. Without `counters` it takes half the time."""
    made = _Document(run, run.tokens)
    return made.make() | ({"counters": made.counters()} if counters else {})


class _Document:
    def __init__(self, run: Run, found: Tokens) -> None:
        self.run = run
        self.trace = run.trace
        self.found = found
        self.places = run.topology.places
        self.exact: dict[str, int] = {}
        self.patterns: list[tuple[str, int]] = []
        for i, place in enumerate(self.places):
            for pattern in place.match.split():
                if "*" in pattern:
                    self.patterns.append((pattern, i))
                else:
                    self.exact.setdefault(pattern, i)
        self.roles = {place.role: i for i, place in reversed(list(enumerate(self.places)))}
        self.place_of: dict[int, int] = {0: -1}
        self.presence: dict[int, list[tuple[float, float]]] = {}
        silent: dict[str, int] = {}  # who is there and is in no row: a worker for whom there is no shard
        for actor in run.topology.actors:
            code = found.code(actor.name)
            code = code if code >= 0 else silent.setdefault(actor.name, -2 - len(silent))
            self.presence.setdefault(code, []).append((actor.t_from, actor.t_to))
        self.names = {code: name for name, code in silent.items()}
        hands = (
            {token.holder for token in found.tokens if token.state in (HELD, READING)}
            | found.pollers
            | self.presence.keys()
            | {actor for actor, turns in found.turns.items() if any(state == "blocked" for _, state, _ in turns)}
        )
        self.actors = sorted(hands, key=lambda a: (self.place(a), len(self.name(a)), self.name(a)))
        self.actor_of = {actor: i for i, actor in enumerate(self.actors)}

    def name(self, code: int) -> str:
        """The name of an actor or resource."""
        return self.names[code] if code < 0 else self.found.name(code)

    def place(self, name: int) -> int:
        """The index of the place that this resource or actor is; -1 for none. An exact name goes before a pattern."""
        found = self.place_of.get(name)
        if found is None:
            text = self.name(name)
            wild = (i for pattern, i in self.patterns if fnmatchcase(text, pattern))
            found = self.place_of[name] = self.exact[text] if text in self.exact else next(wild, -1)
        return found

    def make(self) -> dict[str, Any]:
        """The document."""
        run, found, number = self.run, self.found, {place.id: i for i, place in enumerate(self.places)}
        parts = found.parts
        return {
            "title": run.title,
            "scenario": type(run.scenario).__name__,
            "seed": run.seed,
            "values": run.scenario.values(),
            "duration": float(run.until),
            "layout": run.topology.layout,
            "places": [
                {**asdict(p), "side": ROLES[p.role].side, "t_from": _never(p.t_from), "t_to": _never(p.t_to)}
                for p in self.places
            ],
            "pipes": [
                {
                    "from": number[link.source],
                    "to": number[link.target],
                    "capacity": link.capacity,
                    "unit": link.unit,
                    "t_from": _never(link.t_from),
                    "t_to": _never(link.t_to),
                }
                for link in run.topology.links
            ],
            "actors": [{"name": self.name(a), "place": self.place(a), "spans": self.spans(a)} for a in self.actors],
            "states": [{"id": id, "words": words} for id, words in STATES.items()],
            **self.tokens(),
            **self.messages(),
            "parts": {
                "t": array("d", [t for t, *_ in parts]),
                "place": array("i", [self.place(resource) for _, resource, _, _ in parts]),
                "part": array("i", [part for _, _, part, _ in parts]),
                "up": array("i", [up for *_, up in parts]),
            },
            "refusals": self.refusals(),
            "events": self.events(),
            "brief": {kind: e.brief for kind, e in self.trace.events.items() if e.brief},
            "actions": [{"kind": a.kind, "at": a.at, "target": a.target, "value": a.value} for a in run.actions],
        }

    def spans(self, actor: int) -> list[tuple[float | str | None, ...]]:
        """When an actor was there, how it was then, and why it was blocked."""
        actors = self.trace.column("actor")
        there = self.presence.get(actor) or [(self.trace.column("time")[actors.index(actor)], inf)]
        spans: list[tuple[float | str | None, ...]] = []
        for begin, end in there:
            state: tuple[str, ...] = ("up",)
            for time, *turned in self.found.turns.get(actor, ()):
                if begin <= time < end:
                    if time > begin:
                        spans.append((begin, time, *state))
                    begin, state = time, tuple(filter(None, turned))
            spans.append((begin, _never(end), *state))
        return spans

    def tokens(self) -> dict[str, Any]:
        found, tokens = self.found, self.found.tokens
        states, lost = {state: i for i, state in enumerate(STATES)}, self.roles.get("lost", -1)

        def column(name: str) -> list[Any]:
            return list(map(attrgetter(name), tokens))

        ends, state, holder, resource = (column(name) for name in ("because", "state", "holder", "resource"))
        reasons = {reason: i for i, reason in enumerate(dict.fromkeys(["", *ends]), -1)}
        hands = {hand: self.actor_of.get(hand, -1) for hand in set(holder)}
        at = {name: self.place(name) for name in {*hands, *resource}}
        where = zip(state, holder, resource)
        columns = {
            "message": array("i", map(found.subjects.__getitem__, column("subject"))),
            "delivery": array("i", column("delivery")),
            "state": array("i", map(states.__getitem__, state)),
            "place": array("i", [lost if state == LOST else at[hand or there] for state, hand, there in where]),
            "holder": array("i", map(hands.__getitem__, holder)),
            "row": array("i", column("row")),
            "ended": array("i", map(reasons.__getitem__, ends)),
        }
        floats = {name: array("d", [nan if x is None else x for x in column(of)]) for name, of in _TIMES.items()}
        return {"tokens": {**columns, **floats}, "reasons": [reason for reason in reasons if reason]}

    def messages(self) -> dict[str, Any]:
        found, events = self.found, self.trace.events
        count = len(found.subjects)
        born, gone = array("d", [nan]) * count, array("d", [0.0]) * count
        parent, open_ = array("i", [-1]) * count, set()
        origin, to = array("i", [-1]) * count, array("i", [-1]) * count
        kinds, actors, resources, causes = (self.trace.column(n) for n in ("kind", "actor", "resource", "cause"))
        number = found.subjects
        for token in found.tokens:
            m = number[token.subject]
            if born[m] != born[m]:  # nan: this is its first token
                born[m], row = token.start, token.row
                event = events[self.trace.name(kinds[row])]
                cause = actors[causes[row]] if causes[row] >= 0 else 0
                origin[m] = self.place({"actor": actors[row], "resource": resources[row], "cause": cause}[event.origin])
                parent[m] = found.subjects.get(self.trace.origin(row), -1)
                if event.origin == "resource":
                    to[m] = self.place(actors[row])
            if token.state == HELD and token.delivery:
                continue  # who received it may have it for long after it is gone
            if token.end is None and token.state != LOST:
                open_.add(m)
            end = token.start if token.end is None else token.end
            if end > gone[m]:
                gone[m] = end
        for m in open_:
            gone[m] = nan
        names: dict[str, int] = {}
        group = array("i", [-1]) * count
        for subject, name in found.groups.items():
            if subject in found.subjects:
                group[found.subjects[subject]] = names.setdefault(name, len(names))
        columns = {"born": born, "gone": gone, "from": origin, "to": to, "group": group, "parent": parent}
        return {"messages": columns, "groups": list(names)}

    def counters(self) -> dict[str, Steps]:
        """How many there are in each state, and how often has happened what is counted, over time."""
        changes: dict[str, list[tuple[float, int]]] = {}
        for token in self.found.tokens:
            name = "working" if token.state == HELD else token.state
            begin, end = token.start, token.end
            if name == "working":
                if token.work_from is None:
                    continue
                begin, end = token.work_from, token.end if token.work_until is None else token.work_until
            found = changes.setdefault(name, [])
            found.append((begin, 1))
            if end is not None:
                found.append((end, -1))
        counted = {self.trace.code(kind): event.counts for kind, event in self.trace.events.items() if event.counts}
        times = self.trace.column("time")
        for i, kind in enumerate(self.trace.column("kind")):
            if kind in counted:
                changes.setdefault(counted[kind], []).append((times[i], 1))
        again = [(t.start, 1) for t in self.found.tokens if t.state == HELD and t.delivery > 1 and t.left is not None]
        if again:
            changes["again"] = again
        return {name: dict(zip(("t", "y"), totals(sorted(found)))) for name, found in changes.items()}

    def refusals(self) -> dict[str, Any]:
        """When a place refused something."""
        refused = self.trace.kinds(lambda event: event.counts == "refused")
        found = [(row.time, self.place(self.trace.code(row.resource))) for row in self.trace.where(refused)]
        at = [(time, place) for time, place in found if place >= 0]
        return {"t": array("d", [t for t, _ in at]), "place": array("i", [place for _, place in at])}

    def events(self) -> list[dict[str, Any]]:
        """The events of interest, and where they happened."""
        trace, found = self.trace, self.found
        subjects, actors, resources = (trace.column(name) for name in ("subject", "actor", "resource"))
        kinds = trace.column("kind")
        made = []
        for n in self.run.notable():
            actor, event = actors[n.row], trace.events.get(trace.name(kinds[n.row]))
            place = self.roles.get("lost", -1) if event and event.lost else self.place(actor)
            made.append({
                "t": n.time, "last": max(n.time, n.last), "kind": n.kind, "text": n.text, "row": n.row,
                "big": int(bool(event and event.big)),
                "place": place if place >= 0 else self.place(resources[n.row]),
                "actor": self.actor_of.get(actor, -1), "message": found.subjects.get(subjects[n.row], -1),
            })  # fmt: skip
        return made


def _never(time: float) -> float | None:
    """A time as JSON knows it: none for infinity."""
    return None if time == inf else time
