"""Endpoints outside AWS: web servers, mailboxes, telephones, apps. Each is an inbox that a learner can open.

An inbox accepts what arrives and answers 200 at once, until it is set to fail or to be slow.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lablib.kernel import Kernel
from lablib.kernel.loop import check_duration


@dataclass(frozen=True)
class Arrival:
    """What came to an inbox: when (seconds since the run began), with which headers, and what it said."""

    time: float
    headers: dict[str, str]
    body: str


@dataclass(eq=False)
class Inbox:
    """An endpoint outside AWS. `received`: what it took; `refused`: what it answered with an error."""

    kernel: Kernel
    endpoint: str
    received: list[Arrival] = field(default_factory=list)
    refused: list[Arrival] = field(default_factory=list)
    _failures: list[tuple[float, float, int]] = field(default_factory=list)  # start, end, status
    _delay: float = 0.0

    def fail(self, status: int = 500, seconds: float | None = None, start: float | None = None) -> None:
        """Answer `status` (400 to 599) from `start` (now) on, for `seconds` (until `ok`)."""
        if not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError(f"status={status!r}: must be an error, from 400 to 599")
        begin = self.kernel.now if start is None else check_duration("start", start)
        end = float("inf") if seconds is None else begin + check_duration("seconds", seconds)
        self._failures.append((begin, end, status))

    def slow(self, seconds: float) -> None:
        """Answer only after `seconds`. SNS gives up on a web server after 15."""
        self._delay = check_duration("seconds", seconds)

    def ok(self) -> None:
        """Answer 200 at once, from now on."""
        self._failures.clear()
        self._delay = 0.0

    def receive(self, headers: dict[str, str], body: str) -> tuple[int, float]:
        """Something arrives. Returns the status of the answer and after how many seconds it comes."""
        now = self.kernel.now
        status = next((status for start, end, status in reversed(self._failures) if start <= now < end), 200)
        (self.received if status == 200 else self.refused).append(Arrival(now, headers, body))
        return status, self._delay

    def __repr__(self) -> str:
        return f"<Inbox {self.endpoint}: {len(self.received)} received, {len(self.refused)} refused>"


class Inboxes(dict[str, Inbox]):
    """All inboxes of a cloud by endpoint; one is there as soon as it is asked for."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel = kernel

    def __missing__(self, endpoint: str) -> Inbox:
        inbox = self[endpoint] = Inbox(self._kernel, endpoint)
        return inbox
