"""S3: buckets, objects, and where its events go. All through boto3, in strict mode."""

import io
import json
from urllib.parse import unquote_plus

import pytest
from aws_errors import code
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import ACCOUNT, OTHER
from lab import Lab as Base

from lablib import Cloud, Fault
from lablib.aws.arn import Arn
from lablib.aws.service import NotSimulated
from lablib.measures import Measures
from lablib.services.s3.notifications import Rule, encoded

pytestmark = pytest.mark.ours  # where a test names no source

BUCKET = "photos-of-spring"
EVERYTHING = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]


def allow(service, action, resource, **condition):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": resource}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}
    )


class Lab(Base):
    def __init__(self, seed=1, **assume):
        steady = {"sqs.outages_per_hour": 0, "s3.event_duplicates": 0}
        super().__init__("s3", "sqs", seed=seed, assume=steady | {f"s3.{k}": v for k, v in assume.items()})
        self.s3.create_bucket(Bucket=BUCKET)

    def queue(self, name="thumbnails", **condition):
        condition = condition or {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"}}
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        policy = allow("s3.amazonaws.com", "sqs:SendMessage", arn, **condition)
        self.create(name, Policy=policy)
        return arn

    def notify(self, *rules, **more):
        """rules: (queue ARN, events, prefix, suffix)"""
        configurations = []
        for arn, events, prefix, suffix in rules:
            filters = [{"Name": n, "Value": v} for n, v in (("prefix", prefix), ("suffix", suffix)) if v]
            document = {"QueueArn": arn, "Events": events}
            configurations.append(document | ({"Filter": {"Key": {"FilterRules": filters}}} if filters else {}))
        configuration = {"QueueConfigurations": configurations}
        self.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=configuration, **more)

    def put(self, key, body=b"x", **more):
        return self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)

    def bodies(self, name="thumbnails"):
        return [json.loads(message["Body"]) for message in self.drain(name, delete=True)]

    def events(self, name="thumbnails", wait=120):
        self.cloud.advance(wait)
        records = [record for body in self.bodies(name) for record in body.get("Records", ())]
        return sorted((r["eventName"], r["s3"]["object"]["key"]) for r in records)


@pytest.fixture
def lab():
    return Lab()


# ---- objects ---------------------------------------------------------------------------------------------------------


def test_what_was_written_is_read(lab):
    etag = lab.put("a.txt", b"hello", ContentType="text/plain", Metadata={"owner": "me"})["ETag"]
    got = lab.s3.get_object(Bucket=BUCKET, Key="a.txt")
    assert got["Body"].read() == b"hello"
    about = ("ContentLength", "ETag", "ContentType", "Metadata")
    assert [got[name] for name in about] == [5, etag, "text/plain", {"owner": "me"}]
    head = lab.s3.head_object(Bucket=BUCKET, Key="a.txt")
    assert [head[name] for name in about] == [got[name] for name in about]
    assert head["LastModified"].isoformat() == "2023-04-01T00:00:00+00:00"


@pytest.mark.parametrize("body", ["two\nlines", b"two\nlines", bytearray(b"two\nlines"), io.BytesIO(b"two\nlines")])
def test_a_body_is_text_bytes_or_a_file(lab, body):
    lab.put("a", body)

    def body():
        return lab.s3.get_object(Bucket=BUCKET, Key="a")["Body"]

    assert list(body().iter_lines()) == [b"two", b"lines"]
    assert list(body().iter_chunks(4)) == [b"two\n", b"line", b"s"]
    with body() as stream:
        assert (stream.read(3), stream.read()) == (b"two", b"\nlines")


@pytest.mark.parametrize("range", [f"bytes={'9' * 5000}-", f"bytes=0-{'9' * 5000}", "bytes=٣-", "bytes=0-1,3-4", "x"])
def test_a_range_that_is_none_gives_the_whole_object(lab, range):
    """RFC 9110, 14.2: a server ignores a Range that it does not understand."""
    lab.put("a", b"hello")
    assert lab.s3.get_object(Bucket=BUCKET, Key="a", Range=range)["Body"].read() == b"hello"


def test_an_object_is_replaced_and_deleted(lab):
    lab.put("a", b"1")
    lab.put("a", b"22")
    assert lab.s3.head_object(Bucket=BUCKET, Key="a")["ContentLength"] == 2
    lab.s3.delete_object(Bucket=BUCKET, Key="a")
    lab.s3.delete_object(Bucket=BUCKET, Key="a")
    assert code(lab.s3.get_object, Bucket=BUCKET, Key="a") == "NoSuchKey"
    assert code(lab.s3.head_object, Bucket=BUCKET, Key="a") == "404"


