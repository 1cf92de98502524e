"""SSE-KMS: how SNS uses the KMS key of an encrypted topic, in the name of whoever publishes.

A publisher needs kms:GenerateDataKey and kms:Decrypt. SNS reuses a data key for five minutes: so long taking a right
away, or disabling the key, is not felt (SNS developer guide, "Amazon SNS Key management").
"""

from __future__ import annotations

from dataclasses import replace

from lablib.services._base import AnswerLost, Arn, Call, ServiceError, World
from lablib.services._sns_topics import Topic

_ERRORS = {  # what SNS makes of KMS's errors (API reference, Publish)
    "AccessDeniedException": "KMSAccessDenied",
    "DisabledException": "KMSDisabled",
    "KMSInvalidStateException": "KMSInvalidState",
    "NotFoundException": "KMSNotFound",
    "ThrottlingException": "KMSThrottling",
}


class DataKeys:
    """The data keys that the topics of one region use."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._until: dict[tuple[str, str, str], float] = {}  # until when a publisher's data key is reused

    def check(self, topic: Topic, call: Call) -> None:
        """Get the publisher a data key when the topic is encrypted. Raises KMSAccessDenied, KMSDisabled, ..."""
        key = topic.attributes.get("KmsMasterKeyId")
        if not key:
            return
        from lablib.services._policy import administrator

        world = self._world
        who = call.principal or administrator(world.account)
        asked, now = (topic.arn, key, who.arn or who.service), world.kernel.now
        if now < self._until.get(asked, 0.0):
            return
        via = {"kms:ViaService": f"sns.{world.region}.amazonaws.com"}
        arn = Arn.parse(key) or Arn("kms", world.region, world.account, key)
        deliver, caller = world.peers.deliver, replace(who, context={**who.context, **via})
        try:
            made = deliver(
                arn,
                "generate_data_key",
                {"key_id": key, "key_spec": "AES_256"},
                principal=caller,
                caller=topic.caller,
                cause=call.row,
            )
            blob = {"ciphertext_blob": made["CiphertextBlob"], "key_id": key}
            deliver(arn, "decrypt", blob, principal=caller, caller=topic.caller, cause=call.row)
        except ServiceError as error:
            text = f"{error.message} (Service: AWSKMS; Status Code: {error.status}; Error Code: {error.code})"
            raise ServiceError(_ERRORS.get(error.code, "KMSThrottling"), text) from None
        except AnswerLost:
            raise ServiceError("InternalError", "KMS did not answer.", status=500, sender_fault=False) from None
        self._until[asked] = now + world.figures["sns.data_key_reuse"]
