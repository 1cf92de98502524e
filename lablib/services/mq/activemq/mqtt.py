"""Packets of MQTT 3.1.1 (OASIS standard of 2014), read and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = range(8, 15)
_FLAGS = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}  # all others but PUBLISH have none (section 2.2.2)


class BrokenPacket(ValueError):
    """Bytes that break the standard: the connection is closed."""


@dataclass(slots=True)
class Packet:
    """A control packet: its kind, the four flags beside it, and what follows."""

    kind: int
    flags: int = 0
    body: bytes = b""

    def encode(self) -> bytes:
        """Its bytes."""
        length, size = len(self.body), bytearray()
        while True:
            size.append((length & 127) | (128 if length > 127 else 0))
            length >>= 7
            if not length:
                return bytes([self.kind << 4 | self.flags]) + bytes(size) + self.body


class Decoder:
    """Finds the packets in what a connection brings."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that are complete now. Raises BrokenPacket after those before it."""
        buffer = self._buffer
        buffer += data
        while len(buffer) > 1:
            length, at = 0, 1
            while True:
                if at > 4:
                    raise BrokenPacket("the remaining length has more than four bytes")
                if at >= len(buffer):
                    return
                length |= (buffer[at] & 127) << 7 * (at - 1)
                at += 1
                if buffer[at - 1] < 128:
                    break
            if len(buffer) < at + length:
                return
            packet = Packet(buffer[0] >> 4, buffer[0] & 15, bytes(buffer[at : at + length]))
            del buffer[: at + length]
            if packet.kind in (0, 15) or (packet.kind != PUBLISH and packet.flags != _FLAGS.get(packet.kind, 0)):
                raise BrokenPacket(f"a packet of kind {packet.kind} with flags {packet.flags}")
            yield packet


class Reader:
    """Reads the parts of a packet's body. Everything raises BrokenPacket when it is too short."""

    def __init__(self, body: bytes) -> None:
        self.body, self.at = body, 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        part = self.body[self.at : self.at + size]
        if len(part) < size:
            raise BrokenPacket("a packet ends too early")
        self.at += size
        return part

    def number(self, size: int = 2) -> int:
        """A whole number."""
        return int.from_bytes(self.take(size), "big")

    def data(self) -> bytes:
        """Bytes with their length before them."""
        return self.take(self.number())

    def text(self) -> str:
        """A text with its length before it."""
        try:
            found = self.data().decode()
        except UnicodeDecodeError:
            raise BrokenPacket("a text that is not UTF-8") from None
        if "\0" in found:
            raise BrokenPacket("a text with a zero in it")
        return found

    def more(self) -> bool:
        """Is there anything left?"""
        return self.at < len(self.body)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self.body) - self.at)


def text(value: str) -> bytes:
    """A text as packets have it."""
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def topic_of(name: str) -> str:
    """The name of ActiveMQ's topic for one of MQTT's, or its pattern: "a/+/b/#" is "a.*.b.>"."""
    return name.translate(str.maketrans("/+#.*>", ".*>/+#"))


def name_of(topic: str) -> str:
    """The other way round."""
    return topic.translate(str.maketrans(".*>/+#", "/+#.*>"))


def is_filter(name: str) -> bool:
    """Can one subscribe to it? (section 4.7.1)"""
    parts = name.split("/")
    return (
        bool(name)
        and all("#" not in p or (p == "#" and n == len(parts) - 1) for n, p in enumerate(parts))
        and all("+" not in p or p == "+" for p in parts)
    )
