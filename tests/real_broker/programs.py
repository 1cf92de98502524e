"""Ordinary stomp.py and pika programs, whose text is the same for a real broker and for a simulated one.

Each is a function of the hosts and of what it tells; it sleeps, waits and connects as any program does. What went on is
a list of what it said.
"""

import itertools
import threading
import time

import pika
import stomp

QUEUE = "/queue/orders"


class _Listener(stomp.ConnectionListener):
    def __init__(self):
        self.messages, self.receipts, self.errors = [], set(), []
        self.gone = threading.Event()
        self.changed = threading.Condition()
        self.on = lambda frame: None

    def on_message(self, frame):
        self.on(frame)

    def on_error(self, frame):
        self.errors.append(frame.headers.get("message", frame.body))

    def on_receipt(self, frame):
        with self.changed:
            self.receipts.add(frame.headers["receipt-id"])
            self.changed.notify_all()

    def has_receipt(self, receipt, seconds):
        """Wait for a receipt, or for the end of the connection."""
        with self.changed:
            self.changed.wait_for(lambda: receipt in self.receipts or self.gone.is_set(), seconds)
            return receipt in self.receipts

    def on_disconnected(self):
        with self.changed:
            self.gone.set()
            self.changed.notify_all()


def connect(hosts, until=60.0, **options):
    """A connection to the first host that answers, and its listener. stomp.py tries each once; then so do we again."""
    end = time.monotonic() + until
    while True:
        connection = stomp.Connection12(hosts, reconnect_attempts_max=len(hosts), timeout=3, **options)
        listener = _Listener()
        connection.set_listener("", listener)
        try:
            connection.connect("guest", "guest", wait=True)
            return connection, listener
        except (stomp.exception.StompException, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def send_all(hosts, count, each, *, persistent, receipts, note):
    """Send m1, m2, ... to the queue, one after the other. With receipts, each is sent until the broker says it has it;
    without, a send that raises is repeated, and nothing else.

    `each(n)` is called before the n-th. `note(what, n)`: "sent", "again", "confirmed", "down", "up".
    """
    connection, listener = connect(hosts)
    headers = {"persistent": "true"} if persistent else {}
    for n in range(1, count + 1):
        each(n)
        again = False
        while True:
            try:
                note("again" if again else "sent", n)
                more = {"receipt": f"r{n}"} if receipts else {}
                connection.send(QUEUE, f"m{n}", headers={**headers, **more})
            except (stomp.exception.StompException, OSError):
                listener.gone.set()
            if receipts and listener.has_receipt(f"r{n}", 30):
                note("confirmed", n)
                break
            if not listener.gone.is_set():
                break
            again = True
            note("down", n)
            connection, listener = connect(hosts)
            note("up", n)
        time.sleep(0.005)
    _leave(connection)


def _leave(connection):
    """Say good-bye, and wait until the broker has it: what was sent before it is there then."""
    try:
        connection.disconnect()
    except (stomp.exception.StompException, OSError):
        pass


def receive_all(hosts, *, quiet, note, ack=True, prefetch=None, first=10**9):
    """Receive from the queue and acknowledge each, until nothing came for `quiet` seconds or `first` have come.

    `note(body, redelivered)` for each. `ack=False` acknowledges none. After a broken connection: another one.
    """
    seen = 0
    last = [time.monotonic()]
    while time.monotonic() - last[0] < quiet and seen < first:
        connection, listener = connect(hosts)
        arrived = []
        listener.on = arrived.append
        headers = {"activemq.prefetchSize": str(prefetch)} if prefetch else {}
        connection.subscribe(QUEUE, id="1", ack="client-individual", headers=headers)
        while not listener.gone.is_set() and time.monotonic() - last[0] < quiet and seen < first:
            if not arrived:
                time.sleep(0.002)
                continue
            frame = arrived.pop(0)
            note(frame.body, frame.headers.get("redelivered") == "true")
            seen, last[0] = seen + 1, time.monotonic()
            if ack:
                try:
                    connection.ack(frame.headers["ack"])
                except (stomp.exception.StompException, OSError):
                    break
        if not listener.gone.is_set():
            _leave(connection)


def hold(hosts, count, prefetch=None):
    """Subscribe, and wait until so many messages are here; none is acknowledged. Its connection, and their frames."""
    connection, listener = connect(hosts)
    arrived = []
    listener.on = arrived.append
    headers = {"activemq.prefetchSize": str(prefetch)} if prefetch else {}
    connection.subscribe(QUEUE, id="1", ack="client-individual", headers=headers)
    end = time.monotonic() + 10
    while len(arrived) < count and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.5)  # what comes beyond that
    return connection, arrived


