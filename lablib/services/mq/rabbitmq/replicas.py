"""Queues that several nodes keep: quorum queues, and the classic mirrored queues of RabbitMQ 3.

A *quorum queue* is a log that its leader writes and a majority of nodes have on disk (Raft). A message can be taken,
and is confirmed, when it is on a majority; so is an acknowledgement. A leader that is lost is followed by the node with
the most of the log, and a minority does nothing at all. Kept from Raft: terms, the order of the log, who may lead. A
node that has missed something gets everything anew; there is no log of what is over.

A *mirrored queue* has a master, which gives messages out at once, and mirrors, which follow. It is confirmed when all
have it. A node that comes back begins empty: until it is synchronised, it has only what came since. When the master is
lost, the oldest synchronised mirror takes over; when there is none, an unsynchronised one does, and the rest is lost
(ha-promote-on-failure: always).

Sources: RabbitMQ's pages on quorum queues and on classic queue mirroring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lablib.services.mq.engine import Node
from lablib.services.mq.rabbitmq.messages import Entry

if TYPE_CHECKING:
    from lablib.services.mq.rabbitmq.queues import Queue


@dataclass(eq=False, slots=True)
class _Command:
    """One step of the log: to keep a message, or to forget it. `then`: what happens when a majority has it."""

    entry: Entry
    keeps: bool
    origin: Node
    then: Callable[[], None]
    term: int = 0
    index: int = 0
    afterwards: list[Callable[[], None]] = field(default_factory=list)  # what waits until it is decided


@dataclass(eq=False, slots=True)
class _Disk:
    """What one node has of a queue."""

    term: int = 0
    index: int = 0
    entries: dict[Entry, None] = field(default_factory=dict)


def _nothing() -> None: ...


class Quorum:
    """The copies of a quorum queue. `nodes`: its members; the leader is the queue's home."""

    def __init__(self, queue: Queue, nodes: tuple[int, ...]) -> None:
        self.queue, self.nodes = queue, nodes
        self.broker = queue.vhost.broker
        self.disks = {number: _Disk(1) for number in nodes}
        self.term = 1
        self._index = 0  # of the newest that the leader has written or is writing
        self._entries: dict[Entry, None] = {}
        self._acked = dict.fromkeys(nodes, 0)
        self._pending: list[_Command] = []  # no majority has them yet
        self._tell_leader()

    def _tell_leader(self) -> None:
        node = self.queue.node
        if node is not None:
            self.broker.emit("LeaderElected", self.queue.place, actor=node.name, detail=self.term)

    @property
    def majority(self) -> int:
        """So many nodes decide."""
        return len(self.nodes) // 2 + 1

    def store(self, entry: Entry, origin: Node, ready: Callable[[], None], safe: Callable[[], None]) -> None:
        """Ready and safe when a majority has it."""

        def then() -> None:
            entry.safe = True
            ready()
            safe()

        self._append(_Command(entry, True, origin, then))

    def forget(self, entry: Entry, origin: Node | None = None) -> None:
        """Gone when a majority knows it."""
        node = origin or self.queue.node
        if entry in self._entries and node is not None:
            self._append(_Command(entry, False, node, _nothing))

    def when_decided(self, fn: Callable[[], None]) -> None:
        """When the last step of the log is on a majority."""
        if self._pending:
            self._pending[-1].afterwards.append(fn)
        else:
            fn()

    # ---- the log ----------------------------------------------------------------------------------------------------

    def _append(self, command: _Command) -> None:
        leader = self.queue.node
        if leader is None:
            return
        self._index += 1
        command.term, command.index = self.term, self._index
        _apply(self._entries, command)
        self._pending.append(command)
        for number in self.nodes:
            node = self.broker.nodes.get(number)
            if node is not None:
                self.broker.hop(leader, node, self._receive, node, command, command.term, command.index)

    def _receive(self, node: Node, command: _Command, term: int, index: int) -> None:
        if term == self.term:
            node.after(self.broker.quota("sync"), self._write, node, command, term, index)

    def _write(self, node: Node, command: _Command, term: int, index: int) -> None:
        disk, leader = self.disks[node.number], self.queue.node
        if term != self.term or leader is None:
            return
        if (disk.term, disk.index) == (term, index - 1):
            disk.index = index
            _apply(disk.entries, command)
            if command.keeps:
                self.broker.emit("Replicated", self.queue.place, command.entry.subject, node.name, command.entry.row)
            self.broker.hop(node, leader, self._acknowledged, node.number, term, index)
        elif disk.term != term or disk.index < index:
            self.broker.hop(node, leader, self._catch_up, node.number)

    def _catch_up(self, number: int) -> None:
        """A member has missed something: the leader sends it all that there is."""
        leader, node = self.queue.node, self.broker.nodes.get(number)
        if leader is not None and node is not None and not self.queue.stopped:
            self.broker.hop(leader, node, self._install, node, self.term, self._index, dict(self._entries))

    def _install(self, node: Node, term: int, index: int, entries: dict[Entry, None]) -> None:
        disk = self.disks[node.number]
        if term == self.term and (disk.term, disk.index) < (term, index) and self.queue.node is not None:
            if list(disk.entries) != list(entries):
                self.broker.emit("MirrorSynchronised", self.queue.place, actor=node.name, detail=len(entries))
            disk.term, disk.index, disk.entries = term, index, dict(entries)
            self.broker.hop(node, self.queue.node, self._acknowledged, node.number, term, index)

    def _acknowledged(self, number: int, term: int, index: int) -> None:
        if term != self.term or self.queue.stopped:
            return
        self._acked[number] = max(self._acked[number], index)
        decided = sorted(self._acked.values(), reverse=True)[self.majority - 1]
        while self._pending and self._pending[0].index <= decided:
            command = self._pending.pop(0)
            command.then()
            _call_all(command.afterwards)

    # ---- who leads --------------------------------------------------------------------------------------------------

    def review(self) -> None:
        """Some time after a node was lost or came back: is there a leader with a majority, and has everyone the log?"""
        leader = self.queue.node
        if leader is None or not self._has_majority(leader):
            able = [n for n in self._alive() if self._has_majority(n)]
            if not able:
                return self._stop()
            self._lead(max(able, key=lambda n: (self.disks[n.number].term, self.disks[n.number].index, -n.number)))
        elif self.queue.stopped:
            self._lead(leader)
        for number in self.nodes:
            if self.disks[number].term != self.term:
                self._catch_up(number)

    def _alive(self) -> list[Node]:
        return [self.broker.nodes[number] for number in self.nodes if number in self.broker.nodes]

    def _has_majority(self, node: Node) -> bool:
        return sum(self.broker.reaches(node, other) for other in self._alive()) >= self.majority

    def _stop(self) -> None:
        if not self.queue.stopped:
            self.queue.stopped = True
            self.broker.emit("QueueStopped", self.queue.place, detail="no majority of its nodes can be reached")

    def _lead(self, node: Node) -> None:
        """Another leader: the log is what it has. What nobody else had yet is sent to it again by those who asked."""
        disk, pending = self.disks[node.number], self._pending
        self.term += 1
        last = disk.term
        disk.term, self._index, self._entries = self.term, disk.index, dict(disk.entries)
        self._acked = {number: disk.index if number == node.number else 0 for number in self.nodes}
        self.queue.home, self.queue.stopped, self._pending = node.number, False, []
        self._tell_leader()
        dropped = []
        for command in pending:
            if command.term == last and command.index <= disk.index:
                command.term = self.term
                self._pending.append(command)
            elif command.origin.alive:
                self.queue.ask(command.origin, self._append, command)
            else:
                dropped.append(command)
        for command in dropped:
            if command.keeps:
                self.queue.lose(command.entry, command.origin.name)
            elif command.entry in self._entries:
                self.queue.requeue(command.entry, "the answer to it was lost with a node", failed=False)
        self.queue.led_anew()
        for command in dropped:
            _call_all(command.afterwards)


