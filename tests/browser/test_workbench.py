"""The workbench in a real JupyterLab: each thing a learner can do with it, done as a learner does it."""

import itertools
import re

import pytest
from browser import harness
from browser.bench import Bench
from browser.followers import do, put
from playwright.sync_api import expect

from lablib.scenarios import Action
from lablib.scenarios.lab01 import VideoQueue
from lablib.scenarios.lab03 import Trucks
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.lab04b import Uploads
from lablib.workbench import to_html

pytestmark = pytest.mark.browser

PIXELS = "canvas => canvas.toDataURL()"


@pytest.fixture(scope="module")
def notebook(run_cells):
    forget = "from lablib.workbench import widget\nwidget._watched.clear()"  # no test has seen the run before
    return run_cells(f"{forget}\nw = workbench(VideoQueue, seed=7)\nw", "print(w.run)")


@pytest.fixture
def bench(notebook, lab):
    """A workbench as it is when it is new; the console stayed silent."""
    lab.forget()
    notebook.run_all()
    made = Bench(notebook)
    yield made
    assert notebook.console_errors == []


@pytest.fixture
def kept(chromium, tmp_path):
    """A function that opens a kept page in a window of its own."""
    pages = []

    def open_page(run, other=None, **view):
        path = to_html(run, tmp_path / f"run-{len(pages)}.html", other)
        page = chromium.new_page(**{"viewport": {"width": 1280, "height": 720}, **view})
        page.set_default_timeout(harness.PATIENCE_MS)
        pages.append(page)
        page.goto(path.as_uri())
        return Bench(type("Saved", (), {"page": page}))

    yield open_page
    for page in pages:
        page.close()


# ---- the first view --------------------------------------------------------------------------------------------------


def test_at_first_there_is_the_question_the_picture_the_curve_and_one_sentence(bench):
    expect(bench.box.get_by_role("heading", level=3)).to_be_visible()
    for part in (bench.canvas, bench.scrub, bench.say, bench.button("Play (Space)")):
        expect(part).to_be_in_viewport(ratio=0.99)
    expect(bench.side).to_be_hidden()
    expect(bench.more).to_be_hidden()
    assert bench.time() == 0


def test_nothing_of_the_future_is_told_before_it_was_watched(bench):
    """The fog, on the page's text: what the kernel knows of the run stands nowhere yet."""
    results = VideoQueue().run(seed=7).measures.line()
    for name in ("What happened", "Numbers", "Compare", "Data"):
        bench.tab(name)
    text = bench.box.evaluate("box => box.innerText + [...box.querySelectorAll('[aria-label]')].map(e => e.ariaLabel)")
    for number in re.findall(r"\d{2,}", results):
        assert not re.search(rf"\b{number}\b", text.replace("300", "")), f"{number} of {results!r} is told"
    expect(bench.tab("Numbers")).to_contain_text("Watch the run to its end first")
    bench.lift()
    expect(bench.tab("Numbers").get_by_role("row").first).to_be_visible()
    expect(bench.tab("Data").get_by_role("row").nth(50)).to_be_attached()


def test_the_curve_does_not_tell_how_high_it_will_be(kept):
    calm, busy = (kept(VideoQueue(rate=rate).run(seed=7)) for rate in (1.0, 8.0))
    for page in (calm, busy):
        page.wait("w => w.scrub.scaled === 0")
    assert calm.scrub.screenshot() == busy.scrub.screenshot()
    busy.play()
    busy.wait("w => w.scrub.top > 5")  # it grows with what is seen
    assert calm.ask("w => w.scrub.top") < busy.ask("w => w.scrub.top")
    busy.lift()
    busy.wait("w => w.scrub.scaled === Infinity")
    assert busy.ask("w => w.scrub.top") >= VideoQueue(rate=8.0).run(seed=7).measures.depth().max


def test_a_seek_goes_no_further_than_was_watched_and_show_all_lifts_the_fog(bench):
    x = bench.ask("w => w.scrub.X(200)")
    bench.scrub.click(position={"x": x, "y": 40})
    assert bench.time() == 0
    bench.seek(200)
    assert bench.time() == pytest.approx(200, abs=0.5)
    expect(bench.button("Show all")).to_be_hidden()


# ---- time ------------------------------------------------------------------------------------------------------------


def test_the_space_bar_plays_and_stops(bench):
    bench.box.focus()
    bench.page.keyboard.press("Space")
    bench.wait("w => w.time.t > 1")
    bench.page.keyboard.press("Space")
    expect(bench.button("Play (Space)")).to_be_visible()
    at = bench.time()
    picture = bench.canvas.evaluate(PIXELS)
    bench.frames(20)
    assert (bench.time(), bench.canvas.evaluate(PIXELS)) == (at, picture)


