"""Attributes of topics and subscriptions, and tags: checked as SNS checks them.

Sources: SNS API reference (CreateTopic, SetTopicAttributes, Subscribe, SetSubscriptionAttributes, TagResource); SNS
developer guide, "Creating an HTTP/S delivery policy". The fidelity tests say which error texts were recorded from AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lablib.aws.service import NotSimulated, ServiceError
from lablib.services.sns.checks import Quotas, invalid, queue_arn
from lablib.services.sns.retries import check_delivery_policy
from lablib.services.sns.topics import TOPIC_ACTIONS

if TYPE_CHECKING:
    from lablib.services.sns.topics import Subscription, Topic

_FEEDBACK = re.compile(r"(HTTP|Firehose|Lambda|Application|SQS)(Success|Failure)Feedback(RoleArn|SampleRate)")
_FIFO_ONLY = ("FifoTopic", "ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy")
_CHOICES = {
    "FifoTopic": ("true", "false"),
    "ContentBasedDeduplication": ("true", "false"),
    "FifoThroughputScope": ("Topic", "MessageGroup"),
    "SignatureVersion": ("1", "2"),
    "TracingConfig": ("PassThrough", "Active"),
}


# ---- topics ----------------------------------------------------------------------------------------------------------


def check_topic_attributes(
    given: Mapping[str, str], fifo: bool, quotas: Quotas, *, creating: bool = False, current: Topic | None = None
) -> dict[str, str]:
    """The attributes in the form in which AWS returns them; an empty value means: back to the default."""
    clean = {name: _topic_attribute(name, value, fifo, quotas, creating) for name, value in given.items()}
    clean = {name: value for name, value in clean.items() if not (name == "FifoTopic" and value == "false")}
    if clean.get("FifoThroughputScope") == "Topic" and current and current.group_scope:
        raise invalid("FifoThroughputScope Reason: the scope MessageGroup cannot be changed back to Topic")
    if current and int(clean.get("MaximumMessageSize") or 0) > quotas["sns.message_size"]:
        check_large_messages([one.protocol for one in current.subscriptions.values()], quotas)
    return clean


def _topic_attribute(name: str, value: str, fifo: bool, quotas: Quotas, creating: bool) -> str:
    known = name in _CHOICES or name in _TOPIC_CHECKS or _FEEDBACK.fullmatch(name) or name == "ArchivePolicy"
    if not known or (name == "FifoTopic" and not creating):
        raise invalid(f"Attributes Reason: Unknown attribute {name}" if creating else "AttributeName")
    if name in _FIFO_ONLY and name != "FifoTopic" and not fifo:
        raise invalid(f"Attributes Reason: {name} is only supported for FIFO topics" if creating else "AttributeName")
    if name == "ArchivePolicy":
        raise NotSimulated("ArchivePolicy (archive and replay of FIFO topics) is not simulated")
    if name in ("FifoTopic", "ContentBasedDeduplication"):
        value = value.lower()
    if name == "FifoThroughputScope" and not quotas["sns.fifo_scope"]:
        raise invalid("Attributes Reason: Unknown attribute FifoThroughputScope" if creating else "AttributeName")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise invalid(f"{name}: Invalid value [{value}]. Must be {' or '.join(_CHOICES[name])}.")
    if name.endswith("SampleRate") and not (re.fullmatch("[0-9]{1,3}", value) and int(value) <= 100):
        raise invalid(f"{name}: Invalid value [{value}]. Must be an integer from 0 to 100.")
    return _TOPIC_CHECKS[name](value, quotas) if name in _TOPIC_CHECKS and value else value


def _check_display_name(value: str, quotas: Quotas) -> str:
    if len(value) > 100:
        raise invalid("DisplayName Reason: must be at most 100 characters long")
    return value


def _check_access_policy(value: str, quotas: Quotas) -> str:
    from lablib.aws.access.decide import MalformedPolicy, Policy

    try:
        Policy.parse(value)
    except MalformedPolicy as error:
        raise invalid(f"Policy Error: {error.field}: {error.why}") from None
    statements = json.loads(value)["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        actions = statement.get("Action", [])
        check_actions(actions if isinstance(actions, list) else [actions])
    return value


def check_actions(actions: list[str]) -> None:
    """Raise InvalidParameter unless a topic's policy may speak about these actions: a wildcard it may not have."""
    known = {f"sns:{action}".lower() for action in TOPIC_ACTIONS}
    if not {action.lower() for action in actions} <= known:
        raise invalid("Policy statement action out of service scope!")


def _check_message_size(value: str, quotas: Quotas) -> str:
    longest = quotas["sns.message_size_max"]
    if longest == quotas["sns.message_size"]:  # the attribute came with the larger messages
        raise invalid("AttributeName")
    if not re.fullmatch("[0-9]{1,9}", value) or not 1024 <= int(value) <= longest:
        raise invalid(f"MaximumMessageSize: Invalid value [{value}]. Must be an integer from 1024 to {longest}.")
    return value