def drain(hosts, queue, quiet=4.0):
    """The bodies in another queue, each acknowledged, until nothing came for `quiet` seconds."""
    connection, listener = connect(hosts)
    bodies, last = [], [time.monotonic()]

    def take(frame):
        bodies.append(frame.body)
        last[0] = time.monotonic()
        connection.ack(frame.headers["ack"])

    listener.on = take
    connection.subscribe(queue, id="1", ack="client-individual")
    while time.monotonic() - last[0] < quiet:
        time.sleep(0.05)
    _leave(connection)
    return bodies


def failover(hosts, crash, *, persistent, receipts, attached, count=600, at=300, quiet=12):
    """Send `count` messages, and crash the active broker when the one number `at` is on its way. What came of it.

    `attached`: a consumer receives meanwhile; else it comes afterwards. A dictionary: "lost" (numbers that nobody got),
    "doubled", "flagged" (as redelivered), "back" (pairs in which a lower number came first after a higher one),
    "unconfirmed" (those for which no receipt came), "dark" (seconds in which the producer had no broker).
    """
    said, got = [], []

    def each(n):
        if n == at:
            threading.Thread(target=crash).start()

    def receive():
        receive_all(hosts, quiet=quiet, note=lambda body, again: got.append((int(body[1:]), again)))

    consumer = threading.Thread(target=receive)
    if attached:
        consumer.start()
    note = lambda what, n: said.append((time.monotonic(), what, n))  # noqa: E731
    send_all(hosts, count, each, persistent=persistent, receipts=receipts, note=note)
    if not attached:
        consumer.start()
    consumer.join()
    order = [n for n, _ in got]
    confirmed = {n for _, what, n in said if what == "confirmed"}
    downs, ups = ([t for t, what, _ in said if what == word] for word in ("down", "up"))
    return {
        "lost": sorted(set(range(1, count + 1)) - set(order)),
        "doubled": sorted({n for n in order if order.count(n) > 1}),
        "flagged": [n for n, again in got if again],
        "back": [(a, b) for a, b in itertools.pairwise(order) if b < a],
        "unconfirmed": sorted(set(range(1, count + 1)) - confirmed) if receipts else [],
        "dark": round(sum(up - down for down, up in zip(downs, ups)), 3),
    }


def fill(hosts, count):
    """Put m1, m2, ... into the queue, persistent, each with a receipt."""
    send_all(hosts, count, lambda n: None, persistent=True, receipts=True, note=lambda *_: None)


def shares(hosts, prefetch):
    """How many of sixty messages each of two consumers has, of which the second comes later and none acknowledges."""
    fill(hosts, 60)
    first, mine = hold(hosts, 60, prefetch)
    second, theirs = hold(hosts, 60, prefetch)
    found = len(mine), len(theirs)
    for connection in (first, second):
        connection.disconnect()
    drain(hosts, QUEUE)
    return found


def flags_after_leaving(hosts):
    """What a second consumer gets after the first had three of five messages, and left without an acknowledgement."""
    fill(hosts, 5)
    connection, frames = hold(hosts, 3, prefetch=3)
    connection.disconnect()
    found = []
    receive_all(hosts, quiet=4, note=lambda *got: found.append(got))
    return [frame.body for frame in frames], found


def flags_after_crash(hosts, crash):
    """The same, but it is the broker that goes."""
    fill(hosts, 5)
    _, frames = hold(hosts, 3, prefetch=3)
    crash()
    found = []
    receive_all(hosts, quiet=4, note=lambda *got: found.append(got))
    return [frame.body for frame in frames], found


def refused(hosts):
    """What a NACK does: what is left in the queue, and what is in the dead-letter queue."""
    fill(hosts, 3)
    connection, frames = hold(hosts, 1, prefetch=1)
    connection.nack(frames[0].headers["ack"])
    time.sleep(0.5)
    connection.disconnect()
    return drain(hosts, QUEUE), drain(hosts, "/queue/ActiveMQ.DLQ")


def undone(hosts):
    """A transaction that is aborted, and one that is committed: what is in the queue after each."""
    connection, _ = connect(hosts)
    found = []
    for end in (connection.abort, connection.commit):
        transaction = connection.begin()
        for n in (1, 2):
            connection.send(QUEUE, f"t{n}", transaction=transaction, headers={"persistent": "true"})
        end(transaction)
        time.sleep(0.5)
        found.append(drain(hosts, QUEUE))
    connection.disconnect()
    return found


