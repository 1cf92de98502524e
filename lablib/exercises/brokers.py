"""Brokers on the stage of an exercise: make one, connect to it, crash it, look inside."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lablib.exercises.stage import Problem, Stage
from lablib.kernel import Process
from lablib.kernel.network import network_of

NAME, QUEUE = "warehouse", "orders"
PORT = 61614
_USER, _PASSWORD = "shop", "warehouse-42"


class Ear:
    """Hears the frames of a learner's connections: a listener of stomp.py, which asks each for its heart-beats."""

    def on_heartbeat_timeout(self) -> None: ...

    @staticmethod
    def header(frame: Any, name: str) -> str:
        """A header of a frame that goes out: stomp.py has escaped it already."""
        escaped = {"c": ":", "n": "\n", "r": "\r", "\\": "\\"}
        return re.sub(r"\\([cnr\\])", lambda found: escaped[found[1]], str(frame.headers.get(name, "")))


class Broker:
    """A broker that has been there for long. `hosts`: (name, port) of each of its machines."""

    def __init__(self, stage: Stage, mode: str = "ACTIVE_STANDBY_MULTI_AZ", engine: str = "ACTIVEMQ") -> None:
        self.stage, self.cloud = stage, stage.cloud
        self.mq = self.cloud.service("mq")
        create = self.mq.operation("create_broker")
        made = create(
            stage.request(), broker_name=NAME, deployment_mode=mode, engine_type=engine, publicly_accessible=False,
            host_instance_type="mq.m5.large", users=[{"Username": _USER, "Password": _PASSWORD}],
        )  # fmt: skip
        self.id = made["BrokerId"]
        self.mq.establish(self.id)
        self.broker, self.engine = self.mq.brokers[self.id], self.mq.engines[self.id]
        self.hosts = [(self.broker.dns(n), PORT) for n in range(1, len(self.broker.hosts) + 1)]
        self.ear: Ear | None = None  # hears the frames of each connection, beside the learner's listener
        self.filled: dict[str, str] = {}  # what `fill` sent: the text of each message, by its id
        stage.run(self.cloud.now + 1)

    def connect(self, listener: Any = None) -> Any:
        """A connection of stomp.py to the broker that serves, with this listener; tries until one does."""
        import stomp

        kernel = self.cloud.kernel
        while True:
            made = stomp.Connection12(
                self.hosts, reconnect_attempts_max=len(self.hosts), timeout=3, heartbeats=(1000, 1000)
            )
            made.set_ssl(for_hosts=self.hosts)
            for name, heard in (("", listener), ("the check", self.ear)):
                if heard is not None:
                    made.set_listener(name, heard)
            try:
                made.connect(_USER, _PASSWORD, wait=True)
                return made
            except (stomp.exception.StompException, OSError):
                kernel.sleep(1.0)

    def crash(self) -> None:
        """The program that serves ends as in a power cut."""
        if self.engine.active is not None:
            self.engine.active.fail()
            self.stage.reach("broker crash")

    def reboot(self) -> None:
        """RebootBroker, as a maintenance window does it."""
        if self.broker.state == "RUNNING":
            self.mq.operation("reboot_broker")(self.stage.request(), broker_id=self.id)

    def power_off(self) -> None:
        """The machine of the active program is gone, and tells nobody."""
        if self.engine.active is not None:
            network_of(self.cloud.kernel).power_off(self.engine.active.host.name)

    def slow_down(self, program: str, rate: float) -> None:
        """The lines between a program and the machines carry so many bytes a second."""
        network = network_of(self.cloud.kernel)
        network.add_host(program)
        for host in self.broker.hosts:
            network.slow(rate, program, host.name)

    def taken(self) -> int:
        """How many messages the program that serves has taken for the queue, since it began to serve."""
        queue = self.engine.serving and self.engine.serving.queues.get(QUEUE)
        return queue.counts["EnqueueCount"] if queue else 0

    def stored(self, queue: str = QUEUE) -> list[str]:
        """The texts of the messages that the store has for this queue."""
        return [m.body.decode() for m in self.engine.store.queues.get(f"queue/{queue}", {}).values()]

    def after(self, condition: Callable[[], bool], process: Process, until: float, act: Callable[[], object]) -> None:
        """Let time pass until the condition is true, and act at that instant; not when the process is over before."""
        while process.alive and self.cloud.now < until and self.cloud.step():
            if condition():
                act()
                return

    def fill(self, texts: list[str]) -> None:
        """The shop sends these, persistent, and each with a receipt."""

        def shop() -> None:
            import stomp

            class Receipts(stomp.ConnectionListener):
                left = len(texts)

                def on_receipt(self, frame: Any) -> None:
                    Receipts.left -= 1

            connection = self.connect(Receipts())
            for n, text in enumerate(texts):
                connection.send(f"/queue/{QUEUE}", text, headers={"persistent": "true", "receipt": f"{n}"})
            while Receipts.left:
                self.cloud.kernel.sleep(0.01)
            connection.disconnect()

        process = self.cloud.spawn(shop, name="shop")
        self.stage.run(self.cloud.now + 60, lambda: not process.alive, every=0.1)
        if process.alive:
            raise Problem("The shop could not fill the queue.")
        self.filled = {id: m.body.decode() for id, m in self.engine.store.queues[f"queue/{QUEUE}"].items()}
