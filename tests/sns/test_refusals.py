"""What SNS refuses, and in which words. The marker says from where the text is known; more stands in `knowledge`."""

import json

import pytest
from aws_errors import case, guide, ours, recorded, reported
from knowledge import refusals
from lab import ACCOUNT, QUICK, document
from lab import Lab as Base

TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:orders"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:billing"
WEST = TOPIC.replace("us-east-1", "us-west-2")
HERE, FIFO = {"TopicArn": TOPIC}, {"TopicArn": TOPIC + ".fifo"}
SUBSCRIBE = {**HERE, "Protocol": "sqs", "Endpoint": QUEUE}
WEB = {**HERE, "Protocol": "https", "Endpoint": "https://example.com/sns-endpoint"}
APPLICATION = {
    "Name": "shop", "Platform": "GCM", "Attributes": {"PlatformCredential": "secret", "PlatformPrincipal": "who"},
}  # fmt: skip
GRANT = {**HERE, "Label": "friends", "AWSAccountId": ["444455556666"], "ActionName": ["Publish"]}
NO_TOPIC, NO_SUBSCRIPTION = (("NotFound", f"{what} does not exist", 404) for what in ("Topic", "Subscription"))
MALFORMED = "Message Reason: Invalid notification for protocol GCM: Notification is malformed"
SCOPE = "Policy statement action out of service scope!"
REDRIVE = "RedrivePolicy: deadLetterTargetArn is an invalid arn"
RAW = "RawMessageDelivery: Invalid value [{}]. Must be true or false."
SIX_KEYS = json.dumps({f"key_{n}": ["a"] for n in range(6)})
FIVE_AT_MOST = "FilterPolicy: Filter policy can not have more than 5 keys"
LETTERS = {"kind": {"DataType": "String", "StringValue": "gold"}}


def invalid(text="..."):
    return "InvalidParameter", f"Invalid parameter: {text}"


def topic_attribute(name, value, where=HERE):
    return {**where, "AttributeName": name, "AttributeValue": value}


def subscription_attribute(name, value):
    return {"AttributeName": name, "AttributeValue": value}


def subscribe(**attributes):
    return {**SUBSCRIBE, "Attributes": attributes}


def policy(*statements):
    whole = [{"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": TOPIC} | s for s in statements]
    return topic_attribute("Policy", document(*whole))


def batch(*ids, where=HERE, **more):
    return {**where, "PublishBatchRequestEntries": [{"Id": id, "Message": "x"} | more for id in ids]}


def lacking(name):
    """A batch whose second entry has no such parameter."""
    whole = batch("1", "2", where=FIFO, MessageGroupId="ann", MessageDeduplicationId="1")
    del whole["PublishBatchRequestEntries"][1][name]
    return whole


def west(lab):
    lab.cloud.client("sns", "us-west-2").create_topic(Name="orders")


def granted(lab):
    lab.sns.add_permission(**GRANT)


def tagged(lab):
    lab.sns.tag_resource(ResourceArn=TOPIC, Tags=[{"Key": "k2", "Value": "v2"}])


def subscribed(lab):
    return {"SubscriptionArn": lab.sns.subscribe(**SUBSCRIBE)["SubscriptionArn"]}


def filtered(lab):
    policy = json.dumps({"a": [1]})
    return {"SubscriptionArn": lab.sns.subscribe(**subscribe(FilterPolicy=policy))["SubscriptionArn"]}


def unsubscribed(lab):
    gone = subscribed(lab)
    for _ in range(2):
        lab.sns.unsubscribe(**gone)
    return gone


def pending(lab):
    lab.sns.subscribe(**WEB)
    lab.cloud.advance(1)
    return {"Token": json.loads(lab.cloud.service("sns").inbox(WEB["Endpoint"]).received[0].body)["Token"]}


def application(lab, platform="APNS"):
    made = lab.sns.create_platform_application(**APPLICATION | {"Platform": platform})
    return {"PlatformApplicationArn": made["PlatformApplicationArn"]}


def device(lab):
    made = lab.sns.create_platform_endpoint(**application(lab, "GCM"), Token="abc123")
    return {"TargetArn": made["EndpointArn"]}


