"""Room for everything: in each lab and width, words are whole or can be had, and nothing lies over something else."""

import re
from pathlib import Path

import pytest
from browser import harness
from browser.bench import Bench
from browser.pages import notebook_page, scenarios
from playwright.sync_api import expect

from lablib.scenarios import Action
from lablib.scenarios.lab01 import VideoQueue
from lablib.scenarios.lab02b import QueueToFunction
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.lab04b import Uploads
from lablib.scenarios.lab05 import TruckStream
from lablib.scenarios.lab06 import SkiLift
from lablib.scenarios.lab07 import Warehouse
from lablib.scenarios.lab07_cluster import Cluster
from lablib.workbench import to_html, workbench

pytestmark = pytest.mark.browser

SIZES = ((1440, 900), (1280, 720), (890, 720), (700, 900))
# The pills: what each says, and whether it shows all of that, or two words at least, or a number only.
PILLS = """box => [...box.querySelectorAll(".ml-missions li")].map(li => {
    const words = li.querySelector(".ml-mission"), text = words.firstChild, range = document.createRange();
    const room = words.clientWidth + 1, wide = count => {
        range.setStart(text, 0); range.setEnd(text, text.data.split(" ").slice(0, count).join(" ").length);
        return range.getBoundingClientRect().width;
    };
    const {left, right} = li.getBoundingClientRect(), b = box.getBoundingClientRect();
    return {text: text.data, current: li.ariaCurrent === "step", inside: left >= b.left && right <= b.right + 1,
        whole: wide(Infinity) <= room, two: wide(2) <= room, seen: getComputedStyle(words).opacity > 0};
})"""
# The labels that share a line with their field and have no room there, or are cut; fields that lost their A|B.
CROWDED = """side => [...side.querySelectorAll(".ml-setting")].filter(one => {
    if (!one.offsetParent) return false;
    const at = query => one.querySelector(query).getBoundingClientRect(), label = one.querySelector("label");
    const range = document.createRange();
    range.selectNodeContents(label);
    const lines = new Set([...range.getClientRects()].map(r => r.top)).size;
    const field = at("input:not([type=range]), select"), compare = at(".ml-ab");
    const cut = label.scrollWidth > label.clientWidth + 1;
    const beside = field.top < at("label").bottom - 1, out = compare.right > one.getBoundingClientRect().right + 1;
    return (lines > 1 && beside) || cut || out || compare.top > field.bottom;
}).map(one => one.innerText)"""


@pytest.fixture(scope="module", params=scenarios())
def page(request, chromium, tmp_path_factory):
    """A lab's workbench as in a notebook."""
    made = workbench(scenarios()[request.param], seed=7)
    opened = chromium.new_page()
    opened.set_default_timeout(harness.PATIENCE_MS)
    opened.goto(notebook_page(made, tmp_path_factory.mktemp("room") / "page.html").as_uri())
    opened.missions = len(made.run.scenario.missions)
    yield opened
    opened.close()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_missions_and_settings_have_room_for_words(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    bench = Bench(type("Saved", (), {"page": page}))
    bench.settled()
    pills = bench.box.evaluate(PILLS)
    assert len(pills) == page.missions
    for n, pill in enumerate(pills):
        assert pill["inside"], pill
        if pill["current"]:
            assert pill["whole"], pill
        elif pill["seen"]:
            assert pill["two"], pill
        else:
            one = bench.box.locator(".ml-missions li").nth(n)
            words = one.locator(".ml-mission")
            one.focus()
            expect(words).to_have_css("opacity", "1")
            expect(one).to_have_text(pill["text"])  # screen readers read it, too
            one.hover()
            expect(words).to_have_css("opacity", "1")
            spot = words.bounding_box()
            assert spot["x"] >= 0, pill
            assert spot["x"] + spot["width"] <= size[0], pill
    bench.open("What if")
    for more in bench.side.locator("details:not([open]) summary").all():
        more.click()
    expect(bench.side.locator("details:not([open])")).to_have_count(0)
    bench.settled()
    assert bench.side.evaluate(CROWDED) == []


@pytest.mark.parametrize("page", [name for name, one in scenarios().items() if one.missions], indirect=True)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_why_a_mission_is_not_met_is_whole(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    bench = Bench(type("Saved", (), {"page": page}))
    bench.lift()
    why = bench.box.locator(".ml-mission-controls .ml-near")
    expect(bench.box.locator(".ml-missions .ml-todo")).to_be_visible()
    expect(why).to_have_text(re.compile("^Not yet: .*[.]$"))
    assert why.evaluate("why => why.scrollWidth <= why.clientWidth"), why.inner_text()


# ---- the picture -----------------------------------------------------------------------------------------------------

PICTURE = Path(__file__).with_name("picture.js").read_text(encoding="utf-8")
# The picture of a window of 1280, 890 (JupyterLab with its side bar) and 700 pixels; on a projector; beside the drawer.
ROOMS = ((1240, 480), (850, 450), (660, 560), (1850, 870))
PICTURES = [(w, h, big) for w, h in ROOMS for big in (False, True)] + [(574, 341, False)]
BUSY = {
    "01": lambda: VideoQueue().run(7, [Action("crash", at, f"consumer-{n}") for n, at in ((1, 72.0), (2, 170.0))]),
    "02b": lambda: QueueToFunction(bad=0.05, max_receives=3).run(seed=7),
    "04": lambda: FanOut(dead_letters=True, outage=100.0).run(seed=7),
    "04b": lambda: Uploads(catalogue=True).run(7, [Action("catalogue_away", 60.0)]),
    "05": lambda: TruckStream(dashboards=3, hot=100.0, every=1.0).run(7, [Action("split", 20.0, "shard-1")]),
    "06": lambda: SkiLift(way="both", backup=True, transform=True, poison=0.1).run(seed=7),
    "07": lambda: Warehouse().run(7, [Action("crash_broker", 20.0)]),
    "07 cluster": lambda: Cluster().run(7, [Action("power_off", 20.0 + n, f"warehouse-{n}") for n in (2, 3)]),
}


def plain(scenario):
    return lambda: scenario().run(seed=7)


@pytest.mark.parametrize("make", [*map(plain, scenarios().values()), *BUSY.values()], ids=[*scenarios(), *BUSY])
def test_nothing_in_a_picture_is_cut_or_lies_over_something_else(chromium, tmp_path, make):
    run = make()
    times = [t for action in run.actions for t in (action.at - 0.5, action.at)]  # a learner stops there, to act
    for other in (None, type(run.scenario)().run(seed=8)):
        page = chromium.new_page()
        page.set_default_timeout(harness.PATIENCE_MS)
        page.goto(to_html(run, tmp_path / "run.html", other).as_uri())
        Bench(type("Saved", (), {"page": page}))
        found = [
            (size, t, wrong)
            for size in PICTURES
            for t in (run.until * 0.25, run.until * 0.6, *times)
            if (wrong := page.evaluate(PICTURE, [t, *size]))
        ]
        page.close()
        assert not found, found
