"""A learner runs a cell again, or goes straight to an exercise: no cell of a lab may fail then."""

import ast
import contextlib
import io
import re
from pathlib import Path

import nbformat
import pytest

LABS = sorted(Path(__file__).parents[2].glob("labs/*.ipynb"))


def closes(tree):
    """The positions of statements `cloud.close()` at the top of a cell, and of those that make a cloud."""
    closing = [i for i, s in enumerate(tree.body) if ast.unparse(s) == "cloud.close()"]
    making = [i for i, s in enumerate(tree.body) if ast.unparse(s).startswith("cloud = Cloud(")]
    return closing, making


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_a_cell_that_closes_the_cloud_makes_one(path):
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells, 1):
        if cell.cell_type == "code":
            closing, making = closes(ast.parse(cell.source))
            assert making or not closing, f"cell {number} closes the cloud, and fails when it is run again"


def run(source, scope):
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "a cell", "exec"), scope)


def code_of(path):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.ci
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_every_cell_can_be_run_twice(path):
    scope = {"__name__": "__main__"}
    for number, source in enumerate(code_of(path), 1):
        for time in ("once", "twice"):
            try:
                run(source, scope)
            except Exception as error:
                pytest.fail(f"code cell {number}, run {time}: {type(error).__name__}: {error}\n{source}")


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_an_exercise_needs_the_imports_only(path):
    first, *cells = code_of(path)
    exercises = [source for source in cells if "exercise(" in source and "### " not in source and "..." in source]
    assert exercises
    for source in exercises:
        scope = {"__name__": "__main__"}
        run(first, scope)
        run(source, scope)


PAGES = [path for path in LABS if "from ipywidgets" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_of_ones_own_needs_the_imports_only_and_says_a_number(path):
    first, *cells = code_of(path)
    (page,) = [source for source in cells if source.startswith("from ipywidgets")]
    scope = {"__name__": "__main__"}
    run(first, scope)
    run(page, scope)
    (said,) = [value.value for value in scope.values() if type(value).__name__ == "HTML"]
    assert re.fullmatch(r"<b>\d+ [a-z ]+</b>", said), said
