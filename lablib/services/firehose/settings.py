"""What a delivery stream is told of its destination: the configuration, checked, completed with AWS's defaults.

Sources: API reference (CreateDeliveryStream and the types that it names); developer guide, "Configure destination
settings", "Understand custom prefixes", "Partition streaming data". A destination is kept as the document in which it
was given; what is asked of it often is a property.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode
from copy import deepcopy
from functools import cached_property
from typing import Any

from lablib.aws.service import NotSimulated
from lablib.services.firehose.checks import Document, argument
from lablib.services.firehose.prefixes import check_prefix, check_zone, keys_in

MIB = 1 << 20
S3, REDSHIFT, OPENSEARCH, HTTP = "S3", "Redshift", "OpenSearch", "HttpEndpoint"
_KINDS = {  # the parameter of CreateDeliveryStream without "Configuration": what it is, and its name in answers
    "s3_destination": (S3, "ExtendedS3DestinationDescription"),
    "extended_s3_destination": (S3, "ExtendedS3DestinationDescription"),
    "redshift_destination": (REDSHIFT, "RedshiftDestinationDescription"),
    "elasticsearch_destination": (OPENSEARCH, "ElasticsearchDestinationDescription"),
    "amazonopensearchservice_destination": (OPENSEARCH, "AmazonopensearchserviceDestinationDescription"),
    "http_endpoint_destination": (HTTP, "HttpEndpointDestinationDescription"),
}
_ABSENT = {
    "splunk_destination": "Splunk's collector has a protocol of its own; use an HTTP endpoint with the name Splunk",
    "snowflake_destination": "Snowflake is not in this lab; use Redshift",
    "iceberg_destination": "Apache Iceberg tables are not in this lab; use S3, with or without Parquet",
    "amazon_open_search_serverless_destination": "use an OpenSearch domain",
}
_NEEDED = {
    S3: ("RoleARN", "BucketARN"),
    REDSHIFT: ("RoleARN", "ClusterJDBCURL", "CopyCommand", "S3Configuration"),
    OPENSEARCH: ("RoleARN", "IndexName", "S3Configuration"),
    HTTP: ("EndpointConfiguration", "S3Configuration"),
}
_BACKUP = "S3BackupConfiguration"
_ALL = ("Enabled", "AllDocuments", "AllData")
_MODES = {  # S3BackupMode, the default first
    S3: ("Disabled", "Enabled"),
    REDSHIFT: ("Disabled", "Enabled"),
    OPENSEARCH: ("FailedDocumentsOnly", "AllDocuments"),
    HTTP: ("FailedDataOnly", "AllData"),
}


class Place:
    """Where objects go: a bucket, and how they are named. Made of an S3DestinationConfiguration."""

    def __init__(self, document: Document, quotas: dict[str, Any]) -> None:
        hints = document.get("BufferingHints", {})
        self.bucket = document["BucketARN"].rpartition(":")[2]
        self.prefix: str = document.get("Prefix", "")
        self.error_prefix: str = document.get("ErrorOutputPrefix") or document.get("Prefix", "")
        self.compression: str = document.get("CompressionFormat", "UNCOMPRESSED")
        self.extension: str = document.get("FileExtension", "")
        self.zone: str = document.get("CustomTimeZone", "UTC")
        self.size: int = hints.get("SizeInMBs", quotas["firehose.size"]) * MIB
        self.seconds: float = hints.get("IntervalInSeconds", quotas["firehose.interval"])
        self.role: str = document["RoleARN"]


class Destination:
    """A destination: its `kind`, and the `document` that describes it. `version` is that of the stream at the time."""

    def __init__(self, kind: str, shown: str, document: Document, quotas: dict[str, Any], version: int) -> None:
        self.kind = kind
        self.shown = shown
        self.document = document
        self.version = version
        self._quotas = quotas
        self.files = Place(document if kind == S3 else document["S3Configuration"], quotas)
        hints = document.get("BufferingHints", {})
        self.size: int = hints["SizeInMBs"] * MIB if "SizeInMBs" in hints else self.files.size
        self.seconds: float = hints.get("IntervalInSeconds", self.files.seconds)
        self.role: str = document.get("RoleARN") or self.files.role

    @cached_property
    def backup(self) -> Place | None:
        """Where a copy of all records goes, if one does."""
        if self.document["S3BackupMode"] not in _ALL:
            return None
        return (
            Place(self.document["S3BackupConfiguration"], self._quotas) if self.kind in (S3, REDSHIFT) else self.files
        )

    @cached_property
    def processors(self) -> dict[str, dict[str, str]]:
        """The parameters of each processor by its type, in the order in which they act."""
        config = self.document.get("ProcessingConfiguration", {})
        if not config.get("Enabled"):
            return {}
        return {
            one["Type"]: {p["ParameterName"]: p["ParameterValue"] for p in one.get("Parameters", ())}
            for one in config.get("Processors", ())
        }

    @property
    def partitioned(self) -> bool:
        """Has it dynamic partitioning?"""
        return bool(self.document.get("DynamicPartitioningConfiguration", {}).get("Enabled"))

    @property
    def converted(self) -> bool:
        """Are records converted to Parquet?"""
        config = self.document.get("DataFormatConversionConfiguration")
        return bool(config and config.get("Enabled", True))

    @cached_property
    def retry(self) -> float:
        """For how long, in seconds, it is tried again; S3 has no such setting."""
        given = self.document.get("RetryOptions", {}).get("DurationInSeconds")
        return float(self._quotas[_RETRY[self.kind]] if given is None else given)

    def describe(self) -> Document:
        """As DescribeDeliveryStream shows it: without secrets."""
        shown = {name: value for name, value in self.document.items() if name not in ("Password", "Username")}
        for config, name in (("S3Configuration", "S3DestinationDescription"),
                             ("S3BackupConfiguration", "S3BackupDescription")):  # fmt: skip
            if config in shown:
                shown[name] = shown.pop(config)
        if "EndpointConfiguration" in shown:
            endpoint = shown["EndpointConfiguration"]
            shown["EndpointConfiguration"] = {k: v for k, v in endpoint.items() if k != "AccessKey"}
        answer = {"DestinationId": "destinationId-000000000001", self.shown: shown}
        return answer | ({"S3DestinationDescription": _plain(shown)} if self.kind == S3 else {})


_RETRY = {
    S3: "firehose.retention", REDSHIFT: "firehose.redshift_retry", OPENSEARCH: "firehose.opensearch_retry",
    HTTP: "firehose.http_retry",
}  # fmt: skip
_PLAIN = (
    "RoleARN", "BucketARN", "Prefix", "ErrorOutputPrefix", "BufferingHints", "CompressionFormat",
    "EncryptionConfiguration", "CloudWatchLoggingOptions",
)  # fmt: skip


def _plain(document: Document) -> Document:
    return {name: document[name] for name in _PLAIN if name in document}


def read_destination(
    given: dict[str, Document], what: str, quotas: dict[str, Any], old: Destination | None = None
) -> Destination:
    """The destination in the parameters of CreateDeliveryStream (`what` is "configuration") or UpdateDestination
    ("update", which changes the `old` one).

    Raises InvalidArgumentException, and NotSimulated for what the lab has not.
    """
    for name in given:
        kind = name.removesuffix(f"_{what}")
        if kind in _ABSENT:
            raise NotSimulated(f"firehose: {name} is not simulated: {_ABSENT[kind]}")
        if kind not in _KINDS:
            raise NotSimulated(f"firehose: parameter {name} is not simulated")
    if len(given) != 1:
        raise argument("Exactly one destination configuration is supported for a Firehose stream.")  # reported
    ((name, document),) = given.items()
    kind, shown = _KINDS[name.removesuffix(f"_{what}")]
    document = deepcopy(document)
    for update, config in (("S3Update", "S3Configuration"), ("S3BackupUpdate", "S3BackupConfiguration")):
        if update in document:
            document[config] = document.pop(update)
    if old and old.kind == kind:
        if old.document["S3BackupMode"] in _ALL and document.get("S3BackupMode") == "Disabled":
            raise argument("S3BackupMode cannot be disabled once it was enabled.")
        was, is_now = (
            old.partitioned,
            document.get("DynamicPartitioningConfiguration", {}).get("Enabled", old.partitioned),
        )
        if was != is_now:
            raise argument("Dynamic partitioning can only be enabled when a Firehose stream is created.")
        for config in ("S3Configuration", "S3BackupConfiguration"):
            if config in document and config in old.document:
                document[config] = old.document[config] | document[config]
        document = old.document | document
    missing = [field for field in _NEEDED[kind] if field not in document]
    if missing:
        raise argument(f"{missing[0]} is required for a destination of this type.")
    _complete(document, kind, quotas)
    destination = Destination(kind, shown, document, quotas, 1)
    _check(destination)
    return destination


def _complete(document: Document, kind: str, quotas: dict[str, Any]) -> None:
    """Fill in what AWS fills in."""
    document.setdefault("S3BackupMode", _MODES[kind][0])
    partitioned = document.get("DynamicPartitioningConfiguration", {}).get("Enabled")
    large = document.get("DataFormatConversionConfiguration") or partitioned
    size = quotas["firehose.size_max" if large else "firehose.size"]
    for place in (document if kind == S3 else None, document.get("S3Configuration"),
                  document.get("S3BackupConfiguration")):  # fmt: skip
        if place is not None:
            hints = place.setdefault("BufferingHints", {})
            hints.setdefault("SizeInMBs", size)
            hints.setdefault("IntervalInSeconds", quotas["firehose.interval"])
            place.setdefault("CompressionFormat", "UNCOMPRESSED")
            place.setdefault("EncryptionConfiguration", {"NoEncryptionConfig": "NoEncryption"})
            place.setdefault("CloudWatchLoggingOptions", {"Enabled": False})
    if kind == OPENSEARCH:
        document.setdefault("IndexRotationPeriod", "OneDay")
    if kind != S3:
        document.setdefault("RetryOptions", {"DurationInSeconds": quotas[_RETRY[kind]]})


def _check(destination: Destination) -> None:
    document, files = destination.document, destination.files
    if document["S3BackupMode"] not in _MODES[destination.kind]:
        raise argument(f"S3BackupMode must be one of {', '.join(_MODES[destination.kind])} for this destination.")
    if destination.kind in (S3, REDSHIFT) and document["S3BackupMode"] in _ALL and not document.get(_BACKUP):
        raise argument("S3BackupConfiguration is required when S3BackupMode is Enabled.")
    for place in (files, destination.backup):
        if place is None:
            continue
        if "nappy" in place.compression.lower():
            raise NotSimulated(f"firehose: CompressionFormat {place.compression} is not simulated: GZIP and ZIP are")
        check_prefix(place.prefix, "Prefix", destination.partitioned)
        check_prefix(place.error_prefix if place.error_prefix != place.prefix else "", "ErrorOutputPrefix", False)
        if "!{" in place.prefix and place.error_prefix == place.prefix:
            raise argument("ErrorOutputPrefix must be given when Prefix contains expressions.")
        check_zone(place.zone)
    if destination.kind == REDSHIFT:
        if files.compression == "ZIP":
            raise argument("CompressionFormat ZIP is not supported for a Redshift destination.")
        if "!{" in files.prefix:
            raise argument("Prefix must not contain expressions for a Redshift destination.")
    _check_partitions(destination)
    if destination.converted:
        _check_conversion(document["DataFormatConversionConfiguration"])
        if files.compression != "UNCOMPRESSED":
            raise argument("CompressionFormat must be UNCOMPRESSED when data format conversion is enabled.")
        if destination.size < 64 * MIB:
            raise argument("BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled.")
    if destination.kind == OPENSEARCH and ("DomainARN" in document) == ("ClusterEndpoint" in document):
        raise argument("Either DomainARN or ClusterEndpoint must be given.")
    for name, parameters in destination.processors.items():
        if name == "Lambda" and not re.match("arn:aws[a-z-]*:lambda:", parameters.get("LambdaArn", "")):
            raise argument("The processor Lambda needs the parameter LambdaArn.")
        for parameter, (low, high) in _RANGES.items():
            if parameter in parameters and not low <= _number(parameters[parameter]) <= high:
                raise argument(f"{parameter} must be a number from {low} to {high}.")
        if parameters.get("SubRecordType") == "DELIMITED" and not _delimiter(parameters.get("Delimiter", "")):
            raise argument("SubRecordType DELIMITED needs the parameter Delimiter, in Base64.")
        if name == "CloudWatchLogProcessing":
            raise NotSimulated("firehose: the processor CloudWatchLogProcessing is not simulated")


def _check_conversion(config: Document) -> None:
    for part in ("SchemaConfiguration", "InputFormatConfiguration", "OutputFormatConfiguration"):
        if part not in config:
            raise argument(f"{part} is required when data format conversion is enabled.")
    if "OrcSerDe" in config["OutputFormatConfiguration"].get("Serializer", {}):
        raise NotSimulated("firehose: conversion to ORC is not simulated: Parquet is (ParquetSerDe)")


_RANGES = {"BufferSizeInMBs": (0.2, 3), "BufferIntervalInSeconds": (0, 900), "NumberOfRetries": (0, 300)}  # guide


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _delimiter(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


def _check_partitions(destination: Destination) -> None:
    """Guide, "Partition streaming data"; the first text was seen in the source of aws-cdk."""
    if not destination.partitioned:
        return
    if destination.kind != S3:
        raise argument("Dynamic partitioning is supported for S3 destinations only.")
    if destination.size < 64 * MIB:
        raise argument("BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.")
    named = keys_in(destination.files.prefix)
    if not named:
        raise argument("Prefix must contain partition keys when Dynamic Partitioning is enabled.")
    query = destination.processors.get("MetadataExtraction", {}).get("MetadataExtractionQuery", "")
    known = [name for name, _ in read_query(query)] if query else []
    for namespace, name in named:
        if namespace == "partitionKeyFromQuery" and name not in known:
            raise argument(f"The partition key {name} of Prefix is not in MetadataExtractionQuery.")
        if namespace == "partitionKeyFromLambda" and "Lambda" not in destination.processors:
            raise argument(f"The partition key {name} of Prefix needs a Lambda processor.")


_PAIR = re.compile(r"\s*\"?(\w+)\"?\s*:\s*((?:\.\w+|\[\d+\])+)\s*")


def read_query(query: str) -> list[tuple[str, list[str]]]:
    """A MetadataExtractionQuery, `{year: .when.year, kind: .kind}`: the keys, each with the path to its value.

    Of jq, an object of paths is simulated. Raises NotSimulated for the rest.
    """
    inner = query.strip()
    pairs = [_PAIR.fullmatch(part) for part in inner[1:-1].split(",")]
    if not (inner.startswith("{") and inner.endswith("}")) or not all(pairs):
        raise NotSimulated(
            f"firehose: MetadataExtractionQuery {query!r} is not simulated; of jq, {{key: .path.to.it}} is"
        )
    return [(pair.group(1), re.findall(r"\w+", pair.group(2))) for pair in pairs if pair]
