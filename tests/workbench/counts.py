"""What must be painted at an instant of labs 02b, 05, 06 and 07, counted from the rows of the trace alone: without
tokens, without what a scenario tells its painters, without the page. `count.py` does the same for queues and workers.

Each function gives plain data: messages by their number on the page (`numbers`), by place and by who has them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from lablib.kernel import Row
from lablib.scenarios import Run

TAPE = 30.0  # seconds that a tape shows
Numbers = dict[str, int]


def _until(run: Run, t: float) -> list[Row]:
    return [row for row in run.trace if row.time <= t]


def _sorted(subjects: Iterable[str], numbers: Numbers) -> list[int]:
    return sorted(numbers[subject] for subject in subjects)


def called(run: Run, t: float, numbers: Numbers) -> dict[str, Any]:
    """A queue and a function: what waits, what is hidden, what is gathered for a call, the batch of each call; and
    of the calls that have ended how many seconds went into orders that were done and deleted, and how many did not.
    """
    waiting: set[str] = set()
    hidden: set[str] = set()
    dead: set[str] = set()
    gathered: set[str] = set()
    done: set[str] = set()
    finished: set[str] = set()  # by the function
    calls: dict[int, list[str]] = {}
    parts: dict[str, float] = {}  # each message's part of the call that ended last
    worked = counted = 0.0
    begins = -1  # the call whose batch is being told
    for row in _until(run, t):
        subject = row.subject
        begins = begins if row.kind == "WorkStarted" else -1
        if row.kind in ("Sent", "BecameVisible"):
            waiting.add(subject)
            hidden.discard(subject)
            gathered.discard(subject)
        elif row.kind == "Received":
            waiting.discard(subject)
            hidden.add(subject)
            if run.trace[row.cause].until <= t:  # the answer has arrived
                gathered.add(subject)
        elif row.kind == "BatchReleased":
            gathered.discard(subject)
        elif row.kind == "MovedToDeadLetterQueue":
            waiting.discard(subject)
            dead.add(subject)
        elif row.kind == "Deleted":
            hidden.discard(subject)
            done.add(subject)
            counted += parts[subject] if subject in finished else 0.0
        elif row.kind == "OrderDone":
            finished.add(subject)
        elif row.kind == "InvocationStarted":
            begins = row.index
            calls[begins] = []
        elif row.kind == "WorkStarted":
            begins = begins if begins >= 0 else max(calls)
            calls[begins].append(subject)
            gathered.discard(subject)
        elif row.kind in ("InvocationEnded", "InvocationFailed"):
            batch, lasted = calls.pop(row.cause), row.time - run.trace[row.cause].time
            worked += lasted
            parts |= dict.fromkeys(batch, lasted / len(batch))
    return {
        "t": t,
        "waiting": _sorted(waiting, numbers),
        "hidden": _sorted(hidden, numbers),
        "dead": _sorted(dead, numbers),
        "gathered": _sorted(gathered, numbers),
        "calls": sorted(_sorted(batch, numbers) for batch in calls.values()),
        "done": len(done & finished),
        "lost": len(done - finished),
        "open": len(waiting | hidden),
        "counted": round(counted, 1),
        "for_nothing": abs(round(worked - counted, 1)),
    }


def streamed(run: Run, t: float, numbers: Numbers) -> dict[str, Any]:
    """Shards and their readers: how many records are kept, those of the last half minute, what each reader has not
    read (a shard has one reader of an application), what the workers took in the last five seconds, who works on what,
    and how many positions were drawn after a newer one of their truck. Which workers are there and read nothing. Which
    shards are open, and for those what share of what they take came in the last second, and whether they refused any.
    How many trucks have a place on the map.
    """
    kept: dict[str, list[Row]] = defaultdict(list)
    read: dict[tuple[str, str], tuple[str, int]] = {}
    taken: Counter[str] = Counter()
    work: dict[str, str] = {}
    newest: dict[str, int] = {}
    origin: dict[str, Row] = {}
    back = 0
    shards, refused, trucks = set(), set(), set()
    fleet = {f"worker-{n + 1}" for n in range(run.scenario.values()["consumers"])}
    for row in _until(run, t):
        if row.kind == "StreamCreated":
            shards = set(row.detail)
        elif row.kind in ("ShardSplit", "ShardsMerged"):
            shards = (shards - {row.resource}) | set(row.detail)
        elif row.kind == "WriteThrottled" and row.time > t - 1:
            refused.add(row.resource)
        elif row.kind == "RecordPut":
            kept[row.resource].append(row)
            origin[row.subject] = row
        elif row.kind in ("RecordsRead", "RecordsPushed"):
            whose = row.actor if row.actor.startswith("dashboard") else "workers"
            read[whose, row.resource] = row.actor, row.detail[0] + row.detail[1] - 1
        elif row.kind == "WorkStarted":
            work[row.actor] = row.subject
            if row.time > t - 5:
                taken[origin[row.subject].resource] += 1
        elif row.kind == "WorkEnded":
            work.pop(row.actor, None)
            truck, place = "-".join(origin[row.subject].actor.split("-")[:2]), origin[row.subject].index
            back += place < newest.get(truck, -1)
            newest[truck] = max(place, newest.get(truck, -1))
            trucks.add(truck)
        elif row.kind == "Crashed":
            work.pop(row.actor, None)
            fleet.discard(row.actor)
        elif row.kind == "Restarted":
            fleet.add(row.actor)
    behind: dict[str, int] = defaultdict(int)
    most = min(1000, 1024 * 1024 / run.scenario.values()["size"])
    for (_, shard), (actor, last) in read.items():
        behind[actor] += len(kept[shard]) - 1 - last
    return {
        "t": t,
        "kept": {shard: len(rows) for shard, rows in kept.items()},
        "taken": dict(taken),
        "tape": {
            s: drawn
            for s, rows in kept.items()
            if (drawn := _sorted((r.subject for r in rows if r.time > t - TAPE), numbers))
        },
        "behind": behind,
        "idle": [name for name in sorted(fleet) if name not in behind],
        "work": {actor: numbers[subject] for actor, subject in work.items()},
        "back": back,
        "fed": {s: sum(r.time > t - 1 for r in kept[s]) / most for s in shards},
        "full": sorted(refused),
        "trucks": len(trucks),
    }


def subscribed(run: Run, t: float, numbers: Numbers) -> dict[str, Any]:
    """Who is subscribed to the topic, by the name of the queue, or "web"."""
    ends = [row.detail for row in _until(run, t) if row.kind == "Subscribed"]
    return {"t": t, "fed": sorted("web" if end.startswith("https:") else end.rpartition(":")[2] for end in ends)}


def collected(run: Run, t: float, numbers: Numbers) -> dict[str, Any]:
    """A delivery stream: what is in its buffer, how many bytes, how many objects it has written where, how many records
    have arrived there, and how many your code has read."""
    stream, bucket = "riders-to-s3", "lift-riders"
    inside: set[str] = set()
    size = 0
    objects = {"bucket": 0, "errors": 0, "backup": 0}
    stored: set[str] = set()
    seen: set[str] = set()
    for row in _until(run, t):
        if row.kind in ("RecordAccepted", "RecordTaken"):
            inside.add(row.subject)
            size += row.detail
        elif row.kind in ("RecordDelivered", "RecordFailed", "RecordDropped", "RecordLost") and row.resource == stream:
            inside.discard(row.subject)
            if row.kind == "RecordDelivered":
                stored.add(row.subject)
        elif row.kind == "BufferClosed" and row.resource == stream:
            size = 0
        elif row.kind == "ObjectCreated":
            prefix = "errors" if row.subject.startswith("errors/") else "bucket"
            objects["backup" if row.resource != bucket else prefix] += 1
        elif row.kind == "WorkStarted":
            seen.add(row.subject)
    return {
        "t": t,
        "inside": _sorted(inside, numbers),
        "bytes": None if run.scenario.values()["transform"] else size,
        "objects": objects,
        "stored": len(stored),
        "read": len(seen),
    }


def told(run: Run, t: float, numbers: Numbers) -> dict[str, Any]:
    """Uploads: what waits in each queue and what is hidden, what each worker has in hand, how many calls of the
    function run, and how many photos were uploaded."""
    waiting: dict[str, set[str]] = defaultdict(set)
    hidden: dict[str, set[str]] = defaultdict(set)
    hands: dict[str, set[str]] = defaultdict(set)
    coming: list[tuple[float, str, str]] = []  # answers under way
    calls = stored = 0
    for row in _until(run, t):
        kind, who, queue, subject = row.kind, row.actor, row.resource, row.subject
        for answer in [answer for answer in coming if answer[0] <= row.time]:
            coming.remove(answer)
            hands[answer[1]].add(answer[2])
        if kind in ("Sent", "BecameVisible"):
            waiting[queue].add(subject)
            hidden[queue].discard(subject)
        elif kind == "Received":
            waiting[queue].discard(subject)
            hidden[queue].add(subject)
            coming.append((run.trace[row.cause].until, who, subject))
        elif kind == "Deleted":
            hidden[queue].discard(subject)
            hands[who].discard(subject)
        elif kind == "Crashed":
            hands.pop(who, None)
        elif kind == "InvocationStarted":
            calls += 1
        elif kind in ("InvocationEnded", "InvocationFailed"):
            calls -= 1
        elif kind == "ObjectCreated":
            stored += who.startswith("front-end")
    for _, who, subject in [answer for answer in coming if answer[0] <= t]:
        hands[who].add(subject)
    return {
        "t": t,
        "waiting": {queue: _sorted(found, numbers) for queue, found in waiting.items() if found},
        "hidden": {queue: _sorted(found, numbers) for queue, found in hidden.items() if found},
        "hands": {who: _sorted(mine, numbers) for who, mine in hands.items() if mine},
        "calls": calls,
        "stored": stored,
    }


def clustered(run: Run, t: float, numbers: Numbers) -> dict[str, Any]:
    """A cluster: who leads and can decide, which nodes are there, how many messages each has on its disk, how many
    orders of each shop are confirmed, and which shops are blocked; what the sentence says of the nodes and of blocked
    shops, and which of those there is cut off."""
    there: set[str] = set()
    cut: set[str] = set()
    disks = dict.fromkeys((f"warehouse-{n}" for n in (1, 2, 3)), 0)
    done: dict[str, int] = defaultdict(int)
    blocked: set[str] = set()
    leader = home = ""
    classic = run.scenario.values()["queue"] == "classic"
    for row in _until(run, t):
        who = row.actor
        if row.kind == "NodeServing":
            there.add(who)
            leader = who if classic and who == home else leader
        elif row.kind == "NodeGone":
            there.discard(who)
            leader = "" if leader == who else leader
        elif row.kind == "LeaderElected":
            leader = home = who
        elif row.kind == "QueueStopped":
            leader = ""
        elif row.kind == "QueueDeclared":
            home = who
            leader = who if classic else leader
        elif row.kind == "Replicated":
            disks[who] += 1
        elif row.kind == "MirrorSynchronised":
            disks[who] = row.detail
            leader = home if classic else leader
        elif row.kind == "Enqueued" and classic:
            disks[home] += 1
        elif row.kind == "OrderConfirmed":
            done[who] += 1
        elif row.kind == "CutOff":
            cut.add(who)
        elif row.kind == "ProducerBlocked":
            blocked.add(who)
        elif row.kind == "ProducerUnblocked":
            blocked.discard(who)
        elif row.kind == "Rejoined":
            cut.discard(who)
    nodes: dict[str, Any] = {"leader": leader, "there": sorted(there), "said": len(there), "cut": sorted(cut & there)}
    return {"t": t, "disks": disks, "confirmed": done, "blocked": sorted(blocked), "stopped": len(blocked), **nodes}


def _begun_after_a_cut(run: Run) -> set[int]:
    """The rows in which a connection broke, with a message that its packer had already and began with later."""
    last: dict[tuple[str, str], int] = {}
    found = set()
    for row in run.trace:
        if row.kind == "DeliveryCut":
            last[row.actor, row.subject] = row.index
        elif row.kind == "Dispatched":
            last.pop((row.actor, row.subject), None)
        elif row.kind == "WorkStarted" and (row.actor, row.subject) in last:
            found.add(last[row.actor, row.subject])
    return found


def _shops(run: Run, t: float) -> dict[str, dict[str, int]]:
    """Of the orders of each shop that are made by t: how many have left it for good, and how many it keeps."""
    kind = "OrderConfirmed" if run.scenario.values()["receipts"] == "yes" else "OrderHanded"
    every, found = run.scenario.values()["every"], {}
    for shop in {row.actor for row in run.trace.where("OrderHanded") if row.time <= t}:
        left = [{row.subject for row in run.trace.where(kind, actor=shop) if row.time <= at} for at in (t, t + 0.05)]
        made = int((t - run.trace.where("OrderHanded", actor=shop)[0].detail) / every + 1e-9) + 1
        found[shop] = {"sent": len(left[0]), "kept": max(0, made - len(left[1]))}  # what leaves at once is not kept
    return found


def _lost_by_packers(run: Run, t: float) -> dict[str, int]:
    """With auto: the orders that each packer had in hand in a crash, and that nobody did."""
    lost: dict[str, set[str]] = defaultdict(set)
    here: dict[str, set[str]] = defaultdict(set)
    done = {row.subject for row in run.trace.where("OrderDone")}
    for row in _until(run, t) if run.scenario.values()["ack"] == "auto" else ():
        if row.kind == "OrderHere":
            here[row.actor].add(row.subject)
        elif row.kind == "Crashed":
            lost[row.actor] |= here.pop(row.actor, set()) - done
    return {who: len(mine) for who, mine in lost.items() if mine}


def brokered(run: Run, t: float, numbers: Numbers) -> dict[str, Any]:
    """Brokers: who serves, how many that were connected are not, what lies on the disk and what only in memory, what
    each packer has in hand, and how many it has done; which shops are blocked, how many orders of each wait in its
    connection, and how many kB of memory are used, where so much can be used that it shows."""
    on: set[str] = set()
    known: set[str] = set()
    serves = ""
    there: dict[str, bool] = {}  # message -> is it on the disk?
    hands: dict[str, set[str]] = defaultdict(set)
    work: dict[str, str] = {}
    done: dict[str, int] = defaultdict(int)
    loose: set[tuple[str, str]] = set()  # in work, though no delivery is open for it
    blocked: set[str] = set()
    unread: dict[str, int] = defaultdict(int)
    bytes: dict[str, int] = {}
    begun = _begun_after_a_cut(run)
    for row in _until(run, t):
        who, subject = row.actor, row.subject
        if row.kind == "NodeServing":
            serves = who
        elif row.kind == "NodeGone":
            serves, on, blocked = "", set(), set()
        elif row.kind == "ProducerBlocked":
            blocked.add(who)
        elif row.kind == "ProducerUnblocked":
            blocked.discard(who)
        elif row.kind == "OrderHanded":
            unread[who] += 1
        elif row.kind == "ClientConnected":
            on.add(who)
            known.add(who)
            unread[who] = 0
        elif row.kind == "ClientGone":
            on.discard(who)
        elif row.kind == "Crashed":
            on.discard(who)
            hands.pop(who, None)
            work.pop(who, None)
        elif row.kind == "Enqueued":
            there[subject] = row.detail["persistent"]
            bytes[subject] = row.detail["bytes"] + 1024
            unread[who] -= 1
        elif row.kind in ("MemoryLost", "Forgotten"):
            there.pop(subject, None)
        elif row.kind == "Dispatched":
            hands[who].add(subject)
        elif row.kind == "Acknowledged":
            there.pop(subject, None)
            hands[who].discard(subject)
        elif row.kind == "DeliveryCut" and (work.get(who) == subject or row.index in begun):
            loose.add((who, subject))
        elif row.kind in ("DeliveryCut", "Returned"):
            hands[who].discard(subject)
        elif row.kind == "WorkStarted":
            work[who] = subject
            if (
                subject not in hands[who]
            ):  # acknowledged before, or its connection broke: it is in hand while work goes on
                loose.add((who, subject))
                hands[who].add(subject)
        elif row.kind == "WorkEnded":
            work.pop(who, None)
            if (who, subject) in loose:
                loose.discard((who, subject))
                hands[who].discard(subject)
        elif row.kind == "OrderDone":
            done[who] += 1
    return {
        "t": t,
        "serves": serves,
        "dark": len(known - on),
        "disk": _sorted((s for s, safe in there.items() if safe), numbers),
        "memory": _sorted((s for s, safe in there.items() if not safe), numbers),
        "hands": {who: _sorted(mine, numbers) for who, mine in hands.items() if mine},
        "done": dict(done),
        "blocked": {who: unread[who] for who in blocked},
        "lost": _lost_by_packers(run, t),
        "shops": _shops(run, t),
        "used": round(sum(bytes[s] for s, safe in there.items() if not safe) / 1024)
        if serves and run.scenario.values()["memory"] < 1
        else None,
    }
