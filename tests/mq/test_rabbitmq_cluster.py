"""Three nodes: quorum queues today, mirrored queues in 2023, and what each loses, refuses, or gives twice."""

import itertools

import pika
import pytest
from mq.rabbitmq import Stage, taken

from lablib.scenarios import Action
from lablib.scenarios.lab07_cluster import Cluster
from lablib.services.mq.rabbitmq.settings import Policy

guide, ours = pytest.mark.guide, pytest.mark.ours
QUORUM = {"x-queue-type": "quorum"}
LASTING = pika.BasicProperties(delivery_mode=2)


@pytest.fixture
def today():
    with Stage(nodes=3) as stage:
        yield stage


@pytest.fixture
def pausing():
    """The last version with quorum queues and strategies for partitions."""
    with Stage(nodes=3, version="3.13") as stage:
        yield stage


@pytest.fixture
def mirrored():
    with Stage(nodes=3, version="3.11.20") as stage:
        yield stage


def at(stage, number, fn, seconds=30, name="client"):
    """Run `fn(channel)` in a program that is connected to that node."""

    def program():
        connection = stage.connect(number)
        try:
            return fn(connection.channel())
        finally:
            if connection.is_open:
                connection.close()

    return stage.run(program, name=name, seconds=seconds)


def declare(name="q", **more):
    return lambda channel: channel.queue_declare(name, durable=True, arguments={**QUORUM, **more})


def send(*bodies, queue="q", properties=LASTING):
    def act(channel):
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", queue, body, properties)

    return act


def leader(stage, queue="q"):
    return stage.engine.vhost.queues[queue].home


def power_off(stage, number):
    stage.cloud.network.power_off(stage.engine.broker.hosts[number - 1].name)


def cut_off(stage, number, heal=False):
    names = [host.name for host in stage.engine.broker.hosts]
    for other in names:
        if other != names[number - 1]:
            act = stage.cloud.network.heal if heal else stage.cloud.network.partition
            act(names[number - 1], other)


# ---- the load balancer -----------------------------------------------------------------------------------------------


@guide
def test_one_name_for_three_nodes(today):
    def program():
        kept = [today.connect() for _ in range(6)]
        today.cloud.kernel.sleep(5)
        return len(kept)

    today.spawn("client", program)
    today.cloud.advance(3)
    assert sorted(c.node.number for c in today.engine.connections) == [1, 1, 2, 2, 3, 3]
    assert len(today.mq.describe_broker(BrokerId=today.id)["BrokerInstances"]) == 1


@ours
def test_the_load_balancer_learns_late_that_a_node_is_gone(today):
    power_off(today, 1)

    def program():
        failed = 0
        for _ in range(6):
            try:
                today.connect(socket_timeout=0.2, stack_timeout=0.5)
            except pika.exceptions.AMQPError:
                failed += 1
        return failed

    assert today.run(program, name="early", seconds=10) == 2
    today.cloud.advance(10)
    assert today.run(program, name="late", seconds=10) == 0


# ---- quorum queues ---------------------------------------------------------------------------------------------------


@guide
def test_a_message_is_confirmed_when_a_majority_has_it_on_disk(today):
    today.cloud.quotas["mq.rabbitmq_sync"] = 0.5

    def play(channel):
        declare()(channel)
        before = today.cloud.now
        send(b"m")(channel)
        return round(today.cloud.now - before, 1)

    assert at(today, 1, play) == 0.5
    rows = today.cloud.trace.where(("Enqueued", "Replicated", "Confirmed"))
    kinds = [row.kind for row in rows]
    assert kinds.index("Confirmed") > kinds.index("Replicated") + 1
    assert [r.actor for r in rows if r.kind == "Replicated"] == ["shop-1", "shop-2", "shop-3"]


