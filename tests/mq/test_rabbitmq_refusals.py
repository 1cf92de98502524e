"""What RabbitMQ refuses, and in which words. Most of it was asked of RabbitMQ 3.10.8 on 28 November 2026."""

import contextlib
import struct

import amqp
import pika
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mq.rabbitmq import PASSWORD, USER, Stage, taken
from pika import frame, spec

from lablib.services.mq.rabbitmq import codec

measured, guide, reported, ours = (getattr(pytest.mark, name) for name in ("measured", "guide", "reported", "ours"))
NO_QUEUE = "NOT_FOUND - no queue 'no' in vhost '/'"
NO_EXCHANGE = "NOT_FOUND - no exchange 'no' in vhost '/'"
EQUAL = "PRECONDITION_FAILED - inequivalent arg"
ARGUMENT = "PRECONDITION_FAILED - invalid arg"
NEW = "for queue 'new' in vhost '/'"
ABSENT = object()


@pytest.fixture(scope="module")
def stage():
    with Stage() as stage:

        def prepare():
            channel = stage.connect(heartbeat=0).channel()
            channel.queue_declare("q", durable=True)
            channel.queue_declare("busy")
            channel.basic_consume("busy", lambda *_: None)
            channel.queue_declare("full")
            channel.basic_publish("", "full", b"m")
            channel.exchange_declare("x", "direct")
            channel.exchange_declare("internal", "fanout", internal=True)
            channel.exchange_declare("headers", "headers")
            channel.queue_bind("q", "x", "k")
            channel.queue_declare("mine", exclusive=True)
            stage.cloud.kernel.sleep(1e6)

        stage.spawn("owner", prepare)
        stage.cloud.advance(1)
        yield stage


def told(stage, act, **more):
    """What the broker says to it: (code, text, what it closes); None when it takes it."""

    def program():
        connection = stage.connect(**more)
        try:
            channel = connection.channel()
            act(channel)
            channel.queue_declare("", exclusive=True)  # is it open still?
        except pika.exceptions.ChannelClosedByBroker as error:
            return error.reply_code, error.reply_text, "channel"
        except pika.exceptions.ConnectionClosedByBroker as error:
            return error.reply_code, error.reply_text, "connection"
        finally:
            if connection.is_open:
                connection.close()

    return stage.run(program, seconds=5)


def case(mark, what, code, text, closes="channel", name=""):
    return pytest.param(what, code and (code, text, closes), marks=mark, id=name or f"{text[:70]}")


def argument(mark, name, value, why, text=None):
    what = lambda c: c.queue_declare("new", durable=True, arguments={name: value})  # noqa: E731
    return case(mark, what, 406, text or f"{ARGUMENT} '{name}' {NEW}{why}", name=f"{name}={value!r}")


def sent(method, *content):
    """A command that pika would not send by itself."""

    def act(channel):
        channel._impl._send_method(method, *content)

    return act


def raw(*frames):
    return lambda channel: channel._impl.connection._output_marshaled_frames([b"".join(frames)])


def published(**properties):
    return lambda c: c.basic_publish("", "q", b"", pika.BasicProperties(**properties))


def then(*acts):
    return lambda channel: [act(channel) for act in acts]


PUBLISH = frame.Method(1, spec.Basic.Publish(exchange="", routing_key="q")).marshal()
HEADER = frame.Header(1, 5, pika.BasicProperties()).marshal()
QOS = frame.Method(1, spec.Basic.Qos()).marshal()
PLAIN_QUORUM = {"x-queue-type": "quorum"}

