"""A message on its way through a topic, and the forms in which it reaches its subscribers.

The JSON envelope has the fields, the order and the spaces that SNS writes (SNS developer guide, "Amazon SNS message and
JSON formats"; that a FIFO topic's has a sequence number and no signature was recorded from AWS). The signature is an
opaque text that depends on the message only: there is no certificate with which to check it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cached_property
from hashlib import shake_256
from typing import TYPE_CHECKING

from lablib.aws.dates import iso
from lablib.aws.documents import read_json
from lablib.aws.messages import Document

if TYPE_CHECKING:
    from lablib.services.sns.topics import Subscription, Topic

_CERTIFICATE = "SimpleNotificationService-01d088a6f77103d0fe307c0069e40ed6.pem"


class Message:
    """A message that was published. `texts` holds those for single protocols of a MessageStructure json."""

    def __init__(
        self, topic: Topic, text: str, subject: str | None = None, attributes: dict[str, Document] | None = None
    ) -> None:
        self.topic = topic
        self.id = ""
        self.text = text
        self.subject = subject
        self.attributes = attributes or {}
        self.texts: dict[str, str] | None = None
        self.group = self.deduplication = self.sequence = ""
        self.size = 0
        self.row = -1
        self.published = topic.world.kernel.now
        self.kind = "Notification"
        self.token = self.trace_header = ""
        self._heads: dict[str, str] = {}  # of the envelope, by protocol

    def accept(self, id: str) -> None:
        """Store it: give it an id, and in a FIFO topic a sequence number."""
        topic = self.topic
        self.id = id
        self.published = topic.world.kernel.now
        if topic.fifo:
            topic.sequence += 1000
            self.sequence = str(topic.sequence)

    def answer(self) -> Document:
        """What Publish answers."""
        sequence = {"SequenceNumber": self.sequence} if self.sequence else {}
        return {"MessageId": self.id} | sequence

    def text_for(self, protocol: str) -> str:
        """What subscribers of this protocol read."""
        if self.texts is None:
            return self.text
        return self.texts.get(protocol, self.texts.get("default", ""))

    @cached_property
    def timestamp(self) -> str:
        """When it was published, as SNS writes it: 2023-04-01T00:00:00.000Z."""
        return iso(self.topic.world.kernel.epoch + self.published)

    @cached_property
    def signature(self) -> str:
        """An opaque text of the length of a real signature."""
        return b64encode(shake_256(f"{self.id}{self.text}".encode("utf-8", "surrogatepass")).digest(256)).decode()

    @cached_property
    def plain_attributes(self) -> dict[str, Document]:
        """Its attributes as an envelope shows them: bytes in base64."""
        return {
            name: {
                "Type": attribute["DataType"],
                "Value": attribute["StringValue"]
                if "StringValue" in attribute
                else b64encode(attribute["BinaryValue"]).decode(),
            }
            for name, attribute in self.attributes.items()
        }

    @cached_property
    def broken_attributes(self) -> list[str]:
        """The names of those of type String.Array that are no arrays."""
        arrays = {name: a["StringValue"] for name, a in self.attributes.items() if a["DataType"] == "String.Array"}
        return [name for name, text in arrays.items() if not _is_array(text)]

    def envelope(self, subscription: Subscription) -> str:
        """The JSON document that a subscriber without raw delivery gets."""
        head = self._heads.get(subscription.protocol)
        if head is None:
            head = self._heads[subscription.protocol] = _lines(self.fields(subscription.protocol))
        if not self.token:
            head += f',\n  "UnsubscribeURL" : "{self.unsubscribe_url(subscription)}"'
        if self.attributes:
            head += f',\n  "MessageAttributes" : {self._attribute_lines}'
        return f"{{\n{head}\n}}"

    def line(self, subscription: Subscription) -> str:
        """As a delivery stream gets it: the envelope on a line of its own, without the signature (guide, "Formatting
        notifications for storage in Amazon S3 destinations")."""
        document = json.loads(self.envelope(subscription))
        fields = {name: value for name, value in document.items() if not name.startswith("Sign")}
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"

    @cached_property
    def _attribute_lines(self) -> str:
        lines = (
            f"    {json.dumps(name)} : {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
            for name, value in self.plain_attributes.items()
        )
        return "{\n" + ",\n".join(lines) + "\n  }"

    def fields(self, protocol: str) -> dict[str, str]:
        """The fields of the envelope that are the same for all subscribers of a protocol, in their order."""
        topic = self.topic
        fields = {"Type": self.kind, "MessageId": self.id}
        if self.sequence:
            fields["SequenceNumber"] = self.sequence
        if self.token:
            fields["Token"] = self.token
        fields["TopicArn"] = topic.arn
        if self.subject is not None:
            fields["Subject"] = self.subject
        fields["Message"] = self.text_for(protocol)
        if self.token:
            fields["SubscribeURL"] = self.subscribe_url
        fields["Timestamp"] = self.timestamp
        if not self.sequence:
            fields["SignatureVersion"] = topic.attributes.get("SignatureVersion", "1")
            fields["Signature"] = self.signature
            fields["SigningCertURL"] = f"{topic.url}{_CERTIFICATE}"
        return fields

    @property
    def subscribe_url(self) -> str:
        """Where to go to confirm."""
        return f"{self.topic.url}?Action=ConfirmSubscription&TopicArn={self.topic.arn}&Token={self.token}"

    def unsubscribe_url(self, subscription: Subscription) -> str:
        """Where to go to get no more."""
        return f"{self.topic.url}?Action=Unsubscribe&SubscriptionArn={subscription.arn}"

    def event(self, subscription: Subscription) -> bytes:
        """The event that a Lambda function gets (Lambda developer guide, "Using AWS Lambda with Amazon SNS")."""
        fields = self.fields(subscription.protocol)
        own = {
            "Type": fields["Type"],
            "MessageId": fields["MessageId"],
            "TopicArn": fields["TopicArn"],
            "Subject": self.subject,
            "Message": fields["Message"],
            "Timestamp": fields["Timestamp"],
            "SignatureVersion": fields.get("SignatureVersion", "1"),
            "Signature": self.signature,
            "SigningCertUrl": fields.get("SigningCertURL", ""),
            "UnsubscribeUrl": self.unsubscribe_url(subscription),
            "MessageAttributes": self.plain_attributes,
        }
        record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription.arn, "Sns": own}
        return json.dumps({"Records": [record]}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _lines(fields: dict[str, str]) -> str:
    return ",\n".join(f'  "{name}" : {json.dumps(value, ensure_ascii=False)}' for name, value in fields.items())


def _is_array(text: str) -> bool:
    try:
        return isinstance(read_json(text), list)
    except ValueError:
        return False
