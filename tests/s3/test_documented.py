"""What AWS documents, or was seen to do, with S3 as a source of events and with Lambda. Through boto3, in strict mode.

"recorded" means that public test suites recorded it from AWS; "guide" is the service's guide, "API" its reference;
"reported" that users quote the text; "ours" that none was found.
"""

import io
import json

import pytest
from aws_errors import refused
from botocore.exceptions import ClientError

from lablib import Cloud
from lablib.aws.service import NotSimulated

pytestmark = pytest.mark.guide  # where a test names no other source

ACCOUNT = "123456789012"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:uploads"
BUCKET = "photos-of-spring"
UNABLE = "Unable to validate the following destination configurations"


def make(limits="2023", region="us-east-1"):
    calm = {"sqs.outages_per_hour": 0, "s3.event_duplicates": 0}
    return Cloud(seed=1, limits=limits, strict=True, assume=calm, region_name=region)


@pytest.fixture
def cloud():
    return make()


@pytest.fixture
def s3(cloud):
    client = cloud.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def queue(cloud, source=f"arn:aws:s3:::{BUCKET}", account=ACCOUNT):
    condition = {"ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": account}}
    statement = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    statement |= {"Resource": QUEUE, "Condition": condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return cloud.client("sqs").create_queue(QueueName="uploads", Attributes={"Policy": policy})["QueueUrl"]


def rule(events=("s3:ObjectCreated:*",), arn=QUEUE, kind="Queue", id=None, **filters):
    document = {f"{kind}Arn": arn, "Events": list(events)} | ({"Id": id} if id else {})
    rules = [{"Name": name, "Value": value} for name, value in filters.items()]
    return document | ({"Filter": {"Key": {"FilterRules": rules}}} if rules else {})


def notify(s3, *rules, kind="Queue", **more):
    configuration = {f"{kind}Configurations": list(rules)}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=configuration, **more)


def receive(cloud, url):
    sqs = cloud.client("sqs")
    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


# ---- buckets and objects ---------------------------------------------------------------------------------------------


class TestBuckets:
    @pytest.mark.parametrize("name", ["abc", "a" * 63, "a.b-c", "1ab", "my.example.s3.bucket"])
    def test_good_names(self, cloud, name):
        assert cloud.client("s3").create_bucket(Bucket=name)["Location"] == f"/{name}"

    def test_a_bucket_of_one_s_own_can_be_created_again_in_us_east_1(self, s3):
        """API: CreateBucket, BucketAlreadyOwnedByYou."""
        s3.create_bucket(Bucket=BUCKET)

    def test_an_empty_bucket_can_be_deleted(self, s3):
        s3.put_object(Bucket=BUCKET, Key="a")
        s3.delete_object(Bucket=BUCKET, Key="a")
        s3.delete_bucket(Bucket=BUCKET)
        assert s3.list_buckets()["Buckets"] == []

    def test_the_location_is_known(self, cloud):
        """API: GetBucketLocation is empty in us-east-1. The endpoint of us-east-1 creates buckets anywhere. A bucket
        that was created with "EU" answers "EU", and lives in eu-west-1 (aws-cli issue 8522)."""
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="at-home")
        assert s3.get_bucket_location(Bucket="at-home")["LocationConstraint"] is None  # botocore puts it there
        for place, region in (("EU", "eu-west-1"), ("eu-west-1", "eu-west-1"), ("us-west-2", "us-west-2")):
            name = f"in-{place.lower()}"
            made = s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": place})
            assert made["Location"] == f"http://{name}.s3.amazonaws.com/"
            assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == place
            assert s3.head_bucket(Bucket=name)["BucketRegion"] == region

    def test_objects_are_encrypted_and_who_asks_for_it_gets_what_is(self, cloud):
        """User guide, "Setting default server-side encryption behavior": SSE-S3 for all since 5 January 2023."""
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="at-home")
        about = {"Bucket": "at-home", "Key": "k"}
        asked = {"ServerSideEncryption": "AES256", "StorageClass": "STANDARD"}
        answers = [
            s3.put_object(**about), s3.put_object(**about, **asked), s3.get_object(**about), s3.head_object(**about),
            s3.copy_object(Bucket="at-home", Key="copy", CopySource=about),
            s3.create_multipart_upload(Bucket="at-home", Key="large", **asked),
        ]  # fmt: skip
        assert [answer["ServerSideEncryption"] for answer in answers] == ["AES256"] * 6
        s3.upload_fileobj(io.BytesIO(b"x"), "at-home", "sent", ExtraArgs=asked)
        for other in ({"ServerSideEncryption": "aws:kms"}, {"StorageClass": "GLACIER"}):
            with pytest.raises(NotSimulated, match="is not simulated"):
                s3.put_object(**about, **other)

    def test_how_many(self):
        """Guide: 100 in the notes' time, 10,000 since November 2024."""
        s3 = make().client("s3")
        for n in range(100):
            s3.create_bucket(Bucket=f"bucket-{n}")
        text = "You have attempted to create more buckets than allowed"
        assert refused(s3.create_bucket, Bucket="one-more") == ("TooManyBuckets", text, 400)
        assert make("today").quotas["s3.buckets"] == 10_000


