"""What SQS accepts: attributes of queues and of messages, checked as AWS checks them, and the digests AWS computes.

Sources: SQS API reference (CreateQueue, SetQueueAttributes, SendMessage, MessageAttributeValue); SQS developer guide,
"Calculating the MD5 message digest for message attributes". The fidelity tests say which error texts were recorded
from AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from hashlib import md5
from typing import Any, NamedTuple

from lablib.aws.access.decide import MalformedPolicy, Policy
from lablib.aws.service import Arn, NotSimulated, ServiceError

Quotas = Mapping[str, Any]
Document = dict[str, Any]

COMPUTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)
_TEXTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "SqsManagedSseEnabled")
_INTEGERS = {  # name of the attribute: lowest value, and the quotas of its highest value and of its default
    "DelaySeconds": (0, "sqs.delay_max", "sqs.delay"),
    "MaximumMessageSize": (1024, "sqs.message_size", "sqs.message_size"),
    "MessageRetentionPeriod": (60, "sqs.retention_max", "sqs.retention"),
    "ReceiveMessageWaitTimeSeconds": (0, "sqs.wait_max", "sqs.wait"),
    "VisibilityTimeout": (0, "sqs.visibility_max", "sqs.visibility"),
    "KmsDataKeyReusePeriodSeconds": (60, "sqs.data_key_reuse_max", None),
}
_FIFO_CHOICES = {  # of a FIFO queue: the values, the default first
    "FifoQueue": ("true",),
    "ContentBasedDeduplication": ("false", "true"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
QUEUE_ATTRIBUTES = ("All", *COMPUTED, *_INTEGERS, *_TEXTS, *_FIFO_CHOICES)

SYSTEM_ATTRIBUTES = (  # of a message, that a receiver may ask for
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

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")  # of a queue, an entry of a batch, a permission
_FIFO_ID = re.compile(r"[!-~]+")  # letters, digits and punctuation of ASCII
_WRONG_TYPE = "The request include parameter that is not valid for this queue type."
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_NAME = re.compile(r"(?!.*\.\.)(?!\.)[A-Za-z0-9_.-]+(?<!\.)")
_DATA_TYPE = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
_ARN_FORM = "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"


# ---- errors ----------------------------------------------------------------------------------------------------------


def bad_parameter(message: str) -> ServiceError:
    """InvalidParameterValue with AWS's own text."""
    return ServiceError("InvalidParameterValueException", message, code="InvalidParameterValue")


def bad_value(value: object, parameter: str, reason: str) -> ServiceError:
    """InvalidParameterValue in the form that names the value, the parameter and the reason."""
    return bad_parameter(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def missing(parameter: str) -> ServiceError:
    """MissingParameter: a required parameter is absent or empty."""
    message = f"The request must contain the parameter {parameter}."
    return ServiceError("MissingRequiredParameterException", message, code="MissingParameter")


def no_such_queue() -> ServiceError:
    """QueueDoesNotExist."""
    code = "AWS.SimpleQueueService.NonExistentQueue"
    return ServiceError("QueueDoesNotExist", "The specified queue does not exist.", code=code)


def sqs_error(shape: str, message: str, status: int = 400) -> ServiceError:
    """An error whose code on the wire carries the old prefix of the query protocol."""
    return ServiceError(shape, message, code=f"AWS.SimpleQueueService.{shape}", status=status)


def unknown_attribute(name: str) -> ServiceError:
    """InvalidAttributeName."""
    return ServiceError("InvalidAttributeName", f"Unknown Attribute {name}.")


def check_range(value: int, parameter: str, low: int, high: int) -> int:
    """Return `value` when it lies between `low` and `high`, both included; else raise InvalidParameterValue."""
    if low <= value <= high:
        return value
    raise bad_value(value, parameter, f"Must be between {low} and {high}, if provided.")


def check_batch(ids: list[str], kind: str, most: int) -> None:
    """Raise what AWS raises for a batch that is empty or too long, or whose entries' ids are malformed or repeated."""
    if not ids:
        raise sqs_error("EmptyBatchRequest", f"There should be at least one {kind} in the request.")
    if len(ids) > most:
        text = f"Maximum number of entries per request are {most}. You have sent {len(ids)}."
        raise sqs_error("TooManyEntriesInBatchRequest", text)
    for place, id in enumerate(ids):
        if not NAME.fullmatch(id):
            text = "A batch entry id can only contain alphanumeric characters, hyphens and underscores."
            raise sqs_error("InvalidBatchEntryId", f"{text} It can be at most 80 letters long.")
        if id in ids[:place]:
            raise sqs_error("BatchEntryIdsNotDistinct", f"Id {id} repeated.")


# ---- attributes of a queue -------------------------------------------------------------------------------------------


class RedrivePolicy(NamedTuple):
    """Where messages go that were received more than `max_receive_count` times: the queue with the ARN `target`."""

    target: str
    max_receive_count: int


def default_attributes(quotas: Quotas, fifo: bool = False) -> dict[str, str]:
    """What CreateQueue gives a queue whose creator says nothing more."""
    numbers = {name: str(quotas[default]) for name, (_, _, default) in _INTEGERS.items() if default}
    choices = {name: values[0] for name, values in _FIFO_CHOICES.items()} if fifo else {}
    return numbers | {"SqsManagedSseEnabled": "true" if quotas["sqs.managed_sse"] else "false"} | choices


def check_name(name: str, fifo: bool = False) -> None:
    """Raise InvalidParameterValue unless `name` may be the name of a queue of this type."""
    if not fifo and not NAME.fullmatch(name):
        raise bad_parameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
    if fifo and not (name.endswith(".fifo") and NAME.fullmatch(name[:-5]) and len(name) <= 80):
        raise bad_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
            "must end with .fifo suffix and be 1 to 80 in length."
        )


