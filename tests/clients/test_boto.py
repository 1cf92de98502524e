"""boto3 on the front door: real clients, botocore's validation, modelled errors, retries in virtual time."""

import gc
import os
import subprocess
import sys
import weakref

import boto3
import botocore.client
import botocore.exceptions
import pytest
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from lablib import Cloud, Fault, services
from lablib.aws.service import NotSimulated, ServiceError
from lablib.clients.rules import Unsure, structure_rule
from lablib.gateway import pascal


@pytest.fixture
def cloud():
    with Cloud(seed=1, strict=True) as cloud:
        yield cloud


@pytest.fixture
def sqs(cloud):
    return cloud.client("sqs")


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="orders")["QueueUrl"]


def test_it_is_a_boto3_client(sqs, url):
    assert isinstance(sqs, botocore.client.BaseClient)
    assert sqs.meta.service_model.service_name == "sqs"
    assert sqs.meta.region_name == "us-east-1"
    sent = sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert sent["MD5OfMessageBody"] == "5d41402abc4b2a76b9719d911017c592"
    assert sent["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert sent["ResponseMetadata"]["RetryAttempts"] == 0
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == "hello"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_botocore_validates_the_parameters(cloud, sqs, url):
    rows = len(cloud.trace)
    with pytest.raises(botocore.exceptions.ParamValidationError) as caught:
        sqs.send_message(QueueUrl=url, MessageBody=7, Colour="red", DelaySeconds="soon")
    text = str(caught.value)
    for part in ("Invalid type for parameter MessageBody", 'Unknown parameter in input: "Colour"', "DelaySeconds"):
        assert part in text
    with pytest.raises(
        botocore.exceptions.ParamValidationError, match='Missing required parameter in input: "QueueUrl"'
    ):
        sqs.receive_message()
    with pytest.raises(botocore.exceptions.ParamValidationError, match="QueueUrl"):
        sqs.receive_message(QueueUrl=None)
    with pytest.raises(TypeError, match="only accepts keyword arguments"):
        sqs.receive_message(url)
    assert len(cloud.trace) == rows, "what botocore refuses never reaches the door"


def test_errors_are_the_modelled_exceptions(sqs):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.get_queue_url(QueueName="nope")
    error = caught.value
    assert isinstance(error, botocore.exceptions.ClientError)
    assert error.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert error.response["Error"]["QueryErrorCode"] == "QueueDoesNotExist"
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert error.operation_name == "GetQueueUrl"
    assert str(error) == (
        "An error occurred (AWS.SimpleQueueService.NonExistentQueue) when calling the GetQueueUrl operation: "
        "The specified queue does not exist."
    )


def test_a_message_in_the_queue_shares_nothing_with_who_sent_or_received_it(sqs, url):
    attributes = {"kind": {"DataType": "String", "StringValue": "video"}}
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
    attributes["kind"]["StringValue"] = "changed by the sender"
    entries = [
        {"Id": "1", "MessageBody": "y", "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "a"}}}
    ]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    entries[0]["MessageAttributes"]["kind"]["StringValue"] = "changed by the sender"
    receive = {"QueueUrl": url, "VisibilityTimeout": 0, "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10}
    for _ in range(2):
        messages = sqs.receive_message(**receive, WaitTimeSeconds=5)["Messages"]
        assert {m["MessageAttributes"]["kind"]["StringValue"] for m in messages} == {"video", "a"}
        for message in messages:
            message["MessageAttributes"]["kind"]["StringValue"] = "changed by the receiver"


@pytest.mark.parametrize("service", services.names())
def test_an_answer_that_is_not_copied_is_made_anew(cloud, service):
    """`fresh_answers` is a promise: it is kept for documents that were sent, see the test above."""
    known = cloud.service(service)
    assert known.fresh_answers <= {pascal(name) for name in known.coverage()}


@pytest.mark.parametrize("face", ["client", "direct"])
def test_answers_share_nothing_with_the_service(cloud, face, monkeypatch):
    kept = {"QueueUrls": ["a"], "Nested": [{"deep": [{"x": 1}]}]}
    monkeypatch.setattr(cloud, "_strict", False)
    monkeypatch.setitem(cloud.service("sqs").operations, "list_queues", lambda request: dict(kept))
    caller = getattr(cloud, face)("sqs")
    answer = caller.list_queues()
    answer["QueueUrls"].append("b")
    answer["Nested"][0]["deep"][0]["x"] = 2
    assert kept == {"QueueUrls": ["a"], "Nested": [{"deep": [{"x": 1}]}]}


def test_paginators_work(sqs):
    for i in range(7):
        sqs.create_queue(QueueName=f"q{i}")
    pages = list(sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["QueueUrls"]) for page in pages] == [3, 3, 1]


def test_resources_work(cloud):
    resource = cloud.resource("sqs")
    queue = resource.create_queue(QueueName="orders")
    queue.send_message(MessageBody="hello")
    (message,) = queue.receive_messages(WaitTimeSeconds=5, MaxNumberOfMessages=10)
    assert message.body == "hello"
    message.delete()
    assert resource.get_queue_by_name(QueueName="orders").url == queue.url
    assert cloud.trace.where(kind="Deleted")


def test_a_resource_takes_the_arguments_of_a_client(cloud):
    resource = cloud.resource("sqs", "eu-west-1", account="444455556666", config=Config(read_timeout=3), verify=False)
    assert resource.create_queue(QueueName="q").url == "https://sqs.eu-west-1.amazonaws.com/444455556666/q"
    assert resource.meta.client.meta.config.read_timeout == 3
    with pytest.raises(TypeError, match=r"resource\(\) has no argument 'rol'; did you mean 'role'"):
        cloud.resource("sqs", rol="worker")


def test_a_client_may_be_closed(sqs):
    sqs.close()


def test_a_waiter_waits_in_virtual_time_at_the_top_of_a_cell_and_in_a_process(cloud, sqs):
    model = {
        "version": 2,
        "waiters": {
            "QueueExists": {
                "operation": "GetQueueUrl", "delay": 10, "maxAttempts": 20,
                "acceptors": [
                    {"matcher": "status", "expected": 200, "state": "success"},
                    {"matcher": "error", "expected": "AWS.SimpleQueueService.NonExistentQueue", "state": "retry"},
                ],
            }
        },
    }  # fmt: skip

    def later():
        cloud.kernel.sleep(35)
        sqs.create_queue(QueueName="late")

    cloud.spawn(later)
    type(sqs)._get_waiter_config = lambda self: model  # SQS has no waiter of its own
    try:
        waiter = sqs.get_waiter("queue_exists")
    finally:
        del type(sqs)._get_waiter_config
    waiter.wait(QueueName="late")
    assert 40 <= cloud.now < 41
    cloud.run(lambda: waiter.wait(QueueName="late"))


def test_an_operation_or_parameter_that_is_not_simulated_says_so(cloud, sqs, url, monkeypatch):
    with pytest.raises(NotSimulated, match="dynamodb"):
        cloud.client("dynamodb")
    monkeypatch.delattr("lablib.services.sqs.Sqs.purge_queue")
    with pytest.raises(NotSimulated, match="purge_queue is not simulated"):
        sqs.purge_queue(QueueUrl=url)


def test_throttles_are_retried_as_boto3_does_it_in_virtual_time(cloud, sqs, url):
    cloud.faults.add(Fault("throttle", operations=("SendMessage",), count=3))
    began = cloud.now
    answer = sqs.send_message(QueueUrl=url, MessageBody="x")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 3
    assert len(cloud.trace.where(kind="SendMessage")) == 4
    assert 0.02 < cloud.now - began < 1 + 2 + 4 + 0.2  # u * 2**(n-1) after the n-th attempt
    assert len(cloud.trace.where(kind="Sent")) == 1


@pytest.mark.parametrize(("edition", "attempts"), [("2023", 5), ("today", 3)])
def test_retries_end_after_boto3s_number_of_attempts(edition, attempts):
    """legacy mode (2023): 5 attempts; standard mode (today's default): 3. botocore user guide, "Retries"."""
    with Cloud(seed=1, limits=edition) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        cloud.faults.add(Fault("throttle", operations=("SendMessage",)))
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            sqs.send_message(QueueUrl=url, MessageBody="x")
        assert len(cloud.trace.where(kind="SendMessage")) == attempts
        assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == attempts - 1


def test_the_learners_retry_configuration_counts(cloud, url):
    patient = cloud.client("sqs", config=Config(retries={"mode": "standard", "total_max_attempts": 7}, read_timeout=2))
    cloud.faults.add(Fault("lost_answer", operations=("SendMessage",), count=2))
    began = cloud.now
    answer = patient.send_message(QueueUrl=url, MessageBody="x")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert 4 < cloud.now - began < 5
    assert len(cloud.trace.where(kind="Sent")) == 3, (
        "a lost answer that is retried is a duplicate: the sender cannot know"
    )


@pytest.mark.parametrize("edition", ["2023", "today"])
@pytest.mark.parametrize(
    ("retries", "attempts"),
    [
        ({"mode": "standard"}, 3),
        ({"mode": "legacy"}, 5),
        ({"mode": "adaptive"}, 3),
        ({"max_attempts": 1}, 2),  # the attempts after the first (botocore.config.Config)
        ({"mode": "standard", "max_attempts": 0}, 1),
        ({"total_max_attempts": 4, "max_attempts": 9}, 4),
    ],
)
def test_a_retry_configuration_may_be_given_in_part(edition, retries, attempts):
    """What is left out is botocore's: five attempts in legacy mode, else three (user guide, "Retries")."""
    with Cloud(seed=1, limits=edition) as cloud:
        sqs = cloud.client("sqs", config=Config(retries=retries))
        assert sqs.meta.config.retries["total_max_attempts"] == attempts
        cloud.faults.add(Fault("throttle"))
        with pytest.raises(botocore.exceptions.ClientError):
            sqs.list_queues()
        assert len(cloud.trace.where(kind="ListQueues")) == attempts


def test_what_a_program_changes_on_its_client_is_no_other_clients(sqs):
    config = Config(retries={"mode": "standard"})
    with Cloud() as other:
        first = other.client("sqs", config=config)
        first.meta.config.retries["total_max_attempts"] = 99
        first.meta.config.s3 = {"addressing_style": "path"}
        first.meta.events.register("provide-client-params", lambda **_: 1 / 0)
        second = other.client("sqs", config=config)
        for client in (second, sqs, other.client("sqs")):
            assert client.meta.config.retries["total_max_attempts"] in (3, 5)
            assert client.meta.config.s3 is None
            assert client.meta.events.emit("provide-client-params") == []
    assert config.retries == {"mode": "standard"}


def test_a_client_has_the_rest_of_its_configuration_too(cloud):
    sqs = cloud.client("sqs", config=Config(region_name="ap-northeast-2", connect_timeout=7, user_agent_extra="shop"))
    assert sqs.meta.region_name == sqs.meta.config.region_name == "ap-northeast-2"
    assert (sqs.meta.config.connect_timeout, sqs.meta.config.user_agent_extra) == (7, "shop")


def test_neither_configurations_nor_clients_outlive_their_use(cloud):
    kept = []
    for i in range(50):
        config = Config(read_timeout=i + 1)
        client = cloud.client("sqs", config=config)
        kept += [weakref.ref(config), weakref.ref(client), weakref.ref(client.meta.config)]
    del config, client
    gc.collect()
    assert [reference for reference in kept if reference() is not None] == []


def test_arguments_are_those_of_boto3_and_others_are_refused(cloud):
    theirs = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "aws_session_token": "x", "verify": False}
    assert (
        cloud.client("sqs", "eu-west-1", endpoint_url="http://localhost:4566", **theirs).meta.region_name == "eu-west-1"
    )
    with pytest.raises(TypeError, match=r"^client\(\) has no argument 'rol'; did you mean 'role'\?$"):
        cloud.client("sqs", rol="worker")
    with pytest.raises(TypeError, match=r"has no argument 'colour'; there are: service_name, region_name, .*account"):
        cloud.client("sqs", colour="red")


def test_an_answer_that_stays_lost_is_boto3s_timeout(cloud, url):
    hasty = cloud.client("sqs", config=Config(retries={"total_max_attempts": 1}, read_timeout=3))
    cloud.faults.add(Fault("lost_answer", operations=("SendMessage",)))
    with pytest.raises(botocore.exceptions.ReadTimeoutError, match="Read timeout on endpoint URL"):
        hasty.send_message(QueueUrl=url, MessageBody="x")


@pytest.mark.parametrize(("edition", "attempts"), [("2023", 5), ("today", 1)])
def test_too_many_requests_is_retried_in_legacy_mode_only(edition, attempts, monkeypatch):
    """HTTP status 429, with a code that botocore does not know as throttling (botocore's retry data)."""
    with Cloud(seed=1, limits=edition) as cloud:
        sqs = cloud.client("sqs")
        monkeypatch.setitem(cloud.service("sqs").operations, "list_queues", _busy)
        with pytest.raises(botocore.exceptions.ClientError):
            sqs.list_queues()
        assert len(cloud.trace.where(kind="ListQueues")) == attempts


def _busy(call):
    raise ServiceError("Busy", "Too many requests", status=429)


def test_bad_requests_are_not_retried(cloud, sqs):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="nope")
    assert len(cloud.trace.where(kind="GetQueueUrl")) == 1


