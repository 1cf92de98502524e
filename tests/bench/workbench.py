"""Budgets of the workbench: what a slider costs, in Python and on the screen."""

import tempfile
from pathlib import Path

import nbformat
from browser import harness

from lablib.kernel.stdlib.clocks import real_perf_counter as clock
from lablib.scenarios.lab01 import VideoQueue
from lablib.views import panels
from lablib.workbench import document, to_html

IMPORT = "from lablib.scenarios.lab01 import VideoQueue"
TWO_LANES = "workbench(VideoQueue, compare={'mode': 'direct'})"
# Moves a slider n times; each time waits until both runs have come, and for the frame in which they are painted.
MOVE = """async ([first, n]) => {
    const box = document.querySelector('.ml-workbench'), bench = box.workbench, took = [];
    const label = [...box.querySelectorAll('.ml-side .ml-setting')].find(s => s.textContent.startsWith('spike starts'));
    const slider = label.querySelector('[type=range]');
    const [low, high] = [Number(slider.min), Number(slider.max)];
    for (let i = 0; i < n; i++) {
        const began = performance.now(), [run, other] = [bench.run, bench.other];
        slider.value = low + (high - low) * (first + i) / 600;
        slider.dispatchEvent(new Event('input', {bubbles: true}));
        while (bench.run === run || bench.other === other) await new Promise(requestAnimationFrame);
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
    until, each = marks / 40 + 8, marks / 2
    runs = [scenario.run(seed=seed, until=until) for seed in (3, 4)]
    depth = runs[0].measures.depth()
    start = float(next(t for t, y in zip(depth.t, depth.y) if y >= each))
    with tempfile.TemporaryDirectory() as home, harness.chromium() as browser:
        path = to_html(runs[0].at_cursor(start), Path(home) / "run.html", runs[1])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(path.as_uri())
        page.locator(".ml-workbench").wait_for()
        bench = "document.querySelector('.ml-workbench').workbench"
        page.evaluate(f"{bench}.settled()")
        page.evaluate(f"{bench}.time.speed = 0.5")
        took = sorted(page.evaluate(PLAY, seconds))
        drawn = page.evaluate(f"{bench}.stage.lanes.reduce((n, lane) => n + lane.marks.length, 0)")
        assert drawn >= marks * 0.95, f"{drawn} single marks, not {marks}"
        assert not page.evaluate(f"{bench}.stage.lanes[0].blocks")
    middle = took[len(took) // 2]
    return took[int(0.95 * len(took))], f"median {middle:.1f} ms, {drawn} marks, Chromium without a graphics card"


def step_bytes():
    """Bytes that one step of a slider sends to the page, with two lanes; the default run of lab 01."""
    lanes = [VideoQueue(mode=mode).run(seed=7) for mode in ("queue", "direct")]
    sent = [len(document.pack(document.describe(run))) for run in lanes]
    return float(sum(sent)), f"{sent[0]} and {sent[1]}"


def standard_run():
    """Milliseconds for the default run of lab 01 and the curves of its figure: best of several seeds."""

    def measure(seed):
        began = clock()
        panels.overview(VideoQueue().run(seed=seed))
        return (clock() - began) * 1000

    measure(99)
    times = sorted(measure(seed) for seed in range(9))
    return times[0], f"default run and its curves; median of 9 seeds {times[4]:.0f} ms"


def first_workbench():
    """Seconds from the start of `messaging-lab` to the first live workbench of lab 01, for one who does not read."""
    with tempfile.TemporaryDirectory() as home, harness.chromium() as browser:
        began = clock()
        with harness.jupyterlab(Path(home)) as lab:
            notebook = harness.open_notebook(browser, lab, "01-sqs.ipynb", 1280, 900)
            opened = clock() - began
            canvas = notebook.page.locator(".ml-workbench canvas")
            for number in range(5):
                notebook.run_cell(number)
                if canvas.count():
                    break
            canvas.first.wait_for()
            took = clock() - began
    return took, f"{opened:.1f} s until the notebook was open and its kernel ready"


def slider_to_paint(n=40):
    """Milliseconds from the move of a slider to two painted lanes, 95th percentile, in a real JupyterLab."""
    with tempfile.TemporaryDirectory() as home, harness.chromium() as browser, harness.jupyterlab(Path(home)) as lab:
        cells = [nbformat.v4.new_code_cell(f"from lablib import workbench\n{IMPORT}\n{TWO_LANES}")]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.folder / "bench.ipynb")
        notebook = harness.open_notebook(browser, lab, "bench.ipynb", 1280, 900)
        notebook.run_all()
        notebook.page.get_by_role("button", name="What if", exact=True).click()
        notebook.page.evaluate(MOVE, [1, 5])
        took = sorted(notebook.page.evaluate(MOVE, [10, n]))
    return took[int(0.95 * n)], f"median {took[n // 2]:.0f} ms of {n} moves, headless Chromium"
