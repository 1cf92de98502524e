"""Several records of users in one record of a stream, in the format of the Kinesis Producer Library.

A record that holds others is a mark, a message of protocol buffers, and the MD5 digest of the message. The message has
a table of partition keys (field 1), a table of explicit hash keys (2), and the records (3): the places of their keys
in the two tables (1, 2), and their data (3). (amazon-kinesis-producer, "aggregation format".)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MARK, DIGEST = b"\xf3\x89\x9a\xc2", 16
_KEYS, _HASHES, _RECORDS = 1, 2, 3
_KEY_INDEX, _HASH_INDEX, _DATA = 1, 2, 3


class UserRecord(NamedTuple):
    """What a program puts into a stream: one of these is a record, or several together are."""

    data: bytes
    partition_key: str
    explicit_hash_key: str | None = None

    @property
    def hash(self) -> int:
        """Where it belongs on the ring of hashes: the MD5 of its partition key, or the hash that its producer gave."""
        if self.explicit_hash_key is not None:
            return int(self.explicit_hash_key)
        return int.from_bytes(hashlib.md5(self.partition_key.encode(), usedforsecurity=False).digest(), "big")


def join(records: Iterable[UserRecord]) -> bytes:
    """One record's data for all of them."""
    keys: dict[str, int] = {}
    hashes: dict[str, int] = {}
    packed = b""
    for record in records:
        one = _varint(_KEY_INDEX << 3) + _varint(keys.setdefault(record.partition_key, len(keys)))
        if record.explicit_hash_key is not None:
            one += _varint(_HASH_INDEX << 3) + _varint(hashes.setdefault(record.explicit_hash_key, len(hashes)))
        packed += _field(_RECORDS, one + _field(_DATA, record.data))
    tables = b"".join(_field(_KEYS, key.encode()) for key in keys)
    message = tables + b"".join(_field(_HASHES, hash.encode()) for hash in hashes) + packed
    return MARK + message + hashlib.md5(message, usedforsecurity=False).digest()


def split(data: bytes) -> list[UserRecord] | None:
    """The records that were joined, in their order; None where `data` is no record that holds others."""
    message = data[len(MARK) : -DIGEST]
    if not data.startswith(MARK) or hashlib.md5(message, usedforsecurity=False).digest() != data[-DIGEST:]:
        return None
    try:
        fields = list(_fields(message))
        keys, hashes = ([value.decode() for n, value in fields if n == table] for table in (_KEYS, _HASHES))
        found = []
        for number, value in fields:
            if number == _RECORDS:
                one = dict(_fields(value))
                hash = hashes[_number(one[_HASH_INDEX])] if _HASH_INDEX in one else None
                found.append(UserRecord(one.get(_DATA, b""), keys[_number(one[_KEY_INDEX])], hash))
    except (LookupError, UnicodeDecodeError):
        return None
    return found


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message. A number is given as it is written. Raises IndexError where the message is cut off."""
    at = 0
    while at < len(message):
        key, at = _read(message, at)
        end = _read(message, at)[1]
        if key & 7 == 2:
            size, at = _read(message, at)
            end = at + size
            if end > len(message):
                raise IndexError(end)
        yield key >> 3, message[at:end]
        at = end


def _number(value: bytes) -> int:
    return _read(value, 0)[0]


def _read(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            return value, at
