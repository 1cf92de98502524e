"""More answers to lab 07's exercises: each of these passed once, or failed for a wrong reason; and right ones."""

import queue
import threading
import time

import stomp
from exercises.lab07_answers import _RIGHT, _Ear, _move, _settings, _until, _wire

# ---- 07.producer -----------------------------------------------------------------------------------------------------


def _each(connect, orders, to="/queue/orders", again=lambda order: order, **more):
    """Send one order at a time, until it has its receipt."""
    ear = _Ear()
    connection = connect(ear)
    for n, order in enumerate(orders):
        text = order
        while f"{n}" not in ear.receipts:
            try:
                headers = {"persistent": "true", "receipt": f"{n}"} | {k: make() for k, make in more.items()}
                connection.send(to, text, headers=headers)
                _until(lambda: f"{n}" in ear.receipts or ear.gone.is_set())  # noqa: B023
            except stomp.exception.StompException:
                pass
            if f"{n}" not in ear.receipts:
                ear, text = _Ear(), again(order)
                connection = connect(ear)


def send_until_the_first_receipt(connect, orders):
    ear = _Ear()
    connection = connect(ear)
    for n, order in enumerate(orders):
        connection.send("/queue/orders", order, headers={"persistent": "true", "receipt": f"{n}"})
    _until(lambda: ear.receipts or ear.gone.is_set())


def send_with_one_receipt_id(connect, orders):
    ear = _Ear()
    connection = connect(ear)
    for order in orders:
        connection.send("/queue/orders", order, headers={"persistent": "true", "receipt": "r"})
        _until(lambda: "r" in ear.receipts)


def send_and_go_on_after_a_crash(connect, orders):
    ear = _Ear()
    connection = connect(ear)
    for n, order in enumerate(orders):
        try:
            connection.send("/queue/orders", order, headers={"persistent": "true", "receipt": f"{n}"})
            _until(lambda: f"{n}" in ear.receipts or ear.gone.is_set())  # noqa: B023
        except stomp.exception.StompException:
            ear.gone.set()
        if ear.gone.is_set():
            ear = _Ear()
            connection = connect(ear)


def send_each_in_a_connection(connect, orders):
    """The end of a connection is taken for a receipt."""
    for n, order in enumerate(orders):
        ear = _Ear()
        connect(ear).send("/queue/orders", order, headers={"persistent": "true", "receipt": f"{n}"})
        _until(lambda: ear.receipts or ear.gone.is_set())  # noqa: B023


def send_in_a_thread(connect, orders):
    threading.Thread(target=_each, args=(connect, orders)).start()


def send_again_under_another_name(connect, orders):
    _each(connect, orders, again=lambda order: order + " (again)")


def send_to_a_topic(connect, orders):
    _each(connect, orders, to="/topic/orders")


def send_for_three_seconds(connect, orders):
    _each(connect, orders, expires=lambda: str(int(time.time() * 1000) + 3000))


def send_all_and_wait(connect, orders):
    """Right, in another way: all at once, and again what has no receipt."""
    missing = {f"{n}": order for n, order in enumerate(orders)}
    while missing:
        ear = _Ear()
        connection = connect(ear)
        try:
            for n, order in missing.items():
                connection.send("/queue/orders", order, headers={"persistent": "true", "receipt": n})
            _until(lambda: ear.gone.is_set() or set(missing) <= ear.receipts)  # noqa: B023
        except stomp.exception.StompException:
            pass
        missing = {n: order for n, order in missing.items() if n not in ear.receipts}


def send_in_a_transaction(connect, orders):
    """Right, in another way: all or nothing, and one receipt for it."""
    while True:
        ear = _Ear()
        connection = connect(ear)
        try:
            name = connection.begin()
            for order in orders:
                connection.send("/queue/orders", order, headers={"persistent": "true"}, transaction=name)
            connection.commit(name, headers={"receipt": "all"})
            _until(lambda: ear.gone.is_set() or ear.receipts)  # noqa: B023
        except stomp.exception.StompException:
            continue
        if ear.receipts:
            return


# ---- 07.consumer -----------------------------------------------------------------------------------------------------


class _Inbox(stomp.ConnectionListener):
    def __init__(self):
        self.frames, self.gone = queue.Queue(), threading.Event()

    def on_message(self, frame):
        self.frames.put(frame)

    def on_disconnected(self):
        self.gone.set()


