"""What the messages of queues and topics have in common: attributes, sizes, digests, and the ids of FIFO messages.

Sources: SQS and SNS API references (MessageAttributeValue, SendMessage, Publish); SQS developer guide, "Calculating the
MD5 message digest for message attributes".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from lablib.aws.digests import md5

Document = dict[str, Any]

_FIFO_ID = re.compile(r"[!-~]+")  # letters, digits and punctuation of ASCII
_NAME = re.compile(r"(?!.*\.\.)(?!\.)[\w.-]+(?<!\.)")
_TYPE = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


# ---- attributes ------------------------------------------------------------------------------------------------------


def is_attribute_name(name: str, any_alphabet: bool = False) -> bool:
    """Is it a valid name of a message attribute, apart from its length? In SQS, of any alphabet (recorded)."""
    return (any_alphabet or name.isascii()) and _NAME.fullmatch(name) is not None


def is_data_type(kind: str) -> bool:
    """Is it String, Number or Binary, with or without a custom label?"""
    return _TYPE.fullmatch(kind) is not None


def is_number(text: str) -> bool:
    """Is it a valid value of an attribute of type Number?"""
    return _NUMBER.fullmatch(text) is not None


def value_field(attribute: Document) -> str:
    """The field in which an attribute of that type has its value."""
    return "BinaryValue" if attribute["DataType"].startswith("Binary") else "StringValue"


def select_attributes(attributes: Mapping[str, Document], wanted: Iterable[str]) -> dict[str, Document]:
    """Copies of those attributes of a message that a receiver asks for: by name, by `prefix.*`, or all by `All`,
    `.*` or `*`."""
    if wanted == ["All"]:
        return {name: attribute.copy() for name, attribute in attributes.items()}
    names = tuple(wanted)
    prefixes = tuple(name[:-2] for name in names if name.endswith(".*"))
    everything = "All" in names or "*" in names or "" in prefixes
    return {
        name: attribute.copy()
        for name, attribute in attributes.items()
        if everything or name in names or (prefixes and name.startswith(prefixes))
    }


def size_of(body: str, attributes: Mapping[str, Document] | None) -> int:
    """The size of a message in bytes: its body, and the names, types and values of its attributes."""
    size = len(body) if body.isascii() else len(_bytes(body))
    if not attributes:
        return size
    for name, attribute in attributes.items():
        value = attribute.get(value_field(attribute), "")
        size += len(name.encode()) + len(attribute["DataType"].encode()) + len(_bytes(value))
    return size


# ---- ids of FIFO messages --------------------------------------------------------------------------------------------


def is_fifo_id(id: str, longest: int = 128) -> bool:
    """Is it a valid id of a message group, a deduplication, a receive attempt? (API: SendMessage, Publish)."""
    return len(id) <= longest and _FIFO_ID.fullmatch(id) is not None


def content_id(body: str) -> str:
    """The deduplication id that is computed from a message's body."""
    return sha256(_bytes(body)).hexdigest()


# ---- digests ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)  # sent and soon received: the digest is asked for twice
def md5_of_body(body: str) -> str:
    """MD5OfMessageBody: the digest of the UTF-8 text."""
    return md5(body.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Mapping[str, Document]) -> str:
    """MD5OfMessageAttributes and MD5OfMessageSystemAttributes.

    In the order of their names: name, type and value, each after its length, the value after one byte: 1 for text,
    2 for bytes.
    """
    parts: list[bytes] = []
    for name, attribute in sorted(attributes.items()):
        value = attribute[value_field(attribute)]
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
