"""A real JupyterLab, started as a learner starts it, and a headless Chromium that looks at it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, Locator, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_MS = 120_000
RUN_MS = 180_000
PATIENCE_MS = 60_000  # until what must come is given up: a bound for what hangs, no measure of speed
# What libraries say on a slow machine; the lab mends it, see test_late.py.
HARMLESS = ("[anywidget] Failed to initialize model.", "Error: widget model not found")
ERROR = "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"
# All code cells have their number, or one failed and nothing runs. JupyterLab adds cells to the page bit by bit.
# Notes when what stands in a prompt changes.
WATCH = """prompt => {
    delete prompt.dataset.ran;
    const seen = new MutationObserver(() => { prompt.dataset.ran = 'yes'; seen.disconnect(); });
    seen.observe(prompt, {childList: true, characterData: true, subtree: true});
}"""
DONE = """([wanted, error]) => {
    const found = document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt');
    const prompts = [...found].map(prompt => prompt.textContent.trim());
    const numbered = prompts.filter(text => /^\\[\\d+\\]:$/.test(text)).length;
    return numbered >= wanted || (document.querySelector(error) !== null && !prompts.includes('[*]:'));
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless; nothing is downloaded."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Lab:
    """A running JupyterLab: its address, its token, and the folder it serves."""

    base: str
    token: str
    folder: Path

    def address(self, notebook: str) -> str:
        """In a workspace of its own: a reload restores a workspace, with all that other pages opened in it."""
        own = re.sub(r"\W", "-", notebook)
        return f"{self.base}/lab/workspaces/{own}/tree/{notebook}?token={self.token}&reset"

    def forget(self) -> None:
        """From here on one who has guessed, met and passed nothing: what one test did does not show in another."""
        for file in ("missions.json", "predictions.json", "progress.json"):
            (self.folder / ".messaging-lab" / file).unlink(missing_ok=True)


@contextmanager
def jupyterlab(home: Path) -> Iterator[Lab]:
    """`messaging-lab --no-browser` on fresh copies in `home`, with Jupyter's own settings of this machine left out."""
    environment = {k: v for k, v in os.environ.items() if k != "MESSAGING_LAB_HOME"}
    environment |= {"JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_RUNTIME_DIR": str(home / "run")}
    server = subprocess.Popen(
        [sys.executable, "-c", "from lablib.cli import main; raise SystemExit(main())", "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=home,
        env=environment,
    )
    try:
        assert server.stdout
        for line in server.stdout:
            if found := re.search(r"(http://\S+?)/lab\S*\?token=(\S+)", line):
                break
        else:
            raise RuntimeError("messaging-lab ended without an address")
        yield Lab(found[1], found[2], home / "my-labs")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(PATIENCE_MS / 1000 * 3)


@dataclass
class Notebook:
    """A notebook open in the browser, and what went wrong on its page so far."""

    page: Page
    code_cells: int
    console_errors: list[str] = field(default_factory=list)

    def wait_until_idle(self) -> None:
        """The status bar tells; the indicator above the notebook says idle even before there is a kernel."""
        self.page.get_by_text("| Idle").wait_for(timeout=START_MS)

    def run_all(self) -> None:
        """Run > Run All Cells, until each code cell has its number, or one fails."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.page.wait_for_function(DONE, arg=[self.code_cells, ERROR], timeout=RUN_MS)
        self.wait_until_idle()

    def run_cell(self, number: int) -> None:
        """Run one code cell, by its number from 0, and wait. The number beside it may be the one that it had."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)
        prompt = cell.locator(".jp-InputPrompt").element_handle()
        prompt.evaluate(WATCH)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        ran = "prompt => prompt.dataset.ran && /^\\[\\d+\\]:$/.test(prompt.textContent.trim())"
        self.page.wait_for_function(ran, arg=prompt, timeout=RUN_MS)

    def cell_errors(self) -> list[str]:
        """The text of each error, and of anything written to stderr, below a cell."""
        return self.page.locator(ERROR).all_inner_texts()

    def slider(self, label: str) -> Locator:
        """The knob of the slider with this description; focus it and press arrow keys."""
        row = self.page.locator(".jupyter-widgets", has=self.page.locator("> .widget-label", has_text=label))
        return row.locator(".noUi-handle").first

    def nudge(self, label: str, steps: int) -> None:
        knob = self.slider(label)
        knob.scroll_into_view_if_needed()
        knob.focus()
        for _ in range(abs(steps)):
            self.page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")


def open_notebook(
    browser: Browser, lab: Lab, name: str, width: int = 1400, height: int = 1000, script: str = ""
) -> Notebook:
    """A notebook of the lab's folder in a fresh page, when its kernel is ready. A `script` of the page runs first."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.add_init_script(script)
    page.set_default_timeout(PATIENCE_MS)
    cells = nbformat.read(lab.folder / name, as_version=4).cells
    notebook = Notebook(page, sum(cell.cell_type == "code" for cell in cells))

    def note(text: str) -> None:
        if not text.startswith(HARMLESS):
            notebook.console_errors.append(text)

    page.on("console", lambda message: message.type == "error" and note(message.text))
    page.on("pageerror", lambda error: note(str(error)))
    page.goto(lab.address(name))
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=START_MS)
    notebook.wait_until_idle()
    return notebook
