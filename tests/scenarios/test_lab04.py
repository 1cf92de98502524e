"""Lab 04's scenario: one order, many receivers, as the lab tells it."""

import re

import pytest

from lablib.scenarios import Action
from lablib.scenarios.lab04 import DEAD, PARTNER, FanOut, known, told
from lablib.scenarios.run import check, simulate

GOLDEN = {
    FanOut(): "1cc44a88e4676753",
    FanOut(way="one by one", shop_crashes=0.2): "e67f176a627e6609",
    FanOut(outage=120.0, dead_letters=True): "02a76ea008ea6bde",
    FanOut(outage=120.0, partner="queue", late=True): "3afe0292882dfdc0",
}
WAYS = pytest.mark.parametrize("way", ["by topic", "one by one"])
HALF_A_SECOND = 0.5


def fresh(scenario, seed=0, actions=(), until=None, limits="2023"):
    return simulate(*check(scenario, seed, tuple(actions), until, limits))


def ordered(run):
    """(order, dollars), in the order of time."""
    return [(row.time, row.subject, row.detail) for row in run.trace.where("Ordered")]


def bodies(run, queue):
    """How many messages came into a queue."""
    return [row.time for row in run.trace.where("Sent", resource=queue)]


@pytest.mark.parametrize("scenario", GOLDEN, ids=repr)
def test_the_default_run_is_the_same_everywhere(scenario):
    """A change here means: every seed in the notebook now gives another run. Say so when you change it."""
    assert fresh(scenario, 1).digest == GOLDEN[scenario]


# ---- the same orders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more", [{"way": "one by one"}, {"partner": "queue"}, {"outage": 60.0}, {"shop_crashes": 0.5}, {"filter": False}]
)
def test_the_same_seed_brings_the_same_orders_whatever_is_set(more):
    assert ordered(fresh(FanOut(), 3)) == ordered(fresh(FanOut(**more), 3))


def test_big_orders_are_as_many_as_they_should_be_and_stay_big_when_the_share_grows():
    few, many = (fresh(FanOut(big=share, rate=2.0)) for share in (0.2, 0.6))
    big = [{order for _, order, dollars in ordered(run) if dollars >= 100} for run in (few, many)]
    total = len(ordered(few))
    assert 0.14 < len(big[0]) / total < 0.26
    assert 0.53 < len(big[1]) / total < 0.67
    assert big[0] < big[1]


@WAYS
def test_without_trouble_all_know_every_order_and_analytics_the_big_ones(way):
    run = fresh(FanOut(way=way), 7)
    assert told(run) == {"all": len(ordered(run)), "some": 0, "nobody": 0, "on its way": 0}
    have = known(run)
    assert all(("analytics" in have[order]) == (dollars >= 100) for _, order, dollars in ordered(run)[:-1])
    assert run.measures.lost == 0


@WAYS
def test_without_a_filter_analytics_gets_every_order(way):
    run = fresh(FanOut(way=way, filter=False), 7)
    assert len(bodies(run, "analytics")) == len(ordered(run))
    assert not run.trace.where("FilteredOut")


# ---- a crash half way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_who_tells_each_receiver_himself_leaves_orders_half_told_and_a_topic_never_does(seed):
    alone, topical = (told(fresh(FanOut(way=way, shop_crashes=0.3), seed)) for way in ("one by one", "by topic"))
    assert alone["some"] > 0
    assert topical["some"] == 0
    assert topical["nobody"] > 0
    assert sum(alone.values()) == sum(topical.values())


def test_the_shop_crashes_as_often_as_it_should():
    run = fresh(FanOut(shop_crashes=0.3, rate=2.0), 1)
    assert 0.24 < len(run.trace.where("Crashed")) / len(ordered(run)) < 0.36
    assert not fresh(FanOut(rate=2.0), 1).trace.where("Crashed")


def test_the_crash_of_the_shop_hits_the_next_order_and_only_that():
    act = [Action("crash_shop", 100.0)]
    alone, topical = (fresh(FanOut(way=way), 7, act) for way in ("one by one", "by topic"))
    hit = next(order for time, order, _ in ordered(alone) if time > 100)
    for run in (alone, topical):
        assert [row.actor for row in run.trace.where("Crashed")] == [f"shop/{hit}"]
    assert known(alone)[hit] == {"mail", "stock"} or known(alone)[hit] == {"mail"}
    assert known(topical)[hit] == set()
    assert told(alone)["some"] == told(topical)["nobody"] == 1


# ---- the partner is away -------------------------------------------------------------------------------------------


def lost_for_partner(**more):
    run = fresh(FanOut(outage=120.0, **more), 7, until=480.0)
    return {order for order, have in known(run).items() if "partner" not in have}, run


def test_a_web_server_that_is_away_loses_what_its_retries_do_not_reach():
    missing, run = lost_for_partner()
    away = {order for time, order, _ in ordered(run) if 60 <= time < 180 - 3 * 20 * 1.1}
    late = {order for time, order, _ in ordered(run) if time >= 180 - 3 * 20 * 0.9}
    assert away
    assert away <= missing
    assert not missing & late
    assert len(run.trace.where("DeliveryDropped")) == len(missing) == run.measures.lost
    assert all(row.detail["attempt"] <= 4 for row in run.trace.where("DeliveryFailed"))


