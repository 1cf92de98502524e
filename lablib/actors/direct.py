"""The direct, synchronous call: the caller waits for the worker, and only the workers' own backlog lies between.

A request is accepted when a worker is free or the backlog of waiting requests has room, else it is refused at once.
The caller waits `timeout` seconds and then gives up. The workers do not know that: they still do the work, in vain.
When a worker crashes, its caller hears nothing and waits for its timeout.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from lablib.actors.fleet import Worker
from lablib.kernel import Kernel, Signal, Timer, Trace


class DirectCall:
    """What a group of workers is called through. `limit()` requests may wait in its backlog; callers wait `timeout()`
    seconds; `seconds(key)` is the work.

    Call it as the program of a `Fleet`. It writes Requested, Accepted (until when its caller waits), Refused, Answered,
    TimedOut; `place` is their resource.
    """

    def __init__(
        self,
        kernel: Kernel,
        trace: Trace,
        place: str,
        limit: Callable[[], int],
        timeout: Callable[[], float],
        seconds: Callable[[str], float],
    ) -> None:
        self._kernel = kernel
        self._trace = trace
        self._place = place
        self._limit = limit
        self._timeout = timeout
        self._seconds = seconds
        self._backlog: deque[tuple[str, int]] = deque()
        self._callers: dict[str, Timer] = {}
        self._idle: list[Worker] = []
        self._come = Signal(kernel)

    def request(self, caller: str, key: str, up: bool) -> None:
        """`caller` asks for `key` and waits for the answer. `up`: does any worker run? If none does, the
        request is refused.
        """
        add = self._trace.add
        row = add("Requested", self._place, key, caller)
        free = sum(not worker.frozen for worker in self._idle)
        if not up or len(self._backlog) >= self._limit() + free:
            add("Refused", self._place, key, caller, row)
            return
        patience = self._timeout()
        row = add("Accepted", self._place, key, caller, row, until=self._kernel.now + patience)
        self._callers[key] = self._kernel.after(patience, self._give_up, caller, key, row)
        self._backlog.append((key, row))
        self._come.fire()

    def _give_up(self, caller: str, key: str, row: int) -> None:
        del self._callers[key]
        self._trace.add("TimedOut", self._place, key, caller, row)

    def __call__(self, worker: Worker) -> None:
        while not worker.stopping:
            worker.wait_while_frozen()
            if not self._backlog:
                self._wait(worker)
                continue
            key, row = self._backlog.popleft()
            done = worker.work(self._place, key, row, self._seconds(key))
            timer = self._callers.pop(key, None)
            if timer:
                timer.cancel()
                self._trace.add("Answered", self._place, key, worker.name, done)

    def _wait(self, worker: Worker) -> None:
        self._idle.append(worker)
        try:
            self._kernel.wait(self._come)
        finally:
            self._idle.remove(worker)

    def wake(self) -> None:
        """Let idle workers look whether they are still wanted."""
        self._come.fire()
