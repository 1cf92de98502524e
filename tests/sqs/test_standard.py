"""The SQS standard queue: how it behaves, read as its specification. All through boto3, in strict mode."""

import time
from collections import Counter
from itertools import pairwise

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from lab import Lab as Base

from lablib import actors
from lablib.aws.service import NotSimulated
from lablib.cloud import Cloud
from lablib.measures.tokens import fold

pytestmark = pytest.mark.ours  # where a test names no source

CALM = {"sqs.outages_per_hour": 0}


class Lab(Base):
    """A cloud with one queue, and the calls the tests are made of."""

    def __init__(self, seed=1, limits="2023", assume=CALM, **attributes):
        super().__init__("sqs", seed=seed, limits=limits, assume=assume)
        self.url = self.create("orders", **attributes)
        self.queue = self.cloud.service("sqs").queue("orders")

    def send(self, body="hello", **more):
        return self.sqs.send_message(**{"QueueUrl": self.url, "MessageBody": body} | more)["MessageId"]

    def receive(self, most=1, wait=1, **more):
        parameters = {"QueueUrl": self.url, "MaxNumberOfMessages": most, "WaitTimeSeconds": wait} | more
        return self.sqs.receive_message(**parameters).get("Messages", [])

    def delete(self, message, **more):
        self.sqs.delete_message(**{"QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"]} | more)

    def counters(self, url=None):
        return self.counts(url or self.url)

    def holders(self, message_id):
        return self.queue.servers.of(self.queue.messages[message_id].copies)

    def take_holders_down(self, message_id, seconds, how_many=1):
        for server in self.holders(message_id)[:how_many]:
            self.queue.make_unavailable(server.number, seconds)


@pytest.fixture
def lab():
    return Lab()


# ---- polling: servers and copies -------------------------------------------------------------------------------------


def test_a_message_lies_on_two_different_servers(lab):
    placed = Counter(len(lab.holders(lab.send())) for _ in range(50))
    assert placed == {2: 50}


def test_a_short_poll_asks_a_few_servers_and_may_find_nothing(lab):
    lab.send()
    found = sum(bool(lab.receive(wait=0, VisibilityTimeout=0)) for _ in range(300))
    assert 140 < found < 250  # 3 of 8 servers: 1 - C(6,3)/C(8,3) = 64 % with equal weights


def test_repeated_short_polls_reach_every_server(lab):
    sent = {lab.send() for _ in range(30)}
    got = {m["MessageId"] for _ in range(60) for m in lab.receive(10, wait=0)}
    assert got == sent


def test_a_short_poll_of_few_messages_gives_fewer_than_asked_for(lab):
    for _ in range(10):
        lab.send()
    got = [len(lab.receive(10, wait=0, VisibilityTimeout=0)) for _ in range(20)]
    assert sum(got) / len(got) == pytest.approx(6.4, abs=1)


@pytest.mark.parametrize("seed", range(20))
def test_a_long_poll_asks_all_servers(seed):
    lab = Lab(seed)
    lab.send()
    assert len(lab.receive(wait=1)) == 1


def test_a_long_poll_of_many_messages_gives_ten(lab):
    for _ in range(100):
        lab.send()
    assert len(lab.receive(10)) == 10


def test_order_is_best_effort(lab):
    """Roughly in order, never promised: an early message may come after a late one."""
    for n in range(200):
        lab.send(f"{n:03}")
    bodies = [m["Body"] for _ in range(30) for m in lab.receive(10)]
    assert sorted(bodies) == [f"{n:03}" for n in range(200)]
    inversions = sum(a > b for a, b in pairwise(bodies))
    assert 20 < inversions < 120
    assert max(abs(int(body) - place) for place, body in enumerate(bodies)) < 60


def test_different_consumers_get_different_messages(lab):
    sent = {lab.send() for _ in range(40)}
    got = []

    def consume():
        while messages := lab.receive(5, wait=2):
            got.extend(m["MessageId"] for m in messages)

    for n in range(4):
        lab.cloud.spawn(consume, name=f"consumer-{n}")
    lab.cloud.advance(10)
    assert sorted(got) == sorted(sent)


