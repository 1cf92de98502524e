"""What the clients of an ActiveMQ broker have in common, whatever they speak.

What a client sends is handled in order, one thing after the other. A message waits until there is memory for it and the
processor has time; while anything is waited for, nothing more of that client is looked at, and its own send blocks in
the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lablib.kernel.servers import Connection
from lablib.services.mq.activemq.destinations import Consumer

if TYPE_CHECKING:
    from lablib.services.mq.activemq.broker import Serving

Item = TypeVar("Item")  # what a protocol's decoder finds: a frame, a packet


class Session(Generic[Item]):
    """A connected client. `peer`: its host; `address` as ActiveMQ writes it; `id`: the connection's own."""

    def __init__(self, serving: Serving, connection: Connection) -> None:
        self.serving, self.connection, self.peer = serving, connection, connection.peer
        serving.connections += 1
        self.id = f"ID:{serving.node.name}-{connection.port}-{serving.born_ms}-{serving.connections}:1"
        self.address = f"tcp://{connection.address}:{connection.peer_port}"
        self.client_id = self.id
        self.connected = False  # it has logged in
        self._inbox: deque[Item] = deque()
        self._blocked = False
        self._slot = False  # the processor's time for the next message is there
        self._silent = 0  # how often it was looked since something came
        self._is_there = True
        self._left_because = ""  # it has closed its connection, and what it had sent before is not handled yet
        connection.on_data, connection.on_end, connection.on_drain = self._data, self._ended, self._drained
        serving.sessions.append(self)

    # ---- what a protocol says ----------------------------------------------------------------------------------------

    def decode(self, data: bytes) -> Iterable[Item]:
        """What is complete now. It may raise what `broken` understands, after what came before."""
        raise NotImplementedError

    def broken(self, error: Exception) -> None:
        """Bytes that are no item of the protocol."""
        raise NotImplementedError

    def sends_to(self, item: Item) -> str | None:
        """The destination, when the item carries a message."""
        raise NotImplementedError

    def handle(self, item: Item) -> None:
        """Do what it asks for."""
        raise NotImplementedError

    def consumers(self) -> list[Consumer]:
        """Its consumers, now."""
        raise NotImplementedError

    def left(self, why: str) -> None:
        """It has gone: before its consumers are taken away."""

    # ---- one after the other -----------------------------------------------------------------------------------------

    def _data(self, data: bytes) -> None:
        self._silent = 0
        try:
            self._inbox += self.decode(data)
        except ValueError as error:
            self._go_on()
            self.broken(error)
            return
        self._go_on()

    def _go_on(self) -> None:
        """Handle what has come, as far as nothing is waited for."""
        while self._inbox and not self._blocked and self._is_there:
            destination = self.sends_to(self._inbox[0])
            if destination is not None and not self._may_send(destination):
                return
            self.handle(self._inbox.popleft())
        if self._left_because and not self._blocked:
            self.gone(self._left_because)

    def _may_send(self, destination: str) -> bool:
        """Is there memory for a message, and has the processor time for it? If not, `unblock` will be called."""
        serving = self.serving
        if serving.is_full():
            self.wait()
            serving.block(self, destination.strip("/"))
            return False
        if self in serving.blocked:
            serving.let_on(self)
        if not self._slot and (wait := serving.work()) > 0:
            self.wait()
            self._slot = True
            serving.node.after(wait, self.unblock)
            return False
        self._slot = False
        return True

    def wait(self) -> None:
        """Look at nothing more until `unblock`."""
        self._blocked = True
        self.connection.pause()

    def unblock(self) -> None:
        """What was waited for is there."""
        self._blocked = False
        self._go_on()
        if not self._blocked:
            self.connection.resume()

    def when_done(self, then: Callable[[], None]) -> Callable[[], None]:
        """Look at nothing more until what this gives is called; `then` is done first."""
        self.wait()

        def done() -> None:
            then()
            self.serving.node.after(0, self.unblock)

        return done

    # ---- silence, the end --------------------------------------------------------------------------------------------

    def check_silence(self, interval: float, times: int = 1) -> None:
        """Look every `interval` seconds from now on, and cut it off when nothing came for `times` of them."""
        if not self._is_there:
            return
        if self._silent >= times and not self._blocked:
            self.connection.abort()
            self.gone(f"nothing came from it for {interval * times:g} s")
            return
        self._silent += 1
        self.serving.node.after(interval, self.check_silence, interval, times)

    def is_clogged(self) -> bool:
        """Does it read nothing at the moment?"""
        return self.connection.waiting > 0

    def _drained(self) -> None:
        for consumer in self.consumers():
            if consumer.source is not None:
                consumer.source.dispatch()

    def close(self, why: str) -> None:
        """End the connection."""
        self.connection.close()
        self.gone(why)

    def _ended(self, reason: str) -> None:
        if reason == "closed":  # what it sent before it closed is handled first
            self._left_because = "it closed its connection"
            self._go_on()
        else:
            self.gone("its connection was reset" if reason == "reset" else "its connection timed out")

    def gone(self, why: str) -> None:
        """It is not there any more: what it had goes back."""
        if not self._is_there:
            return
        self._is_there = False
        self.serving.sessions.remove(self)
        if self in self.serving.blocked:
            self.serving.let_on(self)
        if self.connected:
            self.serving.broker.emit("ClientGone", actor=self.peer, detail=why)
        self.left(why)
        for consumer in self.consumers():
            self.serving.leave(consumer, why)
        self._inbox.clear()


AnySession = Session[Any]
