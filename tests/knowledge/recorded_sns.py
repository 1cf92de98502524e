"""What AWS was recorded to do with topics and subscriptions. See `recordings.py`."""

import json
from base64 import b64decode
from typing import Any

from knowledge.recordings import ACCOUNT, REGION, Lab, Suite, is_refused, refused

SNS = Suite("SNS")
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
RETRIES = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
PLAIN = "text/plain; charset=UTF-8"
ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)

SNS.refusals(
    create_duplicate_topic_with_more_tags="sns.CreateTopic: the same name, other tags",
    unknown_topic_publish="sns.Publish: an unknown topic",
    topic_publish_another_region="sns.Publish: a topic of another region",
    publish_non_existent_target="sns.Publish: an unknown device",
    publish_with_empty_subject="sns.Publish: Subject=''",
    publish_batch_messages_without_topic="sns.PublishBatch: an unknown topic",
    subscribe_to_sqs_with_queue_url="sns.Subscribe: a queue's URL",
    subscribe_sqs_queue_url="sns.Subscribe: a queue's URL",
    subscribe_with_invalid_protocol="sns.Subscribe: Protocol='test-protocol'",
    publish_wrong_arn_format="sns.Publish: TopicArn='t' | sns.Publish: TopicArn='a:b' | sns.Publish: TopicArn=''",
    sns_confirm_subscription_wrong_token=(
        "sns.ConfirmSubscription: a topic that is not there | sns.ConfirmSubscription: Token='randomtoken' | "
        "sns.ConfirmSubscription: a token nobody gave"
    ),
)
SNS.unread("publish_batch_invalid_entry_id", "opt_in_invalid_number")
SNS.apart("data protection policies of topics", "data_protection_policy_crud")
SNS.apart("requests of one's own to AWS's HTTP interface; the lab has boto3's clients", "publish_by_path_parameters")
SNS.apart(
    "the certificate behind SigningCertURL: what is delivered names one, and none can be fetched",
    "publish_lambda_verify_signature",
    "publish_sqs_verify_signature",
    "subscribe_external_http_endpoint_lambda_url_sig_validation",
)
SNS.apart("URLs of functions", "confirm_subscription")
SNS.apart(
    "a header that a handler of before-send adds: there is no request to change",
    "publish_sqs_from_sns_with_xray_propagation",
)
SNS.apart("fair queues, which AWS has since 2025", "publish_message_group_id")
SNS.apart("CloudWatch Logs, where SNS notes what it delivered", "delivery_lambda")


def invalid(text: str) -> tuple[str, str, int]:
    """Code, message and status of SNS's usual refusal."""
    return ("InvalidParameter", f"Invalid parameter: {text}", 400)


def _attributes(lab: Lab, topic: str) -> dict[str, Any]:
    """The attributes of a topic, with its documents read."""
    found = lab.sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    return {name: json.loads(value) if value.startswith("{") else value for name, value in found.items()}


