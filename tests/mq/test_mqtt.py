"""MQTT 3.1.1 on ActiveMQ with unmodified paho-mqtt: what devices rely on."""

import itertools
import time

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mq.brokers import USER, Heard, bare

from lablib.services.mq.activemq.mqtt import BrokenPacket, Decoder, Packet, is_filter, name_of, topic_of
from lablib.services.mq.activemq.mqtt_session import MqttSession


class Device:
    """A paho client in its own thread, and what it heard. Make it inside a process."""

    def __init__(self, broker, name, clean=True, password=USER["Password"], will=None, keepalive=60, host=0):
        self.heard, self.codes, self.published, self.gone = [], [], [], []
        c = self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, name, clean_session=clean, protocol=paho.MQTTv311
        )
        c.username_pw_set(USER["Username"], password)
        c.tls_set()
        if will:
            c.will_set(*will)
        c.on_connect = lambda c, u, flags, code, p: self.codes.append((str(code), flags.session_present))
        c.on_message = lambda c, u, m: self.heard.append((m.topic, m.payload.decode(), m.qos, m.retain, m.dup))
        c.on_publish = lambda c, u, mid, code, p: self.published.append(mid)
        c.on_disconnect = lambda c, u, flags, code, p: self.gone.append(str(code))
        c.connect(broker.hosts[host][0], 8883, keepalive=keepalive)
        c.loop_start()
        time.sleep(1)

    def stop(self):
        self.client.disconnect()
        time.sleep(0.5)
        self.client.loop_stop()

    @property
    def payloads(self):
        return [payload for _, payload, *_ in self.heard]


def test_a_message_goes_to_all_who_subscribed_and_stomp_hears_it_too(broker):
    stomp_heard = Heard()

    def program():
        a, b = Device(broker, "a"), Device(broker, "b")
        a.client.subscribe([("sensors/+/temperature", 1), ("alarms/#", 0)])
        b.client.subscribe("sensors/1/temperature", 0)
        broker.connection(listener=stomp_heard).subscribe("/topic/sensors.>", 1)
        time.sleep(1)
        b.client.publish("sensors/1/temperature", "20", qos=1)
        b.client.publish("alarms/fire/kitchen", "!", qos=0)
        b.client.publish("other", "nobody", qos=1)
        time.sleep(1)
        assert b.codes == [("Success", False)] and len(b.published) == 3
        return a, b

    a, b = broker.cloud.run(program, name="devices")
    assert a.heard == [
        ("sensors/1/temperature", "20", 1, False, False), ("alarms/fire/kitchen", "!", 0, False, False)
    ]  # fmt: skip
    assert b.heard == [("sensors/1/temperature", "20", 0, False, False)]
    assert stomp_heard.bodies == ["20"]


@pytest.mark.parametrize("clean", [True, False])
def test_who_unsubscribes_hears_no_more_and_nothing_is_kept(broker, clean):
    """MQTT 3.1.1, 3.10 and 4.1: a subscription of a session that is not clean would have kept what comes meanwhile."""

    def program():
        device, sender = Device(broker, "device", clean), Device(broker, "sender")
        device.client.subscribe([("t", 1), ("u", 1)])
        time.sleep(1)
        sender.client.publish("t", "first", qos=1)
        time.sleep(1)
        device.client.unsubscribe(["t", "never subscribed"])
        time.sleep(1)
        device.stop()
        sender.client.publish("t", "second", qos=1)
        sender.client.publish("u", "third", qos=1)
        time.sleep(1)
        again = Device(broker, "device", clean)
        again.client.subscribe("t", 1)
        time.sleep(1)
        return device.payloads, again.payloads

    kept = [] if clean else ["third"]
    assert broker.cloud.run(program, name="devices") == (["first"], kept)


@pytest.mark.reported
@pytest.mark.parametrize(("clean", "subscribed", "published"), list(itertools.product([True, False], [0, 1], [0, 1])))
def test_two_things_make_an_offline_subscriber_whole_and_a_third_makes_it_safe(broker, clean, subscribed, published):
    """Cases, "Three things make an offline MQTT subscriber whole"; ActiveMQ keeps QoS 0 too, in its memory."""

    def program():
        device = Device(broker, "device", clean)
        device.client.subscribe("t", subscribed)
        time.sleep(1)
        device.stop()
        sender = Device(broker, "sender")
        for n in range(5):
            sender.client.publish("t", str(n), published)
        time.sleep(1)
        return Device(broker, "device", clean)

    device = broker.cloud.run(program, name="devices")
    kept = not clean and subscribed == 1
    assert device.payloads == (["0", "1", "2", "3", "4"] if kept else [])
    assert device.codes == [("Success", kept)]


