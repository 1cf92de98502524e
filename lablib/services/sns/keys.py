"""SSE-KMS: how SNS uses the KMS key of an encrypted topic, in the name of whoever publishes.

A publisher needs kms:GenerateDataKey and kms:Decrypt. SNS reuses a data key for five minutes: so long taking a right
away, or disabling the key, is not felt (SNS developer guide, "Amazon SNS Key management").
"""

from __future__ import annotations

from functools import partial

from lablib.aws.keys import KmsUser
from lablib.aws.service import Call, World
from lablib.services.sns.topics import Topic


class DataKeys(KmsUser):
    """The data keys that the topics of one region use."""

    via = "sns"
    errors = {  # API reference, Publish
        "AccessDeniedException": ("KMSAccessDenied", "KMSAccessDenied"),
        "DisabledException": ("KMSDisabled", "KMSDisabled"),
        "KMSInvalidStateException": ("KMSInvalidState", "KMSInvalidState"),
        "NotFoundException": ("KMSNotFound", "KMSNotFound"),
        "ThrottlingException": ("KMSThrottling", "KMSThrottling"),
    }
    lost = ("InternalError", 500)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._blobs: dict[tuple[str, str], bytes] = {}  # the latest data key of a topic and its key, closed

    def check(self, topic: Topic, call: Call) -> None:
        """Get the publisher a data key when the topic is encrypted. Raises KMSAccessDenied, KMSDisabled, ..."""
        key = topic.attributes.get("KmsMasterKeyId")
        if key:
            reuse = self.world.quotas["sns.data_key_reuse"]
            ask = partial(self.ask, call, resource=topic.arn, actor=topic.caller, reuse=reuse)
            if made := ask("generate_data_key", {"key_id": key, "key_spec": "AES_256"}):
                self._blobs[topic.arn, key] = made["CiphertextBlob"]
            ask("decrypt", {"key_id": key, "ciphertext_blob": self._blobs[topic.arn, key]})
