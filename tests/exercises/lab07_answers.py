"""Wrong answers to lab 07's exercises, as learners write them, each with what the verdict must say; and right ones."""

import threading
import time

import stomp

# ---- 07.producer -----------------------------------------------------------------------------------------------------


class _Ear(stomp.ConnectionListener):
    def __init__(self):
        self.frames, self.receipts, self.gone = [], set(), threading.Event()

    def on_message(self, frame):
        self.frames.append(frame)

    def on_receipt(self, frame):
        self.receipts.add(frame.headers["receipt-id"])

    def on_disconnected(self):
        self.gone.set()


def _until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


def send_and_hope(connect, orders):
    connection = connect()
    for order in orders:
        connection.send("/queue/orders", order)
    connection.disconnect()


def send_and_linger(connect, orders):
    connection = connect()
    for order in orders:
        connection.send("/queue/orders", order)
    time.sleep(1)


def send_persistent(connect, orders):
    connection = connect()
    for order in orders:
        while True:
            try:
                connection.send("/queue/orders", order, headers={"persistent": "true"})
                time.sleep(0.02)
                break
            except stomp.exception.StompException:
                connection = connect()
    connection.disconnect()


def _send_confirmed(connect, orders, persistent=True, again=None):
    ear = _Ear()
    connection = connect(ear)
    headers = {"persistent": "true"} if persistent else {}
    n = 0
    while n < len(orders):
        try:
            connection.send("/queue/orders", orders[n], headers={**headers, "receipt": f"{n}"})
            _until(lambda: f"{n}" in ear.receipts or ear.gone.is_set())  # noqa: B023
            if f"{n}" in ear.receipts:
                n += 1
                continue
        except stomp.exception.StompException:
            pass
        ear = _Ear()
        connection = connect(ear)
        if again is not None:
            n = again
    connection.disconnect()


def send_with_receipts_only(connect, orders):
    _send_confirmed(connect, orders, persistent=False)


def send_all_again(connect, orders):
    _send_confirmed(connect, orders, again=0)


def send_each_twice(connect, orders):
    _send_confirmed(connect, [order for order in orders for _ in (1, 2)])


def send_without_equal_ones(connect, orders):
    _send_confirmed(connect, list(dict.fromkeys(orders)))


def send_and_wait_for_ever(connect, orders):
    ear = _Ear()
    connection = connect(ear)
    for n, order in enumerate(orders):
        connection.send("/queue/orders", order, headers={"persistent": "true", "receipt": f"{n}"})
        while f"{n}" not in ear.receipts:
            time.sleep(0.1)


def send_to_another_queue(connect, orders):
    connection = connect()
    for order in orders:
        connection.send("/queue/order", order, headers={"persistent": "true"})
    connection.disconnect()


def send_stripped(connect, orders):
    _send_confirmed(connect, [order.strip() for order in orders])


def send_confirmed(connect, orders):
    """Right, in another way: polling."""
    _send_confirmed(connect, orders)


# ---- 07.consumer -----------------------------------------------------------------------------------------------------


def _consume(connect, book, handle, ack="client-individual"):
    while True:
        ear = _Ear()
        connection = connect(ear)
        connection.subscribe("/queue/orders", id="1", ack=ack)
        while not ear.gone.is_set():
            if not ear.frames:
                time.sleep(0.02)
                continue
            frame = ear.frames.pop(0)
            try:
                handle(connection, frame)
            except stomp.exception.StompException:
                break


def consumer_charges_all(connect, book):
    def handle(connection, frame):
        book.charge(frame.body)
        connection.ack(frame.headers["ack"])

    _consume(connect, book, handle)


def consumer_trusts_the_mark(connect, book):
    def handle(connection, frame):
        if frame.headers.get("redelivered") != "true" or not book.charged(frame.body):
            book.charge(frame.body)
        connection.ack(frame.headers["ack"])

    _consume(connect, book, handle)


