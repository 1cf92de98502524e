"""What AWS was recorded to do with hidden, late, dead and moved messages of standard queues. See `recordings.py`."""

import json
import threading
from base64 import b64decode, b64encode

from knowledge.recorded_sqs import SQS, TRACE, WIRE
from knowledge.recordings import Lab, is_refused, refused

OLD = {"sqs.old_handles": 1}


# ---- waiting ---------------------------------------------------------------------------------------------------------


@SQS.same("receive_empty_queue")
def _(lab: Lab) -> None:
    url = lab.queue()
    for wait in ({}, {"WaitTimeSeconds": 1}):
        assert set(lab.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, **wait)) == {"ResponseMetadata"}


@SQS.same("send_receive_wait_time_seconds")
def _(lab: Lab) -> None:
    url = lab.queue()
    for wait in (21, -1):
        text = f"Value {wait} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
        given = {"QueueUrl": url, "WaitTimeSeconds": wait}
        is_refused("InvalidParameterValue", text, lab.sqs.receive_message, **given)
        assert refused(lab.sqs.receive_message, **given)["QueryErrorCode"] == "InvalidParameterValueException"
    for _ in range(2):
        lab.send(url)
    assert len(lab.receive(url)) == len(lab.receive(url, WaitTimeSeconds=0)) == 1


@SQS.same("receive_message_wait_time_seconds_and_max_number_of_messages_does_not_block")
def _(lab: Lab) -> None:
    url = lab.queue()
    for body in ("a", "b"):
        lab.send(url, body)
    began = lab.cloud.now
    assert lab.bodies(url, 3, WaitTimeSeconds=5) and lab.cloud.now - began < 2


@SQS.same("wait_time_seconds_waits_correctly", "wait_time_seconds_queue_attribute_waits_correctly")
def _(lab: Lab) -> None:
    for url, wait in (
        (lab.queue(), {"WaitTimeSeconds": 10}),
        (lab.queue("slow", ReceiveMessageWaitTimeSeconds="10"), {}),
    ):
        found: list[str] = []

        def program(url: str = url, wait: dict = wait, found: list[str] = found) -> None:
            threading.Timer(1, lab.send, (url, "late")).start()
            found += lab.bodies(url, 1, **wait)

        began = lab.cloud.now
        lab.cloud.run(program)
        assert found == ["late"] and lab.cloud.now - began < 2


@SQS.same("send_delay_and_wait_time")
def _(lab: Lab) -> None:
    url = lab.queue()
    lab.send(url, "late", DelaySeconds=1)
    assert not lab.bodies(url)
    assert lab.bodies(url, WaitTimeSeconds=2) == ["late"]


@SQS.same("approximate_number_of_messages_not_visible")
def _(lab: Lab) -> None:
    url = lab.queue(VisibilityTimeout="60")
    for n in range(6):
        lab.send(url, f"{n}")
    lab.receive(url)
    kinds = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    assert list(lab.get(url, *kinds).values()) == ["5", "1", "0"]
    lab.wait(60)
    assert list(lab.get(url, *kinds).values()) == ["6", "0", "0"]


@SQS.same("message_retention", "message_retention_with_inflight")
def _(lab: Lab) -> None:
    url = lab.queue(MessageRetentionPeriod="60", VisibilityTimeout="60")
    for body in ("a", "b"):
        lab.send(url, body)
    lab.wait(5)
    (message,) = lab.receive(url)
    lab.wait(61)
    assert not lab.receive(url)
    lab.wait(7.5)
    assert not lab.receive(url)
    lab.delete(url, message)


# ---- hiding ----------------------------------------------------------------------------------------------------------


@SQS.same("receive_after_visibility_timeout", "inflight_message_requeue", "receive_terminate_visibility_timeout")
def _(lab: Lab) -> None:
    url = lab.queue(VisibilityTimeout="1")
    lab.send(url, "first")
    (first,) = lab.receive(url)
    assert not lab.receive(url)
    (second,) = lab.receive(url, WaitTimeSeconds=5, VisibilityTimeout=0)
    (third,) = lab.receive(url, VisibilityTimeout=3)
    assert len({m["ReceiptHandle"] for m in (first, second, third)}) == 3
    lab.wait(1.5)
    lab.send(url, "second")
    lab.wait(3)
    assert "first" in lab.bodies(url)


