"""os.environ in a function, and in any other program. (Lambda developer guide, "Working with Lambda environment
variables".)
"""

import os
import threading

import pytest
from lab import Lab as Base

from lablib import Cloud


class Lab(Base):
    def __init__(self):
        super().__init__(seed=1)
        self.client = self.cloud.client("lambda")
        self.seen = {}

    def run(self, handler, **variables):
        self.cloud.deploy("resize", handler, memory=256)
        self.client.update_function_configuration(FunctionName="resize", Environment={"Variables": variables})
        return self.client.invoke(FunctionName="resize")


@pytest.fixture
def lab():
    return Lab()


def test_a_function_finds_the_variables_of_its_configuration(lab):
    def handler(event, context):
        return [os.environ["TABLE"], os.getenv("TABLE"), os.environ.get("LEVEL", "info"), "TABLE" in os.environ]

    assert lab.run(handler, TABLE="orders")["Payload"].read() == b'["orders", "orders", "info", true]'
    assert "TABLE" not in os.environ


def test_and_those_that_lambda_sets(lab):
    def handler(event, context):
        found = lab.seen
        found.update(os.environ)
        assert found["AWS_LAMBDA_LOG_STREAM_NAME"] == context.log_stream_name

    assert "FunctionError" not in lab.run(handler)
    assert (
        lab.seen.items()
        >= {
            "AWS_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": "resize",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/resize",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
            "_HANDLER": "lambda_function.handler",
            "TZ": ":UTC",
        }.items()
    )
    assert lab.seen["_X_AMZN_TRACE_ID"].startswith("Root=1-")


def test_nothing_of_this_machine_is_there(lab, monkeypatch):
    monkeypatch.setenv("MY_SECRET", "of this machine")

    def handler(event, context):
        lab.seen.update(os.environ)

    lab.run(handler)
    assert lab.seen and "MY_SECRET" not in lab.seen and "HOME" not in lab.seen


def test_what_a_function_changes_is_its_own(lab, monkeypatch):
    monkeypatch.setenv("KEPT", "yes")

    def handler(event, context):
        os.environ["KEPT"] = "no"
        os.environ.setdefault("MORE", "1")
        os.putenv("MORE", "2")
        del os.environ["TABLE"]
        thread = threading.Thread(target=lambda: lab.seen.update(os.environ))
        thread.start()
        thread.join()
        with pytest.raises(TypeError, match="str expected, not int"):
            os.environ["MORE"] = 3

    assert "FunctionError" not in lab.run(handler, TABLE="orders")
    assert lab.seen["KEPT"] == "no" and lab.seen["MORE"] == "1" and "TABLE" not in lab.seen
    assert os.environ["KEPT"] == "yes" and "MORE" not in os.environ


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        (
            {"AWS_REGION": "eu-west-1", "TABLE": "t", "_HANDLER": "h"},
            "contains reserved keys that are currently not supported for modification. Reserved keys used in this "
            "request: AWS_REGION, _HANDLER",
        ),
        ({"A": "x" * 4089}, 'exceeded the 4KB limit. String measured: {"A":"' + "x" * 4089 + '"}'),
    ],
)
def test_reserved_names_and_more_than_4_kb_are_refused(lab, variables, why):
    with pytest.raises(lab.client.exceptions.InvalidParameterValueException) as refused:
        lab.run(lambda event, context: None, **variables)
    assert refused.value.response["Error"]["Message"] == (
        "Lambda was unable to configure your environment variables because the environment variables you have "
        f"provided {why}"
    )
    lab.run(lambda event, context: None, A="x" * 4088)  # 4,096 bytes as JSON


def test_a_program_begins_with_the_variables_of_this_machine_and_changes_only_its_own(monkeypatch):
    monkeypatch.setenv("KEPT", "yes")
    cloud, seen = Cloud(seed=1), []

    def first():
        seen.append(os.environ["KEPT"])
        os.environ["KEPT"] = "no"
        os.environb[b"OTHER"] = b"1"
        seen.append((os.environ["KEPT"], os.environ["OTHER"]))

    def second():
        seen.append((os.environ["KEPT"], "OTHER" in os.environ))

    cloud.spawn(first)
    cloud.advance(1)
    cloud.spawn(second)
    cloud.advance(1)
    assert seen == ["yes", ("no", "1"), ("yes", False)]
    assert os.environ["KEPT"] == "yes" and "OTHER" not in os.environ
