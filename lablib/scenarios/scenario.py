"""Scenarios: a situation to play with, as a value. Its parameters are declared once, in the body of the class."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lablib.actors import PHRASES
from lablib.aws.quotas import Edition
from lablib.cloud import Cloud
from lablib.scenarios.param import ParamSpec, Value, near, one_of

if TYPE_CHECKING:
    from lablib.scenarios.run import Run

Role = Literal[
    "producer", "topic", "bucket", "queue", "server", "consumer", "function", "endpoint", "dead-letter", "done",
    "direct", "lost",
]  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A place where messages can be. `match` is a pattern (fnmatch) of the actors or resources in the trace that are
    this place, or several with spaces between: a topic is "orders sns/orders". A queue may have `parts`: its servers.
    An "endpoint" is an inbox outside AWS: an address, a telephone, a web server.
    """

    id: str
    label: str
    role: Role
    match: str
    parts: int = 0


@dataclass(frozen=True)
class Topology:
    """The places of a scenario, and the links (pairs of ids) along which messages move."""

    places: tuple[Place, ...]
    links: tuple[tuple[str, str], ...]

    def __getitem__(self, id: str) -> Place:
        return next(place for place in self.places if place.id == id)


@dataclass(frozen=True)
class Action:
    """Something done to a run at the instant `at` (seconds since it began): data, so that a run can be repeated.

    `kind` is one of the scenario's (`scenario.actions()`), `target` whom or what it hits, `value` how much.
    """

    kind: str
    at: float
    target: str = ""
    value: Value | None = None


@dataclass(frozen=True)
class ActionSpec:
    """An action that a scenario knows: a `label` for a button, the `targets` that exist at the start, and what its
    value is (`value_param`; None when it takes none, or when the target decides, as for "set").
    """

    kind: str
    label: str
    targets: tuple[str, ...] = ()
    value_param: ParamSpec | None = None
    help: str = ""


class Scene:
    """The stage while a run lasts: `build` makes it, actions act on it. Derive from it: a method `do_<kind>(action)`
    for each kind of action that the scenario lists. `values` are the parameters, those that are live may change.
    """

    def __init__(self, cloud: Cloud, scenario: Scenario) -> None:
        cloud.trace.phrases.update(PHRASES)
        self.cloud = cloud
        self.values = scenario.values()

    def act(self, action: Action) -> None:
        """Do it, now."""
        getattr(self, f"do_{action.kind}")(action)

    def do_set(self, action: Action) -> None:
        """Change a live parameter from now on."""
        self.values[action.target] = action.value
        self.cloud.trace.add("ParameterSet", detail={"name": action.target, "value": action.value})
        self.changed(action.target)

    def changed(self, name: str) -> None:
        """A live parameter has changed: what only looks now and then must be told here."""


_registry: dict[str, type[Scenario]] = {}


