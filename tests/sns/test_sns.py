"""SNS: how topics, subscriptions and deliveries behave: their specification. All through boto3, in strict mode."""

import json
from itertools import pairwise

import pytest
from aws_errors import code_and_message as refused
from lab import ACCOUNT, OTHER
from lab import Lab as Base

from lablib.aws.service import NotSimulated
from lablib.cloud import Cloud
from lablib.gateway import Fault
from lablib.services.sns.retries import backoff, retry_delays

pytestmark = pytest.mark.ours  # where a test names no source

EVEN = {"sns.retry_jitter": 0}
URL = "https://example.com/orders"
PHONE = "+15555550100"


class Lab(Base):
    """A cloud with a topic, and the calls the tests are made of."""

    def __init__(self, seed=1, limits="2023", assume=EVEN, topic="orders", **attributes):
        super().__init__("sns", "sqs", seed=seed, limits=limits, assume={"sqs.outages_per_hour": 0} | assume)
        self.service = self.cloud.service("sns")
        self.name = topic
        self.topic = self.sns.create_topic(Name=topic, Attributes=attributes)["TopicArn"]

    def queue(self, name, allowed=True, region="us-east-1", account=ACCOUNT, sqs=None, **attributes):
        """A queue that lets the topic in, and its ARN."""
        sqs = sqs or self.cloud.client("sqs", region, account=account)
        arn = f"arn:aws:sqs:{region}:{account}:{name}"
        if allowed:
            attributes["Policy"] = json.dumps(policy(arn, self.topic))
        self.create(name, sqs, **attributes)
        return arn

    def subscribe(self, endpoint, protocol="sqs", topic=None, sns=None, **attributes):
        sns = sns or self.sns
        answer = sns.subscribe(
            TopicArn=topic or self.topic,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes={name: v if isinstance(v, str) else json.dumps(v) for name, v in attributes.items()},
            ReturnSubscriptionArn=True,
        )
        return answer["SubscriptionArn"]

    def subscribed_queue(self, name, allowed=True, **attributes):
        self.subscribe(self.queue(name, allowed), **attributes)
        return name

    def confirmed(self, endpoint=URL, protocol="https", **attributes):
        """An endpoint outside that has confirmed, and its inbox."""
        arn = self.subscribe(endpoint, protocol, **attributes)
        self.cloud.advance(2)
        inbox = self.service.inbox(endpoint)
        self.service.open_link(link(inbox.received.pop()))
        return arn, inbox

    def publish(self, message="hello", **more):
        return self.sns.publish(**{"TopicArn": self.topic, "Message": message} | more)["MessageId"]

    def received(self, name, region="us-east-1", account=ACCOUNT, raw=False):
        """All that is in a queue."""
        sqs = self.cloud.client("sqs", region, account=account)
        found = self.drain(name, sqs, MessageAttributeNames=["All"], AttributeNames=["All"])
        return found if raw else [message["Body"] for message in found]

    def texts(self, name, **where):
        return [json.loads(body)["Message"] for body in self.received(name, **where)]

    def kinds(self, message_id):
        return [row.kind for row in self.rows(subject=message_id)]

    def attempts(self, message_id):
        return [row.time for row in self.rows("DeliveryFailed", "Delivered", subject=message_id)]


