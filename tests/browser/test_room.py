"""Room for everything: in each lab and width, words are whole or can be had, and nothing lies over something else."""

import pytest
from browser import harness
from browser.bench import Bench
from browser.pages import notebook_page, scenarios

from lablib.workbench import workbench

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
    yield opened
    opened.close()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_missions_and_settings_have_room_for_words(page, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    bench = Bench(type("Saved", (), {"page": page}))
    bench.settled()
    pills = bench.box.evaluate(PILLS)
    for n, pill in enumerate(pills):
        assert pill["inside"], pill
        if pill["current"]:
            assert pill["whole"], pill
        elif pill["seen"]:
            assert pill["two"], pill
        else:
            one = bench.box.locator(".ml-missions li").nth(n)
            one.focus()
            assert bench.box.evaluate(PILLS)[n]["seen"], pill
            assert one.inner_text().strip() == pill["text"], "screen readers read it, too"
            one.hover()
            spot = one.locator(".ml-mission").bounding_box()
            assert spot["x"] >= 0, pill
            assert spot["x"] + spot["width"] <= size[0], pill
    bench.open("What if")
    for more in bench.side.locator("summary").all():
        if not more.evaluate("s => s.parentElement.open"):
            more.click()
    assert bench.side.evaluate(CROWDED) == []
