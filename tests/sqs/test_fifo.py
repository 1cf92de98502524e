"""The SQS FIFO queue: how it behaves, read as its specification. All through boto3, in strict mode."""

import json
import time
from itertools import groupby, pairwise

import pytest
from lab import QUICK
from lab import Lab as Base

from lablib.aws.service import ServiceError, TokenBucket
from lablib.cloud import Cloud
from lablib.gateway import Fault

pytestmark = pytest.mark.ours  # where a test names no source


class Lab(Base):
    """A cloud with one FIFO queue, and the calls the tests are made of. Calls take no time."""

    def __init__(self, seed=1, limits="2023", assume=QUICK, **attributes):
        super().__init__("sqs", seed=seed, limits=limits, assume=assume)
        self.url = self.create("trucks.fifo", **attributes)
        self.queue = self.cloud.service("sqs").queue("trucks.fifo")
        self.count = 0

    def answer(self, body, group="g", id=None, **more):
        self.count += 1
        more = {"QueueUrl": self.url, "MessageDeduplicationId": id or f"id-{self.count}"} | more
        return self.sqs.send_message(MessageBody=body, MessageGroupId=group, **more)

    def send(self, *bodies, group="g", **more):
        return [self.answer(body, group, **more)["MessageId"] for body in bodies]

    def receive(self, most=10, url=None, **more):
        parameters = {"QueueUrl": url or self.url, "MaxNumberOfMessages": most, "AttributeNames": ["All"]} | more
        return self.sqs.receive_message(**parameters).get("Messages", [])

    def bodies(self, most=10, **more):
        return [m["Body"] for m in self.receive(most, **more)]

    def delete(self, message, url=None):
        self.sqs.delete_message(QueueUrl=url or self.url, ReceiptHandle=message["ReceiptHandle"])

    def hide(self, message, seconds):
        handle = message["ReceiptHandle"]
        self.sqs.change_message_visibility(QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=seconds)

    def policy(self, target, count):
        arn = self.cloud.service("sqs").arn(target)
        return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": count})


@pytest.fixture
def lab():
    return Lab()


# ---- groups: order and locks -----------------------------------------------------------------------------------------


def test_short_polls_miss_nothing_and_order_holds(lab):
    sent = [f"{n:03}" for n in range(100)]
    lab.send(*sent)
    got = []
    while messages := lab.receive(7):
        got += [m["Body"] for m in messages]
        for message in messages:
            lab.delete(message)
    assert got == sent


def test_nothing_of_a_group_is_given_out_while_one_of_it_is_in_flight(lab):
    lab.send("a1", "a2", group="a")
    assert lab.bodies(1) == ["a1"]
    assert lab.bodies() == []


def test_other_groups_flow(lab):
    lab.send("a1", "a2", group="a")
    lab.send("b1", "b2", group="b")
    assert [lab.bodies(1) for _ in range(3)] == [["a1"], ["b1"], []]


def test_a_batch_takes_as_many_of_one_group_as_possible_then_others(lab):
    for n in range(4):
        for group in "abc":
            lab.send(f"{group}{n}", group=group)
    assert lab.bodies(6) == ["a0", "a1", "a2", "a3", "b0", "b1"]
    assert lab.bodies() == ["c0", "c1", "c2", "c3"]


def test_sending_into_a_locked_group_does_not_unlock_it(lab):
    lab.send("first")
    lab.receive()
    lab.send("second")
    assert lab.bodies() == []


def test_a_delete_frees_the_group(lab):
    lab.send("1", "2")
    lab.delete(lab.receive(1)[0])
    assert lab.bodies() == ["2"]


def test_the_end_of_the_visibility_timeout_frees_the_group_in_the_old_order(lab):
    lab.send("1", "2", "3")
    lab.receive(2)
    lab.cloud.advance(30)
    assert lab.bodies() == ["1", "2", "3"]


def test_deleting_one_of_several_does_not_free_the_group(lab):
    lab.send("1", "2", "3", "4")
    one, two, three = lab.receive(3)
    lab.delete(two)
    assert lab.bodies() == []
    lab.delete(one)
    assert lab.bodies() == []
    lab.delete(three)
    assert lab.bodies() == ["4"]