def policy(queue, topic):
    """What a queue says so that one topic may send to it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def link(arrival):
    """The SubscribeURL in what came to an endpoint."""
    if arrival.headers.get("x-amz-sns-message-type") or arrival.body.startswith("{"):
        return json.loads(arrival.body)["SubscribeURL"]
    return arrival.body.rpartition("\n")[2]


@pytest.fixture
def lab():
    return Lab()


# ---- fan-out ---------------------------------------------------------------------------------------------------------


def test_every_queue_gets_every_message(lab):
    names = [lab.subscribed_queue(name) for name in ("billing", "stock", "mail")]
    for n in range(5):
        lab.publish(str(n))
    lab.cloud.advance(5)
    for name in names:
        assert sorted(lab.texts(name)) == list("01234")


def test_publish_answers_before_anything_is_delivered(lab):
    lab.subscribed_queue("billing")
    id = lab.publish()
    (publish,) = lab.rows("Publish")
    lab.cloud.advance(1)
    (delivered,) = lab.rows("Delivered", subject=id)
    assert publish.until < delivered.time < publish.until + 0.5


def test_the_row_of_a_delivery_leads_to_the_publisher_and_to_the_message_in_the_queue(lab):
    lab.subscribed_queue("billing")
    id = lab.publish()
    lab.cloud.advance(1)
    (delivered,) = lab.rows("Delivered", subject=id)
    assert [row.kind for row in lab.cloud.trace.chain(delivered.index)] == [
        "Publish",
        "Published",
        "DeliveryStarted",
        "Delivered",
    ]
    assert (delivered.resource, delivered.actor) == ("orders", "billing")
    (sent,) = lab.rows("Sent", resource="billing")
    assert (sent.actor, sent.subject) == ("sns/orders", delivered.detail["as"])
    assert [row.kind for row in lab.cloud.trace.chain(sent.index)][2:] == ["DeliveryStarted", "SendMessage", "Sent"]
    assert lab.cloud.trace.ancestors(sent.subject) == [sent.subject, f"{id} to billing", id]


def test_a_topic_without_subscribers_keeps_nothing(lab):
    lab.publish("early")
    lab.cloud.advance(10)
    lab.subscribed_queue("billing")
    lab.publish("late")
    lab.cloud.advance(10)
    assert lab.texts("billing") == ["late"]


def test_one_slow_or_broken_subscriber_does_not_hold_up_the_others(lab):
    lab.subscribed_queue("billing")
    _, inbox = lab.confirmed()
    inbox.fail(500)
    id = lab.publish()
    lab.cloud.advance(1)
    assert [row.actor for row in lab.rows("Delivered", subject=id)] == ["billing"]


def test_deliveries_have_a_latency_of_their_own_each(lab):
    for name in ("a", "b", "c"):
        lab.subscribed_queue(name)
    id = lab.publish()
    lab.cloud.advance(1)
    assert len({row.time for row in lab.rows("Delivered", subject=id)}) == 3


def test_one_more_subscription_changes_no_other_delivery():
    def times(names):
        lab = Lab()
        for name in names:
            lab.queue(name)
        for name in names:
            lab.subscribe(f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
        lab.cloud.kernel.run(10)
        start = lab.cloud.now
        lab.publish()
        lab.cloud.advance(1)
        return {row.actor: round(row.time - start, 9) for row in lab.rows("Delivered")}

    few, more = times("ab"), times("abc")
    published = 0.01  # the publisher's own latency may differ
    assert abs((more["a"] - few["a"]) - (more["b"] - few["b"])) < 1e-9
    assert abs(more["a"] - few["a"]) < published


def test_the_same_seed_gives_the_same_trace():
    def digest(seed):
        lab = Lab(seed, assume={})
        lab.subscribed_queue("billing")
        _, inbox = lab.confirmed()
        inbox.fail(500, seconds=30)
        for n in range(5):
            lab.publish(str(n))
        lab.cloud.advance(300)
        return lab.cloud.trace.digest()

    assert digest(3) == digest(3) != digest(4)


def test_a_message_tells_its_life(lab):
    lab.subscribed_queue("billing", FilterPolicy={"kind": ["gold"]})
    lab.subscribed_queue("stock")
    lab.subscribed_queue("locked", allowed=False)
    id = lab.publish()
    lab.cloud.advance(1)
    text = lab.cloud.explain(id)
    assert "published to orders by you, 5 bytes" in text
    assert "not for billing: the filter policy" in text
    assert "delivered to stock (sqs), where it is message" in text
    assert "attempt 1 to deliver it to locked failed: AccessDenied; SNS tries no more" in text
    assert "lost for locked: there is no dead-letter queue" in text


# ---- the missing policy ----------------------------------------------------------------------------------------------


def test_without_a_policy_on_the_queue_nothing_arrives_and_the_publisher_hears_nothing(lab):
    lab.subscribed_queue("locked", allowed=False)
    id = lab.publish()
    lab.cloud.advance(10)
    assert lab.received("locked") == []
    assert lab.kinds(id) == ["Published", "DeliveryFailed", "DeliveryDropped"]
    assert lab.service.metrics("orders")["NumberOfNotificationsFailed"] == 1


def test_a_policy_for_another_topic_lets_this_one_not_in(lab):
    arn = lab.queue("billing", allowed=False)
    url = lab.sqs.get_queue_url(QueueName="billing")["QueueUrl"]
    text = json.dumps(policy(arn, lab.topic + "2"))
    lab.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})
    lab.subscribe(arn)
    lab.publish()
    lab.cloud.advance(10)
    assert lab.received("billing") == []


def test_a_policy_that_comes_later_helps_later_messages_only(lab):
    arn = lab.queue("billing", allowed=False)
    lab.subscribe(arn)
    lab.publish("early")
    lab.cloud.advance(10)
    url = lab.sqs.get_queue_url(QueueName="billing")["QueueUrl"]
    lab.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy(arn, lab.topic))})
    lab.publish("late")
    lab.cloud.advance(10)
    assert lab.texts("billing") == ["late"]


# ---- retries ---------------------------------------------------------------------------------------------------------


def gaps(times):
    return [round(b - a, 6) for a, b in pairwise(times)]


def test_the_phases_for_queues_and_functions():
    """Three at once, two a second apart, ten with backoff from 1 to 20 s, then 100,000 each 20 s: 23 days."""
    delays = list(retry_delays("sqs", None))
    assert delays[:5] == [0, 0, 0, 1, 1]
    assert delays[5:15] == [1, 2, 4, 8, 16, 20, 20, 20, 20, 20]
    assert len(delays) == 100_015 and delays == list(retry_delays("lambda", None))
    assert 23 < sum(delays) / 86_400 < 24


@pytest.mark.parametrize("protocol", ["email", "email-json", "sms", "application"])
def test_the_phases_for_mail_telephones_and_apps(protocol):
    """Two 10 s apart, ten with backoff from 10 to 600 s, 38 each 600 s: 50 over six hours."""
    delays = list(retry_delays(protocol, None))
    assert delays[:2] == [10, 10] and delays[2] == 10 and delays[11:] == [600] * 39
    assert len(delays) == 50 and 6 < sum(delays) / 3600 < 8


@pytest.mark.parametrize("function", ["linear", "arithmetic", "geometric", "exponential"])
def test_a_backoff_grows_from_the_shortest_to_the_longest_delay(function):
    delays = backoff(function, 5, 60, 6)
    assert delays[0] == 5 and delays[-1] == 60 and delays == sorted(delays)
    assert backoff(function, 7, 7, 1) == [7] and backoff(function, 7, 9, 0) == []


def test_a_throttled_send_is_tried_again_in_the_phases_of_a_queue(lab):
    lab.subscribed_queue("billing")
    lab.cloud.faults.add(Fault("throttle", ("SendMessage",), callers="sns/*", count=9))
    id = lab.publish()
    lab.cloud.advance(60)
    assert gaps(lab.attempts(id)) == [0, 0, 0, 1, 1, 1, 2, 4, 8]
    (delivered,) = lab.rows("Delivered", subject=id)
    assert delivered.detail["attempt"] == 10
    assert [row.kind for row in lab.cloud.trace.chain(delivered.index)] == (
        ["Publish", "Published", "DeliveryStarted"] + ["DeliveryFailed"] * 9 + ["Delivered"]
    )


def test_a_queue_that_is_down_is_tried_until_it_is_back(lab):
    lab.subscribed_queue("billing")
    queue = lab.cloud.service("sqs").queue("billing")
    for server in range(1, 9):
        queue.make_unavailable(server, 30)
    id = lab.publish("patience")
    lab.cloud.advance(60)
    assert {row.detail["reason"] for row in lab.rows("DeliveryFailed", subject=id)} == {"ServiceUnavailable"}
    assert lab.texts("billing") == ["patience"]


def test_each_failed_attempt_says_when_the_next_one_is(lab):
    lab.subscribed_queue("billing")
    lab.cloud.faults.add(Fault("throttle", ("SendMessage",), callers="sns/*", count=6))
    id = lab.publish()
    lab.cloud.advance(60)
    failed = lab.rows("DeliveryFailed", subject=id)
    times = lab.attempts(id)
    assert [row.until for row in failed] == times[1:]


def test_jitter_moves_every_delay_a_little():
    lab = Lab(assume={"sns.retry_jitter": 0.1})
    lab.subscribed_queue("billing")
    lab.cloud.faults.add(Fault("throttle", ("SendMessage",), callers="sns/*", count=12))
    id = lab.publish()
    lab.cloud.advance(120)
    delays = gaps(lab.attempts(id))[3:]
    for delay, plain in zip(delays, [1, 1, 1, 2, 4, 8, 16, 20, 20]):
        assert 0.9 * plain <= delay <= 1.1 * plain
    assert delays[0] != 1


def test_a_lost_answer_makes_a_second_copy(lab):
    """SNS cannot know that the queue took it: at least once."""
    lab.subscribed_queue("billing")
    lab.cloud.faults.add(Fault("lost_answer", ("SendMessage",), callers="sns/*", count=1))
    lab.publish("once")
    lab.cloud.advance(10)
    assert lab.texts("billing") == ["once", "once"]


def test_a_lost_request_is_sent_again(lab):
    lab.subscribed_queue("billing")
    lab.cloud.faults.add(Fault("lost_request", ("SendMessage",), callers="sns/*", count=2))
    lab.publish("once")
    lab.cloud.advance(10)
    assert lab.texts("billing") == ["once"]


def test_a_queue_that_is_gone_is_the_clients_mistake_and_not_tried_again(lab):
    lab.subscribed_queue("billing")
    lab.sqs.delete_queue(QueueUrl=lab.sqs.get_queue_url(QueueName="billing")["QueueUrl"])
    id = lab.publish()
    lab.cloud.advance(3600)
    assert lab.kinds(id) == ["Published", "DeliveryFailed", "DeliveryDropped"]


def test_a_failed_delivery_does_not_change_the_subscription(lab):
    arn = lab.subscribe(lab.queue("billing", allowed=False))
    before = lab.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    lab.publish()
    lab.cloud.advance(10)
    assert lab.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"] == before


# ---- dead-letter queues ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", ["true", "false"])
def test_what_cannot_be_delivered_is_in_the_dead_letter_queue_in_its_own_form(lab, raw):
    grave = lab.queue("dead")
    redrive = {"deadLetterTargetArn": grave}
    lab.subscribe(lab.queue("billing", allowed=False), RedrivePolicy=redrive, RawMessageDelivery=raw)
    attributes = {"kind": {"DataType": "String", "StringValue": "gold"}}
    id = lab.publish("precious", MessageAttributes=attributes)
    lab.cloud.advance(10)
    (message,) = lab.received("dead", raw=True)
    if raw == "true":
        assert message["Body"] == "precious" and message["MessageAttributes"]["kind"]["StringValue"] == "gold"
    else:
        assert json.loads(message["Body"])["Message"] == "precious" and "MessageAttributes" not in message
    assert lab.kinds(id) == ["Published", "DeliveryFailed", "SentToDeadLetterQueue"]
    (moved,) = lab.rows("SentToDeadLetterQueue")
    assert (moved.resource, moved.actor, moved.detail) == ("orders", "billing", "dead")
    assert "what billing did not take is in the dead-letter queue dead" in lab.cloud.explain(id)


def test_a_dead_letter_queue_has_a_policy_too(lab):
    redrive = {"deadLetterTargetArn": lab.queue("dead", allowed=False)}
    lab.subscribe(lab.queue("billing", allowed=False), RedrivePolicy=redrive)
    id = lab.publish()
    lab.cloud.advance(10)
    (dropped,) = lab.rows("DeliveryDropped", subject=id)
    assert dropped.detail == "the dead-letter queue dead failed: AccessDenied"
    metrics = lab.service.metrics("orders")
    assert metrics["NumberOfNotificationsFailedToRedriveToDlq"] == 1
    assert metrics["NumberOfNotificationsRedrivenToDlq"] == 0


def test_a_web_server_that_is_down_for_good_fills_the_dead_letter_queue(lab):
    _, inbox = lab.confirmed(RedrivePolicy={"deadLetterTargetArn": lab.queue("dead")})
    inbox.fail(503)
    lab.publish("precious")
    lab.cloud.advance(70)
    assert json.loads(lab.received("dead")[0])["Message"] == "precious"


# ---- outside endpoints -----------------------------------------------------------------------------------------------


def test_a_web_server_is_tried_four_times_twenty_seconds_apart(lab):
    _, inbox = lab.confirmed()
    inbox.fail(500)
    id = lab.publish()
    lab.cloud.advance(3600)
    assert gaps(lab.attempts(id)) == [20, 20, 20]
    assert len(inbox.refused) == 4 and inbox.received == []
    assert lab.service.metrics("orders")["NumberOfNotificationsFailed"] == 4


def test_a_web_server_that_comes_back_gets_the_message(lab):
    _, inbox = lab.confirmed()
    inbox.fail(500, seconds=30)
    id = lab.publish("patience")
    lab.cloud.advance(60)
    (arrival,) = inbox.received
    assert json.loads(arrival.body)["Message"] == "patience"
    assert arrival.headers["x-amz-sns-message-id"] == id
    assert len(inbox.refused) == 2


def test_an_outage_can_be_planned(lab):
    _, inbox = lab.confirmed()
    inbox.fail(500, seconds=10, start=lab.cloud.now + 100)
    lab.publish()
    lab.cloud.advance(101)
    lab.publish()
    lab.cloud.advance(60)
    assert len(inbox.received) == 2 and len(inbox.refused) == 1


def test_a_web_servers_refusal_is_final(lab):
    """A status from 400 to 499 is the client's mistake."""
    _, inbox = lab.confirmed()
    inbox.fail(403)
    id = lab.publish()
    lab.cloud.advance(3600)
    assert lab.kinds(id) == ["Published", "DeliveryFailed", "DeliveryDropped"]


