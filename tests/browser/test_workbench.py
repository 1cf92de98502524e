"""The workbench in a real JupyterLab: each thing a learner can do with it, done as a learner does it."""

import re
import time

import nbformat
import pytest
from playwright.sync_api import Locator, expect

from lablib.scenarios import Action
from lablib.scenarios.lab01 import VideoQueue
from lablib.workbench import to_html

pytestmark = pytest.mark.browser

SETUP = (
    "from lablib.scenarios.lab01 import VideoQueue\nfrom lablib.workbench import Choice, Curve, predict, workbench\n"
)
PIXELS = "canvas => canvas.toDataURL()"
PLOTTED = "plot => JSON.stringify((plot.data ?? []).map(({x, y, name}) => [name, Array.from(x), Array.from(y)]))"
HEAP = "Performance.getMetrics"


class Bench:
    """What a learner sees and touches of one workbench."""

    def __init__(self, notebook, number=0):
        self.notebook, self.page = notebook, notebook.page
        self.box = self.page.locator(".ml-workbench").nth(number)
        self.box.scroll_into_view_if_needed()
        self.canvas, self.plot, self.now = (self.box.locator(f".ml-{x}") for x in ("canvas", "plot", "now"))

    def button(self, name: str) -> Locator:
        return self.box.get_by_role("button", name=name)

    def tab(self, name: str) -> None:
        self.box.get_by_role("tab", name=name).click()

    def time(self) -> float:
        """The instant shown, after the frames that a key or a click set off."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return float(self.now.inner_text().split()[0])

    def seek(self, to: float) -> None:
        """To an instant, with the time slider."""
        self.box.get_by_label("Time in the run").evaluate(
            "(bar, part) => { bar.value = part; bar.dispatchEvent(new Event('input', {bubbles: true})) }",
            1000 * to / 300,
        )
        self.still()

    def still(self) -> str:
        """The picture, once nothing moves any more."""
        before = ""
        for _ in range(60):
            self.page.wait_for_timeout(120)
            now = self.canvas.evaluate(PIXELS)
            if now == before:
                return now
            before = now
        pytest.fail("the marks never came to rest")

    def number(self, label: str) -> str:
        return self.box.locator(".ml-card", has_text=label).locator("dd").inner_text()

    def drawn(self) -> str:
        expect(self.plot.locator(".main-svg").first).to_be_visible(timeout=30_000)
        return self.plot.evaluate(PLOTTED)

    def changed(self, before: str) -> str:
        """What is plotted, once it differs from before."""
        for _ in range(100):
            if (now := self.drawn()) != before:
                return now
            self.page.wait_for_timeout(100)
        pytest.fail("the figure did not change")

    def turn(self, label: str, key: str) -> str:
        before = self.drawn()
        self.box.get_by_role("slider", name=label, exact=True).press(key)
        return self.changed(before)


@pytest.fixture(scope="module")
def run_cells(open_notebook, lab):
    """A function that writes a notebook of these cells into the learner's folder, opens it and runs it."""
    count = iter(range(100))

    def run(*cells: str, **view):
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(SETUP + cell) for cell in cells], metadata=kernel
        )
        name = f"workbench-{next(count)}.ipynb"
        nbformat.write(book, lab.folder / name)
        notebook = open_notebook(name, **view)
        notebook.run_all()
        notebook.page.locator(".ml-workbench").first.wait_for()
        return notebook

    return run


@pytest.fixture(scope="module")
def notebook(run_cells):
    return run_cells("w = workbench(VideoQueue, seed=7)\nw", "print(w.run)")


@pytest.fixture
def bench(notebook):
    """The workbench as it is when it is new; the console stayed silent."""
    made = Bench(notebook)
    made.box.focus()
    if made.button("Pause").count():
        made.button("Pause").click()
    made.tab("Share")
    made.box.get_by_label("Text to restore").fill(VideoQueue().run(seed=7).share(0.0))
    made.button("Restore").click()
    expect(made.now).to_have_text("0.000 s")
    made.tab("What happened")
    made.drawn()
    yield made
    assert notebook.console_errors == []


def test_play_moves_the_marks_and_pause_stops_them(bench):
    before = bench.still()
    bench.button("Watch the run").click()
    bench.page.wait_for_timeout(1500)
    assert bench.canvas.evaluate(PIXELS) != before
    bench.page.keyboard.press("Space")
    rest, at = bench.still(), bench.time()
    assert 5 < at < 60, "ten times real time"
    bench.page.wait_for_timeout(500)
    assert (bench.still(), bench.time()) == (rest, at)