def topic(hosts):
    """What a subscriber of a topic gets that comes, goes and comes again: an ordinary one, and a durable one."""
    found = {}
    for name, client in (("ordinary", None), ("durable", "warehouse")):
        headers = {"activemq.subscriptionName": "log"} if client else {}
        bodies = []
        sender, _ = connect(hosts)
        for part in ("before", "away", "back"):
            if part != "away":
                connection, listener = _connect_as(hosts, client)
                listener.on = lambda frame: bodies.append(frame.body)  # noqa: B023
                connection.subscribe("/topic/news", id="1", ack="auto", headers=headers)
                time.sleep(0.5)
            sender.send("/topic/news", part, headers={"persistent": "true"})
            time.sleep(0.5)
            if part != "away":
                connection.disconnect()
                time.sleep(0.3)
        sender.disconnect()
        found[name] = bodies
    return found


def _connect_as(hosts, client):
    connection = stomp.Connection12(hosts, reconnect_attempts_max=2, timeout=3)
    listener = _Listener()
    connection.set_listener("", listener)
    connection.connect("guest", "guest", wait=True, headers={"client-id": client} if client else {})
    return connection, listener


def selected(hosts, selector):
    """Which of three messages a consumer with a selector gets; and what stays in the queue."""
    connection, _ = connect(hosts)
    for n, urgent in ((1, "yes"), (2, "no"), (9, "yes")):
        connection.send(QUEUE, f"{urgent}{n}", headers={"persistent": "true", "urgent": urgent, "size": str(n)})
    time.sleep(0.3)
    other, listener = connect(hosts)
    bodies = []
    listener.on = lambda frame: bodies.append(frame.body)
    other.subscribe(QUEUE, id="1", ack="auto", headers={"selector": selector})
    time.sleep(1)
    other.disconnect()
    connection.disconnect()
    return bodies, drain(hosts, QUEUE)


def wrong_frames(hosts):
    """What the broker says to each frame that is wrong, and whether it hangs up."""
    told = {}

    def attempt(label, command, **headers):
        connection, listener = connect(hosts)
        connection.send_frame(command, {name.replace("_", "-"): value for name, value in headers.items()})
        end = time.monotonic() + 3
        while not listener.errors and not listener.gone.is_set() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.3)
        told[label] = [*listener.errors, *(["hangs up"] if listener.gone.is_set() else [])]
        if not listener.gone.is_set():
            connection.disconnect()

    attempt("subscribe without id", "SUBSCRIBE", destination=QUEUE)
    attempt("subscribe without destination", "SUBSCRIBE", id="1")
    attempt("send without destination", "SEND")
    attempt("ack of nothing", "ACK", id="no-such")
    attempt("nack of nothing", "NACK", id="no-such")
    attempt("unsubscribe of nothing", "UNSUBSCRIBE", id="9")
    attempt("commit of nothing", "COMMIT", transaction="t9")
    attempt("unknown command", "SHOUT")
    attempt("connect twice", "CONNECT", accept_version="1.2", host="x")
    return told


# ---- RabbitMQ --------------------------------------------------------------------------------------------------------


def rabbit(host, port):
    """A connection and a channel that confirms."""
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, port))
    channel = connection.channel()
    return connection, channel


