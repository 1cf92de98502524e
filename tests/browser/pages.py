"""Pages that need no JupyterLab: what a workbench shows in a notebook, with nobody who answers."""

import json
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import lablib.scenarios
from lablib.scenarios import Scenario
from lablib.workbench import Workbench, to_html

MOUNTS = 'mount(document.getElementById("workbench"), savedStore(saved))'


def scenarios() -> dict[str, type[Scenario]]:
    """The scenarios of all labs, by lab and name."""
    modules = [m.name for m in pkgutil.iter_modules(lablib.scenarios.__path__) if m.name.startswith("lab")]
    found: dict[str, type[Scenario]] = {}
    for name in sorted(modules):
        own = getattr(import_module(f"lablib.scenarios.{name}"), "SCENARIOS", {})
        found |= {f"{name.removeprefix('lab')} {key}": scenario for key, scenario in own.items()}
    return found


def notebook_page(bench: Workbench, path: Path) -> Path:
    """A page that looks like this workbench in a notebook, with its settings and missions."""
    text = to_html(bench.run, path, bench.kept).read_text(encoding="utf-8")
    missions = [mission.document(bench.run) | {"kept": False} for mission in bench.run.scenario.missions]  # not later
    own: dict[str, Any] = {"form": bench._form, "state": {**bench._state, "missions": missions, "question": None}}
    own_text = json.dumps(own).replace("</", "<\\/")
    live = MOUNTS.replace("savedStore(saved)", f"{{...savedStore({{...saved, ...{own_text}}}), live: true}}")
    assert MOUNTS in text
    path.write_text(text.replace(MOUNTS, live), encoding="utf-8")
    return path
