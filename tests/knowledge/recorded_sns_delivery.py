"""What AWS was recorded to deliver from topics. See `recordings.py`."""

import json
from typing import Any

from botocore.config import Config
from knowledge import refusals
from knowledge.recorded_sns import RETRIES, SNS, TOPIC, invalid
from knowledge.recordings import ACCOUNT, REGION, Lab, is_refused, refused

BATCH = "sns.PublishBatch: "
FIFO = TOPIC + ".fifo"
CONTENT = {"ContentBasedDeduplication": "true"}
SIGNED = {"SignatureVersion", "Signature", "SigningCertURL"}
ENVELOPE = {"Type", "MessageId", "TopicArn", "Message", "Timestamp", "UnsubscribeURL"}
SHA = {
    "Test": "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25",
    "Test single": "2591186c",
    "Test batched": "32a45f72",
}
URL = "http://example.com/inbox"

SNS.refusals(
    publish_batch_exceptions=" | ".join(
        BATCH + what
        for what in (
            "FIFO without MessageGroupId",
            "11 entries",
            "the same Id twice",
            "FIFO without deduplication id",
            "json without default",
        )
    )
)


def attributes(**values: Any) -> dict[str, dict[str, Any]]:
    """Message attributes: numbers, texts and bytes by the type of the value."""
    kinds = {str: ("String", "StringValue"), bytes: ("Binary", "BinaryValue")}
    found = {}
    for name, value in values.items():
        kind, key = kinds.get(type(value), ("Number", "StringValue"))
        found[name] = {"DataType": kind, key: value if isinstance(value, str | bytes) else str(value)}
    return found


def read(message: dict[str, Any]) -> dict[str, Any]:
    """The notification in a message."""
    found: dict[str, Any] = json.loads(message["Body"])
    return found


def letters(lab: Lab, arn: str, name: str = "letters", **more: str) -> str:
    """The URL of a queue into which a topic may send what it cannot deliver to a subscription, which is told so."""
    url = lab.queue(name, **more)
    lab.allow(url, arn.rpartition(":")[0])
    lab.change(arn, RedrivePolicy={"deadLetterTargetArn": lab.arn(url)})
    lab.wait(60)
    return url


# ---- notifications in queues -----------------------------------------------------------------------------------------


@SNS.same(
    "publish_message_by_target_arn",
    "publish_message_before_subscribe_topic",
    "subscribe_sqs_queue",
    "publish_unicode_chars",
    "publish_sqs_from_sns",
)
def _(lab: Lab) -> None:
    url, topic = lab.queue(), lab.topic()
    lab.sns.publish(TopicArn=topic, Message="before")
    lab.wait(10)
    arn = lab.subscribe(topic, url)
    binary = attributes(attr1=99.12, attr2=b"\x02\x03\x04")
    text = 'ö§a1"_!?,. £$-'
    sent = [
        lab.sns.publish(TargetArn=topic, Message="by target")["MessageId"],
        lab.sns.publish(TopicArn=topic, Message=text, Subject="s", MessageAttributes=binary)["MessageId"],
    ]
    found = sorted((read(message) for message in lab.collect(url)), key=lambda each: sent.index(each["MessageId"]))
    assert set(found[0]) == ENVELOPE | SIGNED
    assert set(found[1]) == ENVELOPE | SIGNED | {"Subject", "MessageAttributes"}
    assert found[1]["MessageAttributes"] == {
        "attr1": {"Type": "Number", "Value": "99.12"},
        "attr2": {"Type": "Binary", "Value": "AgME"},
    }
    for each, message in zip(found, ("by target", text), strict=True):
        assert each["Message"] == message and each["Type"] == "Notification" and each["SignatureVersion"] == "1"
        assert "/SimpleNotificationService-" in each["SigningCertURL"]
        assert each["UnsubscribeURL"].endswith(f"/?Action=Unsubscribe&SubscriptionArn={arn}")


