"""Access policies decide who may do what. Pure; the gateway asks for each call that policies are about.

Sources: IAM user guide, "Policy evaluation logic", "Cross-account policy evaluation logic", "Troubleshoot access denied
error messages"; KMS developer guide, "Key policies". `document` reads policies, `conditions` tests
their conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from lablib.aws.access.conditions import MalformedPolicy
from lablib.aws.access.document import ACCOUNT, NOBODY, SELF, AccessRequest, Policy, Statement
from lablib.aws.arn import partition_of
from lablib.aws.service import ADMINISTRATOR_ID, Principal

__all__ = ["AccessRequest", "Decision", "MalformedPolicy", "Policy", "administrator", "decide"]


class Cited(NamedTuple):
    """A statement, the policy it stands in, and what that policy is to the request, as IAM's texts call it."""

    source: str
    policy: Policy
    statement: Statement

    def __str__(self) -> str:
        return f"{self.statement} of {self.policy}"


class Source(NamedTuple):
    """The policies of one kind that a request meets."""

    name: str
    policies: tuple[Policy, ...]

    def denial(self, request: AccessRequest) -> Cited | None:
        for policy in self.policies:
            if policy.denials and (found := policy.denial(request)):
                return Cited(self.name, policy, found)
        return None

    def grant(self, request: AccessRequest) -> Cited | None:
        for policy in self.policies:
            if found := policy.grant(request):
                return Cited(self.name, policy, found)
        return None


def _closest(sources: Iterable[Source], request: AccessRequest) -> Cited | None:
    """Of the statements that allow something else, the one of which most elements fit the request."""

    def distance(cited: Cited) -> tuple[int, int]:
        misfits = [element.removeprefix("Not") for element in cited.statement.misfits(request)]
        return len(misfits), -_ORDER.index(misfits[0])

    candidates = [
        Cited(source.name, policy, s) for source in sources for policy in source.policies for s in policy.grants
    ]
    return min((cited for cited in candidates if not cited.statement.applies(request)), key=distance, default=None)


_ORDER = ("Principal", "Action", "Resource", "Condition")


_RESOURCE, _IDENTITY, _TRUST = "resource-based policy", "identity-based policy", "role trust policy"
_SESSION = "session policy"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is allowed: its truth value. `cited` are the statements that allow it, or the one that denies
    it; `missing` is the sort of policy that ought to allow it and does not."""

    request: AccessRequest
    allowed: bool
    cited: tuple[Cited, ...] = ()
    missing: Source | None = None
    alternatives: tuple[Source, ...] = ()  # where an Allow would have been enough

    def __bool__(self) -> bool:
        return self.allowed

    def message(self) -> str:
        """What the caller reads; empty when the request is allowed. The wording is from IAM's user guide, "Troubleshoot
        access denied error messages"."""
        if self.allowed:
            return ""
        request = self.request
        on = "" if request.resource == "*" else f" on resource: {request.resource}"
        text = f"User: {request.who} is not authorized to perform: {request.action}{on}"
        if self.missing:
            return f"{text} because no {self.missing.name} allows the {request.action} action"
        source = self.cited[0].source
        article = "the" if source == _TRUST else "an" if source == _IDENTITY else "a"
        return f"{text} with an explicit deny in {article} {source}"

    def explain(self) -> str:
        """Which statement of which policy decided, and why; when none allows it, what came closest."""
        request = self.request
        verb = "may" if self.allowed else "may not"
        lines = [f"{request.who} {verb} {request.action} on {request.resource}."]
        for cited in self.cited:
            why = "allows it." if cited.statement.allows else "denies it, and a Deny wins over every Allow."
            lines.append(f"{cited} {why}")
        lines += self._why_missing() if self.missing else ()
        return "\n".join(line[0].upper() + line[1:] if line[:2] == "st" else line for line in lines)

    def _why_missing(self) -> Iterator[str]:
        request, missing = self.request, self.missing
        assert missing
        of = f" of {request.who}" if missing.name == _IDENTITY else ""
        yield f"No {missing.name}{of} allows it." if missing.policies else f"There is no {missing.name}{of}."
        if missing.name == _RESOURCE and request.principal.service:
            yield "An AWS service has no policies of its own: the resource's policy must let it in."
        elif request.principal.account != request.owner:
            yield f"The resource belongs to account {request.owner}: policies of both accounts must allow it."
        for source in self.alternatives:
            if (trusting := source.grant(request)) and missing.name == _IDENTITY:
                yield f"{trusting} trusts the whole account, which must allow it in an identity-based policy too."
        if near := _closest((missing, *self.alternatives), request):
            yield f"Closest is {near}, but {near.statement.why_not(request)}."


def decide(request: AccessRequest, resource_policy: Policy | None = None, *, session: Policy | None = None) -> Decision:
    """Evaluate all policies that the request meets, in AWS's order.

    `resource_policy` is that of the resource, the identity policies are those of the caller; a `session` policy can
    only limit. An explicit deny anywhere wins. In one account an Allow of the identity or of the resource is enough,
    but the policy of a KMS key and the trust policy of a role must always allow; between accounts both sides must. An
    AWS service has no identity policies. Nobody here has a permissions boundary or a service control policy.
    """
    caller = request.principal
    kind = resource_policy.kind if resource_policy else "resource"
    resource = Source(_TRUST if kind == "trust" else _RESOURCE, (resource_policy,) if resource_policy else ())
    identity = Source(_IDENTITY, caller.identity())
    limit = Source(_SESSION, (session,)) if session else None
    for source in (resource, identity, limit) if limit else (resource, identity):
        if source and (denial := source.denial(request)):
            return Decision(request, False, (denial,))
    within = caller.account == request.owner and not caller.service
    own = identity.grant(request)
    needs_both = not within or kind in ("key", "trust")
    if own and not needs_both and not limit:
        return Decision(request, True, (own,))
    let_in = resource.grant(request)
    level = let_in.statement.means(request) if let_in else NOBODY
    if level == NOBODY and needs_both and (own or within or caller.service):
        return Decision(request, False, missing=resource)
    if let_in and (caller.service or (within and level == SELF)):
        return Decision(request, True, (let_in,))
    if own is None and (level <= ACCOUNT or not within):
        return Decision(request, False, missing=identity, alternatives=(resource,) if within else ())
    if limit and not limit.grant(request):
        return Decision(request, False, missing=limit)
    return Decision(request, True, tuple(cited for cited in (let_in, own) if cited))


@lru_cache
def administrator(account: str, region: str = "us-east-1") -> Principal:
    """The principal of calls to a region without a role: a user who may do everything in the account."""
    text = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    everything = (Policy.parse(text, kind="identity", name="AdministratorAccess"),)
    known = {"aws:userid": ADMINISTRATOR_ID}
    arn = f"arn:{partition_of(region)}:iam::{account}:user/administrator"
    return Principal(account, arn, identity=lambda: everything, context=known)
