"""SSE-KMS: the KMS key of an encrypted queue is used in the name of the sender or receiver.

Assumed: SQS asks KMS before it looks for messages, and only when there is something to decrypt.
"""

from __future__ import annotations

from lablib.aws.keys import DataKeys
from lablib.aws.service import Request, World
from lablib.services.sqs.base import AnyQueue
from lablib.services.sqs.message import Message

_ERRORS = {  # names and codes: SQS's service model. KmsOptInRequired cannot happen here.
    "AccessDeniedException": ("KmsAccessDenied", "KMS.AccessDeniedException"),
    "DisabledException": ("KmsDisabled", "KMS.DisabledException"),
    "InvalidKeyUsageException": ("KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException"),
    "KMSInvalidStateException": ("KmsInvalidState", "KMS.InvalidStateException"),
    "NotFoundException": ("KmsNotFound", "KMS.NotFoundException"),
    "ThrottlingException": ("KmsThrottled", "KMS.ThrottlingException"),
}


class QueueKeys:
    """The data keys of one region's queues whose messages KMS keys protect."""

    def __init__(self, world: World) -> None:
        self._data_keys = DataKeys(world, "sqs", _ERRORS, ("ServiceUnavailable", 503))
        self._reuse = world.quotas["sqs.data_key_reuse"]
        self.queues: set[str] = set()  # their ARNs; empty for most clouds, and then SQS asks no further

    def follow(self, queue: AnyQueue) -> None:
        """The queue's attributes were set, or it was deleted."""
        if queue.attributes.get("KmsMasterKeyId") and not queue.deleted:
            self.queues.add(queue.arn)
        else:
            self.queues.discard(queue.arn)

    def before_send(self, queue: AnyQueue, request: Request) -> None:
        """Get the sender a data key. Raises KmsAccessDenied, KmsDisabled, and SQS's other errors about keys."""
        if queue.arn in self.queues:
            self._data_keys.encrypt(request, queue.arn, queue.attributes["KmsMasterKeyId"], self._reuse_of(queue))

    def before_receive(self, queue: AnyQueue, request: Request) -> None:
        """Decrypt the data key of the queue's messages for the receiver. Raises as `before_send`."""
        self._decrypt(queue.arn, queue, request)

    def received(self, queue: AnyQueue, request: Request, messages: list[Message]) -> None:
        """Decrypt what else is needed: a message in a dead-letter queue is encrypted with its source queue's key.

        Raises as `before_send`; the messages then stay in flight until their visibility timeout ends.
        """
        for source in dict.fromkeys((queue.arn, *(message.source for message in messages))):
            self._decrypt(source, queue, request)

    def _decrypt(self, source: str, queue: AnyQueue, request: Request) -> None:
        if source in self.queues:
            self._data_keys.decrypt(request, source, queue.arn, self._reuse_of(queue))

    def _reuse_of(self, queue: AnyQueue) -> int:
        return int(queue.attributes.get("KmsDataKeyReusePeriodSeconds", self._reuse))
