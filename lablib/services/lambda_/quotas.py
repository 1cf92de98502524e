"""Quotas and prices of AWS Lambda, and what the model of its environments and events assumes."""

from __future__ import annotations

from lablib.aws.quotas import Quota, assumed, quota

_ASYNC = "guide: how Lambda handles errors and retries with asynchronous invocation"
_SQS = "guide: configuring scaling behavior for SQS event source mappings"
_PRICE = "price list: Lambda, us-east-1, x86; quoted in 2025"

QUOTAS: tuple[Quota, ...] = (
    quota("lambda.timeout_max", 900, 900, "s", "guide: Lambda quotas"),
    quota("lambda.memory_max", 10_240, 10_240, "MB", "guide: Lambda quotas"),
    quota("lambda.variables_max", 4096, 4096, "bytes", "guide: Lambda quotas (environment variables)"),
    quota("lambda.payload_size", 6_291_456, 6_291_456, "bytes", "guide: Lambda quotas (synchronous)"),
    quota(
        "lambda.event_size", 262_144, 1_048_576, "bytes", "guide: Lambda quotas (asynchronous; 1 MB since October 2025)"
    ),
    quota("lambda.loop", 16, 16, "invocations", "guide: recursive loop detection (approximately; since July 2023)"),
    quota("lambda.concurrency", 1000, 1000, "invocations", "guide: Lambda quotas (of an account in a region)"),
    quota("lambda.unreserved_min", 100, 100, "invocations", "guide: configuring reserved concurrency"),
    quota("lambda.event_retries", 2, 2, "retries", "API: PutFunctionEventInvokeConfig"),
    quota("lambda.event_age", 21_600, 21_600, "s", "API: PutFunctionEventInvokeConfig"),
    quota("lambda.event_pause_1", 60, 60, "s", _ASYNC),
    quota("lambda.event_pause_2", 120, 120, "s", _ASYNC),
    quota("lambda.throttle_backoff_max", 300, 300, "s", _ASYNC),
    quota("lambda.batch_max", 10_000, 10_000, "messages", "API: CreateEventSourceMapping"),
    quota("lambda.batch_fifo", 10, 10, "messages", "API: CreateEventSourceMapping"),
    quota("lambda.window_max", 300, 300, "s", "API: CreateEventSourceMapping"),
    quota("lambda.pollers", 5, 5, "batches at a time", _SQS),
    quota("lambda.pollers_more", 60, 300, "batches a minute", _SQS + " (300 since November 2023)"),
    quota("lambda.pollers_max", 1000, 1000, "batches at a time", _SQS),
    quota("lambda.parallel", 10, 10, "batches at a time per shard", "API: CreateEventSourceMapping"),
    quota("lambda.batch_retries", 10_000, 10_000, "retries", "API: CreateEventSourceMapping"),
    quota("lambda.batch_age", 604_800, 604_800, "s", "API: CreateEventSourceMapping"),
    assumed("lambda.batch_pause", 1, "s", "until a batch of a stream is tried again, at first; then twice", 0, 3600),
    assumed("lambda.batch_pause_max", 60, "s", "the longest such pause", 0, 3600),
    assumed("lambda.cold_start_median", 0.25, "s", "median time to make an environment for a function", 0.001, 60),
    assumed("lambda.cold_start_p95", 0.8, "s", "95 of 100 environments are made in less", 0.001, 60),
    assumed("lambda.environment_idle", 600, "s", "how long an environment is kept warm", 0, 86_400),
    assumed("lambda.event_latency", 0.05, "s", "time of an event in the queue of asynchronous invocations", 0, 3600),
    assumed(
        "lambda.event_duplicates", 0.001, "", "share of events that a function gets twice; guide: at least once", 0, 1
    ),
    assumed("lambda.mapping_delay", 2, "s", "until an event source mapping is enabled, changed, disabled", 0, 600),
    quota("lambda.price_requests", 0.20, 0.20, "$ a million", _PRICE),
    quota(
        "lambda.bills_init", 0, 1, "", "AWS Compute Blog, 29 April 2025: the INIT phase is billed since 1 August 2025"
    ),
    quota("lambda.price_gb_second", 0.0000166667, 0.0000166667, "$", _PRICE),
)
