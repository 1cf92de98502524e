"""A widget of a notebook cell: its page asks, Python answers. A cell that runs again closes what it made before."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import anywidget
import traitlets
from ipywidgets import Widget

from lablib.scenarios.param import one_of
from lablib.workbench.question import Asking

MOMENT = 0.1  # seconds in which an answer has left the kernel and was painted
RAISE = "MESSAGING_LAB_RAISE"  # when set, what goes wrong in answering the page is raised too: for tests
_owed = False  # is garbage to be collected again?


class CellWidget(anywidget.AnyWidget):
    """A widget whose page sends messages {"do": verb, "id": number, ...arguments}; `verbs` names what answers each.

    A verb is called with the arguments of the message, and returns nothing, a document, or bytes: the reply. What goes
    wrong is shown on the page, in an alert, and nothing changes. It may ask one question (`asking`).
    """

    _esm = ""  # strings, not paths: a path is watched for changes, and then the widget is never freed
    _css = ""
    _state = traitlets.Dict().tag(sync=True)

    def __init__(self, asking: Asking | None, **traits: Any) -> None:
        self._asking, self._alarm = asking, ""
        super().__init__(**traits)
        self.on_msg(type(self)._answer_message)

    def _document(self) -> dict[str, Any]:
        """What the page shows."""
        raise NotImplementedError

    def _publish(self) -> None:
        self._state = self._document()

    def _answer_message(self, content: dict[str, Any], _buffers: Any = None) -> None:
        message = {name: value for name, value in content.items() if name not in ("do", "id")}
        reply: dict[str, Any] = {}
        buffers: list[bytes] = []
        try:
            with _garbage_left():
                answer = self._do(str(content.get("do")), message)
            if isinstance(answer, bytes):
                buffers = [answer]
            else:
                reply = answer or {}
        except Exception as error:  # whatever it is, the learner must see it
            self._failed(error)
            reply = {"error": str(error)}
            if os.environ.get(RAISE):
                raise
        finally:
            self.send({**reply, "id": content.get("id")}, buffers)

    def _do(self, verb: str, arguments: dict[str, Any]) -> Any:
        """Call a verb. A message about one setting gives its `name` and `value`."""
        if verb not in self.verbs:
            raise ValueError(f"do={verb!r}: must be {one_of(self.verbs)}")
        if "name" in arguments:
            name, value = arguments.pop("name"), arguments.pop("value", None)
            if value is None:
                raise ValueError(f"{name.replace('_', ' ')}: the field is empty; write a number")
            arguments[name] = value
        return self.verbs[verb](self, **arguments)

    def _failed(self, error: Exception) -> None:
        plain = isinstance(error, (ValueError, TypeError, KeyError))
        self._alarm = str(error) if plain else f"{type(error).__name__}: {error}"
        self._publish()

    # ---- the question ----------------------------------------------------------------------------------------------

    @property
    def guess(self) -> Any:
        """What the learner said; None while nothing was said."""
        return self._asking.guess if self._asking else None

    def answer(self, value: Any) -> None:
        """Take a guess. Raises ValueError for one that cannot be."""
        if self._asking:
            self._asking.answer(value)
            self._went_well()

    def skip(self) -> None:
        """Do not ask, or close what was asked."""
        if self._asking:
            self._asking.skip()
            self._went_well()

    def ask_again(self) -> None:
        """Ask once more. The first guess is kept beside the new one."""
        if self._asking:
            self._asking.again()
            self._went_well()

    def _went_well(self) -> None:
        self._alarm = ""
        self._publish()

    verbs: ClassVar[dict[str, Callable[..., Any]]] = {"answer": answer, "skip": skip, "ask_again": ask_again}

    def close(self) -> None:
        """Take it off the page and free it, its layout too."""
        if self.comm is not None:
            close_belongings(self)
        super().close()


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Collect no garbage meanwhile, nor in a notebook for a moment after it: the answer is on its way then. A run
    leaves little, and to look through all that a notebook has imported takes longer than a run.
    """
    global _owed
    collects = gc.isenabled() or _owed
    gc.disable()
    try:
        yield
    finally:
        if collects:
            _owed = True  # until then: a loop that ends before the moment is over calls nothing
            when_idle(MOMENT, _collect_again)


def _collect_again() -> None:
    global _owed
    _owed = False
    gc.enable()


def when_idle(seconds: float, function: Callable[[], None]) -> asyncio.TimerHandle | None:
    """Call it in so many seconds, when the kernel waits for messages; where it never does, at once, without a timer."""
    try:
        return asyncio.get_running_loop().call_later(seconds, function)
    except RuntimeError:
        function()
        return None


def close_belongings(widget: Widget) -> None:
    """Close a widget's layout and style, which ipywidgets keeps for ever."""
    for name in ("layout", "style"):
        part = widget._trait_values.get(name)
        if isinstance(part, Widget):
            part.close()


# By cell: the execution that made something there last, and what it made.
_made: dict[str, tuple[str, list[weakref.ref[Widget]]]] = {}
_Made = TypeVar("_Made", bound=Widget)


def running_cell() -> tuple[str, str]:
    """The notebook cell that is running, and this execution of it. The cell is "" outside a notebook, or when the front
    end does not say.
    """
    try:
        from IPython import get_ipython

        parent = getattr(get_ipython(), "parent_header", None) or {}
    except ImportError:
        return "", ""
    return str(parent.get("metadata", {}).get("cellId", "")), str(parent.get("header", {}).get("msg_id", ""))


def only_one(make: Callable[[], _Made]) -> _Made:
    """What `make` makes; what the same cell made when it ran before is closed."""
    made = make()
    cell, execution = running_cell()
    if not cell:
        return made
    latest, widgets = _made.get(cell, ("", []))
    if latest != execution:
        for widget in [found for ref in widgets if (found := ref())]:
            widget.close()
        widgets = []
    _made[cell] = (execution, [*widgets, weakref.ref(made)])
    return made
