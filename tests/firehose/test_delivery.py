"""Delivery to S3: when a buffer leaves, what an object is called and holds, what happens when S3 does not answer."""

import re

import pytest
from firehose.conftest import Lab, s3

DAY = 86_400.0


def create(lab, **config):
    return lab.create(ExtendedS3DestinationConfiguration=s3(**config))


# ---- the buffer ------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_a_buffer_leaves_when_its_time_is_over(lab):
    create(lab, size=5, seconds=100)
    lab.put(b"a")
    lab.cloud.advance(60)
    lab.put(b"b")
    lab.cloud.advance(39)
    assert lab.objects() == []
    lab.cloud.advance(3)
    assert lab.bodies() == [b"ab"], "the interval begins with the first record"


@pytest.mark.guide
def test_a_buffer_leaves_when_it_is_full(lab):
    create(lab, size=1, seconds=900)
    lab.put(*[bytes(2**18)] * 5)
    lab.cloud.advance(3)
    assert [len(body) for body in lab.bodies()] == [2**20]
    assert [row.detail["why"] for row in lab.rows("BufferClosed")] == ["size"]
    lab.cloud.advance(900)
    assert sorted(len(body) for body in lab.bodies()) == [2**18, 2**20]


@pytest.mark.guide
def test_an_empty_buffer_makes_no_object(lab):
    create(lab)
    lab.cloud.advance(1000)
    assert lab.objects() == [] and lab.rows("BufferClosed") == []


@pytest.mark.guide
def test_today_the_interval_can_be_nothing_at_all():
    lab = Lab(limits="today")
    create(lab, seconds=0)
    lab.put(b"a")
    lab.cloud.advance(3)
    assert lab.bodies() == [b"a"]


@pytest.mark.guide
def test_while_delivery_fails_the_buffer_grows(lab):
    """Guide: when delivery falls behind, Firehose raises the buffer size to catch up."""
    create(lab, size=1, seconds=60)
    lab.fail("PutObject", seconds=600)
    for _ in range(10):
        lab.put(*[bytes(2**18)] * 3)
        lab.cloud.advance(60)
    lab.cloud.advance(600)
    sizes = [len(body) for body in lab.bodies()]
    assert sum(sizes) == 30 * 2**18
    assert len(sizes) == 2 and max(sizes) > 5 * 2**20, "what came meanwhile leaves in one object"


# ---- the object ------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_records_are_glued_together(lab):
    create(lab)
    lab.put(b'{"a":1}', b'{"a":2}')
    lab.cloud.advance(70)
    assert lab.bodies() == [b'{"a":1}{"a":2}']


@pytest.mark.guide
def test_a_delimiter_is_put_after_each_record(lab):
    from firehose.conftest import processor

    create(lab, ProcessingConfiguration=processor("AppendDelimiterToRecord", Delimiter="\\n"))
    lab.put(b"a", b"b")
    lab.cloud.advance(70)
    assert lab.bodies() == [b"a\nb\n"]


@pytest.mark.guide
def test_the_name_of_an_object(lab):
    create(lab)
    lab.cloud.advance(3600 - 20 - 30)
    lab.put(b"a")
    lab.cloud.advance(70)
    assert re.fullmatch(r"2023/04/01/00/clicks-1-2023-04-01-01-00-30-[0-9a-f-]{36}", lab.objects()[0]), (
        "the prefix is the hour in which the oldest record came, the name has the time of delivery"
    )


@pytest.mark.guide
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"Prefix": "in/"}, "in/2023/04/01/00/clicks-"),
        ({"Prefix": "in-"}, "in-2023/04/01/00/clicks-"),
        ({"Prefix": "y=!{timestamp:yyyy}/m=!{timestamp:MM}/", "ErrorOutputPrefix": "e/"}, "y=2023/m=04/clicks-"),
        ({"Prefix": "!{timestamp:yyyy/MM/dd'T'HH-mm}/", "ErrorOutputPrefix": "e/"}, "2023/04/01T00-00/clicks-"),
        ({"CustomTimeZone": "Asia/Seoul"}, "2023/04/01/09/clicks-"),
        ({"CompressionFormat": "GZIP"}, "2023/04/01/00/clicks-"),
        ({"CompressionFormat": "ZIP"}, "2023/04/01/00/clicks-"),
        ({"FileExtension": ".json"}, "2023/04/01/00/clicks-"),
    ],
)
def test_prefixes_and_endings(lab, config, expected):
    create(lab, **config)
    lab.put(b"hello")
    lab.cloud.advance(70)
    (key,) = lab.objects()
    assert key.startswith(expected)
    ending = {"GZIP": ".gz", "ZIP": ".zip"}.get(config.get("CompressionFormat"), config.get("FileExtension", ""))
    assert key.endswith(ending) and lab.bodies() == [b"hello"]


