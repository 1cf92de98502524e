"""What AWS documents, or was seen to do, on a standard queue: one test each. Through boto3, in strict mode.

Where a text is not in AWS's documentation, the test says where it is known from: "recorded" means that public test
suites recorded it from AWS; "emulator" that only emulators of SQS have it; "reported" that users quote it; "ours" that
none was found.
"""

import json
from base64 import b64encode

import pytest
from aws_errors import refused
from botocore.exceptions import ParamValidationError

from lablib.cloud import Cloud

pytestmark = pytest.mark.guide  # where a test names no other source

ACCOUNT = "123456789012"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"
WIRE = "AWS.SimpleQueueService."
NOT_FOR_THIS_TYPE = "Reason: The request include parameter that is not valid for this queue type."


@pytest.fixture
def cloud():
    return Cloud(seed=1, strict=True, assume={"sqs.outages_per_hour": 0})


@pytest.fixture
def sqs(cloud):
    return cloud.client("sqs")


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="orders")["QueueUrl"]


@pytest.fixture
def handle(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    return receive(sqs, url)["ReceiptHandle"]


def receive(sqs, url, **more):
    return sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, **more)["Messages"][0]


def text(value):
    return {"DataType": "String", "StringValue": value}


def get(sqs, url, *names):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names)).get("Attributes", {})


# ---- queues ----------------------------------------------------------------------------------------------------------


def test_a_fresh_queue_has_the_attributes_and_defaults_of_2023(sqs, url):
    attributes = get(sqs, url, "All")
    times = {attributes.pop("CreatedTimestamp"), attributes.pop("LastModifiedTimestamp")}
    assert times == {"1680307200"}
    assert attributes == {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "DelaySeconds": "0",
        "MaximumMessageSize": "262144",
        "MessageRetentionPeriod": "345600",
        "QueueArn": ARN + "orders",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "false",
        "VisibilityTimeout": "30",
    }


def test_today_a_message_may_have_a_mebibyte_and_encryption_is_on():
    with Cloud(strict=True, limits="today") as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        assert get(sqs, url, "MaximumMessageSize", "SqsManagedSseEnabled") == {
            "MaximumMessageSize": "1048576",
            "SqsManagedSseEnabled": "true",
        }
        sqs.send_message(QueueUrl=url, MessageBody="x" * 1_048_576)
        code, message, _ = refused(sqs.send_message, QueueUrl=url, MessageBody="x" * 1_048_577)
        assert (code, message[-36:]) == ("InvalidParameterValue", "Message must be shorter than 1048576 bytes."[-36:])


