"""A FIFO queue and its dead-letter queue against a simple model, over all that can happen to messages.

Order holds in every group, no message is stored twice inside the window, nothing is lost or invented, nothing is
received while it or one in front of it is in flight, the counters add up. The model is one list a group and looks at
all of it each time; it knows nothing of heaps and windows. Calls go straight to the service, so that the model knows
the instant at which each takes effect. A crash is a receive whose handles nobody uses; a lost answer is a send that is
made again.
"""

import json
from dataclasses import dataclass, field
from itertools import takewhile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from lablib.aws.service import Request, ServiceError
from lablib.cloud import Cloud
from lablib.services.sqs import base

pytestmark = pytest.mark.ours  # where a test names no source

RETENTION, VISIBILITY, DELAY, TIMES, WINDOW, MOST = 900, 30, 0, 3, 8, 6
GROUPS = ("a", "a", "b", "c")


@dataclass(eq=False)
class Model:
    """What a caller can know of a message; `sent` and `shown` (when its delay ends) begin anew with each queue."""

    id: str
    body: str
    group: str
    sent: float
    shown: float
    hidden_until: float = 0.0
    receives: int = 0
    received: float = 0.0
    handles: list[str] = field(default_factory=list)


class FifoMachine(RuleBasedStateMachine):
    handles = Bundle("handles")

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(base, "SPARE", 2)
        self.cloud = Cloud(seed=5, assume={"sqs.fifo_burst": 60})
        self.cloud.service("sqs").world.quotas.update({"sqs.fifo_window": WINDOW, "sqs.fifo_in_flight": MOST})
        self.service = self.cloud.service("sqs")
        self.stream = self.cloud.chance.stream("tester")
        common = {"FifoQueue": "true", "MessageRetentionPeriod": str(RETENTION), "VisibilityTimeout": str(VISIBILITY)}
        self.dead = self.call("create_queue", queue_name="dead.fifo", attributes=common)["QueueUrl"]
        policy = {"deadLetterTargetArn": self.service.arn("dead.fifo"), "maxReceiveCount": TIMES}
        common |= {"RedrivePolicy": json.dumps(policy), "DelaySeconds": str(DELAY)}
        self.url = self.call("create_queue", queue_name="orders.fifo", attributes=common)["QueueUrl"]
        self.delay = DELAY
        self.lines = {self.url: [], self.dead: []}  # the messages of a queue, in order
        self.known = {}  # deduplication id -> (end of its window, MessageId)
        self.owner = {}  # receipt handle -> (queue, message)
        self.tokens = {}  # ReceiveRequestAttemptId -> (end, [(message, what it looked like)])
        self.numbers = []
        self.count = 0

    @property
    def now(self):
        return self.cloud.now

    def call(self, operation, **parameters):
        return getattr(self.service, operation)(Request("tester", -1, self.stream), **parameters)

    # ---- the model's own physics -------------------------------------------------------------------------------------

    def let_expire(self):
        for url, line in self.lines.items():
            self.lines[url] = [m for m in line if self.now < m.sent + RETENTION]

    def is_shown(self, message):
        return self.now >= message.shown

    def in_flight(self, message):
        return message.receives > 0 and self.now < message.hidden_until

    def available(self, url):
        """Per group, in the order of the groups' first messages: what can be received, as far as is searched."""
        self.let_expire()
        searched = [m for m in self.lines[url] if self.is_shown(m)][:WINDOW]
        names = dict.fromkeys(m.group for m in searched)
        lines = ([m for m in searched if m.group == name] for name in names)
        return [list(takewhile(lambda m: not self.in_flight(m), line)) for line in lines]

    def taken(self, url, most, ids, rows):
        """The messages of an answer, in which whole groups follow each other; `rows` tell which ones were moved to the
        dead-letter queue. Whose turn it is, is the queue's to say: test_fifo_documented has the rule."""
        by_id = {m.id: m for m in self.lines[url]}
        given, moved = [by_id[id] for id in ids], [by_id[row.subject] for row in rows]
        most = min(most, MOST - sum(self.in_flight(m) for m in self.lines[url]))
        assert len(given) <= max(most, 0)
        assert all((url == self.url and m.receives >= TIMES) == (m in moved) for m in given + moved)
        must = {run[0].group: [m for m in run if m not in moved] for run in self.available(url) if run}
        for message in moved:
            self.lines[url].remove(message)
        may = {run[0].group: run for run in self.available(url) if run}  # what was moved lets others be searched
        groups = list(dict.fromkeys(m.group for m in given))
        for group in groups:
            got = [m for m in given if m.group == group]
            assert got == may[group][: len(got)], "the order of a group"
            assert given[given.index(got[0]) :][: len(got)] == got, "a group in one piece"
            assert group == groups[-1] or len(got) >= len(must.get(group, ())), "as many as possible of a group"
        assert len(given) == most or all(m in given for run in must.values() for m in run), "all that is free"
        for message in moved:
            message.sent = message.shown = self.now
            self.lines[self.dead].append(message)
        return given

    # ---- what callers do ---------------------------------------------------------------------------------------------

    @rule(group=st.sampled_from(GROUPS), id=st.one_of(st.none(), st.sampled_from("xyz")), lost=st.booleans())
    def send(self, group, id, lost):
        """Sometimes the answer is lost, and the producer sends once more with the same id."""
        self.count += 1
        id = id or f"own-{self.count}"
        for _ in range(1 + lost):
            self.send_once(group, id)

    def send_once(self, group, id):
        body = f"message {self.count}"
        given = {"message_group_id": group, "message_deduplication_id": id}
        answer = self.call("send_message", queue_url=self.url, message_body=body, **given)
        end, original = self.known.get(id, (0.0, None))
        if self.now < end:
            assert answer["MessageId"] == original, "stored twice inside the window"
            return
        self.known[id] = self.now + 300, answer["MessageId"]
        assert int(answer["SequenceNumber"]) > max(self.numbers, default=0)
        self.numbers.append(int(answer["SequenceNumber"]))
        self.lines[self.url].append(Model(answer["MessageId"], body, group, self.now, self.now + self.delay))

    @rule(
        target=handles,
        most=st.integers(1, 10),
        visibility=st.sampled_from([None, None, 0, 5, 120]),
        token=st.sampled_from([None, None, "one", "two"]),
        dead=st.sampled_from([False, False, True]),
        back=st.sampled_from([0, 0, 1, 2]),
    )
    def receive(self, most, visibility, token, dead, back):
        """Whoever crashes uses none of the handles; others hand the first few back at once."""
        url, visibility = self.dead if dead else self.url, VISIBILITY if visibility is None else visibility
        parameters = {"queue_url": url, "max_number_of_messages": most, "attribute_names": ["All"]}
        parameters |= {"receive_request_attempt_id": token} if token else {}
        self.let_expire()
        before = len(self.cloud.trace)
        answer = self.call("receive_message", visibility_timeout=visibility, **parameters).get("Messages", [])
        again, ids = self.unchanged(url, token), [d["MessageId"] for d in answer]
        rows = [row for row in self.cloud.trace.where(kind="MovedToDeadLetterQueue") if row.index >= before]
        expected = again or self.taken(url, most, ids, rows)
        assert ids == [m.id for m in expected]
        for message, document in zip(expected, answer):
            message.hidden_until = self.now + visibility
            assert document["Body"] == message.body
            if not again:
                message.receives, message.received = message.receives + 1, self.now
                message.handles.append(document["ReceiptHandle"])
                assert document["ReceiptHandle"] not in self.owner
                self.owner[document["ReceiptHandle"]] = url, message
            assert document["ReceiptHandle"] == message.handles[-1]
            assert document["Attributes"]["ApproximateReceiveCount"] == str(message.receives)
        if token and expected:
            end = self.tokens[url, token][0] if again else self.now + 300
            self.tokens[url, token] = end, [(m, self.look(m)) for m in expected]
        for message in expected[:back]:
            self.change_visibility(message.handles[-1], 0)
        return multiple(*([] if again else [d["ReceiptHandle"] for d in answer]))

    def look(self, message):
        return message.receives, message.hidden_until

    def unchanged(self, url, token):
        """The messages of an earlier attempt with this token, when nothing has happened to them."""
        self.let_expire()
        end, seen = self.tokens.get((url, token), (0.0, []))
        same = all(m in self.lines[url] and self.in_flight(m) and self.look(m) == look for m, look in seen)
        return [m for m, _ in seen] if self.now < end and same else []

    @rule(handle=handles)
    def delete(self, handle):
        """An expired handle is an error; that of a message which is gone is none."""
        self.let_expire()
        url, message = self.owner[handle]
        there = message in self.lines[url]
        if there and not (handle == message.handles[-1] and self.in_flight(message)):
            with pytest.raises(ServiceError, match=r"The receipt handle has expired\."):
                self.call("delete_message", queue_url=url, receipt_handle=handle)
            return
        self.call("delete_message", queue_url=url, receipt_handle=handle)
        if there:
            self.lines[url].remove(message)

    @rule(handle=handles, timeout=st.sampled_from([0, 0, 10, 200]))
    def change_visibility(self, handle, timeout):
        self.let_expire()
        url, message = self.owner[handle]
        change = {"queue_url": url, "receipt_handle": handle, "visibility_timeout": timeout}
        latest = message in self.lines[url] and handle == message.handles[-1]
        if latest and self.in_flight(message):
            self.call("change_message_visibility", **change)
            message.hidden_until = self.now + timeout
            self.forget_tokens(message)
        elif not latest or timeout:
            with pytest.raises(ServiceError):
                self.call("change_message_visibility", **change)

    def forget_tokens(self, message):
        """To hide it again until the same instant is a change too."""
        for key, (_, seen) in list(self.tokens.items()):
            if any(m is message for m, _ in seen):
                del self.tokens[key]

    # ---- what happens to them ----------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 5, 31, 100, 300]))
    def time_passes(self, seconds):
        self.cloud.advance(seconds)

    @rule(seconds=st.sampled_from([0, 2, 60]))
    def change_delay(self, seconds):
        """A new delay holds for the messages that are delayed, too."""
        self.delay = seconds
        self.call("set_queue_attributes", queue_url=self.url, attributes={"DelaySeconds": str(seconds)})
        for message in self.lines[self.url]:
            if not self.is_shown(message):
                message.shown = max(self.now, message.sent + seconds)

    # ---- what holds always -------------------------------------------------------------------------------------------

    @invariant()
    def counters_add_up(self):
        self.let_expire()
        for name, url in (("orders.fifo", self.url), ("dead.fifo", self.dead)):
            line = self.lines[url]
            in_flight, delayed = sum(map(self.in_flight, line)), sum(not self.is_shown(m) for m in line)
            expected = (len(line) - in_flight - delayed, in_flight, delayed)
            assert self.service.queue(name).counts() == expected

    @invariant()
    def the_queue_can_say_who_waits_for_whom(self):
        self.let_expire()
        queue = self.service.queue("orders.fifo")
        for message in [m for m in self.lines[self.url] if self.is_shown(m)][:WINDOW]:
            ahead = takewhile(lambda m, last=message: m is not last, self.lines[self.url])
            hidden = [m for m in ahead if m.group == message.group and self.in_flight(m)]
            blocker = queue.blocked_by(message.id)
            waits = hidden and not self.in_flight(message)
            assert (blocker and blocker.id) == (hidden[0].id if waits else None)

    def teardown(self):
        """Nothing is lost: when nothing is hidden any more, all is received, in order."""
        self.cloud.advance(301)
        self.let_expire()
        for url in (self.url, self.dead):
            while self.lines[url]:
                before = len(self.cloud.trace)
                answer = self.call("receive_message", queue_url=url, max_number_of_messages=10).get("Messages", [])
                rows = [row for row in self.cloud.trace.where(kind="MovedToDeadLetterQueue") if row.index >= before]
                messages = self.taken(url, 10, [d["MessageId"] for d in answer], rows)
                assert answer or rows
                for document, message in zip(answer, messages):
                    self.call("delete_message", queue_url=url, receipt_handle=document["ReceiptHandle"])
                    self.lines[url].remove(message)
            assert not self.lines[url]
        self.cloud.close()
        self.patch.undo()


TestFifo = FifoMachine.TestCase
TestFifo.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
