"""More answers to lab 03's exercises, wrong and right, as a first-time learner wrote them."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import boto3
from exercises.lab03_answers import _batch, _bury_after, _delete, _give_back, _receive, _send

# ---- 03.groups -------------------------------------------------------------------------------------------------------


def groups_name_of_the_key(system, message):
    return {"shop": "order", "trucks": "truck", "chat": "room"}[system]


def groups_with_the_event(system, message):
    return {"shop": "{order}-{event}", "trucks": "{truck}", "chat": "{room}"}[system].format(**message)


def groups_the_first_value(system, message):
    return next(iter(message.values()))


# ---- 03.producer -----------------------------------------------------------------------------------------------------


def producer_counts_from_nothing(sqs, queue_url, orders):
    for n, order in enumerate(orders):
        _send(sqs, queue_url, order, order["customer"], f"order-{n}")


def producer_id_of_the_minute(sqs, queue_url, orders):
    for order in orders:
        _send(sqs, queue_url, order, order["customer"], f"{order['id']}-{int(time.time() // 60)}")


def producer_id_of_the_day(sqs, queue_url, orders):
    for order in orders:
        _send(sqs, queue_url, order, order["customer"], f"{order['id']}-{datetime.now():%Y%m%d}")


def producer_at_once(sqs, queue_url, orders):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda order: _send(sqs, queue_url, order, order["customer"], order["id"]), orders))


def producer_a_thread_for_each_customer(sqs, queue_url, orders):
    def send_all(customer):
        for order in orders:
            if order["customer"] == customer:
                _send(sqs, queue_url, order, customer, order["id"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send_all, {order["customer"] for order in orders}))


def producer_sorts_the_ids_as_texts(sqs, queue_url, orders):
    for order in sorted(orders, key=lambda order: order["id"]):
        _send(sqs, queue_url, order, order["customer"], order["id"])


def producer_looks_into_the_queue_first(sqs, queue_url, orders):
    there = {message["Body"] for message in _receive(sqs, queue_url, 10)}
    for order in orders:
        if order["text"] not in there:
            _send(sqs, queue_url, order, order["customer"], order["id"])


# ---- 03.throughput ---------------------------------------------------------------------------------------------------


def _sent(sqs, queue_url, positions, id=lambda p: p["text"]):
    """The positions of a call that failed."""
    entries = [
        {"Id": str(i), "MessageBody": p["text"], "MessageGroupId": p["truck"], "MessageDeduplicationId": id(p)}
        for i, p in enumerate(positions)
    ]
    failed = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
    return [positions[int(entry["Id"])] for entry in failed]


def _paced(sqs, queue_url, positions, rate, **how):
    """Ten at a time, what failed before all others; so many calls a second."""
    start, calls = time.monotonic(), 0
    while positions:
        time.sleep(max(0, start + calls / rate - time.monotonic()))
        positions, calls = _sent(sqs, queue_url, positions[:10], **how) + positions[10:], calls + 1


def throughput_ignores_what_failed(sqs, queue_url, positions, senders):
    start = time.monotonic()
    for n in range(0, len(positions), 10):
        time.sleep(max(0, start + n / 10 * senders / 300 - time.monotonic()))
        _batch(sqs, queue_url, positions[n : n + 10])


def throughput_what_failed_last(sqs, queue_url, positions, senders):
    start, calls = time.monotonic(), 0
    while positions:
        time.sleep(max(0, start + calls * senders / 300 - time.monotonic()))
        positions, calls = positions[10:] + _sent(sqs, queue_url, positions[:10]), calls + 1


def throughput_truck_after_truck(sqs, queue_url, positions, senders):
    _paced(sqs, queue_url, sorted(positions, key=lambda p: p["truck"]), 300 / senders)


def throughput_id_of_the_truck(sqs, queue_url, positions, senders):
    _paced(sqs, queue_url, positions, 300 / senders, id=lambda p: p["truck"])


def throughput_for_four_senders(sqs, queue_url, positions, senders):
    _paced(sqs, queue_url, positions, 75)


def throughput_as_if_alone(sqs, queue_url, positions, senders):
    _paced(sqs, queue_url, positions, 300)


def throughput_tries_until_it_works(sqs, queue_url, positions, senders):
    for n in range(0, len(positions), 10):
        left = positions[n : n + 10]
        while left:
            try:
                left = _sent(sqs, queue_url, left)
            except sqs.exceptions.ClientError:
                time.sleep(0.1)


def throughput_a_second_at_a_time(sqs, queue_url, positions, senders):
    start, calls = time.monotonic(), 0
    while positions:
        seconds, more = divmod(calls, 300 // senders)
        if not more:
            time.sleep(max(0, start + seconds - time.monotonic()))
        positions, calls = _sent(sqs, queue_url, positions[:10]) + positions[10:], calls + 1


def throughput_by_the_clock(sqs, queue_url, positions, senders):
    start, calls = datetime.now(), 0
    while positions:
        time.sleep(max(0, calls * senders / 300 - (datetime.now() - start).total_seconds()))
        positions, calls = _sent(sqs, queue_url, positions[:10]) + positions[10:], calls + 1


# ---- 03.consumer -----------------------------------------------------------------------------------------------------


def consumer_with_finally(sqs, queue_url, process):
    while True:
        for message in _receive(sqs, queue_url, 1):
            try:
                process(message["Body"])
            finally:
                _delete(sqs, queue_url, message)


def consumer_five_tries(sqs, queue_url, process):
    while True:
        for message in _receive(sqs, queue_url, 1):
            for _ in range(5):
                try:
                    process(message["Body"])
                    break
                except Exception:
                    pass
            _delete(sqs, queue_url, message)


def consumer_all_at_once(sqs, queue_url, process):
    def work(message):
        process(message["Body"])
        _delete(sqs, queue_url, message)

    with ThreadPoolExecutor(10) as pool:
        while True:
            for message in _receive(sqs, queue_url, 10):
                pool.submit(work, message)


def consumer_hides_a_batch_for_two_minutes(sqs, queue_url, process):  # once failed: there was no time for its tries
    while True:
        ask = {"QueueUrl": queue_url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, "VisibilityTimeout": 120}
        for message in sqs.receive_message(**ask).get("Messages", []):
            try:
                process(message["Body"])
            except Exception:
                break
            _delete(sqs, queue_url, message)


def consumer_of_the_resource(sqs, queue_url, process):
    queue = boto3.resource("sqs").Queue(queue_url)
    while True:
        for message in queue.receive_messages(MaxNumberOfMessages=1, WaitTimeSeconds=20):
            try:
                process(message.body)
            except Exception as error:
                print("later again:", error)
            else:
                message.delete()


# ---- 03.stuck --------------------------------------------------------------------------------------------------------


def stuck_sends_again(sqs, queue_url, in_hand):
    for message in in_hand:
        ids = {"MessageGroupId": "freed", "MessageDeduplicationId": str(uuid.uuid4())}
        sqs.send_message(QueueUrl=queue_url, MessageBody=message["Body"], **ids)
        _delete(sqs, queue_url, message)
    _bury_after(sqs, queue_url, 3)


def stuck_frees_the_first(sqs, queue_url, in_hand):
    _give_back(sqs, queue_url, in_hand[:1])
    _bury_after(sqs, queue_url, 3)


def stuck_buries_after_a_hundred(sqs, queue_url, in_hand):
    _give_back(sqs, queue_url, in_hand)
    _bury_after(sqs, queue_url, 100)


def stuck_shows_all_at_once(sqs, queue_url, in_hand):
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "0"})
    _bury_after(sqs, queue_url, 3)


def stuck_in_a_batch(sqs, queue_url, in_hand):
    entries = [
        {"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
        for message in in_hand
    ]
    if entries:
        sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
    _bury_after(sqs, queue_url, 5)


WRONG = [
    ("03.groups", groups_name_of_the_key, ["same group, 'order'", "between order-1 and order-2: give them two groups"]),
    ("03.groups", groups_with_the_event, ["of one order must be handled", "'order-1-placed' and 'order-1-paid'"]),
    ("03.groups", groups_the_first_value, ["of one order must be handled in order", "'placed' and 'paid'"]),
    ("03.producer", producer_counts_from_nothing, ["2 orders of 'tea', but 1 message", "'order-0'", "need two ids"]),
    ("03.producer", producer_id_of_the_minute, ["one order is there twice", r"'order-1-\d+' and 'order-1-\d+'"]),
    ("03.producer", producer_at_once, ["The orders of bob are cake, milk", "each when the one before was answered"]),
    (
        "03.producer",
        producer_sorts_the_ids_as_texts,
        [
            "Nobody gets them in this order",
            r"Number \d+ of bob is '\w+' there, and '\w+' in the list",
            "as they stand in",
        ],
    ),
    ("03.producer", producer_looks_into_the_queue_first, ["2 orders of 'tea', but 1 message. It was never sent"]),
    ("03.throughput", throughput_ignores_what_failed, ["positions are in the queue", "listed them under Failed"]),
    ("03.throughput", throughput_what_failed_last, ["before truck-1:1.", "send what failed before you send more"]),
    ("03.throughput", throughput_truck_after_truck, ["before truck-1:1.", "no two positions of a truck into one"]),
    ("03.throughput", throughput_id_of_the_truck, ["as repetitions", "'truck-4' .* Each position needs its own"]),
    ("03.throughput", throughput_for_four_senders, [r"took 2\.7 s", "225 calls a second"]),
    ("03.throughput", throughput_as_if_alone, [r"refused \d+ calls?", r"wait until n\*senders/300 seconds"]),
    ("03.throughput", throughput_tries_until_it_works, [r"refused \d+ calls?", r"wait until n\*senders/300 seconds"]),
    ("03.consumer", consumer_with_finally, ["raised WorkFailed", "Catch it around this order, and leave its message"]),
    ("03.consumer", consumer_five_tries, ["is lost: consumer-1 deleted its message", "before its work was done"]),
    (
        "03.consumer",
        consumer_all_at_once,
        ["began order-3", "before order-1 of the same customer was done", "one after the other"],
    ),
    ("03.stuck", stuck_sends_again, ["free deleted order-1", "sent it again as a new message", "Leave the message"]),
    ("03.stuck", stuck_frees_the_first, ["order-2 is still in the queue", "in flight until 43200.0 s"]),
    ("03.stuck", stuck_buries_after_a_hundred, ["still in the queue: received 19 times", "after maxReceiveCount"]),
    ("03.stuck", stuck_shows_all_at_once, ["VisibilityTimeout"]),
]
RIGHT = [
    ("03.producer", producer_id_of_the_day),
    ("03.producer", producer_a_thread_for_each_customer),
    ("03.throughput", throughput_a_second_at_a_time),
    ("03.throughput", throughput_by_the_clock),
    ("03.consumer", consumer_hides_a_batch_for_two_minutes),
    ("03.consumer", consumer_of_the_resource),
    ("03.stuck", stuck_in_a_batch),
]
