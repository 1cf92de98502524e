"""Budgets of the workbench: what a slider costs, in Python and on the screen."""

import tempfile
from pathlib import Path

import nbformat
from browser import harness

from lablib.kernel.stdlib.clocks import real_perf_counter as clock
from lablib.scenarios.lab01 import VideoQueue
from lablib.views import panels
from lablib.workbench import to_html

IMPORT = "from lablib.scenarios.lab01 import VideoQueue"
# Moves a slider n times; each time waits for plotly's picture of the new run, and for the frame in which it is painted.
MOVE = """async ([first, n]) => {
    const plot = document.querySelector('.ml-workbench .ml-plot'), box = plot.closest('.ml-workbench');
    const label = [...box.querySelectorAll('.ml-setting')].find(s => s.textContent.startsWith('spike starts at'));
    const slider = label.querySelector('[type=range]');
    const [low, high] = [Number(slider.min), Number(slider.max)];
    const took = [];
    for (let i = 0; i < n; i++) {
        const began = performance.now();
        const drawn = new Promise(done => plot.once('plotly_afterplot', done));
        slider.value = low + (high - low) * (first + i) / 600;
        slider.dispatchEvent(new Event('input', {bubbles: true}));
        await drawn;
        await new Promise(requestAnimationFrame);
        took.push(performance.now() - began);
        await new Promise(done => setTimeout(done, 150));
    }
    return took;
}"""

# Plays for some seconds and notes how long each frame took from the one before.
PLAY = """async (seconds) => {
    const box = document.querySelector('.ml-workbench');
    [...box.querySelectorAll('button')].find(b => b.ariaLabel?.startsWith('Play')).click();
    const took = [], end = performance.now() + 1000 * seconds;
    let before = await new Promise(requestAnimationFrame);
    while (performance.now() < end) {
        const now = await new Promise(requestAnimationFrame);
        took.push(now - before);
        before = now;
    }
    return took.slice(10);
}"""


def frames(marks=500, seconds=6):
    """Milliseconds from frame to frame, 95th percentile, while `marks` single messages are in view and some move."""
    scenario = VideoQueue(rate=20.0, consumers=3, arrivals="steady", outages=0.0)
    until = marks / 20 + 30
    run = scenario.run(seed=3, until=until)
    start = float(next(t for t, y in zip(run.measures.depth().t, run.measures.depth().y) if y >= marks))
    with tempfile.TemporaryDirectory() as home, harness.chromium() as browser:
        path = to_html(run.at_cursor(start), Path(home) / "run.html")
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(path.as_uri())
        page.locator(".ml-plot .main-svg").first.wait_for()
        page.locator(".ml-speed").evaluate("s => { s.value = 0; s.dispatchEvent(new Event('input')) }")
        took = sorted(page.evaluate(PLAY, seconds))
        page.keyboard.press("Space")
        page.wait_for_timeout(300)
        told = page.locator(".ml-canvas").get_attribute("aria-label") or ""
        assert "waiting" in told and "stands for" not in told, f"not {marks} single marks: {told}"
    middle = took[len(took) // 2]
    return took[int(0.95 * len(took))], f"median {middle:.1f} ms, {marks} marks, Chromium without a graphics card"


def standard_run():
    """Milliseconds for the default run of lab 01 and the curves of its figure: best of several seeds."""

    def measure(seed):
        began = clock()
        panels.overview(VideoQueue().run(seed=seed))
        return (clock() - began) * 1000

    measure(99)
    times = sorted(measure(seed) for seed in range(9))
    return times[0], f"default run and its curves; median of 9 seeds {times[4]:.0f} ms"


def slider_to_paint(n=40):
    """Milliseconds from the move of a slider to the painted figure, 95th percentile, in a real JupyterLab."""
    with tempfile.TemporaryDirectory() as home, harness.chromium() as browser, harness.jupyterlab(Path(home)) as lab:
        cells = [nbformat.v4.new_code_cell(f"from lablib import workbench\n{IMPORT}\nworkbench(VideoQueue)")]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.folder / "bench.ipynb")
        notebook = harness.open_notebook(browser, lab, "bench.ipynb", 1280, 900)
        notebook.run_all()
        notebook.page.locator(".ml-workbench .ml-plot .main-svg").first.wait_for()
        notebook.page.evaluate(MOVE, [1, 5])
        took = sorted(notebook.page.evaluate(MOVE, [10, n]))
    return took[int(0.95 * n)], f"median {took[n // 2]:.0f} ms of {n} moves, headless Chromium"
