"""Uploads in parts, ranges and conditions.

Source, where a test names no other: S3 API reference, "CreateMultipartUpload", "UploadPart", "ListParts",
"CompleteMultipartUpload", "AbortMultipartUpload", "GetObject"; user guide, "Multipart upload".
"""

import hashlib

import pytest
from aws_errors import code_and_message, refused
from s3.test_s3 import BUCKET, EVERYTHING, Lab

pytestmark = pytest.mark.guide

BIG = b"a" * 5 * 1024 * 1024  # the smallest part, but for the last


@pytest.fixture
def lab():
    return Lab()


class Upload:
    """One upload in parts of the key "film"."""

    def __init__(self, lab, **more):
        self.s3, self.where = lab.s3, {"Bucket": BUCKET, "Key": "film"}
        self.where["UploadId"] = lab.s3.create_multipart_upload(**self.where, **more)["UploadId"]

    def part(self, number, body):
        return self.s3.upload_part(**self.where, PartNumber=number, Body=body)["ETag"]

    def complete(self, *parts):
        listed = [{"PartNumber": number, "ETag": tag} for number, tag in parts]
        return self.s3.complete_multipart_upload(**self.where, MultipartUpload={"Parts": listed})


def test_parts_become_one_object_in_the_order_of_their_numbers(lab):
    upload = Upload(lab, ContentType="video/mp4", Metadata={"owner": "me"})
    last, first = upload.part(7, b"end"), upload.part(2, BIG)
    with pytest.raises(lab.s3.exceptions.NoSuchKey):
        lab.s3.get_object(Bucket=BUCKET, Key="film")
    done = upload.complete((2, first), (7, last))
    tags = b"".join(hashlib.md5(body).digest() for body in (BIG, b"end"))
    assert done["ETag"] == f'"{hashlib.md5(tags).hexdigest()}-2"'
    got = lab.s3.get_object(Bucket=BUCKET, Key="film")
    assert got["Body"].read() == BIG + b"end"
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (done["ETag"], "video/mp4", {"owner": "me"})


def test_completing_is_an_event_of_its_own(lab):
    lab.notify((lab.queue(), EVERYTHING, "", ""))
    upload = Upload(lab)
    upload.complete((1, upload.part(1, b"x")))
    assert lab.events() == [("ObjectCreated:CompleteMultipartUpload", "film")]


def test_a_part_that_is_sent_again_replaces_the_first_and_parts_may_be_left_out(lab):
    upload = Upload(lab)
    old, new, other = upload.part(1, b"old"), upload.part(1, b"new"), upload.part(2, b"other")
    parts = lab.s3.list_parts(**upload.where)["Parts"]
    assert [(p["PartNumber"], p["ETag"], p["Size"]) for p in parts] == [(1, new, 3), (2, other, 5)]
    assert code_and_message(upload.complete, (1, old))[0] == "InvalidPart"
    upload.complete((1, new))
    assert lab.s3.get_object(Bucket=BUCKET, Key="film")["Body"].read() == b"new"


def test_an_upload_that_is_over_is_unknown(lab):
    """So is one whose key is another."""
    upload, aborted, other = Upload(lab), Upload(lab), Upload(lab)
    upload.complete((1, upload.part(1, b"x")))
    lab.s3.abort_multipart_upload(**aborted.where)
    other.where["Key"] = "another"
    for one in (upload, aborted, other):
        for call in (lambda one=one: one.part(1, b"x"), lambda one=one: lab.s3.list_parts(**one.where),
                     lambda one=one: lab.s3.abort_multipart_upload(**one.where)):  # fmt: skip
            code, message = code_and_message(call)
            assert code == "NoSuchUpload" and message.startswith("The specified upload does not exist.")


@pytest.mark.parametrize(
    ("bodies", "order", "code", "message"),
    [
        ([b"small", b"last"], [1, 2], "EntityTooSmall",
         "Your proposed upload is smaller than the minimum allowed size"),
        ([BIG, b"last"], [2, 1], "InvalidPartOrder",
         "The list of parts was not in ascending order. Parts must be ordered by part number."),
        ([BIG, b"last"], [1, 1], "InvalidPartOrder",
         "The list of parts was not in ascending order. Parts must be ordered by part number."),
        ([BIG], [1, 3], "InvalidPart",
         "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
         "specified entity tag may not match the part's entity tag."),
        ([BIG], [], "MalformedXML",
         "The XML you provided was not well-formed or did not validate against our published schema"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_complete_nothing(lab, bodies, order, code, message):
    upload = Upload(lab)
    tags = {number: upload.part(number, body) for number, body in enumerate(bodies, 1)}
    assert code_and_message(upload.complete, *[(n, tags.get(n, '"none"')) for n in order]) == (code, message)
    assert len(lab.s3.list_parts(**upload.where)["Parts"]) == len(bodies), "the upload goes on"


@pytest.mark.parametrize(
    ("range", "body", "content_range"),
    [("bytes=0-4", b"01234", "bytes 0-4/10"), ("bytes=7-", b"789", "bytes 7-9/10"),
     ("bytes=-3", b"789", "bytes 7-9/10"), ("bytes=8-100", b"89", "bytes 8-9/10"),
     ("bytes=-100", b"0123456789", "bytes 0-9/10")],
)  # fmt: skip
def test_a_range_of_an_object(lab, range, body, content_range):
    lab.put("a", b"0123456789")
    got = lab.s3.get_object(Bucket=BUCKET, Key="a", Range=range)
    assert (got["Body"].read(), got["ContentRange"], got["ContentLength"]) == (body, content_range, len(body))


@pytest.mark.recorded
@pytest.mark.parametrize("range", ["bytes=1-0", "bytes=-", "bytes=-1-", "bytes=0--1", "bytes=0-1,3-4", "0-8"])
def test_what_is_no_range_gives_all(lab, range):
    lab.put("a", b"0123456789")
    got = lab.s3.get_object(Bucket=BUCKET, Key="a", Range=range)
    assert got["Body"].read() == b"0123456789"
    assert "ContentRange" not in got


def test_an_object_is_read_only_as_it_was(lab):
    etag = lab.put("a", b"1")["ETag"]
    assert lab.s3.get_object(Bucket=BUCKET, Key="a", IfMatch=etag)["Body"].read() == b"1"
    lab.put("a", b"2")
    assert refused(lab.s3.get_object, Bucket=BUCKET, Key="a", IfMatch=etag)[::2] == ("PreconditionFailed", 412)
