"""The exercises of lab 03 about sending to FIFO queues: groups, repeated sends, throughput."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, NamedTuple

from lablib.actors import EVENTS
from lablib.actors.consumers import Consumer
from lablib.actors.fleet import Fleet, Worker
from lablib.aws.service import ServiceError
from lablib.exercises.base import Exercise
from lablib.exercises.case import Case, counted, dial, seeds
from lablib.exercises.stage import Problem, Stage
from lablib.gateway import Fault
from lablib.kernel import Row

Function = Callable[..., Any]

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
_SYSTEMS = (
    System("shop", "order", lambda n: {
        "order": f"order-{n % 3 + 1}", "customer": _PEOPLE[n % 3 // 2], "event": _EVENTS[n // 3],
    }),
    System("trucks", "truck", lambda n: {
        "truck": f"truck-{n % 4 + 1}", "depot": ("north", "south")[n % 4 // 2], "position": f"{37 + n / 100:.2f} N",
    }),
    System("chat", "room", lambda n: {
        "room": f"room-{n % 2 + 1}", "user": _PEOPLE[n // 2 % 3], "text": f"line {n // 2 + 1}",
    }),
)  # fmt: skip


@dataclass(frozen=True, order=True)
class GroupsCase(Case):
    system: int = dial(0, len(_SYSTEMS) - 1, lambda n: f"system {_SYSTEMS[n].name!r}")
    messages: int = dial(2, 12, "message")
    seed: int = seeds(5)


class Groups(Exercise):
    """The message group of three systems."""

    id = "03.groups"
    signature = "group(system, message)"
    covered = "three systems, 2 to 12 messages, six consumers and uneven work"
    plain = GroupsCase(messages=6)
    examples = 40

    def trial(self, stage: Stage, fn: Function, case: GroupsCase) -> None:
        system = _SYSTEMS[case.system]
        messages = [system.message(n) for n in range(case.messages)]
        groups = stage.cloud.run(lambda: [fn(system.name, dict(message)) for message in messages])
        for group in groups:
            _check_group(group)
        url = stage.queue(f"{system.name}.fifo", **_FIFO)
        for n, (message, group) in enumerate(zip(messages, groups, strict=True), 1):
            _send(stage, url, message, f"message {n} ({message[system.key]})", group, str(n))
        _work_off(stage, url)
        parts = [
            _Part(name, message[system.key], group) for (name, message, group) in zip(stage.sent, messages, groups)
        ]
        _judge_order(stage, system, parts)
        _judge_parallel(stage, system, parts)


class _Part(NamedTuple):
    """One message: its name, the value of the system's key, and the group that it was given."""

    name: str
    key: str
    group: str


def _check_group(group: Any) -> None:
    if not isinstance(group, str) or not group:
        raise Problem(f"Your function returned {group!r:.60}. A message group id is a text of 1 to 128 characters.")


def _send(stage: Stage, url: str, message: dict[str, str], name: str, group: str, deduplication: str) -> None:
    try:
        stage.send(url, json.dumps(message), name, message_group_id=group, message_deduplication_id=deduplication)
    except ServiceError as refused:
        raise Problem(f"SQS does not take the group id {group!r:.60}: {refused.message}") from None


def _work_off(stage: Stage, url: str) -> None:
    """Six consumers work on all that is in the queue, one message at a time."""
    cloud, keyed = stage.cloud, stage.cloud.chance.keyed
    cloud.trace.declare(EVENTS)

    def work(worker: Worker, message: str, body: str, row: int) -> None:
        worker.work("work", message, row, round(1 + 2 * keyed("work", body), 3))

    settings = {"batch_size": 1, "wait_time": 20, "pause": 1.0}
    program = Consumer(cloud.kernel, cloud.trace, cloud.direct("sqs"), url, settings, work)
    Fleet(cloud.kernel, cloud.trace, "consumer", program, lambda: 0.0).resize(6)
    stage.run(until=100, settled=lambda: not stage.held(url))


def _worked(stage: Stage, name: str) -> tuple[Row, Row]:
    (message,) = stage.sent[name]
    (begun,), (ended,) = (stage.trace.where(kind, subject=message) for kind in ("WorkStarted", "WorkEnded"))
    return begun, ended


def _judge_order(stage: Stage, system: System, parts: list[_Part]) -> None:
    for first, second in combinations(parts, 2):
        (_, ended), (begun, _) = _worked(stage, first.name), _worked(stage, second.name)
        if first.key == second.key and begun.time < ended.time:
            raise Problem(
                f"The messages of one {system.key} must be handled in order. But {begun.actor} began {second.name} at "
                f"{begun.time:.2f} s, and {first.name} was done only at {ended.time:.2f} s. You put them into two "
                f"groups: {first.group!r:.50} and {second.group!r:.50}.",
                [*stage.sent[first.name], *stage.sent[second.name]],
            )


