"""AddPermission and RemovePermission of queues and topics: they write statements into the resource's policy. And the
policy that lets a service in.

From then on the statement decides, as any other of the policy does. It cannot name single users or roles, nor carry
conditions; the attribute Policy can. (SQS and SNS API references, AddPermission.) The form of a
statement was recorded from AWS: one a label.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lablib.aws.arn import Arn, root_of


def let_in(service: str, action: str, resource: str, source: str) -> str:
    """The policy (JSON) of a resource that lets an AWS service do an action for the topic or bucket with ARN `source`.
    All are ARNs but the first two: "sns.amazonaws.com", "sqs:SendMessage".
    """
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class LabelError(ValueError):
    """There is a statement with this label already, or none to remove."""


def is_account(text: str) -> bool:
    """Is it the number of an AWS account?"""
    return re.fullmatch("[0-9]{12}", text) is not None


def add_permission(policy: str, resource: str, label: str, accounts: list[str], actions: list[str]) -> str:
    """The policy (JSON) with one more statement: these accounts may do these actions on the resource with that ARN.

    Raises LabelError when a statement has this label.
    """
    document, statements = _read(policy)
    if any(statement.get("Sid") == label for statement in statements):
        raise LabelError(label)
    region = arn.region if (arn := Arn.parse(resource)) else ""
    added = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([root_of(account, region) for account in accounts])},
        "Action": _one_or_all(actions),
        "Resource": resource,
    }
    return json.dumps(document | {"Statement": [*statements, added]})


def remove_permission(policy: str, label: str) -> str:
    """The policy without the statement of that label; empty when none is left. Raises LabelError when there is none."""
    document, statements = _read(policy)
    left = [statement for statement in statements if statement.get("Sid") != label]
    if len(left) == len(statements):
        raise LabelError(label)
    return json.dumps(document | {"Statement": left}) if left else ""


def _read(policy: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    document = json.loads(policy)
    statements = document.get("Statement", [])
    return document, statements if isinstance(statements, list) else [statements]


def _one_or_all(values: list[str]) -> str | list[str]:
    return values if len(values) > 1 else values[0]
