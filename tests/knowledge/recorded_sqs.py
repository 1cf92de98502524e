"""What AWS was recorded to do with standard queues, and with queues of both kinds. See `recordings.py`."""

import json
from hashlib import md5

import pytest
from knowledge.recordings import ACCOUNT, REGION, Lab, Suite, is_refused, refused

SQS = Suite("SQS")
WIRE = "AWS.SimpleQueueService."
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "sqs:SendMessage",
            "Resource": "the-queue",
            "Condition": {"ArnEquals": {"aws:SourceArn": "the-topic"}},
        }
    ],
}
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
NO_NAME = "Unknown Attribute {}."
ONLY_FIFO = "You can specify the {} only when FifoQueue is set to true."

SQS.refusals(
    send_receive_max_number_of_messages="sqs.ReceiveMessage: MaxNumberOfMessages=11",
    too_many_entries_in_batch_request="sqs.SendMessageBatch: 20 entries",
    invalid_batch_id="sqs.SendMessageBatch: Id='invalid:id'",
    delete_message_batch_invalid_msg_id=(
        "sqs.DeleteMessageBatch: Id='' | sqs.DeleteMessageBatch: Id='testLongIdte' | "
        "sqs.DeleteMessageBatch: Id='invalid:id'"
    ),
    delete_message_batch_with_too_large_batch="sqs.DeleteMessageBatch: 20 entries",
    change_message_visibility_batch_with_too_large_batch="sqs.ChangeMessageVisibilityBatch: 20 entries",
    invalid_dead_letter_arn_rejected_before_lookup="sqs.SetQueueAttributes: RedrivePolicy to dummy",
    send_message_with_empty_string_attribute="sqs.SendMessage: an empty String attribute",
    successive_purge_calls_fail="sqs.PurgeQueue: twice",
    sse_kms_and_sqs_are_mutually_exclusive="sqs.SetQueueAttributes: KmsMasterKeyId and SqsManagedSseEnabled",
    cancel_with_invalid_task_handle="sqs.CancelMessageMoveTask: TaskHandle='foobared'",
    source_needs_redrive_policy="sqs.StartMessageMoveTask: a source that is no dead-letter queue",
    destination_needs_to_exist="sqs.StartMessageMoveTask: an unknown destination",
)
SQS.apart(
    "requests of one's own to AWS's HTTP interface; the lab has boto3's clients",
    "get_list_queues_with_query_auth",
    "get_queue_attributes_all",
    "get_queue_attributes_with_query_args",
    "invalid_action_raises_exception",
    "valid_action_with_missing_parameter_raises_exception",
    "get_queue_attributes_of_fifo_queue",
    "get_queue_attributes_with_invalid_arg_returns_error",
    "get_delete_queue",
    "get_send_and_receive_messages",
    "get_on_deleted_queue_fails",
    "get_without_query_returns_unknown_operation",
    "get_create_queue_fails",
    "get_list_queues_fails",
    "get_queue_url_works_for_same_queue",
    "get_queue_url_work_for_different_queue",
    "endpoint_strategy_with_multi_region",
    "overwrite_queue_url_in_params",
    "get_list_queues_fails_json_format",
    "get_queue_attributes_json_format",
    "get_without_query_json_format_returns_returns_xml",
    "send_message_via_queue_url_with_json_protocol",
)
SQS.apart("a header that a handler of before-send adds: there is no request to change", "aws_trace_header_propagation")
SQS.apart("the host names of before 2012", "list_queues_multi_region_with_endpoint_strategy_domain")
SQS.apart("fair queues, which AWS has since 2025", "fair_queue_with_message_group_id")


# ---- queues ----------------------------------------------------------------------------------------------------------


@SQS.same("list_queues")
def _(lab: Lab) -> None:
    a, b, c = (lab.queue(name) for name in ("a-1", "a-2", "b-1"))
    assert lab.sqs.list_queues(QueueNamePrefix="a-")["QueueUrls"] == [a, b]
    assert lab.sqs.list_queues(QueueNamePrefix="b-")["QueueUrls"] == [c]
    assert {a, b, c} <= set(lab.sqs.list_queues()["QueueUrls"])
    assert "QueueUrls" not in lab.sqs.list_queues(QueueNamePrefix="none-")


