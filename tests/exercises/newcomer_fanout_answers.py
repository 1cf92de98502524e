"""Answers to the exercises of labs 03 to 04b, wrong and right, as a learner who came new to them wrote them."""

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_plus

from exercises.lab04_answers import _allowing, _attributes, _body, _filters, make_queue, policy_for
from exercises.lab04_delivery_answers import subscribed_queue
from exercises.lab04b_answers import _pipeline, _uploads
from exercises.lab04b_ordered_answers import _publishing, wire_fifo

# ---- 03.groups, 03.producer ------------------------------------------------------------------------------------------


def groups_by_the_end_of_the_name(system, message):
    return (message.get("order") or message.get("truck") or message["room"])[-1]


def groups_by_truck_and_depot(system, message):  # once passed: no truck came to another depot
    return message.get("order") or message.get("room") or message["truck"] + message["depot"]


def groups_as_a_hash(system, message):
    name = message.get("order") or message.get("truck") or message["room"]
    return hashlib.sha256(f"{system}/{name}".encode()).hexdigest()


def producer_leaves_the_id_to_the_queue(sqs, queue_url, orders):
    for order in orders:
        sqs.send_message(QueueUrl=queue_url, MessageBody=order["text"], MessageGroupId=order["customer"])


def producer_id_is_a_constant(sqs, queue_url, orders):
    for order in orders:
        ids = {"MessageGroupId": order["customer"], "MessageDeduplicationId": "order"}
        sqs.send_message(QueueUrl=queue_url, MessageBody=order["text"], **ids)


def producer_id_of_the_whole_order(sqs, queue_url, orders):
    for order in orders:
        name = hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest()
        ids = {"MessageGroupId": order["customer"], "MessageDeduplicationId": name}
        sqs.send_message(QueueUrl=queue_url, MessageBody=order["text"], **ids)


def consumer_goes_on_after_a_failure(sqs, queue_url, process):
    while True:
        ask = {"QueueUrl": queue_url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": 5}
        for message in sqs.receive_message(**ask).get("Messages", []):
            target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            try:
                process(message["Body"])
                sqs.delete_message(**target)
            except Exception:
                sqs.change_message_visibility(**target, VisibilityTimeout=0)


# ---- 04.wiring, 04.filters -------------------------------------------------------------------------------------------

wiring_for_sqs_itself = _allowing(principal={"Service": "sqs.amazonaws.com"})
wiring_publishes_into_the_queue = _allowing(action="sns:Publish")
wiring_by_the_principal_arn = _allowing(
    condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:sns:us-east-1:123456789012:orders"}}
)


def wiring_starts_over(sns, sqs, topic_name, queue_names):
    sns.delete_topic(TopicArn=sns.create_topic(Name=topic_name)["TopicArn"])
    _allowing()(sns, sqs, topic_name, queue_names)


filters_false_for_not_there = _filters(asia=_attributes(country=["KR", "JP"], test=[False]))
filters_fragile_in_any_case = _filters(fragile=_body(items={"tags": [{"equals-ignore-case": "fragile"}]}))
filters_spring_with_a_star = _filters(spring=_body(coupon=["SPRING-*"], total=[{"numeric": [">=", 20, "<", 100]}]))
filters_asia_in_two_rules = _filters(
    asia=_attributes(**{"$or": [{"country": ["KR"]}, {"country": ["JP"]}], "test": [{"exists": False}]})
)

# ---- 04.flaky --------------------------------------------------------------------------------------------------------


def _carrying(after_a_failure, **how):
    """Carries what is in a queue; `after_a_failure(sqs, target)` is called when the partner is down."""

    def deliver(sns, sqs, topic_arn, url, post):
        queue_url = subscribed_queue(sns, sqs, topic_arn)
        while True:
            for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20, **how).get("Messages", []):
                target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                try:
                    post(message["Body"])
                except Exception:
                    after_a_failure(sqs, target)
                else:
                    sqs.delete_message(**target)

    return deliver


flaky_shows_it_at_once = _carrying(lambda sqs, target: sqs.change_message_visibility(**target, VisibilityTimeout=0))
flaky_hides_for_twelve_hours = _carrying(lambda sqs, target: None, VisibilityTimeout=43_200)
flaky_hides_for_two_minutes = _carrying(
    lambda sqs, target: sqs.change_message_visibility(**target, VisibilityTimeout=120)
)


