"""What is inside a record: compressed data, several documents, aggregates of the KPL; and conversion to Parquet."""

import base64
import gzip
import hashlib
import json

import duckdb
import pytest
from firehose.conftest import Lab, conversion, processor, s3

from lablib.aws.documents import LARGEST
from lablib.aws.service import NotSimulated


def create(lab, config):
    lab.create(ExtendedS3DestinationConfiguration=s3(ProcessingConfiguration=config))


def number(value):
    found = b""
    while value >= 0x80:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def field(key, data):
    return bytes([key << 3 | 2]) + number(len(data)) + data


def aggregate(*bodies):
    """What the KPL makes of records."""
    records = b"".join(field(3, b"\x08\x00" + field(3, body)) for body in bodies)
    message = field(1, b"key") + records
    return b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()


@pytest.mark.guide
def test_aggregates_are_taken_apart_before_the_transform():
    lab, seen = Lab(), []

    def keep(event, context):
        seen.extend(base64.b64decode(r["data"]) for r in event["records"])
        return {"records": [{"recordId": r["recordId"], "result": "Ok", "data": r["data"]} for r in event["records"]]}

    create(lab, lab.transform(keep, BufferIntervalInSeconds="0"))
    (record,) = lab.put(aggregate(b"a", b"b" * 300, b""))
    lab.cloud.advance(90)
    assert seen == [b"a", b"b" * 300, b""] and lab.bodies() == [b"a" + b"b" * 300]
    assert "there are 3 records in it" in lab.cloud.explain(record)


@pytest.mark.guide
def test_aggregates_from_a_stream():
    lab = Lab()
    kinesis = lab.cloud.client("kinesis")
    kinesis.create_stream(StreamName="trucks", ShardCount=1)
    lab.cloud.advance(20)
    lab.create_from("trucks")
    kinesis.put_record(StreamName="trucks", Data=aggregate(b"a", b"b"), PartitionKey="k")
    lab.cloud.advance(90)
    assert lab.bodies() == [b"ab"]


@pytest.mark.guide
def test_more_than_500_in_one_cannot_be_taken_apart(lab):
    lab.create()
    lab.put(aggregate(*[b"x"] * 501))
    lab.cloud.advance(90)
    assert [e["errorCode"] for e in lab.errors()] == ["DeAggregation.TooManyRecords"]


@pytest.mark.ours
@pytest.mark.parametrize("data", [b"\xf3\x89\x9a\xc2", b"\xf3\x89\x9a\xc2" + bytes(40), aggregate(b"a")[:-1] + b"?"])
def test_what_only_looks_like_an_aggregate_is_a_record(lab, data):
    lab.create()
    lab.put(data)
    lab.cloud.advance(90)
    assert lab.bodies() == [data]


@pytest.mark.guide
def test_several_documents_in_a_record_become_records(lab):
    create(lab, processor("RecordDeAggregation", SubRecordType="JSON"))
    lab.put(b'{"a": 1}\n{"a": 2}')
    lab.put(b"{broken")
    lab.cloud.advance(90)
    assert lab.bodies(prefix="2023/") == [b'{"a": 1}{"a": 2}']
    assert len(lab.rows("PartTaken")) == 2 and len(lab.errors()) == 1


@pytest.mark.guide
def test_delimited_parts(lab):
    delimiter = base64.b64encode(b"####").decode()
    create(lab, processor("RecordDeAggregation", SubRecordType="DELIMITED", Delimiter=delimiter))
    lab.put(b"a####b")
    lab.cloud.advance(90)
    assert [row.detail for row in lab.rows("PartTaken")] == [1, 1]


@pytest.mark.ours
@pytest.mark.parametrize("delimiter", [{}, {"Delimiter": "####"}, {"Delimiter": "é"}, {"Delimiter": "a"}])
def test_a_delimiter_is_base64_and_not_nothing(lab, delimiter):
    with pytest.raises(lab.firehose.exceptions.InvalidArgumentException, match="needs the parameter Delimiter"):
        create(lab, processor("RecordDeAggregation", SubRecordType="DELIMITED", **delimiter))


@pytest.mark.ours
def test_half_a_character_is_passed_on_as_it_came(lab):
    create(lab, processor("RecordDeAggregation", SubRecordType="JSON"))
    lab.put('{"a": "\\ud800"} {"a": "ü"}'.encode())
    lab.cloud.advance(90)
    assert lab.bodies(prefix="2023/") == ['{"a": "\\ud800"}{"a": "ü"}'.encode()]


