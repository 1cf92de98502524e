"""What Firehose refuses, and in which words. The marker says from where the text is known."""

import pytest
from aws_errors import broken, case, guide, ours, reported
from firehose.conftest import ACCOUNT, DESTINATION, ROLE, Lab, processor, s3

from lablib.aws.service import NotSimulated

ARGUMENT, VALIDATION = "InvalidArgumentException", "ValidationException"
DYNAMIC = (
    "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is enabled."
)
KEYS = "k=!{partitionKeyFromQuery:k}/"
ERRORS = {"ErrorOutputPrefix": "e/"}
ON = {"DynamicPartitioningConfiguration": {"Enabled": True}}


def at(name, value):
    return broken(f"... at 'extendedS3DestinationConfiguration.{name}'", value)


def new(**config):
    return {"DeliveryStreamName": "new", "ExtendedS3DestinationConfiguration": s3(**config)}


CASES = [
    # ---- not there, there already
    case(reported, "describe_delivery_stream", {"DeliveryStreamName": "none"}, "ResourceNotFoundException",
         f"Firehose none not found under account {ACCOUNT}."),
    case(reported, "put_record", {"DeliveryStreamName": "none", "Record": {"Data": b""}}, "ResourceNotFoundException",
         f"Firehose none not found under account {ACCOUNT}."),
    case(reported, "create_delivery_stream", {**new(), "DeliveryStreamName": "clicks"}, "ResourceInUseException",
         f"Firehose clicks under accountId {ACCOUNT} already exists"),
    # ---- constraints of the API; the form of the texts is that of Kinesis
    case(guide, "create_delivery_stream", {**new(), "DeliveryStreamName": "a b"}, VALIDATION,
         broken("'a b' at 'deliveryStreamName'", "satisfy regular expression pattern: [a-zA-Z0-9_.-]+")),
    case(guide, "create_delivery_stream", {**new(), "DeliveryStreamName": "a" * 65}, VALIDATION,
         broken(f"'{'a' * 65}' at 'deliveryStreamName'", "have length less than or equal to 64")),
    case(guide, "create_delivery_stream", new(size=129), VALIDATION,
         at("bufferingHints.sizeInMBs", "have value less than or equal to 128")),
    case(guide, "create_delivery_stream", new(seconds=59), VALIDATION,
         at("bufferingHints.intervalInSeconds", "have value greater than or equal to 60")),
    case(guide, "create_delivery_stream", new(seconds=901), VALIDATION,
         at("bufferingHints.intervalInSeconds", "have value less than or equal to 900")),
    case(guide, "create_delivery_stream", new(CompressionFormat="RAR"), VALIDATION,
         at("compressionFormat", "satisfy enum value set: [UNCOMPRESSED, GZIP, ZIP, Snappy, HADOOP_SNAPPY]")),
    case(guide, "create_delivery_stream", new(BucketARN="lake"), VALIDATION,
         at("bucketARN", "satisfy regular expression pattern: ...")),
    case(guide, "create_delivery_stream", new(ProcessingConfiguration=processor("Magic")), VALIDATION,
         at("processingConfiguration.processors.1.member.type", "...")),
    case(guide, "put_record", {"DeliveryStreamName": "clicks", "Record": {"Data": bytes(1000 * 1024 + 1)}},
         VALIDATION, broken("at 'record.data'", "have length less than or equal to 1024000")),
    case(guide, "put_record_batch", {"DeliveryStreamName": "clicks", "Records": [{"Data": b""}] * 501}, VALIDATION,
         broken("at 'records'", "have length less than or equal to 500")),
    case(guide, "put_record_batch",
         {"DeliveryStreamName": "clicks", "Records": [{"Data": b""}, {"Data": bytes(1000 * 1024 + 1)}]}, VALIDATION,
         broken("at 'records.2.member.data'", "have length less than or equal to 1024000")),
    case(ours, "put_record_batch", {"DeliveryStreamName": "clicks", "Records": [{"Data": bytes(1000 * 1024)}] * 5},
         ARGUMENT, "Records size exceeds 4 MB limit"),
    # ---- destinations
    case(reported, "create_delivery_stream", {"DeliveryStreamName": "new"}, ARGUMENT,
         "Exactly one destination configuration is supported for a Firehose stream."),
    case(reported, "create_delivery_stream", {**new(), "S3DestinationConfiguration": s3()}, ARGUMENT,
         "Exactly one destination configuration is supported for a Firehose stream."),
    case(ours, "create_delivery_stream", {**new(), "DeliveryStreamType": "KinesisStreamAsSource"}, ARGUMENT,
         "DeliveryStreamType KinesisStreamAsSource requires KinesisStreamSourceConfiguration."),
    case(ours, "create_delivery_stream", {**new(), "KinesisStreamSourceConfiguration": {
         "KinesisStreamARN": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/none", "RoleARN": ROLE},
         "DeliveryStreamType": "KinesisStreamAsSource"}, ARGUMENT,
         f"The Kinesis stream arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/none cannot be read: Stream none under..."),
    case(ours, "create_delivery_stream", new(S3BackupMode="Enabled"), ARGUMENT,
         "S3BackupConfiguration is required when S3BackupMode is Enabled."),
    case(ours, "create_delivery_stream", new(S3BackupMode="AllData"), ARGUMENT,
         "S3BackupMode must be one of Disabled, Enabled for this destination."),
    # ---- prefixes
    case(ours, "create_delivery_stream", new(Prefix="!{time:yyyy}/", **ERRORS), ARGUMENT,
         "Prefix: 'time' is not a valid namespace of an expression."),
    case(ours, "create_delivery_stream", new(Prefix="!{timestamp:yyyy/", **ERRORS), ARGUMENT,
         "Prefix: an expression has the form !{namespace:value}."),
    case(guide, "create_delivery_stream", new(Prefix="!{timestamp:yyyy}/"), ARGUMENT,
         "ErrorOutputPrefix must be given when Prefix contains expressions."),
    case(guide, "create_delivery_stream", new(Prefix="!{firehose:error-output-type}/", **ERRORS), ARGUMENT,
         "Prefix: 'error-output-type' is not a valid value of the namespace firehose there."),
    case(guide, "create_delivery_stream", new(ErrorOutputPrefix="!{timestamp:yyyy}/"), ARGUMENT,
         "ErrorOutputPrefix with expressions must contain !{firehose:error-output-type}."),
    case(ours, "create_delivery_stream", new(CustomTimeZone="Mars/Olympus"), ARGUMENT,
         "CustomTimeZone Mars/Olympus is not a time zone."),
    # ---- dynamic partitioning
    case(reported, "create_delivery_stream", new(Prefix=KEYS, **ERRORS), ARGUMENT, DYNAMIC),
    case(reported, "create_delivery_stream", new(Prefix=KEYS, **ERRORS, **ON), ARGUMENT,
         "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled."),
    case(ours, "create_delivery_stream", new(Prefix=KEYS, size=64, **ERRORS, **ON), ARGUMENT,
         "The partition key k of Prefix is not in MetadataExtractionQuery."),
    # ---- changes
    case(ours, "update_destination", {**DESTINATION, "CurrentDeliveryStreamVersionId": "7",
         "ExtendedS3DestinationUpdate": {}}, "ConcurrentModificationException",
         "The version id 7 of Firehose clicks is not the current one, which is 1."),
    case(ours, "update_destination", {**DESTINATION, "CurrentDeliveryStreamVersionId": "1", "DestinationId": "d-2",
         "ExtendedS3DestinationUpdate": {}}, ARGUMENT, "Destination d-2 not found in Firehose clicks."),
    case(guide, "update_destination", {**DESTINATION, "CurrentDeliveryStreamVersionId": "1",
         "ExtendedS3DestinationUpdate": ON}, ARGUMENT,
         "Dynamic partitioning can only be enabled when a Firehose stream is created."),
    # ---- encryption
    case(ours, "start_delivery_stream_encryption", {"DeliveryStreamName": "clicks",
         "DeliveryStreamEncryptionConfigurationInput": {"KeyType": "CUSTOMER_MANAGED_CMK"}}, ARGUMENT,
         "KeyType CUSTOMER_MANAGED_CMK requires KeyARN."),
]  # fmt: skip


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    lab.create()
    return lab


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_in_the_words_of_aws(lab, case):
    lab.cloud.advance(1)
    case.check(lab.firehose, left=lambda: (lab.describe(), lab.firehose.list_delivery_streams()["DeliveryStreamNames"]))


@pytest.mark.ours
@pytest.mark.parametrize(
    ("config", "named"),
    [
        (new(CompressionFormat="Snappy"), "Snappy"),
        (new(CompressionFormat="HADOOP_SNAPPY"), "SNAPPY"),
        ({**new(), "DeliveryStreamType": "MSKAsSource"}, "MSKAsSource"),
        (new(Prefix="!{timestamp:EEEE}/", **ERRORS), "EEEE"),
        (new(ProcessingConfiguration=processor("CloudWatchLogProcessing")), "CloudWatchLogProcessing"),
    ],
)
def test_what_the_lab_has_not_is_named(lab, config, named):
    with pytest.raises(NotSimulated, match=named):
        lab.firehose.create_delivery_stream(**config)