@SNS.same("attribute_raw_subscribe", "publish_batch_messages_from_sns_to_sqs")
def _(lab: Lab) -> None:
    url, topic = lab.queue(), lab.topic()
    arn = lab.subscribe(topic, url, RawMessageDelivery="true")
    sums = {
        "one": ({"attr1": 99.12}, "d302007e9aa062660afc85fd0a482472"),
        "two": ({"attr1": 99.12, "attr2": 109.12}, "9b720b3af309c1c4b0d395c53b08c502"),
        "three": ({"attr1": 19.12}, "1f07082409022a373fa2a2601f82b3cb"),
    }
    entries = [
        {"Id": name, "Message": name, "MessageAttributes": attributes(**given)} for name, (given, _) in sums.items()
    ]
    structured = {"default": "for all", "sqs": "for queues"}
    entries.append({"Id": "json", "Message": json.dumps(structured), "MessageStructure": "json"})
    answer = lab.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert answer["Failed"] == [] and [each["Id"] for each in answer["Successful"]] == [*sums, "json"]
    found = {message["Body"]: message for message in lab.collect(url)}
    assert set(found) == {*sums, "for queues"}
    for name, (given, digest) in sums.items():
        assert found[name]["MD5OfMessageAttributes"] == digest
        assert found[name]["MessageAttributes"] == attributes(**given)
    lab.change(arn, RawMessageDelivery="false")
    lab.wait(60)
    lab.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    found = {read(message)["Message"]: message for message in lab.collect(url)}
    assert set(found) == {*sums, "for queues"} and "MessageAttributes" not in found["one"]


@SNS.same("message_attributes_not_missing")
def _(lab: Lab) -> None:
    url, topic, given = lab.queue(), lab.topic(), attributes(an_attribute="text")
    arn = lab.subscribe(topic, url, RawMessageDelivery="true")
    lab.sns.publish(TopicArn=topic, Message="raw", MessageAttributes=given)
    (raw,) = lab.collect(url)
    assert raw["MessageAttributes"] == given
    lab.change(arn, RawMessageDelivery="false")
    lab.wait(60)
    lab.sns.publish(TopicArn=topic, Message="wrapped", MessageAttributes=given)
    (wrapped,) = lab.collect(url)
    assert "MessageAttributes" not in wrapped
    assert read(wrapped)["MessageAttributes"] == {"an_attribute": {"Type": "String", "Value": "text"}}


@SNS.same("message_structure_json_to_sqs")
def _(lab: Lab) -> None:
    url, topic = lab.queue(), lab.topic()
    lab.subscribe(topic, url)
    for given, expected in (
        ({"default": "d", "sqs": "q"}, "q"),
        ({"default": "d", "sqs": {"key": "value"}}, "d"),
        ({"default": {"key": "value"}, "sqs": "q"}, None),
    ):
        if expected is None:
            error = refused(lab.sns.publish, TopicArn=topic, Message=json.dumps(given), MessageStructure="json")
            assert error["Code"] == "InvalidParameter"
        else:
            lab.sns.publish(TopicArn=topic, Message=json.dumps(given), MessageStructure="json")
            (message,) = lab.collect(url)
            assert read(message)["Message"] == expected


@SNS.same("empty_or_wrong_message_attributes")
def _(lab: Lab) -> None:
    sns, topic = lab.cloud.client("sns", config=Config(parameter_validation=False)), lab.topic()
    rows = [row for row in refusals.TABLE if row.operation == "sns.Publish" and "attr1" in row.message]
    assert len(rows) > 3
    for row in rows:
        assert refusals.same(row, row.ours())
    for given in ({"DataType": "String"}, {"DataType": "String", "StringValue": ""}):
        wrong = {"Message": "m", "MessageAttributes": {"attr1": given}}
        text = "The message attribute 'attr1' must contain non-empty message attribute value for message attribute type"
        for call, more in (
            (sns.publish, wrong),
            (sns.publish_batch, {"PublishBatchRequestEntries": [{"Id": "1", **wrong}, {"Id": "2", "Message": "m"}]}),
        ):
            error = refused(call, TopicArn=topic, **more)
            assert error["Code"] == "ParameterValueInvalid" and error["Message"].startswith(text), error
    wrong = {"Message": "m", "MessageAttributes": {"attr1": {"StringValue": "x"}}}
    form = "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null"
    inner = "messageAttributes.attr1.member.dataType"
    is_refused("ValidationError", form.format(inner), sns.publish, TopicArn=topic, **wrong)
    batch = {"PublishBatchRequestEntries": [{"Id": "1", **wrong}]}
    path = f"publishBatchRequestEntries.1.member.{inner}"
    is_refused("ValidationError", form.format(path), sns.publish_batch, TopicArn=topic, **batch)


