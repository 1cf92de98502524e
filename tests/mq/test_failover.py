"""Two brokers, one store, one lock: what is kept, lost, doubled, and how long it is dark.

Known: messages that are not persistent live in memory, persistent ones in the store (developer guide, "storage"); only
the active broker answers (guide, "active/standby"); what was dispatched before a crash comes again without a mark
(ActiveMQ, persistJMSRedelivered). How long it takes is assumed, and can be changed.
"""

import contextlib
import time

import pytest
import stomp
from mq.brokers import Broker, Heard

from lablib import Cloud

BEATS = {"heartbeats": (1000, 1000)}


class Client:
    """A stomp.py program as one should write it: it connects again when its connection is gone, to either host."""

    def __init__(self, broker, listener=None, subscribe=None):
        self.broker, self.heard, self.subscribe = broker, listener or Heard(), subscribe
        self.connection, self.dark = None, []

    def connected(self):
        if self.connection is not None and self.connection.is_connected():
            return self.connection
        start = time.time()
        while True:
            try:
                self.connection = self.broker.connection(listener=self.heard, reconnect_attempts_max=1, **BEATS)
                break
            except (stomp.exception.StompException, OSError):
                time.sleep(0.5)
        if self.subscribe:
            self.connection.subscribe("/queue/orders", 1, ack="client-individual", headers=self.subscribe)
        self.dark.append(time.time() - start)
        return self.connection

    def send_until_confirmed(self, body):
        """Send, wait for the receipt, send again when it does not come: at least once."""
        for attempt in range(100):
            receipt = f"{body}-{attempt}"
            try:
                self.connected().send("/queue/orders", body, persistent="true", receipt=receipt)
                for _ in range(300):
                    if receipt in self.heard.receipts:
                        return
                    if not self.connection.is_connected():
                        break
                    time.sleep(0.01)
            except (stomp.exception.StompException, OSError, AttributeError):
                time.sleep(0.1)
        raise AssertionError(f"{body} was never confirmed")


def drained(broker, name="drain"):
    """What is in the queue, in order, with the mark of redelivery."""
    heard = Heard()

    def program():
        broker.connection(listener=heard, reconnect_attempts_max=100, **BEATS).subscribe("/queue/orders", 1)
        time.sleep(5)

    broker.cloud.run(program, name=name)
    return [(f.body, f.headers.get("redelivered")) for f in heard.messages]


def active(broker):
    return broker.engine.active.name


def kill(broker):
    """The active broker's program crashes."""
    name = active(broker)
    broker.cloud.kill(name)
    return name


@pytest.mark.guide
def test_only_the_active_one_answers(pair):
    refused = [host for host in pair.hosts if pair.cloud.network.find(host[0]).name != active(pair)]

    def program():
        with pytest.raises(stomp.exception.ConnectFailedException):
            pair.connection(hosts=refused, reconnect_attempts_max=1)
        pair.connection()  # both hosts are given: it finds the one that serves

    pair.cloud.run(program)


@pytest.mark.guide
def test_persistent_messages_survive_in_order_and_the_others_do_not(pair):
    def program():
        c = pair.connection(**BEATS)
        for n in range(10):
            c.send("/queue/orders", f"memory {n}", receipt=f"m{n}")
            c.send("/queue/orders", f"disk {n}", receipt=f"d{n}", persistent="true")
        time.sleep(2)

    pair.cloud.run(program)
    first = kill(pair)
    pair.cloud.advance(20)
    assert active(pair) != first
    assert drained(pair) == [(f"disk {n}", None) for n in range(10)]
    assert len(pair.cloud.trace.where("MemoryLost")) == 10


@pytest.mark.reported
def test_what_a_consumer_had_comes_again_without_a_mark_after_a_crash(pair):
    heard = Heard()

    def program():
        c = pair.connection(listener=heard, **BEATS)
        for n in range(3):
            c.send("/queue/orders", f"{n}", persistent="true", receipt=f"{n}")
        c.subscribe("/queue/orders", 1, ack="client-individual")
        time.sleep(1)
        c.ack(heard.messages[1].headers["ack"], receipt="acknowledged")
        time.sleep(1)

    pair.cloud.spawn(program, name="shop")
    pair.cloud.advance(1.9)
    kill(pair)
    pair.cloud.advance(20)
    assert drained(pair) == [("0", None), ("2", None)]


