"""The workbench in Python: what the page asks, what it is told, and that a failure changes nothing."""

import asyncio
import functools
import gc
import json
import subprocess
import sys
import tracemalloc
import weakref

import pytest
from ipywidgets.widgets.widget import _instances
from workbench.saved import saved_in

import lablib
from lablib.kernel import Trace
from lablib.measures import results
from lablib.scenarios import Action, Run
from lablib.scenarios.lab01 import Promises, VideoQueue
from lablib.scenarios.lab04 import FanOut
from lablib.workbench import Workbench, cell_widget, document, to_html, workbench


@pytest.fixture
def bench():
    made = workbench(VideoQueue, seed=7)
    yield made
    made.close()


@pytest.fixture
def sent(bench, monkeypatch):
    """Asks as the page does; returns the reply."""

    def ask(do, **message):
        replies = []
        monkeypatch.setattr(bench, "send", lambda content, buffers=None: replies.append((content, buffers)))
        bench._handle_custom_msg({"do": do, "id": 5, **message}, [])
        ((reply, buffers),) = replies
        assert reply["id"] == 5
        return reply | ({"buffers": buffers} if buffers else {})

    return ask


def figure(bench):
    return bench.verbs["figure"](bench)


def drawn(bench):
    return bench._run, bench._other


def test_the_module_can_be_called_whichever_way_it_is_imported():
    from lablib import workbench as module

    for call in (module, lablib.workbench, workbench):
        made = call(VideoQueue, seed=3)
        assert isinstance(made, Workbench)
        made.close()


def test_the_way_to_the_first_workbench_is_light():
    """What the first cells of a lab import, and a workbench, need no numpy, pandas or plotly: they take longer to
    import than all else together.
    """
    code = (
        "import sys\n"
        "from lablib import Action, Cloud, exercise, limits, views, workbench\n"
        "from lablib.scenarios.lab01 import VideoQueue\n"
        "from lablib.workbench import predict\n"
        "predict('01.spike'), workbench(VideoQueue, seed=7, compare={'mode': 'direct'}, predict=True)\n"
        "found = {'numpy', 'pandas', 'plotly'} & sys.modules.keys()\n"
        "assert not found, found\n"
        "assert callable(views.overview) and len(limits('sqs'))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_its_text_is_the_result_in_one_line(bench):
    assert repr(bench) == repr(VideoQueue().run(seed=7))
    bundle, _ = bench._repr_mimebundle_()
    assert bundle["text/plain"] == repr(bench)
    bench.compare(mode="direct")
    kept = VideoQueue(mode="direct").run(seed=7)
    assert repr(bench) == f"A: {kept!r} | B: {VideoQueue().run(seed=7)!r}", "what was kept is A, what is changed is B"


def test_a_setting_changes_the_run_and_back_gives_the_same_bytes(bench, sent):
    before = drawn(bench)
    bench.cursor = 50.0
    assert sent("set", name="rate", value=3.0, cursor=61.5) == {"id": 5}
    assert bench.run.scenario.rate == 3.0
    assert bench._state["values"]["rate"] == 3.0
    assert bench.cursor == 61.5, "the picture goes on from the same instant"
    assert drawn(bench) != before
    sent("set", name="rate", value=VideoQueue().rate)
    assert drawn(bench) == before


def test_a_run_that_was_watched_is_known_when_the_cell_runs_again(bench, sent):
    assert not bench._state["seen"]
    sent("seen")
    assert bench._state["seen"]
    sent("set", name="consumers", value=4)
    again, other, changed = (workbench(VideoQueue, seed=s, consumers=c) for s, c in ((7, 3), (8, 3), (7, 4)))
    assert [w._state["seen"] for w in (again, other, changed)] == [True, False, True], "what was set then was seen, too"
    for made in (again, other, changed):
        made.close()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"do": "set", "name": "rate", "value": -1}, "rate=-1: must be a number from 0.1"),
        ({"do": "set", "name": "nonsense", "value": 1}, "nonsense"),
        ({"do": "act", "kind": "explode"}, "explode"),
        ({"do": "act", "kind": "crash", "target": "nobody"}, "nobody"),
        ({"do": "take_back", "index": 4}, "there are 0 actions"),
        ({"do": "restore", "text": "ml1-nonsense"}, ""),
        ({"do": "set", "name": "limits", "value": "1999"}, "1999"),
        ({"do": "why", "message": 10_000}, "message 10001: this run has"),
        ({"do": "nothing of the kind"}, "do='nothing of the kind': must be one of 'answer'"),
        ({"do": "_document"}, "do='_document'"),
        ({"do": "act", "kind": "crash", "target": "consumer-1", "lane": 1}, "lane=1: must be 0: there is one lane"),
    ],
)
def test_a_failure_is_shown_and_changes_nothing(bench, sent, message, words):
    before, run = drawn(bench), bench.run
    reply = sent(**message)
    assert reply["error"]
    assert words in bench._state["alarm"]
    assert "\n" not in bench._state["alarm"]
    assert (drawn(bench), bench.run) == (before, run)
    sent("set", name="consumers", value=5)
    assert bench._state["alarm"] == "", "the next thing that works clears it"


