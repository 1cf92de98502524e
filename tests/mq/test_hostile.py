"""Whatever comes over a wire: the one who sent it is answered or sent away, the broker goes on, and nobody waits.

Conversations that a client could have are written out frame by frame, as the specifications of AMQP 0-9-1, STOMP 1.2
and MQTT 3.1.1 have them; then they are broken, by hand and at random.
"""

import random
import socket
import ssl
import time
from struct import pack

import pytest
from mq.brokers import Broker
from mq.rabbitmq import PASSWORD, USER, Stage

from lablib import Cloud

CONTEXT = ssl.create_default_context()  # one for all: it reads real files


# ---- AMQP ------------------------------------------------------------------------------------------------------------


def frame(kind, channel, payload):
    return pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def method(number, *parts, channel=1):
    return frame(1, channel, pack(">HH", *number) + b"".join(parts))


def short(text):
    return bytes([len(text)]) + text


def long(text):
    return pack(">I", len(text)) + text


def nested(levels):
    table = b""
    for _ in range(levels):
        table = short(b"a") + b"F" + long(table)
    return table


def declare(arguments=b"", name=b"q"):
    return method((50, 10), b"\0\0", short(name), b"\2", long(arguments))


def argument(name, value):
    return declare(short(name) + value, b"n")


def publish(flags, properties, body, size=None):
    header = pack(">HHQH", 60, 0, len(body) if size is None else size, flags) + properties
    return method((60, 40), b"\0\0", short(b""), short(b"q"), b"\0") + frame(2, 1, header) + frame(3, 1, body)


LOGIN = long(f"\0{USER}\0{PASSWORD}".encode())
START_OK = method((10, 11), long(b""), short(b"PLAIN"), LOGIN, short(b"en_US"), channel=0)
AMQP = [
    b"AMQP\0\0\x09\x01", START_OK, method((10, 31), pack(">HIH", 100, 131072, 10), channel=0),
    method((10, 40), short(b"/"), short(b""), b"\0", channel=0), method((20, 10), short(b"")), declare(),
    publish(0x9000, short(b"text/plain") + b"\2", b"hello"),
    method((60, 20), b"\0\0", short(b"q"), short(b"t"), b"\0", long(b"")), method((60, 80), pack(">QB", 1, 0)),
]  # fmt: skip
OPEN = AMQP[:6]
BAD_AMQP = {
    "another protocol": [b"GET / HTTP/1.1\r\n\r\n"],
    "half a header": [b"AMQ"],
    "zeros": [b"\0" * 100],
    "a frame of two gigabytes": [AMQP[0], pack(">BHI", 1, 0, 0x7FFFFFFF) + b"x" * 100],
    "a frame of no type": [AMQP[0], frame(9, 0, b"")],
    "tables in tables before the login": [AMQP[0], method((10, 11), long(nested(5000)), channel=0)],
    "tables in tables": [*OPEN, declare(nested(5000))],
    "tables in tables in a message": [*OPEN, publish(0x2000, long(nested(3000)), b"x")],
    "a body without end": [*OPEN, publish(0, b"", b"x", 2**63)],
    "a body first": [*OPEN, frame(3, 1, b"x")],
    "a header first": [*OPEN, frame(2, 1, pack(">HHQH", 60, 0, 1, 0))],
    "a method of no class": [*OPEN, method((999, 1))],
    "a method of a channel on channel 0": [*OPEN, method((60, 40), channel=0)],
    "a channel that is not open": [*OPEN, method((60, 80), pack(">QB", 1, 0), channel=77)],
    "a name that is no text": [*OPEN, declare(name=b"\xff\xfe")],
    "a length that is no number": [*OPEN, argument(b"x-max-length", b"d" + pack(">d", float("nan")))],
    "a time before all times": [*OPEN, argument(b"x-message-ttl", b"l" + pack(">q", -(2**63)))],
    "a time after all times": [*OPEN, argument(b"x-expires", b"l" + pack(">q", 2**62))],
    "an expiration of 250 digits": [*OPEN, publish(0x0100, short(b"9" * 250), b"hi")],
    "a timestamp after all times": [*OPEN, publish(0x0040, pack(">Q", 2**64 - 1), b"hi")],
    "a thousand heartbeats": [*OPEN, frame(8, 0, b"") * 1000],
}  # fmt: skip

# ---- STOMP -----------------------------------------------------------------------------------------------------------


def stomp(command, body=b"", **headers):
    lines = [name.replace("_", "-").encode() + b":" + value for name, value in headers.items()]
    return b"\n".join([command, *lines, b"", body]) + b"\0"


