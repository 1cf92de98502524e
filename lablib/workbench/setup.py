"""What a workbench holds, without any widget: setups (scenario, seed, actions, ...), and what can be done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lablib.aws.quotas import Edition
from lablib.scenarios import Action, Run, Scenario, for_lane
from lablib.scenarios.param import Value

OF_THE_RUN = ("seed", "limits", "until")  # settings that every scenario has
_LANES = ("setup", "kept")
_BETWEEN = "."  # stands between the texts of two runs that are compared


@dataclass(frozen=True)
class Setup:
    """All that decides a run. Immutable."""

    scenario: Scenario
    seed: int = 0
    actions: tuple[Action, ...] = ()
    until: float | None = None
    limits: Edition = "2023"

    @classmethod
    def of(cls, run: Run) -> Setup:
        """The setup of a run."""
        return cls(run.scenario, run.seed, run.actions, run.until, run.limits)

    def run(self) -> Run:
        """Its run. Raises ValueError or TypeError with one line when something in it is not allowed."""
        return self.scenario.run(self.seed, self.actions, self.until, self.limits)

    def set(self, **values: Any) -> Setup:
        """The same with parameters changed, or its seed, its limits, its end."""
        own = {name: values.pop(name) for name in OF_THE_RUN if name in values}
        return replace(self, scenario=self.scenario.replace(**values), **own)

    def with_actions(self, actions: list[Action]) -> Setup:
        """The same with these actions, in the order of time."""
        return replace(self, actions=tuple(sorted(actions, key=lambda action: action.at)))


@dataclass(frozen=True)
class Session:
    """The setup that is being changed, and one to compare it with (`kept`). Immutable: each of the methods from `set`
    on is a verb of the workbench, and gives the session that comes of it.

    `differs`: the settings in which the two stay different, while all other changes reach both; None: nothing that is
    changed reaches the other.
    """

    setup: Setup
    kept: Setup | None = None
    differs: Mapping[str, Any] | None = None

    @classmethod
    def of_text(cls, text: str) -> tuple[Session, float | None]:
        """The session that `share` made a text of, and the instant that was shown. Raises ValueError for others."""
        runs = [Run.from_text(part) for part in text.strip().split(_BETWEEN, 1)]
        kept = Setup.of(runs[1]) if len(runs) > 1 else None
        return cls(Setup.of(runs[0]), kept), runs[0].cursor

    def in_lanes(self) -> Session:
        """The same, with actions that name a lane in that lane only: "A" is the kept run, "B" the one that changes."""
        if not self.kept:
            return self
        mine, kept = for_lane(self.setup.actions, "B"), for_lane(self.kept.actions, "A")
        return replace(self, setup=replace(self.setup, actions=mine), kept=replace(self.kept, actions=kept))

    def runs(self) -> tuple[Run, Run | None]:
        """The run that is being changed, and the kept one. Raises as `Setup.run` does."""
        return self.setup.run(), self.kept.run() if self.kept else None

    def share(self, cursor: float | None = None) -> str:
        """A short text that holds this very session. `cursor`: the instant shown, in seconds."""
        run, kept = self.runs()
        return _BETWEEN.join([run.share(cursor), *([kept.share()] if kept else [])])

    def set(self, **values: Any) -> Session:
        """Change parameters, or `seed`, `limits`, `until`. Everything is computed again from the same seed."""
        kept = self.kept
        if kept and self.differs is not None:
            kept = kept.set(**{name: value for name, value in values.items() if name not in self.differs})
        return replace(self, setup=self.setup.set(**values), kept=kept)

    def act(
        self, kind: str, target: str = "", value: Value | None = None, at: float = 0.0, lane: int | None = None
    ) -> Session:
        """Do something at an instant (seconds): the past stays, the future forks. `lane`: 0 for the run that is being
        changed, 1 for the kept one, None for both as long as the kept one follows.
        """
        action = Action(kind, at, target, value)
        return self._changed(lane, lambda actions: [*actions, action])

    def take_back(self, index: int = -1, lane: int = 0) -> Session:
        """Take back an action, by its number in the lane's `run.actions`; by default the last."""
        action = self._action(index, lane)
        return self._changed(self._reach(action, lane), lambda actions: _without(actions, action))

    def move(self, index: int, at: float, lane: int = 0) -> Session:
        """Do an action at another instant."""
        action = self._action(index, lane)
        moved = replace(action, at=at)
        return self._changed(self._reach(action, lane), lambda actions: [*_without(actions, action), moved])

    def compare(self, **changes: Any) -> Session:
        """Show a second lane: the same seed, load and actions, with these settings changed."""
        return Session(self.setup, self.setup.set(**changes), changes)

    def keep(self) -> Session:
        """Keep the present run as the second lane; what is changed from now on is compared with it."""
        return Session(self.setup, self.setup)

    def stop_comparing(self) -> Session:
        """One lane again."""
        return Session(self.setup)

    def _lane(self, lane: int) -> Setup:
        found = (self.setup, self.kept)[lane] if lane in (0, 1) else None
        if found is None:
            raise ValueError(f"lane={lane!r}: must be 0{' or 1' if self.kept else ': there is one lane'}")
        return found

    def _action(self, index: int, lane: int) -> Action:
        actions = self._lane(lane).actions
        if not -len(actions) <= index < len(actions):
            raise ValueError(f"index={index!r}: there are {len(actions)} actions")
        return actions[index]

    def _reach(self, action: Action, lane: int) -> int | None:
        """Both lanes, when both have the action and the kept one follows."""
        both = self.kept and self.differs is not None and action in self.setup.actions and action in self.kept.actions
        return None if both else lane

    def _changed(self, lane: int | None, change: Callable[[tuple[Action, ...]], list[Action]]) -> Session:
        both = lane is None and self.kept and self.differs is not None
        lanes = {i: self._lane(i) for i in ((0, 1) if both else (lane or 0,))}
        new: dict[str, Any] = {_LANES[i]: one.with_actions(change(one.actions)) for i, one in lanes.items()}
        return replace(self, **new)


def _without(actions: tuple[Action, ...], action: Action) -> list[Action]:
    left = list(actions)
    left.remove(action)
    return left