def test_an_actor_that_is_added_changes_nothing_for_the_others():
    def rows(extra):
        lab = Lab()
        other = lab.create("other")

        def work(url):
            for n in range(30):
                lab.send(str(n), QueueUrl=url)
                lab.receive(2, wait=0, QueueUrl=url)

        lab.cloud.spawn(work, lab.url, name="a")
        if extra:
            lab.cloud.spawn(work, other, name="b")
        lab.cloud.advance(60)
        return [(r.time, r.kind, r.detail) for r in lab.rows(actor="a")]

    assert rows(extra=False) == rows(extra=True)


def test_the_same_seed_gives_the_same_run():
    def digest(seed):
        lab = Lab(seed, assume={"sqs.outages_per_hour": 100})
        for _ in range(40):
            lab.send()
            for message in lab.receive(3, wait=0):
                lab.delete(message)
        lab.cloud.advance(3600)
        return lab.cloud.trace.digest()

    assert digest(1) == digest(1) != digest(2)


# ---- waiting ---------------------------------------------------------------------------------------------------------


def test_a_long_poll_ends_empty_when_its_time_is_over(lab):
    start = lab.cloud.now
    assert lab.receive(wait=20) == []
    assert 20 < lab.cloud.now - start < 20.1


def test_a_long_poll_returns_as_soon_as_a_message_is_there(lab):
    got = []
    lab.cloud.spawn(lambda: got.extend(lab.receive(wait=20)), name="consumer")
    lab.cloud.advance(5)
    lab.send()
    lab.cloud.advance(1)
    assert len(got) == 1
    (sent,), (received,) = lab.rows("Sent"), lab.rows("Received")
    assert received.time == sent.time


def test_a_long_poll_returns_when_a_hidden_message_becomes_visible(lab):
    lab.send()
    lab.receive(VisibilityTimeout=5)
    assert len(lab.receive(wait=20)) == 1
    assert lab.rows("Received")[1].time == lab.rows("BecameVisible")[0].time


def test_waiting_receivers_are_served_in_the_order_in_which_they_came(lab):
    served = []

    def consume(n):
        time.sleep(n)
        served.extend((n, m["Body"]) for m in lab.receive(wait=20))

    for n in (3, 1, 2):
        lab.cloud.spawn(consume, n, name=f"consumer-{n}")
    lab.cloud.advance(5)
    for body in "abc":
        lab.send(body)
        lab.cloud.advance(1)
    assert served == [(1, "a"), (2, "b"), (3, "c")]


def test_several_messages_at_once_wake_as_many_receivers(lab):
    for n in range(3):
        lab.cloud.spawn(lambda: lab.receive(wait=20), name=f"consumer-{n}")
    lab.cloud.advance(1)
    lab.sqs.send_message_batch(QueueUrl=lab.url, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(3)])
    lab.cloud.advance(1)
    assert {r.actor for r in lab.rows("Received")} == {"consumer-0", "consumer-1", "consumer-2"}


def test_a_receiver_that_is_killed_at_the_moment_it_is_woken_passes_the_message_on(lab):
    first = lab.cloud.spawn(lambda: lab.receive(wait=20), name="first")
    lab.cloud.advance(1)
    lab.cloud.spawn(lambda: lab.receive(wait=20), name="second")
    lab.cloud.advance(1)
    lab.send(DelaySeconds=1)
    (sent,) = lab.rows("Sent")
    lab.cloud.kernel.at(sent.until, lab.cloud.kill, first)  # after the message woke it, before it goes on
    lab.cloud.advance(3)
    assert [r.actor for r in lab.rows("Received")] == ["second"]


def test_a_killed_receiver_leaves_the_line(lab):
    first = lab.cloud.spawn(lambda: lab.receive(wait=20), name="first")
    lab.cloud.advance(1)
    lab.cloud.kill(first)
    assert not lab.queue.waiting


def test_whoever_waits_learns_that_the_queue_is_deleted(lab):
    def consume():
        with pytest.raises(lab.sqs.exceptions.QueueDoesNotExist):
            lab.receive(wait=20)
        return lab.cloud.now

    process = lab.cloud.spawn(consume)
    lab.cloud.advance(2)
    lab.sqs.delete_queue(QueueUrl=lab.url)
    lab.cloud.advance(1)
    assert process.result < 3


# ---- hidden, delayed, expired ----------------------------------------------------------------------------------------


def test_a_received_message_is_hidden_and_comes_back_on_time_though_nobody_asks(lab):
    message_id = lab.send()
    lab.receive()
    assert lab.receive(wait=0) == []
    lab.cloud.advance(100)
    received, visible = lab.rows("Received", "BecameVisible", subject=message_id)
    assert visible.time == received.until == received.time + 30
    assert visible.cause == received.index


