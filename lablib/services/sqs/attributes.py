"""Attributes of queues, checked as AWS checks them.

Source: SQS API reference (CreateQueue, SetQueueAttributes). The tests say which error texts were recorded from AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from lablib.aws.arn import Arn
from lablib.aws.attributes import Attribute, Quotas, Unfit, anything, boolean, choice, declare, integer, json_map
from lablib.aws.service import ServiceError, World
from lablib.services.sqs.errors import bad_parameter, bad_value, unknown_attribute

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")  # of a queue, a permission
_COMPUTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)


class RedrivePolicy(NamedTuple):
    """Where messages go that were received more than `max_receive_count` times: the queue with the ARN `target`."""

    target: str
    max_receive_count: int


# ---- documents in attributes -----------------------------------------------------------------------------------------


def _policy(value: str, quotas: Quotas) -> str:
    from lablib.aws.access.decide import MalformedPolicy, Policy

    try:
        Policy.parse(value)
    except MalformedPolicy as error:
        raise Unfit(f" Reason: {error}.") from None
    return value


def check_principals(policy: str | None, world: World) -> None:
    """Raise InvalidAttributeValue when a queue's policy names a role or user that does not exist (text as reported)."""
    if policy:
        from lablib.aws.access.decide import Policy
        from lablib.aws.access.identities import UnknownPrincipal, bound

        try:
            bound(Policy.parse(policy), world)
        except UnknownPrincipal:
            raise ServiceError("InvalidAttributeValue", "Invalid value for the parameter Policy.") from None


def _redrive_policy(value: str, quotas: Quotas) -> str:
    def refuse(reason: str) -> ServiceError:
        return bad_value(value, "RedrivePolicy", reason)

    policy = json_map(value)
    if policy is None:
        raise refuse("Redrive policy is not a valid JSON map.")
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if name not in policy:
            raise refuse(f"Redrive policy does not contain mandatory attribute: {name}.")
    target, highest = policy["deadLetterTargetArn"], quotas["sqs.max_receive_count_max"]
    arn = Arn.parse(target) if isinstance(target, str) else None
    if arn is None or arn.service != "sqs":
        raise refuse("Invalid value for deadLetterTargetArn.")
    given = str(policy["maxReceiveCount"])
    if not re.fullmatch(r"[0-9]{1,9}", given) or not 1 <= int(given) <= highest:
        valid = f"valid values are from 1 to {highest} both inclusive."
        raise refuse(f"Invalid value for maxReceiveCount: {given}, {valid}")
    return json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": int(given)}, separators=(",", ":"))


def _redrive_allow_policy(value: str, quotas: Quotas) -> str:
    def refuse(reason: str) -> ServiceError:
        return bad_value(value, "RedriveAllowPolicy", reason)

    policy = json_map(value)
    if policy is None:
        raise refuse("Redrive allow policy is not a valid JSON map.")
    permission, sources = policy.get("redrivePermission"), policy.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise refuse("redrivePermission must be one of allowAll, denyAll, byQueue.")
    if (permission == "byQueue") != (sources is not None):
        raise refuse("sourceQueueArns must be given with redrivePermission byQueue, and only then.")
    if sources is not None and not (isinstance(sources, list) and 1 <= len(sources) <= quotas["sqs.redrive_sources"]):
        raise refuse(f"sourceQueueArns must be a list of 1 to {quotas['sqs.redrive_sources']} ARNs.")
    return json.dumps(policy, separators=(",", ":"))


ATTRIBUTES = declare(
    Attribute("DelaySeconds", integer(0, "sqs.delay_max"), "sqs.delay"),
    Attribute("MaximumMessageSize", integer(1024, "sqs.message_size"), "sqs.message_size"),
    Attribute("MessageRetentionPeriod", integer(60, "sqs.retention_max"), "sqs.retention"),
    Attribute("ReceiveMessageWaitTimeSeconds", integer(0, "sqs.wait_max"), "sqs.wait"),
    Attribute("VisibilityTimeout", integer(0, "sqs.visibility_max"), "sqs.visibility"),
    Attribute("KmsDataKeyReusePeriodSeconds", integer(60, "sqs.data_key_reuse_max")),
    Attribute("Policy", _policy, removable=True),
    Attribute("RedrivePolicy", _redrive_policy, removable=True),
    Attribute("RedriveAllowPolicy", _redrive_allow_policy, removable=True),
    Attribute("KmsMasterKeyId", anything, removable=True),
    Attribute("SqsManagedSseEnabled", boolean, "sqs.managed_sse", removable=True),
    Attribute("FifoQueue", choice("true"), "true", only="fifo"),
    Attribute("ContentBasedDeduplication", boolean, "false", only="fifo"),
    Attribute("DeduplicationScope", choice("queue", "messageGroup"), "queue", only="fifo"),
    Attribute("FifoThroughputLimit", choice("perQueue", "perMessageGroupId"), "perQueue", only="fifo"),
)
QUEUE_ATTRIBUTES = ("All", *_COMPUTED, *ATTRIBUTES)


