"""Answers of somebody who did labs 01 to 05 anew: subtle wrong ones, of which some once passed; unusual right ones."""

import hashlib
import json
import threading
import time

_TEN = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}
_ONE = {"MaxNumberOfMessages": 1, "WaitTimeSeconds": 20}


def _received(sqs, queue_url, **how):
    return sqs.receive_message(QueueUrl=queue_url, **how).get("Messages", [])


def _delete(sqs, queue_url, message):
    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


# ---- lab 01 ----------------------------------------------------------------------------------------------------------


def _send_ten(sqs, queue_url, orders):
    entries = [{"Id": str(i), "MessageBody": order} for i, order in enumerate(orders)]
    return sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)


def producer_forgets_a_refused_batch(sqs, queue_url, orders):  # once passed
    left = list(orders)
    while left:
        batch, left = left[:10], left[10:]
        try:
            answer = _send_ten(sqs, queue_url, batch)
        except Exception:
            continue
        left += [batch[int(failed["Id"])] for failed in answer.get("Failed", [])]


def producer_knows_texts_only(sqs, queue_url, orders):
    left = list(orders)
    while left:
        batch = left[:10]
        taken = {batch[int(entry["Id"])] for entry in _send_ten(sqs, queue_url, batch).get("Successful", [])}
        left = [order for order in left if order not in taken]


def producer_strips_spaces(sqs, queue_url, orders):
    producer_recursive(sqs, queue_url, [order.strip() for order in orders])


def producer_recursive(sqs, queue_url, orders):
    if orders:
        batch = orders[:10]
        failed = _send_ten(sqs, queue_url, batch).get("Failed", ())
        producer_recursive(sqs, queue_url, [batch[int(entry["Id"])] for entry in failed] + list(orders[10:]))


def consumer_skips_texts_it_knows(sqs, queue_url, process):  # once passed
    seen = set()
    while True:
        for message in _received(sqs, queue_url, **_TEN):
            if message["Body"] not in seen:
                seen.add(message["Body"])
                process(message["Body"])
            _delete(sqs, queue_url, message)


def consumer_empties_the_queue(sqs, queue_url, process):
    while True:
        messages = _received(sqs, queue_url, **_TEN)
        for message in messages:
            process(message["Body"])
        if messages:
            sqs.purge_queue(QueueUrl=queue_url)


def consumer_of_a_generator(sqs, queue_url, process):
    def messages():
        while True:
            yield from _received(sqs, queue_url, **_TEN)

    for message in messages():
        process(message["Body"])
        _delete(sqs, queue_url, message)


def consumer_deletes_what_is_done_in_the_end(sqs, queue_url, process):
    while True:
        done = []
        try:
            for message in _received(sqs, queue_url, **_TEN):
                process(message["Body"])
                done.append({"Id": str(len(done)), "ReceiptHandle": message["ReceiptHandle"]})
        finally:
            if done:
                sqs.delete_message_batch(QueueUrl=queue_url, Entries=done)


def _charging(charge):
    def consumer(sqs, queue_url, ledger):
        while True:
            for message in _received(sqs, queue_url, **_TEN):
                order = json.loads(message["Body"])
                charge(ledger, order["order_id"], order["amount"])
                _delete(sqs, queue_url, message)

    return consumer


@_charging
def idempotent_in_whole_coins(ledger, order, amount):  # once passed
    ledger.charge_once(order, int(amount))


@_charging
def idempotent_behind_a_lock(ledger, order, amount):
    with threading.Lock():
        if not ledger.charged(order):
            ledger.charge(order, amount)


# ---- lab 02 ----------------------------------------------------------------------------------------------------------


def _beating(beat, failed=lambda sqs, target: None):
    def consumer(sqs, queue_url, begin):
        while True:
            for message in _received(sqs, queue_url, **_ONE):
                target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                work, steps = begin(message["Body"]), 0
                try:
                    while work.step():
                        steps += 1
                        beat(sqs, target, steps)
                except Exception:
                    failed(sqs, target)
                    continue
                sqs.delete_message(**target)

    return consumer


@_beating
def heartbeat_that_grows(sqs, target, steps):
    sqs.change_message_visibility(**target, VisibilityTimeout=30 * steps)


@_beating
def heartbeat_at_every_third_step(sqs, target, steps):
    if steps % 3 == 0:
        sqs.change_message_visibility(**target, VisibilityTimeout=30)


heartbeat_hands_back_at_once = _beating(
    lambda sqs, target, steps: sqs.change_message_visibility(**target, VisibilityTimeout=30),
    lambda sqs, target: sqs.change_message_visibility(**target, VisibilityTimeout=0),
)


def poison_tried_three_times_in_one_receive(sqs, queue_url, process):
    while True:
        for message in _received(sqs, queue_url, **_ONE):
            for _ in range(3):  # 9 s; the visibility timeout is 10 s
                try:
                    process(message["Body"])
                except Exception:
                    continue
                _delete(sqs, queue_url, message)
                break


def poison_counted_in_memory(sqs, queue_url, process):
    tries = {}
    while True:
        for message in _received(sqs, queue_url, **_ONE):
            try:
                process(message["Body"])
            except Exception:
                tries[message["Body"]] = tries.get(message["Body"], 0) + 1
                if tries[message["Body"]] < 3:
                    continue
            _delete(sqs, queue_url, message)


# ---- lab 03 ----------------------------------------------------------------------------------------------------------

