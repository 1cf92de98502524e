"""Ordinary stomp.py programs of a scenario: shops that send orders, packers that receive them, and how they reconnect.

stomp.py does not reconnect by itself when a connection breaks: a program must. It waits between two tries, as the values
`wait` ("doubling", "jitter", "fixed") and `longest` say, and tries each host that it knows.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from threading import Condition
from typing import TYPE_CHECKING, Any

from lablib.actors.fleet import Worker
from lablib.aws.event import Event

if TYPE_CHECKING:
    from lablib.cloud import Cloud

QUEUE = "/queue/orders"
PORT = 61614
_FIRST = 0.1  # seconds: the first wait
_NAME, _PASSWORD = "shop", "warehouse-42"
RECONNECTED = Event(
    "Reconnected", "{actor} is connected again, after {detail:.1f} s", label="back",
    notable="{actor} is connected again, after {detail:.1f} s.",
)  # fmt: skip


class _Line:
    """A connection of stomp.py, and what it has heard."""

    def __init__(self) -> None:
        import stomp

        class Listener(stomp.ConnectionListener):  # type: ignore[misc]
            def on_message(_, frame: Any) -> None:
                self.hear(self.messages.append, frame)

            def on_receipt(_, frame: Any) -> None:
                self.hear(self.receipts.add, frame.headers["receipt-id"])

            def on_disconnected(_) -> None:
                self.hear(lambda _: None, None, gone=True)

        self.listener = Listener()
        self.messages: deque[Any] = deque()
        self.receipts: set[str] = set()
        self.gone = False
        self.changed = Condition()
        self.connection: Any = None

    def hear(self, keep: Callable[[Any], Any], what: Any, gone: bool = False) -> None:
        with self.changed:
            keep(what)
            self.gone |= gone
            self.changed.notify_all()

    def wait(self, ready: Callable[[], bool], seconds: float | None = None) -> None:
        """Until it is ready, the connection is gone, or time is up."""
        with self.changed:
            self.changed.wait_for(lambda: ready() or self.gone, seconds)


class Clients:
    """The programs. `values` are those of the scenario, `hosts` those that they know."""

    def __init__(self, cloud: Cloud, values: Mapping[str, Any], hosts: list[str]) -> None:
        self._cloud, self._values = cloud, values
        self._hosts = [(host, PORT) for host in hosts]
        self._trace = cloud.trace

    def connect(self, name: str, worker: Worker | None = None) -> _Line:
        """A connection to the first host that answers; tries again and again."""
        import stomp

        begun, delay = self._cloud.now, _FIRST
        while True:
            line = _Line()
            line.connection = stomp.Connection12(
                self._hosts, reconnect_attempts_max=len(self._hosts), timeout=3, heartbeats=(5000, 5000)
            )
            line.connection.set_ssl(for_hosts=self._hosts)
            line.connection.set_listener("", line.listener)
            try:
                line.connection.connect(_NAME, _PASSWORD, wait=True)
            except (stomp.exception.StompException, OSError):
                pause = {"doubling": delay, "jitter": random.uniform(0.5 * delay, delay), "fixed": 1.0}
                pause = min(pause[self._values["wait"]], self._values["longest"])
                delay *= 2
                if delay > self._values["longest"]:
                    delay = self._values["longest"]
                self._trace.add("ReconnectWaits", actor=name, until=self._cloud.now + pause)
                time.sleep(pause)
            else:
                if self._cloud.now - begun > 0.5:
                    self._trace.add("Reconnected", actor=name, detail=round(self._cloud.now - begun, 3))
                return line

    def send_orders(self, name: str, begin: float) -> None:
        """Send an order at each moment at which one is made, one after the other, for ever."""
        import stomp

        time.sleep(begin)
        line, start = self.connect(name), self._cloud.now
        persistent = {"persistent": "true"} if self._values["persistent"] == "yes" else {}
        for n in itertools.count():
            made = start + n * self._values["every"]
            if made > self._cloud.now:
                line.wait(lambda: False, made - self._cloud.now)
                time.sleep(max(0.0, made - self._cloud.now))
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
                line.wait(lambda line=line, order=order: order in line.receipts)  # type: ignore[misc]
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
                line.wait(lambda line=line: bool(line.messages))  # type: ignore[misc]
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
