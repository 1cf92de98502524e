"""Lambda: functions in virtual time, invoked, asynchronous, and fed from queues. All through boto3, in strict mode."""

import io
import json
import time
from itertools import pairwise

import pytest
from aws_errors import code
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import ACCOUNT, OTHER
from lab import Lab as Base

from lablib import Fault
from lablib.aws.service import NotSimulated
from lablib.measures import Measures

pytestmark = pytest.mark.ours  # where a test names no source

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"
CALM = {
    "sqs.outages_per_hour": 0, "lambda.event_duplicates": 0,
    "lambda.cold_start_median": 0.001, "lambda.cold_start_p95": 0.001,
    "api.latency_median": 0.001, "api.latency_p95": 0.001,
}  # fmt: skip


class Lab(Base):
    def __init__(self, seed=1, limits="2023", **assume):
        given = CALM | {f"lambda.{k}": v for k, v in assume.items()}
        super().__init__("sqs", seed=seed, limits=limits, assume=given)
        self.client = self.cloud.client("lambda")
        self.seen = []

    def handler(self, event, context):
        """Sleeps, fails, or answers, as the event says; notes when it was called."""
        self.seen.append((round(self.cloud.now, 2), event))
        time.sleep(event.get("sleep", 0))
        if "error" in event:
            raise ValueError(event["error"])
        return event.get("answer")

    def deploy(self, name="resize", handler=None, **more):
        return self.cloud.deploy(name, handler or self.handler, **more)

    def invoke(self, event=None, name="resize", **more):
        return self.client.invoke(FunctionName=name, Payload=json.dumps(event or {}), **more)

    def later(self, event=None, name="resize"):
        return self.invoke(event, name, InvocationType="Event")

    def queue(self, name="orders", **attributes):
        return self.create(name, **attributes)

    def map(self, name="resize", source=QUEUE, **more):
        answer = self.client.create_event_source_mapping(FunctionName=name, EventSourceArn=source, **more)
        self.cloud.advance(3)
        return answer["UUID"]

    def left(self, url):
        self.cloud.advance(60)  # the counters are exact after a minute
        return self.counts(url, ("", "NotVisible"))

    def kinds(self, *kinds):
        return [row.kind for row in self.cloud.trace.where(kinds)]


@pytest.fixture
def lab():
    return Lab()


# ---- invoking --------------------------------------------------------------------------------------------------------


def test_a_function_answers_in_virtual_time(lab):
    arn = lab.deploy()
    start = lab.cloud.now
    answer = lab.invoke({"sleep": 2.5, "answer": {"n": [1, "é"]}})
    assert 2.5 < lab.cloud.now - start < 2.6
    assert (answer["StatusCode"], json.loads(answer["Payload"].read())) == (200, {"n": [1, "é"]})
    assert "FunctionError" not in answer
    for name in (arn, f"{ACCOUNT}:function:resize", f"{arn}:$LATEST"):
        assert lab.invoke(name=name)["Payload"].read() == b"null"


def test_what_the_payload_can_be(lab):
    lab.deploy(handler=lambda event, context: event)
    for payload in ('{"a": 1}', b'{"a": 1}', io.BytesIO(b'{"a": 1}')):
        assert lab.client.invoke(FunctionName="resize", Payload=payload)["Payload"].read() == b'{"a": 1}'
    assert lab.client.invoke(FunctionName="resize")["Payload"].read() == b"{}"


def test_an_exception_is_a_function_error_not_an_error_of_the_call(lab):
    lab.deploy()
    answer = lab.invoke({"error": "no picture"})
    document = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "no picture")
    assert 'raise ValueError(event["error"])' in document["stackTrace"][-1]


def test_a_function_is_stopped_at_its_timeout(lab):
    stopped = []

    def slow(event, context):
        try:
            time.sleep(100)
        finally:
            stopped.append(lab.cloud.now)

    lab.deploy(handler=slow, timeout=4)
    start = lab.cloud.now
    answer = lab.invoke()
    assert stopped == [pytest.approx(start + 4, abs=0.01)]
    assert json.loads(answer["Payload"].read())["errorMessage"].endswith("Task timed out after 4.00 seconds")
    assert lab.cloud.trace.where("InvocationFailed")[0].detail == "Task timed out after 4.00 seconds"


def test_a_function_that_swallows_its_end_is_stopped_all_the_same(lab):
    def stubborn(event, context):
        while True:
            try:
                time.sleep(1)
            except BaseException:
                pass

    lab.deploy(handler=stubborn)
    assert lab.invoke()["FunctionError"] == "Unhandled"
    assert lab.cloud.now < 4


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (lambda event, context: {1, 2}, "Runtime.MarshalError"),
        (lambda event, context: exec("raise SystemExit(1)"), "SystemExit"),
        (lambda event: None, "TypeError"),
    ],
)
def test_other_ways_to_fail(lab, handler, kind):
    lab.deploy(handler=handler)
    assert json.loads(lab.invoke()["Payload"].read())["errorType"] == kind


