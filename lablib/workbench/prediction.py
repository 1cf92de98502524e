"""A prediction in a cell of its own: a question, asked before something is run."""

from __future__ import annotations

import ast
from typing import Any

from lablib.scenarios import Run
from lablib.workbench import bundle
from lablib.workbench.cell_widget import CellWidget, only_one
from lablib.workbench.question import Asking, Question, question


class Prediction(CellWidget):
    """A question that is asked before something is run. Make one with `predict`.

    In a notebook, what the answer is is told when another cell has run after this one, so that the run says it first. A
    cell says nothing that only defines functions, or that ends with another prediction. One that ends with a workbench
    says it when that was played to its end.
    """

    _esm = bundle.script("prediction")
    _css = bundle.style()
    _cells: Any = None  # IPython's events, as long as this listens

    def __init__(self, key: str, asked: Question, run: Run | None) -> None:
        self._key, self._about = key, run
        self._cells, self._ended = _cells_that_run(), 0
        super().__init__(Asking(asked, key, is_shown=self._cells is None))
        self._publish()
        if self._cells is not None:
            self._cells.register("post_run_cell", self._cell_ran)

    def _cell_ran(self, result: Any) -> None:
        """The first cell that ends is the one in which this was made."""
        self._ended += 1
        if self._ended == 1 or not result.success or _only_defines(result.info.raw_cell):
            return
        if not isinstance(result.result, CellWidget):
            self._tell()
        elif result.result.has_trait("cursor"):
            result.result.observe(self._moved, "cursor")

    def _moved(self, change: Any) -> None:
        """A workbench that was made after the question shows another instant."""
        if change["new"] >= change["owner"].run.until - 1e-3:
            self._tell()

    def _tell(self) -> None:
        if self._asking and self._cells is not None:
            self._listen_no_more()
            self._asking.is_shown = True
            self._publish()

    def _listen_no_more(self) -> None:
        if self._cells is not None:
            self._cells.unregister("post_run_cell", self._cell_ran)
        self._cells = None

    def close(self) -> None:
        """Take it off the page and free it."""
        self._listen_no_more()
        super().close()

    def _document(self) -> dict[str, Any]:
        return {"question": self._asking and self._asking.document(self._about), "alarm": self._alarm}

    def __repr__(self) -> str:
        return f"Prediction {self._key}: {self._asking and self._asking.question.text}"


def _only_defines(cell: str) -> bool:
    """Does nothing run in this cell? Then it shows nothing either."""
    try:
        body = ast.parse(cell).body
    except SyntaxError:  # a magic
        return False
    return all(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in body)


def _cells_that_run() -> Any:
    """IPython's events, in a notebook."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    return shell.events if shell is not None else None


def predict(key: str, asked: Question | None = None, run: Run | None = None) -> Prediction:
    """Ask before a cell is run: `predict("01.spike")`. Never waits, so Run All goes on.

    `key` names the question in the lab's texts, and the guess in the learner's folder. `asked`: a question of your own.
    `run`: where the answer comes from, when the question computes it. Raises KeyError for an unknown key, ValueError
    for a question that needs a run and has none.
    """
    found = asked or question(key)
    if run is None and callable(found.answer):
        raise ValueError("this question's answer comes from a run: give predict(..., run=)")
    return only_one(lambda: Prediction(key, found, run))
