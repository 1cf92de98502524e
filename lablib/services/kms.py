"""AWS Key Management Service: symmetric keys, their states, their policies, and who may use them.

Errors and states: KMS API reference (2014-11-01) and developer guide, "Key states of AWS KMS keys", "Key policies",
"Default key policy". Error texts are those that users quote. Nothing here is cryptography: what Encrypt returns
is opaque, belongs to one key, and is opened by this cloud alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from lablib.aws.access.decide import AccessRequest, MalformedPolicy, Policy, administrator
from lablib.aws.access.identities import UnknownPrincipal, bound
from lablib.aws.arn import Arn, root_of
from lablib.aws.lists import page_of
from lablib.aws.quotas import quota
from lablib.aws.service import NotSimulated, Request, Service, ServiceError, Target, World

Document = dict[str, Any]
_ID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_ALIAS = re.compile(r"alias/[A-Za-z0-9/_-]{1,250}")
_DAY = 86_400
_SPECS = {  # what a key is for, and of which kinds it can then be (KMS API reference, CreateKey)
    "ENCRYPT_DECRYPT": re.compile("SYMMETRIC_DEFAULT|RSA_(2048|3072|4096)|SM2"),
    "SIGN_VERIFY": re.compile("(RSA|ECC|ML_DSA)_.*|SM2"),
    "GENERATE_VERIFY_MAC": re.compile("HMAC_.*"),
    "KEY_AGREEMENT": re.compile("ECC_.*|SM2"),
}
_OWN_KEYS = {"sqs": "Simple Queue Service (SQS)", "sns": "SNS"}  # services with a key of AWS's here


@dataclass(eq=False)
class Key:
    """A KMS key. Its state is Enabled, Disabled, or PendingDeletion."""

    id: str
    arn: str
    created: float
    policy_text: str
    policy: Policy
    description: str = ""
    manager: str = "CUSTOMER"
    state: str = "Enabled"
    deletion: float = 0.0  # when it is deleted, in state PendingDeletion


class Kms(Service):
    """KMS in one region of one account."""

    name = "kms"
    arn_parameter = "key_id"
    throttle = ("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency.")
    quotas = (
        quota("kms.deletion_wait", 30, 30, "days", "API: ScheduleKeyDeletion"),
        quota("kms.deletion_wait_min", 7, 7, "days", "API: ScheduleKeyDeletion"),
        quota("kms.plaintext", 4_096, 4_096, "bytes", "API: Encrypt"),
        quota("kms.data_key", 1_024, 1_024, "bytes", "API: GenerateDataKey"),
    )

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.has_policies = True  # every key has a policy
        self._keys: dict[str, Key] = {}
        self._aliases: dict[str, str] = {}
        for service, title in _OWN_KEYS.items():
            key = self._make(_managed_policy(service, title, world))
            key.manager, key.description = "AWS", f"Default key that protects my {service.upper()} data"
            self._aliases[f"alias/aws/{service}"] = key.id

    # ---- who may -----------------------------------------------------------------------------------------------------

    def target(self, operation: str, params: Document) -> Target:
        """Rights are on the ARN of the key, also when the request names an alias."""
        named = str(params.get("key_id") or "")
        asked = named or params.get("target_key_id")
        if not asked and _is_sealed(blob := params.get("ciphertext_blob")):
            asked = _key_in(blob)
        key, arn = self._find(asked) if asked else None, Arn.parse(named)
        resource = (named or str(params.get("alias_name", ""))).rpartition(":")[2].removeprefix("key/")
        owner, actions = arn.account if arn else self.world.account, (f"kms:{operation}",)
        return Target(resource, owner, actions, key.arn if key else asked or "*", key.policy if key else None)

    def _find(self, key_id: str) -> Key | None:
        """The key with that id, alias, or ARN of one of them."""
        arn = Arn.parse(key_id)
        if arn and (arn.service, arn.region, arn.account) != ("kms", self.world.region, self.world.account):
            return None
        name = arn.resource.removeprefix("key/") if arn else key_id
        key = self._keys.get(self._aliases.get(name, name))
        if key and key.state == "PendingDeletion" and self.now >= key.deletion:
            del self._keys[key.id]
            self._aliases = {alias: target for alias, target in self._aliases.items() if target != key.id}
            return None
        return key

    def _key(self, key_id: str, aliases: bool = False) -> Key:
        """The key. Raises NotFoundException; `aliases`: the operation accepts them."""
        name = key_id.rpartition(":")[2]
        is_alias = name.startswith("alias/")
        key = self._find(key_id) if aliases or not is_alias else None
        if key:
            return key
        if not is_alias and not _ID.fullmatch(name.removeprefix("key/")):
            raise _not_found(f"Invalid keyId '{key_id}'")
        if is_alias and not aliases:
            raise _not_found(f"Invalid keyId {key_id}: this operation takes no alias")
        full = key_id if key_id.startswith("arn:") else self.arn(name if is_alias else f"key/{name}")
        raise _not_found(f"Alias {full} is not found." if is_alias else f"Key '{full}' does not exist")

    # ---- keys --------------------------------------------------------------------------------------------------------

    def create_key(
        self,
        request: Request,
        *,
        policy: str | None = None,
        description: str = "",
        key_usage: str = "ENCRYPT_DECRYPT",
        key_spec: str = "SYMMETRIC_DEFAULT",
        bypass_policy_lockout_safety_check: bool = False,
    ) -> Document:
        if key_usage not in _SPECS or not _SPECS[key_usage].fullmatch(key_spec):
            raise _validation(f"KeyUsage {key_usage} is not compatible with KeySpec {key_spec}")
        if key_spec != "SYMMETRIC_DEFAULT":
            raise NotSimulated(
                f"kms: KeySpec {key_spec} is not simulated; there are symmetric keys for encryption only"
            )
        text = policy or _default_policy(self.world)
        key = self._make(text, request, bypass_policy_lockout_safety_check)
        key.description = description
        self.world.trace.add("KeyCreated", key.id, "", request.caller, request.row)
        return {"KeyMetadata": self._describe(key)}

    def _make(self, text: str, request: Request | None = None, bypass: bool = True) -> Key:
        id = self.world.chance.uuid("kms")
        key = Key(id, self.arn(f"key/{id}"), self.now, text, self._parse(text, id))
        if not bypass:
            self._check_lockout(key.arn, key.policy, request)
        self._keys[id] = key
        return key

    def describe_key(self, request: Request, *, key_id: str) -> Document:
        return {"KeyMetadata": self._describe(self._key(key_id, aliases=True))}

    def _describe(self, key: Key) -> Document:
        document = {
            "AWSAccountId": self.world.account,
            "KeyId": key.id,
            "Arn": key.arn,
            "CreationDate": self.date(key.created),
            "Enabled": key.state == "Enabled",
            "Description": key.description,
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeyState": key.state,
            "Origin": "AWS_KMS",
            "KeyManager": key.manager,
            "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "KeySpec": "SYMMETRIC_DEFAULT",
            "MultiRegion": False,
            "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        }
        if key.state == "PendingDeletion":
            document["DeletionDate"] = self.date(key.deletion)
        return document

    def list_keys(self, request: Request, *, limit: int = 100, marker: str | None = None) -> Document:
        page, more = _page([id for id in list(self._keys) if self._find(id)], marker, limit)
        return {"Keys": [{"KeyId": id, "KeyArn": self._keys[id].arn} for id in page]} | more

    def enable_key(self, request: Request, *, key_id: str) -> Document:
        return self._switch(self._key(key_id), "Enabled", request)

    def disable_key(self, request: Request, *, key_id: str) -> Document:
        return self._switch(self._key(key_id), "Disabled", request)

    def _switch(self, key: Key, state: str, request: Request) -> Document:
        _refuse_pending(key)
        key.state = state
        self.world.trace.add(f"Key{state}", key.id, "", request.caller, request.row)
        return {}

    def schedule_key_deletion(
        self, request: Request, *, key_id: str, pending_window_in_days: int | None = None
    ) -> Document:
        key = self._key(key_id)
        _refuse_pending(key)
        low, high = (self.world.quotas[f"kms.deletion_wait{which}"] for which in ("_min", ""))
        days = high if pending_window_in_days is None else pending_window_in_days
        if not low <= days <= high:
            raise _validation(f"PendingWindowInDays is {days}, must be from {low} to {high}")
        key.state, key.deletion = "PendingDeletion", self.now + days * _DAY
        self.world.trace.add("KeyDeletionScheduled", key.id, "", request.caller, request.row, until=key.deletion)
        answer = {"KeyId": key.arn, "DeletionDate": self.date(key.deletion), "KeyState": key.state}
        return answer | {"PendingWindowInDays": days}

    def cancel_key_deletion(self, request: Request, *, key_id: str) -> Document:
        key = self._key(key_id)
        if key.state != "PendingDeletion":
            raise ServiceError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
        key.state = "Disabled"
        self.world.trace.add("KeyDisabled", key.id, "", request.caller, request.row)
        return {"KeyId": key.arn}

    # ---- aliases, policies -------------------------------------------------------------------------------------------

    def create_alias(self, request: Request, *, alias_name: str, target_key_id: str) -> Document:
        if not _ALIAS.fullmatch(alias_name) or alias_name.startswith("alias/aws/"):
            text = 'Alias must start with the prefix "alias/", and not with "alias/aws/", which is AWS\'s own.'
            raise ServiceError("InvalidAliasNameException", text)
        if alias_name in self._aliases:
            raise ServiceError(
                "AlreadyExistsException", f"An alias with the name {self.arn(alias_name)} already exists"
            )
        return self._point(alias_name, target_key_id)

    def update_alias(self, request: Request, *, alias_name: str, target_key_id: str) -> Document:
        self._key(alias_name, aliases=True)
        return self._point(alias_name, target_key_id)

    def _point(self, alias: str, target: str) -> Document:
        key = self._key(target)
        _refuse_pending(key)
        self._aliases[alias] = key.id
        return {}

    def delete_alias(self, request: Request, *, alias_name: str) -> Document:
        self._key(alias_name, aliases=True)
        del self._aliases[alias_name]
        return {}

    def list_aliases(
        self, request: Request, *, key_id: str | None = None, limit: int = 50, marker: str | None = None
    ) -> Document:
        only = self._key(key_id).id if key_id else None
        names = [a for a, id in list(self._aliases.items()) if self._find(id) and only in (None, id)]
        page, more = _page(names, marker, limit)
        found = [{"AliasName": a, "AliasArn": self.arn(a), "TargetKeyId": self._aliases[a]} for a in page]
        return {"Aliases": found} | more

    def get_key_policy(self, request: Request, *, key_id: str, policy_name: str = "default") -> Document:
        key = self._key(key_id)
        _check_policy_name(policy_name)
        return {"Policy": key.policy_text, "PolicyName": policy_name}

    def put_key_policy(
        self,
        request: Request,
        *,
        key_id: str,
        policy: str,
        policy_name: str = "default",
        bypass_policy_lockout_safety_check: bool = False,
    ) -> Document:
        key = self._key(key_id)
        _check_policy_name(policy_name)
        parsed = self._parse(policy, key.id)
        if not bypass_policy_lockout_safety_check:
            self._check_lockout(key.arn, parsed, request)
        key.policy_text, key.policy = policy, parsed
        return {}

    def _parse(self, text: str, id: str) -> Policy:
        try:
            return bound(Policy.parse(text, kind="key", name=f"key {id}"), self.world)
        except UnknownPrincipal:
            text = "Policy contains a statement with one or more invalid principals."
            raise ServiceError("MalformedPolicyDocumentException", text) from None
        except MalformedPolicy as error:
            raise ServiceError(
                "MalformedPolicyDocumentException", f"Policy contains invalid elements. {error}."
            ) from None

    def _check_lockout(self, arn: str, policy: Policy, request: Request | None) -> None:
        caller = (request and request.principal) or administrator(self.world.account, self.world.region)
        again = AccessRequest("kms:PutKeyPolicy", arn, caller, self.world.account, caller.context)
        if policy.denial(again) or not policy.grant(again):
            text = "The new key policy will not allow you to update the key policy in the future."
            raise ServiceError("MalformedPolicyDocumentException", text)

    # ---- using keys --------------------------------------------------------------------------------------------------

    def encrypt(
        self, request: Request, *, key_id: str, plaintext: bytes, encryption_context: dict[str, str] | None = None
    ) -> Document:
        key = self._usable(key_id, "Encrypt")
        most = self.world.quotas["kms.plaintext"]
        if not 1 <= len(plaintext) <= most:
            raise _validation(f"Plaintext has {len(plaintext)} bytes, must have from 1 to {most}")
        blob = self._close(key, plaintext, encryption_context)
        return {"CiphertextBlob": blob, "KeyId": key.arn, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}

    def decrypt(
        self,
        request: Request,
        *,
        ciphertext_blob: bytes,
        key_id: str | None = None,
        encryption_context: dict[str, str] | None = None,
    ) -> Document:
        made_by = _key_in(ciphertext_blob)
        if made_by not in self._keys:
            raise _invalid_ciphertext()
        key = self._usable(made_by, "Decrypt")
        if key_id is not None and self._key(key_id, aliases=True) is not key:
            text = "The key ID in the request does not identify a CMK that can perform this operation."
            raise ServiceError("IncorrectKeyException", text)
        plaintext = self._open(key, ciphertext_blob, encryption_context)
        return {"KeyId": key.arn, "Plaintext": plaintext, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}

    def generate_data_key(
        self,
        request: Request,
        *,
        key_id: str,
        key_spec: str | None = None,
        number_of_bytes: int | None = None,
        encryption_context: dict[str, str] | None = None,
    ) -> Document:
        key = self._usable(key_id, "GenerateDataKey")
        if (key_spec is None) == (number_of_bytes is None):
            raise _validation("Please specify either number of bytes or key spec.")
        size = number_of_bytes or {"AES_256": 32, "AES_128": 16}.get(key_spec or "", 0)
        most = self.world.quotas["kms.data_key"]
        if not 1 <= size <= most:
            allowed = f"KeySpec must be AES_256 or AES_128, NumberOfBytes from 1 to {most}"
            raise _validation(f"{allowed}, not {size or key_spec}")
        plaintext = hashlib.shake_256(self.world.chance.uuid("kms data keys").encode()).digest(size)
        return {
            "CiphertextBlob": self._close(key, plaintext, encryption_context),
            "Plaintext": plaintext,
            "KeyId": key.arn,
        }

    def _usable(self, key_id: str, operation: str) -> Key:
        """The key, when it can be used now. Raises DisabledException, KMSInvalidStateException and others."""
        key = self._key(key_id, aliases=True)
        if key.state == "Disabled":
            raise ServiceError("DisabledException", f"{key.arn} is disabled.")
        _refuse_pending(key)
        return key

    def _close(self, key: Key, plaintext: bytes, context: dict[str, str] | None) -> bytes:
        nonce = UUID(self.world.chance.uuid("kms blobs")).bytes
        hidden = _mask(key, nonce, plaintext)
        return UUID(key.id).bytes + nonce + _seal(key, nonce + hidden, context) + hidden

    def _open(self, key: Key, blob: bytes, context: dict[str, str] | None) -> bytes:
        nonce, seal, hidden = blob[16:32], blob[32:48], blob[48:]
        if seal != _seal(key, nonce + hidden, context):
            raise _invalid_ciphertext()
        return _mask(key, nonce, hidden)


# ---- what a blob is made of ------------------------------------------------------------------------------------------


def _is_sealed(blob: Any) -> bool:
    return isinstance(blob, (bytes, bytearray)) and len(blob) >= 49


def _key_in(blob: Any) -> str:
    """The id of the key that made a blob. Raises InvalidCiphertextException for anything else."""
    if not _is_sealed(blob):
        raise _invalid_ciphertext()
    return str(UUID(bytes=bytes(blob[:16])))


def _mask(key: Key, nonce: bytes, text: bytes) -> bytes:
    stream = hashlib.shake_256(key.id.encode() + nonce).digest(len(text))
    return bytes(a ^ b for a, b in zip(text, stream, strict=True))


def _seal(key: Key, content: bytes, context: dict[str, str] | None) -> bytes:
    bound = json.dumps(sorted((context or {}).items())).encode()
    return hashlib.blake2b(content + bound, key=key.id.encode(), digest_size=16).digest()


# ---- policies that keys have at first --------------------------------------------------------------------------------


def _default_policy(world: World) -> str:
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": root_of(world.account, world.region)},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]})


def _managed_policy(service: str, title: str, world: World) -> str:
    """The key policy of a service's AWS managed key: the account's own principals may use it through the service;
    nobody may change it (SQS developer guide, "Amazon SQS Key management")."""
    through = {"kms:CallerAccount": world.account, "kms:ViaService": f"{service}.{world.region}.amazonaws.com"}
    use = {
        "Sid": f"Allow access through {title} for all principals in the account that are authorized to use {title}",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {"StringEquals": through},
    }
    look = {
        "Sid": "Allow direct access to key metadata to the account",
        "Effect": "Allow",
        "Principal": {"AWS": root_of(world.account, world.region)},
        "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Id": f"auto-{service}-1", "Statement": [use, look]})


# ---- errors, pages ---------------------------------------------------------------------------------------------------


def _not_found(message: str) -> ServiceError:
    return ServiceError("NotFoundException", message)


def _validation(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def _invalid_ciphertext() -> ServiceError:
    text = "The ciphertext is damaged, was made by another key, or belongs to another encryption context."
    return ServiceError("InvalidCiphertextException", text)


def _refuse_pending(key: Key) -> None:
    if key.state == "PendingDeletion":
        raise ServiceError("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def _check_policy_name(name: str) -> None:
    if name != "default":
        raise _not_found(f"No such policy exists: {name}. A key has one policy, called default.")


def _page(names: list[str], marker: str | None, limit: int) -> tuple[list[str], Document]:
    wrong = ServiceError("InvalidMarkerException", "The marker is not one that an earlier answer gave.")
    page, more = page_of(names, marker, limit, wrong, into="NextMarker")
    return page, {"Truncated": bool(more)} | more