class Scenario:
    """A situation with parameters. Derive a class whose first docstring line is its title, declare parameters with
    `Param`, and write `build` and `topology`. Objects are immutable; `VideoQueue(rate=5)` gives values, the rest are
    defaults.

    Raises TypeError for an unknown parameter or a wrong type, ValueError for a value that is not allowed: one line
    each.
    """

    duration: ClassVar[float] = 300.0  # how long a run lasts when nobody says, in virtual seconds
    services: ClassVar[tuple[str, ...]] = ("sqs",)  # whose quotas the workbench lists
    questions: ClassVar[tuple[Any, ...]] = ()  # what to ask before the run is shown; labs may set it
    _specs: ClassVar[MappingProxyType[str, ParamSpec]] = MappingProxyType({})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {name: value for name, value in vars(cls).items() if isinstance(value, ParamSpec)}
        named = {n: replace(s, name=n, label=s.label or n.replace("_", " ")) for n, s in own.items()}
        cls._specs = MappingProxyType({**cls._specs, **named})
        keywords = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=s.default) for n, s in cls._specs.items()
        ]
        cls.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
        _registry[cls.__name__] = cls

    def __init__(self, **values: Any) -> None:
        unknown = [name for name in values if name not in self._specs]
        if unknown:
            title, known = type(self).__name__, self._specs
            raise TypeError(
                f"{title} has no parameter {unknown[0]!r}{near(unknown[0], known)}; it has: {', '.join(known)}"
            )
        for name, spec in self._specs.items():
            object.__setattr__(self, name, spec.check(values[name]) if name in values else spec.default)

    # ---- to be written in a subclass ---------------------------------------------------------------------------------

    def build(self, cloud: Cloud) -> Scene:
        """Set the scene: make the resources, start the actors."""
        raise NotImplementedError

    def topology(self) -> Topology:
        """The places between which messages move."""
        raise NotImplementedError

    def actions(self) -> tuple[ActionSpec, ...]:
        """What can be done to a run. This gives "set" when there are live parameters; add your own kinds to it."""
        live = tuple(name for name, spec in self._specs.items() if spec.live)
        return (ActionSpec("set", "Change a parameter", live, None, "Change a parameter from now on."),) if live else ()

    def assume(self) -> dict[str, float]:
        """Figures of the model that this scenario sets: for `Cloud(assume=)`."""
        return {}

    def results(self, run: Run) -> dict[str, int]:
        """What only this scenario counts in a run, by label: the first lines of its results."""
        return {}

    # ---- values ------------------------------------------------------------------------------------------------------

    @classmethod
    def params(cls) -> dict[str, ParamSpec]:
        """The parameters by name, in the order of their declaration."""
        return dict(cls._specs)

    def values(self) -> dict[str, Any]:
        """The values of all parameters by name."""
        return {name: getattr(self, name) for name in self._specs}

    def changed(self) -> dict[str, Any]:
        """The parameters that differ from their defaults."""
        return {name: value for name, value in self.values().items() if value != self._specs[name].default}

    def replace(self, **changes: Any) -> Scenario:
        """The same scenario with some parameters changed."""
        return type(self)(**{**self.values(), **changes})

    @property
    def title(self) -> str:
        """The first line of the class's docstring, without its full stop."""
        return (type(self).__doc__ or type(self).__name__).strip().splitlines()[0].rstrip(".")

    # ---- running -----------------------------------------------------------------------------------------------------

    def run(
        self, seed: int = 0, actions: Iterable[Action] = (), until: float | None = None, limits: Edition = "2023"
    ) -> Run:
        """Run it in virtual time. The same arguments give the same run.

        `seed`: any whole number. `actions`: what is done to it, and when. `until`: virtual seconds, more than 0 and
        at most ten times `duration`, which is the default. `limits`: "2023" or "today". Raises ValueError or
        TypeError, one line.
        """
        from lablib.scenarios.run import make_run

        return make_run(self, seed, tuple(actions), until, limits)

    def check_action(self, action: Action, until: float) -> Action:
        """The action with its value in the right type. Raises ValueError or TypeError with one line about what is
        wrong.
        """
        if not isinstance(action, Action):
            raise TypeError(f"actions: {action!r} is not an Action; write Action(kind, at, target, value)")
        specs = {spec.kind: spec for spec in self.actions()}
        if not isinstance(action.kind, str) or action.kind not in specs:
            known = f"{type(self).__name__} knows {one_of(specs)}{near(action.kind, specs)}"
            raise ValueError(f"kind={action.kind!r}: {known}")
        if isinstance(action.at, bool) or not isinstance(action.at, (int, float)) or not 0 <= action.at <= until:
            raise ValueError(f"{action.kind}: at={action.at!r}: must be a number of seconds from 0 to {until:g}")
        spec = specs[action.kind]
        self.check_target(spec, action)
        param = self._specs[action.target] if action.kind == "set" else spec.value_param
        if param is None:
            if action.value is not None:
                raise ValueError(f"{action.kind}: value={action.value!r}: this action takes no value")
            return replace(action, at=float(action.at))
        value = param.default if action.value is None and action.kind != "set" else param.check(action.value)
        return replace(action, at=float(action.at), value=value)

    def check_target(self, spec: ActionSpec, action: Action) -> None:
        """Raise ValueError when the target cannot exist. A scenario whose targets come and go allows more."""
        if not spec.targets:
            if action.target != "":
                raise ValueError(f"{action.kind}: target={action.target!r}: this action has no target")
        elif action.target not in spec.targets:
            allowed = f"must be {one_of(spec.targets)}{near(action.target, spec.targets)}"
            raise ValueError(f"{action.kind}: target={action.target!r}: {allowed}")

    # ---- being a value -----------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a scenario does not change; use scenario.replace({name}={value!r})")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a scenario does not change; use scenario.replace()")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.values() == self.values()

    def __hash__(self) -> int:
        return hash((type(self), *self.values().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.changed().items())})"


def find(name: str) -> type[Scenario]:
    """The scenario class of that name, from the labs or your own. Raises ValueError, with a guess, when there is
    none.
    """
    import pkgutil
    from importlib import import_module

    if name not in _registry:
        package = import_module("lablib.scenarios")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.startswith("lab"):
                import_module(f"lablib.scenarios.{module.name}")
    if name not in _registry:
        raise ValueError(
            f"there is no scenario {name!r}{near(name, _registry)}; there are: {', '.join(sorted(_registry))}"
        )
    return _registry[name]
