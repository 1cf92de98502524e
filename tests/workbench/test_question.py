"""Predict first: the answer is kept, the reveal depends on it, nothing blocks, nothing breaks."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from lablib.scenarios.lab01 import VideoQueue
from lablib.texts import Section
from lablib.workbench import Choice, Curve, Number, predict, workbench
from lablib.workbench.question import question

TEXTS = sorted(Path(__file__).parents[2].glob("lablib/texts/*.md"))
KEYS = [key for path in TEXTS for key in re.findall(r"^## question (\S+)$", path.read_text(encoding="utf-8"), re.M)]
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
    assert not {"truth", "result", "reply"} & set(bench._state["question"])
    assert repr(bench) == repr(bench.run), "Run All goes on, and the text is the result"
    bench.skip()
    assert bench._state["question"]["state"] == "skipped"


@pytest.mark.parametrize(("guess", "reply"), [("the visitor", "Not here."), ("the video", "Yes.")])
def test_the_reply_to_a_choice_depends_on_it(guess, reply):
    bench = workbench(VideoQueue, seed=7, predict=WHO)
    bench.answer(guess)
    shown = bench._state["question"]
    assert (shown["said"], shown["truth"], shown["reply"]) == (guess, "the video", reply)


@pytest.mark.parametrize(("factor", "reply"), [(0.1, "More."), (1.1, "Well judged."), (5, "Less.")])
def test_the_reply_to_a_number_depends_on_it(factor, reply):
    bench = workbench(VideoQueue, seed=7, predict=PEAK)
    bench.answer(factor * bench.run.measures.depth().max)
    assert bench._state["question"]["reply"] == reply


def test_a_curve_is_laid_beside_the_means_of_the_run():
    bench = workbench(VideoQueue, seed=7, predict=SHAPE)
    bench.answer([0, 0, 50, 100, 50, 0])
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
        bench.answer(guess)
    assert "\n" not in str(caught.value)
    assert bench._state["question"]["state"] == "open"


def test_a_drawing_is_about_the_run_that_was_asked_about():
    bench = workbench(VideoQueue, seed=7, predict=SHAPE)
    bench.answer([10.0] * 6)
    assert bench._state["question"]["mine"]
    bench.consumers = 6
    assert not bench._state["question"]["mine"]
    bench.begin_again()
    assert bench._state["question"]["mine"]


def test_the_first_guess_is_kept_beside_the_last(home):
    workbench(VideoQueue, seed=7, predict=WHO).answer("the visitor")
    key = "VideoQueue: Who waits?"
    assert json.loads((home / "predictions.json").read_text()) == {key: {"first": "the visitor", "last": "the visitor"}}
    again = workbench(VideoQueue, seed=7, predict=WHO)
    assert again._state["question"]["said"] == "the visitor"
    assert "first" not in again._state["question"]
    again.ask_again()
    assert again._state["question"]["state"] == "open"
    assert workbench(VideoQueue, seed=7, predict=WHO)._state["question"]["state"] == "open"
    again.answer("the video")
    later = workbench(VideoQueue, seed=7, predict=WHO)._state["question"]
    assert (later["said"], later["first"]) == ("the video", "the visitor")


def test_a_guess_that_an_earlier_version_kept_is_the_first_one(home):
    (home / "predictions.json").write_text('{"VideoQueue: Who waits?": "the visitor"}')
    bench = workbench(VideoQueue, seed=7, predict=WHO)
    assert bench.guess == "the visitor"
    bench.answer("the video")
    assert bench._state["question"]["first"] == "the visitor"


@pytest.mark.parametrize("damage", ["", "[1, 2]", "{", '{"VideoQueue: Who waits?": "gone from the options"}'])
def test_a_damaged_file_is_no_error(home, damage):
    (home / "predictions.json").write_text(damage)
    bench = workbench(VideoQueue, seed=7, predict=WHO)
    assert bench._state["question"]["state"] == "open"
    bench.answer("the video")
    assert bench._state["question"]["state"] == "answered"


def test_a_folder_that_cannot_be_written_is_no_error(home, monkeypatch):
    (home / "file").write_text("in the way")
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(home / "file"))
    bench = workbench(VideoQueue, seed=7, predict=WHO)
    bench.answer("the video")
    assert bench._state["question"]["said"] == "the video"


def test_one_is_no_plural():
    words = [Number("How many?", 1.0, unit).words(1.0) for unit in ("messages", "s", "messages/s", "at work")]
    assert words == ["1 message", "1 s", "1 message/s", "1 at work"]
    assert Number("How many?", 1.0, "messages").words(2.0) == "2 messages"


def test_predict_takes_its_question_from_the_texts_of_the_lab():
    asked = predict("01.not-deleted")
    assert repr(asked).startswith("Prediction 01.not-deleted: The consumer never deletes the message.")
    assert asked.guess is None
    right = "The same message again"
    assert [right, right] in asked._state["question"]["options"]
    with pytest.raises(ValueError, match="must be one of 'Nothing, because"):
        asked.answer("something else")
    with pytest.raises(KeyError, match="nothing"):
        predict("01.nothing")


def test_a_wrong_guess_on_the_page_is_an_alarm_that_the_next_one_clears():
    asked = predict("01.retention")
    asked._answer_message({"do": "answer", "id": 1, "value": "many"})
    assert asked._state["alarm"] == "answer='many': must be a number"
    asked._answer_message({"do": "answer", "id": 2, "value": 10})
    assert (asked._state["alarm"], asked.guess) == ("", 10.0)


class Cells:
    """IPython's events, as much as a prediction needs: a cell has run."""

    def __init__(self):
        self.waiting = []

    def register(self, event, function):
        assert event == "post_run_cell"
        self.waiting.append(function)

    def unregister(self, event, function):
        self.waiting.remove(function)

    def ran(self, cell="receive()", success=True, result=None):
        for function in list(self.waiting):
            function(SimpleNamespace(success=success, info=SimpleNamespace(raw_cell=cell), result=result))