@pytest.mark.parametrize("k", range(4))
def test_showing_the_first_k_of_a_run_frees_exactly_those(k):
    lab = Lab()
    sent = ["foo", "bar", "baz"]
    lab.send(*sent)
    for message in lab.receive()[:k]:
        lab.hide(message, 0)
    assert lab.bodies() == sent[:k]


def test_showing_a_later_one_of_a_run_frees_nothing(lab):
    lab.send("foo", "bar", "baz")
    foo, bar, _ = lab.receive()
    lab.hide(bar, 0)
    assert lab.bodies() == []
    lab.hide(foo, 0)
    assert lab.bodies() == ["foo", "bar"]


def test_a_long_poll_waits_for_the_group(lab):
    lab.send("1", "2")
    message = lab.receive(1)[0]
    lab.cloud.kernel.after(5, lab.queue.delete, _call(lab), message["ReceiptHandle"])
    assert lab.bodies(WaitTimeSeconds=20) == ["2"]
    assert lab.cloud.now == pytest.approx(5)


def _call(lab):
    from lablib.aws.service import Request

    return Request("other", -1, lab.cloud.chance.stream("other"))


def test_every_waiting_poll_gets_its_group(lab):
    got = []
    for n in range(3):
        lab.cloud.spawn(lambda: got.extend(lab.bodies(1, WaitTimeSeconds=20)), name=f"consumer-{n}")
    lab.cloud.advance(1)
    for group in "abc":
        lab.send(group, group=group)
    lab.cloud.advance(1)
    assert sorted(got) == ["a", "b", "c"]


def test_many_groups_many_consumers_one_group_one_consumer():
    """The same work by ten consumers: with one group only one of them works at a time."""
    ended = {}
    for groups in (1, 50):
        lab = Lab(seed=3)
        for n in range(50):
            lab.send(str(n), group=f"truck-{n % groups}")

        def work(lab=lab):
            while messages := lab.receive(1, WaitTimeSeconds=20):
                lab.cloud.kernel.sleep(1)
                lab.delete(messages[0])

        for n in range(10):
            lab.cloud.spawn(work, name=f"consumer-{n}")
        lab.cloud.advance(100)
        ended[groups] = lab.rows("Deleted")[-1].time
        assert len(lab.rows("Deleted")) == 50
    assert ended[50] == pytest.approx(5) and ended[1] == pytest.approx(50)


# ---- delay, retention, purge -----------------------------------------------------------------------------------------


def test_a_delayed_message_does_not_lock_its_group():
    lab = Lab(DelaySeconds=10)
    lab.send("1")
    lab.cloud.advance(5)
    lab.send("2")
    lab.cloud.advance(5)
    message = lab.receive()[0]
    assert message["Body"] == "1"
    lab.delete(message)
    assert lab.bodies() == []
    lab.cloud.advance(5)
    assert lab.bodies() == ["2"]


@pytest.mark.parametrize(("delay", "seen"), [("0", [0.0]), ("3", [1.0]), ("60", [58.0])])
def test_a_new_delay_holds_for_messages_that_are_delayed(delay, seen):
    lab = Lab(DelaySeconds=20)
    lab.send("1")
    lab.cloud.advance(2)
    lab.send("2")
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes={"DelaySeconds": delay})
    assert lab.bodies(WaitTimeSeconds=20)[:1] == (["1"] if delay != "60" else [])
    shown = lab.rows("BecameVisible")
    lab.cloud.advance(60)
    shown = lab.rows("BecameVisible")
    assert [round(shown[0].time - 2, 6)] == seen
    assert shown[0].subject == lab.rows("Sent")[0].subject


def test_expired_messages_free_their_group():
    lab = Lab(MessageRetentionPeriod=60, VisibilityTimeout=600)
    lab.send("old")
    lab.receive()
    lab.cloud.advance(30)
    lab.send("new")
    assert lab.bodies() == []
    lab.cloud.advance(30)
    assert lab.bodies() == ["new"]
    assert len(lab.rows("Expired")) == 1