# ---- S3: notifications -----------------------------------------------------------------------------------------------


class TestRules:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (rule(), rule(["s3:ObjectRemoved:*"])),
            (rule(prefix="images"), rule(prefix="logs")),
            (rule(prefix="images", suffix=".jpg"), rule(prefix="images", suffix=".png")),
            (rule(["s3:ObjectCreated:Put"]), rule(["s3:ObjectCreated:Copy"])),
        ],
    )
    def test_two_rules_want_different_events(self, cloud, s3, one, other):
        """Guide: filtering by object key name."""
        queue(cloud)
        notify(s3, one, other)

    def test_a_destination_can_be_left_unchecked(self, s3):
        """Recorded: SkipDestinationValidation."""
        notify(s3, rule(arn=QUEUE + "-missing", id="id123"), SkipDestinationValidation=True)
        (found,) = s3.get_bucket_notification_configuration(Bucket=BUCKET)["QueueConfigurations"]
        assert found == {"Id": "id123", "QueueArn": QUEUE + "-missing", "Events": ["s3:ObjectCreated:*"]}

    @pytest.mark.parametrize(
        ("source", "account"), [("arn:aws:s3:::other", ACCOUNT), (f"arn:aws:s3:::{BUCKET}", "1" * 12)]
    )
    def test_the_destination_s_policy_must_let_this_bucket_in(self, cloud, s3, source, account):
        """Guide: granting permissions to publish event notification messages to a destination."""
        queue(cloud, source, account)
        assert refused(notify, s3, rule()) == ("InvalidArgument", UNABLE, 400)
        explanation = cloud.trace.where("AccessDenied")[-1].detail
        assert "s3.amazonaws.com may not sqs:SendMessage" in explanation

    def test_names_of_filters_are_shown_with_a_capital_and_ids_are_made(self, cloud, s3):
        """Recorded."""
        queue(cloud)
        notify(s3, rule(prefix="testupload/", suffix="testfile.txt"))
        (found,) = s3.get_bucket_notification_configuration(Bucket=BUCKET)["QueueConfigurations"]
        assert found.pop("Id")
        rules = [{"Name": "Prefix", "Value": "testupload/"}, {"Name": "Suffix", "Value": "testfile.txt"}]
        assert found == {"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
        s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={})
        assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=BUCKET)

    def test_a_hundred_rules(self, s3):
        """Guide: up to 100 configurations. The text is ours."""
        rules = [rule(prefix=f"{n:03}") for n in range(101)]
        notify(s3, *rules[:100], SkipDestinationValidation=True)
        assert refused(notify, s3, *rules, SkipDestinationValidation=True)[0] == "InvalidArgument"