@guide
@pytest.mark.parametrize("how", ["crashes", "stops", "loses its power"])
def test_another_node_leads_and_what_was_confirmed_is_there(today, how):
    at(today, 1, declare())
    at(today, 1, send(b"1", b"2"))
    assert leader(today) == 1
    if how == "crashes":
        today.crash(1)
    elif how == "stops":
        today.engine.nodes[1].stop()
    else:
        power_off(today, 1)
    today.cloud.advance(8)
    assert leader(today) != 1
    at(today, 2, send(b"3"))
    assert [body for body, _ in at(today, 3, lambda channel: taken(channel, "q"))] == ["1", "2", "3"]


@guide
def test_while_there_is_no_leader_publishers_wait_and_nothing_is_lost(today):
    at(today, 1, declare())

    def publisher():
        channel = today.connect(2).channel()
        channel.confirm_delivery()
        times = []
        for n in range(40):
            channel.basic_publish("", "q", str(n), LASTING)
            times.append(today.cloud.now)
            today.cloud.kernel.sleep(0.5)
        return max(b - a for a, b in itertools.pairwise(times))

    process = today.spawn("publisher", publisher)
    today.cloud.advance(5)
    power_off(today, 1)
    today.cloud.advance(60)
    assert 4 < process.result < 8  # dark: until the leader is missed, and another one is there
    found = [int(body) for body, _ in at(today, 3, lambda channel: taken(channel, "q"))]
    assert found == list(range(40))


@guide
def test_two_nodes_down_and_the_queue_answers_nobody_until_one_is_back(pausing):
    at(pausing, 1, declare())
    at(pausing, 1, send(b"before"))
    power_off(pausing, 2)
    power_off(pausing, 3)
    pausing.cloud.advance(1)

    def publisher():
        with pytest.raises(pika.exceptions.AMQPError):
            send(b"during")(pausing.connect(1).channel())
        return pausing.cloud.now

    begun = pausing.cloud.now
    process = pausing.spawn("publisher", publisher)
    pausing.cloud.advance(30)
    assert process.alive
    assert pausing.engine.vhost.queues["q"].stopped
    pausing.cloud.advance(70)
    assert 55 < process.result - begun < 65  # the last node has missed the others, and pauses
    assert not pausing.engine.nodes
    pausing.cloud.advance(150)  # the others are replaced
    bodies = [body for body, _ in at(pausing, 3, lambda channel: taken(channel, "q"))]
    assert bodies in (["before"], ["before", "during"])  # what was not confirmed may be there


@guide
def test_two_nodes_down_and_nothing_is_confirmed_until_one_is_back(today):
    """rabbitmq.com, "How to enable Khepri": the default from 4.2 on. Nothing pauses: clients stay, and wait."""
    at(today, 1, declare())

    def publisher():
        send(b"during")(today.connect(1).channel())
        return today.cloud.now

    power_off(today, 2)
    today.cloud.advance(20)
    power_off(today, 3)
    process = today.spawn("publisher", publisher)
    for _ in range(10):
        today.cloud.advance(10)
        assert process.alive == (len(today.engine.nodes) == 1)
    late = at(today, 1, lambda channel: channel.connection.is_open, name="late")
    assert late and not today.cloud.trace.where("NodePaused")
    today.cloud.advance(150)  # the others are replaced
    assert process.result and at(today, 3, lambda channel: taken(channel, "q")) == [("during", False)]


@guide
def test_a_minority_confirms_nothing_and_pauses(pausing):
    at(pausing, 1, declare())
    lost = []

    def inside():
        connection = pausing.connect(1)
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            channel.basic_publish("", "q", b"inside", LASTING)
        except pika.exceptions.AMQPError:
            lost.append(pausing.cloud.now)

    cut_off(pausing, 1)
    begun = pausing.cloud.now
    pausing.spawn("inside", inside)
    pausing.cloud.advance(10)
    assert leader(pausing) != 1
    at(pausing, 2, send(b"outside"), name="outside")
    pausing.cloud.advance(100)
    assert 55 < lost[0] - begun < 65  # net_ticktime: its node has paused
    assert 1 not in pausing.engine.nodes
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        at(pausing, 1, lambda channel: None, name="late")
    cut_off(pausing, 1, heal=True)
    pausing.cloud.advance(5)
    assert 1 in pausing.engine.nodes
    bodies = [body for body, _ in at(pausing, 1, lambda channel: taken(channel, "q"))]
    assert bodies.count("outside") == 1  # the other one was never confirmed: it may be there or not


