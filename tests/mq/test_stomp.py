"""STOMP on ActiveMQ with unmodified stomp.py: what a program relies on, and what it gets instead."""

import time

import pytest
import stomp
from mq.brokers import USER, Broker, Heard


def run(broker, program, name="shop"):
    broker.cloud.run(program, name=name)


# ---- sending and receiving ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [10, 11, 12])
def test_a_message_goes_through_a_queue_in_each_version(broker, version):
    heard = Heard()

    def program():
        c = broker.connection(version, listener=heard)
        c.subscribe("/queue/orders", id="1", ack="client", headers={"receipt": "subscribed"})
        c.send(
            "/queue/orders", "one", headers={"colour": "red: \\ and\nmore" if version > 10 else "red"}, receipt="sent"
        )
        time.sleep(1)
        (frame,) = heard.messages
        if version == 12:
            c.ack(frame.headers["ack"])
        elif version == 11:
            c.ack(frame.headers["message-id"], "1")
        else:
            c.ack(frame.headers["message-id"])
        c.disconnect(receipt="bye")
        time.sleep(1)

    run(broker, program)
    (frame,) = heard.messages
    assert frame.body == "one"
    assert frame.headers["colour"] == ("red: \\ and\nmore" if version > 10 else "red")
    assert heard.receipts == ["subscribed", "sent", "bye"]
    assert heard.errors == [] and broker.depth() == 0


def test_a_queue_keeps_the_order_of_a_producer(broker):
    heard = Heard()

    def program():
        c = broker.connection(listener=heard)
        for n in range(50):
            c.send("/queue/orders", f"{n}", persistent="true")
        c.subscribe("/queue/orders", 1)
        time.sleep(5)

    run(broker, program)
    assert heard.bodies == [str(n) for n in range(50)]


def test_a_topic_gives_a_copy_to_each_who_is_there(broker):
    a, b, late = Heard(), Heard(), Heard()

    def program():
        for heard in (a, b):
            broker.connection(listener=heard).subscribe("/topic/prices", 1)
        time.sleep(1)
        broker.connection().send("/topic/prices", "now")
        time.sleep(1)
        broker.connection(listener=late).subscribe("/topic/prices", 1)
        time.sleep(1)

    run(broker, program)
    assert (a.bodies, b.bodies, late.bodies) == (["now"], ["now"], [])


def test_a_durable_subscription_keeps_copies_while_its_client_is_away(broker):
    heard = Heard()

    def subscribe(c):
        c.subscribe("/topic/prices", 1, headers={"activemq.subscriptionName": "board"})

    def program():
        c = broker.connection(headers={"client-id": "board-1"})
        subscribe(c)
        time.sleep(1)
        c.disconnect()
        time.sleep(1)
        sender = broker.connection()
        sender.send("/topic/prices", "kept", persistent="true")
        sender.send("/topic/prices", "kept in memory")
        time.sleep(1)
        c = broker.connection(listener=heard, headers={"client-id": "board-1"})
        subscribe(c)
        time.sleep(1)
        c.unsubscribe(1, headers={"activemq.subscriptionName": "board"}, receipt="no")
        time.sleep(1)
        c.unsubscribe(1)
        time.sleep(1)
        c.unsubscribe(1, headers={"activemq.subscriptionName": "board"}, receipt="yes")
        time.sleep(1)

    run(broker, program)
    assert heard.bodies == ["kept", "kept in memory"]
    assert heard.errors == ["Durable consumer is in use for client: board-1 and subscriptionName: board"]
    assert heard.receipts[-1] == "yes" and broker.engine.store.durables == {}


# ---- receipts and the disk ------------------------------------------------------------------------------------------


def test_not_persistent_unless_it_says_so(broker):
    """ActiveMQ's STOMP page."""

    def program():
        c = broker.connection()
        c.send("/queue/orders", "memory", receipt="1")
        c.send("/queue/orders", "disk", persistent="true", receipt="2")
        time.sleep(1)

    run(broker, program)
    assert [m.body for m in broker.engine.store.queues["queue/orders"].values()] == [b"disk"]


@pytest.mark.parametrize(("mode", "rate"), [("EFS", 80), ("EBS", 500)])
def test_one_producer_with_receipts_is_as_fast_as_the_storage(cloud, mode, rate):
    """Developer guide of 2023, "storage": about 80 messages of 1 KB a second on EFS, 500 on EBS."""
    broker = Broker(cloud, StorageType=mode)
    heard = Heard()

    def program():
        c = broker.connection(listener=heard)
        start = time.time()
        for n in range(200):
            c.send("/queue/orders", "x" * 1024, persistent="true", receipt=f"{n}")
        while len(heard.receipts) < 200:
            time.sleep(0.01)
        return 200 / (time.time() - start)

    assert cloud.run(program) == pytest.approx(rate, rel=0.1)