def consumer_skips_what_is_marked(connect, book):
    def handle(connection, frame):
        if frame.headers.get("redelivered") != "true" and not book.charged(frame.body):
            book.charge(frame.body)
        connection.ack(frame.headers["ack"])

    _consume(connect, book, handle)


def consumer_acknowledges_first(connect, book):
    def handle(connection, frame):
        connection.ack(frame.headers["ack"])
        if not book.charged(frame.body):
            book.charge(frame.body)

    _consume(connect, book, handle)


def consumer_auto(connect, book):
    def handle(connection, frame):
        if not book.charged(frame.body):
            book.charge(frame.body)

    _consume(connect, book, handle, ack="auto")


def consumer_remembers(connect, book):
    seen = set()

    def handle(connection, frame):
        if frame.body not in seen:
            book.charge(frame.body)
            seen.add(frame.body)
        connection.ack(frame.headers["ack"])

    _consume(connect, book, handle)


def consumer_refuses_doubles(connect, book):
    def handle(connection, frame):
        if book.charged(frame.body):
            connection.nack(frame.headers["ack"])
        else:
            book.charge(frame.body)
            connection.ack(frame.headers["ack"])

    _consume(connect, book, handle)


def consumer_keeps_doubles(connect, book):
    def handle(connection, frame):
        if not book.charged(frame.body):
            book.charge(frame.body)
            connection.ack(frame.headers["ack"])

    _consume(connect, book, handle)


def consumer_connects_once(connect, book):
    ear = _Ear()
    connection = connect(ear)
    connection.subscribe("/queue/orders", id="1", ack="client-individual")
    while True:
        if not ear.frames:
            time.sleep(0.1)
            continue
        frame = ear.frames.pop(0)
        if not book.charged(frame.body):
            book.charge(frame.body)
        try:
            connection.ack(frame.headers["ack"])
        except stomp.exception.StompException:
            pass


def consumer_ends(connect, book):
    ear = _Ear()
    connection = connect(ear)
    connection.subscribe("/queue/orders", id="1", ack="client-individual")
    _until(lambda: ear.frames)
    for frame in ear.frames:
        book.charge(frame.body)
        connection.ack(frame.headers["ack"])


def consumer_of_frames(connect, book):
    def handle(connection, frame):
        book.charge(frame)

    _consume(connect, book, handle)


def consumer_in_its_listener(connect, book):
    """Right, in another way: the work is done where the message arrives."""
    while True:
        gone = threading.Event()
        made = []

        class Charges(stomp.ConnectionListener):
            def on_message(self, frame):
                if not book.charged(frame.body):
                    book.charge(frame.body)
                try:
                    made[0].ack(frame.headers["ack"])  # noqa: B023
                except stomp.exception.StompException:
                    gone.set()  # noqa: B023

            def on_disconnected(self):
                gone.set()  # noqa: B023

        made.append(connect(Charges()))
        made[0].subscribe("/queue/orders", id="1", ack="client-individual")
        gone.wait()


# ---- 07.prefetch -----------------------------------------------------------------------------------------------------


def choose_the_default(seconds, workers, may_lose):
    return "client-individual", 1000


def choose_one(seconds, workers, may_lose):
    return "client-individual", 1


def choose_auto(seconds, workers, may_lose):
    return "auto", max(1, min(1000, int(0.1 / seconds)))


def choose_auto_where_it_may_be_lost(seconds, workers, may_lose):
    return "auto" if may_lose else "client-individual", max(1, min(1000, int(0.1 / seconds)))


def choose_by_the_workers(seconds, workers, may_lose):
    return "client-individual", 100 // workers


def choose_nothing(seconds, workers, may_lose):
    return "client-individual", 0


def choose_another_mode(seconds, workers, may_lose):
    return "client-ack", 1


def choose_one_value(seconds, workers, may_lose):
    return 1


def choose_in_two_steps(seconds, workers, may_lose):
    """Right, in another way."""
    return ["client", 500] if seconds < 0.01 else ["client", 1]


# ---- 07.routes -------------------------------------------------------------------------------------------------------


