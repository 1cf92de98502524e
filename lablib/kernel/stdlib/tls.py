"""The module `ssl` on virtual sockets: a hello, a check of the certificate, then plain bytes.

The hello is a record that begins with 0x16, as TLS's does, so that a plain server sees garbage and a TLS client that
meets a plain server gets WRONG_VERSION_NUMBER. The server shows its host's `Certificate`; the client checks it as its
SSLContext says (`check_hostname`, `verify_mode`), and the network tells what was checked. Files of authorities and keys
are loaded by the client's own code and not looked at; the machine's authorities are not even loaded. Nothing is
encrypted, because nobody listens.
"""

from __future__ import annotations

import json
import ssl
from typing import Any

from lablib.kernel.servers import ALERT, HANDSHAKE, tls_record
from lablib.kernel.stdlib.patching import dispatch, replace
from lablib.kernel.stdlib.refusals import refuse
from lablib.kernel.stdlib.sockets import Socket
from lablib.kernel.tcp import IN, OUT, Endpoint
from lablib.kernel.waits import late

_INCOMPLETE = "The operation did not complete"


class TlsSocket(Socket, ssl.SSLSocket):  # type: ignore[misc]
    """What `SSLContext.wrap_socket` makes of a virtual socket."""

    def __init__(self, end: Endpoint, timeout: float | None, context: Any, server_side: bool, name: str | None) -> None:
        self._io_refs, self._closed, self._timeout, self._end, self._options = 0, False, timeout, end, {}
        self._ctx, self.server_side, self.server_hostname = context, server_side, name
        self._said_hello = self._done = False
        self._names: list[str] = []

    context = property(lambda self: self._ctx)
    session = property(lambda self: None)
    session_reused = property(lambda self: False)

    # ---- the handshake ----------------------------------------------------------------------------------------------

    def do_handshake(self, block: bool = False) -> None:
        """Raises ssl.SSLError and its kin where a real one would."""
        if self._done:
            return
        if self.server_side:
            try:
                self._hear()
            except ssl.SSLWantReadError:
                raise
            except ssl.SSLError:
                self._say(ALERT, "protocol_version")
                raise
            shown = self.end.host.certificate
            self._say(HANDSHAKE, {"names": list(shown.names), "trusted": shown.trusted})
        else:
            if not self._said_hello:
                self._say(HANDSHAKE, {"server_name": self.server_hostname})
                self._said_hello = True
            kind, shown = self._hear()
            if kind == ALERT:
                raise ssl.SSLError(1, f"[SSL: TLSV1ALERT_{shown.upper()}] tlsv1 alert {shown} (_ssl.c:1006)")
            self._names = shown["names"]
            self._check(shown["trusted"])
        self._done = True

    def _say(self, kind: bytes, what: Any) -> None:
        self.end.send(memoryview(tls_record(kind, what)), self._timeout)

    def _hear(self) -> tuple[bytes, Any]:
        head = self._peek(5)
        if not head:
            raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:1006)")
        if head[:1] not in (ALERT, HANDSHAKE):
            raise ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
        size = 5 + int.from_bytes(head[3:5], "big")
        self._peek(size)
        record = self.end.recv(size, self._timeout)
        return record[:1], json.loads(record[5:])

    def _peek(self, size: int) -> bytes:
        end = self.end
        while len(end.received) < size and not end.eof and not end.error:
            if self._timeout == 0.0:
                raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, _INCOMPLETE)
            if not end.kernel.wait(end.signal, late(self._timeout)):
                raise TimeoutError("_ssl.c: The handshake operation timed out")
        end.raise_error()
        return bytes(end.received[:size])

    def _check(self, trusted: bool) -> None:
        name, problem = self.server_hostname or "", ""
        if self._ctx.verify_mode == ssl.CERT_REQUIRED and not trusted:
            problem = "self-signed certificate"
        elif self._ctx.check_hostname and not any(_fits(name, known) for known in self._names):
            problem = f"Hostname mismatch, certificate is not valid for '{name}'."
        end = self.end
        fine = "it is right" if self._ctx.check_hostname else "not for its name, any will do"
        end.network.tell("CertificateChecked", end.host.name, name, problem or fine)
        if problem:
            end.close()
            text = f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {problem} (_ssl.c:1006)"
            error = ssl.SSLCertVerificationError(1, text)
            error.verify_message, error.reason = problem, "CERTIFICATE_VERIFY_FAILED"
            raise error

    # ---- bytes ------------------------------------------------------------------------------------------------------

    def accept(self) -> tuple[Any, Any]:
        sock, address = super().accept()
        return self._ctx.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), address

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        if not self._done:
            self.do_handshake()
        if self._timeout == 0.0 and not self.end.events() & IN:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, _INCOMPLETE)  # pika looks at args[0], and nowhere else
        return super().recv(size, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        if not self._done:
            self.do_handshake()
        if self._timeout == 0.0 and not self.end.events() & OUT:
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, _INCOMPLETE)
        return super().send(data, flags)

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        return self.recv(len) if buffer is None else self.recv_into(buffer, len)

    def write(self, data: Any) -> int:
        return self.send(data)

    def pending(self) -> int:
        return len(self._end.received) if self._end is not None else 0

    def unwrap(self) -> Any:
        return self

    # ---- looking ----------------------------------------------------------------------------------------------------

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return ("TLS_AES_256_GCM_SHA384", "TLSv1.3", 256)

    def compression(self) -> None:
        return None

    def selected_alpn_protocol(self) -> None:
        return None

    def getpeercert(self, binary_form: bool = False) -> Any:
        if binary_form:
            return json.dumps(self._names).encode()
        return {"subjectAltName": tuple(("DNS", name) for name in self._names)}


def _fits(name: str, known: str) -> bool:
    """Does a certificate's name cover the one asked for? A star stands for one label (RFC 6125 section 6.4.3)."""
    return name == known or (known[:2] == "*." and name.partition(".")[2] == known[2:])


def _load_nothing(process: Any, context: Any, purpose: Any = None) -> None:
    """The machine's own authorities vouch for nobody here, and reading them takes a tenth of a second each time."""


def patch_ssl(module: Any) -> None:
    """The module `ssl`."""
    context = module.SSLContext
    real = context.wrap_socket

    def wrap_socket(
        self: Any,
        sock: Any,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | None = None,
        session: Any = None,
    ) -> Any:
        if not isinstance(sock, Socket):
            return real(
                self, sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, server_hostname, session
            )
        if self.check_hostname and not server_side and not server_hostname:
            raise ValueError("check_hostname requires server_hostname")
        if do_handshake_on_connect and sock._timeout == 0.0:
            raise ValueError("do_handshake_on_connect should not be specified for non-blocking sockets")
        end, timeout = sock.end, sock._timeout
        sock.detach()
        tls = TlsSocket(end, timeout, self, server_side, server_hostname)
        if do_handshake_on_connect and end.state == "connected":
            tls.do_handshake()
        return tls

    load = dispatch(context.load_default_certs, _load_nothing)

    def load_default_certs(self: Any, *args: Any, **kwargs: Any) -> None:
        load(self, *args, **kwargs)

    refusal = refuse("TLS over memory (asyncio with ssl=)", "connect without ssl=, or use a blocking client")
    either = dispatch(context.wrap_bio, refusal)

    def wrap_bio(self: Any, *args: Any, **kwargs: Any) -> Any:
        return either(self, *args, **kwargs)

    replace(context, "wrap_socket", wrap_socket)
    replace(context, "load_default_certs", load_default_certs)
    replace(context, "wrap_bio", wrap_bio)