def test_what_is_acknowledged_before_it_was_written_is_never_written(broker):
    """ActiveMQ: concurrentStoreAndDispatchQueues, on by default."""

    def program():
        c = broker.connection()
        c.subscribe("/queue/orders", 1, ack="auto")
        for n in range(20):
            c.send("/queue/orders", f"{n}", persistent="true")
        time.sleep(1)

    run(broker, program)
    stored = broker.cloud.trace.where("Stored")
    assert 0 <= len(stored) < 20 and broker.engine.store.queues.get("queue/orders", {}) == {}


# ---- acknowledging --------------------------------------------------------------------------------------------------


def test_client_mode_acknowledges_all_before(broker):
    heard = Heard()

    def program():
        c = broker.connection(listener=heard)
        c.subscribe("/queue/orders", 1, ack="client")
        for n in range(5):
            c.send("/queue/orders", f"{n}")
        time.sleep(1)
        c.ack(heard.messages[2].headers["ack"])
        time.sleep(1)

    run(broker, program)
    assert broker.depth() == 2


def test_what_a_consumer_had_comes_again_in_front_and_marked(broker):
    first, second = Heard(), Heard()

    def program():
        c = broker.connection(listener=first)
        c.subscribe("/queue/orders", 1, ack="client-individual", headers={"activemq.prefetchSize": "3"})
        for n in range(5):
            c.send("/queue/orders", f"{n}")
        time.sleep(1)
        c.ack(first.messages[1].headers["ack"])
        time.sleep(1)
        broker.cloud.network.reset("shop")
        time.sleep(1)
        broker.connection(listener=second).subscribe("/queue/orders", 1)
        time.sleep(1)

    run(broker, program)
    assert first.bodies == ["0", "1", "2", "3"]
    assert [(f.body, f.headers.get("redelivered")) for f in second.messages] == [
        ("0", "true"), ("2", "true"), ("3", "true"), ("4", None)
    ]  # fmt: skip


def test_auto_acknowledges_what_is_only_under_way(broker):
    """A consumer that dies takes with it all that was written to its connection."""
    second = Heard()

    def program():
        c = broker.connection()
        c.subscribe("/queue/orders", 1, ack="auto")
        sender = broker.connection()
        for n in range(3):
            sender.send("/queue/orders", f"{n}")
        time.sleep(1)
        broker.cloud.network.reset("shop")
        time.sleep(1)
        broker.connection(listener=second).subscribe("/queue/orders", 1)
        time.sleep(1)

    run(broker, program)
    assert second.bodies == []


def test_nack_is_poison(broker):
    """ActiveMQ, StompSubscription, SharedDeadLetterStrategy: to ActiveMQ.DLQ at once; not persistent: dropped."""
    heard, dead = Heard(), Heard()

    def program():
        c = broker.connection(listener=heard)
        c.subscribe("/queue/orders", 1, ack="client-individual")
        c.send("/queue/orders", "kept", persistent="true", receipt="a")
        c.send("/queue/orders", "dropped", receipt="b")
        time.sleep(1)
        for frame in heard.messages:
            c.nack(frame.headers["ack"])
        time.sleep(1)
        broker.connection(listener=dead).subscribe("/queue/ActiveMQ.DLQ", 1)
        time.sleep(1)

    run(broker, program)
    assert broker.depth() == 0 and dead.bodies == ["kept"]
    assert dead.messages[0].headers["original-destination"] == "/queue/orders"
    id = dead.messages[0].headers["message-id"]
    assert "moved from warehouse/queue/orders to warehouse/queue/ActiveMQ.DLQ" in broker.cloud.explain(id)


def test_the_first_consumer_takes_a_thousand(broker):
    """Cases: consumers that are started one after the other; prefetch 1 shares."""
    counts = {}
    for prefetch in (None, "1"):
        heard = [Heard() for _ in range(3)]

        def program(prefetch=prefetch, heard=heard):
            queue = f"/queue/{prefetch}"
            sender = broker.connection()
            for n in range(60):
                sender.send(queue, f"{n}", receipt=f"{n}")
            more = {"activemq.prefetchSize": prefetch} if prefetch else {}
            for each in heard:
                broker.connection(listener=each).subscribe(queue, 1, ack="client-individual", headers=more)
                time.sleep(1)

        run(broker, program)
        counts[prefetch] = [len(each.messages) for each in heard]
    assert counts == {None: [60, 0, 0], "1": [1, 1, 1]}


# ---- transactions ---------------------------------------------------------------------------------------------------