# ---- the attributes of a queue ---------------------------------------------------------------------------------------


def check_name(name: str, fifo: bool = False) -> None:
    """Raise InvalidParameterValue unless `name` may be the name of a queue of this type."""
    if not fifo and not NAME.fullmatch(name):
        raise bad_parameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
    if fifo and not (name.endswith(".fifo") and NAME.fullmatch(name[:-5]) and len(name) <= 80):
        raise bad_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
            "must end with .fifo suffix and be 1 to 80 in length."
        )


def check_attributes(
    attributes: Mapping[str, str], quotas: Quotas, fifo: bool = False, current: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The attributes in the form in which AWS returns them; an empty value means: remove.

    `current` are those the queue has. Raises InvalidAttributeName, InvalidAttributeValue or InvalidParameterValue, as
    AWS does.
    """
    if attributes.get("KmsMasterKeyId") and attributes.get("SqsManagedSseEnabled", "").lower() == "true":
        one = "You can use one type of server-side encryption (SSE) at one time."
        raise ServiceError("InvalidAttributeName", f"{one} You can either enable KMS SSE or SQS SSE.")
    clean = {name: _clean(name, value, quotas, fifo) for name, value in attributes.items()}
    if clean.get("KmsMasterKeyId"):
        clean["SqsManagedSseEnabled"] = "false"
    elif "KmsMasterKeyId" in clean:
        clean["KmsDataKeyReusePeriodSeconds"] = ""  # goes with its key (recorded)
    elif clean.get("SqsManagedSseEnabled") == "true":
        clean["KmsMasterKeyId"] = ""
    both = {**(current or {}), **clean}
    if both.get("FifoThroughputLimit") == "perMessageGroupId" and both.get("DeduplicationScope") != "messageGroup":
        reason = " Reason: perMessageGroupId is allowed only when DeduplicationScope is messageGroup."
        raise _bad_attribute("FifoThroughputLimit", reason)
    return clean


def check_same(current: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Raise QueueNameExists unless a queue with the attributes `current` has all that are given."""
    for name, value in given.items():
        if current.get(name, "") != value:
            text = f"A queue already exists with the same name and a different value for attribute {name}"
            raise ServiceError("QueueNameExists", text, code="QueueAlreadyExists")


def _clean(name: str, value: str, quotas: Quotas, fifo: bool) -> str:
    attribute = ATTRIBUTES.get(name)
    if name in ("DeduplicationScope", "FifoThroughputLimit") and not fifo:
        raise ServiceError("InvalidAttributeName", f"You can specify the {name} only when FifoQueue is set to true.")
    if attribute is None or (attribute.only and not fifo):
        raise unknown_attribute(name)
    try:
        return attribute.clean(value, quotas)
    except Unfit as unfit:
        reason = " Reason: Modifying queue type is not supported." if name == "FifoQueue" else ""
        raise _bad_attribute(name, str(unfit) if name == "Policy" else reason) from None


def _bad_attribute(name: str, reason: str = "") -> ServiceError:
    return ServiceError("InvalidAttributeValue", f"Invalid value for the parameter {name}.{reason}")


def parse_redrive_policy(value: str | None) -> RedrivePolicy | None:
    """The policy in a queue's attribute RedrivePolicy; None without one."""
    policy = json_map(value or "")
    return policy and RedrivePolicy(policy["deadLetterTargetArn"], policy["maxReceiveCount"])  # type: ignore[return-value]


def allows_source(value: str | None, source: str) -> bool:
    """May the queue with the ARN `source` use as its dead-letter queue the one whose RedriveAllowPolicy is `value`?"""
    policy = json_map(value or "") or {"redrivePermission": "allowAll"}
    return policy["redrivePermission"] == "allowAll" or source in policy.get("sourceQueueArns", ())
