"""Every figure of AWS as data: its value in the course notes of 2023, its value today, and where that is written.

A figure with `assumed=True` is a parameter of the model for which AWS publishes no number; `Cloud(assume={name:
value})` changes it. All others are AWS's and follow the edition: `Cloud(limits="2023")` or `Cloud(limits="today")`.

Sources: "notes" are the course notes (April 2023); "API" is the service's API reference as shipped in botocore; "guide"
is the service's developer guide; "price list" is the service's price page for us-east-1.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Edition = Literal["2023", "today"]
EDITIONS: tuple[Edition, ...] = ("2023", "today")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `notes` (2023) and `today` in `unit`, with its source; `low` and `high` bound what may be assumed."""

    name: str
    notes: Any
    today: Any
    unit: str
    source: str
    assumed: bool = False
    low: float = 0.0
    high: float = float("inf")


def _aws(name: str, notes: Any, today: Any, unit: str, source: str) -> Figure:
    return Figure(name, notes, today, unit, source)


def _assumed(name: str, value: Any, unit: str, why: str, low: float = 0.0, high: float = float("inf")) -> Figure:
    return Figure(name, value, value, unit, why, True, low, high)


_LATENCY = "assumed; notes: below 10 ms; SQS FAQ today: tens or low hundreds of milliseconds"
_GENERAL = (
    Figure("api.latency_median", 0.006, 0.020, "s", _LATENCY, True, 0, 60),
    Figure("api.latency_p95", 0.010, 0.080, "s", _LATENCY, True, 0, 60),
)

