"""The module `socket`: inside a process, sockets are on the virtual network.

A `Socket` is the Python object that a program holds; the `Endpoint` in it is what the operating system knows. It is a
subclass of `socket.socket`, so isinstance, makefile, create_connection and create_server are the standard library's
own. Its methods go by the object, not by who calls: a cell may use a socket that a process made, and its wait lets
virtual time pass. Only TCP over IPv4 is simulated.
"""

from __future__ import annotations

import errno
import gc
import socket
from collections.abc import Iterable
from typing import Any

from lablib.kernel.network import Host, network_of
from lablib.kernel.process import Process
from lablib.kernel.programs import program_of
from lablib.kernel.stacks import current_process
from lablib.kernel.stdlib.patching import virtualize
from lablib.kernel.tcp import IN, OUT, Endpoint, failure

_RealSocket = socket.socket
_KEEP_ALIVE = {"TCP_KEEPIDLE": 7200, "TCP_KEEPINTVL": 75, "TCP_KEEPCNT": 9}  # Linux's defaults, tcp(7)
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", -1)
_PEEK = int(socket.MSG_PEEK)
_LOCAL = ("", "localhost", "127.0.0.1", "0.0.0.0", "::1")


def _asking() -> Process:
    process = current_process()
    if process is None:
        raise RuntimeError("a virtual socket is made inside a process")
    return process


_collecting = False


def _note_collection(phase: str, info: dict[str, int]) -> None:
    global _collecting
    _collecting = phase == "start"


gc.callbacks.append(_note_collection)


class Socket(_RealSocket):
    """A socket on the virtual network. The C part of it has no file and stays unused."""

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        self._io_refs, self._closed = 0, False
        self._timeout = socket.getdefaulttimeout()
        self._end: Endpoint | None = None
        self._options: dict[tuple[int, int], int] = {}
        process = _asking()
        if fileno is not None:
            if fileno not in network_of(process.kernel).fds:
                raise OSError(errno.EBADF, f"{fileno} is no socket of this cloud")
            self._end = network_of(process.kernel).fds[fileno]
            return
        if family not in (-1, socket.AF_INET) or type & 0xF not in (15, socket.SOCK_STREAM):
            asked = [getattr(one, "name", str(one)) for one in (family, type) if one != -1]
            raise NotImplementedError(
                f"only TCP over IPv4 is simulated, not {' with '.join(asked)}; "
                "socket.socket(socket.AF_INET, socket.SOCK_STREAM) is"
            )
        self._end = Endpoint(process)
        if type != -1 and type & getattr(socket, "SOCK_NONBLOCK", 0):
            self._timeout = 0.0

    @property
    def end(self) -> Endpoint:
        """What the operating system knows of it. Raises OSError when it is closed."""
        if self._end is None:
            raise failure(errno.EBADF)
        return self._end

    family = property(lambda self: socket.AF_INET)
    type = property(lambda self: socket.SOCK_STREAM)
    proto = property(lambda self: 0)
    timeout = property(lambda self: self._timeout)

    def fileno(self) -> int:
        return -1 if self._end is None or self._end.state == "closed" else self._end.fd

    def settimeout(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = None if value is None else float(value)

    def gettimeout(self) -> float | None:
        return self._timeout

    def setblocking(self, flag: bool) -> None:
        self._timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        return self._timeout != 0.0

    # ---- connecting -------------------------------------------------------------------------------------------------

    def bind(self, address: Any) -> None:
        self.end.bind(address[1])

    def listen(self, backlog: int = 128) -> None:
        self.end.listen()

    def accept(self) -> tuple[Any, Any]:
        end = self.end
        if end.state != "listening":
            raise failure(errno.EINVAL)
        while not end.backlog:
            end.until(IN, self._timeout)
        other = end.backlog.popleft()
        accepted = _adopt(other)
        accepted._timeout = socket.getdefaulttimeout()
        return accepted, other.peer_name

    def connect(self, address: Any) -> None:
        end = self.end
        if end.state in ("connected", "connecting"):
            raise failure(errno.EISCONN if end.state == "connected" else errno.EALREADY)
        if end.state != "refused":
            end.connect(_resolve(end, address[0]), address[1])
        if self._timeout == 0:
            raise failure(errno.EINPROGRESS)
        try:
            end.until(OUT, self._timeout)
        except TimeoutError:
            end.vanish()
            raise
        end.raise_error()

    def connect_ex(self, address: Any) -> int:
        try:
            self.connect(address)
        except OSError as error:
            if error.errno is None:
                raise
            return error.errno
        return 0

    # ---- bytes ------------------------------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0) -> int:
        view = data if data.__class__ is memoryview else memoryview(data)
        if view.format != "B" or view.ndim != 1 or not view.c_contiguous:
            view = view.cast("B")
        return self.end.send(view, self._timeout) if len(view) else 0

    def sendall(self, data: Any, flags: int = 0) -> None:
        view = memoryview(data)
        if view.format != "B" or view.ndim != 1:
            view = view.cast("B")
        while (sent := self.send(view) if len(view) else 0) < len(view):
            view = view[sent:]

    def sendmsg(self, buffers: Iterable[Any], *_: Any) -> int:
        return self.send(b"".join(bytes(b) for b in buffers))

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        return self._sendfile_use_send(file, offset, count)  # type: ignore[attr-defined]

    def recv(self, size: int, flags: int = 0) -> bytes:
        end = self._end
        if end is None:
            raise failure(errno.EBADF)
        return end.recv(size, self._timeout, flags != 0 and flags & _PEEK != 0)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        view = memoryview(buffer).cast("B")
        data = self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Any]:
        return self.recv(size, flags), None  # Linux tells no address of a connection's bytes

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(self, size: int, *_: Any) -> tuple[bytes, list[Any], int, Any]:
        return self.recv(size), [], 0, None

    def sendto(self, data: Any, *_: Any) -> int:
        raise NotImplementedError("only TCP is simulated: connect, then send")

    # ---- ending -----------------------------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        self.end.shutdown(how)

    def _real_close(self, *_: Any) -> None:
        end, self._end = self._end, None
        if end is not None:
            end.close()

    def detach(self) -> int:
        end, self._end, self._closed = self._end, None, True
        return end.fd if end else -1

    def dup(self) -> Any:
        raise NotImplementedError("socket.dup() is not simulated")

    def __del__(self) -> None:
        """Close it where its last name goes. What only the garbage collector finds stays open until its program ends:
        when that collects depends on all that this interpreter did before, and would show in the run.
        """
        if not _collecting and getattr(self, "_end", None) is not None and current_process() is not None:
            self._real_close()

    # ---- looking ----------------------------------------------------------------------------------------------------

    def getsockname(self) -> Any:
        return self.end.name

    def getpeername(self) -> Any:
        if self.end.state != "connected":
            raise failure(errno.ENOTCONN)
        return self.end.peer_name

    def setsockopt(self, level: int, option: int, value: Any = None, optlen: int | None = None) -> None:
        if not isinstance(value, int):
            value = int.from_bytes(value or b"", "little")
        self._options[level, option] = value
        if (level, option) == (socket.IPPROTO_TCP, _USER_TIMEOUT):
            self.end.user_timeout = value / 1000
        if self._options.get((socket.SOL_SOCKET, socket.SO_KEEPALIVE)):
            known = {name: (socket.IPPROTO_TCP, getattr(socket, name, -1)) for name in _KEEP_ALIVE}
            idle, interval, count = (self._options.get(known[name], usual) for name, usual in _KEEP_ALIVE.items())
            self.end.set_keep_alive(idle, interval, count)

    def getsockopt(self, level: int, option: int, buflen: int | None = None) -> Any:
        if level == socket.SOL_SOCKET and option == socket.SO_ERROR:
            code, self.end.error = self.end.error, 0
            return code
        if level == socket.SOL_SOCKET and option == socket.SO_TYPE:
            return int(socket.SOCK_STREAM)
        return self._options.get((level, option), 0)

    def set_inheritable(self, inheritable: bool) -> None: ...

    def get_inheritable(self) -> bool:
        return False


