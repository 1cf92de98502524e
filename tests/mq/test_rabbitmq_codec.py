"""AMQP 0-9-1 on the wire, against pika's codec: what one writes, the other reads; what is broken is an error."""

import contextlib
import inspect
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pika import amqp_object, spec
from pika import frame as pika_frame

from lablib.services.mq.rabbitmq import codec

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(lambda t: t.replace(microsecond=0, tzinfo=UTC))
DECIMALS = st.builds(lambda n, places: Decimal(n).scaleb(-places), st.integers(-(2**31), 2**31 - 1), st.integers(0, 5))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | DECIMALS  # pika writes no floats
PLAIN = st.none() | st.booleans() | NUMBERS | TEXTS | st.binary(max_size=20) | MOMENTS
TABLES = st.dictionaries(
    TEXTS,
    st.recursive(
        PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=3
    ),
    max_size=2,
)
PROPERTIES = st.fixed_dictionaries({}, optional={
    "content_type": TEXTS, "content_encoding": TEXTS, "headers": TABLES, "delivery_mode": st.integers(0, 255),
    "priority": st.integers(0, 255), "correlation_id": TEXTS, "reply_to": TEXTS, "expiration": TEXTS,
    "message_id": TEXTS, "timestamp": st.integers(0, 2**32), "type": TEXTS, "user_id": TEXTS, "app_id": TEXTS,
    "cluster_id": TEXTS,
})  # fmt: skip
KINDS = {"o": st.integers(0, 255), "h": st.integers(0, 2**16 - 1), "l": st.integers(0, 2**32 - 1),
         "q": st.integers(0, 2**64 - 1), "s": TEXTS, "S": TEXTS, "t": TABLES, "b": st.booleans()}  # fmt: skip
_CLASSES = [inner for outer in vars(spec).values() if inspect.isclass(outer) for inner in vars(outer).values()]
PIKAS = {c.INDEX: c for c in _CLASSES if inspect.isclass(c) and issubclass(c, amqp_object.Method)}
ACCESS = {spec.Access.Request.INDEX, spec.Access.RequestOk.INDEX}  # of AMQP 0-8: nobody uses it


def pikas(name):
    class_id, method_id = codec.ids_of(name)
    return PIKAS.get(class_id << 16 | method_id)


COMMON = [name for name in codec._BY_NAME if pikas(name) is not None]


def arguments(name):
    fields = {field: KINDS[kind] for field, kind in codec._BY_NAME[name][1] if field[0] != "-"}
    return st.fixed_dictionaries(fields)


def as_pika_calls(args):
    return {{"global_": "global_qos"}.get(name, name): value for name, value in args.items()}


def test_every_method_that_pika_knows_is_known():
    ours = {class_id << 16 | method_id for (class_id, method_id), _ in codec._BY_NAME.values()}
    assert set(PIKAS) - ours == ACCESS
    assert len(COMMON) > 50


@settings(max_examples=100)
@given(st.data())
def test_what_pika_writes_is_read(data):
    name = data.draw(st.sampled_from(COMMON))
    args = data.draw(arguments(name))
    method = pikas(name)(**as_pika_calls(args))
    (found,) = codec.FrameReader().feed(pika_frame.Method(7, method).marshal())
    assert found[:2] == (codec.METHOD, 7)
    assert codec.read_method(found.payload) == (name, args)


@settings(max_examples=100)
@given(st.data())
def test_what_is_written_pika_reads(data):
    name = data.draw(st.sampled_from([name for name in COMMON if name != "connection.update-secret"]))  # pika cannot
    args = data.draw(arguments(name))
    _, found = pika_frame.decode_frame(codec.frame(codec.METHOD, 3, codec.write_method(name, **args)))
    assert found.channel_number == 3 and found.method.INDEX == pikas(name).INDEX
    read = {field: getattr(found.method, field) for field in as_pika_calls(args)}
    assert {f: v.decode() if isinstance(v, bytes) else v for f, v in read.items()} == as_pika_calls(args)


@given(PROPERTIES, st.integers(0, 2**40))
def test_properties_go_both_ways(properties, size):
    written = pika_frame.Header(1, size, spec.BasicProperties(**properties)).marshal()
    (found,) = codec.FrameReader().feed(written)
    class_id, length, raw = codec.read_header(found.payload)
    assert (class_id, length) == (60, size)
    if all(value != "" and value is not None for value in properties.values()):  # pika leaves out what is empty
        assert codec.read_properties(raw) == properties
    assert (
        codec.frame(codec.HEADER, 1, codec.write_header(size, codec.write_properties(codec.read_properties(raw))))
        == written
    )


@given(st.floats(allow_nan=False))
def test_floats_come_back(value):
    assert codec.read_fields(codec.write_table({"a": value})[4:].decode("utf-8", "surrogateescape")) == {"a": value}


@given(st.binary(max_size=300))
def test_texts_that_are_no_utf8_come_back_byte_by_byte(data):
    written = codec.write_table({"a": data.decode("utf-8", "surrogateescape")})
    assert codec.write_table(codec.read_fields(written[4:].decode("utf-8", "surrogateescape"))) == written


@given(st.binary(max_size=100_000), st.integers(4096, 20_000))
def test_a_body_is_cut_into_frames(body, frame_max):
    data = codec.content(1, codec.write_method("basic.return"), codec.write_properties({}), body, frame_max)
    reader = codec.FrameReader()
    reader.frame_max = frame_max
    frames = list(reader.feed(data))
    assert b"".join(f.payload for f in frames if f.kind == codec.BODY) == body
    assert all(len(f.payload) <= frame_max - 8 for f in frames)


@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(1, 30))
def test_frames_may_come_in_any_pieces(payloads, size):
    data = b"".join(codec.frame(codec.BODY, n, payload) for n, payload in enumerate(payloads))
    reader = codec.FrameReader()
    found = [f for at in range(0, len(data), size) for f in reader.feed(data[at : at + size])]
    assert [(f.channel, f.payload) for f in found] == list(enumerate(payloads))


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_what_is_no_frame_ends_in_an_amqp_error_or_waits_for_more(data):
    with contextlib.suppress(codec.AmqpError):
        for found in codec.FrameReader().feed(data):
            if found.kind == codec.METHOD:
                codec.read_method(found.payload)
            elif found.kind == codec.HEADER:
                codec.read_properties(codec.read_header(found.payload)[2])


@settings(max_examples=200)
@given(st.sampled_from(COMMON), st.binary(max_size=80))
def test_a_method_with_wrong_fields_ends_in_an_amqp_error(name, fields):
    class_id, method_id = codec.ids_of(name)
    with contextlib.suppress(codec.AmqpError):
        codec.read_method(class_id.to_bytes(2, "big") + method_id.to_bytes(2, "big") + fields)


def test_tables_within_tables_have_an_end():
    data = b""
    for _ in range(5000):
        data = codec._long(b"\x01aF" + data if data else b"")
    with pytest.raises(codec.AmqpError, match="SYNTAX_ERROR"):
        codec.read_fields(data[4:].decode("latin-1").encode("latin-1").decode("utf-8", "surrogateescape"))
