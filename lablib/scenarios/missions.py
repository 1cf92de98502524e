"""Missions: things to bring about in a scenario. The run itself says whether one is met, and from which instant on.

Words stand in the lab's texts (`lablib/texts`): the section "mission KEY" has the sentence of the task, and in a second
paragraph what to say when it is met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from lablib import texts
from lablib.texts import counted

if TYPE_CHECKING:
    from lablib.scenarios.run import Run


# The instant (virtual seconds) at which a mission was met, True for the end of the run; else a text: how near the run
# came ("2 videos were lost"), or None when there is nothing to say.
Met = float | bool | str | None


class Curve(NamedTuple):
    """The one measure that a scenario is about: its `name` among the measures of a run, and its words."""

    name: str
    words: str


@dataclass(frozen=True)
class Mission:
    """Something to bring about. `key` names its words ("01.lossless"), `controls` are the one to three parameters and
    actions that it needs. `met(run)` says when the run met it, or why it did not.
    """

    key: str
    controls: tuple[str, ...]
    met: Callable[[Run], Met]

    @property
    def sentence(self) -> str:
        """The task in one sentence."""
        return texts.text(f"mission {self.key}").partition("\n")[0]

    @property
    def reply(self) -> str:
        """What to say when it is met."""
        return texts.text(f"mission {self.key}").partition("\n")[2]

    def at(self, run: Run) -> float | None:
        """When the run met it; None: it did not."""
        return self.document(run)["at"]

    def document(self, run: Run) -> dict[str, Any]:
        """The mission as the page needs it, with what came of it in this run."""
        found = self.met(run)
        why = found if isinstance(found, str) else ""
        at = run.until if found is True else None if why or found is None or found is False else float(found)
        words = {"key": self.key, "text": self.sentence, "said": self.reply, "controls": list(self.controls)}
        return words | {"met": at is not None, "at": at, "why": why}


def mission(key: str, *controls: str) -> Callable[[Callable[[Run], Met]], Mission]:
    """Make a function of the run a mission: `@mission("01.lossless", "consumers", "mode")`."""
    return lambda met: Mission(key, controls, met)


# ---- what several missions ask of a run ------------------------------------------------------------------------------


def lasted(run: Run) -> bool:
    """Did it last as long as its scenario does?"""
    return run.until >= run.scenario.duration


def changed(run: Run, *names: str) -> str:
    """Which of these parameters have other values than their defaults, now or later, in words; "" for none. So that
    nobody wins by asking for less.
    """
    others = {action.target for action in run.actions if action.kind == "set"} | run.scenario.changed().keys()
    labels = [spec.label for name, spec in run.scenario.params().items() if name in others & set(names)]
    return f"it counts with {', '.join(map(repr, labels))} as given" if labels else ""


class AtWork(NamedTuple):
    """A worker begins to work on a subject, has worked on it, or goes down in it (`what`: "works", "worked", "down").
    How many work on the same subject afterwards (`together`), and how many on anything (`busy`).
    """

    time: float
    what: str
    subject: str
    worker: str
    together: int
    busy: int


@lru_cache(maxsize=8)
def works(run: Run) -> tuple[AtWork, ...]:
    """The beginnings and ends of all work, in the order of time. Who crashes while it does nothing is left out."""
    changes = []
    for work in run.measures.work:
        changes.append((work.start, "works", work))
        if (end := max(work.end, work.cut)) >= 0:
            changes.append((end, "worked" if work.end >= 0 else "down", work))
    together: Counter[str] = Counter()
    times, found, busy = run.trace.column("time"), [], 0
    for row, what, work in sorted(changes):
        by = 1 if what == "works" else -1
        together[work.subject] += by
        busy += by
        found.append(AtWork(times[row], what, work.subject, work.actor, together[work.subject], busy))
    return tuple(found)


def crowded(run: Run, workers: int) -> Met:
    """When so many workers worked on one message at the same time."""
    most = max((work.together for work in works(run)), default=0)
    near = f"at most {counted(most, 'worker')} on one message"
    return next((work.time for work in works(run) if work.together >= workers), near)


def all_busy(run: Run, workers: int, called: str = "worker") -> Met:
    """When so many workers were at work at the same time. `called`: what the picture calls one of them."""
    near = f"at most {counted(most_busy(run), called)} busy at once"
    return next((work.time for work in works(run) if work.busy >= workers), near)


def met_unless(run: Run, near: Mapping[str, object]) -> Met:
    """Met at the end of a run that lasted, when none of these texts is true of it; else the first that is."""
    return next((why for why, is_so in near.items() if is_so), lasted(run))


def most_busy(run: Run) -> int:
    """How many workers were at work at the same time, at most."""
    return max((work.busy for work in works(run)), default=0)
