"""The store of an ActiveMQ broker: what is on its disk, the journal through which it gets there, and the lock.

The model, after KahaDB. Whatever changes is written to a journal; writes that come while one is under way go together
in the next (group commit). A write takes as long as the storage needs: 1 KB messages of one producer, one after the
other, come to about 80 a second on EFS and 500 on EBS (developer guide of 2023, "storage"). What is under way when the
program dies is lost. A message that is acknowledged before it was written is never written ("concurrent store and
dispatch").

The lock is a file on the shared store. A program that ends gives it back; that of a host which is gone, or which does
not reach the store any more, is held until its lease is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lablib.kernel.network import Host, network_of
from lablib.services.mq.engine import Broker, Node

if TYPE_CHECKING:
    from lablib.services.mq.activemq.destinations import Message

DurableKey = tuple[str, str]  # the client's id, the name of its subscription


@dataclass
class DurableRecord:
    """A durable subscription as the disk has it."""

    topic: str
    selector: str = ""
    messages: dict[str, Message] = field(default_factory=dict)


Change = tuple[str, Any, Any]  # what, where, which: see `_apply`


@dataclass(eq=False)
class Write:
    """Some changes that become true together. `done` is called when they are on the disk, or not needed any more."""

    changes: list[Change]
    done: Callable[[], None] | None = None
    cancelled: bool = False


class Store:
    """One broker's disk. It is reached over the network from the host of the node that writes: `host` is the
    storage."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.network = network_of(broker.world.kernel)
        self.host: Host = self.network.add_host(f"{broker.name}-storage")
        self.queues: dict[str, dict[str, Message]] = {}
        self.durables: dict[DurableKey, DurableRecord] = {}
        self.sequence = 0
        self.owner: Node | None = None  # who holds the lock
        self.lease_until = 0.0  # until when nobody else gets it, though its owner is gone
        self._pending: dict[Write, None] = {}  # in order
        self._writing: list[Write] = []

    # ---- the lock ----------------------------------------------------------------------------------------------------

    def reached_from(self, node: Node) -> bool:
        """Does the node's host reach the storage?"""
        return self.network.reaches(node.name, self.host.name)

    def lock(self, node: Node) -> bool:
        """Take the lock, if nobody has it."""
        if self.owner is not None or self.broker.world.kernel.now < self.lease_until or not self.reached_from(node):
            return False
        self.owner = node
        return True

    def release(self, node: Node) -> None:
        """The owner's program is over. What is under way to the storage arrives there, though nobody is told; what
        waited behind it is lost, unless the program could end in order."""
        if self.owner is not node:
            return
        self.owner = None
        if not node.host.up or not self.reached_from(node):
            self.lease_until = self.broker.world.kernel.now + self.broker.world.quotas["mq.lock_lease"]
        if not self.network.is_cut(node.name, self.host.name):
            for write in (*self._writing, *(self._pending if node.stopping else ())):
                self._apply(write)
        self._writing, self._pending = [], {}

    # ---- writing -----------------------------------------------------------------------------------------------------

    def write(self, node: Node, changes: list[Change], done: Callable[[], None] | None = None) -> Write:
        """Write changes to the disk; they stand in it together, or not at all."""
        write = Write(changes, done)
        self._pending[write] = None
        if not self._writing:
            self._begin(node)
        return write

    def cancel(self, write: Write) -> bool:
        """Take back what was not begun to be written, and stands alone. False: it cannot be taken back."""
        if len(write.changes) > 1 or write not in self._pending:
            return False
        del self._pending[write]
        write.cancelled = True
        if write.done is not None:
            write.done()
        return True

    def _begin(self, node: Node) -> None:
        if self.owner is not node or not self._pending:
            return
        self._writing, self._pending = list(self._pending), {}
        kind = "mq.efs_write" if self.broker.storage == "EFS" else "mq.ebs_write"
        way = 2 * self.network.latency(node.name, self.host.name)
        node.after(self.broker.world.quotas[kind] + way, self._written, node)

    def _written(self, node: Node) -> None:
        if self.owner is not node:
            return
        if not self.reached_from(node):  # the write hangs until the storage is there again
            node.after(self.broker.world.quotas["mq.store_retry"], self._written, node)
            return
        writing, self._writing = self._writing, []
        for write in writing:
            self._apply(write)
        self._begin(node)
        for write in writing:
            if write.done is not None:
                write.done()

    def _apply(self, write: Write) -> None:
        for what, where, which in write.changes:
            if what == "add":
                self.queues.setdefault(where, {})[which.id] = which
            elif what == "remove":
                self.queues.get(where, {}).pop(which.id, None)
            elif what == "add to subscription" and where in self.durables:
                self.durables[where].messages[which.id] = which
            elif what == "remove from subscription" and where in self.durables:
                self.durables[where].messages.pop(which.id, None)
            elif what == "subscribe":
                self.durables[where] = which
            elif what == "unsubscribe":
                self.durables.pop(where, None)

    @property
    def bytes(self) -> int:
        """What it holds."""
        kept = [*self.queues.values(), *(record.messages for record in self.durables.values())]
        return sum(message.size for messages in kept for message in messages.values())