def test_a_condition_makes_writing_safe(lab):
    lab.put("a", IfNoneMatch="*")
    assert code(lab.put, key="a", IfNoneMatch="*") == "PreconditionFailed"
    etag = lab.put("a", b"2")["ETag"]
    lab.put("a", b"3", IfMatch=etag)
    assert code(lab.put, key="a", IfMatch=etag) == "PreconditionFailed"
    assert code(lab.put, key="b", IfMatch=etag) == "NoSuchKey"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text("ab/é\U0001f600", min_size=1, max_size=4), max_size=12, unique=True),
    st.text("ab/", max_size=2),
    st.sampled_from(["", "/"]),
    st.integers(1, 5),
)
def test_a_list_gives_every_key_once_in_order_page_by_page(keys, prefix, delimiter, page):
    lab = Lab()
    for key in keys:
        lab.put(key)
    pages = lab.s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": page}
    )
    contents, groups = [], []
    for answer in pages:
        assert answer["KeyCount"] <= page
        contents += [item["Key"] for item in answer.get("Contents", ())]
        groups += [item["Prefix"] for item in answer.get("CommonPrefixes", ())]
    under = [key for key in keys if key.startswith(prefix)]
    deep = [key for key in under if delimiter and delimiter in key[len(prefix) :]]
    assert contents == sorted(set(under) - set(deep), key=str.encode)
    old = lab.s3.get_paginator("list_objects").paginate(
        Bucket=BUCKET, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": page}
    )
    assert [item["Key"] for answer in old for item in answer.get("Contents", ())] == contents
    assert groups == sorted({key[: key.index("/", len(prefix)) + 1] for key in deep}, key=str.encode)


def test_many_objects_are_deleted_at_once(lab):
    for key in "abc":
        lab.put(key)
    answer = lab.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "a"}, {"Key": "x"}]})
    assert answer["Deleted"] == [{"Key": "a"}, {"Key": "x"}]
    quiet = lab.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "b"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert [item["Key"] for item in lab.s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["c"]


def test_single_deletes_of_a_batch_can_fail(lab):
    lab.put("a")
    lab.cloud.faults.add(Fault("partial", operations=("DeleteObjects",)))
    answer = lab.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "a"}]})
    assert answer["Errors"][0]["Code"] == "InternalError"
    assert lab.s3.head_object(Bucket=BUCKET, Key="a")


