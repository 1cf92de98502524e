"""Lab 07's exercises: right answers that are written in another way pass, too."""

import pytest
from exercises import lab07_answers, lab07_more_answers

from lablib.exercises import exercise

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.mark.parametrize(
    ("id", "fn"), [*lab07_answers.RIGHT, *lab07_more_answers.RIGHT], ids=lambda x: getattr(x, "__name__", None)
)
def test_an_unusual_right_answer_passes(id, fn):
    verdict = exercise(id).check(fn)
    assert verdict.state == "passed", verdict


def test_a_pass_says_with_what_it_held():
    verdict = exercise("07.producer").check(dict(lab07_answers.RIGHT)["07.producer"])
    for words in ("up to 60 orders", "a broker that crashed", "lost its power", "texts as customers write them"):
        assert words in verdict.text