def test_a_step_back_undoes_a_step_and_says_what_happened(bench):
    bench.seek(70)
    bench.box.focus()
    for _ in range(3):
        bench.page.keyboard.press("ArrowRight")
    bench.settled()
    expect(bench.say).to_have_text(re.compile("message|consumer|request"))
    at, marks = bench.time(), bench.marks()
    bench.page.keyboard.press("ArrowRight")
    assert bench.time() > at
    bench.page.keyboard.press("ArrowLeft")
    assert (bench.time(), bench.marks()) == (at, marks)


def test_at_its_end_the_sentence_is_about_the_end(run_cells):
    """And not about what happened long before."""
    bench = Bench(run_cells("workbench(VideoQueue, seed=7, mode='direct')"))
    bench.seek(70)
    bench.play()
    event = re.compile(r"^At \d+\.\d s: (A request is refused|A caller stops waiting)")
    expect(bench.say).to_have_text(event)
    bench.pause()
    expect(bench.say).to_have_text(event)
    for _ in range(3):
        bench.button("Faster (+)").click()
    bench.play()
    bench.wait("w => w.time.over")
    bench.settled()
    expect(bench.say).to_have_text(re.compile(r"^One of three workers busy\. \d+ of \d+ lost\.$"))


def test_seeking_needs_no_history(bench):
    bench.seek(80)
    picture = bench.canvas.evaluate(PIXELS)
    bench.seek(290)
    bench.seek(20)
    bench.seek(80)
    assert bench.canvas.evaluate(PIXELS) == picture


# ---- touching --------------------------------------------------------------------------------------------------------


def test_a_click_on_a_mark_opens_its_card_beside_it(bench):
    bench.seek(92)
    name, number, *_ = next(mark for mark in bench.marks() if mark[0].startswith("consumer"))
    actor = int(name.split("-")[1]) - 1
    bench.click(f"0h{actor}m{number - 1}")
    expect(bench.card).to_be_visible()
    expect(bench.card.get_by_role("heading")).to_have_text(f"Message {number}")
    expect(bench.card.get_by_role("listitem").first).to_contain_text("sent to videos")
    spot, card = bench.spot(f"0h{actor}m{number - 1}"), bench.card.bounding_box()
    origin = bench.canvas.bounding_box()
    x, y = origin["x"] + spot["x"], origin["y"] + spot["y"]
    inside = card["x"] < x < card["x"] + card["width"] and card["y"] < y < card["y"] + card["height"]
    assert not inside, "the card does not cover what it is about"
    before = bench.time()
    bench.card.get_by_role("button", name="Its event before").click()
    assert bench.time() < before
    bench.page.keyboard.press("Escape")
    expect(bench.card).to_be_hidden()


def test_a_lightning_bolt_crashes_a_worker_and_its_flag_takes_it_back(bench):
    bench.box.focus()
    bench.page.keyboard.press("Space")
    bench.wait("w => w.time.t > 10")
    bench.pause()
    before, at = bench.run(), bench.time()
    bench.hover("0a0")
    bench.box.get_by_role("button", name="Crash consumer-1", exact=True).click()
    bench.settled()
    flag = bench.box.get_by_role("button", name=re.compile(r"^(Crash|crash).*consumer-1.*, at "))
    expect(flag).to_have_count(1)
    assert bench.run() != before
    assert bench.time() == at
    expect(bench.button("Show all")).to_be_visible()
    assert bench.ask("w => w.time.watched") == pytest.approx(at, abs=0.01), "the past stays, what follows is new"
    flag.press("ArrowRight")
    bench.settled()
    expect(flag).to_have_accessible_name(re.compile(rf"at {at + 3:.1f}"))
    bench.box.get_by_role("button", name=re.compile("^Take back")).click()
    bench.settled()
    assert bench.run() == before


def test_everything_can_be_done_with_the_keyboard(bench):
    bench.seek(40)
    before = bench.run()
    thing = bench.box.get_by_role("group", name="Things in the picture").get_by_role("button", name="consumer-2")
    thing.focus()
    bench.page.keyboard.press("ArrowDown")
    bench.page.keyboard.press("Enter")
    bench.settled()
    assert bench.run() != before
    thing = bench.box.get_by_role("group", name="Things in the picture").get_by_role("button", name="consumer-3")
    thing.focus()
    bench.page.keyboard.press("Enter")
    expect(bench.card).to_be_visible()


