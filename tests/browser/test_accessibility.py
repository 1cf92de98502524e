"""Everybody can use it: axe finds nothing in any state of a page, and a mission can be done with the keyboard alone."""

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import harness
from browser.bench import Bench
from playwright.sync_api import expect

from lablib.scenarios import Action
from lablib.scenarios.lab01 import VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.scenarios.lab02b import QueueToFunction
from lablib.scenarios.lab03 import Trucks
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.lab04b import Uploads
from lablib.scenarios.lab05 import TruckStream
from lablib.scenarios.lab06 import LongOutage, SkiLift
from lablib.scenarios.lab07 import Warehouse
from lablib.scenarios.lab07_cluster import Cluster
from lablib.workbench import to_html

pytestmark = pytest.mark.browser

RUNS = {
    "01": lambda: (VideoQueue().run(7, [Action("crash", 64.0, "consumer-1")]), VideoQueue(mode="direct").run(7)),
    "02": lambda: (Visibility(visibility_timeout=8, rate=0.1).run(seed=5), None),
    "03": lambda: (Trucks().run(seed=7), None),
    "04": lambda: (FanOut().run(seed=7), None),
    "02b": lambda: (QueueToFunction(bad=0.05).run(seed=7), QueueToFunction().run(seed=7)),
    "04b": lambda: (Uploads(catalogue=True).run(seed=7), Uploads(way="one queue").run(seed=7)),
    "05": lambda: (TruckStream().run(seed=7), None),
    "06": lambda: (SkiLift(way="both").run(seed=7), None),
    "06 for hours": lambda: (LongOutage().run(seed=7), None),
    "07": lambda: (Warehouse().run(7, [Action("crash_broker", 20.0)]), None),
    "07 cluster": lambda: (Cluster().run(7, [Action("power_off", 20.0, "warehouse-1")]), None),
}
FOCUSED = "() => { const e = document.activeElement; return e.ariaLabel || e.innerText || e.title || e.tagName; }"


def violations(page, within=None):
    """What axe has to say, a line for each finding."""
    found = Axe().run(page, context=within).response["violations"]
    return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lab", RUNS)
def test_axe_finds_nothing_on_a_kept_page(chromium, tmp_path, lab, scheme):
    run, other = RUNS[lab]()
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(harness.PATIENCE_MS)
    page.goto(to_html(run, tmp_path / "run.html", other).as_uri())
    bench = Bench(type("Saved", (), {"page": page}))
    expect(page.get_by_role("heading", level=1)).to_have_js_property("offsetHeight", 1)  # for screen readers only
    assert violations(page) == []
    bench.lift()
    bench.open("Lanes")
    for tab in ("What happened", "Numbers", "Ask why", "Data", *(["Compare"] if other else [])):
        bench.tab(tab)
        assert violations(page) == [], tab
    page.close()


def write(lab, *cells):
    """A notebook of these cells in the learner's folder; its name."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    nbformat.write(book, lab.folder / "everybody.ipynb")
    return "everybody.ipynb"


def tab_to(page, name, most=60):
    """Press Tab until something of that name has the focus."""
    seen = []
    for _ in range(most):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED).strip())
        if seen[-1].startswith(name):
            return
    raise AssertionError(f"{name!r} is not reached with Tab; seen: {seen}")


def test_a_mission_is_done_with_the_keyboard_alone_and_axe_finds_nothing_on_the_way(open_notebook, lab):
    cells = (
        "from lablib import exercise, workbench\nfrom lablib.scenarios.lab01 import VideoQueue\n"
        "from lablib.workbench import predict\nworkbench(VideoQueue, mode='direct', seed=7)",
        "predict('01.spike')",
        "exercise('01.producer').check(lambda *a: None)",
    )
    notebook = open_notebook(write(lab, *cells))
    notebook.run_all()
    page, bench = notebook.page, Bench(notebook)
    bench.skip_question()
    for part in (".ml-workbench", ".ml-predict", ".ml-verdict"):
        if page.locator(part).count():
            assert violations(page, part) == [], part
    notebook.page.locator(".jp-Notebook .jp-CodeCell").first.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    bench = Bench(notebook)
    met = bench.box.locator(".ml-missions .ml-met")
    expect(met).to_have_count(0)
    tab_to(page, "queue")  # a list: queue, direct
    page.keyboard.type("q")
    bench.settled()
    tab_to(page, "consumers, exact value")
    page.keyboard.press("Control+A")
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    bench.settled()
    tab_to(page, "Show all")
    page.keyboard.press("Enter")
    expect(met).to_have_text("Four workers, and no video lost. (met)")
