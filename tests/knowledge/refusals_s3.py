"""What AWS was recorded to refuse of S3, and in which words. See `refused.py`.

The facts are those of LocalStack's public tests of S3 (tests/aws/services/s3/*.snapshot.json), recorded from AWS
between July 2023 and February 2026: 498 refusals, without those of the answers to requests across origins. 76 of them
are of requests that the lab simulates; the rows below stand for them all, and all are given alike. The other 422 are of
operations and parameters that are not simulated, and have no row: access control lists, presigned requests, websites,
rules for other origins, encryption, checksums, versions, locks, tags, lifecycles, replication, storage classes,
inventories, metrics, logs, transfer acceleration, the owner that is expected, parts that are copied, and conditions of
copies, of lists and of uploads in parts. They answer with NotSimulated, which `tests/s3` holds.
"""

from collections.abc import Callable
from typing import Any

from knowledge.refused import QUEUE, TOPIC, Lab, Refusal


def _notify(*rules: dict[str, Any]) -> Callable[[Lab], dict[str, Any]]:
    kinds = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    whole = [{"Id": f"{n}", "Events": [kinds[n]], **rule} for n, rule in enumerate(rules)]
    return lambda lab: {"Bucket": "bucket-of-tests", "NotificationConfiguration": {"QueueConfigurations": whole}}


def _object(lab: Lab) -> None:
    lab.s3.put_object(Bucket="bucket-of-tests", Key="k", Body=b"0123456789")


def _key(**more: str) -> Callable[[Lab], dict[str, Any]]:
    return lambda lab: {"Bucket": "bucket-of-tests", "Key": "k", **more}


def _upload(lab: Lab, *bodies: bytes) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """An upload in parts that has begun, and its parts."""
    where = {"Bucket": _BUCKET, "Key": "k"}
    where["UploadId"] = lab.s3.create_multipart_upload(**where)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": lab.s3.upload_part(**where, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, 1)
    ]
    return where, parts


def _completed(lab: Lab) -> dict[str, str]:
    where, parts = _upload(lab, b"data")
    lab.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    return where


def _complete(change: Callable[[list[dict[str, Any]]], Any], *bodies: bytes) -> Callable[[Lab], dict[str, Any]]:
    """CompleteMultipartUpload with a list that `change` makes of the parts."""

    def given(lab: Lab) -> dict[str, Any]:
        where, parts = _upload(lab, *bodies)
        return {**where, "MultipartUpload": {"Parts": change(parts)}}

    return given


def _create(name: str, place: str = "") -> Callable[[Lab], dict[str, Any]]:
    where = {"CreateBucketConfiguration": {"LocationConstraint": place}} if place else {}
    return lambda lab: {"Bucket": name, **where}


def _abroad(lab: Lab) -> None:
    lab.s3.create_bucket(Bucket="bucket-abroad", CreateBucketConfiguration={"LocationConstraint": "us-west-1"})


def _copy(source: str, key: str = "copy", **more: Any) -> Callable[[Lab], dict[str, Any]]:
    return lambda lab: {"Bucket": _BUCKET, "Key": key, "CopySource": source, **more}


def _configure(kind: str, name: str, arn: str, bucket: str = "bucket-of-tests", **more: Any) -> Callable[[Lab], Any]:
    rule = {"Id": "id123", name: arn, "Events": ["s3:ObjectCreated:*"]}
    return lambda lab: {"Bucket": bucket, "NotificationConfiguration": {kind: [rule]}, **more}


_S3, _S3_LATER, _S3_LAST = "S3, August 2023", "S3, 2025", "S3, February 2026"
_BUCKET, _MISSING = "bucket-of-tests", "not-there"
_NO_KEY, _NO_BUCKET = "The specified key does not exist.", "The specified bucket does not exist"
_NO_UPLOAD = (
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
    "completed."
)
_NO_PART = (
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
    "entity tag may not match the part's entity tag."
)
_TO_ITSELF = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
_ETAG = "8d777f385d3dfec8815d20f7496026dc"  # of "data"
_EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:my-lambda"

