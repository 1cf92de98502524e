"""What every exercise of every lab promises: as shipped it is not attempted, our solution passes, each recorded wrong
answer fails with its own reason, and the same answer always gets the same verdict.
"""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from lablib.exercises import all_exercises, exercise

pytestmark = pytest.mark.usefixtures("own_home")
SOLUTIONS = Path(__file__).parents[2] / "solutions"
IDS = [e.id for e in all_exercises()]
ANSWERS = sorted(path.stem for path in Path(__file__).parent.glob("*_answers.py"))
LABS = [import_module(f"exercises.{name}") for name in ANSWERS if name.startswith(("lab", "newcomer", "verdict"))]
WRONG = [wrong for lab in LABS for wrong in lab.WRONG]
RIGHT = [right for lab in LABS for right in getattr(lab, "RIGHT", ())]


@pytest.mark.parametrize("id", IDS)
def test_it_has_at_least_two_recorded_wrong_answers(id):
    assert sum(id == wrong for wrong, *_ in WRONG) >= 2


@pytest.mark.parametrize("id", IDS)
def test_as_shipped_it_is_not_attempted(id):
    scope = {}
    exec(f"def {exercise(id).signature}:\n    '''Write this.'''\n    ...", scope)
    verdict = exercise(id).check(scope[exercise(id).name])
    assert verdict.state == "not attempted" == exercise(id).state
    assert repr(verdict) == f"{id}: not attempted. Write {exercise(id).signature}, run its cell, then check it again."


def _what_the_notebook_has(id):
    """The imports and the functions of the lab's source: a solution may use them."""
    (source,) = SOLUTIONS.glob(f"{id.partition('.')[0]}-*.py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)]
    scope = {}
    exec(compile(tree, source.name, "exec"), scope)
    return scope


@pytest.mark.parametrize("id", IDS)
def test_our_solution_passes(id):
    scope = _what_the_notebook_has(id)
    exec(exercise(id).solution(sure=True), scope)
    verdict = exercise(id).check(scope[exercise(id).name])
    assert verdict.state == "passed" == exercise(id).state, verdict
    if exercise(id).par:
        assert verdict.score <= exercise(id).par


@pytest.mark.parametrize(("id", "fn"), RIGHT, ids=lambda x: getattr(x, "__name__", None))
def test_another_right_answer_passes(id, fn):
    verdict = exercise(id).check(fn)
    assert verdict.state == "passed", verdict


@pytest.mark.parametrize(("id", "fn", "patterns"), WRONG, ids=lambda x: getattr(x, "__name__", None))
def test_a_wrong_answer_fails_with_its_own_reason(id, fn, patterns):
    verdict = exercise(id).check(fn)
    assert verdict.state == "failed"
    missing = [p for p in patterns if not re.search(p, verdict.text)]
    assert not missing, verdict.text
    assert len(verdict.text.splitlines()) <= 24
    if id.startswith(("05", "06")):
        assert not re.search(r"\bmessages?\b", verdict.text), f"streams have records:\n{verdict.text}"


@pytest.mark.parametrize("id", IDS)
def test_the_same_answer_gets_the_same_verdict(id):
    fn = [fn for wrong, fn, _ in WRONG if wrong == id][-1]
    first, second = exercise(id).check(fn), exercise(id).check(fn)
    assert first == second
    assert first.replay().trace.digest() == second.replay().trace.digest()
