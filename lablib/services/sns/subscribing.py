"""Subscribing, confirming, unsubscribing: who gets what is published.

Web endpoints, mailboxes, and endpoints of another account than the caller's must confirm a subscription: they get a
token, which is valid for two days. (SNS API reference, Subscribe,
ConfirmSubscription; SNS developer guide, "Sending Amazon SNS messages to an Amazon SQS queue in a different account".)
"""

from __future__ import annotations

import re
from hashlib import shake_256
from urllib.parse import parse_qsl, urlsplit

from lablib.aws.service import Request, ServiceError
from lablib.services.sns.attributes import check_large_messages, check_subscription_attributes, in_subscribe
from lablib.services.sns.base import SnsBase
from lablib.services.sns.checks import Document, invalid, is_phone, not_found, queue_arn, split_arn
from lablib.services.sns.messages import Message
from lablib.services.sns.topics import Subscription, Topic

_PROTOCOLS = ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
_ASKED = ("http", "https", "email", "email-json")  # these always confirm
_DEFAULTS = {"RawMessageDelivery": "false", "FilterPolicyScope": "MessageAttributes"}  # an attribute is not missing
_SNAKE = {"TopicArn": "topic_arn", "Token": "token", "SubscriptionArn": "subscription_arn"}
_TOKEN = re.compile("[0-9a-f]{64,}")
_WELCOME = (
    "You have chosen to subscribe to the topic {}.\n"
    "To confirm the subscription, visit the SubscribeURL included in this message."
)


_FAREWELL = (
    "You have chosen to deactivate subscription {}.\n"
    "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
)