_CREATE = "API: CreateQueue"
_SQS: tuple[Figure, ...] = (
    _aws("sqs.message_size", 262_144, 1_048_576, "bytes", "notes; API: CreateQueue, SendMessageBatch"),
    _aws("sqs.retention", 345_600, 345_600, "s", _CREATE),
    _aws("sqs.retention_max", 1_209_600, 1_209_600, "s", _CREATE),
    _aws("sqs.visibility", 30, 30, "s", _CREATE),
    _aws("sqs.visibility_max", 43_200, 43_200, "s", _CREATE),
    _aws("sqs.delay", 0, 0, "s", _CREATE),
    _aws("sqs.delay_max", 900, 900, "s", _CREATE),
    _aws("sqs.wait", 0, 0, "s", _CREATE),
    _aws("sqs.wait_max", 20, 20, "s", _CREATE),
    _aws("sqs.batch_entries", 10, 10, "messages", "API: SendMessageBatch, ReceiveMessage"),
    _aws("sqs.message_attributes", 10, 10, "attributes", "guide: message quotas"),
    _aws("sqs.attribute_name_length", 256, 256, "characters", "API: ReceiveMessage"),
    _aws("sqs.in_flight", 120_000, 120_000, "messages", "API: ChangeMessageVisibility (approximately)"),
    _aws("sqs.fifo_in_flight", 20_000, 120_000, "messages", "guide: FIFO queue quotas (120,000 since November 2024)"),
    _aws("sqs.fifo_window", 20_000, 120_000, "messages", "guide: avoiding a large backlog with the same message group"),
    _aws("sqs.fifo_deduplication", 300, 300, "s", "API: SendMessage (MessageDeduplicationId)"),
    _aws("sqs.fifo_attempt", 300, 300, "s", "API: ReceiveMessage (ReceiveRequestAttemptId)"),
    _aws("sqs.fifo_id_length", 128, 128, "characters", "API: SendMessage, ReceiveMessage"),
    _aws("sqs.fifo_calls", 300, 300, "calls/s per action", "notes; guide: message quotas"),
    _aws("sqs.fifo_high_calls", 18_000, 70_000, "calls/s per action", "news of October 2023; guide: message quotas"),
    _aws("sqs.fifo_group_calls", 300, 300, "calls/s per group", "guide: high throughput for FIFO queues"),
    _aws("sqs.receives_before_back", 3, 3, "receives", "guide: available CloudWatch metrics"),
    _aws("sqs.max_receive_count", 10, 10, "receives", "API: SetQueueAttributes (RedrivePolicy)"),
    _aws("sqs.max_receive_count_max", 1000, 1000, "receives", "guide: configure a dead-letter queue"),
    _aws("sqs.redrive_sources", 10, 10, "queues", "API: SetQueueAttributes (RedriveAllowPolicy)"),
    _aws("sqs.move_rate_max", 500, 500, "messages/s", "API: StartMessageMoveTask"),
    _aws("sqs.move_tasks_listed", 10, 10, "tasks", "API: ListMessageMoveTasks"),
    _aws("sqs.recreate_wait", 60, 60, "s", "API: DeleteQueue"),
    _aws("sqs.purge_interval", 60, 60, "s", "API: PurgeQueue"),
    _aws("sqs.policy_actions", 7, 7, "actions", "API: AddPermission"),
    _aws("sqs.tags", 50, 50, "tags", "API: TagQueue"),
    _aws("sqs.list_page", 1000, 1000, "queues", "API: ListQueues"),
    _aws("sqs.data_key_reuse", 300, 300, "s", "API: CreateQueue (KmsDataKeyReusePeriodSeconds)"),
    _aws("sqs.data_key_reuse_max", 86_400, 86_400, "s", "API: CreateQueue (KmsDataKeyReusePeriodSeconds)"),
    _aws("sqs.counter_lag_max", 60, 60, "s", "API: GetQueueAttributes (at least 1 minute to consistency)"),
    _aws("sqs.managed_sse", False, True, "", "notes: opt in; API: on for new queues (SqsManagedSseEnabled)"),
    _aws("sqs.fair_queues", False, True, "", "API: SendMessage (MessageGroupId on standard queues, since 2025)"),
    _assumed("sqs.servers", 8, "servers", "servers of a standard queue", 1, 64),
    _assumed("sqs.copies", 2, "servers", "copies of a message, on different servers", 1, 64),
    _assumed("sqs.servers_asked", 3, "servers", "servers that a short poll asks", 1, 64),
    _assumed("sqs.outages_per_hour", 0.5, "per hour", "outages of one server; 1 delete in 240 misses a copy", 0, 3600),
    _assumed("sqs.outage_seconds", 15, "s", "mean length of an outage, exponential", 0, 86_400),
    _assumed("sqs.fifo_burst", 1, "s", "how many seconds' worth of a FIFO queue's calls may come at once", 0.01, 60),
    _assumed("sqs.counter_lag", 2, "s", "mean lag of the approximate counters, exponential", 0, 60),
    _assumed("sqs.propagation", 0, "s", "until DeleteQueue, SetQueueAttributes, PurgeQueue take effect", 0, 60),
    _assumed("sqs.move_rate", 100, "messages/s", "rate of a move task for which no rate was given", 1, 500),
)