def flaky_empties_the_dead_letters(sns, sqs, topic_arn, url, post):
    dead_url, dead_arn = make_queue(sqs, "dead")
    sqs.set_queue_attributes(QueueUrl=dead_url, Attributes={"Policy": policy_for(dead_arn, topic_arn)})
    attributes = {"RawMessageDelivery": "true", "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn})}
    sns.subscribe(TopicArn=topic_arn, Protocol="https", Endpoint=url, Attributes=attributes)
    while True:
        for message in sqs.receive_message(QueueUrl=dead_url, WaitTimeSeconds=20).get("Messages", []):
            try:
                post(message["Body"])
            except Exception:
                continue
            sqs.delete_message(QueueUrl=dead_url, ReceiptHandle=message["ReceiptHandle"])


# ---- 04b -------------------------------------------------------------------------------------------------------------


def _three_tries(save):  # once passed: save failed only once
    def handler(event, context):
        for _, key in _uploads(event):
            for _ in range(3):
                try:
                    save(key)
                    break
                except Exception:
                    time.sleep(0.5)

    return handler


def _of_the_message(save):
    def handler(event, context):
        message = json.loads(event["Records"][0]["Sns"]["Message"])
        if message.get("Event") != "s3:TestEvent":
            save(unquote_plus(message["Records"][0]["s3"]["object"]["key"]))

    return handler


def pipeline_tries_it_out(cloud, bucket, save):  # once passed
    _pipeline()(cloud, bucket, save)
    cloud.client("s3").put_object(Bucket=bucket, Key="photos/test.jpg", Body=b"a photo")


def pipeline_lets_the_topic_do_all(cloud, bucket, save):  # once passed
    _pipeline()(cloud, bucket, save)
    (topic,) = cloud.client("sns").list_topics()["Topics"]
    right = {"StatementId": "all", "Action": "lambda:*", "Principal": "sns.amazonaws.com"}
    cloud.client("lambda").add_permission(FunctionName="catalogue", SourceArn=topic["TopicArn"], **right)


pipeline_three_tries = _pipeline(_three_tries)
pipeline_with_a_star = _pipeline(filters=(("prefix", "photos/"), ("suffix", "*.jpg")))
pipeline_of_the_message = _pipeline(_of_the_message)


def _by_customer(events):
    customers = {}
    for event in events:
        customers.setdefault(event["customer"], []).append(event)
    return customers.values()


def _one_customer(sns, topic_arn, events):
    for event in events:
        ids = {"MessageGroupId": event["customer"], "MessageDeduplicationId": event["id"]}
        sns.publish(TopicArn=topic_arn, Message=json.dumps(event), **ids)


def ordered_a_thread_for_each_customer(sns, sqs, topic_name, queue_names, events):
    topic_arn = wire_fifo(sns, sqs, topic_name, queue_names)
    of_each = [(sns, topic_arn, mine) for mine in _by_customer(events)]
    threads = [threading.Thread(target=_one_customer, args=arguments) for arguments in of_each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ordered_a_pool_for_the_customers(sns, sqs, topic_name, queue_names, events):
    topic_arn = wire_fifo(sns, sqs, topic_name, queue_names)
    with ThreadPoolExecutor() as pool:
        for work in [pool.submit(_one_customer, sns, topic_arn, mine) for mine in _by_customer(events)]:
            work.result()


ordered_id_of_the_time = _publishing(id=lambda event: f"{event['id']}-{time.time()}")
ordered_in_an_envelope = _publishing(text=lambda event: json.dumps({"default": json.dumps(event)}))

WRONG = [
    (
        "03.groups",
        groups_by_the_end_of_the_name,
        [
            r"message 2 \(order-2\) is in the same group, '2'",
            r"s  message 3 \(order-12\)  received .* behind message 2 \(order-2\) of its group",
        ],
    ),
    ("03.groups", groups_by_truck_and_depot, ["of one truck must be", "'truck-1north' and 'truck-1south'"]),
    (
        "03.producer",
        producer_leaves_the_id_to_the_queue,
        ["had no deduplication id", "SQS makes from the body", "so they need two ids"],
    ),
    (
        "03.producer",
        producer_id_is_a_constant,
        ["2 orders of 'tea', but 1 message", "id of an earlier message, 'order'"],
    ),
    (
        "03.consumer",
        consumer_goes_on_after_a_failure,
        ["began order-2 .* before order-1", r"s  order-1  sent to", r"s  order-2  received by"],
    ),
    ("04.wiring", wiring_for_sqs_itself, ["did not come", 'its Principal is "sqs.amazonaws.com"']),
    ("04.wiring", wiring_publishes_into_the_queue, ["did not come", 'its Action is "sns:Publish"']),
    ("04.wiring", wiring_by_the_principal_arn, ["did not come", "the request has no aws:PrincipalArn"]),
    ("04.filters", filters_false_for_not_there, ["'asia' wants .* did not get", "test is missing; wanted: false"]),
    (
        "04.filters",
        filters_fragile_in_any_case,
        ["But it got order-2", "Fragile", r"order-2  delivered to fragile \(sqs\)\n"],
    ),
    ("04.filters", filters_spring_with_a_star, ['coupon is "SPRING-10"; wanted: "SPRING-\\*"']),
    (
        "04.flaky",
        flaky_shows_it_at_once,
        ["a partner that was down", "It made the message visible again at once, with VisibilityTimeout=0"],
    ),
    (
        "04.flaky",
        flaky_hides_for_twelve_hours,
        ["It was received once. forwarder has hidden it until 43260 s", "for minutes, not for hours"],
    ),
    ("04b.pipeline", pipeline_three_tries, ["save failed 3 times, and your function caught the exception"]),
    ("04b.pipeline", pipeline_tries_it_out, ["'photos/test.jpg' was put into the bucket by your function at"]),
    ("04b.pipeline", pipeline_lets_the_topic_do_all, ["to invoke, and nothing else", 'Statement "all"']),
    ("04b.pipeline", pipeline_with_a_star, [r"suffix '\*.jpg'", r"S3 takes a \* as it stands"]),
    ("04b.ordered", ordered_a_thread_for_each_customer, ["AWS refused Publish 5 times", "ended a thread of its own"]),
    ("04b.ordered", ordered_id_of_the_time, ["event-1 is in queue 'stock.fifo' twice", "ids were 'event-1-16"]),
    ("04b.ordered", ordered_in_an_envelope, ["In queue 'stock.fifo' is a message", r"json.dumps\(event\)"]),
]
RIGHT = [
    ("03.groups", groups_as_a_hash),
    ("03.producer", producer_id_of_the_whole_order),
    ("04.wiring", wiring_starts_over),
    ("04.filters", filters_asia_in_two_rules),
    ("04.flaky", flaky_hides_for_two_minutes),
    ("04.flaky", flaky_empties_the_dead_letters),
    ("04b.pipeline", pipeline_of_the_message),
    ("04b.ordered", ordered_a_pool_for_the_customers),
]
