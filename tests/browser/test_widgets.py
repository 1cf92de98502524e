"""Widgets and a live plotly figure work in a JupyterLab that `messaging-lab` started, and the harness sees errors."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LIVE = """\
import ipywidgets, plotly.graph_objects as go
class Figure(go.FigureWidget):
    _esm = str(go.FigureWidget._esm)
figure = Figure([go.Bar(x=["a"], y=[1])], layout={"title": "height 1", "yaxis": {"range": [0, 9]}})
rate = ipywidgets.IntSlider(description="rate", value=1, max=9)
def redraw(change):
    with figure.batch_update():
        figure.data[0].y = [change["new"]]
        figure.layout.title.text = f"height {change['new']}"
rate.observe(redraw, "value")
ipywidgets.VBox([rate, figure])"""


def write(lab, name: str, *cells: str) -> str:
    cells = [new_code_cell(cell, id=f"c{i}") for i, cell in enumerate(cells)]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), lab.folder / name)
    return name


def test_a_slider_changes_a_live_figure(lab, open_notebook):
    notebook = open_notebook(write(lab, "live.ipynb", LIVE))
    notebook.run_all()
    title = notebook.page.locator(".gtitle")
    expect(title).to_have_text("height 1")
    bar = notebook.page.locator(".barlayer path").first
    before = bar.get_attribute("d")
    notebook.nudge("rate", 3)
    expect(title).to_have_text("height 4")
    expect(bar).not_to_have_attribute("d", before)
    assert notebook.console_errors == []
    assert notebook.cell_errors() == []


def test_the_harness_sees_an_error_in_a_cell_and_in_the_console(lab, open_notebook):
    notebook = open_notebook(write(lab, "bad.ipynb", "1 / 0", "2"))
    notebook.run_all()
    notebook.page.evaluate("() => console.error('seen')")
    assert "ZeroDivisionError" in "".join(notebook.cell_errors())
    assert notebook.console_errors == ["seen"]


def test_no_question_about_news_is_asked(lab, open_notebook):
    notebook = open_notebook(write(lab, "quiet.ipynb", "1"))
    asked = "@jupyterlab/apputils-extension:notification"
    setting = notebook.page.request.get(f"{lab.base}/lab/api/settings/{asked}?token={lab.token}").json()
    assert setting["schema"]["properties"]["fetchNews"]["default"] == "false", "our setting"
    notebook.run_all()
    assert notebook.page.locator(".Toastify__toast").all_inner_texts() == []