@SQS.same("delete_after_visibility_timeout", "remove_message_with_old_receipt_handle")
def _(lab: Lab) -> None:
    url = lab.queue(VisibilityTimeout="1")
    lab.send(url)
    (message,) = lab.receive(url, WaitTimeSeconds=5)
    lab.wait(2)
    lab.delete(url, message)
    assert lab.get(url, "ApproximateNumberOfMessages") == {"ApproximateNumberOfMessages": "0"}
    assert not lab.receive(url)


@SQS.same(
    "extend_message_visibility_timeout_set_in_queue",
    "change_message_visibility_after_visibility_timeout_expiration",
    assume=OLD,
)
def _(lab: Lab) -> None:
    url = lab.queue(VisibilityTimeout="2")
    lab.send(url, "x")
    (message,) = lab.receive(url, WaitTimeSeconds=5)
    for _ in range(4):
        lab.wait(1)
        lab.hide(url, message, 2)
        assert not lab.receive(url)
    lab.wait(3)
    lab.hide(url, message, 2)  # it was visible already
    assert lab.bodies(url, WaitTimeSeconds=5) == ["x"]


@SQS.same("receive_message_with_visibility_timeout_updates_timeout")
def _(lab: Lab) -> None:
    url = lab.queue()
    lab.send(url)
    assert [len(lab.receive(url, VisibilityTimeout=seconds)) for seconds in (0, 3, 30)] == [1, 1, 0]


@SQS.same("terminate_visibility_timeout_after_receive", assume=OLD)
def _(lab: Lab) -> None:
    url = lab.queue()
    lab.send(url)
    (first,) = lab.receive(url, WaitTimeSeconds=2, VisibilityTimeout=0)
    assert lab.receive(url, VisibilityTimeout=3)
    lab.hide(url, first, 0)  # with the handle of the earlier receive
    assert lab.receive(url, WaitTimeSeconds=1)


@SQS.same("delete_message_deletes_with_change_visibility_timeout", "change_message_visibility_not_permanent")
def _(lab: Lab) -> None:
    url = lab.queue()
    lab.send(url)
    (first,) = lab.receive(url)
    assert not lab.receive(url)
    lab.hide(url, first, 0)
    (second,) = lab.receive(url)
    assert second["MessageId"] == first["MessageId"] and not lab.receive(url)
    lab.delete(url, second)
    lab.wait(31)
    assert not lab.receive(url)


