"""Figures are pure, labelled, honest about units, readable in both themes and without colour."""

import html

import numpy as np
import plotly.graph_objects as go
import pytest

from lablib import limits, views
from lablib.measures import Series, band
from lablib.scenarios import Action
from lablib.scenarios.lab01 import SCENARIOS, Promises, VideoQueue
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.lab05 import TruckStream
from lablib.scenarios.lab07 import Warehouse
from lablib.views import live, panels, theme
from lablib.workbench.page_state import figure_document

RUN = VideoQueue().run(seed=7)
DIRECT = VideoQueue(mode="direct").run(seed=7)
CRASHED = VideoQueue().run(7, [Action("crash", 65.0, "consumer-1"), Action("freeze", 80.0, "consumer-2", 60.0)])
FIGURES = {
    "overview": lambda **k: views.overview(RUN, **k),
    "days": lambda **k: views.overview(Promises().run(seed=1), **k),
    "compare": lambda **k: views.compare(RUN, DIRECT, **k),
    "latency": lambda **k: views.latency(RUN, DIRECT, names=["queue", "direct"], **k),
    "stays": lambda **k: views.stays(CRASHED, 40, 100, **k),
    "sweep": lambda **k: views.sweep([1, 2, 4], {"done": [1, 2, 3], "lost": [3, 2, 1]}, x_title="x", y_title="y", **k),
}  # fmt: skip


