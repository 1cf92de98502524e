"""AMQP 0-9-1 on the wire: frames, methods, content headers and field tables, both ways.

The source is the specification (amqp-xml-doc0-9-1, sections 2.3 and 4.2) with RabbitMQ's extensions: confirm.select,
basic.nack, exchange.bind, connection.blocked, and its letters for the types of fields. A text that is not UTF-8 is kept
byte by byte, so that what was read is written again as it was.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
FRAME_END = 0xCE
MIN_FRAME = 4096  # what every peer must accept before it has said how much it takes

CODES = {
    311: "CONTENT_TOO_LARGE", 312: "NO_ROUTE", 313: "NO_CONSUMERS", 320: "CONNECTION_FORCED", 402: "INVALID_PATH",
    403: "ACCESS_REFUSED", 404: "NOT_FOUND", 405: "RESOURCE_LOCKED", 406: "PRECONDITION_FAILED", 501: "FRAME_ERROR",
    502: "SYNTAX_ERROR", 503: "COMMAND_INVALID", 504: "CHANNEL_ERROR", 505: "UNEXPECTED_FRAME", 506: "RESOURCE_ERROR",
    530: "NOT_ALLOWED", 540: "NOT_IMPLEMENTED", 541: "INTERNAL_ERROR",
}  # fmt: skip
_CHANNEL_ONLY = {311, 313, 403, 404, 405, 406}  # what closes the channel and not the connection


class AmqpError(Exception):
    """An error that closes a channel, or the connection. `code`: one of CODES; `text`: what RabbitMQ says of it.

    `ends_connection` is what the specification says of the code, unless it is told (a refused login)."""

    def __init__(self, code: int, text: str, ends_connection: bool | None = None) -> None:
        super().__init__(f"{CODES[code]} - {text}")
        self.code = code
        self.ends_connection = code not in _CHANNEL_ONLY if ends_connection is None else ends_connection


class Method(NamedTuple):
    """A command. `name`: "queue.declare-ok"; `args`: by the specification's names, with underscores."""

    name: str
    args: dict[str, Any]


class Frame(NamedTuple):
    """One frame. `kind`: METHOD, HEADER, BODY or HEARTBEAT."""

    kind: int
    channel: int
    payload: bytes


