"""The front door: latency, faults, one row a call."""

import json
import math

import pytest
from botocore import xform_name

from lablib import Cloud, Fault, services
from lablib.aws.access.decide import administrator
from lablib.aws.arn import Arn
from lablib.aws.service import NotSimulated, Principal, ServiceError
from lablib.gateway import AnswerLost, pascal


@pytest.fixture
def cloud():
    with Cloud(seed=3, strict=True) as cloud:
        yield cloud


@pytest.fixture
def sqs(cloud):
    return cloud.direct("sqs")


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="orders")["QueueUrl"]


def api(cloud, operation):
    return cloud.trace.where(kind=operation)


def test_every_call_leaves_one_row_with_who_what_when_and_how_many(cloud, sqs, url):
    entries = [{"Id": str(i), "MessageBody": "x"} for i in range(3)]
    cloud.run(lambda: sqs.send_message_batch(QueueUrl=url, Entries=entries), name="producer-2")
    (row,) = api(cloud, "SendMessageBatch")[-1:]
    assert (row.resource, row.actor, row.detail) == ("orders", "producer-2", 3)
    assert row.time < row.until
    sqs.receive_message(QueueUrl=url)
    assert api(cloud, "ReceiveMessage")[0].actor == "you"


def test_an_error_is_in_the_row_too(cloud, sqs):
    with pytest.raises(ServiceError):
        sqs.get_queue_url(QueueName="nope")
    assert api(cloud, "GetQueueUrl")[0].detail == "AWS.SimpleQueueService.NonExistentQueue"


def test_latency_follows_the_documented_distribution(cloud, sqs, url):
    for _ in range(2000):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    took = sorted(row.until - row.time for row in api(cloud, "SendMessage"))
    assert took[1000] == pytest.approx(cloud.quotas["api.latency_median"], rel=0.1)
    assert took[1900] < cloud.quotas["api.latency_p95"] * 1.1


def test_latency_can_be_assumed_and_differs_between_editions():
    assert Cloud(limits="today").quotas["api.latency_median"] > Cloud().quotas["api.latency_median"]
    with Cloud(assume={"api.latency_median": 2.0, "api.latency_p95": 2.0}) as cloud:
        cloud.direct("sqs").list_queues()
        assert cloud.now == pytest.approx(2.0)


def test_an_added_caller_does_not_change_the_latency_of_the_others():
    def run(crowd):
        with Cloud(seed=5) as cloud:
            sqs = cloud.direct("sqs")

            def caller():
                for _ in range(10):
                    sqs.list_queues()

            for name in ("a", *crowd):
                cloud.spawn(caller, name=name)
            cloud.advance(60)
            return [row.until for row in cloud.trace.where(actor="a")]

    assert run([]) == run(["b", "c"])


def test_a_throttle_refuses_the_call_and_changes_nothing(cloud, sqs, url):
    cloud.faults.add(Fault("throttle", operations=("SendMessage",), count=1))
    with pytest.raises(ServiceError) as caught:
        sqs.send_message(QueueUrl=url, MessageBody="x")
    assert caught.value.code == api(cloud, "SendMessage")[0].detail
    assert cloud.trace.where(kind="Sent") == []
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert len(cloud.trace.where(kind="Sent")) == 1


@pytest.mark.parametrize(
    ("kind", "detail", "stored"), [("lost_answer", "AnswerLost", 1), ("lost_request", "RequestLost", 0)]
)
def test_a_lost_call_costs_the_read_timeout_and_only_a_lost_answer_took_effect(cloud, sqs, url, kind, detail, stored):
    cloud.faults.add(Fault(kind, operations=("SendMessage",), count=1))
    began = cloud.now
    with pytest.raises(AnswerLost) as caught:
        sqs.send_message(QueueUrl=url, MessageBody="x")
    assert caught.value.took_effect == bool(stored)
    assert cloud.now - began == pytest.approx(60, abs=0.1)  # botocore's default read timeout
    assert api(cloud, "SendMessage")[0].detail == detail
    assert len(cloud.trace.where(kind="Sent")) == stored


