"""Budgets of the workbench: what a slider costs, in Python and on the screen."""

import tempfile
from pathlib import Path

import nbformat
from browser import harness

from lablib.kernel.stdtime import real_perf_counter as clock
from lablib.scenarios.lab01 import VideoQueue
from lablib.views import panels

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