def _wire(channel, patterns, kind="topic", durable=True, rest=True):
    arguments = {}
    if rest:
        channel.exchange_declare("rest", "fanout", durable=durable)
        channel.queue_declare("rest", durable=durable)
        channel.queue_bind("rest", "rest")
        arguments = {"alternate-exchange": "rest"}
    channel.exchange_declare("orders", kind, durable=durable, arguments=arguments)
    for queue, keys in patterns.items():
        channel.queue_declare(queue, durable=durable)
        for key in keys:
            channel.queue_bind(queue, "orders", key)


_RIGHT = {"korea": ["kr.#"], "payments": ["*.payment.#"], "urgent": ["#.high"]}


def wire_stars(channel):
    _wire(channel, {"korea": ["kr.*.*"], "payments": ["*.payment.*"], "urgent": ["*.*.high"]})


def wire_anywhere(channel):
    _wire(channel, _RIGHT | {"payments": ["#.payment.#"]})


def wire_without_rest(channel):
    _wire(channel, _RIGHT, rest=False)
    channel.queue_declare("rest", durable=True)


def wire_rest_gets_all(channel):
    _wire(channel, _RIGHT | {"rest": ["#"]}, rest=False)


def wire_fanout(channel):
    _wire(channel, _RIGHT, kind="fanout")


def wire_direct(channel):
    _wire(channel, _RIGHT, kind="direct")


def wire_transient(channel):
    _wire(channel, _RIGHT, durable=False)


def wire_only_the_exchange(channel):
    channel.exchange_declare("orders", "topic", durable=True)


def wire_by_hand(channel):
    """Right, in another way: each binding by itself, and a direct exchange for the rest."""
    channel.exchange_declare("other", "direct", durable=True)
    channel.exchange_declare("orders", "topic", durable=True, arguments={"alternate-exchange": "unrouted"})
    channel.exchange_declare("unrouted", "topic", durable=True)
    channel.queue_declare("rest", durable=True)
    channel.queue_bind("rest", "unrouted", "#")
    for queue, keys in {
        "korea": ["kr", "kr.#"],
        "payments": ["*.payment", "*.payment.#"],
        "urgent": ["#.high"],
    }.items():
        channel.queue_declare(queue, durable=True)
        for key in keys:
            channel.queue_bind(queue, "orders", key)


# ---- 07.night --------------------------------------------------------------------------------------------------------


def _settings(hosts, **changes):
    return {"hosts": hosts, "first": 0.5, "longest": 2.0, "jitter": True, "heartbeat": 1.0} | changes


def settings_of_the_first(hosts):
    return _settings(hosts[:1])


def settings_doubling(hosts):
    return _settings(hosts, first=0.01, longest=30.0)


def settings_in_a_hurry(hosts):
    return _settings(hosts, first=0.01, longest=0.05)


def settings_without_heartbeats(hosts):
    return _settings(hosts, heartbeat=0)


def settings_slow_heartbeats(hosts):
    return _settings(hosts, heartbeat=60)


def settings_herd(hosts):
    return _settings(hosts, jitter=False, first=2.0)


def settings_forgotten(hosts):
    return {"hosts": hosts, "longest": 2.0}


def settings_of_another_host(hosts):
    return _settings(["localhost"])


def settings_never(hosts):
    return _settings(hosts, longest=0)


def settings_constant(hosts):
    """Right, in another way: the same wait each time, with chance."""
    return _settings(list(reversed(hosts)), first=1.5, longest=1.5, heartbeat=0.5)


# ---- 07.move ---------------------------------------------------------------------------------------------------------


def _move(sqs, queue_url, handle, batch=1, wait=20):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=wait, MaxNumberOfMessages=batch)
        for message in answer.get("Messages", []):
            handle(message)


def move_delete_first(sqs, queue_url, dead_url, pack):
    def handle(message):
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        pack(message["Body"])

    _move(sqs, queue_url, handle)


def move_no_delete(sqs, queue_url, dead_url, pack):
    _move(sqs, queue_url, lambda message: pack(message["Body"]))