def test_each_receive_counts(lab):
    lab.send()
    for n in range(1, 4):
        (message,) = lab.receive(wait=20, AttributeNames=["ApproximateReceiveCount"], VisibilityTimeout=1)
        assert message["Attributes"] == {"ApproximateReceiveCount": str(n)}


def test_a_changed_visibility_counts_from_the_change_and_is_not_remembered(lab):
    lab.send()
    (message,) = lab.receive()
    lab.cloud.advance(10)
    handle = {"QueueUrl": lab.url, "ReceiptHandle": message["ReceiptHandle"]}
    lab.sqs.change_message_visibility(**handle, VisibilityTimeout=60)
    lab.cloud.advance(100)
    (changed,), (visible,) = lab.rows("VisibilityChanged"), lab.rows("BecameVisible")
    assert visible.time == changed.until == changed.time + 60
    assert visible.cause == changed.index
    lab.receive()
    again = lab.rows("Received")[1]
    assert again.until - again.time == pytest.approx(30)


def test_visibility_zero_shows_a_message_at_once(lab):
    lab.send()
    (message,) = lab.receive()
    lab.sqs.change_message_visibility(QueueUrl=lab.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert len(lab.receive(wait=1)) == 1
    (changed,), (visible,) = lab.rows("VisibilityChanged"), lab.rows("BecameVisible")
    assert visible.time == changed.time


def test_a_delayed_message_is_there_when_its_delay_ends():
    lab = Lab(DelaySeconds=60)
    lab.send("queue's own")
    lab.send("message's own", DelaySeconds=5)
    lab.send("none", DelaySeconds=0)
    assert lab.queue.counts() == (1, 0, 2)
    (message,) = lab.receive(10)
    assert message["Body"] == "none"
    lab.cloud.advance(100)
    ends = {
        (round(r.time - lab.cloud.trace[r.cause].time), lab.cloud.trace[r.cause].kind)
        for r in lab.rows("BecameVisible")
    }
    assert ends == {(60, "Sent"), (5, "Sent"), (30, "Received")}


def test_messages_expire_on_time_wherever_they_are():
    lab = Lab(MessageRetentionPeriod=60, VisibilityTimeout=1000)
    lab.send("in flight")
    lab.receive()
    lab.send("visible")
    lab.send("delayed", DelaySeconds=900)
    lab.cloud.advance(120)
    sent, expired = lab.rows("Sent"), lab.rows("Expired")
    assert [(r.subject, r.time) for r in expired] == [(r.subject, pytest.approx(r.time + 60)) for r in sent]
    assert lab.queue.counts() == (0, 0, 0)
    assert lab.receive() == []


def test_default_retention_is_four_days(lab):
    lab.send()
    lab.cloud.advance(4 * 86400 - 1)
    assert lab.queue.counts().visible == 1
    lab.cloud.advance(2)
    assert lab.queue.counts().visible == 0


def test_a_shorter_retention_expires_what_is_there_already(lab):
    lab.send()
    lab.cloud.advance(100)
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes={"MessageRetentionPeriod": "60"})
    lab.cloud.advance(0)
    assert len(lab.rows("Expired")) == 1


# ---- deleting, and what comes back -----------------------------------------------------------------------------------


def test_a_deleted_message_is_gone(lab):
    lab.send()
    lab.delete(*lab.receive())
    lab.cloud.advance(3600)
    assert lab.receive() == []


def test_the_latest_receipt_handle_deletes_even_after_the_visibility_timeout(lab):
    lab.send()
    (message,) = lab.receive()
    lab.cloud.advance(60)
    lab.delete(message)
    assert lab.receive() == []


def test_an_old_receipt_handle_deletes_nothing_and_succeeds(lab):
    message_id = lab.send()
    (first,) = lab.receive()
    lab.cloud.advance(31)
    (second,) = lab.receive()
    assert first["ReceiptHandle"] != second["ReceiptHandle"]
    lab.delete(first)
    assert len(lab.rows("DeleteIgnored", subject=message_id)) == 1
    assert lab.queue.counts().in_flight == 1
    lab.delete(second)
    assert lab.queue.counts() == (0, 0, 0)


def test_deleting_twice_succeeds(lab):
    lab.send()
    (message,) = lab.receive()
    lab.delete(message)
    lab.delete(message)
    assert len(lab.rows("Deleted")) == len(lab.rows("DeleteIgnored")) == 1