@guide
def test_a_node_that_is_cut_off_keeps_its_clients_and_confirms_when_it_is_back(today):
    """Release notes of RabbitMQ 4.3.0: strategies for partitions are gone with Mnesia."""
    at(today, 1, declare())
    confirmed = []

    def inside():
        send(b"inside")(today.connect(1).channel())
        confirmed.append(today.cloud.now)

    cut_off(today, 1)
    process = today.spawn("inside", inside)
    today.cloud.advance(10)
    at(today, 2, send(b"outside"), name="outside")
    today.cloud.advance(100)
    assert process.alive and not confirmed and 1 in today.engine.nodes
    healed = today.cloud.now
    cut_off(today, 1, heal=True)
    today.cloud.advance(60)
    bodies = [body for body, _ in at(today, 1, lambda channel: taken(channel, "q"))]
    assert bodies.count("outside") == 1
    assert bodies.count("inside") == 1 or not confirmed, "what was confirmed is there"
    assert all(at > healed for at in confirmed)


@guide
def test_a_short_partition_is_only_a_delay(today):
    at(today, 1, declare())
    cut_off(today, 1)

    def publisher():
        before = today.cloud.now
        send(b"m")(today.connect(1).channel())
        return today.cloud.now - before

    process = today.spawn("publisher", publisher)
    today.cloud.advance(2)
    assert process.alive
    cut_off(today, 1, heal=True)
    today.cloud.advance(2)
    assert 1.5 < process.result < 3
    assert leader(today) == 1


@guide
def test_a_node_that_comes_back_gets_what_it_missed(today):
    at(today, 1, declare())
    today.crash(3)
    at(today, 1, send(b"1", b"2"))
    today.cloud.advance(200)
    today.crash(1)
    today.crash(2)  # only the third is left, and one more that comes back
    today.cloud.advance(250)
    assert [body for body, _ in at(today, 3, lambda channel: taken(channel, "q"))] == ["1", "2"]


@guide
def test_what_a_consumer_on_a_lost_node_had_comes_again(today):
    at(today, 1, declare())
    at(today, 1, send(b"1", b"2"))

    def worker():
        connection = today.connect(2)
        channel = connection.channel()
        channel.basic_get("q")
        connection.sleep(1000)

    today.spawn("worker", worker)
    today.cloud.advance(1)
    today.crash(2)
    with pytest.raises(pika.exceptions.AMQPError):  # the worker's
        today.cloud.advance(2)
    assert at(today, 3, lambda channel: taken(channel, "q")) == [("1", True), ("2", False)]


@guide
def test_what_a_consumer_has_stays_with_it_when_only_the_leader_changes(today):
    at(today, 1, declare())
    at(today, 1, send(b"1", b"2"))

    def worker():
        connection = today.connect(2)
        channel = connection.channel()
        tag = channel.basic_get("q")[0].delivery_tag
        connection.sleep(10)
        channel.basic_ack(tag)
        connection.sleep(5)
        connection.close()

    today.spawn("worker", worker)
    today.cloud.advance(1)
    today.crash(1)
    today.cloud.advance(20)
    assert at(today, 3, lambda channel: taken(channel, "q")) == [("2", False)]


@pytest.mark.reported  # RabbitMQ's source: rabbit_fifo_client numbers deliveries, and asks a new leader again
def test_what_was_answered_while_the_leader_was_lost_does_not_come_again(today):
    """The answer is on its way to the old leader, behind a partition, when another node begins to lead."""
    at(today, 1, declare())
    at(today, 1, send(b"1", b"2"))
    hosts, took = [host.name for host in today.engine.broker.hosts], []

    def worker():
        channel = today.connect(2).channel()
        channel.basic_qos(prefetch_count=1)

        def take(channel, method, properties, body):
            took.append((body, method.redelivered))
            channel.connection.sleep(2)
            channel.basic_ack(method.delivery_tag)

        channel.basic_consume("q", take)
        channel.start_consuming()

    today.spawn("worker", worker)
    today.cloud.advance(1)
    today.cloud.network.partition(*hosts[:2])
    today.cloud.advance(3)
    today.crash(1)
    today.cloud.advance(30)
    assert leader(today) != 1
    assert took == [(b"1", False), (b"2", False)]


