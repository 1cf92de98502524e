"""What a workbench holds, without any widget: a setup (scenario, seed, actions, ...), and what it is compared with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lablib.aws.quotas import Edition, Quota
from lablib.measures import compare
from lablib.measures.series import number
from lablib.scenarios import Action, ActionSpec, ParamSpec, Run, Scenario
from lablib.services import quotas


@dataclass(frozen=True)
class Setup:
    """All that decides a run. Immutable: what if, forking, taking back and restoring are other setups."""

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
        """The same with parameters changed."""
        return replace(self, scenario=self.scenario.replace(**values))

    def act(self, action: Action) -> Setup:
        """The same with one more action."""
        return replace(self, actions=tuple(sorted((*self.actions, action), key=lambda a: a.at)))

    def take_back(self, index: int) -> Setup:
        """The same without the action of that number."""
        if not 0 <= index < len(self.actions):
            raise ValueError(f"index={index!r}: there are {len(self.actions)} actions")
        return replace(self, actions=self.actions[:index] + self.actions[index + 1 :])


@dataclass(frozen=True)
class Versus:
    """What a setup is compared with: itself with parameters `changes`, or another setup that was `kept`."""

    changes: Mapping[str, Any] | None = None
    kept: Setup | None = None

    def setup(self, now: Setup) -> Setup:
        """The other setup."""
        return self.kept if self.kept else now.set(**(self.changes or {}))


def spec_document(spec: ParamSpec) -> dict[str, Any]:
    """A parameter as the page needs it."""
    return {
        "name": spec.name, "label": spec.label, "low": spec.low, "high": spec.high, "step": spec.step,
        "unit": spec.unit,
        "help": spec.help, "aws": spec.aws, "choices": list(spec.choices), "log": spec.log, "kind": spec.kind.__name__,
        "whole": spec.kind is int, "value": spec.default,
    }  # fmt: skip


def action_document(spec: ActionSpec) -> dict[str, Any]:
    """A kind of action as the page needs it."""
    value = spec_document(spec.value_param) if spec.value_param else None
    return {"kind": spec.kind, "label": spec.label, "targets": list(spec.targets), "value": value, "help": spec.help}


def _edition(quota: Quota) -> str:
    """A quota in both editions, in words: "SQS message size: 262,144 bytes in the notes of 2023, ..."."""
    service, _, name = quota.name.partition(".")
    texts = [
        ("no", "yes")[x] if isinstance(x, bool) else f"{x:,} {quota.unit}".rstrip() if not isinstance(x, str) else x
        for x in (quota.course, quota.today)
    ]
    return f"{service.upper()} {name.replace('_', ' ')}: {texts[0]} in the notes of 2023, {texts[1]} today"


def form_document(scenario: Scenario) -> dict[str, Any]:
    """What does not change while a workbench lives: title, parameters, the quotas that differ between the editions."""
    fifo = any(".fifo" in place.match for place in scenario.topology().places)
    changed = [
        _edition(quota)
        for quota in quotas("api", *scenario.services).values()
        if quota.course != quota.today and (fifo or "fifo" not in quota.name)
    ]
    return {
        "title": scenario.title,
        "params": [spec_document(s) for s in scenario.params().values()],
        "limits": changed,
    }


def words(action: Action, scenario: Scenario) -> str:
    """An action in words."""
    params, spec = scenario.params(), next((s for s in scenario.actions() if s.kind == action.kind), None)
    if action.kind == "set" and action.target in params and action.value is not None:
        return f"{action.at:.1f} s: {params[action.target].said(action.value)}"
    label = f"{spec.label}: {action.target}" if spec and action.target else spec.label if spec else action.kind
    value = f", {spec.value_param.said(action.value)}" if action.value is not None and spec and spec.value_param else ""
    return f"{action.at:.1f} s: {label}{value}"


def differences(a: Setup, b: Setup) -> tuple[str, str]:
    """What is different in two setups: its name and value in each."""
    if type(a.scenario) is not type(b.scenario):
        return type(a.scenario).__name__, type(b.scenario).__name__
    ours, theirs, specs = a.scenario.values(), b.scenario.values(), a.scenario.params()
    pairs = [(specs[n].said(ours[n]), specs[n].said(theirs[n])) for n in specs if ours[n] != theirs[n]]
    if a.seed != b.seed:
        pairs.append((f"seed {a.seed}", f"seed {b.seed}"))
    if a.limits != b.limits:
        pairs.append((f"quotas {a.limits}", f"quotas {b.limits}"))
    for one, other in ((a, b),):
        mine = [words(x, one.scenario) for x in one.actions if x not in other.actions]
        yours = [words(x, other.scenario) for x in other.actions if x not in one.actions]
        if mine or yours:
            pairs.append(("; ".join(mine) or "without that", "; ".join(yours) or "without that"))
    if not pairs:
        return "this run", "the same run"
    first, second = zip(*pairs[:3], strict=True)
    more = f", and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    return ", ".join(first) + more, ", ".join(second) + more


def comparison(a: Run, b: Run) -> dict[str, Any]:
    """Two runs side by side for the page: names, rows of numbers, the sentence, the first event at which they part."""
    found = compare(a, b)
    pairs = [(label, *(_text(label, x, unit) for x in values), unit) for label, *values, unit in found.rows]
    parting = found.first_divergence
    return {
        "names": differences(Setup.of(a), Setup.of(b)),
        "rows": [[label, one, other, one != other] for label, one, other, _ in pairs],
        "sentence": found.sentence,
        "divergence": parting and {"t": parting.time, "text": parting.text.partition(": ")[2]},
    }


def _text(label: str, value: float, unit: str) -> str:
    return "–" if math.isnan(value) else number(label, value, unit).text


def lowered(run: Run) -> str:
    """What came of the run, as a headline."""
    line = run.measures.line()
    return f"{line[0].upper()}{line[1:]}."