def contrast(a: str, b: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_same_each_time_and_its_axes_have_titles_with_units(name):
    figure = FIGURES[name]()
    assert isinstance(figure, go.Figure)
    assert figure.to_json() == FIGURES[name]().to_json()
    assert figure.layout.xaxis.title.text
    words = " ".join([figure.layout.yaxis.title.text or "", *(note.text for note in figure.layout.annotations)])
    assert words.strip()
    assert "{{" not in figure.to_json(), "every colour is filled in"


@pytest.mark.parametrize("name", FIGURES)
def test_dark_and_light_differ_in_colours_only(name):
    light, dark = (FIGURES[name](theme=t) for t in ("light", "dark"))
    assert light.layout.paper_bgcolor != dark.layout.paper_bgcolor
    for one, other in zip(light.data, dark.data, strict=True):
        assert np.array_equal(np.array(one.x, dtype=object), np.array(other.x, dtype=object))
        assert one.line.dash == other.line.dash


@pytest.mark.parametrize("name", ["overview", "compare", "latency", "sweep"])
def test_curves_that_share_a_panel_can_be_told_apart_without_colour(name):
    panels_of: dict[str, list[tuple]] = {}
    for trace in FIGURES[name]().data:
        if trace.mode != "markers":
            panels_of.setdefault(trace.yaxis or "y", []).append(
                (trace.line.dash, trace.line.width, trace.opacity, trace.fill)
            )
    for looks in panels_of.values():
        mine = [look for look in looks if name != "compare" or look[1] > 1.5]
        assert len(set(mine)) == len(mine)


@pytest.mark.parametrize("kind", ["light", "dark"])
def test_every_colour_stands_out_from_the_page(kind):
    colours = theme.COLOURS[kind]
    for name, colour in colours.items():
        if name not in ("paper", "line"):
            assert contrast(colour, colours["paper"]) >= (4.5 if name in ("ink", "soft") else 3), name


def test_the_theme_in_use_is_the_default_and_a_wrong_one_is_refused():
    try:
        views.use("dark")
        assert views.overview(RUN).layout.paper_bgcolor == theme.COLOURS["dark"]["paper"]
    finally:
        views.use("light")
    with pytest.raises(ValueError, match="must be 'light' or 'dark'"):
        views.use("blue")


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_overview_shows_what_the_measures_say(name):
    run = SCENARIOS[name]().run(seed=3)
    spec = panels.overview(run)
    scale, _ = panels.time_unit(run.until)
    depth = run.measures.depth()
    drawn = next(t for t in spec["data"] if t["name"] == "waiting")
    for t in np.linspace(0, run.until, 23):
        i = np.searchsorted(drawn["x"], t * scale, "right") - 1
        if len(depth.t) < 1600:
            assert drawn["y"][i] == depth.at(t)
    assert drawn["y"].max() == depth.max


def test_who_is_blocked_or_refused_has_a_curve_where_there_is_one():
    full = Warehouse(memory=0.03, consumers=1).run(seed=7)
    spans = [span for found in full.tokens.blocked(full.until).values() for span in found]
    for spec in (panels.overview(full), panels.overview(Warehouse().run(seed=7), full)):
        curve = next(t for t in spec["data"] if t["name"].endswith("blocked"))
        for t in (5.0, 14.2, 14.5, 50.0, 80.0):
            i = np.searchsorted(curve["x"], t, "right") - 1
            assert (curve["y"][i] if curve["name"] == "blocked" or i else 0) == sum(a <= t < b for a, b in spans)
        assert spec["layout"]["yaxis4"]["domain"][0] == 0.0
        assert spec["layout"]["xaxis"]["anchor"] == "y4"
        assert {t["yaxis"] for t in spec["data"]} <= {"y", "y2", "y3", "y4"}
    plain = panels.overview(Warehouse().run(seed=7))
    assert "yaxis4" not in plain["layout"]
    assert not any("blocked" in t["name"] or "refused" in t["name"] for t in plain["data"])
    hot = TruckStream(hot=100.0, every=1.0).run(seed=7, until=40.0)
    refused = next(t for t in panels.overview(hot)["data"] if t["name"] == "refused")
    assert refused["y"].max() == hot.measures.rate("refused").max > 0
    assert "refused" in panels.overview(hot)["layout"]["annotations"][2]["text"]


def test_thinning_keeps_ends_and_extremes():
    rng = np.arange(50_000)
    y = np.sin(rng / 7) * 100
    y[31_234], y[44_001] = 1e6, -1e6
    series = Series("x", "x", "", rng / 10.0, y)
    few = panels.thin(series, 5000.0, 1000)
    assert len(few.t) <= 1300
    assert (few.y.max(), few.y.min(), few.y[0], few.y[-1]) == (1e6, -1e6, y[0], y[-1])
    assert (np.diff(few.t) >= 0).all()


def test_a_band_lies_behind_and_a_kept_run_is_dashed():
    many = band(VideoQueue(), 3, points=21)
    data = panels.overview(RUN, DIRECT, many)["data"]
    assert [t["name"] for t in data[:3]] == ["10 % of the runs", "90 % of the runs", "middle of the runs"]
    assert {t["line"]["dash"] for t in data if t["name"].startswith("B: ")} == {"dash"}


def test_a_comparison_draws_a_solid_and_names_the_dashed_curves_of_b():
    data = views.compare(RUN, DIRECT).data
    solid = next(t for t in data if t.name == "waiting")
    dashed = next(t for t in data if t.name == "B: waiting")
    assert (solid.line.dash, dashed.line.dash) == ("solid", "dash")
    assert solid.y.max() == RUN.measures.depth().max != DIRECT.measures.depth().max == dashed.y.max()


def test_in_the_workbench_what_was_kept_is_a_and_dashed():
    figure = live.live(RUN, DIRECT, 0.0, lambda seconds: None)
    dashed = {trace.name for trace in figure.data if trace.line.dash == "dash"}
    assert dashed and all(name.startswith("A: ") for name in dashed)
    assert "solid: B, dashed: A" in figure.layout.annotations[0].text
    assert b"solid: B, dashed: A" in figure_document(RUN, DIRECT)


def test_a_live_figure_has_lists_and_no_arrays():
    """plotly 6 sends the page's values back, and compares: of an array, `not values` raises in the kernel."""
    figure = live.live(RUN, DIRECT, 0.0, lambda seconds: None)
    live.show(figure, DIRECT, RUN, lambda seconds: None)
    assert all(isinstance(values, tuple) for trace in figure.data for values in (trace.x, trace.y))


def test_a_run_without_messages_has_figures_too():
    run = VideoQueue(consumers=0, rate=0.1).run(seed=1, until=0.001)
    assert views.overview(run).data
    assert views.latency(run).data
    with pytest.raises(ValueError, match="this run has 0 messages"):
        views.stays(run)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: views.latency(), "0 runs were given"),
        (lambda: views.latency(RUN, names=["a", "b"]), "1 runs were given"),
        (lambda: views.stays(RUN, 0), "most=0"),
        (lambda: views.sweep([1, 2], {"a": [1]}, x_title="", y_title=""), "has 1 values for 2 of x"),
    ],
)
def test_bad_input_is_one_line(call, words):
    with pytest.raises(ValueError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


# ---- the life of a message -------------------------------------------------------------------------------------------


def test_a_life_says_each_transition_and_the_call_that_did_it():
    subject = RUN.trace.where(kind="Sent")[10].subject
    told = views.life(RUN, subject)
    assert [c.api for c in told.clauses if c.api] == ["SendMessage", "ReceiveMessage", "DeleteMessage"]
    assert [c.time for c in told.clauses] == [row.time for row in RUN.trace.where(subject=subject)]
    assert "received once" in told.sentence
    assert told in views.lives(RUN)


def again(run):
    seen = run.trace.where(kind="Received")
    subject = next(r.subject for r in seen if r.detail > 1)
    return views.life(run, subject).sentence


def test_a_life_says_why_it_was_delivered_again():
    assert "because consumer-1 crashed at 65.000 s before it deleted it" in again(CRASHED)
    frozen = VideoQueue(visibility_timeout=5).run(7, [Action("freeze", 80.0, "consumer-2", 60.0)])
    assert "while consumer-2 was still working on it" in again(frozen)
    copies = VideoQueue(outages=360).run(seed=2)
    back = copies.trace.where(kind="CopyReturned")[0].subject
    told = views.life(copies, back).sentence
    assert "a copy came back" in told or "and still" in told


def test_a_direct_call_that_timed_out_says_that_the_work_was_in_vain():
    late = {row.subject for row in DIRECT.trace.where(kind="TimedOut")}
    worked = [row.subject for row in DIRECT.trace.where(kind="WorkEnded") if row.subject in late]
    assert "nobody was waiting for it any more" in views.life(DIRECT, worked[0]).sentence


# ---- orders --------------------------------------------------------------------------------------------------------


def orders(**more):
    """The lives of a run with orders, by what they are about."""
    run = FanOut(**more).run(seed=7)
    return run, {told.subject: told for told in views.lives(run)}


def test_the_life_of_an_order_that_the_shop_tells_of_itself_names_who_knows_it_and_the_crash():
    run, lives = orders(way="one by one", shop_crashes=0.2)
    crashed = [row for row in run.trace.where("Crashed") if row.actor.startswith("shop/")]
    assert crashed
    for crash in crashed:
        order = crash.actor.removeprefix("shop/")
        told, sent = lives[order], run.trace.where("Sent", actor=crash.actor)
        assert f"crashed at {crash.time:.3f} s, and told nobody after that" in told.sentence
        assert "open at the end" not in told.sentence
        for row in sent:
            assert f"{row.resource} at {row.time:.3f} s" in told.sentence
            assert views.life(run, row.subject).related[0] == (order, "the original at shop")
        posted = run.trace.where("Delivered", subject=tuple(run.trace.children(order)))
        assert sent or posted or "the shop told nobody" in told.sentence
        assert [other.subject for other in told.related] == [row.subject for row in sent]
        assert told.clauses[-1].text == f"{crash.actor} crashed"


def test_an_order_that_the_shop_gives_up_on_says_so_and_speaks_of_no_topic():
    run, lives = orders(way="one by one", outage=30.0)
    lost = run.trace.parent(run.trace.where("DeliveryDropped")[0].subject)
    told = lives[lost]
    assert "did not take it in 3 attempts" in told.sentence
    assert "lost for https://partner.example/orders: the shop gave up after three attempts" in told.sentence
    assert "the shop tries no more" in " ".join(clause.text for clause in told.clauses)
    assert "SNS" not in " ".join([told.sentence, *(clause.text for clause in told.clauses)])


@pytest.mark.parametrize(("retries", "words"), [(2, "all 3 attempts failed, the last"), (0, "the only attempt failed")])
def test_a_dead_letter_of_a_subscription_says_who_did_not_take_it_and_why(retries, words):
    run, lives = orders(dead_letters=True, outage=60.0, retries=retries)
    dead = run.trace.where("Sent", resource="orders-dlq")[0]
    sentence = lives[dead.subject].sentence
    assert sentence.startswith(f"Put into the dead-letter queue orders-dlq at {dead.time:.3f} s")
    assert f"SNS could not deliver it to https://partner.example/orders: {words} with 500." in sentence


def test_nothing_is_told_about_nobody():
    for subject in ("", "nobody"):
        with pytest.raises(KeyError, match="nothing in this run is about"):
            views.life(RUN, subject)


# ---- the register of quotas ------------------------------------------------------------------------------------------


def test_limits_has_both_editions_and_a_source_for_each():
    table = limits()
    assert list(table.columns) == ["course 2023", "today", "unit", "source"]
    assert table["source"].str.len().min() > 3
    assert set(limits("sqs").index) == {name for name in table.index if name.startswith("sqs.")}
    changed = limits(changed=True)
    assert "sqs.message_size" in changed.index
    assert (changed["course 2023"] != changed["today"]).all()
    with pytest.raises(ValueError, match="must be one of 'api', "):
        limits("sms")


def test_the_table_of_quotas_is_shown_whole_and_with_thousands():
    table = limits("kinesis")
    shown = table._repr_html_()
    assert "10,485,760" in shown
    assert all(html.escape(source, quote=False) in shown for source in table["source"])


def test_stays_are_those_of_the_tokens():
    """Thin from sent to received, thick while hidden, a cross where it expired, a diamond where it came again."""
    run = Promises().run(seed=7)
    drawn = {trace.name: [x for x in trace.x if x is not None] for trace in views.stays(run, 10**6).data}
    assert drawn.keys() == {"waiting", "flight", "again", "expired"}
    assert len(drawn["expired"]) == len(run.trace.where("Expired")) > 0
    assert len(drawn["flight"]) == 2 * len(run.trace.where("Received"))
    direct = {trace.name: trace.x for trace in views.stays(DIRECT, 10**6).data}
    assert len(direct["lost"]) == 2 * len(DIRECT.trace.where(("Refused", "TimedOut"))) > 0


def test_a_whole_number_among_fractions_is_shown_whole():
    shown = limits("mq", changed=True)._repr_html_()
    assert all(f"<td>{number}</td>" in shown for number in ("50", "16,777,216", "4.2"))