@SQS.same("list_queues_pagination")
def _(lab: Lab) -> None:
    urls = [lab.queue(f"page-{n}") for n in range(10)]
    assert lab.sqs.list_queues(QueueNamePrefix="page")["QueueUrls"] == urls
    first = lab.sqs.list_queues(QueueNamePrefix="page", MaxResults=2)
    rest = lab.sqs.list_queues(QueueNamePrefix="page", MaxResults=10, NextToken=first["NextToken"])
    assert first["QueueUrls"] == urls[:2] and rest["QueueUrls"] == urls[2:] and "NextToken" not in rest


@SQS.same("create_queue_and_get_attributes")
def _(lab: Lab) -> None:
    found = lab.get(lab.queue(), "QueueArn", "CreatedTimestamp", "VisibilityTimeout")
    assert set(found) == {"QueueArn", "CreatedTimestamp", "VisibilityTimeout"}
    assert found["QueueArn"].endswith(":q") and found["VisibilityTimeout"] == "30"
    assert found["CreatedTimestamp"].isdigit()


@SQS.same("create_queue_recently_deleted")
def _(lab: Lab) -> None:
    lab.sqs.delete_queue(QueueUrl=lab.queue())
    error = refused(lab.sqs.create_queue, QueueName="q")
    assert "QueueDeletedRecently" in error["Code"]
    assert error["Message"].startswith("You must wait 60 seconds after deleting a queue")


@SQS.same(
    "create_queue_without_attributes_is_idempotent",
    "create_queue_with_same_attributes_is_idempotent",
    "create_queue_with_default_attributes_is_idempotent",
    "create_fifo_queue_with_same_attributes_is_idempotent",
)
def _(lab: Lab) -> None:
    assert lab.queue("plain") == lab.queue("plain")
    some = {"VisibilityTimeout": "69", "ReceiveMessageWaitTimeSeconds": "1"}
    assert lab.queue("some", **some) == lab.queue("some", **some) == lab.queue("some")
    assert lab.queue("f.fifo") == lab.queue("f.fifo")


@SQS.same("create_queue_with_different_attributes_raises_exception")
def _(lab: Lab) -> None:
    url = lab.queue(ReceiveMessageWaitTimeSeconds="1", DelaySeconds="1")
    assert url == lab.queue() == lab.queue(DelaySeconds="1")
    other = {"QueueName": "q", "Attributes": {"ReceiveMessageWaitTimeSeconds": "1", "DelaySeconds": "2"}}
    text = "A queue already exists with the same name and a different value for attribute DelaySeconds"
    is_refused("QueueAlreadyExists", text, lab.sqs.create_queue, **other)
    lab.set(url, DelaySeconds="2")
    assert lab.sqs.create_queue(**other)["QueueUrl"] == url
    other["Attributes"]["DelaySeconds"] = "1"
    is_refused("QueueAlreadyExists", text, lab.sqs.create_queue, **other)
    assert refused(lab.sqs.create_queue, **other)["QueryErrorCode"] == "QueueNameExists"


@SQS.same(
    "create_queue_with_default_arguments_works_with_modified_attributes", "create_queue_after_modified_attributes"
)
def _(lab: Lab) -> None:
    for name, first in (("a", {}), ("b", {"VisibilityTimeout": "1", "ReceiveMessageWaitTimeSeconds": "1"})):
        url, two = lab.queue(name, **first), {"VisibilityTimeout": "2", "ReceiveMessageWaitTimeSeconds": "2"}
        lab.set(url, **two)
        one = dict.fromkeys(two, "1")
        assert refused(lab.sqs.create_queue, QueueName=name, Attributes=one)["Code"] == "QueueAlreadyExists"
        assert lab.queue(name, **two) == lab.queue(name) == url


