"""Predict first: questions that the run answers, and the learner's guesses, kept in the learner's folder."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lablib.measures import Series
from lablib.scenarios import Run


@dataclass(frozen=True)
class Choice:
    """Which of several? `options` maps what is offered to the reply for whoever chose it; `answer(run)` gives the
    right one.

    Without a run (`predict` in a plain cell) `answer` may be the right option itself.
    """

    text: str
    options: Mapping[str, str]
    answer: Callable[[Run], str] | str
    kind = "choice"

    def check(self, guess: Any) -> str:
        """The guess. Raises ValueError when it was not on offer."""
        if guess not in self.options:
            raise ValueError(f"answer={guess!r}: must be one of {', '.join(map(repr, self.options))}")
        return str(guess)

    def ask(self) -> dict[str, Any]:
        return {"options": [[option, option] for option in self.options]}

    def reveal(self, guess: str, run: Run | None) -> dict[str, Any]:
        truth = _truth(self.answer, run)
        return {"said": guess, "truth": truth, "reply": self.options[guess], "right": guess == truth}


@dataclass(frozen=True)
class Number:
    """How much? `answer(run)` gives it, in `unit`. Within `within` (a share, 0.2 is 20 %) counts as right.

    `low`, `high`, `close`: the replies to a guess that is too low, too high, or right.
    """

    text: str
    answer: Callable[[Run], float] | float
    unit: str = ""
    within: float = 0.2
    low: str = "It is more than you thought."
    high: str = "It is less than you thought."
    close: str = "Well judged."
    kind = "number"

    def check(self, guess: Any) -> float:
        """The guess. Raises ValueError for what is not a number."""
        if isinstance(guess, bool) or not isinstance(guess, (int, float)) or not np.isfinite(guess):
            raise ValueError(f"answer={guess!r}: must be a number")
        return float(guess)

    def ask(self) -> dict[str, Any]:
        return {"unit": self.unit}

    def reveal(self, guess: float, run: Run | None) -> dict[str, Any]:
        truth = float(_truth(self.answer, run))
        right = abs(guess - truth) <= self.within * max(abs(truth), 1e-9)
        reply = self.close if right else self.low if guess < truth else self.high
        return {"said": self._words(guess), "truth": self._words(truth), "reply": reply, "right": right}

    def _words(self, value: float) -> str:
        return f"{value:,.4g} {self.unit}".strip()


@dataclass(frozen=True)
class Curve:
    """What will it look like? Drawn in `columns` steps from 0 to `high`; `answer(run)` gives a Series, shown as its
    means.

    `label` and `unit`: what is drawn. `reply(guess, result)` may give the reply; by default it compares the peaks.
    """

    text: str
    answer: Callable[[Run], Series]
    high: float
    label: str = "messages waiting"
    unit: str = "messages"
    columns: int = 12
    duration: float = 300.0
    reply: Callable[[Sequence[float], Sequence[float]], str] | None = None
    kind = "curve"

    def check(self, guess: Any) -> list[float]:
        """The guess. Raises ValueError for anything but one number a column, from 0 to `high`."""
        good = isinstance(guess, Sequence) and len(guess) == self.columns
        if not good or not all(isinstance(y, (int, float)) and 0 <= y <= self.high for y in guess):
            raise ValueError(f"answer={guess!r}: must be {self.columns} numbers from 0 to {self.high:g}")
        return [float(y) for y in guess]

    def ask(self) -> dict[str, Any]:
        return {"label": self.label, "unit": self.unit, "high": self.high, "xs": [f"{x:g} s" for x in self._middles()]}

    def _middles(self) -> list[float]:
        width = self.duration / self.columns
        return [round(width * (i + 0.5), 3) for i in range(self.columns)]

    def reveal(self, guess: list[float], run: Run | None) -> dict[str, Any]:
        series, fine = _truth(self.answer, run), 20
        grid = (np.arange(self.columns * fine) + 0.5) * self.duration / (self.columns * fine)
        result = series.at(grid).reshape(self.columns, fine).mean(axis=1).round(3).tolist()
        return {"result": result, "reply": self._reply(guess, result), "right": False}

    def _reply(self, guess: list[float], result: list[float]) -> str:
        if self.reply:
            return self.reply(guess, result)
        xs, mine, real = self._middles(), int(np.argmax(guess)), int(np.argmax(result))
        return (
            f"You drew a peak of {guess[mine]:.3g} {self.unit} at {xs[mine]:g} s; "
            f"the run has {result[real]:.3g} at {xs[real]:g} s."
        )


Question = Choice | Number | Curve


def _truth(answer: Any, run: Run | None) -> Any:
    return answer(run) if callable(answer) else answer


# ---- the learner's guesses -------------------------------------------------------------------------------------------


class Guesses:
    """The guesses by question, in `predictions.json` of the learner's folder. An unwritable folder is no error."""

    def __init__(self) -> None:
        self._path = Path(os.environ.get("MESSAGING_LAB_HOME") or ".messaging-lab") / "predictions.json"

    def all(self) -> dict[str, Any]:
        """All guesses; empty when there are none, or the file cannot be read."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def get(self, key: str) -> Any:
        """The guess for a question, or None."""
        return self.all().get(key)

    def keep(self, key: str, guess: Any) -> None:
        """Store a guess; None forgets it. The file is replaced as a whole, so that a crash leaves the old one."""
        kept = {k: v for k, v in {**self.all(), key: guess}.items() if v is not None}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False, encoding="utf-8") as file:
                json.dump(kept, file, indent=1)
            Path(file.name).replace(self._path)
        except OSError:
            return


class Asking:
    """One question being asked: open, answered, or skipped. `key` names it in the learner's folder."""

    def __init__(self, question: Question, key: str) -> None:
        self.question = question
        self._key = key
        self.guess = self._kept()
        self.state = "open" if self.guess is None else "answered"

    def _kept(self) -> Any:
        try:
            return self.question.check(Guesses().get(self._key))
        except (ValueError, TypeError):
            return None

    def answer(self, guess: Any) -> None:
        """Take a guess and keep it. Raises ValueError for one that cannot be."""
        self.guess = self.question.check(guess)
        self.state = "answered"
        Guesses().keep(self._key, self.guess)

    def skip(self) -> None:
        """Do not ask; nothing is kept."""
        self.state = "skipped"

    def again(self) -> None:
        """Forget the guess and ask again."""
        self.guess, self.state = None, "open"
        Guesses().keep(self._key, None)

    def show(self, run: Run | None) -> dict[str, Any]:
        """What the page needs: the question, and once answered the guess beside what the run says."""
        shown = {"kind": self.question.kind, "text": self.question.text, "state": self.state, **self.question.ask()}
        if self.state == "answered":
            shown |= {"answer": self.guess, **self.question.reveal(self.guess, run)}
        return shown
