"""A small fan-out for tests: a topic, three queues with fleets (one with a filter), a web hook that fails at times."""

import json
import re

from lablib.actors.consumers import Consumer
from lablib.actors.fleet import Fleet
from lablib.cloud import Cloud
from lablib.scenarios import Scenario, Stage
from lablib.scenarios.param import Param

HOOK = "https://hook.example.com/"
QUEUES = ("billing", "shipping", "audit")


class FanoutForTests(Scenario):
    """An order is published once, and reaches everybody who wants to know."""

    duration = 60.0
    services = ("sqs", "sns")
    rate: float = Param(1.0, low=0.1, high=20.0, step=0.1, unit="orders/s", label="orders", help="Orders a second.")
    grave: bool = Param(False, label="dead-letter queue", help="The web hook's subscription has one.")

    def build(self, cloud: Cloud) -> Stage:
        return _Fanout(cloud, self)


class _Fanout(Stage):
    def __init__(self, cloud: Cloud, scenario: FanoutForTests) -> None:
        super().__init__(cloud, scenario)
        self.sqs, self.sns = cloud.direct("sqs"), cloud.direct("sns")
        self.place("shop", "Shop", "producer", "shop")
        self.place("topic", "Topic orders", "topic", "orders sns/orders")
        self.link("shop", "topic")
        self.web(HOOK, "Web hook", id="hook")
        self.place("grave", "Dead letters", "dead-letter", "grave")
        self.link("topic", "hook", "lost", "grave")
        for name in QUEUES:
            self.place(name, f"Queue {name}", "queue", name, parts=8)
            self.place(f"{name}-fleet", name.capitalize(), "consumer", f"{name}-worker-*")
            self.link("topic", name)
            self.link(name, f"{name}-fleet")
            self.link(f"{name}-fleet", "done")
        cloud.spawn(self.run, name="shop")

    def run(self) -> None:
        kernel, values = self.cloud.kernel, self.values
        self.topic = self.sns.create_topic(Name="orders")["TopicArn"]
        for name in QUEUES:
            url, arn = self.make_queue(name)
            policy = {"FilterPolicy": json.dumps({"kind": ["parcel"]})} if name == "shipping" else {}
            self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn, Attributes=policy)
            serve = Consumer(kernel, self.cloud.trace, self.sqs, url, values, self.work)
            Fleet(kernel, self.cloud.trace, f"{name}-worker", serve, lambda: 5.0).resize(3)
        self.hook()
        number = 0
        while True:
            kernel.sleep(1 / values["rate"])
            number += 1
            kind = "parcel" if number % 3 == 0 else "download"
            attributes = {"kind": {"DataType": "String", "StringValue": kind}}
            self.sns.publish(TopicArn=self.topic, Message=f"order {number}", MessageAttributes=attributes)

    def make_queue(self, name: str) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [sns]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url, arn

    def hook(self) -> None:
        attributes = {}
        if self.values["grave"]:
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": self.make_queue("grave")[1]})
        self.sns.subscribe(TopicArn=self.topic, Protocol="https", Endpoint=HOOK, Attributes=attributes)
        inbox = self.cloud.service("sns").inbox(HOOK)
        self.cloud.kernel.sleep(1.0)
        token = re.search(r'"Token"\s*:\s*"(\w+)"', str(inbox.received[0].body))
        self.sns.confirm_subscription(TopicArn=self.topic, Token=token[1])
        inbox.fail(503, seconds=15.0, start=10.0)
        inbox.fail(404, seconds=10.0, start=40.0)

    def work(self, worker, message_id, body, row) -> None:
        worker.work(worker.name, message_id, row, 0.5 + self.cloud.chance.keyed("work", message_id))
