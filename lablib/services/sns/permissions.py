"""Permissions on a topic: AddPermission and RemovePermission write statements into its policy."""

from __future__ import annotations

from lablib.aws.permissions import LabelError, add_permission, is_account, remove_permission
from lablib.services.sns.attributes import check_actions
from lablib.services.sns.checks import invalid
from lablib.services.sns.topics import Topic


def grant(topic: Topic, label: str, accounts: list[str], actions: list[str]) -> str:
    """The topic's policy with one more statement. Raises InvalidParameter."""
    named = [f"SNS:{action}" for action in actions]
    try:
        policy = add_permission(topic.policy_text, topic.arn, label, accounts or [""], named or [""])
    except LabelError:
        raise invalid("Statement already exists") from None
    check_actions(named)
    for account in accounts:
        if not is_account(account):
            raise invalid(f"AWSAccountId Reason: {account} is not the number of an account, twelve digits")
    if not label or not accounts or not actions:
        raise invalid("Label, AWSAccountId and ActionName must not be empty")
    return policy


def revoke(topic: Topic, label: str) -> str:
    """The topic's policy without the statement of that label. Without such a statement it stays as it is (assumed)."""
    try:
        return remove_permission(topic.policy_text, label)
    except LabelError:
        return topic.attributes.get("Policy", "")
