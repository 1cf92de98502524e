"""Delivery streams: made, shown, changed, deleted; tags, versions, encryption."""

import json

import pytest
from aws_errors import code_and_message
from firehose.conftest import ACCOUNT, DESTINATION, ROLE, Lab, s3


def update(lab, version="1", **changes):
    more = {"CurrentDeliveryStreamVersionId": version, "ExtendedS3DestinationUpdate": changes}
    return lab.firehose.update_destination(**DESTINATION, **more)


@pytest.mark.guide
def test_a_stream_is_created_for_a_while(lab):
    config = {"DeliveryStreamName": "clicks", "ExtendedS3DestinationConfiguration": s3()}
    arn = lab.firehose.create_delivery_stream(**config)["DeliveryStreamARN"]
    assert arn == f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/clicks"
    assert lab.describe()["DeliveryStreamStatus"] == "CREATING"
    with pytest.raises(lab.firehose.exceptions.ResourceNotFoundException):
        lab.put(b"a")
    lab.cloud.advance(20)
    described = lab.describe()
    assert (described["DeliveryStreamStatus"], described["VersionId"]) == ("ACTIVE", "1")
    assert described["DeliveryStreamType"] == "DirectPut"


@pytest.mark.reported
def test_what_was_not_given_is_filled_in(lab):
    plain = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake"}
    lab.create(S3DestinationConfiguration=plain)
    (destination,) = lab.describe()["Destinations"]
    assert destination["DestinationId"] == "destinationId-000000000001"
    assert destination["ExtendedS3DestinationDescription"] == {
        **plain,
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "CompressionFormat": "UNCOMPRESSED",
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "CloudWatchLoggingOptions": {"Enabled": False},
        "S3BackupMode": "Disabled",
    }


@pytest.mark.guide
def test_a_deleted_stream_is_gone_after_a_while(lab):
    lab.create()
    lab.firehose.delete_delivery_stream(DeliveryStreamName="clicks")
    assert lab.describe()["DeliveryStreamStatus"] == "DELETING"
    lab.cloud.advance(20)
    with pytest.raises(lab.firehose.exceptions.ResourceNotFoundException):
        lab.describe()


@pytest.mark.guide
def test_streams_are_listed_a_page_at_a_time(lab):
    for n in range(12):
        lab.create(f"s{n:02}")
    first = lab.firehose.list_delivery_streams()
    assert (len(first["DeliveryStreamNames"]), first["HasMoreDeliveryStreams"]) == (10, True)
    rest = lab.firehose.list_delivery_streams(ExclusiveStartDeliveryStreamName=first["DeliveryStreamNames"][-1])
    assert (rest["DeliveryStreamNames"], rest["HasMoreDeliveryStreams"]) == (["s10", "s11"], False)


@pytest.mark.guide
def test_an_account_has_50_streams_in_2023(lab):
    for n in range(50):
        lab.create(f"s{n}")
    with pytest.raises(lab.firehose.exceptions.LimitExceededException):
        lab.create("one-more")
    today = Lab(limits="today")
    for n in range(51):
        today.create(f"s{n}")


# ---- changes ---------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_a_change_keeps_what_it_does_not_name_and_counts_the_version(lab):
    lab.create(ExtendedS3DestinationConfiguration=s3(Prefix="in/"))
    update(lab, BufferingHints={"SizeInMBs": 9, "IntervalInSeconds": 99})
    described = lab.describe()
    shown = described["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert (described["VersionId"], shown["Prefix"], shown["BufferingHints"]["SizeInMBs"]) == ("2", "in/", 9)
    assert described["LastUpdateTimestamp"] >= described["CreateTimestamp"]


@pytest.mark.guide
def test_a_change_takes_a_while_to_act_and_loses_nothing(lab):
    lab.create(ExtendedS3DestinationConfiguration=s3(Prefix="old/", seconds=900))
    lab.put(b"a")
    update(lab, Prefix="new/", BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 60})
    lab.put(b"b")
    lab.cloud.advance(65)
    lab.put(b"c")
    lab.cloud.advance(70)
    assert (lab.bodies(prefix="old/"), lab.bodies(prefix="new/")) == ([b"ab"], [b"c"])
    assert "clicks-1-" in lab.objects(prefix="old/")[0] and "clicks-2-" in lab.objects(prefix="new/")[0]


@pytest.mark.guide
def test_a_change_needs_the_current_version(lab):
    lab.create()
    update(lab, Prefix="a/")
    with pytest.raises(lab.firehose.exceptions.ConcurrentModificationException):
        update(lab, "1", Prefix="b/")
    update(lab, "2", Prefix="b/")
    assert lab.describe()["VersionId"] == "3"