def send(body=b"x", **headers):
    return stomp(b"SEND", body, destination=b"/queue/q", **headers)


def select(selector):
    return stomp(b"SUBSCRIBE", id=b"1", destination=b"/queue/q", selector=selector)


WHO = {"accept_version": b"1.2", "login": b"shop", "passcode": b"correct-horse-battery"}
CONNECT = stomp(b"CONNECT", **WHO)
STOMP = [
    CONNECT, stomp(b"SUBSCRIBE", id=b"1", destination=b"/queue/q", ack=b"client"),
    send(b"hello", persistent=b"true", content_length=b"5"),
    stomp(b"BEGIN", transaction=b"t") + send(transaction=b"t") + stomp(b"COMMIT", transaction=b"t"),
    stomp(b"DISCONNECT", receipt=b"9"),
]  # fmt: skip
MANY = b"9" * 5000  # more digits than Python turns into an int
BAD_STOMP = {
    "another protocol": [b"GET / HTTP/1.1\r\n\r\n"],
    "zeros": [b"\0" * 50],
    "headers without end": [b"CONNECT\n" + b"a:b\n" * 5000 + b"\n\0"],
    "a header without end": [b"CONNECT\n" + b"a" * 200_000],
    "a length of many digits": [CONNECT, send(content_length=MANY)],
    "a length below zero": [CONNECT, send(content_length=b"-5")],
    "a length that is none": [CONNECT, send(content_length=b"abc")],
    "heart-beats of many digits": [stomp(b"CONNECT", **WHO, heart_beat=MANY + b",1")],
    "heart-beats below zero": [stomp(b"CONNECT", **WHO, heart_beat=b"-5,-5")],
    "no destination": [CONNECT, b"SEND\n\n\0"],
    "a destination that is no text": [CONNECT, b"SEND\ndestination:/queue/\xff\n\nx\0"],
    "an escape that is none": [CONNECT, send(x=b"\\q")],
    "expires of many digits": [CONNECT, send(expires=MANY)],
    "a priority of another form": [CONNECT, send(priority=b"1_0")],
    "a prefetch of two signs": [CONNECT, select(b"a = 1\nactivemq.prefetchSize:--5")],
    "a priority of many digits": [CONNECT, select(b"a = 1\nactivemq.priority:" + MANY)],
    "a selector of brackets": [CONNECT, select(b"(" * 5000)],
    "a selector with a number of many digits": [CONNECT, select(b"a = " + MANY)],
    "a selector that divides by zero": [CONNECT, select(b"a = 1 / 0"), send(a=b"1")],
    "a selector that is too large": [CONNECT, select(b"a * a * a * a / 3 = 1"), send(a=b"9" * 300)],
    "a selector that looks for ever": [CONNECT, select(b"a LIKE '" + b"%a" * 20 + b"%b'"), send(a=b"a" * 3000)],
    "a transaction that did not begin": [CONNECT, stomp(b"COMMIT", transaction=b"t")],
    "connected twice": [CONNECT, CONNECT],
}  # fmt: skip

# ---- MQTT ------------------------------------------------------------------------------------------------------------


def text(data):
    return pack(">H", len(data)) + data


def packet(head, payload):
    size, length = b"", len(payload)
    while True:
        length, seven = divmod(length, 128)
        size += bytes([seven | (128 if length else 0)])
        if not length:
            return bytes([head]) + size + payload


HELLO = packet(0x10, text(b"MQTT") + b"\4\xc2\0\x3c" + text(b"me") + text(b"shop") + text(WHO["passcode"]))
MQTT = [
    HELLO, packet(0x82, b"\0\1" + text(b"a/#") + b"\1"), packet(0x32, text(b"a/b") + b"\0\2hello"), b"\xc0\0",
    packet(0x34, text(b"a/b") + b"\0\3hello"), packet(0x62, b"\0\3"), packet(0x31, text(b"a/c") + b"kept"), b"\xe0\0",
]  # fmt: skip
BAD_MQTT = {
    "a length without end": [b"\x10\xff\xff\xff\xff\xff"],
    "half a packet": [b"\x10"],
    "zeros": [b"\0" * 30],
    "another version": [packet(0x10, text(b"MQTT") + b"\5\2\0\x3c\0" + text(b"x"))],
    "connected twice": [HELLO, HELLO],
    "a quality of 3": [HELLO, packet(0x36, text(b"a") + b"\0\1x")],
    "an empty topic": [HELLO, packet(0x32, text(b"") + b"\0\1x")],
    "a topic with a wildcard": [HELLO, packet(0x32, text(b"a/#") + b"\0\1x")],
    "a topic that is no text": [HELLO, packet(0x32, text(b"\xff\xfe") + b"\0\1x")],
    "a topic longer than its packet": [HELLO, packet(0x32, b"\xff\xffab")],
    "a topic of 20,000 levels": [HELLO, packet(0x32, text(b"/".join([b"a"] * 20_000)) + b"\0\1x")],
    "a subscription to nothing": [HELLO, packet(0x82, b"\0\1")],
    "a filter that is none": [HELLO, packet(0x82, b"\0\1" + text(b"a/##") + b"\1")],
    "an answer to nothing": [HELLO, packet(0x62, b"\0\x63")],
    "an empty answer": [HELLO, packet(0x40, b"")],
    "what only a server sends": [HELLO, packet(0x20, b"\0\0")],
    "a packet of no type": [HELLO, packet(0xF0, b"")],
}  # fmt: skip