@pytest.mark.ours
@pytest.mark.parametrize("seed", range(4))
def test_a_producer_that_waits_for_receipts_and_sends_again_loses_nothing(seed):
    with Cloud(seed) as cloud:
        pair = Broker(cloud, "ACTIVE_STANDBY_MULTI_AZ")
        client = Client(pair)
        producer = cloud.spawn(lambda: [client.send_until_confirmed(str(n)) for n in range(300)], name="producer")
        cloud.advance(2 + seed * 0.0031)
        kill(pair)
        cloud.advance(60)
        assert not producer.alive and producer.exception is None
        got = [int(body) for body, _ in drained(pair)]
        assert sorted(set(got)) == list(range(300))
        first = [n for i, n in enumerate(got) if n not in got[:i]]
        assert first == sorted(first)  # what came first of each is in order
        assert len(client.dark) >= 2


@pytest.mark.ours
def test_without_receipts_the_last_ones_are_lost_and_nobody_is_told(pair):
    def program():
        c = pair.connection(**BEATS)
        with contextlib.suppress(stomp.exception.StompException):  # it notices after the last one
            for n in range(1000):
                c.send("/queue/orders", str(n), persistent="true")
                time.sleep(0.002)

    pair.cloud.spawn(program, name="producer")
    pair.cloud.advance(1.5)
    kill(pair)
    pair.cloud.advance(30)
    got = [int(body) for body, _ in drained(pair)]
    sent = [r.subject for r in pair.cloud.trace.where("Enqueued") if r.actor == "producer"]
    assert got == list(range(len(got)))
    assert 0 < len(sent) - len(got) < 20  # those that waited for the disk


def dark_time(pair, fault):
    """From a fault until the other one serves."""
    start, first = pair.cloud.now, active(pair)
    fault(pair, first)
    pair.cloud.advance(120)
    serving = [r for r in pair.cloud.trace.where("NodeServing") if r.time > start]
    assert serving[0].actor != first
    return serving[0].time - start


@pytest.mark.ours
@pytest.mark.parametrize(
    ("fault", "at_least", "at_most"),
    [
        (
            lambda pair, name: pair.cloud.kill(name),
            1.5,
            11.5,
        ),  # the lock is free at once
        (lambda pair, name: pair.mq.reboot_broker(BrokerId=pair.id), 1.5, 11.6),
        (lambda pair, name: pair.cloud.network.power_off(name), 31.5, 41.5),  # the lock has a lease
        (lambda pair, name: pair.cloud.network.partition(name, "warehouse-storage"), 31.5, 43.5),
    ],
    ids=["crash", "reboot", "host lost", "storage out of reach"],
)
def test_how_long_it_is_dark(pair, fault, at_least, at_most):
    assert at_least <= dark_time(pair, fault) <= at_most


@pytest.mark.ours
def test_the_numbers_can_be_changed():
    quick = {"mq.lock_poll": 0.5, "mq.recovery_time": 0.2, "mq.lock_lease": 2}
    with Cloud(1, assume=quick) as cloud:
        pair = Broker(cloud, "ACTIVE_STANDBY_MULTI_AZ")
        assert dark_time(pair, lambda pair, name: cloud.network.power_off(name)) < 3


@pytest.mark.guide
def test_a_reboot_takes_minutes_and_the_broker_serves_meanwhile(pair):
    first = active(pair)
    pair.mq.reboot_broker(BrokerId=pair.id)
    pair.cloud.advance(30)
    assert pair.mq.describe_broker(BrokerId=pair.id)["BrokerState"] == "REBOOT_IN_PROGRESS"
    assert active(pair) != first and pair.engine.serving is not None
    pair.cloud.advance(300)
    assert pair.mq.describe_broker(BrokerId=pair.id)["BrokerState"] == "RUNNING"
    assert [node is not None for node in pair.service.brokers[pair.id].nodes] == [True, True]


@pytest.mark.ours
def test_an_orderly_stop_writes_what_it_has(pair):
    def program():
        c = pair.connection(**BEATS)
        for n in range(300):
            c.send("/queue/orders", str(n), persistent="true")
        time.sleep(0.07)  # all are there, and the last ones are not on the disk yet
        pair.mq.reboot_broker(BrokerId=pair.id)

    pair.cloud.run(program)
    pair.cloud.advance(30)
    assert [int(body) for body, _ in drained(pair)] == list(range(300))


