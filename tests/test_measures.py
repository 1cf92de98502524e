"""Measures: against traces made by hand, and against counting one by one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib.actors import EVENTS
from lablib.kernel import Trace
from lablib.measures import Measures, Series, band, compare, first_difference
from lablib.scenarios import Action
from lablib.scenarios.lab01 import VideoQueue
from lablib.scenarios.lab04 import FanOut
from lablib.services.sqs import Sqs


class Clock:
    now = 0.0


class Book:
    """A trace written by hand: `book(12.0, "Sent", "q", "m1", ...)`."""

    def __init__(self):
        self.clock = Clock()
        self.trace = Trace(self.clock)
        self.trace.declare((*Sqs.events, *EVENTS))
        self.trace.bills["sqs"] = Sqs.bill

    def __call__(self, time, kind, resource="", subject="", actor="", cause=-1, detail=None, until=0.0):
        self.clock.now = time
        return self.trace.add(kind, resource, subject, actor, cause, detail, until)

    def call(self, time, operation, actor, detail, until):
        self.clock.now = time
        row = self.trace.open(operation, "q", actor)
        self.clock.now = until
        self.trace.complete(row, detail)
        self.clock.now = time
        return row


def points(series):
    return list(zip(series.t.tolist(), series.y.tolist()))


@pytest.fixture
def story():
    """Two messages: one is received twice and deleted, one is delayed, and waits."""
    book = Book()
    row = book.call(1, "SendMessage", "p", 1, 1.5)
    book(1, "Sent", "q", "m1", "p", row, 100)
    row = book.call(2, "SendMessage", "p", 1, 2.5)
    book(2, "Sent", "q", "m2", "p", row, 70_000, until=6.0)
    row = book.call(3, "ReceiveMessage", "c1", 1, 3.5)
    received = book(3, "Received", "q", "m1", "c1", row, 1, until=8.0)
    started = book(4, "WorkStarted", "c1", "m1", "c1", received)
    book(6, "BecameVisible", "q", "m2")
    book(8, "BecameVisible", "q", "m1", cause=received)
    row = book.call(9, "ReceiveMessage", "c2", 1, 9.5)
    book(9, "Received", "q", "m1", "c2", row, 2, until=14.0)
    book(10, "WorkEnded", "c1", "m1", "c1", started)
    row = book.call(11, "DeleteMessage", "c2", 1, 11.5)
    book(11, "Deleted", "q", "m1", "c2", row)
    book.call(12, "ReceiveMessage", "c1", 0, 13)
    return Measures(book.trace, until=20.0)


def test_a_story_by_hand(story):
    assert points(story.depth()) == [(0, 0), (1, 1), (3, 0), (6, 1), (8, 2), (9, 1), (20, 1)]
    assert points(story.in_flight()) == [(0, 0), (3, 1), (8, 0), (9, 1), (11, 0), (20, 0)]
    assert points(story.delayed()) == [(0, 0), (2, 1), (6, 0), (20, 0)]
    assert story.age_of_oldest().at([0.5, 1, 5, 10.9, 11, 20]) == pytest.approx([0, 0, 4, 9.9, 9, 18])
    assert (story.sent, story.done, story.waiting, story.lost) == (2, 1, 1, 0)
    assert (story.duplicates(), story.order_violations()) == (1, 0)
    assert story.latency().tolist() == [10]
    assert story.p(50) == 10
    assert story.calls() == {"DeleteMessage": 1, "ReceiveMessage": 3, "SendMessage": 2}
    assert story.cost() == pytest.approx(7 * 0.40 / 1_000_000)  # 70,000 bytes are two chunks of 64 KB
    assert story.busy("c1") == pytest.approx(6 / 20)
    assert story.busy("c2") == 0
    assert story.throughput == pytest.approx(1 / 20)


def test_rates_are_events_a_second(story):
    series = story.rate("received", bin=6.0)
    assert points(series) == [(0, 1 / 6), (6, 1 / 6), (12, 0), (18, 0), (20, 0)]
    assert points(story.rate("empty receives", bin=8.0)) == [(0, 0), (8, 1 / 8), (16, 0), (20, 0)]
    with pytest.raises(ValueError, match=r"^rate 'recieved': must be one of 'sent'"):
        story.rate("recieved")
    for bad in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^bin="):
            story.rate("sent", bin=bad)


def test_the_numbers_of_an_instant(story):
    assert story.at(9.0) == {
        "messages waiting": 1, "in flight": 1, "age of oldest": 8, "delayed": 0,
        "sent": 2, "received": 2, "deleted": 0, "expired": 0,
    }  # fmt: skip


def test_the_summary_and_the_table(story):
    texts = {number.label: number.text for number in story.summary()}
    assert texts["sent"] == "2"
    assert texts["median latency"] == "10.0 s"
    assert texts["cost"] == "$0.000003"
    assert story.line() == "2 sent, 1 done, 1 waiting, 1 duplicate, highest age of oldest 18.0 s"
    table = story.table(points=5)
    assert table.index.tolist() == [0, 5, 10, 15, 20]
    assert table["messages waiting (messages)"].tolist() == [0, 0, 1, 1, 1]
    assert table["age of oldest (s)"].tolist() == [0, 4, 9, 13, 18]


def test_nothing_happened():
    measures = Measures(Book().trace, until=10.0)
    assert points(measures.depth()) == [(0, 0), (10, 0)]
    assert measures.age_of_oldest().at([0, 10]).tolist() == [0, 0]
    assert math.isnan(measures.p(50))
    assert {n.label: n.text for n in measures.summary()}["median latency"] == "none"
    assert measures.line() == "0 sent, 0 done, 0 waiting, 0 duplicates, highest age of oldest 0.0 s"
    assert Measures(Book().trace).table().shape[0] == 61


def test_a_trace_that_still_grows_may_be_measured():
    book = Book()
    book(1, "Sent", "q", "m1", detail=1)
    first = Measures(book.trace)
    assert first.sent == 1
    book(2, "Sent", "q", "m2", detail=1)
    assert (first.sent, Measures(book.trace).sent) == (1, 2)


def test_a_dead_letter_queue_counts_from_the_move():
    book = Book()
    book(0, "Sent", "q", "m1", detail=1)
    book(5, "MovedToDeadLetterQueue", "q", "m1", detail="dead")
    book(6, "Received", "dead", "m1", until=30)
    book(9, "Deleted", "dead", "m1")
    measures = Measures(book.trace, until=10.0)
    assert points(measures.depth("q")) == [(0, 1), (5, 0), (10, 0)]
    assert points(measures.depth("dead")) == [(0, 0), (5, 1), (6, 0), (10, 0)]
    assert measures.in_flight("dead").at([5.5, 7, 9]).tolist() == [0, 1, 0]
    assert measures.age_of_oldest("dead").at([4, 8, 9]).tolist() == [0, 3, 0]
    assert measures.depth("nowhere").max == 0


def test_a_purge_empties_its_queue_only():
    book = Book()
    for subject in ("m1", "m2", "m3"):
        book(1, "Sent", "q", subject, detail=1)
    book(1, "Sent", "other", "m4", detail=1)
    book(2, "Received", "q", "m1", until=30)
    book(2, "Deleted", "q", "m3")
    book(3, "QueuePurged", "q", detail=2)
    book(4, "Sent", "q", "m5", detail=1)
    measures = Measures(book.trace, until=5.0)
    assert measures.depth().at([2.5, 3, 4]).tolist() == [2, 1, 2]
    assert measures.in_flight().at([2.5, 3]).tolist() == [1, 0]
    assert measures.age_of_oldest("q").at([2.5, 3.5, 5]).tolist() == [1.5, 0, 1]


def test_what_was_moved_to_the_back_has_no_age():
    book = Book()
    book(0, "Sent", "q", "poison", detail=1)
    book(4, "Sent", "q", "m2", detail=1)
    book(6, "BecameVisible", "q", "poison")
    book(6, "MovedToBack", "q", "poison", detail=3)
    measures = Measures(book.trace, until=10.0)
    assert measures.age_of_oldest().at([5, 6, 10]).tolist() == [5, 2, 6]
    assert measures.depth().last == 2


def test_a_copy_that_returns_keeps_its_age():
    book = Book()
    book(0, "Sent", "q", "m1", detail=1)
    book(2, "Deleted", "q", "m1")
    book(7, "CopyReturned", "q", "m1")
    measures = Measures(book.trace, until=10.0)
    assert measures.age_of_oldest().at([1, 3, 7, 10]).tolist() == [1, 0, 7, 10]
    assert (measures.done, measures.waiting) == (1, 1)
    assert measures.latency().tolist() == [2]


def test_order_is_counted_on_first_deliveries():
    book = Book()
    for i, subject in enumerate("abcd"):
        book(i, "Sent", "q", subject, detail=1)
    for i, subject in enumerate("cacbd"):  # a and b come after c; the second c is no new delivery
        book(10 + i, "Received", "q", subject, until=99)
    assert Measures(book.trace).order_violations() == 2


def test_order_in_a_fifo_queue_is_counted_within_groups():
    book = Book()
    for i, subject in enumerate("abcd"):
        book(i, "Sent", "q.fifo", subject, detail=1)
        book(i, "JoinedGroup", "q.fifo", subject, detail="even" if subject in "bd" else "odd")
    for i, subject in enumerate("bcad"):  # a comes after c of its group; d does not, though it comes last
        book(10 + i, "Received", "q.fifo", subject, until=99)
    assert Measures(book.trace).order_violations() == 1


def test_direct_calls_by_hand():
    book = Book()
    for time, key in ((0, "a"), (1, "b"), (2, "c"), (3, "d")):
        book(time, "Requested", "door", key, "caller")
        if key == "c":
            book(time, "Refused", "door", key, "caller")
        else:
            book(time, "Accepted", "door", key, "caller")
        if key == "a":
            started = book(0, "WorkStarted", "door", "a", "w1")
    book(4, "WorkEnded", "door", "a", "w1", started)
    book(4, "Answered", "door", "a", "w1")
    book(4, "WorkStarted", "door", "b", "w1")
    book(6, "TimedOut", "door", "b", "caller")
    book(7, "Crashed", actor="w1")
    measures = Measures(book.trace, until=10.0)
    assert points(measures.depth()) == [(0, 0), (1, 1), (3, 2), (4, 1), (10, 1)]
    assert points(measures.in_flight()) == [(0, 1), (4, 1), (7, 0), (10, 0)]
    assert measures.age_of_oldest().at([3.5, 4, 5.9, 6, 10]) == pytest.approx([3.5, 3, 4.9, 3, 7])
    assert (measures.sent, measures.done, measures.waiting, measures.lost) == (4, 1, 1, 2)
    assert measures.line() == "4 requests, 1 answered, 1 refused, 1 timed out, longest wait 7.0 s"
    assert measures.busy("w1") == pytest.approx(7 / 10)
    assert measures.at(6)["timed out"] == 1


def test_a_series_reads_between_its_points():
    step = Series("s", "s", "", np.array([0.0, 2.0, 4.0]), np.array([1.0, 5.0, 5.0]))
    assert step.at([-1, 0, 1.9, 2, 9]).tolist() == [0, 1, 1, 5, 5]
    line = Series("l", "l", "", np.array([0.0, 2.0, 2.0, 4.0]), np.array([0.0, 2.0, 0.0, 2.0]), "line")
    assert line.at([0, 1, 1.999, 2, 3, 4, 9]) == pytest.approx([0, 1, 1.999, 0, 1, 2, 2])


# ---- against counting one by one -----------------------------------------------------------------------------------

NEXT = {  # state -> what may happen, and the state after it
    "none": [("Sent", "visible"), ("Sent", "delayed")],
    "delayed": [("BecameVisible", "visible"), ("Expired", "gone")],
    "visible": [("Received", "in_flight"), ("Expired", "gone"), ("MovedToDeadLetterQueue", "gone")],
    "in_flight": [("Received", "in_flight"), ("BecameVisible", "visible"), ("VisibilityChanged", "in_flight"),
                  ("Deleted", "gone"),
                  ("DeleteIgnored", "in_flight"), ("Expired", "gone")],
    "gone": [("CopyReturned", "visible"), ("DeleteIgnored", "gone")],
}  # fmt: skip


@st.composite
def lives(draw):
    """A trace of a few messages in two queues, and for each moment the state of each message as a plain dictionary."""
    book, states, moments, time = Book(), {}, [], 0.0
    for _ in range(draw(st.integers(0, 40))):
        time += draw(st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.25]))
        if draw(st.integers(0, 30)) == 0:
            book(time, "QueuePurged", "q1")
            states = {key: ("gone" if key[0] == "q1" else state, sent) for key, (state, sent) in states.items()}
        else:
            key = (draw(st.sampled_from(["q1", "q2"])), draw(st.sampled_from("abcdef")))
            state, sent = states.get(key, ("none", time))
            options = [o for o in NEXT[state] if o[0] != "CopyReturned" or state == "gone"]
            kind, after = draw(st.sampled_from(options))
            until = time + 5 if after in ("delayed", "in_flight") else time
            book(time, kind, *key, detail="dead" if kind == "MovedToDeadLetterQueue" else 1, until=until)
            states = {**states, key: (after, sent)}
            if kind == "MovedToDeadLetterQueue":
                dead = ("dead", f"{key[1]}")
                if states.get(dead, ("none", 0))[0] == "none":
                    states = {**states, dead: ("visible", time)}
        moments.append((time, states))
    return book.trace, moments, time + 1.0


@given(lives(), st.sampled_from([None, "q1", "q2", "dead"]))
@settings(max_examples=300, deadline=None)
def test_series_agree_with_counting(life, resource):
    trace, moments, until = life
    measures = Measures(trace, until)
    last = dict(moments)  # the latest state of each instant
    for time, states in last.items():
        asked = [resource] if resource else ["q1", "q2"]
        mine = [known for (queue, _), known in states.items() if queue in asked]
        for name in ("visible", "in_flight", "delayed"):
            series = measures.depth(resource) if name == "visible" else getattr(measures, name)(resource)
            assert series.at(time) == sum(state == name for state, _ in mine), (time, name)
        alive = [sent for state, sent in mine if state not in ("gone", "none")]
        assert measures.age_of_oldest(resource).at(time) == pytest.approx(time - min(alive, default=time)), time


@given(lives())
@settings(max_examples=100, deadline=None)
def test_counts_agree_with_counting(life):
    trace, _, until = life
    measures = Measures(trace, until)
    rows = list(trace)
    received = [row.subject for row in rows if row.kind == "Received"]
    assert measures.duplicates() == sum(received.count(subject) > 1 for subject in set(received))
    assert measures.done == len({row.subject for row in rows if row.kind == "Deleted"})
    rate = measures.rate("received", bin=2.0)
    edges = np.append(np.arange(0, until, 2.0), until)
    assert float((rate.y[:-1] * np.diff(edges)).sum()) == pytest.approx(len(received))
    order = [row.subject + row.resource for row in rows if row.kind == "Sent"]
    firsts = list(dict.fromkeys(row.subject + row.resource for row in rows if row.kind == "Received"))
    late = [
        x
        for i, x in enumerate(firsts)
        if any(y[1:] == x[1:] and order.index(y) > order.index(x) for y in firsts[:i] if y in order) and x in order
    ]
    assert measures.order_violations() == len(late)


@pytest.mark.parametrize("seed", range(3))
def test_the_series_agree_with_the_queue_itself(seed):
    """The same numbers from the trace and from the service's own counters, along a stormy run."""
    from lablib.cloud import Cloud

    scenario = VideoQueue(rate=4.0, visibility_timeout=3, outages=200.0, consumers=5)
    seen = []
    with Cloud(seed, assume=scenario.assume()) as cloud:
        scene = scenario.build(cloud)
        scene.act(Action("burst", 0.0, value=30))
        queue = cloud.service("sqs").queue("videos")
        for time in np.arange(0.7, 40, 1.3):
            cloud.kernel.run(float(time))
            seen.append((time, queue.visible, queue.in_flight, queue.delayed))
        measures = Measures(cloud.trace, 40.0)
    for time, *counts in seen:
        assert [measures.depth().at(time), measures.in_flight().at(time), measures.delayed().at(time)] == counts
    assert measures.duplicates() > 0


