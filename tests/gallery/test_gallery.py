"""Photographs: every lab, and three studies of services to come, in both themes and several sizes, in a folder `shots/`
that git ignores. Look at them. What a test can see of a picture is asserted: it is not empty, and nothing went wrong.
"""

import base64
import html
import itertools
import json
from array import array
from pathlib import Path

import pytest
from gallery.studies import STUDIES

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
from lablib.workbench import bundle, document, to_html

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
SHOTS = HERE / "shots"
THEMES = ("light", "dark")
# Flags narrower than their words, by parts of a pixel: what the browser calls scrollWidth is rounded.
CUT_FLAGS = """[...document.querySelectorAll('.ml-flagname')].filter(flag => {
    const words = document.createRange(), {paddingLeft, paddingRight} = getComputedStyle(flag);
    words.selectNodeContents(flag);
    return words.getBoundingClientRect().width + parseFloat(paddingLeft) + parseFloat(paddingRight)
        > flag.getBoundingClientRect().width + 0.01; }).map(flag => flag.textContent)"""
SIZES = ((1280, 720), (1920, 1080), (900, 700))
LABS = {
    "01-spike": lambda: (VideoQueue().run(seed=7), VideoQueue(mode="direct").run(seed=7), 92),
    "01-crowd": lambda: (VideoQueue(rate=20).run(seed=7), VideoQueue(rate=20, mode="direct").run(seed=7), 92),
    "02-four": lambda: (Visibility(visibility_timeout=8, rate=0.1).run(seed=5), None, 26),
    "03-trucks": lambda: (Trucks().run(seed=7), Trucks(queue_type="standard").run(seed=7), 31),
    "04-orders": lambda: (
        FanOut(shop_crashes=0.15).run(seed=7),
        FanOut(shop_crashes=0.15, way="one by one").run(seed=7),
        99.5,
    ),
    "02b-company": lambda: (QueueToFunction(bad=0.05).run(seed=7), QueueToFunction().run(seed=7), 80),
    "02b-groups": lambda: (QueueToFunction(groups=6, reserved=1, max_receives=3).run(seed=7), None, 120),
    "04-alone": lambda: (FanOut(way="one by one", outage=60.0).run(seed=7), None, 99.5),
    "04b-topic": lambda: (
        Uploads(catalogue=True).run(seed=7, actions=[Action("catalogue_away", 60.0)]),
        Uploads(way="one queue").run(seed=7),
        100,
    ),
    "05-trucks": lambda: (TruckStream().run(seed=7), None, 44),
    "05-hot": lambda: (TruckStream(hot=100.0, every=1.0).run(seed=7), TruckStream(key="constant").run(seed=7), 44),
    "05-readers": lambda: (TruckStream(dashboards=3).run(seed=7, actions=[Action("split", 20.0, "shard-1")]), None, 70),
    "06-both": lambda: (SkiLift(way="both", backup=True).run(seed=7), None, 150),
    "06-outage": lambda: (
        SkiLift(outage=100.0, transform=True, poison=0.1).run(seed=7),
        SkiLift(way="stream").run(seed=7),
        140,
    ),
    "06-hours": lambda: (LongOutage().run(seed=7), None, 60_000),
    "07-cluster": lambda: (
        Cluster().run(seed=7, actions=[Action("power_off", t, f"warehouse-{n}") for t, n in ((20.0, 1), (30.0, 2))]),
        Cluster(queue="classic").run(seed=7, actions=[Action("cut_off", 20.0, "warehouse-1")]),
        45,
    ),
    "07-crash": lambda: (Warehouse().run(seed=7, actions=[Action("crash_broker", 20.0)]), None, 23),
    "07-crowd": lambda: (
        Warehouse(senders=10, consumers=20, work=20.0).run(7, [Action("crash_broker", 20.0)]),
        None,
        40,
    ),
    "07-stored": lambda: (
        Warehouse(persistent="yes", receipts="yes").run(7, [Action("crash_broker", 20.0)]),
        Warehouse(broker="single").run(7, [Action("crash_broker", 20.0)]),
        40,
    ),
}
AT = {"firehose": (30, 61, 150), "mq": (5, 13, 20), "asg": (60, 420, 900)}
BENCH = "document.querySelector('.ml-workbench').workbench"
COLOURS = """() => { const c = document.querySelector('.ml-canvas');
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    const seen = new Set(); for (let i = 0; i < d.length; i += 4 * 97) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);
    return seen.size; }"""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 0; padding: 10px; }} @media (prefers-color-scheme: dark) {{ body {{ background: #11161c; }} }}
{style}</style><main id="workbench"></main><script type="module">{script}
const saved = {saved};
saved.run = Uint8Array.from(atob(saved.run), (c) => c.charCodeAt(0));
mount(document.getElementById("workbench"), savedStore(saved));
</script></html>"""


def study_page(name: str, path: Path) -> Path:
    """A page with a study: the workbench itself, on a document without a run, with a stage that the document brings."""
    title, make = STUDIES[name]
    found = make()
    events = [{"actor": -1, "message": -1, "place": -1, "big": 1, **event} for event in found.get("events", [])]
    empty = {name: array("B") for name in ("message", "delivery", "state", "place", "holder", "ended", "t0", "t1")}
    doc = {
        "title": title, "seed": 0, "duration": found["duration"], "layout": name, "places": [],
        "actors": [], "links": [], "states": [], "reasons": [], "outcomes": {}, "said": {},
        "tokens": {**empty, "sparse": {}}, "messages": 0, "parent": None, "groups": None,
        "servers": [], "events": events, "actions": [],
        "lens": {"painter": name}, "study": found,
        "painters": [(HERE / "painters" / f"{name}.js").read_text(encoding="utf-8")],
    }  # fmt: skip
    state = {
        "values": {}, "canDo": [], "actions": [], "names": None, "share": "", "missions": [],
        "many": {"on": False, "part": 0, "text": ""}, "alarm": "", "question": None, "focus": "", "seed": 0,
        "limits": "2023",
    }  # fmt: skip
    saved = {
        "run": base64.b64encode(document.pack(doc)).decode(), "other": "", "state": state,
        "form": {"title": title, "params": [], "limits": []}, "cursor": 0,
    }  # fmt: skip
    script = bundle.script().replace("\nexport default heard(", "\nvoid heard(")
    script = script.replace("</script", "<\\/script")
    words = {"title": html.escape(title), "style": bundle.style(), "script": script}
    path.write_text(PAGE.format(**words, saved=json.dumps(saved).replace("</", "<\\/")), encoding="utf-8")
    return path


@pytest.fixture
def photograph(chromium):
    """A function that keeps photographs of a page, in both themes and some sizes. What went wrong fails."""

    def take(path: Path, name: str, instants, sizes):
        page = chromium.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.goto(path.as_uri())
        page.locator(".ml-workbench").wait_for()
        page.evaluate(f"{BENCH}.settled()")
        page.evaluate(f"{BENCH}.time.lift()")
        SHOTS.mkdir(exist_ok=True)
        for (width, height), theme, t in itertools.product(sizes, THEMES, instants):
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme)
            page.evaluate(f"{BENCH}.time.seek({t}, true)")
            page.evaluate(f"{BENCH}.settled()")
            if page.locator(".ml-chart, .ml-figure").locator("visible=true").count():
                page.locator(".main-svg").first.wait_for()
            page.screenshot(path=SHOTS / f"{name}-{t:g}-{width}-{theme}.png")
            assert page.evaluate(COLOURS) > 6, f"{name} at {t} s is empty"
            assert width < 1280 or page.evaluate(CUT_FLAGS) == [], f"{name}: there is room for whole flags"
        page.close()
        assert wrong == []

    return take


@pytest.mark.parametrize("name", LABS)
def test_a_photograph_of_each_lab(photograph, tmp_path, name):
    run, other, t = LABS[name]()
    photograph(to_html(run, tmp_path / f"{name}.html", other), name, [t], SIZES)


@pytest.mark.parametrize("name", STUDIES)
def test_what_comes_can_be_drawn_with_painters_that_it_brings_along(photograph, tmp_path, name):
    photograph(study_page(name, tmp_path / f"{name}.html"), name, AT[name], SIZES[:1])
