"""Lab 01's exercises: what is special about them. What all exercises promise is in test_answers.py."""

import pytest
from exercises import lab01_answers as answers

from lablib.exercises import all_exercises, exercise

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