def test_a_slow_web_server_times_out_after_15_seconds_and_gets_the_message_again(lab):
    _, inbox = lab.confirmed()
    inbox.slow(16)
    id = lab.publish()
    lab.cloud.advance(3600)
    assert gaps(lab.attempts(id)) == [35, 35, 35]
    assert len(inbox.received) == 4
    assert {row.detail["reason"] for row in lab.rows("DeliveryFailed")} == {"Timeout"}


def test_a_web_server_that_needs_ten_seconds_is_just_slow(lab):
    _, inbox = lab.confirmed()
    inbox.slow(10)
    id = lab.publish()
    lab.cloud.advance(60)
    (delivered,) = lab.rows("Delivered", subject=id)
    assert delivered.time == pytest.approx(inbox.received[0].time + 10)
    inbox.ok()
    lab.publish()
    lab.cloud.advance(1)
    assert len(inbox.received) == 2


@pytest.mark.parametrize(("status", "problem"), [(200, "status"), (600, "status")])
def test_an_inbox_refuses_what_makes_no_sense(lab, status, problem):
    with pytest.raises(ValueError, match=problem):
        lab.service.inbox(URL).fail(status)
    with pytest.raises(ValueError, match="seconds"):
        lab.service.inbox(URL).slow(-1)


def test_a_delivery_policy_of_the_subscription_decides(lab):
    retries = {"minDelayTarget": 1, "maxDelayTarget": 9, "numRetries": 8, "numNoDelayRetries": 2}
    retries |= {"numMinDelayRetries": 1, "numMaxDelayRetries": 2, "backoffFunction": "linear"}
    _, inbox = lab.confirmed(DeliveryPolicy={"healthyRetryPolicy": retries})
    inbox.fail(500)
    id = lab.publish()
    lab.cloud.advance(3600)
    assert gaps(lab.attempts(id)) == [0, 0, 1, 1, 5, 9, 9, 9]


