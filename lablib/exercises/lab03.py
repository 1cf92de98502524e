"""The exercises of lab 03 about sending to FIFO queues: groups, repeated sends, throughput."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import combinations, pairwise
from typing import Any, NamedTuple

from lablib.actors.fleet import Worker
from lablib.aws.service import ServiceError
from lablib.exercises.base import Exercise
from lablib.exercises.case import counted, cut, flag, knobs, number, one_of, scaled, some
from lablib.exercises.fleets import run_fleet
from lablib.exercises.stage import GIVES_UP, Problem, Stage

_SENDS = ("SendMessage", "SendMessageBatch")
_FIFO = {"FifoQueue": "true"}


# ---- 03.groups -------------------------------------------------------------------------------------------------------


class System(NamedTuple):
    """A system that sends messages: the messages with the same value of `key` must be handled in order."""

    name: str
    key: str
    message: Callable[[int], dict[str, str]]  # the n-th message, from 0


_EVENTS = ("placed", "paid", "packed", "shipped")
_PEOPLE = ("ann", "bob", "eve")
_ORDERS, _TRUCKS, _ROOMS = (
    ("order-1", "order-2", "order-12"),
    ("truck-1", "truck-2", "truck-12", "truck-21"),
    ("room-1", "room-11"),
)

_SYSTEMS = (
    System("shop", "order", lambda n: {
        "order": _ORDERS[n % 3], "customer": _PEOPLE[n % 3 // 2], "event": _EVENTS[n // 3],
    }),
    System("trucks", "truck", lambda n: {
        "truck": _TRUCKS[n % 4], "depot": ("north", "south")[(n % 4 // 2 + n // 8) % 2],
        "position": f"{37 + n / 100:.2f} N",
    }),
    System("chat", "room", lambda n: {
        "room": _ROOMS[n % 2], "user": _PEOPLE[n // 2 % 3], "text": f"line {n // 2 + 1}",
    }),
)  # fmt: skip


class Part(NamedTuple):
    """One message: its name, the value of the system's key, and the group that it was given."""

    name: str
    key: str
    group: str


def in_order(stage: Stage) -> Iterator[Problem]:
    """What must be in order was done in order. `stage.given` is the system and the parts."""
    system, parts = stage.given
    for first, second in combinations(parts, 2):
        one, two = stage.story(first.name), stage.story(second.name)
        begun, ended = two.tries[0].begun, one.done[0]
        if first.key == second.key and begun.time < ended.time:
            yield Problem(
                f"The messages of one {system.key} must be handled in order. But {begun.actor} began {second.name} at "
                f"{begun.time:.2f} s, and {first.name} was done only at {ended.time:.2f} s. You put them into two "
                f"groups: {cut(first.group, 50)} and {cut(second.group, 50)}.",
                one.ids + two.ids,
            )


def in_parallel(stage: Stage) -> Iterator[Problem]:
    """What needs no order does not wait."""
    _, parts = stage.given
    for first, second in combinations(parts, 2):
        if first.key != second.key and first.group == second.group:
            one, two = stage.story(first.name), stage.story(second.name)
            yield Problem(
                f"{second.name.capitalize()} waited until {two.tries[0].begun.time:.2f} s, with consumers idle: "
                f"{first.name} is in the same group, {cut(first.group, 50)}. Nothing demands an order between "
                f"{first.key} and {second.key}: give them two groups.",
                one.ids + two.ids,
            )


