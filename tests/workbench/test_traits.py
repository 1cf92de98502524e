"""For notebook people: settings are traits, parts can be put into boxes, and nothing else can be set by mistake."""

import gc
import weakref

import ipywidgets
import pytest
import traitlets
from ipywidgets.widgets.widget import _instances

from lablib.scenarios import Param, Scenario
from lablib.scenarios.lab01 import VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.workbench import Workbench, workbench


@pytest.fixture
def bench():
    made = workbench(VideoQueue, seed=7)
    yield made
    made.close()


def heard(bench, *names):
    """What observers of these traits are told."""
    told = []
    bench.observe(lambda change: told.append((change["name"], change["new"])), list(names) or traitlets.All)
    return told


# ---- settings --------------------------------------------------------------------------------------------------------


def test_each_parameter_is_a_trait_with_its_help(bench):
    for name, spec in VideoQueue.params().items():
        assert getattr(bench, name) == spec.default
        assert bench.traits()[name].help == spec.help
    assert (bench.seed, bench.limits, bench.cursor, bench.selected, bench.kept) == (7, "2023", 0.0, "", None)


def test_to_assign_a_setting_is_to_run_again_and_observers_see_the_new_run(bench):
    told = heard(bench, "rate", "run")
    seen = []
    bench.observe(lambda change: seen.append(bench.run.scenario.rate), "rate")
    bench.rate = 3.0
    assert bench.run == VideoQueue(rate=3.0).run(seed=7)
    assert sorted(told, key=str) == sorted([("rate", 3.0), ("run", bench.run)], key=str)
    assert seen == [3.0], "when an observer is told, the run is the new one"


def test_seed_and_quotas_are_settings_too(bench):
    bench.seed = 8
    bench.limits = "today"
    assert bench.run == VideoQueue().run(seed=8, limits="today")
    bench.set(seed=9, rate=2.0)
    assert (bench.seed, bench.rate) == (9, 2.0)


def test_what_a_page_or_a_verb_changes_reaches_the_traits(bench):
    told = heard(bench, "consumers")
    bench.set(consumers=5)
    bench._answer_message({"do": "set", "id": 1, "name": "consumers", "value": 6})
    assert told == [("consumers", 5), ("consumers", 6)]


def test_the_same_value_again_runs_nothing(bench):
    told = heard(bench, "run", "_run")
    bench.rate = bench.rate
    assert told == []


def test_a_value_that_is_not_allowed_raises_and_changes_nothing(bench):
    told = heard(bench)
    with pytest.raises(ValueError, match=r"^rate=-1: must be a number from"):
        bench.rate = -1
    with pytest.raises(TypeError, match=r"^seed='x': must be a whole number"):
        bench.seed = "x"
    assert (bench.rate, bench.seed, told) == (VideoQueue().rate, 7, [])


@pytest.mark.parametrize(("name", "guess"), [("rat", "rate"), ("sede", "seed"), ("curser", "cursor")])
def test_a_wrong_attribute_raises_and_guesses_what_was_meant(bench, name, guess):
    with pytest.raises(AttributeError, match=f"did you mean '{guess}'"):
        setattr(bench, name, 1)
    with pytest.raises(AttributeError):
        getattr(bench, name)


def test_run_and_kept_are_to_read(bench):
    for name in ("run", "kept"):
        with pytest.raises(traitlets.TraitError, match="read-only"):
            setattr(bench, name, bench.run)


def test_with_two_lanes_the_settings_are_those_of_the_run_that_is_changed(bench):
    bench.compare(mode="direct")
    assert (bench.mode, bench.kept.scenario.mode) == ("queue", "direct")
    bench.rate = 3.0
    assert (bench.run.scenario.rate, bench.kept.scenario.rate) == (3.0, 3.0), "one thing stays different"
    bench.keep()
    bench.rate = 2.0
    assert (bench.run.scenario.rate, bench.kept.scenario.rate) == (2.0, 3.0)
    told = heard(bench, "kept")
    bench.stop_comparing()
    assert told == [("kept", None)]


def test_link_and_interact_work(bench):
    slider = ipywidgets.FloatSlider(min=0.1, max=20.0)
    traitlets.link((bench, "rate"), (slider, "value"))
    assert slider.value == bench.rate
    slider.value = 4.0
    assert bench.run.scenario.rate == 4.0
    bench.rate = 2.0
    assert slider.value == 2.0
    drawn = []
    ipywidgets.interactive_output(lambda rate: drawn.append(rate), {"rate": slider})
    slider.value = 3.0
    assert drawn[-1] == bench.rate == 3.0


def test_two_workbenches_of_one_scenario_share_a_class_and_nothing_else(bench):
    other = workbench(VideoQueue, seed=7)
    third = workbench(Visibility)
    other.rate = 5.0
    assert bench.rate == VideoQueue().rate
    assert not hasattr(third, "spike_factor")
    assert isinstance(third, Workbench)
    for one in (other, third):
        one.close()


def test_a_parameter_cannot_have_a_name_that_the_workbench_needs():
    taken = [name for name in dir(Workbench) if not name.startswith("_")]
    assert {"keys", "layout", "run", "cursor", "set", "observe"} <= set(taken)
    for name in ("keys", "layout", "cursor", "observe"):
        with pytest.raises((TypeError, ValueError), match=name):
            workbench(type(f"With_{name}", (Scenario,), {name: Param(1, low=0, high=2), "__doc__": "A scenario."}))


# ---- the instant and the message in view -----------------------------------------------------------------------------


def test_the_cursor_stays_within_the_run(bench):
    told = heard(bench, "cursor")
    bench.cursor = 1e9
    bench.cursor = -5
    assert told == [("cursor", 300.0), ("cursor", 0.0)]