def test_a_copy_on_an_unavailable_server_comes_back_and_is_then_deleted_for_good(lab):
    message_id = lab.send()
    (message,) = lab.receive()
    lab.take_holders_down(message_id, seconds=60)
    lab.delete(message)
    assert lab.receive(wait=20) == []
    lab.cloud.advance(60)
    (copy,), (deleted,) = lab.rows("CopyReturned", subject=message_id), lab.rows("Deleted", subject=message_id)
    (away,), (back,) = lab.rows("ServerUnavailable"), lab.rows("ServerAvailable")
    assert copy.time == back.time == away.until
    assert (copy.detail, copy.cause) == (back.detail, deleted.index)
    assert back.cause == away.index
    (again,) = lab.receive()
    assert (again["MessageId"], again["Body"]) == (message_id, "hello")
    lab.delete(again)
    lab.cloud.advance(3600)
    assert lab.receive() == []


def test_while_a_copy_is_away_its_message_can_be_received_from_the_other(lab):
    message_id = lab.send()
    lab.take_holders_down(message_id, seconds=60)
    assert [m["MessageId"] for m in lab.receive(wait=1)] == [message_id]


def test_a_long_poll_waits_for_the_servers_when_all_copies_are_away(lab):
    message_id = lab.send()
    lab.take_holders_down(message_id, seconds=10, how_many=2)
    start = lab.cloud.now
    assert len(lab.receive(wait=20)) == 1
    assert 9 < lab.cloud.now - start < 11


def test_a_long_poll_waits_for_a_server_whose_outage_nobody_has_noted():
    one = {"sqs.servers": 1, "sqs.copies": 1, "sqs.outages_per_hour": 60, "sqs.outage_seconds": 15}
    lab = Lab(assume=one, VisibilityTimeout=0)
    lab.send()
    (server,) = lab.queue.servers.all
    for _ in range(20):
        lab.cloud.advance(server.down_from - lab.cloud.now)
        until = server.down_until
        if 1 < until - lab.cloud.now < 19:
            assert len(lab.receive(wait=20)) == 1
            assert lab.rows("Received")[-1].time == until
        lab.cloud.advance(max(0, until - lab.cloud.now))
        lab.queue.counts()
    assert len(lab.rows("Received")) > 5


def test_both_copies_may_come_back_and_the_message_is_there_once(lab):
    message_id = lab.send()
    (message,) = lab.receive()
    one, two = lab.holders(message_id)
    lab.queue.make_unavailable(one.number, 50)
    lab.queue.make_unavailable(two.number, 80)
    lab.delete(message)
    lab.cloud.advance(100)
    assert len(lab.rows("CopyReturned")) == 1
    assert lab.queue.counts().visible == 1


def test_a_copy_that_comes_back_too_late_has_expired():
    lab = Lab(MessageRetentionPeriod=60)
    message_id = lab.send()
    (message,) = lab.receive()
    lab.take_holders_down(message_id, seconds=100)
    lab.delete(message)
    lab.cloud.advance(200)
    assert lab.rows("CopyReturned") == []
    assert lab.queue.counts().visible == 0


def test_without_any_server_sending_fails_and_receiving_finds_nothing(lab):
    lab.send()
    for n in range(1, 9):
        lab.queue.make_unavailable(n, 3600)
    with pytest.raises(lab.sqs.exceptions.ClientError, match="ServiceUnavailable"):
        lab.send()
    assert lab.receive(wait=0) == lab.receive(wait=1) == []


def test_an_outage_that_is_made_longer_ends_later(lab):
    lab.queue.make_unavailable(3, 10)
    lab.queue.make_unavailable(3, 30)
    lab.cloud.advance(60)
    (back,) = lab.rows("ServerAvailable")
    assert back.time == max(row.until for row in lab.rows("ServerUnavailable"))


@pytest.mark.parametrize(("server", "seconds"), [(0, 1), (9, 1), (1, -1), (1, float("nan"))])
def test_a_server_that_is_not_there_or_a_negative_time_is_refused(lab, server, seconds):
    with pytest.raises(ValueError, match=r"server=|seconds="):
        lab.queue.make_unavailable(server, seconds)


