"""What AWS documents, or was seen to do, in SNS: one test each. Through boto3, in strict mode.

Where a text is not in AWS's documentation, the test says where it is known from: "recorded" means that public test
suites recorded it from AWS; "reported" that users quote it; "ours" that none was found.
"""

import json

import pytest
from aws_errors import refused

from lablib.cloud import Cloud

pytestmark = pytest.mark.guide  # where a test names no other source

ACCOUNT = "123456789012"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:orders"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:billing"
URL = "http://example.com/sns-endpoint"
QUICK = {"api.latency_median": 1e-9, "api.latency_p95": 1e-9}
LETTERS = {"kind": {"DataType": "String", "StringValue": "gold"}}


@pytest.fixture
def cloud():
    return Cloud(seed=1, strict=True, assume=QUICK)


@pytest.fixture
def sns(cloud):
    client = cloud.client("sns")
    client.create_topic(Name="orders")
    return client


def invalid(text):
    return ("InvalidParameter", f"Invalid parameter: {text}", 400)


def attributes(sns, topic=TOPIC):
    return sns.get_topic_attributes(TopicArn=topic)["Attributes"]


def subscribe(sns, protocol="sqs", endpoint=QUEUE, **more):
    return sns.subscribe(
        TopicArn=TOPIC, Protocol=protocol, Endpoint=endpoint, Attributes=more, ReturnSubscriptionArn=True
    )["SubscriptionArn"]


def configured(sns, arn):
    return sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


DEFAULTS = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
PLAIN = {"headerContentType": "text/plain; charset=UTF-8"}


# ---- topics ----------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
@pytest.mark.parametrize("fifo", [False, True])
def test_a_fresh_topic_has_these_attributes(sns, fifo):
    """Recorded."""
    name, given = ("new.fifo", {"FifoTopic": "true"}) if fifo else ("new", {})
    arn = sns.create_topic(Name=name, Attributes=given)["TopicArn"]
    found = attributes(sns, arn)
    assert json.loads(found.pop("EffectiveDeliveryPolicy")) == {
        "http": {
            "defaultHealthyRetryPolicy": DEFAULTS,
            "disableSubscriptionOverrides": False,
            "defaultRequestPolicy": PLAIN,
        }
    }
    (statement,) = (policy := json.loads(found.pop("Policy"))).pop("Statement")
    assert policy == {"Version": "2008-10-17", "Id": "__default_policy_ID"}
    assert statement == {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [
            "SNS:GetTopicAttributes",
            "SNS:SetTopicAttributes",
            "SNS:AddPermission",
            "SNS:RemovePermission",
            "SNS:DeleteTopic",
            "SNS:Subscribe",
            "SNS:ListSubscriptionsByTopic",
            "SNS:Publish",
        ],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
    }
    more = {"FifoTopic": "true", "ContentBasedDeduplication": "false"} if fifo else {}
    assert found == {
        "DisplayName": "",
        "Owner": ACCOUNT,
        "SubscriptionsConfirmed": "0",
        "SubscriptionsDeleted": "0",
        "SubscriptionsPending": "0",
        "TopicArn": arn,
    } | more  # fmt: skip


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["", "a" * 257, *(f"name{char}" for char in ":;!@|^% "), "orders.fifo"])
def test_names(sns, name):
    """Recorded."""
    assert refused(sns.create_topic, Name=name) == invalid("Topic Name")


@pytest.mark.recorded
def test_the_longest_name(sns):
    """Recorded."""
    assert sns.create_topic(Name="a" * 256)["TopicArn"].endswith("a" * 256)


@pytest.mark.parametrize("name", ["orders2", ".fifo", "with space.fifo"])
def test_the_name_of_a_fifo_topic_ends_in_fifo(sns, name):
    assert refused(sns.create_topic, Name=name, Attributes={"FifoTopic": "true"})[0] == "InvalidParameter"


@pytest.mark.recorded
def test_creating_again_is_the_same_topic(sns):
    """Texts recorded (tags), reported (attributes)."""
    tags = [{"Key": "team", "Value": "shop"}]
    given = {"Name": "new", "Tags": tags, "Attributes": {"DisplayName": "Shop"}}
    arn = sns.create_topic(**given)["TopicArn"]
    assert sns.create_topic(**given)["TopicArn"] == sns.create_topic(Name="new")["TopicArn"] == arn
    more = [*tags, {"Key": "stage", "Value": "test"}]
    different = invalid("Tags Reason: Topic already exists with different tags")
    assert refused(sns.create_topic, Name="new", Tags=more) == different
    different = invalid("Attributes Reason: Topic already exists with different attributes")
    assert refused(sns.create_topic, Name="new", Attributes={"DisplayName": "Other"}) == different
    assert attributes(sns, arn)["DisplayName"] == "Shop"
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == tags


@pytest.mark.recorded
def test_deleting_is_idempotent(sns):
    """Recorded."""
    for _ in range(2):
        sns.delete_topic(TopicArn=TOPIC)
    assert refused(sns.get_topic_attributes, TopicArn=TOPIC) == ("NotFound", "Topic does not exist", 404)
    sns.create_topic(Name="orders", Tags=[{"Key": "a", "Value": "b"}])


@pytest.mark.recorded
@pytest.mark.parametrize("operation", ["get_topic_attributes", "list_subscriptions_by_topic", "publish", "subscribe"])
def test_a_topic_that_is_not_there(sns, operation):
    """Recorded."""
    more = {"publish": {"Message": "x"}, "subscribe": {"Protocol": "sqs", "Endpoint": QUEUE}}.get(operation, {})
    call = getattr(sns, operation)
    assert refused(call, TopicArn=TOPIC + "2", **more) == ("NotFound", "Topic does not exist", 404)


