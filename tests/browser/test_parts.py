"""A page that somebody builds from the parts of a workbench: controls, picture, figure; and views that go together."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CELLS = [
    "from ipywidgets import HBox, VBox\nfrom lablib import workbench\nfrom lablib.scenarios.lab01 import VideoQueue",
    "bench = workbench(VideoQueue, seed=7)\nbench",
    "VBox([HBox([bench.control('consumers'), bench.control('mode')]), bench.stage, bench.figure])",
    "bench.cursor = 80.0\nprint(bench.consumers)",
]


@pytest.fixture(scope="module")
def notebook(lab, open_notebook):
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    cells = [new_code_cell(cell, id=f"c{i}") for i, cell in enumerate(CELLS)]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), lab.folder / "parts.ipynb")
    opened = open_notebook("parts.ipynb")
    for number in range(3):
        opened.run_cell(number)
    expect(opened.page.locator(".ml-workbench")).to_have_count(2)
    expect(opened.page.locator(".js-plotly-plot").last).to_be_visible()
    return opened


def shows(notebook, number, condition):
    """Wait until the instant `t` of a view fulfils a condition; a view that is out of sight keeps its time, too."""
    box = notebook.page.locator(".ml-workbench").nth(number).element_handle()
    notebook.page.wait_for_function(f"box => {{ const t = box.workbench.time.t; return {condition}; }}", arg=box)


def test_the_stage_is_the_picture_without_heads_and_missions(notebook):
    whole, part = notebook.page.locator(".ml-workbench").all()
    expect(whole.locator(".ml-missions li").first).to_be_visible()
    expect(part.locator("canvas").first).to_be_visible()
    expect(part.locator(".ml-missions li")).to_have_count(0)
    expect(part.get_by_role("button", name="More")).to_have_count(0)


def test_the_figure_is_as_wide_as_the_picture(notebook):
    stage, plot = notebook.page.locator(".ml-workbench").last, notebook.page.locator(".js-plotly-plot .main-svg").first
    wide = stage.bounding_box()["width"]
    plot = plot.element_handle()
    notebook.page.wait_for_function(f"plot => Math.abs(plot.getBoundingClientRect().width - {wide}) < 30", arg=plot)


def test_no_two_things_on_the_page_have_the_same_id(notebook):
    ids = notebook.page.evaluate("() => [...document.querySelectorAll('.ml-workbench [id]')].map(x => x.id)")
    assert len(ids) > 10
    assert len(set(ids)) == len(ids)
    for view in notebook.page.locator(".ml-workbench:not(.ml-only)").all():
        view.get_by_role("button", name="What if", exact=True).click()
        expect(view.locator(".ml-side").get_by_role("slider", name="arrival rate", exact=True)).to_have_count(1)
        view.get_by_role("button", name="What if", exact=True).click()


def test_code_moves_all_views_and_the_line_in_the_figure(notebook):
    notebook.run_cell(3)
    shows(notebook, 0, "t === 80")
    shows(notebook, 1, "t === 80")
    line = notebook.page.locator(".js-plotly-plot").last
    notebook.page.wait_for_function("plot => plot.layout?.shapes?.[0]?.x0 === 80", arg=line.element_handle())
    one_below_the_other = "plot => plot.layout.yaxis2?.domain[1] < 0.6"  # as the panels were made
    notebook.page.wait_for_function(one_below_the_other, arg=line.element_handle())


def test_one_view_plays_and_the_other_goes_along(notebook):
    page = notebook.page
    first, second = page.locator(".ml-workbench").all()
    second.get_by_role("button", name="Play (Space)").click()
    shows(notebook, 0, "t > 85")
    second.get_by_role("button", name="Pause (Space)").click()
    rest = second.evaluate("box => box.workbench.time.t")
    shows(notebook, 0, f"t === {rest}")
    first.get_by_role("button", name="To the beginning (Home)").click()
    shows(notebook, 1, "t === 0")


def test_a_control_changes_the_run_in_every_part(notebook):
    page = notebook.page
    plot = page.locator(".js-plotly-plot").last
    data = "plot => JSON.stringify(plot.data.map((trace) => trace.y))"
    before = plot.evaluate(data)
    notebook.nudge("consumers", 3)
    page.wait_for_function(f"([plot, before]) => ({data})(plot) !== before", arg=[plot.element_handle(), before])
    for view in page.locator(".ml-workbench").all():
        expect(view.get_by_role("button", name="consumer-6")).to_have_count(1)
    assert notebook.console_errors == []
