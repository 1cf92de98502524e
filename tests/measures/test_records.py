"""A stream in numbers: records stay, so what waits is what nobody has worked on. Ours: no AWS metric counts this."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lablib.measures import Measures
from lablib.scenarios import Action
from lablib.scenarios.lab05 import TruckStream
from lablib.scenarios.lab06 import SkiLift

pytestmark = pytest.mark.ours


def by_hand(run, t):
    """Of the rows until `t`: the records put, and the first time that each was drawn."""
    put, drawn, times = set(), {}, {}
    for row in run.trace:
        if row.time > t:
            break
        if row.kind == "RecordPut":
            put.add(row.subject)
            times[row.subject] = row.time
        elif row.kind == "WorkEnded" and row.detail is None and row.subject in put:
            drawn.setdefault(row.subject, row.time)
    return times, drawn


@settings(max_examples=15)
@given(
    seed=st.integers(0, 99),
    crash=st.none() | st.sampled_from(["worker-1", "worker-3"]),
    consumers=st.integers(1, 6),
    shares=st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_the_curves_are_a_count_of_the_rows(seed, crash, consumers, shares):
    actions = [Action("crash", 15.0, crash)] if crash and int(crash[-1]) <= consumers else []
    run = TruckStream(consumers=consumers, trucks=20, checkpoint=10).run(seed=seed, actions=actions, until=40)
    measures = run.measures
    for share in shares:
        t = share * run.until
        times, drawn = by_hand(run, t)
        left = [time for record, time in times.items() if record not in drawn]
        assert measures.depth().value(t) == len(left)
        assert measures.age_of_oldest().value(t) == pytest.approx(max((t - time for time in left), default=0.0))
    times, drawn = by_hand(run, run.until)
    assert (measures.sent, measures.done, measures.waiting) == (len(times), len(drawn), len(times) - len(drawn))
    assert sorted(measures.latency()) == pytest.approx(sorted(drawn[r] - times[r] for r in drawn))


def test_a_crash_shows_as_work_done_twice_and_calm_work_does_not():
    calm = TruckStream(checkpoint=100).run(seed=7)
    crashed = TruckStream(checkpoint=100).run(seed=7, actions=[Action("crash", 60.0, "worker-5")])
    assert (calm.measures.duplicates(), calm.measures.order_violations()) == (0, 0)
    assert crashed.measures.duplicates() == TruckStream().results(crashed)["positions drawn twice"] > 0


def test_without_workers_what_waits_only_grows():
    crashes = [Action("crash", 1.0, f"worker-{n}") for n in (1, 2)]
    run = TruckStream(consumers=2, restart=60.0).run(seed=7, actions=crashes, until=40)
    assert run.measures.done < 10
    assert run.measures.depth().max == run.measures.waiting == run.measures.sent - run.measures.done
    assert Measures(run.trace, run.until).line().startswith(f"{run.measures.sent} sent, {run.measures.done} done")


def test_what_is_delivered_is_done():
    """Firehose: a record is dealt with when it is in S3, and costs by its size, rounded up to 5 KB (price list)."""
    run = SkiLift(rate=2.0).run(seed=7, until=150)
    delivered = {row.subject: row.time for row in run.trace.where("RecordDelivered")}
    accepted = {row.subject: row for row in run.trace.where("RecordAccepted")}
    measures = run.measures
    assert 0 < measures.done == len(delivered) < measures.sent == len(accepted)
    assert measures.waiting == len(accepted) - len(delivered)
    assert sorted(measures.latency()) == pytest.approx(sorted(delivered[r] - accepted[r].time for r in delivered))
    size = sum(-(-row.detail // 5120) * 5120 for row in accepted.values())
    assert measures.bill()["firehose"] == {"records taken": pytest.approx(size / 2**30 * 0.029)}