def test_by_default_one_delete_in_some_hundred_leaves_a_copy():
    lab = Lab(assume={})
    sqs = lab.cloud.direct("sqs")

    def work():
        for _ in range(800):
            for _ in range(10):
                sqs.send_message(QueueUrl=lab.url, MessageBody="x")
            time.sleep(300)
            while messages := sqs.receive_message(QueueUrl=lab.url, WaitTimeSeconds=1, MaxNumberOfMessages=10):
                for message in messages["Messages"]:
                    sqs.delete_message(QueueUrl=lab.url, ReceiptHandle=message["ReceiptHandle"])

    lab.cloud.run(work)
    deleted, returned = len(lab.rows("Deleted")), len(lab.rows("CopyReturned"))
    assert 150 < deleted / returned < 600


# ---- dead-letter queues ----------------------------------------------------------------------------------------------


def with_dead_letter_queue(times=2, **attributes):
    lab = Lab(VisibilityTimeout=1)
    lab.dead = lab.create("dead", **attributes)
    policy = f'{{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": {times}}}'
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes={"RedrivePolicy": policy})
    return lab


def fail(lab, times):
    """Receive without deleting until nothing comes any more."""
    return [len(lab.receive(wait=3)) for _ in range(times + 1)]


def test_a_message_received_too_often_moves_to_the_dead_letter_queue():
    lab = with_dead_letter_queue(times=2)
    message_id = lab.send()
    (sent,) = lab.rows("Sent")
    assert fail(lab, 2) == [1, 1, 0]
    (moved,) = lab.rows("MovedToDeadLetterQueue")
    assert (moved.resource, moved.subject, moved.detail) == ("orders", message_id, "dead")
    (message,) = lab.receive(QueueUrl=lab.dead, AttributeNames=["All"])
    assert message["MessageId"] == message_id
    assert message["Attributes"]["SentTimestamp"] == str(int((lab.cloud.kernel.epoch + sent.time) * 1000))
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == lab.queue.arn
    lab.delete(message, QueueUrl=lab.dead)
    assert lab.receive(QueueUrl=lab.dead) == []


def test_in_the_dead_letter_queue_a_message_expires_by_its_first_enqueue_time():
    lab = with_dead_letter_queue(times=1, MessageRetentionPeriod=100)
    lab.send()
    lab.cloud.advance(40)
    fail(lab, 1)
    lab.cloud.advance(200)
    (sent,), (expired,) = lab.rows("Sent"), lab.rows("Expired")
    assert (expired.resource, expired.time) == ("dead", pytest.approx(sent.time + 100))


def test_when_the_dead_letter_queue_is_gone_messages_stay():
    lab = with_dead_letter_queue(times=1)
    lab.send()
    lab.sqs.delete_queue(QueueUrl=lab.dead)
    assert fail(lab, 3) == [1, 1, 1, 1]


def test_after_three_receives_a_message_goes_to_the_back():
    lab = Lab(VisibilityTimeout=1, assume=CALM | {"sqs.servers": 1, "sqs.copies": 1, "sqs.servers_asked": 1})
    poison = lab.send("poison")
    lab.cloud.advance(1)
    lab.send("next")
    for _ in range(3):
        assert [m["Body"] for m in lab.receive(wait=5)] == ["poison"]
        lab.cloud.advance(2)
    assert [m["Body"] for m in lab.receive()] == ["next"]
    (moved,) = lab.rows("MovedToBack")
    assert (moved.subject, moved.detail) == (poison, 3)


# ---- moving messages back --------------------------------------------------------------------------------------------


def with_dead_messages(bodies, **attributes):
    lab = with_dead_letter_queue(times=1, **attributes)
    for body in bodies:
        lab.send(body)
        lab.cloud.advance(1)
    while lab.queue.counts().visible:
        lab.receive(10)
        lab.cloud.advance(2)
        lab.receive(10, wait=1)
    lab.arn = "arn:aws:sqs:us-east-1:123456789012:dead"
    return lab


def tasks(lab):
    return lab.sqs.list_message_move_tasks(SourceArn=lab.arn, MaxResults=10)["Results"]