@SNS.same("message_attributes_prefixes")
def _(lab: Lab) -> None:
    topic = lab.topic()
    for kind, accepted in (
        ("String.", False),
        ("Stringprefixed", False),
        ("String.prefixed", True),
        ("String.  prefixed.", True),
    ):
        given = {"Message": "m", "MessageAttributes": {"attr1": {"DataType": kind, "StringValue": "x"}}}
        if accepted:
            lab.sns.publish(TopicArn=topic, **given)
        else:
            error = refused(lab.sns.publish, TopicArn=topic, **given)
            assert error["Code"] == "ParameterValueInvalid" and "attr1" in error["Message"]


@SNS.same("cross_region_delivery_sqs")
def _(lab: Lab) -> None:
    topic, near = lab.topic(), lab.cloud.client("sns", region_name="us-west-2")
    queues = lab.cloud.client("sqs", region_name="us-west-2")
    url = queues.create_queue(QueueName="far")["QueueUrl"]
    arn = f"arn:aws:sqs:us-west-2:{ACCOUNT}:far"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    given = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": arn}
    is_refused(*invalid("TopicArn")[:2], near.subscribe, **given)
    lab.sns.subscribe(**given)
    lab.wait(60)
    lab.sns.publish(TopicArn=topic, Message="over there")
    (message,) = queues.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert read(message)["Message"] == "over there"


# ---- what cannot be delivered ----------------------------------------------------------------------------------------


@SNS.same("redrive_policy_sqs_queue_subscription", "subscription_after_failure_to_deliver")
def _(lab: Lab) -> None:
    for raw in ("true", "false"):
        url, topic = lab.queue(f"q-{raw}"), lab.topic(f"t-{raw}")
        arn = lab.subscribe(topic, url, RawMessageDelivery=raw)
        lab.sns.publish(TopicArn=topic, Message="first")
        assert len(lab.collect(url)) == 1
        lab.sqs.delete_queue(QueueUrl=url)
        lab.wait(60)
        lab.sns.publish(TopicArn=topic, Message="lost")
        lab.wait(60)
        dead = letters(lab, arn, f"letters-{raw}")
        (entry,) = lab.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert entry["SubscriptionArn"] == arn
        lab.sns.publish(TopicArn=topic, Message="kept", MessageAttributes=attributes(attr1="x"))
        (message,) = lab.collect(dead)
        if raw == "true":
            assert message["Body"] == "kept" and message["MessageAttributes"] == attributes(attr1="x")
        else:
            assert read(message)["Message"] == "kept" and "attr1" in read(message)["MessageAttributes"]


@SNS.same("python_lambda_subscribe_sns_topic", "redrive_policy_lambda_subscription")
def _(lab: Lab) -> None:
    seen: list[dict[str, Any]] = []
    lab.cloud.deploy("reader", lambda event, context: seen.append(event))
    topic, function = lab.topic(), f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:reader"
    functions = lab.cloud.client("lambda")
    functions.add_permission(
        FunctionName="reader",
        StatementId="sns",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    arn = lab.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)["SubscriptionArn"]
    sent = lab.sns.publish(TopicArn=topic, Message="hello")["MessageId"]
    lab.wait(10)
    (record,) = seen[0]["Records"]
    assert (record["EventSource"], record["EventVersion"], record["EventSubscriptionArn"]) == ("aws:sns", "1.0", arn)
    notification = record["Sns"]
    assert set(notification) == {
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertUrl",
        "UnsubscribeUrl",
        "MessageAttributes",
    }
    assert notification["MessageId"] == sent and notification["Message"] == "hello"
    assert notification["Subject"] is None and notification["MessageAttributes"] == {}
    dead = letters(lab, arn)
    functions.delete_function(FunctionName="reader")
    lab.wait(60)
    sent = lab.sns.publish(TopicArn=topic, Message="nobody")["MessageId"]
    (message,) = lab.collect(dead)
    assert set(read(message)) == ENVELOPE | SIGNED and read(message)["MessageId"] == sent


