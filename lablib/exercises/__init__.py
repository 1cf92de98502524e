"""Exercises: the learner writes a function, the lab looks for the case that breaks it.

exercise("01.idempotent").check(consumer)     # also .hint() .solution() .replay() .state
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache

from lablib.exercises.base import Exercise
from lablib.exercises.case import Case, knobs
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.verdict import Replay, Verdict

__all__ = ["Case", "Exercise", "Problem", "Replay", "Stage", "Verdict", "all_exercises", "exercise", "knobs"]


@cache
def _registry() -> dict[str, Exercise]:
    labs = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name.startswith("lab"))
    modules = (importlib.import_module(f"{__name__}.{lab}") for lab in labs)
    return {e.id: e for module in modules for e in module.EXERCISES}


def all_exercises() -> tuple[Exercise, ...]:
    """Every exercise of every lab, in order."""
    return tuple(_registry().values())


def exercise(id: str) -> Exercise:
    """The exercise with that id, such as "01.producer". Raises ValueError for an unknown one."""
    known = _registry()
    if id not in known:
        near = difflib.get_close_matches(str(id), known, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"no exercise is called {id!r}; {hint}")
    return known[id]