class Groups(Exercise):
    """The message group of three systems."""

    id = "03.groups"
    signature = "group(system, message)"
    knobs = knobs(
        system=one_of([f"system {s.name!r}" for s in _SYSTEMS]),
        messages=number("message", 2, 12),
        many=flag("each about another"),
        seeds=5,
    )
    harmless = {"messages": 6}
    also = ({"messages": 12, "system": 1}, {"messages": 12, "system": 2}, {"messages": 12, "many": 1})
    examples = 40
    faults = (in_order, in_parallel)

    def play(self, stage: Stage, case: Any) -> None:
        system = _SYSTEMS[case.system]
        messages = [_turned(system.message(n), n) for n in range(case.messages)]
        for n, message in enumerate(messages if case.many else ()):
            message[system.key] = f"{system.key}-{case.messages * case.seed + n + 1}"
        groups = stage.cloud.run(lambda: [stage.function(system.name, dict(message)) for message in messages])
        url = stage.queue(f"{system.name}.fifo", **_FIFO)
        for n, (message, group) in enumerate(zip(messages, groups, strict=True), 1):
            if not isinstance(group, str) or not group:
                raise Problem(
                    f"Your function returned {cut(group)}. A message group id is a text of 1 to 128 characters."
                )
            name, ids = (
                f"message {n} ({message[system.key]})",
                {"message_group_id": group, "message_deduplication_id": str(n)},
            )
            try:
                stage.send(url, json.dumps(message), name, **ids)
            except ServiceError as refused:
                raise Problem(f"SQS does not take the group id {cut(group)}: {refused.message}") from None
        keyed = stage.cloud.chance.keyed

        def work(worker: Worker, message: str, body: str, row: int) -> None:
            worker.work("work", message, row, round(1 + 2 * keyed("work", body), 3))

        run_fleet(stage.cloud, url, 6, work)
        stage.run(until=100, settled=lambda: not stage.held(url))
        keys = [message[system.key] for message in messages]
        stage.given = system, [Part(*part) for part in zip(stage.sent, keys, groups)]


def _turned(message: dict[str, str], n: int) -> dict[str, str]:
    """The same document, its keys in another order."""
    items = list(message.items())
    return dict(items[n % 3 :] + items[: n % 3])


# ---- 03.producer -----------------------------------------------------------------------------------------------------

_TEXTS = ("tea", "tea", "cake", "milk")
_ONE_BY_ONE = "Send the orders of a customer as they stand in the list, each when the one before was answered."
_BATCHES = (
    "When an entry of a batch fails, what stands after it is in the queue already: put no two {} into one batch, and "
    "send what failed before you send more."
)


def only_texts(stage: Stage) -> Iterator[Problem]:
    """What is in the queue is an order's text. `stage.given` has the orders."""
    known = {order["text"] for order in stage.given}
    for message in _queued(stage):
        stage.labels[message.id] = f"{message.body:.12} in {message.group_id:.12}"
        if message.body not in known:
            yield Problem(f'There is a message {cut(message.body)} in the queue. Send MessageBody=order["text"].')


def each_once(stage: Stage) -> Iterator[Problem]:
    """As many messages of each text as there are orders of it."""
    trace, queued = stage.trace, _queued(stage)
    for text in dict.fromkeys(order["text"] for order in stage.given):
        mine = [message for message in queued if message.body == text]
        wanted = [order for order in stage.given if order["text"] == text]
        about = [message.id for message in mine]
        orders = f"{counted(len(wanted), 'order')} of {text!r}"
        if len(mine) > len(wanted):
            ids = " and ".join(repr(message.deduplication_id)[:40] for message in mine[-2:])
            yield Problem(
                f"{orders}, and {len(mine)} messages: one order is there twice. It was sent again, and SQS could not "
                f"know that it was the same order: the deduplication ids were {ids}.",
                about,
            )
        if len(mine) >= len(wanted):
            continue
        dropped = [row for message in mine for row in trace.where("Deduplicated", subject=message.id)]
        failed = [row for row in stage.api_calls("SendMessageBatch") if isinstance(row.detail, int)]
        why = stage.refusal(*_SENDS) or "It was never sent."
        if stage.case.failing and failed:
            why = "A call can succeed while entries of it fail: the answer lists them under Failed. Send those again."
        elif dropped:
            id = f"the deduplication id of an earlier message, {cut(dropped[0].detail, 40)}"
            if dropped[0].detail == sha256(text.encode()).hexdigest():
                id = "no deduplication id, and the id that SQS makes from the body was that of an earlier message"
            why = (
                f"SQS dropped a send at {dropped[0].time:.2f} s, because it had {id}. These were two orders, so they "
                "need two ids."
            )
        yield Problem(
            f"{orders}, but {counted(len(mine), 'message')}. {why}", about, failed if stage.case.failing else ()
        )


