"""The builder of the notebooks: what it derives, what it refuses, and that two builds are the same."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from notebooks import build

SOURCE = '''\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # A tiny lab

# %% tags=["setup"]
import os
import sys

print(os.listdir(os.environ["MESSAGING_LAB_HOME"]), file=sys.stdout)

# %%
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    y = x + x
    return y
    ### END SOLUTION


double(2)

# %%
import ipywidgets

ipywidgets.IntSlider(description="rate")

# %%
from lablib import workbench
from lablib.scenarios.lab01 import VideoQueue

workbench(VideoQueue, until=10.0, compare={"mode": "direct"})
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "solutions").mkdir()
    (tmp_path / "labs").mkdir()
    (tmp_path / "solutions" / "01-tiny.py").write_text(SOURCE)
    return tmp_path


def test_a_region_becomes_one_placeholder_line_at_its_indentation():
    lab, solution = build.derive(
        "# %%\ndef f():\n    ### BEGIN SOLUTION\n    a = 1\n    return a\n    ### END SOLUTION\n", "x.py"
    )
    assert lab == "# %%\ndef f():\n    ...\n"
    assert solution == "# %%\ndef f():\n    a = 1\n    return a\n"


def test_two_regions_in_a_cell():
    lab, _ = build.derive(
        "# %%\n### BEGIN SOLUTION\na\n### END SOLUTION\nb\n### BEGIN SOLUTION\nc\n### END SOLUTION\n", "x.py"
    )
    assert lab == "# %%\n...\nb\n...\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# %%\n### BEGIN SOLUTION\na\n", "x.py:2: this ### BEGIN SOLUTION has no ### END SOLUTION"),
        ("# %%\n### BEGIN SOLUTION\n# %%\n### END SOLUTION\n", "x.py:2: .*in its cell"),
        ("# %%\n### BEGIN SOLUTION\n### BEGIN SOLUTION\n", "x.py:3: .*inside the region opened on line 2"),
        ("# %%\na\n### END SOLUTION\n", "x.py:3: .*closes nothing"),
        ("# %%\n# BEGIN SOLUTION\n", "x.py:2: write '### BEGIN SOLUTION'"),
        ("# %%\na  ### END SOLUTION\n", "x.py:2: write '### BEGIN SOLUTION' or '### END SOLUTION' alone"),
        ("# %% [markdown]\n### BEGIN SOLUTION\n### END SOLUTION\n", "x.py:2: .*belongs in a code cell"),
    ],
)
def test_a_bad_region_is_refused_with_file_and_line(text, message):
    with pytest.raises(build.SourceError, match=message):
        build.derive(text, "x.py")


def test_cell_ids_are_deterministic_unique_and_survive_an_insertion():
    first = build.notebook("# %%\na\n\n# %%\na\n\n# %%\nb\n", "x.py")
    second = build.notebook("# %%\nnew\n\n# %%\na\n\n# %%\na\n\n# %%\nb\n", "x.py")
    ids = [cell.id for cell in first.cells]
    assert len(set(ids)) == 3
    assert [cell.id for cell in second.cells][1:] == ids


def test_the_solution_keeps_what_is_stable_and_the_lab_its_posters(project):
    assert build.main([], project) == 0
    lab, solution = (nbformat.read(project / d / "01-tiny.ipynb", as_version=4) for d in ("labs", "solutions"))
    nbformat.validate(lab)
    assert lab.metadata == {
        "kernelspec": build.KERNEL,
        "language_info": {"name": "python"},
        "messaging_lab": {"source": "solutions/01-tiny.py"},
    }
    assert [cell.cell_type for cell in lab.cells] == ["markdown", *["code"] * 4]
    assert lab.cells[1].metadata.tags == ["setup"]
    assert solution.cells[1].outputs[0].text == "[]\n", "the notebook runs with an empty progress folder"
    assert solution.cells[2].outputs[0].data["text/plain"] == "4"
    assert list(solution.cells[3].outputs[0].data) == ["text/plain"], "no dead widget view is stored"
    assert [cell.execution_count for cell in solution.cells[1:]] == [1, 2, 3, 4]
    assert [cell.execution_count for cell in lab.cells[1:]] == [None, None, None, 4]
    assert [cell.outputs for cell in lab.cells[1:4]] == [[], [], []]
    (poster,) = lab.cells[4].outputs
    assert sorted(poster.data) == ["image/svg+xml", "text/plain"]
    assert poster.data["text/plain"].startswith("Run this cell to start: A front end")
    assert lab.cells[4].metadata.tags == ["nbval-ignore-output"]
    result = solution.cells[4].outputs[0].data["text/plain"]
    assert re.search(r"\d+ sent", result)
    assert not re.search(r"\d+ sent", poster.data["image/svg+xml"]), "the poster gives no result away"


def test_a_rebuild_changes_no_byte(project):
    build.main([], project)
    paths = sorted(project.rglob("*.ipynb"))
    before = [path.read_bytes() for path in paths]
    build.main(["01"], project)
    assert [path.read_bytes() for path in paths] == before


def test_check_names_what_is_out_of_date_and_changes_nothing(project, capsys):
    assert build.main(["--check"], project) == 1
    assert "labs/01-tiny.ipynb is missing" in capsys.readouterr().out
    for folder in ("labs", "solutions"):
        made = build.derived(project / "solutions" / "01-tiny.py")[project / folder / "01-tiny.ipynb"]
        nbformat.write(made, project / folder / "01-tiny.ipynb")
    assert build.main(["--check"], project) == 0

    lab = project / "labs" / "01-tiny.ipynb"
    edited = json.loads(lab.read_text())
    edited["cells"][2]["source"] = "edited by hand"
    lab.write_text(json.dumps(edited))
    (project / "solutions" / "09-gone.ipynb").write_text(lab.read_text())
    capsys.readouterr()
    assert build.main(["--check"], project) == 1
    out = capsys.readouterr().out
    assert "labs/01-tiny.ipynb is out of date at cell 3; run: python tests/notebooks/build.py 01" in out
    assert "solutions/09-gone.ipynb has no source" in out
    assert "solutions/01-tiny" not in out


def test_a_failing_cell_writes_nothing_and_says_which(project, capsys):
    (project / "solutions" / "01-tiny.py").write_text("# %%\n1 / 0\n")
    assert build.main([], project) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert not list(project.rglob("*.ipynb"))


def test_an_unknown_lab_is_one_clear_line(project, capsys):
    assert build.main(["42"], project) == 1
    assert capsys.readouterr().err == "there is no lab '42' in solutions/\n"


@pytest.mark.parametrize("path", build.sources(build.ROOT), ids=lambda path: path.stem)
def test_no_line_of_a_code_cell_scrolls_sideways(path):
    """88 characters: what a cell shows at 1280 pixels without a scroll bar, and the width of solutions/ruff.toml."""
    for text in build.derive(path.read_text(encoding="utf-8"), path.name):
        cells = [cell for cell in build.notebook(text, path.name).cells if cell.cell_type == "code"]
        assert [line for cell in cells for line in cell.source.splitlines() if len(line) > 88] == []
