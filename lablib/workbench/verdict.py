"""A verdict in a notebook: its text, and buttons for a hint, for the case in the workbench, for our solution."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any, Protocol

import anywidget
import ipywidgets

from lablib.workbench.cell_widget import close_belongings, only_one
from lablib.workbench.failing import Case
from lablib.workbench.widget import workbench


class Verdict(Protocol):
    """What a verdict offers (`lablib.exercises.Verdict`)."""

    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...
    def replay(self) -> Case: ...


class _Eye(anywidget.AnyWidget):
    """Nothing to see. Told to, it scrolls one of those beside it into view, once that is there."""

    _esm = """
    export default { render({ model, el }) {
      const look = ({ look: at }) => {
        let part = el, height = 0, frames = 0;
        while (part && !part.parentElement?.classList.contains("widget-vbox")) part = part.parentElement;
        const step = () => {
          const found = part?.parentElement?.children[at], now = found?.offsetHeight ?? 0;
          if (now > 20 && now !== height) {
            const page = found.closest(".jp-WindowedPanel-outer, .jp-Notebook")?.clientHeight ?? innerHeight;
            found.scrollIntoView({ block: now > page * 0.6 ? "start" : "nearest" });
            height = now;
          }
          if ((frames += 1) < (height ? 90 : 600)) requestAnimationFrame(step);
        };
        step();
      };
      model.on("msg:custom", look);
      return () => model.off("msg:custom", look);
    } };
    """


class VerdictView(ipywidgets.VBox):
    """A failed verdict with its buttons. What a button brings comes into view below; there is one of each."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self._below: dict[str, ipywidgets.Widget] = {}
        self.buttons = {name: self._button(name, words, tip) for name, (words, tip) in _BUTTONS.items()}
        self._eye = _Eye()
        self._always = [_text(verdict.text), ipywidgets.HBox(list(self.buttons.values())), self._eye]
        super().__init__(self._always)

    def _button(self, name: str, words: str, tip: str) -> ipywidgets.Button:
        made = ipywidgets.Button(description=words, tooltip=tip)
        made.on_click(lambda _: self._show(name))
        return made

    def _show(self, name: str) -> None:
        brought: Callable[[], ipywidgets.Widget] = getattr(self, f"_{name}")
        try:
            new = brought()
        except Exception as error:  # whatever it is, the learner must see it
            new = _text(str(error))
        if old := self._below.pop(name, None):
            _close(old)
        self._below[name] = new
        self.children = [*self._always, *self._below.values()]
        self._eye.send({"look": len(self.children) - 1})

    def _hint(self) -> ipywidgets.Widget:
        return _text(self._exercise().hint_text())

    def _replay(self) -> ipywidgets.Widget:
        return workbench(self._verdict.replay())

    def _solution(self) -> ipywidgets.Widget:
        """The first time it asks, as `exercise(...).solution()` does; the second time it is meant."""
        mine = self._exercise()
        sure = "solution" in self._below or mine.state == "passed"
        return _text(mine.solution(sure=True) if sure else f"{mine.before_the_solution} press Solution once more.")

    def _exercise(self) -> Any:
        from lablib.exercises import exercise

        return exercise(self._verdict.id)

    def close(self) -> None:
        """Take it off the page and free it, with all that it has brought."""
        for part in (*self._below.values(), *self.buttons.values(), *self._always):
            _close(part)
        self._below.clear()
        close_belongings(self)
        super().close()

    def __repr__(self) -> str:
        return self._verdict.text


_BUTTONS = {
    "replay": ("Replay", "Show this case in the workbench"),
    "hint": ("Hint", "The next hint"),
    "solution": ("Solution", "Our solution; it asks first"),
}


def text_html(words: str) -> str:
    """Plain text as HTML whose lines break between words: JupyterLab breaks those of plain text within them."""
    style = (
        "white-space: pre-wrap; word-break: normal; overflow-wrap: break-word; margin: 0; line-height: 1.4; "
        "font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px)"
    )
    return f'<pre style="{style}">{html.escape(words)}</pre>'


def _text(words: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(text_html(words))


def _close(widget: ipywidgets.Widget) -> None:
    close_belongings(widget)
    widget.close()


def show_verdict(verdict: Verdict) -> VerdictView:
    """The view of a failed verdict; what the cell showed before is closed."""
    return only_one(lambda: VerdictView(verdict))
