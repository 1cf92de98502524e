"""What all services share: attributes as tables, pages, tags, batches, permissions, data keys, what a target is handed.

The services' own tests say which error texts AWS has; here are the mechanisms.
"""

import json

import pytest
from aws_errors import code_and_message as refused
from hypothesis import given
from hypothesis import strategies as st

from lablib.aws import documents, lists, messages, permissions
from lablib.aws.attributes import (
    Attribute,
    Unfit,
    anything,
    boolean,
    choice,
    declare,
    defaults,
    integer,
    matching,
    merged,
)
from lablib.aws.service import Arn, ServiceError
from lablib.aws.targets import queue_url, target_name
from lablib.cloud import Cloud

QUOTAS = {"toy.most": 20, "toy.delay": 5, "toy.on": True}
WRONG = ServiceError("BadToken", "no such token")


# ---- attributes ------------------------------------------------------------------------------------------------------

TABLE = declare(
    Attribute("Delay", integer(1, "toy.most"), "toy.delay"),
    Attribute("On", boolean, "toy.on"),
    Attribute("Scope", choice("queue", "group"), "queue", only="fifo"),
    Attribute("Note", anything, removable=True),
)


def test_a_new_resource_has_the_defaults_of_its_kind():
    assert defaults(TABLE, QUOTAS) == {"Delay": "5", "On": "true"}
    assert defaults(TABLE, QUOTAS, "fifo") == {"Delay": "5", "On": "true", "Scope": "queue"}


@pytest.mark.parametrize(
    ("check", "value", "clean"),
    [
        (integer(1, "toy.most"), "007", "7"),
        (integer(1, 3), "3", "3"),
        (boolean, "TRUE", "true"),
        (choice("queue", "group"), "group", "group"),
        (matching("[a-z]+"), "abc", "abc"),
    ],
)
def test_a_value_that_fits_comes_back_as_aws_writes_it(check, value, clean):
    assert check(value, QUOTAS) == clean


@pytest.mark.parametrize(
    ("check", "value", "must"),
    [
        (integer(1, "toy.most"), "21", "Must be an integer from 1 to 20."),
        (integer(1, "toy.most"), "0", "Must be an integer from 1 to 20."),
        (integer(1, 3), "", "Must be an integer from 1 to 3."),
        (integer(1, 3), "1.0", "Must be an integer from 1 to 3."),
        (integer(0, 3), "٣", "Must be an integer from 0 to 3."),
        (boolean, "yes", "Must be true or false."),
        (choice("queue", "group"), "Group", "Must be queue or group."),
        (choice("a", "b", must="Choose."), "", "Choose."),
        (matching("[a-z]+", "Must be letters."), "a1", "Must be letters."),
    ],
)
def test_a_value_that_does_not_fit_is_told_what_it_must_be(check, value, must):
    with pytest.raises(Unfit) as caught:
        check(value, QUOTAS)
    assert str(caught.value) == must


def test_an_empty_value_takes_an_attribute_away_where_it_may():
    assert TABLE["Note"].clean("", QUOTAS) == ""
    with pytest.raises(Unfit):
        TABLE["On"].clean("", QUOTAS)
    assert merged({"Note": "x", "On": "true"}, {"Note": "", "Delay": "1"}) == {"On": "true", "Delay": "1"}


# ---- pages -----------------------------------------------------------------------------------------------------------


@given(st.sets(st.text(min_size=1, max_size=3), max_size=12), st.integers(1, 5))
def test_pages_have_every_name_once_in_order(names, limit):
    found, token = [], None
    while True:
        page, more = lists.page_of(names, token, limit, WRONG)
        assert len(page) <= limit
        found += page
        if not more:
            break
        token = more["NextToken"]
    assert found == sorted(names)


def test_what_is_made_or_deleted_between_two_pages_does_no_harm():
    _, more = lists.page_of(["a", "b", "c", "d"], None, 2, WRONG, into="Marker")
    assert lists.page_of(["a", "aa", "c", "d"], more["Marker"], 2, WRONG) == (["c", "d"], {})


@pytest.mark.parametrize("token", ["b", "not base64!", "/w=="])
def test_a_token_that_no_page_gave_is_refused(token):
    with pytest.raises(ServiceError, match="no such token"):
        lists.page_of(["a"], token, 2, WRONG)


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("iam", "list_roles", {"Marker": "?"}, "InvalidInput"),
        ("kms", "list_keys", {"Marker": "?"}, "InvalidMarkerException"),
        ("lambda", "list_functions", {"Marker": "?"}, "InvalidParameterValueException"),
        ("sns", "list_topics", {"NextToken": "?"}, "InvalidParameter"),
        ("sqs", "list_queues", {"NextToken": "?"}, "InvalidParameterValue"),
    ],
)
def test_every_service_refuses_a_token_that_it_never_gave(service, operation, parameters, code):
    """Codes: the services' models and common errors."""
    assert refused(getattr(Cloud().client(service), operation), **parameters)[0] == code


# ---- tags, batches ---------------------------------------------------------------------------------------------------