def routes(host, port):
    """Which queues get what, for each kind of exchange: {(type, routing key or headers): [queue, ...]}."""
    connection, channel = rabbit(host, port)
    bindings = {
        "direct": {"a": ("red",), "b": ("red", "blue"), "c": ("Red",)},
        "fanout": {"a": ("x",), "b": ("y",)},
        "topic": {"a": ("*.orange.*",), "b": ("*.*.rabbit",), "c": ("lazy.#",), "d": ("#",), "e": ("*",)},
    }
    keys = {
        "direct": ["red", "blue", "Red", "none", ""],
        "fanout": ["red", ""],
        "topic": ["quick.orange.rabbit", "lazy.orange.elephant", "lazy", "lazy.a.b.c.d", "one", "", "orange", "a.b"],
    }
    found = {}
    for kind, queues in bindings.items():
        exchange = f"try-{kind}"
        channel.exchange_declare(exchange, kind)
        for queue, patterns in queues.items():
            channel.queue_declare(f"{kind}-{queue}")
            for pattern in patterns:
                channel.queue_bind(f"{kind}-{queue}", exchange, pattern)
        for key in keys[kind]:
            channel.basic_publish(exchange, key, b"x")
            found[kind, key] = _got(channel, {queue: f"{kind}-{queue}" for queue in queues})
        for queue in queues:
            channel.queue_delete(f"{kind}-{queue}")
        channel.exchange_delete(exchange)
    channel.exchange_declare("try-headers", "headers")
    wants = {
        "all": {"x-match": "all", "color": "red", "size": 1},
        "any": {"x-match": "any", "color": "red", "size": 1},
        "none": {"color": "red"},
    }
    for queue, arguments in wants.items():
        channel.queue_declare(f"headers-{queue}")
        channel.queue_bind(f"headers-{queue}", "try-headers", "", arguments)
    for headers in ({"color": "red"}, {"color": "red", "size": 1}, {"size": 1}, {"size": "1"}, {}):
        channel.basic_publish("try-headers", "", b"x", pika.BasicProperties(headers=headers))
        found["headers", str(headers)] = _got(channel, {queue: f"headers-{queue}" for queue in wants})
    for queue in wants:
        channel.queue_delete(f"headers-{queue}")
    channel.exchange_delete("try-headers")
    connection.close()
    return found


def _got(channel, queues):
    time.sleep(0.05)
    found = []
    for label, queue in queues.items():
        while channel.basic_get(queue, auto_ack=True)[0] is not None:
            found.append(label)
    return found