def test_the_page_is_sent_where_code_puts_the_cursor_and_not_where_it_is_itself(bench, monkeypatch):
    sent = []
    monkeypatch.setattr(
        bench, "_send", lambda message, buffers=None: sent.append(message.get("state", {}).get("cursor"))
    )
    bench.cursor = 50.0
    assert sent == [50.0]
    bench.set_state({"cursor": 61.0})
    bench._do("numbers", {"cursor": 62.0})
    assert (bench.cursor, sent) == (62.0, [50.0]), "it may be further by now"


def test_the_message_in_view_is_a_trait(bench):
    told = heard(bench, "selected")
    third = bench.run.trace.where("Sent")[2].subject
    bench._answer_message({"do": "why", "id": 1, "message": 2})
    assert bench.selected == third
    bench.set_state({"_selected": -1})
    bench.selected = third
    assert bench._selected == 2
    with pytest.raises(ValueError, match="must be the MessageId of a message of this run"):
        bench.selected = "nothing"
    bench.seed = 8
    assert bench.selected == "", "it is not in this run"
    assert told == [("selected", third), ("selected", ""), ("selected", third), ("selected", "")]


# ---- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("consumers", ipywidgets.IntSlider),
        ("spike_start", ipywidgets.FloatSlider),
        ("mode", ipywidgets.Dropdown),
        ("seed", ipywidgets.BoundedIntText),
        ("limits", ipywidgets.Dropdown),
        ("cursor", ipywidgets.FloatSlider),
    ],
)
def test_a_control_is_an_ipywidget_of_the_right_kind(bench, name, kind):
    made = bench.control(name)
    assert isinstance(made, kind)
    assert made.value == getattr(bench, name)
    assert bench.control(name, description="mine") is made, "one for each name"
    assert made.description == "mine"


def test_every_parameter_of_a_scenario_has_a_control_whose_ends_are_allowed():
    for scenario in (VideoQueue, Visibility):
        bench = workbench(scenario, until=5.0)
        for name in scenario.params():
            made = bench.control(name)
            for end in ("min", "max"):
                if hasattr(made, end):
                    made.value = getattr(made, end)
                    assert getattr(bench, name) == made.value
        bench.close()


def test_the_control_of_a_share_shows_percent():
    made = workbench(Visibility, poison=0.05).control("poison")
    assert (made.value, made.readout_format) == (0.05, ".1%")


def test_a_control_follows_the_workbench_and_the_workbench_the_control(bench):
    rate = bench.control("rate")
    rate.value = 3.0
    assert bench.run.scenario.rate == 3.0
    bench.rate = 2.0
    assert rate.value == 2.0
    time = bench.control("cursor")
    time.value = 40.0
    assert bench.cursor == 40.0


def test_what_the_workbench_refuses_is_said_on_its_page_and_the_control_goes_back(bench):
    rate = bench.control("rate", max=1000.0)
    rate.value = 500.0
    assert bench._state["alarm"].startswith("rate=500.0: must be a number")
    assert rate.value == bench.rate


def test_an_unknown_control_is_one_clear_line(bench):
    with pytest.raises(ValueError, match="did you mean 'rate'"):
        bench.control("rats")


def test_the_figure_shows_the_run_and_where_the_cursor_is(bench):
    figure = bench.figure
    assert bench.figure is figure
    assert figure.data[0].name == "waiting"
    assert max(figure.data[0].y) == bench.run.measures.depth().max
    bench.rate = 3.0
    assert max(figure.data[0].y) == bench.run.measures.depth().max
    bench.cursor = 75.0
    (line,) = figure.layout.shapes
    assert (line.x0, line.x1) == (75.0, 75.0)
    assert figure._config["displayModeBar"] is False


def test_the_figure_sends_its_layout_to_the_page(bench, monkeypatch):
    sent = []
    was = ipywidgets.Widget.send_state

    def send_state(self, key=None):
        sent.append((type(self).__name__, key))
        was(self, key)

    monkeypatch.setattr(ipywidgets.Widget, "send_state", send_state)
    assert bench.figure
    assert {("LiveFigure", "_widget_layout"), ("LiveFigure", "_widget_data")} <= set(sent)


def test_the_stage_is_a_second_view_of_the_workbench(bench):
    stage = bench.stage
    assert bench.stage is stage
    assert stage.get_state()["bench"] == f"IPY_MODEL_{bench.model_id}"
    assert repr(stage) == f"stage of {bench!r}"


def test_the_figure_has_both_runs_and_other_curves_when_there_are_others(bench):
    figure = bench.figure
    bench.compare(mode="direct")
    names = [trace.name for trace in figure.data]
    assert "waiting" in names
    assert any(name.startswith(("A: ", "B: ")) for name in names)
    assert len(figure.get_state()["_widget_data"]) == len(names), "a page that is reloaded asks for this"


def test_a_click_on_a_curve_of_the_figure_goes_there(bench):
    from plotly.callbacks import Points

    trace = bench.figure.data[0]
    trace._dispatch_on_click(Points(point_inds=[3], xs=[42.0], ys=[1.0]), None)
    assert bench.cursor == 42.0


def test_parts_can_be_put_into_boxes_and_their_text_is_always_the_same(bench):
    box = ipywidgets.VBox([bench.control("rate"), bench.figure])
    assert repr(box).endswith("live figure of VideoQueue))")


def test_parts_are_closed_and_freed_with_their_workbench():
    workbench(VideoQueue).close()
    known = len(_instances)
    bench = workbench(VideoQueue)
    parts = [weakref.ref(bench.figure), weakref.ref(bench.control("rate"))]
    bench.close()
    gc.collect()
    assert [part() for part in parts] == [None, None]
    assert len(_instances) == known, "their layouts and styles are gone too"
