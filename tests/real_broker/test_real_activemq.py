"""The yardstick: ordinary stomp.py programs against a real active/standby pair of ActiveMQ on loopback.

Debian's package `activemq` is needed; without it these tests are skipped. `SEEN.md` says what was seen, and when.
"""

import pytest
from real_broker import expected, programs

pytestmark = [pytest.mark.real_broker, pytest.mark.xdist_group("real_broker")]


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("receipts", [True, False])
@pytest.mark.parametrize("persistent", [True, False])
def test_a_failover_in_the_middle_of_six_hundred_messages(pair, persistent, receipts, attached):
    how = {"persistent": persistent, "receipts": receipts, "attached": attached}
    seen = programs.failover(pair.hosts, lambda: pair.kill(0), **how)
    print(how, seen)
    expected.check_failover(seen, **how)


def test_one_broker_in_order_of_what_programs_rely_on(pair):
    hosts = pair.hosts
    assert programs.shares(hosts, None) == (60, 0)
    assert programs.shares(hosts, 1) == (1, 1)
    assert programs.flags_after_leaving(hosts) == expected.FLAGS_AFTER_LEAVING
    assert programs.refused(hosts) == (["m2", "m3"], ["m1"])
    assert programs.undone(hosts) == [[], ["t1", "t2"]]
    assert programs.topic(hosts) == {"ordinary": ["before", "back"], "durable": ["before", "away", "back"]}
    assert programs.wrong_frames(hosts) == expected.WRONG_FRAMES
    assert {selector: programs.selected(hosts, selector) for selector in expected.SELECTED} == expected.SELECTED
    assert programs.flags_after_crash(hosts, lambda: pair.kill(0)) == expected.FLAGS_AFTER_CRASH