@pytest.mark.recorded
@pytest.mark.parametrize(("arn", "parts"), [("orders", 1), ("", 1), ("arn:aws", 2), ("arn:aws:sns:us-east-1:1", 5)])
@pytest.mark.parametrize("operation", ["get_topic_attributes", "delete_topic", "publish", "subscribe"])
def test_what_is_no_arn(sns, operation, arn, parts):
    """Recorded."""
    more = {"publish": {"Message": "x"}, "subscribe": {"Protocol": "sqs", "Endpoint": QUEUE}}.get(operation, {})
    expected = invalid(f"TopicArn Reason: An ARN must have at least 6 elements, not {parts}")
    assert refused(getattr(sns, operation), TopicArn=arn, **more) == expected


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("publish", {"Message": "x"}),
        ("publish_batch", {"PublishBatchRequestEntries": [{"Id": "1", "Message": "x"}]}),
        ("subscribe", {"Protocol": "sqs", "Endpoint": QUEUE}),
        ("get_topic_attributes", {}),
        ("set_topic_attributes", {"AttributeName": "DisplayName", "AttributeValue": "x"}),
        ("list_subscriptions_by_topic", {}),
        ("delete_topic", {}),
    ],
)
def test_a_topic_is_reached_in_its_own_region_only(cloud, sns, operation, more):
    """Recorded."""
    west = cloud.client("sns", "us-west-2")
    assert refused(getattr(west, operation), TopicArn=TOPIC, **more) == invalid("TopicArn")


@pytest.mark.recorded
@pytest.mark.parametrize(("name", "value"), [("FifoTopic", "false"), ("Nonsense", "1"), ("TopicArn", TOPIC)])
def test_attributes_that_cannot_be_set(sns, name, value):
    """Recorded (FifoTopic)."""
    given = {"TopicArn": TOPIC, "AttributeName": name, "AttributeValue": value}
    assert refused(sns.set_topic_attributes, **given) == invalid("AttributeName")


@pytest.mark.recorded
def test_a_fifo_topic_that_is_none_is_a_standard_one(sns):
    """Recorded."""
    arn = sns.create_topic(Name="new", Attributes={"FifoTopic": "false"})["TopicArn"]
    assert "FifoTopic" not in attributes(sns, arn)


@pytest.mark.recorded
def test_a_delivery_policy_of_a_topic(sns):
    """Recorded."""

    def change(policy):
        text = policy if isinstance(policy, str) else json.dumps(policy)
        sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="DeliveryPolicy", AttributeValue=text)
        found = attributes(sns)
        effective = json.loads(found["EffectiveDeliveryPolicy"])["http"]
        return found.get("DeliveryPolicy") and json.loads(found["DeliveryPolicy"])["http"], effective

    own, effective = change({"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}})
    assert own == {
        "disableSubscriptionOverrides": False,
        "defaultRequestPolicy": {"headerContentType": "application/json"},
    }
    assert effective["defaultRequestPolicy"] == {"headerContentType": "application/json"}
    retries = {"minDelayTarget": 5, "maxDelayTarget": 6, "numRetries": 1}
    own, effective = change({"http": {"defaultHealthyRetryPolicy": retries}})
    assert own == {"defaultHealthyRetryPolicy": retries, "disableSubscriptionOverrides": False}
    assert effective["defaultHealthyRetryPolicy"] == DEFAULTS | retries
    own, effective = change({"http": {"defaultHealthyRetryPolicy": None}})
    assert own == {"disableSubscriptionOverrides": False}
    assert effective["defaultHealthyRetryPolicy"] == DEFAULTS
    own, effective = change("")
    assert own is None and effective["defaultRequestPolicy"] == PLAIN


@pytest.mark.parametrize(("limits", "known"), [("2023", False), ("today", True)])
def test_messages_above_256_kib_are_new(limits, known):
    """API: SetTopicAttributes, MaximumMessageSize: 1024 to 1048576, 256 KiB by default; it is returned when set."""
    sns = Cloud(limits=limits, strict=True).client("sns")
    arn = sns.create_topic(Name="orders")["TopicArn"]
    given = {"TopicArn": arn, "AttributeName": "MaximumMessageSize", "AttributeValue": "1048576"}
    if not known:
        assert refused(sns.set_topic_attributes, **given) == invalid("AttributeName")
        return
    assert "MaximumMessageSize" not in attributes(sns, arn)
    sns.set_topic_attributes(**given)
    assert attributes(sns, arn)["MaximumMessageSize"] == "1048576"
    sns.publish(TopicArn=arn, Message="x" * 1_048_576)
    assert refused(sns.publish, TopicArn=arn, Message="x" * 1_048_577) == invalid("Message too long")
    sms = {"TopicArn": arn, "Protocol": "sms", "Endpoint": "+15555550100"}
    assert refused(sns.subscribe, **sms)[0] == "InvalidParameter"
    assert refused(sns.set_topic_attributes, **given | {"AttributeValue": "1048577"})[0] == "InvalidParameter"


@pytest.mark.recorded
def test_tags(sns):
    """Recorded; the limit: API, TagResource."""
    twice = [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]
    assert refused(sns.tag_resource, ResourceArn=TOPIC, Tags=twice) == invalid("Duplicated keys are not allowed.")
    sns.tag_resource(ResourceArn=TOPIC, Tags=[{"Key": "k1", "Value": "v1"}, {"Key": "k2", "Value": "v2"}])
    sns.untag_resource(ResourceArn=TOPIC, TagKeys=["k1"])
    sns.tag_resource(ResourceArn=TOPIC, Tags=[{"Key": "k2", "Value": "v2b"}])
    assert sns.list_tags_for_resource(ResourceArn=TOPIC)["Tags"] == [{"Key": "k2", "Value": "v2b"}]
    many = [{"Key": str(n), "Value": ""} for n in range(50)]
    assert refused(sns.tag_resource, ResourceArn=TOPIC, Tags=many)[0] == "TagLimitExceeded"
    missing = ("ResourceNotFound", "Resource does not exist", 404)
    assert refused(sns.list_tags_for_resource, ResourceArn=TOPIC + "2") == missing


# ---- permissions -----------------------------------------------------------------------------------------------------


def statements(sns):
    return {statement["Sid"]: statement for statement in json.loads(attributes(sns)["Policy"])["Statement"]}


@pytest.mark.reported
def test_permissions_are_statements_of_the_policy(sns):
    """Texts reported."""
    given = {"TopicArn": TOPIC, "Label": "friends", "AWSAccountId": ["444455556666"], "ActionName": ["Publish"]}
    sns.add_permission(**given)
    assert statements(sns)["friends"] == {
        "Sid": "friends",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
        "Action": "SNS:Publish",
        "Resource": TOPIC,
    }
    assert refused(sns.add_permission, **given) == invalid("Statement already exists")
    wild = given | {"Label": "more", "ActionName": ["*"]}
    assert refused(sns.add_permission, **wild) == invalid("Policy statement action out of service scope!")
    sns.remove_permission(TopicArn=TOPIC, Label="friends")
    assert list(statements(sns)) == ["__default_statement_ID"]


@pytest.mark.reported
@pytest.mark.parametrize("action", ["sns:*", "*", "sns:CreateTopic", "sqs:SendMessage"])
def test_a_topics_policy_speaks_of_eight_actions_only(sns, action):
    """Reported: not even a wildcard."""
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": ["SNS:Publish", action], "Resource": TOPIC}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    given = {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": text}
    assert refused(sns.set_topic_attributes, **given) == invalid("Policy statement action out of service scope!")


# ---- subscribing -----------------------------------------------------------------------------------------------------


@pytest.mark.recorded
def test_a_fresh_subscription_has_these_attributes(sns):
    """Recorded (the principal is that of whoever called)."""
    arn = subscribe(sns)
    assert configured(sns, arn) == {
        "ConfirmationWasAuthenticated": "true",
        "Endpoint": QUEUE,
        "Owner": ACCOUNT,
        "PendingConfirmation": "false",
        "Protocol": "sqs",
        "RawMessageDelivery": "false",
        "SubscriptionArn": arn,
        "SubscriptionPrincipal": f"arn:aws:iam::{ACCOUNT}:user/administrator",
        "TopicArn": TOPIC,
    }
    assert sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"] == [
        {"SubscriptionArn": arn, "Owner": ACCOUNT, "Protocol": "sqs", "Endpoint": QUEUE, "TopicArn": TOPIC}
    ]


