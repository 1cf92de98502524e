"""The virtual network of a cloud: hosts with names and addresses, and the wires between them.

A program lives on the host of its own name, unless `Network.spawn` places it elsewhere. Bytes travel with a latency and
in order. What a partition or a host without power swallows is held and arrives when the wire is healed (TCP sends it
again), or never. Nobody outside exists: a name that no host has cannot be resolved, so nothing leaves the machine.

`tcp.py` has the connections; `stdlib/sockets.py` is the face that programs see.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lablib.kernel.process import Kernel, Process
from lablib.kernel.programs import Program

if TYPE_CHECKING:
    from lablib.kernel.tcp import Endpoint

_LATENCY = 0.0005  # seconds one way; two machines of one region (assumed)
FIRST_FD = 1 << 24  # no real file has such a number, and the real select.select refuses it loudly
_FIRST_PORT, _LAST_PORT = 32768, 60999  # of outgoing connections (Linux, ip_local_port_range)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a host shows to TLS clients: the names it is for, and whether a client's authorities vouch for it."""

    names: tuple[str, ...]
    trusted: bool = True


class Host:
    """A machine. `up` is False while it has no power."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.address = f"10.0.{number >> 8}.{number & 255}"
        self.up = True
        self.listeners: dict[int, Endpoint] = {}
        self.certificate = Certificate((name,))
        self.lets_in: Callable[[Host, int], bool] | None = None  # a firewall: who may connect to which port
        self.wires: dict[Host, _Wire] = {}  # to each host that it has to do with; the same one at its other end
        self._ports = itertools.cycle(range(_FIRST_PORT, _LAST_PORT + 1))

    def free_port(self) -> int:
        """A port for an outgoing connection."""
        return next(port for port in self._ports if port not in self.listeners)

    def __repr__(self) -> str:
        return f"<Host {self.name} {self.address}{'' if self.up else ', no power'}>"


class _Wire:
    """What is between two hosts."""

    __slots__ = ("bytes_per_second", "cut", "latency")

    def __init__(self, latency: float) -> None:
        self.latency, self.bytes_per_second, self.cut = latency, float("inf"), False


@dataclass(slots=True)
class _Parcel:
    """Something under way. `sender`: the endpoint whose parcels arrive in order; None: it belongs to no connection."""

    source: Host
    target: Host
    sender: Endpoint | None
    deliver: Callable[..., None]
    args: tuple[Any, ...]
    size: int


class Network:
    """The hosts and wires of one kernel. `network_of(kernel)` makes it, `cloud.network` is it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.hosts: dict[str, Host] = {}
        self.fds: dict[int, Endpoint] = {}
        self.watchers: list[Callable[[str, str, str], None]] = []  # are told what happens, as `tell` is
        self._names: dict[str, Host] = {}
        self._balanced: dict[str, Callable[[], Host | None]] = {}
        self._next_fd = itertools.count(FIRST_FD)
        self._wires: list[_Wire] = []
        self._latency = _LATENCY
        self._held: list[_Parcel] = []

    # ---- names ------------------------------------------------------------------------------------------------------

    def add_host(self, name: str, *aliases: str) -> Host:
        """The host of that name, which is made when it is new. `aliases`: further names by which it is reached."""
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host(name, len(self.hosts) + 1)
        for known in (name, host.address, *aliases):
            self._names[known] = host
        return host

    def find(self, name: str) -> Host | None:
        """The host with that name, alias or address, if there is one."""
        choose = self._balanced.get(name)
        return choose() if choose is not None else self._names.get(name)

    def balance(self, name: str, choose: Callable[[], Host | None]) -> None:
        """A name behind which there are several hosts, as behind a load balancer: `choose()` says which, each time."""
        self._balanced[name] = choose

    def host_of(self, program: Program) -> Host:
        """The host on which a program runs."""
        return self.add_host(program.host or program.name)

    def spawn(self, host: str, fn: Callable[..., Any], *args: Any, name: str | None = None) -> Process:
        """Start a program on a host. Its name is the host's, unless it is given one."""
        process = self.kernel.spawn(fn, *args, name=name or host)
        process.program = Program(process)
        process.program.host = self.add_host(host).name
        return process

    def certify(self, host: str, names: Iterable[str], trusted: bool = True) -> None:
        """Give a host another TLS certificate: for these names ("*.example.com" works), signed by an authority that
        clients trust, or not. By default it has one for its own name that they trust."""
        self._known(host).certificate = Certificate(tuple(names), trusted)

    def _known(self, name: str) -> Host:
        if name not in self._names and name not in self.kernel.processes:
            raise KeyError(f"no host is called {name!r}; there are: {', '.join(self.hosts) or 'none'}")
        return self._names.get(name) or self.add_host(name)

    # ---- what can go wrong ------------------------------------------------------------------------------------------

    def partition(self, a: str, b: str) -> None:
        """Nothing arrives between two hosts any more, and nobody is told: their connections are half-open."""
        self._wire(self._known(a), self._known(b)).cut = True
        self.tell("Partitioned", a, b)

    def heal(self, a: str, b: str) -> None:
        """End a partition. What was sent meanwhile arrives."""
        self._wire(self._known(a), self._known(b)).cut = False
        self.tell("Healed", a, b)
        self._send_again()

    def reaches(self, a: str, b: str) -> bool:
        """Does what one host sends arrive at the other now?"""
        one, other = self._known(a), self._known(b)
        return one is other or (other.up and not self._wire(one, other).cut)

    def delay(self, seconds: float, a: str | None = None, b: str | None = None) -> None:
        """How long a message travels one way: between two hosts, or, without names, between all."""
        if not 0 <= seconds < 1e6:
            raise ValueError(f"seconds={seconds!r}: must be a number of seconds, zero or more")
        if a is not None and b is not None:
            self._wire(self._known(a), self._known(b)).latency = seconds
            return
        self._latency = seconds
        for wire in self._wires:
            wire.latency = seconds

    def slow(self, bytes_per_second: float, a: str, b: str) -> None:
        """Let so many bytes a second through between two hosts, as when a reader is slow; the sender's buffer fills."""
        if not bytes_per_second > 0:
            raise ValueError(
                f"bytes_per_second={bytes_per_second!r}: must be more than zero; partition() lets none pass"
            )
        self._wire(self._known(a), self._known(b)).bytes_per_second = bytes_per_second

    def reset(self, host: str) -> None:
        """Reset every connection of a host, as a load balancer does, or a program that crashes with unread data."""
        for end in [e for e in self.fds.values() if e.host is self._known(host) and e.state == "connected"]:
            end.abort()

    def power_off(self, host: str) -> None:
        """A host loses its power: its programs and connections are gone, and nobody is told."""
        target = self._known(host)
        target.up = False
        self.tell("PoweredOff", host)
        for end in [e for e in self.fds.values() if e.host is target]:
            end.vanish()
        for process in list(self.kernel.processes.values()):
            program = process.program
            main, at = (program.main, program.host or program.name) if program else (process, process.name)
            if process.alive and main is process and at == target.name:
                self.kernel.kill(process)

    def power_on(self, host: str) -> None:
        """The host is back, with no program on it. It answers with a reset to whatever it does not remember."""
        self._known(host).up = True
        self.tell("PoweredOn", host)
        self._send_again()

    def is_cut(self, a: str, b: str) -> bool:
        """Is there a partition between two hosts?"""
        return self._wire(self._known(a), self._known(b)).cut

    def latency(self, a: str, b: str) -> float:
        """How long something travels from one host to the other, in seconds."""
        return self._wire(self._known(a), self._known(b)).latency

    # ---- travelling -------------------------------------------------------------------------------------------------

    def carry(
        self,
        source: Host,
        target: Host,
        sender: Endpoint | None,
        deliver: Callable[..., None],
        *args: Any,
        size: int = 0,
    ) -> None:
        """Call `deliver(*args)` at the other side, after what the same endpoint has sent before."""
        wire = source.wires.get(target) or self._wire(source, target)
        if wire.cut or not target.up:
            self._hold(_Parcel(source, target, sender, deliver, args, size))
            return
        at = now = self.kernel.now
        if source is not target or (sender is not None and sender.last_arrival > now):
            at += wire.latency
            if sender is not None:
                at = sender.last_arrival = max(at, sender.last_arrival) + size / wire.bytes_per_second
            else:
                at += size / wire.bytes_per_second
            self.kernel.at(at, self._arrive, wire, source, target, sender, deliver, args, size)
        else:
            deliver(*args)  # within a machine there is no wire

    def _arrive(
        self,
        wire: _Wire,
        source: Host,
        target: Host,
        sender: Endpoint | None,
        deliver: Callable[..., None],
        args: tuple[Any, ...],
        size: int,
    ) -> None:
        if wire.cut or not target.up:
            self._hold(_Parcel(source, target, sender, deliver, args, size))
            return
        if sender is not None:
            sender.answered()
        deliver(*args)

    def _hold(self, parcel: _Parcel) -> None:
        self._held.append(parcel)
        if parcel.sender is not None:
            parcel.sender.unanswered()

    def _send_again(self) -> None:
        held, self._held = self._held, []
        for p in held:
            self.carry(p.source, p.target, p.sender, p.deliver, *p.args, size=p.size)

    def _wire(self, a: Host, b: Host) -> _Wire:
        wire = a.wires.get(b)
        if wire is None:
            wire = a.wires[b] = b.wires[a] = _Wire(self._latency)
            self._wires.append(wire)
        return wire

    def register(self, end: Endpoint) -> int:
        """The number (fd) of a new socket."""
        fd = next(self._next_fd)
        self.fds[fd] = end
        return fd

    def tell(self, kind: str, host: str, other: str = "", detail: str = "") -> None:
        """Something happened that a trace may want to note."""
        if self.kernel.on_event is not None:
            self.kernel.on_event(kind, host, other, detail)
        for watcher in self.watchers:
            watcher(kind, host, other)


def network_of(kernel: Kernel) -> Network:
    """The network of a kernel, made when first needed."""
    if kernel.network is None:
        kernel.network = Network(kernel)
    network: Network = kernel.network
    return network