def test_a_failure_is_raised_under_test(bench, sent, monkeypatch):
    monkeypatch.setenv(cell_widget.RAISE, "1")
    with pytest.raises(ValueError, match="rate"):
        bench._answer_message({"do": "set", "id": 1, "name": "rate", "value": -1})


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("collects", [True, False])
def test_no_garbage_is_collected_while_the_page_waits(bench, sent, monkeypatch, collects, fails):
    """It takes longer than a run, with all that a notebook has imported. Afterwards it is as before."""
    seen = []

    def do(self, verb, arguments):
        seen.append(gc.isenabled())
        if fails:
            raise ValueError("no")

    monkeypatch.setattr(Workbench, "_do", do)
    try:
        if not collects:
            gc.disable()
        sent("set", name="rate", value=3.0)
        assert (seen, gc.isenabled()) == ([False], collects)
    finally:
        gc.enable()


def test_in_a_notebook_garbage_is_collected_when_the_answer_has_left(bench, sent, monkeypatch):
    monkeypatch.setattr(cell_widget, "MOMENT", 0.01)

    async def a_kernel():
        for rate in (3.0, 4.0):
            sent("set", name="rate", value=rate)
            assert not gc.isenabled()
        while not gc.isenabled():
            await asyncio.sleep(0.01)

    asyncio.run(a_kernel())
    bench._progress.stop()


def test_garbage_is_collected_again_though_the_loop_ended_first(bench, sent):
    async def a_short_loop():
        sent("set", name="rate", value=3.0)

    asyncio.run(a_short_loop())
    try:
        sent("set", name="rate", value=4.0)
        assert gc.isenabled()
    finally:
        gc.enable()
    bench._progress.stop()


def test_a_kept_run_is_described_once(bench, sent, monkeypatch):
    bench.keep()
    described, describe = [], document.describe
    monkeypatch.setattr(document, "describe", lambda run: described.append(run) or describe(run))
    for rate in (2.0, 3.0, 4.0):
        sent("set", name="rate", value=rate)
    assert [run.scenario.rate for run in described] == [2.0, 3.0, 4.0]


def test_a_change_computes_no_results_before_somebody_looks_at_them(bench, sent, monkeypatch):
    sent("compare", name="consumers", value=6)
    counted = []
    for name in ("summary", "line"):
        monkeypatch.setattr(results, name, lambda measures: counted.append(measures.run) or [])
    sent("set", name="rate", value=3.0)
    assert not counted
    sent("comparison")
    assert counted == [bench.kept, bench.run]


def test_an_action_forks_at_the_cursor_keeps_the_past_and_can_be_taken_back(bench, sent):
    before = bench.run
    sent("act", kind="crash", target="consumer-1", cursor=62.0)
    assert bench.run.actions == (Action("crash", 62.0, "consumer-1"),)
    (words,) = bench._state["actions"]
    assert words == "62.0 s: Crash a consumer: consumer-1"
    past = [row for row in before.trace if row.time < 62 and not before.trace.is_api(row.index)]
    assert past == [row for row in bench.run.trace if row.time < 62 and not bench.run.trace.is_api(row.index)]
    assert bench.run.digest != before.digest
    sent("act", kind="set", target="consumers", value=6, cursor=30.0)
    assert [a.kind for a in bench.run.actions] == ["set", "crash"], "in the order of time"
    sent("take_back", index=1)
    sent("take_back", index=0)
    assert bench.run == before


