"""Predict first: the answer is kept, the reveal depends on it, nothing blocks, nothing breaks."""

import json

import pytest

from lablib.scenarios.lab01 import VideoQueue
from lablib.workbench import Choice, Curve, Number, predict, workbench

WHO = Choice("Who waits?", {"the visitor": "Not here.", "the video": "Yes."}, answer=lambda run: "the video")
PEAK = Number(
    "How many wait at most?", lambda run: run.measures.depth().max, unit="messages", low="More.", high="Less."
)
SHAPE = Curve("Draw the backlog", lambda run: run.measures.depth(), high=200.0, columns=6)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("question", [WHO, PEAK, SHAPE], ids=lambda q: q.kind)
def test_the_result_is_hidden_until_there_is_an_answer_or_a_skip(question):
    bench = workbench(VideoQueue, seed=7, predict=question)
    assert bench._state["question"]["state"] == "open"
    assert bench._state["headline"] == ""
    assert not {"truth", "result", "reply"} & set(bench._state["question"])
    assert repr(bench) == repr(bench.run), "Run All goes on, and the text is the result"
    bench._on_skip()
    assert bench._state["question"]["state"] == "skipped"
    assert bench._state["headline"]


@pytest.mark.parametrize(("guess", "reply"), [("the visitor", "Not here."), ("the video", "Yes.")])
def test_the_reply_to_a_choice_depends_on_it(guess, reply):
    bench = workbench(VideoQueue, seed=7, predict=WHO)
    bench._on_answer(guess)
    shown = bench._state["question"]
    assert (shown["said"], shown["truth"], shown["reply"]) == (guess, "the video", reply)


@pytest.mark.parametrize(("factor", "reply"), [(0.1, "More."), (1.1, "Well judged."), (5, "Less.")])
def test_the_reply_to_a_number_depends_on_it(factor, reply):
    bench = workbench(VideoQueue, seed=7, predict=PEAK)
    bench._on_answer(factor * bench.run.measures.depth().max)
    assert bench._state["question"]["reply"] == reply


def test_a_curve_is_laid_beside_the_means_of_the_run():
    bench = workbench(VideoQueue, seed=7, predict=SHAPE)
    bench._on_answer([0, 0, 50, 100, 50, 0])
    shown = bench._state["question"]
    assert len(shown["result"]) == len(shown["xs"]) == 6
    assert max(shown["result"]) <= bench.run.measures.depth().max
    peak = max(range(6), key=lambda i: shown["result"][i])
    assert f"{25 + 50 * peak} s" in shown["reply"]
    bench.set(consumers=50)
    assert bench._state["question"]["result"] != shown["result"], "the reveal follows the run"


@pytest.mark.parametrize(
    ("question", "guess"),
    [
        (WHO, "somebody else"),
        (WHO, None),
        (PEAK, "many"),
        (PEAK, float("nan")),
        (PEAK, True),
        (SHAPE, [1, 2]),
        (SHAPE, [-1] * 6),
        (SHAPE, "flat"),
    ],
)
def test_an_answer_that_cannot_be_is_one_line_and_the_question_stays_open(question, guess):
    bench = workbench(VideoQueue, seed=7, predict=question)
    with pytest.raises(ValueError, match="must be") as caught:
        bench._on_answer(guess)
    assert "\n" not in str(caught.value)
    assert bench._state["question"]["state"] == "open"


def test_the_answer_is_kept_shown_again_and_can_be_forgotten(home):
    workbench(VideoQueue, seed=7, predict=WHO)._on_answer("the visitor")
    assert json.loads((home / "predictions.json").read_text()) == {"VideoQueue: Who waits?": "the visitor"}
    again = workbench(VideoQueue, seed=7, predict=WHO)
    assert again._state["question"]["said"] == "the visitor"
    again._on_askAgain()
    assert again._state["question"]["state"] == "open"
    assert workbench(VideoQueue, seed=7, predict=WHO)._state["question"]["state"] == "open"


@pytest.mark.parametrize("damage", ["", "[1, 2]", "{", '{"VideoQueue: Who waits?": "gone from the options"}'])
def test_a_damaged_file_is_no_error(home, damage):
    (home / "predictions.json").write_text(damage)
    bench = workbench(VideoQueue, seed=7, predict=WHO)
    assert bench._state["question"]["state"] == "open"
    bench._on_answer("the video")
    assert bench._state["question"]["state"] == "answered"


def test_a_folder_that_cannot_be_written_is_no_error(home, monkeypatch):
    (home / "file").write_text("in the way")
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(home / "file"))
    bench = workbench(VideoQueue, seed=7, predict=WHO)
    bench._on_answer("the video")
    assert bench._state["question"]["said"] == "the video"


def test_predict_in_a_plain_cell():
    asked = predict("01.spike", Choice("Who waits?", {"a": "No.", "b": "Yes."}, answer="b"))
    assert repr(asked) == "Prediction 01.spike: Who waits?"
    assert asked.guess is None
    asked.answer("a")
    assert asked._question["reply"] == "No."
    assert predict("01.spike", asked._asking.question).guess == "a"
    with pytest.raises(ValueError, match="must be one of 'a', 'b'"):
        asked.answer("c")


def test_a_plain_cell_without_a_run_cannot_ask_for_what_a_run_says():
    for question in (PEAK, SHAPE, WHO):
        with pytest.raises(ValueError, match="run"):
            predict("01.x", question)
    assert predict("01.y", PEAK, VideoQueue().run(seed=7)).guess is None
