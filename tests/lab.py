"""A cloud in strict mode, and the calls that the tests of most services are made of. Their own `Lab` builds on it."""

import json

from botocore.config import Config

from lablib.cloud import Cloud

ACCOUNT, OTHER = "123456789012", "444455556666"
NO_RETRIES = Config(retries={"max_attempts": 0})
QUICK = {"api.latency_median": 1e-9, "api.latency_p95": 1e-9}  # calls take no time


def document(*statements):
    """The text of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service="ec2.amazonaws.com"):
    """The text of a trust policy: who may be the role."""
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def assumed(service, values):
    """What a cloud is to assume about one service."""
    return {f"{service}.{name}": value for name, value in values.items()}


class Lab:
    """`clients`: the names of services, each an attribute with a boto3 client, and `once` those whose client does not
    try again; the rest is for the cloud.
    """

    def __init__(self, *clients, once=(), seed=1, limits="2023", assume=()):
        self.cloud = Cloud(seed=seed, limits=limits, strict=True, assume=dict(assume))
        for name in clients:
            setattr(self, name, self.cloud.client(name))
        for name in once:
            setattr(self, name, self.cloud.client(name, config=NO_RETRIES))

    def create(self, name, sqs=None, **attributes):
        """A queue's URL."""
        given = {key: str(value) for key, value in attributes.items()}
        if name.endswith(".fifo"):
            given["FifoQueue"] = "true"
        return (sqs or self.sqs).create_queue(QueueName=name, Attributes=given)["QueueUrl"]

    def drain(self, name, sqs=None, delete=False, **more):
        """All the messages of a queue, which nobody else gets for an hour."""
        sqs = sqs or self.sqs
        url, found = sqs.get_queue_url(QueueName=name)["QueueUrl"], []
        ask = {"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1, "VisibilityTimeout": 3600} | more
        while messages := sqs.receive_message(**ask).get("Messages"):
            found += messages
            for message in messages if delete else ():
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def counts(self, url, kinds=("", "NotVisible", "Delayed")):
        """How many messages are in a queue, by the kinds of its attributes ApproximateNumberOfMessages."""
        names = ["ApproximateNumberOfMessages" + kind for kind in kinds]
        got = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return tuple(int(got[name]) for name in names)

    def rows(self, *kinds, subject=None, **where):
        """Rows of the trace. Those about a message are also those about its deliveries."""
        trace = self.cloud.trace
        if subject is not None:
            where["subject"] = (subject, *trace.children(subject))
        return [row for row in trace.where(kinds or None, **where) if kinds or subject is None or trace.says(row)]

    def role_for(self, principal, name, *statements, account=ACCOUNT):
        """A new role with these statements, for a service of AWS; its ARN."""
        iam = self.cloud.client("iam", account=account)
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(principal))
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        return made["Role"]["Arn"]

    def role(self, name, *statements, service="sqs", account=ACCOUNT):
        """A boto3 client that calls as a new role with these statements."""
        self.role_for("ec2.amazonaws.com", name, *statements, account=account)
        return self.cloud.client(service, role=name, account=account)
