"""Programs with unmodified clients, as people write them: connect, exchange, notice what goes wrong, connect again.

Each is a function `program(say)`: what it notices it says. `python -m programs.clients` in `tests/` prints all runs as
`clients_seen.txt` has them, and what was asked of the real network meanwhile; with `--clients-first`, the clients are
imported before the lab.
"""

import sys

if "--clients-first" in sys.argv:
    import kombu, paho.mqtt.client, pika, redis, requests, stomp  # noqa: E401, F401, I001

import lablib  # noqa: I001, F401

import hashlib
import http.client
import itertools
import logging
import socket
import ssl
import threading
import time
import warnings

import kombu
import paho.mqtt.client as mqtt
import pika
import redis
import requests
import stomp

from lablib import Cloud
from programs import servers


def stomp_client(say):
    class Listener(stomp.ConnectionListener):
        def on_message(self, f):
            say(f"got {f.body}")

        def on_heartbeat_timeout(self):
            say("heartbeat timeout")

        def on_disconnected(self):
            say("disconnected")
            again.set()

    again = threading.Event()
    for n in itertools.count(1):
        again.clear()
        connection = stomp.Connection12(
            [("broker", 61613)], heartbeats=(2000, 2000), reconnect_attempts_max=1, timeout=3
        )
        connection.set_listener("", Listener())
        try:
            connection.connect("guest", "guest", wait=True)
            say("connected")
            connection.subscribe("/queue/q", id=1, ack="auto")
            connection.send("/queue/q", f"m{n}")
            again.wait()
        except stomp.exception.StompException as error:
            say(type(error).__name__)
        time.sleep(1)


def pika_blocking(say, tls=None):
    parameters = pika.ConnectionParameters(
        "broker",
        5671 if tls else 5672,
        heartbeat=5,
        socket_timeout=3,
        stack_timeout=6,
        ssl_options=pika.SSLOptions(tls, "broker") if tls else None,
    )
    for n in itertools.count(1):
        try:
            connection = pika.BlockingConnection(parameters)
            channel = connection.channel()
            say("connected")
            channel.queue_declare("q")
            channel.confirm_delivery()
            channel.basic_publish("", "q", f"m{n}".encode())
            for method, _, body in channel.consume("q"):
                say(f"got {body.decode()}")
                channel.basic_ack(method.delivery_tag)
        except pika.exceptions.AMQPError as error:
            say(type(error).__name__)
        time.sleep(1)


def pika_tls(say):
    pika_blocking(say, ssl.create_default_context())


def pika_select(say):
    counter = itertools.count(1)

    def on_open(connection):
        say("connected")
        connection.channel(on_open_callback=on_channel)

    def on_channel(channel):
        channel.queue_declare("q", callback=lambda _: on_queue(channel))

    def on_queue(channel):
        channel.basic_consume("q", lambda ch, m, p, body: (say(f"got {body.decode()}"), ch.basic_ack(m.delivery_tag)))
        channel.basic_publish("", "q", f"m{next(counter)}".encode())

    def stop(connection, error):
        say(type(error).__name__)
        connection.ioloop.stop()

    while True:
        connection = pika.SelectConnection(
            pika.ConnectionParameters("broker", heartbeat=5, socket_timeout=3, stack_timeout=6),
            on_open_callback=on_open,
            on_open_error_callback=stop,
            on_close_callback=stop,
        )
        connection.ioloop.start()
        time.sleep(1)


def _paho(say):
    n = itertools.count(1)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "sensor", protocol=mqtt.MQTTv311)
    client.reconnect_delay_set(1, 4)
    client.on_connect = lambda c, u, f, rc, p: (say("connected"), c.subscribe("t/#", 1))
    client.on_subscribe = lambda c, u, mid, rc, p: c.publish("t/1", f"m{next(n)}", 1)
    client.on_publish = lambda c, u, mid, rc, p: say("published")
    client.on_message = lambda c, u, m: say(f"got {m.payload.decode()}")
    client.on_disconnect = lambda c, u, f, rc, p: say(f"disconnected: {rc}")
    client.connect("broker", 1883, keepalive=5)
    return client


def paho_forever(say):
    _paho(say).loop_forever()


def paho_start(say):
    client = _paho(say)
    client.loop_start()
    time.sleep(58)
    client.loop_stop()
    say("stopped")