def test_clients_of_two_clouds_do_not_meet(cloud, sqs, url):
    with Cloud(seed=1) as other:
        assert other.client("sqs").list_queues().get("QueueUrls", []) == []
    assert sqs.list_queues()["QueueUrls"] == [url]


def test_regions_are_worlds_of_their_own(cloud, sqs, url):
    seoul = cloud.client("sqs", region_name="ap-northeast-2")
    assert seoul.list_queues().get("QueueUrls", []) == []
    assert "ap-northeast-2" in seoul.create_queue(QueueName="orders")["QueueUrl"]


def test_strict_mode_refuses_an_answer_that_aws_would_not_give(cloud, sqs, monkeypatch):
    service = cloud.service("sqs")
    monkeypatch.setattr(type(service), "list_queues", lambda self, request: {"QueueUrls": "one"})
    with pytest.raises(AssertionError, match=r"the simulated list_queues does not answer as AWS does: .*QueueUrls"):
        sqs.list_queues()


def test_it_needs_no_credentials_no_configuration_no_network_and_cannot_reach_aws(tmp_path):
    code = """
import socket
def refuse(*a, **k): raise AssertionError("network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from lablib import Cloud
cloud = Cloud()
sqs = cloud.client("sqs")
url = sqs.create_queue(QueueName="q")["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="x")
print(url, sqs._request_signer._credentials.access_key)
try:
    sqs._make_request(None, None, None)
except AssertionError as error:
    print(error)
"""
    bad = tmp_path / "config"
    bad.write_text("[profile real]\nregion = eu-west-1\nendpoint_url = https://example.com\n")
    env = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_PROFILE": "real", "AWS_CONFIG_FILE": str(bad),
        "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "real", "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "https://example.com", "AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "9",
    }  # fmt: skip
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "https://sqs.us-east-1.amazonaws.com/123456789012/q simulated",
        "a simulated client never sends a request",
    ]


