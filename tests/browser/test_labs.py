"""Each lab as a learner meets it: opened in JupyterLab, run from top to bottom, watched, a setting changed."""

import pytest
from playwright.sync_api import Locator, expect

from lablib.scenarios.lab01 import VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.scenarios.lab03 import Trucks
from lablib.scenarios.lab04 import FanOut

pytestmark = pytest.mark.browser

LABS = {
    "01-sqs": (VideoQueue, "rate"),
    "02-visibility": (Visibility, "heartbeat"),
    "03-fifo": (Trucks, "consumers"),
    "04-sns": (FanOut, "rate"),
}
PLOTTED = "plot => JSON.stringify((plot.data ?? []).map(({x, y}) => [x, y]))"


@pytest.fixture(scope="module", params=LABS)
def lab_name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def notebook(open_notebook, lab_name):
    """Opened and run once."""
    opened = open_notebook(f"{lab_name}.ipynb")
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


def test_it_plays(notebook, bench):
    now = bench.locator(".ml-now")
    assert float(now.inner_text().split()[0]) == 0
    bench.get_by_role("button", name="Watch the run").click()
    notebook.page.wait_for_timeout(1500)
    bench.get_by_role("button", name="Pause").click()
    assert 1 < float(now.inner_text().split()[0]) < 300
    assert notebook.console_errors == []


def test_a_slider_changes_the_figure_and_back_is_the_same(notebook, bench, lab_name):
    scenario, name = LABS[lab_name]
    plot = bench.locator(".ml-plot")
    slider = bench.get_by_role("slider", name=scenario.params()[name].label, exact=True)
    before = plot.evaluate(PLOTTED)
    for _ in range(5):
        slider.press("ArrowRight")
    changed = settled(notebook, plot, before)
    for _ in range(5):
        slider.press("ArrowLeft")
    settled(notebook, plot, changed)
    notebook.page.wait_for_function(
        f"([plot, before]) => ({PLOTTED})(plot) === before", arg=[plot.element_handle(), before]
    )
    assert notebook.console_errors == []


def settled(notebook, plot: Locator, before: str) -> str:
    """What is plotted once it differs from `before`; fails after ten seconds."""
    for _ in range(100):
        if (now := plot.evaluate(PLOTTED)) != before:
            return now
        notebook.page.wait_for_timeout(100)
    pytest.fail("the figure did not change")
