"""Lab 02 as a learner meets it: opened in JupyterLab, run from top to bottom, watched, a setting changed."""

import pytest
from playwright.sync_api import Locator, expect

from lablib.scenarios.lab02 import Visibility

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook(open_notebook):
    """Opened and run once for this file."""
    opened = open_notebook("02-visibility.ipynb")
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


def test_a_heartbeat_changes_the_run(notebook, bench):
    plot, read = bench.locator(".ml-plot"), "plot => JSON.stringify((plot.data ?? []).map(({x, y}) => [x, y]))"
    before = plot.evaluate(read)
    slider = bench.get_by_role("slider", name=Visibility.params()["heartbeat"].label, exact=True)
    for _ in range(10):
        slider.press("ArrowRight")
    for _ in range(100):
        if plot.evaluate(read) != before:
            break
        notebook.page.wait_for_timeout(100)
    else:
        pytest.fail("the figure did not change")
    assert notebook.console_errors == []
