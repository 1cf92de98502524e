"""Lab 01's exercises: what is special about them. What all exercises promise is in test_answers.py."""

from itertools import product

import pytest
from exercises import lab01_answers as answers
from exercises.edited_answers import edited

from lablib.exercises import all_exercises, exercise
from lablib.exercises.lab01 import _ABOUT, _LIMIT, Load, rehearse

pytestmark = pytest.mark.usefixtures("own_home")
LAB = [e.id for e in all_exercises() if e.id.startswith("01.")]


def test_no_two_wrong_answers_of_an_exercise_get_the_same_sentence():
    for id in ("01.producer", "01.idempotent"):
        sentences = [exercise(id).check(fn).text.splitlines()[1] for wrong, fn, _ in answers.WRONG if wrong == id]
        assert len(set(sentences)) >= len(sentences) - 1  # a set in memory and one in a global variable fail alike


def test_a_failing_case_can_be_replayed():
    verdict = exercise("01.idempotent").check(answers.idempotent_check_then_act)
    replay = exercise("01.idempotent").replay()
    assert replay.problem in verdict.text
    assert str(replay.case) in repr(replay)
    assert "charged 10 by consumer-2" in replay.story
    assert "charged 10 by consumer-1" in replay.explain("order-1")
    assert len(replay.trace.where("Charged", subject="order-1")) == 2
    assert replay.measures.calls()["ReceiveMessage"] > 2


def test_the_reference_of_the_fleet_keeps_up_in_every_load_that_one_may_think_of():
    """The formula of the solution and the run of the check agree, also where the age comes near to 30 s."""
    fleet = edited("01.fleet")
    loads = [
        Load(*load) for load in product((0.5, 1, 3), (1, 2.3), (1, 3, 6), (0, 28, 45)) if (load[2] > 1) == (load[3] > 0)
    ]
    for load in (*loads, Load(1, 1, 4, 28), Load(0.2, 4, 2, 20)):
        size = fleet(*load)
        age, _ = rehearse(load, size)
        assert age < _LIMIT + _ABOUT, load
        if size > 1:
            age, _ = rehearse(load, size - 1)
            assert age >= _LIMIT - _ABOUT, load


def test_a_failing_case_has_its_places():
    exercise("01.idempotent").check(answers.idempotent_check_then_act)
    topology = exercise("01.idempotent").replay().topology
    assert {place.role for place in topology.places} >= {"producer", "queue", "consumer"}