def test_a_partial_fault_fails_entries_not_the_call(cloud, sqs, url):
    cloud.faults.add(Fault("partial", operations="SendMessageBatch", probability=0.5))
    entries = [{"Id": str(i), "MessageBody": "x"} for i in range(10)]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert 0 < len(answer["Failed"]) < 10
    assert {e["Id"] for e in answer["Successful"] + answer["Failed"]} == {e["Id"] for e in entries}
    assert answer["Failed"][0]["SenderFault"] is False
    assert len(cloud.trace.where(kind="Sent")) == len(answer["Successful"])


def test_a_partial_fault_leaves_other_operations_to_later_faults(cloud, sqs, url):
    cloud.faults.add(Fault("partial", count=1), Fault("throttle", operations=("SendMessage",), count=1))
    with pytest.raises(ServiceError, match="Rate exceeded"):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    batch = {"QueueUrl": url, "Entries": [{"Id": "1", "MessageBody": "x"}]}
    assert len(sqs.send_message_batch(**batch)["Failed"]) == 1, "the send of one message was no hit"
    assert len(sqs.send_message_batch(**batch)["Successful"]) == 1


@pytest.mark.parametrize("service", ["sqs", "sns", "s3"])
def test_every_operation_that_answers_for_each_entry_is_a_batch(cloud, service):
    """AWS's own models say which: their answers list what failed."""
    model, known = cloud.client(service).meta.service_model, cloud.service(service)
    lists_failures = {
        name
        for name in model.operation_names
        if (answer := model.operation_model(name).output_shape) and {"Failed", "Errors"} & set(answer.members)
    }
    assert known.batches == {name for name in lists_failures if xform_name(name) in known.coverage()}


@pytest.mark.parametrize("service", services.names())
def test_every_service_says_what_a_call_is_about_whatever_its_parameters(cloud, service):
    """The gateway asks before the parameters are checked: the answer is a target, never an error."""
    known, spelled = cloud.service(service), cloud.client(service).meta.service_model.operation_names
    for operation in map(pascal, known.coverage()):
        assert operation in spelled, "the API log spells operations as AWS does"
        for params in ({}, {known.arn_parameter: "nonsense"}, {known.arn_parameter: ""}):
            target = known.target(operation, params)
            assert target.owner == "123456789012"
            prefixes = {service, known.arn("x").split(":")[2]}  # those of a service's further APIs are the service's
            assert {action.partition(":")[0] for action in target.actions} <= prefixes


@pytest.mark.parametrize("kind", ["throttle", "partial"])
def test_a_fault_with_count_zero_never_hits(cloud, sqs, url, kind):
    cloud.faults.add(Fault(kind, count=0))
    answer = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "x"}])
    assert "Failed" not in answer


def test_a_fault_hits_the_callers_and_the_times_it_names(cloud, sqs, url):
    cloud.faults.add(Fault("throttle", callers="producer-*", start=10, end=20))

    def send():
        sqs.send_message(QueueUrl=url, MessageBody="x")

    cloud.run(send, name="producer-1")
    cloud.advance(10)
    cloud.run(send, name="consumer-1")
    with pytest.raises(ServiceError):
        cloud.run(send, name="producer-1")
    cloud.advance(10)
    cloud.run(send, name="producer-1")


def test_faults_draw_from_streams_of_their_own():
    def sent(*faults):
        with Cloud(seed=8) as cloud:
            cloud.faults.add(*faults)
            sqs = cloud.direct("sqs")
            url = sqs.create_queue(QueueName="q")["QueueUrl"]
            for _ in range(20):
                sqs.send_message(QueueUrl=url, MessageBody="x")
            return [row.time for row in cloud.trace.where(kind="Sent")]

    assert sent() == sent(Fault("throttle", probability=0.0), Fault("throttle", operations=("DeleteMessage",)))


