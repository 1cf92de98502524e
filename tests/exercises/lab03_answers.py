"""Wrong answers to lab 03's exercises, as learners write them, each with what the verdict must say."""

import json
import time
import uuid

# ---- 03.groups -------------------------------------------------------------------------------------------------------


def groups_one_for_all(system, message):
    return "all"


def groups_by_customer(system, message):
    return message.get("customer") or message.get("truck") or message["room"]


def groups_by_depot(system, message):
    return message.get("order") or message.get("depot") or message["room"]


def groups_by_room_and_user(system, message):
    return message.get("order") or message.get("truck") or f"{message['room']}:{message['user']}"


def groups_at_random(system, message):
    return str(uuid.uuid4())


def groups_a_number(system, message):
    return 7


def groups_with_a_space(system, message):
    return "room " + str(message.get("room"))


# ---- 03.producer -----------------------------------------------------------------------------------------------------


def _send(sqs, queue_url, order, group, id):
    more = {"MessageDeduplicationId": id} if id else {}
    sqs.send_message(QueueUrl=queue_url, MessageBody=order["text"], MessageGroupId=group, **more)


def producer_new_id_each_time(sqs, queue_url, orders):
    for order in orders:
        _send(sqs, queue_url, order, order["customer"], str(uuid.uuid4()))


def producer_id_from_the_body(sqs, queue_url, orders):
    for order in orders:
        _send(sqs, queue_url, order, order["customer"], None)


def producer_id_of_the_customer(sqs, queue_url, orders):
    for order in orders:
        _send(sqs, queue_url, order, order["customer"], order["customer"] + order["text"])


def producer_one_group(sqs, queue_url, orders):
    for order in orders:
        _send(sqs, queue_url, order, "orders", order["id"])


def producer_a_group_for_each_order(sqs, queue_url, orders):
    for order in orders:
        _send(sqs, queue_url, order, order["id"], order["id"])


def producer_backwards(sqs, queue_url, orders):
    for order in reversed(orders):
        _send(sqs, queue_url, order, order["customer"], order["id"])


def producer_forgets_the_last(sqs, queue_url, orders):
    for order in orders[:-1]:
        _send(sqs, queue_url, order, order["customer"], order["id"])


def producer_sends_json(sqs, queue_url, orders):
    for order in orders:
        _send(sqs, queue_url, {"text": json.dumps(order)}, order["customer"], order["id"])


# ---- 03.throughput ---------------------------------------------------------------------------------------------------


def _batch(sqs, queue_url, positions, group=lambda p: p["truck"]):
    entries = [
        {"Id": str(i), "MessageBody": p["text"], "MessageGroupId": group(p), "MessageDeduplicationId": p["text"]}
        for i, p in enumerate(positions)
    ]
    sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)


def _wait_for(start, due):
    time.sleep(max(0, start + due - time.monotonic()))


def throughput_as_fast_as_it_goes(sqs, queue_url, positions, senders):
    for n in range(0, len(positions), 10):
        _batch(sqs, queue_url, positions[n : n + 10])


def throughput_one_at_a_time(sqs, queue_url, positions, senders):
    start = time.monotonic()
    for n, position in enumerate(positions):
        _wait_for(start, n * senders / 300)
        _batch(sqs, queue_url, [position])


def throughput_sleeps_after_each_call(sqs, queue_url, positions, senders):
    for n in range(0, len(positions), 10):
        _batch(sqs, queue_url, positions[n : n + 10])
        time.sleep(senders / 300)


def throughput_one_group(sqs, queue_url, positions, senders):
    start = time.monotonic()
    for n in range(0, len(positions), 10):
        _wait_for(start, n / 10 * senders / 300)
        _batch(sqs, queue_url, positions[n : n + 10], lambda p: "trucks")


def throughput_a_group_for_each_position(sqs, queue_url, positions, senders):
    start = time.monotonic()
    for n in range(0, len(positions), 10):
        _wait_for(start, n / 10 * senders / 300)
        _batch(sqs, queue_url, positions[n : n + 10], lambda p: p["text"])


