"""Wrong answers to lab 01's exercises, as learners write them, each with what the verdict must say."""

import json
import math
import time

# ---- 01.producer -----------------------------------------------------------------------------------------------------


def producer_ignores_failed(sqs, queue_url, orders):
    for start in range(0, len(orders), 10):
        entries = [{"Id": str(i), "MessageBody": order} for i, order in enumerate(orders[start : start + 10])]
        sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)


def producer_tries_twice(sqs, queue_url, orders):
    for start in range(0, len(orders), 10):
        entries = [{"Id": str(i), "MessageBody": order} for i, order in enumerate(orders[start : start + 10])]
        failed = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
        if failed:
            sqs.send_message_batch(QueueUrl=queue_url, Entries=[entries[int(entry["Id"])] for entry in failed])


def producer_resends_whole_batches(sqs, queue_url, orders):
    for start in range(0, len(orders), 10):
        entries = [{"Id": str(i), "MessageBody": order} for i, order in enumerate(orders[start : start + 10])]
        while sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed"):
            pass


def producer_one_by_one(sqs, queue_url, orders):
    for order in orders:
        sqs.send_message(QueueUrl=queue_url, MessageBody=order)


def producer_full_batches_only(sqs, queue_url, orders):
    for start in range(0, len(orders) - 9, 10):
        entries = [{"Id": str(i), "MessageBody": order} for i, order in enumerate(orders[start : start + 10])]
        sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)


def producer_sends_all_at_once(sqs, queue_url, orders):
    sqs.send_message_batch(QueueUrl=queue_url, Entries=[{"Id": order, "MessageBody": order} for order in orders])


def producer_fails_on_nothing(sqs, queue_url, orders):
    left = list(orders)
    while True:
        entries = [{"Id": str(i), "MessageBody": order} for i, order in enumerate(left[:10])]
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        left = [left[int(entry["Id"])] for entry in answer.get("Failed", [])] + left[10:]
        if not left:
            return


def producer_empties_the_list(sqs, queue_url, orders):
    while orders:
        entries = [{"Id": str(i), "MessageBody": order} for i, order in enumerate(orders[:10])]
        failed = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])
        orders[:10] = [orders[int(entry["Id"])] for entry in failed]


# ---- 01.consumer -----------------------------------------------------------------------------------------------------