def test_a_step_back_undoes_a_step(bench):
    bench.seek(70)
    for _ in range(3):
        before = (bench.still(), bench.time(), bench.number("waiting"))
        bench.box.focus()
        bench.page.keyboard.press("ArrowRight")
        assert bench.time() > before[1]
        bench.page.keyboard.press("ArrowLeft")
        assert bench.time() <= before[1]
        bench.page.keyboard.press("ArrowRight")
        after = (bench.still(), bench.time())
        bench.page.keyboard.press("ArrowLeft")
        bench.page.keyboard.press("ArrowRight")
        assert (bench.still(), bench.time()) == after
    cells = bench.page.locator(".jp-Notebook .jp-CodeCell")
    assert cells.count() == 2, "the keys did nothing to the notebook"


def test_a_step_is_told_in_the_live_region(bench):
    bench.button("One event forward").click()
    spoken = bench.box.get_by_role("status").first
    expect(spoken).to_have_text(re.compile("Front end sent message 1|received message 1"))
    assert spoken.get_attribute("aria-live") == "polite"


def test_the_numbers_are_those_of_the_measures(bench):
    measures = VideoQueue().run(seed=7).measures
    for t in (65.0, 92.5, 140.0):
        bench.seek(t)
        now = measures.at(bench.time())
        assert bench.number("waiting") == f"{now['messages waiting']:g}" or float(
            bench.number("waiting")
        ) == measures.depth().at(t)
        assert float(bench.number("in flight")) == measures.in_flight().at(t)


def test_a_setting_runs_again_from_the_same_seed_at_the_same_instant(bench):
    bench.seek(80)
    first, waiting = bench.drawn(), bench.number("waiting")
    more = bench.turn("consumers", "ArrowRight")
    assert more != first
    assert bench.time() == 80
    assert float(bench.number("waiting")) < float(waiting)
    assert bench.turn("consumers", "ArrowLeft") == first


def test_enter_takes_what_was_typed_into_a_field_and_an_empty_field_changes_nothing(bench):
    for name, value in (("Seed", "11"), ("consumers, exact value", "9")):
        before, field = bench.drawn(), bench.box.get_by_label(name, exact=True)
        field.fill(value)
        field.press("Enter")
        bench.changed(before)
        expect(field).to_have_value(value)
    before = bench.drawn()
    for name, value in (("Seed", "11"), ("consumers, exact value", "9")):
        bench.box.get_by_label(name, exact=True).fill("")
        bench.box.get_by_label(name, exact=True).press("Enter")
        expect(bench.box.get_by_label(name, exact=True)).to_have_value(value)
    assert bench.drawn() == before
    expect(bench.box.get_by_role("alert")).to_be_hidden()


def test_larger_type_moves_everything_down_and_covers_nothing(bench):
    small = bench.plot.bounding_box()["height"]
    bench.button("Aa").click()
    figure = "plot => plot._fullLayout?.height > 300 && plot.clientHeight >= plot._fullLayout.height - 1"
    bench.page.wait_for_function(figure, arg=bench.plot.element_handle(), timeout=10_000)
    plot, tabs = bench.plot.bounding_box(), bench.box.get_by_role("tablist").bounding_box()
    assert plot["height"] > small
    assert plot["y"] + plot["height"] <= tabs["y"] + 1
    bench.button("Aa").click()
    bench.page.wait_for_function(
        f"plot => Math.abs(plot.clientHeight - {small}) < 1", arg=bench.plot.element_handle(), timeout=10_000
    )


def test_what_was_told_is_cleared_by_a_seek_and_after_the_last_event_there_is_none(bench):
    bench.button("One event forward").click()
    spoken = bench.box.get_by_role("status").first
    expect(spoken).not_to_have_text("")
    bench.seek(290)
    expect(spoken).to_have_text("")
    for _ in range(30):
        bench.button("Next event of interest").click()
        if "No more" in spoken.inner_text():
            break
    expect(spoken).to_have_text("No more events of interest.")


def test_an_action_forks_the_future_keeps_the_past_and_can_be_taken_back(bench):
    bench.seek(64)
    before, figure = bench.still(), bench.drawn()
    bench.button("Do it").click()
    forked = bench.changed(figure)
    expect(bench.box.get_by_role("list", name="Actions so far")).to_contain_text("64.0 s: Crash a consumer: consumer-1")
    bench.seek(30)
    past = bench.still()
    bench.seek(64)
    assert bench.canvas.evaluate(PIXELS) != before, "the crash is seen"
    bench.box.get_by_role("button", name="Take back").click()
    assert bench.changed(forked) == figure
    bench.seek(30)
    assert bench.still() == past
    bench.seek(64)
    assert bench.still() == before


