"""Chunks as Kinesis Video Streams keeps and sends them: Matroska (MKV), with AWS's tags.

A chunk is one whole Matroska document: a header, one cluster with the frames of a fragment, and tags. The payload of
GetMedia is such chunks, one after the other. Only the elements that this needs are written; a reader may skip all
others. Element ids: matroska.org, "Element specifications"; tags: API reference, GetMedia.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_HEADER, _DOC_TYPE = 0x1A45DFA3, 0x4282
_SEGMENT, _CLUSTER, _TIMECODE, _SIMPLE_BLOCK = 0x18538067, 0x1F43B675, 0xE7, 0xA3
_TRACKS, _TRACK, _NUMBER, _CODEC = 0x1654AE6B, 0xAE, 0xD7, 0x86
_TAGS, _TAG, _SIMPLE_TAG, _TAG_NAME, _TAG_STRING = 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487
_NESTED = frozenset((_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _TAGS, _TAG, _SIMPLE_TAG))
_KEY_FRAME = 0x80
_PICTURES = b"V_PNG"  # ours: real cameras send H.264, which a notebook cannot show without a decoder


@dataclass(frozen=True)
class Frame:
    """A picture of a film. `time` is when it was taken, in seconds since 1970; `picture` is a PNG file.

    `tags` are those of its fragment, such as AWS_KINESISVIDEO_FRAGMENT_NUMBER.
    """

    time: float
    picture: bytes
    tags: dict[str, str]

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """A notebook shows the picture, four times as large as it is."""
        width, height = (int.from_bytes(self.picture[at : at + 4], "big") for at in (16, 20))
        return self.picture, {"width": 4 * width, "height": 4 * height}

    def __repr__(self) -> str:
        return f"<Frame of {len(self.picture)} bytes at {self.time:.3f}>"


def _element(id: int, content: bytes) -> bytes:
    width = (id.bit_length() + 7) // 8
    return id.to_bytes(width, "big") + (len(content) | 1 << 56).to_bytes(8, "big") + content


def write(start: float, frames: list[tuple[float, bytes]], tags: dict[str, str]) -> bytes:
    """The chunk of a fragment that starts at `start` (seconds since 1970), with frames (time since, picture)."""
    blocks = b"".join(
        _element(_SIMPLE_BLOCK, b"\x81" + round(at * 1000).to_bytes(2, "big") + bytes([_KEY_FRAME]) + picture)
        for at, picture in frames
    )
    track = _element(_NUMBER, b"\x01") + _element(_CODEC, _PICTURES)
    cluster = _element(_CLUSTER, _element(_TIMECODE, round(start * 1000).to_bytes(8, "big")) + blocks)
    named = b"".join(
        _element(_SIMPLE_TAG, _element(_TAG_NAME, key.encode()) + _element(_TAG_STRING, value.encode()))
        for key, value in tags.items()
    )
    tail = _element(_TAGS, _element(_TAG, named))
    return _element(_HEADER, _element(_DOC_TYPE, b"matroska")) + _element(
        _SEGMENT, _element(_TRACKS, _element(_TRACK, track)) + cluster + tail
    )


def frames(payload: bytes) -> list[Frame]:
    """All frames of what GetMedia or GetMediaForFragmentList gave, in order. A chunk that is cut off is left out.

    Raises ValueError when `payload` is no Matroska document.
    """
    found: list[Frame] = []
    start, name = 0, ""
    chunk: list[tuple[int, bytes]] = []
    tags: dict[str, str] = {}
    for id, content in _elements(payload):
        if id == _HEADER:
            found += [Frame(at / 1000, picture, tags) for at, picture in chunk]
            chunk, tags = [], {}
        elif id == _TIMECODE:
            start = int.from_bytes(content, "big")
        elif id == _SIMPLE_BLOCK:
            chunk.append((start + int.from_bytes(content[1:3], "big"), content[4:]))
        elif id == _TAG_NAME:
            name = content.decode()
        elif id == _TAG_STRING:
            tags[name] = content.decode()
    return found + [Frame(at / 1000, picture, tags) for at, picture in chunk]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements, those within others too."""
    at = 0
    while at < len(data):
        width = 9 - data[at].bit_length()
        if width > 4:
            raise ValueError("payload: no Matroska document; give the bytes that Payload.read() returned")
        id, at = int.from_bytes(data[at : at + width], "big"), at + width
        if at >= len(data):
            return
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width], "big") ^ 1 << 7 * width
        at += width
        if at + size > len(data):
            return  # cut off
        yield id, data[at : at + size]
        if id in _NESTED:
            yield from _elements(data[at : at + size])
        at += size
