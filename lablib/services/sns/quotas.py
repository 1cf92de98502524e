"""Quotas and prices of Amazon SNS, and what the model of a delivery assumes."""

from __future__ import annotations

from lablib.aws.quotas import Quota, assumed, quota

_QUOTAS = "AWS General Reference: Amazon SNS endpoints and quotas"
_RETRIES = "guide: message delivery retries"
_PRICE = "price list: SNS, us-east-1, standard topic; quoted in June 2026"

QUOTAS: tuple[Quota, ...] = (
    quota("sns.message_size", 262_144, 262_144, "bytes", "API: CreateTopic, PublishBatch"),
    quota("sns.message_size_max", 262_144, 1_048_576, "bytes", "API: SetTopicAttributes (MaximumMessageSize)"),
    quota("sns.large_message_subscriptions", 100, 100, "subscriptions", "API: SetTopicAttributes (MaximumMessageSize)"),
    quota("sns.topics", 100_000, 100_000, "topics", "course of 2023; API: CreateTopic"),
    quota("sns.fifo_topics", 1000, 1000, "topics", "API: CreateTopic"),
    quota("sns.subscriptions", 12_500_000, 12_500_000, "subscriptions", "course of 2023; " + _QUOTAS),
    quota("sns.fifo_subscriptions", 100, 100, "subscriptions", _QUOTAS),
    quota("sns.firehose_subscriptions", 5, 5, "per topic and owner", _QUOTAS),
    quota("sns.pending_subscriptions", 5000, 5000, "subscriptions", _QUOTAS),
    quota("sns.topic_filters", 200, 200, "filter policies", "guide: subscription filter policy constraints"),
    quota("sns.account_filters", 10_000, 10_000, "filter policies", "guide: subscription filter policy constraints"),
    quota("sns.batch_entries", 10, 10, "messages", "API: PublishBatch"),
    quota("sns.tags", 50, 50, "tags", "API: TagResource"),
    quota("sns.list_page", 100, 100, "entries", "API: ListTopics, ListSubscriptions"),
    quota("sns.token_life", 172_800, 172_800, "s", "API: Subscribe (two days)"),
    quota("sns.subscribe_rate", 100, 100, "calls/s", "API: Subscribe, Unsubscribe"),
    quota("sns.publish_rate_virginia", 30_000, 30_000, "messages/s", _QUOTAS + " (us-east-1)"),
    quota("sns.publish_rate_large", 9000, 9000, "messages/s", _QUOTAS + " (us-west-2, eu-west-1)"),
    quota("sns.publish_rate_medium", 1500, 1500, "messages/s", _QUOTAS + " (ten more regions)"),
    quota("sns.publish_rate", 300, 300, "messages/s", _QUOTAS + " (all other regions)"),
    quota("sns.email_rate", 10, 10, "messages/s", _QUOTAS),
    quota("sns.fifo_rate", 300, 3000, "messages/s", "guide of 2023; API: CreateTopic (3,000 since November 2023)"),
    quota("sns.fifo_group_rate", 300, 300, "messages/s", _QUOTAS),
    quota("sns.fifo_deduplication", 300, 300, "s", "API: Publish (MessageDeduplicationId)"),
    quota("sns.fifo_to_standard", False, True, "", "guide: FIFO message delivery (standard queues subscribe too)"),
    quota("sns.fifo_scope", False, True, "", "API: CreateTopic (FifoThroughputScope, since January 2025)"),
    quota("sns.fair_queues", False, True, "", "API: Publish (MessageGroupId on standard topics, since 2025)"),
    quota("sns.http_timeout", 15, 15, "s", "guide: make sure your endpoint is ready to process Amazon SNS messages"),
    quota("sns.http_delay_max", 3600, 3600, "s", _RETRIES + " (each delay, and the total of a policy)"),
    quota("sns.http_retries_max", 100, 100, "retries", _RETRIES),
    quota("sns.data_key_reuse", 300, 300, "s", "guide: Amazon SNS key management"),
    quota("sns.sms_spend_limit", 1, 1, "$ a month", "guide: SMS spend, the first limit of a new account"),
    assumed("sns.sms_price", 0.00645, "$", "price of one text message; AWS's differs by country and carrier", 0, 1),
    assumed("sns.delivery_median", 0.020, "s", "from Publish to the first delivery attempt", 0, 60),
    assumed("sns.delivery_p95", 0.060, "s", "from Publish to the first delivery attempt", 0, 60),
    assumed("sns.cross_region", 0.080, "s", "added when the endpoint is in another region", 0, 60),
    assumed("sns.filter_propagation", 0, "s", "until a changed filter policy takes effect", 0, 900),
    assumed("sns.retry_jitter", 0.1, "", "jitter of a retry's delay, as a share of it to both sides", 0, 1),
    quota("sns.price_publish", 0.50, 0.50, "$ a million", _PRICE),
    quota("sns.price_free", 1_000_000, 1_000_000, "requests a month", _PRICE),
    quota("sns.price_chunk", 65_536, 65_536, "bytes", _PRICE + ": each 64 KB published is one request"),
    quota("sns.price_http", 0.60, 0.60, "$ a million", _PRICE + "; to SQS and Lambda: nothing"),
    quota("sns.price_email", 20.0, 20.0, "$ a million", _PRICE),
    quota("sns.price_push", 0.50, 0.50, "$ a million", _PRICE),
)
