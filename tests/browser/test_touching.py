"""What a learner does to the things in the picture with the mouse: each gesture as a hand makes it, and its effect."""

import math
import re

import pytest
from browser.bench import Bench
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# A ring in somebody's hand that has run for a while.
RING = """w => { const held = x => x.touch?.ring && x.touch.ring.mark.holder >= 0 && x.touch.ring.mark.ring < 0.9;
    const {x, y, r, mark} = w.hits.find(held).touch.ring;
    return {x, y, r, ring: mark.ring, whole: mark.k.vu - mark.k.ring}; }"""


@pytest.fixture(scope="module")
def notebook(run_cells):
    return run_cells("workbench(Visibility, rate=0.2, seed=5)")


@pytest.fixture
def bench(notebook):
    """A workbench as it is when it is new, at an instant at which workers are at work; the console stayed silent."""
    notebook.run_all()
    made = Bench(notebook)
    made.skip_question()
    made.seek(40)
    yield made
    assert notebook.console_errors == []


def at(bench, x, y):
    """A point of the picture on the page."""
    box = bench.canvas.bounding_box()
    return box["x"] + x, box["y"] + y


def pull(bench, ring, turn):
    """Take the end of a ring, lead it round by so many turns (clockwise is positive) in small steps, and let go."""
    mouse, start = bench.page.mouse, 1 - ring["ring"]
    for step in range(25):
        angle = 2 * math.pi * (start + turn * step / 24)
        mouse.move(*at(bench, ring["x"] + ring["r"] * math.sin(angle), ring["y"] - ring["r"] * math.cos(angle)))
        if step == 0:
            expect(bench.canvas).to_have_css("cursor", "grab")
            mouse.down()
    expect(bench.box.locator(".ml-bubble")).to_have_text(re.compile(r"visibility timeout \d+ s, from now on"))
    mouse.up()
    bench.settled()


@pytest.mark.parametrize(("turn", "share"), [(-0.3, 1.3), (0.25, 0.75), (-1.2, 2.2)])
def test_the_end_of_a_ring_is_pulled_to_change_the_visibility_timeout(bench, turn, share):
    before, time, ring = bench.run(), bench.time(), bench.ask(RING)
    pull(bench, ring, turn)
    assert bench.time() == time
    assert bench.run() != before
    flag = bench.box.get_by_role("button", name=re.compile("visibility timeout.*, at "))
    expect(flag).to_have_count(1)
    seconds = int(re.search(r"(\d+) s\b", flag.get_attribute("aria-label").split(" at ")[0])[1])
    assert seconds == pytest.approx(ring["whole"] * share, abs=2)
    expect(bench.card).to_be_hidden()  # it was no click on the message
    bench.box.get_by_role("button", name=re.compile("^Take back")).click()
    bench.settled()
    assert bench.run() == before


def test_a_ring_that_is_only_touched_changes_nothing(bench):
    before, ring = bench.run(), bench.ask(RING)
    angle = 2 * math.pi * (1 - ring["ring"])
    bench.page.mouse.click(*at(bench, ring["x"] + ring["r"] * math.sin(angle), ring["y"] - ring["r"] * math.cos(angle)))
    bench.settled()
    assert bench.run() == before


def test_a_click_on_a_message_in_a_hand_asks_about_it_and_does_nothing_to_its_worker(run_cells):
    """Where the workers' boxes are narrow, too: what can be done to a worker lies beside its message."""
    bench = Bench(run_cells("workbench(VideoQueue, consumers=8, seed=7)"))
    bench.seek(75)
    held = bench.ask("w => w.hits.filter(x => x.touch?.ring).map(x => [x.id, x.x, x.y, x.touch.at.x + 4])")
    assert len(held) >= 7
    before = bench.run()
    for _, x, y, left in held:
        bench.page.mouse.move(*at(bench, left, y))  # the buttons of the worker come
        there = bench.box.get_by_role("group", name="What can be done here")
        expect(there.get_by_role("button", name=re.compile("^Crash "))).to_be_visible()
        bench.page.mouse.click(*at(bench, x, y))
        bench.settled()
        expect(bench.card).to_be_visible()
        bench.page.keyboard.press("Escape")
    assert bench.run() == before


def test_one_more_worker_with_the_plus_on_the_fleet(bench):
    before, time = bench.run(), bench.time()
    workers = bench.box.get_by_role("group", name="Things in the picture").get_by_role(
        "button", name=re.compile("consumer-")
    )
    count = workers.count()
    fleet = bench.ask("w => w.run.places.findIndex(p => p.role === 'consumer')")
    bench.hover(f"0q{fleet}")
    plus = bench.box.get_by_role("button", name=f"One worker more: {count + 1}", exact=True)
    expect(plus).to_be_visible()
    plus.click()
    bench.settled()
    expect(workers).to_have_count(count + 1)
    assert bench.run() != before
    assert bench.time() == time
    expect(
        bench.box.get_by_role("button", name=re.compile(f"consumers.*{count + 1}.*, at |workers.*{count + 1}.*, at "))
    ).to_have_count(1)
    bench.hover(f"0q{fleet}")
    expect(bench.box.get_by_role("button", name=f"One worker more: {count + 2}", exact=True)).to_be_visible()


def test_a_burst_at_the_front_end(bench):
    sent = "w => w.run.count('sent', w.run.duration)"
    before, time, waiting = bench.ask(sent), bench.time(), bench.ask("w => w.run.count('waiting', w.time.t + 1)")
    front = bench.ask("w => w.run.places.findIndex(p => p.role === 'producer')")
    bench.hover(f"0p{front}")
    burst = bench.box.get_by_role("button", name=re.compile(r"^Send a burst \((\d+)"))
    expect(burst).to_be_visible()
    many = int(re.search(r"\((\d+)", burst.get_attribute("aria-label"))[1])
    burst.click()
    bench.wait(f"w => ({sent})(w) === {before + many}")
    assert bench.ask("w => w.run.count('waiting', w.time.t + 1)") > waiting + many / 2
    assert bench.time() == time
    expect(bench.box.get_by_role("button", name=re.compile("burst.*, at "))).to_have_count(1)


def test_follow_plays_on_and_the_card_goes_along(bench):
    name, number, *_ = next(mark for mark in bench.marks() if mark[0].startswith("consumer"))
    actor = bench.ask("(w, name) => w.run.actors.findIndex(a => a.name === name)", name)
    bench.click(f"0h{actor}m{number - 1}")
    expect(bench.card).to_be_visible()
    why, time = bench.card.locator(".ml-why"), bench.time()
    before, follow = why.inner_text(), bench.card.get_by_role("button", name="follow", exact=True)
    expect(follow).to_have_attribute("aria-pressed", "false")
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    expect(why).not_to_have_text(before)  # it says what is so now
    expect(why).to_have_text(re.compile("Done|Waiting again|receipt has expired|It stays hidden"))
    expect(bench.card.get_by_role("heading")).to_have_text(f"Message {number}")
    bench.pause()
    assert bench.time() > time
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "false")
    bench.page.keyboard.press("Escape")
    expect(bench.card).to_be_hidden()
