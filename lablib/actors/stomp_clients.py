"""Ordinary stomp.py programs of a scenario: shops that send orders, packers that receive them, and how they reconnect.

stomp.py does not reconnect by itself when a connection breaks: a program must. It waits between two tries, as the
values `wait` ("doubling", "jitter", "fixed") and `longest` say, and tries each host that it knows.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from operator import contains
from typing import Any

from lablib.actors.fleet import Worker
from lablib.aws.event import Event
from lablib.kernel import Chance, Kernel, Signal, Trace

logging.getLogger("stomp.py").addHandler(logging.NullHandler())  # else each failed attempt would be printed

QUEUE = "/queue/orders"
PORT = 61614
_FIRST = 0.1  # seconds: the first wait
_BEAT = 1000  # ms between two heart-beats: over TLS stomp.py 9 sees the end of a connection only when it sends
_NAME, _PASSWORD = "shop", "warehouse-42"
RECONNECTED = Event(
    "Reconnected", "{actor} is connected again, after trying for {detail:.1f} s", label="back",
    notable="{actor} is connected again, after trying for {detail:.1f} s.",
)  # fmt: skip


class _Line:
    """A connection of stomp.py, and what it has heard."""

    def __init__(self, kernel: Kernel, arrived: Callable[[str], Any]) -> None:
        import stomp

        class Listener(stomp.ConnectionListener):
            def on_message(_, frame: Any) -> None:
                arrived(frame.body)
                self.hear(self.messages.append, frame)

            def on_receipt(_, frame: Any) -> None:
                self.hear(self.receipts.add, frame.headers["receipt-id"])

            def on_disconnected(_) -> None:
                self.hear(lambda _: None, None, gone=True)

        self.listener = Listener()
        self.messages: deque[Any] = deque()
        self.receipts: set[str] = set()
        self.gone = False
        self.kernel, self.changed = kernel, Signal(kernel)
        self.connection: Any = None

    def hear(self, keep: Callable[[Any], Any], what: Any, gone: bool = False) -> None:
        keep(what)
        self.gone |= gone
        self.changed.fire()

    def wait(self, ready: Callable[[], bool], until: float = inf) -> None:
        """Until it is ready, the connection is gone, or it is `until`."""
        while not ready() and not self.gone and self.kernel.now < until:
            self.kernel.wait(self.changed, None if until == inf else until - self.kernel.now)


class Clients:
    """The programs. `values` are those of the scenario, `hosts` those that they know."""

    def __init__(
        self, kernel: Kernel, trace: Trace, chance: Chance, values: Mapping[str, Any], hosts: list[str]
    ) -> None:
        self._kernel, self._trace, self._chance, self._values = kernel, trace, chance, values
        self._hosts = [(host, PORT) for host in hosts]

    def connect(self, name: str) -> _Line:
        """A connection to the first host that answers; tries again and again."""
        import stomp

        begun, delay, chance = self._kernel.now, _FIRST, self._chance.stream(f"waits of {name}")
        while True:
            line = _Line(self._kernel, lambda order: self._trace.add("OrderHere", QUEUE, order, name))
            line.connection = stomp.Connection12(
                self._hosts, reconnect_attempts_max=len(self._hosts), timeout=3, heartbeats=(_BEAT, _BEAT)
            )
            line.connection.set_ssl(for_hosts=self._hosts)
            line.connection.set_listener("", line.listener)
            try:
                line.connection.connect(_NAME, _PASSWORD, wait=True)
            except (stomp.exception.StompException, OSError):
                pause = {"doubling": delay, "jitter": chance.uniform(0.5 * delay, delay), "fixed": 1.0}
                pause = min(pause[self._values["wait"]], self._values["longest"])
                delay = min(2 * delay, self._values["longest"])
                self._trace.add("ReconnectWaits", actor=name, until=self._kernel.now + pause)
                self._kernel.sleep(pause)
            else:
                if self._kernel.now - begun > 0.5:
                    self._trace.add("Reconnected", actor=name, detail=round(self._kernel.now - begun, 3))
                return line

    def send_orders(self, name: str, begin: float) -> None:
        """Send an order at each moment at which one is made, one after the other, for ever."""
        import stomp

        self._kernel.sleep(begin)
        line, start = self.connect(name), self._kernel.now
        persistent = {"persistent": "true"} if self._values["persistent"] == "yes" else {}
        for n in itertools.count():
            made = start + n * self._values["every"]
            if made > self._kernel.now:
                self._kernel.sleep(made - self._kernel.now)
            order = f"{name}:{n + 1}"
            while True:
                if line.gone:
                    line = self.connect(name)
                receipt = {"receipt": order} if self._values["receipts"] == "yes" else {}
                try:
                    self._trace.add("OrderHanded", QUEUE, order, name, detail=made)
                    line.connection.send(QUEUE, order, headers={**persistent, **receipt})
                except (stomp.exception.StompException, OSError):
                    line.gone = True
                    continue
                if not receipt:
                    break
                line.wait(partial(contains, line.receipts, order))
                if order in line.receipts:
                    self._trace.add("OrderConfirmed", QUEUE, order, name)
                    break

    def receive_orders(self, worker: Worker, seconds: Callable[[str], float]) -> None:
        """Receive orders and work on them, one after the other, for ever. After a broken connection what is left of it
        is dropped, unless the broker has forgotten it (auto)."""
        import stomp

        auto = self._values["ack"] == "auto"
        while not worker.stopping:
            line = self.connect(worker.name)
            prefetch = {"activemq.prefetchSize": str(self._values["prefetch"])}
            line.connection.subscribe(QUEUE, id="1", ack=self._values["ack"], headers=prefetch)
            while (line.messages and auto) or not line.gone:
                line.wait(partial(bool, line.messages))
                if not line.messages or (line.gone and not auto):
                    continue
                frame = line.messages.popleft()
                subject, order = frame.headers["message-id"], frame.body
                worker.work(worker.name, subject, -1, seconds(order))
                self._trace.add("OrderDone", QUEUE, order, worker.name)
                if not auto and not line.gone:
                    try:
                        line.connection.ack(frame.headers["ack"])
                    except (stomp.exception.StompException, OSError):
                        line.gone = True
