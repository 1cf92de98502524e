"""Lab 01's exercises: what is special about them. What all exercises promise is in test_answers.py."""

import random
from itertools import product

import pytest
from exercises import lab01_answers as answers
from exercises.edited_answers import edited

from lablib.exercises import all_exercises, exercise
from lablib.exercises.lab01 import _LIMIT, Load, rehearse, slack

pytestmark = pytest.mark.usefixtures("own_home")
LAB = [e.id for e in all_exercises() if e.id.startswith("01.")]


def test_wrong_answers_of_an_exercise_get_sentences_of_their_own():
    """Two pairs have one cause: a set in memory and one in a global variable; and who remembers MessageIds is as naive
    as who remembers nothing, where one order is in two messages."""
    for id in ("01.producer", "01.idempotent"):
        sentences = [exercise(id).check(fn).text.splitlines()[1] for wrong, fn, _ in answers.WRONG if wrong == id]
        assert len(set(sentences)) >= len(sentences) - (2 if id == "01.idempotent" else 0)


def test_a_failing_case_can_be_replayed():
    verdict = exercise("01.idempotent").check(answers.idempotent_check_then_act)
    replay = exercise("01.idempotent").replay()
    assert replay.problem in verdict.text
    assert str(replay.case) in repr(replay)
    assert "charged 10.5 by consumer-2" in replay.story
    assert "charged 10.5 by consumer-1" in replay.explain("order-1")
    assert len(replay.trace.where("Charged", subject="order-1")) == 2
    assert replay.measures.calls()["ReceiveMessage"] > 2


def _plausible_loads():
    """Loads that one may think of, up to 40 consumers' work at the peak."""
    spikes = product((0.2, 0.5, 1, 2, 3, 4), (0.5, 1, 2, 5, 8), (2, 3, 4, 5, 8), (10, 28, 30, 60))
    quiet = product((0.1, 0.5, 1, 2, 4), (0.5, 1, 2, 2.3, 5, 10))
    return [Load(*load) for load in spikes if load[0] * load[1] * load[2] <= 40] + [Load(*load) for load in quiet]


def _disagree(loads):
    """Those for which the formula of our solution and the run of the check come to different fleets."""
    fleet, found = edited("01.fleet"), []
    for load in loads:
        size = fleet(*load)
        too_small = rehearse(load, size)[0] >= _LIMIT + slack(load)
        too_big = size > 1 and rehearse(load, size - 1)[0] < _LIMIT - slack(load)
        if too_small or too_big:
            found.append(load)
    return found


def test_the_reference_of_the_fleet_keeps_up():
    near_the_limit = [Load(1, 1, 4, 28), Load(0.2, 4, 2, 20), Load(1, 8, 5, 30), Load(3, 2, 2, 10), Load(4, 10)]
    assert _disagree([*near_the_limit, *random.Random(1).sample(_plausible_loads(), 25)]) == []


@pytest.mark.ci
def test_the_reference_of_the_fleet_keeps_up_in_every_load_that_one_may_think_of():
    loads = _plausible_loads()
    assert len(loads) > 500
    assert _disagree(loads) == []


def test_a_failing_case_has_its_places():
    exercise("01.idempotent").check(answers.idempotent_check_then_act)
    topology = exercise("01.idempotent").replay().topology
    assert {place.role for place in topology.places} >= {"producer", "queue", "consumer"}