def test_the_url_of_a_queue(sqs, url):
    assert url == f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/orders"
    assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == url
    assert sqs.get_queue_url(QueueName="orders", QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"] == url


def test_creating_again_with_the_same_attributes_gives_the_same_queue(sqs):
    first = sqs.create_queue(QueueName="orders", Attributes={"DelaySeconds": "5"})
    again = sqs.create_queue(QueueName="orders", Attributes={"DelaySeconds": "5"})
    assert first["QueueUrl"] == again["QueueUrl"]


@pytest.mark.recorded
def test_creating_again_with_other_attributes(sqs, url):
    """Text recorded."""
    with pytest.raises(sqs.exceptions.QueueNameExists) as caught:
        sqs.create_queue(QueueName="orders", Attributes={"DelaySeconds": "5"})
    error = caught.value.response["Error"]
    assert (error["Code"], error["QueryErrorCode"]) == ("QueueAlreadyExists", "QueueNameExists")
    assert (
        error["Message"] == "A queue already exists with the same name and a different value for attribute DelaySeconds"
    )


def test_the_longest_queue_name(sqs):
    assert sqs.create_queue(QueueName="a-_9" * 20)["QueueUrl"].endswith("/" + "a-_9" * 20)


@pytest.mark.recorded
def test_a_queues_name_is_enough_and_its_url_may_name_any_host(sqs, url):
    for address in ("orders", f"http://localhost:4566/{ACCOUNT}/orders", url):
        sqs.send_message(QueueUrl=address, MessageBody="x")


def test_a_deleted_queue_does_not_exist(cloud, sqs, url):
    sqs.delete_queue(QueueUrl=url)
    for call in (sqs.receive_message, sqs.delete_queue, sqs.purge_queue):
        assert refused(call, QueueUrl=url)[0] == WIRE + "NonExistentQueue"


def test_a_queue_can_be_created_again_after_sixty_seconds(cloud, sqs, url):
    """Text: the API reference says it in nearly these words; emulator."""
    sqs.send_message(QueueUrl=url, MessageBody="old")
    sqs.delete_queue(QueueUrl=url)
    cloud.advance(59)
    with pytest.raises(sqs.exceptions.QueueDeletedRecently) as caught:
        sqs.create_queue(QueueName="orders")
    assert caught.value.response["Error"] == {
        "Code": WIRE + "QueueDeletedRecently",
        "QueryErrorCode": "QueueDeletedRecently",
        "Type": "Sender",
        "Message": "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    }
    cloud.advance(2)
    sqs.create_queue(QueueName="orders")
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)


def test_queues_are_listed_by_prefix_in_pages(sqs):
    assert "QueueUrls" not in sqs.list_queues()
    names = [f"a-{n}" for n in range(7)] + ["b"]
    for name in names:
        sqs.create_queue(QueueName=name)
    assert len(sqs.list_queues()["QueueUrls"]) == 8
    assert "NextToken" not in sqs.list_queues()
    first = sqs.list_queues(QueueNamePrefix="a-", MaxResults=3)
    assert len(first["QueueUrls"]) == 3
    pages = list(sqs.get_paginator("list_queues").paginate(QueueNamePrefix="a-", PaginationConfig={"PageSize": 3}))
    assert [len(page["QueueUrls"]) for page in pages] == [3, 3, 1]
    urls = [u for page in pages for u in page["QueueUrls"]]
    assert [u.rpartition("/")[2] for u in urls] == names[:7]


# ---- attributes of a queue -------------------------------------------------------------------------------------------


@pytest.mark.reported
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1024, 262144),
        ("MessageRetentionPeriod", 60, 1209600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43200),
        ("KmsDataKeyReusePeriodSeconds", 60, 86400),
    ],
)
def test_the_range_of_an_attribute(sqs, url, name, low, high):
    """Text reported."""
    for value in (low, high):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={name: str(value)})
        assert get(sqs, url, name) == {name: str(value)}
    for value in (low - 1, high + 1, "", "many", "1.5"):
        expected = ("InvalidAttributeValue", f"Invalid value for the parameter {name}.", 400)
        assert refused(sqs.set_queue_attributes, QueueUrl=url, Attributes={name: str(value)}) == expected
        assert refused(sqs.create_queue, QueueName="new", Attributes={name: str(value)}) == expected


def test_without_names_no_attributes_are_returned(sqs, url):
    assert get(sqs, url) == {}
    assert get(sqs, url, "DelaySeconds", "RedrivePolicy") == {"DelaySeconds": "0"}


@pytest.mark.recorded
def test_only_one_encryption_at_a_time(sqs, url):
    names = ("KmsMasterKeyId", "SqsManagedSseEnabled")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "key"})
    assert get(sqs, url, *names) == {"KmsMasterKeyId": "key", "SqsManagedSseEnabled": "false"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"})
    assert get(sqs, url, *names) == {"SqsManagedSseEnabled": "true"}


def test_a_redrive_policy_is_returned_and_removed(sqs, url):
    sqs.create_queue(QueueName="dead")
    given = {"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": "10"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(given)})
    policy = json.loads(get(sqs, url, "RedrivePolicy")["RedrivePolicy"])
    assert policy == given | {"maxReceiveCount": 10}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    assert get(sqs, url, "RedrivePolicy") == {}


def redrive_to(name, times=1):
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN + name, "maxReceiveCount": times})}