def _take(connect, handle, ack="client-individual", prefetch="1", source="/queue/orders"):
    """Give what comes to `handle(connection, frames)`: all that is there, in a list."""
    while True:
        inbox = _Inbox()
        connection = connect(inbox)
        try:
            connection.subscribe(source, id="1", ack=ack, headers={"activemq.prefetchSize": prefetch})
            while not inbox.gone.is_set():
                try:
                    frames = [inbox.frames.get(timeout=1)]
                except queue.Empty:
                    continue
                while not inbox.frames.empty():
                    frames.append(inbox.frames.get())
                handle(connection, frames)
        except stomp.exception.StompException:
            pass


def _charge(book, frame):
    if not book.charged(frame.body):
        book.charge(frame.body)


def consumer_never_acknowledges(connect, book):
    _take(connect, lambda connection, frames: _charge(book, frames[0]))


def consumer_acknowledges_the_message_id(connect, book):
    def handle(connection, frames):
        _charge(book, frames[0])
        connection.ack(frames[0].headers["message-id"])

    _take(connect, handle)


def consumer_of_another_queue(connect, book):
    _take(connect, lambda connection, frames: None, source="/queue/order")


def consumer_with_threads(connect, book):
    def one(connection, frame):
        _charge(book, frame)
        connection.ack(frame.headers["ack"])

    def handle(connection, frames):
        for frame in frames:
            threading.Thread(target=one, args=(connection, frame)).start()

    _take(connect, handle, prefetch="100")


def consumer_acknowledges_many(connect, book):
    """Right, in another way: one acknowledgement for all that came."""

    def handle(connection, frames):
        for frame in frames:
            _charge(book, frame)
        connection.ack(frames[-1].headers["ack"])

    _take(connect, handle, ack="client", prefetch="10")


# ---- 07.prefetch, 07.routes, 07.night --------------------------------------------------------------------------------


def choose_two(seconds, workers, may_lose):
    return "client-individual", 2


def choose_three(seconds, workers, may_lose):
    return "client-individual", 3


def choose_ten(seconds, workers, may_lose):
    return "client", 10


def choose_a_second_of_work(seconds, workers, may_lose):
    """Right, in another way."""
    return "client-individual", max(1, min(1000, int(1 / seconds)))


def _wire_queues(channel, **queue):
    channel.exchange_declare("other", "topic", durable=True)
    channel.exchange_declare("orders", "topic", durable=True, arguments={"alternate-exchange": "other"})
    for name, source, key in (
        ("korea", "orders", "kr.#"), ("payments", "orders", "*.payment.#"), ("urgent", "orders", "#.high"),
        ("rest", "other", "#"),
    ):  # fmt: skip
        channel.queue_declare(name, durable=True, **queue)
        channel.queue_bind(name, source, key)


def wire_for_a_second(channel):
    _wire_queues(channel, arguments={"x-message-ttl": 1000})


def wire_for_one(channel):
    _wire_queues(channel, arguments={"x-max-length": 1})


def wire_exclusive(channel):
    _wire_queues(channel, exclusive=True)


def wire_headers(channel):
    _wire(channel, _RIGHT, kind="headers")


def wire_one_word(channel):
    _wire(channel, _RIGHT | {"urgent": ["*.*.high"]})


def wire_quorum(channel):
    """Right, in another way."""
    _wire_queues(channel, arguments={"x-queue-type": "quorum"})


def settings_of_the_second(hosts):
    return _settings(hosts[1:])


def settings_notice_late(hosts):
    return _settings(hosts, heartbeat=4)


def settings_without_pause(hosts):
    return _settings(hosts, heartbeat=0.001)


def settings_shorter_and_shorter(hosts):
    return _settings(hosts, first=3, longest=2)


def settings_in_words(hosts):
    return _settings(hosts, jitter="no")


# ---- 07.move ---------------------------------------------------------------------------------------------------------


def _moves(for_now, dead=lambda message: message["Body"], never=ValueError):
    """A right packer, but for what is given. `for_now(sqs, queue_url, message, pack)`: after another error."""

    def packer(sqs, queue_url, dead_url, pack):
        def handle(message):
            try:
                pack(message["Body"])
            except never:
                sqs.send_message(QueueUrl=dead_url, MessageBody=dead(message))
            except Exception:
                if for_now(sqs, queue_url, message, pack) != "packed":
                    return
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

        _move(sqs, queue_url, handle)

    return packer


def _nothing(sqs, queue_url, message, pack): ...