def test_a_message_may_expire_while_it_is_delayed():
    lab = Lab(MessageRetentionPeriod=60, DelaySeconds=900)
    lab.send("1")
    lab.cloud.advance(61)
    assert lab.queue.counts() == (0, 0, 0)


def test_a_purge_takes_all_and_the_group_begins_anew(lab):
    lab.send("1", "2")
    lab.receive(1)
    lab.sqs.purge_queue(QueueUrl=lab.url)
    lab.send("3")
    assert lab.bodies() == ["3"]
    assert lab.queue.counts() == (0, 1, 0)


def test_a_queue_that_is_deleted_tells_those_who_wait(lab):
    failed = []

    def wait():
        try:
            lab.receive(WaitTimeSeconds=20)
        except lab.sqs.exceptions.QueueDoesNotExist:
            failed.append(lab.cloud.now)

    lab.cloud.spawn(wait)
    lab.cloud.advance(3)
    lab.sqs.delete_queue(QueueUrl=lab.url)
    lab.cloud.advance(1)
    assert failed == [3.0]


# ---- deduplication ---------------------------------------------------------------------------------------------------


def test_a_repeated_send_is_accepted_and_not_stored(lab):
    first, again = lab.answer("1", id="x"), lab.answer("other body", id="x")
    assert (first["MessageId"], first["SequenceNumber"]) == (again["MessageId"], again["SequenceNumber"])
    assert lab.bodies() == ["1"]
    row = lab.rows("Deduplicated")[0]
    assert (row.subject, row.detail) == (first["MessageId"], "x")
    assert lab.cloud.trace[row.cause].kind == "SendMessage"


def test_the_window_lasts_five_minutes_from_the_first_send(lab):
    lab.answer("1", id="x")
    lab.delete(lab.receive()[0])
    lab.cloud.advance(200)
    lab.answer("1", id="x")
    lab.cloud.advance(99.9)
    lab.answer("1", id="x")
    assert lab.bodies() == []
    lab.cloud.advance(0.1)
    lab.answer("2", id="x")
    lab.cloud.advance(299)
    lab.answer("3", id="x")
    assert lab.bodies() == ["2"]


def test_a_lost_answer_and_a_retry_store_one_message(lab):
    lab.cloud.faults.add(Fault("lost_answer", operations=("SendMessage",), count=1))
    answer = lab.answer("order 1", id="order-1")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert lab.bodies() == ["order 1"]


def test_without_the_same_id_the_retry_stores_two():
    lab = Lab()
    lab.cloud.faults.add(Fault("lost_answer", operations=("SendMessage",), count=1))
    lab.sqs.meta.config.retries["total_max_attempts"] = 1
    try:
        with pytest.raises(Exception, match="Read timeout"):
            lab.answer("order 1")
    finally:
        lab.sqs.meta.config.retries["total_max_attempts"] = 5
    lab.answer("order 1")
    assert lab.bodies() == ["order 1", "order 1"]


def test_the_scope_is_the_queue_or_the_group(lab):
    lab.send("1", group="a", id="x")
    lab.send("2", group="b", id="x")
    assert lab.bodies() == ["1"]
    wide = Lab(DeduplicationScope="messageGroup")
    wide.send("1", group="a", id="x")
    wide.send("2", group="b", id="x")
    wide.send("3", group="b", id="x")
    assert wide.bodies() == ["1", "2"]


def test_content_based_deduplication_takes_the_body_and_an_id_wins():
    lab = Lab(ContentBasedDeduplication="true")
    plain = {"QueueUrl": lab.url, "MessageGroupId": "g"}
    colour = {"colour": {"DataType": "String", "StringValue": "red"}}
    lab.sqs.send_message(MessageBody="same", **plain)
    lab.sqs.send_message(MessageBody="same", MessageAttributes=colour, **plain)
    lab.sqs.send_message(MessageBody="same", MessageDeduplicationId="own", **plain)
    assert lab.bodies() == ["same", "same"]