def test_it_is_deaf_to_the_environment(tmp_path):
    """Every variable that botocore knows is set to junk; AWS_DEFAULTS_MODE=auto would ask the metadata service."""
    code = """
import socket
def refuse(*a, **k): raise AssertionError("network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from lablib import Cloud
with Cloud(seed=1) as cloud:
    for name in ("sqs", "sns", "s3", "lambda", "iam", "sts", "kms", "kinesis"):
        client = cloud.client(name)
        config = dict(sorted((k, v) for k, v in vars(client.meta.config).items() if not k.startswith("_")))
        config.pop("user_agent"), config.pop("client_context_params")
        print(name, client.meta.endpoint_url, client.meta.region_name, config)
    print(cloud.resource("sqs").create_queue(QueueName="q").url, cloud.trace.digest())
"""
    known = {
        name for _, names, *_ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values()
        for name in ([names] if isinstance(names, str) else names or ())
    }  # fmt: skip
    known |= {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    known |= {"AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"}
    assert len(known) > 30
    plain = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def run(**more):
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**plain, **more})
        assert result.returncode == 0, result.stderr
        return result.stdout

    expected = run()
    assert run(**dict.fromkeys(known, "junk")) == expected
    assert run(**dict.fromkeys(known, "junk") | {"AWS_DEFAULTS_MODE": "auto", "AWS_MAX_ATTEMPTS": "9"}) == expected