@pytest.mark.parametrize("more", [{}, {"dead_letters": True}, {"way": "one by one"}])
def test_an_order_is_open_on_the_board_until_its_delivery_is_given_up(more):
    run = FanOut(outage=120.0, **more).run(seed=7)
    rows = run.trace.where("SentToDeadLetterQueue" if "dead_letters" in more else "DeliveryDropped")
    half = [one for one in run.scenario.lens(run)["orders"] if one["settled"]]
    assert sorted(one["settled"] for one in half) == [row.time for row in rows]
    assert all(one["settled"] > one["t"] + 1 for one in half)
    assert all(re.fullmatch(r"Order \d+ does not reach Partner.", one["says"]) for one in half)
    tried = FanOut(outage=240.0, **more).run(seed=7, until=100.0)
    assert sum(one["open"] for one in tried.scenario.lens(tried)["orders"]) == told(tried)["on its way"] > 0


def test_the_others_get_theirs_in_time():
    _, run = lost_for_partner()
    delays = [row.time - run.trace.where("Published", subject=run.trace.parent(row.subject))[0].time
              for row in run.trace.where("Delivered") if row.actor != PARTNER]  # fmt: skip
    assert delays
    assert max(delays) < HALF_A_SECOND


@pytest.mark.parametrize("more", [{"retries": 10}, {"partner": "queue"}], ids=repr)
def test_more_retries_or_a_queue_between_bring_every_order(more):
    assert lost_for_partner(**more)[0] == set()


def test_no_retries_lose_every_order_of_the_outage():
    missing, run = lost_for_partner(retries=0)
    assert missing == {order for time, order, _ in ordered(run) if 60 <= time < 180}


def test_a_dead_letter_queue_keeps_what_the_partner_did_not_take():
    missing, run = lost_for_partner(dead_letters=True)
    assert missing
    assert len(run.trace.where("SentToDeadLetterQueue")) == len(missing) == run.measures.dead
    assert run.measures.lost == 0
    assert len(bodies(run, DEAD)) == len(missing)


def test_a_partner_who_fails_in_the_queues_program_gets_the_order_again_later():
    run = fresh(FanOut(partner="queue", outage=60.0), 7)
    failed = [row for row in run.trace.where("WorkEnded") if row.detail == "failed"]
    assert failed
    assert all(60 <= row.time < 121 for row in failed)
    assert {row.subject for row in failed} <= {row.subject for row in run.trace.where("Deleted")}


def test_one_by_one_the_shop_gives_up_after_three_attempts():
    run = fresh(FanOut(way="one by one", outage=60.0), 7)
    dropped = run.trace.where("DeliveryDropped")
    assert dropped
    assert all(run.trace[row.cause].detail["attempt"] == 3 for row in dropped)
    assert told(run)["some"] == len(dropped)


def test_a_slow_partner_gets_orders_twice():
    run = fresh(FanOut(), 7, [Action("partner_slow", 60.0, value=60.0)])
    late = run.trace.where("DeliveryFailed")
    assert {row.detail["reason"] for row in late} == {"Timeout"}
    assert {row.subject for row in late} <= {row.subject for row in run.trace.where("Delivered", actor=PARTNER)}


def test_the_partner_can_fail_at_any_time():
    run = fresh(FanOut(retries=0), 7, [Action("partner_fails", 30.0, value=20.0)])
    times = [row.time for row in run.trace.where("DeliveryFailed")]
    assert times
    assert min(times) >= 30
    assert max(times) < 50 + HALF_A_SECOND
    assert "500" in next(n.text for n in run.notable() if n.kind == "change")


# ---- the policy, the late subscriber -------------------------------------------------------------------------------


@pytest.mark.parametrize("dead_letters", [False, True])
def test_a_queue_without_its_policy_gets_nothing_and_the_shop_hears_nothing_of_it(dead_letters):
    run = fresh(FanOut(dead_letters=dead_letters), 7, [Action("remove_policy", 60.0, "mail", 60.0)])
    failed = run.trace.where("DeliveryFailed")
    assert failed
    assert {row.actor for row in failed} == {"mail"}
    assert {row.detail["attempt"] for row in failed} == {1}
    assert not [time for time in bodies(run, "mail") if 60 + HALF_A_SECOND < time < 120]
    assert [time for time in bodies(run, "mail") if time > 120]
    assert all(row.detail == 1 for row in run.trace.where("Publish"))
    assert run.measures.dead == (len(failed) if dead_letters else 0)
    assert told(run)["some"] == len(failed)


def test_only_a_topic_needs_policies():
    kinds = {way: {spec.kind for spec in FanOut(way=way).actions()} for way in ("by topic", "one by one")}
    assert kinds["by topic"] - kinds["one by one"] == {"remove_policy"}