def test_a_move_task_moves_the_oldest_first_at_its_rate_as_new_messages():
    lab = with_dead_messages("abcde")
    old = {r.subject: r.time for r in lab.rows("Sent")}
    handle = lab.sqs.start_message_move_task(SourceArn=lab.arn, MaxNumberOfMessagesPerSecond=2)["TaskHandle"]
    (task,) = tasks(lab)
    assert (task["Status"], task["TaskHandle"], task["ApproximateNumberOfMessagesToMove"]) == ("RUNNING", handle, 5)
    lab.cloud.advance(10)
    (task,) = tasks(lab)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 5)
    assert "TaskHandle" not in task
    moved, new = lab.rows("Redriven"), lab.rows("Sent")[5:]
    assert [r.subject for r in moved] == sorted(old, key=old.__getitem__)
    assert {round(b.time - a.time, 6) for a, b in pairwise(moved)} == {0.5}
    assert [r.cause for r in new] == [r.index for r in moved]
    assert not old.keys() & {r.subject for r in new}
    assert {r.resource for r in new} == {"orders"}
    assert lab.queue.counts().visible == 5


def test_a_move_task_can_have_another_destination():
    lab = with_dead_messages("ab")
    lab.create("else")
    lab.sqs.start_message_move_task(SourceArn=lab.arn, DestinationArn="arn:aws:sqs:us-east-1:123456789012:else")
    lab.cloud.advance(1)
    assert lab.cloud.service("sqs").queue("else").counts().visible == 2


def test_a_cancelled_move_task_does_not_undo():
    lab = with_dead_messages("abcde")
    handle = lab.sqs.start_message_move_task(SourceArn=lab.arn, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    lab.cloud.advance(2.5)
    assert lab.sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] == 2
    assert tasks(lab)[0]["Status"] == "CANCELLING"
    lab.cloud.advance(10)
    assert tasks(lab)[0]["Status"] == "CANCELLED"
    assert lab.queue.counts().visible == 2
    assert lab.cloud.service("sqs").queue("dead").counts().visible == 3


def test_messages_sent_straight_to_the_dead_letter_queue_have_no_source_to_go_back_to():
    lab = with_dead_messages("")
    lab.send(QueueUrl=lab.dead)
    lab.sqs.start_message_move_task(SourceArn=lab.arn)
    lab.cloud.advance(1)
    assert tasks(lab)[0]["FailureReason"] == "CouldNotDetermineMessageSource"


def test_a_move_task_fails_when_its_destination_is_deleted():
    lab = with_dead_messages("ab")
    other = lab.create("else")
    lab.sqs.start_message_move_task(
        SourceArn=lab.arn, DestinationArn="arn:aws:sqs:us-east-1:123456789012:else", MaxNumberOfMessagesPerSecond=1
    )
    lab.sqs.delete_queue(QueueUrl=other)
    lab.cloud.advance(5)
    (task,) = tasks(lab)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")


# ---- counters, limits, what spreads slowly ---------------------------------------------------------------------------


def test_counters_lag_and_are_right_after_a_minute_of_quiet(lab):
    wrong = 0
    for _ in range(40):
        lab.send()
        lab.cloud.advance(0.5)
        wrong += lab.counters() != lab.queue.counts()
    assert wrong > 5
    lab.receive(10)
    lab.send(DelaySeconds=900)
    lab.cloud.advance(61)
    assert lab.counters() == lab.queue.counts() == (40, 0, 1)


def test_counters_without_lag_are_exact():
    lab = Lab(assume=CALM | {"sqs.counter_lag": 0})
    for n in range(5):
        lab.send()
        assert lab.counters() == (n + 1, 0, 0)
    lab.receive(2)
    assert sum(lab.counters()) == 5