def customers_in_order(stage: Stage) -> Iterator[Problem]:
    """Each customer is a group, and its orders are in order."""
    wanted: dict[str, list[str]] = {}
    for order in stage.given:
        wanted.setdefault(order["customer"], []).append(order["text"])
    groups: dict[str, list[str]] = {}
    ids: dict[str, list[str]] = {}
    for message in _queued(stage):  # in the order in which the queue took them
        groups.setdefault(message.group_id, []).append(message.body)
        ids.setdefault(message.group_id, []).append(message.id)
    text = f"The orders of {counted(len(wanted), 'customer')} are in {counted(len(groups), 'group')}"
    if len(groups) < len(wanted):
        yield Problem(f"{text}: one slow order makes other customers wait. Each customer is a group of its own.")
    if len(groups) > len(wanted):
        yield Problem(
            f"{text}. Between two groups there is no order, so a customer's second order can be handled before the "
            "first."
        )
    for customer, texts in wanted.items():
        if texts not in groups.values():
            there = "; ".join(f"{cut(name, 30)}: " + ", ".join(found[:8]) for name, found in groups.items())
            about, first = [], ""
            for name, found in groups.items():
                if sorted(found) == sorted(texts):
                    n = next(n for n, (one, two) in enumerate(zip(texts, found, strict=True)) if one != two)
                    about = ids[name][n : n + 1]
                    first = f" Number {n + 1} of {customer} is {found[n]!r} there, and {texts[n]!r} in the list."
            cure = _BATCHES.format("orders of a customer") if stage.case.failing else _ONE_BY_ONE
            yield Problem(
                f"The orders of {customer} are {', '.join(texts[:8])}. Nobody gets them in this order: the groups are "
                f"{there}.{first} {cure}",
                about,
            )


def _queued(stage: Stage) -> list[Any]:
    return list(stage.cloud.service("sqs").queue("orders.fifo").messages.values())