def test_the_third_thing_shows_at_a_failover(pair):
    def before():
        device = Device(pair, "device", clean=False, host=0)
        device.client.subscribe("t", 1)
        time.sleep(1)
        device.stop()
        sender = Device(pair, "sender")
        sender.client.publish("t", "memory", 0)
        sender.client.publish("t", "disk", 1)
        time.sleep(1)

    pair.cloud.run(before, name="devices")
    pair.cloud.kill(pair.engine.active.name)
    pair.cloud.advance(30)
    host = [host for host, _ in pair.hosts].index(pair.service.brokers[pair.id].dns(pair.engine.active.number))
    device = pair.cloud.run(lambda: Device(pair, "device", clean=False, host=host), name="again")
    assert device.payloads == ["disk"]


def test_the_last_value_is_retained_until_it_is_taken_back(broker):
    def program():
        sender = Device(broker, "sender")
        sender.client.publish("t", "old", retain=True)
        sender.client.publish("t", "new", retain=True)
        time.sleep(1)
        first = Device(broker, "first")
        first.client.subscribe("t")
        time.sleep(1)
        sender.client.publish("t", "", retain=True)
        time.sleep(1)
        second = Device(broker, "second")
        second.client.subscribe("t")
        time.sleep(1)
        return first, second

    first, second = broker.cloud.run(program, name="devices")
    assert first.heard == [("t", "new", 0, True, False), ("t", "", 0, False, False)]
    assert second.heard == []


def test_a_will_is_published_by_who_goes_without_a_word(broker):
    cloud = broker.cloud
    heard = []

    def watcher():
        device = Device(broker, "watcher")
        device.client.subscribe("gone/#", 1)
        heard.append(device)
        time.sleep(60)

    def one(name, polite):
        device = Device(broker, name, will=(f"gone/{name}", "lost", 1))
        time.sleep(1)
        if polite:
            device.stop()
        time.sleep(60)

    cloud.spawn(watcher, name="watcher")
    cloud.advance(3)
    cloud.spawn(one, "polite", True, name="polite")
    killed = cloud.spawn(one, "killed", False, name="killed")
    cloud.advance(4)
    cloud.kill(killed)
    cloud.advance(5)
    assert heard[0].heard == [("gone/killed", "lost", 1, False, False)]


def test_a_silent_device_is_cut_off_after_one_and_a_half_keep_alives(broker):
    cloud = broker.cloud
    cloud.spawn(lambda: (Device(broker, "device", keepalive=10), time.sleep(100)), name="device")
    cloud.advance(5)
    cloud.network.partition("device", "warehouse")
    cut = cloud.now
    cloud.advance(40)
    (row,) = cloud.trace.where("ClientGone")
    assert 10 <= row.time - cut <= 30 and row.detail == "nothing came from it for 15 s"


def test_a_client_id_is_taken_over(broker):
    def program():
        first = Device(broker, "same")
        first.client._reconnect_on_failure = False
        second = Device(broker, "same")
        time.sleep(2)
        first.client.loop_stop()
        return first, second

    first, second = broker.cloud.run(program, name="devices")
    assert first.gone and second.gone == []


@pytest.mark.reported
def test_a_wrong_password_is_not_authorized(broker):
    device = broker.cloud.run(lambda: Device(broker, "a", password="wrong"), name="device")
    assert device.codes[0] == ("Not authorized", False)


@pytest.mark.ours
def test_quality_2_is_not_simulated(broker):
    def program():
        device = Device(broker, "a")
        device.client.subscribe("t", 2)  # is granted 1
        time.sleep(1)
        device.client.publish("t", "x", 1)
        time.sleep(1)
        assert device.heard == [("t", "x", 1, False, False)]
        device.client.publish("t", "x", 2)
        time.sleep(1)

    broker.cloud.run(program, name="device")
    (row, *_) = broker.cloud.trace.where("ClientError")
    assert row.detail == "This lab does not simulate QoS 2 of MQTT: use QoS 1"


# ---- packets ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from([3, 4, 12]), st.binary(max_size=300)), max_size=4), st.lists(st.integers(1, 9))
)
def test_packets_are_read_back_in_whatever_pieces_they_come(sent, cuts):
    written = b"".join(Packet(kind, 0, body).encode() for kind, body in sent)
    decoder, found, at = Decoder(), [], 0
    for cut in [*cuts, len(written)]:
        found += decoder.feed(written[at : at + cut])
        at += cut
    assert [(p.kind, p.body) for p in found] == sent


@given(st.binary(max_size=200))
def test_any_bytes_are_packets_or_none(data):
    try:
        list(Decoder().feed(data))
    except BrokenPacket:
        pass


@given(st.binary(max_size=60))
def test_a_broker_outlives_whatever_is_sent_to_it(data):
    session = bare(MqttSession)
    hello = Packet(1, 0, b"\0\4MQTT\4\xc2\0\0\0\1a\0\4shop\0\1x").encode()
    session._data(hello + data)


@pytest.mark.parametrize(
    ("name", "fits"),
    [("a/b", True), ("a/+/b", True), ("#", True), ("a/#", True), ("a#", False), ("a/#/b", False),
     ("a+/b", False), ("", False)],
)  # fmt: skip
def test_filters(name, fits):
    assert is_filter(name) is fits


@given(st.text("abc/.+#*>", max_size=10))
def test_names_are_told_both_ways(name):
    assert name_of(topic_of(name)) == name