@SQS.same("create_queue_after_internal_attributes_changes_works", "create_queue_after_send")
def _(lab: Lab) -> None:
    url = lab.queue()
    lab.send(url, "later", DelaySeconds=1)
    lab.send(url, "now")
    assert lab.get(url, "ApproximateNumberOfMessages") == {"ApproximateNumberOfMessages": "1"}
    assert lab.queue() == url


@SQS.same("create_and_update_queue_attributes")
def _(lab: Lab) -> None:
    url = lab.queue(MessageRetentionPeriod="604800", ReceiveMessageWaitTimeSeconds="10", VisibilityTimeout="20")
    always = {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "MessageRetentionPeriod": "604800",
        "QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
        "ReceiveMessageWaitTimeSeconds": "10",
        "SqsManagedSseEnabled": "true",
    }
    before, times = lab.get(url), {"CreatedTimestamp", "LastModifiedTimestamp"}
    first = {"DelaySeconds": "0", "MaximumMessageSize": "1048576", "VisibilityTimeout": "20"}
    assert {name: value for name, value in before.items() if name not in times} == always | first
    second = {"MaximumMessageSize": "2048", "VisibilityTimeout": "69", "DelaySeconds": "420"}
    lab.set(url, **second)
    after = lab.get(url)
    assert times < set(after) and {n: v for n, v in after.items() if n not in times} == always | second


@SQS.same("create_standard_queue_with_fifo_attribute_raises_error")
def _(lab: Lab) -> None:
    for name, value, text in (
        ("FifoQueue", "false", NO_NAME),
        ("ContentBasedDeduplication", "false", NO_NAME),
        ("DeduplicationScope", "queue", ONLY_FIFO),
        ("FifoThroughputLimit", "perQueue", ONLY_FIFO),
    ):
        given = {"QueueName": "new", "Attributes": {name: value}}
        is_refused("InvalidAttributeName", text.format(name), lab.sqs.create_queue, **given)
        with pytest.raises(lab.sqs.exceptions.InvalidAttributeName) as caught:
            lab.sqs.create_queue(**given)
        assert caught.value.response["message"] == text.format(name)
        assert caught.value.response["Error"]["QueryErrorCode"] == "InvalidAttributeName"


@SQS.same("set_unsupported_attribute_standard")
def _(lab: Lab) -> None:
    url = lab.queue()
    for value in ("true", "false"):
        is_refused(
            "InvalidAttributeName",
            NO_NAME.format("FifoQueue"),
            lab.sqs.set_queue_attributes,
            QueueUrl=url,
            Attributes={"FifoQueue": value},
        )


@SQS.same("standard_queue_cannot_have_fifo_suffix", "fifo_queue_requires_suffix", "disallow_queue_name_with_slashes")
def _(lab: Lab) -> None:
    for name, attributes in (("q.fifo", {}), ("q", {"FifoQueue": "true"}), ("queue/a/", {})):
        assert refused(lab.sqs.create_queue, QueueName=name, Attributes=attributes)["Code"] == "InvalidParameterValue"


@SQS.same("get_specific_queue_attribute_response", "dead_letter_queue_config")
def _(lab: Lab) -> None:
    policy = {"deadLetterTargetArn": lab.arn(lab.queue("dead")), "maxReceiveCount": 10}
    url = lab.queue(MessageRetentionPeriod="604800", DelaySeconds="10", RedrivePolicy=json.dumps(policy))
    found = lab.get(url, "MessageRetentionPeriod", "RedrivePolicy")
    assert found["MessageRetentionPeriod"] == "604800" and json.loads(found["RedrivePolicy"]) == policy
    assert lab.get(url, "QueueArn") == {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}