@SNS.same("sns_topic_as_lambda_dead_letter_queue")
def _(lab: Lab) -> None:
    def fail(event: Any, context: Any) -> None:
        raise ValueError("no")

    url, topic, functions = lab.queue(), lab.topic(), lab.cloud.client("lambda")
    lab.subscribe(topic, url)
    lab.cloud.deploy("fails", fail)
    functions.update_function_configuration(FunctionName="fails", DeadLetterConfig={"TargetArn": topic})
    functions.put_function_event_invoke_config(FunctionName="fails", MaximumRetryAttempts=0)
    event = {"raise_error": 1}
    functions.invoke(FunctionName="fails", InvocationType="Event", Payload=json.dumps(event))
    (message,) = lab.collect(url)
    notification = read(message)
    assert json.loads(notification["Message"]) == event and "Subject" not in notification
    found = notification["MessageAttributes"]
    assert {name: each["Type"] for name, each in found.items()} == {
        "ErrorCode": "Number",
        "ErrorMessage": "String",
        "RequestID": "String",
    }
    assert found["ErrorCode"]["Value"] == "200"


# ---- FIFO topics -----------------------------------------------------------------------------------------------------


@SNS.same(
    "message_to_fifo_sqs",
    "publish_to_fifo_topic_to_sqs_queue_no_content_dedup",
    "publish_to_fifo_topic_deduplication_on_topic_level",
    "publish_to_fifo_with_target_arn",
)
def _(lab: Lab) -> None:
    topic, ordinary = lab.topic("t.fifo", **CONTENT), lab.queue("plain.fifo")
    own, raw = lab.queue("own.fifo", **CONTENT), lab.queue("raw.fifo")
    lab.subscribe(topic, own)
    lab.subscribe(topic, ordinary)
    lab.subscribe(topic, raw, RawMessageDelivery="true")
    first = lab.sns.publish(TopicArn=topic, Message="Test", MessageGroupId="g")
    again = lab.sns.publish(TargetArn=topic, Message="Test", MessageGroupId="g")
    assert first["SequenceNumber"] and "MessageId" in first
    assert all(again[name] == first[name] for name in ("MessageId", "SequenceNumber"))
    for url in (own, ordinary, raw):
        (message,) = lab.collect(url)
        system = message["Attributes"]
        assert (system["MessageGroupId"], system["MessageDeduplicationId"]) == ("g", SHA["Test"])
        assert system["SequenceNumber"] != first["SequenceNumber"]
        if url == raw:
            assert message["Body"] == "Test"
            continue
        notification = read(message)
        assert set(notification) == ENVELOPE | {"SequenceNumber"}
        assert notification["SequenceNumber"] == first["SequenceNumber"]
        assert notification["MessageId"] == first["MessageId"]


@SNS.same("publish_batch_messages_from_fifo_topic_to_fifo_queue")
def _(lab: Lab) -> None:
    topic, url, plain = lab.topic("t.fifo", **CONTENT), lab.queue("q.fifo"), lab.topic("own.fifo")
    lab.subscribe(topic, url)
    lab.sns.publish(TopicArn=topic, Message="Test single", MessageGroupId="g")
    (message,) = lab.collect(url)
    assert message["Attributes"]["MessageDeduplicationId"].startswith(SHA["Test single"])
    entries = [{"Id": "1", "Message": "Test batched", "MessageGroupId": "g"}]
    for _ in range(2):
        answer = lab.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        assert answer["Failed"] == [] and set(answer["Successful"][0]) == {"Id", "MessageId", "SequenceNumber"}
    (message,) = lab.collect(url)
    assert message["Attributes"]["MessageDeduplicationId"].startswith(SHA["Test batched"])
    lab.subscribe(plain, lab.queue("other.fifo"))
    entries = [
        {"Id": str(n), "Message": f"m{n}", "MessageGroupId": "g", "MessageDeduplicationId": f"d{n}"} for n in range(5)
    ]
    lab.sns.publish_batch(TopicArn=plain, PublishBatchRequestEntries=entries)
    found = lab.collect(lab.queue("other.fifo"))
    assert [read(message)["Message"] for message in found] == [f"m{n}" for n in range(5)]
    assert [message["Attributes"]["MessageDeduplicationId"] for message in found] == [f"d{n}" for n in range(5)]


@SNS.same("message_to_fifo_sqs_ordering")
def _(lab: Lab) -> None:
    topic = lab.topic("t.fifo", **CONTENT)
    queues = [lab.queue(f"q{n}.fifo") for n in range(5)]
    for url in queues:
        lab.subscribe(topic, url, RawMessageDelivery="true")
    for number in range(10):
        lab.sns.publish(TopicArn=topic, Message=f"m{number}", MessageGroupId="g")
    for url in queues:
        assert [message["Body"] for message in lab.collect(url)] == [f"m{n}" for n in range(10)]