@pytest.mark.guide
def test_a_backup_cannot_be_switched_off(lab):
    lab.create(ExtendedS3DestinationConfiguration=s3(S3BackupMode="Enabled", S3BackupConfiguration=s3("spare")))
    with pytest.raises(lab.firehose.exceptions.InvalidArgumentException):
        update(lab, S3BackupMode="Disabled")


# ---- roles -----------------------------------------------------------------------------------------------------------


@pytest.mark.reported
def test_the_role_must_be_there(lab):
    role = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    expected = f"Firehose is unable to assume role {role}. Please check the role provided."
    config = {"DeliveryStreamName": "clicks", "ExtendedS3DestinationConfiguration": s3(RoleARN=role)}
    assert code_and_message(lab.firehose.create_delivery_stream, **config) == ("InvalidArgumentException", expected)


@pytest.mark.guide
def test_the_role_must_trust_firehose(lab):
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    lab.iam.create_role(RoleName="other", AssumeRolePolicyDocument=document)
    with pytest.raises(lab.firehose.exceptions.InvalidArgumentException):
        lab.create(ExtendedS3DestinationConfiguration=s3(RoleARN=f"arn:aws:iam::{ACCOUNT}:role/other"))


@pytest.mark.guide
def test_who_may_put_is_asked_on_the_stream(lab):
    arn = lab.create()
    lab.iam.create_role(RoleName="web", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}))  # fmt: skip
    web = lab.cloud.client("firehose", role="web")
    record = {"DeliveryStreamName": "clicks", "Record": {"Data": b"a"}}
    assert code_and_message(web.put_record, **record)[0] == "AccessDeniedException"
    may = {"Effect": "Allow", "Action": "firehose:PutRecord", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": may})
    lab.iam.put_role_policy(RoleName="web", PolicyName="put", PolicyDocument=policy)
    assert web.put_record(**record)["RecordId"]


# ---- tags, encryption ------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_tags(lab):
    lab.create(Tags=[{"Key": "team", "Value": "web"}])
    tags = {"DeliveryStreamName": "clicks"}
    lab.firehose.tag_delivery_stream(**tags, Tags=[{"Key": "cost", "Value": "7"}, {"Key": "bare"}])
    lab.firehose.untag_delivery_stream(**tags, TagKeys=["team", "unknown"])
    listed = lab.firehose.list_tags_for_delivery_stream(**tags, Limit=1)
    assert (listed["Tags"], listed["HasMoreTags"]) == ([{"Key": "bare", "Value": ""}], True)
    rest = lab.firehose.list_tags_for_delivery_stream(**tags, ExclusiveStartTagKey="bare")
    assert (rest["Tags"], rest["HasMoreTags"]) == ([{"Key": "cost", "Value": "7"}], False)


@pytest.mark.guide
def test_encryption_is_started_and_stopped(lab):
    lab.create()
    stream = {"DeliveryStreamName": "clicks"}
    key = lab.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    given = {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": key}
    lab.firehose.start_delivery_stream_encryption(**stream, DeliveryStreamEncryptionConfigurationInput=given)
    assert lab.describe()["DeliveryStreamEncryptionConfiguration"]["Status"] == "ENABLING"
    lab.cloud.advance(20)
    assert lab.describe()["DeliveryStreamEncryptionConfiguration"] == {**given, "Status": "ENABLED"}
    assert lab.put_batch(b"a")["Encrypted"]
    lab.firehose.stop_delivery_stream_encryption(**stream)
    lab.cloud.advance(20)
    assert lab.describe()["DeliveryStreamEncryptionConfiguration"] == {"Status": "DISABLED"}


@pytest.mark.guide
def test_a_disabled_key_refuses_records(lab):
    kms = lab.cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    given = {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": key}
    lab.create(DeliveryStreamEncryptionConfigurationInput=given)
    kms.disable_key(KeyId=key)
    lab.cloud.advance(301)
    with pytest.raises(lab.firehose.exceptions.InvalidKMSResourceException):
        lab.put(b"a")


@pytest.mark.guide
def test_encryption_changes_25_times_a_day(lab):
    lab.create()
    stream = {"DeliveryStreamName": "clicks"}
    for n in range(25):
        change = (
            lab.firehose.stop_delivery_stream_encryption if n % 2 else lab.firehose.start_delivery_stream_encryption
        )
        change(**stream)
        lab.cloud.advance(20)
    with pytest.raises(lab.firehose.exceptions.LimitExceededException):
        lab.firehose.stop_delivery_stream_encryption(**stream)