def test_the_question_mark_tells_what_the_keys_do(bench):
    bench.button("Keys and signs (?)").click()
    dialog = bench.box.get_by_role("dialog", name="Keys and signs")
    expect(dialog.get_by_text("play, pause", exact=True)).to_be_visible()
    expect(dialog).not_to_contain_text("[object")
    dialog.get_by_role("button", name="Close").click()


# ---- settings --------------------------------------------------------------------------------------------------------


def test_a_setting_runs_again_at_the_same_instant_and_the_curve_shows_it(bench):
    bench.seek(100)
    bench.open("What if")
    before = bench.run()
    bench.side.get_by_role("slider", name="consumers", exact=True).press("ArrowRight")
    bench.settled()
    assert bench.time() == pytest.approx(100, abs=0.5)
    assert bench.run() != before
    assert bench.ask("w => w.scrub.ghost !== null"), "the old future stays as a ghost"
    bench.side.get_by_role("slider", name="consumers", exact=True).press("ArrowLeft")
    bench.settled()
    assert bench.run() == before


def test_while_only_the_old_curve_fades_the_scene_is_not_painted(bench):
    bench.seek(50)
    bench.open("What if")
    bench.side.get_by_role("slider", name="consumers", exact=True).press("ArrowRight")
    bench.settled()
    frame = "await new Promise(requestAnimationFrame)"
    scenes, curves, live = bench.ask(f"""async w => {{
        w.scrub.ghost.at = Infinity;
        w.scrub.on.changed(true);
        {frame}; {frame};
        const {{stage, scrub}} = w, [scene, curve] = [stage.draw, scrub.draw], n = [0, 0];
        stage.draw = (...of) => {{ n[0] += 1; scene.apply(stage, of); }};
        scrub.draw = (...of) => {{ n[1] += 1; curve.apply(scrub, of); }};
        for (let i = 0; i < 10; i++) {frame};
        const live = Boolean(scrub.live);
        Object.assign(stage, {{draw: scene}}); Object.assign(scrub, {{draw: curve, ghost: null}});
        return [...n, live];
    }}""")
    assert live and scenes < curves, "news from the kernel may come meanwhile"
    bench.side.get_by_role("slider", name="consumers", exact=True).press("ArrowLeft")
    bench.settled()


def test_enter_takes_what_was_typed_and_an_empty_field_changes_nothing(bench):
    bench.open("What if")
    field = bench.side.get_by_label("arrival rate, exact value")
    before = bench.run()
    field.fill("")
    field.press("Enter")
    bench.settled()
    assert bench.run() == before
    field.fill("4")
    field.press("Enter")
    bench.settled()
    assert bench.ask("w => w.run.values.rate") == 4
    assert bench.run() != before


def test_a_share_is_typed_in_percent_and_what_is_out_of_range_is_refused_beside_it(run_cells):
    bench = Bench(
        run_cells("from lablib.scenarios.lab02b import QueueToFunction\nworkbench(QueueToFunction, bad=0.05)")
    )
    bench.open("What if")
    field = bench.side.get_by_label("bad orders, exact value")
    assert field.input_value() == "5"
    field.fill("10")
    field.press("Enter")
    bench.settled()
    assert bench.ask("w => w.run.values.bad") == 0.1
    field.fill("1000")
    field.press("Enter")
    bench.settled()
    expect(bench.box.get_by_role("alert")).to_have_text("bad=10: must be a number from 0 to 1: a share, 0.1 is 10 %")
    assert field.input_value() == "10"


def test_what_happened_tells_many_of_a_kind_in_one_row(run_cells):
    bench = Bench(
        run_cells("from lablib.scenarios.lab02b import QueueToFunction\nworkbench(QueueToFunction, seed=7, bad=0.05)")
    )
    bench.lift()
    rows = bench.tab("What happened").get_by_role("listitem")
    again = rows.filter(has_text="is delivered again")
    expect(again).to_have_text(re.compile(r"\d{3} of this kind, the last at [\d.]+ s\.$"))
    assert rows.count() < 10
    last = again.get_by_role("button").last
    shown = float(last.inner_text().removesuffix(" s"))
    last.click()
    bench.wait(f"w => Math.abs(w.time.t - {shown}) < 0.06")
    expect(again).to_have_attribute("aria-current", "true")


def test_the_drawer_is_no_wider_than_the_page(bench):
    """One pixel too much, and JupyterLab draws a scroll bar below the cell."""
    bench.open("What if")
    assert (
        bench.box.evaluate(
            "box => { const out = box.closest('.jp-OutputArea-output'); return out.scrollWidth - out.clientWidth; }"
        )
        == 0
    )