def test_the_context(lab):
    found = []

    def look(event, context):
        time.sleep(1)
        found.append(context)
        return context.get_remaining_time_in_millis()

    arn = lab.deploy(handler=look, timeout=5, memory=256)
    assert lab.invoke()["Payload"].read() == b"4000"
    (context,) = found
    assert (context.function_name, context.invoked_function_arn) == ("resize", arn)
    assert (context.memory_limit_in_mb, context.function_version) == ("256", "$LATEST")
    assert context.aws_request_id == lab.cloud.trace.where("InvocationStarted")[0].subject
    assert context.log_group_name == "/aws/lambda/resize"


def test_the_function_is_the_caller_of_what_it_calls(lab):
    url = lab.queue()
    lab.deploy(handler=lambda event, context: lab.sqs.send_message(QueueUrl=url, MessageBody="hi")["MessageId"])
    message = json.loads(lab.invoke()["Payload"].read())
    assert lab.cloud.trace.where("Sent", subject=message)[0].actor == "lambda/resize"


def test_a_role_says_what_the_function_may_do(lab):
    url = lab.queue()
    iam = lab.cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="resizer", AssumeRolePolicyDocument=document)
    lab.deploy(handler=lambda event, context: lab.sqs.send_message(QueueUrl=url, MessageBody="hi"), role="resizer")
    refused = json.loads(lab.invoke()["Payload"].read())
    assert refused["errorType"] == "ClientError"
    assert (
        f"assumed-role/resizer/lab is not authorized to perform: sqs:SendMessage on resource: {QUEUE}"
        in refused["errorMessage"]
    )
    allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="resizer", PolicyName="send", PolicyDocument=policy)
    assert "FunctionError" not in lab.invoke()
    lab.sqs.send_message(QueueUrl=url, MessageBody="the administrator still may")
    with pytest.raises(ValueError, match="nobody"):
        lab.deploy(role="nobody")


def test_a_first_run_is_cold_and_the_next_one_warm():
    lab = Lab(cold_start_median=0.5, cold_start_p95=0.9)
    lab.deploy(timeout=1)

    def seconds(event):
        start = lab.cloud.now
        lab.invoke(event)
        return lab.cloud.now - start

    assert seconds({"sleep": 0.9}) > 1.2  # the cold start is not part of the timeout
    assert seconds({"sleep": 0.9}) < 1
    lab.cloud.advance(601)
    assert seconds({}) > 0.2
    seconds({"sleep": 5})  # an environment that was stopped is not used again
    assert seconds({}) > 0.2
    lab.deploy(timeout=1)
    assert seconds({}) > 0.2
    row = lab.cloud.trace.where("EnvironmentStarted")[0]
    assert lab.cloud.trace.where("InvocationStarted")[0].time + 0.2 < row.until


def test_concurrent_runs_need_an_environment_each(lab):
    lab.deploy()
    for n in range(3):
        lab.cloud.spawn(lab.invoke, {"sleep": 1}, name=f"caller-{n}")
    lab.cloud.advance(2)
    assert [at for at, _ in lab.seen] == [0.0] * 3
    assert len(lab.cloud.service("lambda").function("resize").idle) == 3


def test_reserved_concurrency_throttles(lab):
    lab.deploy()
    lab.client.put_function_concurrency(FunctionName="resize", ReservedConcurrentExecutions=1)
    lab.later({"sleep": 2})
    lab.cloud.advance(1)
    lab.invoke({"answer": 1})  # boto3 tries again until there is room
    assert "InvocationThrottled" in lab.kinds("InvocationThrottled")
    lab.client.put_function_concurrency(FunctionName="resize", ReservedConcurrentExecutions=0)
    assert code(lab.invoke) == "TooManyRequestsException"
    lab.client.delete_function_concurrency(FunctionName="resize")
    lab.invoke()


def test_a_killed_function_has_failed(lab):
    lab.deploy()
    lab.cloud.spawn(lambda: (lab.cloud.kernel.sleep(1), lab.cloud.kernel.kill(process())), name="killer")

    def process():
        return next(p for p in lab.cloud.processes.values() if p.name == "lambda/resize")

    answer = json.loads(lab.invoke({"sleep": 2})["Payload"].read())
    assert answer["errorType"] == "Runtime.ExitError"
    assert lab.cloud.now < 1.1


def test_finished_runs_leave_nothing_behind(lab):
    lab.deploy()
    for _ in range(20):
        lab.invoke()
        lab.later({"error": "x"})
    lab.cloud.advance(1000)
    assert not [name for name in lab.cloud.processes if name.startswith("lambda/")]
    assert lab.cloud.service("lambda").function("resize").running == 0


# ---- asynchronous ----------------------------------------------------------------------------------------------------


