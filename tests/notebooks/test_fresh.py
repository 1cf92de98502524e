"""The stored notebooks: derived from their sources, run from top to bottom, small, without what nbval cannot check."""

import re
from pathlib import Path

import nbformat
import pytest
from notebooks import build

SOURCES = build.sources(build.ROOT)
NOTEBOOKS = [folder / f"{source.stem}.ipynb" for source in SOURCES for folder in (build.ROOT / "labs", source.parent)]
FORBIDDEN = re.compile(r"\binteract\b|\bOutput\(|\bclear_output\b")
MOST_BYTES = 200_000
MOST_LINES = 25


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def code_cells(path: Path) -> list[tuple[int, nbformat.NotebookNode]]:
    cells = nbformat.read(path, as_version=4).cells
    return [(number, cell) for number, cell in enumerate(cells, start=1) if cell.cell_type == "code"]


def test_there_are_labs():
    assert SOURCES, "solutions/ holds no lab"


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_derived_from_its_source(source):
    assert list(build.stale(source)) == []


def test_no_notebook_without_a_source():
    assert list(build.orphans(build.ROOT)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_ran_from_top_to_bottom_without_an_error(path):
    for expected, (number, cell) in enumerate(code_cells(path), start=1):
        assert cell.execution_count == expected, f"cell {number}: execution count {cell.execution_count}"
        for output in cell.outputs:
            assert output.output_type != "error", f"cell {number}: {output.ename}: {output.evalue}"
            assert output.get("name") != "stderr", f"cell {number} wrote to stderr: {output.text}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_small_and_without_widget_state(path):
    assert path.stat().st_size < MOST_BYTES
    assert "widgets" not in nbformat.read(path, as_version=4).metadata


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_cells_are_short_and_nbval_can_check_them(path):
    for number, cell in code_cells(path):
        lines = len(cell.source.splitlines())
        assert lines <= MOST_LINES, f"cell {number} has {lines} lines; move what the learner need not read into lablib"
        found = FORBIDDEN.search(cell.source)
        assert not found, f"cell {number} uses {found}: its output is not comparable"


@pytest.mark.ci
@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_a_rebuild_changes_no_byte(source, tmp_path):
    copy = tmp_path / "solutions" / source.name
    copy.parent.mkdir()
    copy.write_bytes(source.read_bytes())
    for made in build.build(copy):
        stored = build.ROOT / made.relative_to(tmp_path)
        assert made.read_bytes() == stored.read_bytes(), f"{name(stored)} differs from a fresh build"
