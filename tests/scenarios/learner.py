"""What a learner does with the missions of a lab: one after the other, in the workbench that the notebook opens, with
the controls that each shows and with what the missions before have left.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lablib.scenarios import Action, Scenario
from lablib.scenarios.missions import Mission, works
from lablib.scenarios.scenario import find

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Bench:
    """The first workbench of a notebook: the run that changes. `notebook`: its name, without a folder."""

    notebook: str
    scenario: Scenario
    seed: int


def first_bench(source: Path) -> Bench:
    """From the source of a lab."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "workbench":
            given = {word.arg: word.value for word in node.keywords}
            kind = find(ast.unparse(node.args[0]))
            values = {name: ast.literal_eval(given[name]) for name in given if name in kind.params()}
            return Bench(f"{source.stem}.ipynb", kind(**values), ast.literal_eval(given["seed"]))
    raise LookupError(f"{source.name} has no workbench")


def benches() -> dict[type[Scenario], Bench]:
    """The first workbench of each lab, by the class of its scenario."""
    found = map(first_bench, sorted((ROOT / "solutions").glob("[0-9][0-9]*-*.py")))
    return {type(bench.scenario): bench for bench in found}


@dataclass(frozen=True)
class Step:
    """A mission, the settings and actions that meet it, and what the workbench plays then."""

    mission: Mission
    settings: dict[str, object]
    actions: tuple[Action, ...]
    scenario: Scenario
    all_actions: tuple[Action, ...]


def steps(bench: Bench, answers: dict[str, tuple]) -> list[Step]:
    """A learner's way through the missions. `answers`: what meets each mission, by key: (scenario, seed, actions)."""
    scenario, done, found = bench.scenario, [], []
    for mission in scenario.missions:
        good, _, *more = answers[mission.key]
        settings = {name: value for name, value in good.values().items() if name in mission.controls}
        scenario = scenario.replace(**settings)
        actions = _done(mission, scenario, bench.seed, done, more[0] if more else ())
        done = [*done, *actions]
        found.append(Step(mission, settings, tuple(actions), scenario, tuple(done)))
    return found


def _done(
    mission: Mission, scenario: Scenario, seed: int, before: list[Action], wanted: Sequence[Action]
) -> list[Action]:
    """The wanted actions in this run. Who is to crash is somebody who works, half a second after it began: the first
    who makes the mission good, since a learner tries again.
    """
    if not any(action.kind == "crash" for action in wanted):
        return list(wanted)
    (crash,) = wanted
    begun = [w for w in works(scenario.run(seed, before)) if w.what == "works" and w.time > crash.at - 1]
    for work in begun[:: max(1, len(begun) // 40)]:
        actions = [Action("crash", round(work.time + 0.5, 6), work.worker)]
        if mission.at(scenario.run(seed, [*before, *actions])) is not None:
            return actions
    return [crash]