@pytest.mark.ours
@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ({"redrivePermission": "allowAll"}, True),
        ({"redrivePermission": "denyAll"}, False),
        ({"redrivePermission": "byQueue", "sourceQueueArns": [ARN + "orders"]}, True),
        ({"redrivePermission": "byQueue", "sourceQueueArns": [ARN + "others"]}, False),
    ],
)
def test_a_dead_letter_queue_says_who_may_use_it(sqs, url, policy, allowed):
    """Text of the refusal: ours."""
    sqs.create_queue(QueueName="dead", Attributes={"RedriveAllowPolicy": json.dumps(policy)})
    if allowed:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=redrive_to("dead"))
    else:
        code, message, _ = refused(sqs.set_queue_attributes, QueueUrl=url, Attributes=redrive_to("dead"))
        assert (code, "RedriveAllowPolicy" in message) == ("InvalidParameterValue", True)


def test_sources_of_a_dead_letter_queue_are_listed_in_pages(sqs, url):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == []
    sources = [sqs.create_queue(QueueName=f"s-{n}", Attributes=redrive_to("dead"))["QueueUrl"] for n in range(5)]
    paginator = sqs.get_paginator("list_dead_letter_source_queues")
    pages = list(paginator.paginate(QueueUrl=dead, PaginationConfig={"PageSize": 2}))
    assert [u for page in pages for u in page["queueUrls"]] == sources
    assert len(pages) == 3


