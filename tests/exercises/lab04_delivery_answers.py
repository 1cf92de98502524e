"""Wrong answers to lab 04's exercises on what must arrive, as learners write them, each with what the verdict must
say.
"""

import json
import time
import uuid

from exercises.lab04_answers import make_queue, policy_for

# ---- 04.flaky --------------------------------------------------------------------------------------------------------


def subscribed_queue(sns, sqs, topic_arn, name="partner", attributes=None, **parts):
    url, arn = make_queue(sqs, name, attributes)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn, **parts)})
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return url


def _forwarding(forward, attributes=None):
    """A queue in between; `forward(post, body, delete)` for each message."""

    def deliver(sns, sqs, topic_arn, url, post):
        queue_url = subscribed_queue(sns, sqs, topic_arn, attributes=attributes)
        while True:
            for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20).get("Messages", []):
                target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                forward(post, message["Body"], lambda target=target: sqs.delete_message(**target))

    return deliver


def post_and_delete(post, body, delete):
    try:
        post(body)
        delete()
    except Exception:
        pass


@_forwarding
def flaky_dies(post, body, delete):
    post(body)
    delete()


@_forwarding
def flaky_deletes_first(post, body, delete):
    delete()
    post_and_delete(post, body, lambda: None)


@_forwarding
def flaky_deletes_in_any_case(post, body, delete):
    try:
        post(body)
    except Exception:
        print("the partner is down")
    delete()


@_forwarding
def flaky_keeps_it_in_memory(post, body, delete):
    delete()
    while True:
        try:
            return post(body)
        except Exception:
            time.sleep(60)


@_forwarding
def flaky_at_once_again(post, body, delete):
    while True:
        try:
            post(body)
            return delete()
        except Exception:
            pass


@_forwarding
def flaky_never_deletes(post, body, delete):
    post_and_delete(post, body, lambda: None)


@_forwarding
def flaky_posts_the_order_only(post, body, delete):
    post_and_delete(post, {"Body": body}, delete)


flaky_keeps_for_a_minute = _forwarding(post_and_delete, {"MessageRetentionPeriod": "60"})


def _direct(**more):
    def deliver(sns, sqs, topic_arn, url, post):
        attributes = {name: make(sqs, topic_arn) for name, make in more.items()}
        sns.subscribe(TopicArn=topic_arn, Protocol="https", Endpoint=url, Attributes=attributes)

    return deliver


def _for_an_hour(sqs, topic_arn):
    delays = {"minDelayTarget": 36, "maxDelayTarget": 36, "numRetries": 100}
    return json.dumps({"healthyRetryPolicy": delays})


def _grave(policy):
    def make(sqs, topic_arn):
        url, arn = make_queue(sqs, "dead-letters")
        if policy:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn)})
        return json.dumps({"deadLetterTargetArn": arn})

    return make


flaky_directly = _direct()
flaky_directly_for_an_hour = _direct(DeliveryPolicy=_for_an_hour)
flaky_grave_without_policy = _direct(RedrivePolicy=_grave(False))
flaky_grave_that_nobody_visits = _direct(RedrivePolicy=_grave(True))


def flaky_queue_without_policy(sns, sqs, topic_arn, url, post):
    _, arn = make_queue(sqs, "partner")
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)


def flaky_queue_without_forwarder(sns, sqs, topic_arn, url, post):
    subscribed_queue(sns, sqs, topic_arn)


def flaky_gives_up_after_three(sns, sqs, topic_arn, url, post):
    _, grave = make_queue(sqs, "partner-dlq")
    redrive = json.dumps({"deadLetterTargetArn": grave, "maxReceiveCount": 3})
    _forwarding(post_and_delete, {"RedrivePolicy": redrive})(sns, sqs, topic_arn, url, post)


@_forwarding
def flaky_hides_a_mistake(post, body, delete):
    try:
        post(boddy)  # noqa: F821
        delete()
    except:  # noqa: E722
        pass


@_forwarding
def flaky_posts_to_the_url(post, body, delete):
    post_and_delete(lambda text: post("https://partner.example/orders", text), body, delete)


