"""The scenario of lab 02b: a queue, and a function that Lambda calls for its messages."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lablib.actors import producers
from lablib.aws.event import Event
from lablib.cloud import Cloud
from lablib.scenarios.missions import Curve, Met, lasted, met_unless, mission
from lablib.scenarios.param import choice, seconds, share, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import SERVERS, Stage, always
from lablib.scenarios.stages import RATE, SPREAD, VISIBILITY_TIMEOUT, WORK, QueueScenario
from lablib.texts import counted

FUNCTION = "work"
_WAYS = ("raises", "reports", "reports, not asked")
_EVENTS = (
    Event("OrderDone", "{actor} has done {detail}", counts="work succeeded"),
    Event("OrderFailed", "{actor} could not do {detail}", counts="work failed"),
)


def done(run: Run) -> Counter[str]:
    """How often each order was done."""
    return Counter(row.detail for row in run.trace.where("OrderDone"))


def lost(run: Run) -> list[str]:
    """The messages that were deleted though nobody had done them."""
    fine = {row.subject for row in run.trace.where("OrderDone")}
    gone = run.trace.where("Deleted", resource=_queue(run))
    return [row.subject for row in gone if row.subject not in fine]


def unseen(run: Run) -> list[str]:
    """The messages in the dead-letter queue that the function never saw."""
    seen = {row.subject for row in run.trace.where(("OrderDone", "OrderFailed", "WorkStarted"))}
    return [row.subject for row in run.trace.where("MovedToDeadLetterQueue") if row.subject not in seen]


def _queue(run: Run) -> str:
    return "orders.fifo" if run.scenario.values()["groups"] else "orders"


# ---- missions --------------------------------------------------------------------------------------------------------


@mission("02b.company", "bad", "batch_size")
def bad_company(run: Run) -> Met:
    """An order that can be done is done three times."""
    times: Counter[str] = Counter()
    for row in run.trace.where("OrderDone"):
        times[row.detail] += 1
        if times[row.detail] == 3:
            return row.time
    return f"how often one order was done, at most: {max(times.values(), default=0)}"


@mission("02b.forgotten", "bad", "failures")
def forgotten(run: Run) -> Met:
    """A message is deleted, and its order was never done."""
    first = next(iter(lost(run)), None)
    return run.trace.where("Deleted", subject=first)[0].time if first else "each order that was deleted was done"


@mission("02b.sorted", "bad", "failures", "max_receives")
def sorted_out(run: Run) -> Met:
    """With bad orders: each good one is done once, and the bad ones are in the dead-letter queue."""
    moved = {row.subject for row in run.trace.where("MovedToDeadLetterQueue")}
    failed = {row.subject for row in run.trace.where("OrderFailed")}
    again = sum(times > 1 for times in done(run).values())
    near = {
        "nothing is in the dead-letter queue": not moved,
        f"{counted(len(moved - failed), 'good order')} in the dead-letter queue": moved - failed,
        f"{counted(again, 'order')} done more than once": again,
        f"{counted(len(lost(run)), 'order')} lost": lost(run),
    }
    return met_unless(run, near)


@mission("02b.unseen", "bad", "reserved", "max_receives")
def never_seen(run: Run) -> Met:
    """No order is bad, and one comes into the dead-letter queue for which the function was never called."""
    if run.trace.where("OrderFailed"):
        return "there are bad orders"
    first = next(iter(unseen(run)), None)
    moved = run.trace.where("MovedToDeadLetterQueue", subject=first)
    near = "the function saw each order there" if moved else "nothing is in the dead-letter queue"
    return moved[0].time if first else near


@mission("02b.calls", "batch_size", "window", "bad")
def few_calls(run: Run) -> Met:
    """At least 200 orders, with a call of the function for 25 of them."""
    calls, orders = len(run.trace.where("InvocationStarted")), len(done(run))
    reserved = run.scenario.values()["reserved"]  # an earlier mission may have left it
    near = f"{counted(calls, 'call')} for {orders} orders"
    kept = f"; reserved concurrency is {reserved}" if reserved else ""
    return (lasted(run) and orders >= 200 and calls * 25 <= orders) or near + kept


# ---- the scenario ----------------------------------------------------------------------------------------------------


class QueueToFunction(QueueScenario):
    """A queue, and a function that Lambda calls for the orders in it.

    Lambda's pollers receive orders and call the function with a batch of them; the function does one after the other.
    When it succeeds, Lambda deletes the batch. Bad orders always fail.
    """

    duration = 240.0
    services = ("sqs", "lambda")
    missions = (bad_company, forgotten, sorted_out, never_seen, few_calls)
    curve = Curve("open", "orders not yet deleted")  # those that wait are few: the pollers hide them at once

    batch_size: int = whole(10, 1, 100, "orders", aws="BatchSize", quota="lambda.batch_max").says(
        "batch size", "The most orders in one call of the function. Above 10, the window must be at least 1 s."
    )
    window: float = seconds(5, 0, 300, aws="MaximumBatchingWindowInSeconds", quota="lambda.window_max").says(
        "batching window", "How long Lambda gathers orders for a batch. 0: it calls with what one receive brought."
    )
    bad: float = share(0.0).says("bad orders", "The share of orders that always fail.")
    failures: str = choice(*_WAYS, aws="FunctionResponseTypes").says(
        "of a bad order the function",
        "It raises: the batch has failed. It reports which ones failed. Or it reports them, but the mapping was not "
        "told to listen (ReportBatchItemFailures).",
    )
    max_receives: int = whole(0, 0, 100, "receives", aws="maxReceiveCount", quota="sqs.max_receive_count_max").says(
        "receives before the dead-letter queue",
        "An order that was received so often goes to the dead-letter queue. 0: there is none.",
    )
    reserved: int = whole(0, 0, 100, "calls", aws="ReservedConcurrentExecutions").says(
        "reserved concurrency", "How many calls of the function may run at the same time. 0: as many as it takes."
    )
    most: int = whole(0, 0, 100, "calls", aws="MaximumConcurrency").says(
        "maximum concurrency", "How many batches Lambda's pollers handle at the same time. 0: no limit; 1 counts as 2."
    )
    groups: int = whole(0, 0, 50, "groups", aws="MessageGroupId").says(
        "message groups", "0: a standard queue. Else a FIFO queue, and the orders go to so many groups in turn."
    )
    rate: float = RATE.but(default=4.0, unit="orders/s").says("order rate", "Orders that arrive a second, at random.")
    work: float = WORK.but(default=0.3, low=0.05, high=10.0).says(
        "work time", "Half of the orders take less than this."
    )
    spread: float = SPREAD
    timeout: int = whole(30, 1, 900, "s", aws="Timeout", quota="lambda.timeout_max").says(
        "timeout of the function", "Lambda stops a call after so long. The visibility timeout must not be shorter."
    )
    visibility_timeout: int = VISIBILITY_TIMEOUT.but(default=60, high=3600, live=False)

    def lens(self, run: Run) -> dict[str, Any]:
        """What the work was for: done, or done in vain; and which messages were deleted undone, and when."""
        gone, queue = lost(run), _queue(run)
        rows = [row for row in run.trace.where("Deleted", resource=queue) if row.subject in gone]
        return {"painter": "work", "lost": [row.time for row in rows], "undone": gone}

    def build(self, cloud: Cloud) -> Stage:
        return _Stage(cloud, self)


class _Stage(Stage):
    events = _EVENTS

    def __init__(self, cloud: Cloud, scenario: QueueToFunction) -> None:
        super().__init__(cloud, scenario)
        self.sqs = cloud.direct("sqs")
        fifo: dict[str, Any] = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if scenario.groups else {}
        end = ".fifo" if fifo else ""
        hidden = max(scenario.visibility_timeout, scenario.timeout)  # Lambda refuses less
        parts = 0 if fifo else SERVERS
        self.main = self.queue(
            f"orders{end}", id="queue", label="Queue orders", parts=parts, VisibilityTimeout=hidden, **fifo
        )
        if scenario.max_receives:
            kind: dict[str, Any] = {"FifoQueue": "true"} if fifo else {}
            dead = self.queue(f"orders-dlq{end}", id="dead", label="Dead-letter queue", role="dead-letter", **kind)
            self.redrive(self.main, dead, scenario.max_receives)
        self._function(scenario)
        self.front_end(self.handle, always(lambda: self.values["rate"]), to=["queue"])

    def _function(self, scenario: QueueToFunction) -> None:
        self.cloud.deploy(FUNCTION, self.work, timeout=scenario.timeout)
        self.place("function", "Function work", "function", f"lambda/{FUNCTION} {FUNCTION}")
        self.link("queue", "function")
        self.link("function", "queue", "done")
        if scenario.reserved:
            self.ask(
                "lambda",
                "put_function_concurrency",
                function_name=FUNCTION,
                reserved_concurrent_executions=scenario.reserved,
            )
        batch = min(scenario.batch_size, 10) if scenario.groups else scenario.batch_size
        gathers = 0 if scenario.groups else max(int(scenario.window), int(batch > 10))
        asked: dict[str, Any] = (
            {"function_response_types": ["ReportBatchItemFailures"]} if scenario.failures == "reports" else {}
        )
        if scenario.most:
            asked["scaling_config"] = {"MaximumConcurrency": max(2, scenario.most)}
        self.ask(
            "lambda",
            "create_event_source_mapping",
            event_source_arn=self.main.arn,
            function_name=FUNCTION,
            batch_size=batch,
            maximum_batching_window_in_seconds=gathers,
            **asked,
        )

    def work(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The function: it does one order of the batch after the other."""
        failures = []
        for record in event["Records"]:
            order = record["body"]
            self.cloud.kernel.sleep(self.work_seconds(order))
            fails = self.cloud.chance.keyed("bad", order) < self.values["bad"]
            about = (FUNCTION, record["messageId"], f"lambda/{FUNCTION}")
            self.cloud.trace.add("OrderFailed" if fails else "OrderDone", *about, detail=order)
            if fails and self.values["failures"] == "raises":
                raise ValueError(f"{order} cannot be done")
            if fails:
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}

    def handle(self, number: int) -> None:
        """The `number`-th order is sent."""
        self.cloud.spawn(self._send, f"order-{number}", number, name="front-end")

    def _send(self, order: str, number: int) -> None:
        group: dict[str, Any] = (
            {"MessageGroupId": f"group-{number % self.values['groups']}"} if self.values["groups"] else {}
        )
        call, url = producers.call_with_retries, self.main.url
        call(self.cloud.kernel, self.sqs.send_message, QueueUrl=url, MessageBody=order, **group)

    def handle_burst(self, keys: list[str]) -> None:
        for number, key in enumerate(keys):
            self.cloud.spawn(self._send, key, number, name="front-end-burst")


SCENARIOS: dict[str, type[Scenario]] = {"QueueToFunction": QueueToFunction}