def test_an_event_is_accepted_at_once_and_retried_after_one_and_two_minutes(lab):
    lab.deploy()
    answer = lab.later({"sleep": 1, "error": "x"})
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    lab.cloud.advance(600)
    times = [at for at, _ in lab.seen]
    assert [round(b - a) for a, b in pairwise(times)] == [61, 121]
    assert [row.detail for row in lab.cloud.trace.where("EventDiscarded")] == ["RetriesExhausted"]
    (request,) = {row.subject for row in lab.cloud.trace.where("InvocationStarted")}
    assert "the event for resize is lost: RetriesExhausted" in lab.cloud.explain(request)


def test_a_retry_that_succeeds_is_the_last(lab):
    def flaky(event, context):
        lab.seen.append(event)
        if len(lab.seen) == 1:
            raise ValueError

    lab.deploy(handler=flaky)
    lab.later()
    lab.cloud.advance(600)
    assert len(lab.seen) == 2
    assert lab.kinds("EventDiscarded") == []


def test_throttled_events_wait_longer_and_longer(lab):
    lab.deploy()
    lab.client.put_function_concurrency(FunctionName="resize", ReservedConcurrentExecutions=0)
    lab.later()
    lab.cloud.advance(600)
    times = [row.time for row in lab.cloud.trace.where("InvocationThrottled")]
    assert [round(b - a) for a, b in pairwise(times)] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    lab.client.delete_function_concurrency(FunctionName="resize")
    lab.cloud.advance(600)
    assert len(lab.seen) == 1


def test_an_event_that_is_too_old_is_given_up(lab):
    lab.deploy()
    lab.client.put_function_event_invoke_config(FunctionName="resize", MaximumEventAgeInSeconds=100)
    lab.later({"error": "x"})
    lab.cloud.advance(600)
    assert len(lab.seen) == 2
    assert [row.detail for row in lab.cloud.trace.where("EventDiscarded")] == ["EventAgeExceeded"]


def test_what_fails_goes_to_the_dead_letter_queue_and_to_the_destination(lab):
    lab.deploy()
    letters, failures = lab.queue("letters"), lab.queue("failures")
    arn = "arn:aws:sqs:us-east-1:123456789012:"
    lab.client.update_function_configuration(FunctionName="resize", DeadLetterConfig={"TargetArn": f"{arn}letters"})
    lab.client.put_function_event_invoke_config(
        FunctionName="resize", MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"{arn}failures"}},
    )  # fmt: skip
    lab.later({"error": "no picture"})
    lab.cloud.advance(10)
    ask = {"WaitTimeSeconds": 1, "MessageAttributeNames": ["All"]}
    (letter,) = lab.sqs.receive_message(QueueUrl=letters, **ask)["Messages"]
    assert json.loads(letter["Body"]) == {"error": "no picture"}
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "ValueError: no picture"
    (record,) = lab.sqs.receive_message(QueueUrl=failures, **ask)["Messages"]
    body = json.loads(record["Body"])
    assert body["requestContext"]["condition"] == "RetriesExhausted"
    assert body["requestContext"]["approximateInvokeCount"] == 1
    assert (body["requestPayload"], body["responsePayload"]["errorMessage"]) == ({"error": "no picture"}, "no picture")
    assert sorted(row.detail for row in lab.cloud.trace.where("EventSentOn")) == ["failures", "letters"]


def test_a_success_can_go_on_to_another_function(lab):
    lab.deploy()
    lab.deploy("next", lambda event, context: lab.seen.append(event["responsePayload"]))
    target = "arn:aws:lambda:us-east-1:123456789012:function:next"
    lab.client.put_function_event_invoke_config(
        FunctionName="resize", DestinationConfig={"OnSuccess": {"Destination": target}}
    )
    lab.later({"answer": 42})
    lab.cloud.advance(10)
    assert lab.seen[-1] == 42


def test_a_destination_that_refuses_loses_the_event(lab):
    lab.deploy()
    lab.queue("letters")
    target = "arn:aws:sqs:us-east-1:123456789012:letters"
    lab.client.update_function_configuration(FunctionName="resize", DeadLetterConfig={"TargetArn": target})
    lab.client.put_function_event_invoke_config(FunctionName="resize", MaximumRetryAttempts=0)
    lab.cloud.faults.add(Fault("throttle", operations=("SendMessage",)))
    lab.later({"error": "x"})
    lab.cloud.advance(10)
    assert [row.detail for row in lab.cloud.trace.where("EventDiscarded")] == ["letters refused it: RequestThrottled"]


def test_an_event_can_come_twice():
    lab = Lab(event_duplicates=1)
    lab.deploy()
    lab.later({"n": 1})
    lab.cloud.advance(10)
    assert [event for _, event in lab.seen] == [{"n": 1}] * 2


def test_an_event_for_a_deleted_function_is_lost(lab):
    lab.deploy()
    lab.later({"error": "x"})
    lab.cloud.advance(10)
    lab.client.delete_function(FunctionName="resize")
    lab.cloud.advance(100)
    assert [row.detail for row in lab.cloud.trace.where("EventDiscarded")] == ["the function was deleted"]