CASES = [
    # ---- what is not there
    case(measured, lambda c: c.queue_declare("no", passive=True), 404, NO_QUEUE, name="passive"),
    case(measured, lambda c: c.basic_consume("no", lambda *_: None), 404, NO_QUEUE, name="consume"),
    case(measured, lambda c: c.basic_get("no"), 404, NO_QUEUE, name="get"),
    case(measured, lambda c: c.queue_purge("no"), 404, NO_QUEUE, name="purge"),
    case(measured, lambda c: c.queue_bind("no", "x"), 404, NO_QUEUE, name="bind"),
    case(measured, lambda c: c.queue_bind("no", "no"), 404, NO_EXCHANGE, name="bind to nothing"),
    case(measured, lambda c: c.basic_publish("no", "k", b""), 404, NO_EXCHANGE, name="publish"),
    case(measured, lambda c: c.exchange_declare("no", passive=True), 404, NO_EXCHANGE, name="passive exchange"),
    case(measured, lambda c: c.exchange_bind("no", "x"), 404, NO_EXCHANGE, name="bind an exchange"),
    case(measured, lambda c: c.basic_get(""), 404, "NOT_FOUND - no previously declared queue"),
    # ---- what is no mistake
    case(measured, lambda c: c.queue_delete("no"), None, "", name="delete no queue"),
    case(measured, lambda c: c.exchange_delete("no"), None, "", name="delete no exchange"),
    case(measured, lambda c: c.queue_unbind("no", "no"), None, "", name="unbind nothing"),
    case(measured, lambda c: c.basic_cancel("no"), None, "", name="cancel nobody"),
    case(measured, lambda c: c.basic_ack(0, multiple=True), None, "", name="acknowledge all of nothing"),
    case(measured, published(expiration="99999999999"), None, "", name="a long time to live"),
    # ---- names and types
    case(measured, lambda c: c.queue_declare("amq.q"), 403,
         "ACCESS_REFUSED - queue name 'amq.q' contains reserved prefix 'amq.*'"),
    case(measured, lambda c: c.exchange_declare("amq.x"), 403,
         "ACCESS_REFUSED - exchange name 'amq.x' contains reserved prefix 'amq.*'"),
    case(measured, lambda c: c.exchange_delete("amq.direct"), 403,
         "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed"),
    case(measured, lambda c: c.exchange_delete(""), 403,
         "ACCESS_REFUSED - operation not permitted on the default exchange", name="delete the default exchange"),
    case(measured, lambda c: c.queue_bind("q", "", "k"), 403,
         "ACCESS_REFUSED - operation not permitted on the default exchange", name="bind to the default exchange"),
    case(measured, lambda c: c.exchange_declare("y", "sideways"), 503,
         "COMMAND_INVALID - unknown exchange type 'sideways'", "connection"),
    # ---- declared again
    case(measured, lambda c: c.queue_declare("q"), 406,
         f"{EQUAL} 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'"),
    case(measured, lambda c: c.queue_declare("q", durable=True, arguments={"x-message-ttl": 5}), 406,
         f"{EQUAL} 'x-message-ttl' for queue 'q' in vhost '/': received the value '5' of type 'signedint' but current "
         "is none", name="another argument"),
    case(measured, lambda c: c.queue_declare("q", durable=True, arguments=PLAIN_QUORUM), 406,
         f"{EQUAL} 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type 'longstr' but "
         "current is none", name="another type"),
    case(measured, lambda c: c.queue_declare("q", durable=True, arguments={"x-queue-type": "classic"}), None, "",
         name="classic is the default"),
    case(measured, lambda c: c.exchange_declare("x", "topic"), 406,
         f"{EQUAL} 'type' for exchange 'x' in vhost '/': received 'topic' but current is 'direct'"),
    case(measured, lambda c: c.exchange_declare("x", "direct", durable=True), 406,
         f"{EQUAL} 'durable' for exchange 'x' in vhost '/': received 'true' but current is 'false'"),
    case(measured, lambda c: c.exchange_declare("x", "direct", auto_delete=True), 406,
         f"{EQUAL} 'auto_delete' for exchange 'x' in vhost '/': received 'true' but current is 'false'"),
    case(measured, lambda c: c.exchange_declare("x", "direct", arguments={"alternate-exchange": "y"}), 406,
         f"{EQUAL} 'alternate-exchange' for exchange 'x' in vhost '/': received the value 'y' of type 'longstr' but "
         "current is none", name="another alternate exchange"),
    case(measured, lambda c: c.queue_declare("mine", exclusive=True), 405,
         "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'. It could be originally "
         "declared on another connection or the exclusive property value does not match that of the original "
         "declaration."),
    # ---- arguments of queues
    argument(measured, "x-message-ttl", -1, ": {value_negative,-1}"),
    argument(measured, "x-message-ttl", "5", ': "expected integer, got longstr"'),
    argument(measured, "x-expires", 0, ": {value_zero,0}"),
    argument(measured, "x-max-length", -1, ": {value_negative,-1}"),
    argument(measured, "x-max-length-bytes", "a", ': "expected integer, got longstr"'),
    argument(measured, "x-overflow", "no", ": invalid_overflow"),
    argument(measured, "x-overflow", 5, ": {unacceptable_type,signedint}"),
    argument(measured, "x-dead-letter-exchange", 5, "", "PRECONDITION_FAILED - invalid type 'signedint' for arg "
             "'x-dead-letter-exchange' in queue 'new' in vhost '/'"),
    argument(measured, "x-dead-letter-routing-key", "a", ": routing_key_but_no_dlx_defined"),
    argument(measured, "x-queue-type", "no", ": \"unsupported queue type 'no'\""),
    argument(measured, "x-queue-type", 5, ": {unacceptable_type,signedint}"),
    argument(measured, "x-queue-mode", "no", ": \"unsupported queue mode 'no'\""),
    argument(measured, "x-single-active-consumer", "yes", ": {unacceptable_type,longstr}"),
    argument(measured, "x-delivery-limit", 5, " of queue type rabbit_classic_queue"),
    case(measured, lambda c: c.queue_declare("new", arguments=PLAIN_QUORUM), 406,
         "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'new' in vhost '/'"),
    case(measured, lambda c: c.queue_declare("new", durable=True, exclusive=True, arguments=PLAIN_QUORUM), 406,
         "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'new' in vhost '/'"),
    case(measured, lambda c: c.queue_declare("new", durable=True, auto_delete=True, arguments=PLAIN_QUORUM), 406,
         "PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'new' in vhost '/'"),
    case(measured, lambda c: c.queue_declare("", durable=True, arguments=PLAIN_QUORUM), 406,
         "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue"),
    case(measured, lambda c: c.exchange_declare("y", arguments={"alternate-exchange": 5}), 406,
         "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'y' in vhost '/'"),
    case(measured, lambda c: c.queue_bind("q", "headers", arguments={"x-match": "odd"}), 406,
         'PRECONDITION_FAILED - Invalid x-match field value <<"odd">>; expected all, any, all-with-x, or any-with-x'),
    case(measured, lambda c: c.queue_bind("q", "headers", arguments={"x-match": 5}), 406,
         "PRECONDITION_FAILED - Invalid x-match field type signedint (value 5); expected longstr"),
    case(ours, lambda c: c.queue_declare("new", arguments={"x-max-priority": 5}), 540,
         "NOT_IMPLEMENTED - priorities of queues are not simulated in this lab", "connection"),
    case(ours, lambda c: c.queue_declare("new", durable=True, arguments={"x-queue-type": "stream"}), 540,
         "NOT_IMPLEMENTED - streams are not simulated in this lab", "connection"),
    # ---- in use
    case(measured, lambda c: c.queue_delete("busy", if_unused=True), 406,
         "PRECONDITION_FAILED - queue 'busy' in vhost '/' in use"),
    case(measured, lambda c: c.queue_delete("full", if_empty=True), 406,
         "PRECONDITION_FAILED - queue 'full' in vhost '/' not empty"),
    case(measured, lambda c: c.exchange_delete("x", if_unused=True), 406,
         "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use"),
    case(measured, lambda c: c.basic_consume("busy", lambda *_: None, exclusive=True), 403,
         "ACCESS_REFUSED - queue 'busy' in vhost '/' in exclusive use"),
    case(measured, then(lambda c: c.basic_consume("busy", lambda *_: None, consumer_tag="t"),
                        sent(spec.Basic.Consume(queue="busy", consumer_tag="t"))),
         530, "NOT_ALLOWED - attempt to reuse consumer tag 't'", "connection"),
    # ---- publishing
    case(measured, lambda c: c.basic_publish("internal", "k", b""), 403,
         "ACCESS_REFUSED - cannot publish to internal exchange 'internal' in vhost '/'"),
    case(measured, published(user_id="me"), 406,
         "PRECONDITION_FAILED - user_id property set to 'me' but authenticated user was 'worker'"),
    *(case(measured, published(expiration=given), 406, f"PRECONDITION_FAILED - invalid expiration '{given}': {why}")
      for given, why in [("abc", "no_integer"), ("-1", "{value_negative,-1}"), ("5x", '{leftover_string,"x"}'),
                         ("", "no_integer"), (" 5", "no_integer"), ("5 ", '{leftover_string," "}')]),
    case(measured, published(headers={"CC": "a"}), 406,
         'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}'),
    case(measured, sent(spec.Basic.Publish(exchange="", routing_key="q", immediate=True),
                        (pika.BasicProperties(), b"x")), 540, "NOT_IMPLEMENTED - immediate=true", "connection"),
    case(guide, lambda c: c.basic_publish("", "q", bytes((16 << 20) + 1)), 406,
         "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216"),
    # ---- acknowledging
    case(measured, lambda c: c.basic_ack(99), 406, "PRECONDITION_FAILED - unknown delivery tag 99"),
    case(measured, lambda c: c.basic_ack(0), 406, "PRECONDITION_FAILED - unknown delivery tag 0"),
    case(measured, lambda c: c.basic_ack(5, multiple=True), 406, "PRECONDITION_FAILED - unknown delivery tag 5"),
    case(measured, lambda c: c.basic_reject(7), 406, "PRECONDITION_FAILED - unknown delivery tag 7"),
    case(measured, sent(spec.Basic.Recover(False)), 540, "NOT_IMPLEMENTED - requeue=false", "connection"),
    case(measured, lambda c: c.basic_qos(prefetch_size=5), 540, "NOT_IMPLEMENTED - prefetch_size!=0 (5)", "connection"),
    case(measured, sent(spec.Channel.Flow(False)), 540, "NOT_IMPLEMENTED - active=false", "connection"),
    # ---- transactions and confirms
    *(case(measured, sent(method), 406, "PRECONDITION_FAILED - channel is not transactional", name=method.NAME)
      for method in (spec.Tx.Commit(), spec.Tx.Rollback())),
    case(measured, then(lambda c: c.confirm_delivery(), lambda c: c.tx_select()), 406,
         "PRECONDITION_FAILED - cannot switch from confirm to tx mode"),
    case(measured, then(lambda c: c.tx_select(), lambda c: c.confirm_delivery()), 406,
         "PRECONDITION_FAILED - cannot switch from tx to confirm mode"),
    # ---- frames out of place
    case(measured, sent(spec.Channel.Open()), 504, "CHANNEL_ERROR - second 'channel.open' seen", "connection"),
    case(measured, raw(frame.Method(9, spec.Basic.Qos()).marshal()), 504, "CHANNEL_ERROR - expected 'channel.open'",
         "connection"),
    *(case(measured, raw(*frames), 505, f"UNEXPECTED_FRAME - expected {text}", "connection", name=name)
      for name, frames, text in [
          ("header without method", [HEADER], "method frame, got non method frame instead"),
          ("body without method", [frame.Body(1, b"abc").marshal()], "method frame, got non method frame instead"),
          ("method for header", [PUBLISH, QOS], "content header for class 60, got non content header frame instead"),
          ("body for header", [PUBLISH, frame.Body(1, b"a").marshal()],
           "content header for class 60, got non content header frame instead"),
          ("method for body", [PUBLISH, HEADER, QOS], "content body, got non content body frame instead"),
          ("header for body", [PUBLISH, HEADER, HEADER], "content body, got non content body frame instead"),
          ("too long a body", [PUBLISH, HEADER, frame.Body(1, b"abcdefghij").marshal()],
           "content body, got non content body frame instead"),
          ("header of another class", [PUBLISH, HEADER.replace(b"\0\x3c\0\0", b"\0\x32\0\0")],
           "content header for class 60, got one for class 50 instead"),
      ]),
    case(ours, raw(codec.frame(codec.METHOD, 1, struct.pack(">HH", 60, 999))), 503,
         "COMMAND_INVALID - unknown method 60.999", "connection"),
    case(ours, raw(codec.frame(codec.METHOD, 1, struct.pack(">HH", 60, 10))), 502,
         "SYNTAX_ERROR - 4 octets expected, 0 found", "connection"),
    case(ours, raw(b"\x09\0\x01\0\0\0\0\xce"), 501, "FRAME_ERROR - unknown frame type 9", "connection"),
    case(ours, raw(b"\x01\0\x01\0\0\0\x01a\xcd"), 501, "FRAME_ERROR - type 1: invalid_frame_end_marker 205",
         "connection"),
    case(ours, raw(b"\x01\0\x01\x7f\0\0\0"), 501,
         "FRAME_ERROR - type 1: frame_too_large, 2130706432 octets of at most 131064", "connection"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "expected"), CASES)
