"""A page on a slow machine. anywidget gives up a widget whose code takes more than two seconds to load (runtime.ts of
0.9.14 to 0.11: `AbortSignal.timeout(2000)`); here it takes too long always. An output gives up a model that it does not
find within two seconds, looking every tenth of one (jupyterlab_widgets 3.0.16); here it does not get to look again.
"""

import re

import nbformat
import pytest
from browser.bench import Bench
from browser.test_parts import CELLS, shows
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

TOO_LATE = "AbortSignal.timeout = () => ({ addEventListener: (_, abort) => abort() });"

STANDS_STILL = """const timer = window.setTimeout;
window.setTimeout = (done, ms, ...rest) => timer(done, ms === 100 ? 2400 : ms, ...rest);"""


@pytest.fixture(scope="module")
def notebook(lab, open_notebook):
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    cells = [new_code_cell(cell, id=f"c{i}") for i, cell in enumerate([*CELLS, "bench.set(consumers=5)"])]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), lab.folder / "late.ipynb")
    opened = open_notebook("late.ipynb", script=TOO_LATE)
    opened.run_all()
    return opened


def test_what_the_kernel_said_meanwhile_is_shown(notebook):
    for view in notebook.page.locator(".ml-workbench").all():
        expect(view.get_by_role("button", name="consumer-5")).to_have_count(1)
    shows(notebook, 0, "t === 80")
    shows(notebook, 1, "t === 80")


def test_the_kernel_answers(notebook):
    bench = Bench(notebook)
    bench.lift()
    expect(bench.tab("Data").get_by_role("row").nth(50)).to_be_attached()


def test_code_and_the_page_move_the_figure(notebook):
    plot = notebook.page.locator(".js-plotly-plot").last.element_handle()
    at = "([plot, t]) => plot.layout?.shapes?.[0]?.x0 === t"
    notebook.page.wait_for_function(at, arg=[plot, 80])
    notebook.page.locator(".ml-workbench").first.focus()
    notebook.page.keyboard.press("Home")
    notebook.page.wait_for_function(at, arg=[plot, 0])
    expect(notebook.page.locator(".ml-now").first).to_have_text(re.compile("^0.0"))
    assert notebook.console_errors == []


def test_what_was_given_up_at_a_reload_is_shown_again(notebook):
    """The last, for it reloads the page. One is in a box of ipywidgets, whose code is not ours."""
    page = notebook.page
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saving completed")).to_be_visible()
    page.add_init_script(STANDS_STILL)
    with page.expect_console_message(lambda message: "widget model not found" in message.text):
        page.reload()
    expect(page.get_by_text("model not found")).to_have_count(0)
    expect(page.locator(".ml-workbench")).to_have_count(2)
    for view in page.locator(".ml-workbench").all():
        expect(view.get_by_role("button", name="consumer-5")).to_have_count(1)
    notebook.wait_until_idle()
    assert notebook.console_errors == []
