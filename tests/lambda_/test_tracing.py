"""The tracing header goes from function to function, and stops a function that calls itself over and over. The end of a
function's log."""

import json
import sys
from base64 import b64decode

import pytest
from botocore.exceptions import ClientError
from lab import ACCOUNT
from lab import Lab as Base

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:again"
ANYBODY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": QUEUE},
    }
)


class Lab(Base):
    def __init__(self):
        calm = {"sqs.outages_per_hour": 0, "lambda.event_duplicates": 0, "s3.event_duplicates": 0}
        super().__init__("sqs", "sns", "s3", assume=calm)
        self.functions = self.cloud.client("lambda")
        self.url = self.sqs.create_queue(QueueName="jobs", Attributes={"Policy": ANYBODY})["QueueUrl"]
        self.runs = []

    def deploy(self, work):
        def handler(event, context):
            self.runs.append(event)
            work(event)

        self.cloud.deploy("again", handler)

    def read_queue(self):
        self.functions.create_event_source_mapping(EventSourceArn=QUEUE, FunctionName="again", BatchSize=1)

    def may_invoke(self, service, source):
        about = {"FunctionName": "again", "StatementId": "a", "Action": "lambda:InvokeFunction"}
        self.functions.add_permission(**about, Principal=service, SourceArn=source)

    def stopped(self):
        return [row.detail for row in self.cloud.trace.where(kind="LoopStopped")]


@pytest.fixture
def lab():
    return Lab()


@pytest.mark.guide
def test_a_function_that_sends_to_its_own_queue_is_stopped(lab):
    """Lambda guide, "recursive loop detection": after about 16 rounds; the message is dropped."""
    lab.deploy(lambda event: lab.sqs.send_message(QueueUrl=lab.url, MessageBody="again"))
    lab.read_queue()
    lab.sqs.send_message(QueueUrl=lab.url, MessageBody="first")
    lab.cloud.advance(300)
    assert (len(lab.runs), lab.stopped()) == (16, [16])
    left = lab.sqs.get_queue_attributes(QueueUrl=lab.url, AttributeNames=["All"])["Attributes"]
    assert left["ApproximateNumberOfMessages"] == left["ApproximateNumberOfMessagesNotVisible"] == "0"


@pytest.mark.guide
def test_a_dead_letter_queue_gets_the_message_of_a_loop(lab):
    dead = lab.sqs.create_queue(QueueName="dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead", "maxReceiveCount": 1}
    attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "20"}
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes=attributes)
    lab.deploy(lambda event: lab.sqs.send_message(QueueUrl=lab.url, MessageBody="again"))
    lab.read_queue()
    lab.sqs.send_message(QueueUrl=lab.url, MessageBody="first")
    lab.cloud.advance(300)
    assert len(lab.runs) == 16
    assert lab.sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1)["Messages"][0]["Body"] == "again"


@pytest.mark.guide
def test_so_is_one_that_publishes_to_its_own_topic(lab):
    topic = lab.sns.create_topic(Name="t")["TopicArn"]
    lab.deploy(lambda event: lab.sns.publish(TopicArn=topic, Message="again"))
    lab.may_invoke("sns.amazonaws.com", topic)
    lab.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=FUNCTION)
    lab.sns.publish(TopicArn=topic, Message="first")
    lab.cloud.advance(300)
    assert (len(lab.runs), lab.stopped()) == (16, [16])


@pytest.mark.guide
def test_so_is_one_that_writes_to_its_own_bucket(lab):
    lab.s3.create_bucket(Bucket="photos")
    lab.deploy(lambda event: lab.s3.put_object(Bucket="photos", Key=f"{len(lab.runs)}", Body=b"x"))
    lab.may_invoke("s3.amazonaws.com", "arn:aws:s3:::photos")
    rule = {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]}
    configuration = {"LambdaFunctionConfigurations": [rule]}
    lab.s3.put_bucket_notification_configuration(Bucket="photos", NotificationConfiguration=configuration)
    lab.s3.put_object(Bucket="photos", Key="first", Body=b"x")
    lab.cloud.advance(300)
    assert (len(lab.runs), lab.stopped()) == (16, [16])


@pytest.mark.guide
def test_a_function_that_invokes_itself_gets_an_error(lab):
    """API: Invoke, RecursiveInvocationException."""
    errors = []

    def work(event):
        try:
            lab.cloud.client("lambda").invoke(FunctionName="again")
        except ClientError as error:
            errors.append(error.response["Error"]["Code"])

    lab.deploy(work)
    lab.functions.update_function_configuration(FunctionName="again", Timeout=900)
    lab.functions.invoke(FunctionName="again")
    assert (len(lab.runs), errors) == (16, ["RecursiveInvocationException"])


@pytest.mark.guide
def test_the_header_goes_on_through_queues_topics_and_functions(lab):
    """X-Ray guide: the root stays. A header that a sender gives by itself is the beginning."""
    topic = lab.sns.create_topic(Name="t")["TopicArn"]
    lab.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE)
    lab.deploy(lambda event: lab.sns.publish(TopicArn=topic, Message="done"))
    work = lab.sqs.create_queue(QueueName="work")["QueueUrl"]
    source = f"arn:aws:sqs:us-east-1:{ACCOUNT}:work"
    lab.functions.create_event_source_mapping(EventSourceArn=source, FunctionName="again")
    header = {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"}
    lab.sqs.send_message(QueueUrl=work, MessageBody="x", MessageSystemAttributes={"AWSTraceHeader": header})
    lab.cloud.advance(60)
    assert lab.runs[0]["Records"][0]["attributes"]["AWSTraceHeader"] == header["StringValue"]
    asked = {"QueueUrl": lab.url, "WaitTimeSeconds": 1, "MessageSystemAttributeNames": ["AWSTraceHeader"]}
    (message,) = lab.sqs.receive_message(**asked)["Messages"]
    assert message["Attributes"]["AWSTraceHeader"].startswith("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=")


@pytest.mark.guide
def test_invoke_gives_the_end_of_the_log(lab, capsys):
    def handler(event, context):
        print("working on", event)
        context.log("half way")
        print("careful", file=sys.stderr)
        raise ValueError("no")

    lab.cloud.deploy("talks", handler)
    answer = lab.functions.invoke(FunctionName="talks", LogType="Tail", Payload=b'"a"')
    id = lab.cloud.trace.where(kind="InvocationStarted")[0].subject
    log = b64decode(answer["LogResult"]).decode().splitlines()
    assert log[:6] == [
        f"START RequestId: {id} Version: $LATEST",
        "working on a",
        "half way",
        "careful",
        "[ERROR] ValueError: no",
        f"END RequestId: {id}",
    ]
    assert log[6].startswith(f"REPORT RequestId: {id}\tDuration: ")
    assert capsys.readouterr() == ("working on a\nhalf way\n", "careful\n")
    assert "LogResult" not in lab.functions.invoke(FunctionName="talks", Payload=b'"a"')