class TestEvents:
    def test_the_test_event(self, cloud, s3):
        """Guide: event message structure."""
        url = queue(cloud)
        notify(s3, rule())
        (event,) = receive(cloud, url)
        assert list(event) == ["Service", "Event", "Time", "Bucket", "RequestId", "HostId"]
        assert (event["Service"], event["Event"], event["Bucket"]) == ("Amazon S3", "s3:TestEvent", BUCKET)

    @pytest.mark.parametrize(("limits", "version"), [("2023", "2.1"), ("today", "2.1")])
    def test_the_document(self, limits, version):
        """Recorded in 2023; guide, event message structure, for the version of today."""
        cloud = make(limits)
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        url = queue(cloud)
        notify(s3, rule(id="new"))
        receive(cloud, url)
        etag = s3.put_object(Bucket=BUCKET, Key="a b@c", Body=b"something")["ETag"]
        cloud.advance(60)
        ((record,),) = [body["Records"] for body in receive(cloud, url)]
        about = record.pop("s3")
        sequencer = about["object"].pop("sequencer")
        assert len(sequencer) == 18 and int(sequencer, 16)
        assert record.pop("eventTime").startswith("2023-04-01T00:00:00.")
        assert sorted(record.pop("responseElements")) == ["x-amz-id-2", "x-amz-request-id"]
        assert record.pop("userIdentity")["principalId"].startswith("AWS:")
        assert record.pop("requestParameters")["sourceIPAddress"]
        about["bucket"].pop("ownerIdentity")
        assert record == {
            "eventVersion": version, "eventSource": "aws:s3", "awsRegion": "us-east-1",
            "eventName": "ObjectCreated:Put",
        }  # fmt: skip
        assert about == {
            "s3SchemaVersion": "1.0",
            "configurationId": "new",
            "bucket": {"name": BUCKET, "arn": f"arn:aws:s3:::{BUCKET}"},
            "object": {"key": "a+b%40c", "size": 9, "eTag": etag.strip('"')},
        }

    def test_a_removed_object_has_neither_size_nor_tag(self, cloud, s3):
        """Recorded."""
        url = queue(cloud)
        s3.put_object(Bucket=BUCKET, Key="a", Body=b"x")
        notify(s3, rule(["s3:ObjectRemoved:Delete"]))
        receive(cloud, url)
        s3.delete_object(Bucket=BUCKET, Key="a")
        cloud.advance(60)
        ((record,),) = [body["Records"] for body in receive(cloud, url)]
        assert record["eventName"] == "ObjectRemoved:Delete"
        assert sorted(record["s3"]["object"]) == ["key", "sequencer"]


# ---- Lambda ----------------------------------------------------------------------------------------------------------

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:resize"


@pytest.fixture
def client(cloud):
    cloud.deploy("resize", lambda event, context: event)
    return cloud.client("lambda")


class TestInvoke:
    def test_what_each_type_answers(self, client):
        """API: Invoke."""
        for kind, status in (("RequestResponse", 200), ("Event", 202), ("DryRun", 204)):
            assert client.invoke(FunctionName="resize", InvocationType=kind)["StatusCode"] == status

    @pytest.mark.parametrize(
        ("limits", "kind", "limit"),
        [("2023", "Event", 262_144), ("today", "Event", 1_048_576), ("2023", "RequestResponse", 6_291_456)],
    )
    def test_a_payload_has_a_limit(self, limits, kind, limit):
        """Guide: Lambda quotas; text reported."""
        cloud = make(limits)
        cloud.deploy("resize", lambda event, context: None)
        payload = b'"' + b"x" * (limit - 2) + b'"'
        client = cloud.client("lambda")
        client.invoke(FunctionName="resize", InvocationType=kind, Payload=payload)
        text = f"{limit + 1} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
        answer = refused(client.invoke, FunctionName="resize", InvocationType=kind, Payload=payload + b" ")
        assert answer == ("RequestTooLargeException", text, 413)

    def test_a_thousand_at_a_time(self):
        """Guide: Lambda quotas."""
        fast = {"api.latency_median": 0.0001, "api.latency_p95": 0.0001, "lambda.event_duplicates": 0}
        cloud = Cloud(seed=1, strict=True, assume=fast)
        cloud.deploy("slow", lambda event, context: cloud.kernel.sleep(2))
        client = cloud.client("lambda")
        for _ in range(1001):
            client.invoke(FunctionName="slow", InvocationType="Event")
        cloud.advance(1)
        assert cloud.service("lambda").function("slow").running == 1000
        assert len(cloud.trace.where("InvocationThrottled")) == 1

    def test_the_largest_settings(self, client):
        """Guide: Lambda quotas; configuring reserved concurrency."""
        client.put_function_concurrency(FunctionName="resize", ReservedConcurrentExecutions=900)
        client.update_function_configuration(FunctionName="resize", Timeout=900)


class TestPermissions:
    def allow(self, client, sid="x", principal="s3.amazonaws.com", **more):
        action = {"FunctionName": "resize", "StatementId": sid, "Action": "lambda:InvokeFunction"}
        return client.add_permission(**action, Principal=principal, **more)

    def test_the_statement(self, client):
        """Guide: granting other AWS entities access to your Lambda functions."""
        source = {"SourceArn": f"arn:aws:s3:::{BUCKET}", "SourceAccount": ACCOUNT}
        assert json.loads(self.allow(client, **source)["Statement"]) == {
            "Sid": "x",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": FUNCTION,
            "Condition": {
                "StringEquals": {"AWS:SourceAccount": ACCOUNT},
                "ArnLike": {"AWS:SourceArn": f"arn:aws:s3:::{BUCKET}"},
            },
        }
        policy = json.loads(client.get_policy(FunctionName="resize")["Policy"])
        assert (policy["Version"], policy["Id"], len(policy["Statement"])) == ("2012-10-17", "default", 1)

    def test_an_account_means_its_root(self, client):
        statement = json.loads(self.allow(client, principal="444455556666")["Statement"])
        assert statement["Principal"] == {"AWS": "arn:aws:iam::444455556666:root"}


