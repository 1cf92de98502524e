"""SSE-KMS: how SQS uses the KMS key of an encrypted queue, as whoever sends or receives.

SQS asks KMS for a data key to encrypt with, or to open the data key that messages were encrypted with, in the name of
its caller, and reuses it for KmsDataKeyReusePeriodSeconds. Data keys are not shared between callers. So taking a right
away, or disabling the key, is felt only when the period ends (SQS developer guide, "Amazon SQS Key management").
Assumed: SQS asks before it looks for messages, and only when there is something to open.
"""

from __future__ import annotations

from typing import Any

from lablib.aws.keys import KmsUser
from lablib.aws.service import Call, World
from lablib.services.sqs.base import AnyQueue
from lablib.services.sqs.servers import Message


class DataKeys(KmsUser):
    """The data keys that one region's queues use, of the queues whose messages KMS keys protect."""

    via = "sqs"
    errors = {  # names and codes: SQS's service model. KmsOptInRequired cannot happen here.
        "AccessDeniedException": ("KmsAccessDenied", "KMS.AccessDeniedException"),
        "DisabledException": ("KmsDisabled", "KMS.DisabledException"),
        "InvalidKeyUsageException": ("KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException"),
        "KMSInvalidStateException": ("KmsInvalidState", "KMS.InvalidStateException"),
        "NotFoundException": ("KmsNotFound", "KMS.NotFoundException"),
        "ThrottlingException": ("KmsThrottled", "KMS.ThrottlingException"),
    }
    lost = ("ServiceUnavailable", 503)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.queues: dict[str, AnyQueue] = {}  # by ARN; empty for most clouds, and then SQS asks no further
        self._blobs: dict[str, tuple[str, bytes]] = {}  # of a queue's messages: which key closed the data key

    def follow(self, queue: AnyQueue) -> None:
        """The queue's attributes were set, or it was deleted."""
        if queue.attributes.get("KmsMasterKeyId") and not queue.deleted:
            self.queues[queue.arn] = queue
        else:
            self.queues.pop(queue.arn, None)

    def before_send(self, queue: AnyQueue, call: Call) -> None:
        """Get the sender a data key. Raises KmsAccessDenied, KmsDisabled, and SQS's other errors about keys."""
        if queue.arn in self.queues:
            key = queue.attributes["KmsMasterKeyId"]
            if fresh := self._ask(queue, call, "generate_data_key", {"key_id": key, "key_spec": "AES_256"}):
                self._blobs[queue.arn] = key, fresh["CiphertextBlob"]
            self._open(queue.arn, queue, call)

    def before_receive(self, queue: AnyQueue, call: Call) -> None:
        """Open the data key of the queue's messages for the receiver. Raises as `before_send`."""
        if queue.arn in self.queues:
            self._open(queue.arn, queue, call)

    def received(self, queue: AnyQueue, call: Call, messages: list[Message]) -> None:
        """Open what else is needed: a message in a dead-letter queue is closed with the key of its source queue.

        Raises as `before_send`; the messages then stay in flight until their visibility timeout ends.
        """
        self.before_receive(queue, call)
        for source in dict.fromkeys(message.source for message in messages):
            if source in self.queues:
                self._open(source, queue, call)

    def _open(self, owner: str, queue: AnyQueue, call: Call) -> None:
        if owner in self._blobs:
            key, blob = self._blobs[owner]
            self._ask(queue, call, "decrypt", {"key_id": key, "ciphertext_blob": blob})

    def _ask(self, queue: AnyQueue, call: Call, operation: str, params: dict[str, Any]) -> dict[str, Any] | None:
        reuse = queue.attributes.get("KmsDataKeyReusePeriodSeconds", self.world.quotas["sqs.data_key_reuse"])
        return self.ask(call, operation, params, resource=queue.arn, actor=f"sqs/{queue.name}", reuse=int(reuse))