def move_all_failures_are_bad(sqs, queue_url, dead_url, pack):
    def handle(message):
        try:
            pack(message["Body"])
        except Exception:
            sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    _move(sqs, queue_url, handle)


def move_drops_the_bad(sqs, queue_url, dead_url, pack):
    def handle(message):
        try:
            pack(message["Body"])
        except ValueError:
            pass
        except Exception:
            return
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    _move(sqs, queue_url, handle)


def move_bad_ones_come_again(sqs, queue_url, dead_url, pack):
    def handle(message):
        try:
            pack(message["Body"])
        except Exception:
            return
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    _move(sqs, queue_url, handle)


def move_bad_ones_stay(sqs, queue_url, dead_url, pack):
    def handle(message):
        try:
            pack(message["Body"])
        except ValueError:
            sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
            return
        except Exception:
            return
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    _move(sqs, queue_url, handle)


def move_swallows_a_refusal(sqs, queue_url, dead_url, pack):
    def handle(message):
        try:
            pack(message["Body"])
        except ValueError:
            try:
                sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
            except Exception:
                pass
        except Exception:
            return
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    _move(sqs, queue_url, handle)


def move_ten_at_a_time(sqs, queue_url, dead_url, pack):
    def handle(message):
        try:
            pack(message["Body"])
        except ValueError:
            sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
        except Exception:
            return
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    _move(sqs, queue_url, handle, batch=10)


def move_short_polls(sqs, queue_url, dead_url, pack):
    def handle(message):
        try:
            pack(message["Body"])
        except ValueError:
            sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
        except Exception:
            return
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    while True:
        _move_once(sqs, queue_url, handle)
        time.sleep(1)


def _move_once(sqs, queue_url, handle):
    for message in sqs.receive_message(QueueUrl=queue_url).get("Messages", []):
        handle(message)


def move_ten_and_hide_each(sqs, queue_url, dead_url, pack):
    """Right, in another way: ten at a time, each hidden anew before its turn comes."""
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20, MaxNumberOfMessages=10)
        messages = answer.get("Messages", [])
        for n, message in enumerate(messages):
            for other in messages[n:]:
                sqs.change_message_visibility(
                    QueueUrl=queue_url, ReceiptHandle=other["ReceiptHandle"], VisibilityTimeout=30
                )
            try:
                pack(message["Body"])
            except ValueError:
                sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
            except Exception:
                continue
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