def test_a_delivery_policy_of_the_topic_holds_where_the_subscription_says_nothing(lab):
    http = {"defaultHealthyRetryPolicy": {"minDelayTarget": 2, "maxDelayTarget": 2, "numRetries": 1}}
    lab.sns.set_topic_attributes(
        TopicArn=lab.topic, AttributeName="DeliveryPolicy", AttributeValue=json.dumps({"http": http})
    )
    _, inbox = lab.confirmed()
    inbox.fail(500)
    id = lab.publish()
    lab.cloud.advance(3600)
    assert gaps(lab.attempts(id)) == [2]


def test_a_topic_can_forbid_its_subscriptions_policies_of_their_own(lab):
    own = {"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 9}}
    arn, _ = lab.confirmed(DeliveryPolicy=own)
    text = json.dumps({"http": {"disableSubscriptionOverrides": True}})
    lab.sns.set_topic_attributes(TopicArn=lab.topic, AttributeName="DeliveryPolicy", AttributeValue=text)
    attributes = lab.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert json.loads(attributes["EffectiveDeliveryPolicy"])["healthyRetryPolicy"]["numRetries"] == 3


def test_a_limit_on_deliveries_a_second_builds_a_backlog(lab):
    _, inbox = lab.confirmed(DeliveryPolicy={"throttlePolicy": {"maxReceivesPerSecond": 2}})
    for n in range(10):
        lab.publish(str(n))
    lab.cloud.advance(60)
    times = [arrival.time for arrival in inbox.received]
    assert all(gap == pytest.approx(0.5) for gap in gaps(times)) and len(times) == 10


def test_mail_goes_out_at_ten_a_second(lab):
    _, inbox = lab.confirmed("ann@example.com", "email")
    for _ in range(25):
        lab.publish()
    lab.cloud.advance(60)
    times = [arrival.time for arrival in inbox.received]
    assert len(times) == 25 and min(gaps(times)) >= 0.0999 and times[-1] - times[0] == pytest.approx(2.4, abs=0.2)


def test_a_mail_has_a_subject_and_a_sender(lab):
    lab.sns.set_topic_attributes(TopicArn=lab.topic, AttributeName="DisplayName", AttributeValue="Shop")
    _, inbox = lab.confirmed("ann@example.com", "email")
    lab.publish("Your order is on its way", Subject="Order 7")
    lab.cloud.advance(1)
    (mail,) = inbox.received
    assert mail.headers["Subject"] == "Order 7" and mail.headers["From"].startswith("Shop ")
    assert mail.body.startswith("Your order is on its way\n")


def test_email_json_brings_the_envelope(lab):
    _, inbox = lab.confirmed("ann@example.com", "email-json")
    lab.publish("structured")
    lab.cloud.advance(1)
    assert json.loads(inbox.received[0].body)["Message"] == "structured"


# ---- confirmation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [("http", "http://example.com/x"), ("https", URL), ("email", "ann@example.com"), ("email-json", "ann@example.com")],
)
def test_who_did_not_ask_must_confirm(lab, protocol, endpoint):
    answer = lab.sns.subscribe(TopicArn=lab.topic, Protocol=protocol, Endpoint=endpoint)
    assert answer["SubscriptionArn"] == "pending confirmation"
    lab.publish("too early")
    lab.cloud.advance(5)
    inbox = lab.service.inbox(endpoint)
    assert len(inbox.received) == 1
    (entry,) = lab.sns.list_subscriptions()["Subscriptions"]
    assert entry["SubscriptionArn"] == "PendingConfirmation"
    arn = lab.service.open_link(link(inbox.received[0]))["SubscriptionArn"]
    assert lab.sns.list_subscriptions()["Subscriptions"][0]["SubscriptionArn"] == arn
    lab.publish("now")
    lab.cloud.advance(5)
    assert len(inbox.received) == 2 and "now" in inbox.received[1].body