class Subscribing(SnsBase):
    """The operations on subscriptions."""

    def subscribe(
        self,
        request: Request,
        *,
        topic_arn: str,
        protocol: str,
        endpoint: str = "",
        attributes: dict[str, str] | None = None,
        return_subscription_arn: bool = False,
    ) -> Document:
        topic = self._topic(topic_arn)
        self._limit(self._subscribing, "", "sns.subscribe_rate", request, topic.name)
        self._check_endpoint(topic, protocol, endpoint)
        owner, principal = self._owner(request)
        new = Subscription(topic, "", protocol, endpoint, owner, principal)
        home = new.target.account if new.target else owner
        new.confirmed = new.authenticated = protocol not in _ASKED and home == owner
        try:
            clean = check_subscription_attributes(attributes or {}, new, self.world.quotas)
        except ServiceError as error:
            raise in_subscribe(error) from None
        if protocol == "firehose" and "SubscriptionRoleArn" not in clean:
            raise invalid("SubscriptionRoleArn Reason: it must be given for the protocol firehose")
        subscription = topic.endpoints.get((protocol, endpoint))
        if subscription is None:
            self._check_room(topic, new, bool(clean.get("FilterPolicy")))
            subscription = self._add(new, clean, request)
        elif any(
            (subscription.attributes.get(name) or _DEFAULTS.get(name, "")) != value for name, value in clean.items()
        ):
            raise invalid("Attributes Reason: Subscription already exists with different attributes")
        if not subscription.confirmed:
            self._send_confirmation(subscription, request)
        known = subscription.confirmed or return_subscription_arn
        return {"SubscriptionArn": subscription.arn if known else "pending confirmation"}

    def _add(self, subscription: Subscription, attributes: dict[str, str], request: Request) -> Subscription:
        topic = subscription.topic
        subscription.arn = f"{topic.arn}:{self.world.chance.uuid('sns/subscriptions')}"
        subscription.configure(attributes)
        self._register(subscription)
        self.world.trace.add("Subscribed", topic.name, "", request.caller, request.row, subscription.name)
        return subscription

    def _register(self, subscription: Subscription) -> None:
        topic = subscription.topic
        topic.subscriptions[subscription.arn] = subscription
        topic.endpoints[subscription.protocol, subscription.endpoint] = subscription
        self.shared.subscriptions[subscription.arn] = subscription

    def _check_endpoint(self, topic: Topic, protocol: str, endpoint: str) -> None:
        if protocol not in _PROTOCOLS:
            raise invalid(f"Amazon SNS does not support this protocol string: {protocol}")
        if topic.fifo and protocol != "sqs":
            raise invalid("Invalid parameter: Endpoint Reason: FIFO topics can only deliver to SQS queues")
        if protocol == "firehose" and not re.fullmatch(r"arn:[^:]+:firehose:[^:]+:\d{12}:deliverystream/\S+", endpoint):
            raise invalid("Firehose endpoint ARN")
        if protocol in ("http", "https") and not re.fullmatch(rf"{protocol}://[^\s/]+\S*", endpoint):
            raise invalid("Endpoint must match the specified protocol")
        if protocol.startswith("email") and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", endpoint):
            raise invalid("Email address")
        if protocol == "sms" and not is_phone(endpoint):
            raise ServiceError("InvalidParameter", f"Invalid SMS endpoint: {endpoint}")
        if protocol == "lambda" and not re.fullmatch(r"arn:aws[a-z-]*:lambda:[^:]+:[0-9]{12}:function:\S+", endpoint):
            raise invalid("Lambda endpoint ARN")
        if protocol == "sqs":
            self._check_queue(topic, endpoint)
        if protocol == "application" and endpoint not in self.external.devices:
            raise invalid(f"Endpoint Reason: Endpoint does not exist for endpoint {endpoint}")

    def _check_queue(self, topic: Topic, endpoint: str) -> None:
        arn = queue_arn(endpoint)
        if arn is None:
            raise invalid("SQS endpoint ARN")
        fifo = arn.resource.endswith(".fifo")
        reason = "Invalid parameter: Endpoint Reason:"
        if fifo and not topic.fifo:
            raise invalid(f"{reason} FIFO SQS Queues can not be subscribed to standard SNS topics")
        if topic.fifo and not fifo and not self.world.quotas["sns.fifo_to_standard"]:
            raise invalid(f"{reason} Please use FIFO SQS queue")

    def _check_room(self, topic: Topic, new: Subscription, filtered: bool) -> None:
        quotas = self.world.quotas
        most = quotas["sns.fifo_subscriptions" if topic.fifo else "sns.subscriptions"]
        if len(topic.subscriptions) >= most:
            raise ServiceError("SubscriptionLimitExceeded", f"Subscription limit exceeded: {most}", status=403)
        if filtered:
            self._check_filters(topic)
        if topic.message_size > quotas["sns.message_size"]:
            check_large_messages([*(one.protocol for one in topic.subscriptions.values()), new.protocol], quotas)
        streams = [one for one in topic.subscriptions.values() if one.protocol == "firehose" and one.owner == new.owner]
        if new.protocol == "firehose" and len(streams) >= quotas["sns.firehose_subscriptions"]:
            text = f"Subscription limit exceeded: {len(streams)} with the protocol firehose"
            raise ServiceError("SubscriptionLimitExceeded", text, status=403)
        waiting = [one for one in self.shared.tokens.values() if not one.confirmed and one.owner == new.owner]
        if not new.confirmed and len(waiting) >= quotas["sns.pending_subscriptions"]:
            raise ServiceError("SubscriptionLimitExceeded", "Too many subscriptions wait for confirmation", status=403)

    def _check_filters(self, topic: Topic) -> None:
        quotas = self.world.quotas
        of_topic = sum(one.filter is not None for one in topic.subscriptions.values())
        in_account = sum(one.filter is not None for t in self.topics.values() for one in t.subscriptions.values())
        if of_topic >= quotas["sns.topic_filters"] or in_account >= quotas["sns.account_filters"]:
            text = "Filter policy limit exceeded"
            raise ServiceError("FilterPolicyLimitExceeded", text, status=403)

    # ---- confirmation ------------------------------------------------------------------------------------------------

    def _send_confirmation(self, subscription: Subscription, request: Request) -> None:
        """Send a token to the endpoint: it is valid for two days; then the subscription is removed."""
        topic, shared = subscription.topic, self.shared
        shared.tokens.pop(subscription.token, None)
        token = f"2336412f37{shake_256(self.world.chance.uuid('sns/tokens').encode()).hexdigest(139)}"
        life = self.world.quotas["sns.token_life"]
        subscription.token = token
        shared.tokens[token] = subscription
        self.world.kernel.after(life, self._expire, subscription, token)
        leaving = subscription.deleted
        confirmation = Message(topic, _FAREWELL.format(subscription.arn) if leaving else _WELCOME.format(topic.arn))
        confirmation.kind = "UnsubscribeConfirmation" if leaving else "SubscriptionConfirmation"
        confirmation.id, confirmation.token = self.world.chance.uuid("sns/messages"), token
        confirmation.row = self.world.trace.add(
            "ConfirmationSent", topic.name, confirmation.id, request.caller, request.row, subscription.name
        )
        self.deliverer.send(confirmation, subscription)

    def _expire(self, subscription: Subscription, token: str) -> None:
        self.shared.tokens.pop(token, None)
        if subscription.token == token and not subscription.confirmed and not subscription.deleted:
            self._remove(subscription)
            subscription.topic.removed -= 1  # it never was one

    def confirm_subscription(
        self, request: Request, *, topic_arn: str, token: str, authenticate_on_unsubscribe: str = "false"
    ) -> Document:
        parts = topic_arn.split(":")
        if not _TOKEN.fullmatch(token):
            raise ServiceError("InvalidParameter", "Invalid token")
        subscription = self.shared.tokens.get(token)
        region = subscription.topic.world.region if subscription else self.world.region
        if len(parts) < 6 or parts[3] != region:
            raise invalid("Topic")
        if subscription is None or subscription.topic.deleted:
            raise invalid("Token")
        again = subscription.topic.endpoints.get((subscription.protocol, subscription.endpoint))
        if subscription.deleted and again is None:  # it was removed by mistake, and its owner takes that back
            subscription.deleted = subscription.confirmed = False
            subscription.topic.removed -= 1
            self._register(subscription)
        subscription = again or subscription
        if not subscription.confirmed:
            subscription.confirmed = True
            subscription.authenticated = authenticate_on_unsubscribe.lower() == "true"
            name = subscription.topic.name
            self.world.trace.add("SubscriptionConfirmed", name, "", request.caller, request.row, subscription.name)
        return {"SubscriptionArn": subscription.arn}

    def open_link(self, url: str) -> Document:
        """Open a SubscribeURL or an UnsubscribeURL, as anybody can who has one: the caller is not known.

        Raises ValueError for another URL, and ServiceError as the operation does.
        """
        query = dict(parse_qsl(urlsplit(url).query))
        action, visitor = query.pop("Action", ""), "visitor"
        if action not in ("ConfirmSubscription", "Unsubscribe"):
            raise ValueError(f"url={url!r}: must be a SubscribeURL or an UnsubscribeURL of SNS")
        params = {_SNAKE[name]: value for name, value in query.items() if name in _SNAKE}
        row = self.world.trace.open(action, self.target(action, params).resource, visitor)
        request = Request(visitor, row, self.world.chance.stream(visitor))
        detail: int | str = 1
        try:
            if action == "ConfirmSubscription":
                return self.confirm_subscription(request, **params)
            return self._unsubscribe_unknown(request, **params)
        except ServiceError as error:
            detail = error.code
            raise
        finally:
            self.world.trace.complete(row, detail)

    def _unsubscribe_unknown(self, request: Request, *, subscription_arn: str) -> Document:
        """An unknown caller removes a subscription: its endpoint gets a link with which to restore it."""
        subscription = self.shared.subscriptions.get(subscription_arn)
        if subscription and subscription.authenticated:
            raise ServiceError("AuthorizationError", "Only its owner may remove this subscription", status=403)
        self.unsubscribe(request, subscription_arn=subscription_arn)
        if subscription:
            self._send_confirmation(subscription, request)
        return {}

    # ---- changing, removing ------------------------------------------------------------------------------------------

    def unsubscribe(self, request: Request, *, subscription_arn: str) -> Document:
        parts = split_arn(subscription_arn, "SubscriptionArn")
        subscription = self.shared.subscriptions.get(subscription_arn)
        if subscription is None and len(parts) < 7:
            raise invalid("SubscriptionId")
        self._limit(self._unsubscribing, "", "sns.subscribe_rate", request, parts[5])
        if subscription is None:
            return {}
        if not subscription.confirmed:
            raise invalid("SubscriptionArn Reason: This subscription is not confirmed yet")
        self._remove(subscription)
        name = subscription.topic.name
        self.world.trace.add("Unsubscribed", name, "", request.caller, request.row, subscription.name)
        return {}

    def _remove(self, subscription: Subscription) -> None:
        topic, shared = subscription.topic, self.shared
        subscription.deleted = True
        topic.removed += 1
        del topic.subscriptions[subscription.arn], shared.subscriptions[subscription.arn]
        del topic.endpoints[subscription.protocol, subscription.endpoint]
        shared.tokens.pop(subscription.token, None)

    def get_subscription_attributes(self, request: Request, *, subscription_arn: str) -> Document:
        return {"Attributes": self._subscription(subscription_arn).describe()}

    def set_subscription_attributes(
        self, request: Request, *, subscription_arn: str, attribute_name: str, attribute_value: str = ""
    ) -> Document:
        subscription = self._subscription(subscription_arn)
        given = {attribute_name: attribute_value}
        clean = check_subscription_attributes(given, subscription, self.world.quotas)
        if clean.get("FilterPolicy") and subscription.filter is None:
            self._check_filters(subscription.topic)
        delay = self.world.quotas["sns.filter_propagation"] if attribute_name.startswith("Filter") else 0
        if delay:
            self.world.kernel.after(delay, subscription.configure, clean)
        else:
            subscription.configure(clean)
        return {}

    def _subscription(self, arn: str) -> Subscription:
        split_arn(arn, "SubscriptionArn")
        subscription = self.shared.subscriptions.get(arn)
        if subscription is None and len(arn.split(":")) < 7:
            raise invalid("SubscriptionId")
        if subscription is None:
            raise not_found("Subscription")
        return subscription

    # ---- lists -------------------------------------------------------------------------------------------------------

    def list_subscriptions(self, request: Request, *, next_token: str | None = None) -> Document:
        owner, region = self.world.account, self.world.region
        everything = self.shared.subscriptions
        own = (arn for arn, one in everything.items() if one.owner == owner and arn.split(":")[3] == region)
        page, more = self._page(own, next_token)
        return {"Subscriptions": [everything[arn].entry() for arn in page]} | more

    def list_subscriptions_by_topic(
        self, request: Request, *, topic_arn: str, next_token: str | None = None
    ) -> Document:
        topic = self._topic(topic_arn)
        page, more = self._page(topic.subscriptions, next_token)
        return {"Subscriptions": [topic.subscriptions[arn].entry() for arn in page]} | more