@guide  # RabbitMQ 4: delivery-limit 20; the quorum queue page
@pytest.mark.parametrize(("version", "limit"), [("4.2", 20), ("3.13", None)])
def test_a_poison_message_is_dropped_after_twenty_deliveries_since_4(version, limit):
    with Stage(nodes=3, version=version) as stage:

        def play(channel):
            declare()(channel)
            send(b"poison")(channel)
            counts = []
            for _ in range(25):
                method, properties, _ = channel.basic_get("q")
                if method is None:
                    break
                counts.append((properties.headers or {}).get("x-delivery-count"))
                channel.basic_reject(method.delivery_tag)
                channel.connection.sleep(0.1)
            return counts

        counts = at(stage, 1, play)
        assert counts[:3] == [None, 1, 2]
        assert len(counts) == (limit + 1 if limit else 25)


@pytest.mark.parametrize(
    ("limit", "order"),
    [
        pytest.param({}, "310", marks=pytest.mark.measured, id="none"),
        pytest.param({"x-delivery-limit": 5}, "013", marks=guide, id="five"),
    ],
)
def test_what_is_given_back_goes_to_the_end_unless_there_is_a_delivery_limit(limit, order):
    with Stage(version="3.13") as stage:

        def play(channel):
            declare(**limit)(channel)
            send(*"0123")(channel)
            tags = [channel.basic_get("q")[0].delivery_tag for _ in range(3)]
            channel.basic_nack(tags[1])
            channel.basic_reject(tags[0])
            channel.basic_ack(tags[2])
            channel.connection.sleep(0.1)
            return taken(channel, "q")

        found = at(stage, None, play)
        assert "".join(body for body, _ in found) == order
        assert dict(found) == {"3": False, "1": True, "0": True}


@pytest.mark.measured
def test_a_quorum_queue_that_refuses_takes_one_more_than_its_length(today):
    def play(channel):
        declare(**{"x-max-length": 2, "x-overflow": "reject-publish"})(channel)
        channel.confirm_delivery()
        refused = []
        for n in range(5):
            try:
                channel.basic_publish("", "q", str(n))
            except pika.exceptions.NackError:
                refused.append(n)
        return refused

    assert at(today, 1, play) == [3, 4]


# ---- queues of one node ----------------------------------------------------------------------------------------------


@guide
def test_queues_of_one_node_are_bound_to_it(today):
    def play(channel):
        channel.queue_declare("durable", durable=True)
        channel.queue_declare("passing")
        for queue in ("durable", "passing"):
            send(b"lasting", queue=queue)(channel)
            send(b"transient", queue=queue, properties=None)(channel)

    at(today, 1, play)
    today.crash(1)
    today.cloud.advance(1)

    def look(name):
        def act(channel):
            with pytest.raises(pika.exceptions.ChannelClosedByBroker) as error:
                channel.queue_declare(name, passive=True, durable=True)
            return error.value.reply_text

        return at(today, 2, act)

    assert look("passing") == "NOT_FOUND - no queue 'passing' in vhost '/'"
    assert look("durable") == (
        "NOT_FOUND - home node 'rabbit@shop-1' of durable queue 'durable' in vhost '/' is down or inaccessible"
    )
    today.cloud.advance(200)
    assert at(today, 2, lambda channel: taken(channel, "durable")) == [("lasting", True)]
    assert len(today.cloud.trace.where("MemoryLost")) == 3