@pytest.mark.recorded
def test_a_filter_brings_its_scope(sns):
    """Recorded."""
    policy = '{"attr1": [{"numeric": [">", 0, "<=", 100]}]}'
    found = configured(sns, subscribe(sns, FilterPolicy=policy))
    assert json.loads(found["FilterPolicy"]) == json.loads(policy)
    assert found["FilterPolicyScope"] == "MessageAttributes"


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("own", "topics", "expected"),
    [
        (
            {"requestPolicy": {"headerContentType": "text/csv"}},
            "",
            {
                "healthyRetryPolicy": DEFAULTS,
                "throttlePolicy": None,
                "requestPolicy": {"headerContentType": "text/csv"},
            },
        ),
        (
            {
                "healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 0},
                "throttlePolicy": {"maxReceivesPerSecond": 1000},
            },
            '{"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}',
            {
                "healthyRetryPolicy": DEFAULTS | {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 0},
                "throttlePolicy": {"maxReceivesPerSecond": 1000},
                "requestPolicy": {"headerContentType": "application/json"},
            },
        ),
    ],
)
def test_a_delivery_policy_of_a_subscription(sns, own, topics, expected):
    """Recorded."""
    sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="DeliveryPolicy", AttributeValue=topics)
    found = configured(sns, subscribe(sns, "http", URL, DeliveryPolicy=json.dumps(own)))
    nothing = {"healthyRetryPolicy": None, "throttlePolicy": None, "requestPolicy": None}
    rest = {"sicklyRetryPolicy": None, "guaranteed": False}
    assert json.loads(found["DeliveryPolicy"]) == nothing | rest | own
    assert json.loads(found["EffectiveDeliveryPolicy"]) == expected | rest
    assert (found["PendingConfirmation"], found["ConfirmationWasAuthenticated"]) == ("true", "false")


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("protocol", "endpoint", "message"),
    [
        ("test-protocol", "x", "Invalid parameter: Amazon SNS does not support this protocol string: test-protocol"),
        ("sqs", f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/billing", "Invalid parameter: SQS endpoint ARN"),
        ("sqs", "arn:aws:lambda:us-east-1:123456789012:function:f", "Invalid parameter: SQS endpoint ARN"),
        ("sms", "NAA+15551234567", "Invalid SMS endpoint: NAA+15551234567"),
        ("sqs", f"{QUEUE}.fifo", "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be "
         "subscribed to standard SNS topics"),
        ("http", "https://example.com", "Invalid parameter: Endpoint must match the specified protocol"),
        ("https", "example.com", "Invalid parameter: Endpoint must match the specified protocol"),
        ("email", "not-an-address", "Invalid parameter: Email address"),
        ("lambda", QUEUE, "Invalid parameter: Lambda endpoint ARN"),
    ],
)  # fmt: skip
def test_bad_endpoints(sns, protocol, endpoint, message):
    """Recorded: the first five. Reported: the others."""
    given = {"TopicArn": TOPIC, "Protocol": protocol, "Endpoint": endpoint}
    assert refused(sns.subscribe, **given) == ("InvalidParameter", message, 400)
    assert sns.list_subscriptions()["Subscriptions"] == []


@pytest.mark.recorded
def test_a_queue_that_is_not_there_can_be_subscribed(sns):
    """Recorded."""
    assert subscribe(sns, endpoint=QUEUE + "-unknown").startswith(TOPIC + ":")


@pytest.mark.recorded
def test_subscribing_again_is_the_same_subscription(sns):
    """Recorded."""
    arn = subscribe(sns, RawMessageDelivery="true")
    assert subscribe(sns, RawMessageDelivery="true") == subscribe(sns, RawMessageDelivery="True") == arn
    assert subscribe(sns) == arn
    given = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE, "Attributes": {"RawMessageDelivery": "false"}}
    expected = invalid("Attributes Reason: Subscription already exists with different attributes")
    assert refused(sns.subscribe, **given) == expected


