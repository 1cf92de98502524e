"""A learner runs a cell again. No cell of a lab may then find its cloud closed."""

import ast
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
