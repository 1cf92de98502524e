"""The results of a run: its numbers with their labels, and one line that says how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lablib.measures.series import Number, number

if TYPE_CHECKING:
    from lablib.measures.measures import Measures


def summary(m: Measures) -> list[Number]:
    """The results, the most important first: what the scenario itself counts, then what every run has."""
    n = number
    speed = [
        n(f"{name} latency", m.p(q), "s")
        for name, q in (("median", 50), ("95th percentile", 95), ("99th percentile", 99))
    ]
    age = m.age_of_oldest()
    if m.is_direct:
        refused, late = len(m.counted("refused")), len(m.counted("timed out"))
        return [
            n("requests", m.sent), n("answered", m.done), n("refused", refused), n("timed out", late),
            n("open at the end", m.waiting), *speed,
            n("longest wait", age.max, "s"), n("throughput", m.throughput, f"{m.unit}s/s"),
        ]  # fmt: skip
    topics = m.fanout
    mine = own(m)
    lost = [] if any(row.label.endswith(" lost") for row in mine) else [n("lost", m.lost)]  # a scenario may know better
    failed = n("failed attempts", sum(branch.failed_attempts for branch in topics.branches))
    return [
        *mine,
        *([n("published", len(topics.published))] if topics.published else []),
        *([n("filtered out", topics.filtered), failed] if topics.branches else []),
        n("sent", m.sent), n("done", m.done), n("open at the end", m.waiting), *lost,
        *([n("dead letters", m.dead)] if m.dead else []),
        n("duplicates", m.duplicates()), n("out of order", m.order_violations()), *speed,
        n("highest backlog", m.depth().max, f"{m.unit}s"), n("highest age of oldest", age.max, "s"),
        n("throughput", m.throughput, f"{m.unit}s/s"),
        n("API calls", sum(m.calls().values())),
        *([] if m.is_stream else [n("empty receives", len(m.empty_receives))]),
        n("cost", m.cost(), "$"),
    ]  # fmt: skip


def of_a_program(m: Measures) -> list[Number]:
    """The results of somebody's own program. Of a stream the trace shows who read what, and not what came of it; so
    its records are counted by themselves, unless somebody's work on them is known."""
    if not m.is_stream or m.records.worked:
        return summary(m)
    n, put, queues = number, len(m.records.put), m.without_records()
    read, times = m.records.read()
    others = queues.sent - put
    rest = [n("sent", others), *(row for row in summary(queues) if row.label != "sent")]
    if not others:
        rest = [row for row in rest if row.label in ("API calls", "cost")]
    return [n("records put", put), n("records read", read), n("records read again", times - read), *rest]


def own(m: Measures) -> list[Number]:
    """What only this scenario counts: its own point."""
    return [number(label, value) for label, value in m.run.scenario.results(m.run).items()] if m.run else []


def undone(m: Measures) -> list[int]:
    """The rows by which a message was deleted though all work on it had failed, as far as the events tell it."""
    subjects = m.trace.column("subject")
    failed = {subjects[row] for row in m.counted("work failed")} - {
        subjects[row] for row in m.counted("work succeeded")
    }
    return [row for row in m.counted("deleted") if subjects[row] in failed]


def line(m: Measures) -> str:
    """The result in one line."""
    age = m.age_of_oldest()
    if m.is_direct:
        refused, late = len(m.counted("refused")), len(m.counted("timed out"))
        ends = f"{m.done} answered, {refused} refused, {late} timed out"
        return f"{m.sent} requests, {ends}, longest wait {age.max:.1f} s"
    lost, twice, dead = f", {m.lost} lost" if m.lost else "", m.duplicates(), m.dead
    lost += f", {dead} dead letter{'s' * (dead != 1)}" if dead else ""
    ends = f"{m.done} done, {m.waiting} waiting{lost}, {twice} duplicate{'s' * (twice != 1)}"
    published = len(m.counted("published"))
    head = f"{published} published, " if published else ""
    return f"{head}{m.sent} sent, {ends}, highest age of oldest {age.max:.1f} s"
