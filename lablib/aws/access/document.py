"""The documents of access policies: what they say, how they are read, and which requests a statement fits.

Sources: IAM user guide, "IAM JSON policy element reference", "AWS JSON policy elements: Principal", "Global condition
context keys".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from lablib.aws.access.conditions import Condition, Keys, MalformedPolicy, parse_conditions, pattern, quoted
from lablib.aws.dates import moment
from lablib.aws.documents import TooDeep, read_json
from lablib.aws.service import Principal

Kind = Literal["resource", "identity", "trust", "key"]
_VERSIONS = ("2012-10-17", "2008-10-17")
_TOP = ("Version", "Id", "Statement")
_ELEMENTS = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)

# How directly a resource's policy names a caller. A grant to a whole account leaves the choice among its users and
# roles to that account's own policies. A grant to a user or a session by its own ARN is not limited by what a session
# policy does not allow; a grant to a role's ARN, or to everybody, is.
NOBODY, ACCOUNT, ROLE, SELF = range(4)


# ---- a request ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AccessRequest:
    """What is to be decided: may `principal` do `action` on `resource`, which account `owner` owns?

    `context` are the condition keys known of the request, each with its value or a list of values; `now` is the time in
    seconds since 1970.
    """

    action: str
    resource: str
    principal: Principal
    owner: str
    context: Mapping[str, Any] = field(default_factory=dict)
    now: float | None = None

    @property
    def who(self) -> str:
        """The caller as AWS's texts name it."""
        return self.principal.arn or self.principal.service or f"arn:aws:iam::{self.principal.account}:root"

    @cached_property
    def keys(self) -> Keys:
        """All condition keys, in lower case: their names are not case-sensitive."""
        return _Keys(self)


class _Keys(dict[str, tuple[str, ...]]):
    """The condition keys of a request: those of its context, and those that every request has, made when asked for."""

    def __init__(self, request: AccessRequest) -> None:
        for name, value in request.context.items():
            self[name.lower()] = tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)
        self.request = request

    def __missing__(self, name: str) -> tuple[str, ...]:
        make = _EVERY_REQUEST.get(name)
        value = make(self.request) if make else ""
        found = self[name] = (value,) if value else ()
        return found

    def get(self, name: str, default: Any = ()) -> Any:
        return self[name]


def _kind_of(caller: Principal) -> str:
    if caller.service:
        return ""
    return "AssumedRole" if caller.role else "User" if caller.arn else "Account"


def _date(request: AccessRequest) -> str:
    if request.now is None:
        return ""
    return moment(int(request.now)).strftime("%Y-%m-%dT%H:%M:%SZ")


SOURCE_IP = "192.0.2.1"  # from where all programs call, an address for documentation (RFC 5737)
USER_AGENT = "Boto3/1.40 md/Botocore#1.40 ua/2.1 os/linux lang/python#3.11"
# Keys whose value follows from the request itself; an empty value: the request has no such key.
_EVERY_REQUEST: dict[str, Callable[[AccessRequest], str]] = {
    "aws:securetransport": lambda r: "true",
    "aws:sourceip": lambda r: "" if r.principal.service else SOURCE_IP,
    "aws:useragent": lambda r: "" if r.principal.service else USER_AGENT,
    "aws:requestedregion": lambda r: r.resource.split(":")[3] if r.resource.count(":") >= 5 else "",
    "aws:resourceaccount": lambda r: r.owner,
    "aws:viaawsservice": lambda r: "false",
    "aws:currenttime": _date,
    "aws:epochtime": lambda r: "" if r.now is None else str(int(r.now)),
    "aws:principalisawsservice": lambda r: "true" if r.principal.service else "false",
    "aws:principalservicename": lambda r: r.principal.service,
    "aws:principalaccount": lambda r: "" if r.principal.service else r.principal.account,
    "aws:principalarn": lambda r: "" if r.principal.service else r.principal.role or r.who,
    "aws:principaltype": lambda r: _kind_of(r.principal),
    "aws:username": lambda r: r.principal.arn.rpartition("/")[2] if ":user/" in r.principal.arn else "",
    "kms:calleraccount": lambda r: "" if r.principal.service else r.principal.account,
}


def _fits(patterns: tuple[str, ...], text: str, keys: Keys | None, ignore_case: bool) -> bool:
    for one in patterns:
        if one in ("*", text) or pattern(one, keys, ignore_case=ignore_case).fullmatch(text):
            return True
    return False


