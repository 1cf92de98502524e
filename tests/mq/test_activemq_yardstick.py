"""The programs of the yardstick (`real_broker/programs.py`), against a simulated pair: the same must come of them as of
ActiveMQ 5.17.2 on 28 November 2026 (`real_broker/SEEN.md`).

They speak in the open, as to the real pair; Amazon MQ's brokers have TLS only, so the simulated one gets one more port.
"""

from functools import partial

import pytest
from mq.brokers import Broker
from real_broker import expected, programs

from lablib import Cloud
from lablib.services.mq.activemq import ActiveMq
from lablib.services.mq.activemq.stomp_session import StompSession
from lablib.services.mq.engine import User

pytestmark = pytest.mark.measured


@pytest.fixture
def pair(monkeypatch):
    serve = ActiveMq._serve

    def serve_in_the_open(self, node):
        serve(self, node)
        node.listen(61613, partial(self._client, StompSession), tls=False)

    monkeypatch.setattr(ActiveMq, "_serve", serve_in_the_open)
    with Cloud(seed=2, assume={"mq.lock_poll": 2.0}) as cloud:  # as the real pair was set
        broker = Broker(cloud, "ACTIVE_STANDBY_MULTI_AZ")
        broker.service.brokers[broker.id].users["guest"] = User("guest", "guest")
        broker.open = [(host, 61613) for host, _ in broker.hosts]
        yield broker


def crash(pair):
    pair.cloud.kill(pair.engine.active.name)


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("receipts", [True, False])
@pytest.mark.parametrize("persistent", [True, False])
def test_a_failover_in_the_middle_of_six_hundred_messages(pair, persistent, receipts, attached):
    how = {"persistent": persistent, "receipts": receipts, "attached": attached}
    seen = pair.cloud.run(lambda: programs.failover(pair.open, lambda: crash(pair), **how), name="programs")
    expected.check_failover(seen, **how)


@pytest.mark.parametrize(
    ("program", "seen"),
    [
        (lambda hosts: (programs.shares(hosts, None), programs.shares(hosts, 1)), ((60, 0), (1, 1))),
        (programs.flags_after_leaving, expected.FLAGS_AFTER_LEAVING),
        (programs.refused, (["m2", "m3"], ["m1"])),
        (programs.undone, [[], ["t1", "t2"]]),
        (programs.topic, {"ordinary": ["before", "back"], "durable": ["before", "away", "back"]}),
        (programs.wrong_frames, expected.WRONG_FRAMES),
        (lambda hosts: {each: programs.selected(hosts, each) for each in expected.SELECTED}, expected.SELECTED),
    ],
    ids=["shares", "flags after leaving", "refused", "transactions", "topic", "wrong frames", "selectors"],
)
def test_it_does_what_a_real_broker_did(pair, program, seen):
    assert pair.cloud.run(program, pair.open, name="programs") == seen


def test_a_crash_flags_nothing(pair):
    seen = pair.cloud.run(programs.flags_after_crash, pair.open, lambda: crash(pair), name="programs")
    assert seen == expected.FLAGS_AFTER_CRASH


def test_a_receipt_says_only_what_the_broker_knows(pair):
    """What is not persistent is confirmed, and gone with the broker."""
    seen = pair.cloud.run(
        lambda: programs.failover(pair.open, lambda: crash(pair), persistent=False, receipts=True, attached=False),
        name="programs",
    )
    assert seen["unconfirmed"] == [] and set(range(1, 299)) <= set(seen["lost"])
