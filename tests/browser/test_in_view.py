"""On a small screen: what was asked for comes into view, whole, and the picture is never empty."""

import re

import pytest
from browser.bench import Bench
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SMALL = {"width": 1280, "height": 720}
VERDICT = (
    """
from lablib import exercise
def consumer(sqs, queue_url, process):
    while True:
        sqs.receive_message(QueueUrl=queue_url)
"""
    + "# more\n" * 24
    + 'exercise("01.consumer").check(consumer)'
)
LETTERS = (
    "from lablib.scenarios.lab02b import QueueToFunction\n"
    "workbench(QueueToFunction, seed=7, reserved=1, max_receives=3, compare={'bad': 0.0})"
)
# No part of the card is covered by its last row, or lies outside of it.
WHOLE = """card => { const row = card.lastElementChild.getBoundingClientRect();
    return [...card.children].slice(1, -1).every(x => x.getBoundingClientRect().bottom <= row.top + 1); }"""
# The lines of a short and of a long sentence, and by how much the picture got lower for the long one.
WRAPPED = """async sentence => {
    const stage = sentence.closest(".ml-workbench").querySelector(".ml-stage"), seen = [];
    const long = "Three of four workers busy, on only two different messages. ".repeat(2);
    for (const words of ["All workers wait for work.", long]) {
        sentence.textContent = words;
        for (let n = 0; n < 4; n++) await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        const line = parseFloat(getComputedStyle(sentence).lineHeight);
        seen.push([Math.round(sentence.clientHeight / line), stage.clientHeight]);
    }
    const [[one, high], [two, low]] = seen;
    return [one, two, high - low]; }"""
# In the frame in which the picture gets another size: is something painted on it?
PAINTED = """async box => { const canvas = box.querySelector(".ml-stage canvas");
    const before = canvas.height;
    box.querySelector(".ml-head").style.paddingBottom = "30px";
    box.style.width = `${box.clientWidth - 40}px`;
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return [before !== canvas.height, data.some(x => x)]; }"""


def with_drawer(run_cells, cell):
    """The bench of a cell on a small screen, with its drawer open."""
    bench = Bench(run_cells(cell, **SMALL))
    bench.skip_question()
    bench.open("What if")
    return bench


def nothing_is_cut(bench):
    """Wait until the card is whole: it grows when what Python says has come."""
    bench.page.wait_for_function(WHOLE, arg=bench.card.element_handle())


def test_what_a_button_of_a_verdict_brings_comes_into_view(run_cells):
    page = run_cells(VERDICT, **SMALL).page
    for name, brought in (("Hint", "Hint 1 of"), ("Solution", "press Solution once more")):
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_text(re.compile(brought))).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_role("button", name="Play (Space)")).to_be_in_viewport(ratio=1)


def test_the_card_of_a_dead_letter_says_so_and_is_whole(run_cells):
    bench = Bench(run_cells(LETTERS, **SMALL))
    bench.skip_question()
    bench.seek(238)
    dead = bench.ask("w => w.run.at(w.time.t).filter(k => w.run.places[k.place].role === 'dead-letter').map(k => k.m)")
    bench.click(f"1m{dead[0]}")
    expect(bench.card.locator(".ml-why")).to_have_text(
        re.compile(r"^In the dead-letter queue since \d+\.\d s: it was received too often without a delete\.$")
    )
    sentence = bench.card.locator(".ml-hint")
    expect(sentence).to_contain_text("Sent at")
    nothing_is_cut(bench)
    expect(bench.card.locator("[aria-current]")).to_be_in_viewport(ratio=0.9)
    expect(bench.card.get_by_role("img", name="Its life so far")).to_contain_text("Dead letters")


def test_why_a_message_came_again_can_be_read_at_once(run_cells):
    bench = Bench(run_cells("workbench(Visibility, seed=5, crashes=0.1, compare={'visibility_timeout': 240})", **SMALL))
    bench.skip_question()
    bench.seek(120)
    bench.click("1m12")
    sentence = bench.card.locator(".ml-hint")
    expect(sentence).to_contain_text("received again at 148.174 s because")
    nothing_is_cut(bench)
    bench.page.wait_for_function("p => p.clientHeight >= 70", arg=sentence.element_handle())  # four lines


