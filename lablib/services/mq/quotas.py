"""Quotas and prices of Amazon MQ, and what the model of a broker assumes."""

from __future__ import annotations

from lablib.aws.quotas import Quota, assumed, quota

_GUIDE = "guide: Amazon MQ quotas"
_RATE = "guide 2023, storage: about {} messages/s of one producer, 1 KB, {}"
_LOCK = "ActiveMQ: lockAcquireSleepInterval; the gap in AWS's workshop was 11.6 s"
_PRICE = "price list: Amazon MQ, us-east-1 (as infracost's tests have it)"
_TUTORIAL = "guide: creating, rebooting, deleting a broker: about so many minutes"

QUOTAS: tuple[Quota, ...] = (
    quota("mq.brokers", 20, 50, "brokers", _GUIDE),
    assumed("mq.create_time", 900, "s", _TUTORIAL, 0, 86_400),
    assumed("mq.delete_time", 300, "s", _TUTORIAL, 0, 86_400),
    assumed("mq.reboot_time", 300, "s", _TUTORIAL, 0, 86_400),
    quota("mq.connections", 1000, 1000, "connections", _GUIDE + " (wire-level protocols, ActiveMQ)"),
    quota("mq.connections_micro", 100, 100, "connections", _GUIDE + " (wire-level protocols, ActiveMQ)"),
    quota("mq.storage", 200 << 30, 200 << 30, "bytes", _GUIDE),
    assumed("mq.broker_rate", 5000, "messages/s", _RATE.format("5,000", "memory"), 1, 1e6),
    assumed("mq.broker_rate_micro", 1000, "messages/s", "a fifth of a large instance's", 1, 1e6),
    assumed("mq.efs_write", 0.0115, "s", _RATE.format(80, "EFS"), 0, 60),
    assumed("mq.ebs_write", 0.0010, "s", _RATE.format(500, "EBS"), 0, 60),
    assumed("mq.store_retry", 1, "s", "how often a write is tried that does not reach the storage", 0.01, 60),
    assumed("mq.boot_time", 15, "s", "how long before it is RUNNING a new broker's programs start", 0, 3600),
    assumed("mq.start_time", 5, "s", "from half of this to half more until the program looks for the lock", 0, 600),
    assumed("mq.lock_poll", 10, "s", _LOCK, 0.01, 600),
    assumed(
        "mq.lock_lease", 30, "s", "until the lock of a host that is gone is free (NFS version 4 has leases)", 0, 600
    ),
    assumed("mq.recovery_time", 1.5, "s", "from the lock to open ports, with an empty store", 0, 600),
    assumed("mq.recovery_message", 0.0001, "s", "more for each message in the store", 0, 1),
    assumed("mq.memory", 1 << 30, "bytes", "memory for messages, of a large instance", 1024, 1 << 40),
    assumed("mq.memory_micro", 256 << 20, "bytes", "memory for messages, of a micro instance", 1024, 1 << 40),
    quota("mq.price_micro", 0.030, 0.030, "$ an hour and instance", _PRICE + ", mq.t2.micro"),
    quota("mq.price_large", 0.288, 0.288, "$ an hour and instance", _PRICE + ", mq.m5.large; each size up doubles it"),
    quota("mq.price_efs", 0.30, 0.30, "$ a GB and month", _PRICE),
    quota("mq.price_ebs", 0.10, 0.10, "$ a GB and month", _PRICE),
    quota("mq.pending_limit", 1000, 1000, "messages", "the default configuration: constantPendingMessageLimitStrategy"),
    quota("mq.expire_period", 30, 30, "s", "ActiveMQ: expireMessagesPeriod's default"),
    assumed("mq.restart_time", 60, "s", "until the program is back on a host that is restarted", 0, 3600),
    assumed("mq.replace_time", 180, "s", "until a host that failed is replaced; guide: a short while", 0, 86_400),
)