@pytest.mark.ours
def test_while_the_storage_is_out_of_reach_no_receipt_comes(pair):
    heard = Heard()

    def program():
        c = pair.connection(listener=heard, **BEATS)
        c.send("/queue/orders", "before", persistent="true", receipt="before")
        time.sleep(1)
        pair.cloud.network.partition(active(pair), "warehouse-storage")
        c.send("/queue/orders", "memory", receipt="memory")
        c.send("/queue/orders", "during", persistent="true", receipt="during")
        time.sleep(5)
        assert heard.receipts == ["before", "memory"]
        pair.cloud.network.heal(active(pair), "warehouse-storage")
        time.sleep(2)

    pair.cloud.run(program)
    assert heard.receipts == ["before", "memory", "during"]


@pytest.mark.ours
def test_a_slow_storage_slows_each_receipt(pair):
    heard = Heard()

    def program():
        c = pair.connection(listener=heard)
        pair.cloud.network.delay(0.2, active(pair), "warehouse-storage")
        start = time.time()
        for n in range(5):
            c.send("/queue/orders", str(n), persistent="true", receipt=str(n))
        while len(heard.receipts) < 5:
            time.sleep(0.01)
        return time.time() - start

    assert pair.cloud.run(program) == pytest.approx(5 * 0.4115, abs=0.05)


@pytest.mark.guide
def test_a_single_instance_is_dark_until_it_is_back(cloud):
    broker = Broker(cloud, StorageType="EBS")

    def program():
        c = broker.connection()
        c.send("/queue/orders", "kept", persistent="true", receipt="1")
        c.send("/queue/orders", "lost", receipt="2")
        time.sleep(1)

    cloud.run(program)
    broker.mq.reboot_broker(BrokerId=broker.id)
    cloud.advance(30)
    assert broker.engine.serving is None
    cloud.advance(60)
    assert drained(broker) == [("kept", None)]


@pytest.mark.ours
def test_a_client_that_is_cut_off_from_the_active_one_has_no_other(pair):
    """The standby does not serve as long as the active one has the lock."""
    client = Client(pair)
    cloud = pair.cloud

    def program():
        client.send_until_confirmed("before")
        time.sleep(1)
        client.send_until_confirmed("after")

    process = cloud.spawn(program, name="producer")
    cloud.advance(0.5)
    name = active(pair)
    cloud.network.partition("producer", name)
    cloud.advance(60)
    assert process.alive and active(pair) == name
    cloud.network.heal("producer", name)
    cloud.advance(60)
    assert not process.alive


@pytest.mark.guide
def test_a_topics_durable_subscriber_finds_what_came_before_the_crash(pair):
    heard = Heard()
    durable = {"activemq.subscriptionName": "board"}

    def before():
        c = pair.connection(headers={"client-id": "board-1"}, **BEATS)
        c.subscribe("/topic/prices", 1, headers=durable)
        time.sleep(1)
        c.disconnect()
        time.sleep(1)
        sender = pair.connection(**BEATS)
        sender.send("/topic/prices", "disk", persistent="true", receipt="1")
        sender.send("/topic/prices", "memory", receipt="2")
        time.sleep(1)

    def after():
        c = pair.connection(listener=heard, headers={"client-id": "board-1"}, reconnect_attempts_max=50, **BEATS)
        c.subscribe("/topic/prices", 1, headers=durable)
        time.sleep(2)

    pair.cloud.run(before)
    kill(pair)
    pair.cloud.advance(20)
    pair.cloud.run(after)
    assert heard.bodies == ["disk"]


def test_which_one_serves_is_told_at_each_instant(pair):
    first = kill(pair)
    pair.cloud.advance(30)
    told = [(row.kind, row.actor) for row in pair.cloud.trace.where(("NodeServing", "NodeGone"))]
    assert told == [("NodeServing", first), ("NodeGone", first), ("NodeServing", active(pair))]


def test_a_message_tells_what_happened_to_it(pair):
    heard = Heard()

    def program():
        c = pair.connection(listener=heard, **BEATS)
        c.subscribe("/queue/orders", 1, ack="client-individual")
        c.send("/queue/orders", "one", persistent="true", receipt="1")
        time.sleep(60)

    pair.cloud.spawn(program, name="shop")
    pair.cloud.advance(2)
    first = kill(pair)
    pair.cloud.advance(20)
    drained(pair)
    told = pair.cloud.explain(heard.messages[0].headers["message-id"])
    assert "sent to warehouse/queue/orders by shop, persistent, 3 bytes" in told
    assert "dispatched to shop" in told and "the connection to shop broke before it was acknowledged" in told
    assert f"found in the store by {active(pair)}" in told and first not in told.splitlines()[-1]
    assert told.splitlines()[-1].endswith("acknowledged by drain")
