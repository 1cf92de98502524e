"""The exercises of lab 02b: a function that reports what failed, and the settings between a queue and a function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lablib.aws.event import Event
from lablib.exercises.base import Exercise
from lablib.exercises.case import Knob, cut, flag, knobs, number, one_of
from lablib.exercises.faults import changed_settings
from lablib.exercises.partners import WorkFailed
from lablib.exercises.stage import Problem, Stage, texts
from lablib.exercises.story import Story, once
from lablib.kernel import Row

_FUNCTION = "work"
_RECEIVES = 3
_DEAD = "orders-dlq"
_SEEN = (
    Event("OrderDone", "the function has done it"),
    Event("OrderFailed", "the function could not do it"),
)


class Desk:
    """`process(body)`: work on one order, for `seconds`. Those of `stage.hopeless` always fail, `shaky` the first time.

    It notes which order was done or failed, and in which call of the function.
    """

    def __init__(self, stage: Stage, seconds: float, shaky: Sequence[str] = ()) -> None:
        stage.trace.declare(_SEEN)
        self._stage, self._seconds, self._shaky = stage, seconds, shaky
        self._tried: set[str] = set()
        self._begun: Counter[str] = Counter()  # by message: orders of the same text are taken in turn

    def __call__(self, body: str) -> None:
        """Work on the order with this body. Raises WorkFailed."""
        stage = self._stage
        ids = stage.messages_with(body) if isinstance(body, str) else []
        if not ids:
            what = "the whole record" if isinstance(body, dict) else f"{cut(body)}"
            stage.fail(f'process was called with {what}. Call it with the text of one order: process(record["body"])')
        id = min(ids, key=lambda id: self._begun[id])
        self._begun[id] += 1
        stage.cloud.kernel.sleep(self._seconds)
        order = stage.name_of(id)
        fails = order in stage.hopeless or (order in self._shaky and order not in self._tried)
        self._tried.add(order)
        call = stage.trace.where("InvocationStarted")[-1]
        kind = "OrderFailed" if fails else "OrderDone"
        stage.trace.add(kind, _FUNCTION, id, f"lambda/{_FUNCTION}", call.index, order)
        if fails:
            stage.reach("fails")
            raise WorkFailed(f"{order} cannot be done")


def _rows(stage: Stage, story: Story, *kinds: str) -> list[Row]:
    return stage.trace.where(kinds, subject=story.ids)


def _burnt(stage: Stage) -> list[Row]:
    """The calls of the function that failed."""
    return stage.trace.where("InvocationFailed", resource=_FUNCTION)


# ---- 02b.batch -------------------------------------------------------------------------------------------------------


def order_lost(stage: Stage) -> Iterator[Problem]:
    """What left the queue was done, or is in the dead-letter queue."""
    for story in stage.stories():
        fine, failed = _rows(stage, story, "OrderDone"), _rows(stage, story, "OrderFailed")
        if fine or story.left_in:
            continue
        alike = len(stage.messages_with(stage.bodies[story.ids[0]])) > 1
        if failed:
            yield Problem(
                f"{story.name} is lost: process failed at {failed[0].time:.2f} s, and {_answer(stage)} did not "
                "name it, so Lambda deleted it with the rest of the batch. Name it under batchItemFailures, as "
                "itemIdentifier with the messageId of its record." + _ALIKE * alike,
                story.ids,
            )
        yield Problem(
            f"{story.name} is lost: process was never called with it, and Lambda deleted it, because the function "
            "succeeded without naming it. Work on every record of the event." + _ALIKE * alike,
            story.ids,
        )


def order_again(stage: Stage) -> Iterator[Problem]:
    """What was done is not done again because of another order of its batch."""
    for story in stage.stories():
        fine = _rows(stage, story, "OrderDone")
        if len(fine) < 2:
            continue
        ended = next((row for row in _burnt(stage) if row.time >= fine[0].time), None)
        why, cure = f"{_misunderstood(stage)}, so for Lambda all of its batch had failed", _SAY
        if ended and ended.time < fine[1].time:
            why = f"the call of the function failed at {ended.time:.2f} s ({ended.detail}), and so all of its batch did"
            cure = _ONLY if "timed out" in str(ended.detail) else f"{_ONLY} Return it, and do not raise."
        elif _named(stage) & {*story.ids}:
            why, cure = "the function named it among those that had failed", _ONLY
        yield Problem(
            f"{story.name} was done {once(len(fine))}, first at {fine[0].time:.2f} s and then at "
            f"{fine[1].time:.2f} s: {why}. "
            f"{cure}",
            story.ids,
        )


_ALIKE = " Two orders can have the same text, and are still two."
_ONLY = "Only what has failed is to come again."
_SAY = "Return {'batchItemFailures': [{'itemIdentifier': messageId of the record}, ...]}."


def _answer(stage: Stage) -> str:
    """The function's answer, in words: whole, when what Lambda looks for is not at its top."""
    other = next((x for x in stage.given if isinstance(x, dict) and x and "batchItemFailures" not in x), None)
    return f"the function's answer, {cut(other)}, has no batchItemFailures at its top, and" if other else _PLAIN


