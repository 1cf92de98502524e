"""RabbitMQ's numbers: its defaults, and what the model of a node and a cluster assumes."""

from __future__ import annotations

from lablib.aws.quotas import Quota, assumed, quota

QUOTAS: tuple[Quota, ...] = (
    quota("mq.rabbitmq_message_size", 128 << 20, 16 << 20, "bytes", "RabbitMQ: max_message_size (16 MiB since 4.0)"),
    quota("mq.rabbitmq_version", 3.11, 4.2, "version", "guide: RabbitMQ engine versions; the newest"),
    quota("mq.rabbitmq_ack_time", 1800, 1800, "s", "RabbitMQ: consumer_timeout"),
    quota("mq.rabbitmq_net_tick", 60, 60, "s", "RabbitMQ: net_ticktime, until a silent node counts as down"),
    assumed("mq.rabbitmq_silence", 5, "s", "until a quorum queue misses a silent leader (Ra's aten: 5 s)", 0, 600),
    assumed("mq.rabbitmq_election", 0.3, "s", "an election of a leader", 0, 60),
    assumed("mq.rabbitmq_sync", 0.003, "s", "until a message is on a node's disk", 0, 10),
    assumed("mq.rabbitmq_synchronise_rate", 5000, "messages/s", "synchronisation of a mirror", 1, 1e9),
    assumed("mq.rabbitmq_health", 10, "s", "until the load balancer knows of a node that is gone or back", 0, 600),
    assumed("mq.rabbitmq_memory", 400e6, "bytes", "a node's memory watermark (micro: 1 GB, 40 %)", 1000, 1e12),
    assumed("mq.rabbitmq_disk", 20e9, "bytes", "a node's disk, less its free limit", 1000, 1e14),
    assumed("mq.rabbitmq_message_overhead", 700, "bytes", "memory that each message takes beside its body", 0, 1e6),
)