def test_in_a_notebook_nothing_is_said_about_a_guess_before_another_cell_has_run(monkeypatch):
    cells = Cells()
    monkeypatch.setattr("lablib.workbench.prediction._cells_that_run", lambda: cells)
    asked = predict("01.not-deleted")
    cells.ran()  # its own cell
    asked.answer("An error")
    shown = asked._state["question"]
    assert (shown["said"], shown["shown"]) == ("An error", False)
    assert not {"truth", "reply", "right"} & set(shown)
    cells.ran(success=False)
    assert not asked._state["question"]["shown"], "a cell that failed has shown nothing"
    cells.ran("def receive():\n    return sqs.receive_message(QueueUrl=url)\n")
    assert not asked._state["question"]["shown"], "a cell that only defines functions has shown nothing"
    cells.ran()
    assert asked._state["question"]["truth"] == "The same message again"
    assert asked._state["question"]["reply"].startswith("There is no error.")
    assert cells.waiting == []


def test_a_workbench_that_nobody_has_played_and_another_question_have_shown_nothing(monkeypatch):
    cells = Cells()
    monkeypatch.setattr("lablib.workbench.prediction._cells_that_run", lambda: cells)
    asked = predict("01.not-deleted")
    cells.ran("predict('01.not-deleted')", result=asked)
    cells.ran("predict('01.spike')", result=predict("01.spike"))
    bench = workbench(VideoQueue, seed=7, until=10.0)
    cells.ran("bench", result=bench)
    bench.cursor = 9.0
    assert not asked._state["question"]["shown"]
    cells.ran()
    assert asked._state["question"]["shown"]


def test_a_workbench_that_was_played_to_its_end_has_shown_what_was_asked(monkeypatch):
    cells = Cells()
    monkeypatch.setattr("lablib.workbench.prediction._cells_that_run", lambda: cells)
    asked, closed = predict("01.not-deleted"), predict("01.spike")
    cells.ran()  # their own cell
    bench = workbench(VideoQueue, seed=7, until=10.0)
    cells.ran("bench", result=bench)
    closed.close()
    bench.cursor = 10.0
    assert asked._state["question"]["shown"]
    assert not closed._state["question"]["shown"]
    assert cells.waiting == []


def test_a_closed_prediction_hears_of_no_cell(monkeypatch):
    cells = Cells()
    monkeypatch.setattr("lablib.workbench.prediction._cells_that_run", lambda: cells)
    asked = predict("01.spike")
    assert len(cells.waiting) == 1
    asked.close()
    assert cells.waiting == []


@pytest.mark.parametrize("key", KEYS)
def test_each_question_of_the_labs_can_be_asked_and_answered(key):
    asked = question(key)
    document = asked.ask()
    guesses = [option for option, _ in document["options"]] if asked.kind == "choice" else [-1e9, asked.answer, 1e9]
    replies = [asked.reveal(asked.check(guess), None) for guess in guesses]
    assert sum(reply["right"] for reply in replies) == 1
    assert all(reply["reply"] for reply in replies)


@pytest.mark.parametrize(
    ("entries", "words"),
    [({"a": "x", "b": "y"}, "0 options are marked"), ({"a (right)": "x", "b (right)": "y"}, "2 options are marked")],
)
def test_a_question_without_one_right_option_is_a_mistake_of_its_author(monkeypatch, entries, words):
    monkeypatch.setattr("lablib.texts.section", lambda key: Section("What?", entries))
    with pytest.raises(ValueError, match=words):
        question("01.x")


def test_a_plain_cell_without_a_run_cannot_ask_for_what_a_run_says():
    for asked in (PEAK, SHAPE, WHO):
        with pytest.raises(ValueError, match="run"):
            predict("01.x", asked)
    assert predict("01.y", PEAK, VideoQueue().run(seed=7)).guess is None
