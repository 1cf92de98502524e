"""The errors of SQS, in the form in which AWS writes them."""

from __future__ import annotations

from lablib.aws.service import Service, ServiceError


def bad_parameter(message: str) -> ServiceError:
    """InvalidParameterValue with AWS's own text."""
    return ServiceError("InvalidParameterValueException", message, code="InvalidParameterValue")


def bad_value(value: object, parameter: str, reason: str) -> ServiceError:
    """InvalidParameterValue in the form that names the value, the parameter and the reason."""
    return bad_parameter(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def missing(parameter: str) -> ServiceError:
    """MissingParameter: a required parameter is absent or empty."""
    message = f"The request must contain the parameter {parameter}."
    return ServiceError("MissingRequiredParameterException", message, code="MissingParameter")


def needs_deduplication_id() -> ServiceError:
    """InvalidParameterValue: neither the sender nor the queue has a deduplication id for the message."""
    needs = "ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    return bad_parameter(f"The queue should either have {needs}")


def no_such_queue() -> ServiceError:
    """QueueDoesNotExist."""
    code = "AWS.SimpleQueueService.NonExistentQueue"
    return ServiceError("QueueDoesNotExist", "The specified queue does not exist.", code=code)


def sqs_error(shape: str, message: str, status: int = 400) -> ServiceError:
    """An error whose code on the wire carries the old prefix of the query protocol."""
    return ServiceError(shape, message, code=f"AWS.SimpleQueueService.{shape}", status=status)


def unknown_attribute(name: str) -> ServiceError:
    """InvalidAttributeName."""
    return ServiceError("InvalidAttributeName", f"Unknown Attribute {name}.")


def check_range(value: int, parameter: str, low: int, high: int) -> int:
    """Return `value` when it lies between `low` and `high`, both included; else raise InvalidParameterValue."""
    if low <= value <= high:
        return value
    raise bad_value(value, parameter, f"Must be between {low} and {high}, if provided.")


class Refusing(Service):
    """The part of SQS that knows what it says to a parameter that no client has looked for."""

    @classmethod
    def missing_parameter(cls, path: str) -> ServiceError:
        return super().missing_parameter(path) if "." in path else missing(path)