@SQS.differs(
    "a policy whose Resource, aws:SourceArn are no ARNs is taken, and fits nothing; here one line says what is wrong",
    "set_queue_policy",
    "set_empty_queue_policy",
)
def _(lab: Lab) -> None:
    url, text = lab.queue(), json.dumps(POLICY)
    lab.set(url, Policy="")
    assert "Policy" not in lab.get(url)
    lab.set(url, Policy=text)
    for found in (lab.get(url), lab.get(url, "Policy")):
        assert json.loads(found["Policy"])["Statement"][0]["Action"] == "sqs:SendMessage"
    lab.set(url, Policy="")
    assert "Policy" not in lab.get(url)


@SQS.same("set_empty_redrive_policy")
def _(lab: Lab) -> None:
    url, dead = lab.queue(), lab.arn(lab.queue("dead"))
    lab.set("q", RedrivePolicy="")
    assert "RedrivePolicy" not in lab.get("q")
    lab.set(url, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": "42"}))
    assert dead in lab.get(url)["RedrivePolicy"]
    lab.set(url, RedrivePolicy="")
    assert "RedrivePolicy" not in lab.get(url)


@SQS.same("redrive_policy_attribute_validity")
def _(lab: Lab) -> None:
    url, dead = lab.queue(), lab.arn(lab.queue("dead"))
    for policy in (
        {"deadLetterTargetArn": dead},
        {"maxReceiveCount": "42"},
        {"deadLetterTargetArn": dead, "maxReceiveCount": "invalid"},
    ):
        given = {"QueueUrl": url, "Attributes": {"RedrivePolicy": json.dumps(policy)}}
        assert refused(lab.sqs.set_queue_attributes, **given)["Code"] == "InvalidParameterValue"
    lab.set(url, RedrivePolicy=json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": "42"}))


@SQS.same("sse_queue_attributes", "set_queue_attributes_default_values")
def _(lab: Lab) -> None:
    url, keys = lab.queue(), ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled")
    assert lab.get(url, *keys) == {"SqsManagedSseEnabled": "true"}
    kms = {"KmsMasterKeyId": "testKeyId", "KmsDataKeyReusePeriodSeconds": "6000"}
    lab.set(url, **kms)
    assert lab.get(url, *keys) == kms | {"SqsManagedSseEnabled": "false"}
    lab.set(url, KmsMasterKeyId="", KmsDataKeyReusePeriodSeconds="300")
    assert {name: value for name, value in lab.get(url).items() if name in keys} == {"SqsManagedSseEnabled": "false"}
    lab.set(url, SqsManagedSseEnabled="true")
    assert lab.get(url, *keys) == {"SqsManagedSseEnabled": "true"}
    lab.set(url, SqsManagedSseEnabled="false", **kms)
    assert lab.get(url, *keys) == kms | {"SqsManagedSseEnabled": "false"}


@SQS.same("list_queues_multi_region_with_endpoint_strategy_standard", "get_queue_url_multi_region")
def _(lab: Lab) -> None:
    clients = {region: lab.cloud.client("sqs", region_name=region) for region in ("us-east-1", "eu-central-1")}
    urls = {region: client.create_queue(QueueName="q")["QueueUrl"] for region, client in clients.items()}
    assert len(set(urls.values())) == 2
    for region, client in clients.items():
        assert f"sqs.{region}." in urls[region] == client.get_queue_url(QueueName="q")["QueueUrl"]
        assert client.list_queues()["QueueUrls"] == [urls[region]]


@SQS.same("non_existent_queue")
def _(lab: Lab) -> None:
    url = lab.queue()
    lab.sqs.delete_queue(QueueUrl=url)
    text = "The specified queue does not exist."
    is_refused(WIRE + "NonExistentQueue", text, lab.sqs.get_queue_attributes, QueueUrl=url)
    is_refused(WIRE + "NonExistentQueue", text, lab.sqs.get_queue_url, QueueName="q")
    with pytest.raises(lab.sqs.exceptions.QueueDoesNotExist) as caught:
        lab.sqs.get_queue_url(QueueName="q")
    assert caught.value.response["Error"]["QueryErrorCode"] == "QueueDoesNotExist"


@SQS.same(
    "tag_untag_queue",
    "tags_case_sensitive",
    "untag_queue_ignores_non_existing_tag",
    "tag_queue_overwrites_existing_tag",
    "create_queue_with_tags",
    "list_queue_tags",
    "queue_list_nonexistent_tags",
)
def _(lab: Lab) -> None:
    url = lab.queue()

    def tags() -> dict[str, str]:
        return lab.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})

    assert "Tags" not in lab.sqs.list_queue_tags(QueueUrl=url)
    given = {"a": "1", "A": "2", "b": "", "c": "3"}
    lab.sqs.tag_queue(QueueUrl=url, Tags=given)
    assert tags() == given
    lab.sqs.tag_queue(QueueUrl=url, Tags={"a": "9", "d": "4"})
    assert tags() == given | {"a": "9", "d": "4"}
    lab.sqs.untag_queue(QueueUrl=url, TagKeys=["b", "d", "c", "no"])
    assert tags() == {"a": "9", "A": "2"}
    lab.sqs.untag_queue(QueueUrl=url, TagKeys=["a", "A"])
    assert "Tags" not in lab.sqs.list_queue_tags(QueueUrl=url)
    url = lab.queue("tagged", tags=given)
    assert tags() == given