class TestAsynchronous:
    def test_the_defaults(self, client):
        """API: PutFunctionEventInvokeConfig: two retries, six hours; guide: one minute, two minutes in between."""
        answer = client.put_function_event_invoke_config(FunctionName="resize")
        assert (answer["MaximumRetryAttempts"], answer["MaximumEventAgeInSeconds"]) == (2, 21_600)
        assert answer["FunctionArn"] == f"{FUNCTION}:$LATEST"
        assert answer["LastModified"].tzinfo is not None

    def test_a_destination_s_document(self, cloud, client):
        """Guide: capturing records of Lambda asynchronous invocations."""
        url = cloud.client("sqs").create_queue(QueueName="uploads")["QueueUrl"]
        cloud.deploy("resize", lambda event, context: 1 / 0)
        client.put_function_event_invoke_config(
            FunctionName="resize", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": QUEUE}}
        )
        client.invoke(FunctionName="resize", InvocationType="Event", Payload=b'{"a": 1}')
        cloud.advance(100)
        (record,) = receive(cloud, url)
        assert list(record) == [
            "version", "timestamp", "requestContext", "requestPayload", "responseContext", "responsePayload",
        ]  # fmt: skip
        context = record["requestContext"]
        assert (record["version"], record["requestPayload"]) == ("1.0", {"a": 1})
        assert context.pop("requestId")
        assert context == {
            "functionArn": f"{FUNCTION}:$LATEST", "condition": "RetriesExhausted", "approximateInvokeCount": 2,
        }  # fmt: skip
        assert record["responseContext"] == {
            "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
        }  # fmt: skip
        assert record["responsePayload"]["errorType"] == "ZeroDivisionError"


class TestQueues:
    def map(self, client, **more):
        return client.create_event_source_mapping(FunctionName="resize", EventSourceArn=QUEUE, **more)

    def test_the_event(self, cloud, client):
        """Guide: using Lambda with Amazon SQS, example event."""
        sqs, seen = cloud.client("sqs"), []
        url = sqs.create_queue(QueueName="uploads")["QueueUrl"]
        cloud.deploy("resize", lambda event, context: seen.append(event))
        self.map(client)
        cloud.advance(5)
        attributes = {
            "kind": {"DataType": "String", "StringValue": "x"}, "raw": {"DataType": "Binary", "BinaryValue": b"\x00"},
        }  # fmt: skip
        sent = sqs.send_message(QueueUrl=url, MessageBody="hello", MessageAttributes=attributes)
        cloud.advance(5)
        ((record,),) = [event["Records"] for event in seen]
        system = record.pop("attributes")
        assert system["ApproximateReceiveCount"] == "1"
        assert sorted(system) == [
            "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount", "SenderId", "SentTimestamp",
        ]  # fmt: skip
        assert record.pop("receiptHandle")
        lists = {"stringListValues": [], "binaryListValues": []}
        assert record == {
            "messageId": sent["MessageId"],
            "body": "hello",
            "messageAttributes": {
                "kind": {"stringValue": "x", **lists, "dataType": "String"},
                "raw": {"binaryValue": "AA==", **lists, "dataType": "Binary"},
            },
            "md5OfBody": sent["MD5OfMessageBody"],
            "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
            "eventSource": "aws:sqs",
            "eventSourceARN": QUEUE,
            "awsRegion": "us-east-1",
        }

    def test_the_queue_s_visibility_timeout_is_not_less_than_the_function_s_timeout(self, cloud, client):
        """Guide: creating and configuring an Amazon SQS event source mapping; text reported."""
        cloud.client("sqs").create_queue(QueueName="uploads")
        cloud.deploy("resize", lambda event, context: None, timeout=60)
        text = "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds"
        assert refused(self.map, client) == ("InvalidParameterValueException", text, 400)
        cloud.deploy("resize", lambda event, context: None, timeout=30)
        self.map(client)

    def test_five_filters(self, cloud, client):
        """Guide: up to five filters."""
        cloud.client("sqs").create_queue(QueueName="uploads")
        self.map(client, FilterCriteria={"Filters": [{"Pattern": "{}"}] * 5})

    def test_one_mapping_for_a_queue_and_a_function(self, cloud, client):
        """API: ResourceConflictException; text reported."""
        cloud.client("sqs").create_queue(QueueName="uploads")
        uuid = self.map(client)["UUID"]
        text = (
            f'The event source arn (" {QUEUE} ") and function (" resize ") provided mapping already exists. Please '
            f"update or delete the existing mapping with UUID {uuid}"
        )
        assert refused(self.map, client) == ("ResourceConflictException", text, 409)

    def test_the_role_must_be_allowed_to_read(self, cloud, client):
        """Reported."""
        cloud.client("sqs").create_queue(QueueName="uploads")
        iam = cloud.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName="resizer", AssumeRolePolicyDocument=document)
        cloud.deploy("resize", lambda event, context: None, role="resizer")
        text = "The provided execution role does not have permissions to call ReceiveMessage on SQS"
        assert refused(self.map, client) == ("InvalidParameterValueException", text, 400)
        actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        allow = {"Effect": "Allow", "Action": actions, "Resource": QUEUE}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_role_policy(RoleName="resizer", PolicyName="read", PolicyDocument=policy)
        self.map(client)

    @pytest.mark.parametrize(("limits", "more"), [("2023", 60), ("today", 300)])
    def test_how_fast_pollers_grow(self, limits, more):
        """Guide: configuring scaling behavior for SQS event source mappings: five, then 300 more a minute (60 until
        November 2023), up to 1,000."""
        quotas = make(limits).quotas
        assert [quotas[f"lambda.pollers{end}"] for end in ("", "_more", "_max")] == [5, more, 1000]