REDRIVE = "RedrivePolicy: deadLetterTargetArn is an invalid arn"


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("fake-attribute", "x", "AttributeName"),
        ("RawMessageDelivery", "test-ValUe", "RawMessageDelivery: Invalid value [test-ValUe]. Must be true or false."),
        ("RawMessageDelivery", "", "RawMessageDelivery: Invalid value []. Must be true or false."),
        ("RedrivePolicy", '{"deadLetterTargetArn": "fake-arn"}', REDRIVE),
        ("FilterPolicyScope", "RandomValue", "FilterPolicyScope: Invalid value [RandomValue]. Please use either "
         "MessageBody or MessageAttributes"),
    ],
)  # fmt: skip
def test_bad_attributes_of_a_subscription(sns, name, value, text):
    """Recorded: SetSubscriptionAttributes says it without the words that Subscribe puts in front."""
    arn = subscribe(sns)
    given = {"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value}
    assert refused(sns.set_subscription_attributes, **given) == invalid(text)
    given = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE + "2", "Attributes": {name: value}}
    assert refused(sns.subscribe, **given) == invalid(f"Attributes Reason: {text}")


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["RedrivePolicy", "FilterPolicy"])
def test_attributes_that_are_no_json(sns, name):
    """Recorded, up to the words of the parser."""
    given = {"SubscriptionArn": subscribe(sns), "AttributeName": name, "AttributeValue": "{invalidjson}"}
    code, message, _ = refused(sns.set_subscription_attributes, **given)
    assert code == "InvalidParameter" and message.startswith(f"Invalid parameter: {name}: failed to parse JSON")


@pytest.mark.recorded
@pytest.mark.parametrize(("keys", "ok"), [(5, True), (6, False)])
def test_the_limits_of_a_filter_policy(sns, keys, ok):
    """Recorded."""
    policy = json.dumps({f"key_{n}": ["a"] for n in range(keys)})
    given = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE, "Attributes": {"FilterPolicy": policy}}
    if ok:
        sns.subscribe(**given)
        return
    expected = "FilterPolicy: Filter policy can not have more than 5 keys"
    assert refused(sns.subscribe, **given) == invalid(f"Attributes Reason: {expected}")
    change = {"SubscriptionArn": subscribe(sns), "AttributeName": "FilterPolicy", "AttributeValue": policy}
    assert refused(sns.set_subscription_attributes, **change) == invalid(expected)


def test_so_many_filter_policies_a_topic(sns, cloud):
    """SNS developer guide, "Filter policy constraints": 200 a topic. Only those who bring a policy are refused."""
    for n in range(200):
        subscribe(sns, endpoint=f"{QUEUE}-{n}", FilterPolicy='{"a": ["b"]}')
        cloud.advance(0.01)
    given = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE}
    code, _, status = refused(sns.subscribe, **given, Attributes={"FilterPolicy": '{"a": ["b"]}'})
    assert (code, status) == ("FilterPolicyLimitExceeded", 403)
    arn = subscribe(sns)
    change = {"SubscriptionArn": arn, "AttributeName": "FilterPolicy", "AttributeValue": '{"a": ["b"]}'}
    assert refused(sns.set_subscription_attributes, **change)[0] == "FilterPolicyLimitExceeded"


@pytest.mark.parametrize(
    "target",
    [
        "arn:aws:sqs:eu-west-1:123456789012:dead",
        "arn:aws:sqs:us-east-1:444455556666:dead",
        "arn:aws:sqs:us-east-1:123456789012:dead.fifo",
    ],
)
def test_the_dead_letter_queue_is_in_the_same_region_and_account_and_of_the_same_type(sns, target):
    """SNS developer guide, "Amazon SNS dead-letter queues". Texts: ours."""
    policy = json.dumps({"deadLetterTargetArn": target})
    given = {"SubscriptionArn": subscribe(sns), "AttributeName": "RedrivePolicy", "AttributeValue": policy}
    code, message, _ = refused(sns.set_subscription_attributes, **given)
    assert code == "InvalidParameter" and message.startswith("Invalid parameter: RedrivePolicy: ")


@pytest.mark.recorded
def test_a_subscription_that_is_not_there(sns):
    """Recorded."""
    arn = subscribe(sns)
    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)
    missing = ("NotFound", "Subscription does not exist", 404)
    assert refused(sns.get_subscription_attributes, SubscriptionArn=arn) == missing
    given = {"SubscriptionArn": arn, "AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
    assert refused(sns.set_subscription_attributes, **given) == missing
    assert refused(sns.get_subscription_attributes, SubscriptionArn=TOPIC) == invalid("SubscriptionId")


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("arn", "text"),
    [
        ("randomstring", "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"),
        ("arn:aws:sns:us-east-1:random", "SubscriptionArn Reason: An ARN must have at least 6 elements, not 5"),
        ("arn:aws:sns:us-east-1:111111111111:random", "SubscriptionId"),
    ],
)
def test_unsubscribing_with_a_wrong_arn(sns, arn, text):
    """Recorded."""
    assert refused(sns.unsubscribe, SubscriptionArn=arn) == invalid(text)


@pytest.mark.recorded
def test_confirming_with_a_wrong_token(sns):
    """Recorded."""
    token = "51b2ff3edb475b7d91550e0ab6edf0c1de2a34e6ebaf6c2262a001bcb7e051c43aa00022ceecce70bd2a67b2042da8d8"
    assert refused(sns.confirm_subscription, TopicArn=TOPIC, Token="randomtoken") == (
        "InvalidParameter", "Invalid token", 400,
    )  # fmt: skip
    assert refused(sns.confirm_subscription, TopicArn=TOPIC, Token=token) == invalid("Token")
    assert refused(sns.confirm_subscription, TopicArn=TOPIC + "2", Token=token) == invalid("Token")
    assert refused(sns.confirm_subscription, TopicArn="orders", Token=token) == invalid("Topic")


@pytest.mark.recorded
def test_a_token_belongs_to_a_region(cloud, sns):
    """Recorded."""
    subscribe(sns, "http", URL)
    cloud.advance(1)
    token = json.loads(cloud.service("sns").inbox(URL).received[0].body)["Token"]
    elsewhere = TOPIC.replace("us-east-1", "us-west-2")
    assert refused(sns.confirm_subscription, TopicArn=elsewhere, Token=token) == invalid("Topic")