_NOTIFICATIONS: tuple[Refusal, ...] = (
    Refusal(
        "s3.PutBucketNotificationConfiguration",
        "a filter rule called INVALID",
        _notify({"QueueArn": QUEUE + "q", "Filter": {"Key": {"FilterRules": [{"Name": "INVALID", "Value": "x"}]}}}),
        "InvalidArgument",
        "filter rule name must be either prefix or suffix",
        _S3,
        details=(("ArgumentName", "FilterRule.Name"), ("ArgumentValue", "INVALID")),
    ),
    *(
        Refusal(
            "s3.PutBucketNotificationConfiguration",
            what,
            _notify(*rules),
            "InvalidArgument",
            "The ARN could not be parsed",
            _S3,
            details=(("ArgumentName", "Queue"), ("ArgumentValue", wrong)),
        )
        for what, rules, wrong in (
            ("QueueArn='invalid-queue'", [{"QueueArn": "invalid-queue"}], "invalid-queue"),
            ("two wrong ARNs", [{"QueueArn": "invalid_arn"}, {"QueueArn": "invalid_arn_2"}], "invalid_arn"),
            (
                "a queue that is not there, a wrong ARN",
                [{"QueueArn": QUEUE + "no"}, {"QueueArn": "invalid_arn_2"}],
                "invalid_arn_2",
            ),
        )
    ),
    Refusal(
        "s3.PutBucketNotificationConfiguration",
        "a queue that is not there",
        _notify({"QueueArn": QUEUE + "no"}),
        "InvalidArgument",
        "Unable to validate the following destination configurations",
        _S3,
        details=(("ArgumentName1", QUEUE + "no"), ("ArgumentValue1", "The destination queue does not exist")),
    ),
    Refusal(
        "s3.PutBucketNotificationConfiguration",
        "two queues that are not there",
        _notify({"QueueArn": QUEUE + "no"}, {"QueueArn": QUEUE + "no-2"}),
        "InvalidArgument",
        "Unable to validate the following destination configurations",
        _S3,
        details=(
            ("ArgumentName1", QUEUE + "no"),
            ("ArgumentValue1", "The destination queue does not exist"),
            ("ArgumentName2", QUEUE + "no-2"),
            ("ArgumentValue2", "The destination queue does not exist"),
        ),
    ),
    Refusal(
        "s3.PutBucketNotificationConfiguration",
        "TopicArn='invalid-topic'",
        lambda lab: {
            "Bucket": "bucket-of-tests",
            "NotificationConfiguration": {
                "TopicConfigurations": [{"TopicArn": "invalid-topic", "Events": ["s3:ObjectCreated:*"]}]
            },
        },
        "InvalidArgument",
        "The ARN could not be parsed",
        _S3,
        details=(("ArgumentName", "Topic"), ("ArgumentValue", "invalid-topic")),
    ),
    *(
        Refusal(
            "s3.PutBucketNotificationConfiguration",
            f"{name}='invalid', SkipDestinationValidation",
            _configure(kind, name, "invalid", SkipDestinationValidation=True),
            "InvalidArgument",
            "The ARN could not be parsed",
            _S3,
            details=(("ArgumentName", argument), ("ArgumentValue", "invalid")),
        )
        for kind, name, argument in (
            ("QueueConfigurations", "QueueArn", "Queue"),
            ("TopicConfigurations", "TopicArn", "Topic"),
            ("LambdaFunctionConfigurations", "LambdaFunctionArn", "CloudFunction"),
        )
    ),
    Refusal(
        "s3.PutBucketNotificationConfiguration",
        "LambdaFunctionArn='invalid-queue'",
        _configure("LambdaFunctionConfigurations", "LambdaFunctionArn", "invalid-queue"),
        "InvalidArgument",
        "The ARN could not be parsed",
        _S3,
        details=(("ArgumentName", "CloudFunction"), ("ArgumentValue", "invalid-queue")),
    ),
    Refusal(
        "s3.PutBucketNotificationConfiguration",
        "a function that is not there",
        _configure("LambdaFunctionConfigurations", "LambdaFunctionArn", _FUNCTION),
        "InvalidArgument",
        "Unable to validate the following destination configurations",
        _S3,
        details=(
            ("ArgumentName1", f"{_FUNCTION}, null"),
            ("ArgumentValue1", f"Not authorized to invoke function [{_FUNCTION}]"),
        ),
    ),
)