_PLAIN = "the function's answer"


def _misunderstood(stage: Stage) -> str:
    """What Lambda does not understand in the first such answer."""
    for answer in stage.given:
        if answer is not None and not isinstance(answer, dict):
            return f"the function returned {cut(answer, 50)}, which is no dict"
        items = (answer or {}).get("batchItemFailures") or []
        if not isinstance(items, list):
            return f"the function's batchItemFailures, {cut(items, 50)}, is no list"
        for item in items:
            if not isinstance(item, dict) or "itemIdentifier" not in item:
                return (
                    f"the function's batchItemFailures has {cut(item, 50)}, which is no dict with an 'itemIdentifier'"
                )
            if (id := item["itemIdentifier"]) not in list(stage.bodies):
                return f"the function named {cut(id, 50)}, which is the messageId of no record"
    return "the function's answer named a record of another batch"


def _named(stage: Stage) -> set[str]:
    """The MessageIds that the function's answers have named. `stage.given`: the answers."""
    lists = (answer.get("batchItemFailures") for answer in stage.given if isinstance(answer, dict))
    items = (item for found in lists if isinstance(found, list) for item in found if isinstance(item, dict))
    return {str(item.get("itemIdentifier")) for item in items}


def order_dead(stage: Stage) -> Iterator[Problem]:
    """The dead-letter queue has what always fails, and nothing else."""
    for story in stage.stories():
        bad = story.name in stage.hopeless
        if story.moved and not bad:
            how = "and came back each time because of another order of its batch."
            if _named(stage) & {*story.ids} and not _rows(stage, story, "OrderDone", "OrderFailed"):
                how = "and the function named it as failed, though it had not called process for it."
                if not stage.trace.where(("OrderDone", "OrderFailed")):
                    how += " Nor for any other order: does an `except` hide a mistake of your own?"
            yield Problem(
                f"{story.name} is in the dead-letter queue, but there is nothing wrong with it. It was received "
                f"{once(len(story.received))}, {how}",
                story.ids,
            )
        if bad and not story.moved:
            yield Problem(
                f"{story.name} always fails, and is not in the dead-letter queue after {stage.cloud.now:.0f} s. It was "
                f"received {once(len(story.received))}.",
                story.ids,
            )
        if not bad and not _rows(stage, story, "OrderDone"):
            yield Problem(f"{story.name} was not done in {stage.cloud.now:.0f} s.", story.ids)


def _bad(most: int) -> Knob:
    """So many of the orders always fail."""
    return Knob(0, most, lambda n: f"{n} of them always fail{'s' * (n == 1)}" if n else "")


