"""Amazon SNS: topics, subscriptions, messages to telephones and to apps.

An operation is a method; what it checks, which error it raises, and its answer follow the SNS API reference
(2010-03-31). Subscribing is in `subscribing`, delivery and its retries in `delivery`, the forms of a message
in `messages`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from lablib.aws.lists import Tags, check_batch, run_batch
from lablib.aws.messages import content_id, size_of
from lablib.aws.service import NotSimulated, Request, ServiceError
from lablib.services.sns import checks, permissions
from lablib.services.sns.attributes import check_principals, check_topic_attributes
from lablib.services.sns.bill import bill
from lablib.services.sns.checks import Document, invalid
from lablib.services.sns.delivery import delivery_id
from lablib.services.sns.messages import Message
from lablib.services.sns.outside import payload
from lablib.services.sns.push import Pushing
from lablib.services.sns.sms import Texting
from lablib.services.sns.subscribing import Subscribing
from lablib.services.sns.topics import Subscription, Topic

_BATCH_TEXTS = {
    "EmptyBatchRequest": "The batch request doesn't contain any entries.",
    "TooManyEntriesInBatchRequest": "The batch request contains more entries than permissible.",
    "BatchEntryIdsNotDistinct": "Two or more batch entries in the request have the same Id.",
    "InvalidBatchEntryId": "The Id of a batch entry in a batch request doesn't abide by the specification.",
}
_NO_TARGET = "TopicArn or TargetArn Reason: no value for required parameter"

_DEFAULTS = {"SignatureVersion": "1", "TracingConfig": "PassThrough"}  # of topics: an attribute that is not missing


class Sns(Subscribing, Texting, Pushing):
    """Amazon SNS in one region."""

    bill = staticmethod(bill)

    # ---- topics ------------------------------------------------------------------------------------------------------

    def create_topic(
        self,
        request: Request,
        *,
        name: str,
        attributes: dict[str, str] | None = None,
        tags: list[dict[str, str]] | None = None,
    ) -> Document:
        given = dict(attributes or {})
        fifo = given.get("FifoTopic", "").lower() == "true"
        checks.check_name(name, fifo)
        clean = check_topic_attributes(given, fifo, self.world.quotas, creating=True)
        check_principals(clean.get("Policy"), self.world)
        own_tags = _read_tags(tags)
        existing = self.topics.get(name)
        if existing:
            if any((existing.attributes.get(key) or _DEFAULTS.get(key, "")) != value for key, value in clean.items()):
                raise invalid("Attributes Reason: Topic already exists with different attributes")
            if any(existing.tags.get(key) != value for key, value in own_tags.items()):
                raise invalid("Tags Reason: Topic already exists with different tags")
            return {"TopicArn": existing.arn}
        self._check_topic_room(fifo)
        topic = self.topics[name] = Topic(self.world, name, self.arn(name))
        if fifo:
            clean = {"FifoTopic": "true", "ContentBasedDeduplication": "false"} | clean
        self._configure(topic, clean)
        topic.tags.update(own_tags)
        self.world.trace.add("TopicCreated", name, "", request.caller, request.row)
        return {"TopicArn": topic.arn}

    def _check_topic_room(self, fifo: bool) -> None:
        most = self.world.quotas["sns.fifo_topics" if fifo else "sns.topics"]
        if sum(topic.fifo == fifo for topic in self.topics.values()) >= most:
            raise ServiceError("TopicLimitExceeded", f"Topic limit exceeded: {most}", status=403)

    def _configure(self, topic: Topic, attributes: dict[str, str]) -> None:
        topic.configure(attributes)
        self.has_policies = self.has_policies or "Policy" in topic.attributes

    def delete_topic(self, request: Request, *, topic_arn: str) -> Document:
        if checks.split_arn(topic_arn, "TopicArn")[3] != self.world.region:
            raise invalid("TopicArn")
        topic = self.topics.get(topic_arn.rpartition(":")[2])
        if topic and topic.arn == topic_arn:
            for subscription in list(topic.subscriptions.values()):
                self._remove(subscription)
            del self.topics[topic.name]
            topic.deleted = True
            self.world.trace.add("TopicDeleted", topic.name, "", request.caller, request.row)
        return {}

    def list_topics(self, request: Request, *, next_token: str | None = None) -> Document:
        page, more = self._page((topic.arn for topic in self.topics.values()), next_token)
        return {"Topics": [{"TopicArn": arn} for arn in page]} | more

    def get_topic_attributes(self, request: Request, *, topic_arn: str) -> Document:
        return {"Attributes": self._topic(topic_arn).describe()}

    def set_topic_attributes(
        self, request: Request, *, topic_arn: str, attribute_name: str, attribute_value: str = ""
    ) -> Document:
        topic = self._topic(topic_arn)
        given = {attribute_name: attribute_value}
        clean = check_topic_attributes(given, topic.fifo, self.world.quotas, current=topic)
        check_principals(clean.get("Policy"), self.world)
        self._configure(topic, clean)
        return {}

    def tag_resource(self, request: Request, *, resource_arn: str, tags: list[dict[str, str]]) -> Document:
        too_many = ServiceError("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
        self._tagged(resource_arn).tags.add(_read_tags(tags), self.world.quotas["sns.tags"], too_many)
        return {}

    def untag_resource(self, request: Request, *, resource_arn: str, tag_keys: list[str]) -> Document:
        self._tagged(resource_arn).tags.remove(tag_keys)
        return {}

    def list_tags_for_resource(self, request: Request, *, resource_arn: str) -> Document:
        return {"Tags": self._tagged(resource_arn).tags.listed()}

    def _tagged(self, arn: str) -> Topic:
        checks.split_arn(arn, "ResourceArn")
        topic = self.topics.get(arn.rpartition(":")[2])
        if topic is None or topic.arn != arn:
            raise ServiceError("ResourceNotFound", "Resource does not exist", status=404)
        return topic

    def add_permission(
        self, request: Request, *, topic_arn: str, label: str, aws_account_id: list[str], action_name: list[str]
    ) -> Document:
        topic = self._topic(topic_arn)
        self._configure(topic, {"Policy": permissions.grant(topic, label, aws_account_id, action_name)})
        return {}

    def remove_permission(self, request: Request, *, topic_arn: str, label: str) -> Document:
        topic = self._topic(topic_arn)
        self._configure(topic, {"Policy": permissions.revoke(topic, label)})
        return {}

    # ---- publishing --------------------------------------------------------------------------------------------------

    def publish(
        self,
        request: Request,
        *,
        message: str,
        topic_arn: str | None = None,
        target_arn: str | None = None,
        phone_number: str | None = None,
        subject: str | None = None,
        message_structure: str | None = None,
        message_attributes: dict[str, Document] | None = None,
        message_deduplication_id: str | None = None,
        message_group_id: str | None = None,
    ) -> Document:
        if sum(given is not None for given in (topic_arn, target_arn, phone_number)) != 1:
            raise invalid(_NO_TARGET)
        if phone_number is not None:
            checks.check_phone(phone_number)
            topic, message_structure = self._topic_of("sms", phone_number), None
        elif target_arn and ":endpoint/" in target_arn:
            platform = self._ready_device(target_arn).application.platform
            payload(platform, checks.parse_structure(message) if message_structure else {"default": message})
            topic = self._topic_of("application", target_arn)
        else:
            topic = self._topic(topic_arn) if topic_arn is not None else self._topic(target_arn or "", "TargetArn")
        ids = (message_group_id, message_deduplication_id)
        prepared = self._prepare(topic, message, subject, message_structure, message_attributes, *ids)
        if prepared.size > topic.message_size:
            raise invalid("Message too long")
        self._admit(topic, [prepared], request)
        return self._store(prepared, request)

    def publish_batch(
        self, request: Request, *, topic_arn: str, publish_batch_request_entries: list[dict[str, Any]]
    ) -> Document:
        entries = publish_batch_request_entries
        most = self.world.quotas["sns.batch_entries"]
        check_batch([entry["Id"] for entry in entries], most, _BATCH_TEXTS, ServiceError)
        topic = self._topic(topic_arn)
        names = ("Subject", "MessageStructure", "MessageAttributes", "MessageGroupId", "MessageDeduplicationId")
        prepared = {entry["Id"]: self._prepare(topic, entry["Message"], *map(entry.get, names)) for entry in entries}
        if sum(message.size for message in prepared.values()) > topic.message_size:
            text = "The length of all the messages put together is more than the limit."
            raise ServiceError("BatchRequestTooLong", text)
        self._admit(topic, list(prepared.values()), request)
        return run_batch(request, entries, lambda entry: self._store(prepared[entry["Id"]], request))

    def _topic_of(self, protocol: str, endpoint: str) -> Topic:
        """The topic that the model gives an endpoint, for messages that are published to it without a topic."""
        topic = self._direct.get(endpoint)
        if topic is None:
            topic = self._direct[endpoint] = Topic(self.world, endpoint.rpartition("/")[2], endpoint)
            topic.direct = True
            topic.subscriptions[""] = Subscription(topic, "", protocol, endpoint, self.world.account, "")
        return topic

    def _prepare(
        self,
        topic: Topic,
        text: str,
        subject: str | None,
        structure: str | None,
        attributes: dict[str, Document] | None,
        group: str | None,
        deduplication: str | None,
    ) -> Message:
        """A message that was checked, not yet stored. Raises InvalidParameter or ParameterValueInvalid."""
        if subject is not None:
            checks.check_subject(subject)
        if not text:
            raise invalid("Empty message")
        if attributes:
            checks.check_message_attributes(attributes)
        message = Message(topic, text, subject, attributes)
        message.size = size_of(text, attributes)
        if topic.fifo:
            self._check_fifo(message, group, deduplication)
        else:
            self._check_standard(group, deduplication)
        if structure is not None:
            if structure != "json":
                raise invalid("MessageStructure")
            message.texts = checks.parse_structure(text)
            if "default" not in message.texts and not topic.direct:
                raise invalid("Message Structure - No default entry in JSON message body")
        return message

    def _check_fifo(self, message: Message, group: str | None, deduplication: str | None) -> None:
        if not group:
            raise invalid("The MessageGroupId parameter is required for FIFO topics")
        checks.check_fifo_id(group, "MessageGroupId")
        if deduplication is not None:
            checks.check_fifo_id(deduplication, "MessageDeduplicationId")
        elif not message.topic.content_based:
            either = "ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
            raise invalid(f"The topic should either have {either}")
        message.group = group
        message.deduplication = deduplication or content_id(message.text)

    def _check_standard(self, group: str | None, deduplication: str | None) -> None:
        wrong = "Reason: The request includes {0} parameter that is not valid for this topic type"
        if deduplication is not None:
            raise invalid(f"MessageDeduplicationId {wrong.format('MessageDeduplicationId')}")
        if group is not None and not self.world.quotas["sns.fair_queues"]:
            raise invalid(f"MessageGroupId {wrong.format('MessageGroupId')}")
        if group is not None:
            raise NotSimulated("MessageGroupId on a standard topic (fair queues) is not simulated: leave it out")

    def _admit(self, topic: Topic, messages: list[Message], request: Request) -> None:
        """Raise Throttling when these are too many: for the account, and for a FIFO topic and its groups.

        Raises KMSAccessDenied and other errors when the publisher cannot use the topic's key.
        """
        if key := topic.attributes.get("KmsMasterKeyId"):
            self._data_keys.encrypt(request, topic.arn, key, self.world.quotas["sns.data_key_reuse"])
        self._limit(self._buckets, "", self._publish_rate, request, topic.name, len(messages))
        if topic.fifo:
            if not topic.group_scope:
                self._limit(topic.groups, "", "sns.fifo_rate", request, topic.name, len(messages))
            for group, count in Counter(message.group for message in messages).items():
                self._limit(topic.groups, group, "sns.fifo_group_rate", request, topic.name, count)

    def _store(self, message: Message, request: Request) -> Document:
        """Publish answers when the message is stored; its deliveries begin now."""
        message.trace_header = request.trace_header
        topic, trace = message.topic, self.world.trace
        if topic.fifo:
            original = topic.repeats.original(message.group if topic.group_scope else None, message.deduplication)
            if original:
                trace.add("Deduplicated", topic.name, original.id, request.caller, request.row, message.deduplication)
                return original.answer()
            topic.repeats.note(message, message.group, message.deduplication)
        message.accept(self.world.chance.uuid("sns/messages"))
        message.row = trace.add("Published", topic.name, message.id, request.caller, request.row, message.size)
        if topic.fifo:
            trace.add("JoinedGroup", topic.name, message.id, "", message.row, message.group)
        for subscription in topic.subscriptions.values():
            if not subscription.confirmed:
                continue
            if subscription.filter and (why := subscription.refusal(message)):
                about = delivery_id(message, subscription)
                trace.add("FilteredOut", topic.name, about, subscription.name, message.row, why)
            else:
                self.deliverer.send(message, subscription)
        return message.answer()


def _read_tags(tags: list[dict[str, str]] | None) -> Tags:
    return Tags.read(tags, repeated=invalid("Duplicated keys are not allowed."))