@pytest.mark.parametrize(("protocol", "endpoint"), [("sms", PHONE), ("sqs", f"arn:aws:sqs:us-east-1:{ACCOUNT}:q")])
def test_telephones_and_own_queues_need_not_confirm(lab, protocol, endpoint):
    answer = lab.sns.subscribe(TopicArn=lab.topic, Protocol=protocol, Endpoint=endpoint)
    attributes = lab.sns.get_subscription_attributes(SubscriptionArn=answer["SubscriptionArn"])["Attributes"]
    assert (attributes["PendingConfirmation"], attributes["ConfirmationWasAuthenticated"]) == ("false", "true")


def test_a_token_can_be_used_in_a_call(lab):
    lab.subscribe(URL, "https")
    lab.cloud.advance(1)
    token = json.loads(lab.service.inbox(URL).received[0].body)["Token"]
    answer = lab.sns.confirm_subscription(TopicArn=lab.topic, Token=token, AuthenticateOnUnsubscribe="true")
    again = lab.sns.confirm_subscription(TopicArn=lab.topic, Token=token)
    assert answer["SubscriptionArn"] == again["SubscriptionArn"]
    assert lab.rows("SubscriptionConfirmed")[0].detail == URL
    attributes = lab.sns.get_subscription_attributes(SubscriptionArn=answer["SubscriptionArn"])["Attributes"]
    assert attributes["ConfirmationWasAuthenticated"] == "true"


def test_a_token_lives_two_days(lab):
    lab.subscribe(URL, "https")
    lab.cloud.advance(1)
    url = link(lab.service.inbox(URL).received[0])
    lab.cloud.advance(172_800)
    assert lab.sns.list_subscriptions()["Subscriptions"] == []
    token = url.rpartition("=")[2]
    assert refused(lab.sns.confirm_subscription, TopicArn=lab.topic, Token=token)[1] == "Invalid parameter: Token"


def test_to_subscribe_once_more_sends_a_new_token(lab):
    first, second = lab.subscribe(URL, "https"), lab.subscribe(URL, "https")
    assert first == second
    lab.cloud.advance(1)
    one, two = (json.loads(arrival.body)["Token"] for arrival in lab.service.inbox(URL).received)
    assert one != two
    assert refused(lab.sns.confirm_subscription, TopicArn=lab.topic, Token=one)[1] == "Invalid parameter: Token"
    assert lab.sns.confirm_subscription(TopicArn=lab.topic, Token=two)["SubscriptionArn"] == first


def test_the_request_to_confirm_is_tried_again_like_any_message(lab):
    lab.service.inbox(URL).fail(500, seconds=15)
    lab.subscribe(URL, "https")
    lab.cloud.advance(30)
    assert len(lab.service.inbox(URL).received) == 1


def test_a_request_to_confirm_counts_in_no_metric(lab):
    lab.confirmed()
    assert not any(lab.service.metrics("orders").values())


def test_a_pending_subscription_can_be_configured_but_not_removed(lab):
    arn = lab.subscribe(URL, "https")
    lab.sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true")
    assert refused(lab.sns.unsubscribe, SubscriptionArn=arn)[0] == "InvalidParameter"


# ---- leaving ---------------------------------------------------------------------------------------------------------


def test_after_unsubscribing_nothing_comes(lab):
    arn = lab.subscribe(lab.queue("billing"))
    lab.publish("before")
    lab.cloud.advance(5)
    lab.sns.unsubscribe(SubscriptionArn=arn)
    lab.publish("after")
    lab.cloud.advance(5)
    assert lab.texts("billing") == ["before"]
    assert lab.sns.get_topic_attributes(TopicArn=lab.topic)["Attributes"]["SubscriptionsDeleted"] == "1"


def test_a_delivery_that_waits_for_a_retry_ends_with_its_subscription(lab):
    arn, inbox = lab.confirmed()
    inbox.fail(500)
    id = lab.publish()
    lab.cloud.advance(5)
    lab.sns.unsubscribe(SubscriptionArn=arn)
    lab.cloud.advance(60)
    assert lab.rows("DeliveryDropped", subject=id)[0].detail == "the subscription was deleted"
    assert len(inbox.refused) == 1


def test_the_link_to_unsubscribe_works_and_can_be_taken_back(lab):
    _, inbox = lab.confirmed()
    lab.publish()
    lab.cloud.advance(1)
    lab.service.open_link(json.loads(inbox.received[0].body)["UnsubscribeURL"])
    lab.cloud.advance(1)
    farewell = json.loads(inbox.received[1].body)
    assert farewell["Type"] == "UnsubscribeConfirmation"
    assert farewell["Message"].startswith("You have chosen to deactivate subscription arn:aws:sns:")
    assert lab.sns.list_subscriptions()["Subscriptions"] == []
    lab.service.open_link(farewell["SubscribeURL"])
    lab.publish("back again")
    lab.cloud.advance(1)
    assert json.loads(inbox.received[2].body)["Message"] == "back again"


