"""What botocore tries again, and after how long. Ours, since botocore's own retries sleep in real time."""

from __future__ import annotations

from lablib.aws.service import ServiceError
from lablib.gateway import AnswerLost

# What botocore itself retries as throttling (botocore user guide, "Retries").
_THROTTLES = frozenset(
    (
        "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException", "RequestThrottled",
        "TooManyRequestsException", "ProvisionedThroughputExceededException", "TransactionInProgressException",
        "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
        "PriorRequestNotComplete", "EC2ThrottledException",
    )
)  # fmt: skip

# The HTTP statuses that are worth another attempt (botocore's retry data; botocore user guide, "Retries").
_TRANSIENT = {"legacy": (429, 500, 502, 503, 504, 509)}


def may_retry(mode: str, problem: ServiceError | AnswerLost) -> bool:
    """Is what went wrong worth another attempt?"""
    if isinstance(problem, AnswerLost):
        return True
    return problem.code in _THROTTLES or problem.status in _TRANSIENT.get(mode, (500, 502, 503, 504))


def backoff(mode: str, attempt: int, problem: ServiceError | AnswerLost, u: float) -> float:
    """Seconds before the next attempt. legacy: u * 2**(n-1). standard: u * min(scale * 2**(n-1), 20), where the scale
    is 1 s for throttling and 0.05 s for everything else (botocore's retry handlers)."""
    if mode == "legacy":
        return round(u * 2 ** (attempt - 1), 6)
    scale = 1.0 if isinstance(problem, ServiceError) and problem.code in _THROTTLES else 0.05
    return round(u * min(scale * 2 ** (attempt - 1), 20), 6)
