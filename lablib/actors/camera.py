"""A synthetic camera at the turnstile of a ski lift: it draws small real pictures and sends them as fragments.

It stands in for PutMedia, which boto3 does not have. A picture is a PNG of 96 x 54 points; it depends on the time and
on who passes, and on nothing else, so it is the same everywhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

from lablib.aws.service import ServiceError
from lablib.kernel import Kernel

WIDTH, HEIGHT = 96, 54
_COLOURS = bytes.fromhex("cfe3f2f7fafc5b6b7a0072b2d55e00222b33e8c547")  # sky, snow, steel, blue, red, dark, lamp
_SKY, _SNOW, _STEEL, _BLUE, _RED, _DARK, _LAMP = range(7)
_PASSING = 3.0  # seconds that somebody is in the picture


class Canvas:
    """Points of a few colours, to draw rectangles on."""

    def __init__(self, background: int) -> None:
        self._rows = [bytearray([background]) * WIDTH for _ in range(HEIGHT)]

    def box(self, left: float, top: float, width: float, height: float, colour: int) -> None:
        """Fill a rectangle; what is outside is cut off."""
        x, right = max(0, round(left)), min(WIDTH, round(left + width))
        for row in self._rows[max(0, round(top)) : max(0, round(top + height))]:
            row[x:right] = bytes([colour]) * max(0, right - x)

    def png(self) -> bytes:
        """The picture as a PNG file. It is not compressed: compressors differ between machines."""
        data = b"".join(b"\x00" + row for row in self._rows)
        size = len(data).to_bytes(2, "little")
        stored = b"\x78\x01\x01" + size + bytes(255 - byte for byte in size) + data
        stored += zlib.adler32(data).to_bytes(4, "big")
        head = WIDTH.to_bytes(4, "big") + HEIGHT.to_bytes(4, "big") + bytes([8, 3, 0, 0, 0])
        parts = (b"IHDR", head), (b"PLTE", _COLOURS), (b"IDAT", stored), (b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def turnstile(time: float, passes: Sequence[float] = (), jumps: Sequence[float] = ()) -> bytes:
    """The turnstile at `time`: riders who pass walk through it, those who have not paid jump over it."""
    canvas = Canvas(_SKY)
    canvas.box(0, 40, WIDTH, 14, _SNOW)
    for begin in (*passes, *jumps):
        done = (time - begin) / _PASSING
        if 0 <= done < 1:
            high = 14 * (1 - abs(2 * done - 1)) if begin in jumps else 0.0
            x, y, coat = done * (WIDTH + 10) - 10, 24 - high, _RED if begin in jumps else _BLUE
            canvas.box(x + 2, y, 6, 5, _DARK)
            canvas.box(x, y + 5, 10, 9, coat)
            canvas.box(x - 3, y + 15, 16, 2, _DARK)
    canvas.box(46, 26, 4, 18, _STEEL)
    canvas.box(38, 32, 8, 2, _STEEL)
    free = any(0 <= time - begin < _PASSING for begin in passes)
    canvas.box(46, 22, 4, 4, _LAMP if free else _STEEL)
    canvas.box(0, 50, WIDTH * ((time % 60) / 60), 4, _STEEL)  # the second of the minute, at the foot
    return canvas.png()


class Camera:
    """Films from the time it is called (as a process) for `seconds`, `rate` frames a second.

    `connect` opens PutMedia's connection; `scene(time)` gives the picture at a virtual time; a fragment lasts
    `fragment` seconds. `acks` are all acknowledgements so far. After an error it connects anew.
    """

    def __init__(
        self,
        kernel: Kernel,
        connect: Callable[[], Any],
        scene: Callable[[float], bytes] = turnstile,
        rate: float = 2.0,
        fragment: float = 2.0,
    ) -> None:
        self._kernel, self._connect, self._scene = kernel, connect, scene
        self._rate, self._fragment = rate, fragment
        self.acks: list[dict[str, Any]] = []

    def __call__(self, seconds: float) -> None:
        """Film for that long."""
        kernel, end = self._kernel, self._kernel.now + seconds
        while kernel.now < end - 1e-9:
            try:
                connection = self._connect()
            except ServiceError:
                kernel.sleep(1)  # not active yet, or somebody else films
                continue
            connection.acks = self.acks
            try:
                while connection.open and kernel.now < end - 1e-9:
                    self._film_one(connection)
            finally:
                connection.close()

    def _film_one(self, connection: Any) -> None:
        """One fragment, from its first frame to the last."""
        begin = self._kernel.now
        for n in range(max(1, round(self._fragment * self._rate))):
            self._wait_until(begin + n / self._rate)
            if connection.open:
                connection.frame(self._scene(self._kernel.now))
        self._wait_until(begin + self._fragment)
        if connection.open:
            connection.end()

    def _wait_until(self, time: float) -> None:
        if time > self._kernel.now:
            self._kernel.wait(None, round(time - self._kernel.now, 6))


def film(
    cloud: Any,
    stream_name: str,
    seconds: float,
    *,
    passes: Sequence[float] = (),
    jumps: Sequence[float] = (),
    rate: float = 2.0,
    fragment: float = 2.0,
    name: str = "camera",
) -> Camera:
    """Set up a camera that films the turnstile into a video stream, from now on and for `seconds`.

    `passes` and `jumps`: when somebody comes, in virtual seconds. `rate`: frames a second. `fragment`: the length of a
    fragment in seconds. Returns the camera, whose `acks` grow while time passes. Raises ValueError.
    """
    for what, value, low, high in (("rate", rate, 0.1, 30), ("fragment", fragment, 0.1, 3600)):
        if not low <= value <= high:
            raise ValueError(f"{what}={value!r}: must be from {low} to {high}")
    video = cloud.service("kinesisvideo")
    camera = Camera(
        cloud.kernel,
        lambda: video.put_media(stream_name, name),
        lambda time: turnstile(time, passes, jumps),
        rate,
        fragment,
    )
    cloud.spawn(camera, seconds, name=name)
    return camera
