"""What a boto3 call is refused with, and tables of it, for tests."""

import re
from typing import NamedTuple

import pytest
from botocore.exceptions import ClientError

recorded, guide, reported, ours = (getattr(pytest.mark, name) for name in ("recorded", "guide", "reported", "ours"))


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


def broken(at, must):
    """AWS's message of a value that breaks a constraint of its API's model. `at`: the value, and at which place."""
    return f"1 validation error detected: Value {at} failed to satisfy constraint: Member must {must}"


class Case(NamedTuple):
    """A call and how it is refused: a row of a service's table."""

    operation: str
    params: dict
    code: str
    message: str
    status: int
    setup: object

    def check(self, client, lab=None, left=lambda: None):
        """The client's call is refused like this, and what `left` tells is what it was before."""
        more = (self.setup(lab) or {}) if self.setup else {}
        before = left()
        code, message, status = refused(getattr(client, self.operation), **{**more, **self.params})
        assert (code, status) == (self.code, self.status), message
        text = self.message
        for name, value in more.items():
            text = text.replace(f"{{{name}}}", str(value))
        assert re.fullmatch(".*".join(map(re.escape, text.split("..."))), message, re.DOTALL), message
        assert left() == before, "nothing half done is left"


def case(mark, operation, params, code, message="...", status=400, setup=None):
    """A row of a table. `mark`: from where code and text are known; "..." in `message` stands for any text.
    `setup`: is called with the lab before, and may return further parameters, which `message` may name in braces.
    """
    row = Case(operation, params, code, message, status, setup)
    return pytest.param(row, marks=mark, id=f"{operation} {code if message == '...' else message[:60]}")