WRONG = [
    ("07.producer", send_and_hope, ["Nothing arrived at the broker", "a program that ends takes along"]),
    ("07.producer", send_and_linger, ["without persistent:true", "in its memory only"]),
    ("07.producer", send_persistent, ["had not reached the store", "the last receipt"]),
    ("07.producer", send_with_receipts_only, ["without persistent:true"]),
    ("07.producer", send_all_again, ["once too often", "Send again only what was not confirmed"]),
    ("07.producer", send_each_twice, ["is in the store twice", "no broker had crashed"]),
    ("07.producer", send_without_equal_ones, ["Two orders can be equal"]),
    ("07.producer", send_and_wait_for_ever, ["had not returned|NotConnectedException"]),
    ("07.producer", send_to_another_queue, ["Nothing arrived at the broker"]),
    ("07.producer", send_stripped, ["that nobody asked for"]),
    ("07.consumer", consumer_charges_all, ["was charged 2 times", "the active broker had crashed", "Ask the book"]),
    ("07.consumer", consumer_trusts_the_mark, ["was charged 2 times", "Ask the book before each charge"]),
    ("07.consumer", consumer_skips_what_is_marked, ["is not charged", "came marked as redelivered"]),
    ("07.consumer", consumer_acknowledges_first, ["acknowledged before it was charged"]),
    ("07.consumer", consumer_auto, ["with the mode auto", "client-individual"]),
    ("07.consumer", consumer_remembers, ["was charged 2 times", "keeps something in `seen`|crashed"]),
    ("07.consumer", consumer_refuses_doubles, ["still in ActiveMQ.DLQ"]),
    ("07.consumer", consumer_keeps_doubles, ["still in orders", "also when it had been charged before"]),
    ("07.consumer", consumer_connects_once, ["still in the queue", "connect and subscribe again"]),
    ("07.consumer", consumer_ends, ["A consumer runs for ever"]),
    ("07.consumer", consumer_of_frames, ["Call it with the text of a message: frame.body"]),
    ("07.prefetch", choose_the_default, ["whoever came first had most of them", "For long work take a small"]),
    ("07.prefetch", choose_one, ["waits for the network after nearly every message", "For short work"]),
    ("07.prefetch", choose_auto, ["a prefetch holds nothing back|never worked on"]),
    ("07.prefetch", choose_auto_where_it_may_be_lost, ["a prefetch holds nothing back", "a lost message is no harm"]),
    ("07.prefetch", choose_by_the_workers, ["whoever came first had most of them"]),
    ("07.prefetch", choose_nothing, ["from 1 to 1000"]),
    ("07.prefetch", choose_another_mode, ["ActiveMQ knows auto, client, client-individual"]),
    ("07.prefetch", choose_one_value, ["Return two values"]),
    ("07.routes", wire_stars, ["Queue 'korea' did not get", "stands for exactly one word"]),
    ("07.routes", wire_anywhere, ["Queue 'payments' got a message", "bound with '#.payment.#'"]),
    ("07.routes", wire_without_rest, ["Queue 'rest' did not get", "alternate exchange"]),
    ("07.routes", wire_rest_gets_all, ["Queue 'rest' got", "a pattern sees only its own key"]),
    ("07.routes", wire_fanout, ["of the type fanout", "does not look at the key"]),
    ("07.routes", wire_direct, ["of the type direct", "the whole key"]),
    ("07.routes", wire_transient, ["the broker restarts", "only what is durable is there again"]),
    ("07.routes", wire_only_the_exchange, ["There is no queue 'korea'. Declare it"]),
    ("07.night", settings_of_the_first, ["does not know the standby's name"]),
    ("07.night", settings_doubling, ["5 s are allowed", "make the longest wait shorter"]),
    ("07.night", settings_in_a_hurry, ["times in", "must not be kept busy"]),
    ("07.night", settings_without_heartbeats, ["without heart-beats nobody does"]),
    ("07.night", settings_slow_heartbeats, ["was not connected|5 s are allowed", "heart-beats more often"]),
    ("07.night", settings_herd, ["a herd", "Let chance decide"]),
    ("07.night", settings_forgotten, ["Return a dict with hosts, first, longest, jitter, heartbeat"]),
    ("07.night", settings_of_another_host, ["give a list of names"]),
    ("07.night", settings_never, ["longest=0", "from 0.01 to 600"]),
    ("07.move", move_delete_first, ["is lost", "was deleted at", "before it was packed"]),
    ("07.move", move_no_delete, ["still in the queue|was packed"]),
    ("07.move", move_all_failures_are_bad, ["in the dead-letter queue", "no NACK"]),
    ("07.move", move_drops_the_bad, ["is not in the dead-letter queue", "SQS has no NACK"]),
    ("07.move", move_bad_ones_come_again, ["is not in the dead-letter queue", "SQS has no NACK"]),
    ("07.move", move_bad_ones_stay, ["A NACK moved it at once"]),
    ("07.move", move_swallows_a_refusal, ["is not in the dead-letter queue", "SQS refuses to send"]),
    ("07.move", move_ten_at_a_time, ["was packed 2 times", "before it began to work on it", "Take one at a time"]),
    ("07.move", move_short_polls, ["WaitTimeSeconds=20"]),
]

RIGHT = [
    ("07.producer", send_confirmed),
    ("07.consumer", consumer_in_its_listener),
    ("07.prefetch", choose_in_two_steps),
    ("07.routes", wire_by_hand),
    ("07.night", settings_constant),
    ("07.move", move_ten_and_hide_each),
]
