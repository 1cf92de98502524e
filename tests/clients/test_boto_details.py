"""boto3 to the last detail that code can see. What botocore does is read from botocore itself (its user guide and
`BaseClient._make_api_call`); what AWS answers was recorded by public test suites."""

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lablib import Cloud
from lablib.aws.service import NotSimulated


@pytest.fixture
def cloud():
    with Cloud(seed=1, strict=True, assume={"sqs.outages_per_hour": 0}) as cloud:
        yield cloud


@pytest.fixture
def sqs(cloud):
    return cloud.client("sqs")


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="orders")["QueueUrl"]


def response(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response


# ---- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_validation_can_be_switched_off_and_then_the_service_refuses(cloud, url):
    sqs = cloud.client("sqs", config=Config(parameter_validation=False))
    sqs.send_message(QueueUrl=url, MessageBody="x", Colour="red")  # botocore sends what its model knows
    error = response(sqs.send_message, QueueUrl=url)["Error"]
    assert (error["Code"], error["Message"]) == (
        "MissingParameter",
        "The request must contain the parameter MessageBody.",
    )
    assert response(sqs.send_message, QueueUrl=url, MessageBody=7)["Error"]["Code"] == "SerializationException"
    assert cloud.trace.where(kind="Sent")


@pytest.mark.guide
@pytest.mark.parametrize("blob", ["héllo", "héllo".encode(), bytearray("héllo".encode())], ids=type)
def test_a_blob_may_be_given_as_text(cloud, blob):
    kinesis, sqs = cloud.client("kinesis"), cloud.client("sqs")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="s")
    kinesis.put_record(StreamName="s", Data=blob, PartitionKey="a")
    kinesis.put_records(StreamName="s", Records=[{"Data": blob, "PartitionKey": "a"}])
    shard = kinesis.list_shards(StreamName="s")["Shards"][0]["ShardId"]
    cloud.advance(5)
    start = kinesis.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]
    assert [record["Data"] for record in records] == ["héllo".encode()] * 2
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    attribute = {"DataType": "Binary", "BinaryValue": blob}
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={"a": attribute})
    asked = {"QueueUrl": url, "WaitTimeSeconds": 1, "MessageAttributeNames": ["All"]}
    (message,) = sqs.receive_message(**asked)["Messages"]
    assert message["MessageAttributes"]["a"]["BinaryValue"] == "héllo".encode()


# ---- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_errors_have_the_fields_of_their_protocol(cloud, sqs, url):
    """SQS speaks JSON and keeps the codes of the query protocol; SNS and IAM speak query; Kinesis and Lambda JSON; S3
    XML. Documents of errors have their own fields, which botocore shows too."""
    assert response(sqs.get_queue_url, QueueName="no")["Error"] == {
        "Code": "AWS.SimpleQueueService.NonExistentQueue",
        "Message": "The specified queue does not exist.",
        "QueryErrorCode": "QueueDoesNotExist",
        "Type": "Sender",
    }
    wrong = {"QueueUrl": url, "Attributes": {"Nonsense": "1"}}
    assert response(sqs.set_queue_attributes, **wrong)["message"] == "Unknown Attribute Nonsense."
    topic = "arn:aws:sns:us-east-1:123456789012:no"
    assert response(cloud.client("sns").publish, TopicArn=topic, Message="x")["Error"].keys() == {
        "Code",
        "Message",
        "Type",
    }
    kinesis = response(cloud.client("kinesis").describe_stream_summary, StreamName="no")
    assert kinesis["Error"].keys() == {"Code", "Message"}
    assert kinesis["message"] == kinesis["Error"]["Message"]
    function = response(cloud.client("lambda").get_function, FunctionName="no")
    assert (function["Type"], function["Message"]) == ("User", function["Error"]["Message"])
    assert response(cloud.client("s3").list_objects_v2, Bucket="no-bucket")["Error"].keys() == {
        "Code",
        "Message",
        "BucketName",
    }


@pytest.mark.guide
def test_an_answer_has_headers(cloud, sqs, url):
    about = sqs.send_message(QueueUrl=url, MessageBody="x")["ResponseMetadata"]
    assert about["HTTPHeaders"] == {"x-amzn-requestid": about["RequestId"], "date": "Sat, 01 Apr 2023 00:00:00 GMT"}
    assert "x-amz-id-2" in cloud.client("s3").list_buckets()["ResponseMetadata"]["HTTPHeaders"]


@pytest.mark.ours
def test_strict_mode_checks_the_types_of_answers(cloud, sqs, monkeypatch):
    functions = cloud.client("lambda")
    broken = lambda request, **_: {"LastModified": 1680307200.0}  # noqa: E731
    monkeypatch.setitem(cloud.service("lambda").operations, "put_function_event_invoke_config", broken)
    with pytest.raises(AssertionError, match=r"LastModified is 1680307200\.0, which is no timestamp"):
        functions.put_function_event_invoke_config(FunctionName="f")


# ---- events of a client ---------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_handlers_hear_of_calls_in_botocores_order_and_may_change_parameters(cloud, sqs, url):
    heard = []

    def hear(event_name, **about):
        heard.append((event_name, *sorted(about)))

    for event in ("provide-client-params", "before-parameter-build", "before-call", "after-call"):
        sqs.meta.events.register(f"{event}.sqs.SendMessage", hear)
    sqs.meta.events.register("before-parameter-build.sqs.SendMessage", lambda params, **_: params.update(MessageBody="changed"))
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert heard == [
        ("provide-client-params.sqs.SendMessage", "context", "model", "params"),
        ("before-parameter-build.sqs.SendMessage", "context", "model", "params"),
        ("before-call.sqs.SendMessage", "context", "model", "params", "request_signer"),
        ("after-call.sqs.SendMessage", "context", "http_response", "model", "parsed"),
    ]
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"][0]["Body"] == "changed"


@pytest.mark.guide
def test_the_request_of_before_call_is_what_would_be_sent_and_after_call_hears_of_errors(sqs, url):
    requests, statuses = [], []
    sqs.meta.events.register("before-call.sqs.*", lambda params, **_: requests.append(params))
    sqs.meta.events.register("after-call.*.*", lambda http_response, **_: statuses.append(http_response.status_code))
    sqs.send_message(QueueUrl=url, MessageBody="x")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="no")
    assert requests[0]["headers"]["X-Amz-Target"] == "AmazonSQS.SendMessage"
    assert b'"MessageBody": "x"' in requests[0]["body"]
    assert statuses == [200, 400]


@pytest.mark.ours
@pytest.mark.parametrize("event", ["request-created", "before-sign", "before-send.sqs", "needs-retry.sqs.SendMessage"])
def test_events_that_never_fire_are_refused_when_somebody_registers(sqs, event):
    with pytest.raises(NotSimulated, match=f"the event '{event}' never fires here"):
        sqs.meta.events.register(event, lambda **_: None)


@pytest.mark.ours
def test_presigned_urls_are_refused_clearly(cloud):
    s3 = cloud.client("s3")
    for call in (s3.generate_presigned_url, s3.generate_presigned_post):
        with pytest.raises(NotSimulated, match="presigned URLs are not simulated"):
            call("get_object", {"Bucket": "b", "Key": "k"})
