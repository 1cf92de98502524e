"""What S3 of AWS can and this one cannot: one line says so, whatever AWS would refuse of it."""

import pytest
from s3.test_s3 import BUCKET, Lab

from lablib.aws.service import NotSimulated

KEY = {"Key": "k"}
COPY = {**KEY, "CopySource": f"{BUCKET}/k"}
PART = {**KEY, "UploadId": "x", "PartNumber": 1}


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("get_object", {**KEY, "VersionId": "1"}),
        ("get_object", {**KEY, "IfNoneMatch": "x"}),
        ("get_object", {**KEY, "PartNumber": 1}),
        ("head_object", {**KEY, "IfMatch": "x"}),
        ("put_object", {**KEY, "ContentMD5": "000"}),
        ("put_object", {**KEY, "StorageClass": "OUTPOSTS"}),
        ("put_object", {**KEY, "ChecksumSHA256": "x"}),
        ("put_object", {**KEY, "Tagging": "a=1&a=2"}),
        ("put_object", {**KEY, "SSECustomerAlgorithm": "KMS"}),
        ("put_object", {**KEY, "ObjectLockMode": "GOVERNANCE"}),
        ("copy_object", {**COPY, "CopySourceIfMatch": "x"}),
        ("copy_object", {**COPY, "StorageClass": "STANDARD"}),
        ("delete_object", {**KEY, "VersionId": "1"}),
        ("delete_objects", {"Delete": {"Objects": [KEY]}, "BypassGovernanceRetention": True}),
        ("list_objects", {"EncodingType": "value"}),
        ("list_objects_v2", {"EncodingType": "value"}),
        ("get_bucket_policy", {"ExpectedBucketOwner": "0000"}),
        ("create_bucket", {"ObjectOwnership": "RandomValue"}),
        ("create_bucket", {"ACL": "private"}),
        ("create_multipart_upload", {**KEY, "ChecksumType": "COMPOSITE"}),
        ("complete_multipart_upload", {**KEY, "UploadId": "x", "IfMatch": "x"}),
        ("upload_part_copy", {**PART, "CopySource": f"{BUCKET}/k"}),
        ("list_multipart_uploads", {}),
        ("get_bucket_acl", {}),
        ("get_bucket_cors", {}),
        ("get_bucket_encryption", {}),
        ("get_bucket_lifecycle_configuration", {}),
        ("get_bucket_logging", {}),
        ("get_bucket_replication", {}),
        ("get_bucket_tagging", {}),
        ("get_bucket_versioning", {}),
        ("get_bucket_website", {}),
        ("get_object_attributes", {**KEY, "ObjectAttributes": ["ETag"]}),
        ("get_object_lock_configuration", {}),
        ("get_public_access_block", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_one_line_says_what_is_not_simulated(operation, more):
    lab = Lab()
    with pytest.raises(NotSimulated) as caught:
        getattr(lab.s3, operation)(Bucket=BUCKET, **more)
    text = str(caught.value)
    assert text.startswith(f"s3.{operation}")
    assert "\n" not in text
