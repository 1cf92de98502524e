"""The stage: a fresh cloud for one case, in which the learner's function runs as one process or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lablib.aws.service import Request
from lablib.cloud import Cloud
from lablib.exercises.case import Case, counted
from lablib.exercises.learner import Memory, describe_error
from lablib.kernel import Process, Row, Signal

_NO_ACCIDENTS = {"sqs.outages_per_hour": 0, "s3.event_duplicates": 0, "lambda.event_duplicates": 0}
_RESTART = 5.0  # seconds from a crash to the next start

_PHRASES = {
    "Crashed": lambda row, trace: f"{row.actor} crashed",
    "Restarted": lambda row, trace: f"{row.actor} started again, with an empty memory",
}


class Problem(Exception):
    """What is wrong, in words. `subjects` are the messages and orders whose rows in the trace tell how it came about;
    `calls` are rows of API calls that tell it.
    """

    def __init__(self, what: str, subjects: Iterable[str] = (), calls: Iterable[Row] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.subjects = tuple(subjects)
        self.calls = tuple(row.index for row in calls)


class Stage:
    """One try of a function in one case. Servers fail only where the case says so."""

    def __init__(self, fn: Callable[..., Any], case: Case, memory: Memory, most_rows: int) -> None:
        self.case = case
        self.cloud = Cloud(case.seed, assume=_NO_ACCIDENTS)
        self.cloud.trace.phrases.update(_PHRASES)
        self.sqs = self.cloud.client("sqs")  # here, because the first one takes long to make
        self.labels: dict[str, str] = {}  # how a subject is called in a story
        self.sent: dict[str, list[str]] = {}  # the MessageIds under which something was sent
        self.trace = self.cloud.trace  # what is judged and replayed
        self.learners: list[str] = []  # names of the processes that run the learner's function
        self.returned: dict[str, float] = {}  # when one of them came to its end though it was to be kept running
        self.setbacks: list[Row] = []  # a crash in a call: what came before it, the crash, the new start
        self._fn = fn
        self._memory = memory
        self._most_rows = most_rows
        self._crashes: dict[str, Signal] = {}
        self._problem: Problem | None = None
        memory.forget()

    def queue(self, name: str, **attributes: Any) -> str:
        """Create a queue. Returns its URL."""
        given = {key: str(value) for key, value in attributes.items()}
        url: str = self.sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]
        return url

    def send(self, url: str, body: str, name: str, **more: str) -> None:
        """The shop sends a message, in no time, and its id is remembered under `name`. `more`: for a FIFO queue, its
        group and deduplication id.
        """
        call = Request("shop", -1, self.cloud.chance.stream("shop"))
        sent = self.cloud.service("sqs").send_message(call, queue_url=url, message_body=body, **more)
        message_id = sent["MessageId"]
        self.sent.setdefault(name, []).append(message_id)
        self.labels[message_id] = f"message {sum(map(len, self.sent.values()))}"
        self.labels[name] = name

    def publish(self, topic_arn: str, message: str, name: str, **more: Any) -> None:
        """The shop publishes a message, in no time, and its id is remembered under `name`. `more`: its attributes."""
        call = Request("shop", -1, self.cloud.chance.stream("shop"))
        published = self.cloud.service("sns").publish(call, topic_arn=topic_arn, message=message, **more)
        self.sent.setdefault(name, []).append(published["MessageId"])
        self.labels[published["MessageId"]] = name

    def held(self, url: str) -> list[str]:
        """The ids of all messages that are in a queue now, visible or not."""
        return list(self.cloud.service("sqs").queue(url).messages)

    # ---- the learner's function --------------------------------------------------------------------------------------

    def call(self, name: str, *args: Any, until: float, crash: Callable[[], bool] | None = None) -> Any:
        """Run the function as a process to its end, and return what it returns. A Problem when it still runs at
        `until`. Once `crash()` is true it crashes, and is called again with the same arguments.
        """
        self.learners.append(name)
        process = self.cloud.spawn(self._fn, *args, name=name)
        if crash and self._reaches(crash, process, until):
            self.cloud.kill(process)
            crashed = self.trace.add("Crashed", actor=name)
            self.run(self.cloud.now + _RESTART)
            self._memory.forget()
            restarted = self.trace.add("Restarted", actor=name, cause=crashed)
            self.setbacks += [*self.api_calls()[-1:], self.trace[crashed], self.trace[restarted]]
            process = self.cloud.spawn(self._fn, *args, name=name)
        if not self.run(until, lambda: not process.alive):
            raise Problem(
                f"Your function had not returned after {until:g} virtual seconds. It should end when its work is done."
            )
        return process.result

    def _reaches(self, crash: Callable[[], bool], process: Process, until: float) -> bool:
        """Go on until `crash()` is true, and no event further. False when the process came to its end before."""
        cloud = self.cloud
        while process.alive and cloud.now < until and len(self.trace) <= self._most_rows and cloud.step():
            if crash():
                return process.alive
        return False

    def keep_running(self, name: str, *args: Any, restart: float = _RESTART, may_end: bool = False) -> None:
        """Run the function as a process that must not end, unless it may. `restart` seconds after a crash it starts
        again.
        """
        self.learners.append(name)
        self._crashes[name] = Signal(self.cloud.kernel)
        self.cloud.spawn(self._supervise, name, args, restart, may_end, name=f"supervisor of {name}")

    def _supervise(self, name: str, args: tuple[Any, ...], restart: float, may_end: bool) -> None:
        cloud = self.cloud
        while True:
            process = cloud.spawn(self._endless, name, args, may_end, name=name)
            cloud.kernel.wait(self._crashes[name])
            cloud.kill(process)
            crash = self.trace.add("Crashed", actor=name)
            cloud.kernel.sleep(restart)
            self._memory.forget()
            self.trace.add("Restarted", actor=name, cause=crash)

    def _endless(self, name: str, args: tuple[Any, ...], may_end: bool) -> None:
        self._fn(*args)
        self.returned[name] = self.cloud.now
        if not may_end:
            self.fail(
                f"Your function returned at {self.cloud.now:.2f} s. A consumer "
                "runs for ever: it asks for messages again and again."
            )

    @contextmanager
    def advising(self, advice: Mapping[str, str | Callable[[], str]]) -> Iterator[None]:
        """What the function raises gets a line of advice, when its type and text contain one of these keys. Raises
        Problem instead of it.
        """
        try:
            yield
        except Problem:
            raise
        except Exception as error:
            told = describe_error(error, self._fn)
            for key, line in advice.items():
                if key in f"{type(error).__name__}: {error}":
                    raise Problem(f"{told}\n{line() if callable(line) else line}".rstrip()) from None
            raise

    def fail(self, what: str, *subjects: str) -> None:
        """Something is wrong for good: end the try, and block whoever found it, so that no `except` can swallow it."""
        self._problem = self._problem or Problem(what, subjects)
        self.cloud.kernel.wait(Signal(self.cloud.kernel))

    @property
    def caller(self) -> str:
        """The name of the process that is running."""
        process: Process | None = self.cloud.kernel.current
        return process.name if process else "you"

    def crash(self) -> None:
        """Crash the process that is running: it comes no further than this."""
        self._crashes[self.caller].fire()
        self.cloud.kernel.wait(Signal(self.cloud.kernel))

    # ---- time --------------------------------------------------------------------------------------------------------

    def run(self, until: float, settled: Callable[[], bool] = lambda: False, every: float = 1.0) -> bool:
        """Let virtual time pass until it is settled (True), or up to `until` seconds since the beginning (False).

        Looks `every` so many virtual seconds. Raises the Problem that came up meanwhile.
        """
        cloud = self.cloud
        while cloud.now < until:
            cloud.advance(min(every, until - cloud.now))
            if self._problem:
                raise self._problem
            if len(self.trace) > self._most_rows:
                raise Problem(self._too_many_calls())
            if settled():
                return True
        return False

    def _too_many_calls(self) -> str:
        calls = self.api_calls()
        empty = sum(row.kind == "ReceiveMessage" and row.detail == 0 for row in calls)
        name, most = Counter(row.actor for row in calls).most_common(1)[0]
        text = f"{name} made {counted(most, 'call')} in {self.cloud.now:.0f} virtual seconds"
        if empty > len(calls) / 2:
            return (
                f"{text}, most of them ReceiveMessage calls that brought nothing. "
                "Let SQS wait for messages: WaitTimeSeconds=20."
            )
        loop = "" if name in self._crashes else " Does a loop never end?"
        return f"{text}. Every call costs money and time.{loop}"

    def api_calls(self, *operations: str, since: float = 0.0) -> list[Row]:
        """The API calls of the learner's processes since then, of these operations (all when none is named)."""
        rows = (row for row in self.trace if self.trace.is_api(row.index) and row.time >= since)
        return [r for r in rows if r.actor in self.learners and (not operations or r.kind in operations)]
