"""Attributes of topics and subscriptions, checked as SNS checks them.

Sources: SNS API reference (CreateTopic, SetTopicAttributes, Subscribe, SetSubscriptionAttributes). The tests say which
error texts were recorded from AWS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lablib.aws.attributes import Attribute, Quotas, Unfit, anything, boolean, choice, declare, integer, matching
from lablib.aws.documents import read_json
from lablib.aws.service import NotSimulated, ServiceError, World
from lablib.services.sns.checks import invalid, no_json, queue_arn
from lablib.services.sns.retries import check_delivery_policy
from lablib.services.sns.topics import TOPIC_ACTIONS

if TYPE_CHECKING:
    from lablib.services.sns.topics import Subscription, Topic

_WEB = ("http", "https")


def clean(table: Mapping[str, Attribute], name: str, value: str, quotas: Quotas) -> str:
    """The value of an attribute of that table as AWS gives it back. Raises InvalidParameter."""
    try:
        return table[name].clean(value, quotas)
    except Unfit as unfit:
        raise invalid(f"{name}: Invalid value [{value}]. {unfit}") from None


def clean_all(table: Mapping[str, Attribute], given: Mapping[str, str], quotas: Quotas) -> dict[str, str]:
    """All values that were given for attributes of that table. Raises InvalidParameter, for unknown names too."""
    for name in given:
        if name not in table:
            raise invalid(f"Attributes Reason: Invalid attribute name: {name}")
    return {name: clean(table, name, value, quotas) for name, value in given.items()}


# ---- topics ----------------------------------------------------------------------------------------------------------


def _display_name(value: str, quotas: Quotas) -> str:
    if len(value) > 100:
        raise invalid("DisplayName Reason: must be at most 100 characters long")
    return value


def _access_policy(value: str, quotas: Quotas) -> str:
    from lablib.aws.access.decide import MalformedPolicy, Policy

    try:
        Policy.parse(value)
    except MalformedPolicy as error:
        if error.field.endswith(".Sid"):
            raise invalid("Every policy statement must have a unique ID") from None
        raise invalid(f"Policy Error: {error.field}: {error.why}") from None
    statements = json.loads(value)["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    for statement in statements:
        check_actions(_listed(statement.get("Action", [])))
        if len(_listed(statement.get("Resource", []))) > 1:
            raise invalid("Policy statement must apply to a single resource!")
    if len({statement.get("Sid", "") for statement in statements}) < len(statements):
        raise invalid("Every policy statement must have a unique ID")
    return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def check_principals(policy: str | None, world: World) -> None:
    """Raise InvalidParameter when a topic's policy names a role or user that does not exist (text as reported)."""
    if policy:
        from lablib.aws.access.decide import Policy
        from lablib.aws.access.identities import UnknownPrincipal, bound

        try:
            bound(Policy.parse(policy), world)
        except UnknownPrincipal:
            raise invalid("Policy Error: PrincipalNotFound") from None


def check_actions(actions: list[str]) -> None:
    """Raise InvalidParameter unless a topic's policy may have these actions; it may have no wildcards."""
    known = {f"sns:{action}".lower() for action in (*TOPIC_ACTIONS, "Receive")}
    if not {action.lower() for action in actions} <= known:
        raise invalid("Policy statement action out of service scope!")


_TOPIC = declare(
    Attribute("DeliveryPolicy", lambda value, quotas: check_delivery_policy(value, quotas, topic=True), removable=True),
    Attribute("DisplayName", _display_name, removable=True),
    Attribute("KmsMasterKeyId", anything, removable=True),
    Attribute("MaximumMessageSize", integer(1024, "sns.message_size_max"), removable=True),
    Attribute("Policy", _access_policy, removable=True),
    Attribute("SignatureVersion", choice("1", "2")),
    Attribute("TracingConfig", choice("PassThrough", "Active")),
    Attribute("FifoTopic", boolean),
    Attribute("ContentBasedDeduplication", boolean, only="fifo"),
    Attribute("FifoThroughputScope", choice("Topic", "MessageGroup"), only="fifo"),
    Attribute("ArchivePolicy", anything, only="fifo"),
    *(
        Attribute(f"{protocol}{result}Feedback{what}", check)
        for protocol in ("HTTP", "Firehose", "Lambda", "Application", "SQS")
        for result in ("Success", "Failure")
        for what, check in (("RoleArn", anything), ("SampleRate", integer(0, 100)))
    ),
)


def check_topic_attributes(
    given: Mapping[str, str], fifo: bool, quotas: Quotas, *, creating: bool = False, current: Topic | None = None
) -> dict[str, str]:
    """The attributes in the form in which AWS returns them; an empty value means: back to the default."""
    changed = {name: _topic_attribute(name, value, fifo, quotas, creating) for name, value in given.items()}
    changed = {name: value for name, value in changed.items() if not (name == "FifoTopic" and value == "false")}
    if changed.get("FifoThroughputScope") == "Topic" and current and current.group_scope:
        raise invalid("FifoThroughputScope Reason: the scope MessageGroup cannot be changed back to Topic")
    if current and int(changed.get("MaximumMessageSize") or 0) > quotas["sns.message_size"]:
        check_large_messages([one.protocol for one in current.subscriptions.values()], quotas)
    return changed