def check_attributes(
    attributes: Mapping[str, str], quotas: Quotas, fifo: bool = False, current: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The attributes in the form in which AWS returns them; an empty value means: remove.

    `current` are those the queue has. Raises InvalidAttributeName, InvalidAttributeValue or InvalidParameterValue, as
    AWS does.
    """
    if attributes.get("KmsMasterKeyId") and attributes.get("SqsManagedSseEnabled", "").lower() == "true":
        one = "You can use one type of server-side encryption (SSE) at one time."
        raise ServiceError("InvalidAttributeName", f"{one} You can either enable KMS SSE or SQS SSE.")
    clean = {name: _check_attribute(name, value, quotas, fifo) for name, value in attributes.items()}
    if clean.get("KmsMasterKeyId"):
        clean["SqsManagedSseEnabled"] = "false"
    elif clean.get("SqsManagedSseEnabled") == "true":
        clean["KmsMasterKeyId"] = ""
    both = {**(current or {}), **clean}
    if both.get("FifoThroughputLimit") == "perMessageGroupId" and both.get("DeduplicationScope") != "messageGroup":
        reason = " Reason: perMessageGroupId is allowed only when DeduplicationScope is messageGroup."
        raise _bad_attribute("FifoThroughputLimit", reason)
    return clean


def check_same(current: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Raise QueueNameExists unless a queue with the attributes `current` is what somebody asks for who gives these."""
    for name, value in given.items():
        if current.get(name, "") != value:
            text = f"A queue already exists with the same name and a different value for attribute {name}"
            raise ServiceError("QueueNameExists", text, code="QueueAlreadyExists")


def _check_attribute(name: str, value: str, quotas: Quotas, fifo: bool) -> str:
    if name in _FIFO_CHOICES:
        return _check_fifo_attribute(name, value, fifo)
    if name in _INTEGERS:
        low, high, _ = _INTEGERS[name]
        if re.fullmatch(r"[0-9]{1,9}", value) and low <= int(value) <= quotas[high]:
            return str(int(value))
        raise _bad_attribute(name)
    if name not in _TEXTS:
        raise unknown_attribute(name)
    return _TEXT_CHECKS[name](value, quotas) if value and name in _TEXT_CHECKS else value


def _check_fifo_attribute(name: str, value: str, fifo: bool) -> str:
    if not fifo and name in ("DeduplicationScope", "FifoThroughputLimit"):
        text = f"You can specify the {name} only when FifoQueue is set to true."
        raise ServiceError("InvalidAttributeName", text)
    if not fifo:
        raise unknown_attribute(name)
    if name in ("FifoQueue", "ContentBasedDeduplication"):
        value = value.lower()
    if value in _FIFO_CHOICES[name]:
        return value
    raise _bad_attribute(name, " Reason: Modifying queue type is not supported." if name == "FifoQueue" else "")


def _bad_attribute(name: str, reason: str = "") -> ServiceError:
    return ServiceError("InvalidAttributeValue", f"Invalid value for the parameter {name}.{reason}")


def _json_map(text: str) -> Document | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _check_policy(value: str, quotas: Quotas) -> str:
    try:
        Policy.parse(value)
    except MalformedPolicy as error:
        raise _bad_attribute("Policy", f" Reason: {error}.") from None
    return value


def _check_sse(value: str, quotas: Quotas) -> str:
    if value.lower() not in ("true", "false"):
        raise _bad_attribute("SqsManagedSseEnabled")
    return value.lower()


def _check_redrive_policy(value: str, quotas: Quotas) -> str:
    def refuse(reason: str) -> ServiceError:
        return bad_value(value, "RedrivePolicy", reason)

    policy = _json_map(value)
    if policy is None:
        raise refuse("Redrive policy is not a valid JSON map.")
    if "deadLetterTargetArn" not in policy:
        raise refuse("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
    target, highest = policy["deadLetterTargetArn"], quotas["sqs.max_receive_count_max"]
    arn = Arn.parse(target) if isinstance(target, str) else None
    if arn is None or arn.service != "sqs":
        raise refuse("Invalid value for deadLetterTargetArn.")
    given = str(policy.get("maxReceiveCount", quotas["sqs.max_receive_count"]))
    if not re.fullmatch(r"[0-9]{1,9}", given) or not 1 <= int(given) <= highest:
        valid = f"valid values are from 1 to {highest} both inclusive."
        raise refuse(f"Invalid value for maxReceiveCount: {given}, {valid}")
    return json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": int(given)}, separators=(",", ":"))


def _check_redrive_allow_policy(value: str, quotas: Quotas) -> str:
    def refuse(reason: str) -> ServiceError:
        return bad_value(value, "RedriveAllowPolicy", reason)

    policy = _json_map(value)
    if policy is None:
        raise refuse("Redrive allow policy is not a valid JSON map.")
    permission, sources = policy.get("redrivePermission"), policy.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise refuse("redrivePermission must be one of allowAll, denyAll, byQueue.")
    if (permission == "byQueue") != (sources is not None):
        raise refuse("sourceQueueArns must be given with redrivePermission byQueue, and only then.")
    if sources is not None and not (isinstance(sources, list) and 1 <= len(sources) <= quotas["sqs.redrive_sources"]):
        raise refuse(f"sourceQueueArns must be a list of 1 to {quotas['sqs.redrive_sources']} ARNs.")
    return json.dumps(policy, separators=(",", ":"))


_TEXT_CHECKS: dict[str, Callable[[str, Quotas], str]] = {
    "Policy": _check_policy,
    "RedrivePolicy": _check_redrive_policy,
    "RedriveAllowPolicy": _check_redrive_allow_policy,
    "SqsManagedSseEnabled": _check_sse,
}


def parse_redrive_policy(value: str | None) -> RedrivePolicy | None:
    """The policy in a queue's attribute RedrivePolicy; None without one."""
    policy = _json_map(value or "")
    return policy and RedrivePolicy(policy["deadLetterTargetArn"], policy["maxReceiveCount"])  # type: ignore[return-value]


def allows_source(value: str | None, source: str) -> bool:
    """May the queue with the ARN `source` use as its dead-letter queue the one whose RedriveAllowPolicy is `value`?"""
    policy = _json_map(value or "") or {"redrivePermission": "allowAll"}
    return policy["redrivePermission"] == "allowAll" or source in policy.get("sourceQueueArns", ())


def check_arn(value: str, parameter: str) -> Arn:
    """The parts of the ARN of a queue. Raises InvalidParameterValue when `value` is none."""
    arn = Arn.parse(value)
    if arn is None:
        raise bad_parameter(f"You must use this format to specify the {parameter}: {_ARN_FORM}")
    return arn


# ---- bodies and attributes of a message ------------------------------------------------------------------------------


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


def check_standard_send(group: str | None, deduplication: str | None, quotas: Quotas) -> None:
    """Raise what a standard queue says to the parameters of a FIFO queue. Raises NotSimulated for fair queues."""
    if deduplication is not None:
        raise bad_value(deduplication, "MessageDeduplicationId", _WRONG_TYPE)
    if group is not None and quotas["sqs.fair_queues"]:
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
    if len(id) > longest or not _FIFO_ID.fullmatch(id):
        only = f"{parameter} can only include alphanumeric and punctuation characters."
        raise bad_value(id, parameter, f"{only} 1 to {longest} in length.")


def size_of(body: str, attributes: Mapping[str, Document] | None) -> int:
    """The size of a message in bytes: its body, and the names, types and values of its attributes."""
    size = len(body) if body.isascii() else len(body.encode())
    if not attributes:
        return size
    for name, attribute in attributes.items():
        value = attribute.get(_value_key(attribute), "")
        size += len(name.encode()) + len(attribute["DataType"].encode()) + len(_bytes(value))
    return size


def check_message_attributes(attributes: Mapping[str, Document], quotas: Quotas) -> None:
    """Raise InvalidParameterValue unless a message may have these attributes."""
    most = quotas["sqs.message_attributes"]
    if len(attributes) > most:
        raise bad_parameter(f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{most}].")
    for name, attribute in attributes.items():
        _check_message_attribute(name, attribute, quotas)


@lru_cache(maxsize=256)
def _naming_fault(name: str, kind: str, longest: int) -> str:
    """What SQS says to an attribute's name and type; nothing when they are good."""
    if not 1 <= len(name) <= longest:
        return f"Message (user) attribute name must be 1 to {longest} characters long. It has {len(name)}."
    if name.lower().startswith(("aws.", "amazon.")):
        return f"Message (user) attribute name '{name}' must not begin with 'AWS.' or 'Amazon.'."
    if not _ATTRIBUTE_NAME.fullmatch(name):
        return (
            f"The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, "
            "underscore (_), hyphen (-), and period (.) characters."
        )
    if not _DATA_TYPE.fullmatch(kind) or len(kind) > longest:
        return (
            f"The type of message (user) attribute '{name}' is invalid. "
            "You must use only the following supported type prefixes: Binary, Number, String."
        )
    return ""


def _check_message_attribute(name: str, attribute: Document, quotas: Quotas) -> None:
    kind = attribute["DataType"]
    if fault := _naming_fault(name, kind, quotas["sqs.attribute_name_length"]):
        raise bad_parameter(fault)
    value = attribute.get(_value_key(attribute))
    if not value:
        kind = kind.partition(".")[0]
        raise bad_parameter(f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.")
    if kind.startswith("Number") and not _is_number(value):
        raise bad_parameter(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    if isinstance(value, str) and _forbidden(value):
        raise bad_parameter(f"Message (user) attribute '{name}' contains a character that is not allowed.")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None


def _value_key(attribute: Document) -> str:
    return "BinaryValue" if attribute["DataType"].startswith("Binary") else "StringValue"


def check_system_attributes(attributes: Mapping[str, Document]) -> None:
    """Raise InvalidParameterValue unless these are what SendMessage takes: AWSTraceHeader, a string."""
    for name, attribute in attributes.items():
        if name != "AWSTraceHeader":
            raise bad_parameter(f"Message (system) attribute '{name}' is invalid. Only AWSTraceHeader is supported.")
        if attribute["DataType"] != "String" or not attribute.get("StringValue"):
            raise bad_parameter(f"Message (system) attribute '{name}' must contain a non-empty value of type 'String'.")


def select_attributes(attributes: Mapping[str, Document], wanted: Iterable[str]) -> dict[str, Document]:
    """Those of a message's attributes that a receiver asks for: by name, by `prefix.*`, or all by `All` or `.*`."""
    if wanted == ["All"]:
        return dict(attributes)
    names = tuple(wanted)
    prefixes = tuple(name[:-2] for name in names if name.endswith(".*"))
    everything = "All" in names or "" in prefixes
    return {n: a for n, a in attributes.items() if everything or n in names or (prefixes and n.startswith(prefixes))}


# ---- digests ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)  # sent and soon received: the digest is asked for twice
def md5_of_body(body: str) -> str:
    """MD5OfMessageBody: the digest of the UTF-8 text."""
    return md5(body.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, Document]) -> str:
    """MD5OfMessageAttributes and MD5OfMessageSystemAttributes.

    In the order of their names: name, type and value, each with its length in front, and before the value one byte that
    tells text (1) from bytes (2).
    """
    parts: list[bytes] = []
    for name, attribute in sorted(attributes.items()):
        value = attribute[_value_key(attribute)]
        kind, data = attribute["DataType"], _bytes(value)
        mark = b"\2" if isinstance(value, bytes) else b"\1"
        parts += _with_length(name), _with_length(kind), mark, len(data).to_bytes(4, "big"), data
    return md5(b"".join(parts), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=256)
def _with_length(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(4, "big") + data


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
