"""Permissions on a topic: AddPermission and RemovePermission write statements into its policy."""

from __future__ import annotations

import json
import re

from lablib.services.sns.attributes import check_actions
from lablib.services.sns.checks import Document, invalid
from lablib.services.sns.topics import Topic


def grant(topic: Topic, label: str, accounts: list[str], actions: list[str]) -> str:
    """The topic's policy with one more statement. Raises InvalidParameter."""
    policy = _policy(topic)
    if any(statement.get("Sid") == label for statement in policy["Statement"]):
        raise invalid("Statement already exists")
    named = [f"SNS:{action}" for action in actions]
    check_actions(named)
    for account in accounts:
        if not re.fullmatch("[0-9]{12}", account):
            raise invalid(f"AWSAccountId Reason: {account} is not the number of an account, twelve digits")
    if not label or not accounts or not actions:
        raise invalid("Label, AWSAccountId and ActionName must not be empty")
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{account}:root" for account in accounts])},
            "Action": _one_or_all(named),
            "Resource": topic.arn,
        }
    )
    return json.dumps(policy)


def revoke(topic: Topic, label: str) -> str:
    """The topic's policy without the statement of that label; it may be that there is none (assumed)."""
    policy = _policy(topic)
    left = [statement for statement in policy["Statement"] if statement.get("Sid") != label]
    if len(left) == len(policy["Statement"]):
        return topic.attributes.get("Policy", "")
    return json.dumps(policy | {"Statement": left}) if left else ""


def _policy(topic: Topic) -> Document:
    policy: Document = json.loads(topic.policy_text)
    statements = policy["Statement"]
    return policy | {"Statement": statements if isinstance(statements, list) else [statements]}


def _one_or_all(values: list[str]) -> str | list[str]:
    return values if len(values) > 1 else values[0]
