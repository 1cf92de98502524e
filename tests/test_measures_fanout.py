"""What a topic did, subscription by subscription: against traces made by hand, and against a run."""

import math

import pytest

from lablib.kernel import Trace
from lablib.measures import FanOut, Measures, compare
from lablib.scenarios.lab04 import FanOut as Shop
from lablib.scenarios.lab04 import told
from lablib.services import quota_values
from lablib.services.sns import Sns

QUOTAS = quota_values()


class Clock:
    now = 0.0


class Book:
    """A trace written by hand: what became of messages that were published to `orders`."""

    def __init__(self):
        self.clock = Clock()
        self.trace = Trace(self.clock)
        self.trace.declare(Sns.events)
        self.trace.bills["sns"] = Sns.bill
        self.published = {}

    def __call__(self, time, kind, subject, actor="", detail=None, until=0.0):
        self.clock.now = time
        cause, about = self.published.get(subject, -1), subject if kind == "Published" else f"{subject} to {actor}"
        row = self.trace.add(kind, "orders", about, actor, cause, detail, until)
        if kind == "Published":
            self.published[subject] = row
        return row

    def fails(self, time, subject, actor, attempt, until, protocol="https"):
        return self(
            time, "DeliveryFailed", subject, actor, {"protocol": protocol, "attempt": attempt, "reason": "500"}, until
        )

    def arrives(self, time, subject, actor, protocol="sqs", attempt=1):
        return self(time, "Delivered", subject, actor, {"protocol": protocol, "attempt": attempt})

    @property
    def branches(self):
        return {branch.endpoint: branch for branch in FanOut(self.trace).branches}


@pytest.fixture
def book():
    made = Book()
    made(1.0, "Published", "m1", "shop", 100)
    made(2.0, "Published", "m2", "shop", 200_000)
    return made


def test_a_branch_is_what_one_endpoint_got_and_did_not_get(book):
    book(1.0, "FilteredOut", "m1", "big", "too small")
    book.arrives(2.5, "m2", "big")
    book.fails(1.1, "m1", "web", 1, 21.0)
    book.fails(21.0, "m1", "web", 2, 0.0)
    book(21.0, "SentToDeadLetterQueue", "m1", "web", "dlq")
    book.fails(2.1, "m2", "web", 1, 22.0)
    assert book.branches["big"] == ("big", "sqs", 1, 1, 0, 0, 0, 0, 0.5)
    web = book.branches["web"]
    assert (web.delivered, web.failed_attempts, web.dead_letters, web.dropped, web.on_the_way) == (0, 3, 1, 0, 1)
    assert math.isnan(web.median_latency)


def test_what_arrived_after_all_or_was_dropped_is_not_on_the_way(book):
    book.fails(1.1, "m1", "web", 1, 21.0)
    book.arrives(21.0, "m1", "web", "https", 2)
    book.fails(2.1, "m2", "web", 1, 0.0)
    book(2.1, "DeliveryDropped", "m2", "web", "there is no dead-letter queue")
    web = book.branches["web"]
    assert (web.delivered, web.dropped, web.on_the_way, web.median_latency) == (1, 1, 0, 20.0)
    assert FanOut(book.trace).dropped == 1


def test_a_request_to_confirm_is_no_message(book):
    book(0.5, "ConfirmationSent", "c1", "you", "web")
    book.arrives(0.6, "c1", "web", "https")
    assert book.branches == {}


def test_a_request_to_confirm_is_nothing_that_the_picture_counts():
    run = Shop().run(seed=7, until=60.0)
    partner = run.measures.tokens
    drawn = {partner.name(token.subject) for token in partner.tokens}
    asked = run.trace.where("ConfirmationSent")
    assert len(asked) == 1
    assert [subject for subject in drawn if subject.startswith(asked[0].subject)] == []


def test_costs_are_by_64_kb_published_and_by_delivery(book):
    book.arrives(1.1, "m1", "stock")
    book.arrives(1.2, "m1", "web", "https")
    book.arrives(1.2, "m1", "ann@example.com", "email")
    book.arrives(1.2, "m1", "+821012345678", "sms")
    measures = Measures(book.trace)
    assert measures.bill()["sns"] == {
        "publish": pytest.approx(5 * 0.5e-6),  # 1 request, and 4 for 200,000 bytes
        "https": pytest.approx(0.6e-6),
        "email": pytest.approx(20e-6),
        "sms": pytest.approx(QUOTAS["sns.sms_price"]),
    }
    assert measures.cost() == pytest.approx(sum(measures.bill()["sns"].values()))


def test_nothing_published_costs_nothing():
    trace = Trace(Clock())
    trace.bills["sns"] = Sns.bill
    assert Measures(trace).bill() == {}
    assert FanOut(trace).table().empty


def test_every_copy_of_a_run_is_accounted_for():
    run = Shop(outage=120.0).run(seed=7)
    topics = run.measures.fanout
    for branch in topics.branches:
        ended = branch.delivered + branch.filtered + branch.dead_letters + branch.dropped + branch.on_the_way
        assert ended == len(topics.published), branch.endpoint
    labels = {number.label: number.value for number in run.measures.summary()}
    assert labels["published"] == len(topics.published)
    assert labels["filtered out"] == topics.filtered > 0
    assert labels["lost"] == topics.dropped > 0
    assert list(topics.table().index) == [branch.endpoint for branch in topics.branches]


def test_who_knows_the_orders_comes_first_in_the_results_and_in_a_comparison():
    one, other = Shop(shop_crashes=0.2, way="one by one").run(seed=7), Shop(shop_crashes=0.2).run(seed=7)
    for run in (one, other):
        count, shown = told(run), {n.label: n.value for n in run.measures.summary()[:3]}
        assert shown == {f"orders told to {who}": count[who] for who in ("all", "some", "nobody")}
    some, nobody = told(one)["some"], told(one)["nobody"]
    assert some > 0 == told(other)["some"]
    sentence = compare(one, other).sentence
    known = f"orders told to some {some} against 0; orders told to nobody {nobody} against {told(other)['nobody']};"
    assert sentence.startswith(f"Orders told to all {told(one)['all']} against {told(other)['all']}; {known}")


@pytest.mark.parametrize("swapped", [False, True])
def test_dead_letters_are_results_and_not_sent_once_more(swapped):
    lost = Shop(outage=60.0, retries=0, work=2.0).run(seed=7)
    kept = Shop(outage=60.0, retries=0, dead_letters=True, work=2.0).run(seed=7)
    dead = len(kept.trace.where("Sent", resource="orders-dlq"))
    assert dead == kept.measures.dead == lost.measures.lost > 0
    assert kept.measures.sent == lost.measures.sent == len(kept.trace.where("Sent")) - dead
    assert kept.measures.at(kept.until)["sent"] == kept.measures.sent
    values = (0, dead) if not swapped else (dead, 0)
    compared = compare(kept, lost) if swapped else compare(lost, kept)
    assert next(pair for label, *pair, _ in compared.rows if label == "dead letters") == list(values)
    assert f"dead letters {values[0]} against {values[1]}" in compared.sentence
    assert "sent" not in compared.sentence
