"""What is measured of a delivery stream, as CloudWatch does, and what the tokens of the picture say."""

import pytest
from firehose.conftest import DESTINATION, conversion, processor, s3

from lablib.aws.event import LOST, RETRYING, WAITING
from lablib.measures.measures import Measures
from lablib.measures.tokens import fold

HOUR = 3600


@pytest.mark.guide
def test_data_freshness_is_the_age_of_the_oldest_record(lab):
    lab.create(ExtendedS3DestinationConfiguration=s3())
    lab.put(b"a")
    lab.cloud.advance(30)
    lab.put(b"b")
    lab.cloud.advance(100)
    series = Measures(lab.cloud.trace).age_of_oldest("clicks")
    assert [round(series.value(t)) for t in (20, 50, 75, 100)] == [0, 30, 55, 0]


@pytest.mark.guide
def test_success_falls_while_s3_is_down(lab):
    lab.create(ExtendedS3DestinationConfiguration=s3())
    lab.fail("PutObject", seconds=HOUR)
    lab.put(b"a")
    lab.cloud.advance(2 * HOUR)
    measures = Measures(lab.cloud.trace)
    success = measures.success("clicks")
    assert success.value(300) == 0 and success.last == 1
    assert measures.age_of_oldest("clicks").max > HOUR


@pytest.mark.ours
def test_bytes_and_latencies(lab):
    lab.create(ExtendedS3DestinationConfiguration=s3())
    lab.put(b"abc", b"de")
    lab.cloud.advance(130)
    assert Measures(lab.cloud.trace).p(50) == pytest.approx(60.2, abs=0.1)
    assert [(row.detail["records"], row.detail["bytes"]) for row in lab.rows("BatchDelivered")] == [(2, 5)]


@pytest.mark.guide
def test_small_records_are_billed_as_five_kilobytes(lab):
    lab.create()
    lab.put_batch(*[b"x"] * 100)
    bill = Measures(lab.cloud.trace).bill()["firehose"]
    assert bill == {"records taken": pytest.approx(100 * 5 * 1024 / 2**30 * 0.029)}


@pytest.mark.guide
def test_conversion_and_dynamic_partitioning_are_billed_by_the_same_bytes_from_when_they_are_on(lab):
    """Price list: on top of what is taken in."""
    partitioned = {
        "ProcessingConfiguration": processor("MetadataExtraction", MetadataExtractionQuery="{k:.k}",
                                             JsonParsingEngine="JQ-1.6"),
        "Prefix": "k=!{partitionKeyFromQuery:k}/", "ErrorOutputPrefix": "errors/",
    }  # fmt: skip
    lab.create(ExtendedS3DestinationConfiguration=s3(
        size=64, DynamicPartitioningConfiguration={"Enabled": True}, DataFormatConversionConfiguration=conversion(),
        **partitioned,
    ))  # fmt: skip
    lab.put(b'{"k": "a"}')
    plain = {"DataFormatConversionConfiguration": {"Enabled": False}}
    lab.firehose.update_destination(
        **DESTINATION, CurrentDeliveryStreamVersionId="1", ExtendedS3DestinationUpdate=plain
    )
    lab.cloud.advance(60)
    lab.put(b'{"k": "b"}', b'{"k": "c"}')
    bill, unit = Measures(lab.cloud.trace).bill()["firehose"], 5 * 1024 / 2**30
    assert bill["dynamic partitioning"] == pytest.approx(3 * unit * 0.020)
    assert bill["format conversion"] == pytest.approx(1 * unit * 0.018)
    assert bill["records taken"] == pytest.approx(3 * unit * 0.029)


@pytest.mark.ours
def test_the_picture_knows_where_a_record_is(lab):
    """In the buffer, waiting for the next attempt, lost or delivered; copies and failed records at places of their
    own."""
    backup = {"S3BackupMode": "Enabled", "S3BackupConfiguration": s3("spare", seconds=300)}
    lab.create(ExtendedS3DestinationConfiguration=s3(**backup))
    lab.s3.delete_bucket(Bucket="lake")
    (record,) = lab.put(b"a")
    lab.cloud.advance(25 * HOUR)
    tokens = fold(lab.cloud.trace)
    seen = [(tokens.name(t.resource), t.state, t.because) for t in tokens.tokens if tokens.name(t.subject) == record]
    assert seen == [
        ("clicks", WAITING, "record retrying"),
        ("clicks/backup", WAITING, "delivered"),
        ("clicks", RETRYING, "lost"),
        ("clicks", LOST, ""),
    ]
    assert Measures(lab.cloud.trace).lost == 1
    assert Measures(lab.cloud.trace).depth("clicks").value(50) == 1


@pytest.mark.ours
def test_a_published_message_is_followed_through(lab):
    """What another service puts is told of with its cause."""
    lab.create()
    lab.put(b"a")
    lab.cloud.advance(400)
    (record,) = (row.subject for row in lab.rows("RecordAccepted"))
    assert [row.kind for row in lab.cloud.trace.chain(lab.rows("RecordDelivered")[0].index)] == [
        "BufferClosed", "BatchDelivered", "RecordDelivered"]  # fmt: skip
    assert "delivered from clicks to s3://lake/" in lab.cloud.explain(record)


@pytest.mark.ours
def test_the_same_seed_gives_the_same_trace():
    from firehose.conftest import Lab

    def digest(seed):
        lab = Lab(seed=seed)
        lab.create(ExtendedS3DestinationConfiguration=s3(Prefix="!{firehose:random-string}/", ErrorOutputPrefix="e/"))
        for n in range(50):
            lab.put(b"%d" % n)
            lab.cloud.advance(7)
        return lab.cloud.trace.digest()

    assert digest(4) == digest(4) != digest(5)
