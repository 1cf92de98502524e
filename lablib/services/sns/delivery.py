"""How a message gets from a topic to its subscribers: each delivery on its own, attempt by attempt, in virtual time.

A delivery begins some milliseconds after Publish. It ends when the endpoint accepts the message, when it answers with a
client-side error, which SNS does not retry, or when the retries are used up. What could not be delivered goes to the
subscription's dead-letter queue, or is discarded. (SNS developer guide, "Amazon SNS message delivery
retries", "Amazon SNS dead-letter queues".) Deliveries to the subscribers of a FIFO topic keep the order of each message
group: one that is retried holds back those behind it. Assumed: a queue counts the whole envelope in a message's size,
so that the very longest messages need raw delivery.

Nothing here waits: every step is a timer of the kernel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.service import AnswerLost, Principal, ServiceError, World
from lablib.aws.targets import hand_over, reason
from lablib.kernel import lognormal
from lablib.services.sns.messages import Message
from lablib.services.sns.metrics import DLQ_FAILED
from lablib.services.sns.outside import ExternalEndpoints
from lablib.services.sns.topics import Subscription

_QUANTILES = 1024
_THROTTLES = ("ThrottlingException", "Throttling", "RequestThrottled", "ThrottledException", "TooManyRequestsException")
_MANAGED = ("sqs", "lambda", "firehose")


def delivery_id(message: Message, subscription: Subscription) -> str:
    """The subject of the rows about one delivery."""
    return f"{message.id} to {subscription.name}"


@dataclass(eq=False, slots=True)
class Delivery:
    """One message on its way to one subscription."""

    message: Message
    subscription: Subscription
    row: int  # the cause of the next attempt
    attempt: int = 0
    delays: Iterator[float] | None = None


class Deliverer:
    """Delivers the messages of the topics of one account in one region."""

    def __init__(self, world: World, external: ExternalEndpoints) -> None:
        self._world = world
        self._kernel = world.kernel
        self._trace = world.trace
        self._external = external
        quotas = world.quotas
        latency = lognormal(quotas["sns.delivery_median"], quotas["sns.delivery_p95"])
        self._latency = [latency.at((i + 0.5) / _QUANTILES) for i in range(_QUANTILES)]
        self._cross_region = quotas["sns.cross_region"]
        self._http_timeout = quotas["sns.http_timeout"]

    # ---- the way of a delivery ---------------------------------------------------------------------------------------

    def send(self, message: Message, subscription: Subscription) -> None:
        """Deliver a message to this subscription: one that was published, or the request to confirm it."""
        delivery = Delivery(message, subscription, message.row)
        if message.kind == "Notification":  # a request to confirm is no message to count or to draw
            delivery.row = self._note("DeliveryStarted", delivery)
        if subscription.in_order:
            line = subscription.lines.setdefault(message.group, deque())
            line.append(delivery)
            if len(line) > 1:
                return
        self._start(delivery)

    def _start(self, delivery: Delivery) -> None:
        subscription = delivery.subscription
        delay = self._latency[int(subscription.random() * _QUANTILES)]
        target = subscription.target
        if target and target.region != self._world.region:
            delay += self._cross_region
        self._kernel.after(delay, self._rate_limit, delivery)

    def _rate_limit(self, delivery: Delivery) -> None:
        """Delay the attempt where the endpoint has a limit on deliveries a second."""
        subscription, now = delivery.subscription, self._kernel.now
        rate = subscription.rate
        if not rate:
            return self._try(delivery)
        turn = max(now, subscription.next_at)
        subscription.next_at = round(turn + 1 / rate, 6)
        if turn <= now:
            return self._try(delivery)
        self._kernel.at(turn, self._try, delivery)

    def _try(self, delivery: Delivery) -> None:
        subscription = delivery.subscription
        delivery.attempt += 1
        if subscription.deleted and not delivery.message.token:
            self._note("DeliveryDropped", delivery, "the subscription was deleted")
            self._end(delivery)
        elif subscription.protocol in _MANAGED:
            self._try_service(delivery)
        else:
            self._try_external(delivery)

    def _try_service(self, delivery: Delivery) -> None:
        try:
            assert delivery.subscription.target
            answer = self._hand_over(delivery.subscription.target, delivery)
        except ServiceError as error:
            retry = error.status >= 500 or error.code in _THROTTLES
            self._failed(delivery, error.code, retry)
        except AnswerLost:
            self._failed(delivery, "Timeout", True)
        else:
            id = answer.get("MessageId") or answer.get("RecordId")
            self._delivered(delivery, {"as": id} if id else {})

    def _hand_over(self, to: Arn, delivery: Delivery) -> dict[str, Any]:
        """Through the gateway: the endpoint's policy decides."""
        message, subscription = delivery.message, delivery.subscription
        topic, raw = subscription.topic, subscription.raw
        text: str | bytes = message.text_for(subscription.protocol) if raw else message.envelope(subscription)
        principal = topic.principal
        if to.service == "lambda":
            text = message.event(subscription)
        elif to.service == "firehose":
            text = text if raw else message.line(subscription)
            principal = self._role(subscription)
        return hand_over(
            self._world,
            to,
            text,
            principal=principal,
            caller=topic.caller,
            cause=delivery.row,
            attributes=message.attributes if raw else None,
            trace_header=message.trace_header,
            ids=(message.group, message.deduplication) if to.resource.endswith(".fifo") else ("", ""),
        )

    def _role(self, subscription: Subscription) -> Principal:
        """In whose name a delivery stream is called. Raises ServiceError when SNS cannot assume the role."""
        role = subscription.attributes["SubscriptionRoleArn"]
        who = self._world.gateway.assume(role, "sns.amazonaws.com")
        if who is None:
            raise ServiceError("AccessDenied", f"SNS cannot assume the role {role}.", status=403)
        return who

    # ---- endpoints outside -------------------------------------------------------------------------------------------

    def _try_external(self, delivery: Delivery) -> None:
        subscription = delivery.subscription
        why = self._external.refusal(subscription)
        if why:
            return self._failed(delivery, why, False)
        status, delay = self._external.receive(delivery.message, subscription)
        if delay > self._http_timeout:
            self._kernel.after(self._http_timeout, self._failed, delivery, "Timeout", True)
        elif delay:
            self._kernel.after(delay, self._answered, delivery, status)
        else:
            self._answered(delivery, status)

    def _answered(self, delivery: Delivery, status: int) -> None:
        if status < 400:
            self._delivered(delivery, {})
        else:
            self._failed(delivery, str(status), status >= 500)

    # ---- the end of an attempt ---------------------------------------------------------------------------------------

    def _delivered(self, delivery: Delivery, more: dict[str, Any]) -> None:
        protocol = delivery.subscription.protocol
        self._note("Delivered", delivery, {"protocol": protocol, "attempt": delivery.attempt} | more)
        self._end(delivery)

    def _failed(self, delivery: Delivery, reason: str, retry: bool) -> None:
        subscription = delivery.subscription
        delay = None
        if retry:
            if delivery.delays is None:
                delivery.delays = subscription.delays()
            delay = next(delivery.delays, None)
        until = 0.0 if delay is None else self._kernel.now + delay
        detail = {"protocol": subscription.protocol, "attempt": delivery.attempt, "reason": reason}
        delivery.row = self._note("DeliveryFailed", delivery, detail, until)
        if delay is None:
            self._give_up(delivery)
        else:
            self._kernel.at(until, self._rate_limit, delivery)

    def _give_up(self, delivery: Delivery) -> None:
        queue = delivery.subscription.dead_letter_queue
        if queue is None:
            self._note("DeliveryDropped", delivery, "there is no dead-letter queue")
        else:
            try:
                self._hand_over(queue, delivery)
            except (ServiceError, AnswerLost) as error:
                why = reason(error, "Timeout")
                self._note("DeliveryDropped", delivery, f"{DLQ_FAILED} {queue.resource} failed: {why}")
            else:
                self._note("SentToDeadLetterQueue", delivery, queue.resource)
        self._end(delivery)

    def _end(self, delivery: Delivery) -> None:
        """Begin the next delivery of its group."""
        subscription = delivery.subscription
        if subscription.in_order:
            line = subscription.lines[delivery.message.group]
            line.popleft()
            if line:
                self._start(line[0])
            else:
                del subscription.lines[delivery.message.group]

    def _note(self, kind: str, delivery: Delivery, detail: Any = None, until: float = 0.0) -> int:
        subscription, about = delivery.subscription, delivery_id(delivery.message, delivery.subscription)
        return self._trace.add(kind, subscription.topic.name, about, subscription.name, delivery.row, detail, until)