def test_who_subscribed_again_meanwhile_has_one_subscription(lab):
    _, inbox = lab.confirmed()
    lab.publish()
    lab.cloud.advance(1)
    lab.service.open_link(json.loads(inbox.received[0].body)["UnsubscribeURL"])
    lab.cloud.advance(1)
    farewell = json.loads(inbox.received[1].body)
    new = lab.subscribe(URL, "https")
    assert lab.service.open_link(farewell["SubscribeURL"])["SubscriptionArn"] == new
    assert len(lab.sns.list_subscriptions()["Subscriptions"]) == 1


def test_the_link_does_not_work_where_the_owner_must_be_known(lab):
    arn = lab.subscribe(lab.queue("billing"))
    from lablib.aws.service import ServiceError

    with pytest.raises(ServiceError, match="owner"):
        lab.service.open_link(f"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={arn}")
    assert len(lab.sns.list_subscriptions()["Subscriptions"]) == 1


def test_only_links_of_sns_can_be_visited(lab):
    with pytest.raises(ValueError, match="SubscribeURL"):
        lab.service.open_link("https://example.com/?Action=DeleteTopic")


def test_a_deleted_topic_takes_its_subscriptions_along(lab):
    lab.subscribed_queue("billing")
    lab.publish("gone")
    lab.sns.delete_topic(TopicArn=lab.topic)
    lab.cloud.advance(5)
    assert lab.received("billing") == []
    assert lab.sns.list_subscriptions()["Subscriptions"] == [] == lab.sns.list_topics()["Topics"]


# ---- forms -----------------------------------------------------------------------------------------------------------


def test_raw_delivery_brings_the_body_and_the_attributes(lab):
    lab.subscribed_queue("billing", RawMessageDelivery="true")
    attributes = {
        "kind": {"DataType": "String", "StringValue": "gold"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\2\3"},
    }
    lab.publish("plain", MessageAttributes=attributes)
    lab.cloud.advance(1)
    (message,) = lab.received("billing", raw=True)
    assert message["Body"] == "plain" and message["MessageAttributes"] == attributes


@pytest.mark.guide
def test_raw_delivery_with_more_than_ten_attributes_is_dropped(lab):
    """SNS developer guide, "Amazon SNS raw message delivery": a client-side error."""
    lab.subscribed_queue("raw", RawMessageDelivery="true")
    lab.subscribed_queue("json")
    many = {f"a{n}": {"DataType": "String", "StringValue": "x"} for n in range(11)}
    id = lab.publish(MessageAttributes=many)
    lab.cloud.advance(5)
    assert [row.actor for row in lab.rows("Delivered", subject=id)] == ["json"]
    assert [row.actor for row in lab.rows("DeliveryDropped", subject=id)] == ["raw"]


def test_each_protocol_can_have_a_text_of_its_own(lab):
    lab.subscribed_queue("billing")
    lab.subscribe(PHONE, "sms")
    texts = json.dumps({"default": "for all", "sms": "short", "ignored": 7})
    lab.publish(texts, MessageStructure="json")
    lab.cloud.advance(5)
    assert lab.texts("billing") == ["for all"]
    assert [arrival.body for arrival in lab.service.inbox(PHONE).received] == ["short"]


def test_a_text_message_from_a_topic_says_who_sends_it(lab):
    lab.sns.set_topic_attributes(TopicArn=lab.topic, AttributeName="DisplayName", AttributeValue="Shop")
    lab.subscribe(PHONE, "sms")
    lab.publish("on its way")
    lab.cloud.advance(1)
    assert lab.service.inbox(PHONE).received[0].body == "Shop> on its way"


# ---- filters ---------------------------------------------------------------------------------------------------------


def test_a_filter_keeps_out_what_it_does_not_name(lab):
    lab.subscribed_queue("gold", FilterPolicy={"kind": ["gold"]})
    lab.subscribed_queue("all")
    for kind in ("gold", "tin"):
        lab.publish(kind, MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}})
    lab.publish("nothing said")
    lab.cloud.advance(5)
    assert lab.texts("gold") == ["gold"] and len(lab.texts("all")) == 3
    assert [row.actor for row in lab.rows("FilteredOut")] == ["gold", "gold"]
    metrics = lab.service.metrics("orders")
    assert metrics["NumberOfNotificationsFilteredOut"] == 2
    assert metrics["NumberOfNotificationsFilteredOut-NoMessageAttributes"] == 1
    assert metrics["NumberOfNotificationsFailed"] == 0


def test_attributes_that_cannot_be_read_are_counted_apart(lab):
    lab.subscribed_queue("gold", FilterPolicy={"kinds": ["gold"]})
    lab.publish(MessageAttributes={"kinds": {"DataType": "String.Array", "StringValue": "[broken"}})
    lab.cloud.advance(5)
    assert lab.service.metrics("orders")["NumberOfNotificationsFilteredOut-InvalidAttributes"] == 1


def test_a_filter_on_the_body(lab):
    lab.subscribed_queue("gold", FilterPolicy={"customer": {"kind": ["gold"]}}, FilterPolicyScope="MessageBody")
    lab.publish(json.dumps({"customer": {"kind": "gold"}}))
    lab.publish(json.dumps({"customer": {"kind": "tin"}}))
    lab.cloud.advance(5)
    assert len(lab.texts("gold")) == 1


def test_a_filter_can_be_changed_and_removed(lab):
    arn = lab.subscribe(lab.queue("billing"), FilterPolicy={"kind": ["gold"]})
    lab.publish("1")
    lab.sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="{}")
    attributes = lab.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert "FilterPolicy" not in attributes and "FilterPolicyScope" not in attributes
    lab.publish("2")
    lab.cloud.advance(5)
    assert lab.texts("billing") == ["2"]


def test_a_changed_filter_may_take_its_time():
    lab = Lab(assume=EVEN | {"sns.filter_propagation": 60})
    arn = lab.subscribe(lab.queue("billing"))
    given = {"SubscriptionArn": arn, "AttributeName": "FilterPolicy", "AttributeValue": '{"kind": ["gold"]}'}
    lab.sns.set_subscription_attributes(**given)
    lab.publish("1")
    lab.cloud.advance(60)
    lab.publish("2")
    lab.cloud.advance(5)
    assert lab.texts("billing") == ["1"]