# o octet, h short, l long, q longlong, s short string, S long string, t table, b bit; a leading - is reserved.
_METHODS = """
10.10 connection.start version_major:o version_minor:o server_properties:t mechanisms:S locales:S
10.11 connection.start-ok client_properties:t mechanism:s response:S locale:s
10.20 connection.secure challenge:S
10.21 connection.secure-ok response:S
10.30 connection.tune channel_max:h frame_max:l heartbeat:h
10.31 connection.tune-ok channel_max:h frame_max:l heartbeat:h
10.40 connection.open virtual_host:s -1:s -2:b
10.41 connection.open-ok -1:s
10.50 connection.close reply_code:h reply_text:s class_id:h method_id:h
10.51 connection.close-ok
10.60 connection.blocked reason:s
10.61 connection.unblocked
10.70 connection.update-secret new_secret:S reason:s
10.71 connection.update-secret-ok
20.10 channel.open -1:s
20.11 channel.open-ok -1:S
20.20 channel.flow active:b
20.21 channel.flow-ok active:b
20.40 channel.close reply_code:h reply_text:s class_id:h method_id:h
20.41 channel.close-ok
40.10 exchange.declare -1:h exchange:s type:s passive:b durable:b auto_delete:b internal:b nowait:b arguments:t
40.11 exchange.declare-ok
40.20 exchange.delete -1:h exchange:s if_unused:b nowait:b
40.21 exchange.delete-ok
40.30 exchange.bind -1:h destination:s source:s routing_key:s nowait:b arguments:t
40.31 exchange.bind-ok
40.40 exchange.unbind -1:h destination:s source:s routing_key:s nowait:b arguments:t
40.51 exchange.unbind-ok
50.10 queue.declare -1:h queue:s passive:b durable:b exclusive:b auto_delete:b nowait:b arguments:t
50.11 queue.declare-ok queue:s message_count:l consumer_count:l
50.20 queue.bind -1:h queue:s exchange:s routing_key:s nowait:b arguments:t
50.21 queue.bind-ok
50.30 queue.purge -1:h queue:s nowait:b
50.31 queue.purge-ok message_count:l
50.40 queue.delete -1:h queue:s if_unused:b if_empty:b nowait:b
50.41 queue.delete-ok message_count:l
50.50 queue.unbind -1:h queue:s exchange:s routing_key:s arguments:t
50.51 queue.unbind-ok
60.10 basic.qos prefetch_size:l prefetch_count:h global_:b
60.11 basic.qos-ok
60.20 basic.consume -1:h queue:s consumer_tag:s no_local:b no_ack:b exclusive:b nowait:b arguments:t
60.21 basic.consume-ok consumer_tag:s
60.30 basic.cancel consumer_tag:s nowait:b
60.31 basic.cancel-ok consumer_tag:s
60.40 basic.publish -1:h exchange:s routing_key:s mandatory:b immediate:b
60.50 basic.return reply_code:h reply_text:s exchange:s routing_key:s
60.60 basic.deliver consumer_tag:s delivery_tag:q redelivered:b exchange:s routing_key:s
60.70 basic.get -1:h queue:s no_ack:b
60.71 basic.get-ok delivery_tag:q redelivered:b exchange:s routing_key:s message_count:l
60.72 basic.get-empty -1:s
60.80 basic.ack delivery_tag:q multiple:b
60.90 basic.reject delivery_tag:q requeue:b
60.100 basic.recover-async requeue:b
60.110 basic.recover requeue:b
60.111 basic.recover-ok
60.120 basic.nack delivery_tag:q multiple:b requeue:b
85.10 confirm.select nowait:b
85.11 confirm.select-ok
90.10 tx.select
90.11 tx.select-ok
90.20 tx.commit
90.21 tx.commit-ok
90.30 tx.rollback
90.31 tx.rollback-ok
"""
_Fields = tuple[tuple[str, str], ...]
_BY_ID: dict[tuple[int, int], tuple[str, _Fields]] = {}
_BY_NAME: dict[str, tuple[tuple[int, int], _Fields]] = {}
for _line in _METHODS.split("\n")[1:-1]:
    _number, _name, *_more = _line.split(" ")
    _class_id, _method_id = _number.split(".")
    _fields = tuple((field.split(":")[0], field.split(":")[1]) for field in _more)
    _BY_ID[int(_class_id), int(_method_id)] = _name, _fields
    _BY_NAME[_name] = (int(_class_id), int(_method_id)), _fields

_NUMBERS = {"o": struct.Struct(">B"), "h": struct.Struct(">H"), "l": struct.Struct(">I"), "q": struct.Struct(">Q")}
_RESERVED: dict[str, Any] = {"o": 0, "h": 0, "l": 0, "q": 0, "s": "", "S": "", "t": {}, "b": False}

# The properties of a message in the order of their flags.
PROPERTIES: _Fields = (
    ("content_type", "s"), ("content_encoding", "s"), ("headers", "t"), ("delivery_mode", "o"), ("priority", "o"),
    ("correlation_id", "s"), ("reply_to", "s"), ("expiration", "s"), ("message_id", "s"), ("timestamp", "q"),
    ("type", "s"), ("user_id", "s"), ("app_id", "s"), ("cluster_id", "s"),
)  # fmt: skip


def ids_of(name: str) -> tuple[int, int]:
    """Class and method number of a command; (0, 0) when it is unknown."""
    return _BY_NAME[name][0] if name in _BY_NAME else (0, 0)


# ---- field tables

# How the values of a field table are written, by their letter (RabbitMQ's table of types).
_FIELDS = {
    "b": struct.Struct(">b"), "B": struct.Struct(">B"), "s": struct.Struct(">h"), "u": struct.Struct(">H"),
    "I": struct.Struct(">i"), "i": struct.Struct(">I"), "l": struct.Struct(">q"), "L": struct.Struct(">q"),
    "f": struct.Struct(">f"), "d": struct.Struct(">d"),
}  # fmt: skip


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


