"""SSE-KMS: how SQS uses the KMS key of an encrypted queue, as whoever sends or receives.

SQS asks KMS for a data key to encrypt with, or to open the data key that messages were encrypted with, in the name of
its caller, and reuses it for KmsDataKeyReusePeriodSeconds. Data keys are not shared between callers. So taking a right
away, or disabling the key, is felt only when the period ends (SQS developer guide, "Amazon SQS Key management").
Assumed: SQS asks before it looks for messages, and only when there is something to open.
"""

from __future__ import annotations

from dataclasses import replace

from lablib.services._base import AnswerLost, Arn, Call, Principal, ServiceError, World
from lablib.services._policy import administrator
from lablib.services._sqs_common import AnyQueue
from lablib.services._sqs_servers import Message

# What SQS makes of KMS's errors: the name of the error, and its code (SQS's service model). KmsOptInRequired cannot
# happen here.
_ERRORS = {
    "AccessDeniedException": ("KmsAccessDenied", "KMS.AccessDeniedException"),
    "DisabledException": ("KmsDisabled", "KMS.DisabledException"),
    "InvalidKeyUsageException": ("KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException"),
    "KMSInvalidStateException": ("KmsInvalidState", "KMS.InvalidStateException"),
    "NotFoundException": ("KmsNotFound", "KMS.NotFoundException"),
    "ThrottlingException": ("KmsThrottled", "KMS.ThrottlingException"),
}


class DataKeys:
    """The data keys that one region's queues use, of the queues whose messages KMS keys protect."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.queues: dict[str, AnyQueue] = {}  # by ARN; empty for most clouds, and then SQS asks no further
        self._blobs: dict[str, tuple[str, bytes]] = {}  # of a queue's messages: which key closed the data key
        self._until: dict[tuple[str, ...], float] = {}  # until when somebody's data key is reused

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
            fresh = self._ask(queue, key, call, "generate_data_key", {"key_id": key, "key_spec": "AES_256"})
            if fresh:
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
            self._ask(queue, key, call, "decrypt", {"ciphertext_blob": blob, "key_id": key})

    def _ask(
        self, queue: AnyQueue, key: str, call: Call, operation: str, params: dict[str, object]
    ) -> dict[str, bytes] | None:
        """Call KMS in the caller's name; None when its data key can be reused."""
        world = self._world
        who = call.principal or administrator(world.account)
        asked = (queue.arn, key, who.arn or who.service, operation)
        now = world.kernel.now
        if now < self._until.get(asked, 0.0):
            return None
        arn = Arn.parse(key) or Arn("kms", world.region, world.account, key)
        try:
            answer = world.peers.deliver(
                arn, operation, params, principal=self._through_sqs(who), caller=f"sqs/{queue.name}", cause=call.row
            )
        except ServiceError as error:
            shape, code = _ERRORS.get(error.code, ("KmsThrottled", "KMS.ThrottlingException"))
            text = f"{error.message} (Service: AWSKMS; Status Code: {error.status}; Error Code: {error.code})"
            raise ServiceError(shape, text, code=code) from None
        except AnswerLost:
            raise ServiceError("ServiceUnavailable", "KMS did not answer.", status=503, sender_fault=False) from None
        reuse = queue.attributes.get("KmsDataKeyReusePeriodSeconds", world.figures["sqs.data_key_reuse"])
        self._until[asked] = now + int(reuse)
        return answer

    def _through_sqs(self, who: Principal) -> Principal:
        via = {"kms:ViaService": f"sqs.{self._world.region}.amazonaws.com"}
        return replace(who, context={**who.context, **via})
