"""The picture of a failing case: its places and links, read from the trace, so that a workbench can show it."""

from __future__ import annotations

from collections.abc import Iterable

from lablib.kernel import Trace
from lablib.scenarios.topology import Link, Place, Topology


def topology_of(trace: Trace, learners: Iterable[str]) -> Topology:
    """The programs that send, the topics, the queues, and the programs that receive; the links are those that
    something can go along.
    """
    queues = _names(row.resource for row in trace.where("QueueCreated"))
    topics = _names(row.resource for row in trace.where("TopicCreated"))
    sent = trace.where(("Sent", "Published"))
    received = trace.where("Received")
    dead = {str(row.detail) for row in trace.where("MovedToDeadLetterQueue")}
    receivers = _names(row.actor for row in received)
    senders = _names(row.actor for row in sent if "/" not in row.actor and row.actor not in receivers)
    mine = {*learners}
    programs = [name for name in (*senders, *receivers) if name in mine]
    places = [Place(name, name.capitalize(), "producer", name) for name in senders]
    places += [Place(f"topic {name}", name, "topic", f"{name} sns/{name}") for name in topics]
    places += [Place(f"queue {q}", q, "dead-letter" if q in dead else "queue", q) for q in queues]
    if receivers:
        label = "Your consumers" if mine.issuperset(receivers) else "Consumers"
        places.append(Place("consumers", label, "consumer", " ".join(receivers)))
        places.append(Place("done", "Done", "done"))
    elif not senders and programs:
        places.insert(0, Place("program", "Your program", "producer", " ".join(programs)))
    links = {(r.actor, f"topic {r.resource}" if r.kind == "Published" else f"queue {r.resource}") for r in sent}
    links |= {(f"topic {row.resource}", f"queue {row.detail}") for row in trace.where("Subscribed")}
    links |= {(f"queue {row.resource}", "consumers") for row in received}
    links |= {(f"queue {r.resource}", f"queue {r.detail}") for r in trace.where("MovedToDeadLetterQueue")}
    links |= {("consumers", "done")} if receivers else set()
    known = {place.id for place in places}
    return Topology(tuple(places), tuple(Link(*ends) for ends in sorted(links) if known.issuperset(ends)))


def _names(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in found if name))
