"""Ordinary pika programs of a scenario: shops that send orders to a queue and wait for the confirm of each."""

from __future__ import annotations

import itertools
import logging
from typing import Any

from lablib.kernel import Kernel, Trace

logging.getLogger("pika").addHandler(logging.NullHandler())  # else each failed attempt would be printed

QUEUE = "orders"
PORT = 5671
_NAME, _PASSWORD = "shop", "warehouse-42"
_BEAT = 2  # seconds between two heart-beats: a node without power tells nobody
_AGAIN = 1.0  # seconds between two tries to connect


class Shops:
    """The programs. They know one name, the load balancer's. `queue_type`: "quorum" or "classic"."""

    def __init__(self, kernel: Kernel, trace: Trace, host: str, queue_type: str) -> None:
        self._kernel, self._trace, self._host, self._type = kernel, trace, host, queue_type

    def connect(self, name: str) -> Any:
        """A channel with confirms; tries again and again."""
        import pika

        while True:
            try:
                connection = pika.BlockingConnection(self._parameters())
                channel = connection.channel()
                channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": self._type})
                channel.confirm_delivery()
                return channel
            except (pika.exceptions.AMQPError, OSError):
                self._trace.add("ConnectFailed", actor=name, until=self._kernel.now + _AGAIN)
                self._kernel.sleep(_AGAIN)

    def _parameters(self) -> Any:
        import ssl

        import pika

        tls = pika.SSLOptions(ssl.create_default_context(), self._host)
        login = pika.PlainCredentials(_NAME, _PASSWORD)
        return pika.ConnectionParameters(
            self._host, PORT, credentials=login, ssl_options=tls, heartbeat=_BEAT, socket_timeout=3, stack_timeout=4
        )

    def send_orders(self, name: str, begin: float, every: float) -> None:
        """Send an order at each moment at which one is made, one after the other; again what has no confirm."""
        import pika

        self._kernel.sleep(begin)
        channel, start = self.connect(name), self._kernel.now
        for n in itertools.count():
            made = start + n * every
            while self._kernel.now < made:
                channel = self._rest(channel, name, made - self._kernel.now)
            order = f"{name}:{n + 1}"
            self._trace.add("OrderMade", QUEUE, order, name, detail=round(made, 6))
            while True:
                try:
                    lasting = pika.BasicProperties(delivery_mode=2, message_id=order)
                    channel.basic_publish("", QUEUE, order.encode(), lasting)
                    self._trace.add("OrderConfirmed", QUEUE, order, name)
                    break
                except (pika.exceptions.AMQPError, OSError):
                    self._trace.add("ConnectionLost", actor=name)
                    channel = self.connect(name)

    def _rest(self, channel: Any, name: str, seconds: float) -> Any:
        """Wait, and answer heart-beats meanwhile. Returns the channel, or a new one."""
        import pika

        try:
            channel.connection.sleep(seconds)
            return channel
        except (pika.exceptions.AMQPError, OSError):
            self._trace.add("ConnectionLost", actor=name)
            return self.connect(name)
