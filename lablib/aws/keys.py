"""A service as a user of KMS: it encrypts the messages of a resource with data keys, in the name of its own caller.

It asks KMS for a data key to encrypt with, and to decrypt the data key that messages were encrypted with, and reuses
both for a while. Data keys are not shared between callers. Until that time is over, revoking a caller's right or
disabling the key has no effect (SQS developer guide, "Amazon SQS Key management"; SNS developer guide, "Amazon SNS Key
management").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.service import AnswerLost, Request, ServiceError, World


class DataKeys:
    """The data keys that the resources of one service in one region use.

    `service` is its name, `errors` what it makes of KMS's errors (the name of each and its code; those that are not in
    it count as throttling), `lost` its error, with the status, when KMS does not answer.
    """

    def __init__(
        self, world: World, service: str, errors: Mapping[str, tuple[str, str]], lost: tuple[str, int]
    ) -> None:
        self._world = world
        self._service = service
        self._errors = errors
        self._lost = lost
        self._reused_until: dict[tuple[str, ...], float] = {}
        self._encrypted: dict[tuple[str, str], bytes] = {}  # the latest data key of a resource and its KMS key
        self._latest: dict[str, str] = {}  # the KMS key with which a resource last encrypted

    def encrypt(self, request: Request, resource: str, key: str, reuse: float) -> None:
        """Get the caller a data key for the resource (an ARN) with a KMS key, good for `reuse` seconds.

        Raises the service's own errors.
        """
        made = self._ask(request, "generate_data_key", resource, {"key_id": key, "key_spec": "AES_256"}, reuse)
        if made:
            self._encrypted[resource, key] = made["CiphertextBlob"]
        self._latest[resource] = key
        self.decrypt(request, resource, resource, reuse)

    def decrypt(self, request: Request, source: str, resource: str, reuse: float) -> None:
        """Decrypt for the caller what was encrypted in the resource `source` and is now in `resource` (ARNs).

        Does nothing where nothing was encrypted yet. Raises the service's own errors.
        """
        if source in self._latest:
            key = self._latest[source]
            params = {"key_id": key, "ciphertext_blob": self._encrypted[source, key]}
            self._ask(request, "decrypt", resource, params, reuse)

    def _ask(
        self, request: Request, operation: str, resource: str, params: dict[str, Any], reuse: float
    ) -> dict[str, Any] | None:
        """The answer of KMS; None when the same caller asked the same within `reuse` seconds."""
        from lablib.aws.access.decide import administrator

        world, key = self._world, params["key_id"]
        who = request.principal or administrator(world.account, world.region)
        asked, now = (resource, key, who.arn or who.service, operation), world.kernel.now
        if now < self._reused_until.get(asked, 0.0):
            return None
        to = Arn.parse(key) or Arn("kms", world.region, world.account, key)
        via = f"{self._service}.{world.region}.amazonaws.com"
        seen = replace(who, context={**who.context, "kms:ViaService": via})
        actor = f"{self._service}/{resource.rpartition(':')[2]}"
        try:
            answer = world.gateway.call_service(to, operation, params, principal=seen, caller=actor, cause=request.row)
        except ServiceError as error:
            name, code = self._errors.get(error.code) or self._errors["ThrottlingException"]
            text = f"{error.message} (Service: AWSKMS; Status Code: {error.status}; Error Code: {error.code})"
            raise ServiceError(name, text, code=code) from None
        except AnswerLost:
            name, status = self._lost
            raise ServiceError(name, "KMS did not answer.", status=status, sender_fault=False) from None
        self._reused_until[asked] = now + reuse
        return answer