class Batch(Exercise):
    """One bad order, and nine that are done once."""

    id = "02b.batch"
    signature = "handler(event, process)"
    knobs = knobs(
        orders=number("order", 1, 20),
        bad=_bad(3),
        shaky=flag("the first try of the last order fails"),
        alike=flag("two orders with the same text"),
        wild=flag("texts with spaces, quotes and other alphabets"),
        size=number("order{s} at most in a batch", 1, 10),
    )
    harmless = {"orders": 6, "size": 10}
    also = (
        {"orders": 3, "bad": 1, "size": 10},
        {"orders": 2, "shaky": 1, "size": 10},
        {"orders": 10, "wild": 1, "size": 10},
        {"orders": 4, "alike": 1, "bad": 1, "size": 10},
        {"orders": 2, "alike": 1, "shaky": 1, "size": 10},
    )
    faults = (changed_settings(), order_lost, order_again, order_dead)
    advice = {
        "KeyError: 'Body'": "In a function's event the names begin with small letters: record['body'], not 'Body'.",
        "KeyError: 'MessageId'": "In a function's event the names begin with small letters: record['messageId'].",
        "KeyError: 'Messages'": "A function gets event['Records'], a list.",
        "KeyError: 'Attributes'": "In a function's event the names begin with small letters: record['attributes'].",
        "KeyError: 'MessageAttributes'": "In a function's event it is record['messageAttributes'], not a receive's.",
    }

    def play(self, stage: Stage, case: Any) -> None:
        _, policy = stage.dead_letter_queue(_DEAD, _RECEIVES)
        url = stage.queue("orders", VisibilityTimeout=60, RedrivePolicy=policy)
        names = [f"order-{n + 1}" for n in range(case.orders)]
        stage.hopeless = set(names[: case.bad])
        alike = case.alike and case.bad + 1 < case.orders
        twins = names[-2:] if alike else names[-1:]  # of the same kind: which of them is done does not matter
        desk = Desk(stage, 0.5, twins if case.shaky else ())
        errors: list[Exception] = []
        stage.given = []

        def function(event: Any, context: Any) -> Any:
            failed: list[str] = []

            def process(body: str) -> None:
                try:
                    desk(body)
                except WorkFailed:
                    failed.append(body)
                    raise

            try:
                answer = stage.function(event, process)
            except Exception as error:
                if not failed:  # else it says so on purpose
                    errors.append(error)
                raise
            stage.given.append(answer)
            return answer

        stage.cloud.deploy(_FUNCTION, function, timeout=30)
        _connect(stage, url, BatchSize=case.size, FunctionResponseTypes=["ReportBatchItemFailures"])
        stage.run(4)  # until the mapping is enabled, so that the orders come together
        bodies = texts(case.orders, case.wild)
        if alike:
            bodies[-2] = bodies[-1]
            stage.reach("alike", 2)
        for name, body in zip(names, bodies):
            stage.send(url, body, name)
        stage.run(60 * (_RECEIVES + 1) + 60, lambda: bool(errors) or not stage.held(url), every=5.0)
        stage.run(stage.cloud.now + 5)
        if errors:
            raise errors[0]


def _connect(stage: Stage, url: str, **more: Any) -> None:
    arn = stage.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    stage.cloud.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=_FUNCTION, **more)


# ---- 02b.connect -----------------------------------------------------------------------------------------------------

_TIMEOUTS = (10, 20, 60)  # seconds: of the function
_RUSH = 140  # orders: so many that some of them meet a throttled poller again and again


def _mappings(stage: Stage) -> list[dict[str, Any]]:
    found = stage.cloud.client("lambda").list_event_source_mappings(FunctionName=_FUNCTION)
    return list(found["EventSourceMappings"])


def connected(stage: Stage) -> Iterator[Problem]:
    """There is a mapping from the queue to the function, and it is on."""
    found = _mappings(stage)
    if not found:
        yield Problem(
            "Nothing calls the function: there is no event source mapping. Make one: create_event_source_mapping."
        )
    for one in found:
        if not one["EventSourceArn"].endswith(":orders"):
            yield Problem(f"The mapping reads {one['EventSourceArn']}. The orders come into the queue of queue_url.")
        if one["State"] != "Enabled":
            yield Problem(f"The mapping is {one['State']}, so nothing calls the function. It must be Enabled.")