def _judge_parallel(stage: Stage, system: System, parts: list[_Part]) -> None:
    for first, second in combinations(parts, 2):
        if first.key != second.key and first.group == second.group:
            begun, _ = _worked(stage, second.name)
            raise Problem(
                f"{second.name.capitalize()} waited until {begun.time:.2f} s, with consumers idle: {first.name} "
                f"is in the same group, {first.group!r:.50}. Nothing demands an order between {first.key} and "
                f"{second.key}: give them two groups.",
                [*stage.sent[first.name], *stage.sent[second.name]],
            )


# ---- 03.producer -----------------------------------------------------------------------------------------------------

_TEXTS = ("tea", "tea", "cake", "milk")


@dataclass(frozen=True, order=True)
class ProducerCase(Case):
    orders: int = dial(1, 6, "order")
    crash: int = dial(0, 6, lambda n: f"a crash before the answer to send {n} arrives" if n else "")
    lost: int = dial(0, 4, lambda n: f"{counted(n, 'answer')} lost on the way back" if n else "")
    seed: int = seeds()


class Producer(Exercise):
    """No order is doubled, whatever happens to the answers."""

    id = "03.producer"
    signature = "producer(sqs, queue_url, orders)"
    covered = "1 to 6 orders, some of them alike, a crash in the middle, and up to 4 lost answers"
    plain = ProducerCase(orders=4)

    def trial(self, stage: Stage, fn: Function, case: ProducerCase) -> None:
        url = stage.queue("orders.fifo", ContentBasedDeduplication="true", **_FIFO)
        orders = [
            {"id": f"order-{n + 1}", "customer": _PEOPLE[n // 2 % 2], "text": _TEXTS[n % 4]} for n in range(case.orders)
        ]
        if case.lost:
            stage.cloud.faults.add(Fault("lost_answer", _SENDS, "producer", count=case.lost))
        sends = stage.trace.where
        crash = (lambda: len(sends(("Sent", "Deduplicated"))) >= case.crash) if case.crash else None
        stage.call("producer", stage.sqs, url, [dict(order) for order in orders], until=400, crash=crash)
        _judge_orders(stage, url, orders)


def _judge_orders(stage: Stage, url: str, orders: list[dict[str, str]]) -> None:
    messages = list(stage.cloud.service("sqs").queue(url).messages.values())
    known = {order["text"] for order in orders}
    for message in messages:
        stage.labels[message.id] = f"{message.body:.12} in {message.group_id:.12}"
        if message.body not in known:
            raise Problem(f'There is a message {message.body!r:.60} in the queue. Send MessageBody=order["text"].')
    _judge_counts(stage, messages, orders)
    _judge_groups(messages, orders)


def _judge_counts(stage: Stage, messages: list[Any], orders: list[dict[str, str]]) -> None:
    for text in dict.fromkeys(order["text"] for order in orders):
        mine = [message for message in messages if message.body == text]
        wanted = [order for order in orders if order["text"] == text]
        rows = [row for message in mine for row in stage.trace.where(("Sent", "Deduplicated"), subject=message.id)]
        about = [message.id for message in mine]
        if len(mine) > len(wanted):
            ids = " and ".join(repr(message.deduplication_id)[:40] for message in mine[-2:])
            raise Problem(
                f"{counted(len(wanted), 'order')} of {text!r}, and {len(mine)} messages: one order is there twice. It "
                f"was sent again, and SQS could not know that it was the same order: the deduplication ids were {ids}.",
                about,
            )
        dropped = [row for row in rows if row.kind == "Deduplicated"]
        if len(mine) < len(wanted):
            why = (
                f"SQS dropped a send at {dropped[0].time:.2f} s, because it had the deduplication id of an earlier "
                "message. These were two orders, so they need two ids."
                if dropped
                else "It was never sent."
            )
            count = f"{counted(len(wanted), 'order')} of {text!r}, but {counted(len(mine), 'message')}."
            raise Problem(f"{count} {why}", about)


def _judge_groups(messages: list[Any], orders: list[dict[str, str]]) -> None:
    texts: dict[str, list[str]] = {}
    for order in orders:
        texts.setdefault(order["customer"], []).append(order["text"])
    groups: dict[str, list[str]] = {}
    for message in messages:  # in the order in which the queue took them
        groups.setdefault(message.group_id, []).append(message.body)
    if len(groups) < len(texts):
        raise Problem(
            f"The orders of {counted(len(texts), 'customer')} are in {counted(len(groups), 'group')}: one slow order "
            "makes other customers wait. Each customer is a group of its own."
        )
    if len(groups) > len(texts):
        raise Problem(
            f"The orders of {counted(len(texts), 'customer')} are in {counted(len(groups), 'group')}. Between two "
            "groups there is no order, so a customer's second order can be handled before the first."
        )
    for customer, wanted in texts.items():
        if wanted not in groups.values():
            raise Problem(
                f"The orders of {customer} are {', '.join(wanted)}. Nobody gets them in this order: the groups are "
                f"{'; '.join(f'{name!r:.30}: ' + ', '.join(found) for name, found in groups.items())}."
            )


# ---- 03.throughput ---------------------------------------------------------------------------------------------------

_POSITIONS = 6_000
_RATE = 3_000  # messages a second
_LATE = 0.4  # seconds: for the first and the last answer, and for sleeping a little too long


@dataclass(frozen=True, order=True)
class ThroughputCase(Case):
    senders: int = dial(3, 6, "sender")
    seed: int = seeds(2)


class Throughput(Exercise):
    """Three thousand messages a second, and not one call refused."""

    id = "03.throughput"
    signature = "sender(sqs, queue_url, positions, senders)"
    covered = f"3 to 6 senders and {_POSITIONS:,} positions"
    plain = ThroughputCase(senders=4)
    examples = 4
    most_rows = 60_000
    patience = 12.0

    def trial(self, stage: Stage, fn: Function, case: ThroughputCase) -> None:
        url = stage.queue("positions.fifo", **_FIFO)
        given: list[list[dict[str, str]]] = [[] for _ in range(case.senders)]
        for n in range(_POSITIONS):
            truck, number = n % 60, n // 60
            given[truck % case.senders].append(
                {"truck": f"truck-{truck + 1}", "text": f"truck-{truck + 1}:{number + 1}"}
            )
        running = []
        for n, mine in enumerate(given, 1):
            stage.learners.append(f"sender-{n}")
            running.append(stage.cloud.spawn(fn, stage.sqs, url, mine, case.senders, name=f"sender-{n}"))
        stage.run(until=30, settled=lambda: not any(p.alive for p in running) or _refused(stage) > 300, every=0.1)
        _judge_throughput(stage, url)


def _refused(stage: Stage) -> int:
    return len(stage.trace.where("Throttled"))


def _judge_throughput(stage: Stage, url: str) -> None:
    calls = stage.api_calls(*_SENDS)
    taken = [row for row in calls if isinstance(row.detail, int)]
    each = sum(int(row.detail) for row in taken) / max(1, len(taken))
    refused = stage.trace.where("Throttled")
    if refused:
        raise Problem(
            f"SQS refused {counted(len(refused), 'call')}, the first at {refused[0].time:.2f} s: by then the senders "
            f"had made {counted(sum(row.time < refused[0].time for row in calls), 'call')}, with {each:.1f} messages "
            "each. A FIFO queue takes 300 calls a second from all senders together."
        )
    found = [message.body for message in stage.cloud.service("sqs").queue(url).messages.values()]
    if len(found) != _POSITIONS or len(set(found)) != _POSITIONS:
        raise Problem(
            f"{len(set(found)):,} of {_POSITIONS:,} positions are in the queue after {stage.cloud.now:.1f} s."
        )
    seconds = max(row.until for row in calls)
    if seconds > _POSITIONS / _RATE + _LATE:
        raise Problem(
            f"{_POSITIONS:,} messages took {seconds:.1f} s: {_POSITIONS / seconds:,.0f} a second. The senders made "
            f"{len(calls) / seconds:.0f} calls a second, with {each:.1f} messages each; 300 calls a second with ten "
            "messages each are allowed."
        )
    _judge_trucks(stage, url)


def _judge_trucks(stage: Stage, url: str) -> None:
    lines: dict[str, list[Any]] = {}
    for message in stage.cloud.service("sqs").queue(url).messages.values():
        lines.setdefault(message.body.partition(":")[0], []).append(message)
    for truck, line in lines.items():
        groups = {message.group_id for message in line}
        if len(groups) > 1:
            raise Problem(
                f"The positions of {truck} are in {counted(len(groups), 'group')}: they can be handled in any order."
            )
        for one, two in pairwise(line):
            if int(one.body.partition(":")[2]) > int(two.body.partition(":")[2]):
                raise Problem(f"{one.body} is in the queue before {two.body}.", [one.id, two.id])
    if len({line[0].group_id for line in lines.values()}) < len(lines):
        raise Problem("Several trucks share a message group. Then few consumers can work: one group for each truck.")


EXERCISES = (Groups(), Producer(), Throughput())