CASES = [
    # ---- topics
    *(case(recorded, "create_topic", {"Name": name}, *invalid("Topic Name"))
      for name in ("", "a" * 257, *(f"name{char}" for char in ":;!@|^% "), "orders.fifo")),
    *(case(guide, "create_topic", {"Name": name, "Attributes": {"FifoTopic": "true"}}, *invalid("Topic Name"))
      for name in ("orders", "orders2", ".fifo", "with space.fifo")),
    *(case(ours, "create_topic", {"Name": "new", "Attributes": attributes}, *invalid())
      for attributes in ({"Nonsense": "1"}, {"DeliveryPolicy": "{"}, {"FifoTopic": "perhaps"})),
    case(recorded, "list_subscriptions_by_topic", {"TopicArn": TOPIC + "2"}, *NO_TOPIC),
    case(recorded, "subscribe", {**SUBSCRIBE, "TopicArn": TOPIC + "2"}, *NO_TOPIC),
    *(case(recorded, operation, {**more, "TopicArn": arn},
           *invalid(f"TopicArn Reason: An ARN must have at least 6 elements, not {parts}"))
      for operation, more in (("get_topic_attributes", {}), ("delete_topic", {}), ("subscribe", SUBSCRIBE),
                              ("publish", {"Message": "x"}))
      for arn, parts in (("orders", 1), ("", 1), ("arn:aws", 2), ("arn:aws:sns:us-east-1:1", 5))
      if operation != "publish" or parts == 5),
    *(case(recorded, operation, {**more, "TopicArn": WEST}, *invalid("TopicArn"), setup=west)
      for operation, more in (
          ("publish_batch", batch("1")), ("subscribe", SUBSCRIBE), ("get_topic_attributes", {}),
          ("set_topic_attributes", topic_attribute("DisplayName", "x")), ("list_subscriptions_by_topic", {}),
          ("delete_topic", {}))),
    *(case(recorded, "set_topic_attributes", topic_attribute(name, value), *invalid("AttributeName"))
      for name, value in (("FifoTopic", "false"), ("Nonsense", "1"), ("TopicArn", TOPIC))),
    case(ours, "set_topic_attributes", topic_attribute("FifoThroughputScope", "MessageGroup", FIFO),
         *invalid("AttributeName")),
    case(recorded, "tag_resource", {"ResourceArn": TOPIC, "Tags": [{"Key": "k", "Value": v} for v in "12"]},
         *invalid("Duplicated keys are not allowed.")),
    case(guide, "tag_resource", {"ResourceArn": TOPIC, "Tags": [{"Key": str(n), "Value": ""} for n in range(50)]},
         "TagLimitExceeded", setup=tagged),
    case(recorded, "list_tags_for_resource", {"ResourceArn": TOPIC + "2"}, "ResourceNotFound",
         "Resource does not exist", 404),
    # ---- permissions
    case(reported, "add_permission", GRANT, *invalid("Statement already exists"), setup=granted),
    case(reported, "add_permission", {**GRANT, "Label": "more", "ActionName": ["*"]}, *invalid(SCOPE)),
    *(case(reported, "set_topic_attributes", policy({"Principal": {"AWS": ACCOUNT}, "Action": ["SNS:Publish", action]}),
           *invalid(SCOPE))
      for action in ("sns:*", "*", "sns:CreateTopic", "sqs:SendMessage")),
    *(case(reported, "set_topic_attributes", policy(*statements), *invalid(text))
      for statements, text in (
          ([{}, {}], "Every policy statement must have a unique ID"),
          ([{"Sid": "a"}, {"Sid": "a"}], "Every policy statement must have a unique ID"),
          ([{"Resource": [TOPIC, TOPIC + "2"]}], "Policy statement must apply to a single resource!"))),
    case(ours, "set_topic_attributes", policy({"Effect": "Maybe", "Action": "sns:x"}),
         *invalid("Policy Error: Statement[0].Effect...")),
    # ---- subscribing
    *(case(mark, "subscribe", {**HERE, "Protocol": protocol, "Endpoint": endpoint}, "InvalidParameter", message)
      for mark, protocol, endpoint, message in (
          (recorded, "sqs", "arn:aws:lambda:us-east-1:123456789012:function:f",
           "Invalid parameter: SQS endpoint ARN"),
          (recorded, "sms", "NAA+15551234567", "Invalid SMS endpoint: NAA+15551234567"),
          (reported, "http", "https://example.com", "Invalid parameter: Endpoint must match the specified protocol"),
          (reported, "https", "example.com", "Invalid parameter: Endpoint must match the specified protocol"),
          (reported, "email", "not-an-address", "Invalid parameter: Email address"),
          (reported, "lambda", QUEUE, "Invalid parameter: Lambda endpoint ARN"))),
    case(ours, "subscribe", {**SUBSCRIBE, **FIFO}, *invalid("...FIFO...")),
    *(case(recorded, "subscribe", subscribe(**{name: value}), *invalid(f"Attributes Reason: {text}"))
      for name, value, text in (
          ("fake-attribute", "x", "AttributeName"), ("RawMessageDelivery", "test-ValUe", RAW.format("test-ValUe")),
          ("RawMessageDelivery", "", RAW.format("")), ("RedrivePolicy", '{"deadLetterTargetArn": "fake-arn"}', REDRIVE),
          ("FilterPolicyScope", "RandomValue", "FilterPolicyScope: Invalid value [RandomValue]. Please use either "
           "MessageBody or MessageAttributes"),
          ("FilterPolicy", SIX_KEYS, FIVE_AT_MOST))),
    *(case(ours, "subscribe", subscribe(**attributes), *invalid("Attributes Reason: ..."))
      for attributes in ({"FilterPolicy": "{"}, {"RawMessageDelivery": "perhaps"}, {"Nonsense": "1"},
                         {"RedrivePolicy": "{}"}, {"FilterPolicyScope": "Elsewhere"}, {"DeliveryPolicy": "{}"},
                         {"RawMessageDelivery": "true", "FilterPolicy": '{"a": 1}'})),
    *(case(ours, "subscribe", {**WEB, "Attributes": {"DeliveryPolicy": json.dumps(wrong)}}, *invalid(f"...{field}..."))
      for wrong, field in (
          ({"healthyRetryPolicy": {"numRetries": 101}},
           "healthyRetryPolicy.numRetries must be an integer from 0 to 100"),
          ({"healthyRetryPolicy": {"minDelayTarget": 30}},
           "minDelayTarget must be less than or equal to maxDelayTarget"),
          ({"healthyRetryPolicy": {"numNoDelayRetries": 4}}, "numRetries must be at least the retries of the other"),
          ({"healthyRetryPolicy": {"backoffFunction": "cubic"}}, "backoffFunction must be one of linear, arithmetic"),
          ({"healthyRetryPolicy": {"maxDelayTarget": 3601}}, "maxDelayTarget must be an integer from 1 to 3600"),
          ({"healthyRetryPolicy": {"maxDelayTarget": 3600, "minDelayTarget": 3600}}, "must not exceed 3600 seconds"),
          ({"healthyRetryPolicy": {"retries": 3}}, "unexpected field 'retries' in healthyRetryPolicy"),
          ({"throttlePolicy": {"maxReceivesPerSecond": 0}}, "maxReceivesPerSecond must be an integer from 1"),
          ({"healthyRetryPolicy": 3}, "healthyRetryPolicy must be a JSON object"),
          ([], "the policy must be a JSON object"))),
    *(case(mark, "set_subscription_attributes", subscription_attribute(name, value), *invalid(text), setup=filtered)
      for mark, name, value, text in (
          (recorded, "RedrivePolicy", "{invalidjson}", "RedrivePolicy: failed to parse JSON..."),
          (recorded, "FilterPolicy", SIX_KEYS, FIVE_AT_MOST),
          (ours, "FilterPolicy", '{"a": 1}', "FilterPolicy: ..."),
          *((guide, "RedrivePolicy", json.dumps({"deadLetterTargetArn": target}), "RedrivePolicy: ...")
            for target in ("arn:aws:sqs:eu-west-1:123456789012:dead", "arn:aws:sqs:us-east-1:444455556666:dead",
                           "arn:aws:sqs:us-east-1:123456789012:dead.fifo")))),
    case(recorded, "get_subscription_attributes", {}, *NO_SUBSCRIPTION, setup=unsubscribed),
    case(recorded, "get_subscription_attributes", {"SubscriptionArn": TOPIC}, *invalid("SubscriptionId")),
    case(recorded, "confirm_subscription", {"TopicArn": "orders", "Token": "51b2ff3e" * 12}, *invalid("Topic")),
    case(recorded, "confirm_subscription", {"TopicArn": WEST}, *invalid("Topic"), setup=pending),
    # ---- publishing; the rules for subjects: API, Publish
    *(case(recorded, "publish", {**HERE, "Message": "x", **more}, *invalid(text))
      for more, text in (
          *(({"Subject": wrong}, "Subject") for wrong in ("two\nlines", "x" * 101, " begins with a space", "Grüße")),
          ({"Message": "x" * 262_140, "MessageAttributes": LETTERS}, "Message too long"),
          ({"Message": "not json", "MessageStructure": "json"},
           "Message Structure - JSON message body failed to parse"))),
    *(case(reported, "publish", {"Message": "x", **target},
           *invalid("TopicArn or TargetArn Reason: no value for required parameter"))
      for target in ({}, {**HERE, "PhoneNumber": "+15555550100"})),
    *(case(recorded, "publish", {"PhoneNumber": number, "Message": "x"},
           *invalid(f"PhoneNumber Reason: {number} is not valid to publish to"))
      for number in ("+1a234", "NAA+15551234567", "0123", "")),
    case(recorded, "publish", {**HERE, "Message": "x", "MessageAttributes": {"attr1": {"DataType": "String"}}},
         "ParameterValueInvalid", "The message attribute 'attr1' must contain non-empty message attribute value for "
         "message attribute type 'String'."),
    *(case(recorded, "publish_batch", batch("1", MessageAttributes=row.given(None)["MessageAttributes"]), row.code,
           row.message)
      for row in refusals.TABLE if row.code == "ParameterValueInvalid"),
    case(recorded, "publish_batch", batch(*map(str, range(11))), "TooManyEntriesInBatchRequest",
         "The batch request contains more entries than permissible."),
    case(recorded, "publish_batch", batch("1", "1"), "BatchEntryIdsNotDistinct",
         "Two or more batch entries in the request have the same Id."),
    case(guide, "publish_batch", batch(), "EmptyBatchRequest", "The batch request doesn't contain any entries."),
    case(guide, "publish_batch", batch("a b"), "InvalidBatchEntryId",
         "The Id of a batch entry in a batch request doesn't abide by the specification."),
    case(recorded, "publish_batch", batch("1", Message="{}", MessageStructure="json"),
         *invalid("Message Structure - No default entry in JSON message body")),
    case(ours, "publish_batch",
         {**HERE, "PublishBatchRequestEntries": [{"Id": "1", "Message": "good"}, {"Id": "2", "Message": ""}]},
         *invalid("Empty message")),
    *(case(recorded, "publish_batch", lacking(name), *invalid())
      for name in ("MessageGroupId", "MessageDeduplicationId")),
    # ---- telephones and mobile push
    *(case(guide, "set_sms_attributes", {"attributes": bad}, "InvalidParameter")
      for bad in ({"Nonsense": "1"}, {"DefaultSenderID": "too long for one"}, {"DefaultSMSType": "Loud"})),
    *(case(reported, "publish", {"Message": json.dumps(message), "MessageStructure": "json"}, *invalid(text),
           setup=device)
      for message, text in (
          ({"GCM": "no json"}, MALFORMED), ({"GCM": "[1]"}, MALFORMED),
          ({"GCM": json.dumps({"data": "x" * 4096})}, "Message Reason: Invalid notification for protocol GCM: "
           "Notification data is larger than allowed limit"),
          ({"APNS": "{}"}, "Message Structure - JSON must contain an entry for 'default' or 'GCM'."))),
    *(case(ours, "create_platform_application", {**APPLICATION, **given}, *invalid(text))
      for given, text in (
          ({"Platform": "PIGEON"}, "Platform Reason: PIGEON is not supported"),
          ({"Name": "with space"},
           "with space Reason: must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'"),
          ({"Attributes": {"Enabled": "true"}},
           "Attributes Reason: PlatformCredential is required for the platform GCM"),
          ({"Attributes": APPLICATION["Attributes"] | {"Nonsense": "1"}},
           "Attributes Reason: Invalid attribute name: Nonsense"),
          ({"Attributes": APPLICATION["Attributes"] | {"Enabled": "maybe"}},
           "Enabled: Invalid value [maybe]. Must be true or false."))),
    case(reported, "create_platform_endpoint", {"Token": "not hexadecimal"},
         *invalid("Token Reason: iOS device tokens must be no more than 400 hexadecimal characters"),
         setup=application),
    case(reported, "create_platform_endpoint", {"Token": "ab", "CustomUserData": "x" * 2049}, *invalid(),
         setup=application),
]  # fmt: skip


class Lab(Base):
    def __init__(self):
        super().__init__("sns", assume=QUICK)
        self.sns.create_topic(Name="orders")
        self.sns.create_topic(Name="orders.fifo", Attributes={"FifoTopic": "true"})

    def left(self):
        sns, about = self.sns, []
        for each in sns.list_subscriptions()["Subscriptions"]:
            if ":" in (arn := each["SubscriptionArn"]):  # else it is pending
                about.append(sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"])
        for each in sns.list_platform_applications()["PlatformApplications"]:
            where = {"PlatformApplicationArn": each["PlatformApplicationArn"]}
            about.append(sns.list_endpoints_by_platform_application(**where)["Endpoints"])
        topics = sns.list_topics()["Topics"], sns.get_topic_attributes(**HERE)["Attributes"]
        return topics, about, [*self.cloud.service("sns").topic("orders").endpoints], self.rows("Published")


@pytest.fixture(scope="module")
def shared():
    return Lab()


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_in_the_words_of_aws(shared, case):
    lab = Lab() if case.setup else shared
    lab.cloud.advance(1)
    case.check(lab.sns, lab, lab.left)