def the_function_is_as_it_was(stage: Stage) -> Iterator[Problem]:
    """Nobody has changed its timeout, or how often it may run at once."""
    functions = stage.cloud.client("lambda")
    concurrency = functions.get_function_concurrency(FunctionName=_FUNCTION).get("ReservedConcurrentExecutions")
    timeout = functions.get_function_configuration(FunctionName=_FUNCTION)["Timeout"]
    for what, before, now in (
        ("reserved concurrency", stage.given, concurrency),
        ("timeout", _TIMEOUTS[stage.case.timeout], timeout),
    ):
        if now != before:
            yield Problem(
                f"Your function changed the {what} of function {_FUNCTION!r} from {before} to {now}. It is as it must "
                "be: set up the queue and the mapping."
            )


def dies_unseen(stage: Stage) -> Iterator[Problem]:
    """No order that can be done comes into the dead-letter queue."""
    for story in stage.stories():
        if not story.moved or story.name in stage.hopeless:
            continue
        seen, received = _rows(stage, story, "OrderDone", "OrderFailed"), once(len(story.received))
        throttled = stage.trace.where("InvocationThrottled")
        if throttled and len(seen) < len(story.received):
            times = once(len(seen)) if seen else "never"
            cure = (
                f"The function was called for it {times}: its {stage.given} calls were in use, and a poller that is "
                f"throttled ({once(len(throttled))} in all) has used up a receive. Let the "
                "pollers take no more than the function can do (ScalingConfig, MaximumConcurrency), and allow more "
                "receives."
            )
        elif len(story.received) <= 1:
            cure = "A single failure is no proof. Allow more receives: maxReceiveCount."
        else:
            cure = "It failed each time, or its batch did. Allow more receives, or let the function report what failed."
        yield Problem(
            f"{story.name} is in the dead-letter queue, but there is nothing wrong with it. It was received "
            f"{received}. {cure}",
            story.ids,
        )


def not_seen(stage: Stage) -> Iterator[Problem]:
    """Nothing leaves the queue before the function has seen it."""
    for story in stage.stories():
        if story.left_in or _rows(stage, story, "OrderDone", "OrderFailed"):
            continue
        filtered = _rows(stage, story, "RecordFiltered")
        why = (
            f"the mapping's filter did not let it pass ({filtered[0].detail}), and Lambda deletes what no filter "
            "wants. Make the mapping without FilterCriteria."
            if filtered
            else "it left the queue before the function was called for it."
        )
        yield Problem(f"{story.name} is lost: {why}", story.ids)


def poison_stays(stage: Stage) -> Iterator[Problem]:
    """What always fails comes into the dead-letter queue."""
    for story in (story for story in stage.stories() if story.name in stage.hopeless):
        if not story.left_in:
            yield Problem(
                f"{story.name} always fails, and is in no queue any more: Lambda deleted it. The function reports what "
                "failed, and the mapping does not listen: FunctionResponseTypes=['ReportBatchItemFailures'].",
                story.ids,
            )
        if not story.moved:
            yield Problem(
                f"{story.name} always fails, and is not in the dead-letter queue after {stage.cloud.now:.0f} s. It was "
                f"received {once(len(story.received))}. The queue needs a RedrivePolicy with a small maxReceiveCount.",
                story.ids,
            )


def stopped(stage: Stage) -> Iterator[Problem]:
    """No call of the function comes to its timeout."""
    killed = [row for row in _burnt(stage) if "timed out" in str(row.detail)]
    if killed:
        most, timeout = _mappings(stage)[0]["BatchSize"], _TIMEOUTS[stage.case.timeout]
        yield Problem(
            f"Lambda stopped a call of the function in the middle, at {killed[0].time:.0f} s: {killed[0].detail}. All "
            f"of its batch comes again. BatchSize is {most}, and an order takes {timeout / 4:g} s: {most} of them take "
            f"{most * timeout / 4:g} s, and the start of the function some more. All of a batch must be done within "
            "the function's timeout.",
            [killed[0].subject],
        )