@SQS.same("sqs_permission_lifecycle")
def _(lab: Lab) -> None:
    url = lab.queue()

    def add(label: str, *accounts: str) -> dict:
        return lab.sqs.add_permission(
            QueueUrl=url, Label=label, AWSAccountIds=list(accounts), Actions=["ReceiveMessage"]
        )

    def policy() -> dict:
        return json.loads(lab.get(url, "Policy").get("Policy", "{}"))

    def statement(label: str, who: str | list[str]) -> dict:
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
        return {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": who},
            "Action": "SQS:ReceiveMessage",
            "Resource": arn,
        }

    def root(account: str) -> str:
        return f"arn:aws:iam::{account}:root"

    assert set(add("one", ACCOUNT, "668614515564")) == {"ResponseMetadata"}
    found = policy()
    assert found["Version"] == "2008-10-17"
    assert found["Id"].startswith(f"arn:aws:sqs:{REGION}:{ACCOUNT}:q/")
    assert sorted(found["Statement"][0]["Principal"].pop("AWS")) == sorted(map(root, (ACCOUNT, "668614515564")))
    assert found["Statement"] == [statement("one", "") | {"Principal": {}}]
    lab.sqs.remove_permission(QueueUrl=url, Label="one")
    assert "Attributes" not in lab.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    add("one", ACCOUNT)
    assert policy()["Statement"] == [statement("one", root(ACCOUNT))]
    text = "Value one for parameter Label is invalid. Reason: Already exists."
    given = {"QueueUrl": url, "Label": "one", "AWSAccountIds": ["668614515564"], "Actions": ["ReceiveMessage"]}
    is_refused("InvalidParameterValue", text, lab.sqs.add_permission, **given)
    add("two", ACCOUNT)
    assert policy()["Statement"] == [statement(label, root(ACCOUNT)) for label in ("one", "two")]
    for label in ("one", "two"):
        lab.sqs.remove_permission(QueueUrl=url, Label=label)
    assert not policy()
    text = "Value two for parameter Label is invalid. Reason: can't find label."
    is_refused("InvalidParameterValue", text, lab.sqs.remove_permission, QueueUrl=url, Label="two")


# ---- sending ---------------------------------------------------------------------------------------------------------


@SQS.same("send_receive_message", "publish_get_delete_message", "send_receive_message_multiple_queues")
def _(lab: Lab) -> None:
    url, other = lab.queue(), lab.queue("other")
    sent = lab.send(url, "message")
    assert sent["MD5OfMessageBody"] == "78e731027d8fd50ed642340b7c9a63b3" and "SequenceNumber" not in sent
    assert not lab.receive(other)
    (message,) = lab.receive(url)
    assert message["Body"] == "message" and message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MessageId"] == sent["MessageId"] and message["ReceiptHandle"]
    lab.delete(url, message)
    lab.wait(60)
    assert not lab.receive(url)