def consumer_deletes_first(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            process(message["Body"])


def consumer_never_deletes(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            process(message["Body"])


def consumer_short_polls(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def consumer_short_polls_each_second(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        time.sleep(1)


def consumer_takes_one(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def consumer_stops_when_empty(sqs, queue_url, process):
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20).get(
        "Messages"
    ):
        for message in messages:
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def consumer_expects_messages(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer["Messages"]:
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def consumer_passes_the_message(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            process(message)
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


# ---- 01.idempotent ---------------------------------------------------------------------------------------------------


def _charging(charge):
    """A consumer that calls `charge(ledger, message, order)` for each message, then deletes it."""

    def consumer(sqs, queue_url, ledger):
        while True:
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            for message in answer.get("Messages", []):
                charge(ledger, message, json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    return consumer


idempotent_no_check = _charging(lambda ledger, message, order: ledger.charge(order["order_id"], order["amount"]))
idempotent_by_message = _charging(
    lambda ledger, message, order: ledger.charge_once(message["MessageId"], order["amount"])
)


@_charging
def idempotent_check_then_act(ledger, message, order):
    if not ledger.charged(order["order_id"]):
        ledger.charge(order["order_id"], order["amount"])


def idempotent_in_memory(sqs, queue_url, ledger):
    seen = set()
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            order = json.loads(message["Body"])
            if order["order_id"] not in seen:
                ledger.charge(order["order_id"], order["amount"])
                seen.add(order["order_id"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


charged_before = set()


@_charging
def idempotent_in_global(ledger, message, order):
    if order["order_id"] not in charged_before:
        ledger.charge(order["order_id"], order["amount"])
        charged_before.add(order["order_id"])


def idempotent_seen_messages(sqs, queue_url, ledger):
    seen = set()
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            order = json.loads(message["Body"])
            if message["MessageId"] not in seen:
                seen.add(message["MessageId"])
                ledger.charge(order["order_id"], order["amount"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def idempotent_deletes_first(sqs, queue_url, ledger):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            order = json.loads(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            ledger.charge_once(order["order_id"], order["amount"])


def idempotent_keeps_repeats(sqs, queue_url, ledger):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            order = json.loads(message["Body"])
            if ledger.charge_once(order["order_id"], order["amount"]):
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


# ---- 01.fleet --------------------------------------------------------------------------------------------------------


def fleet_for_the_average(rate, work, factor, length):
    return math.ceil(rate * work)


def fleet_for_the_peak(rate, work, factor, length):
    return math.ceil(rate * factor * work)


def fleet_forgets_the_work(rate, work, factor, length):
    return math.ceil(max(rate * work, rate * factor * work * length / (length + 30)))


def fleet_of_halves(rate, work, factor, length):
    return max(rate * work, rate * factor * work * length / (length + 30 - work))


# ---- 01.challenge ----------------------------------------------------------------------------------------------------


def challenge_one_by_one(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def challenge_too_lazy(sqs, queue_url, process):
    while True:
        time.sleep(100)
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def challenge_without_deletes(sqs, queue_url, process):
    while True:
        time.sleep(58)
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20, VisibilityTimeout=43200
        )
        for message in answer.get("Messages", []):
            process(message["Body"])


WRONG = [  # the exercise, the answer, and patterns of which the verdict must show every one
    ("01.producer", producer_ignores_failed, ["order-1 is not in the queue after 1 call.", "Failed", "1 order"]),
    (
        "01.producer",
        producer_tries_twice,
        ["not in the queue after 2 calls", "as often as it takes", "2 calls with failing entries"],
    ),
    ("01.producer", producer_resends_whole_batches, ["was sent twice, though SQS had answered", "2 orders"]),
    ("01.producer", producer_one_by_one, ["12 orders took 12 calls; 2 would do"]),
    ("01.producer", producer_full_batches_only, ["order-11 is not in the queue: it was never sent"]),
    ("01.producer", producer_sends_all_at_once, ["TooManyEntriesInBatchRequest", "line "]),
    ("01.producer", producer_fails_on_nothing, ["EmptyBatchRequest", "0 orders"]),
    (
        "01.consumer",
        consumer_deletes_first,
        ["order-1 is lost", "before its work was done, and then crashed", "1 order, 1 consumer"],
    ),
    ("01.consumer", consumer_never_deletes, ["still in the queue", r"received \d+ times and processed \d+ times"]),
    ("01.consumer", consumer_short_polls, ["ReceiveMessage calls that brought nothing", "WaitTimeSeconds=20"]),
    ("01.consumer", consumer_short_polls_each_second, [r"made \d+ calls in 5 minutes", "15 would do"]),
    ("01.consumer", consumer_takes_one, ["12 orders took 12 receives; 2 would do", "MaxNumberOfMessages=10"]),
    ("01.consumer", consumer_stops_when_empty, ["Your function returned at", "runs for ever"]),
    (
        "01.consumer",
        consumer_expects_messages,
        ["KeyError: 'Messages'", r"line \d+: for message in answer\[\"Messages\"\]:"],
    ),
    ("01.consumer", consumer_passes_the_message, ["called with the whole message", r"process\(message\[\"Body\"\]\)"]),
    (
        "01.idempotent",
        idempotent_no_check,
        ["order-1 was charged twice", "(brought its copy back|Two MessageIds, one order)", "1 order, 1 consumer"],
    ),
    (
        "01.idempotent",
        idempotent_in_memory,
        ["order-1 was charged twice", "(crashed at .* after it had charged and before it deleted|by consumer-2)"],
    ),
    ("01.idempotent", idempotent_in_global, ["charged twice", "keeps something in `charged_before`"]),
    ("01.idempotent", idempotent_check_then_act, ["Asking and charging must be one step", "2 consumers"]),
    ("01.idempotent", idempotent_seen_messages, ["charged twice", "(Two MessageIds, one order|crashed at)"]),
    ("01.idempotent", idempotent_by_message, ["which is the MessageId of a message about order-1"]),
    ("01.idempotent", idempotent_deletes_first, ["order-1 was never charged", "before the charge, and then crashed"]),
    ("01.idempotent", idempotent_keeps_repeats, ["was charged, but a message about it is still in the queue"]),
    ("01.fleet", fleet_for_the_average, ["cannot keep up: the oldest message became", "rate .* factor"]),
    ("01.fleet", fleet_for_the_peak, ["are too many: ", "keep up as well"]),
    ("01.fleet", fleet_forgets_the_work, ["3 consumers cannot keep up", "3[0-9].[0-9] s old"]),
    ("01.fleet", fleet_of_halves, ["A fleet is a whole number of consumers"]),
    ("01.challenge", challenge_one_by_one, [r"took 6,\d+ calls; the target is 4,000", "brought nothing"]),
    ("01.challenge", challenge_too_lazy, ["One order in 20 took more than"]),
    ("01.challenge", challenge_without_deletes, ["still in the queue"]),
]
