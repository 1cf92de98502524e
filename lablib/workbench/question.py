"""Predict first: questions, and the learner's guesses, kept in the learner's folder.

A question of a lab stands in the lab's texts, under `## question KEY`: its text, then an entry for each option with the
reply to it, the right one marked `(right)`:

    - Nothing: To receive is not to delete.
    - The same message again (right): Yes. It was only hidden.

Where a number is asked for, the entries are `number: 50 s`, and, if they are wanted, `within: 2 %` (a guess that near
counts as right), `low:`, `high:` and `right:` with the replies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lablib import texts
from lablib.measures import Series
from lablib.scenarios import Run
from lablib.scenarios.param import of_one
from lablib.workbench.kept import GUESSES, Kept
from lablib.workbench.setup import Setup

_RIGHT = " (right)"


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
        return {"truth": truth, "reply": self.options[guess], "right": guess == truth}

    def words(self, guess: str) -> str:
        return guess


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
        if isinstance(guess, bool) or not isinstance(guess, (int, float)) or not math.isfinite(guess):
            raise ValueError(f"answer={guess!r}: must be a number")
        return float(guess)

    def ask(self) -> dict[str, Any]:
        return {"unit": self.unit}

    def reveal(self, guess: float, run: Run | None) -> dict[str, Any]:
        truth = float(_truth(self.answer, run))
        right = abs(guess - truth) <= self.within * max(abs(truth), 1e-9)
        reply = self.close if right else self.low if guess < truth else self.high
        return {"truth": self.words(truth), "reply": reply, "right": right}

    def words(self, value: float) -> str:
        return f"{value:,.4g} {of_one(self.unit) if value == 1 else self.unit}".strip()


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
        import numpy as np

        series, fine = _truth(self.answer, run), 20
        grid = (np.arange(self.columns * fine) + 0.5) * self.duration / (self.columns * fine)
        result = series.at(grid).reshape(self.columns, fine).mean(axis=1).round(3).tolist()
        return {"result": result, "reply": self._reply(guess, result), "right": False}

    def words(self, guess: list[float]) -> str:
        return f"a peak of {max(guess):.3g} {self.unit}".strip()

    def _reply(self, guess: list[float], result: list[float]) -> str:
        if self.reply:
            return self.reply(guess, result)
        xs, mine, real = self._middles(), guess.index(max(guess)), result.index(max(result))
        return (
            f"You drew a peak of {guess[mine]:.3g} {self.unit} at {xs[mine]:g} s; "
            f"the run has {result[real]:.3g} at {xs[real]:g} s."
        )


Question = Choice | Number | Curve


def _truth(answer: Any, run: Run | None) -> Any:
    return answer(run) if callable(answer) else answer


def question(key: str) -> Question:
    """The question of that key in the lab's texts. Raises KeyError when there is none, ValueError for a bad one."""
    found = texts.section(f"question {key}")
    if "number" in found.entries:
        return _number(found.text, dict(found.entries))
    right = [option for option in found.entries if option.endswith(_RIGHT)]
    if len(right) != 1:
        raise ValueError(f"question {key}: {len(right)} options are marked{_RIGHT}; one must be")
    options = {option.removesuffix(_RIGHT): reply for option, reply in found.entries.items()}
    return Choice(found.text, options, right[0].removesuffix(_RIGHT))


