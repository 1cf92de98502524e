"""A failing case of an exercise, opened in the workbench: as it was, at the instant that matters, to look at only."""

import html
import re

import pytest
from ipywidgets.widgets.widget import _instances
from workbench.saved import saved_in

from lablib.exercises import exercise
from lablib.workbench import Workbench, show_verdict, to_html, workbench


def deletes_first(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            process(message["Body"])


@pytest.fixture(scope="module")
def case():
    return exercise("01.consumer").check(deletes_first).replay()


@pytest.fixture
def bench(case):
    made = workbench(case)
    yield made
    made.close()


def test_it_shows_the_trace_of_the_case(bench, case):
    assert bench.run.trace is case.trace
    assert bench.run.until == case.until
    assert bench.run.title.startswith(f"{case.title}: {case.problem.split()[0]}")
    assert len(bench.run.title) < 130
    assert {place.role for place in bench.run.topology.places} >= {"producer", "queue", "consumer"}


def test_the_lanes_are_open_at_the_instant_that_matters(bench, case):
    (crash,) = case.trace.where("Crashed")
    assert bench._form["lanes"] is True
    assert bench.cursor == crash.time
    assert workbench(case, at=0.0).cursor == 0.0


def test_nothing_in_it_can_be_changed(bench):
    before = bench.run
    for change in (
        lambda: bench.set(seed=9),
        lambda: bench.set(consumers=2),
        lambda: setattr(bench, "seed", 9),
        lambda: setattr(bench, "limits", "today"),
        lambda: bench.act("crash", "consumer-1"),
        lambda: bench.compare(rate=2.0),
    ):
        with pytest.raises(ValueError, match="nothing in it can be changed"):
            change()
    assert bench.run is before
    assert (bench._form["params"], bench._state["canDo"], bench._state["missions"]) == ([], [], [])


def test_it_has_no_text_to_share_since_no_text_holds_the_learners_function(bench):
    assert bench.share() == bench._state["share"] == ""


def test_its_messages_can_be_asked_about_and_the_page_can_be_kept(bench, case, tmp_path):
    sent = case.trace.where("Sent")[0].subject
    bench._answer_message({"do": "why", "id": 1, "message": 0})
    assert bench.selected == sent
    saved = saved_in(to_html(bench.run, tmp_path / "case.html").read_text(encoding="utf-8"))
    assert sent in [life and life["subject"] for life in saved["lives"][0]]


# ---- the verdict -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verdict():
    return exercise("01.consumer").check(deletes_first)


def texts(view):
    return [child.value for child in view.children if hasattr(child, "value")]


def test_a_failed_verdict_is_its_text_with_three_buttons(verdict):
    view = show_verdict(verdict)
    assert verdict.text.splitlines()[0] in texts(view)[0]
    assert [button.description for button in view.buttons.values()] == ["Replay", "Hint", "Solution"]
    live = verdict._repr_mimebundle_()
    assert live["text/plain"] == verdict.text
    assert "application/vnd.jupyter.widget-view+json" in live


def test_replay_opens_the_case_below_and_once_more_in_place_of_it(verdict):
    view = show_verdict(verdict)
    view.buttons["replay"].click()
    first = view.children[-1]
    assert isinstance(first, Workbench)
    assert first.run.title.startswith("01.consumer")
    view.buttons["replay"].click()
    assert first.comm is None
    assert [isinstance(child, Workbench) for child in view.children].count(True) == 1


def test_hints_come_one_after_the_other_and_the_solution_asks_first(verdict):
    view = show_verdict(verdict)
    view.buttons["hint"].click()
    assert "Hint 1 of" in texts(view)[-1]
    view.buttons["hint"].click()
    assert "Hint 2 of" in texts(view)[-1]
    view.buttons["solution"].click()
    assert "You learn most from your own try" in texts(view)[-1]
    assert texts(view)[-1].removesuffix("</pre>").endswith("press Solution once more.")
    view.buttons["solution"].click()
    assert "def consumer(sqs, queue_url, process)" in texts(view)[-1]


def test_a_passed_verdict_is_text_and_makes_no_widget():
    def right(sqs, queue_url, process):
        while True:
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            for message in answer.get("Messages", []):
                process(message["Body"])
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    passed = exercise("01.consumer").check(right)
    assert passed
    shown = passed._repr_mimebundle_()
    assert shown.keys() == {"text/plain", "text/html"}
    assert shown["text/plain"] == passed.text
    assert "white-space: pre-wrap; word-break: normal" in shown["text/html"], "lines break between words"
    assert html.unescape(re.sub("<[^>]+>", "", shown["text/html"])) == passed.text


def test_a_replay_opens_in_the_workbench_by_itself(case):
    live, _ = case._repr_mimebundle_()
    assert live["text/plain"] == repr(case)
    assert {"application/vnd.jupyter.widget-view+json", "image/svg+xml"} <= live.keys()


def test_nothing_is_left_of_a_closed_view(verdict):
    show_verdict(verdict).close()
    known = len(_instances)
    view = show_verdict(verdict)
    for button in view.buttons.values():
        button.click()
    view.close()
    assert len(_instances) == known
