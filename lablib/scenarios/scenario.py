"""Scenarios: a situation to play with, as a value. Its parameters are declared once, in the body of the class."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from lablib.aws.quotas import Edition
from lablib.cloud import Cloud
from lablib.scenarios.actions import Action, ActionSpec
from lablib.scenarios.missions import Curve, Mission
from lablib.scenarios.param import ParamSpec, check_name, near, one_of
from lablib.scenarios.topology import Topology

if TYPE_CHECKING:
    from lablib.kernel import Row
    from lablib.scenarios.run import Run
    from lablib.scenarios.stage import Stage

_registry: dict[str, type[Scenario]] = {}


class Scenario:
    """A situation with parameters. Derive a class whose first docstring line is its title, declare parameters with
    `Param`, and write `build`. Objects are immutable; `VideoQueue(rate=5)` gives values, the rest are
    defaults.

    Raises TypeError for an unknown parameter or a wrong type, ValueError for a value that is not allowed: one line
    each.
    """

    duration: ClassVar[float] = 300.0  # how long a run lasts when nobody says, in virtual seconds
    services: ClassVar[tuple[str, ...]] = ("sqs",)  # whose quotas the workbench lists
    missions: ClassVar[tuple[Mission, ...]] = ()  # three to five things to bring about
    unit: ClassVar[str] = "message"  # what its marks are called, one of them
    heavy: ClassVar[tuple[str, ...]] = ()  # the parameters on which `bytes_stored` depends
    curve: ClassVar[Curve] = Curve("waiting", "messages waiting")  # what the scrub bar shows
    guess: ClassVar[str] = ""  # "guess 01.spike": the text that asks to draw this curve, before anything plays
    _specs: ClassVar[MappingProxyType[str, ParamSpec]] = MappingProxyType({})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {name: value for name, value in vars(cls).items() if isinstance(value, ParamSpec)}
        for name in own:
            check_name(name, Scenario)
        named = {n: replace(s, name=n, label=s.label or n.replace("_", " ")) for n, s in own.items()}
        cls._specs = MappingProxyType({**cls._specs, **named})
        keywords = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=s.default) for n, s in cls._specs.items()
        ]
        cls.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
        other = _registry.setdefault(cls.__name__, cls)
        if other.__module__ != cls.__module__:
            raise ValueError(
                f"{cls.__name__}: {cls.__module__} and {other.__module__} both have a scenario of this name; "
                "the text of a shared run would not say which"
            )
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

    def build(self, cloud: Cloud) -> Stage:
        """Set the stage: make the resources, start the programs."""
        raise NotImplementedError

    def assume(self) -> dict[str, float]:
        """Quotas of the model that this scenario sets: for `Cloud(assume=)`."""
        return {}

    def results(self, run: Run) -> dict[str, int]:
        """What only this scenario counts in a run, by label: the first lines of its results."""
        return {}

    def lens(self, run: Run) -> dict[str, Any]:
        """What the picture of this scenario is about: "painter" is the name of one that knows how to show it, the rest
        is what this painter needs to know of the run. Empty: the picture shows places and messages only.
        """
        return {}

    def story(self, run: Run, rows: list[Row]) -> str:
        """The life of a subject in a sentence or two, where only this scenario understands its `rows`; else ""."""
        return ""

    def bytes_stored(self, until: float, bursts: int) -> float:
        """How many bytes of records a run of so many seconds stores at most, with so many records in bursts."""
        return 0.0

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
        return specs[action.kind].check(action, self._specs, until)

    # ---- before a run ------------------------------------------------------------------------------------------------

    def topology(self) -> Topology:
        """The places at the start of a run. What comes and goes during it is known to the run."""
        return at_the_start(self)[0]

    def actions(self) -> tuple[ActionSpec, ...]:
        """What can be done to a run."""
        return at_the_start(self)[1]

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


Start = tuple[Topology, tuple[ActionSpec, ...]]
_starts: dict[Scenario, Start] = {}  # the last that were asked for
_MOST_STARTS = 256


def at_the_start(scenario: Scenario, stage: Stage | None = None) -> Start:
    """Places and actions of a stage on which nothing has happened yet. `stage`: one that was just built for a run; else
    one is built in a cloud of its own, and never runs.
    """
    known = _starts.get(scenario)
    if known is None:
        if stage is None:
            with Cloud(assume=scenario.assume()) as cloud:
                return at_the_start(scenario, scenario.build(cloud))
        if len(_starts) >= _MOST_STARTS:
            del _starts[next(iter(_starts))]
        known = _starts[scenario] = stage.topology(), stage.actions()
    return known


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
