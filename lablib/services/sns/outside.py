"""Endpoints outside AWS: telephones, apps on devices, and what SNS sends to each kind of endpoint.

Sources: SNS developer guide, "HTTP/HTTPS headers", "Mobile text messaging", "Sending platform-specific payloads to
mobile devices". Assumed: the price of a text message, which differs by country and carrier, and the forms that a
default text gets for a push service.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from lablib.aws.dates import moment
from lablib.aws.service import ServiceError, World
from lablib.services.sns.checks import Document, invalid
from lablib.services.sns.inbox import Inboxes
from lablib.services.sns.messages import Message
from lablib.services.sns.topics import Subscription

SECRETS = ("PlatformCredential", "PlatformPrincipal")
_LONGEST = {"ADM": 6144, "APNS": 4096, "APNS_SANDBOX": 4096, "GCM": 4096}  # bytes that the push services take


class Phones:
    """The settings of text messages of one account in one region, and the numbers that want none."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.settings = {"MonthlySpendLimit": str(world.quotas["sns.sms_spend_limit"])}
        self.opted_out: dict[str, None] = {}
        self._spent: dict[str, float] = {}  # by month

    def opt_out(self, number: str) -> None:
        """The number answered STOP: from now on it gets no messages."""
        self.opted_out[number] = None

    def refusal(self, number: str) -> str:
        """Why no message can be sent to that number now; empty when one can, and then its price is counted."""
        if number in self.opted_out:
            return "OptedOut"
        kernel, price = self._world.kernel, self._world.quotas["sns.sms_price"]
        month = f"{moment(kernel.epoch + kernel.now):%Y-%m}"
        spent = self._spent.get(month, 0.0) + price
        if spent > int(self.settings["MonthlySpendLimit"]):
            return "SpendLimitReached"
        self._spent[month] = spent
        return ""

    def sender(self, attributes: dict[str, Document]) -> str:
        """The sender that a message names."""
        own = attributes.get("AWS.SNS.SMS.SenderID", {}).get("StringValue")
        return own or self.settings.get("DefaultSenderID", "NOTICE")


@dataclass(eq=False)
class Application:
    """An app, as one push service knows it."""

    arn: str
    platform: str
    name: str
    attributes: dict[str, str]
    devices: dict[str, Device] = field(default_factory=dict)  # by token

    @property
    def enabled(self) -> bool:
        """May anything be published to its devices?"""
        return self.attributes["Enabled"].lower() == "true"

    def entry(self) -> Document:
        """How SNS shows it: without its secrets."""
        shown = {name: value for name, value in self.attributes.items() if name not in SECRETS}
        return {"PlatformApplicationArn": self.arn, "Attributes": shown}


@dataclass(eq=False)
class Device:
    """An app on a device: what SNS calls a platform endpoint."""

    arn: str
    application: Application
    attributes: dict[str, str]

    @property
    def enabled(self) -> bool:
        """May anything be published to it?"""
        return self.attributes["Enabled"].lower() == "true"

    def disable(self) -> None:
        """The push service has rejected its token."""
        self.attributes["Enabled"] = "false"


def payload(platform: str, texts: Mapping[str, str]) -> str:
    """What a push service is sent: its own text unchanged, else the default text in the service's form.

    Raises InvalidParameter when there is no text for it, or when its own text is no JSON object or too long.
    """
    own = texts.get(platform)
    if own is None and "default" not in texts:
        raise invalid(f"Message Structure - JSON must contain an entry for 'default' or '{platform}'.")
    if own is None:
        text = texts["default"]
        form = {"GCM": {"notification": {"body": text}}, "ADM": {"data": {"message": text}}}
        own = json.dumps(form.get(platform, {"aps": {"alert": text}}), ensure_ascii=False)
    wrong = f"Message Reason: Invalid notification for protocol {platform}:"
    try:
        document = json.loads(own)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise invalid(f"{wrong} Notification is malformed")
    if len(own.encode()) > _LONGEST[platform]:
        longer = "Notification data is larger than allowed limit" if platform == "GCM" else "Notification is too long"
        raise invalid(f"{wrong} {longer}")
    return own


class ExternalEndpoints:
    """The endpoints outside AWS that one account in one region delivers to."""

    def __init__(self, world: World, inboxes: Inboxes) -> None:
        self.inboxes = inboxes
        self.phones = Phones(world)
        self.applications: dict[str, Application] = {}
        self.devices: dict[str, Device] = {}

    def refusal(self, subscription: Subscription) -> str:
        """Why SNS does not try to reach this endpoint; empty when it does."""
        if subscription.protocol == "sms":
            return self.phones.refusal(subscription.endpoint)
        if subscription.protocol == "application":
            device = self.devices.get(subscription.endpoint)
            if device is None:
                return "EndpointNotFound"
            if not device.application.enabled:
                return "PlatformApplicationDisabled"
            return "" if device.enabled else "EndpointDisabled"
        return ""

    def receive(self, message: Message, subscription: Subscription) -> tuple[int, float]:
        """Send it. Returns the status of the answer, and after how many seconds it comes."""
        try:
            headers, body = self._form(message, subscription)
        except ServiceError as error:
            return error.status, 0.0
        status, delay = self.inboxes[subscription.endpoint].receive(headers, body)
        if 400 <= status <= 499 and subscription.protocol == "application":
            self.devices[subscription.endpoint].disable()
        return status, delay

    def _form(self, message: Message, subscription: Subscription) -> tuple[dict[str, str], str]:
        """The headers and the body that the endpoint gets."""
        protocol, name = subscription.protocol, subscription.topic.attributes.get("DisplayName", "")
        if protocol in ("http", "https"):
            return _request(message, subscription)
        if protocol == "application":
            device = self.devices[subscription.endpoint]
            texts = {"default": message.text} if message.texts is None else message.texts
            return {"Token": device.attributes["Token"]}, payload(device.application.platform, texts)
        text = message.text_for(protocol)
        if protocol == "sms":
            return {"From": self.phones.sender(message.attributes)}, f"{name}> {text}" if name else text
        sender = "AWS Notifications" if message.token or not name else name
        headers = {"From": f"{sender} <no-reply@sns.amazonaws.com>", "To": subscription.endpoint}
        headers["Subject"] = message.subject or _SUBJECTS[message.kind]
        if protocol == "email-json":
            return headers, message.envelope(subscription)
        link = message.subscribe_url if message.token else message.unsubscribe_url(subscription)
        return headers, f"{text}\n\n--\n{link}"


_SUBJECTS = {
    "Notification": "AWS Notification Message",
    "SubscriptionConfirmation": "AWS Notification - Subscription Confirmation",
    "UnsubscribeConfirmation": "AWS Notification - Unsubscribe Confirmation",
}


def _request(message: Message, subscription: Subscription) -> tuple[dict[str, str], str]:
    """An HTTP POST."""
    headers = {
        "x-amz-sns-message-type": message.kind,
        "x-amz-sns-message-id": message.id,
        "x-amz-sns-topic-arn": subscription.topic.arn,
        "x-amz-sns-subscription-arn": subscription.arn,
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
    }
    if message.kind == "SubscriptionConfirmation":
        del headers["x-amz-sns-subscription-arn"]
    if message.token:
        return headers, message.envelope(subscription)
    headers["Content-Type"] = subscription.policy["requestPolicy"]["headerContentType"]
    if subscription.raw:
        return headers | {"x-amz-sns-rawdelivery": "true"}, message.text_for(subscription.protocol)
    return headers, message.envelope(subscription)