def begun_twice(stage: Stage) -> Iterator[Problem]:
    """Each order is done, and once."""
    for story in stage.stories():
        fine = _rows(stage, story, "OrderDone")
        if len(fine) > 1:
            yield Problem(
                f"{story.name} was done {once(len(fine))}: it was visible again while its batch was still in work. AWS "
                "advises a visibility timeout of six times the function's timeout.",
                story.ids,
            )
        if not fine and story.name not in stage.hopeless and story.left_in:
            yield Problem(
                f"{story.name} was not done in {stage.cloud.now:.0f} s. It was received {once(len(story.received))}.",
                story.ids,
            )


def six_times(stage: Stage) -> Iterator[Problem]:
    """The visibility timeout is six times that of the function and the window, or near."""
    url = next(iter(stage.queues))
    hidden, timeout = int(stage.settings(url).get("VisibilityTimeout", 0)), _TIMEOUTS[stage.case.timeout]
    window = max(one["MaximumBatchingWindowInSeconds"] for one in _mappings(stage))
    if not 6 * timeout + window <= hidden <= 12 * timeout + window:
        much = "long: an order whose call failed comes again so late"
        if hidden < 6 * timeout + window:
            much = "short: a throttled batch is visible again before its turn comes"
        plus = f", plus the batching window of {window} s" if window else ""
        yield Problem(
            f"The visibility timeout is {hidden} s, and the function's timeout {timeout} s. That is too {much}. AWS "
            f"advises six times the function's timeout{plus}."
        )


class Connect(Exercise):
    """Settings with which no order dies unseen."""

    id = "02b.connect"
    signature = "connect(sqs, functions, queue_url, dead_letter_arn, name)"
    knobs = knobs(
        orders=number("order", 1, 60),
        rush=flag(f"{_RUSH} orders more"),
        bad=_bad(2),
        shaky=flag("the first try of the last order fails"),
        reserved=number("call{s} of the function at a time", 2, 4),
        timeout=one_of([f"the function's timeout is {seconds} s" for seconds in _TIMEOUTS]),
        seeds=3,
    )
    harmless = {"orders": 5, "timeout": 1}
    also = (
        {"orders": 60}, {"orders": 60, "bad": 2, "timeout": 2}, {"orders": 2, "shaky": 1}, {"orders": 2, "bad": 1},
        {"orders": 60, "rush": 1},
    )  # fmt: skip
    examples = 20
    events = 60_000
    causes = ()
    faults = (
        connected, the_function_is_as_it_was, not_seen, stopped, dies_unseen, poison_stays, begun_twice, six_times,
    )  # fmt: skip

    def play(self, stage: Stage, case: Any) -> None:
        url = stage.queue("orders")
        dead, _ = stage.dead_letter_queue(_DEAD, 1)
        stage.queues.pop(dead)
        count = case.orders + _RUSH * case.rush
        names = [f"order-{n + 1}" for n in range(count)]
        stage.hopeless, stage.given = set(names[: case.bad]), case.reserved
        timeout = _TIMEOUTS[case.timeout]
        desk = Desk(stage, timeout / 4, names[-1:] if case.shaky else ())
        stage.cloud.deploy(_FUNCTION, _reporting(desk), timeout=timeout)
        functions = stage.cloud.client("lambda")
        functions.put_function_concurrency(FunctionName=_FUNCTION, ReservedConcurrentExecutions=case.reserved)
        arn = stage.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        stage.call("connect", stage.sqs, functions, url, arn, _FUNCTION, until=60)
        stage.run(stage.cloud.now + 4)
        stage.orders(url, count)
        hidden = int(stage.settings(url).get("VisibilityTimeout", 0))
        end = stage.cloud.now + count * timeout + 150 * timeout + 8 * min(hidden, 1000)
        stage.run(end, lambda: not stage.held(url), every=timeout / 2)
        stage.run(stage.cloud.now + 5)


def _reporting(desk: Callable[[str], None]) -> Callable[[Any, Any], Any]:
    """A function that does what it can, and reports what it could not do."""

    def handler(event: Any, context: Any) -> Any:
        failures = []
        for record in event["Records"]:
            try:
                desk(record["body"])
            except WorkFailed:
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}

    return handler


EXERCISES = (Batch(), Connect())