_BUCKETS: tuple[Refusal, ...] = (
    *(
        Refusal(
            f"s3.{operation}",
            "a bucket that is not there",
            lambda lab, more=more: {"Bucket": _MISSING, **more},  # type: ignore[misc]
            "NoSuchBucket",
            _NO_BUCKET,
            recorded,
            404,
            details=(("BucketName", _MISSING),),
        )
        for operation, more, recorded in (
            ("GetObject", {"Key": "k"}, _S3),
            ("DeleteBucket", {}, _S3),
            ("GetBucketLocation", {}, _S3),
            ("DeleteObjects", {"Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}}, _S3),
            ("ListObjects", {}, _S3),
            (
                "PutBucketNotificationConfiguration",
                {
                    "NotificationConfiguration": {
                        "TopicConfigurations": [{"TopicArn": TOPIC, "Events": ["s3:ObjectCreated:*"]}]
                    }
                },
                _S3,
            ),
        )
    ),
    Refusal("s3.HeadBucket", "a bucket that is not there", _create(_MISSING), "404", "Not Found", _S3, 404),
    Refusal(
        "s3.CreateBucket",
        "a name in capitals",
        _create("TestUppercase"),
        "InvalidBucketName",
        "The specified bucket is not valid.",
        _S3,
        details=(("BucketName", "TestUppercase"),),
    ),
    *(
        Refusal(
            "s3.CreateBucket",
            f"one's own bucket of us-west-1 again, in {place}",
            _create("bucket-abroad", place),
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            _S3,
            409,
            before=_abroad,
            details=(("BucketName", "bucket-abroad"),),
        )
        for place in ("us-west-1", "us-east-2")
    ),
    *(
        Refusal(
            "s3.CreateBucket",
            f"LocationConstraint={place or None!r} at the endpoint of {region}",
            _create("bucket-new", place),
            "IllegalLocationConstraintException",
            f"The {place or 'unspecified'} location constraint is incompatible for the region specific endpoint this "
            "request was sent to.",
            recorded,
            region=region,
        )
        for place, region, recorded in (
            ("", "us-east-2", _S3),
            ("aws-global", "us-west-1", _S3_LAST),
            ("EU", "us-east-2", _S3_LAST),
            ("bar", "eu-west-1", _S3_LAST),
        )
    ),
    *(
        Refusal(
            "s3.CreateBucket",
            f"LocationConstraint={place!r} at the endpoint of us-east-1",
            _create("bucket-new", place),
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
            _S3_LAST,
            details=(("LocationConstraint", place),),
        )
        for place in ("us-east-1", "foo", "aws-global")
    ),
    Refusal(
        "s3.ListObjectsV2",
        "ContinuationToken=''",
        lambda lab: {"Bucket": _BUCKET, "ContinuationToken": ""},
        "InvalidArgument",
        "The continuation token provided is incorrect",
        _S3_LATER,
        details=(("ArgumentName", "continuation-token"),),
    ),
    Refusal(
        "s3.GetBucketPolicy",
        "a policy that was deleted",
        _create(_BUCKET),
        "NoSuchBucketPolicy",
        "The bucket policy does not exist",
        "S3, October 2023",
        404,
        before=lambda lab: lab.s3.delete_bucket_policy(Bucket=_BUCKET),
        details=(("BucketName", _BUCKET),),
    ),
)

_OBJECTS: tuple[Refusal, ...] = (
    Refusal(
        "s3.GetBucketNotificationConfiguration",
        "a bucket that is not there",
        lambda lab: {"Bucket": "not-there"},
        "NoSuchBucket",
        "The specified bucket does not exist",
        _S3,
        404,
        details=(("BucketName", "not-there"),),
    ),
    Refusal(
        "s3.DeleteBucket",
        "a bucket with an object",
        lambda lab: {"Bucket": "bucket-of-tests"},
        "BucketNotEmpty",
        "The bucket you tried to delete is not empty",
        "S3, July 2023",
        409,
        before=_object,
        details=(("BucketName", "bucket-of-tests"),),
    ),
    Refusal(
        "s3.GetObject", "a key that is not there", _key(), "NoSuchKey", _NO_KEY, _S3_LATER, 404, details=(("Key", "k"),)
    ),
    *(
        Refusal(
            "s3.GetObject",
            f"Range='{asked}' of ten bytes",
            _key(Range=asked),
            "InvalidRange",
            "The requested range is not satisfiable",
            _S3_LATER,
            416,
            before=_object,
            details=(("ActualObjectSize", "10"), ("RangeRequested", asked)),
        )
        for asked in ("bytes=100-200", "bytes=-0")
    ),
    *(
        Refusal(
            "s3.PutObject",
            f"{name}='{value}' of an object",
            _key(**{name: value}),
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            _S3_LATER,
            412,
            before=_object,
            details=(("Condition", header),),
        )
        for name, header, value in (("IfMatch", "If-Match", "abc"), ("IfNoneMatch", "If-None-Match", "*"))
    ),
    Refusal(
        "s3.PutObject",
        "IfMatch, and there is no object",
        _key(IfMatch="abc"),
        "NoSuchKey",
        _NO_KEY,
        _S3_LATER,
        404,
        details=(("Key", "k"),),
    ),
    *(
        Refusal(
            "s3.PutObject",
            " and ".join(f"{name}='{value}'" for name, value in given.items()),
            _key(**given),
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            _S3_LATER,
            501,
            details=(("Header", header), ("additionalMessage", more)),
        )
        for given, header, more in (
            ({"IfMatch": "*"}, "If-Match", "We don't accept the provided value of If-Match header for this API"),
            (
                {"IfNoneMatch": "abc"},
                "If-None-Match",
                "We don't accept the provided value of If-None-Match header for this API",
            ),
            (
                {"IfMatch": "abc", "IfNoneMatch": "*"},
                "If-Match,If-None-Match",
                "Multiple conditional request headers present in the request",
            ),
        )
    ),
    Refusal(
        "s3.GetBucketPolicy",
        "a bucket without policy",
        lambda lab: {"Bucket": "bucket-of-tests"},
        "NoSuchBucketPolicy",
        "The bucket policy does not exist",
        "S3, October 2023",
        404,
        details=(("BucketName", "bucket-of-tests"),),
    ),
    *(
        Refusal(
            "s3.PutBucketPolicy",
            f"Policy='{policy}'",
            lambda lab, policy=policy: {"Bucket": "bucket-of-tests", "Policy": policy},  # type: ignore[misc]
            "MalformedPolicy",
            text,
            _S3,
        )
        for policy, text in (
            ("", "Policies must be valid JSON and the first byte must be '{'"),
            ("invalid", "Policies must be valid JSON and the first byte must be '{'"),
            ("{}", "Missing required field Statement"),
        )
    ),
    *(
        Refusal(
            "s3.GetObject", what, _key(**more), "NoSuchKey", _NO_KEY, _S3, 404, before=before, details=(("Key", "k"),)
        )
        for what, more, before in (
            ("Range='bytes=1024-4096' of a key that is not there", {"Range": "bytes=1024-4096"}, lambda lab: None),
            ("a key in other capitals", {}, lambda lab: lab.s3.put_object(Bucket=_BUCKET, Key="K")),
        )
    ),
    Refusal(
        "s3.GetObject",
        "IfMatch='abc' of an object",
        _key(IfMatch="abc"),
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        _S3,
        412,
        before=_object,
        details=(("Condition", "If-Match"),),
    ),
    Refusal("s3.HeadObject", "a key that is not there", _key(), "404", "Not Found", _S3, 404),
    *(
        Refusal(
            "s3.CopyObject",
            what,
            _copy(f"{_BUCKET}/k", "k", **more),
            "InvalidRequest",
            _TO_ITSELF,
            _S3_LAST,
            before=_object,
        )
        for what, more in (("to itself", {}), ("to itself, Metadata without directive", {"Metadata": {"key": "value"}}))
    ),
    Refusal(
        "s3.CopyObject",
        "from a bucket that is not there",
        _copy("not-there/k"),
        "NoSuchBucket",
        _NO_BUCKET,
        "S3, October 2023",
        404,
        details=(("BucketName", _MISSING),),
    ),
    Refusal(
        "s3.CopyObject",
        "from a key that is not there",
        _copy(f"{_BUCKET}/k"),
        "NoSuchKey",
        _NO_KEY,
        "S3, October 2023",
        404,
        details=(("Key", "k"),),
    ),
    Refusal(
        "s3.CopyObject",
        "CopySource='wrongformat'",
        _copy("wrongformat"),
        "InvalidArgument",
        "Invalid copy source object key",
        _S3_LAST,
        details=(("ArgumentName", "x-amz-copy-source"), ("ArgumentValue", "x-amz-copy-source")),
    ),
)

_UPLOADS: tuple[Refusal, ...] = (
    *(
        Refusal(
            f"s3.{operation}",
            "UploadId='fakeid'",
            lambda lab, more=more: {"Bucket": _BUCKET, "Key": "k", "UploadId": "fakeid", **more},  # type: ignore[misc]
            "NoSuchUpload",
            _NO_UPLOAD,
            _S3_LAST,
            404,
            details=(("UploadId", "fakeid"),),
        )
        for operation, more in (
            ("UploadPart", {"PartNumber": 1, "Body": b"x"}),
            ("CompleteMultipartUpload", {}),
            ("AbortMultipartUpload", {}),
        )
    ),
    *(
        Refusal(
            f"s3.{operation}",
            "the upload of another key",
            lambda lab, more=more: {**_upload(lab, b"x")[0], "Key": "other", **more},  # type: ignore[misc]
            "NoSuchUpload",
            _NO_UPLOAD,
            "S3, October 2023",
            404,
            details=(("UploadId", "<upload>"),),
        )
        for operation, more in (
            ("UploadPart", {"PartNumber": 1, "Body": b"x"}),
            ("CompleteMultipartUpload", {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "x"}]}}),
            ("ListParts", {}),
            ("AbortMultipartUpload", {}),
        )
    ),
    Refusal(
        "s3.ListParts",
        "a completed upload",
        _completed,
        "NoSuchUpload",
        _NO_UPLOAD,
        _S3_LAST,
        404,
        details=(("UploadId", "<upload>"),),
    ),
    Refusal(
        "s3.UploadPart",
        "PartNumber=-1",
        lambda lab: {**_upload(lab)[0], "PartNumber": -1, "Body": b"x"},
        "InvalidArgument",
        "Part number must be an integer between 1 and 10000, inclusive",
        _S3_LAST,
        details=(("ArgumentName", "partNumber"), ("ArgumentValue", "-1")),
    ),
    Refusal(
        "s3.CompleteMultipartUpload",
        "parts in another order",
        _complete(lambda parts: parts[::-1], b"data", b"data"),
        "InvalidPartOrder",
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
        _S3_LAST,
        details=(("UploadId", "<upload>"),),
    ),
    Refusal(
        "s3.CompleteMultipartUpload",
        "no list of parts",
        lambda lab: _upload(lab, b"data")[0],
        "InvalidRequest",
        "You must specify at least one part",
        _S3_LAST,
    ),
    Refusal(
        "s3.CompleteMultipartUpload",
        "two parts of four bytes",
        _complete(lambda parts: parts, b"data", b"data"),
        "EntityTooSmall",
        "Your proposed upload is smaller than the minimum allowed size",
        _S3_LAST,
        details=(("ETag", _ETAG), ("MinSizeAllowed", "5242880"), ("PartNumber", "1"), ("ProposedSize", "4")),
    ),
    *(
        Refusal(
            "s3.CompleteMultipartUpload",
            what,
            _complete(lambda parts, change=change: [parts[0] | change], b"data"),  # type: ignore[misc]
            "InvalidPart",
            _NO_PART,
            _S3_LAST,
            details=(("ETag", tag), ("PartNumber", number), ("UploadId", "<upload>")),
        )
        for what, change, tag, number in (
            ("a part that is not there", {"PartNumber": 2}, _ETAG, "2"),
            (
                "a part's ETag is wrong",
                {"ETag": "d41d8cd98f00b204e9800998ecf8427e"},
                "d41d8cd98f00b204e9800998ecf8427e",
                "1",
            ),
        )
    ),
)

TABLE = (*_NOTIFICATIONS, *_BUCKETS, *_OBJECTS, *_UPLOADS)