def test_a_flag_moves_by_as_much_as_the_pointer_wherever_it_is_held(bench):
    bench.lift()
    for at in (100, 120):  # the second one's words stand in a row of their own, or beside their place
        bench.ask("(w, t) => w.time.seek(t, true)", at)
        do(bench, "Crash a consumer", "consumer-1")
    flag = bench.box.get_by_role("button", name="Crash a consumer: consumer-1, at 120.0 s")
    at = flag.bounding_box()
    by = bench.ask("w => w.scrub.X(50) - w.scrub.X(0)")
    bench.page.mouse.move(at["x"] + at["width"] - 4, at["y"] + 6)
    bench.page.mouse.down()
    bench.page.mouse.move(at["x"] + at["width"] - 4 + by, at["y"] + 6, steps=4)
    bench.page.mouse.up()
    bench.settled()
    expect(bench.box.get_by_role("button", name=re.compile("^Crash a consumer.*, at (169|170).. s"))).to_have_count(1)


def test_flags_of_one_instant_do_not_cover_each_other(bench):
    bench.lift()
    for at in (100, 100, 102, 299, 299):
        bench.ask("(w, t) => w.time.seek(t, true)", at)
        do(bench, "Crash a consumer", "consumer-1" if at < 102 else "consumer-2")
    flags = bench.box.locator(".ml-flags li").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).map(r => [r.left, r.top, r.right, r.bottom])"
    )
    assert len(flags) == 5
    for (a, b, c, d), (e, f, g, h) in itertools.combinations(flags, 2):
        assert a >= g or e >= c or b >= h or f >= d, flags


@pytest.mark.parametrize("name", ["consumers, exact value", "Seed", "How much"])
def test_news_from_the_kernel_leaves_alone_what_is_being_typed(bench, name):
    """A learner types while a run of before is still looked at: what comes back must not take the digits away."""
    bench.open("What if")
    if name == "How much":
        bench.side.get_by_label("What to do", exact=True).select_option(label="Freeze a consumer")
    field = bench.side.get_by_label(name, exact=True)
    field.fill("6")
    other = bench.side.get_by_role("slider", name="arrival rate", exact=True)
    before = bench.run()
    other.evaluate("slider => { slider.value = 700; slider.dispatchEvent(new Event('input')); }")
    bench.settled()
    assert bench.run() != before
    assert field.input_value() == "6"
    field.press("Enter")
    bench.settled()
    assert field.input_value() == "6"


def test_one_click_on_a_setting_compares(bench):
    bench.open("What if")
    bench.button("Compare with another hand over by").click()
    bench.settled()
    assert bench.ask("w => w.stage.lanes.map(l => [l.label, l.strong])") == [
        ["A: hand over by direct", False],
        ["B: hand over by queue", True],
    ]
    bench.lift()
    panel = bench.tab("Compare")
    expect(panel.get_by_role("columnheader", name="A: hand over by direct")).to_be_visible()
    panel.get_by_role("button", name="Stop comparing").click()
    bench.settled()
    assert bench.ask("w => w.other") is None


def test_one_button_begins_again(bench):
    before = bench.run()
    bench.seek(42)
    bench.open("What if")
    bench.side.get_by_role("slider", name="consumers", exact=True).press("ArrowRight")
    bench.settled()
    assert bench.run() != before
    bench.side.get_by_role("button", name="Begin again", exact=True).click()
    bench.settled()
    assert (bench.run(), bench.time()) == (before, 0)


def test_a_shared_text_restores_the_run_and_a_bad_one_changes_nothing(bench):
    bench.seek(42)
    panel, before = bench.tab("Share"), bench.run()
    panel.get_by_label("Text that holds this run").focus()
    bench.settled()
    text = panel.get_by_label("Text that holds this run").input_value()
    bench.open("What if")
    bench.side.get_by_role("slider", name="consumers", exact=True).press("ArrowRight")
    bench.settled()
    changed = bench.run()
    panel.get_by_label("Text to restore").fill("ml1-not-a-text")
    panel.get_by_role("button", name="Restore").click()
    expect(bench.box.get_by_role("alert")).to_be_in_viewport(ratio=1)
    assert bench.run() == changed
    panel.get_by_label("Text to restore").fill(text)
    panel.get_by_role("button", name="Restore").click()
    bench.settled()
    assert bench.run() == before
    expect(bench.box.get_by_role("alert")).to_be_hidden()