_QUOTAS = "AWS General Reference: Amazon SNS endpoints and quotas"
_RETRIES = "guide: message delivery retries"
_SNS: tuple[Figure, ...] = (
    _aws("sns.message_size", 262_144, 262_144, "bytes", "API: CreateTopic, PublishBatch"),
    _aws("sns.message_size_max", 262_144, 1_048_576, "bytes", "API: SetTopicAttributes (MaximumMessageSize)"),
    _aws("sns.large_message_subscriptions", 100, 100, "subscriptions", "API: SetTopicAttributes (MaximumMessageSize)"),
    _aws("sns.topics", 100_000, 100_000, "topics", "notes; API: CreateTopic"),
    _aws("sns.fifo_topics", 1000, 1000, "topics", "API: CreateTopic"),
    _aws("sns.subscriptions", 12_500_000, 12_500_000, "subscriptions", "notes; " + _QUOTAS),
    _aws("sns.fifo_subscriptions", 100, 100, "subscriptions", _QUOTAS),
    _aws("sns.pending_subscriptions", 5000, 5000, "subscriptions", _QUOTAS),
    _aws("sns.topic_filters", 200, 200, "filter policies", "guide: subscription filter policy constraints"),
    _aws("sns.account_filters", 10_000, 10_000, "filter policies", "guide: subscription filter policy constraints"),
    _aws("sns.batch_entries", 10, 10, "messages", "API: PublishBatch"),
    _aws("sns.tags", 50, 50, "tags", "API: TagResource"),
    _aws("sns.list_page", 100, 100, "entries", "API: ListTopics, ListSubscriptions"),
    _aws("sns.token_life", 172_800, 172_800, "s", "API: Subscribe (two days)"),
    _aws("sns.subscribe_rate", 100, 100, "calls/s", "API: Subscribe, Unsubscribe"),
    _aws("sns.publish_rate_virginia", 30_000, 30_000, "messages/s", _QUOTAS + " (us-east-1)"),
    _aws("sns.publish_rate_large", 9000, 9000, "messages/s", _QUOTAS + " (us-west-2, eu-west-1)"),
    _aws("sns.publish_rate_medium", 1500, 1500, "messages/s", _QUOTAS + " (ten more regions)"),
    _aws("sns.publish_rate", 300, 300, "messages/s", _QUOTAS + " (all other regions)"),
    _aws("sns.email_rate", 10, 10, "messages/s", _QUOTAS),
    _aws("sns.fifo_rate", 300, 3000, "messages/s", "guide of 2023; API: CreateTopic (3,000 since November 2023)"),
    _aws("sns.fifo_group_rate", 300, 300, "messages/s", _QUOTAS),
    _aws("sns.fifo_deduplication", 300, 300, "s", "API: Publish (MessageDeduplicationId)"),
    _aws("sns.fifo_to_standard", False, True, "", "guide: FIFO message delivery (standard queues subscribe too)"),
    _aws("sns.fifo_scope", False, True, "", "API: CreateTopic (FifoThroughputScope, since January 2025)"),
    _aws("sns.fair_queues", False, True, "", "API: Publish (MessageGroupId on standard topics, since 2025)"),
    _aws("sns.http_timeout", 15, 15, "s", "guide: make sure your endpoint is ready to process Amazon SNS messages"),
    _aws("sns.http_delay_max", 3600, 3600, "s", _RETRIES + " (each delay, and the total of a policy)"),
    _aws("sns.http_retries_max", 100, 100, "retries", _RETRIES),
    _aws("sns.data_key_reuse", 300, 300, "s", "guide: Amazon SNS key management"),
    _aws("sns.sms_spend_limit", 1, 1, "$ a month", "guide: SMS spend, the first limit of a new account"),
    _assumed("sns.sms_price", 0.00645, "$", "price of one text message; AWS's differs by country and carrier", 0, 1),
    _assumed("sns.delivery_median", 0.020, "s", "from Publish to the first delivery attempt", 0, 60),
    _assumed("sns.delivery_p95", 0.060, "s", "from Publish to the first delivery attempt", 0, 60),
    _assumed("sns.cross_region", 0.080, "s", "added when the endpoint is in another region", 0, 60),
    _assumed("sns.filter_propagation", 0, "s", "until a changed filter policy takes effect", 0, 900),
    _assumed("sns.retry_jitter", 0.1, "", "jitter of a retry's delay, as a share of it to both sides", 0, 1),
)

_PRICE = "price list: SQS, us-east-1, standard queue, up to 100 billion requests a month; quoted in March 2026"
_PRICES = (
    _aws("sqs.price_per_million", 0.40, 0.40, "$", _PRICE),
    _aws("sqs.price_free", 1_000_000, 1_000_000, "requests a month", _PRICE),
    _aws("sqs.price_chunk", 65_536, 65_536, "bytes", _PRICE + ": each 64 KB of a payload is one request"),
)

