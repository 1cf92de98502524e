"""What Kinesis accepts in a request, and the words in which it refuses the rest.

Constraints: API reference (2013-12-02) as shipped in botocore. The form of the texts, with all violations of a request
in one, is recorded from AWS; those marked "emulator" are known from an emulator only.
"""

from __future__ import annotations

from typing import Any

from lablib.aws.constraints import Rule, invalid, violations
from lablib.aws.service import ServiceError

_NAME = "[a-zA-Z0-9_.-]+"
_ARN = r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+"
_CONSUMER_ARN = r"^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+"
_RESOURCE_ARN = r"arn:aws.*:kinesis:.*:\d{12}:.*(stream|channel|queue)/\S+"
_HASH = r"^(0|([1-9]\d{0,38}))$"
_SEQUENCE = r"^(0|([1-9]\d{0,128}))$"
METRICS = (
    "IncomingBytes", "IncomingRecords", "OutgoingBytes", "OutgoingRecords", "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded", "IteratorAgeMilliseconds", "ALL",
)  # fmt: skip


_RULES = {
    "stream_name": Rule(1, 128, _NAME),
    "exclusive_start_stream_name": Rule(1, 128, _NAME),
    "consumer_name": Rule(1, 128, _NAME),
    "shard_id": Rule(1, 128, _NAME),
    "exclusive_start_shard_id": Rule(1, 128, _NAME),
    "shard_to_merge": Rule(1, 128, _NAME),
    "adjacent_shard_to_merge": Rule(1, 128, _NAME),
    "shard_to_split": Rule(1, 128, _NAME),
    "stream_arn": Rule(1, 2048, _ARN),
    "consumer_arn": Rule(1, 2048, _CONSUMER_ARN),
    "resource_arn": Rule(1, 2048, _RESOURCE_ARN),
    "partition_key": Rule(1, 256),
    "explicit_hash_key": Rule(pattern=_HASH),
    "new_starting_hash_key": Rule(pattern=_HASH),
    "sequence_number_for_ordering": Rule(pattern=_SEQUENCE),
    "starting_sequence_number": Rule(pattern=_SEQUENCE),
    "shard_iterator_type": Rule(
        words=("AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON")
    ),
    "shard_iterator": Rule(1, 512),
    "limit": Rule(1, 10_000),
    "max_results": Rule(1, 10_000),
    "next_token": Rule(1, 1_048_576),
    "shard_count": Rule(1),
    "target_shard_count": Rule(1),
    "scaling_type": Rule(words=("UNIFORM_SCALING",)),
    "encryption_type": Rule(words=("KMS", "NONE")),
    "key_id": Rule(1, 2048),
    "records": Rule(1, 500),
    "max_record_size_in_ki_b": Rule(1024, 10_240),
}
_OWN_LIMITS = {("list_tags_for_stream", "limit"): Rule(1, 50)}


def check(operation: str, params: dict[str, Any]) -> None:
    """Raise ValidationException with all that breaks the constraints of the API."""
    found: list[str] = []
    for name, value in params.items():
        rule = _OWN_LIMITS.get((operation, name)) or _RULES.get(name)
        if rule and value is not None:
            found += violations(_wire(name), value, rule)
    for number, entry in enumerate(params.get("records") or (), 1):
        if len(entry["PartitionKey"]) > 256 or "ExplicitHashKey" in entry or not entry["PartitionKey"]:
            at = f"records.{number}.member."
            found += violations(f"{at}partitionKey", entry["PartitionKey"], _RULES["partition_key"])
            if "ExplicitHashKey" in entry:
                found += violations(f"{at}explicitHashKey", entry["ExplicitHashKey"], _RULES["explicit_hash_key"])
    if found:
        raise invalid(*found)


def _wire(name: str) -> str:
    """`stream_arn` -> `streamARN`, as the service names its parameters in its messages."""
    first, *rest = name.replace("_ki_b", "_kiB").split("_")
    return first + "".join("ARN" if part == "arn" else part[0].upper() + part[1:] for part in rest)


def argument(message: str) -> ServiceError:
    """An InvalidArgumentException."""
    return ServiceError("InvalidArgumentException", message)


def too_much(message: str) -> ServiceError:
    """A LimitExceededException."""
    return ServiceError("LimitExceededException", message)


def in_use(message: str) -> ServiceError:
    """A ResourceInUseException."""
    return ServiceError("ResourceInUseException", message)


def not_found(message: str) -> ServiceError:
    """A ResourceNotFoundException."""
    return ServiceError("ResourceNotFoundException", message)