def test_the_figure_is_one_click_away_and_its_cursor_is_the_same(bench):
    bench.seek(100)
    bench.open("Curves")
    plot = bench.box.locator(".ml-plot")
    expect(plot.locator(".main-svg").first).to_be_visible()
    bench.box.locator(".ml-figure").click(position={"x": 300, "y": 60})
    bench.settled()
    assert bench.time() != pytest.approx(100, abs=0.5)
    line, curve = bench.box.locator(".ml-cursor"), bench.ask("w => w.time.t")
    shown = line.evaluate(
        """line => { const {xaxis} = line.parentElement.querySelector('.ml-plot')._fullLayout;
        return xaxis.p2l(new DOMMatrix(getComputedStyle(line).transform).e - xaxis._offset); }"""
    )
    assert shown == pytest.approx(curve, abs=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_lines_of_the_figure_are_faint_in_both_themes(kept, scheme):
    bench = kept(VideoQueue().run(seed=7), color_scheme=scheme)
    bench.open("Curves")
    faint = bench.ask("w => w.view().col.faint")
    red, green, blue = (int(faint[k : k + 2], 16) for k in (1, 3, 5))
    for line in (".xgrid", ".ygrid"):
        expect(bench.box.locator(f".ml-plot {line}").first).to_have_css("stroke", f"rgb({red}, {green}, {blue})")


def test_lanes_show_work_and_visibility_as_two_things(run_cells):
    bench = Bench(run_cells("workbench(Visibility, visibility_timeout=8, rate=0.1, seed=5, at=40, lanes=True)"))
    lanes = bench.box.get_by_role("region", name="Lanes: single messages over time")
    names = lanes.locator(".ml-lane-name:visible")
    expect(names.first).to_be_visible()
    names.first.click()
    expect(bench.card).to_be_visible()
    lanes.get_by_text("The lanes as a table").click()
    expect(lanes.get_by_role("row", name=re.compile("^1 ")).first).to_contain_text("received")


def test_a_click_on_a_lane_brings_the_card_into_view(run_cells):
    bench = Bench(run_cells("workbench(Visibility, seed=5, at=40, lanes=True)", width=1280, height=720))
    canvas = bench.box.locator(".ml-lanes-canvas")
    canvas.evaluate("it => it.scrollIntoView({block: 'end'})")
    canvas.click(position={"x": 60, "y": 12})
    expect(bench.card.get_by_role("heading")).to_be_in_viewport(ratio=0.99)


# ---- questions -------------------------------------------------------------------------------------------------------


def test_nothing_plays_before_the_guess_and_the_truth_is_drawn_over_it(run_cells):
    curve = "Curve('What will the backlog do?', lambda run: run.measures.depth(), high=200)"
    bench = Bench(run_cells(f"workbench(VideoQueue, seed=7, predict={curve})"))
    bench.play()
    bench.settled()
    assert bench.time() == 0
    expect(bench.say).to_contain_text("Guess first")
    curve = bench.scrub.bounding_box()
    bench.page.mouse.move(curve["x"] + 60, curve["y"] + 40)
    bench.page.mouse.down()
    bench.page.mouse.move(curve["x"] + 160, curve["y"] + 40, steps=3)
    bench.page.mouse.up()
    expect(bench.say).to_contain_text("Draw on, to the right end")
    bench.box.focus()
    bench.page.keyboard.press("3")
    expect(bench.say).to_contain_text("That is your guess")
    bench.play()
    bench.wait("w => w.time.t > 2")
    bench.pause()
    expect(bench.box.get_by_text("What will the backlog do?")).to_be_hidden()
    assert bench.ask("w => w.scrub.guess.length") > 100
    bench.lift()
    bench.seek(299.9)
    bench.play()
    bench.wait("w => w.time.over")
    bench.settled()
    expect(bench.say).to_contain_text("You and the truth share")


def test_a_mission_that_is_met_says_when_and_only_of_its_own_run(run_cells):
    bench = Bench(run_cells("workbench(VideoQueue, seed=7, mode='queue', consumers=4)"))
    bench.lift()
    expect(bench.say).to_contain_text("✓ At the end: In a queue they wait.")
    put(bench, "consumers", 3)
    expect(bench.say).not_to_contain_text("✓")


def test_the_words_of_a_mission_stay_while_the_next_run_meets_it_too(run_cells):
    """A slider that is pulled brings one run after the other."""
    made = "from lablib.scenarios.lab05 import TruckStream\nworkbench(TruckStream, seed=7, shards=6, consumers=6)"
    bench = Bench(run_cells(made))
    bench.lift()
    expect(bench.say).to_contain_text("✓ At 1.0 s: A shard is read by one worker.")
    put(bench, "workers", 7)
    assert bench.ask("w => w.run.values.consumers") == 7
    expect(bench.say).to_contain_text("s: A shard is read by one worker.")
    put(bench, "workers", 4)
    expect(bench.say).not_to_contain_text("✓")


def test_a_mission_that_was_not_met_says_how_near_it_came_once_the_run_was_watched_and_moves_nothing(run_cells):
    bench = Bench(run_cells("workbench(VideoQueue, seed=7, mode='direct', consumers=4)"))
    why, place = bench.box.locator(".ml-near"), bench.canvas.bounding_box()
    expect(bench.box.locator(".ml-missions .ml-met")).to_have_count(0)
    expect(why).to_be_empty()  # it would tell what is still to be seen
    bench.lift()
    expect(why).to_have_text(re.compile(r"^Not yet: \d+ videos lost\.$"))
    assert bench.canvas.bounding_box() == place
    put(bench, "consumers", 5)
    expect(why).to_have_text("Not yet: 5 workers instead of four.")


def test_two_missions_that_one_run_meets_are_both_told(run_cells):
    bench = Bench(run_cells("workbench(Visibility, seed=5, visibility_timeout=5)"))
    bench.lift()
    expect(bench.say).to_contain_text(re.compile(r"✓ At .*: Each time, the timeout.* ✓ At .*: The shorter the timeout"))
    expect(bench.box.locator(".ml-missions .ml-met")).to_have_count(2)


def test_a_choice_covers_the_picture_and_the_run_says_the_truth_when_it_was_watched(run_cells):
    question = "Choice('Who waits?', {'visitors': 'Not here.', 'videos': 'Yes.'}, answer=lambda run: 'videos')"
    notebook = run_cells(
        f"workbench(VideoQueue, seed=7, predict={question})",
        "predict('01.x', Choice('In a cell?', {'yes': 'Right.', 'no': 'Look again.'}, answer='yes'))",
        "1 + 1",
    )
    bench = Bench(notebook)
    bench.button("That is my guess").click()
    expect(bench.box.get_by_text("Choose an answer first. Or press Skip.")).to_be_visible()
    bench.box.get_by_label("visitors").check()
    bench.button("That is my guess").click()
    bench.settled()
    expect(bench.box.get_by_text("Not here.")).to_be_hidden()
    bench.lift()
    expect(bench.box.get_by_text("Not here.")).to_be_visible()
    cell = notebook.page.locator(".ml-workbench:not(:has(.ml-stage))")
    cell.get_by_label("no", exact=True).check()
    cell.get_by_role("button", name="That is my guess").click()
    expect(cell.get_by_text("Look again.")).to_be_visible()
    assert notebook.console_errors == []


# ---- the page around it ----------------------------------------------------------------------------------------------


def test_running_again_leaves_one_live_workbench(notebook, bench):
    notebook.run_all()
    expect(notebook.page.locator(".ml-workbench")).to_have_count(1)
    assert Bench(notebook).time() == 0


def test_a_run_that_was_watched_has_no_fog_when_its_cell_runs_again(run_cells):
    code = "workbench(VideoQueue, seed=11, until=30.0)"
    notebook = run_cells(code, code.replace("11", "12"))
    bench, fog = Bench(notebook), "w => w.time.fog"
    assert bench.ask(fog)
    bench.button("Show all").click()
    bench.settled()
    notebook.run_cell(1)
    again = Bench(notebook)
    assert not again.ask(fog), "nothing of it is new"
    assert again.time() == 0
    assert Bench(notebook, 1).ask(fog), "another seed is another run"


def test_the_cursor_stays_below_the_flags(run_cells):
    bench = Bench(
        run_cells("w = workbench(VideoQueue, seed=7)\nfor t in (20.0, 25.0): w.act('crash', 'consumer-1', at=t)\nw")
    )
    bench.skip_question()
    bench.button("Show all").click()
    bench.settled()
    below = """w => { const {scrub} = w, flags = [...scrub.flags.children].map(f => f.offsetTop + f.offsetHeight);
        return scrub.Y(scrub.top) - 15 - Math.max(...flags); }"""
    assert bench.ask(below) >= -2


def test_every_control_has_a_name(bench):
    for name in ("What if", "Lanes", "More"):
        bench.open(name)
    nameless = bench.box.evaluate(
        """box => [...box.querySelectorAll("button, input, select, [role=slider], [role=tab]")]
        .filter(e => e.offsetParent)
        .filter(e => !(e.getAttribute("aria-label") || e.labels?.length || e.textContent.trim()))
        .map(e => e.outerHTML)"""
    )
    assert nameless == []


def test_the_help_says_what_each_key_does(bench):
    bench.button("Keys and signs (?)").click()
    keys = bench.page.get_by_role("dialog", name="Keys and signs")
    play = keys.locator("dt", has_text=re.compile("^Space$"))
    expect(play.locator("+ dd")).to_have_text("play, pause")
    expect(keys).not_to_contain_text("[object")
    bench.page.keyboard.press("Escape")


def test_a_theme_switch_redraws_everything(bench):
    bench.seek(92)
    canvases = [bench.canvas, bench.scrub]
    light = [canvas.evaluate(PIXELS) for canvas in canvases]
    switch = "dark => document.body.dataset.jpThemeLight = String(!dark)"
    for dark in (True, False):
        bench.page.evaluate(switch, dark)
        for canvas, before in zip(canvases, light, strict=True):
            differs = f"([canvas, light]) => (canvas.toDataURL() !== light) === {str(dark).lower()}"
            bench.page.wait_for_function(differs, arg=[canvas.element_handle(), before])


def test_no_memory_grows_over_200_runs(notebook, bench):
    client = notebook.page.context.new_cdp_session(notebook.page)
    client.send("Performance.enable")
    client.send("HeapProfiler.enable")
    bench.open("What if")
    slide = """async (w, [from, count]) => {
        const slider = document.querySelector('.ml-side [type=range][max="1000"]');
        for (let i = from; i < from + count; i++) {
            slider.value = 60 + 20 * (i % 7);
            slider.dispatchEvent(new Event('input', {bubbles: true}));
            await w.settled();
        }
    }"""

    def heap() -> tuple[float, float]:
        client.send("HeapProfiler.collectGarbage")
        found = {m["name"]: m["value"] for m in client.send("Performance.getMetrics")["metrics"]}
        return found["JSHeapUsedSize"], found["Nodes"]

    bench.ask(slide, [1, 20])
    before = heap()
    bench.ask(slide, [21, 200])
    after = heap()
    assert after[0] < before[0] + 4_000_000
    assert after[1] < before[1] * 1.1


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (900, 720), (700, 900)])
@pytest.mark.parametrize("large", [False, True])
def test_the_whole_view_fits_and_nothing_is_cut(kept, width, height, large):
    bench = kept(
        VideoQueue().run(seed=7), VideoQueue(mode="direct").run(seed=7), viewport={"width": width, "height": height}
    )
    if large:
        bench.open("Aa")
    bench.seek(92)
    view = bench.box.locator(".ml-view").bounding_box()
    assert view["y"] + view["height"] <= height + 1, "the sentence below the curve is in view"
    assert bench.page.evaluate("document.documentElement.scrollWidth") <= width, "nothing stands out at the side"
    inside = """w => w.stage.lanes.flatMap(l => [...l.boxes.values(), ...(l.lensBox ? [l.lensBox] : [])])
        .filter(b => b.x < 0 || b.y < 0 || b.x + b.w > w.stage.size[0] + 1 || b.y + b.h > w.stage.size[1] + 1)
        .map(b => b.role)"""
    assert bench.ask(inside) == []


