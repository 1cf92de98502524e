"""What Firehose accepts in a request, and the words in which it refuses the rest.

Constraints: API reference (2015-08-04) as shipped in botocore. Texts marked "reported" in the tests are quoted by
users; the others are ours, because AWS publishes none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lablib.aws.constraints import Rule, invalid, violations
from lablib.aws.service import ServiceError

Document = dict[str, Any]
_RULES = {
    "DeliveryStreamName": Rule(1, 64, "[a-zA-Z0-9_.-]+"),
    "ExclusiveStartDeliveryStreamName": Rule(1, 64, "[a-zA-Z0-9_.-]+"),
    "DeliveryStreamType": Rule(words=("DirectPut", "KinesisStreamAsSource", "MSKAsSource", "DatabaseAsSource")),
    "KinesisStreamARN": Rule(1, 512, r"arn:.*:kinesis:[a-zA-Z0-9\-]+:\d{12}:stream/[a-zA-Z0-9_.-]+"),
    "RoleARN": Rule(1, 512, r"arn:.*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+"),
    "BucketARN": Rule(1, 2048, r"arn:.*:s3:::[\w\.\-]{1,255}"),
    "KeyARN": Rule(1, 512, r"arn:.*:kms:[a-zA-Z0-9\-]+:\d{12}:key/[a-zA-Z_0-9+=,.@\-_/]+"),
    "KeyType": Rule(words=("AWS_OWNED_CMK", "CUSTOMER_MANAGED_CMK")),
    "Prefix": Rule(0, 1024),
    "ErrorOutputPrefix": Rule(0, 1024),
    "CompressionFormat": Rule(words=("UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY")),
    "SizeInMBs": Rule(1, 128),
    "IntervalInSeconds": Rule(0, 900),
    "DurationInSeconds": Rule(0, 7200),
    "FileExtension": Rule(0, 128, r"^$|\.[0-9a-z!\-_.*'()]+"),
    "CustomTimeZone": Rule(0, 50, r"^$|[a-zA-Z/_]+"),
    "ClusterJDBCURL": Rule(
        1, 512,
        r"jdbc:(redshift|postgresql)://((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(redshift(-serverless)?)\.([a-zA-Z0-9\.\-]+):"
        r"\d{1,5}/[a-zA-Z0-9_$-]+",
    ),
    "DataTableName": Rule(1, 512),
    "DomainARN": Rule(1, 512, r"arn:.*:es:[a-zA-Z0-9\-]+:\d{12}:domain/[a-z][-0-9a-z]{2,27}"),
    "ClusterEndpoint": Rule(1, 512, "https:.*"),
    "IndexName": Rule(1, 80),
    "IndexRotationPeriod": Rule(words=("NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth")),
    "Url": Rule(1, 1000, "https://.*"),
    "Type": Rule(words=(
        "RecordDeAggregation", "Decompression", "CloudWatchLogProcessing", "Lambda", "MetadataExtraction",
        "AppendDelimiterToRecord",
    )),
    "ParameterName": Rule(words=(
        "LambdaArn", "NumberOfRetries", "MetadataExtractionQuery", "JsonParsingEngine", "RoleArn", "BufferSizeInMBs",
        "BufferIntervalInSeconds", "SubRecordType", "Delimiter", "CompressionFormat", "DataMessageExtraction",
    )),
    "ParameterValue": Rule(1, 5120),
    "Limit": Rule(1, 10_000),
    "Tags": Rule(1, 50),
    "TagKeys": Rule(1, 50),
    "Records": Rule(1, 500),
    "CurrentDeliveryStreamVersionId": Rule(1, 50, "[0-9]+"),
    "DestinationId": Rule(1, 100, "[a-zA-Z0-9-]+"),
}  # fmt: skip
_SIZES = {"HttpEndpoint": 64, "Splunk": 5, "Elasticsearch": 100, "Amazonopensearch": 100}  # SizeInMBs, by destination


def check(params: Document, shortest: float) -> None:
    """Raise ValidationException with all that breaks the constraints of the API; `shortest` interval in seconds."""
    found = [text for name, value in params.items() for text in _walk(_spelled(name), value, "", shortest)]
    if found:
        raise invalid(*found)


def _walk(name: str, value: Any, above: str, shortest: float) -> Iterator[str]:
    at = f"{above}.{_lower(name)}" if above else _lower(name)
    rule = _RULES.get(name)
    if rule and value is not None and not isinstance(value, dict):
        if name == "SizeInMBs":
            most = next((most for kind, most in _SIZES.items() if at.lower().startswith(kind.lower())), 128)
            rule = rule._replace(high=rule.high if "s3" in at.partition(".")[2].lower() else most)
        elif name == "IntervalInSeconds":
            rule = rule._replace(low=shortest)
        yield from violations(at, value, rule)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(key, inner, at, shortest)
    elif isinstance(value, list) and name in ("Processors", "Parameters"):
        for number, inner in enumerate(value, 1):
            yield from _walk("member", inner, f"{at}.{number}", shortest)


def _spelled(name: str) -> str:
    """`delivery_stream_name` -> `DeliveryStreamName`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def argument(message: str) -> ServiceError:
    """An InvalidArgumentException."""
    return ServiceError("InvalidArgumentException", message)


def in_use(message: str) -> ServiceError:
    """A ResourceInUseException."""
    return ServiceError("ResourceInUseException", message)
