"""The mutants of our solutions fail their check, but for those that are right. All of them: see mutants.py."""

import random

import pytest
from exercises.mutants import edits, explained, known_survivors, mutants, passes

from lablib.exercises import all_exercises

pytestmark = pytest.mark.usefixtures("own_home")
IDS = [e.id for e in all_exercises()]
SLOW = ("01.challenge", "03.throughput", "02.timeout")  # a try of these takes long


def _unexplained(id, count):
    known, found = known_survivors(), mutants(id)
    sample = random.Random(id).sample(found, min(count, len(found)))
    return [mutant.key for mutant in sample if passes(mutant) and not explained(mutant, known)]


@pytest.mark.parametrize("id", IDS)
def test_a_few_mutants_fail_or_are_explained(id):
    assert _unexplained(id, 1 if id in SLOW else 3) == []


@pytest.mark.ci
@pytest.mark.parametrize("id", IDS)
def test_many_mutants_fail_or_are_explained(id):
    assert _unexplained(id, 8 if id in SLOW else 40) == []


def test_each_kind_of_mistake_is_made():
    import ast

    tree = ast.parse("def f(a):\n    try:\n        g(a, n=1)\n        h(a < 2)\n    except E:\n        return 3")
    made = {what for what, _ in edits(tree)}
    assert {
        "without `g(a, n=1)`",
        "twice `g(a, n=1)`",
        "`h(a < 2)` before `g(a, n=1)`",
        "finally after `g(a, n=1)`",
        "except Exception: pass around `g(a, n=1)`",
        "g(...) without n",
        "1 -> 0",
        "a < 2: GtE",
        "a < 2: LtE",
    } <= made
