"""What is inside a record: compressed data, several JSON documents, records that the Kinesis Producer Library joined.

Sources: developer guide, "Decompress CloudWatch Logs", "Aggregated data partitioning", "Using Kinesis Data Streams"
(records of the KPL are taken apart before the transform and the destination; more than 500 in one break that).
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping

from lablib.aws.aggregation import split
from lablib.aws.documents import check_depth, read_gzip

_MOST = 500
_DEEPEST = 100  # levels of a row of a table; ours
_HALF = re.compile("[\ud800-\udfff]")  # half a character, which JSON can name and UTF-8 has not
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
            data = read_gzip(data)
        except ValueError as error:
            raise Unreadable("Decompression.Failed", f"The data cannot be read as GZIP: {error}") from None
    found = _aggregated(data)
    how = processors.get("RecordDeAggregation")
    if how is None:
        return found
    if how.get("SubRecordType") == "DELIMITED":
        delimiter = b64decode(how.get("Delimiter", ""))
        return [part for one in found for part in one.split(delimiter) if part]
    return [part for one in found for part in _documents(one)]


def _documents(data: bytes) -> list[bytes]:
    return [_written(document) for document in _read(data)]


def _written(document: object) -> bytes:
    text = json.dumps(document, ensure_ascii=False)
    return text.encode() if not _HALF.search(text) else json.dumps(document).encode()


def table_rows(data: bytes) -> bytes:
    """The JSON objects in a record, a line each, for a table. Raises Unreadable."""
    found = _read(data)
    if not found or not all(isinstance(document, dict) and document for document in found):
        raise Unreadable("DataFormatConversion.ParseError", "A record must be JSON objects, one behind the other.")
    text = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in found)
    try:
        check_depth(text, _DEEPEST)
        return text.encode()
    except ValueError as error:
        raise Unreadable("DataFormatConversion.ParseError", f"Encountered malformed JSON. {error}") from None


def _read(data: bytes) -> list[object]:
    """The JSON documents that stand one behind the other. Raises Unreadable."""
    try:
        text, at, found = data.decode(), 0, []
        check_depth(text)
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
    found = split(data)
    if found is None:
        return [data]
    if len(found) > _MOST:
        raise Unreadable("DeAggregation.TooManyRecords", f"{len(found)} records in one: at most {_MOST} are unpacked.")
    return [record.data for record in found]
