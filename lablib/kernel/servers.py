"""Servers made of callbacks: what an engine of a service listens with. No process and no thread for a connection.

A `Server` belongs to a process and listens on its host until that process ends. What comes is handed over as it
arrives, in callbacks, which must not block. Its clients are ordinary programs with ordinary sockets, with TLS or
without.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

from lablib.kernel.process import Process
from lablib.kernel.tcp import OUT, Endpoint

ALERT, HANDSHAKE = b"\x15", b"\x16"  # content types of TLS records, RFC 8446 section 5.1
_PART = 1 << 16  # bytes handed over at once


def tls_record(kind: bytes, what: Any) -> bytes:
    """A record of the hello that stands for TLS's handshake."""
    body = json.dumps(what).encode()
    return kind + b"\x03\x03" + len(body).to_bytes(2, "big") + body


def _nothing(*_: Any) -> None: ...


class Server:
    """A listener: `on_connect(connection)` is called for each client, after its TLS hello when there is `tls`.

    Raises OSError when the port is taken.
    """

    def __init__(
        self, process: Process, port: int, on_connect: Callable[[Connection], None], *, tls: bool = False
    ) -> None:
        self.port, self.tls, self.on_connect = port, tls, on_connect
        self._end = Endpoint(process)
        self._end.bind(port)
        self._end.listen()
        self._end.watchers.append(self)

    def fire(self) -> None:
        """The listener has changed: somebody may have come."""
        if self._end.state == "listening" and self._end.backlog:
            self._end.kernel.after(0, self._accept)  # after the client has its answer

    def _accept(self) -> None:
        while self._end.backlog:
            Connection(self._end.backlog.popleft(), self)

    def close(self) -> None:
        """Listen no longer. Connections stay as they are."""
        self._end.close()


class Connection:
    """One client of a server. Set `on_data(bytes)`, `on_drain()` (the client has read what waited here) and
    `on_end(reason)`; the last is called once, when the client has closed ("closed"), its connection was reset
    ("reset"), or nothing is answered ("timed out"), and never after `close`.

    `peer` is the client's host, `address` and `peer_port` where it is reached; `open`: can anything be sent?
    """

    def __init__(self, end: Endpoint, server: Server) -> None:
        self._end, self._server = end, server
        self.peer = end.peer.host.name if end.peer else ""
        self.address, self.peer_port = end.peer_name
        self.port = server.port
        self.open = True
        self.on_data: Callable[[bytes], None] = _nothing
        self.on_end: Callable[[str], None] = _nothing
        self.on_drain: Callable[[], None] = _nothing
        self._out = bytearray()
        self._secure = not server.tls
        self._paused = self._running = False
        if self._secure:
            server.on_connect(self)
        end.watchers.append(self)
        self.fire()

    @property
    def waiting(self) -> int:
        """How many bytes wait here because the client does not read."""
        return len(self._out)

    # ---- what the engine does ----------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send it, now or as soon as the client reads."""
        if self.open:
            self._out += data
            self._flush()

    def close(self) -> None:
        """End it, after what was sent has left as far as the client reads."""
        if self.open:
            self._flush()
            self.open = False
            self._end.received.clear()
            self._end.close()

    def abort(self) -> None:
        """End it with a reset."""
        self.open = False
        self._end.abort()

    def pause(self) -> None:
        """Read no more: the client's buffers fill, and then its send blocks."""
        self._paused = True

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self._end.kernel.after(0, self.fire)

    # ---- what the network does ---------------------------------------------------------------------------------------

    def fire(self) -> None:
        """The connection has changed."""
        if self._end.state == "closed":  # with the program that had it: nobody is there to be told
            self.open = False
            return
        if self._running:
            return
        self._running = True
        try:
            waited = bool(self._out)
            self._flush()
            if waited and not self._out and self.open:
                self.on_drain()
            while self.open and not self._paused and self._end.received and self._hello_is_whole():
                self._take()
            if self.open and (self._end.error or (self._end.eof and not (self._secure and self._end.received))):
                self._finish()
        finally:
            self._running = False

    def _hello_is_whole(self) -> bool:
        head = self._end.received
        return self._secure or head[:1] != HANDSHAKE or len(head) >= max(5, 5 + int.from_bytes(head[3:5], "big"))

    def _take(self) -> None:
        head = self._end.received
        if self._secure:
            self.on_data(self._end.recv(_PART, 0))
        elif head[:1] != HANDSHAKE:
            self.send(tls_record(ALERT, "protocol_version"))
            self.close()
        else:
            self._end.recv(5 + int.from_bytes(head[3:5], "big"), 0)
            shown = self._end.host.certificate
            self.send(tls_record(HANDSHAKE, {"names": list(shown.names), "trusted": shown.trusted}))
            self._secure = True
            self._server.on_connect(self)

    def _flush(self) -> None:
        try:
            while self._out and self._end.state == "connected" and self._end.events() & OUT:
                del self._out[: self._end.send(memoryview(bytes(self._out)), 0)]
        except OSError as error:
            self._end.error = self._end.error or error.errno or errno.EPIPE

    def _finish(self) -> None:
        code = self._end.error
        self.open = False
        self._end.close()
        self.on_end("closed" if not code else "timed out" if code == errno.ETIMEDOUT else "reset")