def throughput_backwards(sqs, queue_url, positions, senders):
    start = time.monotonic()
    for n in range(0, len(positions), 10):
        _wait_for(start, n / 10 * senders / 300)
        _batch(sqs, queue_url, positions[::-1][n : n + 10])


def throughput_only_the_first_thousand(sqs, queue_url, positions, senders):
    start = time.monotonic()
    for n in range(0, 1000, 10):
        _wait_for(start, n / 10 * senders / 300)
        _batch(sqs, queue_url, positions[n : n + 10])


# ---- 03.consumer -----------------------------------------------------------------------------------------------------


def _receive(sqs, queue_url, most):
    return sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=most, WaitTimeSeconds=20).get("Messages", [])


def _delete(sqs, queue_url, message):
    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def consumer_goes_on_in_the_batch(sqs, queue_url, process):
    while True:
        for message in _receive(sqs, queue_url, 10):
            try:
                process(message["Body"])
            except Exception:
                continue
            _delete(sqs, queue_url, message)


def consumer_of_a_long_batch(sqs, queue_url, process):
    while True:
        for message in _receive(sqs, queue_url, 10):
            try:
                process(message["Body"])
            except Exception:
                break
            _delete(sqs, queue_url, message)


def consumer_deletes_at_the_end(sqs, queue_url, process):
    while True:
        done = []
        for message in _receive(sqs, queue_url, 5):
            try:
                process(message["Body"])
            except Exception:
                break
            done.append(message)
        for message in done:
            _delete(sqs, queue_url, message)


def consumer_deletes_first(sqs, queue_url, process):
    while True:
        for message in _receive(sqs, queue_url, 1):
            _delete(sqs, queue_url, message)
            try:
                process(message["Body"])
            except Exception:
                pass


def consumer_dies_of_a_failure(sqs, queue_url, process):
    while True:
        for message in _receive(sqs, queue_url, 1):
            process(message["Body"])
            _delete(sqs, queue_url, message)


def consumer_never_deletes(sqs, queue_url, process):
    while True:
        for message in _receive(sqs, queue_url, 1):
            try:
                process(message["Body"])
            except Exception:
                pass


# ---- 03.stuck --------------------------------------------------------------------------------------------------------


def _give_back(sqs, queue_url, in_hand):
    for message in in_hand:
        sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)


def _bury_after(sqs, queue_url, receives, name="orders-dlq.fifo", attributes=None):
    dead = sqs.create_queue(QueueName=name, Attributes=attributes or {"FifoQueue": "true"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy})


def stuck_gives_back_only(sqs, queue_url, in_hand):
    _give_back(sqs, queue_url, in_hand)


def stuck_buries_only(sqs, queue_url, in_hand):
    _bury_after(sqs, queue_url, 3)


def stuck_buries_at_once(sqs, queue_url, in_hand):
    _give_back(sqs, queue_url, in_hand)
    _bury_after(sqs, queue_url, 1)


def stuck_standard_grave(sqs, queue_url, in_hand):
    _give_back(sqs, queue_url, in_hand)
    _bury_after(sqs, queue_url, 3, "orders-dlq", {"VisibilityTimeout": "30"})


def stuck_purges(sqs, queue_url, in_hand):
    sqs.purge_queue(QueueUrl=queue_url)


def stuck_deletes_what_is_in_hand(sqs, queue_url, in_hand):
    for message in in_hand:
        _delete(sqs, queue_url, message)
    _bury_after(sqs, queue_url, 3)


def stuck_deletes_the_poison(sqs, queue_url, in_hand):
    _give_back(sqs, queue_url, in_hand)
    while True:
        ask = {"QueueUrl": queue_url, "WaitTimeSeconds": 20, "AttributeNames": ["ApproximateReceiveCount"]}
        for message in sqs.receive_message(**ask).get("Messages", []):
            if int(message["Attributes"]["ApproximateReceiveCount"]) > 3:
                _delete(sqs, queue_url, message)
                return


