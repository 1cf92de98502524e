"""Answers of somebody who did lab 07 anew: wrong ones of which some once passed, or were told a wrong cause; right."""

import itertools
import queue
import threading
import time
from contextlib import suppress

import stomp
from exercises.lab07_answers import _RIGHT, _settings, _wire
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


class Mailbox(stomp.ConnectionListener):
    """Keeps what comes. `ask(frame)` is called for each message as it comes, and what it gives is kept with it."""

    def __init__(self, ask=lambda frame: None):
        self.ask, self.messages, self.receipts = ask, [], set()

    def on_message(self, frame):
        self.messages.append((frame, self.ask(frame)))

    def on_receipt(self, frame):
        self.receipts.add(frame.headers["receipt-id"])


def _in_batches(connect, orders, size, receipts_for, left):
    """Send so many at once, wait for receipts, and send again what is `left` without one."""
    box = Mailbox()
    connection = connect(box)
    for begin in range(0, len(orders), size):
        todo = {f"r{begin + n}": order for n, order in enumerate(orders[begin : begin + size])}
        while todo:
            wanted = receipts_for(todo)
            for receipt, order in todo.items():
                sure = {"persistent": "true"} | ({"receipt": receipt} if receipt in wanted else {})
                with suppress(stomp.exception.StompException):
                    connection.send("/queue/orders", order, headers=sure)
            while connection.is_connected() and not wanted <= box.receipts:
                time.sleep(0.01)
            todo = left(todo, box.receipts)
            if todo:
                connection = connect(box)


def send_the_last_of_ten_again(connect, orders):
    def left(todo, receipts):
        last = list(todo)[-1]
        return {} if last in receipts else {last: todo[last]}

    _in_batches(connect, orders, 10, lambda todo: {list(todo)[-1]}, left)


def send_in_batches(connect, orders):
    """Right, in another way: five at once, and again what has no receipt."""
    _in_batches(connect, orders, 5, set, lambda todo, got: {key: todo[key] for key in todo if key not in got})


def _charge_unless(connect, book, ask, is_charged):
    """`ask(frame)` as a message comes, `is_charged(what that gave, frame, how many came before it)` in its turn."""
    while True:
        box = Mailbox(ask)
        connection = connect(box)
        connection.subscribe("/queue/orders", id="1", ack="client-individual")
        count = 0
        while connection.is_connected():
            if len(box.messages) == count:
                time.sleep(0.05)
                continue
            frame, said = box.messages[count]
            if not is_charged(said, frame, count):
                book.charge(frame.body)
            count += 1
            with suppress(stomp.exception.StompException):
                connection.ack(frame.headers["ack"])


def consumer_asks_as_it_comes(connect, book):  # was told of two threads
    _charge_unless(connect, book, lambda frame: book.charged(frame.body), lambda said, frame, n: said)


def consumer_asks_for_the_first(connect, book):
    _charge_unless(connect, book, lambda frame: None, lambda said, frame, n: n == 0 and book.charged(frame.body))


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


def consumer_acknowledges_first_in_its_listener(connect, book):  # once passed: stomp.py had not written it yet
    def handle(connection, frame):
        connection.ack(frame.headers["ack"])
        if not book.charged(frame.body):
            book.charge(frame.body)

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


def _confirming(connect, orders, wait, persistent="true"):
    """One order after the other, each again until its receipt is there. `wait` gets the receipts and a flag: is the
    first connection gone?"""
    receipts, gone = threading.Semaphore(0), threading.Event()

    class Ear(stomp.ConnectionListener):
        def on_receipt(self, frame):
            confirmed.add(frame.headers["receipt-id"])
            receipts.release()

        def on_disconnected(self):
            gone.set()
            receipts.release()

    connection, confirmed = connect(Ear()), set()
    for n, order in enumerate(orders):
        while f"order:{n}" not in confirmed:
            try:
                connection.send("/queue/orders", order, headers={"persistent": persistent}, receipt=f"order:{n}")
            except stomp.exception.StompException:
                connection = connect(Ear())
            wait(receipts, gone)


def send_with_python_s_true(connect, orders):  # was told to write what it had nearly written
    _confirming(connect, orders, lambda receipts, gone: receipts.acquire(timeout=5), persistent=True)