_KEYS = {"shop": "order", "trucks": "truck", "chat": "room"}


def groups_in_thirty_buckets(system, message):  # once passed
    return str(int(hashlib.md5(message[_KEYS[system]].encode()).hexdigest(), 16) % 30)


def groups_with_a_digest(system, message):
    return hashlib.sha256(message[_KEYS[system]].encode()).hexdigest()


def producer_goes_on_after_a_refusal(sqs, queue_url, orders):
    for order in orders:
        ids = {"MessageGroupId": order["customer"], "MessageDeduplicationId": order["id"]}
        try:
            sqs.send_message(QueueUrl=queue_url, MessageBody=order["text"], **ids)
        except Exception:
            pass


def consumer_tries_until_it_works(sqs, queue_url, process):  # once passed
    while True:
        for message in _received(sqs, queue_url, **_ONE):
            while True:
                try:
                    process(message["Body"])
                    break
                except Exception:
                    pass
            _delete(sqs, queue_url, message)


def consumer_gives_back_at_once(sqs, queue_url, process):
    while True:
        for message in _received(sqs, queue_url, **_ONE):
            target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            try:
                process(message["Body"])
            except Exception:
                sqs.change_message_visibility(**target, VisibilityTimeout=0)
            else:
                sqs.delete_message(**target)


# ---- labs 04b and 05 -------------------------------------------------------------------------------------------------


def publisher_goes_on_after_a_refusal(sns, sqs, topic_name, queue_names, events):
    from exercises.lab04b_ordered_answers import wire_fifo

    topic = wire_fifo(sns, sqs, topic_name, queue_names)
    for event in events:
        ids = {"MessageGroupId": event["customer"], "MessageDeduplicationId": event["id"]}
        try:
            sns.publish(TopicArn=topic, Message=json.dumps(event), **ids)
        except Exception:
            pass


def _putting(most, refused):
    def put(kinesis, stream_name, records):
        left = [{"Data": record["data"], "PartitionKey": record["key"]} for record in records]
        while left:
            batch, left = left[:most], left[most:]
            try:
                answer = kinesis.put_records(StreamName=stream_name, Records=batch)
            except Exception:
                refused()
                continue
            failed = [entry for entry, result in zip(batch, answer["Records"], strict=True) if "ErrorCode" in result]
            left = failed + left
            if failed:
                time.sleep(1)

    return put


def _raise():
    raise  # what was caught


put_forgets_a_refused_call = _putting(80, lambda: None)  # once passed
put_a_hundred_of_any_size = _putting(100, _raise)  # once passed


def keys_of_the_last_word(system, record):  # once passed
    return record[{"trucks": "truck", "clicks": "session", "machines": "machine"}[system]].split()[-1]


WRONG = [
    (
        "01.producer",
        producer_forgets_a_refused_batch,
        ["order-1 is not in the queue. AWS refused SendMessageBatch 5 times", "Let the exception out"],
    ),
    ("01.producer", producer_knows_texts_only, ["It is in the list twice, and in the queue once"]),
    ("01.producer", producer_strips_spaces, ["There is a message 'two spaces'", "Send each order as it is"]),
    (
        "01.consumer",
        consumer_skips_texts_it_knows,
        ["order-11 is lost: consumer-1 deleted", "order-1 has the same text, and is another order"],
    ),
    ("01.consumer", consumer_empties_the_queue, [r"order-\d+ is lost: consumer-1 emptied queue 'orders'"]),
    ("01.idempotent", idempotent_in_whole_coins, ["order-1 was charged 10, but its amount is 10.5"]),
    ("01.idempotent", idempotent_behind_a_lock, ["charged twice", "Asking and charging must be one step"]),
    ("02.heartbeat", heartbeat_that_grows, ["the work of consumer-1 failed, and order-1 stayed hidden until"]),
    ("02.poison", poison_counted_in_memory, ["order-1 always fails, and consumer-1 deleted it", "it is lost"]),
    ("03.groups", groups_in_thirty_buckets, ["same group", "Nothing demands an order between order-"]),
    (
        "03.producer",
        producer_goes_on_after_a_refusal,
        ["but 1 message. AWS refused SendMessage 5 times", "as if nothing were"],
    ),
    (
        "03.consumer",
        consumer_tries_until_it_works,
        ["visible again at 30", "it had failed 7 times since it was received", "Leave what failed"],
    ),
    ("04b.ordered", publisher_goes_on_after_a_refusal, ["event-1 is not in queue .* AWS refused Publish 5 times"]),
    ("05.producer", put_forgets_a_refused_call, ["3 records of 3 are not in the stream", "AWS refused PutRecords 5"]),
    ("05.producer", put_a_hundred_of_any_size, ["Records size exceeds 5 MB limit"]),
    ("05.keys", keys_of_the_last_word, ["Machine 'press 1' and machine 'saw 1' have the same key '1'"]),
]

RIGHT = [
    ("01.producer", producer_recursive),
    ("01.consumer", consumer_of_a_generator),
    ("01.consumer", consumer_deletes_what_is_done_in_the_end),
    ("02.heartbeat", heartbeat_at_every_third_step),
    ("02.heartbeat", heartbeat_hands_back_at_once),
    ("02.poison", poison_tried_three_times_in_one_receive),
    ("03.groups", groups_with_a_digest),
    ("03.consumer", consumer_gives_back_at_once),
]