@pytest.mark.recorded
def test_permissions_are_statements_of_the_policy(sqs, url):
    """The form of the policy was recorded."""
    grant = {"QueueUrl": url, "AWSAccountIds": ["111111111111"], "Actions": ["ReceiveMessage"]}
    sqs.add_permission(**grant, Label="one")
    statement = {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": "SQS:ReceiveMessage",
        "Resource": ARN + "orders",
    }
    policy = {"Version": "2008-10-17", "Id": f"{ARN}orders/orders", "Statement": [statement]}
    assert json.loads(get(sqs, url, "Policy")["Policy"]) == policy
    sqs.add_permission(
        QueueUrl=url, Label="two", AWSAccountIds=["111111111111", "222222222222"], Actions=["SendMessage", "*"]
    )
    second = json.loads(get(sqs, url, "Policy")["Policy"])["Statement"][1]
    assert second["Principal"] == {"AWS": ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"]}
    assert second["Action"] == ["SQS:SendMessage", "SQS:*"]
    for label in ("one", "two"):
        sqs.remove_permission(QueueUrl=url, Label=label)
    assert get(sqs, url, "Policy") == {}


def test_tags(sqs):
    url = sqs.create_queue(QueueName="orders", tags={"a": "1"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2", "c": "", "a": "3"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "3", "b": "2", "c": ""}
    sqs.untag_queue(QueueUrl=url, TagKeys=["a", "b", "c", "never there"])
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=url)


@pytest.mark.recorded
def test_purging_twice_within_sixty_seconds(cloud, sqs, url):
    """Text and status recorded."""
    sqs.purge_queue(QueueUrl=url)
    cloud.advance(58)
    with pytest.raises(sqs.exceptions.PurgeQueueInProgress):
        sqs.purge_queue(QueueUrl=url)
    assert refused(sqs.purge_queue, QueueUrl=url) == (
        WIRE + "PurgeQueueInProgress",
        "Only one PurgeQueue operation on orders is allowed every 60 seconds.",
        403,
    )
    cloud.advance(2)
    sqs.purge_queue(QueueUrl=url)


# ---- sending ---------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_digests_are_those_of_aws(sqs, url):
    """All values recorded."""
    names = {"General": text("Kenobi"), "Hello": text("There"), "Help.Me": text("Me")}
    sent = sqs.send_message(QueueUrl=url, MessageBody="msg", MessageAttributes=names)
    assert sent["MD5OfMessageBody"] == "6e2baaf3b97dbeef01c0043275f9a0e7"
    assert sent["MD5OfMessageAttributes"] == "4c360f3fdafd970e05fae2f149d997f5"
    binary = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"
    attributes = {"attr1": {"DataType": "Binary", "BinaryValue": binary}}
    sent = sqs.send_message(QueueUrl=url, MessageBody="test", MessageAttributes=attributes)
    assert sent["MD5OfMessageAttributes"] == "8cbe4db156db8a94db8b801b7addb984"


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("wanted", "names", "digest"),
    [
        ([], None, None),
        (["All"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        ([".*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        (["Hello", "General"], ["General", "Hello"], "fca026605781cb4126a1e9044df24232"),
        (["Hello", "Nothing"], ["Hello"], "a311262e065454b75da111d535b8dacd"),
        (["Hel.*"], ["Hello", "Help.Me"], "83fee93c1bcd8b9a5a923ffacdc636c7"),
        (["Nothing"], None, None),
    ],
)
def test_receivers_choose_attributes_and_the_digest_is_of_those(sqs, url, wanted, names, digest):
    """All digests recorded."""
    attributes = {"General": text("Kenobi"), "Hello": text("There"), "Help.Me": text("Me")}
    sqs.send_message(QueueUrl=url, MessageBody="msg", MessageAttributes=attributes)
    message = receive(sqs, url, MessageAttributeNames=wanted)
    if names is None:
        assert "MessageAttributes" not in message
    else:
        assert sorted(message["MessageAttributes"]) == names
    assert message.get("MD5OfMessageAttributes") == digest


def test_system_attributes(cloud, sqs, url):
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="x",
        MessageSystemAttributes={"AWSTraceHeader": text("Root=1-5759e988-bd862e3fe1be46a994272793")},
    )
    assert len(sent["MD5OfMessageSystemAttributes"]) == 32
    assert "Attributes" not in receive(sqs, url, VisibilityTimeout=0)
    cloud.advance(1)
    attributes = receive(sqs, url, AttributeNames=["All"], VisibilityTimeout=0)["Attributes"]
    assert set(attributes) == {
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "AWSTraceHeader",
    }
    assert attributes["ApproximateReceiveCount"] == "2"
    first = int(attributes["ApproximateFirstReceiveTimestamp"])
    assert 1_680_307_200_000 < int(attributes["SentTimestamp"]) < first < 1_680_307_201_000
    cloud.advance(1)
    wanted = receive(sqs, url, MessageSystemAttributeNames=["SenderId", "SequenceNumber"])["Attributes"]
    assert list(wanted) == ["SenderId"]


@pytest.mark.recorded
def test_the_largest_messages(sqs, url):
    """Names, types and values of attributes count: 4 + 6 + 5 bytes. A batch has the limit of a message."""
    sqs.send_message(QueueUrl=url, MessageBody="x" * 262144)
    attributes = {"name": text("value")}
    sqs.send_message(QueueUrl=url, MessageBody="x" * (262144 - 15), MessageAttributes=attributes)
    whole = [{"Id": "1", "MessageBody": "x" * 262143}, {"Id": "2", "MessageBody": "x"}]
    assert len(sqs.send_message_batch(QueueUrl=url, Entries=whole)["Successful"]) == 2


def test_characters_that_a_body_may_have(sqs, url):
    body = "\t\n\r \ud7ff\ue000\ufffd\U00010000\U0010ffff"
    sqs.send_message(QueueUrl=url, MessageBody=body)
    assert receive(sqs, url)["Body"] == body


def test_custom_data_types_are_carried(sqs, url):
    attributes = {
        "n": {"DataType": "Number.int", "StringValue": "-1.5e3"},
        "g": {"DataType": "Binary.gif", "BinaryValue": b"\0"},
    }
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
    assert receive(sqs, url, MessageAttributeNames=["All"])["MessageAttributes"] == attributes


# ---- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_succeeds_though_entries_fail(sqs, url):
    entries = [
        {"Id": "good", "MessageBody": "x"},
        {"Id": "empty", "MessageBody": ""},
        {"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
    ]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [(e["Id"], e["Code"], e["SenderFault"]) for e in answer["Failed"]] == [
        ("empty", "MissingParameter", True),
        ("late", "InvalidParameterValue", True),
    ]


@pytest.mark.recorded
def test_a_batch_has_neither_an_empty_list_of_failures_nor_one_of_successes(sqs, url, handle):
    answer = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "x"}])
    assert answer.keys() == {"Successful", "ResponseMetadata"}
    wrong = [{"Id": "1", "ReceiptHandle": "made up", "VisibilityTimeout": 1}]
    assert sqs.change_message_visibility_batch(QueueUrl=url, Entries=wrong).keys() == {"Failed", "ResponseMetadata"}
    good = [{"Id": "1", "ReceiptHandle": handle}]
    assert sqs.delete_message_batch(QueueUrl=url, Entries=good).keys() == {"Successful", "ResponseMetadata"}


@pytest.mark.recorded
def test_an_assumption_lets_earlier_receipt_handles_work_as_was_recorded():
    """AWS promises it for the latest handle only (API: DeleteMessage, ReceiveMessage), and so does the lab; a standard
    queue of AWS was recorded to accept earlier ones."""
    sqs = Cloud(seed=1, assume={"sqs.outages_per_hour": 0, "sqs.old_handles": 1}).client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    earlier = receive(sqs, url, VisibilityTimeout=0)["ReceiptHandle"]
    latest = receive(sqs, url, VisibilityTimeout=0)["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=latest, VisibilityTimeout=60)  # it has timed out
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=earlier, VisibilityTimeout=0)
    assert receive(sqs, url)["Body"] == "x"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=earlier)
    assert get(sqs, url, "ApproximateNumberOfMessagesNotVisible")["ApproximateNumberOfMessagesNotVisible"] == "0"


@pytest.mark.recorded
def test_a_star_asks_for_all_message_attributes(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={"a": text("1"), "b": text("2")})
    assert receive(sqs, url, MessageAttributeNames=["*"])["MessageAttributes"] == {"a": text("1"), "b": text("2")}


def test_deleting_and_hiding_in_batches(sqs, url):
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    handles = []
    while len(handles) < 3:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)["Messages"]
        handles += [message["ReceiptHandle"] for message in messages]
    entries = [{"Id": str(n), "ReceiptHandle": h} for n, h in enumerate([*handles, "made up"])]
    hidden = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[e | {"VisibilityTimeout": 60} for e in entries])
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    for answer in (hidden, deleted):
        assert [e["Id"] for e in answer["Successful"]] == ["0", "1", "2"]
        assert [(e["Id"], e["Code"]) for e in answer["Failed"]] == [("3", "ReceiptHandleIsInvalid")]