def test_refused_in_rabbitmqs_words_and_nothing_has_changed(stage, act, expected):
    def state():
        vhost = stage.engine.vhost
        queues = {name: queue.info() for name, queue in vhost.queues.items()}
        return queues, {name: list(exchange.bindings) for name, exchange in vhost.exchanges.items()}

    before = state()
    assert told(stage, act) == expected
    if expected is not None:
        assert state() == before


@measured
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"password": "no"}, "(403) 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For "
                             "details see the broker logfile.'"),
        ({"user": "nobody"}, "(403) 'ACCESS_REFUSED - Login was refused"),
        ({"vhost": "no"}, "(530) 'NOT_ALLOWED - vhost no not found'"),
    ],
    ids=["password", "user", "virtual host"],
)  # fmt: skip
def test_who_is_not_let_in(stage, change, text):
    def program():
        with pytest.raises(pika.exceptions.AMQPConnectionError) as error:
            pika.BlockingConnection(stage.parameters(**change))
        return repr(error.value)

    assert text in stage.run(program, name="intruder")


@guide  # RabbitMQ, "Access control": PLAIN, and AMQPLAIN of AMQP 0-8, which py-amqp prefers
@pytest.mark.parametrize(
    ("mechanism", "password", "text"),
    [("AMQPLAIN", PASSWORD, ""), ("AMQPLAIN", "no", "ACCESS_REFUSED"), ("EXTERNAL", PASSWORD, "EXTERNAL")],
)
def test_py_amqp_logs_in_with_the_mechanisms_that_are_offered(stage, mechanism, password, text):
    def program():
        about = {"userid": USER, "password": password, "login_method": mechanism}
        with contextlib.closing(amqp.Connection(f"{stage.host}:5671", ssl=True, **about)) as connection:
            try:
                connection.connect()
            except (amqp.AMQPError, OSError) as error:
                return str(error)
            return "" if connection.connected else "not connected"

    said = stage.run(program)
    assert text in said and bool(said) == bool(text)


