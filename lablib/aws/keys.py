"""What the services share that encrypt with KMS keys: they ask KMS in the name of their own caller, and reuse its data
key for a while (SQS developer guide, "Amazon SQS Key management"; SNS developer guide, "Amazon SNS Key management")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from lablib.aws.access.decide import administrator
from lablib.aws.service import AnswerLost, Arn, Call, ServiceError, World


class KmsUser:
    """A service as a user of KMS: `via` is its name, `errors` what it makes of KMS's errors (the name of each and its
    code; those that are not in it count as throttling), `lost` its error, with the status, when KMS does not answer."""

    via: ClassVar[str]
    errors: ClassVar[Mapping[str, tuple[str, str]]]
    lost: ClassVar[tuple[str, int]]

    def __init__(self, world: World) -> None:
        self.world = world
        self._until: dict[tuple[str, ...], float] = {}  # until when somebody's data key is reused

    def ask(
        self, call: Call, operation: str, params: dict[str, Any], *, resource: str, actor: str, reuse: float
    ) -> dict[str, Any] | None:
        """Call KMS about the key in `params["key_id"]` for the queue or topic with the ARN `resource`, and not again
        for the same caller within `reuse` seconds: then it returns None. Raises the service's own errors."""
        world, key = self.world, params["key_id"]
        who = call.principal or administrator(world.account)
        asked, now = (resource, key, who.arn or who.service, operation), world.kernel.now
        if now < self._until.get(asked, 0.0):
            return None
        to = Arn.parse(key) or Arn("kms", world.region, world.account, key)
        seen = replace(who, context={**who.context, "kms:ViaService": f"{self.via}.{world.region}.amazonaws.com"})
        try:
            answer = world.peers.deliver(to, operation, params, principal=seen, caller=actor, cause=call.row)
        except ServiceError as error:
            name, code = self.errors.get(error.code) or self.errors["ThrottlingException"]
            text = f"{error.message} (Service: AWSKMS; Status Code: {error.status}; Error Code: {error.code})"
            raise ServiceError(name, text, code=code) from None
        except AnswerLost:
            name, status = self.lost
            raise ServiceError(name, "KMS did not answer.", status=status, sender_fault=False) from None
        self._until[asked] = now + reuse
        return answer
