"""A message as a queue keeps it, and as a receiver gets it."""

from __future__ import annotations

from typing import Self

from lablib.aws.messages import Document, md5_of_attributes, md5_of_body, select_attributes

SYSTEM_ATTRIBUTES = (  # that a receiver may ask for
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
)
VISIBLE, DELAYED, IN_FLIGHT, GONE = range(4)
NEVER = float("inf")
SPARE = 64  # dead entries that a container may hold before it is cleaned


class Message:
    """A message. `stamp` changes with its state and makes older entries about it dead; `copies` has a bit a server.

    It has an id once a queue stores it. `group_id` and `deduplication_id` are those of FIFO queues.
    """

    __slots__ = (
        "attributes", "body", "code", "copies", "deduplication_id", "digest", "first", "group_id", "handle", "id",
        "received", "receives", "row", "sender", "sent", "source", "stamp", "state", "trace_header",
    )  # fmt: skip

    def __init__(
        self,
        body: str,
        sender: str,
        attributes: Document | None = None,
        trace_header: str = "",
        group_id: str = "",
        deduplication_id: str = "",
    ) -> None:
        self.id = ""
        self.code: str | int = ""  # the number of its id in the trace, once it is known there
        self.body = body
        self.attributes = attributes  # None when there are none, as is usual
        self.digest = ""  # MD5OfMessageAttributes, when it has some
        self.trace_header = trace_header
        self.group_id = group_id
        self.deduplication_id = deduplication_id
        self.sender = sender
        self.sent = self.first = self.received = 0.0  # and when it was first, and when it was last received
        self.source = ""  # the ARN of the queue that gave it to this dead-letter queue
        self.state = VISIBLE
        self.stamp = 0  # 0: not received yet, and not delayed
        self.copies = 0
        self.receives = 0
        self.row = -1  # its latest row in the trace
        self.handle = ""  # of its latest receive; made when it is asked for

    def again(self, id: str = "") -> Self:
        """A new message with the same contents."""
        more = (self.attributes, self.trace_header, self.group_id, id)
        return type(self)(self.body, self.sender, *more)

    def moved(self, source: str, row: int) -> Self:
        """The message as a dead-letter queue gets it from the queue with the ARN `source`: its id replaces the
        deduplication id, and its receive count goes on."""
        message = self.again(self.id)
        message.id = message.code = self.id
        message.receives, message.first, message.received = self.receives, self.first, self.received
        message.source, message.row = source, row
        return message

    def system_attributes(self, epoch: float) -> dict[str, str]:
        """What a receiver can ask for besides the body, by its name; empty where there is nothing."""
        return {
            "SenderId": self.sender,
            "SentTimestamp": str(int((epoch + self.sent) * 1000)),
            "ApproximateReceiveCount": str(self.receives),
            "ApproximateFirstReceiveTimestamp": str(int((epoch + self.first) * 1000)),
            "AWSTraceHeader": self.trace_header,
            "DeadLetterQueueSourceArn": self.source,
        }

    def document(self, handle: str, epoch: float, system: list[str], own: list[str] | None) -> Document:
        """The message as ReceiveMessage answers it, with the attributes that were asked for: SQS's and its own."""
        document: Document = {
            "MessageId": self.id,
            "ReceiptHandle": handle,
            "MD5OfBody": md5_of_body(self.body),
            "Body": self.body,
        }
        if system:
            values = self.system_attributes(epoch)
            chosen = {name: value for name, value in values.items() if value and ("All" in system or name in system)}
            if chosen:
                document["Attributes"] = chosen
        if own and self.attributes:
            attributes = select_attributes(self.attributes, own)
            if attributes:
                document["MessageAttributes"] = attributes
                all_of_them = len(attributes) == len(self.attributes) and self.digest
                document["MD5OfMessageAttributes"] = all_of_them or md5_of_attributes(attributes)
        return document