@SQS.same("send_empty_message")
def _(lab: Lab) -> None:
    given = {"QueueUrl": lab.queue(), "MessageBody": ""}
    is_refused("MissingParameter", "The request must contain the parameter MessageBody.", lab.sqs.send_message, **given)
    assert refused(lab.sqs.send_message, **given)["QueryErrorCode"] == "MissingRequiredParameterException"


@SQS.same("send_receive_message_encoded_content", "message_with_carriage_return", "marker_serialization_json_protocol")
def _(lab: Lab) -> None:
    url = lab.queue()
    for body in ('"&quot;&quot;\r', '{\r\n"machine" : "d35"}', '{"foo": "ba\rr", "foo2": "ba&quot;r&quot;"}'):
        sent = lab.send("q", body)
        (message,) = lab.receive(url)
        assert message["Body"] == body and message["MD5OfBody"] == sent["MD5OfMessageBody"]
        assert message["MD5OfBody"] == md5(body.encode(), usedforsecurity=False).hexdigest()
        lab.delete(url, message)


@SQS.same("posting_to_queue_via_queue_name")
def _(lab: Lab) -> None:
    lab.queue()
    sent = lab.send("q", "Using name instead of URL")
    assert sent["MD5OfMessageBody"] == "86a83f96652a1bfad3891e7d523750cb"


@SQS.same("send_message_batch", "send_batch_receive_multiple", "publish_get_delete_message_batch")
def _(lab: Lab) -> None:
    url = lab.queue()
    entries = [{"Id": f"{n}", "MessageBody": f"message-{n}"} for n in range(10)]
    answer = lab.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert "Failed" not in answer
    received = lab.receive(url, 10, WaitTimeSeconds=1)
    assert {m["MessageId"] for m in received} == {entry["MessageId"] for entry in answer["Successful"]}
    gone = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in received]
    lab.sqs.delete_message_batch(QueueUrl=url, Entries=gone)
    lab.wait(60)
    assert not lab.receive(url, 10)


@SQS.same("send_message_batch_with_empty_list")
def _(lab: Lab) -> None:
    error = refused(lab.sqs.send_message_batch, QueueUrl=lab.queue(), Entries=[])
    assert "EmptyBatchRequest" in error["Code"] and error["status"] in (400, 404)


def _attributes(**values: str) -> dict[str, dict[str, str]]:
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


@SQS.same("send_oversized_message", "send_message_with_updated_maximum_message_size")
def _(lab: Lab) -> None:
    for most, own in ((1_048_576, {}), (1024, {"MaximumMessageSize": "1024"})):
        url = lab.queue(f"q-{most}", **own)
        lab.send(url, "a" * most)
        given = {"QueueUrl": url, "MessageBody": "a" * (most - 7), "MessageAttributes": _attributes(k="x")}
        text = f"One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
        is_refused("InvalidParameterValue", text, lab.sqs.send_message, **given)


@SQS.same(
    "send_message_batch_with_oversized_contents",
    "send_message_batch_with_oversized_contents_with_updated_maximum_message_size",
)
def _(lab: Lab) -> None:
    url = lab.queue()
    for most in (1_048_576, 2048):  # the sum of a batch has a bound of its own, whatever the queue's is
        entries = [
            {"Id": "1", "MessageBody": "a" * (most - 8), "MessageAttributes": _attributes(k="x")},
            {"Id": "2", "MessageBody": "a"},
        ]
        if most == 2048:
            lab.set(url, MaximumMessageSize="2048")
            answer = lab.sqs.send_message_batch(QueueUrl=url, Entries=entries)
            assert [entry["Id"] for entry in answer["Successful"]] == ["1", "2"] and "Failed" not in answer
            assert answer["Successful"][0]["MD5OfMessageAttributes"] == "a45daa70926828a2f0a1db3418e6feb4"
        else:
            text = "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."
            code = WIRE + "BatchRequestTooLong"
            is_refused(code, text, lab.sqs.send_message_batch, QueueUrl=url, Entries=entries)


