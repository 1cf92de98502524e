"""Lab 03 as a learner meets it: opened in JupyterLab, run from top to bottom, the fleet changed."""

import pytest
from playwright.sync_api import Locator, expect

from lablib.scenarios.lab03 import Trucks

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook(open_notebook):
    """Opened and run once for this file."""
    opened = open_notebook("03-fifo.ipynb")
    opened.run_all()
    return opened


@pytest.fixture
def bench(notebook) -> Locator:
    """The workbench of the lab, with its figure drawn."""
    found = notebook.page.locator(".ml-workbench:has(.ml-plot)").first
    found.scroll_into_view_if_needed()
    expect(found.locator(".ml-plot .main-svg").first).to_be_visible(timeout=30_000)
    return found


def test_it_runs_from_top_to_bottom_without_an_error(notebook):
    assert notebook.cell_errors() == []
    assert notebook.console_errors == []


def test_fewer_consumers_change_the_figure(notebook, bench):
    plot, read = bench.locator(".ml-plot"), "plot => JSON.stringify((plot.data ?? []).map(({x, y}) => [x, y]))"
    before = plot.evaluate(read)
    slider = bench.get_by_role("slider", name=Trucks.params()["consumers"].label, exact=True)
    for _ in range(4):
        slider.press("ArrowLeft")
    for _ in range(100):
        if plot.evaluate(read) != before:
            break
        notebook.page.wait_for_timeout(100)
    else:
        pytest.fail("the figure did not change")
    assert notebook.console_errors == []