def test_compare_names_the_difference_and_the_parting(bench, sent):
    sent("compare", name="consumers", value=6)
    assert list(bench._state["names"]) == ["consumers 6", "consumers 3"], "A is what is compared with"
    assert bench._other
    shown = sent("comparison")
    assert 0 <= shown["divergence"]["t"] <= 300
    assert any(differs for *_, differs in shown["rows"])
    assert {row[0] for row in shown["rows"]} >= {"duplicates", "cost"}
    sent("set", name="rate", value=3.0)
    assert bench.kept.scenario.values() == VideoQueue(rate=3.0, consumers=6).values(), "one thing stays different"
    sent("stop_comparing")
    assert bench._other == b""
    assert bench._state["names"] is None


def test_a_kept_run_stays_while_the_other_changes(bench, sent):
    kept = bench.run
    sent("keep")
    sent("set", name="batch_size", value=10)
    assert bench.kept == kept
    assert list(bench._state["names"]) == ["batch size 1 message", "batch size 10 messages"]


def test_the_band_reports_progress_and_goes_when_something_changes(bench, sent, monkeypatch):
    monkeypatch.setattr("lablib.workbench.many.SEEDS", 4)
    parts = []
    bench.observe(lambda change: parts.append(change["new"]["many"]["part"]), "_state")
    before = figure(bench)
    sent("many", on=True)
    assert parts[:4] == [0.25, 0.5, 0.75, 1.0]
    assert figure(bench) != before
    assert bench._run == workbench(VideoQueue, seed=7)._run, "the run itself stays"
    sent("set", name="consumers", value=4)
    assert bench._state["many"]["on"] is False
    sent("many", on=False)


def test_in_a_notebook_the_band_comes_in_slices_and_a_change_calls_it_off(bench, monkeypatch):
    monkeypatch.setattr("lablib.workbench.many.SEEDS", 4)

    async def a_kernel():
        bench.many()
        assert bench._many.document["part"] == 0.0, "the kernel is free at once"
        while bench._many.document["part"] < 0.5:
            await asyncio.sleep(0.01)
        assert bench._many.band is None
        bench.set(consumers=4)
        after = bench._state["many"]
        await asyncio.sleep(0.3)
        assert (bench._state["many"], bench._many.document["on"]) == (after, False), "nothing goes on"
        bench.many()
        while bench._many.document["part"] < 1:
            await asyncio.sleep(0.01)
        return bench._many.band

    band = asyncio.run(a_kernel())
    assert (band.low <= band.high).all()


def test_a_failure_in_a_slice_is_shown(bench, monkeypatch):
    def broken(*_):
        yield lambda: None
        raise RuntimeError("no more seeds")

    monkeypatch.setattr("lablib.workbench.many.bands", broken)

    async def a_kernel():
        bench.many()
        await bench._many._task

    asyncio.run(a_kernel())
    assert "no more seeds" in bench._state["alarm"]
    assert bench._state["many"]["on"] is False


@pytest.mark.parametrize(
    ("message", "words"), [({"do": "set", "name": "batch_size"}, "batch size"), ({"do": "set", "name": "seed"}, "seed")]
)
def test_an_empty_field_is_said_to_be_empty(bench, message, words):
    before = bench.run
    bench._answer_message({**message, "value": None})
    assert bench._state["alarm"] == f"{words}: the field is empty; write a number"
    assert bench.run == before


def test_only_the_quotas_of_the_scenarios_services_are_listed(bench):
    assert {line.split()[0] for line in bench._form["limits"]} == {"API", "SQS"}


def test_lanes_can_be_open_from_the_start():
    assert workbench(VideoQueue)._form["lanes"] is False
    assert workbench(VideoQueue, lanes=True)._form["lanes"] is True