# ---- permissions, sources --------------------------------------------------------------------------------------------


def test_s3_needs_the_function_s_permission(lab):
    arn = lab.deploy()
    s3 = lab.cloud.client("s3")
    s3.create_bucket(Bucket="photos-of-spring")
    rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    put = {"Bucket": "photos-of-spring", "NotificationConfiguration": {"LambdaFunctionConfigurations": [rule]}}
    assert code(s3.put_bucket_notification_configuration, **put) == "InvalidArgument"
    lab.client.add_permission(
        FunctionName="resize", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::photos-of-spring", SourceAccount=ACCOUNT,
    )  # fmt: skip
    s3.put_bucket_notification_configuration(**put)
    assert lab.seen == []  # no test event for functions
    s3.put_object(Bucket="photos-of-spring", Key="a.jpg", Body=b"x")
    lab.cloud.advance(60)
    ((_, event),) = lab.seen
    assert event["Records"][0]["s3"]["object"]["key"] == "a.jpg"
    lab.client.remove_permission(FunctionName="resize", StatementId="s3")
    s3.put_object(Bucket="photos-of-spring", Key="b.jpg", Body=b"x")
    lab.cloud.advance(60)
    assert [row.detail for row in lab.cloud.trace.where("EventDropped")] == ["AccessDeniedException"]


@pytest.mark.guide
@pytest.mark.parametrize(("read_timeout", "runs"), [(60, 2), (120, 1), (None, 1)])
def test_a_caller_that_does_not_wait_for_the_function_invokes_it_again(lab, read_timeout, runs):
    """API: Invoke, "your client might disconnect during synchronous invocation while it waits for a response". boto3
    waits for 60 seconds, and tries again; the function knows nothing of it."""
    lab.deploy(timeout=300)
    patient = lab.cloud.client("lambda", config=Config(read_timeout=read_timeout, retries={"total_max_attempts": 2}))
    event = {"sleep": 90, "answer": "done"}

    def program():
        try:
            return json.load(patient.invoke(FunctionName="resize", Payload=json.dumps(event))["Payload"])
        except ReadTimeoutError:
            return "gave up"

    assert lab.cloud.run(program) == ("done" if runs == 1 else "gave up")
    lab.cloud.advance(200)
    assert len(lab.seen) == runs


def test_sns_invokes_a_function(lab):
    arn = lab.deploy()
    sns = lab.cloud.client("sns")
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    lab.client.add_permission(
        FunctionName="resize", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
        SourceArn=topic,
    )  # fmt: skip
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="hello")
    lab.cloud.advance(10)
    ((_, event),) = lab.seen
    assert event["Records"][0]["Sns"]["Message"] == "hello"
    assert event["Records"][0]["EventSource"] == "aws:sns"


def test_another_account_needs_permission(lab):
    arn = lab.deploy()
    stranger = lab.cloud.client("lambda", account=OTHER)
    assert code(stranger.invoke, FunctionName=arn) == "AccessDeniedException"
    allow = {"FunctionName": "resize", "StatementId": "x", "Action": "lambda:InvokeFunction", "Principal": OTHER}
    lab.client.add_permission(**allow)
    assert stranger.invoke(FunctionName=arn)["StatusCode"] == 200


# ---- queues as event sources -----------------------------------------------------------------------------------------


def test_a_queue_feeds_a_function(lab):
    url = lab.queue()
    lab.deploy(handler=lambda event, context: lab.seen.extend(r["body"] for r in event["Records"]))
    uuid = lab.map()
    assert lab.client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"
    for n in range(30):
        lab.sqs.send_message(QueueUrl=url, MessageBody=str(n))
    lab.cloud.advance(30)
    assert sorted(map(int, lab.seen)) == list(range(30))
    assert lab.left(url) == (0, 0)
    assert lab.client.get_event_source_mapping(UUID=uuid)["LastProcessingResult"] == "OK"


def test_the_api_log_says_how_many_messages_a_poll_gave(lab):
    url = lab.queue()
    lab.deploy()
    lab.map(ScalingConfig={"MaximumConcurrency": 2})
    lab.sqs.send_message(QueueUrl=url, MessageBody="x")
    lab.cloud.advance(25)
    details = [row.detail for row in lab.cloud.trace.where("ReceiveMessage") if row.detail is not None]
    assert sorted(details) == [0, 0, 1]
    assert [row.detail for row in lab.cloud.trace.where("DeleteMessageBatch")] == [1]


def test_the_trace_shows_the_function_at_work(lab):
    url = lab.queue()
    lab.deploy(handler=lambda event, context: time.sleep(1))
    lab.map()
    message = lab.sqs.send_message(QueueUrl=url, MessageBody="x")["MessageId"]
    lab.cloud.advance(5)
    rows = [row for row in lab.cloud.trace.where(subject=message) if row.kind != "Sent"]
    assert [row.kind for row in rows] == ["Received", "WorkStarted", "WorkEnded", "Deleted"]
    assert {row.actor for row in rows} == {"lambda/resize"}
    received, begun, ended, _ = rows
    assert (begun.cause, ended.cause, ended.time - begun.time) == (
        received.index,
        begun.index,
        pytest.approx(1, abs=0.01),
    )
    assert "lambda/resize begins to work on it" in lab.cloud.explain(message)
    (run,) = lab.cloud.trace.where("InvocationStarted")
    assert run.cause == received.index


