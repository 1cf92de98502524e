"""What a boto3 call is refused with, for tests."""

import pytest
from botocore.exceptions import ClientError


def refused(call, *args, **parameters):
    """Code, message and HTTP status of the error that a call gives."""
    with pytest.raises(ClientError) as caught:
        call(*args, **parameters)
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def code_and_message(call, *args, **parameters):
    """Code and message of the error that a call gives."""
    return refused(call, *args, **parameters)[:2]


def code(call, *args, **parameters):
    """Code of the error that a call gives."""
    return refused(call, *args, **parameters)[0]