def test_a_transaction_is_seen_as_a_whole_or_not_at_all(broker):
    heard = Heard()

    def program():
        c = broker.connection(listener=heard)
        c.subscribe("/queue/orders", 1)
        for end in (c.abort, c.commit):
            t = c.begin()
            for n in range(3):
                c.send("/queue/orders", f"{end.__name__} {n}", persistent="true", transaction=t)
            time.sleep(1)
            assert heard.bodies == []
            end(t)
        time.sleep(1)

    run(broker, program)
    assert heard.bodies == ["commit 0", "commit 1", "commit 2"]


def test_an_abort_brings_no_message_back(broker):
    """ActiveMQ's STOMP page: what was received stays with the client, and can be acknowledged again."""
    heard = Heard()

    def program():
        c = broker.connection(listener=heard)
        c.subscribe("/queue/orders", 1, ack="client-individual")
        c.send("/queue/orders", "one")
        time.sleep(1)
        t = c.begin()
        c.ack(heard.messages[0].headers["ack"], transaction=t)
        c.abort(t)
        time.sleep(1)
        assert broker.depth() == 1 and len(heard.messages) == 1
        t = c.begin()
        c.ack(heard.messages[0].headers["ack"], transaction=t)
        c.commit(t)
        time.sleep(1)

    run(broker, program)
    assert broker.depth() == 0 and len(heard.messages) == 1 and heard.errors == []


# ---- what is refused ------------------------------------------------------------------------------------------------

A, B = (
    "ACTIVEMQ STOMP",
    "source",
)  # texts: ActiveMQ's ProtocolConverter (2026), LegacyFrameTranslator, SimpleAuthenticationBroker
REFUSED = [
    (11, lambda c: c.send_frame("SEND", {}), "SEND received without a Destination specified!"),
    (11, lambda c: c.send_frame("SUBSCRIBE", {"destination": "/queue/a"}),
     "SUBSCRIBE received without a subscription id!"),
    (11, lambda c: c.send_frame("UNSUBSCRIBE", {}), "UNSUBSCRIBE received without a subscription id!"),
    (12, lambda c: c.send_frame("UNSUBSCRIBE", {"id": "7"}), "No subscription matched."),
    (12, lambda c: c.send_frame("SUBSCRIBE", {"id": "1"}), "Invalid empty or 'null' Destination header"),
    (12, lambda c: c.ack("7"), "Unexpected ACK received for message-id [null]"),
    (11, lambda c: c.ack("ID:x", "7"), "Unexpected ACK received for message-id [ID:x]"),
    (11, lambda c: c.nack("ID:x", "7"), "Unexpected NACK received for message-id [ID:x]"),
    (11, lambda c: c.send_frame("ACK", {}), "ACK received without a message-id to acknowledge!"),
    (12, lambda c: c.send_frame("ACK", {}), "ACK received without a ack id for acknowledge!"),
    (10, lambda c: c.send_frame("NACK", {}), "NACK received but connection is in v1.0 mode."),
    (12, lambda c: c.commit("t"), "Invalid transaction id: t"),
    (12, lambda c: c.send("/queue/a", "", transaction="t"), "Invalid transaction id: t"),
    (12, lambda c: (c.begin("t"), c.begin("t")), "The transaction was already started: t"),
    (12, lambda c: c.send_frame("BEGIN", {}), "Must specify the transaction you are beginning"),
    (12, lambda c: c.connect(), "Already connected."),
    (12, lambda c: c.subscribe("/queue/a", 1, headers={"activemq.subscriptionName": "d"}),
     "Invalid Subscription: cannot durably subscribe to a Queue destination!"),
    (12, lambda c: c.subscribe("/queue/a", 1, headers={"selector": "a = = 1"}), "a = = 1"),
    (12, lambda c: c.send("orders", ""),
     "Illegal destination name: [orders] -- ActiveMQ STOMP destinations must begin with one of: "
     "/queue/ /topic/ /temp-queue/ /temp-topic/"),
]  # fmt: skip


@pytest.mark.reported
@pytest.mark.parametrize(("version", "act", "text"), REFUSED, ids=[text for *_, text in REFUSED])
def test_a_refusal_in_the_words_of_activemq_does_not_end_the_connection(broker, version, act, text):
    heard = Heard()

    def program():
        c = broker.connection(version, listener=heard)
        act(c)
        time.sleep(1)
        c.send("/queue/still", "here", receipt="fine")
        time.sleep(1)

    run(broker, program)
    assert heard.errors == [text]
    assert heard.receipts == ["fine"]


@pytest.mark.ours
@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda c: c.send("/queue/a,b", ""), "composite destinations"),
        (lambda c: c.send("/topic/VirtualTopic.a", ""), "virtual topics"),
        (lambda c: c.send("/queue/a", "", AMQ_SCHEDULED_DELAY="1000"), "scheduled delivery"),
        (lambda c: c.subscribe("/queue/a", 1, browser="true"), "queue browsers"),
        (lambda c: c.send("/temp-queue/a", ""), "temporary destinations"),
        (lambda c: c.subscribe("/queue/>", 1), "wildcards in the names of queues"),
    ],
)
def test_what_the_lab_lacks_is_said_in_one_line(broker, act, what):
    heard = Heard()

    def program():
        act(broker.connection(listener=heard))
        time.sleep(1)

    run(broker, program)
    assert heard.errors == [f"This lab does not simulate {what}"]