def test_five_batches_at_a_time(lab):
    url = lab.queue()
    running = []

    def handler(event, context):
        running.append(lab.cloud.service("lambda").function("resize").running)
        time.sleep(2)

    lab.deploy(handler=handler)
    lab.map(BatchSize=1)
    for n in range(20):
        lab.sqs.send_message(QueueUrl=url, MessageBody=str(n))
    lab.cloud.advance(30)
    assert max(running) == 5
    assert len(running) == 20


def test_more_pollers_come_after_a_minute_of_work_and_go_when_it_is_done(lab):
    url = lab.queue(VisibilityTimeout=60)
    lab.deploy(handler=lambda event, context: time.sleep(20), timeout=30)
    uuid = lab.map(BatchSize=1)
    for start in range(0, 100, 10):
        entries = [{"Id": str(n), "MessageBody": "x"} for n in range(start, start + 10)]
        lab.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    lab.cloud.advance(55)
    (mapping,) = lab.cloud.service("lambda")._mappings.values()
    assert len(mapping.pollers) == 5
    lab.cloud.advance(30)
    assert len(mapping.pollers) == 65
    lab.cloud.advance(300)
    assert lab.left(url) == (0, 0)
    assert sum(process.alive for process in mapping.pollers) == len(mapping.pollers) == 5
    assert lab.client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"


@pytest.mark.guide
def test_a_trickle_needs_no_more_pollers(lab):
    """Guide, "Configuring scaling behavior": more are started "if messages are still available"; here one comes at a
    time, and nothing is left for others.
    """
    url = lab.queue()
    lab.deploy(handler=lambda event, context: lab.seen.append(len(event["Records"])))
    lab.map(BatchSize=10, MaximumBatchingWindowInSeconds=5)
    for n in range(100):
        lab.sqs.send_message(QueueUrl=url, MessageBody=str(n))
        lab.cloud.advance(2)
    (mapping,) = lab.cloud.service("lambda")._mappings.values()
    assert len(mapping.pollers) == 5
    assert sum(lab.seen) >= 95


def test_maximum_concurrency(lab):
    url = lab.queue()
    lab.deploy(handler=lambda event, context: lab.seen.append(round(lab.cloud.now)) or time.sleep(2))
    lab.map(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    for _ in range(6):
        lab.sqs.send_message(QueueUrl=url, MessageBody="x")
    lab.cloud.advance(30)
    assert sorted(lab.seen) == [3, 3, 5, 5, 7, 7]


def test_a_failed_batch_comes_back_after_its_visibility_timeout(lab):
    url = lab.queue(VisibilityTimeout=30)
    lab.deploy()  # a queue's event has no "error": fail on the first time
    times = []

    def flaky(event, context):
        times.append(lab.cloud.now)
        if len(times) == 1:
            raise ValueError("first time")

    lab.deploy(handler=flaky)
    uuid = lab.map()
    lab.sqs.send_message(QueueUrl=url, MessageBody="x")
    lab.cloud.advance(20)
    assert "PROBLEM" in lab.client.get_event_source_mapping(UUID=uuid)["LastProcessingResult"]
    lab.cloud.advance(40)
    assert [round(b - a) for a, b in pairwise(times)] == [30]
    assert lab.left(url) == (0, 0)
    assert lab.kinds("WorkEnded") == ["WorkEnded"] * 2
    assert [row.detail for row in lab.cloud.trace.where("WorkEnded")] == ["failed", None]


def run_partial(answer, partial=True):
    """Three messages in one batch, the answer of the function; what is left in the queue."""
    lab = Lab()
    url = lab.queue(VisibilityTimeout=120)
    lab.deploy(handler=lambda event, context: answer({r["body"]: r["messageId"] for r in event["Records"]}))
    types = {"FunctionResponseTypes": ["ReportBatchItemFailures"]} if partial else {}
    lab.map(BatchSize=10, MaximumBatchingWindowInSeconds=2, **types)
    entries = [{"Id": name, "MessageBody": name} for name in "abc"]
    lab.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    lab.cloud.advance(20)
    deleted = {row.subject for row in lab.cloud.trace.where("Deleted")}
    bodies = {row.subject for row in lab.cloud.trace.where("Sent")}
    return len(bodies - deleted)


def failures(*ids):
    return {"batchItemFailures": [{"itemIdentifier": id} for id in ids]}


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (lambda ids: failures(ids["b"]), 1),
        (lambda ids: failures(ids["a"], ids["c"]), 2),
        (lambda ids: failures(), 0),
        (lambda ids: None, 0),
        (lambda ids: {}, 0),
        (lambda ids: {"batchItemFailures": None}, 0),
        (lambda ids: failures("unknown"), 3),
        (lambda ids: failures(""), 3),
        (lambda ids: failures(None), 3),
        (lambda ids: {"batchItemFailures": [{"wrong": ids["a"]}]}, 3),
        (lambda ids: "text", 3),
    ],
)
def test_a_function_can_report_which_messages_failed(answer, left):
    assert run_partial(answer) == left