_SNS_PRICE = "price list: SNS, us-east-1, standard topic; quoted in June 2026"
_S3_PRICE = "price list: S3, us-east-1, S3 Standard; quoted in 2025"
_LAMBDA_PRICE = "price list: Lambda, us-east-1, x86; quoted in 2025"
_FAN_OUT_PRICES = (
    _aws("sns.price_publish", 0.50, 0.50, "$ a million", _SNS_PRICE),
    _aws("sns.price_free", 1_000_000, 1_000_000, "requests a month", _SNS_PRICE),
    _aws("sns.price_chunk", 65_536, 65_536, "bytes", _SNS_PRICE + ": each 64 KB published is one request"),
    _aws("sns.price_http", 0.60, 0.60, "$ a million", _SNS_PRICE + "; to SQS and Lambda: nothing"),
    _aws("sns.price_email", 20.0, 20.0, "$ a million", _SNS_PRICE),
    _aws("sns.price_push", 0.50, 0.50, "$ a million", _SNS_PRICE),
    _aws("s3.price_put", 5.0, 5.0, "$ a million", _S3_PRICE + ": PUT, COPY, POST, LIST"),
    _aws("s3.price_get", 0.40, 0.40, "$ a million", _S3_PRICE),
    _aws("lambda.price_requests", 0.20, 0.20, "$ a million", _LAMBDA_PRICE),
    _aws("lambda.price_gb_second", 0.0000166667, 0.0000166667, "$", _LAMBDA_PRICE),
)

_QUOTAS = "IAM user guide: IAM and AWS STS quotas"
_IAM = (
    _aws("iam.roles", 1000, 1000, "roles", _QUOTAS),
    _aws("iam.policies", 1500, 1500, "customer managed policies", _QUOTAS),
    _aws("iam.policies_per_role", 10, 10, "managed policies", _QUOTAS),
    _aws("iam.policy_size", 6_144, 6_144, "characters", _QUOTAS + " (managed policy)"),
    _aws("iam.inline_size", 10_240, 10_240, "characters", _QUOTAS + " (all inline policies of a role)"),
    _aws("iam.trust_size", 2_048, 2_048, "characters", _QUOTAS + " (role trust policy)"),
)
_KMS = (
    _aws("kms.deletion_wait", 30, 30, "days", "API: ScheduleKeyDeletion"),
    _aws("kms.deletion_wait_min", 7, 7, "days", "API: ScheduleKeyDeletion"),
    _aws("kms.plaintext", 4_096, 4_096, "bytes", "API: Encrypt"),
    _aws("kms.data_key", 1_024, 1_024, "bytes", "API: GenerateDataKey"),
)

_S3: tuple[Figure, ...] = (
    _aws("s3.buckets", 100, 10_000, "buckets", "guide: bucket quotas (10,000 since November 2024)"),
    _aws("s3.put_size", 5_368_709_120, 5_368_709_120, "bytes", "guide: uploading objects (in a single operation)"),
    _aws("s3.list_page", 1000, 1000, "objects", "API: ListObjectsV2"),
    _aws("s3.delete_objects", 1000, 1000, "objects", "API: DeleteObjects"),
    _aws("s3.event_rules", 100, 100, "configurations", "guide: event notification types and destinations"),
    _aws("s3.event_version", "2.1", "2.5", "", "guide: event message structure"),
    _assumed(
        "s3.event_median", 1, "s", "median time until an event arrives; guide: usually within seconds", 0.001, 3600
    ),
    _assumed(
        "s3.event_p95", 4, "s", "95 of 100 events arrive in less; guide: sometimes a minute or longer", 0.001, 3600
    ),
    _assumed("s3.event_duplicates", 0.001, "", "share of events that arrive twice; guide: at least once", 0, 1),
    _assumed("s3.event_retry", 10, "s", "until S3 tries a destination again that failed", 0, 3600),
    _assumed("s3.event_retries", 10, "retries", "of an event, before S3 gives up", 0, 1000),
)

