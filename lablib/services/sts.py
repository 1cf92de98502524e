"""AWS Security Token Service: who am I?"""

from __future__ import annotations

from typing import Any

from lablib.aws.access.decide import Policy, administrator
from lablib.aws.service import Request, Service, Target

_ANYBODY = Policy.parse(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}},
    name="STS",
)


class Sts(Service):
    """STS; the same in all regions."""

    name = "sts"
    throttle = ("Throttling", "Rate exceeded")
    access_denied = ("AccessDenied", 403)
    is_global = True

    def target(self, operation: str, params: dict[str, Any]) -> Target:
        """GetCallerIdentity needs no permissions (STS API reference)."""
        return Target("", self.world.account, (f"sts:{operation}",), policy=_ANYBODY)

    def get_caller_identity(self, request: Request) -> dict[str, Any]:
        caller = request.principal or administrator(self.world.account)
        return {"UserId": caller.context["aws:userid"], "Account": caller.account, "Arn": caller.arn}