# ---- metrics ---------------------------------------------------------------------------------------------------------


def test_the_metrics_of_a_topic(lab):
    lab.subscribed_queue("billing")
    lab.subscribed_queue("locked", allowed=False)
    lab.publish("1234")
    lab.publish("123456")
    lab.cloud.advance(5)
    assert {name: value for name, value in lab.service.metrics("orders").items() if value} == {
        "NumberOfMessagesPublished": 2,
        "NumberOfNotificationsDelivered": 2,
        "NumberOfNotificationsFailed": 2,
        "PublishSize": 5,
    }


def test_a_queue_that_fails_for_a_while_is_no_failure_in_the_end(lab):
    lab.subscribed_queue("billing")
    lab.cloud.faults.add(Fault("throttle", ("SendMessage",), callers="sns/*", count=5))
    lab.publish()
    lab.cloud.advance(60)
    metrics = lab.service.metrics("orders")
    assert (metrics["NumberOfNotificationsFailed"], metrics["NumberOfNotificationsDelivered"]) == (0, 1)


# ---- regions and accounts --------------------------------------------------------------------------------------------


def test_a_queue_in_another_region_gets_it_later():
    lab = Lab(assume={"sns.cross_region": 0.5})
    for region, name in (("us-east-1", "near"), ("eu-west-1", "far")):
        lab.subscribe(lab.queue(name, region=region))
    id = lab.publish("abroad")
    lab.cloud.advance(5)
    near, far = (lab.rows("Delivered", subject=id, actor=name)[0].time for name in ("near", "far"))
    assert far - near > 0.4
    assert lab.texts("far", region="eu-west-1") == ["abroad"]


def test_regions_have_topics_of_their_own(lab):
    west = lab.cloud.client("sns", "us-west-2")
    arn = west.create_topic(Name="orders")["TopicArn"]
    assert arn == f"arn:aws:sns:us-west-2:{ACCOUNT}:orders" != lab.topic
    assert [topic["TopicArn"] for topic in lab.sns.list_topics()["Topics"]] == [lab.topic]


def allow_subscribe(lab):
    lab.sns.add_permission(
        TopicArn=lab.topic, Label="friends", AWSAccountId=[OTHER], ActionName=["Subscribe", "Publish"]
    )


def test_the_owner_of_a_queue_in_another_account_subscribes_it_at_once(lab):
    theirs = lab.cloud.client("sns", account=OTHER)
    arn = lab.queue("theirs", account=OTHER)
    assert refused(theirs.subscribe, TopicArn=lab.topic, Protocol="sqs", Endpoint=arn)[0] == "AuthorizationError"
    allow_subscribe(lab)
    subscription = lab.subscribe(arn, sns=theirs)
    lab.publish("across")
    lab.cloud.advance(5)
    assert lab.texts("theirs", account=OTHER) == ["across"]
    assert theirs.list_subscriptions()["Subscriptions"][0]["SubscriptionArn"] == subscription
    assert theirs.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]["Owner"] == OTHER
    assert lab.sns.list_subscriptions()["Subscriptions"] == []
    theirs.unsubscribe(SubscriptionArn=subscription)
    assert lab.sns.list_subscriptions_by_topic(TopicArn=lab.topic)["Subscriptions"] == []


def test_a_queue_of_another_account_that_the_topics_owner_subscribes_must_confirm(lab):
    arn = lab.queue("theirs", account=OTHER)
    answer = lab.sns.subscribe(TopicArn=lab.topic, Protocol="sqs", Endpoint=arn)
    assert answer["SubscriptionArn"] == "pending confirmation"
    lab.publish("too early")
    lab.cloud.advance(5)
    (request,) = lab.received("theirs", account=OTHER)
    assert json.loads(request)["Type"] == "SubscriptionConfirmation"
    theirs = lab.cloud.client("sns", account=OTHER)
    theirs.confirm_subscription(TopicArn=lab.topic, Token=json.loads(request)["Token"])
    lab.publish("now")
    lab.cloud.advance(5)
    assert lab.texts("theirs", account=OTHER) == ["now"]


def test_another_account_publishes_when_the_topic_lets_it(lab):
    theirs = lab.cloud.client("sns", account=OTHER)
    assert refused(theirs.publish, TopicArn=lab.topic, Message="x")[0] == "AuthorizationError"
    allow_subscribe(lab)
    theirs.publish(TopicArn=lab.topic, Message="x")
    lab.sns.remove_permission(TopicArn=lab.topic, Label="friends")
    assert refused(theirs.publish, TopicArn=lab.topic, Message="x")[0] == "AuthorizationError"


# ---- lists and limits ------------------------------------------------------------------------------------------------


def test_lists_have_pages_of_a_hundred(lab):
    for n in range(250):
        lab.sns.create_topic(Name=f"t{n:03}")
    pages = list(lab.sns.get_paginator("list_topics").paginate())
    assert [len(page["Topics"]) for page in pages] == [100, 100, 51]
    assert len({topic["TopicArn"] for page in pages for topic in page["Topics"]}) == 251


def test_subscriptions_have_pages_too(lab):
    for n in range(101):
        lab.subscribe(f"+1555555{n:04}", "sms")
        lab.cloud.advance(0.01)
    for name, more in (("list_subscriptions", {}), ("list_subscriptions_by_topic", {"TopicArn": lab.topic})):
        pages = list(lab.sns.get_paginator(name).paginate(**more))
        assert [len(page["Subscriptions"]) for page in pages] == [100, 1]


