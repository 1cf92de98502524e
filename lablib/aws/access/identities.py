"""The roles and users that policies may name.

A policy that names a role by its ARN means the role that has this ARN now: it stands for the role's unique id, so that
a role which is deleted and made again has no access. A role or user that does not exist is refused. (IAM user guide,
"AWS JSON policy elements: Principal", "IAM role principals".)
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from lablib.aws.access.document import Policy, Statement
from lablib.aws.service import Principal, World

_SESSION = re.compile(r"arn:([^:]+):sts::(\d{12}):assumed-role/([^/]+)/.*")


class UnknownPrincipal(ValueError):
    """A policy names a role or a user that does not exist. `arn` is that ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"there is no {arn}")
        self.arn = arn


def identities(world: World) -> dict[str, str]:
    """The roles of all accounts of a cloud: the unique id of each by its ARN. IAM keeps it."""
    known: dict[str, str] = world.shared.setdefault("identities", {})
    return known


def assumable(world: World) -> dict[str, Any]:
    """The IAM of the account in which a role is, by the role's ARN."""
    known: dict[str, Any] = world.shared.setdefault("roles", {})
    return known


def sessions(world: World) -> dict[str, Principal]:
    """The sessions of roles that were assumed, by the id of their access key."""
    known: dict[str, Principal] = world.shared.setdefault("sessions", {})
    return known


def bound(policy: Policy, world: World) -> Policy:
    """The same policy, in which each role means the one that exists now. Raises UnknownPrincipal."""
    known = identities(world)
    if not any(statement.who and statement.who.aws for statement in policy.statements):
        return policy
    return replace(policy, statements=tuple(_bound(statement, known) for statement in policy.statements))


def _bound(statement: Statement, known: dict[str, str]) -> Statement:
    if statement.who is None:
        return statement
    ids = []
    for arn in statement.who.aws:
        if arn in known:
            ids.append((arn, known[arn]))
        elif arn != "*" and not _may_stand(arn, known):
            raise UnknownPrincipal(arn)
    return replace(statement, who=replace(statement.who, ids=tuple(ids))) if ids else statement


def _may_stand(arn: str, known: dict[str, str]) -> bool:
    """Each account has its root and one user, the administrator; a session needs its role (whatever its path)."""
    if session := _SESSION.fullmatch(arn):
        start = f"arn:{session[1]}:iam::{session[2]}:role/"
        return any(one.startswith(start) and one.rpartition("/")[2] == session[3] for one in known)
    return arn.isdecimal() or ":federated-user/" in arn or arn.endswith(":user/administrator")