def test_the_kernels_memory_does_not_grow_over_200_runs():
    made = workbench(VideoQueue, until=15.0)

    def turn(numbers):
        for n in numbers:
            made.set(rate=1 + (n % 50) / 10)  # more than are kept: each is run again
        gc.collect()
        return tracemalloc.get_traced_memory()[0], sum(isinstance(x, Trace) for x in gc.get_objects())

    tracemalloc.start()
    try:
        before, traces = turn(range(50))
        after, later = turn(range(50, 250))
    finally:
        tracemalloc.stop()
        made.close()
    assert later <= traces + 1
    assert after < before + 300_000


def test_a_shared_text_restores_the_same_picture(bench, sent):
    bench.set(consumers=5)
    bench.act("crash", "consumer-2", at=70.0)
    text = sent("share", cursor=75.25)["text"]
    assert len(text) <= 200
    other = workbench(VideoQueue)
    other.restore(text)
    assert drawn(other) == drawn(bench)
    assert other.cursor == 75.25
    third = workbench(text)
    assert (drawn(third), third.cursor) == (drawn(bench), 75.25)


def test_it_can_begin_again(bench, sent):
    """As it was made, lanes included; and after a shared text of something else, too."""
    made = workbench(VideoQueue, seed=7, compare={"mode": "direct"})
    first = drawn(made)
    made.set(consumers=5)
    made.act("crash", "consumer-2", at=70.0)
    made.stop_comparing()
    made.restore(bench.share())
    made.seek(20.0)
    made.begin_again()
    assert (drawn(made), made.cursor, made.consumers) == (first, 0.0, VideoQueue().consumers)
    before = drawn(bench)
    sent("set", name="seed", value=8)
    assert drawn(bench) != before
    sent("begin_again", cursor=12.0)
    assert (drawn(bench), bench.cursor) == (before, 0.0)


def test_a_text_of_another_scenario_says_what_to_do(bench, sent):
    reply = sent("restore", text=Promises().run(seed=1).share())
    assert "this text is of Promises" in reply["error"]


def test_the_limits_switch(bench, sent):
    assert "SQS message size: 262,144 bytes in 2023, 1,048,576 bytes today" in bench._form["limits"]
    assert "API latency median: 0.006 s in 2023, 0.02 s today" in bench._form["limits"]
    assert "SQS managed sse: no in 2023, yes today" in bench._form["limits"]
    assert not any("fifo" in line for line in bench._form["limits"]), "there is no FIFO queue in this scenario"
    sent("set", name="limits", value="today")
    assert bench.run.limits == "today"
    assert bench.run.digest != VideoQueue().run(seed=7).digest


def test_why_and_the_table_and_plotly(bench, sent):
    subject = bench.run.trace.where(kind="Sent")[3].subject
    life = sent("why", message=3)
    assert life["subject"] == subject
    assert life["sentence"].startswith("Sent at ")
    assert [clause[2] for clause in life["clauses"]][:2] == ["SendMessage", "ReceiveMessage"]
    table = sent("table")
    assert table["heads"][0] == "time (s)"
    assert all(len(row) == len(table["heads"]) for row in table["rows"])
    (source,) = sent("plotly")["buffers"]
    assert len(source) > 1_000_000


def test_a_life_on_the_page_names_copies_by_the_numbers_that_the_page_has():
    made = workbench(FanOut, seed=7, until=30.0)
    subjects = document.subjects(made.run)
    original = made.run.trace.where("Published")[0].subject
    copies = [
        row.detail["as"]
        for row in made.run.trace.where("Delivered", subject=tuple(made.run.trace.children(original)))
        if "as" in row.detail
    ]
    texts = [text for _, text, _ in made._why(subjects.index(original))["clauses"]]
    assert len(copies) >= 2
    for copy in copies:
        assert any(text.endswith(f"where it is message {subjects.index(copy) + 1}") for text in texts)
        assert not any(copy in text for text in texts)


@pytest.mark.parametrize("what", [42, None, "made up", int, ["VideoQueue"]])
def test_what_is_no_scenario_is_one_clear_line(what):
    with pytest.raises((TypeError, ValueError)) as caught:
        workbench(what)
    assert "\n" not in str(caught.value)