def _call_all(waiting: list[Callable[[], None]]) -> None:
    while waiting:
        waiting.pop(0)()


def _apply(entries: dict[Entry, None], command: _Command) -> None:
    if command.keeps:
        entries[command.entry] = None
    else:
        entries.pop(command.entry, None)


class Mirrors:
    """The copies of a mirrored queue. `mirrors`: what each mirror has, the oldest first; `synchronised`: which of them
    have everything. `nodes`: the master's, then theirs."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.broker = queue.vhost.broker
        self.mirrors: dict[int, dict[Entry, None]] = {}
        self.synchronised: set[int] = set()
        self._waiting: dict[Entry, tuple[set[int], Callable[[], None]]] = {}
        for number in self.broker.nodes:
            self.join(number)

    @property
    def nodes(self) -> tuple[int, ...]:
        """Where it is kept."""
        return (self.queue.home, *self.mirrors)

    def store(self, entry: Entry, origin: Node, ready: Callable[[], None], safe: Callable[[], None]) -> None:
        """Ready at once, safe when all have it."""
        master = self.queue.node
        if master is None:
            return
        self._waiting[entry] = {self.queue.home, *self.mirrors}, safe
        ready()
        delay = self.broker.quota("sync") if self.queue.durable and entry.message.persistent else 0.0
        for number in self.nodes:
            node = self.broker.nodes.get(number)
            if node is not None:
                self.broker.hop(master, node, self._comes, node, delay, entry)

    def _comes(self, node: Node, delay: float, entry: Entry) -> None:
        node.after(delay, self._keep, node, entry)

    def _keep(self, node: Node, entry: Entry) -> None:
        mirror, master = self.mirrors.get(node.number), self.queue.node
        if mirror is not None and entry in self._waiting:
            mirror[entry] = None
            self.broker.emit("Replicated", self.queue.place, entry.subject, node.name, entry.row)
        if master is not None:
            self.broker.hop(node, master, self._kept, node.number, entry)

    def _kept(self, number: int, entry: Entry) -> None:
        waiting, safe = self._waiting.get(entry, (set(), _nothing))
        waiting.discard(number)
        if entry in self._waiting and not waiting:
            del self._waiting[entry]
            entry.safe = True
            safe()

    def forget(self, entry: Entry, origin: Node | None = None) -> None:
        """The mirrors forget it too. Who has not got it yet need not: it is over."""
        master, (_, safe) = self.queue.node, self._waiting.pop(entry, (set(), _nothing))
        safe()
        for number, mirror in self.mirrors.items():
            node = self.broker.nodes.get(number)
            if master is not None and node is not None:
                self.broker.hop(master, node, mirror.pop, entry, None)

    def when_decided(self, fn: Callable[[], None]) -> None:
        """Now: the master decides alone."""
        fn()

    # ---- who leads --------------------------------------------------------------------------------------------------

    def join(self, number: int) -> None:
        """A node is there (again): it follows from now on, and is synchronised, if the policy says so."""
        if number == self.queue.home or number in self.mirrors:
            return
        self.mirrors[number] = {}
        if not self.queue.entries():
            self.synchronised.add(number)
        elif self.queue.settings.synchronise:
            self._synchronise(number)

    def _synchronise(self, number: int) -> None:
        """All messages go to the mirror, and meanwhile the queue does nothing else."""
        master = self.queue.node
        if master is None or self.queue.stopped:
            return
        self.queue.stopped = True
        seconds = len(self.queue.entries()) / self.broker.quota("synchronise_rate")
        self.broker.emit("QueueStopped", self.queue.place, detail=f"it is synchronised with node {number}",
                         until=self.broker.now + seconds)  # fmt: skip
        master.after(seconds, self._synchronised, number)

    def _synchronised(self, number: int) -> None:
        self.queue.stopped = False
        if number in self.mirrors:
            self.mirrors[number] = dict.fromkeys(self.queue.entries())
            self.synchronised.add(number)
            self.broker.emit("MirrorSynchronised", self.queue.place, actor=self.broker.nodes[number].name,
                             detail=len(self.mirrors[number]))  # fmt: skip
        for other in self.mirrors:
            if other not in self.synchronised and self.queue.settings.synchronise:
                self._synchronise(other)
                break
        if not self.queue.stopped:
            self.queue.led_anew()

    def leave(self, node: Node, in_order: bool) -> bool:
        """A node is gone. False: it was the master, and nobody takes over."""
        number = node.number
        if number != self.queue.home:
            self.mirrors.pop(number, None)
            self.synchronised.discard(number)
            for entry in list(self._waiting):
                self._kept(number, entry)
            return True
        able = [n for n in self.mirrors if n in self.broker.nodes]
        following = next((n for n in able if n in self.synchronised), able[0] if able and not in_order else None)
        if following is None:
            return False
        kept = self.mirrors.pop(following)
        self.synchronised.discard(following)
        self.queue.home, self.queue.stopped = following, False
        self.broker.emit("LeaderElected", self.queue.place, actor=self.broker.nodes[following].name)
        for entry in self.queue.take_back():
            if entry in kept:
                self.queue.add(entry)
            else:
                self.queue.lose(entry, node.name)
                self._waiting.pop(entry, None)
        for entry in list(self._waiting):
            self._kept(number, entry)
        self.queue.led_anew()
        return True
