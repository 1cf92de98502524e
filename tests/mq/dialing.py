"""Connections that the lab's own actors open: what a blocking socket is to a program, without the module `socket`."""

from __future__ import annotations

import errno

from lablib.kernel.network import network_of
from lablib.kernel.process import Kernel
from lablib.kernel.servers import ALERT, HANDSHAKE, tls_record
from lablib.kernel.tcp import IN, OUT, Endpoint, failure


class Call:
    """A connection from the running process to a port of a host. Raises OSError: refused, timed out, no such host.

    `tls`: with a hello, as TLS has it; the certificate is not checked. `timeout`: seconds until a connection is there.
    """

    def __init__(self, kernel: Kernel, host: str, port: int, *, tls: bool = True, timeout: float = 30.0) -> None:
        process = kernel.current
        if process is None:
            raise RuntimeError("a connection is opened inside a process")
        target = network_of(kernel).find(host)
        if target is None:
            raise OSError(errno.EHOSTUNREACH, f"no host is called {host!r}")
        self._end = end = Endpoint(process)
        end.connect(target, port)
        try:
            end.until(OUT, timeout)
            end.raise_error()
            if tls:
                end.send(memoryview(tls_record(HANDSHAKE, {"server_name": host})), timeout)
                self._hello(timeout)
        except OSError:
            end.vanish()
            raise

    def _hello(self, timeout: float) -> None:
        received = self._end.received
        while len(received) < 5 or len(received) < 5 + int.from_bytes(received[3:5], "big"):
            if self._end.eof or not self._end.kernel.wait(self._end.signal, timeout):
                raise failure(errno.ECONNRESET if self._end.eof else errno.ETIMEDOUT)
            self._end.raise_error()
        record = self._end.recv(5 + int.from_bytes(received[3:5], "big"), timeout)
        if record[:1] == ALERT:
            raise failure(errno.EPROTO)

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError."""
        view = memoryview(data)
        while view:
            view = view[self._end.send(view, None) :]

    def receive(self, timeout: float | None = None) -> bytes:
        """What has come, as soon as something has; b"" at the end. Raises TimeoutError and OSError."""
        self._end.until(IN, timeout)
        return self._end.recv(1 << 16, 0)

    def close(self) -> None:
        """End it."""
        self._end.close()