_LAMBDA_ASYNC = "guide: how Lambda handles errors and retries with asynchronous invocation"
_LAMBDA_SQS = "guide: configuring scaling behavior for SQS event source mappings"
_LAMBDA: tuple[Figure, ...] = (
    _aws("lambda.timeout_max", 900, 900, "s", "guide: Lambda quotas"),
    _aws("lambda.memory_max", 10_240, 10_240, "MB", "guide: Lambda quotas"),
    _aws("lambda.payload_size", 6_291_456, 6_291_456, "bytes", "guide: Lambda quotas (synchronous)"),
    _aws(
        "lambda.event_size", 262_144, 1_048_576, "bytes", "guide: Lambda quotas (asynchronous; 1 MB since October 2025)"
    ),
    _aws("lambda.concurrency", 1000, 1000, "invocations", "guide: Lambda quotas (of an account in a region)"),
    _aws("lambda.unreserved_min", 100, 100, "invocations", "guide: configuring reserved concurrency"),
    _aws("lambda.event_retries", 2, 2, "retries", "API: PutFunctionEventInvokeConfig"),
    _aws("lambda.event_age", 21_600, 21_600, "s", "API: PutFunctionEventInvokeConfig"),
    _aws("lambda.event_pause_1", 60, 60, "s", _LAMBDA_ASYNC),
    _aws("lambda.event_pause_2", 120, 120, "s", _LAMBDA_ASYNC),
    _aws("lambda.throttle_backoff_max", 300, 300, "s", _LAMBDA_ASYNC),
    _aws("lambda.batch_max", 10_000, 10_000, "messages", "API: CreateEventSourceMapping"),
    _aws("lambda.batch_fifo", 10, 10, "messages", "API: CreateEventSourceMapping"),
    _aws("lambda.window_max", 300, 300, "s", "API: CreateEventSourceMapping"),
    _aws("lambda.pollers", 5, 5, "batches at a time", _LAMBDA_SQS),
    _aws("lambda.pollers_more", 60, 300, "batches a minute", _LAMBDA_SQS + " (300 since November 2023)"),
    _aws("lambda.pollers_max", 1000, 1000, "batches at a time", _LAMBDA_SQS),
    _assumed("lambda.cold_start_median", 0.25, "s", "median time to make an environment for a function", 0.001, 60),
    _assumed("lambda.cold_start_p95", 0.8, "s", "95 of 100 environments are made in less", 0.001, 60),
    _assumed("lambda.environment_idle", 600, "s", "how long an environment is kept warm", 0, 86_400),
    _assumed("lambda.event_latency", 0.05, "s", "time of an event in the queue of asynchronous invocations", 0, 3600),
    _assumed(
        "lambda.event_duplicates", 0.001, "", "share of events that a function gets twice; guide: at least once", 0, 1
    ),
    _assumed("lambda.mapping_delay", 2, "s", "until an event source mapping is enabled, changed, disabled", 0, 600),
)

FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (*_GENERAL, *_SQS, *_SNS, *_PRICES, *_FAN_OUT_PRICES, *_IAM, *_KMS, *_S3, *_LAMBDA)
}


def figures(edition: Edition = "2023", assume: Mapping[str, float] | None = None) -> dict[str, Any]:
    """The values of one edition, with the assumptions in `assume` laid over them.

    Raises ValueError for an unknown edition, an unknown name, a figure that is AWS's to set, or a value out of range.
    """
    if edition not in EDITIONS:
        raise ValueError(f"limits={edition!r}: must be one of {', '.join(map(repr, EDITIONS))}")
    values = {f.name: f.notes if edition == "2023" else f.today for f in FIGURES.values()}
    for name, value in (assume or {}).items():
        values[name] = _check(name, value)
    return values


def _check(name: str, value: float) -> float:
    figure = FIGURES.get(name)
    if figure is None:
        assumable = [f.name for f in FIGURES.values() if f.assumed]
        near = difflib.get_close_matches(name, assumable, 3, 0.4) or assumable
        raise ValueError(f"assume: no figure is called {name!r}; near it: {', '.join(near)}")
    if not figure.assumed:
        raise ValueError(f"assume: {name} is a documented figure of AWS; choose the edition with limits=")
    if not isinstance(value, (int, float)) or not figure.low <= value <= figure.high:
        raise ValueError(f"assume: {name}={value!r}: must be from {figure.low:g} to {figure.high:g} {figure.unit}")
    return value