def open_socket(stage):
    import socket
    import ssl

    plain = socket.create_connection((stage.host, 5671))
    wrapped = ssl.create_default_context().wrap_socket(plain, server_hostname=stage.host)
    wrapped.settimeout(60)
    return wrapped


def everything(connection):
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except ConnectionError:
        found += b"(reset)"
    return found


@guide  # specification 2.2.4: the server answers another protocol with its own header and hangs up
@pytest.mark.parametrize("hello", [b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x03\x01\x00\x00", b"A" * 8])
def test_another_protocol_is_answered_with_ours(stage, hello):
    def program():
        connection = open_socket(stage)
        connection.sendall(hello)
        return everything(connection)

    assert stage.run(program) == codec.PROTOCOL_HEADER


@measured
def test_who_says_nothing_right_before_login_is_cut_off_without_a_word(stage):
    def program():
        connection = open_socket(stage)
        connection.sendall(codec.PROTOCOL_HEADER + b"\x09\0\0\0\0\0\0\xce")
        (start,) = codec.FrameReader().feed(everything(connection).removesuffix(b"(reset)"))
        return codec.read_method(start.payload).name

    assert stage.run(program) == "connection.start"


@guide  # RabbitMQ: handshake_timeout
def test_who_does_not_finish_the_handshake_is_cut_off(stage):
    def program():
        connection = open_socket(stage)
        begun = stage.cloud.now
        connection.sendall(codec.PROTOCOL_HEADER[:5])
        everything(connection)
        return round(stage.cloud.now - begun, 1)

    assert stage.run(program) == 10.0


LOGIN = b"".join([
    codec.PROTOCOL_HEADER,
    codec.frame(codec.METHOD, 0, codec.write_method(
        "connection.start-ok", mechanism="PLAIN", response="\0worker\0a long password", locale="en_US")),
    codec.frame(codec.METHOD, 0, codec.write_method("connection.tune-ok", channel_max=9, frame_max=4096)),
    codec.frame(codec.METHOD, 0, codec.write_method("connection.open", virtual_host="/")),
    codec.frame(codec.METHOD, 1, codec.write_method("channel.open")),
])  # fmt: skip
GOOD = [
    codec.frame(codec.METHOD, 1, codec.write_method("queue.declare", queue="fuzz")),
    PUBLISH + HEADER + frame.Body(1, b"abcde").marshal(),
    codec.frame(codec.METHOD, 1, codec.write_method("basic.consume", queue="full")),
    codec.frame(codec.METHOD, 1, codec.write_method("basic.ack", delivery_tag=1)),
    codec.frame(codec.METHOD, 1, codec.write_method("channel.close")),
    codec.frame(codec.HEARTBEAT, 0),
]


@settings(max_examples=80)
@given(
    st.lists(st.sampled_from(GOOD) | st.binary(max_size=30), min_size=1, max_size=6).map(b"".join),
    st.integers(0, 400), st.integers(0, 255),
)  # fmt: skip
def test_no_nonsense_hangs_the_broker_or_costs_a_message(stage, data, at, byte):
    """Frames with a wrong byte, or none at all, after a right login: the client is gone, everybody else goes on."""
    data = bytearray(data)
    if data:
        data[at % len(data)] ^= byte

    def program():
        connection = open_socket(stage)
        connection.sendall(LOGIN + data)
        stage.cloud.kernel.sleep(1)
        connection.close()

    def others():
        with stage.connect() as connection:
            channel = connection.channel()
            channel.queue_declare("check")
            channel.basic_publish("", "check", b"m")
            return taken(channel, "check")

    stage.run(program, name="fuzzer", seconds=2)
    assert stage.run(others, name="other", seconds=2) == [("m", False)]
    queue = stage.engine.vhost.queues.get("full")
    if queue is not None:  # the nonsense was a valid delete, or an acknowledgement
        assert len(queue) in (0, 1)
        assert not queue.unacked