@SNS.same("fifo_topic_to_regular_sqs")
def _(lab: Lab) -> None:
    topic, url = lab.topic("t.fifo", **CONTENT), lab.queue()
    arn = lab.subscribe(topic, url)
    for group in ("one", "one", "two"):
        lab.sns.publish(TopicArn=topic, Message="Test", MessageGroupId=group)
    (message,) = lab.collect(url)
    assert set(read(message)) == ENVELOPE | {"SequenceNumber"}
    assert not {"MessageGroupId", "MessageDeduplicationId", "SequenceNumber"} & set(message["Attributes"])
    dead = letters(lab, arn)
    lab.sqs.delete_queue(QueueUrl=url)
    lab.wait(60)
    lab.sns.publish(TopicArn=topic, Message="later", MessageGroupId="one")
    assert [read(message)["Message"] for message in lab.collect(dead)] == ["later"]


@SNS.same("validations_for_fifo")
def _(lab: Lab) -> None:
    topic, plain, queue = lab.topic("t.fifo"), lab.topic(), lab.queue("q.fifo")
    given = {"Protocol": "sqs", "Endpoint": lab.arn(queue)}
    text = "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
    is_refused(*invalid(text)[:2], lab.sns.subscribe, TopicArn=plain, **given)
    arn, rule = lab.subscribe(topic, queue), {"deadLetterTargetArn": lab.arn(lab.queue("letters"))}
    text = "RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
    given = {"SubscriptionArn": arn, "AttributeName": "RedrivePolicy", "AttributeValue": json.dumps(rule)}
    is_refused(*invalid(text)[:2], lab.sns.set_subscription_attributes, **given)
    text = "The MessageGroupId parameter is required for FIFO topics"
    is_refused(*invalid(text)[:2], lab.sns.publish, TopicArn=topic, Message="m")
    text = (
        "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    )
    is_refused(*invalid(text)[:2], lab.sns.publish, TopicArn=topic, Message="m", MessageGroupId="g")
    text = "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for "
    error = refused(lab.sns.publish, TopicArn=plain, Message="m", MessageDeduplicationId="d")
    assert error["Message"].startswith(f"Invalid parameter: {text}")


@SNS.same("publish_fifo_messages_to_dlq")
def _(lab: Lab) -> None:
    for raw in ("true", "false"):
        topic, url = lab.topic(f"t-{raw}.fifo", **CONTENT), lab.queue(f"q-{raw}.fifo")
        arn = lab.subscribe(topic, url, RawMessageDelivery=raw)
        dead = letters(lab, arn, f"letters-{raw}.fifo")
        lab.sqs.delete_queue(QueueUrl=url)
        lab.wait(60)
        lab.sns.publish(TopicArn=topic, Message="Test", MessageGroupId="g")
        entries = [{"Id": str(n), "Message": f"m{n}", "MessageGroupId": "g"} for n in range(3)]
        lab.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        found = lab.collect(dead)
        bodies = [message["Body"] if raw == "true" else read(message)["Message"] for message in found]
        assert bodies == ["Test", "m0", "m1", "m2"]
        assert {message["Attributes"]["MessageGroupId"] for message in found} == {"g"}
        assert found[0]["Attributes"]["MessageDeduplicationId"] == SHA["Test"]


# ---- web servers, delivery streams -----------------------------------------------------------------------------------


def _reads(lab: Lab, topic: str, **more: str) -> tuple[str, dict[str, Any]]:
    """Subscribe the URL: the subscription's ARN, and the request to confirm."""
    given = {"TopicArn": topic, "Protocol": "http", "Endpoint": URL, "ReturnSubscriptionArn": True}
    arn = lab.sns.subscribe(**given, Attributes=more)["SubscriptionArn"]
    lab.wait(1)
    return arn, json.loads(lab.cloud.service("sns").inbox(URL).received[-1].body)


@SNS.same("subscribe_external_http_endpoint")
def _(lab: Lab) -> None:
    service, topic = lab.cloud.service("sns"), lab.topic()
    arn, asked = _reads(lab, topic)
    assert asked["Type"] == "SubscriptionConfirmation" and asked["TopicArn"] == topic
    attributes = lab.subscription(arn)
    assert (attributes["ConfirmationWasAuthenticated"], attributes["PendingConfirmation"]) == ("false", "true")
    for given, text in (
        ({"TopicArn": topic, "Token": "51b2ff3e" * 36}, "Token"),
        ({"TopicArn": topic.replace(REGION, "eu-central-1"), "Token": asked["Token"]}, "Topic"),
    ):
        is_refused(*invalid(text)[:2], lab.sns.confirm_subscription, **given)
    for _ in range(2):
        service.open_link(asked["SubscribeURL"])
    assert lab.subscription(arn)["PendingConfirmation"] == "false"
    lab.sns.publish(TopicArn=topic, Message="hello")
    lab.wait(5)
    notification = json.loads(service.inbox(URL).received[-1].body)
    assert set(notification) == ENVELOPE | SIGNED and notification["Message"] == "hello"
    service.open_link(notification["UnsubscribeURL"])
    lab.wait(5)
    last = json.loads(service.inbox(URL).received[-1].body)
    assert last["Type"] == "UnsubscribeConfirmation" and last["Token"]
    assert last["Message"] == (
        f"You have chosen to deactivate subscription {arn}.\nTo cancel this operation and restore the subscription, "
        "visit the SubscribeURL included in this message."
    )


@SNS.same("subscribe_external_http_endpoint_content_type")
def _(lab: Lab) -> None:
    service, topic = lab.cloud.service("sns"), lab.topic()
    request = {"requestPolicy": {"headerContentType": "text/csv"}}
    arn, asked = _reads(lab, topic, RawMessageDelivery="true", DeliveryPolicy=json.dumps(request))
    found = lab.subscription(arn)
    nothing = dict.fromkeys(("healthyRetryPolicy", "sicklyRetryPolicy", "throttlePolicy"))
    assert json.loads(found["DeliveryPolicy"]) == {**nothing, **request, "guaranteed": False}
    assert json.loads(found["EffectiveDeliveryPolicy"])["healthyRetryPolicy"] == RETRIES
    service.open_link(asked["SubscribeURL"])

    def kinds() -> list[str]:
        lab.wait(5)
        return [each.headers["Content-Type"] for each in service.inbox(URL).received]

    lab.sns.publish(TopicArn=topic, Message="a,b")
    plain = "text/plain; charset=UTF-8"
    assert kinds() == [plain, "text/csv"]
    other = lab.topic("json")
    policy = {"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}
    lab.sns.set_topic_attributes(TopicArn=other, AttributeName="DeliveryPolicy", AttributeValue=json.dumps(policy))
    lab.wait(60)
    _, asked = _reads(lab, other)
    service.open_link(asked["SubscribeURL"])
    lab.sns.publish(TopicArn=other, Message="{}")
    assert kinds()[2] == plain and kinds()[3].startswith("application/json")


@SNS.same("publish_to_firehose_with_s3")
def _(lab: Lab) -> None:
    iam, topic = lab.cloud.client("iam"), lab.topic()
    lab.cloud.client("s3").create_bucket(Bucket="the-bucket")
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for service in ("sns", "firehose"):
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        for write, more in (
            (iam.create_role, {"AssumeRolePolicyDocument": trust}),
            (iam.put_role_policy, {"PolicyName": "all", "PolicyDocument": allow}),
        ):
            documents = {
                name: json.dumps({"Version": "2012-10-17", "Statement": [value]}) if isinstance(value, dict) else value
                for name, value in more.items()
            }
            write(RoleName=service, **documents)
    destination = {"RoleARN": f"arn:aws:iam::{ACCOUNT}:role/firehose", "BucketARN": "arn:aws:s3:::the-bucket"}
    stream = lab.cloud.client("firehose").create_delivery_stream(
        DeliveryStreamName="stream", ExtendedS3DestinationConfiguration=destination
    )
    lab.wait(120)
    given = {"SubscriptionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/sns"}
    arn = stream["DeliveryStreamARN"]
    lab.sns.subscribe(TopicArn=topic, Protocol="firehose", Endpoint=arn, Attributes=given)
    sent = lab.sns.publish(TopicArn=topic, Message="kept")["MessageId"]
    lab.wait(600)
    files = lab.cloud.client("s3")
    (entry,) = files.list_objects_v2(Bucket="the-bucket")["Contents"]
    line = files.get_object(Bucket="the-bucket", Key=entry["Key"])["Body"].read().split(b"\n")[0]
    found = json.loads(line)
    assert (found["Type"], found["MessageId"], found["Message"]) == ("Notification", sent, "kept")
    assert "Timestamp" in found
