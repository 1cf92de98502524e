"""What is inside a record: compressed data, several JSON documents, records that the Kinesis Producer Library joined.

Sources: developer guide, "Decompress CloudWatch Logs", "Aggregated data partitioning", "Using Kinesis Data Streams"
(records of the KPL are taken apart before the transform and the destination; more than 500 in one break that); KPL,
"aggregation format": a mark, a message of protocol buffers, its MD5 digest.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping

_MARK, _DIGEST = b"\xf3\x89\x9a\xc2", 16
_MOST = 500
_RECORDS, _DATA = 3, 3  # the fields of an AggregatedRecord, and of a Record in it
_JSON = json.JSONDecoder()


class Unreadable(Exception):
    """A record cannot be unpacked: why, and the error `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parts_of(data: bytes, processors: Mapping[str, Mapping[str, str]]) -> list[bytes]:
    """The records in a record, in their order. Raises Unreadable."""
    if "Decompression" in processors:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise Unreadable("Decompression.Failed", f"The data are not GZIP: {error}") from None
    found = _aggregated(data)
    how = processors.get("RecordDeAggregation")
    if how is None:
        return found
    if how.get("SubRecordType") == "DELIMITED":
        delimiter = b64decode(how.get("Delimiter", ""))
        return [part for one in found for part in one.split(delimiter) if part]
    return [part for one in found for part in _documents(one)]


def _documents(data: bytes) -> list[bytes]:
    return [json.dumps(document, ensure_ascii=False).encode() for document in _read(data)]


def table_rows(data: bytes) -> list[object]:
    """The JSON objects in a record, for a table. Raises Unreadable."""
    found = _read(data)
    if not found or not all(isinstance(document, dict) and document for document in found):
        raise Unreadable("DataFormatConversion.ParseError", "A record must be JSON objects, one behind the other.")
    return found


def _read(data: bytes) -> list[object]:
    """The JSON documents that stand one behind the other. Raises Unreadable."""
    try:
        text, at, found = data.decode(), 0, []
        while at < len(text):
            if text[at].isspace():
                at += 1
                continue
            document, at = _JSON.raw_decode(text, at)
            found.append(document)
    except ValueError as error:
        raise Unreadable("DataFormatConversion.ParseError", f"Encountered malformed JSON. {error}") from None
    return found


def _aggregated(data: bytes) -> list[bytes]:
    """The user records in a record of the KPL; the record itself where it is none."""
    body = data[len(_MARK) : -_DIGEST]
    if not data.startswith(_MARK) or hashlib.md5(body, usedforsecurity=False).digest() != data[-_DIGEST:]:
        return [data]
    found = [dict(_fields(value)).get(_DATA, b"") for number, value in _fields(body) if number == _RECORDS]
    if len(found) > _MOST:
        raise Unreadable("DeAggregation.TooManyRecords", f"{len(found)} records in one: at most {_MOST} are unpacked.")
    return found


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message of protocol buffers that have a length; numbers are passed over."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        size, at = _number(message, at)
        if key & 7 == 2:
            yield key >> 3, message[at : at + size]
            at += size


def _number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            break
    return value, at