def test_a_copy_takes_the_metadata_along_or_gets_new_one(lab):
    lab.put("a b", b"1", Metadata={"n": "1"})
    lab.s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/a b")  # boto3 quotes the key
    lab.s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "a b"})
    assert lab.s3.head_object(Bucket=BUCKET, Key="copy")["Metadata"] == {"n": "1"}
    new = {"Metadata": {"n": "2"}, "MetadataDirective": "REPLACE"}
    lab.s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=f"/{BUCKET}/copy", **new)
    assert lab.s3.head_object(Bucket=BUCKET, Key="copy")["Metadata"] == {"n": "2"}
    assert code(lab.s3.copy_object, Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/copy") == "InvalidRequest"
    assert code(lab.s3.copy_object, Bucket=BUCKET, Key="copy", CopySource="nothing") == "InvalidArgument"
    assert code(lab.s3.copy_object, Bucket=BUCKET, Key="copy", CopySource=f"{BUCKET}/x") == "NoSuchKey"


def test_boto3_s_resource_works_too(lab):
    bucket = lab.cloud.resource("s3").Bucket(BUCKET)
    bucket.put_object(Key="a/1", Body=b"x")
    bucket.Object("b").put(Body=b"y")
    assert [item.key for item in bucket.objects.all()] == ["a/1", "b"]
    assert [item.key for item in bucket.objects.filter(Prefix="a/")] == ["a/1"]
    assert bucket.Object("b").get()["Body"].read() == b"y"
    bucket.objects.all().delete()
    assert list(bucket.objects.all()) == []


def test_waiters_wait_in_virtual_time(lab):
    lab.cloud.spawn(lambda: (lab.cloud.kernel.sleep(12), lab.put("late")), name="writer")
    lab.s3.get_waiter("object_exists").wait(Bucket=BUCKET, Key="late")
    assert 12 < lab.cloud.now < 20


# ---- buckets, accounts, policies -------------------------------------------------------------------------------------


def test_names_are_global(lab):
    """Across accounts and regions; a client of any region reaches the bucket."""
    stranger = lab.cloud.client("s3", account=OTHER)
    assert code(stranger.create_bucket, Bucket=BUCKET) == "BucketAlreadyExists"
    here = {"LocationConstraint": "eu-west-1"}
    europe = lab.cloud.client("s3", region_name="eu-west-1")
    europe.create_bucket(Bucket="in-europe", CreateBucketConfiguration=here)
    lab.s3.put_object(Bucket="in-europe", Key="a", Body=b"x")
    assert lab.s3.head_bucket(Bucket="in-europe")["BucketRegion"] == "eu-west-1"
    assert [bucket["Name"] for bucket in europe.list_buckets()["Buckets"]] == ["in-europe", BUCKET]
    assert stranger.list_buckets()["Buckets"] == []


def test_another_account_needs_the_bucket_s_policy(lab):
    lab.put("shared/a")
    lab.put("own/a")
    stranger = lab.cloud.client("s3", account=OTHER)
    assert code(stranger.get_object, Bucket=BUCKET, Key="shared/a") == "AccessDenied"
    statement = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": ["s3:GetObject", "s3:DeleteObject"]}
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Resource": f"arn:aws:s3:::{BUCKET}/shared/*"}]}
    lab.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    assert json.loads(lab.s3.get_bucket_policy(Bucket=BUCKET)["Policy"]) == policy
    assert stranger.get_object(Bucket=BUCKET, Key="shared/a")["Body"].read() == b"x"
    assert code(stranger.get_object, Bucket=BUCKET, Key="own/a") == "AccessDenied"
    assert code(stranger.put_object, Bucket=BUCKET, Key="shared/a", Body=b"") == "AccessDenied"
    mixed = {"Objects": [{"Key": "shared/a"}, {"Key": "own/a"}]}
    assert code(stranger.delete_objects, Bucket=BUCKET, Delete=mixed) == "AccessDenied"
    stranger.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "shared/a"}, {"Key": "shared/b"}]})
    lab.s3.delete_bucket_policy(Bucket=BUCKET)
    assert code(stranger.head_object, Bucket=BUCKET, Key="shared/a") == "AccessDenied"


def test_a_copy_needs_the_right_to_read(lab):
    lab.put("a")
    stranger = lab.cloud.client("s3", account=OTHER)
    stranger.create_bucket(Bucket="strange-bucket")
    copy = {"Bucket": "strange-bucket", "Key": "a", "CopySource": f"{BUCKET}/a"}
    assert code(stranger.copy_object, **copy) == "AccessDenied"
    statement = {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "s3:GetObject"}
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Resource": f"arn:aws:s3:::{BUCKET}/*"}]}
    lab.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    stranger.copy_object(**copy)
    assert stranger.get_object(Bucket="strange-bucket", Key="a")["Body"].read() == b"x"


def test_a_deny_in_the_policy_binds_the_owner_too_in_every_region(lab):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    europe = lab.cloud.client("s3", region_name="eu-west-1")
    lab.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    lab.put("a")
    for client in (lab.s3, europe, lab.cloud.client("s3", region_name="eu-north-1")):
        assert code(client.delete_object, Bucket=BUCKET, Key="a") == "AccessDenied"


def test_what_is_not_simulated_says_so(lab):
    with pytest.raises(NotSimulated, match="EventBridge"):
        lab.s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    source = {"Bucket": BUCKET, "Key": "a", "VersionId": "1"}
    with pytest.raises(NotSimulated, match="versions of objects"):
        lab.s3.copy_object(Bucket=BUCKET, Key="b", CopySource=source)
    with pytest.raises(NotSimulated, match="parameter acl"):
        lab.put("a", ACL="private")


# ---- events ----------------------------------------------------------------------------------------------------------


def test_a_queue_hears_of_what_happens_to_objects(lab):
    lab.notify((lab.queue(), EVERYTHING, "", ""))
    (test,) = lab.bodies()
    assert (test["Event"], test["Bucket"], test["Service"]) == ("s3:TestEvent", BUCKET, "Amazon S3")
    lab.put("a")
    lab.s3.copy_object(Bucket=BUCKET, Key="b", CopySource=f"{BUCKET}/a")
    lab.s3.delete_object(Bucket=BUCKET, Key="a")
    lab.s3.delete_object(Bucket=BUCKET, Key="a")  # there is nothing left to remove: an event all the same
    lab.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "b"}, {"Key": "c"}]})
    assert lab.events() == [
        ("ObjectCreated:Copy", "b"), ("ObjectCreated:Put", "a"), ("ObjectRemoved:Delete", "a"),
        ("ObjectRemoved:Delete", "a"), ("ObjectRemoved:Delete", "b"), ("ObjectRemoved:Delete", "c"),
    ]  # fmt: skip


def test_filters_see_the_encoded_key(lab):
    lab.notify((lab.queue(), EVERYTHING, "year%3D2023/", ".jpg"))
    for key in ("year=2023/a b.jpg", "year=2023/a.png", "year=2024/a.jpg", "a.jpg"):
        lab.put(key)
    assert lab.events() == [("ObjectCreated:Put", "year%3D2023/a+b.jpg")]


def test_each_rule_has_its_destination(lab):
    lab.notify((lab.queue("small"), EVERYTHING, "", ".jpg"), (lab.queue("large"), EVERYTHING, "", ".png"))
    lab.put("a.jpg")
    lab.put("b.png")
    lab.put("c.gif")
    assert lab.events("small") == [("ObjectCreated:Put", "a.jpg")]
    assert lab.events("large") == [("ObjectCreated:Put", "b.png")]


def test_events_come_later_and_in_any_order():
    lab = Lab(seed=3)
    lab.notify((lab.queue(), EVERYTHING, "", ""))
    lab.bodies()
    start = lab.cloud.now
    for n in range(30):
        lab.put(f"{n:02}")
    assert len(lab.bodies()) < 30
    lab.cloud.advance(60)
    delivered = lab.cloud.trace.where("EventDelivered")
    order = [lab.cloud.trace.parent(row.subject) for row in delivered]
    assert sorted(order) == [f"{n:02}" for n in range(30)] != order
    assert 0.5 < sorted(row.time - start for row in delivered)[15] < 3
    created = lab.cloud.trace.where("ObjectCreated", subject=order[0])[0]
    assert created in lab.cloud.trace.chain(delivered[0].index) and created.actor == "you"
    (sent,) = lab.cloud.trace.where("Sent", subject=delivered[0].detail["as"])
    assert (sent.resource, sent.actor) == (delivered[0].actor, f"s3/{BUCKET}")
    text = f"event ObjectCreated:Put delivered to thumbnails, where it is message {sent.subject}"
    assert text in lab.cloud.explain(delivered[0].subject)


def test_the_sequencer_tells_the_order_of_events_of_a_key(lab):
    lab.notify((lab.queue(), EVERYTHING, "", ""))
    lab.bodies()
    for n in range(20):
        lab.put("a", str(n) * (n + 1))
    lab.cloud.advance(60)
    objects = [body["Records"][0]["s3"]["object"] for body in lab.bodies()]
    sizes = [item["size"] for item in sorted(objects, key=lambda item: item["sequencer"])]
    assert sizes == sorted(sizes) and len(set(sizes)) == 20


def test_an_event_may_come_twice():
    lab = Lab(event_duplicates=1)
    lab.notify((lab.queue(), EVERYTHING, "", ""))
    lab.put("a")
    lab.cloud.advance(60)
    one, other = (body for body in lab.bodies() if "Records" in body)
    assert one == other


def test_a_destination_that_shuts_s3_out_later_loses_events(lab):
    arn = lab.queue()
    lab.notify((arn, EVERYTHING, "", ""))
    url = lab.sqs.get_queue_url(QueueName="thumbnails")["QueueUrl"]
    lab.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    lab.put("a")
    lab.cloud.advance(60)
    (row,) = lab.cloud.trace.where("EventDropped")
    assert (row.resource, row.subject, row.actor, row.detail) == (
        BUCKET,
        "a to thumbnails",
        "thumbnails",
        "AccessDenied",
    )
    assert "s3.amazonaws.com may not sqs:SendMessage" in lab.cloud.trace.where("AccessDenied")[-1].detail
    assert "event lost: thumbnails refused it (AccessDenied)" in lab.cloud.explain("a")


def test_s3_tries_again_when_a_destination_fails(lab):
    lab.notify((lab.queue(), EVERYTHING, "", ""))
    lab.bodies()
    lab.cloud.faults.add(Fault("throttle", operations=("SendMessage",), callers="s3/*", count=3))
    lab.put("a")
    assert lab.events(wait=15) == []
    assert lab.events() == [("ObjectCreated:Put", "a")]


def test_s3_gives_up_in_the_end():
    lab = Lab(event_retries=2)
    lab.notify((lab.queue(), EVERYTHING, "", ""))
    lab.cloud.faults.add(Fault("lost_request", operations=("SendMessage",), callers="s3/*"))
    lab.put("a")
    lab.cloud.advance(600)
    assert len(lab.cloud.trace.where("SendMessage", actor=f"s3/{BUCKET}")) == 1 + 3
    assert [row.detail for row in lab.cloud.trace.where("EventDropped")] == ["no answer"]


def test_a_lost_answer_makes_a_duplicate(lab):
    lab.notify((lab.queue(), EVERYTHING, "", ""))
    lab.cloud.faults.add(Fault("lost_answer", operations=("SendMessage",), callers="s3/*", count=1))
    lab.put("a")
    assert lab.events() == [("ObjectCreated:Put", "a")] * 2


def test_a_topic_gets_events_too(lab):
    sns = lab.cloud.client("sns")
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    source = {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"}}
    policy = allow("s3.amazonaws.com", "sns:Publish", topic, **source)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    queue = lab.queue("copies", ArnLike={"aws:SourceArn": "arn:aws:s3:::*"})
    url = lab.sqs.get_queue_url(QueueName="copies")["QueueUrl"]
    for_topic = allow("sns.amazonaws.com", "sqs:SendMessage", queue)
    lab.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": for_topic})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    configuration = {"TopicConfigurations": [{"TopicArn": topic, "Events": EVERYTHING}]}
    lab.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=configuration)
    lab.put("a")
    lab.cloud.advance(60)
    envelopes = lab.bodies("copies")
    assert {envelope["Subject"] for envelope in envelopes} == {"Amazon S3 Notification"}
    assert any("Records" in json.loads(envelope["Message"]) for envelope in envelopes)


def test_the_same_seed_gives_the_same_run():
    def run():
        lab = Lab(seed=9, event_duplicates=0.5)
        lab.notify((lab.queue(), EVERYTHING, "", ""))
        for n in range(10):
            lab.put(f"{n}")
        lab.cloud.advance(60)
        return lab.cloud.trace.digest()

    assert run() == run()


rules = st.builds(
    Rule, st.just("id"), st.just(Arn("sqs", "us-east-1", ACCOUNT, "q")),
    st.lists(st.sampled_from(["s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectRemoved:Delete"]),
             min_size=1, max_size=2).map(tuple),
    st.text("ab", max_size=3), st.text("ab", max_size=3),
)  # fmt: skip


@given(
    rules, rules, st.sampled_from(["ObjectCreated:Put", "ObjectCreated:Copy", "ObjectRemoved:Delete"]), st.text("ab")
)
def test_rules_that_do_not_overlap_never_want_the_same_event(one, other, event, key):
    assert one.overlaps(other) == other.overlaps(one)
    if one.wants(event, key) and other.wants(event, key):
        assert one.overlaps(other)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_encoded_key_can_be_decoded(key):
    assert unquote_plus(encoded(key)) == key


def test_files_go_up_and_down_as_boto3s_users_do_it(tmp_path):
    """upload_file and its kin, which use threads in boto3; here they must not."""
    with Cloud(seed=1, strict=True) as cloud:
        s3, resource = cloud.client("s3"), cloud.resource("s3")
        s3.create_bucket(Bucket="holiday-photos")
        source, target = tmp_path / "a.txt", tmp_path / "b.txt"
        source.write_bytes(b"sea" * 100)
        s3.upload_file(str(source), "holiday-photos", "sea.txt")
        s3.upload_fileobj(io.BytesIO(b"sun"), "holiday-photos", "sun.txt")
        s3.copy({"Bucket": "holiday-photos", "Key": "sun.txt"}, "holiday-photos", "sun (copy).txt")
        resource.Bucket("holiday-photos").download_file("sea.txt", str(target))
        assert target.read_bytes() == source.read_bytes()
        found = io.BytesIO()
        s3.download_fileobj("holiday-photos", "sun (copy).txt", found)
        assert found.getvalue() == b"sun"


# ---- costs -----------------------------------------------------------------------------------------------------------


@pytest.mark.guide
def test_requests_and_what_lies_there_cost(lab):
    """Price list of us-east-1, S3 Standard: 5 $ a million for PUT and LIST, 0.40 $ for GET, nothing to delete; 0.023 $
    a GB and month."""
    lab.put("a", b"x" * (1 << 20))
    lab.s3.get_object(Bucket=BUCKET, Key="a")
    lab.s3.list_objects_v2(Bucket=BUCKET)
    hour = lab.cloud.now + 3600
    lab.cloud.advance(3600)
    lab.put("a", b"")
    lab.s3.delete_object(Bucket=BUCKET, Key="a")
    lab.cloud.advance(3600)
    bill = Measures(lab.cloud.trace, until=hour + 3600).bill()["s3"]
    assert bill["PUT, LIST requests"] == pytest.approx(4 * 5e-6)  # the bucket, two objects, a list
    assert bill["GET requests"] == pytest.approx(0.4e-6)
    assert bill["storage"] == pytest.approx(0.023 / 1024 / 730, rel=0.01)
