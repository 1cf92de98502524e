"""TCP as a program sees it: connections that are refused, reset, half-open, full.

An `Endpoint` is what the operating system knows of a socket. Kept from TCP: order; a close with unread bytes is a
reset, any other a FIN; data for a socket that is gone is answered with a reset; a window of bytes under way or unread,
beyond which `send` blocks; a connection attempt, data and keep-alive probes that are not answered end with ETIMEDOUT.
Not simulated: loss and acknowledgements below that, and Nagle's delays.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import Protocol

from lablib.kernel.loop import Signal, Timer
from lablib.kernel.network import Host, network_of
from lablib.kernel.process import Process
from lablib.kernel.programs import program_of
from lablib.kernel.stacks import current_process
from lablib.kernel.waits import SLACK, look, spend

IN, OUT, ERR, HUP = 1, 4, 8, 16  # poll(2)
_WINDOW = 256 * 1024  # bytes under way or unread; between the defaults of tcp_wmem and tcp_rmem (assumed)
_CONNECT = 127.0  # seconds after which a connection attempt ends (Linux, tcp_syn_retries = 6)
_UNANSWERED = 924.6  # seconds after which unanswered data end a connection (Linux, tcp_retries2 = 15)
_ENDS, _END = 100, 1e-3  # how often the end of a stream is read for nothing, and the seconds that it takes thereafter
_SHUT_RD, _SHUT_WR = 0, 1


def failure(code: int) -> OSError:
    """The exception of an errno, of the class that Python has for it."""
    return OSError(code, os.strerror(code))


class Watcher(Protocol):
    """Whoever is told that a socket has changed: a Signal, a server."""

    def fire(self) -> None:
        """It has changed."""


class Endpoint:
    """One side of a connection, or a listener. `state`: new, connecting, connected, refused, listening, closed."""

    def __init__(self, process: Process) -> None:
        self.program = program_of(process)
        self.kernel = process.kernel
        self.network = network_of(process.kernel)
        self.host = self.network.host_of(self.program)
        self.fd = self.network.register(self)
        self.program.closers[self] = self.close
        self.state = "new"
        self.peer: Endpoint | None = None
        self.name, self.peer_name = ("0.0.0.0", 0), ("", 0)
        self.received = bytearray()
        self.eof = self.sent_eof = False
        self.error = 0
        self.unread = 0  # bytes that we sent and the peer has not read
        self.last_arrival = 0.0  # when the last thing that we sent arrives
        self.backlog: deque[Endpoint] = deque()
        self.user_timeout = 0.0  # TCP_USER_TIMEOUT, in seconds; 0: the system's
        self.keep_alive: tuple[float, float, int] | None = None  # idle, interval, count
        self.signal = Signal(self.kernel)
        self._ends_read = 0
        self.watchers: list[Watcher] = []
        self._giving_up: Timer | None = None
        self._probes = 0  # keep-alive probes that were not answered
        self._last_heard = 0.0
        self._next_look: Timer | None = None

    def changed(self) -> None:
        """Wake whoever waits for this socket."""
        if self.signal:
            self.signal.fire()
        if self.watchers:
            for watcher in tuple(self.watchers):
                watcher.fire()

    def events(self) -> int:
        """What poll(2) says of it now."""
        if self.state == "closed":
            return IN | HUP | ERR
        if self.state == "new":
            return OUT | HUP
        found = IN if self.received or self.eof or self.error or self.backlog else 0
        if self.state == "connected" and (self.unread < _WINDOW or self.error or self.sent_eof):
            found |= OUT
        if self.error or self.state == "refused":
            found |= IN | OUT | ERR | HUP
        return found | HUP if self.eof and self.sent_eof else found

    def until(self, mask: int, timeout: float | None) -> None:
        """Block until one of the events in `mask` is there. Raises BlockingIOError, TimeoutError, OSError."""
        if self.events() & mask:
            return
        if timeout == 0:
            process = current_process()
            if process is not None:
                look(process)
            raise failure(errno.EAGAIN)
        end = None if timeout is None else self.kernel.now + timeout + SLACK
        while not self.events() & mask:
            left = None if end is None else end - self.kernel.now
            if left is not None and left <= 0:
                raise TimeoutError("timed out")
            self.kernel.wait(self.signal, left)
        if self.state == "closed":
            raise failure(errno.EBADF)

    def raise_error(self) -> None:
        """Raise what happened to the connection, once."""
        if self.error:
            code, self.error = self.error, 0
            self.eof = self.sent_eof = True
            raise failure(code)

    def _break(self, code: int) -> None:
        self.error = code
        self._forget_giving_up()
        self.changed()

    # ---- connecting -------------------------------------------------------------------------------------------------

    def bind(self, port: int) -> None:
        """Take a port of the host; 0: any that is free."""
        if port in self.host.listeners:
            raise failure(errno.EADDRINUSE)
        self.name = (self.host.address, port or self.host.free_port())

    def listen(self) -> None:
        """Accept connections on the port."""
        if not self.name[1]:
            self.bind(0)
        if self.host.listeners.setdefault(self.name[1], self) is not self:
            raise failure(errno.EADDRINUSE)
        self.state = "listening"

    def connect(self, host: Host, port: int) -> None:
        """Begin to connect; `events` tells when it is done, `error` how it failed."""
        self.state, self.peer_name = "connecting", (host.address, port)
        if not self.name[1]:
            self.bind(0)
        self._giving_up = self.kernel.after(_CONNECT, self._refused, errno.ETIMEDOUT)
        self.network.carry(self.host, host, self, self._request, host, port)

    def _request(self, host: Host, port: int) -> None:
        if host.lets_in is not None and not host.lets_in(self.host, port):
            return  # a firewall drops it, and says nothing
        listener = host.listeners.get(port)
        other = listener._offer(self) if listener is not None else None
        self.network.carry(host, self.host, other, self._answer, other)

    def _offer(self, client: Endpoint) -> Endpoint:
        other = Endpoint(self.program.main)
        other.state, other.peer, other.name, other.peer_name = "connected", client, client.peer_name, client.name
        self.backlog.append(other)
        self.changed()
        return other

    def _answer(self, other: Endpoint | None) -> None:
        if self.state != "connecting":
            if other is not None:  # we gave up meanwhile: it must not talk to nobody for ever
                self.network.carry(self.host, other.host, self, other._reset)
        elif other is None:
            other_host = self.network.find(self.peer_name[0])
            self.network.tell(
                "ConnectionRefused", self.host.name, other_host.name if other_host else "", str(self.peer_name[1])
            )
            self._refused(errno.ECONNREFUSED)
        else:
            self._forget_giving_up()
            self.state, self.peer = "connected", other
            self.network.tell("Connected", self.host.name, other.host.name, str(self.peer_name[1]))
            self._last_heard = self.kernel.now
            self._watch_silence()
            self.changed()

    def _refused(self, code: int) -> None:
        if self.state == "connecting":
            self.state = "refused"
            self._break(code)

    # ---- bytes ------------------------------------------------------------------------------------------------------

    def send(self, data: memoryview, timeout: float | None) -> int:
        """Send what fits into the window, one byte at least; how many were sent."""
        self.raise_error()
        if self.state == "closed":
            raise failure(errno.EBADF)
        if self.state != "connected":
            raise failure(errno.ENOTCONN)
        if self.unread >= _WINDOW:
            self.until(OUT, timeout)
            self.raise_error()
        if self.sent_eof or self.peer is None:
            raise failure(errno.EPIPE)
        room = _WINDOW - self.unread
        part = bytes(data if len(data) <= room else data[:room])
        self.unread += len(part)
        self.network.carry(self.host, self.peer.host, self, self.peer._data, part, size=len(part))
        return len(part)

    def _data(self, data: bytes) -> None:
        if self.state == "connected":
            self.received += data
            self._last_heard = self.kernel.now
            self.changed()
        elif self.peer is not None:  # nobody is here any more
            self.network.carry(self.host, self.peer.host, None, self.peer._reset)

    def recv(self, size: int, timeout: float | None, peek: bool = False) -> bytes:
        """Up to `size` bytes; none at the end of the stream."""
        if self.state == "closed":
            raise failure(errno.EBADF)
        if self.state in ("new", "connecting", "listening"):
            raise failure(errno.ENOTCONN)
        if not self.received:
            self.until(IN, timeout)
        if not self.received:
            self.raise_error()
            self._at_end()
            return b""
        data = bytes(self.received) if len(self.received) <= size else bytes(self.received[:size])
        if not peek and self.peer is not None:
            del self.received[:size]
            was_full, self.peer.unread = self.peer.unread >= _WINDOW, self.peer.unread - len(data)
            if was_full:
                self.peer.changed()
        return data

    def _at_end(self) -> None:
        """The end was read. A program that reads it for ever (stomp.py 9 does, over TLS) is in a busy wait: it takes
        time."""
        self._ends_read += 1
        process = current_process()
        if self._ends_read > _ENDS and process is not None:
            spend(process, _END)

    # ---- silence ----------------------------------------------------------------------------------------------------

    def unanswered(self) -> None:
        """What we sent does not arrive: the operating system goes on trying for so long."""
        if self._giving_up is None and self.state == "connected":
            self._giving_up = self.kernel.after(self.user_timeout or _UNANSWERED, self._give_up)

    def answered(self) -> None:
        """What we sent has arrived."""
        if self.state == "connected":
            self._forget_giving_up()

    def _give_up(self) -> None:
        if self.state == "connected":
            self.network.tell("ConnectionTimedOut", self.host.name, self.peer.host.name if self.peer else "")
            self._break(errno.ETIMEDOUT)

    def _forget_giving_up(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def set_keep_alive(self, idle: float, interval: float, count: int) -> None:
        """Probe a silent peer after `idle` seconds, every `interval`; after `count` without answer, give up."""
        self.keep_alive = idle, interval, count
        if self._next_look is None:
            self._last_heard = self.kernel.now
        else:
            self._next_look.cancel()
        self._watch_silence()

    def _watch_silence(self) -> None:
        if self.keep_alive is None or self.state != "connected" or self.error:
            return
        idle, interval, count = self.keep_alive
        left = self._last_heard + idle - self.kernel.now
        if left > 0:
            self._probes = 0
            self._next_look = self.kernel.after(left, self._watch_silence)
        elif self._probes == count:
            self._give_up()
        elif self.peer is not None:
            self._probes += 1
            self.network.carry(self.host, self.peer.host, None, self.peer._probed)
            self._next_look = self.kernel.after(interval, self._watch_silence)

    def _probed(self) -> None:
        if self.peer is not None:
            answer = self.peer._probe_answered if self.state == "connected" else self.peer._reset
            self.network.carry(self.host, self.peer.host, None, answer)

    def _probe_answered(self) -> None:
        self._last_heard = self.kernel.now

    # ---- ending -----------------------------------------------------------------------------------------------------

    def _fin(self) -> None:
        if self.state == "connected":
            self.eof = True
            self.changed()

    def _reset(self) -> None:
        if self.state == "connected" and not self.error:
            self.network.tell("ConnectionReset", self.host.name, self.peer.host.name if self.peer else "")
            self._break(errno.ECONNRESET)

    def shutdown(self, how: int) -> None:
        """End one direction, or both."""
        if self.state != "connected":
            raise failure(errno.ENOTCONN)
        if how != _SHUT_RD:
            self._send_fin()
        if how != _SHUT_WR:
            self.eof = True
        self.changed()

    def _send_fin(self) -> None:
        if not self.sent_eof and self.peer is not None:
            self.sent_eof = True
            self.network.carry(self.host, self.peer.host, self, self.peer._fin)

    def close(self) -> None:
        """As close(2): a FIN, or a reset when bytes are unread."""
        if self.state == "connected":
            if self.received:
                self.abort()
                return
            self._send_fin()
        self.vanish()

    def abort(self) -> None:
        """End with a reset."""
        if self.state == "connected" and self.peer is not None:
            self.network.carry(self.host, self.peer.host, self, self.peer._reset)
        self.vanish()

    def vanish(self) -> None:
        """Be gone, and tell nobody."""
        if self.host.listeners.get(self.name[1]) is self:
            del self.host.listeners[self.name[1]]
            for other in self.backlog:
                other.abort()
        self.state = "closed"
        self._forget_giving_up()
        self.network.fds.pop(self.fd, None)
        self.program.closers.pop(self, None)
        self.changed()
