"""Actions: what can be done to a run while it lasts. A method of a stage with `@action` is a kind of action."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeVar

from lablib.scenarios.param import ParamSpec, Value, near, one_of

Method = TypeVar("Method", bound=Callable[..., None])
Lane = Literal["", "A", "B"]


@dataclass(frozen=True)
class Action:
    """Something done to a run at the instant `at` (seconds since it began): data, so that a run can be repeated.

    `kind` is one of the scenario's (`scenario.actions()`), `target` whom or what it hits, `value` how much. `lane`: of
    two runs side by side, the one that it is done to; empty: both. A run by itself has no lanes: see `for_lane`.
    """

    kind: str
    at: float
    target: str = ""
    value: Value | None = None
    lane: Lane = ""


def for_lane(actions: Iterable[Action], lane: Lane) -> tuple[Action, ...]:
    """The actions that are done to the run in this lane."""
    return tuple(replace(action, lane="") for action in actions if action.lane in ("", lane))


@dataclass(frozen=True)
class ActionSpec:
    """An action that a scenario knows: a `label` for a button, the `targets` that exist at the start, and what its
    value is (`value_param`; None when it takes none, or when the target decides, as for "set"). `later` are targets
    that may come during a run. `at`: the place where an action without targets can be done: its id or
    its role, or several with spaces between.
    """

    kind: str
    label: str
    targets: tuple[str, ...] = ()
    value_param: ParamSpec | None = None
    help: str = ""
    later: frozenset[str] = field(default=frozenset(), repr=False)
    at: str = "producer"

    def check(self, action: Action, params: Mapping[str, ParamSpec], until: float) -> Action:
        """The action with its numbers in the right type. Raises ValueError or TypeError with one line about what is
        wrong.
        """
        kind, at, target, value = action.kind, action.at, action.target, action.value
        if isinstance(at, bool) or not isinstance(at, (int, float)) or not 0 <= at <= until:
            raise ValueError(f"{kind}: at={at!r}: must be a number of seconds from 0 to {until:g}")
        if action.lane:
            raise ValueError(f"{kind}: lane={action.lane!r}: a run has no lanes; for_lane() gives the actions of one")
        if not (self.targets or self.later):
            if target != "":
                raise ValueError(f"{kind}: target={target!r}: this action has no target")
        elif not isinstance(target, str) or target not in (*self.targets, *self.later):
            allowed = f"must be {one_of(self.targets)}{near(target, self.targets)}"
            raise ValueError(f"{kind}: target={target!r}: {allowed}")
        param = params[target] if kind == "set" else self.value_param
        if param is None:
            if value is not None:
                raise ValueError(f"{kind}: value={value!r}: this action takes no value")
        else:
            value = param.default if value is None and kind != "set" else param.check(value)
        return replace(action, at=float(at), value=value)


class Targets(NamedTuple):
    """The targets of an action, as functions of the stage: those at the start, and those that may come later."""

    first: Callable[[Any], Iterable[str]]
    later: Callable[[Any], Iterable[str]] = lambda stage: ()


@dataclass(frozen=True)
class Declared:
    """What `@action` says of a method. The functions are asked with the stage, when it is built; `{worker}` in the
    label is the stage's word.
    """

    label: str
    help: str
    value: ParamSpec | None
    targets: Targets | None
    when: Callable[[Any], object]
    at: str

    def spec(self, kind: str, stage: Any) -> ActionSpec | None:
        """The action on this stage; None when it cannot be done there."""
        first = tuple(self.targets.first(stage)) if self.targets else ()
        later = frozenset(self.targets.later(stage)) - set(first) if self.targets else frozenset()
        if not self.when(stage) or (self.targets and not first and not later):
            return None
        return ActionSpec(kind, self.label.format(worker=stage.worker), first, self.value, self.help, later, self.at)


def action(
    label: str,
    help: str,
    value: ParamSpec | None = None,
    *,
    targets: Targets | None = None,
    when: Callable[[Any], object] = lambda stage: True,
    at: str = "producer",
) -> Callable[[Method], Method]:
    """Make a method of a stage an action, whose kind is the method's name: it is called with the target, when it has
    `targets`, and with the value, when it has one. `when`, a function of the stage, says whether it can be done there;
    where there are no targets, it cannot. `at`: the place in the picture where an action without targets is
    offered: its id or its role, or several with spaces between.
    """

    def declare(method: Method) -> Method:
        method.action = Declared(label, help, value, targets, when, at)  # type: ignore[attr-defined]
        return method

    return declare