# ---- two runs, many runs -------------------------------------------------------------------------------------------


def test_comparing_a_run_with_itself():
    run = VideoQueue().run(until=20)
    same = compare(run, run)
    assert same.first_divergence is None
    assert same.sentence == "The two runs are the same."
    assert all(a == b or (math.isnan(a) and math.isnan(b)) for _, a, b, _ in same.rows)


def test_comparing_names_the_first_event_that_differs():
    base = VideoQueue().run(until=60)
    other = base.fork(Action("crash", 30.0, "consumer-2"))
    compared = compare(base, other)
    assert compared.first_divergence.time == 30.0
    assert compared.first_divergence.text == "The runs part at 30.000 s: in B, consumer-2 crashed."
    assert other.trace[compared.first_divergence.row].kind == "Crashed"
    assert first_difference(base.trace, other.trace) == first_difference(other.trace, base.trace)


def test_runs_part_at_an_event_and_not_at_the_scenery():
    lost = FanOut(outage=60, retries=0).run(seed=7)
    kept = lost.scenario.replace(dead_letters=True).run(seed=7)
    parted = compare(lost, kept).first_divergence
    assert parted.time >= 60.0
    moved = kept.trace.where("SendMessage", resource="orders-dlq")[0]
    assert parted.row == moved.index
    dropped = compare(kept, lost).first_divergence
    assert (dropped.time, lost.trace[dropped.row].kind) == (parted.time, "DeliveryDropped")
    other = FanOut(way="one by one").run(seed=7)
    assert compare(FanOut().run(seed=7), other).first_divergence.time >= other.trace.where("Ordered")[0].time


