"""Permissions on a queue: which may be granted, and which rights no policy can give to another account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lablib.aws.permissions import LabelError, add_permission, is_account, remove_permission
from lablib.aws.service import ServiceError
from lablib.services.sqs.attributes import NAME
from lablib.services.sqs.base import AnyQueue
from lablib.services.sqs.errors import bad_value, missing

if TYPE_CHECKING:
    from lablib.aws.access.decide import Policy

_GRANTABLE = (
    "*", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
    "ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage",
)  # fmt: skip

_OWNER_ONLY = (  # no policy lets another account do these (SQS API reference, AddPermission)
    "AddPermission", "CreateQueue", "DeleteQueue", "ListQueueTags", "ListQueues", "RemovePermission",
    "SetQueueAttributes", "TagQueue", "UntagQueue",
)  # fmt: skip


def policy_for(operation: str, queue: AnyQueue, account: str) -> Policy | None:
    """The queue's policy for that operation; some can only be granted within the `account` that owns the queue."""
    policy = queue.policy
    return policy.only_within(account) if policy and operation in _OWNER_ONLY else policy


def grant(queue: AnyQueue, label: str, accounts: list[str], actions: list[str]) -> str:
    """The queue's policy with one more statement. Raises InvalidParameterValue, MissingParameter, OverLimit."""
    _check(label, accounts, actions, queue.world.quotas["sqs.policy_actions"])
    try:
        return add_permission(_policy(queue), queue.arn, label, accounts, [f"SQS:{action}" for action in actions])
    except LabelError:
        raise bad_value(label, "Label", "Already exists.") from None


def revoke(queue: AnyQueue, label: str) -> str:
    """The queue's policy without the statement of that label; empty when none is left."""
    try:
        return remove_permission(_policy(queue), label)
    except LabelError:
        raise bad_value(label, "Label", "can't find label.") from None


def _policy(queue: AnyQueue) -> str:
    """Recorded from AWS: AddPermission creates policies of version 2008-10-17."""
    new = {"Version": "2008-10-17", "Id": f"{queue.arn}/{queue.name}"}
    return queue.shown.get("Policy") or json.dumps(new)


def _check(label: str, accounts: list[str], actions: list[str], most: int) -> None:
    if not NAME.fullmatch(label):
        raise bad_value(label, "Label", "Must be 1 to 80 alphanumeric characters, hyphens, or underscores.")
    if not accounts:
        raise missing("AWSAccountIds")
    if not actions:
        raise missing("Actions")
    if len(actions) > most:
        raise ServiceError("OverLimit", f"{len(actions)} Actions were found, maximum allowed is {most}.", status=403)
    for action in actions:
        if action not in _GRANTABLE:
            raise bad_value(f"SQS:{action}", "ActionName", "Only the queue owner is allowed to invoke this action.")
    for account in accounts:
        if not is_account(account):
            raise bad_value(account, "PrincipalId", "Unable to verify.")
