"""Quotas and prices of Data Firehose, and what the model of a delivery assumes."""

from __future__ import annotations

from lablib.aws.quotas import Quota, assumed, quota

MIB = 1 << 20
_PUT = "API: PutRecord (records, calls and bytes of PutRecord and PutRecordBatch together)"
_GUIDE = "guide: quotas"
_HTTP = "guide: HTTP endpoint delivery request and response specifications"
_PRICE = "price list: Data Firehose, us-east-1"

QUOTAS: tuple[Quota, ...] = (
    quota("firehose.streams", 50, 5000, "streams", _GUIDE),
    quota("firehose.record_size", 1000 * 1024, 1000 * 1024, "bytes", "API: PutRecord (before base64)"),
    quota("firehose.batch_records", 500, 500, "records", "API: PutRecordBatch"),
    quota("firehose.batch_size", 4 * MIB, 4 * MIB, "bytes", "API: PutRecordBatch"),
    quota("firehose.put_calls", 2000, 2000, "calls/s per stream", _PUT),
    quota("firehose.put_records", 5000, 5000, "records/s per stream", _PUT),
    quota("firehose.put_bytes", 5 * MIB, 5 * MIB, "bytes/s per stream", _PUT),
    quota("firehose.interval_min", 60, 0, "s", "course of 2023: 60; API: BufferingHints: 0"),
    quota("firehose.interval", 300, 300, "s", "API: BufferingHints (the default)"),
    quota("firehose.size", 5, 5, "MiB", "API: BufferingHints (the default)"),
    quota("firehose.size_max", 128, 128, "MiB", "API: BufferingHints (of an object in S3)"),
    quota("firehose.retention", 86_400, 86_400, "s", "course of 2023; guide: handle data delivery failures"),
    quota("firehose.transform_size", 1, 1, "MiB", "API: ProcessorParameter (the default)"),
    quota("firehose.transform_interval", 60, 60, "s", "API: ProcessorParameter (the default)"),
    quota("firehose.transform_retries", 3, 3, "retries", "API: ProcessorParameter (the default)"),
    quota("firehose.transform_answer", 6 * MIB, 6 * MIB, "bytes", "guide: data transformation"),
    quota("firehose.transform_timeout", 300, 300, "s", "guide: data transformation"),
    quota("firehose.partitions", 500, 500, "active partitions", "guide: dynamic partitioning (2023)"),
    quota("firehose.http_timeout", 180, 180, "s", _HTTP),
    quota("firehose.http_retry", 300, 300, "s", "API: HttpEndpointRetryOptions (the default)"),
    quota("firehose.opensearch_retry", 300, 300, "s", "API: AmazonopensearchserviceRetryOptions (the default)"),
    quota("firehose.redshift_retry", 3600, 3600, "s", "API: RedshiftRetryOptions (the default)"),
    quota("firehose.encryption_changes", 25, 25, "a day per stream", "API: StartDeliveryStreamEncryption"),
    quota("firehose.tags", 50, 50, "tags", "API: TagDeliveryStream"),
    quota("firehose.read_calls", 1, 1, "GetRecords/s per shard", "guide: writing with Kinesis Data Streams"),
    assumed("firehose.zero_wait", 1, "s", "how long records are collected when the interval is 0", 0.001, 60),
    assumed("firehose.delivery_time", 0.2, "s", "from the end of a buffer to the first attempt to deliver", 0, 60),
    assumed("firehose.retry_pause", 10, "s", "before the second attempt; twice as long before each next", 0.001, 3600),
    assumed("firehose.retry_pause_max", 300, "s", "the longest pause between two attempts", 0.001, 3600),
    assumed("firehose.transform_pause", 1, "s", "before a function that failed is invoked again", 0.001, 3600),
    assumed("firehose.copy_pause", 1, "s", "between two looks at a COPY that runs", 0.001, 60),
    assumed("firehose.create_time", 15, "s", "CREATING", 0, 3600),
    assumed("firehose.delete_time", 15, "s", "DELETING", 0, 3600),
    assumed("firehose.update_time", 60, "s", "until a changed destination is used; API: a few minutes", 0, 3600),
    assumed("firehose.encryption_time", 15, "s", "ENABLING and DISABLING", 0, 3600),
    assumed("firehose.data_key_reuse", 300, "s", "how long a data key is reused, as by SQS and SNS", 1, 86_400),
    quota("firehose.price_gb", 0.029, 0.029, "$ a GB", _PRICE + " (the first 500 TB a month)"),
    quota("firehose.price_unit", 5 * 1024, 5 * 1024, "bytes", _PRICE + ": each record is rounded up to 5 KB"),
    quota("firehose.price_conversion", 0.018, 0.018, "$ a GB", _PRICE + ": format conversion"),
    quota("firehose.price_partitioning", 0.020, 0.020, "$ a GB", _PRICE + ": dynamic partitioning"),
)