class _Bytes:
    """Reads values one after the other. What is cut short raises SYNTAX_ERROR."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.depth = data, 0, 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise AmqpError(502, f"{size} octets expected, {len(self.data) - self.at} found")
        found, self.at = self.data[self.at : end], end
        return found

    def number(self, form: struct.Struct) -> Any:
        return form.unpack(self.take(form.size))[0]

    def value(self, kind: str) -> Any:
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == "t":
            return self.table()
        return _text(self.take(self.number(_NUMBERS["o" if kind == "s" else "l"])))

    def inside(self) -> _Bytes:
        inner = _Bytes(self.take(self.number(_NUMBERS["l"])))
        inner.depth = self.depth + 1
        if inner.depth > 100:  # ours; Python's stack is not endless
            raise AmqpError(502, "tables within tables, more than 100 deep")
        return inner

    def table(self) -> dict[str, Any]:
        inner, found = self.inside(), {}
        while inner.at < len(inner.data):
            name = inner.value("s")
            found[name] = inner.field()
        return found

    def field(self) -> Any:
        letter = chr(self.take(1)[0])
        if letter in _FIELDS:
            return self.number(_FIELDS[letter])
        match letter:
            case "S":
                return self.value("S")
            case "x":
                return self.take(self.number(_NUMBERS["l"]))
            case "t":
                return self.take(1) != b"\0"
            case "F":
                return self.table()
            case "A":
                inner, found = self.inside(), []
                while inner.at < len(inner.data):
                    found.append(inner.field())
                return found
            case "T":
                seconds = self.number(_NUMBERS["q"])
                try:
                    return datetime.fromtimestamp(seconds, UTC)
                except (ValueError, OverflowError, OSError):
                    return seconds
            case "D":
                scale = self.number(_NUMBERS["o"])
                return Decimal(self.number(_FIELDS["I"])).scaleb(-scale)
            case "V":
                return None
        raise AmqpError(502, f"unknown type of a field: {letter!r}")


def _short(text: str | bytes) -> bytes:
    data = _bytes(text)
    if len(data) > 255:
        raise ValueError(f"{text!r:.60}...: a short string has at most 255 bytes")
    return bytes([len(data)]) + data


def _long(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _write(kind: str, value: Any) -> bytes:
    if kind in _NUMBERS:
        return _NUMBERS[kind].pack(value)
    if kind == "t":
        return write_table(value)
    return _short(value) if kind == "s" else _long(_bytes(value))


def write_table(table: Mapping[str, Any]) -> bytes:
    """A field table. Raises TypeError for a value that has no type there."""
    return _long(b"".join(_short(name) + _field(value) for name, value in table.items()))


def _field(value: Any) -> bytes:
    match value:
        case None:
            return b"V"
        case bool():
            return b"t" + bytes([value])
        case int():
            letter = "I" if -(2**31) <= value < 2**31 else "l"
            return letter.encode() + _FIELDS[letter].pack(value)
        case float():
            return b"d" + _FIELDS["d"].pack(value)
        case str():
            return b"S" + _long(_bytes(value))
        case bytes():
            return b"x" + _long(value)
        case datetime():
            return b"T" + _NUMBERS["q"].pack(int(value.timestamp()))
        case Decimal():
            exponent = value.as_tuple().exponent
            scale = max(0, -int(exponent))
            return b"D" + bytes([scale]) + _FIELDS["I"].pack(int(value.scaleb(scale)))
        case Mapping():
            return b"F" + write_table(value)
        case list() | tuple():
            return b"A" + _long(b"".join(_field(entry) for entry in value))
    raise TypeError(f"{value!r}: a field table has no type for it")


def read_fields(text: str) -> dict[str, Any]:
    """A field table without its length, as the response of AMQPLAIN is one. Raises SYNTAX_ERROR."""
    return _Bytes(_long(_bytes(text))).table()


# ---- methods and content


def read_method(payload: bytes) -> Method:
    """The command of a method frame. Raises COMMAND_INVALID when nobody knows it, SYNTAX_ERROR when it is cut short."""
    data = _Bytes(payload)
    number = data.number(_NUMBERS["h"]), data.number(_NUMBERS["h"])
    if number not in _BY_ID:
        raise AmqpError(503, f"unknown method {number[0]}.{number[1]}")
    name, fields = _BY_ID[number]
    args, bits, used = {}, 0, 8
    for field, kind in fields:
        if kind != "b":
            value, used = data.value(kind), 8
        else:
            if used == 8:
                bits, used = data.take(1)[0], 0
            value, used = bool(bits >> used & 1), used + 1
        if field[0] != "-":
            args[field] = value
    return Method(name, args)


def write_method(name: str, **args: Any) -> bytes:
    """The payload of a method frame. What is not given is empty, zero or false."""
    number, fields = _BY_NAME[name]
    parts, bits, used = [struct.pack(">HH", *number)], 0, 0
    for field, kind in fields:
        value = args.get(field, _RESERVED[kind])
        if kind == "b":
            bits, used = bits | bool(value) << used, used + 1
            continue
        if used:
            parts.append(bytes([bits]))
            bits = used = 0
        parts.append(_write(kind, value))
    if used:
        parts.append(bytes([bits]))
    return b"".join(parts)


def read_header(payload: bytes) -> tuple[int, int, bytes]:
    """Of a content header: its class, the size of the body, and the properties as they stand there."""
    data = _Bytes(payload)
    class_id, _, size = data.number(_NUMBERS["h"]), data.number(_NUMBERS["h"]), data.number(_NUMBERS["q"])
    return class_id, size, data.data[data.at :]


def write_header(size: int, properties: bytes) -> bytes:
    """The payload of a content header frame of class basic."""
    return struct.pack(">HHQ", 60, 0, size) + properties


def read_properties(data: bytes) -> dict[str, Any]:
    """The properties of a message, those that are there. Raises SYNTAX_ERROR."""
    found, values = {}, _Bytes(data)
    flags = values.number(_NUMBERS["h"])
    if flags & 3:
        raise AmqpError(502, f"unknown property flags {flags:#06x}")
    for place, (name, kind) in enumerate(PROPERTIES):
        if flags >> 15 - place & 1:
            found[name] = values.value(kind)
    if values.at < len(data):
        raise AmqpError(502, f"{len(data) - values.at} octets after the properties")
    return found


def write_properties(properties: Mapping[str, Any]) -> bytes:
    """The properties of a message, as `read_properties` reads them."""
    flags, parts = 0, []
    for place, (name, kind) in enumerate(PROPERTIES):
        if name in properties:
            flags |= 1 << 15 - place
            parts.append(_write(kind, properties[name]))
    return struct.pack(">H", flags) + b"".join(parts)


# ---- frames


def frame(kind: int, channel: int, payload: bytes = b"") -> bytes:
    """A frame as it travels."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + bytes([FRAME_END])


