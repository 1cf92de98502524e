"""What AWS documents, or was seen to do, on a FIFO queue: one test each. Through boto3, in strict mode.

Where a text is not in AWS's documentation, the test says where it is known from: "recorded" means that public test
suites recorded it from AWS; "emulator" that only emulators of SQS have it; "reported" that users quote it; "ours" that
none was found.
"""

import json

import pytest
from aws_errors import refused
from botocore.exceptions import ClientError

from lablib.cloud import Cloud

pytestmark = pytest.mark.guide  # where a test names no other source

ARN = "arn:aws:sqs:us-east-1:123456789012:"
NOT_FOR_THIS_TYPE = "Reason: The request include parameter that is not valid for this queue type."
FIFO = {"FifoQueue": "true"}
HIGH = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
QUICK = {"api.latency_median": 1e-9, "api.latency_p95": 1e-9}


@pytest.fixture
def cloud():
    return Cloud(seed=1, strict=True, assume=QUICK)


@pytest.fixture
def sqs(cloud):
    return cloud.client("sqs")


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="orders.fifo", Attributes=FIFO)["QueueUrl"]


def send(sqs, url, body="x", group="g", id=None, **more):
    id = id or body
    return sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=id, **more)


def receive(sqs, url, most=10, **more):
    return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, **more).get("Messages", [])


def bodies(sqs, url, most=10, **more):
    return [m["Body"] for m in receive(sqs, url, most, **more)]


def delete(sqs, url, message):
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def hide(sqs, url, message, seconds):
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds)


def get(sqs, url, *names):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names)).get("Attributes", {})


def change(sqs, url, **attributes):
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


# ---- the queue -------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
@pytest.mark.parametrize(("limits", "size", "sse"), [("2023", "262144", "false"), ("today", "1048576", "true")])
def test_a_fresh_queue_has_these_attributes(limits, size, sse):
    """Recorded."""
    with Cloud(strict=True, limits=limits) as cloud:
        sqs = cloud.client("sqs")
        attributes = get(sqs, sqs.create_queue(QueueName="orders.fifo", Attributes=FIFO)["QueueUrl"], "All")
    assert attributes.pop("CreatedTimestamp") == attributes.pop("LastModifiedTimestamp")
    assert attributes == {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ContentBasedDeduplication": "false",
        "DeduplicationScope": "queue",
        "DelaySeconds": "0",
        "FifoQueue": "true",
        "FifoThroughputLimit": "perQueue",
        "MaximumMessageSize": size,
        "MessageRetentionPeriod": "345600",
        "QueueArn": ARN + "orders.fifo",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": sse,
        "VisibilityTimeout": "30",
    }


def test_the_suffix_counts_in_the_longest_name(sqs):
    name = "a" * 75 + ".fifo"
    assert sqs.create_queue(QueueName=name, Attributes=FIFO)["QueueUrl"].endswith(name)


def test_creating_again(sqs, url):
    assert sqs.create_queue(QueueName="orders.fifo", Attributes=FIFO)["QueueUrl"] == url
    change(sqs, url, FifoQueue="true")


# ---- what a send must have -------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_a_send_needs_a_group(sqs, url):
    """Text recorded."""
    text = "The request must contain the parameter MessageGroupId."
    with pytest.raises(ClientError) as caught:
        sqs.send_message(QueueUrl=url, MessageBody="x", MessageDeduplicationId="x")
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("MissingParameter", text)
    assert error["QueryErrorCode"] == "MissingRequiredParameterException"


@pytest.mark.ours
def test_no_delay_may_be_given(sqs, url):
    """Emulator."""
    send(sqs, url, DelaySeconds=0)


def test_the_longest_ids_and_all_punctuation(sqs, url):
    id = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".ljust(128, "a")
    send(sqs, url, group=id, id=id)
    attributes = receive(sqs, url, AttributeNames=["MessageGroupId", "MessageDeduplicationId"])[0]["Attributes"]
    assert attributes == {"MessageGroupId": id, "MessageDeduplicationId": id}


# ---- order and groups ------------------------------------------------------------------------------------------------