@pytest.mark.guide
def test_a_random_string_spreads_the_objects(lab):
    create(lab, Prefix="!{firehose:random-string}/", ErrorOutputPrefix="e/")
    for _ in range(2):
        lab.put(b"a")
        lab.cloud.advance(70)
    first, second = (key.split("/")[0] for key in lab.objects())
    assert len(first) == len(second) == 11 and first != second


# ---- when S3 does not take it ----------------------------------------------------------------------------------------


@pytest.mark.guide
def test_an_hour_without_s3_costs_only_time(lab):
    create(lab)
    lab.fail("PutObject", seconds=3600)
    lab.put(b"a")
    lab.cloud.advance(3600 + 400)
    assert lab.bodies() == [b"a"] and lab.rows("RecordLost") == []


@pytest.mark.guide
def test_after_24_hours_the_records_are_lost(lab):
    create(lab)
    lab.fail("PutObject", seconds=25 * 3600)
    (early,) = lab.put(b"early;")
    lab.cloud.advance(12 * 3600)
    lab.put(b"late;")
    lab.cloud.advance(14 * 3600)
    assert lab.bodies() == [b"late;"]
    (lost,) = lab.rows("RecordLost")
    assert lost.subject == early and 0 <= lost.time - 20 - DAY <= 300
    assert "lost" in lab.cloud.explain(early)


@pytest.mark.reported
def test_a_bucket_that_is_gone_and_made_again(lab):
    create(lab)
    lab.s3.delete_bucket(Bucket="lake")
    lab.put(b"a")
    lab.cloud.advance(600)
    assert {row.detail["code"] for row in lab.rows("BatchFailed")} == {"S3.NoSuchBucket"}
    lab.s3.create_bucket(Bucket="lake")
    lab.cloud.advance(600)
    assert lab.bodies() == [b"a"]


@pytest.mark.reported
def test_a_role_that_may_not_write(lab):
    create(lab)
    lab.allow({"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"})
    lab.put(b"a")
    lab.cloud.advance(70)
    assert {row.detail["code"] for row in lab.rows("BatchFailed")} == {"S3.AccessDenied"}


@pytest.mark.guide
def test_a_lost_answer_makes_a_second_copy(lab):
    """Guide: at least once; retries can introduce duplicates."""
    create(lab)
    lab.fail("PutObject", "lost_answer", count=1)
    lab.put(b"a")
    lab.cloud.advance(200)
    assert lab.bodies() == [b"a", b"a"]


@pytest.mark.ours
def test_what_is_not_delivered_when_the_stream_is_deleted_is_lost(lab):
    create(lab, seconds=900)
    (record,) = lab.put(b"a")
    lab.firehose.delete_delivery_stream(DeliveryStreamName="clicks")
    lab.cloud.advance(1000)
    assert lab.objects() == [] and [row.subject for row in lab.rows("RecordLost")] == [record]


# ---- backup ----------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_the_backup_gets_what_came_in(lab):
    backup = s3("spare", seconds=120, Prefix="raw/")
    create(lab, S3BackupMode="Enabled", S3BackupConfiguration=backup)
    lab.put(b"a", b"b")
    lab.cloud.advance(70)
    assert (lab.bodies(), lab.bodies("spare")) == ([b"ab"], [])
    lab.cloud.advance(60)
    assert lab.bodies("spare", "raw/") == [b"ab"]


@pytest.mark.guide
def test_one_bucket_can_fail_without_the_other(lab):
    create(lab, S3BackupMode="Enabled", S3BackupConfiguration=s3("spare"))
    lab.s3.delete_bucket(Bucket="lake")
    lab.put(b"a")
    lab.cloud.advance(2 * DAY)
    assert lab.bodies("spare") == [b"a"]
    assert [row.resource for row in lab.rows("RecordLost")] == ["clicks"]


@pytest.mark.reported
def test_a_role_that_is_deleted_stops_the_delivery(lab):
    create(lab)
    lab.iam.delete_role_policy(RoleName="firehose", PolicyName="p")
    lab.iam.delete_role(RoleName="firehose")
    lab.put(b"a")
    lab.cloud.advance(90)
    assert {row.detail["code"] for row in lab.rows("BatchFailed")} == {"S3.AssumeRoleAccessDenied"}