def test_without_the_response_type_a_report_means_nothing():
    assert run_partial(lambda ids: failures(ids["b"]), partial=False) == 0


def test_a_window_collects_a_larger_batch(lab):
    url = lab.queue(VisibilityTimeout=60)
    lab.deploy(handler=lambda event, context: lab.seen.append((lab.cloud.now, len(event["Records"]))))
    lab.map(BatchSize=25, MaximumBatchingWindowInSeconds=10, ScalingConfig={"MaximumConcurrency": 2})
    start = lab.cloud.now
    for _ in range(12):
        lab.sqs.send_message(QueueUrl=url, MessageBody="x")
    lab.cloud.advance(30)
    assert sum(count for _, count in lab.seen) == 12
    assert all(9 < at - start < 12.5 for at, _ in lab.seen)
    lab.seen.clear()
    start = lab.cloud.now
    for _ in range(6):
        lab.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(10)])
    lab.cloud.advance(30)
    assert max(count for _, count in lab.seen) == 25
    assert min(at for at, _ in lab.seen) - start < 1  # a full batch does not wait


@pytest.mark.parametrize(
    ("patterns", "passed"),
    [
        (['{"body": {"size": [{"numeric": [">", 5]}]}}'], ['{"size": 9}']),
        (['{"body": ["plain"]}'], ["plain"]),
        (['{"body": {"size": [3]}}', '{"body": ["plain"]}'], ['{"size": 3}', "plain"]),
        (['{"messageAttributes": {"kind": {"stringValue": ["gold"]}}}'], ['{"size": 9}']),
        (["{}"], ['{"size": 3}', '{"size": 9}', "plain"]),
        ([], ['{"size": 3}', '{"size": 9}', "plain"]),
    ],
)
def test_what_no_filter_wants_is_removed_from_the_queue(lab, patterns, passed):
    url = lab.queue()
    lab.deploy(handler=lambda event, context: lab.seen.extend(record["body"] for record in event["Records"]))
    uuid = lab.map(FilterCriteria={"Filters": [{"Pattern": pattern} for pattern in patterns]})
    for body in ('{"size": 3}', "plain"):
        lab.sqs.send_message(QueueUrl=url, MessageBody=body)
    gold = {"kind": {"DataType": "String", "StringValue": "gold"}}
    lab.sqs.send_message(QueueUrl=url, MessageBody='{"size": 9}', MessageAttributes=gold)
    lab.cloud.advance(10)
    assert sorted(lab.seen) == sorted(passed)
    assert len(lab.cloud.trace.where("RecordFiltered")) == 3 - len(passed)
    assert lab.left(url) == (0, 0)
    described = lab.client.get_event_source_mapping(UUID=uuid).get("FilterCriteria", {}).get("Filters", [])
    assert [item["Pattern"] for item in described] == patterns


def test_a_filter_can_be_changed_and_removed(lab):
    url = lab.queue()
    lab.deploy(handler=lambda event, context: lab.seen.extend(record["body"] for record in event["Records"]))
    uuid = lab.map(FilterCriteria={"Filters": [{"Pattern": '{"body": ["a"]}'}]})
    bad = {"Filters": [{"Pattern": '{"body": "a"}'}]}
    assert (
        code(lab.client.update_event_source_mapping, UUID=uuid, FilterCriteria=bad) == "InvalidParameterValueException"
    )
    lab.client.update_event_source_mapping(UUID=uuid, FilterCriteria={})
    lab.cloud.advance(30)
    lab.sqs.send_message(QueueUrl=url, MessageBody="b")
    lab.cloud.advance(10)
    assert lab.seen == ["b"]


def test_a_fifo_queue_keeps_the_order_of_each_group(lab):
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = lab.queue("orders.fifo", **attributes)
    done = []

    def handler(event, context):
        for record in event["Records"]:
            time.sleep(0.1 if record["attributes"]["MessageGroupId"] == "a" else 0.02)
            done.append((record["attributes"]["MessageGroupId"], int(record["body"])))

    lab.deploy(handler=handler)
    lab.map(source=QUEUE + ".fifo", BatchSize=3)
    for n in range(30):
        lab.sqs.send_message(QueueUrl=url, MessageBody=str(n), MessageGroupId="abc"[n % 3])
    lab.cloud.advance(60)
    for group in "abc":
        own = [n for g, n in done if g == group]
        assert own == sorted(own) and len(own) == 10