def test_a_batch_is_deduplicated_entry_by_entry(lab):
    entries = [
        {"Id": str(n), "MessageBody": str(n), "MessageGroupId": "g", "MessageDeduplicationId": id}
        for n, id in enumerate("xyx")
    ]
    answer = lab.sqs.send_message_batch(QueueUrl=lab.url, Entries=entries)["Successful"]
    assert answer[0]["MessageId"] == answer[2]["MessageId"] != answer[1]["MessageId"]
    assert lab.bodies() == ["0", "1"]


def test_sequence_numbers_grow_and_are_not_consecutive(lab):
    numbers = [lab.answer("x")["SequenceNumber"] for _ in range(20)]
    assert all(len(number) == 20 for number in numbers)
    steps = [int(b) - int(a) for a, b in pairwise(numbers)]
    assert min(steps) > 0 and max(steps) > 1
    assert [m["Attributes"]["SequenceNumber"] for m in lab.receive()] == numbers[:10]


# ---- receive attempts ------------------------------------------------------------------------------------------------


def test_a_repeated_attempt_gets_the_same_messages_and_handles_and_a_new_timeout(lab):
    lab.send("1", "2", "3")
    first = lab.receive(2, ReceiveRequestAttemptId="try")
    lab.cloud.advance(20)
    again = lab.receive(2, ReceiveRequestAttemptId="try")
    assert [m["ReceiptHandle"] for m in again] == [m["ReceiptHandle"] for m in first]
    assert [m["Attributes"]["ApproximateReceiveCount"] for m in again] == ["1", "1"]
    lab.cloud.advance(29)
    assert lab.bodies() == []
    for message in again:
        lab.delete(message)
    assert lab.bodies() == ["3"]
    assert [r.detail for r in lab.rows("ReceiveRepeated")] == [1, 1]


def test_without_a_token_a_lost_answer_blocks_the_group(lab):
    lab.send("1", "2")
    assert len(lab.receive(1)) == 1
    assert lab.bodies(1) == []


@pytest.mark.parametrize("change", ["deleted", "hidden", "expired", "too late"])
def test_a_token_is_worth_nothing_after_a_change(lab, change):
    lab.send("1", "2", "3")
    first = lab.receive(2, VisibilityTimeout=400 if change == "too late" else 30, ReceiveRequestAttemptId="try")
    if change == "deleted":
        lab.delete(first[0])
    if change == "hidden":
        lab.hide(first[1], 60)
    lab.cloud.advance({"expired": 30, "too late": 300}.get(change, 1))
    again = lab.receive(2, ReceiveRequestAttemptId="try")
    assert [m["Attributes"]["ApproximateReceiveCount"] for m in again] == (["2", "2"] if change == "expired" else [])


def test_a_token_ends_five_minutes_after_the_first_receive(lab):
    lab.send("1")
    for _ in range(15):
        assert lab.bodies(VisibilityTimeout=30, ReceiveRequestAttemptId="try") == ["1"]
        lab.cloud.advance(20)
    assert lab.bodies(ReceiveRequestAttemptId="try") == []


# ---- limits ----------------------------------------------------------------------------------------------------------


def _hammer(lab, seconds, callers, call):
    """How many calls succeed when `callers` call as fast as they may, after the first burst is over."""
    done, refusals = [], set()

    def run():
        while True:
            try:
                call()
                done.append(lab.cloud.now)
            except ServiceError as error:
                refusals.add((error.code, error.message))
            lab.cloud.kernel.sleep(0.01)

    for n in range(callers):
        lab.cloud.spawn(run, name=f"caller-{n}")
    lab.cloud.advance(seconds + 1)
    lab.cloud.close()
    assert refusals == {("ThrottlingException", "Rate exceeded")}
    return sum(time > 1 for time in done) / seconds


def _numbers():
    n = 0
    while True:
        n += 1
        yield str(n)


def _single(lab, url, ids, group="g"):
    return lambda: direct_send(lab, url, next(ids), group)


def direct_send(lab, url, id, group):
    return lab.cloud.direct("sqs").send_message(
        QueueUrl=url, MessageBody="x", MessageGroupId=group, MessageDeduplicationId=id
    )