@WAYS
def test_who_comes_later_gets_what_is_published_from_then_on(way):
    scenario = FanOut(way=way, late=True, filter=False)
    assert not bodies(fresh(scenario, 7), "analytics")
    run = fresh(scenario, 7, [Action("add_analytics", 100.0), Action("add_analytics", 150.0)])
    since = [order for time, order, _ in ordered(run) if time > 100]
    assert [order for order, have in known(run).items() if "analytics" in have] == since
    assert len([n for n in run.notable() if n.kind == "change"]) == 1


def test_one_can_only_add_who_is_not_there():
    with pytest.raises(ValueError, match="knows one of"):
        fresh(FanOut(), 7, [Action("add_analytics", 1.0)])


# ---- consumers, topology -------------------------------------------------------------------------------------------


def test_a_crashed_consumer_holds_up_its_own_queue_only():
    acts = [Action("crash", 50.0, f"mail-{n}") for n in (1, 2)]
    run = fresh(FanOut(restart=0.0), 7, acts)
    worked = {queue: {row.actor.partition("-")[0] for row in run.trace.where("WorkStarted") if row.time > 50}
              for queue in ("mail", "stock")}  # fmt: skip
    assert "mail" not in worked["mail"]
    assert "stock" in worked["stock"]
    assert run.measures.depth("mail").last > 30
    assert run.measures.depth("stock").last < 5


def test_consumers_can_be_added_and_frozen_and_bursts_come():
    run = fresh(
        FanOut(consumers=0),
        7,
        [Action("burst", 10.0, value=20), Action("set", 20.0, "consumers", 3), Action("freeze", 60.0, "stock-3", 30.0)],
    )
    assert min(row.time for row in run.trace.where("WorkStarted")) > 20
    assert {row.actor for row in run.trace.where("Frozen")} == {"stock-3"}
    assert len(ordered(run)) == len(ordered(fresh(FanOut(), 7))) + 20
    with pytest.raises(ValueError, match="mail-11"):
        fresh(FanOut(), 7, [Action("crash", 1.0, "mail-11")])


@pytest.mark.parametrize(
    "scenario", [FanOut(), FanOut(way="one by one"), FanOut(partner="queue", dead_letters=True)], ids=repr
)
def test_every_place_that_a_message_reaches_is_in_the_picture(scenario):
    run = fresh(scenario, 7, [Action("partner_fails", 30.0, value=100.0)])
    patterns = [pattern.rstrip("*") for place in scenario.topology().places for pattern in place.match.split()]
    rows = run.trace.where(("Published", "Sent", "Received", "Delivered", "WorkStarted"))
    names = {row.actor for row in rows} | {row.resource for row in rows}
    assert all(any(name.startswith(pattern) for pattern in patterns) for name in names if name)
    ids = {place.id for place in scenario.topology().places}
    assert {end for link in scenario.topology().links for end in (link.source, link.target)} <= ids


def test_with_the_quotas_of_today_the_story_is_the_same():
    today = fresh(FanOut(outage=120.0, shop_crashes=0.2), 7, limits="today")
    assert told(today)["some"] == len(today.trace.where("DeliveryDropped")) > 5
    assert told(fresh(FanOut(way="one by one", shop_crashes=0.2), 7, limits="today"))["some"] > 0


def test_a_series_of_dead_letters_is_told_once_with_who_did_not_take_them_and_how_many():
    run = fresh(FanOut(outage=60.0, retries=0, dead_letters=True), 7)
    moved = run.trace.where("SentToDeadLetterQueue")
    (told,) = [event for event in run.notable() if event.kind == "dead letter"]
    assert told.row == moved[0].index
    assert told.text == (
        "A message that https://partner.example/orders did not take moves to the dead-letter queue orders-dlq "
        f"({len(moved)} in all)."
    )


def test_a_changed_parameter_is_told_by_its_label_and_unit():
    run = fresh(FanOut(), 7, [Action("set", 30.0, "rate", 1.0)], until=60.0)
    (told,) = [event.text for event in run.notable() if event.kind == "change"]
    assert told == "From now on: order rate 1 order/s."


@pytest.mark.parametrize(
    ("kind", "target", "words"),
    [
        ("partner_fails", "", "answers 200 again"),
        ("partner_slow", "", "answers at once again"),
        ("remove_policy", "mail", "The queue mail has its policy back"),
    ],
)
def test_a_trouble_says_when_it_ends_and_a_longer_one_goes_on(kind, target, words):
    once = fresh(FanOut(), 7, [Action(kind, 50.0, target, 30.0)])
    assert [event.time for event in once.notable() if words in event.text] == [80.0]
    twice = fresh(FanOut(), 7, [Action(kind, 50.0, target, 30.0), Action(kind, 70.0, target, 60.0)])
    assert [event.time for event in twice.notable() if words in event.text] == [130.0]


def test_the_outage_of_the_setting_says_when_it_ends():
    texts = [(e.time, e.text) for e in fresh(FanOut(outage=40.0), 7).notable() if e.kind == "change"]
    assert [time for time, _ in texts] == [60.0, 100.0]
    assert texts[1][1] == "The partner's web server answers 200 again."
