"""Chance: one seed, many independent named streams."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.kernel import Chance, exponential, fixed, lognormal, uniform

SCRIPT = """
import json
from lablib.kernel import Chance, exponential, lognormal
c = Chance(42)
s = c.stream("a")
print(json.dumps([s.random(), s.integer(1000), s.shuffled(range(6)), s.sample([1, 2, 3, 4], 3), s.draw(exponential(3)),
    s.draw(lognormal(2, 9)), c.keyed("work", 7), c.uuid("m"), c.uuid("m")]))
"""
GOLDEN = json.loads(
    subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
)  # this interpreter, another process


def test_the_same_seed_gives_the_same_draws_in_another_process_and_with_another_hash_seed():
    out = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "12345"}
    )
    assert json.loads(out.stdout) == GOLDEN


def test_the_draws_are_the_recorded_ones():
    """Recorded once; a change of Python, platform or code that changes them would change every run of every lab."""
    assert GOLDEN == [
        0.706432958833403, 100, [4, 0, 2, 3, 5, 1], [3, 2, 1], 8.017046, 4.35723, 0.2114886701661105,
        "1aeb10b9-8973-4116-af05-de6ffbe72049", "1aeb10b9-8973-4116-af05-ae86c2d77af0",
    ]  # fmt: skip


def test_adding_a_name_changes_no_other_stream():
    alone = [Chance(1).stream("a").random() for _ in range(1)]
    crowd = Chance(1)
    for name in ("b", "c", "d"):
        crowd.stream(name).random()
    assert [crowd.stream("a").random()] == alone


def test_keyed_draws_do_not_depend_on_what_was_drawn_before():
    one, two = Chance(5), Chance(5)
    two.keyed("work", 1)
    two.stream("work").random()
    assert one.keyed("work", 2) == two.keyed("work", 2) != one.keyed("work", 3)


@given(st.integers(-(2**70), 2**70))
def test_any_whole_number_is_a_seed(seed):
    assert 0 <= Chance(seed).stream("x").random() < 1


@pytest.mark.parametrize("seed", ["7", 1.5, None, True])
def test_other_seeds_are_refused(seed):
    with pytest.raises(TypeError, match="must be a whole number"):
        Chance(seed)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=12), st.integers(0, 15))
def test_a_sample_has_no_repetitions(weights, k):
    chosen = Chance(3).stream("s").sample(weights, k)
    assert len(chosen) == len(set(chosen)) == min(k, len(weights))
    assert all(0 <= i < len(weights) for i in chosen)


def test_heavier_items_are_sampled_more_often():
    stream = Chance(9).stream("s")
    first = [stream.sample([1, 1, 8], 1)[0] for _ in range(2000)]
    assert 0.75 < first.count(2) / 2000 < 0.85


@pytest.mark.parametrize(
    "distribution", [fixed(3), uniform(1, 9), exponential(4), lognormal(2, 6)], ids=lambda d: d.name
)
def test_distributions_have_the_mean_they_claim(distribution):
    n = 20_000
    values = [distribution.at((i + 0.5) / n) for i in range(n)]
    assert sum(values) / n == pytest.approx(distribution.mean, rel=0.01)
    assert values == sorted(values)
    assert all(round(v, 6) == v for v in values[:100])


def test_lognormal_has_the_median_and_the_95th_percentile_asked_for():
    distribution = lognormal(2.0, 7.0)
    assert distribution.at(0.5) == 2.0
    assert distribution.at(0.95) == pytest.approx(7.0, abs=1e-5)


@pytest.mark.parametrize(
    ("make", "text"),
    [(lambda: lognormal(0, 1), "needs 0 < median <= p95"), (lambda: lognormal(3, 1), "needs 0 < median"),
     (lambda: uniform(2, 1), "low must not be above high"), (lambda: exponential(-1), "must be zero or more")],
)  # fmt: skip
def test_impossible_distributions_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_a_stream_is_fair():
    stream = Chance(11).stream("fair")
    assert 0.47 < sum(stream.coin(0.5) for _ in range(4000)) / 4000 < 0.53
    assert {stream.integer(3) for _ in range(100)} == {0, 1, 2}
    assert {stream.pick("ab") for _ in range(50)} == {"a", "b"}
    assert all(2 <= stream.uniform(2, 3) <= 3 for _ in range(100))


def test_identifiers_look_like_uuids_and_do_not_repeat():
    chance = Chance(0)
    ids = [chance.uuid("messages") for _ in range(5000)]
    assert len(set(ids)) == 5000
    assert all(len(i) == 36 and i[14] == "4" for i in ids)