def flaky_looks_once(sns, sqs, topic_arn, url, post):
    queue_url = subscribed_queue(sns, sqs, topic_arn)
    for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20).get("Messages", []):
        post(message["Body"])
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def flaky_does_nothing(sns, sqs, topic_arn, url, post):
    print(sns.list_topics())


# ---- 04.ordered ------------------------------------------------------------------------------------------------------


def wire_fifo(sns, sqs, topic_name, queue_names, policy=True, **attributes):
    topic_arn = sns.create_topic(Name=topic_name, Attributes={"FifoTopic": "true"} | attributes)["TopicArn"]
    for name in queue_names:
        url, arn = make_queue(sqs, name, {"FifoQueue": "true"})
        if policy:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, topic_arn)})
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return topic_arn


def _publishing(group=lambda e: e["customer"], id=lambda e: e["id"], text=json.dumps, order=list, **wiring):
    def publisher(sns, sqs, topic_name, queue_names, events):
        topic_arn = wire_fifo(sns, sqs, topic_name, queue_names, **wiring)
        for event in order(events):
            ids = {"MessageGroupId": group(event)} | ({"MessageDeduplicationId": id(event)} if id else {})
            sns.publish(TopicArn=topic_arn, Message=text(event), **ids)

    return publisher


_BY_CONTENT = {"ContentBasedDeduplication": "true"}
ordered_new_id_each_time = _publishing(id=lambda event: str(uuid.uuid4()))
ordered_by_content_with_the_time = _publishing(
    id=None, text=lambda event: json.dumps(event | {"sent": time.time()}), **_BY_CONTENT
)
ordered_by_content_without_the_switch = _publishing(id=None)
ordered_id_of_the_customer = _publishing(id=lambda event: event["customer"])
ordered_id_of_the_text = _publishing(id=lambda event: event["text"])
ordered_one_group = _publishing(group=lambda event: "events")
ordered_a_group_for_each_event = _publishing(group=lambda event: event["id"])
ordered_backwards = _publishing(order=lambda events: events[::-1])
ordered_forgets_the_last = _publishing(order=lambda events: events[:-1])
ordered_sends_the_text_only = _publishing(text=lambda event: event["text"])
ordered_without_policy = _publishing(policy=False)


def ordered_open_to_all_topics(sns, sqs, topic_name, queue_names, events):
    _publishing()(sns, sqs, topic_name, queue_names, events)
    for name in queue_names:
        url, arn = make_queue(sqs, name, {"FifoQueue": "true"})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(arn, "", condition={})})


def ordered_subscribes_afterwards(sns, sqs, topic_name, queue_names, events):
    _publishing()(sns, sqs, topic_name, [], events)
    wire_fifo(sns, sqs, topic_name, queue_names)


def ordered_standard_topic(sns, sqs, topic_name, queue_names, events):
    sns.create_topic(Name=topic_name)


def ordered_standard_queues(sns, sqs, topic_name, queue_names, events):
    sns.create_topic(Name=topic_name, Attributes={"FifoTopic": "true"})
    for name in queue_names:
        make_queue(sqs, name)


def ordered_without_a_group(sns, sqs, topic_name, queue_names, events):
    topic_arn = wire_fifo(sns, sqs, topic_name, queue_names)
    for event in events:
        sns.publish(TopicArn=topic_arn, Message=json.dumps(event))


def ordered_sends_to_each_queue(sns, sqs, topic_name, queue_names, events):
    wire_fifo(sns, sqs, topic_name, [])
    for name in queue_names:
        url, _ = make_queue(sqs, name, {"FifoQueue": "true"})
        for event in events:
            ids = {"MessageGroupId": event["customer"], "MessageDeduplicationId": event["id"]}
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event), **ids)