def content(channel: int, method: bytes, properties: bytes, body: bytes, frame_max: int) -> bytes:
    """A command with content: its method, its header, and the body in frames of at most `frame_max` bytes."""
    room = frame_max - 8 if frame_max else max(1, len(body))
    parts = [frame(METHOD, channel, method), frame(HEADER, channel, write_header(len(body), properties))]
    parts += (frame(BODY, channel, body[at : at + room]) for at in range(0, len(body), room))
    return b"".join(parts)


class FrameReader:
    """Cuts what arrives into frames. `frame_max`: the most bytes that a frame may have, 0 for any number."""

    def __init__(self) -> None:
        self.frame_max = MIN_FRAME
        self._data = bytearray()

    def take_protocol_header(self, data: bytes) -> bool | None:
        """What a client begins with: True when it is ours, False when it is another, None while it is not there."""
        self._data += data
        if not PROTOCOL_HEADER.startswith(bytes(self._data[:8])):
            return False
        if len(self._data) < 8:
            return None
        del self._data[:8]
        return True

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now. Raises FRAME_ERROR for what is no frame."""
        self._data += data
        while len(self._data) >= 8:
            kind, channel, size = struct.unpack_from(">BHI", self._data)
            if kind not in (METHOD, HEADER, BODY, HEARTBEAT):
                raise AmqpError(501, f"unknown frame type {kind}")
            if self.frame_max and size > self.frame_max - 8:
                raise AmqpError(501, f"type {kind}: frame_too_large, {size} octets of at most {self.frame_max - 8}")
            if len(self._data) < size + 8:
                return
            if self._data[size + 7] != FRAME_END:
                raise AmqpError(501, f"type {kind}: invalid_frame_end_marker {self._data[size + 7]}")
            payload = bytes(self._data[7 : size + 7])
            del self._data[: size + 8]
            yield Frame(kind, channel, payload)
