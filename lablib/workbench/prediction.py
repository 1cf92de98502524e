"""A prediction in a cell of its own: the question, kept answer and reveal, without a workbench."""

from __future__ import annotations

from typing import Any

import traitlets

from lablib.scenarios import Run
from lablib.workbench import bundle
from lablib.workbench.page import Page, only_one
from lablib.workbench.question import Asking, Question


class Prediction(Page):
    """A question that is asked before something is run. Make one with `predict`."""

    _esm = bundle.script(prediction=True)
    _css = bundle.style()
    _question = traitlets.Dict().tag(sync=True)

    def __init__(self, key: str, question: Question, run: Run | None) -> None:
        if run is None and callable(question.answer):
            raise ValueError("this question's answer comes from a run: give predict(..., run=)")
        self._key, self._asking, self._about = key, Asking(question, key), run
        super().__init__(_question=self._asking.show(run))

    @property
    def guess(self) -> Any:
        """What the learner said; None while nothing was said."""
        return self._asking.guess

    def answer(self, guess: Any) -> None:
        """Take a guess. Raises ValueError for one that cannot be."""
        self._do("answer", guess)

    def skip(self) -> None:
        """Do not ask."""
        self._do("skip")

    def _do(self, what: str, *arguments: Any) -> None:
        getattr(self._asking, what)(*arguments)
        self._question = self._asking.show(self._about)

    def _failed(self, error: Exception) -> None:
        self._question = {**self._asking.show(self._about), "alarm": str(error)}

    def _on_answer(self, value: Any) -> None:
        self.answer(value)

    def _on_skip(self) -> None:
        self.skip()

    def _on_closeQuestion(self) -> None:
        self.skip()

    def _on_askAgain(self) -> None:
        self._do("again")

    def __repr__(self) -> str:
        return f"Prediction {self._key}: {self._asking.question.text}"


def predict(key: str, question: Question, run: Run | None = None) -> Prediction:
    """Ask before a cell is run: `predict("01.spike", Choice(...))`. Never waits, so Run All goes on.

    `key` names the guess in the learner's folder. `run`: where the answer comes from, when the question computes it.
    Raises ValueError for a question that needs a run and has none.
    """
    made = only_one(lambda: Prediction(key, question, run))
    assert isinstance(made, Prediction)
    return made
