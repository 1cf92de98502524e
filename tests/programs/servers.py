"""Small servers for the tests of real clients: just enough protocol for one exchange and a heartbeat.

STOMP 1.2, AMQP 0-9-1 (with pika's own codec), MQTT 3.1.1, HTTP (the standard library's server) and RESP, each as plain
socket code with a thread for each connection. They check nothing of what a client sends.
"""

import collections
import functools
import http.server
import itertools
import socket
import threading
import time

from pika import frame, spec


def serve(port, handler, context=None):
    """Accept for ever; one thread a connection, as a plain server would."""
    listener = socket.create_server(("", port))
    while True:
        connection, _ = listener.accept()

        def guarded(connection=connection):
            try:
                handler(context.wrap_socket(connection, server_side=True) if context else connection)
            except OSError:
                pass
            finally:
                connection.close()

        threading.Thread(target=guarded, daemon=True, name="connection").start()


def beating(connection, interval, beat, read):
    """Read until the end; when nothing comes for `interval`, send a beat; after two silent ones, hang up."""
    connection.settimeout(interval)
    silent = 0
    while True:
        try:
            data = connection.recv(65536)
        except TimeoutError:
            silent += 1
            if silent > 3:
                return
            connection.sendall(beat)
            continue
        if not data:
            return
        silent = 0
        read(data)


def stomp_server():
    queue, ids = collections.deque(), itertools.count(1)

    def handler(c):
        buffer, subscribed = b"", []

        def deliver():
            while queue and subscribed:
                n = next(ids)
                c.sendall(
                    f"MESSAGE\nsubscription:1\nmessage-id:{n}\nack:{n}\ndestination:/queue/q\n\n".encode()
                    + queue.popleft()
                    + b"\0"
                )

        def read(data):
            nonlocal buffer
            buffer += data
            while b"\0" in buffer:
                text, _, buffer = buffer.partition(b"\0")
                head, _, body = text.lstrip(b"\n").partition(b"\n\n")
                command, *lines = head.decode().split("\n")
                headers = dict(line.split(":", 1) for line in lines)
                if command in ("STOMP", "CONNECT"):
                    c.sendall(b"CONNECTED\nversion:1.2\nheart-beat:2000,2000\n\n\0")
                elif command == "SEND":
                    queue.append(body)
                elif command == "SUBSCRIBE":
                    subscribed.append(headers)
                if "receipt" in headers:
                    c.sendall(f"RECEIPT\nreceipt-id:{headers['receipt']}\n\n\0".encode())
                deliver()

        beating(c, 1.5, b"\n", read)

    serve(61613, handler)


CAPABILITIES = {"publisher_confirms": True, "basic.nack": True, "consumer_cancel_notify": True}


