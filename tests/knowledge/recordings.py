"""What AWS was recorded to do, and whether the lab does the same: how the tables beside this file are written.

The recordings are those of LocalStack's public tests, which were run against AWS between 2022 and December 2025
(tests/aws/services/*, the tests marked as validated). A recording is named here as the public suite names its test,
without "test_"; what it found is told and checked in our own words. Each recording stands in exactly one of these:

- `same`: a check that must pass;
- `refusals`: rows of `refusals.py`, which must be the same word for word;
- `differs`: a check of what AWS did, which must fail, and why the lab decides otherwise;
- `apart`: it is about something that is not simulated, and why;
- `retold`: a check that must pass, of what the suite's own implementation answers, which its tests hold to the
  recordings: what AWS answered was not in the copies that could be read;
- `unread`: its calls could be read, but not what AWS answered.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from knowledge import refusals
from knowledge.refused import Refusal, same

from lablib import Cloud

ACCOUNT, REGION = "123456789012", "us-east-1"
CALM = {
    "api.latency_median": 1e-9,
    "api.latency_p95": 1e-9,
    "sqs.outages_per_hour": 0,
    "sqs.servers_asked": 64,  # short polls find what there is, as those of the recordings did
    "sqs.counter_lag": 0,
    "sns.filter_propagation": 0,
}

Check = Callable[["Lab"], None]


class Lab:
    """A quiet cloud of today, and short words for what the recordings do often."""

    def __init__(self, assume: dict[str, float] | None = None, limits: str = "today") -> None:
        self.cloud = Cloud(seed=1, limits=limits, assume=CALM | (assume or {}))
        self.sqs, self.sns, self.kinesis = (self.cloud.client(name) for name in ("sqs", "sns", "kinesis"))
        self.wait = self.cloud.advance

    def queue(self, name: str = "q", tags: dict[str, str] | None = None, **attributes: str) -> str:
        """The URL of a queue; one whose name ends in .fifo is a FIFO queue."""
        if name.endswith(".fifo"):
            attributes = {"FifoQueue": "true", **attributes}
        url: str = self.sqs.create_queue(QueueName=name, Attributes=attributes, tags=tags or {})["QueueUrl"]
        return url

    def send(self, url: str, body: str = "x", group: str = "", id: str = "", **more: Any) -> dict[str, Any]:
        """Send a message."""
        ids = {"MessageGroupId": group, "MessageDeduplicationId": id}
        found: dict[str, Any] = self.sqs.send_message(
            QueueUrl=url, MessageBody=body, **{name: value for name, value in ids.items() if value}, **more
        )
        return found

    def receive(self, url: str, most: int = 1, **more: Any) -> list[dict[str, Any]]:
        """The messages of one receive."""
        found: list[dict[str, Any]] = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, **more).get(
            "Messages", []
        )
        return found

    def bodies(self, url: str, most: int = 10, **more: Any) -> list[str]:
        """The bodies of one receive."""
        return [message["Body"] for message in self.receive(url, most, **more)]

    def delete(self, url: str, message: dict[str, Any]) -> None:
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def hide(self, url: str, message: dict[str, Any], seconds: int) -> None:
        self.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
        )

    def get(self, url: str, *names: str) -> dict[str, str]:
        """Attributes of a queue; all without names."""
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names or ("All",)))
        found: dict[str, str] = answer.get("Attributes", {})
        return found

    def set(self, url: str, **attributes: str) -> None:
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)

    def arn(self, url: str) -> str:
        return self.get(url, "QueueArn")["QueueArn"]

    def topic(self, name: str = "t", **attributes: str) -> str:
        """The ARN of a topic; one whose name ends in .fifo is a FIFO topic."""
        if name.endswith(".fifo"):
            attributes = {"FifoTopic": "true", **attributes}
        arn: str = self.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
        return arn

    def allow(self, url: str, topic: str) -> None:
        """Let a topic send to a queue."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.arn(url),
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        self.set(url, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    def subscribe(self, topic: str, url: str, **attributes: str) -> str:
        """The ARN of the subscription of a queue, to which the topic may send."""
        self.allow(url, topic)
        given = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": self.arn(url), "ReturnSubscriptionArn": True}
        arn: str = self.sns.subscribe(**given, Attributes=attributes)["SubscriptionArn"]
        return arn

    def subscription(self, arn: str) -> dict[str, str]:
        """The attributes of a subscription."""
        found: dict[str, str] = self.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        return found

    def change(self, arn: str, **attributes: Any) -> None:
        """Set attributes of a subscription; what is no text becomes JSON."""
        for name, value in attributes.items():
            text = value if isinstance(value, str) else json.dumps(value)
            self.sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=text)

    def collect(self, url: str) -> list[dict[str, Any]]:
        """All messages that a queue has within some seconds, with all that belongs to them; they are deleted."""
        found: list[dict[str, Any]] = []
        while messages := self.receive(
            url, 10, WaitTimeSeconds=4, AttributeNames=["All"], MessageAttributeNames=["All"]
        ):
            for message in messages:
                self.delete(url, message)
            found += messages
        return found