@SQS.same("send_batch_message_size")
def _(lab: Lab) -> None:
    url = lab.queue(MaximumMessageSize="1024")
    entries = [{"Id": "fits", "MessageBody": "a" * 1024}, {"Id": "long", "MessageBody": "a" * 1025}]
    answer = lab.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    (sent,) = answer["Successful"]
    assert (sent["Id"], sent["MD5OfMessageBody"]) == ("fits", "c9a34cfc85d982698c6ac89f76071abd")
    reason = "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."
    assert answer["Failed"] == [{"Id": "long", "Code": "InvalidParameterValue", "Message": reason, "SenderFault": True}]


@SQS.same("send_message_to_standard_queue_with_invalid_message_group_id")
def _(lab: Lab) -> None:
    url = lab.queue()
    for group in ("", "a" * 129, "group 123"):
        text = (
            f"Value {group} for parameter MessageGroupId is invalid. "
            "Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."
        )
        given = {"QueueUrl": url, "MessageBody": "m", "MessageGroupId": group}
        is_refused("InvalidParameterValue", text, lab.sqs.send_message, **given)


@SQS.same("batch_send_with_invalid_char_should_succeed")
def _(lab: Lab) -> None:
    url = lab.queue()
    entries = [{"Id": f"{n}", "MessageBody": f"{n}"} for n in range(9)] + [{"Id": "9", "MessageBody": "\x01"}]
    (failed,) = lab.sqs.send_message_batch(QueueUrl=url, Entries=entries)["Failed"]
    assert (failed["Id"], failed["Code"]) == ("9", "InvalidMessageContents")
    assert set(lab.bodies(url, WaitTimeSeconds=1)) == set("012345678")


@SQS.same("send_message_with_invalid_payload_characters")
def _(lab: Lab) -> None:
    error = refused(lab.sqs.send_message, QueueUrl=lab.queue(), MessageBody="Invalid-\x00-\x08-\x13-\uffff")
    assert error["Code"] == "InvalidMessageContents"


# ---- attributes of messages ------------------------------------------------------------------------------------------


@SQS.same(
    "message_with_attributes_should_be_enqueued",
    "send_message_with_attributes",
    "send_message_with_binary_attributes",
    "sent_message_retains_attributes_after_receive",
)
def _(lab: Lab) -> None:
    url = lab.queue()
    trace = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"
    for attributes in (
        {"timestamp": {"DataType": "Number", "StringValue": "1614717034367"}},
        _attributes(attr1="test1", attr2="test2"),
        {"attr1": {"DataType": "Binary", "BinaryValue": trace}},
    ):
        sent = lab.send(url, "test", MessageAttributes=attributes)
        for timeout in (0, 30):
            (message,) = lab.receive(url, MessageAttributeNames=["All"], VisibilityTimeout=timeout)
            assert message["MessageId"] == sent["MessageId"] and message["MessageAttributes"] == attributes
            assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
        if "BinaryValue" in attributes.get("attr1", ()):
            assert sent["MD5OfMessageAttributes"] == "8cbe4db156db8a94db8b801b7addb984"
        lab.delete(url, message)