def test_the_next_event_of_interest_and_the_transcript(bench):
    run = VideoQueue().run(7, [Action("crash", 64.0, "consumer-1")])
    bench.tab("Share")
    bench.box.get_by_label("Text to restore").fill(run.share(0.0))
    bench.button("Restore").click()
    bench.tab("What happened")
    listed = bench.box.get_by_role("list", name="Events of interest").get_by_role("listitem")
    expect(listed).to_have_count(len(run.notable()))
    bench.box.focus()
    bench.page.keyboard.press("n")
    assert bench.time() == pytest.approx(run.notable()[0].time, abs=0.001)
    expect(bench.box.get_by_role("status").first).to_contain_text(run.notable()[0].text.rstrip("."))
    listed.nth(1).get_by_role("button").click()
    assert bench.time() == pytest.approx(run.notable()[1].time, abs=0.001)


def test_a_click_on_a_message_tells_its_life(bench):
    bench.seek(90)
    bench.still()
    box = bench.canvas.bounding_box()
    for x in range(20, 80):
        at = {"x": box["width"] * x / 100, "y": box["height"] * 0.3}
        bench.canvas.hover(position=at)
        if bench.canvas.evaluate("c => c.style.cursor") == "pointer":
            bench.canvas.click(position=at)
            break
    life = bench.box.locator(".ml-life")
    expect(life.locator(".ml-verdict")).to_have_text(re.compile(r"^Sent at [\d.]+ s.*(deleted|waiting|in flight)"))
    expect(life.locator("code").first).to_have_text("SendMessage")
    assert life.locator("li").count() >= 2


def test_a_click_on_the_figure_moves_the_cursor(bench):
    bench.drawn()
    box = bench.plot.bounding_box()
    bench.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert 120 < bench.time() < 180
    line = bench.box.locator(".ml-cursor").bounding_box()
    assert line["x"] == pytest.approx(box["x"] + box["width"] / 2, abs=2)


def test_a_click_on_a_consumer_offers_what_can_be_done_to_it(bench):
    bench.seek(64)
    before, box = bench.drawn(), bench.canvas.bounding_box()
    offer = bench.box.get_by_role("group", name="What to do to consumer-3")
    for y in range(40, 175, 6):
        bench.canvas.click(position={"x": 0.82 * box["width"], "y": y})
        if offer.is_visible():
            break
    bench.page.keyboard.press("Escape")
    expect(offer).to_be_hidden()
    bench.canvas.click(position={"x": 0.82 * box["width"], "y": y})
    offer.get_by_role("button", name="Freeze it for 30 s").click()
    bench.changed(before)
    expect(bench.box.get_by_role("list", name="Actions so far")).to_contain_text(
        "64.0 s: Freeze a consumer: consumer-3, for 30 s"
    )
    bench.box.get_by_role("button", name="Take back").click()


def test_the_band_can_be_called_off(bench):
    bench.tab("Many runs")
    before = bench.drawn()
    bench.box.get_by_role("switch").check()
    bench.button("Call it off").click()
    expect(bench.box.get_by_role("switch")).not_to_be_checked()
    bench.page.wait_for_timeout(800)
    assert bench.drawn() == before


def test_lanes_follow_single_messages_and_say_why_one_came_again(run_cells):
    cell = "from lablib.scenarios.lab02 import Visibility\n"
    cell += "workbench(Visibility(visibility_timeout=15), seed=7, lanes=True)"
    notebook = run_cells(cell)
    bench = Bench(notebook)
    field, lanes = bench.box.locator(".ml-lanes-canvas"), bench.box.get_by_role("region", name="Lanes")
    bench.seek(160)
    names = lanes.locator(".ml-lane-name:visible")
    assert names.count() == 12
    before = field.evaluate(PIXELS)
    bench.box.focus()
    bench.page.keyboard.press("ArrowRight")
    bench.still()
    assert field.evaluate(PIXELS) != before, "the same cursor"
    first = names.first
    first.focus()
    bench.page.keyboard.press("Enter")
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(first).to_have_attribute("aria-label", re.compile(r"^Message \d+, (waiting|in flight|working)"))
    expect(bench.box.locator(".ml-life .ml-verdict")).to_have_text(re.compile("received .* times"))
    lanes.get_by_text("The lanes as a table").click()
    assert lanes.get_by_role("row").count() == 13
    box, tip = field.bounding_box(), bench.box.locator(".ml-tip")
    for x in range(30, int(box["width"]), 4):
        field.hover(position={"x": x, "y": 9})
        if "again" in (tip.text_content() or ""):
            break
    expect(tip).to_contain_text("because its visibility timeout of 15.0 s ended")
    bench.button("Lanes").click()
    expect(lanes).to_be_hidden()
    assert notebook.console_errors == []


