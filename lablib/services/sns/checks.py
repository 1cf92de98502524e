"""What SNS accepts: ARNs, names and message attributes, checked as AWS checks them.

Sources: SNS API reference (Publish, Subscribe, MessageAttributeValue); SNS developer guide, "Amazon SNS message
attributes". The fidelity tests say which error texts were recorded from AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lablib.aws.arn import Arn
from lablib.aws.attributes import json_map
from lablib.aws.documents import TooDeep
from lablib.aws.messages import Document, is_attribute_name, is_data_type, is_fifo_id, is_number
from lablib.aws.service import ServiceError

Quotas = Mapping[str, Any]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_SUBJECT = re.compile(r"[!-~][ -~]*")  # begins with a letter, digit or punctuation; no line breaks
_PHONE = re.compile(r"\+[1-9][0-9]{1,14}")


# ---- errors ----------------------------------------------------------------------------------------------------------


def invalid(text: str) -> ServiceError:
    """InvalidParameter."""
    return ServiceError("InvalidParameter", f"Invalid parameter: {text}")


def bad_attribute(text: str) -> ServiceError:
    """ParameterValueInvalid: of message attributes."""
    return ServiceError("ParameterValueInvalid", text)


def not_found(what: str) -> ServiceError:
    """NotFound: a topic, subscription, application or endpoint that does not exist."""
    return ServiceError("NotFound", f"{what} does not exist", status=404)


def no_json(text: str, error: Exception) -> str:
    """That a text is no JSON: of the two mistakes that were recorded in the words of AWS's parser, else in Python's."""
    words = "nested too deeply" if isinstance(error, TooDeep) else str(error)
    if isinstance(error, json.JSONDecodeError):
        rest, column = text[error.pos :], error.colno
        token = re.match(r"[A-Za-z_$][\w$]*", rest)
        found = ""
        if error.msg.startswith("Expecting property name") and rest:
            odd = f"Unexpected character ('{rest[0]}' (code {ord(rest[0])}))"
            found = f"{odd}: was expecting double-quote to start field name"
            column += 1
        elif error.msg == "Expecting value" and token:
            known = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            found = f"Unrecognized token '{token[0]}': was expecting {known}"
            column += len(token[0])
        if found:
            words = f'{found}\n at [Source: (String)"{text}"; line: {error.lineno}, column: {column}]'
    return f"failed to parse JSON. {words}"


# ---- names and ARNs --------------------------------------------------------------------------------------------------


def split_arn(text: str, parameter: str) -> list[str]:
    """The parts of an ARN. Raises InvalidParameter when `text` is none."""
    parts = text.split(":")
    if len(parts) < 6:
        raise invalid(f"{parameter} Reason: An ARN must have at least 6 elements, not {len(parts)}")
    if parts[0] != "arn":
        raise invalid(f"{parameter} Reason: {text} does not start with arn")
    return parts


def account_of(text: str) -> str:
    """The account in an ARN; empty when it is none."""
    parts = text.split(":")
    return parts[4] if len(parts) >= 6 else ""


def check_name(name: str, fifo: bool) -> None:
    """Raise InvalidParameter unless `name` may be the name of a topic of this type."""
    own = name.removesuffix(".fifo") if fifo else name
    if fifo and own == name:
        raise invalid("Topic Name")
    if not _NAME.fullmatch(own) or len(name) > 256:
        raise invalid("Topic Name")


def check_phone(number: str, wrong: str = "") -> None:
    """Raise InvalidParameter unless `number` is a phone number in the form E.164."""
    if not _PHONE.fullmatch(number):
        raise invalid(f"PhoneNumber Reason: {wrong or f'{number} is not valid to publish to'}")


def is_phone(number: str) -> bool:
    """Is this a phone number in the form E.164, such as +15555550100? Single marks may stand between its digits."""
    return _PHONE.fullmatch(re.sub(r"(?<=[0-9])[./-](?=[0-9])", "", number)) is not None


def queue_arn(text: str) -> Arn | None:
    """The parts of the ARN of a queue; None when it is none."""
    arn = Arn.parse(text)
    return arn if arn and arn.service == "sqs" and re.fullmatch("[0-9]{12}", arn.account) else None


# ---- messages --------------------------------------------------------------------------------------------------------


def check_subject(subject: str) -> None:
    """Raise InvalidParameter: a subject is ASCII text of 1 to 100 characters in one line (API reference, Publish)."""
    if len(subject) > 100 or not _SUBJECT.fullmatch(subject):
        raise invalid("Subject")


def parse_structure(message: str) -> dict[str, str]:
    """The texts for the protocols in a message with MessageStructure json. Values that are no strings are ignored."""
    texts = json_map(message)
    if texts is None:
        raise invalid("Message Structure - JSON message body failed to parse")
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def check_fifo_id(id: str, parameter: str) -> None:
    """Raise InvalidParameter unless `id` may be a group's or a deduplication id."""
    if not is_fifo_id(id):
        only = "can only include alphanumeric and punctuation characters. 1 to 128 in length"
        raise invalid(f"{parameter} Reason: {parameter} {only}")


def check_message_attributes(attributes: Mapping[str, Document]) -> None:
    """Raise ParameterValueInvalid unless a message may have these attributes."""
    for name, attribute in attributes.items():
        if not is_attribute_name(name) or len(name) > 256:
            raise bad_attribute(_naming_fault(name))
        _check_value(name, attribute)


def _naming_fault(name: str) -> str:
    if len(name) > 256:
        return "Length of message attribute name must be less than 256 bytes."
    if name.startswith(".") or not name:
        return "Invalid message attribute name starting with character '.' was found."
    if name.endswith("."):
        return "Invalid message attribute name ending with character '.' was found."
    bad = re.search(r"[^A-Za-z0-9_.-]|\.(?=\.)", name)
    if bad is None or bad[0] == ".":
        return "Message attribute name can not have successive '.' character."
    return (
        f"Invalid non-alphanumeric character '#x{ord(bad[0]):X}' was found in the message attribute name. "
        "Can only include alphanumeric characters, hyphens, underscores, or dots."
    )


def _check_value(name: str, attribute: Document) -> None:
    kind = attribute["DataType"]
    if not is_data_type(kind):
        supported = "the set of supported type prefixes is Binary, Number, and String."
        raise bad_attribute(f"The message attribute '{name}' has an invalid message attribute type, {supported}")
    field = "Binary" if kind.startswith("Binary") else "String"
    given = [other for other in ("String", "Binary") if f"{other}Value" in attribute]
    if given and field not in given:
        raise bad_attribute(f"The message attribute '{name}' with type '{kind}' must use field '{field}'.")
    value = attribute.get(f"{field}Value")
    if not value:
        must = f"must contain non-empty message attribute value for message attribute type '{kind}'."
        raise bad_attribute(f"The message attribute '{name}' {must}")
    if kind.startswith("Number") and not is_number(value):
        raise bad_attribute(f"Could not cast message attribute '{name}' value to number.")