def test_three_hundred_calls_a_second(lab):
    ids = _numbers()
    rate = _hammer(lab, 3, 10, _single(lab, lab.url, ids))
    assert rate == pytest.approx(300, rel=0.02)


def test_three_thousand_messages_a_second_in_batches(lab):
    ids, sqs = _numbers(), lab.cloud.direct("sqs")

    def batch():
        entries = [
            {"Id": str(k), "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": next(ids)}
            for k in range(10)
        ]
        sqs.send_message_batch(QueueUrl=lab.url, Entries=entries)

    assert _hammer(lab, 1, 10, batch) == pytest.approx(300, rel=0.02)
    assert len(lab.rows("Sent")) == pytest.approx(9000, rel=0.02)  # the second that was saved up, and two more


def test_each_action_has_its_own_limit(lab):
    ids, sqs = _numbers(), lab.cloud.direct("sqs")

    def both():
        direct_send(lab, lab.url, next(ids), "g")
        sqs.receive_message(QueueUrl=lab.url)

    assert _hammer(lab, 2, 10, both) == pytest.approx(300, rel=0.05)


def test_boto3_retries_a_throttled_call():
    lab = Lab(assume=QUICK | {"sqs.fifo_burst": 0.01})
    answers = [lab.answer(str(n)) for n in range(10)]
    assert sum(a["ResponseMetadata"]["RetryAttempts"] for a in answers) == len(lab.rows("Throttled")) > 0
    assert lab.bodies() == [str(n) for n in range(10)]


@pytest.mark.parametrize(("limits", "most"), [("2023", 18_000), ("today", 70_000)])
def test_high_throughput_mode(limits, most):
    """Per group 300 sends a second; the queue's own limit is far away."""
    lab = Lab(limits=limits, DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    ids = _numbers()
    for group in range(2):
        for n in range(3):
            lab.cloud.spawn(_repeat, lab, _single(lab, lab.url, ids, f"truck-{group}"), name=f"p-{group}-{n}")
    lab.cloud.advance(2)
    each = 300 + 300  # what was saved up, and what comes in the second in which they try
    assert len(lab.rows("Sent")) == pytest.approx(2 * each, rel=0.02)
    assert lab.rows("Throttled")[0].detail == {"limit": 300, "group": "truck-0"}
    assert lab.cloud.service("sqs").world.quotas["sqs.fifo_high_calls"] == most


def _repeat(lab, call):
    for _ in range(200):
        try:
            call()
        except ServiceError:
            pass
        lab.cloud.kernel.sleep(0.005)


def test_switching_to_high_throughput_lifts_the_limit(lab):
    for n in range(300):
        lab.answer(str(n), group=str(n))
    mode = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes=mode)
    for n in range(300):
        assert lab.answer(str(n), group=str(n))["ResponseMetadata"]["RetryAttempts"] == 0
    assert lab.cloud.now == 0


def test_a_token_bucket_keeps_no_more_than_its_size():
    bucket = TokenBucket(rate=10, size=2, now=0)

    def taken(now):
        count = 0
        while bucket.ready(now):
            bucket.take()
            count += 1
        return count

    assert [taken(t) for t in (0, 0, 0.1, 0.25, 100)] == [2, 0, 1, 1, 2]


def _fill(lab, *groups):
    """Send quickly, past the front door."""
    for group, count in groups:
        for n in range(count):
            message = lab.queue.new_message(f"{group}{n}", "you", group_id=group, deduplication_id=f"{group}{n}")
            lab.queue.send(_call(lab), message, 1, 0)


def test_in_flight_there_is_a_limit_without_an_error(lab):
    lab.queue._most_in_flight = 5
    lab.send(*"1234567")
    assert lab.bodies() == list("12345")
    lab.send("other", group="h")
    assert lab.bodies() == []
    lab.cloud.advance(30)
    assert lab.bodies() == ["other", *"1234"]


def test_the_limit_in_flight_of_both_editions():
    assert Lab().queue._most_in_flight == 20_000
    assert Lab(limits="today").queue._most_in_flight == 120_000


