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
def test_the_longest_name(sns):
    """Recorded."""
    assert sns.create_topic(Name="a" * 256)["TopicArn"].endswith("a" * 256)


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
    """Recorded."""
    sns.tag_resource(ResourceArn=TOPIC, Tags=[{"Key": "k1", "Value": "v1"}, {"Key": "k2", "Value": "v2"}])
    sns.untag_resource(ResourceArn=TOPIC, TagKeys=["k1"])
    sns.tag_resource(ResourceArn=TOPIC, Tags=[{"Key": "k2", "Value": "v2b"}])
    assert sns.list_tags_for_resource(ResourceArn=TOPIC)["Tags"] == [{"Key": "k2", "Value": "v2b"}]


# ---- permissions -----------------------------------------------------------------------------------------------------


def statements(sns):
    return {statement["Sid"]: statement for statement in json.loads(attributes(sns)["Policy"])["Statement"]}


@pytest.mark.reported
def test_permissions_are_statements_of_the_policy(sns):
    given = {"TopicArn": TOPIC, "Label": "friends", "AWSAccountId": ["444455556666"], "ActionName": ["Publish"]}
    sns.add_permission(**given)
    assert statements(sns)["friends"] == {
        "Sid": "friends",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
        "Action": "SNS:Publish",
        "Resource": TOPIC,
    }
    sns.remove_permission(TopicArn=TOPIC, Label="friends")
    assert list(statements(sns)) == ["__default_statement_ID"]


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


@pytest.mark.recorded
def test_a_filter_policy_may_have_five_keys(sns):
    """Recorded."""
    assert subscribe(sns, FilterPolicy=json.dumps({f"key_{n}": ["a"] for n in range(5)}))


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


# ---- publishing ------------------------------------------------------------------------------------------------------


def test_messages_that_are_just_right(sns):
    for more in ({"Message": "x" * 262_144}, {"Message": "x", "Subject": "x" * 100}):
        assert sns.publish(TopicArn=TOPIC, **more)["MessageId"]
    duplicate = '{"default": "a", "default": "b"}'
    assert sns.publish(TopicArn=TOPIC, Message=duplicate, MessageStructure="json")["MessageId"]


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
    """API: SetSMSAttributes."""
    sns.set_sms_attributes(attributes={"DefaultSenderID": "SHOP", "MonthlySpendLimit": "5"})
    assert sns.get_sms_attributes(attributes=["DefaultSenderID"])["attributes"] == {"DefaultSenderID": "SHOP"}
    sns.publish(PhoneNumber=PHONE, Message="x")
    own = {"AWS.SNS.SMS.SenderID": {"DataType": "String", "StringValue": "OTHER"}}
    sns.publish(PhoneNumber=PHONE, Message="x", MessageAttributes=own)
    cloud.advance(1)
    assert {text.headers["From"] for text in cloud.service("sns").inbox(PHONE).received} == {"SHOP", "OTHER"}


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
@pytest.mark.parametrize("statements", [[{"Action": "SNS:Receive"}], [{"Sid": "a"}, {}]])
def test_the_statements_of_a_topics_policy(sns, statements):
    whole = [{"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": TOPIC} | s for s in statements]
    value = json.dumps({"Version": "2012-10-17", "Statement": whole})
    given = {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": value}
    sns.set_topic_attributes(**given)
