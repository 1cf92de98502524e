"""A lab before it begins, and after its page was reloaded: posters, and workbenches that come back."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

LABS = Path(__file__).parents[2] / "labs"
pytestmark = pytest.mark.browser

CELLS = [
    "from lablib import workbench\nfrom lablib.scenarios.lab01 import VideoQueue",
    "bench = workbench(VideoQueue, seed=7, until=30.0)\nbench",
    "bench.set(rate=3.0)\nbench.seek(12.5)",
    "bench.seek(20.0)",
    "import asyncio\nwhile bench.cursor:\n    await asyncio.sleep(0.05)\nprint(bench.cursor)",
]


@pytest.fixture(scope="module")
def notebook(lab, open_notebook):
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    cells = [new_code_cell(cell, id=f"c{i}") for i, cell in enumerate(CELLS)]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), lab.folder / "reload.ipynb")
    return open_notebook("reload.ipynb")


@pytest.mark.parametrize("name", ["01-sqs", "04-sns"])
def test_a_lab_that_was_never_run_shows_posters(lab, open_notebook, name):
    shutil.copy(LABS / f"{name}.ipynb", lab.folder / f"{name} fresh.ipynb")  # the same content is as trusted
    opened = open_notebook(f"{name} fresh.ipynb")
    poster = opened.page.locator(".jp-OutputArea-output img[src^='data:image/svg+xml']").first
    poster.scroll_into_view_if_needed()
    expect(poster).to_be_visible()
    opened.page.wait_for_function("img => img.complete && img.naturalWidth > 600", arg=poster.element_handle())
    assert opened.console_errors == []


def test_a_reload_with_a_living_kernel_brings_the_workbench_back(notebook):
    page = notebook.page
    for number in range(3):
        notebook.run_cell(number)
    bench = page.locator(".ml-workbench")
    expect(bench).to_have_count(1)
    before = bench.locator(".ml-now").inner_text()
    assert before.startswith("12.5")
    bench.focus()
    page.keyboard.press("b")  # alone it is the workbench's; JupyterLab would add a cell
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saving completed")).to_be_visible()
    expect(page.locator(".jp-CodeCell")).to_have_count(len(CELLS))
    page.reload()
    expect(bench).to_be_visible()
    expect(page.locator(".jp-Notebook")).to_have_count(1)  # and no notebook of another test beside it
    expect(bench.locator(".ml-now")).to_have_text(before)
    notebook.wait_until_idle()
    assert notebook.console_errors == []


def test_then_code_moves_the_page_and_the_page_moves_the_code(notebook):
    page = notebook.page
    bench = page.locator(".ml-workbench")
    notebook.run_cell(3)
    expect(bench.locator(".ml-now")).to_have_text(re.compile("^20.0"))
    bench.focus()
    bench.press("Home")
    expect(bench.locator(".ml-now")).to_have_text(re.compile("^0.0"))
    notebook.run_cell(4)
    printed = page.locator(".jp-CodeCell").nth(4).locator(".jp-OutputArea-output pre")
    expect(printed).to_have_text("0.0")
    assert notebook.console_errors == []


def test_a_reload_without_the_kernel_says_what_to_do(notebook):
    """Jupyter's own words for it, "model not found", help nobody."""
    page = notebook.page
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name="Shut Down Kernel", exact=True).click()
    page.get_by_text("| No Kernel").or_(page.get_by_text("| Unknown")).wait_for()
    page.reload()
    gone = page.locator(".jp-OutputArea-output.jupyter-widgets").first
    expect(gone).to_have_text(re.compile("model not found"))
    expect(gone).to_have_css("font-size", "0px")
    shown = gone.evaluate("element => getComputedStyle(element, '::before').content")
    assert shown == '"The kernel that made this is gone. Run the cell again: Shift + Enter."'