def test_the_parting_says_which_message_it_is_about():
    one, other = VideoQueue().run(seed=7), VideoQueue(visibility_timeout=50).run(seed=7)
    first = one.trace.where("Received")[0]
    sent = one.trace.where("Sent", subject=first.subject)[0]
    text = compare(one, other).first_divergence.text
    assert text.startswith(f"The runs part at {first.time:.3f} s: in B, the message that was sent at ")
    assert f"sent at {sent.time:.3f} s: received by {first.actor}" in text


def test_runs_whose_scenery_alone_differs_part_there():
    one, other = (FanOut(rate=0.01, dead_letters=kept).run(seed=7, until=0.001) for kept in (False, True))
    assert "orders-dlq created" in compare(one, other).first_divergence.text


def test_comparing_a_queue_with_a_direct_call_keeps_what_only_one_has():
    rows = {
        label: (a, b)
        for label, a, b, _ in compare(VideoQueue().run(until=60), VideoQueue(mode="direct").run(until=60)).rows
    }
    assert rows["cost"][0] > 0
    assert math.isnan(rows["cost"][1])
    assert math.isnan(rows["refused"][0])


def test_the_difference_is_told_in_numbers():
    sentence = compare(VideoQueue().run(1), VideoQueue(consumers=2).run(1)).sentence
    assert sentence.startswith("Done ")
    assert " against " in sentence
    both = compare(VideoQueue().run(1), VideoQueue(mode="direct").run(1))
    told = "Lost 0 against 193; refused 93 in B only; timed out 100 in B only; done 605 against 412;"
    assert both.sentence.startswith(told)


