"""A run: what came of a scenario, a seed and some actions. A value; the same question always gets the same answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lablib.aws.quotas import EDITIONS, Edition
from lablib.cloud import Cloud
from lablib.kernel import Trace
from lablib.scenarios import share
from lablib.scenarios.actions import Action
from lablib.scenarios.param import near, one_of
from lablib.scenarios.scenario import Scenario, at_the_start
from lablib.scenarios.topology import Topology

if TYPE_CHECKING:
    from lablib.measures import Measures, Notable
    from lablib.measures.tokens import Tokens

_AGAIN = re.compile(r"(.+-[0-9]+)-[0-9]+$")
_LONGEST = 10  # a run may last this many times its scenario's duration: a pasted text must not keep a machine busy
_MOST_ACTIONS = 200
_MOST_EVENTS = 150_000  # of a trace; ours: every scenario at its highest settings has room, and none takes minutes
_SLICES = 100  # how often a run is asked how large it is
_LARGEST = 500_000_000  # bytes of records; ours: a kernel in a browser has some 2 GB of memory


@dataclass(frozen=True, repr=False, eq=False)
class Run:
    """A run of `scenario` with `seed` and `actions` for `until` virtual seconds under the quotas of `limits`.

    Immutable. `trace` holds all that happened, `topology` the places between which messages moved, `measures` what can
    be counted. `cursor` is the instant that somebody who shared the run was looking at, None when nobody said.
    """

    scenario: Scenario
    seed: int
    actions: tuple[Action, ...]
    until: float
    limits: Edition
    trace: Trace = field(repr=False)
    quotas: dict[str, Any] = field(repr=False)
    topology: Topology = field(repr=False)
    cursor: float | None = None

    @property
    def title(self) -> str:
        """What the scenario shows, in one line."""
        return self.scenario.title

    def sender(self, row: int) -> str:
        """Who sent what this row is about. A truck that sends again before it is done has a number behind its name
        ("truck-1-2"), and is the same truck.
        """
        trace = self.trace
        return _AGAIN.sub(r"\1", trace.name(trace.column("actor")[row]))

    @cached_property
    def measures(self) -> Measures:
        """Series and numbers, computed from the trace when they are asked for."""
        from lablib.measures import Measures

        return Measures(self)

    @cached_property
    def tokens(self) -> Tokens:
        """Who has what, where, from when to when: what measures and pictures are made of."""
        from lablib.measures.tokens import fold

        return fold(self.trace)

    @cached_property
    def digest(self) -> str:
        """A fingerprint of the trace."""
        return self.trace.digest()

    @cached_property
    def _notable(self) -> list[Notable]:
        from lablib.measures.notable import notable

        return notable(self.trace, self.until)

    def notable(self) -> list[Notable]:
        """The events of interest in the order of time, in words."""
        return list(self._notable)

    def explain(self, subject: str) -> str:
        """The life of one message (MessageId) or request in words. Raises KeyError for a subject that is not in the
        run.
        """
        return self.trace.explain(subject)

    def fork(self, *actions: Action) -> Run:
        """The same run with more actions: what was before them stays as it was."""
        return self.scenario.run(self.seed, (*self.actions, *actions), self.until, self.limits)

    def share(self, cursor: float | None = None) -> str:
        """A short text from which `Run.from_text` makes this very run again. `cursor`: the instant to look at, in
        seconds.
        """
        at = self.cursor if cursor is None else cursor
        name, changed = type(self.scenario).__name__, self.scenario.changed()
        until = None if self.until == self.scenario.duration else self.until
        return share.encode(name, changed, self.seed, self.actions, until, self.limits, at)

    @classmethod
    def from_text(cls, text: str) -> Run:
        """The run that a text of `share()` stands for. Raises ValueError with one clear line for anything else."""
        return share.decode(text)

    def to_html(self, path: str | Path) -> Path:
        """Write one self-contained page that needs no kernel and no network: the animation plays and scrubs in it."""
        from lablib.workbench import to_html

        return to_html(self, path)

    def at_cursor(self, cursor: float | None) -> Run:
        """The same run, looked at at another instant (seconds, from 0 to `until`)."""
        number = isinstance(cursor, (int, float)) and not isinstance(cursor, bool)
        if cursor is not None and not (number and 0 <= cursor <= self.until):
            raise ValueError(f"cursor={cursor!r}: must be a number of seconds from 0 to {self.until:g}")
        return replace(self, cursor=cursor)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return (self.scenario, self.seed, self.actions, self.until, self.limits, self.cursor)

    def __repr__(self) -> str:
        acts = f", {len(self.actions)} action{'s' * (len(self.actions) > 1)}" if self.actions else ""
        return f"{type(self.scenario).__name__} seed {self.seed}, {self.until:g} s{acts}: {self.measures.line()}"


def make_run(scenario: Scenario, seed: int, actions: tuple[Action, ...], until: float | None, limits: Edition) -> Run:
    """Check the arguments, then run, or hand out the run that was made before."""
    return _cached(*check(scenario, seed, actions, until, limits))


def check(
    scenario: Scenario, seed: int, actions: tuple[Action, ...], until: float | None, limits: Edition
) -> tuple[Scenario, int, tuple[Action, ...], float, Edition]:
    """The arguments of a run in their own types, actions in order. Raises ValueError or TypeError, one line."""
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed={seed!r}: must be a whole number")
    longest = _LONGEST * scenario.duration
    last = scenario.duration if until is None else until
    if isinstance(last, bool) or not isinstance(last, (int, float)) or not 0 < last <= longest:
        raise ValueError(f"until={until!r}: must be more than 0 and at most {longest:g} seconds")
    if limits not in EDITIONS:
        raise ValueError(f"limits={limits!r}: must be {one_of(EDITIONS)}{near(limits, EDITIONS)}")
    if len(actions) > _MOST_ACTIONS:
        raise ValueError(f"actions: {len(actions)} of them; at most {_MOST_ACTIONS} are allowed")
    checked = sorted((scenario.check_action(action, last) for action in actions), key=lambda action: action.at)
    _check_memory(scenario, checked, last)
    return scenario, seed, tuple(checked), float(last), limits


def _check_memory(scenario: Scenario, actions: list[Action], until: float) -> None:
    """Raise ValueError for a run whose records would fill the memory, whenever an action changes what is sent."""
    bursts = sum(int(action.value or 0) for action in actions if action.kind == "burst")
    changes = [{}, *({a.target: a.value} for a in actions if a.kind == "set" and a.target in scenario.heavy)]
    worst = max(
        (scenario.replace(**change) for change in changes), key=lambda changed: changed.bytes_stored(until, bursts)
    )
    size = worst.bytes_stored(until, bursts)
    if size > _LARGEST:
        given = ", ".join(f"{name}={getattr(worst, name):g}" for name in scenario.heavy)
        raise ValueError(
            f"{given}: the records of {until:g} s would take {size / 1e6:,.0f} MB; this lab keeps at most"
            f" {_LARGEST / 1e6:g} MB. Make them smaller or fewer, or the run shorter"
        )


def simulate(scenario: Scenario, seed: int, actions: tuple[Action, ...], until: float, limits: Edition) -> Run:
    """Run it, without looking whether it was run before. The arguments are those that `check` returns.

    Raises ValueError, one line, for a run of more than 150,000 events.
    """
    with Cloud(seed, limits=limits, assume=scenario.assume()) as cloud:
        stage = scenario.build(cloud)
        at_the_start(scenario, stage)
        _watch(cloud, until)
        for action in actions:
            _advance(cloud, action.at)
            stage.act(action)
        _advance(cloud, until)
        _watch(cloud, until)
        cloud.trace.freeze()  # what closing does to processes is no part of the run
        topology = stage.topology()
    cloud.processes.clear()
    return Run(scenario, seed, actions, until, limits, cloud.trace, cloud.quotas, topology)


def _advance(cloud: Cloud, to: float) -> None:
    """Run the cloud. An action at the start comes before what is due then, one at the end after it."""
    if cloud.now < to:
        cloud.kernel.run(to)


def _watch(cloud: Cloud, until: float) -> None:
    """Look from time to time how large it is: a run that a pasted text asks for ends before it fills the memory."""
    if len(cloud.trace) > _MOST_EVENTS:
        raise ValueError(
            f"until={until:g}: this run has {len(cloud.trace):,} events in its first {cloud.now:,.0f} s; at most"
            f" {_MOST_EVENTS:,} are kept. Make it shorter, or what it sends less"
        )
    cloud.kernel.after(until / _SLICES, _watch, cloud, until)


@lru_cache(maxsize=32)
def _cached(scenario: Scenario, seed: int, actions: tuple[Action, ...], until: float, limits: Edition) -> Run:
    return simulate(scenario, seed, actions, until, limits)