def test_a_throttled_batch_is_tried_until_its_messages_are_visible_again(lab):
    url = lab.queue(VisibilityTimeout=30)
    lab.deploy()
    lab.client.put_function_concurrency(FunctionName="resize", ReservedConcurrentExecutions=0)
    lab.map()
    lab.sqs.send_message(QueueUrl=url, MessageBody="x")
    lab.cloud.advance(25)
    times = [row.time for row in lab.cloud.trace.where("InvocationThrottled")]
    assert [round(b - a) for a, b in pairwise(times)] == [1, 2, 4, 8]
    lab.client.delete_function_concurrency(FunctionName="resize")
    lab.cloud.advance(60)
    assert lab.left(url) == (0, 0)


def test_a_lost_delete_makes_the_function_work_twice(lab):
    url = lab.queue(VisibilityTimeout=30)
    lab.deploy()
    lab.map()
    lab.cloud.faults.add(Fault("lost_request", operations=("DeleteMessageBatch",), count=1))
    lab.sqs.send_message(QueueUrl=url, MessageBody="x")
    lab.cloud.advance(60)
    assert len(lab.seen) == 2
    assert lab.left(url) == (0, 0)


def test_a_mapping_can_be_changed_disabled_and_deleted(lab):
    url = lab.queue()
    lab.deploy()
    uuid = lab.map(BatchSize=1)
    lab.client.update_event_source_mapping(UUID=uuid, BatchSize=5, ScalingConfig={"MaximumConcurrency": 3})
    lab.cloud.advance(30)
    changed = lab.client.get_event_source_mapping(UUID=uuid)
    assert (changed["State"], changed["BatchSize"], changed["ScalingConfig"]) == (
        "Enabled",
        5,
        {"MaximumConcurrency": 3},
    )
    assert lab.client.update_event_source_mapping(UUID=uuid, Enabled=False)["State"] == "Disabling"
    lab.cloud.advance(30)
    lab.sqs.send_message(QueueUrl=url, MessageBody="x")
    lab.cloud.advance(30)
    assert lab.seen == []
    lab.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    lab.cloud.advance(30)
    assert len(lab.seen) == 1
    assert lab.client.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    lab.cloud.advance(30)
    lab.sqs.send_message(QueueUrl=url, MessageBody="x")
    lab.cloud.advance(30)
    assert len(lab.seen) == 1
    assert lab.client.list_event_source_mappings()["EventSourceMappings"] == []
    assert not any(p.alive for p in lab.cloud.processes.values())


def test_mappings_are_listed_by_source_and_function(lab):
    lab.queue("a")
    lab.queue("b")
    lab.deploy("one")
    lab.deploy("two")
    for function in ("one", "two"):
        for queue in "ab":
            lab.map(function, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}")
    pages = lab.client.get_paginator("list_event_source_mappings").paginate(PaginationConfig={"PageSize": 3})
    assert [len(page["EventSourceMappings"]) for page in pages] == [3, 1]
    of_one = lab.client.list_event_source_mappings(FunctionName="one")["EventSourceMappings"]
    assert sorted(m["EventSourceArn"][-1] for m in of_one) == ["a", "b"]
    (only,) = lab.client.list_event_source_mappings(FunctionName="one", EventSourceArn=QUEUE[:-6] + "a")[
        "EventSourceMappings"
    ]
    assert only["FunctionArn"].endswith(":one")


def test_a_mapping_survives_the_loss_of_its_queue(lab):
    url = lab.queue()
    lab.deploy()
    uuid = lab.map()
    lab.sqs.delete_queue(QueueUrl=url)
    lab.cloud.advance(61)
    assert "PROBLEM" in lab.client.get_event_source_mapping(UUID=uuid)["LastProcessingResult"]
    lab.queue()
    lab.sqs.send_message(QueueUrl=url, MessageBody="x")
    lab.cloud.advance(30)
    assert len(lab.seen) == 1


# ---- deploying, describing -------------------------------------------------------------------------------------------


def test_functions_are_described_and_changed(lab):
    arn = lab.deploy(timeout=10, memory=512)
    about = lab.client.get_function(FunctionName="resize")["Configuration"]
    assert (about["FunctionArn"], about["Timeout"], about["MemorySize"], about["State"]) == (arn, 10, 512, "Active")
    changed = lab.client.update_function_configuration(
        FunctionName="resize", Timeout=20, Environment={"Variables": {"A": "1"}}, Description="small pictures"
    )
    assert (changed["Timeout"], changed["Environment"], changed["Description"]) == (
        20, {"Variables": {"A": "1"}}, "small pictures",
    )  # fmt: skip
    assert changed["RevisionId"] != about["RevisionId"]
    lab.deploy("archive")
    pages = lab.client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    assert [f["FunctionName"] for page in pages for f in page["Functions"]] == ["archive", "resize"]
    lab.client.delete_function(FunctionName="resize")
    assert code(lab.invoke) == "ResourceNotFoundException"