# ---- publishing ------------------------------------------------------------------------------------------------------


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"Message": ""}, "Empty message"),
        ({"Message": "x", "Subject": ""}, "Subject"),
        ({"Message": "x", "Subject": "two\nlines"}, "Subject"),
        ({"Message": "x", "Subject": "x" * 101}, "Subject"),
        ({"Message": "x", "Subject": " begins with a space"}, "Subject"),
        ({"Message": "x", "Subject": "Grüße"}, "Subject"),
        ({"Message": "x" * 262_145}, "Message too long"),
        ({"Message": "x" * 262_140, "MessageAttributes": LETTERS}, "Message too long"),
        ({"Message": '{"no": "default"}', "MessageStructure": "json"},
         "Message Structure - No default entry in JSON message body"),
        ({"Message": '{"default": {"a": 1}}', "MessageStructure": "json"},
         "Message Structure - No default entry in JSON message body"),
        ({"Message": "not json", "MessageStructure": "json"},
         "Message Structure - JSON message body failed to parse"),
        ({"Message": "x", "MessageDeduplicationId": "1"}, "MessageDeduplicationId Reason: The request includes "
         "MessageDeduplicationId parameter that is not valid for this topic type"),
    ],
)  # fmt: skip
def test_messages_that_are_refused(cloud, sns, more, text):
    """Recorded; the rules for subjects: API, Publish."""
    assert refused(sns.publish, TopicArn=TOPIC, **more) == invalid(text)
    assert cloud.trace.where("Published") == []


def test_messages_that_are_just_right(sns):
    for more in ({"Message": "x" * 262_144}, {"Message": "x", "Subject": "x" * 100}):
        assert sns.publish(TopicArn=TOPIC, **more)["MessageId"]
    duplicate = '{"default": "a", "default": "b"}'
    assert sns.publish(TopicArn=TOPIC, Message=duplicate, MessageStructure="json")["MessageId"]


@pytest.mark.reported
@pytest.mark.parametrize("given", [{}, {"TopicArn": TOPIC, "PhoneNumber": "+15555550100"}])
def test_there_is_one_target(sns, given):
    """Text reported."""
    expected = invalid("TopicArn or TargetArn Reason: no value for required parameter")
    assert refused(sns.publish, Message="x", **given) == expected


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "attribute", "text"),
    [
        ("attr1", {"DataType": "String", "StringValue": ""}, "The message attribute 'attr1' must contain non-empty "
         "message attribute value for message attribute type 'String'."),
        ("attr1", {"DataType": "String"}, "The message attribute 'attr1' must contain non-empty message attribute "
         "value for message attribute type 'String'."),
        ("attr1", {"DataType": "Binary", "BinaryValue": b""}, "The message attribute 'attr1' must contain non-empty "
         "message attribute value for message attribute type 'Binary'."),
        ("attr1", {"DataType": "String", "BinaryValue": b"x"}, "The message attribute 'attr1' with type 'String' must "
         "use field 'String'."),
        ("attr1", {"DataType": "Number", "BinaryValue": b"x"}, "The message attribute 'attr1' with type 'Number' must "
         "use field 'String'."),
        ("attr1", {"DataType": "Binary", "StringValue": "x"}, "The message attribute 'attr1' with type 'Binary' must "
         "use field 'Binary'."),
        ("attr1", {"DataType": "InvalidType", "StringValue": "x"}, "The message attribute 'attr1' has an invalid "
         "message attribute type, the set of supported type prefixes is Binary, Number, and String."),
        ("attr1", {"DataType": "Stringprefixed", "StringValue": "x"}, "The message attribute 'attr1' has an invalid "
         "message attribute type, the set of supported type prefixes is Binary, Number, and String."),
        ("a" * 257, {"DataType": "String", "StringValue": "x"},
         "Length of message attribute name must be less than 256 bytes."),
        ("a^b", {"DataType": "String", "StringValue": "x"}, "Invalid non-alphanumeric character '#x5E' was found in "
         "the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots."),
        (".a", {"DataType": "String", "StringValue": "x"},
         "Invalid message attribute name starting with character '.' was found."),
        ("a.", {"DataType": "String", "StringValue": "x"},
         "Invalid message attribute name ending with character '.' was found."),
        ("a..b", {"DataType": "String", "StringValue": "x"},
         "Message attribute name can not have successive '.' character."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("batch", [False, True])
def test_attributes_of_messages(sns, name, attribute, text, batch):
    """Recorded."""
    more = {"Message": "x", "MessageAttributes": {name: attribute}}
    call = {"PublishBatchRequestEntries": [{"Id": "1"} | more]} if batch else more
    operation = sns.publish_batch if batch else sns.publish
    assert refused(operation, TopicArn=TOPIC, **call) == ("ParameterValueInvalid", text, 400)


@pytest.mark.recorded
@pytest.mark.parametrize("kind", ["String", "Number.prefixed", "String.Array", "String.x"])
def test_data_types_may_be_extended(sns, kind):
    """Recorded."""
    given = {"a": {"DataType": kind, "StringValue": "7"}}
    assert sns.publish(TopicArn=TOPIC, Message="x", MessageAttributes=given)["MessageId"]


@pytest.mark.reported
def test_too_many_calls(cloud, sns):
    """Code and text reported (SNS's model has no such error for these operations)."""
    direct = cloud.direct("sns")
    for n in range(100):
        direct.unsubscribe(SubscriptionArn=f"{TOPIC}:{n}")
    from botocore.config import Config

    once = cloud.client("sns", config=Config(retries={"total_max_attempts": 1}))
    assert refused(once.unsubscribe, SubscriptionArn=f"{TOPIC}:x") == ("Throttling", "Rate exceeded", 400)


def batch(*ids, **more):
    return {"TopicArn": TOPIC, "PublishBatchRequestEntries": [{"Id": id, "Message": "x"} | more for id in ids]}


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (batch(*map(str, range(11))), "TooManyEntriesInBatchRequest",
         "The batch request contains more entries than permissible."),
        (batch("1", "1"), "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id."),
        (batch(), "EmptyBatchRequest", "The batch request doesn't contain any entries."),
        (batch("a b"), "InvalidBatchEntryId",
         "The Id of a batch entry in a batch request doesn't abide by the specification."),
        (batch("1", "2", Message="x" * 131_073), "BatchRequestTooLong",
         "The length of all the messages put together is more than the limit."),
        (batch("1", Message="{}", MessageStructure="json"), "InvalidParameter",
         "Invalid parameter: Message Structure - No default entry in JSON message body"),
        (batch("1") | {"TopicArn": TOPIC + "2"}, "NotFound", "Topic does not exist"),
    ],
)  # fmt: skip
def test_batches_that_are_refused(cloud, sns, call, code, message):
    """Recorded, but for the empty batch and the bad id (texts of the API reference)."""
    assert refused(sns.publish_batch, **call)[:2] == (code, message)
    assert cloud.trace.where("Published") == []


