"""Lab 01's exercises: solutions pass, wrong answers fail with their own reason, and the lab as shipped is not
attempted.
"""

import json
import math
import re
import time

import pytest
from exercises import lab01_answers as answers

from lablib.exercises import all_exercises, exercise

LAB = [e.id for e in all_exercises() if e.id.startswith("01.")]


@pytest.fixture(autouse=True)
def fresh_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(tmp_path))
    for e in all_exercises():
        monkeypatch.setattr(e, "seconds", 300.0)  # a busy machine must not cut the search short
        monkeypatch.setattr(e, "patience", 60.0)


def test_every_exercise_has_wrong_answers():
    assert all(sum(id == wrong for wrong, *_ in answers.WRONG) >= 2 for id in LAB)


@pytest.mark.parametrize("id", LAB)
def test_as_shipped_it_is_not_attempted(id):
    scope = {}
    exec(f"def {exercise(id).signature}:\n    '''Write this.'''\n    ...", scope)
    verdict = exercise(id).check(scope[exercise(id).name])
    assert verdict.state == "not attempted" == exercise(id).state
    assert repr(verdict) == f"{id}: not attempted. Write {exercise(id).signature}, then run this cell again."


@pytest.mark.parametrize("id", LAB)
def test_our_solution_passes(id):
    scope = {"json": json, "math": math, "time": time}
    exec(exercise(id).solution(sure=True), scope)
    verdict = exercise(id).check(scope[exercise(id).name])
    assert verdict.state == "passed" == exercise(id).state, verdict
    assert "stopped early" not in verdict.text
    if exercise(id).par:
        assert verdict.score <= exercise(id).par


@pytest.mark.parametrize(("id", "fn", "patterns"), answers.WRONG, ids=lambda x: getattr(x, "__name__", None))
def test_a_wrong_answer_fails_with_its_own_reason(id, fn, patterns):
    verdict = exercise(id).check(fn)
    assert verdict.state == "failed"
    missing = [p for p in patterns if not re.search(p, verdict.text)]
    assert not missing, verdict.text
    assert len(verdict.text.splitlines()) <= 24


@pytest.mark.parametrize("fn", [answers.idempotent_no_check, answers.idempotent_check_then_act])
def test_the_same_answer_gets_the_same_verdict(fn):
    first, second = exercise("01.idempotent").check(fn), exercise("01.idempotent").check(fn)
    assert first == second
    assert first.replay().trace.digest() == second.replay().trace.digest()


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
