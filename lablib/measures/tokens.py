"""The one fold over the trace: who has what, where, from when to when. Measures, tables and the animation read it.

The model. A *token* is one stay: of a subject (a message, a delivery, a request) in one state, at one place, in one
hand or in none. It never changes while it lasts, so what is so at an instant is told by the tokens of that instant. A
message that was received is at least two tokens: one is hidden at the queue, the other is with whoever received it, and
stays there until that delivery is over, though the queue may long have given the message to somebody else. If its last
receiver crashes, freezes or lets go, the token at the queue says since when nobody works on it.

What a row does to tokens is declared by its `Event` (`lablib.aws.event`); this module knows no kinds of rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from lablib.aws.event import ASKING, DEAD_LETTER, DELAYED, HELD, HIDDEN, LOST, READING, RETRYING, Event
from lablib.kernel import Trace


class Token:
    """One stay. Names are numbers, as in the trace (`Tokens.name`); None where there is nothing to say.

    `subject`; `delivery`: how often it was received, with this; `state`: one of `lablib.aws.event.STATES`; `resource`:
    where it lies, or where it was taken from; `holder`: who has it, when HELD, ASKING or READING; `left`: when it left
    where it came from (None: it was here); `start`, `end`: from, to; `because`: why it ended ("" at the end of the
    run); `row`, `last_row`: the rows that began and ended it; `since`: from when its age counts (inf: it does not);
    `visible_until`: until when it is hidden, or until when its caller waits; `orphan_from`: hidden, and from then on
    nobody works on it; `work_from`, `work_until`, `work_end`: when work on it began, ended (None: cut off), and would
    have ended.
    """

    # Defaults, so that a token takes only the room of what is said about it.
    end: float | None = None
    last_row = -1
    because = ""
    visible_until: float | None = None
    orphan_from: float | None = None
    work_from: float | None = None
    work_until: float | None = None
    work_end: float | None = None
    received = True  # False: it is only worked on, and no receive that could be answered for stands behind it

    def __init__(
        self,
        subject: int,
        state: str,
        resource: int,
        holder: int,
        left: float | None,
        start: float,
        row: int,
        delivery: int,
    ) -> None:
        self.subject = subject
        self.state = state
        self.resource = resource
        self.holder = holder
        self.left = left
        self.start = start
        self.row = row
        self.delivery = delivery
        self.since = start


@dataclass
class Tokens:
    """All tokens of a trace in the order of their first rows, and what else the fold has learned.

    `subjects`: the number of each subject, in the order of appearance. `groups`: the message group of those that have
    one. `turns`: when an actor was "up", "down", "frozen" or "blocked" (and why) again. `parts`: (time, resource, part,
    up?) of a resource's parts. `pollers`: actors that asked for messages. `dead`: dead-letter queues that got
    something. `copies`: where copies lie of what is elsewhere. `inside`: requests that are work on messages which their
    actor holds: they have no tokens.
    """

    trace: Trace
    tokens: list[Token] = field(default_factory=list)
    subjects: dict[int, int] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)
    turns: dict[int, list[tuple[float, str, str]]] = field(default_factory=dict)
    parts: list[tuple[float, int, int, bool]] = field(default_factory=list)
    pollers: set[int] = field(default_factory=set)
    dead: set[int] = field(default_factory=set)
    copies: set[int] = field(default_factory=set)
    inside: set[int] = field(default_factory=set)
    more_names: list[str] = field(default_factory=list)  # of places at which no row was written

    def blocked(self, until: float) -> dict[str, list[tuple[float, float]]]:
        """When nobody took what an actor sent: (from, to), at most `until`. Who was never blocked is left out."""
        found: dict[str, list[tuple[float, float]]] = {}
        for actor, turns in self.turns.items():
            ends = [time for time, *_ in turns[1:]] + [until]
            spans = [(at, end) for (at, now, _), end in zip(turns, ends, strict=True) if now == "blocked" and end > at]
            if spans:
                found[self.name(actor)] = spans
        return found

    def name(self, code: int) -> str:
        """The name behind a number."""
        known = len(self.trace.names)
        return self.trace.name(code) if code < known else self.more_names[code - known]

    def code(self, name: str) -> int:
        """The number of a name; -1 when nothing of that name occurs."""
        found = self.trace.code(name)
        return len(self.trace.names) + self.more_names.index(name) if found < 0 and name in self.more_names else found


def fold(trace: Trace) -> Tokens:
    """The tokens of a trace."""
    return _Fold(trace).run()


_ABOUT_ONE = ("works", "worked", "drops")  # the row is about one of the deliveries that its actor has


class _Fold:
    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.found = Tokens(trace)
        table = {trace.code(kind): event for kind, event in trace.events.items()}
        table.pop(-1, None)
        self.table = {code: (event, self.steps(event)) for code, event in table.items()}
        self.api = trace.api_kinds
        self.times, self.untils, self.causes, self.kinds, self.actors = (  # lists are read faster than arrays
            trace.column(name).tolist() for name in ("time", "until", "cause", "kind", "actor")
        )
        self.size = len(trace.names) + len(trace)  # more than there are names: numbers of pairs are unique
        self.rest: dict[int, Token] = {}  # what lies at a resource, by resource and subject
        self.held: dict[int, dict[int, Token]] = {}  # what each actor has: by actor, then by subject
        self.earlier: dict[tuple[int, int], list[Token]] = {}  # deliveries that it still has beside the latest
        self.later: dict[tuple[int, float], int] | None = None  # see `is_kept`
        self.functions: set[int] = set()  # actors that work on several deliveries at a time
        self.cut: dict[tuple[int, int], Token] = {}  # what an actor had when its connection broke, by actor and subject
        self.asking: dict[int, Token | None] = {}  # callers, by subject; None: waits no longer
        self.reading: dict[int, Token] = {}  # readers, by resource and reader
        self.deliveries: dict[int, int] = {}
        self.frozen: set[int] = set()
        self.blocked: Counter[int] = Counter()  # how many block each actor
        self.why: dict[int, str] = {}  # and why
        self.inside = self.found.inside

    def run(self) -> Tokens:
        table, kinds = self.table, self.kinds
        rows = [i for i, kind in enumerate(kinds) if kind in table]
        resources, subjects = (self.trace.column(name).tolist() for name in ("resource", "subject"))
        size, inside = self.size, self.inside
        for i in rows:
            (event, steps), subject = table[kinds[i]], subjects[i]
            if event.is_now:
                self.actor_row(i, event)
            elif subject:
                if subject in inside or (event.origin == "cause" and self.is_inside(i, subject)):
                    continue
                resource = resources[i]
                key = resource * size + subject
                for step in steps:
                    step(i, event, resource, subject, key)
            elif event.polls:
                self.let_go(i)
            elif event.part:
                self.found.parts.append((self.times[i], resources[i], self.trace.details[i], event.part == "up"))
            elif event.whole:
                for token in [t for t in self.rest.values() if t.resource == resources[i]]:
                    self.end(token, i, event.ends)
                    del self.rest[token.resource * self.size + token.subject]
        self.close()
        return self.found

    # ---- tokens ------------------------------------------------------------------------------------------------------

    def begin(self, i: int, subject: int, state: str, resource: int, holder: int = 0) -> Token:
        """A new token that begins with row `i`."""
        time, cause = self.times[i], self.causes[i]
        left = self.times[cause] if cause >= 0 and self.kinds[cause] in self.api and not holder else time
        token = Token(subject, state, resource, holder, left, time, i, self.deliveries.get(subject, 0))
        self.found.tokens.append(token)
        if subject not in self.found.subjects:
            self.found.subjects[subject] = len(self.found.subjects)
        return token

    def end(self, token: Token, i: int, because: str) -> None:
        token.end, token.last_row, token.because = self.times[i], i, because

    def change(self, token: Token, i: int, because: str, **changes: Any) -> Token:
        """The token goes on, with changes: as a new one."""
        self.end(token, i, because)
        time = self.times[i]
        new = Token(token.subject, token.state, token.resource, token.holder, None, time, i, token.delivery)
        new.since, new.visible_until = token.since, token.visible_until
        new.work_from, new.work_until, new.work_end = token.work_from, token.work_until, token.work_end
        for name, value in changes.items():
            setattr(new, name, value)
        self.found.tokens.append(new)
        if new.state == HELD:
            self.held[new.holder][new.subject] = new
        else:
            self.rest[new.resource * self.size + new.subject] = new
        return new

    # ---- rows about a subject ----------------------------------------------------------------------------------------

    def steps(self, event: Event) -> tuple[Callable[[int, Event, int, int, int], None], ...]:
        """What a row of this event does to tokens, in order: methods that take the row's number, its event, resource
        and subject, and the number of the pair of these. It is found once an event, not once a row.
        """
        found = {
            self.chooses: event.holder in _ABOUT_ONE,
            self.delivers: event.holder == "gets",
            self.works: event.holder == "works",
            self.worked: event.holder == "worked",
            self.reads: event.holder == "reads",
            self.caller: event.caller,
            self.lies: event.state,
            self.leaves: event.ends and not event.state,
            self.gets: event.holder == "gets",
            self.drops: event.holder in ("drops", "loses"),
            self.notes: event.copies or event.ends == DEAD_LETTER or event.group,
            self.loses: event.lost,
            self.puts_back: event.holder in _ABOUT_ONE,
        }
        return tuple(step for step, wanted in found.items() if wanted)

    def delivers(self, _i: int, event: Event, _resource: int, subject: int, _key: int) -> None:
        self.deliveries[subject] = self.deliveries.get(subject, 0) + event.again

    def leaves(self, i: int, event: Event, _resource: int, _subject: int, key: int) -> None:
        if token := self.rest.pop(key, None):
            self.end(token, i, event.ends)

    def notes(self, i: int, event: Event, resource: int, subject: int, _key: int) -> None:
        """What it tells besides of queues and groups."""
        if event.copies:
            self.found.copies.add(resource)
        if event.ends == DEAD_LETTER:
            self.found.dead.add(self.place(str(self.trace.details[i])))
        if event.group:
            self.found.groups[subject] = str(self.trace.details[i])

    def loses(self, i: int, _event: Event, resource: int, subject: int, _key: int) -> None:
        self.begin(i, subject, LOST, resource)

    def is_inside(self, i: int, subject: int) -> bool:
        """Is this request work on messages that its actor has received? Then those are seen, and not the request."""
        cause, actor = self.causes[i], self.actors[i]
        about = self.trace.column("subject")[cause] if cause >= 0 else 0
        inside = about != subject and self.actors[cause] == actor and about in self.held.get(actor, {})
        if inside:
            self.inside.add(subject)
        return inside

    def lies(self, i: int, event: Event, resource: int, subject: int, key: int) -> None:
        """From now on it lies there in the event's state."""
        before = self.rest.pop(key, None)
        time, until, state = self.times[i], self.untils[i], event.state
        if before:
            self.end(before, i, event.ends or event.past)
        if event.at == "detail":
            resource = self.place(str(self.trace.details[i]))
            self.found.dead.add(resource)
            key = resource * self.size + subject
            before = self.rest.pop(key, None)
            if before:  # it is there already: a copy of it came back, and moved after it
                self.end(before, i, event.past)
        if event.delays and until > time:
            state = DELAYED
        token = self.begin(i, subject, state, resource)
        if before:
            token.left, token.since = None, before.since
        if not event.ages:
            token.since = inf
        if until:
            token.visible_until = until
        if event.ends and event.at == "resource":  # it is only passing by
            self.end(token, i, event.ends)
        else:
            self.rest[key] = token
            if state == HIDDEN and event.holder != "gets":
                self.hidden_anew(i, token)

    def hidden_anew(self, i: int, token: Token) -> None:
        """It is hidden until another time now: so is the delivery that its holder has."""
        for held in self.held.values():
            theirs = held.get(token.subject)
            if theirs and theirs.delivery == token.delivery:
                self.change(theirs, i, "extended", visible_until=token.visible_until)
                if theirs.holder in self.frozen:
                    token.orphan_from = token.start
                return
        token.orphan_from = token.start

    def place(self, name: str) -> int:
        """The number of a resource of which perhaps no row has told."""
        code = self.found.code(name)
        if code < 0:
            code = len(self.trace.names) + len(self.found.more_names)
            self.found.more_names.append(name)
        return code

    def gets(self, i: int, _event: Event, resource: int, subject: int, key: int) -> None:
        """The actor gets it with the answer to its call, unless that never arrives."""
        token, actor, cause = self.rest[key], self.actors[i], self.causes[i]
        arrival = self.times[i]
        if cause >= 0 and self.kinds[cause] in self.api:
            answer = self.trace.details[cause]
            if isinstance(answer, str):
                token.orphan_from = token.start
                return
            if answer is None:  # under way at the end
                return
            arrival = self.untils[cause]
        mine = self.held.setdefault(actor, {})
        self.cut.pop((actor, subject), None)
        if subject in mine and self.is_kept(i, mine[subject]):
            self.earlier.setdefault((actor, subject), []).append(mine[subject])
        elif subject in mine:
            self.end(mine[subject], i, "received again")
        mine[subject] = held = self.begin(i, subject, HELD, resource, actor)
        held.start, held.visible_until = arrival, token.visible_until
        if actor in self.frozen:
            token.orphan_from = token.start

    def is_kept(self, i: int, token: Token) -> bool:
        """Does its holder keep this delivery, though row `i` gives it the message again? A program does not. Lambda
        calls a function with both: the first receive is a cause of later rows, or of a call cut off by the run's end.
        """
        if token.work_from is not None and token.work_until is None and token.holder in self.functions:
            return True
        if self.later is None:
            self.later, subjects = {}, self.trace.column("subject")
            for row, kind in enumerate(self.kinds):
                if kind in self.table and self.table[kind][0].holder in _ABOUT_ONE and subjects[row]:
                    self.later[subjects[row], self.received_at(row)] = row
        return self.later.get((token.subject, token.since), -1) > i

    def received_at(self, i: int) -> float:
        """When what the row is about was received, by its causes; -1.0 when they do not tell."""
        cause = self.causes[i]
        while cause >= 0 and self.kinds[cause] in self.table:
            holder = self.table[self.kinds[cause]][0].holder
            if holder == "gets":
                return self.times[cause]
            if holder != "works":
                break
            cause = self.causes[cause]
        return -1.0

    def chooses(self, i: int, _event: Event, _resource: int, subject: int, _key: int) -> None:
        """Of several deliveries that the actor has, the row is about one: its causes tell which, or its number."""
        actor = self.actors[i]
        if self.earlier and (several := self.earlier.get((actor, subject))):
            mine, since, number = self.held[actor], self.received_at(i), self.trace.details[i]
            several.append(mine[subject])
            told = [t for t in several if t.since == since] or [t for t in several if t.delivery == number]
            mine[subject] = (told or several)[-1]
            several.remove(mine[subject])

    def puts_back(self, i: int, _event: Event, _resource: int, subject: int, _key: int) -> None:
        """The latest of several deliveries is at hand again."""
        actor = self.actors[i]
        if self.earlier and (several := self.earlier.get((actor, subject))):
            mine = self.held.get(actor, {})
            several += [mine.pop(subject)] if subject in mine else []
            several.sort(key=lambda token: token.delivery)
            mine[subject] = several.pop()
            if not several:
                del self.earlier[actor, subject]

    def works(self, i: int, _event: Event, resource: int, subject: int, key: int) -> None:
        actor = self.actors[i]
        mine = self.held.setdefault(actor, {})
        token = mine.get(subject)
        if token is None and (token := self.cut.pop((actor, subject), None)):  # it had it all the while
            token.end, token.last_row, token.because, token.received = None, -1, "", False
            mine[subject] = token
        if token is None:
            before = self.rest.pop(key, None)
            token = mine[subject] = self.begin(i, subject, HELD, resource, actor)
            token.received = False
            if before:
                self.end(before, i, "taken")
                token.visible_until = before.visible_until
        time, until = self.times[i], self.untils[i]
        if resource == actor:  # it is a place itself
            self.functions.add(actor)
        token.work_from, token.work_until = time, None
        token.work_end = until if until > time else None

    def worked(self, i: int, event: Event, _resource: int, subject: int, _key: int) -> None:
        mine = self.held.get(self.actors[i], {})
        token = mine.get(subject)
        if token is None:
            return
        token.work_until = self.times[i]
        failed = event.state != "" or self.trace.details[i] == "failed"
        if failed or not token.delivery or not token.received:  # what was received is over when it is deleted
            del mine[subject]
            late = subject in self.asking and self.asking[subject] is None
            self.end(token, i, "failed" if failed else "in vain" if late else "done")
            self.orphan(i, token)

    def drops(self, i: int, event: Event, _resource: int, subject: int, _key: int) -> None:
        """That delivery is over for its holder: mostly the row's actor, else whoever has the delivery `detail`."""
        mine = self.held.get(self.actors[i], {})
        if subject not in mine:
            number = self.trace.details[i]
            mine = next((h for h in self.held.values() if subject in h and h[subject].delivery == number), mine)
        token = mine.get(subject)
        if token and event.holder == "loses" and token.work_from is not None and token.work_until is None:
            token.received = False
            self.orphan(i, token)
        elif token:
            del mine[subject]
            self.end(token, i, event.ends or "ignored")
            self.orphan(i, token)
            if event.holder == "loses":
                self.cut[self.actors[i], subject] = token

    def orphan(self, i: int, token: Token) -> None:
        """Its holder has let go: when the message is still hidden for that delivery, nobody works on it."""
        back = self.rest.get(token.resource * self.size + token.subject)
        if back and back.state == HIDDEN and back.delivery == token.delivery and back.orphan_from is None:
            self.change(back, i, "let go", orphan_from=self.times[i])

    def caller(self, i: int, event: Event, resource: int, subject: int, _key: int) -> None:
        if event.caller == "asks":
            self.asking[subject] = self.begin(i, subject, ASKING, resource, self.actors[i])
        elif token := self.asking.get(subject):
            self.end(token, i, event.caller)
            self.asking[subject] = None

    def reads(self, i: int, _event: Event, resource: int, subject: int, _key: int) -> None:
        """A reader has read a record, which stays: it stands there now."""
        key = resource * self.size + self.actors[i]
        before = self.reading.get(key)
        token = self.reading[key] = self.begin(i, subject, READING, resource, self.actors[i])
        if before:
            self.end(before, i, "read on")
            token.left = before.start

    def others(self, actor: int) -> list[Token]:
        """What the actor has beside the latest deliveries; it has them no more."""
        keys = [key for key in self.earlier if key[0] == actor]
        return [token for key in keys for token in self.earlier.pop(key)]

    # ---- rows about actors -------------------------------------------------------------------------------------------

    def actor_row(self, i: int, event: Event) -> None:
        time, actor, state = self.times[i], self.actors[i], event.is_now
        turns = self.found.turns.setdefault(actor, [])
        if state == "blocked":
            self.why[actor] = str(self.trace.details[i])
        if state in ("blocked", "free", "down"):
            by = self.blocked[actor]
            self.blocked[actor] = {"blocked": by + 1, "free": max(0, by - 1), "down": 0}[state]
        if state in ("up", "free"):
            state = "blocked" if self.blocked[actor] > 0 else "up"
        if event.is_now not in ("blocked", "free") or not turns or turns[-1][1] not in ("down", "frozen"):
            turns.append((time, state, self.why[actor] if state == "blocked" else ""))
        mine = self.held.get(actor, {})
        if event.is_now == "down":
            self.frozen.discard(actor)
            tokens = [*mine.values(), *self.others(actor)]
            mine.clear()
            for token in tokens:
                self.end(token, i, "crashed")
                self.orphan(i, token)
        elif event.is_now == "frozen":
            self.frozen.add(actor)
            for token in mine.values():
                self.orphan(i, token)
        elif event.is_now == "up" and actor in self.frozen:
            self.frozen.discard(actor)
            for token in mine.values():
                back = self.rest.get(token.resource * self.size + token.subject)
                if back and back.state == HIDDEN and back.delivery == token.delivery:
                    self.change(back, i, "worked on again", orphan_from=None)

    def let_go(self, i: int) -> None:
        """An actor asks for more: what it has worked on, and did not delete, it has put away."""
        self.found.pollers.add(self.actors[i])
        mine = self.held.get(self.actors[i])
        if mine:
            for token in [t for t in mine.values() if t.work_until is not None and t.start < self.times[i]]:
                del mine[token.subject]
                self.end(token, i, "put away")
                self.orphan(i, token)

    # ---- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Attempts after which none came, and none was planned, have failed for good."""
        for token in list(self.rest.values()):
            if token.state == RETRYING and token.visible_until is None:
                self.end(token, token.row, "failed")
                self.begin(token.row, token.subject, LOST, token.resource)
