"""What SQS accepts as a message: bodies, attributes, the ids of FIFO queues.

Source: SQS API reference (SendMessage, MessageAttributeValue). The tests say which error texts were recorded from AWS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from lablib.aws.attributes import Quotas
from lablib.aws.lists import check_batch
from lablib.aws.messages import Document, is_attribute_name, is_data_type, is_fifo_id, is_number, size_of, value_field
from lablib.aws.service import NotSimulated, ServiceError
from lablib.services.sqs.errors import bad_parameter, bad_value, missing, sqs_error

_WRONG_TYPE = "The request include parameter that is not valid for this queue type."
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_BATCH_TEXTS = {
    "TooManyEntriesInBatchRequest": "Maximum number of entries per request are {most}. You have sent {count}.",
    "InvalidBatchEntryId": (
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
        "It can be at most 80 letters long."
    ),
    "BatchEntryIdsNotDistinct": "Id {id} repeated.",
}


def _forbidden(text: str) -> re.Match[str] | None:
    return None if text.isascii() and text.isprintable() else _FORBIDDEN.search(text)


def check_body(body: str) -> None:
    """Raise MissingParameter for an empty body, InvalidMessageContents for characters that SQS refuses."""
    if body and body.isascii() and body.isprintable():  # nearly always
        return
    if not body:
        raise missing("MessageBody")
    if bad := _forbidden(body):
        raise ServiceError(
            "InvalidMessageContents",
            f"Invalid binary character '#x{ord(bad[0]):X}' was found in the message body, "
            "the set of allowed characters is "
            "#x9 | #xA | #xD | [#x20 to #xD7FF] | [#xE000 to #xFFFD] | [#x10000 to #x10FFFF]",
        )


def size_within(longest: int, body: str, attributes: Mapping[str, Document] | None, what: str = "are invalid") -> int:
    """The size of a message. Raises InvalidParameterValue when it is too long; in a batch in other words (recorded)."""
    size = size_of(body, attributes)
    if size > longest:
        text = f"Message must be shorter than {longest} bytes."
        raise bad_parameter(f"One or more parameters {what}. Reason: {text}")
    return size


def check_standard_send(group: str | None, deduplication: str | None, quotas: Quotas) -> None:
    """Raise InvalidParameterValue for parameters of FIFO queues, NotSimulated for fair queues."""
    if deduplication is not None:
        raise bad_value(deduplication, "MessageDeduplicationId", _WRONG_TYPE)
    if group is not None and quotas["sqs.fair_queues"]:
        check_fifo_id(group, "MessageGroupId", quotas)
        raise NotSimulated("MessageGroupId on a standard queue (fair queues) is not simulated: leave it out")
    if group is not None:
        raise bad_value(group, "MessageGroupId", _WRONG_TYPE)


def check_fifo_send(group: str | None, deduplication: str | None, delay: int | None, quotas: Quotas) -> None:
    """Raise MissingParameter without a group, InvalidParameterValue for bad ids or a delay of its own."""
    if not group:
        raise missing("MessageGroupId")
    check_fifo_id(group, "MessageGroupId", quotas)
    if deduplication is not None:
        check_fifo_id(deduplication, "MessageDeduplicationId", quotas)
    if delay:
        raise bad_value(delay, "DelaySeconds", _WRONG_TYPE)


def check_fifo_id(id: str, parameter: str, quotas: Quotas, fifo: bool = True) -> None:
    """Raise InvalidParameterValue unless `id` may be a value of this parameter, which only FIFO queues have."""
    if not fifo:
        raise bad_value(id, parameter, _WRONG_TYPE)
    longest = quotas["sqs.fifo_id_length"]
    if not is_fifo_id(id, longest):
        only = f"{parameter} can only include alphanumeric and punctuation characters."
        raise bad_value(id, parameter, f"{only} 1 to {longest} in length.")


def check_message_attributes(attributes: Mapping[str, Document], quotas: Quotas) -> None:
    """Raise InvalidParameterValue unless a message may have these attributes."""
    most = quotas["sqs.message_attributes"]
    if len(attributes) > most:
        raise bad_parameter(f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{most}].")
    for name, attribute in attributes.items():
        _check_message_attribute(name, attribute, quotas)


@lru_cache(maxsize=256)
def _naming_fault(name: str, kind: str, longest: int) -> str:
    """The error text for an attribute's name and type; empty when they are valid."""
    if not 1 <= len(name) <= longest:
        return f"Message (user) attribute name must be 1 to {longest} characters long. It has {len(name)}."
    if name.lower().startswith(("aws.", "amazon.")):
        return f"Message (user) attribute name '{name}' must not begin with 'AWS.' or 'Amazon.'."
    if not is_attribute_name(name, any_alphabet=True):
        return (
            f"The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, "
            "underscore (_), hyphen (-), and period (.) characters."
        )
    if not is_data_type(kind) or len(kind) > longest:
        return (
            f"The type of message (user) attribute '{name}' is invalid. "
            "You must use only the following supported type prefixes: Binary, Number, String."
        )
    return ""


def _check_message_attribute(name: str, attribute: Document, quotas: Quotas) -> None:
    kind = attribute["DataType"]
    if fault := _naming_fault(name, kind, quotas["sqs.attribute_name_length"]):
        raise bad_parameter(fault)
    value = attribute.get(value_field(attribute))
    if not value:
        kind = kind.partition(".")[0]
        raise bad_parameter(f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.")
    if kind.startswith("Number") and not is_number(value):
        raise bad_parameter(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    if isinstance(value, str) and _forbidden(value):
        raise bad_parameter(f"Message (user) attribute '{name}' contains a character that is not allowed.")


def check_system_attributes(attributes: Mapping[str, Document]) -> None:
    """Raise InvalidParameterValue unless these are what SendMessage takes: AWSTraceHeader, a string."""
    for name, attribute in attributes.items():
        if name != "AWSTraceHeader":
            raise bad_parameter(f"Message (system) attribute '{name}' is invalid. Only AWSTraceHeader is supported.")
        if attribute["DataType"] != "String" or not attribute.get("StringValue"):
            raise bad_parameter(f"Message (system) attribute '{name}' must contain a non-empty value of type 'String'.")


def check_entries(entries: list[Document], kind: str, most: int) -> None:
    """Raise what SQS raises for a batch without entries, with too many, or with bad ids."""
    texts = _BATCH_TEXTS | {"EmptyBatchRequest": f"There should be at least one {kind} in the request."}
    check_batch([entry["Id"] for entry in entries], most, texts, sqs_error)