# ---- what arrives ----------------------------------------------------------------------------------------------------


def envelope_of(cloud, sns, **more):
    """What lies in a subscribed queue after one message."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": QUEUE}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="billing", Attributes={"Policy": policy})["QueueUrl"]
    arn = subscribe(sns)
    id = sns.publish(TopicArn=TOPIC, **more)["MessageId"]
    cloud.advance(1)
    return id, arn, sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"][0]["Body"]


@pytest.mark.recorded
def test_the_envelope(cloud, sns):
    """SNS developer guide, "Amazon SNS message and JSON formats"; the fields recorded. No attributes, no such field."""
    id, arn, body = envelope_of(cloud, sns, Message='ö§a1"_!?,. £$-', Subject="hello")
    document = json.loads(body)
    assert list(document) == [
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
        "SigningCertURL", "UnsubscribeURL",
    ]  # fmt: skip
    host = "https://sns.us-east-1.amazonaws.com/"
    assert document["SigningCertURL"].startswith(host + "SimpleNotificationService-")
    assert document["UnsubscribeURL"] == f"{host}?Action=Unsubscribe&SubscriptionArn={arn}"
    fields = ("Type", "MessageId", "TopicArn", "Subject", "Message", "SignatureVersion")
    assert [document[name] for name in fields] == ["Notification", id, TOPIC, "hello", 'ö§a1"_!?,. £$-', "1"]
    assert document["Timestamp"].startswith("2023-04-01T00:00:00.") and document["Timestamp"].endswith("Z")
    assert len(document["Signature"]) == 344
    assert body.startswith('{\n  "Type" : "Notification",\n  "MessageId" : "')


@pytest.mark.recorded
def test_attributes_in_the_envelope(cloud, sns):
    """Recorded: bytes in base64. No subject, no such field."""
    attributes = LETTERS | {"blob": {"DataType": "Binary", "BinaryValue": b"\2\3\4"}}
    _, _, body = envelope_of(cloud, sns, Message="x", MessageAttributes=attributes)
    document = json.loads(body)
    assert "Subject" not in document
    assert document["MessageAttributes"] == {
        "kind": {"Type": "String", "Value": "gold"},
        "blob": {"Type": "Binary", "Value": "AgME"},
    }


@pytest.mark.recorded
def test_a_topic_can_be_the_target_arn(cloud, sns):
    """Recorded."""
    assert sns.publish(TargetArn=TOPIC, Message="x")["MessageId"]
    assert cloud.trace.where("Published")[0].resource == "orders"


@pytest.mark.recorded
@pytest.mark.parametrize("raw", ["true", "false"])
def test_what_a_web_server_gets(cloud, sns, raw):
    """Recorded: headers and bodies, of the request to confirm and of a notification."""
    arn = subscribe(sns, "http", URL, RawMessageDelivery=raw)
    cloud.advance(1)
    service, inbox = cloud.service("sns"), cloud.service("sns").inbox(URL)
    (request,) = inbox.received
    document = json.loads(request.body)
    assert request.headers == {
        "x-amz-sns-message-type": "SubscriptionConfirmation",
        "x-amz-sns-message-id": document["MessageId"],
        "x-amz-sns-topic-arn": TOPIC,
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
    }
    assert set(document) == {
        "Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL", "Timestamp", "SignatureVersion",
        "Signature", "SigningCertURL",
    }  # fmt: skip
    assert document["Message"] == (
        f"You have chosen to subscribe to the topic {TOPIC}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    assert len(document["Token"]) == 288
    service.open_link(document["SubscribeURL"])
    id = sns.publish(TopicArn=TOPIC, Message="plain")["MessageId"]
    cloud.advance(1)
    notification = inbox.received[1]
    assert notification.headers == {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": id,
        "x-amz-sns-topic-arn": TOPIC,
        "x-amz-sns-subscription-arn": arn,
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
    } | ({"x-amz-sns-rawdelivery": "true"} if raw == "true" else {})
    body = notification.body if raw == "true" else json.loads(notification.body)["Message"]
    assert body == "plain"


# ---- telephones ------------------------------------------------------------------------------------------------------

PHONE = "+15555550100"


def test_publishing_to_a_telephone(cloud, sns):
    id = sns.publish(PhoneNumber=PHONE, Message="your code is 7")["MessageId"]
    cloud.advance(1)
    (text,) = cloud.service("sns").inbox(PHONE).received
    assert (text.body, text.headers) == ("your code is 7", {"From": "NOTICE"})
    assert [row.kind for row in cloud.trace.about(id) if cloud.trace.says(row)] == ["Published", "Delivered"]


@pytest.mark.recorded
@pytest.mark.parametrize("number", ["+1a234", "NAA+15551234567", "0123", ""])
def test_numbers_are_e164(sns, number):
    """Recorded."""
    expected = invalid(f"PhoneNumber Reason: {number} is not valid to publish to")
    assert refused(sns.publish, PhoneNumber=number, Message="x") == expected


def test_who_opted_out_gets_nothing(cloud, sns):
    """API: CheckIfPhoneNumberIsOptedOut, ListPhoneNumbersOptedOut, OptInPhoneNumber."""
    service = cloud.service("sns")
    service.phones.opt_out(PHONE)
    assert sns.check_if_phone_number_is_opted_out(phoneNumber=PHONE)["isOptedOut"] is True
    assert sns.list_phone_numbers_opted_out()["phoneNumbers"] == [PHONE]
    id = sns.publish(PhoneNumber=PHONE, Message="x")["MessageId"]
    cloud.advance(3600)
    assert [row.kind for row in cloud.trace.about(id) if cloud.trace.says(row)] == [
        "Published",
        "DeliveryFailed",
        "DeliveryDropped",
    ]
    assert service.inbox(PHONE).received == []
    sns.opt_in_phone_number(phoneNumber=PHONE)
    sns.publish(PhoneNumber=PHONE, Message="x")
    cloud.advance(1)
    assert len(service.inbox(PHONE).received) == 1


def test_the_money_of_a_month_is_limited(cloud, sns):
    """SNS developer guide: 1 $ a month at first. How much a message costs is assumed."""
    assert sns.get_sms_attributes()["attributes"] == {"MonthlySpendLimit": "1"}
    for _ in range(160):
        sns.publish(PhoneNumber=PHONE, Message="x")
    cloud.advance(10)
    inbox = cloud.service("sns").inbox(PHONE)
    assert len(inbox.received) == 155
    assert {row.detail["reason"] for row in cloud.trace.where("DeliveryFailed")} == {"SpendLimitReached"}
    cloud.advance(30 * 86_400)
    sns.publish(PhoneNumber=PHONE, Message="x")
    cloud.advance(10)
    assert len(inbox.received) == 156


def test_settings_for_text_messages(cloud, sns):
    """API: SetSMSAttributes. Texts: ours."""
    sns.set_sms_attributes(attributes={"DefaultSenderID": "SHOP", "MonthlySpendLimit": "5"})
    assert sns.get_sms_attributes(attributes=["DefaultSenderID"])["attributes"] == {"DefaultSenderID": "SHOP"}
    sns.publish(PhoneNumber=PHONE, Message="x")
    own = {"AWS.SNS.SMS.SenderID": {"DataType": "String", "StringValue": "OTHER"}}
    sns.publish(PhoneNumber=PHONE, Message="x", MessageAttributes=own)
    cloud.advance(1)
    assert {text.headers["From"] for text in cloud.service("sns").inbox(PHONE).received} == {"SHOP", "OTHER"}
    for bad in ({"Nonsense": "1"}, {"DefaultSenderID": "too long for one"}, {"DefaultSMSType": "Loud"}):
        assert refused(sns.set_sms_attributes, attributes=bad)[0] == "InvalidParameter"


# ---- mobile push -----------------------------------------------------------------------------------------------------

CREDENTIALS = {"PlatformCredential": "secret", "PlatformPrincipal": "who"}


def application(sns, platform="GCM", name="shop"):
    given = {"Name": name, "Platform": platform, "Attributes": CREDENTIALS}
    return sns.create_platform_application(**given)["PlatformApplicationArn"]


def device(sns, app, token="abc123", **more):
    return sns.create_platform_endpoint(PlatformApplicationArn=app, Token=token, **more)["EndpointArn"]


def test_an_application_and_its_devices(sns):
    """API: CreatePlatformApplication, CreatePlatformEndpoint. What is secret is not shown."""
    app = application(sns)
    assert app == f"arn:aws:sns:us-east-1:{ACCOUNT}:app/GCM/shop" == application(sns)
    shown = sns.get_platform_application_attributes(PlatformApplicationArn=app)["Attributes"]
    assert shown == {"Enabled": "true"}
    arn = device(sns, app)
    assert arn.startswith(f"arn:aws:sns:us-east-1:{ACCOUNT}:endpoint/GCM/shop/") and device(sns, app) == arn
    assert sns.get_endpoint_attributes(EndpointArn=arn)["Attributes"] == {"Enabled": "true", "Token": "abc123"}
    (entry,) = sns.list_endpoints_by_platform_application(PlatformApplicationArn=app)["Endpoints"]
    assert entry["EndpointArn"] == arn
    assert len(sns.list_platform_applications()["PlatformApplications"]) == 1
    sns.delete_endpoint(EndpointArn=arn)
    sns.delete_endpoint(EndpointArn=arn)
    assert refused(sns.get_endpoint_attributes, EndpointArn=arn) == ("NotFound", "Endpoint does not exist", 404)
    sns.delete_platform_application(PlatformApplicationArn=app)
    assert refused(sns.get_platform_application_attributes, PlatformApplicationArn=app)[0] == "NotFound"


@pytest.mark.reported
def test_a_token_has_one_endpoint(sns):
    """Text reported."""
    app = application(sns)
    arn = device(sns, app)
    expected = invalid(f"Token Reason: Endpoint {arn} already exists with the same Token, but different attributes.")
    given = {"PlatformApplicationArn": app, "Token": "abc123", "CustomUserData": "ann"}
    assert refused(sns.create_platform_endpoint, **given) == expected
    other = device(sns, app, "def456")
    change = {"EndpointArn": other, "Attributes": {"Token": "abc123"}}
    assert refused(sns.set_endpoint_attributes, **change) == expected
    sns.set_endpoint_attributes(EndpointArn=other, Attributes={"Token": "789"})
    assert device(sns, app, "789") == other


@pytest.mark.parametrize(
    ("platform", "body"),
    [
        ("GCM", {"notification": {"body": "hi"}}),
        ("APNS", {"aps": {"alert": "hi"}}),
        ("APNS_SANDBOX", {"aps": {"alert": "hi"}}),
        ("ADM", {"data": {"message": "hi"}}),
    ],
)
def test_publishing_to_a_device(cloud, sns, platform, body):
    """Each push service has a form of its own; a text made for it is sent as it stands."""
    arn = device(sns, application(sns, platform))
    inbox = cloud.service("sns").inbox(arn)
    sns.publish(TargetArn=arn, Message="hi")
    cloud.advance(1)
    assert json.loads(inbox.received[0].body) == body and inbox.received[0].headers == {"Token": "abc123"}
    own = json.dumps({"default": "other", platform: '{"own": 1}'})
    sns.publish(TargetArn=arn, Message=own, MessageStructure="json")
    cloud.advance(1)
    assert inbox.received[1].body == '{"own": 1}'


@pytest.mark.reported
@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"GCM": "no json"}, "Message Reason: Invalid notification for protocol GCM: Notification is malformed"),
        ({"GCM": "[1]"}, "Message Reason: Invalid notification for protocol GCM: Notification is malformed"),
        ({"GCM": json.dumps({"data": "x" * 4096})},
         "Message Reason: Invalid notification for protocol GCM: Notification data is larger than allowed limit"),
        ({"APNS": "{}"}, "Message Structure - JSON must contain an entry for 'default' or 'GCM'."),
    ],
)  # fmt: skip
def test_payloads_are_checked(cloud, sns, message, text):
    """Texts reported (too long), ours (the others)."""
    arn = device(sns, application(sns))
    given = {"TargetArn": arn, "Message": json.dumps(message), "MessageStructure": "json"}
    assert refused(sns.publish, **given) == invalid(text)
    assert cloud.trace.where("Published") == []


@pytest.mark.recorded
def test_devices_that_are_not_there_or_disabled(sns):
    """Recorded: the first. API, Publish: EndpointDisabled, PlatformApplicationDisabled."""
    app = application(sns)
    arn = device(sns, app)
    missing = invalid("TargetArn Reason: No endpoint found for the target arn specified")
    assert refused(sns.publish, TargetArn=arn + "0", Message="x") == missing
    sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"Enabled": "false"})
    expected = ("EndpointDisabled", "Endpoint is disabled", 400)
    assert refused(sns.publish, TargetArn=arn, Message="x") == expected
    sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"Enabled": "true"})
    sns.set_platform_application_attributes(PlatformApplicationArn=app, Attributes={"Enabled": "false"})
    assert refused(sns.publish, TargetArn=arn, Message="x")[0] == "PlatformApplicationDisabled"


def test_a_token_that_the_push_service_does_not_know_disables_the_endpoint(cloud, sns):
    """API: SetEndpointAttributes, Enabled."""
    arn = device(sns, application(sns))
    cloud.service("sns").inbox(arn).fail(410)
    id = sns.publish(TargetArn=arn, Message="x")["MessageId"]
    cloud.advance(60)
    assert sns.get_endpoint_attributes(EndpointArn=arn)["Attributes"]["Enabled"] == "false"
    assert [row.kind for row in cloud.trace.about(id) if cloud.trace.says(row)] == [
        "Published",
        "DeliveryFailed",
        "DeliveryDropped",
    ]


def test_a_device_can_subscribe(cloud, sns):
    arn = device(sns, application(sns))
    subscribe(sns, "application", arn)
    sns.publish(TopicArn=TOPIC, Message="to all")
    cloud.advance(1)
    assert json.loads(cloud.service("sns").inbox(arn).received[0].body) == {"notification": {"body": "to all"}}
    given = {"TopicArn": TOPIC, "Protocol": "application", "Endpoint": arn + "0"}
    assert refused(sns.subscribe, **given)[0] == "InvalidParameter"


@pytest.mark.ours
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"Platform": "PIGEON"}, "Platform Reason: PIGEON is not supported"),
        ({"Name": "with space"},
         "with space Reason: must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'"),
        ({"Attributes": {"Enabled": "true"}}, "Attributes Reason: PlatformCredential is required for the platform GCM"),
        ({"Attributes": CREDENTIALS | {"Nonsense": "1"}}, "Attributes Reason: Invalid attribute name: Nonsense"),
        ({"Attributes": CREDENTIALS | {"Enabled": "maybe"}},
         "Enabled: Invalid value [maybe]. Must be true or false."),
    ],
)  # fmt: skip
def test_applications_that_are_refused(sns, given, text):
    """Texts: ours."""
    whole = {"Name": "shop", "Platform": "GCM", "Attributes": CREDENTIALS} | given
    assert refused(sns.create_platform_application, **whole) == invalid(text)
    assert sns.list_platform_applications()["PlatformApplications"] == []


@pytest.mark.reported
def test_tokens_and_user_data_that_are_refused(sns):
    """Texts reported."""
    app = application(sns, "APNS")
    given = {"PlatformApplicationArn": app, "Token": "not hexadecimal"}
    expected = invalid("Token Reason: iOS device tokens must be no more than 400 hexadecimal characters")
    assert refused(sns.create_platform_endpoint, **given) == expected
    given = {"PlatformApplicationArn": app, "Token": "ab", "CustomUserData": "x" * 2049}
    assert refused(sns.create_platform_endpoint, **given)[0] == "InvalidParameter"
    assert sns.list_endpoints_by_platform_application(PlatformApplicationArn=app)["Endpoints"] == []


@pytest.mark.recorded
def test_to_subscribe_again_with_the_default_of_an_attribute_is_the_same_subscription(cloud, sns):
    first = subscribe(sns, "sqs", QUEUE)
    again = {"RawMessageDelivery": "false", "FilterPolicyScope": "MessageAttributes"}
    assert subscribe(sns, "sqs", QUEUE, **again) == first
    given = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE, "Attributes": {"RawMessageDelivery": "true"}}
    assert refused(sns.subscribe, **given) == invalid(
        "Attributes Reason: Subscription already exists with different attributes"
    )


@pytest.mark.reported
@pytest.mark.parametrize(
    ("statements", "text"),
    [
        ([{"Action": "SNS:Receive"}], ""),
        ([{}, {}], "Every policy statement must have a unique ID"),
        ([{"Sid": "a"}, {"Sid": "a"}], "Every policy statement must have a unique ID"),
        ([{"Sid": "a"}, {}], ""),
        ([{"Resource": [TOPIC, TOPIC + "2"]}], "Policy statement must apply to a single resource!"),
    ],
)
def test_the_statements_of_a_topics_policy(sns, statements, text):
    whole = [{"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": TOPIC} | s for s in statements]
    value = json.dumps({"Version": "2012-10-17", "Statement": whole})
    given = {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": value}
    if text:
        assert refused(sns.set_topic_attributes, **given) == invalid(text)
    else:
        sns.set_topic_attributes(**given)