def test_topics_and_subscriptions_are_limited_in_number(lab):
    assert lab.cloud.quotas["sns.topics"] == 100_000
    lab.cloud.quotas["sns.topics"] = 2
    lab.sns.create_topic(Name="last")
    assert refused(lab.sns.create_topic, Name="one-more")[0] == "TopicLimitExceeded"
    lab.sns.create_topic(Name="last")
    assert lab.cloud.quotas["sns.subscriptions"] == 12_500_000
    lab.cloud.quotas["sns.subscriptions"] = 0
    code, _ = refused(lab.sns.subscribe, TopicArn=lab.topic, Protocol="sms", Endpoint=PHONE)
    assert code == "SubscriptionLimitExceeded"
    assert lab.sns.list_subscriptions()["Subscriptions"] == []


def test_a_hundred_subscribe_calls_a_second():
    lab = Lab(assume={"api.latency_median": 1e-9, "api.latency_p95": 1e-9})
    direct = lab.cloud.direct("sns")
    from lablib.aws.service import ServiceError

    for n in range(100):
        direct.subscribe(TopicArn=lab.topic, Protocol="sms", Endpoint=f"+1555555{n:04}")
    with pytest.raises(ServiceError, match="Rate exceeded"):
        direct.subscribe(TopicArn=lab.topic, Protocol="sms", Endpoint=PHONE)
    lab.cloud.advance(1)
    direct.subscribe(TopicArn=lab.topic, Protocol="sms", Endpoint=PHONE)
    lab.sns.subscribe(TopicArn=lab.topic, Protocol="sms", Endpoint="+15555559999")


@pytest.mark.parametrize(("region", "rate"), [("eu-south-2", 300), ("ap-northeast-2", 1500)])
def test_a_region_takes_so_many_messages_a_second(region, rate):
    cloud = Cloud(assume={"api.latency_median": 1e-9, "api.latency_p95": 1e-9}, region_name=region)
    direct = cloud.direct("sns")
    topic = direct.create_topic(Name="orders")["TopicArn"]
    entries = [{"Id": str(n), "Message": "x"} for n in range(10)]
    for _ in range(rate // 10):
        direct.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    from lablib.aws.service import ServiceError

    with pytest.raises(ServiceError, match="Rate exceeded"):
        direct.publish(TopicArn=topic, Message="x")
    assert cloud.trace.where("Throttled")[0].detail == {"limit": rate, "group": ""}
    cloud.advance(0.1)
    direct.publish(TopicArn=topic, Message="x")


def test_boto3_tries_again_when_it_is_throttled():
    lab = Lab(assume={"api.latency_median": 1e-9, "api.latency_p95": 1e-9})
    for n in range(110):
        lab.sns.subscribe(TopicArn=lab.topic, Protocol="sms", Endpoint=f"+1555555{n:04}")
    assert lab.rows("Throttled", resource="orders")
    assert len(lab.service.topic("orders").subscriptions) == 110


# ---- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_is_as_many_messages(lab):
    lab.subscribed_queue("billing")
    entries = [{"Id": str(n), "Message": f"m{n}", "Subject": "s"} for n in range(10)]
    answer = lab.sns.publish_batch(TopicArn=lab.topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == [str(n) for n in range(10)]
    lab.cloud.advance(5)
    assert sorted(lab.texts("billing")) == [f"m{n}" for n in range(10)]


def test_single_entries_can_fail_inside_the_service(lab):
    lab.cloud.faults.add(Fault("partial", ("PublishBatch",), probability=0.5))
    entries = [{"Id": str(n), "Message": "x"} for n in range(10)]
    answer = lab.sns.publish_batch(TopicArn=lab.topic, PublishBatchRequestEntries=entries)
    assert answer["Failed"] and answer["Successful"] and len(answer["Failed"]) + len(answer["Successful"]) == 10
    assert len(lab.rows("Published")) == len(answer["Successful"])


# ---- not simulated ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda lab: lab.sns.get_sms_sandbox_account_status(),
        lambda lab: lab.sns.put_data_protection_policy(ResourceArn=lab.topic, DataProtectionPolicy="{}"),
        lambda lab: lab.sns.create_platform_application(Name="x", Platform="WNS", Attributes={}),
    ],
)
def test_what_is_not_simulated_says_so_in_one_line(lab, call):
    with pytest.raises(NotSimulated) as caught:
        call(lab)
    assert "\n" not in str(caught.value) and "simulate" in str(caught.value)


def test_the_bonnet_opens_with_a_clear_word(lab):
    with pytest.raises(KeyError, match="no topic is called 'x'; there are: orders"):
        lab.service.topic("x")
    assert repr(lab.service.inbox(URL)) == f"<Inbox {URL}: 0 received, 0 refused>"


# ---- what a slip of the pen is told ----------------------------------------------------------------------------------


def test_a_queue_that_is_not_there_is_said_to_be_missing(lab):
    """A service is not refused by a policy that does not exist: it learns that there is no queue."""
    missing = f"arn:aws:sqs:us-east-1:{ACCOUNT}:biling"
    lab.subscribe(missing)
    id = lab.publish()
    lab.cloud.advance(5)
    (failed,) = lab.rows("DeliveryFailed", subject=id)
    assert failed.detail["reason"] == "AWS.SimpleQueueService.NonExistentQueue" and failed.until == 0
    about = {"service": "sns.amazonaws.com", "source_arn": lab.topic}
    told = lab.cloud.explain_access("sqs:SendMessage", missing, **about)
    assert told.startswith(f"There is no {missing}: look at its name, region and account.")


def test_metrics_of_a_topic_that_never_was(lab):
    lab.publish()
    assert lab.service.metrics(lab.topic) == lab.service.metrics("orders")
    with pytest.raises(ValueError, match="topic='oders': no topic has this name; there are: orders"):
        lab.service.metrics("oders")


@pytest.mark.parametrize("status", ["x", 200, None])
def test_an_inbox_fails_with_an_error(lab, status):
    with pytest.raises(ValueError, match="must be an error, from 400 to 599"):
        lab.service.inbox("https://example.com").fail(status)