def test_order_within_a_group(sqs, url):
    sent = [str(n) for n in range(30)]
    for body in sent:
        send(sqs, url, body)
    got = []
    while messages := receive(sqs, url, 4):
        got += [m["Body"] for m in messages]
        for message in messages:
            delete(sqs, url, message)
    assert got == sent


def test_a_message_in_flight_locks_its_group_and_no_other(sqs, url):
    for body in ("a0", "a1", "b0", "a2", "b1"):
        send(sqs, url, body, group=body[0])
    first = receive(sqs, url, 1)[0]
    assert first["Body"] == "a0"
    assert bodies(sqs, url) == ["b0", "b1"]
    assert bodies(sqs, url) == []
    delete(sqs, url, first)
    assert bodies(sqs, url) == ["a1", "a2"]


def test_a_receive_takes_as_many_of_one_group_as_possible(sqs, url):
    for n in range(3):
        for group in "ab":
            send(sqs, url, f"{group}{n}", group)
    assert bodies(sqs, url, 4) == ["a0", "a1", "a2", "b0"]


@pytest.mark.recorded
@pytest.mark.parametrize("k", range(4))
def test_the_first_k_made_visible_are_the_k_received_next(sqs, url, k):
    """Recorded in November 2025."""
    for body in ("foo", "bar", "baz"):
        send(sqs, url, body)
    for message in receive(sqs, url)[:k]:
        hide(sqs, url, message, 0)
    assert bodies(sqs, url) == ["foo", "bar", "baz"][:k]


def test_a_delayed_message_does_not_lock_its_group(cloud, sqs, url):
    send(sqs, url, "now")
    change(sqs, url, DelaySeconds="10")
    send(sqs, url, "later")
    assert bodies(sqs, url) == ["now"]


def test_a_new_delay_of_the_queue_holds_for_delayed_messages_too(cloud, sqs, url):
    """On a standard queue it does not."""
    change(sqs, url, DelaySeconds="60")
    send(sqs, url, "1")
    change(sqs, url, DelaySeconds="5")
    cloud.advance(5)
    assert bodies(sqs, url) == ["1"]


def test_a_failed_message_blocks_its_group_and_is_not_moved_to_the_back(cloud, sqs, url):
    send(sqs, url, "poison")
    send(sqs, url, "good")
    for _ in range(5):
        assert bodies(sqs, url, 1) == ["poison"]
        assert bodies(sqs, url, 1) == []
        cloud.advance(30)


def test_system_attributes_of_a_message(sqs, url):
    answer = send(sqs, url, "x", group="truck-7", id="x-1")
    attributes = receive(sqs, url, MessageSystemAttributeNames=["All"])[0]["Attributes"]
    assert attributes["MessageGroupId"] == "truck-7"
    assert attributes["MessageDeduplicationId"] == "x-1"
    assert attributes["SequenceNumber"] == answer["SequenceNumber"]
    assert len(answer["SequenceNumber"]) == 20 and answer["SequenceNumber"].isdecimal()


def test_sequence_numbers_grow(sqs, url):
    numbers = [int(send(sqs, url, str(n))["SequenceNumber"]) for n in range(10)]
    assert numbers == sorted(set(numbers))


# ---- deduplication ---------------------------------------------------------------------------------------------------


def test_a_repeat_is_accepted_and_not_delivered_even_after_a_delete(cloud, sqs, url):
    first = send(sqs, url, "1", id="x")
    delete(sqs, url, receive(sqs, url)[0])
    cloud.advance(299)
    again = send(sqs, url, "2", id="x")
    assert again["MessageId"] == first["MessageId"] and again["SequenceNumber"] == first["SequenceNumber"]
    assert bodies(sqs, url) == []


def test_after_five_minutes_it_is_a_new_message(cloud, sqs, url):
    send(sqs, url, "1", id="x")
    delete(sqs, url, receive(sqs, url)[0])
    cloud.advance(300)
    send(sqs, url, "2", id="x")
    assert bodies(sqs, url) == ["2"]