class Producer(Exercise):
    """No order is doubled, whatever happens to the answers."""

    id = "03.producer"
    signature = "producer(sqs, queue_url, orders)"
    knobs = knobs(
        orders=number("order", 0, 25),
        again=flag("a minute later it is called with the next orders"),
        crash=scaled("a crash before the answer to send {:d} arrives", 6),
        lost=some("call{s} whose answer gets lost", 4),
        refused=flag("SQS refuses one send for good"),
        failing=some("call{s} with failing entries", 3),
    )
    harmless = {"orders": 4}
    also = ({"orders": 2, "again": 1}, {"orders": 10, "failing": 3}, {"orders": 25}, {"orders": 6, "refused": 1})
    faults = (only_texts, each_once, customers_in_order)

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("orders.fifo", ContentBasedDeduplication="true", **_FIFO)
        orders = [
            {"id": f"order-{n + 1}", "customer": _PEOPLE[n // 2 % 2], "text": _TEXTS[n % 4]}
            for n in range(case.orders * (1 + case.again))
        ]
        stage.given = orders
        stage.fault("throttle", _SENDS, case.refused * GIVES_UP, start=0.02)
        stage.fault("lost_answer", _SENDS, case.lost, caller="producer")
        stage.fault("partial", _SENDS, case.failing, share=0.4, caller="producer")
        sends = stage.trace.where
        crash = (lambda: len(sends(("Sent", "Deduplicated"))) >= case.crash) if case.crash else None
        for start in range(0, len(orders), case.orders) if case.again and orders else (0,):
            mine = [dict(order) for order in orders[start : start + case.orders]]
            stage.call(
                "producer", stage.sqs, url, mine, until=stage.cloud.now + 600, crash=crash if not start else None
            )
            stage.run(stage.cloud.now + 60)


# ---- 03.throughput ---------------------------------------------------------------------------------------------------

_POSITIONS = 6_000
_RATE = 3_000  # messages a second
_LATE = 0.4  # seconds: for the first and the last answer, and for sleeping a little too long
_PACE = "Before its n-th call, each sender must wait until n*senders/300 seconds after its first."


def none_refused(stage: Stage) -> Iterator[Problem]:
    """SQS refused no call."""
    calls, refused = stage.api_calls(*_SENDS), stage.trace.where("Throttled")
    if refused:
        yield Problem(
            f"SQS refused {counted(len(refused), 'call')}, the first at {refused[0].time:.2f} s: by then the senders "
            f"had made {counted(sum(row.time < refused[0].time for row in calls), 'call')}, with {_each(stage):.1f} "
            f"messages each. A FIFO queue takes 300 calls a second from all senders together. {_PACE}"
        )


def all_there(stage: Stage) -> Iterator[Problem]:
    """Every position is in the queue, once."""
    found = [message.body for message in _positions(stage)]
    if len(found) == len(set(found)) == _POSITIONS:
        return
    text = f"{len(set(found)):,} of {_POSITIONS:,} positions are in the queue after {stage.cloud.now:.1f} s."
    dropped, calls = stage.trace.where("Deduplicated"), stage.api_calls(*_SENDS)
    if any(process.alive for process in stage.given):
        yield Problem(f"{text} Not all senders had come to their end.")
    if dropped:
        yield Problem(
            f"{text} SQS dropped {counted(len(dropped), 'send')} as repetitions, the first at {dropped[0].time:.2f} s: "
            f"it had the deduplication id {cut(dropped[0].detail, 40)} of an earlier one. Each position needs its own."
        )
    if len(found) > len(set(found)):
        yield Problem(f"{text} Some are there twice: {_POSITIONS:,} positions became {len(found):,} messages.")
    if stage.case.failing and any(isinstance(row.detail, int) and row.detail < 10 for row in calls):
        yield Problem(
            f"{text} Entries of a call failed, and the answer listed them under Failed: send those again, at once."
        )
    yield Problem(f"{text} {_POSITIONS - len(found):,} were never sent.")


def in_time(stage: Stage) -> Iterator[Problem]:
    """The last answer came in time."""
    calls = stage.api_calls(*_SENDS)
    seconds = max(row.until for row in calls)
    if seconds > _POSITIONS / _RATE + _LATE:
        late = f" A pause after a call comes on top of the time of the call. {_PACE}" if _each(stage) > 9 else ""
        yield Problem(
            f"{_POSITIONS:,} messages took {seconds:.1f} s: {_POSITIONS / seconds:,.0f} a second. The senders made "
            f"{len(calls) / seconds:.0f} calls a second, with {_each(stage):.1f} messages each; 300 calls a second "
            f"with ten messages each are allowed.{late}"
        )


def trucks_in_order(stage: Stage) -> Iterator[Problem]:
    """Each truck is a group, and its positions are in order."""
    lines: dict[str, list[Any]] = {}
    for message in _positions(stage):
        lines.setdefault(message.body.partition(":")[0], []).append(message)
    for truck, line in lines.items():
        groups = {message.group_id for message in line}
        if len(groups) > 1:
            yield Problem(
                f"The positions of {truck} are in {counted(len(groups), 'group')}: they can be handled in any order."
            )
        for one, two in pairwise(line):
            if int(one.body.partition(":")[2]) > int(two.body.partition(":")[2]):
                why = f" {_BATCHES.format('positions of a truck')}" if stage.case.failing else ""
                yield Problem(f"{one.body} is in the queue before {two.body}.{why}", [one.id, two.id])
    if len({line[0].group_id for line in lines.values()}) < len(lines):
        yield Problem("Several trucks share a message group. Then few consumers can work: one group for each truck.")


def _positions(stage: Stage) -> list[Any]:
    return list(stage.cloud.service("sqs").queue("positions.fifo").messages.values())


def _each(stage: Stage) -> float:
    """How many messages a call carried."""
    taken = [int(row.detail) for row in stage.api_calls(*_SENDS) if isinstance(row.detail, int)]
    return sum(taken) / max(1, len(taken))


class Throughput(Exercise):
    """Three thousand messages a second, and not one call refused."""

    id = "03.throughput"
    signature = "sender(sqs, queue_url, positions, senders)"
    knobs = knobs(senders=number("sender", 3, 6), failing=flag("some entries of one call fail"), seeds=1)
    harmless = {"senders": 4}
    also = ({"senders": 3, "failing": 1},)
    examples = 3
    events = 60_000
    faults = (none_refused, all_there, in_time, trucks_in_order)

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("positions.fifo", **_FIFO)
        lists: list[list[dict[str, str]]] = [[] for _ in range(case.senders)]
        for n in range(_POSITIONS):
            truck, at = n % 60, n // 60
            lists[truck % case.senders].append({"truck": f"truck-{truck + 1}", "text": f"truck-{truck + 1}:{at + 1}"})
        stage.fault("partial", _SENDS, case.failing, share=0.4, caller="sender-1")
        running = stage.given = [
            stage.start(f"sender-{n}", stage.sqs, url, mine, case.senders) for n, mine in enumerate(lists, 1)
        ]

        def settled() -> bool:
            return not any(p.alive for p in running) or len(stage.trace.where("Throttled")) > 300

        stage.run(until=30, settled=settled, every=0.1)


EXERCISES = (Groups(), Producer(), Throughput())
