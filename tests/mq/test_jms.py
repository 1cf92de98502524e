"""The failover transport of JMS clients, as an actor: its URL, its delays, what it loses and doubles, the herd."""

from itertools import islice

import pytest
from mq.brokers import USER, Broker
from mq.jms import FailoverUrl, JmsClient, JmsError

from lablib import Cloud

SLOW = {"mq.lock_poll": 10.0, "mq.recovery_time": 2.0}


def url(pair, options=""):
    hosts = ",".join(i["Endpoints"][0] for i in pair.described["BrokerInstances"])
    return f"failover:({hosts})" + (f"?{options}" if options else "")


def client(pair, options="", name="app", password=USER["Password"], **more):
    cloud = pair.cloud
    return JmsClient(
        cloud.kernel, cloud.trace, cloud.chance.stream(name), url(pair, options), USER["Username"], password, **more
    )


@pytest.mark.guide
def test_the_delays_double_from_10_ms_to_30_s():
    """activemq.apache.org, "Failover transport reference"."""
    parsed = FailoverUrl.parse("failover:(ssl://a:61617,ssl://b:61617)")
    assert parsed.hosts == ("a", "b")
    assert list(islice(parsed.delays(), 14)) == [
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 30, 30
    ]  # fmt: skip
    linear = FailoverUrl.parse("failover:(ssl://a:61617)?useExponentialBackOff=false&initialReconnectDelay=500")
    assert list(islice(linear.delays(), 3)) == [0.5, 0.5, 0.5]


@pytest.mark.ours
@pytest.mark.parametrize(
    "text",
    [
        "ssl://a:61617",
        "failover:()",
        "failover:(http://a:1)",
        "failover:(ssl://a:1)?backup=true",
        "failover:(ssl://a:1)?timeout=x",
    ],
)
def test_what_is_no_such_url_is_refused(text):
    with pytest.raises(ValueError, match="url"):
        FailoverUrl.parse(text)


@pytest.mark.guide
def test_a_send_blocks_through_a_failover_and_nothing_is_lost(pair):
    taken = []

    def producer():
        c = client(pair)
        for n in range(200):
            start = pair.cloud.now
            c.send("/queue/orders", str(n))
            taken.append(pair.cloud.now - start)

    def consumer():
        c = client(pair, name="consumer")
        c.subscribe("/queue/orders")
        got = []
        while (message := c.receive(30)) is not None:
            got.append(int(message.body))
            c.acknowledge(message)
        return got

    done = pair.cloud.spawn(producer, name="producer")
    pair.cloud.advance(1)
    pair.cloud.kill(pair.engine.active.name)
    pair.cloud.advance(60)
    assert not done.alive and done.exception is None
    assert max(taken) > 1  # one send waited for the other broker
    got = pair.cloud.run(consumer, name="consumer")
    assert sorted(set(got)) == list(range(200)) and 200 <= len(got) <= 201


@pytest.mark.guide
def test_a_timeout_ends_the_send_and_not_the_connection(pair):
    """activemq.apache.org: timeout=3000."""

    def program():
        c = client(pair, "timeout=3000")
        c.send("/queue/orders", "before")
        pair.cloud.network.power_off(pair.engine.active.name)
        pair.cloud.kernel.sleep(1)
        start = pair.cloud.now
        pair.cloud.network.reset("app")
        with pytest.raises(JmsError, match="Failover timeout of 3000 ms reached"):
            c.send("/queue/orders", "during")
        assert pair.cloud.now - start == pytest.approx(3, abs=0.1)
        pair.cloud.kernel.sleep(60)
        c.send("/queue/orders", "after")

    pair.cloud.run(program, name="app")


@pytest.mark.reported
def test_a_wrong_login_is_the_brokers_own_word(pair):
    def program():
        client(pair, password="wrong-wrong-wrong").connect()

    with pytest.raises(JmsError, match=r"User name \[shop\] or password is invalid\."):
        pair.cloud.run(program, name="app")


@pytest.mark.ours
def test_clients_without_jitter_come_back_as_a_herd():
    """They all lost their connection at one instant, and count the same delays: most come in one round."""
    with Cloud(2, assume=SLOW) as cloud:
        pair = Broker(cloud, "ACTIVE_STANDBY_MULTI_AZ")

        def program(n):
            c = client(pair, name=f"app-{n}")
            c.subscribe("/queue/orders")
            c.receive(200)

        for n in range(30):
            cloud.spawn(program, n, name=f"app-{n}")
        cloud.advance(10)
        killed = cloud.now
        cloud.kill(pair.engine.active.name)
        cloud.advance(60)
        back = sorted(r.time for r in cloud.trace.where("Reconnected") if r.time > killed)
        serving = next(r.time for r in cloud.trace.where("NodeServing") if r.time > killed)
        assert len(back) == 30
        assert back[-1] - back[0] < 0.1  # all of them within a tenth of a second
        assert back[0] - serving > 0.2  # and later than they could


@pytest.mark.ours
def test_what_waited_in_the_client_is_forgotten_and_given_out_again(pair):
    """The acknowledgement of a message that came over the old connection does nothing."""

    def program():
        c = client(pair)
        for n in range(3):
            c.send("/queue/orders", str(n))
        c.subscribe("/queue/orders")
        old = c.receive(5)
        pair.cloud.kill(pair.engine.active.name)
        pair.cloud.kernel.sleep(0.1)
        again = c.receive(60)
        c.acknowledge(old)
        c.acknowledge(again)
        return old.body, again.body, c.receive(1).body

    assert pair.cloud.run(program, name="app") == (b"0", b"0", b"1")