# ---- recorded in 2023 and 2025 by a public test suite ----------------------------------------------------------------


def about(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]


@pytest.mark.recorded
def test_errors_name_the_bucket_the_key_or_the_argument(cloud, s3):
    assert about(s3.list_objects_v2, Bucket="nothing")["BucketName"] == "nothing"
    assert about(s3.get_object, Bucket=BUCKET, Key="nothing") == {
        "Code": "NoSuchKey",
        "Message": "The specified key does not exist.",
        "Key": "nothing",
    }
    s3.put_object(Bucket=BUCKET, Key="a")
    assert about(s3.put_object, Bucket=BUCKET, Key="a", IfNoneMatch="*")["Condition"] == "If-None-Match"


@pytest.mark.recorded
def test_errors_of_notifications_name_the_argument_and_every_destination(s3):
    def put(*arns, **more):
        rules = [{"Id": f"{n}", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"]} for n, arn in enumerate(arns)]
        rules[1:] = [rule | {"Events": ["s3:ObjectRemoved:*"]} for rule in rules[1:]]
        configuration = {"QueueConfigurations": [rule | more for rule in rules]}
        return about(s3.put_bucket_notification_configuration, Bucket=BUCKET, NotificationConfiguration=configuration)

    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:my-queue"
    unparsed = {"Code": "InvalidArgument", "Message": "The ARN could not be parsed", "ArgumentName": "Queue"}
    assert put("invalid-queue") == unparsed | {"ArgumentValue": "invalid-queue"}
    assert put(arn, "invalid-queue") == unparsed | {"ArgumentValue": "invalid-queue"}
    assert put(arn, arn + "-2") == {
        "Code": "InvalidArgument",
        "Message": "Unable to validate the following destination configurations",
        "ArgumentName1": arn,
        "ArgumentValue1": "The destination queue does not exist",
        "ArgumentName2": arn + "-2",
        "ArgumentValue2": "The destination queue does not exist",
    }
    assert put(arn, Filter={"Key": {"FilterRules": [{"Name": "INVALID", "Value": "x"}]}}) == {
        "Code": "InvalidArgument",
        "Message": "filter rule name must be either prefix or suffix",
        "ArgumentName": "FilterRule.Name",
        "ArgumentValue": "INVALID",
    }


@pytest.mark.recorded
def test_an_empty_filter_value_is_kept(cloud, s3):
    arn = QUEUE
    rules = [{"Name": "Prefix", "Value": ""}, {"Name": "Suffix", "Value": ""}]
    rule = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
    given = {"Bucket": BUCKET, "NotificationConfiguration": {"QueueConfigurations": [rule]}}
    s3.put_bucket_notification_configuration(**given, SkipDestinationValidation=True)
    (found,) = s3.get_bucket_notification_configuration(Bucket=BUCKET)["QueueConfigurations"]
    assert found["Filter"]["Key"]["FilterRules"] == rules