def test_compare_shows_two_lanes_and_names_the_difference(bench):
    bench.seek(100)
    one = bench.canvas.bounding_box()["height"]
    bench.tab("Compare")
    bench.box.get_by_label("Setting to change").select_option(label="hand over by")
    bench.box.get_by_role("button", name="Compare", exact=True).click()
    expect(bench.box.get_by_role("columnheader", name="B: hand over by direct")).to_be_visible()
    bench.page.wait_for_function(
        f"canvas => canvas.clientHeight > {1.5 * one}", arg=bench.canvas.element_handle(), timeout=10_000
    )
    assert " / " in bench.number("waiting")
    expect(bench.box.locator(".ml-foot")).to_contain_text("They part at")
    assert bench.time() == 100
    bench.button("Stop comparing").click()
    expect(bench.box.get_by_role("columnheader", name="B: hand over by direct")).to_have_count(0)


def test_two_fan_outs_and_the_time_bar_fit_a_small_screen(run_cells):
    cell = "from lablib.scenarios.lab04 import FanOut\n"
    cell += "workbench(FanOut, seed=7, way='one by one', compare={'way': 'by topic'})"
    made = Bench(run_cells(cell, width=1280, height=720))
    made.drawn()
    top, bar = made.box.bounding_box()["y"], made.box.locator(".ml-transport").bounding_box()
    assert bar["y"] + bar["height"] - top < 590, "what a screen of 720 px leaves to a cell"
    assert made.canvas.bounding_box()["height"] > 400
    start, places = made.button("Watch the run").bounding_box(), made.canvas.bounding_box()
    assert places["y"] < start["y"] and start["y"] + start["height"] < places["y"] + places["height"]


def test_many_runs_draw_a_band_behind_the_one(bench):
    bench.tab("Many runs")
    before = bench.drawn()
    bench.box.get_by_role("switch").check()
    expect(bench.box.get_by_text("The band is drawn")).to_be_visible(timeout=60_000)
    assert "90 % of the runs" in bench.changed(before)
    bench.box.get_by_role("switch").uncheck()
    bench.page.wait_for_timeout(1500)
    assert bench.drawn() == before


def test_a_shared_text_restores_the_picture_and_a_bad_one_changes_nothing(bench):
    bench.turn("consumers", "ArrowRight")
    bench.seek(77)
    picture, figure = bench.still(), bench.drawn()
    bench.tab("Share")
    field = bench.box.get_by_label("Text that holds this run")
    expect(field).to_have_value(re.compile("^ml1-"))
    before = field.input_value()
    bench.seek(78)
    expect(field).not_to_have_value(before)
    bench.seek(77)
    expect(field).to_have_value(before)
    text = before
    bench.turn("consumers", "ArrowRight")
    bench.seek(10)
    bench.box.get_by_label("Text to restore").fill("ml1-not-a-text")
    before = bench.drawn()
    bench.button("Restore").click()
    expect(bench.box.get_by_role("alert")).to_be_in_viewport(ratio=1)
    assert (bench.drawn(), bench.time()) == (before, 10)
    bench.box.get_by_label("Text to restore").fill(text)
    bench.button("Restore").click()
    assert bench.changed(before) == figure
    assert bench.still() == picture
    expect(bench.box.get_by_role("alert")).to_be_hidden()


def test_the_data_behind_the_figure_is_a_table(bench):
    bench.tab("Data")
    expect(bench.box.get_by_role("columnheader", name="time (s)")).to_be_visible()
    assert bench.box.get_by_role("row").count() > 50


def test_every_control_has_a_name(bench):
    nameless = bench.box.evaluate(
        """box => [...box.querySelectorAll("button, input, select, [role=slider], [role=tab]")]
        .filter(e => e.offsetParent)
        .filter(e => !(e.getAttribute("aria-label") || e.labels?.length || e.textContent.trim()))
        .map(e => e.outerHTML)"""
    )
    assert nameless == []


def test_running_again_leaves_one_live_workbench_and_a_reload_brings_it_back(notebook, bench):
    notebook.run_all()
    expect(notebook.page.locator(".ml-workbench")).to_have_count(1)
    Bench(notebook).drawn()


