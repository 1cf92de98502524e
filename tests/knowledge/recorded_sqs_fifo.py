"""What AWS was recorded to do with FIFO queues. See `recordings.py`."""

import json
from typing import Any

from knowledge.recorded_sqs import SQS
from knowledge.recordings import ACCOUNT, REGION, Lab, is_refused

CONTENT = {"ContentBasedDeduplication": "true"}
HIGH = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
SLOWLY = {"sqs.propagation": 60}  # AWS says that attributes take up to 60 seconds to act

SQS.refusals(
    create_fifo_queue_with_different_attributes_raises_error=(
        "sqs.CreateQueue: same FIFO name, another ContentBasedDeduplication"
    ),
    fifo_queue_send_message_with_delay_seconds_fails="sqs.SendMessage: FIFO, DelaySeconds=2",
    send_batch_missing_deduplication_id_for_fifo_queue="sqs.SendMessageBatch: FIFO without deduplication id",
    send_batch_missing_message_group_id_for_fifo_queue="sqs.SendMessageBatch: FIFO without MessageGroupId",
    fifo_delete_message_with_expired_receipt_handle="sqs.DeleteMessage: FIFO, an expired handle",
    fifo_delete_after_visibility_timeout="sqs.DeleteMessage: FIFO, an expired handle",
    posting_to_fifo_requires_deduplicationid_group_id=(
        "sqs.SendMessage: FIFO without deduplication id | sqs.SendMessage: FIFO without MessageGroupId"
    ),
    set_unsupported_attribute_fifo=(
        "sqs.SetQueueAttributes: FifoQueue of a standard queue | "
        "sqs.SetQueueAttributes: FifoQueue=false of a FIFO queue"
    ),
)


def _fill(lab: Lab, url: str, *bodies: str) -> str:
    """Send messages whose group is what stands before the hyphen."""
    for body in bodies:
        lab.send(url, body, body.partition("-")[0])
    return url


def _queue(lab: Lab, *bodies: str, **attributes: str) -> str:
    """A queue with content-based deduplication and these messages."""
    return _fill(lab, lab.queue("q.fifo", **CONTENT, **attributes), *bodies)


# ---- sending ---------------------------------------------------------------------------------------------------------


@SQS.same(
    "create_and_send_to_fifo_queue", "send_message_with_delay_0_works_for_fifo", "message_deduplication_id_success"
)
def _(lab: Lab) -> None:
    url = lab.queue("q.fifo")
    assert url.endswith("q.fifo")
    for id in ("42", "a" * 128):
        sent = lab.send(url, f"Hello {id}", "test", id, DelaySeconds=0)
        (message,) = lab.receive(url)
        assert (message["MessageId"], message["MD5OfBody"]) == (sent["MessageId"], sent["MD5OfMessageBody"])
        lab.delete(url, message)


@SQS.same("message_deduplication_id_invalid")
def _(lab: Lab) -> None:
    url = lab.queue("q.fifo")
    for id in ("", "a" * 129, "group 123"):
        text = (
            f"Value {id} for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId "
            "can only include alphanumeric and punctuation characters. 1 to 128 in length."
        )
        given = {"QueueUrl": url, "MessageBody": "m", "MessageGroupId": "g", "MessageDeduplicationId": id}
        is_refused("InvalidParameterValue", text, lab.sqs.send_message, **given)


@SQS.same("sequence_number", "fifo_sequence_number_increases")
def _(lab: Lab) -> None:
    url = lab.queue("q.fifo")
    numbers = [int(lab.send(url, f"{n}", "g", f"{n}")["SequenceNumber"]) for n in range(3)]
    assert numbers == sorted(set(numbers))
    assert "SequenceNumber" not in lab.send(lab.queue())


@SQS.same("fifo_message_attributes")
def _(lab: Lab) -> None:
    url = _queue(lab, VisibilityTimeout="0", **HIGH)
    sent = lab.send(url, "message-body-1", "group-1", "dedup-1")
    assert sent["MD5OfMessageBody"] == "19c9e282d65f9733bc6b35d50062c7ee"
    for count in ("1", "2"):
        (message,) = lab.receive(url, AttributeNames=["All"], WaitTimeSeconds=10)
        found: dict[str, Any] = message["Attributes"]
        assert found["ApproximateReceiveCount"] == count and found["SequenceNumber"] == sent["SequenceNumber"]
        assert (found["MessageGroupId"], found["MessageDeduplicationId"]) == ("group-1", "dedup-1")
        assert len(found) == 7 and {"SenderId", "SentTimestamp", "ApproximateFirstReceiveTimestamp"} < set(found)