def test_a_name_that_is_deployed_again_gets_new_code_and_keeps_its_permissions(lab):
    lab.deploy(handler=lambda event, context: 1)
    allow = {"FunctionName": "resize", "StatementId": "x", "Action": "lambda:InvokeFunction", "Principal": OTHER}
    lab.client.add_permission(**allow)
    lab.deploy(handler=lambda event, context: 2)
    assert lab.invoke()["Payload"].read() == b"2"
    assert json.loads(lab.client.get_policy(FunctionName="resize")["Policy"])["Statement"][0]["Sid"] == "x"


def test_bad_input_to_deploy(lab):
    with pytest.raises(TypeError, match="handler=3: must be a function"):
        lab.cloud.deploy("resize", 3)
    with pytest.raises(Exception, match="Value '0' at 'timeout' failed to satisfy constraint"):
        lab.deploy(timeout=0)
    with pytest.raises(Exception, match="Value 'a b' at 'functionName'"):
        lab.deploy("a b")


def test_what_is_not_simulated_says_what_to_do_instead(lab):
    with pytest.raises(NotSimulated, match=r"cloud\.deploy\(name, handler\)"):
        lab.client.create_function(FunctionName="x", Role="arn:aws:iam::123456789012:role/x", Code={})
    lab.deploy()
    with pytest.raises(NotSimulated, match="dynamodb as an event source"):
        lab.client.create_event_source_mapping(
            FunctionName="resize", EventSourceArn="arn:aws:dynamodb:us-east-1:123456789012:table/x"
        )


def test_the_same_seed_gives_the_same_run():
    def run():
        lab = Lab(seed=7, cold_start_median=0.3, cold_start_p95=1, event_duplicates=0.5)
        url = lab.queue()
        lab.deploy(handler=lambda event, context: time.sleep(0.5))
        lab.map(BatchSize=2)
        for n in range(12):
            lab.sqs.send_message(QueueUrl=url, MessageBody=str(n))
            lab.later()
        lab.cloud.advance(300)
        return lab.cloud.trace.digest()

    assert run() == run()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["ok", "fail", "report", "sleep"]), min_size=1, max_size=12),
    st.integers(1, 12),
    st.lists(st.sampled_from(["lost_request", "lost_answer", "throttle"]), max_size=2),
    st.booleans(),
)
def test_no_message_is_lost_whatever_goes_wrong(plan, batch, faults, fifo):
    """Each message is worked on until a run of the function takes it without failing; then it is gone for good."""
    lab = Lab()
    more = {"FifoQueue": "true"} if fifo else {}
    url = lab.queue("orders.fifo" if fifo else "orders", VisibilityTimeout=30, **more)
    taken, steps = [], iter(plan)

    def handler(event, context):
        ids = [record["messageId"] for record in event["Records"]]
        step = next(steps, "ok")
        if step == "fail":
            raise ValueError
        if step == "sleep":
            time.sleep(10)
        taken.extend(ids[1:] if step == "report" else ids)
        return failures(ids[0]) if step == "report" else None

    lab.deploy(handler=handler)
    size = (
        {"BatchSize": min(batch, 10)}
        if fifo or batch <= 10
        else {"BatchSize": batch, "MaximumBatchingWindowInSeconds": 2}
    )
    lab.map(source=QUEUE + ".fifo" * fifo, FunctionResponseTypes=["ReportBatchItemFailures"], **size)
    for kind in faults:
        lab.cloud.faults.add(Fault(kind, callers="lambda/*", count=2))
    own = [{"MessageGroupId": "abc"[n % 3], "MessageDeduplicationId": str(n)} if fifo else {} for n in range(15)]
    sent = {lab.sqs.send_message(QueueUrl=url, MessageBody="x", **one)["MessageId"] for one in own}
    lab.cloud.advance(1200)
    assert set(taken) == sent
    assert {row.subject for row in lab.cloud.trace.where("Deleted")} == sent
    assert lab.left(url) == (0, 0)


# ---- costs -----------------------------------------------------------------------------------------------------------


@pytest.mark.guide
@pytest.mark.parametrize(("limits", "extra"), [("2023", 0.0), ("today", 0.5)])
def test_a_run_costs_by_its_milliseconds_and_memory(limits, extra):
    """Price list of us-east-1: 0.20 $ a million requests, 0.0000166667 $ a GB-second. AWS Compute Blog, April 2025:
    making the environment is billed since August 2025."""
    cold = {"cold_start_median": 0.5, "cold_start_p95": 0.5 + 1e-9}
    lab = Lab(limits=limits, **cold)
    lab.deploy("small")
    lab.deploy("large", memory=1024)
    for name, seconds in (("small", 0.1), ("small", 0.2004), ("large", 1)):
        lab.invoke({"sleep": seconds}, name)
    bill = Measures(lab.cloud.trace, quotas=lab.cloud.quotas).bill()["lambda"]
    assert bill["requests"] == pytest.approx(3 * 0.20e-6)
    assert bill["duration"] == pytest.approx(((0.301 + extra) / 8 + 1 + extra) * 0.0000166667, rel=0.01)
