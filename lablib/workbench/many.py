"""The band over many seeds behind a single run: made run by run, so that the kernel goes on to answer meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from lablib.measures import Band, bands
from lablib.workbench.setup import Setup

SEEDS = 30
PAUSE = 0.02  # seconds between two runs in which the kernel answers what the page has asked


class ManyRuns:
    """Makes the band of a setup. `changed(drawn)` is called at each step; `drawn` says that the band is another one."""

    def __init__(self, changed: Callable[[bool], None], failed: Callable[[Exception], None]) -> None:
        self._changed, self._failed = changed, failed
        self._task: asyncio.Task[None] | None = None
        self.band: Band | None = None
        self.document: dict[str, Any] = {}
        self.stop()

    def start(self, setup: Setup) -> None:
        """Begin. In a notebook this returns at once; elsewhere the band is there when it returns."""
        self.stop()
        self.document = {"on": True, "part": 0.0, "text": ""}
        steps = bands(setup.scenario, SEEDS, "depth", setup.actions, setup.until, setup.limits)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # nobody waits for the kernel
            for done, found in enumerate(steps, 1):
                self._step(done, found)
        else:
            self._changed(False)
            self._task = loop.create_task(self._in_steps(steps))

    def stop(self, text: str = "") -> None:
        """Call off what is under way and forget the band. `text` says why."""
        if self._task:
            self._task.cancel()
        self._task, self.band = None, None
        self.document = {"on": False, "part": 0.0, "text": text}

    async def _in_steps(self, steps: Iterator[Callable[[], Band]]) -> None:
        try:
            for done in range(1, SEEDS + 1):
                await asyncio.sleep(PAUSE)
                self._step(done, next(steps))
        except Exception as error:  # as when the page asks: the learner must see it
            self._task = None
            self.stop()
            self._failed(error)

    def _step(self, done: int, found: Callable[[], Band]) -> None:
        last = done == SEEDS
        self.band = found() if last else None
        text = f"The band is drawn: {SEEDS} seeds." if last else f"{done} of {SEEDS} runs"
        self.document = {"on": True, "part": done / SEEDS, "text": text}
        self._changed(last)
