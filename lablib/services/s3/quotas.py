"""Quotas and prices of Amazon S3, and what the model of its events assumes."""

from __future__ import annotations

from lablib.aws.quotas import Quota, assumed, quota

_PRICE = "price list: S3, us-east-1, S3 Standard; quoted in 2025"

QUOTAS: tuple[Quota, ...] = (
    quota("s3.buckets", 100, 10_000, "buckets", "guide: bucket quotas (10,000 since November 2024)"),
    quota("s3.put_size", 5_368_709_120, 5_368_709_120, "bytes", "guide: uploading objects (in a single operation)"),
    quota("s3.list_page", 1000, 1000, "objects", "API: ListObjectsV2"),
    quota("s3.delete_objects", 1000, 1000, "objects", "API: DeleteObjects"),
    quota("s3.event_rules", 100, 100, "configurations", "guide: event notification types and destinations"),
    quota("s3.event_version", "2.1", "2.1", "", "recorded from AWS, 2023 and 2025 (guide: 2.1 to 2.3)"),
    assumed(
        "s3.event_median", 1, "s", "median time until an event arrives; guide: usually within seconds", 0.001, 3600
    ),
    assumed(
        "s3.event_p95", 4, "s", "95 of 100 events arrive in less; guide: sometimes a minute or longer", 0.001, 3600
    ),
    assumed("s3.event_duplicates", 0.001, "", "share of events that arrive twice; guide: at least once", 0, 1),
    assumed("s3.event_retry", 10, "s", "until S3 tries a destination again that failed", 0, 3600),
    assumed("s3.event_retries", 10, "retries", "of an event, before S3 gives up", 0, 1000),
    quota("s3.price_put", 5.0, 5.0, "$ a million", _PRICE + ": PUT, COPY, POST, LIST"),
    quota("s3.price_get", 0.40, 0.40, "$ a million", _PRICE),
    quota("s3.price_storage", 0.023, 0.023, "$ a GB and month", _PRICE + ": the first 50 TB"),
)
