"""A video stream, its fragments, and the two ends of it: the connection of a producer, the payload for a reader.

The model. A producer keeps one connection and sends frames. A fragment gets three acknowledgements: BUFFERING at its
first frame, RECEIVED when it is complete, PERSISTED when it is stored; the last one only with a retention. So nobody
sees a frame before its fragment is whole. A stream with a retention of 0 keeps fragments in a buffer: five minutes or
200 MB. (API reference, PutMedia, CreateStream; guide, "Service quotas". Numbers of errors: kvs producer SDK for C.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lablib.aws.service import ServiceError, World
from lablib.kernel import Signal
from lablib.services.kinesisvideo.matroska import write

HOUR = 3600.0
_FIRST = 91343852333181432392682062607743920146264094947  # as AWS's numbers of fragments look
_ERRORS = {  # ErrorId by ErrorCode; of the shortest duration only the code is known
    "MAX_FRAGMENT_SIZE_REACHED": 4001,
    "MAX_FRAGMENT_DURATION_REACHED": 4002,
    "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS": 4004,
    "STREAM_NOT_ACTIVE": 4008,
    "MIN_FRAGMENT_DURATION_REACHED": None,
}


@dataclass(frozen=True)
class Fragment:
    """A piece of film. In virtual seconds: `begin` and `length` by the producer, `server` when it came."""

    number: str
    begin: float
    length: float
    server: float
    frames: tuple[tuple[float, bytes], ...]
    size: int


class VideoStream:
    """A stream. `status` is CREATING, ACTIVE, UPDATING or DELETING; `retention` in hours, 0 for none."""

    def __init__(self, world: World, name: str, arn: str, retention: int, details: dict[str, str]) -> None:
        self._kernel, self._trace, self.quotas = world.kernel, world.trace, world.quotas
        self.name, self.arn, self.retention, self.details = name, arn, retention, details
        self.created = self._kernel.now
        self.status = "CREATING"
        self.version = 1
        self.calls: dict[str, Any] = {}  # rates of calls, by API
        self.connection: Connection | None = None
        self.arrived = Signal(self._kernel)
        self._fragments: list[Fragment] = []
        self._count = 0

    @property
    def fragments(self) -> list[Fragment]:
        """What is kept now, oldest first."""
        if self.retention:
            kept, horizon = self._fragments, self._kernel.now - self.retention * HOUR
        else:
            kept, horizon = self._fragments, self._kernel.now - self.quotas["kinesisvideo.buffer_time"]
            while sum(fragment.size for fragment in kept) > self.quotas["kinesisvideo.buffer_size"]:
                kept = kept[1:]
        for fragment in self._fragments:
            if fragment.server < horizon or fragment not in kept:
                self._trace.add("FragmentExpired", self.name, fragment.number)
        self._fragments = [fragment for fragment in kept if fragment.server >= horizon]
        return list(self._fragments)

    def keep_for(self, hours: int) -> None:
        """Change the retention. What a shorter one drops goes at once, what is kept stays for the new one."""
        self.fragments  # noqa: B018  what is too old by now stays gone
        self.retention = hours
        self.fragments  # noqa: B018

    def add(self, begin: float, length: float, frames: list[tuple[float, bytes]], actor: str, row: int) -> Fragment:
        """Store a fragment that is complete."""
        self._count += 1
        size = len(write(0, frames, {}))
        fragment = Fragment(str(_FIRST + self._count), begin, length, self._kernel.now, tuple(frames), size)
        self._fragments.append(fragment)
        self._trace.add("FragmentReceived", self.name, fragment.number, actor, row, [len(frames), round(length, 3)])
        self.arrived.fire()
        return fragment

    def chunk(self, fragment: Fragment, behind: bool = True) -> bytes:
        """The fragment as a Matroska document. `behind`: tell how far behind now it is, as GetMedia does."""
        epoch = self._kernel.epoch
        tags = {
            "AWS_KINESISVIDEO_FRAGMENT_NUMBER": fragment.number,
            "AWS_KINESISVIDEO_SERVER_TIMESTAMP": f"{epoch + fragment.server:.3f}",
            "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP": f"{epoch + fragment.begin:.3f}",
        }
        if behind:
            late = round((self._kernel.now - fragment.server) * 1000)
            tags |= {
                "AWS_KINESISVIDEO_CONTINUATION_TOKEN": fragment.number,
                "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW": str(late),
            }
        return write(epoch + fragment.begin, list(fragment.frames), tags)


class Connection:
    """What PutMedia opens: `frame(picture)` sends one, `end()` completes the fragment. `acks` are what came back.

    An ERROR ends the connection, as it does at AWS; the fragment is lost. Calling it then raises ConnectionError.
    """

    def __init__(self, world: World, stream: VideoStream, actor: str, row: int) -> None:
        self._kernel, self._trace, self._stream = world.kernel, world.trace, stream
        self._actor, self._row = actor, row
        self._frames: list[tuple[float, bytes]] = []
        self._begin = self._size = 0.0
        self._last = -1.0
        self.open = True
        self.acks: list[dict[str, Any]] = []
        stream.connection = self

    def frame(self, picture: bytes, time: float | None = None) -> None:
        """Send a frame that was taken at `time` (virtual seconds, now when not given). The first one of a fragment
        begins it."""
        time = self._kernel.now if time is None else time
        self._check()
        if not self._frames:
            self._begin = time
            if time <= self._last:
                return self._refuse("FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS")
            self._acknowledge("BUFFERING")
        self._frames.append((time - self._begin, picture))
        self._size += len(picture)
        quotas = self._stream.quotas
        if self._size > quotas["kinesisvideo.fragment_size"]:
            self._refuse("MAX_FRAGMENT_SIZE_REACHED")
        elif time - self._begin > quotas["kinesisvideo.fragment_max"]:
            self._refuse("MAX_FRAGMENT_DURATION_REACHED")

    def end(self) -> Fragment | None:
        """The fragment is complete, and lasted until now. None when it is refused, or there is none."""
        self._check()
        if not self._frames:
            return None
        quotas, length = self._stream.quotas, round(self._kernel.now - self._begin, 6)
        if length > quotas["kinesisvideo.fragment_max"]:
            self._refuse("MAX_FRAGMENT_DURATION_REACHED")
            return None
        if length < quotas["kinesisvideo.fragment_min"]:
            self._refuse("MIN_FRAGMENT_DURATION_REACHED")
            return None
        self._kernel.wait(None, quotas["kinesisvideo.receive_time"])
        if self._stream.status == "DELETING":
            self._refuse("STREAM_NOT_ACTIVE")
            return None
        fragment = self._stream.add(self._begin, length, self._frames, self._actor, self._row)
        self._last, self._frames, self._size = self._begin, [], 0
        self._acknowledge("RECEIVED", fragment)
        if self._stream.retention:
            self._kernel.after(quotas["kinesisvideo.persist_time"], self._acknowledge, "PERSISTED", fragment)
        return fragment

    def close(self) -> None:
        """End the connection. What is not complete is lost."""
        self.open = False
        if self._stream.connection is self:
            self._stream.connection = None

    def _check(self) -> None:
        if not self.open:
            raise ConnectionError("the connection of PutMedia is closed; open a new one")

    def _acknowledge(self, kind: str, fragment: Fragment | None = None, **more: Any) -> None:
        begin = fragment.begin if fragment else self._begin
        ack: dict[str, Any] = {"EventType": kind, "FragmentTimecode": round((self._kernel.epoch + begin) * 1000)}
        self.acks.append(ack | ({"FragmentNumber": fragment.number} if fragment else {}) | more)
        if kind == "PERSISTED" and fragment:
            self._trace.add("FragmentPersisted", self._stream.name, fragment.number, self._actor, self._row)

    def _refuse(self, code: str) -> None:
        """Lose the fragment, say why, and end the connection."""
        number = _ERRORS[code]
        self._acknowledge("ERROR", None, **({"ErrorId": number} if number else {}), ErrorCode=code)
        self._trace.add("FragmentRefused", self._stream.name, "", self._actor, self._row, code)
        self._frames, self._size = [], 0
        self.close()


class MediaPayload:
    """What GetMedia answers with: chunks, as they come. `read()` blocks until the bytes are there.

    It ends when no fragment came for a while, or when the stream is gone.
    """

    def __init__(self, world: World, stream: VideoStream, start: int) -> None:
        self._kernel, self._stream = world.kernel, stream
        self._after = start  # the number of the last fragment that was sent
        self._buffer = bytearray()
        self._ended = False

    def _fill(self) -> bool:
        """Take the next chunk. False when there will be none."""
        while not self._ended:
            fresh = [fragment for fragment in self._stream.fragments if int(fragment.number) > self._after]
            if fresh:
                chunk = self._stream.chunk(fresh[0])
                self._kernel.wait(None, round(len(chunk) / self._stream.quotas["kinesisvideo.read"], 6))
                self._after = int(fresh[0].number)
                self._buffer += chunk
                return True
            arrived = self._kernel.wait(self._stream.arrived, self._stream.quotas["kinesisvideo.idle"])
            self._ended = not arrived or self._stream.status == "DELETING"
        return False

    def read(self, amt: int | None = None) -> bytes:
        """The next `amt` bytes, fewer at the end; all until the end when it is not given."""
        while (amt is None or len(self._buffer) < amt) and self._fill():
            pass
        found = bytes(self._buffer[:amt])
        del self._buffer[: len(found)]
        return found

    def close(self) -> None:
        """End the connection."""
        self._ended = True
        self._buffer.clear()


def refusal(shape: str, message: str, status: int = 400) -> ServiceError:
    """An error of Kinesis Video Streams."""
    return ServiceError(shape, message, status=status)
