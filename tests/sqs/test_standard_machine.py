"""A queue and its dead-letter queue against a simple model, over all that can happen to messages.

Nothing is lost, nothing is invented, nothing is received while it is invisible, the counters add up. The model keeps
for each message when it is hidden until, how often it was received, and whether it was deleted; it knows nothing of
servers and copies. Calls go straight to the service, so that the model knows the instant at which each takes effect.
"""

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from lablib.aws.service import Request, ServiceError
from lablib.cloud import Cloud
from lablib.services.sqs import base, servers, standard

pytestmark = pytest.mark.ours  # where a test names no source

RETENTION, VISIBILITY, TIMES = 300, 30, 3
NEVER = float("inf")


@dataclass
class Model:
    """What a caller can know of a message."""

    body: str
    sent: float
    hidden_until: float
    receives: int = 0
    received: float = 0.0
    handles: list[str] = field(default_factory=list)
    deleted: bool = False
    may_return: float = NEVER  # deleted during an outage: a copy may come back from then on
    buried: bool = False

    def alive(self, now):
        return not self.deleted and now < self.sent + RETENTION


class QueueMachine(RuleBasedStateMachine):
    handles = Bundle("handles")

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        for module in (base, standard, servers):
            self.patch.setattr(module, "SPARE", 2)  # so that dead entries are cleaned up in short runs too
        self.cloud = Cloud(seed=5, assume={"sqs.outages_per_hour": 0, "sqs.servers": 3, "sqs.servers_asked": 1})
        self.service = self.cloud.service("sqs")
        self.stream = self.cloud.chance.stream("tester")
        common = {"MessageRetentionPeriod": str(RETENTION), "VisibilityTimeout": str(VISIBILITY)}
        self.dead = self.call("create_queue", queue_name="dead", attributes=common)["QueueUrl"]
        policy = {"deadLetterTargetArn": self.service.arn("dead"), "maxReceiveCount": TIMES}
        common["RedrivePolicy"] = json.dumps(policy)
        self.url = self.call("create_queue", queue_name="orders", attributes=common)["QueueUrl"]
        self.messages = {}
        self.owner = {}  # receipt handle -> MessageId
        self.outages = []  # (end, queue name)

    @property
    def now(self):
        return self.cloud.now

    def call(self, operation, **parameters):
        return getattr(self.service, operation)(Request("tester", -1, self.stream), **parameters)

    # ---- what callers do ---------------------------------------------------------------------------------------------

    @rule(delay=st.sampled_from([0, 0, 0, 5, 100]))
    def send(self, delay):
        body = f"message {len(self.messages)}"
        message_id = self.call("send_message", queue_url=self.url, message_body=body, delay_seconds=delay)["MessageId"]
        assert message_id not in self.messages
        self.messages[message_id] = Model(body, self.now, self.now + delay)

    @rule(
        target=handles,
        most=st.integers(1, 10),
        visibility=st.sampled_from([None, None, 0, 5, 120]),
        wait=st.sampled_from([0, 1, 20]),
        dead=st.booleans(),
    )
    def receive(self, most, visibility, wait, dead):
        answer = self.call(
            "receive_message",
            queue_url=self.dead if dead else self.url,
            max_number_of_messages=most,
            visibility_timeout=visibility,
            wait_time_seconds=wait,
            attribute_names=["All"],
        )
        documents = answer.get("Messages", [])
        assert len(documents) <= most
        assert len({d["MessageId"] for d in documents}) == len(documents), "twice in one answer"
        for document in documents:
            self.note_receive(document, VISIBILITY if visibility is None else visibility, dead)
        return multiple(*(d["ReceiptHandle"] for d in documents))

    def note_receive(self, document, visibility, dead):
        assert document["MessageId"] in self.messages, "invented"
        model = self.messages[document["MessageId"]]
        assert document["Body"] == model.body
        assert self.now < model.sent + RETENTION, "received after it expired"
        if model.deleted:
            assert self.now >= model.may_return, "received after it was deleted, and no server was away"
            model.deleted, model.may_return = False, NEVER
        assert self.now >= model.hidden_until, "received while it was invisible"
        if dead:
            assert model.buried or model.receives >= TIMES, "in the dead-letter queue too early"
            model.buried = True
        else:
            assert not model.buried, "in the source queue after it was moved"
            assert model.receives < TIMES, "received once too often"
        model.receives += 1
        model.received, model.hidden_until = self.now, self.now + visibility
        assert document["Attributes"]["ApproximateReceiveCount"] == str(model.receives)
        handle = document["ReceiptHandle"]
        assert handle not in self.owner
        self.owner[handle] = document["MessageId"]
        model.handles.append(handle)

    def home(self, handle):
        """The queue that gave a handle, and its message."""
        model = self.messages[self.owner[handle]]
        place = model.handles.index(handle)
        return (self.dead if place >= TIMES else self.url), model

    @rule(handle=handles)
    def delete(self, handle):
        """With the latest handle it is deleted; with an older one, or a second time, nothing happens."""
        url, model = self.home(handle)
        if self.may_have_moved(model):
            return
        self.call("delete_message", queue_url=url, receipt_handle=handle)
        if handle == model.handles[-1] and (url == self.dead) == model.buried:
            model.deleted, model.hidden_until = True, self.now
            name = "dead" if model.buried else "orders"
            ends = [end for end, queue in self.outages if end > self.now and queue == name]
            model.may_return = min([model.may_return, *ends])

    def may_have_moved(self, model):
        """It was received as often as it may be: a receive since may have moved it, a caller cannot know."""
        return not model.buried and model.receives >= TIMES and self.now >= model.hidden_until

    @rule(handle=handles, timeout=st.sampled_from([0, 10, 200, 43200]))
    def change_visibility(self, handle, timeout):
        url, model = self.home(handle)
        if model.may_return < NEVER or self.may_have_moved(model):
            return
        fresh = handle == model.handles[-1] and model.alive(self.now) and (url == self.dead) == model.buried
        in_flight = fresh and self.now < model.hidden_until
        change = {"queue_url": url, "receipt_handle": handle, "visibility_timeout": timeout}
        if not fresh or (in_flight and self.now - model.received + timeout > 43200):
            self.refused("InvalidParameterValue", **change)
        elif not in_flight and timeout:
            self.refused("AWS.SimpleQueueService.MessageNotInflight", **change)
        else:
            self.call("change_message_visibility", **change)
            model.hidden_until = self.now + timeout if in_flight else model.hidden_until

    def refused(self, code, **change):
        with pytest.raises(ServiceError) as caught:
            self.call("change_message_visibility", **change)
        assert caught.value.code == code

    # ---- what happens to them ----------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 5, 31, 100]))
    def time_passes(self, seconds):
        self.cloud.advance(seconds)

    @rule(server=st.integers(1, 3), seconds=st.sampled_from([3, 40, 150]), name=st.sampled_from(["orders", "dead"]))
    @precondition(lambda self: sum(end > self.now for end, _ in self.outages) < 2)
    def server_fails(self, server, seconds, name):
        self.service.queue(name).make_unavailable(server, seconds)
        self.outages.append((self.now + seconds, name))

    # ---- what holds always -------------------------------------------------------------------------------------------

    @invariant()
    def counters_add_up(self):
        """Every message that is alive is counted once, in its state; only returned copies may be there besides."""
        counts = [self.service.queue(name).counts() for name in ("orders", "dead")]
        alive = [m for m in self.messages.values() if m.alive(self.now)]
        hidden = [m for m in alive if self.now < m.hidden_until]
        ghosts = sum(m.deleted and self.now >= m.may_return for m in self.messages.values())
        assert sum(c.in_flight for c in counts) == sum(m.receives > 0 for m in hidden)
        assert sum(c.delayed for c in counts) == sum(m.receives == 0 for m in hidden)
        visible = sum(c.visible for c in counts) - (len(alive) - len(hidden))
        assert 0 <= visible <= ghosts

    def teardown(self):
        """Nothing is lost: when every server is back and nothing is hidden any more, each message can be received."""
        longest = max([0, *(m.hidden_until for m in self.messages.values()), *(end for end, _ in self.outages)])
        self.cloud.advance(max(0, min(longest - self.now, RETENTION)) + 1)
        there = {i for i, m in self.messages.items() if m.alive(self.now) and self.now >= m.hidden_until}
        found = set()
        for url in (self.url, self.dead):
            while documents := self.call(
                "receive_message", queue_url=url, max_number_of_messages=10, wait_time_seconds=1
            ):
                for document in documents["Messages"]:
                    found.add(document["MessageId"])
                    self.call("delete_message", queue_url=url, receipt_handle=document["ReceiptHandle"])
        returned = {i for i, m in self.messages.items() if m.deleted and m.may_return < NEVER}
        assert {i for i in there if self.messages[i].alive(self.now)} <= found <= there | returned
        self.cloud.close()
        self.patch.undo()


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)