# ---- a statement -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Who:
    """The Principal element: AWS accounts and ARNs, services, everybody."""

    everybody: bool = False
    aws: tuple[str, ...] = ()  # ARNs
    accounts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    others: tuple[str, ...] = ()  # federated and canonical users: the lab has none
    ids: tuple[tuple[str, str], ...] = ()  # the unique ids of the roles among `aws`, see `identities`

    def means(self, caller: Principal) -> int:
        """How directly it names this caller: NOBODY, ACCOUNT, ROLE or SELF."""
        if caller.service:
            return SELF if self.everybody or caller.service in self.services or "*" in self.services else NOBODY
        if caller.arn in self.aws:
            return SELF
        if self.everybody or (caller.role in self.aws and self._is_that_role(caller)):
            return ROLE
        return ACCOUNT if caller.account in self.accounts else NOBODY

    def _is_that_role(self, caller: Principal) -> bool:
        id = dict(self.ids).get(caller.role)
        return id is None or caller.context.get("aws:userid", id).partition(":")[0] == id

    def __str__(self) -> str:
        everybody = ("*",) if self.everybody else ()
        return quoted((*everybody, *self.accounts, *self.aws, *self.services, *self.others))


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy. A field that begins with `not_` says that the element was NotPrincipal and so on."""

    number: int  # counted from 1
    sid: str
    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    who: Who | None = None  # None in policies of identities
    conditions: tuple[Condition, ...] = ()
    not_who: bool = False
    not_actions: bool = False
    not_resources: bool = False
    variables: bool = False
    only_account: str = ""  # an Allow reaches no further than this account

    def means(self, request: AccessRequest) -> int:
        """How directly it names the caller."""
        if self.who is None:
            return SELF
        if self.only_account and self.only_account != request.principal.account:
            return NOBODY
        level = self.who.means(request.principal)
        if self.not_who:
            return NOBODY if level else ROLE
        return level

    def misfits(self, request: AccessRequest) -> Iterator[str]:
        """The elements that do not fit the request; none when the statement applies."""
        if not self.means(request):
            yield "NotPrincipal" if self.not_who else "Principal"
        if not self._acts(request):
            yield "NotAction" if self.not_actions else "Action"
        if not self._concerns(request):
            yield "NotResource" if self.not_resources else "Resource"
        if not self._holds(request):
            yield "Condition"

    def applies(self, request: AccessRequest) -> bool:
        """Do all its elements fit the request?"""
        return bool(self.means(request)) and self._acts(request) and self._concerns(request) and self._holds(request)

    def _acts(self, request: AccessRequest) -> bool:
        return _fits(self.actions, request.action, None, True) != self.not_actions

    def _concerns(self, request: AccessRequest) -> bool:
        keys = request.keys if self.variables else None
        return _fits(self.resources, request.resource, keys, False) != self.not_resources

    def _holds(self, request: AccessRequest) -> bool:
        for condition in self.conditions:
            if not condition.holds(request.keys):
                return False
        return True

    def why_not(self, request: AccessRequest) -> str:
        """In words, why it does not apply to the request: each element that does not fit."""
        return "; ".join(self._why(element, request) for element in self.misfits(request))

    def _why(self, element: str, request: AccessRequest) -> str:
        if element == "Principal" and self.who and self.who.means(request.principal):
            return f"{request.action} is for the account {self.only_account} alone, whatever a policy says"
        if element == "Condition":
            failed = next(c for c in self.conditions if not c.holds(request.keys))
            return f"its Condition {failed.describe(request.keys)}"
        written = {"Principal": str(self.who), "Action": quoted(self.actions), "Resource": quoted(self.resources)}
        asked = {"Principal": request.who, "Action": request.action, "Resource": request.resource}
        kind = element.removeprefix("Not")
        return f'its {element} is {written[kind]}, and the request has "{asked[kind]}"'

    def __str__(self) -> str:
        return f'statement "{self.sid}"' if self.sid else f"statement {self.number}"


# ---- a policy --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Policy:
    """A policy that was read: of a resource, of an identity, the trust policy of a role, or the policy of a KMS key.

    `name` is that of the resource, or of the identity's policy; explanations have it. `timeless`: what it decides
    does not depend on the time of the request.
    """

    statements: tuple[Statement, ...]
    kind: Kind = "resource"
    name: str = ""
    timeless: bool = True

    @classmethod
    def parse(cls, text: str | Mapping[str, Any], *, kind: Kind = "resource", name: str = "") -> Policy:
        """Read a policy document. Raises MalformedPolicy, with the field, what is wrong there, and what is allowed."""
        document = _load(text) if isinstance(text, str) else dict(text)
        version = document.get("Version", "2008-10-17")
        _one_of("Version", version, _VERSIONS)
        _known("Policy", document, _TOP)
        if "Statement" not in document:
            raise MalformedPolicy("Statement", "is missing: a policy needs at least one statement")
        given = document["Statement"]
        items = given if isinstance(given, list) else [given]
        if not items:
            raise MalformedPolicy("Statement", "is empty: a policy needs at least one statement")
        one = "Statement" if items is not given else ""
        variables = version == "2012-10-17"
        found = tuple(_statement(s, n, kind, variables, one or f"Statement[{n}]") for n, s in enumerate(items))
        _check_sids(found, kind)
        said = str(document).lower()
        return cls(found, kind, name, "aws:currenttime" not in said and "aws:epochtime" not in said)

    @cached_property
    def denials(self) -> tuple[Statement, ...]:
        return tuple(s for s in self.statements if not s.allows)

    @cached_property
    def grants(self) -> tuple[Statement, ...]:
        return tuple(s for s in self.statements if s.allows)

    def denial(self, request: AccessRequest) -> Statement | None:
        """The first statement that denies the request."""
        return next((s for s in self.denials if s.applies(request)), None)

    def grant(self, request: AccessRequest) -> Statement | None:
        """The statement that allows the request, the one that names the caller most directly."""
        fitting = [s for s in self.grants if s.applies(request)]
        if len(fitting) < 2:
            return fitting[0] if fitting else None
        return max(fitting, key=lambda s: s.means(request), default=None)

    def only_within(self, account: str) -> Policy:
        """The same policy without rights for other accounts: for actions that cannot be granted across accounts."""
        return replace(
            self, statements=tuple(replace(s, only_account=account if s.allows else "") for s in self.statements)
        )

    def __str__(self) -> str:
        what = {
            "resource": f"the policy of {self.name}",
            "identity": f'the identity policy "{self.name}"',
            "trust": f"the trust policy of {self.name}",
            "key": f"the key policy of {self.name}",
        }
        return what[self.kind] if self.name else f"the {self.kind} policy"


# ---- reading ---------------------------------------------------------------------------------------------------------


def _load(text: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise MalformedPolicy(twice, "stands twice in the same object: write its values as one list")
        return found

    try:
        document = read_json(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise MalformedPolicy(
            "Policy", f"is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from None
    except TooDeep:
        raise MalformedPolicy("Policy", "is nested too deeply") from None
    if not isinstance(document, dict):
        raise MalformedPolicy("Policy", "must be a JSON object with Version and Statement")
    return document


def _known(place: str, document: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in document:
        if name not in names:
            where = name if place == "Policy" else f"{place}.{name}"
            raise MalformedPolicy(where, f"no element has this name; there are: {', '.join(names)}")


def _one_of(place: str, value: Any, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise MalformedPolicy(place, f"is {value!r}, must be {quoted(allowed)}")
    return str(value)


def _statement(document: Any, index: int, kind: Kind, variables: bool, place: str) -> Statement:
    if not isinstance(document, dict):
        raise MalformedPolicy(place, "must be an object with Effect, Action and the other elements of a statement")
    _known(place, document, _ELEMENTS)
    if "Effect" not in document:
        raise MalformedPolicy(f"{place}.Effect", 'is missing, must be "Allow" or "Deny"')
    effect = _one_of(f"{place}.Effect", document["Effect"], ("Allow", "Deny"))
    sid = document.get("Sid", "")
    if not isinstance(sid, str) or (kind in ("identity", "trust") and not re.fullmatch("[A-Za-z0-9]*", sid)):
        raise MalformedPolicy(f"{place}.Sid", f"is {sid!r}, must be a text of letters and digits")
    who, not_who = _principal(document, kind, place)
    action = _either(document, "Action", place)
    resource = None if kind == "trust" else _either(document, "Resource", place)
    if kind == "trust" and (extra := next((e for e in ("Resource", "NotResource") if e in document), None)):
        raise MalformedPolicy(f"{place}.{extra}", "has no place in a trust policy: the role itself is the resource")
    conditions: tuple[Condition, ...] = ()
    if "Condition" in document:
        conditions = parse_conditions(document["Condition"], f"{place}.Condition", variables)
    return Statement(
        index + 1,
        sid,
        effect == "Allow",
        _texts(document[action], f"{place}.{action}", _action),
        _texts(document[resource], f"{place}.{resource}", _resource) if resource else ("*",),
        who,
        conditions,
        not_who,
        action == "NotAction",
        resource == "NotResource",
        variables and resource is not None and "${" in str(document[resource]),
    )


def _either(document: Mapping[str, Any], name: str, place: str) -> str:
    """`name` or its Not-form, whichever of them stands in the statement."""
    there = [element for element in (name, f"Not{name}") if element in document]
    if len(there) == 2:
        raise MalformedPolicy(f"{place}.Not{name}", f"stands beside {name}: a statement has one of the two")
    if not there:
        raise MalformedPolicy(f"{place}.{name}", f"is missing: a statement needs {name} or Not{name}")
    return there[0]


def _texts(value: Any, place: str, check: Callable[[str], str]) -> tuple[str, ...]:
    """One text or several, each checked: `check` returns it in its full form, or raises ValueError with the reason."""
    items = value if isinstance(value, list) else [value]
    if not items:
        raise MalformedPolicy(place, "is an empty list: give at least one value")
    found = []
    for item in items:
        if not isinstance(item, str):
            raise MalformedPolicy(place, f"is {item!r}, must be a text or a list of texts")
        try:
            found.append(check(item))
        except ValueError as error:
            raise MalformedPolicy(place, f"is {item!r}, {error}") from None
    return tuple(found)


def _action(text: str) -> str:
    if text != "*" and not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z0-9*?_-]+", text):
        raise ValueError('must be service:Action, such as "sqs:SendMessage" or "sqs:*", or "*" for all')
    return text


def _resource(text: str) -> str:
    if text != "*" and not re.match(r"arn:[^:]", text):
        raise ValueError('must be an ARN, such as "arn:aws:sqs:us-east-1:123456789012:orders", or "*" for all')
    return text + ":*" * max(0, 5 - text.count(":")) if text != "*" else text  # AWS completes an ARN that is too short


_ACCOUNT = re.compile(r"\d{12}|arn:aws[a-z-]*:iam::\d{12}:root")
_PRINCIPAL_ARN = re.compile(
    r"arn:aws[a-z-]*:(iam::\d{12}:(user|role)/[^*?]+|sts::\d{12}:(assumed-role/[^*?/]+/[^*?/]+|federated-user/[^*?]+))"
)


def _aws(text: str) -> str:
    if _ACCOUNT.fullmatch(text):
        return text[-17:-5] if text.endswith(":root") else text
    if text != "*" and not _PRINCIPAL_ARN.fullmatch(text):
        raise ValueError(
            "must be the 12 digits of an account, or the whole ARN of an account's root, a user, a role or a role's "
            'session, without wildcards, or "*" for everybody'
        )
    return text


def _service(text: str) -> str:
    if text != "*" and not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com", text):
        raise ValueError('must be the name of an AWS service, such as "sns.amazonaws.com"')
    return text


_PRINCIPALS: dict[str, Callable[[str], str]] = {
    "AWS": _aws,
    "Service": _service,
    "Federated": str,
    "CanonicalUser": str,
}


def _principal(document: Mapping[str, Any], kind: Kind, place: str) -> tuple[Who | None, bool]:
    if kind == "identity":
        if extra := next((e for e in ("Principal", "NotPrincipal") if e in document), None):
            why = "has no place in a policy of an identity: who has the policy is the principal"
            raise MalformedPolicy(f"{place}.{extra}", why)
        return None, False
    element = _either(document, "Principal", place)
    field, value = f"{place}.{element}", document[element]
    if value == "*":
        return Who(True), element == "NotPrincipal"
    if not isinstance(value, dict) or not value:
        form = '"*", or an object such as {"Service": "sns.amazonaws.com"} or {"AWS": "123456789012"}'
        raise MalformedPolicy(field, f"is {value!r}, must be {form}")
    _known(field, value, tuple(_PRINCIPALS))
    found = {name: _texts(value[name], f"{field}.{name}", _PRINCIPALS[name]) for name in value}
    aws = found.get("AWS", ())
    others = found.get("Federated", ()) + found.get("CanonicalUser", ())
    accounts = tuple(name for name in aws if name.isdecimal())
    arns = tuple(name for name in aws if name.startswith("arn:"))
    return Who("*" in aws, arns, accounts, found.get("Service", ()), others), element == "NotPrincipal"


def _check_sids(statements: tuple[Statement, ...], kind: Kind) -> None:
    seen: set[str] = set()
    for statement in statements:
        if statement.sid in seen:
            raise MalformedPolicy(
                f"Statement[{statement.number - 1}].Sid", f"{statement.sid!r} stands in two statements"
            )
        if statement.sid:
            seen.add(statement.sid)