def _topic_attribute(name: str, value: str, fifo: bool, quotas: Quotas, creating: bool) -> str:
    def refuse(text: str) -> ServiceError:
        return invalid(f"Attributes Reason: {text}" if creating else "AttributeName")

    larger = quotas["sns.message_size_max"] > quotas["sns.message_size"]  # the attribute came with larger messages
    since = {"FifoTopic": creating, "FifoThroughputScope": quotas["sns.fifo_scope"], "MaximumMessageSize": larger}
    if name in _TOPIC and _TOPIC[name].only and not fifo:
        raise refuse(f"{name} is only supported for FIFO topics")
    if name not in _TOPIC or not since.get(name, True):
        raise refuse(f"Unknown attribute {name}")
    if name == "ArchivePolicy":
        raise NotSimulated("ArchivePolicy (archive and replay of FIFO topics) is not simulated")
    return clean(_TOPIC, name, value, quotas)


def check_large_messages(protocols: list[str], quotas: Quotas) -> None:
    """Topics that take more than 256 KiB have few subscriptions, of three protocols (API: SetTopicAttributes)."""
    few = quotas["sns.large_message_subscriptions"]
    if len(protocols) > few or not {*protocols} <= {"sqs", "lambda", "firehose"}:
        only = f"at most {few} subscriptions, each with the protocol sqs, firehose or lambda"
        raise invalid(f"MaximumMessageSize Reason: a topic with messages above 256 KiB has {only}")


# ---- subscriptions ---------------------------------------------------------------------------------------------------


def _filter(value: str, quotas: Quotas) -> str:
    try:
        return "" if read_json(value) == {} else value
    except ValueError:
        return value  # the filter's own parser says what is wrong with it


def _redrive(value: str, quotas: Quotas) -> str:
    try:
        policy = read_json(value)
    except ValueError as error:
        raise invalid(f"RedrivePolicy: {no_json(value, error)}") from None
    target = policy.get("deadLetterTargetArn") if isinstance(policy, dict) else None
    if not isinstance(target, str) or queue_arn(target) is None:
        raise invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
    return json.dumps({"deadLetterTargetArn": target}, separators=(",", ":"))


_SCOPES = choice("MessageAttributes", "MessageBody", must="Please use either MessageBody or MessageAttributes")
_SUBSCRIPTION = declare(
    Attribute("DeliveryPolicy", lambda value, quotas: check_delivery_policy(value, quotas, False), removable=True),
    Attribute("FilterPolicy", _filter, removable=True),
    Attribute("FilterPolicyScope", _SCOPES),
    Attribute("RawMessageDelivery", boolean),
    Attribute("RedrivePolicy", _redrive, removable=True),
    Attribute("SubscriptionRoleArn", matching(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", "Must be the ARN of a role.")),
)


def check_subscription_attributes(
    given: Mapping[str, str], subscription: Subscription, quotas: Quotas
) -> dict[str, str]:
    """The attributes in the form in which AWS returns them; an empty value removes one. Raises InvalidParameter."""
    changed = {name: _subscription_attribute(name, value, subscription, quotas) for name, value in given.items()}
    scope = changed.get("FilterPolicyScope") or subscription.scope
    policy = changed.get("FilterPolicy", subscription.attributes.get("FilterPolicy", ""))
    if policy and changed.keys() & {"FilterPolicy", "FilterPolicyScope"}:
        from lablib.services.sns.filters import FilterPolicy

        FilterPolicy.parse(policy, scope)
    return changed


def _subscription_attribute(name: str, value: str, subscription: Subscription, quotas: Quotas) -> str:
    if name == "ReplayPolicy":
        raise NotSimulated("ReplayPolicy (archive and replay of FIFO topics) is not simulated")
    if name not in _SUBSCRIPTION:
        raise invalid("AttributeName")
    protocol = subscription.protocol
    if name == "DeliveryPolicy" and value and protocol not in _WEB:
        raise invalid(f"DeliveryPolicy: Delivery protocol [{protocol}] does not support delivery policies")
    changed = clean(_SUBSCRIPTION, name, value, quotas)
    if name == "RawMessageDelivery" and changed == "true" and protocol not in ("sqs", "firehose", *_WEB):
        raise invalid(f"Delivery protocol [{protocol}] does not support raw message delivery.")
    if name == "SubscriptionRoleArn" and protocol != "firehose":
        raise invalid(f"Delivery protocol [{protocol}] does not support SubscriptionRoleArn.")
    if name == "RedrivePolicy" and changed:
        _check_dead_letter_queue(json.loads(changed)["deadLetterTargetArn"], subscription)
    return changed


def _check_dead_letter_queue(target: str, subscription: Subscription) -> None:
    topic, arn = subscription.topic, queue_arn(target)
    assert arn
    if (arn.region, arn.account) != (topic.world.region, subscription.owner):
        same = "must be in the same account and region as the subscription"
        raise invalid(f"RedrivePolicy: deadLetterTargetArn {same}")
    fifo = arn.resource.endswith(".fifo")
    if topic.fifo and subscription.endpoint.endswith(".fifo") and not fifo:
        raise invalid("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
    if not topic.fifo and fifo:
        raise invalid("RedrivePolicy: a FIFO queue cannot be the DLQ of a subscription to a standard topic")


def in_subscribe(error: ServiceError) -> ServiceError:
    """The error as Subscribe words it."""
    text = error.message.removeprefix("Invalid parameter: ")
    return invalid(f"Attributes Reason: {text}") if error.code == "InvalidParameter" else error