def amqp_server(context=None, port=5672):
    """AMQP 0-9-1 with pika's own codec on the server's side: one queue; what nobody acknowledged goes back to it."""
    queue, consumers = collections.deque(), []

    def deliver():
        while queue and consumers:
            consumers.append(consumers.pop(0))  # they take turns
            consumers[-1](queue.popleft())

    def handler(c):
        buffer, confirm, properties, consume = b"", False, None, None
        tags, published, unacknowledged = itertools.count(1), itertools.count(1), {}

        def say(channel, method):
            c.sendall(frame.Method(channel, method).marshal())

        def deliver_here(channel, consumer_tag, message):
            tag = next(tags)
            unacknowledged[tag] = message
            say(channel, spec.Basic.Deliver(consumer_tag, tag, False, "", "q"))
            c.sendall(frame.Header(channel, len(message[1]), message[0]).marshal())
            c.sendall(frame.Body(channel, message[1]).marshal())

        answers = {
            spec.Connection.Open: spec.Connection.OpenOk,
            spec.Channel.Open: spec.Channel.OpenOk,
            spec.Basic.Qos: spec.Basic.QosOk,
            spec.Connection.Close: spec.Connection.CloseOk,
            spec.Channel.Close: spec.Channel.CloseOk,
            spec.Confirm.Select: spec.Confirm.SelectOk,
            spec.Exchange.Declare: spec.Exchange.DeclareOk,
            spec.Queue.Bind: spec.Queue.BindOk,
        }

        def read(data):
            nonlocal buffer, confirm, properties, consume
            buffer += data
            while True:
                if buffer.startswith(b"AMQP"):
                    if len(buffer) < 8:
                        return
                    buffer = buffer[8:]
                    say(0, spec.Connection.Start(0, 9, {"capabilities": CAPABILITIES}, "PLAIN", "en_US"))
                    continue
                used, f = frame.decode_frame(buffer)
                if f is None:
                    return
                buffer, channel = buffer[used:], f.channel_number
                if isinstance(f, frame.Header):
                    properties = f.properties
                if isinstance(f, frame.Body):
                    queue.append((properties, f.fragment))
                    if confirm:
                        say(channel, spec.Basic.Ack(next(published)))
                    deliver()
                if not isinstance(f, frame.Method):
                    continue
                m = f.method
                if isinstance(m, spec.Connection.StartOk):
                    say(0, spec.Connection.Tune(100, 131072, 5))
                elif isinstance(m, spec.Queue.Declare):
                    say(channel, spec.Queue.DeclareOk(m.queue, 0, 0))
                elif isinstance(m, spec.Basic.Ack):
                    unacknowledged.pop(m.delivery_tag, None)
                elif isinstance(m, spec.Basic.Consume):
                    consumer_tag = m.consumer_tag or "ctag"
                    say(channel, spec.Basic.ConsumeOk(consumer_tag))
                    consume = functools.partial(deliver_here, channel, consumer_tag)
                    consumers.append(consume)
                    deliver()
                elif isinstance(m, spec.Basic.Cancel):
                    consumers.remove(consume)
                    consume = None
                    say(channel, spec.Basic.CancelOk(m.consumer_tag))
                elif type(m) in answers:
                    confirm = confirm or isinstance(m, spec.Confirm.Select)
                    say(channel, answers[type(m)]())

        try:
            beating(c, 2.5, frame.Heartbeat().marshal(), read)
        finally:
            if consume:
                consumers.remove(consume)
            queue.extendleft(reversed(unacknowledged.values()))
            deliver()

    serve(port, handler, context)


def mqtt_server():
    subscribers = []

    def handler(c):
        buffer = b""

        def read(data):
            nonlocal buffer
            buffer += data
            while len(buffer) >= 2 and len(buffer) >= 2 + buffer[1]:  # packets under 128 bytes only
                kind, packet, buffer = buffer[0] >> 4, buffer[: 2 + buffer[1]], buffer[2 + buffer[1] :]
                if kind == 1:
                    c.sendall(b"\x20\x02\x00\x00")
                elif kind == 8:
                    subscribers[:] = [c]
                    c.sendall(b"\x90\x03" + packet[2:4] + b"\x01")
                elif kind == 12:
                    c.sendall(b"\xd0\x00")
                elif kind == 3:
                    topic = 2 + int.from_bytes(packet[2:4], "big")
                    if packet[0] & 6:
                        c.sendall(b"\x40\x02" + packet[2 + topic : 4 + topic])
                    for s in subscribers:
                        s.sendall(packet)

        c.settimeout(7.5)  # one and a half keep-alives
        try:
            while data := c.recv(65536):
                read(data)
        finally:
            if c in subscribers:
                subscribers.remove(c)

    serve(1883, handler)


def http_server(context=None, port=80):
    """The standard library's own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.path == "/slow":
                time.sleep(10)
            body = f"{self.path} {self.client_address[1]}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_): ...

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, address): ...

    server = Server(("", port), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


def redis_server():
    lists = collections.defaultdict(collections.deque)
    arrived = threading.Condition()

    def handler(c):
        f = c.makefile("rb")
        while line := f.readline():
            parts = []
            for _ in range(int(line[1:])):
                size = int(f.readline()[1:])
                parts.append(f.read(size + 2)[:-2])
            command = parts[0].upper()
            if command == b"RPUSH":
                with arrived:
                    lists[parts[1]].append(parts[2])
                    arrived.notify_all()
                c.sendall(b":1\r\n")
            elif command == b"BLPOP":
                with arrived:
                    if arrived.wait_for(lambda waiting=lists[parts[1]]: waiting, float(parts[2])):
                        value = lists[parts[1]].popleft()
                        c.sendall(b"*2\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(parts[1]), parts[1], len(value), value))
                    else:
                        c.sendall(b"_\r\n")
            elif command == b"PING":
                c.sendall(b"+PONG\r\n")
            elif command == b"HELLO":
                c.sendall(b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n")
            else:
                c.sendall(b"+OK\r\n")

    serve(6379, handler)
