"""Lab 01 as a learner meets it: opened in JupyterLab, run from top to bottom, a slider moved, the figure redrawn."""

import pytest
from playwright.sync_api import Locator, expect

from lablib.scenarios.lab01 import VideoQueue

pytestmark = pytest.mark.browser

PLOTTED = "plot => JSON.stringify((plot.data ?? []).map(({x, y}) => [x, y]))"


@pytest.fixture(scope="module")
def notebook(open_notebook):
    """Opened and run once for this file."""
    opened = open_notebook("01-sqs.ipynb")
    opened.run_all()
    return opened


@pytest.fixture
def bench(notebook) -> Locator:
    """The first workbench of the lab, with its figure drawn."""
    found = notebook.page.locator(".ml-workbench:has(.ml-plot)").first
    found.scroll_into_view_if_needed()
    expect(found.locator(".ml-plot .main-svg").first).to_be_visible(timeout=30_000)
    return found


def test_it_runs_from_top_to_bottom_without_an_error(notebook):
    assert notebook.cell_errors() == []
    assert notebook.console_errors == []


def test_a_slider_changes_the_figure_and_back_is_the_same(notebook, bench):
    plot = bench.locator(".ml-plot")
    slider = bench.get_by_role("slider", name=VideoQueue.params()["rate"].label, exact=True)
    before = plot.evaluate(PLOTTED)
    slider.press("ArrowRight")
    changed = settled(notebook, plot, before)
    slider.press("ArrowLeft")
    assert settled(notebook, plot, changed) == before, "the same seed and the same settings give the same figure"
    assert notebook.console_errors == []


def settled(notebook, plot: Locator, before: str) -> str:
    """What is plotted once it differs from `before`; fails after ten seconds."""
    for _ in range(100):
        if (now := plot.evaluate(PLOTTED)) != before:
            return now
        notebook.page.wait_for_timeout(100)
    pytest.fail("the figure did not change")
