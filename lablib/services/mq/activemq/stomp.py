"""Frames of STOMP 1.0 to 1.2 (stomp.github.io), read and written as ActiveMQ does: its limits, its texts, its quirks.

A header's escapes are read in every version and written from 1.1 on; `\\r` is not among them, so a carriage return does
not come through (StompWireFormat's source, 2026).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

VERSIONS = ("1.2", "1.1", "1.0")
_COMMAND, _HEADER, _HEADERS = 1024, 10 * 1024, 1000  # the longest command and header line, and how many
_BODY = 100 << 20  # bytes
_WITH_LENGTH = ("SEND", "MESSAGE")  # a content-length elsewhere is not looked at


class BrokenFrame(ValueError):
    """Bytes that are no frame: the connection cannot go on."""


@dataclass(slots=True)
class Frame:
    """A frame. Of a header that comes twice the first one counts."""

    command: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def encode(self, version: str) -> bytes:
        """Its bytes in a version of the protocol."""
        headers = self.headers
        if version == "1.0":
            lines = [f"{key}:{value}" for key, value in headers.items()]
        else:
            odd = "".join(headers.values())
            escape = _escaped if "\\" in odd or "\n" in odd else _with_colons_escaped
            lines = [f"{key}:{escape(value)}" for key, value in headers.items()]
        return "\n".join((self.command, *lines, "", "")).encode() + self.body + b"\0\n"


class Decoder:
    """Finds the frames in what a connection brings."""

    def __init__(self) -> None:
        self.version = "1.0"
        self._buffer = bytearray()
        self._head: Frame | None = None  # a frame whose body is not there yet
        self._length: int | None = None
        self._looked = 0  # so far there is no end

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now, one after the other. Raises BrokenFrame after those before it."""
        self._buffer += data
        while self._buffer and (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if self._head is None and not self._read_head():
            return None
        frame, buffer = self._head, self._buffer
        assert frame is not None
        if self._length is not None:
            if len(buffer) <= self._length:
                return None
            end = self._length
            if buffer[end] != 0:
                raise BrokenFrame("content-length bytes were read and there was no trailing null byte")
        else:
            end = buffer.find(0, self._looked)
            self._looked = len(buffer) if end < 0 else 0
            if max(end, len(buffer) if end < 0 else 0) > _BODY:
                raise BrokenFrame("The maximum data length was exceeded")
            if end < 0:
                return None
        frame.body = bytes(buffer[:end])
        del buffer[: end + 1]
        self._head = self._length = None
        self._looked = 0
        return frame

    def _read_head(self) -> bool:
        """Read the command and the headers, when they are there as a whole."""
        buffer = self._buffer
        if buffer and buffer[0] in b"\r\n \t":  # between frames: heart-beats
            del buffer[: len(buffer) - len(buffer.lstrip(b"\r\n \t"))]
        if not buffer:
            return False
        lines, at = self._head_lines()
        if not lines:
            return False
        frame, old = Frame(lines[0].strip()), self.version == "1.0"
        headers = frame.headers
        for line in lines[1:]:
            name, _, value = line.partition(":")
            if name not in headers:
                value = _unescaped(value) if "\\" in value else value
                headers[name] = value.strip() if old else value
        length = headers.get("content-length")
        if length is not None and frame.command in _WITH_LENGTH:
            if not is_whole(length.strip(), 10):
                raise BrokenFrame("Specified content-length is not a valid integer")
            if int(length) > _BODY:
                raise BrokenFrame("The maximum data length was exceeded")
            self._length = int(length)
        del buffer[:at]
        self._head, self._looked = frame, 0
        return True

    def _head_lines(self) -> tuple[list[str], int]:
        """The lines of the head, and where the body begins; no lines when it is not complete."""
        buffer = self._buffer
        end = buffer.find(b"\n\n")
        if 0 < end <= _COMMAND and b"\r" not in buffer[:end]:  # as nearly all are: nothing in it can be too long
            return buffer[:end].decode(errors="replace").split("\n"), end + 2
        at = 0
        lines: list[str] = []
        while True:
            end = buffer.find(b"\n", at)
            most = _HEADER if lines else _COMMAND
            if (len(buffer) if end < 0 else end) - at > most:
                what = "header" if lines else "command"
                raise BrokenFrame(f"The maximum {what} length was exceeded")
            if end < 0:
                return [], 0
            line = bytes(buffer[at:end])
            at = end + 1
            if line.endswith(b"\r") and self.version != "1.1":
                line = line[:-1]
            if lines and not line:
                break
            lines.append(line.decode(errors="replace"))
            if len(lines) > _HEADERS + 1:
                raise BrokenFrame("The maximum number of headers was exceeded")
        return lines, at


def is_whole(text: str, digits: int) -> bool:
    """Is that a number with at most so many digits, as Java's Integer (10) and Long (19) have them?"""
    return text.isdecimal() and len(text) <= digits


def detect_version(headers: dict[str, str]) -> str:
    """The highest version that a client accepts. Raises BrokenFrame when there is none."""
    accepted = headers.get("accept-version")
    if accepted is None:
        return "1.0"
    offered = [each.strip() for each in accepted.split(",")]
    for version in VERSIONS:
        if version in offered:
            return version
    raise BrokenFrame(f"Invalid Protocol version[{accepted}], supported versions are: [{', '.join(VERSIONS)}]")


def _with_colons_escaped(text: str) -> str:
    return text.replace(":", "\\c")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(":", "\\c")


def _unescaped(text: str) -> str:
    parts, escapes = text.split("\\\\"), (("\\n", "\n"), ("\\c", ":"))
    for written, meant in escapes:
        parts = [part.replace(written, meant) for part in parts]
    return "\\".join(parts)