def test_the_seam_is_where_botocore_says_it_is():
    """Guards the one private name we rely on: every generated method ends in `_make_api_call`."""
    session = boto3.session.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1")
    seen = []

    class Base:
        def _make_api_call(self, operation_name, api_params):
            seen.append((operation_name, api_params))
            return {}

    session.events.register("creating-client-class.sqs", lambda base_classes, **_: base_classes.insert(0, Base))
    session.client("sqs").send_message(QueueUrl="u", MessageBody="b")
    assert seen == [("SendMessage", {"QueueUrl": "u", "MessageBody": "b"})]


PARAMETERS = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 50000) | st.text(max_size=3) | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Id", "MessageBody", "ReceiptHandle", "DataType", "StringValue", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(data=st.data())
def test_the_quick_test_accepts_nothing_that_botocore_refuses(data):
    with Cloud() as cloud:
        model = cloud.client("sqs").meta.service_model
    shape = model.operation_model(data.draw(st.sampled_from(model.operation_names))).input_shape
    params = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(shape.members, PARAMETERS)))
    if (copied := quickly(shape, params)) is not None:
        assert not ParamValidator().validate(params, shape).has_errors()
        assert copied == params


def quickly(shape, params):
    """What the quick test makes of parameters: a copy, or None when it is not sure."""
    try:
        return structure_rule(shape)(params)
    except (KeyError, Unsure):
        return None


def test_the_quick_test_accepts_ordinary_calls(sqs):
    model = sqs.meta.service_model
    attributes = {"kind": {"DataType": "String", "StringValue": "video"}}
    ordinary = {
        "SendMessage": {"QueueUrl": "u", "MessageBody": "b", "DelaySeconds": 0, "MessageAttributes": attributes},
        "ReceiveMessage": {"QueueUrl": "u", "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]},
        "DeleteMessageBatch": {"QueueUrl": "u", "Entries": [{"Id": "1", "ReceiptHandle": "h"}]},
        "CreateQueue": {"QueueName": "q", "Attributes": {"DelaySeconds": "1"}, "tags": {"a": "b"}},
    }
    for name, params in ordinary.items():
        copied = quickly(model.operation_model(name).input_shape, params)
        assert copied == params and copied is not params
