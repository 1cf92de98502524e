"""AWS Security Token Service: who am I, and sessions of roles.

A program that calls AssumeRole makes clients with the credentials of the answer: `boto3.client("sqs",
aws_access_key_id=..., ...)` inside a process, or `cloud.client(...)`. Sources: STS API reference (2011-06-15).
"""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import shake_256
from typing import Any

from lablib.aws.access.decide import Policy, administrator
from lablib.aws.access.identities import assumable, sessions
from lablib.aws.arn import Arn
from lablib.aws.service import Request, Service, ServiceError, Target, World

_ANYBODY = Policy.parse(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}},
    name="STS",
)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


class Sts(Service):
    """STS; the same in all regions."""

    name = "sts"
    throttle = ("Throttling", "Rate exceeded")
    access_denied = ("AccessDenied", 403)
    is_global = True

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.has_policies = True  # the trust policies of roles

    def target(self, operation: str, params: dict[str, Any]) -> Target:
        """GetCallerIdentity needs no permissions (STS API reference); a role says who may assume it."""
        arn = str(params.get("role_arn", ""))
        if operation != "AssumeRole":
            return Target("", self.world.account, (f"sts:{operation}",), policy=_ANYBODY)
        iam, parts = assumable(self.world).get(arn), Arn.parse(arn)
        name, owner = arn.rpartition("/")[2], parts.account if parts else self.world.account
        trust = iam.role(name).trust if iam else None
        context = {"sts:RoleSessionName": params.get("role_session_name", "")}
        if params.get("external_id"):
            context["sts:ExternalId"] = params["external_id"]
        return Target(name, owner, ("sts:AssumeRole",), arn, trust, iam is not None, context)

    def get_caller_identity(self, request: Request) -> dict[str, Any]:
        caller = request.principal or administrator(self.world.account, self.world.region)
        return {"UserId": caller.context["aws:userid"], "Account": caller.account, "Arn": caller.arn}

    def assume_role(
        self,
        request: Request,
        *,
        role_arn: str,
        role_session_name: str,
        duration_seconds: int = 3600,
        external_id: str = "",
    ) -> dict[str, Any]:
        caller = request.principal or administrator(self.world.account, self.world.region)
        iam = assumable(self.world).get(role_arn)
        if iam is None:
            text = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            raise ServiceError("AccessDenied", text, status=403)
        if not _SESSION_NAME.fullmatch(role_session_name):
            must = "Member must satisfy regular expression pattern: [\\w+=,.@-]*"
            problem = f"Value '{role_session_name}' at 'roleSessionName' failed to satisfy constraint: {must}"
            raise ServiceError("ValidationError", f"1 validation error detected: {problem}")
        role = iam.role(role_arn.rpartition("/")[2])
        if not 900 <= duration_seconds <= role.max_session:
            text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise ServiceError("ValidationError", text)
        session = iam.principal(role.name, role_session_name)
        session = replace(session, expires=self.now + duration_seconds)
        secret = shake_256(self.world.chance.uuid("sts/credentials").encode()).hexdigest(120)
        key = "ASIA" + secret[:16].upper()
        sessions(self.world)[key] = session
        return {
            "Credentials": {
                "AccessKeyId": key,
                "SecretAccessKey": secret[16:56],
                "SessionToken": secret[56:],
                "Expiration": self.date(session.expires),
            },
            "AssumedRoleUser": {"AssumedRoleId": session.context["aws:userid"], "Arn": session.arn},
        }