def test_a_long_poll_waits_for_room_in_flight(lab):
    lab.queue._most_in_flight = 1
    lab.send("1", group="a")
    lab.send("2", group="b")
    lab.receive(VisibilityTimeout=7)
    assert lab.bodies(WaitTimeSeconds=20) == ["2"]
    assert lab.cloud.now == 7


def test_only_the_first_messages_are_searched_for_free_groups(lab):
    """A backlog of one group hides the other groups behind it."""
    _fill(lab, ("big", 20_000), ("small", 1))
    assert lab.bodies(1) == ["big0"]
    assert lab.bodies(1) == []
    small = list(lab.queue.messages)[-1]
    assert "behind the first 20,000 messages" in lab.queue.why_waiting(small)
    lab.queue.remove(next(iter(lab.queue.messages.values())))
    assert lab.bodies(2) == ["small0", "big1"]


# ---- dead-letter queues ----------------------------------------------------------------------------------------------


@pytest.fixture
def with_dlq():
    lab = Lab()
    lab.dead = lab.create("dead.fifo", VisibilityTimeout=5)
    attributes = {"RedrivePolicy": lab.policy("dead.fifo", 2), "VisibilityTimeout": "10"}
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes=attributes)
    return lab


def _poison(lab):
    """Fail with whatever comes until something is in the dead-letter queue."""
    for _ in range(3):
        got = lab.receive(1)
        lab.cloud.advance(10)
    return got


def test_a_poison_message_blocks_its_group_until_it_is_moved(with_dlq):
    lab = with_dlq
    lab.send("poison", "good")
    assert [m["Body"] for m in _poison(lab)] == ["good"]
    assert lab.bodies(url=lab.dead) == ["poison"]


def test_in_the_dead_letter_queue_the_id_replaces_the_deduplication_id_and_time_begins_anew(with_dlq):
    lab = with_dlq
    first = lab.send("poison", id="x")[0]
    _poison(lab)
    lab.cloud.advance(300)
    second = lab.send("poison", id="x")[0]
    _poison(lab)
    one, two = lab.receive(url=lab.dead)
    assert [m["Attributes"]["MessageDeduplicationId"] for m in (one, two)] == [first, second]
    assert [m["MessageId"] for m in (one, two)] == [first, second]
    assert one["Attributes"]["SentTimestamp"] == str(1_680_307_200_000 + 20_000)
    assert one["Attributes"]["DeadLetterQueueSourceArn"].endswith(":trucks.fifo")
    assert one["Attributes"]["MessageGroupId"] == "g"
    assert one["Attributes"]["ApproximateReceiveCount"] == "3"


def test_a_dead_letter_queue_breaks_order(with_dlq):
    lab = with_dlq
    lab.send("1", "2")
    _poison(lab)
    arn = lab.cloud.service("sqs").arn("dead.fifo")
    lab.sqs.start_message_move_task(SourceArn=arn)
    lab.cloud.advance(10)
    assert lab.bodies() == ["2", "1"]


def test_a_redrive_brings_new_messages_and_forgets_deduplication(with_dlq):
    lab = with_dlq
    lab.send("1", id="x")
    _poison(lab)
    lab.sqs.start_message_move_task(SourceArn=lab.cloud.service("sqs").arn("dead.fifo"))
    lab.cloud.advance(1)
    message = lab.receive()[0]
    assert message["Body"] == "1" and message["MessageId"] != lab.rows("Sent")[0].subject
    assert message["Attributes"]["MessageDeduplicationId"] == message["MessageId"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_the_delay_of_a_dead_letter_queue_keeps_order():
    lab = Lab()
    dead = lab.create("dead.fifo", DelaySeconds=30)
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes={"RedrivePolicy": lab.policy("dead.fifo", 1)})
    lab.send("1", "2")
    lab.receive()
    lab.cloud.advance(30)
    lab.receive()
    assert lab.bodies(url=dead) == []
    lab.cloud.advance(30)
    assert lab.bodies(url=dead) == ["1", "2"]


