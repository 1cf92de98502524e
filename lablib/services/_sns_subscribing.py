"""Subscribing, confirming, unsubscribing: who gets what is published.

Whoever did not ask for messages must say that he wants them: endpoints on the web, mailboxes, and endpoints of another
account than the caller's. They get a token, which is good for two days. (SNS API reference, Subscribe,
ConfirmSubscription; SNS developer guide, "Sending Amazon SNS messages to an Amazon SQS queue in a different account".)
"""

from __future__ import annotations

import re
from hashlib import shake_256

from lablib.services._base import Call, NotSimulated, ServiceError
from lablib.services._sns_attributes import Document, invalid, is_phone, not_found, queue_arn, split_arn
from lablib.services._sns_base import SnsBase
from lablib.services._sns_messages import Message
from lablib.services._sns_settings import check_large_messages, check_subscription_attributes, in_subscribe
from lablib.services._sns_topics import Subscription, Topic

_PROTOCOLS = ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
_ASKED = ("http", "https", "email", "email-json")  # these always confirm
_TOKEN = re.compile("[0-9a-f]{64,}")
_WELCOME = (
    "You have chosen to subscribe to the topic {}.\n"
    "To confirm the subscription, visit the SubscribeURL included in this message."
)


class Subscribing(SnsBase):
    """The operations on subscriptions."""

    def subscribe(
        self,
        call: Call,
        *,
        topic_arn: str,
        protocol: str,
        endpoint: str = "",
        attributes: dict[str, str] | None = None,
        return_subscription_arn: bool = False,
    ) -> Document:
        topic = self._topic(topic_arn)
        self._limit("Subscribe", "sns.subscribe_rate", call)
        self._check_endpoint(topic, protocol, endpoint)
        owner, principal = self._owner(call)
        new = Subscription(topic, "", protocol, endpoint, owner, principal)
        try:
            clean = check_subscription_attributes(attributes or {}, new, self.world.figures)
        except ServiceError as error:
            raise in_subscribe(error) from None
        subscription = topic.endpoints.get((protocol, endpoint))
        if subscription is None:
            self._check_room(topic, new, "FilterPolicy" in clean)
            subscription = self._add(new, clean, call)
        elif any(subscription.attributes.get(name, "") != value for name, value in clean.items()):
            raise invalid("Attributes Reason: Subscription already exists with different attributes")
        if not subscription.confirmed:
            self._ask(subscription, call)
        known = subscription.confirmed or return_subscription_arn
        return {"SubscriptionArn": subscription.arn if known else "pending confirmation"}

    def _add(self, subscription: Subscription, attributes: dict[str, str], call: Call) -> Subscription:
        topic = subscription.topic
        subscription.arn = f"{topic.arn}:{self.world.chance.uuid('sns/subscriptions')}"
        subscription.configure(attributes)
        home = subscription.target.account if subscription.target else subscription.owner
        subscription.confirmed = subscription.protocol not in _ASKED and home == subscription.owner
        subscription.authenticated = subscription.confirmed
        topic.subscriptions[subscription.arn] = subscription
        topic.endpoints[subscription.protocol, subscription.endpoint] = subscription
        self.everywhere_else.subscriptions[subscription.arn] = subscription
        self.world.trace.add("Subscribed", topic.name, "", call.caller, call.row, subscription.name)
        return subscription

    def _check_endpoint(self, topic: Topic, protocol: str, endpoint: str) -> None:
        if protocol not in _PROTOCOLS:
            raise invalid(f"Amazon SNS does not support this protocol string: {protocol}")
        if topic.fifo and protocol != "sqs":
            raise invalid("Invalid parameter: Endpoint Reason: FIFO topics can only deliver to SQS queues")
        if protocol == "firehose":
            raise NotSimulated("subscriptions with the protocol firehose are not simulated: use a queue")
        if protocol in ("http", "https") and not re.fullmatch(rf"{protocol}://[^\s/]+\S*", endpoint):
            raise invalid("Endpoint must match the specified protocol")
        if protocol.startswith("email") and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", endpoint):
            raise invalid("Email address")
        if protocol == "sms" and not is_phone(endpoint):
            raise invalid(f"Invalid SMS endpoint: {endpoint}")
        if protocol == "lambda" and not re.fullmatch(r"arn:aws:lambda:[^:]+:[0-9]{12}:function:\S+", endpoint):
            raise invalid("Lambda endpoint ARN")
        if protocol == "sqs":
            self._check_queue(topic, endpoint)
        if protocol == "application":
            self._check_device(endpoint)

    def _check_queue(self, topic: Topic, endpoint: str) -> None:
        arn = queue_arn(endpoint)
        if arn is None:
            raise invalid("SQS endpoint ARN")
        fifo = arn.resource.endswith(".fifo")
        reason = "Invalid parameter: Endpoint Reason:"
        if fifo and not topic.fifo:
            raise invalid(f"{reason} FIFO SQS Queues can not be subscribed to standard SNS topics")
        if topic.fifo and not fifo and not self.world.figures["sns.fifo_to_standard"]:
            raise invalid(f"{reason} Please use FIFO SQS queue")

    def _check_device(self, endpoint: str) -> None:
        raise NotSimulated("subscriptions with the protocol application are not simulated")

    def _check_room(self, topic: Topic, new: Subscription, filtered: bool) -> None:
        figures = self.world.figures
        most = figures["sns.fifo_subscriptions" if topic.fifo else "sns.subscriptions"]
        if len(topic.subscriptions) + topic.existing_subscriptions >= most:
            raise ServiceError("SubscriptionLimitExceeded", f"Subscription limit exceeded: {most}", status=403)
        if filtered:
            self._check_filters(topic)
        if topic.message_size > figures["sns.message_size"]:
            topic.endpoints[new.protocol, new.endpoint] = topic.subscriptions[""] = new
            try:
                check_large_messages(topic, figures)
            finally:
                del topic.endpoints[new.protocol, new.endpoint], topic.subscriptions[""]

    def _check_filters(self, topic: Topic) -> None:
        figures = self.world.figures
        of_topic = sum(one.filter is not None for one in topic.subscriptions.values())
        in_account = sum(one.filter is not None for t in self.topics.values() for one in t.subscriptions.values())
        if of_topic >= figures["sns.topic_filters"] or in_account >= figures["sns.account_filters"]:
            text = "Filter policy limit exceeded"
            raise ServiceError("FilterPolicyLimitExceeded", text, status=403)

    # ---- confirmation ------------------------------------------------------------------------------------------------

    def _ask(self, subscription: Subscription, call: Call) -> None:
        """Send a token to the endpoint: it is good for two days, and then the subscription is forgotten."""
        topic, shared = subscription.topic, self.everywhere_else
        shared.tokens.pop(subscription.token, None)
        token = f"2336412f37{shake_256(self.world.chance.uuid('sns/tokens').encode()).hexdigest(139)}"
        life = self.world.figures["sns.token_life"]
        subscription.token, subscription.token_ends = token, self.now + life
        shared.tokens[token] = subscription
        self.world.kernel.after(life, self._lapse, subscription, token)
        request = Message(topic, _WELCOME.format(topic.arn))
        request.id = self.world.chance.uuid("sns/messages")
        request.kind, request.token = "SubscriptionConfirmation", token
        request.row = self.world.trace.add(
            "ConfirmationSent", topic.name, request.id, call.caller, call.row, subscription.name
        )
        self.courier.send(request, subscription)

    def _lapse(self, subscription: Subscription, token: str) -> None:
        if subscription.token == token and not subscription.confirmed and not subscription.deleted:
            self._remove(subscription)
            subscription.topic.removed -= 1  # it never was one

    def confirm_subscription(
        self, call: Call, *, topic_arn: str, token: str, authenticate_on_unsubscribe: str = "false"
    ) -> Document:
        parts = split_arn(topic_arn, "TopicArn")
        if not _TOKEN.fullmatch(token):
            raise ServiceError("InvalidParameter", "Invalid token")
        subscription = self.everywhere_else.tokens.get(token)
        if subscription is None or subscription.deleted or subscription.topic.arn != topic_arn:
            raise invalid("Topic" if parts[3] != self.world.region else "Token")
        if not subscription.confirmed:
            subscription.confirmed = True
            subscription.authenticated = authenticate_on_unsubscribe.lower() == "true"
            name = subscription.topic.name
            self.world.trace.add("SubscriptionConfirmed", name, "", call.caller, call.row, subscription.name)
        return {"SubscriptionArn": subscription.arn}

    # ---- changing, removing ------------------------------------------------------------------------------------------

    def unsubscribe(self, call: Call, *, subscription_arn: str) -> Document:
        parts = split_arn(subscription_arn, "SubscriptionArn")
        subscription = self.everywhere_else.subscriptions.get(subscription_arn)
        if subscription is None and len(parts) < 7:
            raise invalid("SubscriptionId")
        self._limit("Unsubscribe", "sns.subscribe_rate", call)
        if subscription is None:
            return {}
        if not subscription.confirmed:
            raise invalid("SubscriptionArn Reason: This subscription is not confirmed yet")
        self._remove(subscription)
        name = subscription.topic.name
        self.world.trace.add("Unsubscribed", name, "", call.caller, call.row, subscription.name)
        return {}

    def _remove(self, subscription: Subscription) -> None:
        topic, shared = subscription.topic, self.everywhere_else
        subscription.deleted = True
        topic.removed += 1
        del topic.subscriptions[subscription.arn], shared.subscriptions[subscription.arn]
        del topic.endpoints[subscription.protocol, subscription.endpoint]
        shared.tokens.pop(subscription.token, None)

    def get_subscription_attributes(self, call: Call, *, subscription_arn: str) -> Document:
        return {"Attributes": self._subscription(subscription_arn).describe()}

    def set_subscription_attributes(
        self, call: Call, *, subscription_arn: str, attribute_name: str, attribute_value: str = ""
    ) -> Document:
        subscription = self._subscription(subscription_arn)
        given = {attribute_name: attribute_value}
        clean = check_subscription_attributes(given, subscription, self.world.figures)
        if clean.get("FilterPolicy") and subscription.filter is None:
            self._check_filters(subscription.topic)
        subscription.configure(clean)
        return {}

    def _subscription(self, arn: str) -> Subscription:
        split_arn(arn, "SubscriptionArn")
        subscription = self.everywhere_else.subscriptions.get(arn)
        if subscription is None:
            raise not_found("Subscription")
        return subscription

    # ---- lists -------------------------------------------------------------------------------------------------------

    def list_subscriptions(self, call: Call, *, next_token: str | None = None) -> Document:
        owner, region = self.world.account, self.world.region
        everything = self.everywhere_else.subscriptions
        own = (arn for arn, one in everything.items() if one.owner == owner and arn.split(":")[3] == region)
        page, more = self._page(own, next_token)
        return {"Subscriptions": [everything[arn].entry() for arn in page]} | more

    def list_subscriptions_by_topic(self, call: Call, *, topic_arn: str, next_token: str | None = None) -> Document:
        topic = self._topic(topic_arn)
        page, more = self._page(topic.subscriptions, next_token)
        return {"Subscriptions": [topic.subscriptions[arn].entry() for arn in page]} | more