# ---- receiving, deleting, hiding -------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_an_empty_receive_has_no_messages_member(sqs, url):
    """Recorded from 2024 on."""
    assert sqs.receive_message(QueueUrl=url).keys() == {"ResponseMetadata"}


@pytest.mark.recorded
def test_a_made_up_receipt_handle(sqs, url, handle):
    """Text recorded."""
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    for bad in (handle[:-4], handle[:-1] + "A", handle.lower(), handle + "===="):
        expected = ("ReceiptHandleIsInvalid", f'The input receipt handle "{bad}" is not a valid receipt handle.', 400)
        assert refused(sqs.delete_message, QueueUrl=url, ReceiptHandle=bad) == expected
        assert refused(sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=bad, VisibilityTimeout=1) == expected
    assert refused(sqs.delete_message, QueueUrl=other, ReceiptHandle=handle)[0] == "ReceiptHandleIsInvalid"


def test_a_receipt_handle_of_the_queue_that_was_deleted_under_the_same_name(cloud, sqs, url, handle):
    sqs.delete_queue(QueueUrl=url)
    cloud.advance(61)
    sqs.create_queue(QueueName="orders")
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)


def test_a_message_is_hidden_for_twelve_hours_at_most_in_total(cloud, sqs, url, handle):
    """Text: emulator. The API reference says that it is an error, and that the value is not cut."""
    cloud.advance(10)
    change = {"QueueUrl": url, "ReceiptHandle": handle}
    assert refused(sqs.change_message_visibility, **change, VisibilityTimeout=43200) == (
        "InvalidParameterValue",
        f"Value {handle} for parameter ReceiptHandle is invalid. "
        "Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
        400,
    )
    sqs.change_message_visibility(**change, VisibilityTimeout=43100)


