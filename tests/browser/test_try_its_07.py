"""The numbered "Try it" of lab 07, in its two workbenches, done in the browser as they are written."""

from pathlib import Path

import nbformat
import pytest
from browser.bench import Bench
from browser.followers import do, put, stop_at, to
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LAB = Path(__file__).parents[2] / "labs" / "07-mq.ipynb"
LED = "w => w.run.lens.leads.find(([from, to]) => from <= w.time.t && w.time.t < to)?.[2] ?? ''"  # which node leads now


def opened(open_notebook, made):
    """The notebook with the workbench that is made so, and nothing else run."""
    notebook = open_notebook(LAB.name)
    cells = [cell.source for cell in nbformat.read(LAB, as_version=4).cells if cell.cell_type == "code"]
    for cell in (0, next(n for n, source in enumerate(cells) if made in source)):
        notebook.run_cell(cell)
    bench = Bench(notebook)
    bench.open("What if")
    return bench


def changes(bench, step):
    before = bench.run()
    step()
    assert bench.run() != before


def test_failover(open_notebook):
    bench = opened(open_notebook, "workbench(Warehouse")
    stop_at(bench, 20)
    changes(bench, lambda: do(bench, "Crash the active broker"))
    stop_at(bench, 32)
    name = "w => w.run.lens.clients.findIndex(c => c.name === 'packer-1')"
    done = bench.ask(f"w => w.run.lens.clients[({name})(w)].done.filter(at => at <= w.time.t).length")
    top = bench.ask("(w, id) => w.hits.find(x => x.id === id).y", f"0c{bench.ask(name)}")
    bench.canvas.click(position={"x": 40, "y": top + 10})  # on its name: below it are a mark and its buttons
    expect(bench.card).to_contain_text(f"{done} messages done.")
    bench.page.keyboard.press("Escape")
    bench.click("0b0")
    expect(bench.card).to_contain_text("Gone for 12 s. 0 clients connected. Messages: 13 lost with its memory.")
    bench.page.keyboard.press("Escape")
    changes(bench, lambda: put(bench, "persistent", "yes"))
    changes(bench, lambda: put(bench, "receipts", "yes"))
    changes(bench, lambda: put(bench, "clients know", "first"))
    changes(bench, lambda: put(bench, "clients know", "both"))
    changes(bench, lambda: put(bench, "senders", 8))
    changes(bench, lambda: bench.side.get_by_label("Compare with another between two tries", exact=True).click())
    assert bench.notebook.console_errors == []


def test_cluster(open_notebook):
    bench = opened(open_notebook, "workbench(Cluster")
    stop_at(bench, 20)
    leader = bench.ask(LED)
    changes(bench, lambda: do(bench, "Power off a node", leader))
    stop_at(bench, 30)
    second = bench.ask(LED)
    follower = next(node for node in ("warehouse-1", "warehouse-2", "warehouse-3") if node not in (leader, second))
    assert second not in ("", leader)
    changes(bench, lambda: do(bench, "Power off a node", follower))
    stop_at(bench, 38)
    assert bench.ask(LED) == ""
    stop_at(bench, 80)
    assert bench.ask(LED)
    cut = bench.ask(LED)
    changes(bench, lambda: do(bench, "Cut a node off", cut, 30))
    to(bench, 82)
    expect(bench.say).to_contain_text(f"{cut} leads; 3 of 3 nodes are there, but {cut} is cut off.")
    to(bench, 87)
    assert bench.ask(LED) not in ("", cut)
    bench.click(f"0n{int(cut[-1]) - 1}")
    expect(bench.card).to_contain_text("No majority: decides nothing, cut off from the others.")
    assert bench.notebook.console_errors == []
