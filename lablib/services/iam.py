"""AWS Identity and Access Management: roles, and the policies that say what they may do.

`cloud.client("sqs", role="worker")` calls as a session of the role `worker`, without AssumeRole. Changes
take effect at once; AWS's take seconds to spread. Errors and their texts: IAM API reference (2010-05-08) for the codes;
where AWS publishes no text, it is the one that users quote, followed by our reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID

from lablib.aws.access.decide import AccessRequest, MalformedPolicy, Policy, decide
from lablib.aws.access.identities import UnknownPrincipal, assumable, bound, identities
from lablib.aws.access.managed import MANAGED, SERVICE_ROLES
from lablib.aws.arn import partition_of
from lablib.aws.constraints import Rule, check
from lablib.aws.lists import Tags, page_of
from lablib.aws.quotas import quota
from lablib.aws.service import NotSimulated, Principal, Request, Service, ServiceError, Target, World

Document = dict[str, Any]
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # of unique ids
_QUOTAS = "IAM user guide: IAM and AWS STS quotas"
_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_AWS_OWN = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/[\w+=,.@/-]+")
_PATH = re.compile(r"/|/[!-~]*/")


@dataclass(eq=False, slots=True)
class Managed:
    """A managed policy: of AWS, or of the customer."""

    name: str
    arn: str
    id: str
    path: str
    created: float
    text: str
    policy: Policy
    description: str = ""
    tags: Tags = field(default_factory=Tags)


@dataclass(eq=False)
class Role:
    """A role: who may assume it, and what it may do."""

    name: str
    arn: str
    id: str
    path: str
    created: float
    trust_text: str
    trust: Policy
    description: str = ""
    max_session: int = 3600
    tags: Tags = field(default_factory=Tags)
    inline: dict[str, tuple[str, Policy]] = field(default_factory=dict)
    attached: dict[str, Managed] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()  # all of them

    def refresh(self) -> None:
        """Something was attached, or taken away."""
        self.policies = (*(policy for _, policy in self.inline.values()), *(m.policy for m in self.attached.values()))


class Iam(Service):
    """IAM of one account; the same in all regions."""

    name = "iam"
    throttle = ("Throttling", "Rate exceeded")
    access_denied = ("AccessDenied", 403)
    is_global = True
    quirks = {"policies are documents": ()}
    arn_parameter = "role_name"
    quotas = (
        quota("iam.roles", 1000, 1000, "roles", _QUOTAS),
        quota("iam.policies", 1500, 1500, "customer managed policies", _QUOTAS),
        quota("iam.policies_per_role", 10, 10, "managed policies", _QUOTAS),
        quota("iam.policy_size", 6_144, 6_144, "characters", _QUOTAS + " (managed policy)"),
        quota("iam.inline_size", 10_240, 10_240, "characters", _QUOTAS + " (all inline policies of a role)"),
        quota("iam.trust_size", 2_048, 2_048, "characters", _QUOTAS + " (role trust policy)"),
    )

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._roles: dict[str, Role] = {}
        self._managed: dict[str, Managed] = {}
        for name, actions in MANAGED.items():
            path = "/service-role/" if name in SERVICE_ROLES else "/"
            statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
            text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            self._add_managed(name, "aws", path, text, Policy.parse(text, kind="identity", name=name))

    def principal(self, role_name: str, session_name: str = "lab") -> Principal:
        """The caller that is a session of this role. Its policies are looked up at each call: they can change.

        Raises ValueError when there is no such role.
        """
        if role_name not in self._roles:
            known = ", ".join(self._roles) or "none"
            raise ValueError(
                f"role={role_name!r}: account {self.world.account} has no role with this name; there are: {known}"
            )
        account, role = self.world.account, self._roles[role_name]
        session = f"arn:{partition_of(self.world.region)}:sts::{account}:assumed-role/{role_name}/{session_name}"
        issued = self.date(self.now).strftime("%Y-%m-%dT%H:%M:%SZ")
        context = {"aws:userid": f"{role.id}:{session_name}", "aws:TokenIssueTime": issued}
        return Principal(account, session, role.arn, identity=lambda: self._policies_of(role), context=context)

    def session(self, role_arn: str, service: str) -> Principal | None:
        """The caller that is a session of the role with that ARN, assumed by an AWS service ("firehose.amazonaws.com").

        None when there is no such role, or its trust policy does not allow it.
        """
        role = next((role for role in self._roles.values() if role.arn == role_arn), None)
        if role is None:
            return None
        by = Principal(self.world.account, service=service)
        context = {"sts:ExternalId": self.world.account, "aws:SourceAccount": self.world.account}
        asked = ("sts:AssumeRole", role.arn, by, self.world.account, context, self.world.kernel.epoch + self.now)
        return self.principal(role.name) if decide(AccessRequest(*asked), role.trust) else None

    def _policies_of(self, role: Role) -> tuple[Policy, ...]:
        """The identity policies of a role; none when it was deleted, whoever has its name now."""
        return role.policies if self._roles.get(role.name) is role else ()

    def role(self, name: str) -> Role:
        """The role with that name. Raises NoSuchEntity."""
        if name not in self._roles:
            raise _no_such_entity(f"The role with name {name} cannot be found.")
        return self._roles[name]

    def target(self, operation: str, params: Document) -> Target:
        """Rights are asked on the role or policy."""
        name, arn = str(params.get("role_name") or params.get("policy_name") or ""), params.get("policy_arn")
        if "role_name" in params:
            role = self._roles.get(name)
            arn = role.arn if role else self._arn("role", params.get("path", "/"), name)
        elif "policy_name" in params:
            arn = self._arn("policy", params.get("path", "/"), name)
        resource = (name or str(arn or "")).split("/")[-1]
        return Target(resource, self.world.account, (f"iam:{operation}",), arn or "*")

    # ---- roles -------------------------------------------------------------------------------------------------------

    def create_role(
        self,
        request: Request,
        *,
        role_name: str,
        assume_role_policy_document: str,
        path: str = "/",
        description: str = "",
        max_session_duration: int = 3600,
        tags: list[Document] | None = None,
    ) -> Document:
        _check_name(role_name, "roleName", 64)
        _check_path(path)
        check("maxSessionDuration", max_session_duration, Rule(3600, 43_200), "ValidationError")
        if role_name.lower() in (name.lower() for name in self._roles):
            raise _error("EntityAlreadyExists", f"Role with name {role_name} already exists.", 409)
        self._check_quota(len(self._roles), "iam.roles", "RolesPerAccount")
        trust = self._parse(assume_role_policy_document, "trust", role_name, "iam.trust_size", "ACLSizePerRole")
        arn, id = self._arn("role", path, role_name), self._id("AROA")
        role = Role(role_name, arn, id, path, self.now, assume_role_policy_document, trust)
        role.description, role.max_session, role.tags = description, max_session_duration, Tags.read(tags)
        self._roles[role_name] = role
        identities(self.world)[arn], assumable(self.world)[arn] = id, self
        return {"Role": self._describe(role, full=False)}

    def get_role(self, request: Request, *, role_name: str) -> Document:
        return {"Role": self._describe(self.role(role_name))}

    def list_roles(
        self, request: Request, *, path_prefix: str = "/", marker: str | None = None, max_items: int = 100
    ) -> Document:
        found = sorted(name for name, role in self._roles.items() if role.path.startswith(path_prefix))
        return _page(found, "Roles", lambda name: self._describe(self._roles[name], full=False), marker, max_items)

    def delete_role(self, request: Request, *, role_name: str) -> Document:
        role = self.role(role_name)
        if role.attached:
            raise _error("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)
        if role.inline:
            raise _error("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
        del self._roles[role_name], identities(self.world)[role.arn], assumable(self.world)[role.arn]
        return {}

    def update_assume_role_policy(self, request: Request, *, role_name: str, policy_document: str) -> Document:
        role = self.role(role_name)
        role.trust = self._parse(policy_document, "trust", role_name, "iam.trust_size", "ACLSizePerRole")
        role.trust_text = policy_document
        return {}

    def _describe(self, role: Role, full: bool = True) -> Document:
        document = {
            "Path": role.path,
            "RoleName": role.name,
            "RoleId": role.id,
            "Arn": role.arn,
            "CreateDate": self.date(role.created),
            "AssumeRolePolicyDocument": quote(role.trust_text),
        }
        if full:
            document["MaxSessionDuration"] = role.max_session
            if role.description:
                document["Description"] = role.description
        if role.tags:
            document["Tags"] = role.tags.listed()
        return document

    # ---- policies in a role ------------------------------------------------------------------------------------------

    def put_role_policy(self, request: Request, *, role_name: str, policy_name: str, policy_document: str) -> Document:
        role = self.role(role_name)
        _check_name(policy_name, "policyName", 128)
        policy = self._parse(policy_document, "identity", policy_name)
        others = sum(_size(text) for name, (text, _) in role.inline.items() if name != policy_name)
        most = self.world.quotas["iam.inline_size"]
        if others + _size(policy_document) > most:
            text = f"Maximum policy size of {most} bytes exceeded for role {role_name}"
            raise _error("LimitExceeded", text, 409)
        role.inline[policy_name] = (policy_document, policy)
        role.refresh()
        return {}

    def get_role_policy(self, request: Request, *, role_name: str, policy_name: str) -> Document:
        text, _ = self._inline(self.role(role_name), policy_name)
        return {"RoleName": role_name, "PolicyName": policy_name, "PolicyDocument": quote(text)}

    def list_role_policies(
        self, request: Request, *, role_name: str, marker: str | None = None, max_items: int = 100
    ) -> Document:
        return _page(sorted(self.role(role_name).inline), "PolicyNames", str, marker, max_items)

    def delete_role_policy(self, request: Request, *, role_name: str, policy_name: str) -> Document:
        role = self.role(role_name)
        self._inline(role, policy_name)
        del role.inline[policy_name]
        role.refresh()
        return {}

    def _inline(self, role: Role, name: str) -> tuple[str, Policy]:
        if name not in role.inline:
            raise _no_such_entity(f"The role policy with name {name} cannot be found.")
        return role.inline[name]

    # ---- managed policies --------------------------------------------------------------------------------------------

    def create_policy(
        self,
        request: Request,
        *,
        policy_name: str,
        policy_document: str,
        path: str = "/",
        description: str = "",
        tags: list[Document] | None = None,
    ) -> Document:
        _check_name(policy_name, "policyName", 128)
        _check_path(path)
        if any(m.name.lower() == policy_name.lower() for m in self._customers()):
            text = f"A policy called {policy_name} already exists. Duplicate names are not allowed."
            raise _error("EntityAlreadyExists", text, 409)
        self._check_quota(len(self._customers()), "iam.policies", "PoliciesPerAccount")
        policy = self._parse(policy_document, "identity", policy_name, "iam.policy_size", "PolicySize")
        managed = self._add_managed(policy_name, self.world.account, path, policy_document, policy)
        managed.description, managed.tags = description, Tags.read(tags)
        return {"Policy": self._describe_managed(managed)}

    def get_policy(self, request: Request, *, policy_arn: str) -> Document:
        return {"Policy": self._describe_managed(self._find(policy_arn))}

    def get_policy_version(self, request: Request, *, policy_arn: str, version_id: str) -> Document:
        managed = self._find(policy_arn)
        if version_id != "v1":
            raise _no_such_entity(f"Policy {policy_arn} version {version_id} does not exist or is not attachable.")
        version = {"Document": quote(managed.text), "VersionId": "v1", "IsDefaultVersion": True}
        return {"PolicyVersion": version | {"CreateDate": self.date(managed.created)}}

    def list_policies(
        self, request: Request, *, scope: str = "All", marker: str | None = None, max_items: int = 100
    ) -> Document:
        wanted = {"All": list(self._managed.values()), "Local": self._customers()}.get(scope)
        if wanted is None:
            wanted = [m for m in self._managed.values() if m not in self._customers()]
        found = sorted(m.arn for m in wanted)
        return _page(found, "Policies", lambda a: self._describe_managed(self._managed[a]), marker, max_items)

    def delete_policy(self, request: Request, *, policy_arn: str) -> Document:
        managed = self._find(policy_arn)
        if managed not in self._customers():
            raise _error("AccessDenied", f"Policy {policy_arn} is AWS's: it cannot be deleted.", 403)
        if self._uses(managed):
            raise _error("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
        del self._managed[policy_arn]
        return {}

    def attach_role_policy(self, request: Request, *, role_name: str, policy_arn: str) -> Document:
        role, managed = self.role(role_name), self._managed.get(policy_arn)
        if managed is None and _AWS_OWN.fullmatch(policy_arn):
            raise NotSimulated(f"iam: AWS's policy {policy_arn} is not simulated: write its actions into a policy")
        if managed is None:
            raise _no_such_entity(f"Policy {policy_arn} does not exist or is not attachable.")
        if policy_arn not in role.attached:
            self._check_quota(len(role.attached), "iam.policies_per_role", "PoliciesPerRole")
        role.attached[policy_arn] = managed
        role.refresh()
        return {}

    def detach_role_policy(self, request: Request, *, role_name: str, policy_arn: str) -> Document:
        role = self.role(role_name)
        if policy_arn not in role.attached:
            raise _no_such_entity(f"Policy {policy_arn} was not found.")
        del role.attached[policy_arn]
        role.refresh()
        return {}

    def list_attached_role_policies(
        self,
        request: Request,
        *,
        role_name: str,
        path_prefix: str = "/",
        marker: str | None = None,
        max_items: int = 100,
    ) -> Document:
        attached = self.role(role_name).attached
        found = [arn for arn, managed in attached.items() if managed.path.startswith(path_prefix)]

        def describe(arn: str) -> Document:
            return {"PolicyName": attached[arn].name, "PolicyArn": arn}

        return _page(sorted(found), "AttachedPolicies", describe, marker, max_items)

    def _add_managed(self, name: str, account: str, path: str, text: str, policy: Policy) -> Managed:
        arn = f"arn:{partition_of(self.world.region)}:iam::{account}:policy{path}{name}"
        managed = self._managed[arn] = Managed(name, arn, self._id("ANPA"), path, self.now, text, policy)
        return managed

    def _customers(self) -> list[Managed]:
        return [m for m in self._managed.values() if m.arn.split(":")[4] != "aws"]

    def _find(self, arn: str) -> Managed:
        if arn not in self._managed and _AWS_OWN.fullmatch(arn):
            raise NotSimulated(f"iam: AWS's policy {arn} is not simulated: write its actions into a policy")
        if arn not in self._managed:
            raise _no_such_entity(f"Policy {arn} was not found.")
        return self._managed[arn]

    def _uses(self, managed: Managed) -> int:
        return sum(managed.arn in role.attached for role in self._roles.values())

    def _describe_managed(self, managed: Managed) -> Document:
        document = {
            "PolicyName": managed.name,
            "PolicyId": managed.id,
            "Arn": managed.arn,
            "Path": managed.path,
            "DefaultVersionId": "v1",
            "AttachmentCount": self._uses(managed),
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": True,
            "CreateDate": self.date(managed.created),
            "UpdateDate": self.date(managed.created),
        }
        if managed.description:
            document["Description"] = managed.description
        if managed.tags:
            document["Tags"] = managed.tags.listed()
        return document

    # ---- helpers -----------------------------------------------------------------------------------------------------

    def _arn(self, kind: str, path: str, name: str) -> str:
        return f"arn:{partition_of(self.world.region)}:iam::{self.world.account}:{kind}{path}{name}"

    def _id(self, prefix: str) -> str:
        """The next unique id: a prefix for what it is, and 17 letters and digits (user guide, "IAM identifiers")."""
        number = UUID(self.world.chance.uuid("iam")).int
        return prefix + "".join(_ALPHABET[number >> 5 * place & 31] for place in range(17))

    def _check_quota(self, count: int, name: str, title: str) -> None:
        most = self.world.quotas[name]
        if count >= most:
            raise _error("LimitExceeded", f"Cannot exceed quota for {title}: {most}", 409)

    def _parse(self, text: str, kind: Any, name: str, limit: str = "", title: str = "") -> Policy:
        try:
            policy = bound(Policy.parse(text, kind=kind, name=name), self.world)
        except UnknownPrincipal as error:
            text = f'Invalid principal in policy: "AWS":"{error.arn}"'
            raise _error("MalformedPolicyDocument", text) from None
        except MalformedPolicy as error:
            raise _error("MalformedPolicyDocument", f"Syntax errors in policy. {error}.") from None
        if limit:
            self._check_quota(_size(text) - 1, limit, title)
        return policy


def _error(code: str, message: str, status: int = 400) -> ServiceError:
    return ServiceError(code, message, status=status)


def _no_such_entity(message: str) -> ServiceError:
    return _error("NoSuchEntity", message, 404)


def _check_name(name: str, parameter: str, most: int) -> None:
    check(parameter, name, Rule(high=most), "ValidationError")
    if not _NAME.fullmatch(name):
        allowed = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
        raise ServiceError("ValidationError", f"The specified value for {parameter} is invalid. {allowed}")


def _check_path(path: str) -> None:
    if not _PATH.fullmatch(path):
        allowed = "It must begin and end with / and contain only alphanumeric characters and/or / characters."
        raise ServiceError("ValidationError", f"The specified value for path is invalid. {allowed}")


def _size(text: str) -> int:
    """IAM does not count white space in the size of a policy (IAM user guide, "IAM and AWS STS quotas")."""
    return len("".join(text.split()))


def _page(names: list[str], key: str, describe: Callable[[str], Any], marker: str | None, max_items: int) -> Document:
    wrong = ServiceError("InvalidInput", "Marker is not one that an earlier answer gave.")
    page, more = page_of(names, marker, max_items, wrong, into="Marker")
    return {key: [describe(name) for name in page], "IsTruncated": bool(more)} | more