@pytest.mark.parametrize("width", [640, 900])
def test_the_first_of_each_group_can_be_clicked_in_a_narrow_place(kept, width):
    """Beside an open drawer a queue is no wider: a card says why the first of a group waits, or who has it."""
    bench = kept(Trucks().run(seed=7), viewport={"width": width, "height": 720})
    bench.seek(15)
    groups = """w => [w.stage.lanes[0].marks.filter(m => m.place >= 0).map(m => m.m),
        w.hits.filter(h => /^0m/.test(h.id)).map(h => h.pick.m)]
        .map(all => [...new Set(all.map(m => w.run.group(m)))].sort())"""
    there, drawn = bench.ask(groups)
    assert there
    assert drawn == there


def test_a_kept_page_plays_and_scrubs_without_a_kernel_or_network(chromium, tmp_path):
    path = to_html(VideoQueue().run(7, [Action("crash", 64.0, "consumer-1")]), tmp_path / "run.html")
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(path.as_uri())
    bench = Bench(type("Saved", (), {"page": page}))
    bench.play()
    bench.wait("w => w.time.t > 2")
    page.keyboard.press("Space")
    bench.seek(100)
    assert bench.time() == pytest.approx(100, abs=0.5)
    panel = bench.tab("Ask why")
    panel.get_by_role("button", name="Ask why").click()
    expect(bench.card.get_by_role("listitem").first).to_contain_text("sent to videos")
    bench.open("Curves")
    expect(bench.box.locator(".ml-plot .main-svg").first).to_be_visible()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []
    page.close()


