"""What is worth looking at in a run: events of interest, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from lablib.kernel import Row, Trace
from lablib.scenarios.param import ParamSpec


class Notable(NamedTuple):
    """An event of interest: when, its row in the trace, its kind in words ("duplicate", "crash"), and one sentence."""

    time: float
    row: int
    kind: str
    text: str


_PLAIN: dict[str, tuple[str, Callable[[Row], str]]] = {
    "Crashed": ("crash", lambda r: f"{r.actor} crashes."),
    "Restarted": ("restart", lambda r: f"{r.actor} starts again."),
    "Frozen": ("freeze", lambda r: f"{r.actor} freezes for {r.until - r.time:g} s."),
    "Burst": ("burst", lambda r: f"{r.detail} messages arrive at once."),
    "ParameterSet": ("change", lambda r: f"{r.detail['name']} is set to {r.detail['value']}."),
    "SentToDeadLetterQueue": (
        "dead letter",
        lambda r: f"A message that {r.actor} did not take moves to the dead-letter queue {r.detail}.",
    ),
    "Expired": ("expiry", lambda r: f"A message in {r.resource} is older than the retention period and is lost."),
    "MovedToDeadLetterQueue": (
        "dead letter",
        lambda r: f"A message moves to the dead-letter queue {r.detail}.",
    ),
    "ServerUnavailable": ("server down", lambda r: f"A server of {r.resource} becomes unavailable."),
    "CopyReturned": ("copy returned", lambda r: "A deleted message is back: a server with a copy was away."),
    "TimedOut": ("caller timed out", lambda r: "A caller stops waiting: no answer within its timeout."),
    "Intervened": ("change", lambda r: str(r.detail)),
    "FilteredOut": ("filtered", lambda r: f"A filter policy keeps a message out: {r.actor} does not get it."),
    "DeliveryFailed": ("delivery failed", lambda r: f"A delivery to {r.actor} fails: {r.detail['reason']}."),
    "DeliveryDropped": ("dropped", lambda r: f"A message is lost for {r.actor}: {r.detail}."),
    "EventDropped": ("dropped", lambda r: f"An event of {r.resource} is lost: {r.actor} did not take it."),
    "InvocationFailed": ("function failed", lambda r: f"The function {r.resource} fails."),
    "Refused": ("refused", lambda r: "A request is refused: all workers are busy and the backlog is full."),
}  # fmt: skip
_ERRORS = {
    "AnswerLost": (
        "lost answer",
        "The answer to {actor}'s {call} is lost. The call took effect; the caller does not know.",
    ),
    "RequestLost": ("lost request", "{actor}'s {call} is lost on its way."),
}
_THROTTLES = (
    "RequestThrottled",
    "ThrottlingException",
    "Throttling",
    "OverLimit",
    "ProvisionedThroughputExceededException",
)
_SERIES = (
    "SentToDeadLetterQueue",
    "MovedToDeadLetterQueue",
    "TimedOut",
    "Refused",
    "Expired",
    "CopyReturned",
    "FilteredOut",
    "DeliveryFailed",
    "DeliveryDropped",
)  # often many at a time: the first is told
# a series for each endpoint
_PER_ACTOR = ("FilteredOut", "DeliveryFailed", "DeliveryDropped", "SentToDeadLetterQueue")
_QUIET = 30.0  # seconds without another one that end a series, or a hundredth of the run so far


def notable(trace: Trace, params: Mapping[str, ParamSpec] = MappingProxyType({})) -> list[Notable]:
    """The events of interest of a trace in the order of time. Of a series of the same, only the first is listed.
    `params` gives the parameters of the scenario their labels and units.
    """
    found = [*_transitions(trace, params), *_duplicates(trace), *_calls(trace)]
    return sorted(found, key=lambda event: (event.time, event.row))


def _transitions(trace: Trace, params: Mapping[str, ParamSpec]) -> Iterator[Notable]:
    last: dict[object, float] = {}
    told: dict[object, Row] = {}
    many: Counter[int] = Counter()  # how many a series has, by the row that is told
    for row in trace.where(kind=tuple(_PLAIN)):
        series = (row.kind, row.actor) if row.kind in _PER_ACTOR else row.kind
        before = last.get(series)
        last[series] = row.time
        if row.kind not in _SERIES or before is None or row.time - before > max(_QUIET, row.time / 100):
            told[series] = row
        many[told[series].index] += 1
    for index, count in many.items():
        row = trace[index]
        kind, words = _PLAIN[row.kind]
        param = params.get(row.detail["name"]) if row.kind == "ParameterSet" else None
        text = f"From now on: {param.said(row.detail['value'])}." if param else words(row)
        yield Notable(row.time, index, kind, f"{text[:-1]} ({count} in all)." if count > 1 else text)


def _duplicates(trace: Trace) -> Iterator[Notable]:
    kinds, subjects, actors = (trace.column(name) for name in ("kind", "subject", "actor"))
    received, first = trace.code("Received"), dict[int, int]()
    for index, kind in enumerate(kinds):
        if kind != received or (before := first.setdefault(subjects[index], index)) == index:
            continue
        who = "it again" if actors[before] == actors[index] else f"it after {trace.name(actors[before])}"
        row = trace[index]
        yield Notable(row.time, index, "duplicate", f"A message is delivered again: {row.actor} receives {who}.")


def _calls(trace: Trace) -> Iterator[Notable]:
    """Throttles, lost answers, and of each caller's empty polls the first of a series."""
    kinds, actors, details = trace.column("kind"), trace.column("actor"), trace.details
    receive, hungry = trace.code("ReceiveMessage"), set[int]()
    for index, (kind, detail) in enumerate(zip(kinds, details)):
        if kind not in trace.api_kinds:
            continue
        if isinstance(detail, str):
            yield from _failed(trace[index])
        elif kind == receive and detail is not None:
            actor = actors[index]
            if detail:
                hungry.discard(actor)
            elif actor not in hungry:
                hungry.add(actor)
                row = trace[index]
                yield Notable(row.until, index, "empty poll", f"{row.actor} polls {row.resource} and gets nothing.")


def _failed(row: Row) -> Iterator[Notable]:
    if row.detail in _ERRORS:
        kind, text = _ERRORS[row.detail]
        yield Notable(row.until, row.index, kind, text.format(actor=row.actor, call=row.kind))
    elif row.detail in _THROTTLES:
        yield Notable(row.until, row.index, "throttle", f"{row.actor}'s {row.kind} is refused: {row.detail}.")
