"""A fleet of workers: programs that do one thing after the other, can crash, freeze, and be scaled.

What a worker does is a function `serve(worker)`; the fleet knows only how workers begin and end. A crash ends the
process where it stands. A freeze stops the worker's own progress, not the world's: a call that is under way is
answered, a message can be handed to it, but it does nothing before the freeze is over, and work takes as much longer
as the freeze lasted. Scaling in lets a worker finish what it has in hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from lablib.kernel import Kernel, Process, Signal, Trace


class Worker:
    """One program of a fleet. `stopping` asks it to end when it has nothing in hand; `call_off` wakes it for that."""

    def __init__(self, kernel: Kernel, trace: Trace, name: str) -> None:
        self._kernel = kernel
        self._trace = trace
        self._frozen_until = 0.0
        self._lost = 0.0  # seconds of freeze that what is in hand has to make up for
        self.name = name
        self.process: Process | None = None
        self.stopping = False
        self.down = False  # crashed, and not yet started again
        self.call_off = Signal(kernel)
        self.spans: list[tuple[float, float]] = []  # from when to when it was there, also while it was down

    @property
    def alive(self) -> bool:
        """Is its process running?"""
        return self.process is not None and self.process.alive

    @property
    def frozen(self) -> bool:
        """Is it frozen?"""
        return self._frozen_until > self._kernel.now

    def begin(self, process: Process) -> None:
        """It runs (again), as this process."""
        if not self.there:
            self.spans.append((self._kernel.now, math.inf))
        self.process = process
        self.down = False
        self._frozen_until = self._lost = 0.0

    @property
    def there(self) -> bool:
        """Is it part of the fleet? One that crashed is, until it is scaled in."""
        return bool(self.spans) and self.spans[-1][1] == math.inf

    def leave(self) -> None:
        """It is no part of the fleet any more."""
        if self.there:
            self.spans[-1] = (self.spans[-1][0], self._kernel.now)

    def wait_while_frozen(self) -> None:
        """Block while the worker is frozen."""
        while self._frozen_until > self._kernel.now:
            self._kernel.wait(None, self._frozen_until - self._kernel.now)

    def hold(self, seconds: float) -> None:
        """Block for `seconds`, and longer when frozen meanwhile."""
        self.wait_while_frozen()
        self._lost = 0.0
        self._kernel.wait(None, seconds)
        while self._lost:
            lost, self._lost = self._lost, 0.0
            self._kernel.wait(None, lost)

    def work(
        self,
        place: str,
        subject: str,
        cause: int,
        seconds: float,
        then: Callable[[], None] | None = None,
        failed: bool = False,
    ) -> int:
        """Work on `subject` for `seconds`, and longer when frozen meanwhile; `then` is the rest of the work. `failed`:
        it comes to nothing in the end.

        Writes WorkStarted, whose `until` is when the work would end without a freeze, a `then` or a crash, and
        WorkEnded; returns the row of the latter.
        """
        self.wait_while_frozen()
        row = self._trace.add("WorkStarted", place, subject, self.name, cause, until=self._kernel.now + seconds)
        self.hold(seconds)
        if then:
            then()
        return self._trace.add("WorkEnded", place, subject, self.name, row, "failed" if failed else None)

    def freeze(self, seconds: float) -> None:
        """Stop its progress for `seconds` from now."""
        now = self._kernel.now
        until = max(self._frozen_until, now + seconds)
        self._lost += until - max(self._frozen_until, now)
        self._frozen_until = until
        row = self._trace.add("Frozen", actor=self.name, until=until)
        self._kernel.at(until, self._unfrozen, self.process, row)

    def _unfrozen(self, process: Process | None, row: int) -> None:
        if process is self.process and self.alive and not self.frozen:
            self._trace.add("Unfrozen", actor=self.name, cause=row)


class Fleet:
    """Workers called `<name>-1`, `<name>-2`, ... `restart` tells after how many seconds a crashed one starts again;
    0: never.
    """

    def __init__(
        self, kernel: Kernel, trace: Trace, name: str, serve: Callable[[Worker], None], restart: Callable[[], float]
    ) -> None:
        self._kernel = kernel
        self._trace = trace
        self._name = name
        self._serve = serve
        self._restart = restart
        self._all: list[Worker] = []
        self.size = 0

    @property
    def workers(self) -> list[Worker]:
        """Those that are wanted now; some may be down."""
        return self._all[: self.size]

    @property
    def known(self) -> list[Worker]:
        """All that ever were."""
        return list(self._all)

    def resize(self, size: int) -> None:
        """Let there be `size` workers from now on. Those with the highest numbers go, after what they have in hand."""
        self.size = size
        while len(self._all) < size:
            self._all.append(Worker(self._kernel, self._trace, f"{self._name}-{len(self._all) + 1}"))
        for worker in self._all[size:]:
            worker.stopping, worker.down = True, False
            worker.call_off.fire()
            if not worker.alive:
                worker.leave()
        for worker in self._all[:size]:
            worker.stopping = False
            if not worker.alive and not worker.down:
                self._start(worker)

    def _start(self, worker: Worker) -> None:
        worker.begin(self._kernel.spawn(self._run, worker, name=worker.name))

    def _run(self, worker: Worker) -> None:
        self._serve(worker)
        worker.leave()

    def crash(self, name: str) -> None:
        """End a worker where it stands: what it had in hand stays undone. Nothing happens to one that is down
        already.
        """
        worker = self.find(name)
        if not worker.alive or worker.process is None:
            return
        self._kernel.kill(worker.process)
        worker.down = True
        row = self._trace.add("Crashed", actor=name)
        pause = self._restart()
        if pause:
            self._kernel.after(pause, self._come_back, worker, worker.process, row)

    def _come_back(self, worker: Worker, crashed: Process, row: int) -> None:
        if worker.down and worker.process is crashed:
            self._trace.add("Restarted", actor=worker.name, cause=row)
            self._start(worker)

    def freeze(self, name: str, seconds: float) -> None:
        """Freeze a worker for `seconds`. Nothing happens to one that is down."""
        worker = self.find(name)
        if worker.alive:
            worker.freeze(seconds)

    def find(self, name: str) -> Worker:
        """The worker of that name. Raises ValueError, one line, when the fleet has none at this instant."""
        for worker in self.workers:
            if worker.name == name:
                return worker
        names = ", ".join(worker.name for worker in self.workers) or "none"
        raise ValueError(f"target={name!r}: there is none at {self._kernel.now:g} s; there are: {names}")