def test_tags():
    tags = lists.Tags.read([{"Key": "team", "Value": "a"}])
    tags.add({"team": "b", "cost": "1"}, 2, WRONG)
    assert tags.listed() == [{"Key": "team", "Value": "b"}, {"Key": "cost", "Value": "1"}]
    with pytest.raises(ServiceError, match="no such token"):
        tags.add({"third": ""}, 2, WRONG)
    tags.remove(["team", "unknown"])
    assert tags == {"cost": "1"}
    with pytest.raises(ServiceError, match="no such token"):
        lists.Tags.read([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], repeated=WRONG)


@pytest.mark.parametrize(
    ("ids", "shape"),
    [
        ([], "EmptyBatchRequest 0 of 3"),
        (["a", "b", "c", "d"], "TooManyEntriesInBatchRequest 4 of 3"),
        (["a", "b c"], "InvalidBatchEntryId b c"),
        (["a" * 81], f"InvalidBatchEntryId {'a' * 81}"),
        (["a", "b", "a"], "BatchEntryIdsNotDistinct a"),
        (["a", "b", "a-_9"], ""),
    ],
)
def test_what_a_batch_must_be(ids, shape):
    texts = dict.fromkeys(("EmptyBatchRequest", "TooManyEntriesInBatchRequest"), "{count} of {most}")
    texts |= dict.fromkeys(("InvalidBatchEntryId", "BatchEntryIdsNotDistinct"), "{id}")
    try:
        lists.check_batch(ids, 3, texts, ServiceError)
        found = ""
    except ServiceError as error:
        found = f"{error.shape} {error.message}"
    assert found == shape


# ---- permissions, messages, targets ----------------------------------------------------------------------------------


def test_a_permission_is_added_once_and_removed_by_its_label():
    policy = permissions.add_permission('{"Version": "2008-10-17"}', "arn:q", "one", ["1" * 12], ["SQS:SendMessage"])
    policy = permissions.add_permission(policy, "arn:q", "two", ["1" * 12, "2" * 12], ["SQS:*", "SQS:SendMessage"])
    one, two = json.loads(policy)["Statement"]
    assert (one["Action"], two["Action"]) == ("SQS:SendMessage", ["SQS:*", "SQS:SendMessage"])
    assert one["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}
    with pytest.raises(permissions.LabelError):
        permissions.add_permission(policy, "arn:q", "one", ["1" * 12], ["SQS:*"])
    policy = permissions.remove_permission(policy, "one")
    with pytest.raises(permissions.LabelError):
        permissions.remove_permission(policy, "one")
    assert permissions.remove_permission(policy, "two") == ""


def test_a_text_without_a_utf8_form_has_a_size_and_an_id():
    """A lone surrogate: JSON can bring one."""
    assert messages.size_of("\ud800", None) == 3
    assert len(messages.content_id("\ud800")) == 64


@pytest.mark.parametrize("kind", [str, str.encode])
def test_json_is_read_down_to_a_depth_that_depends_on_no_version_of_python(kind):
    """Python's own limit is that of its stack: it depends on the version, and on who calls."""
    shallow = "[" * 200 + '"[[{{"' + "]" * 200
    assert documents.read_json(kind(shallow)) == json.loads(shallow)
    beside = "[" + ",".join(['{"a": [1, "]"]}'] * 1000) + "]"
    assert documents.read_json(kind(beside)) == json.loads(beside)
    for deep in ("[" * 201 + "]" * 201, '{"a":' * 100_000 + "1" + "}" * 100_000, "[" * 100_000, '["\\"", ' * 201):
        with pytest.raises(documents.TooDeep, match="nested more than 200 levels deep"):
            documents.read_json(kind(deep))
    with pytest.raises(ValueError, match="Expecting value"):
        documents.read_json(kind("no json"))


def test_where_a_target_is_and_what_it_is_called():
    queue = Arn.parse("arn:aws:sqs:eu-west-1:123456789012:orders.fifo")
    assert queue_url(queue) == "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo"
    names = {
        "orders": "sns:us-east-1:1:orders",
        "work": "lambda:us-east-1:1:function:work",
        "d": "sns:x:1:endpoint/GCM/a/d",
    }
    assert all(target_name(Arn.parse(f"arn:aws:{arn}")) == name for name, arn in names.items())


@pytest.mark.parametrize(
    ("text", "partition"),
    [
        ("arn:aws:sqs:eu-west-1:123456789012:orders", ""),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:orders", ""),
        ("arn:aws-us-gov:sqs:us-gov-west-1:123456789012:orders", ""),
        ("arn:aws:s3:::films", ""),
        ("arn:aws-cn:s3:::films", "aws-cn"),
        ("arn:aws-us-gov:iam::123456789012:role/r", "aws-us-gov"),
    ],
)
def test_an_arn_keeps_its_partition(text, partition):
    """That of its region, where it has one: so an ARN that is put together equals one that is read."""
    arn = Arn.parse(text)
    assert (str(arn), arn.partition) == (text, partition)


# ---- data keys -------------------------------------------------------------------------------------------------------


def test_a_queue_that_goes_back_to_its_first_key_uses_that_key_again():
    """A bug: within the reuse period of the first key it went on decrypting with the second one."""
    cloud = Cloud()
    kms, sqs = cloud.client("kms"), cloud.client("sqs")
    first, second = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    for key in (first, second, first):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": key})
        sqs.send_message(QueueUrl=url, MessageBody="x")
    cloud.advance(301)  # nobody's data key is good any more
    kms.disable_key(KeyId=second)
    assert "Messages" in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
