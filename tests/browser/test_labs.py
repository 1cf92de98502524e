"""Each lab as a learner meets it: opened in JupyterLab, run from top to bottom, watched, a setting changed."""

import pytest
from browser.bench import Bench

from lablib.scenarios.lab01 import VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.scenarios.lab02b import QueueToFunction
from lablib.scenarios.lab03 import Trucks
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.lab04b import Uploads
from lablib.scenarios.lab05 import TruckStream
from lablib.scenarios.lab06 import SkiLift
from lablib.scenarios.lab07 import Warehouse

pytestmark = pytest.mark.browser

LABS = {
    "01-sqs": (VideoQueue, "rate"),
    "02-visibility": (Visibility, "heartbeat"),
    "02b-queue-to-lambda": (QueueToFunction, "batch_size"),
    "03-fifo": (Trucks, "consumers"),
    "04-sns": (FanOut, "rate"),
    "04b-uploads": (Uploads, "rate"),
    "05-kinesis": (TruckStream, "every"),
    "06-firehose": (SkiLift, "rate"),
    "07-mq": (Warehouse, "every"),
}


@pytest.fixture(scope="module", params=LABS)
def lab_name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def notebook(open_notebook, lab_name):
    """Opened and run once."""
    opened = open_notebook(f"{lab_name}.ipynb")
    opened.run_all()
    return opened


@pytest.fixture
def bench(notebook) -> Bench:
    """The workbench of the lab."""
    return Bench(notebook)


def test_it_runs_from_top_to_bottom_without_an_error(notebook):
    assert notebook.cell_errors() == []
    assert notebook.console_errors == []


def test_it_plays(notebook, bench):
    bench.skip_question()
    assert bench.time() == 0
    bench.play()
    bench.wait("w => w.time.t > 1")
    bench.pause()
    assert 1 < bench.time() < 300
    assert notebook.console_errors == []


def test_a_slider_changes_the_run_and_back_is_the_same(notebook, bench, lab_name):
    scenario, name = LABS[lab_name]
    bench.skip_question()
    bench.open("What if")
    before = bench.run()
    slider = bench.side.get_by_role("slider", name=scenario.params()[name].label, exact=True)
    for _ in range(3):
        slider.press("ArrowRight")
    bench.settled()
    assert bench.run() != before
    for _ in range(3):
        slider.press("ArrowLeft")
    bench.settled()
    assert bench.run() == before
    assert notebook.console_errors == []