def check_large_messages(protocols: list[str], quotas: Quotas) -> None:
    """Topics that take more than 256 KiB have few subscriptions, of three protocols (API: SetTopicAttributes)."""
    few = quotas["sns.large_message_subscriptions"]
    if len(protocols) > few or not {*protocols} <= {"sqs", "lambda", "firehose"}:
        only = f"at most {few} subscriptions, each with the protocol sqs, firehose or lambda"
        raise invalid(f"MaximumMessageSize Reason: a topic with messages above 256 KiB has {only}")


_TOPIC_CHECKS: dict[str, Callable[[str, Quotas], str]] = {
    "DeliveryPolicy": lambda value, quotas: check_delivery_policy(value, quotas, topic=True),
    "DisplayName": _check_display_name,
    "KmsMasterKeyId": lambda value, quotas: value,
    "MaximumMessageSize": _check_message_size,
    "Policy": _check_access_policy,
}


# ---- subscriptions ---------------------------------------------------------------------------------------------------


def check_subscription_attributes(
    given: Mapping[str, str], subscription: Subscription, quotas: Quotas
) -> dict[str, str]:
    """The attributes in the form in which AWS returns them; an empty value removes one. Raises InvalidParameter."""
    clean = {name: _subscription_attribute(name, value, subscription, quotas) for name, value in given.items()}
    scope = clean.get("FilterPolicyScope") or subscription.scope
    policy = clean.get("FilterPolicy", subscription.attributes.get("FilterPolicy", ""))
    if policy and clean.keys() & {"FilterPolicy", "FilterPolicyScope"}:
        from lablib.services.sns.filters import FilterPolicy

        FilterPolicy.parse(policy, scope)
    return clean


def _subscription_attribute(name: str, value: str, subscription: Subscription, quotas: Quotas) -> str:
    if name == "ReplayPolicy":
        raise NotSimulated("ReplayPolicy (archive and replay of FIFO topics) is not simulated")
    if name not in _SUBSCRIPTION_CHECKS:
        raise invalid("AttributeName")
    return _SUBSCRIPTION_CHECKS[name](value, subscription, quotas)


def _check_raw(value: str, subscription: Subscription, quotas: Quotas) -> str:
    if value.lower() not in ("true", "false"):
        raise invalid(f"RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
    protocol = subscription.protocol
    if value.lower() == "true" and protocol not in ("sqs", "http", "https", "firehose"):
        raise invalid(f"Delivery protocol [{protocol}] does not support raw message delivery.")
    return value.lower()


def _check_scope(value: str, subscription: Subscription, quotas: Quotas) -> str:
    if value not in ("MessageAttributes", "MessageBody"):
        either = "Please use either MessageBody or MessageAttributes"
        raise invalid(f"FilterPolicyScope: Invalid value [{value}]. {either}")
    return value


def _check_filter(value: str, subscription: Subscription, quotas: Quotas) -> str:
    try:
        empty = not value or json.loads(value) == {}
    except ValueError:
        empty = False  # the filter's own parser says what is wrong with it
    return "" if empty else value


def _check_delivery(value: str, subscription: Subscription, quotas: Quotas) -> str:
    if value and subscription.protocol not in ("http", "https"):
        raise invalid(f"DeliveryPolicy: Delivery protocol [{subscription.protocol}] does not support delivery policies")
    return check_delivery_policy(value, quotas, topic=False) if value else value


def _check_redrive(value: str, subscription: Subscription, quotas: Quotas) -> str:
    if not value:
        return ""
    try:
        policy: Any = json.loads(value)
    except ValueError as error:
        raise invalid(f"RedrivePolicy: failed to parse JSON. {error}") from None
    target = policy.get("deadLetterTargetArn") if isinstance(policy, dict) else None
    arn = queue_arn(target) if isinstance(target, str) else None
    if arn is None:
        raise invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
    topic = subscription.topic
    if (arn.region, arn.account) != (topic.world.region, subscription.owner):
        same = "must be in the same account and region as the subscription"
        raise invalid(f"RedrivePolicy: deadLetterTargetArn {same}")
    fifo = arn.resource.endswith(".fifo")
    if topic.fifo and subscription.endpoint.endswith(".fifo") and not fifo:
        raise invalid("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
    if not topic.fifo and fifo:
        raise invalid("RedrivePolicy: a FIFO queue cannot be the DLQ of a subscription to a standard topic")
    return json.dumps({"deadLetterTargetArn": target}, separators=(",", ":"))


_SUBSCRIPTION_CHECKS: dict[str, Callable[[str, Subscription, Quotas], str]] = {
    "DeliveryPolicy": _check_delivery,
    "FilterPolicy": _check_filter,
    "FilterPolicyScope": _check_scope,
    "RawMessageDelivery": _check_raw,
    "RedrivePolicy": _check_redrive,
}


def in_subscribe(error: ServiceError) -> ServiceError:
    """The error as Subscribe tells it: with a word on where the attribute stood."""
    text = error.message.removeprefix("Invalid parameter: ")
    return invalid(f"Attributes Reason: {text}") if error.code == "InvalidParameter" else error
