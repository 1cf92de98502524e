"""Answers that are our solution with an edit: wrong ones fail with their own reason, unusual right ones pass."""

import re

import pytest
from exercises.edited_answers import RIGHT, WRONG, edited

from lablib.exercises import exercise

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.mark.parametrize(("id", "edits", "patterns"), WRONG)
def test_a_wrong_edit_fails_with_its_own_reason(id, edits, patterns):
    verdict = exercise(id).check(edited(id, *edits))
    assert verdict.state == "failed"
    missing = [p for p in patterns if not re.search(p, verdict.text)]
    assert not missing, verdict.text


@pytest.mark.parametrize(("id", "edits", "unusual"), RIGHT)
def test_an_unusual_right_answer_passes(id, edits, unusual):
    verdict = exercise(id).check(edited(id, *edits))
    assert verdict, verdict