@guide
def test_a_consumer_is_told_when_the_home_of_its_queue_is_lost(today):
    at(today, 1, lambda channel: channel.queue_declare("durable", durable=True))
    told = []

    def consumer():
        connection = today.connect(2)
        channel = connection.channel()
        channel.add_on_cancel_callback(lambda frame: told.append(frame.method.consumer_tag))
        channel.basic_consume("durable", lambda *_: None, consumer_tag="mine")
        connection.sleep(20)

    today.spawn("consumer", consumer)
    today.cloud.advance(2)
    today.crash(1)
    today.cloud.advance(20)
    assert told == ["mine"]


# ---- mirrored queues, as in 2023 -------------------------------------------------------------------------------------


def lasting(channel):
    channel.queue_declare("q", durable=True)


@guide
def test_a_mirror_takes_over_at_once_and_nothing_is_lost(mirrored):
    at(mirrored, 1, lasting)
    at(mirrored, 1, send(b"1", b"2"))

    def worker():
        connection = mirrored.connect(2)
        connection.channel().basic_get("q")
        connection.sleep(60)

    mirrored.spawn("worker", worker)
    mirrored.cloud.advance(1)
    mirrored.crash(1)
    mirrored.cloud.advance(1)
    assert leader(mirrored) == 2
    assert at(mirrored, 3, lambda channel: taken(channel, "q")) == [("1", True), ("2", False)]


@ours
@pytest.mark.parametrize(("first", "second"), list(itertools.permutations((1, 2, 3), 2)))
def test_who_comes_back_before_it_is_missed_has_missed_something(first, second):
    """Erlang: monitors of the processes of a node say "noconnection" at the latest when it connects anew. Two nodes
    lose their power for 40 s, and the others would miss them after a minute.
    """
    lost = [Action("power_off", at, f"warehouse-{node}") for at, node in ((20.0, first), (35.0, second))]
    run = Cluster(queue="classic").run(seed=7, actions=lost)
    confirmed = [row.time for row in run.trace.where("OrderConfirmed")]
    assert len([time for time in confirmed if time > 90]) >= 50, "orders are confirmed again when all are back"


@guide
def test_a_node_that_comes_back_is_synchronised_and_meanwhile_the_queue_stands_still():
    with Stage(nodes=3, version="3.11.20", assume={"mq.rabbitmq_synchronise_rate": 1}) as stage:
        at(stage, 1, lasting)
        stage.crash(3)
        at(stage, 1, send(*(str(n) for n in range(20))))
        stage.cloud.advance(140)
        assert stage.engine.vhost.queues["q"].available
        stage.cloud.advance(2)
        while 3 not in stage.engine.nodes:
            stage.cloud.advance(1)

        def publisher():
            before = stage.cloud.now
            send(b"late")(stage.connect(1).channel())
            return stage.cloud.now - before

        assert 15 < stage.run(publisher, seconds=60) < 21
        assert stage.engine.vhost.queues["q"].copies.synchronised == {2, 3}
        assert len(stage.cloud.trace.where("MirrorSynchronised")) == 1


@guide
def test_all_nodes_lost_at_once_and_the_mirrors_follow_anew(mirrored):
    at(mirrored, 1, lasting)
    at(mirrored, 1, send(*(str(n) for n in range(20))))
    for number in (1, 2, 3):
        mirrored.crash(number)
    mirrored.cloud.advance(300)
    assert mirrored.engine.vhost.queues["q"].copies.synchronised == {2, 3}
    mirrored.crash(1)
    mirrored.cloud.advance(1)
    found = at(mirrored, 2, lambda channel: taken(channel, "q"))
    assert found == [(str(n), True) for n in range(20)]


@guide  # RabbitMQ: ha-promote-on-failure is always
def test_a_mirror_that_must_take_over_while_it_is_synchronised_loses_the_rest():
    with Stage(nodes=3, version="3.11.20", assume={"mq.rabbitmq_synchronise_rate": 1}) as stage:
        at(stage, 1, lasting)
        stage.crash(3)
        at(stage, 1, send(*(str(n) for n in range(20))))
        while 3 not in stage.engine.nodes:
            stage.cloud.advance(1)
        stage.crash(2)
        stage.cloud.advance(1)
        stage.crash(1)
        stage.cloud.advance(5)
        assert leader(stage) == 3
        while len(stage.engine.nodes) < 2:  # the one that is left has paused, for it sees a minority
            stage.cloud.advance(1)
        assert at(stage, 3, lambda channel: taken(channel, "q")) == []
        lost = stage.cloud.trace.where("MemoryLost")
        assert len(lost) == 20 and {row.resource for row in lost} == {"shop/queue/q"}