def test_content_based_deduplication_is_the_sha_256_of_the_body(sqs, url):
    change(sqs, url, ContentBasedDeduplication="true")
    sqs.send_message(QueueUrl=url, MessageBody="hello", MessageGroupId="g")
    attributes = receive(sqs, url, AttributeNames=["All"])[0]["Attributes"]
    assert attributes["MessageDeduplicationId"] == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_an_id_wins_over_the_content(sqs, url):
    change(sqs, url, ContentBasedDeduplication="true")
    for id in ("1", "2"):
        send(sqs, url, "same", id=id)
    assert bodies(sqs, url) == ["same", "same"]


@pytest.mark.recorded
@pytest.mark.parametrize(("scope", "count"), [("queue", 1), ("messageGroup", 2)])
def test_the_scope_of_deduplication(sqs, url, scope, count):
    """Recorded, with the limit left at perQueue too."""
    change(sqs, url, DeduplicationScope=scope)
    send(sqs, url, "1", "a", "x")
    send(sqs, url, "2", "b", "x")
    assert len(bodies(sqs, url)) == count


@pytest.mark.recorded
def test_ids_from_before_the_switch_to_high_throughput_stay_known(sqs, url):
    """Recorded."""
    send(sqs, url, "1", id="x")
    delete(sqs, url, receive(sqs, url)[0])
    change(sqs, url, **HIGH)
    send(sqs, url, "2", id="x")
    assert bodies(sqs, url) == []


# ---- receiving, deleting ---------------------------------------------------------------------------------------------


def test_the_same_attempt_gives_the_same_messages_and_handles(cloud, sqs, url):
    send(sqs, url, "1")
    first = receive(sqs, url, ReceiveRequestAttemptId="try-1")
    cloud.advance(20)
    again = receive(sqs, url, ReceiveRequestAttemptId="try-1")
    assert again == first
    cloud.advance(29)
    assert bodies(sqs, url) == []
    cloud.advance(1)
    assert bodies(sqs, url) == ["1"]


def test_a_deleted_message_ends_its_attempt(sqs, url):
    for body in "12":
        send(sqs, url, body)
    messages = receive(sqs, url, ReceiveRequestAttemptId="try-1")
    delete(sqs, url, messages[0])
    assert receive(sqs, url, ReceiveRequestAttemptId="try-1") == []


@pytest.mark.recorded
def test_deleting_with_an_expired_handle(cloud, sqs, url):
    """Text recorded."""
    send(sqs, url, "1")
    handle = receive(sqs, url)[0]["ReceiptHandle"]
    cloud.advance(30)
    expected = (
        "InvalidParameterValue",
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        400,
    )
    assert refused(sqs.delete_message, QueueUrl=url, ReceiptHandle=handle) == expected
    assert bodies(sqs, url) == ["1"]
    assert refused(sqs.delete_message, QueueUrl=url, ReceiptHandle=handle) == expected


def test_deleting_with_an_expired_handle_in_a_batch(cloud, sqs, url):
    send(sqs, url, "1")
    handle = receive(sqs, url)[0]["ReceiptHandle"]
    cloud.advance(30)
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "1", "ReceiptHandle": handle}])
    failed = answer["Failed"][0]
    assert (failed["Code"], failed["SenderFault"]) == ("InvalidParameterValue", True)


@pytest.mark.ours
def test_deleting_twice_succeeds(sqs, url):
    """Emulator."""
    send(sqs, url, "1")
    message = receive(sqs, url)[0]
    delete(sqs, url, message)
    delete(sqs, url, message)


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_more_than_300_calls_a_second_are_throttled(cloud, sqs, url):
    """Code documented; text: ours."""
    direct = cloud.direct("sqs")
    for _ in range(300):
        direct.receive_message(QueueUrl=url)
    with pytest.raises(Exception, match="Rate exceeded") as caught:
        direct.receive_message(QueueUrl=url)
    assert (caught.value.code, caught.value.status) == ("ThrottlingException", 400)
    send(sqs, url, "another-action-has-a-limit-of-its-own")
    cloud.advance(1 / 300)
    direct.receive_message(QueueUrl=url)


def test_a_batch_is_one_call(cloud, url):
    direct = cloud.direct("sqs")
    for n in range(300):
        entries = [
            {"Id": str(k), "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": f"{n}-{k}"}
            for k in range(10)
        ]
        direct.send_message_batch(QueueUrl=url, Entries=entries)
    assert cloud.service("sqs").queue(url).counts().visible == 3000 and cloud.now < 0.001


