"""What is told and drawn of a broker is what was: tokens against the broker's own numbers, one digest for one seed."""

import contextlib
import time

import pytest
from mq.brokers import Broker, Heard

from lablib import Cloud
from lablib.aws.event import HIDDEN, WAITING
from lablib.measures.tokens import fold


def busy(seed, until=40.0):
    """A pair with programs, of which one crashes, as does the active broker; the cloud at that instant."""
    cloud = Cloud(seed, assume={"mq.lock_poll": 3})
    pair = Broker(cloud, "ACTIVE_STANDBY_MULTI_AZ")
    start = cloud.now

    def send(name, persistent):
        while True:
            with contextlib.suppress(Exception):
                c = pair.connection(heartbeats=(500, 500), reconnect_attempts_max=20)
                for n in range(10_000):
                    c.send("/queue/orders", f"{name} {n}", persistent=persistent, JMSXGroupID=str(n % 3))
                    c.send("/topic/prices", f"{name} {n}", persistent=persistent)
                    time.sleep(0.3)
            time.sleep(0.5)

    def receive(mode, topic):
        while True:
            heard = Heard()
            with contextlib.suppress(Exception):
                c = pair.connection(heartbeats=(500, 500), reconnect_attempts_max=20, listener=heard)
                c.subscribe("/topic/prices" if topic else "/queue/orders", 1, ack=mode,
                            headers={"activemq.prefetchSize": "4"})  # fmt: skip
                while heard.gone == 0:
                    if heard.messages and mode != "auto":
                        frame = heard.messages.pop(0)
                        time.sleep(0.5)
                        (c.nack if frame.body.endswith("7") else c.ack)(frame.headers["ack"])
                    else:
                        time.sleep(0.05)
            time.sleep(0.5)

    cloud.spawn(send, "a", "true", name="a")
    cloud.spawn(send, "b", "false", name="b")
    fragile = cloud.spawn(receive, "client-individual", False, name="worker")
    cloud.spawn(receive, "client", False, name="clerk")
    cloud.spawn(receive, "auto", True, name="board")
    cloud.kernel.at(start + 7, cloud.kernel.kill, fragile)
    cloud.kernel.at(start + 12.34, lambda: cloud.kernel.kill(pair.engine.active.process))
    cloud.advance(until)
    return cloud, pair


@pytest.mark.parametrize("seconds", [3.3, 7.9, 12.0, 14.0, 25.7, 40.0])
def test_the_tokens_are_what_the_broker_has(seconds):
    cloud, pair = busy(5, seconds)
    found = fold(cloud.trace)
    here = {(found.name(t.resource), t.state) for t in found.tokens}
    assert ("warehouse/queue/orders", WAITING) in here or seconds < 5

    def drawn(place, state):
        return sum(t.end is None and t.state == state and found.name(t.resource) == place for t in found.tokens)

    serving = pair.engine.serving
    if serving is None:
        stored = pair.engine.store.queues["queue/orders"]
        assert len(stored) > 0
    else:
        for source in [*serving.queues.values(), *serving.durables.values()]:
            place = f"warehouse/{source.place}"
            assert drawn(place, WAITING) == len(source.waiting)
            assert drawn(place, HIDDEN) == sum(len(consumer.dispatched) for consumer in source.consumers)
    cloud.close()


def test_the_same_seed_gives_the_same_run():
    digests = set()
    for _ in range(2):
        cloud, _ = busy(8, 20.0)
        digests.add(cloud.trace.digest())
        cloud.close()
    assert len(digests) == 1


def test_every_row_has_words():
    cloud, _ = busy(3, 40.0)
    for row in cloud.trace:
        if not cloud.trace.is_api(row.index):
            assert cloud.trace.describe(row)
            assert row.kind in cloud.trace.events, row.kind
    cloud.close()
