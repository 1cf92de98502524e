"""The stored notebooks: derived from their sources, run from top to bottom, small, without what nbval cannot check."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from notebooks import build

from lablib.workbench.question import question

SOURCES = build.sources(build.ROOT)
LABS = [build.ROOT / "labs" / f"{source.stem}.ipynb" for source in SOURCES]
SOLUTIONS = [source.with_suffix(".ipynb") for source in SOURCES]
NOTEBOOKS = [*LABS, *SOLUTIONS]
FORBIDDEN = re.compile(r"\binteract\b|\bOutput\(|\bclear_output\b")
MOST_BYTES = 200_000
MOST_POSTER_BYTES = 16_000
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


@pytest.mark.parametrize("path", SOLUTIONS, ids=name)
def test_a_solution_ran_from_top_to_bottom_without_an_error(path):
    for expected, (number, cell) in enumerate(code_cells(path), start=1):
        assert cell.execution_count == expected, f"cell {number}: execution count {cell.execution_count}"
        for output in cell.outputs:
            assert output.output_type != "error", f"cell {number}: {output.ename}: {output.evalue}"
            assert output.get("name") != "stderr", f"cell {number} wrote to stderr: {output.text}"


@pytest.mark.parametrize("path", LABS, ids=name)
def test_a_lab_gives_nothing_away_but_posters(path):
    posters = 0
    for number, cell in code_cells(path):
        tagged = build.IGNORE_OUTPUT in cell.metadata.get("tags", [])
        assert bool(cell.outputs) == (cell.execution_count is not None) == tagged, f"cell {number}"
        for output in cell.outputs:
            posters += 1
            assert sorted(output.data) == [build.SVG, "text/plain"], f"cell {number}"
            assert output.data["text/plain"].startswith("Run this cell to start: ")
    assert posters >= 1


@pytest.mark.parametrize("path", LABS, ids=name)
def test_a_poster_is_a_small_picture_that_says_what_to_do(path):
    for number, cell in code_cells(path):
        for output in cell.outputs:
            svg = output.data[build.SVG]
            assert len(svg.encode()) < MOST_POSTER_BYTES, f"cell {number}"
            root = ElementTree.fromstring(svg)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            words = " ".join(root.itertext())
            assert "Run this cell" in words
            assert "prefers-color-scheme: dark" in words, "it is dark where the page is"
            assert root.find("{*}rect").get("fill") == "#ffffff", "it has a ground of its own"


@pytest.mark.parametrize("path", LABS, ids=name)
def test_no_answer_stands_in_a_cell_of_a_lab(path):
    source = "\n".join(cell.source for _, cell in code_cells(path))
    asked = re.findall(r'predict(?:=|\()"([\w.-]+)"', source)
    assert asked, "a lab asks before it shows"
    assert "Choice(" not in source and "Number(" not in source and "answer=" not in source
    for key in asked:
        found = question(key)
        for told in (*getattr(found, "options", {}).values(), getattr(found, "close", ""), getattr(found, "low", "")):
            assert not told or told not in source, f"{key}: {told!r}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_small_and_without_widget_state(path):
    assert path.stat().st_size < MOST_BYTES
    assert "widgets" not in nbformat.read(path, as_version=4).metadata


CODE = re.compile(r"```.*?```|`[^`]*`", re.S)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_dollar_sign_in_a_text_begins_no_formula(path):
    """JupyterLab sets what stands between two dollar signs as mathematics."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            bare = re.findall(r"(?<!\\)\$.{0,30}", CODE.sub("", cell.source))
            assert not bare, f"write \\$ for {bare[0]!r}"


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
    shutil.copytree(build.ROOT / "lablib" / "texts", tmp_path / "lablib" / "texts")  # missions count for the minutes
    for made in build.build(copy):
        stored = build.ROOT / made.relative_to(tmp_path)
        assert made.read_bytes() == stored.read_bytes(), f"{name(stored)} differs from a fresh build"
