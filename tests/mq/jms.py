"""A program that uses the failover transport of ActiveMQ's JMS clients, as their documentation describes it.

Java is not simulated, so this is an actor, not the client itself. What it keeps of it (activemq.apache.org, "Failover
transport reference"; the guide, "Connecting a Java application"): the URL with its options; delays between rounds over
the hosts of 10, 20, 40 ... 30,000 ms; a send that blocks until the broker has the message, also across a failover, and
is made again when its answer never came (so it may be there twice); subscriptions that are restored. What waits
unacknowledged in the client is forgotten with the connection. Over the wire it speaks STOMP to the same hosts: OpenWire
is not simulated.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mq.dialing import Call

from lablib.kernel import Kernel, Stream, Trace
from lablib.services.mq.activemq.stomp import Decoder, Frame

_STOMP = 61614
_BEAT, _SILENCE = (
    10.0,
    30.0,
)  # seconds: the broker's beats, and after which silence it is given up (maxInactivityDuration)
_CONNECT = 30.0  # seconds for one attempt (connectionTimeout)
_OPTIONS: dict[str, Any] = {
    "randomize": True, "initialReconnectDelay": 10, "maxReconnectDelay": 30_000, "useExponentialBackOff": True,
    "reconnectDelayExponent": 2.0, "maxReconnectAttempts": -1, "startupMaxReconnectAttempts": -1, "timeout": -1,
}  # fmt: skip
_URL = re.compile(r"failover:\(?(?://)?\(?(?P<hosts>[^()?]+)\)?(?:\?(?P<options>.*))?")
_HOST = re.compile(r"(?:ssl|tcp|nio\+ssl|stomp\+ssl)://(?P<host>[^:/?]+):\d+(?:\?.*)?")


class JmsError(Exception):
    """What a JMS client raises, in its own words."""


@dataclass(frozen=True)
class FailoverUrl:
    """A URL such as "failover:(ssl://b-1...:61617,ssl://b-2...:61617)?randomize=false". Times are milliseconds."""

    hosts: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> FailoverUrl:
        """Raises ValueError for what is none, and for options that this actor does not know."""
        found = _URL.fullmatch(text.strip())
        hosts = [_HOST.fullmatch(each.strip()) for each in found["hosts"].split(",")] if found else [None]
        if not found or not all(hosts):
            raise ValueError(
                f"url={text!r}: must be like failover:(ssl://host-1:61617,ssl://host-2:61617)?randomize=true"
            )
        options = dict(_OPTIONS)
        for pair in (found["options"] or "").split("&"):
            name, _, value = pair.removeprefix("transport.").partition("=")
            if not pair:
                continue
            if name not in options:
                raise ValueError(f"url: the option {name!r} is not simulated; there are: {', '.join(_OPTIONS)}")
            try:
                options[name] = value == "true" if isinstance(_OPTIONS[name], bool) else type(_OPTIONS[name])(value)
            except ValueError:
                raise ValueError(f"url: {name}={value!r} must be a number") from None
        return cls(tuple(host["host"] for host in hosts if host), options)

    def delays(self) -> Iterator[float]:
        """Seconds to wait before each round over the hosts after a connection was lost."""
        options = self.options
        factor = options["reconnectDelayExponent"] if options["useExponentialBackOff"] else 1.0
        delay = float(options["initialReconnectDelay"])
        while True:
            yield delay / 1000
            delay = min(delay * factor, options["maxReconnectDelay"])


class JmsClient:
    """One connection with a failover URL. Use it inside one process: its methods block.

    Writes rows: ConnectionLost, ReconnectFailed, Reconnected. `name` is the client's own, for its randomness.
    """

    def __init__(
        self, kernel: Kernel, trace: Trace, chance: Stream, url: str, user: str, password: str, *, client_id: str = ""
    ) -> None:
        self.url = FailoverUrl.parse(url)
        self._kernel, self._trace, self._chance = kernel, trace, chance
        self._login = {"login": user, "passcode": password, "accept-version": "1.2"}
        self._login["heart-beat"] = f"0,{round(_BEAT * 1000)}"
        if client_id:
            self._login["client-id"] = client_id
        self._call: Call | None = None
        self._decoder = Decoder()
        self._messages: deque[Frame] = deque()
        self._answers: dict[str, Frame] = {}
        self._subscriptions: list[dict[str, str]] = []
        self._was_connected = False
        self._receipts = 0
        self._given: set[str] = set()  # what can be acknowledged on this connection

    @property
    def _actor(self) -> str:
        return self._kernel.current_name("you")

    # ---- connecting --------------------------------------------------------------------------------------------------

    def connect(self, deadline: float | None = None) -> None:
        """Be connected: go round the hosts, with growing delays, until one answers.

        Raises JmsError after so many rounds as the URL allows, at `deadline` (virtual seconds), and for a wrong login.
        """
        if self._call is not None:
            return
        options = self.url.options
        most = options["maxReconnectAttempts" if self._was_connected else "startupMaxReconnectAttempts"]
        for attempts, delay in enumerate(self.url.delays()):
            if self._was_connected or attempts:
                if deadline is not None and self._kernel.now + delay >= deadline:
                    self._kernel.sleep(max(0.0, deadline - self._kernel.now))
                    raise JmsError(f"Failover timeout of {options['timeout']} ms reached.")
                self._kernel.sleep(delay)
            for host in self._round():
                left = _CONNECT if deadline is None else min(_CONNECT, deadline - self._kernel.now)
                if left > 0 and self._try(host, left):
                    return
            self._trace.add("ReconnectFailed", actor=self._actor, detail=attempts + 1)
            if 0 <= most <= attempts + 1:
                raise JmsError(f"Could not connect to broker after {attempts + 1} attempts")

    def _round(self) -> list[str]:
        hosts = list(self.url.hosts)
        return self._chance.shuffled(hosts) if self.url.options["randomize"] else hosts

    def _try(self, host: str, timeout: float) -> bool:
        try:
            self._call = Call(self._kernel, host, _STOMP, timeout=timeout)
            self._decoder, self._answers = Decoder(), {}
            self._write(Frame("CONNECT", self._login | {"host": host}), "1.0")
            answer = self._read_until(lambda frame: frame.command in ("CONNECTED", "ERROR"), None)
            if answer.command == "ERROR":
                self._lost()
                raise JmsError(answer.headers["message"])
            self._decoder.version = "1.2"
            for headers in self._subscriptions:
                self._write(Frame("SUBSCRIBE", headers))
        except (OSError, EOFError):
            self._lost()
            return False
        self._trace.add("Reconnected", actor=self._actor, detail=host)
        self._was_connected = True
        return True

    def _lost(self) -> None:
        if self._call is not None:
            self._call.close()
        self._call = None
        self._messages.clear()
        self._given.clear()

    def _broken(self) -> None:
        self._trace.add("ConnectionLost", actor=self._actor)
        self._lost()

    # ---- frames ------------------------------------------------------------------------------------------------------

    def _write(self, frame: Frame, version: str = "1.2") -> None:
        assert self._call is not None
        self._call.send(frame.encode(version))

    def _read(self, timeout: float | None) -> None:
        """Take in what comes. Raises EOFError at the end and after a long silence, TimeoutError, OSError."""
        assert self._call is not None
        try:
            data = self._call.receive(_SILENCE if timeout is None else min(timeout, _SILENCE))
        except TimeoutError:
            if timeout is None or timeout >= _SILENCE:
                raise EOFError from None
            raise
        if not data:
            raise EOFError
        for frame in self._decoder.feed(data):
            if frame.command == "MESSAGE":
                self._messages.append(frame)
            else:
                self._answers[frame.headers.get("receipt-id", frame.command)] = frame

    def _read_until(self, wanted: Any, timeout: float | None) -> Frame:
        while True:
            for key, frame in list(self._answers.items()):
                if wanted(frame):
                    return self._answers.pop(key)
            self._read(timeout)

    # ---- what a program calls ----------------------------------------------------------------------------------------

    def send(self, destination: str, body: bytes | str, *, persistent: bool = True, **properties: str) -> None:
        """Send a message, and return when the broker has it; a persistent one is on its disk then. `destination`:
        "/queue/orders". After a failover in between it is sent again. Raises JmsError when the URL's `timeout` is over,
        or the broker refuses it.
        """
        limit = self.url.options["timeout"]
        deadline = self._kernel.now + limit / 1000 if limit > 0 else None
        data = body.encode() if isinstance(body, str) else body
        self._receipts += 1
        receipt = f"send-{self._receipts}"
        headers = {"destination": destination, "receipt": receipt, "content-length": str(len(data)), **properties}
        if persistent:
            headers["persistent"] = "true"
        while True:
            self.connect(deadline)
            try:
                self._write(Frame("SEND", headers, data))
                answer = self._read_until(lambda frame: frame.headers.get("receipt-id") == receipt, None)
            except (OSError, EOFError):
                self._broken()
                continue
            if answer.command == "ERROR":
                raise JmsError(answer.headers["message"])
            return

    def subscribe(self, destination: str, *, prefetch: int | None = None, durable: str = "") -> None:
        """Consume from a destination, each message to be acknowledged by itself; also after each failover."""
        headers = {"destination": destination, "id": str(len(self._subscriptions)), "ack": "client-individual"}
        if prefetch is not None:
            headers["activemq.prefetchSize"] = str(prefetch)
        if durable:
            headers["activemq.subscriptionName"] = durable
        self.connect()
        self._subscriptions.append(headers)
        self._write(Frame("SUBSCRIBE", headers))

    def receive(self, timeout: float | None = None) -> Frame | None:
        """The next message; None when none comes within `timeout` seconds."""
        end = None if timeout is None else self._kernel.now + timeout
        self._take_in()
        while not self._messages:
            left = None if end is None else end - self._kernel.now
            if left is not None and left <= 0:
                return None
            try:
                self.connect(end)
                self._read(left)
            except TimeoutError:
                return None
            except (OSError, EOFError):
                self._broken()
            except JmsError:
                if end is None or self._kernel.now < end:
                    raise
                return None
        message = self._messages.popleft()
        self._given.add(message.headers["ack"])
        return message

    def _take_in(self) -> None:
        """What has come meanwhile: messages, or the end of the connection, with which all that waits here is void."""
        try:
            while self._call is not None:
                self._read(0)
        except BlockingIOError:
            pass
        except (OSError, EOFError):
            self._broken()

    def acknowledge(self, message: Frame) -> None:
        """It is worked on. On another connection than it came from, nothing happens: the broker gives it out again."""
        if message.headers["ack"] not in self._given:
            return
        self._given.discard(message.headers["ack"])
        try:
            self._write(Frame("ACK", {"id": message.headers["ack"]}))
        except OSError:
            self._broken()

    def close(self) -> None:
        """End the connection."""
        self._lost()