def test_values_go_to_the_scenario_and_unknown_ones_are_refused():
    assert workbench(VideoQueue, rate=3.0).run.scenario.rate == 3.0
    assert workbench(VideoQueue(), rate=3.0).run.scenario.rate == 3.0
    with pytest.raises(TypeError, match="has no parameter 'rat'"):
        workbench(VideoQueue, rat=3.0)


def test_a_cell_that_is_run_again_closes_its_workbenches_and_no_others(monkeypatch):
    made = []
    for running in (("cell-1", "a"), ("cell-1", "a"), ("cell-2", "b"), ("cell-1", "c")):
        monkeypatch.setattr(cell_widget, "running_cell", lambda running=running: running)
        made.append(workbench(VideoQueue))
    assert [one.comm is None for one in made] == [True, True, False, False]
    assert repr(made[0]) == repr(made[3]), "a closed one still says its result"


def test_a_cell_that_fails_when_it_is_run_again_closes_nothing(monkeypatch):
    monkeypatch.setattr(cell_widget, "running_cell", lambda: ("cell-3", "a"))
    made = workbench(VideoQueue)
    monkeypatch.setattr(cell_widget, "running_cell", lambda: ("cell-3", "b"))
    with pytest.raises(TypeError):
        workbench(VideoQueue, rat=2.0)
    assert made.comm is not None


def test_nothing_is_left_of_a_closed_workbench():
    workbench(VideoQueue).close()
    known = len(_instances)
    made = workbench(VideoQueue)
    made.set(rate=2.0)
    gone = weakref.ref(made)
    made.close()
    del made
    gc.collect()
    assert gone() is None
    assert len(_instances) == known, "its layout is gone too"


def test_a_closed_workbench_holds_no_run_and_still_has_it():
    """The history of a notebook holds the workbenches of all executions of a cell."""
    made = workbench(VideoQueue, seed=77)
    made.compare(mode="direct")
    digests = [run.trace.digest() for run in (made.run, made.kept)]
    runs = [weakref.ref(made.run), weakref.ref(made.kept)]
    made.close()
    for kept in [one for one in gc.get_objects() if isinstance(one, functools._lru_cache_wrapper)]:
        if kept.__module__.startswith("lablib."):  # these remember some runs, whoever made them
            kept.cache_clear()
    gc.collect()
    assert [run() for run in runs] == [None, None]
    assert [run.trace.digest() for run in (made.run, made.kept)] == digests


@pytest.mark.parametrize("other", [None, VideoQueue(mode="direct").run(seed=7)])
def test_a_page_to_keep_holds_everything_itself(tmp_path, other):
    run = VideoQueue().run(seed=7)
    path = to_html(run, tmp_path / "run.html", other)
    text = path.read_text(encoding="utf-8")
    assert "http-equiv" not in text
    assert 'src="' not in text.replace("`", "")[: text.index("<script")]
    assert repr(run) in text
    assert text.count("</script>") == 1, "nothing inside a script ends it"
    assert run.trace.where(kind="Sent")[0].subject in [life and life["subject"] for life in saved_in(text)["lives"][0]]
    assert 1_000_000 < path.stat().st_size < 2_500_000, "scripts are in it, deflated"


def test_a_page_to_keep_makes_no_widget_and_has_the_same_state(tmp_path, monkeypatch, bench):
    bench.compare(mode="direct")
    made = []
    monkeypatch.setattr(Workbench, "__init__", lambda self, *a, **k: made.append(self))
    text = to_html(bench.run, tmp_path / "run.html", bench.kept).read_text(encoding="utf-8")
    assert not made
    saved = saved_in(text)
    state = {name: value for name, value in bench._state.items() if name != "seen"}  # no kernel is there to remember it
    assert saved["state"] == json.loads(json.dumps(state | {"missions": []})), "nobody can meet one there"
    assert saved["form"] == json.loads(json.dumps(bench._form))


def test_to_html_is_a_method_of_the_run_too(tmp_path):
    run = Run.from_text(VideoQueue().run(seed=7).share(42.0))
    run.to_html(tmp_path / "run.html")
    assert "const saved" in (tmp_path / "run.html").read_text(encoding="utf-8")