@pytest.mark.reported
@pytest.mark.parametrize(("user", "password"), [("shop", "wrong"), ("nobody", USER["Password"]), (None, None)])
def test_a_wrong_login_ends_the_connection(broker, user, password):
    heard = Heard()

    def program():
        with pytest.raises(stomp.exception.ConnectFailedException):
            broker.connection(user=user, password=password, listener=heard)
        time.sleep(1)

    run(broker, program)
    assert heard.errors == [f"User name [{user or 'null'}] or password is invalid."]
    assert broker.engine.serving.sessions == []


@pytest.mark.reported
def test_a_client_id_is_used_by_one_connection(broker):
    heard = Heard()

    def program():
        broker.connection(headers={"client-id": "board"})
        with pytest.raises(stomp.exception.ConnectFailedException):
            broker.connection(headers={"client-id": "board"}, listener=heard)
        time.sleep(1)

    run(broker, program)
    assert heard.errors == ["Broker: warehouse - Client: board already connected from tcp://10.0.0.3:32768"]


def test_the_other_ports_say_what_is_not_simulated(broker):
    import socket
    import ssl

    def program():
        host, said = broker.hosts[0][0], []
        for port in (61617, 5671, 61619):
            raw = socket.create_connection((host, port))
            c = ssl.create_default_context().wrap_socket(raw, server_hostname=host)
            said.append(c.recv(1000).decode())
            assert c.recv(1000) == b""
        return said

    said = broker.cloud.run(program)
    for text, name in zip(said, ("OpenWire", "AMQP 1.0", "STOMP and MQTT over WebSocket"), strict=True):
        assert text.startswith(f"This lab does not simulate {name}: use STOMP (port 61614)")


# ---- heart-beats ----------------------------------------------------------------------------------------------------


def test_a_client_that_is_silent_longer_than_it_said_is_cut_off(broker):
    """Its messages go to others, though its connection was never closed."""
    first, second = Heard(), Heard()
    cloud = broker.cloud

    def silent():
        c = broker.connection(listener=first, heartbeats=(2000, 2000))
        c.subscribe("/queue/orders", 1, ack="client-individual")
        c.send("/queue/orders", "one")
        time.sleep(60)

    def other():
        broker.connection(listener=second).subscribe("/queue/orders", 1)
        time.sleep(60)

    cloud.spawn(silent, name="silent")
    cloud.advance(10)
    assert first.bodies == ["one"] and first.gone == 0
    cloud.network.partition("silent", "warehouse")
    cloud.spawn(other, name="other")
    cloud.advance(10)
    assert second.bodies == ["one"] and second.messages[0].headers["redelivered"] == "true"
    assert first.gone == 1  # and it has noticed itself


def test_a_heart_beat_that_comes_just_after_the_broker_looked_is_no_silence(broker):
    """ActiveMQ's AbstractInactivityMonitor lets one look pass without a byte, and cuts off at the next one."""
    heard, cloud = Heard(), broker.cloud

    def busy():
        c = broker.connection(listener=heard, heartbeats=(1000, 1000))
        looks = cloud.trace.where("ClientConnected")[-1].time
        time.sleep(looks + 5 - 0.00052 - cloud.now)  # it takes half a millisecond: the next heart-beat is 30 us late
        c.send("/queue/orders", "one")
        time.sleep(60)

    cloud.spawn(busy, name="busy")
    cloud.advance(20)
    assert heard.gone == 0
    cloud.network.partition("busy", "warehouse")
    cut = cloud.now
    cloud.advance(10)
    (gone,) = cloud.trace.where("ClientGone")
    assert 1 <= gone.time - cut <= 3 and gone.detail == "nothing came from it for 2 s"


def test_without_heart_beats_a_half_open_client_keeps_its_messages(broker):
    first, second = Heard(), Heard()
    cloud = broker.cloud

    def silent():
        c = broker.connection(listener=first)
        c.subscribe("/queue/orders", 1, ack="client-individual")
        c.send("/queue/orders", "one")
        time.sleep(600)

    def other():
        broker.connection(listener=second).subscribe("/queue/orders", 1)
        time.sleep(600)

    cloud.spawn(silent, name="silent")
    cloud.advance(10)
    cloud.network.partition("silent", "warehouse")
    cloud.spawn(other, name="other")
    cloud.advance(300)
    assert first.bodies == ["one"] and second.bodies == []