@SQS.same(
    "send_message_with_invalid_string_attributes", "invalid_string_attributes_cause_invalid_parameter_value_error"
)
def _(lab: Lab) -> None:
    url, good = lab.queue(), {"DataType": "String", "StringValue": "Valid"}
    lab.send(url, MessageAttributes={"attr.1øßä": good})
    bad_names = ["aWs.-x", "AMAZON.-x", ".-x", *(f"Invalid-{mark}-x" for mark in '!"§(?'), "L" * 257, "Invalid."]
    bad = [
        {"a": {"DataType": "String", "StringValue": "Invalid-\x08,\x0b"}},
        *({name: good} for name in bad_names),
        {"a": good | {"DataType": "Invalid"}},
        {"a": good | {"DataType": "Number." + "L" * 256}},
    ]
    for attributes in bad:
        error = refused(lab.sqs.send_message, QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
        assert error["Code"] == "InvalidParameterValue", attributes


@SQS.same("system_attributes_have_no_effect_on_attr_md5")
def _(lab: Lab) -> None:
    url, own = lab.queue(), {"timestamp": {"StringValue": "1493147359900", "DataType": "Number"}}
    header = {"AWSTraceHeader": {"StringValue": TRACE, "DataType": "String"}}
    plain = lab.send(url, MessageAttributes=own)
    traced = lab.send(url, MessageAttributes=own, MessageSystemAttributes=header)
    assert plain["MD5OfMessageAttributes"] == traced["MD5OfMessageAttributes"] == "235c5c510d26fb653d073faed50ae77c"
    assert "MD5OfMessageSystemAttributes" not in plain
    assert traced["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88"


@SQS.same("receive_message_message_attribute_names_filters")
def _(lab: Lab) -> None:
    url, names = lab.queue(VisibilityTimeout="0"), {"Help.Me": "Me", "Hello": "There", "General": "Kenobi"}
    assert lab.send(url, "msg", MessageAttributes=_attributes(**names))["MD5OfMessageAttributes"].startswith("4c360f3f")
    for asked, given, digest in (
        ([], (), None),
        (["All"], names, "4c360f3fdafd970e05fae2f149d997f5"),
        (["*"], names, "4c360f3fdafd970e05fae2f149d997f5"),
        ([".*"], names, "4c360f3fdafd970e05fae2f149d997f5"),
        (["Foo", "Help"], (), None),
        (["Hello", "General"], ("Hello", "General"), "fca026605781cb4126a1e9044df24232"),
        (["Foo", "Hello"], ("Hello",), "a311262e065454b75da111d535b8dacd"),
        (["Hel.*"], ("Hello", "Help.Me"), "83fee93c1bcd8b9a5a923ffacdc636c7"),
        (["AWS."], (), None),
        (["..foo"], (), None),
    ):
        (message,) = lab.receive(url, MessageAttributeNames=asked, WaitTimeSeconds=5)
        assert set(message.get("MessageAttributes", ())) == set(given), asked
        assert message.get("MD5OfMessageAttributes") == digest, asked


@SQS.same(
    "receive_message_attribute_names_filters",
    "receive_message_message_system_attribute_names_filters",
    "message_system_attribute_names_with_attribute_names",
    "receive_message_attributes_timestamp_types",
)
def _(lab: Lab) -> None:
    url = lab.queue(VisibilityTimeout="0")
    lab.send(url, "msg", MessageAttributes=_attributes(Foo="Bar"))
    times = {"ApproximateFirstReceiveTimestamp", "SentTimestamp"}
    every = {"ApproximateReceiveCount", "SenderId"} | times
    for asked, given in (
        ({"AttributeNames": ["All"]}, every),
        ({"MessageSystemAttributeNames": ["All"]}, every),
        ({"AttributeNames": ["SenderId"]}, {"SenderId"}),
        ({"MessageSystemAttributeNames": ["SenderId", "SequenceNumber"]}, {"SenderId"}),
        ({"AttributeNames": ["SenderId", "SequenceNumber"]}, {"SenderId"}),
        ({"MessageSystemAttributeNames": ["All"], "AttributeNames": ["All"]}, every),
        ({"MessageSystemAttributeNames": ["All"], "AttributeNames": ["SenderId"]}, every),
    ):
        (message,) = lab.receive(url, WaitTimeSeconds=5, **asked)
        assert set(message["Attributes"]) == given, asked
        assert "MessageAttributes" not in message
        assert all(message["Attributes"][name].isdigit() for name in times & given)
    (message,) = lab.receive(url, AttributeNames=["All"], MessageAttributeNames=["All"])
    assert message["Attributes"]["ApproximateReceiveCount"] == "8"
    assert message["MD5OfMessageAttributes"] == "ae7155c6026991b6d54b11589678bf9c"
