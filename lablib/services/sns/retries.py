"""How SNS retries: the phases for each kind of endpoint, and the delivery policies of http and https endpoints.

Sources: SNS developer guide, "Amazon SNS message delivery retries", "Creating an HTTP/S delivery policy". The form of
an effective policy was recorded from AWS. How long each retry of the backoff phase waits is assumed: AWS shows the
four functions as curves only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain, repeat
from typing import Any

from lablib.aws.documents import read_json
from lablib.aws.service import ServiceError
from lablib.services.sns.checks import Document, Quotas, invalid, no_json

_HTTP_DEFAULTS: Document = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
_REQUEST: Document = {"headerContentType": "text/plain; charset=UTF-8"}
_MANAGED = {"sqs", "lambda", "firehose"}

_CURVES: dict[str, Callable[[float, float, int, int], float]] = {  # the wait before retry i of n, from low to high
    "linear": lambda low, high, i, n: low + (high - low) * i / (n - 1),
    "arithmetic": lambda low, high, i, n: low + (high - low) * i * (i + 1) / (n * (n - 1)),
    "geometric": lambda low, high, i, n: low * (high / low) ** (i / (n - 1)),
    "exponential": lambda low, high, i, n: min(high, low * 2.0**i),
}
FUNCTIONS = tuple(_CURVES)


def backoff(function: str, low: float, high: float, count: int) -> list[float]:
    """The delays of a backoff phase with `count` retries, from `low` to `high` seconds.

    linear: each is longer by the same number of seconds; arithmetic: that number itself grows by a constant; geometric:
    each is the same multiple of the one before; exponential: each is twice the one before, until `high`. (Assumed.)
    """
    curve = _CURVES[function]
    return [round(curve(low, high, i, count), 6) if count > 1 else low for i in range(count)]


def _phases(
    immediate: int, low: float, before: int, high: float, count: int, after: int, function: str
) -> Iterator[float]:
    return chain(repeat(0.0, immediate), repeat(low, before), backoff(function, low, high, count), repeat(high, after))


def retry_delays(protocol: str, policy: Document | None) -> Iterator[float]:
    """The seconds before each retry; `policy` is the retry policy of an http or https endpoint."""
    if policy is not None:
        first, low, high = (policy[f"num{kind}DelayRetries"] for kind in ("No", "Min", "Max"))
        count = policy["numRetries"] - first - low - high
        shortest, longest = policy["minDelayTarget"], policy["maxDelayTarget"]
        return _phases(first, shortest, low, longest, count, high, policy["backoffFunction"])
    if protocol in _MANAGED:
        return _phases(3, 1, 2, 20, 10, 100_000, "exponential")
    return _phases(0, 10, 2, 600, 10, 38, "exponential")


@lru_cache(maxsize=256)
def effective_policy(topics: str | None, own: str | None = None) -> Document:
    """The delivery policy that counts: under `http` for a topic, under `subscription` for one of its subscriptions.

    `topics` and `own` are their attributes DeliveryPolicy. Do not change what is returned.
    """
    given: Document = (json.loads(topics) if topics else {}).get("http") or {}
    healthy = _HTTP_DEFAULTS | (given.get("defaultHealthyRetryPolicy") or {})
    throttle: Any = given.get("defaultThrottlePolicy")
    request = _REQUEST | (given.get("defaultRequestPolicy") or {})
    locked = given.get("disableSubscriptionOverrides", False)
    http: Document = {"defaultHealthyRetryPolicy": healthy, "disableSubscriptionOverrides": locked}
    if throttle:
        http["defaultThrottlePolicy"] = throttle
    http["defaultRequestPolicy"] = request
    mine: Document = json.loads(own) if own and not locked else {}
    subscription = {
        "healthyRetryPolicy": healthy | (mine.get("healthyRetryPolicy") or {}),
        "sicklyRetryPolicy": None,
        "throttlePolicy": mine.get("throttlePolicy") or throttle,
        "requestPolicy": request | (mine.get("requestPolicy") or {}),
        "guaranteed": False,
    }
    return {"http": http, "subscription": subscription}


# ---- what a delivery policy may say ----------------------------------------------------------------------------------

_TOPIC_PARTS = ("defaultHealthyRetryPolicy", "defaultThrottlePolicy", "defaultRequestPolicy")
_OWN_PARTS = ("healthyRetryPolicy", "throttlePolicy", "requestPolicy")


def check_delivery_policy(text: str, quotas: Quotas, topic: bool) -> str:
    """The policy of a topic (or a subscription) as AWS returns it. Raises InvalidParameter, which names the field."""
    parts = _TOPIC_PARTS if topic else _OWN_PARTS
    try:
        policy = read_json(text)
    except ValueError as error:
        raise _refuse(no_json(text, error)) from None
    if topic:
        policy = _object(policy, "", "http").get("http", {})
        policy = _object(policy, "http", *parts, "disableSubscriptionOverrides")
        if type(policy.get("disableSubscriptionOverrides", False)) is not bool:
            raise _refuse("http.disableSubscriptionOverrides must be true or false")
    else:
        policy = _object(policy, "", *parts, "sicklyRetryPolicy", "guaranteed")
    fields = (_HTTP_DEFAULTS, ("maxReceivesPerSecond",), ("headerContentType",))
    retries, throttle, _ = (_object(policy.get(n) or {}, n, *known) for n, known in zip(parts, fields, strict=True))
    _check_retries(_HTTP_DEFAULTS | retries, parts[0], quotas)
    rate = throttle.get("maxReceivesPerSecond")
    if rate is not None and (type(rate) is not int or rate < 1):
        raise _refuse(f"{parts[1]}.maxReceivesPerSecond must be an integer from 1")
    given = {name: value for name, value in policy.items() if value is not None}
    if topic:
        return json.dumps({"http": {"disableSubscriptionOverrides": False} | given}, separators=(",", ":"))
    form: Document = {"healthyRetryPolicy": None, "sicklyRetryPolicy": None, "throttlePolicy": None}
    return json.dumps(form | {"requestPolicy": None, "guaranteed": False} | given, separators=(",", ":"))


def _check_retries(merged: Document, part: str, quotas: Quotas) -> None:
    longest, most = quotas["sns.http_delay_max"], quotas["sns.http_retries_max"]
    for name, value in merged.items():
        if name == "backoffFunction":
            if value not in FUNCTIONS:
                raise _refuse(f"{part}.backoffFunction must be one of {', '.join(FUNCTIONS)}")
            continue
        low, high = (1, longest) if name.endswith("Target") else (0, most)
        if type(value) is not int or not low <= value <= high:
            raise _refuse(f"{part}.{name} must be an integer from {low} to {high}")
    if merged["minDelayTarget"] > merged["maxDelayTarget"]:
        raise _refuse(f"{part}.minDelayTarget must be less than or equal to maxDelayTarget")
    phases = sum(merged[f"num{kind}DelayRetries"] for kind in ("No", "Min", "Max"))
    if phases > merged["numRetries"]:
        raise _refuse(f"{part}.numRetries must be at least the retries of the other phases together, {phases}")
    total = sum(retry_delays("http", merged))
    if total > longest:
        raise _refuse(f"{part}: the total retry time, {total:g} seconds, must not exceed {longest} seconds")


def _object(value: Any, where: str, *names: str) -> Document:
    """The value, when it is an object with no other fields than these."""
    if not isinstance(value, dict):
        raise _refuse(f"{where or 'the policy'} must be a JSON object")
    for name in value:
        if name not in names:
            raise _refuse(f"unexpected field {name!r} in {where or 'the policy'}")
    return value


def _refuse(why: str) -> ServiceError:
    return invalid(f"DeliveryPolicy: {why}")