@guide  # Amazon MQ's guide, architecture of clusters
def test_amazon_mq_adds_mirroring_to_every_policy(mirrored):
    mirrored.engine.vhost.policies["mine"] = Policy("mine", ".*", {"ha-sync-mode": "manual", "max-length": 5}, 9)
    at(mirrored, 1, lasting)
    found = mirrored.engine.vhost.queues["q"].settings
    assert (found.mirrored, found.synchronise, found.max_length) == (True, True, 5)


@guide  # Amazon MQ's guide, quorum queues alarm
def test_before_3_13_a_quorum_queue_puts_the_broker_into_a_critical_state(mirrored):
    at(mirrored, 1, declare())
    shown = mirrored.mq.describe_broker(BrokerId=mirrored.id)
    assert shown["BrokerState"] == "CRITICAL_ACTION_REQUIRED"
    (action,) = shown["ActionsRequired"]
    assert action["ActionRequiredCode"] == "RABBITMQ_QUORUM_QUEUES_NOT_SUPPORTED_ON_CURRENT_VERSION"
    at(mirrored, 1, lambda channel: channel.queue_delete("q"))
    assert mirrored.mq.describe_broker(BrokerId=mirrored.id)["BrokerState"] == "RUNNING"


@guide
def test_what_version_a_broker_has_that_is_made_without_one():
    for limits, version in (("2023", "3.11.28"), ("today", "4.2")):
        with Stage(limits=limits) as stage:
            assert stage.mq.describe_broker(BrokerId=stage.id)["EngineVersion"] == version


@guide
def test_a_master_that_stops_in_order_waits_for_its_own_return_when_no_mirror_has_everything(mirrored):
    mirrored.engine.ha_policy["ha-sync-mode"] = "manual"
    at(mirrored, 1, lasting)
    at(mirrored, 1, send(b"old"))
    mirrored.crash(2)
    mirrored.crash(3)
    mirrored.cloud.advance(200)
    mirrored.engine.nodes[1].stop()
    mirrored.cloud.advance(5)
    assert not mirrored.engine.vhost.queues["q"].available
    mirrored.cloud.advance(100)
    assert at(mirrored, 3, lambda channel: taken(channel, "q")) == [("old", False)]


# ---- maintenance -----------------------------------------------------------------------------------------------------


@guide
def test_a_reboot_goes_node_by_node_and_a_client_that_comes_back_loses_nothing(today):
    at(today, 1, declare())
    sent, dark = [], []

    def publisher():
        n = 0
        while n < 300:
            try:
                connection = today.connect()
                channel = connection.channel()
                channel.confirm_delivery()
                while n < 300:
                    channel.basic_publish("", "q", str(n), LASTING)
                    sent.append(today.cloud.now)
                    n += 1
                    today.cloud.kernel.sleep(1)
            except pika.exceptions.AMQPError:
                dark.append(today.cloud.now)
                today.cloud.kernel.sleep(1)

    process = today.spawn("publisher", publisher)
    today.cloud.advance(10)
    today.mq.reboot_broker(BrokerId=today.id)
    fewest = 3
    for _ in range(320):
        today.cloud.advance(1)
        fewest = min(fewest, len(today.engine.nodes))
    assert not process.alive
    assert fewest == 2
    assert len(today.cloud.trace.where("NodeServing")) == 6
    assert dark
    found = [int(body) for body, _ in at(today, 2, lambda channel: taken(channel, "q"))]
    assert set(found) == set(range(300))  # a message whose confirm was lost may be there twice
    assert sorted(set(found)) == list(dict.fromkeys(found))