def refused(call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
    """The error that a call is refused with: what stands in `Error`, and its `status`."""
    try:
        call(**parameters)
    except ClientError as error:
        return {**error.response["Error"], "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    raise AssertionError("it was accepted")


def is_refused(code: str, message: str, call: Callable[..., Any], status: int = 400, **parameters: Any) -> None:
    """Assert that a call is refused in these words."""
    error = refused(call, **parameters)
    assert (error["Code"], error["Message"], error["status"]) == (code, message, status), error


@dataclass(frozen=True)
class Recording:
    """One recorded test: where it stands, and its check."""

    name: str
    kind: str  # same, retold, differs, apart, unread
    why: str = ""
    check: Check | None = None
    assume: dict[str, float] = field(default_factory=dict)

    def holds(self) -> bool:
        """Does the lab do what was recorded?"""
        if self.check is None:
            return False
        lab = Lab(self.assume)
        try:
            self.check(lab)
        except (AssertionError, ClientError):
            return False
        finally:
            lab.cloud.close()
        return True


class Suite:
    """The recordings of one service."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.recordings: dict[str, Recording] = {}

    def _add(self, recording: Recording) -> None:
        if recording.name in self.recordings:
            raise ValueError(f"the recording {recording.name} stands here twice")
        self.recordings[recording.name] = recording

    def same(self, *names: str, assume: dict[str, float] | None = None) -> Callable[[Check], Check]:
        """A check of what was recorded under these names; `assume` switches what the lab leaves to choice."""

        def add(check: Check) -> Check:
            for name in names:
                self._add(Recording(name, "same", "", check, assume or {}))
            return check

        return add

    def retold(self, *names: str) -> Callable[[Check], Check]:
        """A check of what the suite's own implementation answers."""

        def add(check: Check) -> Check:
            for name in names:
                self._add(Recording(name, "retold", "", check))
            return check

        return add

    def refusals(self, **rows: str) -> None:
        """Recordings of refusals, and the rows of the table of refusals in which they stand, as operation: input."""
        known = {f"{row.operation}: {row.input}": row for row in refusals.TABLE}
        for name, labels in rows.items():
            chosen = [known[label] for label in labels.split(" | ")]

            def check(lab: Lab, chosen: Iterable[Refusal] = tuple(chosen)) -> None:
                for row in chosen:
                    assert same(row, row.ours())

            self._add(Recording(name, "same", "", check))

    def differs(self, why: str, *names: str) -> Callable[[Check], Check]:
        """A check of what AWS did, which fails here because the lab decides otherwise."""

        def add(check: Check) -> Check:
            for name in names:
                self._add(Recording(name, "differs", why, check))
            return check

        return add

    def apart(self, why: str, *names: str) -> None:
        """Recordings of what is not simulated."""
        for name in names:
            self._add(Recording(name, "apart", why))

    def unread(self, *names: str) -> None:
        """Recordings whose answers were not in the copies that could be read."""
        for name in names:
            self._add(Recording(name, "unread", "the answers were not in the copies that could be read"))

    def table(self) -> str:
        """How many there are, how many are the same, and one line for each reason why one is not."""
        found: dict[str, list[Recording]] = {kind: [] for kind in ("same", "retold", "differs", "apart", "unread")}
        for recording in self.recordings.values():
            found[recording.kind].append(recording)
        lines = [
            f"{self.name}: {len(self.recordings)} recorded tests; {len(found['same'])} are the same here, "
            f"{len(found['retold'])} are as the suite's own implementation has them, "
            f"{len(found['differs'])} differ, {len(found['apart'])} are about what is not simulated, "
            f"{len(found['unread'])} are not read"
        ]
        for kind, word in (("differs", "differs"), ("apart", "not simulated"), ("unread", "not read")):
            reasons: dict[str, list[str]] = {}
            for recording in found[kind]:
                reasons.setdefault(recording.why, []).append(recording.name)
            lines += [f"  {word}: {why} ({', '.join(names)})" for why, names in reasons.items()]
        return "\n".join(lines)
