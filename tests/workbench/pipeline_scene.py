"""A photo pipeline for tests: a bucket tells a topic, to which a queue with a function and a function subscribe."""

import json

from lablib.cloud import Cloud
from lablib.kernel import Kernel
from lablib.scenarios import Scenario, Stage
from lablib.scenarios.param import Param

ACCOUNT = "123456789012"


class PipelineForTests(Scenario):
    """A photo is stored once, and two programs work on it."""

    duration = 60.0
    services = ("s3", "sns", "sqs", "lambda")
    gap: float = Param(3.0, low=0.5, high=20.0, unit="s", label="gap", help="Seconds between two photos.")

    def build(self, cloud: Cloud) -> Stage:
        return _Pipeline(cloud, self)


def _policy(resource: str, service: str, action: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class _Pipeline(Stage):
    def __init__(self, cloud: Cloud, scenario: PipelineForTests) -> None:
        super().__init__(cloud, scenario)
        self.place("camera", "Camera", "producer", "camera")
        self.place("bucket", "Bucket photos", "bucket", "photos s3/photos")
        self.place("topic", "Topic news", "topic", "news sns/news")
        self.place("thumbs", "Queue thumbs", "queue", "thumbs", parts=8)
        self.place("shrink", "Function shrink", "function", "shrink lambda/shrink")
        self.place("faces", "Function faces", "function", "faces lambda/faces")
        self.link("camera", "bucket")
        self.link("bucket", "topic")
        self.link("topic", "thumbs", "faces", "lost")
        self.link("thumbs", "shrink")
        self.link("shrink", "done")
        self.link("faces", "done")
        cloud.spawn(self.run, name="camera")

    def run(self) -> None:
        cloud = self.cloud
        s3, sns, sqs, functions = (cloud.direct(name) for name in ("s3", "sns", "sqs", "lambda"))
        topic = sns.create_topic(Name="news")["TopicArn"]
        allow = _policy(topic, "s3.amazonaws.com", "sns:Publish")
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=allow)
        queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:thumbs"
        allow = _policy(queue, "sns.amazonaws.com", "sqs:SendMessage")
        sqs.create_queue(QueueName="thumbs", Attributes={"Policy": allow})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        cloud.deploy("shrink", _slowly(cloud.kernel, 1.0))
        functions.create_event_source_mapping(EventSourceArn=queue, FunctionName="shrink", BatchSize=1)
        faces = cloud.deploy("faces", _slowly(cloud.kernel, 0.5))
        functions.add_permission(
            FunctionName="faces", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
        )
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=faces)
        s3.create_bucket(Bucket="photos")
        rules = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
        s3.put_bucket_notification_configuration(Bucket="photos", NotificationConfiguration=rules)
        number = 0
        while True:
            cloud.kernel.sleep(self.values["gap"])
            number += 1
            s3.put_object(Bucket="photos", Key=f"photo {number}.jpg", Body=b"x")


def _slowly(kernel: Kernel, seconds: float):
    def handler(event, context):
        kernel.sleep(seconds)

    return handler
