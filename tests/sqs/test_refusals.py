"""What SQS refuses, and in which words. The marker says from where the text is known; more stands in `knowledge`.

"ours" is also what only emulators of SQS have; "recorded" a text that was recorded of another parameter.
"""

import json

import pytest
from aws_errors import case, guide, ours, recorded, reported
from lab import ACCOUNT
from lab import Lab as Base

ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"
URL = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/orders"
STANDARD, FIFO = {"QueueUrl": URL}, {"QueueUrl": URL + ".fifo"}
IDS = {"MessageGroupId": "g", "MessageDeduplicationId": "x"}
VALUE, WIRE = "InvalidParameterValue", "AWS.SimpleQueueService."
BODY = {**STANDARD, "MessageBody": "x"}
MISSING = (WIRE + "NonExistentQueue", "The specified queue does not exist.")
ELSEWHERE = URL.replace(ACCOUNT, "111111111111")
GRANT = {**STANDARD, "Label": "l", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]}
SHORTER = (VALUE, "One or more parameters are invalid. Reason: Message must be shorter than 262144 bytes.")
ELEVEN = [f"{ARN}{n}" for n in range(11)]
RATE = (
    "Value for parameter MaxNumberOfMessagesPerSecond is invalid. "
    "Reason: You must enter a number that's between 1 and 500."
)
NEITHER = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
BATCHES = [
    ("send_message_batch", "SendMessageBatchRequestEntry", {"MessageBody": "x"}),
    ("delete_message_batch", "DeleteMessageBatchRequestEntry", {"ReceiptHandle": "x"}),
    ("change_message_visibility_batch", "ChangeMessageVisibilityBatchRequestEntry",
     {"ReceiptHandle": "x", "VisibilityTimeout": 1}),
]  # fmt: skip


def text(value, kind="String"):
    return {"DataType": kind, "StringValue": value}


def wrong(value, name, reason):
    return VALUE, f"Value {value} for parameter {name} is invalid. Reason: {reason}"


def change(queue, **attributes):
    return {**queue, "Attributes": attributes}


def redrive(name):
    return json.dumps({"deadLetterTargetArn": ARN + name, "maxReceiveCount": 1})


def dead(lab):
    lab.create("dead")
    lab.sqs.set_queue_attributes(**change(STANDARD, RedrivePolicy=redrive("dead")))


def dead_fifo(lab):
    dead(lab)
    lab.create("dead.fifo")
    lab.sqs.set_queue_attributes(**change(FIFO, RedrivePolicy=redrive("dead.fifo")))


def high_throughput(lab):
    high = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    lab.sqs.set_queue_attributes(**change(FIFO, **high))


def handle(lab):
    lab.sqs.send_message(**BODY)
    return {"ReceiptHandle": lab.sqs.receive_message(**STANDARD, WaitTimeSeconds=1)["Messages"][0]["ReceiptHandle"]}


