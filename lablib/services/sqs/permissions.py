"""Permissions on a queue: AddPermission and RemovePermission write statements into its policy.

From then on the statement decides, as any other of the policy does. It cannot name single users or roles, nor carry
conditions: whoever needs that writes the attribute Policy (SQS API reference, AddPermission). The form of the document
was recorded from AWS: version 2008-10-17, one statement a label.
"""

from __future__ import annotations

import json
import re

from lablib.aws.access.decide import Policy
from lablib.aws.service import ServiceError
from lablib.services.sqs.attributes import NAME, Document, bad_value, missing
from lablib.services.sqs.base import AnyQueue

_GRANTABLE = (
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
)

_OWNER_ONLY = (  # no policy lets another account do these (SQS API reference, AddPermission)
    "AddPermission",
    "CreateQueue",
    "DeleteQueue",
    "ListQueueTags",
    "ListQueues",
    "RemovePermission",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
)


def policy_for(operation: str, queue: AnyQueue, account: str) -> Policy | None:
    """What the queue's policy says on that operation: for some nothing beyond the `account` that owns the queue."""
    policy = queue.policy
    return policy.only_within(account) if policy and operation in _OWNER_ONLY else policy


def grant(queue: AnyQueue, label: str, accounts: list[str], actions: list[str]) -> str:
    """The queue's policy with one more statement. Raises InvalidParameterValue, MissingParameter, OverLimit."""
    policy = _policy(queue)
    _check(label, accounts, actions, queue.world.quotas["sqs.policy_actions"])
    if any(statement.get("Sid") == label for statement in policy["Statement"]):
        raise bad_value(label, "Label", "Already exists.")
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{account}:root" for account in accounts])},
            "Action": _one_or_all([f"SQS:{action}" for action in actions]),
            "Resource": queue.arn,
        }
    )
    return json.dumps(policy)


def revoke(queue: AnyQueue, label: str) -> str:
    """The queue's policy without the statement of that label; empty when none is left."""
    policy = _policy(queue)
    left = [statement for statement in policy["Statement"] if statement.get("Sid") != label]
    if len(left) == len(policy["Statement"]):
        raise bad_value(label, "Label", "can't find label.")
    return json.dumps(policy | {"Statement": left}) if left else ""


def _policy(queue: AnyQueue) -> Document:
    text = queue.attributes.get("Policy")
    policy: Document = json.loads(text) if text else {"Version": "2008-10-17", "Id": f"{queue.arn}/{queue.name}"}
    statements = policy.get("Statement", [])
    return policy | {"Statement": statements if isinstance(statements, list) else [statements]}


def _one_or_all(values: list[str]) -> str | list[str]:
    return values if len(values) > 1 else values[0]


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
        if not re.fullmatch("[0-9]{12}", account):
            raise bad_value(account, "PrincipalId", "Unable to verify.")
