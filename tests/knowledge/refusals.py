"""The recorded refusals of SQS and SNS; those of S3 stand beside them. See `refused.py`.

`pytest --knowledge` prints the table, and how many of our answers are the same.
"""

import json
from collections.abc import Callable
from typing import Any

from knowledge import refusals_s3
from knowledge.refused import (
    ACCOUNT,
    ENTRY_ID,
    NO_DEDUPLICATION,
    PARSED,
    QUEUE,
    REGION,
    TOPIC,
    TYPE,
    WIRE,
    Lab,
    Refusal,
    same,
)


def _attribute(kind: str = "String", name: str = "attr1", **value: Any) -> dict[str, Any]:
    return {"TopicArn": TOPIC, "Message": "m", "MessageAttributes": {name: {"DataType": kind, **value}}}


def _sends(*ids: str, body: str = "x", **more: str) -> list[dict[str, str]]:
    return [{"Id": id, "MessageBody": body, **more} for id in ids]


def _handles(*ids: str) -> list[dict[str, str]]:
    return [{"Id": id, "ReceiptHandle": "h"} for id in ids]


def _publishes(*ids: str, **more: str) -> list[dict[str, str]]:
    return [{"Id": id, "Message": "m", **more} for id in ids]


def _queue(**attributes: str) -> Callable[[Lab], dict[str, Any]]:
    return lambda lab: {"QueueUrl": lab.q, "Attributes": attributes}


_TWENTY = [str(n) for n in range(20)]
_MANY = "Maximum number of entries per request are 10. You have sent 20."
_VALUE, _QUEUES, _TOPICS = "InvalidParameterValue", "SQS, November 2023", "SNS, August 2023"
_MOVES = "SQS, January 2024"
_NO_TOPIC = "An ARN must have at least 6 elements, not"
_PREFIX = (
    "The message attribute 'attr1' has an invalid message attribute type, "
    "the set of supported type prefixes is Binary, Number, and String."
)
_EMPTY = "The message attribute 'attr1' must contain non-empty message attribute value for message attribute type "
_ATTRIBUTES = "MessageAttributes"
_OTHER_TYPE = "parameter that is not valid for this topic type"

