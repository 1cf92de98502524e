"""A failing case of an exercise in the workbench: to look at, not to change."""

from __future__ import annotations

import re
import textwrap
from typing import Any, Protocol, runtime_checkable

from lablib.aws.quotas import Edition
from lablib.kernel import Trace
from lablib.scenarios import Action, ActionSpec, Run, Scenario, Topology, topology_of
from lablib.services import quota_values
from lablib.workbench.setup import Session, Setup

_UNCHANGED = "this is a failing case as it was: nothing in it can be changed; change your function"
_SHORT = 100  # characters of a title


@runtime_checkable
class Case(Protocol):
    """What a failing case offers to be looked at (`lablib.exercises.Replay`)."""

    @property
    def title(self) -> str: ...
    @property
    def problem(self) -> str: ...
    @property
    def trace(self) -> Trace: ...
    @property
    def until(self) -> float: ...
    @property
    def seed(self) -> int: ...
    @property
    def subjects(self) -> tuple[str, ...]: ...
    @property
    def calls(self) -> tuple[int, ...]: ...
    @property
    def unit(self) -> str: ...


class _CaseRun(Run):
    """What came of a failing case. No text can hold the learner's function, so it cannot be shared."""

    def share(self, cursor: float | None = None) -> str:
        return ""


class FailingCase(Scenario):
    """A failing case of an exercise"""

    _case: Case
    _run: Run

    def __init__(self, case: Case) -> None:
        super().__init__()
        object.__setattr__(self, "_case", case)
        object.__setattr__(self, "unit", case.unit)
        made = _CaseRun(self, case.seed, (), case.until, "2023", case.trace, quota_values(), topology_of(case.trace))
        object.__setattr__(self, "_run", made)

    @property
    def title(self) -> str:
        """The exercise, and what went wrong in short: the first sentence. The verdict has the rest."""
        sentence = re.split(r"(?<=[.!?:]) ", self._case.problem.splitlines()[0])[0]
        return f"{self._case.title}: {textwrap.shorten(sentence, _SHORT, placeholder=' ...')}"

    def topology(self) -> Topology:
        """The places, as far as the trace knows them."""
        return self._run.topology

    def actions(self) -> tuple[ActionSpec, ...]:
        """Nothing can be done to it."""
        return ()

    def run(self, seed: int = 0, actions: Any = (), until: float | None = None, limits: Edition = "2023") -> Run:
        """The case as it was. Raises ValueError when anything in it is to be another."""
        if (seed, tuple(actions), until, limits) != (self._run.seed, (), self._run.until, "2023"):
            raise ValueError(_UNCHANGED)
        return self._run

    def replace(self, **changes: Any) -> Scenario:
        """Nothing can be changed: raises ValueError."""
        if changes:
            raise ValueError(_UNCHANGED)
        return self

    def check_action(self, action: Action, until: float) -> Action:
        """There are none."""
        raise ValueError(_UNCHANGED)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def session_of(case: Case) -> Session:
    """The session in which a failing case is shown."""
    return Session(Setup(FailingCase(case), case.seed, until=case.until))


def instant(case: Case) -> float:
    """When the last thing happened that the failure is about, or a program crashed that had to do with it, in seconds;
    the end of the case when nothing is known.
    """
    rows = [case.trace[i] for i in case.calls]
    rows += [row for subject in case.subjects for row in case.trace.where(subject=subject)]
    rows += case.trace.where("Crashed", actor=tuple({row.actor for row in rows}))
    return max((row.time for row in rows), default=case.until)
