"""What the page shows besides the animation: settings, comparison, results, lives, as plain documents."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

from lablib.aws.quotas import Quota
from lablib.measures import Band, compare
from lablib.measures.series import number
from lablib.scenarios import Action, ActionSpec, ParamSpec, Run, Scenario
from lablib.scenarios.param import of_one
from lablib.services import quotas
from lablib.views.history import Life
from lablib.views.panels import overview, time_unit
from lablib.workbench import document
from lablib.workbench.setup import Setup

_MESSAGE = re.compile(r"\bmessage ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


def drawn(run: Run, kept: Run | None = None) -> dict[str, bytes]:
    """What the page plays, packed: "run" and "other" (the kept run; empty without one)."""
    return {"run": _packed(run), "other": _packed(kept) if kept else b""}


@lru_cache(maxsize=2)  # the kept one often stays
def _packed(run: Run) -> bytes:
    return document.pack(document.describe(run))


def figure_document(run: Run, kept: Run | None = None, many: Band | None = None) -> bytes:
    """What the page plots, packed. It is fetched when it is looked at."""
    figure = overview(run, kept, many, "BA")  # what was kept is A
    for trace in figure["data"]:  # a picture needs no more digits
        trace |= {"x": trace["x"].astype("f4"), "y": trace["y"].astype("f4")}
    return document.pack({**figure, "scale": time_unit(run.until)[0]})


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


def spec_document(spec: ParamSpec) -> dict[str, Any]:
    """A parameter as the page needs it."""
    return {
        "name": spec.name, "label": spec.label, "low": spec.low, "high": spec.high, "step": spec.step,
        "unit": spec.unit, "one": of_one(spec.unit), "scale": spec.scale,
        "help": spec.help, "aws": spec.aws, "choices": list(spec.choices), "log": spec.log, "kind": spec.kind.__name__,
        "whole": spec.kind is int, "value": spec.default,
    }  # fmt: skip


def action_document(spec: ActionSpec) -> dict[str, Any]:
    """A kind of action as the page needs it."""
    value = spec_document(spec.value_param) if spec.value_param else None
    about = {"kind": spec.kind, "label": spec.label, "targets": list(spec.targets), "at": spec.at}
    return about | {"value": value, "help": spec.help}


def _edition(quota: Quota) -> str:
    """A quota in both editions, in words: "SQS message size: 262,144 bytes in 2023, ..."."""
    service, _, name = quota.name.partition(".")
    texts = [
        ("no", "yes")[x] if isinstance(x, bool) else f"{x:,} {quota.unit}".rstrip() if not isinstance(x, str) else x
        for x in (quota.course, quota.today)
    ]
    return f"{service.upper()} {name.replace('_', ' ')}: {texts[0]} in 2023, {texts[1]} today"


def state_document(run: Run, kept: Run | None = None, share: str = "") -> dict[str, Any]:
    """What the page shows of a run besides the animation and the figure. `share`: the text that stands for it."""
    return {
        "values": run.scenario.values(),
        "seed": run.seed,
        "limits": run.limits,
        "canDo": [action_document(spec) for spec in run.scenario.actions()],
        "actions": [words(action, run.scenario) for action in run.actions],
        "names": differences(Setup.of(kept), Setup.of(run)) if kept else None,
        "share": share or run.share(),
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
    mine = [words(x, a.scenario) for x in a.actions if x not in b.actions]
    yours = [words(x, b.scenario) for x in b.actions if x not in a.actions]
    if mine or yours:
        none, no = ("without that" if setup.actions else "no action" for setup in (a, b))
        pairs.append(("; ".join(mine) or none, "; ".join(yours) or no))
    if not pairs:
        return "this run", "the same run"
    first, second = zip(*pairs[:3], strict=True)
    more = f", and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    return ", ".join(first) + more, ", ".join(second) + more


def comparison(a: Run, b: Run) -> dict[str, Any]:
    """Two runs side by side for the page: rows of numbers, the sentence, the first event at which they part."""
    found = compare(a, b)
    pairs = [(label, *(_text(label, x, unit) for x in values)) for label, *values, unit in found.rows]
    parting = found.first_divergence
    return {
        "rows": [[label, one, other, one != other] for label, one, other in pairs],
        "sentence": found.sentence,
        "divergence": parting and {"t": parting.time, "text": parting.text.partition(": ")[2]},
    }


def _text(label: str, value: float, unit: str) -> str:
    return "–" if math.isnan(value) else number(label, value, unit).text


def life_document(one: Life, subjects: list[str]) -> dict[str, Any]:
    """A life for the page, which knows messages by their numbers."""

    def numbered(found: re.Match[str]) -> str:
        return f"message {subjects.index(found[1]) + 1}" if found[1] in subjects else found[0]

    kin = [[subjects.index(k.subject), k.words] for k in one.related if k.subject in subjects]
    clauses = [[time, _MESSAGE.sub(numbered, text), api] for time, text, api in one.clauses]
    return {**one._asdict(), "clauses": clauses, "kin": kin}


def summary_document(run: Run) -> list[list[str]]:
    """The results of the whole run for the page."""
    return [[n.label, n.text] for n in run.measures.summary()]


def table_document(run: Run) -> dict[str, Any]:
    """What is plotted, as a table for the page."""
    frame = run.measures.table()
    rows = [[f"{t:g}", *(f"{x:g}" for x in row)] for t, row in zip(frame.index, frame.to_numpy(), strict=True)]
    return {
        "caption": "What is plotted, at equal steps of time",
        "heads": [frame.index.name, *frame.columns],
        "rows": rows,
    }