def _adopt(end: Endpoint) -> Socket:
    """The Socket of an endpoint that exists."""
    sock: Socket = _RealSocket.__new__(Socket)
    sock._io_refs, sock._closed, sock._timeout, sock._end, sock._options = 0, False, None, end, {}
    return sock


def _resolve(end: Endpoint, name: str) -> Host:
    return end.host if name in _LOCAL else _find(end.network, name)


def _find(network: Any, name: str) -> Host:
    host: Host | None = network.find(name)
    if host is None and name in network.kernel.processes:
        host = network.add_host(name)
    if host is None:
        raise socket.gaierror(
            socket.EAI_NONAME, f"{name!r} is no host of this cloud, and from a process nothing leaves this machine"
        )
    return host


# ---- the functions of the module ------------------------------------------------------------------------------------


def _host(process: Process) -> Host:
    return network_of(process.kernel).host_of(program_of(process))


def _address(process: Process, name: Any) -> str:
    name = name.decode() if isinstance(name, bytes) else name or ""
    return (_host(process) if name in _LOCAL else _find(network_of(process.kernel), name)).address


def _addresses(
    process: Process, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[Any]:
    if family == socket.AF_INET6:
        raise socket.gaierror(socket.EAI_NONAME, "only TCP over IPv4 is simulated")
    where = (_address(process, host), int(port or 0))
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where)]


def _pair(process: Process, family: int | None = None, type: int = 1, proto: int = 0) -> tuple[Socket, Socket]:
    """A connection to oneself: programs use it to wake a select() from another thread."""
    a, b = Socket(), Socket()
    for one, other in ((a.end, b.end), (b.end, a.end)):
        one.state, one.peer, one.peer_name = "connected", other, other.name
    return a, b


def _close(process: Process, fd: int) -> None:
    end = network_of(process.kernel).fds.get(fd)
    if end is None:
        raise failure(errno.EBADF)
    end.close()


def patch_socket(module: Any) -> None:
    """The module `socket`."""

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if current_process() is None or issubclass(cls, Socket):
            return super(_RealSocket, cls).__new__(cls)
        if cls is not _RealSocket:
            raise NotImplementedError(f"{cls.__name__}: a subclass of socket.socket cannot be made in virtual time")
        return super(_RealSocket, Socket).__new__(Socket)

    _RealSocket.__new__ = staticmethod(new)  # type: ignore[method-assign]
    virtualize(
        module,
        {
            "close": _close,
            "getaddrinfo": _addresses,
            "socketpair": _pair,
            "gethostbyname": _address,
            "gethostbyname_ex": lambda process, name: (name, [], [_address(process, name)]),
            "gethostname": lambda process: _host(process).name,
            "getfqdn": lambda process, name="": name or _host(process).name,
            "has_dualstack_ipv6": lambda process: False,
        },
    )


def patch_proxies(request: Any) -> None:
    """The module `urllib.request`, which requests and httpx ask, too: this machine's proxies are not the cloud's."""
    virtualize(request, dict.fromkeys(("getproxies", "getproxies_environment"), lambda process: {}))
    virtualize(request, {"proxy_bypass": lambda process, host, proxies=None: True})
