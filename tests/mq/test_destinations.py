"""What an ActiveMQ broker does with messages beside handing them on.

Selectors, time to live, groups, exclusive consumers, priorities of consumers, slow subscribers, a full memory, the pace
of its processor.
"""

import time

import pytest
from mq.brokers import Broker, Heard

from lablib import Cloud
from lablib.actors import EVENTS
from lablib.measures.notable import notable
from lablib.measures.tokens import fold
from lablib.services.mq.activemq.destinations import Message, matches
from lablib.services.mq.activemq.selectors import SelectorError, parse

MESSAGE = Message(
    "ID:1", "queue/orders", b"", {"colour": "red", "weight": "12.5", "note": "50% off_now", "urgent": "true"},
    {"type": "order"}, persistent=True, priority=7, timestamp=1000,
)  # fmt: skip


@pytest.mark.guide  # Jakarta Messaging, "Message selectors"
@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ("colour = 'red'", True),
        ("colour <> 'red'", False),
        ("weight > 12 AND weight <= 12.5", True),
        ("weight * 2 = 25 OR missing = 1", True),
        ("NOT weight < 3 + 4", True),
        ("missing = 1", False),
        ("NOT missing = 1", False),  # unknown stays unknown
        ("missing IS NULL AND colour IS NOT NULL", True),
        ("colour IN ('blue', 'red')", True),
        ("colour NOT IN ('blue', 'red')", False),
        ("weight BETWEEN 12 AND 13", True),
        ("weight NOT BETWEEN 12 AND 13", False),
        ("note LIKE '50%now'", True),
        ("note LIKE '50!% off!_now' ESCAPE '!'", True),
        ("note LIKE '5_'", False),
        ("urgent = TRUE", True),
        ("JMSPriority >= 7 AND JMSDeliveryMode = 'PERSISTENT' AND JMSType = 'order'", True),
        ("colour > 'a'", False),  # texts have no order
        ("-weight < 0", True),
        ("(colour = 'blue' OR weight > 1) AND JMSTimestamp = 1000", True),
        ("'it''s' = 'it''s'", True),
    ],
)
def test_a_selector(selector, fits):
    assert parse(selector)(MESSAGE) is fits


@pytest.mark.parametrize(
    "text",
    [
        "colour =",
        "= 1",
        "colour = 'red",
        "a b",
        "(a = 1",
        "a LIKE 1",
        "a IN ()",
        "AND",
        "a = 1 &",
        "(" * 500,
        "-" * 500,
    ],
)
def test_what_is_no_selector_is_refused(text):
    with pytest.raises(SelectorError):
        parse(text)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [("a.b", "a.b", True), ("a.*", "a.b", True), ("a.*", "a.b.c", False), ("a.>", "a.b.c", True),
     (">", "a", True), ("*.b", "a.c", False)],
)  # fmt: skip
def test_names_with_stars(pattern, name, fits):
    assert matches(pattern, name) is fits


def test_a_consumer_gets_what_its_selector_lets_through_and_the_rest_waits(broker):
    heard, rest = Heard(), Heard()

    def program():
        c = broker.connection(listener=heard)
        c.subscribe("/queue/orders", 1, headers={"selector": "weight > 10"})
        for weight in (5, 20, 8, 30):
            c.send("/queue/orders", str(weight), weight=str(weight))
        time.sleep(1)
        assert broker.depth() == 2
        broker.connection(listener=rest).subscribe("/queue/orders", 1)
        time.sleep(1)

    broker.cloud.run(program)
    assert (heard.bodies, rest.bodies) == (["20", "30"], ["5", "8"])


def test_what_is_too_old_goes_to_the_dead_letters_if_it_is_persistent(broker):
    dead, late = Heard(), Heard()

    def program():
        c = broker.connection()
        soon = str(int((time.time() + 5) * 1000))
        c.send("/queue/orders", "kept", expires=soon, persistent="true", receipt="1")
        c.send("/queue/orders", "dropped", expires=soon, receipt="2")
        time.sleep(40)  # the broker looks every half a minute
        broker.connection(listener=late).subscribe("/queue/orders", 1)
        broker.connection(listener=dead).subscribe("/queue/ActiveMQ.DLQ", 1)
        time.sleep(1)

    broker.cloud.run(program)
    assert late.bodies == [] and dead.bodies == ["kept"]
    assert dead.messages[0].headers["expires"] == "0"
    assert broker.engine.metrics()["ExpiredCount/orders"] == 2


def test_a_group_stays_with_its_consumer(broker):
    heard = [Heard() for _ in range(3)]

    def program():
        for each in heard:
            broker.connection(listener=each).subscribe("/queue/orders", 1)
        time.sleep(1)
        sender = broker.connection()
        for n in range(30):
            sender.send("/queue/orders", f"{n % 5}:{n}", JMSXGroupID=f"g{n % 5}")
        time.sleep(1)

    broker.cloud.run(program)
    owners = {}
    for which, each in enumerate(heard):
        for body in each.bodies:
            group = body.partition(":")[0]
            assert owners.setdefault(group, which) == which
        for group in owners:
            mine = [int(b.partition(":")[2]) for b in each.bodies if b.startswith(group)]
            assert mine == sorted(mine)
    assert len(set(owners.values())) > 1 and sum(len(each.bodies) for each in heard) == 30


def test_an_exclusive_consumer_has_a_queue_for_itself_and_a_successor(broker):
    first, second = Heard(), Heard()

    def program():
        a = broker.connection(listener=first)
        a.subscribe("/queue/orders", 1, headers={"activemq.exclusive": "true"})
        broker.connection(listener=second).subscribe("/queue/orders", 1, headers={"activemq.exclusive": "true"})
        sender = broker.connection()
        for n in range(4):
            sender.send("/queue/orders", f"{n}")
        time.sleep(1)
        a.disconnect()
        time.sleep(1)
        sender.send("/queue/orders", "4")
        time.sleep(1)

    broker.cloud.run(program)
    assert (first.bodies, second.bodies) == (["0", "1", "2", "3"], ["4"])