# ---- in words --------------------------------------------------------------------------------------------------------


def test_the_queue_says_why_a_message_waits(lab):
    first, second = lab.send("1", "2", group="truck-7")
    assert lab.queue.why_waiting(first) == "" and lab.queue.blocked_by(second) is None
    lab.cloud.advance(12)
    lab.receive(1)
    said = f"waits behind message {first} of group truck-7, which is in flight until 42.0 s"
    assert lab.queue.why_waiting(second) == said
    assert lab.queue.blocked_by(second).id == first
    assert lab.queue.why_waiting(first) == "is in flight until 42.0 s"
    with pytest.raises(KeyError):
        lab.queue.why_waiting("nobody")


def test_explain_tells_for_whom_a_message_waited(lab):
    first = lab.send("1", group="truck-7")[0]
    message = lab.receive()[0]
    lab.cloud.advance(2)
    second = lab.send("2", group="truck-7")[0]
    lab.cloud.advance(3)
    lab.delete(message)
    lab.receive()
    _, joined, received = lab.cloud.explain(second).splitlines()
    assert joined.endswith(
        f"in group truck-7 of trucks.fifo; it waits behind message {first}, which is in flight until 30.0 s"
    )
    assert received.endswith(f"until 5.0 s it waited behind message {first} of its group, which then was deleted")


def test_explain_tells_of_repeats_late_deletes_and_throttles(lab):
    id = lab.answer("1", id="x")["MessageId"]
    lab.answer("1", id="x")
    message = lab.receive(ReceiveRequestAttemptId="try")[0]
    lab.receive(ReceiveRequestAttemptId="try")
    lab.cloud.advance(31)
    with pytest.raises(lab.sqs.exceptions.ClientError):
        lab.delete(message)
    text = lab.cloud.explain(id)
    assert "you sent with the deduplication id of the send at 0.0 s: accepted, not stored" in text
    assert "given to you again for the same ReceiveRequestAttemptId, hidden until 30.0 s" in text
    assert "its visibility timeout of 30 s ended at 30.0 s" in text
    assert "the delete by you did nothing: its receipt handle had expired at 30.0 s" in text
    for n in range(320):
        lab.answer(str(n))
    row = lab.rows("Throttled")[0]
    assert lab.cloud.trace.describe(row) == "trucks.fifo refused SendMessage by you: more than 300 calls a second"


def test_every_kind_has_words(with_dlq):
    lab = with_dlq
    lab.send("poison", "good")
    _poison(lab)
    trace = lab.cloud.trace
    assert {row.kind for row in trace if not trace.is_api(row.index)} <= trace.events.keys()


# ---- determinism, speed ----------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_trace():
    def digest():
        with Cloud(seed=2, limits="today", assume=QUICK | {"sqs.fifo_burst": 60}) as cloud:
            sqs = cloud.direct("sqs")
            url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
            for n in range(300):
                own = {"MessageGroupId": f"truck-{n % 100}", "MessageDeduplicationId": str(n)}
                sqs.send_message(QueueUrl=url, MessageBody="x", **own)
                for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", ()):
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return cloud.trace.digest()

    assert digest() == digest()


def test_a_locked_backlog_costs_nothing(lab):
    _fill(lab, ("big", 15_000))
    lab.receive(1)
    began = time.process_time()  # what others do on this machine does not count
    for _ in range(250):
        assert lab.bodies() == []
    assert time.process_time() - began < 1.0


def test_consecutive_receives_of_a_backlog_stay_in_order_in_every_group(lab):
    for n in range(200):
        lab.send(f"{n:03}", group=f"truck-{n % 7}")
        lab.cloud.advance(0.01)
    got = []
    while messages := lab.receive(4):
        for message in messages:
            got.append((message["Attributes"]["MessageGroupId"], message["Body"]))
            lab.delete(message)
        lab.cloud.advance(0.05)
    assert len(got) == 200
    for _, run in groupby(sorted(got, key=lambda item: item[0]), key=lambda item: item[0]):
        bodies = [body for _, body in run]
        assert bodies == sorted(bodies)