@pytest.mark.guide
def test_compressed_records(lab):
    create(lab, processor("Decompression", CompressionFormat="GZIP"))
    lab.put(gzip.compress(b"hello"), b"plain")
    lab.cloud.advance(90)
    assert lab.bodies(prefix="2023/") == [b"hello"]
    assert [base64.b64decode(e["rawData"]) for e in lab.errors()] == [b"plain"]


@pytest.mark.ours
def test_a_record_that_holds_gigabytes_is_refused(lab):
    """A few kilobytes, compressed twice, would fill the memory."""
    create(lab, processor("Decompression", CompressionFormat="GZIP"))
    lab.put(gzip.compress(bytes(LARGEST + 1)), gzip.compress(b"hello") + gzip.compress(b" you"))
    lab.cloud.advance(90)
    assert lab.bodies(prefix="2023/") == [b"hello you"]
    (error,) = lab.errors()
    assert error["errorCode"] == "Decompression.Failed"
    assert error["errorMessage"] == f"The data cannot be read as GZIP: they hold more than {LARGEST:,} bytes"


# ---- Parquet ---------------------------------------------------------------------------------------------------------


def convert(lab, serializer="ParquetSerDe", **more):
    config = s3(size=64, DataFormatConversionConfiguration=conversion(serializer), **more)
    lab.create(ExtendedS3DestinationConfiguration=config)


@pytest.mark.guide
def test_json_becomes_a_parquet_file(lab, tmp_path):
    convert(lab, ErrorOutputPrefix="bad/")
    lab.put(
        b'{"lift": 1, "name": "A"}{"lift": 2, "name": "B"}', b'{"lift": 3, "at": "2023-04-01T10:00:00"}', b"no json"
    )
    lab.cloud.advance(90)
    (key,) = lab.objects(prefix="2023/")
    assert key.endswith(".parquet")
    file = tmp_path / "rows.parquet"
    file.write_bytes(lab.body(key))
    rows = duckdb.sql(f"SELECT lift, name FROM '{file}' ORDER BY lift").fetchall()
    assert rows == [(1, "A"), (2, "B"), (3, None)]
    (error,) = lab.errors(prefix="bad/format-conversion-failed/")
    assert error["lastErrorCode"] == "DataFormatConversion.ParseError"


@pytest.mark.guide
@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b"7",
        b"",
        b"  ",
        b"{}",
        b'{"a": 1}{',
        b"\xff",
        b'{"a": "\\ud800"}',
        b'{"a": ' + b"[" * 150 + b"]" * 150 + b"}",
    ],
)
def test_what_is_no_row_goes_to_the_error_prefix(lab, body):
    convert(lab)
    lab.put(b'{"a": 1}', body)
    lab.cloud.advance(90)
    assert len(lab.errors(prefix="format-conversion-failed/")) == 1 and len(lab.objects(prefix="2023/")) == 1


OTHERS = [{"a": "text"}, {"a": None}, {"a": [1]}, {"a": {"b": 1}}, {"A": 1}, {"a b": 1}, {"": 1}]


@pytest.mark.ours
@pytest.mark.parametrize("other", OTHERS)
def test_rows_of_any_kind_fit_into_one_file(lab, other):
    convert(lab)
    lab.put(b'{"a": 1}', json.dumps(other).encode())
    lab.cloud.advance(90)
    assert lab.rows("BatchFailed") == [] and len(lab.objects()) == 1


@pytest.mark.guide
@pytest.mark.parametrize(
    ("more", "text"),
    [({"CompressionFormat": "GZIP"}, "UNCOMPRESSED"), ({"BufferingHints": {"SizeInMBs": 5}}, "at least 64")],
)
def test_what_conversion_does_not_go_with(lab, more, text):
    with pytest.raises(lab.firehose.exceptions.InvalidArgumentException, match=text):
        convert(lab, **more)


@pytest.mark.ours
def test_orc_is_named(lab):
    with pytest.raises(NotSimulated, match="ORC"):
        convert(lab, "OrcSerDe")


@pytest.mark.ours
def test_the_same_records_give_the_same_file():
    def file():
        lab = Lab()
        convert(lab)
        lab.put(*[json.dumps({"n": n}).encode() for n in range(100)])
        lab.cloud.advance(90)
        return lab.body(lab.objects()[0])

    assert file() == file()