CASES = [
    # ---- queues
    *(case(ours, "create_queue", {"QueueName": name}, VALUE,
           "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
      for name in ("", "a" * 81, "with space", "dot.", "orders.fifo", "ümlaut")),
    *(case(reported, "create_queue", {"QueueName": name, "Attributes": {"FifoQueue": "true"}}, VALUE,
           "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with "
           ".fifo suffix and be 1 to 80 in length.")
      for name in ("orders", "orders.fifo.", ".fifo", "a" * 76 + ".fifo", "with space.fifo")),
    case(guide, "get_queue_url", {"QueueName": "Orders"}, *MISSING),
    case(recorded, "get_queue_url", {"QueueName": "orders", "QueueOwnerAWSAccountId": "111111111111"}, *MISSING),
    *(case(recorded, operation, {"QueueUrl": url, **more}, *MISSING)
      for url in (URL.replace("orders", "nope"), ELSEWHERE)
      for operation, more in (("receive_message", {}), ("send_message", {"MessageBody": "x"}),
                              ("delete_message", {"ReceiptHandle": "x"}))),
    *(case(recorded, "receive_message", {"QueueUrl": address}, *MISSING)
      for address in ("nothing", "https://example.com/nothing", f"https://sqs.aws.com/{ACCOUNT}/nothing")),
    *(case(ours, "list_queues", {"MaxResults": n}, *wrong(n, "MaxResults", "Must be between 1 and 1000, if provided."))
      for n in (0, 1001)),
    case(guide, "list_queues", {"MaxResults": 1, "NextToken": "?!"}, VALUE),
    # ---- attributes of a queue
    *(case(recorded, "set_queue_attributes", change(STANDARD, **{name: value}), "InvalidAttributeName",
           f"Unknown Attribute {name}.")
      for name in ("FifoQueue", "ContentBasedDeduplication", "Nonsense", "QueueArn", "All")
      for value in ("false", "true")),
    case(guide, "get_queue_attributes", {**STANDARD, "AttributeNames": ["Nonsense"]}, "InvalidAttributeName",
         "Unknown Attribute Nonsense."),
    case(guide, "receive_message", {**STANDARD, "AttributeNames": ["Nonsense"]}, "InvalidAttributeName",
         "Unknown Attribute Nonsense."),
    *(case(recorded, "set_queue_attributes", change(STANDARD, **{name: "queue"}), "InvalidAttributeName",
           f"You can specify the {name} only when FifoQueue is set to true.")
      for name in ("DeduplicationScope", "FifoThroughputLimit")),
    *(case(guide, "set_queue_attributes", change(FIFO, **{name: value}), "InvalidAttributeValue",
           f"Invalid value for the parameter {name}.")
      for name in ("ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
      for value in ("maybe", "")),
    case(guide, "set_queue_attributes", change(FIFO, FifoThroughputLimit="perMessageGroupId"),
         "InvalidAttributeValue", "Invalid value for the parameter FifoThroughputLimit. ..."),
    case(guide, "set_queue_attributes", change(FIFO, DeduplicationScope="queue"), "InvalidAttributeValue",
         setup=high_throughput),
    *(case(recorded, operation, {**where, "Attributes": {"RedrivePolicy": policy}},
           *wrong(policy, "RedrivePolicy", reason))  # recorded: that a count is needed; reported: most of the texts
      for operation, where in (("set_queue_attributes", STANDARD), ("create_queue", {"QueueName": "new"}))
      for policy, reason in (
          ("nonsense", "Redrive policy is not a valid JSON map."),
          ('["list"]', "Redrive policy is not a valid JSON map."),
          ('{"maxReceiveCount": 3}', "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
          ('{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}', "Invalid value for deadLetterTargetArn."),
          (f'{{"deadLetterTargetArn": "{ARN}nope"}}',
           "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
          (f'{{"deadLetterTargetArn": "{ARN}nope", "maxReceiveCount": 3}}', "Dead letter target does not exist."),
          (f'{{"deadLetterTargetArn": "{ARN}nope", "maxReceiveCount": 0}}',
           "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive."))),
    case(reported, "set_queue_attributes", change(FIFO, RedrivePolicy=redrive("dead")),
         *wrong(redrive("dead"), "RedrivePolicy", "Dead-letter queue must be same type of queue as the source.."),
         setup=dead),
    case(reported, "set_queue_attributes", change(STANDARD, RedrivePolicy=redrive("orders.fifo")), VALUE),
    *(case(ours, "set_queue_attributes", change(STANDARD, RedriveAllowPolicy=policy),
           *wrong(policy, "RedriveAllowPolicy", "..."))
      for policy in ("nonsense", '{"redrivePermission": "maybe"}', '{"redrivePermission": "byQueue"}',
                     '{"redrivePermission": "allowAll", "sourceQueueArns": ["a"]}',
                     json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": ELEVEN}))),
    case(recorded, "set_queue_attributes", change(STANDARD, Policy="nonsense"), "InvalidAttributeValue",
         "Invalid value for the parameter Policy. Reason: Policy: is not JSON..."),
    case(ours, "add_permission", {**GRANT, "Actions": ["SendMessage"] * 8}, "OverLimit", status=403),
    *(case(ours, "add_permission", {**GRANT, **more}, code)
      for more, code in (({"Actions": []}, "MissingParameter"), ({"AWSAccountIds": []}, "MissingParameter"),
                         ({"Actions": ["DeleteQueue"]}, VALUE), ({"AWSAccountIds": ["12"]}, VALUE),
                         ({"Label": "no spaces"}, VALUE))),
    *(case(guide, "add_permission", {**GRANT, "AWSAccountIds": [who]}, VALUE)  # API: it names accounts only
      for who in (f"arn:aws:iam::{ACCOUNT}:role/worker", f"arn:aws:iam::{ACCOUNT}:user/ann", "*")),
    case(ours, "tag_queue", {**STANDARD, "Tags": {}}, "MissingParameter"),
    case(ours, "tag_queue", {**STANDARD, "Tags": {str(n): "" for n in range(51)}}, VALUE),
    # ---- sending
    *(case(ours, "send_message", {**BODY, "MessageSystemAttributes": bad}, VALUE)
      for bad in ({"Other": text("x")}, {"AWSTraceHeader": text("1", "Number")})),
    case(recorded, "send_message", {**STANDARD, "MessageBody": "ü" * 131073}, *SHORTER),
    case(guide, "send_message",
         {**STANDARD, "MessageBody": "x" * (262144 - 14), "MessageAttributes": {"name": text("value")}}, *SHORTER),
    case(recorded, "send_message", {**STANDARD, "MessageBody": ""}, "MissingParameter",
         "The request must contain the parameter MessageBody."),
    *(case(reported, "send_message", {**STANDARD, "MessageBody": f"hello {bad}"}, "InvalidMessageContents",
           f"...'#x{ord(bad):X}' was found in the message body...")
      for bad in ("\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800")),
    *(case(reported, "send_message", {**BODY, "DelaySeconds": n},
           *wrong(n, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."))
      for n in (-1, 901)),
    *(case(recorded, "send_message", {**BODY, name: "g"},
           *wrong("g", name, "The request include parameter that is not valid for this queue type."))
      for name in ("MessageGroupId", "MessageDeduplicationId")),  # 2023: a standard queue takes no MessageGroupId
    case(recorded, "receive_message", {**STANDARD, "ReceiveRequestAttemptId": "g"}, VALUE),
    *(case(reported, "send_message", {**FIFO, "MessageBody": "x", **IDS, name: value},
           *wrong(value, name, f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."))
      for name in IDS for value in ("with space", "ü", "a" * 129, "line\n")),
    *(case(recorded, "send_message", {**BODY, "MessageAttributes": attributes}, VALUE, message)
      for attributes, message in (  # the texts are reported, ours, or those of emulators
          ({f"a{n}": text("x") for n in range(11)},
           "Number of message attributes [11] exceeds the allowed maximum [10]."),
          ({"AWS.mine": text("x")},
           "Message (user) attribute name 'AWS.mine' must not begin with 'AWS.' or 'Amazon.'."),
          ({"amazon.mine": text("x")},
           "Message (user) attribute name 'amazon.mine' must not begin with 'AWS.' or 'Amazon.'."),
          ({"a" * 257: text("x")}, "Message (user) attribute name must be 1 to 256 characters long. It has 257."),
          ({"a b": text("x")}, "The message attribute name 'a b' is invalid. Attribute name can contain A-Z, a-z, "
           "0-9, underscore (_), hyphen (-), and period (.) characters."),
          ({"a": text("x", "Text")}, "The type of message (user) attribute 'a' is invalid. You must use only the "
           "following supported type prefixes: Binary, Number, String."),
          ({"a": text("many", "Number")}, "Can't cast the value of message (user) attribute 'a' to a number."),
          ({"a": text("x", "Binary")}, "Message (user) attribute 'a' must contain a non-empty value of type 'Binary'."),
          ({"a": text("\x00")}, "Message (user) attribute 'a' contains a character that is not allowed."))),
    # ---- batches; the texts of the empty batch and of equal ids are those of emulators
    *(case(recorded, operation, {**STANDARD, "Entries": [{"Id": id} | entry for id in ids]}, WIRE + code, message)
      for operation, kind, entry in BATCHES
      for ids, code, message in (
          ((), "EmptyBatchRequest", f"There should be at least one {kind} in the request."),
          (map(str, range(11)), "TooManyEntriesInBatchRequest",
           "Maximum number of entries per request are 10. You have sent 11."),
          ("aba", "BatchEntryIdsNotDistinct", "Id a repeated."),
          *(([bad], "InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and "
             "underscores. It can be at most 80 letters long.")
            for bad in ("", "testLongId" * 10, "invalid:id")))),
    *(case(recorded, "send_message_batch", {**FIFO, "Entries": [
           {"Id": "1", "MessageBody": "x", **IDS}, {"Id": "2", "MessageBody": "x", name: "2"}]}, VALUE, message)
      for name, message in (("MessageDeduplicationId", "The request must contain the parameter MessageGroupId."),
                            ("MessageGroupId", NEITHER))),
    # ---- receiving, deleting, hiding; recorded for MaxNumberOfMessages, reported for WaitTimeSeconds
    *(case(recorded, "receive_message", {**STANDARD, name: n}, *wrong(n, name, reason))
      for name, values, reason in (
          ("MaxNumberOfMessages", (0,), "Must be between 1 and 10, if provided."),
          ("VisibilityTimeout", (-1, 43201), "Must be between 0 and 43200, if provided."),
          ("WaitTimeSeconds", (-1, 21), "Must be >= 0 and <= 20, if provided."))
      for n in values),
    case(ours, "receive_message", {**FIFO, "ReceiveRequestAttemptId": "a" * 129},
         *wrong("a" * 129, "ReceiveRequestAttemptId", "...")),
    *(case(recorded, operation, {**STANDARD, "ReceiptHandle": bad, **more}, "ReceiptHandleIsInvalid",
           f'The input receipt handle "{bad}" is not a valid receipt handle.')
      for bad in ("made up", "", "AQEB", "ü")
      for operation, more in (("delete_message", {}), ("change_message_visibility", {"VisibilityTimeout": 1}))),
    case(guide, "delete_message", {**FIFO, "ReceiptHandle": "nonsense"}, "ReceiptHandleIsInvalid"),
    *(case(recorded, "change_message_visibility", {**STANDARD, "VisibilityTimeout": n},
           *wrong(n, "VisibilityTimeout", "Must be between 0 and 43200, if provided."), setup=handle)
      for n in (-1, 43201)),
    # ---- moving messages back
    case(ours, "start_message_move_task", {"SourceArn": "nonsense"}, VALUE, "You must use this format to specify the "
         "SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>"),
    case(ours, "start_message_move_task", {"SourceArn": ARN + "nope"}, "ResourceNotFoundException",
         "The resource that you specified for the SourceArn parameter doesn't exist.", 404),
    case(ours, "start_message_move_task", {"SourceArn": ARN + "dead", "DestinationArn": ARN + "dead"}, VALUE,
         "Source queue arn and destination queue arn cannot be the same.", setup=dead),
    *(case(ours, "start_message_move_task", {"SourceArn": ARN + "dead", "MaxNumberOfMessagesPerSecond": n}, VALUE,
           RATE, setup=dead)
      for n in (0, 501)),
    case(ours, "start_message_move_task", {"SourceArn": ARN + "dead.fifo", "DestinationArn": ARN + "dead"}, VALUE,
         "Source queue and destination queue must be of the same type.", setup=dead_fifo),
    case(guide, "list_message_move_tasks", {"SourceArn": ARN + "dead", "MaxResults": 11}, VALUE, setup=dead),
]  # fmt: skip


class Lab(Base):
    def __init__(self):
        super().__init__("sqs", assume={"sqs.outages_per_hour": 0})
        for name in ("orders", "orders.fifo"):
            self.create(name)

    def left(self):
        urls = self.sqs.list_queues()["QueueUrls"]
        return [self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for url in urls]


@pytest.fixture(scope="module")
def shared():
    return Lab()


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_in_the_words_of_aws(shared, case):
    lab = Lab() if case.setup else shared
    case.check(lab.sqs, lab, lab.left)