@pytest.mark.parametrize(("limits", "most"), [("2023", 20_000), ("today", 120_000)])
def test_in_flight_at_most_so_many_and_no_error(limits, most):
    cloud = Cloud(limits=limits, strict=True, assume=QUICK | {"sqs.fifo_burst": 60})
    quotas = cloud.service("sqs").world.quotas
    assert quotas["sqs.fifo_in_flight"] == quotas["sqs.fifo_window"] == most
    quotas["sqs.fifo_in_flight"] = 20  # so that the test is quick
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="q.fifo", Attributes=FIFO | HIGH)["QueueUrl"]
    for n in range(30):
        send(sqs, url, str(n), group=str(n))
    assert [len(bodies(sqs, url)) for _ in range(3)] == [10, 10, 0]


def test_a_backlog_of_one_group_hides_the_groups_behind_it(cloud):
    cloud.service("sqs").world.quotas["sqs.fifo_window"] = 5  # 20,000 or 120,000
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="q.fifo", Attributes=FIFO)["QueueUrl"]
    for n in range(5):
        send(sqs, url, f"big-{n}", "big")
    send(sqs, url, "small", "small")
    message = receive(sqs, url, 1)[0]
    assert bodies(sqs, url) == []
    delete(sqs, url, message)
    assert bodies(sqs, url, 5) == ["small", "big-1", "big-2", "big-3", "big-4"]


@pytest.mark.recorded
def test_groups_take_turns(sqs, url):
    """A group that was just served comes after those that were not, though its messages are older."""
    for body, group in (("a1", "A"), ("b1", "B"), ("a2", "A"), ("c1", "C")):
        send(sqs, url, body, group)
    assert bodies(sqs, url, 2, VisibilityTimeout=0) == ["a1", "a2"]
    assert bodies(sqs, url, 10, VisibilityTimeout=0) == ["b1", "c1", "a1", "a2"]


@pytest.mark.recorded
def test_a_purge_forgets_deduplication_ids(sqs, url):
    send(sqs, url, "x", id="d")
    sqs.purge_queue(QueueUrl=url)
    send(sqs, url, "x", id="d")
    assert bodies(sqs, url) == ["x"]


# ---- dead-letter queues ----------------------------------------------------------------------------------------------


def policy(name):
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN + name, "maxReceiveCount": 1})}


@pytest.fixture
def dead(sqs, url):
    dead = sqs.create_queue(QueueName="dead.fifo", Attributes=FIFO)["QueueUrl"]
    change(sqs, url, **policy("dead.fifo"))
    return dead


def fail(cloud, sqs, url):
    receive(sqs, url, 1)
    cloud.advance(30)
    return receive(sqs, url, 1)


def test_a_move_to_the_dead_letter_queue_frees_the_group(cloud, sqs, url, dead):
    send(sqs, url, "poison")
    send(sqs, url, "good")
    assert [m["Body"] for m in fail(cloud, sqs, url)] == ["good"]
    assert bodies(sqs, dead) == ["poison"]


def test_the_dead_letter_queue_holds_two_with_one_deduplication_id(cloud, sqs, url, dead):
    ids = []
    for _ in range(2):
        ids.append(send(sqs, url, "poison", id="x")["MessageId"])
        fail(cloud, sqs, url)
        cloud.advance(300)
    messages = receive(sqs, dead, AttributeNames=["All"])
    assert [m["Attributes"]["MessageDeduplicationId"] for m in messages] == ids


def test_the_dead_letter_queue_resets_the_enqueue_time(cloud, sqs, url, dead):
    """On a standard queue it stays."""
    send(sqs, url, "poison")
    fail(cloud, sqs, url)
    assert receive(sqs, dead, AttributeNames=["All"])[0]["Attributes"]["SentTimestamp"] == "1680307230000"


def test_a_redrive_of_a_fifo_queue(cloud, sqs, url, dead):
    id = send(sqs, url, "poison")["MessageId"]
    fail(cloud, sqs, url)
    sqs.start_message_move_task(SourceArn=ARN + "dead.fifo")
    cloud.advance(2)
    message = receive(sqs, url)[0]
    assert message["Body"] == "poison" and message["MessageId"] != id