WRONG = [
    ("04.flaky", flaky_dies, ["raised PartnerDown: the partner", r"line \d+: post\(body\)", "Catch it around this"]),
    (
        "04.flaky",
        flaky_hides_a_mistake,
        ["received 45 times. post was never called with order-1. Does an `except` hide"],
    ),
    ("04.flaky", flaky_posts_to_the_url, [r"post\(body\) takes the body only"]),
    ("04.flaky", flaky_looks_once, [r"Your function returned at 20\.\d\d s; it must go on: receive, post, delete"]),
    ("04.flaky", flaky_deletes_first, ["order-1 never reached", "before the partner had it, and then crashed"]),
    ("04.flaky", flaky_deletes_in_any_case, ["deleted its message .* before the partner had it", "for 1 minute"]),
    ("04.flaky", flaky_keeps_it_in_memory, ["before the partner had it, and then crashed at", "empty memory"]),
    ("04.flaky", flaky_at_once_again, [r"posted 1,501 times .* once every 0\.2 s", "Leave the message in a queue"]),
    ("04.flaky", flaky_never_deletes, [r"The partner got order-1 \d times", "delete its message then"]),
    (
        "04.flaky",
        flaky_posts_the_order_only,
        ["post was called with the whole message", "the text of one order, as it was published"],
    ),
    ("04.flaky", flaky_keeps_for_a_minute, ["was received twice", "older than the retention period"]),
    ("04.flaky", flaky_directly, ["SNS tried 4 times", "and then dropped it: there is no dead-letter queue", "10 min"]),
    ("04.flaky", flaky_directly_for_an_hour, ["SNS tried 101 times", "down until 4250 s", "70 minutes"]),
    ("04.flaky", flaky_grave_without_policy, ["the dead-letter queue dead-letters failed: AccessDenied"]),
    ("04.flaky", flaky_grave_that_nobody_visits, ["lies in the dead-letter queue 'dead-letters'", "never received"]),
    ("04.flaky", flaky_queue_without_policy, ["order-1 did not come to queue 'partner'", "saw no error"]),
    (
        "04.flaky",
        flaky_queue_without_forwarder,
        ["still in queue 'partner'", "nobody carries it to the partner", "must go on"],
    ),
    ("04.flaky", flaky_gives_up_after_three, ["received 3 times, and then SQS moved it .* 'partner-dlq'"]),
    ("04.flaky", flaky_does_nothing, ["nobody was subscribed to the topic", "SNS keeps nothing"]),
    (
        "04.ordered",
        ordered_new_id_each_time,
        ["event-1 is in queue 'stock.fifo' twice", "could not know", "1 event, .* crash"],
    ),
    ("04.ordered", ordered_by_content_with_the_time, ["twice", 'ids are made from the texts, .*"sent": 16']),
    (
        "04.ordered",
        ordered_by_content_without_the_switch,
        ["ContentBasedDeduplication enabled or", r"line \d+: sns.pub"],
    ),
    ("04.ordered", ordered_id_of_the_customer, ["event-4 is not in queue", "id 'ann'", "Two events need two ids"]),
    (
        "04.ordered",
        ordered_id_of_the_text,
        ["event-2 is not in queue", "id 'placed'", "event-1  .*publisher published event-2 too with"],
    ),
    ("04.ordered", ordered_one_group, ["events of ann and bob are in one group, 'events'", "makes the other wait"]),
    ("04.ordered", ordered_a_group_for_each_event, ["of ann are in several groups, 'event-1' and 'event-4'"]),
    ("04.ordered", ordered_backwards, ["event-4 of ann stands before event-1"]),
    ("04.ordered", ordered_forgets_the_last, ["event-6 is not in queue 'stock.fifo': it was never published"]),
    ("04.ordered", ordered_sends_the_text_only, ["a message 'placed'. Publish each event as JSON"]),
    (
        "04.ordered",
        ordered_without_policy,
        ["event-1 did not come to queue 'stock.fifo'", "It has none", "event-1  in group ann"],
    ),
    ("04.ordered", ordered_open_to_all_topics, ["A topic of another account", "may send into queue 'stock.fifo'"]),
    ("04.ordered", ordered_subscribes_afterwards, [r"published at 0\.\d\d s, but the queue was subscribed at"]),
    ("04.ordered", ordered_standard_topic, ["Invalid parameter: Topic Name", "{'FifoTopic': 'true'}"]),
    ("04.ordered", ordered_standard_queues, ["alphanumeric", r"line \d+: make_queue", "{'FifoQueue': 'true'}"]),
    ("04.ordered", ordered_without_a_group, ["The MessageGroupId parameter is required for FIFO topics"]),
    (
        "04.ordered",
        ordered_sends_to_each_queue,
        ["event-1 was sent straight into queue 'stock.fifo'", "to the topic, once"],
    ),
]