def _fresh(topic: str, **more: Any) -> dict[str, Any]:
    """The attributes of a topic, apart from those that were given."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in ACTIONS],
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
    }
    return {
        "DisplayName": "",
        "EffectiveDeliveryPolicy": _effective(RETRIES),
        "Owner": ACCOUNT,
        "Policy": {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]},
        "SubscriptionsConfirmed": "0",
        "SubscriptionsDeleted": "0",
        "SubscriptionsPending": "0",
        "TopicArn": topic,
        **more,
    }


def _effective(retries: dict[str, Any], content: str = PLAIN) -> dict[str, Any]:
    request = {"headerContentType": content}
    return {
        "http": {
            "defaultHealthyRetryPolicy": retries,
            "disableSubscriptionOverrides": False,
            "defaultRequestPolicy": request,
        }
    }


# ---- topics ----------------------------------------------------------------------------------------------------------


@SNS.same("create_topic_with_attributes", "create_topic_test_arn", "topic_get_attributes_with_fifo_false")
def _(lab: Lab) -> None:
    topic = lab.topic("topictest.fifo", DisplayName="TestTopic", SignatureVersion="2")
    given = {"DisplayName": "TestTopic", "SignatureVersion": "2", "FifoTopic": "true"}
    assert _attributes(lab, topic) == _fresh(topic, **given, ContentBasedDeduplication="false")
    is_refused("NotFound", "Topic does not exist", lab.sns.get_topic_attributes, 404, TopicArn=topic + "x")
    text = "TopicArn Reason: An ARN must have at least 6 elements, not 1"
    error = refused(lab.sns.get_topic_attributes, TopicArn="test-topic")
    assert (error["Code"], error["Message"], error["status"]) == invalid(text)
    assert lab.topic() == TOPIC and _attributes(lab, TOPIC) == _fresh(TOPIC)
    lab.sns.delete_topic(TopicArn=TOPIC)
    is_refused("NotFound", "Topic does not exist", lab.sns.get_topic_attributes, 404, TopicArn=TOPIC)
    topic = lab.topic("standard", FifoTopic="false")
    assert _attributes(lab, topic) == _fresh(topic)
    given = {"TopicArn": topic, "AttributeName": "FifoTopic", "AttributeValue": "false"}
    is_refused(*invalid("AttributeName")[:2], lab.sns.set_topic_attributes, **given)


@SNS.same("delete_topic_idempotency", "delete_non_existent_topic")
def _(lab: Lab) -> None:
    lab.topic()
    for _ in range(2):
        assert set(lab.sns.delete_topic(TopicArn=TOPIC)) == {"ResponseMetadata"}
    lab.sns.delete_topic(TopicArn=TOPIC + "-never")


def _tags(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@SNS.same("tags", "tags_removed_after_deletion")
def _(lab: Lab) -> None:
    arn = lab.topic()

    def tags() -> list[dict[str, str]]:
        return sorted(lab.sns.list_tags_for_resource(ResourceArn=arn)["Tags"], key=lambda tag: tag["Key"])

    twice = {"ResourceArn": arn, "Tags": _tags(k1="v1", k2="v2") + _tags(k2="v2")}
    is_refused(*invalid("Duplicated keys are not allowed.")[:2], lab.sns.tag_resource, **twice)
    lab.sns.tag_resource(ResourceArn=arn, Tags=_tags(k1="v1", k2="v2"))
    assert tags() == _tags(k1="v1", k2="v2")
    lab.sns.untag_resource(ResourceArn=arn, TagKeys=["k1"])
    assert tags() == _tags(k2="v2")
    lab.sns.tag_resource(ResourceArn=arn, Tags=_tags(k2="v2b"))
    assert tags() == _tags(k2="v2b")
    lab.sns.delete_topic(TopicArn=arn)
    assert lab.topic() == arn and tags() == []


@SNS.same(
    "create_duplicate_topic_check_idempotency",
    "create_topic_after_delete_with_new_tags",
    "create_topic_should_be_idempotent",
)
def _(lab: Lab) -> None:
    both = _tags(a="1", b="2")
    arns = {lab.sns.create_topic(Name="t", Tags=tags)["TopicArn"] for tags in (both, both, both[:1], [])}
    lab.sns.delete_topic(TopicArn=TOPIC)
    arns.add(lab.sns.create_topic(Name="t", Tags=_tags(a="other"))["TopicArn"])
    assert arns == {TOPIC}
    lab.sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="DisplayName", AttributeValue="AlreadySet")
    for _ in range(2):
        assert _attributes(lab, TOPIC) == _fresh(TOPIC, DisplayName="AlreadySet")
        lab.topic()


@SNS.same("create_topic_name_constraints")
def _(lab: Lab) -> None:
    lab.topic("a" * 256)
    for name, attributes in (
        *((name, {}) for name in ("", "a" * 257, "test.fifo", *(f"bad{mark}name" for mark in ":;!@|^% "))),
        ("test", {"FifoTopic": "true"}),
    ):
        error = refused(lab.sns.create_topic, Name=name, Attributes=attributes)
        assert error["Code"] == "InvalidParameter" and error["status"] == 400
        if not attributes and name != "test.fifo":
            assert error["Message"] == "Invalid parameter: Topic Name"


@SNS.same("create_topic_in_multiple_regions")
def _(lab: Lab) -> None:
    for region in ("us-east-1", "us-west-1"):
        sns = lab.cloud.client("sns", region_name=region)
        arn = sns.create_topic(Name="t")["TopicArn"]
        assert arn == f"arn:aws:sns:{region}:{ACCOUNT}:t"
        assert sns.list_topics()["Topics"] == [{"TopicArn": arn}]
        assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["TopicArn"] == arn


@SNS.same("list_topic_paging")
def _(lab: Lab) -> None:
    arns = {lab.topic(f"paging-{n}") for n in range(120)}
    first = lab.sns.list_topics()
    second = lab.sns.list_topics(NextToken=first["NextToken"])
    assert len(first["Topics"]) == 100
    assert {topic["TopicArn"] for page in (first, second) for topic in page["Topics"]} == arns


@SNS.same("topic_delivery_policy_crud")
def _(lab: Lab) -> None:
    json_request = {"defaultRequestPolicy": {"headerContentType": "application/json"}}
    topic = lab.topic("t.fifo", DeliveryPolicy=json.dumps({"http": json_request}))

    def policies() -> tuple[Any, Any]:
        found = _attributes(lab, topic)
        return found.get("DeliveryPolicy"), found["EffectiveDeliveryPolicy"]

    overrides = {"disableSubscriptionOverrides": False}
    assert policies() == ({"http": overrides | json_request}, _effective(RETRIES, "application/json"))
    fewer = {"minDelayTarget": 5, "maxDelayTarget": 6, "numRetries": 1}
    for given, shown, retries in (
        ({"http": {"defaultHealthyRetryPolicy": fewer}}, {"defaultHealthyRetryPolicy": fewer}, RETRIES | fewer),
        ({"http": {"defaultHealthyRetryPolicy": None}}, {}, RETRIES),
    ):
        value = json.dumps(given)
        lab.sns.set_topic_attributes(TopicArn=topic, AttributeName="DeliveryPolicy", AttributeValue=value)
        assert policies() == ({"http": overrides | shown}, _effective(retries))
    lab.sns.set_topic_attributes(TopicArn=topic, AttributeName="DeliveryPolicy", AttributeValue="")
    assert policies() == (None, _effective(RETRIES))


@SNS.same("cross_region_access")
def _(lab: Lab) -> None:
    lab.topic()
    there = lab.cloud.client("sns", region_name="eu-central-1")
    for call, given in (
        (there.set_topic_attributes, {"AttributeName": "DisplayName", "AttributeValue": "x"}),
        (there.get_topic_attributes, {}),
        (there.publish, {"Message": "x"}),
        (there.subscribe, {"Protocol": "email", "Endpoint": "a@example.com"}),
        (there.list_subscriptions_by_topic, {}),
        (there.delete_topic, {}),
    ):
        is_refused(*invalid("TopicArn")[:2], call, TopicArn=TOPIC, **given)


# ---- publishing ------------------------------------------------------------------------------------------------------


@SNS.same("publish_too_long_message", "publish_batch_too_long_message")
def _(lab: Lab) -> None:
    lab.topic()
    own = {"attr1": {"DataType": "Number", "StringValue": "1"}}
    most = 262_144 - len("attr1Number1")
    is_refused(*invalid("Message too long")[:2], lab.sns.publish, TopicArn=TOPIC, Message="a" * 262_145)
    given = {"TopicArn": TOPIC, "Message": "a" * (most + 1), "MessageAttributes": own}
    is_refused(*invalid("Message too long")[:2], lab.sns.publish, **given)
    lab.sns.publish(**given | {"Message": "a" * most})
    text = "The length of all the messages put together is more than the limit."

    def batch(*messages: dict[str, Any]) -> dict[str, Any]:
        entries = [{"Id": f"{n}", **message} for n, message in enumerate(messages)]
        return {"TopicArn": TOPIC, "PublishBatchRequestEntries": entries}

    for messages in (
        ({"Message": "a" * 131_072}, {"Message": "b" * 131_073}),
        ({"Message": "a" * most, "MessageAttributes": own}, {"Message": "b"}),
    ):
        is_refused("BatchRequestTooLong", text, lab.sns.publish_batch, **batch(*messages))
    lab.sns.publish_batch(**batch({"Message": "a" * (most - 1), "MessageAttributes": own}, {"Message": "b"}))


@SNS.same("empty_sns_message")
def _(lab: Lab) -> None:
    url = lab.queue()
    lab.subscribe(lab.topic(), url)
    is_refused(*invalid("Empty message")[:2], lab.sns.publish, TopicArn=TOPIC, Message="")
    lab.wait(5)
    assert lab.get(url, "ApproximateNumberOfMessages") == {"ApproximateNumberOfMessages": "0"}


@SNS.same("message_structure_json_exc")
def _(lab: Lab) -> None:
    lab.topic()
    given = {"TopicArn": TOPIC, "MessageStructure": "json"}
    for message, text in (
        ('{"sqs": "x"}', "No default entry in JSON message body"),
        ('{"default": "x"} }', "JSON message body failed to parse"),
        ('{"default": {"object": "x"}}', "No default entry in JSON message body"),
    ):
        is_refused(*invalid(f"Message Structure - {text}")[:2], lab.sns.publish, Message=message, **given)
    assert lab.sns.publish(Message='{"default": "one", "default": "two"}', **given)["MessageId"]


# ---- subscriptions ---------------------------------------------------------------------------------------------------


def fresh_subscription(arn: str, endpoint: str, **more: str) -> dict[str, str]:
    return {
        "ConfirmationWasAuthenticated": "true",
        "Endpoint": endpoint,
        "Owner": ACCOUNT,
        "PendingConfirmation": "false",
        "Protocol": "sqs",
        "RawMessageDelivery": "false",
        "SubscriptionArn": arn,
        "SubscriptionPrincipal": f"arn:aws:iam::{ACCOUNT}:user/administrator",
        "TopicArn": TOPIC,
        **more,
    }


@SNS.same(
    "sqs_topic_subscription_confirmation",
    "subscribe_attributes",
    "creating_subscription_with_attributes",
    "set_subscription_attributes",
)
def _(lab: Lab) -> None:
    url = lab.queue()
    arn = lab.subscribe(lab.topic(), url)
    assert lab.subscription(arn) == fresh_subscription(arn, lab.arn(url))
    lab.change(arn, RawMessageDelivery="true")
    assert lab.subscription(arn) == fresh_subscription(arn, lab.arn(url), RawMessageDelivery="true")
    url = lab.queue("raw")
    arn = lab.subscribe(TOPIC, url, RawMessageDelivery="true")
    assert lab.subscription(arn) == fresh_subscription(arn, lab.arn(url), RawMessageDelivery="true")


@SNS.same("create_subscriptions_with_attributes")
def _(lab: Lab) -> None:
    lab.topic()
    queue = lab.arn(lab.queue())
    more = {"FilterPolicyScope": "MessageBody", "FilterPolicy": ""}
    given = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": queue}
    text = "Attributes Reason: RawMessageDelivery: Invalid value [wrongvalue]. Must be true or false."
    wrong = {"RawMessageDelivery": "wrongvalue", **more}
    is_refused(*invalid(text)[:2], lab.sns.subscribe, Attributes=wrong, **given)
    arn = lab.sns.subscribe(Attributes={"RawMessageDelivery": "TrUe", **more}, **given)["SubscriptionArn"]
    assert lab.subscription(arn) == fresh_subscription(arn, queue, RawMessageDelivery="true")
    other = arn[:-8] + ("00000000" if not arn.endswith("00000000") else "11111111")
    is_refused(
        "NotFound", "Subscription does not exist", lab.sns.get_subscription_attributes, 404, SubscriptionArn=other
    )


@SNS.same(
    "not_found_error_on_set_subscription_attributes",
    "getting_subscriptions_by_topic",
    "unsubscribe_from_non_existing_subscription",
    "unsubscribe_idempotency",
)
def _(lab: Lab) -> None:
    url = lab.queue()
    arn = lab.subscribe(lab.topic(), url)
    entry = {"Endpoint": lab.arn(url), "Owner": ACCOUNT, "Protocol": "sqs", "SubscriptionArn": arn, "TopicArn": TOPIC}
    assert lab.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"] == [entry]
    for _ in range(2):
        assert set(lab.sns.unsubscribe(SubscriptionArn=arn)) == {"ResponseMetadata"}
    given = {"SubscriptionArn": arn, "AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
    is_refused("NotFound", "Subscription does not exist", lab.sns.set_subscription_attributes, 404, **given)
    assert lab.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"] == []


@SNS.same("get_subscription_attributes_error_not_exists")
def _(lab: Lab) -> None:
    arn = f"arn:aws:sns:{REGION}:000000000000:nonexistent"
    is_refused(*invalid("SubscriptionId")[:2], lab.sns.get_subscription_attributes, SubscriptionArn=arn)


@SNS.same("validate_set_sub_attributes")
def _(lab: Lab) -> None:
    arn = lab.subscribe(lab.topic(), lab.queue())
    parser = "failed to parse JSON. Unexpected character ('i' (code 105)): was expecting double-quote to start field"
    for name, value, text in (
        ("FakeAttribute", "test-value", "AttributeName"),
        ("RawMessageDelivery", "test-ValUe", "RawMessageDelivery: Invalid value [test-ValUe]. Must be true or false."),
        ("RawMessageDelivery", "", "RawMessageDelivery: Invalid value []. Must be true or false."),
        ("RedrivePolicy", '{"deadLetterTargetArn": "fake"}', "RedrivePolicy: deadLetterTargetArn is an invalid arn"),
        ("RedrivePolicy", "{invalidjson}", f"RedrivePolicy: {parser}"),
        ("FilterPolicy", "{invalidjson}", f"FilterPolicy: {parser}"),
    ):
        given = {"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value}
        error = refused(lab.sns.set_subscription_attributes, **given)
        assert error["Message"].startswith(f"Invalid parameter: {text}"), error


@SNS.same("subscribe_invalid_filter_policy")
def _(lab: Lab) -> None:
    given = {"TopicArn": lab.topic(), "Protocol": "email", "Endpoint": "a@example.com"}
    error = refused(lab.sns.subscribe, Attributes={"FilterPolicy": "invalid-json"}, **given)
    assert error["Message"].startswith(
        "Invalid parameter: Attributes Reason: FilterPolicy: failed to parse JSON. Unrecognized token 'invalid'"
    )


@SNS.same("list_subscriptions")
def _(lab: Lab) -> None:
    expected = []
    for topic in (lab.topic("one"), lab.topic("two")):
        for number in range(3):
            url = lab.queue(f"{topic[-3:]}-{number}")
            lab.subscribe(topic, url)
            expected.append((topic, lab.arn(url)))
    found = [(entry["TopicArn"], entry["Endpoint"]) for entry in lab.sns.list_subscriptions()["Subscriptions"]]
    assert sorted(found) == sorted(expected)


@SNS.same("list_subscriptions_by_topic_pagination", "subscription_paging")
def _(lab: Lab) -> None:
    lab.topic()
    for number in range(101):
        lab.sns.subscribe(TopicArn=TOPIC, Protocol="sms", Endpoint=f"+12312312{number}")
    first = lab.sns.list_subscriptions_by_topic(TopicArn=TOPIC)
    assert b64decode(first["NextToken"]) and len(first["Subscriptions"]) == 100
    second = lab.sns.list_subscriptions_by_topic(TopicArn=TOPIC, NextToken=first["NextToken"])
    (last,) = second["Subscriptions"]
    assert "NextToken" not in second and last not in first["Subscriptions"]
    assert last["Protocol"] == "sms" and last["Owner"] == ACCOUNT
    assert "NextToken" in lab.sns.list_subscriptions()
    topic = lab.topic("pending")
    for number in range(120):
        lab.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"user{number}@example.com")
    pages = [lab.sns.list_subscriptions_by_topic(TopicArn=topic)]
    pages.append(lab.sns.list_subscriptions_by_topic(TopicArn=topic, NextToken=pages[0]["NextToken"]))
    assert [len(page["Subscriptions"]) for page in pages] == [100, 20]
    assert all(entry["SubscriptionArn"] == "PendingConfirmation" for page in pages for entry in page["Subscriptions"])


@SNS.same("subscribe_idempotency")
def _(lab: Lab) -> None:
    lab.topic()
    given = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": lab.arn(lab.queue()), "ReturnSubscriptionArn": True}
    scope = {"FilterPolicyScope": "MessageAttributes"}
    arns = {
        lab.sns.subscribe(**given, **more)["SubscriptionArn"]
        for more in (
            {"Attributes": {"RawMessageDelivery": "True"}},
            {"Attributes": {"RawMessageDelivery": "true"}},
            {"Attributes": {"RawMessageDelivery": "true", **scope}},
            {},
            {"Attributes": {}},
            {"Attributes": scope},
        )
    }
    assert len(arns) == 1 and lab.subscription(arns.pop())["RawMessageDelivery"] == "true"
    other = {"RawMessageDelivery": "false", "FilterPolicyScope": "MessageBody"}
    text = "Attributes Reason: Subscription already exists with different attributes"
    is_refused(*invalid(text)[:2], lab.sns.subscribe, Attributes=other, **given)


@SNS.same("unsubscribe_wrong_arn_format")
def _(lab: Lab) -> None:
    from botocore.config import Config

    sns = lab.cloud.client("sns", config=Config(parameter_validation=False))
    elements = "SubscriptionArn Reason: An ARN must have at least 6 elements, not {}"
    for given, text in (
        ({"SubscriptionArn": "randomstring"}, elements.format(1)),
        ({"SubscriptionArn": "arn:aws:sns:us-east-1:random"}, elements.format(5)),
        ({"SubscriptionArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:random"}, "SubscriptionId"),
        ({}, "SubscriptionArn Reason: no value for required parameter"),
    ):
        is_refused(*invalid(text)[:2], sns.unsubscribe, **given)


@SNS.same("subscribe_with_invalid_topic", "subscribe_unknown_topic")
def _(lab: Lab) -> None:
    lab.topic()
    elements = "TopicArn Reason: An ARN must have at least 6 elements, not {}"
    for protocol, endpoint in (("email", "a@example.com"), ("sms", "+1234567890")):
        given = {"Protocol": protocol, "Endpoint": endpoint}
        for arn, count in (("randomstring", 1), ("arn:aws:sns:us-east-1:random", 5)):
            is_refused(*invalid(elements.format(count))[:2], lab.sns.subscribe, TopicArn=arn, **given)
        is_refused("NotFound", "Topic does not exist", lab.sns.subscribe, 404, TopicArn=TOPIC + "aaa", **given)


@SNS.same("subscribe_unknown_sqs_queue")
def _(lab: Lab) -> None:
    given = {"TopicArn": lab.topic(), "Protocol": "sqs"}
    arn = lab.sns.subscribe(Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:unknown", **given)["SubscriptionArn"]
    assert arn.startswith(TOPIC + ":")
    is_refused(*invalid("SQS endpoint ARN")[:2], lab.sns.subscribe, Endpoint="unknown", **given)


@SNS.same("creating_subscription", "http_subscription_response", "publish_no_confirm_subscription")
def _(lab: Lab) -> None:
    given = {"TopicArn": lab.topic(), "Protocol": "http", "Endpoint": "http://example.com/"}
    assert lab.sns.subscribe(**given)["SubscriptionArn"] == "pending confirmation"
    assert lab.sns.subscribe(**given, ReturnSubscriptionArn=True)["SubscriptionArn"].startswith(TOPIC + ":")
    topic = lab.topic("mail")
    lab.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    (entry,) = (entry for entry in lab.sns.list_subscriptions()["Subscriptions"] if entry["TopicArn"] == topic)
    assert entry["SubscriptionArn"] == "PendingConfirmation"


@SNS.same("unsubscribe_from_deleted_topic")
def _(lab: Lab) -> None:
    given = {"TopicArn": lab.topic(), "Protocol": "http", "Endpoint": "http://example.com/"}
    arn = lab.sns.subscribe(**given)["SubscriptionArn"]
    lab.sns.delete_topic(TopicArn=TOPIC)
    text = "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"
    is_refused(*invalid(text)[:2], lab.sns.unsubscribe, SubscriptionArn=arn)


# ---- rights ----------------------------------------------------------------------------------------------------------


@SNS.retold("create_topic_different_attrs")
def _(lab: Lab) -> None:
    lab.topic(DisplayName="one")
    text = "Attributes Reason: Topic already exists with different attributes"
    is_refused(*invalid(text)[:2], lab.sns.create_topic, Name="t", Attributes={"DisplayName": "two"})


def _statements(lab: Lab) -> dict[str, Any]:
    return {each["Sid"]: each for each in _attributes(lab, TOPIC)["Policy"]["Statement"]}


@SNS.retold("topic_add_permission", "topic_add_multiple_permissions", "topic_remove_permission")
def _(lab: Lab) -> None:
    given, (one, two) = {"TopicArn": lab.topic()}, ("111111111111", "222222222222")
    root = "arn:aws:iam::{}:root".format
    whole = {"Effect": "Allow", "Resource": TOPIC}
    lab.sns.add_permission(**given, Label="one", AWSAccountId=[one], ActionName=["Publish"])
    lab.sns.add_permission(**given, Label="two", AWSAccountId=[one, two], ActionName=["Publish", "Subscribe"])
    assert (found := _statements(lab))["one"] == {
        **whole,
        "Sid": "one",
        "Principal": {"AWS": root(one)},
        "Action": "SNS:Publish",
    }
    assert found["two"] == {
        **whole,
        "Sid": "two",
        "Principal": {"AWS": [root(one), root(two)]},
        "Action": ["SNS:Publish", "SNS:Subscribe"],
    }
    for label in ("one", "no such label"):
        lab.sns.remove_permission(**given, Label=label)
    assert set(_statements(lab)) == {"__default_statement_ID", "two"}


@SNS.retold("add_permission_errors", "remove_permission_errors")
def _(lab: Lab) -> None:
    given = {"TopicArn": lab.topic(), "Label": "one", "AWSAccountId": ["111111111111"], "ActionName": ["Publish"]}
    lab.sns.add_permission(**given)
    is_refused(*invalid("Statement already exists")[:2], lab.sns.add_permission, **given)
    wrong = {**given, "Label": "two", "ActionName": ["DeleteEverything"]}
    is_refused(*invalid("Policy statement action out of service scope!")[:2], lab.sns.add_permission, **wrong)
    missing = {**given, "TopicArn": TOPIC + "-no"}
    is_refused("NotFound", "Topic does not exist", lab.sns.add_permission, 404, **missing)
    named = {"TopicArn": TOPIC + "-no", "Label": "one"}
    is_refused("NotFound", "Topic does not exist", lab.sns.remove_permission, 404, **named)