def test_a_consumer_of_a_higher_priority_comes_first(broker):
    low, high = Heard(), Heard()

    def program():
        one = {"activemq.prefetchSize": "2"}
        broker.connection(listener=low).subscribe("/queue/orders", 1, ack="client-individual", headers=one)
        more = one | {"activemq.priority": "5"}
        broker.connection(listener=high).subscribe("/queue/orders", 1, ack="client-individual", headers=more)
        time.sleep(1)
        sender = broker.connection()
        for n in range(3):
            sender.send("/queue/orders", f"{n}")
        time.sleep(1)

    broker.cloud.run(program)
    assert (high.bodies, low.bodies) == (["0", "1"], ["2"])


@pytest.mark.guide
def test_a_slow_subscriber_of_a_topic_loses_the_oldest(broker):
    """Amazon MQ's default configuration: constantPendingMessageLimitStrategy, 1,000."""
    heard = Heard()

    def program():
        c = broker.connection(listener=heard)
        c.subscribe("/topic/prices", 1, ack="client", headers={"activemq.prefetchSize": "10"})
        time.sleep(1)
        sender = broker.connection()
        for n in range(1030):
            sender.send("/topic/prices", f"{n}")
        time.sleep(2)
        c.ack(heard.messages[-1].headers["ack"])
        time.sleep(1)

    broker.cloud.run(program)
    assert heard.bodies == [str(n) for n in [*range(10), *range(30, 40)]]
    assert len(broker.cloud.trace.where("Discarded")) == 20


@pytest.mark.ours
def test_when_the_memory_is_full_producers_are_blocked_and_nothing_is_lost():
    with Cloud(3, assume={"mq.memory": 100 * 1024}) as cloud:
        broker = Broker(cloud)
        heard, times = Heard(), []

        def producer():
            c = broker.connection()
            for n in range(200):
                c.send("/queue/orders", "x" * 1024, receipt=f"{n}")
            times.append("sent")
            time.sleep(600)

        cloud.spawn(producer, name="producer")
        cloud.advance(30)
        assert broker.depth() == 50  # a message takes its kilobyte and one more
        assert [row.actor for row in cloud.trace.where("ProducerBlocked")] == ["producer"]
        assert "producer is blocked: the broker's memory is full." in [event.text for event in notable(cloud.trace)]
        assert broker.engine.metrics()["MemoryUsage"] == 100

        def consumer():
            broker.connection(listener=heard).subscribe("/queue/orders", 1)
            time.sleep(60)

        cloud.run(consumer, name="consumer")
        assert len(heard.bodies) == 200
        assert len(cloud.trace.where("ProducerUnblocked")) >= 1


@pytest.mark.ours
def test_a_block_ends_with_the_broker_and_not_with_the_client():
    """As long as nothing is read from a client, the broker does not see that it has closed its connection."""
    with Cloud(3, assume={"mq.memory": 20 * 1024}) as cloud:
        broker = Broker(cloud)

        def producer():
            c = broker.connection()
            for _ in range(20):
                c.send("/queue/orders", "x" * 1024)
            time.sleep(600)

        one, _ = (cloud.spawn(producer, name=name) for name in ("one", "two"))
        cloud.advance(10)
        assert set(fold(cloud.trace).blocked(cloud.now)) == {"one", "two"}
        cloud.kill(one)
        cloud.advance(10)
        assert not cloud.trace.where("ProducerUnblocked")
        broker.engine.active.fail()
        cloud.advance(1)
        assert [row.actor for row in cloud.trace.where("ProducerUnblocked")] == ["one", "two"]


@pytest.mark.ours
@pytest.mark.parametrize(
    ("rows", "turns"),
    [
        ("Blocked Unblocked", "blocked up"),
        ("Blocked Blocked Unblocked Unblocked", "blocked blocked blocked up"),  # by two of its connections
        ("Blocked Crashed Unblocked Restarted", "blocked down up"),  # the broker sees later that it is gone
        ("Blocked Frozen Unblocked Unfrozen", "blocked frozen up"),
        ("Frozen Blocked Unfrozen Unblocked", "frozen blocked up"),
    ],
)
def test_a_blocked_program_is_first_of_all_crashed_or_frozen(cloud, rows, turns):
    cloud.service("mq")
    cloud.trace.declare(EVENTS)
    for row in rows.split():
        cloud.advance(1)
        cloud.trace.add(f"Producer{row}" if row.endswith("locked") else row, "", "", "shop", detail="it is full")
    found = fold(cloud.trace).turns[cloud.trace.code("shop")]
    assert [state for _, state, _ in found] == turns.split()
    assert {why for _, state, why in found if state == "blocked"} == {"it is full"}


@pytest.mark.guide  # developer guide of 2023, "storage": about 5,000 messages/s from memory
@pytest.mark.parametrize(("size", "rate"), [("mq.m5.large", 5000), ("mq.t3.micro", 1000)])
def test_a_broker_handles_so_many_messages_a_second_and_not_more(cloud, size, rate):
    broker = Broker(cloud, HostInstanceType=size)

    def producer(name):
        c = broker.connection()
        for _ in range(400):
            c.send(f"/queue/{name}", "x")
        time.sleep(60)

    start = cloud.now
    for n in range(3):
        cloud.spawn(producer, n, name=f"producer-{n}")
    cloud.advance(30)
    last = cloud.trace.where("Enqueued")[-1].time
    assert 1200 / (last - start) == pytest.approx(rate, rel=0.1)
