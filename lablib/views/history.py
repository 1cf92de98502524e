"""One message's life: every transition in words, the API call that did it, and a sentence that sums it up."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from lablib.aws.event import HIDDEN, KEPT, PASSING, RETRYING, WAITING, Event
from lablib.kernel import Row, Trace
from lablib.scenarios import Run

_TIMES = {1: "once", 2: "twice"}
_NOTHING = Event("")


class Clause(NamedTuple):
    """One thing that happened: when (s), in words, and the API call that did it ("" for none)."""

    time: float
    text: str
    api: str


class Related(NamedTuple):
    """Another message that this one comes from, or that comes from it: its id, and in words what it is."""

    subject: str
    words: str


class Life(NamedTuple):
    """A message's life: its id, what happened, and one sentence that says how it went and why.

    `again`: when it was delivered again, and why. `group`: its message group, "" for none. `related`: its original, and
    what was made of it, where a topic, a bucket or a program made several of one.
    """

    subject: str
    clauses: list[Clause]
    sentence: str
    again: list[tuple[float, str]] = []
    group: str = ""
    related: list[Related] = []


def life(run: Run, subject: str) -> Life:
    """The life of one message or request, with that of its deliveries. Raises KeyError when the run knows no such
    subject.
    """
    trace = run.trace
    rows = trace.about(subject)
    made = [trace[trace.first_rows()[trace.code(child)]] for child in _made_of(trace, subject)]
    own = [row for row in made if trace.parent(row.subject) == subject]
    rows = [row for _, row in sorted({row.index: row for row in (*rows, *own)}.items())]
    clauses = [Clause(row.time, trace.describe(row), _api(trace, row)) for row in rows if trace.says(row)]
    mine = [row for row in rows if row.subject == subject]
    gets = [row for row in mine if _event(trace, row).again]
    again = [
        (row.time, _event(trace, row).why_again(trace, mine, before, row)) for before, row in itertools.pairwise(gets)
    ]
    group = next((str(row.detail) for row in mine if _event(trace, row).group), "")
    sentence = run.scenario.story(run, rows) or " ".join(_sentences(run, rows, mine, [words for _, words in again]))
    return Life(subject, clauses, sentence, again, group, [*_original(trace, subject), *_copies(trace, made)])


def lives(run: Run) -> list[Life]:
    """The lives of all messages, in the order of their appearance."""
    return [life(run, run.trace.name(code)) for code in run.trace.first_rows()]


def _event(trace: Trace, row: Row) -> Event:
    found: Event = trace.events.get(row.kind, _NOTHING)
    return found


def _is_part(trace: Trace, subject: str) -> bool:
    """Is it a delivery, which is told of with the message?"""
    return _event(trace, trace[trace.first_rows()[trace.code(subject)]]).joins


def _made_of(trace: Trace, subject: str) -> list[str]:
    """What was made of it: messages and requests, but not the deliveries between."""
    found: list[str] = []
    for child in trace.children(subject):
        found += trace.children(child) if _is_part(trace, child) else [child]
    return found


def _original(trace: Trace, subject: str) -> list[Related]:
    above = next((name for name in trace.ancestors(subject)[1:] if not _is_part(trace, name)), "")
    if not above:
        return []
    return [Related(above, f"the original at {trace[trace.first_rows()[trace.code(above)]].resource}")]


def _copies(trace: Trace, first: list[Row]) -> list[Related]:
    lies = (WAITING, HIDDEN)
    words = ((row, "the copy" if _event(trace, row).state in lies else "what came of it") for row in first)
    return [Related(row.subject, f"{what} in {row.resource}") for row, what in words]


def _api(trace: Trace, row: Row) -> str:
    """The operation that did it: its direct cause, when that is an API call."""
    return trace[row.cause].kind if row.cause >= 0 and trace.is_api(row.cause) else ""


def _sentences(run: Run, rows: list[Row], mine: list[Row], again: list[str]) -> Iterable[str]:
    trace, first = run.trace, mine[0]
    if _event(trace, first).state == PASSING and not _event(trace, first).joins:
        yield _passed_on(trace, rows)
        return
    failure = _failure(trace, first.subject)
    begin = "Asked for at" if _event(trace, first).caller else "Sent at"
    begin = f"Put into the dead-letter queue {first.resource} at" if failure else begin
    gets, handed = [row for row in mine if _event(trace, row).again], ""
    if gets:
        who = ", ".join(dict.fromkeys(row.actor or "somebody" for row in gets))
        handed = f", received {_TIMES.get(len(gets), f'{len(gets)} times')} ({who})"
    yield f"{begin} {first.time:.3f} s{handed}, {_end(run, mine)}."
    if failure:
        tries = failure.detail["attempt"]
        many = f"all {tries} attempts failed, the last with" if tries > 1 else "the only attempt failed with"
        yield f"SNS could not deliver it to {failure.actor}: {many} {failure.detail['reason']}."
    yield from again
    late = next((row for row in mine if (e := _event(trace, row)).holder == "drops" and not e.ends), None)
    if late:
        words = trace.describe(late)
        yield f"At {late.time:.3f} s {words}."
    gave_up = next((row for row in mine if (e := _event(trace, row)).caller and e.lost), None)
    if gave_up and any(_event(trace, row).holder == "worked" and row.time > gave_up.time for row in mine):
        yield "The worker did the work all the same: nobody was waiting for it any more."


def _failure(trace: Trace, subject: str) -> Row | None:
    """The last failed attempt of the delivery because of which this is in a dead-letter queue."""
    delivery = trace.parent(subject)
    if not delivery or not _is_part(trace, delivery):
        return None
    failed = [row for row in trace.where(subject=delivery) if _event(trace, row).state == RETRYING]
    last = failed[-1] if failed else None
    return last if last and not last.until else None


def _passed_on(trace: Trace, rows: list[Row]) -> str:
    """What a topic or a bucket did with it."""
    events = [_event(trace, row) for row in rows]
    ends = Counter(event.ends for event in events)
    failed = sum(event.state == RETRYING for event in events) - ends["dead letter"] - ends["dropped"]
    counted = [
        (ends["delivered"], "delivered to {}"),
        (ends["filtered out"], f"kept out by {{}} filter {'policies' if ends['filtered out'] > 1 else 'policy'}"),
        (max(0, failed), f"{{}} {'attempts' if failed > 1 else 'attempt'} failed and was repeated"),
        (ends["dead letter"], "{} in a dead-letter queue"),
        (ends["dropped"], "lost for {}"),
    ]
    said = ", ".join(words.format(count) for count, words in counted if count) or "nobody has got it yet"
    words = events[0].brief.format(actor=rows[0].actor or "Somebody", message="it")
    return f"{words[0].upper()}{words[1:]} at {rows[0].time:.3f} s: {said}; the last at {rows[-1].time:.3f} s."


def _end(run: Run, mine: list[Row]) -> str:
    """How it ended, from the last row that decides it."""
    if _event(run.trace, mine[0]).state == KEPT:
        return _kept(run, mine)
    end, state = None, "waiting"
    for row in mine:
        event = _event(run.trace, row)
        if end and event.state == WAITING and event.at == "resource":
            end = None  # it is back
        if not end and (event.ends or event.caller not in ("", "asks")):
            end = row
        if event.state or event.holder in ("works", "worked"):
            state = "waiting" if event.state == WAITING else "in flight"
    if end is None:
        return f"and still {state} at the end of the run, {run.until - mine[0].time:.1f} s later"
    event = _event(run.trace, end)
    return f"and {event.ends or event.caller} at {end.time:.3f} s, {end.time - mine[0].time:.3f} s later"


def _kept(run: Run, mine: list[Row]) -> str:
    """How it ended with a record that stays when it is read: who did its work, and what became of it."""
    worked = [row for row in mine if _event(run.trace, row).holder == "worked"]
    done = "not worked on by anybody"
    if worked:
        last, many = worked[-1], f" {_TIMES.get(len(worked), f'{len(worked)} times')}" * (len(worked) > 1)
        done = f"worked on{many} by {last.actor} until {last.time:.3f} s, {last.time - mine[0].time:.3f} s later"
    gone = next((row for row in mine if _event(run.trace, row).ends), None)
    kept = f"{_event(run.trace, gone).ends} at {gone.time:.3f} s" if gone else "still kept at the end of the run"
    return f"{done}, and {kept}"
