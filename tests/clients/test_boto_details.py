"""boto3 to the last detail that code can see. What botocore does is read from botocore itself (its user guide and
`BaseClient._make_api_call`); what AWS answers was recorded by public test suites."""

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, UnStubbedResponseError
from botocore.stub import ANY, Stubber

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
    sqs.meta.events.register(
        "before-parameter-build.sqs.SendMessage", lambda params, **_: params.update(MessageBody="changed")
    )
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
@pytest.mark.parametrize(
    "event",
    ["request-created", "before-sign", "before-send.sqs", "needs-retry.sqs.SendMessage", "response-received",
     "before-parse.sqs", "before-endpoint-resolution.sqs", "choose-signer", "after-call-error"],
)  # fmt: skip
def test_events_that_never_fire_are_refused_when_somebody_registers(sqs, event):
    with pytest.raises(NotSimulated, match=f"the event '{event}' never fires here"):
        sqs.meta.events.register(event, lambda **_: None)


@pytest.mark.guide
def test_botocores_stubber_answers_in_place_of_the_service(sqs, url):
    """botocore's reference, Stubber: what was added is answered in order; then the client calls its service again."""
    with Stubber(sqs) as stubber:
        stubber.add_response("send_message", {"MessageId": "1"}, {"QueueUrl": ANY, "MessageBody": "x"})
        stubber.add_client_error("receive_message", "OverLimit", "too many in flight", http_status_code=403)
        assert sqs.send_message(QueueUrl=url, MessageBody="x")["MessageId"] == "1"
        with pytest.raises(sqs.exceptions.OverLimit, match="too many in flight"):
            sqs.receive_message(QueueUrl=url)
        stubber.assert_no_pending_responses()
        with pytest.raises(UnStubbedResponseError):
            sqs.send_message(QueueUrl=url, MessageBody="x")
    assert len(sqs.send_message(QueueUrl=url, MessageBody="x")["MessageId"]) == 36


@pytest.mark.ours
def test_presigned_urls_are_refused_clearly(cloud):
    s3 = cloud.client("s3")
    for call in (s3.generate_presigned_url, s3.generate_presigned_post):
        with pytest.raises(NotSimulated, match="presigned URLs are not simulated"):
            call("get_object", {"Bucket": "b", "Key": "k"})


# ---- sessions, partitions, transfers --------------------------------------------------------------------------------


def trust(principal):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.mark.guide
def test_assume_role_gives_a_session_with_the_rights_of_the_role(cloud, sqs, url):
    """STS API: AssumeRole. The pasted form: a program that makes a boto3 session with the credentials it got."""
    iam = cloud.client("iam")
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust("123456789012"))["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=document)
    seen = []

    def program():
        answer = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="night", DurationSeconds=900)
        given = answer["Credentials"]
        session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        seen.append((answer["AssumedRoleUser"]["Arn"], session.client("sts").get_caller_identity()["Arn"]))
        reader = session.client("sqs")
        reader.receive_message(QueueUrl=url)
        for call, pause in ((reader.send_message, 0), (reader.receive_message, 900)):
            time.sleep(pause)
            with pytest.raises(ClientError) as caught:
                call(QueueUrl=url, **({"MessageBody": "x"} if pause == 0 else {}))
            seen.append(caught.value.response["Error"]["Code"])

    cloud.run(program)
    arn = "arn:aws:sts::123456789012:assumed-role/reader/night"
    assert seen == [(arn, arn), "AccessDenied", "ExpiredToken"]


@pytest.mark.guide
def test_only_whom_a_role_trusts_may_assume_it(cloud):
    sts, iam = cloud.client("sts"), cloud.client("iam")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust("444455556666"))["Role"]["Arn"]
    for arn in (role, role + "-that-never-was"):
        error = response(sts.assume_role, RoleArn=arn, RoleSessionName="me")["Error"]
        assert error["Code"] == "AccessDenied"
        assert error["Message"].startswith("User: arn:aws:iam::123456789012:user/administrator is not authorized")
    other = cloud.client("sts", account="444455556666")
    assert other.assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]["AccessKeyId"].startswith("ASIA")


@pytest.mark.guide
@pytest.mark.parametrize(
    ("region", "partition", "domain"),
    [("cn-north-1", "aws-cn", "amazonaws.com.cn"), ("us-gov-west-1", "aws-us-gov", "amazonaws.com")],
)
def test_china_and_the_us_government_have_partitions_of_their_own(region, partition, domain):
    """AWS general reference, "Amazon Resource Names"."""
    cloud = Cloud(seed=1, strict=True, region_name=region)
    sqs, sns, iam = (cloud.client(name) for name in ("sqs", "sns", "iam"))
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    assert url == f"https://sqs.{region}.{domain}/123456789012/q"
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    assert queue == f"arn:{partition}:sqs:{region}:123456789012:q"
    topic = sns.create_topic(Name="t")["TopicArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed | {"Resource": queue}})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    sns.publish(TopicArn=topic, Message="x")
    assert len(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]) == 1
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust("123456789012"))["Role"]["Arn"]
    assert role == f"arn:{partition}:iam::123456789012:role/r"
    assert cloud.client("sts").get_caller_identity()["Arn"] == f"arn:{partition}:iam::123456789012:user/administrator"
    sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=["111122223333"], Actions=["SendMessage"])
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    assert f"arn:{partition}:iam::111122223333:root" in policy
    key = cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
    assert f"arn:{partition}:iam::123456789012:root" in cloud.client("kms").get_key_policy(KeyId=key)["Policy"]


