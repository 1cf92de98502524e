"""AWS Security Token Service: who am I?"""

from __future__ import annotations

from typing import Any

from lablib.aws.access.decide import Policy, administrator
from lablib.aws.service import Access, Request, Service

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

    def access(self, operation: str, params: dict[str, Any]) -> Access:
        """GetCallerIdentity needs no permissions (STS API reference)."""
        return Access(f"sts:{operation}", "*", _ANYBODY)

    def get_caller_identity(self, request: Request) -> dict[str, Any]:
        caller = request.principal or administrator(self.world.account)
        return {"UserId": caller.context["aws:userid"], "Account": caller.account, "Arn": caller.arn}
