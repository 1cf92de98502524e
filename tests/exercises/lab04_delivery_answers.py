"""Wrong answers to lab 04's exercises on what must arrive, as learners write them, each with what the verdict must
say.
"""

import json
import time

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


def flaky_publishes_it_again(sns, sqs, topic_arn, url, post):  # once passed: all other subscribers get it again
    queue_url = subscribed_queue(sns, sqs, topic_arn)
    while True:
        for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20).get("Messages", []):
            try:
                post(message["Body"])
            except Exception:
                sns.publish(TopicArn=topic_arn, Message=message["Body"])
                time.sleep(60)
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def flaky_does_nothing(sns, sqs, topic_arn, url, post):
    print(sns.list_topics())


WRONG = [
    ("04.flaky", flaky_dies, ["raised PartnerDown: the partner", r"line \d+: post\(body\)", "Catch it around this"]),
    (
        "04.flaky",
        flaky_hides_a_mistake,
        [r"received 4\d times\. post was never called with order-1. Does an `except` hide"],
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
    (
        "04.flaky",
        flaky_publishes_it_again,
        [
            r"forwarder published to the topic at \d+\.\d\d s: all its subscribers get that",
            "Leave what failed in a queue",
        ],
    ),
    ("04.flaky", flaky_does_nothing, ["nobody was subscribed to the topic", "SNS keeps nothing"]),
]