def test_a_caller_that_is_killed_while_it_waits_leaves_a_completed_row(cloud, sqs, url):
    process = cloud.spawn(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20), name="consumer")
    cloud.advance(5)
    cloud.kill("consumer")
    assert not process.alive
    (row,) = api(cloud, "ReceiveMessage")
    assert row.detail == "CallerGone" and row.until == cloud.now


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"kind": "explode"}, "kind='explode': must be one of 'throttle'"),
        ({"kind": "throttle", "probability": 1.5}, "probability=1.5: must be from 0 to 1"),
        ({"kind": "throttle", "start": -1}, "start=-1: must be a number of seconds"),
        ({"kind": "throttle", "start": 5, "end": 1}, "end=1: must not be before start=5"),
        ({"kind": "throttle", "start": math.nan}, "start=nan"),
        ({"kind": "throttle", "count": -1}, "count=-1: must be a whole number, zero or more, or None"),
        ({"kind": "throttle", "count": 1.5}, "count=1.5: must be a whole number"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        Fault(**kwargs)


def test_what_is_not_simulated_says_so_and_what_is(cloud, sqs, url):
    with pytest.raises(NotSimulated, match=r"sqs.frobnicate is not simulated. This lab simulates: .*send_message"):
        sqs.frobnicate()
    with pytest.raises(NotSimulated, match=r"sqs.send_message: parameter colour is not simulated"):
        sqs.send_message(QueueUrl=url, MessageBody="x", Colour="red")
    assert api(cloud, "SendMessage")[0].detail == "NotSimulated"
    with pytest.raises(NotSimulated, match=r"service 'dynamodb' is not simulated. This lab simulates: .*sqs"):
        cloud.client("dynamodb")


def test_what_one_service_hands_to_several_is_not_shared_between_them(cloud, sqs):
    attributes = {"kind": {"DataType": "String", "StringValue": "video"}}
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in "ab"]
    me = administrator("123456789012")
    for url in urls:
        params = {"queue_url": url, "message_body": "x", "message_attributes": attributes}
        to = Arn("sqs", "us-east-1", "123456789012", url[-1])
        cloud.gateway.call_service(to, "send_message", params, principal=me, caller="sns/news", cause=-1)
    attributes["kind"]["StringValue"] = "changed by the topic"
    (mine,), (other,) = (cloud.service("sqs").queue(url).messages.values() for url in urls)
    mine.attributes["kind"]["StringValue"] = "changed in one queue"
    assert other.attributes["kind"]["StringValue"] == "video"


@pytest.mark.parametrize("error", [NotSimulated("not here"), KeyError("a bug"), TypeError("a bug")])
def test_the_row_of_a_call_that_its_handler_cannot_answer_names_the_error(cloud, sqs, url, monkeypatch, error):
    def fail(call, **params):
        raise error

    monkeypatch.setitem(cloud.service("sqs").operations, "send_message", fail)
    monkeypatch.setattr(cloud.service("sqs"), "check_parameters", lambda name, params: None)
    with pytest.raises(type(error)):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    queue, me = Arn.parse("arn:aws:sqs:us-east-1:123456789012:orders"), administrator("123456789012")
    with pytest.raises(type(error)):
        cloud.gateway.call_service(queue, "send_message", {}, principal=me, caller="sns/news", cause=-1)
    assert [row.detail for row in api(cloud, "SendMessage")] == [type(error).__name__] * 2


def test_what_was_allowed_is_asked_again_when_a_policy_has_changed(cloud, sqs, url):
    """An allowed call is remembered, not for longer than the policies that allowed it."""
    topic = Principal("123456789012", service="sns.amazonaws.com")
    queue = Arn.parse("arn:aws:sqs:us-east-1:123456789012:orders")

    def send():
        message = {"queue_url": url, "message_body": "x"}
        return cloud.gateway.call_service(queue, "send_message", message, principal=topic, caller="sns/news", cause=-1)

    def set_policy(condition=None):
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
        statement |= {"Resource": str(queue)} | ({"Condition": condition} if condition else {})
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})

    set_policy()
    assert send()["MessageId"] and send()["MessageId"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    with pytest.raises(ServiceError, match="no resource-based policy"):
        send()
    set_policy({"DateLessThan": {"aws:CurrentTime": "2023-04-01T00:01:00Z"}})
    assert send()["MessageId"]
    cloud.advance(61)
    with pytest.raises(ServiceError, match="no resource-based policy"):
        send()
