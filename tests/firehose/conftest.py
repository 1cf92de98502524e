"""A cloud with a bucket, a role and delivery streams, for the tests of Data Firehose. Through boto3, in strict mode."""

import gzip
import io
import json
import zipfile

import pytest
from lab import ACCOUNT, EVERYTHING, QUICK, assumed, document
from lab import Lab as Base

from lablib.gateway import Fault

ROLE = f"arn:aws:iam::{ACCOUNT}:role/firehose"
DESTINATION = {"DeliveryStreamName": "clicks", "DestinationId": "destinationId-000000000001"}


def s3(bucket="lake", size=1, seconds=60, **more):
    """An (extended) S3 destination."""
    hints = {"SizeInMBs": size, "IntervalInSeconds": seconds}
    return {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{bucket}", "BufferingHints": hints} | more


def conversion(serializer="ParquetSerDe"):
    """A conversion to a format of columns."""
    return {
        "Enabled": True,
        "SchemaConfiguration": {"DatabaseName": "d", "TableName": "t"},
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {serializer: {}}},
    }


def processor(kind, **parameters):
    """A processing configuration with one processor."""
    listed = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    return {"Enabled": True, "Processors": [{"Type": kind, "Parameters": listed}]}


class Lab(Base):
    """A cloud with the buckets "lake" and "spare", a role that may do everything, and short ways to put and look."""

    def __init__(self, limits="2023", seed=1, **assume):
        quotas = QUICK | assumed("firehose", assume)
        super().__init__("iam", "s3", once=["firehose"], seed=seed, limits=limits, assume=quotas)
        self.role_for("firehose.amazonaws.com", "firehose", EVERYTHING)
        for bucket in ("lake", "spare"):
            self.s3.create_bucket(Bucket=bucket)

    def allow(self, *statements):
        """All that the role may do from now on."""
        self.iam.put_role_policy(RoleName="firehose", PolicyName="p", PolicyDocument=document(*statements))

    def create(self, name="clicks", **config):
        """A delivery stream, when it is active."""
        if not any(key.endswith("DestinationConfiguration") for key in config):
            config["ExtendedS3DestinationConfiguration"] = s3()
        arn = self.firehose.create_delivery_stream(DeliveryStreamName=name, **config)["DeliveryStreamARN"]
        self.cloud.advance(20)
        return arn

    def create_from(self, stream, name="clicks", **config):
        """A delivery stream that reads a Kinesis stream."""
        arn = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{stream}"
        source = {"KinesisStreamARN": arn, "RoleARN": ROLE}
        kind = {"DeliveryStreamType": "KinesisStreamAsSource", "KinesisStreamSourceConfiguration": source}
        return self.create(name, **kind, **config)

    def put(self, *bodies, name="clicks"):
        """Put records one by one; their ids."""
        put = self.firehose.put_record
        return [put(DeliveryStreamName=name, Record={"Data": body})["RecordId"] for body in bodies]

    def put_batch(self, *bodies, name="clicks"):
        records = [{"Data": body} for body in bodies]
        return self.firehose.put_record_batch(DeliveryStreamName=name, Records=records)

    def describe(self, name="clicks"):
        return self.firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]

    def objects(self, bucket="lake", prefix=""):
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())]

    def body(self, key, bucket="lake"):
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def bodies(self, bucket="lake", prefix=""):
        """What is in the bucket, one item an object, decompressed."""
        return [content(key, self.body(key, bucket)) for key in self.objects(bucket, prefix)]

    def errors(self, bucket="lake", prefix="processing-failed/"):
        """The documents under the error prefix."""
        return [json.loads(line) for body in self.bodies(bucket, prefix) for line in body.splitlines()]

    def fail(self, operation, kind="throttle", start=None, seconds=1e9, **more):
        start = self.cloud.now if start is None else start
        self.cloud.faults.add(Fault(kind, (operation,), start=start, end=start + seconds, **more))

    def transform(self, handler, name="transform", timeout=60, **parameters):
        """A processing configuration with a Lambda function, `handler(event, context)`."""
        arn = self.cloud.deploy(name, handler, timeout=timeout)
        return processor("Lambda", LambdaArn=f"{arn}:$LATEST", **parameters)


def content(key, body):
    if key.endswith(".gz"):
        return gzip.decompress(body)
    if key.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            (name,) = archive.namelist()
            return archive.read(name)
    return body


@pytest.fixture
def lab():
    return Lab()