def http_client(say):
    connection = None
    while True:
        try:
            if connection is None:
                connection = http.client.HTTPConnection("broker", timeout=3)
            connection.request("GET", "/x")
            say(connection.getresponse().read().decode())
        except OSError as error:
            say(type(error).__name__)
            connection.close()
            connection = None
        time.sleep(4)


def requests_client(say, base="http://broker"):
    session = requests.Session()
    for path in itertools.chain(["/a", "/b", "/slow"], itertools.repeat("/x")):
        try:
            say(session.get(base + path, timeout=3).text)
        except requests.RequestException as error:
            say(type(error).__name__)
        time.sleep(4)


def requests_tls(say):
    try:
        requests.get("https://alias", timeout=3)
    except requests.exceptions.SSLError as error:
        say("SSLError: " + str(error).split("verify failed: ")[1][:17])
    requests_client(say, "https://broker")


def redis_client(say):
    client = redis.Redis("broker", socket_timeout=4, socket_connect_timeout=3, health_check_interval=5)
    for n in itertools.count(1):
        try:
            client.rpush("q", f"m{n}")
            say(f"got {client.blpop('q', 1)[1].decode()}")
            if client.blpop("q", 3) is None:
                say("nothing")
        except redis.RedisError as error:
            say(type(error).__name__)
        time.sleep(2)


def kombu_client(say):
    for n in itertools.count(1):
        try:
            with kombu.Connection("amqp://guest:guest@broker//", heartbeat=5, connect_timeout=3) as connection:
                connection.connect()
                say("connected")
                queue = kombu.Queue("q", channel=connection.default_channel)
                with connection.Consumer(queue, callbacks=[lambda body, m: (say(f"got {body}"), m.ack())]):
                    connection.Producer().publish(f"m{n}", routing_key="q")
                    while True:
                        try:
                            connection.drain_events(timeout=1)
                        except TimeoutError:
                            pass
                        connection.heartbeat_check()
        except Exception as error:
            say(type(error).__name__)
        time.sleep(1)


def _tls():
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


CLIENTS = {
    "stomp.py": (stomp_client, servers.stomp_server),
    "pika Blocking": (pika_blocking, servers.amqp_server),
    "pika Blocking TLS": (pika_tls, lambda: servers.amqp_server(_tls(), 5671)),
    "pika Select": (pika_select, servers.amqp_server),
    "paho loop_forever": (paho_forever, servers.mqtt_server),
    "paho loop_start": (paho_start, servers.mqtt_server),
    "http.client": (http_client, servers.http_server),
    "requests": (requests_client, servers.http_server),
    "requests TLS": (requests_tls, lambda: servers.http_server(_tls(), 443)),
    "redis": (redis_client, servers.redis_server),
    "kombu": (kombu_client, servers.amqp_server),
}
ACCIDENTS = ("reset", "killed")


def minute(name, accident, seed=1):
    """One minute of a client's life, as a line: digest, what it noticed and when, in virtual seconds.

    `accident` "reset": at 10 s its connections are reset; "killed": the server's program is killed then, and started
    again at 15 s. From 25 s to 45 s nothing arrives between the two, and nobody is told.
    """
    client, server = CLIENTS[name]
    with Cloud(seed=seed) as cloud, warnings.catch_warnings():
        warnings.simplefilter("error")
        network, said = cloud.network, []
        network.add_host("broker", "alias")
        network.spawn("broker", server)
        cloud.advance(0.001)
        cloud.spawn(client, lambda what: said.append(f"{cloud.now:.3f} {what}"), name="client")
        if accident == "killed":
            cloud.kernel.at(10.0, cloud.kill, "broker")
            cloud.kernel.at(15.0, network.spawn, "broker", server)
        else:
            cloud.kernel.at(10.0, network.reset, "broker")
        cloud.kernel.at(25.0, network.partition, "client", "broker")
        cloud.kernel.at(45.0, network.heal, "client", "broker")
        cloud.advance(60)
        seen = "; ".join(said)
        digest = hashlib.sha256(f"{seen} {cloud.trace.digest()}".encode()).hexdigest()[:8]
    return f"{name} | {accident} | {digest} | {seen}"


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asked = []
    sys.addaudithook(lambda event, args: asked.append(event) if event.startswith("socket.") else None)
    for name in CLIENTS:
        for accident in ACCIDENTS:
            print(minute(name, accident))
    print(f"asked of the real network: {asked}")
    socket.socket().close()
    print(f"a real socket would show: {asked}")
