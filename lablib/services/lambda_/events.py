"""The transitions of Lambda: what they mean, and their words."""

from __future__ import annotations

from lablib.aws.event import RETRYING, WORK, Event

EVENTS = (
    *WORK,
    Event("FunctionDeployed", "function {resource} deployed by {actor}"),
    Event(
        "InvocationStarted", "function {resource} runs", "{actor} began with {message}", origin="cause", holder="works"
    ),
    Event("EnvironmentStarted", "cold start of function {resource}, until {until:.1f} s"),
    Event("InvocationEnded", "function {resource} succeeded", "{actor} is done with {message}", holder="worked"),
    Event(
        "InvocationFailed",
        "function {resource} failed: {detail}",
        "{message} failed",
        state=RETRYING,
        holder="worked",
        label="function failed",
        notable="The function {resource} fails.",
    ),
    Event(
        "InvocationThrottled",
        "function {resource} was throttled: no concurrency left",
        "{message} was throttled",
        state=RETRYING,
        origin="cause",
    ),
    Event(
        "BatchReleased",
        "{actor} let go of it: the function {resource} had no concurrency left",
        "{actor} let go of {message}: no call was possible",
        holder="drops",
    ),
    Event("RecordFiltered", "removed: no filter of {resource} wants it ({detail})"),
    Event("RecordSkipped", "no filter of {resource} wants it ({detail})"),
    Event(
        "BatchTaken",
        "{actor} was given {detail[records]} records of {detail[shard]} up to this one, {detail[age]:.1f} s old",
    ),
    Event(
        "RecordGivenUp",
        "{actor} goes on without it: {detail}",
        label="given up",
        notable="{actor} goes on without a record: {detail}.",
        series="actor",
        counts="given up",
    ),
    Event("FailureReported", "where it lies was told to {detail}"),
    Event(
        "LoopStopped",
        "{resource} ran {detail} times in one chain of requests: Lambda stops the loop",
        label="loop stopped",
        notable="The function {resource} called itself {detail} times over. Lambda stops the loop.",
    ),
    Event("EventSentOn", "the event went from {resource} to {detail}", ends="sent on"),
    Event(
        "EventDiscarded", "the event for {resource} is lost: {detail}", "{message} is lost", ends="dropped", lost=True
    ),
)
