"""The stage: a fresh cloud for one case, in which the learner's function runs as one process or several."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from lablib.actors import EVENTS
from lablib.aws.event import Event, is_given
from lablib.aws.service import Request, ServiceError
from lablib.cloud import Cloud
from lablib.exercises.case import Case, counted
from lablib.exercises.learner import Memory
from lablib.exercises.story import Story
from lablib.gateway import Fault
from lablib.kernel import Process, Row, Signal

_NO_ACCIDENTS = {"sqs.outages_per_hour": 0, "s3.event_duplicates": 0, "lambda.event_duplicates": 0}
_RESTART = 5.0  # seconds from a crash to the next start
REFUSALS = (
    "RequestThrottled",
    "Throttled",
    "Throttling",
    "ThrottlingException",
    "LimitExceededException",  # of Kinesis
)  # what boto3 lets through after its last retry
_REFUSED = object()  # what a program returns that ended because of that
GIVES_UP = 5  # refusals in a row after which boto3 does (retries of the mode "legacy")
_SHORT = 0.5  # seconds: an empty poll that took less did not wait
_LONGEST = 12  # times: how much longer a check waits for messages that were hidden for long
_AGAIN = 20  # receives of one message that say where all the calls come from

_RESTARTED = Event(
    "Restarted", "{actor} started again, with an empty memory", is_now="up", notable="{actor} starts again."
)

# Texts of orders as customers write them: with spaces, quotes, other alphabets, and beginnings in common.
WILD = (
    'tea, "hot"', "주문 2: 커피", "order-1", "order-10", "  two spaces", "two\nlines", '{"id": 7}', "a/b+c (1)?",
    "café #9", "x" * 300,
)  # fmt: skip


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

    def __init__(self, fn: Callable[..., Any], case: Case, memory: Memory, events: int) -> None:
        self.case = case
        self.cloud = Cloud(case.seed, assume=_NO_ACCIDENTS)
        self.cloud.trace.declare((*EVENTS, _RESTARTED))
        self.sqs = self.cloud.client("sqs")  # here, because the first one takes long to make
        self.labels: dict[str, str] = {}  # how a subject is called in a story
        self.sent: dict[str, list[str]] = {}  # the MessageIds under which something was sent
        self.bodies: dict[str, str] = {}  # by MessageId
        self.queues: dict[str, dict[str, Any]] = {}  # by URL, the attributes with which a queue was made
        self.trace = self.cloud.trace  # what is judged and replayed
        self.given: Any = None  # what this exercise's faults want to know
        self.unit = "message"  # what calls handle
        self.forgiving = False  # does a program that ends because a call was refused start again?
        self.hopeless: set[str] = set()  # orders on which all work fails
        self.learners: list[str] = []  # names of the processes that run the learner's function
        self.returned: dict[str, float] = {}  # when one of them came to its end though it was to be kept running
        self.crash_rows: list[Row] = []  # a crash in a call: what came before it, the crash, the new start
        self.reached: dict[str, float] = {"crash": 0, "fails": 0, "longest": 0}  # what really happened, for a pass
        self.function = fn
        self._memory = memory
        self._events = events
        self._crashes: dict[str, Signal] = {}
        self._problem: Problem | None = None
        self._rows: dict[str, list[Row]] = {}  # by subject, when the trace had so many rows as `_indexed`
        self._indexed = 0
        self._ids: dict[str, list[str]] = {}  # by body
        self._names: dict[str, str] = {}  # by MessageId
        self._looked = 0  # rows that were looked at for messages which the learner's function sent
        memory.forget()

    # ---- what there is -----------------------------------------------------------------------------------------------

    def queue(self, name: str, **attributes: Any) -> str:
        """Create a queue. Returns its URL."""
        given = {key: str(value) for key, value in attributes.items()}
        url: str = self.sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]
        self.queues[url] = self.settings(url)
        return url

    def settings(self, url: str) -> dict[str, str]:
        """The attributes of a queue that can be set; none when it was deleted."""
        try:
            found = self.cloud.service("sqs").get_queue_attributes(
                self.request(), queue_url=url, attribute_names=["All"]
            )
        except ServiceError:
            return {}
        other = ("Approximate", "Created", "LastModified", "QueueArn")
        return {name: value for name, value in found["Attributes"].items() if not name.startswith(other)}

    def request(self) -> Request:
        """A call by the shop, past the front door: it takes no time and has no row."""
        return Request("shop", -1, self.cloud.chance.stream("shop"))

    def dead_letter_queue(self, name: str, receives: int) -> tuple[str, str]:
        """Create a queue for dead letters. Returns its URL and the redrive policy that names it."""
        url = self.queue(name)
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})

    def send(self, url: str, body: str, name: str, **more: str) -> None:
        """The shop sends a message, in no time, and its id is remembered under `name`. `more`: for a FIFO queue, its
        group and deduplication id.
        """
        sent = self.cloud.service("sqs").send_message(self.request(), queue_url=url, message_body=body, **more)
        self._remember(sent["MessageId"], name, body)
        self.labels[name] = name

    def _remember(self, message_id: str, name: str, body: str) -> None:
        self.sent.setdefault(name, []).append(message_id)
        self.bodies[message_id] = body
        self._ids.setdefault(body, []).append(message_id)
        self._names[message_id] = name
        count = len(self.sent[name])
        self.labels[message_id] = f"{name} #{count}" if count > 1 else name

    def orders(self, url: str, count: int, wild: int = 0, repeats: bool = False) -> list[str]:
        """The shop sends so many orders, called order-1, order-2, ... Their texts are their names, or wild ones, of
        which some come again with `repeats`.
        """
        names = [f"order-{n + 1}" for n in range(count)]
        for name, body in zip(names, texts(count, wild, repeats)):
            self.send(url, body, name)
        return names

    def publish(self, topic_arn: str, message: str, name: str, **more: Any) -> None:
        """The shop publishes a message, in no time, and its id is remembered under `name`. `more`: its attributes."""
        published = self.cloud.service("sns").publish(self.request(), topic_arn=topic_arn, message=message, **more)
        self.sent.setdefault(name, []).append(published["MessageId"])
        self.labels[published["MessageId"]] = name

    def held(self, url: str) -> list[str]:
        """The ids of all messages that are in a queue now, visible or not; none when it was deleted."""
        try:
            return list(self.cloud.service("sqs").queue(url).messages)
        except KeyError:
            return []

    def messages_with(self, body: str) -> list[str]:
        """The ids of the messages with this text, also of those that the learner's function has sent itself."""
        self.find_sent_again()
        return self._ids.get(body, [])

    def name_of(self, message_id: str) -> str:
        """The name under which this message was sent."""
        return self._names[message_id]

    def find_sent_again(self) -> None:
        """A message of the learner's function that repeats the text of an order is that order, too."""
        kinds = self.trace.column("kind")
        sent = {self.trace.code(kind) for kind in self.trace.kinds(lambda event: event.counts == "sent")}
        new, self._looked = range(self._looked, len(kinds)), len(kinds)
        for row in (self.trace[i] for i in new if kinds[i] in sent):
            mine = self.program(row.actor) in self.learners
            if mine and row.subject not in self.bodies and row.subject in self.held(row.resource):
                body = self.cloud.service("sqs").queue(row.resource).messages[row.subject].body
                if body in self._ids:
                    self._remember(row.subject, self.name_of(self._ids[body][0]), body)

    def story(self, name: str, *ids: str) -> Story:
        """What became of an order up to now: of the messages that were sent, or of these."""
        ids = ids or tuple(self.sent.get(name, ()))
        if self._indexed != len(self.trace):
            self._rows, self._indexed = {}, len(self.trace)
            for row in self.trace:
                self._rows.setdefault(row.subject, []).append(row)
        return Story(self.trace, name, ids, [row for id in ids for row in self._rows.get(id, [])])

    def stories(self) -> Iterator[Story]:
        """The stories of all orders, in the order in which they were sent."""
        self.find_sent_again()
        return map(self.story, list(self.sent))

    def fault(
        self,
        kind: str,
        operations: Iterable[str],
        count: int,
        caller: str = "*",
        share: float = 1.0,
        start: float = 0.0,
    ) -> None:
        """So many calls of the learner's program go wrong, from `start` on: see `gateway.Fault`."""
        if count:
            self.forgiving |= kind == "throttle"
            fault = Fault(kind, tuple(operations), caller, start, probability=share, count=count)  # type: ignore[arg-type]
            self.cloud.faults.add(fault)

    def reach(self, what: str, value: float = 1.0) -> None:
        """Something happened in this try: what a pass says it held with, see `Exercise.check`."""
        self.reached[what] = max(self.reached.get(what, 0.0), value)

    # ---- the learner's function --------------------------------------------------------------------------------------

    def start(self, name: str, *args: Any) -> Process:
        """Run the function as a process that may end."""
        self.learners += [name] * (name not in self.learners)
        return self.cloud.spawn(self._program, *args, name=name)

    def call(self, name: str, *args: Any, until: float, crash: Callable[[], bool] | None = None) -> Any:
        """Run the function as a process to its end, and return what it returns. A Problem when it still runs at
        `until`. Once `crash()` is true it crashes, and is called again with the same arguments; also when it ends
        because a call was refused for good.
        """
        process = self.start(name, *args)
        if crash and self._reaches(crash, process, until):
            process = self._start_again(process, args)
        while True:
            if not self.run(until, self._over(process)):
                raise Problem(
                    f"Your function had not returned after {until:g} virtual seconds. It should end when its work is "
                    f"done. {self._reads_in_vain(name)}".rstrip()
                )
            if process.result is not _REFUSED:
                return process.result
            process = self._start_again(process, args)

    def _over(self, process: Process) -> Callable[[], bool]:
        return lambda: not process.alive

    def _start_again(self, process: Process, args: tuple[Any, ...]) -> Process:
        """Crash a process, and call the function again after a while."""
        name = process.name
        self.cloud.kill(process)
        crashed = self.trace.add("Crashed", actor=name)
        self.reach("crash")
        self.run(self.cloud.now + _RESTART)
        self._memory.forget()
        self.function = self._memory.program()  # another process of Python: its `hash` gives other numbers
        restarted = self.trace.add("Restarted", actor=name, cause=crashed)
        self.crash_rows += [*self.api_calls()[-1:], self.trace[crashed], self.trace[restarted]]
        return self.start(name, *args)

    def _program(self, *args: Any) -> Any:
        """The learner's function, as a program that ends when AWS refuses a call for good."""
        try:
            return self.function(*args)
        except Exception as error:
            if not (self.forgiving and gives_up(error)):
                raise
            return _REFUSED

    def _reaches(self, crash: Callable[[], bool], process: Process, until: float) -> bool:
        """Go on until `crash()` is true, and no event further. False when the process came to its end before."""
        cloud = self.cloud
        while process.alive and cloud.now < until and len(self.trace) <= self._events and cloud.step():
            if crash():
                return process.alive
        return False

    def keep_running(
        self,
        name: str,
        *args: Any,
        restart: float = _RESTART,
        may_end: bool = False,
        survives: tuple[type[Exception], ...] = (),
    ) -> None:
        """Run the function as a process that must not end, unless it may, with a memory of its own. `restart` seconds
        after a crash it starts again. What it lets out of `survives` is a crash too.
        """
        self.learners.append(name)
        self._crashes[name] = Signal(self.cloud.kernel)
        self.cloud.spawn(self._supervise, name, args, restart, may_end, survives, name=f"supervisor of {name}")

    def consumers(self, count: int, *args: Any, **how: Any) -> None:
        """Run the function as that many consumers: see `keep_running`."""
        for n in range(count):
            self.keep_running(f"consumer-{n + 1}", *args, **how)

    def _supervise(self, name: str, args: tuple[Any, ...], restart: float, *how: Any) -> None:
        cloud = self.cloud
        while True:
            process = cloud.spawn(self._endless, self._memory.program(), name, args, *how, name=name)
            cloud.kernel.wait(self._crashes[name])
            cloud.kill(process)
            crash = self.trace.add("Crashed", actor=name)
            cloud.kernel.sleep(restart)
            self.trace.add("Restarted", actor=name, cause=crash)

    def _endless(
        self,
        function: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        may_end: bool,
        survives: tuple[type[Exception], ...],
    ) -> None:
        try:
            function(*args)
        except Exception as error:
            if not isinstance(error, survives) and not (self.forgiving and gives_up(error)):
                raise
            self.crash()  # its supervisor starts it again
        self.returned[name] = self.cloud.now
        if not may_end:
            self.fail(
                f"Your function returned at {self.cloud.now:.2f} s.{self._ended_threads()} A consumer "
                f"runs for ever: it asks for {self.unit}s again and again."
            )

    def _ended_threads(self) -> str:
        """What the first of the threads ended with that an error ended, in words: "" when there is none."""
        rows = self.trace.where("ThreadFailed")[:1]
        cure = "An error ends a thread, and nothing starts it again."
        return "".join(f" Its thread had ended with {row.detail}. {cure}" for row in rows)

    def fail(self, what: str, *subjects: str) -> None:
        """Something is wrong for good: end the try, and block whoever found it, so that no `except` can swallow it."""
        self._problem = self._problem or Problem(what, subjects)
        self.cloud.kernel.wait(Signal(self.cloud.kernel))

    @property
    def caller(self) -> str:
        """The name of the program that is running."""
        process: Process | None = self.cloud.kernel.current
        return self.program(process.name) if process else "you"

    def program(self, name: str) -> str:
        """The program that a process belongs to: a thread of the learner's is called "consumer-1/Thread-1"."""
        first = name.partition("/")[0]
        return first if first in self.learners else name

    def crash(self) -> None:
        """Crash the process that is running: it comes no further than this."""
        self.reach("crash")
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
            if len(self.trace) > self._events:
                raise self._too_many_calls()
            if settled():
                return True
        return False

    def longest_hidden(self) -> float:
        """For how many seconds a receive of the learner's function hid a message, at most."""
        received = (
            row for row in self.trace.where(self.trace.kinds(is_given)) if self.program(row.actor) in self.learners
        )
        return max((row.until - row.time for row in received), default=0.0)

    def run_until_empty(self, url: str, until: float, after: float = 5.0) -> float:
        """Let time pass until the queue is empty, and `after` seconds more. Returns when it was.

        Who hides messages for longer than the queue does gets longer in proportion: time for as many tries.
        """
        if not self.run(until, lambda: not self.held(url)):
            longer = min(self.longest_hidden() / max(1, int(self.queues[url]["VisibilityTimeout"])), _LONGEST)
            self.run(until * longer, lambda: not self.held(url))
        self.run(self.cloud.now + after)
        return self.cloud.now

    def _too_many_calls(self) -> Problem:
        calls = self.api_calls()
        name, most = Counter(self.program(row.actor) for row in calls).most_common(1)[0]
        text = f"{name} made {counted(most, 'call')} in {self.cloud.now:.0f} virtual seconds"
        empty = [row for row in calls if row.kind == "ReceiveMessage" and row.detail == 0]
        short = sum(row.until - row.time < _SHORT for row in empty)
        refused = Counter((row.kind, row.detail) for row in calls if isinstance(row.detail, str))
        given = self.trace.where(self.trace.kinds(is_given))
        often = Counter(row.subject for row in given).most_common(1)
        if short > len(calls) / 2:
            return Problem(
                f"{text}, most of them ReceiveMessage calls that brought nothing. "
                "Let SQS wait for messages: WaitTimeSeconds=20."
            )
        if vain := self._reads_in_vain(name):
            return Problem(f"{text}, most of them GetRecords that brought nothing. {vain}")
        if often and often[0][1] > _AGAIN:
            order = self.labels.get(often[0][0], "one message")
            spans = [(row.time, row.until) for row in given if row.subject == often[0][0]]
            waited = sum(later >= until > time + 1 for (time, until), (later, _) in pairwise(spans))
            why = (
                "whenever its visibility timeout ended, it came again, because nobody had deleted it. Delete each "
                "message when its work is done, also when few came with it."
                if waited > len(spans) / 2
                else "it was visible again at once. A message must stay hidden while somebody works on it, and be "
                "deleted after that."
            )
            return Problem(f"{text}. {order.capitalize()} alone was received {len(spans)} times: {why}", often[0][:1])
        if refused and refused.most_common(1)[0][1] > len(calls) / 2:
            (kind, code), most = refused.most_common(1)[0]
            return Problem(f"{text}, and {most} of them were refused: {kind}, {code}. Does an `except` hide that?")
        loop = "" if name in self._crashes else " Does a loop never end?"
        kind, most = Counter(row.kind for row in calls).most_common(1)[0]
        return Problem(f"{text}, {most} of them {kind}. Every call costs money and time.{loop}")

    def _reads_in_vain(self, name: str) -> str:
        """That most calls of a program that is to end were reads of a stream that brought nothing: in words."""
        calls = self.api_calls()
        if name in self._crashes or sum(c.kind == "GetRecords" and c.detail == 0 for c in calls) <= len(calls) / 2:
            return ""
        return "An open shard always has a NextShardIterator: you have read what it has when MillisBehindLatest is 0."

    def refusal(self, *operations: str) -> str:
        """That SQS refused one of these calls for good and the learner's code went on, in words; "" when it was not so.
        What the code does not catch ends the program, which then starts again.
        """
        refused = [row for row in self.api_calls(*operations) if row.detail in REFUSALS]
        if len(refused) < GIVES_UP or self.trace.where("Crashed"):
            return ""
        row = refused[-1]
        cure = "your code went on as if nothing were. Let the exception out, or send the same again."
        if self.trace.where("ThreadFailed"):
            cure = (
                "the exception ended a thread of its own, where nobody saw it. To join a thread raises nothing; "
                "result() of a ThreadPoolExecutor does. Let it out, or send the same again."
            )
        return f"AWS refused {row.kind} {counted(len(refused), 'time')}, the last time at {row.until:.2f} s, and {cure}"

    def api_calls(self, *operations: str, since: float = 0.0) -> list[Row]:
        """The API calls of the learner's processes since then, of these operations (all when none is named)."""
        rows = (row for row in self.trace if self.trace.is_api(row.index) and row.time >= since)
        mine = (row for row in rows if self.program(row.actor) in self.learners)
        return [row for row in mine if not operations or row.kind in operations]


def gives_up(error: Exception) -> bool:
    """Is it what boto3 lets through after its last retry: a refusal, or no answer to the last call?"""
    if any(kind.__name__ == "HTTPClientError" for kind in type(error).__mro__):
        return True
    response = getattr(error, "response", None) or {}
    return response.get("Error", {}).get("Code", "") in REFUSALS


def texts(count: int, wild: int, repeats: bool = False) -> list[str]:
    """So many texts of orders: order-1, order-2, ...; or wild ones. With `repeats` some wild ones come again."""
    if not wild:
        return [f"order-{n + 1}" for n in range(count)]
    return [WILD[n % len(WILD)] + f" ({n})" * (n >= len(WILD) and not repeats) for n in range(count)]
