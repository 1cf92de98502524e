"""Whatever happens to nodes and wires: persistent and confirmed is never lost, each producer's order is kept, and what
was acknowledged does not come again."""

import collections
import contextlib
import logging

import pika
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from mq.rabbitmq import Stage

MESSAGES = 25
LASTING = pika.BasicProperties(delivery_mode=2)
FAULTS = st.lists(
    st.tuples(st.floats(0.2, 40), st.sampled_from(["crash", "stop", "power", "cut"]), st.integers(1, 3)), max_size=5
)


@pytest.fixture(autouse=True)
def quiet():
    """pika has a lot to say of nodes that are down."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Run:
    """Two producers that send again what was not confirmed, two consumers that acknowledge, and faults."""

    def __init__(self, stage, arguments, faults):
        self.stage, self.arguments = stage, arguments
        self.network = stage.cloud.network
        self.names = [host.name for host in stage.engine.broker.hosts]
        self.confirmed, self.received = set(), {}
        self.published = collections.Counter()
        self.trouble = []  # when something went wrong, or was mended
        for who in ("p1", "p2"):
            self.client(who, self.produce)
        for who in ("c1", "c2"):
            self.received[who] = []
            self.client(who, self.consume)
        for time, fault, number in faults:
            stage.cloud.kernel.after(time, self.strike, fault, (number - 1) % len(self.names))

    def client(self, name, work):
        """A program that connects again, whatever happens."""

        def program():
            while True:
                with contextlib.suppress(pika.exceptions.AMQPError, OSError):
                    connection = self.stage.connect(heartbeat=10, blocked_connection_timeout=30)
                    channel = connection.channel()
                    channel.queue_declare("q", durable=True, arguments=self.arguments)
                    if work(name, channel):
                        return
                self.stage.cloud.kernel.sleep(0.7)

        self.stage.spawn(name, program)

    def produce(self, name, channel):
        channel.confirm_delivery()
        for n in range(MESSAGES):
            if (name, n) not in self.confirmed:
                self.published[name, n] += 1
                channel.basic_publish("", "q", f"{name} {n}", LASTING)
                self.confirmed.add((name, n))
                channel.connection.sleep(0.5)
        return True

    def consume(self, name, channel):
        channel.basic_qos(prefetch_count=3)
        mine = []
        self.received[name].append(mine)

        def take(ch, method, properties, body):
            producer, number = body.decode().split(" ")
            mine.append((producer, int(number), method.redelivered))
            ch.connection.sleep(0.4)
            ch.basic_ack(method.delivery_tag)

        channel.basic_consume("q", take)
        channel.start_consuming()

    def strike(self, fault, at):
        self.trouble.append(self.stage.cloud.now)
        node = self.stage.engine.nodes.get(at + 1)
        if fault == "cut":
            for other in self.names:
                if other != self.names[at]:
                    self.network.partition(self.names[at], other)
            self.stage.cloud.kernel.after(25, self.mend, at)
        elif node is None or node.stopping:
            return
        elif fault == "crash":
            node.process.kernel.after(0, self.stage.cloud.kernel.kill, node.process)
        elif fault == "power":
            self.network.power_off(self.names[at])
        else:
            node.stop()

    def mend(self, at):
        self.trouble.append(self.stage.cloud.now)
        for other in self.names:
            if other != self.names[at]:
                self.network.heal(self.names[at], other)

    def check(self):
        cloud, queue = self.stage.cloud, self.stage.engine.vhost.queues["q"]
        everything = {(p, n) for p in ("p1", "p2") for n in range(MESSAGES)}
        assert self.confirmed == everything, "the cluster is whole again: every message was confirmed in the end"
        seen = {(p, n) for runs in self.received.values() for run in runs for p, n, _ in run}
        left = {tuple(entry.message.body.decode().split(" ")) for entry in queue.entries()}
        assert everything <= seen | {(p, int(n)) for p, n in left}, "a confirmed message is lost"
        for runs in self.received.values():
            for run in runs:
                for producer in ("p1", "p2"):
                    first = [n for p, n, again in run if p == producer and not again and self.published[p, n] == 1]
                    assert first == sorted(first), "the order of a producer is not kept"
        gone = {}
        for row in cloud.trace.where(("Acknowledged", "Dispatched")):
            if row.kind == "Dispatched":
                assert row.subject not in gone, "what was acknowledged came again"
            elif not any(row.time - 20 <= t <= row.time + 1 for t in self.trouble):
                gone[row.subject] = row.time
        confirmed = {row.subject for row in cloud.trace.where("Confirmed")}
        assert not confirmed & {row.subject for row in cloud.trace.where("MemoryLost")}


def play(arguments, faults, **stage):
    with Stage(**stage) as made:
        run = Run(made, arguments, faults)
        made.cloud.advance(900)
        run.check()


LAB = settings(max_examples=12, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck))


@LAB
@example([(5.0, "power", 1), (6.0, "crash", 2), (30.0, "cut", 3)])
@example([(3.0, "cut", 1), (4.0, "cut", 2)])
@example([(3.0, "crash", 1), (3.1, "crash", 2), (3.2, "crash", 3)])
@given(FAULTS)
def test_a_quorum_queue(faults):
    play({"x-queue-type": "quorum", "x-delivery-limit": -1}, faults, nodes=3)


@LAB
@example([(5.0, "crash", 1), (300.0, "power", 1)])
@given(FAULTS)
def test_a_durable_queue_of_one_node(faults):
    play({}, [fault for fault in faults if fault[1] != "cut"], nodes=1)


@pytest.mark.parametrize("fault", ["crash", "stop", "power"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_mirrored_queue_that_loses_one_node(fault, number):
    play({}, [(5.0, fault, number)], nodes=3, version="3.11.20")