def test_it_plays_when_it_came_into_sight_while_the_page_was_busy(chromium, tmp_path):
    """The browser then tells at once that it was out of sight and that it is in sight: the last news counts."""
    page = chromium.new_page()
    page.add_init_script("""
        globalThis.IntersectionObserver = class {
          constructor(tell) { this.tell = tell; }
          observe() { setTimeout(() => this.tell([{ isIntersecting: false }, { isIntersecting: true }])); }
          unobserve() {} disconnect() {}
        };
    """)
    page.goto(to_html(VideoQueue().run(seed=7), tmp_path / "run.html").as_uri())
    bench = Bench(type("Saved", (), {"page": page}))
    bench.play()
    bench.wait("w => w.time.t > 2")
    page.close()


def test_an_instant_that_cannot_be_drawn_is_told_and_time_goes_on(kept):
    bench = kept(VideoQueue().run(seed=7))
    errors = []
    bench.page.on("pageerror", lambda error: errors.append(str(error)))
    bench.ask("""w => { const draw = w.stage.draw.bind(w.stage), early = () => w.time.t > 0 && w.time.t < 2;
        w.stage.draw = (...all) => { if (early()) throw new Error("no such place"); draw(...all); }; }""")
    bench.play()
    bench.wait("w => w.time.t > 4")
    expect(bench.box.get_by_role("alert")).to_contain_text("This instant cannot be drawn: no such place")
    assert errors == ["no such place"], "once in the browser's console, not sixty times a second"