@pytest.mark.guide
def test_files_are_uploaded_and_downloaded_in_parts_when_they_are_large(cloud, tmp_path):
    """boto3's own transfer: multipart from 8 MB on, and ranges; S3 guide: event CompleteMultipartUpload."""
    s3, sqs = cloud.client("s3"), cloud.client("sqs")
    s3.create_bucket(Bucket="films")
    queue = "arn:aws:sqs:us-east-1:123456789012:events"
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    url = sqs.create_queue(QueueName="events", Attributes={"Policy": policy})["QueueUrl"]
    rules = {"QueueConfigurations": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="films", NotificationConfiguration=rules)
    content = bytes(range(256)) * (9 * 4096)
    (tmp_path / "in").write_bytes(content)
    s3.upload_file(str(tmp_path / "in"), "films", "large", ExtraArgs={"Metadata": {"a": "b"}})
    s3.upload_file(__file__, "films", "small")
    for key, expected in (("large", content), ("small", Path(__file__).read_bytes())):
        s3.download_file("films", key, str(tmp_path / "out"))
        assert (tmp_path / "out").read_bytes() == expected
    assert s3.head_object(Bucket="films", Key="large")["ETag"].endswith('-2"')
    assert s3.head_object(Bucket="films", Key="large")["Metadata"] == {"a": "b"}
    cloud.advance(60)
    messages = [sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"][0]["Body"] for _ in range(3)]
    names = [json.loads(text)["Records"][0]["eventName"] for text in messages if "Records" in text]
    assert sorted(names) == ["ObjectCreated:CompleteMultipartUpload", "ObjectCreated:Put"]


@pytest.mark.guide
@pytest.mark.parametrize("size", [10, 12_000_000])
def test_a_transfer_tells_its_callback_how_many_bytes_have_gone(cloud, tmp_path, size):
    """boto3 guide, "Uploading files" (The Callback parameter): called with the bytes of each step; they add up."""
    s3, path = cloud.client("s3"), tmp_path / "film"
    s3.create_bucket(Bucket="films")
    path.write_bytes(b"x" * size)
    seen = {"file": [], "stream": [], "down": []}
    s3.upload_file(str(path), "films", "a", Callback=seen["file"].append)
    s3.upload_fileobj(io.BytesIO(b"x" * size), "films", "b", Callback=seen["stream"].append)
    s3.download_fileobj("films", "b", io.BytesIO(), Callback=seen["down"].append)
    assert {name: sum(steps) for name, steps in seen.items()} == dict.fromkeys(seen, size)


@pytest.mark.guide
def test_parts_are_checked_and_an_upload_may_be_given_up(cloud):
    """S3 API: CompleteMultipartUpload (errors), AbortMultipartUpload, ListParts; guide: multipart upload limits."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="films")
    about = {"Bucket": "films", "Key": "k"}
    about["UploadId"] = s3.create_multipart_upload(**about)["UploadId"]
    tags = [s3.upload_part(**about, PartNumber=n, Body=b"x" * 10)["ETag"] for n in (1, 2)]
    assert [part["Size"] for part in s3.list_parts(**about)["Parts"]] == [10, 10]

    def complete(*parts):
        listed = [{"PartNumber": number, "ETag": tag} for number, tag in parts]
        return response(s3.complete_multipart_upload, **about, MultipartUpload={"Parts": listed})["Error"]["Code"]

    assert complete((1, tags[0]), (2, tags[1])) == "EntityTooSmall"
    assert complete((1, '"0"')) == "InvalidPart"
    assert complete((2, tags[1]), (1, tags[0])) == "InvalidPartOrder"
    assert response(s3.get_object, Bucket="films", Key="k")["Error"]["Code"] == "NoSuchKey"
    s3.abort_multipart_upload(**about)
    assert complete((1, tags[0])) == "NoSuchUpload"


@pytest.mark.ours
def test_the_region_of_this_machine_is_none_of_the_programs(cloud, monkeypatch):
    """What a program gives its session counts, what the learner's shell has does not: a run is the same everywhere."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def program():
        given = boto3.Session(region_name="eu-north-1")
        return [made.client("sqs").meta.region_name for made in (boto3, boto3.Session(), given)]

    assert cloud.run(program) == ["us-east-1", "us-east-1", "eu-north-1"]


@pytest.mark.ours
def test_a_profile_of_this_machine_is_not_looked_for(cloud, monkeypatch):
    """A program that is pasted names one of its author's; the region that it gives by itself counts."""
    monkeypatch.setenv("AWS_PROFILE", "of-nobody")

    def program():
        regions = []
        for more in ({}, {"region_name": "eu-west-1"}):
            session = boto3.Session(profile_name="work", **more)
            regions.append(session.client("sqs").meta.region_name)
        return regions

    assert cloud.run(program) == ["us-east-1", "eu-west-1"]


@pytest.mark.ours
def test_a_default_session_is_its_programs_own(cloud, monkeypatch):
    """Nobody else has it afterwards. One that a notebook has set up is for all."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    region = lambda: boto3.client("sqs").meta.region_name  # noqa: E731

    def program():
        before = region()
        boto3.setup_default_session(region_name="eu-west-1")
        with ThreadPoolExecutor() as pool:
            return before, region(), pool.submit(region).result(), boto3.resource("sqs").meta.client.meta.region_name

    assert cloud.run(program) == ("us-east-1", "eu-west-1", "eu-west-1", "eu-west-1")
    assert cloud.run(region) == "us-east-1"
    assert boto3.DEFAULT_SESSION is None
    boto3.setup_default_session(region_name="ap-south-1")
    assert (region(), cloud.run(region)) == ("ap-south-1", "ap-south-1")


@pytest.mark.ours
def test_a_session_of_botocore_is_one_of_the_cloud_too(cloud, monkeypatch):
    """boto3's stands on it. Variables and profiles of this machine count no more than there."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_PROFILE", "of-nobody")
    outside = botocore.session.Session()

    def program():
        session = botocore.session.get_session()
        session.create_client("sqs", "us-east-1").create_queue(QueueName="orders")
        session.set_config_variable("region", "eu-north-1")
        own = botocore.session.Session(profile="work")
        regions = [made.create_client("sqs").meta.region_name for made in (session, own, outside)]
        return boto3.client("sqs").list_queues()["QueueUrls"], regions

    urls, regions = cloud.run(program)
    assert [url.rpartition("/")[2] for url in urls] == ["orders"]
    assert regions == ["eu-north-1", "us-east-1", "us-east-1"]


@pytest.mark.ours
def test_a_session_in_a_process_finds_credentials_that_are_nobodys(cloud, monkeypatch):
    """Programs look whether there are any. Those of this machine are not read."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEMACHINE")

    def program():
        found = boto3.Session().get_credentials().get_frozen_credentials()
        given = boto3.Session("AKIAGIVEN", "secret").get_credentials().access_key
        return found.access_key, given, boto3.Session().client("sts").get_caller_identity()["Arn"]

    arn = "arn:aws:iam::123456789012:user/administrator"
    assert cloud.run(program) == ("simulated", "AKIAGIVEN", arn)


@pytest.mark.guide
@pytest.mark.parametrize("of", ["boto3", "botocore"])
def test_the_clients_of_a_session_begin_with_its_handlers(cloud, of):
    """boto3 guide, "Extensibility": what is registered at a session is registered at the clients made afterwards."""

    def program():
        heard, session = [], boto3.Session() if of == "boto3" else botocore.session.Session()
        client = session.client if of == "boto3" else session.create_client
        events = session.events if of == "boto3" else session.get_component("event_emitter")
        client("sqs").list_queues()
        events.register("provide-client-params.sqs.*", lambda model, **_: heard.append(model.name))
        client("sqs").list_queues()
        boto3.client("sqs").get_queue_url(QueueName="orders")
        with pytest.raises(NotSimulated, match="the event 'before-send' never fires here"):
            events.register("before-send", lambda **_: None)
        return heard

    cloud.client("sqs").create_queue(QueueName="orders")
    assert cloud.run(program) == ["ListQueues"]


@pytest.mark.parametrize(
    "date", [1680307205, 1680307205.0, "1680307205", "2023-04-01T00:00:05Z", datetime(2023, 4, 1, 0, 0, 5, tzinfo=UTC)]
)
def test_a_timestamp_is_a_date_a_number_or_a_text_of_one(cloud, date):
    """botocore.utils.parse_to_aware_datetime."""
    kinesis = cloud.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    cloud.advance(60)
    kinesis.put_record(StreamName="s", Data=b"x", PartitionKey="k")
    cloud.advance(1)
    where = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "AT_TIMESTAMP"}
    iterator = kinesis.get_shard_iterator(**where, Timestamp=date)["ShardIterator"]
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=iterator)["Records"]] == [b"x"]
    cloud.deploy("draw", lambda event, context: None)
    arn = kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    how = {"FunctionName": "draw", "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": date}
    made = cloud.client("lambda").create_event_source_mapping(EventSourceArn=arn, **how)
    assert made["StartingPositionTimestamp"] == datetime(2023, 4, 1, 0, 0, 5, tzinfo=UTC)
