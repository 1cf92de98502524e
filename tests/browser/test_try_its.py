"""What a lab asks to try in its workbench, done in the browser: numbered items, and the missions above the picture."""

import re

import pytest
from browser.bench import Bench
from browser.followers import FOLLOWERS, do, put, to
from playwright.sync_api import Locator, expect
from scenarios import learner
from scenarios.test_missions import GOOD, LABS

from lablib import Action

pytestmark = pytest.mark.browser
BENCHES = learner.benches()
MET = re.compile(r"\bml-met\b")
FOLLOWED = [bench for bench in BENCHES.values() if bench.notebook.split("-")[0] in FOLLOWERS]


def do_here(row: Locator, label: str, action: Action) -> None:
    """Do something now, with what the mission shows for it."""
    if action.target:
        row.get_by_label("To what", exact=True).select_option(action.target)
    if action.value is not None:
        row.get_by_label("How much", exact=True).fill(str(action.value))
    row.get_by_role("button", name=label, exact=True).click()


def opened(open_notebook, name, notebook=None):
    """The notebook (one that is open already, if given) with its first workbench, and nothing else run."""
    notebook = notebook or open_notebook(name)
    sources = notebook.page.locator(".jp-Notebook .jp-CodeCell")
    workbench = next(n for n in range(sources.count()) if "workbench(" in sources.nth(n).inner_text())
    for cell in (0, workbench):
        notebook.run_cell(cell)
    bench = Bench(notebook)
    bench.skip_question()
    return bench


@pytest.mark.parametrize("bench", FOLLOWED, ids=lambda bench: bench.notebook.split("-")[0])
def test_the_items_can_be_done_as_they_are_written(open_notebook, bench):
    lab = bench.notebook.split("-")[0]
    page = opened(open_notebook, bench.notebook)
    page.open("What if")
    for follower in dict.fromkeys(FOLLOWERS[lab][number] for number in sorted(FOLLOWERS[lab])):
        follower(page)
    assert page.notebook.console_errors == []


@pytest.mark.ci
@pytest.mark.parametrize("bench", [BENCHES[lab] for lab in LABS], ids=lambda bench: bench.notebook.split("-")[0])
def test_the_missions_can_be_done_one_after_the_other(open_notebook, bench):
    """With the settings and actions that each shows. What one leaves behind stays. A mission that is met by the first
    of its settings needs no other: the page shows the next then.
    """
    page = opened(open_notebook, bench.notebook)
    page.lift()
    specs = type(bench.scenario).params()
    labels = {name: spec.label for name, spec in specs.items()}
    actions = {spec.kind: spec.label for step in learner.steps(bench, GOOD) for spec in step.scenario.actions()}
    shown = page.box.locator(".ml-mission-controls")
    for number, step in enumerate(learner.steps(bench, GOOD)):
        pill = page.box.locator(".ml-missions li").nth(number)
        met = page.box.locator(f".ml-missions li:nth-child({number + 1}).ml-met")
        for name, value in step.settings.items():
            control = shown.locator("label").get_by_text(labels[name], exact=True)
            expect(control.or_(met).first).to_be_visible()
            put(page, labels[name], value * specs[name].scale if isinstance(value, float) else value)
            page.lift()
        for action in step.actions:
            to(page, action.at)
            if met.count():  # by its settings alone: the row shows the next one
                do(page, actions[action.kind], action.target, action.value)
            else:
                do_here(shown, actions[action.kind], action)
            page.settled()
        page.lift()
        expect(pill).to_have_class(MET)
    # What was met stays met when the cell runs again, though only "Show all" has shown the instant of it.
    again = opened(open_notebook, bench.notebook, page.notebook)
    expect(again.box.locator(".ml-missions li.ml-met")).to_have_count(again.box.locator(".ml-missions li").count())
    assert page.notebook.console_errors == []