@pytest.mark.parametrize("more", ["", ", compare={'visibility_timeout': 240}"])
def test_what_happened_to_a_message_can_be_read_on_a_low_screen(run_cells, more):
    bench = Bench(run_cells(f"workbench(Visibility, seed=5, crashes=0.1{more})", **SMALL))
    bench.skip_question()
    bench.seek(175)
    bench.click(f"{1 if more else 0}m12")
    expect(bench.card.locator(".ml-hint")).to_contain_text("received again at 148.174 s because")
    nothing_is_cut(bench)
    expect(bench.card).to_be_in_viewport(ratio=1)
    clauses = bench.card.get_by_role("list", name="What happened to it")
    four = "list => list.clientHeight >= 4 * list.firstChild.clientHeight"
    bench.page.wait_for_function(four, arg=clauses.element_handle())
    expect(bench.card.locator("[aria-current]")).to_be_in_viewport(ratio=1)


def test_a_sentence_that_wraps_moves_nothing(run_cells):
    bench = with_drawer(run_cells, "workbench(VideoQueue, seed=7)")
    assert bench.say.evaluate(WRAPPED) == [1, 2, 0]


def test_a_slider_says_its_value_in_words_that_agree(run_cells):
    bench = with_drawer(
        run_cells, "from lablib.scenarios.lab02b import QueueToFunction\nworkbench(QueueToFunction, seed=7, reserved=1)"
    )
    bench.side.get_by_text("more settings").click()
    slider = bench.side.get_by_role("slider", name="reserved concurrency")
    expect(slider).to_have_attribute("aria-valuetext", "1 call")
    slider.focus()
    bench.page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "2 calls")
    unit = bench.side.locator(".ml-setting", has=bench.page.get_by_role("slider", name="reserved concurrency")).locator(
        ".ml-unit"
    )
    expect(unit).to_have_text("calls")
    bench.page.keyboard.press("ArrowLeft")
    expect(unit).to_have_text("call")


def test_a_picture_that_changes_its_size_is_never_empty(run_cells):
    bench = Bench(run_cells("workbench(VideoQueue, seed=7)", **SMALL))
    bench.skip_question()
    assert bench.box.evaluate(PAINTED) == [True, True]


def test_printed_lines_break_between_words(run_cells):
    printed = run_cells("print('word ' * 60)").page.locator(".jp-OutputArea-output pre").first
    assert printed.evaluate("pre => getComputedStyle(pre).wordBreak") == "normal"


def test_a_setting_far_down_is_compared_with_the_picture_in_view(run_cells):
    bench = with_drawer(run_cells, "from lablib.scenarios.lab07 import Warehouse\nworkbench(Warehouse)")
    bench.side.get_by_text("more settings").click()
    bench.side.get_by_role("button", name=re.compile("^Compare with another")).last.click()
    bench.settled()
    assert len(bench.ask("w => w.stage.lanes.map(l => l.label)")) == 2
    expect(bench.box.locator(".ml-stage")).to_be_in_viewport(ratio=1)


def test_what_a_setting_means_stays_in_view_while_the_drawer_scrolls(run_cells):
    bench = with_drawer(
        run_cells, "from lablib.scenarios.lab02b import QueueToFunction\nworkbench(QueueToFunction, seed=7)"
    )
    bench.side.get_by_text("more settings").click()
    bench.side.get_by_role("slider").first.focus()
    meaning = bench.side.locator("p.ml-help")
    expect(meaning).to_contain_text("AWS: BatchSize")
    expect(meaning).to_be_in_viewport(ratio=1)


def test_what_can_be_done_to_a_narrow_cell_leaves_its_words_to_be_read(run_cells):
    bench = with_drawer(run_cells, "from lablib.scenarios.lab07 import Warehouse\nworkbench(Warehouse)")
    x, y, wide, high = bench.ask("""w => {
        const actor = w.run.actors.findIndex(a => a.name === 'packer-1');
        const b = w.hits.find(h => h.touch?.actor === actor).touch.at;
        return [b.x, b.y, b.w, b.h]; }""")
    stage = bench.box.locator(".ml-stage").bounding_box()
    bench.page.mouse.move(stage["x"] + x + wide - 20, stage["y"] + y + high / 2)
    buttons = bench.box.get_by_role("group", name="What can be done here")
    expect(buttons).to_be_visible()
    assert buttons.bounding_box()["x"] >= stage["x"] + x + wide - 10
    buttons.get_by_role("button").first.hover()  # the way there does not lead past them
    expect(buttons).to_be_visible()