def _until_it_works(sqs, queue_url, message, pack):
    while True:
        try:
            pack(message["Body"])
            return "packed"
        except Exception:
            pass


def _sooner(sqs, queue_url, message, pack):
    sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=2)


def move_tries_on(*args):
    _moves(_until_it_works)(*args)


def move_takes_many_for_bad(*args):
    _moves(_nothing, never=(ValueError, LookupError, RuntimeError))(*args)


def move_writes_the_reason(*args):
    _moves(_nothing, dead=lambda message: message["Body"] + ": nobody can pack it")(*args)


def move_sleeps(sqs, queue_url, dead_url, pack):
    while True:
        for message in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20).get("Messages", []):
            try:
                pack(message["Body"])
            except ValueError:
                sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
            except Exception:
                continue
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        time.sleep(60)


def move_hides_for_hours(sqs, queue_url, dead_url, pack):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20, VisibilityTimeout=43200)
        for message in answer.get("Messages", []):
            try:
                pack(message["Body"])
            except ValueError:
                sqs.send_message(QueueUrl=dead_url, MessageBody=message["Body"])
            except Exception:
                continue
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def move_comes_sooner(*args):
    """Right, in another way: after an error for now it comes again in two seconds."""
    _moves(_sooner)(*args)


WRONG = [
    ("07.producer", send_until_the_first_receipt, ["When your function returned", "had not reached the store"]),
    ("07.producer", send_with_one_receipt_id, ["before your function returned", "receipt of each"]),
    ("07.producer", send_and_go_on_after_a_crash, ["loses its power|crashes", "send again what has none"]),
    ("07.producer", send_each_in_a_connection, ["loses its power|crashes", "send again what has none"]),
    ("07.producer", send_in_a_thread, ["When your function returned", "had not reached the store"]),
    ("07.producer", send_again_under_another_name, ["that nobody asked for|that nobody ordered"]),
    ("07.producer", send_to_a_topic, ["went to /topic/orders;", "belong to /queue/orders"]),
    ("07.producer", send_for_three_seconds, ["its time to live was over", "without a header expires"]),
    ("07.consumer", consumer_never_acknowledges, ["order-1 was not acknowledged", "prefetch"]),
    ("07.consumer", consumer_acknowledges_the_message_id, ["answered with an error", 'headers\\["ack"']),
    ("07.consumer", consumer_of_another_queue, ["nobody subscribed to /queue/orders"]),
    ("07.consumer", consumer_with_threads, ["Two threads", "both heard no"]),
    ("07.prefetch", choose_two, ["0.2 ms", "For short work take a larger one"]),
    ("07.prefetch", choose_three, ["60 s", "For long work take a small one"]),
    ("07.prefetch", choose_ten, ["For long work take a small one"]),
    ("07.routes", wire_for_a_second, ["did not get", "x-message-ttl=1000"]),
    ("07.routes", wire_for_one, ["did not get", "x-max-length=1"]),
    ("07.routes", wire_exclusive, ["It went with your connection", "exclusive"]),
    ("07.routes", wire_headers, ["of the type headers", "looks at headers only"]),
    ("07.routes", wire_one_word, ["'urgent' did not get", "exactly one word"]),
    ("07.night", settings_of_the_second, ["in the evening", "does not know its name"]),
    ("07.night", settings_notice_late, ["a herd", "noticed it at the same instant", "heart-beats more often"]),
    ("07.night", settings_without_pause, ["heartbeat=0.001", "0.1 s or more"]),
    ("07.night", settings_shorter_and_shorter, ["first=3 is longer than longest=2"]),
    ("07.night", settings_in_words, ["jitter='no': give True or False"]),
    ("07.move", move_tries_on, ["was packed 2 times", "hidden for longer than the work takes"]),
    ("07.move", move_takes_many_for_bad, ["is in the dead-letter queue", "no NACK"]),
    ("07.move", move_writes_the_reason, ["In it is", "send the text as it was"]),
    ("07.move", move_sleeps, ["was never received|waits in the queue", "Ask again as soon as the work is done"]),
    ("07.move", move_hides_for_hours, ["is hidden until", "Do not hide it for much longer"]),
]  # fmt: skip

RIGHT = [
    ("07.producer", send_all_and_wait),
    ("07.producer", send_in_a_transaction),
    ("07.consumer", consumer_acknowledges_many),
    ("07.prefetch", choose_a_second_of_work),
    ("07.routes", wire_quorum),
    ("07.move", move_comes_sooner),
]