def test_hiding_a_message_that_is_not_in_flight(cloud, sqs, url, handle):
    """Code in the API reference; text: its description there."""
    cloud.advance(31)
    with pytest.raises(sqs.exceptions.MessageNotInflight):
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=10)


@pytest.mark.recorded
def test_showing_a_message_whose_timeout_has_ended_succeeds(cloud, sqs, url, handle):
    """Recorded."""
    cloud.advance(31)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)


@pytest.mark.ours
def test_hiding_a_message_that_is_deleted_or_received_again(cloud, sqs, url, handle):
    """Text: emulator."""
    cloud.advance(31)
    newer = receive(sqs, url)["ReceiptHandle"]
    gone = "Message does not exist or is not available for visibility timeout change."
    expected = ("InvalidParameterValue", f"Value {handle} for parameter ReceiptHandle is invalid. Reason: {gone}", 400)
    assert refused(sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=10) == expected
    sqs.delete_message(QueueUrl=url, ReceiptHandle=newer)
    assert refused(sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=newer, VisibilityTimeout=10)[1].endswith(
        gone
    )


# ---- dead-letter queues ----------------------------------------------------------------------------------------------


@pytest.fixture
def dead(sqs, url):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=redrive_to("dead"))
    return dead


@pytest.mark.ours
def test_one_active_move_task_a_source(cloud, sqs, url, dead):
    """Texts: emulator."""
    sqs.send_message(QueueUrl=dead, MessageBody="x")
    task = {"SourceArn": ARN + "dead", "DestinationArn": ARN + "orders", "MaxNumberOfMessagesPerSecond": 1}
    handle = sqs.start_message_move_task(**task)["TaskHandle"]
    assert refused(sqs.start_message_move_task, **task)[:2] == (
        "InvalidParameterValue",
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    )
    cloud.advance(5)
    (listed,) = sqs.list_message_move_tasks(SourceArn=ARN + "dead")["Results"]
    started = listed.pop("StartedTimestamp")
    assert 1_680_307_200_000 < started < 1_680_307_201_000
    assert listed == {
        "Status": "COMPLETED",
        "SourceArn": ARN + "dead",
        "DestinationArn": ARN + "orders",
        "MaxNumberOfMessagesPerSecond": 1,
        "ApproximateNumberOfMessagesMoved": 1,
        "ApproximateNumberOfMessagesToMove": 1,
    }
    assert refused(sqs.cancel_message_move_task, TaskHandle=handle)[0] == WIRE + "UnsupportedOperation"
    other = b64encode(json.dumps({"taskId": "no", "sourceArn": ARN + "dead"}).encode()).decode()
    for wrong, code, text in (
        ("x", "InvalidParameterValue", "Value for parameter TaskHandle is invalid."),
        (other, "ResourceNotFoundException", "Task does not exist."),
    ):
        assert refused(sqs.cancel_message_move_task, TaskHandle=wrong)[:2] == (code, text)
    sqs.start_message_move_task(**task)


def test_move_tasks_are_listed_newest_first_ten_at_most(cloud, sqs, dead):
    for rate in range(1, 13):
        sqs.start_message_move_task(
            SourceArn=ARN + "dead", DestinationArn=ARN + "orders", MaxNumberOfMessagesPerSecond=rate
        )
        cloud.advance(2)
    tasks = sqs.list_message_move_tasks(SourceArn=ARN + "dead", MaxResults=10)["Results"]
    assert [task["MaxNumberOfMessagesPerSecond"] for task in tasks] == list(range(12, 2, -1))
    assert len(sqs.list_message_move_tasks(SourceArn=ARN + "dead")["Results"]) == 1


# ---- what botocore refuses before the call ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [{}, {"QueueUrl": "x"}, {"QueueUrl": "x", "MessageBody": 5}, {"QueueUrl": "x", "MessageBody": "x", "Nope": 1}],
)
def test_wrong_types_and_missing_parameters(sqs, parameters):
    with pytest.raises(ParamValidationError):
        sqs.send_message(**parameters)
