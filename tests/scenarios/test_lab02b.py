"""Lab 02b's scenario: a queue and a function, as the lab tells of them."""

import pytest

from lablib.scenarios.lab02b import QueueToFunction, done, lost, unseen
from lablib.scenarios.run import check, simulate

GOLDEN = {
    QueueToFunction(): "fe85b5ca3a71a1ef",
    QueueToFunction(bad=0.05, failures="reports", max_receives=3): "717d9cd0152d6422",
    QueueToFunction(groups=3): "5d63258e9fad04aa",
}


def fresh(scenario, seed=7, until=None):
    return simulate(*check(scenario, seed, (), until, "2023"))


def calls_at_a_time(run):
    running = most = 0
    for row in run.trace.where(("InvocationStarted", "InvocationEnded", "InvocationFailed")):
        running += 1 if row.kind == "InvocationStarted" else -1
        most = max(most, running)
    return most


@pytest.mark.parametrize("scenario", GOLDEN, ids=repr)
def test_the_default_run_is_the_same_everywhere(scenario):
    """A change here means: every seed in the notebook now gives another run. Say so when you change it."""
    assert fresh(scenario, 1).digest.startswith(GOLDEN[scenario])


def test_a_bad_order_spoils_its_batch_and_takes_good_ones_along():
    run = fresh(QueueToFunction(bad=0.05, max_receives=3))
    fine = {row.subject for row in run.trace.where("OrderDone")}
    assert sum(times - 1 for times in done(run).values()) > 50
    assert sum(row.subject in fine for row in run.trace.where("MovedToDeadLetterQueue")) >= 5
    assert lost(run) == []


def test_who_reports_does_each_good_order_once():
    run = fresh(QueueToFunction(bad=0.05, failures="reports", max_receives=3))
    assert set(done(run).values()) == {1}
    failed = {row.subject for row in run.trace.where("OrderFailed")}
    assert {row.subject for row in run.trace.where("MovedToDeadLetterQueue")} <= failed
    assert lost(run) == []


def test_a_report_that_nobody_asked_for_loses_what_failed():
    run = fresh(QueueToFunction(bad=0.05, failures="reports, not asked"))
    assert set(lost(run)) == {row.subject for row in run.trace.where("OrderFailed")} != set()
    assert (run.measures.done, run.measures.lost) == (len(done(run)), len(lost(run))), "what was deleted is not done"
    assert f"{len(done(run))} done, " in str(run)
    assert f", {len(lost(run))} lost" in str(run)


def test_a_throttled_function_lets_orders_die_unseen_and_a_limit_for_the_pollers_does_not():
    assert len(unseen(fresh(QueueToFunction(reserved=1, max_receives=3)))) > 5
    held_back = fresh(QueueToFunction(reserved=2, most=2, max_receives=3))
    assert unseen(held_back) == []
    assert not held_back.trace.where("InvocationThrottled")


@pytest.mark.parametrize(("groups", "most"), [(1, 1), (3, 3)])
def test_a_fifo_queue_has_a_call_for_each_active_group(groups, most):
    run = fresh(QueueToFunction(groups=groups))
    assert calls_at_a_time(run) == most


def test_a_window_fills_batches():
    few, many = (fresh(QueueToFunction(batch_size=100, window=window)) for window in (30, 5))
    assert len(few.trace.where("InvocationStarted")) < len(many.trace.where("InvocationStarted")) / 3


@pytest.mark.parametrize(
    "more", [{"batch_size": 100, "window": 0}, {"groups": 2, "batch_size": 50}, {"most": 1}], ids=repr
)
def test_settings_that_lambda_refuses_become_the_nearest_that_it_takes(more):
    assert done(fresh(QueueToFunction(**more), until=30.0))