def drawing(run: Run, kept: Run | None) -> Curve:
    """The scenario's own question: to draw its curve before anything is played. Raises ValueError when it has none."""
    scenario = run.scenario
    if not scenario.guess:
        raise ValueError(f"predict=True: {type(scenario).__name__} has no guess; give the key of a question")
    most = max(one.measures.depth().max for one in (run, kept) if one)
    return Curve(
        texts.text(scenario.guess),
        lambda run: run.measures.depth(),
        _round_up(1.25 * most),
        scenario.curve.words,
        duration=run.until,
    )


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 with zeros: where an axis may end that does not tell the most."""
    step = 10.0 ** math.floor(math.log10(max(value, 1.0)))
    return next(step * factor for factor in (1, 2, 5, 10) if step * factor >= value)


def _number(text: str, entries: dict[str, str]) -> Number:
    value, _, unit = entries["number"].partition(" ")
    replies = {name: entries[entry] for entry, name in _REPLIES.items() if entry in entries}
    within = float(entries["within"].removesuffix("%")) / 100 if "within" in entries else Number.within
    return Number(text, float(value), unit, within, **replies)


_REPLIES = {"low": "low", "high": "high", "right": "close"}


# ---- the learner's guesses -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guessed:
    """What was said to a question, the first time and the last. None for the last: it is being asked again."""

    first: Any
    last: Any


class Guesses:
    """The guesses by question, in `predictions.json` of the learner's folder."""

    def __init__(self) -> None:
        self._kept = Kept(GUESSES)

    def get(self, key: str) -> Guessed | None:
        """What was said to a question; None when nothing was."""
        found = self._kept.all().get(key)
        if isinstance(found, dict) and "first" in found:
            return Guessed(found["first"], found.get("last"))
        return None if found is None else Guessed(found, found)  # as earlier versions kept it

    def keep(self, key: str, guess: Any) -> None:
        """Store a guess beside the first one; None: it is being asked again."""
        before = self.get(key)
        self._kept.put(key, {"first": before.first if before else guess, "last": guess})


class Asking:
    """One question being asked: open, answered, or skipped. `key` names it in the learner's folder.

    `is_shown`: whether a run has shown the answer. Until then nothing is said about a guess. `about`: the run that is
    asked about, None when there is no other.
    """

    def __init__(self, question: Question, key: str, is_shown: bool = True, about: Run | None = None) -> None:
        self.question, self.is_shown = question, is_shown
        self._key, self._about = key, about and Setup.of(about)
        self.first, self.guess = self._kept()
        self.state = "open" if self.guess is None else "answered"

    @classmethod
    def of(cls, asked: Question | str | bool, run: Run, kept: Run | None) -> Asking:
        """Ask a question, or the one with that key in the texts, about a run. True: the scenario's own guess."""
        if isinstance(asked, bool):
            return cls(drawing(run, kept), run.scenario.guess, about=run)
        if isinstance(asked, str):
            return cls(question(asked), asked, about=run)
        return cls(asked, f"{type(run.scenario).__name__}: {asked.text}", about=run)

    def _kept(self) -> tuple[Any, Any]:
        found = Guesses().get(self._key)
        try:
            first = self.question.check(found.first) if found else None
            return first, self.question.check(found.last) if found and found.last is not None else None
        except (ValueError, TypeError):
            return None, None

    def answer(self, guess: Any) -> None:
        """Take a guess and keep it; the first one stays. Raises ValueError for one that cannot be."""
        self.guess = self.question.check(guess)
        self.first = self.guess if self.first is None else self.first
        self.state = "answered"
        Guesses().keep(self._key, self.guess)

    def skip(self) -> None:
        """Do not ask; nothing is kept."""
        self.state = "skipped"

    def again(self) -> None:
        """Ask again. The first guess is kept."""
        self.guess, self.state = None, "open"
        Guesses().keep(self._key, None)

    def document(self, run: Run | None) -> dict[str, Any]:
        """What the page needs: the question; once answered the guess; and once it was shown what the run says."""
        asked = self.question
        shown = {"kind": asked.kind, "text": asked.text, "state": self.state, "shown": self.is_shown, **asked.ask()}
        if self.state != "answered":
            return shown | {"mine": True}
        shown["mine"] = run is None or self._about in (None, Setup.of(run))
        shown |= {"answer": self.guess, "said": asked.words(self.guess)}
        if self.first != self.guess:
            shown["first"] = asked.words(self.first)
        return shown | (asked.reveal(self.guess, run) if self.is_shown else {})