def test_no_more_than_the_limit_are_in_flight():
    cloud = Cloud(strict=True)
    cloud.quotas["sqs.in_flight"] = 5
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for _ in range(8):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    parameters = {"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
    assert len(sqs.receive_message(**parameters)["Messages"]) == 5
    with pytest.raises(sqs.exceptions.OverLimit):
        sqs.receive_message(**parameters)


def test_what_aws_spreads_slowly_can_be_made_slow():
    lab = Lab(assume=CALM | {"sqs.propagation": 30})
    lab.sqs.set_queue_attributes(QueueUrl=lab.url, Attributes={"VisibilityTimeout": "7"})
    shown = lab.sqs.get_queue_attributes(QueueUrl=lab.url, AttributeNames=["VisibilityTimeout"])
    assert shown["Attributes"] == {"VisibilityTimeout": "7"}  # it shows at once (recorded), and acts later
    lab.sqs.purge_queue(QueueUrl=lab.url)
    lab.send()
    assert (lab.queue.visibility, lab.queue.counts().visible) == (30, 1)
    lab.cloud.advance(31)
    assert (lab.queue.visibility, lab.queue.counts().visible) == (7, 0)
    lab.sqs.delete_queue(QueueUrl=lab.url)
    lab.send("lost")
    lab.cloud.advance(31)
    with pytest.raises(lab.sqs.exceptions.QueueDoesNotExist):
        lab.send()


def test_purging_removes_messages_in_every_state(lab):
    for _ in range(4):
        lab.send()
    lab.receive(2)
    lab.send(DelaySeconds=60)
    lab.sqs.purge_queue(QueueUrl=lab.url)
    assert lab.queue.counts() == (0, 0, 0)
    (purged,) = lab.rows("QueuePurged")
    assert purged.detail == 5
    lab.send("new")
    assert [m["Body"] for m in lab.receive(10)] == ["new"]
    lab.cloud.advance(900)
    assert lab.queue.counts() == (1, 0, 0)


def test_what_is_dead_is_forgotten(lab):
    """However many messages pass through a queue, it keeps only those that are there."""
    sqs = lab.cloud.direct("sqs")
    keep = lab.send("stays")
    lab.receive(VisibilityTimeout=43200)

    def work():
        for _ in range(3000):
            sqs.send_message(QueueUrl=lab.url, MessageBody="x")
            for message in sqs.receive_message(QueueUrl=lab.url, WaitTimeSeconds=1)["Messages"]:
                sqs.delete_message(QueueUrl=lab.url, ReceiptHandle=message["ReceiptHandle"])

    lab.cloud.run(work)
    queue = lab.queue
    held = [
        queue._due,
        queue._expiring,
        *(s.never_received for s in queue.servers.all),
        *(s.redelivered for s in queue.servers.all),
    ]
    assert list(queue.messages) == [keep]
    assert max(map(len, held)) <= 80
    assert len(queue._history) <= min(64, lab.cloud.now + 2)


# ---- explanations ----------------------------------------------------------------------------------------------------


def test_a_repeated_receive_is_explained_by_the_one_who_was_too_slow(lab):
    message_id = lab.send()

    def slow():
        (message,) = lab.receive()
        time.sleep(35)
        lab.delete(message)

    lab.cloud.spawn(slow, name="consumer-2")
    lab.cloud.advance(1)
    lab.cloud.spawn(lambda: lab.receive(wait=20) or lab.receive(wait=20), name="consumer-1")
    lab.cloud.advance(60)
    again, late = lab.rows("Received")[1], lab.rows("DeleteIgnored")[0]
    story = lab.cloud.explain(message_id)
    assert (
        f"{again.time:.3f} s  received again by consumer-1 because its visibility timeout of 30 s ended at "
        f"{again.time:.1f} s, while consumer-2 was still working on it until {late.time:.1f} s" in story
    )
    assert "the delete by consumer-2 did nothing: its receipt handle is of receive 1, and consumer-1" in story


def test_a_repeated_receive_after_a_crash_says_that_nobody_came_back(lab):
    message_id = lab.send()
    lab.cloud.spawn(lab.receive, name="consumer-2")
    lab.cloud.advance(40)
    lab.receive()
    assert "and consumer-2 never came back to it" in lab.cloud.explain(message_id)


@pytest.mark.parametrize(("kind", "said"), [("Crashed", "crashed"), ("Frozen", "froze")])
def test_a_repeated_receive_names_what_stopped_the_first_receiver(lab, kind, said):
    message_id = lab.send()
    lab.cloud.spawn(lab.receive, name="consumer-2")
    lab.cloud.advance(12)
    lab.cloud.trace.declare(actors.EVENTS)
    lab.cloud.trace.add(kind, actor="consumer-2")
    lab.cloud.advance(28)
    lab.receive()
    assert f"and consumer-2 {said} at 12.0 s" in lab.cloud.explain(message_id)


def test_who_receives_it_again_himself_did_come_back_to_it(lab):
    message_id = lab.send()
    lab.cloud.spawn(lambda: [lab.receive(wait=20) for _ in range(3)], name="consumer-1")
    lab.cloud.advance(60)
    story = lab.cloud.explain(message_id)
    assert "received again by consumer-1" in story
    assert "and consumer-1 had not deleted it" in story
    assert "never came back" not in story


def test_a_duplicate_is_explained_by_the_server_that_was_away(lab):
    message_id = lab.send()
    (message,) = lab.receive()
    number = lab.holders(message_id)[0].number
    lab.take_holders_down(message_id, 60)
    lab.delete(message)
    lab.cloud.advance(60)
    lab.receive()
    deleted, copy = lab.rows("Deleted", "CopyReturned")
    assert (
        f"because server {number} was unavailable when it was deleted at {deleted.time:.1f} s and brought its copy "
        f"back at {copy.time:.1f} s" in lab.cloud.explain(message_id)
    )


def test_every_transition_has_words():
    lab = with_dead_messages("ab")
    lab.sqs.start_message_move_task(SourceArn=lab.arn)
    lab.cloud.advance(1)
    lab.send("late", DelaySeconds=5)
    for kind in ("one", "two"):
        lab.cloud.advance(10)
        for message in lab.receive(10, VisibilityTimeout=20):
            handle = {"QueueUrl": lab.url, "ReceiptHandle": message["ReceiptHandle"]}
            lab.sqs.change_message_visibility(**handle, VisibilityTimeout=0 if kind == "one" else 40)
    lab.queue.make_unavailable(1, 5)
    lab.sqs.purge_queue(QueueUrl=lab.url)
    lab.sqs.delete_queue(QueueUrl=lab.url)
    rows = [row for row in lab.cloud.trace if not lab.cloud.trace.is_api(row.index)]
    assert {row.kind for row in rows} <= lab.cloud.trace.events.keys()
    for row in rows:
        text = lab.cloud.trace.describe(row)
        assert text
        assert "None" not in text


# ---- a caller that does not wait so long -----------------------------------------------------------------------------


@pytest.mark.guide
def test_a_long_poll_that_outlasts_the_read_timeout_hides_a_message_from_everybody(lab):
    """API: ReceiveMessage, "ensure that the HTTP response timeout is longer than the WaitTimeSeconds parameter". That
    the poll goes on without its caller is our assumption; what it takes is in nobody's hands."""
    impatient = lab.cloud.client("sqs", config=Config(read_timeout=5, retries={"total_max_attempts": 1}))
    began = lab.cloud.now
    with pytest.raises(ReadTimeoutError):
        impatient.receive_message(QueueUrl=lab.url, WaitTimeSeconds=20)
    assert lab.cloud.now - began == pytest.approx(5, abs=0.2)
    lab.send()
    lab.cloud.advance(1)
    assert lab.queue.in_flight == 1
    assert lab.cloud.trace.where("ReceiveMessage")[-1].detail == "AnswerLost"
    assert not any(token.state == "held" for token in fold(lab.cloud.trace).tokens)
    assert lab.receive(wait=0) == []
    lab.cloud.advance(30)
    assert len(lab.receive()) == 1


@pytest.mark.guide
def test_a_long_poll_that_is_answered_in_time_is_answered(lab):
    impatient = lab.cloud.client("sqs", config=Config(read_timeout=5))

    def sender():
        time.sleep(3)
        lab.send()

    lab.cloud.spawn(sender)
    (message,) = impatient.receive_message(QueueUrl=lab.url, WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == "hello" and 3 < lab.cloud.now < 4
    assert impatient.receive_message(QueueUrl=lab.url, WaitTimeSeconds=4).get("Messages") is None
    with pytest.raises(ClientError, match="WaitTimeSeconds"):
        impatient.receive_message(QueueUrl=lab.url, WaitTimeSeconds=21)


def test_the_long_poll_of_a_consumer_that_ends_ends_with_it(lab):
    impatient = lab.cloud.client("sqs", config=Config(read_timeout=15))
    consumer = lab.cloud.spawn(lambda: impatient.receive_message(QueueUrl=lab.url, WaitTimeSeconds=20))
    lab.cloud.advance(2)
    lab.cloud.kill(consumer)
    lab.send()
    lab.cloud.advance(1)
    assert lab.queue.in_flight == 0
    assert lab.cloud.trace.where("ReceiveMessage")[-1].detail == "CallerGone"


# ---- not simulated ---------------------------------------------------------------------------------------------------


def test_what_is_not_simulated_says_so():
    lab = Lab(limits="today")
    with pytest.raises(NotSimulated, match="fair queues"):
        lab.send(MessageGroupId="tenant-1")


def test_a_service_knows_its_queues(lab):
    service = lab.cloud.service("sqs")
    assert service.queue("orders") is service.queue(lab.url)
    with pytest.raises(KeyError, match="no queue is called 'nope'; there are: orders"):
        service.queue("nope")
