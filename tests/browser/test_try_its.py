"""The numbered "Try it" of labs 03 and 04, followed as they are written: each step changes the run."""

import pytest
from browser.bench import Bench

pytestmark = pytest.mark.browser


def opened(open_notebook, name):
    """The notebook with its first workbench, and nothing else run."""
    notebook = open_notebook(name)
    sources = notebook.page.locator(".jp-Notebook .jp-CodeCell")
    workbench = next(n for n in range(sources.count()) if "workbench(" in sources.nth(n).inner_text())
    for cell in (0, workbench):
        notebook.run_cell(cell)
    bench = Bench(notebook)
    bench.skip_question()
    bench.open("What if")
    return bench


def put(bench, label, value):
    """Give a setting of the drawer a value, as it is written there."""
    more = bench.side.locator("details:not([open]) > summary")
    if more.count():
        more.click()
    field = bench.side.get_by_label(f"{label}, exact value", exact=True)
    if field.count():
        field.fill(str(value))
        field.press("Enter")
    elif isinstance(value, bool):
        bench.side.get_by_label(label, exact=True).set_checked(value)
    else:
        bench.side.get_by_label(label, exact=True).select_option(value)
    bench.settled()


def do(bench, label, target="", much=None):
    """Do something now, with the form of the drawer."""
    bench.side.get_by_label("What to do", exact=True).select_option(label=label)
    if target:
        bench.side.get_by_label("To what", exact=True).select_option(target)
    if much is not None:
        bench.side.get_by_label("How much", exact=True).fill(str(much))
    bench.button("Do it").click()
    bench.settled()


def stop_at(bench, t):
    bench.play()
    bench.wait(f"w => w.time.t > {t}")
    bench.pause()


def changes(bench, step):
    before = bench.run()
    step()
    assert bench.run() != before


def test_lab_03(open_notebook):
    bench = opened(open_notebook, "03-fifo.ipynb")
    changes(bench, lambda: put(bench, "message group", "one"))
    changes(bench, lambda: put(bench, "message group", "truck"))
    stop_at(bench, 8)
    changes(bench, lambda: do(bench, "Crash a consumer", "consumer-1"))
    changes(bench, lambda: put(bench, "consumers", 40))
    changes(bench, lambda: put(bench, "trucks", 100))
    changes(bench, lambda: put(bench, "consumers", 100))
    assert bench.notebook.console_errors == []


def test_lab_04(open_notebook):
    bench = opened(open_notebook, "04-sns.ipynb")
    changes(bench, lambda: put(bench, "shop crashes", 0))
    stop_at(bench, 5)
    changes(bench, lambda: do(bench, "Crash the shop"))
    changes(bench, lambda: put(bench, "analytics comes later", True))
    stop_at(bench, 10)
    changes(bench, lambda: do(bench, "Add analytics"))
    changes(bench, lambda: put(bench, "receivers are told", "by topic"))
    changes(bench, lambda: put(bench, "partner is away for", 120))
    changes(bench, lambda: bench.side.get_by_label("Compare with another partner gets it by", exact=True).click())
    stop_at(bench, 15)
    changes(bench, lambda: do(bench, "Take a queue's policy away", "mail", 60))
    changes(bench, lambda: put(bench, "dead-letter queue", True))
    changes(bench, lambda: do(bench, "Partner is slow"))
    assert bench.notebook.console_errors == []