def test_a_direct_call_is_laid_beside_a_queue_under_the_same_names():
    rows = {label: pair for label, *pair, _ in compare(VideoQueue().run(1), VideoQueue(mode="direct").run(1)).rows}
    assert rows["sent"] == [606, 606]
    assert rows["lost"] == [0, 193]
    assert not {"requests", "answered", "longest wait"} & set(rows)


def test_a_band_lies_around_its_runs():
    told = []
    scenario = VideoQueue(rate=3.0)
    result = band(scenario, seeds=5, until=60, points=13, progress=lambda done, of: told.append((done, of)))
    runs = np.array([scenario.run(seed, until=60).measures.depth().at(result.t) for seed in range(5)])
    assert told == [(n, 5) for n in range(1, 6)]
    assert result.mid.tolist() == np.median(runs, axis=0).tolist()
    assert (runs.min(axis=0) <= result.low).all()
    assert (result.low <= result.mid).all()
    assert (result.mid <= result.high).all()
    assert (result.high <= runs.max(axis=0)).all()
    for bad in (0, 1001, 2.5, True):
        with pytest.raises(ValueError, match=r"^seeds="):
            band(scenario, seeds=bad)
    with pytest.raises(ValueError, match=r"^rate 'depht'"):
        band(scenario, seeds=1, measure="depht", until=5)