WRONG = [
    ("03.groups", groups_one_for_all, [r"Message 2 \(order-2\) waited until \d\.\d\d s", "same group, 'all'"]),
    ("03.groups", groups_by_customer, ["same group, 'ann'", "Nothing demands an order between order-1 and order-2"]),
    ("03.groups", groups_by_depot, ["same group, 'north'", "2 messages", "between truck-1 and truck-2"]),
    ("03.groups", groups_by_room_and_user, ["of one room must be handled in order", "'room-1:ann' and 'room-1:bob'"]),
    ("03.groups", groups_at_random, ["of one order must be handled in order", "two groups"]),
    ("03.groups", groups_a_number, ["returned 7", "a text of 1 to 128 characters"]),
    ("03.groups", groups_with_a_space, ["SQS does not take the group id 'room None'", "alphanumeric"]),
    ("03.producer", producer_new_id_each_time, ["1 order of 'tea', and 2 messages", "crash", "could not know"]),
    ("03.producer", producer_id_from_the_body, ["2 orders of 'tea', but 1 message", "they need two ids"]),
    ("03.producer", producer_id_of_the_customer, ["2 orders of 'tea', but 1 message", "it had the deduplication id"]),
    ("03.producer", producer_one_group, ["2 customers are in 1 group", "makes other customers wait"]),
    ("03.producer", producer_a_group_for_each_order, ["2 customers are in 4 groups", "second order can be handled"]),
    ("03.producer", producer_backwards, ["The orders of bob are cake, milk", "Nobody gets them in this order"]),
    ("03.producer", producer_forgets_the_last, ["1 order of 'milk', but 0 messages. It was never sent"]),
    ("03.producer", producer_sends_json, ["There is a message", r"Send MessageBody=order\[\"text\"\]"]),
    ("03.throughput", throughput_as_fast_as_it_goes, [r"refused \d+ calls?, the first at 0\.\d\d s", "10.0 messages"]),
    ("03.throughput", throughput_one_at_a_time, ["took 20.0 s: 300 a second", "with 1.0 messages each"]),
    (
        "03.throughput",
        throughput_sleeps_after_each_call,
        ["A pause after a call comes on top", "its n-th call", r"took [23]\.\d s", "with 10.0 messages each"],
    ),
    ("03.throughput", throughput_one_group, ["Several trucks share a message group"]),
    ("03.throughput", throughput_a_group_for_each_position, [r"positions of truck-\d+ are in 100 groups"]),
    ("03.throughput", throughput_backwards, [r"truck-\d+:100 is in the queue before truck-\d+:99"]),
    ("03.throughput", throughput_only_the_first_thousand, ["4,000 of 6,000 positions are in the queue"]),
    ("03.consumer", consumer_goes_on_in_the_batch, ["began order-2", "order-1 had failed", "to be tried again first"]),
    (
        "03.consumer",
        consumer_of_a_long_batch,
        ["order-8 was visible again at 30", "it had waited 28 s behind others of"],
    ),
    ("03.consumer", consumer_deletes_at_the_end, ["began order-1 again", "turned round", "crash"]),
    ("03.consumer", consumer_deletes_first, ["consumer-1 deleted order-1 at", "before its work was done"]),
    ("03.consumer", consumer_dies_of_a_failure, ["raised WorkFailed", r"process\(message\[\"Body\"\]\)"]),
    ("03.consumer", consumer_never_deletes, ["order-1 is still in the queue after 305 s", "received .* times"]),
    ("03.stuck", stuck_gives_back_only, ["order-1 always fails, and it is still in the queue", "RedrivePolicy"]),
    ("03.stuck", stuck_buries_only, ["order-1 is still in the queue 120 s after", "in flight until 43200.0 s"]),
    ("03.stuck", stuck_buries_at_once, ["order-2 is in the dead-letter queue", "received 1 time", "fails"]),
    ("03.stuck", stuck_standard_grave, ["must be same type of queue"]),
    ("03.stuck", stuck_purges, ["order-1 is lost: it left the queue at 60.00 s", "dead-letter queue"]),
    ("03.stuck", stuck_deletes_what_is_in_hand, ["order-1 is lost: it left the queue, and nobody had done it"]),
    ("03.stuck", stuck_deletes_the_poison, [r"order-1 is lost: it left the queue at 1\d\d", "and is in no other"]),
]
