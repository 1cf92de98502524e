"""What S3 refuses, and in which words. The marker says from where it is known; most of it stands in `knowledge`."""

import pytest
from aws_errors import case, guide, ours, reported
from lab import ACCOUNT, OTHER, document
from s3.test_s3 import BUCKET, Lab

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:thumbnails"
OVERLAP = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
AMBIGUOUS = (
    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
    "overlapping for the same event type."
)
KEY = {"Bucket": BUCKET, "Key": "a"}


def rule(events=("s3:ObjectCreated:*",), arn=QUEUE, kind="Queue", id=None, **filters):
    document = {f"{kind}Arn": arn, "Events": list(events)} | ({"Id": id} if id else {})
    rules = [{"Name": name, "Value": value} for name, value in filters.items()]
    return document | ({"Filter": {"Key": {"FilterRules": rules}}} if rules else {})


def notify(*rules, **more):
    return {"Bucket": BUCKET, "NotificationConfiguration": {"QueueConfigurations": list(rules), **more}}


def queue(lab):
    lab.queue()


def taken(lab):
    lab.cloud.client("s3", account=OTHER).create_bucket(Bucket="taken-by-others")


def uploading(lab):
    lab.put("a", b"0123456789")
    return {"UploadId": lab.s3.create_multipart_upload(**KEY)["UploadId"]}


def ten_bytes(lab):
    lab.put("a", b"0123456789")


CASES = [
    # ---- buckets: guide, general purpose bucket naming rules; API, error responses
    *(case(guide, "create_bucket", {"Bucket": name}, "InvalidBucketName", "The specified bucket is not valid.")
      for name in ("ab", "a" * 64, "a_b", "a..b", "-ab", "ab-", "192.168.5.4", "xn--ab", "sthree-ab", "ab-s3alias",
                   "ab--ol-s3")),
    case(guide, "create_bucket", {"Bucket": "taken-by-others"}, "BucketAlreadyExists",
         "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
         "Please select a different name and try again.", 409, setup=taken),
    case(guide, "put_object", {"Bucket": "missing", "Key": "a"}, "NoSuchBucket",
         "The specified bucket does not exist", 404),
    case(guide, "list_objects_v2", {"Bucket": "missing"}, "NoSuchBucket", "The specified bucket does not exist", 404),
    # ---- objects
    case(guide, "put_object", {"Bucket": BUCKET, "Key": "é" * 513}, "KeyTooLongError", "Your key is too long"),
    case(guide, "put_object", {**KEY, "Metadata": {"m": "x" * 2048}}, "MetadataTooLarge"),
    case(guide, "delete_objects", {"Bucket": BUCKET, "Delete": {"Objects": [{"Key": "a"}] * 1001}}, "MalformedXML"),
    case(guide, "list_objects_v2", {"Bucket": BUCKET, "ContinuationToken": "?"}, "InvalidArgument"),
    *(case(guide, "get_object", {**KEY, "Range": behind}, "InvalidRange", status=416, setup=ten_bytes)
      for behind in ("bytes=10-", "bytes=10-12")),
    *(case(guide, "upload_part", {**KEY, "PartNumber": n, "Body": b"x"}, "InvalidArgument",
           "Part number must be an integer between 1 and 10000, inclusive", setup=uploading)
      for n in (0, 10_001)),
    *(case(ours, "complete_multipart_upload", {**KEY, "MultipartUpload": {"Parts": [part]}}, "MalformedXML",
           setup=uploading)
      for part in ({"PartNumber": 1}, {"ETag": "x"}, {})),
    # ---- policies
    case(guide, "put_bucket_policy", {"Bucket": BUCKET, "Policy": '{"Statement": []}'}, "MalformedPolicy",
         "...Statement..."),
    case(guide, "put_bucket_policy", {"Bucket": BUCKET, "Policy": document(
         {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::other/*"})},
         "MalformedPolicy", "Policy has invalid resource"),
    case(reported, "put_bucket_policy", {"Bucket": BUCKET, "Policy": document(
         {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/worker"}, "Action": "s3:GetObject",
          "Resource": f"arn:aws:s3:::{BUCKET}/*"})}, "MalformedPolicy", "Invalid principal in policy"),
    # ---- notifications: guide, filtering by object key name. The texts of the first two groups are reported.
    *(case(guide, "put_bucket_notification_configuration", notify(one, other), "InvalidArgument", text, setup=queue)
      for one, other, text in (
          (rule(), rule(), OVERLAP), (rule(), rule(["s3:ObjectCreated:Put"]), OVERLAP),
          (rule(prefix="images"), rule(prefix="images/raw"), AMBIGUOUS),
          (rule(suffix="jpg"), rule(suffix=".jpg"), AMBIGUOUS), (rule(), rule(suffix=".jpg"), AMBIGUOUS),
          (rule(prefix="images"), rule(suffix=".jpg"), AMBIGUOUS))),
    case(guide, "put_bucket_notification_configuration",
         notify(rule(), TopicConfigurations=[rule(kind="Topic", arn=f"arn:aws:sns:us-east-1:{ACCOUNT}:uploads")]),
         "InvalidArgument", OVERLAP, setup=queue),  # "S3 event to many queues" takes a topic
    *(case(guide, "put_bucket_notification_configuration", notify(rule(["s3:ObjectRemoved:*"]), bad),
           "InvalidArgument", text, setup=queue)
      for bad, text in (
          (rule(arn=f"arn:aws:sns:us-east-1:{ACCOUNT}:x"), "The ARN could not be parsed"),
          (rule(prefix="a", Prefix="b"), "Cannot specify more than one prefix rule in a filter."),
          (rule(prefix="a" * 1025), "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation"),
          (rule(["s3:ObjectCreated"]), "A specified event is not supported for notifications."),
          (rule(arn=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:thumbnails"), "A specified destination is in a different region "
           "than the bucket. You must use a destination that resides in the same region as the bucket."),
          (rule(arn=QUEUE + ".fifo"), "Unable to validate the following destination configurations"))),
    case(reported, "put_bucket_notification_configuration",
         notify(rule(id="x"), rule(["s3:ObjectRemoved:*"], id="x")), "InvalidArgument",
         "Same ID used for multiple configurations. IDs must be unique", setup=queue),
    case(guide, "put_bucket_notification_configuration", notify(rule(events=())), "MalformedXML"),
]  # fmt: skip


@pytest.fixture(scope="module")
def shared():
    return Lab()


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_in_the_words_of_aws(shared, case):
    lab = Lab() if case.setup else shared

    def left():
        rules = lab.s3.get_bucket_notification_configuration(Bucket=BUCKET)
        keys = [each["Key"] for each in lab.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
        return lab.s3.list_buckets()["Buckets"], keys, rules.get("QueueConfigurations")

    case.check(lab.s3, lab, left)
