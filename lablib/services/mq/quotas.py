"""Quotas and prices of Amazon MQ, and what the model of a broker assumes."""

from __future__ import annotations

from lablib.aws.quotas import Quota, assumed, quota

_GUIDE = "guide: Amazon MQ quotas"
_TUTORIAL = "guide: creating, rebooting, deleting a broker: about so many minutes"

QUOTAS: tuple[Quota, ...] = (
    quota("mq.brokers", 20, 50, "brokers", _GUIDE),
    quota("mq.create_time", 900, 900, "s", _TUTORIAL),
    quota("mq.delete_time", 300, 300, "s", _TUTORIAL),
    quota("mq.reboot_time", 300, 300, "s", _TUTORIAL),
    assumed("mq.restart_time", 60, "s", "until the program is back on a host that is restarted", 0, 3600),
    assumed("mq.replace_time", 180, "s", "until a host that failed is replaced; guide: a short while", 0, 86_400),
)