def test_reduced_motion_shows_still_frames(kept):
    bench = kept(VideoQueue().run(seed=7), reduced_motion="reduce")
    bench.play()
    seen = bench.ask("async w => { const seen = new Set(); while (seen.size < 4) { seen.add(w.time.t);"
                     " await new Promise(requestAnimationFrame); } return [...seen]; }")  # fmt: skip
    steps = [b - a for a, b in itertools.pairwise(seen[1:])]
    assert all(step >= 0.5 * bench.ask("w => w.time.speed") - 0.01 for step in steps), "twice a second at most"


def test_the_card_of_a_photo_tells_of_a_photo_and_of_no_order(kept):
    bench = kept(Uploads(way="one queue").run(seed=7))
    bench.seek(60)
    bench.click("0o0")
    for words in ("photo-1.jpg", "will work on photo-1.jpg", "it is in the bucket", "done with it", "misses it"):
        expect(bench.card).to_contain_text(words)
    for words in ("Order", "customer", "shop"):
        expect(bench.card).not_to_contain_text(words)


def test_from_a_delivery_to_its_original_which_was_passed_on_and_escape_closes(run_cells):
    """The button that led there is gone, and with it the focus would be."""
    bench = Bench(run_cells("from lablib.scenarios.lab04 import FanOut\nworkbench(FanOut, seed=7)"))
    bench.skip_question()
    bench.seek(60)
    held = bench.ask("w => w.run.at(w.time.t).filter(k => k.holder >= 0).map(k => k.m)")
    bench.click(f"0m{held[0]}")
    bench.card.get_by_role("button", name=re.compile("the original")).click()
    expect(bench.card.locator(".ml-why")).to_have_text(re.compile(r"^Passed on at \d+\.\d s\.$"))
    bench.page.keyboard.press("Escape")
    expect(bench.card).to_be_hidden()


def test_what_a_web_server_has_and_has_not_answered_is_drawn_in_it_and_retries_stand_under_the_topics_name(kept):
    late = """w => { const {run, marks} = w.stage.lanes[0], one = role => run.places.findIndex(p => p.role === role);
        const there = marks.filter(m => run.delivers(m.k) && w.time.t - m.k.t0 > 1).map(m => m.m);
        const box = w.stage.lanes[0].boxes.get(one("endpoint")), topic = w.stage.lanes[0].boxes.get(one("topic"));
        const inside = (h, b) => h.x > b.x && h.x < b.x + b.w && h.y > b.y && h.y < b.y + b.h;
        const marked = b => w.hits.filter(h => /^0m/.test(h.id) && inside(h, b));
        return [there, marked(box).map(h => h.pick.m), marked(topic).map(h => Math.round(h.y - topic.y))]; }"""
    slow = kept(FanOut().run(7, [Action("partner_slow", 60.0, value=60.0)]))
    slow.seek(74)
    there, drawn, _ = slow.ask(late)
    assert there
    assert sorted(drawn) == sorted(there)
    away = kept(FanOut(outage=120.0, dead_letters=True).run(7), FanOut(outage=120.0).run(7))
    away.seek(118)
    below = away.ask(late)[2]
    assert below
    assert min(below) > 30, "not over the words"