def test_no_memory_grows_over_200_runs(notebook, bench):
    client = notebook.page.context.new_cdp_session(notebook.page)
    client.send("Performance.enable")
    client.send("HeapProfiler.enable")
    slide = """async ([from, count]) => {
        const box = document.querySelector('.ml-workbench'), plot = box.querySelector('.ml-plot');
        const setting = [...box.querySelectorAll('.ml-setting')].find(s => s.textContent.startsWith('consumers'));
        const slider = setting.querySelector('[type=range]');
        for (let i = from; i < from + count; i++) {
            const drawn = new Promise(done => plot.once('plotly_afterplot', done));
            slider.value = 60 + 20 * (i % 7);
            slider.dispatchEvent(new Event('input', {bubbles: true}));
            await drawn;
        }
    }"""

    def heap() -> tuple[float, float]:
        client.send("HeapProfiler.collectGarbage")
        found = {m["name"]: m["value"] for m in client.send(HEAP)["metrics"]}
        return found["JSHeapUsedSize"], found["Nodes"]

    notebook.page.evaluate(slide, [1, 50])
    before = heap()
    notebook.page.evaluate(slide, [51, 200])
    after = heap()
    assert after[0] < before[0] + 4_000_000
    assert after[1] < before[1] * 1.1


def test_predict_first_covers_the_result_and_the_reveal_follows_the_answer(run_cells):
    question = "Choice('Who waits?', {'visitors': 'Not here.', 'videos': 'Yes.'}, answer=lambda run: 'videos')"
    cell = f"workbench(VideoQueue, seed=7, predict={question})"
    notebook = run_cells(
        cell, "predict('01.x', Choice('In a cell?', {'yes': 'Right.', 'no': 'Look again.'}, answer='yes'))"
    )
    first, second = Bench(notebook), Bench(notebook, 1)
    expect(first.box.get_by_text("Who waits?")).to_be_visible()
    expect(first.plot).to_be_hidden()
    expect(first.button("Play")).to_be_hidden()
    first.box.get_by_label("visitors").check()
    first.button("That is my guess").click()
    expect(first.box.get_by_text("Not here.")).to_be_visible()
    expect(first.plot).to_be_visible()
    second.box.get_by_label("no", exact=True).check()
    second.button("That is my guess").click()
    expect(second.box.get_by_text("Look again.")).to_be_visible()
    notebook.run_all()
    expect(Bench(notebook).box.get_by_text("Not here.")).to_be_visible()
    assert notebook.console_errors == []


def test_a_page_that_was_kept_plays_and_scrubs_without_a_kernel_or_network(chromium, tmp_path):
    path = to_html(VideoQueue().run(7, [Action("crash", 64.0, "consumer-1")]), tmp_path / "run.html")
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(path.as_uri())
    made = Bench(type("Saved", (), {"page": page}))
    made.drawn()
    made.button("Watch the run").click()
    page.wait_for_timeout(800)
    page.keyboard.press("Space")
    assert made.time() > 2
    made.seek(100)
    assert made.time() == 100
    made.tab("Ask why")
    made.button("Ask why").click()
    expect(made.box.locator(".ml-verdict").first).to_have_text(re.compile("^Sent at "))
    made.tab("Data")
    expect(made.box.get_by_role("columnheader", name="time (s)")).to_be_visible()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []
    page.close()


def test_reduced_motion_steps_and_does_not_glide(chromium, tmp_path):
    path = to_html(VideoQueue().run(seed=7), tmp_path / "run.html")
    page = chromium.new_page(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    page.goto(path.as_uri())
    made = Bench(type("Saved", (), {"page": page}))
    made.button("Watch the run").click()
    seen, began = set(), time.monotonic()
    for _ in range(30):
        page.wait_for_timeout(50)
        seen.add(made.canvas.evaluate(PIXELS))
    assert 2 <= len(seen) <= 3 + 2 * (time.monotonic() - began), "about two frames a second"
    page.close()


def test_the_figure_follows_the_width_of_its_box(run_cells):
    bench = Bench(run_cells("workbench(VideoQueue)"))
    bench.drawn()
    shell, plot = bench.box.locator(".."), bench.plot.element_handle()
    wide = plot.evaluate("plot => plot.clientWidth")
    fits = "plot => Math.abs(plot._fullLayout.width - plot.parentElement.clientWidth) < 3 && plot.clientWidth"
    shell.evaluate("box => box.style.width = '800px'")
    bench.page.wait_for_function(f"{fits} < {wide - 50}", arg=plot, timeout=10_000)
    shell.evaluate("box => box.style.width = ''")
    bench.page.wait_for_function(f"{fits} === {wide}", arg=plot, timeout=10_000)