# ---- the attacks -----------------------------------------------------------------------------------------------------


class Target:
    """A broker, and programs that talk to it in bytes."""

    def __init__(self, protocol):
        if protocol == "amqp":
            stage = Stage()
            self.cloud, self.host, self.port = stage.cloud, stage.host, 5671
        else:
            self.cloud = Cloud(0, limits="today")
            broker = Broker(self.cloud)
            self.host, self.port = broker.hosts[0][0], {"stomp": 61614, "mqtt": 8883}[protocol]

    def talk(self, chunks, listen=True, stay=0.0):
        """Send these, hearing what comes between them or not, then stay for so long. What was heard."""
        heard = []

        def program():
            plain = socket.create_connection((self.host, self.port), timeout=30)
            with CONTEXT.wrap_socket(plain, server_hostname=self.host) as s:
                try:
                    for chunk in chunks:
                        s.sendall(chunk)
                        s.settimeout(0.3 if listen else 0.001)
                        try:
                            heard.append(s.recv(65536))
                        except TimeoutError:
                            pass
                        s.settimeout(20)
                    time.sleep(stay)
                    while heard[-1:] != [b""]:
                        heard.append(s.recv(65536))
                except OSError:
                    pass  # it was sent away

        self.cloud.run(program, name="attacker")
        return b"".join(heard)


PROTOCOLS = {"amqp": (AMQP, BAD_AMQP), "stomp": (STOMP, BAD_STOMP), "mqtt": (MQTT, BAD_MQTT)}


@pytest.fixture(scope="module", params=PROTOCOLS)
def under_attack(request):
    """A broker that all attacks of its protocol are tried on, and its protocol."""
    target = Target(request.param)
    yield target, request.param
    target.cloud.close()


def still_serves(target, protocol):
    return b"hello" in target.talk(PROTOCOLS[protocol][0])


def test_what_no_client_would_send(under_attack):
    target, protocol = under_attack
    for name, chunks in PROTOCOLS[protocol][1].items():
        heard = target.talk(chunks)
        for word in (b"Traceback", b"set_int_max_str_digits", b"RecursionError"):
            assert word not in heard, name
        assert still_serves(target, protocol), name


@pytest.mark.parametrize("seed", range(20))
def test_a_conversation_that_was_damaged_on_its_way(under_attack, seed):
    target, protocol = under_attack
    dice, data = random.Random(f"{protocol} {seed}"), bytearray(b"".join(PROTOCOLS[protocol][0]))
    for _ in range(dice.randrange(1, 6)):
        at, other = dice.randrange(len(data)), dice.randrange(len(data))
        match dice.randrange(5):
            case 0:
                data[at] = dice.randrange(256)
            case 1:
                del data[at : at + dice.randrange(1, 9)]
            case 2:
                data[at:at] = dice.randbytes(dice.randrange(1, 9))
            case 3:
                data[at : at + 4] = b"\xff" * 4
            case 4:
                data[at:at] = data[other : other + 40]
    step = max(1, len(data) // dice.randrange(1, 5))
    target.talk([bytes(data[i : i + step]) for i in range(0, len(data), step)], listen=dice.random() < 0.7)
    assert still_serves(target, protocol)


def test_who_says_nothing_or_stops_in_the_middle(under_attack):
    target, protocol = under_attack
    for chunks in ([], PROTOCOLS[protocol][0][:2], [PROTOCOLS[protocol][0][0][:-1]]):
        target.talk(chunks, stay=100)
        assert still_serves(target, protocol)
