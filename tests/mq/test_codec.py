"""Frames of STOMP: what stomp.py writes is read back, and broken bytes never hang a broker."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mq.brokers import bare
from stomp.utils import Frame as TheirFrame
from stomp.utils import convert_frame, pack, parse_frame

from lablib.services.mq.activemq.stomp import BrokenFrame, Decoder, Frame
from lablib.services.mq.activemq.stomp_session import StompSession

names = st.text("abcXYZ-._0123456789", min_size=1, max_size=8)
values = st.text(st.characters(blacklist_characters="\0\r", blacklist_categories=("Cs",)), max_size=12)
bodies = st.binary(max_size=40)


def escaped(value):
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace(":", "\\c")


@given(st.lists(st.tuples(st.dictionaries(names, values, max_size=4), bodies), max_size=4), st.lists(st.integers(1, 9)))
def test_every_frame_of_stomp_py_is_read_back_in_whatever_pieces_it_comes(sent, cuts):
    written = b""
    for headers, body in sent:
        known = {k: escaped(v) for k, v in headers.items() if k != "content-length"} | {"content-length": len(body)}
        written += b"\n" + pack(convert_frame(TheirFrame("SEND", known, body)))
    decoder, found, at = Decoder(), [], 0
    decoder.version = "1.2"
    for cut in [*cuts, len(written)]:
        found += decoder.feed(written[at : at + cut])
        at += cut
    assert [(f.body, {k: v for k, v in f.headers.items() if k != "content-length"}) for f in found] == [
        (body, {k: v for k, v in headers.items() if k != "content-length"}) for headers, body in sent
    ]


@given(st.dictionaries(names, values, max_size=4), bodies)
def test_stomp_py_reads_what_a_broker_writes(headers, body):
    headers.pop("content-length", None)
    frame = Frame("MESSAGE", headers | {"content-length": str(len(body))}, body)
    theirs = parse_frame(frame.encode("1.2")[:-2])
    assert (theirs.cmd, theirs.body) == ("MESSAGE", body)
    assert {k: v for k, v in theirs.headers.items() if k != "content-length"} == headers


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(["1.0", "1.1", "1.2"]))
def test_any_bytes_are_frames_or_none(data, version):
    decoder = Decoder()
    decoder.version = version
    try:
        list(decoder.feed(data))
        list(decoder.feed(b"\0" * 300))
    except BrokenFrame:
        pass


COMMANDS = st.sampled_from(
    ["SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT", "X"]
)
HEADERS = st.dictionaries(
    st.sampled_from(["destination", "id", "transaction", "receipt", "ack", "message-id", "subscription", "priority"]),
    st.sampled_from(["/queue/a", "/topic/a", "a", "", "1", "client", "\n"]),
)


@given(
    st.lists(st.tuples(COMMANDS, HEADERS), max_size=6), st.sampled_from(["1.0", "1.1", "1.2"]), st.binary(max_size=30)
)
def test_a_broker_outlives_whatever_is_sent_to_it(frames, version, more):
    session = bare(StompSession)
    session._data(Frame("CONNECT", {"accept-version": version}).encode("1.0"))
    for command, headers in frames:
        session._data(Frame(command, headers).encode(version))
    session._data(more)


@pytest.mark.reported  # StompWireFormat (2026)
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"SEND\ncontent-length:many\n\n\0", "Specified content-length is not a valid integer"),
        (b"SEND\ncontent-length:1\n\nab\0", "content-length bytes were read and there was no trailing null byte"),
        (b"x" * 1100, "The maximum command length was exceeded"),
        (b"SEND\na:" + b"x" * 11_000, "The maximum header length was exceeded"),
        (b"SEND\n" + b"a:b\n" * 1100, "The maximum number of headers was exceeded"),
        (b"SEND\ncontent-length:999999999\n\n", "The maximum data length was exceeded"),
    ],
)
def test_what_is_no_frame_is_named(data, text):
    with pytest.raises(BrokenFrame, match=text):
        list(Decoder().feed(data))


def test_broken_bytes_end_their_connection_and_nothing_else(broker):
    import socket
    import ssl

    def program():
        host = broker.hosts[0]
        c = ssl.create_default_context().wrap_socket(socket.create_connection(host), server_hostname=host[0])
        c.sendall(b"CONNECT\nlogin:shop\npasscode:correct-horse-battery\n\n\0" + b"SEND\ncontent-length:x\n\n\0")
        said = b""
        while data := c.recv(4096):
            said += data
        return said

    said = broker.cloud.run(program)
    assert said.startswith(b"CONNECTED\n") and b"ERROR\n" in said
    assert b"message:Specified content-length is not a valid integer\n" in said
    assert broker.engine.serving.sessions == []
