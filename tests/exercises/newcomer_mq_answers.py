"""Answers of somebody who did lab 07 anew: wrong ones of which some once passed, or were told a wrong cause; right."""

import queue
import threading

import stomp
from exercises.lab07_answers import _settings
from exercises.lab07_more_answers import _wire_queues

# ---- 07.producer, 07.consumer ----------------------------------------------------------------------------------------


def send_in_transactions_without_receipts(connect, orders):
    connection = connect(stomp.ConnectionListener())
    transaction = connection.begin()
    for order in orders:
        connection.send("/queue/orders", order, headers={"persistent": "true"}, transaction=transaction)
    connection.commit(transaction)
    threading.Event().wait(1)


def send_with_a_mailbox(connect, orders):
    """Right, in another way: one queue for the receipts and the ends of all connections."""
    box, made = queue.Queue(), []

    class Ear(stomp.ConnectionListener):
        def on_receipt(self, frame):
            box.put((self, frame.headers["receipt-id"]))

        def on_disconnected(self):
            box.put((self, None))

    def connected():
        made.append(Ear())
        return connect(made[-1])

    connection = connected()
    for n, order in enumerate(orders):
        while True:
            try:
                connection.send("/queue/orders", order, persistent="true", receipt=f"r{n}")
                while (told := box.get())[0] is not made[-1]:
                    pass
            except stomp.exception.StompException:
                told = None, None
            if told[1] == f"r{n}":
                break
            connection = connected()


def _charging(connect, handle):
    """Calls `handle(connection, frame)` in the listener."""
    gone = threading.Event()

    class Ear(stomp.ConnectionListener):
        def on_message(self, frame):
            handle(connection, frame)

        def on_disconnected(self):
            gone.set()

    while True:
        gone.clear()
        connection = connect(Ear())
        connection.subscribe("/queue/orders", id="1", ack="client-individual")
        gone.wait()


def consumer_cleans_the_name(connect, book):  # once passed: all names were tame
    def handle(connection, frame):
        order = frame.body.strip().lower()
        if not book.charged(order):
            book.charge(order)
        connection.ack(frame.headers["ack"])

    _charging(connect, handle)


def consumer_pushed_all_acknowledges_the_message_id(connect, book):  # was told to acknowledge
    def handle(connection, frame):
        if not book.charged(frame.body):
            book.charge(frame.body)
        connection.ack(frame.headers["message-id"])

    _charging(connect, handle)


def consumer_acknowledges_in_transactions(connect, book):
    """Right, in another way."""

    def handle(connection, frame):
        if not book.charged(frame.body):
            book.charge(frame.body)
        transaction = connection.begin()
        connection.ack(frame.headers["ack"], transaction=transaction)
        connection.commit(transaction)

    _charging(connect, handle)


# ---- 07.routes, 07.night ---------------------------------------------------------------------------------------------


def wire_until_the_last_consumer(channel):  # once passed: no consumer came before the messages
    _wire_queues(channel, auto_delete=True)


def wire_through_another_exchange(channel):
    """Right, in another way: an exchange bound to an exchange, and a topic exchange for the rest."""
    channel.exchange_declare("others", "topic", durable=True)
    channel.exchange_declare("orders", "topic", durable=True, arguments={"alternate-exchange": "others"})
    channel.exchange_declare("korean", "fanout", durable=True)
    channel.exchange_bind(destination="korean", source="orders", routing_key="kr.#")
    ways = {"korea": ("korean", ""), "payments": ("orders", "*.payment.#"), "urgent": ("orders", "#.high")}
    for name, (exchange, pattern) in {**ways, "rest": ("others", "#")}.items():
        channel.queue_declare(name, durable=True)
        channel.queue_bind(name, exchange, pattern)


def settings_without_jitter(hosts):  # was told of all five, and of none that it lacked
    chosen = _settings(hosts)
    del chosen["jitter"]
    return chosen


# ---- 07.move ---------------------------------------------------------------------------------------------------------


def _packing(sqs, queue_url, dead_url, pack, is_bad):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            handle = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            try:
                pack(message["Body"])
            except Exception as error:
                if not is_bad(error):
                    continue
                sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
            sqs.delete_message(**handle)


def move_looks_at_the_type(sqs, queue_url, dead_url, pack):  # once passed: every ValueError was one and no more
    _packing(sqs, queue_url, dead_url, pack, lambda error: type(error) is ValueError)


def move_lets_other_errors_out(sqs, queue_url, dead_url, pack):  # once passed: whoever ended was started again
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            try:
                pack(message["Body"])
            except ValueError:
                sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def move_asks_what_it_is(sqs, queue_url, dead_url, pack):
    """Right, in another way."""
    _packing(sqs, queue_url, dead_url, pack, lambda error: isinstance(error, ValueError))


def wire_with_an_alternate_that_goes(channel):
    channel.exchange_declare("other", "fanout")
    channel.exchange_declare("orders", "topic", durable=True, arguments={"alternate-exchange": "other"})
    for queue_, key in {"korea": "kr.#", "payments": "*.payment.#", "urgent": "#.high"}.items():
        channel.queue_declare(queue_, durable=True)
        channel.queue_bind(queue_, "orders", key)
    channel.queue_declare("rest", durable=True)
    channel.queue_bind("rest", "other")


WRONG = [
    (
        "07.routes",
        wire_with_an_alternate_that_goes,
        ["'other' is not there", "not durable goes when the broker restarts"],
    ),
    ("07.producer", send_in_transactions_without_receipts, ["not in the store in the end", "Ask for a receipt"]),
    ("07.consumer", consumer_cleans_the_name, ["charge was called with", "frame.body, as it came"]),
    (
        "07.consumer",
        consumer_pushed_all_acknowledges_the_message_id,
        ["still in orders. At .* answered with an error", 'headers\\["ack"'],
    ),
    ("07.routes", wire_until_the_last_consumer, ["There is no queue", "A consumer came and went", "auto_delete"]),
    ("07.night", settings_without_jitter, ["Your dict lacks 'jitter'"]),
    ("07.move", move_lets_other_errors_out, ["Your function raised", "nobody starts it again", "went on: catch it"]),
    ("07.move", move_looks_at_the_type, ["pack raised UnknownArticle", "except ValueError catches both"]),
]

RIGHT = [
    ("07.producer", send_with_a_mailbox),
    ("07.consumer", consumer_acknowledges_in_transactions),
    ("07.routes", wire_through_another_exchange),
    ("07.move", move_asks_what_it_is),
]