@SQS.same("change_visibility_on_deleted_message_raises_invalid_parameter_value")
def _(lab: Lab) -> None:
    url = lab.queue()
    lab.send(url)
    (message,) = lab.receive(url, WaitTimeSeconds=5)
    lab.hide(url, message, 42)
    lab.delete(url, message)
    handle = message["ReceiptHandle"]
    text = (
        f"Value {handle} for parameter ReceiptHandle is invalid. "
        "Reason: Message does not exist or is not available for visibility timeout change."
    )
    given = {"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 42}
    is_refused("InvalidParameterValue", text, lab.sqs.change_message_visibility, **given)


@SQS.same("invalid_receipt_handle_should_return_error_message", "delete_message_with_illegal_receipt_handle")
def _(lab: Lab) -> None:
    url = lab.queue()
    given = {"QueueUrl": url, "ReceiptHandle": "garbage"}
    error = refused(lab.sqs.change_message_visibility, VisibilityTimeout=60, **given)
    assert error["Code"] == "ReceiptHandleIsInvalid"
    text = 'The input receipt handle "garbage" is not a valid receipt handle.'
    error = refused(lab.sqs.delete_message, **given)
    assert (error["Code"], error["Message"]) == ("ReceiptHandleIsInvalid", text)


@SQS.same("delete_message_with_deleted_receipt_handle")
def _(lab: Lab) -> None:
    url = lab.queue()
    lab.send(url)
    (message,) = lab.receive(url)
    for _ in range(3):
        lab.delete(url, message)


# ---- purging ---------------------------------------------------------------------------------------------------------


@SQS.same("purge_queue", "purge_queue_deletes_inflight_messages", "purge_queue_deletes_delayed_messages")
def _(lab: Lab) -> None:
    url = lab.queue()
    for n in range(10):
        lab.send(url, f"{n}")
        lab.send(url, f"late {n}", DelaySeconds=2)
    assert lab.receive(url, 5, VisibilityTimeout=3, WaitTimeSeconds=5)
    lab.sqs.purge_queue(QueueUrl=url)
    lab.wait(3)
    assert not lab.receive(url, 10, WaitTimeSeconds=1)
    for n in range(3):
        lab.send(url, f"new {n}")
    assert set(lab.bodies(url, WaitTimeSeconds=1)) == {"new 0", "new 1", "new 2"}


# ---- dead letters ----------------------------------------------------------------------------------------------------


def _dead(lab: Lab, name: str = "q", most: int = 1, **attributes: str) -> tuple[str, str]:
    """The URLs of a queue and of its dead-letter queue, which is called dead."""
    dead = lab.queue("dead", **attributes)
    policy = json.dumps({"deadLetterTargetArn": lab.arn(dead), "maxReceiveCount": most})
    return lab.queue(name, RedrivePolicy=policy), dead


def _fail(lab: Lab, url: str, *bodies: str) -> None:
    """Let messages go to the dead-letter queue."""
    for body in bodies:
        lab.send(url, body)
    for _ in range(2 * len(bodies)):
        lab.receive(url, VisibilityTimeout=0)


@SQS.same("dead_letter_queue_list_sources")
def _(lab: Lab) -> None:
    (one, dead), two = _dead(lab), _dead(lab, "two")[0]
    answer = lab.sqs.list_dead_letter_source_queues(QueueUrl=dead)
    assert sorted(answer["queueUrls"]) == sorted([one, two]) and set(answer) == {"queueUrls", "ResponseMetadata"}


@SQS.same("dead_letter_queue_max_receive_count")
def _(lab: Lab) -> None:
    url, dead = _dead(lab, VisibilityTimeout="0")
    lab.set(url, VisibilityTimeout="0")
    sent = lab.send(url)
    assert sorted(len(lab.receive(url)) for _ in range(2)) == [0, 1]
    assert [lab.receive(dead)[0]["MessageId"] for _ in range(2)] == [sent["MessageId"]] * 2


@SQS.same("dead_letter_queue_message_attributes")
def _(lab: Lab) -> None:
    url, dead = _dead(lab)
    own = {"MyAttribute": {"StringValue": "foobar", "DataType": "String"}}
    header = {"AWSTraceHeader": {"StringValue": TRACE, "DataType": "String"}}
    lab.send(url, "message-1", MessageSystemAttributes=header, MessageAttributes=own)
    lab.send(url, "message-2")
    asked = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    before = [m for _ in range(4) for m in lab.receive(url, VisibilityTimeout=0, **asked)]
    after = [m for _ in range(2) for m in lab.receive(dead, WaitTimeSeconds=5, **asked)]
    for messages, count, more in ((before, "1", {}), (after, "2", {"DeadLetterQueueSourceArn": lab.arn(url)})):
        traced, plain = sorted(messages, key=lambda m: m["Body"])
        assert traced["MessageAttributes"] == own
        assert traced["MD5OfMessageAttributes"] == "adb59cd4678ea5a855436b949cd07ab6"
        for message, also in ((traced, {"AWSTraceHeader": TRACE}), (plain, {})):
            found = message["Attributes"]
            for name in ("SenderId", "SentTimestamp", "ApproximateFirstReceiveTimestamp"):
                del found[name]
            assert found == {"ApproximateReceiveCount": count, **also, **more}


# ---- move tasks ------------------------------------------------------------------------------------------------------


def _handle(task: str, source: str) -> str:
    return b64encode(json.dumps({"taskId": task, "sourceArn": source}).encode()).decode()


def _tasks(lab: Lab, source: str) -> list[dict]:
    found = lab.sqs.list_message_move_tasks(SourceArn=source)["Results"]
    for task in found:
        assert task.pop("StartedTimestamp") > 0
    return found


@SQS.same("cancel_with_invalid_source_arn_in_task_handle", "cancel_with_invalid_task_id_in_task_handle")
def _(lab: Lab) -> None:
    code, id = "ResourceNotFoundException", "10f57157-fc38-4da9-a113-4de7e12d05dd"
    cancel, arn = lab.sqs.cancel_message_move_task, lab.arn(lab.queue())
    text = "The resource that you specified for the SourceArn parameter doesn't exist."
    is_refused(code, text, cancel, 404, TaskHandle=_handle(id, arn + "-no"))
    is_refused(code, "Task does not exist.", cancel, 404, TaskHandle=_handle(id, arn))


@SQS.same("basic_move_task_workflow", "move_task_workflow_with_default_destination")
def _(lab: Lab) -> None:
    url, dead = _dead(lab)
    other, source = lab.queue("other"), lab.arn(dead)
    for to, given in ((other, {"DestinationArn": lab.arn(other)}), (url, {})):
        _fail(lab, url, "1", "2")
        handle = lab.sqs.start_message_move_task(SourceArn=source, **given)["TaskHandle"]
        parts = json.loads(b64decode(handle))
        assert parts["sourceArn"] == source and len(parts["taskId"]) == 36
        lab.wait(2)
        assert set(lab.bodies(to, WaitTimeSeconds=5)) == {"1", "2"}
        counts = {"ApproximateNumberOfMessagesMoved": 2, "ApproximateNumberOfMessagesToMove": 2}
        assert _tasks(lab, source)[0] == {**counts, **given, "SourceArn": source, "Status": "COMPLETED"}
        assert not lab.receive(dead, WaitTimeSeconds=1)


@SQS.same("move_task_workflow_with_multiple_sources_as_default_destination")
def _(lab: Lab) -> None:
    (one, dead), two = _dead(lab), _dead(lab, "two")[0]
    _fail(lab, one, "1-1", "1-2")
    _fail(lab, two, "2-1", "2-2")
    lab.sqs.start_message_move_task(SourceArn=lab.arn(dead))
    lab.wait(2)
    assert set(lab.bodies(one, WaitTimeSeconds=5)) == {"1-1", "1-2"}
    assert set(lab.bodies(two, WaitTimeSeconds=5)) == {"2-1", "2-2"}
    assert _tasks(lab, lab.arn(dead))[0]["ApproximateNumberOfMessagesMoved"] == 4


def _slow_move(lab: Lab, count: int) -> tuple[str, str, str, dict]:
    """A move of one message a second: the URLs of where from and where to, its handle, what it was given."""
    url, dead = _dead(lab)
    _fail(lab, url, *map(str, range(count)))
    given = {
        "SourceArn": lab.arn(dead),
        "DestinationArn": lab.arn(lab.queue("other")),
        "MaxNumberOfMessagesPerSecond": 1,
    }
    handle = lab.sqs.start_message_move_task(**given)["TaskHandle"]
    return dead, "other", handle, given


@SQS.same("move_task_with_throughput_limit")
def _(lab: Lab) -> None:
    _, other, _, _ = _slow_move(lab, 4)
    began, found = lab.cloud.now, []
    while len(found) < 4:
        found += lab.bodies(other, WaitTimeSeconds=1)
    assert set(found) == set("0123") and lab.cloud.now - began >= 3


@SQS.same("move_task_cancel")
def _(lab: Lab) -> None:
    dead, other, handle, given = _slow_move(lab, 10)
    found: list[str] = []
    while len(found) < 2:
        found += lab.bodies(other, WaitTimeSeconds=1)
    (task,) = _tasks(lab, given["SourceArn"])
    task.pop("ApproximateNumberOfMessagesMoved")  # it lags, the recording says 0
    running = {"Status": "RUNNING", "TaskHandle": handle, "ApproximateNumberOfMessagesToMove": 10}
    assert task == {**given, **running}
    assert "ApproximateNumberOfMessagesMoved" in lab.sqs.cancel_message_move_task(TaskHandle=handle)
    lab.wait(5)
    (task,) = _tasks(lab, given["SourceArn"])
    moved = {"ApproximateNumberOfMessagesMoved": 2, "ApproximateNumberOfMessagesToMove": 10}
    assert task == {**given, **moved, "Status": "CANCELLED"}
    assert lab.receive(dead)


@SQS.same("move_task_delete_destination_queue_while_running")
def _(lab: Lab) -> None:
    dead, other, _, given = _slow_move(lab, 10)
    lab.sqs.delete_queue(QueueUrl=other)
    lab.wait(30)
    (task,) = _tasks(lab, given["SourceArn"])
    task.pop("ApproximateNumberOfMessagesMoved")
    failed = {"Status": "FAILED", "FailureReason": WIRE + "NonExistentQueue", "ApproximateNumberOfMessagesToMove": 10}
    assert task == {**given, **failed}
    assert lab.receive(dead)


@SQS.same("start_multiple_move_tasks")
def _(lab: Lab) -> None:
    given = _slow_move(lab, 10)[3]
    text = "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
    is_refused("InvalidParameterValue", text, lab.sqs.start_message_move_task, **given)