@SQS.same("fifo_set_content_based_deduplication_strategy")
def _(lab: Lab) -> None:
    url = _queue(lab, SqsManagedSseEnabled="true")
    expected = {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "DeduplicationScope": "queue",
        "DelaySeconds": "0",
        "FifoQueue": "true",
        "FifoThroughputLimit": "perQueue",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q.fifo",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    }
    for content in ("true", "false"):
        lab.set(url, ContentBasedDeduplication=content)
        found = lab.get(url)
        assert found.pop("CreatedTimestamp") and found.pop("LastModifiedTimestamp")
        assert found == expected | {"ContentBasedDeduplication": content}


@SQS.same(
    "fifo_queue_send_message_with_delay_on_queue_works",
    "fifo_queue_send_message_with_zero_delay_defaults_to_queue_delay",
)
def _(lab: Lab) -> None:
    url = _queue(lab, "1-a", "1-b", DelaySeconds="2")
    lab.send(url, "1-c", "1", DelaySeconds=0)
    assert not lab.receive(url, WaitTimeSeconds=1)
    lab.wait(3)
    assert lab.bodies(url, 3) == ["1-a", "1-b", "1-c"]


# ---- deduplication ---------------------------------------------------------------------------------------------------


@SQS.same(
    "fifo_content_based_message_deduplication_arrives_once",
    "fifo_deduplication_arrives_once_after_delete",
    "fifo_deduplication_not_on_message_group_id",
    "sqs_fifo_same_dedup_id_different_message_groups",
)
def _(lab: Lab) -> None:
    for name, attributes, id in (("a.fifo", CONTENT, ""), ("b.fifo", {}, "same")):
        url = lab.queue(name, **attributes)
        for group in ("group-1", "group-1", "group-2"):
            lab.send(url, '{"foo": "bar"}', group, id)
        (message,) = lab.receive(url, 10, WaitTimeSeconds=2)
        lab.delete(url, message)
        for group in ("group-1", "group-2"):
            lab.send(url, '{"foo": "bar"}', group, id)
        assert not lab.receive(url, WaitTimeSeconds=1)


@SQS.same("fifo_high_throughput_ordering", "sqs_fifo_message_group_scope_no_throughput_setting")
def _(lab: Lab) -> None:
    for name, attributes, id in (
        ("a.fifo", HIGH, "same"),
        ("b.fifo", {**CONTENT, "DeduplicationScope": "messageGroup"}, ""),
    ):
        url = lab.queue(name, **attributes)
        for group in ("group1", "group2"):
            lab.send(url, "Test", group, id)
            (message,) = lab.receive(url)
            lab.delete(url, message)


@SQS.same("deduplication_interval")
def _(lab: Lab) -> None:
    url = lab.queue("q.fifo")
    first = lab.send(url, "first", "g", "one")
    lab.wait(3)
    lab.send(url, "repeat", "g", "one")
    (message,) = lab.receive(url)
    assert message["MessageId"] == first["MessageId"]
    lab.delete(url, message)
    assert not lab.receive(url)
    second = lab.send(url, "second", "g", "two")
    lab.wait(2)
    lab.send(url, "repeat", "g", "two")
    lab.wait(360)
    third = lab.send(url, "third", "g", "two")
    for sent in (second, third):
        (message,) = lab.receive(url)
        assert message["MessageId"] == sent["MessageId"]
        lab.delete(url, message)


@SQS.same("purge_queue_clears_fifo_deduplication_cache")
def _(lab: Lab) -> None:
    url = lab.queue("q.fifo")
    lab.send(url, "1", "g", "id")
    lab.sqs.purge_queue(QueueUrl=url)
    lab.send(url, "2", "g", "id")
    assert lab.bodies(url, WaitTimeSeconds=1) == ["2"]


def _one_by_one(lab: Lab, url: str, *sends: tuple[str, str, str]) -> list[list[str]]:
    """Send, receive and delete, each body in its group with its id; what each receive gave."""
    found = []
    for body, group, id in sends:
        lab.send(url, body, group, id)
        messages = lab.receive(url)
        found.append([message["Body"] for message in messages])
        for message in messages:
            lab.delete(url, message)
    return found


@SQS.same("fifo_change_to_high_throughput_after_creation", assume=SLOWLY)
def _(lab: Lab) -> None:
    url = lab.queue("q.fifo", DeduplicationScope="queue")
    assert _one_by_one(lab, url, ("1", "g1", "same"), ("2", "g2", "same")) == [["1"], []]
    lab.set(url, **HIGH)
    assert lab.get(url, *HIGH) == HIGH
    later = (("3", "g3", "same"), ("4", "g4", "new"), ("5", "g5", "new"))
    assert _one_by_one(lab, url, *later) == [[], ["4"], []]


@SQS.same("fifo_change_to_regular_throughput_after_creation", assume=SLOWLY)
def _(lab: Lab) -> None:
    url = lab.queue("q.fifo", **HIGH)
    assert _one_by_one(lab, url, ("1", "g1", "same"), ("2", "g2", "same")) == [["1"], ["2"]]
    regular = {"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}
    lab.set(url, **regular)
    assert lab.get(url, *regular) == regular
    assert _one_by_one(lab, url, ("3", "g3", "same")) == [["3"]]


# ---- groups ----------------------------------------------------------------------------------------------------------


@SQS.same("fifo_approx_number_of_messages", "fifo_approximate_number_of_messages_not_visible")
def _(lab: Lab) -> None:
    url = _queue(lab, "1-a", "1-b", "2-a", "2-b", "3-a", "3-b", VisibilityTimeout="60")
    kinds = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    received = [
        message for _ in range(2) for message in lab.receive(url, MessageSystemAttributeNames=["MessageGroupId"])
    ]
    assert [message["Attributes"]["MessageGroupId"] for message in received] == ["1", "2"]
    assert list(lab.get(url, *kinds).values()) == ["4", "2", "0"]
    lab.wait(60)
    assert list(lab.get(url, *kinds).values()) == ["6", "0", "0"]
    messages = lab.receive(url, 4, WaitTimeSeconds=1)
    assert lab.get(url, kinds[0]) == {kinds[0]: "2"}
    for message in messages:
        lab.delete(url, message)
    assert lab.get(url, kinds[0]) == {kinds[0]: "2"}


@SQS.same("fifo_delete_after_visibility_timeout_extended")
def _(lab: Lab) -> None:
    url = _queue(lab, "1-a", VisibilityTimeout="1")
    (message,) = lab.receive(url, WaitTimeSeconds=5)
    lab.hide(url, message, 5)
    lab.wait(1.5)
    lab.delete(url, message)
    lab.wait(5)
    assert not lab.receive(url)


@SQS.same("message_retention_fifo")
def _(lab: Lab) -> None:
    url = _queue(lab, "1-a", "2-a", MessageRetentionPeriod="60")
    lab.wait(65)
    assert not lab.receive(url)


@SQS.same("fifo_empty_message_groups_added_back_to_queue", "fifo_queue_send_multiple_messages_multiple_single_receives")
def _(lab: Lab) -> None:
    url = _queue(lab, "g-1")
    for body in ("g-1", "g-2"):
        (message,) = lab.receive(url)
        assert message["Body"] == body
        lab.delete(url, message)
        assert not lab.receive(url)
        _fill(lab, url, "g-2")
    for number in range(4):
        _fill(lab, url, f"h-{number}")
    for number in range(4):
        (message,) = lab.receive(url)
        assert message["Body"] == f"h-{number}"
        lab.delete(url, message)


@SQS.same("fifo_message_group_visibility")
def _(lab: Lab) -> None:
    url, found = _queue(lab, VisibilityTimeout="60"), []
    for _ in range(3):
        lab.cloud.spawn(lambda: found.extend(lab.receive(url, WaitTimeSeconds=10)))
    lab.wait(0.5)
    _fill(lab, url, "1-a")
    lab.wait(0.5)
    assert [message["Body"] for message in found] == ["1-a"]
    _fill(lab, url, "1-b")
    lab.wait(2)
    assert len(found) == 1
    lab.delete(url, found[0])
    lab.wait(0.5)
    assert [message["Body"] for message in found] == ["1-a", "1-b"]


@SQS.same("fifo_messages_in_order_after_timeout")
def _(lab: Lab) -> None:
    url = _queue(lab, "1-a", "1-b", "1-c", VisibilityTimeout="1")
    for _ in range(2):
        assert lab.bodies(url) == ["1-a", "1-b", "1-c"]
        lab.wait(2)


@SQS.same("fifo_receive_message_group_id_ordering")
def _(lab: Lab) -> None:
    assert lab.bodies(_queue(lab, "1-a", "2-a", "1-b", "1-c")) == ["1-a", "1-b", "1-c", "2-a"]


@SQS.same("fifo_receive_message_visibility_timeout_shared_in_group")
def _(lab: Lab) -> None:
    url = _queue(lab, "1-a", "1-b", "1-c", "1-d", "2-a", "3-a", VisibilityTimeout="1")
    assert lab.bodies(url, 2) == ["1-a", "1-b"]
    assert lab.bodies(url, 1) == ["2-a"]
    lab.wait(2)
    assert lab.bodies(url, VisibilityTimeout=0) == ["3-a", "1-a", "1-b", "1-c", "1-d", "2-a"]


@SQS.same("fifo_receive_message_with_zero_visibility_timeout")
def _(lab: Lab) -> None:
    url = _queue(lab, "1-a", "2-a", "2-b", "3-a", "1-b")
    assert lab.bodies(url, 3, VisibilityTimeout=0) == ["1-a", "1-b", "2-a"]
    assert lab.bodies(url, VisibilityTimeout=0) == ["3-a", "1-a", "1-b", "2-a", "2-b"]


@SQS.same(
    "fifo_message_group_visibility_after_terminate_visibility_timeout",
    "fifo_message_group_visibility_after_change_message_visibility",
)
def _(lab: Lab) -> None:
    for seconds in (0, 1):
        url = _fill(lab, lab.queue(f"q{seconds}.fifo", **CONTENT), "1-a", "1-b", "2-a")
        first = lab.receive(url, 2)
        assert [message["Body"] for message in first] == ["1-a", "1-b"]
        lab.hide(url, first[0], seconds)
        lab.wait(2 * seconds)
        assert lab.bodies(url, 3, WaitTimeSeconds=2) == ["2-a", "1-a"]


@SQS.same("fifo_group_visibility_extends_with_change_message_visibility")
def _(lab: Lab) -> None:
    for place in range(3):  # what is hidden longer hides what comes after it in its group
        url = _fill(lab, lab.queue(f"q{place}.fifo", VisibilityTimeout="1", **CONTENT), "1-a", "1-b", "1-c")
        messages = lab.receive(url, 5)
        lab.hide(url, messages[place], 4)
        lab.wait(2.5)
        assert lab.bodies(url, 5) == ["1-a", "1-b", "1-c"][:place]


TWO_OF_ONE = ("1-a", "2-a", "1-b", "2-b", "1-b", "1-c", "1-d", "3-a")


@SQS.differs(
    "of free groups the one whose first message is oldest was served first; here the one that became free first: "
    "groups take turns, and AWS promises no order between them",
    "fifo_message_group_visibility_after_delete",
)
def _(lab: Lab) -> None:
    url = _queue(lab, *TWO_OF_ONE)
    for message in lab.receive(url, 2):
        lab.delete(url, message)
    assert lab.bodies(url) == ["2-a", "2-b", "1-c", "1-d", "3-a"]


@SQS.same("fifo_message_group_visibility_after_partial_delete")
def _(lab: Lab) -> None:
    url = _queue(lab, *TWO_OF_ONE)
    first = lab.receive(url, 2)
    assert [message["Body"] for message in first] == ["1-a", "1-b"]
    lab.delete(url, first[0])
    assert lab.bodies(url) == ["2-a", "2-b", "3-a"]


@SQS.same("dead_letter_queue_with_fifo_and_content_based_deduplication")
def _(lab: Lab) -> None:
    dead = lab.queue("dead.fifo", MessageRetentionPeriod="1209600", **CONTENT)
    policy = json.dumps({"deadLetterTargetArn": lab.arn(dead), "maxReceiveCount": 2})
    url = _queue(lab, VisibilityTimeout="60", RedrivePolicy=policy)
    sent = lab.send(url, "foobar", "1")
    for _ in range(3):
        lab.receive(url, WaitTimeSeconds=1, VisibilityTimeout=0)
    (message,) = lab.receive(dead, WaitTimeSeconds=10)
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "foobar")
    sent = lab.send(url, "foobar2", "1")
    (message,) = lab.receive(url, WaitTimeSeconds=1)
    assert message["MessageId"] == sent["MessageId"]