def send_three_times_after_a_crash(connect, orders):  # was told of a receipt that had not come
    sent = itertools.count(1)

    def wait(receipts, gone):
        if not gone.is_set() or next(sent) % 3 == 0:
            receipts.acquire(timeout=5)

    _confirming(connect, orders, wait)


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


def settings_just_too_long(hosts):  # "was connected 5.0 s after", and 5 s are allowed
    return {"hosts": hosts, "first": 0.01, "longest": 5.0, "jitter": True, "heartbeat": 1.0}


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


def wire_rest_twice(channel):  # was told to make what it had made
    _wire(channel, _RIGHT)
    channel.queue_bind("rest", "orders", "us.#")


def settings_with_little_chance(hosts):  # was told to let chance decide, and had
    return _settings(hosts, first=0.01, longest=1.0, heartbeat=5)


def settings_with_bad_luck(hosts):  # was called a herd: five of six by chance within a tenth of half a second
    """Right, in another way."""
    return _settings(hosts, first=1.0, longest=2.0, heartbeat=5)


def move_forgets_to_delete(sqs, queue_url, dead_url, pack):  # was told to hide it for longer
    while True:
        for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20).get("Messages", []):
            try:
                pack(message["Body"])
            except ValueError:
                sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            except Exception:
                continue


def move_sends_a_copy(sqs, queue_url, dead_url, pack):  # once passed
    while True:
        for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20).get("Messages", []):
            try:
                pack(message["Body"])
            except Exception as error:
                to = dead_url if isinstance(error, ValueError) else queue_url
                sqs.send_message(QueueUrl=to, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


WRONG = [
    (
        "07.consumer",
        consumer_acknowledges_first_in_its_listener,
        [
            "acknowledged it before it was charged",
            "good luck",
            "had not written it yet",
            "First charge, then acknowledge",
        ],
    ),
    ("07.producer", send_with_python_s_true, ["persistent:True", 'Write the header as a text: "true"']),
    ("07.producer", send_three_times_after_a_crash, ["once too often", "before its first receipt came"]),
    ("07.routes", wire_rest_twice, ["'rest' got", "bound to 'orders' with 'us.#'", "Take that binding away"]),
    ("07.night", settings_with_little_chance, ["a herd", "their last wait was [0-9.]+ s", "Make first longer"]),
    ("07.move", move_forgets_to_delete, ["was packed", "Nobody deleted it", "delete_message after the work"]),
    (
        "07.routes",
        wire_with_an_alternate_that_goes,
        ["'other' is not there", "not durable goes when the broker restarts"],
    ),
    ("07.producer", send_in_transactions_without_receipts, ["not in the store in the end", "Ask for a receipt"]),
    ("07.producer", send_the_last_of_ten_again, ["of 2 orders (is|are) not in the store", "send again what has none"]),
    ("07.consumer", consumer_asks_as_it_comes, ["asked the book 2 times before the first charge", "heard no each"]),
    ("07.consumer", consumer_asks_for_the_first, ["Nobody asked the book before the second charge"]),
    ("07.consumer", consumer_cleans_the_name, ["charge was called with", "frame.body, as it came"]),
    (
        "07.consumer",
        consumer_pushed_all_acknowledges_the_message_id,
        ["still in orders. At .* answered with an error", 'headers\\["ack"'],
    ),
    ("07.routes", wire_until_the_last_consumer, ["There is no queue", "A consumer came and went", "auto_delete"]),
    ("07.night", settings_just_too_long, [r"was connected 5\.\d+ s after", "make the longest wait shorter"]),
    ("07.night", settings_without_jitter, ["Your dict lacks 'jitter'"]),
    ("07.move", move_sends_a_copy, ["was sent to orders again", "a new message", "comes again by itself"]),
    ("07.move", move_lets_other_errors_out, ["Your function raised", "nobody starts it again", "went on: catch it"]),
    ("07.move", move_looks_at_the_type, ["pack raised UnknownArticle", "except ValueError catches both"]),
]

RIGHT = [
    ("07.producer", send_with_a_mailbox),
    ("07.producer", send_in_batches),
    ("07.consumer", consumer_acknowledges_in_transactions),
    ("07.routes", wire_through_another_exchange),
    ("07.night", settings_with_bad_luck),
    ("07.move", move_asks_what_it_is),
]
