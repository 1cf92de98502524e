"""Which missions of a scenario a run meets, and which were met before: one that was met stays met."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lablib.scenarios import Run
from lablib.workbench.cell_widget import when_idle
from lablib.workbench.kept import MISSIONS, Kept

PAUSE = 0.5  # seconds without a change after which a run is looked at: a slider that moves is not held up


class Progress:
    """The missions of a workbench. `changed()` is called when more is known of them; `document` is for the page.

    A mission counts as met when the instant at which the run met it has been shown.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._later: asyncio.TimerHandle | None = None
        self._run: Run | None = None
        self._cursor = 0.0
        self._found: dict[str, str] = {}  # by the key of a mission: the first run that met it, as a text
        self.document: list[dict[str, Any]] = []

    def look(self, run: Run) -> None:
        """There is another run. In a notebook it is looked at when nothing changed for a moment, elsewhere at once."""
        self.stop()
        self._run = run
        if not run.scenario.missions:
            return
        if not self.document:
            blank = {"met": False, "at": None, "why": ""}
            self.document = [{**_words(mission), **blank} for mission in run.scenario.missions]
            self._mark()
        self._later = when_idle(PAUSE, self._look)

    def _look(self) -> None:
        assert self._run
        self._later = None
        self.document = [mission.document(self._run) for mission in self._run.scenario.missions]
        for one in self.document:
            if one["met"] and one["key"] not in self._found:
                self._found[one["key"]] = self._run.share()
        self._mark()
        self.shown(self._cursor)
        self._changed()

    def _mark(self) -> None:
        kept = Kept(MISSIONS).all()
        for one in self.document:
            one["kept"] = one["key"] in kept

    def shown(self, cursor: float) -> None:
        """An instant of the run is shown: what was met until then is kept, one after the other. The page asks for a
        later mission, and has words for it, when those before it are met.
        """
        self._cursor = cursor
        for one in self.document:
            if not (one["kept"] or (one["met"] and one["at"] <= cursor)):
                return
            self.met(one["key"])

    def met(self, key: str) -> None:
        """The page showed that this mission is met: it may have shown more of the run than the instant where it is, and
        the run may be another by now.
        """
        self._keep(lambda one: one["key"] == key)

    def _keep(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        for one in self.document:
            if one["key"] in self._found and not one["kept"] and wanted(one):
                one["kept"] = True
                Kept(MISSIONS).put(one["key"], self._found[one["key"]])

    def stop(self) -> None:
        """Do not look at a run any more."""
        if self._later:
            self._later.cancel()
        self._later = self._run = None


def _words(mission: Any) -> dict[str, Any]:
    return {"key": mission.key, "text": mission.sentence, "said": mission.reply, "controls": list(mission.controls)}
