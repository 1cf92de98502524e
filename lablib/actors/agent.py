"""An agent that sends the lines of a growing file, in plain Python over boto3: what the Kinesis Agent is on a server.

It is a program like any other, made to be read. Use it inside a process: it looks at the file in virtual time.

Lines wait until there are many, or until the oldest has waited for long; then they travel together. What is refused is
sent again, without end: a line is late rather than lost. The place in the file up to which all is sent is kept, so an
agent that starts again goes on there; what it had sent and not noted comes twice.

Sources: developer guide of Data Streams and of Data Firehose, "Write with Kinesis Agent" (the options and defaults
here). The agent keeps its places in a small database; here they are a dict that outlives it.
"""

from __future__ import annotations

import hashlib
import random
import time
from pathlib import Path
from typing import Any

_POLL = 0.1  # seconds between two looks at the file (minTimeBetweenFilePollsMillis)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0  # seconds between tries that fail


class Agent:
    """An agent for one file and one stream.

    `client` is a boto3 client for "kinesis" or "firehose", `stream` the name of the stream or delivery stream, `path`
    the file. `checkpoints`: a dict with the place in each file; give the same one to the agent that comes after.
    `partition_key`: "RANDOM" (the default) or "DETERMINISTIC" (computed from the line). `max_buffer_age`: seconds that
    a line may wait (60); `max_buffer_records` (500) and `max_buffer_size` in bytes (4 MiB): how many may wait.
    `initial_position`: for a file that `checkpoints` does not know, "END_OF_FILE" (the default) or "START_OF_FILE".
    """

    def __init__(
        self, client: Any, stream: str, path: str | Path, checkpoints: dict[str, int], *, partition_key: str = "RANDOM",
        max_buffer_age: float = 60.0, max_buffer_records: int = 500, max_buffer_size: int = 4 * 2**20,
        initial_position: str = "END_OF_FILE",
    ) -> None:  # fmt: skip
        for name, value, known in (
            ("partition_key", partition_key, ("RANDOM", "DETERMINISTIC")),
            ("initial_position", initial_position, ("END_OF_FILE", "START_OF_FILE")),
        ):
            if value not in known:
                raise ValueError(f"{name}={value!r}: must be {' or '.join(map(repr, known))}")
        self.path, self.checkpoints = Path(path), checkpoints
        self._client, self._stream, self._partition_key = client, stream, partition_key
        self._age, self._most, self._largest = max_buffer_age, min(max_buffer_records, 500), max_buffer_size
        self._from_the_end = initial_position == "END_OF_FILE"
        self._stopping = False

    def run(self) -> None:
        """Follow the file until `stop()` is called from elsewhere. It blocks."""
        name = str(self.path)
        if name not in self.checkpoints:
            self.checkpoints[name] = self._size() if self._from_the_end else 0
        waiting: list[bytes] = []
        place, since, size = self.checkpoints[name], time.monotonic(), 0
        while not self._stopping:
            if self._size() < place:  # another file has taken its name: it was rotated
                place = self.checkpoints[name] = 0
            for line in self._lines(place):
                if len(waiting) >= self._most or (waiting and size + len(line) > self._largest):
                    self._deliver(waiting, place)
                    waiting = []
                if not waiting:
                    since, size = time.monotonic(), 0
                waiting.append(line)
                size, place = size + len(line), place + len(line)
            if waiting and time.monotonic() - since >= self._age:
                self._deliver(waiting, place)
                waiting = []
            time.sleep(_POLL)
        if waiting:
            self._deliver(waiting, place)

    def stop(self) -> None:
        """Send what waits, and end."""
        self._stopping = True

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _lines(self, place: int) -> list[bytes]:
        """The whole lines behind a place of the file; one that has no end yet waits until it has."""
        if self._size() <= place:
            return []
        with self.path.open("rb") as file:
            file.seek(place)
            text = file.read()
        return [line + b"\n" for line in text.split(b"\n")[:-1]]

    def _deliver(self, lines: list[bytes], place: int) -> None:
        """Send lines until each is taken, then note how far all is sent."""
        pause = _FIRST_PAUSE
        while lines:
            try:
                lines = self._refused(lines)
            except Exception:  # no connection, no such stream yet, no access: an agent goes on trying
                pass
            if lines:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self.checkpoints[str(self.path)] = place

    def _refused(self, lines: list[bytes]) -> list[bytes]:
        """Send lines once. Returns those that were not taken, in their order."""
        if hasattr(self._client, "put_record_batch"):
            records = [{"Data": line} for line in lines]
            answer = self._client.put_record_batch(DeliveryStreamName=self._stream, Records=records)
            results = answer["RequestResponses"]
        else:
            entries = [{"Data": line, "PartitionKey": self._key(line)} for line in lines]
            results = self._client.put_records(StreamName=self._stream, Records=entries)["Records"]
        return [line for line, result in zip(lines, results) if "ErrorCode" in result]

    def _key(self, line: bytes) -> str:
        if self._partition_key == "DETERMINISTIC":
            return hashlib.md5(line, usedforsecurity=False).hexdigest()
        return str(random.uniform(0, 1e6))
