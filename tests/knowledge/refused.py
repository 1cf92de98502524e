"""What AWS was recorded to refuse, and in which words: one refusal, and whether ours is the same.

The recordings are those of LocalStack's public tests, which were run against AWS (tests/aws/services/*/*.snapshot.json,
2022 to 2026); the inputs are ours, after what each recording tells of its test.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lablib import Cloud

ACCOUNT, REGION = "123456789012", "us-east-1"
WIRE = "AWS.SimpleQueueService."
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
TYPE = "Reason: The request include parameter that is not valid for this queue type."
ENTRY_ID = (
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
    "It can be at most 80 letters long."
)
NO_DEDUPLICATION = (
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
)
PARSED = "Unexpected character ('i' (code 105)): was expecting double-quote to start field name\n at "


class Lab:
    """The resources that the recordings had."""

    def __init__(self) -> None:
        self.cloud = Cloud(seed=1, assume={"sqs.outages_per_hour": 0})
        for name in ("sqs", "sns", "s3"):
            setattr(self, name, self.cloud.client(name))
        self.q = self.sqs.create_queue(QueueName="q")["QueueUrl"]
        self.fifo = self.sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        self.sns.create_topic(Name="t")
        self.sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})
        self.sub = self.sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE + "q")["SubscriptionArn"]
        self.s3.create_bucket(Bucket="bucket-of-tests")

    def dead(self) -> str:
        """A dead-letter queue that has a source."""
        self.sqs.create_queue(QueueName="dead")
        policy = json.dumps({"deadLetterTargetArn": QUEUE + "dead", "maxReceiveCount": 1})
        self.sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})
        return QUEUE + "dead"

    def expired(self) -> str:
        """A receipt handle of a FIFO queue whose visibility timeout has passed."""
        group = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
        self.sqs.send_message(QueueUrl=self.fifo, MessageBody="x", **group)
        handle = self.sqs.receive_message(QueueUrl=self.fifo, VisibilityTimeout=1)["Messages"][0]["ReceiptHandle"]
        self.cloud.advance(2)
        return str(handle)


@dataclass(frozen=True)
class Refusal:
    """One recording: the operation, its input in short and as parameters, and what AWS said."""

    operation: str
    input: str
    given: Callable[[Lab], dict[str, Any]]
    code: str
    message: str
    recorded: str
    status: int = 400
    before: Callable[[Lab], Any] = lambda lab: None
    details: tuple[tuple[str, str], ...] = ()
    region: str = REGION

    def ours(self) -> dict[str, Any]:
        """What the lab says."""
        lab = Lab()
        self.before(lab)
        service, operation = self.operation.split(".")
        client = lab.cloud.client(service, region_name=self.region)
        name = next(method for method, api in client.meta.method_to_api_mapping.items() if api == operation)
        given = self.given(lab)
        try:
            getattr(client, name)(**given)
        except ClientError as error:
            about = error.response["Error"]
            kept = {name: about.get(name) for name in ("Code", "Message", *dict(self.details))}
            return kept | {"status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
        return {"Code": "accepted", "Message": "", "status": 200}

    def aws(self) -> dict[str, Any]:
        """What AWS says."""
        return {"Code": self.code, "Message": self.message, "status": self.status, **dict(self.details)}


def same(refusal: Refusal, ours: dict[str, Any]) -> bool:
    """Do code, status, text and details agree? A receipt handle and an upload's id are whatever they are."""
    aws = refusal.aws()
    if aws.get("UploadId") == "<upload>" and ours.get("UploadId"):
        aws["UploadId"] = ours["UploadId"]
    if "<handle>" in aws["Message"]:
        begin, end = aws["Message"].split("<handle>")
        found = {**ours, "Message": aws["Message"]} if ours["Message"].startswith(begin) else ours
        return found == aws and ours["Message"].endswith(end)
    return ours == aws