def confirms(host, port):
    """What a publisher that asks for confirms is told: routable, unroutable, unroutable and mandatory, over a limit."""
    connection, channel = rabbit(host, port)
    channel.confirm_delivery()
    told = {}

    def publish(label, *args, **more):
        try:
            channel.basic_publish(*args, **more)
            told[label] = "confirmed"
        except pika.exceptions.UnroutableError as error:
            returned = error.messages[0]
            told[label] = f"returned {returned.method.reply_code} {returned.method.reply_text}"
        except pika.exceptions.NackError:
            told[label] = "refused"

    channel.queue_declare("q")
    publish("routable", "", "q", b"x", mandatory=True)
    publish("unroutable", "", "nobody", b"x")
    publish("mandatory", "", "nobody", b"x", mandatory=True)
    channel.queue_declare("short", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    publish("first of one", "", "short", b"1")
    publish("second of one", "", "short", b"2")
    channel.queue_declare("drops", arguments={"x-max-length": 1})
    publish("drop-head", "", "drops", b"1")
    publish("drop-head", "", "drops", b"2")
    told["left"] = channel.basic_get("drops", auto_ack=True)[2].decode()
    for queue in ("q", "short", "drops"):
        channel.queue_delete(queue)
    connection.close()
    return told


def dead_letters(host, port):
    """Why messages are dead-lettered, in what order, and what their headers say: a list of (body, key, x-death)."""
    connection, channel = rabbit(host, port)
    channel.exchange_declare("dlx", "fanout")
    channel.queue_declare("dead")
    channel.queue_bind("dead", "dlx", "")
    channel.queue_declare("work", arguments={"x-dead-letter-exchange": "dlx", "x-max-length": 2})
    for n in (1, 2, 3):
        channel.basic_publish("", "work", f"m{n}".encode())
    time.sleep(0.1)
    method, _, _ = channel.basic_get("work")
    channel.basic_reject(method.delivery_tag, requeue=False)
    time.sleep(0.1)
    method, _, _ = channel.basic_get("work")
    channel.basic_nack(method.delivery_tag, requeue=False)
    channel.queue_declare("slow", arguments={"x-dead-letter-exchange": "dlx", "x-message-ttl": 100})
    channel.basic_publish("", "slow", b"m4")
    time.sleep(0.5)
    found = []
    while True:
        method, properties, body = channel.basic_get("dead", auto_ack=True)
        if method is None:
            break
        death = properties.headers["x-death"][0]
        fields = {name: death[name] for name in ("reason", "queue", "count", "exchange", "routing-keys")}
        first = properties.headers["x-first-death-reason"], properties.headers["x-first-death-queue"]
        found.append((body.decode(), method.routing_key, fields, first))
    for queue in ("dead", "work", "slow"):
        channel.queue_delete(queue)
    channel.exchange_delete("dlx")
    connection.close()
    return found


def redeliveries(host, port):
    """The redelivered flag, and the place in the queue, after a requeue and after a consumer that left."""
    connection, channel = rabbit(host, port)
    channel.queue_declare("again")
    for n in (1, 2, 3):
        channel.basic_publish("", "again", f"m{n}".encode())
    time.sleep(0.1)
    method, _, _ = channel.basic_get("again")
    channel.basic_nack(method.delivery_tag, requeue=True)
    requeued = [_next(channel) for _ in range(3)]
    channel.basic_nack(0, multiple=True, requeue=True)
    other, theirs = rabbit(host, port)
    theirs.basic_qos(prefetch_count=2)
    taken = []
    theirs.basic_consume("again", lambda c, m, p, body: taken.append((body.decode(), m.redelivered)))
    other.process_data_events(0.3)
    other.close()
    time.sleep(0.3)
    after = [_next(channel) for _ in range(3)]
    channel.queue_delete("again")
    connection.close()
    return {"requeued": requeued, "taken": taken, "after": after}


def _next(channel):
    method, _, body = channel.basic_get("again")
    return body.decode(), method.redelivered


def mistakes(host, port):
    """The reply codes and texts with which the broker closes a channel, or the connection ("!" before them)."""
    told = {}

    def attempt(label, act):
        connection = pika.BlockingConnection(pika.ConnectionParameters(host, port))
        channel = connection.channel()
        try:
            act(channel)
            channel.queue_declare("", exclusive=True)  # whether it is still open
            told[label] = "fine"
        except pika.exceptions.ChannelClosedByBroker as error:
            told[label] = f"{error.reply_code} {error.reply_text}"
        except pika.exceptions.ConnectionClosedByBroker as error:
            told[label] = f"! {error.reply_code} {error.reply_text}"
        if connection.is_open:
            connection.close()

    connection, setup = rabbit(host, port)
    setup.queue_declare("made", durable=True)
    setup.queue_declare("plain")
    setup.queue_declare("mine", exclusive=True)
    setup.exchange_declare("typed", "direct")
    setup.basic_publish("", "made", b"x")
    attempt("passive", lambda c: c.queue_declare("no-such", passive=True))
    attempt("consume", lambda c: c.basic_consume("no-such", lambda *_: None))
    attempt("publish", lambda c: c.basic_publish("no-such", "k", b"x"))
    attempt("tag", lambda c: c.basic_ack(99))
    attempt("durable", lambda c: c.queue_declare("made"))
    attempt("argument", lambda c: c.queue_declare("plain", arguments={"x-message-ttl": 5}))
    attempt("classic", lambda c: c.queue_declare("plain", arguments={"x-queue-type": "classic"}))
    attempt("quorum", lambda c: c.queue_declare("plain", arguments={"x-queue-type": "quorum"}))
    attempt("quorum again", lambda c: c.queue_declare("made", durable=True, arguments={"x-queue-type": "quorum"}))
    attempt("type", lambda c: c.exchange_declare("typed", "topic"))
    attempt("reserved", lambda c: c.queue_declare("amq.mine"))
    attempt("unknown type", lambda c: c.exchange_declare("odd", "sideways"))
    attempt("default", lambda c: c.queue_bind("plain", "", "k"))
    attempt("exclusive", lambda c: c.queue_declare("mine", exclusive=True))
    attempt("not empty", lambda c: c.queue_delete("made", if_empty=True))
    for queue in ("plain", "made"):
        setup.queue_delete(queue)
    setup.exchange_delete("typed")
    connection.close()
    return told


def keeps(host, port, restart):
    """What is left after a restart of the broker: durable or not, persistent or not."""
    connection, channel = rabbit(host, port)
    channel.confirm_delivery()
    channel.queue_declare("durable", durable=True)
    channel.queue_declare("transient")
    for queue in ("durable", "transient"):
        for mode in (1, 2):
            channel.basic_publish("", queue, f"mode{mode}".encode(), pika.BasicProperties(delivery_mode=mode))
    method, _, _ = channel.basic_get("durable")  # in a hand when the broker stops
    assert method is not None
    restart()
    connection, channel = rabbit(host, port)
    found = []
    while True:
        method, _, body = channel.basic_get("durable", auto_ack=True)
        if method is None:
            break
        found.append((body.decode(), method.redelivered))
    try:
        channel.queue_declare("transient", passive=True)
        found.append("transient is there")
    except pika.exceptions.ChannelClosedByBroker as error:
        found.append(f"{error.reply_code} {error.reply_text}")
    connection.channel().queue_delete("durable")
    connection.close()
    return found