TABLE = (
    Refusal(
        "sqs.SetQueueAttributes",
        "KmsMasterKeyId and SqsManagedSseEnabled",
        _queue(KmsMasterKeyId="k", SqsManagedSseEnabled="true"),
        "InvalidAttributeName",
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
        _QUEUES,
    ),
    Refusal(
        "sqs.SendMessage",
        "FIFO, DelaySeconds=2",
        lambda lab: {
            "QueueUrl": lab.fifo,
            "MessageBody": "x",
            "DelaySeconds": 2,
            "MessageGroupId": "g",
            "MessageDeduplicationId": "d",
        },
        _VALUE,
        f"Value 2 for parameter DelaySeconds is invalid. {TYPE}",
        _QUEUES,
    ),
    Refusal(
        "sqs.CreateQueue",
        "same name, another DelaySeconds",
        lambda lab: {"QueueName": "q", "Attributes": {"DelaySeconds": "7"}},
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute DelaySeconds",
        _QUEUES,
    ),
    Refusal(
        "sqs.CreateQueue",
        "same FIFO name, another ContentBasedDeduplication",
        lambda lab: {"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true", "ContentBasedDeduplication": "true"}},
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute ContentBasedDeduplication",
        _QUEUES,
    ),
    Refusal(
        "sqs.SetQueueAttributes",
        "RedrivePolicy to dummy",
        _queue(RedrivePolicy='{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}'),
        _VALUE,
        'Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter RedrivePolicy is invalid. '
        "Reason: Invalid value for deadLetterTargetArn.",
        _QUEUES,
    ),
    Refusal(
        "sqs.PurgeQueue",
        "twice",
        lambda lab: {"QueueUrl": lab.q},
        WIRE + "PurgeQueueInProgress",
        "Only one PurgeQueue operation on q is allowed every 60 seconds.",
        _QUEUES,
        403,
        before=lambda lab: lab.sqs.purge_queue(QueueUrl=lab.q),
    ),
    Refusal(
        "sqs.SendMessage",
        "262,145 bytes",
        lambda lab: {"QueueUrl": lab.q, "MessageBody": "a" * 262145},
        _VALUE,
        "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes.",
        _QUEUES,
    ),
    Refusal(
        "sqs.SendMessage",
        "1,025 bytes, MaximumMessageSize=1024",
        lambda lab: {"QueueUrl": lab.q, "MessageBody": "a" * 1025},
        _VALUE,
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
        _QUEUES,
        before=lambda lab: lab.sqs.set_queue_attributes(**_queue(MaximumMessageSize="1024")(lab)),
    ),
    Refusal(
        "sqs.SendMessageBatch",
        "262,145 bytes in all",
        lambda lab: {"QueueUrl": lab.q, "Entries": _sends("1", body="a" * 262144) + _sends("2", body="b")},
        WIRE + "BatchRequestTooLong",
        "Batch requests cannot be longer than 262144 bytes. You have sent 262145 bytes.",
        _QUEUES,
    ),
    *(
        Refusal(
            "sqs.DeleteMessageBatch",
            f"Id={id[:12]!r}",
            lambda lab, id=id: {"QueueUrl": lab.q, "Entries": _handles(id)},
            WIRE + "InvalidBatchEntryId",
            ENTRY_ID,
            _QUEUES,
        )
        for id in ("", "testLongId" * 10, "invalid:id")
    ),
    Refusal(
        "sqs.SendMessageBatch",
        "20 entries",
        lambda lab: {"QueueUrl": lab.q, "Entries": _sends(*_TWENTY)},
        WIRE + "TooManyEntriesInBatchRequest",
        _MANY,
        _QUEUES,
    ),
    Refusal(
        "sqs.SendMessageBatch",
        "Id='invalid:id'",
        lambda lab: {"QueueUrl": lab.q, "Entries": _sends("invalid:id")},
        WIRE + "InvalidBatchEntryId",
        ENTRY_ID,
        _QUEUES,
    ),
    Refusal(
        "sqs.DeleteMessageBatch",
        "20 entries",
        lambda lab: {"QueueUrl": lab.q, "Entries": _handles(*_TWENTY)},
        WIRE + "TooManyEntriesInBatchRequest",
        _MANY,
        _QUEUES,
    ),
    Refusal(
        "sqs.ChangeMessageVisibilityBatch",
        "20 entries",
        lambda lab: {"QueueUrl": lab.q, "Entries": [e | {"VisibilityTimeout": 1} for e in _handles(*_TWENTY)]},
        WIRE + "TooManyEntriesInBatchRequest",
        _MANY,
        _QUEUES,
    ),
    Refusal(
        "sqs.ReceiveMessage",
        "MaxNumberOfMessages=11",
        lambda lab: {"QueueUrl": lab.q, "MaxNumberOfMessages": 11},
        _VALUE,
        "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        _QUEUES,
    ),
    Refusal(
        "sqs.AddPermission",
        "the same label again",
        lambda lab: {"QueueUrl": lab.q, "Label": "l", "AWSAccountIds": [ACCOUNT], "Actions": ["ReceiveMessage"]},
        _VALUE,
        "Value l for parameter Label is invalid. Reason: Already exists.",
        _QUEUES,
        before=lambda lab: lab.sqs.add_permission(
            QueueUrl=lab.q, Label="l", AWSAccountIds=[ACCOUNT], Actions=["ReceiveMessage"]
        ),
    ),
    Refusal(
        "sqs.RemovePermission",
        "an unknown label",
        lambda lab: {"QueueUrl": lab.q, "Label": "l"},
        _VALUE,
        "Value l for parameter Label is invalid. Reason: can't find label.",
        _QUEUES,
    ),
    Refusal(
        "sqs.SendMessageBatch",
        "FIFO without MessageGroupId",
        lambda lab: {"QueueUrl": lab.fifo, "Entries": _sends("1", MessageDeduplicationId="d")},
        _VALUE,
        "The request must contain the parameter MessageGroupId.",
        _QUEUES,
    ),
    Refusal(
        "sqs.SendMessageBatch",
        "FIFO without deduplication id",
        lambda lab: {"QueueUrl": lab.fifo, "Entries": _sends("1", MessageGroupId="g")},
        _VALUE,
        NO_DEDUPLICATION,
        _QUEUES,
    ),
    Refusal(
        "sqs.SendMessage",
        "FIFO without deduplication id",
        lambda lab: {"QueueUrl": lab.fifo, "MessageBody": "x", "MessageGroupId": "g"},
        _VALUE,
        NO_DEDUPLICATION,
        _QUEUES,
    ),
    Refusal(
        "sqs.SendMessage",
        "FIFO without MessageGroupId",
        lambda lab: {"QueueUrl": lab.fifo, "MessageBody": "x"},
        "MissingParameter",
        "The request must contain the parameter MessageGroupId.",
        _QUEUES,
    ),
    Refusal(
        "sqs.SendMessage",
        "an empty String attribute",
        lambda lab: {
            "QueueUrl": lab.q,
            "MessageBody": "x",
            "MessageAttributes": {"ErrorDetails": {"DataType": "String", "StringValue": ""}},
        },
        _VALUE,
        "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'.",
        _QUEUES,
    ),
    Refusal(
        "sqs.SetQueueAttributes",
        "FifoQueue of a standard queue",
        _queue(FifoQueue="true"),
        "InvalidAttributeName",
        "Unknown Attribute FifoQueue.",
        _QUEUES,
    ),
    Refusal(
        "sqs.SetQueueAttributes",
        "FifoQueue=false of a FIFO queue",
        lambda lab: {"QueueUrl": lab.fifo, "Attributes": {"FifoQueue": "false"}},
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
        _QUEUES,
    ),
    Refusal(
        "sqs.GetQueueUrl",
        "an unknown name",
        lambda lab: {"QueueName": "no"},
        WIRE + "NonExistentQueue",
        "The specified queue does not exist.",
        _QUEUES,
    ),
    Refusal(
        "sqs.GetQueueAttributes",
        "an unknown URL",
        lambda lab: {"QueueUrl": lab.q + "-no"},
        WIRE + "NonExistentQueue",
        "The specified queue does not exist.",
        _QUEUES,
    ),
    Refusal(
        "sqs.DeleteMessage",
        "FIFO, an expired handle",
        lambda lab: {"QueueUrl": lab.fifo, "ReceiptHandle": lab.expired()},
        _VALUE,
        "Value <handle> for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        _QUEUES,
    ),
    Refusal(
        "sqs.StartMessageMoveTask",
        "a source that is no dead-letter queue",
        lambda lab: {"SourceArn": QUEUE + "q"},
        _VALUE,
        "Source queue must be configured as a Dead Letter Queue.",
        _MOVES,
    ),
    Refusal(
        "sqs.CancelMessageMoveTask",
        "TaskHandle='foobared'",
        lambda lab: {"TaskHandle": "foobared"},
        _VALUE,
        "Value for parameter TaskHandle is invalid.",
        _MOVES,
    ),
    Refusal(
        "sqs.StartMessageMoveTask",
        "an unknown destination",
        lambda lab: {"SourceArn": lab.dead(), "DestinationArn": QUEUE + "no"},
        "ResourceNotFoundException",
        "The resource that you specified for the DestinationArn parameter doesn't exist.",
        _MOVES,
        404,
    ),
    # ---- SNS ----
    Refusal(
        "sns.GetTopicAttributes",
        "an unknown topic",
        lambda lab: {"TopicArn": TOPIC + "-no"},
        "NotFound",
        "Topic does not exist",
        _TOPICS,
        404,
    ),
    *(
        Refusal(
            f"sns.{operation}",
            f"TopicArn={arn!r}",
            lambda lab, arn=arn, more=more: {"TopicArn": arn, **more},
            "InvalidParameter",
            f"Invalid parameter: TopicArn Reason: {_NO_TOPIC} {parts}",
            _TOPICS,
        )
        for operation, more, arn, parts in (
            ("GetTopicAttributes", {}, "topic", 1),
            ("Publish", {"Message": "m"}, "t", 1),
            ("Publish", {"Message": "m"}, "a:b", 2),
            ("Publish", {"Message": "m"}, "", 1),
        )
    ),
    Refusal(
        "sns.CreateTopic",
        "a tag twice",
        lambda lab: {"Name": "x", "Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]},
        "InvalidParameter",
        "Invalid parameter: Duplicated keys are not allowed.",
        _TOPICS,
    ),
    Refusal(
        "sns.CreateTopic",
        "the same name, other tags",
        lambda lab: {"Name": "t", "Tags": [{"Key": "k", "Value": "1"}]},
        "InvalidParameter",
        "Invalid parameter: Tags Reason: Topic already exists with different tags",
        _TOPICS,
    ),
    Refusal(
        "sns.Publish",
        "an unknown topic",
        lambda lab: {"TopicArn": TOPIC + "-no", "Message": "m"},
        "NotFound",
        "Topic does not exist",
        _TOPICS,
        404,
    ),
    Refusal(
        "sns.Publish",
        "an unknown device",
        lambda lab: {
            "TargetArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:endpoint/APNS/abcdef/0f7d5971-aa8b-4bd5-b585-0826e9f93a66",
            "Message": "m",
        },
        "InvalidParameter",
        "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified",
        _TOPICS,
    ),
    Refusal(
        "sns.Publish",
        "Subject=''",
        lambda lab: {"TopicArn": TOPIC, "Message": "m", "Subject": ""},
        "InvalidParameter",
        "Invalid parameter: Subject",
        _TOPICS,
    ),
    Refusal(
        "sns.Publish",
        "Message=''",
        lambda lab: {"TopicArn": TOPIC, "Message": ""},
        "InvalidParameter",
        "Invalid parameter: Empty message",
        _TOPICS,
    ),
    Refusal(
        "sns.Publish",
        "262,145 bytes",
        lambda lab: {"TopicArn": TOPIC, "Message": "a" * 262145},
        "InvalidParameter",
        "Invalid parameter: Message too long",
        "SNS, September 2024",
    ),
    *(
        Refusal(
            "sns.Publish",
            f"MessageStructure=json, {text}",
            lambda lab, text=text: {"TopicArn": TOPIC, "Message": text, "MessageStructure": "json"},
            "InvalidParameter",
            f"Invalid parameter: Message Structure - {why}",
            _TOPICS,
        )
        for text, why in (
            ('{"sqs": "x"}', "No default entry in JSON message body"),
            ('{"default": "x', "JSON message body failed to parse"),
            ('{"default": {"object": "x"}}', "No default entry in JSON message body"),
        )
    ),
    Refusal(
        "sns.Subscribe",
        "Protocol='test-protocol'",
        lambda lab: {"TopicArn": TOPIC, "Protocol": "test-protocol", "Endpoint": "x"},
        "InvalidParameter",
        "Invalid parameter: Amazon SNS does not support this protocol string: test-protocol",
        _TOPICS,
    ),
    Refusal(
        "sns.Subscribe",
        "RawMessageDelivery='wrongvalue'",
        lambda lab: {
            "TopicArn": TOPIC,
            "Protocol": "sqs",
            "Endpoint": QUEUE + "q2",
            "Attributes": {"RawMessageDelivery": "wrongvalue"},
        },
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [wrongvalue]. Must be true or false.",
        "SNS, March 2024",
    ),
    Refusal(
        "sns.GetSubscriptionAttributes",
        "an unknown one",
        lambda lab: {"SubscriptionArn": lab.sub[:-1] + ("0" if lab.sub[-1] != "0" else "1")},
        "NotFound",
        "Subscription does not exist",
        _TOPICS,
        404,
    ),
    Refusal(
        "sns.SetSubscriptionAttributes",
        "of one that was removed",
        lambda lab: {"SubscriptionArn": lab.sub, "AttributeName": "RawMessageDelivery", "AttributeValue": "true"},
        "NotFound",
        "Subscription does not exist",
        _TOPICS,
        404,
        before=lambda lab: lab.sns.unsubscribe(SubscriptionArn=lab.sub),
    ),
    *(
        Refusal(
            "sns.SetSubscriptionAttributes",
            f"{name}={value!r}",
            lambda lab, name=name, value=value: {
                "SubscriptionArn": lab.sub,
                "AttributeName": name,
                "AttributeValue": value,
            },
            "InvalidParameter",
            f"Invalid parameter: {why}",
            "SNS, March 2024",
        )
        for name, value, why in (
            ("FakeAttribute", "x", "AttributeName"),
            (
                "RawMessageDelivery",
                "test-ValUe",
                "RawMessageDelivery: Invalid value [test-ValUe]. Must be true or false.",
            ),
            ("RawMessageDelivery", "", "RawMessageDelivery: Invalid value []. Must be true or false."),
            (
                "RedrivePolicy",
                '{"deadLetterTargetArn": "fake-arn"}',
                "RedrivePolicy: deadLetterTargetArn is an invalid arn",
            ),
            (
                "RedrivePolicy",
                "{invalidjson}",
                f"RedrivePolicy: failed to parse JSON. {PARSED}"
                "[Source: java.io.StringReader@469cc9aa; line: 1, column: 3]",
            ),
            (
                "FilterPolicy",
                "{invalidjson}",
                f'FilterPolicy: failed to parse JSON. {PARSED}[Source: (String)"{{invalidjson}}"; line: 1, column: 3]',
            ),
        )
    ),
    *(
        Refusal(
            "sns.ConfirmSubscription",
            f"{what}",
            lambda lab, arn=arn, token=token: {"TopicArn": arn, "Token": token},
            "InvalidParameter",
            text,
            _TOPICS,
        )
        for what, arn, token, text in (
            ("a topic that is not there", TOPIC + "-no", "51b2ff3e" * 32, "Invalid parameter: Token"),
            ("Token='randomtoken'", TOPIC, "randomtoken", "Invalid token"),
            ("a token nobody gave", TOPIC, "51b2ff3e" * 32, "Invalid parameter: Token"),
        )
    ),
    Refusal(
        "sns.PublishBatch",
        "an unknown topic",
        lambda lab: {"TopicArn": TOPIC + "-no", "PublishBatchRequestEntries": _publishes("1")},
        "NotFound",
        "Topic does not exist",
        _TOPICS,
        404,
    ),
    *(
        Refusal(
            "sns.PublishBatch",
            what,
            lambda lab, entries=entries: {"TopicArn": TOPIC + ".fifo", "PublishBatchRequestEntries": entries},
            code,
            text,
            _TOPICS,
        )
        for what, entries, code, text in (
            (
                "FIFO without MessageGroupId",
                _publishes("1"),
                "InvalidParameter",
                "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
            ),
            (
                "11 entries",
                _publishes(*map(str, range(11)), MessageGroupId="g"),
                "TooManyEntriesInBatchRequest",
                "The batch request contains more entries than permissible.",
            ),
            (
                "the same Id twice",
                _publishes("1", "1", MessageGroupId="g"),
                "BatchEntryIdsNotDistinct",
                "Two or more batch entries in the request have the same Id.",
            ),
            (
                "FIFO without deduplication id",
                _publishes("1", MessageGroupId="g"),
                "InvalidParameter",
                "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or "
                "MessageDeduplicationId provided explicitly",
            ),
            (
                "json without default",
                [
                    {
                        "Id": "1",
                        "Message": '{"sqs": "x"}',
                        "MessageStructure": "json",
                        "MessageGroupId": "g",
                        "MessageDeduplicationId": "d",
                    }
                ],
                "InvalidParameter",
                "Invalid parameter: Message Structure - No default entry in JSON message body",
            ),
        )
    ),
    Refusal(
        "sns.Subscribe",
        "a queue's URL",
        lambda lab: {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": lab.q},
        "InvalidParameter",
        "Invalid parameter: SQS endpoint ARN",
        _TOPICS,
    ),
    *(
        Refusal("sns.Publish", what, lambda lab, given=given: given, "ParameterValueInvalid", text, _TOPICS)
        for what, given, text in (
            ("a String attribute without value", _attribute(StringValue=""), f"{_EMPTY}'String'."),
            ("a Binary attribute without value", _attribute("Binary", BinaryValue=b""), f"{_EMPTY}'Binary'."),
            (
                "String with BinaryValue",
                _attribute(BinaryValue=b"x"),
                "The message attribute 'attr1' with type 'String' must use field 'String'.",
            ),
            (
                "Number with BinaryValue",
                _attribute("Number", BinaryValue=b"x"),
                "The message attribute 'attr1' with type 'Number' must use field 'String'.",
            ),
            (
                "Binary with StringValue",
                _attribute("Binary", StringValue="x"),
                "The message attribute 'attr1' with type 'Binary' must use field 'Binary'.",
            ),
            ("DataType='InvalidType'", _attribute("InvalidType", StringValue="x"), _PREFIX),
            ("DataType='Binary.'... as a prefix", _attribute("Stringprefixed", StringValue="x"), _PREFIX),
            (
                "a name of 257 bytes",
                _attribute(name="a" * 257, StringValue="x"),
                "Length of message attribute name must be less than 256 bytes.",
            ),
            (
                "a name with ^",
                _attribute(name="a^b", StringValue="x"),
                "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. "
                "Can only include alphanumeric characters, hyphens, underscores, or dots.",
            ),
            (
                "a name that begins with a dot",
                _attribute(name=".a", StringValue="x"),
                "Invalid message attribute name starting with character '.' was found.",
            ),
            (
                "a name that ends with a dot",
                _attribute(name="a.", StringValue="x"),
                "Invalid message attribute name ending with character '.' was found.",
            ),
            (
                "a name with two dots",
                _attribute(name="a..b", StringValue="x"),
                "Message attribute name can not have successive '.' character.",
            ),
        )
    ),
    Refusal(
        "sns.Subscribe",
        "a FIFO queue to a standard topic",
        lambda lab: {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE + "q.fifo"},
        "InvalidParameter",
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS "
        "topics",
        _TOPICS,
    ),
    Refusal(
        "sns.Publish",
        "FIFO without MessageGroupId",
        lambda lab: {"TopicArn": TOPIC + ".fifo", "Message": "m"},
        "InvalidParameter",
        "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        _TOPICS,
    ),
    Refusal(
        "sns.Publish",
        "FIFO without deduplication id",
        lambda lab: {"TopicArn": TOPIC + ".fifo", "Message": "m", "MessageGroupId": "g"},
        "InvalidParameter",
        "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
        "provided explicitly",
        _TOPICS,
    ),
    *(
        Refusal(
            "sns.Publish",
            f"{name} to a standard topic",
            lambda lab, name=name: {"TopicArn": TOPIC, "Message": "m", name: "x"},
            "InvalidParameter",
            f"Invalid parameter: {name} Reason: The request includes {name} {_OTHER_TYPE}",
            _TOPICS,
        )
        for name in ("MessageDeduplicationId", "MessageGroupId")
    ),
    *(
        Refusal(
            "sns.Unsubscribe",
            f"SubscriptionArn={arn!r}",
            lambda lab, arn=arn: {"SubscriptionArn": arn},
            "InvalidParameter",
            f"Invalid parameter: {why}",
            "SNS, October 2023",
        )
        for arn, why in (
            ("randomstring", f"SubscriptionArn Reason: {_NO_TOPIC} 1"),
            ("arn:aws:sns:us-east-1:random", f"SubscriptionArn Reason: {_NO_TOPIC} 5"),
            (f"arn:aws:sns:us-east-1:{ACCOUNT}:random", "SubscriptionId"),
        )
    ),
    Refusal(
        "sns.Publish",
        "a topic of another region",
        lambda lab: {"TopicArn": TOPIC.replace(REGION, "eu-west-1"), "Message": "m"},
        "InvalidParameter",
        "Invalid parameter: TopicArn",
        "SNS, November 2023",
    ),
    Refusal(
        "sns.PublishBatch",
        "262,146 bytes in all",
        lambda lab: {
            "TopicArn": TOPIC,
            "PublishBatchRequestEntries": [{"Id": n, "Message": "a" * 131073} for n in "12"],
        },
        "BatchRequestTooLong",
        "The length of all the messages put together is more than the limit.",
        "SNS, September 2024",
    ),
    *(
        Refusal(
            "sns.SetSubscriptionAttributes",
            f"{name}: {what}",
            lambda lab, name=name, value=value: {
                "SubscriptionArn": lab.sub,
                "AttributeName": name,
                "AttributeValue": value,
            },
            "InvalidParameter",
            f"Invalid parameter: {why}",
            "SNS, May 2024",
            before=lambda lab, scope=scope: lab.sns.set_subscription_attributes(
                SubscriptionArn=lab.sub, AttributeName="FilterPolicyScope", AttributeValue=scope
            ),
        )
        for name, what, value, scope, why in (
            (
                "FilterPolicyScope",
                "RandomValue",
                "RandomValue",
                _ATTRIBUTES,
                "FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or MessageAttributes",
            ),
            (
                "FilterPolicy",
                "nested, of attributes",
                '{"object": {"key": [{"prefix": "auto-"}]}}',
                _ATTRIBUTES,
                "Filter policy scope MessageAttributes does not support nested filter policy",
            ),
            (
                "FilterPolicy",
                "six keys",
                json.dumps({f"key_{n}": ["value_one"] for n in range(6)}),
                "MessageBody",
                "FilterPolicy: Filter policy can not have more than 5 keys",
            ),
            (
                "FilterPolicy",
                "too many combinations",
                json.dumps({"a": {"b": {"c": [*map(str, range(8))]}}, "d": {"e": [*map(str, range(8))]}}),
                "MessageBody",
                "FilterPolicy: Filter policy is too complex",
            ),
            (
                "FilterPolicy",
                "a text where a list should be",
                '{"key_a":"value_one"}',
                "MessageBody",
                'FilterPolicy: "key_a" must be an object or an array\n at [Source: (String)"{"key_a":"value_one"}"; '
                "line: 1, column: 11]",
            ),
        )
    ),
    *refusals_s3.TABLE,
)


def table() -> str:
    """Operation, input, expected code and text, source, ours where it differs."""
    lines, fitting = [], 0
    for refusal in TABLE:
        ours = refusal.ours()
        fits = same(refusal, ours)
        fitting += fits
        lines.append(
            f"{refusal.operation} | {refusal.input} | {refusal.code}: {refusal.message!r} | {refusal.recorded} | "
            f"{'the same' if fits else ours}"
        )
    services = {name: [r for r in TABLE if r.operation.startswith(name)] for name in ("sqs", "sns", "s3")}
    counts = ", ".join(f"{len(rows)} of {name.upper()}" for name, rows in services.items())
    return "\n".join([*lines, f"\n{fitting} of {len(TABLE)} recorded refusals are ours word for word ({counts})"])


if __name__ == "__main__":
    print(table())
